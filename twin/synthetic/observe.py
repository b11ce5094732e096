"""What the meters of a synthetic plant read: the full solver on the real plant, then gain, bias and noise of each meter, then faults.

Every number that any of its files holds comes through :func:`shown` and :func:`read`, so that files and arrays tell the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from telemetry.dense import Frames
from telemetry.schema import READINGS, SITE
from topology.axes import Floats
from topology.errors import UsageError
from topology.overlay import WHOLE_SITE, Constant, laid_over
from topology.plant import Plant
from twin.forecast.follow import chunk_steps
from twin.forecast.gaps import held
from twin.loads import from_power, from_utilisation
from twin.observe import CHANNELS, Channel
from twin.solvers.steady import solve_steady
from twin.state import Ambient
from twin.synthetic.days import step_s
from twin.synthetic.faults import UTILISATION, WET_BULB, Fault, Readings
from twin.synthetic.secret import WEATHER, Meter, meters, real_plant
from twin.synthetic.streams import stream

LOST_FRAC = 0.002
"""Share of samples that never arrive."""
NOISE: Mapping[str, float] = MappingProxyType({"chip power": 0.01, "chip temperature": 0.3})
"""Noise of the mean over a rack's accelerators, where one device's noise stands in :data:`twin.observe.CHANNELS`."""
UTILISATION_NOISE, WET_BULB_NOISE_C = 0.004, 0.2
_GRID = 129


@dataclass(frozen=True)
class World:
    """A synthetic plant with its secrets.

    Attributes:
        plant: the plant as its catalog has it.
        secret: hidden constants.
        seed: seed of noise.
        faults: what is planted.
        real: the plant as it really is before any fault.
        meters: what is metered of it.
    """

    plant: Plant
    secret: tuple[Constant, ...]
    seed: int
    faults: tuple[Fault, ...]
    real: Plant
    meters: tuple[Meter, ...]

    @staticmethod
    def of(plant: Plant, secret: Sequence[Constant], seed: int, faults: Sequence[Fault] = (), names: Iterable[str] = ()) -> World:
        """Make the real plant.

        Args:
            plant: the plant as its catalog has it.
            secret: constants of :func:`twin.synthetic.secret.hidden`, or any others.
            seed: seed of noise.
            faults: what is planted.
            names: only these channels; all where empty.

        Raises:
            UsageError: a fault that its element cannot have.
            SiteError: a constant that its element does not have.
        """
        for fault in faults:
            fault.own(plant)
        wanted = frozenset(names) or frozenset(CHANNELS)
        found = tuple(m for m in meters(plant) if m.channel.name in wanted)
        return World(plant, tuple(secret), seed, tuple(faults), real_plant(plant, secret), found)


def rack_power_w(real: Plant, u: Floats) -> Floats:
    """(T, R) input power of drawing racks at a utilisation; 0 for the others."""
    grid = np.linspace(0.0, 1.0, _GRID)
    table = np.concatenate([from_utilisation(real, float(x)).rack_w for x in grid])
    out = np.zeros_like(u)
    for r in np.flatnonzero(real.racks.drawing):
        out[:, r] = np.interp(u[:, r], grid, table[:, r])
    return out


def shown(world: World, time: np.ndarray, u: Floats, wet_bulb_c: Floats) -> Readings:
    """What each meter would read if it were perfect: (T, n) by channel, NaN where there is none, utilisation and wet bulb beside.

    Args:
        world: the plant.
        time: (T,) UTC.
        u: (T, R) utilisation.
        wet_bulb_c: (T,) outdoor wet bulb.
    """
    power = rack_power_w(world.real, u)
    out = {m.channel.name: np.full((time.size, len(m.parts)), np.nan) for m in world.meters}
    for rows, changed in _stretches(world, time):
        real = laid_over(world.real, changed)
        size = chunk_steps(real.racks.n)
        for a in range(0, rows.size, size):
            own = rows[a : a + size]
            state = solve_steady(real, from_power(real, power[own]), Ambient(wet_bulb_c[own]))
            for meter in world.meters:
                out[meter.channel.name][own] = np.where(meter.there, meter.channel.predict(real, state), np.nan)
    out[UTILISATION] = np.where(world.real.racks.drawing, u, np.nan)
    out[WET_BULB] = wet_bulb_c[:, None].copy()
    return out


def _stretches(world: World, time: np.ndarray) -> Iterable[tuple[np.ndarray, tuple[Constant, ...]]]:
    """Steps with the same constants, and what faults change in them."""
    moved = [(f.element, name, values) for f in world.faults for name, values in f.changes(time).items()]
    if not moved:
        yield np.arange(time.size), ()
        return
    table = np.stack([values for _, _, values in moved], axis=1)
    levels, which = np.unique(table, axis=0, return_inverse=True)
    for k, level in enumerate(levels):
        changed = (Constant(element=e, parameter=p, value=float(x)) for (e, p, _), x in zip(moved, level, strict=True) if x != 1.0)
        yield np.flatnonzero(which.reshape(-1) == k), tuple(changed)


def read(world: World, time: np.ndarray, exact: Readings, before: Readings | None = None) -> Readings:
    """What the meters read: ``gain * true + bias + noise`` within what can be read, some samples lost, then faults.

    Args:
        world: the plant.
        time: (T,) UTC.
        exact: from :func:`shown`, or means of it over longer steps; it stays as it is.
        before: (n,) what was read last before this stretch by channel, see :func:`last_of`.
    """
    out: Readings = {}
    for meter in world.meters:
        channel, true = meter.channel, exact[meter.channel.name]
        gain, bias = (meter.error(world.plant, world.secret, p) for p in ("gain", "bias"))
        out[channel.name] = _noisy(channel, gain * true + bias, true, _rng(world, time, channel.name))
    rng = _rng(world, time, UTILISATION)
    u = exact[UTILISATION]
    out[UTILISATION] = _lost(np.clip(u + rng.normal(0.0, UTILISATION_NOISE, u.shape), 0.0, 1.0), rng)
    rng = _rng(world, time, WET_BULB)
    off_c = next((r.value for r in world.secret if r.element == WHOLE_SITE and r.parameter == "bias" and r.quantity == WEATHER), 0.0)
    out[WET_BULB] = exact[WET_BULB] + off_c + rng.normal(0.0, WET_BULB_NOISE_C, exact[WET_BULB].shape)
    for fault in world.faults:
        fault.spoil(world.plant, time, out, world.seed, before or {})
    return out


def last_of(readings: Readings) -> Readings:
    """(n,) last reading of each meter of a stretch, NaN where it has none."""
    return {name: held(values)[-1] for name, values in readings.items()}


def _rng(world: World, time: np.ndarray, name: str) -> np.random.Generator:
    return stream(world.seed, "reading", name, time[0], step_s(time))


def _noisy(channel: Channel, value: Floats, true: Floats, rng: np.random.Generator) -> Floats:
    scale = NOISE.get(channel.name, channel.noise) * (np.abs(true) if channel.relative else 1.0)
    bounds = READINGS[channel.quantity]
    with np.errstate(invalid="ignore"):
        return _lost(np.clip(value + scale * rng.standard_normal(value.shape), bounds.low, bounds.high), rng)


def _lost(values: Floats, rng: np.random.Generator) -> Floats:
    return np.asarray(np.where(rng.random(values.shape) < LOST_FRAC, np.nan, values))


def observe(
    plant: Plant, secret: Sequence[Constant], time: np.ndarray, u: Floats, wet_bulb_c: Floats, seed: int, faults: Sequence[Fault] = (),
    names: Iterable[str] = (),
) -> dict[str, Frames]:  # fmt: skip
    """What telemetry of a synthetic plant shows, without files.

    Args:
        plant: the plant as its catalog has it.
        secret: its hidden constants.
        time: (T,) start of each step, UTC.
        u: (T, R) utilisation of its racks.
        wet_bulb_c: (T,) outdoor wet bulb.
        seed: seed of noise.
        faults: what is planted.
        names: only these channels; all where empty.

    Returns:
        Frames by channel of :data:`twin.observe.CHANNELS`, and of ``utilisation`` and ``wet bulb``.

    Raises:
        UsageError: arrays of different length, or a fault that its element cannot have.
    """
    if u.shape != (time.size, plant.racks.n) or wet_bulb_c.shape != (time.size,):
        raise UsageError(f"{time.size} times need utilisation of ({time.size}, {plant.racks.n}) and as many wet bulbs")
    world = World.of(plant, secret, seed, faults, names)
    readings = read(world, time, shown(world, time, u, wet_bulb_c))
    out = {m.channel.name: _frames(time, m.channel.elements(plant), m.channel, readings[m.channel.name]) for m in world.meters}
    out[UTILISATION] = _framed(time, plant.racks.ids, "utilisation_frac", "rack", "", readings[UTILISATION])
    out[WET_BULB] = _framed(time, (SITE,), WEATHER, "utility", "", readings[WET_BULB])
    return out


def _frames(time: np.ndarray, elements: tuple[str, ...], channel: Channel, values: Floats) -> Frames:
    return _framed(time, elements, channel.quantity, channel.level, channel.part, values)


def _framed(time: np.ndarray, elements: tuple[str, ...], quantity: str, level: str, part: str, values: Floats) -> Frames:
    there = [bool(np.isfinite(column).any()) for column in values.T]

    def where(text: str) -> tuple[str, ...]:
        return tuple(text if t else "" for t in there)

    parts = tuple((part,) if t else () for t in there)
    return Frames(
        time, elements, quantity, values, np.isfinite(values).astype(np.int64), where(level), parts, step_s(time), where("measured")
    )  # fmt: skip
