"""TCS hydraulics: row manifolds as series-parallel ladders, pumps with set-point on header pressure.

Branches are quadratic (``dp = k m^2`` from the SKU's rating), pipe segments follow Darcy-Weisbach with the Haaland friction
factor. For given friction factors the ladder reduces exactly from its far end (conductances ``1/sqrt(k)`` of parallel
branches add), then flows are handed out from the near end, and friction follows the flows until nothing moves.

The pumps of all running CDUs turn at one speed that holds the header's differential pressure; where full speed is not enough
the header pressure falls to where pump curves and manifolds meet. Flow does not depend on heat, so each distinct pair of
outage and connected racks is solved once.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.errors import NotConverged
from topology.plant import Plant
from twin.solvers.friction import friction_haaland
from twin.solvers.jit import kernel
from twin.solvers.scatter import sum_by
from twin.state import FlowState

FLOW_TOLERANCE = 1e-12
"""Relative change of branch flows at which a ladder counts as solved."""
MAX_ROUNDS = 400
"""Rounds of a ladder; a laminar one halves its error in each."""


class _Pumping(NamedTuple):
    """Pumps of each CDU added up: heads, curve of one pump, number that run, internal resistance."""

    shutoff_pa: Floats
    k: Floats
    running: Floats
    efficiency: Floats


@kernel
def ladder(
    dp_pa: float, k_branch: Floats, segment_m: Floats, diameter_m: float, roughness_m: float, rho_kg_m3: float, mu_pa_s: float,
    flow: Floats,
) -> float:  # fmt: skip
    """Flows of a manifold whose entry sees a differential pressure; returns the last relative change of flows.

    Args:
        dp_pa: differential pressure at the entry [Pa], at least 0.
        k_branch: (N,) branch resistance [Pa s2/kg2]; infinite for a closed one.
        segment_m: (N,) pipe length ahead of each branch, supply and return together [m].
        diameter_m: inner diameter [m].
        roughness_m: wall roughness [m].
        rho_kg_m3: density [kg/m3].
        mu_pa_s: viscosity [Pa s].
        flow: (N,) result, kg/s; written.
    """
    n = k_branch.size
    area = math.pi * diameter_m * diameter_m / 4.0
    unit = 1.0 / (2.0 * rho_kg_m3 * area * area * diameter_m)
    k_pipe = np.empty(n)
    below = np.empty(n)
    for j in range(n):
        k_pipe[j] = 0.02 * segment_m[j] * unit
        flow[j] = 0.0
    change = 1.0
    for _ in range(MAX_ROUNDS):
        g = 0.0
        for j in range(n - 1, -1, -1):
            g_branch = 0.0 if math.isinf(k_branch[j]) else 1.0 / math.sqrt(k_branch[j])
            below[j] = g
            total = g + g_branch
            g = 0.0 if total <= 0.0 else 1.0 / math.sqrt(1.0 / (total * total) + k_pipe[j])
        through = g * math.sqrt(max(dp_pa, 0.0))
        change = 0.0
        scale = max(through, 1e-300)
        for j in range(n):
            g_branch = 0.0 if math.isinf(k_branch[j]) else 1.0 / math.sqrt(k_branch[j])
            total = below[j] + g_branch
            branch = 0.0 if total <= 0.0 else through * g_branch / total
            change = max(change, abs(branch - flow[j]) / scale)
            flow[j] = branch
            if through > 0.0:
                re = through * diameter_m / (area * mu_pa_s)
                k_pipe[j] = friction_haaland(re, roughness_m / diameter_m) * segment_m[j] * unit
            through -= branch
            if below[j] <= 0.0:
                through = 0.0
        if change <= FLOW_TOLERANCE:
            break
    return change


class _Pipes(NamedTuple):
    """Branches of all manifolds in loop order: offsets, pipe ahead of each branch, and each manifold's bore."""

    first: Ints
    segment_m: Floats
    diameter_m: Floats
    roughness_m: Floats


class _Curves(NamedTuple):
    """Pumps of each CDU in loop order; ``k_in`` is the CDU's own resistance."""

    shutoff_pa: Floats
    k: Floats
    k_in: Floats


