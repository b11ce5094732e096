"""What a prediction must beat: a constant ratio and a regression on lagged input, both fitted on the same part."""

from __future__ import annotations

import numpy as np

from topology.axes import Bools, Floats

LAGS_S = (0.0, 30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3000.0)
"""Delays of the lagged regression: doubling, from one step to most of an hour."""


def constant_ratio(cause: Floats, measured: Floats, fit: Bools) -> Floats:
    """Predict by one ratio.

    Args:
        cause: (T,) input.
        measured: (T,) output.
        fit: (T,) samples that the ratio may see.

    Returns:
        (T,) prediction ``r cause`` with ``r`` = sum of output over sum of input.
    """
    seen = fit & np.isfinite(cause) & np.isfinite(measured)
    return np.asarray(cause * (measured[seen].sum() / cause[seen].sum()))


def lagged_regression(cause: Floats, measured: Floats, fit: Bools, step_s: float, lags_s: tuple[float, ...] = LAGS_S) -> Floats:
    """Predict by ordinary least squares on the input and its past.

    Args:
        cause: (T,) input; its first value stands for the time before.
        measured: (T,) output.
        fit: (T,) samples that the coefficients may see.
        step_s: length of a step.
        lags_s: delays.

    Returns:
        (T,) prediction ``c + sum_k b_k cause(t - lag_k)``.
    """
    steps = sorted({round(lag / step_s) for lag in lags_s})
    index = np.arange(cause.size)
    columns = np.stack([np.ones(cause.size), *(cause[np.maximum(index - k, 0)] for k in steps)], axis=1)
    seen = fit & np.isfinite(columns).all(axis=1) & np.isfinite(measured)
    return np.asarray(columns @ np.linalg.lstsq(columns[seen], measured[seen], rcond=None)[0])
