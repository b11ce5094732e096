"""TCS hydraulics of a plant: row manifolds (:mod:`twin.solvers.ladder`), pumps and their set-points (:mod:`twin.solvers.pumping`).

A rack's branch is ``a m + b m^2`` through its rating, with the laminar share of its SKU; segments follow the loop's friction law
with the coolant's properties at the set-point on the supply side and at the design return on the return side. Flow does not
depend on heat, so each distinct set of lost elements and connected racks is solved once.
"""

from __future__ import annotations

import math

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.errors import NotConverged
from topology.kinds import FRICTIONS
from topology.plant import Plant
from twin.solvers.friction import LAWS
from twin.solvers.jit import plain
from twin.solvers.ladder import RE, K
from twin.solvers.manifold import legs
from twin.solvers.pipework import Mesh, drawn_loops, mesh, solve_mesh
from twin.solvers.pumping import Curves, Rig, solve_cases
from twin.solvers.scatter import sum_by
from twin.state import FlowState

RESIDUAL = 1e-8
"""Largest share of a loop's flow by which pumps and manifolds, or the last step of a ladder, may differ."""
LEAST_RESISTANCE = 1.0
"""Resistance of a rack whose SKU gives no pressure drop: 1 Pa at 1 kg/s [Pa s2/kg2]."""
FLAT_FRAC = 0.2
"""Lowest value of ``2 - x`` in the efficiency curve: beyond 1.8 times the best flow the parabola would fall to nothing."""


def solve_flow(
    plant: Plant, gear_alive: Bools, present: Bools, pumps_lost: Ints | None = None, pipes_lost: Bools | None = None
) -> FlowState:
    """Flows of every TCS loop.

    Args:
        plant: the plant.
        gear_alive: (V, G) gear that runs.
        present: (V, R) racks whose branch is connected.
        pumps_lost: (V, U) pumps of each entry that are lost beside; none where not given.
        pipes_lost: (V, P) drawn pipes that are shut; none where not given.

    Returns:
        Flows of V cases; FWS entries of the loop arrays are 0 (the thermal solve fills them).

    Raises:
        NotConverged: a loop did not settle; carries the loop, the case and the residual.
    """
    loops, manifolds, cdus = plant.loops, plant.manifolds, plant.cdus
    m_order, m_first = _by_loop(manifolds.loop, loops.n)
    c_order, c_first = _by_loop(cdus.loop, loops.n)
    branches, rig = _rig(plant, m_order, m_first)
    racks, drawn = manifolds.racks[branches], drawn_loops(plant)
    rig = rig._replace(loops=np.setdiff1d(rig.loops, drawn).astype(np.int64))
    linear, square = _branch_laws(plant, racks, present)
    able = _counts(plant, gear_alive, pumps_lost)
    count, curves = _pumping(plant, gear_alive, able)
    ordered = Curves(c_first, *(v[c_order] for v in curves))
    flow, cdu, running, dp, speed, residual, kind = solve_cases(rig, ordered, plain(linear), plain(square), plain(count[:, c_order]))
    _raise_unsettled(plant, residual)
    cases = present.shape[0]
    rack_kg_s, cdu_kg_s, on = np.zeros((cases, plant.racks.n)), np.zeros((cases, cdus.n)), np.zeros((cases, cdus.n))
    rack_kg_s[:, racks] = flow
    cdu_kg_s[:, c_order], on[:, c_order] = cdu, running
    cdu_pa = dp[:, cdus.loop]
    lost = np.zeros((cases, plant.pipes.n), bool) if pipes_lost is None else pipes_lost
    for x in drawn:
        m = drawn_mesh(plant, x, curves)
        is_open = np.isfinite(_branch_laws(plant, m.racks, present)[0])
        own = solve_mesh(plant, m, count[:, m.cdus], curves[3][m.cdus], is_open, lost)
        rack_kg_s[:, m.racks], cdu_kg_s[:, m.cdus], on[:, m.cdus], cdu_pa[:, m.cdus] = own.rung_kg_s, own.cdu_kg_s, own.running, own.cdu_pa
        dp[:, x], speed[:, x], kind[:, x] = own.dp_pa, own.speed_frac, own.kind
    flow = rack_kg_s[:, racks]
    owner = np.repeat(m_order, np.diff(rig.first))
    loop_kg_s = sum_by(flow, manifolds.loop[owner], loops.n)
    pumps = _pumps(plant, able, on, cdu_kg_s, cdu_pa, speed)
    area = math.pi / 4.0 * manifolds.diameter_m**2
    velocity = sum_by(flow, owner, manifolds.n) / (area * np.minimum(loops.rho_kg_m3, plant.hydraulics.rho_return_kg_m3)[manifolds.loop])
    return FlowState(
        rack_kg_s, loop_kg_s, dp, cdu_kg_s, pumps[0], pumps[1], _spread_frac(plant, rack_kg_s, present), velocity, *pumps[2:], kind
    )


