"""A stretch of time, step by step: flow, racks, halls and plant, with a ledger that closes.

Every part of a plant is advanced by the same L-stable second-order step (:mod:`twin.solvers.implicit`); what couples them travels as
mean temperatures of the step through plug-flow pipes (:mod:`twin.solvers.transport`) that hold more than a step moves, so no system of
equations is larger than one hall.
"""

from __future__ import annotations

import math

import numpy as np

from topology.axes import Floats
from twin.solvers.bank import Exchangers
from twin.solvers.jit import inner, kernel
from twin.solvers.momentum import Branches, header
from twin.solvers.transient_control import SAMPLE_S, control
from twin.solvers.transient_flow import move_coolant, open_kg_s
from twin.solvers.transient_halls import air_heat, gear_heat, hall_ahead, step_hall
from twin.solvers.transient_parts import Drive, ExchangerParts, HallParts, LoopParts, RackParts, State, Work, Written
from twin.solvers.transient_plant import return_side, supply_side
from twin.solvers.transient_racks import step_tcs
from twin.solvers.transport import Pipes, heat_kg_k

NEAR_S = 1e-7
"""Two times that are closer than this are the same."""


@kernel
def run(
    racks: RackParts, loops: LoopParts, cx: Exchangers, cdus: ExchangerParts, ax: Exchangers, units: ExchangerParts, halls: HallParts,
    b: Branches, pipes: Pipes, state: State, drive: Drive, work: Work, out: Written, row: int, step_s: float, fine_s: float,
    fine_until_s: float,
) -> int:  # fmt: skip
    """Advance a plant over a stretch of time.

    Args:
        racks: racks.
        loops: loops.
        cx: ratings of CDUs.
        cdus: CDUs.
        ax: ratings of air units.
        units: air units.
        halls: halls.
        b: branches.
        pipes: pipes and what is in them; changed.
        state: changed.
        drive: what holds during the stretch.
        work: scratch.
        out: rows are written at their times.
        row: next row to write.
        step_s: longest step.
        fine_s: longest step while things move quickly.
        fine_until_s: time until which they do.

    Returns:
        The next row to write.
    """
    end = drive.span_s[1]
    heat = np.empty((racks.hall.size, 3))
    cdu_w = np.zeros(cdus.fws.size)
    ahead = np.empty(halls.set_c.size)
    while row < out.time_s.size and out.time_s[row] <= state.clock[0] + NEAR_S:
        _write(racks, loops, cdus, units, b, state, drive, work, cdu_w, 0.0, out, row)
        row += 1
    while state.clock[0] < end - NEAR_S:
        now = state.clock[0]
        if now >= state.clock[1] - NEAR_S:
            control(loops, cdus, units, halls, b, drive, state, work, state.clock[2] > 0.0)
            state.clock[1] += SAMPLE_S
        h = min(fine_s if now < fine_until_s - NEAR_S else step_s, end - now, state.clock[1] - now)
        if row < out.time_s.size:
            h = min(h, max(out.time_s[row] - now, NEAR_S))
        h = min(h, _most_s(loops, b, cdus, units, state))
        _heat(racks, state, drive, now + 0.5 * h, heat)
        gear = _step(racks, loops, cx, cdus, ax, units, halls, b, pipes, state, drive, work, heat, ahead, cdu_w, h)
        state.clock[0], state.clock[2] = now + h, h
        _limits(racks, loops, halls, state, heat, now, h)
        while row < out.time_s.size and out.time_s[row] <= state.clock[0] + NEAR_S:
            _write(racks, loops, cdus, units, b, state, drive, work, cdu_w, gear, out, row)
            row += 1
    return row


@inner
def _most_s(loops: LoopParts, b: Branches, cdus: ExchangerParts, units: ExchangerParts, state: State) -> float:
    """Longest step that pushes no more through a loop's return than it holds, at flows that may still rise by a fifth."""
    most = 1e300
    for x in range(loops.fws.size):
        total = 0.0
        for i in range(b.first[x], b.first[x + 1]):
            total += state.flow[i]
        if loops.fws[x]:
            asked = open_kg_s(x, cdus, units, state.cdu_valve[:, 0], state.unit_valve[:, 0])
            total = max(total, asked) if not loops.pumped[x] else total
        if total > 0.0:
            most = min(most, loops.mains_kg[x] / (1.2 * total))
    return most


