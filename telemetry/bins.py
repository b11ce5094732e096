"""Readings of a window into dense arrays (time, column), one column an element and level: the engine of the frames.

Parquet is decoded to dictionary codes, the codes are renumbered, and ``numpy.bincount`` adds the values into a dense array,
one stretch of time after the other, so that memory does not grow with the window.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from telemetry.coding import combinations
from telemetry.store import Store
from topology.errors import UsageError

PREFERENCE = ("rack", "pdu", "node", "device", "cdu", "loop", "ups", "utility")
"""Levels in order of trust for one element: its own meter, then what stands before it, then the sum of what is inside."""

ORIGINS = MappingProxyType({"PhysicalSensor": "measured", "Reported": "reported", "Synthesized": "inferred"})
"""How a reading came about, by Redfish's word for it, strongest first."""
_CELLS = 1 << 22
_ROWS = 1 << 21
_DAY_S = 86_400
_Group = tuple[int, str, bool]


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

    groups: tuple[_Group, ...]
    parts: tuple[tuple[str, ...], ...]
    value: np.ndarray
    count: np.ndarray
    origin: tuple[str, ...]


def weakest(origins: Iterable[str]) -> str:
    """The weakest of several origins, empty for none.

    >>> weakest(["measured", "reported", ""])
    'reported'
    """
    return max(origins, key=("", *ORIGINS.values()).index, default="")


def bin_readings(
    store: Store, elements: Sequence[str], quantity: str, window: Window, part: str, level: str | None = None, of: str | None = None
) -> Binned:  # fmt: skip
    """Read one quantity of some elements into dense arrays.

    A sum over parts is a gap wherever a part that was seen before and is seen after is missing: half a sum is not a sum.

    Args:
        store: where the readings are.
        elements: element ids.
        quantity: canonical quantity.
        window: times and step.
        part: ``sum``, ``mean`` or ``max`` over the parts of an element.
        level: only readings of this level, ``None`` for all.
        of: only readings of this part, ``None`` for all.
    """
    if part not in ("sum", "mean", "max"):
        raise UsageError(f"parts cannot be combined by {part!r}; use sum, mean or max")
    series = _Series(elements, level, of)
    stretches: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    step = 0
    while step < window.steps:
        width = min(_width(window, len(series.keys) or 2 * len(elements)), window.steps - step)
        total, count = series.bin(store, quantity, window, step, width)
        stretches.append(_combine(series, total, count, part))
        step += width
    columns = len(series.groups)
    value, seen, readings = (np.concatenate([_pad(s[i], columns) for s in stretches]) for i in range(3))
    lacking = seen < series.expected(window.steps) if part == "sum" else seen == 0
    value[lacking | (seen == 0)] = np.nan
    parts: list[list[str]] = [[] for _ in range(columns)]
    for (_, _, name), group in zip(series.keys, series.group_of, strict=True):
        parts[group].append(name)
    return Binned(tuple(series.groups), tuple(tuple(sorted(p)) for p in parts), value, readings, tuple(series.origin))


