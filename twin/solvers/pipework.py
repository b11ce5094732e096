"""A TCS loop whose header is drawn as pipes: the whole loop, manifolds included, as one network with its pumps.

CDUs and manifolds stand at junctions of the header, so each sees a differential pressure of its own. All running pumps of the
loop turn at one speed; they hold the pressure at the entry of the manifold that has least, or the loop's flow. Every rung and
segment of a manifold is a link of the network, so that nothing is lumped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.errors import UsageError
from topology.kinds import FRICTIONS
from topology.plant import Plant
from twin.solvers.network import Network, NetworkState, prepare, solve_network
from twin.solvers.network_laws import Inputs
from twin.solvers.network_parts import Fluid, Link, Node, Pipe, Plate, Pump
from twin.solvers.pumping import CEILING, FASTEST, HELD, OFF, SLOWEST

MEET, ROUNDS = 1e-10, 60
"""Share of its set-point within which a speed holds it, and tries for it."""
SHORTEST_M = 1e-3
"""Length that stands for none: a manifold that begins at its first place."""
AT_REST = 1e-9
"""Share of a loop's flow below which a manifold counts as cut off from its pumps."""


@dataclass(frozen=True)
class Mesh:
    """A drawn loop, prepared.

    Attributes:
        loop: number of the loop.
        network: all of it; nodes ``supply:x`` and ``return:x`` for each end x of a pipe.
        inputs: a case with everything open.
        manifolds: (m,) numbers of its manifolds.
        cdus: (c,) numbers of its CDUs.
        owner: (b,) manifold of each rung, as an index into ``manifolds``.
        racks: (b,) numbers of the racks.
        rung: (b,) their links.
        pump: (c,) links of the CDUs' pumps.
        entry: (m, 2) supply and return node of each manifold.
        outlet: (c, 2) supply and return node of each CDU.
        piece: (k,) number of the pipe on the plant that a link is a piece of.
        piece_link: (k,) that link.
        known: (c,) the CDU's pumps have a curve.
    """

    loop: int
    network: Network
    inputs: Inputs
    manifolds: Ints
    cdus: Ints
    owner: Ints
    racks: Ints
    rung: Ints
    pump: Ints
    entry: Ints
    outlet: Ints
    piece: Ints
    piece_link: Ints
    known: Bools


@dataclass(frozen=True)
class Drawn:
    """Flows of a drawn loop in V cases.

    Attributes:
        rung_kg_s: (V, b) flows of the racks.
        cdu_kg_s: (V, c) flows of the CDUs.
        running: (V, c) pumps that run.
        cdu_pa: (V, c) pressure difference that each CDU works against.
        dp_pa: (V,) pressure difference at the entry of the manifold that has least.
        speed_frac: (V,) pump speed.
        kind: (V,) what decides, an index into :data:`twin.solvers.pumping.LIMITS`.
    """

    rung_kg_s: Floats
    cdu_kg_s: Floats
    running: Floats
    cdu_pa: Floats
    dp_pa: Floats
    speed_frac: Floats
    kind: Ints


def drawn_loops(plant: Plant) -> tuple[int, ...]:
    """Numbers of the loops that have pipes."""
    return tuple(int(x) for x in np.unique(plant.pipes.loop) if not plant.loops.fws[x])


