"""Moist air in the kernels against PsychroLib, and PsychroLib where we use it against what others print."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.agreements import Agreements
from tests.twin.air import library
from twin.energy.psychrometrics import density_kg_m3, enthalpy_j_kg, humidity_of_dew_point_frac, humidity_ratio_kg_kg, wet_bulb_c
from twin.solvers import moistair
from twin.weather import standard_pressure_pa

PRESSURES = (101325.0, 84556.0)
TEMPS = np.linspace(-30.0, 50.0, 41)


psychrolib = library()


@pytest.mark.agreement
def test_kernels_are_psychrolib(agreement: Agreements) -> None:
    temps = TEMPS[np.abs(TEMPS) > 0.1]
    pairs = [(t, p) for t in temps for p in PRESSURES]
    apart = max(abs(moistair.saturation_pa(t) / psychrolib.GetSatVapPres(t) - 1.0) for t in temps)
    agreement("plant", "saturation pressure, -30 to 50 degC", "PsychroLib", apart, 1e-9)
    apart = max(abs(moistair.saturated_j_kg(t, p) - psychrolib.GetSatAirEnthalpy(t, p)) / 1e3 for t, p in pairs)
    agreement("plant", "enthalpy of saturated air, two altitudes", "PsychroLib", apart, 1e-6, "kJ/kg")
    apart = 0.0
    for p in PRESSURES:
        for dry in temps:
            for wet in np.linspace(dry - 8.0, dry, 5):
                theirs = psychrolib.GetHumRatioFromTWetBulb(dry, wet, p)
                if theirs > 2e-7:
                    apart = max(apart, abs(moistair.humidity_kg_kg(dry, wet, p) - theirs))
    agreement("plant", "humidity ratio from dry and wet bulb", "PsychroLib", apart, 1e-9, "kg/kg")


def test_temperature_of_saturated_air_is_the_inverse_of_its_enthalpy() -> None:
    for t in (-20.0, -0.5, 0.005, 12.0, 45.0):
        h = moistair.saturated_j_kg(t, 9e4)
        assert moistair.saturated_at_c(h, 9e4, t + 12.0) == pytest.approx(t, abs=1e-6)
        assert moistair.saturated_at_c(h, 9e4, t - 12.0) == pytest.approx(t, abs=1e-6)


def stull_c(temp_c: float, humidity_pct: float) -> float:
    """Wet bulb by the fit of Stull (J. Applied Meteorology and Climatology 50, 2011, equation 1), sea level."""
    a = temp_c * math.atan(0.151977 * math.sqrt(humidity_pct + 8.313659)) + math.atan(temp_c + humidity_pct)
    return a - math.atan(humidity_pct - 1.676331) + 0.00391838 * humidity_pct**1.5 * math.atan(0.023101 * humidity_pct) - 4.686035


@pytest.mark.agreement
def test_wet_bulb_is_near_the_fit_of_stull(agreement: Agreements) -> None:
    """Stull gives his fit an error between -1.0 and 0.65 K, for 5 to 99 % and -20 to 50 degC."""
    dry, humid = (a.ravel() for a in np.meshgrid(np.linspace(0.0, 40.0, 9), np.linspace(20.0, 95.0, 6)))
    ours = wet_bulb_c(dry, humid / 100.0, np.full(dry.size, 101325.0))
    apart = np.abs(ours - np.array([stull_c(t, h) for t, h in zip(dry, humid, strict=True)])).max()
    agreement("plant", "wet bulb from dry bulb and humidity, 0 to 40 degC, 20 to 95 %", "Stull 2011, fit with 1 K error", apart, 1.0, "K")


@pytest.mark.agreement
def test_air_against_the_printed_example(agreement: Agreements) -> None:
    """ASHRAE Handbook Fundamentals 2017, chapter 1, example 1, read from its chart: 40 degC dry bulb, 20 degC wet bulb, 101.325 kPa."""
    one = np.array([101325.0])
    w = humidity_ratio_kg_kg(np.array([40.0]), np.array([20.0]), one)
    agreement(
        "plant", "humidity ratio at 40 and 20 degC", "ASHRAE Fundamentals 2017, chapter 1, example 1", abs(w[0] - 0.0065), 1.5e-4, "kg/kg"
    )
    h = enthalpy_j_kg(np.array([40.0]), w)[0]
    agreement("plant", "enthalpy at 40 and 20 degC", "ASHRAE Fundamentals 2017, chapter 1, example 1", abs(h / 1e3 - 56.7), 0.4, "kJ/kg")
    dense = density_kg_m3(np.array([40.0]), w, one)[0]
    agreement(
        "plant",
        "volume at 40 and 20 degC",
        "ASHRAE Fundamentals 2017, chapter 1, example 1",
        abs((1.0 + w[0]) / dense - 0.896),
        2e-3,
        "m3/kg",
    )


def test_wet_bulb_falls_with_pressure_and_dew_point_gives_humidity_back() -> None:
    dry, humid = np.array([30.0, 30.0]), np.array([0.3, 0.3])
    sea, high = wet_bulb_c(dry, humid, np.array([101325.0, 80000.0]))
    assert high < sea < 30.0
    dew = np.array([psychrolib.GetTDewPointFromRelHum(25.0, 0.4)])
    assert humidity_of_dew_point_frac(np.array([25.0]), dew)[0] == pytest.approx(0.4, abs=1e-3)
    assert humidity_of_dew_point_frac(np.array([25.0]), np.array([26.0]))[0] == 1.0


@pytest.mark.agreement
def test_pressure_of_the_standard_atmosphere(agreement: Agreements) -> None:
    apart = max(abs(standard_pressure_pa(z) / psychrolib.GetStandardAtmPressure(z) - 1.0) for z in (-400.0, 0.0, 500.0, 2000.0, 4500.0))
    agreement("plant", "pressure of the standard atmosphere", "PsychroLib", apart, 1e-12)