def _by_loop(loop: Ints, loops: int) -> tuple[Ints, Ints]:
    """Order that groups elements by loop, and the offsets of each loop in that order."""
    order = np.argsort(loop, kind="stable")
    return order, np.searchsorted(loop[order], np.arange(loops + 1)).astype(np.int64)


def _rig(plant: Plant, m_order: Ints, m_first: Ints) -> tuple[Ints, Rig]:
    """Branch numbers of all manifolds in loop order, and what the kernels need of manifolds and set-points."""
    manifolds, loops, more = plant.manifolds, plant.loops, plant.hydraulics
    sizes = np.diff(manifolds.first)[m_order]
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    owner = np.repeat(m_order, sizes)
    branches = (np.arange(first[-1]) - np.repeat(first[:-1], sizes) + manifolds.first[owner]).astype(np.int64)
    law = np.asarray([LAWS[name] for name in FRICTIONS], np.int64)[more.friction]
    constants = _constants(plant, branches, owner, first, law)
    one = (constants[:, 0, RE] == constants[:, 1, RE]) & ~more.reverse[owner]
    constants[one, 0, K] += constants[one, 1, K]
    constants[one, 1, K] = 0.0
    two = np.ones(m_order.size, bool)
    two[sizes > 0] = ~one[first[:-1][sizes > 0]]
    return branches, Rig(
        np.flatnonzero(~loops.fws), m_first, first, law, more.reverse[m_order], two, constants, np.zeros(branches.size, bool),
        loops.dp_pa.copy(), more.hold_kg_s.copy(), more.on_demand.copy(), more.stage_dp_frac.copy(),
    )  # fmt: skip


def _constants(plant: Plant, branches: Ints, owner: Ints, first: Ints, law: Ints) -> Floats:
    """(B, 2, 6) constants of the legs: pipe ahead of each branch on the supply side, and ahead of or behind it on the return side."""
    manifolds, more = plant.manifolds, plant.hydraulics
    place = manifolds.place[branches].astype(np.float64)
    ahead = np.diff(place, prepend=0.0)
    starts = first[:-1][np.diff(first) > 0]
    ahead[starts] = place[starts] - 1.0
    down = manifolds.spacing_m[owner] * ahead
    up = down.copy()
    down[starts] += manifolds.lead_m[owner[starts]]
    back = more.reverse[owner]
    behind = np.roll(up, -1)
    ends = first[1:][np.diff(first) > 0] - 1
    behind[ends] = manifolds.lead_m[owner[ends]]
    up[starts] += manifolds.lead_m[owner[starts]]
    lengths = np.stack([down, np.where(back, behind, up)], axis=1)
    out = _per_metre(plant, law)[owner]
    out[..., K] *= lengths
    return out


def _per_metre(plant: Plant, law: Ints) -> Floats:
    """(M, 2, 6) constants of one metre of each manifold's pipe on both sides."""
    manifolds, loops, more = plant.manifolds, plant.loops, plant.hydraulics
    x = manifolds.loop
    rho, mu = np.stack([loops.rho_kg_m3[x], more.rho_return_kg_m3[x]]), np.stack([loops.mu_pa_s[x], more.mu_return_pa_s[x]])
    out = np.zeros((manifolds.n, 2, 6))
    for number in np.unique(law[x]):
        own = law[x] == number
        metre = np.ones((2, int(own.sum())))
        out[own] = legs(int(number), metre, manifolds.diameter_m[own], manifolds.roughness_m[own], rho[:, own], mu[:, own])
    return out


def _branch_laws(plant: Plant, racks: Ints, present: Bools) -> tuple[Floats, Floats]:
    """(V, B) linear and quadratic part of each branch; closed where the rack is not connected or takes no liquid."""
    whole = np.maximum(plant.racks.resistance[racks], LEAST_RESISTANCE)
    part = plant.hydraulics.laminar_frac[racks]
    is_open = present[:, racks] & np.isfinite(whole)
    finite = np.where(np.isfinite(whole), whole, 0.0)
    linear = np.where(is_open, part * finite * plant.racks.flow_kg_s[racks], math.inf)
    return linear, np.where(is_open, (1.0 - part) * finite, 0.0)


def _counts(plant: Plant, gear_alive: Bools, pumps_lost: Ints | None) -> Floats:
    """(V, U) pumps of each entry of a CDU that could run."""
    pumps = plant.pumps
    inside = pumps.cdu >= 0
    count = np.broadcast_to(pumps.count, (gear_alive.shape[0], pumps.n)).copy()
    if pumps_lost is not None:
        count = np.maximum(count - pumps_lost, 0.0)
    host = plant.cdus.gear[pumps.cdu[inside]]
    count[:, inside] *= gear_alive[:, pumps.gear[inside]] * gear_alive[:, host]
    count[:, ~inside] = 0.0
    return count


