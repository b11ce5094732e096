"""What every file of a site and every catalog entry may hold: for ``site schema``, documentation and forms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from topology.columns import Column, columns_of
from topology.kinds import SITE_FILES, Settings
from topology.models import MODEL_FILES, Part, Provenance, Stage
from topology.read import REQUIRED_FILES, SETTINGS_FILE
from topology.trip import TripStage
from topology.units import QUANTITIES, split

_CATALOG_EXTRA = (("source", "where the figures come from"), ("date", "when that was published or read"),
                  ("confidence", "vendor, measured, press or estimate"), ("note", "how an estimate was made"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class SchemaRow:
    """One column of a site file or key of a catalog entry.

    Attributes:
        file: file name; for the catalog ``catalog/<kind>s.toml``, with the sub-table after a blank where there is one.
        file_required: whether every site has the file.
        column: canonical name.
        type: text, number, integer, date, flag or list.
        unit: symbol of the canonical unit; empty for a plain value.
        accepted: every way of writing the column, one for each unit of its quantity.
        required: whether it must be given.
        default: what an empty cell means; empty where the column is required or nothing is assumed.
        choices: allowed values; empty for any.
        refs: kinds that the value names.
        doc: one line for people.
    """

    file: str
    file_required: bool
    column: str
    type: str
    unit: str
    accepted: tuple[str, ...]
    required: bool
    default: str
    choices: tuple[str, ...]
    refs: tuple[str, ...]
    doc: str


def schema() -> tuple[SchemaRow, ...]:
    """Every column of every file: ``site.toml``, the CSVs in the order of a site folder, then the catalog."""
    rows = [_row(SETTINGS_FILE, True, c) for c in columns_of(Settings)]
    for stem, kind in SITE_FILES.items():
        rows += [_row(f"{stem}.csv", stem in REQUIRED_FILES, c) for c in columns_of(kind)]
    for name, model in MODEL_FILES.items():
        file = f"catalog/{name}s.toml"
        rows += [_row(file, False, c) for c in columns_of(model)]
        rows += list(_provenance(file))
        if name == "power_model":
            rows += [_row(f"{file} trip", False, c) for c in columns_of(TripStage)]
        if name == "sku":
            rows += [_row(f"{file} {part}", False, c) for part, kind in (("parts", Part), ("stages", Stage)) for c in columns_of(kind)]
    return tuple(rows)


def _provenance(file: str) -> Iterator[SchemaRow]:
    known = Provenance.__dataclass_fields__
    for name, doc in _CATALOG_EXTRA:
        yield SchemaRow(file, False, known[name].name, "text", "", (name,), name != "note", "", (), (), doc)


def _row(file: str, file_required: bool, column: Column) -> SchemaRow:
    accepted: tuple[str, ...] = (column.name,)
    if column.unit is not None:
        stem = split(column.name)[0]
        accepted = tuple(f"{stem}_{u.suffix}" for u in QUANTITIES[column.unit.quantity].units)
    symbol = column.unit.symbol if column.unit else ""
    default = _default(column)
    return SchemaRow(
        file, file_required, column.name, column.type, symbol, accepted, column.required, default, column.choices, column.refs, column.doc
    )


def _default(column: Column) -> str:
    value = column.default
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.date):
        return value.isoformat()
    return f"{value:g}" if isinstance(value, float) else str(value)
