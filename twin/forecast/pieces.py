"""A window of telemetry solved piece by piece, from any time on, in memory that does not grow with the window.

Every piece has the bits that :func:`twin.forecast.follow.follow` gives the same steps: stretches are read where it reads them, a gap
takes the last value before it also across stretches, and no solve depends on its neighbours.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from telemetry.bins import Window
from telemetry.dense import window
from telemetry.rackpower import RackPower, rack_power
from telemetry.replay import choose_levels, spans, step_of
from telemetry.store import Store
from topology.axes import Bools, Floats
from topology.plant import Plant
from twin.forecast.follow import READ_STEPS, chunk_steps, filled, unmeasured
from twin.loads import from_power
from twin.solvers.steady import solve_steady
from twin.state import Ambient, SteadyState

Read = Callable[[int], RackPower]


@dataclass(frozen=True)
class Piece:
    """Some steps of a window, solved.

    Attributes:
        window: the whole window.
        first: number of its first step in the window.
        time: (T,) start of each step, UTC.
        power: rack power of the stretch that it was read in, gaps as they are.
        rows: its steps in that stretch.
        load_w: (T, R) power that was solved with.
        assumed: (T, R) drawing racks whose power was not measured in that step.
        wet_bulb_c: (T,) weather, the site's design value where it was not measured.
        state: the solved steps.
    """

    window: Window
    first: int
    time: np.ndarray
    power: RackPower
    rows: slice
    load_w: Floats
    assumed: Bools
    wet_bulb_c: Floats
    state: SteadyState

    @property
    def last(self) -> int:
        """Number of the step after its last one."""
        return self.first + self.time.size


def pieces(
    plant: Plant, store: Store, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = 60.0, *,
    seek: dt.datetime | None = None, stop: int | None = None,
) -> Iterator[Piece]:  # fmt: skip
    """Solve a window piece by piece.

    Args:
        plant: the plant.
        store: where the readings are.
        start: first time, with a zone; the first in the store where not given.
        end: last time, excluded; the last in the store, included, where not given.
        step_s: length of a step.
        seek: begin at the step that holds this time; what fills a gap may lie before it.
        stop: number of the step that is the first not to be solved; the window stays what it is.

    Yields:
        Pieces in order of time, of :func:`twin.forecast.follow.chunk_steps` steps each, fewer at the end of what is read at a time.

    Raises:
        TelemetryError: the store is empty, or the window holds no power of any rack.
        UsageError: a window, step or seek that is not possible.
    """
    whole = window(store, start, end, step_s)
    first = step_of(whole, seek) if seek is not None else 0
    last = whole.steps if stop is None else min(stop, whole.steps)
    read = _reader(plant, store, whole)
    size, design = chunk_steps(plant.racks.n), plant.site.settings.design_wet_bulb_c
    stretch = first // READ_STEPS
    before = _before(read, whole, stretch, _may_show(plant, store, whole))
    if not np.isfinite(before).any():
        raise unmeasured(store, whole)
    for k in range(stretch, -(-last // READ_STEPS)):
        power = read(k)
        load, assumed = filled(plant, np.concatenate([before[None, :], power.power_w]))
        load, assumed = load[1:], assumed[1:]
        before = np.where(np.isfinite(before), load[-1], np.nan)
        wet = np.where(np.isfinite(power.wet_bulb_c), power.wet_bulb_c, design)
        base = k * READ_STEPS
        for a, b in cuts(max(first, base), min(last, base + load.shape[0]), size):
            rows = slice(a - base, b - base)
            state = solve_steady(plant, from_power(plant, load[rows]), Ambient(wet[rows]))
            yield Piece(whole, a, power.time[rows], power, rows, load[rows], assumed[rows], wet[rows], state)


def cuts(first: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """Steps of a window in the pieces that they are solved in: cut every ``size`` steps of a stretch, wherever one begins.

    >>> list(cuts(1000, 1500, 512))
    [(1000, 1024), (1024, 1440), (1440, 1500)]
    """
    while first < stop:
        base = first // READ_STEPS * READ_STEPS
        end = min(base + ((first - base) // size + 1) * size, base + READ_STEPS, stop)
        yield first, end
        first = end


def _reader(plant: Plant, store: Store, whole: Window) -> Read:
    """Rack power of a stretch by its number; the last one read is kept."""
    levels = choose_levels(plant.site, store, whole)
    places = list(spans(whole, READ_STEPS))
    kept: dict[int, RackPower] = {}

    def read(k: int) -> RackPower:
        if k not in kept:
            found = rack_power(plant.site, store, *places[k], whole.step_s, levels)
            kept.clear()
            kept[k] = found
        return kept[k]

    return read


def _may_show(plant: Plant, store: Store, whole: Window) -> Bools:
    """(R,) racks that may have a power somewhere in a window: those that draw, and others that the store says something of."""
    still = [r for r, draws in zip(plant.racks.ids, plant.racks.drawing, strict=True) if not draws]
    told: set[str] = set()
    if still:
        for batch in store.scan(still, ["power_w", "energy_j"], whole.start, whole.end, ["element"]):
            told.update(batch.column("element").unique().to_pylist())
    return np.asarray([draws or r in told for r, draws in zip(plant.racks.ids, plant.racks.drawing, strict=True)])


def _before(read: Read, whole: Window, stretch: int, may: Bools) -> Floats:
    """(R,) power that a gap at the begin of a stretch takes: the last one before it, else the first in the window, else NaN.

    Looks only as far as it must: back until each rack has one, then through the window from its begin.
    """
    found = np.full(may.size, np.nan)
    for k in range(stretch - 1, -1, -1):
        found = np.where(np.isfinite(found), found, _end(read(k).power_w[::-1]))
        if np.isfinite(found[may]).all():
            return found
    for k in range(stretch, -(-whole.steps // READ_STEPS)):
        if np.isfinite(found[may]).all():
            break
        found = np.where(np.isfinite(found), found, _end(read(k).power_w))
    return found


def _end(power_w: Floats) -> Floats:
    """(R,) first finite value of each column, NaN where there is none."""
    return np.asarray(power_w[np.isfinite(power_w).argmax(axis=0), np.arange(power_w.shape[1])])
