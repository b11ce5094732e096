"""A plant with hidden constants and hidden sensor errors, drawn from their priors, read by its meters over a week or so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from telemetry.bins import Window
from topology.axes import Floats
from topology.overlay import FACTORS, Constant, laid_over
from topology.plant import Plant
from twin.forecast.calibrate.batch import at
from twin.forecast.calibrate.constants import PRIORS, SENSORS
from twin.forecast.calibrate.seen import Seen, looked_at
from twin.loads import from_power
from twin.observe import CHANNELS, Channel
from twin.solvers.steady import solve_steady
from twin.state import Ambient, SteadyState
from twin.synthetic import days
from twin.synthetic.observe import rack_power_w

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Hidden:
    """What nobody who reads the meters knows.

    Attributes:
        plant: the plant as the catalog has it.
        factor: (n,) hidden factors by name, on the factor's axis.
        gain: (n,) gains of each channel.
        bias: (n,) biases of each channel.
        state: true state.
        expected: what the catalog's plant makes of the same loads.
        read: (T, n) readings by channel.
    """

    plant: Plant
    factor: Mapping[str, Floats]
    gain: Mapping[str, Floats]
    bias: Mapping[str, Floats]
    state: SteadyState
    expected: SteadyState
    read: Mapping[str, Floats]


def hidden(
    plant: Plant, factors: tuple[str, ...], channels: tuple[str, ...], seed: int, steps: int = 256, step_s: float = 900.0,
    noise: float = 0.3, wet_c: float = 12.0,
) -> Hidden:  # fmt: skip
    """Draw, solve and read.

    Args:
        plant: the plant as the catalog has it.
        factors: constants that are hidden; others are those of the catalog.
        channels: meters that are read.
        seed: seed of everything.
        steps: samples.
        step_s: time between them.
        noise: share of each channel's usual noise (a sample is the mean of several readings).
        wet_c: mean outdoor wet bulb.
    """
    rng = np.random.default_rng(seed)
    factor = {n: at(PRIORS[n], rng.standard_normal(getattr(plant, FACTORS[n].axis).n)) for n in factors}
    real = laid_over(plant, _rows(plant, factor))
    time = days.times(START, steps, step_s)
    loads = from_power(plant, rack_power_w(plant, days.utilisation(plant, time, seed)))
    ambient = Ambient(days.wet_bulb_c(time, seed, wet_c))
    state, expected = solve_steady(real, loads, ambient), solve_steady(plant, loads, ambient)
    gain, bias, read = {}, {}, {}
    for name in channels:
        c = CHANNELS[name]
        spread = rng.standard_normal((2, len(c.elements(plant))))
        g, b = SENSORS.get((c.quantity, "gain")), SENSORS.get((c.quantity, "bias"))
        gain[name], bias[name] = at(g, spread[0]) if g else np.ones(spread[0].size), at(b, spread[1]) if b else np.zeros(spread[1].size)
        read[name] = _reading(c, real, state, gain[name], bias[name], noise, rng)
    return Hidden(plant, factor, gain, bias, state, expected, read)


def share_inside(low: Floats, high: Floats, true: Floats) -> Floats:
    """Whether each hidden value is inside its interval."""
    return np.asarray((low <= true) & (true <= high))


def reread(h: Hidden, rows: slice, seed: int, noise: float = 0.3) -> dict[str, Floats]:
    """Some steps read again with other constants in ``h.factor``, by the same sensors with new noise."""
    rng = np.random.default_rng(seed)
    real = laid_over(h.plant, _rows(h.plant, h.factor))
    state = solve_steady(real, h.expected.loads.take(rows), h.expected.ambient.take(rows))
    return {n: _reading(CHANNELS[n], real, state, h.gain[n], h.bias[n], noise, rng) for n in h.read}


def _rows(plant: Plant, factor: Mapping[str, Floats]) -> list[Constant]:
    return [
        Constant(element=i, parameter=n, value=float(v))
        for n, values in factor.items()
        for i, v in zip(getattr(plant, FACTORS[n].axis).ids, values, strict=True)
    ]


def _reading(c: Channel, plant: Plant, state: SteadyState, gain: Floats, bias: Floats, noise: float, rng: np.random.Generator) -> Floats:
    read = gain * c.predict(plant, state) + bias
    return np.asarray(read + noise * c.noise * rng.standard_normal(read.shape) * (read if c.relative else 1.0))


def seen_of(h: Hidden, steps: int | None = None, step_s: float = 900.0) -> Seen:
    """The first steps of it as the calibration of a site sees them."""
    load, wet = h.state.loads.rack_w[:steps], h.state.ambient.wet_bulb_c[:steps]
    cut = Window(START, START + dt.timedelta(seconds=step_s * load.shape[0]), step_s)
    read = {n: v[:steps] for n, v in h.read.items()}
    return looked_at(h.plant, cut, read, load, np.ones(load.shape, bool), np.full(load.shape, np.nan), wet)
