"""A site into a folder, in the units that people use; :func:`topology.read.read_site` reads it back to the same site."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from topology.columns import Column, columns_of
from topology.errors import SiteError
from topology.kinds import SITE_FILES, Settings
from topology.read import REQUIRED_FILES, SETTINGS_FILE
from topology.site import Site
from topology.units import UNITS, Unit, from_canonical, split, to_canonical

PEOPLE: Mapping[str, tuple[str, ...]] = {
    "power": ("kw",), "apparent_power": ("kva",), "pressure": ("kpa",), "volume_flow": ("lpm",), "fraction": (),
    "energy_price": ("usd_kwh",), "demand_price": ("usd_kw",), "mass_per_energy": ("g_kwh",), "inverse_power": ("per_kw",),
    "voltage": (), "current": (), "temperature": (), "mass": (),
}  # fmt: skip
"""Quantity to the units that people write it in, best first; any other stays in its canonical unit."""
SMALL: Mapping[str, str] = {"diameter_m": "mm", "roughness_m": "mm"}
"""Columns that people write in another unit than the rest of their quantity."""


def write_site(site: Site, folder: Path | str) -> None:
    """Write a site: ``site.toml`` and one CSV a kind, and its catalog overlay where it was read with one.

    Everything is written beside the folder first and then moved into place file by file, so that a file is either the old one
    or the new one. Files of kinds that the site no longer has are taken away; other files of the folder stay.

    Args:
        site: the site.
        folder: where to; made where it does not exist.

    Raises:
        SiteError: the folder cannot be written.
    """
    target = Path(folder)
    files = dict(site_files(site))
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.resolve().parent) as beside:
            for name, text in files.items():
                (Path(beside) / name).write_text(text, encoding="utf-8", newline="")
            for name in files:
                (Path(beside) / name).replace(target / name)
        for stem in SITE_FILES:
            if f"{stem}.csv" not in files:
                (target / f"{stem}.csv").unlink(missing_ok=True)
        if site.folder is not None and (site.folder / "catalog").is_dir() and site.folder.resolve() != target.resolve():
            shutil.copytree(site.folder / "catalog", target / "catalog", dirs_exist_ok=True)
    except OSError as error:
        raise SiteError(f"the site cannot be written to {target}: {error.strerror or error}") from error


def site_files(site: Site) -> Iterator[tuple[str, str]]:
    """File name and text of every file of a site; kinds with no elements are left out unless every site has their file."""
    yield SETTINGS_FILE, _settings(site.settings)
    for stem, kind in SITE_FILES.items():
        table = getattr(site, stem)
        elements = list(table) if stem == "power_links" else list(table.values())
        if elements or stem in REQUIRED_FILES:
            yield f"{stem}.csv", _csv(kind, elements)


def _csv(kind: type, elements: list[Any]) -> str:
    chosen = [c for c in columns_of(kind) if c.required or any(getattr(e, c.name) != c.default for e in elements)]
    units = [_unit(c, [getattr(e, c.name) for e in elements]) for c in chosen]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_name(c, u) for c, u in zip(chosen, units, strict=True)])
    names = [(c.name, u) for c, u in zip(chosen, units, strict=True)]
    writer.writerows([[_text(getattr(e, n), u) for n, u in names] for e in elements])
    return out.getvalue()


def _name(column: Column, unit: Unit | None) -> str:
    return column.name if unit is None or unit == column.unit else f"{split(column.name)[0]}_{unit.suffix}"


def _unit(column: Column, values: Iterable[Any]) -> Unit | None:
    """The unit that people use, where every value comes back from it to the last bit; else the canonical one."""
    if column.unit is None:
        return None
    small = (SMALL[column.name],) if column.name in SMALL else PEOPLE.get(column.unit.quantity, ())
    given = {v for v in values if v is not None}
    for unit in (UNITS[s] for s in small):
        if all(to_canonical(float(_number(v, unit)), unit) == v for v in given):
            return unit
    return column.unit


def _number(value: float, unit: Unit | None) -> str:
    """Shortest text that reads back to the value through its unit, as far as one of the nearest numbers does."""
    if unit is None or (unit.factor == 1.0 and unit.offset == 0.0):
        return _short(value)
    raw = from_canonical(value, unit)
    for candidate in (float(f"{raw:.12g}"), raw, math.nextafter(raw, math.inf), math.nextafter(raw, -math.inf)):
        if to_canonical(candidate, unit) == value:
            return _short(candidate)
    return _short(raw)


def _short(value: float) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else repr(value)


def _text(value: Any, unit: Unit | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return " ".join(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    return _number(value, unit)


def _settings(settings: Settings) -> str:
    lines = []
    for column in columns_of(Settings):
        value = getattr(settings, column.name)
        if value == column.default and not column.required:
            continue
        unit = _unit(column, [value])
        text = _quoted(value) if isinstance(value, str) else _text(value, unit)
        lines.append(f"{_name(column, unit)} = {text}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string: backslash, quote and control characters escaped."""
    plain = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(plain.get(ch, ch if ch >= " " and ch != "\x7f" else f"\\u{ord(ch):04x}") for ch in text) + '"'
