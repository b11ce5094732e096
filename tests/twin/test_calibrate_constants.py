"""Priors of constants and sensors."""

from __future__ import annotations

from telemetry.schema import READINGS
from topology.overlay import FACTORS, SENSOR
from twin.forecast.calibrate.constants import PRIORS, SENSORS


def test_every_factor_of_an_overlay_has_a_prior_around_one() -> None:
    assert set(PRIORS) == set(FACTORS)
    assert all(p.value == 1.0 and p.interval[0] < 1.0 < p.interval[1] for p in PRIORS.values())


def test_sensors_have_priors_of_quantities_that_are_stored() -> None:
    assert all(quantity in READINGS and parameter in SENSOR for quantity, parameter in SENSORS)
