"""Power from energy counters, where no power was recorded: the difference of the counter over each step.

A counter gives the exact mean power between two of its readings; at the edges of a step it is interpolated linearly. A step that
touches a restart of the counter, or a silence of several readings, is a gap. A counter that ran over at one of :data:`WRAPS_J` goes
on where the power across the fall is then like that beside it; any other fall is a restart.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from telemetry.bins import Binned, Window
from telemetry.coding import combinations
from telemetry.series import ORIGINS, weakest
from telemetry.store import Store

_SILENCE = 5.0
_ALIKE = 2.0
"""Power across a wrap is at most this many times, and at least one over this many times, that beside it (our choice)."""
_KWH_J = 3.6e6
WRAPS_J = (
    2.0**16, 2.0**18, 2.0**32 * 1e-3, 2.0**32, 2.0**64 * 1e-6, 2.0**64 * 1e-3, 2.0**64, *(10.0**digits * _KWH_J for digits in range(3, 10)),
)  # fmt: skip
"""Energy after which a counter starts again [J]: 32 bits of a processor's units of 2^-16 or 2^-14 J (Intel SDM volume 3B, RAPL), of mJ or
J, 64 bits of uJ, mJ or J, and a meter of three to nine digits of kWh. 32 bits of uJ run over every few seconds at the power of a board,
too often to tell."""


def step_power_w(time_s: np.ndarray, energy_j: np.ndarray, edges_s: np.ndarray) -> np.ndarray:
    """Mean power of one counter over each step.

    Args:
        time_s: times of its readings, rising [s] (n,).
        energy_j: the counter at these times [J] (n,).
        edges_s: start of each step, and the end of the last [s] (T + 1,).

    Returns:
        Mean power, NaN for a gap [W] (T,).

    >>> step_power_w(np.array([0.0, 60.0, 120.0]), np.array([0.0, 6000.0, 18000.0]), np.array([0.0, 60.0, 120.0, 180.0])).tolist()
    [100.0, 200.0, nan]
    """
    power = np.full(len(edges_s) - 1, np.nan)
    if len(time_s) < 2:
        return power
    interval = np.diff(time_s)
    rise = _unwrapped(interval, np.diff(energy_j))
    silence = interval > max(_SILENCE * float(np.median(interval)), 2 * float(edges_s[1] - edges_s[0]))
    broken = (rise < 0) | silence
    total = np.r_[0.0, np.cumsum(np.where(broken, 0.0, rise))]
    lost = np.r_[0.0, np.cumsum(np.where(broken, interval, 0.0))]
    inside = (edges_s >= time_s[0]) & (edges_s <= time_s[-1])
    whole = inside[1:] & inside[:-1] & (np.diff(np.interp(edges_s, time_s, lost)) == 0)
    power[whole] = (np.diff(np.interp(edges_s, time_s, total)) / np.diff(edges_s))[whole]
    return power


def _unwrapped(interval_s: np.ndarray, rise_j: np.ndarray) -> np.ndarray:
    """Rises of a counter with the wraps added to its falls; a fall that is no wrap stays negative (n,)."""
    rise = rise_j.copy()
    for at in np.flatnonzero(rise_j < 0):
        beside = [rise[i] / interval_s[i] for i in (at - 1, at + 1) if 0 <= i < len(rise) and rise[i] > 0]
        if not beside:
            continue
        low, high = min(beside) / _ALIKE * interval_s[at], max(beside) * _ALIKE * interval_s[at]
        rise[at] = next((rise_j[at] + w for w in WRAPS_J if low <= rise_j[at] + w <= high), rise_j[at])
    return rise


def bin_counters(store: Store, elements: Sequence[str], window: Window) -> Binned:
    """Power [W] by energy counters of every (element, level, whole or parts); a sum over parts is a gap where one of them is.

    Args:
        store: where the readings are.
        elements: element ids.
        window: times and step; the readings just before and after it are used too.
    """
    around = dt.timedelta(seconds=2 * window.step_s)
    table = store.read(
        list(elements),
        ["energy_j"],
        window.start - around,
        window.end + around,
        ["time", "element", "level", "part", "value", "implementation"],
    )
    table = table.combine_chunks().unify_dictionaries()
    origin_of: dict[tuple[int, str, bool], str] = {}
    columns: dict[tuple[int, str, bool], dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    if table.num_rows:
        batch = table.to_batches()[0]
        rows, found = combinations([batch.column(c) for c in ("element", "level", "part")])
        _, ways = combinations([batch.column(c) for c in ("element", "level", "part", "implementation")])
        for element, level, part, way in ways:
            group = (list(elements).index(element or ""), level or "", not part)
            origin_of[group] = weakest((origin_of.get(group, ""), ORIGINS.get(way or "", "")))
        origin = np.datetime64(window.start.astimezone(dt.UTC).replace(tzinfo=None), "us").astype(np.int64)
        time_s = (batch.column("time").cast(pa.int64()).to_numpy() - origin) / 1e6
        edges_s = np.arange(window.steps + 1) * window.step_s
        order = np.lexsort((time_s, rows))
        cuts = np.searchsorted(rows[order], np.arange(len(found) + 1))
        energy_j = batch.column("value").to_numpy()
        for code, (element, level, part) in enumerate(found):
            at = order[cuts[code] : cuts[code + 1]]
            first = np.r_[True, np.diff(time_s[at]) > 0]
            power = step_power_w(time_s[at][first], energy_j[at][first], edges_s)
            counted = np.bincount(np.clip(time_s[at] // window.step_s, -1, window.steps).astype(int) + 1, minlength=window.steps + 2)[1:-1]
            columns.setdefault((list(elements).index(element or ""), level or "", not part), {})[part or ""] = (power, counted)
    groups = tuple(columns)
    value = [np.sum([p for p, _ in parts.values()], axis=0) for parts in columns.values()]
    count = [np.sum([c for _, c in parts.values()], axis=0) for parts in columns.values()]
    empty = np.zeros((window.steps, 0))
    return Binned(
        groups,
        tuple(tuple(sorted(parts)) for parts in columns.values()),
        np.stack(value, axis=1) if value else empty,
        np.stack(count, axis=1) if count else empty,
        tuple(origin_of[g] for g in groups),
    )
