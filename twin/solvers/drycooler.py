"""One dry cooler: a finned coil in outdoor air, cross flow, rated by one point; pads that wet the air where it has them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from topology.axes import Floats, Ints
from twin.solvers.jit import inner, kernel
from twin.solvers.moistair import CP_AIR_J_KG_K, humidity_kg_kg

AIR_EXPONENT = 0.6
"""n of the air side's conductance ~ flow^n for finned coils (Wang, Chi, Chang, Int. J. Heat Mass Transfer 43, 2000: j ~ Re^-0.4)."""


class DryCoolers(NamedTuple):
    """See :class:`topology.outdoor_axes.DryCoolerAxis`; ``ua_w_k`` is the conductance at the rating."""

    duty_w: Floats
    water_kg_s: Floats
    air_kg_s: Floats
    exchanger_k: Floats
    air_resistance_frac: Floats
    ua_w_k: Floats
    fan_w: Floats
    fan_floor: Floats
    assist: Floats


@kernel
def crossflow_effectiveness(ntu: float, z: float) -> float:
    """Effectiveness of cross flow with both streams unmixed (Incropera and DeWitt, equation 11.32).

    Args:
        ntu: UA over the smaller capacity rate.
        z: smaller over larger capacity rate, 0..1.
    """
    if ntu <= 0.0:
        return 0.0
    if z <= 1e-9:
        return 1.0 - math.exp(-ntu)
    return 1.0 - math.exp(ntu**0.22 * (math.exp(-z * ntu**0.78) - 1.0) / z)


@kernel
def crossflow_ua_w_k(duty_w: float, span_k: float, one_w_k: float, other_w_k: float) -> float:
    """Conductance at which a cross-flow exchanger carries a duty; 0 where no conductance does.

    Args:
        duty_w: heat.
        span_k: difference of both inlets.
        one_w_k: capacity rate of one side.
        other_w_k: capacity rate of the other.
    """
    small, large = min(one_w_k, other_w_k), max(one_w_k, other_w_k)
    want = duty_w / (small * span_k)
    low, high = 0.0, 60.0
    if crossflow_effectiveness(high, small / large) <= want:
        return 0.0
    for _ in range(200):
        mid = 0.5 * (low + high)
        if crossflow_effectiveness(mid, small / large) < want:
            low = mid
        else:
            high = mid
    return 0.5 * (low + high) * small


@kernel
def rise_k_w(d: DryCoolers, i: int, cp_j_kg_k: float, speed: float) -> float:
    """Leaving water minus entering air, for each watt, at a fan speed [K/W]: ``1 / (eps C_min) - 1 / C_water``."""
    water, air = d.water_kg_s[i] * cp_j_kg_k, d.air_kg_s[i] * speed * CP_AIR_J_KG_K
    s = d.air_resistance_frac[i]
    ua = d.ua_w_k[i] / ((1.0 - s) + s * speed**-AIR_EXPONENT)
    small, large = min(water, air), max(water, air)
    rise: float = 1.0 / (crossflow_effectiveness(ua / small, small / large) * small) - 1.0 / water
    return rise


@kernel
def rises_k_w(d: DryCoolers, own: Ints, cp_j_kg_k: Floats, speed: Floats) -> Floats:
    """:func:`rise_k_w` of some coolers (N,) over time (N, T), NaN where a fan stands; ``cp_j_kg_k`` (N,)."""
    out = np.full(speed.shape, np.nan)
    for n in range(own.size):
        for t in range(speed.shape[1]):
            if speed[n, t] > 0.0:
                out[n, t] = rise_k_w(d, own[n], cp_j_kg_k[n], speed[n, t])
    return out


@kernel
def entering_c(d: DryCoolers, i: int, dry_bulb_c: float, wet_bulb_c: float, wetted_frac: float) -> float:
    """Air that enters the coil: outdoor air, or behind pads that are wet ``T - e (T - T_wet)`` (ASHRAE Systems 2020, ch. 41)."""
    temp: float = dry_bulb_c - wetted_frac * (d.assist[i] * (dry_bulb_c - wet_bulb_c))
    return temp


@kernel
def speed_for(d: DryCoolers, i: int, cp_j_kg_k: float, heat_w: float, above_k: float) -> float:
    """Fan speed at which water leaves ``above_k`` over the entering air: bisection between the lowest speed and full."""
    if heat_w <= 0.0:
        return 0.0
    want = above_k / heat_w
    if rise_k_w(d, i, cp_j_kg_k, 1.0) >= want:
        return 1.0
    low: float = d.fan_floor[i]
    high = 1.0
    if rise_k_w(d, i, cp_j_kg_k, low) <= want:
        return low
    for _ in range(60):
        mid = 0.5 * (low + high)
        if rise_k_w(d, i, cp_j_kg_k, mid) > want:
            low = mid
        else:
            high = mid
    return high


@inner
def pad_water_kg_s(d: DryCoolers, i: int, dry_bulb_c: float, wet_bulb_c: float, pressure_pa: float, speed: float) -> float:
    """Water that the pads evaporate: the air keeps its wet bulb and takes up what its cooling evaporates."""
    into_c = entering_c(d, i, dry_bulb_c, wet_bulb_c, 1.0)
    before, behind = humidity_kg_kg(dry_bulb_c, wet_bulb_c, pressure_pa), humidity_kg_kg(into_c, wet_bulb_c, pressure_pa)
    water: float = max(d.air_kg_s[i] * speed * (behind - before), 0.0)
    return water
