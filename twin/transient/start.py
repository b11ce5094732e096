"""The state of rest with which a ride begins: temperatures of the steady solve, valves and speeds that keep them, pipes filled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, Floats
from twin.solvers.bank import Exchangers, conductance_w_k
from twin.solvers.laws import exchanger_w_k
from twin.solvers.momentum import header
from twin.solvers.rpu import AIR_STEPS, COOLANT_STEPS, step_duty
from twin.solvers.transient_control import firmware_integral
from twin.solvers.transient_flow import hand_out
from twin.solvers.transient_halls import AIR_CP
from twin.solvers.transient_parts import State, Work
from twin.solvers.transient_racks import both_sides_w_k
from twin.solvers.transport import SLUGS, Pipes
from twin.state import SteadyState
from twin.transient.prepare import Parts
from twin.transient.rest import at_rest, members, running


@dataclass(frozen=True)
class Start:
    """What changes during a ride, at its start.

    Attributes:
        state: temperatures, valves, speeds, flows.
        work: scratch, holding the flows and heats of the start.
        pipes: pipes and what is in them.
    """

    state: State
    work: Work
    pipes: Pipes


def begin(parts: Parts, start: SteadyState, gear_on: Bools) -> Start:
    """Fill the state.

    Args:
        parts: constants; the anchors of their exchangers are written.
        start: the steady state, one scenario.
        gear_on: (G,) gear that runs in it.

    Returns:
        A state of rest.
    """
    plant = parts.plant
    work, state = _work(parts), _state(parts, start)
    count = running(plant, gear_on)
    for x in np.flatnonzero(~plant.loops.fws):
        _rest(parts, state, work, int(x), count, 0.0)
    _fans(parts, start, state, work, gear_on)
    phi = np.ones(plant.loops.n)
    for _ in range(40):
        asked = _valves(parts, start, state, work, phi)
        before = phi.copy()
        for x in np.flatnonzero(plant.loops.fws):
            if parts.loops.pumped[x]:
                _rest(parts, state, work, int(x), count, float(asked[x]))
                phi[x] = work.loop_kg_s[x] / asked[x] if asked[x] > 0.0 else 0.0
            else:
                work.loop_kg_s[x], phi[x] = asked[x], 1.0
        if np.abs(phi - before).max(initial=0.0) < 1e-13:
            break
    work.phi[:] = phi
    _pump_power(parts, start, work, asked)
    _share_flow(parts, state, work)
    _exchangers(parts, start, state, work)
    _plant_side(parts, start, state, work)
    pipes = _pipes(parts, start, state, work)
    state.last_c[:] = _readings(parts, start, state)
    return Start(state, work, pipes)


def _work(parts: Parts) -> Work:
    p = parts.plant
    b, n = parts.branches.shutoff_pa.size, p.loops.n
    return Work(
        np.zeros(b), np.zeros(n), np.ones(n), np.zeros(p.cdus.n), np.zeros(p.air_units.n), np.zeros(p.air_units.n), np.zeros((n, 2)),
        np.zeros((n, 3)), np.zeros(p.halls.n), np.zeros(b), np.zeros(n),
    )  # fmt: skip


def _state(parts: Parts, start: SteadyState) -> State:
    p, heat = parts.plant, start.heat
    r, c, a, h, n = p.racks.n, p.cdus.n, p.air_units.n, p.halls.n, p.loops.n
    b = parts.branches.shutoff_pa.size
    wet = parts.racks.loop >= 0
    entry = np.where(wet, _finite(heat.coolant_c[0], 25.0), 0.0)
    chip = _finite(heat.chip_c[0], 25.0)
    supply = np.where(np.isfinite(heat.hall_supply_c[0]), heat.hall_supply_c[0], p.halls.air_supply_c)
    exhaust = np.where(np.isfinite(heat.hall_return_c[0]), heat.hall_return_c[0], supply)
    loop_c = np.zeros((n, 5))
    loop_c[:, 2] = np.where(np.isfinite(heat.loop_supply_c[0]), heat.loop_supply_c[0], p.loops.supply_c)
    loop_c[:, 3] = np.where(np.isfinite(heat.loop_return_c[0]), heat.loop_return_c[0], loop_c[:, 2])
    loop_c[:, 4] = loop_c[:, 2]
    return State(
        metal_c=chip, water_c=entry.copy(), rest_c=np.where(wet, _finite(heat.rack_return_c[0], 25.0), 0.0), entry_c=entry,
        rack_kg_s=np.zeros(r), on=np.ones(r), cdu_c=np.zeros((c, 3)), cdu_valve=np.zeros((c, 4)), unit_c=np.zeros((a, 2)),
        unit_valve=np.zeros((a, 4)), unit_fan=np.zeros((a, 2)), hall_c=np.stack([supply, exhaust, supply], axis=1).reshape(h, 3),
        loop_c=loop_c, reject=np.zeros((n, 3)), chiller_w=np.zeros(n), pump=np.zeros((n, 2)), speed=np.zeros(b), flow=np.zeros(b),
        clock=np.array([0.0, 0.0, 0.0]), book_j=np.zeros(3), first_s=np.full((r, 6), np.inf), loop_s=np.full(n, np.inf),
        hall_s=np.full(h, np.inf), peak_c=chip.copy(), last_c=np.zeros((r, 6)),
    )  # fmt: skip


def _finite(values: Floats, otherwise: float) -> Floats:
    out: Floats = np.where(np.isfinite(values), values, otherwise)
    return out


def _rest(parts: Parts, state: State, work: Work, x: int, count: Floats, asked: float) -> None:
    b = parts.branches
    own = slice(int(b.first[x]), int(b.first[x + 1]))
    speed, flow = at_rest(b, x, count, asked)
    state.flow[own], work.mean[own] = flow, flow
    state.speed[own] = np.where(count[own] > 0.0, speed, 0.0)
    state.pump[x, 0] = speed
    work.loop_kg_s[x] = flow.sum()


def _share_flow(parts: Parts, state: State, work: Work) -> None:
    """Rack flows of every TCS loop at its flow."""
    for x in np.flatnonzero(~parts.plant.loops.fws):
        hand_out(parts.loops, parts.branches, int(x), parts.curves.share, float(work.loop_kg_s[x]), state.rack_kg_s)


def _pump_power(parts: Parts, start: SteadyState, work: Work, asked: Floats) -> None:
    """Power of pumps; efficiencies are set so that it is that of the steady solve, which may stage pumps."""
    b, p = parts.branches, parts.plant
    order, _ = members(p)
    seen = start.flow.pump_w[0]
    of_cdu = np.zeros(p.cdus.n)
    inside = p.pumps.cdu >= 0
    np.add.at(of_cdu, p.pumps.cdu[inside], seen[inside])
    for x in range(parts.plant.loops.n):
        if work.loop_kg_s[x] <= 0.0:
            continue
        if parts.plant.loops.fws[x] and not parts.loops.pumped[x]:
            continue
        dp, _ = header(b, x, float(work.loop_kg_s[x]), float(asked[x]))
        own = slice(int(b.first[x]), int(b.first[x + 1]))
        head = dp + b.inner[own] * work.mean[own] ** 2
        hydraulic = work.mean[own] / parts.loops.rho_kg_m3[x] * head
        drawn = seen[order[own]] if p.loops.fws[x] else of_cdu[order[own]]
        known = np.isfinite(parts.loops.efficiency[own]) & (drawn > 0.0) & (hydraulic > 0.0)
        parts.loops.efficiency[own] = np.divide(hydraulic, drawn, out=parts.loops.efficiency[own].copy(), where=known)
        power = hydraulic / parts.loops.efficiency[own]
        work.pump_w[own] = np.where(work.mean[own] > 0.0, power + parts.loops.fixed_w[own], 0.0)


def _fans(parts: Parts, start: SteadyState, state: State, work: Work, gear_on: Bools) -> None:
    """Fan speeds of air units from their power, and the heat of each hall without them."""
    units, plant = parts.plant.air_units, parts.plant
    power = start.heat.gear_w[0, plant.air_units.gear] if plant.air_units.n else np.zeros(0)
    on = gear_on[plant.air_units.gear] if plant.air_units.n else np.zeros(0, bool)
    fans = np.zeros(plant.halls.n)
    np.add.at(fans, units.hall, power)
    work.hall_w[:] = start.heat.hall_w[0] - fans
    for a in np.flatnonzero(on):
        same = on & (units.hall == units.hall[a])
        by_heat = work.hall_w[units.hall[a]] / units.duty_w[same].sum()
        speed = (power[a] / units.fan_w[a]) ** (1.0 / 3.0) if units.fan_w[a] > 0.0 else by_heat
        speed = float(min(max(speed, units.fan_floor_frac[a]), 1.0))
        state.unit_fan[a] = speed
        work.fan[a] = speed


def _valves(parts: Parts, start: SteadyState, state: State, work: Work, phi: Floats) -> Floats:
    """Valve positions; flow that each facility loop's valves take at the set-point."""
    p, heat = parts.plant, start.heat
    asked = np.zeros(p.loops.n)
    for c in range(p.cdus.n):
        v = float(heat.cdu_valve_frac[0, c])
        state.cdu_valve[c, 0] = state.cdu_valve[c, 1] = work.valve[c] = v
        if p.cdus.fws[c] >= 0:
            asked[p.cdus.fws[c]] += v * p.cdus.cold_kg_s[c]
    for a in range(p.air_units.n):
        f = p.air_units.fws[a]
        span = float(state.hall_c[p.air_units.hall[a], 1] - state.loop_c[f, 2])
        want = float(heat.air_unit_w[0, a]) / span if span > 0.0 else 0.0
        v = _opening(parts, a, work.fan[a] * p.air_units.hot_kg_s[a], want, float(phi[f]))
        state.unit_valve[a, 0] = state.unit_valve[a, 1] = work.coil[a] = v
        asked[f] += v * p.air_units.cold_kg_s[a]
    return asked