def _pumping(plant: Plant, gear_alive: Bools, able: Floats) -> tuple[Floats, tuple[Floats, Floats, Floats, Floats]]:
    """(V, C) pumps of each CDU that could run, and its curve (that of its first pump entry): head, fall, own resistance, lowest speed."""
    cdus, pumps = plant.cdus, plant.pumps
    shutoff, k, floor = np.full(cdus.n, math.inf), np.zeros(cdus.n), np.zeros(cdus.n)
    known = np.zeros(cdus.n, bool)
    inside = np.flatnonzero(pumps.cdu >= 0)[::-1]  # the first entry of a CDU is written last
    own = pumps.cdu[inside]
    shutoff[own], k[own], floor[own], known[own] = pumps.shutoff_pa[inside], pumps.k[inside], plant.hydraulics.floor_frac[inside], True
    count = sum_by(able, pumps.cdu, cdus.n)
    count[:, ~known] = gear_alive[:, cdus.gear][:, ~known]
    return count, (shutoff, k, cdus.resistance.copy(), floor)


def drawn_mesh(plant: Plant, x: int, curves: tuple[Floats, Floats, Floats, Floats]) -> Mesh:
    """A loop with pipes as a network.

    Args:
        plant: the plant.
        x: number of the loop.
        curves: (C,) head, fall, own resistance and lowest speed of each CDU's pumps.
    """
    manifolds = np.flatnonzero(plant.manifolds.loop == x)
    racks = np.concatenate([np.zeros(0, np.int64), *(plant.manifolds.racks[plant.manifolds.first[k] : plant.manifolds.first[k + 1]]
                                                     for k in manifolds)])  # fmt: skip
    linear, square = (v[0] for v in _branch_laws(plant, racks, np.ones((1, plant.racks.n), bool)))
    return mesh(plant, x, curves, racks, np.where(np.isfinite(linear), linear, 0.0), square)


def _raise_unsettled(plant: Plant, residual: Floats) -> None:
    bad = np.argwhere(~(residual <= RESIDUAL))
    if bad.size:
        s, x = bad[0]
        raise NotConverged(
            f"loop {plant.loops.ids[x]} did not settle: flows still move by {residual[s, x]:.1e} of the loop's flow",
            element=plant.loops.ids[x], scenario=int(s), residual=float(residual[s, x]),
        )  # fmt: skip


def _pumps(
    plant: Plant, able: Floats, on: Floats, cdu_kg_s: Floats, cdu_pa: Floats, speed: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """(V, U) electrical power, speed, flow, head and number that run of each pump entry of a CDU; loop pumps stay 0 here.

    Power is head times volume flow over efficiency. With a best flow the efficiency is ``e x (2 - x)``, ``x = m / (s best)``, a
    parabola through no flow and the best point (Gulich, Centrifugal Pumps, 2020, section 4.3), so that a pump against a shut
    valve takes power too.
    """
    pumps, cdus, more = plant.pumps, plant.cdus, plant.hydraulics
    c = np.where(pumps.cdu >= 0, pumps.cdu, 0)
    if cdus.n == 0:
        return able, able.copy(), able.copy(), able.copy(), able.copy()
    before = _before(pumps.cdu, able)
    running = np.clip(on[:, c] - before, 0.0, able) * (speed[:, pumps.loop] > 0.0)
    total = on[:, c]
    own = np.divide(running, total, out=np.zeros_like(running), where=total > 0.0) * cdu_kg_s[:, c]
    turning = speed[:, pumps.loop] * (running > 0.0)
    through = cdu_pa[:, c] + cdus.resistance[c] * cdu_kg_s[:, c] ** 2
    head = np.where(own > 0.0, through, turning**2 * pumps.shutoff_pa)
    rho, e = plant.loops.rho_kg_m3[pumps.loop], pumps.efficiency_frac
    one = np.divide(own, running, out=np.zeros_like(own), where=running > 0.0)
    best = turning * np.nan_to_num(more.best_kg_s)
    x = np.divide(one, best, out=np.zeros_like(one), where=best > 0.0)
    curved = head / rho * best * running / (e * np.maximum(2.0 - x, FLAT_FRAC))
    power = np.where(np.isfinite(more.best_kg_s), curved, head / rho * own / e)
    return power, turning, own, np.where(running > 0.0, head, 0.0), running


def _before(cdu: Ints, able: Floats) -> Floats:
    """(V, U) pumps of the same CDU in earlier entries: those start first."""
    out = np.zeros_like(able)
    hosts, count = np.unique(cdu[cdu >= 0], return_counts=True)
    for c in hosts[count > 1]:
        own = np.flatnonzero(cdu == c)
        out[:, own[1:]] = np.cumsum(able[:, own], axis=1)[:, :-1]
    return out


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


def loop_network(plant: Plant, x: int) -> Mesh:
    """The network of a loop whose header is drawn, as :func:`solve_flow` solves it.

    Args:
        plant: the plant.
        x: number of the loop.
    """
    _, curves = _pumping(plant, np.ones((1, plant.gear.n), bool), np.zeros((1, plant.pumps.n)))
    return drawn_mesh(plant, x, curves)
