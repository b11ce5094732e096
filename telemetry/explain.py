"""How a file would be read: each column and metric with what it becomes, or why it is not read. Nothing is stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from string import Formatter

import pyarrow as pa

from telemetry.plan import INDEX, Plan, rule_for
from telemetry.source import Source, open_source, plan_of
from telemetry.vendor import Rule, Vendor, load_vendors
from topology.errors import nearest
from topology.site import Site

EXAMPLES = 1_000
"""Rows looked at for an example of each column."""


@dataclass(frozen=True, slots=True)
class Column:
    """What becomes of one column of a file, or of one metric of a long file.

    Attributes:
        name: as it stands in the file.
        role: ``time``, ``key``, ``value``, ``metric name``, ``ignored``, ``repeats another`` or ``not read``.
        quantity: canonical quantity of a value, else empty.
        unit: suffix of the unit that the file writes it in, else empty.
        factor: multiplies a value of the file into SI, before the offset.
        offset: added after the factor (temperatures).
        level: where in the chain it is metered.
        part: part of the element that it speaks of; keys of the mapping stand in braces.
        example: first value in the file, as text; empty where there is none.
        why: for what is not read the reason and the way out, for a key its name in the mapping.
    """

    name: str
    role: str
    quantity: str = ""
    unit: str = ""
    factor: float = 1.0
    offset: float = 0.0
    level: str = ""
    part: str = ""
    example: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How one file would be read.

    Attributes:
        file: the file.
        vendor: name of the mapping that fits it best.
        doc: what that mapping is for.
        point: where in the chain it measures.
        long: each row names its metric.
        columns: every column of the file in its order.
        metrics: metrics found in the first rows of a long file, by name.
    """

    file: str
    vendor: str
    doc: str
    point: str
    long: bool
    columns: tuple[Column, ...]
    metrics: tuple[Column, ...]


def explain(site: Site, path: Path, vendor: str | None = None, zone: str = "") -> Explanation:
    """Say how a file would be read.

    Args:
        site: whose elements it speaks of, and whose folder may hold mappings.
        path: a Parquet or CSV file.
        vendor: mapping to read it with, ``None`` to recognise it.
        zone: zone of times that have none, where the mapping names none.

    Raises:
        TelemetryError: it cannot be read or no mapping fits; says what the nearest ones lack.
        UsageError: ``vendor`` names no mapping.
    """
    source = open_source(path)
    vendors = load_vendors(site.folder, zone)
    plan = plan_of(str(path), source, vendors, site.elements, vendor)
    seen = _examples(source, plan)
    columns = tuple(_column(plan, c, seen.get(c, "")) for c in source.columns if c not in source.unreadable)
    columns += tuple(
        Column(c, "metric name" if c == plan.metric else "key", example=t, why="a folder on the way to the file says so")
        for c, t in source.path.items()
        if c in plan.columns
    )
    columns += tuple(Column(c, "not read", why=w) for c, w in source.unreadable.items())
    metrics = tuple(_metric(plan, m, site) for m in sorted(set(source.sample(plan.metric)))) if plan.long else ()
    own = plan.vendor
    return Explanation(str(path), own.name, own.doc, own.point, plan.long, columns, metrics)


def _examples(source: Source, plan: Plan) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for batch, _ in islice(source.batches(plan), 1):
        head = batch.slice(0, EXAMPLES)
        for name in head.schema.names:
            column: pa.Array = head.column(name).drop_null()
            if len(column):
                found[name] = str(column[0].as_py())
    return found


def _column(plan: Plan, name: str, example: str) -> Column:
    vendor = plan.vendor
    if name == plan.time:
        zone = f", zone {vendor.time.zone}" if vendor.time.zone else ""
        return Column(name, "time", unit=vendor.time.unit, example=example, why=f"unit {vendor.time.unit} where it is a number{zone}")
    key = next((k for k, c in plan.keys.items() if c == name), "")
    if key:
        return Column(name, "key", example=example, why=f"key {key!r}" + (", names the element" if key == vendor.element_key else ""))
    if name == plan.metric:
        return Column(name, "metric name", example=example)
    if name == plan.value:
        return Column(name, "value", example=example, why="of the metric that the row names")
    rule = next((r for c, r in plan.values if c == name), None)
    if rule is not None:
        return _value(plan, name, rule, example)
    if vendor.ignores(name):
        return Column(name, "ignored", why=f"the mapping {vendor.name} knows it and does not want it")
    if vendor.field and any(name.startswith(c.removesuffix(vendor.field)) for c, _ in plan.values if c.endswith(f".{vendor.field}")):
        return Column(name, "ignored", why=f"the mapping reads the field {vendor.field} beside it")
    if INDEX.fullmatch(name):
        return Column(name, "ignored", why="row numbers that pandas wrote")
    if name in plan.aliases:
        return Column(name, "repeats another", why="another column of this file holds the same quantity of the same part")
    return Column(name, "not read", why=_stranger(vendor, name))


def _metric(plan: Plan, name: str, site: Site) -> Column:
    vendor = plan.vendor
    if vendor.ignores(name):
        return Column(name, "ignored", why=f"the mapping {vendor.name} knows it and does not want it")
    rule = rule_for(vendor, name, site.elements)
    return Column(name, "not read", why=_stranger(vendor, name)) if rule is None else _value(plan, name, rule, "")


def _value(plan: Plan, name: str, rule: Rule, example: str) -> Column:
    level = rule.level or plan.vendor.level
    known = {*plan.keys, *(g for p in plan.vendor.patterns for g in re.compile(p).groupindex)}
    own = all(k in known for _, k, _, _ in Formatter().parse(plan.vendor.part_format) if k)
    part = rule.part or (plan.vendor.part_format if own else "")
    return Column(name, "value", rule.quantity, rule.unit.suffix, rule.unit.factor, rule.unit.offset, level, part, example)


def _stranger(vendor: Vendor, name: str) -> str:
    known = {n for r in vendor.rules for n in r.names} | vendor.ignore
    way = "name a quantity with its unit (power_kw), or " if vendor.canonical else ""
    way += "add it to [[values]] or to ignore in a mapping of the site's folder vendors/"
    return f"the mapping {vendor.name} does not know it; {nearest(name, known)}; {way}" if known else f"no rule claims it; {way}"
