"""How each axis of a :class:`topology.plant.Plant` is made from a site and its catalog."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import networkx as nx
import numpy as np

from topology import coolants
from topology.axes import (
    Axis,
    ChillerAxis,
    ExchangerAxis,
    Floats,
    GearAxis,
    HallAxis,
    Ints,
    LoopAxis,
    ManifoldAxis,
    PowerAxis,
    PumpAxis,
    RackAxis,
    TowerAxis,
)
from topology.errors import SiteError
from topology.kinds import DRAWING, HOLDING
from topology.models import AirUnitModel, CduModel, ChillerModel, Chip, Coolant, PowerModel, PumpModel, Sku, TowerModel
from topology.ratings import counterflow_ua_w_k, quadratic_resistance
from topology.site import Site

AIR_CP_J_KG_K = 1006.0
"""Heat capacity of dry air at 25 degC [J/(kg K)] (ASHRAE Handbook Fundamentals, chapter 1)."""
SUPPLY_BAND_K = 3.0
"""Allowed rise of a loop's supply over its set-point where the site gives no limit [K]."""
UPS_INPUT_POWER_FACTOR = 0.99
"""Input power factor of a double-conversion UPS (IEC 62040-3 datasheet class)."""


A = TypeVar("A", bound=Axis)


def _freeze(axis: A) -> A:
    for f in dataclasses.fields(axis):
        value = getattr(axis, f.name)
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    return axis


def _floats(values: Sequence[Any]) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _ints(values: Sequence[Any]) -> Ints:
    return np.asarray(values, dtype=np.int64)


def lookup(ids: Sequence[str]) -> Callable[[str], int]:
    """Index of an id, -1 where it is not there."""
    table = {name: k for k, name in enumerate(ids)}
    return lambda name: table.get(name, -1)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def rack_axis(site: Site, hall: Callable[[str], int], feed: Callable[[str], int], manifold: Callable[[str], int]) -> RackAxis:
    """Racks in file order."""
    racks = tuple(site.racks.values())
    places = [site.positions[r.position] for r in racks]
    names = tuple(dict.fromkeys(r.sku for r in racks))
    skus = tuple(site.model("sku", name, Sku) for name in names)
    chips = tuple(site.model("chip", s.chip, Chip) for s in skus)
    number = lookup(names)
    sku = _ints([number(r.sku) for r in racks])
    of = [skus[k] for k in sku]
    chip = [chips[k] for k in sku]
    hung = _ints([manifold(p.manifold) if s.cooling == "liquid" else -1 for p, s in zip(places, of, strict=True)])
    resistance = [quadratic_resistance(s.dp_pa, s.flow_kg_s) if m >= 0 else math.inf for s, m in zip(of, hung, strict=True)]
    share = {s.name: _plate_share(s) for s in skus}
    return _freeze(RackAxis(
        ids=tuple(r.id for r in racks), sku=sku, skus=skus, chips=chips,
        hall=_ints([hall(site.rows[p.row].hall) for p in places]),
        feed=_ints([[feed(p.feed_a), feed(p.feed_b)] for p in places]).reshape(-1, 2),
        share_a_frac=_floats([r.share_a_frac for r in racks]),
        power_factor=_floats([s.power_factor for s in of]),
        nameplate_w=_floats([s.nameplate_w for s in of]),
        budget_w=_floats([_or(r.budget_w, _or(s.allocated_w, s.nameplate_w)) for r, s in zip(racks, of, strict=True)]),
        manifold=hung, resistance=_floats(resistance),
        flow_kg_s=_floats([s.flow_kg_s for s in of]),
        plate_share_frac=_floats([share[s.name] for s in of]),
        r_base_k_w=_floats([c.r_base_k_w for c in chip]), r_flow=_floats([c.r_flow for c in chip]),
        r_exponent=_floats([c.r_exponent for c in chip]),
        r_air_k_w=_floats([_or(c.r_air_k_w, 0.0) if s.cooling == "air" else 0.0 for c, s in zip(chip, of, strict=True)]),
        chip_limit_c=_floats([c.temp_limit_c for c in chip]),
        coolant_limit_c=_floats([_or(s.coolant_limit_c, math.inf) for s in of]),
        inlet_limit_c=_floats([s.inlet_limit_c for s in of]),
        drawing=np.asarray([r.state in DRAWING for r in racks], dtype=bool),
        holding=np.asarray([r.state in HOLDING for r in racks], dtype=bool),
    ))  # fmt: skip


