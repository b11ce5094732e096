"""Temperature classes of ASHRAE TC 9.9 as data: facility water (W), cooling water at the IT equipment (S), and air (A, H).

Facility water: highest supply by class (ASHRAE, Water-Cooled Servers, 2019 naming; W+ has no upper bound). Water at the IT
equipment: the number of the class is its highest supply temperature (ASHRAE, Emergence and Expansion of Liquid Cooling, 2024
naming; only this rule was read, not the text). Air: Thermal Guidelines for Data Processing Environments, fifth edition 2021, as
printed alike in two open programs; allowable ranges, with their derating above a height.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

FACILITY_C: Mapping[str, float] = MappingProxyType({"W17": 17.0, "W27": 27.0, "W32": 32.0, "W40": 40.0, "W45": 45.0, "W+": math.inf})
"""Highest facility water supply of each class [degC]."""
COOLANT_C: Mapping[str, float] = MappingProxyType({f"S{n}": float(n) for n in (20, 25, 30, 35, 40, 45, 50)})
"""Highest supply to the IT equipment of each class [degC]."""
LIQUID_C: Mapping[str, float] = MappingProxyType({**FACILITY_C, **COOLANT_C})
"""Highest supply of each liquid class [degC]."""
DERATE_FROM_M = 900.0
"""Height above which the allowable dry bulb falls."""


@dataclass(frozen=True, slots=True)
class AirClass:
    """An air class: allowable and recommended ranges.

    Attributes:
        low_c: lowest allowable dry bulb [degC].
        high_c: highest allowable dry bulb [degC].
        recommended_c: highest recommended dry bulb [degC].
        dew_point_c: highest dew point [degC].
        humidity_frac: highest relative humidity.
        metres_k: height that costs one kelvin above :data:`DERATE_FROM_M` [m].
    """

    low_c: float
    high_c: float
    recommended_c: float
    dew_point_c: float
    humidity_frac: float
    metres_k: float

    def highest_c(self, altitude_m: float) -> float:
        """Highest allowable dry bulb at a height [degC].

        >>> AIR["A2"].highest_c(0.0), AIR["A2"].highest_c(1500.0)
        (35.0, 33.0)
        """
        return self.high_c - max(altitude_m - DERATE_FROM_M, 0.0) / self.metres_k


AIR: Mapping[str, AirClass] = MappingProxyType({
    "A1": AirClass(15.0, 32.0, 27.0, 17.0, 0.80, 300.0),
    "A2": AirClass(10.0, 35.0, 27.0, 21.0, 0.80, 300.0),
    "A3": AirClass(5.0, 40.0, 27.0, 24.0, 0.85, 175.0),
    "A4": AirClass(5.0, 45.0, 27.0, 24.0, 0.90, 125.0),
    "H1": AirClass(5.0, 25.0, 22.0, 17.0, 0.80, 500.0),
})  # fmt: skip
"""Air classes by name; the derating of H1 is 1 K for 500 m."""
