"""Flow of a loop in time: inertia of the coolant, pumps that coast down, start and follow a set-point, check valves.

Branches (CDUs on a TCS loop, pumps on a facility loop) push into one header: ``L dm/dt = s^2 H - b m^2 - dp(M)`` with the inertance
``L = length / area`` of the coolant that a branch moves, speed s by the affinity laws, and M the sum of all branches. A pump without
power loses speed as its rotor gives its energy to the torque of the affinity law, ``ds/dt = -s^2 / tau`` (Wylie and Streeter, Fluid
Transients in Systems, 1993, chapter 7); one with power follows its drive at a limited rate. Check valves let nothing back.

What a header takes, ``dp(M)``, is a curve through the steady solver's answers (racks) or ``dp_set (M / W)^2`` with W what open valves take
at the set-point (facility loops). Steps are SDIRK2 with Newton; the Jacobian is diagonal plus rank one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.solvers.implicit import GAMMA, mean_of, second_start
from twin.solvers.jit import inner, kernel

INNER_S = 0.1
"""Longest inner step while flows change."""
CALM = 0.02
"""Change of flow in a step, over the rating, below which one inner step is enough."""
SMALL = 1e-3
"""Change of speed that counts as following a controller, not as starting."""
STILL = 1e-4
"""Share of a branch's rating below which a stopped pump's flow counts as none."""


class Branches(NamedTuple):
    """Branches (B) grouped by loop, and what their loops take.

    Attributes:
        first: (L + 1,) offsets of each loop's branches.
        shutoff_pa: (B,) head at zero flow and full speed.
        curve: (B,) fall of head of one pump with flow squared [Pa s2/kg2].
        inner: (B,) resistance in series with the pumps.
        inertance: (B,) length over area [1/m].
        rated_kg_s: (B,) flow by which small is judged.
        rundown_s: (B,) time to half speed without power.
        dp_set_pa: (L,) header set-point.
        root: (L, N) square root of header pressure over the set-point, from 0, increasing.
        taken: (L, N) flow of the loop there over ``root``; (L, 0) columns are unused for facility loops.
        curved: (L,) the loop has such a curve; the others follow W.
    """

    first: Ints
    shutoff_pa: Floats
    curve: Floats
    inner: Floats
    inertance: Floats
    rated_kg_s: Floats
    rundown_s: Floats
    dp_set_pa: Floats
    root: Floats
    taken: Floats
    curved: Bools


@kernel
def header(b: Branches, x: int, flow_kg_s: float, open_kg_s: float) -> tuple[float, float]:
    """Header pressure at which a loop takes a flow, and its derivative.

    Args:
        b: the loops.
        x: which loop.
        flow_kg_s: flow, at least 0.
        open_kg_s: flow that open valves take at the set-point (facility loops).

    Returns:
        Pressure [Pa] and its slope [Pa s/kg].
    """
    if not b.curved[x]:
        w = max(open_kg_s, 1e-9)
        phi = flow_kg_s / w
        return b.dp_set_pa[x] * phi * phi, 2.0 * b.dp_set_pa[x] * phi / w
    root, per_root = split(b, x, flow_kg_s)
    return b.dp_set_pa[x] * root * root, 2.0 * b.dp_set_pa[x] * root / max(per_root, 1e-12)


@inner
def split(b: Branches, x: int, flow_kg_s: float) -> tuple[float, float]:
    """Square root of header pressure over the set-point at a flow, and the slope of flow with it."""
    n = b.root.shape[1]
    k = 1
    while k < n - 1 and b.root[x, k] * b.taken[x, k] < flow_kg_s:
        k += 1
    r0, r1 = b.root[x, k - 1], b.root[x, k]
    rise = (b.taken[x, k] - b.taken[x, k - 1]) / (r1 - r0) if r1 > r0 else 0.0
    base = b.taken[x, k - 1] - rise * r0
    if r1 * b.taken[x, k] < flow_kg_s or abs(rise) < 1e-12 * max(abs(base), 1e-30):
        root = flow_kg_s / max(b.taken[x, k], 1e-12)
        return root, b.taken[x, k]
    root = 2.0 * flow_kg_s / (base + math.sqrt(max(base * base + 4.0 * rise * flow_kg_s, 0.0)))
    return root, base + 2.0 * rise * root


@inner
def speed_at(speed: float, powered: bool, command_frac: float, rate_per_s: float, rundown_s: float, time_s: float) -> float:
    """Speed of a pump some time later: its drive's ramp towards a command_frac, or coasting."""
    if powered:
        most = rate_per_s * time_s
        return speed + min(max(command_frac - speed, -most), most)
    return speed / (1.0 + speed * time_s / rundown_s)