def _plate_share(sku: Sku) -> float:
    """Share of the rack's flow through one accelerator plate: flow is laid out in proportion to liquid heat."""
    liquid = sum(p.count * p.max_w * p.liquid_frac for p in sku.parts)
    plates = [p for p in sku.parts if p.chip == sku.chip]
    count = sum(p.count for p in plates)
    heat = sum(p.count * p.max_w * p.liquid_frac for p in plates)
    return heat / liquid / count if liquid > 0.0 and count else 0.0


def power_axis(site: Site) -> PowerAxis:
    """The power chain; sources first in ``order``."""
    elements = tuple(site.power.values())
    ids = tuple(e.id for e in elements)
    number = lookup(ids)
    links = _ints([(number(k.parent), number(k.child), k.role == "normal") for k in site.power_links]).reshape(-1, 3)
    normal = links[:, 2] == 1
    models = [site.model("power_model", e.model, PowerModel) if e.model else None for e in elements]

    def pick(name: str, default: float) -> Floats:
        values = []
        for e, m in zip(elements, models, strict=True):
            own = getattr(e, name)
            values.append(own if own is not None else _or(getattr(m, name, None), default))
        return _floats(values)

    derate = pick("derate_frac", 1.0)
    return _freeze(PowerAxis(
        ids=ids, kind=tuple(e.kind for e in elements), order=_order(ids, links),
        parents=_parents(links[normal], len(ids)), transfer=_parents(links[~normal], len(ids)),
        source=np.asarray([e.kind in ("utility", "generator") for e in elements], dtype=bool),
        rating_w=pick("rating_w", math.inf) * derate, rating_va=pick("rating_va", math.inf) * derate,
        rating_a=pick("rating_a", math.inf) * derate, voltage_v=pick("voltage_v", 0.0),
        loss_fixed_w=pick("loss_fixed_w", 0.0), loss_frac=pick("loss_frac", 0.0), loss_quad_per_w=pick("loss_quad_per_w", 0.0),
        input_power_factor=_floats([UPS_INPUT_POWER_FACTOR if e.kind == "ups" else 0.0 for e in elements]),
    ))  # fmt: skip


def _order(ids: Sequence[str], links: Ints) -> Ints:
    """Parents before children: elements by their longest way from a source, which a chain reaches in as many rounds as it is deep."""
    depth = np.zeros(len(ids), np.int64)
    for _ in range(len(ids) + 1):
        deeper = depth.copy()
        np.maximum.at(deeper, links[:, 1], depth[links[:, 0]] + 1)
        if np.array_equal(deeper, depth):
            order: Ints = np.argsort(depth, kind="stable").astype(np.int64)
            return order
        depth = deeper
    loop = [ids[a] for a, _ in nx.find_cycle(nx.DiGraph(links[:, :2].tolist()))]
    raise SiteError(f"the power chain is circular: {' -> '.join([*loop, loop[0]])}; remove one of these links")


def _parents(links: Ints, elements: int) -> Ints:
    """(N, P) parents of each element in the order of the links, -1 padded."""
    order = np.argsort(links[:, 1], kind="stable")
    child = links[order, 1]
    first = np.searchsorted(child, np.arange(elements + 1))
    out = np.full((elements, max(int(np.diff(first).max(initial=0)), 1)), -1, np.int64)
    out[child, np.arange(child.size) - first[child]] = links[order, 0]
    return out


