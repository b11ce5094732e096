#!/bin/sh
# Print the path of a Chromium for the browser tests: $RACKTWIN_BROWSER, else chromium on PATH, else, as root on
# Debian, the distribution's package, installed first. Prints nothing where there is none: those tests then skip.
set -u

find_browser() {
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" 2>/dev/null && return 0
    done
    return 1
}

if [ -n "${RACKTWIN_BROWSER:-}" ]; then
    echo "$RACKTWIN_BROWSER"
    exit 0
fi
find_browser && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "No Chromium found: installing Debian's package for the browser tests ..." >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 ||
        echo "Chromium could not be installed; the browser tests will skip." >&2
    find_browser
fi
exit 0
