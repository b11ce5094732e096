"""Third part of a step: air-cooled racks and the air of every hall with its fan walls."""

from __future__ import annotations

import numpy as np

from topology.axes import Floats
from twin.solvers.bank import Exchangers
from twin.solvers.implicit import GAMMA, mean_of, node_stage, second_start, wall_stage
from twin.solvers.jit import inner
from twin.solvers.transient_parts import Drive, ExchangerParts, HallParts, RackParts, State, Work
from twin.solvers.transient_racks import both_sides_w_k

SERVER_RISE_K = 15.0
"""Rise of air through a server that its own fans keep where no fan wall runs (estimate; 11 to 20 K are usual)."""
AIR_CP = 1006.0
"""Heat capacity of dry air [J/(kg K)] (ASHRAE Handbook Fundamentals, chapter 1)."""


@inner
def air_heat(
    racks: RackParts, state: State, mean_heat_w: Floats, hall_c: Floats, step_s: float, work: Work
) -> None:  # fmt: skip
    """Heat that racks give to the air of their halls; heat sinks of air-cooled chips are advanced.

    Args:
        racks: racks.
        state: heat sinks are changed.
        mean_heat_w: (R, 3) mean heat of the step.
        hall_c: (H,) mean supply air of the step, as extrapolated.
        step_s: length of the step.
        work: hall heat is added to.
    """
    gh = GAMMA * step_s
    for r in range(racks.hall.size):
        h = racks.hall[r]
        air = mean_heat_w[r, 2] - (mean_heat_w[r, 1] if racks.loop[r] >= 0 else 0.0)
        state.book_j[0] += mean_heat_w[r, 2] * step_s
        if racks.r_air_k_w[r] > 0.0:
            chips = min(mean_heat_w[r, 0], air)
            through = racks.plates[r] / racks.r_air_k_w[r]
            t0 = state.metal_c[r]
            t1 = node_stage(gh, racks.metal_j_k[r], t0, through, hall_c[h], chips)
            t2 = node_stage(gh, racks.metal_j_k[r], second_start(t1, t0), through, hall_c[h], chips)
            state.metal_c[r] = t2
            air += through * (mean_of(t1, t2) - hall_c[h]) - chips
        work.hall_w[h] += air


@inner
def gear_heat(cdus: ExchangerParts, drive: Drive, state: State, step_s: float, work: Work) -> float:
    """Fans and controls of CDUs, as heat of their halls; power [W].

    Args:
        cdus: CDUs.
        drive: which run.
        state: the ledger is written.
        step_s: length of the step.
        work: hall heat is added to.
    """
    power = 0.0
    for c in range(cdus.hall.size):
        if drive.cdu_on[c]:
            fan = cdus.fan_w[c] * work.valve[c] ** 3 if cdus.fws[c] < 0 else 0.0
            work.hall_w[cdus.hall[c]] += fan + cdus.aux_w[c]
            power += fan + cdus.aux_w[c]
    state.book_j[0] += power * step_s
    return power


@inner
def step_hall(
    x: Exchangers, units: ExchangerParts, halls: HallParts, h: int, drive: Drive, state: State, step_s: float, work: Work
) -> float:  # fmt: skip
    """Advance the air of one hall and its units; power of their fans [W].

    Supply and exhaust air are two volumes, the second with what the air passes in the racks; each unit has a wall and its water.
    Below a floor of air flow the racks' own fans draw exhaust back in, wholly where nothing blows.

    Args:
        x: ratings of air units.
        units: what they store.
        halls: halls.
        h: which hall.
        drive: which units run.
        state: changed.
        step_s: length of the step.
        work: hall heat is read, what goes to facility loops is added.
    """
    u0, u1 = halls.unit_first[h], halls.unit_first[h + 1]
    heat = work.hall_w[h]
    state.hall_c[h, 2] = state.hall_c[h, 0]
    if u1 == u0:
        state.book_j[1] += heat * step_s
        return 0.0
    n = u1 - u0
    to_wall, to_cold, blown, cold_in = np.zeros(n), np.zeros(n), 0.0, np.zeros(n)
    fans = 0.0
    for k in range(n):
        a = halls.unit_order[u0 + k]
        f, air = units.fws[a], units.hot_kg_s[a] * work.fan[a]
        water = work.coil[a] * units.cold_kg_s[a] * work.phi[f]
        to_wall[k], to_cold[k] = both_sides_w_k(x, a, units.anchor[a], air, water)
        cold_in[k] = work.supply_c[f, 0]
        blown += air
        if drive.unit_on[a]:
            fans += units.fan_w[a] * work.fan[a] ** 3
    state.book_j[0] += fans * step_s
    drawn = max(1.0 - blown / halls.fans_kg_s[h], 0.0) * max(heat, 0.0) / (AIR_CP * SERVER_RISE_K)
    through = (blown + drawn) * AIR_CP
    air_c, walls = state.hall_c[h].copy(), state.unit_c[:, 0].copy()
    first = _hall_stage(units, halls, h, step_s, heat + fans, through, to_wall, to_cold, cold_in, air_c, walls)
    for k in range(n):
        a = halls.unit_order[u0 + k]
        walls[a] = second_start(first[2 + k], walls[a])
    air_c[0], air_c[1] = second_start(first[0], air_c[0]), second_start(first[1], air_c[1])
    second = _hall_stage(units, halls, h, step_s, heat + fans, through, to_wall, to_cold, cold_in, air_c, walls)
    _coils(units, halls, h, state, step_s, work, to_wall, to_cold, cold_in, first, second)
    state.hall_c[h, 0], state.hall_c[h, 1] = second[0], second[1]
    return fans


