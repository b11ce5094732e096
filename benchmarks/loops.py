"""Coolant loops beside EPANET: one solve of a long ladder, a batch of cases with general laws, and one with squares and heat."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.harness import Row, medians_told, row, seconds
from benchmarks.peers import Peer, peers_python
from topology.axes import Floats
from twin.solvers.manifold import Ladder, pipe_squares, prepare, solve, solve_squares

BRANCHES = (1_000, 5_000)
CASES = 1_000
RHO, MU, BORE_M, ROUGH_M, SEGMENT_M, DP_PA = 1020.0, 1.1e-3, 0.6, 4.5e-5, 1.2, 200e3
CP, HEAT_W = 3950.0, (0.5e3, 3e3)
ONE, GENERAL, SQUARES = 1.0 / 10.0, 1.0 / 15.0, 1.0 / 100.0
"""Goals: largest share of EPANET's time."""
APART = 0.02
"""Largest difference of flows at which both count as doing the same work: that of the friction laws."""


def rows() -> Iterator[Row]:
    """All rows of this file; none where the peers are not installed."""
    if peers_python() is None:
        sys.stderr.write("the rows beside EPANET are left out: make peers\n")
        return
    for branches in BRANCHES:
        yield from loop_rows(branches, CASES)


def long_ladder(branches: int) -> tuple[Ladder, Floats]:
    """A manifold of equal branches with 1.2 m of pipe between them, both sides together, and the resistance of its branches."""
    return prepare(np.full(branches, SEGMENT_M / 2.0), BORE_M, ROUGH_M, RHO, MU), np.full(branches, 60e3 / (400.0 / branches) ** 2)


def loop_rows(branches: int, cases: int, repeats: int = 3) -> Iterator[Row]:
    """One size: one solve, and both batches, a case; the first case of a batch is the one that EPANET solves."""
    ladder, b = long_ladder(branches)
    rng = np.random.default_rng(0)
    dp = np.concatenate([[DP_PA], rng.uniform(0.5, 1.25, cases - 1) * DP_PA])
    each = b * np.concatenate([np.ones((1, branches)), rng.uniform(0.7, 1.5, (cases - 1, branches))])
    heat, supply = rng.uniform(*HEAT_W, (cases, branches)), rng.uniform(20.0, 40.0, cases)
    found: dict[str, Floats] = {}

    def one() -> None:
        found["one solve"] = solve(ladder, DP_PA, 0.0, b).flow_kg_s[0]

    def general() -> None:
        found["general laws"] = solve(ladder, dp, 0.0, each).flow_kg_s[0]

    one()
    pipe = pipe_squares(ladder, found["one solve"])

    def squares() -> None:
        found["squares and heat"] = solve_squares(ladder, dp, pipe, each, heat, supply, CP)[0][0]

    works: tuple[Callable[[], float], ...] = (
        lambda: seconds(one, 20), lambda: seconds(general) / cases, lambda: seconds(squares) / cases,
    )  # fmt: skip
    peer = Peer(
        "epanet_ladder", dp_pa=DP_PA, k_branch=float(b[0]), branches=branches, segment_m=SEGMENT_M, diameter_m=BORE_M,
        roughness_m=ROUGH_M, rho_kg_m3=RHO, mu_pa_s=MU, accuracy=1e-3, repeats=3,
    )  # fmt: skip
    with peer:
        *ours, theirs = medians_told(*works, peer.ask, repeats=repeats)
        for what, flow in found.items():
            _agree(f"{branches:,} branches, {what}", float(np.abs(np.asarray(peer.last["flow_kg_s"]) / flow - 1.0).max()))
    what = f"loop of {branches:,} branches"
    names = (
        (f"{what}, one solve", ONE), (f"{what}, {cases:,} cases of general laws, a case", GENERAL),
        (f"{what}, {cases:,} cases of squares with outlet temperatures, a case", SQUARES),
    )  # fmt: skip
    for (name, goal), taken in zip(names, ours, strict=True):
        yield row(name, taken * 1e3, theirs * 1e3, peer.name, "ms", goal)


def _agree(what: str, apart: float) -> None:
    sys.stderr.write(f"{what}: flows differ by {apart:.2%} at most\n")
    if apart > APART:
        raise AssertionError(f"{what}: flows differ by {apart:.1%}, more than {APART:.0%}: it is not the same work")
