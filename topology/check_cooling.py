"""Checks of the cooling: every rack that needs liquid has some, every loop has what drives and cools it, set-points agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from topology.ashrae import AIR
from topology.errors import Finding
from topology.kinds import Cdu, Loop
from topology.models import AirUnitModel, CduModel, Coolant, DryCoolerModel, PumpModel, Sku
from topology.plant_axes import dew_floors_c
from topology.rules import Allocated, Context, rule, rules_of


@rule
def liquid_racks_have_a_loop(c: Context) -> Iterator[Finding]:
    """A liquid-cooled rack stands on a position with a manifold."""
    for rack in c.site.racks.values():
        position, sku = c.site.positions.get(rack.position), c.sku(rack)
        if position is None or sku is None or sku.cooling != "liquid" or position.manifold:
            continue
        near = sorted(m for m in c.manifolds_of_row.get(position.row, ()) if m)
        manifold = f"manifold ({', '.join(near)} is in its row)" if near else "manifold"
        message = f"{sku.name} needs liquid and position {position.id!r} is on no loop"
        yield c.at(rack, "position", message, f"give the position a {manifold} in positions.csv, or move the rack")


@rule
def loops_are_of_the_right_kind(c: Context) -> Iterator[Finding]:
    """Manifolds and CDUs serve TCS loops; CDUs, air units, towers, dry coolers and chillers hang on facility loops."""
    site = c.site
    wanted: list[tuple[Any, str, str]] = [(e, "loop", "tcs") for e in (*site.manifolds.values(), *site.cdus.values())]
    wanted += [(e, "fws", "fws") for t in (site.cdus, site.air_units, site.towers, site.chillers, site.dry_coolers) for e in t.values()]
    for element, column, kind in wanted:
        loop = site.loops.get(getattr(element, column))
        if loop is not None and loop.kind != kind:
            fitting = ", ".join(n for n, other in site.loops.items() if other.kind == kind) or "none"
            yield c.at(element, column, f"{loop.id!r} is a {loop.kind} loop, a {kind} loop is meant", f"{kind} loops: {fitting}")


@rule
def loops_have_a_sink(c: Context) -> Iterator[Finding]:
    """A TCS loop has a CDU, a facility loop a tower or a dry cooler (a chiller needs one as well, for its condenser)."""
    if not c.unsure.isdisjoint(("cdu", "tower", "dry_cooler")):
        return
    sinks = {u.loop for u in c.site.cdus.values()} | {e.fws for t in (c.site.towers, c.site.dry_coolers) for e in t.values()}
    for loop in c.site.loops.values():
        if loop.id not in sinks:
            what, file = ("CDU", "cdus.csv") if loop.kind == "tcs" else ("tower or dry cooler", "towers.csv")
            yield c.at(loop, "id", f"{loop.kind} loop {loop.id!r} has no {what}", f"add one to {file}", value=loop.id)


@rule
def economisers_have_chillers(c: Context) -> Iterator[Finding]:
    """A mode of the economiser is for a facility loop with chillers; dry coolers alone cannot cool below the design dry bulb."""
    chilled = {k.fws for k in c.site.chillers.values()}
    for loop in c.site.loops.values():
        if loop.economiser == "series" or "chiller" in c.unsure:
            continue
        if loop.kind != "fws":
            yield c.at(loop, "economiser", f"{loop.id!r} is a TCS loop and has no economiser", "leave economiser empty")
        elif loop.id not in chilled:
            message = f"facility loop {loop.id!r} has no chiller that its economiser mode {loop.economiser!r} could leave the load to"
            yield c.doubt(loop, "economiser", message, "leave economiser empty, or add a chiller; its towers and dry coolers cool it")


@rule
def dry_coolers_reach_their_set_point(c: Context) -> Iterator[Finding]:
    """A loop with nothing but dry coolers is warm enough for the design weather: dry bulb, or wet bulb with pads."""
    if not c.unsure.isdisjoint(("tower", "chiller", "dry_cooler")):
        return
    helped = {e.fws for t in (c.site.towers, c.site.chillers) for e in t.values()}
    site = c.site.settings
    for loop in c.site.loops.values():
        models = [m for d in c.site.dry_coolers.values() if d.fws == loop.id and (m := c.model("dry_cooler_model", d.model))]
        found = [m for m in models if isinstance(m, DryCoolerModel)]
        if not found or loop.id in helped:
            continue
        pads = max(m.assist_effectiveness for m in found)
        air_c = site.design_dry_bulb_c - pads * (site.design_dry_bulb_c - site.design_wet_bulb_c)
        if loop.supply_c <= air_c:
            message = (
                f"{loop.id!r} at {loop.supply_c:g} degC is not above the {air_c:.1f} degC that its dry coolers take in at design weather"
            )
            yield c.doubt(loop, "supply_c", message, "raise the set-point, or add towers, pads or chillers")


@rule
def cdu_sinks_match(c: Context) -> Iterator[Finding]:
    """A liquid-to-air CDU has no facility loop, any other has one."""
    for cdu in c.site.cdus.values():
        model = c.model("cdu_model", cdu.model)
        if not isinstance(model, CduModel):
            continue
        if model.sink == "air" and cdu.fws:
            yield c.at(cdu, "fws", f"{cdu.model!r} gives its heat to the air and has a facility loop {cdu.fws!r}", "leave fws empty")
        if model.sink == "fws" and not cdu.fws:
            message = f"{cdu.model!r} needs a facility loop and has none"
            loops = ", ".join(n for n, loop in c.site.loops.items() if loop.kind == "fws")
            yield c.at(cdu, "fws", message, f"name a facility loop{f': {loops}' if loops else ''}")


@rule
def set_points_agree(c: Context) -> Iterator[Finding]:
    """Heat flows downhill, and every set-point is below its limit and inside the coolant's range."""
    for loop in c.site.loops.values():
        coolant = c.model("coolant", loop.coolant)
        if isinstance(coolant, Coolant) and not coolant.low_c <= loop.supply_c <= coolant.high_c:
            message = f"{loop.supply_c:g} degC is outside the range of {coolant.name}"
            yield c.at(loop, "supply_c", message, f"from {coolant.low_c:g} to {coolant.high_c:g} degC")
        if loop.supply_limit_c is not None and loop.supply_limit_c < loop.supply_c:
            message = f"the limit {loop.supply_limit_c:g} degC is below the set-point {loop.supply_c:g} degC"
            yield c.at(loop, "supply_limit_c", message, "the limit is the highest allowed supply")
    for hall in c.site.halls.values():
        if hall.air_limit_c < hall.air_supply_c:
            message = f"the limit {hall.air_limit_c:g} degC is below the set-point {hall.air_supply_c:g} degC"
            yield c.at(hall, "air_limit_c", message, "the limit is the highest allowed supply")
    for cdu in c.site.cdus.values():
        yield from _downhill(c, cdu)
    for unit in c.site.air_units.values():
        hall_, fws, model = c.site.halls.get(unit.hall), c.site.loops.get(unit.fws), c.model("air_unit_model", unit.model)
        if hall_ is not None and fws is not None and hall_.air_supply_c <= fws.supply_c:
            message = f"hall air at {hall_.air_supply_c:g} degC cannot be cooled by {fws.id!r} at {fws.supply_c:g} degC"
            approach = f" by its approach of {model.approach_k:g} K at the rating" if isinstance(model, AirUnitModel) else ""
            yield c.at(hall_, "air_supply_c", message, f"set it above the facility water{approach}")


