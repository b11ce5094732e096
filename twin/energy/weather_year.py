"""A year of weather, whatever it came from: what :mod:`twin.energy.epw` reads and :mod:`twin.energy.typical` makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topology.axes import Floats, Ints
from topology.errors import Finding
from twin.state import Ambient

Times = NDArray[np.datetime64]


@dataclass(frozen=True)
class WeatherYear:
    """Weather by the hour (T).

    Attributes:
        place: where, as the file says it.
        source: file, or how it was made.
        synthetic: made from design values and not measured.
        zone_h: hours that local standard time is ahead of UTC.
        step_s: length of a step.
        time: (T,) start of each step, UTC; a file of typical months has one nominal year.
        month: (T,) month in local standard time, 1 to 12.
        dry_bulb_c: (T,) dry bulb.
        wet_bulb_c: (T,) wet bulb.
        pressure_pa: (T,) air pressure.
        left_out: steps of the file without usable weather; they are not in the arrays.
        findings: doubts, each with its file and row.
    """

    place: str
    source: str
    synthetic: bool
    zone_h: float
    step_s: float
    time: Times
    month: Ints
    dry_bulb_c: Floats
    wet_bulb_c: Floats
    pressure_pa: Floats
    left_out: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def ambient(self) -> Ambient:
        """The weather as a solve takes it, one scenario a step."""
        return Ambient(self.wet_bulb_c, self.dry_bulb_c, self.pressure_pa)
