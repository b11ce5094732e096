"""The typed networkx graph of a site: who feeds, cools and holds whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import networkx as nx

if TYPE_CHECKING:
    from topology.site import Site

Edge = tuple[str, str, str]


def build(site: Site) -> nx.DiGraph[str]:
    """Graph of a site; node attribute ``kind``, edge attribute ``medium`` (power, transfer, coolant, place).

    An edge from a position to its rack is ``place``; the position's taps and manifold are edges to the rack itself, so that
    descendants of a busway or a manifold are the racks that hang on it.
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from((i, {"kind": site.kind_of(i)}) for i in site.elements)
    for parent, child, medium in (*_place(site), *_power(site), *_coolant(site)):
        if parent in graph and child in graph:
            graph.add_edge(parent, child, medium=medium)
    return graph


def _place(site: Site) -> Iterator[Edge]:
    yield from ((r.hall, r.id, "place") for r in site.rows.values())
    yield from ((p.row, p.id, "place") for p in site.positions.values())
    yield from ((r.position, r.id, "place") for r in site.racks.values())


def _power(site: Site) -> Iterator[Edge]:
    yield from ((k.parent, k.child, "power" if k.role == "normal" else "transfer") for k in site.power_links)
    for rack in site.racks.values():
        position = site.positions.get(rack.position)
        if position is not None:
            yield from ((f, rack.id, "power") for f in (position.feed_a, position.feed_b) if f)
    for gear in (site.cdus, site.pumps, site.air_units, site.towers, site.chillers, site.dry_coolers):
        yield from ((f, e.id, "power") for e in gear.values() for f in (e.feed_a, e.feed_b) if f)


def _coolant(site: Site) -> Iterator[Edge]:
    yield from ((e.id, e.fws, "coolant") for t in (site.towers, site.chillers, site.dry_coolers) for e in t.values())
    for cdu in site.cdus.values():
        yield (cdu.fws or cdu.hall, cdu.id, "coolant")
        yield (cdu.id, cdu.loop, "coolant")
    yield from ((p.id, p.host, "coolant") for p in site.pumps.values())
    yield from ((m.loop, m.id, "coolant") for m in site.manifolds.values())
    yield from ((p.loop, p.id, "coolant") for p in site.pipes.values())
    yield from ((u.fws, u.id, "coolant") for u in site.air_units.values())
    yield from ((u.id, u.hall, "coolant") for u in site.air_units.values())
    for rack in site.racks.values():
        position = site.positions.get(rack.position)
        if position is not None and position.manifold:
            yield (position.manifold, rack.id, "coolant")