@kernel
def _supply(dp_pa: float, speed: float, curves: _Curves, running: Floats, c0: int, c1: int, flow: Floats) -> float:
    """Flow that CDUs ``c0..c1`` push against a header pressure at a speed; each one's share is written."""
    total = 0.0
    for c in range(c0, c1):
        flow[c] = 0.0
        if running[c] > 0.0:
            spare = speed * speed * curves.shutoff_pa[c] - dp_pa
            if spare > 0.0:
                flow[c] = math.sqrt(spare / (curves.k[c] / (running[c] * running[c]) + curves.k_in[c]))
        total += flow[c]
    return total


@kernel
def _demand(dp_pa: float, m0: int, m1: int, pipes: _Pipes, k_branch: Floats, rho: float, mu: float, flow: Floats) -> tuple[float, float]:
    """Flow that manifolds ``m0..m1`` take at a header pressure, and the worst residual; branch flows are written."""
    total, worst = 0.0, 0.0
    for m in range(m0, m1):
        a, b = pipes.first[m], pipes.first[m + 1]
        moved = ladder(dp_pa, k_branch[a:b], pipes.segment_m[a:b], pipes.diameter_m[m], pipes.roughness_m[m], rho, mu, flow[a:b])
        worst = max(worst, moved)
        total += flow[a:b].sum()
    return total, worst


@kernel
def _loop(
    dp_set: float, m0: int, m1: int, pipes: _Pipes, k_branch: Floats, rho: float, mu: float, c0: int, c1: int, curves: _Curves,
    running: Floats, flow: Floats, cdu: Floats,
) -> tuple[float, float, float]:  # fmt: skip
    """Header pressure, pump speed and residual of one loop; branch and CDU flows are written."""
    count, known = 0, True
    for c in range(c0, c1):
        count += running[c] > 0.0
        known = known and not (running[c] > 0.0 and math.isinf(curves.shutoff_pa[c]))
    if count == 0:
        _, worst = _demand(0.0, m0, m1, pipes, k_branch, rho, mu, flow)
        return 0.0, 0.0, worst
    want, worst = _demand(dp_set, m0, m1, pipes, k_branch, rho, mu, flow)
    if not known:
        for c in range(c0, c1):
            cdu[c] = want / count if running[c] > 0.0 else 0.0
        return dp_set, 1.0, worst
    if _supply(dp_set, 1.0, curves, running, c0, c1, cdu) >= want:
        speed = _speed(dp_set, want, curves, running, c0, c1, cdu)
        return dp_set, speed if want > 0.0 else 0.0, worst
    low, high, dp, got = 0.0, dp_set, dp_set, 0.0
    for _ in range(60):
        dp = 0.5 * (low + high)
        want, worst = _demand(dp, m0, m1, pipes, k_branch, rho, mu, flow)
        got = _supply(dp, 1.0, curves, running, c0, c1, cdu)
        if abs(got - want) <= FLOW_TOLERANCE * want:
            break
        if got >= want:
            low = dp
        else:
            high = dp
    for c in range(c0, c1):
        cdu[c] *= want / got if got > 0.0 else 0.0
    return dp, 1.0, max(worst, abs(got - want) / want if want > 0.0 else 0.0)


@kernel
def _speed(dp_pa: float, want: float, curves: _Curves, running: Floats, c0: int, c1: int, cdu: Floats) -> float:
    """Common pump speed at which the CDUs push what is wanted, by bisection; their flows are written and add up to it."""
    low, high = 0.0, 1.0
    for _ in range(60):
        mid = 0.5 * (low + high)
        if _supply(dp_pa, mid, curves, running, c0, c1, cdu) >= want:
            high = mid
        else:
            low = mid
    got = _supply(dp_pa, high, curves, running, c0, c1, cdu)
    for c in range(c0, c1):
        cdu[c] *= want / got if got > 0.0 else 0.0
    return high


