"""How each axis of a :class:`topology.plant.Plant` is made from a site and its catalog."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from topology import coolants
from topology.arrays import floats as _floats
from topology.arrays import freeze as _freeze
from topology.arrays import given as _or
from topology.arrays import ints as _ints
from topology.arrays import lookup
from topology.ashrae import AIR, LIQUID_C
from topology.axes import (
    ExchangerAxis,
    Floats,
    HallAxis,
    LoopAxis,
    ManifoldAxis,
    PipeAxis,
    PumpAxis,
    RackAxis,
)
from topology.kinds import DRAWING, ECONOMISERS, HOLDING, PHASES
from topology.models import AirUnitModel, CduModel, Chip, Coolant, PumpModel, Sku
from topology.plates import paths_of, plate_of
from topology.ratings import counterflow_ua_w_k, quadratic_resistance
from topology.site import Site

AIR_CP_J_KG_K = 1006.0
"""Heat capacity of dry air at 25 degC [J/(kg K)] (ASHRAE Handbook Fundamentals, chapter 1)."""
SUPPLY_BAND_K = 3.0
"""Allowed rise of a loop's supply over its set-point where the site gives no limit [K]."""


def rack_axis(site: Site, hall: Callable[[str], int], feed: Callable[[str], int], manifold: Callable[[str], int]) -> RackAxis:
    """Racks in file order."""
    racks = tuple(site.racks.values())
    places = [site.positions[r.position] for r in racks]
    names = tuple(dict.fromkeys(r.sku for r in racks))
    skus = tuple(site.model("sku", name, Sku) for name in names)
    chips = tuple(site.model("chip", s.chip, Chip) for s in skus)
    number = lookup(names)
    sku = _ints([number(r.sku) for r in racks])

    def each(values: Sequence[float]) -> Floats:
        """One value a SKU to one a rack."""
        return _floats(values)[sku]

    liquid = np.asarray([s.cooling == "liquid" for s in skus], dtype=bool)[sku]
    hung = np.where(liquid, _ints([manifold(p.manifold) for p in places]), -1)
    resistance = np.where(hung >= 0, each([quadratic_resistance(s.dp_pa, s.flow_kg_s) for s in skus]), math.inf)
    allocated = each([_or(s.allocated_w, s.nameplate_w) for s in skus])
    budget = np.asarray([r.budget_w for r in racks], dtype=np.float64)  # none becomes NaN
    share, spread = _floats([r.share_a_frac for r in racks]), _floats([r.share_a_spread_frac for r in racks])
    cold, phase = np.asarray([r.supply_mode == "cold" for r in racks], dtype=bool), lookup(PHASES)
    paired = list(zip(chips, skus, strict=True))
    plates = [plate_of(c) for c in chips]
    memory = [math.inf if c.r_memory_k_w is None or c.memory_temp_limit_c is None else c.memory_temp_limit_c for c in chips]
    flow_share, path_share, series = np.asarray([_accelerator_plate(s) for s in skus], dtype=np.float64).reshape(-1, 3).T
    return _freeze(RackAxis(
        ids=tuple(r.id for r in racks), sku=sku, skus=skus, chips=chips,
        hall=_ints([hall(site.rows[p.row].hall) for p in places]),
        feed=np.stack([_ints([feed(p.feed_a) for p in places]), _ints([feed(p.feed_b) for p in places])], axis=1),
        share_a_frac=share, share_low_frac=np.where(cold, 0.0, np.maximum(share - spread, 0.0)),
        share_high_frac=np.where(cold, 1.0, np.minimum(share + spread, 1.0)),
        phases=_ints([phase(r.phases or p.phases) for r, p in zip(racks, places, strict=True)]),
        power_factor=each([s.power_factor for s in skus]),
        nameplate_w=each([s.nameplate_w for s in skus]),
        budget_w=np.where(np.isnan(budget), allocated, budget),
        manifold=hung, resistance=resistance,
        flow_kg_s=each([s.flow_kg_s for s in skus]),
        plate_share_frac=flow_share[sku], path_share_frac=path_share[sku], series_frac=series[sku],
        r_base_k_w=each([p.r_base_k_w for p in plates]), r_flow=each([p.factor for p in plates]),
        r_exponent=each([p.exponent for p in plates]),
        r_air_k_w=each([_or(c.r_air_k_w, 0.0) if s.cooling == "air" else 0.0 for c, s in paired]),
        r_memory_k_w=each([_or(c.r_memory_k_w, 0.0) for c in chips]),
        leakage_frac_k=each([c.leakage_frac_k for c in chips]), leakage_ref_c=each([c.leakage_ref_c for c in chips]),
        chip_limit_c=each([c.temp_limit_c for c in chips]), memory_limit_c=each(memory),
        return_limit_c=each([_or(s.return_limit_c, math.inf) for s in skus]),
        coolant_limit_c=each([_or(s.coolant_limit_c, math.inf) for s in skus]),
        inlet_limit_c=each([s.inlet_limit_c for s in skus]),
        drawing=np.asarray([r.state in DRAWING for r in racks], dtype=bool),
        holding=np.asarray([r.state in HOLDING for r in racks], dtype=bool),
        draw_factor=np.ones(len(racks)),
    ))  # fmt: skip


