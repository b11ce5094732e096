"""Dry coolers, chillers and economiser modes of a facility loop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agreements import Agreements
from tests.conftest import AskPeer
from tests.twin.sites import by_id, catalog, small_site
from topology.errors import SiteError, UsageError
from topology.kinds import Chiller, DryCooler
from topology.models import ChillerModel
from topology.plant import Plant, plant
from topology.site import Site
from twin.loads import from_power
from twin.solvers.chiller import Chillers, available_w, power_w, run_chillers
from twin.solvers.drycooler import crossflow_effectiveness, entering_c, rise_k_w, speed_for
from twin.solvers.outdoor import side_of
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages, SteadyState
from twin.weather import settled

FEEDS = {"feed_a": "mech-a", "feed_b": "mech-b"}
RATINGS = {
    "carrier-19xr-742": (5.56, 21.11),
    "mcquay-wsc-471": (8.89, 26.67),
    "carrier-19xr-1635": (8.89, 26.67),
    "york-ys-1758": (6.67, 29.44),
}
"""Leaving chilled and entering condenser temperature at which each record is rated (Modelica Buildings, ElectricEIR)."""


def dry_site(model: str = "dry-1000", coolers: int = 1, towers: bool = False, chillers: int = 0, fws_c: float = 40.0, **loop: Any) -> Site:
    """The small site with dry coolers on a warm facility loop."""
    base = small_site(racks=5, chiller=False)
    warm = {"tcs-1": replace(base.loops["tcs-1"], supply_c=fws_c + 8.0), "fws-1": replace(base.loops["fws-1"], supply_c=fws_c, **loop)}
    halls = {"hall-1": replace(base.halls["hall-1"], air_supply_c=fws_c + 8.0, air_limit_c=fws_c + 20.0)}
    return base.with_(
        loops=warm, halls=halls, towers=base.towers if towers else {},
        dry_coolers=by_id(*(DryCooler(id=f"dry-{k}", model=model, fws="fws-1", **FEEDS) for k in range(coolers))),
        chillers=by_id(*(Chiller(id=f"chiller-{k}", model="carrier-19xr-742", fws="fws-1", **FEEDS) for k in range(chillers))),
    )  # fmt: skip


def at(p: Plant, rack_w: float, wet_c: float, dry_c: float, lost: tuple[str, ...] = ()) -> SteadyState:
    load = from_power(p, np.full((1, p.racks.n), rack_w))
    return solve_steady(p, load, Ambient(np.array([wet_c]), np.array([dry_c])), Outages.of(p, [lost]))


@pytest.mark.agreement
def test_cross_flow_against_ht(ask_peer: AskPeer, agreement: Agreements) -> None:
    points = [(ntu, z) for ntu in (0.3, 1.0, 2.0, 4.0) for z in (0.2, 0.5, 0.8, 1.0)]
    theirs = ask_peer("ht_crossflow", points=points)["effectiveness"]
    ours = [crossflow_effectiveness(ntu, z) for ntu, z in points]
    apart = max(abs(a - b) for a, b in zip(ours, theirs["approximate"], strict=True))
    agreement("plant", "cross-flow effectiveness, both unmixed", "ht, the same correlation", apart, 1e-12)
    apart = max(abs(a - b) for a, b in zip(ours, theirs["exact"], strict=True))
    agreement("plant", "cross-flow effectiveness, both unmixed", "ht, exact series", apart, 0.02)


def test_a_dry_cooler_gives_its_rating_back() -> None:
    p = plant(dry_site())
    d, axis, cp = side_of(p).dry, p.dry_coolers, p.loops.cp_j_kg_k[1]
    assert rise_k_w(d, 0, cp, 1.0) * axis.duty_w[0] == pytest.approx(axis.approach_k[0], rel=1e-9)
    speed = speed_for(d, 0, cp, 0.5 * axis.duty_w[0], axis.approach_k[0])
    assert 0.3 < speed < 0.6
    assert rise_k_w(d, 0, cp, speed) * 0.5 * axis.duty_w[0] == pytest.approx(axis.approach_k[0], rel=1e-9)
    assert speed_for(d, 0, cp, 1.2 * axis.duty_w[0], axis.approach_k[0]) == 1.0
    with pytest.raises(SiteError, match="dry-0"):
        side_of(replace(p, dry_coolers=replace(axis, approach_k=axis.approach_k * 0.01, air_kg_s=axis.air_kg_s * 0.1)))


def test_dry_coolers_hold_the_set_point_until_the_air_is_too_warm() -> None:
    p = plant(dry_site())
    cool, warm, hot = (at(p, 80e3, 15.0, t) for t in (20.0, 30.0, 38.0))
    k = p.dry_coolers
    assert cool.heat.loop_supply_c[0, 1] == pytest.approx(40.0, abs=1e-6)
    assert cool.heat.dry_fan_frac[0, 0] < warm.heat.dry_fan_frac[0, 0] < 1.0
    assert cool.heat.gear_w[0, k.gear[0]] == pytest.approx(k.fan_w[0] * cool.heat.dry_fan_frac[0, 0] ** 3 + k.pump_w[0])
    heat = hot.heat.dry_w[0, 0]
    assert hot.heat.dry_fan_frac[0, 0] == 1.0
    assert hot.heat.loop_supply_c[0, 1] == pytest.approx(38.0 + heat * rise_k_w(side_of(p).dry, 0, p.loops.cp_j_kg_k[1], 1.0), abs=1e-6)
    assert hot.heat.loop_supply_c[0, 1] > 41.0
    assert hot.ledger.dry_out_w[0] == pytest.approx(heat)
    assert (hot.heat.dry_water_kg_s == 0.0).all()
    lost = at(p, 80e3, 15.0, 20.0, ("dry-0",))
    assert lost.ledger.stranded_w[0] > 0.0
    assert not lost.heat.cooled.any()


def test_pads_hold_what_dry_air_cannot_and_take_water_only_then() -> None:
    p, plain = plant(dry_site("adiabatic-1000")), plant(dry_site())
    cool, hot, dry = at(p, 80e3, 15.0, 20.0), at(p, 80e3, 22.0, 38.0), at(plain, 80e3, 22.0, 38.0)
    assert cool.heat.dry_water_kg_s[0, 0] == 0.0
    assert hot.heat.dry_water_kg_s[0, 0] > 0.0
    assert hot.heat.loop_supply_c[0, 1] == pytest.approx(40.0, abs=1e-6)
    assert dry.heat.loop_supply_c[0, 1] > 41.0
    d = side_of(p).dry
    assert entering_c(d, 0, 38.0, 22.0, True) == pytest.approx(38.0 - 0.75 * 16.0)
    air = p.dry_coolers.air_kg_s[0] * hot.heat.dry_fan_frac[0, 0]
    assert hot.heat.dry_water_kg_s[0, 0] / 1.5 == pytest.approx(air * 1006.0 * 12.0 / 2.44e6, rel=0.05)


def test_towers_take_what_dry_coolers_leave() -> None:
    p = plant(dry_site(towers=True))
    cool, warm, hot = (at(p, 120e3, 12.0, t) for t in (15.0, 36.0, 45.0))
    assert cool.heat.tower_w.sum() == 0.0
    assert not cool.heat.tower_on.any()
    assert cool.heat.gear_w[0, p.towers.gear].sum() == 0.0
    assert warm.heat.dry_w.sum() > 0.0 < warm.heat.tower_w.sum()
    assert hot.heat.dry_w.sum() == 0.0
    for state in (cool, warm, hot):
        assert state.heat.loop_supply_c[0, 1] == pytest.approx(40.0, abs=1e-6)


@pytest.mark.agreement
@pytest.mark.parametrize("name", RATINGS)
def test_chillers_at_the_rating_of_their_record(name: str, agreement: Agreements) -> None:
    k = chillers(name)
    leaving, condenser = RATINGS[name]
    apart = abs(available_w(k, 0, leaving, condenser) / k.duty_w[0] - 1.0)
    agreement("plant", f"capacity of {name} at its rating", "its EIR record, capFunT of 1", apart, 0.05)
    power = power_w(k, 0, leaving, condenser, available_w(k, 0, leaving, condenser))
    agreement("plant", f"power of {name} at its rating", "its EIR record, Q / COP", abs(power * k.cop[0] / k.duty_w[0] - 1.0), 0.05)


def chillers(name: str, count: int = 1) -> Chillers:
    model = catalog().entries["chiller_model"][name]
    assert isinstance(model, ChillerModel)
    base = small_site(chiller=False)
    p = plant(base.with_(chillers=by_id(*(Chiller(id=f"k{n}", model=name, fws="fws-1", **FEEDS) for n in range(count)))))
    return side_of(p).chillers


def run(k: Chillers, want: float, before: int = 0, condenser: float = 20.0) -> tuple[np.ndarray, np.ndarray, float]:
    n = k.duty_w.size
    heat, power, ok = np.zeros(n), np.where(np.arange(n) < before, 1.0, 0.0), np.ones(n, bool)
    took = run_chillers(k, np.arange(n), np.ones(n, bool), want, 8.0, condenser, heat, power, ok)
    return heat, power, took


def test_chillers_start_one_after_another_and_stop_with_room_to_spare() -> None:
    k = chillers("carrier-19xr-742", 3)
    able = available_w(k, 0, 8.0, 20.0) * k.part_load[0, 2]
    for want, before, count in (
        (0.0, 0, 0),
        (0.5 * able, 0, 1),
        (1.5 * able, 0, 2),
        (0.99 * able, 2, 2),
        (0.95 * able, 2, 1),
        (4.0 * able, 0, 3),
    ):
        heat, power, took = run(k, want, before)
        assert (heat > 0.0).sum() == (power > 0.0).sum() == count
        assert took == pytest.approx(min(want, 3.0 * able))
    assert run(k, 1.5 * able)[0][:2] == pytest.approx([0.75 * able] * 2)


def test_part_load_cycles_below_its_minimum_and_curves_hold_at_their_edge() -> None:
    k = chillers("carrier-19xr-742")
    able = available_w(k, 0, 8.0, 20.0)
    low = k.part_load[0, 0]
    full, half = power_w(k, 0, 8.0, 20.0, low * able), power_w(k, 0, 8.0, 20.0, 0.5 * low * able)
    assert half == pytest.approx(0.5 * full)
    assert power_w(k, 0, 8.0, 0.0, able) == power_w(k, 0, 8.0, k.condenser_c[0, 0], able)
    assert available_w(k, 0, 24.0, 20.0) == available_w(k, 0, k.leaving_c[0, 1], 20.0)


def modes(mode: str, wet: float, chillers: int = 2) -> SteadyState:
    base = small_site(racks=5)
    cold = {**base.loops, "fws-1": replace(base.loops["fws-1"], supply_c=14.0, economiser=mode)}
    own = by_id(*(Chiller(id=f"chiller-{k}", model="carrier-19xr-742", fws="fws-1", **FEEDS) for k in range(chillers)))
    return at(plant(base.with_(loops=cold, chillers=own)), 80e3, wet, wet + 5.0)


def test_economiser_modes() -> None:
    """Cold: none alone needs chillers. Between: series needs less of them than parallel. Hot: series needs more."""
    cold, mild, hot = ({m: modes(m, wet) for m in ("series", "parallel", "none")} for wet in (4.0, 12.2, 22.0))
    taken = {n: {m: float(s.heat.chiller_w.sum()) for m, s in x.items()} for n, x in (("cold", cold), ("mild", mild), ("hot", hot))}
    assert taken["cold"]["series"] == taken["cold"]["parallel"] == 0.0 < taken["cold"]["none"]
    assert 0.0 < taken["mild"]["series"] < 0.8 * taken["mild"]["parallel"]
    assert taken["mild"]["series"] < taken["hot"]["series"] <= taken["hot"]["none"] * (1.0 + 1e-6)
    assert taken["hot"]["parallel"] == pytest.approx(taken["hot"]["none"])
    for x in (cold, mild, hot):
        for state in x.values():
            assert state.heat.loop_supply_c[0, 1] == pytest.approx(14.0, abs=1e-6)
            assert state.ledger.residual_frac[0] < 1e-9
    for state in hot.values():
        loop = state.heat.tower_w.sum() - state.heat.gear_w[0, -2:].sum()
        assert state.heat.chiller_w.sum() <= loop * (1.0 + 1e-9)


def test_a_loop_without_economiser_and_without_chillers_is_stranded() -> None:
    state = modes("none", 10.0)
    assert state.heat.cooled.all()
    p = plant(small_site(racks=5).with_(loops={**small_site().loops, "fws-1": replace(small_site().loops["fws-1"], economiser="none")}))
    lost = at(p, 80e3, 10.0, 15.0, ("chiller-1",))
    assert lost.ledger.stranded_w[0] > 0.0
    assert not lost.heat.cooled.any()
    assert lost.ledger.residual_frac[0] < 1e-9


def test_reuse_takes_heat_before_the_towers() -> None:
    p = plant(dry_site(reuse_w=100e3))
    state, bare = at(p, 80e3, 15.0, 20.0), at(plant(dry_site()), 80e3, 15.0, 20.0)
    assert state.ledger.reuse_w[0] == pytest.approx(100e3)
    assert state.heat.dry_w.sum() == pytest.approx(bare.heat.dry_w.sum() - 100e3, rel=1e-3)
    assert at(p, 0.0, 15.0, 20.0).ledger.reuse_w[0] <= 100e3


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["dry-1000", "adiabatic-1000"]), st.integers(1, 3), st.booleans(), st.integers(0, 2),
    st.sampled_from(["series", "parallel", "none"]), st.sampled_from(["all", "fewest"]), st.floats(0.0, 2e5), st.floats(-25.0, 30.0),
    st.floats(0.0, 20.0), st.floats(12.0, 45.0), st.data(),
)  # fmt: skip
def test_any_plant_side_closes(
    model: str,
    coolers: int,
    towers: bool,
    chillers: int,
    mode: str,
    staging: str,
    rack_w: float,
    wet: float,
    apart: float,
    fws: float,
    data: st.DataObject,
) -> None:
    site = dry_site(model, coolers, towers, chillers, fws, economiser=mode, staging=staging)
    p = plant(site)
    lost = tuple(data.draw(st.lists(st.sampled_from([*site.towers, *site.dry_coolers, *site.chillers, "mech-a"]), max_size=3)))
    state = at(p, rack_w, wet, wet + apart, lost)
    led = state.ledger
    assert led.residual_frac[0] < 1e-9
    assert led.site_w[0] == pytest.approx(led.tower_out_w[0] + led.dry_out_w[0] + led.ambient_w[0] + led.stranded_w[0], rel=1e-9)
    for name in ("tower_water_kg_s", "dry_water_kg_s", "tower_fan_frac", "dry_fan_frac", "chiller_w", "dry_w", "tower_w"):
        values = getattr(state.heat, name)
        assert np.isfinite(values).all()
        assert (values >= 0.0).all()
    if state.heat.cooled.all() and not p.chillers.n:
        floor = min([wet] if towers else [], default=np.inf), wet + (0.0 if model.startswith("adiabatic") else apart)
        assert state.heat.loop_supply_c[0, 1] >= min(*floor, fws) - 1e-6


def test_weather_that_cannot_be_is_refused() -> None:
    p = plant(small_site(racks=1))
    for ambient, what in (
        (Ambient(np.array([20.0]), np.array([15.0])), "below its wet bulb"), (Ambient(np.array([np.nan])), "wet bulb"),
        (Ambient(np.array([290.0])), "check its unit"), (Ambient(np.array([20.0]), pressure_pa=np.array([1013.0])), "pressure"),
        (Ambient(np.array([20.0, 21.0]), np.array([25.0, 26.0, 27.0])), "rows"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=what):
            settled(p, ambient, 2)
    given = settled(p, Ambient(np.array([20.0])), 2)
    assert given.dry_bulb_c.tolist() == [31.0, 31.0]
    assert given.pressure_pa.tolist() == [101325.0] * 2
