"""Power swings of a training job between its supply and the utility.

A synchronous job moves thousands of accelerators between compute and communication at 0.1 to 20 Hz (arXiv 2508.14318). Each conversion
with a controlled input holds its output by a capacitor and follows the load with a bandwidth, so what goes in swings as
``A / sqrt(1 + (f / f_c)^2)`` of what comes out (first order; the loss of a stage does not swing with it here).

Bandwidths are estimates: a power-factor-corrected supply closes its voltage loop below a fifth of twice the mains frequency so as not to
distort the current, 10 to 20 Hz; a double-conversion UPS holds its DC bus with a slower loop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from topology.axes import Floats
from topology.plant import Plant
from twin.solvers.power import solve_power, supply
from twin.state import Loads, SteadyState

SUPPLY_HZ = 12.0
"""Bandwidth of a rack's supplies."""
UPS_HZ = 3.0
"""Bandwidth of a double-conversion UPS's rectifier."""


@dataclass(frozen=True)
class Swing:
    """A swing as each part of the chain sees it, amplitude from mean to peak.

    Attributes:
        swing_hz: frequency.
        chips_w: at the accelerators, all racks together.
        racks_w: at the racks' inputs.
        ups_w: (N,) at the output of each power element.
        into_w: (N,) at the input of each power element.
        utility_w: at all sources together.
        utility_frac: that over the power drawn from them.
    """

    swing_hz: float
    chips_w: float
    racks_w: float
    ups_w: Floats
    into_w: Floats
    utility_w: float
    utility_frac: float


def attenuation(rate_hz: float, bandwidth_hz: float) -> float:
    """Amplitude at the input of a stage over that at its output.

    Args:
        rate_hz: frequency of the swing.
        bandwidth_hz: bandwidth of the stage.

    >>> round(attenuation(12.0, 12.0), 4)
    0.7071
    """
    return 1.0 / math.sqrt(1.0 + (rate_hz / bandwidth_hz) ** 2)


def swing(plant: Plant, start: SteadyState, rate_hz: float, depth_frac: float) -> Swing:
    """Follow a swing of all accelerators at once up the power chain.

    Args:
        plant: the plant.
        start: the steady state, one scenario.
        rate_hz: frequency.
        depth_frac: peak to peak over the accelerators' power.

    Returns:
        Amplitudes; heat sees only the mean.
    """
    racks = plant.racks
    count = np.asarray([s.accelerators for s in racks.skus], dtype=np.float64)[racks.sku]
    chips = 0.5 * depth_frac * count * start.loads.chip_w[0]
    gain = np.divide(start.loads.rack_w[0], start.loads.it_w[0], out=np.ones(racks.n), where=start.loads.it_w[0] > 0.0)
    at_input = chips * gain * attenuation(rate_hz, SUPPLY_HZ)
    ups = np.asarray([kind == "ups" for kind in plant.power.kind], dtype=bool)
    passed = np.where(ups, attenuation(rate_hz, UPS_HZ), 1.0)
    chain = supply(plant, start.outages.sets)
    zero = Loads(at_input[None, :], at_input[None, :], np.zeros((1, racks.n)), np.zeros((1, racks.n)), start.loads.present)
    both = np.concatenate([plant.power.parents, plant.power.transfer], axis=1)
    out = np.zeros(plant.power.n)
    cords = solve_power(plant, chain, start.outages.index, zero, np.zeros((1, plant.gear.n))).cord_w[0]
    for k in (0, 1):
        on = racks.feed[:, k] >= 0
        np.add.at(out, racks.feed[on, k], cords[on, k])
    total = 0.0
    for e in plant.power.order[::-1]:
        weight = chain.weight[0, e]
        for j, w in zip(both[e], weight, strict=True):
            if w > 0.0 and j >= 0:
                out[j] += w * out[e] * passed[e]
        if not (weight > 0.0).any():
            total += out[e] * passed[e]
    drawn = float(start.power.source_w[0])
    return Swing(
        rate_hz, float(chips.sum()), float(at_input.sum()), out, out * passed, float(total), float(total) / drawn if drawn > 0.0 else 0.0
    )
