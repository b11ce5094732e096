"""All sensors of one source that freeze together: every part of an element stands still while what stands beside it moves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from telemetry.quality.doubt import Doubt, detector
from telemetry.quality.series import Sensors
from telemetry.quality.together import Busy
from telemetry.quality.values import COMMANDS, STANDING, constant, long_enough, moves, number

MOST = 0.8
"""Share of the parts of an element that stand still at the same time."""
FEWEST = 6
"""Readings of each part that stand still: fewer than of a single sensor, as all of them do."""
SEVERAL = 3
"""Parts from which an element is looked at."""
LIVELY = 0.02
"""Range of the element's load over its usual one that says that it was not off meanwhile."""


@detector
def stuck(s: Sensors) -> Iterator[Doubt]:
    """Most parts of an element stand still from the same moment on while those of the elements beside it move."""
    if s.quantity in STANDING or s.quantity in COMMANDS:
        return
    own: dict[str, list[int]] = {}
    for i, e in enumerate(s.element):
        own.setdefault(e, []).append(i)
    for element, parts in own.items():
        if len(parts) < SEVERAL:
            continue
        stretches = {i: _longest(s, i) for i in parts}
        known = {i: x for i, x in stretches.items() if x is not None}
        if len(known) < MOST * len(parts):
            continue
        first, last = (int(np.median([x[k] for x in known.values()])) for k in (0, 1))
        near = [i for i, x in known.items() if abs(x[0] - first) <= 2 * s.stride(i) and abs(x[1] - last) <= 2 * s.stride(i)]
        beside = [j[0] for e, j in own.items() if e != element and s.around[j[0]] == s.around[parts[0]]]
        if len(near) < MOST * len(parts) or len(beside) < 2:
            continue
        every = [constant(s.value[:, j]) if j in beside or j == near[0] else [] for j in range(s.n)]
        if moves(s, every, near[0], *known[near[0]], beside, FEWEST):
            for i in near:
                a, b = known[i]
                shown = number(s.quantity, float(s.value[a, i]))
                yield s.doubt(
                    i, "stuck", 1.0, f"reads {shown} throughout, as all its sensors stand still, while others beside it move", a, b
                )


def _longest(s: Sensors, i: int) -> tuple[int, int] | None:
    """Longest stretch of one value of a sensor that is long enough and not zero."""
    found = long_enough(s, i, constant(s.value[:, i]), FEWEST)
    return max(found, key=lambda x: x[1] - x[0]) if found else None


def alive(b: Busy, d: Doubt) -> bool:
    """Whether another meter says that an element was at work, and not off, in a doubtful stretch."""
    since, until = (np.datetime64(t.replace(tzinfo=None), "us") for t in (d.since, d.until))
    rows = (b.time >= since) & (b.time < until)
    for key in b.of(d.element):
        x = b.series[key][rows]
        x = x[np.isfinite(x)]
        if (key[2], key[1]) != (d.quantity, d.level) and x.size >= FEWEST and float(np.ptp(x)) > LIVELY:
            return True
    return False
