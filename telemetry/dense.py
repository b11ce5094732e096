"""What the store holds as dense arrays (time, element), gaps as NaN.

No watt is counted twice: each element has one level for the whole window, its own meter before the sum of what feeds it, that
before the sum of what is inside it; and a reading of the element as a whole before the sum of its parts at the same level.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from telemetry.bins import PREFERENCE, Binned, Window, bin_readings
from telemetry.counters import bin_counters
from telemetry.schema import LEVELS, READINGS
from telemetry.store import Store
from topology.errors import TelemetryError, UsageError, nearest

_ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class Frames:
    """One quantity of some elements over a window.

    Attributes:
        time: start of each step, datetime64[us] UTC (T,).
        elements: element ids (E,).
        quantity: canonical quantity, which names the unit.
        values: mean over the step, parts combined; NaN for a gap (T, E).
        count: readings behind each value, 0 for a gap (T, E).
        level: level that each element is read at; empty where the store has nothing (E,).
        parts: parts that each element's values are made of; ``("",)`` for the element as a whole (E,).
        step_s: length of a step [s].
        origin: how each element's readings came about: ``measured`` by a sensor, ``reported`` by what it measures, or ``inferred`` from
            others by a mapping; the weakest where they differ, empty where the store has nothing (E,).
    """

    time: np.ndarray
    elements: tuple[str, ...]
    quantity: str
    values: np.ndarray
    count: np.ndarray
    level: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]
    step_s: float
    origin: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Elements without a single value in the window."""
        return tuple(e for e, v in zip(self.elements, self.level, strict=True) if not v)


def span(store: Store) -> tuple[dt.datetime, dt.datetime]:
    """First and last time in the store.

    Raises:
        TelemetryError: the store is empty.
    """
    found = store.span()
    if found is None:
        raise TelemetryError(f"the store {store.where} holds no readings yet; ingest some files into it")
    return found


def window(store: Store, start: dt.datetime | None, end: dt.datetime | None, step_s: float) -> Window:
    """A window with open ends filled in from what the store holds, the last reading included."""
    if start is None or end is None:
        first, last = span(store)
        start, end = start or first, end or last + dt.timedelta(microseconds=1)
    return Window(start, end, step_s)


def frames(
    store: Store,
    elements: Sequence[str],
    quantity: str,
    start: dt.datetime | None,
    end: dt.datetime | None,
    step_s: float,
    level: str | Mapping[str, str] | None = None,
    part: str = "sum",
    of: str | None = None,
) -> Frames:
    """Dense frames of one quantity.

    Args:
        store: where the readings are.
        elements: element ids; they are the columns of the result, also where the store has nothing of them.
        quantity: canonical quantity, such as ``power_w``.
        start: first time, with a zone; ``None`` for the first in the store.
        end: last time, excluded; ``None`` for the last in the store, included.
        step_s: length of a step [s].
        level: level for all elements or by element; ``None`` to choose for each, see the module's docstring. A level that
            covers less than half of what the best covered one does is passed over.
        part: how parts of one element are combined: ``sum``, ``mean`` or ``max``. A sum is a gap where one of its parts is.
        of: only readings of the part of this name, such as one coolant connector; ``None`` for all parts.

    Raises:
        UsageError: an unknown quantity or level, a step or window that is not possible.
        TelemetryError: the store is empty and the window open.
    """
    if quantity not in READINGS:
        raise UsageError(f"there is no quantity {quantity!r}; {nearest(quantity, READINGS)}")
    for name in [level] if isinstance(level, str) else (level or {}).values():
        if name and name not in LEVELS:
            raise UsageError(f"there is no level {name!r}; {nearest(name, LEVELS)}")
    cut = window(store, start, end, step_s)
    binned = bin_readings(store, elements, quantity, cut, part, level, of)
    return _frames(binned, elements, quantity, cut, level)


def levels_of(store: Store, elements: Sequence[str], quantity: str, cut: Window) -> dict[str, str]:
    """Level that each element would be read at over a window, as :func:`frames` chooses it; only those with readings."""
    binned = bin_readings(store, elements, quantity, cut, "sum", valued=False)
    own = _columns(binned)
    chosen = {e: _choose(binned, own.get(k, ()), "") for k, e in enumerate(elements)}
    return {e: binned.groups[c][1] for e, c in chosen.items() if c is not None}


def counter_power(
    store: Store,
    elements: Sequence[str],
    start: dt.datetime | None,
    end: dt.datetime | None,
    step_s: float,
    level: str | Mapping[str, str] | None = None,
) -> Frames:
    """Power of elements by difference of their energy counters, for where no power was recorded.

    Arguments and errors are those of :func:`frames`; quantity of the result is ``power_w``, ``count`` the readings of the counters.
    """
    cut = window(store, start, end, step_s)
    return _frames(bin_counters(store, elements, cut), elements, "power_w", cut, level)


def _frames(binned: Binned, elements: Sequence[str], quantity: str, cut: Window, level: str | Mapping[str, str] | None) -> Frames:
    one = level if isinstance(level, str) else ""
    by_element = level if isinstance(level, Mapping) else {}
    own = _columns(binned)
    chosen = [_choose(binned, own.get(e, ()), one or by_element.get(name, "")) for e, name in enumerate(elements)]
    known = [e for e, column in enumerate(chosen) if column is not None]
    if chosen == list(range(binned.value.shape[1])):
        values, count = binned.value, binned.count
    else:
        values, count = np.full((cut.steps, len(elements)), np.nan), np.zeros((cut.steps, len(elements)), np.int64)
        columns = [c for c in chosen if c is not None]
        values[:, known], count[:, known] = binned.value[:, columns], binned.count[:, columns]
    count[np.isnan(values)] = 0
    levels = tuple("" if c is None else binned.groups[c][1] for c in chosen)
    parts = tuple(() if c is None else binned.parts[c] for c in chosen)
    origin = tuple("" if c is None else binned.origin[c] for c in chosen)
    return Frames(cut.time, tuple(elements), quantity, values, count, levels, parts, cut.step_s, origin)


def _columns(binned: Binned) -> dict[int, list[int]]:
    """Columns of each element."""
    own: dict[int, list[int]] = {}
    for column, group in enumerate(binned.groups):
        own.setdefault(group[0], []).append(column)
    return own


def _choose(binned: Binned, columns: Sequence[int], level: str) -> int | None:
    """Column of the level that an element is read at: of its columns the first in order that covers enough."""
    columns = [c for c in columns if level in ("", binned.groups[c][1])]
    covered = {c: int(np.isfinite(binned.value[:, c]).sum()) for c in columns}
    enough = [c for c in columns if covered[c] and covered[c] >= _ENOUGH * max(covered.values())]
    return min(enough, key=lambda c: (PREFERENCE.index(binned.groups[c][1]), not binned.groups[c][2]), default=None)
