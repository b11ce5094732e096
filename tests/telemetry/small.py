"""A site of one row and files of readings about it; also a program that ingests in a process of its own, to be killed."""

from __future__ import annotations

import datetime as dt
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from telemetry.appending import Attempt, append
from telemetry.ingest import ingest
from telemetry.readings import FACTS_CODED
from telemetry.schema import FACTS, QUARANTINE
from telemetry.store import Store
from topology.kinds import Cdu, Hall, Loop, Meter, Position, PowerElement, Rack, Row, Settings
from topology.models import Catalog, Part, Provenance, Sku
from topology.site import Site

START = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
START_US = int(START.timestamp() * 1e6)
NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
SOURCE = Provenance(source="made up for tests", date="2026-01-01", confidence="estimate")


def sku(name: str, nameplate_w: float) -> Sku:
    part = Part(name="gpu", group="gpu", count=8, max_w=nameplate_w / 10, idle_w=nameplate_w / 100)
    return Sku(name=name, provenance=SOURCE, parts=(part,), title=name, chip="none", cooling="air", nameplate_w=nameplate_w)


def small_site(racks: int = 4, meters: tuple[Meter, ...] = ()) -> Site:
    """One row with racks r1, r2, ... on feeds pdu-a and pdu-b, a CDU, and two SKUs: even racks are twice as large."""
    skus = {"small": sku("small", 10e3), "large": sku("large", 20e3)}
    names = [f"r{i}" for i in range(1, racks + 1)]
    return Site(
        Settings(name="one row"),
        Catalog(entries={"sku": skus}),
        halls={"h": Hall(id="h")},
        rows={"row": Row(id="row", hall="h")},
        positions={f"p-{n}": Position(id=f"p-{n}", row="row", place=i + 1, feed_a="pdu-a", feed_b="pdu-b") for i, n in enumerate(names)},
        racks={n: Rack(id=n, position=f"p-{n}", sku="large" if i % 2 else "small") for i, n in enumerate(names)},
        power={f"pdu-{s}": PowerElement(id=f"pdu-{s}", kind="pdu", rating_w=1e6) for s in "ab"},
        loops={"tcs": Loop(id="tcs", kind="tcs", supply_c=30.0)},
        cdus={"cdu-1": Cdu(id="cdu-1", model="none", loop="tcs", hall="h", feed_a="pdu-a")},
        meters={m.id: m for m in meters},
    )


def times(n: int, step_s: float = 60.0) -> pa.Array:
    return pa.array(START_US + np.rint(np.arange(n) * step_s * 1e6).astype(np.int64)).view(pa.timestamp("us", "UTC"))


def write(path: Path, columns: dict[str, object], **options: object) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def flat(table: pa.Table, *by: str) -> pa.Table:
    """A table with its texts as plain strings, sorted."""
    return table.cast(pa.schema([FACTS.field(n) for n in table.column_names])).sort_by([(b, "ascending") for b in by])


def rack_file(path: Path, element: str = "r1", n: int = 60, power_w: float = 5e3, step_s: float = 60.0, **extra: object) -> Path:
    """Power of one rack, a row a minute: power_w, power_w + 1, ..."""
    return write(path, {"time": times(n, step_s), "element": [element] * n, "power_w": power_w + np.arange(n), **extra})


def doubtful_file(path: Path, seed: int, n: int = 30_000) -> Path:
    """Power of r1 at times of a seed's own, in row groups of 1,000: n - n/100 to store, and n/100 absent, to refuse."""
    value = np.random.default_rng(seed).uniform(1e3, 9e3, n)
    value[::100] = np.nan
    at = pa.array(times(n, 1.0).view(pa.int64()).to_numpy() + 1000 * seed).view(pa.timestamp("us", "UTC"))
    return write(path, {"time": at, "element": ["r1"] * n, "power_w": value}, row_group_size=1000)


def _die_between_commits(store: Store, digest: str) -> None:
    def batches(attempt: Attempt) -> Iterator[pa.RecordBatch]:
        row = {"time": START, "element": "r1", "part": "", "quantity": "power_w", "value": 1.0, "source": f"x/y#{digest[:16]}",
               "implementation": "Reported", "level": "rack", "quality": "good", "day": START.date()}  # fmt: skip
        yield pa.Table.from_pylist([row], FACTS).cast(FACTS_CODED).to_batches()[0]
        bad = {"digest": digest, "attempt": attempt.number, "file": "y", "row": 2, "column": "power_w", "reason": "no value", "value": None,
               "element": "r1", "time": "", "seen_at": dt.datetime(2001, 1, 1, tzinfo=dt.UTC)}  # fmt: skip
        attempt.refuse(pa.Table.from_pylist([bad], QUARANTINE))
        os.kill(os.getpid(), signal.SIGKILL)

    append(store, digest, batches)


def main(mode: str, store: str, *files: str) -> None:
    if mode == "die-between":
        _die_between_commits(Store.create(store), files[0])
    print("ready", flush=True)
    if mode == "wait":
        sys.stdin.readline()
    ingest(small_site(), list(files), store, progress=lambda name, done: print(f"{done:.3f}", flush=True), clock=lambda: NOW)


if __name__ == "__main__":
    main(*sys.argv[1:])
