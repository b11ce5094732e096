"""Checks without which a site cannot be used at all: names that exist, ids that are unique, feeds that are not circular."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import networkx as nx

from topology.columns import Column, columns_of
from topology.errors import Finding
from topology.kinds import KIND_NAMES, POWER_KINDS, PowerElement
from topology.models import MODEL_FILES
from topology.rules import Context, rule, rules_of
from topology.table import CellError, check_range

ID = re.compile(r"[A-Za-z0-9._-]+\Z")


@rule
def ids_are_plain(c: Context) -> Iterator[Finding]:
    """Ids hold letters, digits, point, underscore and hyphen."""
    for element in c.site.elements.values():
        if not ID.match(element.id):
            hint = "use letters, digits, '.', '_' and '-'"
            if "{n" in element.id:
                hint = "give the row a repeat count so that {n} counts"
            yield c.at(element, "id", f"the id {element.id!r} holds characters that ids may not have", hint)


@rule
def ids_are_unique(c: Context) -> Iterator[Finding]:
    """An id names one element in the whole site; a site read from a folder has had this held already."""
    if c.site.folder is not None:
        return
    seen: dict[str, str] = {}
    for kind, table in c.tables.items():
        for name, element in table.items():
            if name in seen:
                message = f"the id {name!r} is already taken by a {seen[name]}"
                yield c.at(element, "id", message, "ids are unique in the whole site: rename one")
            seen[name] = kind


@rule
def values_are_allowed(c: Context) -> Iterator[Finding]:
    """Numbers lie within the bounds of their columns, words among their choices; reading a folder holds this already."""
    if c.site.folder is not None:
        return
    for element in c.everything:
        for column in columns_of(type(element)):
            value = getattr(element, column.name)
            if column.choices and value not in column.choices:
                yield c.at(element, column.name, f"{value!r} is not a {column.name} that is known", f"allowed: {', '.join(column.choices)}")
            if column.type in ("number", "integer") and value is not None:
                try:
                    check_range(column, value, f"{value:g}")
                except CellError as fault:
                    yield c.at(element, column.name, fault.args[0], fault.args[1])


@rule
def names_exist(c: Context) -> Iterator[Finding]:
    """Every reference names an element of the right kind, or a model of the catalog."""
    for element in c.everything:
        for column in columns_of(type(element)):
            if column.refs:
                value = getattr(element, column.name)
                for name in value if isinstance(value, tuple) else (value,):
                    if name or column.required:
                        yield from _resolve(c, element, column, name)


def _resolve(c: Context, element: Any, column: Column, name: str) -> Iterator[Finding]:
    models = [k for k in column.refs if k in MODEL_FILES]
    if models:
        kind = models[0]
        if name not in c.site.catalog.entries.get(kind, {}):
            word = kind.replace("_", " ") if kind != "sku" else "SKU"
            hint = f"{c.near(name, kind, c.site.catalog.names(kind))}; or add it to catalog/{kind}s.toml in the site folder"
            yield c.at(element, column.name, f"the catalog has no {word} {name!r}", hint, value=name)
        return
    found = c.site.elements.get(name)
    kinds = _tables(column, c.tables)
    words = " or ".join("power element" if k == "power" else k.replace("_", " ") for k in kinds)
    if found is None:
        if not c.unsure.isdisjoint(kinds):
            return
        message = f"there is no {words} {name!r}" if column.refs != ("any",) else f"there is no {name!r}"
        yield c.at(element, column.name, message, c.near(name, words, _pool(c, kinds)), value=name)
    elif column.refs != ("any",) and not _fits(found, column):
        message = f"{name!r} is a {c.site.kind_of(name).replace('_', ' ')}, not a {words}"
        yield c.at(element, column.name, message, c.near(name, words, _pool(c, kinds)), value=name)


def _pool(c: Context, kinds: Iterable[str]) -> Iterator[str]:
    return (i for kind in kinds for i in c.tables[kind])


def _tables(column: Column, tables: Mapping[str, Any]) -> tuple[str, ...]:
    """Kinds whose ids a column may hold; the finer kinds of the power chain are one table."""
    if column.refs == ("any",):
        return tuple(tables)
    return tuple(dict.fromkeys("power" if r in POWER_KINDS else r for r in column.refs))


def _fits(found: Any, column: Column) -> bool:
    return found.kind in column.refs if isinstance(found, PowerElement) else KIND_NAMES[type(found)] in column.refs


@rule
def feeds_are_not_circular(c: Context) -> Iterator[Finding]:
    """Following normal parents upward never comes back to where it began, and nothing feeds itself."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    normal = [k for k in c.site.power_links if k.role == "normal"]
    graph.add_edges_from((k.parent, k.child) for k in normal)
    group = {n: i for i, nodes in enumerate(nx.strongly_connected_components(graph)) for n in nodes}
    told: set[int] = set()
    for link in normal:
        if group[link.parent] == group[link.child] and group[link.parent] not in told:
            told.add(group[link.parent])
            ring = nx.shortest_path(graph, link.child, link.parent)
            message = f"the feed is circular: {' -> '.join((link.parent, *ring))}"
            yield c.at(link, "parent", message, "take one of these links away, or make it a transfer")
    for link in c.site.power_links:
        if link.role == "transfer" and link.parent == link.child:
            yield c.at(link, "parent", f"{link.child!r} is its own reserve", "name the element that takes over")


@rule
def links_are_said_once(c: Context) -> Iterator[Finding]:
    """A parent feeds a child by one link."""
    seen: set[tuple[str, str]] = set()
    for link in c.site.power_links:
        if (link.parent, link.child) in seen:
            yield c.at(link, "child", f"{link.parent!r} feeds {link.child!r} twice", "keep one of the links")
        seen.add((link.parent, link.child))


@rule
def kinds_match_models(c: Context) -> Iterator[Finding]:
    """A power element's kind is that of its model."""
    for element in c.site.power.values():
        model = c.model("power_model", element.model)
        kind = getattr(model, "kind", element.kind)
        if kind != element.kind:
            fitting = [n for n in c.site.catalog.names("power_model") if getattr(c.model("power_model", n), "kind", "") == element.kind]
            hint = f"take a {element.kind} model: {', '.join(fitting)}" if fitting else f"write kind {kind}"
            yield c.at(element, "model", f"{element.model!r} is a {kind}, not a {element.kind}", hint)


RULES = rules_of(globals())
