"""A batch of cases of one network: islands, bounds of flows, regulators, and Newton's method inside.

Each case is solved on its own and from the same start, so that no result depends on its neighbours.
"""

from __future__ import annotations

import math

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.solvers.jit import inner, kernel
from twin.solvers.network_laws import HIGH, IS_SHUT, LIFT, LOW, Inputs, drop, first_guess, row, terms
from twin.solvers.network_newton import OUTER, REST_FRAC, Graph, State, close_mass, holds, new_state, newton, scales
from twin.solvers.network_parts import Columns
from twin.solvers.sparse import Work, workspace

SOLVED, STUCK, CUT_OFF, HUNTING = 0, 1, 2, 3
"""State of a case: solved; Newton's method stood still too early; a demand that a shut check valve or a flow limit cuts off; a
regulator that finds no state."""
FREE, SHUT_BY_CHECK, AT_LIMIT, REGULATING, SHUT = 0, 1, 2, 3, 4
"""State of a link."""
BOUND_TOLERANCE, BREACH = 1e-9, 1e-11
"""Change of the bounds' multipliers over the network's pressure at which they stand; and breach of a bound over the largest flow."""


@inner
def _root(node: int, island: Ints) -> int:
    while island[node] != node:
        island[node] = island[island[node]]
        node = island[node]
    return node


@inner
def islands(g: Graph, t: Floats, z: State, island: Ints, floating: Bools, dry: Bools) -> None:
    """Parts of the network without a held pressure: one node of each is held at 0; demands that do not close there are not met."""
    nodes = island.size
    for a in range(nodes):
        island[a] = a
    for k in range(g.start.size):
        if t[k, IS_SHUT] == 0.0:
            a, b = _root(g.start[k], island), _root(g.end[k], island)
            island[max(a, b)] = min(a, b)
    has, total, size = np.zeros(nodes, np.bool_), np.zeros(nodes), np.zeros(nodes)
    for a in range(nodes):
        island[a] = _root(a, island)
        has[island[a]] = has[island[a]] or z.held[a]
        total[island[a]] += z.demand[a]
        size[island[a]] += abs(z.demand[a])
    for a in range(nodes):
        own = island[a]
        floating[a] = not has[own]
        dry[a] = floating[a] and abs(total[own]) > 1e-12 * size[own]
        if dry[a]:
            z.demand[a] = 0.0
    for a in range(nodes):
        if floating[a] and island[a] == a:
            z.held[a] = True
            z.pressure[a] = 0.0


@inner
def _bounded(g: Graph, t: Floats, z: State, w: Work, regulators: Ints, first: bool) -> tuple[int, int]:
    """Solve with the present regulators: the multipliers of flow bounds rise until the bounds hold. Status and culprit."""
    flow, pressure = scales(g, t, z)
    stiff = 1e3 * pressure / flow
    last = math.inf
    for turn in range(OUTER):
        if not newton(first, stiff, g, t, z, w, regulators):
            return STUCK, _worst(g, t, z)
        first = False
        flow, pressure = scales(g, t, z)
        moved, highest, culprit = 0.0, 0.0, -1
        for k in range(g.start.size):
            if z.y[k] <= 0.0:
                continue
            above = max(0.0, z.bound[k, 1] + stiff * (z.flow[k] - t[k, HIGH]))
            below = max(0.0, z.bound[k, 0] + stiff * (t[k, LOW] - z.flow[k]))
            moved = max(moved, abs(above - z.bound[k, 1]), abs(below - z.bound[k, 0]))
            z.bound[k, 1], z.bound[k, 0] = above, below
            if max(above, below) > highest:
                highest, culprit = max(above, below), k
        if moved <= BOUND_TOLERANCE * pressure and moved <= BREACH * stiff * flow:
            return SOLVED, -1
        if turn >= 6 and moved > 1e-6 * stiff * flow and highest > 1e6 * _driven(g, t):
            return CUT_OFF, culprit
        if moved > 0.1 * last:
            stiff *= 10.0
        last = moved
    return (CUT_OFF if moved > 1e-6 * stiff * flow else STUCK), culprit


