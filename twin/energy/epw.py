"""EPW weather files (EnergyPlus Auxiliary Programs, "EnergyPlus Weather File (EPW) Data Dictionary").

Eight header lines, then one row an hour in local standard time: hour 1 is the first hour of the day. The zone is in the first
line. Values that are missing (99.9, 999 and 999999, by field) or out of the dictionary's range make an hour unusable: it is left
out, counted, and named with its rows.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.errors import Finding, WeatherError
from twin.energy.psychrometrics import humidity_of_dew_point_frac, wet_bulb_c
from twin.energy.weather_year import WeatherYear
from twin.weather import standard_pressure_pa

HEADER = 8
COLUMNS = (("year", 0), ("month", 1), ("day", 2), ("hour", 3), ("minute", 4), ("dry bulb", 6), ("dew point", 7), ("relative humidity", 8),
           ("pressure", 9))  # fmt: skip
"""Fields that are read, and where they stand in a row."""
VALID = {"dry bulb": (-70.0, 70.0), "dew point": (-70.0, 70.0), "relative humidity": (0.0, 110.0), "pressure": (31e3, 120e3)}
"""Ranges of the dictionary; the codes for missing values lie outside of them."""
MOST_FINDINGS = 20
LEAP, PLAIN = 2024, 2023
"""Nominal years of a file whose months come from different years."""


@dataclass(frozen=True)
class _Rows:
    """Fields of the data rows (T), and the line of each in the file."""

    line: Ints
    fields: dict[str, Floats]


def read_epw(path: Path | str) -> WeatherYear:
    """Read a weather file.

    Args:
        path: an EPW file.

    Returns:
        The usable hours, with findings for the others.

    Raises:
        WeatherError: not an EPW file, or rows that cannot be read; carries every finding with file, row and value.
    """
    where = Path(path)
    try:
        raw = where.read_bytes()
    except OSError as error:
        raise WeatherError(f"{where} cannot be read: {error.strerror or error}; give an EPW file with --weather") from error
    lines = raw.decode("utf-8", "replace").splitlines()
    place, zone_h, altitude_m, per_hour = _header(lines, where)
    rows = _rows(lines, where)
    used, findings = _usable(rows, where)
    if not used.any():
        raise WeatherError(f"{where} has no hour with usable weather", findings)
    return _year(where, place, zone_h, altitude_m, per_hour, rows, used, findings)


def _fault(where: Path, row: int, column: str, message: str, value: str = "", hint: str = "") -> Finding:
    return Finding(message, hint, file=str(where), row=row, column=column, value=value)


def _header(lines: Sequence[str], where: Path) -> tuple[str, float, float, int]:
    """Place, zone, altitude and rows an hour."""
    if len(lines) <= HEADER or not lines[0].upper().startswith("LOCATION,") or not lines[HEADER - 1].upper().startswith("DATA PERIODS,"):
        hint = "an EPW file begins with LOCATION, and its eighth line with DATA PERIODS"
        raise WeatherError(
            f"{where} is no EPW file", [_fault(where, 1, "", "the header is not that of an EPW file", lines[0][:60] if lines else "", hint)]
        )
    location = [x.strip() for x in lines[0].split(",")]
    periods = [x.strip() for x in lines[HEADER - 1].split(",")]
    found, faults = [], []
    wanted = (
        (location, 8, 1, "time zone", -12.0, 14.0),
        (location, 9, 1, "elevation", -500.0, 9000.0),
        (periods, 2, HEADER, "records an hour", 1.0, 60.0),
    )
    for cells, k, row, name, low, high in wanted:
        text = cells[k] if k < len(cells) else ""
        value = _number(text)
        if not low <= value <= high:
            faults.append(_fault(where, row, name, f"{name} {text!r} is no number from {low:g} to {high:g}", text, "mend the header line"))
        found.append(value)
    if faults:
        raise WeatherError(f"the header of {where} cannot be used", faults)
    place = ", ".join(x for x in location[1:4] if x and x != "-")
    return place, found[0], found[1], int(found[2])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _rows(lines: Sequence[str], where: Path) -> _Rows:
    """Every data row as numbers.

    Raises:
        WeatherError: rows that are too short, that hold text, or whose times make no sense or stand twice.
    """
    faults, table, numbers = [], [], []
    for line, cells in enumerate(csv.reader(io.StringIO("\n".join(lines[HEADER:]))), HEADER + 1):
        if not cells or cells == [""]:
            continue
        if len(cells) <= COLUMNS[-1][1]:
            faults.append(_fault(where, line, "", f"the row has {len(cells)} fields", ",".join(cells)[:40], "a row has 35, ten are needed"))
            continue
        row = [_number(cells[k]) for _, k in COLUMNS]
        for (name, k), value in zip(COLUMNS, row, strict=True):
            if np.isnan(value):
                faults.append(
                    _fault(where, line, name, f"{name} {cells[k]!r} is no number", cells[k], "write a number, or the code for missing")
                )
        table.append(row)
        numbers.append(line)
    values = np.array(table, dtype=np.float64).reshape(-1, len(COLUMNS))
    rows = _Rows(np.array(numbers, dtype=np.int64), {name: values[:, n] for n, (name, _) in enumerate(COLUMNS)})
    faults += _clock(rows, where) if not faults else []
    if faults or not numbers:
        raise WeatherError(
            f"{where} cannot be used: {len(faults)} faults" if faults else f"{where} has no data rows", faults[:MOST_FINDINGS]
        )
    return rows


def _clock(rows: _Rows, where: Path) -> list[Finding]:
    """Rows whose month, day or hour do not exist, or that stand twice."""
    f = rows.fields
    month, day, hour = (f[n] for n in ("month", "day", "hour"))
    length = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    known = (month >= 1) & (month <= 12) & (month % 1 == 0)
    inside = known & (day >= 1) & (day <= length[np.where(known, month, 0).astype(int)]) & (hour >= 1) & (hour <= 24)
    written = [f"{m:g}-{d:g} hour {h:g}" for m, d, h in zip(month, day, hour, strict=True)] if not inside.all() else []
    faults = [
        _fault(where, int(rows.line[n]), "hour", f"there is no {written[n]}", written[n], "hours run from 1 to 24")
        for n in np.flatnonzero(~inside)
    ]
    if faults:
        return faults
    stamp = ((month * 32 + day) * 25 + hour) * 61 + f["minute"]
    _, first, count = np.unique(stamp, return_index=True, return_counts=True)
    twice = set(range(stamp.size)) - set(first.tolist()) if (count > 1).any() else set()
    return [
        _fault(where, int(rows.line[n]), "hour", "this hour stands twice in the file", "", "remove one of the rows") for n in sorted(twice)
    ]


def _usable(rows: _Rows, where: Path) -> tuple[Bools, list[Finding]]:
    """Hours with a dry bulb and a humidity, and what is wrong with the others; a missing pressure is no reason."""
    good = {name: (rows.fields[name] >= low) & (rows.fields[name] <= high) for name, (low, high) in VALID.items()}
    humid = good["relative humidity"] | good["dew point"]
    findings = []
    for name, bad in (("dry bulb", ~good["dry bulb"]), ("relative humidity", good["dry bulb"] & ~humid)):
        hint = "the hours are left out of every sum"
        findings += [_run(rows, where, name, a, b, f"{name} is missing or out of range", hint) for a, b in _runs(bad)]
    lost = _runs(~good["pressure"])
    findings += [
        _run(rows, where, "pressure", a, b, "pressure is missing or out of range", "that of the standard atmosphere is taken")
        for a, b in lost
    ]
    shown = findings[:MOST_FINDINGS]
    if len(findings) > len(shown):
        shown.append(Finding(f"{len(findings) - len(shown)} further gaps", file=str(where), severity="warning"))
    return good["dry bulb"] & humid, shown


def _runs(bad: Bools) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _run(rows: _Rows, where: Path, name: str, a: int, b: int, message: str, hint: str) -> Finding:
    last = f" to row {rows.line[b - 1]}" if b - a > 1 else ""
    value = f"{rows.fields[name][a]:g}"
    return Finding(f"{message}{last}, {b - a} hours" if last else message, hint, str(where), int(rows.line[a]), name, "", value, "warning")


def _year(
    where: Path, place: str, zone_h: float, altitude_m: float, per_hour: int, rows: _Rows, used: Bools, findings: list[Finding]
) -> WeatherYear:
    f = {name: values[used] for name, values in rows.fields.items()}
    leap = bool(((f["month"] == 2) & (f["day"] == 29)).any())
    years = Counter(rows.fields["year"].astype(int).tolist())
    year = next(iter(years)) if len(years) == 1 else LEAP if leap else PLAIN
    year = LEAP if leap and not _is_leap(year) else year
    step_s = 3600.0 / per_hour
    begin = np.array(
        [np.datetime64(f"{year:04d}-{int(m):02d}-{int(d):02d}") for m, d in zip(f["month"], f["day"], strict=True)], dtype="datetime64[s]"
    )
    minute = np.where(per_hour == 1, 0.0, np.where(f["minute"] > 0.0, f["minute"] - 60.0 / per_hour, 0.0))
    local = (f["hour"] - 1.0) * 3600.0 + minute * 60.0
    time = begin + (local - zone_h * 3600.0).astype("timedelta64[s]")
    dry = f["dry bulb"]
    low, high = VALID["relative humidity"]
    given = (f["relative humidity"] >= low) & (f["relative humidity"] <= high)
    humidity = np.where(
        given, np.minimum(f["relative humidity"], 100.0) / 100.0, humidity_of_dew_point_frac(dry, np.where(given, dry, f["dew point"]))
    )
    low, high = VALID["pressure"]
    pressure = np.where((f["pressure"] >= low) & (f["pressure"] <= high), f["pressure"], standard_pressure_pa(altitude_m))
    order = np.argsort(time, kind="stable")
    return WeatherYear(
        place, where.name, False, zone_h, step_s, time[order], f["month"].astype(np.int64)[order], dry[order],
        wet_bulb_c(dry, humidity, pressure)[order], pressure[order], int((~used).sum()), tuple(findings),
    )  # fmt: skip


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