def _downhill(c: Context, cdu: Cdu) -> Iterator[Finding]:
    loop, model = c.site.loops.get(cdu.loop), c.model("cdu_model", cdu.model)
    if loop is None or not isinstance(model, CduModel):
        return
    fws, hall = c.site.loops.get(cdu.fws), c.site.halls.get(cdu.hall)
    sink = fws.supply_c if fws is not None else hall.air_supply_c if hall is not None and model.sink == "air" else None
    if sink is None:
        return
    name = fws.id if fws is not None else f"the air of {cdu.hall}"
    if loop.supply_c <= sink:
        message = f"{loop.id!r} at {loop.supply_c:g} degC cannot be cooled by {name} at {sink:g} degC"
        yield c.at(loop, "supply_c", message, f"set it at least {model.approach_k:g} K above")
    elif loop.supply_c < sink + 0.5 * model.approach_k:
        above = f"{loop.supply_c - sink:g} K above {name}"
        message = f"{loop.id!r} at {loop.supply_c:g} degC is {above}; {cdu.model} is rated at {model.approach_k:g} K"
        yield c.doubt(loop, "supply_c", message, "raise the set-point, or expect far less than the rated heat")


@rule
def loops_hold_what_they_say(c: Context) -> Iterator[Finding]:
    """A loop whose pumps hold a flow says which, and its return is inside the range of its coolant's properties."""
    for loop in c.site.loops.values():
        if loop.control == "flow" and loop.flow_kg_s is None:
            yield c.at(loop, "flow_kg_s", f"the pumps of {loop.id!r} hold a flow and none is given", "give flow_kg_s, or control dp")
        if loop.kind == "fws" and (loop.control == "flow" or loop.pump_staging == "on_demand"):
            message = f"{loop.id!r} is a facility loop: its pumps hold what valves ask for, all of them"
            yield c.doubt(loop, "control", message, "control and pump_staging are for TCS loops; leave them empty here")
        coolant = c.model("coolant", loop.coolant)
        if isinstance(coolant, Coolant) and loop.supply_c <= coolant.high_c < loop.supply_c + loop.rise_k:
            message = f"a return of {loop.supply_c + loop.rise_k:g} degC is outside the range of {coolant.name}"
            yield c.at(loop, "rise_k", message, f"up to {coolant.high_c:g} degC")


