"""Families of cooling on plants and stores that have little or nothing for them: they say less, and never break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.twin.cooled import hidden, seen_of
from tests.twin.sites import small_site
from topology.generate import generate
from topology.plant import plant
from topology.site import Site
from twin.forecast.calibrate.cdus import cdus
from twin.forecast.calibrate.plates import plates
from twin.forecast.calibrate.pumps import pumps
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.told import Drift, Told
from twin.forecast.calibrate.towers import outside
from twin.observe import CHANNELS

FAMILIES = (cdus, pumps, plates, outside)
Family = Callable[[Seen], Iterator[Told | Drift]]


def air_only() -> Site:
    """Air-cooled racks in a hall without any liquid loop to racks."""
    site = small_site(sku="hgx-h100")
    loops = {k: v for k, v in site.loops.items() if v.kind == "fws"}
    positions = {k: replace(v, manifold="") for k, v in site.positions.items()}
    return site.with_(
        cdus={}, manifolds={}, loops=loops, positions=positions, pumps={k: v for k, v in site.pumps.items() if v.host in loops}
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_read_tells_nothing(family: Family) -> None:
    what = seen_of(hidden(plant(generate("row")), (), (), 0, steps=24))
    assert not [r for r in family(what) if isinstance(r, Drift) or r.fitted.identifiable]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_site_without_liquid_has_no_units_and_still_its_chips(family: Family) -> None:
    p = plant(air_only())
    names = tuple(n for n, c in CHANNELS.items() if c.elements(p))
    rows = list(family(seen_of(hidden(p, ("plate_factor",), names, 0, steps=96))))
    told = {r.parameter for r in rows if isinstance(r, Told) and r.fitted.identifiable}
    assert told <= {"plate_factor", "bias", "lg_factor"} and ("plate_factor" in told) == (family is plates)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_window_of_two_steps_and_meters_that_stand_still_break_nothing(family: Family) -> None:
    p = plant(generate("row"))
    h = hidden(p, (), tuple(n for n, c in CHANNELS.items() if c.elements(p)), 0, steps=48)
    assert not [r for r in family(seen_of(h, 2)) if isinstance(r, Drift)]
    for value in (0.0, -5.0):
        still = replace(h, read={n: np.full_like(v, value) for n, v in h.read.items()})
        for row in family(seen_of(still)):
            assert isinstance(row, Told) and np.isfinite([row.fitted.value, *row.fitted.interval]).all()
