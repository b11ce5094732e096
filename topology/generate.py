"""Sites made from a template: the reference site at any size, one small row, and the Frontier supercomputer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from topology.catalog import load_catalog
from topology.errors import UsageError, nearest
from topology.models import Catalog
from topology.site import Site
from topology.templates_frontier import frontier
from topology.templates_reference import reference
from topology.templates_row import row

Template = Callable[[Catalog, int | None], Site]
TEMPLATES: Mapping[str, Template] = MappingProxyType({"reference": reference, "row": row, "frontier": frontier})
"""Template name to the function that builds it; ``None`` racks means the template's own number."""
MOST_RACKS = 1_000_000


def generate(template: str, racks: int | None = None, catalog: Catalog | None = None) -> Site:
    """Build a site from a template.

    Args:
        template: one of :data:`TEMPLATES`.
        racks: number of racks; the reference site grows in blocks of its own pattern. The template's own number where ``None``.
        catalog: models to build from; the built-in catalog where ``None``.

    Returns:
        The site, the same for the same arguments.

    Raises:
        UsageError: no such template, or a number of racks that it cannot have.

    >>> len(generate("row").racks)
    5
    """
    build = TEMPLATES.get(template)
    if build is None:
        raise UsageError(f"there is no template {template!r}; {nearest(template, TEMPLATES)}")
    if racks is not None and not 1 <= racks <= MOST_RACKS:
        raise UsageError(f"a site has 1 to {MOST_RACKS:,} racks, not {racks}")
    return build(catalog or load_catalog(), racks)
