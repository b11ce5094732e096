"""Laws against formulas worked out another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topology.ratings import counterflow_ua_w_k
from twin.solvers.laws import biquadratic, counterflow_effectiveness, exchanger_w_k, york_approach_k
from twin.solvers.plantside import YORK


@pytest.mark.parametrize(
    ("ntu", "z", "expected"),
    [
        (1.0, 1.0, 0.5),
        (3.0, 1.0, 0.75),
        (2.0, 0.0, 1.0 - math.exp(-2.0)),
        (math.log(2.0) * 2.0, 0.5, (1.0 - 0.5) / (1.0 - 0.25)),
        (0.0, 0.7, 0.0),
    ],
)
def test_effectiveness_at_points_with_a_closed_form(ntu: float, z: float, expected: float) -> None:
    assert counterflow_effectiveness(ntu, z) == pytest.approx(expected, abs=1e-13)


@given(st.floats(0.0, 20.0), st.floats(0.0, 1.0))
def test_effectiveness_is_a_share_and_falls_with_capacity_ratio(ntu: float, z: float) -> None:
    e = counterflow_effectiveness(ntu, z)
    assert 0.0 <= e <= 1.0
    assert counterflow_effectiveness(ntu, 1.0) - 1e-6 <= e <= counterflow_effectiveness(ntu, 0.0) + 1e-12


def test_effectiveness_near_equal_flows_joins_the_limit() -> None:
    near = [counterflow_effectiveness(4.0, 1.0 - d) for d in (1e-5, 1e-6, 2e-7, 5e-8)]
    assert near == pytest.approx([0.8] * 4, abs=1e-5)


@given(st.floats(1e4, 3e6), st.floats(1.0, 20.0), st.floats(5.0, 50.0), st.floats(5.0, 50.0))
def test_conductance_of_a_rating_point_gives_the_rating_back(duty_w: float, approach_k: float, hot: float, cold: float) -> None:
    hot_w_k, cold_w_k = hot * 4e3, cold * 4e3
    span = approach_k + duty_w / hot_w_k
    if duty_w >= 0.999 * min(hot_w_k, cold_w_k) * span:
        return
    ua = counterflow_ua_w_k(duty_w, approach_k, hot_w_k, cold_w_k)
    assert exchanger_w_k(ua, hot_w_k, cold_w_k) * span == pytest.approx(duty_w, rel=1e-6)


@pytest.mark.parametrize(("hot_w_k", "cold_w_k"), [(0.0, 1e4), (1e4, 0.0), (0.0, 0.0)])
def test_no_flow_no_heat(hot_w_k: float, cold_w_k: float) -> None:
    assert exchanger_w_k(5e4, hot_w_k, cold_w_k) == 0.0


@pytest.mark.parametrize("point", [(24.0, 6.0, 1.0), (-5.0, 1.5, 0.4), (26.6, 22.0, 8.0), (0.0, 0.0, 0.0), (15.0, 11.0, 2.5)])
def test_york_is_the_polynomial_in_three_variables(point: tuple[float, float, float]) -> None:
    wet, span, lg = point
    table = YORK.reshape(3, 3, 3)
    total = 0.0
    for i in range(3):
        for j in range(3):
            for k in range(3):
                total += table[i, j, k] * lg**i * span**j * wet**k
    assert york_approach_k(wet, span, lg, YORK) == pytest.approx(total, rel=1e-12)


def test_york_at_its_design_point() -> None:
    """The correlation is scaled to a design of 25.6 degC wet bulb, 5.6 K range and 3.9 K approach."""
    assert york_approach_k(25.56, 5.56, 1.0, YORK) == pytest.approx(3.9, abs=0.15)


def test_biquadratic_takes_every_coefficient_once() -> None:
    x, y = 3.0, 5.0
    terms = [1.0, x, x * x, y, y * y, x * y]
    for k, term in enumerate(terms):
        assert biquadratic(np.eye(6)[k], x, y) == term
    assert biquadratic(np.arange(1.0, 7.0), x, y) == pytest.approx(sum((k + 1) * t for k, t in enumerate(terms)))
