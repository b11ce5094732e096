"""A solved year: what the months spend beside IT, every hour's power and weather, and water."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboards.theme import AMBER, BLUE, GREY, ORANGE, SKY, ink, template
from twin.energy.ratios import SUBSYSTEMS
from twin.energy.year import Year

_COLOURS = (AMBER, BLUE, SKY, "#009E73", GREY, "#CC79A7", ORANGE)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def year_figure(year: Year, dark: bool = False, height: int = 820) -> go.Figure:
    """Monthly energy beside IT with the PUE at the racks' inputs, hourly site power and wet bulb, monthly water.

    Args:
        year: a solved year.
        dark: whether the page is dark.
        height: pixels.
    """
    figure = make_subplots(
        rows=3, cols=1, vertical_spacing=0.09, row_heights=[0.4, 0.34, 0.26], specs=[[{"secondary_y": True}], [{"secondary_y": True}], [{}]]
    )
    w, h = year.weather, year.hours
    months = sorted(set(w.month.tolist()))
    names = [MONTHS[m - 1] for m in months]
    to_mwh = w.step_s / 3.6e9
    for (name, field), colour in zip(SUBSYSTEMS, _COLOURS, strict=True):
        energy = [getattr(h, field)[w.month == m].sum() * to_mwh for m in months]
        if any(energy):
            figure.add_trace(go.Bar(x=names, y=energy, name=name, marker_color=colour, hovertemplate="%{y:,.1f} MWh"), 1, 1)
    rack = [h.rack_w[w.month == m].sum() for m in months]
    ratio = [h.site_w[w.month == m].sum() / r if r > 0.0 else None for m, r in zip(months, rack, strict=True)]
    line = {"color": ink(dark), "width": 2}
    figure.add_trace(
        go.Scatter(x=names, y=ratio, name="PUE (category 3, interim)", mode="lines+markers", line=line, hovertemplate="%{y:.3f}"),
        1,
        1,
        secondary_y=True,
    )
    time = w.time.astype("datetime64[ms]")
    figure.add_trace(
        go.Scatter(x=time, y=h.site_w / 1e3, name="site power", line={"color": BLUE, "width": 1}, hovertemplate="%{y:,.0f} kW"), 2, 1
    )
    figure.add_trace(
        go.Scatter(x=time, y=w.wet_bulb_c, name="wet bulb", line={"color": GREY, "width": 0.8}, hovertemplate="%{y:.1f} °C"),
        2,
        1,
        secondary_y=True,
    )
    if h.chilling.any():
        power = np.where(h.chilling, h.chiller_w / 1e3, np.nan)
        figure.add_trace(
            go.Scatter(x=time, y=power, name="chillers", line={"color": ORANGE, "width": 1}, hovertemplate="%{y:,.0f} kW"), 2, 1
        )
    water = [h.water_kg_s[w.month == m].sum() * w.step_s / 1e3 for m in months]
    figure.add_trace(go.Bar(x=names, y=water, name="make-up water", marker_color=SKY, hovertemplate="%{y:,.0f} m3"), 3, 1)
    figure.update_layout(template=template(dark), height=height, barmode="stack", margin={"l": 64, "r": 64, "t": 30, "b": 44})
    figure.update_yaxes(title_text="beside IT [MWh]", row=1, col=1, secondary_y=False)
    top = 1.0 + 1.25 * max((r - 1.0 for r in ratio if r is not None), default=0.1)
    figure.update_yaxes(title_text="PUE [-]", row=1, col=1, secondary_y=True, showgrid=False, range=[1.0, top], tickformat=".3f", nticks=6)
    figure.update_yaxes(title_text="power [kW]", row=2, col=1, secondary_y=False, rangemode="tozero")
    figure.update_yaxes(title_text="wet bulb [°C]", row=2, col=1, secondary_y=True, showgrid=False, tickformat=".0f", nticks=6)
    figure.update_yaxes(title_text="water [m3]", row=3, col=1)
    return figure
