"""Many small fits of one kind at once: :func:`twin.forecast.calibrate.fit.calibrate` on arrays (element, sample).

Same problem, same noise, same meaning of told; instead of one optimiser an element there is one Gauss-Newton iteration for all, damped
where a step does not help (Levenberg and Marquardt: Nocedal and Wright, Numerical Optimization, 2nd ed., section 10.3) and
projected on the bounds. Elements are taken in parts, so that memory stays small however many there are.

A model that puts measured values into its law has their noise both in a residual and in its derivatives, which pulls least squares
to one side however long the series is (errors in variables: Fuller, Measurement Error Models, 1987, chapter 1). With ``beside``
neighbours the derivatives at a sample are the mean of those at the samples around it, whose noise is another: instrumental
variables (the same, section 1.4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.forecast.calibrate.fit import FAR, PASSES, Block
from twin.forecast.calibrate.normal import covariance, noise, told
from twin.forecast.calibrate.priors import Z90, Fitted, Prior

Model = Callable[[Mapping[str, Floats], Ints], Sequence[Block]]
"""Parameters by name, each (e, 1), and the numbers of the elements (e,) that they belong to, to residuals (e, T) of each channel."""
Slopes = Callable[[Mapping[str, Floats], Ints, Sequence[Block]], Sequence[Floats]]
"""The same, with the residuals there, to (e, P, T) derivatives of each channel with respect to parameters (not to deviations)."""
PART = 2_000_000
"""Numbers in the derivatives of one part of the elements: 16 MB."""
ROUNDS = 60
SETTLED = 1e-5
"""Step in standard deviations of the priors below which a fit has settled."""
ROUGHLY = 1e-3
"""The same where only noise is taken from the residuals."""
NEAR = 0.5
"""Distance in standard deviations of the priors up to which derivatives still serve on the way."""
LONGEST = 0.5
"""Longest step with derivatives of neighbours."""
STEP = 1e-4


@dataclass(frozen=True)
class Batch:
    """Fits of N elements with P parameters.

    Attributes:
        priors: what was known beforehand, in order.
        value: (N, P) estimate; the prior's value where data cannot tell.
        low: (N, P) lower end of the 90 % interval.
        high: (N, P) upper end.
        told: (N, P) whether data tell it, as in :class:`twin.forecast.calibrate.priors.Fitted`.
        covariance: (N, P, P) in standard deviations of the priors.
        noise: (N,) of each channel, widened for autocorrelation.
        samples: (N,) residuals that were finite.
        settled: (N,) the fit came to rest; one that did not tells nothing and keeps every prior.
    """

    priors: tuple[Prior, ...]
    value: Floats
    low: Floats
    high: Floats
    told: Bools
    covariance: Floats
    noise: dict[str, Floats]
    samples: Ints
    settled: Bools

    def number(self, name: str) -> int:
        """Place of a parameter."""
        return [p.name for p in self.priors].index(name)

    def fitted(self, element: int) -> dict[str, Fitted]:
        """One element as :class:`twin.forecast.calibrate.fit.Calibration` has it."""
        return {
            p.name: Fitted(
                float(self.value[element, k]), (float(self.low[element, k]), float(self.high[element, k])), p, bool(self.told[element, k])
            )
            for k, p in enumerate(self.priors)
        }  # fmt: skip

    def contrast(self, weights: Floats) -> tuple[Floats, Floats]:
        """A weighted sum of deviations: (N,) estimate and (N,) standard deviation.

        Args:
            weights: (P,) weight of each parameter's distance from its prior, in standard deviations of that.
        """
        z = np.stack([_z(p, self.value[:, k]) for k, p in enumerate(self.priors)], axis=1)
        return z @ weights, np.sqrt(np.maximum(np.einsum("p,npq,q->n", weights, self.covariance, weights), 0.0))


def at(prior: Prior, z: Floats) -> Floats:
    """:meth:`Prior.at` on arrays."""
    return np.asarray(prior.value * np.exp(prior.deviation * z) if prior.log else prior.value + prior.deviation * z)


def _z(prior: Prior, value: Floats) -> Floats:
    return np.asarray(np.log(value / prior.value) / prior.deviation if prior.log else (value - prior.value) / prior.deviation)


def calibrate_many(
    model: Model, priors: Sequence[Prior], elements: int, slopes: Slopes | None = None, passes: int = PASSES, beside: int = 0
) -> Batch:
    """Fit the parameters of many elements, each on its own data.

    Args:
        model: parameters and element numbers to residuals; an element without a channel has NaN there.
        priors: what is known beforehand, the same for every element; a width of an element's own is a factor inside the model.
        elements: number of elements.
        slopes: derivatives where the model knows a shorter way to them than one evaluation a parameter.
        passes: rounds of noise from residuals.
        beside: samples on each side whose derivatives stand for those of a sample; 0 where inputs of the model have no noise.

    Returns:
        The fits.
    """
    known = tuple(priors)
    first = model(_values(known, np.zeros((min(elements, 1), len(known)))), np.arange(min(elements, 1)))
    width = max(sum(b.residual.shape[-1] for b in first), 1)
    size = max(PART // (width * max(len(known), 1)), 1)
    parts = [_Part(model, known, np.arange(k, min(k + size, elements)), slopes, beside).run(passes) for k in range(0, elements, size)]
    if not parts:
        p = len(known)
        shape = np.zeros((0, p))
        return Batch(known, shape, shape, shape, np.zeros((0, p), bool), np.zeros((0, p, p)), {}, np.zeros(0, np.int64), np.zeros(0, bool))
    names = [b.name for b in first]
    joined = {n: np.concatenate([part.noise[n] for part in parts]) for n in names}
    value, low, high, known_by_data, spread, samples, settled = (
        np.concatenate([getattr(part, a) for part in parts]) for a in ("value", "low", "high", "told", "covariance", "samples", "settled")
    )
    return Batch(known, value, low, high, known_by_data, spread, joined, samples, settled)


def _values(priors: tuple[Prior, ...], z: Floats) -> dict[str, Floats]:
    return {p.name: at(p, z[:, k, None]) for k, p in enumerate(priors)}


class _Part:
    """Fits of some elements: deviations ``z`` (e, P), with residuals and derivatives where they were last worked out."""

    def __init__(self, model: Model, priors: tuple[Prior, ...], own: Ints, slopes: Slopes | None, beside: int) -> None:
        self.model, self.priors, self.own, self.given, self.beside = model, priors, own, slopes, beside
        reach = [(max(p.z(p.bounds[0]), -FAR), min(p.z(p.bounds[1]), FAR)) for p in priors]
        self.low, self.high = np.asarray(reach, np.float64).reshape(-1, 2).T
        self.z = np.zeros((own.size, len(priors)))
        self.blocks = self.ask(self.z)
        self.rows: list[Floats] = []
        self.rows_at = self.z
        self.settled = np.ones(own.size, np.bool_)

    def ask(self, z: Floats) -> Sequence[Block]:
        return self.model(_values(self.priors, z), self.own)

    def slopes(self) -> list[Floats]:
        """(e, P, T) of each channel, with respect to deviations, 0 where there is nothing to compare; worked out near ``z``."""
        if self.rows and np.abs(self.z - self.rows_at).max(initial=0.0) <= NEAR:
            return self.rows
        self.rows_at = self.z
        if self.given is not None:
            unit = np.stack([at(p, self.z[:, k]) * p.deviation if p.log else np.full(self.own.size, p.deviation)
                             for k, p in enumerate(self.priors)], axis=1)  # fmt: skip
            found = self.given(_values(self.priors, self.z), self.own, self.blocks)
            self.rows = [np.nan_to_num(s) * unit[:, :, None] for s in found]
            return self.rows
        self.rows = [np.zeros((self.own.size, len(self.priors), b.residual.shape[-1])) for b in self.blocks]
        for k in range(len(self.priors)):
            step = np.where(self.z[:, k] + STEP <= self.high[k], STEP, -STEP)
            moved = self.z.copy()
            moved[:, k] += step
            for row, now, was in zip(self.rows, self.ask(moved), self.blocks, strict=True):
                row[:, k] = np.nan_to_num((now.residual - was.residual) / step[:, None])
        return self.rows

    def gradient(self, noise_of: dict[str, Floats], rows: list[Floats]) -> Floats:
        """(e, P) gradient at ``z`` with some derivatives."""
        out = self.z.copy()
        for b, slope in zip(self.blocks, rows, strict=True):
            out += (noise_of[b.name] ** -2.0)[:, None] * (slope @ np.nan_to_num(b.residual)[:, :, None])[:, :, 0]
        return out

    def product(self, noise_of: dict[str, Floats], rows: list[Floats], others: list[Floats]) -> Floats:
        """(e, P, P) product of derivatives over noise, with the priors: the normal matrix where both are the same."""
        size = len(self.priors)
        out = np.broadcast_to(np.eye(size), (self.own.size, size, size)).copy()
        for b, one, other in zip(self.blocks, rows, others, strict=True):
            out += (noise_of[b.name] ** -2.0)[:, None, None] * (one @ other.transpose(0, 2, 1))
        return out

    def cost(self, z: Floats, blocks: Sequence[Block], noise_of: dict[str, Floats]) -> Floats:
        total = np.einsum("ep,ep->e", z, z)
        for b in blocks:
            r = np.nan_to_num(b.residual)
            total = total + np.einsum("et,et->e", r, r) * noise_of[b.name] ** -2.0
        return np.asarray(total)

    def solve(self, noise_of: dict[str, Floats], free: Bools, settled: float) -> None:
        """Move ``z`` to the most probable point, parameters that are not free at their priors, until no step is above ``settled``."""
        self.move(np.where(free, np.clip(self.z, self.low, self.high), 0.0))
        damping, cost = np.zeros(self.own.size), self.cost(self.z, self.blocks, noise_of)
        rows: list[Floats] = []
        for _ in range(ROUNDS):
            if rows is not self.slopes():
                rows = self.slopes()
                normal = self.product(noise_of, rows, rows)
            aim = self.aim(self.gradient(noise_of, rows), normal, free, damping)
            worst = np.abs(aim - self.z).max(axis=1, initial=0.0)
            if (worst <= settled).all():
                if settled > SETTLED or np.array_equal(self.rows_at, self.z):
                    break
                self.rows = []  # once more with derivatives right here
                continue
            blocks = self.ask(aim)
            new = self.cost(aim, blocks, noise_of)
            moves = worst > settled
            better = (new <= cost * (1.0 + 1e-12)) & moves
            damping = np.where(better, 0.1 * damping * (damping > 1e-3), np.where(moves, np.maximum(10.0 * damping, 1e-2), damping))
            self.z, cost = np.where(better[:, None], aim, self.z), np.where(better, new, cost)
            self.blocks = [Block(b.name, np.where(better[:, None], b.residual, a.residual), b.scale)
                           for a, b in zip(self.blocks, blocks, strict=True)]  # fmt: skip
        self.settled &= worst <= settled

    def aim(self, gradient: Floats, normal: Floats, free: Bools, damping: Floats) -> Floats:
        """(e, P) where a damped step inside the bounds leads; a parameter at a bound that it would leave stays."""
        stuck = ((self.z <= self.low) & (gradient > 0.0)) | ((self.z >= self.high) & (gradient < 0.0))
        return np.clip(self.z + _step(gradient, normal, free & ~stuck, damping), self.low, self.high)

    def steer(self, noise_of: dict[str, Floats], free: Bools) -> Floats:
        """Go on to where residuals are free of derivatives at their neighbours; (e, P, P) normal matrix there.

        With derivatives ``D`` and those of neighbours ``I`` an error is ``(I'D + 1)^-1 (I'r + z)``, so the inverse of its covariance is
        ``(I'D + 1)' (I'I + 1)^-1 (I'D + 1)``; without neighbours that is the usual ``D'D + 1``.
        """
        if self.beside == 0:
            return self.product(noise_of, self.slopes(), self.slopes())
        rows = [_around(s, np.isfinite(b.residual)[:, None], self.beside) for s, b in zip(self.slopes(), self.blocks, strict=True)]
        across, normal = self.product(noise_of, rows, self.slopes()), self.product(noise_of, rows, rows)
        for _ in range(ROUNDS):
            aim = self.aim(self.gradient(noise_of, rows), across, free, np.zeros(self.own.size))
            aim = np.clip(aim, self.z - LONGEST, self.z + LONGEST)
            worst = np.abs(aim - self.z).max(axis=1, initial=0.0)
            if (worst <= SETTLED).all():
                break
            self.move(aim)
        self.settled &= worst <= SETTLED
        found = across.transpose(0, 2, 1) @ np.linalg.solve(normal, across)
        return np.asarray(0.5 * (found + found.transpose(0, 2, 1)))

    def move(self, z: Floats) -> None:
        if not np.array_equal(z, self.z):
            self.z, self.blocks = z, self.ask(z)

    def run(self, passes: int) -> Batch:
        free = np.ones(self.z.shape, np.bool_)
        noise_of = {b.name: np.full(self.own.size, b.scale) for b in self.blocks}
        for _ in range(passes):
            self.solve(noise_of, free, ROUGHLY)
            noise_of = self.noise()
        free = told(self.steer(noise_of, free)) & self.settled[:, None]
        self.solve(noise_of, free, ROUGHLY if self.beside else SETTLED)
        self.steer(noise_of, free)
        noise_of = self.noise()
        normal = self.steer(noise_of, free)
        free &= self.settled[:, None]
        self.z, spread = np.where(free, self.z, 0.0), covariance(normal, free)
        half = Z90 * np.sqrt(np.diagonal(spread, axis1=1, axis2=2))
        columns = []
        for k, p in enumerate(self.priors):
            ends = [np.clip(at(p, self.z[:, k] + sign * half[:, k]), *p.bounds) for sign in (-1.0, 1.0)]
            kept = (p.value, *p.interval)
            columns.append([np.where(free[:, k], v, keep) for v, keep in zip((at(p, self.z[:, k]), *ends), kept, strict=True)])
        value, low, high = np.asarray(columns, np.float64).reshape(len(self.priors), 3, self.own.size).transpose(1, 2, 0)
        samples = np.sum([np.isfinite(b.residual).sum(axis=1) for b in self.blocks], axis=0) + np.zeros(self.own.size, np.int64)
        return Batch(self.priors, value, low, high, free, spread, noise_of, samples, self.settled)

    def noise(self) -> dict[str, Floats]:
        return {b.name: noise(b.residual, b.scale) for b in self.blocks}


def _step(gradient: Floats, normal: Floats, free: Bools, damping: Floats) -> Floats:
    """(e, P) damped Gauss-Newton step, 0 for parameters that are not free."""
    both = free[:, :, None] & free[:, None, :]
    eye = np.eye(free.shape[1])
    own = np.where(both, normal * (1.0 + damping[:, None, None] * eye), eye)
    return np.where(free, -np.linalg.solve(own, np.where(free, gradient, 0.0)[:, :, None])[:, :, 0], 0.0)


def _around(slope: Floats, good: Bools, beside: int) -> Floats:
    """(e, P, T) mean of derivatives at the samples around each one, itself left out; 0 where there is no residual (e, 1, T)."""
    count, total = np.zeros(good.shape), np.zeros(slope.shape)
    for d in range(1, beside + 1):
        count[..., d:] += good[..., :-d]
        count[..., :-d] += good[..., d:]
        total[..., d:] += slope[..., :-d]
        total[..., :-d] += slope[..., d:]
    return np.asarray(total * (good / np.maximum(count, 1.0)))
