"""Heat of a batch: lays a plant out for the thermal kernels, runs them, and makes a :class:`twin.state.HeatState` of the result."""

from __future__ import annotations

from typing import Any

import numpy as np

from topology.axes import Bools, ExchangerAxis, Floats, Ints
from topology.errors import NotConverged
from topology.plant import Plant
from twin.solvers.bank import Exchangers
from twin.solvers.jit import plain
from twin.solvers.outdoor import makeup_kg_s, side_of, side_on, side_out, side_power_w, weather_of
from twin.solvers.plantside import SideOut, evaporate
from twin.solvers.plates import plates
from twin.solvers.scatter import grouped, sum_by
from twin.solvers.thermal import Inputs, Layout, Out, fixed_point
from twin.solvers.threads import shared
from twin.state import Ambient, FlowState, HeatState, Loads

MAX_PASSES = 200
NO_DOOR = -1
"""Rack index of an air unit that is no rear door (:class:`topology.axes.ExchangerAxis`)."""
HEAT_TOLERANCE = 1e-11
"""Change of power and heat between passes, relative to the site's heat, at which the fixed point is reached."""


def _allocate(plant: Plant, scenarios: int) -> Out:
    def floats(n: int) -> Floats:
        return np.zeros((scenarios, n))

    x, c, a, h = (len(v.ids) for v in (plant.loops, plant.cdus, plant.air_units, plant.halls))
    return Out(
        floats(x), floats(x), floats(x), np.ones((scenarios, x), bool), floats(c), floats(c), floats(c), floats(c),
        floats(a), floats(a), floats(a), floats(a), floats(a), floats(h), floats(h), floats(h), np.ones((scenarios, h), bool),
        floats(plant.pumps.n),
        np.zeros(scenarios), np.zeros(scenarios), np.zeros(scenarios),
    )  # fmt: skip


def _exchangers(axis: ExchangerAxis) -> Exchangers:
    return Exchangers(
        axis.hot_kg_s, axis.cold_kg_s, axis.hot_cp_j_kg_k, axis.cold_cp_j_kg_k, axis.ua_w_k, axis.hot_exponent, axis.cold_exponent,
        axis.hot_share_frac, axis.fouling_k_w, axis.firmware,
    )  # fmt: skip


def _layout(plant: Plant) -> Layout:
    loops, cdus, units, pumps = plant.loops, plant.cdus, plant.air_units, plant.pumps
    cdu_order, cdu_first = grouped(cdus.loop, loops.n)
    unit_order, unit_first = grouped(np.where(units.rack == NO_DOOR, units.hall, -1), plant.halls.n)
    return Layout(
        loops.fws, loops.supply_c, loops.cp_j_kg_k, loops.rho_kg_m3, loops.dp_pa, cdu_order, cdu_first, cdus.fws, cdus.hall, cdus.fan_w,
        cdus.aux_w, cdus.pump_fixed_w, unit_order, unit_first, units.hall, units.rack, units.fws, units.duty_w, units.fan_w,
        units.fan_floor_frac,
        plant.halls.air_supply_c, pumps.loop, pumps.cdu < 0, pumps.count, pumps.shutoff_pa, np.maximum(pumps.k, 1e-12),
        pumps.efficiency_frac,
    )  # fmt: skip


