"""Voltages of radial feeds beside power-grid-model: shallow and deep trees, many load scenarios, one thread."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.harness import Row, medians_told, row, seconds
from benchmarks.peers import Peer, peers_python
from topology.axes import Floats, Ints
from twin.solvers.radial import per_w, radial, solve_radial

NODES, SCENARIOS = 10_000, 1_000
SHALLOW, DEEP = 10, 2
"""Children of a node; the feed is 5 or 13 lines deep."""
VOLTS, R_OHM, X_OHM = 10e3, 0.1, 0.05
LEAF_W = (500.0, 1500.0)
APART_FRAC = 1e-8
"""Largest difference of voltages, over nominal, at which two programs count as doing the same work."""


def rows() -> Iterator[Row]:
    """All rows of this file; none where the peers are not installed."""
    if peers_python() is None:
        sys.stderr.write("the rows beside power-grid-model are left out: make peers\n")
        return
    yield feed_row("shallow", NODES, SCENARIOS, SHALLOW)
    yield feed_row("deep", NODES, SCENARIOS, DEEP)


def tree(nodes: int, children: int) -> tuple[Ints, Ints]:
    """Parent of each node of a regular tree, -1 for the first; and the nodes at its ends."""
    parent = np.array([-1, *((n - 1) // children for n in range(1, nodes))], dtype=np.int64)
    return parent, np.setdiff1d(np.arange(nodes), parent)


def feed_row(shape: str, nodes: int, scenarios: int, children: int, repeats: int = 3) -> Row:
    """A batch of load scenarios with a constant load on every end; both give the voltage of every node of every scenario."""
    parent, ends = tree(nodes, children)
    line = (parent >= 0).astype(np.float64)
    net = radial(parent, line * per_w(R_OHM, VOLTS), line * per_w(X_OHM, VOLTS), ends)
    load: Floats = np.random.default_rng(0).uniform(*LEAF_W, (scenarios, ends.size))
    ours_first = solve_radial(net, load[:1]).voltage_frac[0]
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "load.npy", load)
        peer = Peer(
            "power_grid_model_radial", parent=parent.tolist(), r_ohm=R_OHM, x_ohm=X_OHM, volts=VOLTS, leaf=ends.tolist(),
            load=str(Path(folder) / "load.npy"), volts_file=str(Path(folder) / "volts.npy"), repeats=1,
        )  # fmt: skip
        with peer:
            ours, theirs = medians_told(lambda: seconds(lambda: solve_radial(net, load)) / scenarios, peer.ask, repeats=repeats)
        apart = float(np.abs(ours_first - np.load(Path(folder) / "volts.npy")).max())
    sys.stderr.write(f"voltages of the {shape} feed differ by {apart:.1e} at most\n")
    if not apart <= APART_FRAC:
        raise AssertionError(f"voltages of the {shape} feed differ by {apart:.1e}: it is not the same work")
    name = f"voltages of a radial feed, {shape}, {nodes:,} nodes x {scenarios:,} scenarios, a scenario"
    return row(name, ours * 1e3, theirs * 1e3, peer.name, "ms", 0.1)
