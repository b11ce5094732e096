"""Results as plain dictionaries, ready for JSON: keys with units, lists in order of interest, no NaN and no infinity."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboards.readable import moment
from topology.errors import Finding

if TYPE_CHECKING:
    from dashboards.session import Solved, Utilisation
    from telemetry.explain import Explanation
    from telemetry.housekeeping import StoreCheck
    from telemetry.ingest import IngestReport
    from twin.headroom.cases import CaseTable
    from twin.headroom.room import Room

PUE_CATEGORY = (
    "site power over the power of the IT parts, metered behind the rack's own conversion; "
    "ISO/IEC 30134-2 category 3 meters at the input of the IT equipment: see pue_rack_input"
)
TIGHTEST = 10


def plain(value: Any) -> Any:
    """A value as JSON knows it: numpy to Python, times and dates to ISO 8601, what is not finite to ``None``.

    >>> plain({"a_w": np.float64(1.5), "b_c": float("inf"), "c": (1, None)})
    {'a_w': 1.5, 'b_c': None, 'c': [1, None]}
    """
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dt.datetime):
        return moment(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    return value


def findings(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as dictionaries, errors first."""
    return [dataclasses.asdict(f) for f in sorted(found, key=lambda f: f.severity != "error")]


def site_check(found: Sequence[Finding]) -> dict[str, Any]:
    """Answer of a check: counts and every finding."""
    errors = sum(f.severity == "error" for f in found)
    return {"errors": errors, "warnings": len(found) - errors, "findings": findings(found)}


def ingested(report: IngestReport, store: str) -> dict[str, Any]:
    """Answer of an ingest: counts of files and readings, why readings were refused, findings."""
    return {
        "store": store, "files": report.files, "files_skipped": report.files_skipped, "files_failed": report.files_failed,
        "rows_in": report.rows_in, "rows_stored": report.rows_stored, "rows_quarantined": report.rows_quarantined,
        "rows_doubled": report.rows_doubled,
        "reasons": dict(report.reasons), "findings": findings(report.findings),
    }  # fmt: skip


def explained(found: Explanation) -> dict[str, Any]:
    """Answer of ``ingest --explain`` for one file: its mapping, and what becomes of each column and metric."""
    return dict(plain(dataclasses.asdict(found)))


def store_check(found: StoreCheck, store: str) -> dict[str, Any]:
    """Answer of ``store check``: counts, and a finding for each broken file."""
    return {"store": store, **dataclasses.asdict(dataclasses.replace(found, findings=())), "findings": findings(found.findings)}


def _limit_row(solved: Solved, k: int) -> dict[str, Any]:
    table = solved.limits
    axis, at = solved.plant.index.get(table.element[k], ("", 0))
    trips = axis == "power" and table.unit[k] in ("w", "va", "a")
    return {
        "element": table.element[k], "limit": table.limit[k], "value": solved.values[k], "unit": table.unit[k], "bound": table.bound[k],
        "margin_frac": solved.margin_frac[k], "window_s": table.window_s[k], "trips_after_s": solved.trip_s[at] if trips else None,
    }  # fmt: skip


def solved(result: Solved, utilisation: Utilisation | None = None) -> dict[str, Any]:
    """Answer of one solved moment.

    Args:
        result: the moment.
        utilisation: what it was asked for with, repeated in the answer.

    Returns:
        Powers in W (``site_power_w = it_power_w + loss_w + cooling_power_w``), PUE, temperatures in degC, violated limits and
        the tightest ones. A value is in the unit that stands beside it; a lost supply has the value ``None`` and margin -1.
    """
    led, heat, plant = result.state.ledger, result.state.heat, result.plant
    order = np.argsort(result.margin_frac, kind="stable")
    hot = result.hottest
    at_input = led.it_w[0] + led.rack_loss_w[0]
    answer = {
        "site": plant.site.settings.name,
        "basis": result.basis,
        "utilisation": utilisation if result.basis == "measured" or utilisation is not None else 1.0,
        "at": result.at,
        "wet_bulb_c": result.state.ambient.wet_bulb_c[0],
        "dry_bulb_c": result.state.ambient.dry_bulb_c[0],
        "outage": [i for s in result.state.outages.sets for i in s],
        "site_power_w": led.site_w[0],
        "it_power_w": led.it_w[0],
        "loss_w": led.loss_w[0],
        "rack_loss_w": led.rack_loss_w[0],
        "chain_loss_w": led.chain_loss_w[0],
        "cooling_power_w": led.cooling_w[0],
        "cdu_power_w": led.cdu_pump_w[0],
        "feed_power_w": led.feed_w[0],
        "pue": led.pue[0],
        "pue_rack_input": led.site_w[0] / at_input if at_input > 0.0 else None,
        "pue_category": PUE_CATEGORY,
        "ledger_residual_frac": led.residual_frac[0],
        "hottest": {"element": plant.racks.ids[hot], "chip_temp_c": heat.chip_c[0, hot]} if hot >= 0 else None,
        "limits_violated": [_limit_row(result, k) for k in result.violated],
        "limits_checked": len(result.limits.element),
        "tightest": [_limit_row(result, int(k)) for k in order[:TIGHTEST]],
        "loops": _loops(result),
        "halls": _halls(result),
        "outside": outside(result),
        "findings": findings(result.findings),
    }
    return dict(plain(answer))


