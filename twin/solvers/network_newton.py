"""Newton's method for one case of a network, in flows and pressures at once.

A step linearises every link about its flow and solves a weighted Laplacian for the pressures (the global gradient algorithm:
Todini and Pilati, 1988; Todini and Rossman, J. Hydraul. Eng. 139 (2013), p. 511). After the first step flows close at every node,
and what remains is to minimise a convex function, the content of the network (Collins et al., Management Science 24 (1978),
p. 747): its slope along a step, which needs the laws only, decides how far the step goes. So it converges from any start.

Bounds of a flow (check valves, flow limits) are multipliers of an augmented Lagrangian (Rockafellar, Math. Program. 5 (1973),
p. 354), not states that switch: they cannot cycle, and a part of the network behind a shut valve keeps a pressure.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.solvers.jit import inner
from twin.solvers.network_laws import HIGH, IS_SHUT, LIFT, LOW, drop
from twin.solvers.sparse import Pattern, Work, factor, substitute

STEPS, OUTER = 120, 40
FLOW_TOLERANCE, ROUNDING = 1e-10, 8e-15
"""Largest flow change of the last step over the largest flow; and what rounding of pressures leaves of it."""
REST_FRAC = 1e-8
"""A step works with no smaller slope of a link than at this share of its usual flow (a quadratic law has none at rest)."""


class Graph(NamedTuple):
    """Which node is which unknown, and where links stand in the matrix.

    Attributes:
        unknown: (N,) place of a node's pressure in the order of elimination; -1 where the node holds its pressure.
        slot: (L,) entry of a link between two unknowns, else -1.
        pattern: of the matrix.
    """

    start: Ints
    end: Ints
    regulator: Ints
    unknown: Ints
    slot: Ints
    pattern: Pattern


class State(NamedTuple):
    """Arrays of the case at work: links (L,), nodes (N,), unknowns (n,).

    ``held`` marks nodes whose pressure is given in this case; ``active`` links that regulate; ``bound`` (L, 2) are the
    multipliers of the bounds; ``floor`` the smallest
    slopes; ``usual`` (1,) is the largest flow of the first guess.
    """

    flow: Floats
    step: Floats
    y: Floats
    floor: Floats
    bound: Floats
    active: Ints
    pressure: Floats
    held: Bools
    demand: Floats
    diagonal: Floats
    upper: Floats
    x: Floats
    usual: Floats


@inner
def new_state(links: int, nodes: int, unknowns: int, entries: int) -> State:
    """Room for a case."""
    return State(
        np.zeros(links), np.zeros(links), np.zeros(links), np.zeros(links), np.zeros((links, 2)),
        np.zeros(links, np.int64),
        np.zeros(nodes), np.zeros(nodes, np.bool_), np.zeros(nodes), np.zeros(unknowns), np.zeros(entries), np.zeros(unknowns), np.zeros(1),
    )  # fmt: skip


@inner
def effective(k: int, flow_kg_s: float, stiff_pa_s_kg: float, t: Floats, bound: Floats) -> tuple[float, float]:
    """Drop and slope of link k with the multipliers (L, 2) of its bounds."""
    loss, slope = drop(k, flow_kg_s, t)
    over = bound[k, 1] + stiff_pa_s_kg * (flow_kg_s - t[k, HIGH])
    if over > 0.0:
        loss += over
        slope += stiff_pa_s_kg
    under = bound[k, 0] + stiff_pa_s_kg * (t[k, LOW] - flow_kg_s)
    if under > 0.0:
        loss -= under
        slope += stiff_pa_s_kg
    return loss, slope


@inner
def _assemble(stiff_pa_s_kg: float, g: Graph, t: Floats, z: State) -> None:
    """Matrix and right side of the step; of each flow's step, what the present pressures make.

    The unknowns are changes of pressure: near the solution they are small, and so is what rounding makes of them.
    """
    for n in range(z.diagonal.size):
        z.diagonal[n] = 0.0
    for n in range(z.upper.size):
        z.upper[n] = 0.0
    for a in range(z.pressure.size):
        if g.unknown[a] >= 0:
            z.x[g.unknown[a]] = -z.demand[a]
    for k in range(g.start.size):
        z.y[k], z.step[k] = 0.0, 0.0
        if t[k, IS_SHUT] > 0.0 or z.active[k] == 1:
            continue
        a, b = g.start[k], g.end[k]
        loss, slope = effective(k, z.flow[k], stiff_pa_s_kg, t, z.bound)
        y = 1.0 / max(slope, z.floor[k])
        z.y[k] = y
        z.step[k] = y * (z.pressure[a] - z.pressure[b] - loss)
        carried = z.flow[k] + z.step[k]
        ua, ub = g.unknown[a], g.unknown[b]
        if ua >= 0:
            z.diagonal[ua] += y
            z.x[ua] -= carried
        if ub >= 0:
            z.diagonal[ub] += y
            z.x[ub] += carried
        if g.slot[k] >= 0 and not z.held[a] and not z.held[b]:
            z.upper[g.slot[k]] -= y
    for a in range(z.pressure.size):
        if z.held[a] and g.unknown[a] >= 0:
            z.diagonal[g.unknown[a]] = 1.0
            z.x[g.unknown[a]] = 0.0


@inner
def holds(k: int, g: Graph) -> int:
    """Node whose pressure a regulator holds."""
    node: int = g.end[k] if g.regulator[k] == 1 else g.start[k]
    return node


@inner
def _gives(k: int, regulators: Ints, g: Graph, z: State) -> int:
    """Unknown of the node that a regulating link's flow is taken from or given to; -1 where that node holds its pressure."""
    node = g.start[k] if g.regulator[k] == 1 else g.end[k]
    for _ in range(regulators.size):
        for m in regulators:
            if z.active[m] == 1 and holds(m, g) == node:
                node = g.start[m] if g.regulator[m] == 1 else g.end[m]
    unknown: int = -1 if z.held[node] else g.unknown[node]
    return unknown


