"""Prospective fault currents, beside pandapower and worked by hand, and breakers that are too weak."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agreements import Agreements
from tests.conftest import AskPeer
from tests.twin.test_power import Spec, chain
from topology.plant import Plant
from twin.power.faults import C_LOW, fault_levels

HIGH_V, LOW_V = 11_000.0, 415.0


def feed(transformers: int = 1, fault_va: float | None = 250e6, impedance: float | None = 0.06, breaking_a: float = 50e3) -> Plant:
    cable = {"voltage_v": LOW_V, "r_ohm_m": 30e-6, "x_ohm_m": 70e-6, "length_m": 40.0, "breaking_a": breaking_a}
    units = {f"t{k}": ("transformer", {"voltage_v": LOW_V, "rating_va": 2.5e6, "impedance_frac": impedance, "x_over_r": 8.0})
             for k in range(transformers)}  # fmt: skip
    spec: Spec = {
        "u": ("utility", {"voltage_v": HIGH_V, "fault_va": fault_va}), **units, "m": ("switchboard", {"voltage_v": LOW_V}),
        "b": ("busway", cable), "g": ("generator", {"voltage_v": LOW_V}),
    }  # type: ignore[dict-item]  # fmt: skip
    links = [*(("u", t) for t in units), *((t, "m") for t in units), ("g", "m", "transfer"), ("m", "b")]
    return chain(spec, links, [("b", "")])


def at(p: Plant) -> dict[str, float]:
    return dict(zip(p.power.ids, fault_levels(p).fault_a.tolist(), strict=True))


@pytest.mark.agreement
@pytest.mark.parametrize("transformers", [1, 2])
def test_fault_levels_beside_pandapower(agreement: Agreements, ask_peer: AskPeer, transformers: int) -> None:
    part = 0.06 / math.hypot(1.0, 8.0)
    peer = ask_peer("short_circuit", high_kv=11.0, low_kv=0.415, fault_mva=250.0, rating_mva=2.5, impedance_frac=0.06, resistance_frac=part,
                    transformers=transformers, r_ohm_m=30e-6, x_ohm_m=70e-6, length_m=40.0)  # fmt: skip
    found = at(feed(transformers))
    apart = max(abs(found[name] / want - 1.0) for name, want in zip("umb", peer["fault_a"], strict=True))
    agreement("power", f"fault currents behind {transformers} transformers of 2.5 MVA and a cable", "pandapower, IEC 60909", apart, 1e-6)


def test_a_fault_level_is_that_of_the_utility_at_its_bars() -> None:
    assert at(feed())["u"] == pytest.approx(250e6 / (math.sqrt(3.0) * HIGH_V), rel=1e-12)


def test_the_transformer_alone_limits_behind_a_strong_network() -> None:
    """The rule of thumb I = I_r / u_k, with the voltage factor over the transformer's own correction."""
    found = at(feed(fault_va=1e15))["m"]
    x = 0.06 * math.sin(math.atan(8.0))
    rated = 2.5e6 / (math.sqrt(3.0) * LOW_V)
    assert found == pytest.approx(rated / 0.06 * (1.0 + 0.6 * x) / 0.95, rel=1e-6)
    assert C_LOW == 1.05


@pytest.mark.parametrize("gap", [{"fault_va": None}, {"impedance": None}])
def test_what_is_not_given_leaves_the_level_unknown(gap: dict[str, None]) -> None:
    found = fault_levels(feed(**gap))
    below = [k for k, i in enumerate(feed().power.ids) if i in "mb"]
    assert (found.fault_a[below] == 0.0).all()
    assert not found.known[below].any()
    assert not found.too_weak.any()
    assert np.isfinite(found.fault_a).all()


def test_a_breaker_is_held_against_the_current_at_its_input() -> None:
    level = at(feed())
    assert level["b"] < level["m"]
    for capacity, weak in ((level["m"] * 1.01, False), (0.5 * (level["m"] + level["b"]), True)):
        p = feed(breaking_a=capacity)
        found = fault_levels(p)
        assert found.at_input_a[p.power.ids.index("b")] == pytest.approx(level["m"])
        assert found.too_weak[p.power.ids.index("b")] == weak


@settings(deadline=None, max_examples=30)
@given(st.floats(20e6, 1e9), st.floats(0.02, 0.12), st.integers(1, 3))
def test_levels_fall_down_the_chain_and_rise_with_units_in_parallel(fault_va: float, impedance: float, transformers: int) -> None:
    found = at(feed(transformers, fault_va, impedance))
    through = found["u"] * HIGH_V / LOW_V
    assert found["b"] < found["m"] < through
    assert at(feed(transformers + 1, fault_va, impedance))["m"] > found["m"]
