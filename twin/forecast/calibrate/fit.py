"""Bounded nonlinear least squares with priors, an honest covariance, and the word where data cannot tell.

The estimate is the most probable one (maximum a posteriori) under normal errors: least squares of the residuals over their noise
and of every parameter's distance from its prior in standard deviations. Noise is taken from the residuals themselves, channel by
channel. Neighbouring residuals of a model are alike, so a series of ``n`` with autocorrelation ``r`` at one step says as much as
``n (1 - r) / (1 + r)`` independent samples (Wilks, Statistical Methods in the Atmospheric Sciences, 3rd ed., section 5.2.4); the
noise of the channel is widened by that. The covariance is that of the normal matrix at the estimate (Gauss-Newton), with parameters
that keep their prior as uncertain as that says (:mod:`twin.forecast.calibrate.normal`; :mod:`twin.forecast.calibrate.batch` does the
same for many elements at once).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from topology.axes import Bools, Floats
from topology.errors import NotConverged
from twin.forecast.calibrate.normal import covariance as covariance_of
from twin.forecast.calibrate.normal import noise as noise_of
from twin.forecast.calibrate.normal import told
from twin.forecast.calibrate.priors import Z90, Fitted, Prior

PASSES = 3
"""Rounds in which noise is taken from the residuals."""
FAR = 8.0
"""Standard deviations from the prior beyond which no fit goes."""


@dataclass(frozen=True)
class Block:
    """Residuals of one channel in order of time.

    Attributes:
        name: channel.
        residual: (n,) prediction minus measurement, NaN where there is nothing to compare.
        scale: noise to begin with, in the channel's unit.
    """

    name: str
    residual: Floats
    scale: float


Model = Callable[[dict[str, float]], Sequence[Block]]


@dataclass(frozen=True)
class Calibration:
    """A fit.

    Attributes:
        fitted: every parameter by name.
        covariance: (P, P) of all parameters in standard deviations of their priors.
        noise: noise of each channel, widened for autocorrelation.
        evaluations: how often the model was asked.
        samples: residuals that were finite.
    """

    fitted: dict[str, Fitted]
    covariance: Floats
    noise: dict[str, float]
    evaluations: int
    samples: int

    @property
    def values(self) -> dict[str, float]:
        """Value of each parameter."""
        return {n: f.value for n, f in self.fitted.items()}

    def interval(self, function: Callable[[dict[str, float]], float]) -> tuple[float, float]:
        """90 % interval of a function of the parameters, to first order (delta method)."""
        z = np.asarray([f.prior.z(f.value) for f in self.fitted.values()])
        at = function(self.values)
        slope = np.asarray([function(self._moved(z, k)) - at for k in range(z.size)]) / _STEP
        half = Z90 * math.sqrt(max(float(slope @ self.covariance @ slope), 0.0))
        return at - half, at + half

    def _moved(self, z: Floats, k: int) -> dict[str, float]:
        return {n: f.prior.at(z[i] + (_STEP if i == k else 0.0)) for i, (n, f) in enumerate(self.fitted.items())}


_STEP = 1e-4


def calibrate(model: Model, priors: Sequence[Prior], passes: int = PASSES) -> Calibration:
    """Fit parameters to data.

    Args:
        model: parameters by name to residuals of each channel; may only look at the part of the data that fits.
        priors: what is known beforehand.
        passes: rounds of noise from residuals.

    Returns:
        The fit. A parameter whose deviation stays above :data:`twin.forecast.calibrate.normal.INFORMED` of its prior's keeps its prior
        value and interval, the least told one first: of two that only show as a product one keeps its prior and the other takes what
        the data say. Those are fitted once more, and their intervals hold the uncertainty of all.

    Raises:
        NotConverged: the optimiser stopped without an answer.
    """
    problem = _Problem(model, tuple(priors))
    free = np.ones(len(priors), np.bool_)
    z = np.zeros(len(priors))
    noise: dict[str, float] = {}
    for _ in range(passes):
        z = problem.solve(z, noise, free)
        noise = problem.noise(z)
    free = told(problem.normal(z, noise))
    z = problem.solve(np.where(free, z, 0.0), noise, free)
    noise = problem.noise(z)
    covariance = covariance_of(problem.normal(z, noise), free)
    deviation = np.sqrt(np.diag(covariance))
    fitted = {}
    for k, p in enumerate(priors):
        around = (max(p.at(z[k] - Z90 * deviation[k]), p.bounds[0]), min(p.at(z[k] + Z90 * deviation[k]), p.bounds[1]))
        fitted[p.name] = Fitted(p.at(z[k]), around, p, True) if free[k] else Fitted(p.value, p.interval, p, False)
    samples = sum(int(np.isfinite(b.residual).sum()) for b in problem.blocks(z))
    return Calibration(fitted, covariance, noise, problem.evaluations, samples)


class _Problem:
    """The least-squares problem in standard deviations of the priors."""

    def __init__(self, model: Model, priors: tuple[Prior, ...]) -> None:
        self.model, self.priors, self.evaluations = model, priors, 0
        reach = [(max(p.z(p.bounds[0]), -FAR), min(p.z(p.bounds[1]), FAR)) for p in priors]
        self.low, self.high = np.asarray(reach).T

    def blocks(self, z: Floats) -> Sequence[Block]:
        self.evaluations += 1
        return self.model({p.name: p.at(float(v)) for p, v in zip(self.priors, z, strict=True)})

    def residuals(self, z: Floats, noise: dict[str, float]) -> Floats:
        parts = [np.nan_to_num(b.residual, nan=0.0) / noise.get(b.name, b.scale) for b in self.blocks(z)]
        return np.concatenate([*parts, z])

    def solve(self, start: Floats, noise: dict[str, float], free: Bools) -> Floats:
        if not free.any():
            return np.zeros(start.size)

        def inner(x: Floats) -> Floats:
            z = np.zeros(start.size)
            z[free] = x
            return self.residuals(z, noise)

        low, high = self.low[free], self.high[free]
        inside = np.clip(start[free], low + 1e-6, high - 1e-6)
        found = least_squares(inner, inside, bounds=(low, high), x_scale=1.0, max_nfev=200)
        if found.status <= 0 or not np.isfinite(found.cost):
            raise NotConverged(f"the fit stopped: {found.message}", residual=float(found.cost))
        z = np.zeros(start.size)
        z[free] = found.x
        return z

    def noise(self, z: Floats) -> dict[str, float]:
        return {b.name: float(noise_of(b.residual, b.scale)) for b in self.blocks(z)}

    def normal(self, z: Floats, noise: dict[str, float]) -> Floats:
        """Normal matrix at an estimate; the inverse of the covariance."""
        at = self.residuals(z, noise)
        columns = []
        for k in range(z.size):
            step = _STEP if z[k] + _STEP <= self.high[k] else -_STEP
            moved = z.copy()
            moved[k] += step
            columns.append((self.residuals(moved, noise) - at) / step)
        slope = np.stack(columns, axis=1)
        return np.asarray(slope.T @ slope, np.float64)