@inner
def _balance(k: int, given: Floats, g: Graph, z: State) -> float:
    """Sum over the links at the node that regulator k holds of ``y`` times the unknown at their far end."""
    node, total = holds(k, g), 0.0
    for m in range(g.start.size):
        if z.y[m] > 0.0 and (g.start[m] == node or g.end[m] == node):
            far = g.end[m] if g.start[m] == node else g.start[m]
            if not z.held[far]:
                total += z.y[m] * given[g.unknown[far]]
    return total


@inner
def _solve(g: Graph, z: State, w: Work, regulators: Ints) -> None:
    """Changes of pressure. A regulating link hands the balance of the node that it holds to its other end: one row each."""
    count = 0
    at = np.zeros(regulators.size, np.int64)
    own = np.zeros(regulators.size, np.int64)
    for k in regulators:
        if z.active[k] == 1:
            to = _gives(k, regulators, g, z)
            if to < 0:
                continue
            node = holds(k, g)
            z.x[to] -= z.demand[node]
            for m in range(g.start.size):
                if z.y[m] > 0.0 and (g.start[m] == node or g.end[m] == node):
                    sign = 1.0 if g.start[m] == node else -1.0
                    z.x[to] -= sign * (z.flow[m] + z.step[m])
            at[count], own[count] = to, k
            count += 1
    factor(g.pattern, z.diagonal, z.upper, w)
    substitute(g.pattern, w, z.x)
    if count == 0:
        return
    reach, small, right = np.zeros((count, z.x.size)), np.zeros((count, count)), np.zeros(count)
    for p in range(count):
        reach[p, at[p]] = 1.0
        substitute(g.pattern, w, reach[p])
    for p in range(count):
        right[p] = -_balance(own[p], z.x, g, z)
        for m in range(count):
            small[p, m] = (1.0 if p == m else 0.0) - _balance(own[p], reach[m], g, z)
    _eliminate(small, right)
    for p in range(count):
        for n in range(z.x.size):
            z.x[n] -= right[p] * reach[p, n]


