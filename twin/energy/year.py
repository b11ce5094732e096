"""A year of a site, hour by hour: every hour is a steady solve, in chunks that keep memory bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np

from topology.axes import Bools, Floats
from topology.errors import UsageError
from topology.plant import Plant
from twin.energy.meters import DISTRIBUTION, UPS, it_at_w, support_w
from twin.energy.weather_year import WeatherYear
from twin.limits import Limits, limits
from twin.solvers.steady import solve_steady
from twin.state import Loads, SteadyState

CHUNK_VALUES = 400_000
"""Elements times hours of a chunk: some ten arrays of that size are alive at a time."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Hours:
    """What every hour of a year draws, rejects and evaporates (T); powers in W.

    Attributes:
        site_w: drawn from all sources.
        it_w: parts of the racks.
        support_w: fans and pumps among them.
        rack_w: input of the racks (PUE category 3).
        pdu_w: IT at the output of PDUs and busways (category 2); NaN where some passes none.
        ups_w: IT at the output of UPSs (category 1); NaN where some passes none.
        chain_loss_w: losses of the power chain.
        cdu_w: CDUs: pumps, fans and controls.
        air_w: fan walls and CRAHs.
        pump_w: facility pumps.
        tower_w: fans and pumps of towers.
        dry_w: fans and pumps of dry coolers.
        chiller_w: compressors.
        chilled_w: heat that chillers take.
        rejected_w: heat that towers and dry coolers reject.
        reuse_w: heat that users outside take.
        water_kg_s: make-up of towers and pads.
        evaporation_kg_s: the part of it that towers evaporate.
        merkel: some running cell is outside York's bounds, so that Merkel was used.
        chilling: a chiller runs.
        economising: towers or dry coolers of a loop with chillers cool it, alone or ahead of them.
        violated: some limit of the plant is violated.
        chip_c: hottest accelerator.
    """

    site_w: Floats
    it_w: Floats
    support_w: Floats
    rack_w: Floats
    pdu_w: Floats
    ups_w: Floats
    chain_loss_w: Floats
    cdu_w: Floats
    air_w: Floats
    pump_w: Floats
    tower_w: Floats
    dry_w: Floats
    chiller_w: Floats
    chilled_w: Floats
    rejected_w: Floats
    reuse_w: Floats
    water_kg_s: Floats
    evaporation_kg_s: Floats
    merkel: Bools
    chilling: Bools
    economising: Bools
    violated: Bools
    chip_c: Floats

    @property
    def cooling_w(self) -> Floats:
        """(T,) every pump, fan and compressor outside the racks."""
        return self.cdu_w + self.air_w + self.pump_w + self.tower_w + self.dry_w + self.chiller_w


@dataclass(frozen=True)
class Year:
    """A solved year.

    Attributes:
        weather: what it was solved for.
        hours: what every hour gave.
        limit: names of violated limits with the hours of each, most first.
        residual_frac: largest residual of the energy ledger.
    """

    weather: WeatherYear
    hours: Hours
    limit: tuple[tuple[str, int], ...]
    residual_frac: float


def solve_year(plant: Plant, loads: Loads, weather: WeatherYear, progress: Progress | None = None) -> Year:
    """Solve every step of a year.

    Args:
        plant: the plant.
        loads: one scenario for all hours, or one an hour.
        weather: T steps.
        progress: told how many steps are done.

    Raises:
        UsageError: loads that fit neither.
        NotConverged: a solve did not settle.
    """
    total = weather.time.size
    if loads.scenarios not in (1, total):
        raise UsageError(f"loads have {loads.scenarios} rows for {total} steps of weather; give 1 or {total}")
    table = limits(plant)
    parts, counts, worst = [], np.zeros(len(table.element), np.int64), 0.0
    for a, b in _chunks(plant, table, total):
        chunk = loads if loads.scenarios == 1 else loads.take(slice(a, b))
        state = solve_steady(plant, chunk, weather.ambient.take(slice(a, b)))
        below = np.asarray(table.margins(table.values(state)) < 0.0)
        counts += below.sum(axis=0)
        parts.append(_hours(plant, state, np.asarray(below.any(axis=1))))
        worst = max(worst, float(state.ledger.residual_frac.max()))
        if progress:
            progress(b, total)
    joined = Hours(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Hours)})
    order = [int(k) for k in np.argsort(-counts, kind="stable") if counts[k] > 0]
    return Year(weather, joined, tuple((f"{table.limit[k]} of {table.element[k]}", int(counts[k])) for k in order), worst)


def _chunks(plant: Plant, table: Limits, total: int) -> Iterator[tuple[int, int]]:
    width = plant.racks.n + plant.power.n + plant.gear.n + len(table.element)
    size = max(1, CHUNK_VALUES // max(width, 1))
    yield from ((a, min(a + size, total)) for a in range(0, total, size))


def _hours(plant: Plant, state: SteadyState, violated: Bools) -> Hours:
    ledger, heat, own = state.ledger, state.heat, plant.pumps.cdu < 0
    trimmed = np.zeros(plant.loops.n, bool)
    trimmed[plant.chillers.fws] = True
    free = (heat.tower_w * trimmed[plant.towers.fws]).sum(axis=1) + (heat.dry_w * trimmed[plant.dry_coolers.fws]).sum(axis=1)
    compressors = _drawn(state, plant.chillers.gear)
    drawing = state.loads.rack_w > 0.0
    return Hours(
        site_w=ledger.site_w, it_w=ledger.it_w, support_w=support_w(plant, state.loads), rack_w=ledger.it_w + ledger.rack_loss_w,
        pdu_w=it_at_w(plant, state, DISTRIBUTION), ups_w=it_at_w(plant, state, UPS), chain_loss_w=ledger.chain_loss_w,
        cdu_w=ledger.cdu_pump_w, air_w=_drawn(state, plant.air_units.gear), pump_w=_drawn(state, plant.pumps.gear[own]),
        tower_w=_drawn(state, plant.towers.gear), dry_w=_drawn(state, plant.dry_coolers.gear), chiller_w=compressors,
        chilled_w=heat.chiller_w.sum(axis=1), rejected_w=ledger.tower_out_w + ledger.dry_out_w, reuse_w=ledger.reuse_w,
        water_kg_s=heat.tower_water_kg_s.sum(axis=1) + heat.dry_water_kg_s.sum(axis=1),
        evaporation_kg_s=heat.tower_evaporation_kg_s.sum(axis=1), merkel=np.asarray((~heat.tower_in_bounds).any(axis=1)),
        chilling=compressors > 0.0, economising=free - heat.chiller_w.sum(axis=1) - compressors > 1e-6 * np.maximum(free, 1.0),
        violated=violated, chip_c=np.where(drawing, heat.chip_c, -np.inf).max(axis=1, initial=-np.inf),
    )  # fmt: skip


def _drawn(state: SteadyState, gear: np.ndarray) -> Floats:
    total: Floats = np.ascontiguousarray(state.heat.gear_w[:, gear]).sum(axis=1)
    return total
