"""Parquet and CSV files as batches of rows, in bounded memory.

Folders named ``key=value`` on the way to a file are columns of it, as Hive and Spark write them; a nested column ``Status`` with a
field ``Health`` is the column ``Status.Health``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from telemetry.plan import Plan, recognise
from telemetry.vendor import Vendor
from topology.errors import TelemetryError, nearest

_ROWS = 1 << 17
_TEXTS = (pa.string_view(), pa.large_string(), pa.binary(), pa.large_binary(), pa.binary_view())


def expand(paths: Sequence[str | Path]) -> list[Path]:
    """Files named by paths: a file as it is, a folder as the Parquet and CSV files below it, in order of name.

    Raises:
        TelemetryError: a path that is not there, or a folder without such files.
    """
    if not paths:
        raise TelemetryError("no files were named")
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in (".parquet", ".csv") and p.is_file())
            if not found:
                raise TelemetryError(f"the folder {path} holds no .parquet or .csv file")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            near = nearest(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
            raise TelemetryError(f"there is no file {path}" + (f"; {near}" if near else ""))
    return list(dict.fromkeys(files))


def digest_of(file: Path, path: Mapping[str, str] | None = None) -> str:
    """SHA-256 of a file's content, and of what its folders say of it where that is read as columns.

    Args:
        file: the file.
        path: columns of its path that are read.
    """
    with file.open("rb") as handle:
        content = hashlib.file_digest(handle, "sha256").hexdigest()
    if not path:
        return content
    return hashlib.sha256("\n".join([content, *(f"{k}={v}" for k, v in sorted(path.items()))]).encode()).hexdigest()


def path_columns(file: Path) -> dict[str, str]:
    """Columns that the folders of a file stand for.

    >>> path_columns(Path("/m100/year_month=22-01/plugin=ipmi_pub/metric=total_power/a_0.parquet"))
    {'year_month': '22-01', 'plugin': 'ipmi_pub', 'metric': 'total_power'}
    """
    found = (re.fullmatch(r"([A-Za-z_]\w*)=(.+)", p) for p in file.absolute().parent.parts)
    return {m[1]: m[2] for m in found if m is not None}


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be read batch by batch.

    Attributes:
        columns: its columns.
        rows: its data rows, 0 where that is not known before the end.
        sample: distinct texts of a column near the beginning.
        batches: (batch, time [us] before which no later batch reaches, or None) for a plan.
        path: columns that its folders stand for, beside those of the file.
        unreadable: columns that hold no single values, with the reason.
    """

    columns: tuple[str, ...]
    rows: int
    sample: Callable[[str], list[str]]
    batches: Callable[[Plan], Iterator[tuple[pa.RecordBatch, int | None]]]
    path: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)


def open_source(path: Path) -> Source:
    """Look at a file's columns.

    Raises:
        TelemetryError: truncated, or of another format.
    """
    try:
        source = _open_csv(path) if path.suffix.lower() == ".csv" else _open_parquet(path)
    except (pa.ArrowException, OSError) as fault:
        raise _unreadable(path, fault) from fault
    folders = {k: v for k, v in path_columns(path).items() if k not in source.columns}
    return _with_path(source, folders) if folders else source


def plan_of(file: str, source: Source, vendors: Mapping[str, Vendor], elements: Collection[str], vendor: str | None = None) -> Plan:
    """Choose the mapping for a source among its columns and those of its path; see :func:`telemetry.plan.recognise`."""
    columns = [*(c for c in source.columns if c not in source.unreadable), *source.path]
    return recognise(file, columns, vendors, elements, vendor, source.sample, source.path)


def _with_path(source: Source, folders: Mapping[str, str]) -> Source:
    """A source with the columns of its path, the same text in every row."""

    def batches(plan: Plan) -> Iterator[tuple[pa.RecordBatch, int | None]]:
        for batch, later_us in source.batches(plan):
            for name in plan.columns:
                if name in folders:
                    same = pa.DictionaryArray.from_arrays(pa.array(np.zeros(batch.num_rows, np.int32)), pa.array([folders[name]]))
                    batch = batch.append_column(name, same)
            yield batch, later_us

    def sample(column: str) -> list[str]:
        return [folders[column]] if column in folders else source.sample(column)

    return replace(source, batches=batches, sample=sample, path=folders)


def _unreadable(path: Path, fault: Exception) -> TelemetryError:
    kind = "CSV" if path.suffix.lower() == ".csv" else "Parquet"
    return TelemetryError(f"{path} is truncated or no {kind} file: {str(fault).splitlines()[0]}")