def _opening(parts: Parts, a: int, air_kg_s: float, want_w_k: float, phi: float) -> float:
    """Valve position at which an air unit gives a heat per kelvin, by bisection; open where it cannot."""
    x = parts.ax

    def gives(v: float) -> float:
        water = v * x.cold_kg_s[a] * phi
        ua = conductance_w_k(x, a, air_kg_s, water)
        return float(exchanger_w_k(ua, air_kg_s * x.hot_cp_j_kg_k[a], water * x.cold_cp_j_kg_k[a]))

    if want_w_k <= 0.0 or air_kg_s <= 0.0:
        return 0.0
    if gives(1.0) <= want_w_k:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(100):
        mid = 0.5 * (low + high)
        low, high = (low, mid) if gives(mid) >= want_w_k else (mid, high)
    return high


def _exchangers(parts: Parts, start: SteadyState, state: State, work: Work) -> None:
    """Temperatures inside CDUs and air units, and the anchors that keep them."""
    p, heat, b = parts.plant, start.heat, parts.branches
    cp = p.loops.cp_j_kg_k
    for x in np.flatnonzero(~p.loops.fws):
        own = parts.loops.cdu_order[parts.loops.cdu_first[x] : parts.loops.cdu_first[x + 1]]
        for k, c in enumerate(own):
            m, f = work.mean[b.first[x] + k], p.cdus.fws[c]
            cold = work.valve[c] * p.cdus.cold_kg_s[c] * (work.phi[f] if f >= 0 else 1.0)
            hot_in = state.loop_c[x, 3]
            cold_in = state.loop_c[f, 2] if f >= 0 else state.hall_c[p.cdus.hall[c], 0]
            duty = float(heat.cdu_w[0, c])
            parts.cdus.anchor[c] = _anchor(parts.cx, c, m, cold, duty, hot_in - cold_in)
            to_wall, _ = both_sides_w_k(parts.cx, c, parts.cdus.anchor[c], m, cold)
            state.cdu_c[c, 0] = hot_in - duty / (m * cp[x]) if m > 0.0 else hot_in
            state.cdu_c[c, 1] = hot_in - duty / to_wall if to_wall > 0.0 else cold_in
            state.cdu_c[c, 2] = cold_in + duty / (cold * p.cdus.cold_cp_j_kg_k[c]) if cold > 0.0 else cold_in
            state.cdu_valve[c, 2] = state.cdu_c[c, 0] - parts.cdus.set_c[c]
            if parts.cdus.firmware[c]:
                steps = step_duty(AIR_STEPS, cold_in) + step_duty(COOLANT_STEPS, state.cdu_c[c, 0])
                state.cdu_valve[c, 3] = firmware_integral(state.cdu_c[c, 0], steps, 100.0 * work.valve[c], parts.cdus.set_c[c])
                state.cdu_valve[c, 2] = parts.cdus.set_c[c] - state.cdu_c[c, 0]
    for a in range(p.air_units.n):
        f, h = p.air_units.fws[a], p.air_units.hall[a]
        air, water = work.fan[a] * p.air_units.hot_kg_s[a], work.coil[a] * p.air_units.cold_kg_s[a] * work.phi[f]
        hot_in, cold_in, duty = state.hall_c[h, 1], state.loop_c[f, 2], float(heat.air_unit_w[0, a])
        parts.units.anchor[a] = _anchor(parts.ax, a, air, water, duty, hot_in - cold_in)
        to_wall, _ = both_sides_w_k(parts.ax, a, parts.units.anchor[a], air, water)
        state.unit_c[a, 0] = hot_in - duty / to_wall if to_wall > 0.0 else cold_in
        state.unit_c[a, 1] = cold_in + duty / (water * p.air_units.cold_cp_j_kg_k[a]) if water > 0.0 else cold_in
        state.unit_valve[a, 3] = hot_in - duty / (air * AIR_CP) if air > 0.0 else hot_in
        state.unit_valve[a, 2] = state.unit_valve[a, 3] - parts.units.set_c[a]


