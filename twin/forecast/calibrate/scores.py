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
    good = np.isfinite(predicted) & np.isfinite(measured)
    if mask is not None:
        good &= mask
    y, error = measured[good], (predicted - measured)[good]
    if y.size < 2:
        raise UsageError(f"{y.size} samples to compare: a score needs at least two")
    mean, free, some = float(y.mean()), y.size - 1, y != 0.0
    return Score(
        cv_rmse_frac=float(np.sqrt((error**2).sum() / free) / mean),
        nmbe_frac=float(error.sum() / (free * mean)),
        mape_frac=float(np.abs(error[some] / y[some]).mean()) if some.any() else float("nan"),
        rmse=float(np.sqrt((error**2).mean())),
        count=int(y.size),
    )
