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

from topology.axes import Bools, ExchangerAxis, Floats, Ints
from topology.errors import NotConverged
from topology.plant import Plant
from twin.solvers.bank import Exchangers, solve_bank
from twin.solvers.jit import kernel
from twin.solvers.plantside import YORK, Chillers, Towers, solve_chillers, solve_towers
from twin.state import Ambient, FlowState, HeatState, Loads, PowerState

MAX_PASSES = 200
HEAT_TOLERANCE = 1e-11
"""Change of power and heat between passes, relative to the site's heat, at which the fixed point is reached."""


class _Layout(NamedTuple):
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


class _Inputs(NamedTuple):
    """What varies by scenario: heat by loop and hall, flows (row ``flow`` of the flow arrays), who runs, weather."""

    loop_w: Floats
    hall_w: Floats
    cdu_pump_w: Floats
    cdu_kg_s: Floats
    flow: Ints
    cdu_on: Bools
    unit_on: Bools
    pump_on: Bools
    tower_on: Bools
    chiller_on: Bools
    alive_row: Ints
    wet_bulb_c: Floats


class _Out(NamedTuple):
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
    tower_w: Floats
    tower_fan: Floats
    tower_ok: Bools
    chiller_w: Floats
    chiller_power: Floats
    pump_power: Floats
    stranded: Floats
    vented: Floats
    change: Floats


def _allocate(plant: Plant, scenarios: int) -> _Out:
    def floats(n: int) -> Floats:
        return np.zeros((scenarios, n))

    x, c, a, h, w, k = (len(v.ids) for v in (plant.loops, plant.cdus, plant.air_units, plant.halls, plant.towers, plant.chillers))
    return _Out(
        floats(x), floats(x), floats(x), np.ones((scenarios, x), bool), floats(c), floats(c), floats(c), floats(c),
        floats(a), floats(a), floats(a), floats(a), floats(a), floats(h), floats(h), floats(h), np.ones((scenarios, h), bool),
        floats(w), floats(w), np.ones((scenarios, w), bool), floats(k), floats(k), floats(plant.pumps.n),
        np.zeros(scenarios), np.zeros(scenarios), np.zeros(scenarios),
    )  # fmt: skip


@kernel
def _tcs(lay: _Layout, x: Exchangers, inp: _Inputs, s: int, t_fws: Floats, phi: Floats, t_hall: Floats, out: _Out) -> None:
    """Every TCS loop: duty of its racks and pumps to its CDUs; fan power of liquid-to-air units."""
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
        back, supply, ok = solve_bank(x, own, hot, full, cold, duty, lay.loop_set_c[j], out.cdu_w[s], out.cdu_c[s], out.cdu_valve[s])
        out.loop_supply[s, j], out.loop_return[s, j], out.loop_ok[s, j] = supply, back, ok
        if not ok:
            out.stranded[s] += duty
        for c in own:
            on = inp.cdu_on[z, c]
            fan = lay.cdu_fan_w[c] * out.cdu_valve[s, c] ** 3 if lay.cdu_fws[c] < 0 else 0.0
            fixed = lay.cdu_fixed_w[c] + lay.cdu_aux_w[c]
            out.cdu_power[s, c] = fan + fixed if on else 0.0


@kernel
def _halls(lay: _Layout, x: Exchangers, inp: _Inputs, s: int, t_fws: Floats, phi: Floats, t_hall: Floats, out: _Out) -> None:
    """Every hall: air heat of racks, liquid-to-air CDUs, controls and fans to its air units."""
    z = inp.alive_row[s]
    out.hall_heat[s] = inp.hall_w[s]
    for c in range(lay.cdu_hall.size):
        if inp.cdu_on[z, c]:
            out.hall_heat[s, lay.cdu_hall[c]] += out.cdu_power[s, c] - lay.cdu_fixed_w[c] + (out.cdu_w[s, c] if lay.cdu_fws[c] < 0 else 0.0)
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
        back, supply, ok = solve_bank(x, own, hot, full, cold, heat, lay.hall_set_c[h], out.unit_w[s], out.unit_c[s], out.unit_valve[s])
        out.hall_supply[s, h], out.hall_return[s, h], out.hall_ok[s, h] = supply, back, ok
        t_hall[h] = supply
        if not ok:
            out.stranded[s] += heat


