"""One table of a catalog file -> one dataclass, driven by the declarations of :mod:`topology.columns`.

Faults are collected with the line they stand on; nothing is raised here.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_type_hints

from topology.columns import Column, columns_of
from topology.errors import Finding, nearest
from topology.models import CONFIDENCE, CURVE_LENGTHS, NESTED, Model, Provenance
from topology.units import Unit, split, to_canonical

_PROVENANCE = ("source", "date", "confidence", "note")
_HEADER = re.compile(r"^\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*(\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+)\s*[.=]")
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Table:
    """A TOML table with its place.

    Attributes:
        name: name of the entry that the table belongs to.
        values: keys and values as written.
        file: file name for findings.
        lines: line of each key of this table [1-based]; the empty key is the header itself.
        children: tables and arrays of tables below it, by dotted path and index.
    """

    name: str
    values: Mapping[str, Any]
    file: str
    lines: Mapping[str, int]
    children: Mapping[tuple[str, int], Mapping[str, int]] = field(default_factory=dict)

    def at(self, key: str = "") -> dict[str, Any]:
        """Place of a key (or of the header), as keyword arguments of a Finding."""
        return {"file": self.file, "row": self.lines.get(key, self.lines.get("", 0)), "column": key, "element": self.name}

    def child(self, key: str, values: Mapping[str, Any], index: int = 0) -> Table:
        """A table below this one; without a header of its own (written inline) it stands where its key stands."""
        lines = self.children.get((key, index)) or {"": self.at(key.partition(".")[0])["row"]}
        return Table(self.name, values, self.file, lines)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry in canonical units, not yet built.

    Attributes:
        type: dataclass to build.
        table: where it was read.
        values: column or field name -> value in canonical units.
        origin: name -> table that a value came from, for findings.
        provenance: that of the whole entry.
        figures: provenance of single figures.
        base: entry it starts from; empty for none.
        broken: whether faults make building it useless.
    """

    type: type[Model]
    table: Table
    values: Mapping[str, Any]
    origin: Mapping[str, Table]
    provenance: Provenance | None
    figures: Mapping[str, Provenance]
    base: str = ""
    broken: bool = False

    def on(self, base: Entry) -> Entry:
        """This entry's keys over those of ``base``; its source stands for the figures that it changes."""
        changed = {name: self.provenance for name in self.values if self.provenance is not None}
        return dataclasses.replace(
            self,
            values={**base.values, **self.values},
            origin={**base.origin, **self.origin},
            provenance=base.provenance,
            figures={**base.figures, **changed, **self.figures},
            broken=self.broken or base.broken,
        )

    def build(self, findings: list[Finding]) -> Model | None:
        """The model, or ``None`` (with findings) where something required is missing."""
        missing = [name for name in required(self.type) if name not in self.values]
        if self.broken:
            return None
        for name in missing:
            findings.append(Finding(f"{name} is missing", "any unit of the same quantity will do", **{**self.table.at(), "column": name}))
        if missing or self.provenance is None:
            return None
        figures = MappingProxyType(dict(self.figures))
        return self.type(name=self.table.name, provenance=self.provenance, figures=figures, **self.values)


def required(kind: type) -> tuple[str, ...]:
    """Names of the fields that an entry of this kind must give, provenance aside."""
    skipped = ("name", "provenance", "figures") if issubclass(kind, Model) else ()
    needed = (f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING)
    return tuple(name for name in needed if name not in skipped)


