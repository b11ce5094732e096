"""Template ``reference``: two halls of mixed racks, the pattern that demonstrations, tests and benchmarks run on.

Hall A is air-cooled, with liquid-to-air units for its liquid racks, on 2N feeds. Hall B is direct liquid, with row manifolds
and CDUs N+1, on a catcher: primary UPSs and one reserve UPS behind a transfer switch at each busway. One facility loop with
towers and a trim chiller serves both. The numbers of UPSs, boards, CDUs, fan walls, pumps and towers follow from the racks'
nameplate (:mod:`topology.sizing`). More racks than one block holds give further blocks of the same pattern.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import Any

from topology import sizing
from topology.builder import Builder
from topology.kinds import AirUnit, Cdu, Chiller, CommonCause, Hall, Loop, Manifold, Pump, Rack, Redundancy, Settings, Tower
from topology.models import Catalog
from topology.site import Site

BLOCK = 70
"""Racks of one block."""
ROWS_A: tuple[tuple[str, ...], ...] = (
    ("mtia-400",) * 2 + ("mtia-300",) * 2 + ("hgx-h100",) + ("mtia-2i",) * 3,
    ("mtia-400",) + ("hgx-h100",) * 4 + ("mi300x",) + ("mtia-2i",) * 3,
    ("mtia-400",) * 2 + ("mtia-300",) * 3 + ("hgx-h100",) + ("mtia-2i",),
    ("mi300x",) * 5 + ("hgx-h100",) * 2 + ("mtia-300",) * 3,
)
"""SKUs of hall A, row by row from the coolant entry on; a row has twelve positions."""
PAIRS_B: tuple[tuple[str, ...], ...] = (
    ("gb200-nvl72",) * 4, ("mtia-450",) * 4, ("mtia-450",) * 4, ("gb300-nvl72",) * 4, ("gb300-nvl72",) * 4, ("gb200-nvl72",) * 4,
    ("vera-rubin-nvl72", "mtia-450", "mtia-450"), ("vera-rubin-nvl72", "mtia-450", "mtia-450"),
    ("vera-rubin-nvl72", "gb300-nvl72", "gb300-nvl72"), ("vera-rubin-nvl72", "gb200-nvl72", "gb200-nvl72"),
)  # fmt: skip
"""SKUs of hall B, busway pair by busway pair, two pairs a row; a pair has five positions."""
PLACES_A, PLACES_B = 12, 5
RESERVED, COMMITTED = ("b4-02", "b4-03"), "b4-06"
COMMITTED_FROM = dt.date(2027, 3, 1)
FWS_C, AIR_C, TCS_A_C, TCS_B_C = 24.0, 28.0, 42.0, 30.0
FWS_DP_PA = 150e3
SIDES = ("a", "b")


def reference(catalog: Catalog, racks: int | None = None) -> Site:
    """The reference site.

    Args:
        catalog: models to build from.
        racks: number of racks; 70 where ``None``. Each 70 racks are a block with halls, feeds and plant of its own, the first
            without a prefix in its names, the next ones with ``b2-``, ``b3-`` and so on.
    """
    count = BLOCK if racks is None else racks
    b = Builder()
    full = sizing.size(catalog, ROWS_A, PAIRS_B)
    for n in range(-(-count // BLOCK)):
        left = min(BLOCK, count - n * BLOCK)
        rows, pairs = _share(left)
        plan = full if left == BLOCK else sizing.size(catalog, rows, pairs)
        _block(b, f"b{n + 1}-" if n else "", plan, rows, pairs)
    source = "an invented site in a cool climate; every figure of its racks and gear is the catalog's"
    settings = Settings(name="reference", altitude_m=50.0, design_wet_bulb_c=17.0, design_dry_bulb_c=30.0, source=source)
    return b.site(settings, catalog)


def _share(count: int) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """The first ``count`` racks of a block, taken from both halls in turn, as rows of hall A and pairs of hall B."""
    a = [(0, r, i) for r, row in enumerate(ROWS_A) for i in range(len(row))]
    b = [(1, p, i) for p, pair in enumerate(PAIRS_B) for i in range(len(pair))]
    kept = set([s for s in chain.from_iterable(zip_longest(a, b)) if s is not None][:count])
    rows = tuple(tuple(sku for i, sku in enumerate(row) if (0, r, i) in kept) for r, row in enumerate(ROWS_A))
    return rows, tuple(tuple(sku for i, sku in enumerate(pair) if (1, p, i) in kept) for p, pair in enumerate(PAIRS_B))


def _block(b: Builder, x: str, plan: sizing.Plan, rows: Sequence[Sequence[str]], pairs: Sequence[Sequence[str]]) -> None:
    b.add(Hall(id=f"{x}hall-a", air_supply_c=AIR_C), Hall(id=f"{x}hall-b", air_supply_c=AIR_C))
    for side in SIDES:
        b.power(f"{x}utility-{side}", "utility", "utility-5000", feed=side.upper(), rating_va=plan.utility_va)
        _board(b, x, f"mech-{side}", side)
    _plant(b, x, plan)
    _hall_a(b, x, plan, rows)
    _hall_b(b, x, plan, pairs)
    _schemes(b, x, plan)


def _board(b: Builder, x: str, name: str, side: str) -> None:
    """Transformer, generator and the board that they feed: utility first, generator as reserve."""
    b.power(f"{x}transformer-{name}", "transformer", "transformer-2500", f"{x}utility-{side}", feed=side.upper())
    b.power(f"{x}generator-{name}", "generator", "generator-2500", feed=side.upper())
    b.power(f"{x}board-{name}", "switchboard", "switchboard-4000a", f"{x}transformer-{name}", [f"{x}generator-{name}"], feed=side.upper())


def _plant(b: Builder, x: str, plan: sizing.Plan) -> None:
    """The facility loop and what cools and drives it, on both mechanical boards."""
    feeds = _mechanical(x)
    fws = f"{x}fws"
    b.add(Loop(id=fws, kind="fws", coolant="water", supply_c=FWS_C, dp_pa=FWS_DP_PA))
    b.add(*(Pump(id=f"{x}fws-pump-{n}", model="fws-pump", host=fws, **feeds) for n in _count(plan.pumps)))
    b.add(*(Tower(id=f"{x}tower-{n}", model="tower-2500", fws=fws, **feeds) for n in _count(plan.towers)))
    b.add(Chiller(id=f"{x}chiller-1", model="carrier-19xr-742", fws=fws, **feeds))
    for hall, number in zip(SIDES, plan.air_units, strict=True):
        names = (f"{x}fan-wall-{hall}{n}" for n in _count(number))
        b.add(*(AirUnit(id=i, model="fan-wall-400", hall=f"{x}hall-{hall}", fws=fws, **feeds) for i in names))


def _hall_a(b: Builder, x: str, plan: sizing.Plan, rows: Sequence[Sequence[str]]) -> None:
    """2N: each side carries the hall; a UPS for each row pair, a busway for each row and side."""
    feeds = _mechanical(x)
    for side in SIDES:
        _board(b, x, f"a-{side}", side)
        for pair in (1, 2):
            b.power(f"{x}ups-a-{side}{pair}", "ups", plan.ups_a, f"{x}board-a-{side}", feed=side.upper())
    for pair in (1, 2):
        b.add(Loop(id=f"{x}tcs-a{pair}", kind="tcs", supply_c=TCS_A_C, supply_limit_c=45.0, dp_pa=75e3))
        names = (f"{x}l2a-{pair}{n}" for n in _count(plan.cdus_a[pair - 1]))
        b.add(*(Cdu(id=i, model="aalc-l2a-120", loop=f"{x}tcs-a{pair}", hall=f"{x}hall-a", **feeds) for i in names))
    for n, skus in enumerate(rows, 1):
        pair = (n + 1) // 2
        row = f"{x}a{n}"
        for side in SIDES:
            b.power(f"{x}busway-a{n}-{side}", "busway", plan.busway_a, f"{x}ups-a-{side}{pair}", feed=side.upper())
        b.add(Manifold(id=f"{x}manifold-a{n}", loop=f"{x}tcs-a{pair}"))
        cords = [(f"{x}busway-a{n}-a", f"{x}busway-a{n}-b")] * PLACES_A
        positions = b.row(row, f"{x}hall-a", cords, f"{x}manifold-a{n}", 1500.0, "L1L2L3")
        b.racks(_standing(x, positions, skus))


def _hall_b(b: Builder, x: str, plan: sizing.Plan, pairs: Sequence[Sequence[str]]) -> None:
    """Catcher: cords A on the primaries of side A, cords B on those of side B, the catcher behind every transfer switch."""
    for side in SIDES:
        for n in _count(plan.boards_b):
            _board(b, x, f"b-{side}{n}", side)
    for i, (own, other) in enumerate(plan.primary_boards):
        for side, far in (SIDES, SIDES[::-1]):
            board, behind = f"{x}board-b-{side}{own + 1}", f"{x}board-b-{far}{other + 1}"
            ups = b.power(f"{x}ups-b-{side}{i + 1}", "ups", plan.ups_b, board, [behind], feed=side.upper())
            b.power(f"{x}output-b-{side}{i + 1}", "switchboard", "switchboard-4000a", ups, feed=side.upper())
    b.power(f"{x}ups-b-catcher", "ups", plan.ups_b, f"{x}board-b-a{plan.boards_b}", [f"{x}board-b-b{plan.boards_b}"], feed="R")
    b.power(f"{x}output-b-catcher", "switchboard", "switchboard-4000a", f"{x}ups-b-catcher", feed="R")
    for n in range(0, len(pairs), 2):
        _row_b(b, x, plan, n, pairs[n : n + 2])


def _row_b(b: Builder, x: str, plan: sizing.Plan, first: int, pairs: Sequence[Sequence[str]]) -> None:
    """One row of hall B: two busway pairs of five positions each, on one manifold."""
    feeds = _mechanical(x)
    row = first // 2 + 1
    loop = f"{x}tcs-b{(row + 1) // 2}"
    if row % 2:
        b.add(Loop(id=loop, kind="tcs", supply_c=TCS_B_C, supply_limit_c=35.0, dp_pa=80e3))
        names = (f"{x}cdu-b{(row + 1) // 2}{n}" for n in _count(plan.cdus_b[row // 2]))
        b.add(*(Cdu(id=i, model="row-cdu-1000", loop=loop, fws=f"{x}fws", hall=f"{x}hall-b", **feeds) for i in names))
    b.add(Manifold(id=f"{x}manifold-b{row}", loop=loop, diameter_m=0.1541))
    cords: list[tuple[str, str]] = []
    for k in range(len(pairs)):
        for side, primary in zip(SIDES, plan.primaries[first + k], strict=True):
            name = f"b{row}{k + 1}-{side}"
            output = f"{x}output-b-{side}{primary + 1}"
            b.power(f"{x}sts-{name}", "sts", "sts-1600a", output, [f"{x}output-b-catcher"], feed=side.upper())
            b.power(f"{x}busway-{name}", "busway", "busway-1250a", f"{x}sts-{name}", feed=side.upper())
        cords += [(f"{x}busway-b{row}{k + 1}-a", f"{x}busway-b{row}{k + 1}-b")] * PLACES_B
    positions = b.row(f"{x}b{row}", f"{x}hall-b", cords, f"{x}manifold-b{row}", 2000.0, "L1L2L3")
    for k, skus in enumerate(pairs):
        b.racks(_standing(x, positions[k * PLACES_B :], skus))


def _standing(x: str, positions: Sequence[str], skus: Sequence[str]) -> Iterator[Rack]:
    for position, sku in zip(positions, skus, strict=False):
        name = f"{x}rack-{position.removeprefix(x)}"
        plain = position.removeprefix(x)
        if plain == COMMITTED:
            yield Rack(id=name, position=position, sku=sku, state="committed", live_from=COMMITTED_FROM, owner="training")
        elif plain in RESERVED:
            yield Rack(id=name, position=position, sku=sku, state="reserved", owner="inference")
        else:
            yield Rack(id=name, position=position, sku=sku)


def _schemes(b: Builder, x: str, plan: sizing.Plan) -> None:
    for pair in (1, 2):
        b.add(Redundancy(id=f"{x}2n-a{pair}", scheme="2N", members=(f"{x}ups-a-a{pair}", f"{x}ups-a-b{pair}"), needed=1))
        _spare(b, f"{x}n1-l2a-{pair}", [f"{x}l2a-{pair}{n}" for n in _count(plan.cdus_a[pair - 1])])
    for n, number in enumerate(plan.cdus_b, 1):
        _spare(b, f"{x}n1-cdu-b{n}", [f"{x}cdu-b{n}{k}" for k in _count(number)])
    primaries = [f"{x}ups-b-{side}{n}" for n in _count(len(plan.primary_boards)) for side in SIDES]
    members = (*primaries, f"{x}ups-b-catcher")
    b.add(Redundancy(id=f"{x}catcher-b", scheme="catcher", members=members, needed=len(primaries)))
    _spare(b, f"{x}n1-fws-pumps", [f"{x}fws-pump-{n}" for n in _count(plan.pumps)])
    _spare(b, f"{x}n1-towers", [f"{x}tower-{n}" for n in _count(plan.towers)])
    for hall, number in zip(SIDES, plan.air_units, strict=True):
        _spare(b, f"{x}n1-fan-walls-{hall}", [f"{x}fan-wall-{hall}{n}" for n in _count(number)])
    b.add(CommonCause(id=f"{x}battery-room-a", members=(f"{x}ups-a-a1", f"{x}ups-a-a2")))


def _spare(b: Builder, name: str, members: Sequence[str]) -> None:
    b.add(Redundancy(id=name, scheme="N+1", members=tuple(members), needed=len(members) - 1))


def _mechanical(x: str) -> dict[str, Any]:
    return {"feed_a": f"{x}board-mech-a", "feed_b": f"{x}board-mech-b"}


def _count(number: int) -> range:
    return range(1, number + 1)