@rule
def racks_bear_their_supply(c: Context) -> Iterator[Finding]:
    """No rack's coolant or inlet limit is below the set-point of its loop or hall."""
    for rack in c.site.racks.values():
        position, sku = c.site.positions.get(rack.position), c.sku(rack)
        if position is None or sku is None or rack.state == "retired":
            continue
        manifold = c.site.manifolds.get(position.manifold)
        loop = c.site.loops.get(manifold.loop) if manifold else None
        if loop is not None and sku.cooling == "liquid" and sku.coolant_limit_c is not None and sku.coolant_limit_c < loop.supply_c:
            message = f"{sku.name} bears coolant of {sku.coolant_limit_c:g} degC, loop {loop.id!r} supplies {loop.supply_c:g} degC"
            yield c.at(rack, "sku", message, "lower the loop's set-point, or put the rack on a cooler loop")
        row = c.site.rows.get(position.row)
        hall = c.site.halls.get(row.hall) if row else None
        if hall is not None and sku.inlet_limit_c < hall.air_supply_c:
            message = f"{sku.name} bears inlet air of {sku.inlet_limit_c:g} degC, hall {hall.id!r} supplies {hall.air_supply_c:g} degC"
            yield c.at(rack, "sku", message, "lower the hall's set-point")


@rule
def halls_have_air_units(c: Context) -> Iterator[Finding]:
    """A hall whose racks give heat to its air has air units with a rating for it."""
    duty = _air_duty(c)
    for hall_id, heat in _air_heat(c).items():
        hall = c.site.halls[hall_id]
        if heat > 0 and duty[hall_id] == 0:
            message = f"the racks of {hall_id!r} give {heat / 1e3:.0f} kW to its air and it has no air unit"
            yield c.doubt(hall, "id", message, "add fan walls to air_units.csv", value=hall_id)
        elif heat > duty[hall_id]:
            rated = f"its air units are rated {duty[hall_id] / 1e3:.0f} kW"
            message = f"the air of {hall_id!r} takes {heat / 1e3:.0f} kW at the racks' allocation, {rated}"
            yield c.doubt(hall, "id", message, "add air units or move racks", value=hall_id)


@rule
def doors_stand_behind_racks(c: Context) -> Iterator[Finding]:
    """A rear door stands in the hall of its position, and a position has one."""
    seen: dict[str, str] = {}
    for unit in c.site.air_units.values():
        position = c.site.positions.get(unit.position)
        row = c.site.rows.get(position.row) if position is not None else None
        if not unit.position:
            continue
        if row is not None and row.hall != unit.hall:
            message = f"{unit.id!r} is in hall {unit.hall!r} and its position {unit.position!r} in {row.hall!r}"
            yield c.at(unit, "position", message, "a rear door cools the rack that it stands behind")
        if unit.position in seen:
            yield c.at(unit, "position", f"{unit.position!r} has a rear door, {seen[unit.position]!r}", "keep one of them")
        seen.setdefault(unit.position, unit.id)


