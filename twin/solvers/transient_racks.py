"""Second part of a step: TCS loops, from the coolant that comes back through CDUs, mains and manifolds to the racks and back.

A plate's metal is at the junction's temperature. Its conductance to the coolant in it follows from the plate's law, which counts from
the coolant's inlet: ``G = N f / (R(q) - N f / (m c))`` with f the share of heat that goes to liquid, so the steady junction is the law's,
and metal with its coolant warm up together where nothing flows.
"""

from __future__ import annotations

import math

import numpy as np

from topology.axes import Floats
from twin.solvers.bank import Exchangers, conductance_w_k
from twin.solvers.implicit import GAMMA, mean_of, node_stage, plate_stage, second_start, wall_stage
from twin.solvers.jit import inner, kernel
from twin.solvers.laws import exchanger_w_k
from twin.solvers.transient_parts import ExchangerParts, LoopParts, RackParts, State, Work
from twin.solvers.transport import Pipes, enter, leave, push

SHUT = 0.999999
"""Largest share of what its hot film alone could give that an exchanger is let to give."""


@inner
def film_w_k(flow_w_k: float, film_k_w: float) -> float:
    """Heat a stream gives to a wall of one temperature for each kelvin between its inlet and the wall.

    Args:
        flow_w_k: capacity rate.
        film_k_w: resistance of the film.
    """
    if flow_w_k <= 0.0:
        return 0.0
    return flow_w_k * (1.0 - math.exp(-1.0 / (film_k_w * flow_w_k)))


@kernel
def both_sides_w_k(x: Exchangers, i: int, factor: float, hot_kg_s: float, cold_kg_s: float) -> tuple[float, float]:
    """Conductances from the hot inlet to the wall and from the wall to the cold inlet; in series they are the exchanger's law.

    Args:
        x: ratings.
        i: which exchanger.
        factor: factor on the law.
        hot_kg_s: hot flow.
        cold_kg_s: cold flow.
    """
    hot_w_k, cold_w_k = hot_kg_s * x.hot_cp_j_kg_k[i], cold_kg_s * x.cold_cp_j_kg_k[i]
    if hot_kg_s <= 0.0:
        film = (1.0 - x.hot_share_frac[i]) / x.ua_w_k[i]
        return 0.0, film_w_k(cold_w_k, film * (x.cold_kg_s[i] / cold_kg_s) ** x.cold_exponent[i]) if cold_kg_s > 0.0 else 0.0
    film = x.hot_share_frac[i] / x.ua_w_k[i] * (x.hot_kg_s[i] / hot_kg_s) ** x.hot_exponent[i]
    hot = film_w_k(hot_w_k, film)
    if cold_kg_s <= 0.0:
        return hot, 0.0
    whole = factor * exchanger_w_k(conductance_w_k(x, i, hot_kg_s, cold_kg_s), hot_w_k, cold_w_k)
    hot = max(hot, whole / SHUT)
    return hot, whole * hot / (hot - whole)


@inner
def step_cdu(
    x: Exchangers, cdus: ExchangerParts, c: int, state: State, step_s: float, hot_kg_s: float, cold_kg_s: float, hot_in_c: float,
    cold_in_c: float,
) -> tuple[float, float, float]:  # fmt: skip
    """Advance one CDU.

    Args:
        x: ratings.
        cdus: what they store.
        c: which CDU.
        state: its temperatures are changed.
        step_s: length of the step.
        hot_kg_s: mean hot flow.
        cold_kg_s: mean cold flow.
        hot_in_c: mean hot inlet.
        cold_in_c: mean cold inlet.

    Returns:
        Mean hot outlet, mean cold outlet, and mean heat from the coolant to the wall.
    """
    gh = GAMMA * step_s
    to_wall, to_cold = both_sides_w_k(x, c, cdus.anchor[c], hot_kg_s, cold_kg_s)
    hot_w_k, cold_w_k = hot_kg_s * cdus.hot_cp_j_kg_k[c], cold_kg_s * cdus.cold_cp_j_kg_k[c]
    t0, w0, k0 = state.cdu_c[c, 0], state.cdu_c[c, 1], state.cdu_c[c, 2]
    w1 = wall_stage(gh, cdus.wall_j_k[c], w0, to_wall, to_cold, hot_in_c, cold_in_c)
    t1 = node_stage(gh, cdus.hot_j_k[c], t0, hot_w_k, hot_in_c, -to_wall * (hot_in_c - w1))
    k1 = node_stage(gh, cdus.cold_j_k[c], k0, cold_w_k, cold_in_c, to_cold * (w1 - cold_in_c))
    w2 = wall_stage(gh, cdus.wall_j_k[c], second_start(w1, w0), to_wall, to_cold, hot_in_c, cold_in_c)
    t2 = node_stage(gh, cdus.hot_j_k[c], second_start(t1, t0), hot_w_k, hot_in_c, -to_wall * (hot_in_c - w2))
    k2 = node_stage(gh, cdus.cold_j_k[c], second_start(k1, k0), cold_w_k, cold_in_c, to_cold * (w2 - cold_in_c))
    state.cdu_c[c, 0], state.cdu_c[c, 1], state.cdu_c[c, 2] = t2, w2, k2
    return mean_of(t1, t2), mean_of(k1, k2), to_wall * (hot_in_c - mean_of(w1, w2))


