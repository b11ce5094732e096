"""How racks and supplies change over a window: power at equal utilisation, and loss at equal load, slice by slice.

The fitted curve says what each slice should read; the ratio to what it did read does not know the gains of meters, which are the same in
every slice. A line through the slices is the change, with noise from what the line leaves (:func:`twin.forecast.calibrate.slices.trend`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np

from topology.axes import Floats, Ints
from topology.models import Sku
from topology.overlay import sku_with
from twin.forecast.calibrate.classes import Classes, classes_of
from twin.forecast.calibrate.curve import Curve
from twin.forecast.calibrate.nested import Nested
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.slices import DAY_S, Slices, Trend, cut, days_of, trend
from twin.forecast.calibrate.told import Drift

WEEKLY_S = 28 * DAY_S
"""Window from which slices are weeks: a line needs a few of them."""
LEAST_FRAC = 0.005
"""Change of a rack's power below which nothing is said."""


def drifts(what: Seen, sku: Sku, racks: Ints, fit: Nested) -> Iterator[Drift]:
    """Changes of one SKU: of its supplies where their loss is told, and of racks that have changed beyond chance.

    Args:
        what: what was seen.
        sku: as the catalog has it.
        racks: (N,) its racks, in the order of the fit.
        fit: the fit.
    """
    step_s: Floats = what.step_s * np.arange(what.time.size, dtype=np.float64)
    slices = cut(step_s, step_s.size * what.step_s, WEEKLY_S)
    if slices is None or not racks.size:
        return
    drawn, loss, load = _ratios(what, sku, racks, fit, slices)
    days = days_of(what, step_s, slices)
    supplies = trend(loss[None], load[None])
    if np.isfinite(supplies.half[0]) and fit.shared["supply_load_factor"].identifiable:
        yield _drift(sku.name, "supply_load_factor", days, supplies, 0, fit.shared["supply_load_factor"].value * np.exp(loss))
    found = trend(drawn)
    for n in np.flatnonzero(found.sure & (np.abs(found.change) > LEAST_FRAC)):
        value = fit.own[0].at(float(fit.z[n, 0])) * np.exp(drawn[n])
        yield _drift(what.plant.racks.ids[racks[n]], "draw_factor", days, found, int(n), value)


def _drift(
    element: str, parameter: str, days: tuple[tuple[dt.date, ...], tuple[dt.date, ...], np.ndarray], found: Trend, n: int, value: Floats
) -> Drift:
    change, half = found.change[n], found.half[n]
    good = np.isfinite(value)
    ends = np.flatnonzero(good)[[0, -1]]
    interval = float(np.expm1(change - half)), float(np.expm1(change + half))
    return Drift(element, parameter, days[0][ends[0]], days[1][ends[1]], float(np.expm1(change)), interval, days[2][good], value[good])


def _ratios(what: Seen, sku: Sku, racks: Ints, fit: Nested, slices: Slices) -> tuple[Floats, Floats, Floats]:
    """(N, K) logarithm of power over what the curve says, (K,) that of the loss of all supplies, (K,) their load over that loss."""
    factors = {n: f.value for n, f in fit.shared.items() if n != "chip share"}
    curve = Curve(sku_with(sku, factors))
    own = {p.name: np.asarray([p.at(float(z)) for z in fit.z[:, k]])[:, None] for k, p in enumerate(fit.own)}
    place = {rack: n for n, rack in enumerate(racks)}
    drawn = np.full((racks.size, slices.number), np.nan)
    loss, load = np.full(slices.number, np.nan), np.full(slices.number, np.nan)
    for k in range(slices.number):
        seen = classes_of(what, racks, slices.of == k)
        if seen.racks.size:
            who = np.asarray([place[r] for r in seen.racks])
            drawn[who, k], loss[k], load[k] = _slice(curve, seen, {name: v[who] for name, v in own.items()})
    return drawn, loss, load


def _slice(curve: Curve, seen: Classes, own: dict[str, Floats]) -> tuple[Floats, float, float]:
    it, away = curve.parts_w(seen.u, seen.scatter)
    d = own["draw_factor"]
    taken, given = own["input"] * d * curve.input_w(it, away), own["output"] * d * it
    metered = np.isfinite(seen.input_w).any(axis=1, keepdims=True)
    drawn = _log_ratio(np.where(metered, seen.input_w, seen.output_w), np.where(metered, taken, given), seen.count)
    out = seen.output_w / own["output"]
    lost, law = seen.input_w / own["input"] - out, d * curve.input_w(out / d, away) - out
    whole = np.isfinite(lost) & (law > 0.0)
    above, below, through = (float((v * seen.count)[whole].sum()) for v in (lost, law, out))
    if not (above > 0.0 and below > 0.0):
        return drawn, float("nan"), float("nan")
    return drawn, float(np.log(above / below)), through / below


def _log_ratio(above: Floats, below: Floats, count: Floats) -> Floats:
    """(N,) logarithm of the ratio of sums, NaN where there is nothing."""
    good = np.isfinite(above) & np.isfinite(below) & (count > 0.0)
    top, bottom = (np.where(good, v * count, 0.0).sum(axis=1) for v in (above, below))
    some = (top > 0.0) & (bottom > 0.0)
    return np.asarray(
        np.log(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=some), where=some, out=np.full(top.shape, np.nan))
    )
