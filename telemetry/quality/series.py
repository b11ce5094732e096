"""Readings of a stretch of time, sensor by sensor: dense steps, and what the raw times say of how each sensor reports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from telemetry.bins import Window
from telemetry.coding import combinations
from telemetry.quality.doubt import Doubt, Sensor, microseconds, utc
from telemetry.store import Store
from topology.site import Site

LATE = 3.0
"""Usual intervals after which a missing reading is a gap."""
LOST = 1.5
"""Usual intervals beyond which a reading in between was lost."""
SLOW_SHARE = 0.9
"""Share of a sensor's intervals that its usual interval covers: one that reports as things change has no single interval."""


@dataclass(frozen=True, slots=True)
class Sensors:
    """Readings of one quantity at one level over a stretch of time: N sensors, T steps.

    Attributes:
        quantity: canonical quantity.
        level: level.
        time: start of each step, datetime64[us] UTC (T,).
        step_s: length of a step [s].
        end: end of the stretch, UTC.
        element: element of each sensor (N,).
        part: part of each (N,).
        group: number of the group of sensors that each is compared with: the parts of its element where it has several, else the
            sensors of the same part of what stands in the same row, or is of the same kind (N,).
        around: number of the same for elements: the sensors of what stands in the same row, or is of the same kind, parts left aside (N,).
        value: mean of the readings of each step, NaN for none (T, N).
        readings: number of readings of each, those of the margin before the stretch left out (N,).
        interval_s: usual time between two readings of each [s] (N,).
        lost_s: time in which readings of each are lost, between its first and its last one [s] (N,).
        first: time of the first reading of each that is counted, datetime64[us], NaT for none (N,).
        last: time of the last one (N,).
        ragged_frac: share of its intervals that are not within half of the usual one (N,).
        silences: (sensor, begin, end) of each gap between readings, begin where the first one is missing [us].
        falls: (sensor, time of the reading after [us], reading before, reading after) of each fall of a reading; kept for counters only.
        low: lowest believable value of each, minus infinity where nothing is known (N,).
        high: highest (N,).
    """

    quantity: str
    level: str
    time: np.ndarray
    step_s: float
    end: dt.datetime
    element: tuple[str, ...]
    part: tuple[str, ...]
    group: np.ndarray
    around: np.ndarray
    value: np.ndarray
    readings: np.ndarray
    interval_s: np.ndarray
    lost_s: np.ndarray
    first: np.ndarray
    last: np.ndarray
    ragged_frac: np.ndarray
    silences: tuple[tuple[int, int, int], ...]
    falls: tuple[tuple[int, int, float, float], ...]
    low: np.ndarray
    high: np.ndarray

    @property
    def n(self) -> int:
        """Number of sensors."""
        return len(self.element)

    def sensor(self, i: int) -> Sensor:
        """What sensor i is known by."""
        return Sensor(self.element[i], self.part[i], self.quantity, self.level)

    def name(self, i: int) -> str:
        """Sensor i for people."""
        return f"{self.element[i]} {self.part[i]}".strip()

    def stride(self, i: int) -> int:
        """Steps between two readings of sensor i."""
        return max(round(float(self.interval_s[i]) / self.step_s), 1)

    def at(self, step: int) -> dt.datetime:
        """Start of a step; the end of the stretch after the last."""
        return utc(self.time[step].astype(np.int64)) if step < len(self.time) else self.end

    def doubt(
        self, i: int, detector: str, score: float, reason: str, first: int, last: int, samples: int | None = None
    ) -> Doubt:  # fmt: skip
        """A doubt about sensor i from step ``first`` to before step ``last``."""
        count = int(np.isfinite(self.value[first:last, i]).sum()) if samples is None else samples
        return Doubt(
            self.element[i], self.part[i], self.quantity, self.level, detector, score, reason, self.at(first), self.at(last), count
        )


def quantities(store: Store, start: dt.datetime, end: dt.datetime) -> tuple[str, ...]:
    """Quantities of which the store holds readings in a stretch of time."""
    found: set[str] = set()
    for batch in store.scan(None, None, start, end, ["quantity"]):
        found |= set(batch.column("quantity").unique().to_pylist())
    return tuple(sorted(found))


