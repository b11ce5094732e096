"""Data files of a Delta table, written as readings come: one open Parquet file a day, row groups of bounded size.

Memory does not grow with what is written: what waits is at most :data:`WAITING` readings, and a finished row group is on disk. Nothing
of it counts before the table's log names the files, which :func:`DayFiles.close` gives as actions for one commit.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction

from telemetry.schema import CATEGORIES, FACTS

GROUP = 1 << 19
"""Readings of a row group: what a reader decodes at least, and a writer holds at least (our choice)."""
WAITING = 1 << 21
"""Readings that wait for their row group, over all days: about 100 MB at 48 bytes each (our choice)."""
OPEN = 200
"""Files that are open at a time; a day that comes again later gets one more file (our choice, below the usual limit of 1,024)."""
THREADS = 2
"""Threads that write, each a day of its own (our choice: encoding costs less than reading and checking)."""
SKIP_BY = ("time", "element", "quantity")
"""Columns with statistics, by which a read passes over files and row groups; statistics are most of the work of writing."""

_SMALL = 100 << 20
"""Size up to which files of a day are worth joining (our choice)."""
_OURS = re.compile(r"[0-9a-f]{16}-[0-9a-f]+-\d+\.parquet")

_DAY = FACTS.get_field_index("day")
INSIDE = pa.schema(
    [pa.field(f.name, pa.dictionary(pa.int32(), pa.string())) if f.name in CATEGORIES else f for f in FACTS if f.name != "day"]
)
"""Columns of a data file; its day is in its folder's name."""


class DayFiles:
    """New data files of one table.

    Args:
        where: folder or URL of the table.
        options: access options of the object store.
        mark: begins the name of every file; no two writers may have the same.
    """

    def __init__(self, where: str, options: Mapping[str, str], mark: str) -> None:
        self._fs, self._local, self._mark = filesystem_of(where, options), "://" not in where, mark
        self._parts: dict[int, list[pa.RecordBatch]] = {}
        self._rows: dict[int, int] = {}
        self._open: dict[int, DayFile] = {}
        self._made: list[str] = []
        self._files: list[DayFile] = []
        self._done: list[Future[AddAction]] = []
        self._pool = ThreadPoolExecutor(THREADS, "write")
        self._writing: dict[int, Future[None]] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Take readings, as :data:`telemetry.readings.FACTS_CODED`; may write some of those that wait.

        Raises:
            OSError: they cannot be written, such as on a full disk.
        """
        for day, part in _by_day(batch):
            self._parts.setdefault(day, []).append(part)
            self._rows[day] = self._rows.get(day, 0) + part.num_rows
            if self._rows[day] >= GROUP:
                self._flush(day)
        while sum(self._rows.values()) > WAITING:
            self._flush(max(self._rows, key=self._rows.__getitem__))

    def close(self) -> list[AddAction]:
        """Write what waits and finish every file.

        Raises:
            OSError: they cannot be written.
        """
        for day in list(self._rows):
            self._flush(day)
        for day in list(self._open):
            self._finish(day)
        made = [done.result() for done in self._done]
        self._pool.shutdown()
        return made

    def discard(self) -> None:
        """Delete every file, as far as the disk lets; only before the log may name them."""
        self._pool.shutdown(cancel_futures=True)
        for file in self._files:
            file.abandon()
        for path in self._made:
            with contextlib.suppress(OSError):  # not there yet, or out of reach: a vacuum finds it
                self._fs.delete_file(path)

    def _flush(self, day: int) -> None:
        """Hand what waits of a day to a thread that writes; waits where all of them are at work, so that little is under way."""
        rows = self._parts.pop(day)
        del self._rows[day]
        file = self._file(day)
        self._settle(day)
        for other, one in list(self._writing.items()):
            if one.done():
                self._settle(other)
        if len(self._writing) >= THREADS:
            self._settle(next(iter(self._writing)))
        self._writing[day] = self._pool.submit(file.write, rows)

    def _settle(self, day: int) -> None:
        """Wait until nothing of a day is being written.

        Raises:
            OSError: it could not be written.
        """
        if day in self._writing:
            self._writing.pop(day).result()

    def _file(self, day: int) -> DayFile:
        """The open file of a day, a new one where there is none; the one that was not written to for the longest makes room."""
        file = self._open.pop(day, None)
        if file is None:
            if len(self._open) >= OPEN:
                self._finish(next(iter(self._open)))
            file = self._new(day)
        self._open[day] = file
        return file

    def _new(self, day: int) -> DayFile:
        folder = f"day={np.datetime64(day, 'D')}"
        path = f"{folder}/{self._mark}-{len(self._made)}.parquet"
        self._made.append(path)
        self._files.append(opened(self._fs, path, str(np.datetime64(day, "D")), self._local))
        return self._files[-1]

    def _finish(self, day: int) -> None:
        self._settle(day)
        self._done.append(self._pool.submit(self._open.pop(day).finish))


class DayFile:
    """A data file that is being written."""

    def __init__(self, sink: Any, path: str, day: str) -> None:
        self.sink, self.path, self.day = sink, path, day
        texts = [f.name for f in INSIDE if f.name in CATEGORIES]
        self.found: list[pq.FileMetaData] = []
        self.writer = pq.ParquetWriter(
            sink, INSIDE, compression="zstd", compression_level=1, use_dictionary=texts, write_statistics=list(SKIP_BY),
            store_schema=False, metadata_collector=self.found,
        )  # fmt: skip

    def write(self, rows: list[pa.RecordBatch]) -> None:
        """Add a row group, with one dictionary a column: a column chunk whose dictionary changes is written plain from there on."""
        self.writer.write_table(pa.Table.from_batches(rows, INSIDE).unify_dictionaries(), row_group_size=GROUP)

    def finish(self) -> AddAction:
        """Write its footer, and say what it holds as Delta's log does."""
        self.writer.close()
        size = self.sink.tell()
        self.sink.close()
        return AddAction(self.path, size, {"day": self.day}, int(time.time() * 1000), True, json.dumps(_statistics(self.found[0])))

    def abandon(self) -> None:
        """Let go of it as it stands, without a footer, for which a full disk has no room; nobody will read it."""
        self.writer.is_open = False
        with contextlib.suppress(OSError):
            self.sink.close()


