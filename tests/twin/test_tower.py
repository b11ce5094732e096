"""Cooling tower cells: York and Merkel, each against something we did not write, and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq

from tests.agreements import Agreements
from tests.twin.air import library
from tests.twin.sites import small_site
from topology.plant import plant
from twin.loads import from_power
from twin.solvers.laws import YORK_APPROACH_K, york_approach_k
from twin.solvers.moistair import enthalpy_j_kg, humidity_kg_kg
from twin.solvers.outdoor import RATING_PA, makeup_kg_s, side_of
from twin.solvers.plantside import YORK
from twin.solvers.steady import solve_steady
from twin.solvers.tower import Towers, air_flow_kg_s, evaporation_kg_s, merkel_approach_k, merkel_w, run_cell
from twin.state import Ambient

CP = 4181.0


@pytest.fixture(scope="module")
def towers() -> Towers:
    return side_of(plant(small_site(racks=1))).towers


def saturated_j_kg(temp_c: float, pressure_pa: float = RATING_PA) -> float:
    return float(library().GetSatAirEnthalpy(temp_c, pressure_pa))


def merkel_number(wet_c: float, range_k: float, approach_k: float, ratio: float, points: str = "quad") -> float:
    """Merkel's integral of c dT / (h_s - h) from water out to water in, by quadrature or by the four points of Chebyshev (CTI)."""
    out_c, entering = wet_c + approach_k, saturated_j_kg(wet_c)

    def inverse(temp_c: float) -> float:
        return CP / (saturated_j_kg(temp_c) - entering - ratio * CP * (temp_c - out_c))

    if min(1.0 / inverse(out_c + x * range_k) for x in np.linspace(0.0, 1.0, 21)) <= 0.0:
        return 1e3
    if points == "quad":
        return float(quad(inverse, out_c, out_c + range_k, epsabs=0.0, epsrel=1e-10)[0])
    return range_k / 4.0 * sum(inverse(out_c + x * range_k) for x in (0.1, 0.4, 0.6, 0.9))


GRID = [(wet, span, speed) for wet in (2.0, 12.0, 20.0, 26.0) for span in (2.0, 5.0, 8.0, 12.0) for speed in (0.75, 1.0)]


@pytest.mark.agreement
def test_merkel_against_its_integral(towers: Towers, agreement: Agreements) -> None:
    """The approach at which the integral, by quadrature with PsychroLib's enthalpies, gives the tower's Merkel number."""
    for points, against in (("quad", "Merkel integral by quadrature, PsychroLib"), ("chebyshev", "Chebyshev four points (CTI)")):
        apart = 0.0
        for wet, span, speed in GRID:
            ratio = towers.water_kg_s[0] / air_flow_kg_s(towers, 0, speed)
            number = towers.merkel[0] * ratio ** towers.merkel_exponent[0]
            ours = merkel_approach_k(towers, 0, CP, wet, RATING_PA, span, speed)
            theirs = brentq(lambda a, w=wet, s=span, r=ratio, n=number, p=points: merkel_number(w, s, a, r, p) - n, ours - 0.9, ours + 0.9)
            apart = max(apart, abs(ours - theirs))
        agreement("plant", "approach by Merkel, 2 to 26 degC wet bulb, range 2 to 12 K", against, apart, 0.2, "K")


@pytest.mark.agreement
def test_york_and_merkel_inside_the_bounds_of_york(towers: Towers, agreement: Agreements) -> None:
    """They meet at the rating by construction; elsewhere this is what the choice of model is worth."""
    wet = 24.0
    span = towers.duty_w[0] / (towers.water_kg_s[0] * CP)
    rated = merkel_approach_k(towers, 0, CP, wet, RATING_PA, span, 1.0)
    assert rated == pytest.approx(york_approach_k(wet, span, 1.0, YORK), abs=5e-3)
    near, far = 0.0, 0.0
    for wet in (5.0, 10.0, 15.0, 20.0, 25.0):
        for span in (3.0, 6.0, 9.0):
            theirs = york_approach_k(wet, span, 1.0, YORK)
            apart = abs(merkel_approach_k(towers, 0, CP, wet, RATING_PA, span, 1.0) - theirs)
            near = max(near, apart) if wet >= 15.0 else near
            far = max(far, apart)
    agreement("plant", "approach by Merkel at full fan, 15 to 25 degC wet bulb, range 3 to 9 K", "YorkCalc", near, 0.8, "K")
    agreement("plant", "approach by Merkel at full fan, 5 to 25 degC wet bulb, range 3 to 9 K", "YorkCalc", far, 1.6, "K")


@pytest.mark.agreement
def test_york_at_its_published_design_point(agreement: Agreements) -> None:
    apart = abs(york_approach_k(25.56, 5.56, 1.0, YORK) - 3.89)
    agreement(
        "plant", "approach by York at 25.6 degC wet bulb, 5.6 K range", "design point of YorkCalc (EnergyPlus), 3.89 K", apart, 0.12, "K"
    )


