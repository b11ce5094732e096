"""Colours, number formats and the look of every page and figure, light and dark.

Colours are safe for colour-blind eyes: cividis for amounts (Nunez, Anderton, Renslow, PLoS ONE 13(7), 2018), blue against
orange for margins, and the palette of Okabe and Ito for series. Nothing is told by colour alone.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

ACCENT = "#2f6fdb"
BLUE, ORANGE, SKY, AMBER, GREY = "#0072B2", "#D55E00", "#56B4E9", "#E69F00", "#8A8F98"
STRONG = "#b3480a"
"""Behind white text: dark enough to be read (contrast 5.3 to 1)."""
SERIES = (BLUE, ORANGE, SKY, AMBER, "#CC79A7", GREY)
FONT = "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
AMOUNT = "Cividis"
MARGIN = ((0.0, "#8f3b00"), (0.35, "#e08214"), (0.499, "#fdd9a8"), (0.501, "#d9e6f2"), (0.75, "#74a9cf"), (1.0, "#1f5f9e"))
"""Margins from -100 % to 100 %: orange is violated, blue has room."""

MANTINE = {
    "primaryColor": "console",
    "colors": {
        "console": ["#eaf1fc", "#d3e1f8", "#a8c3f0", "#7ba4e8", "#548ae1", "#3c7add", "#2f6fdb", "#205ec3", "#1753af", "#04479b"],
        "dark": ["#d5d9e0", "#b3b9c4", "#8b93a1", "#646c7a", "#3d4450", "#30363f", "#242931", "#1a1e24", "#14171c", "#0f1115"],
    },
    "fontFamily": FONT,
    "defaultRadius": "sm",
    "headings": {"fontWeight": "600"},
}


def surface(dark: bool) -> str:
    """Colour of a card."""
    return "#1a1e24" if dark else "#ffffff"


def ink(dark: bool) -> str:
    """Colour of text."""
    return "#d5d9e0" if dark else "#23272e"


def faint(dark: bool) -> str:
    """Colour of lines and outlines."""
    return "#3d4450" if dark else "#d9dde3"


def template(dark: bool) -> go.layout.Template:
    """Plotly template of a figure on a card."""
    axis = {
        "gridcolor": "#2a303a" if dark else "#eceff3",
        "zerolinecolor": faint(dark),
        "linecolor": faint(dark),
        "automargin": True,
        "title": {"font": {"size": 12}, "standoff": 8},
        "tickfont": {"size": 11},
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 12, "color": ink(dark)},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(SERIES),
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 48, "r": 12, "t": 12, "b": 40},
            "hoverlabel": {"font": {"family": FONT, "size": 12}, "align": "left", "bgcolor": surface(dark), "bordercolor": faint(dark)},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
        }
    )


def blank(text: str, dark: bool, height: int = 240) -> go.Figure:
    """A figure that says why there is nothing to see.

    Args:
        text: one line.
        dark: whether the page is dark.
        height: pixels.
    """
    figure = go.Figure(layout={"template": template(dark), "height": height, "xaxis": {"visible": False}, "yaxis": {"visible": False}})
    figure.add_annotation(text=text, showarrow=False, font={"size": 13, "color": GREY})
    return figure


def colour_bar(title: str, dark: bool) -> dict[str, Any]:
    """A slim colour bar."""
    return {
        "title": {"text": title, "side": "right", "font": {"size": 11}},
        "thickness": 10,
        "outlinewidth": 0,
        "tickfont": {"size": 11},
        "len": 1.0,
        "x": 1.01,
        "tickcolor": faint(dark),
    }
