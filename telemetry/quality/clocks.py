"""Clocks that are off, and readings of one meter that no other meter of the same element shares.

Every series that follows the load of an element is held against another one of the same load at a range of lags. Slow changes are taken
off first (a running mean). At lag ``k`` the linear fit leaves errors ``e_k`` with the robust deviation ``s_k``. Lags are not nested in one
another and both meters are noisy, so two lags are compared by the difference of their squares as Vuong does (Econometrica 57, 1989,
p. 307), squares capped so that no single reading decides:

    D_t = min(e_0^2 / s_k^2, C^2) - min(e_k^2 / s_k^2, C^2)
    z(k, tau) = sum over t >= tau of D_t / (sd(D) sqrt(n)) * sqrt((1 - r) / (1 + r)),    n readings from the step tau on

r is the autocorrelation of D at one reading (Wilks, Statistical Methods in the Atmospheric Sciences, 3rd ed., section 5.2.4); sd(D) is
taken as 2 at most, the deviation where both errors are independent, so that a load step, which tells most, does not hide itself. Where lag
k explains the load no better than none, z is a standard normal deviate. The largest z gives the lag and its begin; it counts from
:data:`LEAST_Z` on. The chance that noise alone reaches it in one of m series with K independent lags and T independent begins is at most
``m K T Phi(-z)``: 2e-3 a day for 120 series, 10 lags and 5 begins at z = 5.
A lag that most elements share is a property of their meters (averaging, transport) and is taken off.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np

from telemetry.quality.doubt import Doubt, detector, utc
from telemetry.quality.together import Busy, Key

LEAST_Z = 5.0
SHORT = 30.0
"""Readings by which a short series is held to more: z counts from ``LEAST_Z (1 + SHORT / n)`` on, as squares of few errors are far from
normal (estimate)."""
LONGEST_S = 1800.0
"""Longest lag that is looked for [s]."""
SLOW_S = 2.0 * 3600.0
"""Length of the running mean that is taken off [s]."""
INDEPENDENT = 2.0
"""Deviation of the difference of two squares of independent normal errors, over their variance."""
CAP = 12.0
"""Robust deviations to which errors are capped."""
LEAST_R, LEAST_R_Z = 0.1, 6.0
"""Smallest correlation at the best lag, and that times the square root of the number of readings."""
FEWEST = 40
"""Fewest pairs of readings that a lag rests on."""
SHORTEST_S = 120.0
"""Shortest lag that is told [s]."""
MAD = 1.4826


@detector
def clock(b: Busy) -> Iterator[Doubt]:
    """A source stamps its readings with a clock that is off: its load leads or lags what other meters say of the same load."""
    found: dict[tuple[str, ...], list[tuple[Key, Key, float, int, float]]] = {}
    for element in dict.fromkeys(k[0] for k in b.series):
        for key, other, reference in _pairs(b, element):
            lag = _lag(b, key, reference)
            if lag is not None:
                kind = (b.site.kind_of(element) if element in b.site.elements else "", key[1], key[2], other[1], other[2])
                found.setdefault(kind, []).append((key, other, *lag))
    for pairs in found.values():
        usual = float(np.median([p[2] for p in pairs])) if len(pairs) > 2 else 0.0
        for key, other, lag_s, since, gain in pairs:
            off = lag_s - usual
            if abs(off) >= max(SHORTEST_S, b.step_s) and gain >= LEAST_Z:
                yield from _doubts(b, key, other, off, since)


def _doubts(b: Busy, key: Key, other: Key, off_s: float, since: int) -> Iterator[Doubt]:
    word = "ahead" if off_s > 0.0 else "behind"
    against = "what hangs on it" if other[0] != key[0] else f"its {other[1]} {other[2]}"
    reason = f"its clock is {abs(off_s) / 60.0:.3g} min {word}: its load follows {against} at that lag"
    at = utc(b.time[since].astype(np.int64))
    part = b.parts[key][0] if len(b.parts[key]) == 1 else ""
    yield Doubt(key[0], part, key[2], key[1], "clock", 0.5, reason, at, b.end, int(np.isfinite(b.series[key][since:]).sum()))


def _pairs(b: Busy, element: str) -> Iterator[tuple[Key, Key, np.ndarray]]:
    """Series of an element, each with a finer one of the same load; hosts and units against meters, not the other way round."""
    own = b.of(element)
    if element in b.site.racks:
        for key in own:
            if key[1] in _HOSTS:
                meters = [k for k in own if k[1] not in _HOSTS and b.stride[k] <= max(b.stride[key], 1)]
                if meters:
                    best = min(meters, key=lambda k: (b.stride[k], k[2] != "power_w"))
                    yield key, best, b.series[best]
    elif element in b.site.cdus:
        for key in own:
            if key[2] == "heat_w":
                yield from _against(b, key)


_HOSTS = ("node", "device")


def _against(b: Busy, key: Key) -> Iterator[tuple[Key, Key, np.ndarray]]:
    """A unit against all that hangs on it."""
    for quantity in ("power_w", "output_power_w"):
        loads = [(r, "rack", quantity) for r in b.behind.get(key[0], ())]
        if loads and all(k in b.series and b.stride[k] == 1 for k in loads):
            yield key, loads[0], np.sum([b.usual[k] * b.series[k] for k in loads], axis=0)
            return


def _lag(b: Busy, key: Key, reference: np.ndarray) -> tuple[float, int, float] | None:
    """Lag of a series behind a reference [s], the step that it begins at, and the gain; ``None`` where nothing can be said."""
    x, y = b.series[key], _bridged(reference, b.stride[key])
    at = np.flatnonzero(np.isfinite(x))
    if at.size < FEWEST:
        return None
    wide = max(round(SLOW_S / b.step_s), 3)
    most = round(LONGEST_S / b.step_s)
    if y.size <= 2 * most:
        return None
    fast_y = y - _running(y, wide)
    smooth_x = _running(x, wide)
    lags = np.arange(-most, most + 1)
    rows = at[(at >= most) & (at < x.size - most)]
    shifted = fast_y[rows[:, None] - lags[None, :]]
    fast_x = (x - smooth_x)[rows]
    good = np.isfinite(shifted).all(axis=1) & np.isfinite(fast_x)
    if good.sum() < FEWEST:
        return None
    return _best(fast_x[good], shifted[good], lags, rows[good], b.step_s)


def _best(x: np.ndarray, y: np.ndarray, lags: np.ndarray, rows: np.ndarray, step_s: float) -> tuple[float, int, float] | None:
    if not x.std() > 0.0 or not (y.std(axis=0) > 0.0).all():
        return None
    x0, y0 = x - x.mean(), y - y.mean(axis=0)
    slope = np.maximum((x0 @ y0) / (y0**2).sum(axis=0), 0.0)
    error = x0[:, None] - slope * y0
    zero = int(np.flatnonzero(lags == 0)[0])
    scale = np.maximum(MAD * np.median(np.abs(error - np.median(error, axis=0)), axis=0), 1e-12)
    better = np.minimum((error[:, zero : zero + 1] / scale) ** 2, CAP**2) - np.minimum((error / scale) ** 2, CAP**2)
    count = np.arange(x.size, 0, -1)[:, None]
    near = np.array([_near(better[:, k]) for k in range(lags.size)])
    spread = np.minimum(better.std(axis=0), INDEPENDENT)
    z = np.cumsum(better[::-1], axis=0)[::-1] / (np.maximum(spread, 1e-12) * np.sqrt(count)) * np.sqrt((1.0 - near) / (1.0 + near))
    z = np.where(count >= FEWEST, z, -np.inf)
    begin, best = (int(v) for v in np.unravel_index(int(z.argmax()), z.shape))
    tail = slice(begin, None)
    r = float(np.corrcoef(x[tail], y[tail, best])[0, 1])
    if best == zero or not r >= max(LEAST_R, LEAST_R_Z / np.sqrt(count[begin, 0])):
        return 0.0, int(rows[0]), 0.0
    sure = float(z[begin, best]) / (1.0 + SHORT / float(count[begin, 0]))
    return float(lags[best]) * step_s, int(rows[begin]) if begin else 0, sure


def _near(values: np.ndarray) -> float:
    """Autocorrelation at one reading, 0 where it is negative or nothing varies."""
    a, b = values[1:] - values.mean(), values[:-1] - values.mean()
    square = float((a * a).sum() * (b * b).sum())
    return min(max(float((a * b).sum()) / np.sqrt(square), 0.0), 0.99) if square > 0.0 else 0.0


def _running(values: np.ndarray, wide: int) -> np.ndarray:
    """Mean of what is known within ``wide`` steps around each step."""
    good = np.isfinite(values)
    total, count = np.cumsum(np.r_[0.0, np.where(good, values, 0.0)]), np.cumsum(np.r_[0, good])
    lo, hi = np.maximum(np.arange(values.size) - wide // 2, 0), np.minimum(np.arange(values.size) + wide // 2 + 1, values.size)
    return np.asarray((total[hi] - total[lo]) / np.maximum(count[hi] - count[lo], 1))


def _bridged(values: np.ndarray, stride: int) -> np.ndarray:
    """Straight lines over gaps of a few steps."""
    known = np.flatnonzero(np.isfinite(values))
    if known.size < 2:
        return values
    line = np.interp(np.arange(values.size), known, values[known])
    after = np.clip(np.searchsorted(known, np.arange(values.size)), 1, known.size - 1)
    return np.where(known[after] - known[after - 1] <= max(2 * stride, 5), line, np.nan)


ALONE_SHARE = 0.25
"""Share of an excursion that another meter of the element must show for it to be real."""
ALONE_LEAST = 0.25
"""Least excursion of a whole element that is looked at, over its usual reading."""


@detector
def lone_spike(b: Busy) -> Iterator[Doubt]:
    """All parts of an element jump for one or two readings, and another meter of the same load shows nothing of it."""
    for key, x in b.series.items():
        if len(b.parts[key]) < _SEVERAL or key[2] == "utilisation_frac" or b.stride[key] > 1:
            continue
        others = [k for k in b.of(key[0]) if k[1:] != key[1:] and k[2] != "utilisation_frac"]
        for a, z in _jumps(x):
            away = float(np.nanmean(x[a:z]) - np.nanmedian(np.r_[x[max(a - 5, 0) : a], x[z : z + 5]]))
            shows = [s for k in others if (s := _shown(b.series[k], a, z, b.stride[k])) is not None]
            if shows and max(s * np.sign(away) for s in shows) < ALONE_SHARE * abs(away):
                reason = f"all its parts read {100.0 * away:+.0f} % for {z - a} reading{'s' if z - a > 1 else ''}, its other meters do not"
                since, until = (utc(b.time[t].astype(np.int64)) if t < b.time.size else b.end for t in (a, z))
                yield Doubt(key[0], "", key[2], key[1], "spike", 1.0, reason, since, until, len(b.parts[key]) * (z - a))


_SEVERAL = 3


def agreed(b: Busy, doubts: list[Doubt]) -> list[Doubt]:
    """Doubts without spikes that another meter shows as well: then the plant moved, and no sensor is off.

    Args:
        b: how busy each element is by each of its meters.
        doubts: doubts of one stretch of time.
    """
    spikes = [d for d in doubts if d.detector == "spike"]
    kinds: dict[tuple[str, dt.datetime], set[tuple[str, str, str]]] = {}
    for d in spikes:
        kinds.setdefault((d.element, d.since), set()).add((d.quantity, d.level, d.part if d.level == "cdu" else ""))
    return [d for d in doubts if d.detector != "spike" or (len(kinds[d.element, d.since]) == 1 and not _seen_elsewhere(b, d))]


def _seen_elsewhere(b: Busy, d: Doubt) -> bool:
    """Whether other meters of an element's load, or those of what hangs on it, make the same excursion."""
    own = (d.element, d.level, d.quantity)
    if own not in b.series:
        return False
    since, until = (np.datetime64(t.replace(tzinfo=None), "us") for t in (d.since, d.until))
    a, z = int(np.searchsorted(b.time, since)), int(np.searchsorted(b.time, until))
    away = _excursion(b.series[own], a, z, b.stride[own])
    others = [_excursion(b.series[k], a, z, b.stride[k]) for k in b.of(d.element) if k != own and k[2] != "utilisation_frac"]
    hung = [
        k for e in b.behind.get(d.element, ()) if e in b.site.racks and d.element not in b.site.racks for k in b.of(e) if k[2] == "power_w"
    ]
    if hung:
        weights = np.array([b.usual[k] for k in hung])
        moved = np.array([_excursion(b.series[k], a, z, b.stride[k]) for k in hung])
        known = np.isfinite(moved)
        others += [float((weights * moved)[known].sum() / weights[known].sum())] if known.any() else []
    return any(np.isfinite(o) and o * np.sign(away) >= ALONE_SHARE * abs(away) for o in others) if np.isfinite(away) else False


