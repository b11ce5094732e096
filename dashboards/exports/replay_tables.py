"""A replayed window as tables: every step, every loop, the lowest margins, and how far each meter is from the twin. Values in SI."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dashboards.exports.tables import Cell, Field, Table
from dashboards.readable import moment
from dashboards.replay_answers import unit_of, utc
from topology.units import UNITS
from twin.observe import CHANNELS

if TYPE_CHECKING:
    from topology.plant import Plant
    from twin.forecast.follow import Replay
    from twin.residuals import Summary

_POWERS = (
    ("site_w", "site_power_w", "site power"), ("it_w", "it_power_w", "IT parts"), ("loss_w", "loss_w", "conversion loss"),
    ("cooling_w", "cooling_power_w", "cooling"), ("feed_w", "feed_power_w", "IT, conversion and CDUs"),
)  # fmt: skip


def replay_tables(plant: Plant, replay: Replay, residuals: Summary) -> tuple[Table, ...]:
    """Steps, loops, margins and residuals of a window."""
    return steps_table(plant, replay), _loops(plant, replay), _margins(replay), residual_table(residuals)


def steps_table(plant: Plant, r: Replay) -> Table:
    """Every step: energy of the site, weather, hottest accelerator, smallest margin."""
    fields = (
        Field("time", "start of the step, UTC"), *(Field(name, head, "W", "number") for _, name, head in _POWERS),
        Field("pue", "PUE", "", "number"), Field("wet_bulb_c", "wet bulb", "degC", "number"), Field("hottest_rack", "hottest rack"),
        Field("chip_temp_c", "its accelerator", "degC", "number"), Field("margin_element", "element with the smallest margin"),
        Field("limit", "its limit"), Field("margin_frac", "its margin", "1", "number"),
        Field("assumed_racks", "racks whose power was filled in", "", "integer"),
        Field("residual_frac", "residual of the ledger", "1", "number"),
    )  # fmt: skip
    columns: tuple[list[Cell], ...] = (
        [moment(utc(t)) for t in r.time], *(_numbers(getattr(r, key)) for key, _, _ in _POWERS), _numbers(r.pue), _numbers(r.wet_bulb_c),
        [plant.racks.ids[k] for k in r.hottest], _numbers(r.hottest_c), [r.limits.element[k] for k in r.worst],
        [r.limits.limit[k] for k in r.worst], _numbers(r.worst_frac), r.assumed.sum(axis=1).tolist(), _numbers(r.residual_frac),
    )  # fmt: skip
    return Table("steps", "Every step of the window", fields, tuple(zip(*columns, strict=True)))


def _loops(plant: Plant, r: Replay) -> Table:
    fields = (
        Field("time", "start of the step, UTC"), Field("loop", "loop"), Field("supply_temp_c", "supply", "degC", "number"),
        Field("return_temp_c", "return", "degC", "number"),
    )  # fmt: skip
    times = [moment(utc(t)) for t in r.time]
    supply, back = (_numbers(v.ravel()) for v in (r.loop_supply_c, r.loop_return_c))
    names = [(t, n) for t in times for n in plant.loops.ids]
    return Table("loops", "Every loop in every step", fields, tuple((t, n, s, b) for (t, n), s, b in zip(names, supply, back, strict=True)))


def _margins(r: Replay) -> Table:
    fields = (
        Field("element", "element"), Field("limit", "limit"), Field("bound", "bound", "", "number"), Field("unit", "unit of the bound"),
        Field("margin_frac", "smallest margin", "1", "number"), Field("time", "when, UTC"),
    )  # fmt: skip
    rows = tuple(
        (r.limits.element[k], r.limits.limit[k], _number(r.limits.bound[k]), r.limits.unit[k], _number(r.lowest_frac[k]),
         moment(utc(r.time[r.lowest_at[k]])))
        for k in np.argsort(r.lowest_frac, kind="stable")
    )  # fmt: skip
    return Table("margins", "The smallest margin of every limit over the window, smallest first", fields, rows)


def residual_table(found: Summary) -> Table:
    """How far each meter is from the twin; residuals are reading less prediction."""
    fields = (
        Field("channel", "meter"), Field("element", "element"), Field("quantity", "quantity"), Field("unit", "unit of the residuals"),
        Field("steps", "steps compared", "", "integer"), Field("mean", "mean reading", "", "number"), Field("bias", "bias", "", "number"),
        Field("rms", "root mean square", "", "number"), Field("noise", "noise of one reading", "", "number"),
        Field("relative_frac", "bias over mean reading", "1", "number"), Field("within_frac", "share within the noise", "1", "number"),
        Field("autocorrelation", "correlation with the reading before", "1", "number"), Field("largest", "largest", "", "number"),
        Field("largest_at", "when, UTC"),
    )  # fmt: skip
    rows = tuple(
        (name, r.elements[k], CHANNELS[name].quantity, UNITS[unit_of(name)].symbol, int(r.count[k]), _number(r.mean[k]),
         _number(r.bias[k]), _number(r.rms[k]), _number(r.sigma[k]), _number(r.relative_frac[k]), _number(r.within_frac[k]),
         _number(r.lag1[k]), _number(r.largest[k]), moment(utc(r.largest_at[k])))
        for name, r in found.residuals.items()
        for k in r.compared
    )  # fmt: skip
    return Table("residuals", "Predicted beside measured by meter and element, those furthest off first", fields, rows)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _numbers(values: np.ndarray) -> list[Cell]:
    return [v if math.isfinite(v) else None for v in values.tolist()]
