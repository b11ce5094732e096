"""Networks against EPANET on its own examples and on generated meshes, and against pandapipes, each with the peer's own friction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.agreements import Agreements
from tests.conftest import AskPeer
from tests.twin.epanet import apart, solved
from twin.solvers.network import prepare, solve_network
from twin.solvers.network_parts import Fluid, Link, Node, Pipe, Pump, Valve

pytestmark = pytest.mark.agreement
FLOW, HEAD = "relative to the flow, or to 1 % of the largest", "of the span of heads"


OWN, SEEDS, HEADLOSS = ("Net1", "Net2", "Net3"), 6, ("D-W", "H-W")


@pytest.fixture(scope="module")
def epanet(ask_peer: AskPeer) -> list[dict[str, Any]]:
    """All of EPANET's answers, from one process: its own networks, then the meshes of each law."""
    own: list[dict[str, Any]] = [{"network": name} for name in OWN]
    made = [{"text": mesh(seed, law)} for law in HEADLOSS for seed in range(SEEDS)]
    answer: list[dict[str, Any]] = ask_peer("epanet_network", runs=own + made)["runs"]
    return answer


@pytest.mark.parametrize("name", OWN)
def test_epanets_own_networks(name: str, epanet: list[dict[str, Any]], agreement: Agreements) -> None:
    """Every snapshot of the example's run, tank levels, demands and pump states fixed at EPANET's."""
    answer = epanet[OWN.index(name)]
    network, state = solved(answer)
    assert state.scenarios == len(answer["snapshots"]) >= 25
    flow, head = apart(network, answer, state)
    what = f"{name}, {len(network.links)} links, {state.scenarios} snapshots, hazen_williams"
    agreement("hydraulics", f"flows of {what}", answer["name"], flow, 1e-3, FLOW)
    agreement("hydraulics", f"heads of {what}", answer["name"], head, 1e-3, HEAD)


def mesh(seed: int, headloss: str, nodes: int = 40) -> str:
    """A random mesh as EPANET's input: two reservoirs, a pump, check valves, a shut pipe, a reducing valve, a flow limit."""
    rng = np.random.default_rng(seed)
    rough = "100" if headloss == "H-W" else "0.05"
    junctions = [f"n{k} {rng.uniform(0, 15):.3f} {rng.uniform(0.2, 3.0):.4f}" for k in range(nodes)]
    pipes: list[str] = []

    def pipe(a: str, b: str, status: str = "OPEN") -> None:
        number, length, bore = len(pipes), rng.uniform(30, 400), rng.choice([80, 100, 150, 250])
        pipes.append(f"p{number} {a} {b} {length:.2f} {bore} {rough} {rng.uniform(0, 5):.2f} {status}")

    for k in range(1, nodes):
        pipe(f"n{k}", f"n{rng.integers(max(0, k - 5), k)}")
    for _ in range(nodes):
        a, b = rng.choice(nodes, 2, replace=False)
        pipe(f"n{a}", f"n{b}", str(rng.choice(["OPEN", "CV", "CLOSED"], p=[0.7, 0.2, 0.1])))
    pipe("high", f"n{nodes - 1}", "CV")
    pipe("zone", "far")
    pipe("far", "limited")
    return "\n".join([
        "[JUNCTIONS]", *junctions, "zone 2 1.5", "far 4 2.5", "limited 3 0.5", "[RESERVOIRS]", "low 10", "high 55", "[PIPES]", *pipes,
        "[PUMPS]", "pump low n0 HEAD curve", "[CURVES]", f"curve {rng.uniform(40, 90):.2f} 60", "[VALVES]",
        "prv n3 zone 150 PRV 20 0.5", f"fcv n{nodes // 2} limited 150 FCV 1.25 0.5", "[OPTIONS]", "UNITS LPS", f"HEADLOSS {headloss}",
        "VISCOSITY 1.0", "TRIALS 500", "ACCURACY 0.00001", "[TIMES]", "DURATION 0", "[END]", "",
    ])  # fmt: skip


