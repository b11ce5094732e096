"""What each element needs to run, as groups of alternatives, and what is lost when some of them fail.

An element runs while every one of its groups has a member that runs: a rack needs one of its cords, a liquid-cooled rack its
manifold and, where its hall has air units, one of those; a CDU needs one of its feeds and its facility loop; a facility loop
needs a tower, dry cooler or chiller and, where it has pumps of its own, one of them. Sources need nothing. A transfer parent is an
alternative like a normal one. How *much* the survivors carry is not asked here: that is for the solvers.

Nodes are element ids, and for racks ``id`` (power) and ``id + COOLING``; ``hall + AIR`` is the cooled air of a hall.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from topology.kinds import Chiller, DryCooler, Tower
from topology.models import CduModel, Sku
from topology.site import Site

SOURCES = ("utility", "generator")
COOLING = "/cooling"
AIR = "/air"
Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Needs:
    """The needs of a site.

    Attributes:
        groups: node to its groups of alternatives; a node of an empty group never runs.
        users: node to the nodes that name it.
        running: nodes that run with nothing lost.
    """

    groups: Mapping[str, Groups]
    users: Mapping[str, tuple[str, ...]]
    running: frozenset[str]

    def lost(self, failed: Iterable[str]) -> frozenset[str]:
        """Nodes that stop when some fail, the failed ones included.

        Everything below the failed ones is taken as stopped and then given back as far as it can still be reached from what
        runs, so that two elements that are each other's reserve do not hold each other up.

        Args:
            failed: nodes that are lost.

        Returns:
            Nodes that ran before and do not now.
        """
        gone = set(failed) & self.running
        below = set(gone)
        stack = list(gone)
        while stack:
            for user in self.users.get(stack.pop(), ()):
                if user not in below and user in self.running:
                    below.add(user)
                    stack.append(user)
        back = _derive(self.groups, self.users, _Outside(self.running, below), below - gone)
        return frozenset(below - back)


class _Outside:
    """Members of one set that are not in another, without making that difference."""

    def __init__(self, inside: frozenset[str], outside: set[str]) -> None:
        self.inside, self.outside = inside, outside

    def __contains__(self, node: object) -> bool:
        return node in self.inside and node not in self.outside


def _derive(
    groups: Mapping[str, Groups], users: Mapping[str, tuple[str, ...]], ground: frozenset[str] | _Outside, open_: Iterable[str]
) -> set[str]:
    """Those of ``open_`` that run, given that ``ground`` runs: the least fixed point."""
    candidates = set(open_)
    found: set[str] = set()
    stack = [n for n in candidates if all(any(m in ground for m in g) for g in groups.get(n, ()))]
    while stack:
        node = stack.pop()
        if node in found:
            continue
        found.add(node)
        for user in users.get(node, ()):
            if user in candidates and user not in found and all(any(m in ground or m in found for m in g) for g in groups[user]):
                stack.append(user)
    return found


def needs_of(site: Site) -> Needs:
    """The needs of every element of a site; names that do not exist are passed over."""
    groups = dict(_groups(site))
    users: dict[str, list[str]] = {n: [] for n in groups}
    for node, node_groups in groups.items():
        for name in {m for g in node_groups for m in g}:
            users[name].append(node)
    fixed = {n: tuple(u) for n, u in users.items()}
    return Needs(groups, fixed, frozenset(_derive(groups, fixed, frozenset(), groups)))


def _groups(site: Site) -> Iterator[tuple[str, Groups]]:
    yield from _power(site)
    hosts: dict[str, list[str]] = {}
    for pump in site.pumps.values():
        hosts.setdefault(pump.host, []).append(pump.id)
        yield pump.id, (_known(site.power, (pump.feed_a, pump.feed_b)),)
    makers: dict[str, list[str]] = {}
    outdoor: tuple[Tower | Chiller | DryCooler, ...] = (*site.towers.values(), *site.chillers.values(), *site.dry_coolers.values())
    for maker in outdoor:
        makers.setdefault(maker.fws, []).append(maker.id)
        yield maker.id, (_known(site.power, (maker.feed_a, maker.feed_b)),)
    for cdu in site.cdus.values():
        makers.setdefault(cdu.loop, []).append(cdu.id)
        sink = (_known(site.loops, (cdu.fws,)),) if cdu.fws else _air_of(site, cdu.hall)
        yield cdu.id, (_known(site.power, (cdu.feed_a, cdu.feed_b)), *sink, *_pumps(site, cdu.id, cdu.model, hosts))
    for loop in site.loops:
        own = (tuple(hosts[loop]),) if loop in hosts else ()
        yield loop, (tuple(makers.get(loop, ())), *own)
    for manifold in site.manifolds.values():
        yield manifold.id, (_known(site.loops, (manifold.loop,)),)
    air: dict[str, list[str]] = {}
    for unit in site.air_units.values():
        air.setdefault(unit.hall, []).append(unit.id)
        yield unit.id, (_known(site.power, (unit.feed_a, unit.feed_b)), _known(site.loops, (unit.fws,)))
    yield from ((hall + AIR, (tuple(units),)) for hall, units in air.items() if hall in site.halls)
    yield from _racks(site)


def _power(site: Site) -> Iterator[tuple[str, Groups]]:
    parents: dict[str, list[str]] = {i: [] for i in site.power}
    for link in site.power_links:
        if link.child in parents and link.parent in site.power:
            parents[link.child].append(link.parent)
    for name, element in site.power.items():
        yield name, () if element.kind in SOURCES else (tuple(dict.fromkeys(parents[name])),)


def _racks(site: Site) -> Iterator[tuple[str, Groups]]:
    skus = site.catalog.entries.get("sku", {})
    aired = {u.hall for u in site.air_units.values()}
    for rack in site.racks.values():
        position = site.positions.get(rack.position)
        if position is None:
            continue
        yield rack.id, (_known(site.power, (position.feed_a, position.feed_b)),)
        sku, row = skus.get(rack.sku), site.rows.get(position.row)
        liquid = isinstance(sku, Sku) and sku.cooling == "liquid"
        wet = (_known(site.manifolds, (position.manifold,)),) if liquid else ()
        dry = ((row.hall + AIR,),) if row is not None and row.hall in aired and row.hall in site.halls else ()
        yield rack.id + COOLING, (*wet, *dry)


def _air_of(site: Site, hall: str) -> Groups:
    return ((hall + AIR,),) if hall in site.halls and any(u.hall == hall for u in site.air_units.values()) else ()


def _pumps(site: Site, cdu: str, model: str, hosts: Mapping[str, list[str]]) -> Groups:
    """A CDU with pumps of its own in the pump table needs one of them, unless its model has integrated ones."""
    found = site.catalog.entries.get("cdu_model", {}).get(model)
    integrated = isinstance(found, CduModel) and (found.pumps > 0 or found.pump_fixed_w > 0)
    return (tuple(hosts[cdu]),) if cdu in hosts and not integrated else ()


def _known(table: Mapping[str, object], names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n for n in names if n in table))
