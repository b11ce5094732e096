"""Many small fits of one kind at once: :func:`twin.forecast.calibrate.fit.calibrate` on arrays (element, sample).

Same problem, same noise, same meaning of told; instead of one optimiser an element there is one Gauss-Newton iteration for all, damped
where a step does not help (Levenberg and Marquardt: Nocedal and Wright, Numerical Optimization, 2nd ed., section 10.3) and
projected on the bounds. Elements are taken in parts, so that memory stays small however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.errors import NotConverged
from twin.forecast.calibrate.fit import FAR, PASSES, Block
from twin.forecast.calibrate.normal import covariance, noise, told
from twin.forecast.calibrate.priors import Z90, Fitted, Prior

Model = Callable[[Mapping[str, Floats], Ints], Sequence[Block]]
"""Parameters by name, each (e, 1), and the numbers of the elements (e,) that they belong to, to residuals (e, T) of each channel."""
Slopes = Callable[[Mapping[str, Floats], Ints, Sequence[Block]], Sequence[Floats]]
"""The same, with the residuals there, to (P, e, T) derivatives of each channel with respect to parameters (not to deviations)."""
PART = 20_000_000
"""Numbers in the derivatives of one part of the elements: 160 MB."""
ROUNDS = 60
SETTLED = 1e-5
"""Step in standard deviations of the priors below which a fit has settled."""
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
    """

    priors: tuple[Prior, ...]
    value: Floats
    low: Floats
    high: Floats
    told: Bools
    covariance: Floats
    noise: dict[str, Floats]
    samples: Ints

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


