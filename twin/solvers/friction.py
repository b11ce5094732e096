"""Friction of a full pipe as a named law: the Darcy factor with its derivative, laminar, turbulent and in between.

A name is data (:data:`LAWS`), so that a network can be solved with the law of the program it is compared with. Laws of one
Reynolds number are laminar (64/Re) below 2300 and turbulent above 4000; between, a cubic joins both with equal slopes, so the
factor has no kink. The kernels work with ``f Re``, which is finite at rest, where every pipe is laminar.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from topology.axes import Floats
from topology.errors import UsageError, nearest
from twin.solvers.jit import inner, kernel

LAMINAR_RE, TURBULENT_RE = 2300.0, 4000.0
"""Bounds of the critical zone (Moody, Trans. ASME 66, 1944)."""
EPANET_LAMINAR_RE = 2000.0
"""Where EPANET's laminar law ends (Rossman et al., EPANET 2.2 User Manual, EPA/600/R-20/133, section 12.1)."""
HAZEN_EXPONENT, HAZEN_BORE_EXPONENT = 1.852, 4.871
HAZEN_SI = 4.727 * 0.3048**HAZEN_BORE_EXPONENT / 0.3048 ** (3.0 * HAZEN_EXPONENT)
"""Hazen-Williams in SI: ``h = 10.67 L (q / C)^1.852 / d^4.871`` [m]; 4.727 in feet (EPANET 2.2 User Manual, table 3.1)."""
LN10 = math.log(10.0)

LAWS: Mapping[str, int] = MappingProxyType(
    {"colebrook": 1, "haaland": 2, "swamee_jain": 3, "nikuradse": 4, "epanet": 5, "pandapipes": 6, "hazen_williams": 7}
)
"""Name of each law to its number in the kernels.

* ``colebrook``: Colebrook, J. Inst. Civ. Eng. 11 (1939), p. 133, implicit, solved to rounding.
* ``haaland``: Haaland, J. Fluids Eng. 105 (1983), p. 89.
* ``swamee_jain``: Swamee and Jain, J. Hydraul. Div. 102 (1976), p. 657.
* ``nikuradse``: fully rough (VDI-Forschungsheft 361, 1933), joined with 64/Re by Churchill and Usagi's rule, power 8.
* ``epanet``: EPANET's own: 64/Re to 2000, Dunlop's cubic to 4000, then Swamee and Jain.
* ``pandapipes``: pandapipes' own: 64/Re plus the fully rough factor, at every Reynolds number.
* ``hazen_williams``: no Darcy factor; a power law of the flow with the pipe's coefficient C (:func:`hazen_williams_k`).
"""
ROUGH_ONLY = ("nikuradse", "pandapipes")
"""Laws that have no factor for a smooth pipe."""


@kernel
def friction_haaland(reynolds: float, relative_roughness: float) -> float:
    """Darcy friction factor by Haaland's law, laminar below 2300, joined without a kink up to 4000.

    Args:
        reynolds: Reynolds number, above 0.
        relative_roughness: roughness over diameter.
    """
    return friction(2, reynolds, relative_roughness)[0] / reynolds


@inner
def _colebrook(re: float, rough: float) -> tuple[float, float]:
    a, b = rough / 3.7, 2.51 / re
    x = -1.8 * math.log10(a**1.11 + 6.9 / re)
    for _ in range(6):
        inner = a + b * x
        step = (x + 2.0 / LN10 * math.log(inner)) / (1.0 + 2.0 / LN10 * b / inner)
        x -= step
        if abs(step) <= 1e-15 * x:
            break
    inner = a + b * x
    slope = 2.0 / LN10 * b / inner
    f = 1.0 / (x * x)
    return f, -2.0 * f / x * (slope * x / re / (1.0 + slope))


@inner
def _haaland(re: float, rough: float) -> tuple[float, float]:
    inner = (rough / 3.7) ** 1.11 + 6.9 / re
    x = -1.8 / LN10 * math.log(inner)
    f = 1.0 / (x * x)
    return f, -2.0 * f / x * (1.8 / LN10 * 6.9 / (re * re) / inner)


@inner
def _swamee_jain(re: float, rough: float) -> tuple[float, float]:
    small = 5.74 / re**0.9
    inner = rough / 3.7 + small
    x = -2.0 / LN10 * math.log(inner)
    f = 1.0 / (x * x)
    return f, -2.0 * f / x * (2.0 / LN10 * 0.9 * small / re / inner)


