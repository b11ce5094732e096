"""What every check of a site shares: a decorator, and a context that computes once what several checks need.

A check is one function of a :class:`Context` that yields findings, under :func:`rule`. :func:`rules_of` finds the checks of a
module, so that nothing is registered anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from topology.errors import Finding, nearest
from topology.kinds import HOLDING, KIND_NAMES, SITE_FILES, Cdu, Position, PowerElement, Rack
from topology.models import Model, PowerModel, Sku
from topology.site import Site

FILE_OF: Mapping[str, str] = {KIND_NAMES[kind]: f"{stem}.csv" for stem, kind in SITE_FILES.items()}
"""Kind name to the file that its elements stand in."""
MOST_HINTS = 20
"""Unknown names for which the nearest known ones are looked up; a site with more has one cause for most of them."""


@dataclass(frozen=True, slots=True)
class Allocated:
    """A rack that uses up headroom, where it stands, what it is, and the power that is allocated to it [W]."""

    rack: Rack
    position: Position
    sku: Sku
    power_w: float


def allocated_w(rack: Rack, sku: Sku) -> float:
    """Power allocated to a rack [W]: its own budget, else its SKU's, else nameplate."""
    if rack.budget_w is not None:
        return rack.budget_w
    return sku.allocated_w if sku.allocated_w is not None else sku.nameplate_w


