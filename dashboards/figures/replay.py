"""A played window, and one meter beside what the twin says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboards.readable import people
from dashboards.replay_window import PlayedWindow, Series
from dashboards.theme import BLUE, GREY, ORANGE, SKY, template
from telemetry.schema import READINGS
from topology.axes import Floats
from twin.residual_tally import WITHIN

_MARGIN = {"l": 70, "r": 16, "t": 8, "b": 40}


def played(window: PlayedWindow, dark: bool = False, height: int = 360) -> go.Figure:
    """Site power, PUE and hottest accelerator over a window.

    Args:
        window: the window.
        dark: whether the page is dark.
        height: pixels.
    """
    r = window.replay
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.44, 0.24, 0.32])
    for name, watts, colour in (("site", r.site_w, GREY), ("IT parts", r.it_w, BLUE), ("cooling", r.cooling_w, ORANGE)):
        figure.add_trace(_line(r.time, watts / 1e3, name, colour, "kW", ",.1f"), 1, 1)
    figure.add_trace(_line(r.time, _finite(r.pue), "PUE", BLUE, "", ".3f", legend=False), 2, 1)
    figure.add_trace(_line(r.time, _finite(r.hottest_c), "hottest accelerator", ORANGE, "°C", ".1f", legend=False), 3, 1)
    figure.update_layout(template=template(dark), height=height, hovermode="x unified", margin=_MARGIN)
    for row, title in enumerate(("power [kW]", "PUE [-]", "hottest [°C]"), 1):
        figure.update_yaxes(title_text=title, row=row, col=1)
    figure.update_yaxes(rangemode="tozero", row=1, col=1)
    figure.update_xaxes(range=_span(r.time))
    figure.update_xaxes(title_text="time [UTC]", row=3, col=1)
    return figure


def beside(series: Series, dark: bool = False, height: int = 340) -> go.Figure:
    """Predicted beside measured, and the residual below with the band of the meter's noise.

    Args:
        series: one meter over a window.
        dark: whether the page is dark.
        height: pixels.
    """
    suffix = READINGS[series.quantity].unit.suffix
    difference = "k" if suffix == "c" else suffix
    scale, unit = _scale(suffix)
    off, off_unit = _scale(difference)
    read, should = scale(series.measured), scale(series.predicted)
    residual, band = off(series.measured - series.predicted), WITHIN * off(series.sigma)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.07, row_heights=[0.6, 0.4])
    figure.add_trace(_dots(series.time, read, "measured", ORANGE, unit), 1, 1)
    figure.add_trace(_line(series.time, should, "predicted", BLUE, unit, ".4~g"), 1, 1)
    noise = f"noise of one reading, {WITHIN:g} standard deviations"
    edge: dict[str, Any] = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    figure.add_trace(go.Scatter(x=series.time, y=band, **edge), 2, 1)
    fill = {**edge, "fill": "tonexty", "fillcolor": "rgba(138,143,152,0.25)", "name": noise, "showlegend": True}
    figure.add_trace(go.Scatter(x=series.time, y=-band, **fill), 2, 1)
    figure.add_trace(_dots(series.time, residual, "residual", SKY, off_unit), 2, 1)
    figure.update_layout(template=template(dark), height=height, hovermode="x unified", margin=_MARGIN)
    figure.update_yaxes(title_text=f"{_name(series.quantity)} [{unit}]", row=1, col=1)
    figure.update_yaxes(title_text=f"residual [{off_unit}]", zeroline=True, row=2, col=1)
    figure.update_layout(legend={"traceorder": "normal"})
    figure.update_xaxes(range=_span(series.time))
    figure.update_xaxes(title_text="time [UTC]", row=2, col=1)
    return figure


def _scale(suffix: str) -> tuple[Any, str]:
    """How values of a unit become people's, and the symbol; shares become per cent."""
    if suffix == "frac":
        return lambda v: 100.0 * v, "%"
    factor, symbol = people(1.0, suffix)
    zero = people(0.0, suffix)[0]
    assert factor is not None and zero is not None
    return lambda v: zero + (factor - zero) * v, symbol.replace("degC", "°C")


def _name(quantity: str) -> str:
    """A quantity for an axis: its name without the unit."""
    unit = READINGS[quantity].unit.suffix
    return quantity.removesuffix(f"_{unit}").replace("_", " ").replace(" temp", " temperature").replace("dp", "pressure difference")


def _span(time: np.ndarray) -> list[str]:
    """First and last time, so that all figures of a window have one axis."""
    return [str(t.astype("datetime64[ms]")) for t in (time[0], time[-1])]


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


def _line(time: np.ndarray, values: Floats, name: str, colour: str, unit: str, fmt: str, legend: bool = True) -> go.Scatter:
    return go.Scatter(
        x=time, y=values, name=name, mode="lines", line={"color": colour, "width": 1.6}, showlegend=legend,
        hovertemplate=f"%{{y:{fmt}}} {unit}<extra>{name}</extra>",
    )  # fmt: skip


def _dots(time: np.ndarray, values: Floats, name: str, colour: str, unit: str) -> go.Scatter:
    return go.Scatter(
        x=time, y=values, name=name, mode="markers", marker={"color": colour, "size": 3.5, "opacity": 0.75},
        hovertemplate=f"%{{y:.4~g}} {unit}<extra>{name}</extra>",
    )  # fmt: skip