def _inputs(
    plant: Plant, loads: Loads, flow: FlowState, row: Ints, gear_on: Bools, alive_row: Ints, ambient: Ambient
) -> tuple[Inputs, Floats]:
    """Heat by loop and hall; liquid heat of a rack without flow is stranded and returned beside (S, R)."""
    racks, cdus, pumps = plant.racks, plant.cdus, plant.pumps
    loop_of = np.where(racks.manifold >= 0, plant.manifolds.loop[racks.manifold], -1) if plant.manifolds.n else np.full(racks.n, -1)
    wet = flow.rack_kg_s[row] > 0.0
    held = np.where(wet, 0.0, loads.liquid_w)
    loop_w = sum_by(np.ascontiguousarray(loads.liquid_w - held), loop_of, plant.loops.n)
    air_w = loads.rack_w - loads.liquid_w
    hall_w = sum_by(air_w, racks.hall, plant.halls.n)
    behind = plant.air_units.rack
    door_w = np.where(behind >= 0, air_w[:, np.maximum(behind, 0)], 0.0) if racks.n else np.zeros((row.size, behind.size))
    cdu_pump_w = sum_by(flow.pump_w, pumps.cdu, cdus.n)
    return Inputs(
        loop_w, hall_w, plain(door_w), cdu_pump_w, plain(flow.cdu_kg_s), plain(row), plain(gear_on[:, cdus.gear]),
        plain(gear_on[:, plant.air_units.gear]), plain(gear_on[:, pumps.gear]), side_on(plant, gear_on), plain(alive_row),
        weather_of(ambient),
    ), held  # fmt: skip


def solve_heat(
    plant: Plant, loads: Loads, flow: FlowState, row: Ints, gear_on: Bools, alive_row: Ints, ambient: Ambient
) -> tuple[HeatState, Floats, Floats, Floats]:
    """Carry heat from racks to weather.

    Args:
        plant: the plant.
        loads: (S, R) loads of powered racks.
        flow: flows of V cases.
        row: (S,) case of each scenario in ``flow``.
        gear_on: (Z, G) gear that runs under each set of lost elements.
        alive_row: (S,) set of each scenario.
        ambient: (S,) weather.

    Returns:
        Temperatures and heat; (S, L) facility flow; (S,) stranded heat; (S,) heat vented by halls without air units.

    Raises:
        NotConverged: the fixed point was not reached; carries the scenario and the last change.
    """
    inp, held = _inputs(plant, loads, flow, row, gear_on, alive_row, ambient)
    out = _allocate(plant, row.size)
    side, outside = side_of(plant), side_out(plant, row.size)
    cdus, units = _exchangers(plant.cdus), _exchangers(plant.air_units)
    lay = _layout(plant)
    shared(lambda a, b: fixed_point(lay, cdus, units, side, inp, out, outside, HEAT_TOLERANCE, MAX_PASSES, a, b), row.size)
    if (out.change > 100.0 * HEAT_TOLERANCE).any():
        s = int(np.argmax(out.change))
        raise NotConverged(
            f"the heat balance of scenario {s} did not settle in {MAX_PASSES} passes (last change {out.change[s]:.1e} of its heat)",
            scenario=s, residual=float(out.change[s]),
        )  # fmt: skip
    evaporate(side, inp.weather, outside)
    state = _state(plant, loads, flow, row, gear_on[alive_row], out, outside, held)
    return state, out.loop_kg_s, out.stranded + held.sum(axis=1), out.vented