@inner
def _stage(
    b: Branches, x: int, gh_s: float, start: Floats, lift: Floats, fall: Floats, open_kg_s: float, flow: Floats
) -> None:  # fmt: skip
    """Newton on one stage; ``flow`` holds the guess and becomes the answer."""
    b0, n = b.first[x], flow.size
    step, weight = np.empty(n), np.empty(n)
    for _ in range(30):
        total = flow.sum()
        dp, slope = header(b, x, total, open_kg_s)
        sum_step, sum_weight = 0.0, 0.0
        for i in range(n):
            k = gh_s / b.inertance[b0 + i]
            miss = flow[i] - start[i] - k * (lift[i] - fall[i] * flow[i] * abs(flow[i]) - dp)
            diagonal = 1.0 + 2.0 * k * fall[i] * abs(flow[i])
            if flow[i] <= 0.0 and miss >= 0.0:
                step[i], weight[i] = 0.0, 0.0
            else:
                step[i], weight[i] = miss / diagonal, k * slope / diagonal
            sum_step += step[i]
            sum_weight += weight[i]
        share = sum_step / (1.0 + sum_weight)
        moved = 0.0
        for i in range(n):
            new = max(flow[i] - (step[i] - weight[i] * share), 0.0)
            moved = max(moved, abs(new - flow[i]) / b.rated_kg_s[b0 + i])
            flow[i] = new
        if moved < 1e-12:
            break


@kernel
def advance_loop(
    b: Branches, x: int, step_s: float, running: Floats, powered: Bools, command_frac: float, rate_per_s: Floats, speed: Floats,
    flow: Floats, open_kg_s: float, mean: Floats,
) -> None:  # fmt: skip
    """Advance the branches of one loop by a step.

    Args:
        b: the loops.
        x: which loop.
        step_s: length of the step.
        running: (B,) equal pumps that each branch has running (or had, while it coasts).
        powered: (B,) its drive has power.
        command_frac: speed that the controller asks for.
        rate_per_s: (B,) most change of speed of its drive.
        speed: (B,) speeds; changed.
        flow: (B,) flows; changed.
        open_kg_s: flow that open valves take at the set-point, mean of the step.
        mean: (B,) mean flow over the step; written.
    """
    b0, b1 = b.first[x], b.first[x + 1]
    n = b1 - b0
    lift, fall, base = np.empty(n), np.empty(n), np.empty(n)
    pace = _pace(b, x, running, powered, command_frac, speed, flow, open_kg_s)
    if pace <= 0.0:
        for i in range(b0, b1):
            mean[i] = flow[i]
        return
    inner = max(math.ceil(step_s / INNER_S - 1e-9), 1) if pace * step_s > CALM else 1
    h = step_s / inner
    mean[b0:b1] = 0.0
    now, one = flow[b0:b1].copy(), flow[b0:b1].copy()
    for _ in range(inner):
        for stage in range(2):
            at = h * (GAMMA if stage == 0 else 1.0)
            for i in range(n):
                k = b0 + i
                s = speed_at(speed[k], powered[k], command_frac, rate_per_s[k], b.rundown_s[k], at)
                count = max(running[k], 1.0)
                lift[i] = s * s * b.shutoff_pa[k] if running[k] > 0.0 else 0.0
                fall[i] = b.curve[k] / (count * count) + b.inner[k]
                base[i] = now[i] if stage == 0 else second_start(one[i], now[i])
            if stage == 0:
                one[:] = now
                _stage(b, x, GAMMA * h, base, lift, fall, open_kg_s, one)
            else:
                two = one.copy()
                _stage(b, x, GAMMA * h, base, lift, fall, open_kg_s, two)
                for i in range(n):
                    mean[b0 + i] += mean_of(one[i], two[i]) / inner
                    now[i] = two[i]
        for i in range(n):
            k = b0 + i
            speed[k] = speed_at(speed[k], powered[k], command_frac, rate_per_s[k], b.rundown_s[k], h)
            if not powered[k] and now[i] < STILL * b.rated_kg_s[k]:
                now[i] = 0.0
    flow[b0:b1] = now


@inner
def _pace(
    b: Branches, x: int, running: Floats, powered: Bools, command: float, speed: Floats, flow: Floats, open_kg_s: float
) -> float:  # fmt: skip
    """How fast a loop's flows change at most, over the ratings of its branches [1/s]: 0 at rest, infinite while a pump coasts or ramps."""
    b0, b1 = b.first[x], b.first[x + 1]
    total = 0.0
    for k in range(b0, b1):
        total += flow[k]
    dp, _ = header(b, x, total, open_kg_s)
    pace = 0.0
    for k in range(b0, b1):
        if not powered[k]:
            if flow[k] > 0.0 or speed[k] * speed[k] * b.shutoff_pa[k] > 1e-6 * b.dp_set_pa[x]:
                return math.inf
            continue
        if abs(speed[k] - command) > SMALL:
            return math.inf
        count = max(running[k], 1.0)
        lift = command * command * b.shutoff_pa[k] if running[k] > 0.0 else 0.0
        spare = lift - (b.curve[k] / (count * count) + b.inner[k]) * flow[k] * flow[k] - dp
        if speed[k] == command and (abs(spare) <= 1e-11 * b.dp_set_pa[x] or (flow[k] <= 0.0 and spare < 0.0)):
            continue
        pace = max(pace, abs(spare) / (b.inertance[k] * b.rated_kg_s[k]), 1e-30)
    return pace