def _width(window: Window, series: int) -> int:
    """Steps of one stretch: whole days where they fit, so that no file is opened twice."""
    fits = max(_CELLS // max(series, 1), 1)
    day = max(round(_DAY_S / window.step_s), 1)
    return fits // day * day if fits >= day else fits


class _Series:
    """Series of (element, level, part) and columns of (element, level, whole), numbered in order of first sight."""

    def __init__(self, elements: Sequence[str], level: str | None, of: str | None) -> None:
        self.level, self.of = level, of
        self.index = {e: i for i, e in enumerate(elements)}
        self.keys: list[tuple[int, str, str]] = []
        self.group_of: list[int] = []
        self.groups: list[_Group] = []
        self.origin: list[str] = []
        self._codes: dict[tuple[str | None, ...], int] = {}
        self._known: dict[tuple[str, ...], int] = {}
        self._group_codes: dict[_Group, int] = {}
        self._first: list[int] = []
        self._last: list[int] = []

    def bin(self, store: Store, quantity: str, window: Window, step: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Sums and counts (S, width) of the steps from ``step`` on."""
        start, end = window.at(step), min(window.at(step + width), window.end)
        origin = _us(window.start)
        total, count = np.zeros(0), np.zeros(0)
        cells: list[np.ndarray] = []
        values: list[np.ndarray] = []
        waiting = 0
        wanted = ["time", "element", "level", "part", "value", "implementation"]
        for batch in store.scan(list(self.index), [quantity], start, end, wanted):
            rows, found = combinations([batch.column(c) for c in ("element", "level", "part", "implementation")])
            code = np.array([self._code(c) for c in found], np.int64)[rows]
            us = batch.column("time").cast(pa.int64()).to_numpy()
            cell = np.floor((us - origin) / (window.step_s * 1e6)).astype(np.int64) - step + code * width
            value = batch.column("value").to_numpy()
            cells.append(cell[code >= 0])
            values.append(value[code >= 0])
            waiting += len(cell)
            if waiting >= _ROWS:
                total, count = self._add(total, count, cells, values, width)
                cells, values, waiting = [], [], 0
        total, count = self._add(total, count, cells, values, width)
        return self._note(total.reshape(-1, width), count.reshape(-1, width), step)

    def _add(
        self, total: np.ndarray, count: np.ndarray, cells: list[np.ndarray], values: list[np.ndarray], width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        size = len(self.keys) * width
        at = np.concatenate(cells) if cells else np.zeros(0, np.int64)
        weights = np.concatenate(values) if values else np.zeros(0)
        summed, counted = (np.bincount(at, w, minlength=size).astype(float) for w in (weights, None))
        summed[: len(total)] += total
        counted[: len(count)] += count
        return summed, counted

    def _note(self, total: np.ndarray, count: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Remember when each series was first and last seen."""
        for code, row in enumerate(count > 0):
            steps = np.flatnonzero(row)
            if len(steps):
                self._first[code] = min(self._first[code], step + int(steps[0]))
                self._last[code] = max(self._last[code], step + int(steps[-1]))
        return total, count

    def expected(self, steps: int) -> np.ndarray:
        """How many parts of each column there are at each step: those between their first and last sight (T, C)."""
        change = np.zeros((steps + 1, len(self.groups)))
        np.add.at(change, (np.array(self._first, int), np.array(self.group_of, int)), 1)
        np.add.at(change, (np.array(self._last, int) + 1, np.array(self.group_of, int)), -1)
        return np.asarray(np.cumsum(change, axis=0)[:-1])

    def _code(self, combination: tuple[str | None, ...]) -> int:
        found = self._codes.get(combination)
        if found is None:
            *key, how = (t or "" for t in combination)
            found = self._codes[combination] = self._series(tuple(key))
            if found >= 0:
                group = self.group_of[found]
                self.origin[group] = weakest((self.origin[group], ORIGINS.get(how, "")))
        return found

    def _series(self, key: tuple[str, ...]) -> int:
        if key not in self._known:
            self._known[key] = self._new(*key)
        return self._known[key]

    def _new(self, element: str, level: str, part: str) -> int:
        if element not in self.index or (self.level is not None and level != self.level) or (self.of is not None and part != self.of):
            return -1
        group = (self.index[element], level, part == "")
        if group not in self._group_codes:
            self._group_codes[group] = len(self.groups)
            self.groups.append(group)
            self.origin.append("")
        self.keys.append((self.index[element], level, part))
        self.group_of.append(self._group_codes[group])
        self._first.append(1 << 62)
        self._last.append(-1)
        return len(self.keys) - 1


def _combine(series: _Series, total: np.ndarray, count: np.ndarray, part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Series (S, T) to columns: value, parts seen and readings, (T, C) each."""
    columns, width = len(series.groups), total.shape[1]
    group = np.array(series.group_of, int)
    order = np.argsort(group, kind="stable")
    if not len(order):
        return tuple(np.zeros((width, columns)) for _ in range(3))  # type: ignore[return-value]
    starts = np.flatnonzero(np.r_[True, np.diff(group[order]) > 0])
    seen = count > 0
    mean = np.divide(total, count, out=np.zeros_like(total), where=seen)
    parts = np.add.reduceat(seen[order].astype(float), starts)
    readings = np.add.reduceat(count[order], starts)
    if part == "max":
        value = np.maximum.reduceat(np.where(seen, mean, -np.inf)[order], starts)
    else:
        value = np.add.reduceat(mean[order], starts)
        if part == "mean":
            value = np.divide(value, parts, out=value, where=parts > 0)
    return value.T, parts.T, readings.T


def _pad(array: np.ndarray, columns: int) -> np.ndarray:
    return np.pad(array, ((0, 0), (0, columns - array.shape[1])))


def _us(time: dt.datetime) -> int:
    return (time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
