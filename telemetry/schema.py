"""The canonical table of readings: one long Arrow table, whatever the meter was.

A reading is one value of one quantity of one element at one time. Names of quantities end in the canonical unit of
:mod:`topology.units`; liquid-side names follow the properties of Redfish CoolantConnector v1.3 and Pump v1.2, power-side
names those of Redfish Circuit v1.9, all in snake case and SI (DMTF Redfish schemas, 2026-01). ``level`` says where in the
chain a reading was made, so that a sum never counts the same watt twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa

from topology.units import QUANTITIES, Unit, split

SITE = "site"
"""Reserved element id: the site itself, for weather and whole-site meters."""

LEVELS = ("utility", "ups", "pdu", "rack", "node", "device", "loop", "cdu")
IMPLEMENTATIONS = ("PhysicalSensor", "Reported", "Synthesized")
"""How a value came about, after Redfish Sensor.Implementation."""
QUALITIES = ("good", "suspect", "bad")

POWER_HIGH_W = MappingProxyType({"utility": 5e9, "ups": 1e8, "pdu": 2e7, "rack": 2e7, "node": 2e5, "device": 2e4, "loop": 1e8, "cdu": 1e7})
"""Largest believable power of one meter at each level [W]: ten times and more what is built, so that what lies above is a wrong unit."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One quantity that may be stored.

    Attributes:
        name: canonical name, ending in its unit.
        doc: one line for people.
        low: smallest physically possible value [canonical unit].
        high: largest physically possible value [canonical unit].
    """

    name: str
    doc: str
    low: float
    high: float

    @property
    def unit(self) -> Unit:
        """Canonical unit."""
        unit = split(self.name)[1]
        if unit is None or unit is not QUANTITIES[unit.quantity].canonical:
            raise ValueError(f"{self.name} does not end in a canonical unit")
        return unit


_ALL = (
    Reading("power_w", "electrical power into the element", 0.0, 5e9),
    Reading("output_power_w", "electrical power out of a converter or supply", 0.0, 5e9),
    Reading("power_limit_w", "power cap in force", 0.0, 5e9),
    Reading("apparent_power_va", "apparent power into the element", 0.0, 5e9),
    Reading("energy_j", "energy counter, rising until it restarts", 0.0, 1e20),
    Reading("power_factor_frac", "power factor", -1.0, 1.0),
    Reading("voltage_v", "voltage at the input", 0.0, 1e6),
    Reading("output_voltage_v", "voltage at the output", 0.0, 1e6),
    Reading("current_a", "current into the element", 0.0, 1e6),
    Reading("output_current_a", "current out of a converter or supply", 0.0, 1e6),
    Reading("frequency_hz", "line frequency", 0.0, 1e3),
    Reading("load_frac", "load as a fraction of the rating", 0.0, 5.0),
    Reading("unbalance_frac", "current unbalance between phases", 0.0, 5.0),
    Reading("breaker_closed_frac", "1 closed, 0 open", 0.0, 1.0),
    Reading("temp_c", "temperature of the part itself", -60.0, 250.0),
    Reading("memory_temp_c", "temperature of the memory", -60.0, 250.0),
    Reading("inlet_temp_c", "air temperature at the inlet", -60.0, 150.0),
    Reading("outlet_temp_c", "air temperature at the outlet", -60.0, 150.0),
    Reading("supply_temp_c", "coolant supply temperature", -60.0, 150.0),
    Reading("return_temp_c", "coolant return temperature", -60.0, 150.0),
    Reading("delta_temp_k", "coolant return minus supply", -100.0, 150.0),
    Reading("wet_bulb_c", "outdoor wet bulb temperature", -60.0, 45.0),
    Reading("dry_bulb_c", "outdoor dry bulb temperature", -70.0, 65.0),
    Reading("dew_point_c", "dew point", -80.0, 45.0),
    Reading("humidity_frac", "relative humidity", 0.0, 1.0),
    Reading("flow_m3_s", "coolant flow, positive from supply to return", -20.0, 20.0),
    Reading("dp_pa", "differential pressure", -5e6, 5e6),
    Reading("supply_pressure_pa", "gauge pressure of the supply", -1.1e5, 5e6),
    Reading("return_pressure_pa", "gauge pressure of the return", -1.1e5, 5e6),
    Reading("filter_dp_pa", "pressure drop over the filter", -1e5, 5e6),
    Reading("heat_w", "heat removed by the coolant", -5e9, 5e9),
    Reading("pump_speed_frac", "pump speed", 0.0, 1.5),
    Reading("pump_hz", "pump rotation", 0.0, 1e3),
    Reading("fan_speed_frac", "fan speed", 0.0, 1.5),
    Reading("fan_hz", "fan rotation", 0.0, 2e3),
    Reading("valve_frac", "valve opening", 0.0, 1.0),
    Reading("coolant_level_frac", "coolant level in the reservoir", 0.0, 1.0),
    Reading("leak_frac", "1 while a leak is detected, 0 otherwise", 0.0, 1.0),
    Reading("utilisation_frac", "utilisation of the device", 0.0, 1.0),
    Reading("tensor_utilisation_frac", "utilisation of the matrix units of the device", 0.0, 1.0),
    Reading("memory_utilisation_frac", "utilisation of the memory bandwidth", 0.0, 1.0),
    Reading("clock_hz", "clock of the device", 0.0, 1e11),
    Reading("throttle_power_s", "counter of time throttled by power", 0.0, 1e12),
    Reading("throttle_thermal_s", "counter of time throttled by temperature", 0.0, 1e12),
)

READINGS: MappingProxyType[str, Reading] = MappingProxyType({r.name: r for r in _ALL})
"""Every quantity that may be stored, by name: the one place that lists them."""

COUNTERS = ("energy_j", "throttle_power_s", "throttle_thermal_s")
"""Quantities that only rise, until the counter restarts."""

TIME = pa.timestamp("us", tz="UTC")
CATEGORIES = ("element", "part", "quantity", "source", "implementation", "level", "quality")
"""Text columns of :data:`FACTS`, stored as dictionaries inside the Parquet files."""

FACTS: pa.Schema = pa.schema(
    [
        pa.field("time", TIME),
        pa.field("element", pa.string()),
        pa.field("part", pa.string()),
        pa.field("quantity", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("source", pa.string()),
        pa.field("implementation", pa.string()),
        pa.field("level", pa.string()),
        pa.field("quality", pa.string()),
        pa.field("day", pa.date32()),
    ]
)
"""The canonical table. ``part`` is a sub-element such as ``n3-gpu5`` or ``supply-2`` (empty for the element as a whole),
``source`` is ``vendor/file#digest``, ``day`` the UTC date that the store is partitioned by."""

QUARANTINE: pa.Schema = pa.schema(
    [
        pa.field("digest", pa.string()),
        pa.field("attempt", pa.int64()),
        pa.field("file", pa.string()),
        pa.field("row", pa.int64()),
        pa.field("column", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("value", pa.string()),
        pa.field("element", pa.string()),
        pa.field("time", pa.string()),
        pa.field("seen_at", TIME),
    ]
)
"""Readings that were refused: where they stood (``row`` counts data rows from 1), why, and the raw texts."""


def limits(quantity: str, level: str) -> tuple[float, float]:
    """Physical bounds of a quantity at a level [canonical unit].

    >>> limits("power_w", "device")
    (0.0, 20000.0)
    """
    reading = READINGS[quantity]
    if quantity in ("power_w", "output_power_w"):
        return reading.low, POWER_HIGH_W[level]
    return reading.low, reading.high
