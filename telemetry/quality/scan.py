"""A stretch of time looked at with every detector: pure functions of a site, a store and a chunk, so that chunks may run anywhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from telemetry.bins import Window
from telemetry.quality import clocks, frozen, reporting, values
from telemetry.quality.doubt import Doubt, Sensor, detectors_of
from telemetry.quality.series import Sensors, bounded, place, quantities, sensors
from telemetry.quality.together import BUSY, busy_by, together
from telemetry.schema import COUNTERS, SITE
from telemetry.store import Store
from topology.kinds import DRAWING
from topology.models import Sku
from topology.site import Site

CHUNK_S = 86400.0
"""Length of a chunk: a UTC day, by which the store is partitioned."""
MARGIN_S = 2.0 * 3600.0
"""Time before a chunk that is looked at again, so that a stretch which begins there keeps its begin."""
MOST_ELEMENTS = 256
"""Elements of which one quantity is held at a time."""
NAMEPLATE_MARGIN, IDLE_MARGIN = 1.1, 0.6
"""Of nameplate and of idle input: beyond them readings are outside what the hardware can draw (sheets tell idle power within some
15 %: estimate, taken twice and more)."""
HOUR_S = 3600.0
DETECTORS = detectors_of(reporting, values)
"""Tests of one bundle of readings, in order."""
FROZEN = detectors_of(frozen)
"""Tests of one bundle that count only where another meter says that the element is at work."""
TOGETHER = detectors_of(clocks)
"""Tests of all meters that follow the load, together."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of time that is looked at in one piece.

    Attributes:
        start: begin, UTC.
        end: end, excluded, UTC.
        step_s: length of a step [s].
    """

    start: dt.datetime
    end: dt.datetime
    step_s: float


@dataclass(frozen=True, slots=True)
class Looked:
    """What one chunk shows.

    Attributes:
        chunk: the chunk.
        sensor: sensors that read in it (N,).
        readings: readings of each (N,).
        interval_s: usual time between two readings of each [s] (N,).
        lost_s: time in which readings of each are lost, between its first and its last one [s] (N,).
        first: time of the first reading of each, datetime64[us], NaT for none (N,).
        last: time of the last one (N,).
        doubts: doubts about them, stretches that begin in the margin before the chunk included.
        hours: start of each hour, datetime64[us] (H,).
        coverage: share of the readings that are there, hour by hour, by (level, quantity), each (H,).
    """

    chunk: Chunk
    sensor: tuple[Sensor, ...]
    readings: np.ndarray
    interval_s: np.ndarray
    lost_s: np.ndarray
    first: np.ndarray
    last: np.ndarray
    doubts: tuple[Doubt, ...]
    hours: np.ndarray
    coverage: Mapping[tuple[str, str], np.ndarray]


def chunks(start: dt.datetime, end: dt.datetime, step_s: float, length_s: float = CHUNK_S) -> tuple[Chunk, ...]:
    """A window cut at whole days (or other lengths) of UTC.

    >>> [c.start.day for c in chunks(dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC), dt.datetime(2026, 1, 3, tzinfo=dt.UTC), 60.0)]
    [1, 2]
    """
    out = []
    at = start.astimezone(dt.UTC)
    zero = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    while at < end:
        following = zero + dt.timedelta(seconds=((at - zero).total_seconds() // length_s + 1.0) * length_s)
        out.append(Chunk(at, min(following, end.astimezone(dt.UTC)), step_s))
        at = following
    return tuple(out)


def look(site: Site, store: Store, chunk: Chunk, margin_s: float = MARGIN_S) -> Looked:
    """Every sensor of a chunk, every detector.

    Args:
        site: the site.
        store: where the readings are.
        chunk: stretch of time.
        margin_s: time before it that detectors look at as well [s].
    """
    margin = dt.timedelta(seconds=np.ceil(margin_s / chunk.step_s) * chunk.step_s)
    window = Window(chunk.start - margin, chunk.end, chunk.step_s)
    seen: list[Sensor] = []
    numbers: list[list[np.ndarray]] = []
    doubts: list[Doubt] = []
    hours = np.datetime64(chunk.start.astimezone(dt.UTC).replace(tzinfo=None), "us") + np.arange(
        0, (chunk.end - chunk.start).total_seconds(), HOUR_S
    ).astype("timedelta64[s]")
    covered: dict[tuple[str, str], list[np.ndarray]] = {}
    busy, like, still = [], None, list[Doubt]()
    for bundle in _bundles(site, store, window, chunk.start):
        seen += [bundle.sensor(i) for i in range(bundle.n)]
        numbers.append([bundle.readings, bundle.interval_s, bundle.lost_s, bundle.first, bundle.last])
        doubts += [d for check in DETECTORS for d in check.run(bundle) if d.until > chunk.start or d.since >= chunk.start]
        covered.setdefault((bundle.level, bundle.quantity), []).append(_hourly(bundle, hours))
        if bundle.quantity in BUSY:
            busy.append(busy_by(bundle))
        like = bundle
        still += [d for check in FROZEN for d in check.run(bundle) if d.until > chunk.start]
    if like is not None:
        found = together(site, busy, like)
        doubts += [d for check in TOGETHER for d in check.run(found) if d.until > chunk.start]
        doubts += [d for d in still if frozen.alive(found, d)]
        doubts = clocks.agreed(found, doubts)
    coverage = {key: _mean_rows(np.concatenate(parts, axis=1)) for key, parts in covered.items()}
    empty = [np.zeros(0, kind) for kind in ("i8", "f8", "f8", "M8[us]", "M8[us]")]
    readings, usual, lost, first, last = (np.concatenate(c) for c in zip(empty, *numbers, strict=True))
    return Looked(chunk, tuple(seen), readings, usual, lost, first, last, tuple(doubts), hours, coverage)


def _bundles(site: Site, store: Store, window: Window, since: dt.datetime) -> Iterator[Sensors]:
    """Readings of a window, one quantity and level of a part of the elements after the other."""
    low, high = power_bounds_w(site)
    for quantity in quantities(store, window.start, window.end):
        for elements in batches(site):
            for bundle in sensors(site, store, quantity, window, elements, quantity in COUNTERS, since):
                whole = quantity == "power_w" and bundle.level == "rack"
                yield bounded(bundle, low, high) if whole else bundle


def batches(site: Site, most: int = MOST_ELEMENTS) -> tuple[tuple[str, ...] | None, ...]:
    """Elements in parts that are held at a time: rows of racks whole, so that racks are compared; ``None`` for all at once."""
    if len(site.racks) <= most:
        return (None,)
    rows: dict[tuple[str, str], list[str]] = {}
    for rack in site.racks:
        rows.setdefault(place(site, rack), []).append(rack)
    out: list[list[str]] = [[]]
    for row in rows.values():
        if out[-1] and len(out[-1]) + len(row) > most:
            out.append([])
        out[-1] += row
    others = tuple(e for e in (SITE, *site.elements) if e not in site.racks)
    return (*(tuple(o) for o in out), others)


def power_bounds_w(site: Site) -> tuple[dict[str, float], dict[str, float]]:
    """Lowest and highest power that the meter of each drawing rack can believably read [W]."""
    low, high = {}, {}
    idle = {name: idle_input_w(site.model("sku", name, Sku)) for name in {r.sku for r in site.racks.values()}}
    for rack in site.racks.values():
        if rack.state in DRAWING:
            low[rack.id] = IDLE_MARGIN * idle[rack.sku]
            high[rack.id] = NAMEPLATE_MARGIN * site.model("sku", rack.sku, Sku).nameplate_w
    return low, high


def idle_input_w(sku: Sku) -> float:
    """Input of a rack with all its parts idle, losses of its conversion stages included [W].

    Each stage has ``units`` equal converters with loss ``fixed + frac P + quad P^2`` of their output P each, as
    :class:`topology.models.Stage` says.
    """
    idle_w = [(p.count * (p.max_w if p.group == "fixed" else p.idle_w), p.converted) for p in sku.parts]
    level_w = sum(w for w, converted in idle_w if converted)
    for stage in sku.stages:
        each_w = level_w / stage.units
        level_w += stage.units * (stage.fixed_w + stage.loss_frac * each_w + stage.loss_quad_per_w * each_w**2)
    return level_w + sum(w for w, converted in idle_w if not converted)


def _hourly(s: Sensors, hours: np.ndarray) -> np.ndarray:
    """Share of the expected readings of each sensor that are there, hour by hour (H, N); NaN for one that reads less often."""
    at = np.searchsorted(hours, s.time, side="right") - 1
    inside = at >= 0
    found = np.zeros((hours.size, s.n))
    np.add.at(found, at[inside], np.isfinite(s.value[inside]))
    length = np.diff(np.r_[hours, np.datetime64(s.end.astimezone(dt.UTC).replace(tzinfo=None), "us")]) / np.timedelta64(1, "s")
    expected = length[:, None] / np.maximum(s.interval_s, s.step_s)
    return np.where(expected >= 1.0, np.minimum(found / np.maximum(np.floor(expected), 1.0), 1.0), np.nan)


def _mean_rows(values: np.ndarray) -> np.ndarray:
    """Mean of each row, NaN left out; NaN where there is nothing."""
    good = np.isfinite(values)
    count = good.sum(axis=1)
    return np.asarray(np.where(count > 0, np.where(good, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan))