def _anchor(x: Exchangers, i: int, hot: float, cold: float, duty_w: float, span_k: float) -> float:
    """Factor on an exchanger's law that gives a duty at a span of inlets; 1 where it stands still."""
    if hot <= 0.0 or cold <= 0.0 or duty_w <= 0.0 or span_k <= 0.0:
        return 1.0
    law = exchanger_w_k(conductance_w_k(x, i, hot, cold), hot * x.hot_cp_j_kg_k[i], cold * x.cold_cp_j_kg_k[i])
    return float(duty_w / span_k / law) if law > 0.0 else 1.0


def _plant_side(parts: Parts, start: SteadyState, state: State, work: Work) -> None:
    """Heat rejection and chillers at the start."""
    p, heat = parts.plant, start.heat
    np.add.at(state.chiller_w, p.chillers.fws, heat.chiller_w[0])
    for x in np.flatnonzero(p.loops.fws):
        flow = work.loop_kg_s[x] * p.loops.cp_j_kg_k[x]
        outlet = state.loop_c[x, 2] + (state.chiller_w[x] / flow if flow > 0.0 else 0.0)
        state.loop_c[x, 0] = state.loop_c[x, 1] = outlet
        state.reject[x, 2] = outlet - parts.loops.set_c[x]
        work.supply_c[x, 0] = state.loop_c[x, 2]


