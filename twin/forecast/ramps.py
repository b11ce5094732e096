"""Ramps: stretches in which power moves far in little time, as events that a utility or a plant has to follow.

A ramp is where power differs by more than a threshold from what it was a window before (Kamath, Understanding wind ramp events through
analysis of historical data, IEEE PES T&D 2010, first definition). Windows that overlap and go the same way are one event, which is cut
to where power turned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topology.axes import Floats
from topology.errors import UsageError
from twin.forecast.gaps import held

SHARE = 0.1
"""Change that makes a ramp, over the highest power of the series: own choice, that of wind ramps is 10 to 20 %."""
WINDOW_S = 300.0
"""Time in which it must happen: the dispatch interval of most system operators."""


@dataclass(frozen=True)
class Ramp:
    """One event.

    Attributes:
        first: step from which power moves.
        last: step at which it has arrived.
        change_w: power there less power at ``first``.
        steepest_w_s: largest change between two neighbouring steps over their distance, in the event's direction.
    """

    first: int
    last: int
    change_w: float
    steepest_w_s: float


def ramps(power_w: Floats, step_s: float, window_s: float = WINDOW_S, share: float = SHARE) -> tuple[Ramp, ...]:
    """Find the ramps of a series.

    Args:
        power_w: (T,) power on equal steps; a gap counts as no change, up to the reading after it.
        step_s: length of a step.
        window_s: time within which a change counts; at least one step.
        share: change that counts, over the highest power of the series.

    Returns:
        Events in order of time. They do not overlap, and each changes power by at least the threshold.

    Raises:
        UsageError: a step, window or share that is not above 0.

    >>> [(r.first, r.last, r.change_w) for r in ramps(np.array([1.0, 1.0, 5.0, 9.0, 9.0, 2.0]), 60.0, 120.0)]
    [(1, 3, 8.0), (4, 5, -7.0)]
    """
    if not (step_s > 0.0 and window_s > 0.0 and share > 0.0):
        raise UsageError(f"a ramp needs a step, a window and a share above 0, not {step_s:g} s, {window_s:g} s and {share:g}")
    power = held(power_w[:, None])[:, 0]
    wide = max(round(window_s / step_s), 1)
    if power.size < 2 or not np.isfinite(power).all():
        return ()
    least = share * float(np.abs(power).max())
    if least <= 0.0:
        return ()
    found: list[Ramp] = []
    at = 0
    while (event := _next(power, at, wide, least)) is not None:
        first, last = event
        change = float(power[last] - power[first])
        sign = 1.0 if change > 0.0 else -1.0
        steepest = sign * float((sign * np.diff(power[first : last + 1])).max()) / step_s
        found.append(Ramp(first, last, change, steepest))
        at = last
    return tuple(found)


def _next(power: Floats, at: int, wide: int, least: float) -> tuple[int, int] | None:
    """Turn before and turn after the first change of at least ``least`` within ``wide`` steps that begins at a step or later."""
    for a in range(at, power.size - 1):
        ahead = power[a + 1 : a + 1 + wide] - power[a]
        far = np.flatnonzero(np.abs(ahead) >= least)
        if far.size:
            break
    else:
        return None
    sign = 1.0 if ahead[far[0]] > 0.0 else -1.0
    along = sign * power
    end = a + 1 + int(far[0])
    first = a + int(np.flatnonzero(along[a:end] == along[a:end].min())[-1])
    last = end
    while True:
        reach = along[last + 1 : last + 1 + wide]
        if reach.size == 0:
            return first, last
        # it goes on as long as the best of the next window lies above, is still fast, and no counter-ramp comes before it
        top = int(reach.argmax())
        if reach[top] <= along[last] or reach[top] - along[max(last + 1 + top - wide, first)] < least or _turns(along, last, top, least):
            return first, last
        last += 1 + top


def _turns(along: Floats, last: int, top: int, least: float) -> bool:
    """Whether power falls back by the threshold before it reaches the next high."""
    return bool(along[last] - along[last : last + 1 + top].min(initial=along[last]) >= least)
