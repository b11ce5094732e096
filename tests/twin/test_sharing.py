"""How much the split between two cords may be off, and where that can be felt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.test_phases import LOOP
from tests.twin.test_power import LOSS, TWO_N, TWO_N_LINKS, Spec, chain
from topology.plant import Plant, plant
from twin.limits import limits
from twin.loads import from_power
from twin.power.sharing import ShareSpread, share_spread
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages, SteadyState

WARM = Ambient(np.array([20.0]))


def corded(base: Plant, **own: object) -> Plant:
    racks = {i: replace(r, **own) for i, r in base.site.racks.items()}  # type: ignore[arg-type]
    return plant(base.site.with_(racks=racks, loops=LOOP))


def solve(p: Plant, watts: list[float], lost: tuple[str, ...] = ()) -> SteadyState:
    return solve_steady(p, from_power(p, np.array([watts])), WARM, Outages.of(p, [lost]))


def by_id(p: Plant, spread: ShareSpread) -> dict[str, tuple[float, float]]:
    return {i: (float(spread.low_w[0, k]), float(spread.high_w[0, k])) for k, i in enumerate(p.power.ids)}


def test_the_spread_of_each_rack_adds_up_on_its_feeds() -> None:
    p = corded(chain(TWO_N, TWO_N_LINKS, [("a", "b")] * 3), share_a_spread_frac=0.1)
    got = by_id(p, share_spread(p, solve(p, [1000.0, 2000.0, 3000.0])))
    assert got["a"] == pytest.approx((600.0, 600.0))
    assert got["ub"] == pytest.approx((600.0, 600.0))


def test_nobody_shares_on_one_cord() -> None:
    p = corded(chain(TWO_N, TWO_N_LINKS, [("a", "b"), ("a", "")]), share_a_spread_frac=0.1)
    assert by_id(p, share_spread(p, solve(p, [1000.0, 500.0])))["a"] == pytest.approx((100.0, 100.0))
    after = share_spread(p, solve(p, [1000.0, 500.0], ("b",)))
    assert after.low_w.max() == after.high_w.max() == 0.0


def test_cold_supplies_may_put_everything_on_either_cord() -> None:
    p = corded(chain(TWO_N, TWO_N_LINKS, [("a", "b")], share_a=0.3), supply_mode="cold")
    got = by_id(p, share_spread(p, solve(p, [1000.0])))
    assert got["a"] == pytest.approx((300.0, 700.0))
    assert got["b"] == pytest.approx((700.0, 300.0))


def test_a_parent_of_both_cords_knows_its_load() -> None:
    spec: Spec = {"u": ("utility", {}), "m": ("switchboard", {}), "a": ("pdu", {}), "b": ("pdu", {})}
    p = corded(chain(spec, [("u", "m"), ("m", "a"), ("m", "b")], [("a", "b")]), share_a_spread_frac=0.2)
    got = by_id(p, share_spread(p, solve(p, [1000.0])))
    assert (*got["a"], *got["b"]) == pytest.approx((200.0,) * 4)
    assert (*got["m"], *got["u"]) == pytest.approx((0.0,) * 4, abs=1e-9)


SIDE = st.sampled_from("abc")


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.floats(0.0, 5e3), st.floats(0.0, 0.2)), min_size=1, max_size=6)
)
def test_no_share_within_its_spread_leaves_the_interval(rows: list[tuple[str, str, float, float]]) -> None:
    """3N/2 with lossy UPSs: each rack's share at either end of its spread, all of them together and each alone."""
    rows = [(a, b if b != a else "abc"["abc".index(a) - 1], w, s) for a, b, w, s in rows]
    spec: Spec = {"u": ("utility", {}), **{x: ("ups", {**LOSS, "loss_quad_per_w": 1e-7}) for x in "abc"}}
    bare = chain(spec, [("u", x) for x in "abc"], [(a, b) for a, b, _, _ in rows])
    racks = {i: replace(r, share_a_spread_frac=s) for (i, r), (_, _, _, s) in zip(bare.site.racks.items(), rows, strict=True)}
    p = plant(bare.site.with_(racks=racks, loops=LOOP))
    watts = [w for _, _, w, _ in rows]
    normal = solve(p, watts)
    spread = share_spread(p, normal)
    for ends in (lambda k: 1.0, lambda k: -1.0, lambda k: 1.0 if k % 2 else -1.0):
        moved = {i: replace(r, share_a_frac=0.5 + ends(k) * rows[k][3]) for k, (i, r) in enumerate(racks.items())}
        other = solve(plant(p.site.with_(racks=moved)), watts)
        off = other.power.out_w - normal.power.out_w
        room = 1e-6 + 2e-3 * spread.high_w
        assert (off[0, 1:] <= spread.high_w[0, 1:] + room[0, 1:]).all()
        assert (-off[0, 1:] <= spread.low_w[0, 1:] + room[0, 1:]).all()


def test_limits_may_take_the_worst_share() -> None:
    spec: Spec = {**TWO_N, "a": ("ups", {"rating_w": 540.0}), "b": ("ups", {"rating_w": 2000.0})}
    p = corded(chain(spec, TWO_N_LINKS, [("a", "b")]), share_a_spread_frac=0.1)
    state = solve(p, [1000.0])
    plain, worst = limits(p), limits(p, worst_share=True)
    row = plain.element.index("a")
    assert plain.values(state)[0, row] == pytest.approx(500.0)
    assert worst.values(state)[0, row] == pytest.approx(600.0)
    assert plain.margins(plain.values(state))[0, row] > 0.0 > worst.margins(worst.values(state))[0, row]
