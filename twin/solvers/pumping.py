"""Where pumps and manifolds of a loop meet: set-points on header pressure or on flow, pumps in parallel, staging, lowest speed.

Every running pump of a loop turns at one speed s. A pump gives the head ``s^2 H - k (m / n)^2`` (affinity laws), n of them in a CDU
share its flow, and a non-return valve keeps a CDU that cannot reach the header's pressure from flowing back. Pumps that are off
carry nothing. The header's pressure lies where what the CDUs push is what the manifolds take.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.solvers.jit import inner, kernel
from twin.solvers.ladder import ladder
from twin.solvers.laws import narrowed

MEET = 1e-12
"""Share of a loop's flow within which its pumps and its manifolds must agree."""
ROUNDS = 200
LIMITS = ("off", "set-point", "lowest speed", "full speed", "highest pressure")
"""What decides a loop's flow: no pump runs or nothing is open; pumps hold what they are asked; they cannot turn slower; they cannot
turn faster; the flow that they should hold would need more than the highest header pressure."""
OFF, HELD, SLOWEST, FASTEST, CEILING = range(5)


class Rig(NamedTuple):
    """Manifolds (M) in loop order with their branches (B), and what each loop (L) holds.

    Attributes:
        loops: loops to solve.
        m_first: (L + 1,) offsets of each loop's manifolds.
        first: (M + 1,) offsets of each manifold's branches.
        law: (L,) friction law.
        reverse: (M,) return pipe leaves at the far end.
        two: (M,) both legs have losses of their own.
        legs: (B, 2, 6) constants of the segments.
        check: (B,) branches with a check valve.
        dp_pa: (L,) header pressure that is held, or the highest where a flow is held.
        hold_kg_s: (L,) flow that is held, infinite where the pressure is.
        on_demand: (L,) pumps start one after another.
        stage_frac: (L,) share of what is held below which the next one starts.
    """

    loops: Ints
    m_first: Ints
    first: Ints
    law: Ints
    reverse: Bools
    two: Bools
    legs: Floats
    check: Bools
    dp_pa: Floats
    hold_kg_s: Floats
    on_demand: Bools
    stage_frac: Floats


class Curves(NamedTuple):
    """Pumps of each CDU (C) in loop order.

    Attributes:
        first: (L + 1,) offsets of each loop's CDUs.
        shutoff: (C,) head at zero flow and full speed [Pa], infinite where no curve is known.
        k: (C,) fall of head of one pump with flow squared [Pa s2/kg2].
        inner: (C,) resistance of the CDU itself.
        floor: (C,) lowest speed.
    """

    first: Ints
    shutoff: Floats
    k: Floats
    inner: Floats
    floor: Floats


class Case(NamedTuple):
    """One case: branch laws (B), pumps that could run and that do (C), and the flows found (B, C)."""

    linear: Floats
    square: Floats
    able: Floats
    running: Floats
    flow: Floats
    cdu: Floats


@inner
def push(dp_pa: float, speed: float, x: int, p: Curves, case: Case) -> float:
    """Flow that the CDUs of a loop push against a header pressure [kg/s]; each one's share is written to the case.

    Args:
        dp_pa: header pressure.
        speed: over full speed.
        x: the loop.
        p: pump curves.
        case: pumps that run.
    """
    total = 0.0
    for c in range(p.first[x], p.first[x + 1]):
        case.cdu[c] = 0.0
        spare = speed * speed * p.shutoff[c] - dp_pa
        if case.running[c] > 0.0 and spare > 0.0:
            case.cdu[c] = math.sqrt(spare / (p.k[c] / (case.running[c] * case.running[c]) + p.inner[c]))
        total += case.cdu[c]
    return total


