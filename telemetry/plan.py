"""From a file's columns to a reading plan: which mapping, which column is what, and what nobody claimed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from telemetry.schema import READINGS
from telemetry.vendor import Rule, Vendor
from topology.errors import Finding, TelemetryError, UsageError, nearest
from topology.units import split

INDEX = re.compile(r"__index_level_\d+__")
"""Columns of row numbers that pandas writes beside a table's own; no reading is in them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one file is read.

    Attributes:
        vendor: the mapping.
        time: name of the time column.
        keys: key -> column that holds it.
        values: (column, rule) of a wide file, formats of the rule filled in; empty for a long file.
        metric: column of metric names of a long file, empty for a wide one.
        value: column of values of a long file.
        unmapped: columns that no rule, key or ignore list claims.
        aliases: columns that say what another column of the file says already.
    """

    vendor: Vendor
    time: str
    keys: Mapping[str, str]
    values: tuple[tuple[str, Rule], ...]
    metric: str
    value: str
    unmapped: tuple[str, ...]
    aliases: tuple[str, ...]

    @property
    def long(self) -> bool:
        """Whether each row names its metric."""
        return bool(self.metric)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns to read from the file."""
        return tuple(dict.fromkeys([self.time, *self.keys.values(), *(c for c, _ in self.values), *self._pair]))

    @property
    def _pair(self) -> tuple[str, ...]:
        return (self.metric, self.value) if self.metric else ()


def rule_for(vendor: Vendor, name: str, elements: Collection[str]) -> Rule | None:
    """The rule for one column or metric name, its formats filled in; ``None`` where the mapping has none."""
    for rule in vendor.rules:
        if name in rule.names:
            return rule
        match = re.fullmatch(rule.pattern, name) if rule.pattern else None
        if match is not None:
            groups, named = (match.group(0), *match.groups("")), match.groupdict("")
            return dataclasses.replace(rule, element=rule.element.format(*groups, **named), part=rule.part.format(*groups, **named))
    if vendor.canonical:
        found = _canonical(name)
        if found is not None:
            return found
    if vendor.elements_as_columns:
        return _column_of_element(name, vendor.elements_as_columns, elements)
    return None


def _canonical(name: str) -> Rule | None:
    stem, unit = split(name)
    if unit is None:
        return None
    for quantity, reading in READINGS.items():
        if reading.unit.quantity == unit.quantity and split(quantity)[0] == stem:
            return Rule((name,), "", quantity, unit)
    return None


def _column_of_element(name: str, quantity: str, elements: Collection[str]) -> Rule | None:
    canonical = READINGS[quantity].unit
    if name in elements:
        return Rule((name,), "", quantity, canonical, element=name)
    stem, unit = split(name)
    if stem in elements and unit is not None and unit.quantity == canonical.quantity:
        return Rule((name,), "", quantity, unit, element=stem)
    return None


def bind(vendor: Vendor, columns: Sequence[str], elements: Collection[str], quiet: Collection[str] = ()) -> Plan | None:
    """The plan of one mapping for a file; ``None`` where a required column is absent.

    Args:
        vendor: mapping.
        columns: columns of the file.
        elements: element ids of the site.
        quiet: columns that need no explanation where nobody claims them, such as those of the file's path.
    """
    time = _first(vendor.time.columns, columns)
    silent = {*quiet, *(c for c in columns if INDEX.fullmatch(c) or vendor.ignores(c))}
    keys = {k: c for k, names in vendor.keys.items() if (c := _first(names, columns))}
    if not time or vendor.keys.keys() - vendor.optional - keys.keys():
        return None
    claimed = {time, *keys.values()}
    metric, value = _first(vendor.metric, columns), _first(vendor.value, columns)
    if metric and value:
        rest = [c for c in columns if c not in claimed | {metric, value} | silent]
        return Plan(vendor, time, keys, (), metric, value, tuple(rest), ())
    if vendor.metric and not vendor.rules:  # a mapping that has only a long layout
        return None
    inner = f".{vendor.field}" if vendor.field else ""
    found = [(c, r) for c in columns if c not in claimed and (r := rule_for(vendor, _stem(c, inner), elements)) is not None]
    stems = tuple(f"{_stem(c, inner)}." for c, _ in found if inner and c.endswith(inner))
    silent |= {c for c in columns if stems and c.startswith(stems)}
    values, aliases = _without_aliases(found)
    known = claimed | silent | {c for c, _ in found}
    if not values:
        return None
    return Plan(vendor, time, keys, values, "", "", tuple(c for c in columns if c not in known), aliases)


def _stem(column: str, inner: str) -> str:
    return column.removesuffix(inner) if inner else column


