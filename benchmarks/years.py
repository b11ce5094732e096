"""A year by the hour: one batch beside one solve after another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.harness import Row, medians, row
from benchmarks.solving import large
from topology.generate import generate
from topology.plant import plant
from twin.energy.typical import synthetic_year
from twin.energy.year import solve_year
from twin.loads import from_utilisation
from twin.solvers.steady import solve_steady
from twin.state import Ambient

CDUS, SINGLY = 49, 100


def years() -> Iterator[Row]:
    """8,760 hours of the row template against a goal, and of a plant of 49 CDUs beside single solves of the same hours."""
    small = plant(generate("row"))
    weather = synthetic_year(small.site.settings)
    load = from_utilisation(small, 0.8)
    (ours,) = medians(lambda: solve_year(small, load, weather), repeats=3)
    yield row(f"a year of {weather.time.size:,} hours, {small.racks.n} racks", ours, 2.0, "goal", "s")
    where = large(CDUS)
    hours, loads = synthetic_year(where.site.settings), from_utilisation(where, 0.8)
    some = np.linspace(0, hours.time.size - 1, SINGLY).astype(int)

    def singly() -> None:
        for k in some:
            solve_steady(where, loads, Ambient(hours.wet_bulb_c[k : k + 1], hours.dry_bulb_c[k : k + 1], hours.pressure_pa[k : k + 1]))

    ours, peer = medians(lambda: solve_year(where, loads, hours), singly, repeats=3)
    each, alone = ours / hours.time.size * 1e3, peer / SINGLY * 1e3
    yield row(
        f"an hour of a year, {where.cdus.n} CDUs and {where.racks.n} racks, meters and limits included", each, alone, "one by one", "ms"
    )
