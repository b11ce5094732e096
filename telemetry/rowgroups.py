"""Readings of a Delta table row group by row group: what cannot match is not opened, and what matches whole is not filtered.

The table's log names each data file with its day and the range of its times; the footer of a file has the range of times, quantities and
elements of every row group. Both are asked before anything is decoded. Text columns come as dictionaries, so that a row is chosen
by the number of its text and never by the text itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from telemetry.dayfiles import filesystem_of
from telemetry.schema import CATEGORIES, FACTS, TIME

_DAY = FACTS.field("day")
AHEAD = 2
"""Row groups that are decoded while one is worked on, where there is more than one core (our choice)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which readings are asked for.

    Attributes:
        elements: element ids, ``None`` for all.
        quantities: canonical quantities, ``None`` for all.
        start_us: first time, since 1970 UTC, included; ``None`` for no bound [us].
        end_us: last time, excluded [us].
        columns: columns of the canonical table, in the order asked for.
    """

    elements: frozenset[str] | None
    quantities: frozenset[str] | None
    start_us: int | None
    end_us: int | None
    columns: tuple[str, ...]

    def days(self) -> tuple[dt.date, dt.date]:
        """First and last day that can hold any of it."""
        epoch = dt.date(1970, 1, 1)
        whole = (dt.date.min, dt.date.max)
        first = whole[0] if self.start_us is None else epoch + dt.timedelta(days=self.start_us // _DAY_US)
        last = whole[1] if self.end_us is None else epoch + dt.timedelta(days=(self.end_us - 1) // _DAY_US)
        return first, last


_DAY_US = 86_400_000_000


def row_groups(table: DeltaTable, url: str, options: Mapping[str, str], wanted: Wanted) -> Iterator[pa.RecordBatch]:
    """Batches of the readings that are asked for, day by day; the order of what a day holds is that of its files' names.

    Args:
        table: the readings, as opened.
        url: folder or URL of it.
        options: access options of its object store.
        wanted: what is asked for.

    Raises:
        OSError: a file cannot be read.
        pyarrow.ArrowException: a file is broken.
    """
    files, opened = _files(table, wanted), _opener(url, options)

    def pieces() -> Iterator[tuple[pq.ParquetFile, int, dt.date, _Left]]:
        for day, path in files:
            file = opened(path)
            for number in range(file.metadata.num_row_groups):
                left = _left(file.metadata.row_group(number), wanted)
                if left is not None:
                    yield file, number, day, left

    for table_of_group, day, left in _ahead(pieces(), wanted.columns):
        for batch in table_of_group.to_batches():
            chosen = _chosen(batch, wanted, left)
            if chosen.num_rows:
                yield _laid_out(chosen, wanted.columns, day)


def span_us(table: DeltaTable, url: str, options: Mapping[str, str]) -> tuple[int, int] | None:
    """First and last time of a table, since 1970 UTC [us]; ``None`` where it is empty. Arguments as in :func:`row_groups`."""
    files, opened = _files(table, Wanted(None, None, None, None, ())), _opener(url, options)
    ends: list[int] = []
    for day in {files[0][0], files[-1][0]} if files else ():
        for path in (p for d, p in files if d == day):
            file = opened(path)
            for number in range(file.metadata.num_row_groups):
                low, high = _ranges(file.metadata.row_group(number)).get("time", (None, None))
                if low is None or high is None:  # a file without statistics: look at the times themselves
                    found = pc.min_max(file.read_row_group(number, columns=["time"])["time"]).as_py()
                    low, high = found["min"], found["max"]
                ends += [_us(t) for t in (low, high) if t is not None]
    return (min(ends), max(ends)) if ends else None


def _opener(url: str, options: Mapping[str, str]) -> Callable[[str], pq.ParquetFile]:
    """How a file of a table is opened by its path there."""
    remote = None if "://" not in url else filesystem_of(url, options)

    def opened(path: str) -> pq.ParquetFile:
        where = str(Path(url) / path) if remote is None else remote.open_input_file(path)
        return pq.ParquetFile(where, read_dictionary=list(CATEGORIES), pre_buffer=remote is not None)

    return opened


def _files(table: DeltaTable, wanted: Wanted) -> list[tuple[dt.date, str]]:
    """Day and path of every file that may hold some of it."""
    adds = pa.table(table.get_add_actions(flatten=True))
    if not adds.num_rows:
        return []
    first, last = wanted.days()
    days, paths = adds["partition.day"].to_pylist(), adds["path"].to_pylist()
    ranges = [_times(adds, f"{end}.time") for end in ("min", "max")]
    found = []
    for day, path, low, high in zip(days, paths, *ranges, strict=True):
        # statistics of a table may be rounded to a millisecond on either side
        early = wanted.end_us is not None and low is not None and low - 1000 >= wanted.end_us
        late = wanted.start_us is not None and high is not None and high + 1000 < wanted.start_us
        if first <= day <= last and not early and not late:
            found.append((day, unquote(path)))
    return sorted(found)


def _times(adds: pa.Table, name: str) -> list[int | None]:
    if name not in adds.column_names:
        return [None] * adds.num_rows
    column = adds[name]
    if not pa.types.is_timestamp(column.type):
        return [None] * adds.num_rows
    return list(column.cast(TIME).cast(pa.int64()).to_pylist())


@dataclass(frozen=True, slots=True)
class _Left:
    """What of a row group must still be looked at row by row."""

    time: bool
    quantity: bool
    element: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that it takes."""
        return tuple(n for n in ("time", "quantity", "element") if getattr(self, n))


