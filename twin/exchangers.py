"""What one coolant distribution unit can do: its exchanger at any flows, and ratings of different makers made comparable.

Makers rate at an approach (supply to the racks minus cold supply) of 3, 4 or 5 K and at flows of their own, so duties in print
do not compare. Everything here goes through the conductance of the rating point (:func:`topology.ratings.counterflow_ua_w_k`)
and its law off it (:func:`twin.solvers.bank.conductance_w_k`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import NDArray

from topology.plant import Plant
from twin.solvers.bank import Exchangers, conductance_w_k, reach_w_k
from twin.solvers.jit import plain
from twin.state import V

OCP_APPROACH_K = 5.0
"""Approach of the common convention (OCP liquid-to-liquid CDU white paper R1, section 3.3.2.4)."""
OCP_FLOW_M3_J = 1.5e-3 / 60.0 / 1e3
"""Flow for each watt of that convention, on both sides: 1.5 L/min a kW [m3/J]."""
VENDOR_APPROACHES_K = (3.0, 4.0, 5.0)
"""Approaches that makers rate at [K]."""


@dataclass(frozen=True)
class Unit:
    """One exchanger with the coolants that flow in it.

    Attributes:
        x: its rating, arrays of one element.
        duty_w: rated heat.
        hot_kg_s: rated flow, IT side.
        cold_kg_s: rated flow, cold side.
        hot_rho_kg_m3: density of the IT side's coolant.
        cold_rho_kg_m3: density of the cold side's, 0 for air.
    """

    x: Exchangers
    duty_w: float
    hot_kg_s: float
    cold_kg_s: float
    hot_rho_kg_m3: float
    cold_rho_kg_m3: float

    def ua_w_k(self, hot_kg_s: float, cold_kg_s: float) -> float:
        """Conductance at given flows [W/K]."""
        return float(conductance_w_k(self.x, 0, hot_kg_s, cold_kg_s))

    def rates_w_k(self, hot_kg_s: float, cold_kg_s: float) -> tuple[float, float]:
        """Capacity rates of both sides [W/K]."""
        return hot_kg_s * float(self.x.hot_cp_j_kg_k[0]), cold_kg_s * float(self.x.cold_cp_j_kg_k[0])

    def ntu(self, hot_kg_s: float, cold_kg_s: float) -> float:
        """Number of transfer units at given flows, 0 without flow."""
        low = min(self.rates_w_k(hot_kg_s, cold_kg_s))
        return self.ua_w_k(hot_kg_s, cold_kg_s) / low if low > 0.0 else 0.0

    def effectiveness(self, hot_kg_s: float, cold_kg_s: float) -> float:
        """Heat over the most that any exchanger could carry, 0 without flow."""
        low = min(self.rates_w_k(hot_kg_s, cold_kg_s))
        return float(reach_w_k(self.x, 0, hot_kg_s, cold_kg_s)) / low if low > 0.0 else 0.0

    def duty_at_w(self, approach_k: float, hot_kg_s: float, cold_kg_s: float) -> float:
        """Heat at an approach and flows, valve open: ``Q = E a / (1 - E / C_hot)`` with ``E = eps C_min`` [W]."""
        if hot_kg_s <= 0.0 or cold_kg_s <= 0.0:
            return 0.0
        reach = float(reach_w_k(self.x, 0, hot_kg_s, cold_kg_s))
        return reach * approach_k / (1.0 - reach / self.rates_w_k(hot_kg_s, cold_kg_s)[0])

    def approach_k(self, duty_w: float, hot_kg_s: float, cold_kg_s: float) -> float:
        """Approach at a heat and flows, valve open; infinite without flow [K]."""
        if hot_kg_s <= 0.0 or cold_kg_s <= 0.0:
            return math.inf
        reach = float(reach_w_k(self.x, 0, hot_kg_s, cold_kg_s))
        return duty_w * (1.0 / reach - 1.0 / self.rates_w_k(hot_kg_s, cold_kg_s)[0])


def unit(plant: Plant, cdu: int) -> Unit:
    """The exchanger of one CDU of a plant, with the coolants of its loops.

    Args:
        plant: the plant.
        cdu: index on the CDU axis.
    """
    axis, loops = plant.cdus, plant.loops
    one = slice(cdu, cdu + 1)

    def at(values: NDArray[V]) -> NDArray[V]:
        return plain(values[one])

    x = Exchangers(
        at(axis.hot_kg_s), at(axis.cold_kg_s), at(axis.hot_cp_j_kg_k), at(axis.cold_cp_j_kg_k), at(axis.ua_w_k), at(axis.hot_exponent),
        at(axis.cold_exponent), at(axis.hot_share_frac), at(axis.fouling_k_w), at(axis.firmware),
    )  # fmt: skip
    fws = int(axis.fws[cdu])
    return Unit(
        x, float(axis.duty_w[cdu]), float(axis.hot_kg_s[cdu]), float(axis.cold_kg_s[cdu]), float(loops.rho_kg_m3[axis.loop[cdu]]),
        float(loops.rho_kg_m3[fws]) if fws >= 0 else 0.0,
    )  # fmt: skip


@dataclass(frozen=True)
class Comparable:
    """The rating of a unit at a common convention.

    Attributes:
        duty_w: heat.
        approach_k: approach there; below the convention's where flow is the limit.
        limit: ``approach``, or ``flow`` where the unit reaches its rated flow before that approach.
    """

    duty_w: float
    approach_k: float
    limit: str


def comparable_duty(of: Unit, approach_k: float = OCP_APPROACH_K, flow_m3_j: float = OCP_FLOW_M3_J) -> Comparable:
    """Largest heat of a unit at an approach, both flows in proportion to that heat and none above its rating.

    Flow in proportion keeps both temperature rises, so the approach rises with heat only as films fall behind flow: nearly flat.
    That is why a unit with few litres a kW in its rating is limited by flow here.

    Args:
        of: the unit, liquid on both sides.
        approach_k: largest approach.
        flow_m3_j: flow for each watt on both sides [m3/J].

    Returns:
        Heat, approach and what limits; a unit with air on its cold side keeps its rated flows and is limited by approach.
    """
    if of.cold_rho_kg_m3 <= 0.0:
        return Comparable(of.duty_at_w(approach_k, of.hot_kg_s, of.cold_kg_s), approach_k, "approach")

    def approach(duty_w: float) -> float:
        return of.approach_k(duty_w, duty_w * flow_m3_j * of.hot_rho_kg_m3, duty_w * flow_m3_j * of.cold_rho_kg_m3)

    most = min(of.hot_kg_s / of.hot_rho_kg_m3, of.cold_kg_s / of.cold_rho_kg_m3) / flow_m3_j
    if approach(most) <= approach_k:
        return Comparable(most, approach(most), "flow")
    low, high = 0.0, most
    for _ in range(80):
        mid = 0.5 * (low + high)
        low, high = (mid, high) if approach(mid) <= approach_k else (low, mid)
    return Comparable(low, approach_k, "approach")