@inner
def plate_k_w(
    flow_kg_s: float, share: float, r_base_k_w: float, r_flow_k_w: float, exponent: float, factor: float, warming_w_k: float,
    low_k_w: float, high_k_w: float,
) -> float:  # fmt: skip
    """Resistance between a plate's metal and its coolant, one accelerator: the law less what warms the coolant, within bounds.

    Args:
        flow_kg_s: flow of the rack.
        share: share of it through one plate.
        r_base_k_w: plate law, constant part.
        r_flow_k_w: plate law, flow-dependent part.
        exponent: plate law, exponent.
        factor: factor on the law.
        warming_w_k: capacity rate of the plates' coolant for each accelerator's share of liquid heat.
        low_k_w: lower bound.
        high_k_w: upper bound.
    """
    q = flow_kg_s * share
    if q <= 1e-9 or warming_w_k <= 0.0:
        return high_k_w
    found: float = min(max(factor * (r_base_k_w + r_flow_k_w * q**-exponent) - 1.0 / warming_w_k, low_k_w), high_k_w)
    return found


@inner
def step_tcs(
    racks: RackParts, loops: LoopParts, x: Exchangers, cdus: ExchangerParts, pipes: Pipes, first_branch: int, loop: int, state: State,
    mean_heat_w: Floats, hall_c: Floats, step_s: float, work: Work, cdu_w: Floats,
) -> None:  # fmt: skip
    """Advance one TCS loop: CDUs, mains, manifolds, racks.

    Args:
        racks: racks.
        loops: loops.
        x: ratings of CDUs.
        cdus: what they store.
        pipes: pipes.
        first_branch: branch of the loop's first CDU.
        loop: which loop.
        state: changed.
        mean_heat_w: (R, 3) mean heat of the step, racks that shut down taken out.
        hall_c: (H,) mean supply air of the step, as extrapolated.
        step_s: length of the step.
        work: flows are read, what goes to facility loops and halls is added.
        cdu_w: (C,) heat from coolant to CDU; written.
    """
    total, cp = work.loop_kg_s[loop], loops.cp_j_kg_k[loop]
    back_c, _ = leave(pipes, 2 * loop + 1, total * step_s)
    hot_in = back_c
    c0, c1 = loops.cdu_first[loop], loops.cdu_first[loop + 1]
    if total > 0.0:
        pumped = 0.0
        for k in range(c1 - c0):
            pumped += work.pump_w[first_branch + k]
        hot_in += pumped / (total * cp)
        state.book_j[0] += pumped * step_s
    mixed, slope = 0.0, 0.0
    for k in range(c1 - c0):
        c = loops.cdu_order[c0 + k]
        f, m = cdus.fws[c], work.mean[first_branch + k]
        cold = work.valve[c] * cdus.cold_kg_s[c] * (work.phi[f] if f >= 0 else 1.0)
        cold_in = work.supply_c[f, 0] if f >= 0 else hall_c[cdus.hall[c]]
        t0, k0 = state.cdu_c[c, 0], state.cdu_c[c, 2]
        out, cold_out, cdu_w[c] = step_cdu(x, cdus, c, state, step_s, m, cold, hot_in, cold_in)
        mixed += m * out
        slope += m * (state.cdu_c[c, 0] - t0)
        if f >= 0:
            work.back[f, 0] += cold * step_s
            work.back[f, 1] += cold * step_s * cold_out
            work.back[f, 2] += cold * step_s * (state.cdu_c[c, 2] - k0)
        else:
            work.hall_w[cdus.hall[c]] += cold * cdus.cold_cp_j_kg_k[c] * (cold_out - cold_in)
    if total > 0.0:
        mixed, slope = mixed / total, slope / total
        state.loop_c[loop, 4] = mixed + 0.5 * slope
    supply, bend = push(pipes, 2 * loop, total * step_s, mixed, slope)
    state.loop_c[loop, 2], state.loop_c[loop, 3] = supply + 0.5 * bend, hot_in
    _manifolds(racks, loops, pipes, loop, state, mean_heat_w, supply, bend, step_s)