class Context:
    """A site under check, with what several rules need, each computed once.

    Args:
        site: the site.
        unsure: kinds of which rows could not be read, so that a missing element of theirs is no news.
    """

    def __init__(self, site: Site, unsure: frozenset[str] = frozenset()) -> None:
        self.site = site
        self.unsure = unsure
        self._hints: dict[tuple[str, str], str] = {}

    def at(self, element: Any, column: str, message: str, hint: str = "", *, value: object = None, severity: str = "error") -> Finding:
        """A finding at one column of an element, with its file and row."""
        name = getattr(element, "id", "") or f"{element.parent}>{element.child}"
        file, row = self.site.origin.get(name, (FILE_OF[KIND_NAMES[type(element)]], 0))
        written = getattr(element, column, "") if value is None else value
        return Finding(message, hint, file, row, column, name.partition(">")[2] or name, "" if written is None else str(written), severity)

    def doubt(self, element: Any, column: str, message: str, hint: str = "", *, value: object = None) -> Finding:
        """A warning at one column of an element."""
        return self.at(element, column, message, hint, value=value, severity="warning")

    @cached_property
    def tables(self) -> Mapping[str, Mapping[str, Any]]:
        """Kind name to its elements by id; the links of the power chain are not in it."""
        return {KIND_NAMES[kind]: getattr(self.site, stem) for stem, kind in SITE_FILES.items() if stem != "power_links"}

    @cached_property
    def everything(self) -> tuple[Any, ...]:
        """Every element of every kind and every link, file by file."""
        found: list[Any] = []
        for stem in SITE_FILES:
            found.extend(self.site.power_links if stem == "power_links" else getattr(self.site, stem).values())
        return tuple(found)

    @cached_property
    def parents(self) -> Mapping[str, tuple[str, ...]]:
        """Power element to its normal parents that exist."""
        return self._links("normal")

    @cached_property
    def reserves(self) -> Mapping[str, tuple[str, ...]]:
        """Power element to its transfer parents that exist."""
        return self._links("transfer")

    def _links(self, role: str) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {i: [] for i in self.site.power}
        for link in self.site.power_links:
            if link.role == role and link.child in found and link.parent in self.site.power:
                found[link.child].append(link.parent)
        return {child: tuple(dict.fromkeys(parents)) for child, parents in found.items()}

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """Power element to what it feeds by normal links."""
        return _turned(self.parents)

    @cached_property
    def caught(self) -> Mapping[str, tuple[str, ...]]:
        """Power element to what it is a transfer parent of."""
        return _turned(self.reserves)

    @cached_property
    def hung(self) -> Mapping[str, tuple[Position, ...]]:
        """Power element to the positions of allocated racks that have a cord on it."""
        found: dict[str, list[Position]] = {}
        for load in self.allocated:
            for feed in self.feeds(load.position):
                found.setdefault(feed, []).append(load.position)
        return {feed: tuple(positions) for feed, positions in found.items()}

    def near(self, name: str, key: str, known: Iterable[str]) -> str:
        """A hint with the nearest known names, worked out for the first :data:`MOST_HINTS` names and for none twice.

        Args:
            name: as written.
            key: what the known names are, the same for the same names.
            known: the known names.
        """
        if (key, name) not in self._hints:
            if len(self._hints) >= MOST_HINTS:
                return "the name is nowhere on this site: see the findings above"
            self._hints[key, name] = nearest(name, known)
        return self._hints[key, name]

    @cached_property
    def free_of_row(self) -> Mapping[str, tuple[str, ...]]:
        """Row to its free positions."""
        found: dict[str, list[str]] = {}
        for position in self.site.free_positions:
            found.setdefault(self.site.positions[position].row, []).append(position)
        return {row: tuple(positions) for row, positions in found.items()}

    @cached_property
    def cdus_of(self) -> Mapping[str, tuple[Cdu, ...]]:
        """TCS loop to the CDUs that serve it."""
        found: dict[str, list[Cdu]] = {}
        for cdu in self.site.cdus.values():
            found.setdefault(cdu.loop, []).append(cdu)
        return {loop: tuple(cdus) for loop, cdus in found.items()}

    @cached_property
    def manifolds_of_row(self) -> Mapping[str, frozenset[str]]:
        """Row to the manifolds that its positions are connected to."""
        found: dict[str, set[str]] = {}
        for position in self.site.positions.values():
            found.setdefault(position.row, set()).add(position.manifold)
        return {row: frozenset(manifolds) for row, manifolds in found.items()}

    @cached_property
    def allocated(self) -> tuple[Allocated, ...]:
        """Every rack that uses up headroom, with what it is allocated; racks of an unknown SKU or position are passed over."""
        found = []
        for rack in self.site.racks.values():
            position, sku = self.site.positions.get(rack.position), self.sku(rack)
            if position is not None and sku is not None and rack.state in HOLDING:
                found.append(Allocated(rack, position, sku, allocated_w(rack, sku)))
        return tuple(found)

    def sku(self, rack: Rack) -> Sku | None:
        """SKU of a rack, ``None`` where the catalog has none."""
        found = self.model("sku", rack.sku)
        return found if isinstance(found, Sku) else None

    def model(self, kind: str, name: str) -> Model | None:
        """A catalog model, ``None`` where there is none."""
        return self.site.catalog.entries.get(kind, {}).get(name)

    def of_power(self, element: PowerElement, figure: str) -> float | None:
        """A figure of a power element: its own, else its model's, ``None`` where neither says it."""
        own = getattr(element, figure)
        if own is not None:
            return float(own)
        model = self.model("power_model", element.model)
        value = getattr(model, figure) if isinstance(model, PowerModel) else None
        return None if value is None else float(value)

    @staticmethod
    def feeds(element: Any) -> tuple[str, ...]:
        """Feeds of a position or a piece of gear that are given."""
        return tuple(f for f in (element.feed_a, element.feed_b) if f)

    @property
    def gear(self) -> Iterator[Any]:
        """CDUs, pumps, air units, towers, chillers and dry coolers."""
        s = self.site
        for table in (s.cdus, s.pumps, s.air_units, s.towers, s.chillers, s.dry_coolers):
            yield from table.values()


def _turned(parents: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for child, above in parents.items():
        for parent in above:
            found.setdefault(parent, []).append(child)
    return {parent: tuple(children) for parent, children in found.items()}


@dataclass(frozen=True, slots=True)
class Rule:
    """A check: its name, what it looks for, and the function."""

    name: str
    doc: str
    run: Callable[[Context], Iterable[Finding]]


def rule(function: Callable[[Context], Iterable[Finding]]) -> Rule:
    """Make a function of a :class:`Context` that yields findings a check."""
    return Rule(function.__name__, (function.__doc__ or "").strip(), function)


def rules_of(module: ModuleType | Mapping[str, Any]) -> tuple[Rule, ...]:
    """The checks of a module, in the order in which they are written."""
    names = module if isinstance(module, Mapping) else vars(module)
    return tuple(v for v in names.values() if isinstance(v, Rule))
