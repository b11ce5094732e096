"""Hydraulics against the same network written as nodal equations, and in cases that a person can check."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq, root

from tests.twin.sites import small_site
from topology.kinds import Pump, Rack
from topology.plant import Plant, plant
from twin.solvers.friction import friction_haaland
from twin.solvers.hydraulic import solve_flow
from twin.solvers.manifold import prepare, solve
from twin.state import FlowState

Floats = NDArray[np.float64]
WATER = (996.0, 8e-4)


def pipe_k(flow: float, length_m: float, diameter_m: float, rough_m: float, rho: float, mu: float) -> float:
    """Resistance of a pipe at a flow: ``dp = k m^2``."""
    area = math.pi / 4.0 * diameter_m**2
    speed = flow / rho / area
    re = max(rho * speed * diameter_m / mu, 1e-9)
    return friction_haaland(re, rough_m / diameter_m) * length_m / diameter_m / (2.0 * rho * area * area)


def nodal(dp: float, k_branch: Floats, length: Floats, diameter: float, rough: float, rho: float, mu: float) -> Floats:
    """Flows of the ladder by a general root finder: unknown branch flows, one pressure equation a branch."""
    open_ = np.flatnonzero(np.isfinite(k_branch))
    scale = math.sqrt(dp / k_branch[open_].min())

    def rest(x: Floats) -> Floats:
        flow = np.zeros(k_branch.size)
        flow[open_] = x * scale
        through = np.cumsum(flow[::-1])[::-1]
        lost = np.cumsum([pipe_k(abs(q), s, diameter, rough, rho, mu) * q * abs(q) for q, s in zip(through, length, strict=True)])
        out: Floats = (lost[open_] + k_branch[open_] * flow[open_] * np.abs(flow[open_])) / dp - 1.0
        return out

    found = root(rest, np.full(open_.size, 0.5), method="hybr", options={"xtol": 1e-14})
    assert np.abs(rest(found.x)).max() < 1e-10
    flow = np.zeros(k_branch.size)
    flow[open_] = found.x * scale
    return flow


def run(dp: float, k_branch: Floats, length: Floats, diameter: float, rho: float, mu: float, rough: float = 15e-6) -> Floats:
    found = solve(prepare(length / 2.0, diameter, rough, rho, mu), [dp], 0.0, k_branch)
    assert found.settled.all()
    return found.flow_kg_s[0]


@pytest.mark.parametrize("seed", range(4))
def test_ladder_solves_the_network(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 13))
    k = 10.0 ** rng.uniform(3.5, 5.5, n)
    k[rng.random(n) < 0.2] = np.inf
    k[0] = 2e4
    length = rng.uniform(0.5, 4.0, n)
    diameter = float(rng.uniform(0.05, 0.15))
    expected = nodal(60e3, k, length, diameter, 15e-6, *WATER)
    assert np.allclose(run(60e3, k, length, diameter, *WATER), expected, rtol=1e-8, atol=1e-9)


def test_laminar_ladder() -> None:
    """A thick oil in a narrow pipe: every segment is laminar, where loss goes with flow and not with its square."""
    k, length = np.full(4, 1e6), np.full(4, 2.0)
    flow = run(20e3, k, length, 0.03, 900.0, 0.2)
    assert np.allclose(flow, nodal(20e3, k, length, 0.03, 15e-6, 900.0, 0.2), rtol=1e-8)
    assert flow.sum() * 4.0 / (math.pi * 0.03 * 0.2) < 2300.0


def test_closed_branches_carry_nothing_and_leave_the_others_the_pressure() -> None:
    k = np.array([2e4, np.inf, 2e4, np.inf])
    length = np.array([1.0, 1.0, 1.0, 1.0])
    flow = run(50e3, k, length, 0.1, *WATER)
    assert (flow[[1, 3]] == 0.0).all()
    merged = run(50e3, np.array([2e4, 2e4]), np.array([1.0, 2.0]), 0.1, *WATER)
    assert flow[[0, 2]] == pytest.approx(merged, rel=1e-10)


@pytest.mark.parametrize(("dp", "k"), [(0.0, [2e4, 3e4]), (50e3, [np.inf, np.inf])])
def test_no_pressure_or_nothing_open_is_ordinary_input(dp: float, k: list[float]) -> None:
    assert (run(dp, np.array(k), np.ones(2), 0.1, *WATER) == 0.0).all()


def test_a_single_branch_without_pipe_is_the_square_root() -> None:
    assert run(32e3, np.array([2e3]), np.zeros(1), 0.1, *WATER)[0] == pytest.approx(4.0, rel=1e-12)


def test_far_branches_get_less() -> None:
    flow = run(50e3, np.full(10, 2e4), np.full(10, 1.5), 0.08, *WATER)
    assert (np.diff(flow) < 0.0).all()


def flows(p: Plant, present: NDArray[np.bool_] | None = None, lost: tuple[str, ...] = ()) -> FlowState:
    alive = np.ones((1, p.gear.n), bool)
    for name in lost:
        alive[0, p.gear.ids.index(name)] = False
    return solve_flow(p, alive, np.ones((1, p.racks.n), bool) if present is None else present)


def loop_of(p: Plant, name: str = "tcs-1") -> int:
    return p.loops.ids.index(name)


def test_set_point_is_held_and_mass_closes() -> None:
    p = plant(small_site(racks=4))
    state, tcs = flows(p), loop_of(p)
    assert state.loop_dp_pa[0, tcs] == p.loops.dp_pa[tcs]
    assert state.rack_kg_s.sum() == pytest.approx(state.loop_kg_s[0, tcs], rel=1e-12)
    assert state.cdu_kg_s.sum() == pytest.approx(state.loop_kg_s[0, tcs], rel=1e-12)
    assert 0.0 < state.pump_speed_frac[0, 0] < 1.0


def demand(p: Plant, dp: float) -> float:
    """Flow of the small site's manifold at a header pressure."""
    tcs = loop_of(p)
    order = p.manifolds.racks
    length = np.full(order.size, p.manifolds.spacing_m[0])
    length[0] = p.manifolds.lead_m[0]
    rho, mu = [p.loops.rho_kg_m3[tcs], p.hydraulics.rho_return_kg_m3[tcs]], [p.loops.mu_pa_s[tcs], p.hydraulics.mu_return_pa_s[tcs]]
    manifold = prepare(length, p.manifolds.diameter_m[0], p.manifolds.roughness_m[0], rho, mu)
    return float(solve(manifold, [dp], 0.0, p.racks.resistance[order]).flow_kg_s.sum())


