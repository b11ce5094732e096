"""Facility loops in a step: heat rejection with what its basins store, chillers, mains.

What a loop's towers and coolers reject at full speed is a curve of the supply temperature, taken from the steady solver for the weather
of the ride, one before and one after a change of what runs, between which the ride fades. A controller uses a share of it.
"""

from __future__ import annotations

import math

from topology.axes import Floats
from twin.solvers.implicit import GAMMA, mean_of, second_start
from twin.solvers.jit import inner, kernel
from twin.solvers.transient_flow import ramp
from twin.solvers.transient_parts import Drive, LoopParts, State, Work
from twin.solvers.transport import Pipes, enter, leave, push


@kernel
def along(points: Floats, values: Floats, x: float) -> tuple[float, float]:
    """Value and slope of a curve through points, the first value below the first point and the last slope above the last.

    Args:
        points: rising.
        values: values there.
        x: where.
    """
    n = points.size
    if x <= points[0]:
        return values[0], 0.0
    k = 1
    while k < n - 1 and points[k] < x:
        k += 1
    slope = (values[k] - values[k - 1]) / (points[k] - points[k - 1])
    return values[k - 1] + slope * (x - points[k - 1]), slope


@inner
def rejected_w(drive: Drive, loop: int, time_s: float, supply_c: float) -> tuple[float, float]:
    """Heat that a loop's towers and coolers reject at full speed, and its slope.

    Args:
        drive: rejection curves.
        loop: which loop.
        time_s: now, for the fading from the curve before to the one after.
        supply_c: supply temperature.
    """
    after, slope = along(drive.sinks_c[loop, 1], drive.sinks_w[loop, 1], supply_c)
    began, takes = drive.blend[loop, 0], drive.blend[loop, 1]
    if takes <= 0.0 or time_s >= began + takes:
        return after, slope
    before, other = along(drive.sinks_c[loop, 0], drive.sinks_w[loop, 0], supply_c)
    w = min(max((time_s - began) / takes, 0.0), 1.0)
    return (1.0 - w) * before + w * after, (1.0 - w) * other + w * slope


@inner
def _stage(
    drive: Drive, loop: int, time_s: float, gh_s: float, store_j_k: float, start_c: float, flow_w_k: float, back_c: float, heat_w: float,
    share: float,
) -> tuple[float, float]:  # fmt: skip
    """Outlet of the heat rejection at one stage and the heat rejected, by Newton held in a bracket (the balance rises with it)."""
    x, low, high = start_c, -1e300, 1e300
    q = 0.0
    for _ in range(60):
        full, slope = rejected_w(drive, loop, time_s, x)
        q = share * full
        miss = store_j_k * (x - start_c) - gh_s * (flow_w_k * (back_c - x) + heat_w - q)
        if miss > 0.0:
            high = x
        else:
            low = x
        step = miss / (store_j_k + gh_s * (flow_w_k + share * slope))
        new = x - step
        if not low <= new <= high:
            new = 0.5 * (low + high)
        if abs(new - x) <= 1e-13 * (1.0 + abs(x)):
            x = new
            break
        x = new
    # the heat that makes the balance exact, so that the ledger does
    q = flow_w_k * (back_c - x) + heat_w - store_j_k * (x - start_c) / gh_s
    return x, q


@inner
def supply_side(loops: LoopParts, pipes: Pipes, loop: int, drive: Drive, state: State, step_s: float, work: Work, pumped_w: float) -> float:
    """First half of a facility loop: from what comes back to what consumers get; power of chillers [W].

    Args:
        loops: loops.
        pipes: pipes.
        loop: which loop.
        drive: rejection curves and chillers.
        state: changed.
        step_s: length of the step.
        work: supply is written.
        pumped_w: power of the loop's pumps.
    """
    m, cp = work.loop_kg_s[loop], loops.cp_j_kg_k[loop]
    flow = m * cp
    back, _ = leave(pipes, 2 * loop + 1, m * step_s)
    if flow > 0.0:
        back += pumped_w / flow
        state.book_j[0] += pumped_w * step_s
    t0, before, last = state.loop_c[loop, 0], state.loop_c[loop, 1], state.clock[2]
    ahead = t0 + (0.5 * (t0 - before) * step_s / last if last > 0.0 else 0.0)
    taken = _chillers(loops, loop, drive, state, step_s, flow, ahead)
    power: float = taken * drive.chiller_ratio[loop]
    state.book_j[0] += power * step_s
    state.reject[loop, 0], share = ramp(state.reject[loop, 0], state.reject[loop, 1], loops.reject_slew_per_s[loop], step_s)
    gh, now, heat = GAMMA * step_s, state.clock[0], taken + power
    t1, q1 = _stage(drive, loop, now + GAMMA * step_s, gh, loops.basin_j_k[loop], t0, flow, back, heat, share)
    t2, q2 = _stage(drive, loop, now + step_s, gh, loops.basin_j_k[loop], second_start(t1, t0), flow, back, heat, share)
    state.book_j[1] += mean_of(q1, q2) * step_s
    state.loop_c[loop, 0], state.loop_c[loop, 1] = t2, t0
    work.rejected_w[loop] = mean_of(q1, q2)
    leaving = mean_of(t1, t2) - (taken / flow if flow > 0.0 else 0.0)
    supply, bend = push(pipes, 2 * loop, m * step_s, leaving, t2 - t0)
    work.supply_c[loop, 0], work.supply_c[loop, 1] = supply, bend
    state.loop_c[loop, 2], state.loop_c[loop, 3] = supply + 0.5 * bend, back
    return power


@inner
def _chillers(loops: LoopParts, loop: int, drive: Drive, state: State, step_s: float, flow_w_k: float, ahead_c: float) -> float:
    """Mean heat that chillers take in a step: they follow what is missing to the set-point with a first-order lag."""
    want = min(max(flow_w_k * (ahead_c - loops.set_c[loop]), 0.0), drive.chiller_most_w[loop])
    if flow_w_k <= 0.0:
        state.chiller_w[loop] = 0.0
        return 0.0
    lag = loops.chiller_lag_s[loop]
    fade = math.exp(-step_s / lag)
    gap = state.chiller_w[loop] - want
    state.chiller_w[loop] = want + gap * fade
    mean: float = max(want + gap * lag / step_s * (1.0 - fade), 0.0)
    return mean


@inner
def return_side(loops: LoopParts, pipes: Pipes, loop: int, step_s: float, work: Work) -> None:
    """Second half: what consumers give back goes into the return mains.

    Args:
        loops: loops.
        pipes: pipes.
        loop: which loop.
        step_s: length of the step.
        work: what consumers gave back.
    """
    mass = work.loop_kg_s[loop] * step_s
    if mass > 0.0 and work.back[loop, 0] > 0.0:
        enter(pipes, 2 * loop + 1, mass, work.back[loop, 1] / work.back[loop, 0], work.back[loop, 2] / work.back[loop, 0])