def mesh(plant: Plant, x: int, curves: tuple[Floats, Floats, Floats, Floats], racks: Ints, linear: Floats, square: Floats) -> Mesh:
    """Make a loop a network.

    Args:
        plant: the plant.
        x: number of the loop.
        curves: (C,) head, fall, own resistance and lowest speed of the pumps of every CDU of the plant.
        racks: (b,) racks in the order of the loop's manifolds.
        linear: (b,) linear part of their branch laws [Pa s/kg].
        square: (b,) quadratic part [Pa s2/kg2].

    Raises:
        UsageError: no pipe joins a CDU or a manifold of the loop.
    """
    manifolds, cdus = np.flatnonzero(plant.manifolds.loop == x), np.flatnonzero(plant.cdus.loop == x)
    top, fall, inner, _ = (values[cdus] for values in curves)
    known = np.isfinite(top)
    links: list[Link] = []
    for c, k in enumerate(cdus):
        name = plant.cdus.ids[k]
        law = (float(top[c]), float(fall[c]), float(inner[c])) if known[c] else (float(plant.loops.dp_pa[x]), 0.0, 0.0)
        links.append(Pump(id=f"{name}/pumps", start=f"return:{name}", end=f"inside:{name}", shutoff_pa=law[0], k=law[1]))
        links.append(Plate(id=name, start=f"inside:{name}", end=f"supply:{name}", b_pa_s2_kg2=law[2]))
    owner: list[int] = []
    for m, k in enumerate(manifolds):
        links += _manifold(plant, int(k), linear[len(owner) :], square[len(owner) :])
        owner += [m] * int(plant.manifolds.first[k + 1] - plant.manifolds.first[k])
    pieces = [(p, link) for p in np.flatnonzero(plant.pipes.loop == x) for link in _pieces(plant, int(p))]
    reached = {end for _, link in pieces for end in (link.start, link.end)}
    links += [link for _, link in pieces]
    ends = dict.fromkeys(end for link in links for end in (link.start, link.end))
    first = f"return:{plant.cdus.ids[cdus[0]]}"
    pressure = float(np.nan_to_num(plant.hydraulics.suction_pa[x]))
    nodes = [Node(id=end, pressure_pa=pressure if end == first else None) for end in ends]
    network = prepare(nodes, links, Fluid(rho_kg_m3=float(plant.loops.rho_kg_m3[x]), mu_pa_s=float(plant.loops.mu_pa_s[x])))
    back = np.asarray([link.start.startswith("return:") or link.start.endswith(":return") for link in links])
    inputs = network.cases(
        rho_kg_m3=np.where(back, plant.hydraulics.rho_return_kg_m3[x], plant.loops.rho_kg_m3[x]),
        mu_pa_s=np.where(back, plant.hydraulics.mu_return_pa_s[x], plant.loops.mu_pa_s[x]),
    )

    def sides(ids: list[str]) -> Ints:
        for i in ids:
            if not {f"supply:{i}", f"return:{i}"} <= reached:
                raise UsageError(f"no pipe of {plant.loops.ids[x]!r} joins {i!r}: draw one in pipes.csv")
        return np.asarray([[network.node[f"{side}:{i}"] for side in ("supply", "return")] for i in ids], np.int64).reshape(-1, 2)

    return Mesh(
        x, network, inputs, manifolds, cdus, np.asarray(owner, np.int64), racks,
        np.asarray([network.link[plant.racks.ids[r]] for r in racks], np.int64),
        np.asarray([network.link[f"{plant.cdus.ids[k]}/pumps"] for k in cdus], np.int64),
        sides([plant.manifolds.ids[k] for k in manifolds]), sides([plant.cdus.ids[k] for k in cdus]),
        np.asarray([p for p, _ in pieces], np.int64), np.asarray([network.link[link.id] for _, link in pieces], np.int64), known,
    )  # fmt: skip


def _pipe(plant: Plant, x: int, name: str, start: str, end: str, length_m: float, diameter_m: float, roughness_m: float) -> Pipe:
    return Pipe(
        id=name, start=start, end=end, length_m=max(length_m, SHORTEST_M), diameter_m=diameter_m, roughness_m=max(roughness_m, 1e-9),
        law=FRICTIONS[plant.hydraulics.friction[x]],
    )  # fmt: skip


def _manifold(plant: Plant, k: int, linear: Floats, square: Floats) -> list[Link]:
    """Segments and rungs of a manifold, as :mod:`twin.solvers.ladder` has them."""
    axis, name, x = plant.manifolds, plant.manifolds.ids[k], int(plant.manifolds.loop[k])
    a, b = int(axis.first[k]), int(axis.first[k + 1])
    step = axis.spacing_m[k] * np.diff(axis.place[a:b].astype(float), prepend=1.0)
    lead, bore, rough = float(axis.lead_m[k]), float(axis.diameter_m[k]), float(axis.roughness_m[k])
    links: list[Link] = []
    for j in range(b - a):
        own, ahead = f"{name}/{j + 1}", f"{name}/{j}"
        length = float(step[j]) + (lead if j == 0 else 0.0)
        top = f"{ahead}:supply" if j else f"supply:{name}"
        links.append(_pipe(plant, x, f"{own}/supply", top, f"{own}:supply", length, bore, rough))
        if plant.hydraulics.reverse[k]:
            last = j == b - a - 1
            behind, length = (f"return:{name}", lead) if last else (f"{name}/{j + 2}:return", float(step[j + 1]))
        else:
            behind = f"{ahead}:return" if j else f"return:{name}"
        links.append(_pipe(plant, x, f"{own}/return", f"{own}:return", behind, length, bore, rough))
        rack = plant.racks.ids[axis.racks[a + j]]
        links.append(Plate(id=rack, start=f"{own}:supply", end=f"{own}:return", a_pa_s_kg=float(linear[j]), b_pa_s2_kg2=float(square[j])))
    return links


