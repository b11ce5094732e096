"""Redundancy schemes through the steady solve: published vectors, unequal pairs, and declarations that do not hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agreements import Agreements
from tests.twin.test_phases import LOOP
from tests.twin.test_power import Cords, Spec, chain
from topology.kinds import Redundancy
from topology.plant import Plant, plant
from twin.loads import from_power
from twin.power.blocks import RECHARGE_FRAC, block_loads
from twin.power.schemes import Scheme, schemes
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages

WARM = Ambient(np.array([20.0]))
MW = 1e6
UTILITY: tuple[str, dict[str, float]] = ("utility", {})


def declared(spec: Spec, links: Sequence[tuple[str, ...]], cords: Cords, scheme: str, members: str, needed: int, **own: object) -> Plant:
    bare = chain(spec, links, cords)
    group = Redundancy(id="group", scheme=scheme, members=tuple(members.split()), needed=needed)
    return plant(bare.site.with_(redundancy={"group": group}, loops=LOOP, **own))


def of(p: Plant, watts: Sequence[float]) -> Scheme:
    [found] = schemes(p, from_power(p, np.array([watts])), WARM)
    return found


def ups(names: str, rating_w: float = MW) -> Spec:
    return {"u": UTILITY, **{n: ("ups", {"rating_w": rating_w}) for n in names}}


@pytest.mark.agreement
@pytest.mark.parametrize(
    ("units", "scheme", "needed", "normal", "worst", "used"),
    [(3, "3N/2", 2, 1.0, 1.5, 2 / 3), (4, "4N/3", 3, 1.5, 2.0, 0.75), (2, "2N", 1, 0.5, 1.0, 0.5)],
)
def test_distributed_redundancy(
    agreement: Agreements, units: int, scheme: str, needed: int, normal: float, worst: float, used: float
) -> None:
    """A load L on every pair of members, split equally; the rating is what the worst loss asks for."""
    names, load = "abcd"[:units], 200e3
    pairs = list(combinations(names, 2))
    p = declared(ups(names, worst * load), [("u", n) for n in names], pairs, scheme, " ".join(names), needed)
    found = of(p, [load] * len(pairs))
    assert found.holds
    assert found.pair_w == dict.fromkeys(pairs, load)
    off = max(max(abs(m.normal_w / load - normal), abs(m.worst_w / load - worst), abs(m.worst_frac - 1.0)) for m in found.members)
    agreement("power", f"{scheme}: load of a member before and after a loss, in L", f"closed form, {normal:g} L and {worst:g} L", off, 1e-9)
    share = len(pairs) * load / (units * worst * load)
    agreement("power", f"{scheme}: share of the installed power that may be used", "published utilisation", abs(share - used), 1e-9)


def test_unequal_pairs_are_found_by_pair() -> None:
    """3N/2 at 66.7 % in sum, but with one pair twice as heavy: its survivor is over its rating."""
    p = declared(ups("abc", 1.5 * MW), [("u", n) for n in "abc"], [("a", "b"), ("b", "c"), ("c", "a")], "3N/2", "a b c", 2)
    found = of(p, [2.0 * MW, 0.6 * MW, 0.4 * MW])
    members = {m.id: m for m in found.members}
    assert members["b"].worst_w == pytest.approx(2.3 * MW)
    assert members["b"].worst_after == "a"
    assert members["a"].worst_w == pytest.approx(2.2 * MW)
    assert found.pair_w == pytest.approx({("a", "b"): 2.0 * MW, ("a", "c"): 0.4 * MW, ("b", "c"): 0.6 * MW})
    assert any("b carries 153 % of its rating after the loss of a" in f for f in found.faults)


def test_a_rack_on_one_member_is_no_2n() -> None:
    p = declared(ups("ab"), [("u", "a"), ("u", "b")], [("a", "b"), ("a", "")], "2N", "a b", 1)
    faults = of(p, [100e3, 100e3]).faults
    assert any("without a, r1 below the group has no supply" in f for f in faults)
    assert any("r1 does not hang on two members" in f for f in faults)


CATCHER: Spec = {**ups("xyz"), "c": ("ups", {"rating_w": MW}), **{f"s{n}": ("sts", {}) for n in "xyz"}}


def behind(names: str, caught: str, reserve: str = "c") -> list[tuple[str, ...]]:
    links: list[tuple[str, ...]] = [("u", reserve), *(("u", n) for n in names), *((n, f"s{n}") for n in names)]
    return links + [(reserve, f"s{n}", "transfer") for n in caught]


def test_a_catcher_takes_one_block_and_its_rating_is_the_largest() -> None:
    p = declared(CATCHER, behind("xyz", "xyz"), [("sx", ""), ("sy", ""), ("sz", "")], "catcher", "x y z c", 3)
    found = of(p, [0.5 * MW, 0.9 * MW, 0.7 * MW])
    assert found.holds
    reserve = found.members[3]
    assert (reserve.reserve, reserve.normal_w, reserve.worst_w, reserve.worst_after) == (True, 0.0, pytest.approx(0.9 * MW), "y")
    over = of(p, [0.5 * MW, 1.2 * MW, 0.7 * MW])
    assert not over.holds


def test_a_block_without_its_switch_is_found() -> None:
    p = declared(CATCHER, behind("xyz", "xy"), [("sx", ""), ("sy", ""), ("sz", "")], "block", "x y z c", 3)
    faults = of(p, [0.5 * MW] * 3).faults
    assert any("without z, r2 below the group has no supply" in f for f in faults)
    assert any("no reserve takes over when z is lost" in f for f in faults)


def test_an_isolated_reserve_feeds_the_bypass_of_the_primaries_through_the_steady_solve() -> None:
    """Each primary's static switch has the reserve UPS behind it; the reserve's own bypass is the utility."""
    spec: Spec = {**ups("xy"), "c": ("ups", {"rating_w": MW, "loss_frac": 0.03}), "sx": ("sts", {}), "sy": ("sts", {}), "sc": ("sts", {})}
    links = [
        *(("u", n) for n in "xyc"),
        ("x", "sx"),
        ("y", "sy"),
        ("c", "sc"),
        ("u", "sc", "transfer"),
        *(("sc", f"s{n}", "transfer") for n in "xy"),
    ]
    p = declared(spec, links, [("sx", ""), ("sy", "")], "isolated", "x y c", 2)
    assert of(p, [0.6 * MW, 0.8 * MW]).holds
    loads = from_power(p, np.array([[0.6 * MW, 0.8 * MW]]))
    state = solve_steady(p, loads, WARM, Outages.of(p, [(), ("x",), ("x", "c"), ("x", "sc")]))
    at = {i: state.power.out_w[:, k] for k, i in enumerate(p.power.ids)}
    assert at["c"].tolist() == pytest.approx([0.0, 0.6 * MW, 0.0, 0.0])
    assert at["u"].tolist() == pytest.approx([1.4 * MW, 1.4 * MW + 0.03 * 0.6 * MW, 1.4 * MW, 0.8 * MW])
    assert state.power.powered.tolist() == [[True, True], [True, True], [True, True], [False, True]]


def test_parallel_modules_share_and_lone_ones_do_not() -> None:
    spec: Spec = {**ups("abc"), "m": ("switchboard", {})}
    parallel = declared(spec, [*(("u", n) for n in "abc"), *((n, "m") for n in "abc")], [("m", "")], "N+1", "a b c", 2)
    found = of(parallel, [1.8 * MW])
    assert found.holds
    assert [m.worst_frac for m in found.members] == pytest.approx([0.9] * 3)
    alone = declared(ups("abc"), [("u", n) for n in "abc"], [("a", ""), ("b", ""), ("c", "")], "N+1", "a b c", 2)
    assert any("not in parallel" in f for f in of(alone, [1e5] * 3).faults)


def test_a_reserve_that_always_works_is_no_catcher() -> None:
    p = declared(ups("ab"), [("u", "a"), ("u", "b")], [("a", "b")], "catcher", "a b", 1)
    assert any("no member stands by" in f for f in of(p, [1e5]).faults)


PAIR = st.sampled_from(["ab", "bc", "ca"])


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from(["ab", "bc", "ca"]), st.floats(1e3, 5e5)), min_size=1, max_size=6), st.randoms(use_true_random=False)
)
def test_the_order_of_racks_and_members_does_not_matter(rows: list[tuple[str, float]], shuffle: object) -> None:
    def loads_of(order: list[tuple[str, float]], members: str) -> dict[str, tuple[float, float]]:
        p = declared(ups("abc"), [("u", n) for n in "abc"], [(a, b) for (a, b), _ in order], "3N/2", members, 2)
        return {m.id: (m.normal_w, m.worst_w) for m in of(p, [w for _, w in order]).members}

    mixed = list(rows)
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = loads_of(rows, "a b c"), loads_of(mixed, "c a b")
    assert all(one[k] == pytest.approx(other[k]) for k in "abc")


def test_a_generator_takes_its_load_in_steps() -> None:
    """A UPS after its walk-in, a pump after its delay, a bare rack at once; on what the generator and the board's switch take."""
    spec: Spec = {
        "u": UTILITY, "g": ("generator", {"rating_w": MW, "start_s": 12.0}), "m": ("switchboard", {"transfer_s": 0.5}),
        "x": ("ups", {"rating_w": 600e3, "loss_frac": 0.05}),
    }  # fmt: skip
    links: list[tuple[str, ...]] = [("u", "m"), ("g", "m", "transfer"), ("m", "x")]
    bare = chain(spec, links, [("x", ""), ("m", "")], gear=[("m", "")])
    pumps = {i: replace(g, restart_delay_s=7.0) for i, g in bare.site.pumps.items()}
    p = plant(bare.site.with_(pumps=pumps))
    [found] = block_loads(p, from_power(p, np.array([[400e3, 50e3]])), WARM)
    state = solve_steady(p, from_power(p, np.array([[400e3, 50e3]])), WARM, Outages.of(p, [("u",)]))
    pump_w = float(state.heat.gear_w[0, 0])
    assert [s.after_s for s in found.steps] == pytest.approx([12.5, 19.5, 22.5] if pump_w else [12.5, 22.5])
    assert [s.elements for s in found.steps][-1] == ("x",)
    assert found.steps[0].power_w == pytest.approx(50e3)
    assert found.largest_w == pytest.approx(420e3 + RECHARGE_FRAC * 600e3)
    assert found.steps[-1].total_w == pytest.approx(float(state.power.out_w[0, 1]) + RECHARGE_FRAC * 600e3)
    assert found.holds
    small = plant(p.site.with_(power={**p.site.power, "g": replace(p.site.power["g"], rating_w=700e3)}))
    [tight] = block_loads(small, from_power(small, np.array([[400e3, 50e3]])), WARM)
    assert tight.largest_w > 0.6 * 700e3 and not tight.holds
