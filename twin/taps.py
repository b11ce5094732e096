"""Voltage at each rack's tap on a busway, from the tree solver: what the lumped element cannot say.

The chain takes a busway whose load hangs along its length as one element with the voltage of its far end. Here each cord on it is a tap
of its own, in the order of rows and places, at equal distances from the busway's entry to its far end.
"""

from __future__ import annotations

import numpy as np

from topology.axes import Floats, Ints
from topology.plant import Plant
from twin.solvers.radial import radial, solve_radial
from twin.state import SteadyState


def tap_voltages(plant: Plant, state: SteadyState) -> Floats:
    """Voltage over nominal at each cord.

    Args:
        plant: the plant.
        state: S scenarios of it.

    Returns:
        (S, R, 2) voltage over nominal at cords A and B, 0 where there is none; that of the feeding element's output where its load does
        not hang along its length.

    Raises:
        NotConverged: a tap asks for more than its voltage can carry.
    """
    power, racks = plant.power, plant.racks
    volts = state.power.voltage_frac[:, racks.feed] * (racks.feed >= 0)
    cords = _cords(plant)
    if not cords.size:
        return volts
    element = racks.feed[cords[:, 0], cords[:, 1]]
    owners, number, count = np.unique(element, return_inverse=True, return_counts=True)
    first = np.append(True, element[1:] != element[:-1])
    parent = np.where(first, -1, np.arange(element.size) - 1)
    share = 1.0 / count[number]
    net = radial(
        parent, power.r_per_w[element] * share, power.x_per_w[element] * share, np.arange(element.size),
        ids=[f"{racks.ids[r]} on {power.ids[e]}" for (r, _), e in zip(cords, element, strict=True)], source=number,
    )  # fmt: skip
    before = state.power.voltage_frac[:, owners] + state.power.drop_frac[:, owners]
    load = state.power.cord_w[:, cords[:, 0], cords[:, 1]]
    tan = np.where(power.direct[element], 0.0, np.tan(np.arccos(racks.power_factor[cords[:, 0]])))
    live = before[:, number] > 0.0
    found = solve_radial(net, np.where(live, load, 0.0), np.where(live, load * tan, 0.0), before)
    volts[:, cords[:, 0], cords[:, 1]] = found.voltage_frac
    return volts


def _cords(plant: Plant) -> Ints:
    """(T, 2) rack and cord of every tap on a busway that is loaded along its length, by busway, row and place."""
    power, racks, site = plant.power, plant.racks, plant.site
    along = power.spread & ((power.r_per_w > 0.0) | (power.x_per_w > 0.0))
    places = [site.positions[r.position] for r in site.racks.values()]
    found = [
        (int(racks.feed[r, c]), places[r].row, places[r].place, r, c)
        for r in range(racks.n)
        for c in range(2)
        if racks.feed[r, c] >= 0 and along[racks.feed[r, c]]
    ]
    return np.asarray([(r, c) for *_, r, c in sorted(found)], dtype=np.int64).reshape(-1, 2)