@inner
def _heat(racks: RackParts, state: State, drive: Drive, time_s: float, heat: Floats) -> None:
    """Heat of every rack at a time; a rack that shut itself down gives none."""
    t0, t1 = drive.span_s[0], drive.span_s[1]
    w = (time_s - t0) / (t1 - t0) if t1 > t0 else 0.0
    for r in range(racks.hall.size):
        for k in range(3):
            heat[r, k] = state.on[r] * ((1.0 - w) * drive.heat_w[0, r, k] + w * drive.heat_w[1, r, k])


@inner
def _step(
    racks: RackParts, loops: LoopParts, cx: Exchangers, cdus: ExchangerParts, ax: Exchangers, units: ExchangerParts, halls: HallParts,
    b: Branches, pipes: Pipes, state: State, drive: Drive, work: Work, heat: Floats, ahead: Floats, cdu_w: Floats, step_s: float,
) -> float:  # fmt: skip
    """One step of everything; power of pumps, fans and chillers."""
    move_coolant(loops, cdus, units, b, state, drive, step_s, work)
    gear = 0.0
    work.back[:] = 0.0
    work.hall_w[:] = 0.0
    for h in range(halls.set_c.size):
        ahead[h] = hall_ahead(halls, h, state, step_s)
    for x in range(loops.fws.size):
        pumped = 0.0
        for i in range(b.first[x], b.first[x + 1]):
            pumped += work.pump_w[i]
        gear += pumped
        if loops.fws[x]:
            gear += supply_side(loops, pipes, x, drive, state, step_s, work, pumped)
    for x in range(loops.fws.size):
        if not loops.fws[x]:
            step_tcs(racks, loops, cx, cdus, pipes, b.first[x], x, state, heat, ahead, step_s, work, cdu_w)
    air_heat(racks, state, heat, ahead, step_s, work)
    gear += gear_heat(cdus, drive, state, step_s, work)
    for h in range(halls.set_c.size):
        gear += step_hall(ax, units, halls, h, drive, state, step_s, work)
    for x in range(loops.fws.size):
        if loops.fws[x]:
            return_side(loops, pipes, x, step_s, work)
    return gear


@inner
def _limits(
    racks: RackParts, loops: LoopParts, halls: HallParts, state: State, heat: Floats, from_s: float, step_s: float
) -> None:  # fmt: skip
    """First time beyond each limit, by a straight line through the step; racks beyond the last one shut themselves down."""
    value = np.empty(6)
    metal, rest, entry, hall_c, last, first, on = (
        state.metal_c, state.rest_c, state.entry_c, state.hall_c, state.last_c, state.first_s, state.on,
    )  # fmt: skip
    bound, wet, hall, plates, memory, peak = racks.limit_c, racks.loop, racks.hall, racks.plates, racks.r_memory_k_w, state.peak_c
    for r in range(hall.size):
        each = heat[r, 0] / plates[r] if plates[r] > 0.0 else 0.0
        value[0], value[5] = metal[r], metal[r]
        value[1] = metal[r] + memory[r] * each
        value[2] = entry[r] if wet[r] >= 0 else -1e300
        value[3] = rest[r] if wet[r] >= 0 else -1e300
        value[4] = hall_c[hall[r], 0]
        for k in range(6):
            if value[k] > bound[r, k] and math.isinf(first[r, k]) and heat[r, 2] > 0.0:
                was = last[r, k]
                part = (bound[r, k] - was) / (value[k] - was) if value[k] > was else 1.0
                first[r, k] = from_s + step_s * min(max(part, 0.0), 1.0)
            last[r, k] = value[k]
        peak[r] = max(peak[r], metal[r])
        if metal[r] > bound[r, 5]:
            on[r] = 0.0
    for x in range(loops.fws.size):
        if state.loop_c[x, 2] > loops.limit_c[x] and math.isinf(state.loop_s[x]):
            state.loop_s[x] = from_s + step_s
    for h in range(halls.set_c.size):
        if state.hall_c[h, 0] > halls.limit_c[h] and math.isinf(state.hall_s[h]):
            state.hall_s[h] = from_s + step_s


