"""The answer of a ride as a dictionary for JSON and as tables for export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboards.answers import plain
from topology.errors import UsageError

if TYPE_CHECKING:
    from dashboards.exports import Table
    from dashboards.exports.tables import Cell
    from twin.transient.outcome import Outcome
    from twin.transient.ride import Trajectory
    from twin.transient.swing import Swing

MOST_ROWS = 2_000_000
"""Rows of a table above which a longer step is asked for."""


def ridden(trip: Trajectory, told: Outcome, swings: Sequence[Swing], basis: str) -> dict[str, Any]:
    """Answer of a ride.

    Args:
        trip: the ride.
        told: what it comes to.
        swings: swings that were asked for.
        basis: what the racks draw at the start.

    Returns:
        Times in s from the start of the ride; a limit that is not reached has the value ``None``.
    """
    plant = trip.plant
    time = trip.time_s
    answer = {
        "site": plant.site.settings.name, "basis": basis, "wet_bulb_c": trip.start.ambient.wet_bulb_c[0],
        "for_s": time[-1], "step_s": time[1] - time[0] if time.size > 1 else None,
        "events": [{"time_s": e.time_s, "event": e.verb, "elements": e.elements, "text": e.text} for e in trip.events],
        "first": _reached(told.first) if told.first else None,
        "limits_reached": [_reached(r) for r in told.reached],
        "racks": racks(trip), "loops": [_loop(x) for x in told.loops],
        "racks_off": told.racks_off, "saved_by": told.saved,
        "happenings": [{"time_s": h.time_s, "element": h.element, "what": h.what} for h in trip.happenings],
        "hottest": {"element": told.peak_rack, "chip_temp_c": told.peak_c},
        "swings": [_swing(s, plant.power.ids) for s in swings], "energy_closure_frac": trip.closure_frac,
    }  # fmt: skip
    return dict(plain(answer))


def _reached(r: Any) -> dict[str, Any]:
    return {"time_s": r.time_s, "after_event_s": r.after_s, "element": r.element, "limit": r.limit, "bound_c": r.bound_c}


def _loop(x: Any) -> dict[str, Any]:
    return {
        "element": x.loop, "mode": x.mode, "flow_lost_s": x.flow_lost_s, "flow_back_s": x.back_s, "supply_limit_s": x.rejection_lost_s,
        "peak_supply_c": x.peak_supply_c, "first_rack_limit_s": x.first_limit_s,
    }  # fmt: skip


def _swing(s: Swing, ids: Sequence[str]) -> dict[str, Any]:
    seen = [k for k in np.argsort(-s.ups_w, kind="stable") if s.ups_w[k] > 0.0]
    return {
        "swing_hz": s.swing_hz, "chips_amplitude_w": s.chips_w, "racks_amplitude_w": s.racks_w, "utility_amplitude_w": s.utility_w,
        "utility_amplitude_frac": s.utility_frac,
        "elements": [{"element": ids[k], "output_amplitude_w": s.ups_w[k], "input_amplitude_w": s.into_w[k]} for k in seen],
    }  # fmt: skip


def racks(trip: Trajectory) -> list[dict[str, Any]]:
    """Seconds to each limit of every rack that drew power, the first to reach one first.

    Args:
        trip: the ride.
    """
    names = ("chip_s", "memory_s", "coolant_supply_s", "coolant_return_s", "inlet_air_s", "shutdown_s")
    on = np.flatnonzero(trip.start.loads.rack_w[0] > 0.0)
    order = on[np.argsort(trip.limit_s[on].min(axis=1), kind="stable")]
    return [
        {
            "element": trip.plant.racks.ids[r], **{n: trip.limit_s[r, k] for k, n in enumerate(names)}, "peak_chip_temp_c": trip.peak_c[r],
            "powered": bool(trip.rack_on[r]),
        }
        for r in order
    ]  # fmt: skip


def tables(trip: Trajectory, told: Outcome) -> tuple[Table, ...]:
    """Limits that were reached, and loops, halls and racks in time.

    Args:
        trip: the ride.
        told: what it comes to.

    Raises:
        UsageError: too many rows.
    """
    from dashboards.exports import Field, Table

    w, plant = trip.written, trip.plant
    if w.time_s.size * plant.racks.n > MOST_ROWS:
        raise UsageError(f"{w.time_s.size} times of {plant.racks.n} racks are too many rows; take a longer --step")
    number = "number"
    limits = Table(
        "limits", "Limits in the order in which they were reached",
        (
            Field("time_s", "time", "s", number), Field("element", "element"), Field("limit", "limit"),
            Field("bound_c", "bound", "degC", number),
        ),
        tuple((r.time_s, r.element, r.limit, r.bound_c) for r in told.reached),
    )  # fmt: skip
    loop_rows: tuple[tuple[Cell, ...], ...] = tuple(
        (float(t), name, *(float(v[n, x]) for v in (w.loop_supply_c, w.loop_return_c, w.loop_kg_s)), float(w.loop_dp_pa[n, x]) / 1e3)
        for n, t in enumerate(w.time_s)
        for x, name in enumerate(plant.loops.ids)
    )
    loops = Table("loops", "Loops in time", (
        Field("time_s", "time", "s", number), Field("loop", "loop"), Field("supply_c", "supply", "degC", number),
        Field("return_c", "return", "degC", number), Field("flow_kg_s", "flow", "kg/s", number), Field("dp_kpa", "pressure", "kPa", number),
    ), loop_rows)  # fmt: skip
    rack_rows: tuple[tuple[Cell, ...], ...] = tuple(
        (float(t), name, *(float(v[n, r]) for v in (w.chip_c, w.entry_c, w.outlet_c, w.rack_kg_s)), float(w.rack_w[n, r]) / 1e3)
        for n, t in enumerate(w.time_s)
        for r, name in enumerate(plant.racks.ids)
    )
    own = Table("racks", "Racks in time", (
        Field("time_s", "time", "s", number), Field("rack", "rack"), Field("chip_c", "junction", "degC", number),
        Field("coolant_in_c", "coolant in", "degC", number), Field("coolant_out_c", "coolant out", "degC", number),
        Field("flow_kg_s", "flow", "kg/s", number), Field("power_kw", "power", "kW", number),
    ), rack_rows)  # fmt: skip
    return limits, loops, own
