"""Every fault and doubt of a site at once, each with its file, row, column and the way out.

A further check is one function under :func:`topology.rules.rule` in ``check_structure`` (names, ids, feeds in a circle),
``check_place`` (positions, dates, schemes, meters), ``check_power``, ``check_cooling`` or ``check_pipes``; nothing else has to be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from topology import check_cooling, check_pipes, check_place, check_power, check_protect, check_structure
from topology.errors import Finding
from topology.kinds import SITE_FILES
from topology.models import Catalog
from topology.read import SETTINGS_FILE, Reading, load
from topology.rules import Context, Rule
from topology.site import Site
from topology.units import split

RULES: tuple[Rule, ...] = (
    *check_structure.RULES,
    *check_place.RULES,
    *check_power.RULES,
    *check_protect.RULES,
    *check_cooling.RULES,
    *check_pipes.RULES,
)


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
    found, form = _meaning(reading.site, reading.unsure), _form(reading)
    meaning = [_as_written(f, reading.headers) for f in found if not form.explains(f)]
    return _in_order([*reading.findings, *meaning])


def _meaning(site: Site, unsure: frozenset[str] = frozenset()) -> list[Finding]:
    context = Context(site, unsure)
    return [f for rule in RULES for f in rule.run(context)]


@dataclass(frozen=True, slots=True)
class _Form:
    """Faults of form, indexed: what they explain need not be told again as a fault of meaning."""

    gaps: frozenset[tuple[str, str]]
    files: frozenset[str]
    columns: frozenset[tuple[str, str]]
    cells: frozenset[tuple[str, int, str]]

    def explains(self, finding: Finding) -> bool:
        """Whether a fault of form in the same cell, column or file stands behind a finding."""
        stem = _stem(finding.column)
        return (
            finding.file in self.files
            or (finding.file, finding.column) in self.gaps
            or (finding.file, stem) in self.columns
            or (finding.file, finding.row, stem) in self.cells
        )


def _form(reading: Reading) -> _Form:
    errors = [f for f in reading.findings if f.severity == "error"]
    return _Form(
        reading.gaps,
        frozenset(f.file for f in errors if not f.column and f.row <= 1),
        frozenset((f.file, _stem(f.column)) for f in errors if f.column and f.row <= 1),
        frozenset((f.file, f.row, _stem(f.column)) for f in errors if f.column),
    )


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
