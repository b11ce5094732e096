"""A result as flat tables with units, and their plain file formats: CSV and Parquet. Files are written whole or not at all."""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from topology.errors import UsageError

Cell = str | float | int | dt.date | None
_TYPES = {"text": pa.string(), "number": pa.float64(), "integer": pa.int64(), "date": pa.date32()}


@dataclass(frozen=True, slots=True)
class Field:
    """A column.

    Attributes:
        name: name in CSV and Parquet, unit suffix included, such as ``margin_pct``.
        title: head for people, without the unit.
        unit: symbol of its unit; empty for none, or where another column holds it.
        type: ``text``, ``number``, ``integer`` or ``date``.
        bars: drawn as data bars in a workbook.
    """

    name: str
    title: str
    unit: str = ""
    type: str = "text"
    bars: bool = False

    @property
    def head(self) -> str:
        """Head with the unit, such as ``margin [%]``."""
        return f"{self.title} [{self.unit}]" if self.unit else self.title


@dataclass(frozen=True, slots=True)
class Table:
    """One part of a result.

    Attributes:
        name: part, such as ``margins``; a file or sheet is named after it.
        title: one line for people that says what it shows.
        fields: columns, in an order that never changes.
        rows: values by column; ``None`` for nothing.
        record: a single row that reads better turned on its side.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    rows: tuple[tuple[Cell, ...], ...]
    record: bool = False


def csv_bytes(table: Table, units: bool = False) -> bytes:
    """A table as CSV UTF-8, units in the names of the columns and on demand in a second row, full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([f.name for f in table.fields])
    if units:
        writer.writerow([f.unit for f in table.fields])
    writer.writerows([["" if v is None else v.isoformat() if isinstance(v, dt.date) else v for v in row] for row in table.rows])
    return out.getvalue().encode()


def parquet_bytes(table: Table, about: Mapping[str, str]) -> bytes:
    """A table as Parquet.

    Args:
        table: the table.
        about: what it was made from; kept in the schema as ``racktwin.<key>``, blanks as underscores.

    Returns:
        The file; each column carries its unit as metadata.
    """
    meta = {f"racktwin.{k.replace(' ', '_')}": v for k, v in {**about, "table": table.name, "shows": table.title}.items()}
    schema = pa.schema([pa.field(f.name, _TYPES[f.type], metadata={"unit": f.unit}) for f in table.fields], metadata=meta)
    columns = [[row[k] for row in table.rows] for k in range(len(table.fields))]
    arrays = [pa.array(c, t.type) for c, t in zip(columns, schema, strict=True)]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), out)
    return out.getvalue()


def beside(path: Path, tables: Sequence[Table]) -> tuple[Path, ...]:
    """Files of several tables in a format that holds one: ``room.csv``, then ``room-binding.csv`` beside it."""
    return tuple(path if n == 0 else path.with_name(f"{path.stem}-{t.name.replace(' ', '-')}{path.suffix}") for n, t in enumerate(tables))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is either the old one or the new one; folders that lack are made.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(content)
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}; name another file with --out") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
