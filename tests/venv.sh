#!/bin/sh
# Make a virtual environment: venv.sh FOLDER [PYTHON]. Without PYTHON the first of python3, python3.13, ... on PATH
# that is 3.11 or newer is taken. Nothing is done where the folder already has a working one.
set -eu
folder=$1
asked=${2:-}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if [ -x "$folder/bin/python" ] && new_enough "$folder/bin/python" && "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi

python=
for candidate in ${asked:-python3 python3.13 python3.12 python3.11}; do
    if new_enough "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    found=$("${asked:-python3}" --version 2>&1 || true)
    echo "racktwin needs Python 3.11 or newer; ${asked:-python3} says: ${found:-not found}" >&2
    echo "Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2
    exit 2
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "$python comes without venv: installing Debian's python3-venv ..." >&2
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >&2
    else
        echo "$python comes without venv; on Debian or Ubuntu: apt-get install python3-venv" >&2
        exit 2
    fi
fi

rm -rf "$folder"
echo "Making $folder with $("$python" --version) ..." >&2
"$python" -m venv "$folder"
