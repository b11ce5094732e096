"""One cooling tower cell: York inside its bounds, Merkel outside them, fan speed for a set-point, water that evaporates.

**York** gives the approach from wet bulb, range and the ratio of water to air flow. **Merkel** takes the enthalpy difference
between saturated air at the water's temperature and the air as driving force. In effectiveness form (Braun, Klein, Mitchell,
ASHRAE Transactions 95(2), 1989) with the correction of Jaber and Webb (J. Heat Transfer 111, 1989, p. 837) for the curvature of
the saturation line::

    Q = eps G (h_s,in - d - h_air),   eps = (1 - e^-N(1-m)) / (1 - m e^-N(1-m)),   m = G c_s / (L c_p),   N = Me L / G
    c_s = (h_s,in - h_s,out) / range,   d = (h_s,in + h_s,out - 2 h_s,mean) / 4,   Me = c (L/G)^n

``c`` is set so that both agree at the tower's rating point.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from topology.axes import Floats
from twin.solvers.jit import inlined, inner, kernel
from twin.solvers.laws import YORK_APPROACH_K, YORK_LG_MAX, YORK_RANGE_K, YORK_WET_BULB_C, narrowed, york_approach_k
from twin.solvers.moistair import enthalpy_j_kg, saturated_at_c, saturated_j_kg, saturated_kg_kg

LEAST_RANGE_K = 1e-6
"""Range below which the saturation line is taken as its tangent."""


class Towers(NamedTuple):
    """See :class:`topology.outdoor_axes.TowerAxis`; ``merkel`` is c of ``Me = c (L/G)^n``."""

    duty_w: Floats
    water_kg_s: Floats
    lg_ratio: Floats
    exchanger_k: Floats
    fan_w: Floats
    water_air_ratio: Floats
    merkel: Floats
    merkel_exponent: Floats


@inlined
def alike(t: Towers, w: int, v: int) -> bool:
    """Whether two cells have the same ratings, so that with the same share of a loop's heat they do the same."""
    water = t.duty_w[w] == t.duty_w[v] and t.water_kg_s[w] == t.water_kg_s[v] and t.exchanger_k[w] == t.exchanger_k[v]
    air = t.lg_ratio[w] == t.lg_ratio[v] and t.water_air_ratio[w] == t.water_air_ratio[v]
    return bool(water and air and t.merkel[w] == t.merkel[v] and t.merkel_exponent[w] == t.merkel_exponent[v])


@inner
def transfer_effectiveness(ntu: float, z: float) -> float:
    """Air-side effectiveness of a counterflow tower; ``z`` is the ratio of capacity rates m, which may be above 1."""
    x = ntu * (1.0 - z)
    if abs(x) < 1e-8:
        return ntu / (1.0 + ntu)
    e = math.exp(-x)
    return (1.0 - e) / (1.0 - z * e)


@kernel
def air_flow_kg_s(t: Towers, w: int, speed: float) -> float:
    """Dry air through a cell at a fan speed."""
    flow: float = t.water_kg_s[w] * speed / (t.water_air_ratio[w] * t.lg_ratio[w])
    return flow


@kernel
def merkel_w(
    t: Towers, w: int, cp_j_kg_k: float, wet_bulb_c: float, pressure_pa: float, range_k: float, approach_k: float, speed: float
) -> float:
    """Heat that a cell can carry at a range and an approach.

    Args:
        t: ratings.
        w: cell.
        cp_j_kg_k: heat capacity of the water.
        wet_bulb_c: outdoor wet bulb.
        pressure_pa: pressure of the air.
        range_k: water in minus out.
        approach_k: water out minus wet bulb.
        speed: fan speed.
    """
    r = max(range_k, LEAST_RANGE_K)
    out_c = wet_bulb_c + approach_k
    hot = saturated_j_kg(out_c + r, pressure_pa)
    mean = saturated_j_kg(out_c + 0.5 * r, pressure_pa)
    cold = saturated_j_kg(out_c, pressure_pa)
    air = air_flow_kg_s(t, w, speed)
    ratio = t.water_kg_s[w] / air
    ntu = t.merkel[w] * ratio ** (1.0 + t.merkel_exponent[w])
    eps = transfer_effectiveness(ntu, air * (hot - cold) / (r * t.water_kg_s[w] * cp_j_kg_k))
    return eps * air * (hot - 0.25 * (hot + cold - 2.0 * mean) - saturated_j_kg(wet_bulb_c, pressure_pa))


