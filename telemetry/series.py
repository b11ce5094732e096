"""Series of readings, numbered in order of first sight, and their sums over steps: what a batch of readings is added into.

A series is one part of one element at one level. Series that are combined, the parts of an element at a level, are a group.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from telemetry.coding import UNKNOWN

ORIGINS = MappingProxyType({"PhysicalSensor": "measured", "Reported": "reported", "Synthesized": "inferred"})
"""How a reading came about, by Redfish's word for it, strongest first."""
Group = tuple[int, str, bool]
"""Index of an element, level, and True where it is the element as a whole."""
_TEXTS = ("element", "level", "part", "implementation")
_NEW = -2
_SPREAD = 8
"""Cells a reading of a batch up to which its sums are made densely."""
_MOST_CODES = 1 << 22


def weakest(origins: Iterable[str]) -> str:
    """The weakest of several origins, empty for none.

    >>> weakest(["measured", "reported", ""])
    'reported'
    """
    return max(origins, key=("", *ORIGINS.values()).index, default="")


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums and counts of one stretch.

    Attributes:
        total: sum of values (width, S).
        count: readings (width, S).
    """

    total: np.ndarray
    count: np.ndarray

    @classmethod
    def empty(cls, width: int, series: int) -> Sums:
        """No readings yet."""
        return cls(np.zeros((width, series)), np.zeros((width, series), np.int32))

    def wide(self, series: int) -> Sums:
        """The same with room for so many series."""
        more = series - self.total.shape[1]
        if more <= 0:
            return self
        return Sums(*(np.pad(a, ((0, 0), (0, more))) for a in (self.total, self.count)))

    def add(self, step: np.ndarray, code: np.ndarray, value: np.ndarray | None) -> None:
        """Add readings, in place: first among themselves, then to what is there, so that sums do not depend on how a window is cut.

        Args:
            step: step of each (n,).
            code: number of its series (n,).
            value: (n,); ``None`` where they are only counted.
        """
        series = self.total.shape[1]
        low, high = int(step.min()), int(step.max()) + 1
        cell = (step - low) * series + code
        if (high - low) * series <= _SPREAD * cell.size + (1 << 12):
            size = (high - low) * series
            if value is not None:
                self.total[low:high] += np.bincount(cell, value, size).reshape(-1, series)
            self.count[low:high] += np.bincount(cell, minlength=size).reshape(-1, series).astype(np.int32)
            return
        used, place = np.unique(cell, return_inverse=True)
        rows, columns = used // series + low, used % series
        if value is not None:
            self.total[rows, columns] += np.bincount(place, value, used.size)
        self.count[rows, columns] += np.bincount(place, minlength=used.size).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Groups of one stretch.

    Attributes:
        value: mean over each step, combined over parts (width, C).
        count: readings behind it (width, C).
        seen: parts that were there (width, C); ``None`` where no group has two.
    """

    value: np.ndarray
    count: np.ndarray
    seen: np.ndarray | None