@inner
def _eliminate(matrix: Floats, right: Floats) -> None:
    """Solve a small dense system by elimination with pivots; the right side becomes the solution."""
    n = right.size
    for k in range(n):
        best = k
        for i in range(k + 1, n):
            if abs(matrix[i, k]) > abs(matrix[best, k]):
                best = i
        for j in range(n):
            matrix[k, j], matrix[best, j] = matrix[best, j], matrix[k, j]
        right[k], right[best] = right[best], right[k]
        for i in range(k + 1, n):
            share = matrix[i, k] / matrix[k, k] if matrix[k, k] != 0.0 else 0.0
            for j in range(k, n):
                matrix[i, j] -= share * matrix[k, j]
            right[i] -= share * right[k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            right[k] -= matrix[k, j] * right[j]
        right[k] = right[k] / matrix[k, k] if matrix[k, k] != 0.0 else 0.0


@inner
def _flows(g: Graph, z: State, regulators: Ints) -> None:
    """The step of each flow, and the pressures, from the solution."""
    for k in range(g.start.size):
        if z.y[k] > 0.0:
            a, b = g.start[k], g.end[k]
            z.step[k] += z.y[k] * ((0.0 if z.held[a] else z.x[g.unknown[a]]) - (0.0 if z.held[b] else z.x[g.unknown[b]]))
    for a in range(z.pressure.size):
        if not z.held[a]:
            z.pressure[a] += z.x[g.unknown[a]]
    for _ in range(regulators.size):
        for k in regulators:
            if z.active[k] == 1:
                node = holds(k, g)
                out = z.demand[node]
                for m in range(g.start.size):
                    if m != k:
                        out += (z.flow[m] + z.step[m]) * ((1.0 if g.start[m] == node else 0.0) - (1.0 if g.end[m] == node else 0.0))
                z.step[k] = (out if g.regulator[k] == 1 else -out) - z.flow[k]


@inner
def _slope(share: float, stiff_pa_s_kg: float, g: Graph, t: Floats, z: State) -> float:
    """Slope of the content along the step, at a share of it."""
    total = 0.0
    for k in range(g.start.size):
        if z.y[k] > 0.0 and z.step[k] != 0.0:
            loss, _ = effective(k, z.flow[k] + share * z.step[k], stiff_pa_s_kg, t, z.bound)
            total += z.step[k] * (loss - (z.pressure[g.start[k]] - z.pressure[g.end[k]]))
    return total


@inner
def _share(stiff_pa_s_kg: float, g: Graph, t: Floats, z: State) -> float:
    """How far to go along the step: where the content's slope has fallen to a half, twice as far where it is still steep."""
    begin = 0.0
    for k in range(g.start.size):
        if z.y[k] > 0.0:
            begin += z.step[k] * z.step[k] / z.y[k]
    full = _slope(1.0, stiff_pa_s_kg, g, t, z)
    if full <= 0.5 * begin:
        if full < -0.2 * begin and _slope(2.0, stiff_pa_s_kg, g, t, z) <= 0.25 * begin:
            return 2.0
        return 1.0
    low, high, at_low, at_high, share = 0.0, 1.0, -begin, full, 1.0
    for _ in range(40):
        share = low + (high - low) * min(max(at_low / (at_low - at_high), 0.1), 0.9)
        now = _slope(share, stiff_pa_s_kg, g, t, z)
        if abs(now) <= 0.5 * begin:
            break
        if now < 0.0:
            low, at_low = share, now
        else:
            high, at_high = share, now
    return share


@inner
def scales(g: Graph, t: Floats, z: State) -> tuple[float, float]:
    """Largest flow (at least a little of a usual one, since all may be at rest) and largest pressure difference, never 0."""
    flow, pressure = 1e-4 * z.usual[0], 1e-3
    for k in range(g.start.size):
        if t[k, IS_SHUT] == 0.0:
            flow = max(flow, abs(z.flow[k]))
            pressure = max(pressure, abs(t[k, LIFT]), abs(z.pressure[g.start[k]] - z.pressure[g.end[k]] + t[k, LIFT]))
    return flow, pressure


@inner
def newton(first: bool, stiff_pa_s_kg: float, g: Graph, t: Floats, z: State, w: Work, regulators: Ints) -> bool:
    """Steps until flows and pressures stand still; False where they do not within :data:`STEPS`."""
    for _ in range(STEPS):
        flow, _ = scales(g, t, z)
        _assemble(stiff_pa_s_kg, g, t, z)
        _solve(g, z, w, regulators)
        _flows(g, z, regulators)
        level, largest, still = 0.0, 0.0, True
        for a in range(z.pressure.size):
            level = max(level, abs(z.pressure[a]))
        for k in range(g.start.size):
            if z.y[k] > 0.0:
                largest = max(largest, abs(z.step[k]))
                still = still and abs(z.step[k]) <= FLOW_TOLERANCE * flow + ROUNDING * level * z.y[k]
        share = 1.0 if first or largest <= 1e-8 * flow else _share(stiff_pa_s_kg, g, t, z)
        for k in range(g.start.size):
            z.flow[k] += share * z.step[k]
        if not math.isfinite(level + largest):
            return False
        if still and not first:
            return True
        first = False
    return False


@inner
def close_mass(g: Graph, t: Floats, z: State, w: Work, regulators: Ints) -> float:
    """Take what rounding left open at the nodes out of the flows, by the last matrix; the largest rest, kg/s."""
    rest = np.empty(z.pressure.size)
    worst = 0.0
    for turn in range(2):
        for a in range(rest.size):
            rest[a] = z.demand[a]
        for k in range(g.start.size):
            rest[g.start[k]] += z.flow[k]
            rest[g.end[k]] -= z.flow[k]
        worst = 0.0
        for a in range(rest.size):
            if g.unknown[a] >= 0:
                z.x[g.unknown[a]] = 0.0 if z.held[a] else -rest[a]
                worst = max(worst, 0.0 if z.held[a] else abs(rest[a]))
        if turn == 1 or regulators.size > 0:
            break
        substitute(g.pattern, w, z.x)
        for k in range(g.start.size):
            if z.y[k] > 0.0:
                a, b = g.start[k], g.end[k]
                at_a = 0.0 if z.held[a] else z.x[g.unknown[a]]
                at_b = 0.0 if z.held[b] else z.x[g.unknown[b]]
                z.flow[k] += z.y[k] * (at_a - at_b)
    return worst
