"""The one-line of the power chain as plain values and as a table: voltage, drop, current, kVA, power factor and loss of each element."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboards.answers import plain
from dashboards.exports.tables import Field, Table
from dashboards.readable import people
from topology.errors import UsageError, nearest
from topology.plant import Plant
from twin.solvers.power import supply
from twin.staging import stage_current_a, stage_loss_w
from twin.taps import tap_voltages

if TYPE_CHECKING:
    from dashboards.session import Solved


def feeds(result: Solved, under: str | None = None) -> dict[str, Any]:
    """The one-line of a solved moment.

    Args:
        result: the moment.
        under: only this power element and what hangs on it; everything where not given.

    Returns:
        ``elements`` from the sources down, each below what feeds it, and ``racks`` with the voltage at their taps. Voltages in V line to
        line (between the conductors for direct current); ``used_frac`` is the largest use of a rating.

    Raises:
        UsageError: there is no such power element; the message offers the nearest.
    """
    plant = result.plant
    if under is not None and under not in plant.power.ids:
        raise UsageError(f"there is no power element {under!r}; {nearest(under, plant.power.ids)}")
    rows = elements(result, under)
    shown = {row["element"] for row in rows}
    answer = {
        "site": plant.site.settings.name, "basis": result.basis, "at": result.at, "under": under,
        "outage": [i for s in result.state.outages.sets for i in s], "source_power_w": result.state.power.source_w[0],
        "elements": rows, "racks": _racks(result, shown),
    }  # fmt: skip
    return dict(plain(answer))


def elements(result: Solved, under: str | None = None) -> list[dict[str, Any]]:
    """One row for each element of the power chain, or for one and what hangs on it."""
    plant, power = result.plant, result.state.power
    p = plant.power
    alive, u, collapsed = power.alive[0], power.voltage_frac[0], power.collapsed[0]
    ratings = ((p.rating_w, power.out_w[0]), (p.rating_va, power.out_va[0]), (p.rating_a, power.current_a[0]))
    used = np.max([value / bound for bound, value in ratings], axis=0)
    return [
        {
            "element": p.ids[e], "kind": p.kind[e], "depth": depth, "fed_by": [p.ids[k] for k in above],
            "state": "no voltage carries its load" if collapsed[e] else "live" if alive[e] else "dead",
            "nominal_v": p.voltage_v[e] if p.voltage_v[e] > 0.0 else None,
            "voltage_v": p.voltage_v[e] * u[e] if p.voltage_v[e] > 0.0 else None, "voltage_frac": u[e],
            "drop_frac": power.drop_frac[0, e], "current_a": power.current_a[0, e] if p.voltage_v[e] > 0.0 else None,
            "direct_current": bool(p.direct[e]), "power_w": power.out_w[0, e], "apparent_power_va": power.out_va[0, e],
            "power_factor": power.power_factor[0, e], "loss_w": power.loss_w[0, e],
            "used_frac": used[e] if any(math.isfinite(bound[e]) for bound, _ in ratings) else None,
        }
        for e, depth, above in _one_line(plant, result, under)
    ]  # fmt: skip


def _one_line(plant: Plant, result: Solved, under: str | None) -> list[tuple[int, int, list[int]]]:
    """(element, depth, what feeds it), each after the first that feeds it."""
    p = plant.power
    both = np.concatenate([p.parents, p.transfer], axis=1)
    weight = supply(plant, result.state.outages.sets).weight[int(result.state.outages.index[0])]
    above = [[int(k) for k, w in zip(both[e], weight[e], strict=True) if w > 0.0] for e in range(p.n)]
    home = [next(iter(above[e]), int(p.parents[e, 0])) for e in range(p.n)]
    below: dict[int, list[int]] = {}
    for e in p.order:
        below.setdefault(home[e], []).append(int(e))
    found: list[tuple[int, int, list[int]]] = []
    todo = [(p.ids.index(under), 0)] if under is not None else [(e, 0) for e in reversed(below.get(-1, []))]
    while todo:
        e, depth = todo.pop()
        found.append((e, depth, above[e]))
        todo.extend((k, depth + 1) for k in reversed(below.get(e, [])))
    return found


def _racks(result: Solved, shown: set[str]) -> list[dict[str, Any]]:
    """Racks on the elements shown: power and voltage of their cords, and the direct-current bar inside."""
    plant, power = result.plant, result.state.power
    racks = plant.racks
    taps = tap_voltages(plant, result.state)[0]
    rows = []
    for r, name in enumerate(racks.ids):
        feeding = [plant.power.ids[k] if k >= 0 else "" for k in racks.feed[r]]
        if shown.isdisjoint(feeding):
            continue
        cords = [
            {
                "feed": feeding[c],
                "power_w": power.cord_w[0, r, c],
                "voltage_frac": taps[r, c],
                "voltage_v": _volts(plant, int(racks.feed[r, c]), taps[r, c]),
            }
            for c in range(2)
            if feeding[c]
        ]
        rows.append({"element": name, "sku": racks.skus[racks.sku[r]].name, "cords": cords, "bars": _bars(result, r)})
    return rows


def _volts(plant: Plant, element: int, voltage_frac: float) -> float | None:
    nominal = plant.power.voltage_v[element]
    return float(nominal * voltage_frac) if nominal > 0.0 else None


def _bars(result: Solved, rack: int) -> list[dict[str, Any]]:
    """Direct-current bars of a rack: voltage, current and loss, from the parts outward."""
    racks, loads = result.plant.racks, result.state.loads
    level = np.asarray([loads.it_w[0, rack]])
    rows = []
    for stage in racks.skus[racks.sku[rack]].stages:
        if stage.dc_voltage_v:
            amps = stage_current_a(stage, level)[0]
            rows.append(
                {"stage": stage.name, "voltage_v": stage.dc_voltage_v, "current_a": amps, "loss_w": amps**2 * (stage.busbar_ohm or 0.0)}
            )
        level = level + stage_loss_w(stage, level)
    return rows


def feed_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Rows of :func:`elements` as a table in people's units."""
    fields = (
        Field("element", "element"), Field("kind", "kind"), Field("fed_by", "fed by"), Field("state", "state"),
        Field("voltage_v", "voltage", "V", "number"), Field("voltage_pct", "of nominal", "%", "number"),
        Field("drop_pct", "drop", "%", "number"), Field("current_a", "current", "A", "number"), Field("power_kw", "power", "kW", "number"),
        Field("apparent_power_kva", "apparent power", "kVA", "number"), Field("power_factor", "power factor", "", "number"),
        Field("loss_kw", "loss", "kW", "number"), Field("used_pct", "rating used", "%", "number", bars=True),
    )  # fmt: skip
    return Table("feeds", "The power chain of one moment, from the sources down", fields, tuple(
        (
            row["element"], row["kind"], " ".join(row["fed_by"]), row["state"], row["voltage_v"], 100.0 * row["voltage_frac"],
            100.0 * row["drop_frac"], row["current_a"], people(row["power_w"], "w")[0], people(row["apparent_power_va"], "va")[0],
            row["power_factor"], people(row["loss_w"], "w")[0], None if row["used_frac"] is None else 100.0 * row["used_frac"],
        )
        for row in rows
    ))  # fmt: skip
