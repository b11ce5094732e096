"""Power supplies from readings before and after them: what of the loss curve a recording can tell.

The curve is ``AC = P + a + b P + c P^2`` with ``P`` the power that leaves the supplies. Two meters that are off by unlike factors give
``DC reading / AC reading = gain * P / AC``: at one load, the gain and the loss cannot be told apart, however long one measures. Only
the load's own movement tells, and only as far as both readings see the same moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, Floats
from twin.forecast.calibrate.fit import Block, Calibration, calibrate
from twin.forecast.calibrate.priors import Prior

TITANIUM = ((0.1, 0.90), (0.2, 0.94), (0.5, 0.96), (1.0, 0.91))
"""Least efficiency at each share of rated load: 80 PLUS Titanium, 230 V internal redundant."""
BEST = 0.98
"""Efficiency that no supply of a server exceeds: own estimate, above the 96.5 % that the highest 80 PLUS class asks for at half load."""
GAIN_INTERVAL = (0.946, 1.054)
"""90 % interval of the quotient of two meters' gains: READ_PIN within 5 %, READ_IOUT within 2 % of the reading above 20 % load,
independent (Intel Server System R2000IP technical product specification, table 33)."""


def supply_priors(rated_w: float) -> tuple[Prior, ...]:
    """What is known of supplies of so much rated power before a reading.

    The middle is the quadratic through the Titanium floors at 10, 20 and 50 % load (the floor at full load is lax, measured curves lie
    above it); the spread is own estimate and reaches from Gold to a supply with half the losses of Titanium.
    """
    share = np.asarray([s for s, _ in TITANIUM[:3]])
    loss = np.asarray([s * (1.0 / e - 1.0) for s, e in TITANIUM[:3]])
    c, b, a = np.polyfit(share, loss, 2)
    source = "80 PLUS Titanium floors"
    return (
        Prior("a_w", a * rated_w, (0.4 * a * rated_w, 2.5 * a * rated_w), source, log=True),
        Prior("b_frac", b, (b - 0.025, b + 0.025), source),
        Prior("c_per_w", c / rated_w, (0.4 * c / rated_w, 2.5 * c / rated_w), source, log=True),
        Prior("gain", 1.0, GAIN_INTERVAL, "accuracy of supply telemetry (READ_PIN, READ_IOUT)", bounds=(0.8, 1.25)),
    )


def input_w(values: dict[str, float], output_w: Floats) -> Floats:
    """Power into the supplies at power out of them, ``P + a + b P + c P^2``."""
    return np.asarray(output_w + values["a_w"] + values["b_frac"] * output_w + values["c_per_w"] * output_w**2)


def output_w(values: dict[str, float], fed_w: Floats) -> Floats:
    """Power out of the supplies at power into them: the positive root of the loss curve."""
    linear, rest = 1.0 + values["b_frac"], np.maximum(fed_w - values["a_w"], 0.0)
    return np.asarray(2.0 * rest / (linear + np.sqrt(linear**2 + 4.0 * values["c_per_w"] * rest)))


def efficiency(values: dict[str, float], fed_w: float) -> float:
    """Share of the power fed that leaves the supplies."""
    return float(output_w(values, np.asarray(fed_w)) / fed_w)


def titanium_floor(share: float) -> float:
    """Least efficiency of a Titanium supply, straight between its points."""
    shares, least = zip(*TITANIUM, strict=True)
    return float(np.interp(share, shares, least))


@dataclass(frozen=True)
class SupplyFit:
    """Calibrated supplies.

    Attributes:
        calibration: ``a_w``, ``b_frac``, ``c_per_w`` and ``gain``.
        predicted_w: (T,) the other reading, predicted from the steadier one.
        measured_w: (T,) it, as measured.
        from_ac: whether the steadier reading is that before the supplies.
        load_w: mean power fed where the fit may look.
        efficiency_frac: efficiency at that load.
        efficiency_interval: its 90 % interval.
        product_frac: gain times efficiency, which is all that readings at one load can tell.
        product_interval: its 90 % interval.
    """

    calibration: Calibration
    predicted_w: Floats
    measured_w: Floats
    from_ac: bool
    load_w: float
    efficiency_frac: float
    efficiency_interval: tuple[float, float]
    product_frac: float
    product_interval: tuple[float, float]


def fit_supply(ac_w: Floats, dc_w: Floats, unrest: tuple[float, float], fit: Bools, rated_w: float) -> SupplyFit:
    """Fit a loss curve and the quotient of two meters' gains.

    Args:
        ac_w: (T,) readings before the supplies, means over blocks of time.
        dc_w: (T,) readings after them.
        unrest: movement of AC and DC readings inside the blocks (any unit, the same for both). The steadier reading is the one
            that the other is predicted from: noise of what one predicts from would pull the slope towards zero.
        fit: (T,) blocks that may fit.
        rated_w: power that the supplies are rated for.

    Returns:
        The fit, with the other reading predicted for all blocks.
    """
    from_ac = unrest[0] <= unrest[1]
    measured = dc_w if from_ac else ac_w

    def predicted(values: dict[str, float]) -> Floats:
        if from_ac:
            return values["gain"] * output_w(values, ac_w)
        return input_w(values, dc_w / values["gain"])

    def model(values: dict[str, float]) -> Sequence[Block]:
        return [Block("reading", (predicted(values) - measured)[fit], 0.01 * float(np.nanmean(measured[fit])))]

    calibration = calibrate(model, supply_priors(rated_w))
    values, load = calibration.values, float(np.nanmean(ac_w[fit]))
    low, high = calibration.interval(lambda v: efficiency(v, load))
    return SupplyFit(
        calibration=calibration,
        predicted_w=predicted(values),
        measured_w=measured,
        from_ac=from_ac,
        load_w=load,
        efficiency_frac=efficiency(values, load),
        efficiency_interval=(low, min(high, 1.0)),
        product_frac=values["gain"] * efficiency(values, load),
        product_interval=calibration.interval(lambda v: v["gain"] * efficiency(v, load)),
    )