def _without_aliases(found: list[tuple[str, Rule]]) -> tuple[tuple[tuple[str, Rule], ...], tuple[str, ...]]:
    """Keep one column of each quantity and place: the one whose name stands first in its rule."""
    best: dict[tuple[str, str, str, str], tuple[str, Rule]] = {}
    aliases: list[str] = []
    for column, rule in found:
        what = (rule.quantity, rule.element, rule.part, rule.level)
        other = best.get(what)
        if other is None:
            best[what] = (column, rule)
        elif _rank(column, rule) < _rank(*other):
            best[what] = (column, rule)
            aliases.append(other[0])
        else:
            aliases.append(column)
    return tuple(best.values()), tuple(aliases)


def _rank(column: str, rule: Rule) -> int:
    return rule.names.index(column) if column in rule.names else len(rule.names)


def _first(names: Iterable[str], columns: Collection[str]) -> str:
    return next((n for n in names if n in columns), "")


def recognise(
    file: str,
    columns: Sequence[str],
    vendors: Mapping[str, Vendor],
    elements: Collection[str],
    vendor: str | None = None,
    sample: Callable[[str], Sequence[str]] | None = None,
    quiet: Collection[str] = (),
) -> Plan:
    """Choose the mapping for a file: the one that leaves the fewest of its columns, and of its metrics, unexplained.

    Args:
        file: shown in messages.
        columns: columns of the file.
        vendors: known mappings.
        elements: element ids of the site.
        vendor: name of the mapping to use, ``None`` to recognise it.
        sample: gives some texts of a column; asked for the metric names of a long file.
        quiet: columns that need no explanation where nobody claims them.

    Raises:
        UsageError: ``vendor`` is not a known mapping.
        TelemetryError: no mapping fits, or several fit equally well.
    """
    if vendor is not None:
        if vendor not in vendors:
            raise UsageError(f"there is no vendor mapping {vendor!r}; {nearest(vendor, vendors)}")
        plan = bind(vendors[vendor], columns, elements, quiet)
        if plan is None:
            raise TelemetryError(f"{file} does not fit the mapping {vendor}: {_lacks(vendors[vendor], columns)}; it has {_list(columns)}")
        return plan
    plans = [p for v in vendors.values() if (p := bind(v, columns, elements, quiet)) is not None]
    if not plans:
        raise TelemetryError(
            f"{file} is not known to any vendor mapping; it has the columns {_list(columns)}",
            [_near(file, v, columns) for v in sorted(vendors.values(), key=lambda v: -_overlap(v, columns))[:3]],
        )
    scores = [_unexplained(p, sample, elements) for p in plans]
    best = [p for p, s in zip(plans, scores, strict=True) if s == min(scores)]
    if len(best) > 1:
        raise TelemetryError(f"{file} fits the mappings {' and '.join(p.vendor.name for p in best)} equally well: name one with --vendor")
    return best[0]


def _unexplained(plan: Plan, sample: Callable[[str], Sequence[str]] | None, elements: Collection[str]) -> tuple[int, int]:
    metrics = set(sample(plan.metric)) if plan.long and sample is not None else set()
    strange = [m for m in metrics if not plan.vendor.ignores(m) and rule_for(plan.vendor, m, elements) is None]
    return len(plan.unmapped) + len(plan.aliases) + len(strange), -len(plan.keys) - len(plan.values)


def _list(columns: Sequence[str]) -> str:
    return ", ".join(columns[:12]) + (f" and {len(columns) - 12} more" if len(columns) > 12 else "")


def _names(vendor: Vendor) -> set[str]:
    keys = {n for names in vendor.keys.values() for n in names}
    return {*vendor.time.columns, *keys, *vendor.metric, *vendor.value, *vendor.ignore, *(n for r in vendor.rules for n in r.names)}


def _overlap(vendor: Vendor, columns: Sequence[str]) -> int:
    return len(_names(vendor) & set(columns))


def _lacks(vendor: Vendor, columns: Sequence[str]) -> str:
    lacking = [f"the time ({' or '.join(vendor.time.columns)})"] if not _first(vendor.time.columns, columns) else []
    lacking += [f"{k} ({' or '.join(n)})" for k, n in vendor.keys.items() if k not in vendor.optional and not _first(n, columns)]
    return f"it lacks {', '.join(lacking)}" if lacking else "none of its columns holds a value that the mapping knows"


def _near(file: str, vendor: Vendor, columns: Sequence[str]) -> Finding:
    return Finding(
        f"nearest is {vendor.name}: {_lacks(vendor, columns)}", "write a mapping in the site's folder vendors/", file, severity="warning"
    )


def column_findings(file: str, plan: Plan) -> list[Finding]:
    """A warning for each column of a file that is not read, with the nearest known name."""
    names = _names(plan.vendor)
    hint = "add it to [[values]] or to ignore in a mapping of the site's folder vendors/"
    found = [
        Finding(
            f"column {c!r} is not in the mapping {plan.vendor.name}, its values are not stored",
            f"{nearest(c, names)}; {hint}",
            file, column=c, severity="warning",
        )
        for c in plan.unmapped
    ]  # fmt: skip
    found += [
        Finding(f"column {c!r} repeats another column of this file, its values are not stored", "", file, column=c, severity="warning")
        for c in plan.aliases
    ]
    return found
