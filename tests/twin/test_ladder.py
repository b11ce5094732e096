"""Ladders of any law against a general root finder on the same equations, and the properties that hold for every ladder."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import root

from tests.agreements import Agreements
from topology.errors import UsageError
from twin.solvers.friction import LAWS, friction
from twin.solvers.manifold import Ladder, disconnect_resistance, kv_resistance, pipe_squares, prepare, solve, solve_squares
from twin.solvers.rung import haaland_fast, log_fast

Floats = NDArray[np.float64]
RHO, MU = 996.0, 8e-4
SQUARE_LAWS = sorted(set(LAWS) - {"hazen_williams"})


@dataclass(frozen=True)
class Case:
    """A ladder in people's figures."""

    supply_m: Floats
    back_m: Floats
    bore_m: float
    rough_m: float
    a: Floats
    b: Floats
    law: str = "haaland"
    returns: str = "direct"
    mu: float = MU

    def prepared(self, check: NDArray[np.bool_] | None = None) -> Ladder:
        return prepare([self.supply_m, self.back_m], self.bore_m, self.rough_m, RHO, self.mu, self.law, self.returns, check)

    def loss(self, flow: float, length: float) -> float:
        area = math.pi / 4.0 * self.bore_m**2
        re = abs(flow) * self.bore_m / (area * self.mu)
        whole = friction(LAWS[self.law], re, self.rough_m / self.bore_m)[0]
        return whole * self.mu * length * flow / (2.0 * RHO * area * self.bore_m**2)

    def residual(self, flow: Floats, dp: float) -> Floats:
        """Pressure that each branch's way lacks, over the pressure at the entry."""
        beyond = np.cumsum(flow[::-1])[::-1]
        carried = beyond if self.returns == "direct" else np.cumsum(flow)
        down = np.cumsum([self.loss(q, s) for q, s in zip(beyond, self.supply_m, strict=True)])
        up = np.array([self.loss(q, s) for q, s in zip(carried, self.back_m, strict=True)])
        up = np.cumsum(up) if self.returns == "direct" else np.cumsum(up[::-1])[::-1]
        shut = np.isinf(self.a) | np.isinf(self.b)
        own = np.where(shut, 0.0, flow * np.where(shut, 0.0, self.a) + np.where(shut, 0.0, self.b) * flow * np.abs(flow))
        return np.where(shut, 0.0, (down + up + own) / dp - 1.0)


def generated(seed: int, law: str = "haaland", returns: str = "direct", mu: float = MU, shut: float = 0.2) -> Case:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 14))
    b = 10.0 ** rng.uniform(3.5, 5.5, n)
    b[1:][rng.random(n - 1) < shut] = np.inf
    a = np.where(rng.random(n) < 0.5, 10.0 ** rng.uniform(2.0, 5.0, n), 0.0)
    return Case(rng.uniform(0.5, 4.0, n), rng.uniform(0.5, 4.0, n), float(rng.uniform(0.03, 0.15)), 15e-6, a, b, law, returns, mu)


def by_root_finder(case: Case, dp: float, guess: Floats) -> Floats:
    """Branch flows from MINPACK's hybrid method, one pressure equation an open branch, from a start of its own."""
    open_ = np.isfinite(case.a) & np.isfinite(case.b)

    def rest(x: Floats) -> Floats:
        flow = np.zeros(case.a.size)
        flow[open_] = x * guess.max()
        return case.residual(flow, dp)[open_]

    found = root(rest, np.full(int(open_.sum()), 0.3), method="hybr", options={"xtol": 1e-14, "maxfev": 20000})
    assert np.abs(rest(found.x)).max() < 1e-9
    flow = np.zeros(case.a.size)
    flow[open_] = found.x * guess.max()
    return flow


