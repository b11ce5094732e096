"""A drawn loop as a person reads it: flow, velocity and pressure drop of each pipe, pressures at each junction, pumps, what limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from topology.errors import UsageError, nearest
from topology.plant import Plant
from twin.loops import PumpReport, loop_reports
from twin.solvers.hydraulic import loop_network
from twin.solvers.network import LINK_STATES, NetworkState
from twin.solvers.network_parts import Pipe
from twin.solvers.pipework import Mesh, openings, state_at
from twin.solvers.scatter import sum_by
from twin.solvers.steady import isolated, pipes_lost
from twin.state import SteadyState

FAST_M_S = 3.0
"""Velocity in a header over which a pipe is flagged (ASHRAE Handbook Fundamentals 2021, chapter 22: erosion and noise)."""


@dataclass(frozen=True)
class PieceReport:
    """A pipe on one side of a header.

    Attributes:
        element: the pipe.
        side: ``supply`` or ``return``.
        start: end that positive flow leaves.
        end: end that positive flow enters.
        flow_kg_s: its flow.
        velocity_m_s: mean velocity, with the sign of the flow.
        dp_pa: pressure at its start less pressure at its end.
        state: ``open``, ``shut``, or ``shut by its check valve``.
    """

    element: str
    side: str
    start: str
    end: str
    flow_kg_s: float
    velocity_m_s: float
    dp_pa: float
    state: str


@dataclass(frozen=True)
class JunctionReport:
    """An end of pipes: CDU, manifold or junction.

    Attributes:
        element: its name.
        kind: ``cdu``, ``manifold`` or ``junction``.
        supply_pa: pressure on the supply side, over the suction of the first CDU (over the atmosphere where the loop says its
            suction pressure); ``None`` where no pipe of this side ends there.
        return_pa: pressure on the return side.
        head_m: (supply - return) as height of the coolant; ``None`` where a side is missing.
        flow_kg_s: what a CDU gives or a manifold takes; ``None`` at a junction.
        cut_off: no pipe that is open leads there from the first CDU.
    """

    element: str
    kind: str
    supply_pa: float | None
    return_pa: float | None
    head_m: float | None
    flow_kg_s: float | None
    cut_off: bool


@dataclass(frozen=True)
class NetworkReport:
    """A drawn loop.

    Attributes:
        element: the loop.
        flow_kg_s: its flow.
        dp_pa: pressure difference at the entry of the manifold that has least.
        set_dp_pa: what is held there, or the most where a flow is held.
        decides: what decides its flow, one of :data:`twin.solvers.pumping.LIMITS`.
        least: manifold with the lowest pressure difference; empty where nothing flows.
        pipes: its pipes.
        junctions: ends of its pipes.
        pumps: its pumps.
        notes: what to look at, in words.
    """

    element: str
    flow_kg_s: float
    dp_pa: float
    set_dp_pa: float
    decides: str
    least: str
    pipes: tuple[PieceReport, ...]
    junctions: tuple[JunctionReport, ...]
    pumps: tuple[PumpReport, ...]
    notes: tuple[str, ...]


def network_report(plant: Plant, state: SteadyState, loop: str, scenario: int = 0) -> NetworkReport:
    """One drawn loop of one scenario.

    Args:
        plant: the plant.
        state: its solved state.
        loop: id of the loop.
        scenario: which scenario.

    Raises:
        UsageError: no loop has this id, or its header is not drawn in ``pipes.csv``.
    """
    whole = loop_reports(plant, state, scenario, loop)[0]
    x = plant.loops.ids.index(loop)
    if x not in plant.pipes.loop:
        drawn = [plant.loops.ids[k] for k in np.unique(plant.pipes.loop)]
        hint = nearest(loop, drawn) if drawn else "no loop of this site has any"
        raise UsageError(f"the header of {loop!r} is not drawn in pipes.csv ({hint}); racktwin loops shows it as it is")
    m, net = _solved(plant, state, x, scenario)
    pieces = tuple(_piece(plant, m, net, k) for k in range(m.piece.size))
    junctions = _junctions(plant, state, m, net, scenario)
    fed = [j for j in junctions if j.kind == "manifold" and j.flow_kg_s and j.head_m is not None]
    least = min(fed, key=lambda j: j.head_m or 0.0).element if fed else ""
    notes = [*whole.notes, *(f"{abs(p.velocity_m_s):.2f} m/s in {p.element}, over {FAST_M_S:g} m/s" for p in pieces
                             if abs(p.velocity_m_s) > FAST_M_S)]  # fmt: skip
    notes += [f"{p.element}: {p.state} on the {p.side} side" for p in pieces if p.state != "open"]
    notes += [f"{j.element} is cut off" for j in junctions if j.cut_off or (j.kind == "manifold" and not j.flow_kg_s)]
    return NetworkReport(
        loop, whole.flow_kg_s, float(state.flow.loop_dp_pa[scenario, x]), whole.set_dp_pa, whole.decides, least, pieces, junctions,
        whole.pumps, tuple(dict.fromkeys(notes)),
    )  # fmt: skip


def _solved(plant: Plant, state: SteadyState, x: int, s: int) -> tuple[Mesh, NetworkState]:
    """The network at the speed and with the pumps that the steady solve found."""
    m = loop_network(plant, x)
    own = state.outages.sets[int(state.outages.index[s])]
    connected = state.loads.present[s, m.racks] & ~isolated(plant, (own,))[0, m.racks] & np.isfinite(plant.racks.resistance[m.racks])
    opening = openings(plant, m, connected[None, :], pipes_lost(plant, (own,)))
    running = sum_by(state.flow.pump_count[s : s + 1], plant.pumps.cdu, plant.cdus.n)[:, m.cdus]
    running = np.where(m.known, running, state.power.gear_alive[s, plant.cdus.gear[m.cdus]])
    speed = state.flow.pump_speed_frac[s, plant.pumps.loop == x].max(initial=0.0)
    return m, state_at(m, running, np.asarray([speed]), opening)


def _piece(plant: Plant, m: Mesh, net: NetworkState, k: int) -> PieceReport:
    number = int(m.piece_link[k])
    link = net.network.links[number]
    assert isinstance(link, Pipe)
    side, start = link.start.split(":")
    flow, velocity, dp = (float(v[0, number]) for v in (net.flow_kg_s, net.velocity_m_s, net.dp_pa))
    end, state = link.end.split(":")[1], LINK_STATES[int(net.state[0, number])]
    return PieceReport(plant.pipes.ids[m.piece[k]], side, start, end, flow, velocity, dp, state)


def _junctions(plant: Plant, state: SteadyState, m: Mesh, net: NetworkState, s: int) -> tuple[JunctionReport, ...]:
    kinds = {plant.cdus.ids[k]: ("cdu", float(state.flow.cdu_kg_s[s, k])) for k in m.cdus}
    taken = np.bincount(m.owner, state.flow.rack_kg_s[s, m.racks], m.manifolds.size)
    kinds |= {plant.manifolds.ids[k]: ("manifold", float(f)) for k, f in zip(m.manifolds, taken, strict=True)}
    pieces = [net.network.links[int(k)] for k in m.piece_link]
    names = dict.fromkeys(end.split(":")[1] for link in pieces for end in (link.start, link.end))
    unit = net.network.fluid.rho_kg_m3 * net.network.fluid.gravity_m_s2
    reports = []
    for name in names:
        sides = [net.network.node.get(f"{side}:{name}") for side in ("supply", "return")]
        high, low = (None if a is None else float(net.pressure_pa[0, a]) for a in sides)
        head = None if high is None or low is None else (high - low) / unit
        kind, flow = kinds.get(name, ("junction", math.nan))
        cut = any(bool(net.floating[0, a]) for a in sides if a is not None)
        reports.append(JunctionReport(name, kind, high, low, head, None if kind == "junction" else flow, cut))
    return tuple(reports)