@rule
def interlock_leaves_room(c: Context) -> Iterator[Finding]:
    """The dew-point interlock does not push a loop above its own limit, and the air is as dry as its class asks."""
    for name, floor in dew_floors_c(c.site).items():
        loop = c.site.loops.get(name)
        if loop is not None and loop.supply_c < floor:
            above = loop.supply_limit_c is not None and floor > loop.supply_limit_c
            message = f"the dew point of its halls raises the supply of {name!r} from {loop.supply_c:g} to {floor:g} degC"
            hint = "dry the air or raise the set-point" + (f"; its limit is {loop.supply_limit_c:g} degC" if above else "")
            yield c.doubt(loop, "supply_c", message, hint)
    for hall in c.site.halls.values():
        own = AIR.get(hall.air_class)
        if own is not None and hall.dew_point_c is not None and hall.dew_point_c > own.dew_point_c:
            message = (
                f"class {hall.air_class} allows a dew point of {own.dew_point_c:g} degC, the air of {hall.id!r} has {hall.dew_point_c:g}"
            )
            yield c.doubt(hall, "dew_point_c", message, "dry the air, or name the class that holds")


def _air_duty(c: Context) -> Mapping[str, float]:
    """Rated heat of the air units of each hall [W]."""
    duty = dict.fromkeys(c.site.halls, 0.0)
    for unit in c.site.air_units.values():
        model = c.model("air_unit_model", unit.model)
        if unit.hall in duty and isinstance(model, AirUnitModel):
            duty[unit.hall] += model.duty_w
    return duty


def liquid_share(sku: Sku) -> float:
    """Share of a rack's heat at full load that its liquid takes; 0 for an air-cooled rack."""
    total = sum(p.count * p.max_w for p in sku.parts)
    if sku.cooling != "liquid" or total <= 0:
        return 0.0
    return sum(p.count * p.max_w * p.liquid_frac for p in sku.parts) / total


def _air_heat(c: Context) -> Mapping[str, float]:
    """Heat into the air of each hall at the racks' allocation, liquid-to-air units included [W]."""
    heat = dict.fromkeys(c.site.halls, 0.0)
    for load in c.allocated:
        row = c.site.rows.get(load.position.row)
        if row is not None and row.hall in heat:
            heat[row.hall] += load.power_w * (1.0 - liquid_share(load.sku))
    for loop, power in _liquid_heat(c).items():
        cdus = c.cdus_of.get(loop, ())
        for cdu in cdus:
            model = c.model("cdu_model", cdu.model)
            if isinstance(model, CduModel) and model.sink == "air" and cdu.hall in heat:
                heat[cdu.hall] += power / len(cdus)
    return heat


def _loop_of(c: Context, load: Allocated) -> str:
    """TCS loop that takes a rack's liquid heat; empty for none."""
    manifold = c.site.manifolds.get(load.position.manifold)
    return manifold.loop if manifold and load.sku.cooling == "liquid" else ""


def _liquid_heat(c: Context) -> dict[str, float]:
    """Liquid heat of each TCS loop at the racks' allocation [W]."""
    heat: dict[str, float] = {}
    for load in c.allocated:
        if loop := _loop_of(c, load):
            heat[loop] = heat.get(loop, 0.0) + load.power_w * liquid_share(load.sku)
    return heat


@rule
def cdus_bear_their_loops(c: Context) -> Iterator[Finding]:
    """The CDUs of a loop are rated for the liquid heat and the flow of its racks."""
    flow: dict[str, float] = {}
    for load in c.allocated:
        if name := _loop_of(c, load):
            flow[name] = flow.get(name, 0.0) + load.sku.flow_kg_s
    for loop_id, heat in _liquid_heat(c).items():
        loop, models = c.site.loops.get(loop_id), _cdu_models(c, loop_id)
        if loop is None or not models:
            continue
        duty, tcs = sum(m.duty_w for m in models), sum(m.tcs_flow_kg_s for m in models)
        if heat > duty:
            message = f"the racks of {loop_id!r} give it {heat / 1e3:.0f} kW at their allocation, its CDUs are rated {duty / 1e3:.0f} kW"
            yield c.at(loop, "id", message, "add a CDU or move racks", value=loop_id)
        elif flow[loop_id] > tcs * 1.05:
            message = f"the racks of {loop_id!r} are rated for {flow[loop_id]:.1f} kg/s, its CDUs for {tcs:.1f} kg/s"
            yield c.doubt(loop, "id", message, "add a CDU or move racks", value=loop_id)