def _pieces(plant: Plant, p: int) -> list[Link]:
    """The links of a drawn pipe; its valve becomes a loss coefficient of its bore: ``K = 200 A^2 / Kv^2``, Kv in m3/s at 1 bar."""
    pipe, x = plant.site.pipes[plant.pipes.ids[p]], int(plant.pipes.loop[p])
    area = math.pi / 4.0 * pipe.diameter_m**2
    minor = pipe.minor_k + (200.0 * area**2 / pipe.kv_m3_s**2 if pipe.kv_m3_s else 0.0)
    links: list[Link] = []
    for side in ("supply", "return") if pipe.side == "both" else (pipe.side,):
        a, b = (pipe.start, pipe.end) if side == "supply" else (pipe.end, pipe.start)
        name = f"{pipe.id}/{side}" if pipe.side == "both" else pipe.id
        base = _pipe(plant, x, name, f"{side}:{a}", f"{side}:{b}", pipe.length_m, pipe.diameter_m, pipe.roughness_m)
        links.append(Pipe(**{**{f: getattr(base, f) for f in _FIELDS}, "minor_k": minor, "check": pipe.check}))
    return links


_FIELDS = ("id", "start", "end", "length_m", "diameter_m", "roughness_m", "law")


def solve_mesh(plant: Plant, m: Mesh, able: Floats, floor: Floats, is_open: Bools, lost: Bools) -> Drawn:
    """Flows of a drawn loop.

    Args:
        plant: the plant.
        m: the loop, prepared.
        able: (V, c) pumps of each CDU that could run.
        floor: (c,) lowest speed.
        is_open: (V, b) racks whose branch is open.
        lost: (V, P) pipes of the plant that are shut beside those drawn as closed.

    Returns:
        Flows of V cases.

    Raises:
        SolveError: the network has no state; names the link and the case.
    """
    most = np.maximum(able.max(axis=1, initial=0.0), 1.0)
    pumps = np.ones_like(most) if plant.hydraulics.on_demand[m.loop] else most.copy()
    running = np.minimum(able, pumps[:, None])
    opening = openings(plant, m, is_open, lost)
    speed, kind, state = _speed(plant, m, running, floor, opening)
    while True:
        dp, total = _held(m, state)
        hold, want = plant.hydraulics.hold_kg_s[m.loop], plant.loops.dp_pa[m.loop]
        short = (
            dp < plant.hydraulics.stage_dp_frac[m.loop] * want
            if math.isinf(hold)
            else total < plant.hydraulics.stage_dp_frac[m.loop] * hold
        )
        more = (kind == FASTEST) & short & (pumps < most)
        if not more.any():
            break
        pumps[more] += 1.0
        running = np.minimum(able, pumps[:, None])
        speed, kind, state = _speed(plant, m, running, floor, opening)
    flow, pressure = np.where(kind[:, None] == OFF, 0.0, state.flow_kg_s), state.pressure_pa
    rise = pressure[:, m.outlet[:, 0]] - pressure[:, m.outlet[:, 1]]
    return Drawn(flow[:, m.rung], flow[:, m.pump], running, rise, np.where(kind == OFF, 0.0, dp), speed, kind)


