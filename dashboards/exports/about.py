"""What an export was made from: site, digest, telemetry window, version and parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING

from dashboards.readable import moment
from topology.overlay import overlay_text
from topology.site import Site
from topology.write import site_files

if TYPE_CHECKING:
    from dashboards.session import Session


def site_digest(site: Site) -> str:
    """SHA-256 of a site's content: its files as ``write_site`` writes them, then its own catalog entries and calibration.

    Args:
        site: the site; the order of columns and the units of its folder do not matter.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, text in site_files(site):
        digest.update(f"{name}\0{text}\0".encode())
    overlay = site.folder / "catalog" if site.folder is not None else None
    for file in sorted(overlay.glob("*.toml")) if overlay is not None and overlay.is_dir() else ():
        digest.update(f"catalog/{file.name}\0".encode() + file.read_bytes() + b"\0")
    if site.calibration:
        digest.update(overlay_text(site.calibration).encode())
    return digest.hexdigest()


def about(session: Session, result: str, parameters: Mapping[str, object]) -> Mapping[str, str]:
    """What an export says of itself, in a fixed order.

    Args:
        session: whose result it is.
        result: name of the result, such as ``headroom``.
        parameters: what was asked for; those that are ``None`` or empty are left out.

    Returns:
        Key to text.
    """
    given = {k: str(v) for k, v in parameters.items() if v not in (None, "", ())}
    first, last = (moment(t) for t in session.span) if session.store is not None else ("", "")
    return MappingProxyType({
        "result": result,
        "site": session.site.settings.name,
        "site digest": site_digest(session.site),
        "calibration": f"{len(session.site.calibration)} constants" if session.site.calibration else "none",
        "telemetry": session.store.where if session.store is not None else "none",
        "telemetry window": f"{first} to {last}" if first else "none",
        "software": f"racktwin {version('racktwin')}",
        **given,
    })  # fmt: skip
