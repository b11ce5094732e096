"""Power of a cluster from what its jobs ask for: a curve of busy nodes over a base that wanders, fitted once or followed.

``P(t) = base(t) + w C (D / (C f))^a`` with busy cores ``C``, their demand ``D`` and the usual demand of a core ``f``. A busy server's
draw rises less than in proportion to its load: ``2 u - u^1.4`` in Fan, Weber and Barroso (Power provisioning for a warehouse-sized
computer, ISCA 2007), which about two thirds load goes as ``u^0.7``. The base is everything that jobs do not explain (idle
nodes, storage, fans) and is a random walk: the best forecast of it is where it was last, found by the filter of a local level (Muth,
J. Am. Stat. Assoc. 55, 1960; Harvey, Forecasting, Structural Time Series Models and the Kalman Filter, 1989, section 2.3).
Because of that walk the curve is fitted on changes of block means, in which a slow base does not show.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from topology.axes import Floats
from topology.errors import UsageError
from twin.forecast.calibrate import Block, Calibration, Prior, calibrate

BLOCK_S = 1800.0
"""Length of the means whose changes fit the curve: long against sampling and the warming of servers (some minutes)."""
FOLLOW_BLOCK_S = 600.0
"""Length of the means that a following fit sees."""
SHARE = 0.5
"""Share of mean power that jobs cause, beforehand (idle servers draw about half of their peak; Barroso and Hoelzle 2007)."""
SHARE_SPREAD = 0.3
"""Its standard deviation over itself where a fit follows."""
NOISE_FRAC = 0.02
"""Noise of a mean over its power where a fit follows (class 1 meters, and what the curve leaves out)."""
EXPONENTS = (0.4, 0.7, 1.0)
"""Curves that a following fit chooses from."""
MEMORY_H = (1.0, 2.0, 4.0, 8.0, 16.0, 1000.0)
"""Half lives of the past that a following fit chooses from [h]; the last forgets nothing."""
DISCOUNT = 0.9
"""Weight of an hour's error against that of the hour after it, in that choice."""
LEAST_BLOCKS = 4


@dataclass(frozen=True)
class Cluster:
    """A cluster's recording on equal steps; NaN where nothing was read.

    Attributes:
        power_w: (T,) measured power.
        demand: (T,) what its jobs ask for, in any unit.
        cores: (T,) cores that jobs hold.
        step_s: length of a step.
    """

    power_w: Floats
    demand: Floats
    cores: Floats
    step_s: float

    def per_core(self, before: int) -> float:
        """Usual demand of a core in the steps before one.

        Raises:
            UsageError: no core was busy.
        """
        d, c = self.demand[:before], self.cores[:before]
        busy = (c > 0.0) & (d > 0.0)
        if not busy.any():
            raise UsageError("no core is busy in the part that fits: power cannot be told from demand")
        return float(np.median(d[busy] / c[busy]))

    def load(self, scale: float, exponent: float) -> Floats:
        """(T,) busy cores, each counted by its demand over ``scale`` (the usual one) to a power; 0 where none is busy."""
        busy = self.cores > 0.0
        each = np.maximum(self.demand, 0.0) / (np.where(busy, self.cores, 1.0) * scale)
        load: Floats = np.where(busy, self.cores * each**exponent, 0.0 * self.cores * self.demand)
        return load


@dataclass(frozen=True)
class ClusterFit:
    """A cluster fitted on its first part.

    Attributes:
        calibration: ``core_w`` and ``exponent``.
        base_w: base at the end of that part.
        base_deviation_w: its standard deviation.
        residual_w: (T,) power less that of jobs: the base and all that the model leaves out.
        predicted_w: (T,) power with the base where it was last.
    """

    calibration: Calibration
    base_w: float
    base_deviation_w: float
    residual_w: Floats
    predicted_w: Floats