def _open_csv(path: Path) -> Source:
    with pa.csv.open_csv(path) as reader:
        columns = tuple(reader.schema.names)

    def batches(plan: Plan) -> Iterator[tuple[pa.RecordBatch, int | None]]:
        wanted = [c for c in plan.columns if c in columns]
        texts = dict.fromkeys(wanted, pa.string())  # never guessed from the first rows: a later row may look different
        options = pa.csv.ConvertOptions(include_columns=wanted, column_types=texts, strings_can_be_null=True)
        try:
            with pa.csv.open_csv(path, convert_options=options) as reader:
                for batch in reader:
                    yield _numeric_time(batch, plan.time), None
        except (pa.ArrowException, OSError) as fault:
            raise _unreadable(path, fault) from fault

    def sample(column: str) -> list[str]:
        try:
            with pa.csv.open_csv(path) as reader:
                return _distinct(reader.read_next_batch().column(column))
        except (pa.ArrowException, OSError) as fault:
            raise _unreadable(path, fault) from fault

    return Source(columns, 0, sample, batches)


def _numeric_time(batch: pa.RecordBatch, name: str) -> pa.RecordBatch:
    """Times of a CSV are read as text; counts since an epoch become numbers again."""
    column = batch.column(name)
    for kind in (pa.int64(), pa.float64()):
        try:
            return batch.set_column(batch.schema.get_field_index(name), name, column.cast(kind))
        except pa.ArrowInvalid:
            continue
    return batch


def _open_parquet(path: Path) -> Source:
    with pq.ParquetFile(path) as file:
        rows, kinds = file.metadata.num_rows, dict(_leaves(file.schema_arrow))
    unreadable = {c: f"it holds {k}, not one value a row" for c, k in kinds.items() if pa.types.is_nested(k)}

    def batches(plan: Plan) -> Iterator[tuple[pa.RecordBatch, int | None]]:
        wanted = [c for c in plan.columns if c in kinds]
        texts = [c for c in (*plan.keys.values(), plan.metric) if c in kinds and "." not in c and pa.types.is_string(kinds[c])]
        try:
            with pq.ParquetFile(path, read_dictionary=texts) as file:
                reach = _reach(file, plan.time)
                for group in range(file.num_row_groups):
                    waiting: pa.RecordBatch | None = None
                    for batch in file.iter_batches(_ROWS, row_groups=[group], columns=wanted):
                        if waiting is not None:
                            yield waiting, None
                        waiting = _flat(batch).select(wanted)
                    if waiting is not None:
                        yield waiting, reach[group]
        except (pa.ArrowException, OSError) as fault:
            raise _unreadable(path, fault) from fault

    def sample(column: str) -> list[str]:
        try:
            with pq.ParquetFile(path) as file:
                first = itertools.islice(file.iter_batches(_ROWS, columns=[column]), 1)
                return [t for b in first for t in _distinct(_flat(b).column(column))]
        except (pa.ArrowException, OSError) as fault:
            raise _unreadable(path, fault) from fault

    return Source(tuple(kinds), rows, sample, batches, unreadable=unreadable)


def _leaves(fields: Iterable[pa.Field], prefix: str = "") -> Iterator[tuple[str, pa.DataType]]:
    """Columns of a schema, the fields of a nested column each by ``column.field``."""
    for one in fields:
        if pa.types.is_struct(one.type):
            yield from _leaves(one.type, f"{prefix}{one.name}.")
        else:
            yield prefix + one.name, one.type


def _flat(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch with the fields of its nested columns as columns (null where the whole is), and texts of every encoding as strings."""
    while any(pa.types.is_struct(f.type) for f in batch.schema):
        found: dict[str, pa.Array] = {}
        for one, column in zip(batch.schema, batch.columns, strict=True):
            if pa.types.is_struct(one.type):
                found |= {f"{one.name}.{f.name}": c for f, c in zip(one.type, column.flatten(), strict=True)}
            else:
                found[one.name] = column
        batch = pa.RecordBatch.from_arrays(list(found.values()), list(found))
    for at, one in enumerate(batch.schema):
        if one.type in _TEXTS:
            batch = batch.set_column(at, one.name, batch.column(at).cast(pa.string()))
    return batch


def _distinct(column: pa.Array) -> list[str]:
    return [str(t) for t in column.unique().to_pylist() if t is not None]


def _reach(file: pq.ParquetFile, time: str) -> list[int | None]:
    """For each row group, the earliest time [us] in any later one by the statistics; None where they do not say."""
    names = [file.schema.column(i).path for i in range(len(file.schema))]  # a nested column has one for each of its fields
    if time not in names:
        return [None] * file.num_row_groups
    at = names.index(time)
    firsts: list[int | None] = []
    for group in range(file.num_row_groups):
        stats = file.metadata.row_group(group).column(at).statistics
        low = stats.min if stats is not None and stats.has_min_max else None
        firsts.append(int(low.timestamp() * 1e6) - 1000 if isinstance(low, dt.datetime) and low.tzinfo is not None else None)
    reach: list[int | None] = [None] * len(firsts)
    for group in range(len(firsts) - 2, -1, -1):
        following = firsts[group + 1]
        after = reach[group + 1]
        if following is None or (group + 2 < len(firsts) and after is None):
            continue
        reach[group] = following if after is None else min(following, after)
    return reach
