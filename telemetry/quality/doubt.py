"""Doubts about sensors: what is said of one, how stretches of neighbouring chunks become one, and how parts of an element do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

_ALIKE_FRAC = 0.5
"""Share of the readings of an element's parts that one and the same doubt must touch to be said once, of the element."""
_ALIKE_FEWEST = 3


@dataclass(frozen=True, slots=True, order=True)
class Sensor:
    """What one series of readings is known by.

    Attributes:
        element: element of the site.
        part: part of the element, empty for the element as a whole.
        quantity: canonical quantity.
        level: level at which it reads.
    """

    element: str
    part: str
    quantity: str
    level: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """One doubt about one sensor.

    Attributes:
        element: element of the site.
        part: part of the element; empty for the element as a whole, or where the doubt is about most of its parts.
        quantity: canonical quantity; empty where the doubt is about several of them.
        level: level at which it reads; empty where the doubt is about several quantities.
        detector: name of the test that found it.
        score: how far readings in the stretch can be trusted no more, 0 to 1.
        reason: one sentence for people.
        since: begin of the doubtful stretch, UTC.
        until: end of it, UTC; the end of what was looked at where it goes on.
        samples: readings that are doubtful; for a gap, readings that are missing.
    """

    element: str
    part: str
    quantity: str
    level: str
    detector: str
    score: float
    reason: str
    since: dt.datetime
    until: dt.datetime
    samples: int

    @property
    def sensor(self) -> Sensor:
        """The sensor that it is about."""
        return Sensor(self.element, self.part, self.quantity, self.level)

    @property
    def lasts_s(self) -> float:
        """Length of the stretch [s]."""
        return (self.until - self.since).total_seconds()


Check = Callable[[Any], Iterable[Doubt]]


@dataclass(frozen=True, slots=True)
class Detector:
    """A test of readings: its name, what it looks for, and the function."""

    name: str
    doc: str
    run: Check


def detector(function: Check) -> Detector:
    """Make a function that yields doubts a detector; :func:`detectors_of` finds it, so that it is registered nowhere else."""
    return Detector(function.__name__.strip("_"), (function.__doc__ or "").strip().splitlines()[0], function)


def detectors_of(*modules: ModuleType | Mapping[str, Any]) -> tuple[Detector, ...]:
    """The detectors of some modules, in the order in which they are written."""
    names = [m if isinstance(m, Mapping) else vars(m) for m in modules]
    return tuple(v for space in names for v in space.values() if isinstance(v, Detector))


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of True in a mask (T,), as (first, one past the last).

    >>> runs(np.array([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False]))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def utc(us: int | np.integer[Any]) -> dt.datetime:
    """A time from microseconds since 1970, UTC.

    >>> utc(0).isoformat()
    '1970-01-01T00:00:00+00:00'
    """
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=int(us))


def microseconds(time: dt.datetime) -> int:
    """Microseconds since 1970 of a time with a zone; the inverse of :func:`utc`."""
    return (time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def stamp(time: dt.datetime) -> str:
    """A time for people.

    >>> stamp(utc(60_000_000))
    '1970-01-01T00:01:00Z'
    """
    return time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def joined(doubts: Iterable[Doubt]) -> tuple[Doubt, ...]:
    """Doubts of one test about one sensor whose stretches touch become one, with the words of the longer; in order of time.

    Stretches that lie in one another count once, so that chunks may overlap.
    """
    of: dict[tuple[Sensor, str], list[Doubt]] = {}
    for d in doubts:
        of.setdefault((d.sensor, d.detector), []).append(d)
    out: list[Doubt] = []
    for same in of.values():
        kept: list[Doubt] = []
        for d in sorted(same, key=lambda x: (x.since, x.until)):
            if kept and d.since <= kept[-1].until:
                kept[-1] = _one(kept[-1], d)
            else:
                kept.append(d)
        out += kept
    return tuple(sorted(out, key=lambda d: (d.since, d.sensor, d.detector)))


def _one(a: Doubt, b: Doubt) -> Doubt:
    """Two touching stretches as one; readings of the overlap are counted by its share of the second."""
    if b.until <= a.until:
        return a
    both = max((a.until - b.since).total_seconds(), 0.0)
    new = 1.0 - both / b.lasts_s if b.lasts_s > 0.0 else 1.0
    longer = a if a.lasts_s >= b.lasts_s else b
    return replace(longer, since=a.since, until=b.until, samples=a.samples + round(new * b.samples), score=max(a.score, b.score))


def rolled_up(doubts: Iterable[Doubt], parts_of: Mapping[tuple[str, str, str], int], slack_s: float) -> tuple[Doubt, ...]:
    """The same doubt about most parts of an element at once is one doubt about the element.

    Args:
        doubts: doubts about single parts.
        parts_of: number of parts that read, by (element, quantity, level).
        slack_s: difference of begins and ends that still counts as the same time [s].
    """
    of: dict[tuple[str, str, str, str], list[Doubt]] = {}
    for d in doubts:
        of.setdefault((d.element, d.quantity, d.level, d.detector), []).append(d)
    out: list[Doubt] = []
    for (element, quantity, level, _), same in of.items():
        total = parts_of.get((element, quantity, level), 1)
        rest = sorted(same, key=lambda d: d.since)
        while rest:
            first = rest[0]
            alike = [d for d in rest if _near(d, first, slack_s)]
            rest = [d for d in rest if not _near(d, first, slack_s)]
            many = len({d.part for d in alike})
            if many < max(_ALIKE_FEWEST, _ALIKE_FRAC * total):
                out += alike
                continue
            worst = max(alike, key=lambda d: d.samples)
            reason = f"{many} of {total} parts alike: {worst.reason}"
            out.append(
                replace(worst, part="", reason=reason, since=min(d.since for d in alike), until=max(d.until for d in alike),
                        samples=sum(d.samples for d in alike))
            )  # fmt: skip
    return tuple(sorted(_of_sources(out, slack_s), key=lambda d: (d.since, d.sensor, d.detector)))


OF_SOURCES = ("gap", "clock")
"""Tests whose doubts are about a source of readings: said once of all quantities that it sends."""


def _of_sources(doubts: list[Doubt], slack_s: float) -> list[Doubt]:
    """The same doubt about several quantities of an element at once is one doubt about its source: quantity and level are left empty."""
    out = [d for d in doubts if d.detector not in OF_SOURCES]
    rest = sorted((d for d in doubts if d.detector in OF_SOURCES), key=lambda d: d.since)
    while rest:
        first = rest[0]
        same = [d for d in rest if (d.element, d.detector) == (first.element, first.detector)]
        if first.detector == "gap":
            same = [d for d in same if _near(d, first, slack_s)]
        rest = [d for d in rest if d not in same]
        series = {(d.quantity, d.level, d.part) for d in same}
        if len(series) == 1:
            out += same
            continue
        longest = max(same, key=lambda d: d.lasts_s)
        out.append(
            replace(longest, part="", quantity="", level="", reason=f"{len(series)} of its series alike: {longest.reason}",
                    since=min(d.since for d in same), until=max(d.until for d in same), samples=sum(d.samples for d in same))
        )  # fmt: skip
    return out


def _near(a: Doubt, b: Doubt, slack_s: float) -> bool:
    return abs((a.since - b.since).total_seconds()) <= slack_s and abs((a.until - b.until).total_seconds()) <= slack_s
