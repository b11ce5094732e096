"""The plant outside the halls: dry coolers, towers and chillers of a facility loop, staged and in the loop's economiser mode.

Order on a loop: dry coolers take what they can at the set-point (they use no water), towers the rest, chillers trim. With
chillers on the loop the towers and dry coolers are its water-side economiser: ``series`` cools first and lets chillers trim;
``parallel`` runs the economiser alone while it holds the set-point and else gives the whole load to the chillers; ``none`` always
does that. The condensers of chillers reject through the same towers and dry coolers.

In the kernels ``behind`` is 1 for the loop's water, behind the exchanger of a tower or dry cooler, and 0 for the outdoor water that
condensers take.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.solvers.chiller import Chillers, run_chillers
from twin.solvers.drycooler import DryCoolers, entering_c, pad_water_kg_s, rise_k_w, speed_for
from twin.solvers.jit import inner, kernel
from twin.solvers.moistair import humidity_kg_kg
from twin.solvers.tower import Towers, alike, evaporation_kg_s, run_cell

YORK = np.array([
    -0.359741205, -0.055053608, 0.0023850432, 0.173926877, -0.0248473764, 0.00048430224, -0.005589849456, 0.0005770079712,
    -0.00001342427256, 2.84765801111111, -0.121765149, 0.0014599242, 1.680428651, -0.0166920786, -0.0007190532, -0.025485194448,
    0.0000487491696, 0.00002719234152, -0.0653766255555556, -0.002278167, 0.0002500254, -0.0910565458, 0.00318176316,
    0.000038621772, -0.0034285382352, 0.00000856589904, -0.000001516821552,
])  # fmt: skip
"""YorkCalc coefficients (EnergyPlus Engineering Reference; Modelica Buildings, Correlations.yorkCalc)."""
SERIES, PARALLEL, NONE = 0, 1, 2
"""Economiser modes, as in :data:`topology.kinds.ECONOMISERS`."""
CONDENSER_C = 18.0
"""Condenser water that towers make for chillers whose record names no lowest temperature (usual set-point; our choice)."""
LEAST_W = 1e-6
"""Load below which no chiller starts."""
HELD_K = 1e-9
"""Shortfall below which a set-point counts as held."""


class Weather(NamedTuple):
    """Outdoor air of each scenario (S,): wet bulb, dry bulb, pressure."""

    wet_bulb_c: Floats
    dry_bulb_c: Floats
    pressure_pa: Floats


class Side(NamedTuple):
    """The plant side: ratings, members of each loop grouped, and the loops' modes."""

    york: Floats
    towers: Towers
    tower_order: Ints
    tower_first: Ints
    dry: DryCoolers
    dry_order: Ints
    dry_first: Ints
    chillers: Chillers
    chiller_order: Ints
    chiller_first: Ints
    mode: Ints
    fewest: Bools
    reuse_w: Floats


class SideOn(NamedTuple):
    """Who may run under each set of lost elements: (Z, W) towers, (Z, D) dry coolers, (Z, K) chillers."""

    tower: Bools
    dry: Bools
    chiller: Bools


class TowerOut(NamedTuple):
    """Heat, fan speed, correlation inside its bounds, and running of each tower by scenario."""

    w: Floats
    fan: Floats
    ok: Bools
    on: Bools


class DryOut(NamedTuple):
    """Heat, fan speed, running, and water on the pads of each dry cooler by scenario."""

    w: Floats
    fan: Floats
    on: Bools
    kg_s: Floats


class SideOut(NamedTuple):
    """Results by scenario; see :class:`twin.state.HeatState`. Kernels of one kind of machine get its part alone: that compiles sooner."""

    tower: TowerOut
    tower_kg_s: Floats
    dry: DryOut
    chiller_w: Floats
    chiller_power: Floats
    chiller_ok: Bools
    reuse_w: Floats


class Air(NamedTuple):
    """One scenario's outdoor air."""

    wet_c: float
    dry_c: float
    pressure_pa: float