@kernel
def _facility(
    lay: _Layout, cx: Exchangers, ax: Exchangers, t: Towers, k: Chillers, york: Floats, inp: _Inputs, s: int, t_fws: Floats,
    phi: Floats, out: _Out,
) -> None:  # fmt: skip
    """Every facility loop: flow that valves ask for, its pumps, towers and chillers; new supply temperature and head."""
    z = inp.alive_row[s]
    n = lay.loop_fws.size
    heat, flow, compressors = np.zeros(n), np.zeros(n), np.zeros(n)
    for c in range(lay.cdu_fws.size):
        if lay.cdu_fws[c] >= 0 and inp.cdu_on[z, c]:
            heat[lay.cdu_fws[c]] += out.cdu_w[s, c]
            flow[lay.cdu_fws[c]] += out.cdu_valve[s, c] * cx.cold_kg_s[c] * phi[lay.cdu_fws[c]]
    for a in range(lay.unit_fws.size):
        if inp.unit_on[z, a]:
            heat[lay.unit_fws[a]] += out.unit_w[s, a]
            flow[lay.unit_fws[a]] += out.unit_valve[s, a] * ax.cold_kg_s[a] * phi[lay.unit_fws[a]]
    pumped = _facility_pumps(lay, inp.pump_on[z], flow, phi, heat, out.pump_power[s])
    for c in range(k.fws.size):
        compressors[k.fws[c]] += out.chiller_power[s, c]
    supply, towers = solve_towers(
        t, york, inp.tower_on[z], heat + compressors, lay.loop_cp, inp.wet_bulb_c[s], lay.loop_set_c, out.tower_w[s], out.tower_fan[s], out.tower_ok[s]
    )
    solve_chillers(k, inp.chiller_on[z], supply, lay.loop_set_c, flow * lay.loop_cp, out.chiller_w[s], out.chiller_power[s])
    for f in range(n):
        if not lay.loop_fws[f]:
            continue
        ok = (pumped[f] and towers[f]) or heat[f] <= 0.0
        if not ok:
            supply[f] = lay.loop_set_c[f]
            out.stranded[s] += heat[f]
        t_fws[f] = supply[f]
        capacity = flow[f] * lay.loop_cp[f]
        out.loop_supply[s, f], out.loop_ok[s, f], out.loop_kg_s[s, f] = supply[f], ok, flow[f]
        out.loop_return[s, f] = supply[f] + heat[f] / capacity if capacity > 0.0 else supply[f]
    for w in range(t.fws.size):
        if not out.loop_ok[s, t.fws[w]]:
            out.tower_w[s, w] = 0.0
    for c in range(k.fws.size):
        if not out.loop_ok[s, k.fws[c]]:
            out.chiller_w[s, c], out.chiller_power[s, c] = 0.0, 0.0


@kernel
def _facility_pumps(lay: _Layout, on: Bools, flow: Floats, phi: Floats, heat: Floats, power: Floats) -> Bools:
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


@kernel
def _pump_flow(lay: _Layout, u: int, phi: float) -> float:
    head = lay.loop_dp[lay.pump_loop[u]] * phi * phi
    return lay.pump_count[u] * math.sqrt(max(lay.pump_shutoff[u] - head, 0.0) / lay.pump_k[u])


@kernel
def _total(row: Floats) -> float:
    total = 0.0
    for v in row:
        total += v
    return total


@kernel
def _fixed_point(
    lay: _Layout, cx: Exchangers, ax: Exchangers, t: Towers, k: Chillers, york: Floats, inp: _Inputs, out: _Out, tolerance: float, passes: int
) -> None:
    scenarios = inp.flow.size
    for s in range(scenarios):
        t_fws = lay.loop_set_c.copy()
        t_hall = lay.hall_set_c.copy()
        phi = np.ones(t_fws.size)
        before_t, before_hall, before_phi = t_fws.copy(), t_hall.copy(), phi.copy()
        before_fan, before_pump, before_chiller = 0.0, 0.0, 0.0
        scale = 1.0 + _total(inp.loop_w[s]) + _total(inp.hall_w[s])
        for n in range(passes):
            out.stranded[s], out.vented[s] = 0.0, 0.0
            _tcs(lay, cx, inp, s, t_fws, phi, t_hall, out)
            _halls(lay, ax, inp, s, t_fws, phi, t_hall, out)
            _facility(lay, cx, ax, t, k, york, inp, s, t_fws, phi, out)
            fan, pump, chiller = _total(out.cdu_power[s]), _total(out.pump_power[s]), _total(out.chiller_power[s])
            moved = (abs(fan - before_fan) + abs(pump - before_pump) + abs(chiller - before_chiller)) / scale
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


@kernel
def _sum_by(values: Floats, owner: Ints, groups: int) -> Floats:
    """(S, groups) sums of (S, R) values over the owner of each column; -1 belongs to nobody."""
    out = np.zeros((values.shape[0], groups))
    for s in range(values.shape[0]):
        for r in range(owner.size):
            if owner[r] >= 0:
                out[s, owner[r]] += values[s, r]
    return out


