"""Small made-up recordings in the layout of the real ones, with a truth that is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from topology.axes import Floats
from twin.forecast.supply import input_w
from twin.solvers.pod import PodDrive, PodLaw, PodRun, run_pod

LAW = PodLaw(
    gain=1.04, other_w=1500.0, server_kg_s=0.9, cooler_kg_s=1.1, server_lag_s=250.0, air_lag_s=60.0, wall_w_k=350.0, wall_lag_s=1500.0,
    supply_c=17.0, meter_lag_s=80.0, leak_w_k=20.0, around=0.08, coil_ntu=3.0, water_c=11.0, start_w=0.0, wall_start_k=0.0,
)  # fmt: skip
START = pd.Timestamp("2031-03-04T05:00:00+01:00")
STEP_S, HOURS, RACKS, SERVERS = 10.0, 6, 2, 3
SUPPLY = {"a_w": 100.0, "b_frac": 0.01, "c_per_w": 2.5e-6, "gain": 1.02}


def pod_run() -> tuple[Floats, PodDrive, PodRun]:
    """Time in seconds, drive and course of the hidden pod."""
    time = np.arange(0.0, HOURS * 3600.0, STEP_S)
    level = np.asarray([4e3, 11e3, 5e3, 12e3, 4e3, 10e3, 5e3, 12e3])[(time // 2700.0).astype(int)]
    share = np.full(RACKS, 1.0 / RACKS)
    drive = PodDrive(level[:, None] * share, share, np.ones((time.size, RACKS)), np.ones(time.size), np.full(time.size, 23.0))
    return time, drive, run_pod(LAW, drive, STEP_S)


def _readings(rng: np.random.Generator) -> Iterator[tuple[str, str, Floats, Floats]]:
    """Quantity, sensor, times and values, each sensor at times of its own."""
    time, drive, run = pod_run()

    def seen(values: Floats, every_s: float, noise: float, digits: int = 2) -> tuple[Floats, Floats]:
        at = np.arange(rng.uniform(0.0, every_s), time[-1], every_s) + rng.uniform(-0.5, 0.5)
        at = at[(at >= 0.0) & (at <= time[-1])]
        return at, np.round(np.interp(at, time, values) + rng.normal(0.0, noise, at.size), digits)

    for r in range(RACKS):
        for s in range(SERVERS):
            name = f"p07r{r + 1:02d}c01srv{s + 1:02d}"
            yield "power", f"power_{name}", *seen(drive.rack_w[:, r] / SERVERS, 120.0, 10.0, 0)
            yield "fan_rpm", f"speed_{name}_fan_rpm", *seen(np.full(time.size, 2000.0), 120.0, 20.0, 0)
            yield "temperature_inlet", f"temperature_{name}_inlet", *seen(run.inlet_c + 2.0, 120.0, 0.3)
            yield "temperature_outlet", f"temperature_{name}_outlet", *seen(run.outlet_c[:, r] + 3.0, 120.0, 0.3)
    heat = run.heat_w.copy()
    heat[1700:1712] = 500.0
    it = drive.rack_w.sum(axis=1) + LAW.other_w
    yield "power_in_vs_out", "Thermal power (out)", *seen(heat, 30.0, 100.0, 0)
    yield "power_in_vs_out", "Electrical IT power", *seen(it, 30.0, 50.0, 0)
    yield "power_in_vs_out", "Electrical power (in)", *seen(1.05 * it, 30.0, 50.0, 0)
    yield "cooler_fan_signal01", "signal_default", *seen(np.full(time.size, 40.0), 30.0, 0.2)
    yield "cooler_fan_temperature01", "Room setpoint", *seen(np.full(time.size, 23.0), 30.0, 0.0)
    yield "cooler_fan_temperature01", "discharge", *seen(run.supply_c, 30.0, 0.1)
    yield "cooler_fan_temperature01", "return0", *seen(run.hot_c + 0.5, 30.0, 0.1)
    yield "cold_aisle_sensor_strip", "temperature_0", *seen(run.hot_c - 1.0, 5.0, 0.1)


def write_pod(folder: Path, name: str = "ice-pod2-made-up.parquet") -> Path:
    """A pod's recording: heat drops out for two minutes, one sensor has a hole of an hour, a tenth of the rows stand in any order."""
    rng, parts = np.random.default_rng(0), []
    for quantity, sensor, at, value in _readings(rng):
        if sensor == "power_p07r01c01srv01":
            keep = (at < 3600.0) | (at > 7200.0)
            at, value = at[keep], value[keep]
        stamps = (START + pd.to_timedelta(at, unit="s")).strftime("%Y-%m-%dT%H:%M:%S+01:00")
        parts.append(pd.DataFrame({"time": stamps, "quantity": quantity, "sensor": sensor, "value": value}))
    table = pd.concat(parts, ignore_index=True).sample(frac=1.0, random_state=1)
    table.astype({"quantity": "category", "sensor": "category"}).to_parquet(folder / name)
    return folder / name