def _accelerator_plate(sku: Sku) -> tuple[float, float, float]:
    """Shares of the rack's flow through one accelerator plate and through its path, and the series heat ahead of the last plate."""
    plates = [(p, path) for p, path in zip(sku.parts, paths_of(sku), strict=True) if p.chip == sku.chip and path.plate_frac > 0.0]
    if not plates:
        return 0.0, 0.0, 0.0
    part, path = min(plates, key=lambda pair: pair[1].plate_frac)
    return path.plate_frac, path.path_frac, (path.series - 1) * path.abreast * part.liquid_frac


def loop_axis(site: Site) -> LoopAxis:
    """Loops, with their coolant at the set-point; the dew-point interlock raises the set-point of a TCS loop."""
    loops = tuple(site.loops.values())
    floors = dew_floors_c(site)
    dew = _floats([floors.get(x.id, -math.inf) for x in loops])
    asked = _floats([x.supply_c for x in loops])
    limit = _floats([_or(x.supply_limit_c, x.supply_c + SUPPLY_BAND_K) for x in loops])
    kinds = tuple(dict.fromkeys((x.coolant, x.supply_c) for x in loops))
    number = {kind: k for k, kind in enumerate(kinds)}
    own = _ints([number[x.coolant, x.supply_c] for x in loops])
    at = [(site.model("coolant", name, Coolant), c) for name, c in kinds]
    return _freeze(LoopAxis(
        ids=tuple(x.id for x in loops), fws=np.asarray([x.kind == "fws" for x in loops], dtype=bool),
        supply_c=np.maximum(asked, dew), asked_c=asked, dew_floor_c=dew, supply_limit_c=limit,
        class_limit_c=_floats([LIQUID_C.get(x.liquid_class, math.inf) for x in loops]),
        dp_pa=_floats([x.dp_pa for x in loops]), flow_limit_kg_s=_floats([_or(x.flow_limit_kg_s, math.inf) for x in loops]),
        rho_kg_m3=_floats([float(coolants.rho_kg_m3(f, t)) for f, t in at])[own],
        cp_j_kg_k=_floats([float(coolants.cp_j_kg_k(f, t)) for f, t in at])[own],
        mu_pa_s=_floats([float(coolants.mu_pa_s(f, t)) for f, t in at])[own],
        economiser=_ints([ECONOMISERS.index(x.economiser) for x in loops]),
        fewest=np.asarray([x.staging == "fewest" for x in loops], dtype=bool), reuse_w=_floats([x.reuse_w for x in loops]),
    ))  # fmt: skip


def dew_floors_c(site: Site) -> Mapping[str, float]:
    """Lowest supply of each TCS loop whose pipes run through a hall with a known dew point: dew point plus the hall's margin [degC]."""
    floors = {h.id: h.dew_point_c + h.dew_margin_k for h in site.halls.values() if h.dew_point_c is not None}
    if not floors:
        return {}
    hall_of = {r.id: r.hall for r in site.rows.values()}
    loop_of = {m.id: m.loop for m in site.manifolds.values()}
    places = {(loop_of.get(p.manifold, ""), hall_of.get(p.row, "")) for p in site.positions.values()}
    places |= {(c.loop, c.hall) for c in site.cdus.values()}
    found: dict[str, float] = {}
    for loop, hall in sorted(places):
        if loop and hall in floors:
            found[loop] = max(floors[hall], found.get(loop, -math.inf))
    return found


