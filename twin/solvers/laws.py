"""Physical laws as pure scalar functions, compiled; every formula with its source."""

from __future__ import annotations

import math

import numpy as np

from topology.axes import Floats
from twin.solvers.jit import inner, kernel

YORK_WET_BULB_C = (-34.4, 26.6667)
YORK_RANGE_K = (1.1111, 22.2222)
YORK_APPROACH_K = (1.1111, 40.0)
YORK_LG_MAX = 8.0
"""Bounds of the York correlation (EnergyPlus Engineering Reference, variable speed cooling towers, YorkCalc)."""


@kernel
def counterflow_effectiveness(ntu: float, z: float) -> float:
    """Effectiveness of a counterflow exchanger (Incropera and DeWitt, table 11.3).

    Args:
        ntu: UA over the smaller capacity rate.
        z: smaller over larger capacity rate, 0..1.
    """
    if z > 1.0 - 1e-7:
        return ntu / (1.0 + ntu)
    e = math.exp(-ntu * (1.0 - z))
    return (1.0 - e) / (1.0 - z * e)


@kernel
def exchanger_w_k(ua_w_k: float, hot_w_k: float, cold_w_k: float) -> float:
    """Heat per kelvin between both inlets, ``eps * C_min`` [W/K], of a counterflow exchanger; 0 without flow."""
    low, high = min(hot_w_k, cold_w_k), max(hot_w_k, cold_w_k)
    if low <= 0.0:
        return 0.0
    return counterflow_effectiveness(ua_w_k / low, low / high) * low


@kernel
def york_approach_k(wet_bulb_c: float, range_k: float, lg: float, c: Floats) -> float:
    """Approach of an open tower [K], YorkCalc (EnergyPlus Engineering Reference; 27 coefficients, wet bulb inner).

    Args:
        wet_bulb_c: outdoor wet bulb [degC].
        range_k: tower water in minus out [K].
        lg: water to air mass flow over its design value.
        c: the 27 coefficients, :data:`YORK`.
    """
    t, r = wet_bulb_c, range_k
    total = 0.0
    scale = 1.0
    k = 0
    for _ in range(3):
        inner = 1.0
        for _ in range(3):
            total += scale * inner * (c[k] + c[k + 1] * t + c[k + 2] * t * t)
            inner *= r
            k += 3
        scale *= lg
    return total


@kernel
def york_approaches_k(wet_bulb_c: Floats, range_k: Floats, lg: Floats, c: Floats) -> Floats:
    """:func:`york_approach_k` on arrays of one shape."""
    out = np.empty(range_k.shape)
    for n in range(range_k.shape[0]):
        for t in range(range_k.shape[1]):
            out[n, t] = york_approach_k(wet_bulb_c[n, t], range_k[n, t], lg[n, t], c)
    return out


@inner
def narrowed(bracket: tuple[float, float, float, float, int], x: float, y: float) -> tuple[float, float, float, float, int]:
    """A bracket of a rising function's root with one more point in it, by the Illinois rule of regula falsi.

    The end that stays twice in a row has its value halved, so that the next secant moves it (Dowell and Jarratt, BIT 11, 1971).

    Args:
        bracket: lower end and the function there, upper end and the function there, and which end moved last: -1 the lower,
            1 the upper, 0 none yet.
        x: new point inside the bracket.
        y: function there.

    Returns:
        The narrower bracket.
    """
    low, y_low, high, y_high, side = bracket
    if y > 0.0:
        return low, y_low * (0.5 if side == 1 else 1.0), x, y, 1
    return x, y, high, y_high * (0.5 if side == -1 else 1.0), -1


@kernel
def biquadratic(c: Floats, x: float, y: float) -> float:
    """``c0 + c1 x + c2 x^2 + c3 y + c4 y^2 + c5 x y`` (DOE-2 curve form)."""
    total: float = c[0] + c[1] * x + c[2] * x * x + c[3] * y + c[4] * y * y + c[5] * x * y
    return total