def openings(plant: Plant, m: Mesh, is_open: Bools, lost: Bools) -> Floats:
    """(V, L) openings of the links: racks that are connected, pipes that are drawn open and not lost."""
    closed = np.asarray([plant.site.pipes[i].state == "closed" for i in plant.pipes.ids], bool)
    opening = np.ones((is_open.shape[0], len(m.network.links)))
    opening[:, m.rung] = is_open
    opening[:, m.piece_link] = ~(lost | closed)[:, m.piece]
    return opening


def state_at(m: Mesh, running: Floats, speed: Floats, opening: Floats) -> NetworkState:
    """The network at given speeds.

    Args:
        m: the loop, prepared.
        running: (V, c) pumps that run.
        speed: (V,) their speed; pumps without a curve keep theirs.
        opening: (V, L) openings.
    """
    count, turning = np.ones_like(opening), np.ones_like(opening)
    count[:, m.pump] = running
    turning[:, m.pump] = np.where(m.known, speed[:, None], 1.0)
    return solve_network(m.network, m.inputs._replace(opening_frac=opening, speed_frac=turning, pumps=count))


def _held(m: Mesh, state: NetworkState) -> tuple[Floats, Floats]:
    """(V,) lowest pressure difference at the entry of a manifold that has flow, 0 where none has; and the loop's flow."""
    through = np.zeros((state.scenarios, m.manifolds.size))
    np.add.at(through.T, m.owner, state.flow_kg_s[:, m.rung].T)
    total = through.sum(axis=1)
    dp = state.pressure_pa[:, m.entry[:, 0]] - state.pressure_pa[:, m.entry[:, 1]]
    has = through > AT_REST * np.maximum(total, AT_REST)[:, None]
    lowest = np.where(has, dp, math.inf).min(axis=1, initial=math.inf)
    return np.where(np.isfinite(lowest), lowest, 0.0), total


def _speed(plant: Plant, m: Mesh, running: Floats, floor: Floats, opening: Floats) -> tuple[Floats, Ints, NetworkState]:
    """(V,) speed that holds the set-point, what decides, and the network there; by false position in every case at once."""
    hold, want = float(plant.hydraulics.hold_kg_s[m.loop]), float(plant.loops.dp_pa[m.loop])

    def over(speed: Floats) -> tuple[Floats, Bools, NetworkState]:
        state = state_at(m, running, speed, opening)
        dp, total = _held(m, state)
        return np.maximum(dp / want, total / hold) - 1.0, dp / want >= total / hold, state

    low, high = np.zeros(running.shape[0]), np.ones(running.shape[0])
    at_low, (at_high, ceiling, state) = np.full(low.size, -1.0), over(high)
    flowing = _held(m, state)[1] > AT_REST
    free = ~((running > 0.0) & ~m.known).any(axis=1)
    kind = np.where(at_high < -MEET, FASTEST, HELD)
    speed, now, side = high.copy(), at_high.copy(), np.zeros(low.size)
    busy = flowing & free & (at_high > MEET)
    for _ in range(ROUNDS):
        if not busy.any():
            break
        part = np.divide(at_low, at_low - at_high, out=np.full(low.size, 0.5), where=busy)
        speed = np.where(busy, low + (high - low) * np.clip(part, 0.02, 0.98), speed)
        now, ceiling, state = over(speed)
        up, down = busy & (now < 0.0), busy & (now >= 0.0)
        at_high = np.where(down, now, np.where(up & (side < 0.0), 0.5 * at_high, at_high))
        at_low = np.where(up, now, np.where(down & (side > 0.0), 0.5 * at_low, at_low))
        side = np.where(up, -1.0, np.where(down, 1.0, side))
        low, high = np.where(up, speed, low), np.where(down, speed, high)
        busy &= (np.abs(now) > MEET) & (high - low > 1e-14)
    lowest = np.where(running > 0.0, floor, 0.0).max(axis=1, initial=0.0)
    slow = flowing & free & (speed < lowest * (1.0 - 1e-9))
    if slow.any():
        speed = np.where(slow, lowest, speed)
        _, ceiling, state = over(speed)
    kind = np.where(slow, SLOWEST, kind)
    kind = np.where((kind == HELD) & ceiling & math.isfinite(hold), CEILING, kind)
    kind = np.where(~free, HELD, kind)
    kind = np.where(flowing, kind, OFF)
    return np.where(flowing, speed, 0.0), kind.astype(np.int64), state
