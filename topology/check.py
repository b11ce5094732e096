"""Every fault and doubt of a site at once, each with its file, row, column and the way out.

A further check is one function under :func:`topology.rules.rule` in ``check_structure`` (names, ids, feeds in a circle),
``check_place`` (positions, dates, schemes, meters), ``check_power`` or ``check_cooling``; nothing else has to be told of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from topology import check_cooling, check_place, check_power, check_structure
from topology.errors import Finding
from topology.kinds import SITE_FILES
from topology.models import Catalog
from topology.read import SETTINGS_FILE, Reading, load
from topology.rules import Context, Rule
from topology.site import Site
from topology.units import split

RULES: tuple[Rule, ...] = (*check_structure.RULES, *check_place.RULES, *check_power.RULES, *check_cooling.RULES)


def check_site(site: Site | Path | str, catalog: Catalog | None = None) -> tuple[Finding, ...]:
    """Check a site.

    Args:
        site: a site folder, or a site in memory.
        catalog: known models for a folder; the built-in catalog under the folder's own where ``None``.

    Returns:
        Faults of form and of meaning together, in the order of files and rows; empty where there is nothing to say. Bad
        content is never raised.
    """
    if isinstance(site, Site):
        return _in_order(_meaning(site))
    reading = load(Path(site), catalog)
    if reading.site is None:
        return reading.findings
    found = _meaning(reading.site, reading.unsure)
    meaning = [_as_written(f, reading.headers) for f in found if not _explained(f, reading)]
    return _in_order([*reading.findings, *meaning])


def _meaning(site: Site, unsure: frozenset[str] = frozenset()) -> list[Finding]:
    context = Context(site, unsure)
    return [f for rule in RULES for f in rule.run(context)]


def _explained(finding: Finding, reading: Reading) -> bool:
    """Whether a fault of form in the same cell, column or file stands behind a finding."""
    if (finding.file, finding.column) in reading.gaps:
        return True
    for fault in reading.findings:
        if fault.file == finding.file and fault.severity == "error":
            same_column = _stem(fault.column) == _stem(finding.column)
            if (not fault.column and fault.row <= 1) or (same_column and fault.row in (0, 1, finding.row)):
                return True
    return False


def _stem(column: str) -> str:
    return split(column)[0]


def _as_written(finding: Finding, headers: Mapping[str, Mapping[str, str]]) -> Finding:
    """The finding with its column as the file names it, such as ``rating_kva`` for ``rating_va``."""
    written = headers.get(finding.file, {}).get(finding.column)
    return replace(finding, column=written) if written and written != finding.column else finding


def _in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    files = [SETTINGS_FILE, *(f"{stem}.csv" for stem in SITE_FILES)]
    rank = {name: i for i, name in enumerate(files)}
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda f: (rank.get(f.file, -1 if not f.file else len(rank)), f.row)))
