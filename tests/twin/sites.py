"""Small sites made in memory, with every kind of element in them."""

from __future__ import annotations

from functools import cache
from typing import Any

from topology.catalog import load_catalog
from topology.kinds import AirUnit, Cdu, Chiller, Hall, Loop, Manifold, Position, PowerElement, PowerLink, Pump, Rack, Row, Settings, Tower
from topology.models import Catalog
from topology.site import Site


@cache
def catalog() -> Catalog:
    """The built-in catalog, read once (it is frozen)."""
    return load_catalog()


def by_id(*elements: Any) -> dict[str, Any]:
    """Elements in a dict by id."""
    return {e.id: e for e in elements}


def small_site(racks: int = 5, sku: str = "gb300-nvl72", chiller: bool = True, cdus: int = 2, places: int | None = None) -> Site:
    """One row, 2N feeds with UPS, two CDUs on one loop, a fan wall pair, two towers and two facility pumps.

    Three places stay free where ``places`` is not given.
    """
    power, links = [], []
    for side in "ab":
        power += [
            PowerElement(id=f"utility-{side}", kind="utility", model="utility-5000"),
            PowerElement(id=f"ups-{side}", kind="ups", model="ups-1250"),
            PowerElement(id=f"busway-{side}", kind="busway", model="busway-1250a"),
            PowerElement(id=f"mech-{side}", kind="pdu", model="pdu-450"),
        ]
        for parent, child in (("utility", "ups"), ("ups", "busway"), ("utility", "mech")):
            links.append(PowerLink(parent=f"{parent}-{side}", child=f"{child}-{side}"))
    positions = [
        Position(id=f"p{k}", row="row-1", place=k, feed_a="busway-a", feed_b="busway-b", manifold="manifold-1")
        for k in range(1, (places or racks + 3) + 1)
    ]
    feeds: dict[str, Any] = {"feed_a": "mech-a", "feed_b": "mech-b"}
    return Site(
        settings=Settings(name="small"),
        catalog=catalog(),
        halls=by_id(Hall(id="hall-1")),
        rows=by_id(Row(id="row-1", hall="hall-1")),
        positions=by_id(*positions),
        racks=by_id(*(Rack(id=f"r{k}", position=f"p{k}", sku=sku) for k in range(1, racks + 1))),
        power=by_id(*power),
        power_links=tuple(links),
        loops=by_id(
            Loop(id="tcs-1", kind="tcs", coolant="pg25", supply_c=32.0, dp_pa=150e3),
            Loop(id="fws-1", kind="fws", coolant="water", supply_c=24.0),
        ),
        cdus=by_id(
            *(Cdu(id=f"cdu-{k}", model="row-cdu-1000", loop="tcs-1", fws="fws-1", hall="hall-1", **feeds) for k in range(1, cdus + 1))
        ),
        manifolds=by_id(Manifold(id="manifold-1", loop="tcs-1", diameter_m=0.15)),
        pumps=by_id(*(Pump(id=f"fws-pump-{k}", model="fws-pump", host="fws-1", **feeds) for k in (1, 2))),
        air_units=by_id(*(AirUnit(id=f"fan-wall-{k}", model="fan-wall-400", hall="hall-1", fws="fws-1", **feeds) for k in (1, 2))),
        towers=by_id(*(Tower(id=f"tower-{k}", model="tower-2500", fws="fws-1", **feeds) for k in (1, 2))),
        chillers=by_id(Chiller(id="chiller-1", model="carrier-19xr-742", fws="fws-1", **feeds)) if chiller else {},
    )