@dataclass(frozen=True)
class Followed:
    """A cluster predicted an hour at a time from its past.

    Attributes:
        predicted_w: (T,) power, NaN before the first fit.
        memory_h: (H,) half life in use in each horizon, NaN before the first.
        exponent: (H,) curve in use.
    """

    predicted_w: Floats
    memory_h: Floats
    exponent: Floats


def means(values: Floats, steps: int) -> Floats:
    """(T // steps,) means over whole blocks; a block with fewer than half of its readings is NaN.

    >>> means(np.array([1.0, 3.0, np.nan, np.nan, 5.0]), 2).tolist()
    [2.0, nan]
    """
    rows = values[: values.size // steps * steps].reshape(-1, steps)
    good = np.isfinite(rows)
    count = good.sum(axis=1)
    return np.asarray(np.where(2 * count >= steps, np.where(good, rows, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan))


def fit_cluster(cluster: Cluster, before: int, block_s: float = BLOCK_S) -> ClusterFit:
    """Fit the curve and find the base.

    Args:
        cluster: the recording.
        before: steps that fit; nothing after them is looked at but for demand and cores.
        block_s: length of the means whose changes fit the curve.

    Returns:
        The fit and its prediction for every step.

    Raises:
        UsageError: fewer than :data:`LEAST_BLOCKS` blocks with power, or no busy core.
    """
    steps = max(round(block_s / cluster.step_s), 1)
    power = means(cluster.power_w[:before], steps)
    if int(np.isfinite(power).sum()) < LEAST_BLOCKS:
        raise UsageError(f"{before} steps give fewer than {LEAST_BLOCKS} means over {block_s:g} s: too short to fit")
    usual = cluster.per_core(before)
    first = Cluster(cluster.power_w[:before], cluster.demand[:before], cluster.cores[:before], cluster.step_s)
    change = np.diff(power)

    def model(p: dict[str, float]) -> list[Block]:
        jobs = p["core_w"] * means(first.load(usual, p["exponent"]), steps)
        return [Block("changes of power", np.diff(jobs) - change, 0.05 * float(np.nanmean(power)))]

    calibration = calibrate(model, _priors(first, usual))
    values = calibration.values
    jobs = values["core_w"] * cluster.load(usual, values["exponent"])
    residual = cluster.power_w - jobs
    base, deviation = local_level(means(residual[:before], steps))
    return ClusterFit(calibration, base, deviation, residual, base + jobs)


def _priors(first: Cluster, usual: float) -> tuple[Prior, ...]:
    core = SHARE * float(np.nanmean(first.power_w) / np.nanmean(first.load(usual, 1.0)))
    half = "jobs cause about half of the power of servers (Barroso and Hoelzle 2007), to a factor of three"
    curve = "2 u - u^1.4 near two thirds load (Fan et al. 2007); from a square root or less to proportional"
    return (
        Prior("core_w", core, (core / 3.0, core * 3.0), half, log=True),
        Prior("exponent", 0.7, (0.4, 1.0), curve, bounds=(0.1, 1.5)),
    )


def local_level(values: Floats) -> tuple[float, float]:
    """Where a random walk with noise on top was last.

    The ratio of the walk's variance to that of the noise is the most likely one of a grid from 0.01 to 100.

    Args:
        values: (n,) readings at equal distance, NaN for gaps; at least two.

    Returns:
        Level at the end and its standard deviation.

    >>> level, deviation = local_level(np.array([5.0, 5.0, 5.0, 5.0]))
    >>> round(level, 6), deviation < 1e-6
    (5.0, True)
    """
    best = max((_filtered(values, ratio) for ratio in np.logspace(-2.0, 2.0, 17)), key=lambda f: f[0])
    return float(best[1]), float(best[2])


def _filtered(values: Floats, ratio: float) -> tuple[float, float, float]:
    """Log likelihood (less a constant), level and deviation of a local level, in units of the noise until scaled."""
    known = np.flatnonzero(np.isfinite(values))
    if known.size < 2:
        raise UsageError(f"{known.size} readings: a level needs at least two")
    level, spread = float(values[known[0]]), 1.0
    squares = logs = 0.0
    for before, k in pairwise(known):
        spread += ratio * float(k - before)
        total = spread + 1.0
        error = float(values[k]) - level
        squares, logs = squares + error**2 / total, logs + float(np.log(total))
        level += float(error * spread / total)
        spread /= total
    n = known.size - 1
    noise = max(squares / n, 1e-18 * max(level**2, 1.0))
    return -0.5 * (n * float(np.log(noise)) + logs), float(level), float(np.sqrt(noise * spread))


def follow_cluster(cluster: Cluster, horizon_s: float = 3600.0) -> Followed:
    """Predict each horizon from demand and cores in it and from everything before it.

    At the begin of each horizon every pair of a curve (:data:`EXPONENTS`) and a memory (:data:`MEMORY_H`) is fitted anew by weighted
    least squares with the prior of the jobs' share; the pair whose own forecasts were best so far, by discounted mean absolute
    relative error, predicts.

    Args:
        cluster: the recording.
        horizon_s: length of a horizon, and time between two fits.

    Returns:
        The predictions; the power of a horizon is seen only after it.
    """
    ahead = max(round(horizon_s / cluster.step_s), 1)
    count = -(-cluster.power_w.size // ahead)
    pairs = [(e, m) for e in EXPONENTS for m in MEMORY_H]
    predicted, used = np.full(cluster.power_w.size, np.nan), np.full((count, 2), np.nan)
    errors, weight = np.zeros(len(pairs)), 0.0
    for h in range(1, count):
        now, part = h * ahead, slice(h * ahead, (h + 1) * ahead)
        rows = _forecasts(cluster, now, part, pairs)
        if rows is None:
            continue
        best = int(errors.argmin())
        predicted[part], used[h] = rows[best], pairs[best]
        real = cluster.power_w[part]
        seen = np.isfinite(real) & (real > 0.0) & np.isfinite(rows).all(axis=0)
        if seen.any():
            found = np.abs(rows[:, seen] / real[seen] - 1.0).mean(axis=1)
            errors, weight = (DISCOUNT * weight * errors + found) / (DISCOUNT * weight + 1.0), DISCOUNT * weight + 1.0
    return Followed(predicted, used[:, 1], used[:, 0])


def _forecasts(cluster: Cluster, now: int, part: slice, pairs: list[tuple[float, float]]) -> Floats | None:
    """(pairs, steps) forecasts of a part; ``None`` while nothing is known."""
    steps = max(round(FOLLOW_BLOCK_S / cluster.step_s), 1)
    power = means(cluster.power_w[:now], steps)
    both = np.isfinite(power) & np.isfinite(means(cluster.demand[:now], steps)) & np.isfinite(means(cluster.cores[:now], steps))
    if int(both.sum()) < 2 or not ((cluster.cores[:now] > 0.0) & (cluster.demand[:now] > 0.0)).any():
        return None
    usual = cluster.per_core(now)
    age_h = np.arange(power.size, 0.0, -1.0) * (steps * cluster.step_s / 3600.0)
    out = []
    for exponent, memory in pairs:
        load = cluster.load(usual, exponent)
        cause = means(load[:now], steps)
        base, slope = _line(cause[both], power[both], np.exp2(-age_h[both] / memory))
        out.append(base + slope * load[part])
    return np.asarray(out)


def _line(cause: Floats, power: Floats, weight: Floats) -> tuple[float, float]:
    """Weighted least squares of a line whose slope has a prior."""
    level, middle = float(power.mean()), float(cause.mean())
    known = SHARE * level / middle if middle > 0.0 else 0.0
    hold = (NOISE_FRAC * level / (SHARE_SPREAD * known)) ** 2 if known > 0.0 else 1.0
    x0, y0 = (float((weight * v).sum() / weight.sum()) for v in (cause, power))
    slope = float((weight * (cause - x0) * (power - y0)).sum() + hold * known) / float((weight * (cause - x0) ** 2).sum() + hold)
    return y0 - slope * x0, slope
