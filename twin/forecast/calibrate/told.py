"""What telemetry tells of one constant: its value with an interval, or how far it has moved."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from topology.axes import Floats
from topology.overlay import Constant
from twin.forecast.calibrate.priors import Fitted


@dataclass(frozen=True)
class Told:
    """One constant, or one error of a sensor, after the fit.

    Attributes:
        element: element or SKU.
        parameter: factor of :data:`topology.overlay.FACTORS`, or ``gain`` or ``bias``.
        fitted: value, 90 % interval, prior, and whether data told it.
        samples: samples behind it.
        quantity: of a sensor.
        part: of a sensor.
        note: anything else for people.
    """

    element: str
    parameter: str
    fitted: Fitted
    samples: int
    quantity: str = ""
    part: str = ""
    note: str = ""

    def constant(self, since: dt.date, until: dt.date) -> Constant:
        """As a row of a calibration file."""
        f = self.fitted
        return Constant(
            element=self.element, parameter=self.parameter, value=f.value, low=f.interval[0], high=f.interval[1],
            basis="data" if f.identifiable else "prior", quantity=self.quantity, part=self.part, since=since, until=until, note=self.note,
        )  # fmt: skip


@dataclass(frozen=True)
class Drift:
    """How much a constant has moved over a stretch, errors of sensors that stay the same taken out.

    Attributes:
        element: element.
        parameter: factor of :data:`topology.overlay.FACTORS`.
        since: first day.
        until: last day.
        change_frac: change over the stretch, over its value at the start.
        interval: 95 % interval of that.
        time: (W,) middle of each slice, UTC.
        value: (W,) factor in each slice.
    """

    element: str
    parameter: str
    since: dt.date
    until: dt.date
    change_frac: float
    interval: tuple[float, float]
    time: np.ndarray
    value: Floats

    @property
    def moved(self) -> bool:
        """Whether the interval leaves out no change."""
        return self.interval[0] > 0.0 or self.interval[1] < 0.0
