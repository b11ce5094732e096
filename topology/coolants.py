"""Coolant properties by the polynomials of a catalog entry: pure functions of arrays.

The coefficients in ``catalog/coolants.toml`` were fitted once to CoolProp 8.0.0 at 3 bar (Bell et al., Ind. Eng. Chem. Res. 53
(2014) 2498); pressure is left out, since density of a liquid moves by less than 0.05 % over the 10 bar of a coolant loop.
"""

from __future__ import annotations

from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from topology.errors import SolveError
from topology.models import Coolant

Temps = TypeVar("Temps", float, NDArray[np.float64])


def rho_kg_m3(coolant: Coolant, temp_c: Temps) -> Temps:
    """Density.

    Args:
        coolant: catalog entry.
        temp_c: temperature, number or array of any shape [degC]; NaN gives NaN.

    Returns:
        Density, of the shape of ``temp_c`` [kg/m3].

    Raises:
        SolveError: a temperature outside the range of the fit; nothing is clipped.
    """
    return _poly(coolant.rho_kg_m3, coolant, temp_c)


def cp_j_kg_k(coolant: Coolant, temp_c: Temps) -> Temps:
    """Specific heat capacity at constant pressure.

    Args:
        coolant: catalog entry.
        temp_c: temperature, number or array of any shape [degC]; NaN gives NaN.

    Returns:
        Heat capacity, of the shape of ``temp_c`` [J/(kg K)].

    Raises:
        SolveError: a temperature outside the range of the fit; nothing is clipped.
    """
    return _poly(coolant.cp_j_kg_k, coolant, temp_c)


def mu_pa_s(coolant: Coolant, temp_c: Temps) -> Temps:
    """Dynamic viscosity; the polynomial is of its logarithm.

    Args:
        coolant: catalog entry.
        temp_c: temperature, number or array of any shape [degC]; NaN gives NaN.

    Returns:
        Viscosity, of the shape of ``temp_c`` [Pa s].

    Raises:
        SolveError: a temperature outside the range of the fit; nothing is clipped.
    """
    return cast(Temps, np.exp(_poly(coolant.ln_mu_pa_s, coolant, temp_c)))


def k_w_m_k(coolant: Coolant, temp_c: Temps) -> Temps:
    """Thermal conductivity.

    Args:
        coolant: catalog entry.
        temp_c: temperature, number or array of any shape [degC]; NaN gives NaN.

    Returns:
        Conductivity, of the shape of ``temp_c`` [W/(m K)].

    Raises:
        SolveError: a temperature outside the range of the fit; nothing is clipped.
    """
    return _poly(coolant.k_w_m_k, coolant, temp_c)


def _poly(coefficients: tuple[float, ...], coolant: Coolant, temp_c: Temps) -> Temps:
    """Horner's rule, inside the range of the fit only."""
    temps = np.asarray(temp_c, dtype=float)
    outside = (temps < coolant.low_c) | (temps > coolant.high_c)
    if outside.any():
        worst = temps[outside][np.argmax(np.abs(temps[outside] - (coolant.low_c + coolant.high_c) / 2))]
        raise SolveError(
            f"{coolant.name} at {worst:.2f} degC: its properties are known from {coolant.low_c:g} to {coolant.high_c:g} degC only",
            residual=float(worst),
        )
    value = temps * 0.0 + coefficients[-1]
    for c in reversed(coefficients[:-1]):
        value = value * temps + c
    return cast(Temps, value if temps.ndim else float(value))