def _cdu_models(c: Context, loop: str) -> list[CduModel]:
    found = [c.model("cdu_model", u.model) for u in c.cdus_of.get(loop, ())]
    return [m for m in found if isinstance(m, CduModel)]


@rule
def loops_have_pumps(c: Context) -> Iterator[Finding]:
    """Something drives every loop, and the pumps of a facility loop carry the flow that its users need."""
    hosts: dict[str, list[Any]] = {}
    for pump in c.site.pumps.values():
        hosts.setdefault(pump.host, []).append(pump)
    need = _cold_flow(c)
    for loop in c.site.loops.values():
        own = hosts.get(loop.id, [])
        if loop.kind == "tcs":
            for cdu in c.cdus_of.get(loop.id, ()):
                model = c.model("cdu_model", cdu.model)
                driven = own or cdu.id in hosts or not isinstance(model, CduModel) or model.pumps > 0 or model.pump_fixed_w > 0
                if not driven:
                    yield c.at(cdu, "model", f"{cdu.model!r} has no pump of its own and {cdu.id!r} hosts none", "add one to pumps.csv")
        elif not own:
            message = f"no pump drives facility loop {loop.id!r}"
            yield c.at(loop, "id", message, f"add pumps with host {loop.id} to pumps.csv", value=loop.id)
        yield from _flow(c, loop, own, need.get(loop.id, 0.0))


def _flow(c: Context, loop: Loop, pumps: list[Any], need: float) -> Iterator[Finding]:
    models = [m for p in pumps if isinstance(m := c.model("pump_model", p.model), PumpModel)]
    if not models or len(models) < len(pumps):
        return
    for pump, model in zip(pumps, models, strict=True):
        if model.shutoff_pa <= loop.dp_pa:
            message = f"{model.name} reaches {model.shutoff_pa / 1e3:.0f} kPa, loop {loop.id!r} holds {loop.dp_pa / 1e3:.0f} kPa"
            yield c.at(pump, "model", message, "take a stronger pump or lower the loop's dp")
            return
    if any(m.k_pa_s2_kg2 <= 0 for m in models) or loop.kind != "fws":
        return
    flow = sum(math.sqrt((m.shutoff_pa - loop.dp_pa) / m.k_pa_s2_kg2) for m in models)
    if need > flow:
        message = f"the pumps of {loop.id!r} carry {flow:.1f} kg/s at {loop.dp_pa / 1e3:.0f} kPa, its users need {need:.1f} kg/s"
        yield c.doubt(loop, "id", message, "add a pump, or lower the loop's dp", value=loop.id)


def _cold_flow(c: Context) -> Mapping[str, float]:
    """Water of each facility loop that the heat at the racks' allocation asks for: rated flows in proportion to load [kg/s]."""
    need: dict[str, float] = {}
    for loop, heat in _liquid_heat(c).items():
        duty = sum(m.duty_w for m in _cdu_models(c, loop))
        for cdu in c.cdus_of.get(loop, ()):
            model = c.model("cdu_model", cdu.model)
            if isinstance(model, CduModel) and cdu.fws:
                need[cdu.fws] = need.get(cdu.fws, 0.0) + model.cold_flow_kg_s * min(1.0, heat / duty)
    air, rated = _air_heat(c), _air_duty(c)
    for unit in c.site.air_units.values():
        found = c.model("air_unit_model", unit.model)
        if isinstance(found, AirUnitModel) and rated.get(unit.hall):
            need[unit.fws] = need.get(unit.fws, 0.0) + found.water_flow_kg_s * min(1.0, air[unit.hall] / rated[unit.hall])
    return need


RULES = rules_of(globals())
