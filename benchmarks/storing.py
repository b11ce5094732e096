"""Telemetry: ingest end to end, and Parquet to one-minute frames, beside pandas."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.harness import Row, medians, medians_told, row, seconds
from telemetry.frames import frames
from telemetry.ingest import ingest
from telemetry.store import Store
from topology.generate import generate

END = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)


def source_files(folder: Path, racks: list[str], rows: int, files: int, first: int = 0) -> list[Path]:
    """Rack power at 15 s, one row a rack and time, in files of equal length; those from the ``first`` on."""
    rng = np.random.default_rng(first)
    made, each = [], rows // files // len(racks)
    start = np.datetime64("2026-11-01", "us")
    for k in range(first, first + files):
        t = start + (np.arange(k * each, (k + 1) * each) * 15_000_000).astype("timedelta64[us]")
        table = pa.table({
            "time": pa.array(np.repeat(t, len(racks)), pa.timestamp("us", tz="UTC")),
            "element": pa.array(np.tile(np.array(racks), each)).dictionary_encode(),
            "power_w": rng.uniform(30e3, 120e3, each * len(racks)),
        })  # fmt: skip
        made.append(folder / f"power-{k}.parquet")
        pq.write_table(table, made[-1], compression="zstd")
    return made


def storing(rows: int = 6_000_000, files: int = 6) -> Iterator[Row]:
    """Ingest and frames on rack power of the reference site."""
    site = generate("reference")
    racks = list(site.racks)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = source_files(folder, racks, rows, files)
        count = sum(pq.ParquetFile(f).metadata.num_rows for f in made)
        numbers = iter(range(100))

        def ours() -> None:
            ingest(site, made, folder / f"store-{next(numbers)}", clock=lambda: END)

        def pandas_rewrite() -> None:
            whole = pd.concat([pd.read_parquet(f) for f in made])
            whole[whole.element.isin(racks) & whole.power_w.between(0, 1e6)].drop_duplicates(["time", "element"]).to_parquet(
                folder / "peer.parquet"
            )

        mine, peer = medians(ours, pandas_rewrite, repeats=3)
        yield row(f"ingest of {count:,} readings, checked and committed (all cores)", mine / count * 1e6, 1.0, "goal of 1 M/s", "s/M")
        yield row(f"ingest of {count:,} readings, all cores", mine, peer, "pandas: read, check, drop duplicates, write one file", "s")
        store = Store.create(folder / "frames")
        ingest(site, made, store, clock=lambda: END)

        def late() -> float:
            """The same readings in files of other bytes, into the store that holds them."""
            again = [folder / f"late-{next(numbers)}.parquet" for _ in made]
            for old, new in zip(made, again, strict=True):
                pq.write_table(pq.read_table(old).replace_schema_metadata({"copy": new.name}), new, compression="zstd")
            return seconds(lambda: ingest(site, again, store, clock=lambda: END))

        mine, peer = medians_told(late, lambda: seconds(ours), repeats=3)
        what = f"late export of {count:,} readings that are stored: known again, none stored twice (all cores)"
        yield row(what, mine, peer, "their first ingest", "s", goal=3.0)

        def pandas_frames() -> None:
            whole = pd.concat([pd.read_parquet(f) for f in made])
            whole.groupby([whole.time.dt.floor("min"), "element"], observed=True).power_w.mean().unstack()

        mine, peer = medians(lambda: frames(store, racks, "power_w", None, None, 60.0), pandas_frames, repeats=3)
        yield row(f"store to one-minute frames, {count:,} readings, all cores", mine, peer, "pandas groupby on the source files", "s")
