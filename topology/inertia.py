"""What a plant stores: coolant, metal and air by element, and how fast its pumps, fans and valves move.

Figures come from the catalog and the site where they are given. Where they are not, they are estimates, made as each constant below
says; they decide seconds, so a site that has its own figures should give them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from topology.arrays import floats, given
from topology.axes import Floats
from topology.models import AirUnitModel, CduModel, PumpModel, TowerModel
from topology.plant import Plant

COPPER_J_KG_K, STEEL_J_KG_K = 385.0, 490.0
"""Heat capacity of copper and of stainless steel at 25 degC (ASM Handbook, volumes 2 and 1)."""
AIR_KG_M3, AIR_CP_J_KG_K = 1.18, 1006.0
"""Dry air at 25 degC and 101.3 kPa (ASHRAE Handbook Fundamentals, chapter 1)."""
RACK_M3_W = 0.6e-6
"""Coolant in a rack for each watt of its rating: 60 L for 100 kW, manifolds, hoses and plates (estimate)."""
EXCHANGER_M3_W, EXCHANGER_KG_W = 50e-9, 250e-6
"""Each side and the steel of a plate exchanger for each watt: about 100 plates of 0.5 L and 2.5 kg for 1 MW (estimate)."""
COIL_M3_W, COIL_KG_W = 100e-9, 400e-6
"""Water and metal of a chilled-water coil for each watt: 12.7 mm tubes with fins, 10 kW a square metre of face (estimate)."""
MAINS_M = {"tcs": 40.0, "fws": 200.0}
"""Length of mains one way [m]: a row pair to its CDUs, a hall to its plant (estimate)."""
MAINS_M_S = 2.0
"""Velocity in mains at rated flow (OCP Modular TCS gives about 2.3 m/s for its pipe bands; estimate)."""
LEAST_MAINS_S = 2.5
"""A loop's return holds at least this much of its rated flow: what the largest step of the solver may push through."""
BASIN_S = 120.0
"""Water in a tower's basin, pipes and exchanger over its flow (estimate: two minutes)."""
POSITION_M3 = 15.0
"""Air in a hall for each position: 3 m2 with aisles, 5 m high with plenum (estimate)."""


@dataclass(frozen=True)
class Inertia:
    """What each element stores and how fast it moves; lengths follow the axes of the plant.

    Attributes:
        plates: (R,) accelerators in one rack.
        plate_j_k: (R,) metal of all their plates or heat sinks.
        plate_kg: (R,) coolant in the plates.
        rack_kg: (R,) coolant in the rest of the rack.
        chip_liquid_frac: (R,) share of accelerator heat that goes to liquid.
        hall_air_j_k: (H,) air in the cold and, as much again, in the hot part of a hall.
        hall_mass_j_k: (H,) what the air passes in the racks.
        mains_kg: (L,) coolant in one direction of the mains.
        rated_kg_s: (L,) flow that the mains are laid out for.
        inertance: (L,) length over area of the whole loop [1/m].
        cdu_hot_kg: (C,) coolant on the IT side of each CDU.
        cdu_cold_kg: (C,) water or air on its cold side.
        cdu_wall_j_k: (C,) metal between.
        cdu_valve_s: (C,) stroke of its valve, or ramp of its fans.
        coil_kg: (A,) water in each air unit.
        coil_j_k: (A,) its metal.
        coil_valve_s: (A,) stroke of its valve.
        fan_rundown_s: (A,) time to half speed without power.
        pump_rundown_s: (U,) the same of pumps.
        pump_ramp_s: (U,) rest to full speed on its drive.
        basin_kg: (W,) water of each tower.
        tower_ramp_s: (W,) rest to full speed of its fan.
    """

    plates: Floats
    plate_j_k: Floats
    plate_kg: Floats
    rack_kg: Floats
    chip_liquid_frac: Floats
    hall_air_j_k: Floats
    hall_mass_j_k: Floats
    mains_kg: Floats
    rated_kg_s: Floats
    inertance: Floats
    cdu_hot_kg: Floats
    cdu_cold_kg: Floats
    cdu_wall_j_k: Floats
    cdu_valve_s: Floats
    coil_kg: Floats
    coil_j_k: Floats
    coil_valve_s: Floats
    fan_rundown_s: Floats
    pump_rundown_s: Floats
    pump_ramp_s: Floats
    basin_kg: Floats
    tower_ramp_s: Floats


