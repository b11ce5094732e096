"""Checks of the power chain: everything has a source, two cords have two feeds, no rating is below what hangs on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import networkx as nx

from topology.errors import Finding
from topology.kinds import PowerElement
from topology.needs import SOURCES, needs_of
from topology.rules import Context, rule, rules_of

ROOT = ""
SLACK = 1.0 + 1e-9


@rule
def everything_has_a_source(c: Context) -> Iterator[Finding]:
    """Every power element has a path to a utility or a generator; only the topmost of a chain without one is told."""
    running = needs_of(c.site).running
    children: dict[str, list[str]] = {}
    for child, parents in c.parents.items():
        for parent in (*parents, *c.reserves[child]):
            children.setdefault(parent, []).append(child)
    for name, element in c.site.power.items():
        if name in running or c.parents[name] or c.reserves[name]:
            continue
        below = _below(name, children)
        also = f"; neither have the {len(below)} elements below it" if below else ""
        message = f"{element.kind} {name!r} has no path to a utility or generator{also}"
        yield c.at(element, "id", message, f"give it a parent: a row with child {name} in power_links.csv", value=name)


def _below(name: str, children: Mapping[str, list[str]]) -> set[str]:
    found: set[str] = set()
    stack = list(children.get(name, ()))
    while stack:
        child = stack.pop()
        if child not in found:
            found.add(child)
            stack.extend(children.get(child, ()))
    return found


@rule
def sources_have_no_parents(c: Context) -> Iterator[Finding]:
    """A utility or a generator is fed by nothing on the site."""
    for link in c.site.power_links:
        child = c.site.power.get(link.child)
        if child is not None and child.kind in SOURCES:
            message = f"{child.kind} {child.id!r} is a source and cannot be fed"
            yield c.at(link, "child", message, "swap parent and child, or name another child")


@rule
def reserves_stand_behind_something(c: Context) -> Iterator[Finding]:
    """An element with a transfer parent has a normal one."""
    for name, reserves in c.reserves.items():
        if reserves and not c.parents[name]:
            message = f"{name!r} has a transfer parent and no normal one"
            yield c.doubt(c.site.power[name], "id", message, "make one of its links normal in power_links.csv", value=name)


@rule
def cords_have_two_feeds(c: Context) -> Iterator[Finding]:
    """The two cords of a position or of gear do not hang on one element, nor on feeds that one failure takes both."""
    told: set[tuple[str, str]] = set()
    users = (*c.site.positions.values(), *c.gear)
    tops = _dominators(c)
    for user in users:
        if not user.feed_b or not user.feed_a:
            continue
        if user.feed_a == user.feed_b:
            message = f"both cords of {user.id!r} hang on {user.feed_a!r}"
            yield c.at(user, "feed_b", message, "name a feed of the other side, or leave feed_b empty for a single cord")
            continue
        pair = (user.feed_a, user.feed_b)
        if pair in told:
            continue
        told.add(pair)
        chain = tops.get(user.feed_a, ())
        other = set(tops.get(user.feed_b, ()))
        shared = next((e for e in chain if e in other), None)
        if shared is not None:
            count = sum((u.feed_a, u.feed_b) == pair for u in users)
            also = f" ({count} elements hang on this pair)" if count > 1 else ""
            message = f"{user.feed_a!r} and {user.feed_b!r} are both lost with {shared!r}{also}"
            yield c.doubt(user, "feed_b", message, "feed the two sides from separate elements, or give one a transfer parent")


def _dominators(c: Context) -> Mapping[str, tuple[str, ...]]:
    """Power element to the elements whose single loss takes it down, itself first (dominators from the sources)."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_node(ROOT)
    for name, element in c.site.power.items():
        if element.kind in SOURCES:
            graph.add_edge(ROOT, name)
        for parent in (*c.parents[name], *c.reserves[name]):
            graph.add_edge(parent, name)
    above = nx.immediate_dominators(graph, ROOT)
    chains: dict[str, tuple[str, ...]] = {}
    for name in above:
        chain, node = [], name
        while node is not None and node != ROOT:
            chain.append(node)
            node = above[node]
        chains[name] = tuple(chain)
    return chains


@dataclass(frozen=True, slots=True)
class _Load:
    """Allocated load of the racks below an element in normal operation [W, VA]."""

    w: float
    va: float


