"""Demand: seeded, joint, honest about short history."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.twin.sites import small_site
from topology.kinds import Rack
from topology.plant import Plant, plant
from topology.site import Site
from twin.forecast.demand import BLOCK_DAYS, SPREAD, Demand, History, measured_demand, nameplate_demand

Floats = NDArray[np.float64]
START = np.datetime64("2026-05-01T00:00:00", "us")
LAST = dt.date(2026, 5, 28)
STEP_S = 3600.0


def history(rack_w: Floats) -> History:
    time = START + (np.arange(rack_w.shape[0]) * int(STEP_S * 1e6)).astype("timedelta64[us]")
    return History(time, rack_w, STEP_S)


def measured(p: Plant, days: int = 28, seed: int = 5) -> Floats:
    """Racks that swing together over the day, with a weekly level and noise of their own."""
    rng = np.random.default_rng(seed)
    hour = np.arange(days * 24)
    shape = 70e3 + 20e3 * np.sin(2.0 * np.pi * hour / 24.0) + 5e3 * np.repeat(rng.normal(0.0, 1.0, days), 24)
    noisy: Floats = shape[:, None] + rng.normal(0.0, 2e3, (hour.size, p.racks.n))
    return noisy


def everything(p: Plant) -> NDArray[np.bool_]:
    return np.ones(p.racks.n, bool)


def drawn(p: Plant, rack_w: Floats, by: dt.date = LAST, scenarios: int = 20, seed: int = 0) -> Demand:
    return measured_demand(p, history(rack_w), everything(p), by, scenarios, seed)


def still(site: Site) -> Site:
    """The site without growth."""
    return site.with_(settings=replace(site.settings, growth_frac=0.0, growth_spread_frac=0.0))


def test_same_seed_same_bits_other_seed_other_scenarios() -> None:
    p = plant(small_site(racks=4))
    w = measured(p)
    one, two, other = drawn(p, w, seed=3), drawn(p, w, seed=3), drawn(p, w, seed=4)
    assert np.array_equal(one.rack_w, two.rack_w)
    assert np.array_equal(one.scenario, two.scenario)
    assert one.rack_w.shape != other.rack_w.shape or not np.array_equal(one.rack_w, other.rack_w)
    assert (one.basis, one.count, one.seed) == ("measured", 20, 3)


def test_scenarios_are_moments_that_were_measured() -> None:
    """Racks keep their joint values: without growth every drawn column is a row of history, but for the synchronous start."""
    p = plant(still(small_site(racks=4)))
    w = np.minimum(measured(p), p.racks.budget_w)
    demand = drawn(p, w)
    rows = {tuple(r) for r in w}
    for column, s in zip(demand.rack_w, demand.scenario, strict=True):
        assert s == 0 or tuple(column) in rows
    assert set(demand.scenario.tolist()) == set(range(20))


def test_the_first_scenario_is_every_rack_at_its_own_peak() -> None:
    p = plant(still(small_site(racks=4)))
    w = measured(p)
    first = drawn(p, w).rack_w[0]
    assert np.array_equal(first, w.max(axis=0))
    assert first.sum() > w.sum(axis=1).max()


def test_coincidence_is_kept() -> None:
    """Two racks that never run together never run together in a scenario, whatever their peaks add up to."""
    p = plant(still(small_site(racks=2)))
    w = np.full((28 * 24, 2), 10e3)
    w[::2, 0] = 90e3
    w[1::2, 1] = 90e3
    later = drawn(p, w)
    assert later.rack_w[0].sum() == 180e3
    assert (later.rack_w[later.scenario > 0].sum(axis=1) == 100e3).all()


def test_site_peak_of_the_drawn_week_is_among_the_moments() -> None:
    p = plant(still(small_site(racks=4)))
    w = np.minimum(measured(p), p.racks.budget_w)
    daily = w.sum(axis=1).reshape(28, 24).max(axis=1)
    demand = drawn(p, w, scenarios=60)
    tops = np.array([demand.rack_w[demand.scenario == s].sum(axis=1).max() for s in range(1, 60)])
    assert np.isin(np.round(tops, 3), np.round(daily, 3)).all()
    assert tops.min() >= np.sort(daily)[0]
    assert (tops >= np.median(daily)).mean() > 1.0 - 2.0 * 0.5**BLOCK_DAYS - 0.05


@pytest.mark.parametrize("days", [1, 13])
def test_under_two_weeks_tails_are_not_estimated_and_that_is_said(days: int) -> None:
    p = plant(still(small_site(racks=4)))
    w = measured(p, days)
    demand = drawn(p, w)
    assert f"only {days} day{'s' if days > 1 else ''} of" in demand.note
    assert "tails are not estimated" in demand.note
    assert demand.rack_w.shape == (20, 4)
    assert demand.rack_w == pytest.approx(np.broadcast_to(w.max(axis=0), (20, 4)))


def test_a_long_gap_is_no_history() -> None:
    """Readings on the first and the last three days of four weeks are six days, however far apart they are."""
    p = plant(still(small_site(racks=4)))
    w = measured(p)
    w[3 * 24 : 25 * 24] = np.nan
    assert history(w).measured_days.tolist() == [0, 1, 2, 25, 26, 27]
    assert "only 6 days" in drawn(p, w).note


def test_days_without_readings_are_not_drawn() -> None:
    p = plant(still(small_site(racks=4)))
    w = np.minimum(measured(p), p.racks.budget_w)
    w[10 * 24 : 14 * 24] = np.nan
    demand = drawn(p, w, scenarios=40)
    assert "24 days" in demand.note
    rows = {tuple(r) for r in w[np.isfinite(w).all(axis=1)]}
    assert all(tuple(c) in rows for c, s in zip(demand.rack_w, demand.scenario, strict=True) if s)


def test_two_weeks_are_enough() -> None:
    p = plant(small_site(racks=4))
    assert "tails" not in drawn(p, measured(p, 14)).note


def test_growth_raises_measured_load_by_the_years_and_not_beyond_budget() -> None:
    base = small_site(racks=4)
    site = base.with_(settings=replace(base.settings, growth_frac=0.2, growth_spread_frac=0.0))
    p = plant(site)
    w = np.minimum(measured(p), 80e3)
    year = LAST + dt.timedelta(days=365)
    one, later = drawn(p, w), drawn(p, w, by=year)
    assert later.rack_w / one.rack_w == pytest.approx(np.full(one.rack_w.shape, 1.2 ** (365 / 365.25)), rel=1e-9)
    far = drawn(p, w, by=LAST + dt.timedelta(days=3650))
    assert (far.rack_w <= p.racks.budget_w + 1e-6).all()
    assert far.rack_w.max() == pytest.approx(p.racks.budget_w.max())


def test_growth_never_turns_back_time() -> None:
    p = plant(small_site(racks=4))
    w = measured(p)
    assert np.array_equal(drawn(p, w, by=LAST).rack_w, drawn(p, w, by=LAST - dt.timedelta(days=400)).rack_w)


def test_measured_peaks_above_budget_stand() -> None:
    p = plant(still(small_site(racks=2)))
    w = np.full((20 * 24, 2), 1e3)
    w[7, 0] = p.racks.budget_w[0] * 1.3
    assert drawn(p, w).rack_w[0, 0] == p.racks.budget_w[0] * 1.3


def test_gaps_take_the_value_before_them() -> None:
    p = plant(still(small_site(racks=2)))
    w = np.full((20 * 24, 2), 40e3)
    w[:, 1] = np.nan
    w[5 : 15 * 24, 1] = 60e3
    w[100:200, 0] = np.nan
    demand = drawn(p, w)
    assert np.isfinite(demand.rack_w).all()
    assert (demand.rack_w == np.array([40e3, 60e3])).all()


def test_reserved_racks_hold_their_whole_budget_and_new_ones_what_their_sku_is_known_to_draw() -> None:
    base = still(small_site(racks=3))
    held = Rack(id="held", position="p4", sku="gb300-nvl72", state="committed")
    new = Rack(id="new", position="p5", sku="gb300-nvl72", state="planned")
    other = Rack(id="other", position="p6", sku="mtia-450", state="planned")
    p = plant(base.with_racks([held, new, other]))
    w = np.full((28 * 24, p.racks.n), np.nan)
    w[:, :3] = measured(p)[:, :3]
    demand = drawn(p, w, scenarios=30)
    k = {name: i for i, name in enumerate(p.racks.ids)}
    assert (demand.rack_w[:, k["held"]] == p.racks.budget_w[k["held"]]).all()
    later = demand.rack_w[demand.scenario > 0]
    assert np.isin(later[:, k["new"]], np.nan_to_num(w[:, :3])).all()
    assert demand.rack_w[0, k["new"]] == np.nanmax(w[:, :3])
    share = later[:, k["other"]] / p.racks.budget_w[k["other"]]
    assert SPREAD[0] <= share.min() < share.max() <= SPREAD[1]
    assert demand.rack_w[0, k["other"]] == p.racks.budget_w[k["other"]]


def test_racks_that_are_not_there_draw_nothing() -> None:
    p = plant(small_site(racks=3))
    load = np.array([True, True, False])
    assert (measured_demand(p, history(measured(p)), load, LAST, 10, 0).rack_w[:, 2] == 0.0).all()
    assert nameplate_demand(p, load).rack_w.tolist() == [[p.racks.budget_w[0], p.racks.budget_w[1], 0.0]]


def test_peaks_keep_the_highest_column_of_each_scenario() -> None:
    p = plant(small_site(racks=4))
    demand = drawn(p, measured(p))
    top = demand.peaks()
    assert top.scenario.tolist() == list(range(demand.count))
    for s in range(demand.count):
        assert top.rack_w[s].sum() == demand.rack_w[demand.scenario == s].sum(axis=1).max()


def test_a_rack_measured_for_a_day_is_not_known() -> None:
    """A day of idling does not make a rack idle for ever: it counts as not measured until it has the days of history."""
    where = plant(small_site())
    steps = 28 * 96
    time = np.datetime64("2026-10-01", "us") + (np.arange(steps) * 900_000_000).astype("timedelta64[us]")
    rack_w = np.full((steps, where.racks.n), np.nan)
    rack_w[:, :-1] = 100e3
    rack_w[-96:, -1] = 14e3
    demand = measured_demand(where, History(time, rack_w, 900.0), np.ones(where.racks.n, bool), dt.date(2026, 10, 29))
    assert demand.rack_w[:, -1].min() >= 99e3
