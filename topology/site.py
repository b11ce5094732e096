"""A site: its components by kind and id, its catalog, and a typed graph; immutable once built."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import networkx as nx

from topology.errors import SiteError, nearest
from topology.kinds import (
    HOLDING,
    KIND_NAMES,
    AirUnit,
    Cdu,
    Chiller,
    CommonCause,
    DryCooler,
    Hall,
    Loop,
    Manifold,
    Meter,
    Pipe,
    Position,
    PowerElement,
    PowerLink,
    Pump,
    Rack,
    Redundancy,
    Row,
    Settings,
    Tower,
)
from topology.models import Catalog, Model
from topology.overlay import Constant

K = TypeVar("K")
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Site:
    """A plant as built.

    Every mapping is id -> element in file order (position of a dict). Build one with :func:`topology.read.read_site`, change
    one with :meth:`with_`; nothing is ever changed in place.

    Attributes:
        settings: what ``site.toml`` says.
        catalog: models known to this site, its own overlay included.
        power_links: parent-child pairs of the power chain.
        origin: (file, row) of each element, for findings; empty for elements made in memory.
        folder: where it was read from, ``None`` for a site made in memory.
        calibration: constants that telemetry showed, laid over the catalog (:func:`topology.overlay.calibrated`).
    """

    settings: Settings
    catalog: Catalog
    halls: Mapping[str, Hall] = field(default_factory=dict)
    rows: Mapping[str, Row] = field(default_factory=dict)
    positions: Mapping[str, Position] = field(default_factory=dict)
    racks: Mapping[str, Rack] = field(default_factory=dict)
    power: Mapping[str, PowerElement] = field(default_factory=dict)
    power_links: tuple[PowerLink, ...] = ()
    loops: Mapping[str, Loop] = field(default_factory=dict)
    cdus: Mapping[str, Cdu] = field(default_factory=dict)
    manifolds: Mapping[str, Manifold] = field(default_factory=dict)
    pipes: Mapping[str, Pipe] = field(default_factory=dict)
    pumps: Mapping[str, Pump] = field(default_factory=dict)
    air_units: Mapping[str, AirUnit] = field(default_factory=dict)
    towers: Mapping[str, Tower] = field(default_factory=dict)
    chillers: Mapping[str, Chiller] = field(default_factory=dict)
    dry_coolers: Mapping[str, DryCooler] = field(default_factory=dict)
    redundancy: Mapping[str, Redundancy] = field(default_factory=dict)
    common_causes: Mapping[str, CommonCause] = field(default_factory=dict)
    meters: Mapping[str, Meter] = field(default_factory=dict)
    origin: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    folder: Path | None = None
    calibration: tuple[Constant, ...] = ()

    def with_(self, **changes: Any) -> Site:
        """A copy with some fields replaced, such as ``site.with_(racks={**site.racks, r.id: r})``."""
        return dataclasses.replace(self, **changes)

    def with_racks(self, racks: Iterable[Rack]) -> Site:
        """A copy with further racks."""
        return self.with_(racks={**self.racks, **{r.id: r for r in racks}})

    @cached_property
    def elements(self) -> Mapping[str, Any]:
        """Every element of every kind by id."""
        tables = (
            self.halls,
            self.rows,
            self.positions,
            self.racks,
            self.power,
            self.loops,
            self.cdus,
            self.manifolds,
            self.pipes,
            self.pumps,
            self.air_units,
            self.towers,
            self.chillers,
            self.dry_coolers,
            self.redundancy,
            self.common_causes,
            self.meters,
        )
        return MappingProxyType({i: e for table in tables for i, e in table.items()})

    def kind_of(self, element: str) -> str:
        """Name of an element's kind, such as ``rack`` or ``cdu``; the finer kind (``ups``, ``busway``) for the power chain.

        Raises:
            SiteError: no such element; the message offers the nearest names.
        """
        found = self.elements.get(element)
        if found is None:
            raise SiteError(f"there is no element {element!r} on this site; {nearest(element, self.elements)}")
        return found.kind if isinstance(found, PowerElement) else KIND_NAMES[type(found)]

    def model(self, kind: str, name: str, expect: type[M]) -> M:
        """A catalog model by kind and name, of the type the caller expects.

        Raises:
            SiteError: no such model; the message offers the nearest names.
        """
        found = self.catalog.entries.get(kind, {}).get(name)
        if not isinstance(found, expect):
            raise SiteError(f"the catalog has no {kind} {name!r}; {nearest(name, self.catalog.names(kind))}")
        return found

    @cached_property
    def occupied(self) -> Mapping[str, str]:
        """Position id -> id of the rack that holds it now or has it reserved."""
        return MappingProxyType({r.position: r.id for r in self.racks.values() if r.state in HOLDING or r.state == "planned"})

    @property
    def free_positions(self) -> tuple[str, ...]:
        """Positions that no rack holds or has reserved, in file order."""
        return tuple(p for p in self.positions if p not in self.occupied)

    @cached_property
    def graph(self) -> nx.DiGraph[str]:
        """Directed graph from source to consumer; edge attribute ``medium``: power, transfer, coolant, place.

        Nodes carry ``kind``. Power runs from utility to rack cord, coolant from tower to CDU to manifold to rack, place from
        hall to row to position to rack.
        """
        from topology.graph import build  # graph.py needs Site

        return build(self)
