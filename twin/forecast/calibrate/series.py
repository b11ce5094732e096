"""Ragged series onto one grid, jumps that no plant can make, and series that are one and the same: one rule for any file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, Floats
from topology.errors import UsageError

GAP_PERIODS = 3.0
"""Longest gap that is bridged, in usual distances of a sensor's readings; longer gaps stay empty."""
JUMP_DEVIATIONS = 10.0
"""A step of a series is a jump from so many of its usual steps (robust standard deviations)."""
JUMP_SHARE = 0.1
"""... and from this share of its median level."""
MAD_TO_DEVIATION = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


@dataclass(frozen=True)
class Grid:
    """Equal steps of time.

    Attributes:
        start_s: begin of the first step.
        step_s: length of a step.
        steps: number of steps.
    """

    start_s: float
    step_s: float
    steps: int

    @property
    def middle_s(self) -> Floats:
        """(T,) middle of each step."""
        return np.asarray(self.start_s + self.step_s * (np.arange(self.steps) + 0.5), np.float64)


def grid(time_s: Floats, step_s: float) -> Grid:
    """The grid of whole steps that covers all times."""
    start = float(np.floor(time_s.min() / step_s) * step_s)
    return Grid(start, step_s, int((time_s.max() - start) // step_s) + 1)


def resampled(where: Grid, time_s: Floats, value: Floats) -> Floats:
    """One ragged series on the grid.

    A sensor that reads at least once a step gives the mean of its readings in each step, a slower one a straight line between its
    readings, taken in the middle of each step. Gaps longer than :data:`GAP_PERIODS` of the usual distance stay NaN.

    Args:
        where: the grid.
        time_s: (N,) times in any order.
        value: (N,) readings; NaN and infinite ones are left out.

    Returns:
        (T,) series.

    >>> resampled(Grid(0.0, 10.0, 3), np.array([1.0, 4.0, 21.0, 11.0]), np.array([1.0, 3.0, 8.0, 5.0])).tolist()
    [2.0, 5.0, 8.0]
    """
    good = np.isfinite(value) & np.isfinite(time_s)
    order = np.argsort(time_s[good], kind="stable")
    t, v = time_s[good][order], value[good][order]
    if t.size < 2:
        return np.full(where.steps, np.nan)
    usual = float(np.median(np.diff(t)))
    middle = where.middle_s
    after = np.clip(np.searchsorted(t, middle), 1, t.size - 1)
    reach = max(GAP_PERIODS * usual, where.step_s)
    bridged = (t[after] - t[after - 1] <= reach) & (middle >= t[0] - reach) & (middle <= t[-1] + reach)
    line: Floats = np.where(bridged, np.interp(middle, t, v), np.nan)
    if usual > where.step_s * 1.05:
        return line
    at = np.floor((t - where.start_s) / where.step_s).astype(np.int64)
    inside = (at >= 0) & (at < where.steps)
    count = np.bincount(at[inside], minlength=where.steps)
    total = np.bincount(at[inside], v[inside], minlength=where.steps)
    return np.where(count > 0, total / np.maximum(count, 1), line)


def split_step(steps: int, share: float = 0.5) -> int:
    """First step of the part that tests: everything before it, and nothing after it, may fit."""
    at = int(steps * share)
    if not 0 < at < steps:
        raise UsageError(f"{steps} steps cannot be split at {share:g} of their time")
    return at


@dataclass(frozen=True)
class Jump:
    """A stretch of a series that is quarantined.

    Attributes:
        first: first step.
        last: last step, included.
        reason: why, for people.
    """

    first: int
    last: int
    reason: str


def jumps(value: Floats, cause: Floats, step_s: float, settle_s: float = 600.0) -> tuple[Bools, tuple[Jump, ...]]:
    """Steps of a measured heat that no plant can make, and the time in which its meter recovers.

    Heat leaves through masses, so it cannot move at once by more than the power that causes it moved in the time before. A step
    that is at least :data:`JUMP_DEVIATIONS` usual steps, at least :data:`JUMP_SHARE` of the median level and more than the whole
    range of the cause within ``settle_s`` before is a drop-out (or the return from one). It is quarantined with all that follows
    within ``settle_s``. The rule looks at no prediction.

    Args:
        value: (T,) measured, NaN for gaps.
        cause: (T,) what drives it, in the same unit.
        step_s: length of a step.
        settle_s: time after a jump that is not trusted.

    Returns:
        (T,) True where quarantined, and the stretches with their reasons.
    """
    known = np.flatnonzero(np.isfinite(value))
    bad = np.zeros(value.size, np.bool_)
    if known.size < 3:
        return bad, ()
    step = np.diff(value[known])
    usual = MAD_TO_DEVIATION * float(np.median(np.abs(step - np.median(step))))
    least = max(JUMP_DEVIATIONS * usual, JUMP_SHARE * abs(float(np.median(value[known]))))
    hold = round(settle_s / step_s)
    found: list[Jump] = []
    for k in np.flatnonzero(np.abs(step) >= least):
        at = int(known[k + 1])
        before = cause[max(0, at - hold) : at + 1]
        moved = float(np.nanmax(before) - np.nanmin(before)) if np.isfinite(before).any() else 0.0
        if abs(step[k]) <= moved:
            continue
        last = min(at + hold, value.size - 1)
        bad[at : last + 1] = True
        reason = f"moves by {step[k]:+,.0f} in {step_s:g} s while its cause moves by {moved:,.0f} in {settle_s:g} s"
        if found and at <= found[-1].last + 1:
            found[-1] = Jump(found[-1].first, last, found[-1].reason)
        else:
            found.append(Jump(at, last, reason))
    return bad, tuple(found)


def identical(series: Mapping[str, Floats]) -> tuple[tuple[str, ...], ...]:
    """Groups of names whose series are equal to the last bit, in order of appearance; a series on its own is a group of one.

    >>> identical({"a": np.array([1.0, 2.0]), "b": np.array([1.0, 3.0]), "c": np.array([1.0, 2.0])})
    (('a', 'c'), ('b',))
    """
    groups: dict[bytes, list[str]] = {}
    for name, values in series.items():
        groups.setdefault(hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest(), []).append(name)
    return tuple(tuple(g) for g in groups.values())