def unsorted_days(table: DeltaTable) -> list[dt.date]:
    """Days of a table with files that came since it was sorted, or with several small ones."""
    adds = pa.table(table.get_add_actions(flatten=True))
    if not adds.num_rows:
        return []
    size: dict[dt.date, list[int]] = {}
    found: set[dt.date] = set()
    for path, day, n in zip(*(adds[c].to_pylist() for c in ("path", "partition.day", "size_bytes")), strict=True):
        size.setdefault(day, []).append(n)
        if _OURS.fullmatch(path.rpartition("/")[2]):
            found.add(day)
    return sorted(found | {d for d, each in size.items() if len(each) > 1 and sum(each) < _SMALL})


def _statistics(found: pq.FileMetaData) -> dict[str, Any]:
    """Number of rows, and least and greatest of each column of :data:`SKIP_BY`, over the row groups of a file."""
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    names = [found.schema.column(i).name for i in range(found.num_columns)]
    for name in SKIP_BY:
        each = [found.row_group(g).column(names.index(name)).statistics for g in range(found.num_row_groups)]
        if all(s is not None and s.has_min_max for s in each):
            low[name], high[name] = min(s.min for s in each), max(s.max for s in each)
    least, most = ({k: _said(v) for k, v in side.items()} for side in (low, high))
    return {"numRecords": found.num_rows, "minValues": least, "maxValues": most, "nullCount": dict.fromkeys(low, 0)}


def opened(fs: pa.fs.FileSystem, path: str, day: str, local: bool) -> DayFile:
    """A new data file.

    Args:
        fs: the table's folder.
        path: path of the file in it.
        day: UTC date of all its readings.
        local: whether folders have to be made.
    """
    if local:
        fs.create_dir(path.rpartition("/")[0])
    return DayFile(fs.open_output_stream(path), path, day)


def _said(value: Any) -> Any:
    return value if isinstance(value, str) else value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _by_day(batch: pa.RecordBatch) -> list[tuple[int, pa.RecordBatch]]:
    """A batch cut by its column ``day``, which goes; days since 1970."""
    day = batch.column(_DAY).cast(pa.int32()).to_numpy()
    inner = batch.remove_column(_DAY)
    if day[0] == day[-1] and (day == day[0]).all():
        return [(int(day[0]), inner)]
    if (np.diff(day) < 0).any():
        order = np.argsort(day, kind="stable")
        day, inner = day[order], inner.take(pa.array(order))
    cuts = np.flatnonzero(np.diff(day)) + 1
    return [(int(day[a]), inner.slice(a, b - a)) for a, b in zip(np.r_[0, cuts], np.r_[cuts, len(day)], strict=True)]


def filesystem_of(where: str, options: Mapping[str, str]) -> pa.fs.FileSystem:
    """The folder or URL of a table as a file system whose root it is."""
    if "://" not in where:
        return pa.fs.SubTreeFileSystem(str(Path(where).absolute()), pa.fs.LocalFileSystem())
    return pa.fs.PyFileSystem(DeltaStorageHandler(where, dict(options) or None))
