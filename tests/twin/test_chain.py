"""Voltages of the power chain: closed forms, the tree solver, regulation, taps, direct current, and loads that cannot be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.sites import catalog, small_site
from tests.twin.test_power import Spec, chain, out_w, solved
from topology.errors import SiteError
from topology.generate import generate
from topology.models import PowerModel
from topology.plant import Plant, plant
from topology.site import Site
from twin.limits import LOST_MARGIN, limits
from twin.loads import from_nameplate
from twin.solvers.radial import per_w, radial, solve_radial
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages, PowerState

UTILITY: tuple[str, Mapping[str, float]] = ("utility", {"voltage_v": 400.0})
CABLE = {"voltage_v": 400.0, "r_ohm_m": 1e-4, "x_ohm_m": 8e-5, "length_m": 50.0}


def volts(p: Plant, state: PowerState) -> dict[str, float]:
    return dict(zip(p.power.ids, state.voltage_frac[0].tolist(), strict=True))


def with_models(p: Site, models: Mapping[str, Mapping[str, Any]], uses: Mapping[str, str]) -> Plant:
    """A site whose elements take flags from models of their own."""
    base = next(m for m in catalog().entries["power_model"].values() if isinstance(m, PowerModel))
    bare = {
        "rating_va": None,
        "rating_w": None,
        "rating_a": None,
        "trip": (),
        "loss_fixed_w": 0.0,
        "loss_frac": 0.0,
        "loss_quad_per_w": 0.0,
    }
    made = {n: replace(base, name=n, **bare, **own) for n, own in models.items()}
    book = replace(catalog(), entries={**catalog().entries, "power_model": {**catalog().entries["power_model"], **made}})
    power = {i: replace(e, model=uses.get(i, e.model)) for i, e in p.power.items()}
    return plant(p.with_(catalog=book, power=power))


def test_a_cable_by_hand() -> None:
    """100 kW at power factor 0.8 over 5 + j4 mOhm at 400 V: u^2 is the larger root of u^4 + (2 (rP + xQ) - 1) u^2 + |z|^2 |S|^2."""
    p = chain({"u": UTILITY, "c": ("busway", CABLE)}, [("u", "c")], [("c", "")], power_factor=0.8)
    state = solved(p, [100e3])
    r, x, q = 5e-3 / 400.0**2, 4e-3 / 400.0**2, 75e3
    half = 0.5 - r * 100e3 - x * q
    u = math.sqrt(half + math.sqrt(half**2 - (r * r + x * x) * 125e3**2))
    assert state.voltage_frac[0, 1] == pytest.approx(u, abs=1e-13)
    assert state.drop_frac[0, 1] == pytest.approx(1.0 - u, abs=1e-13)
    amps = 125e3 / (math.sqrt(3.0) * 400.0 * u)
    assert state.current_a[0, 1] == pytest.approx(amps, rel=1e-12)
    assert state.loss_w[0, 1] == pytest.approx(3.0 * amps**2 * 5e-3, rel=1e-11)
    assert state.out_var[0, 0] == pytest.approx(q + 3.0 * amps**2 * 4e-3, rel=1e-11)
    assert state.source_w[0] == pytest.approx(100e3 + state.loss_w[0, 1], rel=1e-14)
    assert state.power_factor[0].tolist() == pytest.approx([state.out_w[0, 0] / state.out_va[0, 0], 0.8])


def test_resistance_stands_in_place_of_the_square_law_and_nothing_else_changes() -> None:
    spec: Spec = {
        "u": UTILITY,
        "t": ("transformer", {"loss_fixed_w": 100.0, "loss_quad_per_w": 2e-8, "voltage_v": 400.0, "rating_va": 1e6}),
    }
    without = solved(chain(spec, [("u", "t")], [("t", "")]), [5e5])
    impedance = {**spec["t"][1], "impedance_frac": 0.06}
    p = chain({**spec, "t": ("transformer", impedance)}, [("u", "t")], [("t", "")])
    found = solved(p, [5e5])
    assert p.power.r_per_w[1] == pytest.approx(2e-8, rel=1e-12)
    assert math.hypot(p.power.r_per_w[1], p.power.x_per_w[1]) == pytest.approx(0.06 / 1e6)
    assert found.loss_w[0, 1] == pytest.approx(100.0 + 2e-8 * (5e5 / found.voltage_frac[0, 1]) ** 2, rel=1e-10)
    assert without.loss_w[0, 1] == 100.0 + 2e-8 * 5e5**2
    assert without.voltage_frac[0].tolist() == [1.0, 1.0] and not without.drop_frac.any()


def test_a_busway_loaded_along_its_length_against_its_taps() -> None:
    """A third of the loss and half of the drop, against 200 taps in a row."""
    n, total, r = 200, 300e3, per_w(0.012, 415.0)
    base = {"voltage_v": 415.0, "r_ohm_m": 0.012 / 60.0, "length_m": 60.0}
    one = chain({"u": ("utility", {"voltage_v": 415.0}), "b": ("busway", base)}, [("u", "b")], [("b", "")])
    p = with_models(one.site, {"bus": {"kind": "busway", "loads_spread": True}}, {"b": "bus"})
    p = replace(p, racks=replace(p.racks, power_factor=np.ones(1)))
    found = solved(p, [total])
    steps = np.full(n, r / n)
    row = solve_radial(radial(np.arange(-1, n - 1), steps, steps * 0.0, np.arange(n)), np.full((1, n), total / n), flows=True)
    assert found.drop_frac[0, 1] == pytest.approx(1.0 - row.voltage_frac[0, -1], rel=0.015)
    assert found.loss_w[0, 1] == pytest.approx(row.taken_va[0, 0].real - total, rel=0.015)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12))
def test_a_tree_of_cables_is_what_the_tree_solver_says(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    parent = [-1, *(int(rng.integers(0, k)) for k in range(1, n))]
    ohm, reactance = rng.uniform(0.0, 2e-4, n), rng.uniform(0.0, 2e-4, n)
    spec = {f"e{k}": ("busway", {"voltage_v": 400.0, "r_ohm_m": ohm[k], "x_ohm_m": reactance[k], "length_m": 20.0}) for k in range(1, n)}
    p = chain(
        {"e0": UTILITY, **spec}, [(f"e{parent[k]}", f"e{k}") for k in range(1, n)], [(f"e{k}", "") for k in range(n)], power_factor=0.9
    )
    w = rng.uniform(0.0, 3e4, n)
    found = solved(p, w.tolist())
    at = np.array([p.power.ids.index(f"e{k}") for k in range(n)])
    z = [np.where(np.arange(n) > 0, a * 20.0 / 400.0**2, 0.0) for a in (ohm, reactance)]
    tree = radial(np.array(parent), z[0], z[1], np.arange(n))
    other = solve_radial(tree, w[None], w[None] * math.tan(math.acos(0.9)), flows=True, tolerance=1e-13)
    assert found.voltage_frac[0, at] == pytest.approx(other.voltage_frac[0], abs=1e-12)
    assert found.source_w[0] == pytest.approx(other.taken_va[0, 0].real, rel=1e-9)
    assert found.source_w[0] == pytest.approx(w.sum() + found.loss_w.sum(), rel=1e-13)


def test_a_ups_holds_its_output_and_one_in_eco_mode_does_not() -> None:
    spec: Spec = {"u": UTILITY, "c": ("busway", CABLE), "ups": ("ups", {"voltage_v": 400.0}), "d": ("busway", CABLE)}
    p = chain(spec, [("u", "c"), ("c", "ups"), ("ups", "d")], [("d", "")], power_factor=0.9)
    held = volts(p, solved(p, [1e5]))
    assert held["c"] < 0.998 and held["ups"] == 1.0 and held["d"] < 0.998
    eco = with_models(p.site, {"eco": {"kind": "ups", "regulates": False}}, {"ups": "eco"})
    through = solved(replace(eco, racks=p.racks), [1e5])
    assert volts(eco, through)["ups"] == volts(eco, through)["c"] < 0.998
    assert through.out_var[0, 1] == pytest.approx(through.out_var[0, 2], rel=1e-12)


def test_a_tap_lifts_and_parallel_parents_meet_in_the_middle() -> None:
    cable = {**CABLE, "length_m": 25.0}
    spec: Spec = {"u": UTILITY, "a": ("busway", {**CABLE, "tap_frac": 1.025}), "b": ("busway", cable), "board": ("switchboard", {})}
    p = chain(spec, [("u", "a"), ("u", "b"), ("a", "board"), ("b", "board")], [("board", "")])
    found = volts(p, solved(p, [1e5]))
    assert found["board"] == pytest.approx((found["a"] + found["b"]) / 2.0, abs=1e-14)
    assert found["a"] > 1.0 > found["b"]
    alone = volts(p, solved(p, [1e5], ["b"]))
    assert alone["b"] == 0.0 and alone["board"] == alone["a"] < found["a"]


def test_direct_current_behind_a_rectifier() -> None:
    """An 800 V sidecar: no reactive power, no root of three, and the rectifier's own power factor before it."""
    dc = {"voltage_v": 800.0, "r_ohm_m": 1e-3, "length_m": 10.0}
    p = chain({"u": UTILITY, "rect": ("pdu", {"voltage_v": 800.0}), "bar": ("busway", dc)}, [("u", "rect"), ("rect", "bar")], [("bar", "")])
    p = with_models(
        p.site, {"dc": {"kind": "pdu", "direct": True}, "dcbar": {"kind": "busway", "direct": True}}, {"rect": "dc", "bar": "dcbar"}
    )
    state = solved(p, [2e5])
    u = 400.0 + math.sqrt(400.0**2 - 0.01 * 2e5)
    assert 800.0 * volts(p, state)["bar"] == pytest.approx(u, abs=1e-9)
    assert state.current_a[0, 2] == pytest.approx(2e5 / u, rel=1e-12)
    assert state.loss_w[0, 2] == pytest.approx(0.01 * (2e5 / u) ** 2, rel=1e-10)
    assert state.power_factor[0].tolist() == pytest.approx([0.99, 1.0, 1.0])