def read_tables(text: str, file: str, findings: list[Finding]) -> tuple[Table, ...]:
    """Parse a TOML file into its entries, each with the lines of its keys."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        line = re.search(r"at line (\d+)", str(exc))
        findings.append(Finding(f"not valid TOML: {exc}", "mend the syntax at that place", file=file, row=int(line[1]) if line else 0))
        return ()
    lines = _lines(text)
    tables = []
    for name, values in data.items():
        own = {k[1:]: v for k, v in lines.items() if k[0] == name}
        header = own.get(("", 0), {"": min((v[""] for v in own.values()), default=0)})
        if not isinstance(values, dict):
            row = lines.get(("", "", 0), {}).get(name, 0)
            findings.append(
                Finding(f"{name} stands outside any entry", f"write it below a header such as [{name}]", file=file, row=row, column=name)
            )
            continue
        tables.append(Table(name, values, file, header, own))
    return tuple(tables)


def _lines(text: str) -> dict[tuple[str, str, int], dict[str, int]]:
    """Lines of headers and keys: (entry, path below it, index in its array of tables) -> key -> line."""
    found: dict[tuple[str, str, int], dict[str, int]] = {}
    current: dict[str, int] = found.setdefault(("", "", 0), {})
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            path = [part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", header[1])]
            name, below = path[0], ".".join(path[1:])
            index = sum(1 for k in found if k[:2] == (name, below))
            current = found.setdefault((name, below, index), {"": number})
        elif key := _KEY.match(line):
            current.setdefault(key[1].strip("\"'"), number)
    return found


def read_entry(kind: type[Model], kind_name: str, table: Table, findings: list[Finding]) -> Entry:
    """Check one table against its dataclass and bring it to canonical units."""
    before = len(findings)
    values = dict(table.values)
    figures = values.pop("figures", {})
    base = values.pop("base", "")
    if not isinstance(base, str):
        findings.append(Finding("base is the name of another entry", value=repr(base), **table.at("base")))
        base = ""
    provenance = _provenance(table, {k: values.pop(k) for k in _PROVENANCE if k in values}, findings)
    fields: dict[str, Any] = {}
    lists = _lists(kind)
    for name in (n for n in lists if n in values):
        raw = values.pop(name)
        fields[name] = _nested(name, raw, table, findings) if name in NESTED else _curve(name, raw, table, findings)
    fields |= read_columns(kind, values, table, findings, (*lists, *_PROVENANCE, "figures", "base"))
    own = _figures(kind, figures, table, findings)
    return Entry(kind, table, fields, dict.fromkeys(fields, table), provenance, own, base, broken=len(findings) > before)


def read_columns(
    kind: type, values: Mapping[str, Any], table: Table, findings: list[Finding], other: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Match keys to columns by name or by another unit of the same quantity, and check each value."""
    columns = {c.name: c for c in columns_of(kind)}
    stems = {split(c.name)[0]: c for c in columns.values() if c.unit}
    found: dict[str, Any] = {}
    for key, value in values.items():
        column, unit = columns.get(key), None
        if column is None:
            stem, unit = split(key)
            column = next(
                (c for c in columns.values() if c.unit and unit and split(c.name)[0] == stem and c.unit.quantity == unit.quantity), None
            )
            if column is None and stem in stems and unit:
                wrong = stems[stem]
                message = f"{key} is in {unit.symbol} ({_words(unit)}), but {wrong.name} is a {_words(wrong.unit)}"
                findings.append(Finding(message, f"give it as {wrong.name}", value=str(value), **table.at(key)))
                continue
        if column is None:
            findings.append(
                Finding(f"{key} is not a key of a {kind.__name__}", nearest(key, (*columns, *other)), value=str(value), **table.at(key))
            )
        elif column.name in found:
            findings.append(Finding(f"{column.name} is given twice, here as {key}", "keep one of them", value=str(value), **table.at(key)))
        else:
            found[column.name] = _value(column, unit, key, value, table, findings)
    return found


def _words(unit: Unit | None) -> str:
    return unit.quantity.replace("_", " ") if unit else "plain value"


def _value(column: Column, unit: Unit | None, key: str, value: Any, table: Table, findings: list[Finding]) -> Any:
    """One value in canonical units; on a fault a Finding and the value as written."""
    wanted, right = _TYPES[column.type]
    if not right(value):
        findings.append(Finding(f"{key} must be {wanted}", value=repr(value), **table.at(key)))
        return value
    if column.type == "number":
        value = to_canonical(float(value), unit) if unit else float(value)
    fault = ""
    if column.choices and value not in column.choices:
        fault = f"{key} must be one of {', '.join(column.choices)}"
    elif column.positive and value <= 0:
        fault = f"{key} must be more than 0"
    elif column.low is not None and value < column.low:
        fault = f"{key} must be at least {column.low:g}"
    elif column.high is not None and value > column.high:
        fault = f"{key} must be at most {column.high:g}"
    if fault:
        shown = f"in {column.unit.symbol}" if column.unit and column.unit.symbol != "1" else ""
        hint = nearest(str(value), column.choices) if column.choices else shown
        findings.append(Finding(fault, hint, value=str(table.values.get(key, value)), **table.at(key)))
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_TYPES: Mapping[str, tuple[str, Any]] = MappingProxyType({
    "number": ("a finite number", _is_number),
    "integer": ("a whole number", lambda v: isinstance(v, int) and not isinstance(v, bool)),
    "text": ("text in quotes", lambda v: isinstance(v, str)),
    "flag": ("true or false", lambda v: isinstance(v, bool)),
    "date": ("a date", lambda v: isinstance(v, dt.date) and not isinstance(v, dt.datetime)),
    "list": ("a list of names", lambda v: isinstance(v, list) and all(isinstance(x, str) for x in v)),
})  # fmt: skip


def _lists(kind: type) -> tuple[str, ...]:
    """Fields that are no columns: lists of tables, and coefficients (tuples of numbers)."""
    hints = get_type_hints(kind)
    return tuple(f.name for f in dataclasses.fields(kind) if f.name in NESTED or hints[f.name] == tuple[float, ...])


