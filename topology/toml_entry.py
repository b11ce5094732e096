"""One table of a catalog file -> one dataclass, driven by the declarations of :mod:`topology.columns`.

Faults are collected with the line they stand on; nothing is raised here.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, get_type_hints

from topology.columns import Column, columns_of
from topology.errors import Finding, nearest
from topology.models import CONFIDENCE, CURVE_LENGTHS, NESTED, Model, Provenance
from topology.toml_table import Table
from topology.units import Unit, from_canonical, split, to_canonical

_PROVENANCE = ("source", "date", "confidence", "note")
_DEFAULTS_DATE = "2026-11-24"
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


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

    def build(self, find: Find, findings: list[Finding]) -> Model | None:
        """The model, or ``None`` (with findings) where something required is missing.

        Args:
            find: gives the entry of a kind and name, for what a part takes over from the entry that it names.
            findings: faults are added here.
        """
        if self.broken:
            return None
        missing = [name for name in required(self.type) if name not in self.values]
        for name in missing:
            findings.append(Finding(f"{name} is missing", "any unit of the same quantity will do", **self.table.without(name)))
        values = {n: self._nested(n, v, find, findings) if n in NESTED else v for n, v in self.values.items()}
        if missing or self.provenance is None or None in values.values():
            return None
        figures = MappingProxyType({**_defaults(self.type, values), **self.figures})
        return self.type(name=self.table.name, provenance=self.provenance, figures=figures, **values)

    def _nested(self, name: str, rows: Sequence[Mapping[str, Any]], find: Find, findings: list[Finding]) -> tuple[Any, ...] | None:
        """Parts or stages; what a row leaves out comes from the entry that it names, such as the power of its chip."""
        kind = NESTED[name]
        columns, built = columns_of(kind), []
        for index, row in enumerate(rows):
            values, unknown = dict(row), False
            for column in (c for c in columns if c.refs and row.get(c.name)):
                named = next((e for k in column.refs if (e := find(k, row[column.name])) is not None), None)
                unknown |= named is None
                values = {c.name: named.values[c.name] for c in columns if c.name in named.values} | values if named else values
            lacking = [c for c in required(kind) if c not in values]
            if not lacking:
                built.append(kind(**values))
            for missing in lacking if not unknown else ():
                place = self.origin[name].child(name, index).without(missing)
                findings.append(Finding(f"{missing} is missing in {name}[{index + 1}]", **place))
        return tuple(built) if len(built) == len(rows) else None


Find = Callable[[str, str], "Entry | None"]
"""Kind and name -> entry, ``None`` where there is none."""


def _defaults(kind: type, values: Mapping[str, Any]) -> dict[str, Provenance]:
    """Provenance of numbers that an entry leaves to the default of their field: not the entry's source."""
    left = [c for c in columns_of(kind) if c.type in ("number", "integer") and c.name not in values and c.default is not None]
    note = "the entry gives none; {:g} is taken for every {} that says nothing else"
    return {c.name: Provenance(source="default of the field", date=_DEFAULTS_DATE, confidence="estimate",
                               note=note.format(c.default, kind.__name__)) for c in left}  # fmt: skip


