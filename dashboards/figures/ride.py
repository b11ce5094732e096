"""A ride in time: junctions against their limit, coolant and air, flow, heat and power, with what happened when."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboards.theme import BLUE, GREY, ORANGE, SERIES, template
from topology.axes import Floats
from twin.transient.ride import Trajectory

MOST_RACKS = 6
"""Racks that are drawn each: those that come nearest to a limit first."""
MOST_LOOPS = 6
"""Loops that are drawn each: those that move most."""
MOST_POINTS = 4000
"""Points of a line above which only every so many are drawn."""


def ride_figure(trip: Trajectory, dark: bool = False, height: int = 900) -> go.Figure:
    """Draw a ride.

    Args:
        trip: the ride.
        dark: whether the page is dark.
        height: pixels.
    """
    every = max(trip.time_s.size // MOST_POINTS, 1)
    time = trip.time_s[::every]
    figure = make_subplots(rows=4, cols=1, shared_xaxes=True, vertical_spacing=0.04, row_heights=[0.34, 0.28, 0.18, 0.2])
    _chips(figure, trip, time, every)
    _coolant(figure, trip, time, every)
    _flow(figure, trip, time, every)
    _power(figure, trip, time, every)
    for at, name in _marks(trip):
        figure.add_vline(x=at, line={"color": GREY, "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=at, y=1.0, xref="x", yref="paper", text=name, showarrow=False, textangle=-90, yanchor="top", xanchor="left", font={"size": 10}
        )
    figure.update_layout(
        template=template(dark), height=height, hovermode="x unified", margin={"l": 70, "r": 190, "t": 10, "b": 44},
        legend={"orientation": "v", "x": 1.01, "xanchor": "left", "y": 1.0, "yanchor": "top", "font": {"size": 11}},
    )  # fmt: skip
    for row, title in enumerate(("junction [°C]", "coolant and air [°C]", "loop flow [% of start]", "power [kW]"), 1):
        figure.update_yaxes(title_text=title, row=row, col=1)
    figure.update_xaxes(title_text="time [s]", row=4, col=1)
    return figure


def nearest_racks(trip: Trajectory, most: int = MOST_RACKS) -> list[int]:
    """Racks that draw power, those that reach a limit first, then the warmest.

    Args:
        trip: the ride.
        most: how many.
    """
    on = trip.start.loads.rack_w[0] > 0.0
    first = np.where(on, trip.limit_s.min(axis=1), np.inf)
    order = np.lexsort((-(trip.peak_c - trip.plant.racks.chip_limit_c), first))
    return [int(r) for r in order if on[r]][:most]


def _chips(figure: go.Figure, trip: Trajectory, time: Floats, every: int) -> None:
    shown = nearest_racks(trip)
    for n, r in enumerate(shown):
        figure.add_trace(_line(time, trip.written.chip_c[::every, r], trip.plant.racks.ids[r], SERIES[n % len(SERIES)], "°C", ".1f"), 1, 1)
    for bound in sorted({float(trip.plant.racks.chip_limit_c[r]) for r in shown}):
        figure.add_hline(y=bound, line={"color": ORANGE, "width": 1, "dash": "dash"}, row=1, col=1)


def _coolant(figure: go.Figure, trip: Trajectory, time: Floats, every: int) -> None:
    w, plant = trip.written, trip.plant
    for n, x in enumerate(moved_loops(trip)):
        colour, name = SERIES[n % len(SERIES)], plant.loops.ids[x]
        figure.add_trace(_line(time, w.loop_supply_c[::every, x], f"{name} supply", colour, "°C", ".1f"), 2, 1)
        figure.add_trace(_line(time, w.loop_return_c[::every, x], f"{name} return", colour, "°C", ".1f", "dot"), 2, 1)
    for h, name in enumerate(plant.halls.ids[:4]):
        figure.add_trace(_line(time, w.hall_supply_c[::every, h], f"{name} air", GREY, "°C", ".1f", "dash"), 2, 1)


def moved_loops(trip: Trajectory, most: int = MOST_LOOPS) -> list[int]:
    """Loops in use whose supply moves most.

    Args:
        trip: the ride.
        most: how many.
    """
    w = trip.written
    used = trip.start.flow.loop_kg_s[0] > 0.0
    span = np.where(used, np.ptp(w.loop_supply_c, axis=0), -1.0)
    return sorted(int(x) for x in np.argsort(-span, kind="stable")[:most] if used[x])


def _flow(figure: go.Figure, trip: Trajectory, time: Floats, every: int) -> None:
    w = trip.written
    for n, x in enumerate(moved_loops(trip)):
        share = 100.0 * w.loop_kg_s[::every, x] / trip.start.flow.loop_kg_s[0, x]
        line = _line(time, share, trip.plant.loops.ids[x], SERIES[n % len(SERIES)], "%", ".0f")
        line.showlegend = False
        figure.add_trace(line, 3, 1)


def _power(figure: go.Figure, trip: Trajectory, time: Floats, every: int) -> None:
    w = trip.written
    fws = trip.plant.loops.fws
    rows = (
        ("racks", w.rack_w.sum(axis=1), BLUE), ("rejected outside", w.reject_w[:, fws].sum(axis=1), ORANGE),
        ("pumps, fans, chillers", w.gear_w, GREY),
    )  # fmt: skip
    for name, values, colour in rows:
        figure.add_trace(_line(time, values[::every] / 1e3, name, colour, "kW", ",.0f"), 4, 1)


def _marks(trip: Trajectory) -> list[tuple[float, str]]:
    """Events, and what followed by itself once a second and kind."""
    marks = [(e.time_s, e.text.split(None, 1)[-1][:28]) for e in trip.events]
    kinds = (("battery empty", "battery empty"), ("takes load", "generator starts"), ("starts again", "gear back"), ("tripped", "tripped"))
    for word, name in kinds:
        times = sorted({round(h.time_s) for h in trip.happenings if word in h.what})
        marks += [(float(times[0]), name)] if times else []
    return marks


def _line(time: Floats, values: Floats, name: str, colour: str, unit: str, fmt: str, dash: str = "solid") -> go.Scatter:
    return go.Scatter(
        x=time, y=values, name=name, mode="lines", line={"color": colour, "width": 1.6, "dash": dash},
        hovertemplate=f"%{{y:{fmt}}} {unit}<extra>{name}</extra>",
    )  # fmt: skip
