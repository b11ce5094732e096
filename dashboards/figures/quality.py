"""The quality of telemetry: one sensor with its doubtful stretches, and what is there of each level over time."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from dashboards.quality_series import SensorSeries
from dashboards.readable import people
from dashboards.theme import AMOUNT, BLUE, GREY, ORANGE, blank, colour_bar, template
from telemetry.quality.doubt import Doubt
from telemetry.quality.judge import Quality
from telemetry.schema import READINGS

_SHADE = "rgba(213,94,0,0.16)"


def sensor(series: SensorSeries, dark: bool = False, height: int = 330) -> go.Figure:
    """What a sensor read, what the twin says, and the stretches in doubt.

    Args:
        series: the sensor over a window.
        dark: whether the page is dark.
        height: pixels.
    """
    suffix = READINGS[series.sensor.quantity].unit.suffix
    one, symbol = (100.0, "%") if suffix == "frac" else people(1.0, suffix)
    factor, unit = one or 1.0, symbol.replace("degC", "°C")
    figure = go.Figure()
    for k, name in enumerate(series.names):
        figure.add_trace(_line(series.time, factor * series.beside[:, k], name, GREY, unit, 1.0, 0.55))
    if series.predicted is not None:
        figure.add_trace(_line(series.time, factor * series.predicted, "predicted", BLUE, unit))
    figure.add_trace(_line(series.time, factor * series.measured, "measured", ORANGE, unit))
    for doubt in series.doubts:
        since, until = _stretch(doubt, series.time)
        figure.add_vrect(x0=since, x1=until, fillcolor=_SHADE, line_width=0, layer="below", annotation_text=doubt.detector,
                         annotation_position="top left", annotation_font_size=10)  # fmt: skip
    figure.update_layout(template=template(dark), height=height, hovermode="x unified", margin={"l": 64, "r": 12, "t": 30, "b": 40})
    figure.update_yaxes(title_text=f"{series.sensor.quantity.rpartition('_')[0].replace('_', ' ')} [{unit}]")
    figure.update_xaxes(title_text="time [UTC]", range=[series.time[0], series.time[-1]])
    return figure


def _stretch(doubt: Doubt, time: np.ndarray) -> tuple[np.datetime64, np.datetime64]:
    """Begin and end of a doubt as they are shaded: inside the window, and wide enough to be seen."""
    since, until = (np.datetime64(t.replace(tzinfo=None), "us") for t in (doubt.since, doubt.until))
    least = np.timedelta64(int((time[-1] - time[0]) / np.timedelta64(1, "us")) // 300, "us")
    if until - since < least:
        since, until = since - least // 2, until + least // 2
    return max(since, time[0]), min(until, time[-1])


def coverage(quality: Quality, dark: bool = False, height: int = 330) -> go.Figure:
    """Share of the readings that are there, by level and quantity, hour by hour.

    Args:
        quality: what was judged.
        dark: whether the page is dark.
        height: pixels.
    """
    known = [k for k in range(len(quality.rows)) if np.isfinite(quality.coverage[k]).any()]
    if not known:
        return blank("no quantity is read at least every hour", dark, height)
    names = [f"{quality.rows[k][0]}: {quality.rows[k][1]}" for k in known]
    width = max(math.ceil(quality.hours.size / _MOST), 1)
    share = 100.0 * quality.coverage[known]
    figure = go.Figure(
        go.Heatmap(
            x=quality.hours[::width], y=names, z=_wider(share, width), zmin=_low(share), zmax=100.0, colorscale=AMOUNT, ygap=1,
            colorbar=colour_bar("readings there [%]", dark), hovertemplate="%{y}<br>%{x}<br>%{z:.1f} %<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(template=template(dark), height=max(height, 15 * len(names) + 60), margin={"l": 8, "r": 8, "t": 8, "b": 40})
    figure.update_xaxes(title_text="time [UTC]", showgrid=False)
    figure.update_yaxes(showgrid=False, autorange="reversed", tickfont={"size": 10})
    return figure


def _low(share: np.ndarray) -> float:
    """Lower end of the colours: a gap of one of many must show, and so must a level that is nearly gone."""
    return float(min(np.floor(np.nanmin(share) / 10.0) * 10.0, 90.0))


_MOST = 400


def _wider(values: np.ndarray, width: int) -> np.ndarray:
    """Means of so many columns; the lowest of them decides nothing, a gap shows as a lower mean."""
    if width == 1:
        return values
    padded = np.pad(values, ((0, 0), (0, -values.shape[1] % width)), constant_values=np.nan)
    blocks = padded.reshape(values.shape[0], -1, width)
    good = np.isfinite(blocks)
    count = good.sum(axis=2)
    return np.asarray(np.where(count > 0, np.where(good, blocks, 0.0).sum(axis=2) / np.maximum(count, 1), np.nan))


def _line(time: np.ndarray, values: np.ndarray, name: str, colour: str, unit: str, width: float = 1.5, opacity: float = 1.0) -> go.Scatter:
    return go.Scatter(x=time, y=values, name=name, mode="lines", line={"color": colour, "width": width}, opacity=opacity,
                      connectgaps=_sparse(values), hovertemplate=f"%{{y:,.4~g}} {unit}<extra>{name}</extra>")  # fmt: skip


def _sparse(values: np.ndarray) -> bool:
    """Whether a series is read less often than once a step, so that its readings are joined."""
    return bool(np.isfinite(values).mean() < _READ_RARELY) if values.size else False


_READ_RARELY = 0.4
