"""A site folder into a :class:`topology.site.Site`: ``site.toml``, one CSV a kind, and an optional ``catalog/`` overlay."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from topology.catalog import load_catalog
from topology.check_structure import RULES
from topology.columns import columns_of
from topology.errors import CatalogError, Finding, SiteError, nearest
from topology.kinds import KIND_NAMES, SITE_FILES, Settings
from topology.models import Catalog
from topology.rules import Context
from topology.site import Site
from topology.table import CellError, check_range, match_column, parse_cell, read_table
from topology.units import to_canonical

SETTINGS_FILE = "site.toml"
REQUIRED_FILES = ("halls", "rows", "positions", "racks", "power", "power_links")
"""Stems of the files that every site has; the others may be left out."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A folder as far as it could be read.

    Attributes:
        site: what could be read, faulty cells replaced by harmless values; ``None`` where nothing could be.
        findings: every fault of form.
        headers: for each file, canonical column name to the name as written.
        gaps: (file, column) of required columns that could not be read.
        unsure: kinds of which rows are missing because of a fault of form, so that a name of theirs may exist after all.
    """

    site: Site | None
    findings: tuple[Finding, ...]
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    gaps: frozenset[tuple[str, str]] = frozenset()
    unsure: frozenset[str] = frozenset()


def read_site(folder: Path | str, catalog: Catalog | None = None) -> Site:
    """Read a site folder.

    Args:
        folder: the folder.
        catalog: known models; the built-in catalog under the folder's own ``catalog/`` where ``None``.

    Returns:
        The site, with the place of each element in ``origin``.

    Raises:
        SiteError: it cannot be used; the findings hold every fault of form, every name that does not exist and every circular
            feed. Doubts and overloads do not stop reading: :func:`topology.check.check_site` lists those as well.
    """
    reading = load(Path(folder), catalog)
    errors = [f for f in reading.findings if f.severity == "error"]
    if reading.site is not None and not errors:
        context = Context(reading.site)
        errors = [f for rule in RULES for f in rule.run(context) if f.severity == "error"]
    if reading.site is None or errors:
        count = f"{len(errors)} fault" + ("s" if len(errors) != 1 else "")
        raise SiteError(f"the site in {folder} cannot be used: {count}; `racktwin site check {folder}` lists them all", errors)
    return reading.site


def load(folder: Path, catalog: Catalog | None = None) -> Reading:
    """Read as much of a folder as can be read, and collect every fault of form; never raises for bad content."""
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        return Reading(None, (Finding(f"{folder} {what}", "racktwin site new DIR --template row writes a small one to start from"),))
    findings: list[Finding] = []
    settings = _settings(folder, findings)
    catalog = catalog or _catalog(folder, findings)
    tables: dict[str, Any] = {}
    headers: dict[str, Mapping[str, str]] = {}
    origin: dict[str, tuple[str, int]] = {}
    gaps: set[tuple[str, str]] = set()
    unsure: set[str] = set()
    for stem, kind in SITE_FILES.items():
        file = f"{stem}.csv"
        text = _text(folder / file, file, stem in REQUIRED_FILES, findings)
        if text is None:
            unsure.update({KIND_NAMES[kind]} if stem in REQUIRED_FILES or (folder / file).is_file() else ())
            continue
        table = read_table(text, file, kind)
        findings.extend(table.findings)
        headers[file] = table.headers
        gaps.update((file, column) for column in table.gaps)
        unsure.update(() if table.complete else {KIND_NAMES[kind]})
        if stem == "power_links":
            tables[stem] = tuple(link for _, link in table.elements)
            origin.update({f"{link.parent}>{link.child}": (file, line) for line, link in table.elements})
        else:
            tables[stem] = _by_id(table.elements, file, origin, findings)
    findings.extend(_strangers(folder))
    site = Site(settings=settings, catalog=catalog, origin=origin, folder=folder, **tables)
    return Reading(site, tuple(findings), headers, frozenset(gaps), frozenset(unsure))


def _by_id(elements: tuple[tuple[int, Any], ...], file: str, origin: dict[str, tuple[str, int]], findings: list[Finding]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for line, element in elements:
        if element.id in origin:
            where = "{}:{}".format(*origin[element.id])
            message = f"the id {element.id!r} is already taken in {where}"
            findings.append(Finding(message, "ids are unique in the whole site: rename one", file, line, "id", element.id, element.id))
            if element.id in table:
                continue
        else:
            origin[element.id] = (file, line)
        table[element.id] = element
    return table


def _text(path: Path, file: str, required: bool, findings: list[Finding]) -> str | None:
    """Text of one file without its byte order mark; ``None`` where there is none, with a finding where it must be."""
    if not path.is_file():
        if required:
            findings.append(Finding(f"{file} is missing", "every site has it; an empty one has its header row alone", file))
        return None
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        findings.append(Finding("the file is UTF-16", "save it as CSV UTF-8", file))
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = raw[: error.start].count(b"\n") + 1
        message = f"byte {raw[error.start]:#04x} is not UTF-8"
        findings.append(Finding(message, "save the file as CSV UTF-8", file, row))
        return None


def _strangers(folder: Path) -> list[Finding]:
    """A doubt for each CSV that no kind is read from: a misspelt name would otherwise go unseen."""
    known = {f"{stem}.csv" for stem in SITE_FILES}
    names = sorted(p.name for p in folder.glob("*.csv") if p.name not in known)
    return [Finding(f"{name} is not read", nearest(name, known), name, severity="warning") for name in names]


def _catalog(folder: Path, findings: list[Finding]) -> Catalog:
    overlay = folder / "catalog"
    try:
        return load_catalog(overlay if overlay.is_dir() else None)
    except CatalogError as error:
        findings.extend(error.findings or (Finding(str(error), file="catalog"),))
        return load_catalog(None)


def _settings(folder: Path, findings: list[Finding]) -> Settings:
    text = _text(folder / SETTINGS_FILE, SETTINGS_FILE, True, findings)
    if text is None:
        return Settings(name=folder.name)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        row = int(line[1]) if line else 0
        findings.append(Finding(f"not valid TOML: {error}", "write key = value, text in quotes", SETTINGS_FILE, row))
        return Settings(name=folder.name)
    values: dict[str, Any] = {}
    for key, value in raw.items():
        row = _row_of(text, key)
        try:
            column, unit = match_column(key, columns_of(Settings))
            values[column.name] = _setting(column, unit, value)
        except CellError as fault:
            findings.append(Finding(fault.args[0], fault.args[1], SETTINGS_FILE, row, key, value=str(value)))
        except LookupError as fault:
            findings.append(Finding(fault.args[0], fault.args[1], SETTINGS_FILE, row, key, value=str(value)))
    if "name" not in values:
        if "name" not in raw:
            findings.append(Finding("the site has no name", 'write name = "..."', SETTINGS_FILE, column="name"))
        values["name"] = folder.name
    return Settings(**values)


def _setting(column: Any, unit: Any, value: Any) -> Any:
    if column.type == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise CellError(f"{value!r} is not a number", "write the number without quotes; the unit stands in the key")
        number = to_canonical(float(value), unit)
        check_range(column, number, str(value))
        return number
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime) and column.type == "date":
        return value
    if not isinstance(value, str):
        raise CellError(f"{value!r} is not a {column.type}", "put it in quotes")
    return parse_cell(column, unit, value) if value else column.default


def _row_of(text: str, key: str) -> int:
    """Line on which a key of the TOML text stands, 0 where it is not found."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=|\s*\[\s*{re.escape(key)}\b""", line):
            return number
    return 0
