"""The power of one SKU as tables: over utilisation, and over the power of its parts."""

from __future__ import annotations

import numpy as np

from topology.axes import Floats
from topology.models import Sku
from twin.loads import sku_at, stages_input_w

POINTS = 129
"""Points of the tables that a curve is read from."""


class Curve:
    """Tables of one SKU.

    Means over a class of utilisation are those of two points, one standard deviation to each side, which is right to second order.

    Args:
        sku: the SKU, its factors laid on.
    """

    def __init__(self, sku: Sku) -> None:
        self.u = np.linspace(0.0, 1.0, POINTS)
        _, self.it, self.chip, beside = sku_at(sku, self.u)
        self.grid = np.linspace(0.0, 1.5 * float(self.it[-1]), 2 * POINTS)
        aside = np.interp(self.grid, self.it, beside) * np.minimum(self.grid / max(float(self.it[0]), 1e-9), 1.0)
        self.taken = stages_input_w(sku, self.grid - aside) + aside

    def parts_w(self, u: Floats, scatter: Floats) -> tuple[Floats, Floats]:
        """Mean power of the parts over a class, and half of its spread from one end to the other, 0 where utilisation is not known.

        Args:
            u: mean utilisation of each class.
            scatter: its standard deviation inside the class.
        """
        low, high = (np.interp(u + sign * scatter, self.u, self.it) for sign in (-1.0, 1.0))
        return 0.5 * (low + high), np.nan_to_num(0.5 * (high - low))

    def input_w(self, it_w: Floats, away_w: Floats) -> Floats:
        """Mean input over a class from the mean power of its parts and half of its spread."""
        return 0.5 * (np.interp(it_w + away_w, self.grid, self.taken) + np.interp(it_w - away_w, self.grid, self.taken))

    def chip_w(self, it_w: Floats, away_w: Floats) -> Floats:
        """Mean power of one accelerator in the same way."""
        return 0.5 * (np.interp(it_w + away_w, self.it, self.chip) + np.interp(it_w - away_w, self.it, self.chip))

    def it_of_input_w(self, input_w: Floats) -> Floats:
        """Power of the parts at an input."""
        return np.interp(input_w, self.taken, self.grid)
