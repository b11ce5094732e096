"""Arguments that several commands share, and how their texts become values."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from topology.errors import UsageError, nearest

if TYPE_CHECKING:
    from dashboards.session import Session, Utilisation

SiteArgument = Annotated[Path, typer.Argument(metavar="SITE", help="Site folder.", show_default=False)]
Store = Annotated[
    str | None, typer.Option("--store", metavar="DIR", help="Telemetry store that `racktwin ingest` made.", show_default=False)
]
NeededStore = Annotated[
    str, typer.Option("--store", metavar="DIR", help="Telemetry store that `racktwin ingest` made.", show_default=False)
]
Start = Annotated[
    str | None,
    typer.Option("--start", metavar="TIME", help="First time, with a zone; the store's first where not given.", show_default=False),
]
End = Annotated[
    str | None, typer.Option("--end", metavar="TIME", help="Last time, excluded; the store's last where not given.", show_default=False)
]
Step = Annotated[str, typer.Option("--step", metavar="T", help="Length of a step: 60, 60s, 15min, 1h.")]
Calibration = Annotated[
    Path | None,
    typer.Option("--calibration", metavar="FILE", help="Constants of this site that `racktwin calibrate` wrote.", show_default=False),
]


def _engine(text: str) -> str:
    """The name of an engine, refused before any work where it is none."""
    from twin.scale import engine_of

    engine_of(text)
    return text


Engine = Annotated[
    str,
    typer.Option(
        "--engine", metavar="E", callback=_engine,
        help="Where to work: serial, processes[:N], dask, or dask:tcp://HOST:PORT; the answer is the same on each.",
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, keys with units.")]
UtilisationText = Annotated[
    str | None,
    typer.Option(
        "--utilisation", metavar="U", help="Load of the parts, 0 to 1: one number, or groups such as cpu=0.33,gpu=0.79.", show_default=False
    ),
]
AtText = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="Time of the store to take the load from, such as 2026-11-20T12:00Z.", show_default=False),
]

WetBulb = Annotated[
    float | None,
    typer.Option("--wet-bulb-c", metavar="T", help="Outdoor wet bulb, degC; measured, else the design value.", show_default=False),
]
OutageIds = Annotated[
    list[str] | None,
    typer.Option("--outage", metavar="ID", help="Element, place or common cause that is lost; may be repeated.", show_default=False),
]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h)?")


def open_session(site: Path, store: str | None = None, calibration: Path | None = None) -> Session:
    """Open a site folder with its store, and with what telemetry showed of it.

    Raises:
        UsageError: there is no such folder, or a template was named instead of one.
        SiteError: the site has errors, or the calibration cannot be read or is that of another site.
        TelemetryError: the store cannot be opened.
    """
    site_folder(site)
    from dashboards.session import Session

    return Session.open(site, store, calibration)


def site_folder(site: Path) -> Path:
    """The folder, if it is one.

    Raises:
        UsageError: there is no such folder, or a template was named instead of one.
    """
    if site.is_dir():
        return site
    if site.exists():
        raise UsageError(f"{site} is a file; name the folder that holds site.toml")
    from topology.generate import TEMPLATES

    if str(site) in TEMPLATES:
        raise UsageError(f"{site} is a template and not a site folder; `racktwin site new DIR --template {site}` writes one from it")
    near = nearest(site.name, [p.name for p in site.parent.iterdir() if p.is_dir()]) if site.parent.is_dir() else ""
    near = f"{near} " if near.startswith("did you mean") else ""
    raise UsageError(f"there is no site folder {site}; {near}`racktwin site new {site} --template row` writes a small one to start from")


def utilisation_of(text: str | None) -> Utilisation | None:
    """Read ``--utilisation``.

    Raises:
        UsageError: neither a number nor a list of group=number.

    >>> utilisation_of("0.5"), utilisation_of("cpu=0.33,gpu=0.79")
    (0.5, {'cpu': 0.33, 'gpu': 0.79})
    """
    if text is None:
        return None
    if "=" not in text:
        return _fraction(text, text)
    return {name.strip(): _fraction(value, text) for name, _, value in (pair.partition("=") for pair in text.split(","))}


def _fraction(value: str, whole: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise UsageError(f"--utilisation {whole} cannot be read; write 0 to 1, or groups such as cpu=0.33,gpu=0.79") from None
    if not 0.0 <= number <= 1.0:
        raise UsageError(f"--utilisation {whole} is outside 0 to 1; 1 is full load")
    return number


def time_of(text: str | None, option: str) -> dt.datetime | None:
    """Read a time with a zone.

    Raises:
        UsageError: not a time, or one without a zone.

    >>> time_of("2026-11-20T12:00Z", "--at").isoformat()
    '2026-11-20T12:00:00+00:00'
    """
    if text is None:
        return None
    try:
        time = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text} is not a time; write 2026-11-20T12:00Z") from None
    if time.tzinfo is None:
        whole = text if "T" in text or " " in text else f"{text}T00:00"
        raise UsageError(f"{option} {text} has no zone; write {whole}Z for UTC, or end it in an offset such as +01:00")
    return time


def date_of(text: str | None, option: str) -> dt.date | None:
    """Read a date.

    Raises:
        UsageError: not a date.

    >>> date_of("2027-06-30", "--by")
    datetime.date(2027, 6, 30)
    """
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text} is not a date; write 2027-06-30") from None


def duration_s(text: str, option: str) -> float:
    """Read a duration in s, min or h, seconds where no unit is given.

    Raises:
        UsageError: not a duration above zero.

    >>> duration_s("15min", "--step")
    900.0
    """
    found = _DURATION.fullmatch(text.strip())
    seconds = float(found[1]) * {"s": 1.0, "min": 60.0, "h": 3600.0}[found[2] or "s"] if found else 0.0
    if not seconds > 0.0:
        raise UsageError(f"{option} {text} is not a duration above zero; write 60, 60s, 15min or 1h")
    return seconds


def moment_of(session: Session, utilisation: str | None, at: str | None) -> tuple[Utilisation | None, dt.datetime | None]:
    """What a moment is loaded with: a utilisation, or a time of the store (its last minute where none is named).

    Raises:
        UsageError: a time without a store, both a time and a utilisation, or a text that cannot be read.
        TelemetryError: the store is empty.
    """
    load, time = utilisation_of(utilisation), time_of(at, "--at")
    if load is not None and time is not None:
        raise UsageError("give either --utilisation or --at, not both")
    if time is not None and session.store is None:
        raise UsageError("--at needs telemetry: give --store DIR as well")
    if load is None and time is None and session.store is not None:
        time = session.span[1].replace(second=0, microsecond=0)
    return load, time


def elements_of(session: Session, names: list[str] | None) -> tuple[str, ...]:
    """Lost elements by id; a place or a declared group stands for what is in it.

    Raises:
        SiteError: an id that the site does not have; the message offers the nearest.
        UsageError: a place in which nothing stands.
    """
    from topology.paths import blast_radius

    site = session.site
    found: list[str] = []
    for name in names or []:
        if session.plant.index.get(name, ("", 0))[0] == "pumps":
            found.append(name)  # one of the pumps inside a CDU
            continue
        kind = site.kind_of(name)
        inside = blast_radius(site, name).failed if kind in _GROUPS else (name,)
        if not inside:
            raise UsageError(f"nothing stands in the {kind} {name}, so nothing is lost with it; name an element")
        found += inside
    return tuple(dict.fromkeys(found))


_GROUPS = ("hall", "row", "position", "redundancy", "common_cause")
