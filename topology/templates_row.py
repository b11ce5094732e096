"""Template ``row``: eight positions, five racks, one coolant loop; small enough to read as a whole and to edit into one's own."""

from __future__ import annotations

from typing import Any

from topology.builder import Builder
from topology.errors import UsageError
from topology.kinds import AirUnit, Cdu, Hall, Loop, Manifold, Pump, Rack, Redundancy, Settings, Tower
from topology.models import Catalog
from topology.site import Site

POSITIONS = 8
SKUS = ("mtia-450", "mtia-450", "mtia-450", "hgx-h100", "hgx-h100")
SIDES = ("a", "b")


def row(catalog: Catalog, racks: int | None = None) -> Site:
    """One row with 2N feeds, a TCS loop with two row CDUs, and a facility loop with two towers and two pumps.

    Args:
        catalog: models to build from.
        racks: 1 to 8 racks; 5 where ``None``.

    Raises:
        UsageError: more racks than the row has positions.
    """
    count = len(SKUS) if racks is None else racks
    if count > POSITIONS:
        raise UsageError(f"template row has {POSITIONS} positions; take --template reference for {count} racks")
    b = Builder()
    for side in SIDES:
        b.power(f"utility-{side}", "utility", "utility-5000", feed=side.upper())
        b.power(f"generator-{side}", "generator", "generator-2500", feed=side.upper())
        b.power(f"transformer-{side}", "transformer", "transformer-2500", f"utility-{side}", feed=side.upper())
        b.power(f"board-{side}", "switchboard", "switchboard-4000a", f"transformer-{side}", [f"generator-{side}"], feed=side.upper())
        b.power(f"ups-{side}", "ups", "ups-1000", f"board-{side}", feed=side.upper())
        b.power(f"busway-{side}", "busway", "busway-1250a", f"ups-{side}", feed=side.upper())
    boards: dict[str, Any] = {"feed_a": "board-a", "feed_b": "board-b"}
    b.add(Hall(id="hall-1", air_supply_c=27.0))
    b.add(Loop(id="fws", kind="fws", coolant="water", supply_c=24.0, dp_pa=150e3))
    b.add(Loop(id="tcs-1", kind="tcs", coolant="pg25", supply_c=30.0, dp_pa=80e3))
    b.add(Manifold(id="manifold-1", loop="tcs-1", diameter_m=0.1541))
    positions = b.row("row-1", "hall-1", [("busway-a", "busway-b")] * POSITIONS, "manifold-1", 2000.0, "L1L2L3")
    skus = (SKUS * 2)[:count]
    b.racks(Rack(id=f"rack-{n:02d}", position=p, sku=sku) for n, (p, sku) in enumerate(zip(positions, skus, strict=False), 1))
    for n in (1, 2):
        b.add(Cdu(id=f"cdu-{n}", model="row-cdu-1000", loop="tcs-1", fws="fws", hall="hall-1", **boards))
        b.add(AirUnit(id=f"fan-wall-{n}", model="fan-wall-400", hall="hall-1", fws="fws", **boards))
        b.add(Pump(id=f"fws-pump-{n}", model="fws-pump", host="fws", **boards))
        b.add(Tower(id=f"tower-{n}", model="tower-2500", fws="fws", **boards))
    b.add(Redundancy(id="feeds", scheme="2N", members=("ups-a", "ups-b"), needed=1))
    for name in ("cdu", "fan-wall", "fws-pump", "tower"):
        b.add(Redundancy(id=f"{name}s", scheme="N+1", members=(f"{name}-1", f"{name}-2"), needed=1))
    note = "an invented site; every figure of its gear is the catalog's"
    return b.site(Settings(name="row", altitude_m=50.0, design_wet_bulb_c=17.0, design_dry_bulb_c=30.0, source=note), catalog)