def sensors(
    site: Site, store: Store, quantity: str, window: Window, elements: Sequence[str] | None = None, counter: bool = False,
    since: dt.datetime | None = None,
) -> tuple[Sensors, ...]:  # fmt: skip
    """Readings of one quantity, one bundle a level.

    Args:
        site: gives rows and kinds, by which sensors are compared.
        store: where the readings are.
        quantity: canonical quantity.
        window: stretch of time and step.
        elements: only these elements; all where ``None``.
        counter: whether falls are kept.
        since: readings and lost time are counted from here on; from the begin of the window where ``None``.
    """
    codes: dict[tuple[str | None, ...], int] = {}
    where: list[np.ndarray] = []
    times: list[np.ndarray] = []
    values: list[np.ndarray] = []
    for batch in store.scan(elements, [quantity], window.start, window.end, ["time", "element", "level", "part", "value"]):
        rows, found = combinations([batch.column(c) for c in ("level", "element", "part")])
        where.append(np.array([codes.setdefault(c, len(codes)) for c in found], np.int64)[rows])
        times.append(batch.column("time").cast(pa.int64()).to_numpy())
        values.append(batch.column("value").to_numpy())
    if not codes:
        return ()
    code, us, value = (np.concatenate(x) for x in (where, times, values))
    order = np.lexsort((us, code))
    code, us, value = code[order], us[order], value[order]
    cuts = np.searchsorted(code, np.arange(len(codes) + 1))
    of_level: dict[str, list[tuple[str, str, int]]] = {}
    for (level, element, part), k in codes.items():
        of_level.setdefault(level or "", []).append((element or "", part or "", k))
    return tuple(
        _bundle(site, quantity, level, window, sorted(own), us, value, cuts, counter, microseconds(since or window.start))
        for level, own in sorted(of_level.items())
    )


def bundle_of(quantity: str, level: str, series: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]], window: Window) -> Sensors:
    """Readings that are not in a store, as detectors take them; all of them are compared with one another.

    Args:
        quantity: canonical quantity.
        level: level.
        series: times [us since 1970] and readings by (element, part); those outside the window are left out.
        window: stretch of time and step.
    """
    start, end = microseconds(window.start), microseconds(window.end)
    own: list[tuple[str, str, int]] = []
    us, value, cuts = [], [], [0]
    for (element, part), (time, reading) in sorted(series.items()):
        inside = (time >= start) & (time < end) & np.isfinite(reading)
        order = np.argsort(time[inside], kind="stable")
        own.append((element, part, len(own)))
        us.append(time[inside][order])
        value.append(reading[inside][order])
        cuts.append(cuts[-1] + order.size)
    return _bundle(None, quantity, level, window, own, np.concatenate(us), np.concatenate(value), np.array(cuts), False, start)


def _bundle(
    site: Site | None, quantity: str, level: str, window: Window, own: list[tuple[str, str, int]], us: np.ndarray, value: np.ndarray,
    cuts: np.ndarray, counter: bool, since: int,
) -> Sensors:  # fmt: skip
    start, span_s, steps = microseconds(window.start), (window.end - window.start).total_seconds(), window.steps
    dense = np.full((steps, len(own)), np.nan)
    usual, lost, ragged, count = np.zeros(len(own)), np.zeros(len(own)), np.zeros(len(own)), np.zeros(len(own), np.int64)
    edge = np.full((len(own), 2), _NOT_A_TIME, np.int64)
    silences: list[tuple[int, int, int]] = []
    falls: list[tuple[int, int, float, float]] = []
    for i, (_, _, k) in enumerate(own):
        t, v = us[cuts[k] : cuts[k + 1]], value[cuts[k] : cuts[k + 1]]
        cell = ((t - start) / (window.step_s * 1e6)).astype(np.int64)
        n = np.bincount(cell, minlength=steps)
        seen = n > 0
        dense[seen, i] = np.bincount(cell, v, minlength=steps)[seen] / n[seen]
        counted = t[t >= since]
        count[i] = counted.size
        usual[i], ragged[i] = _interval_s(t, span_s)
        lost[i] = _silent(counted, usual[i])[0]
        silences += [(i, a, b) for a, b in _silent(t, usual[i])[1]]
        if counted.size:
            edge[i] = counted[0], counted[-1]
        if counter:
            falls += [(i, int(t[j + 1]), float(v[j]), float(v[j + 1])) for j in np.flatnonzero(np.diff(v) < 0.0)]
    names, parts = tuple(o[0] for o in own), tuple(o[1] for o in own)
    endless = np.full(len(own), np.inf)
    return Sensors(
        quantity, level, window.time, window.step_s, window.end, names, parts, _groups(site, names, parts),
        _groups(site, names, None), dense, count, usual, lost,
        edge[:, 0].astype("datetime64[us]"), edge[:, 1].astype("datetime64[us]"), ragged, tuple(silences), tuple(falls), -endless, endless,
    )  # fmt: skip


