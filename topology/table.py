"""One CSV file of a site folder into elements of its kind, with every fault of form collected.

The columns come from the kind's own declarations (:func:`topology.columns.columns_of`). A number may stand in any unit of its
quantity, named by the column's suffix (``rating_kva`` for ``rating_va``). An empty cell takes the cell of the file's ``*`` row
(a row whose first cell is ``*``) above it, else the column's default. A row with ``repeat`` stands for so many rows, with
``{n}`` (or ``{n:03}``) in its cells counting from ``first``, 1 where that is empty.
"""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from topology.columns import Column, columns_of
from topology.errors import Finding, nearest
from topology.units import QUANTITIES, Unit, split, to_canonical

REPEAT = ("repeat", "first")
"""Columns that any file may have beside those of its kind."""
MAX_REPEAT = 100_000
_COUNTER = re.compile(r"\{n(?::0?(\d{1,2}))?\}")
_FLAGS: Mapping[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Table:
    """What one file gave.

    Attributes:
        elements: line (1-based, as an editor shows it) and element of every row that could be used, in file order.
        findings: every fault of form.
        headers: canonical column name to the name as written.
        gaps: required columns that could not be read.
        complete: whether every row gave its element.
    """

    elements: tuple[tuple[int, Any], ...]
    findings: tuple[Finding, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    gaps: frozenset[str] = frozenset()
    complete: bool = True


class CellError(ValueError):
    """A cell that cannot be used; ``args`` are the message and the way out."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """A column of the file: where it stands, what it is and in which unit it is written."""

    index: int
    written: str
    column: Column
    unit: Unit | None


def match_column(name: str, columns: Sequence[Column]) -> tuple[Column, Unit | None]:
    """The declared column that a written name means, and the unit it is written in.

    Args:
        name: as written, such as ``rating_kva``.
        columns: declared columns of the kind.

    Returns:
        The column and its written unit (``None`` for a plain value).

    Raises:
        LookupError: no such column; ``args`` are the message and the way out.
    """
    for column in columns:
        if column.name == name:
            return column, column.unit
    stem, unit = split(name)
    same_stem = [c for c in columns if c.unit is not None and split(c.name)[0] == (stem if unit else name)]
    if unit is not None:
        for column in same_stem:
            if column.unit is not None and column.unit.quantity == unit.quantity:
                return column, unit
    if same_stem:
        allowed = " or ".join(f"{split(c.name)[0]}_{u.suffix}" for c in same_stem if c.unit for u in QUANTITIES[c.unit.quantity].units)
        if unit is None:
            raise LookupError(f"column {name!r} does not say its unit", f"write {allowed}")
        raise LookupError(f"{name!r} is a {_words(unit.quantity)}: the unit of another quantity", f"write {allowed}")
    raise LookupError(f"unknown column {name!r}", nearest(name, [c.name for c in columns]))


def _words(name: str) -> str:
    return name.replace("_", " ")


def parse_cell(column: Column, unit: Unit | None, text: str) -> Any:
    """The value of one cell that is not empty, in canonical units.

    Raises:
        CellError: it cannot be used.
    """
    if column.type in ("number", "integer"):
        return _number(column, unit, text)
    if column.type == "date":
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            raise CellError(f"{text!r} is not a date", "write YYYY-MM-DD, such as 2027-03-01") from None
    if column.type == "flag":
        if text.lower() not in _FLAGS:
            raise CellError(f"{text!r} is neither true nor false", "write true or false")
        return _FLAGS[text.lower()]
    if column.type == "list":
        return tuple(t for t in re.split(r"[\s;]+", text) if t)
    if column.choices and text not in column.choices:
        allowed = ", ".join(column.choices)
        raise CellError(f"{text!r} is not a {column.name} that is known", f"{nearest(text, column.choices)}; allowed: {allowed}")
    return text


def _number(column: Column, unit: Unit | None, text: str) -> float | int:
    try:
        if "_" in text:
            raise ValueError
        value = float(text)
    except ValueError:
        hint = "write the number alone, with a point and without separators"
        if re.match(r"^[-+\d.,\s]+[a-zA-Z%/]+$", text):
            hint = "write the number alone: the unit stands in the column's name"
        raise CellError(f"{text!r} is not a number", hint) from None
    if not math.isfinite(value):
        raise CellError(f"{text!r} is not a finite number", "leave the cell empty where nothing is known")
    if column.type == "integer":
        if value != int(value):
            raise CellError(f"{text!r} is not a whole number", "write a whole number")
        value = int(value)
    elif unit is not None:
        value = to_canonical(value, unit)
    check_range(column, value, text)
    return value


def check_range(column: Column, value: float, text: str) -> None:
    """Hold a canonical value against the bounds of its column.

    Raises:
        CellError: outside them.
    """
    symbol = f" {column.unit.symbol}" if column.unit else ""
    if column.low is not None and value < column.low:
        word = "negative" if column.low == 0 and value < 0 else "too small"
        raise CellError(f"{column.name} {text} is {word}", f"at least {column.low:g}{symbol}")
    if column.positive and value <= 0:
        raise CellError(f"{column.name} {text} must be above zero", "write a number above zero")
    if column.high is not None and value > column.high:
        hint = f"at most {column.high:g}{symbol}"
        if column.unit is not None and column.unit.quantity == "fraction":
            hint += f"; for per cent write the column as {split(column.name)[0]}_pct"
        raise CellError(f"{column.name} {text} is too large", hint)


def placeholder(column: Column, text: str) -> Any:
    """A harmless value for a required cell that cannot be used, so that the rest of the site can still be checked."""
    if not column.required:
        return column.default
    if column.choices:
        return (*difflib.get_close_matches(text, column.choices, n=1, cutoff=0.5), column.choices[0])[0]
    if column.type in ("number", "integer"):
        return max(column.low or 0, 1) if column.type == "integer" else max(column.low or 0.0, 1.0)
    return () if column.type == "list" else text


def read_table(text: str, file: str, kind: type) -> Table:
    """Read the text of one CSV file.

    Args:
        text: content, byte order mark already taken off.
        file: file name for findings.
        kind: dataclass of its rows.

    Returns:
        Elements and findings; a row without an id gives no element, any other faulty cell a harmless value.
    """
    findings: list[Finding] = []
    lines = _lines(text, file, findings)
    head = next(lines, None)
    if head is None:
        empty = Finding("the file is empty", "its first row names the columns: see `site schema`", file)
        return Table((), (*findings, empty), complete=False)
    at, names = head
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        return Table((), (Finding("columns are not separated by commas", "save it as CSV with commas", file, at),), complete=False)
    readers, extra = _header(names, file, at, kind, findings)
    read = {r.column.name: r.written for r in readers}
    elements = tuple(_elements(lines, readers, extra, len(names), file, kind, findings))
    gaps = frozenset(c.name for c in columns_of(kind) if c.required and c.name not in read)
    dropped = any(f.row > at and f.column in ("id", "", *REPEAT) for f in findings)
    return Table(elements, tuple(findings), read, gaps, not dropped and "id" not in gaps)


def _lines(text: str, file: str, findings: list[Finding]) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold something, with the line each begins on; comments and blank lines are passed over."""
    reader = csv.reader(_uncommented(text), strict=True, skipinitialspace=True)
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            message = f"the row cannot be split into cells: {error}"
            findings.append(Finding(message, "close every quote and double quotes inside cells", file, start))
            return
        cells = [c.strip() for c in cells]
        if any(cells):
            yield start, cells


def _uncommented(text: str) -> Iterator[str]:
    quoted = False
    for line in io.StringIO(text, newline=""):
        if not quoted and line.lstrip().startswith("#"):
            yield "\n"
            continue
        quoted ^= line.count('"') % 2 == 1
        yield line


def _header(names: Sequence[str], file: str, at: int, kind: type, findings: list[Finding]) -> tuple[list[_Reader], dict[str, int]]:
    columns = columns_of(kind)
    readers: dict[str, _Reader] = {}
    extra: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in REPEAT:
            extra[name] = index
            continue
        if not name:
            findings.append(Finding(f"column {index + 1} has no name", "name it or take it away", file, at))
            continue
        try:
            column, unit = match_column(name, columns)
        except LookupError as fault:
            findings.append(Finding(fault.args[0], fault.args[1], file, at, name, value=name))
            continue
        if column.name in readers:
            message = f"{name!r} gives the same column as {readers[column.name].written!r}"
            findings.append(Finding(message, "keep one of them", file, at, name, value=name))
            continue
        readers[column.name] = _Reader(index, name, column, unit)
    faulty = [split(f.column)[0] for f in findings if f.column]
    for column in columns:
        meant = difflib.get_close_matches(split(column.name)[0], faulty, cutoff=0.7)
        if column.required and column.name not in readers and not meant:
            findings.append(Finding(f"the column {column.name} is missing", f"add it: {column.doc}", file, at, column.name))
    return list(readers.values()), extra


def _elements(
    lines: Iterable[tuple[int, list[str]]],
    readers: Sequence[_Reader],
    extra: Mapping[str, int],
    width: int,
    file: str,
    kind: type,
    findings: list[Finding],
) -> Iterator[tuple[int, Any]]:
    absent = {c.name: placeholder(c, "") for c in columns_of(kind) if c.name not in {r.column.name for r in readers}}
    has_id = any(c.name == "id" for c in columns_of(kind))
    usual: list[str] = [""] * width
    for line, row in lines:
        cells = row
        if len(cells) > width:
            if any(cells[width:]):
                message = f"the row has {len(cells)} cells, the header {width}"
                findings.append(Finding(message, "put a cell with a comma in quotes", file, line, value=cells[width]))
            cells = cells[:width]
        cells = cells + [""] * (width - len(cells))
        if cells[0] == "*":
            usual = ["", *cells[1:]]
            continue
        cells = [c or u for c, u in zip(cells, usual, strict=True)]
        for copy in _copies(cells, extra, file, line, findings):
            values = {**absent, **_values(copy, readers, file, line, has_id, findings)}
            if values.get("id") or not has_id:
                yield line, kind(**values)


def _copies(cells: list[str], extra: Mapping[str, int], file: str, line: int, findings: list[Finding]) -> Iterator[list[str]]:
    counts = {"repeat": 0, "first": 1}
    for name, index in extra.items():
        text = cells[index]
        if not text:
            continue
        low = 1 if name == "repeat" else 0
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= MAX_REPEAT:
            message = f"{text!r} is not a {name} count"
            findings.append(Finding(message, f"write a whole number from {low} to {MAX_REPEAT}", file, line, name, cells[0], text))
            return
        counts[name] = int(text)
    if counts["repeat"] == 0:
        yield cells
        return
    if counts["repeat"] > 1 and not any(_COUNTER.search(c) for c in cells):
        message = f"the row is repeated {counts['repeat']} times, but no cell counts"
        findings.append(Finding(message, "write {n} or {n:02} in its id", file, line, "repeat", cells[0], str(counts["repeat"])))
        return
    for n in range(counts["first"], counts["first"] + counts["repeat"]):
        yield [_COUNTER.sub(lambda m, n=n: f"{n:0{m[1] or 1}d}", c) if "{" in c else c for c in cells]  # type: ignore[misc]


def _values(
    cells: Sequence[str], readers: Sequence[_Reader], file: str, line: int, has_id: bool, findings: list[Finding]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    element = next((cells[r.index] for r in readers if r.column.name == "id"), "") if has_id else ""
    for reader in readers:
        column, text = reader.column, cells[reader.index]
        if text and column.type == "text" and not column.choices:
            values[column.name] = text
        elif text:
            try:
                values[column.name] = parse_cell(column, reader.unit, text)
            except CellError as fault:
                findings.append(Finding(fault.args[0], fault.args[1], file, line, reader.written, element, text))
                values[column.name] = placeholder(column, text)
        elif column.required:
            findings.append(Finding(f"{reader.written} is empty", f"write it: {column.doc}", file, line, reader.written, element))
            values[column.name] = placeholder(column, text)
        else:
            values[column.name] = column.default
    return values
