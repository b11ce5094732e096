"""The hall floor: every position where it stands, by hall, row and place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboards.figures.quantities import Quantity
from dashboards.theme import ACCENT, AMOUNT, GREY, MARGIN, ORANGE, colour_bar, faint, ink, template
from topology.axes import Floats
from topology.plant import Plant
from topology.site import Site

ROW_PX, HALL_PX, EDGE_PX = 46, 30, 78
_HEIGHT, _WIDTH, _GAP = 0.84, 0.92, 0.75


@dataclass(frozen=True, slots=True)
class Cell:
    """A position on the plan.

    Attributes:
        position: its id.
        rack: rack that stands there, empty for a free position.
        x: place in the row.
        y: number of the row on the plan, halls apart from each other.
    """

    position: str
    rack: str
    x: int
    y: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything stands.

    Attributes:
        cells: one a position.
        rows: row id to its y.
        halls: hall id to the y of its heading.
    """

    cells: tuple[Cell, ...]
    rows: Mapping[str, float]
    halls: Mapping[str, float]

    @property
    def height_px(self) -> int:
        """Height that draws rows of equal size."""
        return EDGE_PX + ROW_PX * len(self.rows) + HALL_PX * len(self.halls)


def plan(site: Site) -> Plan:
    """Lay a site out: halls below each other, a strip a row."""
    rows: dict[str, float] = {}
    halls: dict[str, float] = {}
    y = 0.0
    for hall in site.halls:
        own = [r for r in site.rows.values() if r.hall == hall and any(p.row == r.id for p in site.positions.values())]
        if not own:
            continue
        halls[hall] = y
        y += _GAP
        for row in own:
            rows[row.id] = y
            y += 1.0
    return Plan(tuple(Cell(p.id, site.occupied.get(p.id, ""), p.place, rows[p.row]) for p in site.positions.values()), rows, halls)


def floor(
    plant: Plant,
    quantity: Quantity,
    values: Floats,
    status: Sequence[str],
    dark: bool = False,
    selected: str = "",
    lines: Mapping[str, Sequence[str]] | None = None,
) -> go.Figure:
    """Racks coloured by a quantity.

    Args:
        plant: the plant.
        quantity: what is shown.
        values: (R,) values in its unit; NaN is hatched and never coloured.
        status: (R,) as :func:`dashboards.figures.quantities.status` says.
        dark: whether the page is dark.
        selected: rack to mark.
        lines: rack id to further lines of its hover box.

    Returns:
        The figure; ``customdata`` of a rack is its id.
    """
    where, number = plan(plant.site), {name: k for k, name in enumerate(plant.racks.ids)}
    racks = [c for c in where.cells if c.rack]
    of = {c.rack: number[c.rack] for c in racks}
    shown = [c for c in racks if status[of[c.rack]] in ("on", "off") and np.isfinite(values[of[c.rack]])]
    coloured = {c.rack for c in shown}
    figure = _empty(where, dark)
    figure.add_trace(_free(where, dark))
    low, high = quantity.span or _span(values)
    if shown:
        numbers = [float(values[of[c.rack]]) for c in shown]
        figure.add_trace(
            _bars(
                shown,
                quantity.label,
                [f"{v:,.{quantity.digits}f}" for v in numbers],
                _hover(shown, plant, lines, quantity, values),
                {"color": numbers, "coloraxis": "coloraxis", "line": {"width": 0}},
                legend=False,
            )
        )
        figure.data[-1].insidetextfont = {"size": 12, "color": [_readable(v, quantity, low, high) for v in numbers]}
    for name, marker, label in _SPECIAL:
        part = [
            c
            for c in racks
            if c.rack not in coloured and (status[of[c.rack]] == name or (name == "off" and status[of[c.rack]] in ("on", "off")))
        ]
        if part:
            text = [
                plant.site.racks[c.rack].state if name == "off" and status[of[c.rack]] == "off" else "n/a" if name == "off" else name
                for c in part
            ]
            figure.add_trace(_bars(part, label, text, _hover(part, plant, lines, quantity, values), marker(dark)))
    figure.update_layout(
        coloraxis={
            "colorscale": MARGIN if quantity.diverging else AMOUNT,
            "cmin": low,
            "cmax": high,
            "colorbar": colour_bar(f"{quantity.label} [{quantity.unit}]", dark),
        }
    )
    _mark(figure, [c for c in racks if c.rack == selected], ink(dark))
    return figure


def placement(plant: Plant, placed: Sequence[str], sku: str, dark: bool = False) -> go.Figure:
    """Where new racks go.

    Args:
        plant: the plant as it stands.
        placed: positions in the order in which they are filled.
        sku: rack SKU that is placed.
        dark: whether the page is dark.

    Returns:
        The figure; ``customdata`` of a placed rack is its position.
    """
    where = plan(plant.site)
    order = {p: k for k, p in enumerate(placed, 1)}
    figure = _empty(where, dark)
    figure.add_trace(_free(where, dark, without=order))
    standing = [c for c in where.cells if c.rack and c.position not in order]
    hover = [f"<b>{c.rack}</b><br>{plant.site.racks[c.rack].sku}, {plant.site.racks[c.rack].state}" for c in standing]
    figure.add_trace(_bars(standing, "standing racks", [""] * len(standing), hover, {"color": faint(dark), "line": {"width": 0}}))
    new = sorted((c for c in where.cells if c.position in order), key=lambda c: order[c.position])
    if new:
        hover = [f"<b>{c.position}</b><br>number {order[c.position]}: {sku}" for c in new]
        trace = _bars(new, f"new {sku}", [str(order[c.position]) for c in new], hover, {"color": ACCENT, "line": {"width": 0}})
        trace.customdata = [c.position for c in new]
        trace.insidetextfont = {"color": "white", "size": 13}
        figure.add_trace(trace)
    return figure