def _left(group: pq.RowGroupMetaData, wanted: Wanted) -> _Left | None:
    """What is left to look at in a row group; ``None`` where nothing of it can match."""
    ranges = _ranges(group)
    time = False
    if wanted.start_us is not None or wanted.end_us is not None:
        start = -(1 << 62) if wanted.start_us is None else wanted.start_us
        end = 1 << 62 if wanted.end_us is None else wanted.end_us
        low, high = ranges.get("time", (None, None))
        if low is None or high is None:
            time = True
        else:
            first, last = _us(low), _us(high)
            if last < start or first >= end:
                return None
            time = first < start or last >= end
    text: list[bool] = []
    for name, asked in (("quantity", wanted.quantities), ("element", wanted.elements)):
        low, high = ranges.get(name, (None, None))
        if asked is None:
            text.append(False)
        elif low is None or high is None:
            text.append(True)
        else:
            if not any(low <= a <= high for a in asked):
                return None
            text.append(not (low == high and low in asked))
    return _Left(time, *text)


def _ranges(group: pq.RowGroupMetaData) -> dict[str, tuple[Any, Any]]:
    """Smallest and largest value of the columns that rows are chosen by, where the footer has them."""
    found: dict[str, tuple[Any, Any]] = {}
    for k in range(group.num_columns):
        column = group.column(k)
        if column.path_in_schema in ("time", "quantity", "element") and column.is_stats_set and column.statistics.has_min_max:
            found[column.path_in_schema] = (column.statistics.min, column.statistics.max)
    return found


def _us(time: dt.datetime) -> int:
    aware = time if time.tzinfo is not None else time.replace(tzinfo=dt.UTC)
    return (aware - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def _ahead(
    pieces: Iterator[tuple[pq.ParquetFile, int, dt.date, _Left]], columns: Sequence[str]
) -> Iterator[tuple[pa.Table, dt.date, _Left]]:  # fmt: skip
    """Row groups decoded in order, the next ones while one is worked on."""

    def decode(file: pq.ParquetFile, number: int, left: _Left) -> pa.Table:
        names = [n for n in FACTS.names if n != "day" and (n in columns or n in left.columns)]
        return file.read_row_group(number, columns=names, use_threads=False)

    if pa.cpu_count() < 2:
        for file, number, day, left in pieces:
            yield decode(file, number, left), day, left
        return
    with ThreadPoolExecutor(AHEAD, "read") as pool:
        waiting = []
        for file, number, day, left in pieces:
            waiting.append((pool.submit(decode, file, number, left), day, left))
            if len(waiting) > AHEAD:
                done, *rest = waiting.pop(0)
                yield done.result(), *rest
        for done, *rest in waiting:
            yield done.result(), *rest


def _chosen(batch: pa.RecordBatch, wanted: Wanted, left: _Left) -> pa.RecordBatch:
    """Rows of a batch that are asked for."""
    keep: np.ndarray | None = None
    if left.time:
        us = batch.column("time").cast(pa.int64()).to_numpy()
        keep = np.ones(len(us), np.bool_)
        if wanted.start_us is not None:
            keep &= us >= wanted.start_us
        if wanted.end_us is not None:
            keep &= us < wanted.end_us
    for name, asked in (("quantity", wanted.quantities if left.quantity else None), ("element", wanted.elements if left.element else None)):
        if asked is None:
            continue
        column = batch.column(name)
        right = np.array([*(t in asked for t in column.dictionary.to_pylist()), False], np.bool_)
        if right[:-1].all() and not column.null_count:
            continue
        codes = column.indices.fill_null(len(right) - 1).to_numpy(zero_copy_only=False) if column.null_count else column.indices.to_numpy()
        keep = right[codes] if keep is None else keep & right[codes]
    if keep is None or keep.all():
        return batch
    return batch.filter(pa.array(keep)) if keep.any() else batch.slice(0, 0)


def _laid_out(batch: pa.RecordBatch, columns: Sequence[str], day: dt.date) -> pa.RecordBatch:
    """The columns that were asked for, in that order, in the types of the canonical table."""
    made = []
    for name in columns:
        kind = FACTS.field(name).type if name not in CATEGORIES else pa.dictionary(pa.int32(), pa.string())
        column = pa.repeat(pa.scalar(day, _DAY.type), batch.num_rows) if name == "day" else batch.column(name)
        made.append(column if column.type == kind else pc.cast(column, kind))
    return pa.RecordBatch.from_arrays(made, names=list(columns))
