"""EPANET's description of a network, as its own script tells it, made into ours."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.solvers.network import Network, NetworkState, prepare, solve_network
from twin.solvers.network_laws import Inputs
from twin.solvers.network_parts import Fluid, Link, Node, Pipe, Plate, PressureReducing, PressureSustaining, Pump

Floats = NDArray[np.float64]
WIDE_KV = 1e9


def pump_of(entry: dict[str, Any], unit_pa: float, rho: float) -> Pump:
    """The power law that EPANET puts through one point (a third below shut-off) or three."""
    points = entry["points"]
    if len(points) == 1:
        (q, h), n = points[0], 2.0
        top, fall = 4.0 * h / 3.0, h / 3.0 / q**2
    else:
        (_, top), (q2, h2), (q3, h3) = points
        n = math.log((top - h3) / (top - h2)) / math.log(q3 / q2)
        fall = (top - h2) / q2**n
    return Pump(id=entry["id"], start=entry["start"], end=entry["end"], shutoff_pa=top * unit_pa, k=fall * unit_pa / rho**n, exponent=n)


def link_of(entry: dict[str, Any], answer: dict[str, Any]) -> Link:
    """One link with EPANET's own laws."""
    rho = answer["rho_kg_m3"]
    unit_pa = rho * answer["gravity_m_s2"]
    ends = {"id": entry["id"], "start": entry["start"], "end": entry["end"]}
    if entry["type"] == "Pump":
        return pump_of(entry, unit_pa, rho)
    if entry["type"] == "Pipe":
        hazen = answer["headloss"] == "H-W"
        return Pipe(
            **ends, length_m=entry["length_m"], diameter_m=entry["diameter_m"], minor_k=entry["minor_k"], check=entry["check"],
            roughness_m=0.0 if hazen else entry["roughness"], law="hazen_williams" if hazen else "epanet",
            hazen_williams_c=entry["roughness"] if hazen else 130.0,
        )  # fmt: skip
    valve = {"diameter_m": entry["diameter_m"], "minor_k": entry["minor_k"]}
    if entry["type"] == "FCV":
        return Plate(**ends, **valve, check=True)
    kind = {"PRV": PressureReducing, "PSV": PressureSustaining}[entry["type"]]
    return kind(**ends, **valve, kv_m3_h=WIDE_KV, set_pa=entry["setting"] * unit_pa)


def network_of(answer: dict[str, Any]) -> Network:
    """The network, prepared."""
    fluid = Fluid(
        rho_kg_m3=answer["rho_kg_m3"], mu_pa_s=answer["rho_kg_m3"] * answer["viscosity_m2_s"], gravity_m_s2=answer["gravity_m_s2"]
    )
    nodes = [Node(id=n["id"], height_m=n["height_m"], pressure_pa=0.0 if n.get("held") else None) for n in answer["nodes"]]
    return prepare(nodes, [link_of(entry, answer) for entry in answer["links"]], fluid)


def cases_of(network: Network, answer: dict[str, Any]) -> Inputs:
    """A case a snapshot: tank levels, demands, pump speeds and shut pipes as EPANET had them; valves find their own state."""
    shots = answer["snapshots"]
    unit_pa = answer["rho_kg_m3"] * answer["gravity_m_s2"]
    held = [n for n in network.nodes if n.pressure_pa is not None]
    pumps = [x.id for x in network.links if isinstance(x, Pump)]
    plain = [x.id for x in network.links if isinstance(x, Pipe) and not x.check]
    limits = [e for e in answer["links"] if e["type"] == "FCV"]
    return network.cases(
        pressure_pa={n.id: [unit_pa * (s["head_m"][n.id] - n.height_m) for s in shots] for n in held},
        demand_kg_s={n.id: [1e3 * s["demand_m3_s"][n.id] for s in shots] for n in network.nodes if n.pressure_pa is None},
        speed_frac={p: [s["setting"][p] * float(s["status"][p] > 0) for s in shots] for p in pumps},
        opening_frac={p: [float(s["status"][p] > 0) for s in shots] for p in plain if any(s["status"][p] == 0 for s in shots)},
        setting={e["id"]: 1e3 * e["setting"] for e in limits},
    )


def apart(network: Network, answer: dict[str, Any], state: NetworkState) -> tuple[float, float]:
    """Largest difference of flow, over that flow or 1 % of the snapshot's largest, and of head, over the span of heads there."""
    shots = answer["snapshots"]
    theirs = np.array([[1e3 * s["flow_m3_s"][x.id] for x in network.links] for s in shots])
    heads = np.array([[s["head_m"][n.id] for n in network.nodes] for s in shots])
    small = 0.01 * np.abs(theirs).max(axis=1, keepdims=True)
    flow = np.abs(state.flow_kg_s - theirs) / np.maximum(np.abs(theirs), small)
    span = heads.max(axis=1, keepdims=True) - heads.min(axis=1, keepdims=True)
    return float(flow.max()), float((np.abs(state.head_m - heads) / span).max())


def solved(answer: dict[str, Any]) -> tuple[Network, NetworkState]:
    """The network and its snapshots."""
    network = network_of(answer)
    return network, solve_network(network, cases_of(network, answer))