@inner
def _cells(
    t: Towers,
    york: Floats,
    own: Ints,
    alive: Bools,
    count: int,
    heat_w: float,
    cp: float,
    air: Air,
    target_c: float,
    behind: float,
    s: int,
    out: TowerOut,
) -> tuple[float, float, bool]:
    """Run the first ``count`` living cells, heat in proportion to their rating: supply, water temperature, whether all hold."""
    total, n = 0.0, 0
    for w in own:
        if alive[w] and n < count:
            total += t.duty_w[w]
            n += 1
    n, supply, water, held, before = 0, 0.0, 0.0, True, -1
    fan, approach, ok = 0.0, 0.0, True
    for w in own:
        out.w[s, w], out.fan[s, w], out.ok[s, w], out.on[s, w] = 0.0, 0.0, True, False
        if not alive[w] or n >= count:
            continue
        n += 1
        share = t.duty_w[w] / total
        apart = behind * t.exchanger_k[w]
        want = target_c - apart - air.wet_c
        if before < 0 or not alike(t, w, before):
            fan, approach, ok = run_cell(t, w, york, cp, air.wet_c, air.pressure_pa, heat_w * share, want)
        before = w
        out.w[s, w], out.fan[s, w], out.ok[s, w], out.on[s, w] = heat_w * share, fan, ok, True
        held = held and approach <= want + HELD_K
        water += share * (air.wet_c + approach)
        supply += share * (air.wet_c + approach + apart)
    return supply, water, held


@inner
def _towers(
    t: Towers,
    york: Floats,
    own: Ints,
    alive: Bools,
    heat_w: float,
    cp: float,
    air: Air,
    target_c: float,
    behind: float,
    fewest: bool,
    s: int,
    out: TowerOut,
) -> tuple[float, float]:
    """Run all cells, or the fewest that hold the target (more never do worse): supply and water temperature."""
    most = 0
    for w in own:
        most += alive[w]
    if fewest and most > 1:
        low, high = 0, most
        while high - low > 1:
            mid = (low + high) // 2
            _, _, held = _cells(t, york, own, alive, mid, heat_w, cp, air, target_c, behind, s, out)
            if held:
                high = mid
            else:
                low = mid
        most = high
    supply, water, _ = _cells(t, york, own, alive, most, heat_w, cp, air, target_c, behind, s, out)
    return supply, water


@inner
def _able_w(d: DryCoolers, i: int, cp: float, air: Air, target_c: float, behind: float, wetted: float) -> float:
    """Heat that a dry cooler rejects at full fan speed with its supply at the target."""
    above: float = target_c - behind * d.exchanger_k[i] - entering_c(d, i, air.dry_c, air.wet_c, wetted)
    return max(above, 0.0) / rise_k_w(d, i, cp, 1.0)


@inner
def _coolers(
    d: DryCoolers,
    own: Ints,
    alive: Bools,
    heat_w: float,
    cp: float,
    air: Air,
    target_c: float,
    behind: float,
    rest: float,
    s: int,
    out: DryOut,
) -> tuple[float, float, float]:
    """Run dry coolers: dry while that holds the target, then with their pads.

    Where even that does not and nothing takes the rest, all run full and the supply rises until they carry the heat.

    Returns:
        Heat rejected, its supply and its water temperature.
    """
    dry, wet = 0.0, 0.0
    for i in own:
        out.w[s, i], out.fan[s, i], out.on[s, i], out.kg_s[s, i] = 0.0, 0.0, False, 0.0
        if alive[i]:
            dry += _able_w(d, i, cp, air, target_c, behind, 0.0)
            wet += _able_w(d, i, cp, air, target_c, behind, 1.0)
    wetted = 1.0 if dry < heat_w else 0.0
    able = wet if wetted > 0.0 else dry
    level = target_c
    if able < heat_w and rest == 0.0:
        level = _level_c(d, own, alive, heat_w, cp, air, behind)
    elif able <= 0.0:
        return 0.0, target_c, target_c
    took = min(heat_w, able) if level == target_c else heat_w
    water = 0.0
    for i in own:
        if not alive[i]:
            continue
        most = _able_w(d, i, cp, air, level, behind, wetted)
        share = most / able if level == target_c else most / heat_w
        apart = behind * d.exchanger_k[i]
        out.w[s, i], out.on[s, i] = share * took, share > 0.0
        above = level - apart - entering_c(d, i, air.dry_c, air.wet_c, wetted)
        out.fan[s, i] = speed_for(d, i, cp, share * took, above)
        water += share * (level - apart)
        if wetted > 0.0 and d.assist[i] > 0.0:
            out.kg_s[s, i] = pad_water_kg_s(d, i, air.dry_c, air.wet_c, air.pressure_pa, out.fan[s, i])
    return took, level, water


