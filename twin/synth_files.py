"""Vendor-shaped Parquet of the synthetic plant, with sensor noise and the faults that real telemetry has.

What is written reads like the real thing: DCGM exporter, MTIA exporter, OpenBMC supplies, Redfish CDU and PDU, plain rack
power and weather. Faults are planted: lost samples, a stuck temperature, a spike, an unknown rack, a negative power.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from topology.axes import Floats, Ints
from topology.plant import Plant
from topology.units import UNITS, from_canonical
from twin.state import SteadyState
from twin.synth import Hidden, hidden, rack_power_w, times, truth, utilisation, wet_bulb_c

HISTORY_DAYS, DETAIL_DAYS = 28, 2
HISTORY_STEP_S, DETAIL_STEP_S, DEVICE_STEP_S = 900.0, 60.0, 600.0
SUPPLIES = 4
"""Supplies reported for each power shelf."""
LOST_FRAC = 0.002
"""Share of samples that never arrive."""
POWER_NOISE_FRAC, TEMP_NOISE_C = 0.005, 0.2
"""Standard deviation of a power meter (class 0.5, IEC 62053-22) and of a temperature sensor."""

Write = Callable[[Path], int]


@dataclass(frozen=True)
class Plan:
    """One file that will be written: name, and the function that writes it and returns its rows."""

    name: str
    write: Write


def plans(plant: Plant, end: dt.datetime, seed: int = 0) -> Iterator[Plan]:
    """Every file of the synthetic telemetry, in order.

    Args:
        plant: the plant.
        end: first moment after the telemetry, with a zone; whole days before it are written.
        seed: seed of everything random.

    Yields:
        Four weekly files of quarter-hour rack power with weather, then for each of the last two days one file a vendor.
    """
    secret = hidden(plant, seed)
    detail = end - dt.timedelta(days=DETAIL_DAYS)
    start = detail - dt.timedelta(days=HISTORY_DAYS)
    steps = int((HISTORY_DAYS + DETAIL_DAYS) * 86400 / HISTORY_STEP_S)
    long = times(start, steps, HISTORY_STEP_S)
    u, wet = utilisation(plant, long, seed), wet_bulb_c(long, seed)
    for week in range(HISTORY_DAYS // 7):
        rows = slice(week * 7 * 96, (week + 1) * 7 * 96)
        rng = np.random.default_rng(np.random.SeedSequence((seed, 1, week)))
        make = partial(_history, plant, secret, long[rows], u[rows], wet[rows], rng)
        yield Plan(f"rack-power-week-{week + 1}.parquet", make)
    for day in range(DETAIL_DAYS):
        time = times(detail + dt.timedelta(days=day), int(86400 / DETAIL_STEP_S), DETAIL_STEP_S)
        yield from _detail(plant, secret, time, _resampled(long, u, time), _resampled(long, wet[:, None], time)[:, 0], seed, day)


def _resampled(long: np.ndarray, values: Floats, time: np.ndarray) -> Floats:
    """Hold the value of each quarter hour."""
    at = np.clip(np.searchsorted(long, time, side="right") - 1, 0, long.size - 1)
    return values[at]


def _history(plant: Plant, secret: Hidden, time: np.ndarray, u: Floats, wet: Floats, rng: np.random.Generator, path: Path) -> int:
    own = np.flatnonzero(plant.racks.drawing)
    power = rack_power_w(plant, u, secret)[:, own]
    names = np.array([*(plant.racks.ids[r] for r in own), "site"])
    values = np.concatenate([_noisy(power, rng), np.full((time.size, 1), np.nan)], axis=1)
    weather = np.full_like(values, np.nan)
    weather[:, -1] = wet + rng.normal(0.0, TEMP_NOISE_C, time.size)
    keep = np.isfinite(values) | np.isfinite(weather)
    t, e = np.nonzero(keep & (rng.random(keep.shape) > LOST_FRAC))
    rack_only = np.isfinite(values[t, e])
    table = {"time": _utc(time[t][rack_only]), "element": pa.array(names[e][rack_only]), "power_w": values[t, e][rack_only]}
    other = {"time": _utc(time[t][~rack_only]), "element": pa.array(names[e][~rack_only]), "wet_bulb_c": weather[t, e][~rack_only]}
    _write(path.with_name(path.name.replace("rack-power", "weather")), other)
    return _write(path, table) + int((~rack_only).sum())


def _detail(
    plant: Plant, secret: Hidden, time: np.ndarray, u: Floats, wet: Floats, seed: int, day: int
) -> Iterator[Plan]:  # fmt: skip
    power = rack_power_w(plant, u, secret)
    state = truth(plant, secret, power, wet)
    skus = [plant.racks.skus[k].name for k in plant.racks.sku]
    liquid = plant.racks.drawing & (plant.racks.manifold >= 0)
    plain = np.flatnonzero(plant.racks.drawing & ~liquid)
    mtia = np.array([s.startswith("mtia") for s in skus])
    devices = slice(0, None, int(DEVICE_STEP_S / DETAIL_STEP_S))

    def rng(k: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence((seed, 2, day, k)))

    name = f"day-{day + 1}.parquet"
    yield Plan(f"openbmc-psu-{name}", lambda p: _supplies(plant, state, time, np.flatnonzero(liquid), rng(0), p))
    yield Plan(f"rack-power-{name}", lambda p: _plain(plant, state, time, plain, rng(1), p))
    yield Plan(
        f"dcgm-{name}", lambda p: _devices(plant, state, u, time, np.flatnonzero(plant.racks.drawing & ~mtia), devices, rng(2), p, _DCGM)
    )
    yield Plan(
        f"mtia-{name}", lambda p: _devices(plant, state, u, time, np.flatnonzero(plant.racks.drawing & mtia), devices, rng(3), p, _MTIA)
    )
    yield Plan(f"redfish-cdu-{name}", lambda p: _cdus(plant, state, time, rng(4), p))
    yield Plan(f"redfish-pdu-{name}", lambda p: _busways(plant, state, time, rng(5), p))
    yield Plan(f"weather-{name}", lambda p: _weather(time, wet, rng(6), p))


_DCGM = ("Hostname", "gpu", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_GPU_UTIL", "timestamp")
_MTIA = ("host", "device", "MTIA_POWER_W", "MTIA_DIE_TEMP_C", "MTIA_UTIL_PCT", "time")


def _supplies(plant: Plant, state: SteadyState, time: np.ndarray, own: Ints, rng: np.random.Generator, path: Path) -> int:
    """OpenBMC rows: input and output of each supply; one rack reports a spike of a thousand times, which no supply can draw."""
    share = rng.dirichlet(np.full(SUPPLIES, 400.0), own.size)
    total = _noisy(state.loads.rack_w[:, own], rng)
    total_out = state.loads.it_w[:, own]
    t, r, s = np.nonzero(rng.random((time.size, own.size, SUPPLIES)) > LOST_FRAC)
    power = total[t, r] * share[r, s]
    power[power.size // 2] *= 1000.0
    names = np.array([plant.racks.ids[k] for k in own])
    return _write(path, {
        "time": _utc(time[t]), "rack": pa.array(names[r]), "device_address": pa.array(s.astype(np.int32)),
        "PSU_Input_Power": power, "PSU_Output_Power": total_out[t, r] * share[r, s],
        "PSU_Input_Voltage_AC": 240.0 + rng.normal(0.0, 0.8, t.size),
    })  # fmt: skip


def _plain(plant: Plant, state: SteadyState, time: np.ndarray, own: Ints, rng: np.random.Generator, path: Path) -> int:
    """Rack power rows, with one rack that is not on the site and one negative value."""
    t, r = np.nonzero(rng.random((time.size, own.size)) > LOST_FRAC)
    names = np.array([plant.racks.ids[k] for k in own], dtype=object)[r]
    power = _noisy(state.loads.rack_w[:, own], rng)[t, r]
    if names.size:
        names[names.size // 3] = "rack-nobody-knows"
        power[power.size // 4] *= -1.0
    return _write(path, {"time": _utc(time[t]), "element": pa.array(names, pa.string()), "power_w": power})


def _devices(
    plant: Plant, state: SteadyState, u: Floats, time: np.ndarray, own: Ints, rows: slice, rng: np.random.Generator, path: Path,
    columns: tuple[str, ...],
) -> int:  # fmt: skip
    """One row a device and time: power, die temperature, utilisation; the temperature of one device is stuck."""
    host, device, power_name, temp_name, use_name, time_name = columns
    parts: dict[str, list[np.ndarray]] = {c: [] for c in columns}
    stamps = time[rows]
    for r in own:
        sku = plant.racks.skus[plant.racks.sku[r]]
        count = max(sku.accelerators, 1)
        t, d = np.nonzero(rng.random((stamps.size, count)) > LOST_FRAC)
        spread = 1.0 + rng.normal(0.0, 0.02, count)
        temp = state.heat.chip_c[rows, r][t] + rng.normal(0.0, 1.0, count)[d] + rng.normal(0.0, TEMP_NOISE_C, t.size)
        if r == own[0]:
            temp[d == 0] = 55.0
        parts[host].append(np.full(t.size, plant.racks.ids[r], dtype=object))
        parts[device].append(d.astype(np.int64))
        parts[power_name].append(state.loads.chip_w[rows, r][t] * spread[d] * (1.0 + rng.normal(0.0, POWER_NOISE_FRAC, t.size)))
        parts[temp_name].append(np.round(temp, 1))
        parts[use_name].append(np.round(100.0 * u[rows, r][t]))
        parts[time_name].append(stamps[t])
    if not own.size:
        return 0
    table: dict[str, object] = {c: np.concatenate(v) for c, v in parts.items()}
    table[host] = pa.array(np.concatenate(parts[host]), pa.string()).dictionary_encode()
    table[time_name] = _utc(np.concatenate(parts[time_name]))
    return _write(path, table)


def _cdus(plant: Plant, state: SteadyState, time: np.ndarray, rng: np.random.Generator, path: Path) -> int:
    """Secondary connector of each CDU, as the Redfish profile for CDUs asks."""
    loop, cdus = plant.cdus.loop, plant.cdus
    flow = state.flow.cdu_kg_s / plant.loops.rho_kg_m3[loop]
    t, c = np.nonzero(rng.random((time.size, cdus.n)) > LOST_FRAC)
    back = state.heat.loop_return_c[:, loop][t, c]
    supply = state.heat.cdu_supply_c[t, c]
    return _write(path, {
        "Timestamp": _utc(time[t]), "CDU": pa.array(np.array(cdus.ids)[c]), "CoolantConnector": pa.array(["Secondary"] * t.size),
        "FlowLitersPerMinute": from_canonical(_noisy(flow, rng)[t, c], UNITS["lpm"]),
        "SupplyTemperatureCelsius": supply + rng.normal(0.0, TEMP_NOISE_C, t.size),
        "ReturnTemperatureCelsius": back + rng.normal(0.0, TEMP_NOISE_C, t.size),
        "HeatRemovedkW": from_canonical(state.heat.cdu_w[t, c], UNITS["kw"]),
    })  # fmt: skip


def _busways(plant: Plant, state: SteadyState, time: np.ndarray, rng: np.random.Generator, path: Path) -> int:
    """Power of each busway at its input circuit, every five minutes."""
    own = np.flatnonzero(np.array([k in ("busway", "pdu") for k in plant.power.kind]))
    rows = np.arange(0, time.size, 5)
    t, b = np.nonzero(rng.random((rows.size, own.size)) > LOST_FRAC)
    return _write(path, {
        "Timestamp": _utc(time[rows][t]), "PDU": pa.array(np.array(plant.power.ids)[own][b]), "Circuit": pa.array(["Mains"] * t.size),
        "PowerWatts": _noisy(state.power.out_w[np.ix_(rows, own)], rng)[t, b],
        "CurrentAmps": state.power.current_a[np.ix_(rows, own)][t, b],
    })  # fmt: skip


def _weather(time: np.ndarray, wet: Floats, rng: np.random.Generator, path: Path) -> int:
    return _write(path, {
        "time": _utc(time), "element": pa.array(["site"] * time.size), "wet_bulb_c": wet + rng.normal(0.0, TEMP_NOISE_C, time.size),
    })  # fmt: skip


def _noisy(values: Floats, rng: np.random.Generator) -> Floats:
    noisy: Floats = values * (1.0 + rng.normal(0.0, POWER_NOISE_FRAC, values.shape))
    return noisy


def _utc(time: np.ndarray) -> pa.Array:
    return pa.array(time.astype("datetime64[us]"), pa.timestamp("us", tz="UTC"))


def _write(path: Path, columns: dict[str, object]) -> int:
    """Write a file under a temporary name and move it into place."""
    table = pa.table(columns)
    temporary = path.with_suffix(".tmp")
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(path)
    return int(table.num_rows)