@kernel
def merkel_constant(
    water_kg_s: float, lg: float, exponent: float, cp_j_kg_k: float, wet_bulb_c: float, pressure_pa: float, range_k: float,
    approach_k: float,
) -> float:  # fmt: skip
    """``c`` of ``Me = c (L/G)^n`` from a rating point, ``lg`` water over air mass flow; 0 where the air is too little for its heat."""
    air = water_kg_s / lg
    out_c = wet_bulb_c + approach_k
    hot = saturated_j_kg(out_c + range_k, pressure_pa)
    mean = saturated_j_kg(out_c + 0.5 * range_k, pressure_pa)
    cold = saturated_j_kg(out_c, pressure_pa)
    force = hot - 0.25 * (hot + cold - 2.0 * mean) - saturated_j_kg(wet_bulb_c, pressure_pa)
    eps = water_kg_s * cp_j_kg_k * range_k / (air * force)
    z = air * (hot - cold) / (range_k * water_kg_s * cp_j_kg_k)
    if eps >= min(1.0, 1.0 / z):
        return 0.0
    ntu = eps / (1.0 - eps) if abs(1.0 - z) < 1e-8 else math.log((1.0 - eps * z) / (1.0 - eps)) / (1.0 - z)
    constant: float = ntu / lg ** (1.0 + exponent)
    return constant


@kernel
def merkel_approach_k(t: Towers, w: int, cp_j_kg_k: float, wet_bulb_c: float, pressure_pa: float, range_k: float, speed: float) -> float:
    """Approach at which a cell carries its heat: bisection, then regula falsi, on a capacity that rises with it."""
    heat = range_k * t.water_kg_s[w] * cp_j_kg_k
    low, high = 0.0, 1.0
    f_low = merkel_w(t, w, cp_j_kg_k, wet_bulb_c, pressure_pa, range_k, low, speed) - heat
    if f_low >= 0.0:
        return 0.0
    f_high = f_low
    for _ in range(7):
        f_high = merkel_w(t, w, cp_j_kg_k, wet_bulb_c, pressure_pa, range_k, high, speed) - heat
        if f_high >= 0.0:
            break
        low, f_low, high = high, f_high, 2.0 * high
    if f_high < 0.0:
        return math.inf
    side, mid = 0, high
    for _ in range(80):
        mid = (f_low * high - f_high * low) / (f_low - f_high)
        f = merkel_w(t, w, cp_j_kg_k, wet_bulb_c, pressure_pa, range_k, mid, speed) - heat
        if abs(f) <= 1e-13 * heat or high - low < 1e-12:
            break
        low, f_low, high, f_high, side = narrowed((low, f_low, high, f_high, side), mid, f)
    return mid


@inner
def _surplus(
    t: Towers,
    w: int,
    york: Floats,
    merkel: float,
    cp: float,
    wet_c: float,
    pressure_pa: float,
    range_k: float,
    target_k: float,
    speed: float,
) -> float:
    """How far a cell at a fan speed is from an approach, above 0 where better: kelvin by York (``merkel`` 0), share of heat by Merkel."""
    if merkel > 0.0:
        heat = max(range_k, LEAST_RANGE_K) * t.water_kg_s[w] * cp
        spare: float = merkel_w(t, w, cp, wet_c, pressure_pa, range_k, target_k, speed) / heat - 1.0
        return spare
    return target_k - york_approach_k(wet_c, range_k, t.lg_ratio[w] / speed, york)


