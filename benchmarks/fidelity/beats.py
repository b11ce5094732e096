"""How the sensors of a recording in long form read: how often, how evenly, with what holes, how many for a rack."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from topology.axes import Floats
from twin.forecast.calibrate.series import GAP_PERIODS

RACK = re.compile(r"r(\d+)c\d+")
OFF_BEAT = 0.1
"""A distance between two readings is uneven from this share of the usual one away from it."""
RAGGED = 0.05
"""Share of uneven distances from which a quantity counts as ragged."""
STILL_READINGS = 3
"""Readings from which a sensor that never moves is told."""


@dataclass(frozen=True)
class Beat:
    """One sensor's readings.

    Attributes:
        quantity: what it reads.
        sensor: its name.
        readings: their number.
        usual_s: usual distance between two; NaN for fewer than two readings.
        longest_s: longest distance; NaN likewise.
        uneven_frac: share of distances that are off the usual one.
        doubled: readings at a time that another reading has.
        still: whether all readings are one value.
    """

    quantity: str
    sensor: str
    readings: int
    usual_s: float
    longest_s: float
    uneven_frac: float
    doubled: int
    still: bool

    @property
    def holed(self) -> bool:
        """Whether it has a hole of more than three usual distances."""
        return self.longest_s > GAP_PERIODS * self.usual_s


def beat(quantity: str, sensor: str, time_s: Floats, value: Floats) -> Beat:
    """Measure one sensor.

    Args:
        quantity: what it reads.
        sensor: its name.
        time_s: (N,) times in any order.
        value: (N,) readings.

    Returns:
        Its beat.

    >>> b = beat("power", "r01c01", np.array([0.0, 10.0, 20.0, 70.0]), np.ones(4))
    >>> b.usual_s, b.longest_s, round(b.uneven_frac, 2), b.holed, b.still
    (10.0, 50.0, 0.33, True, True)
    """
    still = value.size >= STILL_READINGS and bool((value == value[0]).all())
    if time_s.size < 2:
        return Beat(quantity, sensor, int(value.size), float("nan"), float("nan"), 0.0, 0, still)
    apart = np.diff(np.sort(time_s))
    usual = float(np.median(apart))
    uneven = float((np.abs(apart - usual) > OFF_BEAT * usual).mean())
    return Beat(quantity, sensor, int(value.size), usual, float(apart.max()), uneven, int((apart == 0.0).sum()), still)


def beat_table(beats: Sequence[Beat]) -> tuple[str, ...]:
    """Sensors by quantity, as a Markdown table."""
    lines = [
        "| quantity | sensors | for a rack | readings | usual distance s | longest s | uneven | with holes | never move |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, own in _by_quantity(beats):
        usual = [b.usual_s for b in own if np.isfinite(b.usual_s)]
        longest = [b.longest_s for b in own if np.isfinite(b.longest_s)]
        per_rack = _per_rack(own)
        spacing = f"{_reach(usual)} | {max(longest, default=float('nan')):,.0f} | {_uneven(own):.1%}"
        counts = f"{sum(b.holed for b in own)} | {sum(b.still for b in own)}"
        readings = sum(b.readings for b in own)
        lines.append(f"| {name} | {len(own)} | {_reach(per_rack) if per_rack else ''} | {readings:,} | {spacing} | {counts} |")
    return tuple(lines)


def beat_findings(beats: Sequence[Beat]) -> Iterator[str]:
    """What is odd, one sentence each."""
    usual = sorted({round(b.usual_s) for b in beats if np.isfinite(b.usual_s)})
    if len(usual) > 1:
        told = ", ".join(f"{u:g}" for u in usual)
        yield f"Sensors read at beats of their own: every {told} s."
    ragged = [(n, _uneven(own)) for n, own in _by_quantity(beats) if _uneven(own) > RAGGED]
    if ragged:
        yield (
            "Ragged times, by the share of distances that are off the usual one by more than a tenth: "
            + "; ".join(f"{n} {share:.0%}" for n, share in ragged)
            + "."
        )
    several = [(n, counts) for n, own in _by_quantity(beats) if (counts := _per_rack(own)) and max(counts) > 1]
    if several:
        told = "; ".join(f"{n} {_reach(counts)}" for n, counts in several)
        yield f"Several sensors for one rack ({told}): power adds up over them, temperatures and speeds are averaged."
    uneven = [n for n, counts in several if min(counts) < max(counts)]
    if uneven:
        yield f"Not every rack has as many as the others: {', '.join(uneven)}."
    doubled = sum(b.doubled for b in beats)
    if doubled:
        yield f"{doubled:,} readings stand at a time at which their sensor has another one; both count in the mean of their step."
    still = [f"{b.quantity} {b.sensor}" for b in beats if b.still]
    if still:
        shown = ", ".join(still[:8]) + (", ..." if len(still) > 8 else "")
        yield f"{len(still)} sensors read one value from begin to end (set-points, stopped fans, or stuck): {shown}."


def _by_quantity(beats: Sequence[Beat]) -> list[tuple[str, list[Beat]]]:
    found: dict[str, list[Beat]] = {}
    for b in beats:
        found.setdefault(b.quantity, []).append(b)
    return sorted(found.items())


def _per_rack(own: Sequence[Beat]) -> list[int]:
    counts: dict[str, int] = {}
    for b in own:
        if match := RACK.search(b.sensor):
            counts[match.group(1)] = counts.get(match.group(1), 0) + 1
    return list(counts.values())


def _uneven(own: Sequence[Beat]) -> float:
    return float(np.mean([b.uneven_frac for b in own]))


def _reach(values: Sequence[float]) -> str:
    low, high = min(values, default=float("nan")), max(values, default=float("nan"))
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
