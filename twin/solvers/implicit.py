"""One implicit step of the small systems that a plant is made of: SDIRK2, L-stable, second order.

Both stages have the diagonal ``g = 1 - 1/sqrt(2)`` and the last stage is the answer (Alexander, SIAM J. Numer. Anal. 14, 1977, p. 1006):
``X1 = T + g h f(X1)``, ``X2 = T + (1 - g) h f(X1) + g h f(X2)``. The mean of a flux over the step has the weights ``1 - g`` and ``g``; what
one element gives with that mean the next receives, so energy closes to rounding whatever the step.
"""

from __future__ import annotations

import math

from twin.solvers.jit import kernel

GAMMA = 1.0 - 1.0 / math.sqrt(2.0)
"""Diagonal of both stages."""


@kernel
def plate_stage(
    gh_s: float, metal_j_k: float, water_j_k: float, rest_j_k: float, b_metal_c: float, b_water_c: float, b_rest_c: float, heat_w: float,
    rest_w: float, plate_w_k: float, through_w_k: float, flow_w_k: float, inlet_c: float,
) -> tuple[float, float, float]:  # fmt: skip
    """One stage of a liquid-cooled rack: plate metal, coolant in the plates, coolant in the rest of the rack.

    Args:
        gh_s: g times the step.
        metal_j_k: heat capacity of all plates.
        water_j_k: heat capacity of the coolant in them.
        rest_j_k: heat capacity of the rest of the rack's coolant.
        b_metal_c: start of the stage, metal.
        b_water_c: start of the stage, coolant in the plates.
        b_rest_c: start of the stage, the rest.
        heat_w: heat into the metal.
        rest_w: heat straight into the rest.
        plate_w_k: conductance from metal to the coolant in the plates.
        through_w_k: capacity rate through the plates.
        flow_w_k: capacity rate of the rack.
        inlet_c: coolant at the rack's inlet.

    Returns:
        Temperatures of the three at the stage.
    """
    a11, a12 = metal_j_k + gh_s * plate_w_k, -gh_s * plate_w_k
    a22 = water_j_k + gh_s * (plate_w_k + through_w_k)
    r1 = metal_j_k * b_metal_c + gh_s * heat_w
    r2 = water_j_k * b_water_c + gh_s * through_w_k * inlet_c
    det = a11 * a22 - a12 * a12
    metal = (r1 * a22 - a12 * r2) / det
    water = (a11 * r2 - a12 * r1) / det
    mixed = through_w_k * water + (flow_w_k - through_w_k) * inlet_c + rest_w
    rest = (rest_j_k * b_rest_c + gh_s * mixed) / (rest_j_k + gh_s * flow_w_k)
    return metal, water, rest


@kernel
def wall_stage(gh_s: float, wall_j_k: float, b_wall_c: float, hot_w_k: float, cold_w_k: float, hot_in_c: float, cold_in_c: float) -> float:
    """One stage of an exchanger's wall between a hot and a cold inlet, each with its own conductance."""
    return (wall_j_k * b_wall_c + gh_s * (hot_w_k * hot_in_c + cold_w_k * cold_in_c)) / (wall_j_k + gh_s * (hot_w_k + cold_w_k))


@kernel
def node_stage(gh_s: float, node_j_k: float, b_node_c: float, flow_w_k: float, inlet_c: float, heat_w: float) -> float:
    """One stage of a stirred volume with a through flow and a heat."""
    return (node_j_k * b_node_c + gh_s * (flow_w_k * inlet_c + heat_w)) / (node_j_k + gh_s * flow_w_k)


@kernel
def second_start(first_c: float, start_c: float) -> float:
    """Start of the second stage from the first stage and the start of the step: ``T + (1 - g) h f(X1)``."""
    return start_c + (1.0 - GAMMA) / GAMMA * (first_c - start_c)


@kernel
def mean_of(x: float, y: float) -> float:
    """Mean over the step of what the two stages say."""
    return (1.0 - GAMMA) * x + GAMMA * y