def _exchangers(axis: ExchangerAxis) -> Exchangers:
    return Exchangers(
        axis.hot_kg_s, axis.cold_kg_s, axis.hot_cp_j_kg_k, axis.cold_cp_j_kg_k, axis.ua_w_k, axis.hot_exponent, axis.cold_exponent
    )


def _grouped(owner: Ints, groups: int) -> tuple[Ints, Ints]:
    order = np.argsort(owner, kind="stable").astype(np.int64)
    return order, np.searchsorted(owner[order], np.arange(groups + 1)).astype(np.int64)


def _layout(plant: Plant) -> _Layout:
    loops, cdus, units, pumps = plant.loops, plant.cdus, plant.air_units, plant.pumps
    cdu_order, cdu_first = _grouped(cdus.loop, loops.n)
    unit_order, unit_first = _grouped(units.hall, plant.halls.n)
    return _Layout(
        loops.fws, loops.supply_c, loops.cp_j_kg_k, loops.rho_kg_m3, loops.dp_pa, cdu_order, cdu_first, cdus.fws, cdus.hall, cdus.fan_w,
        cdus.aux_w, cdus.pump_fixed_w, unit_order, unit_first, units.fws, units.duty_w, units.fan_w, units.fan_floor_frac,
        plant.halls.air_supply_c, pumps.loop, pumps.cdu < 0, pumps.count, pumps.shutoff_pa, np.maximum(pumps.k, 1e-12), pumps.efficiency_frac,
    )  # fmt: skip


def _inputs(plant: Plant, loads: Loads, flow: FlowState, row: Ints, gear_on: Bools, alive_row: Ints, ambient: Ambient) -> tuple[_Inputs, Floats]:
    """Heat by loop and hall; liquid heat of a rack without flow is stranded and returned beside (S, R)."""
    racks, cdus, pumps = plant.racks, plant.cdus, plant.pumps
    loop_of = np.where(racks.manifold >= 0, plant.manifolds.loop[racks.manifold], -1) if plant.manifolds.n else np.full(racks.n, -1)
    wet = flow.rack_kg_s[row] > 0.0
    held = np.where(wet, 0.0, loads.liquid_w)
    loop_w = _sum_by(np.ascontiguousarray(loads.liquid_w - held), loop_of, plant.loops.n)
    hall_w = _sum_by(loads.rack_w - loads.liquid_w, racks.hall, plant.halls.n)
    inside = np.flatnonzero(pumps.cdu >= 0)
    cdu_pump_w = np.zeros_like(flow.cdu_kg_s)
    np.add.at(cdu_pump_w, (slice(None), pumps.cdu[inside]), flow.pump_w[:, inside])
    return _Inputs(
        loop_w, hall_w, cdu_pump_w, flow.cdu_kg_s, row, gear_on[:, cdus.gear], gear_on[:, plant.air_units.gear], gear_on[:, pumps.gear],
        gear_on[:, plant.towers.gear], gear_on[:, plant.chillers.gear], alive_row, ambient.wet_bulb_c,
    ), held  # fmt: skip


def solve_heat(
    plant: Plant, loads: Loads, flow: FlowState, row: Ints, gear_on: Bools, alive_row: Ints, ambient: Ambient
) -> tuple[HeatState, Floats, Floats, Floats]:
    """Carry heat from racks to weather.

    Args:
        plant: the plant.
        loads: (S, R) loads of powered racks.
        flow: flows of V cases.
        row: (S,) case of each scenario in ``flow``.
        gear_on: (Z, G) gear that runs under each set of lost elements.
        alive_row: (S,) set of each scenario.
        ambient: (S,) weather.

    Returns:
        Temperatures and heat; (S, L) facility flow; (S,) stranded heat; (S,) heat vented by halls without air units.

    Raises:
        NotConverged: the fixed point was not reached; carries the scenario and the last change.
    """
    inp, held = _inputs(plant, loads, flow, row, gear_on, alive_row, ambient)
    out = _allocate(plant, row.size)
    t, k = plant.towers, plant.chillers
    _fixed_point(
        _layout(plant), _exchangers(plant.cdus), _exchangers(plant.air_units),
        Towers(t.fws, t.duty_w, t.water_kg_s, t.lg_ratio, t.exchanger_k, t.fan_w, t.pump_w),
        Chillers(k.fws, k.duty_w, k.cop, k.cap_f_t, k.eir_f_t, k.eir_f_plr), YORK, inp, out, HEAT_TOLERANCE, MAX_PASSES,
    )  # fmt: skip
    if (out.change > 100.0 * HEAT_TOLERANCE).any():
        s = int(np.argmax(out.change))
        raise NotConverged(
            f"the heat balance of scenario {s} did not settle in {MAX_PASSES} passes (last change {out.change[s]:.1e} of its heat)",
            scenario=s, residual=float(out.change[s]),
        )  # fmt: skip
    state = _state(plant, loads, flow, row, gear_on[alive_row], out, held)
    return state, out.loop_kg_s, out.stranded + held.sum(axis=1), out.vented