@inner
def _level_c(d: DryCoolers, own: Ints, alive: Bools, heat_w: float, cp: float, air: Air, behind: float) -> float:
    """Supply at which dry coolers at full fan speed, pads wet, carry a heat: those that are colder than the air stand aside."""
    level = -np.inf
    for _ in range(own.size + 1):
        slope, offset, n = 0.0, 0.0, 0
        for i in own:
            base = behind * d.exchanger_k[i] + entering_c(d, i, air.dry_c, air.wet_c, 1.0)
            if alive[i] and (level == -np.inf or base < level):
                g = 1.0 / rise_k_w(d, i, cp, 1.0)
                slope, offset, n = slope + g, offset + g * base, n + 1
        new = (heat_w + offset) / slope
        if new == level:
            break
        level = new
    return level


@inner
def _reject(
    side: Side, on: SideOn, z: int, f: int, heat_w: float, cp: float, air: Air, target_c: float, behind: float, s: int, out: SideOut
) -> tuple[float, float, bool]:
    """Reject a heat of a loop to the weather: supply, water temperature, and whether anything runs."""
    cells = side.tower_order[side.tower_first[f] : side.tower_first[f + 1]]
    coolers = side.dry_order[side.dry_first[f] : side.dry_first[f + 1]]
    wet, dry = 0.0, 0.0  # how many run: numbers, since numba compiles a callee anew for a flag that may be a constant
    for w in cells:
        wet += on.tower[z, w]
    for i in coolers:
        dry += on.dry[z, i]
    took, level, tepid = 0.0, target_c, target_c
    if dry > 0.0:
        took, level, tepid = _coolers(side.dry, coolers, on.dry[z], heat_w, cp, air, target_c, behind, wet, s, out.dry)
    else:
        for i in coolers:
            out.dry.w[s, i], out.dry.fan[s, i], out.dry.on[s, i], out.dry.kg_s[s, i] = 0.0, 0.0, False, 0.0
    left = heat_w - took
    count_none = dry > 0.0 and left <= 0.0
    if wet == 0.0 or count_none:
        for w in cells:
            out.tower.w[s, w], out.tower.fan[s, w], out.tower.ok[s, w], out.tower.on[s, w] = 0.0, 0.0, True, False
        return level, tepid, dry > 0.0
    supply, water = _towers(side.towers, side.york, cells, on.tower[z], left, cp, air, target_c, behind, side.fewest[f], s, out.tower)
    if took > 0.0:
        supply = (took * level + left * supply) / heat_w
        water = (took * tepid + left * water) / heat_w
    return supply, water, True


