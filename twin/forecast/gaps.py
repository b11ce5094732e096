"""How a gap in a measured series is closed: one rule for replay and for demand."""

from __future__ import annotations

import numpy as np

from topology.axes import Floats


def held(values: Floats) -> Floats:
    """Hold values over gaps.

    Args:
        values: (T, n) measured values, NaN for gaps.

    Returns:
        (T, n) where a gap takes the last value before it, or the first one after it at the start; a column without any value
        stays NaN.

    >>> held(np.array([[np.nan], [2.0], [np.nan], [3.0]])).ravel().tolist()
    [2.0, 2.0, 2.0, 3.0]
    """
    good = np.isfinite(values)
    last = np.maximum.accumulate(np.where(good, np.arange(values.shape[0])[:, None], -1), axis=0)
    first = good.argmax(axis=0)
    out: Floats = np.take_along_axis(values, np.where(last >= 0, last, first[None, :]), axis=0)
    return out