def _interval_s(us: np.ndarray, span_s: float) -> tuple[float, float]:
    """Usual interval of a sensor and the share of its intervals that are not near it."""
    if us.size < 3:
        return span_s, 0.0
    interval = np.diff(us) / 1e6
    interval = interval[interval > 0.0]
    if not interval.size:
        return span_s, 0.0
    middle, slow = (float(x) for x in np.quantile(interval, [0.5, SLOW_SHARE], method="inverted_cdf"))
    return max(middle, slow), float((np.abs(interval / middle - 1.0) > 0.5).mean())


def _silent(us: np.ndarray, usual_s: float) -> tuple[float, list[tuple[int, int]]]:
    """Time in which readings are lost [s], and the gaps (first missing reading, next reading) [us].

    An interval is held against the usual one and against those just before it: a source may be set to another interval.
    """
    interval = np.diff(us).astype(np.float64)
    if not interval.size:
        return 0.0, []
    padded = np.r_[np.full(_BEFORE, interval[0]), interval[:-1]]
    recent = np.median(np.lib.stride_tricks.sliding_window_view(padded, _BEFORE)[-interval.size :], axis=1)
    usual = np.maximum(usual_s * 1e6, recent)
    usual[0] = usual_s * 1e6
    lost = float(np.where(interval > LOST * usual, interval - usual, 0.0).sum() / 1e6)
    return lost, [(int(us[j] + usual[j]), int(us[j + 1])) for j in np.flatnonzero(interval > LATE * usual)]


_BEFORE = 5
_NOT_A_TIME = np.iinfo(np.int64).min


def _groups(site: Site | None, element: Sequence[str], part: Sequence[str] | None) -> np.ndarray:
    """Number of the group that each sensor is compared with; by place alone where no parts are given."""
    own: dict[str, int] = {}
    for name in element:
        own[name] = own.get(name, 0) + 1
    where = {name: place(site, name) if site is not None else ("all", "") for name in own}
    if part is None:
        keys: list[tuple[str, ...]] = [where[e] for e in element]
    else:
        keys = [("parts", e, "") if own[e] >= _PARTS else (*where[e], p) for e, p in zip(element, part, strict=True)]
    number: dict[tuple[str, ...], int] = {}
    return np.array([number.setdefault(k, len(number)) for k in keys], np.int64)


_PARTS = 3


def place(site: Site, element: str) -> tuple[str, str]:
    """What an element is compared with: racks of one row, units of one loop, elements of one kind."""
    rack, cdu = site.racks.get(element), site.cdus.get(element)
    if rack is not None:
        position = site.positions.get(rack.position)
        return "row", position.row if position is not None else ""
    if cdu is not None:
        return "loop", cdu.loop if sum(c.loop == cdu.loop for c in site.cdus.values()) > 1 else cdu.fws or cdu.hall
    return "kind", site.kind_of(element) if element in site.elements else element


def bounded(bundle: Sensors, low: Mapping[str, float], high: Mapping[str, float]) -> Sensors:
    """The same readings with believable bounds of some elements; a part is held against the highest of its whole."""
    lowest = np.array([-np.inf if p else low.get(e, -np.inf) for e, p in zip(bundle.element, bundle.part, strict=True)])
    highest = np.array([high.get(e, np.inf) for e in bundle.element])
    return replace(bundle, low=lowest, high=highest)
