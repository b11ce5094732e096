"""The catalog: TOML files -> :class:`topology.models.Catalog`, the built-in entries first and a site's own on top.

One file a kind (``chips.toml``, ``skus.toml``, ...), one table an entry. Keys are the columns of the kind's dataclass in any
unit of the same quantity (``max_kw`` for ``max_w``); the field declarations drive everything, so a new field needs no code here.

An entry of an overlay replaces the built-in one of its name. With ``base = "gb300-nvl72"`` it starts from that entry instead and
changes some keys only; the source it gives then stands for the changed figures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from topology.errors import CatalogError, Finding, nearest
from topology.models import MODEL_FILES, Catalog, Model
from topology.toml_entry import Entry, read_entry, references
from topology.toml_table import read_tables

PLURALS: Mapping[str, str] = MappingProxyType({f"{kind}s": kind for kind in MODEL_FILES})
"""File stem to catalog kind, such as ``cdu_models`` to ``cdu_model``."""

Drafts = dict[tuple[str, str], Entry]


@dataclass(frozen=True, slots=True)
class _Source:
    """One TOML file as read: its kind, the name people know it by, and its text."""

    kind: str
    file: str
    text: str


def load_catalog(overlay: Path | None = None) -> Catalog:
    """Read the built-in catalog and lay a site's own entries over it.

    Args:
        overlay: folder with TOML files of the same names, such as ``<site>/catalog``; ``None`` for the built-in entries alone.

    Returns:
        All entries by kind and name, read-only.

    Raises:
        CatalogError: a file that cannot be read or an entry that cannot be used; carries every fault at once as a Finding.

    >>> load_catalog().entries["chip"]["mtia-450"].max_w
    1400.0
    """
    findings: list[Finding] = []
    drafts = _drafts(_built_in(), findings)
    if overlay is not None:
        own = _drafts(_overlay(overlay, findings), findings)
        drafts = _lay_over(drafts, own, findings)
    models = {key: m for key, draft in drafts.items() if (m := draft.build(lambda *k: drafts.get(k), findings)) is not None}
    _check_references(drafts, findings)
    if findings:
        raise CatalogError(f"the catalog has {len(findings)} fault{'s' if len(findings) > 1 else ''}", findings)
    return _freeze(models)


def _built_in() -> list[_Source]:
    folder = resources.files("topology") / "catalog"
    return [_Source(kind, f"{stem}.toml", (folder / f"{stem}.toml").read_text("utf-8")) for stem, kind in PLURALS.items()]


def _overlay(folder: Path, findings: list[Finding]) -> list[_Source]:
    if not folder.is_dir():
        raise CatalogError(f"the catalog overlay {folder} is not a folder", [Finding("no such folder", file=str(folder))])
    sources = []
    for path in sorted(folder.glob("*.toml")):
        name = f"{folder.name}/{path.name}"
        if path.stem not in PLURALS:
            findings.append(Finding("no kind of the catalog has this file name", nearest(path.stem, PLURALS), file=name))
            continue
        try:
            sources.append(_Source(PLURALS[path.stem], name, path.read_text("utf-8-sig")))
        except (OSError, UnicodeDecodeError) as exc:
            findings.append(Finding(f"the file cannot be read: {exc}", "save it as UTF-8 text", file=name))
    return sources


def _drafts(sources: list[_Source], findings: list[Finding]) -> Drafts:
    drafts: Drafts = {}
    for source in sources:
        for table in read_tables(source.text, source.file, findings):
            drafts[source.kind, table.name] = read_entry(MODEL_FILES[source.kind], source.kind, table, findings)
    return drafts


def _lay_over(built_in: Drafts, own: Drafts, findings: list[Finding]) -> Drafts:
    merged = {**built_in, **own}
    for key in own:
        merged[key] = _resolve(key, built_in, own, findings, ())
    return merged


def _resolve(key: tuple[str, str], built_in: Drafts, own: Drafts, findings: list[Finding], seen: tuple[str, ...]) -> Entry:
    kind, name = key
    draft = own[key]
    if not draft.base:
        return draft
    known = {n for k, n in {**built_in, **own} if k == kind}
    place = draft.table.at("base")
    if draft.base in seen:
        findings.append(Finding(f"base leads in a circle: {' -> '.join((*seen, name, draft.base))}", value=draft.base, **place))
    elif draft.base not in known:
        findings.append(Finding(f"there is no {kind} {draft.base!r} to start from", nearest(draft.base, known), value=draft.base, **place))
    elif draft.base != name and (kind, draft.base) in own:
        return draft.on(_resolve((kind, draft.base), built_in, own, findings, (*seen, name)))
    elif (kind, draft.base) in built_in:
        return draft.on(built_in[kind, draft.base])
    else:
        findings.append(Finding(f"{name!r} cannot start from itself", "there is no built-in entry of that name", value=draft.base, **place))
    return dataclasses.replace(draft, broken=True)


def _check_references(drafts: Drafts, findings: list[Finding]) -> None:
    """Every name that an entry gives for another (a chip, a pump) must be in the catalog."""
    names: dict[str, set[str]] = {}
    for kind, name in drafts:
        names.setdefault(kind, set()).add(name)
    for draft in drafts.values():
        for column, value, table in references(draft):
            if not any(value in names.get(kind, ()) for kind in column.refs):
                known = [n for kind in column.refs for n in names.get(kind, ())]
                message = f"the catalog has no {' or '.join(column.refs)} {value!r}"
                findings.append(Finding(message, nearest(value, known), value=value, **table.at(column.name)))


def _freeze(models: Mapping[tuple[str, str], Model]) -> Catalog:
    by_kind: dict[str, Mapping[str, Any]] = {}
    for kind in MODEL_FILES:
        by_kind[kind] = MappingProxyType({name: m for (k, name), m in models.items() if k == kind})
    return Catalog(entries=MappingProxyType(by_kind))
