"""A pod's recording in long form onto one grid: which sensor is what, by its quantity and name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.fidelity.beats import RACK, Beat, beat
from benchmarks.fidelity.frame import Told, read_columns, seconds
from topology.axes import Floats
from topology.errors import TelemetryError
from twin.forecast.calibrate import Grid, grid, resampled
from twin.forecast.gaps import held
from twin.forecast.pod import PodInput, PodMeasured, rack_mean

COLUMNS = ("time", "quantity", "sensor", "value")
HEAT, IT, FED = "thermal power", "electrical it power", "electrical power (in)"


@dataclass(frozen=True)
class PodFile:
    """A recording on its grid.

    Attributes:
        grid: the grid.
        racks: name of each rack.
        drive: inputs.
        measured: what is predicted.
        it_w: (T,) IT power as the plant's meter shows it, NaN where there is none.
        fed_w: (T,) all electrical power.
        readings: rows of the file.
        beats: how each sensor reads.
        strangers: sensors of temperature without one of power.
        refused: readings without a time or a number.
    """

    grid: Grid
    racks: tuple[str, ...]
    drive: PodInput
    measured: PodMeasured
    it_w: Floats
    fed_w: Floats
    readings: int
    beats: tuple[Beat, ...]
    strangers: tuple[str, ...]
    refused: int


class _Series:
    """All sensors of a file on the grid, by quantity and sensor."""

    def __init__(self, path: Path, step_s: float) -> None:
        table = read_columns(path, COLUMNS)
        time, value = seconds(table["time"]), table["value"].to_numpy(np.float64)
        usable = np.isfinite(value) & np.isfinite(time)
        if usable.sum() < 2:
            raise TelemetryError(f"{path.name} has no readings with a time and a value")
        self.readings, self.refused = len(table), int((~usable).sum())
        self.grid, self.beats = grid(time[usable], step_s), list[Beat]()
        self.at: dict[tuple[str, str], Floats] = {}
        for key, index in table.groupby(["quantity", "sensor"], observed=True, sort=True).indices.items():
            quantity, sensor = (str(k) for k in key)  # type: ignore[attr-defined]
            good = index[usable[index]]
            self.at[quantity, sensor] = resampled(self.grid, time[good], value[good])
            self.beats.append(beat(quantity, sensor, time[good], value[good]))

    def names(self, quantity: str, sensor: str = "") -> list[tuple[str, str]]:
        """Sensors whose quantity begins so and whose name has this in it."""
        return [(q, s) for q, s in self.at if q.startswith(quantity) and sensor in s.lower()]

    def mean(self, keys: list[tuple[str, str]]) -> Floats:
        """(T,) mean of those that read; NaN where none does."""
        if not keys:
            return np.full(self.grid.steps, np.nan)
        values = np.stack([self.at[k] for k in keys], axis=1)
        return rack_mean(values, np.ones(values.shape[1]))

    def racks(self, quantity: str) -> dict[str, list[tuple[str, str]]]:
        """Sensors of one quantity by rack; those of no rack stand under an empty name."""
        found: dict[str, list[tuple[str, str]]] = {}
        for key in (k for k in self.at if k[0] == quantity):
            match = RACK.search(key[1])
            found.setdefault(match.group(1) if match else "", []).append(key)
        return dict(sorted(found.items()))


def read_pod(path: Path, step_s: float, told: Told) -> PodFile:
    """Read a recording.

    Args:
        path: the file.
        step_s: step of the grid.
        told: told what is done.

    Returns:
        The recording, racks and sensors as the file has them.

    Raises:
        TelemetryError: the file cannot be read or has no power of servers.
    """
    told("reading")
    series = _Series(path, step_s)
    told(f"{series.readings:,} readings of {len(series.at):,} sensors on {series.grid.steps:,} steps")
    by_rack = series.racks("power")
    if not by_rack:
        raise TelemetryError(f"{path.name} has no quantity named power: nothing drives the pod")
    racks = tuple(by_rack)
    servers = np.asarray([float(len(by_rack[r])) for r in racks])
    each = held(np.stack([series.mean(by_rack[r]) for r in racks], axis=1))
    if not np.isfinite(each).any():
        raise TelemetryError(f"{path.name} has no server with two readings of power: nothing drives the pod")
    power = np.where(np.isfinite(each), each, rack_mean(each, servers)[:, None]) * servers
    drive = PodInput(
        step_s, power, servers, _columns(series, "fan_rpm", racks, np.ones),
        _filled(series.mean(series.names("cooler_fan_signal", "default")), 1.0),
        _filled(series.mean(series.names("cooler_fan_temperature", "setpoint")), 23.0),
    )  # fmt: skip
    measured = PodMeasured(
        heat_w=series.mean(series.names("power_in_vs_out", HEAT)),
        outlet_c=_columns(series, "temperature_outlet", racks, None),
        inlet_c=rack_mean(_columns(series, "temperature_inlet", racks, None), servers),
        return_c=series.mean(series.names("cooler_fan_temperature", "return")),
        supply_c=series.mean(series.names("cooler_fan_temperature", "discharge")),
        local_c={
            "front of the racks": series.mean(series.names("sensor_strips", "front")),
            "rear of the racks": series.mean(series.names("sensor_strips", "rear")),
            **{f"`{q}`": series.mean(series.names(q)) for q in sorted({q for q, _ in series.at if q.startswith("cold_aisle")})},
        },
    )
    reporting = {_server(s) for _, s in series.names("power") if RACK.search(s)}
    strangers = tuple(s for _, s in series.names("temperature_inlet") + series.names("temperature_outlet") if _server(s) not in reporting)
    return PodFile(
        series.grid, racks, drive, measured, series.mean(series.names("power_in_vs_out", IT)),
        series.mean(series.names("power_in_vs_out", FED)), series.readings, tuple(series.beats), strangers, series.refused,
    )  # fmt: skip


def _server(sensor: str) -> str:
    """The part of a sensor's name that names its server."""
    return next((p for p in sensor.split("_") if re.search(r"r\d+", p)), sensor)


def _columns(series: _Series, quantity: str, racks: tuple[str, ...], absent: Callable[[int], Floats] | None) -> Floats:
    """(T, R) of a quantity by rack; where a rack has no sensor the mean of all, where none has one ``absent`` or NaN."""
    found = series.racks(quantity)
    everyone = series.mean(series.names(quantity))
    out = np.stack([series.mean(found[r]) if r in found else everyone for r in racks], axis=1)
    if absent is None:
        return out
    return np.where(np.isfinite(held(out)), held(out), absent(series.grid.steps)[:, None])


def _filled(values: Floats, absent: float) -> Floats:
    """Values held over gaps; a command that nobody recorded is taken as constant."""
    closed = held(values[:, None])[:, 0]
    return np.where(np.isfinite(closed), closed, absent)
