"""Fits with constants that many elements share and constants of each element: curves of a SKU, and what every rack has of its own.

The same problem as :mod:`twin.forecast.calibrate.batch`, with one normal matrix shaped like an arrow: shared parameters meet every element,
parameters of an element meet only themselves and the shared ones. Those of the elements are taken out first (Schur complement:
Golub and Van Loan, Matrix Computations, 4th ed., section 3.2), so that the work grows with the number of elements and no faster.

Elements are a sample: how far apart they are is itself estimated, and each is drawn towards what is common to all the more, the less its
own data say (Gelman et al., Bayesian Data Analysis, 3rd ed., chapter 5). The spread is found by expectation and maximisation
(the same, section 13.4), with :data:`BELIEVED` elements' worth of faith in the spread that was known beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.forecast.calibrate.batch import at
from twin.forecast.calibrate.fit import FAR, Block
from twin.forecast.calibrate.normal import INFORMED, covariance, told
from twin.forecast.calibrate.priors import Z90, Fitted, Prior

Model = Callable[[Mapping[str, Floats], Mapping[str, Floats], Ints], Sequence[Block]]
"""Shared parameters by name (scalars), those of elements (e, 1), numbers of the elements (e,), to residuals (e, B) of each channel."""
PART = 4_000_000
"""Numbers in the derivatives of one part of the elements: 32 MB."""
ROUNDS = 25
PASSES = 3
"""Rounds in which noise and spread are taken from the fit."""
SETTLED = 1e-4
"""Step in standard deviations of the priors below which a fit has settled."""
LONGEST = 1.5
"""Longest step in standard deviations."""
BELIEVED = 10.0
"""Elements that the spread known beforehand counts as: estimate."""
STEP = 1e-4


@dataclass(frozen=True)
class Nested:
    """A fit with G shared parameters and L of each of N elements.

    Attributes:
        shared: shared parameters by name.
        own: priors of an element's parameters as used: those whose spread was estimated have that.
        z: (N, L) estimates in standard deviations of ``own``.
        deviation: (N, L) their standard deviations.
        noise: of each channel.
        samples: (N,) residuals of each element that were finite.
        settled: the fit came to rest; where it did not, every shared parameter keeps its prior.
    """

    shared: dict[str, Fitted]
    own: tuple[Prior, ...]
    z: Floats
    deviation: Floats
    noise: dict[str, float]
    samples: Ints
    settled: bool

    def fitted(self, name: str, element: int, prior: Prior) -> Fitted:
        """A parameter of an element; ``prior`` is what is known of it beforehand, from which it has to be told apart."""
        k = [p.name for p in self.own].index(name)
        used, z, wide = self.own[k], float(self.z[element, k]), float(self.deviation[element, k])
        if wide * used.deviation > INFORMED * prior.deviation:
            return Fitted(prior.value, prior.interval, prior, False)
        return Fitted(used.at(z), (used.at(z - Z90 * wide), used.at(z + Z90 * wide)), prior, True)


def calibrate_nested(model: Model, shared: Sequence[Prior], own: Sequence[Prior], elements: int, spread: Sequence[str] = ()) -> Nested:
    """Fit shared parameters and those of each element.

    Args:
        model: residuals; a residual that is a mean of n samples is multiplied by ``sqrt(n)``.
        shared: what is known beforehand of shared parameters.
        own: what is known of an element's.
        elements: number of elements, at least one.
        spread: names among ``own`` whose spread over the elements is estimated.

    Returns:
        The fit. A shared parameter that data cannot tell keeps its prior, as in :func:`twin.forecast.calibrate.fit.calibrate`; its
        uncertainty is in that of all others.
    """
    return _Problem(model, tuple(shared), tuple(own), elements, frozenset(spread)).run()


class _Problem:
    """Deviations ``z`` (G,) of shared parameters and ``y`` (N, L) of the elements', in standard deviations of their priors."""

    def __init__(self, model: Model, shared: tuple[Prior, ...], own: tuple[Prior, ...], elements: int, spread: frozenset[str]) -> None:
        self.model, self.shared, self.own, self.first, self.spread = model, shared, own, own, spread
        self.z, self.y = np.zeros(len(shared)), np.zeros((elements, len(own)))
        one = self._blocks(self.z, self.y[:1], np.zeros(1, np.int64))
        self.noise = {b.name: b.scale for b in one}
        self.scale = dict(self.noise)
        width = max(sum(b.residual.shape[1] for b in one), 1) * (len(shared) + len(own) + 1)
        size = max(PART // width, 1)
        self.parts = [np.arange(k, min(k + size, elements)) for k in range(0, elements, size)]

    def _blocks(self, z: Floats, y: Floats, who: Ints) -> Sequence[Block]:
        common = {p.name: at(p, np.asarray(v)) for p, v in zip(self.shared, z, strict=True)}
        return self.model(common, {p.name: at(p, y[:, k, None]) for k, p in enumerate(self.own)}, who)

    def run(self) -> Nested:
        free = np.ones(self.z.size, np.bool_)
        for _ in range(PASSES):
            self._solve(free)
            self._learn(free)
        schur = self._arrow(free)[1]
        free = told(schur)
        self.z = np.where(free, self.z, 0.0)
        settled = self._solve(free)
        self._learn(free)
        settled &= self._solve(free)
        if not settled:
            free[:] = False
            self.z[:] = 0.0
        schur, inverse, across = self._arrow(free)[1:4]
        spread = covariance(schur, free)
        wide = np.sqrt(np.diag(spread))
        fitted = {
            p.name: _fitted(p, float(self.z[k]), float(wide[k])) if free[k] else Fitted(p.value, p.interval, p, False)
            for k, p in enumerate(self.shared)
        }
        owes = inverse @ across
        own = np.diagonal(inverse, axis1=1, axis2=2) + np.einsum("nlg,gh,nlh->nl", owes, spread, owes)
        samples = np.concatenate([sum(np.isfinite(b.residual).sum(axis=1) for b in self._blocks(self.z, self.y[w], w)) for w in self.parts])
        return Nested(fitted, self.own, self.y, np.sqrt(own), dict(self.noise), samples.astype(np.int64), settled)

    def _arrow(self, free: Bools) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """The problem with the elements taken out.

        Returns:
            Gradient (G,) and normal matrix (G, G) of the shared parameters, (N, L, L) inverse of the elements' own block, (N, L, G) what
            joins both, and (N, L) gradient of the elements' own.
        """
        g_count, l_count, n = self.z.size, self.y.shape[1], self.y.shape[0]
        gradient, normal = self.z.copy(), np.eye(g_count)
        inverse, across, beside = np.zeros((n, l_count, l_count)), np.zeros((n, l_count, g_count)), np.zeros((n, l_count))
        for who in self.parts:
            y = self.y[who]
            own, join, push = np.broadcast_to(np.eye(l_count), (who.size, l_count, l_count)).copy(), across[who], y.copy()
            now = self._blocks(self.z, y, who)
            moved = [self._blocks(self.z + STEP * e, y, who) for e in np.eye(g_count)]
            moved += [self._blocks(self.z, y + STEP * e, who) for e in np.eye(l_count)]
            for k, b in enumerate(now):
                weight = self.noise[b.name] ** -2.0
                r = np.nan_to_num(b.residual)
                slope = np.stack([np.nan_to_num(m[k].residual - b.residual) / STEP for m in moved], axis=1)
                common, single = slope[:, :g_count], slope[:, g_count:]
                gradient += weight * np.einsum("egb,eb->g", common, r)
                normal += weight * np.tensordot(common, common, axes=((0, 2), (0, 2)))
                own += weight * (single @ single.transpose(0, 2, 1))
                join += weight * (single @ common.transpose(0, 2, 1))
                push += weight * np.einsum("elb,eb->el", single, r)
            inverse[who], across[who], beside[who] = np.linalg.inv(own), join, push
        owes = inverse @ across
        schur = normal - np.einsum("nlg,nlh->gh", across, owes)
        rest = gradient - np.einsum("nlg,nl->g", owes, beside)
        return np.where(free, rest, 0.0), 0.5 * (schur + schur.T), inverse, across, beside

    def _solve(self, free: Bools) -> bool:
        """Move to the most probable point; whether it came to rest."""
        for _ in range(ROUNDS):
            gradient, schur, inverse, across, beside = self._arrow(free)
            both = free[:, None] & free[None, :]
            step = np.where(free, -np.linalg.solve(np.where(both, schur, np.eye(free.size)), gradient), 0.0) if free.size else gradient
            own = -(inverse @ (beside + across @ step)[:, :, None])[:, :, 0]
            worst = max(np.abs(step).max(initial=0.0), np.abs(own).max(initial=0.0))
            short = min(1.0, LONGEST / max(worst, 1e-300))
            self.z = np.clip(self.z + short * step, *self._reach(self.shared))
            self.y = np.clip(self.y + short * own, *self._reach(self.own))
            if worst <= SETTLED:
                return True
        return bool(worst <= 100.0 * SETTLED)

    def _reach(self, priors: tuple[Prior, ...]) -> tuple[Floats, Floats]:
        low = np.asarray([max(p.z(p.bounds[0]), -FAR) for p in priors])
        return low, np.asarray([min(p.z(p.bounds[1]), FAR) for p in priors])

    def _learn(self, free: Bools) -> None:
        """Noise of every channel from its residuals, and the spread of elements from their estimates."""
        total, count = dict.fromkeys(self.noise, 0.0), dict.fromkeys(self.noise, 0.0)
        for who in self.parts:
            for b in self._blocks(self.z, self.y[who], who):
                good = np.isfinite(b.residual)
                total[b.name] += float(np.square(np.where(good, b.residual, 0.0)).sum())
                count[b.name] += float(good.sum())
        schur, inverse, across = self._arrow(free)[1:4]
        used = self._used(inverse, schur, free)
        for name, scale in self.scale.items():
            left = count[name] - used * count[name] / max(sum(count.values()), 1.0)
            if left >= 3.0:
                self.noise[name] = max(math.sqrt(total[name] / left), 1e-3 * scale)
        owes = inverse @ across
        wide = np.diagonal(inverse, axis1=1, axis2=2) + np.einsum("nlg,gh,nlh->nl", owes, covariance(schur, free), owes)
        for k, (p, first) in enumerate(zip(self.own, self.first, strict=True)):
            if p.name in self.spread:
                far = p.deviation**2 * float((self.y[:, k] ** 2 + wide[:, k]).sum())
                found = math.sqrt((BELIEVED * first.deviation**2 + far) / (BELIEVED + self.y.shape[0]))
                self.y[:, k] *= p.deviation / found
                self.own = (*self.own[:k], _as_wide(first, found), *self.own[k + 1 :])

    def _used(self, inverse: Floats, schur: Floats, free: Bools) -> float:
        """Degrees of freedom that the parameters take: how much narrower data made them than their priors (trace of the hat matrix)."""
        shared = float(free.sum() - np.trace(np.linalg.inv(schur)[np.ix_(free, free)])) if free.any() else 0.0
        return shared + float(self.y.size - np.trace(inverse, axis1=1, axis2=2).sum())


def _as_wide(p: Prior, deviation: float) -> Prior:
    """A prior with another standard deviation."""
    half = Z90 * deviation
    ends = (p.value * math.exp(-half), p.value * math.exp(half)) if p.log else (p.value - half, p.value + half)
    return replace(p, interval=ends)


def _fitted(p: Prior, z: float, wide: float) -> Fitted:
    low, high = (min(max(p.at(z + sign * Z90 * wide), p.bounds[0]), p.bounds[1]) for sign in (-1.0, 1.0))
    return Fitted(p.at(z), (low, high), p, True)
