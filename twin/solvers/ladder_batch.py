"""Many cases of one ladder, sixteen side by side: the case axis lies innermost in memory, so that every law works on vectors.

The arithmetic of a case is that of :func:`twin.solvers.ladder.ladder` in the same order, and a case that has settled is left
alone, so results have the same bits in any company. Cases that plain Newton steps do not settle are solved again one by one.
"""

from __future__ import annotations

import math

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.solvers.jit import inner, kernel
from twin.solvers.ladder import FACTOR, FLOOR, HAALAND, PLAIN_STEPS, POWER, RE, SETTLED, SLOPE, START_FRICTION, K, ladder
from twin.solvers.rung import branch_line, eliminate, first_conductance, haaland_fast

LANES = 16
"""Cases side by side: two or four vectors, enough to hide the latency of a division."""
FEW = 4
"""A block of fewer cases is solved one by one."""
Q, D, H, Y, E, A, B, SUM, YY, II, P, MOVED, MOST, ROWS = range(14)
"""Rows of a rung's block: flow, elimination, branch line, branch law, flow of the segment, what lies beyond, pressure, changes."""


@inner
def _load(first: int, dp: Floats, a: Floats, b: Floats, work: Floats, on: Ints) -> bool:
    """Put a block of cases into the work array; whether every one of them is plain (pressure above 0, something open)."""
    cases, n = dp.size, a.shape[1]
    plain = True
    for c in range(LANES):
        s = first + c if first + c < cases else first
        on[c] = 1
        work[0, P, c], work[0, MOVED, c], work[0, MOST, c] = dp[s], 0.0, 0.0
        plain = plain and dp[s] > 0.0
        some = False
        row_a, row_b = s if a.shape[0] > 1 else 0, s if b.shape[0] > 1 else 0
        for j in range(n):
            work[j + 1, A, c], work[j + 1, B, c] = a[row_a, j], b[row_b, j]
            some = some or not math.isinf(a[row_a, j])
        plain = plain and some
    return plain


@inner
def _start(legs: Floats, work: Floats, floor: Floats) -> None:
    """The quadratic reduction of :func:`twin.solvers.ladder.start` for a block."""
    n = work.shape[0] - 2
    top = work[0]
    end = work[n + 1]
    for c in range(LANES):
        end[II, c] = 0.0
    for j in range(n, 0, -1):
        pipe = START_FRICTION * (legs[j - 1, 0, K] * legs[j - 1, 0, RE] + legs[j - 1, 1, K] * legs[j - 1, 1, RE])
        u, far = work[j], work[j + 1]
        for c in range(LANES):
            own = first_conductance(top[P, c], u[A, c], u[B, c])
            total = far[II, c] + own
            u[Y, c] = own
            u[E, c] = total
            u[II, c] = total / math.sqrt(1.0 + pipe * total * total)
    for c in range(LANES):
        top[SUM, c] = work[1, II, c] * math.sqrt(top[P, c])
        floor[c] = 0.0
    for j in range(1, n + 1):
        u, near = work[j], work[j - 1]
        for c in range(LANES):
            through = near[SUM, c]
            whole = u[E, c]
            flow = through * u[Y, c] / (whole if whole > 0.0 else 1.0)
            u[Q, c] = flow
            u[SUM, c] = through - flow
            floor[c] = flow if flow > floor[c] else floor[c]
    for c in range(LANES):
        floor[c] = FLOOR * floor[c]