def loop_axis(site: Site) -> LoopAxis:
    """Loops, with their coolant at the set-point."""
    loops = tuple(site.loops.values())
    fluids = [site.model("coolant", x.coolant, Coolant) for x in loops]
    at = [(f, x.supply_c) for f, x in zip(fluids, loops, strict=True)]
    return _freeze(LoopAxis(
        ids=tuple(x.id for x in loops), fws=np.asarray([x.kind == "fws" for x in loops], dtype=bool),
        supply_c=_floats([x.supply_c for x in loops]),
        supply_limit_c=_floats([_or(x.supply_limit_c, x.supply_c + SUPPLY_BAND_K) for x in loops]),
        dp_pa=_floats([x.dp_pa for x in loops]), flow_limit_kg_s=_floats([_or(x.flow_limit_kg_s, math.inf) for x in loops]),
        rho_kg_m3=_floats([float(coolants.rho_kg_m3(f, t)) for f, t in at]),
        cp_j_kg_k=_floats([float(coolants.cp_j_kg_k(f, t)) for f, t in at]),
        mu_pa_s=_floats([float(coolants.mu_pa_s(f, t)) for f, t in at]),
    ))  # fmt: skip


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


def gear_axis(site: Site, feed: Callable[[str], int]) -> GearAxis:
    """Mechanical gear: CDUs, pumps, air units, towers, chillers."""
    tables: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("cdu", site.cdus), ("pump", site.pumps), ("air_unit", site.air_units), ("tower", site.towers), ("chiller", site.chillers),
    )  # fmt: skip
    all_of = [(kind, e) for kind, table in tables for e in table.values()]
    return _freeze(GearAxis(
        ids=tuple(e.id for _, e in all_of), kind=tuple(kind for kind, _ in all_of),
        feed=_ints([[feed(e.feed_a), feed(e.feed_b)] for _, e in all_of]).reshape(-1, 2),
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
        fan_w=_floats([m.fan_w if m.sink == "air" else 0.0 for m in models]), fan_floor_frac=_floats([0.0 for _ in models]),
        aux_w=_floats([m.aux_w for m in models]),
        resistance=_floats([quadratic_resistance(m.tcs_dp_pa, m.tcs_flow_kg_s) for m in models]),
        pump_fixed_w=_floats([m.pump_fixed_w for m in models]), gear=_ints([gear(c.id) for c in cdus]),
    ))  # fmt: skip


def _exchangers(ids: tuple[str, ...], rows: Sequence[tuple[float, ...]], hot_cp: Floats, cold_cp: Floats, **rest: Any) -> ExchangerAxis:
    rated = _floats([list(r) for r in rows]).reshape(-1, 4)
    duty, approach, hot, cold = rated.T
    ua = [counterflow_ua_w_k(d, a, h * hc, c * cc) for d, a, h, c, hc, cc in zip(duty, approach, hot, cold, hot_cp, cold_cp, strict=True)]
    return ExchangerAxis(
        ids=ids, duty_w=duty.copy(), hot_kg_s=hot.copy(), cold_kg_s=cold.copy(), hot_cp_j_kg_k=hot_cp, cold_cp_j_kg_k=cold_cp,
        ua_w_k=_floats(ua), **rest,
    )  # fmt: skip


def air_unit_axis(
    site: Site, loops: LoopAxis, loop: Callable[[str], int], hall: Callable[[str], int], gear: Callable[[str], int]
) -> ExchangerAxis:
    """Fan walls and CRAHs; air is the hot side."""
    units = tuple(site.air_units.values())
    models = [site.model("air_unit_model", u.model, AirUnitModel) for u in units]
    fws = _ints([loop(u.fws) for u in units])
    rows = [(m.duty_w, m.approach_k, m.air_flow_kg_s, m.water_flow_kg_s) for m in models]
    none, zero = _ints([-1] * len(units)), np.zeros(len(units))
    return _freeze(_exchangers(
        tuple(u.id for u in units), rows, np.full(len(units), AIR_CP_J_KG_K), loops.cp_j_kg_k[fws],
        loop=none, hall=_ints([hall(u.hall) for u in units]), fws=fws, hot_exponent=np.full(len(units), 0.8),
        cold_exponent=np.full(len(units), 0.8), fan_w=_floats([m.fan_w for m in models]),
        fan_floor_frac=_floats([m.fan_floor_frac for m in models]), aux_w=zero, resistance=zero.copy(), pump_fixed_w=zero.copy(),
        gear=_ints([gear(u.id) for u in units]),
    ))  # fmt: skip


