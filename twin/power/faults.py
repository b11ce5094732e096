"""Prospective three-phase fault current at every element, and whether its breaker interrupts it (IEC 60909-0).

On a base of 1 VA a utility has the impedance ``c / S_k`` (clause 6.2), a transformer ``K_T u_k / S_r`` with
``K_T = 0.95 c_max / (1 + 0.6 x_T)`` (clause 6.3.3), a cable or busway ``(r + j x) l / V^2``. In a radial chain these add up; where an
element has several parents each takes its share of the fault current, and ``Z = sum s_e^2 z_e``: exact for equal units in parallel, and
never less than the real impedance otherwise (Thomson's principle). Then ``I_k = c V / (sqrt(3) |Z|)``.

UPSs and static switches count as bypassed, which gives the largest current; drives and power supplies feed nothing back. Where the
utility's fault level or a transformer's impedance is not given, the level is unknown, and nothing is put in its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topology.axes import Bools, Floats
from topology.plant import Plant
from twin.power.paths import shares_above
from twin.power.phases import nominal_v
from twin.solvers.power import supply

LOW_VOLTAGE_V = 1000.0
C_LOW, C_HIGH = 1.05, 1.10
"""Voltage factor c_max of IEC 60909-0, table 1: low voltage with a tolerance of 6 %, and above 1 kV."""
NETWORK = complex(0.1, 1.0) / abs(complex(0.1, 1.0))
"""Direction of the impedance of a network of which only the fault level is known (IEC 60909-0, clause 6.2: R = 0.1 X)."""


@dataclass(frozen=True)
class FaultLevels:
    """Prospective fault currents (N elements), nothing lost.

    Attributes:
        fault_a: (N,) three-phase symmetrical current at the output, 0 where it is unknown.
        at_input_a: (N,) the same at the input, as a current at the element's own voltage: what its breaker has to interrupt; 0 for a
            transformer, whose input is at another voltage.
        impedance_va: (N,) complex impedance up to the output on a base of 1 VA [1/VA]; 0 where unknown.
        breaking_a: (N,) largest current that it interrupts, 0 where unknown.
    """

    fault_a: Floats
    at_input_a: Floats
    impedance_va: NDArray[np.complex128]
    breaking_a: Floats

    @property
    def known(self) -> Bools:
        """(N,) the fault level at the output is known."""
        found: Bools = self.fault_a > 0.0
        return found

    @property
    def too_weak(self) -> Bools:
        """(N,) the fault current at its input is above its breaking capacity."""
        found: Bools = (self.breaking_a > 0.0) & (self.at_input_a > self.breaking_a)
        return found


def fault_levels(plant: Plant) -> FaultLevels:
    """Prospective fault current at every element in normal operation.

    Args:
        plant: the plant.

    Returns:
        Currents, 0 where the site or the catalog does not say enough.
    """
    own, given = own_impedance_va(plant)
    z, known = chain_impedance_va(plant, own, given)
    volts = nominal_v(plant)
    p = plant.power
    fault = _current_a(z, known, volts)
    above, sure = np.zeros(p.n, np.complex128), known.copy()
    fed = p.parents[:, 0] >= 0
    above[fed] = z[fed] - own[fed]
    at_input = np.where(fed, _current_a(above, sure & fed, volts), fault)
    at_input[np.asarray(p.kind) == "transformer"] = 0.0
    return FaultLevels(fault, at_input, np.where(known, z, 0.0), p.breaking_a)


def _current_a(z: NDArray[np.complex128], known: Bools, volts: Floats) -> Floats:
    c = np.where(volts > LOW_VOLTAGE_V, C_HIGH, C_LOW)
    size = np.abs(z)
    ok = known & (volts > 0.0) & (size > 0.0)
    level = np.divide(c, size, out=np.zeros(z.size), where=ok)
    found: Floats = np.divide(level, math.sqrt(3.0) * volts, out=np.zeros(z.size), where=ok)
    return found


def own_impedance_va(plant: Plant) -> tuple[NDArray[np.complex128], Bools]:
    """(N,) series impedance of each element on a base of 1 VA, and whether it is given (what has none by nature counts as given)."""
    p, volts = plant.power, nominal_v(plant)
    z = np.zeros(p.n, np.complex128)
    given = np.ones(p.n, bool)
    c = np.where(volts > LOW_VOLTAGE_V, C_HIGH, C_LOW)
    z += p.r_per_w + 1j * p.x_per_w
    kind = np.asarray(p.kind)
    utility, transformer = kind == "utility", kind == "transformer"
    rating = p.rating_va / (p.continuous_frac * p.altitude_frac * p.ambient_frac)
    x_part = p.x_per_w * np.where(np.isfinite(rating), rating, 0.0)
    z *= np.where(transformer, 0.95 * c / (1.0 + 0.6 * x_part), 1.0)
    z[utility] += (np.divide(c, p.fault_va, out=np.zeros(p.n), where=p.fault_va > 0.0) * NETWORK)[utility]
    given[utility] = p.fault_va[utility] > 0.0
    given[transformer] = p.x_per_w[transformer] > 0.0
    given[(kind == "generator") | p.direct] = False
    return z, given


def chain_impedance_va(plant: Plant, own: NDArray[np.complex128], given: Bools) -> tuple[NDArray[np.complex128], Bools]:
    """(N,) impedance from the sources to the output of each element, and whether every part of it is given."""
    p = plant.power
    weight = supply(plant, [()]).weight[0]
    parents = np.concatenate([p.parents, p.transfer], axis=1)
    rank = np.empty(p.n, np.int64)
    rank[p.order] = np.arange(p.n)
    z, known = own.copy(), given.copy()
    for e in p.order:
        feeding = [int(k) for k, w in zip(parents[e], weight[e], strict=True) if w > 0.0]
        if not feeding:
            known[e] &= bool(p.source[e])
            continue
        known[e] &= bool(known[feeding].all())
        if len(feeding) == 1:
            z[e] = own[e] + z[feeding[0]]
        else:
            shares = shares_above(parents, weight, rank, int(e))
            z[e] = sum(share * share * own[k] for k, share in shares.items())
    return z, known
