"""One rack of the hall floor: its side panel, its hover lines, and all racks as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

from dashboards.exports import Field, Table
from dashboards.figures.quantities import QUANTITIES, status, worst_limits
from dashboards.pages import parts
from dashboards.readable import percent, text
from dashboards.session import Solved
from dashboards.theme import STRONG
from topology.plant import Plant


def lines(plant: Plant) -> Mapping[str, Sequence[str]]:
    """Hover lines of each rack: its place, feeds and loop."""
    site, found = plant.site, {}
    for r, name in enumerate(plant.racks.ids):
        place = site.positions[site.racks[name].position]
        loop = plant.loops.ids[plant.manifolds.loop[plant.racks.manifold[r]]] if plant.racks.manifold[r] >= 0 else "air only"
        found[name] = (f"position: {place.id}", f"feeds: {place.feed_a} / {place.feed_b or 'none'}", f"loop: {loop}")
    return found


def nothing() -> Any:
    """The panel without a rack."""
    return dmc.Stack([dmc.Title("Rack", order=2, size="sm"), dmc.Text("Click a rack to see its figures.", size="sm", c="dimmed")], gap="xs")


def panel(solved: Solved, name: str) -> Any:
    """Figures of one rack.

    Args:
        solved: a solved moment.
        name: id of the rack; empty or unknown for none.
    """
    if name not in solved.plant.racks.ids:
        return nothing()
    r = solved.plant.racks.ids.index(name)
    state = status(solved)[r]
    rack, sku = solved.plant.site.racks[name], solved.plant.racks.skus[solved.plant.racks.sku[r]]
    bad = state in ("no supply", "not cooled")
    badge = dmc.Badge(rack.state if not bad else state, color=STRONG if bad else "gray", variant="filled" if bad else "default", tt="none")
    return dmc.Stack(
        [
            dmc.Group([dmc.Title(name, order=2, size="sm"), badge], justify="space-between"),
            dmc.Text(f"{sku.title}", size="xs", c="dimmed"),
            *(_block(title, facts) for title, facts in _blocks(solved, r)),
        ],
        gap="xs",
    )


def _block(title: str, facts: Sequence[tuple[str, str]]) -> Any:
    return html.Div([dmc.Divider(label=title, labelPosition="left", my=2), parts.facts(facts)])


def _blocks(s: Solved, r: int) -> list[tuple[str, list[tuple[str, str]]]]:
    racks, heat, site = s.plant.racks, s.state.heat, s.plant.site
    name = racks.ids[r]
    place = site.positions[site.racks[name].position]
    on = s.state.loads.rack_w[0, r] > 0.0
    power = s.state.loads.rack_w[0, r]
    margin, at = worst_limits(s)
    found = [
        (
            "Power",
            [
                ("at its input", text(power, "w")),
                ("at its parts", text(s.state.loads.it_w[0, r], "w")),
                ("allocated", f"{text(racks.budget_w[r], 'w')} ({percent(power / racks.budget_w[r])} used)"),
                ("one accelerator", f"{s.state.loads.chip_w[0, r]:,.0f} W"),
                *(
                    (f"cord {side}", f"{text(s.state.power.cord_w[0, r, k], 'w')}, {feed}")
                    for k, (side, feed) in enumerate((("A", place.feed_a), ("B", place.feed_b)))
                    if feed
                ),
            ],
        )
    ]
    cool = [
        ("chip", f"{_c(heat.chip_c[0, r], True)} of {racks.chip_limit_c[r]:.0f} °C" if on else "no value"),
        ("inlet air", f"{_c(heat.inlet_c[0, r])} of {racks.inlet_limit_c[r]:.0f} °C"),
    ]
    if racks.manifold[r] >= 0:
        loop = int(s.plant.manifolds.loop[racks.manifold[r]])
        cdus = [i for k, i in enumerate(s.plant.cdus.ids) if s.plant.cdus.loop[k] == loop]
        cool += [
            ("coolant supply", _c(heat.loop_supply_c[0, loop])),
            ("coolant return", _c(heat.rack_return_c[0, r])),
            ("coolant flow", f"{s.state.flow.rack_kg_s[0, r]:.2f} kg/s"),
            ("heat to liquid", text(s.state.loads.liquid_w[0, r], "w")),
            ("loop", s.plant.loops.ids[loop]),
            ("cooled by", _listed(cdus)),
        ]
    found.append(("Cooling", cool))
    if name in at and math.isfinite(margin[r]):
        k = at[name]
        value, bound = text(s.values[k], s.limits.unit[k]), text(s.limits.bound[k], s.limits.unit[k])
        shown = parts.degrees(f"{value} of {bound}") if value != "lost" else value
        found.append(("Worst margin", [("margin", percent(margin[r])), ("limit", s.limits.limit[k]), ("value", shown)]))
    where = [
        ("hall", s.plant.halls.ids[racks.hall[r]]),
        ("row, place", f"{place.row}, {place.place}"),
        ("position", place.id),
        ("SKU", site.racks[name].sku),
    ]
    if site.racks[name].owner:
        where.append(("owner", site.racks[name].owner))
    return [*found, ("Place", where)]


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _c(value: float, on: bool = True) -> str:
    return parts.degrees(text(value, "c")) if on else "no value"


def table(solved: Solved) -> Table:
    """Every rack with every quantity of the floor."""
    racks, now = solved.plant.racks, status(solved)
    numbers = [(q, q.values(solved)) for q in QUANTITIES.values()]
    suffix = {"kW": "kw", "%": "pct", "°C": "c"}
    fields = (
        Field("rack", "rack"),
        Field("sku", "SKU"),
        Field("state", "state"),
        Field("position", "position"),
        Field("status", "status"),
        *(Field(f"{q.key}_{suffix[q.unit]}", q.label, q.unit, "number") for q, _ in numbers),
    )
    body = []
    for r, name in enumerate(racks.ids):
        rack = solved.plant.site.racks[name]
        values = tuple(float(v[r]) if math.isfinite(v[r]) else None for _, v in numbers)
        body.append((name, rack.sku, rack.state, rack.position, now[r], *values))
    return Table("racks", "Every rack in this moment", fields, tuple(body))