@settings(deadline=None, max_examples=60)
@given(st.floats(-30.0, 40.0), st.floats(0.05, 30.0), st.floats(-5.0, 60.0), st.floats(7e4, 1.03e5))
def test_any_weather_and_load_has_an_answer_that_holds(wet: float, span: float, target: float, pressure: float) -> None:
    t = side_of(plant(small_site(racks=1))).towers
    heat = span * t.water_kg_s[0] * CP
    speed, approach, york = run_cell(t, 0, YORK, CP, wet, pressure, heat, target)
    assert 1.0 / 8.0 <= speed <= 1.0
    assert approach > 0.0
    if approach > target + 1e-9:
        assert speed == 1.0
    if york:
        assert -34.4 <= wet <= 26.67
        assert 1.11 <= span <= 22.23
        assert approach >= YORK_APPROACH_K[0]
    elif np.isfinite(approach):
        able = merkel_w(t, 0, CP, wet, pressure, span, approach, speed)
        assert able >= heat * (1.0 - 1e-9)
        if 0.126 < speed < 1.0 or approach > target:
            assert able == pytest.approx(heat, rel=1e-6)


def test_what_is_outside_of_york_goes_to_merkel_and_says_so(towers: Towers) -> None:
    heat = 6.0 * towers.water_kg_s[0] * CP
    for wet, share, inside in (
        (24.0, 1.0, True),
        (26.6, 1.0, True),
        (26.7, 1.0, False),
        (24.0, 0.1, False),
        (24.0, 4.0, False),
        (-40.0, 1.0, False),
    ):
        assert run_cell(towers, 0, YORK, CP, wet, RATING_PA, share * heat, 1.5)[2] is inside
    airy = towers._replace(lg_ratio=0.4 * towers.lg_ratio)
    assert york_approach_k(26.0, 1.5, 0.4, YORK) < YORK_APPROACH_K[0]
    assert not run_cell(airy, 0, YORK, CP, 26.0, RATING_PA, 0.25 * heat, 0.5)[2]
    assert run_cell(airy, 0, YORK, CP, 26.0, RATING_PA, 0.25 * heat, 1.3)[2]


def test_vapour_carries_the_heat_that_the_air_does_not(towers: Towers) -> None:
    """Enthalpy of the leaving air, from its evaporated water, is that of the entering air plus the heat, by PsychroLib."""
    psychrolib = library()
    for dry, wet, heat, speed in ((35.0, 24.0, 2.5e6, 1.0), (12.0, 10.0, 1.2e6, 0.5), (-5.0, -6.0, 2e6, 0.4)):
        before = humidity_kg_kg(dry, wet, RATING_PA)
        air = air_flow_kg_s(towers, 0, speed)
        water = evaporation_kg_s(towers, 0, dry, before, RATING_PA, heat, speed)
        behind = before + water / air
        leaving = enthalpy_j_kg(dry, before) + heat / air
        temp = psychrolib.GetTDryBulbFromEnthalpyAndHumRatio(leaving, behind)
        if dry > 30.0:
            assert behind <= psychrolib.GetSatHumRatio(temp, RATING_PA)
        assert temp > wet
        latent = water * 2.45e6
        assert 0.0 < latent < heat + air * 1006.0 * max(dry - wet, 0.0)
        assert enthalpy_j_kg(temp, behind) - enthalpy_j_kg(dry, before) == pytest.approx(heat / air, rel=1e-9)


@pytest.mark.agreement
def test_evaporation_is_near_the_rule_of_thumb(towers: Towers, agreement: Agreements) -> None:
    """ASHRAE HVAC Systems and Equipment 2020, chapter 40: about 1 % of the circulating water for each 7 K of range (0.8 to 1.2)."""
    humid = humidity_kg_kg(32.0, 24.0, RATING_PA)
    span = 7.0
    water = evaporation_kg_s(towers, 0, 32.0, humid, RATING_PA, span * towers.water_kg_s[0] * CP, 1.0)
    agreement(
        "plant",
        "water evaporated at 7 K range, 32/24 degC",
        "1 % of the flow for 7 K (ASHRAE)",
        abs(water / towers.water_kg_s[0] - 0.01),
        0.003,
    )


def test_make_up_holds_the_cycles_of_concentration() -> None:
    evaporated, drift, cycles = 0.9, 0.008, 4.0
    total = float(makeup_kg_s(np.array(evaporated), np.array(drift), np.array(cycles)))
    assert total == pytest.approx(1.2)
    assert total / (total - evaporated) == pytest.approx(cycles)
    assert float(makeup_kg_s(np.array(0.0), np.array(drift), np.array(cycles))) == drift


def test_fewest_cells_hold_what_all_hold_with_less_pump_power() -> None:
    base = small_site(racks=5, chiller=False)
    lean = base.with_(
        loops={
            k: v if v.kind == "tcs" else type(v)(**{**{f: getattr(v, f) for f in v.__slots__}, "staging": "fewest"})
            for k, v in base.loops.items()
        }
    )
    every, few = plant(base), plant(lean)
    load = from_power(every, np.full((2, 5), 60e3))
    weather = Ambient(np.array([8.0, 22.9]))
    a, b = solve_steady(every, load, weather), solve_steady(few, load, weather)
    assert a.heat.tower_on.all()
    assert b.heat.tower_on.sum(axis=1).tolist() == [1, 2]
    assert b.heat.loop_supply_c == pytest.approx(a.heat.loop_supply_c, abs=1e-6)
    assert b.ledger.cooling_w[0] < a.ledger.cooling_w[0] - 0.9 * every.towers.pump_w[0] + every.towers.fan_w[0]
    assert b.ledger.residual_frac.max() < 1e-9
