"""Plug flow, implicit stages and pumps in time, each beside a closed form or an integrator that is not ours."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from tests.agreements import Agreements
from twin.solvers.implicit import GAMMA, mean_of, node_stage, plate_stage, second_start, wall_stage
from twin.solvers.momentum import Branches, advance_loop
from twin.solvers.transport import SLUGS, Pipes, heat_kg_k, push


def pipes(content_kg: float, count: int = 1, temp_c: float = 20.0) -> Pipes:
    """Pipes of one content, filled at one temperature."""
    kg, c = np.zeros((count, SLUGS)), np.zeros((count, SLUGS))
    kg[:, 0], c[:, 0] = content_kg, temp_c
    return Pipes(np.full(count, content_kg), kg, c, np.zeros((count, SLUGS)), np.zeros(count, np.int64), np.ones(count, np.int64))


@pytest.mark.agreement
@pytest.mark.parametrize("flow_kg_s", [0.7, 2.0, 13.0])
def test_a_front_comes_out_when_the_content_has_been_pushed_out(agreement: Agreements, flow_kg_s: float) -> None:
    p = pipes(23.7)
    after = 0.0
    for n in range(1, 200):
        out, _ = push(p, 0, flow_kg_s, 30.0, 0.0)
        after += (30.0 - out) / 10.0  # area above the front is the delay
        assert 20.0 - 1e-9 <= out <= 30.0 + 1e-9, n
    agreement("time", f"delay of a pipe at {flow_kg_s:g} kg/s", "content over flow", abs(after - 23.7 / flow_kg_s), 1e-9, "s")


def test_fifty_pipes_in_a_row_keep_the_shape_of_a_wave() -> None:
    """50 pipes of 0.37 steps each: 18.5 steps of delay, and a wave of a minute loses less than 1.5 % of its height."""
    p, period, seen = pipes(0.37, 50, 0.0), 60.0, []
    for n in range(200):
        a, b = 2 * math.pi * n / period, 2 * math.pi * (n + 1) / period
        t = (math.cos(a) - math.cos(b)) / (b - a)
        s = math.sin(b) - math.sin(a)
        for k in range(50):
            t, s = push(p, k, 1.0, t, s)
        delayed = 2 * math.pi * (n - 18.5) / period, 2 * math.pi * (n - 17.5) / period
        seen.append((t, (math.cos(delayed[0]) - math.cos(delayed[1])) / (delayed[1] - delayed[0])))
    got, want = np.array(seen[60:]).T
    assert np.abs(got - want).max() < 0.015


def test_no_heat_is_lost_however_the_flow_varies() -> None:
    rng = np.random.default_rng(7)
    p, given, taken = pipes(10.0), 0.0, 0.0
    start = heat_kg_k(p, 0)
    for flow in rng.choice([0.0, 1e-4, 0.02, 0.9, 7.0, 25.0], 3000):
        t = rng.uniform(10.0, 60.0)
        out, _ = push(p, 0, flow, t, rng.uniform(-5.0, 5.0))
        given, taken = given + flow * t, taken + flow * out
    assert abs(given - taken - (heat_kg_k(p, 0) - start)) < 1e-9 * given
    assert p.slug_kg[0].sum() >= 10.0 - 1e-6


def _volume(steps: int) -> float:
    """A stirred volume of 3600 J/K with 40 W/K from 20 degC towards 50 degC with 300 W, for 100 s."""
    t, h = 20.0, 100.0 / steps
    for _ in range(steps):
        one = node_stage(GAMMA * h, 3600.0, t, 40.0, 50.0, 300.0)
        t = node_stage(GAMMA * h, 3600.0, second_start(one, t), 40.0, 50.0, 300.0)
    return t


@pytest.mark.agreement
def test_a_volume_warms_up_as_its_closed_form_and_to_second_order(agreement: Agreements) -> None:
    exact = 57.5 + (20.0 - 57.5) * math.exp(-40.0 * 100.0 / 3600.0)
    errors = [abs(_volume(n) - exact) for n in (25, 50, 100)]
    agreement("time", "order of convergence, one volume", "step halving", 2.0 - math.log2(errors[1] / errors[2]), 0.1, "order")
    agreement("time", "warm-up of one volume, 1 s steps", "closed form", errors[2], 1e-3, "K")
    assert errors[0] > 3.5 * errors[1] > 12.0 * errors[2]


Three = tuple[float, float, float]


def _rack(x: Three, stores: Three, heat_w: tuple[float, float], rates_w_k: Three) -> Three:
    """One second of a rack at an inlet of 30 degC: metal, coolant in its plates, the rest of its coolant."""
    s0, s1, s2 = stores
    one = plate_stage(GAMMA, s0, s1, s2, x[0], x[1], x[2], heat_w[0], heat_w[1], rates_w_k[0], rates_w_k[1], rates_w_k[2], 30.0)
    a, b, c = (second_start(first, begin) for first, begin in zip(one, x, strict=True))
    return plate_stage(GAMMA, s0, s1, s2, a, b, c, heat_w[0], heat_w[1], rates_w_k[0], rates_w_k[1], rates_w_k[2], 30.0)


@pytest.mark.agreement
def test_plate_and_coolant_follow_their_two_time_constants(agreement: Agreements) -> None:
    metal, water, rest, plate, through, flow = 385.0, 400.0, 900.0, 70.0, 60.0, 75.0
    a = np.array([
        [-plate / metal, plate / metal, 0.0], [plate / water, -(plate + through) / water, 0.0], [0.0, through / rest, -flow / rest],
    ])  # fmt: skip
    b = np.array([1000.0 / metal, through * 30.0 / water, ((flow - through) * 30.0 + 200.0) / rest])
    rest_state = -np.linalg.solve(a, b)
    exact = rest_state + expm(a * 20.0) @ (np.full(3, 30.0) - rest_state)
    x = (30.0, 30.0, 30.0)
    for _ in range(20):
        x = _rack(x, (metal, water, rest), (1000.0, 200.0), (plate, through, flow))
    agreement("time", "plate and coolant, 20 steps of 1 s", "matrix exponential", float(np.abs(np.array(x) - exact).max()), 0.01, "K")


@pytest.mark.agreement
def test_a_plate_without_flow_and_a_loop_without_cooling_heat_up_as_their_masses_say(agreement: Agreements) -> None:
    """1 kW on 1 kg of copper with 0.1 L of PG25: 1.27 K/s; 100 kW on 60 L: 0.42 K/s (heat over heat capacity)."""
    metal, water = 385.0, 0.1 * 4003.0
    x = (30.0, 30.0, 30.0)
    for _ in range(60):
        before, x = x, _rack(x, (metal, water, 1.0), (1000.0, 0.0), (200.0, 0.0, 0.0))
    agreement("time", "cold plate without flow", "1000 W / 785 J/K = 1.27 K/s", abs(x[0] - before[0] - 1000.0 / 785.3), 1e-6, "K/s")
    t, loop = 30.0, 60.0 * 4003.0
    half = node_stage(GAMMA, loop, t, 0.0, 0.0, 100e3)
    risen = node_stage(GAMMA, loop, second_start(half, t), 0.0, 0.0, 100e3) - t
    agreement("time", "60 L of loop without cooling at 100 kW", "0.42 K/s", abs(risen - 0.4164), 1e-4, "K/s")


@pytest.mark.agreement
def test_an_exchanger_in_time_is_what_radau_makes_of_it(agreement: Agreements) -> None:
    wall, node, hot, cold, flow = 120e3, 200e3, 26e3, 45e3, 80e3

    def inlet(t: float) -> float:
        return 40.0 + 5.0 * math.sin(t / 15.0)

    def slope(t: float, y: np.ndarray) -> list[float]:
        return [
            (hot * (inlet(t) - y[0]) - cold * (y[0] - 24.0)) / wall,
            (flow * (inlet(t) - y[1]) - hot * (inlet(t) - y[0])) / node,
        ]

    truth = solve_ivp(slope, (0.0, 120.0), [30.0, 36.0], "Radau", rtol=1e-10, atol=1e-10).y[:, -1]
    apart = []
    for n in (120, 240):
        h, w, t = 120.0 / n, 30.0, 36.0
        for k in range(n):
            mean = 40.0 + 5.0 * 15.0 / h * (math.cos(k * h / 15.0) - math.cos((k + 1) * h / 15.0))
            w1 = wall_stage(GAMMA * h, wall, w, hot, cold, mean, 24.0)
            t1 = node_stage(GAMMA * h, node, t, flow, mean, -hot * (mean - w1))
            w2 = wall_stage(GAMMA * h, wall, second_start(w1, w), hot, cold, mean, 24.0)
            t = node_stage(GAMMA * h, node, second_start(t1, t), flow, mean, -hot * (mean - w2))
            w = w2
        apart.append(float(np.abs(np.array([w, t]) - truth).max()))
    agreement("time", "CDU wall and outlet, 1 s steps", "scipy Radau, rtol 1e-10", apart[0], 0.005, "K")
    assert apart[0] > 3.0 * apart[1]


def branch(count: int = 2) -> Branches:
    """Equal pumps on a header that takes 10 kg/s at 100 kPa by a square law."""
    n = count
    return Branches(
        np.array([0, n]), np.full(n, 250e3), np.full(n, 900.0), np.full(n, 400.0), np.full(n, 9000.0), np.full(n, 5.0), np.full(n, 1.5),
        np.array([100e3]), np.array([[0.0, 0.5, 1.0]]), np.array([[10.0, 10.0, 10.0]]), np.array([True]),
    )  # fmt: skip


@pytest.mark.agreement
def test_pumps_that_lose_power_run_down_as_radau_says(agreement: Agreements) -> None:
    b = branch()
    speed, flow, mean = np.array([0.9, 0.9]), np.array([5.0, 5.0]), np.zeros(2)
    start = flow.copy()

    def slope(t: float, m: np.ndarray) -> np.ndarray:
        s = np.array([0.9 / (1.0 + 0.9 * t / 1.5), 0.9])
        rate: np.ndarray = (s**2 * 250e3 - 1300.0 * m * np.abs(m) - 1e3 * m.sum() ** 2) / 9000.0
        return rate

    truth = solve_ivp(slope, (0.0, 1.0), start, "Radau", rtol=1e-10, atol=1e-10)
    for _ in range(4):
        advance_loop(b, 0, 0.25, np.ones(2), np.array([False, True]), 0.9, np.full(2, 0.1), speed, flow, 0.0, mean)
    agreement("time", "flow 1 s after one of two pumps stops", "scipy Radau", float(np.abs(flow - truth.y[:, -1]).max()), 0.01, "kg/s")


@pytest.mark.agreement
def test_a_loop_without_pumps_comes_to_rest_by_its_friction(agreement: Agreements) -> None:
    b = branch(1)
    speed, flow, mean, moved = np.zeros(1), np.array([8.0]), np.zeros(1), 0.0
    for _ in range(40):
        advance_loop(b, 0, 0.5, np.ones(1), np.zeros(1, bool), 0.0, np.ones(1), speed, flow, 0.0, mean)
        moved += 0.5 * mean[0]
    rate = 2300.0 * 8.0 / 9000.0
    agreement("time", "flow 20 s after the pump stopped", "m0 / (1 + k m0 t / L)", abs(flow[0] / (8.0 / (1.0 + rate * 20.0)) - 1.0), 2e-3)
    assert moved == pytest.approx(8.0 / rate * math.log(1.0 + rate * 20.0), rel=2e-3)


def test_a_check_valve_lets_nothing_back() -> None:
    b = branch()
    speed, flow, mean = np.array([0.9, 0.0]), np.array([6.0, 0.0]), np.zeros(2)
    for _ in range(50):
        advance_loop(b, 0, 0.5, np.ones(2), np.array([True, False]), 0.9, np.ones(2), speed, flow, 0.0, mean)
        assert flow[1] == 0.0 and flow[0] > 0.0
    assert mean_of(1.0, 1.0) == 1.0