@inner
def take(dp_pa: float, x: int, rig: Rig, case: Case) -> tuple[float, float]:
    """Flow that the manifolds of a loop take at a header pressure [kg/s], and the worst residual; branch flows are written.

    Args:
        dp_pa: header pressure.
        x: the loop.
        rig: manifolds.
        case: branch laws.
    """
    total, worst = 0.0, 0.0
    for m in range(rig.m_first[x], rig.m_first[x + 1]):
        a, b = rig.first[m], rig.first[m + 1]
        moved = ladder(
            rig.law[x], rig.reverse[m], rig.two[m], dp_pa, rig.legs[a:b], case.linear[a:b], case.square[a:b], rig.check[a:b], case.flow[a:b]
        )
        if not moved <= worst:
            worst = moved
        for j in range(a, b):
            total += case.flow[j]
    return total, worst


@inner
def _gap(dp: float, speed: float, hold: float, x: int, rig: Rig, p: Curves, case: Case) -> tuple[float, float, float]:
    """What the manifolds take above what the pumps push (or above a flow to hold), that flow, and the worst residual."""
    want, worst = take(dp, x, rig, case)
    return want - (hold if speed < 0.0 else push(dp, speed, x, p, case)), want, worst


@inner
def _cross(low: float, high: float, speed: float, hold: float, x: int, rig: Rig, p: Curves, case: Case) -> tuple[float, float]:
    """Header pressure between two at which the gap closes, by Illinois false position in its root; and the residual."""
    a, b = math.sqrt(low), math.sqrt(high)
    fa, _, _ = _gap(low, speed, hold, x, rig, p, case)
    fb, want, worst = _gap(high, speed, hold, x, rig, p, case)
    side, c, fc = 0, b, fb
    for _ in range(ROUNDS):
        if abs(fc) <= MEET * want or b - a <= 1e-16 * b:
            break
        c = (a * fb - b * fa) / (fb - fa)
        if not a < c < b:
            c = 0.5 * (a + b)
        fc, want, worst = _gap(c * c, speed, hold, x, rig, p, case)
        a, fa, b, fb, side = narrowed((a, fa, b, fb, side), c, fc)
    return c * c, max(worst, abs(fc) / want if want > 0.0 else 0.0)


@inner
def _speed(dp: float, want: float, x: int, p: Curves, case: Case) -> float:
    """Speed at which the CDUs push what is wanted, by bisection; at least the lowest that their pumps turn at."""
    low, high = 0.0, 1.0
    for _ in range(60):
        mid = 0.5 * (low + high)
        if push(dp, mid, x, p, case) >= want:
            high = mid
        else:
            low = mid
    for c in range(p.first[x], p.first[x + 1]):
        if case.running[c] > 0.0:
            high = max(high, p.floor[c])
    return high


@inner
def _share(want: float, dp: float, speed: float, x: int, p: Curves, case: Case) -> None:
    """Hand out what is wanted among the CDUs as their curves do, to the last bit."""
    got = push(dp, speed, x, p, case)
    for c in range(p.first[x], p.first[x + 1]):
        case.cdu[c] *= want / got if got > 0.0 else 0.0


@inner
def _stage(x: int, rig: Rig, p: Curves, case: Case) -> tuple[float, float, float, int]:
    """Header pressure, speed, residual and what decides, with the pumps that run."""
    dp, kind = rig.dp_pa[x], HELD
    want, worst = take(dp, x, rig, case)
    if rig.hold_kg_s[x] < want:
        dp, worst = _cross(0.0, dp, -1.0, rig.hold_kg_s[x], x, rig, p, case)
        want = rig.hold_kg_s[x]
    elif not math.isinf(rig.hold_kg_s[x]):
        kind = CEILING
    if want <= 0.0:
        return dp, 0.0, worst, OFF
    speed, able = 1.0, push(dp, 1.0, x, p, case)
    if able < want * (1.0 - MEET):
        dp, worst = _cross(0.0, dp, 1.0, 0.0, x, rig, p, case)
        kind = FASTEST
    elif not math.isinf(able):
        speed = _speed(dp, want, x, p, case)
        if push(dp, speed, x, p, case) > want * (1.0 + 1e-9):
            top = 0.0
            for c in range(p.first[x], p.first[x + 1]):
                top = max(top, speed * speed * p.shutoff[c] if case.running[c] > 0.0 else 0.0)
            dp, worst = _cross(dp, top, speed, 0.0, x, rig, p, case)
            kind = SLOWEST
    if not math.isinf(able):
        want = 0.0
        for m in range(rig.first[rig.m_first[x]], rig.first[rig.m_first[x + 1]]):
            want += case.flow[m]
        _share(want, dp, speed, x, p, case)
    return dp, speed, worst, kind


