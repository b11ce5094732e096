"""A row manifold as a ladder of any length: O(N) Newton for branch laws ``a q + b q |q|``, closed branches and check valves.

Every rung has a segment of supply and of return pipe and a branch between them. With direct return both segments of a rung carry
what lies beyond it; with reverse return the return pipe carries what lies before. Branch flows are the unknowns, so that mass
closes by construction; a Newton step puts one rung after the other ahead of all that lies beyond it, from the far end on, as a
conductance and a source, which stays well conditioned where branches are closed and take nothing (Todini and Pilati's gradient
method, 1988, with the elimination that a ladder allows).

The start is the exact series-parallel reduction of the ladder with squares for all laws. Where plain steps do not settle, or a
check valve shuts, steps are shortened along the content of the network, which is convex (Collins et al., Manage. Sci. 24, 1978,
p. 747), until the directional derivative has fallen: that converges from anywhere.
"""

from __future__ import annotations

import math

import numpy as np

from topology.axes import Bools, Floats
from twin.solvers.friction import LAWS, friction
from twin.solvers.jit import inner
from twin.solvers.rung import branch_line, eliminate, first_conductance, haaland_fast

SETTLED = 1e-9
"""Change of branch flows, over the largest, at which a Newton step was the last: the error left is about its square."""
PLAIN_STEPS, SAFE_STEPS, SHORTENINGS, VALVE_ROUNDS = 12, 300, 40, 60
FLOOR = 1e-9
"""Share of the largest branch flow below which a branch's slope no longer falls."""
START_FRICTION = 0.022
"""Darcy factor of the start, that of a smooth pipe at Reynolds 3e4."""
HAALAND, HAZEN_WILLIAMS = LAWS["haaland"], LAWS["hazen_williams"]
HAZEN_POWER = 0.852
K, RE, ROUGH, POWER, FACTOR, SLOPE = range(6)
"""Constants of a leg; see :mod:`twin.solvers.rung`."""


@inner
def segment(law: int, leg: Floats, flow_kg_s: float) -> tuple[float, float]:
    """Loss of one leg of a segment and its derivative by flow.

    Args:
        law: number of the friction law (:data:`twin.solvers.friction.LAWS`).
        leg: (6,) constants; with Hazen-Williams the first is loss over ``q^1.852``.
        flow_kg_s: flow, of either sign.

    Returns:
        Loss [Pa], of the flow's sign, and slope [Pa s/kg].
    """
    size = abs(flow_kg_s)
    if law == HAZEN_WILLIAMS:
        slope = leg[K] * size**HAZEN_POWER
        return slope * flow_kg_s, (1.0 + HAZEN_POWER) * slope
    re = leg[RE] * size
    if law == HAALAND:
        whole, rise = haaland_fast(re, leg[POWER], leg[FACTOR], leg[SLOPE])
    else:
        whole, rise = friction(law, re, leg[ROUGH])
    return leg[K] * flow_kg_s * whole, leg[K] * (whole + re * rise)


@inner
def start(dp_pa: float, legs: Floats, linear: Floats, quadratic: Floats, flow: Floats) -> float:
    """Flows of the ladder with squares for all laws, by its exact reduction from the far end; returns the largest branch flow.

    Args:
        dp_pa: pressure at the entry, above 0.
        legs: (N, 2, 6) constants of supply and return.
        linear: (N,) a of the branches [Pa s/kg], infinite where closed.
        quadratic: (N,) b [Pa s2/kg2].
        flow: (N,) result [kg/s]; written.
    """
    n = flow.size
    beyond, own = np.empty(n), np.empty(n)
    g = 0.0
    for j in range(n - 1, -1, -1):
        beyond[j] = g
        own[j] = first_conductance(dp_pa, linear[j], quadratic[j])
        total = g + own[j]
        pipe = START_FRICTION * (legs[j, 0, K] * legs[j, 0, RE] + legs[j, 1, K] * legs[j, 1, RE])
        g = total / math.sqrt(1.0 + pipe * total * total)
    through = g * math.sqrt(dp_pa)
    most = 0.0
    for j in range(n):
        total = beyond[j] + own[j]
        flow[j] = through * own[j] / total if total > 0.0 else 0.0
        through -= flow[j]
        most = max(most, flow[j])
    return most


