"""The transient solver: one hall of 100 racks through an hour at one second, with pumps, a feed and a CDU lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.harness import Row, medians, row
from topology.generate import generate
from topology.kinds import Cdu, Hall, Loop, Manifold, Position, Rack
from topology.kinds import Row as RackRow
from topology.plant import Plant, plant
from twin.loads import from_utilisation
from twin.state import Ambient
from twin.transient.events import parse
from twin.transient.ride import Plan, ride

RACKS, ROWS = 100, 10
HOUR_S = 3600.0
LARGE = 20e6
"""Rating of the power chain, so that nothing trips and the racks stay on."""
EVENTS = ("t=60 lose c0-1", "t=600 restore c0-1", "t=900 utility", "t=1500 restore utility", "t=2400 load 0.5 over 60s")
"""A CDU for nine minutes, the utility for ten, and a job that ends."""


def hall() -> Plant:
    """One hall of 100 liquid-cooled racks in ten rows, two rows a loop with three CDUs, on the power chain of the reference template."""
    base = generate("reference")
    feeds: dict[str, Any] = {"feed_a": "board-mech-a", "feed_b": "board-mech-b"}
    rows, positions, racks, loops, manifolds, cdus = {}, {}, {}, {}, {}, {}
    for r in range(ROWS):
        loop = f"t{r // 2}"
        rows[f"row{r}"] = RackRow(id=f"row{r}", hall="hall-b")
        manifolds[f"m{r}"] = Manifold(id=f"m{r}", loop=loop, diameter_m=0.1541)
        if r % 2 == 0:
            loops[loop] = Loop(id=loop, kind="tcs", supply_c=30.0, supply_limit_c=35.0, dp_pa=80e3)
            for n in range(3):
                cdus[f"c{r // 2}-{n}"] = Cdu(id=f"c{r // 2}-{n}", model="row-cdu-1000", loop=loop, fws="fws", hall="hall-b", **feeds)
        for n in range(RACKS // ROWS):
            at = f"p{r}-{n}"
            positions[at] = Position(id=at, row=f"row{r}", place=n + 1, feed_a="busway-a1-a", feed_b="busway-a1-b", manifold=f"m{r}")
            racks[f"r{r}-{n}"] = Rack(id=f"r{r}-{n}", position=at, sku="mtia-450")
    fws = {i: x for i, x in base.loops.items() if x.kind == "fws"}
    halls = {"hall-b": base.halls["hall-b"], "hall-a": Hall(id="hall-a")}
    power = {i: replace(e, rating_va=LARGE, rating_w=LARGE, rating_a=LARGE) for i, e in base.power.items()}
    return plant(base.with_(
        power=power, halls=halls, rows=rows, positions=positions, racks=racks, loops={**fws, **loops}, manifolds=manifolds, cdus=cdus,
        meters={}, redundancy={}, common_causes={},
    ))  # fmt: skip


def rows() -> Iterator[Row]:
    """An hour of one hall, everything included: steady start, curves, events, ledger."""
    where = hall()
    load, weather = from_utilisation(where, 0.5), Ambient(np.array([17.0]))
    events = parse(where, EVENTS, HOUR_S)
    plan = Plan(HOUR_S, 1.0, levels=lambda u: from_utilisation(where, u))
    (ours,) = medians(lambda: ride(where, load, weather, events, plan), repeats=5)
    yield row(f"transient, one hall of {where.racks.n} racks, an hour at 1 s", ours, 2.0, "goal", "s")