def _loops(result: Solved) -> list[dict[str, Any]]:
    loops, heat, flow = result.plant.loops, result.state.heat, result.state.flow
    return [
        {
            "element": name, "kind": "fws" if loops.fws[k] else "tcs", "set_point_c": loops.supply_c[k],
            "supply_c": heat.loop_supply_c[0, k], "return_c": heat.loop_return_c[0, k], "flow_kg_s": flow.loop_kg_s[0, k],
            "dp_pa": flow.loop_dp_pa[0, k],
        }
        for k, name in enumerate(loops.ids)
    ]  # fmt: skip


def outside(result: Solved) -> list[dict[str, Any]]:
    """Towers, dry coolers and chillers of a moment: heat, fan, water, and which model or curve bounds held.

    Args:
        result: the moment.

    Returns:
        One row an element; ``model`` of a tower is ``York``, or ``Merkel`` where York is outside its bounds; ``in_bounds`` of a
        chiller is false where its curves are held at the edge of their record.
    """
    plant, heat, row = result.plant, result.state.heat, 0
    found: list[dict[str, Any]] = [
        {
            "element": name, "kind": "tower", "heat_w": heat.tower_w[row, k], "fan_frac": heat.tower_fan_frac[row, k],
            "runs": heat.tower_on[row, k], "model": "York" if heat.tower_in_bounds[row, k] else "Merkel",
            "water_l_h": heat.tower_water_kg_s[row, k] * 3600.0,
        }
        for k, name in enumerate(plant.towers.ids)
    ]  # fmt: skip
    found += [
        {
            "element": name, "kind": "dry_cooler", "heat_w": heat.dry_w[row, k], "fan_frac": heat.dry_fan_frac[row, k],
            "water_l_h": heat.dry_water_kg_s[row, k] * 3600.0,
        }
        for k, name in enumerate(plant.dry_coolers.ids)
    ]  # fmt: skip
    powers = heat.gear_w[row, plant.chillers.gear]
    return found + [
        {
            "element": name, "kind": "chiller", "heat_w": heat.chiller_w[row, k], "power_w": powers[k],
            "in_bounds": heat.chiller_in_bounds[row, k],
        }
        for k, name in enumerate(plant.chillers.ids)
    ]  # fmt: skip


def _halls(result: Solved) -> list[dict[str, Any]]:
    halls, racks, state = result.plant.halls, result.plant.racks, result.state
    return [
        {
            "element": name, "racks_w": state.loads.rack_w[0, racks.hall == k].sum(), "air_heat_w": state.heat.hall_w[0, k],
            "supply_c": state.heat.hall_supply_c[0, k], "return_c": state.heat.hall_return_c[0, k],
        }
        for k, name in enumerate(halls.ids)
    ]  # fmt: skip


def cases(table: CaseTable, worst: int, basis: str, wet_bulb_c: float) -> dict[str, Any]:
    """Answer of a sweep: the worst limit of each case, smallest margin first.

    Args:
        table: the sweep.
        worst: how many cases are listed.
        basis: what the racks drew: ``nameplate`` (allocated power), ``utilisation`` or ``measured``.
        wet_bulb_c: weather that it was solved for.
    """
    at = table.worst_limit
    margin = table.margin_frac.min(axis=1)
    order = np.argsort(margin, kind="stable")[:worst]
    rows = [
        {
            "case": table.cases[z].name, "kind": table.cases[z].kind, "lost": table.cases[z].lost,
            "element": table.limits.element[at[z]], "limit": table.limits.limit[at[z]], "margin_frac": margin[z],
            "value": table.value[z, at[z]], "unit": table.limits.unit[at[z]], "bound": table.limits.bound[at[z]],
            "window_s": table.limits.window_s[at[z]], "limits_violated": (table.margin_frac[z] < 0.0).sum(),
            "site_power_w": table.site_w[z], "racks_unpowered": table.unpowered[z],
            "trips_first": table.trip_first[z] or None, "trips_after_s": table.trip_s[z],
        }
        for z in order
    ]  # fmt: skip
    answer = {
        "basis": basis, "wet_bulb_c": wet_bulb_c, "cases": len(table.cases), "violated": table.violated,
        "limits_checked": len(table.limits.element), "worst": rows,
    }  # fmt: skip
    return dict(plain(answer))


def headroom(room: Room) -> dict[str, Any]:
    """Answer of a headroom question: how many racks, where, what binds, what frees most."""
    answer = {
        "sku": room.sku, "racks": room.racks, "by": room.by, "probability": room.probability, "reached_probability": room.reached_frac,
        "basis": room.basis, "note": room.note, "positions": room.positions,
        "binding": [{"element": b.element, "limit": b.limit, "case": b.case, "share_frac": b.share_frac} for b in room.binding],
        "frees_most": [{"change": r.change, "racks": r.racks} for r in room.frees_most],
        "cases_checked": room.cases, "scenarios": room.scenarios, "free_positions": room.free, "seed": room.seed,
    }  # fmt: skip
    return dict(plain(answer))
