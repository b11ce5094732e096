"""One sensor over a window: what it read, what the twin says that it should have read, and the stretches in doubt."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from dashboards.session import Session
from telemetry.dense import frames
from telemetry.quality.doubt import Doubt, Sensor
from telemetry.quality.judge import Quality
from telemetry.quality.series import place
from topology.axes import Floats
from topology.errors import TelemetryError
from twin.observe import CHANNELS
from twin.residuals import compare

MOST = 1500
"""Points of a series that is shown; longer windows are shown in longer steps."""


@dataclass(frozen=True, slots=True)
class SensorSeries:
    """A sensor over a window.

    Attributes:
        sensor: the sensor.
        time: (T,) start of each step, UTC.
        measured: (T,) mean of each step, NaN for a gap.
        predicted: (T,) what the twin says, ``None`` where it says nothing of such a sensor.
        beside: (T, n) other parts of the same element, or the same sensor of what is like it, a few of them.
        names: names of these (n,).
        doubts: doubts about it.
    """

    sensor: Sensor
    time: np.ndarray
    measured: Floats
    predicted: Floats | None
    beside: Floats
    names: tuple[str, ...]
    doubts: tuple[Doubt, ...]


def sensor_series(session: Session, quality: Quality, sensor: Sensor) -> SensorSeries:
    """Read a sensor over the window that was judged.

    Raises:
        TelemetryError: there is no store, or it cannot be read.
    """
    if session.store is None:
        raise TelemetryError("quality needs telemetry: give --store DIR")
    start, end = quality.start, quality.end
    step_s = max(quality.step_s, float(np.ceil((end - start).total_seconds() / MOST / quality.step_s)) * quality.step_s)
    read = _read(session, sensor, start, end, step_s)
    like = [v.sensor for v in reversed(quality.verdicts) if _alike(session, v.sensor, sensor)][:_BESIDE]
    beside = [_read(session, s, start, end, step_s)[1] for s in like]
    verdict = next((v for v in quality.verdicts if v.sensor == sensor), None)
    names = tuple(f"{s.element} {s.part}".strip() for s in like)
    empty = np.zeros((read[0].size, 0))
    return SensorSeries(
        sensor, read[0], read[1], _predicted(session, sensor, start, end, step_s), np.stack(beside, axis=1) if beside else empty, names,
        verdict.doubts if verdict is not None else (),
    )  # fmt: skip


_BESIDE = 3


def _alike(session: Session, a: Sensor, b: Sensor) -> bool:
    """Another sensor of the same quantity and level: of the same element, or the same part of what stands beside it."""
    if a == b or (a.quantity, a.level) != (b.quantity, b.level):
        return False
    return a.element == b.element or (a.part == b.part and place(session.site, a.element) == place(session.site, b.element))


def _read(session: Session, s: Sensor, start: dt.datetime, end: dt.datetime, step_s: float) -> tuple[np.ndarray, Floats]:
    assert session.store is not None
    found = frames(session.store, (s.element,), s.quantity, start, end, step_s, s.level, "mean", of=s.part or None)
    return found.time, found.values[:, 0]


def _predicted(session: Session, s: Sensor, start: dt.datetime, end: dt.datetime, step_s: float) -> Floats | None:
    """What the twin says of a sensor; nothing of one part of what is read in parts, except where parts are alike."""
    assert session.store is not None
    for name, channel in CHANNELS.items():
        if (channel.quantity, channel.level) != (s.quantity, s.level) or s.element not in channel.elements(session.plant):
            continue
        if channel.part != s.part and not (channel.part == "" and channel.combine == "mean"):
            continue
        found = compare(session.plant, session.store, start, end, step_s, (name,), inputs=True)
        if name in found.predicted:
            return np.asarray(found.predicted[name][:, channel.elements(session.plant).index(s.element)])
    return None