@inner
def _driven(g: Graph, t: Floats) -> float:
    """Largest pressure that pumps and heights give, Pa; at least 1 bar."""
    most = 1e5
    for k in range(g.start.size):
        most = max(most, abs(t[k, LIFT]))
    return most


@inner
def _worst(g: Graph, t: Floats, z: State) -> int:
    """Link that moves most."""
    most, worst = -1.0, 0
    for k in range(g.start.size):
        if t[k, IS_SHUT] == 0.0 and not abs(z.step[k]) <= most:
            most, worst = abs(z.step[k]), k
    return worst


@inner
def _switch(g: Graph, t: Floats, z: State, setting: Floats, floating: Bools, regulators: Ints) -> int:
    """Let regulators regulate, open or shut as the pressures ask; the last one that changed, -1 for none."""
    flow, pressure = scales(g, t, z)
    small_p, small_q = 1e-7 * pressure, 1e-9 * flow
    changed = -1
    for k in regulators:
        if t[k, IS_SHUT] > 0.0 or floating[g.start[k]]:
            continue
        begin, end, was = z.pressure[g.start[k]], z.pressure[g.end[k]], z.active[k]
        reducing, now = g.regulator[k] == 1, z.active[k]
        asks = end > setting[k] + small_p if reducing else begin < setting[k] - small_p
        rests = end < setting[k] - small_p if reducing else begin > setting[k] + small_p
        if was == 1:
            loss, _ = drop(k, z.flow[k], t)
            if z.flow[k] < -small_q:
                now = 2
            elif begin - end < loss - small_p:
                now = 0
        elif was == 0 and asks and z.flow[k] > small_q:
            now = 1
        elif was == 2 and rests and begin > end + small_p:
            now = 0
        if now != was:
            changed = k
            z.active[k] = now
            t[k, HIGH] = 0.0 if now == 2 else math.inf
            z.bound[k, 1], z.bound[k, 0] = 0.0, 0.0
            node = holds(k, g)
            z.held[node] = now == 1
            if now == 1:
                z.pressure[node] = setting[k]
                z.flow[k] = max(z.flow[k], 0.0)
    return changed


@inner
def _start(s: int, c: Columns, x: Inputs, t: Floats, z: State, g: Graph) -> None:
    """The start of case s, the same whatever was solved before."""
    demand, held = row(x.demand_kg_s, s), row(x.pressure_pa, s)
    for a in range(z.pressure.size):
        z.demand[a] = demand[a]
        z.held[a] = g.unknown[a] < 0
        z.pressure[a] = held[a] if z.held[a] else 0.0
    z.usual[0] = 1e-9
    for k in range(c.start.size):
        z.flow[k] = 0.0 if t[k, IS_SHUT] > 0.0 else max(min(first_guess(k, c, t), t[k, HIGH]), t[k, LOW])
        z.usual[0] = max(z.usual[0], abs(z.flow[k]))
        usual = first_guess(k, c, t)
        _, slope = drop(k, REST_FRAC * usual, t)
        z.floor[k] = slope if slope > 0.0 else REST_FRAC * 1e4 / usual
        z.step[k], z.y[k], z.bound[k, 0], z.bound[k, 1], z.active[k] = 0.0, 0.0, 0.0, 0.0, 0


