"""One rung of a ladder: friction of a segment, a branch law, and both eliminated in a Newton step; scalar laws for inner loops.

Kernels that work on one case and kernels that work on sixteen cases side by side call the same laws here, in the same order of
operations, so that a case gives the same bits in either. None of them branches, so that sixteen of them become vectors.

A leg of a segment has the constants ``(k, re, rough, power, f, s)``: loss is ``k Q fRe(re |Q|)`` [Pa, kg/s], ``rough`` the relative
roughness, ``power = (rough / 3.7)^1.11``, ``f`` and ``s`` Haaland's factor and its slope at Reynolds 4000.
"""

from __future__ import annotations

import math

import numpy as np

from twin.solvers.friction import LAMINAR_RE, TURBULENT_RE
from twin.solvers.jit import inlined

HAALAND = 1.8 / math.log(10.0)
"""1.8 / ln 10 of Haaland's law (J. Fluids Eng. 105, 1983, p. 89)."""
SPAN = TURBULENT_RE - LAMINAR_RE
F_LAMINAR, S_LAMINAR = 64.0 / LAMINAR_RE, -64.0 / (LAMINAR_RE * LAMINAR_RE)
ROOT_HALF_BITS = 4604544271217802189
MANTISSA = 4503599627370495
BIAS_BITS, BIAS = 4843621399236968448, 6755399441055744.0
LN2 = 0.6931471805599453


@inlined
def log_fast(x: float) -> float:
    """Natural logarithm of a positive number without branches: exponent by its bits, mantissa by the series of atanh (to rounding)."""
    bits = np.float64(x).view(np.int64) - ROOT_HALF_BITS
    exponent = np.int64((bits >> 52) + BIAS_BITS).view(np.float64) - BIAS
    mantissa = np.int64((bits & MANTISSA) + ROOT_HALF_BITS).view(np.float64)
    z = (mantissa - 1.0) / (mantissa + 1.0)
    z2 = z * z
    p = 1.0 / 21.0
    p = p * z2 + 1.0 / 19.0
    p = p * z2 + 1.0 / 17.0
    p = p * z2 + 1.0 / 15.0
    p = p * z2 + 1.0 / 13.0
    p = p * z2 + 1.0 / 11.0
    p = p * z2 + 1.0 / 9.0
    p = p * z2 + 1.0 / 7.0
    p = p * z2 + 0.2
    p = p * z2 + 1.0 / 3.0
    return exponent * LN2 + (2.0 * z + 2.0 * z * z2 * p)


@inlined
def haaland_fast(reynolds: float, rough_frac: float, factor: float, slope_frac: float) -> tuple[float, float]:
    """``f Re`` and its derivative, as :func:`twin.solvers.friction.friction` gives them for ``haaland``, without branches.

    Args:
        reynolds: Reynolds number, at least 0.
        rough_frac: ``(relative roughness / 3.7)^1.11``.
        factor: factor at Reynolds 4000.
        slope_frac: its slope there.
    """
    re = reynolds
    r = re if re > TURBULENT_RE else TURBULENT_RE
    small = 6.9 / r
    inner = rough_frac + small
    x = 1.0 / (-HAALAND * log_fast(inner))
    f = x * x
    t = (re - LAMINAR_RE) * (1.0 / SPAN)
    u = 1.0 - t
    fc = (
        (1.0 + 2.0 * t) * u * u * F_LAMINAR
        + t * u * u * SPAN * S_LAMINAR
        + t * t * (3.0 - 2.0 * t) * factor
        - t * t * u * SPAN * slope_frac
    )
    sc = 6.0 * t * u * (factor - F_LAMINAR) / SPAN + (1.0 - 4.0 * t + 3.0 * t * t) * S_LAMINAR + (3.0 * t * t - 2.0 * t) * slope_frac
    whole = f * re if re >= TURBULENT_RE else fc * re
    slope = f * (1.0 - 2.0 * HAALAND * x * small / inner) if re >= TURBULENT_RE else fc + re * sc
    return (whole if re > LAMINAR_RE else 64.0), (slope if re > LAMINAR_RE else 0.0)


@inlined
def branch_line(flow_kg_s: float, linear_pa_s_kg: float, square_pa_s2_kg2: float, floor_kg_s: float) -> tuple[float, float]:
    """Branch ``a q + b q |q|`` near a flow, as ``q' = y (p - e)``: returns y and e; a closed branch has an infinite ``a`` and y = 0.

    Args:
        flow_kg_s: q [kg/s].
        linear_pa_s_kg: a [Pa s/kg].
        square_pa_s2_kg2: b [Pa s2/kg2].
        floor_kg_s: flow below which the slope no longer falls, since a pure square has none at rest.
    """
    size = abs(flow_kg_s)
    m = size if size > floor_kg_s else floor_kg_s
    return 1.0 / (linear_pa_s_kg + 2.0 * square_pa_s2_kg2 * m), square_pa_s2_kg2 * flow_kg_s * (size - 2.0 * m)


@inlined
def eliminate(flow_kg_s: float, loss_pa: float, slope_pa_s_kg: float, y: float, i_kg_s: float) -> tuple[float, float, float, float]:
    """Put a segment ahead of all that lies beyond it, which takes ``Y p - I``.

    Args:
        flow_kg_s: flow of the segment [kg/s].
        loss_pa: its loss [Pa].
        slope_pa_s_kg: derivative of its loss [Pa s/kg].
        y: Y of what lies beyond, its first branch included [kg/(s Pa)].
        i_kg_s: I of it [kg/s].

    Returns:
        ``d, h``: the pressure beyond is ``d p + h``; and ``Y, I`` with the segment.
    """
    s = loss_pa - slope_pa_s_kg * flow_kg_s
    d = 1.0 / (1.0 + slope_pa_s_kg * y)
    return d, d * (slope_pa_s_kg * i_kg_s - s), y * d, (y * s + i_kg_s) * d


@inlined
def first_conductance(dp_pa: float, linear_pa_s_kg: float, square_pa_s2_kg2: float) -> float:
    """Flow of a branch alone at a pressure, over the root of the pressure: its conductance for the quadratic reduction."""
    return 2.0 * dp_pa / (linear_pa_s_kg + math.sqrt(linear_pa_s_kg * linear_pa_s_kg + 4.0 * square_pa_s2_kg2 * dp_pa)) / math.sqrt(dp_pa)
