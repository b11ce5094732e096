"""Days or weeks of a window, and straight lines through what each of them tells."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from topology.axes import Bools, Floats, Ints
from twin.forecast.calibrate.seen import Seen

DAY_S = 86400.0
WEEKLY_S = 14 * DAY_S
"""Window from which change is followed by weeks; below, by days."""
FEWEST_DAYS = 4
"""Days below which change is not followed."""
MOST = 26
"""Slices of a window at most; longer windows get longer slices."""


@dataclass(frozen=True)
class Slices:
    """A window cut into K slices of equal length, the last one longer where days are left over.

    Attributes:
        of: (T,) slice of each step.
        number: K.
        length_s: length of each.
    """

    of: Ints
    number: int
    length_s: float


def cut(time_s: Floats, span_s: float, weekly_s: float = WEEKLY_S) -> Slices | None:
    """Slices of a window; ``None`` for one that is too short to follow anything.

    Args:
        time_s: (T,) times from the start of the window.
        span_s: its length.
        weekly_s: length from which slices are weeks.
    """
    if span_s < FEWEST_DAYS * DAY_S:
        return None
    length = 7 * DAY_S if span_s >= weekly_s else DAY_S
    length *= max(np.ceil(span_s / length / MOST), 1.0)
    number = max(int(span_s // length), 2)
    return Slices(np.minimum(time_s // length, number - 1).astype(np.int64), number, length)


def days_of(what: Seen, time_s: Floats, slices: Slices) -> tuple[tuple[dt.date, ...], tuple[dt.date, ...], np.ndarray]:
    """First day and last day of each slice, and its middle (K,), UTC.

    Args:
        what: what was seen.
        time_s: (T,) times that the slices are of, from the start of the window.
        slices: the slices.
    """
    begin = np.asarray([time_s[slices.of == k].min() for k in range(slices.number)])
    close = np.append(begin[1:], what.step_s * what.time.size)
    edge = [what.time[0] + (1e6 * t).astype("timedelta64[us]") for t in (begin, 0.5 * (begin + close), close - 1.0)]
    first, last = (tuple(e.astype("datetime64[D]").astype(object)) for e in (edge[0], edge[2]))
    return first, last, edge[1]


@dataclass(frozen=True)
class Trend:
    """Straight lines through K slices of N elements.

    Attributes:
        change: (N,) change from the first slice to the last along the line.
        half: (N,) half width of its 95 % interval.
        sure: (N,) the change is beyond what the surest of N elements without any would show in one window of twenty.
    """

    change: Floats
    half: Floats
    sure: Bools


def trend(value: Floats, beside: Floats | None = None) -> Trend:
    """Least squares lines, with noise from what is left of each element itself (Student's t).

    Args:
        value: (N, K) what each slice tells, NaN where it tells nothing.
        beside: (N, K) something else that moves the value and is not of interest; its share is taken out.

    Returns:
        The lines; an element with fewer than four slices (five with ``beside``) has NaN and is not sure.
    """
    n, k = value.shape
    columns = [np.ones((n, k)), np.broadcast_to(np.linspace(0.0, 1.0, k), (n, k))]
    if beside is not None:
        known = np.isfinite(beside)
        middle = np.where(known, beside, 0.0).sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
        columns.append(beside - middle)
    x = np.stack(columns, axis=2)
    good = np.isfinite(value) & np.isfinite(x).all(axis=2)
    x, y = np.where(good[:, :, None], x, 0.0), np.where(good, value, 0.0)
    free = good.sum(axis=1) - x.shape[2]
    enough = free >= 2
    change, half, sure = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, np.bool_)
    if not enough.any():
        return Trend(change, half, sure)
    x, y, left = x[enough], y[enough], free[enough]
    inverse = np.linalg.pinv(np.einsum("nki,nkj->nij", x, x))
    found = np.einsum("nij,nkj,nk->ni", inverse, x, y)
    rest = np.where(good[enough], y - np.einsum("nki,ni->nk", x, found), 0.0)
    wide = np.sqrt(np.einsum("nk,nk->n", rest, rest) / left * inverse[:, 1, 1])
    change[enough], half[enough] = found[:, 1], student.ppf(0.975, left) * wide
    sure[enough] = np.abs(found[:, 1]) > student.ppf(1.0 - 0.025 / n, left) * wide
    return Trend(change, half, sure)