class Series:
    """Series and groups as they come to light.

    Args:
        elements: element ids.
        level: only this level, or each element's own where it has one; ``None`` for all.
        of: only this part, ``None`` for all.
        origins: whether batches say how readings came about.
    """

    def __init__(self, elements: Sequence[str], level: str | Mapping[str, str] | None, of: str | None, origins: bool = True) -> None:
        self.level, self.of = level, of
        self._names = _TEXTS if origins else _TEXTS[:-1]
        self.index = {e: i for i, e in enumerate(elements)}
        self.keys: list[tuple[int, str, str]] = []
        self.group_of: list[int] = []
        self.groups: list[Group] = []
        self.origin: list[str] = []
        self._known: dict[tuple[str, ...], int] = {}
        self._group_codes: dict[Group, int] = {}
        self._first: list[int] = []
        self._last: list[int] = []
        self._texts: list[pa.Array] = []
        self._lookup = np.zeros(0, np.int64)

    @property
    def in_parts(self) -> bool:
        """Whether some group has more than one series."""
        return len(self.keys) > len(self.groups)

    def codes(self, batch: pa.RecordBatch) -> np.ndarray:
        """Number of each reading's series (n,); negative where it is not asked for."""
        columns = [batch.column(name) for name in self._names]
        texts = [c.dictionary for c in columns]
        if len(texts) != len(self._texts) or not all(a.equals(b) for a, b in zip(texts, self._texts, strict=True)):
            self._texts = texts
            self._lookup = np.full(min(math.prod(len(t) + 1 for t in texts), _MOST_CODES), _NEW)
        same, several, stride = 0, [], 1
        for column, text in reversed(list(zip(columns, texts, strict=True))):
            if len(text) == 1 and not column.null_count:
                same += stride  # one text for all rows
            else:
                several.append((column, stride))
            stride *= len(text) + 1
        if len(several) == 1 and not several[0][0].null_count and stride < _MOST_CODES:
            column, step = several[0]
            own = same + step * np.arange(1, len(column.dictionary) + 1)
            return self._looked_up(own, column.indices.to_numpy())
        mixed = np.full(len(batch), same)
        for column, step in several:
            indices = column.indices.fill_null(UNKNOWN) if column.null_count else column.indices
            mixed += step * (indices.to_numpy().astype(np.int64) + 1)
        if stride >= _MOST_CODES:  # too many texts for a table of all their combinations
            used, place = np.unique(mixed, return_inverse=True)
            return np.asarray(np.array([self._number(int(m)) for m in used], np.int64)[place])
        return self._looked_up(None, mixed)

    def _looked_up(self, own: np.ndarray | None, index: np.ndarray) -> np.ndarray:
        """Numbers by mixed codes, or by an index into some of them; those met for the first time are given one."""
        table = self._lookup if own is None else self._lookup[own]
        code = table[index]
        if code.size and code.min() == _NEW:
            new = np.zeros(len(table), np.bool_)
            new[index[code == _NEW]] = True
            for k in np.flatnonzero(new).tolist():
                mixed = k if own is None else int(own[k])
                self._lookup[mixed] = table[k] = self._number(mixed)
            code = table[index]
        return np.asarray(code)

    def note(self, sums: Sums, step: int) -> None:
        """Remember when each series was first and last seen."""
        there = sums.count > 0
        some = there.any(axis=0)
        first, last = there.argmax(axis=0), there.shape[0] - 1 - there[::-1].argmax(axis=0)
        for code in np.flatnonzero(some).tolist():
            self._first[code] = min(self._first[code], step + int(first[code]))
            self._last[code] = max(self._last[code], step + int(last[code]))

    def expected(self, steps: int) -> np.ndarray:
        """How many parts of each group there are at each step: those between their first and last sight (T, C)."""
        change = np.zeros((steps + 1, len(self.groups)), np.int32)
        np.add.at(change, (np.array(self._first, int), np.array(self.group_of, int)), 1)
        np.add.at(change, (np.array(self._last, int) + 1, np.array(self.group_of, int)), -1)
        return np.asarray(np.cumsum(change, axis=0)[:-1])

    def _number(self, mixed: int) -> int:
        """Number of the series behind mixed codes of texts, -1 where it is not asked for; takes note of its origin."""
        found: list[str] = []
        for text in reversed(self._texts):
            mixed, code = divmod(mixed, len(text) + 1)
            found.append((text[code - 1].as_py() or "") if code else "")
        how, part, level, element = found if len(found) == len(_TEXTS) else ("", *found)
        number = self._series(element, level, part)
        if number >= 0:
            group = self.group_of[number]
            self.origin[group] = weakest((self.origin[group], ORIGINS.get(how, "")))
        return number

    def _series(self, *key: str) -> int:
        if key not in self._known:
            self._known[key] = self._new(*key)
        return self._known[key]

    def _new(self, element: str, level: str, part: str) -> int:
        asked = self.level.get(element, "") if isinstance(self.level, Mapping) else self.level or ""
        if element not in self.index or asked not in ("", level) or self.of not in (None, part):
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


def combined(series: Series, sums: Sums, part: str) -> Stretch:
    """Series of a stretch to groups.

    Args:
        series: what is known of them.
        sums: their sums and counts.
        part: ``sum``, ``mean`` or ``max`` over the series of a group.
    """
    count = sums.count
    mean = np.divide(sums.total, count, out=np.zeros_like(sums.total), where=count > 0)
    group = np.array(series.group_of[: count.shape[1]], int)
    if len(set(group.tolist())) == group.size:  # one series a group, in order of first sight
        return Stretch(mean, count, None if not series.in_parts else (count > 0).astype(np.int32))
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(group[order]) > 0])
    there = count[:, order] > 0
    seen = np.add.reduceat(there.astype(np.int32), starts, axis=1)
    if part == "max":
        value = np.maximum.reduceat(np.where(there, mean[:, order], -np.inf), starts, axis=1)
    else:
        value = np.add.reduceat(mean[:, order], starts, axis=1)
        if part == "mean":
            value = np.divide(value, seen, out=value, where=seen > 0)
    return Stretch(value, np.add.reduceat(count[:, order], starts, axis=1), seen)
