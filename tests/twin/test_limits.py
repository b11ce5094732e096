"""Limits: their bounds by hand, and margins that mean what they say."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.twin.sites import small_site
from topology.generate import generate
from topology.plant import Plant, plant
from topology.site import Site
from twin.limits import LOST_MARGIN, Limits, limits
from twin.loads import from_nameplate, from_utilisation
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages, SteadyState


def at(p: Plant, lost: tuple[str, ...] = (), wet_c: float = 18.0) -> SteadyState:
    return solve_steady(p, from_nameplate(p), Ambient(np.array([wet_c])), Outages.of(p, [lost]))


def row(table: Limits, element: str, name: str) -> int:
    return next(k for k, pair in enumerate(zip(table.element, table.limit, strict=True)) if pair == (element, name))


def margins(p: Plant, state: SteadyState) -> dict[tuple[str, str], float]:
    table = limits(p)
    return dict(zip(zip(table.element, table.limit, strict=True), table.margins(table.values(state))[0].tolist(), strict=True))


@pytest.mark.parametrize("template", ["reference", "row", "frontier"])
def test_every_row_has_a_unit_an_element_and_room_above_its_reference(template: str) -> None:
    p = plant(generate(template))
    table = limits(p)
    k = len(table.element)
    assert len(table.limit) == len(table.unit) == table.bound.size == table.reference.size == k > 0
    assert np.isfinite(table.bound).all()
    assert (table.bound > table.reference).all()
    known = {*p.power.ids, *p.racks.ids, *p.cdus.ids, *p.pumps.ids, *p.loops.ids, *p.halls.ids}
    assert set(table.element) <= known
    assert len(set(zip(table.element, table.limit, strict=True))) == k
    state = solve_steady(p, from_utilisation(p, 0.5), Ambient(np.array([15.0])))
    assert table.values(state).shape == (1, k)


def test_margin_is_one_at_the_reference_and_nothing_at_the_limit() -> None:
    table = limits(plant(small_site()))
    assert table.margins(table.reference[None, :]) == pytest.approx(np.ones((1, table.bound.size)))
    assert table.margins(table.bound[None, :]) == pytest.approx(np.zeros((1, table.bound.size)), abs=1e-12)
    assert (table.margins(table.bound[None, :] + 1e-3) < 0.0).all()
    assert (table.margins(np.full((1, table.bound.size), np.inf)) == LOST_MARGIN).all()


def test_amperes_of_a_busway_by_hand() -> None:
    """Two cords a rack: after the loss of the other side the busway carries everything, at 80 % of 1,250 A."""
    p = plant(small_site(racks=4))
    table, lost = limits(p), at(p, ("busway-b",))
    k = row(table, "busway-a", "current")
    own, both = p.power.ids.index("busway-a"), at(p)
    va, volts = 4 * p.racks.budget_w[0] / p.racks.power_factor[0], math.sqrt(3.0) * 415.0
    amps = va / (volts * lost.power.voltage_frac[0, own])
    assert 0.99 < lost.power.voltage_frac[0, own] < both.power.voltage_frac[0, own] < 1.0
    assert table.bound[k] == 0.8 * 1250.0
    assert table.values(lost)[0, k] == pytest.approx(amps, rel=1e-12)
    assert table.margins(table.values(lost))[0, k] == pytest.approx(1.0 - amps / 1000.0, rel=1e-9)
    assert table.values(both)[0, k] == pytest.approx(va / 2.0 / (volts * both.power.voltage_frac[0, own]), rel=1e-12)


def test_a_rating_of_its_own_wins_and_is_derated_once() -> None:
    base = small_site()
    own = replace(base.power["busway-a"], rating_a=500.0, derate_frac=0.5)
    table = limits(plant(base.with_(power={**base.power, "busway-a": own})))
    assert table.bound[row(table, "busway-a", "current")] == 250.0
    assert table.bound[row(table, "busway-b", "current")] == 1000.0


def test_ups_has_both_kinds_of_power() -> None:
    p = plant(small_site(racks=4))
    table, state = limits(p), at(p)
    values = table.values(state)[0]
    w, va = values[row(table, "ups-a", "active power")], values[row(table, "ups-a", "apparent power")]
    busway = p.power.ids.index("busway-a")
    assert w == pytest.approx(2 * p.racks.budget_w[0] + state.power.loss_w[0, busway])
    reactive = 2 * p.racks.budget_w[0] * math.tan(math.acos(p.racks.power_factor[0]))
    reactive += state.power.loss_w[0, busway] * p.power.x_per_w[busway] / p.power.r_per_w[busway]
    assert va == pytest.approx(math.hypot(w, reactive))


def test_unpowered_racks_violate_their_supply_but_not_a_rack_that_is_itself_taken_out() -> None:
    p = plant(small_site(racks=3))
    dark, out = margins(p, at(p, ("busway-a", "busway-b"))), margins(p, at(p, ("r1",)))
    assert [dark[(f"r{k}", "power supply")] for k in (1, 2, 3)] == [LOST_MARGIN] * 3
    assert [out[(f"r{k}", "power supply")] for k in (1, 2, 3)] == [1.0] * 3


def test_temperatures_count_from_the_set_point() -> None:
    p = plant(small_site(racks=3))
    state = at(p)
    got = margins(p, state)
    chip, limit_c = state.heat.chip_c[0, 0], p.racks.chip_limit_c[0]
    assert got[("r1", "chip temperature")] == pytest.approx((limit_c - chip) / (limit_c - 32.0), rel=1e-12)
    assert got[("fws-1", "loop supply")] == pytest.approx(1.0)
    hot = margins(p, at(p, ("tower-1", "chiller-1"), wet_c=26.0))
    assert hot[("fws-1", "loop supply")] < 0.0


def test_heat_without_a_way_out_is_a_violation_of_everything_it_warms() -> None:
    got = margins(plant(small_site(racks=3)), at(plant(small_site(racks=3)), ("cdu-1", "cdu-2")))
    assert got[("r2", "heat removal")] == LOST_MARGIN
    assert got[("r2", "chip temperature")] == LOST_MARGIN
    assert got[("r2", "inlet air")] > 0.0


def test_cdu_heat_against_its_duty() -> None:
    p = plant(small_site(racks=5))
    state = at(p, ("cdu-2",))
    assert margins(p, state)[("cdu-1", "CDU heat")] == pytest.approx(1.0 - state.heat.cdu_w[0, 0] / 1e6, rel=1e-9)


def with_loop(site: Site, **changes: float) -> Plant:
    return plant(site.with_(loops={**site.loops, "tcs-1": replace(site.loops["tcs-1"], **changes)}))  # type: ignore[arg-type]


def test_flow_of_the_mains() -> None:
    p = with_loop(small_site(racks=4), flow_limit_kg_s=5.0)
    state = at(p)
    flow = state.flow.loop_kg_s[0, 0]
    assert flow > 5.0
    assert margins(p, state)[("tcs-1", "loop flow")] == pytest.approx(1.0 - flow / 5.0)
    assert ("fws-1", "loop flow") not in margins(p, state)


def test_header_pressure_has_ten_percent_of_room() -> None:
    """Pumps that reach 95 % of the set-point have used half of the band."""
    base = with_loop(small_site(racks=5))
    for share in (1.0, 0.95, 0.9, 0.8):
        state = at(base)
        flow = replace(state.flow, loop_dp_pa=state.flow.loop_dp_pa * share)
        got = margins(base, replace(state, flow=flow))[("tcs-1", "header pressure")]
        assert got == pytest.approx(1.0 - (1.0 - share) / 0.1, abs=1e-9)


def test_a_position_that_takes_less_than_its_rack() -> None:
    base = small_site(racks=2)
    tight = replace(base.positions["p1"], max_power_w=100e3)
    p = plant(base.with_(positions={**base.positions, "p1": tight}))
    got = margins(p, at(p))
    assert got[("r1", "position power")] == pytest.approx(1.0 - p.racks.budget_w[0] / 100e3)
    assert ("r2", "position power") not in got
