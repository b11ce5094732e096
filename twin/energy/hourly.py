"""Hourly series that a year is priced with: cost or carbon of energy, one value, or a CSV file over the hours of a year."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path

import numpy as np

from topology.axes import Floats
from topology.errors import Finding, UsageError, WeatherError, nearest
from topology.units import QUANTITIES, split, to_canonical
from twin.energy.weather_year import Times

MOST_FINDINGS = 20


def constant_or_file(text: str, quantity: str, suffix: str, time: Times, option: str) -> Floats:
    """A series on the hours of a year from what a user wrote: a number, or the name of a CSV file.

    Args:
        text: a number in the unit ``suffix``, or a path.
        quantity: name of the quantity in :mod:`topology.units`.
        suffix: unit of a plain number.
        time: (T,) hours, UTC.
        option: command line option, for messages.

    Returns:
        (T,) canonical values.

    Raises:
        UsageError: a negative number, or neither a number nor a file.
        WeatherError: a file that cannot be used, with its rows.
    """
    try:
        value = float(text)
    except ValueError:
        if not Path(text).is_file():
            raise UsageError(f"{option} {text} is neither a number ({suffix.replace('_', '/')}) nor a file") from None
        return read_hourly(Path(text), quantity, time)
    if not (np.isfinite(value) and value >= 0.0):
        raise UsageError(f"{option} {text} is not a number of at least 0")
    unit = next(u for u in QUANTITIES[quantity].units if u.suffix == suffix)
    return np.full(time.size, float(to_canonical(value, unit)))


def read_hourly(path: Path, quantity: str, time: Times) -> Floats:
    """A CSV file with the columns ``time`` (with a zone) and one of the quantity, such as ``carbon_g_kwh``; an hour holds a year long.

    Month, day and hour (UTC) count, the year does not, so that last year's prices meet a typical year's weather. Of several rows
    in an hour the mean is taken.

    Args:
        path: the file.
        quantity: name of the quantity in :mod:`topology.units`.
        time: (T,) hours, UTC.

    Returns:
        (T,) canonical values.

    Raises:
        WeatherError: columns, times or numbers that cannot be read, or hours that the file lacks.
    """
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    head = [c.strip() for c in rows[0]] if rows else []
    column = next((k for k, c in enumerate(head) if (u := split(c)[1]) is not None and u.quantity == quantity), -1)
    if "time" not in head or column < 0:
        units = ", ".join(u.suffix for u in QUANTITIES[quantity].units)
        hint = f"columns are time and one that ends in {units}; {nearest('time', head)}"
        raise WeatherError(f"{path} cannot be used", [Finding("a column is missing", hint, file=str(path), row=1, value=",".join(head))])
    unit = split(head[column])[1]
    assert unit is not None
    keys, values, faults = [], [], []
    for line, cells in enumerate(rows[1:], 2):
        if not any(cells):
            continue
        found = _row(cells, head.index("time"), column)
        if isinstance(found, str):
            faults.append(
                Finding(found, "times need a zone, values are numbers of at least 0", file=str(path), row=line, value=",".join(cells))
            )
            continue
        keys.append(found[0])
        values.append(found[1])
    if faults:
        raise WeatherError(f"{path} cannot be used: {len(faults)} faults", faults[:MOST_FINDINGS])
    return _on(time, keys, to_canonical(np.array(values), unit), path)


def _row(cells: list[str], at: int, column: int) -> tuple[int, float] | str:
    if len(cells) <= max(at, column):
        return "the row is too short"
    try:
        time, value = dt.datetime.fromisoformat(cells[at].strip()), float(cells[column])
    except ValueError as error:
        return str(error)
    if time.tzinfo is None:
        return f"{cells[at]} has no zone"
    if not (np.isfinite(value) and value >= 0.0):
        return f"{cells[column]} is not a number of at least 0"
    utc = time.astimezone(dt.UTC)
    return (utc.month * 32 + utc.day) * 24 + utc.hour, value


def _on(time: Times, keys: list[int], values: Floats, path: Path) -> Floats:
    days = time.astype("datetime64[D]")
    month = days.astype("datetime64[M]")
    number = month.astype(np.int64) % 12 + 1
    day = (days - month.astype("datetime64[D]")).astype(np.int64) + 1
    wanted = (number * 32 + day) * 24 + (time - days).astype("timedelta64[h]").astype(np.int64)
    have, own = np.unique(np.array(keys, dtype=np.int64), return_inverse=True)
    mean = np.bincount(own, values) / np.bincount(own) if have.size else np.zeros(0)
    place = np.minimum(np.searchsorted(have, wanted), max(have.size - 1, 0))
    lacking = have[place] != wanted if have.size else np.ones(time.size, bool)
    if lacking.any():
        first = np.datetime_as_string(time[int(np.argmax(lacking))], unit="h")
        message = f"{path} lacks {int(lacking.sum())} of {time.size} hours, the first is {first} UTC"
        raise WeatherError(message, [Finding("hours are missing", "give every hour of the year in UTC or with its offset", file=str(path))])
    found: Floats = mean[place]
    return found