@inner
def _up(two: bool, legs: Floats, work: Floats, floor: Floats) -> None:
    """Elimination from the far end."""
    n = work.shape[0] - 2
    end = work[n + 1]
    for c in range(LANES):
        end[SUM, c], end[YY, c], end[II, c] = 0.0, 0.0, 0.0
    for j in range(n, 0, -1):
        leg = legs[j - 1, 0]
        k, re, power, factor, slope = leg[K], leg[RE], leg[POWER], leg[FACTOR], leg[SLOPE]
        u, far = work[j], work[j + 1]
        if two:
            other = legs[j - 1, 1]
            k2, re2, power2, factor2, slope2 = other[K], other[RE], other[POWER], other[FACTOR], other[SLOPE]
            for c in range(LANES):
                own, e = branch_line(u[Q, c], u[A, c], u[B, c], floor[c])
                through = far[SUM, c] + u[Q, c]
                whole, rise = haaland_fast(re * abs(through), power, factor, slope)
                whole2, rise2 = haaland_fast(re2 * abs(through), power2, factor2, slope2)
                loss = k * through * whole + k2 * through * whole2
                fall = k * (whole + re * abs(through) * rise) + k2 * (whole2 + re2 * abs(through) * rise2)
                d, h, y, i = eliminate(through, loss, fall, far[YY, c] + own, far[II, c] + own * e)
                u[D, c], u[H, c], u[Y, c], u[E, c], u[SUM, c], u[YY, c], u[II, c] = d, h, own, e, through, y, i
        else:
            for c in range(LANES):
                own, e = branch_line(u[Q, c], u[A, c], u[B, c], floor[c])
                through = far[SUM, c] + u[Q, c]
                whole, rise = haaland_fast(re * abs(through), power, factor, slope)
                loss, fall = k * through * whole, k * (whole + re * abs(through) * rise)
                d, h, y, i = eliminate(through, loss, fall, far[YY, c] + own, far[II, c] + own * e)
                u[D, c], u[H, c], u[Y, c], u[E, c], u[SUM, c], u[YY, c], u[II, c] = d, h, own, e, through, y, i


@inner
def _down(work: Floats, on: Ints) -> bool:
    """New flows from the near end for the cases that still move; whether all have settled."""
    n = work.shape[0] - 2
    for j in range(1, n + 1):
        u, near = work[j], work[j - 1]
        for c in range(LANES):
            p = u[D, c] * near[P, c] + u[H, c]
            new = u[Y, c] * (p - u[E, c])
            step, size = abs(new - u[Q, c]), abs(new)
            moved, most = near[MOVED, c], near[MOST, c]
            u[MOVED, c] = moved if step <= moved else step
            u[MOST, c] = size if size > most else most
            u[P, c] = p
            u[Q, c] = new if on[c] > 0 else u[Q, c]
    still = 0
    for c in range(LANES):
        if on[c] > 0 and work[n, MOVED, c] <= SETTLED * work[n, MOST, c]:
            on[c] = 0
        still += on[c]
    return still == 0


@kernel
def ladder_batch(
    law: int, reverse: bool, two: bool, dp_pa: Floats, legs: Floats, linear: Floats, quadratic: Floats, check: Bools, flow: Floats,
    change: Floats,
) -> None:  # fmt: skip
    """Flows of many cases of one ladder.

    Args:
        law: number of the friction law; Haaland's with direct return is solved side by side, all else one by one.
        reverse: return pipe leaves at the far end.
        two: the second leg has losses of its own.
        dp_pa: (S,) pressure difference at the entry.
        legs: (N, 2, 6) constants of the legs.
        linear: (S, N) or (1, N) a of the branches.
        quadratic: (S, N) or (1, N) b of the branches.
        check: (N,) check valves.
        flow: (S, N) result; written.
        change: (S,) last change of each case, as :func:`twin.solvers.ladder.ladder` returns it; written.
    """
    cases, n = flow.shape
    side_by_side = law == HAALAND and not reverse
    work, on, floor = np.zeros((n + 2 if side_by_side else 2, ROWS, LANES)), np.ones(LANES, np.int64), np.zeros(LANES)
    for first in range(0, cases, LANES):
        many = min(LANES, cases - first)
        done = False
        if side_by_side and many >= FEW and _load(first, dp_pa, linear, quadratic, work, on):
            _start(legs, work, floor)
            for _ in range(PLAIN_STEPS):
                _up(two, legs, work, floor)
                if _down(work, on):
                    break
            done = True
            for j in range(n):
                for c in range(many):
                    flow[first + c, j] = work[j + 1, Q, c]
        for c in range(many):
            s = first + c
            if done and on[c] == 0 and not _flows_back(check, flow[s]):
                change[s] = 0.0
            else:
                a, b = linear[s if linear.shape[0] > 1 else 0], quadratic[s if quadratic.shape[0] > 1 else 0]
                change[s] = ladder(law, reverse, two, dp_pa[s], legs, a, b, check, flow[s])


@inner
def _flows_back(check: Bools, flow: Floats) -> bool:
    back = False
    for j in range(flow.size):
        back = back or (check[j] and flow[j] < 0.0)
    return back
