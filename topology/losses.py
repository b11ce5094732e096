"""From an efficiency on a datasheet or in a rule to the loss ``fixed + frac P + quad P^2`` [W] of output P that the solvers use.

Fits are made on the loss, not on the efficiency: at light load a small error of efficiency is a small error of watts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from topology.errors import SiteError

RULE_LOAD_FRAC = 0.35
"""Load at which 10 CFR 431.196 asks for the efficiency of a low-voltage dry-type transformer."""
DRY_TYPE_FRAC: Mapping[float, float] = MappingProxyType({
    15e3: 0.9789, 30e3: 0.9823, 45e3: 0.9840, 75e3: 0.9860, 112.5e3: 0.9874, 150e3: 0.9883, 225e3: 0.9894, 300e3: 0.9902, 500e3: 0.9914,
    750e3: 0.9923, 1000e3: 0.9928,
})  # fmt: skip
"""Rating [VA] -> lowest efficiency of three-phase low-voltage dry types at 35 % load (10 CFR 431.196(a)(2), from 2016)."""
UPS_DOUBLE = (0.013, 0.006, 0.011)
"""No-load, proportional and square loss over rating of a double-conversion UPS (APC White Paper 108, second hand by DC-OPS Facility)."""
UPS_ECO = (0.004, 0.001, 0.004)
"""The same in eco mode: 99.1 % at full load, 98.9 % at half (estimate: makers name 98.5 to 99 %; filters and charger at no load)."""
SUPPLY_TITANIUM = ((0.1, 0.90), (0.2, 0.94), (0.5, 0.96), (1.0, 0.91))
"""Load and lowest efficiency of a redundant 230 V server supply, 80 PLUS Titanium; a floor and not a curve of one product."""


class Loss(NamedTuple):
    """Loss of one converter, transformer or line.

    Attributes:
        fixed_w: no-load loss.
        frac: loss in proportion to output.
        quad_per_w: square-law loss.
    """

    fixed_w: float
    frac: float
    quad_per_w: float

    def at_w(self, out_w: float) -> float:
        """Loss at an output.

        >>> Loss(10.0, 0.01, 1e-5).at_w(1000.0)
        30.0
        """
        return self.fixed_w + self.frac * out_w + self.quad_per_w * out_w * out_w


def transformer_loss(rating_va: float, efficiency_frac: float, load_frac: float = RULE_LOAD_FRAC, core_frac: float = 0.5) -> Loss:
    """Core and winding loss from one efficiency.

    Args:
        rating_va: rating.
        efficiency_frac: efficiency at the load.
        load_frac: that load over the rating, at power factor 1 (10 CFR 431.196).
        core_frac: share of the core in the loss there; one half where the efficiency is highest there (assumption).

    >>> transformer_loss(1e6, 0.9928).fixed_w.__round__()
    1269
    """
    out = load_frac * rating_va
    total = out * (1.0 / efficiency_frac - 1.0)
    return Loss(core_frac * total, 0.0, (1.0 - core_frac) * total / out**2)


def reported_transformer_loss(rating_va: float, no_load_w: float, load_w: float) -> Loss:
    """Loss from the two figures of a test report: no-load loss, and load loss at rated current (IEC 60076-1)."""
    return Loss(no_load_w, 0.0, load_w / rating_va**2)


def ups_loss(rating_w: float, shares: tuple[float, float, float] = UPS_DOUBLE) -> Loss:
    """Loss of a UPS: ``eta(x) = x / (x + a + b x + c x^2)`` with x the load over its rating.

    >>> round(1.0 / (1.0 + ups_loss(1e6).at_w(5e5) / 5e5), 3)
    0.964
    """
    a, b, c = shares
    return Loss(a * rating_w, b, c / rating_w)


def line_loss(r_ohm_m: float, length_m: float, voltage_v: float, spread: bool = False) -> Loss:
    """Loss of a cable or busway at nominal voltage and power factor 1; a third of it where its load is spread along it."""
    return Loss(0.0, 0.0, r_ohm_m * length_m / voltage_v**2 * (1.0 / 3.0 if spread else 1.0))


def fitted_loss(rating_w: float, points: Sequence[tuple[float, float]]) -> Loss:
    """Loss through published points, least squares on the loss, no part of it below 0.

    Args:
        rating_w: rated output.
        points: load over rating, and efficiency there; one point is split evenly into fixed and square-law loss.

    Raises:
        SiteError: no point, or one without load or with an efficiency outside 0 to 1.

    >>> points = [(x, x / (x + 0.013 + 0.006 * x + 0.011 * x * x)) for x in (0.25, 0.5, 0.75, 1.0)]
    >>> [round(v, 6) for v in (fitted_loss(1e6, points).fixed_w, fitted_loss(1e6, points).frac)]
    [13000.0, 0.006]
    """
    if not points or not all(x > 0.0 and 0.0 < eta <= 1.0 for x, eta in points):
        raise SiteError(f"efficiencies {list(points)} cannot be fitted; give loads above 0 and efficiencies between 0 and 1")
    if len(points) == 1:
        return transformer_loss(rating_w, points[0][1], points[0][0])
    x, eta = np.asarray(points, dtype=np.float64).T
    terms = np.stack([np.ones_like(x), x, x * x], axis=1)
    (a, b, c), _ = nnls(terms, x * (1.0 / eta - 1.0))
    return Loss(float(a) * rating_w, float(b), float(c) / rating_w)
