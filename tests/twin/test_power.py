"""The power chain on sites small enough to work out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from tests.twin.sites import catalog
from topology.kinds import Hall, Loop, Position, PowerElement, PowerLink, Pump, Rack, Row, Settings
from topology.plant import Plant, plant
from topology.site import Site
from twin.solvers.power import solve_power, supply
from twin.state import Loads, Outages, PowerState

Spec = Mapping[str, tuple[str, Mapping[str, float]]]
Cords = Sequence[tuple[str, str]]


def chain(
    elements: Spec, links: Sequence[tuple[str, ...]], cords: Cords, gear: Cords = (), share_a: float = 0.5, power_factor: float = 1.0
) -> Plant:
    """A plant of nothing but power: elements (id -> kind and own figures), links, and racks by their two cords."""
    site = Site(
        settings=Settings(name="chain"),
        catalog=catalog(),
        halls={"h": Hall(id="h")},
        rows={"row": Row(id="row", hall="h")},
        positions={f"p{k}": Position(id=f"p{k}", row="row", place=k + 1, feed_a=a, feed_b=b) for k, (a, b) in enumerate(cords)},
        racks={f"r{k}": Rack(id=f"r{k}", position=f"p{k}", sku="hgx-h100", share_a_frac=share_a) for k in range(len(cords))},
        power={i: PowerElement(id=i, kind=kind, **own) for i, (kind, own) in elements.items()},  # type: ignore[arg-type]
        power_links=tuple(PowerLink(parent=x[0], child=x[1], role=x[2] if len(x) > 2 else "normal") for x in links),
        loops={"fws": Loop(id="fws", kind="fws", coolant="water", supply_c=24.0)} if gear else {},
        pumps={f"g{k}": Pump(id=f"g{k}", model="fws-pump", host="fws", feed_a=a, feed_b=b) for k, (a, b) in enumerate(gear)},
    )
    made = plant(site)
    return replace(made, racks=replace(made.racks, power_factor=np.full(made.racks.n, power_factor)))


def solved(p: Plant, rack_w: Sequence[float], lost: Sequence[str] = (), gear_w: Sequence[float] = ()) -> PowerState:
    out = Outages.of(p, [tuple(lost)])
    w = np.array([rack_w], dtype=np.float64)
    loads = Loads(w, w, w, w * 0.0, np.ones_like(w, bool))
    return solve_power(p, supply(p, out.sets), out.index, loads, np.array([gear_w], dtype=np.float64).reshape(1, -1))


def out_w(p: Plant, state: PowerState) -> dict[str, float]:
    return dict(zip(p.power.ids, state.out_w[0].tolist(), strict=True))


UTILITY: tuple[str, Mapping[str, float]] = ("utility", {})
LOSS = {"loss_fixed_w": 50.0, "loss_frac": 0.02, "loss_quad_per_w": 1e-5}


def test_loss_polynomial_is_taken_at_the_output_of_each_element() -> None:
    p = chain({"u": UTILITY, "t": ("transformer", LOSS), "b": ("pdu", LOSS)}, [("u", "t"), ("t", "b")], [("b", "")])
    state = solved(p, [1000.0])
    first = 50.0 + 0.02 * 1000.0 + 1e-5 * 1000.0**2
    carried = 1000.0 + first
    second = 50.0 + 0.02 * carried + 1e-5 * carried**2
    assert state.loss_w[0, 2] == pytest.approx(first, rel=1e-14)
    assert state.loss_w[0, 1] == pytest.approx(second, rel=1e-14)
    assert state.source_w[0] == pytest.approx(1000.0 + first + second, rel=1e-14)


def test_no_load_loss_stays_at_zero_load_and_goes_with_the_source() -> None:
    p = chain({"u": UTILITY, "t": ("transformer", LOSS)}, [("u", "t")], [("t", "")])
    assert solved(p, [0.0]).source_w[0] == 50.0
    dark = solved(p, [1000.0], ["u"])
    assert dark.source_w[0] == 0.0
    assert not dark.powered[0, 0]
    assert dark.loss_w.sum() == 0.0


TWO_N: Spec = {"ua": UTILITY, "ub": UTILITY, "a": ("ups", {}), "b": ("ups", {})}
TWO_N_LINKS = [("ua", "a"), ("ub", "b")]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.7, 1.0])
def test_two_cords_split_by_share_and_fail_over_whole(share: float) -> None:
    p = chain(TWO_N, TWO_N_LINKS, [("a", "b")] * 3, share_a=share)
    w = [1000.0, 2000.0, 3000.0]
    assert out_w(p, solved(p, w))["a"] == pytest.approx(6000.0 * share)
    for lost in ("a", "ua"):
        after = out_w(p, solved(p, w, [lost]))
        assert after["a"] == 0.0
        assert after["b"] == pytest.approx(6000.0)
    both = solved(p, w, ["a", "ub"])
    assert not both.powered.any()
    assert both.source_w[0] == 0.0


def test_three_supplies_a_side_reserve_what_failover_brings() -> None:
    """3,000 W on three supplies a side (Schneider's worked example): 500 W each, 500 W more each after a side is lost."""
    supplies: Spec = {"ua": UTILITY, "ub": UTILITY, **{f"{s}{k}": ("pdu", {}) for s in "ab" for k in range(3)}}
    p = chain(supplies, [(f"u{s}", f"{s}{k}") for s in "ab" for k in range(3)], [(f"a{k}", f"b{k}") for k in range(3)])
    before, after = out_w(p, solved(p, [1000.0] * 3)), out_w(p, solved(p, [1000.0] * 3, ["ua"]))
    assert [before[f"{s}{k}"] for s in "ab" for k in range(3)] == [500.0] * 6
    assert [after[f"b{k}"] - before[f"b{k}"] for k in range(3)] == [500.0] * 3


@pytest.mark.parametrize("lost", [(), ("a",), ("b",)])
def test_a_shared_parent_never_counts_a_load_twice(lost: tuple[str, ...]) -> None:
    """1,000 W on two PDUs below one parent: 500 and 500 W, after a failure 0 and 1,000 W; the parent carries 1,000 W always."""
    p = chain(
        {"u": UTILITY, "m": ("switchboard", {}), "a": ("pdu", {}), "b": ("pdu", {})}, [("u", "m"), ("m", "a"), ("m", "b")], [("a", "b")]
    )
    got = out_w(p, solved(p, [1000.0], lost))
    assert (got["a"], got["b"]) == {(): (500.0, 500.0), ("a",): (0.0, 1000.0), ("b",): (1000.0, 0.0)}[lost]
    assert got["m"] == 1000.0
    assert got["u"] == 1000.0


def test_catcher_takes_the_block_whose_ups_is_lost_and_only_that() -> None:
    spec: Spec = {
        "u": UTILITY,
        **{f"ups{k}": ("ups", {}) for k in range(3)},
        "catcher": ("ups", {}),
        **{f"s{k}": ("sts", {}) for k in range(3)},
    }
    links: list[tuple[str, ...]] = [*(("u", f"ups{k}") for k in range(3)), ("u", "catcher"), *((f"ups{k}", f"s{k}") for k in range(3))]
    links += [("catcher", f"s{k}", "transfer") for k in range(3)]
    p = chain(spec, links, [(f"s{k}", "") for k in range(3)])
    w = [1000.0, 2000.0, 4000.0]
    normal, after = out_w(p, solved(p, w)), out_w(p, solved(p, w, ["ups1"]))
    assert normal["catcher"] == 0.0
    assert (after["ups0"], after["ups1"], after["ups2"], after["catcher"]) == (1000.0, 0.0, 4000.0, 2000.0)
    two = solved(p, w, ["ups0", "ups2"])
    assert out_w(p, two)["catcher"] == 5000.0
    assert two.powered.all()
    gone = solved(p, w, ["ups1", "catcher"])
    assert gone.powered.tolist() == [[True, False, True]]
    assert gone.source_w[0] == 5000.0


def test_transfer_parents_come_in_order() -> None:
    spec: Spec = {"u": UTILITY, "g1": ("generator", {}), "g2": ("generator", {}), "b": ("switchboard", {})}
    p = chain(spec, [("u", "b"), ("g1", "b", "transfer"), ("g2", "b", "transfer")], [("b", "")])
    assert out_w(p, solved(p, [900.0], ["u"])) == {"u": 0.0, "g1": 900.0, "g2": 0.0, "b": 900.0}
    assert out_w(p, solved(p, [900.0], ["u", "g1"]))["g2"] == 900.0


@pytest.mark.parametrize("lost", range(3))
def test_parallel_upss_share_and_the_rest_take_over(lost: int) -> None:
    spec: Spec = {"u": UTILITY, **{f"ups{k}": ("ups", {}) for k in range(3)}, "board": ("switchboard", {})}
    p = chain(spec, [*(("u", f"ups{k}") for k in range(3)), *((f"ups{k}", "board") for k in range(3))], [("board", "")])
    normal, after = out_w(p, solved(p, [6000.0])), out_w(p, solved(p, [6000.0], [f"ups{lost}"]))
    assert [normal[f"ups{k}"] for k in range(3)] == pytest.approx([2000.0] * 3)
    assert [after[f"ups{k}"] for k in range(3)] == pytest.approx([0.0 if k == lost else 3000.0 for k in range(3)])
    assert after["u"] == pytest.approx(6000.0)


@pytest.mark.parametrize(("units", "pairs_each", "worst"), [(3, 2, 1.5), (4, 3, 2.0)])
def test_distributed_redundancy(units: int, pairs_each: int, worst: float) -> None:
    """3N/2 and 4N/3: a load L on every pair of UPSs, split equally; after a failure each survivor has L/2 more for the shared pair."""
    pairs = list(combinations("abcd"[:units], 2))
    spec: Spec = {"u": UTILITY, **{x: ("ups", {}) for x in "abcd"[:units]}}
    p = chain(spec, [("u", x) for x in "abcd"[:units]], pairs)
    load = 1000.0
    normal, after = out_w(p, solved(p, [load] * len(pairs))), out_w(p, solved(p, [load] * len(pairs), ["a"]))
    assert [normal[x] for x in "abcd"[:units]] == pytest.approx([pairs_each * load / 2.0] * units)
    assert [after[x] for x in "bcd"[: units - 1]] == pytest.approx([worst * load] * (units - 1))
    assert len(pairs) * load / (units * worst * load) == pytest.approx((units - 1) / units)


def test_unequal_pairs_burden_one_survivor() -> None:
    p = chain({"u": UTILITY, **{x: ("ups", {}) for x in "abc"}}, [("u", x) for x in "abc"], [("a", "b"), ("b", "c"), ("c", "a")])
    after = out_w(p, solved(p, [2000.0, 600.0, 400.0], ["a"]))
    assert (after["b"], after["c"]) == (2000.0 + 300.0, 300.0 + 400.0)


def test_reactive_power_passes_a_transformer_and_ends_at_a_ups() -> None:
    spec: Spec = {"u": UTILITY, "ups": ("ups", {"loss_fixed_w": 40.0}), "t": ("transformer", {"voltage_v": 415.0})}
    p = chain(spec, [("u", "ups"), ("ups", "t")], [("t", "")], power_factor=0.9)
    state = solved(p, [9000.0])
    va = dict(zip(p.power.ids, state.out_va[0], strict=True))
    assert va["t"] == pytest.approx(10_000.0)
    assert va["ups"] == pytest.approx(10_000.0)
    assert va["u"] == pytest.approx(9040.0 / 0.99)
    assert state.current_a[0, 2] == pytest.approx(10_000.0 / (math.sqrt(3.0) * 415.0))


def test_mixed_power_factors_add_as_vectors() -> None:
    p = chain({"u": UTILITY, "b": ("pdu", {})}, [("u", "b")], [("b", ""), ("b", "")])
    p = replace(p, racks=replace(p.racks, power_factor=np.array([1.0, 0.6])))
    assert solved(p, [600.0, 600.0]).out_va[0, 1] == pytest.approx(math.hypot(1200.0, 800.0))


def test_gear_runs_on_feed_a_then_b_then_not() -> None:
    p = chain(TWO_N, TWO_N_LINKS, [("a", "b")], gear=[("a", "b"), ("b", "")])
    watts = [700.0, 90.0]
    normal, b_only, a_only = (solved(p, [0.0], lost, watts) for lost in ((), ("a",), ("b",)))
    assert [out_w(p, normal)[k] for k in "ab"] == [700.0, 90.0]
    assert [out_w(p, b_only)[k] for k in "ab"] == [0.0, 790.0]
    assert [out_w(p, a_only)[k] for k in "ab"] == [700.0, 0.0]
    assert a_only.gear_alive.tolist() == [[True, False]]
    assert not solved(p, [0.0], ("g0",), watts).gear_alive[0, 0]
    assert out_w(p, solved(p, [0.0], ("g0",), watts))["a"] == 0.0


def test_a_lost_rack_draws_nothing() -> None:
    p = chain(TWO_N, TWO_N_LINKS, [("a", "b"), ("a", "b")])
    state = solved(p, [1000.0, 400.0], ["r0"])
    assert state.source_w[0] == pytest.approx(400.0)
    assert state.powered.tolist() == [[False, True]]


def test_cords_add_up_to_the_rack_in_a_batch_of_outages() -> None:
    p = chain(TWO_N, TWO_N_LINKS, [("a", "b"), ("a", "")])
    out = Outages.of(p, [(), ("a",), ("b",), ("ua", "b"), ()])
    w = np.broadcast_to(np.array([[1000.0, 300.0]]), (5, 2)).copy()
    state = solve_power(p, supply(p, out.sets), out.index, Loads(w, w, w, w, w > 0.0), np.zeros((5, 0)))
    assert np.array_equal(state.cord_w.sum(axis=2), np.where(state.powered, w, 0.0))
    assert state.powered.tolist() == [[True, True], [True, False], [True, True], [False, False], [True, True]]
    assert np.array_equal(state.out_w[0], state.out_w[4])
    assert state.source_w == pytest.approx([1300.0, 1000.0, 1300.0, 0.0, 1300.0])