@pytest.mark.parametrize("returns", ["direct", "reverse"])
@pytest.mark.parametrize("seed", range(6))
def test_general_laws_solve_the_network(seed: int, returns: str) -> None:
    case = generated(seed, returns=returns, mu=MU if seed % 2 else 0.05)
    found = solve(case.prepared(), [60e3], case.a, case.b)
    assert found.settled.all()
    flow = found.flow_kg_s[0]
    assert np.abs(case.residual(flow, 60e3)).max() < 1e-11
    assert np.allclose(flow, by_root_finder(case, 60e3, flow), rtol=1e-7, atol=1e-9 * flow.max())


@pytest.mark.parametrize("law", SQUARE_LAWS)
def test_every_friction_law_solves_its_own_equations(law: str) -> None:
    case = generated(7, law=law)
    flow = solve(case.prepared(), [40e3], case.a, case.b).flow_kg_s[0]
    assert np.abs(case.residual(flow, 40e3)).max() < 1e-11


def test_a_branch_of_a_reverse_return_may_flow_back_and_a_check_valve_stops_it() -> None:
    """Wide first and last branches, a narrow supply before the middle and a narrow return behind it: the bridge turns around."""
    case = Case(np.array([0.1, 60.0, 0.1]), np.array([0.1, 60.0, 0.1]), 0.03, 15e-6, np.zeros(3), np.array([1e3, 1e6, 1e3]),
                returns="reverse")  # fmt: skip
    flow = solve(case.prepared(), [60e3], case.a, case.b).flow_kg_s[0]
    assert flow[1] < 0.0 < min(flow[0], flow[2])
    assert np.abs(case.residual(flow, 60e3)).max() < 1e-11
    valve = np.array([False, True, False])
    shut = solve(case.prepared(valve), [60e3], case.a, case.b).flow_kg_s[0]
    closed = solve(case.prepared(), [60e3], case.a, np.array([1e3, np.inf, 1e3])).flow_kg_s[0]
    assert shut[1] == 0.0
    assert shut == pytest.approx(closed, rel=1e-12)


def test_reversed_pressure_reverses_flow_but_not_through_check_valves() -> None:
    case = generated(3)
    ladder = case.prepared()
    forth, back = solve(ladder, [50e3, -50e3], case.a, case.b).flow_kg_s
    assert back == pytest.approx(-forth, rel=1e-12)
    valve = np.ones(case.a.size, bool)
    assert (solve(case.prepared(valve), [-50e3], case.a, case.b).flow_kg_s == 0.0).all()
    some = np.arange(case.a.size) % 2 == 0
    half = solve(case.prepared(some), [-50e3], case.a, case.b).flow_kg_s[0]
    assert (half[some] == 0.0).all()
    assert half.min() < 0.0


def test_a_valve_that_never_flows_back_changes_nothing() -> None:
    case = generated(5)
    with_valves = solve(case.prepared(np.ones(case.a.size, bool)), [50e3], case.a, case.b).flow_kg_s
    assert np.array_equal(with_valves, solve(case.prepared(), [50e3], case.a, case.b).flow_kg_s)


@pytest.mark.parametrize("returns", ["direct", "reverse"])
def test_no_pressure_and_all_closed_are_ordinary(returns: str) -> None:
    case = generated(1, returns=returns)
    ladder = case.prepared()
    assert (solve(ladder, [0.0], case.a, case.b).flow_kg_s == 0.0).all()
    found = solve(ladder, [50e3], np.inf, case.b)
    assert found.settled.all()
    assert (found.flow_kg_s == 0.0).all()


