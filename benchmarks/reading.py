"""Telemetry at scale: frames, replay and windows out of 50 and 100 million readings of 1,000 racks, beside DuckDB and Polars."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa

from benchmarks.harness import Row, medians_told, row, seconds
from benchmarks.peers import Peer, peers_python
from benchmarks.storing import END, source_files
from telemetry.frames import frames
from telemetry.ingest import ingest
from telemetry.replay import replay
from telemetry.store import Store
from topology.generate import generate
from topology.plant import plant
from twin.forecast.follow import follow

RACKS, READINGS, FILES = 1000, 50_000_000, 50
FIRST, DAY = dt.datetime(2026, 11, 2, tzinfo=dt.UTC), dt.timedelta(days=1)
SENSORS = 20


def reading() -> Iterator[Row]:
    """Ingest, frames, replay, and then a window once there are twice as many readings."""
    site = generate("reference", RACKS)
    racks = list(site.racks)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store.create(folder / "store")
        for half in range(2):
            made = source_files(folder, racks, READINGS, FILES, half * FILES)
            began = dt.datetime.now(dt.UTC)
            ingest(site, made, store, clock=lambda: END)
            taken = (dt.datetime.now(dt.UTC) - began).total_seconds()
            for file in made:
                file.unlink()
            if half == 0:
                what = f"ingest of {READINGS:,} readings of {RACKS:,} racks, checked and committed (all cores)"
                yield row(what, taken / READINGS * 1e6, 1.0, "goal of 1 M/s", "s/M")
                yield from _frames(store, racks)
                yield from _replayed(store)
        yield from _window(store, racks, "as ingested")
        store.compact()
        yield from _window(store, racks, "compacted")


def _frames(store: Store, racks: list[str]) -> Iterator[Row]:
    """One-minute means by rack from the files of the store, everyone with one thread; peak memory of a process of its own."""
    once = _alone(store, racks)
    yield row(f"peak memory of frames of {READINGS:,} readings", once["peak_gb"], 1.0, "goal", "GB")
    if peers_python() is None:
        sys.stderr.write("the rows beside other programs are left out: make peers\n")
        return
    files = [f.removeprefix("file://") for f in store.table("readings").file_uris()]
    threads = pa.cpu_count(), pa.io_thread_count()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    try:
        for script in ("frames_duckdb", "frames_polars"):
            with Peer(script, files=files, quantity="power_w", step_s=60.0) as peer:
                ours, theirs = medians_told(lambda: seconds(lambda: frames(store, racks, "power_w", None, None, 60.0)), peer.ask, repeats=3)
                if once["cells"] != peer.last["cells"] or abs(once["sum"] / peer.last["sum"] - 1.0) > 1e-9:
                    raise AssertionError(f"{peer.name} finds {peer.last} where we find {once}")
                yield row(f"store to one-minute frames, {READINGS:,} readings, one thread", ours, theirs, peer.name, "s")
    finally:
        pa.set_cpu_count(threads[0])
        pa.set_io_thread_count(threads[1])


def _replayed(store: Store) -> Iterator[Row]:
    site = generate("reference", RACKS)
    laid = plant(site)
    samples = 2 * RACKS * round(DAY.total_seconds() / 15.0)

    def as_frames() -> None:
        count = sum(p.power_w.size for p in replay(site, store, FIRST, FIRST + 2 * DAY, 15.0))
        assert count == samples

    taken = min(seconds(as_frames) for _ in range(3))
    yield row(f"replay of {samples:,} rack samples as frames (all cores)", taken / samples * 1e6, 0.1, "goal of 10 M/s", "s/M")
    follow(laid, store, FIRST, FIRST + DAY / 144, 60.0)
    solved = min(seconds(lambda: follow(laid, store, FIRST, FIRST + DAY, 60.0)) for _ in range(2))
    count = RACKS * 1440
    yield row(f"replay of {count:,} rack samples through the solver (all cores)", solved / count * 1e6, 1.25, "goal of 0.8 M/s", "s/M")
    for engine in ("processes", "dask"):
        spread = seconds(lambda engine=engine: follow(laid, store, FIRST, FIRST + 2 * DAY, 60.0, engine=engine))  # type: ignore[misc]
        alone = seconds(lambda: follow(laid, store, FIRST, FIRST + 2 * DAY, 60.0))
        yield row(
            f"replay of {2 * count:,} rack samples, engine {engine}, its start included", spread, alone, "engine serial", "s", goal=2.0
        )


def _window(store: Store, racks: list[str], how: str) -> Iterator[Row]:
    """One hour of few sensors: the log, the plan and the reading."""
    few, hour = racks[:: RACKS // SENSORS], DAY / 24

    def look(n: int) -> float:
        start = FIRST + n * hour
        return seconds(lambda: frames(store, few, "power_w", start, start + hour, 60.0))

    times = [look(7 * n) for n in range(21)]
    yield row(
        f"one hour of {SENSORS} sensors out of {store.rows():,} readings, {how} (all cores)", 1e3 * median(times), 100.0, "goal", "ms"
    )


def _alone(store: Store, racks: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.read_once", store.where]
    done = subprocess.run(command, input=" ".join(racks), capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
