"""Heat from racks to weather against rating points, closed forms, and what must happen when something is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.twin.sites import by_id, small_site
from topology.kinds import Cdu, Loop, Manifold
from topology.plant import Plant, plant
from topology.site import Site
from twin.loads import from_power, from_utilisation
from twin.solvers.laws import biquadratic, york_approach_k
from twin.solvers.plantside import YORK
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Loads, Outages, SteadyState

Floats = NDArray[np.float64]


def one_cdu(model: str, tcs_coolant: str, fws_coolant: str, supply_c: float, fws_c: float) -> Site:
    """The small site with one CDU of a model, air units and chiller left out, so that only the CDU acts."""
    base = small_site(racks=8, cdus=1, chiller=False)
    cdu = next(iter(base.cdus.values()))
    return base.with_(
        cdus=by_id(Cdu(id="cdu-1", model=model, loop="tcs-1", fws="fws-1", hall="hall-1", feed_a=cdu.feed_a, feed_b=cdu.feed_b)),
        loops=by_id(
            Loop(id="tcs-1", kind="tcs", coolant=tcs_coolant, supply_c=supply_c, dp_pa=150e3),
            Loop(id="fws-1", kind="fws", coolant=fws_coolant, supply_c=fws_c),
        ),
        manifolds=by_id(Manifold(id="manifold-1", loop="tcs-1", diameter_m=0.2)),
        air_units={},
        pumps={},
    )


def liquid_only(p: Plant, total_w: float) -> Loads:
    """Equal racks whose heat is all liquid."""
    w = np.full((1, p.racks.n), total_w / p.racks.n)
    return Loads(w, w, w / 1e3, w, np.ones_like(w, bool))


def at(p: Plant, loads: Loads, wet_c: float = 10.0, lost: tuple[str, ...] = ()) -> SteadyState:
    return solve_steady(p, loads, Ambient(np.array([wet_c])), Outages.of(p, [lost]))


def effectiveness(ntu: float, z: float) -> float:
    e = np.exp(-ntu * (1.0 - z))
    return float(ntu / (1.0 + ntu) if abs(1.0 - z) < 1e-9 else (1.0 - e) / (1.0 - z * e))


def reach_w_k(p: Plant, hot_kg_s: float, cold_kg_s: float) -> float:
    """Heat per kelvin of inlet difference of the first CDU, worked out from its rating beside the solver."""
    x = p.cdus
    ua = 2.0 * x.ua_w_k[0] / ((x.hot_kg_s[0] / hot_kg_s) ** x.hot_exponent[0] + (x.cold_kg_s[0] / cold_kg_s) ** x.cold_exponent[0])
    hot, cold = hot_kg_s * x.hot_cp_j_kg_k[0], cold_kg_s * x.cold_cp_j_kg_k[0]
    return float(effectiveness(ua / min(hot, cold), min(hot, cold) / max(hot, cold)) * min(hot, cold))


RATINGS = [
    ("deschutes-2mw", "water", "pg25", 2e6, 3.0, 26.8, 31.48),
    ("xdu1350", "pg25", "water", 1.35e6, 4.0, 32.0, 20.6),
    ("row-cdu-1000", "pg25", "water", 1e6, 5.0, 27.0, 25.3),
]


@pytest.mark.parametrize(("model", "tcs", "fws", "duty_w", "approach_k", "cold_c", "flow"), RATINGS)
def test_a_cdu_at_its_rating(model: str, tcs: str, fws: str, duty_w: float, approach_k: float, cold_c: float, flow: float) -> None:
    """Rated heat at rated flows with the valve open: the supply lies one approach above the facility supply."""
    site = one_cdu(model, tcs, fws, supply_c=cold_c + approach_k - 2.0, fws_c=cold_c)
    p = _with_flow(site, flow)
    own = at(p, liquid_only(p, 0.0))
    pump_w = own.flow.pump_w[0, 0]
    state = at(p, liquid_only(p, duty_w - pump_w))
    assert state.flow.cdu_kg_s[0, 0] == pytest.approx(flow, rel=1e-6)
    assert state.heat.cdu_w[0, 0] == pytest.approx(duty_w, rel=1e-9)
    assert state.heat.cdu_valve_frac[0, 0] == 1.0
    assert state.heat.cdu_supply_c[0, 0] - state.heat.loop_supply_c[0, 1] == pytest.approx(approach_k, rel=2e-3)


def _with_flow(site: Site, flow: float) -> Plant:
    """The plant with the header pressure at which the CDU sees a flow."""

    low, high = 1e3, 2e6
    p = plant(site)
    strong = replace(p, pumps=replace(p.pumps, shutoff_pa=np.where(p.pumps.cdu >= 0, 1e9, p.pumps.shutoff_pa)),
                     hydraulics=replace(p.hydraulics, floor_frac=np.zeros(p.pumps.n)))  # fmt: skip
    for _ in range(60):
        mid = 0.5 * (low + high)
        p = replace(strong, loops=replace(strong.loops, dp_pa=np.where(strong.loops.fws, strong.loops.dp_pa, mid)))
        got = at(p, liquid_only(p, 0.0)).flow.cdu_kg_s[0, 0]
        low, high = (mid, high) if got < flow else (low, mid)
    return p


def test_a_saturated_cdu_floats_up_as_the_closed_form_says() -> None:
    p = plant(one_cdu("row-cdu-1000", "pg25", "water", supply_c=26.0, fws_c=24.0))
    state = at(p, liquid_only(p, 900e3))
    q, m = state.heat.cdu_w[0, 0], state.flow.cdu_kg_s[0, 0]
    cold = state.heat.loop_supply_c[0, 1]
    back = cold + q / reach_w_k(p, m, p.cdus.cold_kg_s[0])
    assert state.heat.cdu_valve_frac[0, 0] == 1.0
    assert state.heat.loop_return_c[0, 0] == pytest.approx(back, rel=1e-9)
    assert state.heat.loop_supply_c[0, 0] == pytest.approx(back - q / (m * p.loops.cp_j_kg_k[0]), rel=1e-9)
    assert state.heat.loop_supply_c[0, 0] > 26.0


def test_a_valve_that_has_room_holds_the_set_point_with_the_flow_it_needs() -> None:
    p = plant(one_cdu("row-cdu-1000", "pg25", "water", supply_c=34.0, fws_c=24.0))
    state = at(p, liquid_only(p, 500e3))
    valve, m = state.heat.cdu_valve_frac[0, 0], state.flow.cdu_kg_s[0, 0]
    span = state.heat.loop_return_c[0, 0] - state.heat.loop_supply_c[0, 1]
    assert 0.0 < valve < 1.0
    assert state.heat.loop_supply_c[0, 0] == pytest.approx(34.0, abs=1e-9)
    assert reach_w_k(p, m, valve * p.cdus.cold_kg_s[0]) * span == pytest.approx(state.heat.cdu_w[0, 0], rel=1e-8)


def test_pump_work_heats_the_coolant() -> None:
    p = plant(one_cdu("row-cdu-1000", "pg25", "water", supply_c=34.0, fws_c=24.0))
    state = at(p, liquid_only(p, 500e3))
    assert state.flow.pump_w[0, 0] > 1e3
    assert state.heat.cdu_w[0, 0] == pytest.approx(500e3 + state.flow.pump_w[0, 0], rel=1e-12)


def test_unlike_cdus_share_one_return_and_mix_to_the_set_point() -> None:
    """One CDU on colder water and one that saturates: both see the same return, and the mix is what racks get."""
    base = small_site(racks=5, chiller=False)
    big = base.cdus["cdu-1"]
    xdu = Cdu(id="cdu-2", model="xdu1350", loop="tcs-1", fws="fws-1", hall="hall-1", feed_a=big.feed_a, feed_b=big.feed_b)
    p = plant(base.with_(cdus={**base.cdus, "cdu-2": xdu}))
    state = at(p, from_utilisation(p, 1.0), 20.0)
    heat, flow = state.heat, state.flow
    back, m = heat.loop_return_c[0, 0], flow.cdu_kg_s[0]
    assert m[0] != pytest.approx(m[1], rel=1e-3)
    assert heat.cdu_supply_c[0] == pytest.approx(back - heat.cdu_w[0] / (m * p.loops.cp_j_kg_k[0]), rel=1e-12)
    assert heat.loop_supply_c[0, 0] == pytest.approx((heat.cdu_supply_c[0] * m).sum() / m.sum(), rel=1e-12)


def test_rack_return_mixes_to_the_loop_return() -> None:
    p = plant(small_site(racks=5))
    state = at(p, from_power(p, np.array([[30e3, 60e3, 90e3, 120e3, 10e3]])), 20.0)
    m = state.flow.rack_kg_s[0]
    mixed = (m * state.heat.rack_return_c[0]).sum() / m.sum()
    pumps_k = state.flow.pump_w[0, p.pumps.cdu >= 0].sum() / (m.sum() * p.loops.cp_j_kg_k[0])
    assert state.heat.loop_return_c[0, 0] == pytest.approx(mixed + pumps_k, rel=1e-10)


def test_chip_temperature_by_hand() -> None:
    p = plant(small_site(racks=3))
    state = at(p, from_utilisation(p, 1.0), 20.0)
    racks = p.racks
    q = state.flow.rack_kg_s[0] * racks.plate_share_frac
    resistance = racks.r_base_k_w + racks.r_flow * q**-racks.r_exponent
    assert state.heat.chip_c[0] == pytest.approx(state.heat.loop_supply_c[0, 0] + resistance * state.loads.chip_w[0], rel=1e-12)


def test_a_hall_with_a_lost_fan_wall_is_cooled_by_the_other_until_that_is_full() -> None:
    p = plant(small_site(racks=5))
    loads = from_utilisation(p, 1.0)
    both, single = at(p, loads, 20.0), at(p, loads, 20.0, ("fan-wall-1",))
    assert both.heat.air_unit_w[0] == pytest.approx(both.heat.hall_w[0, 0] / 2.0)
    assert single.heat.air_unit_w[0, 0] == 0.0
    assert single.heat.air_unit_w[0, 1] == pytest.approx(single.heat.hall_w[0, 0])
    fan = single.power.gear_alive[0] & np.array([i.startswith("fan-wall") for i in p.gear.ids])
    assert fan.sum() == 1


def test_fan_power_goes_with_the_cube_of_speed_and_into_the_air() -> None:
    p = plant(small_site(racks=5))
    loads = from_utilisation(p, 1.0)
    state = at(p, loads, 20.0)
    air = (loads.rack_w - loads.liquid_w).sum() + p.cdus.aux_w.sum()
    speed = max(air / p.air_units.duty_w.sum(), p.air_units.fan_floor_frac[0])
    fans = 2.0 * p.air_units.fan_w[0] * speed**3
    assert state.heat.gear_w[0, p.air_units.gear].sum() == pytest.approx(fans, rel=1e-9)
    assert state.heat.hall_w[0, 0] == pytest.approx(air + fans, rel=1e-9)


NOTHING_COOLS = [
    (("tower-1", "tower-2"), "everything"),
    (("fws-pump-1", "fws-pump-2"), "everything"),
    (("cdu-1", "cdu-2"), "liquid"),
    (("fan-wall-1", "fan-wall-2"), "air"),
    (("tcs-1",), "liquid"),
    (("manifold-1",), "liquid"),
]


@pytest.mark.parametrize(("lost", "what"), NOTHING_COOLS)
def test_heat_that_nothing_carries_is_infinite_and_counted(lost: tuple[str, ...], what: str) -> None:
    p = plant(small_site(racks=5))
    state = at(p, from_utilisation(p, 0.8), 20.0, lost)
    heat, led = state.heat, state.ledger
    for name in heat.__dataclass_fields__:
        values = getattr(heat, name)
        assert not np.isnan(values).any(), name
    assert not heat.cooled.any()
    assert led.residual_frac[0] < 1e-9
    if what in ("everything", "liquid"):
        assert np.isinf(heat.chip_c).all()
        assert led.stranded_w[0] >= state.loads.liquid_w.sum() * (1.0 - 1e-12)
    if what in ("everything", "air"):
        assert np.isinf(heat.inlet_c).all()
    if what == "air":
        assert np.isfinite(heat.chip_c).all()
    if what == "liquid":
        assert np.isfinite(heat.inlet_c).all()
    if what == "everything":
        assert heat.tower_w.sum() == 0.0
        assert led.stranded_w[0] > state.loads.rack_w.sum()


@pytest.mark.parametrize("lost", ["tower-1", "fws-pump-1", "cdu-1", "chiller-1", "mech-a", "ups-b"])
def test_one_lost_leaves_heat_carried(lost: str) -> None:
    p = plant(small_site(racks=5))
    state = at(p, from_utilisation(p, 0.5), 18.0, (lost,))
    assert state.heat.cooled.all()
    assert np.isfinite(state.heat.chip_c).all()
    assert state.ledger.stranded_w[0] == 0.0


def test_tower_against_york() -> None:
    """At full fan the facility supply is wet bulb, approach of the correlation and the plate exchanger."""
    p = plant(small_site(racks=5, chiller=False))
    state = at(p, from_utilisation(p, 1.0), 26.0, ("tower-2",))
    t = p.towers
    assert state.heat.tower_fan_frac[0].tolist() == [1.0, 0.0]
    rejected = state.heat.tower_w[0, 0]
    span = max(rejected / (t.water_kg_s[0] * p.loops.cp_j_kg_k[1]), 1.1111)
    expected = 26.0 + york_approach_k(26.0, span, t.lg_ratio[0], YORK) + t.exchanger_k[0]
    assert state.heat.loop_supply_c[0, 1] == pytest.approx(expected, abs=1e-6)
    assert state.heat.tower_in_bounds[0, 0]


def test_tower_fans_slow_down_at_the_set_point() -> None:
    p = plant(small_site(racks=5, chiller=False))
    fans = [at(p, from_utilisation(p, 1.0), wet, ("tower-2",)).heat for wet in (13.0, 15.0, 16.0)]
    assert all(h.tower_in_bounds.all() for h in fans)
    assert all(h.loop_supply_c[0, 1] == pytest.approx(24.0, abs=1e-6) for h in fans)
    speeds = [h.tower_fan_frac[0, 0] for h in fans]
    assert speeds == sorted(speeds)
    assert 0.125 <= speeds[0] < speeds[2] < 1.0
    h, t = fans[2], p.towers
    span = h.tower_w[0, 0] / (t.water_kg_s[0] * p.loops.cp_j_kg_k[1])
    assert span > 1.1111
    assert york_approach_k(16.0, span, t.lg_ratio[0] / speeds[2], YORK) == pytest.approx(24.0 - 1.5 - 16.0, abs=1e-6)
    assert h.gear_w[0, t.gear[0]] == pytest.approx(t.fan_w[0] * speeds[2] ** 3 + t.pump_w[0], rel=1e-12)


def test_weather_beyond_the_correlation_is_reported() -> None:
    p = plant(small_site(racks=5))
    assert not at(p, from_utilisation(p, 1.0), 28.0).heat.tower_in_bounds.all()


def test_chiller_trims_to_the_set_point_by_its_curves() -> None:
    p = plant(small_site(racks=5))
    loads = from_utilisation(p, 1.0)
    state, bare = at(p, loads, 24.0), at(plant(small_site(racks=5, chiller=False)), loads, 24.0)
    assert bare.heat.loop_supply_c[0, 1] > 24.3
    assert state.heat.loop_supply_c[0, 1] == pytest.approx(24.0, abs=1e-6)
    k, taken = p.chillers, state.heat.chiller_w[0, 0]
    assert taken > 0.0
    condenser = 24.0 + taken / (state.flow.loop_kg_s[0, 1] * p.loops.cp_j_kg_k[1]) - p.towers.exchanger_k[0]
    condenser = min(condenser, k.condenser_c[0, 1])
    leaving = k.leaving_c[0, 1]
    assert leaving < 24.0
    assert not state.heat.chiller_in_bounds[0, 0]
    able = k.duty_w[0] * biquadratic(k.cap_f_t[0], leaving, condenser)
    load = taken / able
    assert load > k.part_load[0, 0]
    part = k.eir_f_plr[0] @ np.array([1.0, load, load * load])
    expected = able / k.cop[0] * biquadratic(k.eir_f_t[0], leaving, condenser) * part
    assert state.heat.gear_w[0, k.gear[0]] == pytest.approx(expected, rel=1e-9)
    assert state.heat.tower_w.sum() > bare.heat.tower_w.sum()


def test_liquid_to_air_gives_its_heat_to_the_hall() -> None:
    base = small_site(racks=4, sku="mtia-400", cdus=0)
    feeds: dict[str, Any] = {"feed_a": "mech-a", "feed_b": "mech-b"}
    units = by_id(*(Cdu(id=f"l2a-{k}", model="aalc-l2a-120", loop="tcs-1", hall="hall-1", **feeds) for k in range(4)))
    loops = {**base.loops, "tcs-1": Loop(id="tcs-1", kind="tcs", coolant="pg25", supply_c=40.0, dp_pa=100e3)}
    p = plant(base.with_(cdus=units, loops=loops))
    loads = liquid_only(p, 200e3)
    state = at(p, loads, 18.0)
    assert state.heat.cdu_w.sum() == pytest.approx(200e3 + state.flow.pump_w[0, p.pumps.cdu >= 0].sum(), rel=1e-9)
    assert state.heat.hall_w[0, 0] > state.heat.cdu_w.sum()
    assert state.heat.air_unit_w.sum() == pytest.approx(state.heat.hall_w[0, 0], rel=1e-9)
    fans = p.cdus.fan_w * state.heat.cdu_valve_frac[0] ** 3
    own = state.heat.gear_w[0, p.cdus.gear] - state.flow.pump_w[0, p.pumps.cdu >= 0]
    assert own == pytest.approx(fans + p.cdus.aux_w, rel=1e-9)
    hot = at(p, loads, 18.0, ("fan-wall-1", "fan-wall-2"))
    assert np.isinf(hot.heat.chip_c).all()
    assert not hot.heat.cooled.any()
