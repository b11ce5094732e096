"""Radial feeds against closed forms, published results and other programs, and at the edge of what a voltage can carry."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agreements import Agreements
from tests.conftest import AskPeer
from topology.errors import NotConverged, UsageError
from twin.solvers.radial import Radial, per_w, radial, solve_radial
from twin.solvers.radial_kernel import CURRENT, IMPEDANCE, LANES, POWER


def bus(r: float, x: float = 0.0) -> Radial:
    """One load behind one impedance."""
    return radial(np.array([-1]), np.array([r]), np.array([x]), np.array([0]), ids=["rack"])


def grown(rng: np.random.Generator, nodes: int, deep: bool) -> dict[str, Any]:
    """A tree at random: deep ones go on from one of the last nodes, shallow ones from one of the first; 6 % of drop or a little more."""
    parent = [-1] + [int(rng.integers(max(0, k - 3), k)) if deep else int(rng.integers(0, max(1, k // 8))) for k in range(1, nodes)]
    at = np.unique(np.append(rng.choice(nodes, nodes * 2 // 3, replace=False), nodes - 1))
    load_w, load_var = rng.uniform(0.0, 4e5 / nodes, at.size), rng.uniform(-5e4 / nodes, 2e5 / nodes, at.size)
    r_ohm, x_ohm = rng.uniform(1e-5, 2e-4, nodes), rng.uniform(1e-6, 2e-4, nodes)
    below, drop = np.zeros(nodes, complex), np.zeros(nodes)
    np.add.at(below, at, load_w + 1j * load_var)
    for k in range(nodes - 1, 0, -1):
        below[parent[k]] += below[k]
    for k in range(1, nodes):
        drop[k] = drop[parent[k]] + r_ohm[k] * below[k].real + x_ohm[k] * abs(below[k].imag)
    scale = 0.06 * 400.0**2 / drop.max()
    return {
        "parent": parent, "volts": 400.0, "source": 1.02, "r_ohm": (r_ohm * scale).tolist(), "x_ohm": (x_ohm * scale).tolist(),
        "at": at.tolist(), "law": [POWER] * at.size, "load_w": load_w.tolist(), "load_var": load_var.tolist(),
    }  # fmt: skip


def prepared(case: dict[str, Any]) -> Radial:
    parent = np.array(case["parent"])
    z = [np.where(parent < 0, 0.0, np.array(case[k])) / case["volts"] ** 2 for k in ("r_ohm", "x_ohm")]
    law = np.full(parent.size, POWER)
    law[case["at"]] = case["law"]
    return radial(parent, z[0], z[1], np.array(case["at"]), law=law)


def solved(case: dict[str, Any]) -> Any:
    load = (np.array([case["load_w"]]), np.array([case["load_var"]]))
    return solve_radial(prepared(case), *load, case["source"], angles=True, flows=True, tolerance=1e-12)


@pytest.mark.agreement
def test_baran_and_wu(ask_peer: AskPeer, agreement: Agreements) -> None:
    peer = ask_peer("baran_wu")
    n = len(peer["voltage_frac"])
    parent, r, x = np.full(n, -1), np.zeros(n), np.zeros(n)
    for a, b, ohm, reactance in zip(peer["from"], peer["to"], peer["r_ohm"], peer["x_ohm"], strict=True):
        parent[b], r[b], x[b] = a, per_w(ohm, peer["voltage_v"]), per_w(reactance, peer["voltage_v"])
    net = radial(parent, r, x, np.array(peer["bus"]))
    p, q = np.array([peer["load_w"]]), np.array([peer["load_var"]])
    got = solve_radial(net, p, q, angles=True, flows=True, tolerance=1e-12)
    loss = got.taken_va[0, 0].real - p.sum()
    what = "33-bus feeder"
    agreement("power", f"{what}: loss", "Baran and Wu 1989 (202.677 kW)", abs(loss - 202_677.0), 1.0, "W")
    agreement(
        "power", f"{what}: lowest voltage", "Baran and Wu 1989 (0.91309 at bus 18)", abs(got.voltage_frac.min() - 0.91309), 5e-6, "pu"
    )
    assert got.voltage_frac[0].argmin() == 17
    agreement("power", f"{what}: voltages", "pandapower", float(np.abs(got.voltage_frac[0] - peer["voltage_frac"]).max()), 1e-8, "pu")
    agreement("power", f"{what}: angles", "pandapower", float(np.abs(got.angle_rad[0] - peer["angle_rad"]).max()), 1e-8, "rad")


@pytest.mark.agreement
def test_generated_trees(ask_peer: AskPeer, agreement: Agreements) -> None:
    rng = np.random.default_rng(5)
    for deep in (False, True):
        cases = [grown(rng, nodes, deep) for nodes in (2, 9, 60, 400)]
        mixed = grown(rng, 60, deep)
        cases.append({**mixed, "law": rng.choice([POWER, CURRENT, IMPEDANCE], len(mixed["at"])).tolist()})
        apart = 0.0
        for case, peer in zip(cases, ask_peer("radial", cases=cases), strict=True):
            got = solved(case)
            assert got.voltage_frac.min() < 0.97, "a drop too small to tell programs apart"
            apart = max(apart, float(np.abs(got.voltage_frac[0] - peer["voltage_frac"]).max()))
            apart = max(apart, float(np.abs(got.angle_rad[0] - peer["angle_rad"]).max()))
            assert got.taken_va[0, 1:].real == pytest.approx(peer["taken_w"][1:], rel=1e-7, abs=1e-3)
        agreement("power", f"{'deep' if deep else 'shallow'} trees, voltages and angles", "power-grid-model", apart, 1e-8, "pu")


@pytest.mark.agreement
@pytest.mark.parametrize(("what", "r", "x", "tan"), [("DC bus", 0.25, 0.0, 0.0), ("AC line", 0.1, 0.2, 0.5), ("reactor", 0.0, 0.25, 0.3)])
def test_two_buses_in_closed_form(what: str, r: float, x: float, tan: float, agreement: Agreements) -> None:
    """``u^4 + (2 (rP + xQ) - 1) u^2 + |z|^2 |S|^2 = 0``, the larger root, up to 95 % of the largest load."""
    a, b, c = (r + x * tan), math.hypot(r, x), math.hypot(1.0, tan)
    most = 1.0 / (2.0 * (a + b * c))
    p = np.linspace(0.0, 0.95, 20)[:, None] * most
    half = 0.5 - a * p[:, 0]
    exact = np.sqrt(half + np.sqrt(half**2 - (b * c * p[:, 0]) ** 2))
    got = solve_radial(bus(r, x), p, p * tan, tolerance=1e-12).voltage_frac[:, 0]
    agreement("power", f"two buses, {what}", "closed form", float(np.abs(got - exact).max()), 1e-9, "pu")
    for share in (1.001, 1.5, 100.0):
        with pytest.raises(NotConverged, match="scenario 0: the load below rack is at or above"):
            solve_radial(bus(r, x), p[:1] + share * most, p[:1] + share * most * tan)


def test_a_telecom_shelf_at_48_volts_by_hand() -> None:
    """12 kW over 2 mOhm at 48 V: 48 = V + 0.002 * 12000 / V."""
    volts = 24.0 + math.sqrt(24.0**2 - 0.002 * 12e3)
    got = solve_radial(bus(per_w(0.002, 48.0)), np.array([[12e3]]), flows=True, tolerance=1e-12)
    assert 48.0 * got.voltage_frac[0, 0] == pytest.approx(volts, abs=1e-9)
    assert got.taken_va[0, 0].real - 12e3 == pytest.approx(0.002 * (12e3 / volts) ** 2, rel=1e-7)


def test_only_the_scenario_that_cannot_be_fails_and_says_where() -> None:
    parent, r = np.array([-1, 0, 0, 2]), np.array([0.0, 1e-6, 1e-6, 1e-5])
    net = radial(parent, r, r * 0.0, np.array([1, 3]), ids=["board", "left", "right", "far"])
    load = np.array([[1e3, 2e3], [1e3, 5e4], [9e3, 2e3]])
    got = solve_radial(net, load, fail=False)
    assert got.converged.tolist() == [True, False, True]
    assert net.ids[got.weakest[1]] == "far"
    assert (got.voltage_frac[1] == 0.0).all()
    assert np.array_equal(got.voltage_frac[[0, 2]], solve_radial(net, load[[0, 2]]).voltage_frac)
    with pytest.raises(NotConverged, match="far") as caught:
        solve_radial(net, load)
    assert (caught.value.element, caught.value.scenario) == ("far", 1)


def test_nothing_drawn_is_nothing_dropped() -> None:
    net = prepared(grown(np.random.default_rng(1), 30, True))
    got = solve_radial(net, np.zeros((2, net.loads)), source_frac=0.97, flows=True)
    assert got.voltage_frac == pytest.approx(0.97, abs=1e-15)
    assert (got.taken_va == 0.0).all()


def test_dead_branches_and_dead_sources_are_ordinary() -> None:
    parent, r = np.array([-1, 0, 1, 1, -1, 4]), np.array([0.0, 1e-6, 1e-6, 1e-6, 0.0, 1e-6])
    at, open_two = np.array([2, 3, 5]), np.array([True, True, False, True, True, True])
    load = np.array([[1e4, 2e4, 3e4]] * 2)
    net = radial(parent, r, r, at, closed=open_two, source=np.array([0, 0, 0, 0, 1, 0]))
    got = solve_radial(net, load, source_frac=np.array([[1.0, 1.0], [1.0, 0.0]]), flows=True, angles=True)
    assert (got.voltage_frac[:, 2] == 0.0).all() and got.taken_va[0, 1].real == pytest.approx(2e4, rel=0.05)
    assert (got.voltage_frac[0] > 0.0).tolist() == [True, True, False, True, True, True]
    assert (got.voltage_frac[1] > 0.0).tolist() == [True, True, False, True, False, False]
    assert np.array_equal(got.voltage_frac[0, :4], got.voltage_frac[1, :4])
    assert not got.taken_va[1, 4:].any() and not got.angle_rad[1, 4:].any()


def test_bad_input_is_refused_by_name() -> None:
    r, ids = np.zeros(3), ["a", "b", "c"]
    with pytest.raises(UsageError, match="b has no way to a root"):
        radial(np.array([-1, 2, 1]), r, r, np.array([0]), ids=ids)
    with pytest.raises(UsageError, match="r_per_w of c is nan"):
        radial(np.array([-1, 0, 1]), np.array([0.0, 0.0, np.nan]), r, np.array([0]), ids=ids)
    with pytest.raises(UsageError, match="not among the 3"):
        radial(np.array([-1, 0, 3]), r, r, np.array([0]))
    net = radial(np.array([-1, 0, 1]), r, r, np.array([2]))
    with pytest.raises(UsageError, match="a load is not finite in scenario 1"):
        solve_radial(net, np.array([[1.0], [np.inf]]))
    with pytest.raises(UsageError, match=r"not \(scenarios, 1\)"):
        solve_radial(net, np.zeros((2, 3)))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 80), st.booleans(), st.integers(1, 2 * LANES + 3))
def test_currents_and_powers_balance_whatever_stands_beside(seed: int, nodes: int, deep: bool, scenarios: int) -> None:
    """Kirchhoff at every node from the voltages alone, and the same bits for a scenario in a batch and by itself."""
    rng = np.random.default_rng(seed)
    case = grown(rng, nodes, deep)
    net, parent = prepared(case), np.array(case["parent"])
    p = np.array(case["load_w"]) * rng.uniform(0.0, 1.5, (scenarios, 1))
    q = np.array(case["load_var"]) * rng.uniform(0.0, 1.5, (scenarios, 1))
    got = solve_radial(net, p, q, angles=True, flows=True, tolerance=1e-12)
    volts = got.voltage_frac * np.exp(1j * got.angle_rad)
    z = (np.array(case["r_ohm"]) + 1j * np.array(case["x_ohm"])) / case["volts"] ** 2
    child = np.flatnonzero(parent >= 0)
    current = np.conj(got.taken_va[:, child] / volts[:, parent[child]])
    assert volts[:, parent[child]] - z[child] * current == pytest.approx(volts[:, child], abs=1e-9)
    balance = np.zeros((scenarios, parent.size), complex)
    balance[:, child] = volts[:, child] * np.conj(current)
    for k in range(child.size):
        balance[:, parent[child[k]]] -= got.taken_va[:, child[k]]
    for k, at in enumerate(case["at"]):
        balance[:, at] -= p[:, k] + 1j * q[:, k]
    assert np.abs(balance[:, parent >= 0]).max(initial=0.0) < 1e-3
    alone = solve_radial(net, p[-1:], q[-1:], angles=True, flows=True, tolerance=1e-12)
    assert np.array_equal(alone.voltage_frac[0], got.voltage_frac[-1]) and np.array_equal(alone.taken_va[0], got.taken_va[-1])
