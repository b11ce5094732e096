"""What protects a power chain, as a plain dictionary: every list in order of interest, keys with units."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboards.answers import plain

if TYPE_CHECKING:
    from topology.plant import Plant
    from twin.limits import Limits
    from twin.power.protection import Protection

RATINGS = (("rating_w", "w"), ("rating_va", "va"), ("rating_a", "a"))


def protected(plant: Plant, found: Protection, table: Limits, basis: str, wet_bulb_c: float, most: int) -> dict[str, Any]:
    """Answer of a protection study.

    Args:
        plant: the plant.
        found: the study.
        table: limits of the plant, for their averaging windows.
        basis: what the racks drew.
        wet_bulb_c: weather that it was solved for.
        most: entries of each list, 0 for all.

    Returns:
        Currents in A, times in s, loads as fractions of a rating. ``None`` stands for never (a time), not given (a rating) and
        unknown (a figure by phase). ``counts`` says how many entries each list has in full.
    """
    lists: dict[str, list[dict[str, Any]]] = {
        "trips": [
            {"case": t.case, "case_kind": t.kind, "element": t.element, "load_frac": t.load_frac, "trips_after_s": t.early_s,
             "trips_surely_after_s": t.late_s}
            for t in found.trips
        ],
        "breakers": _breakers(plant, found),
        "selectivity": _pairs(found),
        "fault_levels": list(_levels(plant, found)),
        "phases": list(_phases(plant, found)),
        "sharing": list(_sharing(plant, found)),
        "derating": list(_derating(plant)),
        "gear": list(_gear(plant)),
    }  # fmt: skip
    answer = {
        "site": plant.site.settings.name, "basis": basis, "wet_bulb_c": wet_bulb_c, "cases": len(found.cases), "holds": found.holds,
        "counts": {name: len(rows) for name, rows in lists.items()} | {
            "not_selective": sum(not p.selective for p in found.pairs), "too_weak": found.faults.too_weak.sum(),
            "gear_without_backing": sum(not (g["ups_backed_a"] or g["ups_backed_b"]) for g in lists["gear"]),
        },
        **{name: rows[: most or None] for name, rows in lists.items()},
        "schemes": _schemes(found), "generators": _generators(found), "windows": _windows(table),
    }  # fmt: skip
    return dict(plain(answer))


def _breakers(plant: Plant, found: Protection) -> list[dict[str, Any]]:
    g, p = found.guards, plant.power
    order = np.argsort(g.margin_frac, kind="stable")
    return [
        {
            "element": p.ids[g.element[k]], "kind": p.kind[g.element[k]], "model": _model(plant, int(g.element[k])),
            "pickup_frac": g.pickup[k], "normal_frac": g.normal[k], "worst_frac": g.worst[k],
            "worst_case": found.cases[g.worst_case[k]].name, "margin_frac": g.margin_frac[k],
        }
        for k in order
    ]  # fmt: skip


def _model(plant: Plant, e: int) -> str:
    model = plant.power.models[plant.power.model[e]]
    return model.name if model is not None else ""


def _pairs(found: Protection) -> list[dict[str, Any]]:
    rows = sorted(found.pairs, key=lambda p: (p.selective, p.selective_to_a / p.searched_a if p.searched_a else 0.0))
    return [
        {
            "parent": p.parent, "child": p.child, "selective": p.selective, "selective_to_a": p.selective_to_a,
            "searched_to_a": p.searched_a, "fault_a": p.fault_a or None, "overlaps_a": p.overlap_a,
        }
        for p in rows
    ]  # fmt: skip


def _levels(plant: Plant, found: Protection) -> Iterator[dict[str, Any]]:
    f, p = found.faults, plant.power
    for e in np.argsort(~f.too_weak, kind="stable"):
        yield {
            "element": p.ids[e], "kind": p.kind[e], "fault_a": f.fault_a[e] or None, "at_input_a": f.at_input_a[e] or None,
            "breaking_a": f.breaking_a[e] or None, "interrupts": None if not f.breaking_a[e] or not f.at_input_a[e] else not f.too_weak[e],
        }  # fmt: skip


def _phases(plant: Plant, found: Protection) -> Iterator[dict[str, Any]]:
    s, p = found.phases, plant.power
    known, unbalance, neutral = s.known[0], s.unbalance_frac[0], s.neutral_a[0]
    for e in np.lexsort((s.attributed_frac[0], -unbalance)):
        if not s.voltage[e]:
            continue
        lines = np.abs(s.line_a[0, e]) if known[e] else None
        yield {
            "element": p.ids[e], "kind": p.kind[e], "attributed_frac": s.attributed_frac[0, e], "line_a": lines,
            "unbalance_frac": unbalance[e] if known[e] else None, "neutral_a": neutral[e] if known[e] else None,
        }  # fmt: skip


def _sharing(plant: Plant, found: Protection) -> Iterator[dict[str, Any]]:
    p, out = plant.power, found.normal.power.out_w[0]
    low, high = found.spread.low_w[0], found.spread.high_w[0]
    relative = np.divide(high, p.rating_w, out=np.zeros(p.n), where=np.isfinite(p.rating_w))
    for e in np.lexsort((-high, -relative)):
        if max(low[e], high[e]) > 1e-6 * max(out[e], 1.0):
            yield {"element": p.ids[e], "kind": p.kind[e], "load_w": out[e], "low_w": out[e] - low[e], "high_w": out[e] + high[e]}


def _derating(plant: Plant) -> Iterator[dict[str, Any]]:
    p = plant.power
    left = p.continuous_frac * p.altitude_frac * p.ambient_frac
    for e in np.argsort(left, kind="stable"):
        given = [(getattr(p, name)[e], unit) for name, unit in RATINGS if math.isfinite(getattr(p, name)[e])]
        if given and left[e] < 1.0:
            value, unit = given[0]
            yield {
                "element": p.ids[e], "kind": p.kind[e], "rating": value / left[e], "unit": unit, "continuous_frac": p.continuous_frac[e],
                "altitude_frac": p.altitude_frac[e], "ambient_frac": p.ambient_frac[e], "usable": value,
            }  # fmt: skip


def _gear(plant: Plant) -> Iterator[dict[str, Any]]:
    g, ids = plant.gear, plant.power.ids
    for k in np.argsort(g.ups_backed.any(axis=1), kind="stable"):
        a, b = (ids[f] if f >= 0 else "" for f in g.feed[k])
        yield {
            "element": g.ids[k], "kind": g.kind[k], "feed_a": a, "feed_b": b, "ups_backed_a": g.ups_backed[k, 0],
            "ups_backed_b": g.ups_backed[k, 1], "transfer_s": g.transfer_s[k], "restart_delay_s": g.restart_delay_s[k],
            "restart_s": g.restart_s[k],
        }  # fmt: skip


def _schemes(found: Protection) -> list[dict[str, Any]]:
    return [
        {
            "group": s.id, "scheme": s.scheme, "needed": s.needed, "holds": s.holds, "faults": s.faults,
            "members": [
                {"element": m.id, "reserve": m.reserve, "normal_w": m.normal_w, "normal_frac": m.normal_frac, "worst_w": m.worst_w,
                 "worst_frac": m.worst_frac, "worst_after": m.worst_after}
                for m in s.members
            ],
            "pairs": [{"members": pair, "load_w": w} for pair, w in s.pair_w.items()],
        }
        for s in found.schemes
    ]  # fmt: skip


def _generators(found: Protection) -> list[dict[str, Any]]:
    return [
        {
            "element": g.generator, "rating_w": g.rating_w, "largest_step_w": g.largest_w, "allowed_step_frac": g.allowed_frac,
            "holds": g.holds,
            "steps": [{"after_s": s.after_s, "power_w": s.power_w, "total_w": s.total_w, "elements": s.elements} for s in g.steps],
        }
        for g in found.generators
    ]  # fmt: skip


def _windows(table: Limits) -> list[dict[str, Any]]:
    names: Sequence[str] = tuple(dict.fromkeys(table.limit))
    rows = []
    for name in names:
        own = table.window_s[[k for k, n in enumerate(table.limit) if n == name]]
        rows.append({"limit": name, "shortest_window_s": own.min(), "longest_window_s": own.max()})
    return rows
