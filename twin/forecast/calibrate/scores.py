"""How far a prediction is from what was measured, in the terms that building engineers use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, Floats
from topology.errors import UsageError


@dataclass(frozen=True)
class Score:
    """Errors of a prediction over the samples where both it and a measurement exist.

    ASHRAE Guideline 14-2014, section 5.2.11.3, with one parameter (``p = 1``) taken off the count, as it says for predictions of a
    calibrated simulation: ``CV(RMSE) = sqrt(sum(e^2) / (n - p)) / mean``, ``NMBE = sum(e) / ((n - p) mean)``. The sign of the bias
    is that of prediction minus measurement.

    Attributes:
        cv_rmse_frac: coefficient of variation of the root mean square error.
        nmbe_frac: normalised mean bias error.
        mape_frac: mean absolute error relative to each measurement; measurements of 0 are left out of it.
        rmse: root mean square error in the unit of the series.
        count: samples.
    """

    cv_rmse_frac: float
    nmbe_frac: float
    mape_frac: float
    rmse: float
    count: int


@dataclass(frozen=True)
class Sums:
    """What a score is made of, so that a long series can be compared piece by piece; the sum of two is that of both pieces.

    Attributes:
        count: samples.
        some: measurements that are not 0.
        totals: sums over the samples of prediction minus measurement, of its square and of the measurement, and over those
            measurements that are not 0 of the absolute error over the measurement.
    """

    count: int = 0
    some: int = 0
    totals: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    def __add__(self, other: Sums) -> Sums:
        """Both pieces as one."""
        a, b, c, d = (x + y for x, y in zip(self.totals, other.totals, strict=True))
        return Sums(self.count + other.count, self.some + other.some, (a, b, c, d))

    @property
    def score(self) -> Score:
        """The score of all samples; NaN throughout with fewer than two."""
        if self.count < 2:
            return Score(*4 * (float("nan"),), self.count)
        error, square, measured, relative = self.totals
        mean, free = measured / self.count, self.count - 1
        return Score(
            cv_rmse_frac=float(np.sqrt(square / free) / mean) if mean else float("nan"),
            nmbe_frac=error / (free * mean) if mean else float("nan"),
            mape_frac=relative / self.some if self.some else float("nan"),
            rmse=float(np.sqrt(square / self.count)),
            count=self.count,
        )


def sums(predicted: Floats, measured: Floats, mask: Bools | None = None) -> Sums:
    """Sums over the samples of two arrays of one shape that are finite in both, and in the mask where one is given."""
    good = np.isfinite(predicted) & np.isfinite(measured)
    if mask is not None:
        good &= mask
    y, error = measured[good], (predicted - measured)[good]
    some = y != 0.0
    relative = float(np.abs(error[some] / y[some]).sum())
    return Sums(int(y.size), int(some.sum()), (float(error.sum()), float((error**2).sum()), float(y.sum()), relative))


def score(predicted: Floats, measured: Floats, mask: Bools | None = None) -> Score:
    """Compare two series.

    Args:
        predicted: (T,) prediction.
        measured: (T,) measurement, NaN where there is none.
        mask: (T,) samples to compare, all where not given.

    Returns:
        Errors over the samples that are finite in both.

    Raises:
        UsageError: fewer than two samples to compare.

    >>> s = score(np.array([11.0, 9.0, 12.0]), np.array([10.0, 10.0, 10.0]))
    >>> round(s.cv_rmse_frac, 4), round(s.nmbe_frac, 2), round(s.mape_frac, 4), round(s.rmse, 4)
    (0.1732, 0.1, 0.1333, 1.4142)
    """
    found = sums(predicted, measured, mask)
    if found.count < 2:
        raise UsageError(f"{found.count} samples to compare: a score needs at least two")
    return found.score
