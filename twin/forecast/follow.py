"""The twin driven by telemetry: a window of measured rack power solved step by step, with its losses, temperatures and margins."""

from __future__ import annotations

import datetime as dt
import time as clock
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from telemetry.bins import Window
from telemetry.dense import window
from telemetry.rackpower import RackPower, rack_power
from telemetry.replay import choose_levels, spans
from telemetry.series import weakest
from telemetry.store import Store
from topology.axes import Bools, Floats, Ints
from topology.errors import Finding, TelemetryError
from topology.plant import Plant
from twin.forecast.gaps import held
from twin.headroom.cases import Progress
from twin.limits import Limits, limits
from twin.loads import from_power, from_utilisation
from twin.scale import workers
from twin.solvers.steady import solve_steady
from twin.solvers.threads import side_by_side
from twin.state import Ambient, SteadyState

CHUNK_STEPS = (64, 512)
"""Fewest and most steps solved at a time; bounds memory, does not change results."""
CHUNK_VALUES = 1 << 16
"""Steps times racks solved at a time within that: arrays of half a MB, which stay in
the cache and in the allocator."""
CHUNK_SOLVES = 4
"""Such stretches that a worker solves at a time: a few tenths of a second."""
READ_STEPS = 1440
"""Steps that are read at a time."""