@inner
def solve_loop(
    side: Side, on: SideOn, z: int, weather: Weather, s: int, f: int, heat_w: float, capacity_w_k: float, cp_j_kg_k: float, set_c: float,
    out: SideOut,
) -> tuple[float, bool]:  # fmt: skip
    """Carry the heat of a facility loop to the weather.

    Args:
        side: the plant side.
        on: who may run.
        z: row of ``on``.
        weather: outdoor air.
        s: scenario.
        f: loop.
        heat_w: heat of the loop, pumps included.
        capacity_w_k: flow times heat capacity of the loop.
        cp_j_kg_k: heat capacity of its water.
        set_c: supply set-point.
        out: results; chiller power of the pass before is read as the heat of condensers, then everything is written.

    In series the water that the economiser cools is warmer than ``supply``, else it is passed by: chillers never take more than the
    heat of the loop. Where they are too small, the supply is what they make of the economiser's water.

    Returns:
        Supply temperature, and whether the heat is carried.
    """
    air = Air(weather.wet_bulb_c[s], weather.dry_bulb_c[s], weather.pressure_pa[s])
    own = side.chiller_order[side.chiller_first[f] : side.chiller_first[f + 1]]
    out.reuse_w[s, f] = min(side.reuse_w[f], heat_w)
    heat = heat_w - out.reuse_w[s, f]
    condensers, running, low_c = 0.0, False, -np.inf
    for c in own:
        condensers += out.chiller_power[s, c]
        if on.chiller[z, c]:
            running = True
            low_c = max(low_c, side.chillers.condenser_c[c, 0])
    if running and side.mode[f] != SERIES:
        if side.mode[f] == PARALLEL:
            supply, _, ok = _reject(side, on, z, f, heat, cp_j_kg_k, air, set_c, 1.0, s, out)
            if ok and supply <= set_c + HELD_K:
                run_chillers(
                    side.chillers, own, on.chiller[z], 0.0, set_c, set_c, out.chiller_w[s], out.chiller_power[s], out.chiller_ok[s]
                )
                return supply, True
        target = low_c if low_c > -np.inf else CONDENSER_C
        _, water, ok = _reject(side, on, z, f, heat + condensers, cp_j_kg_k, air, target, 0.0, s, out)
        took = run_chillers(
            side.chillers, own, on.chiller[z], heat, set_c, water, out.chiller_w[s], out.chiller_power[s], out.chiller_ok[s]
        )
        if (ok and took >= heat * (1.0 - HELD_K)) or side.mode[f] == NONE:
            return set_c, ok and took >= heat * (1.0 - HELD_K)
    elif own.size > 0 and side.mode[f] == NONE:
        return set_c, heat <= 0.0
    supply, water, ok = _reject(side, on, z, f, heat + condensers, cp_j_kg_k, air, set_c, 1.0, s, out)
    want = min(capacity_w_k * (supply - set_c), heat)
    want = want if ok and want > LEAST_W else 0.0
    took = run_chillers(side.chillers, own, on.chiller[z], want, set_c, water, out.chiller_w[s], out.chiller_power[s], out.chiller_ok[s])
    if took <= 0.0:
        return supply, ok
    return (set_c if took >= want * (1.0 - HELD_K) else supply - took / capacity_w_k), ok


@inner
def no_heat(side: Side, s: int, f: int, out: SideOut) -> None:
    """Nothing of a loop rejects heat in a scenario: its heat stays where it is, and is reported as stranded."""
    for w in side.tower_order[side.tower_first[f] : side.tower_first[f + 1]]:
        out.tower.w[s, w], out.tower.ok[s, w] = 0.0, True
    for i in side.dry_order[side.dry_first[f] : side.dry_first[f + 1]]:
        out.dry.w[s, i], out.dry.on[s, i], out.dry.kg_s[s, i] = 0.0, False, 0.0
    for c in side.chiller_order[side.chiller_first[f] : side.chiller_first[f + 1]]:
        out.chiller_w[s, c], out.chiller_power[s, c], out.chiller_ok[s, c] = 0.0, 0.0, True
    out.reuse_w[s, f] = 0.0


@kernel
def evaporate(side: Side, weather: Weather, out: SideOut) -> None:
    """Water that towers evaporate in every scenario.

    Args:
        side: the plant side.
        weather: outdoor air.
        out: heat and fan speed are read, water is written.
    """
    for s in range(out.tower.w.shape[0]):
        dry, pressure = weather.dry_bulb_c[s], weather.pressure_pa[s]
        humidity = humidity_kg_kg(dry, weather.wet_bulb_c[s], pressure)
        for w in range(out.tower.w.shape[1]):
            out.tower_kg_s[s, w] = evaporation_kg_s(side.towers, w, dry, humidity, pressure, out.tower.w[s, w], out.tower.fan[s, w])
