"""How the axes of the power chain and of the gear that hangs on it are made from a site and its catalog."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import networkx as nx
import numpy as np

from topology.arrays import floats, freeze, given, ints, lookup
from topology.axes import Bools, Floats, GearAxis, Ints, PowerAxis
from topology.errors import SiteError
from topology.kinds import TRANSFER_S
from topology.losses import fitted_loss
from topology.models import PowerModel
from topology.ratings import remaining_frac
from topology.site import Site

UPS_INPUT_POWER_FACTOR = 0.99
"""Input power factor of a double-conversion UPS (IEC 62040-3 datasheet class)."""
BATTERY_S: Mapping[str, float] = MappingProxyType({"ups": 300.0})
"""Battery at rating where neither the element nor its model says it: five minutes, a usual size beside generators (estimate)."""
START_S: Mapping[str, float] = MappingProxyType({"generator": 17.0})
"""From loss of the utility to taking load: 4 + 5 + 8 s in the simulator DC-OPS; sets take 10 to 20 s."""
SWITCH_S: Mapping[str, float] = MappingProxyType({"sts": 0.004, "ups": 0.004})
"""Transfer of a static switch: a quarter of a cycle (IEC 62310-3 class; estimate)."""
RESTART_DELAY_S: Mapping[str, float] = MappingProxyType({"ups": 10.0})
"""Wait of a UPS's rectifier before it draws from a source that is back (walk-in; estimate)."""
X_OVER_R = 8.0
"""X over R of a transformer that neither it nor a square-law loss is given of: some 1,000 to 2,500 kVA (IEEE C37.010 class; estimate)."""
VOLTAGE_LOW_FRAC = 0.9
"""Lowest voltage over nominal at racks and gear where nothing is said: the lower end of what supplies for 200 to 240 V -10 % take
(our choice). For planning, IEC 60364-5-52 table G.52.1 asks for no more than 5 % of drop behind a public supply, 8 % behind one's own."""
STEP_FRAC = 0.6
"""Largest load step of a generator over its rating where its model says nothing: a turbocharged set (ISO 8528-5 class; estimate)."""


