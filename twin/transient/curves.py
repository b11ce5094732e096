"""What the transient solver takes from the steady one as curves: flow of racks by header pressure, heat rejection by supply temperature.

So both solvers agree where the ride comes to rest, whatever laws the steady one uses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from topology.axes import Bools, Floats
from topology.plant import Plant
from twin.solvers.hydraulic import solve_flow
from twin.solvers.steady import solve_steady
from twin.state import Loads, Outages, SteadyState

ROOTS = (0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
"""Knots of the flow curves: root of header pressure over the set-point."""
LEVELS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0)
"""Knots of the rejection curves: heat over the largest of what the racks draw and may draw."""
COLD_C = 60.0
"""How far below the wet bulb a set-point is put so that everything runs at full speed [K]."""
APART_K = 0.02
"""Least distance of two knots, and of the first one from no heat."""
SINKS = ("tower", "dry_cooler")


@dataclass(frozen=True)
class FlowCurves:
    """Flow of TCS loops by header pressure.

    Attributes:
        root: (L, N) root of header pressure over the set-point, from 0, rising.
        share: (N, R) flow of each rack over that root.
        taken: (L, N) flow of each loop over that root.
    """

    root: Floats
    share: Floats
    taken: Floats


def flow_curves(plant: Plant, present: Bools) -> FlowCurves:
    """Solve every loop at several header pressures.

    Args:
        plant: the plant.
        present: (R,) racks whose branch is connected.

    Returns:
        Curves with every pump running, which is what the racks take whoever pushes.
    """
    loops, racks = plant.loops, plant.racks
    running = np.ones((1, plant.gear.n), bool)
    loop_of = np.where(racks.manifold >= 0, plant.manifolds.loop[racks.manifold], -1) if plant.manifolds.n else np.full(racks.n, -1)
    wet = loop_of >= 0
    root, share = [np.zeros(loops.n)], [np.zeros(racks.n)]
    for level in ROOTS:
        lower = replace(plant, loops=replace(loops, dp_pa=loops.dp_pa * level * level))
        flow = solve_flow(lower, running, present[None, :])
        reached = np.sqrt(np.maximum(flow.loop_dp_pa[0], 0.0) / loops.dp_pa)
        new = np.where(reached > root[-1] + 1e-6, reached, root[-1] + 1e-3)
        at = reached[loop_of]
        given = np.divide(flow.rack_kg_s[0], at, out=np.zeros(racks.n), where=wet & (at > 0.0))
        root.append(new)
        share.append(np.where(wet, given, 0.0))
    share[0] = share[1]
    table = np.stack(share)
    taken = np.zeros((loops.n, len(share)))
    for k in range(len(share)):
        np.add.at(taken[:, k], loop_of[wet], table[k, wet])
    return FlowCurves(np.stack(root, axis=1), table, taken)


@dataclass(frozen=True)
class SinkCurve:
    """Heat rejected at full speed by supply temperature, one row a loop.

    Attributes:
        supply_c: (L, N) supply temperature, rising.
        heat_w: (L, N) heat rejected there, from 0.
    """

    supply_c: Floats
    heat_w: Floats


def sink_curve(plant: Plant, state: SteadyState, running: Bools) -> SinkCurve:
    """Let everything that runs reject more and more heat, and note how warm the loops get.

    Chillers stand still, for they come on top; a loop that rejects nothing without them keeps them in its curve.

    Args:
        plant: the plant.
        state: the start of the ride, one scenario.
        running: (G,) gear that runs.

    Returns:
        Curves for the weather of the start.
    """
    gear, loops = plant.gear, plant.loops
    stopped = tuple(i for i, kind, on in zip(gear.ids, gear.kind, running, strict=True) if kind in SINKS and not on)
    chillers = tuple(plant.chillers.ids)
    cold = float(state.ambient.wet_bulb_c[0]) - COLD_C
    heat, supply = _levels(plant, state, np.where(loops.fws, cold, loops.supply_c), (*stopped, *chillers))
    dead = loops.fws & ~np.isfinite(supply).any(axis=0)
    if dead.any() and chillers:
        down = tuple(plant.gear.ids[g] for g in plant.chillers.gear if not running[g])
        other, with_chillers = _levels(plant, state, loops.supply_c, (*stopped, *down))
        heat, supply = np.where(dead, other, heat), np.where(dead, with_chillers, supply)
    rows = [_curve(supply[:, x], heat[:, x]) for x in range(loops.n)]
    return SinkCurve(np.stack([r[0] for r in rows]), np.stack([r[1] for r in rows]))


def folded(plant: Plant, state: SteadyState) -> Bools:
    """(L,) facility loops whose heat goes through chillers alone, so that these are part of the rejection curve."""
    loops = plant.loops
    cold = float(state.ambient.wet_bulb_c[0]) - COLD_C
    _, supply = _levels(plant, state, np.where(loops.fws, cold, loops.supply_c), tuple(plant.chillers.ids))
    found: Bools = loops.fws & ~np.isfinite(supply).any(axis=0) & bool(plant.chillers.n)
    return found


def _levels(plant: Plant, state: SteadyState, set_c: Floats, lost: Sequence[str]) -> tuple[Floats, Floats]:
    """(N, L) heat and supply of every loop at each level of load; infinite where nothing carries it away."""
    racks = plant.racks
    wet = np.where(racks.manifold >= 0, state.flow.rack_kg_s[0] > 0.0, True)
    most = np.where(wet, np.maximum(racks.nameplate_w, state.loads.rack_w[0]), 0.0)
    liquid = np.divide(state.loads.liquid_w[0], state.loads.rack_w[0], out=np.zeros(racks.n), where=state.loads.rack_w[0] > 0.0)
    level = np.asarray(LEVELS)[:, None]
    rack_w = level * np.where(state.loads.rack_w[0] > 0.0, most, 0.0)
    loads = Loads(rack_w, rack_w, np.zeros_like(rack_w), rack_w * liquid, np.repeat(state.loads.present, len(LEVELS), axis=0))
    colder = replace(plant, loops=replace(plant.loops, supply_c=set_c))
    found = solve_steady(colder, loads, state.ambient, Outages.of(plant, [lost] * len(LEVELS)))
    flow, heat = found.flow.loop_kg_s, found.heat
    with np.errstate(invalid="ignore"):
        warmed = flow * plant.loops.cp_j_kg_k * (heat.loop_return_c - heat.loop_supply_c)
    return np.where(np.isfinite(warmed), warmed, 0.0), np.where(warmed > 0.0, heat.loop_supply_c, np.inf)


def _curve(supply_c: Floats, heat_w: Floats) -> tuple[Floats, Floats]:
    """A rising curve from no heat on, of fixed length; nothing is rejected where no level has an answer."""
    points = [(t, q) for t, q in zip(supply_c, heat_w, strict=True) if math.isfinite(t)]
    length = len(LEVELS) + 1
    if not points:
        return np.arange(length, dtype=np.float64), np.zeros(length)
    t, q = [points[0][0] - APART_K], [0.0]
    for supply, heat in points:
        t.append(max(supply, t[-1] + APART_K))
        q.append(max(heat, q[-1]))
    while len(t) < length:
        t.append(t[-1] + 1.0)
        q.append(q[-1])
    return np.asarray(t), np.asarray(q)
