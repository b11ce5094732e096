"""A measured pod of air-cooled racks: its constants from the first part of a recording, its heat and temperatures in the rest.

Inputs are commands and loads: power of the racks, speed of the servers' fans, signals and room set-point of the coolers. Everything
else that was measured is only looked at before the split. The run goes through from the first step to the last, so the state at the split
is the one that the first part led to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from topology.axes import Floats
from topology.errors import UsageError
from twin.forecast.calibrate.fit import Block, Calibration, calibrate
from twin.forecast.calibrate.priors import Prior
from twin.solvers.pod import AIR_J_KG_K, PodDrive, PodLaw, PodRun, run_pod

USUAL_RISE_K = 12.0
"""Rise of air through a server at mean power, to begin with: 10 to 20 K is what air-cooled servers are designed for (ASHRAE TC 9.9)."""
WATER_BELOW_K = 6.0
"""Chilled water below the coolers' set-point, an assumption: it only acts where a coil can no longer hold its set-point."""
START_S = 120.0
"""Time over which the heat at the begin is taken."""
LEAST_SPEED = 0.05
"""Air that moves without any fan, relative to the usual: own estimate; keeps a pod that is off solvable."""
HEAT_NOISE_FRAC, TEMP_NOISE_K = 0.02, 0.5
"""Noise that a fit begins with; it is then taken from the residuals."""


@dataclass(frozen=True)
class PodInput:
    """What drives the pod (T steps, R racks).

    Attributes:
        step_s: length of a step.
        rack_w: (T, R) power that the servers of each rack report.
        servers: (R,) servers of each rack.
        speed: (T, R) mean speed of the servers' fans, any unit.
        signal: (T,) mean signal of the coolers' fans, any unit.
        room_c: (T,) set-point of the room.
    """

    step_s: float
    rack_w: Floats
    servers: Floats
    speed: Floats
    signal: Floats
    room_c: Floats


