"""A node metered at its supplies: how they share the load, what reactive power their filters draw, and what peaks its work makes.

Each supply takes ``P_i = s_i P + d_i`` of the node's power ``P``: a share of its regulation and an offset of its own. The reactive power
of a supply with power factor correction is that of its input filter, nearly constant, and a part in proportion to load, so the node's
power factor is ``P / sqrt(P^2 + (q0 + q1 P)^2)``: it falls towards idle (IEEE 1459-2010 for the power triangle).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from topology.axes import Bools, Floats
from topology.errors import UsageError
from topology.models import Sku

IDLE_BELOW = 0.15
"""A step belongs to idle while power is within this share of the way from the lowest to the highest level of a workload."""
LEVELS = (1.0, 99.0)
"""Percentiles that stand for the lowest and the highest level, so that single readings do not decide."""
PEAK_S = 60.0
"""Length of the mean that counts as a peak: a breaker's or a supply's thermal memory, not a spike."""


@dataclass(frozen=True)
class Workload:
    """What one workload drew.

    Attributes:
        name: its name.
        start_s: its first reading, seconds since 1970.
        length_s: time to its last one.
        idle_w: median of its idle steps.
        mean_w: mean over all of it.
        peak_w: highest mean over :data:`PEAK_S`.
        highest_w: highest single reading.
        busy_frac: share of steps that are not idle.
        power_factor: at its busy steps, median; NaN where none was read.
    """

    name: str
    start_s: float
    length_s: float
    idle_w: float
    mean_w: float
    peak_w: float
    highest_w: float
    busy_frac: float
    power_factor: float


def workload(name: str, time_s: Floats, power_w: Floats, power_factor: Floats) -> Workload:
    """Measure one workload.

    Args:
        name: its name.
        time_s: (N,) times, ascending.
        power_w: (N,) power of the node.
        power_factor: (N,) its power factor.

    Returns:
        Levels and peaks. A run that never idles has its lowest level as idle.

    >>> w = workload("w", np.arange(200.0), np.repeat([100.0, 500.0], 100), np.full(200, 0.9))
    >>> w.idle_w, w.peak_w, w.highest_w, w.busy_frac
    (100.0, 500.0, 500.0, 0.5)
    """
    low, high = (float(v) for v in np.percentile(power_w, LEVELS))
    idle = power_w <= low + IDLE_BELOW * (high - low)
    busy = ~idle if (~idle).any() else idle
    factor = power_factor[busy & np.isfinite(power_factor)]
    return Workload(
        name, float(time_s[0]), float(time_s[-1] - time_s[0]), float(np.median(power_w[idle])), float(power_w.mean()),
        _peak(time_s, power_w), float(power_w.max()), float((~idle).mean()), float(np.median(factor)) if factor.size else float("nan"),
    )  # fmt: skip


def _peak(time_s: Floats, power_w: Floats) -> float:
    """Highest mean over :data:`PEAK_S`; of a shorter run the mean of all."""
    total = np.concatenate([[0.0], np.cumsum(power_w)])
    last = np.arange(1, power_w.size + 1)
    first = np.searchsorted(time_s, time_s - PEAK_S, side="right")
    whole = time_s - time_s[0] >= PEAK_S * 0.99
    means = (total[last] - total[first]) / (last - first)
    return float(means[whole].max()) if whole.any() else float(power_w.mean())


@dataclass(frozen=True)
class Sharing:
    """How supplies share a node's power.

    Attributes:
        share: (S,) slope of each supply's power over the node's.
        offset_w: (S,) its offset.
        predicted_w: (N, S) power of each supply.
    """

    share: Floats
    offset_w: Floats
    predicted_w: Floats


def fit_sharing(power_w: Floats, supply_w: Floats, fit: Bools) -> Sharing:
    """Fit shares by least squares.

    Args:
        power_w: (N,) power of the node.
        supply_w: (N, S) power of each supply.
        fit: (N,) readings that may be looked at.

    Returns:
        Shares, offsets and the prediction for every reading. A node that hardly moved shows only shares: offsets are 0.

    Raises:
        UsageError: no reading with power.
    """
    seen = fit & np.isfinite(power_w) & np.isfinite(supply_w).all(axis=1) & (power_w > 0.0)
    if not seen.any():
        raise UsageError("no reading with power in the part that fits")
    x, y = power_w[seen], supply_w[seen]
    middle = float(x.mean())
    if float(x.std()) < 0.01 * middle:
        share = y.mean(axis=0) / middle
    else:
        share = ((x - middle)[:, None] * y).sum(axis=0) / float(((x - middle) ** 2).sum())
    offset = y.mean(axis=0) - share * middle
    return Sharing(share, offset, power_w[:, None] * share + offset)


@dataclass(frozen=True)
class Reactive:
    """Reactive power of a node's supplies.

    Attributes:
        fixed_va: ``q0`` of the filters [var].
        frac: ``q1``, in proportion to power.
        power_factor: (N,) prediction for every reading.
    """

    fixed_va: float
    frac: float
    power_factor: Floats


def fit_reactive(power_w: Floats, power_factor: Floats, fit: Bools) -> Reactive:
    """Fit the reactive power, both terms not below 0.

    Args:
        power_w: (N,) power of the node.
        power_factor: (N,) as read; readings outside (0, 1] are left out.
        fit: (N,) readings that may be looked at.

    Returns:
        The terms and the power factor that follows for every reading.

    Raises:
        UsageError: no reading with power and power factor.
    """
    seen = fit & (power_w > 0.0) & (power_factor > 0.0) & (power_factor <= 1.0)
    if not seen.any():
        raise UsageError("no reading with a power factor in the part that fits")
    x = power_w[seen]
    q = x * np.sqrt(1.0 / power_factor[seen] ** 2 - 1.0)
    frac, fixed = 0.0, float(q.mean())
    if float(x.std()) >= 0.01 * float(x.mean()):
        frac = float(((x - x.mean()) * (q - q.mean())).sum() / ((x - x.mean()) ** 2).sum())
        fixed = float(q.mean() - frac * x.mean())
    if frac < 0.0:
        frac, fixed = 0.0, float(q.mean())
    elif fixed < 0.0:
        frac, fixed = float((x * q).sum() / (x**2).sum()), 0.0
    return Reactive(fixed, frac, np.asarray(power_w / np.hypot(power_w, fixed + frac * power_w)))


def peak_interval(peaks_w: Sequence[float], probability: float = 0.9) -> tuple[float, float]:
    """Interval in which the peak of one more workload falls, from those of the ones before.

    Peaks are taken as log-normal: mean and deviation of ``n`` logarithms, Student's t with ``n - 1`` degrees of freedom, and the
    new one's own spread (``sqrt(1 + 1/n)``).

    Raises:
        UsageError: fewer than two peaks, or one that is not above 0.

    >>> low, high = peak_interval([4000.0, 5000.0, 6000.0])
    >>> low < 4000.0 < 6000.0 < high
    True
    """
    n = len(peaks_w)
    if n < 2 or min(peaks_w) <= 0.0:
        raise UsageError(f"{n} peaks: an interval needs at least two, all above 0")
    logs = np.log(np.asarray(peaks_w, np.float64))
    half = float(student.ppf(0.5 + probability / 2.0, n - 1)) * float(logs.std(ddof=1)) * math.sqrt(1.0 + 1.0 / n)
    return math.exp(float(logs.mean()) - half), math.exp(float(logs.mean()) + half)


def nodes_of(sku: Sku) -> int:
    """Equal nodes of a rack: the largest number by which all its parts can be divided.

    A rack of one node, and one whose parts are not divisible, is one.
    """
    return math.gcd(*(p.count for p in sku.parts)) if sku.parts else 1


def overlay(sku: Sku, runs: Sequence[Workload], source: str, date: str) -> str:
    """A catalog file (``skus.toml``) that gives a SKU its measured power factor and demand distribution.

    Args:
        sku: the catalog's entry of the rack that such nodes fill.
        runs: workloads of one node.
        source: what was metered, for provenance.
        date: day of the last reading, ISO.

    Returns:
        TOML text; the entry starts from the built-in one, so that everything else stays.
    """
    nodes = nodes_of(sku)
    share = sorted(r.peak_w * nodes / sku.nameplate_w for r in runs)
    known = [r.power_factor for r in runs if math.isfinite(r.power_factor)]
    idle = float(np.median([r.idle_w for r in runs])) * nodes
    note = (
        f"one-minute peaks of {len(runs)} workloads on one node, times {nodes} nodes a rack, over nameplate: all nodes peak together; "
        f"idle at {idle / 1e3:.2f} kW a rack"
    )
    lines = ["# Measured on one node and scaled to a rack; put it into catalog/ of a site's folder.", "", f"[{_key(sku.name)}]"]
    lines += [f"base = {_text(sku.name)}", *([f"power_factor = {float(np.median(known)):.4f}"] if known else [])]
    lines += [f"demand_frac = [{', '.join(f'{s:.4f}' for s in share)}]", f"source = {_text(source)}", f"date = {date}"]
    lines += ['confidence = "measured"', f"note = {_text(note)}", ""]
    return "\n".join(lines)


def _text(value: str) -> str:
    """A basic TOML string."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _key(name: str) -> str:
    bare = all(c.isascii() and (c.isalnum() or c in "-_") for c in name)
    return name if bare else _text(name)


def fitting_sku(skus: Mapping[str, Sku], name: str) -> Sku | None:
    """The SKU whose accelerator's name a recording's name begins with; ``None`` where there is none or more than one."""
    found = [s for s in skus.values() if s.chip and (name == s.chip or name.startswith(f"{s.chip}-"))]
    return found[0] if len(found) == 1 else None
