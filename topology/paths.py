"""Questions on the graph of a site: what goes down with an element, what nothing stands in for, how power arrives."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import networkx as nx

from topology.errors import SiteError
from topology.kinds import CommonCause, Hall, Position, PowerElement, Redundancy, Row
from topology.needs import AIR, COOLING, SOURCES, Needs, needs_of
from topology.site import Site


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """What the loss of one element (or of one event's members) takes with it, transfers considered.

    Attributes:
        element: what was asked about.
        failed: elements that fail by themselves: the element, the members of an event, or what stands in a place.
        lost_power: racks with no feed left.
        one_feed: racks and gear that had two live feeds and now have one.
        lost_cooling: racks that lose their coolant or their hall's air altogether; without the racks of ``lost_power``.
        stopped: other elements that stop, the failed ones not included.
        transferred: power elements that go over to a reserve parent.
    """

    element: str
    failed: tuple[str, ...]
    lost_power: tuple[str, ...]
    one_feed: tuple[str, ...]
    lost_cooling: tuple[str, ...]
    stopped: tuple[str, ...]
    transferred: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SinglePoint:
    """An element that nothing stands in for.

    Attributes:
        element: its id.
        kind: its kind, such as ``busway`` or ``loop``.
        lost_power: racks that its loss leaves without power.
        lost_cooling: racks that its loss leaves without cooling, though with power.
    """

    element: str
    kind: str
    lost_power: tuple[str, ...]
    lost_cooling: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeedPath:
    """One way from a source down to an element.

    Attributes:
        elements: ids from the source to the element, both included.
        transfers: links of the path, as (parent, child), that are used only after a transfer.
    """

    elements: tuple[str, ...]
    transfers: tuple[tuple[str, str], ...]

    @property
    def normal(self) -> bool:
        """Whether it is used in normal operation."""
        return not self.transfers


def blast_radius(site: Site, element: str, needs: Needs | None = None) -> BlastRadius:
    """What goes down with an element.

    Args:
        site: the site.
        element: id of any element; a common cause stands for its members, a place (hall, row, position) for what stands in it.
        needs: the needs of the site where they are known already.

    Returns:
        What is lost and what hangs on one feed.

    Raises:
        SiteError: no such element.
    """
    site.kind_of(element)
    needs = needs or needs_of(site)
    failed = _failed(site, element)
    nodes = {n for f in failed for n in (f, f + COOLING) if n in needs.groups}
    lost = needs.lost(nodes)
    alive = needs.running - lost
    power = tuple(r for r in site.racks if r in lost)
    cooling = tuple(r for r in site.racks if r + COOLING in lost and r not in lost)
    gone = set(failed)
    stopped = tuple(n for n in site.elements if n in lost and n not in site.racks and n not in gone)
    return BlastRadius(element, failed, power, _on_one_feed(site, needs, lost), cooling, stopped, _transferred(site, needs, alive))


def _failed(site: Site, element: str) -> tuple[str, ...]:
    """Elements that fail by themselves when one does."""
    found: Any = site.elements[element]
    if isinstance(found, CommonCause | Redundancy):
        return tuple(dict.fromkeys(f for m in found.members if m in site.elements and m != element for f in _failed(site, m)))
    if isinstance(found, Hall | Row | Position):
        places = nx.descendants(nx.subgraph_view(site.graph, filter_edge=lambda a, b: site.graph[a][b]["medium"] == "place"), element)
        gear = [] if not isinstance(found, Hall) else [e.id for t in (site.cdus, site.air_units) for e in t.values() if e.hall == element]
        return tuple(n for n in site.racks if n in places) + tuple(gear)
    return (element,)


def _cords(site: Site) -> dict[str, tuple[str, str]]:
    gear = (site.cdus, site.pumps, site.air_units, site.towers, site.chillers, site.dry_coolers)
    cords = {g.id: (g.feed_a, g.feed_b) for t in gear for g in t.values()}
    for rack in site.racks.values():
        position = site.positions.get(rack.position)
        if position is not None:
            cords[rack.id] = (position.feed_a, position.feed_b)
    return cords


def _on_one_feed(site: Site, needs: Needs, lost: frozenset[str]) -> tuple[str, ...]:
    found = []
    for name, (a, b) in _cords(site).items():
        two = a in needs.running and b in needs.running and a != b
        if two and name not in lost and (a in lost) != (b in lost):
            found.append(name)
    return tuple(found)


def _transferred(site: Site, needs: Needs, alive: frozenset[str]) -> tuple[str, ...]:
    """Power elements that ran on a normal parent and run on a reserve now."""
    normal: dict[str, list[str]] = {}
    for link in site.power_links:
        if link.role == "normal":
            normal.setdefault(link.child, []).append(link.parent)
    return tuple(
        n for n, parents in normal.items()
        if n in alive and any(p in needs.running for p in parents) and not any(p in alive for p in parents)
    )  # fmt: skip


def single_points_of_failure(site: Site) -> tuple[SinglePoint, ...]:
    """Elements whose loss leaves some rack without power or without cooling, worst first.

    Each element is lost in turn, and only what lies below it is looked at, so that the work grows with the number of elements
    times the depth of the tree. Racks, places and declared groups are not asked about.

    Args:
        site: the site.

    Returns:
        Single points with the racks that they take down, those that take down most first.
    """
    needs = needs_of(site)
    order = {r: i for i, r in enumerate(site.racks)}
    found = []
    for node in needs.groups:
        if node in site.racks or node.endswith((COOLING, AIR)) or node not in needs.running:
            continue
        lost = needs.lost((node,))
        power = sorted((n for n in lost if n in order), key=order.__getitem__)
        cooling = sorted((r for n in lost if n.endswith(COOLING) and (r := n.removesuffix(COOLING)) not in lost), key=order.__getitem__)
        if power or cooling:
            found.append(SinglePoint(node, site.kind_of(node), tuple(power), tuple(cooling)))
    return tuple(sorted(found, key=lambda s: -len(s.lost_power) - len(s.lost_cooling)))


def _power_graph(site: Site) -> nx.DiGraph[str]:
    return nx.subgraph_view(site.graph, filter_edge=lambda a, b: site.graph[a][b]["medium"] in ("power", "transfer"))


def feed_paths(site: Site, element: str, limit: int = 1000) -> tuple[FeedPath, ...]:
    """Every way of power from a source to an element, the normal ones first.

    Args:
        site: the site.
        element: a rack, a piece of gear or a power element; a position stands for its two feeds.
        limit: largest number of paths that is walked.

    Returns:
        Paths from source to element.

    Raises:
        SiteError: no such element, or more than ``limit`` paths.
    """
    site.kind_of(element)
    graph = _power_graph(site)
    found: Any = site.elements[element]
    ends = [f for f in (found.feed_a, found.feed_b) if f in site.power] if isinstance(found, Position) else [element]
    paths: list[FeedPath] = []
    for end in dict.fromkeys(ends):
        for way in _upward(graph, site, (end,)):
            links = tuple(itertools.pairwise(way))
            whole = way if end == element else (*way, element)
            paths.append(FeedPath(whole, tuple(k for k in links if graph.edges[k]["medium"] == "transfer")))
            if len(paths) > limit:
                raise SiteError(f"{element!r} has more than {limit} feed paths: the power chain is more a mesh than a tree")
    return tuple(sorted(paths, key=lambda p: len(p.transfers)))


def _upward(graph: nx.DiGraph[str], site: Site, way: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Simple paths from a source down to the last element of ``way``."""
    head = way[0]
    found = site.elements[head]
    if isinstance(found, PowerElement) and found.kind in SOURCES:
        yield way
        return
    for parent in graph.predecessors(head):
        if parent not in way:
            yield from _upward(graph, site, (parent, *way))


def shared_parents(site: Site, a: str, b: str) -> tuple[str, ...]:
    """Power elements that two elements both hang on in normal operation, nearest first.

    Args:
        site: the site.
        a: one element.
        b: the other.

    Returns:
        Ids of shared parents, ``a`` or ``b`` themselves included where one feeds the other; transfers are not counted.

    Raises:
        SiteError: no such element.
    """
    for name in (a, b):
        site.kind_of(name)
    graph = nx.subgraph_view(site.graph, filter_edge=lambda p, q: site.graph[p][q]["medium"] == "power")
    above_a, above_b = nx.ancestors(graph, a) | {a}, nx.ancestors(graph, b) | {b}
    common = {n for n in above_a & above_b if n in site.power}
    depth = nx.single_source_shortest_path_length(graph.reverse(copy=False), a)
    return tuple(sorted(common, key=lambda n: (depth[n], n)))
