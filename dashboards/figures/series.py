"""A replayed window over time: power, PUE and coolant temperatures, on one time axis in UTC."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboards.theme import BLUE, GREY, ORANGE, SERIES, SKY, template
from topology.axes import Floats
from topology.plant import Plant
from twin.forecast.follow import Replay

MOST_LOOPS = 5
"""Above this many TCS loops only the band from the coldest to the hottest is drawn."""


def series(replay: Replay, plant: Plant, dark: bool = False, height: int = 430) -> go.Figure:
    """Power, PUE and TCS supply and return over a window.

    Args:
        replay: a replayed window.
        plant: the plant it ran on.
        dark: whether the page is dark.
        height: pixels.
    """
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=[0.42, 0.2, 0.38])
    for name, watts, colour in (
        ("site", replay.site_w, GREY),
        ("racks, measured", replay.rack_w.sum(axis=1), BLUE),
        ("IT parts", replay.it_w, SKY),
        ("cooling", replay.cooling_w, ORANGE),
    ):
        figure.add_trace(_line(replay.time, watts / 1e3, name, colour, "kW", None), 1, 1)
    figure.add_trace(_line(replay.time, np.where(np.isfinite(replay.pue), replay.pue, np.nan), "PUE", BLUE, "", None, ".3f"), 2, 1)
    figure.data[-1].showlegend = False
    for trace in _temperatures(replay, plant):
        figure.add_trace(trace, 3, 1)
    side = {"orientation": "v", "x": 1.01, "xanchor": "left", "yanchor": "top", "tracegroupgap": 0, "font": {"size": 11}}
    figure.update_layout(
        template=template(dark), height=height, hovermode="x unified", margin={"l": 60, "r": 150, "t": 10, "b": 44},
        legend={**side, "y": 1.0}, legend2={**side, "y": 0.36, "title": {"text": "solid: return, dotted: supply", "font": {"size": 11}}},
    )  # fmt: skip
    figure.update_yaxes(title_text="power [kW]", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="PUE [-]", row=2, col=1)
    figure.update_yaxes(title_text="TCS [°C]", row=3, col=1)
    figure.update_xaxes(title_text="time [UTC]", row=3, col=1)
    return figure


def _temperatures(replay: Replay, plant: Plant) -> list[go.Scatter]:
    loops = [k for k in range(plant.loops.n) if not plant.loops.fws[k]]
    found = []
    if len(loops) > MOST_LOOPS:
        supply, back = replay.loop_supply_c[:, loops], replay.loop_return_c[:, loops]
        for name, values, colour in (
            ("supply, hottest loop", supply.max(axis=1), BLUE),
            ("return, hottest loop", back.max(axis=1), ORANGE),
        ):
            found.append(_line(replay.time, values, name, colour, "°C", None, ".1f"))
    else:
        for n, k in enumerate(loops):
            colour = SERIES[n % len(SERIES)]
            found.append(_line(replay.time, replay.loop_return_c[:, k], plant.loops.ids[k], colour, "°C", None, ".1f"))
            below = _line(replay.time, replay.loop_supply_c[:, k], f"{plant.loops.ids[k]} supply", colour, "°C", "dot", ".1f")
            below.showlegend = False
            found.append(below)
    found.append(_line(replay.time, replay.wet_bulb_c, "wet bulb outside", GREY, "°C", "dash", ".1f"))
    for trace in found:
        trace.legend = "legend2"
    return found


def _line(time: np.ndarray, values: Floats, name: str, colour: str, unit: str, dash: str | None, fmt: str = ",.0f") -> go.Scatter:
    return go.Scatter(
        x=time,
        y=values,
        name=name,
        mode="lines",
        line={"color": colour, "width": 1.6, "dash": dash or "solid"},
        hovertemplate=f"%{{y:{fmt}}} {unit}<extra>{name}</extra>",
    )
