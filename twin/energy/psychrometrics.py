"""Moist air for weather files and reports, by PsychroLib (ASHRAE Handbook Fundamentals 2017, chapter 1), on whole arrays.

The library is loaded at the first call: it compiles for a few seconds. Inside kernels the same formulae are
:mod:`twin.solvers.moistair`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from topology.axes import Floats


@cache
def _library() -> Any:
    import psychrolib

    psychrolib.SetUnitSystem(psychrolib.SI)
    return psychrolib


def wet_bulb_c(dry_bulb_c: Floats, humidity_frac: Floats, pressure_pa: Floats) -> Floats:
    """Wet bulb from dry bulb and relative humidity.

    Args:
        dry_bulb_c: dry bulb, any shape.
        humidity_frac: relative humidity, 0 to 1, same shape or one value.
        pressure_pa: air pressure, the same.

    >>> wet_bulb_c(np.array([30.0]), np.array([0.5]), np.array([101325.0])).round(1).tolist()
    [22.0]
    """
    found: Floats = _library().GetTWetBulbFromRelHum(dry_bulb_c, humidity_frac, pressure_pa)
    return np.minimum(found, dry_bulb_c)


def humidity_of_dew_point_frac(dry_bulb_c: Floats, dew_point_c: Floats) -> Floats:
    """Relative humidity, 0 to 1, from dry bulb and dew point; a dew point above the dry bulb counts as saturated."""
    found: Floats = _library().GetRelHumFromTDewPoint(dry_bulb_c, np.minimum(dew_point_c, dry_bulb_c))
    return np.clip(found, 0.0, 1.0)


def humidity_ratio_kg_kg(dry_bulb_c: Floats, wet_bulb_c: Floats, pressure_pa: Floats) -> Floats:
    """Humidity ratio from dry and wet bulb [kg/kg]."""
    found: Floats = _library().GetHumRatioFromTWetBulb(dry_bulb_c, wet_bulb_c, pressure_pa)
    return found


def enthalpy_j_kg(dry_bulb_c: Floats, humidity_kg_kg: Floats) -> Floats:
    """Enthalpy of moist air per kilogram of dry air [J/kg]."""
    found: Floats = _library().GetMoistAirEnthalpy(dry_bulb_c, humidity_kg_kg)
    return found


def density_kg_m3(dry_bulb_c: Floats, humidity_kg_kg: Floats, pressure_pa: Floats) -> Floats:
    """Density of moist air [kg/m3]."""
    found: Floats = _library().GetMoistAirDensity(dry_bulb_c, humidity_kg_kg, pressure_pa)
    return found