@dataclass(frozen=True)
class PodMeasured:
    """What is predicted, (T,) each, NaN where there is no measurement or it is quarantined.

    Attributes:
        heat_w: heat that leaves with the coolers' water.
        outlet_c: (T, R) mean of the servers' outlets in each rack.
        inlet_c: mean of the servers' inlets.
        return_c: air that enters the coolers.
        supply_c: air that leaves the coolers.
        local_c: sensors elsewhere, by name: somewhere between cold and hot aisle.
    """

    heat_w: Floats
    outlet_c: Floats
    inlet_c: Floats
    return_c: Floats
    supply_c: Floats
    local_c: dict[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class PodFit:
    """A calibrated pod.

    Attributes:
        calibration: the constants.
        run: (T, ...) the whole course, driven by inputs alone.
        heat_w: (T,) predicted heat.
        outlet_c: (T, R) predicted outlet of each rack, with the bias of its sensors.
        inlet_c: (T,) predicted inlet.
        return_c: (T,) predicted return.
        supply_c: (T,) predicted supply.
        local_c: predicted sensors elsewhere.
        warmth: for each of those its place between cold (0) and hot aisle (1).
    """

    calibration: Calibration
    run: PodRun
    heat_w: Floats
    outlet_c: Floats
    inlet_c: Floats
    return_c: Floats
    supply_c: Floats
    local_c: dict[str, Floats]
    warmth: dict[str, float]


def pod_priors(drive: PodInput, split: int, start_w: float) -> tuple[Prior, ...]:
    """What is known of any pod beforehand: sizes from its load, times from the literature.

    Args:
        drive: inputs.
        split: first step that must not fit.
        start_w: heat at the begin, as measured.

    Returns:
        A prior for each constant.

    Raises:
        UsageError: no rack reports power in the part that fits.
    """
    load = float(drive.rack_w[:split].sum(axis=1).mean())
    if not load > 0.0:
        raise UsageError("the racks report no power in the part that fits")
    flow = load / (AIR_J_KG_K * USUAL_RISE_K)
    capacity = flow * AIR_J_KG_K

    def about(name: str, value: float, factor: float, source: str) -> Prior:
        return Prior(name, value, (value / factor, value * factor), source, log=True)

    return (
        Prior("gain", 1.0, (0.85, 1.15), "supplies and meters of servers: READ_PIN within 5 %, supplies above 90 %", bounds=(0.5, 2.0)),
        Prior("other_w", 0.1 * load, (0.0, 0.3 * load), "fans, switches and servers that do not report: own estimate", bounds=(0.0, load)),
        about("server_kg_s", flow, 2.5, "rise of 12 K, to a factor"),
        about("cooler_kg_s", flow, 2.5, "coolers move about what servers draw, to a factor"),
        about("server_lag_s", 300.0, 3.0, "servers have time constants of several minutes (Erden et al., InterPACK 2013)"),
        about("air_lag_s", 60.0, 4.0, "air of an aisle is renewed about once a minute, with what hangs in it: own estimate"),
        about("wall_w_k", 0.3 * capacity, 5.0, "racks, floor and walls, about 5 W/(m2 K): own estimate"),
        about("wall_lag_s", 1800.0, 4.0, "sheet metal and board to concrete: own estimate"),
        Prior("supply_c", 18.0, (10.0, 27.0), "ASHRAE TC 9.9 recommended range and below", bounds=(0.0, 40.0)),
        about("meter_lag_s", 60.0, 3.0, "content of a coil over its water flow: own estimate"),
        about("leak_w_k", 0.02 * capacity, 3.0, "walls of a room in a room: own estimate"),
        Prior("around", 0.1, (0.0, 0.25), "recirculation in contained and open pods: own estimate", bounds=(0.0, 0.6)),
        about("coil_ntu", 3.0, 1.6, "coils of row and room coolers: own estimate"),
        Prior("start_w", start_w, (start_w - 0.2 * load, start_w + 0.2 * load), "heat measured at the begin", bounds=(1.0, 10.0 * load)),
        Prior("wall_start_k", 0.0, (-5.0, 5.0), "the pod need not start settled: own estimate"),
    )


def fit_pod(drive: PodInput, measured: PodMeasured, split: int) -> PodFit:
    """Fit the constants of a pod before the split, and run it through the whole time.

    Args:
        drive: inputs of the whole time.
        measured: measurements; those from the split on are not looked at.
        split: first step that must not fit.

    Returns:
        The calibrated pod.
    """
    scaled = _scaled(drive, split)
    before = PodDrive(scaled.rack_w[:split], scaled.rack_share, scaled.speed[:split], scaled.signal[:split], scaled.room_c[:split])
    load = float(drive.rack_w[:split].sum(axis=1).mean())
    outlet, heat = rack_mean(measured.outlet_c, drive.servers)[:split], measured.heat_w[:split]

    def model(values: dict[str, float]) -> Sequence[Block]:
        course = run_pod(_law(values), before, drive.step_s)
        pairs = (
            ("heat", course.heat_w - heat, HEAT_NOISE_FRAC * load),
            ("outlet", _unbiased(course.outlet_c @ before.rack_share - outlet), TEMP_NOISE_K),
            ("inlet", _unbiased(course.inlet_c - measured.inlet_c[:split]), TEMP_NOISE_K),
            ("return", _unbiased(course.hot_c - measured.return_c[:split]), TEMP_NOISE_K),
            ("supply", course.supply_c - measured.supply_c[:split], TEMP_NOISE_K),
        )
        return [Block(name, r, scale) for name, r, scale in pairs if np.isfinite(r).any()]

    calibration = calibrate(model, pod_priors(drive, split, _start(drive, measured, split)))
    course = run_pod(_law(calibration.values), scaled, drive.step_s)
    local = {n: _placed(course, y, split) for n, y in measured.local_c.items()}
    return PodFit(
        calibration=calibration,
        run=course,
        heat_w=course.heat_w,
        outlet_c=course.outlet_c + _bias((measured.outlet_c - course.outlet_c)[:split]),
        inlet_c=course.inlet_c + _bias((measured.inlet_c - course.inlet_c)[:split]),
        return_c=course.hot_c + _bias((measured.return_c - course.hot_c)[:split]),
        supply_c=course.supply_c,
        local_c={n: series for n, (series, _) in local.items()},
        warmth={n: warmth for n, (_, warmth) in local.items()},
    )


def rack_mean(values: Floats, servers: Floats) -> Floats:
    """(T,) mean over racks of values (T, R), weighted by their servers (R,); racks without a value are left out."""
    weight = np.isfinite(values) * servers
    total = weight.sum(axis=1)
    mean: Floats = np.full(values.shape[0], np.nan)
    np.divide((np.nan_to_num(values) * weight).sum(axis=1), total, out=mean, where=total > 0.0)
    return mean


def _scaled(drive: PodInput, split: int) -> PodDrive:
    """The drive with speeds and signals relative to their means in the part that fits."""
    share = drive.servers / drive.servers.sum()
    speed = drive.speed / float((drive.speed[:split] * share).sum(axis=1).mean())
    signal = drive.signal / float(drive.signal[:split].mean())
    return PodDrive(drive.rack_w, share, np.maximum(speed, LEAST_SPEED), np.maximum(signal, LEAST_SPEED), drive.room_c)


def _start(drive: PodInput, measured: PodMeasured, split: int) -> float:
    """Heat at the begin: the first few that were measured, or the power of the racks where none was."""
    first = measured.heat_w[: min(max(round(START_S / drive.step_s), 1), split)]
    first = first[np.isfinite(first)]
    return float(np.median(first)) if first.size else float(drive.rack_w[0].sum())


def _law(values: dict[str, float]) -> PodLaw:
    return PodLaw(**values, water_c=values["supply_c"] - WATER_BELOW_K)


def _bias(error: Floats) -> Floats:
    """Mean error by column; 0 where there is none."""
    good = np.isfinite(error)
    return np.asarray(np.nan_to_num(error).sum(axis=0) / np.maximum(good.sum(axis=0), 1))


def _unbiased(error: Floats) -> Floats:
    return error - _bias(error)


def _placed(course: PodRun, y: Floats, split: int) -> tuple[Floats, float]:
    """A sensor somewhere in the pod: cold aisle plus a share of the way to the hot one, plus its bias."""
    way = course.hot_c - course.cold_c
    seen = np.isfinite(y) & (np.arange(y.size) < split)
    if seen.sum() < 3 or float(np.ptp(way[seen])) < 1e-6:
        return np.full(y.size, np.nan), float("nan")
    columns = np.stack([way[seen], np.ones(int(seen.sum()))], axis=1)
    warmth = float(np.clip(np.linalg.lstsq(columns, (y - course.cold_c)[seen], rcond=None)[0][0], 0.0, 1.5))
    line = course.cold_c + warmth * way
    return line + _bias((y - line)[:split]), warmth