def required(kind: type) -> tuple[str, ...]:
    """Names of the fields that an entry of this kind must give, provenance aside."""
    skipped = ("name", "provenance", "figures") if issubclass(kind, Model) else ()
    needed = (f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING)
    return tuple(name for name in needed if name not in skipped)


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
    """Match keys to columns by name or by another unit of the same quantity, and check each value.

    Args:
        kind: dataclass that declares the columns.
        values: keys and values as written.
        table: where they stand.
        findings: faults are added here.
        other: further keys that a hint may offer.

    Returns:
        Column name -> value in canonical units.
    """
    columns = {c.name: c for c in columns_of(kind)}
    found: dict[str, Any] = {}
    for key, value in values.items():
        stem, unit = (key, None) if key in columns else split(key)
        alike = [columns[key]] if key in columns else [c for c in columns.values() if unit and c.unit and split(c.name)[0] == stem]
        column = next((c for c in alike if unit is None or (c.unit and c.unit.quantity == unit.quantity)), None)
        fault, hint = "", ""
        if column is None and alike and unit:
            fault = f"{key} is in {unit.symbol} ({_words(unit)}), but {alike[0].name} is a {_words(alike[0].unit)}"
            hint = f"give it as {alike[0].name}"
        elif column is None:
            fault, hint = f"{key} is not a key of a {kind.__name__}", nearest(key, (*columns, *other))
        elif column.name in found:
            fault, hint = f"{column.name} is given twice, here as {key}", "keep one of them"
        else:
            found[column.name] = _value(column, unit or column.unit, key, value, table, findings)
        if fault:
            findings.append(Finding(fault, hint, value=str(value), **table.at(key)))
    return found


def _words(unit: Unit | None) -> str:
    return unit.quantity.replace("_", " ") if unit else "plain value"


def _value(column: Column, unit: Unit | None, key: str, written: Any, table: Table, findings: list[Finding]) -> Any:
    """One value in canonical units; on a fault a Finding and the value as it stands."""
    wanted, right = _TYPES[column.type]
    if not right(written):
        findings.append(Finding(f"{key} must be {wanted}", value=repr(written), **table.at(key)))
        return written
    value = written
    if column.type == "number":
        value = to_canonical(float(written), unit) if unit else float(written)
    fault = ""
    if column.choices and value not in column.choices:
        fault = f"{key} must be one of {', '.join(column.choices)}"
    elif column.positive and value <= 0:
        fault = f"{key} must be more than 0"
    elif column.low is not None and value < column.low:
        fault = f"{key} must be at least {_bound(column.low, unit)}"
    elif column.high is not None and value > column.high:
        fault = f"{key} must be at most {_bound(column.high, unit)}"
    if fault:
        hint = nearest(str(written), column.choices) if column.choices else ""
        findings.append(Finding(fault, hint, value=str(written), **table.at(key)))
    return value


def _bound(limit: float, unit: Unit | None) -> str:
    """A limit in the unit that people wrote."""
    return f"{from_canonical(limit, unit):g} {unit.symbol if unit.symbol != '1' else ''}".strip() if unit else f"{limit:g}"


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


def _nested(name: str, raw: Any, table: Table, findings: list[Finding]) -> tuple[dict[str, Any], ...]:
    if not isinstance(raw, list) or not all(isinstance(v, dict) for v in raw):
        findings.append(Finding(f"{name} is a list of tables", f"write each as [[{table.name}.{name}]]", value=str(raw), **table.at(name)))
        return ()
    return tuple(read_columns(NESTED[name], values, table.child(name, index), findings) for index, values in enumerate(raw))


def _provenance(table: Table, raw: Mapping[str, Any], findings: list[Finding]) -> Provenance | None:
    """Source, date and confidence are mandatory; an estimate must say how it was made."""
    given = {k: v.isoformat() if isinstance(v, dt.date) and not isinstance(v, dt.datetime) else v for k, v in raw.items()}
    before = len(findings)
    for key in ("source", "date", "confidence"):
        if key not in given:
            findings.append(Finding(f"{key} is missing", "every figure has a source, a date and a confidence", **table.without(key)))
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
        findings.append(Finding("an estimate must say in its note how it was made", 'add note = "..."', **table.without("note")))
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
        place = table.child(f"figures.{name}")
        if name not in known:
            findings.append(
                Finding(f"{name} is not a figure of a {kind.__name__}", nearest(name, known), value=name, **place.without(name))
            )
        elif not isinstance(values, dict):
            findings.append(Finding(f"{name} needs source, date and confidence", value=str(values), **place.without(name)))
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
                value = item.get(column.name)
                if column.refs and value and isinstance(value, str):
                    yield column, value, entry.origin[name].child(name, index)
