"""Temperature of the hottest accelerator of each rack: coolant in, rise along its path, plate, and the leakage that follows.

The hottest position is the last plate of a path: its coolant has passed the parts ahead of it (a processor, or other
accelerators in series). ``T = T_in + (P_ahead + f P) / (m_path c) + R(q) P`` with f the heat of accelerators ahead over the power of
one. Memory sits on the same package and runs ``r_memory P`` above the junction.

Leakage: ``P = P_ref (1 + k (T - T_ref))``. Together with the line above this is linear in P, so a rack has a closed form for given
coolant: ``P = P_ref (1 + k (T_0 - T_ref)) / (1 - g)`` with ``g = P_ref k dT/dP``. Where g reaches 1 there is no steady
temperature: thermal runaway, which is reported. A chip throttles at its limit, so power grows no further from there on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from topology.axes import Bools, Floats
from topology.errors import NotConverged
from topology.plant import Plant
from twin.loads import with_chip_power
from twin.state import HeatState, Loads

LEAKAGE_TOLERANCE = 1e-10
"""Relative change of accelerator power between rounds at which leakage counts as settled."""
LEAKAGE_ROUNDS = 80


@dataclass(frozen=True)
class Plates:
    """What the coolant does for the last accelerator of each rack.

    Attributes:
        inlet_c: (S, R) coolant (or air) at the inlet of the last plate without accelerators ahead of it.
        series_k_w: (S, R) warming by accelerators ahead, for each watt of one.
        plate_k_w: (S, R) junction to coolant at the plate's inlet.
    """

    inlet_c: Floats
    series_k_w: Floats
    plate_k_w: Floats

    def chip_c(self, chip_w: Floats) -> Floats:
        """(S, R) accelerator temperature at a power of one [W]."""
        return self.inlet_c + (self.series_k_w + self.plate_k_w) * chip_w


def plates(plant: Plant, loads: Loads, rack_kg_s: Floats, coolant_c: Floats) -> Plates:
    """Work out paths and plates of every rack.

    Args:
        plant: the plant.
        loads: (S, R) loads.
        rack_kg_s: (S, R) coolant flow of each rack, 0 without liquid; or (1, R) that serves every scenario.
        coolant_c: (S, R) coolant at its inlet, or inlet air.
    """
    racks = plant.racks
    hung = racks.manifold >= 0
    cp = np.where(hung, plant.loops.cp_j_kg_k[plant.manifolds.loop[racks.manifold]] if plant.manifolds.n else 1.0, 1.0)
    wet = hung & (rack_kg_s > 0.0)
    path_w_k = rack_kg_s * racks.path_share_frac * cp
    thin = wet & (path_w_k > 0.0)
    rise = coolant_c
    if loads.ahead_w is not None:
        rise = coolant_c + np.divide(loads.ahead_w, path_w_k, out=np.zeros(loads.ahead_w.shape), where=thin)
    series = np.divide(np.broadcast_to(racks.series_frac, path_w_k.shape), path_w_k, out=np.zeros_like(path_w_k), where=thin)
    q = rack_kg_s * racks.plate_share_frac
    flowing = wet & (q > 0.0)
    film = racks.r_base_k_w + np.where(flowing, racks.r_flow * np.where(flowing, q, 1.0) ** -racks.r_exponent, 0.0)
    return Plates(rise, series, np.where(racks.r_air_k_w > 0.0, racks.r_air_k_w, film))


def leaking_w(plant: Plant, at_reference_w: Floats, state: Plates, dry: Bools) -> tuple[Floats, Bools]:
    """Power of one accelerator with leakage, in closed form for given coolant.

    Args:
        plant: the plant.
        at_reference_w: (S, R) power at the chip's reference temperature.
        state: coolant and resistances.
        dry: (S, R) liquid heat of the rack is not carried away.

    Returns:
        (S, R) power, no further than at the temperature limit, and whether it runs away.
    """
    racks = plant.racks
    k = racks.leakage_frac_k
    gain = at_reference_w * k * (state.series_k_w + state.plate_k_w)
    most = at_reference_w * (1.0 + k * (racks.chip_limit_c - racks.leakage_ref_c))
    away = (gain >= 1.0) & (at_reference_w > 0.0)
    free = at_reference_w * (1.0 + k * (state.inlet_c - racks.leakage_ref_c)) / np.where(away, 1.0, 1.0 - gain)
    power: Floats = np.where(away | dry, most, np.clip(free, 0.0, most))
    return np.where(k > 0.0, power, at_reference_w), away


H = TypeVar("H")


def settle_leakage(
    plant: Plant, loads: Loads, rack_kg_s: Floats, solve: Callable[[Loads], H], heat_of: Callable[[H], HeatState]
) -> tuple[H, Loads, Bools]:
    """Repeat the heat balance until accelerator power and temperature agree; one round where set-points are held.

    Args:
        plant: the plant.
        loads: (S, R) loads with accelerators at their reference temperature.
        rack_kg_s: (S, R) coolant flows.
        solve: heat balance of loads.
        heat_of: the temperatures in its result.

    Returns:
        The last balance, the loads that it was made for, and (S, R) racks whose accelerators run away.

    Raises:
        NotConverged: power still moves; carries the scenario and the last change.
    """
    racks = plant.racks
    hung = racks.manifold >= 0
    air = plant.halls.air_supply_c[racks.hall]
    first = np.where(hung, plant.loops.supply_c[plant.manifolds.loop[racks.manifold]], air) if plant.manifolds.n else air
    dry = hung & (rack_kg_s <= 0.0) & (loads.liquid_w > 0.0)
    guess = plates(plant, loads, rack_kg_s, np.broadcast_to(first, rack_kg_s.shape))
    power, away = leaking_w(plant, loads.chip_w, guess, dry)
    change = np.zeros(0)
    for _ in range(LEAKAGE_ROUNDS):
        now = with_chip_power(plant, loads, power)
        answer = solve(now)
        again, away = leaking_w(plant, loads.chip_w, plates(plant, now, rack_kg_s, heat_of(answer).coolant_c), dry)
        change = np.abs(again - power) / np.maximum(power, 1.0)
        if change.max(initial=0.0) <= LEAKAGE_TOLERANCE:
            return answer, replace(now, at_reference=False), away
        power = again
    s, r = np.unravel_index(int(change.argmax()), change.shape)
    raise NotConverged(
        f"leakage of rack {racks.ids[r]} did not settle in {LEAKAGE_ROUNDS} rounds: its accelerators still move by {change[s, r]:.1e}",
        element=racks.ids[r], scenario=int(s), residual=float(change[s, r]),
    )  # fmt: skip
