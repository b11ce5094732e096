"""Rear doors: they keep the room neutral until their water cannot, and what they leave goes to the hall."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.twin.sites import small_site
from tests.twin.test_thermal import effectiveness
from topology.check import check_site
from topology.kinds import AirUnit
from topology.plant import Plant, plant
from topology.site import Site
from twin.loads import from_utilisation
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages, SteadyState


def with_doors(racks: int = 3, doors: int = 3, sku: str = "hgx-h100", **model: float) -> Site:
    """Air-cooled racks with a rear door of 50 kW each behind them."""
    base = small_site(racks=racks, sku=sku)
    entries = {k: dict(v) for k, v in base.catalog.entries.items()}
    fan_wall = entries["air_unit_model"]["fan-wall-400"]
    figures = {"duty_w": 50e3, "approach_k": 4.0, "air_flow_kg_s": 3.3, "water_flow_kg_s": 1.2, "fan_w": 900.0, **model}
    entries["air_unit_model"]["door-50"] = replace(fan_wall, name="door-50", **figures)  # type: ignore[arg-type]
    units = {
        f"door-{n}": AirUnit(
            id=f"door-{n}", model="door-50", hall="hall-1", fws="fws-1", feed_a="mech-a", feed_b="mech-b", position=f"p{n}"
        )
        for n in range(1, doors + 1)
    }
    loops = {**base.loops, "fws-1": replace(base.loops["fws-1"], supply_c=16.0)}
    return base.with_(catalog=replace(base.catalog, entries=entries), air_units={**base.air_units, **units}, loops=loops)


def at(p: Plant, lost: tuple[str, ...] = ()) -> SteadyState:
    return solve_steady(p, from_utilisation(p, 1.0), Ambient(np.array([8.0])), Outages.of(p, [lost]))


def door(p: Plant, n: int = 1) -> int:
    return p.air_units.ids.index(f"door-{n}")


def test_a_door_with_room_takes_what_its_rack_gives_to_the_air() -> None:
    p = plant(with_doors())
    state = at(p)
    k = door(p)
    speed = state.loads.rack_w[0, 0] / 50e3
    assert state.heat.air_unit_w[0, k] == pytest.approx(state.loads.rack_w[0, 0] + 900.0 * speed**3, rel=1e-9)
    assert state.heat.hall_w[0, 0] < 0.05 * state.loads.rack_w.sum()
    assert state.ledger.residual_frac[0] < 1e-9
    bare = at(plant(small_site(racks=3, sku="hgx-h100")))
    assert state.heat.air_unit_w[0, :2].sum() < 0.1 * bare.heat.air_unit_w[0, :2].sum()


def test_a_door_short_of_water_gives_what_its_exchanger_can() -> None:
    p = plant(with_doors(water_flow_kg_s=0.55, approach_k=14.0))
    state = at(p)
    x, k, heat = p.air_units, door(p), state.heat
    speed = state.loads.rack_w[0, 0] / 50e3
    hot, cold = x.hot_kg_s[k] * speed, x.cold_kg_s[k]
    ua = 2.0 * x.ua_w_k[k] / ((x.hot_kg_s[k] / hot) ** 0.8 + 1.0)
    ch, cc = hot * x.hot_cp_j_kg_k[k], cold * x.cold_cp_j_kg_k[k]
    reach = effectiveness(ua / min(ch, cc), min(ch, cc) / max(ch, cc)) * min(ch, cc)
    entering = heat.hall_supply_c[0, 0] + (state.loads.rack_w[0, 0] + 900.0 * speed**3) / ch
    assert heat.air_unit_w[0, k] == pytest.approx(reach * (entering - heat.loop_supply_c[0, 1]), rel=1e-9)
    left = state.loads.rack_w[0, 0] + 900.0 * speed**3 - heat.air_unit_w[0, k]
    assert left > 1e3
    assert heat.hall_w[0, 0] > 3.0 * left
    assert state.ledger.residual_frac[0] < 1e-9


def test_a_lost_door_leaves_its_rack_to_the_fan_walls() -> None:
    p = plant(with_doors())
    both, lost = at(p), at(p, ("door-2",))
    assert lost.heat.air_unit_w[0, door(p, 2)] == 0.0
    assert lost.heat.hall_w[0, 0] - both.heat.hall_w[0, 0] == pytest.approx(both.loads.rack_w[0, 1], rel=0.02)
    assert lost.heat.cooled.all()


def test_doors_alone_cool_a_hall_and_what_they_leave_is_vented() -> None:
    base = with_doors()
    p = plant(base.with_(air_units={k: v for k, v in base.air_units.items() if k.startswith("door")}))
    state = at(p)
    assert state.heat.cooled.all()
    assert state.heat.hall_supply_c[0, 0] == p.halls.air_supply_c[0]
    assert state.ledger.stranded_w[0] == 0.0 and state.ledger.residual_frac[0] < 1e-9


def test_a_door_behind_nothing_rests() -> None:
    p = plant(with_doors(racks=2, doors=3))
    state = at(p)
    assert state.heat.air_unit_w[0, door(p, 3)] == 0.0
    assert state.heat.gear_w[0, p.air_units.gear[door(p, 3)]] == 0.0


def test_a_door_in_another_hall_or_a_second_one_is_a_finding() -> None:
    site = with_doors()
    twice = replace(site.air_units["door-2"], position="p1")
    found = [f.message for f in check_site(site.with_(air_units={**site.air_units, "door-2": twice}))]
    assert any("has a rear door, 'door-1'" in m for m in found)