@inner
def _write(
    racks: RackParts, loops: LoopParts, cdus: ExchangerParts, units: ExchangerParts, b: Branches, state: State, drive: Drive, work: Work,
    cdu_w: Floats, gear_w: float, out: Written, row: int,
) -> None:  # fmt: skip
    """Write one row."""
    t0, t1 = drive.span_s[0], drive.span_s[1]
    w = min(max((state.clock[0] - t0) / (t1 - t0), 0.0), 1.0) if t1 > t0 else 0.0
    for r in range(racks.hall.size):
        out.chip_c[row, r] = state.metal_c[r]
        out.entry_c[row, r], out.outlet_c[row, r] = state.entry_c[r], state.rest_c[r]
        out.rack_kg_s[row, r] = state.rack_kg_s[r]
        out.rack_w[row, r] = state.on[r] * ((1.0 - w) * drive.heat_w[0, r, 2] + w * drive.heat_w[1, r, 2])
    for x in range(loops.fws.size):
        total = 0.0
        for i in range(b.first[x], b.first[x + 1]):
            total += state.flow[i]
        asked = open_kg_s(x, cdus, units, state.cdu_valve[:, 0], state.unit_valve[:, 0]) if loops.fws[x] else 0.0
        if drive.shut[x]:
            total, out.loop_dp_pa[row, x] = 0.0, 0.0
        elif loops.fws[x] and not loops.pumped[x]:
            total, out.loop_dp_pa[row, x] = asked, b.dp_set_pa[x]
        else:
            out.loop_dp_pa[row, x], _ = header(b, x, total, asked)
        out.loop_kg_s[row, x] = total
        out.loop_supply_c[row, x], out.loop_return_c[row, x] = state.loop_c[x, 2], state.loop_c[x, 3]
        out.reject_w[row, x], out.reject_frac[row, x] = work.rejected_w[x], state.reject[x, 0]
        out.chiller_w[row, x] = state.chiller_w[x]
    for c in range(cdus.fws.size):
        out.cdu_w[row, c], out.cdu_valve_frac[row, c] = cdu_w[c], state.cdu_valve[c, 0]
    for h in range(state.hall_c.shape[0]):
        out.hall_supply_c[row, h], out.hall_exhaust_c[row, h] = state.hall_c[h, 0], state.hall_c[h, 1]
    out.gear_w[row] = gear_w


@kernel
def stored_j(
    racks: RackParts, loops: LoopParts, cdus: ExchangerParts, units: ExchangerParts, halls: HallParts, pipes: Pipes, state: State
) -> float:  # fmt: skip
    """Heat in everything that the ride follows, above 0 degC [J]."""
    total = 0.0
    for r in range(racks.hall.size):
        total += racks.metal_j_k[r] * state.metal_c[r]
        if racks.loop[r] >= 0:
            total += racks.water_j_k[r] * state.water_c[r] + racks.rest_j_k[r] * state.rest_c[r]
    for c in range(cdus.fws.size):
        total += cdus.hot_j_k[c] * state.cdu_c[c, 0] + cdus.wall_j_k[c] * state.cdu_c[c, 1] + cdus.cold_j_k[c] * state.cdu_c[c, 2]
    for a in range(units.fws.size):
        total += units.wall_j_k[a] * state.unit_c[a, 0] + units.cold_j_k[a] * state.unit_c[a, 1]
    for h in range(halls.set_c.size):
        if halls.unit_first[h + 1] > halls.unit_first[h]:
            total += halls.cold_j_k[h] * state.hall_c[h, 0] + halls.hot_j_k[h] * state.hall_c[h, 1]
    base = 2 * loops.fws.size
    for x in range(loops.fws.size):
        cp = loops.cp_j_kg_k[x]
        total += cp * (heat_kg_k(pipes, 2 * x) + heat_kg_k(pipes, 2 * x + 1))
        if loops.fws[x]:
            total += loops.basin_j_k[x] * state.loop_c[x, 0]
        else:
            for p in range(loops.place_first[loops.manifold_first[x]], loops.place_first[loops.manifold_first[x + 1]]):
                total += cp * (heat_kg_k(pipes, base + 2 * p) + heat_kg_k(pipes, base + 2 * p + 1))
    return total