def power_axis(site: Site) -> PowerAxis:
    """The power chain; sources first in ``order``."""
    elements = tuple(site.power.values())
    ids = tuple(e.id for e in elements)
    number = lookup(ids)
    links = np.stack([ints([number(k.parent) for k in site.power_links]), ints([number(k.child) for k in site.power_links])], axis=1)
    normal = np.asarray([k.role == "normal" for k in site.power_links], dtype=bool)
    names = tuple(dict.fromkeys(e.model for e in elements))
    models = [with_fitted_loss(site.model("power_model", name, PowerModel)) if name else None for name in names]
    model = ints(list(map(lookup(names), [e.model for e in elements])))

    def pick(name: str, default: float) -> Floats:
        own = np.asarray([getattr(e, name) for e in elements], dtype=np.float64)  # none becomes NaN
        return np.where(np.isnan(own), floats([given(getattr(m, name, None), default) for m in models])[model], own)

    kinds = tuple(e.kind for e in elements)

    def timed(name: str, by_kind: Mapping[str, float], otherwise: float = 0.0) -> Floats:
        found = pick(name, math.nan)
        return np.where(np.isnan(found), floats([by_kind.get(kind, otherwise) for kind in kinds]), found)

    def modelled(name: str, otherwise: float) -> Floats:
        return floats([given(getattr(m, name, None), otherwise) for m in models])[model]

    continuous = pick("derate_frac", 1.0)
    ambient_c = floats([given(e.ambient_c, site.settings.design_dry_bulb_c) for e in elements])
    altitude = remaining_frac(site.settings.altitude_m, modelled("altitude_from_m", 0.0), modelled("altitude_per_m", 0.0))
    ambient = remaining_frac(ambient_c, modelled("ambient_from_c", 0.0), modelled("ambient_per_k", 0.0))
    derate = continuous * altitude * ambient
    if not (derate > 0.0).all():
        raise SiteError(f"nothing is left of the rating of {ids[int(np.argmin(derate))]!r} at this altitude and air temperature")
    battery_s = np.where([kind == "ups" for kind in kinds], timed("battery_s", BATTERY_S), 0.0)
    parents, direct = _parents(links[normal], len(ids)), modelled("direct", 0.0) > 0.0
    rectifies = direct & ~(direct[parents[:, 0]] & (parents[:, 0] >= 0))
    regulates = (np.asarray([kind == "ups" for kind in kinds], dtype=bool) & (modelled("regulates", 1.0) > 0.0)) | rectifies
    rating = np.minimum(pick("rating_w", math.inf), pick("rating_va", math.inf))
    return freeze(PowerAxis(
        ids=ids, kind=kinds, order=_order(ids, links),
        parents=parents, transfer=_parents(links[~normal], len(ids)),
        source=np.asarray([e.kind in ("utility", "generator") for e in elements], dtype=bool),
        rating_w=pick("rating_w", math.inf) * derate, rating_va=pick("rating_va", math.inf) * derate,
        rating_a=pick("rating_a", math.inf) * derate, voltage_v=pick("voltage_v", 0.0),
        loss_fixed_w=pick("loss_fixed_w", 0.0), loss_frac=pick("loss_frac", 0.0), loss_quad_per_w=pick("loss_quad_per_w", 0.0),
        input_power_factor=np.where(regulates, UPS_INPUT_POWER_FACTOR, 0.0),
        battery_j=np.multiply(battery_s, rating, out=np.zeros(len(ids)), where=battery_s > 0.0),
        start_s=np.where([kind == "generator" for kind in kinds], timed("start_s", START_S), 0.0),
        transfer_s=timed("transfer_s", SWITCH_S, TRANSFER_S), restart_delay_s=timed("restart_delay_s", RESTART_DELAY_S),
        ups_backed=_backed(links[normal], battery_s > 0.0), model=model, models=tuple(models),
        continuous_frac=continuous, altitude_frac=altitude, ambient_frac=ambient,
        fault_va=pick("fault_va", 0.0), breaking_a=pick("breaking_a", 0.0),
        step_frac=np.where([kind == "generator" for kind in kinds], modelled("step_frac", STEP_FRAC), math.inf),
        **_impedances(ids, pick), spread=modelled("loads_spread", 0.0) > 0.0,
        regulates=regulates, direct=direct,
        tap_frac=pick("tap_frac", 1.0), voltage_low_frac=pick("voltage_low_frac", VOLTAGE_LOW_FRAC),
    ))  # fmt: skip


def with_fitted_loss(model: PowerModel) -> PowerModel:
    """The model with the loss that its published efficiencies give, or as it is where it names none.

    Raises:
        SiteError: loads and efficiencies do not pair, there is no rating, or they cannot be.
    """
    if not model.efficiency_frac and not model.efficiency_load_frac:
        return model
    rating = given(model.rating_w, given(model.rating_va, 0.0))
    if len(model.efficiency_frac) != len(model.efficiency_load_frac) or rating <= 0.0:
        raise SiteError(f"power model {model.name!r} needs a rating, and as many efficiency_frac as efficiency_load_frac")
    loss = fitted_loss(rating, list(zip(model.efficiency_load_frac, model.efficiency_frac, strict=True)))
    return replace(model, loss_fixed_w=loss.fixed_w, loss_frac=loss.frac, loss_quad_per_w=loss.quad_per_w)