@kernel
def _solve(
    loops: Ints, loop_dp: Floats, rho: Floats, mu: Floats, m_first: Ints, pipes: _Pipes, k_branch: Floats, c_first: Ints, curves: _Curves,
    running: Floats,
) -> tuple[Floats, Floats, Floats, Floats, Floats]:  # fmt: skip
    cases, branches = k_branch.shape
    flow, cdu = np.zeros((cases, branches)), np.zeros((cases, curves.k.size))
    dp, speed, residual = np.zeros((cases, loop_dp.size)), np.zeros((cases, loop_dp.size)), np.zeros((cases, loop_dp.size))
    for s in range(cases):
        for x in loops:
            dp[s, x], speed[s, x], residual[s, x] = _loop(
                loop_dp[x], m_first[x], m_first[x + 1], pipes, k_branch[s], rho[x], mu[x], c_first[x], c_first[x + 1], curves,
                running[s], flow[s], cdu[s],
            )  # fmt: skip
    return flow, cdu, dp, speed, residual


def _by_loop(loop: Ints, loops: int) -> tuple[Ints, Ints]:
    """Order that groups elements by loop, and the offsets of each loop in that order."""
    order = np.argsort(loop, kind="stable")
    return order, np.searchsorted(loop[order], np.arange(loops + 1)).astype(np.int64)


def _pumping(plant: Plant, gear_alive: Bools) -> tuple[_Pumping, Bools]:
    """Pumps of each CDU per case: (V, C) counts; curve constants are those of the CDU's first pump entry."""
    cdus, pumps = plant.cdus, plant.pumps
    running = gear_alive[:, cdus.gear]
    shutoff, k, efficiency = np.full(cdus.n, math.inf), np.zeros(cdus.n), np.ones(cdus.n)
    has_curve = np.zeros(cdus.n, bool)
    count = np.zeros((gear_alive.shape[0], cdus.n))
    for u in np.flatnonzero(pumps.cdu >= 0):
        c = pumps.cdu[u]
        if not has_curve[c]:
            shutoff[c], k[c], efficiency[c], has_curve[c] = pumps.shutoff_pa[u], pumps.k[u], pumps.efficiency_frac[u], True
        count[:, c] += pumps.count[u] * gear_alive[:, pumps.gear[u]] * running[:, c]
    count[:, ~has_curve] = running[:, ~has_curve]
    return _Pumping(shutoff, k, count, efficiency), has_curve


def solve_flow(plant: Plant, gear_alive: Bools, present: Bools) -> FlowState:
    """Flows of every TCS loop.

    Args:
        plant: the plant.
        gear_alive: (V, G) gear that runs.
        present: (V, R) racks whose branch is connected.

    Returns:
        Flows of V cases; FWS entries of the loop arrays are 0 (the thermal solve fills them).

    Raises:
        NotConverged: a loop did not settle; carries the loop, the case and the residual.
    """
    loops, manifolds, cdus = plant.loops, plant.manifolds, plant.cdus
    m_order, m_first = _by_loop(manifolds.loop, loops.n)
    c_order, c_first = _by_loop(cdus.loop, loops.n)
    branches, pipes = _pipes(plant, m_order)
    racks = manifolds.racks[branches]
    k_branch = np.where(present[:, racks], plant.racks.resistance[racks], math.inf)
    pumping, has_curve = _pumping(plant, gear_alive)
    flow, cdu, dp, speed, residual = _solve(
        np.flatnonzero(~loops.fws), loops.dp_pa, loops.rho_kg_m3, loops.mu_pa_s, m_first, pipes, k_branch, c_first,
        _Curves(pumping.shutoff_pa[c_order], pumping.k[c_order], cdus.resistance[c_order]),
        np.ascontiguousarray(pumping.running[:, c_order]),
    )  # fmt: skip
    _raise_unsettled(plant, residual)
    cases = present.shape[0]
    rack_kg_s, cdu_kg_s = np.zeros((cases, plant.racks.n)), np.zeros((cases, cdus.n))
    rack_kg_s[:, racks] = flow
    cdu_kg_s[:, c_order] = cdu
    loop_kg_s = sum_by(flow, manifolds.loop[np.repeat(m_order, np.diff(pipes.first))], loops.n)
    pump_w, pump_speed = _pump_power(plant, pumping, has_curve, gear_alive, cdu_kg_s, dp, speed)
    spread = _spread_frac(plant, rack_kg_s, present)
    return FlowState(rack_kg_s, loop_kg_s, dp, cdu_kg_s, pump_w, pump_speed, spread)


