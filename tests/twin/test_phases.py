"""Line currents: published vectors, Kirchhoff, what is not known, and the order of rows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agreements import Agreements
from tests.twin.sites import catalog
from tests.twin.test_power import Spec, chain
from topology.kinds import PHASES, Loop
from topology.plant import Plant, plant
from topology.ratings import apparent_va
from twin.limits import limits
from twin.loads import from_power
from twin.power.phases import PhaseState, load_line_a, phases
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages, SteadyState

LOOP = {"fws": Loop(id="fws", kind="fws", coolant="water", supply_c=24.0)}
WARM = Ambient(np.array([20.0]))


def hung(elements: Spec, links: list[tuple[str, ...]], cords: list[tuple[str, str]], on: list[str], power_factor: float = 1.0) -> Plant:
    """A plant of power alone with racks on named phases; an empty name is unknown."""
    bare = chain(elements, links, cords)
    racks = {i: replace(r, phases=name) for (i, r), name in zip(bare.site.racks.items(), on, strict=True)}
    made = plant(bare.site.with_(racks=racks, loops=LOOP))
    return replace(made, racks=replace(made.racks, power_factor=np.full(made.racks.n, power_factor)))


def solve(p: Plant, watts: list[float], lost: tuple[str, ...] = ()) -> tuple[SteadyState, PhaseState]:
    state = solve_steady(p, from_power(p, np.array([watts])), WARM, Outages.of(p, [lost]))
    return state, phases(p, state)


@pytest.mark.agreement
def test_published_capacities(agreement: Agreements) -> None:
    """NetBox takes 1.732 for the square root of three: 415 V, 60 A, 80 % is 34,501 VA there."""
    agreement(
        "power", "feed of 415 V, 60 A at 80 %", "NetBox power feed", abs(apparent_va(415.0, 60.0, "L1L2L3", 0.8) / 34_501.0 - 1.0), 1e-4
    )
    agreement("power", "rack PDU of 208 V, 24 A", "published rating 8,646 W", abs(apparent_va(208.0, 24.0) / 8646.0 - 1.0), 1e-4)
    agreement("power", "three banks of 208 V, 16 A", "AP8868, 9,984 W", abs(3.0 * apparent_va(208.0, 16.0, "L1L2") / 9984.0 - 1.0), 1e-12)
    banks = load_line_a(np.full(3, 208.0 * 20.0 + 0j), np.array([PHASES.index(x) for x in ("L1L2", "L2L3", "L3L1")]), np.full(3, 208.0))
    lines = np.abs(banks.sum(axis=0))
    agreement("power", "line of a delta PDU with three full 20 A banks", "34.6 A published", float(np.abs(lines - 34.6).max()), 0.05, "A")


BUSWAY: Spec = {"u": ("utility", {"voltage_v": 415.0}), "b": ("busway", {"voltage_v": 415.0, "rating_a": 100.0})}
LINK: list[tuple[str, ...]] = [("u", "b")]


def test_one_line_carries_what_hangs_on_it_and_the_neutral_takes_it_back() -> None:
    p = hung(BUSWAY, LINK, [("b", "")], ["L2"])
    _, got = solve(p, [2400.0])
    each = 2400.0 / (415.0 / math.sqrt(3.0))
    assert np.abs(got.line_a[0, 1]).tolist() == pytest.approx([0.0, each, 0.0])
    assert got.neutral_a[0, 1] == pytest.approx(each)
    assert got.unbalance_frac[0, 1] == pytest.approx(2.0)
    assert got.known[0, 1]


def test_a_balanced_load_gives_the_current_of_the_solver() -> None:
    spec: Spec = {**BUSWAY, "b": ("busway", {"voltage_v": 415.0, "loss_frac": 0.02, "loss_fixed_w": 50.0})}
    spec = {**spec, "m": ("switchboard", {"voltage_v": 415.0, "loss_quad_per_w": 1e-7})}
    p = hung(spec, [("u", "m"), ("m", "b")], [("b", ""), ("b", ""), ("b", "")], ["L1L2L3", "L1L2L3", "L1L2L3"], 0.95)
    state, got = solve(p, [9e3, 20e3, 31e3])
    assert np.abs(got.line_a[0]) == pytest.approx(np.repeat(state.power.current_a[0][:, None], 3, axis=1), rel=1e-9)
    assert got.unbalance_frac[0].max() < 1e-12


def test_equal_loads_on_each_line_are_as_good_as_balanced() -> None:
    p = hung(BUSWAY, LINK, [("b", "")] * 6, ["L1", "L2", "L3", "L1L2", "L2L3", "L3L1"])
    state, got = solve(p, [4e3] * 3 + [6e3] * 3)
    assert got.largest_a[0, 1] == pytest.approx(state.power.current_a[0, 1])
    assert got.neutral_a[0, 1] == pytest.approx(0.0, abs=1e-9)


def test_what_nobody_said_is_not_put_anywhere() -> None:
    p = hung(BUSWAY, LINK, [("b", "")] * 2, ["L1", ""])
    _, got = solve(p, [3000.0, 1000.0])
    assert got.attributed_frac[0].tolist() == pytest.approx([0.75, 0.75])
    assert not got.known.any()
    assert got.largest_a.max() == got.unbalance_frac.max() == got.neutral_a.max() == 0.0
    assert np.abs(got.line_a[0, 1, 0]) == pytest.approx(3000.0 / (415.0 / math.sqrt(3.0)))


def test_a_ups_draws_in_balance_from_what_feeds_it() -> None:
    spec: Spec = {**BUSWAY, "ups": ("ups", {"voltage_v": 415.0})}
    p = hung(spec, [("u", "ups"), ("ups", "b")], [("b", ""), ("b", "")], ["L1", ""])
    _, got = solve(p, [5e3, 1e3])
    assert got.known[0].tolist() == [True, False, False]
    assert got.unbalance_frac[0, 0] < 1e-12
    assert got.largest_a[0, 0] == pytest.approx(6e3 / 0.99 / (math.sqrt(3.0) * 415.0))


def test_a_delta_star_transformer_spreads_one_line_over_two() -> None:
    spec: Spec = {"u": ("utility", {"voltage_v": 480.0}), "t": ("transformer", {"voltage_v": 208.0}), "b": ("pdu", {"voltage_v": 208.0})}
    p = hung(spec, [("u", "t"), ("t", "b")], [("b", "")], ["L1"])
    _, got = solve(p, [2400.0])
    low = 2400.0 / (208.0 / math.sqrt(3.0))
    assert sorted(np.abs(got.line_a[0, 0]).tolist()) == pytest.approx([0.0, 2400.0 / 480.0, 2400.0 / 480.0], abs=1e-9)
    assert np.abs(got.line_a[0, 1]).tolist() == pytest.approx([low, 0.0, 0.0])
    assert got.neutral_a[0, 0] == pytest.approx(0.0, abs=1e-9)
    balanced = hung(spec, [("u", "t"), ("t", "b")], [("b", "")], ["L1L2L3"], 0.9)
    state, got = solve(balanced, [2400.0])
    assert got.largest_a[0] == pytest.approx(state.power.current_a[0], rel=1e-9)


NAMES = st.sampled_from(PHASES)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(NAMES, st.floats(0.0, 20e3), st.booleans()), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_kirchhoff_holds_and_the_order_of_rows_does_not_matter(rows: list[tuple[str, float, bool]], shuffle: object) -> None:
    spec: Spec = {
        "u": ("utility", {"voltage_v": 415.0}), "m": ("switchboard", {"voltage_v": 415.0}),
        "a": ("busway", {"voltage_v": 415.0, "loss_frac": 0.01}), "b": ("busway", {"voltage_v": 415.0}),
    }  # fmt: skip
    links: list[tuple[str, ...]] = [("u", "m"), ("m", "a"), ("m", "b")]

    def solved(order: list[tuple[str, float, bool]]) -> tuple[SteadyState, PhaseState]:
        p = hung(spec, links, [("a" if first else "b", "") for _, _, first in order], [n for n, _, _ in order], 0.96)
        return solve(p, [w for _, w, _ in order])

    state, got = solved(rows)
    loss = state.power.loss_w[0, 2] / (math.sqrt(3.0) * 415.0) * np.exp(-2j * math.pi / 3.0 * np.arange(3))
    assert got.line_a[0, 1] == pytest.approx(got.line_a[0, 2] + loss + got.line_a[0, 3], abs=1e-9)
    volts = 415.0 / math.sqrt(3.0) * np.exp(-2j * math.pi / 3.0 * np.arange(3))
    assert (volts * np.conj(got.line_a[0, 1])).sum().real == pytest.approx(state.power.out_w[0, 1], rel=1e-9, abs=1e-6)
    mixed = list(rows)
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]
    assert solved(mixed)[1].line_a == pytest.approx(got.line_a, abs=1e-9)


def test_a_limit_watches_the_fullest_line() -> None:
    p = hung(BUSWAY, LINK, [("b", "")] * 2, ["L1", "L2"])
    state, _ = solve(p, [30e3, 6e3])
    table = limits(p)
    row = table.limit.index("phase current")
    values = table.values(state)
    assert values[0, row] == pytest.approx(30e3 / (415.0 / math.sqrt(3.0)))
    assert table.margins(values)[0, row] < 0.0
    assert table.margins(values)[0, table.limit.index("current")] > 0.0
    for on in (["L1", ""], ["L1L2L3", "L1L2L3"]):
        assert "phase current" not in limits(hung(BUSWAY, LINK, [("b", "")] * 2, on)).limit


def test_positions_give_their_phases_and_racks_may_differ() -> None:
    bare = chain(BUSWAY, LINK, [("b", "")] * 2)
    places = {i: replace(x, phases="L3") for i, x in bare.site.positions.items()}
    racks = {**bare.site.racks, "r1": replace(bare.site.racks["r1"], phases="L1L2")}
    made = plant(bare.site.with_(positions=places, racks=racks))
    assert [PHASES[k] for k in made.racks.phases] == ["L3", "L1L2"]
    assert catalog() is bare.site.catalog