def _hatched(dark: bool) -> dict[str, Any]:
    back = "#20252c" if dark else "#ffffff"
    return {
        "color": back,
        "pattern": {"shape": "/", "fgcolor": faint(dark), "size": 6, "solidity": 0.25},
        "line": {"color": faint(dark), "width": 1},
    }


def _lost(dark: bool) -> dict[str, Any]:
    return {
        "color": "#3a1d0c" if dark else "#fff1e6",
        "pattern": {"shape": "x", "fgcolor": ORANGE, "size": 7, "solidity": 0.2},
        "line": {"color": ORANGE, "width": 2},
    }


def _hot(dark: bool) -> dict[str, Any]:
    return {"color": ORANGE, "line": {"color": ink(dark), "width": 1}}


_SPECIAL = (("off", _hatched, "no value"), ("no supply", _lost, "no supply"), ("not cooled", _hot, "not cooled"))


def _readable(value: float, quantity: Quantity, low: float, high: float) -> str:
    """Colour of a text on its cell: both scales are dark at their ends or at their lower end."""
    share = (value - low) / (high - low)
    dark_cell = abs(share - 0.5) > 0.36 if quantity.diverging else share < 0.5
    return "#ffffff" if dark_cell else "#14171c"


def _span(values: Floats) -> tuple[float, float]:
    good = values[np.isfinite(values)]
    if not good.size:
        return 0.0, 1.0
    low, high = float(good.min()), float(good.max())
    return (low, high) if high - low > 1e-6 * max(abs(high), 1.0) else (low - 0.5, high + 0.5)


def _bars(
    cells: Sequence[Cell], name: str, text: Sequence[str], hover: Sequence[str], marker: Mapping[str, Any], legend: bool = True
) -> go.Bar:
    return go.Bar(
        x=[c.x for c in cells],
        y=[_HEIGHT] * len(cells),
        base=[c.y - _HEIGHT / 2 for c in cells],
        width=_WIDTH,
        name=name,
        text=list(text),
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        customdata=[c.rack for c in cells],
        hovertext=list(hover),
        hovertemplate="%{hovertext}<extra></extra>",
        marker=dict(marker),
        showlegend=legend,
        constraintext="both",
        cliponaxis=False,
    )


def _free(where: Plan, dark: bool, without: Mapping[str, int] | None = None) -> go.Bar:
    cells = [c for c in where.cells if not c.rack and c.position not in (without or {})]
    hover = [f"<b>{c.position}</b><br>free" for c in cells]
    trace = _bars(cells, "free position", [""] * len(cells), hover, {"color": "rgba(0,0,0,0)", "line": {"color": faint(dark), "width": 1}})
    trace.customdata = [""] * len(cells)
    return trace


def _mark(figure: go.Figure, cells: Sequence[Cell], colour: str) -> None:
    for c in cells:
        figure.add_shape(
            type="rect",
            x0=c.x - _WIDTH / 2,
            x1=c.x + _WIDTH / 2,
            y0=c.y - _HEIGHT / 2,
            y1=c.y + _HEIGHT / 2,
            line={"color": colour, "width": 3},
        )


def _hover(cells: Sequence[Cell], plant: Plant, lines: Mapping[str, Sequence[str]] | None, quantity: Quantity, values: Floats) -> list[str]:
    number = {name: k for k, name in enumerate(plant.racks.ids)}
    found = []
    for c in cells:
        rack = plant.site.racks[c.rack]
        own = [f"<b>{rack.id}</b>  {rack.sku}", f"{quantity.label}: {quantity.text(float(values[number[c.rack]]))}", f"state: {rack.state}"]
        found.append("<br>".join([*own, *(lines or {}).get(c.rack, ())]))
    return found


def _empty(where: Plan, dark: bool) -> go.Figure:
    widest = max((c.x for c in where.cells), default=1)
    figure = go.Figure(
        layout={
            "template": template(dark),
            "height": where.height_px,
            "barmode": "overlay",
            "bargap": 0,
            "xaxis": {
                "range": [0.4, widest + 0.6],
                "showgrid": False,
                "zeroline": False,
                "side": "bottom",
                "fixedrange": True,
                "tickmode": "linear",
                "dtick": max(1, round(widest / 24)),
                "title": {"text": "place in the row"},
            },
            "yaxis": {
                "range": [max(where.rows.values(), default=1.0) + 0.6, -0.35],
                "showgrid": False,
                "zeroline": False,
                "fixedrange": True,
                "tickvals": list(where.rows.values()),
                "ticktext": [f"row {r}" for r in where.rows],
            },
            "margin": {"l": 56, "r": 8, "t": 30, "b": 40},
            "clickmode": "event",
            "hovermode": "closest",
        }
    )
    for hall, y in where.halls.items():
        figure.add_annotation(
            text=f"<b>{hall}</b>", x=0.4, y=y + 0.12, xanchor="left", yanchor="middle", showarrow=False, font={"size": 12, "color": GREY}
        )
    return figure
