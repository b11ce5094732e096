"""The general network solver beside EPANET: a ladder as an unstructured mesh, one solve and a batch of cases."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.harness import Row, medians_told, row, seconds
from benchmarks.peers import Peer, peers_python
from twin.solvers.network import Network, prepare, solve_network
from twin.solvers.network_parts import Fluid, Link, Node, Pipe, Plate

BRANCHES, CASES = 1_000, 50
RHO, MU, BORE, ROUGH, SEGMENT, DP = 1020.0, 1.1e-3, 0.6, 4.5e-5, 1.2, 200e3
RUNG = 60e3 / (400.0 / BRANCHES) ** 2
APART = 1e-3


def rows() -> Iterator[Row]:
    """All rows of this file; none where the peers are not installed."""
    if peers_python() is None:
        return
    network = ladder()
    one = network.cases()
    many = network.cases(pressure_pa={"s0": DP * np.linspace(0.8, 1.2, CASES)})
    peer = Peer(
        "epanet_ladder", dp_pa=DP, k_branch=RUNG, branches=BRANCHES, segment_m=SEGMENT, diameter_m=BORE, roughness_m=ROUGH,
        rho_kg_m3=RHO, mu_pa_s=MU, accuracy=1e-3, repeats=3,
    )  # fmt: skip
    with peer:
        ours, batch, theirs = medians_told(
            lambda: seconds(lambda: solve_network(network, one), 3),
            lambda: seconds(lambda: solve_network(network, many)) / CASES,
            peer.ask,
            repeats=3,
        )
        flow = solve_network(network, one).flow_kg_s[0, [network.link[f"b{k}"] for k in range(BRANCHES)]]
        apart = float(np.abs(np.asarray(peer.last["flow_kg_s"]) / flow - 1.0).max())
        if apart > APART:
            raise AssertionError(f"flows of the mesh differ by {apart:.1%}: it is not the same work")
        name = f"mesh of {3 * BRANCHES:,} links, no structure known"
        yield row(f"{name}, one solve", ours * 1e3, theirs * 1e3, peer.name, "ms")
        yield row(f"{name}, a case of {CASES}", batch * 1e3, theirs * 1e3, peer.name, "ms")


def ladder() -> Network:
    """Supply and return header with a branch at every rung, EPANET's friction law."""
    nodes = [Node(id="s0", pressure_pa=DP), Node(id="r0", pressure_pa=0.0)]
    links: list[Link] = []
    for k in range(BRANCHES):
        nodes += [Node(id=f"s{k + 1}"), Node(id=f"r{k + 1}")]
        for name, a, b in ((f"ps{k}", f"s{k}", f"s{k + 1}"), (f"pr{k}", f"r{k + 1}", f"r{k}")):
            links.append(Pipe(id=name, start=a, end=b, length_m=SEGMENT / 2, diameter_m=BORE, roughness_m=ROUGH, law="epanet"))
        links.append(Plate(id=f"b{k}", start=f"s{k + 1}", end=f"r{k + 1}", b_pa_s2_kg2=RUNG))
    return prepare(nodes, links, Fluid(rho_kg_m3=RHO, mu_pa_s=MU))
