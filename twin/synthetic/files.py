"""Every file of a synthetic plant's telemetry: weeks at a quarter hour, then two days of each vendor minute by minute."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from topology.errors import UsageError
from topology.overlay import write_overlay
from topology.plant import Plant
from twin.synthetic import shapes
from twin.synthetic.days import held, times, utilisation, wet_bulb_c, within
from twin.synthetic.faults import UTILISATION, Fault, Readings
from twin.synthetic.observe import World, last_of, read, shown
from twin.synthetic.secret import hidden

HISTORY_DAYS, DETAIL_DAYS = 28, 2
HISTORY_STEP_S, DETAIL_STEP_S, DEVICE_STEP_S, CIRCUIT_STEP_S = 900.0, 60.0, 600.0, 300.0
WEEK = 7

Write = Callable[[Path], int]


@dataclass(frozen=True)
class Plan:
    """One file that will be written: name, and the function that writes it and returns its rows."""

    name: str
    write: Write


def plans(
    plant: Plant, end: dt.datetime, seed: int = 0, days: int = HISTORY_DAYS + DETAIL_DAYS, faults: Sequence[Fault] = (), dirty: bool = True
) -> Iterator[Plan]:  # fmt: skip
    """Every file of the synthetic telemetry, in order.

    Args:
        plant: the plant.
        end: first moment after the telemetry, with a zone; whole days before it are written.
        seed: seed of everything random.
        days: days of telemetry; the last two are minute by minute.
        faults: what is planted.
        dirty: rows that no meter can have read are mixed in, as real files have them.

    Yields:
        Weekly files of quarter hours (rack power, output of shelves, utilisation, CDUs, weather), then for each of the last two days one
        file a vendor.

    Raises:
        UsageError: no days, or a fault that its element cannot have.
    """
    if days < 1:
        raise UsageError(f"{days} days are no telemetry; give 1 or more")
    world = World.of(plant, hidden(plant, seed), seed, faults)
    detail = min(days, DETAIL_DAYS)
    start = end - dt.timedelta(days=days)
    a_day = int(86400 / HISTORY_STEP_S)
    long = times(start, days * a_day, HISTORY_STEP_S)
    u, wet = utilisation(plant, long, seed), wet_bulb_c(long, seed)
    before: Readings = {}
    for week, first in enumerate(range(0, (days - detail) * a_day, WEEK * a_day)):
        own = slice(first, min(first + WEEK * a_day, (days - detail) * a_day))
        readings = read(world, long[own], shown(world, long[own], u[own], wet[own]), before)
        before = last_of(readings)
        yield from _week(shapes.Sheet(world, long[own], readings, f"week-{week + 1}", False))
    for day in range(detail):
        time = times(end - dt.timedelta(days=detail - day), int(86400 / DETAIL_STEP_S), DETAIL_STEP_S)
        exact = shown(world, time, within(plant, long, u, time, seed), held(long, wet, time))
        readings = read(world, time, exact, before)
        before = last_of(readings)
        yield from _day(shapes.Sheet(world, time, readings, f"day-{day + 1}", dirty))
        if days > detail:
            yield from _logged(world, time, exact, f"day-{day + 1}")


def _week(sheet: shapes.Sheet) -> Iterator[Plan]:
    racks, shelf = np.flatnonzero(sheet.world.plant.racks.drawing), shapes.shelf_racks(sheet.world)
    name = f"{sheet.name}.parquet"
    yield Plan(f"rack-power-{name}", partial(shapes.rack_power, sheet, racks))
    if shelf.size:
        yield Plan(f"shelf-output-{name}", partial(shapes.shelf_output, sheet, shelf))
    yield Plan(f"utilisation-{name}", partial(shapes.long_table, sheet, (UTILISATION,), 1))
    if sheet.world.plant.cdus.n:
        yield Plan(f"redfish-cdu-{name}", partial(shapes.cdus, sheet, 1))
    yield Plan(f"weather-{name}", partial(shapes.weather, sheet))


def _day(sheet: shapes.Sheet) -> Iterator[Plan]:
    plant, shelf = sheet.world.plant, shapes.shelf_racks(sheet.world)
    drawing = np.flatnonzero(plant.racks.drawing)
    mtia = np.array([plant.racks.skus[plant.racks.sku[r]].name.startswith("mtia") for r in drawing], np.bool_)
    every, slow = int(DEVICE_STEP_S / DETAIL_STEP_S), int(CIRCUIT_STEP_S / DETAIL_STEP_S)
    name, plain = f"{sheet.name}.parquet", np.setdiff1d(drawing, shelf)
    if shelf.size:
        yield Plan(f"openbmc-psu-{name}", partial(shapes.supplies, sheet, shelf))
    if plain.size:
        yield Plan(f"rack-power-{name}", partial(shapes.rack_power, sheet, plain))
    for vendor, own, columns in (("dcgm", drawing[~mtia], shapes.DCGM), ("mtia", drawing[mtia], shapes.MTIA)):
        if own.size:
            yield Plan(f"{vendor}-{name}", partial(shapes.devices, sheet, own, every, columns))
    yield Plan(f"utilisation-{name}", partial(shapes.long_table, sheet, (UTILISATION,), 1))
    if plant.cdus.n:
        yield Plan(f"redfish-cdu-{name}", partial(shapes.cdus, sheet, slow))
    yield Plan(f"redfish-pdu-{name}", partial(shapes.circuits, sheet, slow))
    yield Plan(f"facility-{name}", partial(shapes.long_table, sheet, shapes.FACILITY, slow))
    yield Plan(f"weather-{name}", partial(shapes.weather, sheet))


def _logged(world: World, time: np.ndarray, exact: Readings, name: str) -> Iterator[Plan]:
    """Quarter-hour means of power shelves, which go on while their supplies are read minute by minute."""
    shelf, each = shapes.shelf_racks(world), int(HISTORY_STEP_S / DETAIL_STEP_S)
    if not shelf.size:
        return
    means = {k: v.reshape(-1, each, v.shape[1]).mean(axis=1) for k, v in exact.items()}
    sheet = shapes.Sheet(world, time[::each], read(world, time[::each], means), name, False)
    yield Plan(f"shelf-input-{name}.parquet", partial(shapes.rack_power, sheet, shelf))
    yield Plan(f"shelf-output-{name}.parquet", partial(shapes.shelf_output, sheet, shelf))


def write_truth(plant: Plant, seed: int, faults: Sequence[Fault], path: Path) -> Path:
    """Write what nobody who looks at the telemetry knows: hidden constants as a calibration file, and faults beside it.

    Args:
        plant: the plant.
        seed: seed of the telemetry.
        faults: what was planted.
        path: file of the constants.

    Returns:
        The file of the faults, ``faults.csv`` beside it.

    Raises:
        SiteError: it cannot be written.
    """
    write_overlay(hidden(plant, seed), path)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("kind", "element", "since", "size", "what"))
    writer.writerows((f.kind, f.element, f"{np.datetime_as_string(f.since, unit='s')}Z", f"{f.size:g}", f.doc) for f in faults)
    beside = path.with_name("faults.csv")
    beside.write_text(out.getvalue(), encoding="utf-8", newline="")
    return beside
