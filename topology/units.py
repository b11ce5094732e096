"""Quantities and the units people write them in: the only place in the project that holds conversion factors.

A number carries its unit in its name: ``rating_kva``, ``flow_lpm``, ``supply_c``. Inside the project every quantity has one
canonical unit (SI; degC for temperatures, K for differences), and a column in a people's file may use any unit of the same
quantity. :func:`split` reads a column name, :func:`to_canonical` converts its values.

Factors: NIST SP 811 (2008), appendix B.8; US gallon 3.785411784e-3 m3, pound-force per square inch 6894.757 Pa,
avoirdupois pound 0.45359237 kg.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import numpy as np

Number = TypeVar("Number", float, np.ndarray)


@dataclass(frozen=True, slots=True)
class Unit:
    """One way of writing a quantity.

    Attributes:
        suffix: what a column name ends in, without the underscore, such as ``kva``.
        symbol: what people print, such as ``kVA``.
        quantity: name of the quantity, a key of :data:`QUANTITIES`.
        factor: canonical = value * factor + offset [canonical unit per this unit].
        offset: see ``factor`` [canonical unit].
    """

    suffix: str
    symbol: str
    quantity: str
    factor: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Quantity:
    """A physical quantity with its canonical unit first and every other unit that people may use."""

    name: str
    units: tuple[Unit, ...]

    @property
    def canonical(self) -> Unit:
        """The unit used everywhere inside the project."""
        return self.units[0]


def _quantity(name: str, *units: tuple[str, str, float] | tuple[str, str, float, float]) -> Quantity:
    return Quantity(name, tuple(Unit(u[0], u[1], name, u[2], u[3] if len(u) == 4 else 0.0) for u in units))


_ALL = (
    _quantity("power", ("w", "W", 1.0), ("kw", "kW", 1e3), ("mw", "MW", 1e6)),
    _quantity("apparent_power", ("va", "VA", 1.0), ("kva", "kVA", 1e3), ("mva", "MVA", 1e6)),
    _quantity(
        "energy",
        ("j", "J", 1.0),
        ("uj", "uJ", 1e-6),
        ("mj", "mJ", 1e-3),
        ("kj", "kJ", 1e3),
        ("wh", "Wh", 3.6e3),
        ("kwh", "kWh", 3.6e6),
        ("mwh", "MWh", 3.6e9),
    ),
    _quantity("pressure", ("pa", "Pa", 1.0), ("kpa", "kPa", 1e3), ("bar", "bar", 1e5), ("psi", "psi", 6894.757)),
    _quantity("mass_flow", ("kg_s", "kg/s", 1.0), ("kg_h", "kg/h", 1 / 3600)),
    _quantity(
        "volume_flow",
        ("m3_s", "m3/s", 1.0),
        ("lpm", "L/min", 1e-3 / 60),
        ("l_s", "L/s", 1e-3),
        ("m3_h", "m3/h", 1 / 3600),
        ("gpm", "US gpm", 3.785411784e-3 / 60),
        ("cfm", "cfm", 4.719474432e-4),
    ),
    _quantity("temperature", ("c", "degC", 1.0), ("f", "degF", 5 / 9, -160 / 9), ("kelvin", "K", 1.0, -273.15)),
    _quantity("temperature_difference", ("k", "K", 1.0)),
    _quantity("heat_capacity", ("j_k", "J/K", 1.0), ("kj_k", "kJ/K", 1e3)),
    _quantity("conductance", ("w_k", "W/K", 1.0), ("kw_k", "kW/K", 1e3)),
    _quantity("thermal_resistance", ("k_w", "K/W", 1.0), ("k_kw", "K/kW", 1e-3)),
    _quantity("current", ("a", "A", 1.0), ("ka", "kA", 1e3), ("ma", "mA", 1e-3)),
    _quantity("voltage", ("v", "V", 1.0), ("kv", "kV", 1e3), ("mv", "mV", 1e-3)),
    _quantity("resistance", ("ohm", "ohm", 1.0), ("mohm", "mohm", 1e-3)),
    _quantity("resistance_per_length", ("ohm_m", "ohm/m", 1.0), ("mohm_m", "mohm/m", 1e-3), ("ohm_km", "ohm/km", 1e-3)),
    _quantity("frequency", ("hz", "Hz", 1.0), ("mhz", "MHz", 1e6), ("ghz", "GHz", 1e9), ("rpm", "1/min", 1 / 60)),
    _quantity("duration", ("s", "s", 1.0), ("ms", "ms", 1e-3), ("ns", "ns", 1e-9), ("min", "min", 60.0), ("h", "h", 3600.0)),
    _quantity("velocity", ("m_s", "m/s", 1.0), ("ft_s", "ft/s", 0.3048)),
    _quantity("length", ("m", "m", 1.0), ("mm", "mm", 1e-3), ("ft", "ft", 0.3048)),
    _quantity("volume", ("m3", "m3", 1.0), ("l", "L", 1e-3)),
    _quantity("mass", ("kg", "kg", 1.0), ("t", "t", 1e3), ("lb", "lb", 0.45359237)),
    _quantity("fraction", ("frac", "1", 1.0), ("pct", "%", 1e-2)),
    _quantity("energy_price", ("usd_j", "USD/J", 1.0), ("usd_kwh", "USD/kWh", 1 / 3.6e6), ("usd_mwh", "USD/MWh", 1 / 3.6e9)),
    _quantity("demand_price", ("usd_w", "USD/W", 1.0), ("usd_kw", "USD/kW", 1e-3)),
    _quantity("mass_per_energy", ("kg_j", "kg/J", 1.0), ("g_kwh", "g/kWh", 1e-3 / 3.6e6), ("kg_kwh", "kg/kWh", 1 / 3.6e6)),
    _quantity("money", ("usd", "USD", 1.0), ("musd", "MUSD", 1e6)),
    _quantity("inverse_power", ("per_w", "1/W", 1.0), ("per_kw", "1/kW", 1e-3)),
    _quantity("compute_rate", ("flops", "FLOP/s", 1.0), ("tflops", "TFLOP/s", 1e12), ("pflops", "PFLOP/s", 1e15)),
    _quantity("data_size", ("bytes", "B", 1.0), ("gb", "GB", 1e9), ("tb", "TB", 1e12)),
    _quantity("data_rate", ("bytes_s", "B/s", 1.0), ("gb_s", "GB/s", 1e9), ("tb_s", "TB/s", 1e12)),
)

QUANTITIES: MappingProxyType[str, Quantity] = MappingProxyType({q.name: q for q in _ALL})
UNITS: MappingProxyType[str, Unit] = MappingProxyType({u.suffix: u for q in _ALL for u in q.units})
_BY_LENGTH = sorted(UNITS, key=len, reverse=True)


def split(column: str) -> tuple[str, Unit | None]:
    """Split a column name into its stem and its unit.

    Args:
        column: name as written, such as ``rating_kva``.

    Returns:
        The stem and the unit, or the whole name and ``None`` where it ends in no known suffix.

    >>> split("flow_kg_s")[0], split("flow_kg_s")[1].symbol
    ('flow', 'kg/s')
    >>> split("position")
    ('position', None)
    """
    for suffix in _BY_LENGTH:
        if column.endswith("_" + suffix):
            return column[: -len(suffix) - 1], UNITS[suffix]
    return column, None


def to_canonical(values: Number, unit: Unit) -> Number:
    """Convert values written in ``unit`` to the canonical unit of its quantity.

    >>> round(to_canonical(100.0, UNITS["f"]), 3)
    37.778
    """
    return values * unit.factor + unit.offset


def from_canonical(values: Number, unit: Unit) -> Number:
    """Convert canonical values to ``unit``: the inverse of :func:`to_canonical`."""
    return (values - unit.offset) / unit.factor