def write_nodes(folder: Path, name: str = "h100-training-made-up.parquet") -> Path:
    """Five nodes, two of them copies; AC and DC read at moments of their own, DC with a gain of 1.02."""
    rng, parts = np.random.default_rng(1), []
    for node in range(3):
        at = np.arange(0.0, 1800.0, 2.0) + rng.uniform(0.0, 1.0)
        output = 6e3 + 100.0 * node + rng.normal(0.0, 300.0, at.size)
        other = 6e3 + 100.0 * node + rng.normal(0.0, 600.0, at.size)
        stamps = START.tz_convert("UTC") + pd.to_timedelta(np.round(at, 3), unit="s")
        one = pd.DataFrame({"time": stamps, "ac_power_w": input_w(SUPPLY, output), "dc_power_w": SUPPLY["gain"] * other})
        parts += [one.assign(node=f"node_{node}"), *([one.assign(node=f"copy_{node}")] if node else [])]
    pd.concat(parts, ignore_index=True)[["node", "time", "ac_power_w", "dc_power_w"]].to_parquet(folder / name)
    return folder / name


CLUSTER_TRUTH = {"base_w": 4000.0, "core_w": 7.5, "exponent": 0.65}


def write_cluster(folder: Path, name: str = "surf-cluster-made-up.parquet", hours: float = 40.0, step_s: float = 60.0) -> Path:
    """A cluster of jobs of 8 cores: known curve at 1,500 MHz a core, a base that loses a fifth over the recording, a hole of an hour."""
    rng = np.random.default_rng(2)
    time = np.arange(0.0, hours * 3600.0, step_s)
    spells = rng.integers(0, 10**6, time.size)[(time // 1500.0).astype(int)]
    jobs = 40 + spells % 61
    demand = 8 * jobs * (700.0 + (spells // 61) % 1400)
    cores = 8.0 * jobs
    base = CLUSTER_TRUTH["base_w"] * (1.0 - 0.2 * time / time[-1])
    power = base + CLUSTER_TRUTH["core_w"] * cores * (demand / (cores * 1500.0)) ** CLUSTER_TRUTH["exponent"]
    power += rng.normal(0.0, 40.0, time.size)
    stamps = START.tz_convert("UTC") + pd.to_timedelta(time, unit="s")
    table = pd.DataFrame(
        {"time": stamps, "power_w": power, "cpu_demand_mhz": demand.astype(float), "busy_cores": cores, "running_tasks": jobs}
    )
    hole = (time > 6 * 3600.0) & (time < 7 * 3600.0)
    table[~hole].sample(frac=1.0, random_state=3).to_parquet(folder / name)
    return folder / name


METER = {"fixed_va": 300.0, "frac": 0.05, "idle_w": 1500.0}
SHARES, OFFSETS_W = (0.5, 0.3, 0.2), (20.0, -15.0, -5.0)


def write_meter(folder: Path, name: str = "h200-inference-meter-made-up.parquet", peaks_kw: tuple[float, ...] = (4, 5, 6, 5, 4.5)) -> Path:
    """One node through workloads that idle for two minutes and run for five: known shares and reactive power, days between them."""
    rng, parts = np.random.default_rng(5), []
    for k, peak in enumerate(peaks_kw):
        power = np.r_[np.full(120, METER["idle_w"]), np.full(300, 1e3 * peak)] + rng.normal(0.0, 5.0, 420)
        power[200] += 400.0
        stamps = START.tz_convert("UTC") + pd.Timedelta(days=k) + pd.to_timedelta(np.arange(420.0), unit="s")
        one = pd.DataFrame({"workload": f"w{k}", "time": stamps, "power_w": power})
        one["power_factor"] = power / np.hypot(power, METER["fixed_va"] + METER["frac"] * power)
        for s, (share, offset) in enumerate(zip(SHARES, OFFSETS_W, strict=True)):
            one[f"supply{s + 1}_power_w"] = share * power + offset
        parts.append(one)
    pd.concat(parts[::-1], ignore_index=True).to_parquet(folder / name)
    return folder / name


def write_groups(folder: Path, name: str = "frontier-cdu-made-up.parquet", hours: float = 1.0, step_s: float = 60.0) -> Path:
    """Twenty-five groups at 600 kW that all rise to 900 kW over four minutes at half time, but for the first, which stays below idle."""
    time = np.arange(0.0, hours * 3600.0, step_s)
    middle = hours * 1800.0
    shape = 600e3 + 300e3 * np.clip((time - middle) / 240.0, 0.0, 1.0)
    table = {"time": time, "power[1]": np.full(time.size, 150e3), **{f"power[{g}]": shape for g in range(2, 26)}}
    pd.DataFrame({**table, "OA Wetbulb Temp": np.full(time.size, 12.0)}).to_parquet(folder / name)
    return folder / name