@inner
def solve_loop(x: int, rig: Rig, p: Curves, case: Case) -> tuple[float, float, float, int]:
    """Flows of one loop; branch and CDU flows and the pumps that run are written to the case.

    Args:
        x: the loop.
        rig: manifolds and set-points.
        p: pump curves.
        case: branch laws and pumps that could run.

    Returns:
        Header pressure [Pa], speed over full speed, residual over the loop's flow, and an index into :data:`LIMITS`.
    """
    count, most = 0.0, 1.0
    for c in range(p.first[x], p.first[x + 1]):
        case.cdu[c], case.running[c] = 0.0, case.able[c]
        if case.able[c] > 0.0:
            count, most = count + 1.0, max(most, case.able[c])
    if count == 0.0:
        return 0.0, 0.0, take(0.0, x, rig, case)[1], OFF
    pumps = 1.0 if rig.on_demand[x] else most
    dp, speed, worst, kind = 0.0, 0.0, 1.0, OFF
    while True:
        for c in range(p.first[x], p.first[x + 1]):
            case.running[c] = min(case.able[c], pumps)
        dp, speed, worst, kind = _stage(x, rig, p, case)
        total = 0.0
        for c in range(p.first[x], p.first[x + 1]):
            total += case.cdu[c]
        short = dp < rig.stage_frac[x] * rig.dp_pa[x] if math.isinf(rig.hold_kg_s[x]) else total < rig.stage_frac[x] * rig.hold_kg_s[x]
        if kind != FASTEST or not short or pumps >= most:
            break
        pumps += 1.0
    if kind != OFF:
        _even(x, rig, p, case, count)
    return dp, speed, worst, kind


@inner
def _even(x: int, rig: Rig, p: Curves, case: Case, count: float) -> None:
    """Where a running CDU's pumps have no curve, all running CDUs of the loop share its flow evenly."""
    known, want = True, 0.0
    for c in range(p.first[x], p.first[x + 1]):
        known = known and not (case.running[c] > 0.0 and math.isinf(p.shutoff[c]))
    if known:
        return
    for j in range(rig.first[rig.m_first[x]], rig.first[rig.m_first[x + 1]]):
        want += case.flow[j]
    for c in range(p.first[x], p.first[x + 1]):
        case.cdu[c] = want / count if case.running[c] > 0.0 else 0.0


@kernel
def solve_cases(
    rig: Rig, p: Curves, linear: Floats, square: Floats, able: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats, Ints]:
    """Every loop in V cases.

    Args:
        rig: manifolds and set-points.
        p: pump curves.
        linear: (V, B) linear part of each branch law, infinite for a closed one [Pa s/kg].
        square: (V, B) quadratic part, 0 for a closed one [Pa s2/kg2].
        able: (V, C) pumps of each CDU that could run.

    Returns:
        (V, B) branch flows, (V, C) CDU flows and pumps that run, (V, L) header pressure, speed, residual and what decides.
    """
    cases, n = linear.shape[0], rig.dp_pa.size
    flow, cdu, running = np.zeros(linear.shape), np.zeros(able.shape), np.zeros(able.shape)
    dp, speed, residual, kind = np.zeros((cases, n)), np.zeros((cases, n)), np.zeros((cases, n)), np.zeros((cases, n), np.int64)
    for s in range(cases):
        case = Case(linear[s], square[s], able[s], running[s], flow[s], cdu[s])
        for x in rig.loops:
            dp[s, x], speed[s, x], residual[s, x], kind[s, x] = solve_loop(x, rig, p, case)
    return flow, cdu, running, dp, speed, residual, kind
