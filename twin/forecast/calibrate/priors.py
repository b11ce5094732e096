"""What is known of a parameter before and after it meets data."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z90 = 1.6448536269514722
"""Standard normal quantile at 95 %: half width of a 90 % interval in standard deviations."""


@dataclass(frozen=True)
class Prior:
    """What is known of a parameter beforehand.

    Attributes:
        name: name of the parameter, with its unit where it has one.
        value: most likely value.
        interval: 5 % and 95 % quantiles of what it may be, around ``value``.
        source: where that is known from.
        log: spread on a logarithmic scale (positive parameters known to a factor).
        bounds: physical limits that a fit never leaves.
    """

    name: str
    value: float
    interval: tuple[float, float]
    source: str
    log: bool = False
    bounds: tuple[float, float] = (-math.inf, math.inf)

    @property
    def deviation(self) -> float:
        """Standard deviation, of the logarithm where ``log``."""
        low, high = self.interval
        return (math.log(high / low) if self.log else high - low) / (2.0 * Z90)

    def at(self, z: float) -> float:
        """Value at so many standard deviations from the middle.

        >>> Prior("x", 2.0, (1.0, 4.0), "", log=True).at(Z90)
        4.0
        """
        return self.value * math.exp(self.deviation * z) if self.log else self.value + self.deviation * z

    def z(self, value: float) -> float:
        """Standard deviations of a value from the middle; the inverse of :meth:`at`.

        >>> round(Prior("x", 2.0, (1.0, 3.0), "").z(3.0), 9) == round(Z90, 9)
        True
        """
        if not self.log:
            return (value - self.value) / self.deviation
        return -math.inf if value <= 0.0 else math.log(value / self.value) / self.deviation


@dataclass(frozen=True)
class Fitted:
    """A parameter after the fit.

    Attributes:
        value: estimate; the prior's value where data cannot tell.
        interval: its 90 % interval; the prior's where data cannot tell.
        prior: what was known beforehand.
        identifiable: whether data take away at least half of the prior variance, given the priors of those that they cannot tell.
    """

    value: float
    interval: tuple[float, float]
    prior: Prior
    identifiable: bool
