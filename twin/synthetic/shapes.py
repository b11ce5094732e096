"""Vendor-shaped Parquet of what the meters of a synthetic plant read.

DCGM and MTIA exporters, OpenBMC supplies, Redfish CDUs and PDUs, plain rack power, weather; the project's own long table for the
rest. A sum over the parts of an element (supplies of a shelf), or the mean over its devices, is what the meter of the element reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from telemetry.schema import SITE
from topology.axes import Floats, Ints
from topology.units import UNITS, from_canonical
from twin.forecast.gaps import held
from twin.observe import CHANNELS, PRIMARY, SECONDARY
from twin.synthetic.faults import UTILISATION, WET_BULB, Readings
from twin.synthetic.observe import World
from twin.synthetic.secret import shelved
from twin.synthetic.streams import stream

SUPPLIES = 4
"""Supplies reported for each power shelf."""
DEVICE_SPREAD_FRAC, DEVICE_OFFSET_K, DEVICE_NOISE_FRAC, DEVICE_NOISE_K, DEVICE_BUSY = 0.02, 1.0, 0.005, 0.2, 0.02
"""Standard deviation among the accelerators of a rack: of power and temperature throughout, and of power, temperature and utilisation
from reading to reading."""
STRANGER = "rack-nobody-knows"
"""Element of the one row of each plain file that no site has."""


@dataclass(frozen=True)
class Sheet:
    """Readings of a stretch of time, ready to be written.

    Attributes:
        world: the plant.
        time: (T,) UTC.
        readings: (T, n) by channel.
        name: what random splits among parts are drawn by, besides the seed.
        dirty: rows that no meter can have read are mixed in, as real files have them.
    """

    world: World
    time: np.ndarray
    readings: Readings
    name: str
    dirty: bool

    def rng(self, name: str) -> np.random.Generator:
        """Random numbers of one file."""
        return stream(self.world.seed, "file", self.name, name)


def rack_power(sheet: Sheet, own: Ints, path: Path) -> int:
    """One row a rack and time; where dirty, one rack is not on the site and one power is negative."""
    t, r = np.nonzero(np.isfinite(sheet.readings["rack power"][:, own]))
    names = np.array([sheet.world.plant.racks.ids[k] for k in own], dtype=object)[r]
    power = sheet.readings["rack power"][:, own][t, r]
    if sheet.dirty and names.size:
        names[names.size // 3] = STRANGER
        power[power.size // 4] *= -1.0
    return write(path, {"time": utc(sheet.time[t]), "element": pa.array(names, pa.string()), "power_w": power})


def shelf_output(sheet: Sheet, own: Ints, path: Path) -> int:
    """Output of power shelves, one row a rack and time."""
    values = sheet.readings["rack output power"][:, own]
    t, r = np.nonzero(np.isfinite(values))
    names = np.array([sheet.world.plant.racks.ids[k] for k in own])
    return write(path, {"time": utc(sheet.time[t]), "element": pa.array(names[r]), "output_power_w": values[t, r]})


def supplies(sheet: Sheet, own: Ints, path: Path) -> int:
    """OpenBMC rows: input and output of each supply; where dirty, one reports a thousand times what it draws."""
    rng = stream(sheet.world.seed, "supplies")
    share = rng.dirichlet(np.full(SUPPLIES, 400.0), sheet.world.plant.racks.n)[own]
    total, out = sheet.readings["rack power"][:, own], sheet.readings["rack output power"][:, own]
    t, r, s = np.nonzero(np.repeat((np.isfinite(total) & np.isfinite(out))[:, :, None], SUPPLIES, axis=2))
    power = total[t, r] * share[r, s]
    if sheet.dirty and power.size:
        power[power.size // 2] *= 1000.0
    names = np.array([sheet.world.plant.racks.ids[k] for k in own])
    return write(path, {
        "time": utc(sheet.time[t]), "rack": pa.array(names[r]), "device_address": pa.array(s.astype(np.int32)),
        "PSU_Input_Power": np.round(power), "PSU_Output_Power": np.round(out[t, r] * share[r, s]),
        "PSU_Input_Voltage_AC": np.round(240.0 + sheet.rng("supplies").normal(0.0, 0.8, t.size), 1),
    })  # fmt: skip


DCGM = ("Hostname", "gpu", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_GPU_UTIL", "timestamp")
MTIA = ("host", "device", "MTIA_POWER_W", "MTIA_DIE_TEMP_C", "MTIA_UTIL_PCT", "time")


def devices(sheet: Sheet, own: Ints, every: int, columns: tuple[str, ...], path: Path) -> int:
    """One row a device and time: power, die temperature, utilisation; a temperature that stands still does so in every device."""
    racks, readings, rng = sheet.world.plant.racks, sheet.readings, sheet.rng(columns[0])
    parts: dict[str, list[np.ndarray]] = {c: [] for c in columns}
    rows = slice(0, None, every)
    stamps = sheet.time[rows]
    for r in own:
        count = max(racks.skus[racks.sku[r]].accelerators, 1)
        spread, offset = _among(sheet.world.seed, racks.ids[r], count)
        power, temp, busy = (readings[n][rows, r] for n in ("chip power", "chip temperature", UTILISATION))
        still = held(temp[:, None])[:, 0]
        moves = (np.diff(still, prepend=still[:1]) != 0.0).astype(np.float64)
        t, d = np.nonzero(np.repeat((np.isfinite(power) & np.isfinite(temp) & np.isfinite(busy))[:, None], count, axis=1))
        one = rng.standard_normal((3, t.size))
        values = (
            np.full(t.size, racks.ids[r], dtype=object), d.astype(np.int64),
            np.round(power[t] * spread[d] * (1.0 + DEVICE_NOISE_FRAC * one[0]), 2),
            np.round(temp[t] + offset[d] + DEVICE_NOISE_K * one[1] * moves[t], 1),
            np.round(100.0 * np.clip(busy[t] + DEVICE_BUSY * one[2], 0.0, 1.0)), stamps[t],
        )  # fmt: skip
        for column, value in zip(columns, values, strict=True):
            parts[column].append(value)
    if not own.size:
        return 0
    table: dict[str, object] = {c: np.concatenate(v) for c, v in parts.items()}
    table[columns[0]] = pa.array(np.concatenate(parts[columns[0]]), pa.string()).dictionary_encode()
    table[columns[-1]] = utc(np.concatenate(parts[columns[-1]]))
    return write(path, table)


def _among(seed: int, rack: str, count: int) -> tuple[Floats, Floats]:
    """Power of each device over the mean of its rack, and how much warmer it is, both without an effect on that mean."""
    one = stream(seed, "devices", rack).standard_normal((2, count))
    one -= one.mean(axis=1, keepdims=True)
    return 1.0 + DEVICE_SPREAD_FRAC * one[0], DEVICE_OFFSET_K * one[1]


_OF_CDU: tuple[tuple[str, dict[str, tuple[str, str]]], ...] = (
    (SECONDARY, {
        "FlowLitersPerMinute": ("CDU flow", "lpm"), "SupplyTemperatureCelsius": ("CDU supply temperature", "c"),
        "ReturnTemperatureCelsius": ("CDU return temperature", "c"), "HeatRemovedkW": ("CDU heat", "kw"),
        "DeltaPressurekPa": ("CDU pressure", "kpa"),
    }),
    (PRIMARY, {
        "FlowLitersPerMinute": ("CDU facility flow", "lpm"), "SupplyTemperatureCelsius": ("CDU facility supply temperature", "c"),
        "ReturnTemperatureCelsius": ("CDU facility return temperature", "c"), "ValvePositionPercent": ("CDU valve", "pct"),
    }),
    ("Pump1", {"PumpSpeedPercent": ("CDU pump speed", "pct")}),
    ("Unit", {"PowerWatts": ("CDU power", "w")}),
)  # fmt: skip
"""Resources of a CDU with the columns that each fills: channel and unit."""


DIGITS = 2
"""Decimals that controllers of CDUs show."""


def cdus(sheet: Sheet, every: int, path: Path) -> int:
    """Both connectors of each CDU as the Redfish profile for CDUs asks, its pumps and its own power (``every`` so many steps)."""
    axis = sheet.world.plant.cdus
    columns = list(dict.fromkeys(c for _, fills in _OF_CDU for c in fills))
    table: dict[str, list[np.ndarray]] = {c: [] for c in ("Timestamp", "CDU", "CoolantConnector", *columns)}
    for resource, fills in _OF_CDU:
        rows = slice(0, None, 1 if resource in (SECONDARY, PRIMARY) else every)
        values = {c: np.round(from_canonical(sheet.readings[channel][rows], UNITS[unit]), DIGITS) for c, (channel, unit) in fills.items()}
        t, n = np.nonzero(np.any([np.isfinite(v) for v in values.values()], axis=0))
        table["Timestamp"].append(sheet.time[rows][t])
        table["CDU"].append(np.array(axis.ids, dtype=object)[n])
        table["CoolantConnector"].append(np.full(t.size, resource, dtype=object))
        for c in columns:
            table[c].append(values[c][t, n] if c in values else np.full(t.size, np.nan))
    joined: dict[str, object] = {c: pa.array(np.concatenate(table[c]), pa.float64(), from_pandas=True) for c in columns}
    texts = {c: pa.array(np.concatenate(table[c]), pa.string()).dictionary_encode() for c in ("CDU", "CoolantConnector")}
    return write(path, {"Timestamp": utc(np.concatenate(table["Timestamp"])), **texts, **joined})


def circuits(sheet: Sheet, every: int, path: Path) -> int:
    """Input of each board and busway at its mains, and both cords of each rack at its taps."""
    plant, rows = sheet.world.plant, slice(0, None, every)
    blocks = (
        ("feed power", plant.power.ids, "Mains"),
        ("cord A power", tuple(f"{r}-A" for r in plant.racks.ids), None),
        ("cord B power", tuple(f"{r}-B" for r in plant.racks.ids), None),
    )
    time, name, circuit, power = [], [], [], []
    for channel, ids, what in blocks:
        values = sheet.readings[channel][rows]
        t, n = np.nonzero(np.isfinite(values))
        time.append(sheet.time[rows][t])
        name.append(np.array(ids, dtype=object)[n])
        circuit.append(np.full(t.size, what, dtype=object))
        power.append(values[t, n])
    return write(path, {
        "Timestamp": utc(np.concatenate(time)), "PDU": pa.array(np.concatenate(name), pa.string()).dictionary_encode(),
        "Circuit": pa.array(np.concatenate(circuit), pa.string()).dictionary_encode(), "PowerWatts": np.concatenate(power),
    })  # fmt: skip


FACILITY = (
    "UPS input power", "UPS output power", "utility power", "loop supply temperature", "loop return temperature", "tower fan speed",
    "dry cooler fan speed", "rack flow", "rack inlet air",
)  # fmt: skip
"""Channels that go into the long table."""


def long_table(sheet: Sheet, names: Sequence[str], every: int, path: Path) -> int:
    """Channels in the project's own long table; utilisation is that of each rack's nodes."""
    parts: dict[str, list[np.ndarray]] = {c: [] for c in ("time", "element", "quantity", "level", "value")}
    for name in names:
        if name not in sheet.readings:
            continue
        values = sheet.readings[name][::every]
        busy = name == UTILISATION
        quantity, level = ("utilisation_frac", "node") if busy else (CHANNELS[name].quantity, CHANNELS[name].level)
        ids = sheet.world.plant.racks.ids if busy else CHANNELS[name].elements(sheet.world.plant)
        t, n = np.nonzero(np.isfinite(values))
        parts["time"].append(sheet.time[::every][t])
        parts["element"].append(np.array(ids, dtype=object)[n])
        parts["quantity"].append(np.full(t.size, quantity, dtype=object))
        parts["level"].append(np.full(t.size, level, dtype=object))
        parts["value"].append(values[t, n])
    texts = {c: pa.array(np.concatenate(parts[c]), pa.string()).dictionary_encode() for c in ("element", "quantity", "level")}
    rows = len(texts["element"])
    how = {c: pa.array([v] * rows).dictionary_encode() for c, v in (("implementation", "PhysicalSensor"), ("quality", "good"))}
    return write(path, {"time": utc(np.concatenate(parts["time"])), **texts, "value": np.concatenate(parts["value"]), **how})


def weather(sheet: Sheet, path: Path) -> int:
    """Outdoor wet bulb."""
    return write(
        path, {"time": utc(sheet.time), "element": pa.array([SITE] * sheet.time.size), "wet_bulb_c": sheet.readings[WET_BULB][:, 0]}
    )


def shelf_racks(world: World) -> Ints:
    """Racks that report through a power shelf."""
    return np.flatnonzero(shelved(world.plant))


def utc(time: np.ndarray) -> pa.Array:
    """Times as Parquet holds them."""
    return pa.array(time.astype("datetime64[us]"), pa.timestamp("us", tz="UTC"))


def write(path: Path, columns: dict[str, object]) -> int:
    """Write a file under a temporary name and move it into place; rows."""
    table = pa.table(columns)
    temporary = path.with_suffix(".tmp")
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(path)
    return int(table.num_rows)
