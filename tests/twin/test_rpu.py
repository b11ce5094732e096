"""The published controller of liquid-to-air units: its steps by hand, and where it settles as the steady solve says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.agreements import Agreements
from tests.twin.sites import by_id, small_site
from tests.twin.test_thermal import at, liquid_only
from topology.kinds import Cdu, Loop
from topology.plant import Plant, plant
from twin.exchangers import Unit, unit
from twin.solvers.rpu import AIR_STEPS, COOLANT_STEPS, FAN_SET_C, fan_step, floor_share, pump_step, step_duty


@pytest.mark.parametrize(("temp_c", "duty"), [(20.0, 5.0), (30.0, 5.0), (30.1, 7.0), (36.0, 17.0), (36.5, 19.0), (45.0, 19.0)])
def test_base_duty_by_air_inlet(temp_c: float, duty: float) -> None:
    """A row holds up to its temperature; above the last one the last one stays."""
    assert step_duty(AIR_STEPS, temp_c) == duty


@pytest.mark.parametrize(("temp_c", "duty"), [(34.0, 5.0), (38.0, 17.0), (40.0, 20.0), (41.1, 25.0), (41.5, 35.0), (43.0, 45.0)])
def test_further_duty_by_coolant_outlet(temp_c: float, duty: float) -> None:
    assert step_duty(COOLANT_STEPS, temp_c) == duty


def test_three_seconds_of_the_fans_by_hand() -> None:
    """Outlet 41 degC, air 29: steps 5 + 20; PID -15 (-1) = 15, integral 0.1 a second, derivative -0.01 (-1) once; decimals cut off."""
    duty, integral, error = fan_step(41.0, 29.0, FAN_SET_C, 0.0, 0.0)
    assert [duty, integral, error] == pytest.approx([25.0 + 15.0, 0.1, -1.0])
    for n in range(2, 11):
        duty, integral, error = fan_step(41.0, 29.0, FAN_SET_C, integral, error)
        assert integral == pytest.approx(0.1 * n)
    assert duty == 41.0, "after ten seconds the integral is worth one whole per cent"


def test_below_the_set_point_the_pid_rests_and_the_steps_stay() -> None:
    duty, integral, _ = fan_step(37.0, 29.0, FAN_SET_C, 0.2, 0.0)
    assert (duty, integral) == (5.0 + 14.0, 0.0)
    assert fan_step(20.0, 10.0, FAN_SET_C, 0.0, 0.0)[0] == 10.0


def test_duty_stops_at_full_and_the_integral_at_ninety() -> None:
    integral, error = 0.0, 0.0
    for _ in range(200):
        duty, integral, error = fan_step(60.0, 45.0, FAN_SET_C, integral, error)
    assert (duty, integral) == (100.0, 90.0)


def test_pumps_follow_a_flow() -> None:
    """41 L/min asked (40 and 1), 31.9 read as 31: 10 + whole of 0.5 x 10 + 0.3 + 0.1."""
    duty, integral, error = pump_step(31.9, 41.0, 0.0, 0.0)
    assert [duty, integral, error] == pytest.approx([20.0, 0.3, 10.0])
    for _ in range(200):
        duty, integral, error = pump_step(31.9, 41.0, integral, error)
    assert duty == 10.0 + 5.0 + int(integral)
    assert pump_step(400.0, 41.0, 0.0, 0.0)[0] == 20.0


def liquid_to_air(load_w: float, set_c: float = FAN_SET_C) -> tuple[Plant, Any]:
    """Four units on one loop in a hall at 24 degC."""
    base = small_site(racks=4, sku="mtia-400", cdus=0)
    feeds: dict[str, Any] = {"feed_a": "mech-a", "feed_b": "mech-b"}
    units = by_id(*(Cdu(id=f"l2a-{k}", model="aalc-l2a-120", loop="tcs-1", hall="hall-1", **feeds) for k in range(4)))
    loops = {**base.loops, "tcs-1": Loop(id="tcs-1", kind="tcs", coolant="pg25", supply_c=set_c, dp_pa=100e3)}
    p = plant(base.with_(cdus=units, loops=loops))
    return p, at(p, liquid_only(p, load_w), 15.0)


LAG_S = 60.0
"""Time constant of the exchanger's metal and of the sensor behind it; far from it the firmware's gains keep on swinging."""


def stepped(own: Unit, heat_w: float, flow_kg_s: float, air_c: float) -> tuple[float, float]:
    """Mean outlet and duty once the controller has run for two hours on a loop of 60 kg that carries a constant heat."""
    cp = float(own.x.hot_cp_j_kg_k[0])
    back, felt, duty, integral, error = 45.0, 40.0, 50.0, 0.0, 0.0
    late = []
    for second in range(9000):
        cold = duty / 100.0 * own.cold_kg_s
        taken = own.effectiveness(flow_kg_s, cold) * min(own.rates_w_k(flow_kg_s, cold)) * (back - air_c)
        felt += (back - taken / (flow_kg_s * cp) - felt) / LAG_S
        duty, integral, error = fan_step(felt, air_c, FAN_SET_C, integral, error)
        back += (heat_w - flow_kg_s * cp * (back - felt)) / (60.0 * cp)
        if second >= 7200:
            late.append((felt, duty))
    outlet, mean = np.array(late).mean(axis=0)
    return float(outlet), float(mean)


@pytest.mark.agreement
@pytest.mark.parametrize("load_w", [330e3, 240e3, 120e3, 50e3])
def test_the_steady_solve_is_where_the_controller_settles(load_w: float, agreement: Agreements) -> None:
    """Full load, where the fans hold 40 degC, down to a load at which the step duty alone cools below it."""
    p, state = liquid_to_air(load_w)
    own = unit(p, 0)
    flow, heat = state.flow.cdu_kg_s[0, 0], state.heat.cdu_w[0, 0]
    outlet, duty = stepped(own, heat, flow, state.heat.hall_supply_c[0, 0])
    what = f"liquid-to-air unit at {heat / own.duty_w:.0%} of its duty"
    against = "its published controller, stepped for two hours"
    agreement("heat", f"coolant outlet of a {what}", against, abs(outlet - state.heat.cdu_supply_c[0, 0]), 0.3, "K")
    agreement("heat", f"fan speed of a {what}", against, abs(duty / 100.0 - state.heat.cdu_valve_frac[0, 0]), 0.02, "of full speed")


def test_a_light_load_is_cooled_below_the_set_point_and_fans_keep_their_floor() -> None:
    _, light = liquid_to_air(50e3)
    _, heavy = liquid_to_air(330e3)
    assert heavy.heat.loop_supply_c[0, 0] == pytest.approx(40.0, abs=1e-9)
    assert light.heat.loop_supply_c[0, 0] < 39.0
    assert light.heat.cdu_valve_frac[0, 0] == pytest.approx(floor_share(light.heat.loop_supply_c[0, 0], 24.0), abs=0.03)
    assert light.ledger.residual_frac[0] < 1e-9