def calibrate_many(model: Model, priors: Sequence[Prior], elements: int, slopes: Slopes | None = None, passes: int = PASSES) -> Batch:
    """Fit the parameters of many elements, each on its own data.

    Args:
        model: parameters and element numbers to residuals; an element without a channel has NaN there.
        priors: what is known beforehand, the same for every element; a width of an element's own is a factor inside the model.
        elements: number of elements.
        slopes: derivatives where the model knows a shorter way to them than one evaluation a parameter.
        passes: rounds of noise from residuals.

    Returns:
        The fits.

    Raises:
        NotConverged: a fit did not settle; carries the number of the element.
    """
    known = tuple(priors)
    first = model(_values(known, np.zeros((min(elements, 1), len(known)))), np.arange(min(elements, 1)))
    width = max(sum(b.residual.shape[-1] for b in first), 1)
    size = max(PART // (width * max(len(known), 1)), 1)
    parts = [_Part(model, known, np.arange(k, min(k + size, elements)), slopes).run(passes) for k in range(0, elements, size)]
    if not parts:
        p = len(known)
        shape = np.zeros((0, p))
        return Batch(known, shape, shape, shape, np.zeros((0, p), bool), np.zeros((0, p, p)), {}, np.zeros(0, np.int64))
    names = [b.name for b in first]
    joined = {n: np.concatenate([part.noise[n] for part in parts]) for n in names}
    value, low, high, known_by_data, spread, samples = (
        np.concatenate([getattr(part, a) for part in parts]) for a in ("value", "low", "high", "told", "covariance", "samples")
    )
    return Batch(known, value, low, high, known_by_data, spread, joined, samples)


def _values(priors: tuple[Prior, ...], z: Floats) -> dict[str, Floats]:
    return {p.name: at(p, z[:, k, None]) for k, p in enumerate(priors)}


class _Part:
    """Fits of some elements: deviations ``z`` (e, P), with residuals and derivatives where they were last worked out."""

    def __init__(self, model: Model, priors: tuple[Prior, ...], own: Ints, slopes: Slopes | None) -> None:
        self.model, self.priors, self.own, self.given = model, priors, own, slopes
        reach = [(max(p.z(p.bounds[0]), -FAR), min(p.z(p.bounds[1]), FAR)) for p in priors]
        self.low, self.high = np.asarray(reach, np.float64).reshape(-1, 2).T
        self.z = np.zeros((own.size, len(priors)))
        self.blocks = self.ask(self.z)
        self.rows: list[Floats] = []

    def ask(self, z: Floats) -> Sequence[Block]:
        return self.model(_values(self.priors, z), self.own)

    def slopes(self) -> list[Floats]:
        """(P, e, T) of each channel, with respect to deviations, 0 where there is nothing to compare."""
        if self.rows:
            return self.rows
        if self.given is not None:
            unit = np.stack([at(p, self.z[:, k]) * p.deviation if p.log else np.full(self.own.size, p.deviation)
                             for k, p in enumerate(self.priors)])  # fmt: skip
            found = self.given(_values(self.priors, self.z), self.own, self.blocks)
            self.rows = [np.nan_to_num(s) * unit[:, :, None] for s in found]
            return self.rows
        columns: list[list[Floats]] = [[] for _ in self.blocks]
        for k in range(len(self.priors)):
            step = np.where(self.z[:, k] + STEP <= self.high[k], STEP, -STEP)
            moved = self.z.copy()
            moved[:, k] += step
            for column, now, was in zip(columns, self.ask(moved), self.blocks, strict=True):
                column.append(np.nan_to_num((now.residual - was.residual) / step[:, None]))
        self.rows = [np.stack(c) for c in columns]
        return self.rows

    def weigh(self, noise_of: dict[str, Floats]) -> tuple[Floats, Floats]:
        """(e, P) gradient and (e, P, P) normal matrix at ``z``."""
        size = len(self.priors)
        gradient, normal = self.z.copy(), np.broadcast_to(np.eye(size), (self.own.size, size, size)).copy()
        for b, slope in zip(self.blocks, self.slopes(), strict=True):
            weight = noise_of[b.name] ** -2.0
            by_element = slope.transpose(1, 0, 2)
            gradient += weight[:, None] * (by_element @ np.nan_to_num(b.residual)[:, :, None])[:, :, 0]
            normal += weight[:, None, None] * (by_element @ by_element.transpose(0, 2, 1))
        return gradient, normal

    def cost(self, z: Floats, blocks: Sequence[Block], noise_of: dict[str, Floats]) -> Floats:
        total = np.einsum("ep,ep->e", z, z)
        for b in blocks:
            r = np.nan_to_num(b.residual)
            total = total + np.einsum("et,et->e", r, r) * noise_of[b.name] ** -2.0
        return np.asarray(total)

    def solve(self, noise_of: dict[str, Floats], free: Bools) -> None:
        """Move ``z`` to the most probable point, parameters that are not free at their priors."""
        self.move(np.where(free, np.clip(self.z, self.low, self.high), 0.0))
        damping, cost, worst = np.zeros(self.own.size), self.cost(self.z, self.blocks, noise_of), np.zeros(self.own.size)
        for _ in range(ROUNDS):
            gradient, normal = self.weigh(noise_of)
            stuck = ((self.z <= self.low) & (gradient > 0.0)) | ((self.z >= self.high) & (gradient < 0.0))
            step = _step(gradient, normal, free & ~stuck, damping)
            aim = np.clip(self.z + step, self.low, self.high)
            worst = np.abs(aim - self.z).max(axis=1, initial=0.0)
            if (worst <= SETTLED).all():
                return
            blocks = self.ask(aim)
            new = self.cost(aim, blocks, noise_of)
            better = (new <= cost * (1.0 + 1e-12)) & (worst > SETTLED)
            damping = np.where(
                better, 0.1 * damping * (damping > 1e-3), np.where(worst > SETTLED, np.maximum(10.0 * damping, 1e-2), damping)
            )
            if better.any():
                self.move(np.where(better[:, None], aim, self.z))
                cost = np.where(better, new, cost)
        e = int(worst.argmax())
        raise NotConverged(f"the fit of element number {self.own[e]} still moves by {worst[e]:.1e} deviations", residual=float(worst[e]))

    def move(self, z: Floats) -> None:
        if not np.array_equal(z, self.z):
            self.z, self.blocks, self.rows = z, self.ask(z), []

    def run(self, passes: int) -> Batch:
        free = np.ones(self.z.shape, np.bool_)
        noise_of = {b.name: np.full(self.own.size, b.scale) for b in self.blocks}
        for _ in range(passes):
            self.solve(noise_of, free)
            noise_of = self.noise()
        free = told(self.weigh(noise_of)[1])
        self.solve(noise_of, free)
        noise_of = self.noise()
        spread = covariance(self.weigh(noise_of)[1], free)
        half = Z90 * np.sqrt(np.diagonal(spread, axis1=1, axis2=2))
        columns = []
        for k, p in enumerate(self.priors):
            ends = [np.clip(at(p, self.z[:, k] + sign * half[:, k]), *p.bounds) for sign in (-1.0, 1.0)]
            kept = (p.value, *p.interval)
            columns.append([np.where(free[:, k], v, keep) for v, keep in zip((at(p, self.z[:, k]), *ends), kept, strict=True)])
        value, low, high = np.asarray(columns, np.float64).reshape(len(self.priors), 3, self.own.size).transpose(1, 2, 0)
        samples = np.sum([np.isfinite(b.residual).sum(axis=1) for b in self.blocks], axis=0) + np.zeros(self.own.size, np.int64)
        return Batch(self.priors, value, low, high, free, spread, noise_of, samples)

    def noise(self) -> dict[str, Floats]:
        return {b.name: noise(b.residual, b.scale) for b in self.blocks}


def _step(gradient: Floats, normal: Floats, free: Bools, damping: Floats) -> Floats:
    """(e, P) damped Gauss-Newton step, 0 for parameters that are not free."""
    both = free[:, :, None] & free[:, None, :]
    eye = np.eye(free.shape[1])
    own = np.where(both, normal * (1.0 + damping[:, None, None] * eye), eye)
    return np.where(free, -np.linalg.solve(own, np.where(free, gradient, 0.0)[:, :, None])[:, :, 0], 0.0)