def _pipes(plant: Plant, m_order: Ints) -> tuple[Ints, _Pipes]:
    """Branch numbers of all manifolds in loop order, and the pipe ahead of each (both sides)."""
    manifolds = plant.manifolds
    sizes = np.diff(manifolds.first)[m_order]
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    owner = np.repeat(m_order, sizes)
    branches = (np.arange(first[-1]) - np.repeat(first[:-1], sizes) + manifolds.first[owner]).astype(np.int64)
    place = manifolds.place[branches].astype(np.float64)
    ahead = np.empty_like(place)
    ahead[1:] = place[1:] - place[:-1]
    starts = first[:-1][sizes > 0]
    ahead[starts] = place[starts] - 1.0
    segment = 2.0 * manifolds.spacing_m[owner] * ahead
    segment[starts] += 2.0 * manifolds.lead_m[owner[starts]]
    return branches, _Pipes(first, segment, manifolds.diameter_m[m_order], manifolds.roughness_m[m_order])


def _raise_unsettled(plant: Plant, residual: Floats) -> None:
    bad = np.argwhere(residual > 1e-9)
    if bad.size:
        s, x = bad[0]
        raise NotConverged(
            f"loop {plant.loops.ids[x]} did not settle: flows still move by {residual[s, x]:.1e} of the loop's flow",
            element=plant.loops.ids[x], scenario=int(s), residual=float(residual[s, x]),
        )  # fmt: skip


def _pump_power(
    plant: Plant, pumping: _Pumping, has_curve: Bools, gear_alive: Bools, cdu_kg_s: Floats, dp: Floats, speed: Floats
) -> tuple[Floats, Floats]:
    """Electrical power and speed of each pump entry of a CDU: head times volume flow over efficiency; loop pumps stay 0 here."""
    pumps, cdus = plant.pumps, plant.cdus
    cases = cdu_kg_s.shape[0]
    power, turning = np.zeros((cases, pumps.n)), np.zeros((cases, pumps.n))
    inside = np.flatnonzero(pumps.cdu >= 0)
    if inside.size == 0:
        return power, turning
    c = pumps.cdu[inside]
    head = dp[:, cdus.loop[c]] + cdus.resistance[c] * cdu_kg_s[:, c] ** 2
    total = cdu_kg_s[:, c] / plant.loops.rho_kg_m3[cdus.loop[c]] * head / pumps.efficiency_frac[inside]
    running = pumps.count[inside] * gear_alive[:, pumps.gear[inside]] * gear_alive[:, cdus.gear[c]]
    share = np.divide(running, pumping.running[:, c], out=np.zeros_like(running), where=pumping.running[:, c] > 0.0)
    power[:, inside] = total * share
    turning[:, inside] = speed[:, cdus.loop[c]] * (running > 0.0)
    return power, turning


def _spread_frac(plant: Plant, rack_kg_s: Floats, present: Bools) -> Floats:
    """(V, M) spread of branch flow over its rating, relative to the mean, over connected branches."""
    manifolds, racks = plant.manifolds, plant.racks
    own = manifolds.racks
    on = present[:, own]
    rated = np.where(racks.flow_kg_s[own] > 0.0, racks.flow_kg_s[own], math.inf)
    x = rack_kg_s[:, own] / rated
    spread = np.zeros((rack_kg_s.shape[0], manifolds.n))
    some = np.flatnonzero(np.diff(manifolds.first))
    if some.size:
        starts = manifolds.first[some]
        high = np.maximum.reduceat(np.where(on, x, 0.0), starts, axis=1)
        low = np.minimum(np.minimum.reduceat(np.where(on, x, math.inf), starts, axis=1), high)
        total, count = np.add.reduceat(np.where(on, x, 0.0), starts, axis=1), np.add.reduceat(on.astype(np.float64), starts, axis=1)
        spread[:, some] = np.divide((high - low) * count, total, out=np.zeros_like(total), where=total > 0.0)
    return spread
