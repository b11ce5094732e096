"""Trip curves: published closed forms, standards' points, memory, and that more current never trips later."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from tests.agreements import Agreements
from tests.twin.sites import catalog
from tests.twin.test_power import chain, solved
from topology.errors import SiteError
from topology.models import PowerModel
from topology.trip import TripStage
from twin.power.trips import EARLY, LATE, multiples, protected, stage_row, trip_after_s
from twin.solvers.breakers import LAWS, TripCurves, advance, settled, stage_left, stage_time, time_left, tripped

HOUR_S = 3600.0


def one(stage: TripStage, band: str = EARLY) -> TripCurves:
    law, pickup, a, b, c, reset = stage_row(stage, band)
    figures = (np.array([v], dtype=np.float64) for v in (pickup, a, b, c, reset))
    return TripCurves(np.zeros(1, np.int64), np.array([int(law)]), *figures)


def cold_s(model: PowerModel, multiple: float, band: str) -> float:
    rows = [stage_row(s, band) for s in model.trip]
    return min(stage_time(int(r[0]), r[1], r[2], r[3], r[4], multiple) for r in rows)


def model(name: str) -> PowerModel:
    found = catalog().entries["power_model"][name]
    assert isinstance(found, PowerModel)
    return found


@pytest.mark.agreement
@pytest.mark.parametrize(
    ("scale_s", "per_a", "from_a", "offset_s", "at_a", "want_s"),
    [
        (400.0, 0.30, 16.0, -1.81, 16.0, 398.19), (400.0, 0.30, 16.0, -1.81, 34.0, 0.0),
        (7.0, 0.333, 4.0, 2.5, 4.0, 9.5), (7.0, 0.333, 4.0, 2.5, 20.0, 2.53),
    ],
)  # fmt: skip
def test_virtual_breaker_of_a_rack_pdu(
    agreement: Agreements, scale_s: float, per_a: float, from_a: float, offset_s: float, at_a: float, want_s: float
) -> None:
    stage = TripStage(law="exponential", pickup=1.0, scale_s=scale_s, decay=per_a * from_a, offset_s=offset_s)
    law, pickup, a, b, c, _ = stage_row(stage)
    found = stage_time(int(law), pickup, a, b, c, max(at_a / from_a, math.nextafter(1.0, 2.0)))
    agreement("power", f"trip time at {at_a:g} A", "Dell ePower PDU, virtual breaker", abs(found - want_s), 0.006, "s")


def test_the_catalog_has_that_breaker() -> None:
    assert cold_s(model("breaker-16a-virtual"), 20.0 / 16.0, EARLY) == pytest.approx(400.0 * math.exp(-1.2) - 1.81, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "holds", "trips", "hours"),
    [
        ("breaker-63a-c", 1.13, 1.45, 1.0), ("breaker-60a", 1.05, 1.35, 2.0), ("breaker-400a-tm", 1.05, 1.30, 2.0),
        ("switchboard-4000a", 1.05, 1.30, 2.0),
    ],
)  # fmt: skip
def test_catalog_breakers_keep_the_points_of_their_standards(name: str, holds: float, trips: float, hours: float) -> None:
    assert cold_s(model(name), holds, EARLY) == math.inf
    assert cold_s(model(name), trips, LATE) <= hours * HOUR_S


def test_type_c_breaker_is_inside_its_band() -> None:
    """IEC 60898-1, type C above 32 A: 2.55 In trips between 1 and 120 s from cold, 5 In may not trip at once, 10 In must."""
    breaker = model("breaker-63a-c")
    assert 1.0 <= cold_s(breaker, 2.55, EARLY) < cold_s(breaker, 2.55, LATE) <= 120.0
    assert cold_s(breaker, 4.99, EARLY) > 0.1
    assert cold_s(breaker, 10.01, LATE) <= 0.1


@pytest.mark.agreement
@pytest.mark.parametrize("start", [0.0, 0.8])
def test_thermal_memory_is_the_solution_of_its_equation(agreement: Agreements, start: float) -> None:
    tau_s, pickup, m = 300.0, 1.1, 1.6
    found = stage_left(0, pickup, tau_s, 0.0, 0.0, (start / pickup) ** 2, m)

    def heat(_: float, theta: np.ndarray) -> np.ndarray:
        return ((m / pickup) ** 2 - theta) / tau_s

    def acts(_: float, theta: np.ndarray) -> float:
        return float(theta[0] - 1.0)

    acts.terminal = True  # type: ignore[attr-defined]
    want = solve_ivp(heat, (0.0, 1e4), [(start / pickup) ** 2], events=acts, rtol=1e-10, atol=1e-12).t_events[0][0]
    agreement("time", f"thermal trip from {start:g} times its rating", "integration by scipy", abs(found / want - 1.0), 1e-7)


STAGES = st.one_of(
    st.builds(TripStage, law=st.just("thermal"), pickup=st.floats(1.0, 1.5), tau_s=st.floats(1.0, 1e4)),
    st.builds(TripStage, law=st.just("definite"), pickup=st.floats(1.0, 12.0), delay_s=st.floats(0.0, 1e3), reset_s=st.floats(0.0, 1e3)),
    st.builds(TripStage, law=st.just("inverse"), pickup=st.floats(1.0, 2.0), scale_s=st.floats(0.01, 100.0), exponent=st.floats(0.02, 3.0),
              offset_s=st.floats(0.0, 1.0), reset_s=st.floats(0.0, 100.0)),
    st.builds(TripStage, law=st.just("exponential"), pickup=st.floats(1.0, 2.0), scale_s=st.floats(1.0, 1e3), decay=st.floats(0.1, 10.0),
              offset_s=st.floats(-2.0, 5.0)),
)  # fmt: skip


@settings(deadline=None)
@given(STAGES, st.lists(st.tuples(st.floats(0.0, 15.0), st.floats(0.0, 3.0), st.floats(0.0, 300.0)), min_size=1, max_size=12))
def test_a_heavier_load_never_trips_later(stage: TripStage, steps: list[tuple[float, float, float]]) -> None:
    """Step by step, a load that is never lighter keeps at least the memory, and at least as little time is left."""
    table = one(stage)
    light, heavy = np.zeros((1, 1)), np.zeros((1, 1))
    for multiple, more, dt_s in steps:
        low, high = np.array([[multiple]]), np.array([[multiple + more]])
        assert time_left(table, heavy, high)[0, 0] <= time_left(table, light, low)[0, 0] * (1.0 + 1e-9)
        light, heavy = advance(table, light, low, dt_s), advance(table, heavy, high, dt_s)
        assert heavy[0, 0] >= light[0, 0] - 1e-12


@settings(deadline=None)
@given(STAGES, st.floats(0.0, 15.0), st.floats(0.001, 1e4), st.integers(1, 7))
def test_steps_of_any_length_add_up(stage: TripStage, multiple: float, total_s: float, parts: int) -> None:
    table, now = one(stage), np.array([[multiple]])
    whole = advance(table, np.zeros((1, 1)), now, total_s)
    memory = np.zeros((1, 1))
    for _ in range(parts):
        memory = advance(table, memory, now, total_s / parts)
    assert memory[0, 0] == pytest.approx(whole[0, 0], rel=1e-9, abs=1e-12)
    left = time_left(table, np.zeros((1, 1)), now)[0, 0]
    assert (whole[0, 0] >= 1.0) == (left <= total_s) or left == pytest.approx(total_s, rel=1e-6)


def test_memory_fades_and_an_overload_that_comes_back_trips_sooner() -> None:
    table = one(TripStage(law="definite", pickup=1.05, delay_s=60.0, reset_s=600.0))
    over, rest = np.array([[1.2]]), np.array([[0.5]])
    memory = advance(table, np.zeros((1, 1)), over, 45.0)
    assert time_left(table, memory, over)[0, 0] == pytest.approx(15.0)
    memory = advance(table, memory, rest, 60.0)
    assert time_left(table, memory, over)[0, 0] == pytest.approx(21.0)
    assert not tripped(table, memory, 1).any()
    assert tripped(table, advance(table, memory, over, 22.0), 1).all()
    assert settled(table, over)[0, 0] == 0.0


def test_a_stage_without_its_figure_is_refused_by_name() -> None:
    with pytest.raises(SiteError, match=r"thermal trip stage of power model 'x' needs tau_s"):
        stage_row(TripStage(law="thermal", pickup=1.05), EARLY, "x")


def test_the_band_has_an_early_and_a_late_end() -> None:
    stage = TripStage(law="thermal", pickup=1.05, pickup_late=1.30, tau_s=100.0, early_frac=0.2, late_frac=0.2)
    assert stage_row(stage, EARLY)[1:3] == (1.05, pytest.approx(80.0))
    assert stage_row(stage, LATE)[1:3] == (1.30, pytest.approx(120.0))
    assert LAWS[int(stage_row(stage)[0])] == "thermal"


def test_an_outage_that_overloads_a_busway_says_when_it_trips() -> None:
    """Two busways of 800 A (LSI breakers at their whole rating): 450 A each, 900 A on one after the other is lost; no voltage drop."""
    own = {"model": "busway-800a", "r_ohm_m": 0.0, "x_ohm_m": 0.0}
    spec = {"u": ("utility", {}), "a": ("busway", own), "b": ("busway", own)}
    p = chain(spec, [("u", "a"), ("u", "b")], [("a", "b")])  # type: ignore[arg-type]
    w = 900.0 * 415.0 * math.sqrt(3.0)
    before, after = solved(p, [w]), solved(p, [w], ["b"])
    assert multiples(p, after)[0].tolist() == pytest.approx([0.0, 1.125, 0.0])
    assert protected(p).tolist() == [False, True, True]
    long = model("busway-800a").trip[0]
    tau, k = long.tau_s * (1.0 - long.early_frac), long.pickup
    warm = (450.0 / 800.0) ** 2
    want = tau * math.log((1.125**2 - warm) / (1.125**2 - k**2))
    got = trip_after_s(p, before, after)[0]
    assert got[1] == pytest.approx(want, rel=1e-12)
    assert got[0] == got[2] == math.inf
    assert trip_after_s(p, before, after, LATE)[0, 1] == math.inf
    assert trip_after_s(p, before, before)[0, 1] == math.inf
