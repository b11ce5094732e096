"""What a site is, as plain dictionaries: contents, blast radius of an element, and the columns of its files."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import Any

import networkx as nx

from dashboards.answers import plain
from topology.models import PowerModel, Sku
from topology.paths import blast_radius, feed_paths, single_points_of_failure
from topology.schema import schema
from topology.site import Site


def shown(site: Site) -> dict[str, Any]:
    """Contents of a site: halls, racks by SKU and state, power elements, loops, declared redundancy, single points of failure."""
    settings = site.settings
    answer = {
        "site": settings.name, "altitude_m": settings.altitude_m, "design_wet_bulb_c": settings.design_wet_bulb_c,
        "design_dry_bulb_c": settings.design_dry_bulb_c, "growth_frac": settings.growth_frac, "horizon": settings.horizon,
        "racks": len(site.racks), "positions": len(site.positions), "free_positions": len(site.free_positions),
        "allocated_w": sum(_allocated_w(site, r) for r in site.racks),
        "halls": _halls(site), "racks_by_sku": _racks(site), "power": _power(site), "loops": _loops(site),
        "redundancy": [dataclasses.asdict(r) for r in site.redundancy.values()],
        "common_causes": [dataclasses.asdict(c) for c in site.common_causes.values()],
        "single_points_of_failure": [
            {"element": s.element, "kind": s.kind, "lost_power": s.lost_power, "lost_cooling": s.lost_cooling}
            for s in single_points_of_failure(site)
        ],
    }  # fmt: skip
    return dict(plain(answer))


def _allocated_w(site: Site, rack: str) -> float:
    found = site.racks[rack]
    sku = site.model("sku", found.sku, Sku)
    return found.budget_w if found.budget_w is not None else sku.allocated_w if sku.allocated_w is not None else sku.nameplate_w


def _hall_of(site: Site, position: str) -> str:
    return site.rows[site.positions[position].row].hall


def _halls(site: Site) -> list[dict[str, Any]]:
    rows = Counter(r.hall for r in site.rows.values())
    places = Counter(_hall_of(site, p) for p in site.positions)
    free = Counter(_hall_of(site, p) for p in site.free_positions)
    racks = Counter(_hall_of(site, r.position) for r in site.racks.values())
    power = dict.fromkeys(site.halls, 0.0)
    for name, rack in site.racks.items():
        power[_hall_of(site, rack.position)] += _allocated_w(site, name)
    return [
        {
            "element": h, "rows": rows[h], "positions": places[h], "racks": racks[h], "free_positions": free[h],
            "allocated_w": power[h],
        }
        for h in site.halls
    ]  # fmt: skip


def _racks(site: Site) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for name, rack in site.racks.items():
        groups.setdefault((rack.sku, rack.state), []).append(name)
    return [
        {"sku": sku, "state": state, "racks": len(names), "allocated_w": sum(_allocated_w(site, n) for n in names)}
        for (sku, state), names in groups.items()
    ]


def _power(site: Site) -> list[dict[str, Any]]:
    """Power elements by kind, model and feed side, sources first."""
    order = {n: k for k, n in enumerate(nx.topological_sort(nx.DiGraph([(k.parent, k.child) for k in site.power_links])))}
    groups: dict[tuple[str, str, str], list[str]] = {}
    for e in sorted(site.power.values(), key=lambda e: order.get(e.id, 0)):
        groups.setdefault((e.kind, e.model, e.feed), []).append(e.id)
    return [
        {"kind": kind, "model": model, "feed": feed, "count": len(ids), **_rating(site, ids[0]), "elements": ids}
        for (kind, model, feed), ids in groups.items()
    ]  # fmt: skip


def _rating(site: Site, name: str) -> dict[str, float | None]:
    own = site.power[name]
    model = site.model("power_model", own.model, PowerModel) if own.model else None
    values = {k: getattr(own, k) if getattr(own, k) is not None else getattr(model, k, None) for k in ("rating_w", "rating_va", "rating_a")}
    return {k: v if v is not None and math.isfinite(v) else None for k, v in values.items()}


def _loops(site: Site) -> list[dict[str, Any]]:
    return [
        {
            "element": loop.id, "kind": loop.kind, "coolant": loop.coolant, "supply_c": loop.supply_c,
            "cdus": [c.id for c in site.cdus.values() if loop.id in (c.loop, c.fws)],
            "manifolds": [m.id for m in site.manifolds.values() if m.loop == loop.id],
            "plant": [e.id for t in (site.towers, site.dry_coolers, site.chillers, site.air_units) for e in t.values() if e.fws == loop.id],
        }
        for loop in site.loops.values()
    ]  # fmt: skip


def impact(site: Site, element: str) -> dict[str, Any]:
    """What goes down with an element, and the ways on which power reaches it.

    Raises:
        SiteError: no such element; the message offers the nearest.
    """
    lost = blast_radius(site, element)
    down = (*lost.lost_power, *lost.lost_cooling)
    answer = {
        **dataclasses.asdict(lost),
        "kind": site.kind_of(element),
        "racks_down": len(down),
        "allocated_down_w": sum(_allocated_w(site, r) for r in down),
        "feed_paths": [
            {"elements": p.elements, "normal": p.normal, "transfers": [list(t) for t in p.transfers]} for p in feed_paths(site, element)
        ],
    }
    return dict(plain(answer))


def columns(file: str | None = None) -> dict[str, Any]:
    """Every column of every file of a site, or of one file."""
    rows = [dataclasses.asdict(r) for r in schema() if file is None or r.file.split(" ")[0] == file]
    return dict(plain({"columns": rows}))
