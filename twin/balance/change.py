"""When, by how much and in what something changed: every parameter of a fitted model as a candidate, every moment as its begin.

A model of an element was fitted with parameters that stand still (:mod:`twin.forecast.calibrate.batch`). Its residuals ``r`` over their
noise, and their derivatives ``J`` with respect to each parameter in standard deviations of its prior, tell to first order what a change of
one parameter ``k`` from ``tau`` on would explain: with the shape ``h(t)`` of the change (from 0 to 1 at once, or in a straight line) the
column
``c = J_k h`` is freed of what the standing parameters can take up, ``c' = c - X (X^T X)^-1 X^T c`` with ``X`` the derivatives of all and
the priors below them. Then

    size = -c'^T r / c'^T c',    gain = (c'^T r)^2 / c'^T c'

and ``gain`` is the fall of chi-squared, distributed as chi-squared with one degree of freedom where nothing changed (score test: Cox and
Hinkley, Theoretical Statistics, 1974, section 9.3). All begins come from running
sums, so that a series costs its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.forecast.calibrate.batch import Batch, Model, at
from twin.forecast.calibrate.normal import noise as settled
from twin.forecast.calibrate.series import MAD_TO_DEVIATION

LENGTHS = (0.0, 1.0 / 16.0, 1.0 / 8.0, 1.0 / 4.0, 1.0 / 2.0, 1.0)
"""Time that a change may take, over the window; the last ones run to its end."""
EDGE = 8
"""Samples at both ends that no change begins in."""
BESIDE = 2
"""Samples on each side whose derivatives stand for those of a sample, so that noise of a reading is not in both."""


@dataclass(frozen=True)
class Changes:
    """The best change of each of N elements in each of P parameters.

    Attributes:
        gain: (N, P) fall of chi-squared.
        size: (N, P) change at the end of the window, in standard deviations of the parameter's prior.
        base: (N, P) how far the parameter was before the change from where it was fitted, in the same.
        error: (N, P) standard deviation of that.
        begin: (N, P) sample at which it begins.
        lasts: (N, P) samples that it takes; 0 at once.
    """

    gain: Floats
    size: Floats
    base: Floats
    error: Floats
    begin: Ints
    lasts: Ints


def changes(residual: Sequence[Floats], slopes: Sequence[Floats], noise: Sequence[Floats], offset: Floats) -> Changes:
    """Find the best change in every parameter of every element.

    The noise of a fit without the change holds the change itself. So a first search uses what residuals do from sample to sample, and the
    second one the noise of what the best change of the first leaves, widened for autocorrelation.

    Args:
        residual: (N, T) of each block, NaN where nothing is compared.
        slopes: (N, P, T) derivatives of each block, in standard deviations of the priors.
        noise: (N,) of each block, for those that are too short to tell.
        offset: (N, P) the fitted parameters in standard deviations from their priors.
    """
    found = []
    for n in range(slopes[0].shape[0]):
        good = np.stack([np.isfinite(r[n]) & np.isfinite(s[n]).all(axis=0) for r, s in zip(residual, slopes, strict=True)])
        r = np.stack([np.where(g, x[n], 0.0) for g, x in zip(good, residual, strict=True)])
        j = np.stack([np.where(g, x[n], 0.0) for g, x in zip(good, slopes, strict=True)])
        scale = np.array([_white(x, g, float(w[n])) for x, g, w in zip(r, good, noise, strict=True)])
        left = _Element(r, j, offset[n], good, scale).left()
        wide = [settled(np.where(g, x, np.nan), float(s)) for x, g, s in zip(left, good, scale, strict=True)]
        found.append(_Element(r, j, offset[n], good, np.maximum(np.asarray(wide, np.float64), scale)).best())
    gain, size, base, error = (np.stack([np.asarray(f[k], np.float64) for f in found]) for k in range(4))
    begin, lasts = (np.stack([np.asarray(f[k], np.int64) for f in found]) for k in (4, 5))
    return Changes(gain, size, base, error, begin, lasts)


def _white(residual: Floats, good: Bools, otherwise: float) -> float:
    """Noise of a series from sample to sample, robust against steps."""
    step = np.abs(np.diff(residual[good]))
    found = MAD_TO_DEVIATION * float(np.median(step)) / np.sqrt(2.0) if step.size >= EDGE else 0.0
    return max(found, _FLOOR * otherwise, 1e-300) if np.isfinite(otherwise) else np.inf


_FLOOR = 1e-3


def changes_of(model: Model, batch: Batch) -> Changes:
    """The best change of each fitted element in each of its parameters.

    Args:
        model: parameters and element numbers to residuals.
        batch: the fit of it, all elements.
    """
    own: Ints = np.arange(batch.settled.size)
    priors = batch.priors
    value = {p.name: batch.value[:, k, None] for k, p in enumerate(priors)}
    was = model(value, own)
    rows: list[list[Floats]] = [[] for _ in was]
    offset = np.zeros(batch.value.shape)
    for k, p in enumerate(priors):
        offset[:, k] = [p.z(float(x)) for x in batch.value[:, k]]
        moved = at(p, offset[:, k] + _H)
        for row, now, before in zip(rows, model({**value, p.name: moved[:, None]}, own), was, strict=True):
            row.append((now.residual - before.residual) / _H)
    slopes = [smoothed(np.stack(r, axis=1)) for r in rows]
    return changes([b.residual for b in was], slopes, [batch.noise[b.name] for b in was], offset)


_H = 1e-4


class _Element:
    """One element: residuals (B, T), derivatives (B, P, T), parameters (P,), samples with something to compare (B, T), noise (B,)."""

    def __init__(self, r: Floats, j: Floats, z: Floats, good: Bools, noise: Floats) -> None:
        self.noise, self.j = noise, j / noise[:, None, None]
        self.used = np.flatnonzero(good.any(axis=0))
        normal = np.einsum("bpt,bqt->pq", self.j, self.j) + np.eye(z.size)
        self.inverse = np.linalg.inv(normal)
        over = r / noise[:, None]
        self.moved = self.inverse @ (np.einsum("bpt,bt->p", self.j, over) + z)  # 0 at the best estimate
        self.r = over - np.einsum("bpt,p->bt", self.j, self.moved)

    def best(self) -> tuple[Floats, Floats, Floats, Floats, Ints, Ints]:
        """Gain, size, base, error, begin and length of the best change in each parameter, each (P,)."""
        count = self.j.shape[1]
        if self.used.size < 4 * EDGE:
            none, never = np.zeros(count), np.zeros(count, np.int64)
            return none, none, none, none + 1.0, never, never
        cross, own = np.einsum("bpt,bqt->tpq", self.j, self.j), np.einsum("bpt,bt->tp", self.j, self.r)
        begins, last = self.used[EDGE:-EDGE], int(self.used[-1])
        lengths = np.array([round(share * (last - self.used[0])) for share in LENGTHS])
        sums, found = _Sums(cross, own, last), []
        for lasts in lengths:
            ss, sx, sr = sums.of(begins, int(lasts))
            free = np.maximum(ss - np.einsum("tpq,qk,tpk->tp", sx, self.inverse, sx), 1e-12 * np.maximum(ss, 1e-12))
            usable = (free > _TELLS * np.maximum(ss, 1e-300)) & (free > _LEAST)
            taken = np.einsum("pq,tpq->tp", self.inverse, sx)  # what the parameter itself takes up of a unit change
            found.append(np.where(usable, np.stack([sr**2 / free, -sr / free, free**-0.5, taken]), 0.0))
        every = np.concatenate([f[0] for f in found])
        at_best, each = every.argmax(axis=0), np.arange(count)
        size, error, taken = (np.concatenate([f[k] for f in found])[at_best, each] for k in (1, 2, 3))
        base = -self.moved - taken * size
        return every[at_best, each], size, base, error, begins[at_best % begins.size], lengths[at_best // begins.size]

    def left(self) -> Floats:
        """(B, T) residuals without the best change of all, the other parameters fitted with it."""
        gain, size, _, _, begin, lasts = self.best()
        k = int(gain.argmax())
        t = np.arange(self.r.shape[1], dtype=np.float64)
        shape = np.clip((t - begin[k]) / lasts[k], 0.0, 1.0) if lasts[k] else (t >= begin[k]) * 1.0
        column = self.j[:, k] * shape
        taken = np.einsum("bpt,p->bt", self.j, self.inverse @ np.einsum("bpt,bt->p", self.j, column))
        return np.asarray((self.r + size[k] * (column - taken)) * self.noise[:, None])


_TELLS = 1e-3
"""Smallest share of a change that the standing parameters cannot take up; below it nothing can be said."""
_LEAST = 1.0
"""Smallest information on a change, over that of the prior."""


class _Sums:
    """Products of columns ``J h`` with themselves, with all ``J`` and with the residuals, for every begin of ``h`` at once.

    A change from ``b`` to ``e`` is ``h = (R_b - R_e) / (e - b)`` with ``R_b(t) = max(t - b, 0)``, so that sums of ``J J t^k`` from each
    sample to the end give all of them.
    """

    def __init__(self, cross: Floats, own: Floats, last: int) -> None:
        t = np.arange(cross.shape[0], dtype=np.float64)[:, None]
        square = np.diagonal(cross, axis1=1, axis2=2)
        self.s = [_after(square * t**k) for k in range(3)]
        self.x = [_after(cross), _after(cross * t[:, :, None])]
        self.r = [_after(own), _after(own * t)]
        self.last = last

    def of(self, begins: Ints, lasts: int) -> tuple[Floats, Floats, Floats]:
        """Square of each column, its products with all columns, and with the residuals, for a change that lasts so many samples."""
        if lasts == 0:
            return self.s[0][begins], self.x[0][begins], self.r[0][begins]
        ends = np.minimum(begins + lasts, self.last)
        b, e = begins[:, None].astype(np.float64), ends[:, None].astype(np.float64)
        long = np.maximum(e - b, 1.0)
        square = self._ramps(begins, b, b) - 2.0 * self._ramps(ends, b, e) + self._ramps(ends, e, e)
        with_all = self._ramp(self.x, begins, b[:, :, None]) - self._ramp(self.x, ends, e[:, :, None])
        with_rest = self._ramp(self.r, begins, b) - self._ramp(self.r, ends, e)
        return square / long**2, with_all / long[:, :, None], with_rest / long

    def _ramps(self, at: Ints, b: Floats, e: Floats) -> Floats:
        """Sum of ``J J (t - b)(t - e)`` from each sample on."""
        return np.asarray(self.s[2][at] - (b + e) * self.s[1][at] + b * e * self.s[0][at])

    def _ramp(self, sums: list[Floats], at: Ints, b: Floats) -> Floats:
        return np.asarray(sums[1][at] - b * sums[0][at])


def _after(values: Floats) -> Floats:
    """Sums from each sample to the end."""
    return np.asarray(np.cumsum(values[::-1], axis=0)[::-1])


def smoothed(slopes: Floats, beside: int = BESIDE) -> Floats:
    """(N, P, T) derivatives as the mean of those of the neighbours; a sample without any keeps its own."""
    good = np.isfinite(slopes)
    filled = np.where(good, slopes, 0.0)
    total, count = np.zeros_like(filled), np.zeros_like(filled)
    for d in (*range(-beside, 0), *range(1, beside + 1)):
        lo, hi = max(d, 0), slopes.shape[2] + min(d, 0)
        total[:, :, lo - d : hi - d] += filled[:, :, lo:hi]
        count[:, :, lo - d : hi - d] += good[:, :, lo:hi]
    return np.where(good & (count > 0), total / np.maximum(count, 1), slopes)