@inner
def _settle(g: Graph, t: Floats, z: State, flow: float, mode: Ints) -> None:
    """Put flows that rest on a bound exactly there, and say the state of each link."""
    for k in range(g.start.size):
        mode[k] = SHUT if t[k, IS_SHUT] > 0.0 else FREE
        if abs(z.flow[k]) <= 1e-13 * flow:
            z.flow[k] = 0.0
        if z.active[k] == 1:
            mode[k] = REGULATING
        elif z.bound[k, 0] > 0.0 and abs(z.flow[k] - t[k, LOW]) <= 1e-8 * flow:
            z.flow[k] = t[k, LOW]
            mode[k] = SHUT_BY_CHECK
        elif z.bound[k, 1] > 0.0 and abs(z.flow[k] - t[k, HIGH]) <= 1e-8 * flow:
            z.flow[k] = t[k, HIGH]
            mode[k] = AT_LIMIT if t[k, HIGH] > 0.0 else SHUT_BY_CHECK


@inner
def _one(
    s: int, c: Columns, g: Graph, x: Inputs, height_m: Floats, gravity_m_s2: float, t: Floats, z: State, w: Work, regulators: Ints,
    floating: Bools, dry: Bools, mode: Ints,
) -> tuple[int, int, float]:  # fmt: skip
    """Solve case s in the work arrays: status, culprit, and what does not close at a node over the largest flow."""
    terms(s, c, x, height_m, gravity_m_s2, t)
    _start(s, c, x, t, z, g)
    islands(g, t, z, np.empty(z.pressure.size, np.int64), floating, dry)
    setting = row(x.setting, s)
    status, culprit, first = SOLVED, -1, True
    for _ in range(6 * regulators.size + 1):
        status, culprit = _bounded(g, t, z, w, regulators, first)
        first = False
        if status != SOLVED or regulators.size == 0:
            break
        culprit = _switch(g, t, z, setting, floating, regulators)
        if culprit < 0:
            break
        status = HUNTING
    if status != SOLVED:
        return status, culprit, 0.0
    flow, _ = scales(g, t, z)
    close_mass(g, t, z, w, regulators)
    _settle(g, t, z, flow, mode)
    return SOLVED, -1, _open_mass(g, z) / flow


@inner
def _open_mass(g: Graph, z: State) -> float:
    """Largest rest of a node's balance, kg/s; a node that holds a pressure from outside gives what is missing."""
    rest = z.demand.copy()
    for k in range(g.start.size):
        rest[g.start[k]] += z.flow[k]
        rest[g.end[k]] -= z.flow[k]
    worst = 0.0
    for a in range(rest.size):
        if not z.held[a]:
            worst = max(worst, abs(rest[a]))
    return worst


@inner
def _keep(z: State, flow: Floats, pressure: Floats) -> None:
    for k in range(flow.size):
        flow[k] = z.flow[k]
    for a in range(pressure.size):
        pressure[a] = z.pressure[a]


@kernel
def solve_cases(
    cases: int, c: Columns, g: Graph, x: Inputs, height_m: Floats, gravity_m_s2: float, regulators: Ints
) -> tuple[Floats, Floats, Ints, Ints, Floats, Ints, Bools, Bools]:
    """Every case: flows, pressures, status, culprit, open mass, and states of links and nodes."""
    links, nodes, unknowns = c.start.size, height_m.size, g.pattern.place.size
    t, z = np.zeros((links, IS_SHUT + 1)), new_state(links, nodes, unknowns, g.pattern.row.size)
    w = workspace(unknowns, g.pattern.l_first[-1])
    flow, pressure = np.zeros((cases, links)), np.zeros((cases, nodes))
    status, culprit, rest = np.zeros(cases, np.int64), np.full(cases, -1), np.zeros(cases)
    mode, floating, dry = np.zeros((cases, links), np.int64), np.zeros((cases, nodes), np.bool_), np.zeros((cases, nodes), np.bool_)
    for s in range(cases):
        status[s], culprit[s], rest[s] = _one(s, c, g, x, height_m, gravity_m_s2, t, z, w, regulators, floating[s], dry[s], mode[s])
        if status[s] == SOLVED:
            _keep(z, flow[s], pressure[s])
    return flow, pressure, status, culprit, rest, mode, floating, dry
