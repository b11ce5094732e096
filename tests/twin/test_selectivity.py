"""Selectivity of a child before its parent."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.test_power import Spec, chain
from topology.plant import Plant
from topology.trip import TripStage
from twin.power.selectivity import acts_s, overlaps, rated_a, selectivity

THERMAL = TripStage(law="thermal", pickup=1.05, pickup_late=1.3, tau_s=300.0, early_frac=0.2, late_frac=0.2)


def magnetic(low: float, high: float, delay_s: float = 0.02) -> TripStage:
    return TripStage(law="definite", pickup=low, pickup_late=high, delay_s=delay_s)


def test_wide_steps_are_selective_until_the_parent_is_instantaneous() -> None:
    """63 A below 400 A, magnetic 5 to 10 and 8 to 12 times: both may act at once from 8 x 400 = 3,200 A on."""
    child, parent = (THERMAL, magnetic(5.0, 10.0)), (THERMAL, magnetic(8.0, 12.0))
    [(low, high)] = overlaps(parent, 400.0, child, 63.0, 10_000.0)
    assert low == pytest.approx(3200.0, rel=1e-6)
    assert high == pytest.approx(10_000.0)
    assert overlaps(parent, 400.0, child, 63.0, 3000.0) == ()


def test_equal_breakers_are_not_selective_anywhere_above_the_pickup() -> None:
    both = (THERMAL, magnetic(5.0, 10.0))
    ranges = overlaps(both, 100.0, both, 100.0, 2000.0)
    assert ranges[0][0] == pytest.approx(130.0, rel=0.03)
    assert ranges[-1][1] == pytest.approx(2000.0)


def test_a_short_time_delay_makes_it_selective_again() -> None:
    child, parent = (THERMAL, magnetic(5.0, 10.0)), (THERMAL, magnetic(6.0, 7.0, 0.3))
    assert overlaps(parent, 400.0, child, 63.0, 50_000.0) == ()


@settings(deadline=None, max_examples=40)
@given(st.floats(20.0, 400.0), st.floats(20.0, 400.0), st.floats(500.0, 5000.0))
def test_every_current_in_a_range_overlaps_and_none_beside_it(parent_a: float, child_a: float, probe_a: float) -> None:
    child, parent = (THERMAL, magnetic(5.0, 10.0)), (THERMAL, magnetic(8.0, 12.0))
    ranges = overlaps(parent, parent_a, child, child_a, 5000.0)
    first = acts_s(parent, np.array([probe_a / parent_a]), "early")[0]
    last = acts_s(child, np.array([probe_a / child_a]), "late")[0]
    inside = any(low <= probe_a <= high for low, high in ranges)
    met = probe_a > 1.3 * 1.02 * child_a
    near = any(0.98 < probe_a / edge < 1.02 for r in ranges for edge in r)
    assert near or not met or inside == (math.isfinite(first) and first <= last)


SPEC: Spec = {
    "u": ("utility", {"voltage_v": 11_000.0}),
    "t": ("transformer", {"model": "transformer-2500", "voltage_v": 415.0}),  # type: ignore[dict-item]
    "m": ("switchboard", {"model": "switchboard-4000a", "voltage_v": 415.0}),  # type: ignore[dict-item]
    "x": ("ups", {"model": "ups-1000", "voltage_v": 415.0}),  # type: ignore[dict-item]
    "b": ("busway", {"model": "busway-800a", "voltage_v": 415.0}),  # type: ignore[dict-item]
    "k": ("breaker", {"model": "breaker-63a-c", "voltage_v": 415.0}),  # type: ignore[dict-item]
}


def plant_of_breakers() -> Plant:
    return chain(SPEC, [("u", "t"), ("t", "m"), ("m", "x"), ("x", "b"), ("b", "k")], [("k", "")])


def test_pairs_pass_over_a_ups_and_turn_currents_by_voltage() -> None:
    p = plant_of_breakers()
    found = {(x.parent, x.child): x for x in selectivity(p)}
    assert set(found) == {("t", "m"), ("m", "b"), ("b", "k")}
    assert rated_a(p)[p.power.ids.index("t")] == pytest.approx(2.5e6 / (math.sqrt(3.0) * 415.0))
    pair = found["b", "k"]
    assert not pair.selective
    assert pair.selective_to_a == pytest.approx(pair.overlap_a[0][0])
    assert pair.selective_to_a == pytest.approx(10.0 * 0.85 * 800.0, rel=1e-6)


def test_a_known_fault_level_ends_the_search() -> None:
    p = plant_of_breakers()
    level = np.zeros(p.power.n)
    level[p.power.ids.index("k")] = 4000.0
    found = {x.child: x for x in selectivity(p, level)}
    assert found["k"].selective
    assert found["k"].searched_a == 4000.0
    assert found["b"].fault_a == 0.0


def test_rows_may_stand_in_any_order() -> None:
    p = plant_of_breakers()
    names = list(reversed(p.site.power))
    turned = replace(p.site, power={n: p.site.power[n] for n in names}, power_links=tuple(reversed(p.site.power_links)))
    from topology.plant import plant

    key = lambda x: (x.parent, x.child)  # noqa: E731
    assert sorted(selectivity(plant(turned)), key=key) == sorted(selectivity(p), key=key)
