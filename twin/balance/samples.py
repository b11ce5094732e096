"""Samples that the balances are made on: means of neighbouring steps of a window, few enough to be looked at together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telemetry.quality.doubt import Doubt, utc
from topology.axes import Floats
from twin.forecast.calibrate.cdu_seen import ENOUGH, thinned
from twin.forecast.calibrate.seen import Seen


@dataclass(frozen=True)
class Samples:
    """Times of samples.

    Attributes:
        time: (S + 1,) begin of each sample, and end of the last, datetime64[us].
        enough: samples that are kept at least.
    """

    time: np.ndarray
    enough: int = ENOUGH

    @property
    def n(self) -> int:
        """Number of samples."""
        return int(self.time.size - 1)

    def mean(self, values: Floats) -> Floats:
        """(S, n) of values (T, n), by the rule of :func:`twin.forecast.calibrate.cdu_seen.thinned`."""
        return thinned(values, self.enough)

    def doubt(
        self, element: str, part: str, quantity: str, level: str, detector: str, score: float, reason: str, first: int
    ) -> Doubt:  # fmt: skip
        """A doubt from a sample to the end of the window."""
        since, until = (utc(self.time[k].astype("datetime64[us]").astype(np.int64)) for k in (first, -1))
        return Doubt(element, part, quantity, level, detector, score, reason, since, until, self.n - first)


def of_window(what: Seen, enough: int = ENOUGH) -> Samples:
    """Samples of all steps of a window."""
    return Samples(sample_times(what.time, what.step_s, thinned(np.zeros((what.time.size, 1)), enough).shape[0]), enough)


def sample_times(time: np.ndarray, step_s: float, samples: int) -> np.ndarray:
    """(S + 1,) begin of each sample that was put together from neighbouring steps, and the end of the last.

    >>> at = np.datetime64("2026-01-01T00:00", "us") + np.arange(4) * np.timedelta64(900_000_000, "us")
    >>> sample_times(at, 900.0, 2).astype("datetime64[m]").tolist()[1].minute
    30
    """
    each = max(time.size // max(samples, 1), 1)
    return np.append(time[: samples * each : each], time[-1] + np.timedelta64(int(step_s * 1e6), "us"))
