"""What the readings of one sensor look like: stuck, copied from another, spikes, outside what is possible, counters that run back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from telemetry.counters import WRAPS_J
from telemetry.quality.doubt import Doubt, detector, runs, utc
from telemetry.quality.series import Sensors
from topology.units import UNITS, split

STUCK_S, STUCK_READINGS = 3600.0, 12
"""Shortest stretch of one value that may be stuck [s], and fewest readings in it."""
STUCK_OTHERS = 3.0
"""... and so many times the longest stretch of one value that the sensors beside it have meanwhile."""
STUCK_OWN = 5.0
"""... and so many times the longest other stretch of its own, where it has changed often enough to tell."""
STUCK_CHANGES = 20
"""Changes that a sensor must show outside the stretch for its own history to say that it moves."""
STUCK_GRAINS = 3.0
"""Range of the sensors beside it over what the sensor seems to round to, from which a rounded reading would have moved."""
STANDING = frozenset({"power_limit_w", "breaker_closed_frac", "leak_frac", "frequency_hz", "clock_hz", "coolant_level_frac"})
"""Quantities that stand still by nature."""
COMMANDS = frozenset({"valve_frac", "pump_speed_frac", "pump_hz", "fan_speed_frac", "fan_hz"})
"""Quantities that are commands: they stand at a stop or a fixed speed while others move."""
SPIKE_LONGEST = 2
"""Readings of one spike at most."""
SPIKE_BESIDE = 6
"""Readings on each side that a spike is held against."""
SPIKE_DEVIATIONS = 12.0
"""Standard deviations of a sensor's usual step that a spike is away from both sides."""
SPIKE_RANGES = 3.0
"""... and times the whole range of the readings beside it, so that a load step is none."""
SPIKE_SHARE = 0.05
"""... and share of the level."""
SPIKE_TEMP_K = 3.0
"""... and kelvin, for temperatures."""
COARSE_STEPS = 4.0
"""... and usual steps of a sensor that often repeats its reading, because it rounds."""
SHARED_PART, SHARED_SIZE = 0.25, 0.25
"""Share of the sensors beside it that move the same way, by this share of its excursion, at the same time: then it is no spike."""
MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
RESTART_SHARE = 0.05
"""A counter that falls below this share of what it was has been started again."""
OUTSIDE_FEWEST = 3
"""Readings one after the other outside what is possible from which it is not a spike."""
COPIED_FEWEST, COPIED_VALUES = 60, 12
"""Fewest readings, and distinct values among them, from which equal series are a copy and not a coincidence."""


@detector
def stuck(s: Sensors) -> Iterator[Doubt]:
    """One and the same value for long while the sensors beside it, or its own history, move; not zero, not a command."""
    if s.quantity in STANDING or s.quantity in COMMANDS:
        return
    stretches = [constant(s.value[:, i]) for i in range(s.n)]
    for i, own in enumerate(stretches):
        stride, last = s.stride(i), s.value[:, i]
        for a, b in long_enough(s, i, own):
            beside = [j for j in np.flatnonzero(s.group == s.group[i]).tolist() if j != i]
            if moves(s, stretches, i, a, b, beside):
                reason = f"reads {number(s.quantity, float(last[a]))} throughout while {_what(beside)} move" + ("s" if not beside else "")
                yield s.doubt(i, "stuck", 1.0, reason, a, min(b - 1 + stride, len(s.time)))


def long_enough(s: Sensors, i: int, own: list[tuple[int, int]], fewest: int = STUCK_READINGS) -> list[tuple[int, int]]:
    """Stretches of one value of sensor i that may be stuck: long, of enough readings (a gap has none), and not zero."""
    v = s.value[:, i]
    return [
        (a, b)
        for a, b in own
        if (b - a) * s.step_s >= STUCK_S and v[a] != 0.0 and np.isfinite(v[a:b]).sum() >= max(fewest, _THERE * (b - a) / s.stride(i))
    ]


_THERE = 0.5
"""Share of the usual readings that must be there in a stretch."""


def _what(beside: list[int]) -> str:
    return f"{len(beside)} sensors beside it" if beside else "it usually"


