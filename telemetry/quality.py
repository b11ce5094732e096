"""Doubts about recorded series: gaps, stuck meters, and values outside what the hardware allows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from telemetry.rackpower import RackPower
from topology.errors import Finding
from topology.models import Sku
from topology.site import Site


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of True in a mask (T,), as (first, one past the last).

    >>> runs(np.array([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False]))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def gaps(time: np.ndarray, elements: Sequence[str], values: np.ndarray, step_s: float, longest_s: float) -> list[Finding]:
    """Elements whose values are absent for longer than allowed.

    Args:
        time: start of each step, datetime64 (T,).
        elements: element ids (E,).
        values: any quantity, NaN for a gap (T, E).
        step_s: length of a step [s].
        longest_s: longest gap that is passed over [s].
    """
    found = []
    for e, name in enumerate(elements):
        long = [(a, b) for a, b in runs(np.isnan(values[:, e])) if (b - a) * step_s > longest_s]
        if long:
            a, b = max(long, key=lambda r: r[1] - r[0])
            lost = sum(b - a for a, b in long) * step_s
            text = f"{name} has {len(long)} gaps, together {lost:.0f} s; the longest, {(b - a) * step_s:.0f} s, begins {_stamp(time[a])}"
            found.append(Finding(text, "", element=name, severity="warning"))
    return found


def stuck(time: np.ndarray, elements: Sequence[str], values: np.ndarray, step_s: float, at_least_s: float) -> list[Finding]:
    """Elements that report one and the same value for suspiciously long; a steady zero is not suspicious.

    Args:
        time: start of each step, datetime64 (T,).
        elements: element ids (E,).
        values: any quantity, NaN for a gap (T, E).
        step_s: length of a step [s].
        at_least_s: shortest stretch that is suspicious [s].
    """
    found = []
    for e, name in enumerate(elements):
        column = values[:, e]
        same = np.r_[False, (np.diff(column) == 0) & (column[1:] != 0)]
        long = [(a - 1, b) for a, b in runs(same) if (b - a) * step_s >= at_least_s]
        if long:
            a, b = max(long, key=lambda r: r[1] - r[0])
            text = f"{name} reads {column[a]:g} for {(b - a) * step_s:.0f} s from {_stamp(time[a])} on: the meter may be stuck"
            found.append(Finding(text, "", element=name, value=f"{column[a]:g}", severity="warning"))
    return found


def outside(
    time: np.ndarray, elements: Sequence[str], values: np.ndarray, low: np.ndarray, high: np.ndarray, unit: str = ""
) -> list[Finding]:
    """Elements with values outside their own band; values are reported, never changed.

    Args:
        time: start of each step, datetime64 (T,).
        elements: element ids (E,).
        values: any quantity, NaN for a gap (T, E).
        low: lowest value the hardware allows (E,).
        high: highest value the hardware allows (E,).
        unit: shown after the values.
    """
    found = []
    for e, name in enumerate(elements):
        column = values[:, e]
        sides = (("below", column < low[e], low[e], np.nanargmin), ("above", column > high[e], high[e], np.nanargmax))
        for side, wrong, bound, worst in sides:
            if wrong.any():
                at = int(worst(column))
                share = wrong.sum() / max(int(np.isfinite(column).sum()), 1)
                text = (
                    f"{name}: {int(wrong.sum())} of its samples ({share:.1%}) lie {side} {bound:.0f} {unit}, "
                    f"the furthest is {column[at]:.0f} {unit} at {_stamp(time[at])}"
                )
                found.append(Finding(text, "used as measured", element=name, value=f"{column[at]:.0f}", severity="warning"))
    return found


def idle_input_w(sku: Sku) -> float:
    """Input of a rack with all its parts idle, losses of its conversion stages included [W].

    Each stage has ``units`` equal converters with loss ``fixed + frac P + quad P^2`` of their output P each, as
    :class:`topology.models.Stage` says.
    """
    idle_w = [(p.count * (p.max_w if p.group == "fixed" else p.idle_w), p.converted) for p in sku.parts]
    level_w = sum(w for w, converted in idle_w if converted)
    for stage in sku.stages:
        each_w = level_w / stage.units
        level_w += stage.units * (stage.fixed_w + stage.loss_frac * each_w + stage.loss_quad_per_w * each_w**2)
    return level_w + sum(w for w, converted in idle_w if not converted)


def power_findings(site: Site, power: RackPower, longest_gap_s: float = 900.0, stuck_s: float = 6 * 3600.0) -> tuple[Finding, ...]:
    """Gaps, stuck meters and samples outside idle to nameplate of each rack.

    The floor is the rack's input with all its parts idle, conversion losses included; the ceiling is its nameplate. What lies
    outside is the meter, the SKU, or what stands behind the meter.

    Args:
        site: whose racks.
        power: rack power on the site's rack axis.
        longest_gap_s: longest gap that is passed over [s].
        stuck_s: shortest stretch of one value that is suspicious [s].
    """
    metered = [i for i, b in enumerate(power.basis) if b]
    names = [power.racks[i] for i in metered]
    skus = [site.model("sku", site.racks[n].sku, Sku) for n in names]
    low = np.array([idle_input_w(s) for s in skus])
    high = np.array([s.nameplate_w for s in skus])
    values = power.power_w[:, metered]
    return (
        *power.findings,
        *gaps(power.time, names, values, power.step_s, longest_gap_s),
        *stuck(power.time, names, values, power.step_s, stuck_s),
        *outside(power.time, names, values, low, high, "W"),
    )


def _stamp(time: np.datetime64) -> str:
    return f"{np.datetime_as_string(time, unit='s')}Z"