@inner
def _manifolds(
    racks: RackParts, loops: LoopParts, pipes: Pipes, loop: int, state: State, mean_heat_w: Floats, supply_c: float, bend_k: float,
    step_s: float,
) -> None:  # fmt: skip
    """Coolant out along every manifold of a loop, through its racks, and back to the mains."""
    cp, base = loops.cp_j_kg_k[loop], 2 * loops.fws.size
    mass, heat, slope = 0.0, 0.0, 0.0
    for m in range(loops.manifold_first[loop], loops.manifold_first[loop + 1]):
        p0, p1 = loops.place_first[m], loops.place_first[m + 1]
        along = 0.0
        for p in range(p0, p1):
            along += state.rack_kg_s[loops.place_rack[p]] * step_s
        out = _outward(racks, loops, pipes, p0, p1, state, mean_heat_w, along, supply_c, bend_k, cp, step_s)
        a_mass, a_t, a_s = 0.0, 0.0, 0.0
        for k in range(p1 - p0):
            p = p1 - 1 - k
            flow = state.rack_kg_s[loops.place_rack[p]] * step_s
            both = a_mass + flow
            if both > 0.0:
                a_t = (a_mass * a_t + flow * out[p - p0, 0]) / both
                a_s = (a_mass * a_s + flow * out[p - p0, 1]) / both
            a_mass = both
            a_t, a_s = push(pipes, base + 2 * p + 1, a_mass, a_t, a_s)
        mass, heat, slope = mass + a_mass, heat + a_mass * a_t, slope + a_mass * a_s
    if mass > 0.0:
        enter(pipes, 2 * loop + 1, mass, heat / mass, slope / mass)


@inner
def _outward(
    racks: RackParts, loops: LoopParts, pipes: Pipes, p0: int, p1: int, state: State, mean_heat_w: Floats, along_kg: float, temp_c: float,
    slope_k: float, cp_j_kg_k: float, step_s: float,
) -> Floats:  # fmt: skip
    """Supply side of one manifold and its racks; mean and slope of each rack's outlet."""
    out = np.empty((p1 - p0, 2))
    gh = GAMMA * step_s
    metal_c, water_c, rest_c, entry_c, flows = state.metal_c, state.water_c, state.rest_c, state.entry_c, state.rack_kg_s
    metal_j_k, water_j_k, rest_j_k = racks.metal_j_k, racks.water_j_k, racks.rest_j_k
    plates, liquid, share, through_frac, net = racks.plates, racks.liquid_frac, racks.plate_share, racks.through_frac, racks.net_k_w
    base, sloped, exponent, anchor, order = racks.r_base_k_w, racks.r_flow, racks.r_exponent, racks.r_anchor, loops.place_rack
    supply = 2 * loops.fws.size
    for p in range(p0, p1):
        r = order[p]
        m = flows[r]
        temp_c, slope_k = push(pipes, supply + 2 * p, along_kg, temp_c, slope_k)
        along_kg = max(along_kg - m * step_s, 0.0)
        flow = m * cp_j_kg_k
        through, rest_w, plates_w, conductance = through_frac[r] * flow, mean_heat_w[r, 1], 0.0, 0.0
        if plates[r] > 0.0:
            plates_w = min(liquid[r] * mean_heat_w[r, 0], rest_w)
            rest_w -= plates_w
            shared = plates[r] * liquid[r]
            warming = through / shared if shared > 0.0 else 0.0
            conductance = shared / plate_k_w(m, share[r], base[r], sloped[r], exponent[r], anchor[r], warming, net[r, 0], net[r, 1])
        a0, w0, t0 = metal_c[r], water_c[r], rest_c[r]
        c1, c2, c3 = metal_j_k[r], water_j_k[r], rest_j_k[r]
        a1, w1, t1 = plate_stage(gh, c1, c2, c3, a0, w0, t0, plates_w, rest_w, conductance, through, flow, temp_c)
        a2, w2, t2 = plate_stage(
            gh, c1, c2, c3, second_start(a1, a0), second_start(w1, w0), second_start(t1, t0), plates_w, rest_w, conductance, through, flow,
            temp_c,
        )  # fmt: skip
        metal_c[r], water_c[r], rest_c[r], entry_c[r] = a2, w2, t2, temp_c
        out[p - p0, 0], out[p - p0, 1] = mean_of(t1, t2), t2 - t0
    return out
