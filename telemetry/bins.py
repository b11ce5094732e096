"""Readings of a window into dense arrays (time, column), one column an element and level: the engine of the frames.

Parquet is decoded to dictionary codes, the codes are renumbered, and ``numpy.bincount`` adds the values of each row group into a dense
array (:mod:`telemetry.series`), one stretch of time after the other, so that memory beside the result does not grow with the window.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from telemetry.series import Group, Series, Stretch, Sums, combined
from telemetry.store import Store
from topology.errors import UsageError

PREFERENCE = ("rack", "pdu", "node", "device", "cdu", "loop", "ups", "utility")
"""Levels in order of trust for one element: its own meter, then what stands before it, then the sum of what is inside."""

_CELLS = 1 << 22
_COLUMNS = ("time", "element", "level", "part", "value", "implementation")
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time cut into equal steps; the last step may reach beyond the end.

    Attributes:
        start: first time, UTC.
        end: last time, excluded, UTC.
        step_s: length of a step [s].
    """

    start: dt.datetime
    end: dt.datetime
    step_s: float

    def __post_init__(self) -> None:
        if not self.step_s > 0:
            raise UsageError(f"a step of {self.step_s} s is not possible; give more than 0")
        for name, time in (("start", self.start), ("end", self.end)):
            if time.tzinfo is None:
                raise UsageError(f"the {name} {time.isoformat()} has no zone; write {time.isoformat()}Z")
        if self.end <= self.start:
            raise UsageError(f"the window ends ({self.end.isoformat()}) before it starts ({self.start.isoformat()})")

    @property
    def steps(self) -> int:
        """Number of steps."""
        return math.ceil((self.end - self.start) / dt.timedelta(seconds=self.step_s))

    @property
    def time(self) -> np.ndarray:
        """Start of each step, datetime64[us] UTC (T,)."""
        at = np.rint(np.arange(self.steps) * (self.step_s * 1e6)).astype("timedelta64[us]")
        return np.asarray(np.datetime64(self.start.astimezone(dt.UTC).replace(tzinfo=None), "us") + at)

    def at(self, step: int) -> dt.datetime:
        """Start of a step."""
        return self.start + dt.timedelta(seconds=step * self.step_s)


@dataclass(frozen=True, slots=True)
class Binned:
    """Every (element, level, whole or parts) of a window.

    Attributes:
        groups: (index of the element, level, True where it is the element as a whole) of each column.
        parts: parts of each column.
        value: mean over the step, then sum, mean or maximum over the parts; NaN for a gap (T, C).
        count: readings behind each value (T, C).
        origin: how the readings of each column came about: ``measured``, ``reported`` or ``inferred``, the weakest of them (C,).
    """

    groups: tuple[Group, ...]
    parts: tuple[tuple[str, ...], ...]
    value: np.ndarray
    count: np.ndarray
    origin: tuple[str, ...]


def bin_readings(
    store: Store, elements: Sequence[str], quantity: str, window: Window, part: str, level: str | Mapping[str, str] | None = None,
    of: str | None = None, valued: bool = True,
) -> Binned:  # fmt: skip
    """Read one quantity of some elements into dense arrays.

    A sum over parts is a gap wherever a part that was seen before and is seen after is missing: half a sum is not a sum.

    Args:
        store: where the readings are.
        elements: element ids.
        quantity: canonical quantity.
        window: times and step.
        part: ``sum``, ``mean`` or ``max`` over the parts of an element.
        level: only readings of this level, or of each element's own where it has one; ``None`` for all.
        of: only readings of this part, ``None`` for all.
        valued: read values and origins; without, every value is 0 and only says that there are readings, at less cost.
    """
    if part not in ("sum", "mean", "max"):
        raise UsageError(f"parts cannot be combined by {part!r}; use sum, mean or max")
    series = Series(elements, level, of, valued)
    stretches: list[tuple[int, Stretch]] = []
    step = 0
    while step < window.steps and elements:
        width = min(_width(window, len(series.keys) or 2 * len(elements)), window.steps - step)
        filled = _bin(store, series, quantity, window, (step, width), valued)
        if filled is not None:
            series.note(filled, step)
            stretches.append((step, combined(series, filled, part)))
        step += width
    return _joined(series, stretches, window.steps, part)


def _width(window: Window, series: int) -> int:
    """Steps of one stretch: whole days where they fit, so that no file is opened twice."""
    fits = max(_CELLS // max(series, 1), 1)
    day = max(round(_DAY_S / window.step_s), 1)
    return fits // day * day if fits >= day else fits


def _bin(store: Store, series: Series, quantity: str, window: Window, at: tuple[int, int], valued: bool) -> Sums | None:
    """Sums and counts of so many steps from one on; ``None`` where there is no reading."""
    step, width = at
    start, end = window.at(step), min(window.at(step + width), window.end)
    sums: Sums | None = None
    for batch in store.scan(list(series.index), [quantity], start, end, _COLUMNS if valued else _COLUMNS[:-2]):
        code = series.codes(batch)
        place = _steps(batch.column("time").cast(pa.int64()).to_numpy(), window, step)
        value = batch.column("value").to_numpy() if valued else None
        if code.min() < 0:
            keep = code >= 0
            code, place, value = code[keep], place[keep], value[keep] if value is not None else None
        if code.size:
            sums = (sums or Sums.empty(width, len(series.keys))).wide(len(series.keys))
            sums.add(place, code, value)
    return sums


def _steps(us: np.ndarray, window: Window, step: int) -> np.ndarray:
    """Step of each time, counted from ``step`` on (n,)."""
    since = us - _us(window.start)
    whole = round(window.step_s * 1e6)
    if whole == window.step_s * 1e6:  # to the microsecond; no time lies before the window
        return np.asarray((since.view(np.uint64) // np.uint64(whole)).view(np.int64) - step)
    return np.asarray(np.floor(since / (window.step_s * 1e6)).astype(np.int64) - step)


def _joined(series: Series, stretches: Sequence[tuple[int, Stretch]], steps: int, part: str) -> Binned:
    """Stretches of a window put together, gaps as NaN."""
    columns = len(series.groups)
    value, count = np.full((steps, columns), np.nan), np.zeros((steps, columns), np.int64)
    expected = series.expected(steps) if part == "sum" and series.in_parts else None
    for first, s in stretches:
        rows = slice(first, first + s.value.shape[0])
        own = slice(s.value.shape[1])
        lacking = s.count == 0
        if expected is not None and s.seen is not None:
            lacking |= s.seen < expected[rows, own]
        np.copyto(value[rows, own], s.value, where=~lacking)
        count[rows, own] = s.count
    parts: list[list[str]] = [[] for _ in range(columns)]
    for (_, _, name), group in zip(series.keys, series.group_of, strict=True):
        parts[group].append(name)
    return Binned(tuple(series.groups), tuple(tuple(sorted(p)) for p in parts), value, count, tuple(series.origin))


def _us(time: dt.datetime) -> int:
    return (time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
