"""Outdoor air of a solve: what an :class:`twin.state.Ambient` leaves out is taken from the site."""

from __future__ import annotations

import numpy as np

from topology.axes import Floats
from topology.errors import UsageError
from topology.plant import Plant
from twin.solvers.jit import plain
from twin.state import Ambient, rows_of

STANDARD_PA = 101325.0
WET_BULB_C = (-60.0, 60.0)
"""Wet bulbs that are weather; anything else is a wrong unit or column."""
SLACK_K = 0.2
"""A dry bulb this far below the wet bulb is taken for rounding, and raised to it."""


def standard_pressure_pa(altitude_m: float) -> float:
    """Pressure of the standard atmosphere (ASHRAE Handbook Fundamentals 2017, chapter 1, equation 3).

    >>> round(standard_pressure_pa(1500.0))
    84556
    """
    return float(STANDARD_PA * (1.0 - 2.25577e-5 * altitude_m) ** 5.2559)


def settled(plant: Plant, ambient: Ambient, scenarios: int) -> Ambient:
    """Weather with a dry bulb and a pressure for every scenario.

    Where no dry bulb is given it is as far above the wet bulb as at the site's design point; where no pressure is given it is that
    of the standard atmosphere at the site's altitude.

    Args:
        plant: the plant.
        ambient: weather of S scenarios, or of one for all.
        scenarios: S.

    Raises:
        UsageError: inputs of different length, a value that is not finite or no weather, or a dry bulb below the wet bulb.
    """
    site = plant.site.settings
    wet = rows_of(ambient.wet_bulb_c, scenarios, "ambient")
    _check(wet, "wet bulb", *WET_BULB_C)
    if ambient.dry_bulb_c.size:
        dry = rows_of(ambient.dry_bulb_c, scenarios, "ambient dry bulb")
        _check(dry, "dry bulb", *WET_BULB_C)
        low = np.flatnonzero(dry < wet - SLACK_K)
        if low.size:
            s = int(low[0])
            raise UsageError(f"dry bulb {dry[s]:g} degC of scenario {s} is below its wet bulb {wet[s]:g} degC; it cannot be")
        dry = np.maximum(dry, wet)
    else:
        dry = wet + max(site.design_dry_bulb_c - site.design_wet_bulb_c, 0.0)
    pressure = np.array([standard_pressure_pa(site.altitude_m)]) if not ambient.pressure_pa.size else ambient.pressure_pa
    pressure = rows_of(pressure, scenarios, "ambient pressure")
    _check(pressure, "air pressure", 3e4, 1.2e5)
    return Ambient(plain(wet), plain(dry), plain(pressure))


def _check(values: Floats, name: str, low: float, high: float) -> None:
    bad = np.flatnonzero(~((values >= low) & (values <= high)))
    if bad.size:
        s = int(bad[0])
        raise UsageError(f"{name} {values[s]:g} of scenario {s} is outside {low:g} to {high:g}; check its unit")
