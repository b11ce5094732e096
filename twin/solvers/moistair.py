"""Moist air as compiled scalar laws, for the kernels of towers and dry coolers; held against PsychroLib in the tests.

Everything is per kilogram of dry air, as in ASHRAE Handbook Fundamentals 2017, chapter 1.
"""

from __future__ import annotations

import math

from twin.solvers.jit import inner, kernel

VAPOUR_RATIO = 0.621945
"""Molar mass of water over that of dry air (ASHRAE 2017, chapter 1, equation 20)."""
CP_AIR_J_KG_K, CP_VAPOUR_J_KG_K = 1006.0, 1860.0
"""Heat capacities in the enthalpy of moist air (ASHRAE 2017, chapter 1, equation 30)."""
EVAPORATION_J_KG = 2.501e6
"""Heat of evaporation at 0 degC there."""
TRIPLE_C = 0.01


@kernel
def saturation_pa(temp_c: float) -> float:
    """Saturation pressure of water vapour, over ice below the triple point (ASHRAE 2017, chapter 1, equations 5 and 6)."""
    t = temp_c + 273.15
    if temp_c <= TRIPLE_C:
        x = -5.6745359e3 / t + 6.3925247 - 9.677843e-3 * t + 6.2215701e-7 * t * t + 2.0747825e-9 * t**3 - 9.484024e-13 * t**4
        return math.exp(x + 4.1635019 * math.log(t))
    x = -5.8002206e3 / t + 1.3914993 - 4.8640239e-2 * t + 4.1764768e-5 * t * t - 1.4452093e-8 * t**3
    return math.exp(x + 6.5459673 * math.log(t))


@inner
def saturated_kg_kg(temp_c: float, pressure_pa: float) -> float:
    """Humidity ratio of saturated air [kg/kg]; the vapour is held below nine tenths of the pressure, where no tower works."""
    vapour = min(saturation_pa(temp_c), 0.9 * pressure_pa)
    return VAPOUR_RATIO * vapour / (pressure_pa - vapour)


@kernel
def enthalpy_j_kg(temp_c: float, humidity_kg_kg: float) -> float:
    """Enthalpy of moist air [J/kg], zero at 0 degC dry (ASHRAE 2017, chapter 1, equation 30)."""
    return CP_AIR_J_KG_K * temp_c + humidity_kg_kg * (EVAPORATION_J_KG + CP_VAPOUR_J_KG_K * temp_c)


@kernel
def saturated_j_kg(temp_c: float, pressure_pa: float) -> float:
    """Enthalpy of saturated air [J/kg]."""
    return enthalpy_j_kg(temp_c, saturated_kg_kg(temp_c, pressure_pa))


@kernel
def humidity_kg_kg(dry_bulb_c: float, wet_bulb_c: float, pressure_pa: float) -> float:
    """Humidity ratio from dry and wet bulb (ASHRAE 2017, chapter 1, equations 33 and 35), at least 0."""
    sat = saturated_kg_kg(wet_bulb_c, pressure_pa)
    drop = CP_AIR_J_KG_K * (dry_bulb_c - wet_bulb_c)
    if wet_bulb_c >= 0.0:
        w = ((2.501e6 - 2326.0 * wet_bulb_c) * sat - drop) / (2.501e6 + 1860.0 * dry_bulb_c - 4186.0 * wet_bulb_c)
    else:
        w = ((2.830e6 - 240.0 * wet_bulb_c) * sat - drop) / (2.830e6 + 1860.0 * dry_bulb_c - 2100.0 * wet_bulb_c)
    return max(w, 0.0)


@kernel
def saturated_at_c(enthalpy_j_kg: float, pressure_pa: float, guess_c: float) -> float:
    """Temperature of saturated air of an enthalpy, by Newton's method from a guess."""
    t = guess_c
    for _ in range(50):
        h = saturated_j_kg(t, pressure_pa)
        slope = (saturated_j_kg(t + 1e-3, pressure_pa) - h) / 1e-3
        step = (enthalpy_j_kg - h) / slope
        t += min(max(step, -15.0), 15.0)
        if abs(step) < 1e-9:
            break
    return t
