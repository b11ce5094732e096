"""Template ``frontier``: the supercomputer with its published constants, 25 CDUs with three racks each, rack 41 missing.

Counts and constants: ExaDigiT/RAPS, config/frontier.yaml and raps/power.py (74 racks of 128 nodes, 25 CDUs, CDU pump
8,473.47 W, 0.945 of rack heat to liquid, 0.094 USD/kWh); coolant supply of 32 degC is the design figure of that system. The
power chain above the racks, the plant and the free positions are this template's own assumptions, and say so.
"""

from __future__ import annotations

from typing import Any

from topology.builder import Builder
from topology.errors import UsageError
from topology.kinds import AirUnit, Cdu, Hall, Loop, Manifold, Meter, Position, Pump, Rack, Redundancy, Row, Settings, Tower
from topology.models import Catalog
from topology.site import Site

GROUPS = 25
RACKS_PER_GROUP = 3
MISSING = 41
RACKS = GROUPS * RACKS_PER_GROUP - 1
TOWERS = 5
FWS_PUMPS = 6
FAN_WALLS = 8
SOURCE = (
    "racks, CDUs and their constants: ExaDigiT/RAPS config/frontier.yaml; power chain, plant and the free position of each group: "
    "assumptions of this template (site feed of the 40 MW class, loss-free above the racks because the constants name no loss there)"
)
METER_NOTE = (
    "recorded as the electrical power of the group of racks that one CDU serves: AC input of its racks, conversion losses "
    "included; the CDU's own pump is counted with the cooling plant"
)


def frontier(catalog: Catalog, racks: int | None = None) -> Site:
    """The Frontier site.

    Group k holds racks 3k-2 to 3k; rack 41 is missing, so group 14 has two. Each group has one free position for expansion.

    Args:
        catalog: models to build from.
        racks: must be ``None`` or 74.

    Raises:
        UsageError: another number of racks.
    """
    if racks not in (None, RACKS):
        raise UsageError(f"template frontier has {RACKS} racks; take --template reference for {racks}")
    b = Builder()
    for side in "ab":
        b.power(f"utility-{side}", "utility", "utility-40mw", feed=side.upper())
        b.power(f"board-{side}", "switchboard", "ideal-40mw", f"utility-{side}", feed=side.upper())
    boards: dict[str, Any] = {"feed_a": "board-a", "feed_b": "board-b"}
    b.add(Hall(id="hall", air_supply_c=28.0))
    b.add(Loop(id="fws", kind="fws", coolant="water", supply_c=26.0, dp_pa=150e3))
    for n in range(1, GROUPS + 1):
        _group(b, n, boards)
    b.add(*(AirUnit(id=f"fan-wall-{n}", model="fan-wall-400", hall="hall", fws="fws", **boards) for n in range(1, FAN_WALLS + 1)))
    b.add(*(Pump(id=f"fws-pump-{n}", model="fws-pump", host="fws", **boards) for n in range(1, FWS_PUMPS + 1)))
    b.add(*(Tower(id=f"tower-{n}", model="tower-10000", fws="fws", **boards) for n in range(1, TOWERS + 1)))
    b.add(Redundancy(id="feeds", scheme="2N", members=("board-a", "board-b"), needed=1))
    b.add(Redundancy(id="towers", scheme="N+1", members=tuple(f"tower-{n}" for n in range(1, TOWERS + 1)), needed=TOWERS - 1))
    pumps = tuple(f"fws-pump-{n}" for n in range(1, FWS_PUMPS + 1))
    b.add(Redundancy(id="fws-pumps", scheme="N+1", members=pumps, needed=FWS_PUMPS - 1))
    cdus = tuple(f"cdu-{n:02d}" for n in range(1, GROUPS + 1))
    b.add(Redundancy(id="cdus", scheme="N", members=cdus, needed=GROUPS))
    settings = Settings(
        name="frontier",
        altitude_m=260.0,
        design_wet_bulb_c=19.0,
        design_dry_bulb_c=33.0,
        price_usd_j=0.094 / 3.6e6,
        source=SOURCE,
        growth_frac=0.0,
        growth_spread_frac=0.0,
    )
    return b.site(settings, catalog)


def _group(b: Builder, n: int, boards: dict[str, Any]) -> None:
    """One CDU with its loop, its racks, its free position and its meter."""
    name = f"{n:02d}"
    b.add(Row(id=f"row-{name}", hall="hall"))
    b.add(Loop(id=f"tcs-{name}", kind="tcs", coolant="water", supply_c=32.0, dp_pa=120e3))
    b.add(Manifold(id=f"manifold-{name}", loop=f"tcs-{name}", spacing_m=1.5, diameter_m=0.1541))
    b.add(Cdu(id=f"cdu-{name}", model="cray-ex-cdu", loop=f"tcs-{name}", fws="fws", hall="hall", **boards))
    numbers = [r for r in range(RACKS_PER_GROUP * (n - 1) + 1, RACKS_PER_GROUP * n + 1) if r != MISSING]
    places = [f"pos-{r:03d}" for r in numbers] + [f"pos-free-{name}"]
    for place, position in enumerate(places, 1):
        a, other = boards["feed_a"], boards["feed_b"]
        b.add(Position(id=position, row=f"row-{name}", place=place, feed_a=a, feed_b=other, manifold=f"manifold-{name}"))
    racks = [Rack(id=f"rack-{r:03d}", position=f"pos-{r:03d}", sku="cray-ex") for r in numbers]
    b.racks(racks)
    b.add(Meter(id=f"group-{name}", covers=tuple(r.id for r in racks), point="rack_input", note=METER_NOTE))
