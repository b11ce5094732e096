"""What a synthetic plant is loaded with: jobs and the day's rhythm, and the weather outside.

Training racks of a row run together near full load and stop together, inference racks follow the day.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from topology.axes import Floats, Ints
from topology.plant import Plant
from twin.synthetic.streams import stream

TRAINING_SHARE = 0.6
"""Share of rows that train; the others serve inference."""
TRAINING_U = (0.68, 0.80)
INFERENCE_U = (0.35, 0.65)
"""Ranges of utilisation: an 8-GPU node in training draws 76 to 82 % of its rating (arXiv 2412.08602), inference less."""
SLOW_U, SLOW_S = 0.02, 900.0
FAST_U, FAST_S = 0.012, 240.0
"""Standard deviation and time constant of what a rack's utilisation does of its own, from quarter hour to quarter hour and within one."""
STEP_U = 0.02
"""Standard deviation, within a quarter hour, of what racks of one row do together: they run one job, whose steps they take in step."""


def times(start: dt.datetime, steps: int, step_s: float) -> np.ndarray:
    """(T,) start of each step, datetime64[us] UTC."""
    first = np.datetime64(start.astimezone(dt.UTC).replace(tzinfo=None), "us")
    whole: np.ndarray = first + (np.arange(steps) * int(step_s * 1e6)).astype("timedelta64[us]")
    return whole


def step_s(time: np.ndarray) -> float:
    """Length of a step of evenly spaced times [s]; a minute where there is only one."""
    return float((time[1] - time[0]) / np.timedelta64(1, "s")) if time.size > 1 else 60.0


def utilisation(plant: Plant, time: np.ndarray, seed: int) -> Floats:
    """(T, R) utilisation of every rack: jobs a row in training, the day's rhythm with noise in inference.

    Args:
        plant: the plant.
        time: (T,) UTC, quarter hours or so.
        seed: seed; the same seed and times give the same bits.
    """
    rng = stream(seed, "utilisation")
    hour = _hours(time)
    u = np.zeros((time.size, plant.racks.n))
    for own in _rows(plant):
        if rng.random() < TRAINING_SHARE:
            shared = _jobs(hour, rng)
        else:
            day = 0.5 - 0.5 * np.cos(2.0 * np.pi * (hour % 24.0 - rng.uniform(3.0, 6.0)) / 24.0)
            weekend = np.isin(((time.astype("datetime64[D]").astype(np.int64) + 3) % 7), (5, 6))
            shared = INFERENCE_U[0] + (INFERENCE_U[1] - INFERENCE_U[0]) * day * np.where(weekend, 0.85, 1.0)
        noise = _smooth(rng.normal(0.0, SLOW_U, (time.size, own.size)), SLOW_S / step_s(time))
        u[:, own] = shared[:, None] + noise
    return np.clip(u, 0.02, 1.0)


def within(plant: Plant, long: np.ndarray, u: Floats, time: np.ndarray, seed: int) -> Floats:
    """(t, R) utilisation minute by minute: the level of each quarter hour with faster noise on it.

    Args:
        plant: the plant.
        long: (T,) quarter hours.
        u: (T, R) utilisation in each.
        time: (t,) minutes inside them.
        seed: seed.
    """
    rng = stream(seed, "minutes", time[0])
    fast = _smooth(rng.normal(0.0, FAST_U, (time.size, u.shape[1])), FAST_S / step_s(time))
    for own in _rows(plant):
        fast[:, own] += _smooth(rng.normal(0.0, STEP_U, (time.size, 1)), FAST_S / step_s(time))
    return np.clip(held(long, u, time) + fast, 0.02, 1.0)


def held(long: np.ndarray, values: Floats, time: np.ndarray) -> Floats:
    """(t, ...) the last value (T, ...) before each time."""
    at = np.clip(np.searchsorted(long, time, side="right") - 1, 0, long.size - 1)
    return values[at]


def wet_bulb_c(time: np.ndarray, seed: int, mean_c: float = 12.0) -> Floats:
    """(T,) outdoor wet bulb: a day's swing of 3 K with weather of a few days on top."""
    rng = stream(seed, "weather")
    hour = _hours(time)
    days = int(hour[-1] // 24) + 3
    fronts = np.interp(hour / 24.0, np.arange(days), rng.normal(0.0, 2.0, days))
    wet: Floats = mean_c + fronts + 3.0 * np.sin(2.0 * np.pi * (hour - 9.0) / 24.0)
    return wet


def _hours(time: np.ndarray) -> Floats:
    """Hours since the first midnight."""
    return np.asarray((time - time[0].astype("datetime64[D]")) / np.timedelta64(1, "h"), np.float64)


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