@inner
def _direct(law: int, two: bool, dp: float, legs: Floats, a: Floats, b: Floats, q: Floats, floor: float, new: Floats, p: Floats) -> None:
    """One Newton step of a direct-return ladder: new branch flows and pressures."""
    n = q.size
    lines = np.empty((4, n))
    through, y, i = 0.0, 0.0, 0.0
    for j in range(n - 1, -1, -1):
        own, e = branch_line(q[j], a[j], b[j], floor)
        through += q[j]
        loss, slope = segment(law, legs[j, 0], through)
        if two:
            more, rise = segment(law, legs[j, 1], through)
            loss, slope = loss + more, slope + rise
        d, h, y, i = eliminate(through, loss, slope, y + own, i + own * e)
        lines[0, j], lines[1, j], lines[2, j], lines[3, j] = own, e, d, h
    for j in range(n):
        dp = lines[2, j] * dp + lines[3, j]
        p[j] = dp
        new[j] = lines[0, j] * (dp - lines[1, j])


@inner
def _reverse(law: int, dp: float, legs: Floats, a: Floats, b: Floats, q: Floats, floor: float, new: Floats, p: Floats) -> None:
    """One Newton step of a reverse-return ladder; every quantity is a line in its branch pressure and in the whole flow T.

    Beyond a rung the supply takes ``Q = Y p - I + Z T`` and the return loses ``X = A p + B + C T`` to the exit.
    """
    n = q.size
    keep = np.empty((5, n))
    whole = 0.0
    for j in range(n):
        whole += q[j]
    loss, slope = segment(law, legs[n - 1, 1], whole)
    big_a, big_b, big_c = 0.0, loss - slope * whole, slope
    own, e = branch_line(q[n - 1], a[n - 1], b[n - 1], floor)
    y, i, z, through = own, own * e, 0.0, q[n - 1]
    keep[0, n - 1], keep[1, n - 1] = own, e
    for j in range(n - 2, -1, -1):
        before = whole - through
        down, rs = segment(law, legs[j + 1, 0], through)
        up, rt = segment(law, legs[j, 1], before)
        c, r = up - rt * before - down + rs * through, rs + rt
        d = 1.0 / (1.0 + r * y)
        f0, f1 = d * (c + r * i), d * (rt - r * z)
        keep[2, j + 1], keep[3, j + 1], keep[4, j + 1] = d, f0, f1
        i, z, y = i - y * f0, z + y * f1, y * d
        big_b += big_a * f0 + up - rt * before + rt * i
        big_c += big_a * f1 + rt - rt * z
        big_a = big_a * d - rt * y
        own, e = branch_line(q[j], a[j], b[j], floor)
        keep[0, j], keep[1, j] = own, e
        y, i, through = y + own, i + own * e, through + q[j]
    loss, slope = segment(law, legs[0, 0], whole)
    t = (dp - loss + slope * whole - big_b - (1.0 + big_a) * i / y) / (slope + big_c + (1.0 + big_a) * (1.0 - z) / y)
    pressure = (t * (1.0 - z) + i) / y
    for j in range(n):
        if j > 0:
            pressure = keep[2, j] * pressure + keep[3, j] + keep[4, j] * t
        p[j] = pressure
        new[j] = keep[0, j] * (pressure - keep[1, j])


@inner
def _put(into: Floats, values: Floats) -> None:
    for j in range(into.size):
        into[j] = values[j]


@inner
def _moved(new: Floats, q: Floats) -> float:
    """Largest change of a branch flow over the largest flow; NaN where a flow is none."""
    change, most = 0.0, 0.0
    for j in range(q.size):
        step = abs(new[j] - q[j])
        if not step <= change:
            change = step
        most = max(most, abs(new[j]))
    return change / most if most > 0.0 else change


@inner
def _pull(law: int, reverse: bool, dp: float, legs: Floats, a: Floats, b: Floats, q: Floats, step: Floats, share: float) -> float:
    """Derivative of the network's content along a step, at a share of it."""
    n = q.size
    flow, along, total = 0.0, 0.0, 0.0
    whole, whole_step = 0.0, 0.0
    for j in range(n):
        whole += q[j] + share * step[j]
        whole_step += step[j]
    for j in range(n - 1, -1, -1):
        own = q[j] + share * step[j]
        if reverse:
            total += segment(law, legs[j, 1], whole - flow)[0] * (whole_step - along)
        flow += own
        along += step[j]
        total += segment(law, legs[j, 0], flow)[0] * along
        if not reverse:
            total += segment(law, legs[j, 1], flow)[0] * along
        if not math.isinf(a[j]):
            total += (a[j] * own + b[j] * own * abs(own)) * step[j]
    return total - dp * along


