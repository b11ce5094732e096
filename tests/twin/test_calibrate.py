"""The core of calibration on problems whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from topology.axes import Floats
from topology.errors import UsageError
from twin.forecast.calibrate import (
    Block,
    Calibration,
    Grid,
    Prior,
    calibrate,
    constant_ratio,
    grid,
    identical,
    jumps,
    lagged_regression,
    resampled,
    score,
    split_step,
)  # fmt: skip
from twin.forecast.calibrate.priors import Z90

SLOPE = Prior("slope", 1.0, (0.0, 4.0), "test")
OFFSET = Prior("offset_w", 0.0, (-20.0, 20.0), "test")
UNSEEN = Prior("unseen", 5.0, (2.0, 12.5), "test", log=True)


def line_fit(x: Floats, y: Floats, *priors: Prior) -> Calibration:
    def model(v: dict[str, float]) -> list[Block]:
        return [Block("line", v["slope"] * x + v["offset_w"] - y, 1.0)]

    return calibrate(model, [SLOPE, OFFSET, *priors])


def wander(rng: np.random.Generator, n: int, alike: float) -> Floats:
    """Noise of deviation 1 whose neighbours are alike."""
    out = np.empty(n)
    out[0] = rng.standard_normal()
    for k in range(1, n):
        out[k] = alike * out[k - 1] + math.sqrt(1.0 - alike**2) * rng.standard_normal()
    return out


def test_a_line_is_found_and_what_data_cannot_tell_keeps_its_prior() -> None:
    x = np.linspace(0.0, 10.0, 200)
    found = line_fit(x, 2.0 * x + 3.0 + np.random.default_rng(1).normal(0.0, 0.1, x.size), UNSEEN)
    for name, truth in (("slope", 2.0), ("offset_w", 3.0)):
        f = found.fitted[name]
        assert f.identifiable and f.interval[0] < truth < f.interval[1] and f.interval[1] - f.interval[0] < 0.2
    unseen = found.fitted["unseen"]
    assert not unseen.identifiable and (unseen.value, unseen.interval) == (UNSEEN.value, UNSEEN.interval)


def test_of_two_parameters_that_only_show_as_a_product_one_keeps_its_prior_and_the_product_is_met() -> None:
    x = np.linspace(1.0, 2.0, 100)
    a, b = Prior("a", 1.0, (0.5, 2.0), "test", log=True), Prior("b", 1.0, (0.5, 2.0), "test", log=True)
    y = 1.4 * x + np.random.default_rng(6).normal(0.0, 0.01, x.size)
    found = calibrate(lambda v: [Block("y", v["a"] * v["b"] * x - y, 0.01)], [a, b])
    assert sorted(f.identifiable for f in found.fitted.values()) == [False, True]
    assert found.values["a"] * found.values["b"] == pytest.approx(1.4, rel=2e-3)
    low, high = found.interval(lambda v: v["a"] * v["b"])
    assert low < 1.4 < high and high - low < 0.02
    told = next(f for f in found.fitted.values() if f.identifiable)
    assert told.interval[1] / told.interval[0] > 2.0, "what one of them is stays open"


def test_intervals_cover_under_noise_that_is_alike_from_step_to_step() -> None:
    x, inside = np.linspace(-5.0, 5.0, 400), 0
    for seed in range(60):
        f = line_fit(x, 2.0 * x + 1.0 + wander(np.random.default_rng(seed), x.size, 0.9)).fitted["offset_w"]
        inside += f.interval[0] <= 1.0 <= f.interval[1]
    assert 46 <= inside <= 60  # 90 % of 60 within three standard deviations; independent noise would give about 25


def test_bounds_hold() -> None:
    capped = Prior("slope", 0.5, (0.0, 1.0), "test", bounds=(0.0, 1.0))
    x = np.linspace(0.0, 10.0, 50)
    found = calibrate(lambda v: [Block("y", (v["slope"] - 3.0) * x, 0.1)], [capped], passes=0)
    assert found.values["slope"] == pytest.approx(1.0, abs=1e-4) and found.fitted["slope"].interval[1] <= 1.0


def test_the_interval_of_a_function_is_that_of_a_line() -> None:
    x = np.linspace(0.0, 10.0, 100)
    found = line_fit(x, 2.0 * x + 3.0 + np.random.default_rng(2).normal(0.0, 0.5, x.size))
    low, high = found.interval(lambda v: v["slope"] * 4.0)
    own = found.fitted["slope"].interval
    assert (low, high) == pytest.approx((4.0 * own[0], 4.0 * own[1]), rel=1e-3)


def test_a_prior_is_its_interval() -> None:
    for p in (SLOPE, UNSEEN):
        assert p.z(p.at(0.7)) == pytest.approx(0.7)
    assert UNSEEN.at(Z90) == pytest.approx(UNSEEN.interval[1]) and UNSEEN.at(-Z90) == pytest.approx(UNSEEN.interval[0])


def test_scores_are_those_of_the_guideline() -> None:
    y, f = np.array([10.0, 20.0, 30.0, np.nan]), np.array([11.0, 19.0, 33.0, 5.0])
    s = score(f, y)
    assert s.count == 3
    assert s.cv_rmse_frac == pytest.approx(math.sqrt(11.0 / 2.0) / 20.0)
    assert s.nmbe_frac == pytest.approx(3.0 / 2.0 / 20.0)
    assert s.mape_frac == pytest.approx((0.1 + 0.05 + 0.1) / 3.0)
    assert s.rmse == pytest.approx(math.sqrt(11.0 / 3.0))
    with pytest.raises(UsageError, match="at least two"):
        score(f, y, np.array([True, False, False, False]))


def test_a_slow_sensor_is_a_line_between_its_readings_and_a_long_gap_stays_empty() -> None:
    where = Grid(0.0, 30.0, 40)
    time = np.array([15.0, 135.0, 255.0, 375.0, 1095.0, 1185.0])
    y = resampled(where, time, time / 10.0)
    assert y[:12] == pytest.approx(where.middle_s[:12] / 10.0)
    assert np.isnan(y[14:35]).all() and np.isfinite(y[37])


def test_a_quick_sensor_is_the_mean_of_each_step_in_any_order() -> None:
    where, rng = Grid(0.0, 30.0, 10), np.random.default_rng(3)
    time = np.arange(0.0, 300.0, 5.0)
    value, order = rng.normal(size=time.size), rng.permutation(time.size)
    expected = value.reshape(10, 6).mean(axis=1)
    assert resampled(where, time[order], value[order]) == pytest.approx(expected)
    value[7] = np.nan
    assert np.isfinite(resampled(where, time, value)).all()


def test_the_grid_covers_every_time() -> None:
    time = np.array([31.0, 1e3, 95.0])
    where = grid(time, 30.0)
    assert where.start_s <= time.min() and where.start_s + where.steps * where.step_s > time.max()


def heat(drop: bool) -> tuple[Floats, Floats]:
    """Power that steps, heat that follows it in a quarter of an hour, perhaps with a drop-out of two steps."""
    cause = np.where((np.arange(480) // 120) % 2 == 1, 60e3, 20e3)
    value, at = np.empty(480), 20e3
    noise = np.random.default_rng(4).normal(0.0, 200.0, 480)
    for k in range(480):
        at += (cause[k] - at) / 30.0
        value[k] = at + noise[k]
    if drop:
        value[300:302] = 1e3
    return value, cause


def test_a_drop_out_is_quarantined_with_the_time_after_it_and_a_step_of_the_load_is_not() -> None:
    assert jumps(*heat(drop=False), 30.0)[1] == ()
    bad, found = jumps(*heat(drop=True), 30.0)
    assert [(j.first, j.last) for j in found] == [(300, 322)] and bad.sum() == 23 and "its cause moves by" in found[0].reason


def test_a_jump_that_the_load_made_itself_is_kept() -> None:
    value, cause = heat(drop=True)
    cause[298:300] = 0.0
    value[300:302] = value[299] - 15e3
    assert not jumps(value, cause, 30.0)[0].any()


def test_identical_series_are_one() -> None:
    a = np.arange(5.0)
    assert identical({"x": a, "y": a + 1e-12, "z": a.copy()}) == (("x", "z"), ("y",))


def test_baselines_see_only_what_they_may() -> None:
    rng = np.random.default_rng(5)
    cause, fit = rng.uniform(1.0, 2.0, 400), np.arange(400) < 200
    output = 3.0 * np.roll(cause, 2) + 1.0
    output[:2] = np.nan
    worse = np.where(fit, output, -99.0)
    regression = lagged_regression(cause, worse, fit, 30.0)
    assert regression[200:] == pytest.approx(output[200:], abs=1e-9)
    assert constant_ratio(cause, worse, fit)[300] == pytest.approx(cause[300] * output[2:200].sum() / cause[2:200].sum())


@pytest.mark.parametrize(("steps", "share"), [(10, 0.0), (10, 1.0), (1, 0.5)])
def test_a_split_leaves_both_parts_something(steps: int, share: float) -> None:
    assert split_step(10, 0.4) == 4
    with pytest.raises(UsageError, match="cannot be split"):
        split_step(steps, share)