def _state(plant: Plant, loads: Loads, flow: FlowState, row: Ints, gear_on: Bools, out: Out, outside: SideOut, held: Floats) -> HeatState:
    racks, cdus = plant.racks, plant.cdus
    fws_ok = np.concatenate([out.loop_ok, np.ones((row.size, 1), bool)], axis=1)
    unit_ok = fws_ok[:, plant.air_units.fws]
    hall_ok = out.hall_ok & _each(plant.air_units.hall, unit_ok, plant.halls.n)
    hall_ok_pad = np.concatenate([hall_ok, np.ones((row.size, 1), bool)], axis=1)
    sink_ok = np.where(cdus.fws >= 0, fws_ok[:, cdus.fws], hall_ok_pad[:, cdus.hall])
    loop_ok = out.loop_ok & (_each(cdus.loop, sink_ok, plant.loops.n) | plant.loops.fws)
    loop_supply = np.where(loop_ok, out.loop_supply, np.inf)
    hall_supply = np.where(hall_ok, out.hall_supply, np.inf)
    hung = racks.manifold >= 0
    loop_of = np.where(hung, plant.manifolds.loop[racks.manifold], -1) if plant.manifolds.n else np.full(racks.n, -1)
    beside = np.zeros((row.size, 1))  # what a rack without coolant sees in the last column
    m = flow.rack_kg_s if flow.rack_kg_s.shape[0] == 1 else flow.rack_kg_s[row]  # one flow serves every scenario
    wet = hung & (m > 0.0)
    coolant = np.where(hung, np.concatenate([loop_supply, beside], axis=1)[:, loop_of], hall_supply[:, racks.hall])
    cp = np.append(plant.loops.cp_j_kg_k, 1.0)[loop_of]
    rise = np.divide(loads.liquid_w, m * cp, out=np.zeros(loads.liquid_w.shape), where=wet)
    plate = plates(plant, loads, m, coolant)
    stuck = (held > 0.0) & (loads.chip_w > 0.0)
    chip: Floats = np.where(stuck, np.inf, plate.chip_c(loads.chip_w))
    carried = ~wet | np.concatenate([loop_ok, beside > 0.0], axis=1)[:, loop_of]
    return HeatState(
        loop_supply_c=loop_supply, loop_return_c=np.where(loop_ok, out.loop_return, np.inf),
        cdu_w=out.cdu_w, cdu_supply_c=out.cdu_c, cdu_valve_frac=out.cdu_valve, air_unit_w=out.unit_w,
        hall_supply_c=hall_supply, hall_return_c=np.where(hall_ok, out.hall_return, np.inf), hall_w=out.hall_heat,
        **_outside(plant, outside), gear_w=_gear_power(plant, flow, row, gear_on, out, outside),
        coolant_c=coolant, plate_inlet_c=plate.inlet_c + plate.series_k_w * loads.chip_w,
        chip_c=chip, memory_c=chip + racks.r_memory_k_w * loads.chip_w, runaway=np.zeros(chip.shape, bool), leakage_w=np.zeros(chip.shape),
        rack_return_c=np.where(wet, coolant + rise, coolant),
        inlet_c=hall_supply[:, racks.hall], cooled=(held <= 0.0) & carried & hall_ok[:, racks.hall],
    )  # fmt: skip


def _each(owner: Ints, ok: Bools, groups: int) -> Bools:
    """(S, groups): no member of the group is without its sink."""
    result: Bools = sum_by((~ok).astype(np.float64), owner, groups) == 0.0
    return result


def _gear_power(plant: Plant, flow: FlowState, row: Ints, gear_on: Bools, out: Out, outside: SideOut) -> Floats:
    power = np.zeros((row.size, plant.gear.n))
    power[:, plant.cdus.gear] += out.cdu_power
    power += sum_by(out.pump_power + flow.pump_w[row], plant.pumps.gear, plant.gear.n)
    power[:, plant.air_units.gear] += out.unit_power
    return power + side_power_w(plant, outside, gear_on)


def _outside(plant: Plant, side: SideOut) -> dict[str, Any]:
    """What a heat state says of towers, dry coolers and chillers."""
    t = plant.towers
    drift = np.where(side.tower.w > 0.0, t.drift_frac * t.water_kg_s, 0.0)
    return {
        "tower_w": side.tower.w, "tower_fan_frac": side.tower.fan, "tower_in_bounds": side.tower.ok, "tower_on": side.tower.on,
        "tower_evaporation_kg_s": side.tower_kg_s, "tower_water_kg_s": makeup_kg_s(side.tower_kg_s, drift, t.cycles),
        "dry_w": side.dry.w, "dry_fan_frac": side.dry.fan,
        "dry_water_kg_s": makeup_kg_s(side.dry.kg_s, np.zeros_like(side.dry.kg_s), plant.dry_coolers.cycles),
        "chiller_w": side.chiller_w, "chiller_in_bounds": side.chiller_ok, "reuse_w": side.reuse_w,
    }  # fmt: skip
