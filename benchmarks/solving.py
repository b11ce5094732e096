"""The solver: one solve of a large plant, a recorded day, every failure in a batch, and growth with size."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Row, medians, row
from telemetry.ingest import ingest
from telemetry.store import Store
from topology.catalog import load_catalog
from topology.generate import generate
from topology.kinds import Cdu, Loop, Manifold, Position, Rack
from topology.plant import Plant, plant
from topology.site import Site
from twin.forecast.follow import chunk_steps, follow
from twin.headroom.cases import all_cases, sweep
from twin.loads import from_nameplate, from_power, from_utilisation
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages

CDUS, NODES = 257, 4626
DAY_CDUS, STEPS, STEP_S = 49, 5_760, 15.0
SIZES = (1_000, 10_000, 100_000)
FRONTIER_STEPS, FRONTIER_GROUPS = 5761, 25


def large(many: int = CDUS) -> Plant:
    """A plant of 257 CDUs with 18 racks each: the counts of Summit's cooling, hung on the power chain of the Frontier template."""
    base = generate("frontier")
    positions, racks, loops, manifolds, cdus = {}, {}, {}, {}, {}
    row_id, feeds = next(iter(base.rows)), dict[str, Any](feed_a="board-a", feed_b="board-b")
    hall = next(iter(base.halls))
    for c in range(many):
        loops[f"t{c}"] = Loop(id=f"t{c}", kind="tcs", coolant="pg25", supply_c=32.0, dp_pa=100e3)
        manifolds[f"m{c}"] = Manifold(id=f"m{c}", loop=f"t{c}")
        cdus[f"c{c}"] = Cdu(id=f"c{c}", model="row-cdu-1000", loop=f"t{c}", fws="fws", hall=hall, **feeds)
        for n in range(NODES // CDUS):
            at = f"p{c}-{n}"
            positions[at] = Position(id=at, row=row_id, place=n + 1, manifold=f"m{c}", **feeds)
            racks[f"r{c}-{n}"] = Rack(id=f"r{c}-{n}", position=at, sku="mtia-300")
    fws = {i: x for i, x in base.loops.items() if x.kind == "fws"}
    site: Site = base.with_(
        positions=positions, racks=racks, loops={**fws, **loops}, manifolds=manifolds, cdus=cdus, meters={}, redundancy={}
    )
    return plant(site.with_(catalog=load_catalog()))


def one_solve() -> Iterator[Row]:
    """One steady solve, power, flow and heat."""
    where = large()
    load, weather = from_utilisation(where, 0.8), Ambient(np.array([17.0]))
    (ours,) = medians(lambda: solve_steady(where, load, weather), repeats=11)
    yield row(f"one steady solve, {where.cdus.n} CDUs and {where.racks.n} nodes", ours * 1e3, 10.0, "goal", "ms")


def steps_of_a_day() -> Iterator[Row]:
    """A day of 15 s steps, so many at a time as a replay solves: load and weather move at every step."""
    where = large(DAY_CDUS)
    hour = np.arange(STEPS) * STEP_S / 3600.0
    rng = np.random.default_rng(0)
    swing = 0.75 + 0.2 * np.sin(2.0 * np.pi * hour / 24.0)[:, None]
    nameplate = from_utilisation(where, 1.0).rack_w
    load = from_power(where, nameplate * swing * rng.uniform(0.9, 1.0, (STEPS, where.racks.n)))
    weather = Ambient(17.0 + 3.0 * np.sin(2.0 * np.pi * (hour - 9.0) / 24.0))

    size = chunk_steps(where.racks.n)

    def day() -> None:
        for a in range(0, STEPS, size):
            rows = slice(a, a + size)
            solve_steady(where, load.take(rows), weather.take(rows))

    (ours,) = medians(day, repeats=3)
    yield row(f"a day at {STEP_S:g} s, {STEPS:,} steps of {where.cdus.n} CDUs and {where.racks.n} racks", ours, 1.0, "goal", "s")


def recorded_day(data: Path) -> Iterator[Row]:
    """A day of Frontier through the twin, solver only."""
    recording = data / "frontier-cdu-day.parquet"
    where = plant(generate("frontier"))
    if recording.is_file():
        with tempfile.TemporaryDirectory() as folder:
            store = Store.create(Path(folder) / "store")
            ingest(where.site, [recording], store)
            follow(where, store, step_s=15.0)
            day = follow(where, store, step_s=15.0)
        yield row(f"replay of a recorded day, {day.frames} steps x {FRONTIER_GROUPS} groups, solver", day.solve_s, 2.0, "goal", "s")


def batch() -> Iterator[Row]:
    """Every single failure of the reference site in a batch, beside one solve after another."""
    where = plant(generate("reference"))
    load, weather, cases = from_nameplate(where), Ambient(np.array([17.0])), all_cases(where)

    def singly() -> None:
        for case in cases:
            solve_steady(where, load, weather, Outages.of(where, [case.lost]))

    ours, peer = medians(lambda: sweep(where, load, weather, cases), singly)
    yield row(
        f"all {len(cases)} failures of the reference site, a case", ours / len(cases) * 1e3, peer / len(cases) * 1e3, "one by one", "ms"
    )


def growth() -> Iterator[Row]:
    """Time and memory from 1,000 to 100,000 racks, each size in a process of its own."""
    found = [
        json.loads(subprocess.run([sys.executable, "-m", "benchmarks.grown", str(n)], check=True, capture_output=True).stdout)
        for n in SIZES
    ]
    decades = math.log10(SIZES[-1] / SIZES[0])
    for name in ("plant_s", "solve_s"):
        slope = math.log10(found[-1][name] / found[0][name]) / decades
        label = {"plant_s": "site to arrays", "solve_s": "one steady solve"}[name]
        yield row(
            f"{label}, slope from {SIZES[0]:,} to {SIZES[-1]:,} racks ({found[-1][name]:.2f} s at the end)", slope, 1.1, "goal", "log-log"
        )
    yield row(f"peak memory at {SIZES[-1]:,} racks", found[-1]["peak_gb"], 2.0, "goal", "GB")
