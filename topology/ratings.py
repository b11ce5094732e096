"""From a rating point on a datasheet to the parameters that the solvers use."""

from __future__ import annotations

import math

import numpy as np

from topology.axes import Floats
from topology.errors import SiteError


def counterflow_ua_w_k(duty_w: float, approach_k: float, hot_w_k: float, cold_w_k: float) -> float:
    """Conductance of a counterflow exchanger from its rating point.

    With approach = hot outlet - cold inlet, the hot inlet lies ``approach + duty / C_hot`` above the cold inlet, so
    eps = duty / (C_min * that), and for Z = C_min / C_max: NTU = ln((1 - eps Z) / (1 - eps)) / (1 - Z), or eps / (1 - eps)
    at Z = 1 (Incropera and DeWitt, Fundamentals of Heat and Mass Transfer, table 11.4).

    Args:
        duty_w: rated heat [W].
        approach_k: hot outlet minus cold inlet [K].
        hot_w_k: capacity rate of the hot side, flow times heat capacity [W/K].
        cold_w_k: capacity rate of the cold side [W/K].

    Returns:
        UA [W/K].

    Raises:
        SiteError: the rating point is beyond what any counterflow exchanger can do.

    >>> round(counterflow_ua_w_k(100e3, 5.0, 20e3, 20e3))
    20000
    """
    low, high = min(hot_w_k, cold_w_k), max(hot_w_k, cold_w_k)
    span = approach_k + duty_w / hot_w_k
    eps, z = duty_w / (low * span), low / high
    if not 0.0 < eps < 1.0:
        raise SiteError(
            f"a rating of {duty_w / 1e3:.0f} kW at an approach of {approach_k:g} K needs an effectiveness of {eps:.3f}: "
            f"check the flows ({hot_w_k / 1e3:.1f} and {cold_w_k / 1e3:.1f} kW/K)"
        )
    ntu = eps / (1.0 - eps) if abs(1.0 - z) < 1e-9 else math.log((1.0 - eps * z) / (1.0 - eps)) / (1.0 - z)
    return ntu * low


def quadratic_resistance(dp_pa: float, flow_kg_s: float) -> float:
    """Resistance k of ``dp = k m^2`` [Pa s2/kg2] through one point; infinite where there is no flow.

    Args:
        dp_pa: pressure drop at the point [Pa].
        flow_kg_s: flow at the point [kg/s].

    >>> quadratic_resistance(100e3, 2.0)
    25000.0
    """
    return dp_pa / flow_kg_s**2 if flow_kg_s > 0.0 else math.inf


def remaining_frac(at: Floats | float, start: Floats | float, fall: Floats | float) -> Floats:
    """What a linear derating leaves of a rating: ``1 - fall (at - start)`` above ``start``, 1 below; never less than 0.

    Makers state it so for altitude and for ambient temperature: 0.3 % for each 100 m above 1,000 m of a dry transformer, 3 % for
    each 500 m above 1,000 m and each 5 K above 40 degC of a generator. The figures themselves are the catalog's.

    Args:
        at: height [m] or air temperature [degC], any shape.
        start: from where the rating falls, same unit.
        fall: fall for each metre or kelvin.

    Returns:
        Share of the rating.

    >>> float(remaining_frac(1500.0, 1000.0, 0.003 / 100))
    0.985
    """
    left: Floats = np.maximum(1.0 - fall * np.maximum(np.asarray(at, dtype=np.float64) - start, 0.0), 0.0)
    return left


def apparent_va(voltage_v: float, current_a: float, phases: str = "L1L2L3", continuous_frac: float = 1.0) -> float:
    """What a feed carries [VA]: ``sqrt(3) V I`` on three phases, ``V I / sqrt(3)`` line to neutral, ``V I`` line to line.

    Args:
        voltage_v: line-to-line voltage [V].
        current_a: line current [A].
        phases: one of :data:`topology.kinds.PHASES`.
        continuous_frac: share that may be used continuously.

    >>> round(apparent_va(208.0, 24.0)), round(apparent_va(208.0, 16.0, "L1L2"))
    (8646, 3328)
    """
    lines = phases.count("L")
    return continuous_frac * voltage_v * current_a * {1: 1.0 / math.sqrt(3.0), 2: 1.0, 3: math.sqrt(3.0)}[lines]
