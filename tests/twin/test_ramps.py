"""Ramps: what moves far in little time is one event, cut to where power turned; what does not is none."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from topology.errors import UsageError
from twin.forecast.ramps import SHARE, ramps


def test_a_rise_is_one_event_from_foot_to_top() -> None:
    power = np.r_[np.full(50, 100.0), np.linspace(100.0, 200.0, 21), np.full(50, 200.0)]
    (event,) = ramps(power, 15.0)
    assert (event.first, event.last, event.change_w) == (50, 70, 100.0)
    assert event.steepest_w_s == pytest.approx(5.0 / 15.0)


def test_a_slow_drift_is_no_ramp() -> None:
    assert ramps(np.linspace(100.0, 200.0, 400), 15.0) == ()
    assert len(ramps(np.linspace(100.0, 200.0, 400), 15.0, window_s=3600.0)) == 1


def test_up_and_down_are_two_and_do_not_overlap() -> None:
    power = np.r_[np.full(20, 100.0), np.full(3, 300.0), np.full(20, 100.0)]
    up, down = ramps(power, 60.0)
    assert (up.first, up.last, up.change_w) == (19, 20, 200.0)
    assert (down.first, down.last, down.change_w) == (22, 23, -200.0)
    assert down.steepest_w_s == pytest.approx(-200.0 / 60.0)


def test_a_gap_is_no_ramp_of_its_own() -> None:
    power = np.full(40, 100.0)
    power[10:20] = np.nan
    assert ramps(power, 60.0) == ()
    power[20:] = 150.0
    assert [(e.last, e.change_w) for e in ramps(power, 60.0)] == [(20, 50.0)]


@pytest.mark.parametrize("power", [np.zeros(30), np.full(30, 7.0), np.full(30, np.nan), np.ones(1)])
def test_nothing_moves_where_nothing_moves(power: np.ndarray) -> None:
    assert ramps(power, 60.0) == ()


def test_a_window_or_share_of_nothing_is_refused() -> None:
    for arguments in ((0.0, 60.0, 0.1), (60.0, 0.0, 0.1), (60.0, 60.0, 0.0)):
        with pytest.raises(UsageError):
            ramps(np.ones(5), *arguments)


@given(arrays(np.float64, st.integers(2, 60), elements=st.integers(0, 10**6).map(float)), st.floats(30.0, 900.0))
@settings(max_examples=150, deadline=None)
def test_events_are_ramps_in_order_whatever_the_power_does(power: np.ndarray, window_s: float) -> None:
    found = ramps(power, 60.0, window_s)
    least = SHARE * power.max()
    for e in found:
        assert e.first < e.last and abs(e.change_w) >= least
        assert e.change_w == power[e.last] - power[e.first]
        assert np.sign(e.change_w) == np.sign(e.steepest_w_s) != 0.0
    assert all(a.last <= b.first for a, b in pairwise(found))
    wide = max(round(window_s / 60.0), 1)
    moved = any(abs(power[a + 1 : a + 1 + wide] - power[a]).max(initial=0.0) >= least > 0.0 for a in range(power.size))
    assert bool(found) == moved


@given(arrays(np.float64, st.integers(2, 40), elements=st.integers(0, 100).map(float)), st.floats(60.0, 600.0))
@settings(max_examples=100, deadline=None)
def test_ramps_do_not_depend_on_the_unit_of_power(power: np.ndarray, window_s: float) -> None:
    one, other = ramps(power, 60.0, window_s), ramps(1024.0 * power, 60.0, window_s)
    assert [(e.first, e.last) for e in one] == [(e.first, e.last) for e in other]