def test_a_long_ladder_of_narrow_pipe_settles() -> None:
    """5,000 branches whose pipe takes nearly all of the pressure: flows fall by orders of magnitude along it."""
    n = 5000
    ladder = prepare(np.full(n, 0.6), 0.05, 15e-6, RHO, MU)
    found = solve(ladder, [200e3], 0.0, np.full(n, 2e4))
    flow = found.flow_kg_s[0]
    assert found.settled.all()
    assert (np.diff(flow) <= 1e-12 * flow[0]).all()
    assert flow[-1] < 1e-3 * flow[0]
    case = Case(np.full(n, 0.6), np.full(n, 0.6), 0.05, 15e-6, np.zeros(n), np.full(n, 2e4))
    assert np.abs(case.residual(flow, 200e3)).max() < 1e-9


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), dp=st.floats(1.0, 1e6), cases=st.integers(1, 40))
def test_a_case_gives_the_same_bits_in_any_company(seed: int, dp: float, cases: int) -> None:
    case = generated(seed)
    rng = np.random.default_rng(seed)
    pressure = dp * rng.choice([0.0, -0.3, 0.5, 1.0, 2.0], cases)
    b = case.b * rng.uniform(0.2, 5.0, (cases, 1))
    b[rng.random(b.shape[0]) < 0.1] = np.inf
    ladder = case.prepared()
    together = solve(ladder, pressure, case.a, b)
    assert together.settled.all()
    order = rng.permutation(cases)
    assert np.array_equal(solve(ladder, pressure[order], case.a, b[order]).flow_kg_s, together.flow_kg_s[order])
    one = int(rng.integers(cases))
    assert np.array_equal(solve(ladder, pressure[[one]], case.a, b[[one]]).flow_kg_s[0], together.flow_kg_s[one])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), dp=st.floats(1.0, 1e6), returns=st.sampled_from(["direct", "reverse"]), mu=st.floats(2e-4, 1.0))
def test_any_ladder_settles_and_holds_its_equations(seed: int, dp: float, returns: str, mu: float) -> None:
    case = generated(seed, returns=returns, mu=mu)
    found = solve(case.prepared(), [dp], case.a, case.b)
    assert found.settled.all()
    assert np.abs(case.residual(found.flow_kg_s[0], dp)).max() < 1e-8


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), dp=st.floats(10.0, 1e6), more=st.floats(1.01, 3.0))
def test_more_pressure_raises_every_open_branch_and_a_closed_one_leaves_more_to_the_others(seed: int, dp: float, more: float) -> None:
    case = generated(seed)
    low, high = solve(case.prepared(), [dp, more * dp], case.a, case.b).flow_kg_s
    open_ = low > 0.0
    assert (high[open_] > low[open_]).all()
    shut = case.b.copy()
    last = np.flatnonzero(open_)[-1]
    shut[last] = np.inf
    after = solve(case.prepared(), [dp], case.a, shut).flow_kg_s[0]
    others = open_ & (np.arange(low.size) != last)
    assert after[last] == 0.0
    assert (after[others] >= low[others] * (1.0 - 1e-12)).all()


def test_two_properties_on_two_sides_lie_between_the_single_ones() -> None:
    case = generated(2, shut=0.0)
    cold, hot = (RHO, 2e-3), (0.99 * RHO, 1e-3)
    length = [case.supply_m, case.back_m]

    def total(rho: list[float], mu: list[float]) -> float:
        return float(solve(prepare(length, case.bore_m, case.rough_m, rho, mu), [5e3], case.a, case.b).flow_kg_s.sum())

    both = total([cold[0], hot[0]], [cold[1], hot[1]])
    ends = sorted([total([cold[0]], [cold[1]]), total([hot[0]], [hot[1]])])
    assert ends[0] < both < ends[1]


def test_the_reduction_agrees_with_the_general_solve_where_laws_are_squares() -> None:
    """At the reference flow of its squares the reduction, which does not iterate, gives the flows of the Newton solve."""
    case = Case(np.full(9, 1.5), np.full(9, 1.5), 0.1, 15e-6, np.zeros(9), np.array([2e4, 3e4, np.inf, 2e4, 1e4, 5e4, 2e4, np.inf, 4e4]))
    ladder = case.prepared()
    general = solve(ladder, [80e3], case.a, case.b).flow_kg_s[0]
    dp, heat = np.full(20, 80e3), np.where(np.isinf(case.b), 0.0, 50e3)
    flow, outlet = solve_squares(ladder, dp, pipe_squares(ladder, general), case.b, heat, np.full(20, 30.0), 4000.0)
    assert flow == pytest.approx(np.tile(general, (20, 1)), rel=1e-9)
    on = general > 0.0
    assert outlet[3, on] == pytest.approx(30.0 + 50e3 / (4000.0 * general[on]), rel=1e-9)
    assert (outlet[:, ~on] == 30.0).all()


