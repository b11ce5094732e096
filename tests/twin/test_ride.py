"""Rides: at rest nothing moves, energy closes, halving the step converges, and the end is what the steady solver says."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.agreements import Agreements
from tests.twin.sites import small_site
from topology.errors import SolveError, UsageError
from topology.inertia import inertia
from topology.kinds import PowerElement, PowerLink
from topology.plant import Plant, plant
from twin.loads import from_utilisation
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages
from twin.transient.events import parse
from twin.transient.outcome import outcome
from twin.transient.ride import Plan, Trajectory, ride
from twin.transient.swing import SUPPLY_HZ, UPS_HZ, attenuation, swing

WEATHER = Ambient(np.array([17.0]))


@cache
def small() -> Plant:
    return plant(small_site())


@cache
def with_generators(battery_s: float = 300.0) -> Plant:
    """The small site with a generator behind each utility and batteries of a given time."""
    site = small_site()
    power = {i: (replace(e, battery_s=battery_s) if e.kind == "ups" else e) for i, e in site.power.items()}
    links = list(site.power_links)
    for side in "ab":
        power[f"gen-{side}"] = PowerElement(id=f"gen-{side}", kind="generator", model="generator-2500", start_s=12.0)
        links += [PowerLink(parent=f"gen-{side}", child=f"{c}-{side}", role="transfer") for c in ("ups", "mech")]
    return plant(site.with_(power=power, power_links=tuple(links)))


def go(where: Plant, events: list[str], for_s: float, step_s: float = 1.0, load: float = 0.8, **plan: float | bool) -> Trajectory:
    settings = Plan(for_s, step_s, levels=lambda u: from_utilisation(where, u), **plan)  # type: ignore[arg-type]
    return ride(where, from_utilisation(where, load), WEATHER, parse(where, events, for_s), settings)


def test_without_an_event_nothing_moves() -> None:
    trip = go(small(), [], 300.0)
    w, heat = trip.written, trip.start.heat
    for values in (
        w.chip_c,
        w.outlet_c,
        w.loop_supply_c,
        w.loop_return_c,
        w.hall_supply_c,
        w.loop_kg_s,
        w.loop_dp_pa / 1e4,
        w.reject_w / 1e6,
    ):
        assert np.abs(values - values[0]).max() < 1e-6
    assert np.abs(w.chip_c[-1] - heat.chip_c[0]).max() < 1e-6
    assert np.abs(w.loop_return_c[-1] - heat.loop_return_c[0]).max() < 1e-6
    assert np.isinf(trip.limit_s).all()
    assert outcome(trip).first is None


@pytest.mark.agreement
@pytest.mark.parametrize("lost", ["cdu-2", "tower-1", "fan-wall-1"])
def test_a_long_ride_ends_where_the_steady_solver_does(agreement: Agreements, lost: str) -> None:
    trip = go(small(), [f"t=0 lose {lost}"], 6 * 3600.0, 600.0)
    end = solve_steady(small(), from_utilisation(small(), 0.8), WEATHER, Outages.of(small(), [[lost]]))
    apart = max(
        float(np.abs(trip.written.chip_c[-1] - end.heat.chip_c[0]).max()),
        float(np.abs(trip.written.loop_supply_c[-1] - end.heat.loop_supply_c[0]).max()),
        float(np.abs(trip.written.hall_supply_c[-1] - end.heat.hall_supply_c[0]).max()),
    )
    agreement("time", f"six hours after losing {lost}", "the steady solver", apart, 0.02, "K")


@pytest.mark.agreement
def test_energy_closes_over_a_ride_with_everything_in_it(agreement: Agreements) -> None:
    events = ["t=5 lose cdu-1", "t=30 load 1 over 20s", "t=60 lose fws-pump-1", "t=90 restore cdu-1", "t=120 utility", "t=400 lose tower-2"]
    trip = go(with_generators(), events, 900.0, 3.0)
    agreement("time", "energy of a ride with six events", "stored + in - out", trip.closure_frac, 1e-9)
    for name in ("chip_c", "outlet_c", "loop_supply_c", "loop_return_c", "loop_kg_s", "hall_supply_c", "reject_w", "gear_w"):
        assert np.isfinite(getattr(trip.written, name)).all(), name


@pytest.mark.agreement
def test_halving_the_step_quarters_the_error(agreement: Agreements) -> None:
    def at(step: float) -> np.ndarray:
        trip = go(small(), ["t=10 load 0.3 over 40s"], 80.0, 1.0, solver_step_s=step, fine_step_s=step)
        return np.concatenate([trip.written.chip_c[-1], trip.written.outlet_c[-1]])

    one, two, four, best = at(1.0), at(0.5), at(0.25), at(0.0625)
    errors = [float(np.abs(x - best).max()) for x in (one, two, four)]
    order = math.log2(errors[0] / errors[1]), math.log2(errors[1] / errors[2])
    agreement("time", "order of convergence, a whole plant", "step halving", 2.0 - min(order), 0.3, "order")
    assert errors[0] < 0.02


@pytest.mark.agreement
def test_without_heat_rejection_a_loop_warms_up_as_what_it_stores_says(agreement: Agreements) -> None:
    """The facility loop is shut: heat of racks and pumps over plates, coolant and exchangers of the TCS loop."""
    where = small()
    trip = go(where, ["t=0 lose fws-1"], 800.0, shutdown=False)
    mass, x = inertia(where), where.loops.ids.index("tcs-1")
    cp, rho = where.loops.cp_j_kg_k[x], where.loops.rho_kg_m3[x]
    m = where.manifolds
    pipe = np.pi * m.diameter_m[0] ** 2 / 4 * rho * 2 * (m.lead_m[0] + m.spacing_m[0] * (m.place.max() - 1))
    coolant = 2 * mass.mains_kg[x] + pipe + (mass.plate_kg + mass.rack_kg).sum() + mass.cdu_hot_kg.sum()
    stored = coolant * cp + mass.plate_j_k.sum() + mass.cdu_wall_j_k.sum()
    heat = trip.start.loads.liquid_w[0].sum() + trip.start.flow.pump_w[0, where.pumps.cdu >= 0].sum()
    rate = (trip.written.loop_return_c[800, x] - trip.written.loop_return_c[300, x]) / 500.0
    agreement("time", "warming of a loop without heat rejection", "heat over heat capacity", abs(rate * stored / heat - 1.0), 0.02)
    loss = next(v for v in outcome(trip).loops if v.loop == "tcs-1")
    assert loss.mode == "loss of heat rejection" and loss.first_limit_s < 200.0


def test_loss_of_flow_is_quicker_than_loss_of_heat_rejection() -> None:
    flow, sink = (go(small(), [e], 300.0) for e in ("t=0 lose tcs-1", "t=0 lose fws-1"))
    wet = small().racks.manifold >= 0
    assert np.isfinite(flow.limit_s[wet, 0]).all()
    assert flow.limit_s[wet, 0].max() < 0.5 * min(sink.limit_s[wet, 0].min(), 300.0)
    assert next(v for v in outcome(flow).loops if v.loop == "tcs-1").mode.startswith("loss of flow")
    assert (flow.limit_s[wet, 5] > flow.limit_s[wet, 0]).all() and not flow.rack_on[wet].any()
    assert flow.written.rack_w[-1].sum() == 0.0


def test_a_cdu_that_comes_back_in_time_saves_its_racks() -> None:
    lost = go(small(), ["t=10 lose cdu-1 cdu-2"], 200.0)
    saved = go(small(), ["t=10 lose cdu-1 cdu-2", "t=12 restore cdu-1 cdu-2"], 200.0)
    assert np.isfinite(lost.limit_s[:, 0]).any() and np.isinf(saved.limit_s[:, 0]).all()
    assert any("starts again" in h.what for h in saved.happenings)


def test_capping_in_time_delays_the_limit() -> None:
    bare, capped = go(small(), ["t=0 lose fws-1"], 400.0), go(small(), ["t=0 lose fws-1", "t=5 cap 0.3"], 400.0)
    assert capped.limit_s.min() > 1.5 * bare.limit_s.min()


def test_generators_bring_pumps_back_and_batteries_carry_the_racks() -> None:
    trip = go(with_generators(), ["t=10 utility"], 300.0)
    what = {(h.element, h.what) for h in trip.happenings}
    assert ("gen-a", "starts, takes load at t=22 s") in what
    assert any(e == "ups-a" and w.startswith("on battery") for e, w in what)
    again = {h.element: h.time_s for h in trip.happenings if h.what == "starts again"}
    assert again["cdu-1"] == pytest.approx(22.0 + 0.1 + 5.0, abs=0.2)
    assert trip.rack_on.all()
    told = outcome(trip)
    assert any("gen-a starts" in line for line in told.saved)


def test_racks_go_off_when_the_battery_is_empty_and_cool_down() -> None:
    where = with_generators(20.0)
    trip = go(where, ["t=5 lose utility gen-a gen-b"], 600.0, shutdown=False)
    empty = [h.time_s for h in trip.happenings if h.what == "battery empty"]
    ups = where.power.ids.index("ups-a")
    out_w = trip.start.power.out_w[0, ups]
    assert empty and empty[0] == pytest.approx(5.0 + where.power.battery_j[ups] / out_w, rel=0.02)
    assert not trip.rack_on.any()
    at = int(empty[0]) + 2
    assert trip.written.rack_w[at].sum() == 0.0
    assert (trip.written.chip_c[-1] <= trip.written.chip_c[at] + 1e-9).all()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("t=1 lose cdu-9", "cdu-"), ("t=1 loose cdu-1", "did you mean lose"), ("lose cdu-1", "no time"), ("t=1 lose", "names no element"),
        ("t=999 lose cdu-1", "after the end"), ("t=1 load 1.5", "outside 0 to 1"), ("t=1 load x", "not a number"),
        ("t=1 swing 50Hz 0.3", "between 0.1 and 20 Hz"), ("t=1 cap 0.5 for 3", "cannot be read"),
    ],
)  # fmt: skip
def test_an_event_that_cannot_be_is_refused_with_the_way_out(text: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        parse(small(), [text], 600.0)


def test_a_ride_needs_a_steady_start_and_a_step() -> None:
    hot = plant(small_site().with_(cdus={}, pumps={}))
    with pytest.raises(SolveError, match="steady state"):
        go(hot, [], 10.0)
    with pytest.raises(UsageError, match="above zero"):
        go(small(), [], 10.0, 0.0)


def test_one_pump_of_a_cdu_is_not_the_whole_cdu() -> None:
    trip = go(small(), ["t=5 lose cdu-1/pumps"], 120.0)
    x = small().loops.ids.index("tcs-1")
    assert trip.written.loop_kg_s[-1, x] == pytest.approx(trip.written.loop_kg_s[0, x], rel=1e-3)


def test_a_swing_is_damped_on_its_way_to_the_utility() -> None:
    start = go(small(), [], 1.0).start
    found = [swing(small(), start, f, 0.5) for f in (0.1, 1.0, 10.0)]
    assert found[0].utility_w > found[1].utility_w > found[2].utility_w > 0.0
    assert found[0].chips_w == found[2].chips_w
    both = attenuation(1.0, SUPPLY_HZ) * attenuation(1.0, UPS_HZ)
    assert found[1].utility_w == pytest.approx(found[1].racks_w / attenuation(1.0, SUPPLY_HZ) * both, rel=1e-9)