def test_a_load_above_what_the_voltage_can_carry_is_a_state_with_a_name() -> None:
    weak = {**CABLE, "length_m": 2000.0}
    spec: Spec = {"u": UTILITY, "weak": ("busway", weak), "board": ("switchboard", {}), "good": ("busway", CABLE)}
    p = chain(spec, [("u", "weak"), ("weak", "board"), ("u", "good")], [("board", ""), ("good", "")])
    most = 1.0 / (2.0 * (p.power.r_per_w[1] + math.hypot(p.power.r_per_w[1], p.power.x_per_w[1])))
    below, above = solved(p, [0.97 * most, 1e4]), solved(p, [1.03 * most, 1e4])
    assert not below.collapsed.any() and 0.5 < volts(p, below)["board"] < 0.7
    assert above.collapsed[0].tolist() == [False, True, True, False]
    assert volts(p, above) == {"u": 1.0, "weak": 0.0, "board": 0.0, "good": volts(p, solved(p, [0.0, 1e4]))["good"]}
    for state in (below, above):
        assert all(np.isfinite(getattr(state, f)).all() for f in ("out_w", "out_va", "current_a", "loss_w", "drop_frac", "source_w"))
        assert state.source_w[0] == pytest.approx(out_w(p, state)["u"])


def weak_site(metres: float) -> Plant:
    """The small site with real cables for its busways."""
    base = small_site(racks=4)
    cable = {"r_ohm_m": 4e-5, "x_ohm_m": 3e-5, "length_m": metres}
    return plant(base.with_(power={**base.power, **{f"busway-{s}": replace(base.power[f"busway-{s}"], **cable) for s in "ab"}}))