def test_heat_without_flow_is_infinite_and_never_a_number() -> None:
    ladder = prepare(np.ones(2), 0.1, 15e-6, RHO, MU)
    flow, outlet = solve_squares(ladder, np.zeros(1), np.ones(2), np.full(2, 1e4), np.array([[5.0, 0.0]]), np.array([30.0]), 4000.0)
    assert (flow == 0.0).all()
    assert outlet[0].tolist() == [np.inf, 30.0]


@pytest.mark.parametrize("reynolds", [0.0, 10.0, 2299.0, 2301.0, 3000.0, 3999.0, 4001.0, 1e5, 1e8])
@pytest.mark.parametrize("rough", [0.0, 1e-5, 1e-3])
def test_the_fast_law_is_haaland(reynolds: float, rough: float) -> None:
    law = LAWS["haaland"]
    whole, rise = friction(law, 4000.0, rough)
    factor = whole / 4000.0
    fast = haaland_fast(reynolds, (rough / 3.7) ** 1.11, factor, (rise - factor) / 4000.0)
    assert fast == pytest.approx(friction(law, reynolds, rough), rel=1e-11, abs=1e-14)


def test_the_fast_logarithm_is_exact_to_rounding() -> None:
    x = np.exp(np.random.default_rng(0).uniform(-30.0, 30.0, 500))
    assert [log_fast(v) for v in x] == pytest.approx(np.log(x).tolist(), rel=4e-16, abs=4e-16)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"law": "darcy"}, "no friction law"),
        ({"law": "hazen_williams"}, "Hazen-Williams"),
        ({"returns": "left"}, "direct or reverse"),
        ({"diameter_m": 0.0}, "diameter_m"),
        ({"segment_m": [1.0, math.nan]}, "segment_m"),
    ],
)
def test_a_ladder_that_cannot_be_is_refused(wrong: dict[str, object], words: str) -> None:
    figures: dict[str, object] = {"segment_m": [1.0, 1.0], "diameter_m": 0.1, "roughness_m": 0.0, "rho_kg_m3": RHO, "mu_pa_s": MU}
    with pytest.raises(UsageError, match=words):
        prepare(**(figures | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize(("a", "b", "words"), [(0.0, [1.0, 0.0], "branch 2"), (math.nan, 1.0, "numbers"), (-1.0, 1.0, "at least 0")])
def test_laws_that_cannot_be_are_refused(a: float, b: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        solve(prepare([1.0, 1.0], 0.1, 0.0, RHO, MU), [1e4], a, b)  # type: ignore[arg-type]


@pytest.mark.agreement
@pytest.mark.parametrize(
    ("size", "cv", "gpm", "kpa"),
    [("UQD02", 0.25, 0.55, 33.4), ("UQD04", 0.8, 1.7, 31.1), ("UQD06", 1.6, 3.0, 24.2), ("UQD08", 2.5, 4.7, 24.4)],
)
def test_quick_disconnects(agreement: Agreements, size: str, cv: float, gpm: float, kpa: float) -> None:
    """Drop of a mated pair at its rated flow of water, by its least Cv."""
    mass = gpm * 3.785411784e-3 / 60.0 * 1000.0
    ours = disconnect_resistance(cv) * mass**2 / 1e3
    agreement("hydraulics", f"drop of a {size} pair at rated flow", "OCP UQD v1.0", abs(ours / kpa - 1.0), 0.005)


def test_kv_by_its_definition() -> None:
    assert kv_resistance(4.0, 1000.0) * (4000.0 / 3600.0) ** 2 == pytest.approx(1e5, rel=1e-12)
