"""A synthetic plant with hidden parameters: what it really does over time, before any sensor looks at it.

The truth is the full solver on a plant whose racks and CDUs differ from their catalog entries by hidden factors, loaded with
jobs: training racks of a row run together near full load and stop together, inference racks follow the day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np

from topology.axes import Floats, Ints
from topology.plant import Plant
from twin.loads import from_power, from_utilisation
from twin.solvers.steady import solve_steady
from twin.state import Ambient, SteadyState

TRAINING_SHARE = 0.6
"""Share of rows that train; the others serve inference."""
TRAINING_U = (0.68, 0.80)
INFERENCE_U = (0.35, 0.65)
"""Ranges of utilisation: an 8-GPU node in training draws 76 to 82 % of its rating (arXiv 2412.08602), inference less."""
POWER_SPREAD = 0.03
FOULING = (0.75, 1.0)
"""Hidden factors: power of a rack against its SKU (standard deviation), UA of a CDU against its rating (range)."""


@dataclass(frozen=True)
class Hidden:
    """Parameters that nobody who looks at the telemetry knows.

    Attributes:
        power_factor: (R,) power of each rack over its SKU's.
        fouling_frac: (C,) UA of each CDU over its rating.
        seed: that it was drawn with.
    """

    power_factor: Floats
    fouling_frac: Floats
    seed: int


def hidden(plant: Plant, seed: int) -> Hidden:
    """Draw the hidden parameters."""
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    return Hidden(1.0 + rng.normal(0.0, POWER_SPREAD, plant.racks.n).clip(-0.08, 0.08), rng.uniform(*FOULING, plant.cdus.n), seed)


def real_plant(plant: Plant, secret: Hidden) -> Plant:
    """The plant as it really is: CDUs fouled."""
    return replace(plant, cdus=replace(plant.cdus, ua_w_k=plant.cdus.ua_w_k * secret.fouling_frac))


def times(start: dt.datetime, steps: int, step_s: float) -> np.ndarray:
    """(T,) start of each step, datetime64[us] UTC."""
    first = np.datetime64(start.astimezone(dt.UTC).replace(tzinfo=None), "us")
    whole: np.ndarray = first + (np.arange(steps) * int(step_s * 1e6)).astype("timedelta64[us]")
    return whole


def utilisation(plant: Plant, time: np.ndarray, seed: int) -> Floats:
    """(T, R) utilisation of every rack: jobs a row in training, the day's rhythm with noise in inference.

    Args:
        plant: the plant.
        time: (T,) UTC.
        seed: seed; the same seed and times give the same bits.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1])
    step_s = float((time[1] - time[0]) / np.timedelta64(1, "s")) if time.size > 1 else 60.0
    hour = (time - time[0].astype("datetime64[D]")) / np.timedelta64(1, "h")
    u = np.zeros((time.size, plant.racks.n))
    for own in _rows(plant):
        if rng.random() < TRAINING_SHARE:
            shared = _jobs(hour, rng)
        else:
            day = 0.5 - 0.5 * np.cos(2.0 * np.pi * (hour % 24.0 - rng.uniform(3.0, 6.0)) / 24.0)
            weekend = np.isin(((time.astype("datetime64[D]").astype(np.int64) + 3) % 7), (5, 6))
            shared = INFERENCE_U[0] + (INFERENCE_U[1] - INFERENCE_U[0]) * day * np.where(weekend, 0.85, 1.0)
        noise = _smooth(rng.normal(0.0, 0.02, (time.size, own.size)), 900.0 / step_s)
        u[:, own] = shared[:, None] + noise
    return np.clip(u, 0.02, 1.0)


def _rows(plant: Plant) -> list[Ints]:
    place = [plant.site.positions[r.position].row for r in plant.site.racks.values()]
    return [np.flatnonzero(np.array([p == name for p in place])) for name in dict.fromkeys(place)]


def _jobs(hour: Floats, rng: np.random.Generator) -> Floats:
    """Jobs one after another on all racks of a row: 10 to 60 h at a level of their own, with 15 to 90 min between."""
    level = np.full(hour.size, 0.08)
    at = -float(rng.uniform(0.0, 40.0))
    while at < hour[-1]:
        length = float(rng.uniform(10.0, 60.0))
        level[(hour >= at) & (hour < at + length)] = rng.uniform(*TRAINING_U)
        at += length + float(rng.uniform(0.25, 1.5))
    return level


def _smooth(noise: Floats, steps: float) -> Floats:
    """First-order filter over time, variance kept."""
    a = np.exp(-1.0 / max(steps, 1e-9))
    out = np.empty_like(noise)
    level = noise[0]
    gain = np.sqrt(1.0 - a * a)
    for t in range(noise.shape[0]):
        level = a * level + gain * noise[t]
        out[t] = level
    return out


def rack_power_w(plant: Plant, u: Floats, secret: Hidden) -> Floats:
    """(T, R) real input power of drawing racks at a utilisation; 0 for the others."""
    grid = np.linspace(0.0, 1.0, 33)
    table = np.concatenate([from_utilisation(plant, float(x)).rack_w for x in grid])
    out = np.zeros_like(u)
    for r in np.flatnonzero(plant.racks.drawing):
        out[:, r] = np.interp(u[:, r], grid, table[:, r]) * secret.power_factor[r]
    return out


def wet_bulb_c(time: np.ndarray, seed: int, mean_c: float = 12.0) -> Floats:
    """(T,) outdoor wet bulb: a day's swing of 3 K with weather of a few days on top."""
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[2])
    hour = (time - time[0].astype("datetime64[D]")) / np.timedelta64(1, "h")
    days = int(hour[-1] // 24) + 3
    fronts = np.interp(hour / 24.0, np.arange(days), rng.normal(0.0, 2.0, days))
    wet: Floats = mean_c + fronts + 3.0 * np.sin(2.0 * np.pi * (hour - 9.0) / 24.0)
    return wet


def truth(plant: Plant, secret: Hidden, rack_w: Floats, wet_c: Floats) -> SteadyState:
    """Solve the real plant for every step."""
    return solve_steady(real_plant(plant, secret), from_power(plant, rack_w), Ambient(wet_c))
