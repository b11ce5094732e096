"""Supplies: the curve and its inverse, and what readings at one load or at many can tell."""

from __future__ import annotations

import numpy as np
import pytest

from twin.forecast.supply import SupplyFit, efficiency, fit_supply, input_w, output_w, supply_priors, titanium_floor

RATED_W = 10e3
TRUTH = {"a_w": 120.0, "b_frac": 0.012, "c_per_w": 2.0e-6, "gain": 1.03}


def fitted(low_w: float, high_w: float, noise_w: float = 5.0) -> SupplyFit:
    """Minute means of a load between two powers, with meters that differ by the gain."""
    rng = np.random.default_rng(0)
    out = rng.uniform(low_w, high_w, 240)
    ac, dc = input_w(TRUTH, out), TRUTH["gain"] * out + rng.normal(0.0, noise_w, out.size)
    return fit_supply(ac, dc, (0.01, 0.02), np.arange(240) < 120, RATED_W)


def test_the_curve_and_its_inverse() -> None:
    out = np.linspace(0.0, 12e3, 50)
    assert output_w(TRUTH, input_w(TRUTH, out)) == pytest.approx(out, abs=1e-6)
    assert efficiency(TRUTH, 5e3) == pytest.approx(float(output_w(TRUTH, np.asarray(5e3))) / 5e3)


def test_the_prior_goes_through_the_titanium_floors() -> None:
    values = {p.name: p.value for p in supply_priors(RATED_W)}
    for share in (0.1, 0.2, 0.5):
        assert share * RATED_W / float(input_w(values, np.asarray(share * RATED_W))) == pytest.approx(titanium_floor(share), abs=1e-9)


def test_at_one_load_only_gain_times_efficiency_is_told() -> None:
    fit = fitted(6.9e3, 7.1e3, noise_w=50.0)
    c = fit.calibration.fitted
    assert not any(c[n].identifiable for n in ("a_w", "b_frac", "c_per_w"))
    true = efficiency(TRUTH, fit.load_w)
    assert fit.efficiency_interval[0] < true < fit.efficiency_interval[1]
    assert fit.efficiency_interval[1] - fit.efficiency_interval[0] > 0.02, "one load must not fix the efficiency"
    assert fit.product_frac == pytest.approx(TRUTH["gain"] * true, abs=3e-3)
    assert fit.product_interval[1] - fit.product_interval[0] < 0.01


def test_a_load_that_moves_over_its_whole_range_tells_the_standing_loss() -> None:
    fit = fitted(0.3e3, 9.5e3)
    a = fit.calibration.fitted["a_w"]
    assert a.identifiable and a.interval[0] < TRUTH["a_w"] < a.interval[1]
    assert fit.predicted_w[120:] == pytest.approx(fit.measured_w[120:], abs=25.0)


def test_the_steadier_reading_predicts_the_other() -> None:
    ac = np.linspace(5e3, 6e3, 100)
    dc = output_w(TRUTH, ac)
    fit = np.arange(100) < 50
    assert fit_supply(ac, dc, (0.01, 0.02), fit, RATED_W).from_ac
    other = fit_supply(ac, dc, (0.02, 0.01), fit, RATED_W)
    assert not other.from_ac and (other.measured_w == ac).all()
