"""Numbers as people read them: kW, kVA, kPa, degC, %, with few digits."""

from __future__ import annotations

import datetime as dt
import math

from topology.units import UNITS, Unit, from_canonical
from topology.write import PEOPLE

_MANY = 1e4


def people(value: float, suffix: str) -> tuple[float | None, str]:
    """A canonical value in the unit that people use for its quantity.

    Args:
        value: canonical value; one that is not finite becomes ``None``.
        suffix: suffix of its canonical unit, such as ``w``.

    Returns:
        The value and the symbol of its unit; no symbol for a plain fraction.

    >>> people(12500.0, "w")
    (12.5, 'kW')
    >>> people(float("inf"), "c")
    (None, 'degC')
    """
    unit = _unit(suffix)
    symbol = "" if unit.quantity == "fraction" else unit.symbol
    return (from_canonical(float(value), unit) if math.isfinite(value) else None), symbol


def _unit(suffix: str) -> Unit:
    own = UNITS[suffix]
    best = PEOPLE.get(own.quantity, ())
    return UNITS[best[0]] if best else own


def text(value: float, suffix: str) -> str:
    """A canonical value with its unit, such as ``12.5 kW``; ``lost`` for an infinite one.

    >>> text(23_456_000.0, "w"), text(61.27, "c"), text(float("inf"), "c")
    ('23.46 MW', '61.3 degC', 'lost')
    """
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "lost"
    number, symbol = people(value, suffix)
    assert number is not None
    if symbol in ("kW", "kVA") and abs(number) >= _MANY:
        number, symbol = number / 1e3, "M" + symbol[1:]
        return f"{number:.2f} {symbol}"
    return f"{number:.1f} {symbol}" if symbol else f"{number:.2f}"


def percent(fraction: float) -> str:
    """A fraction in per cent.

    >>> percent(0.0512)
    '5.1 %'
    """
    return f"{100.0 * fraction:.1f} %" if math.isfinite(fraction) else "-"


def moment(time: dt.datetime) -> str:
    """A time as ISO 8601 UTC with a Z.

    >>> moment(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC))
    '2026-11-20T12:00:00Z'
    """
    return time.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