def inertia(plant: Plant) -> Inertia:
    """Collect what a plant stores."""
    site, racks, loops = plant.site, plant.racks, plant.loops
    loop_of = plant.manifolds.loop[racks.manifold] if plant.manifolds.n else np.zeros(racks.n, np.int64)
    rho = np.where(racks.manifold >= 0, loops.rho_kg_m3[loop_of], 1000.0)
    count = floats([s.accelerators for s in racks.skus])[racks.sku]
    volume = floats([given(s.coolant_m3, RACK_M3_W * s.nameplate_w) for s in racks.skus])[racks.sku]
    wet = floats([s.accelerators * c.plate_m3 for s, c in zip(racks.skus, racks.chips, strict=True)])[racks.sku]
    liquid = [sum(p.count * p.liquid_frac for p in s.parts if p.chip == s.chip) / max(s.accelerators, 1) for s in racks.skus]
    metal = floats([max(s.accelerators, 1) * c.plate_kg * COPPER_J_KG_K for s, c in zip(racks.skus, racks.chips, strict=True)])[racks.sku]
    rated = _rated_kg_s(plant)
    mains_kg, inertance = _mains(plant, rated)
    cdus = [site.model("cdu_model", c.model, CduModel) for c in site.cdus.values()]
    units = [site.model("air_unit_model", u.model, AirUnitModel) for u in site.air_units.values()]
    towers = [site.model("tower_model", t.model, TowerModel) for t in site.towers.values()]
    pumps = _pumps(plant)
    places = np.zeros(plant.halls.n)
    for position in site.positions.values():
        places[list(site.halls).index(site.rows[position.row].hall)] += 1.0
    air = floats([given(h.air_m3, POSITION_M3 * max(n, 1.0)) for h, n in zip(site.halls.values(), places, strict=True)])
    inside = np.zeros(plant.halls.n)
    np.add.at(inside, racks.hall, np.where(racks.drawing, floats([s.air_side_j_k for s in racks.skus])[racks.sku], 0.0))
    hot_rho = loops.rho_kg_m3[plant.cdus.loop] if plant.cdus.n else np.zeros(0)
    cold_rho = np.where(plant.cdus.fws >= 0, 1000.0, AIR_KG_M3)
    return Inertia(
        plates=count, plate_j_k=metal, plate_kg=wet * rho, rack_kg=np.maximum(volume - wet, 1e-3) * rho,
        chip_liquid_frac=floats(liquid)[racks.sku],
        hall_air_j_k=0.5 * air * AIR_KG_M3 * AIR_CP_J_KG_K, hall_mass_j_k=inside, mains_kg=mains_kg, rated_kg_s=rated, inertance=inertance,
        cdu_hot_kg=floats([given(m.tcs_m3, EXCHANGER_M3_W * m.duty_w) for m in cdus]) * hot_rho,
        cdu_cold_kg=floats([given(m.cold_m3, EXCHANGER_M3_W * m.duty_w) for m in cdus]) * cold_rho,
        cdu_wall_j_k=floats([given(m.exchanger_kg, EXCHANGER_KG_W * m.duty_w) for m in cdus]) * STEEL_J_KG_K,
        cdu_valve_s=floats([m.valve_s for m in cdus]),
        coil_kg=1000.0 * floats([given(m.water_m3, COIL_M3_W * m.duty_w) for m in units]),
        coil_j_k=floats([given(m.coil_kg, COIL_KG_W * m.duty_w) for m in units]) * COPPER_J_KG_K,
        coil_valve_s=floats([m.valve_s for m in units]), fan_rundown_s=floats([m.rundown_s for m in units]),
        pump_rundown_s=floats([m.rundown_s for m in pumps]), pump_ramp_s=floats([m.ramp_s for m in pumps]),
        basin_kg=floats([1000.0 * m.basin_m3 if m.basin_m3 is not None else BASIN_S * m.water_flow_kg_s for m in towers]),
        tower_ramp_s=floats([m.fan_ramp_s for m in towers]),
    )  # fmt: skip


def _pumps(plant: Plant) -> list[PumpModel]:
    """Model of each pump entry: integrated ones first, as on the axis."""
    site = plant.site
    inside = [site.model("cdu_model", c.model, CduModel) for c in site.cdus.values()]
    names = [*(m.pump for m in inside if m.pumps > 0), *(p.model for p in site.pumps.values())]
    return [site.model("pump_model", name, PumpModel) for name in names]


def _rated_kg_s(plant: Plant) -> Floats:
    """(L,) rated flow of each loop: that of its racks, and that of what hangs on a facility loop; at least 0.1 kg/s."""
    racks, rated = plant.racks, np.zeros(plant.loops.n)
    if plant.manifolds.n:
        hung = racks.manifold >= 0
        np.add.at(rated, plant.manifolds.loop[racks.manifold[hung]], racks.flow_kg_s[hung])
    for axis in (plant.cdus, plant.air_units):
        on = axis.fws >= 0
        np.add.at(rated, axis.fws[on], axis.cold_kg_s[on])
    return np.maximum(rated, 0.1)


def _mains(plant: Plant, rated_kg_s: Floats) -> tuple[Floats, Floats]:
    """(L,) coolant in one direction of the mains [kg], and length over area of both [1/m]."""
    loops = list(plant.site.loops.values())
    length = floats([given(x.mains_m, MAINS_M[x.kind]) for x in loops])
    area = rated_kg_s / (plant.loops.rho_kg_m3 * MAINS_M_S)
    given_m3 = floats([math.nan if x.mains_m3 is None else 0.5 * x.mains_m3 for x in loops])
    volume = np.where(np.isnan(given_m3), length * area, given_m3)
    return np.maximum(volume * plant.loops.rho_kg_m3, LEAST_MAINS_S * rated_kg_s), 2.0 * length / area