def _curve(name: str, raw: Any, table: Table, findings: list[Finding]) -> tuple[float, ...]:
    length = CURVE_LENGTHS.get(name, 0)
    if not isinstance(raw, list) or not raw or not all(_is_number(v) for v in raw) or (length and len(raw) != length):
        findings.append(Finding(f"{name} must be a list of {length or 'one or more'} numbers", value=str(raw), **table.at(name)))
        return ()
    return tuple(float(v) for v in raw)


def _nested(name: str, raw: Any, table: Table, findings: list[Finding]) -> tuple[Any, ...]:
    kind = NESTED[name]
    if not isinstance(raw, list) or not all(isinstance(v, dict) for v in raw):
        findings.append(Finding(f"{name} is a list of tables", f"write each as [[{table.name}.{name}]]", value=str(raw), **table.at(name)))
        return ()
    built = []
    for index, values in enumerate(raw):
        place = table.child(name, values, index)
        found = read_columns(kind, values, place, findings)
        missing = [c for c in required(kind) if c not in found]
        for column in missing:
            findings.append(Finding(f"{column} is missing in {name}[{index + 1}]", **{**place.at(), "column": column}))
        if not missing:
            built.append(kind(**found))
    return tuple(built)


def _provenance(table: Table, raw: Mapping[str, Any], findings: list[Finding]) -> Provenance | None:
    """Source, date and confidence are mandatory; an estimate must say how it was made."""
    given = {k: v.isoformat() if isinstance(v, dt.date) and not isinstance(v, dt.datetime) else v for k, v in raw.items()}
    before = len(findings)
    for key in ("source", "date", "confidence"):
        if key not in given:
            findings.append(
                Finding(f"{key} is missing", "every figure has a source, a date and a confidence", **{**table.at(), "column": key})
            )
        elif not isinstance(given[key], str) or not given[key].strip():
            findings.append(Finding(f"{key} must be text in quotes", value=repr(given[key]), **table.at(key)))
    if not isinstance(given.get("note", ""), str):
        findings.append(Finding("note must be text in quotes", value=repr(given["note"]), **table.at("note")))
    if len(findings) > before:
        return None
    if not _DATE.fullmatch(given["date"]):
        findings.append(Finding("date must be YYYY-MM-DD, YYYY-MM or YYYY", value=given["date"], **table.at("date")))
    if given["confidence"] not in CONFIDENCE:
        hint = nearest(given["confidence"], CONFIDENCE)
        findings.append(
            Finding(f"confidence must be one of {', '.join(CONFIDENCE)}", hint, value=given["confidence"], **table.at("confidence"))
        )
    if given["confidence"] == "estimate" and not given.get("note"):
        findings.append(Finding("an estimate must say in its note how it was made", 'add note = "..."', **{**table.at(), "column": "note"}))
    return Provenance(**given)


def _figures(kind: type[Model], raw: Any, table: Table, findings: list[Finding]) -> dict[str, Provenance]:
    if not isinstance(raw, dict):
        findings.append(
            Finding("figures is a table of tables", f"write [{table.name}.figures.<column>]", value=str(raw), **table.at("figures"))
        )
        return {}
    known = [f.name for f in dataclasses.fields(kind) if f.name not in ("name", "provenance", "figures")]
    found = {}
    for name, values in raw.items():
        place = table.child(f"figures.{name}", values if isinstance(values, dict) else {})
        if name not in known:
            findings.append(
                Finding(f"{name} is not a figure of a {kind.__name__}", nearest(name, known), value=name, **{**place.at(), "column": name})
            )
        elif not isinstance(values, dict):
            findings.append(Finding(f"{name} needs source, date and confidence", value=str(values), **{**place.at(), "column": name}))
        else:
            for key in sorted(set(values) - set(_PROVENANCE)):
                findings.append(Finding(f"{key} is not part of a provenance", nearest(key, _PROVENANCE), value=key, **place.at(key)))
            provenance = _provenance(place, {k: v for k, v in values.items() if k in _PROVENANCE}, findings)
            if provenance is not None:
                found[name] = provenance
    return found


def references(entry: Entry) -> Iterator[tuple[Column, str, Table]]:
    """Names of other entries that an entry gives, parts included: column, value, where."""
    kind: type = entry.type
    for column in columns_of(kind):
        value = entry.values.get(column.name)
        if column.refs and value and isinstance(value, str):
            yield column, value, entry.origin[column.name]
    for name, nested in NESTED.items():
        for index, item in enumerate(entry.values.get(name, ())):
            for column in columns_of(nested):
                value = getattr(item, column.name)
                if column.refs and value:
                    yield column, value, entry.origin[name].child(name, {}, index)
