"""Pumps: set-points on pressure and flow, staging, lowest speed, one pump lost, efficiency, suction; and the report of it all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.sites import small_site
from topology.check import check_site
from topology.errors import SolveError, UsageError
from topology.plant import Plant, plant
from topology.site import Site
from twin.limits import limits
from twin.loads import from_utilisation
from twin.loops import loop_reports, npsh_m
from twin.solvers.hydraulic import solve_flow
from twin.solvers.pumping import LIMITS
from twin.solvers.steady import solve_steady
from twin.state import Ambient, FlowState, Outages, SteadyState

TCS, WET = "tcs-1", Ambient(np.array([18.0]))


def site_with(racks: int = 5, cdus: int = 2, places: int | None = None, manifold: dict[str, Any] | None = None, **loop: Any) -> Site:
    """The small site with other set-points of its TCS loop."""
    base = small_site(racks=racks, cdus=cdus, places=places)
    changed = replace(base.loops[TCS], **loop)
    pipes = {i: replace(m, **(manifold or {})) for i, m in base.manifolds.items()}
    return base.with_(loops={**base.loops, TCS: changed}, manifolds=pipes)


def flows(p: Plant, present: int | None = None) -> FlowState:
    on = np.ones((1, p.racks.n), bool)
    if present is not None:
        on[0, present:] = False
    return solve_flow(p, np.ones((1, p.gear.n), bool), on)


def decides(p: Plant, state: FlowState) -> str:
    return LIMITS[int(state.loop_limit[0, p.loops.ids.index(TCS)])]


def weak(p: Plant, k: float) -> Plant:
    """The plant with pumps whose head falls fast."""
    return replace(p, pumps=replace(p.pumps, k=np.where(p.pumps.cdu >= 0, k, p.pumps.k)))


def solved(p: Plant, *lost: str) -> SteadyState:
    return solve_steady(p, from_utilisation(p, 0.9), WET, Outages.of(p, [lost]))


def test_a_flow_that_is_held_is_held() -> None:
    p = plant(site_with(control="flow", flow_kg_s=15.0, dp_pa=400e3))
    state, x = flows(p), p.loops.ids.index(TCS)
    assert state.loop_kg_s[0, x] == pytest.approx(15.0, rel=1e-10)
    assert 0.0 < state.loop_dp_pa[0, x] < 400e3
    assert decides(p, state) == "set-point"
    fewer = flows(p, present=3)
    assert fewer.loop_kg_s[0, x] == pytest.approx(15.0, rel=1e-10)
    assert fewer.loop_dp_pa[0, x] > state.loop_dp_pa[0, x]


def test_a_flow_that_needs_too_much_pressure_ends_at_the_highest() -> None:
    p = plant(site_with(control="flow", flow_kg_s=30.0, dp_pa=100e3))
    state, x = flows(p), p.loops.ids.index(TCS)
    assert decides(p, state) == "highest pressure"
    assert state.loop_dp_pa[0, x] == 100e3
    table = limits(p)
    short = table.margins(table.values(solved(p)))[0, [k for k, n in enumerate(table.limit) if n == "header pressure"]]
    assert short.min() < 0.0


def test_pumps_that_cannot_turn_slower_give_more_than_they_are_asked() -> None:
    p = plant(site_with(dp_pa=10e3))
    state, x = flows(p), p.loops.ids.index(TCS)
    assert decides(p, state) == "lowest speed"
    assert state.pump_speed_frac[0, 0] == p.hydraulics.floor_frac[0] == 0.3
    assert state.loop_dp_pa[0, x] > 10e3
    m, n = state.cdu_kg_s[0, 0], p.pumps.count[0]
    head = 0.3**2 * p.pumps.shutoff_pa[0] - p.pumps.k[0] * (m / n) ** 2 - p.cdus.resistance[0] * m * m
    assert state.loop_dp_pa[0, x] == pytest.approx(head, rel=1e-8)


def test_a_second_pump_starts_and_raises_the_flow_of_everyone() -> None:
    """More load is not always worse: with one rack more the first pump falls out of its band, the second starts, and all get more."""
    p = weak(plant(site_with(racks=12, cdus=1, dp_pa=150e3, pump_staging="on_demand", manifold={"diameter_m": 0.2})), 200.0)
    states = [flows(p, present=n) for n in range(1, 13)]
    running = [float(s.pump_count[0, 0]) for s in states]
    assert running[0] == 1.0 and running[-1] == 2.0 and running == sorted(running)
    n = running.index(2.0)
    before, after = states[n - 1].rack_kg_s[0, :n], states[n].rack_kg_s[0, :n]
    assert (after > before).all()
    assert decides(p, states[n - 1]) == "full speed"
    all_on = plant(site_with(racks=12, cdus=1, dp_pa=150e3, manifold={"diameter_m": 0.2}))
    one_rack = flows(weak(all_on, 200.0), present=1)
    assert one_rack.pump_count[0, 0] == 2.0
    assert states[0].rack_kg_s == pytest.approx(one_rack.rack_kg_s, rel=1e-12)


def test_one_pump_of_a_cdu_may_be_lost() -> None:
    p = weak(plant(site_with(racks=8, cdus=1)), 1.5e3)
    whole, left = solved(p), solved(p, "cdu-1/pumps")
    x = p.loops.ids.index(TCS)
    assert (whole.flow.pump_count[0, 0], left.flow.pump_count[0, 0]) == (2.0, 1.0)
    assert 0.0 < left.flow.loop_kg_s[0, x] < whole.flow.loop_kg_s[0, x]
    report = loop_reports(p, left, only=TCS)[0]
    assert report.decides == "full speed" and report.pumps[0].limits == "full speed"
    assert any("cannot hold" in note for note in report.notes)


def test_a_pump_that_cannot_reach_the_header_is_shut_by_its_valve() -> None:
    """Two unlike CDUs in parallel: the weaker one gives nothing, takes nothing, and nothing flows back through it."""
    p = plant(site_with())
    head = p.pumps.shutoff_pa.copy()
    head[1] = 100e3
    p = replace(p, pumps=replace(p.pumps, shutoff_pa=head))
    state = solved(p)
    assert state.flow.cdu_kg_s[0, 1] == 0.0
    assert state.flow.cdu_kg_s[0, 0] == pytest.approx(state.flow.rack_kg_s.sum(), rel=1e-12)
    assert loop_reports(p, state, only=TCS)[0].pumps[1].limits == "non-return valve is shut"


def curved(p: Plant, best: float, npsh: float = np.nan) -> Plant:
    own = p.pumps.cdu >= 0
    more = replace(p.hydraulics, best_kg_s=np.where(own, best, np.nan), npsh_m=np.where(own, npsh, np.nan))
    return replace(p, hydraulics=more)


def test_efficiency_is_best_at_the_best_flow_of_the_speed() -> None:
    p = plant(site_with())
    state = flows(p)
    one = state.pump_kg_s[0, 0] / 2.0
    at_best = one / state.pump_speed_frac[0, 0]
    best, off = flows(curved(p, at_best)), flows(curved(p, 2.0 * at_best))
    assert best.pump_w[0, 0] == pytest.approx(state.pump_w[0, 0], rel=1e-12)
    assert off.pump_w[0, 0] == pytest.approx(state.pump_w[0, 0] / (0.5 * 1.5), rel=1e-12)
    shut = curved(p, at_best)
    head = shut.pumps.shutoff_pa.copy()
    head[1] = 100e3
    against = flows(replace(shut, pumps=replace(shut.pumps, shutoff_pa=head)))
    assert against.pump_kg_s[0, 1] == 0.0 < against.pump_w[0, 1]


def test_suction_head_falls_with_heat_and_height_and_is_a_limit() -> None:
    low = plant(site_with(suction_pa=50e3))
    p = curved(low, 20.0, npsh=3.0)
    state = solved(p)
    has, needs = npsh_m(p, state)
    back = state.heat.loop_return_c[0, p.loops.ids.index(TCS)]
    vapour = 611.21 * np.exp(17.502 * back / (240.97 + back))  # Buck, J. Appl. Meteorol. 20 (1981) 1527
    rho = p.hydraulics.rho_return_kg_m3[p.loops.ids.index(TCS)]
    assert has[0, 0] == pytest.approx((50e3 + 101325.0 - vapour) / (rho * 9.80665), rel=2e-3)
    assert needs[0, 0] == pytest.approx(3.0 * (state.flow.pump_kg_s[0, 0] / 2.0 / 20.0) ** 2, rel=1e-12)
    table = limits(p)
    rows = [k for k, n in enumerate(table.limit) if n == "suction head"]
    assert len(rows) == 2 and table.margins(table.values(state))[0, rows].min() > 0.0
    hungry = curved(low, 1.0, npsh=3.0)
    assert limits(hungry).margins(limits(hungry).values(solved(hungry)))[0, rows].max() < 0.0
    assert loop_reports(hungry, solved(hungry), only=TCS)[0].pumps[0].limits == "NPSH"


def test_limits_of_a_manifold_are_those_that_the_site_declares() -> None:
    plain = plant(site_with())
    assert not {"velocity", "branch spread"} & set(limits(plain).limit)
    p = plant(site_with(manifold={"velocity_limit_m_s": 0.5, "spread_limit_frac": 0.5}))
    table, state = limits(p), solved(p)
    margin = dict(zip(table.limit, table.margins(table.values(state))[0], strict=True))
    area = np.pi / 4.0 * p.manifolds.diameter_m[0] ** 2
    rho = p.hydraulics.rho_return_kg_m3[p.loops.ids.index(TCS)]
    assert state.flow.manifold_m_s[0, 0] == pytest.approx(state.flow.rack_kg_s.sum() / rho / area, rel=1e-12)
    assert margin["velocity"] == pytest.approx(1.0 - state.flow.manifold_m_s[0, 0] / 0.5, rel=1e-12)
    assert margin["branch spread"] > 0.0


def test_a_narrow_manifold_is_flagged_and_reverse_return_evens_it_out() -> None:
    direct = plant(site_with(racks=10, cdus=3, manifold={"diameter_m": 0.09}))
    reverse = plant(site_with(racks=10, cdus=3, places=10, manifold={"diameter_m": 0.09, "returns": "reverse"}))
    a, b = (loop_reports(p, solved(p), only=TCS)[0].manifolds[0] for p in (direct, reverse))
    assert a.uneven and a.fast and a.spread_frac > 0.05
    assert b.returns == "reverse" and b.spread_frac < 0.5 * a.spread_frac
    assert any("spread by" in n for n in loop_reports(direct, solved(direct), only=TCS)[0].notes)


def test_a_report_adds_up() -> None:
    p = plant(site_with())
    state = solved(p)
    tcs, fws = (loop_reports(p, state, only=i)[0] for i in (TCS, "fws-1"))
    assert sum(b.flow_kg_s for b in tcs.manifolds[0].branches) == pytest.approx(tcs.flow_kg_s, rel=1e-12)
    assert sum(u.flow_kg_s or 0.0 for u in tcs.pumps) == pytest.approx(tcs.flow_kg_s, rel=1e-12)
    first = tcs.pumps[0]
    assert first.efficiency_frac == pytest.approx(0.6, rel=1e-9) and first.limits == "set-point"
    assert tcs.manifolds[0].branches[0].dp_pa < (tcs.dp_pa or 0.0)
    assert fws.decides == "valves" and fws.pumps[0].running is None and fws.pumps[0].power_w > 0.0
    with pytest.raises(UsageError, match="tcs-1"):
        loop_reports(p, state, only="tcs-2")


def test_a_return_outside_the_range_of_the_coolant_names_the_loop() -> None:
    site = site_with(rise_k=60.0)
    assert any(f.column == "rise_k" for f in check_site(site))
    with pytest.raises(SolveError, match="loop tcs-1") as caught:
        plant(site)
    assert caught.value.element == TCS


def test_a_loop_that_holds_a_flow_must_say_which() -> None:
    assert any(f.column == "flow_kg_s" and "holds" not in f.hint for f in check_site(site_with(control="flow")))


def test_properties_at_the_rise_of_the_moment_change_flow_by_less_than_friction_laws_differ() -> None:
    """Properties are taken at the design return; taking a return 10 K off moves branch flows by about a thousandth."""
    narrow = {"diameter_m": 0.09}
    design, other = (flows(plant(site_with(racks=8, rise_k=r, manifold=narrow))).rack_kg_s[0] for r in (10.0, 20.0))
    assert 0.0 < np.abs(other / design - 1.0).max() < 1.5e-3
    law = flows(plant(site_with(racks=8, friction="swamee_jain", manifold=narrow))).rack_kg_s[0]
    assert 0.0 < np.abs(law / design - 1.0).max() < 5e-3


def test_a_laminar_share_makes_a_branch_gain_less_pressure_at_low_flow() -> None:
    """At its rating a branch has the same drop whatever its laminar share; at half of the flow a laminar one keeps half of it."""
    p = plant(site_with(racks=1))
    half = replace(p, hydraulics=replace(p.hydraulics, laminar_frac=np.full(1, 1.0)))
    x, rated, k = p.loops.ids.index(TCS), p.racks.flow_kg_s[0], p.racks.resistance[0]
    squares, linear = flows(p), flows(half)
    assert squares.loop_dp_pa[0, x] == linear.loop_dp_pa[0, x] == 150e3
    report = loop_reports(half, solved(half), only=TCS)[0].manifolds[0].branches[0]
    assert report.dp_pa == pytest.approx(k * rated * report.flow_kg_s, rel=1e-12)
    assert (linear.rack_kg_s[0, 0] > squares.rack_kg_s[0, 0]) == (squares.rack_kg_s[0, 0] > rated)


@settings(max_examples=25, deadline=None)
@given(
    racks=st.integers(1, 9), cdus=st.integers(1, 3), dp=st.floats(20e3, 300e3), k=st.floats(50.0, 2e4), hold=st.floats(1.0, 40.0),
    control=st.sampled_from(["dp", "flow"]), staging=st.sampled_from(["all", "on_demand"]), returns=st.sampled_from(["direct", "reverse"]),
    present=st.integers(0, 9),
)  # fmt: skip
def test_any_loop_closes_its_mass_and_holds_its_curves(
    racks: int, cdus: int, dp: float, k: float, hold: float, control: str, staging: str, returns: str, present: int
) -> None:
    site = site_with(racks, cdus, None, {"returns": returns}, dp_pa=dp, control=control, flow_kg_s=hold, pump_staging=staging)
    p = weak(plant(site), k)
    state, x = flows(p, present=min(present, racks)), p.loops.ids.index(TCS)
    total = state.rack_kg_s.sum()
    assert state.loop_kg_s[0, x] == pytest.approx(total, rel=1e-12)
    assert state.cdu_kg_s.sum() == pytest.approx(total, rel=1e-9, abs=1e-12)
    assert state.pump_kg_s.sum() == pytest.approx(total, rel=1e-9, abs=1e-12)
    kind = decides(p, state)
    if control == "flow" and kind == "set-point":
        assert total == pytest.approx(hold, rel=1e-9)
    if control == "dp" and kind == "set-point":
        assert state.loop_dp_pa[0, x] == dp
    if kind in ("set-point", "full speed", "lowest speed"):
        s, n, m = state.pump_speed_frac[0, 0], state.pump_count[0, 0], state.cdu_kg_s[0, 0]
        head = s * s * p.pumps.shutoff_pa[0] - k * (m / n) ** 2 - p.cdus.resistance[0] * m * m
        assert head == pytest.approx(state.loop_dp_pa[0, x], rel=1e-6)
    assert np.isfinite(state.pump_w).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_order_of_rows_does_not_matter(seed: int) -> None:
    base = site_with(7, 3, pump_staging="on_demand", dp_pa=120e3)
    rng = np.random.default_rng(seed)

    def mixed(table: Any) -> dict[str, Any]:
        return {i: table[i] for i in rng.permutation(list(table))}

    other = base.with_(racks=mixed(base.racks), cdus=mixed(base.cdus), loops=mixed(base.loops), positions=mixed(base.positions))
    p, q = plant(base), plant(other)
    a, b = flows(p), flows(q)
    assert dict(zip(p.racks.ids, a.rack_kg_s[0], strict=True)) == dict(zip(q.racks.ids, b.rack_kg_s[0], strict=True))
    assert dict(zip(p.cdus.ids, a.cdu_kg_s[0], strict=True)) == pytest.approx(dict(zip(q.cdus.ids, b.cdu_kg_s[0], strict=True)), rel=1e-12)


@settings(max_examples=15, deadline=None)
@given(k=st.floats(50.0, 5e3), lost=st.sampled_from(["cdu-1", "cdu-1/pumps", "r1"]), present=st.integers(2, 8))
def test_with_all_pumps_on_losing_something_gives_no_rack_more_flow_unless_a_branch_closes(k: float, lost: str, present: int) -> None:
    p = weak(plant(site_with(8, 2)), k)
    load = from_utilisation(p, 0.9)
    on = np.arange(p.racks.n)[None, :] < present
    normal, without = (solve_steady(p, replace(load, present=on), WET, Outages.of(p, [names])).flow.rack_kg_s[0] for names in ((), (lost,)))
    others = normal > 0.0
    if lost == "r1":
        others &= np.array(p.racks.ids) != "r1"
        assert (without[others] >= normal[others] * (1.0 - 1e-9)).all()
    else:
        assert (without[others] <= normal[others] * (1.0 + 1e-9)).all()