def manifold_axis(site: Site, racks: RackAxis, loop: Callable[[str], int]) -> ManifoldAxis:
    """Row manifolds with their racks in order of place."""
    manifolds = tuple(site.manifolds.values())
    places = _ints([site.positions[r.position].place for r in site.racks.values()])
    order = np.lexsort((places, racks.manifold))
    order = order[racks.manifold[order] >= 0]
    first = np.searchsorted(racks.manifold[order], np.arange(len(manifolds) + 1))
    return _freeze(ManifoldAxis(
        ids=tuple(m.id for m in manifolds), loop=_ints([loop(m.loop) for m in manifolds]),
        first=first.astype(np.int64), racks=order.astype(np.int64), place=places[order],
        spacing_m=_floats([m.spacing_m for m in manifolds]), lead_m=_floats([m.lead_m for m in manifolds]),
        diameter_m=_floats([m.diameter_m for m in manifolds]), roughness_m=_floats([m.roughness_m for m in manifolds]),
    ))  # fmt: skip


def cdu_axis(
    site: Site, loops: LoopAxis, loop: Callable[[str], int], hall: Callable[[str], int], gear: Callable[[str], int]
) -> ExchangerAxis:
    """CDUs; UA follows from the rating point."""
    cdus = tuple(site.cdus.values())
    models = [site.model("cdu_model", c.model, CduModel) for c in cdus]
    hot_loop, fws = _ints([loop(c.loop) for c in cdus]), _ints([loop(c.fws) if c.fws else -1 for c in cdus])
    cold_cp = np.where(fws >= 0, loops.cp_j_kg_k[fws], AIR_CP_J_KG_K) if cdus else _floats([])
    rows = [(m.duty_w, m.approach_k, m.tcs_flow_kg_s, m.cold_flow_kg_s) for m in models]
    return _freeze(_exchangers(
        tuple(c.id for c in cdus), rows, loops.cp_j_kg_k[hot_loop], cold_cp,
        loop=hot_loop, hall=_ints([hall(c.hall) for c in cdus]), fws=fws,
        hot_exponent=_floats([m.ua_exponent_tcs for m in models]), cold_exponent=_floats([m.ua_exponent_cold for m in models]),
        hot_share_frac=_floats([m.ua_share_tcs_frac for m in models]), fouling_k_w=_floats([c.fouling_k_w for c in cdus]),
        firmware=np.asarray([m.sink == "air" and m.controller == "aalc" for m in models], dtype=bool), rack=_ints([-1 for _ in models]),
        fan_w=_floats([m.fan_w if m.sink == "air" else 0.0 for m in models]), fan_floor_frac=_floats([0.0 for _ in models]),
        aux_w=_floats([m.aux_w for m in models]),
        resistance=_floats([quadratic_resistance(m.tcs_dp_pa, m.tcs_flow_kg_s) for m in models]),
        pump_fixed_w=_floats([m.pump_fixed_w for m in models]), gear=_ints([gear(c.id) for c in cdus]),
    ))  # fmt: skip


def _exchangers(ids: tuple[str, ...], rows: Sequence[tuple[float, ...]], hot_cp: Floats, cold_cp: Floats, **rest: Any) -> ExchangerAxis:
    duty, approach, hot, cold = _floats(rows).reshape(-1, 4).T
    kinds, own = np.unique(np.stack([duty, approach, hot * hot_cp, cold * cold_cp], axis=1), axis=0, return_inverse=True)
    ua = _floats([counterflow_ua_w_k(*map(float, kind)) for kind in kinds])[own.reshape(-1)]
    return ExchangerAxis(
        ids=ids, duty_w=duty.copy(), hot_kg_s=hot.copy(), cold_kg_s=cold.copy(), hot_cp_j_kg_k=hot_cp, cold_cp_j_kg_k=cold_cp,
        ua_w_k=ua, **rest,
    )  # fmt: skip


