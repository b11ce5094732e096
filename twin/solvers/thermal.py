"""Heat from racks to weather: TCS loops, halls, facility loops, towers and chillers, one fixed point a scenario.

Given rack heat and TCS flows, the unknowns are the supply temperatures of facility loops and halls, how far facility pumps
can keep their head, and the power of fans, facility pumps and chillers, which becomes heat itself. Each pass solves every
bank of exchangers for its duty (:mod:`twin.solvers.bank`) and the plant (:mod:`twin.solvers.plantside`); passes repeat until
no unknown moves. Heat that nothing carries away is counted where it stops and reported, never dropped.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.solvers.bank import Exchangers, reach_w_k, solve_bank, valve_share
from twin.solvers.jit import inner, kernel, lent
from twin.solvers.plantside import Side, SideOn, SideOut, Weather, no_heat, solve_loop


class Layout(NamedTuple):
    """Who belongs to whom; every list grouped by the thing it belongs to."""

    loop_fws: Bools
    loop_set_c: Floats
    loop_cp: Floats
    loop_rho: Floats
    loop_dp: Floats
    cdu_order: Ints
    cdu_first: Ints
    cdu_fws: Ints
    cdu_hall: Ints
    cdu_fan_w: Floats
    cdu_aux_w: Floats
    cdu_fixed_w: Floats
    unit_order: Ints
    unit_first: Ints
    unit_hall: Ints
    unit_rack: Ints
    unit_fws: Ints
    unit_duty_w: Floats
    unit_fan_w: Floats
    unit_floor: Floats
    hall_set_c: Floats
    pump_loop: Ints
    pump_own: Bools
    pump_count: Floats
    pump_shutoff: Floats
    pump_k: Floats
    pump_efficiency: Floats


class Inputs(NamedTuple):
    """What varies by scenario: heat by loop, hall and rear door, flows (row ``flow`` of the flow arrays), who runs, weather."""

    loop_w: Floats
    hall_w: Floats
    door_w: Floats
    cdu_pump_w: Floats
    cdu_kg_s: Floats
    flow: Ints
    cdu_on: Bools
    unit_on: Bools
    pump_on: Bools
    side_on: SideOn
    alive_row: Ints
    weather: Weather


class Out(NamedTuple):
    """Results by scenario; see :class:`twin.state.HeatState`. ``change`` is how far the last pass still moved."""

    loop_supply: Floats
    loop_return: Floats
    loop_kg_s: Floats
    loop_ok: Bools
    cdu_w: Floats
    cdu_c: Floats
    cdu_valve: Floats
    cdu_power: Floats
    unit_w: Floats
    unit_c: Floats
    unit_valve: Floats
    unit_fan: Floats
    unit_power: Floats
    hall_supply: Floats
    hall_return: Floats
    hall_heat: Floats
    hall_ok: Bools
    pump_power: Floats
    stranded: Floats
    vented: Floats
    change: Floats


@inner
def _tcs(lay: Layout, x: Exchangers, inp: Inputs, s: int, t_fws: Floats, phi: Floats, t_hall: Floats, seen: Floats, out: Out) -> None:
    """Every TCS loop: duty of its racks and pumps to its CDUs; fan power of liquid-to-air units.

    A loop whose cold sides are as the last pass saw them (``seen``: their temperature and flow) keeps its answer.
    """
    z = inp.alive_row[s]
    hot = inp.cdu_kg_s[inp.flow[s]]
    full = np.zeros(hot.size)
    cold = np.zeros(hot.size)
    for c in range(hot.size):
        f = lay.cdu_fws[c]
        cold[c] = t_fws[f] if f >= 0 else t_hall[lay.cdu_hall[c]]
        if inp.cdu_on[z, c]:
            full[c] = x.cold_kg_s[c] * (phi[f] if f >= 0 else 1.0)
    for j in range(lay.loop_fws.size):
        if lay.loop_fws[j]:
            continue
        own = lay.cdu_order[lay.cdu_first[j] : lay.cdu_first[j + 1]]
        duty = inp.loop_w[s, j]
        for c in own:
            duty += inp.cdu_pump_w[inp.flow[s], c] + (lay.cdu_fixed_w[c] if inp.cdu_on[z, c] else 0.0)
        same = own.size > 0
        for c in own:
            same = same and seen[0, c] == cold[c] and seen[1, c] == full[c]
            seen[0, c], seen[1, c] = cold[c], full[c]
        if same:
            if not out.loop_ok[s, j]:
                out.stranded[s] += duty
            continue
        back, supply, ok = solve_bank(
            x, own, hot, full, cold, duty, lay.loop_set_c[j], out.loop_return[s, j], out.cdu_w[s], out.cdu_c[s], out.cdu_valve[s]
        )
        out.loop_supply[s, j], out.loop_return[s, j], out.loop_ok[s, j] = supply, back, ok
        if not ok:
            out.stranded[s] += duty
        for c in own:
            on = inp.cdu_on[z, c]
            fan = lay.cdu_fan_w[c] * out.cdu_valve[s, c] ** 3 if lay.cdu_fws[c] < 0 else 0.0
            fixed = lay.cdu_fixed_w[c] + lay.cdu_aux_w[c]
            out.cdu_power[s, c] = fan + fixed if on else 0.0


@inner
def _halls(lay: Layout, x: Exchangers, inp: Inputs, s: int, t_fws: Floats, phi: Floats, t_hall: Floats, out: Out) -> None:
    """Every hall: air heat of racks, liquid-to-air CDUs, controls and fans to its air units."""
    z = inp.alive_row[s]
    for h in range(lay.hall_set_c.size):
        out.hall_heat[s, h] = inp.hall_w[s, h]
    for c in range(lay.cdu_hall.size):
        if inp.cdu_on[z, c]:
            out.hall_heat[s, lay.cdu_hall[c]] += out.cdu_power[s, c] - lay.cdu_fixed_w[c] + (out.cdu_w[s, c] if lay.cdu_fws[c] < 0 else 0.0)
    for a in range(lay.unit_duty_w.size):
        if lay.unit_rack[a] != -1:
            _door(lay, x, s, a, inp.door_w[s, a], inp.unit_on[z, a], t_fws, phi, t_hall, out)
    hot = np.zeros(lay.unit_duty_w.size)
    full = np.zeros(hot.size)
    cold = np.zeros(hot.size)
    for h in range(lay.hall_set_c.size):
        heat = out.hall_heat[s, h]
        own = lay.unit_order[lay.unit_first[h] : lay.unit_first[h + 1]]
        rated = 0.0
        for a in own:
            out.unit_power[s, a], out.unit_fan[s, a] = 0.0, 0.0
            if inp.unit_on[z, a]:
                rated += lay.unit_duty_w[a]
        fans = 0.0
        for a in own:
            f = lay.unit_fws[a]
            cold[a] = t_fws[f]
            if inp.unit_on[z, a]:
                speed = min(max(heat / rated, lay.unit_floor[a]), 1.0)
                out.unit_fan[s, a] = speed
                out.unit_power[s, a] = lay.unit_fan_w[a] * speed**3
                hot[a] = x.hot_kg_s[a] * speed
                full[a] = x.cold_kg_s[a] * phi[f]
                fans += out.unit_power[s, a]
        heat += fans
        out.hall_heat[s, h] = heat
        if own.size == 0:
            out.hall_supply[s, h], out.hall_return[s, h], out.hall_ok[s, h] = lay.hall_set_c[h], lay.hall_set_c[h], True
            out.vented[s] += heat
            continue
        back, supply, ok = solve_bank(
            x, own, hot, full, cold, heat, lay.hall_set_c[h], out.hall_return[s, h], out.unit_w[s], out.unit_c[s], out.unit_valve[s]
        )
        out.hall_supply[s, h], out.hall_return[s, h], out.hall_ok[s, h] = supply, back, ok
        t_hall[h] = supply
        if not ok:
            out.stranded[s] += heat


@inner
def _door(lay: Layout, x: Exchangers, s: int, a: int, air_w: float, on: bool, t_fws: Floats, phi: Floats, t_hall: Floats, out: Out) -> None:
    """A rear door: takes what its rack gives to the air, no more (the room stays neutral), as far as its water can.

    Its air enters above the hall's by the rack's heat and the door's fans; its valve slows down where there is capacity to spare.
    """
    h, f, guess = lay.unit_hall[a], lay.unit_fws[a], out.unit_valve[s, a]
    out.unit_w[s, a], out.unit_c[s, a], out.unit_valve[s, a] = 0.0, t_hall[h], 0.0
    out.unit_fan[s, a], out.unit_power[s, a] = 0.0, 0.0
    if not on or air_w <= 0.0:
        return
    speed = min(max(air_w / lay.unit_duty_w[a], lay.unit_floor[a]), 1.0)
    fan = lay.unit_fan_w[a] * speed**3
    hot = x.hot_kg_s[a] * speed
    capacity, full = hot * x.hot_cp_j_kg_k[a], x.cold_kg_s[a] * phi[f]
    entering = t_hall[h] + (air_w + fan) / capacity
    reach, span = reach_w_k(x, a, hot, full), entering - t_fws[f]
    taken = max(min(air_w + fan, reach * span), 0.0)
    if taken > 0.0:
        out.unit_valve[s, a] = valve_share(x, a, hot, full, taken / span, reach, guess)
    out.unit_w[s, a], out.unit_c[s, a] = taken, entering - taken / capacity
    out.unit_fan[s, a], out.unit_power[s, a] = speed, fan
    out.hall_heat[s, h] += fan - taken


@inner
def _facility(
    lay: Layout, cx: Exchangers, ax: Exchangers, side: Side, inp: Inputs, s: int, t_fws: Floats, phi: Floats, out: Out, outside: SideOut
) -> None:
    """Every facility loop: flow that valves ask for, its pumps, what cools it outside; new supply temperature and head."""
    z = inp.alive_row[s]
    n = lay.loop_fws.size
    heat, flow = np.zeros(n), np.zeros(n)
    for c in range(lay.cdu_fws.size):
        if lay.cdu_fws[c] >= 0 and inp.cdu_on[z, c]:
            heat[lay.cdu_fws[c]] += out.cdu_w[s, c]
            flow[lay.cdu_fws[c]] += out.cdu_valve[s, c] * cx.cold_kg_s[c] * phi[lay.cdu_fws[c]]
    for a in range(lay.unit_fws.size):
        if inp.unit_on[z, a]:
            heat[lay.unit_fws[a]] += out.unit_w[s, a]
            flow[lay.unit_fws[a]] += out.unit_valve[s, a] * ax.cold_kg_s[a] * phi[lay.unit_fws[a]]
    pumped = _facility_pumps(lay, inp.pump_on[z], flow, phi, heat, out.pump_power[s])
    for f in range(n):
        if not lay.loop_fws[f]:
            continue
        capacity = flow[f] * lay.loop_cp[f]
        supply, ok = solve_loop(side, inp.side_on, z, inp.weather, s, f, heat[f], capacity, lay.loop_cp[f], lay.loop_set_c[f], outside)
        ok = (pumped[f] and ok) or heat[f] <= 0.0
        if not ok:
            supply = lay.loop_set_c[f]
            out.stranded[s] += heat[f]
            no_heat(side, s, f, outside)
        t_fws[f] = supply
        out.loop_supply[s, f], out.loop_ok[s, f], out.loop_kg_s[s, f] = supply, ok, flow[f]
        out.loop_return[s, f] = supply + heat[f] / capacity if capacity > 0.0 else supply


@inner
def _facility_pumps(lay: Layout, on: Bools, flow: Floats, phi: Floats, heat: Floats, power: Floats) -> Bools:
    """Power of facility pumps at the head that they keep, as heat too; head factor for the next pass; loops that are pumped.

    Valves that are open take flow with the root of the head: ``phi`` is flow through an open valve over its rating.
    """
    n = phi.size
    able, rows = np.zeros(n), np.zeros(n)
    for u in range(on.size):
        f = lay.pump_loop[u]
        if lay.pump_own[u] and lay.loop_fws[f]:
            rows[f] += 1.0
            if on[u]:
                able[f] += _pump_flow(lay, u, phi[f])
    for u in range(on.size):
        f = lay.pump_loop[u]
        power[u] = 0.0
        if lay.pump_own[u] and lay.loop_fws[f] and on[u] and able[f] > 0.0:
            head = lay.loop_dp[f] * phi[f] * phi[f]
            power[u] = _pump_flow(lay, u, phi[f]) / able[f] * flow[f] / lay.loop_rho[f] * head / lay.pump_efficiency[u]
            heat[f] += power[u]
    pumped = np.ones(n, np.bool_)
    for f in range(n):
        if rows[f] > 0.0:
            pumped[f] = able[f] > 0.0
            if pumped[f] and flow[f] > 0.0:
                phi[f] = min(1.0, phi[f] * able[f] / flow[f])
    return pumped


@inner
def _pump_flow(lay: Layout, u: int, phi: float) -> float:
    head = lay.loop_dp[lay.pump_loop[u]] * phi * phi
    flow: float = lay.pump_count[u] * math.sqrt(max(lay.pump_shutoff[u] - head, 0.0) / lay.pump_k[u])
    return flow


@inner
def _total(row: Floats) -> float:
    total = 0.0
    for v in row:
        total += v
    return total


@kernel
def fixed_point(
    lay: Layout, cx: Exchangers, ax: Exchangers, side: Side, inp: Inputs, out: Out, outside: SideOut, tolerance: float, passes: int,
    first: int, last: int,
) -> None:  # fmt: skip
    """Repeat the passes of each scenario from ``first`` on, ``last`` left out, until no unknown of it moves."""
    lay, cx, ax, side, inp, out, outside = lent(lay), lent(cx), lent(ax), lent(side), lent(inp), lent(out), lent(outside)
    for s in range(first, last):
        t_fws = lay.loop_set_c.copy()
        t_hall = lay.hall_set_c.copy()
        phi = np.ones(t_fws.size)
        seen = np.full((2, lay.cdu_fws.size), np.nan)
        before_t, before_hall, before_phi = t_fws.copy(), t_hall.copy(), phi.copy()
        before_fan, before_pump, before_chiller = 0.0, 0.0, 0.0
        scale = 1.0 + _total(inp.loop_w[s]) + _total(inp.hall_w[s])
        for n in range(passes):
            out.stranded[s], out.vented[s] = 0.0, 0.0
            _tcs(lay, cx, inp, s, t_fws, phi, t_hall, seen, out)
            _halls(lay, ax, inp, s, t_fws, phi, t_hall, out)
            _facility(lay, cx, ax, side, inp, s, t_fws, phi, out, outside)
            fan, pump, chiller = _total(out.cdu_power[s]), _total(out.pump_power[s]), _total(outside.chiller_power[s])
            moved = (abs(fan - before_fan) + abs(pump - before_pump) + abs(chiller - before_chiller)) / (scale + fan + pump + chiller)
            for f in range(t_fws.size):
                moved = max(moved, 1e-2 * abs(t_fws[f] - before_t[f]), 1e-2 * abs(phi[f] - before_phi[f]))
                before_t[f], before_phi[f] = t_fws[f], phi[f]
            for h in range(t_hall.size):
                moved = max(moved, 1e-2 * abs(t_hall[h] - before_hall[h]))
                before_hall[h] = t_hall[h]
            before_fan, before_pump, before_chiller = fan, pump, chiller
            out.change[s] = moved
            if n > 0 and moved <= tolerance:
                break
