"""Readings in doubt, one by one, into CSV or Parquet: what people correct, leave out or send to who owns the meter."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from telemetry.quality.doubt import Doubt
from telemetry.quality.judge import Quality
from telemetry.schema import TIME
from telemetry.store import Store
from topology.errors import UsageError

FORMATS = (".csv", ".parquet")
SCHEMA: pa.Schema = pa.schema([
    ("time", TIME), ("element", pa.string()), ("part", pa.string()), ("quantity", pa.string()), ("level", pa.string()),
    ("value", pa.float64()), ("source", pa.string()), ("test", pa.string()), ("doubt", pa.float64()), ("reason", pa.string()),
])  # fmt: skip
"""``value`` in the canonical unit, which the name of the quantity ends in; a reading stands once for each doubt about it."""
WITHOUT = ("gap",)
"""Tests about readings that are not there."""


def suspects(store: Store, quality: Quality) -> Iterator[pa.Table]:
    """Readings in doubtful stretches, doubt by doubt.

    Args:
        store: where they are.
        quality: what was judged.
    """
    for doubt in quality.doubts:
        if doubt.detector not in WITHOUT:
            yield _of(store, doubt)


def _of(store: Store, d: Doubt) -> pa.Table:
    columns = [n for n in SCHEMA.names if n not in ("test", "doubt", "reason")]
    found = store.read([d.element], [d.quantity] if d.quantity else None, d.since, d.until, columns)
    for name, wanted in (("part", d.part), ("level", d.level)):
        if wanted:
            found = found.filter(pc.equal(found[name].cast(pa.string()), wanted))
    found = found.cast(pa.schema([SCHEMA.field(n) for n in columns])).sort_by([("quantity", "ascending"), ("part", "ascending"),
                                                                                ("time", "ascending")])  # fmt: skip
    told = {"test": d.detector, "doubt": d.score, "reason": d.reason}
    for name, value in told.items():
        found = found.append_column(SCHEMA.field(name), pa.array(np.full(found.num_rows, value), SCHEMA.field(name).type))
    return found.select(SCHEMA.names)


def write_suspects(path: Path, store: Store, quality: Quality, origin: Mapping[str, str]) -> int:
    """Write readings in doubt to a file, whole or not at all; returns how many.

    Args:
        path: file ending in one of :data:`FORMATS`.
        store: where the readings are.
        quality: what was judged.
        origin: what the file was made from; kept in the metadata of Parquet.

    Raises:
        UsageError: another format, or a place that cannot be written.
    """
    form = check(path)
    schema = SCHEMA.with_metadata({k: str(v) for k, v in origin.items()})
    rows = 0
    try:
        number, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(number)
        try:
            with pq.ParquetWriter(beside, schema, compression="zstd") if form == ".parquet" else pcsv.CSVWriter(beside, SCHEMA) as out:
                for table in suspects(store, quality):
                    out.write_table(table.cast(schema if form == ".parquet" else SCHEMA))
                    rows += table.num_rows
            os.chmod(beside, 0o644)
            os.replace(beside, path)
        finally:
            Path(beside).unlink(missing_ok=True)
    except OSError as fault:
        raise UsageError(f"{path} cannot be written: {fault.strerror or fault}") from fault
    return rows


def check(path: Path) -> str:
    """Format of a file by the end of its name.

    Raises:
        UsageError: none of :data:`FORMATS`.
    """
    form = path.suffix.lower()
    if form not in FORMATS:
        raise UsageError(f"{path} does not say its format; end the name in .csv or .parquet")
    return form
