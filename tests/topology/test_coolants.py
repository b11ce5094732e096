"""Coolant polynomials against CoolProp, which they were fitted to."""

from __future__ import annotations

import numpy as np
import pytest
from CoolProp.CoolProp import PropsSI

from topology import coolants
from topology.catalog import load_catalog
from topology.errors import SolveError
from topology.models import Coolant

FLUIDS = {"water": "Water", "pg25": "INCOMP::MPG[0.25]"}
PROPERTIES = {
    "rho_kg_m3": ("D", 1e-3),
    "cp_j_kg_k": ("C", 1e-3),
    "k_w_m_k": ("L", 1e-3),
    "mu_pa_s": ("V", 5e-3),
}


def coolant(name: str) -> Coolant:
    found = load_catalog().entries["coolant"][name]
    assert isinstance(found, Coolant)
    return found


@pytest.mark.parametrize("name", FLUIDS)
@pytest.mark.parametrize("quantity", PROPERTIES)
def test_the_fit_holds_against_coolprop(name: str, quantity: str) -> None:
    key, tolerance = PROPERTIES[quantity]
    temps = np.linspace(5.0, 75.0, 36)
    ours = getattr(coolants, quantity)(coolant(name), temps)
    theirs = [PropsSI(key, "T", t + 273.15, "P", 3e5, FLUIDS[name]) for t in temps]
    np.testing.assert_allclose(ours, theirs, rtol=tolerance)


def test_shape_is_kept_and_a_gap_stays_a_gap() -> None:
    temps = np.array([[20.0, 30.0, np.nan], [40.0, 45.0, 50.0]])
    rho = coolants.rho_kg_m3(coolant("pg25"), temps)
    assert rho.shape == (2, 3)
    assert np.isnan(rho[0, 2]) and np.isfinite(rho[1]).all()
    assert isinstance(coolants.cp_j_kg_k(coolant("pg25"), 30.0), float)


@pytest.mark.parametrize("temp_c", [4.0, 90.0])
def test_outside_the_fit_is_an_error_and_not_the_edge(temp_c: float) -> None:
    with pytest.raises(SolveError, match=rf"water at {temp_c:.2f} degC: .* 5 to 75 degC"):
        coolants.mu_pa_s(coolant("water"), np.array([30.0, temp_c]))


def test_the_edges_belong_to_the_fit() -> None:
    assert coolants.rho_kg_m3(coolant("water"), 5.0) > coolants.rho_kg_m3(coolant("water"), 75.0)