def air_unit_axis(
    site: Site, loops: LoopAxis, loop: Callable[[str], int], hall: Callable[[str], int], gear: Callable[[str], int]
) -> ExchangerAxis:
    """Fan walls, CRAHs and rear doors; air is the hot side."""
    units = tuple(site.air_units.values())
    stands = {r.position: k for k, r in enumerate(site.racks.values()) if r.state in HOLDING} if any(u.position for u in units) else {}
    models = [site.model("air_unit_model", u.model, AirUnitModel) for u in units]
    fws = _ints([loop(u.fws) for u in units])
    rows = [(m.duty_w, m.approach_k, m.air_flow_kg_s, m.water_flow_kg_s) for m in models]
    none, zero = _ints([-1] * len(units)), np.zeros(len(units))
    return _freeze(_exchangers(
        tuple(u.id for u in units), rows, np.full(len(units), AIR_CP_J_KG_K), loops.cp_j_kg_k[fws],
        loop=none, hall=_ints([hall(u.hall) for u in units]), fws=fws, hot_exponent=np.full(len(units), 0.8),
        cold_exponent=np.full(len(units), 0.8), hot_share_frac=np.full(len(units), 0.5), fouling_k_w=zero.copy(),
        firmware=np.zeros(len(units), dtype=bool), rack=_ints([stands.get(u.position, -2) if u.position else -1 for u in units]),
        fan_w=_floats([m.fan_w for m in models]),
        fan_floor_frac=_floats([m.fan_floor_frac for m in models]), aux_w=zero, resistance=zero.copy(), pump_fixed_w=zero.copy(),
        gear=_ints([gear(u.id) for u in units]),
    ))  # fmt: skip


def pipe_axis(site: Site, loop: Callable[[str], int]) -> PipeAxis:
    """Pieces of headers, in file order."""
    pipes = tuple(site.pipes.values())
    return _freeze(PipeAxis(ids=tuple(p.id for p in pipes), loop=_ints([loop(p.loop) for p in pipes])))


def pump_axis(site: Site, cdus: ExchangerAxis, loop: Callable[[str], int], gear: Callable[[str], int]) -> PumpAxis:
    """Pumps; integrated ones first, an entry a CDU."""
    inside = [site.model("cdu_model", c.model, CduModel) for c in site.cdus.values()]
    owner = np.flatnonzero(np.asarray([m.pumps > 0 for m in inside], dtype=bool))
    own = tuple(site.pumps.values())
    host = _ints(list(map(lookup(cdus.ids), [p.host for p in own])))
    drives = _ints([loop(p.host) for p in own])
    if cdus.n:
        drives = np.where(host >= 0, cdus.loop[host], drives)
    names = [*(inside[c].pump for c in owner), *(p.model for p in own)]
    known = {name: site.model("pump_model", name, PumpModel) for name in dict.fromkeys(names)}
    models = [known[name] for name in names]
    count = np.concatenate([_floats([inside[c].pumps for c in owner]), np.ones(len(own))])
    return _freeze(PumpAxis(
        ids=(*(f"{cdus.ids[c]}/pumps" for c in owner), *(p.id for p in own)),
        cdu=np.concatenate([owner.astype(np.int64), host]), loop=np.concatenate([cdus.loop[owner], drives]), count=count,
        shutoff_pa=_floats([m.shutoff_pa for m in models]), k=_floats([m.k_pa_s2_kg2 for m in models]),
        efficiency_frac=_floats([m.efficiency_frac for m in models]),
        rating_w=count * _floats([_or(m.rating_w, math.inf) for m in models]),
        gear=np.concatenate([cdus.gear[owner], _ints([gear(p.id) for p in own])]),
    ))  # fmt: skip


def hall_axis(site: Site) -> HallAxis:
    """Halls with their air set-point and limit."""
    halls = tuple(site.halls.values())
    return _freeze(
        HallAxis(
            ids=tuple(h.id for h in halls),
            air_supply_c=_floats([h.air_supply_c for h in halls]),
            air_limit_c=_floats([h.air_limit_c for h in halls]),
            class_limit_c=_floats([AIR[h.air_class].highest_c(site.settings.altitude_m) if h.air_class else math.inf for h in halls]),
        )
    )