def _pipes(parts: Parts, start: SteadyState, state: State, work: Work) -> Pipes:
    """Every pipe filled with what flows in it at the start."""
    p, loops = parts.plant, parts.loops
    n, places = p.loops.n, loops.place_rack.size
    content, temp = np.zeros(2 * n + 2 * places), np.zeros(2 * n + 2 * places)
    content[0 : 2 * n : 2], content[1 : 2 * n : 2] = loops.mains_kg, loops.mains_kg
    temp[0 : 2 * n : 2] = state.loop_c[:, 2]
    b = parts.branches
    order = np.argsort(p.manifolds.loop, kind="stable")
    for x in range(n):
        own = slice(int(b.first[x]), int(b.first[x + 1]))
        flow = work.loop_kg_s[x] * p.loops.cp_j_kg_k[x]
        temp[2 * x + 1] = state.loop_c[x, 3] - (work.pump_w[own].sum() / flow if flow > 0.0 else 0.0)
        for m in range(loops.manifold_first[x], loops.manifold_first[x + 1]):
            _manifold(parts, state, m, int(order[m]), x, content, temp, 2 * n)
    size = content.size
    slug_kg, slug_c = np.zeros((size, SLUGS)), np.zeros((size, SLUGS))
    content = np.maximum(content, 1e-6)
    slug_kg[:, 0], slug_c[:, 0] = content, temp
    return Pipes(content, slug_kg, slug_c, np.zeros((size, SLUGS)), np.zeros(size, np.int64), np.ones(size, np.int64))


def _manifold(parts: Parts, state: State, m: int, own: int, x: int, content: Floats, temp: Floats, base: int) -> None:
    """Content and temperature of the pipes of one manifold."""
    p, loops = parts.plant, parts.loops
    p0, p1 = int(loops.place_first[m]), int(loops.place_first[m + 1])
    man = p.manifolds
    area = np.pi * man.diameter_m[own] ** 2 / 4.0
    place = man.place[man.first[own] : man.first[own + 1]].astype(np.float64)
    ahead = np.diff(np.concatenate([[1.0], place])) * man.spacing_m[own]
    if ahead.size:
        ahead[0] += man.lead_m[own]
    mass, energy = 0.0, 0.0
    for k in range(p1 - p0 - 1, -1, -1):
        r = loops.place_rack[p0 + k]
        mass += state.rack_kg_s[r]
        energy += state.rack_kg_s[r] * state.rest_c[r]
        content[base + 2 * (p0 + k)] = content[base + 2 * (p0 + k) + 1] = area * ahead[k] * p.loops.rho_kg_m3[x]
        temp[base + 2 * (p0 + k)] = state.loop_c[x, 2]
        temp[base + 2 * (p0 + k) + 1] = energy / mass if mass > 0.0 else state.loop_c[x, 2]


def _readings(parts: Parts, start: SteadyState, state: State) -> Floats:
    """What the limits are held against at the start; also fills plate coolant."""
    racks = parts.racks
    wet = racks.loop >= 0
    flow = racks.through_frac * state.rack_kg_s * racks.water_cp
    heat = np.minimum(racks.liquid_frac * racks.plates * start.loads.chip_w[0], start.loads.liquid_w[0])
    state.water_c[:] = state.entry_c + np.divide(heat, flow, out=np.zeros(wet.size), where=flow > 0.0)
    memory = state.metal_c + racks.r_memory_k_w * start.loads.chip_w[0]
    cold = -1e300
    inlet = state.hall_c[racks.hall, 0]
    return np.stack([
        state.metal_c, memory, np.where(wet, state.entry_c, cold), np.where(wet, state.rest_c, cold), inlet, state.metal_c,
    ], axis=1)  # fmt: skip
