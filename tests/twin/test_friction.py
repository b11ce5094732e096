"""Friction laws against the equations they solve, each other, and other programs' own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from tests.agreements import Agreements
from tests.conftest import AskPeer
from topology.errors import UsageError
from twin.solvers.friction import LAWS, friction, friction_factor, friction_haaland, hazen_williams_k

DARCY = [law for law in LAWS if law != "hazen_williams"]
ROUGH = (1e-6, 2e-4, 5e-3, 0.05)


def colebrook(reynolds: float, rough: float) -> float:
    """Darcy friction factor by the implicit equation and a bracketing root finder."""

    def rest(x: float) -> float:
        return x + 2.0 * math.log10(rough / 3.7 + 2.51 * x / reynolds)

    return 1.0 / float(brentq(rest, 1.0, 50.0, xtol=1e-13)) ** 2


@pytest.mark.parametrize("law", ["colebrook", "haaland", "swamee_jain", "epanet"])
@pytest.mark.parametrize("reynolds", [1e-3, 1.0, 640.0, 2000.0])
def test_laminar_friction(law: str, reynolds: float) -> None:
    assert friction_factor(law, reynolds, 1e-3) == pytest.approx(64.0 / reynolds, rel=1e-14)


@settings(deadline=None)
@given(st.floats(math.log(4000.0), math.log(1e8)), st.floats(0.0, 0.05))
def test_turbulent_colebrook_solves_its_equation_and_the_explicit_laws_come_near(log_re: float, rough: float) -> None:
    reynolds = math.exp(log_re)
    exact = colebrook(reynolds, rough)
    assert friction_factor("colebrook", reynolds, rough) == pytest.approx(exact, rel=1e-12)
    assert friction_haaland(reynolds, rough) == pytest.approx(exact, rel=0.02)
    assert friction_factor("swamee_jain", reynolds, rough) == pytest.approx(exact, rel=0.035)


@pytest.mark.parametrize("law", DARCY)
@pytest.mark.parametrize("rough", ROUGH)
def test_pressure_drop_rises_with_flow_and_the_slope_is_its_derivative(law: str, rough: float) -> None:
    re = np.concatenate([np.linspace(1.0, 6000.0, 2400), np.geomspace(6001.0, 1e8, 300)])
    values = np.array([friction(LAWS[law], r, rough) for r in re])
    assert (np.diff(values[:, 0] * re) > 0.0).all()
    ahead = np.array([friction(LAWS[law], r * (1 + 1e-6), rough)[0] for r in re])
    behind = np.array([friction(LAWS[law], r * (1 - 1e-6), rough)[0] for r in re])
    smooth = (np.abs(re - 2000.0) > 3.0) & (np.abs(re - 4000.0) > 3.0) if law == "epanet" else np.full(re.size, True)
    assert values[smooth, 1] == pytest.approx(((ahead - behind) / (2e-6 * re))[smooth], abs=1e-5, rel=1e-4)


@pytest.mark.parametrize("law", ["colebrook", "haaland", "swamee_jain"])
@pytest.mark.parametrize("edge", [2300.0, 4000.0])
def test_no_jump_and_no_kink_at_the_edges_of_the_critical_zone(law: str, edge: float) -> None:
    for rough in (0.0, *ROUGH):
        below, above = (friction(LAWS[law], edge + d, rough) for d in (-1e-6, 1e-6))
        assert below == pytest.approx(above, rel=1e-6, abs=1e-7)


def test_nikuradse_has_its_two_asymptotes() -> None:
    assert friction_factor("nikuradse", 1.0, 1e-3) == pytest.approx(64.0, rel=1e-9)
    assert friction_factor("nikuradse", 1e9, 1e-3) == pytest.approx((2.0 * math.log10(3710.0)) ** -2, rel=1e-9)


def test_hazen_williams_gives_a_textbook_loss() -> None:
    """100 ft of 6 inch pipe, C = 100, 500 US gpm: 3.4 psi per the NFPA 13 form ``4.52 Q^1.85 / (C^1.85 d^4.87)`` psi/ft."""
    gpm, bore_in, c = 500.0, 6.0, 100.0
    psi = 100.0 * 4.52 * gpm**1.85 / (c**1.85 * bore_in**4.87)
    head_ft = hazen_williams_k(100.0 * 0.3048, bore_in * 0.0254, c) * (gpm * 3.785411784e-3 / 60.0) ** 1.852 / 0.3048
    assert head_ft / 2.3067 == pytest.approx(psi, rel=0.005)


def test_a_name_that_is_none_and_a_smooth_pipe_without_a_law_are_said() -> None:
    with pytest.raises(UsageError, match="did you mean colebrook"):
        friction_factor("colebrok", 1e5, 1e-4)
    with pytest.raises(UsageError, match="smooth pipe"):
        friction_factor("nikuradse", 1e5, 0.0)
    with pytest.raises(UsageError, match="hazen_williams_k"):
        friction_factor("hazen_williams", 1e5, 0.0)
    with pytest.raises(UsageError, match="above 0"):
        friction_factor("haaland", [1e5, 0.0], 0.0)


@pytest.mark.agreement
def test_turbulent_laws_against_fluids(ask_peer: AskPeer, agreement: Agreements) -> None:
    re, rough = np.meshgrid(np.geomspace(4000.0, 1e8, 23), [0.0, 1e-6, 1e-4, 1e-3, 0.02])
    theirs = ask_peer("fluids_friction", reynolds=re.ravel().tolist(), rough=rough.ravel().tolist())
    for law, allowed in (("colebrook", 1e-9), ("haaland", 1e-9), ("swamee_jain", 2e-4)):
        ours = friction_factor(law, re.ravel(), rough.ravel())
        apart = float(np.abs(ours / np.asarray(theirs[law]) - 1.0).max())
        agreement("hydraulics", f"friction factor, {law}, Reynolds 4e3 to 1e8", theirs["name"], apart, allowed)
