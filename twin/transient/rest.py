"""Hydraulics at rest: branches of every loop, and the speeds and flows with which a ride begins."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.inertia import Inertia
from topology.plant import Plant
from twin.solvers.momentum import Branches, header
from twin.transient.curves import FlowCurves

FIRM = 3.0
"""Head at no flow of pumps whose curve is not known, over what the loop needs at its set-point: they hold it whatever fails."""
FLAT = 0.1
"""Fall of their head over the set-point at the flow of the whole loop."""


def members(plant: Plant) -> tuple[Ints, Ints]:
    """CDUs of TCS loops and pump entries of facility loops in loop order, and the offsets of each loop."""
    loops, cdus, pumps = plant.loops, plant.cdus, plant.pumps
    order: list[int] = []
    first = [0]
    for x in range(loops.n):
        own = np.flatnonzero((pumps.cdu < 0) & (pumps.loop == x)) if loops.fws[x] else np.flatnonzero(cdus.loop == x)
        order += [int(i) for i in own]
        first.append(len(order))
    return np.asarray(order, dtype=np.int64), np.asarray(first, dtype=np.int64)


def branch_gear(plant: Plant) -> Ints:
    """(B,) gear whose power drives each branch."""
    order, first = members(plant)
    fws = np.repeat(plant.loops.fws, np.diff(first))
    gear = np.zeros(order.size, np.int64)
    gear[fws] = plant.pumps.gear[order[fws]]
    gear[~fws] = plant.cdus.gear[order[~fws]]
    return gear


def running(plant: Plant, gear_on: Bools, lost: Collection[str] = ()) -> Floats:
    """(B,) equal pumps that run in each branch: all that can.

    Args:
        plant: the plant.
        gear_on: (G,) gear that runs.
        lost: names of what is lost; ``cdu-1/pumps`` is one pump of that CDU.
    """
    order, first = members(plant)
    pumps, cdus = plant.pumps, plant.cdus
    fewer = np.asarray([i in lost for i in pumps.ids], dtype=np.float64)
    left = np.maximum(pumps.count - fewer, 0.0)
    count = np.zeros(order.size)
    for x in range(plant.loops.n):
        for i in range(first[x], first[x + 1]):
            k = order[i]
            if plant.loops.fws[x]:
                count[i] = left[k] * gear_on[pumps.gear[k]]
                continue
            own = np.flatnonzero(pumps.cdu == k)
            turning = float((left[own] * gear_on[pumps.gear[own]]).sum()) if own.size else 1.0
            count[i] = turning * gear_on[cdus.gear[k]]
    return count


def branches(plant: Plant, mass: Inertia, curves: FlowCurves) -> tuple[Branches, Floats, Floats, Floats]:
    """Branches of every loop.

    Args:
        plant: the plant.
        mass: what it stores.
        curves: what TCS loops take.

    Returns:
        The branches; and (B,) efficiency, pump power that does not depend on flow, and ramp in a second.
    """
    order, first = members(plant)
    loops, cdus, pumps = plant.loops, plant.cdus, plant.pumps
    n = order.size
    shutoff, curve, inner = np.zeros(n), np.zeros(n), np.zeros(n)
    efficiency, fixed, rundown, ramp_s = np.full(n, math.inf), np.zeros(n), np.full(n, 1.5), np.full(n, 10.0)
    inertance, rated = np.ones(n), np.ones(n)
    for x in range(loops.n):
        own = range(first[x], first[x + 1])
        for i in own:
            k = order[i]
            entries = np.asarray([k]) if loops.fws[x] else np.flatnonzero(pumps.cdu == k)
            if not loops.fws[x]:
                inner[i], fixed[i] = cdus.resistance[k], cdus.pump_fixed_w[k]
            if entries.size:
                u = entries[0]
                shutoff[i], curve[i], efficiency[i] = pumps.shutoff_pa[u], pumps.k[u], pumps.efficiency_frac[u]
                rundown[i], ramp_s[i] = mass.pump_rundown_s[u], mass.pump_ramp_s[u]
            else:
                want = max(float(curves.taken[x, -1] * curves.root[x, -1]), 1e-3)
                shutoff[i] = FIRM * (loops.dp_pa[x] + inner[i] * want * want)
                curve[i] = FLAT * loops.dp_pa[x] / (want * want)
            rated[i] = mass.rated_kg_s[x] / len(own)
            inertance[i] = mass.inertance[x] * len(own)
    curve = np.maximum(curve, 1e-9)
    made = Branches(
        first, shutoff, curve, inner, inertance, rated, rundown, loops.dp_pa.copy(), curves.root.copy(), curves.taken.copy(), ~loops.fws
    )
    return made, efficiency, fixed, 1.0 / ramp_s


def at_rest(b: Branches, x: int, count: Floats, open_kg_s: float) -> tuple[float, Floats]:
    """Speed and branch flows of one loop at rest: the set-point, or as much of it as full speed gives.

    Args:
        b: branches.
        x: which loop.
        count: (B,) pumps that run in each branch.
        open_kg_s: flow that open valves take at the set-point (facility loops).
    """
    own = slice(int(b.first[x]), int(b.first[x + 1]))
    n, shutoff = count[own], b.shutoff_pa[own]
    fall = b.curve[own] / np.maximum(n, 1.0) ** 2 + b.inner[own]

    def pushed(dp_pa: float, speed: float) -> Floats:
        flow: Floats = np.where(n > 0.0, np.sqrt(np.maximum(speed * speed * shutoff - dp_pa, 0.0) / fall), 0.0)
        return flow

    top = open_kg_s if not b.curved[x] else _taken_at(b, x, 1.0)
    if not n.any() or top <= 0.0:
        return 0.0, np.zeros(n.size)
    if pushed(float(b.dp_set_pa[x]), 1.0).sum() >= top:
        low, high = 0.0, 1.0
        for _ in range(200):
            mid = 0.5 * (low + high)
            low, high = (low, mid) if pushed(float(b.dp_set_pa[x]), mid).sum() >= top else (mid, high)
        flow = pushed(float(b.dp_set_pa[x]), high)
        return high, flow * (top / flow.sum())
    low, high = 0.0, float(b.dp_set_pa[x])
    for _ in range(200):
        mid = 0.5 * (low + high)
        flow = pushed(mid, 1.0)
        low, high = (mid, high) if header(b, x, float(flow.sum()), open_kg_s)[0] >= mid else (low, mid)
    return 1.0, pushed(low, 1.0)


def _taken_at(b: Branches, x: int, root: float) -> float:
    """Flow that a TCS loop takes at a root of header pressure."""
    return root * float(np.interp(root, b.root[x], b.taken[x]))
