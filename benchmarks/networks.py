"""Frames of a store beside programs of other people."""

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


def networks() -> Iterator[Row]:
    """All rows of this file; none where the peers are not installed."""
    if peers_python() is None:
        sys.stderr.write("the rows beside other programs are left out: make peers\n")
        return
    yield from frames_rows(3_000_000)


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