def weak(p: Plant, k: float = 4e4) -> Plant:
    """The plant with pumps whose head falls fast."""
    return replace(p, pumps=replace(p.pumps, k=np.where(p.pumps.cdu >= 0, k, p.pumps.k)))


def test_pumps_at_full_speed_fall_to_where_the_curves_meet() -> None:
    p = weak(plant(small_site(racks=5)))
    tcs = loop_of(p)
    state = flows(p)

    def excess(dp: float) -> float:
        each = math.sqrt((p.pumps.shutoff_pa[0] - dp) / (p.pumps.k[0] / p.pumps.count[0] ** 2 + p.cdus.resistance[0]))
        return p.cdus.n * each - demand(p, dp)

    meet = brentq(excess, 1.0, p.loops.dp_pa[tcs], xtol=1e-9)
    assert excess(p.loops.dp_pa[tcs]) < 0.0
    assert state.loop_dp_pa[0, tcs] == pytest.approx(meet, rel=1e-9)
    assert state.pump_speed_frac[0, 0] == 1.0
    assert state.cdu_kg_s.sum() == pytest.approx(state.rack_kg_s.sum(), rel=1e-12)


def test_speed_meets_head_and_affinity() -> None:
    """At the speed found, ``s^2 shutoff - k (m / n)^2`` is the header pressure plus the CDU's own drop."""
    p = plant(small_site(racks=5))
    state = flows(p)
    own, m = p.pumps, state.cdu_kg_s[0, 0]
    head = state.pump_speed_frac[0, 0] ** 2 * own.shutoff_pa[0] - own.k[0] * (m / own.count[0]) ** 2
    assert head == pytest.approx(150e3 + p.cdus.resistance[0] * m * m, rel=1e-9)
    power = head * m / p.loops.rho_kg_m3[loop_of(p)] / own.efficiency_frac[0]
    assert state.pump_w[0, 0] == pytest.approx(power, rel=1e-9)