@pytest.mark.parametrize("headloss", HEADLOSS)
def test_generated_meshes_against_epanet(headloss: str, epanet: list[dict[str, Any]], agreement: Agreements) -> None:
    worst_flow, worst_head, name, states = 0.0, 0.0, "", set()
    first = len(OWN) + SEEDS * HEADLOSS.index(headloss)
    for answer in epanet[first : first + SEEDS]:
        network, state = solved(answer)
        flow, head = apart(network, answer, state)
        worst_flow, worst_head, name = max(worst_flow, flow), max(worst_head, head), answer["name"]
        states |= set(state.state.ravel().tolist())
    assert states == {0, 1, 2, 3, 4}
    law = "epanet" if headloss == "D-W" else "hazen_williams"
    what = f"six random meshes of 90 links with a pump, check valves, a reducing valve and a flow limit, {law}"
    agreement("hydraulics", f"flows of {what}", name, worst_flow, 1e-3, FLOW)
    agreement("hydraulics", f"heads of {what}", name, worst_head, 1e-3, HEAD)


def closed_loop(seed: int, rows: int = 6) -> dict[str, Any]:
    """A closed loop as two headers with cross links and rungs, some rungs with valves, some of them shut; a pump of given lift."""
    rng = np.random.default_rng(seed)
    nodes = [{"id": f"{side}{k}", "height_m": float(rng.uniform(0, 6))} for side in "sr" for k in range(rows)]
    nodes += [{"id": f"m{k}", "height_m": 1.0} for k in range(rows)]
    links: list[dict[str, Any]] = [{"type": "pump", "id": "pump", "start": "r0", "end": "s0", "flow_pa": 5e5, "lift_pa": 1.5e5}]

    def pipe(a: str, b: str) -> None:
        links.append({
            "type": "pipe", "id": f"p{len(links)}", "start": a, "end": b, "length_m": float(rng.uniform(5, 60)),
            "diameter_m": float(rng.choice([0.05, 0.08, 0.1])), "roughness_m": 4.5e-5, "minor_k": float(rng.uniform(0, 4)),
        })  # fmt: skip

    for k in range(rows):
        pipe(f"s{k}", f"m{k}")
        valve = {"type": "valve", "id": f"v{k}", "start": f"m{k}", "end": f"r{k}", "diameter_m": 0.05}
        links.append({**valve, "minor_k": float(rng.uniform(2, 40)), "open": bool(k != 2)})
        if k:
            pipe(f"s{k - 1}", f"s{k}")
            pipe(f"r{k}", f"r{k - 1}")
    pipe(f"s{rows - 1}", "s1")
    pipe("r4", "r1")
    return {"rho_kg_m3": 1020.0, "mu_pa_s": 1.4e-3, "nodes": nodes, "links": links}


def test_closed_loops_against_pandapipes(ask_peer: AskPeer, agreement: Agreements) -> None:
    worst_flow, worst_head, name = 0.0, 0.0, ""
    for seed in range(3):
        asked = closed_loop(seed)
        answer = ask_peer("pandapipes_loop", **asked)
        name = answer["name"]
        fluid = Fluid(rho_kg_m3=asked["rho_kg_m3"], mu_pa_s=asked["mu_pa_s"], gravity_m_s2=answer["gravity_m_s2"])
        pump = asked["links"][0]
        held = {pump["end"]: pump["flow_pa"]}
        nodes = [Node(**n, pressure_pa=held.get(n["id"])) for n in asked["nodes"]]
        links: list[Link] = []
        for entry in asked["links"]:
            link = {k: v for k, v in entry.items() if k in ("id", "start", "end", "diameter_m", "minor_k")}
            if entry["type"] == "pump":
                links.append(Pump(**link, shutoff_pa=pump["lift_pa"]))
            elif entry["type"] == "pipe":
                links.append(Pipe(**link, length_m=entry["length_m"], roughness_m=entry["roughness_m"], law="pandapipes"))
            else:
                links.append(Valve(**link, kv_m3_h=1e9))
        network = prepare(nodes, links, fluid)
        state = solve_network(network, network.cases(closed=[e["id"] for e in asked["links"] if e.get("open") is False]))
        theirs = np.array([answer["flow_kg_s"][x.id] for x in links])
        pressures = np.array([answer["pressure_pa"][n.id] for n in nodes])
        assert np.isfinite(theirs).all() and np.isfinite(pressures).all()
        small = 0.01 * np.abs(theirs).max()
        worst_flow = max(worst_flow, float((np.abs(state.flow_kg_s[0] - theirs) / np.maximum(np.abs(theirs), small)).max()))
        worst_head = max(worst_head, float(np.abs(state.pressure_pa[0] - pressures).max() / pump["lift_pa"]))
    agreement("hydraulics", "flows of three closed loops with cross links and valves, its nikuradse law", name, worst_flow, 1e-3, FLOW)
    agreement("hydraulics", "pressures of the same", name, worst_head, 1e-3, "of the pump's lift")