def _excursion(x: np.ndarray, a: int, z: int, stride: int) -> float:
    """How far a series is from its readings before and after in some steps, NaN where it has none there."""
    inside, wide = x[a:z], 6 * stride
    beside = np.r_[x[max(a - wide, 0) : a], x[z : z + wide]]
    if not np.isfinite(inside).any() or not np.isfinite(beside).any():
        return float("nan")
    return float(np.nanmean(inside) - np.nanmedian(beside))


def _jumps(x: np.ndarray) -> Iterator[tuple[int, int]]:
    for width in (1, 2):
        before, inside, after = x[: -width - 1], x[1:-width], x[width + 1 :]
        with np.errstate(invalid="ignore"):
            up, down = inside - before, x[width:-1] - after
            far = (np.minimum(np.abs(up), np.abs(down)) > ALONE_LEAST) & (np.sign(up) == np.sign(down))
        yield from ((int(k) + 1, int(k) + 1 + width) for k in np.flatnonzero(far))


def _shown(other: np.ndarray, a: int, z: int, stride: int) -> float | None:
    """Excursion that another series shows at the same time, ``None`` where it has no reading then."""
    if stride > 1 or not np.isfinite(other[a:z]).any():
        return None
    beside = np.r_[other[max(a - 5, 0) : a], other[z : z + 5]]
    return float(np.nanmean(other[a:z]) - np.nanmedian(beside)) if np.isfinite(beside).any() else None
