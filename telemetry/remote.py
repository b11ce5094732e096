"""Stores that cannot be used, at a URL above all: what to say of them, with the way out.

Access comes from the environment, under the names that all S3 clients know (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``,
``AWS_REGION``, ``AWS_ENDPOINT_URL``, ``AWS_ALLOW_HTTP``), or from the options given to :class:`telemetry.store.Store`.

Delta Lake keeps writers apart by a conditional put: version N of the log may be made only where there is none. A server that
refuses the condition cannot be written at all, and this is said. A server that takes the header and does as it pleases cannot be
told from outside without a race; do not use one.
"""

from __future__ import annotations

import re

from topology.errors import StoreError

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST = 300

_WHY = (
    (
        ("No space left", "os error 28", "os error 122"),
        "the disk is full; free some space and do the same again: what is stored is skipped",
    ),
    (
        ("501 Not",),
        "its server refuses conditional puts, without which two writers could lose readings; use a server that has them, or a folder",
    ),
    (("NoSuchBucket",), "there is no such bucket; make it first"),
    (
        ("AccessDenied", "403 Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "401 Unauthorized"),
        "its server denies access; set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION",
    ),
    (
        ("169.254.169.254", "MissingCredentials", "instance credentials"),
        "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_ENDPOINT_URL where it is not Amazon's)",
    ),
    (("URL scheme is not allowed", "HTTPS", "BadScheme"), "its address is plain http; set AWS_ALLOW_HTTP=true where that is meant"),
    (("error sending request", "Connection refused", "error trying to connect"), "its server does not answer; check AWS_ENDPOINT_URL"),
)  # fmt: skip


def unusable(where: str, what: str, fault: Exception) -> StoreError:
    """What to say of a store that cannot be used, with the way out.

    Args:
        where: folder or URL.
        what: what cannot be done with it: ``written``, ``read``.
        fault: what the library said.

    >>> print(unusable("mystore", "written", OSError("No space left on device (os error 28)")))
    the store mystore cannot be written: the disk is full; free some space and do the same again: what is stored is skipped
    """
    text = " ".join(_ESCAPES.sub("", str(fault)).split())
    why = next((why for marks, why in _WHY if any(m in text for m in marks)), "")
    said = text[:_LONGEST] + ("..." if len(text) > _LONGEST else "")
    if not why:
        return StoreError(f"the store {where} cannot be {what}: {said}")
    return StoreError(f"the store {where} cannot be {what}: {why}" + (f" ({said})" if "://" in where else ""))
