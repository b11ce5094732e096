"""How a meter and the twin differ, element by element, counted piece by piece over a window of any length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topology.axes import Floats, Ints
from twin.forecast.calibrate.scores import Score, Sums, sums

WITHIN = 2.0
"""Deviations of a meter's noise that count as within it; of normal noise 95.4 % of the readings lie there."""


@dataclass(frozen=True)
class Residuals:
    """Reading minus prediction of one channel, by element of its axis (n), NaN where nothing was compared.

    Attributes:
        channel: name in :data:`twin.observe.CHANNELS`.
        elements: ids of its axis.
        count: (n,) steps with a reading and a prediction.
        bias: (n,) mean residual in the unit of the quantity.
        rms: (n,) root mean square of the residuals.
        mean: (n,) mean reading.
        sigma: (n,) standard deviation of one reading's noise at its mean reading.
        relative_frac: (n,) bias over the mean reading, for meters whose noise is a share of their reading.
        within_frac: (n,) share of the steps within :data:`WITHIN` deviations of the noise of a single reading.
        lag1: (n,) correlation of a residual with the one a reading before: near 0 where it is noise, near 1 where it lasts.
        largest: (n,) residual of the largest size.
        largest_at: (n,) start of its step, datetime64[us] UTC.
        score: errors over all elements together; the sign of its bias is prediction minus measurement.
    """

    channel: str
    elements: tuple[str, ...]
    count: Ints
    bias: Floats
    rms: Floats
    mean: Floats
    sigma: Floats
    relative_frac: Floats
    within_frac: Floats
    lag1: Floats
    largest: Floats
    largest_at: np.ndarray
    score: Score

    @property
    def compared(self) -> Ints:
        """Indices of elements that could be compared, those furthest off first, in deviations of their meter's noise."""
        own = np.flatnonzero(self.count)
        return own[np.argsort(-self.deviations[own], kind="stable")]

    @property
    def deviations(self) -> Floats:
        """(n,) root mean square of the residuals over the noise of one reading; 1 where nothing but that noise shows."""
        return np.asarray(np.divide(self.rms, self.sigma, out=np.full(self.rms.shape, np.nan), where=self.sigma > 0.0))


class Tally:
    """Counts the residuals of one channel; pieces must come in order of time, without a gap between them."""

    def __init__(self, channel: str, elements: tuple[str, ...], noise: float, relative: bool) -> None:
        n = len(elements)
        self.channel, self.elements, self.noise, self.relative = channel, elements, noise, relative
        self.count, self.within, self.pairs = (np.zeros(n, np.int64) for _ in range(3))
        self.error, self.square, self.read, self.product, self.both = (np.zeros(n) for _ in range(5))
        self.largest, self.last = np.full(n, np.nan), np.full(n, np.nan)
        self.at = np.full(n, np.datetime64("NaT", "us"))
        self.sums = Sums()

    def add(self, time: np.ndarray, measured: Floats, predicted: Floats) -> None:
        """Count some steps: (T,) times, (T, n) readings and predictions, NaN where there is none."""
        e = measured - predicted
        good = np.isfinite(e)
        zero, y = np.where(good, e, 0.0), np.where(good, measured, 0.0)
        self.count += good.sum(axis=0)
        self.error += zero.sum(axis=0)
        self.square += (zero**2).sum(axis=0)
        self.read += y.sum(axis=0)
        sigma = self.noise * np.abs(y) if self.relative else self.noise
        self.within += (good & (np.abs(zero) <= WITHIN * sigma)).sum(axis=0)
        self._pair(e)
        self._extreme(time, e, good)
        self.sums += sums(predicted, measured)

    def _pair(self, e: Floats) -> None:
        """Products of each residual with the one a reading before, and their sums."""
        rows = np.concatenate([self.last[None, :], e])
        at = np.maximum.accumulate(np.where(np.isfinite(rows), np.arange(rows.shape[0])[:, None], 0), axis=0)
        held = np.take_along_axis(rows, at, axis=0)
        before = held[:-1]
        pair = np.isfinite(before) & np.isfinite(e)
        self.product += np.where(pair, before * e, 0.0).sum(axis=0)
        self.both += np.where(pair, before + e, 0.0).sum(axis=0)
        self.pairs += pair.sum(axis=0)
        self.last = held[-1]

    def _extreme(self, time: np.ndarray, e: Floats, good: np.ndarray) -> None:
        size = np.where(good, np.abs(e), -1.0)
        row, column = size.argmax(axis=0), np.arange(e.shape[1])
        more = size[row, column] > np.where(np.isfinite(self.largest), np.abs(self.largest), -0.5)
        self.largest = np.where(more, e[row, column], self.largest)
        self.at = np.where(more, time[row], self.at)

    @property
    def told(self) -> Residuals:
        """What has been counted so far."""
        n = np.where(self.count > 0, self.count, np.nan)
        bias, square = self.error / n, self.square / n
        spread = np.maximum(square - bias**2, 0.0)
        pairs = np.where(self.pairs > 0, self.pairs, np.nan)
        along = self.product / pairs - bias * self.both / pairs + bias**2
        flat = spread <= 1e-12 * square  # a constant residual has no fluctuation that could be alike
        lag1 = np.divide(along, spread, out=np.full(along.shape, np.nan), where=~flat & np.isfinite(along) & (spread > 0.0))
        mean = self.read / n
        share = np.divide(bias, mean, out=np.full(bias.shape, np.nan), where=np.isfinite(bias) & (mean != 0.0))
        sigma = self.noise * np.abs(mean) if self.relative else np.where(self.count > 0, self.noise, np.nan)
        return Residuals(
            self.channel, self.elements, self.count.copy(), bias, np.sqrt(square), mean, sigma,
            share if self.relative else np.full_like(share, np.nan), self.within / n, np.clip(lag1, -1.0, 1.0), self.largest.copy(),
            self.at.copy(), self.sums.score,
        )  # fmt: skip