def test_the_limit_counts_from_nominal_to_the_lowest_voltage() -> None:
    p = weak_site(120.0)
    state = solve_steady(p, from_nameplate(p), Ambient(np.array([18.0])), Outages.of(p, [("busway-b",)]))
    table = limits(p)
    row = {(e, n): k for k, (e, n) in enumerate(zip(table.element, table.limit, strict=True))}
    k = row["busway-a", "voltage drop"]
    fall = 1.0 - state.power.voltage_frac[0, p.power.ids.index("busway-a")]
    assert fall > 0.005
    margin = table.margins(table.values(state))[0]
    assert margin[k] == pytest.approx(1.0 - fall / 0.1, rel=1e-9)
    assert margin[row["busway-b", "voltage drop"]] == 1.0
    assert ("ups-a", "voltage drop") not in row and ("mech-a", "voltage drop") in row
    assert "voltage drop" not in limits(plant(generate("frontier"))).limit, "no impedance, no row"
    dark = weak_site(1e4)
    state = solve_steady(dark, from_nameplate(dark), Ambient(np.array([18.0])))
    assert limits(dark).margins(limits(dark).values(state))[0, k] == LOST_MARGIN


@pytest.mark.parametrize(
    ("own", "lacks"), [({"impedance_frac": 0.05}, "no rating_va"), ({"r_ohm_m": 1e-4, "length_m": 3.0}, "no voltage_v")]
)
def test_an_impedance_that_lacks_its_base_is_refused_by_name(own: Mapping[str, float], lacks: str) -> None:
    with pytest.raises(SiteError, match=f"'t' has .* {lacks}"):
        chain({"u": UTILITY, "t": ("transformer", own)}, [("u", "t")], [("t", "")])
