"""Lays the plant side out for its kernels: ratings become Merkel numbers and conductances; results get their arrays."""

from __future__ import annotations

import numpy as np

from topology.axes import Bools, Floats
from topology.errors import SiteError
from topology.outdoor_axes import DryCoolerAxis, TowerAxis
from topology.plant import Plant
from twin.solvers.chiller import Chillers
from twin.solvers.drycooler import DryCoolers, crossflow_ua_w_k
from twin.solvers.jit import plain
from twin.solvers.laws import YORK_APPROACH_K, YORK_RANGE_K, YORK_WET_BULB_C, york_approach_k
from twin.solvers.moistair import CP_AIR_J_KG_K
from twin.solvers.plantside import YORK, DryOut, Side, SideOn, SideOut, TowerOut, Weather
from twin.solvers.scatter import grouped
from twin.solvers.tower import Towers, merkel_constant
from twin.state import Ambient

RATING_PA = 101325.0
"""Pressure at which towers are rated (ISO 2533, sea level)."""


def side_of(plant: Plant) -> Side:
    """The plant side of a plant.

    Raises:
        SiteError: a tower or dry cooler whose rating no size of it reaches; names the element.
    """
    loops, t, d, k = plant.loops, plant.towers, plant.dry_coolers, plant.chillers
    return Side(
        YORK,
        Towers(t.duty_w, t.water_kg_s, t.lg_ratio, t.exchanger_k, t.fan_w, t.water_air_ratio, _merkel(t, loops.cp_j_kg_k),
            t.merkel_exponent),
        *grouped(t.fws, loops.n),
        DryCoolers(
            d.duty_w, d.water_kg_s, d.air_kg_s, d.exchanger_k, d.air_resistance_frac, _conductance_w_k(d, loops.cp_j_kg_k), d.fan_w,
            d.fan_floor_frac, d.assist_effectiveness,
        ),
        *grouped(d.fws, loops.n),
        Chillers(k.duty_w, k.cop, k.cap_f_t, k.eir_f_t, k.eir_f_plr, k.leaving_c, k.condenser_c, k.part_load),
        *grouped(k.fws, loops.n), loops.economiser, loops.fewest, loops.reuse_w,
    )  # fmt: skip


def _merkel(t: TowerAxis, cp_j_kg_k: Floats) -> Floats:
    """(W,) c of ``Me = c (L/G)^n`` with which Merkel meets York at each tower's rating, held inside York's bounds."""
    wet = np.clip(t.rating_wet_bulb_c, *YORK_WET_BULB_C)
    span = np.clip(t.duty_w / (t.water_kg_s * cp_j_kg_k[t.fws]), *YORK_RANGE_K)
    rows = np.stack([t.water_kg_s, t.water_air_ratio * t.lg_ratio, t.merkel_exponent, cp_j_kg_k[t.fws], wet, span, t.lg_ratio], axis=1)
    kinds, first, own = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    found = np.zeros(len(kinds))
    for n, (water, ratio, exponent, cp, wet_c, range_k, lg) in enumerate(kinds.tolist()):
        approach = float(np.clip(york_approach_k(wet_c, range_k, lg, YORK), *YORK_APPROACH_K))
        found[n] = merkel_constant(water, ratio, exponent, cp, wet_c, RATING_PA, range_k, approach)
        if found[n] <= 0.0:
            raise SiteError(
                f"the air of tower {t.ids[first[n]]} is too little for its rated heat at {wet_c:g} degC wet bulb; lower water_air_ratio"
            )
    return found[own.reshape(-1)]


def _conductance_w_k(d: DryCoolerAxis, cp_j_kg_k: Floats) -> Floats:
    """(D,) conductance of each dry cooler at its rating."""
    water, air = d.water_kg_s * cp_j_kg_k[d.fws], d.air_kg_s * CP_AIR_J_KG_K
    rows = np.stack([d.duty_w, d.approach_k + d.duty_w / water, water, air], axis=1)
    kinds, first, own = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    found = np.array([crossflow_ua_w_k(*row) for row in kinds.tolist()])
    if (found <= 0.0).any():
        name = d.ids[first[int(np.argmin(found))]]
        raise SiteError(f"no coil carries the rated heat of dry cooler {name} at its approach; raise approach_k or air_flow_kg_s")
    return found[own.reshape(-1)]


def side_on(plant: Plant, gear_on: Bools) -> SideOn:
    """Who may run under each set of lost elements, from (Z, G) gear that runs."""
    return SideOn(*(plain(gear_on[:, axis.gear]) for axis in (plant.towers, plant.dry_coolers, plant.chillers)))


def weather_of(ambient: Ambient) -> Weather:
    """Outdoor air as the kernels take it."""
    return Weather(plain(ambient.wet_bulb_c), plain(ambient.dry_bulb_c), plain(ambient.pressure_pa))


def side_out(plant: Plant, scenarios: int) -> SideOut:
    """Arrays for the results of the plant side."""

    def zero(n: int) -> Floats:
        return np.zeros((scenarios, n))

    def flag(n: int, value: bool) -> Bools:
        return np.full((scenarios, n), value)

    w, d, k = plant.towers.n, plant.dry_coolers.n, plant.chillers.n
    return SideOut(
        TowerOut(zero(w), zero(w), flag(w, True), flag(w, False)), zero(w), DryOut(zero(d), zero(d), flag(d, False), zero(d)),
        zero(k), zero(k), flag(k, True), zero(plant.loops.n),
    )  # fmt: skip


def side_power_w(plant: Plant, out: SideOut, gear_on: Bools) -> Floats:
    """(S, G) electrical power of the plant side: fans by the cubic law, pumps of what runs, compressors."""
    t, d, k = plant.towers, plant.dry_coolers, plant.chillers
    power = np.zeros((out.tower.w.shape[0], plant.gear.n))
    power[:, t.gear] = np.where(gear_on[:, t.gear] & out.tower.on, t.fan_w * out.tower.fan**3 + t.pump_w, 0.0)
    power[:, d.gear] = np.where(gear_on[:, d.gear] & out.dry.on, d.fan_w * out.dry.fan**3 + d.pump_w, 0.0)
    power[:, k.gear] = out.chiller_power
    return power


def makeup_kg_s(evaporated_kg_s: Floats, drift_kg_s: Floats, cycles: Floats) -> Floats:
    """Make-up water: evaporation, drift, and the blowdown that holds the cycles of concentration.

    ``blowdown = evaporation / (cycles - 1) - drift``, at least 0 (EnergyPlus Engineering Reference, cooling tower makeup water usage).

    Args:
        evaporated_kg_s: water evaporated, any shape.
        drift_kg_s: water lost as droplets.
        cycles: cycles of concentration.
    """
    blowdown = np.maximum(evaporated_kg_s / (cycles - 1.0) - drift_kg_s, 0.0)
    total: Floats = evaporated_kg_s + drift_kg_s + blowdown
    return total