def _impedances(ids: Sequence[str], pick: Callable[[str, float], Floats]) -> dict[str, Floats]:
    """What is given of each element's series impedance, and all of it over nominal voltage squared [1/W]."""
    given_frac, per_m = pick("impedance_frac", 0.0), {name: pick(name, 0.0) for name in ("r_ohm_m", "x_ohm_m", "length_m")}
    rating, volts, load_loss, ratio = (
        pick("rating_va", math.nan),
        pick("voltage_v", 0.0),
        pick("loss_quad_per_w", 0.0),
        pick("x_over_r", math.nan),
    )
    line = (per_m["r_ohm_m"] > 0.0) | (per_m["x_ohm_m"] > 0.0)
    for short, what in (
        ((given_frac > 0.0) & np.isnan(rating), "an impedance_frac but no rating_va"),
        (line & (volts <= 0.0), "ohms but no voltage_v"),
    ):
        if short.any():
            raise SiteError(f"{ids[int(np.argmax(short))]!r} has {what}; its voltage drop needs both")
    z = np.divide(given_frac, rating, out=np.zeros(len(ids)), where=given_frac > 0.0)
    share = np.divide(load_loss, z, out=np.zeros(len(ids)), where=z > 0.0)
    known = np.clip(share, 1e-9, 1.0)  # a load loss above what the impedance allows leaves no reactance
    from_loss = np.where(share > 0.0, np.sqrt(1.0 - known**2) / known, X_OVER_R)
    ratio = np.where(np.isnan(ratio), from_loss, ratio)
    over = np.divide(per_m["length_m"], volts**2, out=np.zeros(len(ids)), where=volts > 0.0)
    return {
        "impedance_frac": given_frac, "x_over_r": ratio, **per_m,
        "r_per_w": z / np.hypot(1.0, ratio) + per_m["r_ohm_m"] * over,
        "x_per_w": z * ratio / np.hypot(1.0, ratio) + per_m["x_ohm_m"] * over,
    }  # fmt: skip


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
    loop = [ids[a] for a, _ in nx.find_cycle(nx.DiGraph(links.tolist()))]
    raise SiteError(f"the power chain is circular: {' -> '.join([*loop, loop[0]])}; remove one of these links")


def _parents(links: Ints, elements: int) -> Ints:
    """(N, P) parents of each element in the order of the links, -1 padded."""
    order = np.argsort(links[:, 1], kind="stable")
    child = links[order, 1]
    first = np.searchsorted(child, np.arange(elements + 1))
    out = np.full((elements, max(int(np.diff(first).max(initial=0)), 1)), -1, np.int64)
    out[child, np.arange(child.size) - first[child]] = links[order, 0]
    return out


def _backed(links: Ints, battery: Bools) -> Bools:
    """Elements with a battery on every normal way from a source: they have one, or all that feeds them is backed."""
    fed = np.zeros(battery.size, bool)
    fed[links[:, 1]] = True
    backed = battery | fed
    while True:
        bare = np.zeros(battery.size, bool)
        bare[links[~backed[links[:, 0]], 1]] = True
        less = backed & (battery | ~bare)
        if np.array_equal(less, backed):
            return backed
        backed = less


def gear_axis(site: Site, power: PowerAxis) -> GearAxis:
    """Mechanical gear: CDUs, pumps, air units, towers, chillers, dry coolers."""
    feed = lookup(power.ids)
    tables: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("cdu", site.cdus), ("pump", site.pumps), ("air_unit", site.air_units), ("tower", site.towers), ("chiller", site.chillers),
        ("dry_cooler", site.dry_coolers),
    )  # fmt: skip
    gear = [e for _, table in tables for e in table.values()]
    feeds = np.stack([ints([feed(e.feed_a) for e in gear]), ints([feed(e.feed_b) for e in gear])], axis=1)
    return freeze(GearAxis(
        ids=tuple(e.id for e in gear), kind=tuple(kind for kind, table in tables for _ in table), feed=feeds,
        transfer_s=floats([e.transfer_s for e in gear]), restart_delay_s=floats([e.restart_delay_s for e in gear]),
        restart_s=floats([e.restart_s for e in gear]),
        ups_backed=(feeds >= 0) & power.ups_backed[feeds] if power.n else np.zeros(feeds.shape, bool),
    ))  # fmt: skip