@inner
def _hall_stage(
    units: ExchangerParts, halls: HallParts, h: int, step_s: float, heat_w: float, through_w_k: float, to_wall: Floats,
    to_cold: Floats, cold_in_c: Floats, air_c: Floats, wall_c: Floats,
) -> Floats:  # fmt: skip
    """Supply, exhaust and walls at one stage: walls are eliminated, two unknowns remain."""
    gh = GAMMA * step_s
    u0, n = halls.unit_first[h], to_wall.size
    c_cold, c_hot = halls.cold_j_k[h], halls.hot_j_k[h]
    conducted, constant = 0.0, 0.0
    for k in range(n):
        a = halls.unit_order[u0 + k]
        whole = units.wall_j_k[a] + gh * (to_wall[k] + to_cold[k])
        conducted += to_wall[k] * (1.0 - gh * to_wall[k] / whole)
        constant += to_wall[k] * (units.wall_j_k[a] * wall_c[a] + gh * to_cold[k] * cold_in_c[k]) / whole
    a11, a12 = c_cold + gh * through_w_k, -gh * (through_w_k - conducted)
    r1 = c_cold * air_c[0] + gh * constant
    a21, a22 = -gh * through_w_k, c_hot + gh * through_w_k
    r2 = c_hot * air_c[1] + gh * heat_w
    det = a11 * a22 - a12 * a21
    out = np.empty(2 + n)
    out[0], out[1] = (r1 * a22 - a12 * r2) / det, (a11 * r2 - a21 * r1) / det
    for k in range(n):
        a = halls.unit_order[u0 + k]
        out[2 + k] = wall_stage(gh, units.wall_j_k[a], wall_c[a], to_wall[k], to_cold[k], out[1], cold_in_c[k])
    return out


@inner
def _coils(
    units: ExchangerParts, halls: HallParts, h: int, state: State, step_s: float, work: Work, to_wall: Floats, to_cold: Floats,
    cold_in_c: Floats, first: Floats, second: Floats,
) -> None:  # fmt: skip
    """Water of each coil, and what it gives back to its facility loop."""
    gh = GAMMA * step_s
    u0 = halls.unit_first[h]
    for k in range(to_wall.size):
        a = halls.unit_order[u0 + k]
        f, water = units.fws[a], work.coil[a] * units.cold_kg_s[a] * work.phi[units.fws[a]]
        flow = water * units.cold_cp_j_kg_k[a]
        k0 = state.unit_c[a, 1]
        k1 = node_stage(gh, units.cold_j_k[a], k0, flow, cold_in_c[k], to_cold[k] * (first[2 + k] - cold_in_c[k]))
        k2 = node_stage(gh, units.cold_j_k[a], second_start(k1, k0), flow, cold_in_c[k], to_cold[k] * (second[2 + k] - cold_in_c[k]))
        state.unit_c[a, 0], state.unit_c[a, 1] = second[2 + k], k2
        air = units.hot_kg_s[a] * work.fan[a] * AIR_CP
        state.unit_valve[a, 3] = second[1] - to_wall[k] * (second[1] - second[2 + k]) / air if air > 0.0 else second[1]
        work.back[f, 0] += water * step_s
        work.back[f, 1] += water * step_s * mean_of(k1, k2)
        work.back[f, 2] += water * step_s * (k2 - k0)


@inner
def hall_ahead(halls: HallParts, h: int, state: State, step_s: float) -> float:
    """Mean supply air of the step to come, carried on from the step before.

    Args:
        halls: halls.
        h: which hall.
        state: temperatures now and one step before.
        step_s: length of the step to come.
    """
    before: float = state.clock[2]
    now: float = state.hall_c[h, 0]
    if before <= 0.0 or halls.unit_first[h + 1] == halls.unit_first[h]:
        return now
    was: float = state.hall_c[h, 2]
    return now + 0.5 * (now - was) * step_s / before