@inner
def _speed(
    t: Towers, w: int, york: Floats, merkel: float, cp: float, wet_c: float, pressure_pa: float, range_k: float, target_k: float
) -> float:
    """Fan speed that holds an approach (regula falsi, Illinois), from the bound of the correlation, L/G = 8, to full."""
    low: float = t.lg_ratio[w] / YORK_LG_MAX
    high = 1.0
    f_low = _surplus(t, w, york, merkel, cp, wet_c, pressure_pa, range_k, target_k, low)
    f_high = _surplus(t, w, york, merkel, cp, wet_c, pressure_pa, range_k, target_k, high)
    if f_high <= 0.0:
        return 1.0
    if f_low >= 0.0:
        return low
    side, mid = 0, high
    for _ in range(80):
        mid = (f_low * high - f_high * low) / (f_low - f_high)
        f = _surplus(t, w, york, merkel, cp, wet_c, pressure_pa, range_k, target_k, mid)
        if abs(f) <= 1e-11 or high - low < 1e-13:
            break
        low, f_low, high, f_high, side = narrowed((low, f_low, high, f_high, side), mid, f)
    return mid


@kernel
def run_cell(
    t: Towers, w: int, york: Floats, cp_j_kg_k: float, wet_bulb_c: float, pressure_pa: float, heat_w: float, target_k: float
) -> tuple[float, float, bool]:
    """Run one cell.

    York is used where wet bulb, range and the approach that comes out are inside its bounds; Merkel everywhere else.

    Args:
        t: ratings.
        w: cell.
        york: coefficients of York.
        cp_j_kg_k: heat capacity of the water.
        wet_bulb_c: outdoor wet bulb.
        pressure_pa: pressure of the air.
        heat_w: heat to carry.
        target_k: approach that is wanted; fans slow down for it, and below their lowest speed a bypass holds it.

    Returns:
        Fan speed, approach that is reached (infinite where the cell cannot carry the heat), and whether York was used.
    """
    if heat_w <= 0.0:
        return 0.0, max(target_k, 0.0), True
    r = heat_w / (t.water_kg_s[w] * cp_j_kg_k)
    if YORK_WET_BULB_C[0] <= wet_bulb_c <= YORK_WET_BULB_C[1] and YORK_RANGE_K[0] <= r <= YORK_RANGE_K[1]:
        best = york_approach_k(wet_bulb_c, r, t.lg_ratio[w], york)
        if best > target_k and YORK_APPROACH_K[0] <= best <= YORK_APPROACH_K[1]:
            return 1.0, best, True
        if best <= target_k and target_k >= YORK_APPROACH_K[0]:
            return _speed(t, w, york, 0.0, cp_j_kg_k, wet_bulb_c, pressure_pa, r, target_k), target_k, True
    if target_k > 0.0 and _surplus(t, w, york, 1.0, cp_j_kg_k, wet_bulb_c, pressure_pa, r, target_k, 1.0) >= 0.0:
        return _speed(t, w, york, 1.0, cp_j_kg_k, wet_bulb_c, pressure_pa, r, target_k), target_k, False
    return 1.0, merkel_approach_k(t, w, cp_j_kg_k, wet_bulb_c, pressure_pa, r, 1.0), False


@kernel
def evaporation_kg_s(t: Towers, w: int, dry_bulb_c: float, humidity_kg_kg: float, pressure_pa: float, heat_w: float, speed: float) -> float:
    """Water that a cell evaporates (Braun, Klein, Mitchell 1989): humidity follows the enthalpy of the air with the same NTU.

    ``h_eff = h_in + (h_out - h_in) / (1 - e^-N)``, ``w_out = w_eff + (w_in - w_eff) e^-N`` with ``w_eff`` of saturated air at
    ``h_eff``: the water's surface as one temperature, Lewis factor 1. Leaving air is nearly, but not fully, saturated.

    Args:
        t: ratings.
        w: cell.
        dry_bulb_c: outdoor dry bulb.
        humidity_kg_kg: humidity ratio of the entering air.
        pressure_pa: pressure of the air.
        heat_w: heat that it rejects.
        speed: fan speed.
    """
    if heat_w <= 0.0 or speed <= 0.0:
        return 0.0
    air = air_flow_kg_s(t, w, speed)
    left = math.exp(-t.merkel[w] * (t.water_kg_s[w] / air) ** (1.0 + t.merkel_exponent[w]))
    surface = enthalpy_j_kg(dry_bulb_c, humidity_kg_kg) + heat_w / air / (1.0 - left)
    humid = saturated_kg_kg(saturated_at_c(surface, pressure_pa, dry_bulb_c), pressure_pa)
    return max(air * (humid - humidity_kg_kg) * (1.0 - left), 0.0)