@pytest.mark.parametrize("further", [1, 2])
def test_pumps_in_parallel_add_their_flow_at_one_head(further: int) -> None:
    """Further pumps of the same kind in a CDU: the same head at that many times the flow of one."""
    base = small_site(racks=5, cdus=1)
    feeds = {"feed_a": "mech-a", "feed_b": "mech-b"}
    more = {f"x{k}": Pump(id=f"x{k}", model="cdu-pump", host="cdu-1", **feeds) for k in range(further)}
    p = weak(plant(base.with_(pumps={**base.pumps, **more})))
    state, tcs = flows(p), loop_of(p)
    m = state.cdu_kg_s[0, 0]
    count = 2 + further
    dp = p.pumps.shutoff_pa[0] - p.pumps.k[0] * (m / count) ** 2 - p.cdus.resistance[0] * m * m
    assert state.loop_dp_pa[0, tcs] == pytest.approx(dp, rel=1e-8)
    inside = np.flatnonzero(p.pumps.cdu == 0)
    assert state.pump_w[0, inside[1:]] == pytest.approx(state.pump_w[0, inside[0]] / 2.0)


def test_the_other_cdu_takes_over() -> None:
    p = plant(small_site(racks=5))
    state = flows(p, lost=("cdu-1",))
    assert state.cdu_kg_s[0, 0] == 0.0
    assert state.cdu_kg_s[0, 1] == pytest.approx(state.rack_kg_s.sum(), rel=1e-12)
    assert state.pump_w[0, p.pumps.cdu == 0].sum() == 0.0


def test_no_cdu_no_flow() -> None:
    p = plant(small_site(racks=5))
    state = flows(p, lost=("cdu-1", "cdu-2"))
    assert (state.rack_kg_s == 0.0).all()
    assert state.loop_dp_pa[0, loop_of(p)] == 0.0
    assert np.isfinite(state.spread_frac).all()


def test_no_rack_present_is_ordinary_input() -> None:
    p = plant(small_site(racks=5))
    state = flows(p, present=np.zeros((1, p.racks.n), bool))
    assert (state.cdu_kg_s == 0.0).all()
    assert (state.pump_w == 0.0).all()
    assert np.isfinite(state.spread_frac).all()


def test_order_of_racks_in_the_file_does_not_matter() -> None:
    base = small_site(racks=6)
    turned = base.with_(racks=dict(reversed(list(base.racks.items()))))
    one, two = plant(base), plant(turned)
    a, b = flows(one).rack_kg_s[0], flows(two).rack_kg_s[0]
    assert dict(zip(one.racks.ids, a, strict=True)) == dict(zip(two.racks.ids, b, strict=True))


def test_a_disconnected_rack_leaves_a_little_more_for_the_others() -> None:
    """One branch closed at held header pressure: the others get a little more, since the pipes ahead carry less."""
    p = plant(small_site(racks=5))
    present = np.ones((1, 5), bool)
    present[0, 4] = False
    before, after = flows(p).rack_kg_s[0], flows(p, present).rack_kg_s[0]
    assert after[4] == 0.0
    assert (after[:4] > before[:4]).all()


def test_an_air_cooled_rack_on_the_manifold_has_no_flow() -> None:
    base = small_site(racks=3)
    p = plant(base.with_racks([Rack(id="air", position="p5", sku="hgx-h100")]))
    state = flows(p)
    assert state.rack_kg_s[0, p.racks.ids.index("air")] == 0.0
    assert state.rack_kg_s[0, :3].min() > 0.0