@rule
def ratings_bear_what_hangs_on_them(c: Context) -> Iterator[Finding]:
    """No continuous rating is below the allocated load of the racks below it; losses and gear come on top of that."""
    for name, load in _loads(c).items():
        element = c.site.power[name]
        for figure, value, unit in _demands(c, element, load):
            rating = c.of_power(element, figure)
            if rating is None:
                continue
            derate = c.of_power(element, "derate_frac") or 1.0
            if value > rating * derate * SLACK:
                share = f" at a derate of {derate:g}" if derate < 1.0 else ""
                scale, word = (1e3, f"k{unit}") if unit != "A" else (1.0, "A")
                message = (
                    f"{name!r} may carry {rating * derate / scale:.1f} {word} continuously{share}, "
                    f"the racks below it are allocated {value / scale:.1f} {word}"
                )
                yield c.at(element, figure, message, "raise the rating, move racks or lower their budgets", value=f"{rating:g}")
                break


def _demands(c: Context, element: PowerElement, load: _Load) -> Iterator[tuple[str, float, str]]:
    yield "rating_w", load.w, "W"
    yield "rating_va", load.va, "VA"
    voltage = c.of_power(element, "voltage_v")
    if voltage:
        yield "rating_a", load.va / (math.sqrt(3.0) * voltage), "A"


def _loads(c: Context) -> Mapping[str, _Load]:
    """Load of each power element: racks shared between their cords, elements between their normal parents in equal parts."""
    w = dict.fromkeys(c.site.power, 0.0)
    va = dict.fromkeys(c.site.power, 0.0)
    for load in c.allocated:
        share_a = load.rack.share_a_frac if load.position.feed_b else 1.0
        for feed, share in ((load.position.feed_a, share_a), (load.position.feed_b, 1.0 - share_a)):
            if feed in w:
                w[feed] += load.power_w * share
                va[feed] += load.power_w * share / load.sku.power_factor
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(c.site.power)
    graph.add_edges_from((child, parent) for child, parents in c.parents.items() for parent in parents)
    if nx.is_directed_acyclic_graph(graph):
        for child in nx.topological_sort(graph):
            for parent in c.parents[child]:
                w[parent] += w[child] / len(c.parents[child])
                va[parent] += va[child] / len(c.parents[child])
    return {name: _Load(w[name], va[name]) for name in c.site.power if w[name] > 0.0}


@rule
def ratings_bear_each_child(c: Context) -> Iterator[Finding]:
    """No rating is below that of the largest element fed, both taken as continuous ratings in VA.

    A switchboard fed is passed over: its bus bars are ordinarily rated above what feeds them.
    """
    children: dict[str, list[str]] = {}
    for child, parents in c.parents.items():
        for parent in parents:
            children.setdefault(parent, []).append(child)
    for name, element in c.site.power.items():
        own = _rating_va(c, element)
        fed = [c.site.power[child] for child in children.get(name, ()) if c.site.power[child].kind not in ("switchboard", *SOURCES)]
        sizes = [(size, child.id) for child in fed if (size := _rating_va(c, child)) is not None]
        if own is None or not sizes:
            continue
        size, child = max(sizes)
        parallel = len(c.parents[child])
        if size / parallel > own * SLACK:
            message = f"{name!r} may carry {own / 1e3:.0f} kVA continuously, less than {child!r} below it with {size / 1e3:.0f} kVA"
            figure = next(f for f in ("rating_va", "rating_a", "rating_w") if c.of_power(element, f) is not None)
            yield c.doubt(element, figure, message, "check both ratings")


def _rating_va(c: Context, element: PowerElement) -> float | None:
    """Least continuous rating in VA (active power taken at a power factor of 1)."""
    found = [v for f in ("rating_va", "rating_w") if (v := c.of_power(element, f)) is not None]
    amperes, voltage = c.of_power(element, "rating_a"), c.of_power(element, "voltage_v")
    if amperes is not None and voltage:
        found.append(math.sqrt(3.0) * voltage * amperes)
    return min(found) * (c.of_power(element, "derate_frac") or 1.0) if found else None


@rule
def elements_have_ratings(c: Context) -> Iterator[Finding]:
    """A power element has a rating, of its own or from its model; current ratings have a voltage."""
    for element in c.site.power.values():
        if all(c.of_power(element, f) is None for f in ("rating_va", "rating_w", "rating_a")):
            message = f"{element.kind} {element.id!r} has no rating: nothing limits it"
            yield c.doubt(element, "rating_va", message, "give it a model or a rating")
        elif c.of_power(element, "rating_a") is not None and c.of_power(element, "voltage_v") is None:
            message = f"{element.id!r} has a current rating and no voltage: the current cannot be computed"
            yield c.doubt(element, "voltage_v", message, "write its line-to-line voltage")


RULES = rules_of(globals())
