"""How sensors report: gaps, and readings at no steady interval."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np

from telemetry.quality.doubt import Doubt, Sensor, detector, stamp, utc
from telemetry.quality.series import LATE, Sensors

RAGGED_SHARE = 0.1
"""Share of intervals off the usual one by more than half from which a sensor reports raggedly."""
RAGGED_SCORE = 0.1
FEWEST = 12
"""Readings below which nothing is said of how a sensor reports."""


@detector
def gap(s: Sensors) -> Iterator[Doubt]:
    """Readings are missing for more than three usual intervals."""
    for i, begin, end in s.silences:
        yield silence(s.sensor(i), utc(begin), utc(end), float(s.interval_s[i]))


def silence(sensor: Sensor, since: dt.datetime, until: dt.datetime, usual_s: float, ends: bool = True) -> Doubt:
    """The doubt about a gap.

    Args:
        sensor: the sensor.
        since: when the first missing reading was due.
        until: time of the next reading, or end of what was looked at.
        usual_s: usual time between two readings [s].
        ends: whether a reading follows.
    """
    lasts_s = (until - since).total_seconds()
    end = f"until {stamp(until)}" if ends else "to the end"
    reason = f"no reading from {stamp(since)} {end}, {length(lasts_s)} instead of one every {length(usual_s)}"
    missing = max(round(lasts_s / usual_s), 1)
    return Doubt(sensor.element, sensor.part, sensor.quantity, sensor.level, "gap", 1.0, reason, since, until, missing)


@detector
def ragged(s: Sensors) -> Iterator[Doubt]:
    """A large share of the intervals between readings is not within half of the usual one."""
    for i in np.flatnonzero((s.ragged_frac > RAGGED_SHARE) & (s.readings >= FEWEST)):
        share = float(s.ragged_frac[i])
        reason = (
            f"{share:.0%} of its intervals are not within half of the usual one; nine in ten readings come within "
            f"{length(float(s.interval_s[i]))}, gaps are those of more than {LATE:g} times that"
        )
        yield s.doubt(int(i), "ragged", RAGGED_SCORE, reason, 0, len(s.time))


def length(time_s: float) -> str:
    """A length of time for people.

    >>> length(90.0), length(7200.0), length(1.5)
    ('90 s', '2 h', '1.5 s')
    """
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if time_s >= 2.0 * size:
            return f"{time_s / size:.3g} {unit}"
    return f"{time_s:.3g} s"
