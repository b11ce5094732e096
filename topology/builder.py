"""A site put together in memory, one element after another; what the templates are written with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from topology.kinds import KIND_NAMES, SITE_FILES, Position, PowerElement, PowerLink, Rack, Row, Settings
from topology.models import Catalog
from topology.site import Site

_STEMS = {kind: stem for stem, kind in SITE_FILES.items()}


class Builder:
    """Collects elements by kind in the order in which they are added."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Any]] = {stem: {} for stem in SITE_FILES if stem != "power_links"}
        self._links: list[PowerLink] = []

    def add(self, *elements: Any) -> None:
        """Add elements of any kind but links.

        Raises:
            ValueError: an id of that kind is taken.
        """
        for element in elements:
            table = self._tables[_STEMS[type(element)]]
            if element.id in table:
                raise ValueError(f"two elements of kind {KIND_NAMES[type(element)]} are called {element.id!r}")
            table[element.id] = element

    def power(self, name: str, kind: str, model: str, parent: str = "", transfer: Sequence[str] = (), *, feed: str = "", **own: Any) -> str:
        """Add a power element with its links.

        Args:
            name: its id.
            kind: its kind.
            model: catalog model.
            parent: normal parent; empty for a source.
            transfer: reserve parents in order of preference.
            feed: feed side.
            own: figures that differ from its model's, such as ``rating_va``.

        Returns:
            The id.
        """
        self.add(PowerElement(id=name, kind=kind, model=model, feed=feed, **own))
        if parent:
            self._links.append(PowerLink(parent=parent, child=name))
        self._links.extend(PowerLink(parent=t, child=name, role="transfer") for t in transfer)
        return name

    def row(
        self, name: str, hall: str, feeds: Sequence[tuple[str, str]], manifold: str = "", max_weight_kg: float | None = None,
        phases: str = "",
    ) -> tuple[str, ...]:  # fmt: skip
        """Add a row with one position for each pair of feeds, numbered from the coolant entry on.

        Returns:
            Ids of the positions, ``<row>-01`` onward.
        """
        self.add(Row(id=name, hall=hall))
        positions = tuple(f"{name}-{place:02d}" for place in range(1, len(feeds) + 1))
        for place, (position, (a, b)) in enumerate(zip(positions, feeds, strict=True), 1):
            self.add(Position(id=position, row=name, place=place, feed_a=a, feed_b=b, manifold=manifold, max_weight_kg=max_weight_kg,
                              phases=phases))  # fmt: skip
        return positions

    def racks(self, placed: Iterable[Rack]) -> None:
        """Add racks."""
        self.add(*placed)

    def site(self, settings: Settings, catalog: Catalog) -> Site:
        """The site with everything that was added."""
        tables: dict[str, Any] = {**self._tables, "power_links": tuple(self._links)}
        return Site(settings=settings, catalog=catalog, **tables)
