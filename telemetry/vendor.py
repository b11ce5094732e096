"""Vendor mappings: one TOML file says how a meter's columns become canonical readings; code knows no vendor.

Keys of a mapping file::

    doc, point          what it is, and where in the chain it measures (and why)
    level               one of LEVELS, or auto: after the kind of the element
    implementation      PhysicalSensor, Reported or Synthesized
    sparse              true: an empty cell is no reading; false (default): it is a reading without a value
    ignore              columns or metrics that are known and not wanted; ignore_patterns: regular expressions that their whole names match
    field               a nested column is read by this field of it (Reading of PowerWatts), its other fields are not wanted
    canonical           true: besides [[values]], every quantity by its name in any unit (power_kw)
    elements_as_columns a quantity: columns named after elements of the site hold it
    [time]              columns (first one present), unit (epoch, s, ms, us, ns, day_s), zone of naive times, date for day_s
    [keys]              name -> columns (first one present), optional = names that may be absent, absent = texts that say nothing (NA);
                        folders on the way to the file that are named column=text count as columns
    [element]           key, otherwise = keys to ask where it is no element; patterns: tried in order after the key's own text; group
                        "element" must be an element of the site
    [part]              format, of keys and of groups of the pattern
    [long]              metric and value columns; where both are present the file is read long, otherwise wide
    [carry]             level, implementation, quality: keys that hold them row by row
    [[values]]          names (aliases, first present wins) or pattern; quantity, unit; element, part, level, implementation;
                        texts: text -> number for words (OK = 0, Critical = 1; nan: no value); only: key -> texts of the rows that
                        have it: elsewhere 0 and an empty cell are no reading, any other number is refused
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as fresh
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from telemetry.schema import IMPLEMENTATIONS, LEVELS, READINGS
from topology.errors import Finding, TelemetryError, UsageError, nearest
from topology.units import UNITS, Unit

TIME_UNITS = ("epoch", "s", "ms", "us", "ns", "day_s")
_TOP = frozenset(
    ("doc", "point", "level", "implementation", "sparse", "ignore", "ignore_patterns", "field", "canonical", "elements_as_columns", "time",
     "keys", "element", "part", "long", "carry", "values")
)  # fmt: skip
_VALUE = frozenset(("names", "pattern", "quantity", "unit", "element", "part", "level", "implementation", "texts", "only"))
Fault = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one column or metric becomes one quantity.

    Attributes:
        names: spellings of the column, the preferred one first.
        pattern: regular expression that the whole column name must match, instead of names.
        quantity: canonical quantity.
        unit: unit that the column is written in.
        element: element id where the column itself names it; a format of the pattern's groups.
        part: part that the column stands for; a format of the pattern's groups.
        level: level of this column; empty for the mapping's.
        implementation: how this column comes about; empty for the mapping's.
        texts: words of the column as numbers, in its unit.
        only: key -> its texts in the rows that have this column; empty for every row.
    """

    names: tuple[str, ...]
    pattern: str
    quantity: str
    unit: Unit
    element: str = ""
    part: str = ""
    level: str = ""
    implementation: str = ""
    texts: Mapping[str, float] = fresh(default_factory=dict)
    only: Mapping[str, tuple[str, ...]] = fresh(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TimeRule:
    """Where a file's times stand and how they are written; see the keys of ``[time]``."""

    columns: tuple[str, ...]
    unit: str = "epoch"
    zone: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Vendor:
    """One mapping, as its TOML file says; the module's docstring explains the keys."""

    name: str
    doc: str
    point: str
    level: str
    implementation: str
    time: TimeRule
    rules: tuple[Rule, ...]
    sparse: bool = False
    ignore: frozenset[str] = frozenset()
    ignore_patterns: tuple[str, ...] = ()
    field: str = ""
    canonical: bool = False
    elements_as_columns: str = ""
    keys: Mapping[str, tuple[str, ...]] = fresh(default_factory=dict)
    optional: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    element_key: str = ""
    otherwise: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    part_format: str = ""
    metric: tuple[str, ...] = ()
    value: tuple[str, ...] = ()
    carry: Mapping[str, str] = fresh(default_factory=dict)
    file: str = ""

    def ignores(self, name: str) -> bool:
        """Whether a column or metric is known and not wanted."""
        return name in self.ignore or any(re.fullmatch(p, name) for p in self.ignore_patterns)


def load_vendors(site_folder: Path | None = None, zone: str = "") -> Mapping[str, Vendor]:
    """Every known mapping by name; files in ``<site folder>/vendors`` add to the built-in ones and win over them.

    Args:
        site_folder: folder of a site, ``None`` for the built-in mappings alone.
        zone: IANA name of the zone of times that have none, for mappings that name none.

    Returns:
        Name (stem of the file) to mapping.

    Raises:
        TelemetryError: a mapping file that cannot be used, with every fault of it.
        UsageError: there is no such zone.

    >>> sorted(load_vendors())[:2]
    ['amd', 'dcgm']
    """
    found = {p.name[:-5]: parse_vendor(p.name[:-5], p.read_text("utf-8"), p.name) for p in _built_in()}
    own = site_folder / "vendors" if site_folder is not None else None
    if own is not None and own.is_dir():
        for path in sorted(own.glob("*.toml")):
            found[path.stem] = parse_vendor(path.stem, path.read_text("utf-8"), f"vendors/{path.name}")
    if zone:
        if not _is_zone(zone):
            raise UsageError(f"there is no zone {zone!r}; use an IANA name such as UTC or Europe/Stockholm")
        found = {n: replace(v, time=replace(v.time, zone=v.time.zone or zone)) for n, v in found.items()}
    return dict(sorted(found.items()))


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _built_in() -> list[Any]:
    folder = files("telemetry") / "vendors"
    return sorted((p for p in folder.iterdir() if p.name.endswith(".toml")), key=lambda p: p.name)


def parse_vendor(name: str, text: str, file: str = "") -> Vendor:
    """Read one mapping.

    Args:
        name: what the mapping is called.
        text: its TOML text.
        file: shown in findings.

    Raises:
        TelemetryError: with every fault found.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as why:
        raise TelemetryError(f"the vendor mapping {file or name} is not TOML: {why}") from why
    faults: list[Finding] = []

    def fault(message: str, column: str = "", hint: str = "") -> None:
        faults.append(Finding(message, hint, file or name, column=column))

    for key in raw.keys() - _TOP:
        fault(f"unknown key {key!r}", key, nearest(key, _TOP))
    keys = {k: _texts(v) for k, v in raw.get("keys", {}).items() if k not in ("optional", "absent")}
    vendor = Vendor(
        name=name,
        doc=str(raw.get("doc", "")),
        point=str(raw.get("point", "")),
        level=str(raw.get("level", "")),
        implementation=str(raw.get("implementation", "")),
        time=_time(raw.get("time", {}), fault),
        rules=tuple(r for v in raw.get("values", []) if (r := _rule(v, fault)) is not None),
        sparse=bool(raw.get("sparse", False)),
        ignore=frozenset(_texts(raw.get("ignore", []))),
        ignore_patterns=_texts(raw.get("ignore_patterns", [])),
        field=str(raw.get("field", "")),
        canonical=bool(raw.get("canonical", False)),
        elements_as_columns=str(raw.get("elements_as_columns", "")),
        keys=keys,
        optional=frozenset(_texts(raw.get("keys", {}).get("optional", []))),
        absent=frozenset(_texts(raw.get("keys", {}).get("absent", []))),
        element_key=str(raw.get("element", {}).get("key", "")),
        otherwise=_texts(raw.get("element", {}).get("otherwise", [])),
        patterns=_texts(raw.get("element", {}).get("patterns", [])),
        part_format=str(raw.get("part", {}).get("format", "")),
        metric=_texts(raw.get("long", {}).get("metric", [])),
        value=_texts(raw.get("long", {}).get("value", [])),
        carry={str(k): str(v) for k, v in raw.get("carry", {}).items()},
        file=file,
    )
    if not (raw.get("values") or vendor.canonical or vendor.elements_as_columns):
        fault("it maps no values", "values")
    _check(vendor, fault)
    if faults:
        raise TelemetryError(f"the vendor mapping {file or name} cannot be used", faults)
    return vendor


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(str(v) for v in value)


def _time(raw: Mapping[str, Any], fault: Fault) -> TimeRule:
    rule = TimeRule(_texts(raw.get("columns", [])), str(raw.get("unit", "epoch")), str(raw.get("zone", "")), str(raw.get("date", "")))
    if not rule.columns:
        fault("[time] names no columns", "time")
    if rule.unit not in TIME_UNITS:
        fault(f"unknown time unit {rule.unit!r}", "time.unit", nearest(rule.unit, TIME_UNITS))
    if rule.unit == "day_s" and not re.fullmatch(r"\d{4}-\d\d-\d\d", rule.date):
        fault("seconds since midnight need a date, such as date = '2024-04-07'", "time.date")
    if rule.unit == "day_s" and not rule.zone:
        fault("seconds since midnight need the zone of that midnight", "time.zone")
    if rule.zone and not _is_zone(rule.zone):
        fault(f"unknown zone {rule.zone!r}", "time.zone", "use an IANA name such as UTC or America/New_York")
    return rule


def _rule(raw: Mapping[str, Any], fault: Fault) -> Rule | None:
    names, pattern = _texts(raw.get("names", [])), str(raw.get("pattern", ""))
    place = f"values.{names[0] if names else pattern}"
    for key in raw.keys() - _VALUE:
        fault(f"unknown key {key!r}", place, nearest(key, _VALUE))
    quantity, suffix = str(raw.get("quantity", "")), str(raw.get("unit", ""))
    if bool(names) == bool(pattern):
        fault("give either names or a pattern", place)
    if quantity not in READINGS:
        fault(f"unknown quantity {quantity!r}", place, nearest(quantity, READINGS))
        return None
    unit = UNITS.get(suffix)
    if unit is None or unit.quantity != READINGS[quantity].unit.quantity:
        known = [u.suffix for u in UNITS.values() if u.quantity == READINGS[quantity].unit.quantity]
        fault(f"{suffix!r} is no unit of {quantity}", place, f"known: {', '.join(known)}")
        return None
    if pattern:
        _regex(pattern, place, fault)
    level, how = str(raw.get("level", "")), str(raw.get("implementation", ""))
    _one_of(level, ("", *LEVELS), place, fault)
    _one_of(how, ("", *IMPLEMENTATIONS), place, fault)
    texts: dict[str, float] = {}
    for word, number in raw.get("texts", {}).items():
        if isinstance(number, bool) or not isinstance(number, int | float):
            fault(f"{word!r} stands for {number!r}, which is no number", place)
        else:
            texts[word] = float(number)
    only = {k: _texts(v) for k, v in raw.get("only", {}).items()}
    return Rule(names, pattern, quantity, unit, str(raw.get("element", "")), str(raw.get("part", "")), level, how, texts, only)


def _regex(pattern: str, place: str, fault: Fault) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error as why:
        fault(f"{pattern!r} is no regular expression: {why}", place)
        return None


def _one_of(value: str, allowed: tuple[str, ...], place: str, fault: Fault) -> None:
    if value not in allowed:
        fault(f"{value!r} is not allowed here", place, nearest(value, [a for a in allowed if a]))


def _check(vendor: Vendor, fault: Fault) -> None:
    _one_of(vendor.level, ("auto", *LEVELS), "level", fault)
    _one_of(vendor.implementation, IMPLEMENTATIONS, "implementation", fault)
    if vendor.elements_as_columns:
        _one_of(vendor.elements_as_columns, tuple(READINGS), "elements_as_columns", fault)
    for pattern in vendor.ignore_patterns:
        _regex(pattern, "ignore_patterns", fault)
    named = {*vendor.optional, *vendor.otherwise, *vendor.carry.values(), *(k for r in vendor.rules for k in r.only)}
    for name in (named | ({vendor.element_key} if vendor.element_key else set())) - set(vendor.keys):
        fault(f"{name!r} is no name under [keys]", "keys", nearest(name, vendor.keys))
    if bool(vendor.metric) != bool(vendor.value):
        fault("a long layout needs both a metric and a value column", "long")
    groups = set(vendor.keys)
    for pattern in vendor.patterns:
        compiled = _regex(pattern, "element.patterns", fault)
        if compiled is not None:
            groups |= set(compiled.groupindex)
            if "element" not in compiled.groupindex:
                fault(f"{pattern!r} has no group named element", "element.patterns")
    for _, wanted, _, _ in string.Formatter().parse(vendor.part_format):
        if wanted is not None and wanted not in groups:
            fault(f"{wanted!r} is neither a key nor a group of a pattern", "part.format", nearest(wanted, groups))
    own = all(r.element for r in vendor.rules) and not vendor.canonical
    if not own and not vendor.element_key and not vendor.elements_as_columns:
        fault("nothing says which element a value belongs to", "element.key")