@inner
def _dunlop(re: float, rough: float) -> tuple[float, float]:
    """EPANET's cubic between Reynolds 2000 and 4000 (EPANET 2.2 User Manual, section 12.1)."""
    inner = rough / 3.7 + 5.74 / 4000.0**0.9
    x = -2.0 / LN10 * math.log(inner)
    fa = 1.0 / (x * x)
    fb = fa * (2.0 - 2.0 * 0.9 * 2.0 / LN10 * 5.74 / 4000.0**0.9 / (inner * x))
    r = re / EPANET_LAMINAR_RE
    x2, x3, x4 = 0.128 - 17.0 * fa + 2.5 * fb, -0.128 + 13.0 * fa - 2.0 * fb, 0.032 - 3.0 * fa + 0.5 * fb
    return 7.0 * fa - fb + r * (x2 + r * (x3 + r * x4)), (x2 + r * (2.0 * x3 + 3.0 * r * x4)) / EPANET_LAMINAR_RE


@inner
def _turbulent(law: int, re: float, rough: float) -> tuple[float, float]:
    if law == 1:
        return _colebrook(re, rough)
    if law == 2:
        return _haaland(re, rough)
    return _swamee_jain(re, rough)


@kernel
def friction(law: int, reynolds: float, relative_roughness: float) -> tuple[float, float]:
    """``f Re`` and its derivative by the Reynolds number, both finite at rest.

    Args:
        law: number of the law, a value of :data:`LAWS` below that of Hazen-Williams.
        reynolds: Reynolds number, at least 0.
        relative_roughness: roughness over diameter.
    """
    re, rough = reynolds, relative_roughness
    if law == 4 or law == 6:
        x = -2.0 * math.log10(rough / 3.71)
        f = 1.0 / (x * x)
        if law == 6:
            return 64.0 + f * re, f
        big = max(64.0, f * re)
        whole = big * ((64.0 / big) ** 8 + (f * re / big) ** 8) ** 0.125
        return whole, f * (f * re / whole) ** 7
    low = EPANET_LAMINAR_RE if law == 5 else LAMINAR_RE
    if re <= low:
        return 64.0, 0.0
    if re >= TURBULENT_RE:
        f, slope = _turbulent(law, re, rough)
    elif law == 5:
        f, slope = _dunlop(re, rough)
    else:
        f0, s0 = 64.0 / low, -64.0 / (low * low)
        f1, s1 = _turbulent(law, TURBULENT_RE, rough)
        span = TURBULENT_RE - low
        t = (re - low) / span
        u = 1.0 - t
        f = (1.0 + 2.0 * t) * u * u * f0 + t * u * u * span * s0 + t * t * (3.0 - 2.0 * t) * f1 - t * t * u * span * s1
        slope = (6.0 * t * u * (f1 - f0)) / span + (1.0 - 4.0 * t + 3.0 * t * t) * s0 + (3.0 * t * t - 2.0 * t) * s1
    return f * re, f + re * slope


def law_number(law: str) -> int:
    """Number of a named law.

    Raises:
        UsageError: no law has this name.
    """
    if law not in LAWS:
        raise UsageError(f"no friction law {law!r}: {nearest(law, LAWS)}")
    return LAWS[law]


def friction_factor(law: str, reynolds: ArrayLike, relative_roughness: ArrayLike) -> Floats:
    """Darcy friction factor of a named law.

    Args:
        law: a name of :data:`LAWS` other than ``hazen_williams``.
        reynolds: Reynolds numbers, above 0, of any shape.
        relative_roughness: roughness over diameter, of a shape that fits.

    Returns:
        Factors, of the common shape.

    Raises:
        UsageError: an unknown law, one that has no Darcy factor, or no roughness where the law needs one.

    >>> friction_factor("colebrook", [1000.0, 1e5], 1e-4).round(5).tolist()
    [0.064, 0.01851]
    """
    number = law_number(law)
    if number == LAWS["hazen_williams"]:
        raise UsageError("hazen_williams has no Darcy friction factor: use hazen_williams_k")
    re, rough = np.broadcast_arrays(np.asarray(reynolds, float), np.asarray(relative_roughness, float))
    if not (re > 0.0).all():
        raise UsageError("a friction factor needs a Reynolds number above 0")
    if law in ROUGH_ONLY and not (rough > 0.0).all():
        raise UsageError(f"{law} has no friction factor for a smooth pipe: give a roughness above 0")
    values = [friction(number, r, e)[0] / r for r, e in zip(re.ravel().tolist(), rough.ravel().tolist(), strict=True)]
    return np.asarray(values).reshape(re.shape)


def hazen_williams_k(length_m: float, diameter_m: float, factor: float) -> float:
    """Head loss over volume flow to the power 1.852 by Hazen-Williams [m / (m3/s)^1.852].

    Args:
        length_m: pipe length.
        diameter_m: inner diameter.
        factor: C of the pipe, such as 130 for new steel.
    """
    k: float = HAZEN_SI * length_m / (factor**HAZEN_EXPONENT * diameter_m**HAZEN_BORE_EXPONENT)
    return k
