"""Lines through slices of a window, and what racks and supplies change."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fidelity.hidden import seen_of
from tests.twin.sites import small_site
from topology.plant import plant
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.skus import skus
from twin.forecast.calibrate.slices import DAY_S, cut, trend
from twin.forecast.calibrate.told import Drift
from twin.synthetic.days import times, utilisation, wet_bulb_c
from twin.synthetic.observe import observe
from twin.synthetic.secret import hidden

METERS = ("rack power", "rack output power", "cord A power", "cord B power", "chip power")


@pytest.mark.parametrize(("days", "number"), [(3, None), (5, 5), (13, 13), (15, 2), (60, 8), (400, 19)])
def test_windows_are_cut_in_days_then_in_weeks_then_in_longer_pieces(days: int, number: int | None) -> None:
    found = cut(np.arange(0.0, days * DAY_S, 3600.0), days * DAY_S)
    assert (found.number if found else None) == number
    if found:
        assert np.array_equal(np.unique(found.of), np.arange(found.number))


def test_a_line_is_found_and_its_interval_holds_it_as_often_as_it_says() -> None:
    rng, true = np.random.default_rng(1), 0.03
    found = trend(true * np.linspace(0.0, 1.0, 12) + rng.normal(0.0, 0.01, (4000, 12)))
    inside = np.abs(found.change - true) <= found.half
    assert inside.mean() == pytest.approx(0.95, abs=0.012)


def test_of_many_elements_without_change_hardly_any_is_sure() -> None:
    rng = np.random.default_rng(2)
    windows = [trend(rng.normal(0.0, 0.01, (100, 8))).sure.any() for _ in range(200)]
    assert np.mean(windows) == pytest.approx(0.05, abs=0.035)


def test_what_goes_with_something_else_is_taken_out() -> None:
    rng = np.random.default_rng(3)
    load = rng.normal(0.0, 1.0, (50, 10)) + np.linspace(0.0, 1.0, 10)
    value = 0.05 * load + rng.normal(0.0, 1e-3, load.shape)
    assert np.abs(trend(value, load).change).max() < 0.01 < np.abs(trend(value).change).max()


def test_too_few_slices_tell_nothing() -> None:
    value = np.full((2, 6), np.nan)
    value[0, :3] = 1.0
    found = trend(value)
    assert np.isnan(found.change).all() and not found.sure.any()


@pytest.fixture(scope="module")
def seen() -> Seen:
    where = plant(small_site(6, chiller=False))
    time = times(dt.datetime(2026, 3, 2, tzinfo=dt.UTC), 10 * 96, 900.0)
    shown = observe(where, hidden(where, 4), time, utilisation(where, time, 4), wet_bulb_c(time, 4), 4, names=METERS)
    return seen_of(where, shown)


def changes(what: Seen, parameter: str) -> list[Drift]:
    return [d for d in skus(what) if isinstance(d, Drift) and d.parameter == parameter]


def test_a_rack_that_draws_more_and_more_is_named_and_no_other(seen: Seen) -> None:
    more = np.ones(seen.load_w.shape)
    more[:, 2] = np.linspace(1.0, 1.05, seen.time.size)
    found = changes(replace(seen, read={n: v * more if n in METERS else v for n, v in seen.read.items()}), "draw_factor")
    assert [d.element for d in found] == [seen.plant.racks.ids[2]]
    assert found[0].moved and found[0].interval[0] < 0.05 * 0.9 < found[0].interval[1]
    assert found[0].value[-1] > found[0].value[0]


def test_racks_that_stay_as_they_are_are_not_named(seen: Seen) -> None:
    assert changes(seen, "draw_factor") == []


def test_supplies_that_lose_more_and_more_are_told_by_their_sku(seen: Seen) -> None:
    lost = seen.read["rack power"] - seen.read["rack output power"]
    more = lost * np.linspace(0.0, 0.2, lost.shape[0])[:, None]
    (before,), (after,) = (
        changes(replace(seen, read={**seen.read, "rack power": seen.read["rack power"] + extra}), "supply_load_factor")
        for extra in (0.0, more)
    )
    assert not before.moved or abs(before.change_frac) < 0.02
    assert after.moved and after.change_frac == pytest.approx(0.18, abs=0.06)
