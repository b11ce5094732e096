"""How a dataclass field describes its column: one declaration drives reading, checking, writing and ``site schema``."""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from typing import Any

from topology.units import UNITS, Unit


@dataclass(frozen=True, slots=True)
class Column:
    """What a column of a site file, or a key of a catalog entry, holds.

    Attributes:
        name: canonical name, unit suffix included.
        doc: one line for people.
        type: ``text``, ``number``, ``integer``, ``date``, ``flag`` or ``list`` (names separated by blanks or semicolons).
        unit: canonical unit, ``None`` for a plain value.
        refs: kinds that the value may name, such as ``("row",)``; empty for no reference.
        choices: allowed values; empty for any.
        required: whether a file must give it.
        default: value where the cell is empty.
        low: smallest allowed value (numbers only).
        positive: whether zero is refused as well.
        high: largest allowed value (numbers only).
    """

    name: str
    doc: str
    type: str
    unit: Unit | None
    refs: tuple[str, ...]
    choices: tuple[str, ...]
    required: bool
    default: Any
    low: float | None
    positive: bool
    high: float | None


def col(
    doc: str,
    *,
    unit: str = "",
    type: str = "",
    refs: tuple[str, ...] = (),
    choices: tuple[str, ...] = (),
    default: Any = MISSING,
    low: float | None = None,
    positive: bool = False,
    high: float | None = None,
) -> Any:
    """Declare a dataclass field that is also a column; see :class:`Column` for the arguments.

    A field with a ``unit`` is a number of at least 0 unless ``low`` says otherwise (temperatures have no such bound).
    """
    kind = type or ("number" if unit else "text")
    if unit and low is None and UNITS[unit].quantity != "temperature":
        low = 0.0
    meta = {"column": (doc, kind, unit, refs, choices, low, positive, high)}
    if default is MISSING:
        return field(metadata=meta)
    return field(default=default, metadata=meta)


def columns_of(kind: type) -> tuple[Column, ...]:
    """The columns of a dataclass built with :func:`col`, in order of declaration."""
    return _columns_of(kind)


@cache
def _columns_of(kind: type) -> tuple[Column, ...]:
    return tuple(_column(f) for f in fields(kind) if "column" in f.metadata)


def _column(f: Field[Any]) -> Column:
    doc, kind, unit, refs, choices, low, positive, high = f.metadata["column"]
    required = f.default is MISSING
    default = None if required else f.default
    return Column(f.name, doc, kind, UNITS[unit] if unit else None, refs, choices, required, default, low, positive, high)
