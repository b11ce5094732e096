"""Networks and frames beside programs of other people: a hydraulic ladder, and frames of a store."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.harness import Row, medians_told, row, seconds
from benchmarks.peers import Peer, peers_python
from benchmarks.storing import END, source_files
from telemetry.frames import frames
from telemetry.ingest import ingest
from telemetry.store import Store
from topology.axes import Floats
from topology.generate import generate
from twin.solvers.hydraulic import ladder

BRANCHES = (1_000, 5_000)
APART = 0.02
"""Largest difference of answers at which two programs count as doing the same work: that of the friction laws."""


def networks() -> Iterator[Row]:
    """All rows of this file; none where the peers are not installed."""
    if peers_python() is None:
        sys.stderr.write("the rows beside other programs are left out: make peers\n")
        return
    for branches in BRANCHES:
        yield ladder_row(branches)
    yield from frames_rows(3_000_000)


def ladder_row(branches: int, repeats: int = 5) -> Row:
    """One manifold of so many branches, both programs from a cold start."""
    rho, mu, bore, rough, segment, dp = 1020.0, 1.1e-3, 0.6, 4.5e-5, 1.2, 200e3
    resistance = 60e3 / (400.0 / branches) ** 2
    k, pipe, flow = np.full(branches, resistance), np.full(branches, segment), np.zeros(branches)

    def solve() -> float:
        return ladder(dp, k, pipe, bore, rough, rho, mu, flow)

    peer = Peer(
        "epanet_ladder", dp_pa=dp, k_branch=resistance, branches=branches, segment_m=segment, diameter_m=bore, roughness_m=rough,
        rho_kg_m3=rho, mu_pa_s=mu, accuracy=1e-3, repeats=3,
    )  # fmt: skip
    with peer:
        ours, theirs = medians_told(lambda: seconds(solve, 20), peer.ask, repeats=repeats)
        apart = float(np.abs(np.asarray(peer.last["flow_kg_s"]) / flow - 1.0).max())
        _agree(f"flows of {branches:,} branches", apart)
        return row(f"loop of {branches:,} branches, one solve", ours * 1e3, theirs * 1e3, peer.name, "ms", 0.1)


def _agree(what: str, apart: float) -> None:
    sys.stderr.write(f"{what} differ by {apart:.2%} at most\n")
    if apart > APART:
        raise AssertionError(f"{what} differ by {apart:.1%}, more than {APART:.0%}: it is not the same work")


def frames_rows(rows: int, repeats: int = 3) -> Iterator[Row]:
    """One-minute means by rack from the Parquet files of a store, everyone with one thread."""
    site = generate("reference")
    threads = pa.cpu_count(), pa.io_thread_count()
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder) / "store")
        ingest(site, source_files(Path(folder), list(site.racks), rows, 3), store, clock=lambda: END)
        files = [str(f) for f in sorted((Path(folder) / "store" / "readings").rglob("*.parquet"))]
        pa.set_cpu_count(1)
        pa.set_io_thread_count(1)
        made: list[Floats] = []

        def dense() -> None:
            made[:] = [frames(store, list(site.racks), "power_w", None, None, 60.0).values]

        try:
            for script in ("frames_duckdb", "frames_polars"):
                with Peer(script, files=files, quantity="power_w", step_s=60.0) as peer:
                    ours, theirs = medians_told(lambda: seconds(dense), peer.ask, repeats=repeats)
                    cells, total = int(np.isfinite(made[0]).sum()), float(np.nansum(made[0]))
                    if cells != peer.last["cells"] or abs(total / peer.last["sum"] - 1.0) > 1e-9:
                        raise AssertionError(f"{peer.name} finds {peer.last} where we find {cells} cells with a sum of {total}")
                    yield row(f"store to one-minute frames, {store.rows():,} readings, one thread", ours, theirs, peer.name, "s")
        finally:
            pa.set_cpu_count(threads[0])
            pa.set_io_thread_count(threads[1])
