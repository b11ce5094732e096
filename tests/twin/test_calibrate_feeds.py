"""Losses of power elements and gains of their meters."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fidelity.hidden import seen_of
from tests.twin.sites import small_site
from topology.overlay import Constant
from topology.plant import plant
from twin.forecast.calibrate.constants import SENSORS
from twin.forecast.calibrate.feeds import feed_model, feeds
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.told import Told
from twin.synthetic.days import times, utilisation, wet_bulb_c
from twin.synthetic.observe import observe
from twin.synthetic.secret import hidden

SECRET = (
    Constant(element="ups-a", parameter="loss_fixed_factor", value=1.4),
    Constant(element="ups-b", parameter="loss_fixed_factor", value=0.8),
    Constant(element="ups-a", parameter="gain", value=1.006, quantity="power_w"),
    Constant(element="busway-a", parameter="gain", value=0.985, quantity="power_w"),
)


def look(secret: tuple[Constant, ...], seed: int = 7, racks: int = 8) -> Seen:
    where = plant(small_site(racks, chiller=False))
    time = times(dt.datetime(2026, 3, 2, tzinfo=dt.UTC), 7 * 96, 900.0)
    shown = observe(where, secret, time, utilisation(where, time, seed), wet_bulb_c(time, seed), seed)
    return seen_of(where, shown)


@pytest.fixture(scope="module")
def seen() -> Seen:
    return look(SECRET)


@pytest.fixture(scope="module")
def told(seen: Seen) -> dict[tuple[str, str, str], Told]:
    return {(t.element, t.parameter, t.quantity): t for t in feeds(seen) if isinstance(t, Told)}


def without(what: Seen, *channels: str) -> Seen:
    return replace(what, read={n: v for n, v in what.read.items() if n not in channels})


@pytest.mark.parametrize(("element", "true"), [("ups-a", 1.4), ("ups-b", 0.8)])
def test_no_load_loss_of_a_ups_is_found(told: dict[tuple[str, str, str], Told], element: str, true: float) -> None:
    found = told[element, "loss_fixed_factor", ""].fitted
    half = 0.5 * (found.interval[1] - found.interval[0])
    assert found.identifiable and abs(found.value - true) < 1.5 * half
    assert half < 0.6 * 0.29 * true


def test_the_gain_of_a_meter_is_told_against_all_meters_below(told: dict[tuple[str, str, str], Told]) -> None:
    found = told["busway-a", "gain", "power_w"].fitted
    assert found.identifiable and found.value == pytest.approx(0.985, abs=0.004)
    least = SENSORS["power_w", "gain"].deviation / np.sqrt(8.0)
    assert (found.interval[1] - found.interval[0]) / 3.29 > 0.9 * least, "no surer than eight meters below allow"


def test_load_losses_are_as_a_gain_is_and_keep_their_prior(told: dict[tuple[str, str, str], Told]) -> None:
    found = told["ups-a", "loss_load_factor", ""].fitted
    assert not found.identifiable and found.value == 1.0


def test_an_element_with_one_meter_and_unmetered_racks_below_is_left_out(seen: Seen) -> None:
    bare = without(seen, "rack power", "cord A power", "cord B power", "UPS output power", "UPS input power", "utility power")
    assert not {t.element for t in feeds(bare) if isinstance(t, Told)} & {"busway-a", "busway-b"}


def test_racks_without_cord_meters_count_by_their_share_and_less_surely(seen: Seen) -> None:
    by_cord, by_share = feed_model(seen), feed_model(without(seen, "cord A power", "cord B power"))
    names = [seen.plant.power.ids[e] for e in by_cord.element]
    k = names.index("busway-a")
    n = [seen.plant.power.ids[e] for e in by_share.element].index("busway-a")
    assert by_share.unsure[n, 0] > 2.0 * by_cord.unsure[k, 0]
    assert np.nanmean(by_share.below_w[n]) == pytest.approx(np.nanmean(by_cord.below_w[k]), rel=0.03)


def test_a_child_without_a_meter_is_passed_through(seen: Seen) -> None:
    """With no meter on the busway, what hangs below it still stands against the UPS."""
    fed = seen.read["feed power"].copy()
    fed[:, seen.plant.power.ids.index("busway-a")] = np.nan
    through = feed_model(replace(seen, read={**seen.read, "feed power": fed}))
    k = [seen.plant.power.ids[e] for e in through.element].index("ups-a")
    whole = feed_model(seen)
    assert np.nanmean(through.below_w[k]) == pytest.approx(np.nanmean(whole.below_w[k]), rel=0.02)


def test_most_intervals_hold_the_truth() -> None:
    inside = []
    for seed in (1, 2, 3):
        where = plant(small_site(8, chiller=False))
        secret = hidden(where, seed)
        truth = {r.key: r.value for r in secret}
        for t in feeds(look(secret, seed)):
            assert isinstance(t, Told)
            if t.fitted.identifiable:
                low, high = t.fitted.interval
                inside.append(low <= truth[t.element, t.parameter, t.quantity, t.part] <= high)
    assert len(inside) > 20 and np.mean(inside) > 0.75