def _state(plant: Plant, loads: Loads, flow: FlowState, row: Ints, gear_on: Bools, out: _Out, held: Floats) -> HeatState:
    racks, cdus = plant.racks, plant.cdus
    fws_ok = np.concatenate([out.loop_ok, np.ones((row.size, 1), bool)], axis=1)
    unit_ok = fws_ok[:, plant.air_units.fws]
    hall_ok = out.hall_ok & _each(plant.air_units.hall, unit_ok, plant.halls.n)
    hall_ok_pad = np.concatenate([hall_ok, np.ones((row.size, 1), bool)], axis=1)
    sink_ok = np.where(cdus.fws >= 0, fws_ok[:, cdus.fws], hall_ok_pad[:, cdus.hall])
    loop_ok = out.loop_ok & (_each(cdus.loop, sink_ok, plant.loops.n) | plant.loops.fws)
    loop_supply = np.where(loop_ok, out.loop_supply, np.inf)
    hall_supply = np.where(hall_ok, out.hall_supply, np.inf)
    loop_of = plant.manifolds.loop[racks.manifold] if plant.manifolds.n else np.zeros(racks.n, np.int64)
    hung = racks.manifold >= 0
    m = flow.rack_kg_s[row]
    wet = hung & (m > 0.0)
    coolant = np.where(hung, loop_supply[:, loop_of], hall_supply[:, racks.hall])
    cp = np.where(hung, plant.loops.cp_j_kg_k[loop_of], 1.0)
    rise = np.divide(loads.liquid_w, m * cp, out=np.zeros_like(m), where=wet)
    return HeatState(
        loop_supply_c=loop_supply, loop_return_c=np.where(loop_ok, out.loop_return, np.inf),
        cdu_w=out.cdu_w, cdu_supply_c=out.cdu_c, cdu_valve_frac=out.cdu_valve, air_unit_w=out.unit_w,
        hall_supply_c=hall_supply, hall_return_c=np.where(hall_ok, out.hall_return, np.inf), hall_w=out.hall_heat,
        tower_w=out.tower_w, tower_fan_frac=out.tower_fan, tower_in_bounds=out.tower_ok, chiller_w=out.chiller_w,
        gear_w=_gear_power(plant, flow, row, gear_on, out),
        chip_c=_chip_c(plant, loads, m, coolant, wet, held), rack_return_c=np.where(wet, coolant + rise, coolant),
        inlet_c=hall_supply[:, racks.hall], cooled=(held <= 0.0) & (~wet | loop_ok[:, loop_of]) & hall_ok[:, racks.hall],
    )  # fmt: skip


def _each(owner: Ints, ok: Bools, groups: int) -> Bools:
    """(S, groups): no member of the group is without its sink."""
    bad = np.zeros((ok.shape[0], groups), np.int64)
    np.add.at(bad, (slice(None), owner), ~ok)
    result: Bools = bad == 0
    return result


def _chip_c(plant: Plant, loads: Loads, m: Floats, coolant_c: Floats, wet: Bools, held: Floats) -> Floats:
    """Accelerator temperature: coolant (or inlet air) plus resistance times power; the plate is ``R = base + b q^-n``."""
    racks = plant.racks
    q = m * racks.plate_share_frac
    with np.errstate(divide="ignore"):
        plate = racks.r_base_k_w + np.where(wet & (q > 0.0), racks.r_flow * np.where(q > 0.0, q, 1.0) ** -racks.r_exponent, 0.0)
    resistance = np.where(racks.r_air_k_w > 0.0, racks.r_air_k_w, plate)
    chip: Floats = np.where((held > 0.0) & (loads.chip_w > 0.0), np.inf, coolant_c + resistance * loads.chip_w)
    return chip


def _gear_power(plant: Plant, flow: FlowState, row: Ints, gear_on: Bools, out: _Out) -> Floats:
    power = np.zeros((row.size, plant.gear.n))
    power[:, plant.cdus.gear] += out.cdu_power
    np.add.at(power, (slice(None), plant.pumps.gear), out.pump_power + flow.pump_w[row])
    power[:, plant.air_units.gear] += out.unit_power
    t = plant.towers
    tower = t.fan_w * out.tower_fan**3 + t.pump_w
    power[:, t.gear] += np.where(gear_on[:, t.gear], tower, 0.0)
    power[:, plant.chillers.gear] += out.chiller_power
    return power
