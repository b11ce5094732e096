"""Parquet and CSV files as batches of rows, in bounded memory."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from telemetry.plan import Plan
from topology.errors import TelemetryError, nearest

_ROWS = 1 << 17


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


def digest_of(file: Path) -> str:
    """SHA-256 of a file's content."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be read batch by batch.

    Attributes:
        columns: its columns.
        rows: its data rows, 0 where that is not known before the end.
        sample: distinct texts of a column near the beginning.
        batches: (batch, time [us] before which no later batch reaches, or None) for a plan.
    """

    columns: tuple[str, ...]
    rows: int
    sample: Callable[[str], list[str]]
    batches: Callable[[Plan], Iterator[tuple[pa.RecordBatch, int | None]]]


def open_source(path: Path) -> Source:
    """Look at a file's columns.

    Raises:
        TelemetryError: truncated, or of another format.
    """
    try:
        if path.suffix.lower() == ".csv":
            return _open_csv(path)
        return _open_parquet(path)
    except (pa.ArrowException, OSError) as fault:
        raise _unreadable(path, fault) from fault


def _unreadable(path: Path, fault: Exception) -> TelemetryError:
    kind = "CSV" if path.suffix.lower() == ".csv" else "Parquet"
    return TelemetryError(f"{path} is truncated or no {kind} file: {str(fault).splitlines()[0]}")


def _open_csv(path: Path) -> Source:
    with pa.csv.open_csv(path) as reader:
        columns = tuple(reader.schema.names)

    def batches(plan: Plan) -> Iterator[tuple[pa.RecordBatch, int | None]]:
        texts = {c: pa.string() for c in (plan.time, *plan.keys.values(), plan.metric) if c}
        options = pa.csv.ConvertOptions(include_columns=list(plan.columns), column_types=texts, strings_can_be_null=True)
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
        columns, rows, kinds = tuple(file.schema_arrow.names), file.metadata.num_rows, file.schema_arrow

    def batches(plan: Plan) -> Iterator[tuple[pa.RecordBatch, int | None]]:
        texts = [c for c in (*plan.keys.values(), plan.metric) if c and pa.types.is_string(kinds.field(c).type)]
        try:
            with pq.ParquetFile(path, read_dictionary=texts) as file:
                reach = _reach(file, plan.time)
                for group in range(file.num_row_groups):
                    parts = list(file.iter_batches(_ROWS, row_groups=[group], columns=list(plan.columns)))
                    for number, batch in enumerate(parts):
                        yield batch, reach[group] if number + 1 == len(parts) else None
        except (pa.ArrowException, OSError) as fault:
            raise _unreadable(path, fault) from fault

    def sample(column: str) -> list[str]:
        try:
            with pq.ParquetFile(path) as file:
                return [t for b in itertools.islice(file.iter_batches(_ROWS, columns=[column]), 1) for t in _distinct(b.column(0))]
        except (pa.ArrowException, OSError) as fault:
            raise _unreadable(path, fault) from fault

    return Source(columns, rows, sample, batches)


def _distinct(column: pa.Array) -> list[str]:
    return [str(t) for t in column.unique().to_pylist() if t is not None]


def _reach(file: pq.ParquetFile, time: str) -> list[int | None]:
    """For each row group, the earliest time [us] in any later one by the statistics; None where they do not say."""
    at = file.schema_arrow.get_field_index(time)
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
