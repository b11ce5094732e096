"""Data files of a day joined into one and put in order of quantity and time, so that a window is read from few row groups.

What is asked of a store is a window of time of some quantities, of few elements or of all. Within one time all elements stand side by
side: an hour of twenty of them out of a thousand is found in the same row groups as that of all.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from itertools import pairwise
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from telemetry.dayfiles import INSIDE, DayFile, filesystem_of, opened
from telemetry.rowgroups import Wanted, row_groups
from telemetry.schema import FACTS
from topology.errors import StoreError

ROWS = 1 << 22
"""Readings that are sorted at a time: about 0.5 GB with their copy (our choice). A longer day is cut into equal lengths of time."""
GROUP = 1 << 18
"""Readings of a row group: half of what a writer makes, for of the first and the last it touches a window needs a part (our choice)."""
_DAY_US = 86_400_000_000


def sort_day(table: DeltaTable, url: str, options: Mapping[str, str], day: dt.date) -> bool:
    """Put one file in the place of all files that a day has.

    Args:
        table: the readings, as opened; files that came later are left alone.
        url: folder or URL of it.
        options: access options of its object store.
        day: UTC date.

    Returns:
        False where another writer took one of the files away meanwhile, and nothing was changed.

    Raises:
        OSError: a file cannot be read or written.
        pyarrow.ArrowException: a file is broken.
        StoreError: the files hold not as many readings as the log says.
    """
    old = _files(table, day)
    fs, path = filesystem_of(url, options), f"day={day.isoformat()}/sorted-{uuid.uuid4().hex}.parquet"
    new: DayFile | None = None
    done = False
    try:
        new = opened(fs, path, day.isoformat(), "://" not in url)
        for part in _parts(table, url, options, day, sum(rows for _, _, rows in old)):
            for first in range(0, part.num_rows, GROUP):
                new.write(part.slice(first, GROUP).to_batches())
        added = new.finish()
        held, made = sum(rows for _, _, rows in old), int(json.loads(added.stats)["numRecords"])
        if made != held:
            raise StoreError(f"{url} holds {held:,} readings of {day} by its log and {made:,} in its files; nothing was changed")
        done = _swapped(table, added, old, day)
    finally:
        if not done and new is not None:
            new.abandon()
            with contextlib.suppress(OSError):  # not there, or out of reach: a vacuum finds it
                fs.delete_file(path)
    return done


def _files(table: DeltaTable, day: dt.date) -> list[tuple[str, int, int]]:
    """Path, size and readings of each file of a day."""
    adds = pa.table(table.get_add_actions(flatten=True))
    columns = (adds[c].to_pylist() for c in ("partition.day", "path", "size_bytes", "num_records"))
    return [(unquote(path), size, rows or 0) for d, path, size, rows in zip(*columns, strict=True) if d == day]


def _parts(table: DeltaTable, url: str, options: Mapping[str, str], day: dt.date, rows: int) -> Iterator[pa.Table]:
    """Readings of a day in order, piece by piece; within a time in the order that they stood in."""
    start = (day - dt.date(1970, 1, 1)).days * _DAY_US
    edges = np.linspace(start, start + _DAY_US, max(-(-rows // ROWS), 1) + 1).astype(np.int64).tolist()
    for low, high in pairwise(edges):
        batches = list(row_groups(table, url, options, Wanted(None, None, low, high, tuple(INSIDE.names))))
        part = pa.Table.from_batches(batches, INSIDE).unify_dictionaries().combine_chunks()
        if not part.num_rows:
            continue
        quantity = part["quantity"].chunk(0)
        rank = np.argsort(np.argsort(np.array(quantity.dictionary.to_pylist(), object)))
        since = part["time"].cast(pa.int64()).to_numpy() - low
        yield part.take(pa.array(np.argsort(rank[quantity.indices.to_numpy()] * (high - low) + since, kind="stable")))


def _swapped(table: DeltaTable, new: AddAction, old: list[tuple[str, int, int]], day: dt.date) -> bool:
    """One commit that names the new file and drops the old ones; no reading changes."""
    now = int(time.time() * 1000)
    same = AddAction(new.path, new.size, new.partition_values, new.modification_time, False, new.stats)
    gone = [RemoveAction(path, False, now, size, {"day": day.isoformat()}) for path, size, _ in old]
    try:
        table.create_write_transaction([same, *gone], "append", FACTS, ["day"])
    except CommitFailedError:
        return False
    return True
