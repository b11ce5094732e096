"""Horizontal bars with a name each: margins of cases, racks that a change frees."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import plotly.graph_objects as go

from dashboards.theme import BLUE, ORANGE, blank, template

LABEL_CHARS = 30
MOST_TICKS = 10


def margins(names: Sequence[str], details: Sequence[str], margin_frac: Sequence[float], dark: bool = False) -> go.Figure:
    """Margins in per cent, the smallest at the top; a violated one is orange and says so.

    Args:
        names: what each margin belongs to.
        details: what sets it, shown on hover.
        margin_frac: margins, smallest first.
        dark: whether the page is dark.
    """
    if not names:
        return blank("no case to show", dark)
    text = [f"{100 * m:.1f} %{' violated' if m < 0 else ''}" for m in margin_frac]
    return _bars(
        names, [100.0 * m for m in margin_frac], text, details, [ORANGE if m < 0 else BLUE for m in margin_frac], "worst margin [%]", dark
    )


def reliefs(changes: Sequence[str], racks: Sequence[int], dark: bool = False) -> go.Figure:
    """Further racks that would fit with a change.

    Args:
        changes: what is changed.
        racks: further racks.
        dark: whether the page is dark.
    """
    if not changes:
        return blank("nothing that the sweep tried frees more racks", dark, 140)
    labels = ["<br>".join(textwrap.wrap(c, LABEL_CHARS)) for c in changes]
    figure = _bars(labels, list(racks), [f"+{n}" for n in racks], list(changes), [BLUE] * len(racks), "further racks [-]", dark)
    figure.update_layout(height=64 + 40 * len(changes), xaxis={"tickformat": ",d", "dtick": 1 if max(racks) <= MOST_TICKS else None})
    return figure


def _bars(
    names: Sequence[str], values: Sequence[float], text: Sequence[str], hover: Sequence[str], colours: Sequence[str], axis: str, dark: bool
) -> go.Figure:
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.18 * max(high - low, 1e-6)
    return go.Figure(
        go.Bar(
            x=list(values),
            y=list(names),
            orientation="h",
            text=list(text),
            textposition="outside",
            hovertext=list(hover),
            cliponaxis=False,
            hovertemplate="%{y}<br>%{hovertext}<extra></extra>",
            marker={"color": list(colours), "line": {"width": 0}},
        ),
        layout={
            "template": template(dark),
            "height": 64 + 26 * len(names),
            "bargap": 0.35,
            "margin": {"l": 8, "r": 16, "t": 6, "b": 40},
            "yaxis": {"autorange": "reversed", "showgrid": False, "ticksuffix": "  "},
            "xaxis": {"title": {"text": axis}, "range": [low - (room if low < 0 else 0), high + room]},
        },
    )
