"""From doubts to a verdict: one score a sensor, and doubts in the order in which people should look at them.

    score = coverage * prod over doubts (1 - s_d f_d)

``coverage`` is the share of the time in which the sensor reads as it usually does, ``s_d`` how far a doubt spoils what it touches, and
``f_d`` the share of the time that it lasts. 1 is a sensor without a gap and without a doubt. Gaps are in the coverage and not
counted again.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from telemetry.quality.doubt import Doubt, Sensor, joined, rolled_up, utc
from telemetry.quality.reporting import silence
from telemetry.quality.scan import Looked
from telemetry.quality.series import LATE, LOST

COUNTED = "gap"
"""Test whose doubts are in the coverage already."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of one sensor.

    Attributes:
        sensor: the sensor.
        score: 1 for one without a doubt, 0 for one that cannot be used.
        coverage: share of the time in which it reads.
        readings: how many there are.
        interval_s: usual time between two of them.
        doubts: doubts about it, the gravest first.
    """

    sensor: Sensor
    score: float
    coverage: float
    readings: int
    interval_s: float
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """What a window of telemetry is worth.

    Attributes:
        start: first time, UTC.
        end: last time, excluded, UTC.
        step_s: length of a step [s].
        verdicts: every sensor, the lowest score first.
        doubts: what people should look at: doubts about most parts of an element said once, in order of time.
        hours: start of each hour, datetime64[us] (H,).
        rows: (level, quantity) of each row of the coverage.
        coverage: share of the readings that are there (K, H), NaN where a quantity is read less often than hourly.
    """

    start: dt.datetime
    end: dt.datetime
    step_s: float
    verdicts: tuple[Verdict, ...]
    doubts: tuple[Doubt, ...]
    hours: np.ndarray
    rows: tuple[tuple[str, str], ...]
    coverage: np.ndarray

    @property
    def reasons(self) -> dict[str, tuple[Doubt, ...]]:
        """Doubts by the test that found them, the most frequent test first."""
        of: dict[str, list[Doubt]] = {}
        for d in self.doubts:
            of.setdefault(d.detector, []).append(d)
        return {k: tuple(v) for k, v in sorted(of.items(), key=lambda x: -len(x[1]))}


def judge(parts: Sequence[Looked], more: Iterable[Doubt] = ()) -> Quality:
    """Put chunks of one window together.

    Args:
        parts: chunks in order of time.
        more: doubts that were found by looking at several sensors, or at all chunks, at once.
    """
    start, end = parts[0].chunk.start, parts[-1].chunk.end
    step_s, span_s = parts[0].chunk.step_s, (end - start).total_seconds()
    table = _Table(parts)
    doubts = joined((*(d for p in parts for d in p.doubts), *table.gaps, *more))
    coverage = np.clip(1.0 - table.lost_s / span_s, 0.0, 1.0)
    of: dict[Sensor, list[Doubt]] = {}
    whole: dict[tuple[str, str, str], list[Doubt]] = {}
    known = set(table.sensors)
    for d in doubts:
        if d.sensor in known:
            of.setdefault(d.sensor, []).append(d)
        else:
            whole.setdefault((d.element, d.quantity, d.level), []).append(d)
    verdicts = []
    for i, s in enumerate(table.sensors):
        own = [*of.get(s, ()), *whole.get((s.element, s.quantity, s.level), ())]
        factor = float(np.prod([1.0 - d.score * min(d.lasts_s / span_s, 1.0) for d in own if d.detector != COUNTED]))
        own.sort(key=lambda d: -d.score * d.lasts_s)
        score = float(coverage[i]) * factor
        verdicts.append(Verdict(s, score, float(coverage[i]), int(table.readings[i].sum()), float(table.interval_s[i]), tuple(own)))
    verdicts.sort(key=lambda v: (v.score, v.sensor))
    rows, hours, share = _coverage(parts)
    slack = max(2.0 * step_s, float(np.median(table.interval_s)) if table.interval_s.size else 0.0)
    return Quality(start, end, step_s, tuple(verdicts), rolled_up(doubts, table.parts_of(), 2.0 * slack), hours, rows, share)


class _Table:
    """Sensors of all chunks: how much they read, and the gaps that no single chunk sees."""

    def __init__(self, parts: Sequence[Looked]) -> None:
        self.start, self.end = parts[0].chunk.start, parts[-1].chunk.end
        self.sensors = tuple(dict.fromkeys(s for p in parts for s in p.sensor))
        number = {s: i for i, s in enumerate(self.sensors)}
        shape = (len(self.sensors), len(parts))
        self.readings, self.usual = np.zeros(shape, np.int64), np.full(shape, np.nan)
        self.lost_s = np.zeros(len(self.sensors))
        self.first, self.last = (np.full(shape, np.datetime64("NaT"), "M8[us]") for _ in range(2))
        for c, p in enumerate(parts):
            at = [number[s] for s in p.sensor]
            self.readings[at, c], self.usual[at, c] = p.readings, p.interval_s
            self.first[at, c], self.last[at, c] = p.first, p.last
            self.lost_s[at] += np.where(p.readings >= _TELLS, p.lost_s, 0.0)
        few = np.where(self.readings >= _TELLS, self.usual, np.nan)
        self.interval_s = np.where(np.isfinite(few).any(axis=1), _median(few), _median(self.usual))
        self.gaps: list[Doubt] = []
        for i in range(len(self.sensors)):
            self._between(i)
        self._edges()

    def _between(self, i: int) -> None:
        """Gaps from the last reading of a chunk to the first of a later one."""
        there = np.flatnonzero(self.readings[i] > 0)
        for a, b in itertools.pairwise(there.tolist()):
            around = [float(self.usual[i, c]) for c in (a, b) if self.readings[i, c] >= _TELLS]
            usual = max(around, default=float(self.interval_s[i]))
            apart = float((self.first[i, b] - self.last[i, a]) / np.timedelta64(1, "s"))
            self._silent(i, _time(self.last[i, a]) + dt.timedelta(seconds=usual), _time(self.first[i, b]), apart, usual)

    def _silent(self, i: int, since: dt.datetime, until: dt.datetime, apart_s: float, usual: float, ends: bool = True) -> None:
        if apart_s > LOST * usual:
            self.lost_s[i] += apart_s - usual
        if apart_s > LATE * usual:
            self.gaps.append(silence(self.sensors[i], since, until, usual, ends))

    def _edges(self) -> None:
        """Readings that are missing at the end of the window.

        A sensor that others of the same element, quantity and level came after was replaced. One that has not read yet was not there:
        nobody can tell that from a gap.
        """
        last = np.nanmax(np.where(np.isnat(self.last), -_FAR.astype(np.int64), self.last.astype(np.int64)), axis=1).astype("M8[us]")
        first = np.nanmin(np.where(np.isnat(self.first), _FAR, self.first), axis=1)
        read = np.flatnonzero(self.readings.sum(axis=1) > 0).tolist()
        newest: dict[tuple[str, str, str], np.datetime64] = {}
        for i in read:
            whole = (self.sensors[i].element, self.sensors[i].quantity, self.sensors[i].level)
            newest[whole] = max(newest.get(whole, first[i]), first[i])
        for i in read:
            s, ended = self.sensors[i], _time(last[i])
            if newest[s.element, s.quantity, s.level] <= last[i]:
                usual = float(self.interval_s[i])
                self._silent(i, ended + dt.timedelta(seconds=usual), self.end, (self.end - ended).total_seconds(), usual, ends=False)

    def parts_of(self) -> dict[tuple[str, str, str], int]:
        """Number of parts that read, by (element, quantity, level)."""
        out: dict[tuple[str, str, str], int] = {}
        for s in self.sensors:
            key = (s.element, s.quantity, s.level)
            out[key] = out.get(key, 0) + 1
        return out


_TELLS = 3
_FAR = np.datetime64("2200-01-01", "us")


def _time(at: np.datetime64) -> dt.datetime:
    return utc(at.astype("M8[us]").astype(np.int64))


def _median(values: np.ndarray) -> np.ndarray:
    """Median of each row, NaN left out; NaN where there is nothing."""
    some = np.isfinite(values).any(axis=1)
    out = np.full(values.shape[0], np.nan)
    if some.any():
        out[some] = np.nanmedian(values[some], axis=1)
    return out


def _coverage(parts: Sequence[Looked]) -> tuple[tuple[tuple[str, str], ...], np.ndarray, np.ndarray]:
    rows = tuple(sorted({key for p in parts for key in p.coverage}))
    hours = np.concatenate([p.hours for p in parts])
    blocks = [[p.coverage.get(key, np.zeros(p.hours.size)) for key in rows] for p in parts]
    share = np.concatenate([np.array(b, np.float64).reshape(len(rows), -1) for b in blocks], axis=1)
    return rows, hours, share
