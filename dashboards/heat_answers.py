"""Answers of ``rack`` and ``cdu``, and what ``solve`` says about heat: plain values with units in their keys, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboards.answers import plain
from topology.axes import Floats
from topology.models import CduModel
from twin.exchangers import OCP_APPROACH_K, VENDOR_APPROACHES_K, comparable_duty, unit
from twin.racks import rack_state
from twin.solvers.steady import solve_steady

if TYPE_CHECKING:
    from dashboards.session import Solved
    from topology.plant import Plant
    from twin.state import SteadyState


def notable(result: Solved) -> dict[str, Any]:
    """What a moment's heat has to say for itself: interlocks, leakage, thermal runaway, hottest memory, warmest return."""
    plant, state = result.plant, result.state
    heat, racks, loops = state.heat, plant.racks, plant.loops
    on = state.loads.rack_w[0] > 0.0
    raised = np.flatnonzero(loops.supply_c > loops.asked_c)
    memory = np.where(on & np.isfinite(racks.memory_limit_c), heat.memory_c[0], -np.inf)
    hot = int(memory.argmax()) if racks.n else -1
    answer = {
        "dew_point_interlocks": [
            {"element": loops.ids[k], "asked_c": loops.asked_c[k], "set_point_c": loops.supply_c[k]}
            for k in raised
        ],
        "leakage_w": heat.leakage_w[0].sum(),
        "thermal_runaway": [racks.ids[k] for k in np.flatnonzero(heat.runaway[0])],
        "hottest_memory": {"element": racks.ids[hot], "memory_temp_c": memory[hot], "limit_c": racks.memory_limit_c[hot]}
        if hot >= 0 and memory[hot] > -np.inf else None,
        "rear_doors_w": heat.air_unit_w[0, plant.air_units.rack != -1].sum(),
        "not_cooled": [racks.ids[k] for k in np.flatnonzero(on & ~heat.cooled[0])],
    }  # fmt: skip
    return dict(plain(answer))


def rack(result: Solved, name: str, utilisation: float | Mapping[str, float] | None) -> dict[str, Any]:
    """Answer of ``rack``: power, parts, stages, coolant along the plates, limits with the one that binds first.

    Args:
        result: the moment.
        name: id of the rack.
        utilisation: what it was loaded with; ``None`` for measured power.
    """
    plant, state = result.plant, result.state
    _, r = plant.find(name)
    racks, heat, site = plant.racks, state.heat, plant.site
    seen = rack_state(plant, state, r, utilisation)
    hung = racks.manifold[r] >= 0
    loop = int(plant.manifolds.loop[racks.manifold[r]]) if hung else -1
    own = sorted((k for k, element in enumerate(result.limits.element) if element == name), key=lambda k: result.margin_frac[k])
    limits = [
        {"limit": result.limits.limit[k], "value": result.values[k], "unit": result.limits.unit[k], "bound": result.limits.bound[k],
         "margin_frac": result.margin_frac[k]}
        for k in own
    ]  # fmt: skip
    placed, rho = site.racks[name], float(plant.loops.rho_kg_m3[loop]) if hung else 1.0
    answer = {
        "site": site.settings.name, "element": name, "sku": seen.sku.name, "title": seen.sku.title, "state": placed.state,
        "position": placed.position, "hall": plant.halls.ids[racks.hall[r]], "loop": plant.loops.ids[loop] if hung else None,
        "basis": result.basis, "at": result.at, "utilisation": utilisation, "wet_bulb_c": state.ambient.wet_bulb_c[0],
        "outage": [i for s in state.outages.sets for i in s],
        "rack_power_w": state.loads.rack_w[0, r], "it_power_w": state.loads.it_w[0, r],
        "conversion_loss_w": state.loads.rack_w[0, r] - state.loads.it_w[0, r],
        "leakage_w": heat.leakage_w[0, r], "cord_a_w": state.power.cord_w[0, r, 0], "cord_b_w": state.power.cord_w[0, r, 1],
        "liquid_heat_w": state.loads.liquid_w[0, r], "air_heat_w": state.loads.rack_w[0, r] - state.loads.liquid_w[0, r],
        "rear_door_w": heat.air_unit_w[0, plant.air_units.rack == r].sum(),
        "coolant_flow_kg_s": state.flow.rack_kg_s[0, r], "coolant_supply_c": heat.coolant_c[0, r] if hung else None,
        "coolant_return_c": heat.rack_return_c[0, r] if hung else None, "inlet_air_c": heat.inlet_c[0, r],
        "plate_inlet_c": heat.plate_inlet_c[0, r], "chip_temp_c": heat.chip_c[0, r],
        "memory_temp_c": heat.memory_c[0, r] if np.isfinite(racks.memory_limit_c[r]) else None,
        "thermal_runaway": heat.runaway[0, r], "cooled": heat.cooled[0, r],
        "plate": {"r_base_k_w": seen.plate.r_base_k_w, "r_flow": seen.plate.factor, "r_exponent": seen.plate.exponent,
                  "points": seen.plate.points, "residual_frac": seen.plate.residual_frac},
        "parts": [
            {"part": p.name, "chip": p.chip or None, "count": p.count, "power_w": p.power_w, "liquid_heat_w": p.liquid_w,
             "air_heat_w": p.air_w, "plate_flow_kg_s": p.plate_kg_s, "plate_flow_m3_s": p.plate_kg_s / rho,
             "coolant_in_c": p.inlet_c, "coolant_out_c": p.outlet_c,
             "temp_c": p.temp_c}
            for p in seen.parts
        ],
        "stages": [{"stage": s.name, "out_w": s.out_w, "loss_w": s.loss_w, "liquid_heat_w": s.liquid_w} for s in seen.stages],
        "limits": limits, "binds": limits[0] if limits else None,
    }  # fmt: skip
    return dict(plain(answer))