@inner
def _safe(law: int, reverse: bool, two: bool, dp: float, legs: Floats, a: Floats, b: Floats, floor: float, q: Floats, p: Floats) -> float:
    """Shortened Newton steps from ``q`` on; returns the last change."""
    n = q.size
    new, step = np.empty(n), np.empty(n)
    change = 1.0
    for _ in range(SAFE_STEPS):
        if reverse:
            _reverse(law, dp, legs, a, b, q, floor, new, p)
        else:
            _direct(law, two, dp, legs, a, b, q, floor, new, p)
        change = _moved(new, q)
        if change <= SETTLED or math.isnan(change):
            _put(q, new)
            break
        for j in range(n):
            step[j] = new[j] - q[j]
        first = _pull(law, reverse, dp, legs, a, b, q, step, 0.0)
        share = 1.0
        for _ in range(SHORTENINGS):
            now = _pull(law, reverse, dp, legs, a, b, q, step, share)
            if now <= 0.9 * abs(first):
                break
            share *= min(max(abs(first) / (abs(first) + now), 0.1), 0.7)
        for j in range(n):
            q[j] += share * step[j]
    return change


@inner
def _valves(
    law: int, reverse: bool, two: bool, dp: float, legs: Floats, a: Floats, b: Floats, check: Bools, floor: float, q: Floats
) -> float:
    """Solve with check valves: shut those that flow back, and open again those that would flow forth, until none does."""
    n = q.size
    begin, p, now_a, now_b = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    _put(begin, q)
    _put(now_a, a)
    _put(now_b, b)
    change = 1.0
    for _ in range(VALVE_ROUNDS):
        change = _safe(law, reverse, two, dp, legs, now_a, now_b, floor, q, p)
        if not change <= SETTLED:
            return change
        shut, opened, best = 0, -1, 0.0
        for j in range(n):
            if check[j] and q[j] < 0.0:
                now_a[j], now_b[j], shut = math.inf, 0.0, shut + 1
            elif check[j] and math.isinf(now_a[j]) and not math.isinf(a[j]) and p[j] > best:
                opened, best = j, p[j]
        if shut == 0:
            if opened < 0:
                return change
            now_a[opened], now_b[opened] = a[opened], b[opened]
        some = False
        for j in range(n):
            q[j] = 0.0 if math.isinf(now_a[j]) else begin[j]
            some = some or not math.isinf(now_a[j])
        if not some:
            return 0.0
    return 1.0


@inner
def ladder(
    law: int, reverse: bool, two: bool, dp_pa: float, legs: Floats, linear: Floats, quadratic: Floats, check: Bools, flow: Floats
) -> float:
    """Flows of one ladder.

    Args:
        law: number of the friction law (:data:`twin.solvers.friction.LAWS`).
        reverse: return pipe leaves at the far end.
        two: the second leg has losses of its own (direct return with other properties on the return side); reverse always does.
        dp_pa: pressure difference at the entry, of either sign [Pa].
        legs: (N, 2, 6) constants of the supply and return legs, see :mod:`twin.solvers.rung`; with direct return leg j of both
            lies ahead of branch j, with reverse return the second one lies behind it.
        linear: (N,) a of the branches [Pa s/kg]; infinite for a closed one.
        quadratic: (N,) b of the branches [Pa s2/kg2]; 0 for a closed one.
        check: (N,) the branch has a check valve: no flow from return to supply.
        flow: (N,) result, from supply to return [kg/s]; written.

    Returns:
        Last change of a branch flow over the largest one; the flows hold where it is at most :data:`SETTLED`.
    """
    n, some = flow.size, False
    for j in range(n):
        flow[j] = 0.0
        some = some or not math.isinf(linear[j])
    if dp_pa == 0.0 or not some:
        return 0.0
    most = start(abs(dp_pa), legs, linear, quadratic, flow)
    floor = FLOOR * most
    begin, new, p = np.empty(n), np.empty(n), np.empty(n)
    for j in range(n):
        flow[j] = -flow[j] if dp_pa < 0.0 else flow[j]
        begin[j] = flow[j]
    change = 1.0
    for _ in range(PLAIN_STEPS):
        if reverse:
            _reverse(law, dp_pa, legs, linear, quadratic, flow, floor, new, p)
        else:
            _direct(law, two, dp_pa, legs, linear, quadratic, flow, floor, new, p)
        change = _moved(new, flow)
        _put(flow, new)
        if change <= SETTLED:
            break
    back = False
    for j in range(n):
        back = back or (check[j] and flow[j] < 0.0)
    if not change <= SETTLED or back:
        _put(flow, begin)
        change = _valves(law, reverse, two, dp_pa, legs, linear, quadratic, check, floor, flow)
    return change