def pump_axis(site: Site, cdus: ExchangerAxis, loop: Callable[[str], int], gear: Callable[[str], int]) -> PumpAxis:
    """Pumps; integrated ones first, an entry a CDU."""
    number = lookup(cdus.ids)
    entries: list[tuple[str, int, int, float, PumpModel, int]] = []
    for k, cdu in enumerate(site.cdus.values()):
        model = site.model("cdu_model", cdu.model, CduModel)
        if model.pumps:
            entries.append(
                (f"{cdu.id}/pumps", k, int(cdus.loop[k]), model.pumps, site.model("pump_model", model.pump, PumpModel), gear(cdu.id))
            )
    for p in site.pumps.values():
        k = number(p.host)
        drives = int(cdus.loop[k]) if k >= 0 else loop(p.host)
        entries.append((p.id, k, drives, 1.0, site.model("pump_model", p.model, PumpModel), gear(p.id)))
    models = [e[4] for e in entries]
    return _freeze(PumpAxis(
        ids=tuple(e[0] for e in entries), cdu=_ints([e[1] for e in entries]), loop=_ints([e[2] for e in entries]),
        count=_floats([e[3] for e in entries]), shutoff_pa=_floats([m.shutoff_pa for m in models]),
        k=_floats([m.k_pa_s2_kg2 for m in models]), efficiency_frac=_floats([m.efficiency_frac for m in models]),
        rating_w=_floats([e[3] * _or(m.rating_w, math.inf) for e, m in zip(entries, models, strict=True)]),
        gear=_ints([e[5] for e in entries]),
    ))  # fmt: skip


def tower_axis(site: Site, loop: Callable[[str], int], gear: Callable[[str], int]) -> TowerAxis:
    """Cooling tower cells."""
    towers = tuple(site.towers.values())
    models = [site.model("tower_model", t.model, TowerModel) for t in towers]
    return _freeze(TowerAxis(
        ids=tuple(t.id for t in towers), fws=_ints([loop(t.fws) for t in towers]), duty_w=_floats([m.duty_w for m in models]),
        water_kg_s=_floats([m.water_flow_kg_s for m in models]), lg_ratio=_floats([m.lg_ratio for m in models]),
        exchanger_k=_floats([m.exchanger_approach_k for m in models]), fan_w=_floats([m.fan_w for m in models]),
        pump_w=_floats([m.pump_w for m in models]), gear=_ints([gear(t.id) for t in towers]),
    ))  # fmt: skip


def chiller_axis(site: Site, loop: Callable[[str], int], gear: Callable[[str], int]) -> ChillerAxis:
    """Trim chillers."""
    chillers = tuple(site.chillers.values())
    models = [site.model("chiller_model", c.model, ChillerModel) for c in chillers]
    return _freeze(ChillerAxis(
        ids=tuple(c.id for c in chillers), fws=_ints([loop(c.fws) for c in chillers]), duty_w=_floats([m.duty_w for m in models]),
        cop=_floats([m.cop for m in models]), cap_f_t=_floats([m.cap_f_t for m in models]).reshape(-1, 6),
        eir_f_t=_floats([m.eir_f_t for m in models]).reshape(-1, 6), eir_f_plr=_floats([m.eir_f_plr for m in models]).reshape(-1, 3),
        gear=_ints([gear(c.id) for c in chillers]),
    ))  # fmt: skip


def hall_axis(site: Site) -> HallAxis:
    """Halls with their air set-point and limit."""
    halls = tuple(site.halls.values())
    return _freeze(
        HallAxis(
            ids=tuple(h.id for h in halls),
            air_supply_c=_floats([h.air_supply_c for h in halls]),
            air_limit_c=_floats([h.air_limit_c for h in halls]),
        )
    )