def cdus(result: Solved, names: tuple[str, ...], fouling_frac: float | None) -> dict[str, Any]:
    """Answer of ``cdu``: every CDU asked for, and what becomes of the first where fouling takes a share of its conductance.

    Args:
        result: the moment.
        names: ids of CDUs.
        fouling_frac: share of the conductance at the rating that fouling takes; ``None`` for no question.
    """
    plant, state = result.plant, result.state
    answer: dict[str, Any] = {
        "site": plant.site.settings.name, "basis": result.basis, "at": result.at, "wet_bulb_c": state.ambient.wet_bulb_c[0],
        "outage": [i for s in state.outages.sets for i in s],
        "cdus": [_cdu(plant, state, plant.cdus.ids.index(name)) for name in names],
    }  # fmt: skip
    if fouling_frac is not None and names:
        answer["fouling"] = _fouled(result, plant.cdus.ids.index(names[0]), fouling_frac)
    return dict(plain(answer))


def _cdu(plant: Plant, state: SteadyState, c: int) -> dict[str, Any]:
    axis, heat, loops = plant.cdus, state.heat, plant.loops
    loop, fws = int(axis.loop[c]), int(axis.fws[c])
    hot, valve = float(state.flow.cdu_kg_s[0, c]), float(heat.cdu_valve_frac[0, c])
    cold = valve * float(axis.cold_kg_s[c])
    duty = float(heat.cdu_w[0, c])
    cold_c = float(heat.loop_supply_c[0, fws] if fws >= 0 else heat.hall_supply_c[0, axis.hall[c]])
    own = unit(plant, c)
    common = (own.hot_kg_s, own.cold_kg_s)
    rated = comparable_duty(own) if fws >= 0 else None
    open_w = own.duty_at_w(max(float(loops.supply_c[loop]) - cold_c, 0.0), hot, own.cold_kg_s)
    model = plant.site.model("cdu_model", plant.site.cdus[axis.ids[c]].model, CduModel)
    return {
        "element": axis.ids[c], "model": model.name, "loop": loops.ids[loop],
        "sink": loops.ids[fws] if fws >= 0 else f"air of {plant.halls.ids[axis.hall[c]]}",
        "running": state.power.gear_alive[0, axis.gear[c]], "controller": model.controller or None,
        "heat_w": duty, "rated_duty_w": axis.duty_w[c], "set_point_c": loops.supply_c[loop], "asked_c": loops.asked_c[loop],
        "supply_c": heat.cdu_supply_c[0, c], "return_c": heat.loop_return_c[0, loop], "hot_flow_kg_s": hot,
        "cold_supply_c": cold_c, "cold_flow_kg_s": cold, "cold_return_c": _warmed(cold_c, duty, cold * float(axis.cold_cp_j_kg_k[c])),
        "valve_frac": valve, "saturated": duty > 0.0 and valve >= 1.0, "approach_k": heat.cdu_supply_c[0, c] - cold_c,
        "ua_w_k": own.ua_w_k(hot, cold), "ntu": own.ntu(hot, cold), "effectiveness": own.effectiveness(hot, cold),
        "fouling_k_w": axis.fouling_k_w[c], "power_w": heat.gear_w[0, axis.gear[c]],
        "reserve_w": max(min(open_w, float(axis.duty_w[c])) - duty, 0.0),
        "rating": {
            "approach_k": model.approach_k, "hot_flow_kg_s": axis.hot_kg_s[c], "cold_flow_kg_s": axis.cold_kg_s[c],
            "ua_w_k": own.ua_w_k(*common), "ntu": own.ntu(*common),
            "duty_by_approach": [{"approach_k": k, "duty_w": own.duty_at_w(k, *common)} for k in VENDOR_APPROACHES_K],
            "ocp": None if rated is None else {
                "convention": f"{OCP_APPROACH_K:g} K at 1.5 L/min a kW on both sides", "duty_w": rated.duty_w,
                "approach_k": rated.approach_k, "limit": rated.limit,
            },
        },
    }  # fmt: skip


def _warmed(inlet_c: float, heat_w: float, rate_w_k: float) -> float:
    return inlet_c + heat_w / rate_w_k if rate_w_k > 0.0 else inlet_c


def _fouled(result: Solved, c: int, fouling_frac: float) -> dict[str, Any]:
    """The same moment with one fouled exchanger: ``1 / UA = 1 / UA_clean + R`` at the rating."""
    plant, before = result.plant, result.state
    more: Floats = plant.cdus.fouling_k_w.copy()
    more[c] = fouling_frac / (1.0 - fouling_frac) / plant.cdus.ua_w_k[c]
    dirty = replace(plant, cdus=replace(plant.cdus, fouling_k_w=more))
    after = solve_steady(dirty, before.loads, before.ambient, before.outages)
    loop = int(plant.cdus.loop[c])

    def seen(state: SteadyState) -> dict[str, Any]:
        chip = np.where(np.isfinite(state.heat.chip_c[0]) & (state.loads.rack_w[0] > 0.0), state.heat.chip_c[0], -np.inf)
        return {
            "valve_frac": state.heat.cdu_valve_frac[0, c], "supply_c": state.heat.cdu_supply_c[0, c],
            "loop_supply_c": state.heat.loop_supply_c[0, loop], "heat_w": state.heat.cdu_w[0, c],
            "hottest_chip_c": chip.max(initial=-np.inf),
        }  # fmt: skip

    return {
        "element": plant.cdus.ids[c],
        "fouling_frac": fouling_frac,
        "fouling_k_w": more[c],
        "clean": seen(before),
        "fouled": seen(after),
    }
