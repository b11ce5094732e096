"""Constants of tower cells and dry coolers, found again where they are hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.twin.cooled import Hidden, hidden, seen_of, share_inside
from topology.generate import generate
from topology.kinds import DryCooler
from topology.plant import plant
from topology.site import Site
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.told import Told
from twin.forecast.calibrate.towers import fit_coolers, fit_towers, outside, outside_seen
from twin.solvers.drycooler import rise_k_w, rises_k_w
from twin.solvers.laws import york_approach_k, york_approaches_k
from twin.solvers.outdoor import side_of
from twin.solvers.plantside import YORK

METERS = ("tower fan speed", "dry cooler fan speed", "loop supply temperature", "CDU facility supply temperature")


def dry_site(coolers_on_it: int) -> Site:
    """A row of racks with dry coolers for its towers."""
    site = generate("row")
    tower = next(iter(site.towers.values()))
    coolers = {
        f"dry-{k}": DryCooler(id=f"dry-{k}", model="dry-1000", fws=tower.fws, feed_a=tower.feed_a, feed_b=tower.feed_b)
        for k in range(coolers_on_it)
    }
    return site.with_(towers={}, dry_coolers=coolers)


def seen(h: Hidden) -> Seen:
    """With weather of a station that errs by nothing but noise."""
    what = seen_of(h)
    settings = h.plant.site.settings
    return replace(what, dry_bulb_c=what.wet_bulb_c + max(settings.design_dry_bulb_c - settings.design_wet_bulb_c, 0.0))


@pytest.fixture(scope="module")
def wet() -> list[Hidden]:
    p = plant(generate("frontier"))
    return [hidden(p, ("lg_factor",), METERS, seed, wet_c=10.0) for seed in range(3)]


@pytest.fixture(scope="module")
def dry() -> list[Hidden]:
    p = plant(dry_site(1))
    return [hidden(p, ("approach_factor",), METERS, seed, wet_c=8.0) for seed in range(8)]


def test_hidden_ratios_of_cells_are_in_their_intervals(wet: list[Hidden]) -> None:
    inside, told = [], []
    for h in wet:
        fits, there = fit_towers(seen(h))
        assert there.all() and fits.settled.all()
        inside.append(share_inside(fits.low[:, 0], fits.high[:, 0], h.factor["lg_factor"]))
        told.append(fits.told[:, 0])
        assert np.corrcoef(fits.value[:, 0], h.factor["lg_factor"])[0, 1] > 0.9
    assert np.mean(inside) >= 0.86 and np.mean(told) > 0.5


def test_hidden_approaches_of_dry_coolers_are_in_their_intervals(dry: list[Hidden]) -> None:
    inside = []
    for h in dry:
        fits, there = fit_coolers(seen(h))
        assert there.all() and fits.settled.all() and fits.told[0, 0]
        inside.append(share_inside(fits.low[:, 0], fits.high[:, 0], h.factor["approach_factor"]))
    assert np.mean(inside) >= 0.75


def test_of_many_coolers_on_a_loop_each_is_told_far_less(dry: list[Hidden]) -> None:
    h = hidden(plant(dry_site(4)), ("approach_factor",), METERS, 1, wet_c=12.0)
    fits, there = fit_coolers(seen(h))
    alone = [np.ptp([f.low[0, 0], f.high[0, 0]]) for f in (fit_coolers(seen(one))[0] for one in dry[:4])]
    assert there.all() and fits.settled.all() and (fits.high - fits.low)[:, 0].mean() > 1.5 * np.mean(alone)


def test_without_dry_bulb_no_dry_cooler_and_without_wet_bulb_no_cell_is_told(wet: list[Hidden], dry: list[Hidden]) -> None:
    what = seen(dry[0])
    assert not list(outside(replace(what, dry_bulb_c=np.full(what.time.size, np.nan))))
    what = seen(wet[0])
    assert not list(outside(replace(what, wet_bulb_c=np.full(what.time.size, np.nan))))
    rows = [r for r in outside(what) if isinstance(r, Told)]
    assert [r.element for r in rows] == list(wet[0].plant.towers.ids) and {r.parameter for r in rows} == {"lg_factor"}


def test_a_fan_at_full_speed_beside_others_does_not_count(wet: list[Hidden]) -> None:
    h = wet[0]
    t = h.plant.towers
    fans = h.read["tower fan speed"].copy()
    fans[:50, 0] = 1.0  # the loop is a mix of cells then
    fans[50:80, 1:] = 0.0  # one cell alone
    what = replace(seen(h), read={**h.read, "tower fan speed": fans})
    own = outside_seen(what, "tower fan speed", t.fws, t.duty_w, what.wet_bulb_c)
    same = np.flatnonzero(t.fws == t.fws[0])
    assert np.isnan(own.speed[same][:, :50]).all() and np.isfinite(own.speed[0, 50:80]).all()
    assert own.heat_w[0, 60] == pytest.approx(what.outside_w[60, t.fws[0]])


def test_the_laws_on_arrays_are_those_of_the_solver(dry: list[Hidden]) -> None:
    x = np.array([[5.0, 12.0]])
    found = york_approaches_k(x, x * 0.5, x * 0.1, YORK)
    assert found[0, 1] == pytest.approx(york_approach_k(12.0, 6.0, 1.2, YORK), rel=1e-12)
    coolers, cp = side_of(dry[0].plant).dry, np.array([4180.0])
    rises = rises_k_w(coolers, np.array([0]), cp, np.array([[0.5, 0.0]]))
    assert rises[0, 0] == pytest.approx(rise_k_w(coolers, 0, 4180.0, 0.5), rel=1e-12) and np.isnan(rises[0, 1])
