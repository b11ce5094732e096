"""From a plant and a steady state to what the transient kernels work on, at rest in that state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, ExchangerAxis, Floats, Ints
from topology.errors import SolveError
from topology.inertia import STEEL_J_KG_K, Inertia, inertia
from topology.plant import Plant
from twin.solvers.bank import Exchangers
from twin.solvers.momentum import Branches
from twin.solvers.scatter import grouped
from twin.solvers.transient_halls import AIR_CP
from twin.solvers.transient_parts import ExchangerParts, HallParts, LoopParts, RackParts
from twin.state import SteadyState
from twin.transient.curves import FlowCurves, flow_curves
from twin.transient.rest import branches

SHUTDOWN_K = 5.0
"""Junction above its throttle limit at which an accelerator shuts itself down (a data centre GPU throttles at 87 degC and shuts down
at 92 degC by its driver's own report; estimate for all others)."""
NET_BOUNDS = (0.25, 2.0)
"""Bounds of the resistance between plate and its coolant over that at the start: channels are laminar, so flow hardly matters to it."""
LEAST_NET = 0.05
"""Least share of the plate's law that lies between metal and coolant."""
SINK_SLEW_S = 30.0
"""Time in which heat rejection goes from nothing to all, where no tower says otherwise."""
CHILLER_LAG_S = 30.0
"""Time constant of a chiller that loads (estimate; vane and drive travel)."""
LEAST_SINK_S = 20.0
"""Water that a facility loop without towers holds at its coolers, in seconds of its flow (estimate)."""


@dataclass(frozen=True)
class Parts:
    """Constants of a ride.

    Attributes:
        plant: the plant.
        mass: what it stores.
        racks: racks.
        loops: loops.
        cx: ratings of CDUs.
        cdus: CDUs.
        ax: ratings of air units.
        units: air units.
        halls: halls.
        branches: branches of the loops.
        ramp_per_s: (B,) ramp of each branch's drives.
        curves: flow of racks by header pressure.
    """

    plant: Plant
    mass: Inertia
    racks: RackParts
    loops: LoopParts
    cx: Exchangers
    cdus: ExchangerParts
    ax: Exchangers
    units: ExchangerParts
    halls: HallParts
    branches: Branches
    ramp_per_s: Floats
    curves: FlowCurves


def prepare(plant: Plant, start: SteadyState) -> Parts:
    """Lay out a plant for a ride that begins in a steady state.

    Args:
        plant: the plant.
        start: one scenario.

    Returns:
        Constants; laws are anchored so that the start is a state of rest (:mod:`twin.transient.start` adds the last of them).

    Raises:
        SolveError: the start has no steady temperature; names what is not cooled.
    """
    _steady_at_all(plant, start)
    mass = inertia(plant)
    curves = flow_curves(plant, start.loads.present[0])
    made, efficiency, fixed, ramp = branches(plant, mass, curves)
    loops = _loops(plant, mass, made, efficiency, fixed)
    return Parts(
        plant, mass, _racks(plant, mass, start), loops, ratings(plant.cdus), _cdus(plant, mass), ratings(plant.air_units),
        _units(plant, mass), _halls(plant, mass), made, ramp, curves,
    )  # fmt: skip


def _steady_at_all(plant: Plant, start: SteadyState) -> None:
    on = start.loads.rack_w[0] > 0.0
    heat = start.heat
    bad = on & ~(np.isfinite(heat.chip_c[0]) & np.isfinite(heat.inlet_c[0]) & np.isfinite(heat.rack_return_c[0]))
    if bad.any():
        r = int(np.argmax(bad))
        raise SolveError(
            f"a ride begins in a steady state, and rack {plant.racks.ids[r]} has none: nothing carries its heat away "
            f"({int(bad.sum())} racks); see `racktwin solve`", element=plant.racks.ids[r],
        )  # fmt: skip


def _plain(values: Floats) -> Floats:
    return np.array(values, dtype=np.float64)


def ratings(axis: ExchangerAxis) -> Exchangers:
    """Ratings of exchangers for the kernels, in arrays of their own."""
    return Exchangers(
        _plain(axis.hot_kg_s), _plain(axis.cold_kg_s), _plain(axis.hot_cp_j_kg_k), _plain(axis.cold_cp_j_kg_k), _plain(axis.ua_w_k),
        _plain(axis.hot_exponent), _plain(axis.cold_exponent), _plain(axis.hot_share_frac), _plain(axis.fouling_k_w),
        np.array(axis.firmware, dtype=np.bool_),
    )  # fmt: skip


def _racks(plant: Plant, mass: Inertia, start: SteadyState) -> RackParts:
    racks, loops = plant.racks, plant.loops
    wet = racks.manifold >= 0
    loop = np.where(wet, plant.manifolds.loop[racks.manifold], -1) if plant.manifolds.n else np.full(racks.n, -1)
    cp = np.where(wet, loops.cp_j_kg_k[loop], 1.0)
    cooled = wet & (racks.plate_share_frac > 0.0) & (racks.r_air_k_w <= 0.0)
    plates = np.where(cooled | (racks.r_air_k_w > 0.0), mass.plates, 0.0)
    through = np.where(cooled, np.minimum(racks.plate_share_frac * mass.plates, 1.0), 0.0)
    liquid = np.where(cooled, mass.chip_liquid_frac, 0.0)
    anchor, net, r_air = _anchors(plant, mass, start, cooled, through, liquid, cp)
    limit = np.stack([
        racks.chip_limit_c, racks.memory_limit_c, racks.coolant_limit_c, racks.return_limit_c, racks.inlet_limit_c,
        racks.chip_limit_c + SHUTDOWN_K,
    ], axis=1)  # fmt: skip
    return RackParts(
        loop.astype(np.int64), _ints(racks.hall), plates, liquid, mass.plate_j_k.copy(), np.maximum(mass.plate_kg, 1e-3) * cp,
        mass.rack_kg * cp, cp.astype(np.float64), through, np.where(cooled, racks.plate_share_frac, 0.0), _plain(racks.r_base_k_w),
        _plain(racks.r_flow), _plain(racks.r_exponent), anchor, net, r_air, _plain(racks.r_memory_k_w), np.ascontiguousarray(limit),
    )  # fmt: skip


def _anchors(
    plant: Plant, mass: Inertia, start: SteadyState, cooled: Bools, through: Floats, liquid: Floats, cp: Floats
) -> tuple[Floats, Floats, Floats]:
    """Factors on the plate laws, bounds between plate and its coolant (R, 2), and junction to air of air-cooled chips."""
    racks, heat = plant.racks, start.heat
    power, flow = start.loads.chip_w[0], start.flow.rack_kg_s[0]
    on = (power > 0.0) & np.isfinite(heat.chip_c[0])
    m = np.where(flow > 0.0, flow, racks.flow_kg_s)
    q = np.where(cooled & (m > 0.0), m * racks.plate_share_frac, 1.0)
    law = racks.r_base_k_w + racks.r_flow * q**-racks.r_exponent
    seen = np.divide(heat.chip_c[0] - heat.coolant_c[0], power, out=law.copy(), where=on & cooled & (flow > 0.0))
    anchor = np.divide(seen, law, out=np.ones(racks.n), where=cooled & (law > 0.0))
    warming = np.divide(mass.plates * liquid, through * m * cp, out=np.zeros(racks.n), where=cooled & (m > 0.0))
    net = np.where(cooled, np.maximum(seen - warming, LEAST_NET * seen), 1.0)
    inlet = np.where(np.isfinite(heat.inlet_c[0]), heat.inlet_c[0], 0.0)
    r_air = np.divide(heat.chip_c[0] - inlet, power, out=_plain(racks.r_air_k_w), where=on & (racks.r_air_k_w > 0.0))
    return anchor, net[:, None] * np.asarray(NET_BOUNDS), r_air


def _ints(values: Ints) -> Ints:
    return np.array(values, dtype=np.int64)


def _loops(plant: Plant, mass: Inertia, made: Branches, efficiency: Floats, fixed: Floats) -> LoopParts:
    loops, manifolds = plant.loops, plant.manifolds
    m_order, m_first = grouped(manifolds.loop, loops.n)
    sizes = np.diff(manifolds.first)[m_order]
    p_first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    places = [manifolds.racks[manifolds.first[m] : manifolds.first[m + 1]] for m in m_order]
    place_rack = np.concatenate(places).astype(np.int64) if places else np.zeros(0, np.int64)
    c_order, c_first = grouped(plant.cdus.loop, loops.n)
    stored, slew = _sinks(plant, mass)
    pumped = np.where(loops.fws, np.diff(made.first) > 0, True)
    return LoopParts(
        np.array(loops.fws), _plain(loops.cp_j_kg_k), _plain(loops.rho_kg_m3), _plain(loops.supply_c), _plain(loops.supply_limit_c),
        mass.mains_kg.copy(), m_first, p_first, place_rack, c_order, c_first, stored, pumped, efficiency, fixed,
        np.full(loops.n, CHILLER_LAG_S), slew,
    )  # fmt: skip


def _sinks(plant: Plant, mass: Inertia) -> tuple[Floats, Floats]:
    """(L,) what heat rejection stores, and how fast it changes."""
    loops, towers = plant.loops, plant.towers
    stored = LEAST_SINK_S * mass.rated_kg_s * loops.cp_j_kg_k
    slew = np.full(loops.n, 1.0 / SINK_SLEW_S)
    basins = np.zeros(loops.n)
    np.add.at(basins, towers.fws, mass.basin_kg)
    stored = np.where(basins > 0.0, basins * loops.cp_j_kg_k, stored)
    np.minimum.at(slew, towers.fws, 1.0 / mass.tower_ramp_s)
    return stored, slew


def _cdus(plant: Plant, mass: Inertia) -> ExchangerParts:
    c = plant.cdus
    zero = np.zeros(c.n)
    return ExchangerParts(
        _ints(c.fws), _ints(c.hall), _plain(c.cold_kg_s), _plain(c.hot_kg_s), _plain(c.hot_cp_j_kg_k), _plain(c.cold_cp_j_kg_k),
        mass.cdu_hot_kg * c.hot_cp_j_kg_k, mass.cdu_wall_j_k.copy(), mass.cdu_cold_kg * c.cold_cp_j_kg_k, np.ones(c.n),
        _plain(plant.loops.supply_c[c.loop]) if c.n else zero, 1.0 / mass.cdu_valve_s, _plain(c.fan_w), _plain(c.aux_w), _plain(c.duty_w),
        zero.copy(), np.full(c.n, 8.0), np.array(c.firmware, dtype=np.bool_),
    )  # fmt: skip


def _units(plant: Plant, mass: Inertia) -> ExchangerParts:
    u = plant.air_units
    return ExchangerParts(
        _ints(u.fws), _ints(u.hall), _plain(u.cold_kg_s), _plain(u.hot_kg_s), _plain(u.hot_cp_j_kg_k), _plain(u.cold_cp_j_kg_k),
        np.zeros(u.n), mass.coil_j_k.copy(), mass.coil_kg * u.cold_cp_j_kg_k, np.ones(u.n),
        _plain(plant.halls.air_supply_c[u.hall]) if u.n else np.zeros(0), 1.0 / mass.coil_valve_s, _plain(u.fan_w), _plain(u.aux_w),
        _plain(u.duty_w), _plain(u.fan_floor_frac), mass.fan_rundown_s.copy(), np.zeros(u.n, np.bool_),
    )  # fmt: skip


def _halls(plant: Plant, mass: Inertia) -> HallParts:
    halls, units = plant.halls, plant.air_units
    order, first = grouped(units.hall, halls.n)
    least = np.full(halls.n, 1.0)
    for h in range(halls.n):
        own = order[first[h] : first[h + 1]]
        if own.size:
            least[h] = float((np.maximum(units.fan_floor_frac[own], 0.05) * units.hot_kg_s[own]).min())
    return HallParts(
        mass.hall_air_j_k.copy(), mass.hall_air_j_k + mass.hall_mass_j_k, _plain(halls.air_supply_c), _plain(halls.air_limit_c), order,
        first, least,
    )  # fmt: skip


__all__ = ["AIR_CP", "STEEL_J_KG_K", "Parts", "prepare", "ratings"]