def chunk_steps(racks: int) -> int:
    """Steps of a plant with so many racks that are solved at a time.

    >>> chunk_steps(74), chunk_steps(882), chunk_steps(100_000)
    (512, 74, 64)
    """
    low, high = CHUNK_STEPS
    return min(max(CHUNK_VALUES // max(racks, 1), low), high)


@dataclass(frozen=True)
class Replay:
    """A window of the past as the twin sees it (T steps).

    Attributes:
        time: (T,) start of each step, UTC.
        step_s: length of a step.
        rack_w: (T, R) power that was solved with.
        assumed: (T, R) drawing racks whose power was not measured in that step.
        wet_bulb_c: (T,) weather, the site's design value where it was not measured.
        site_w: (T,) drawn from all sources.
        it_w: (T,) parts of racks.
        loss_w: (T,) every conversion.
        cooling_w: (T,) pumps, fans, chillers, controls.
        feed_w: (T,) IT, conversion and CDUs.
        residual_frac: (T,) ledger.
        loop_supply_c: (T, L) supply of each loop.
        loop_return_c: (T, L) return of each loop.
        hottest: (T,) rack with the hottest accelerator, index on the rack axis.
        hottest_c: (T,) its temperature.
        worst: (T,) limit with the smallest margin, index into ``limits``.
        worst_frac: (T,) that margin.
        lowest_frac: (K,) smallest margin of each limit over the window.
        lowest_at: (K,) step at which it occurred.
        limits: the limits.
        findings: doubts about telemetry.
        solve_s: time that solving took.
        power: rack power as telemetry tells it, with its origin and uncertainty.
    """

    time: np.ndarray
    step_s: float
    rack_w: Floats
    assumed: Bools
    wet_bulb_c: Floats
    site_w: Floats
    it_w: Floats
    loss_w: Floats
    cooling_w: Floats
    feed_w: Floats
    residual_frac: Floats
    loop_supply_c: Floats
    loop_return_c: Floats
    hottest: Ints
    hottest_c: Floats
    worst: Ints
    worst_frac: Floats
    lowest_frac: Floats
    lowest_at: Ints
    limits: Limits
    findings: tuple[Finding, ...]
    solve_s: float
    power: RackPower

    @property
    def frames(self) -> int:
        """Number of steps."""
        return int(self.time.size)

    @property
    def rack_samples(self) -> int:
        """Rack powers solved."""
        return int(self.rack_w.size)

    @property
    def pue(self) -> Floats:
        """(T,) site over IT power, IT metered at the parts (see :attr:`twin.state.Ledger.pue`); infinite without IT load."""
        return np.divide(self.site_w, self.it_w, out=np.full_like(self.site_w, np.inf), where=self.it_w > 0.0)


@dataclass(frozen=True)
class _Work:
    """What every chunk of a window needs.

    Attributes:
        plant: the plant.
        store: where the readings are.
        step_s: length of a step.
        levels: level that each element is read at, the same over the whole window.
    """

    plant: Plant
    store: Store
    step_s: float
    levels: Mapping[str, str]

    @cached_property
    def table(self) -> Limits:
        """Limits of the plant."""
        return limits(self.plant)

    def __reduce__(self) -> tuple[type[_Work], tuple[object, ...]]:
        return _Work, (self.plant, self.store, self.step_s, self.levels)


def _read(work: _Work, span: tuple[dt.datetime, dt.datetime]) -> RackPower:
    """Rack power of one stretch of time, gaps as they are."""
    return rack_power(work.plant.site, work.store, *span, work.step_s, work.levels)


def _solve(work: _Work, chunk: tuple[Floats, Floats]) -> tuple[list[Floats], ...]:
    """Summaries of one stretch of time; gaps are filled, for what fills one may lie in another stretch.

    Args:
        work: what every chunk needs.
        chunk: (T, R) rack power and (T,) wet bulb.
    """
    load, wet = chunk
    size, table = chunk_steps(work.plant.racks.n), work.table

    def one(a: int) -> tuple[list[Floats], ...]:
        state = solve_steady(work.plant, from_power(work.plant, load[a : a + size]), Ambient(wet[a : a + size]))
        return summarised(work.plant, table, state)

    return stacked(side_by_side(one, range(0, wet.size, size)))


def follow(
    plant: Plant, store: Store, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = 60.0,
    progress: Progress | None = None, engine: str = "serial",
) -> Replay:  # fmt: skip
    """Drive the twin through a window of telemetry.

    Readings and solves go to the workers of an engine in stretches of time. Which meters are read, and what fills a gap, is settled
    for the whole window; so the result is the same to the last bit on every engine.

    Args:
        plant: the plant.
        store: where the readings are.
        start: first time, with a zone; the first in the store where not given.
        end: last time, excluded; the last in the store where not given.
        step_s: length of a step.
        progress: told how many steps are solved.
        engine: where it is worked out, see :func:`twin.scale.workers`.

    Returns:
        The solved window. Measured power is the load as it is; samples outside what a SKU allows are findings.

    Raises:
        TelemetryError: the store is empty or the window holds no power of any rack.
        UsageError: a window, step or engine that is not possible.
        ScaleError: the engine cannot be used, or lost its workers.
    """
    store = store.pinned()
    whole = window(store, start, end, step_s)
    work = _Work(plant, store, step_s, choose_levels(plant.site, store, whole))
    with workers(engine, work) as crew:
        power = joined(crew.map(_read, list(spans(whole, READ_STEPS))))
        if not power.known.any():
            raise unmeasured(store, whole)
        load, assumed = filled(plant, power.power_w)
        wet = np.where(np.isfinite(power.wet_bulb_c), power.wet_bulb_c, plant.site.settings.design_wet_bulb_c)
        size, steps = CHUNK_SOLVES * chunk_steps(plant.racks.n), power.time.size
        told = (lambda done, of: progress(min(done * size, steps), steps)) if progress else None
        began = clock.perf_counter()
        rows = crew.map(_solve, [(load[a : a + size], wet[a : a + size]) for a in range(0, steps, size)], told)
        solve_s = clock.perf_counter() - began
    return assembled(plant, work.table, power, (load, assumed, wet), stacked(rows), solve_s)


def unmeasured(store: Store, whole: Window) -> TelemetryError:
    """What to raise where a window holds no power of any rack."""
    found = store.span()
    holds = f"from {found[0].isoformat()} to {found[1].isoformat()}" if found else "nothing"
    text = f"no power of any rack was measured from {whole.start.isoformat()} to {whole.end.isoformat()}; the store holds {holds}"
    return TelemetryError(text)


def assembled(
    plant: Plant, table: Limits, power: RackPower, driven: tuple[Floats, Bools, Floats], summary: tuple[list[Floats], ...], solve_s: float
) -> Replay:  # fmt: skip
    """A replay from the summaries of its steps.

    Args:
        plant: the plant.
        table: its limits.
        power: rack power of the window as telemetry tells it.
        driven: load, where it was assumed, and wet bulb, as in :class:`Replay`.
        summary: what :func:`summarised` gives, of all steps.
        solve_s: time that solving took.
    """
    load, assumed, wet = driven
    led, series, margins = summary
    findings = (*power.findings, *outside(plant, power), *_assumed(plant, assumed))
    return Replay(
        time=power.time, step_s=power.step_s, rack_w=load, assumed=assumed, wet_bulb_c=wet, site_w=led[0], it_w=led[1], loss_w=led[2],
        cooling_w=led[3], feed_w=led[4], residual_frac=led[5], loop_supply_c=series[0], loop_return_c=series[1],
        hottest=led[6].astype(np.int64), hottest_c=led[7], worst=led[8].astype(np.int64), worst_frac=led[9],
        lowest_frac=margins[0].min(axis=0), lowest_at=margins[0].argmin(axis=0), limits=table, findings=findings, solve_s=solve_s,
        power=power,
    )  # fmt: skip


def stacked(chunks: Sequence[tuple[list[Floats], ...]]) -> tuple[list[Floats], ...]:
    """Summaries of several stretches as one."""
    return tuple([np.concatenate(parts) for parts in zip(*group, strict=True)] for group in zip(*chunks, strict=True))


def joined(parts: Iterable[RackPower]) -> RackPower:
    """Chunks of one window as one."""
    rows = list(parts)
    basis = tuple(max(column, key=len) for column in zip(*(r.basis for r in rows), strict=True)) if rows[0].basis else ()
    findings = tuple({(f.element, f.message.split(" in ")[0]): f for r in rows for f in r.findings}.values())
    power = np.concatenate([r.power_w for r in rows])
    return RackPower(
        np.concatenate([r.time for r in rows]), rows[0].racks, power, np.isfinite(power), basis,
        tuple(n for n, b in zip(rows[0].racks, basis, strict=True) if not b), np.concatenate([r.wet_bulb_c for r in rows]), findings,
        rows[0].step_s, tuple(map(weakest, zip(*(r.origin for r in rows), strict=True))), np.concatenate([r.sigma_w for r in rows]),
    )  # fmt: skip


def filled(plant: Plant, power_w: Floats) -> tuple[Floats, Bools]:
    """Close gaps so that every drawing rack has a load.

    A gap takes the last value before it (the first one after, at the start). A drawing rack that was never measured is
    assumed at the mean share of allocated power that the measured racks draw. Racks that do not draw are 0.

    Args:
        plant: the plant.
        power_w: (T, R) measured power, NaN for gaps.

    Returns:
        (T, R) load and (T, R) where it was assumed.
    """
    good = np.isfinite(power_w)
    load = held(power_w)
    some = np.asarray(good.any(axis=0))
    budget = plant.racks.budget_w
    total = float(budget[some].sum())
    ratio = load[:, some].sum(axis=1) / total if total > 0.0 else np.ones(power_w.shape[0])
    load = np.where(some[None, :], load, ratio[:, None] * np.where(plant.racks.drawing, budget, 0.0))
    return load, ~good & plant.racks.drawing[None, :]


def outside(plant: Plant, power: RackPower) -> tuple[Finding, ...]:
    """Samples below the idle or above the full power of a rack's SKU; they are used as they are.

    Racks that share a meter, or feeds, are one group: what is read of them is held against the sum of its racks.
    """
    idle, full = from_utilisation(plant, 0.0).rack_w[0], from_utilisation(plant, 1.0).rack_w[0]
    found = []
    owner = [b if b.startswith(("meter:", "feed:")) else f"rack:{r}" for b, r in zip(power.basis, power.racks, strict=True)]
    members: dict[str, list[int]] = {}
    for r, (name, basis) in enumerate(zip(owner, power.basis, strict=True)):
        if basis:
            members.setdefault(name, []).append(r)
    for name, racks in members.items():
        own = [r for r in racks if plant.racks.drawing[r]]
        total = power.power_w[:, own].sum(axis=1)
        low, high = idle[own].sum(), full[own].sum()
        below, above, known = int((total < low).sum()), int((total > high).sum()), int(np.isfinite(total).sum())
        if below or above:
            text = (
                f"{name.split(':', 1)[1]}: {below} of {known} samples lie below idle ({low / 1e3:.1f} kW), {above} above full load "
                f"({high / 1e3:.1f} kW); lowest {np.nanmin(total) / 1e3:.1f} kW, highest {np.nanmax(total) / 1e3:.1f} kW"
            )
            found.append(
                Finding(text, "they are used as measured; check the meter or the SKU", element=name.split(":", 1)[1], severity="warning")
            )
    return tuple(found)


def _assumed(plant: Plant, assumed: Bools) -> tuple[Finding, ...]:
    count = assumed.sum(axis=0)
    return tuple(
        Finding(f"{plant.racks.ids[r]}: power was not measured in {count[r]} of {assumed.shape[0]} steps and was filled in",
                "add a meter, or read the rack's telemetry", element=plant.racks.ids[r], severity="warning")
        for r in np.flatnonzero(count)
    )  # fmt: skip


def summarised(plant: Plant, table: Limits, state: SteadyState) -> tuple[list[Floats], ...]:
    """Per step: ledger and extremes (each (T,)), loop temperatures (T, L), margins (T, K)."""
    led, heat = state.ledger, state.heat
    margins = table.margins(table.values(state))
    hot = np.where(np.isfinite(heat.chip_c) & (state.loads.rack_w > 0.0), heat.chip_c, -np.inf).argmax(axis=1)
    rows = np.arange(hot.size)
    worst = margins.argmin(axis=1)
    scalars = [
        led.site_w, led.it_w, led.loss_w, led.cooling_w, led.feed_w, led.residual_frac, hot.astype(np.float64), heat.chip_c[rows, hot],
        worst.astype(np.float64), margins[rows, worst],
    ]  # fmt: skip
    return scalars, [heat.loop_supply_c, heat.loop_return_c], [margins]