def constant(column: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of one value (first step, one past the last), gaps bridged; single readings are none."""
    known = np.flatnonzero(np.isfinite(column))
    if known.size < 2:
        return []
    v = column[known]
    same = np.abs(np.diff(v)) <= 1e-9 * np.abs(v[1:])
    return [(int(known[a]), int(known[b]) + 1) for a, b in runs(same)]


def moves(
    s: Sensors, stretches: list[list[tuple[int, int]]], i: int, a: int, b: int, beside: list[int], fewest: int = STUCK_READINGS
) -> bool:
    """Whether the sensors beside it, and it itself at other times, move more than a reading is rounded to."""
    outside = np.r_[s.value[:a, i], s.value[b:, i]]
    outside = outside[np.isfinite(outside)]
    own_steps = np.abs(np.diff(outside))
    lively = int((own_steps > 0.0).sum()) >= STUCK_CHANGES
    if lively and max((y - x for x, y in stretches[i] if (x, y) != (a, b)), default=1) * STUCK_OWN > b - a:
        return False
    active = [j for j in beside if np.isfinite(s.value[a:b, j]).sum() >= fewest and np.nanmax(np.abs(s.value[a:b, j])) > 0.0]
    if len(active) < 2:
        return lively
    longest = [max((min(y, b) - max(x, a) for x, y in stretches[j] if x < b and y > a), default=1) for j in active]
    grain = float(own_steps[own_steps > 0.0].min()) if lively else _grain(float(s.value[a, i]))
    range_of = float(np.median(np.nanmax(s.value[a:b, active], axis=0) - np.nanmin(s.value[a:b, active], axis=0)))
    return float(np.median(longest)) * STUCK_OTHERS <= b - a and range_of >= STUCK_GRAINS * grain


def _grain(value: float) -> float:
    """What a reading seems to be rounded to.

    >>> _grain(55.0), _grain(55.3), _grain(7000.0), _grain(0.123456789) < 1e-6
    (1.0, 0.1, 1000.0, True)
    """
    return next((g for g in (1000.0, 100.0, 10.0, 1.0, 0.1, 0.01, 0.001) if abs(value / g - round(value / g)) < 1e-6), 1e-7)


COPIED = frozenset({"power_w", "output_power_w", "energy_j", "temp_c", "heat_w", "flow_m3_s"})
"""Quantities that are told by a sensor of their own, so that two equal series are news; not counts and shares of few values."""


@detector
def copied(s: Sensors) -> Iterator[Doubt]:
    """A series equal to that of another element to the last bit: one of them is a copy."""
    if s.quantity not in COPIED:
        return
    seen: dict[bytes, int] = {}
    for i in range(s.n):
        column = s.value[:, i]
        good = column[np.isfinite(column)]
        if good.size < COPIED_FEWEST or np.unique(good).size < COPIED_VALUES:
            continue
        first = seen.setdefault(hashlib.sha256(np.nan_to_num(column, nan=np.inf).tobytes()).digest(), i)
        if s.element[first] != s.element[i]:
            reason = f"reads what {s.name(first)} reads, to the last bit: one of them is a copy of the other"
            yield s.doubt(i, "copied", 0.5, reason, 0, len(s.time))


@detector
def spike(s: Sensors) -> Iterator[Doubt]:
    """One or two readings far from those before and after, which agree; not a load step, not shared by the sensors beside it."""
    if s.quantity in STANDING or s.quantity in COMMANDS:
        return
    for i in range(s.n):
        known = np.flatnonzero(np.isfinite(s.value[:, i]))
        if known.size < 2 * SPIKE_BESIDE:
            continue
        v = s.value[known, i]
        least = _least(s.quantity, v)
        for a, b in _excursions(v, least):
            away = float(np.median(v[a:b]) - np.median(np.r_[v[max(a - SPIKE_BESIDE, 0) : a], v[b : b + SPIKE_BESIDE]]))
            first, last = int(known[a]), int(known[b - 1]) + 1
            if not _shared(s, i, first, last, away):
                far = number(s.quantity, away, difference=True)
                read = number(s.quantity, float(v[a]))
                reason = f"reads {read}, {far} from the readings before and after; no sensor beside it moves"
                yield s.doubt(i, "spike", 1.0, reason, first, last)


def _least(quantity: str, v: np.ndarray) -> float:
    """Smallest excursion of a series that may be a spike."""
    step = np.abs(np.diff(v))
    usual = MAD * float(np.median(step))
    moves = step[step > 0.0]
    coarse = COARSE_STEPS * float(np.median(moves)) if moves.size and moves.size < 0.7 * step.size else 0.0  # rounded readings
    degrees = SPIKE_TEMP_K if quantity.endswith(("_c", "_k")) else 0.0
    return max(SPIKE_DEVIATIONS * usual, coarse, 0.0 if degrees else SPIKE_SHARE * float(np.median(np.abs(v))), degrees, 1e-12)


def _excursions(v: np.ndarray, least: float) -> Iterator[tuple[int, int]]:
    """Spikes of a gapless series (first reading, one past the last)."""
    end = 0
    for width in range(1, SPIKE_LONGEST + 1):
        before, inside, after = v[: -width - 1], v[1:-width], v[width + 1 :]
        up, down = inside - before, v[width:-1] - after
        for k in np.flatnonzero((np.minimum(np.abs(up), np.abs(down)) > least) & (np.sign(up) == np.sign(down))):
            a, b = int(k) + 1, int(k) + 1 + width
            beside = np.r_[v[max(a - SPIKE_BESIDE, 0) : a], v[b : b + SPIKE_BESIDE]]
            away = np.abs(v[a:b] - np.median(beside)).min()
            if a >= end and away > max(SPIKE_RANGES * float(np.ptp(beside)), least):
                end = b
                yield a, b


def _shared(s: Sensors, i: int, first: int, last: int, away: float) -> bool:
    """Whether sensors beside it make the same excursion: the plant moved, not the sensor."""
    wide = SPIKE_BESIDE * s.stride(i)
    others = [j for j in np.flatnonzero(s.group == s.group[i]).tolist() if j != i]
    lo, hi = max(first - s.stride(i), 0), min(last + s.stride(i), len(s.time))
    around = s.value[max(first - wide, 0) : last + wide, others]
    level, own = np.nanmedian(np.where(np.isfinite(around).any(axis=0), around, 0.0), axis=0), s.value[first - wide : last + wide, i]
    own_level = abs(float(np.nanmedian(own))) if own.size else 0.0
    moved = s.value[lo:hi, others] - level
    size = np.abs(away) * (np.abs(level) / own_level if own_level > 0.0 and not s.quantity.endswith(("_c", "_k")) else 1.0)
    with np.errstate(invalid="ignore"):
        same = (np.sign(moved) == np.sign(away)) & (np.abs(moved) >= SHARED_SIZE * size)
    return bool(others) and float(same.any(axis=0).mean()) >= SHARED_PART


@detector
def outside(s: Sensors) -> Iterator[Doubt]:
    """Readings that the hardware cannot have: below what it draws with all its parts idle, above its nameplate with a margin."""
    for i in np.flatnonzero(np.isfinite(s.low) | np.isfinite(s.high)):
        column = s.value[:, i]
        with np.errstate(invalid="ignore"):
            sides = (
                ("above", column > s.high[i], s.high[i], np.nanmax),
                ("below", (column < s.low[i]) & (column != 0.0), s.low[i], np.nanmin),
            )
        for side, wrong, bound, worst in sides:
            if not any(b - a >= OUTSIDE_FEWEST for a, b in runs(wrong[np.isfinite(column)])):
                continue
            steps = np.flatnonzero(wrong)
            share = wrong.sum() / np.isfinite(column).sum()
            reason = (
                f"{share:.1%} of its readings lie {side} {number(s.quantity, float(bound))}, the furthest at "
                f"{number(s.quantity, float(worst(column)))}: the meter, the SKU, or what stands behind the meter"
            )
            yield s.doubt(int(i), "outside", 0.5, reason, int(steps[0]), int(steps[-1]) + 1, int(wrong.sum()))


@detector
def counter(s: Sensors) -> Iterator[Doubt]:
    """A counter that runs backwards without a restart and without having run over."""
    bad: dict[int, list[tuple[int, float]]] = {}
    for i, at, before, after in s.falls:
        over = any(0.5 * w <= before <= 1.01 * w and after < 0.1 * w for w in WRAPS_J)
        if after > RESTART_SHARE * before and not over:
            bad.setdefault(i, []).append((at, before - after))
    for i, falls in bad.items():
        text = f"runs backwards {len(falls)} time{'s' if len(falls) > 1 else ''}, by up to {number(s.quantity, max(f for _, f in falls))}"
        first, last = utc(falls[0][0]), utc(falls[-1][0])
        yield Doubt(s.element[i], s.part[i], s.quantity, s.level, "counter", 0.5, text, first, last, len(falls))


def number(quantity: str, value: float, difference: bool = False) -> str:
    """A value with its unit.

    >>> number("power_w", 1250.0), number("temp_c", -3.0, difference=True)
    ('1,250 W', '-3 K')
    """
    unit = split(quantity)[1]
    text = f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.4g}"
    name = "" if unit is None else "K" if difference and unit is UNITS["c"] else unit.symbol
    return f"{text} {name}".strip()
