"""Manifolds from people's figures: legs of a ladder, laws of valves and quick disconnects, and many cases of one ladder at once.

Prepare a ladder once (:func:`prepare`), then solve columns of cases on it (:func:`solve`, :func:`solve_squares`). A case that
does not settle is named by its status; its flows are 0 and the other cases stand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from topology.axes import Bools, Floats
from topology.errors import UsageError
from twin.solvers.friction import LAWS, friction, law_number
from twin.solvers.jit import kernel
from twin.solvers.ladder import FACTOR, HAZEN_WILLIAMS, POWER, RE, ROUGH, SETTLED, SLOPE, START_FRICTION, K
from twin.solvers.ladder_batch import ladder_batch
from twin.solvers.ladder_squares import squares

WATER_KG_M3 = 1000.0
KV_PER_CV = 0.865
"""Kv [m3/h at 1 bar] over Cv [US gpm at 1 psi] (IEC 60534-2-1)."""
CRITICAL_RE = 4000.0


@dataclass(frozen=True)
class Ladder:
    """A prepared manifold of N branches.

    Attributes:
        law: number of its friction law.
        reverse: its return pipe leaves at the far end.
        two: supply and return sides have different properties.
        legs: (N, 2, 6) constants; see :mod:`twin.solvers.rung`.
        check: (N,) branches with a check valve.
    """

    law: int
    reverse: bool
    two: bool
    legs: Floats
    check: Bools

    @property
    def branches(self) -> int:
        """Number of branches N."""
        return int(self.check.size)


@dataclass(frozen=True)
class LadderFlows:
    """Answer for S cases.

    Attributes:
        flow_kg_s: (S, N) branch flows, positive from supply to return; 0 in a case that did not settle.
        settled: (S,) whether a case was solved.
        change: (S,) last change of a branch flow over the largest.
    """

    flow_kg_s: Floats
    settled: Bools
    change: Floats


def legs(law: int, length_m: Floats, diameter_m: Floats, roughness_m: Floats, rho_kg_m3: ArrayLike, mu_pa_s: ArrayLike) -> Floats:
    """Constants of both legs of every segment by Darcy and Weisbach, ``dp = f L / D * rho v^2 / 2``.

    Args:
        law: number of a friction law other than Hazen-Williams.
        length_m: (2, N) pipe of the supply and of the return leg.
        diameter_m: (N,) inner diameter.
        roughness_m: (N,) wall roughness.
        rho_kg_m3: density on the supply and on the return side, of a shape that fits (2, N).
        mu_pa_s: viscosity there.

    Returns:
        (N, 2, 6) constants.
    """
    length, rho, mu = (np.broadcast_to(np.asarray(x, float), length_m.shape) for x in (length_m, rho_kg_m3, mu_pa_s))
    area = math.pi * diameter_m**2 / 4.0
    out = np.zeros((*length.shape, 6))
    out[..., RE] = diameter_m / (area * mu)
    out[..., K] = length / (2.0 * rho * area * area * diameter_m) / out[..., RE]
    rough = roughness_m / diameter_m
    out[..., ROUGH] = rough
    out[..., POWER] = (rough / 3.7) ** 1.11
    kinds, own = np.unique(rough, return_inverse=True)
    whole, rise = np.array([friction(law, CRITICAL_RE, float(r)) for r in kinds]).reshape(-1, 2).T
    factor = whole / CRITICAL_RE
    out[..., FACTOR] = factor[own]
    out[..., SLOPE] = ((rise - factor) / CRITICAL_RE)[own]
    return np.ascontiguousarray(out.swapaxes(0, 1))


def prepare(
    segment_m: ArrayLike, diameter_m: ArrayLike, roughness_m: ArrayLike, rho_kg_m3: ArrayLike, mu_pa_s: ArrayLike,
    law: str = "haaland", returns: str = "direct", check: ArrayLike | None = None,
) -> Ladder:  # fmt: skip
    """Prepare a manifold.

    Args:
        segment_m: (N,) pipe of one side ahead of each branch; with reverse return the return side's pipe behind each branch has
            the length of the next segment, and that of the first one behind the last branch. Or (2, N): supply and return.
        diameter_m: inner diameter, one or (N,).
        roughness_m: wall roughness, one or (N,).
        rho_kg_m3: density, one, or one for supply and one for return.
        mu_pa_s: viscosity, the same.
        law: name of the friction law.
        returns: ``direct`` or ``reverse``.
        check: (N,) branches with a check valve; none where not given.

    Raises:
        UsageError: an unknown law or return, or a length, diameter, density or viscosity that cannot be.
    """
    number = law_number(law)
    if number == HAZEN_WILLIAMS:
        raise UsageError("a ladder of pipes by Darcy and Weisbach has no Hazen-Williams coefficient; choose one of the other laws")
    if returns not in ("direct", "reverse"):
        raise UsageError(f"no return {returns!r}: direct or reverse")
    length = np.asarray(segment_m, float)
    if length.ndim == 1:
        length = np.stack([length, np.roll(length, -1) if returns == "reverse" else length])
    n = length.shape[1]
    bore, rough = np.broadcast_to(np.asarray(diameter_m, float), (n,)), np.broadcast_to(np.asarray(roughness_m, float), (n,))
    rho, mu = (np.broadcast_to(np.asarray(x, float).reshape(-1, 1), (2, n)) for x in (rho_kg_m3, mu_pa_s))
    for name, values, least in (("segment_m", length, 0.0), ("roughness_m", rough, 0.0)):
        if not (np.isfinite(values).all() and (values >= least).all()):
            raise UsageError(f"{name} of a ladder must be finite and at least 0")
    for name, values in (("diameter_m", bore), ("rho_kg_m3", rho), ("mu_pa_s", mu)):
        if not (np.isfinite(values).all() and (values > 0.0).all()):
            raise UsageError(f"{name} of a ladder must be finite and above 0")
    return ladder_of(number, returns == "reverse", legs(number, length, bore, rough, rho, mu), check)


def ladder_of(law: int, reverse: bool, constants: Floats, check: ArrayLike | None = None) -> Ladder:
    """A ladder of known leg constants; equal legs of a direct-return ladder become one."""
    n = constants.shape[0]
    shut = np.zeros(n, bool) if check is None else np.asarray(check, bool).copy()
    both = constants.copy()
    same = not reverse and bool(np.array_equal(both[:, 0, RE:], both[:, 1, RE:]))
    if same:
        both[:, 0, K] += both[:, 1, K]
        both[:, 1, K] = 0.0
    return Ladder(law, reverse, not same, both, shut)


def solve(ladder: Ladder, dp_pa: ArrayLike, linear: ArrayLike, quadratic: ArrayLike) -> LadderFlows:
    """Flows of S cases with branches ``dp = a q + b q |q|``.

    Args:
        ladder: the manifold.
        dp_pa: (S,) pressure difference at its entry, of either sign.
        linear: a of the branches [Pa s/kg], a shape that fits (S, N).
        quadratic: b of the branches [Pa s2/kg2]; a branch with an infinite a or b is closed.

    Raises:
        UsageError: an input that is not a number, negative laws, or an open branch without any resistance.
    """
    dp = np.atleast_1d(np.asarray(dp_pa, float))
    a, b = _laws(ladder, dp.size, linear, quadratic)
    if not np.isfinite(dp).all():
        raise UsageError("the pressure difference of a ladder must be finite")
    flow, change = np.zeros((dp.size, ladder.branches)), np.zeros(dp.size)
    ladder_batch(ladder.law, ladder.reverse, ladder.two, dp.copy(), ladder.legs, a, b, ladder.check, flow, change)
    settled = change <= SETTLED
    flow[~settled] = 0.0
    return LadderFlows(flow, settled, change)


def _laws(ladder: Ladder, cases: int, linear: ArrayLike, quadratic: ArrayLike) -> tuple[Floats, Floats]:
    """(1, N) or (S, N) of both coefficients, closed branches as an infinite a."""
    a, b = (np.atleast_2d(np.asarray(x, float)) for x in (linear, quadratic))
    rows = max(a.shape[0], b.shape[0])
    if rows not in (1, cases):
        raise UsageError(f"branch laws of {rows} cases for {cases} pressures")
    a, b = (np.broadcast_to(x, (rows, ladder.branches)).copy() for x in (a, b))
    if np.isnan(a).any() or np.isnan(b).any() or (a < 0.0).any() or (b < 0.0).any():
        raise UsageError("resistances of branches must be numbers of at least 0")
    if ((a == 0.0) & (b == 0.0)).any():
        raise UsageError(f"branch {int(np.argwhere((a == 0.0) & (b == 0.0))[0, 1]) + 1} of the ladder has no resistance at all")
    shut = np.isinf(a) | np.isinf(b)
    a[shut], b[shut] = math.inf, 0.0
    return a, b


def pipe_squares(ladder: Ladder, flow_kg_s: ArrayLike) -> Floats:
    """(N,) resistance of each segment [Pa s2/kg2] at a reference flow of the branches: the squares that :func:`solve_squares` takes.

    Args:
        ladder: a direct-return manifold.
        flow_kg_s: (N,) branch flows at which both agree; a segment at rest takes the friction of the start.
    """
    through = np.cumsum(np.asarray(flow_kg_s, float)[::-1])[::-1]
    out: Floats = _squares_at(ladder.law, ladder.legs, np.ascontiguousarray(through))
    return out


@kernel
def _squares_at(law: int, constants: Floats, through: Floats) -> Floats:
    out = np.zeros(through.size)
    for j in range(through.size):
        for leg in range(2):
            k, re = constants[j, leg, K], constants[j, leg, RE]
            size = abs(through[j])
            out[j] += k * (friction(law, re * size, constants[j, leg, ROUGH])[0] / size if size > 0.0 else START_FRICTION * re)
    return out


def solve_squares(
    ladder: Ladder, dp_pa: Floats, pipe: Floats, branch: Floats, heat_w: Floats, supply_c: Floats, cp_j_kg_k: float
) -> tuple[Floats, Floats]:
    """Flows and outlet temperatures of S cases whose every law is a square: the exact reduction, without iteration.

    Args:
        ladder: a direct-return manifold.
        dp_pa: (S,) pressure difference at its entry, at least 0.
        pipe: (N,) resistance of the segments, such as :func:`pipe_squares` gives.
        branch: (S, N) or (1, N) resistance of the branches; infinite for a closed one.
        heat_w: (S, N) or (1, N) heat into the branches.
        supply_c: (S,) supply temperature.
        cp_j_kg_k: heat capacity.

    Returns:
        (S, N) flows [kg/s] and outlet temperatures [degC]; infinite where heat has no flow.

    Raises:
        UsageError: reverse return, or a negative pressure.
    """
    if ladder.reverse or not (dp_pa >= 0.0).all():
        raise UsageError("the reduction by squares is for direct return and pressures of at least 0")
    shape = (dp_pa.size, ladder.branches)
    flow, outlet = np.empty(shape), np.empty(shape)
    squares(dp_pa, pipe, np.atleast_2d(branch), np.atleast_2d(heat_w), supply_c, cp_j_kg_k, flow, outlet)
    return flow, outlet


def kv_resistance(kv_m3_h: float, rho_kg_m3: float = WATER_KG_M3) -> float:
    """Resistance of a valve by its Kv, ``dp [bar] = SG (V [m3/h] / Kv)^2`` (IEC 60534-2-1), as Pa s2/kg2.

    >>> round(kv_resistance(10.0, 1000.0) * (1000.0 * 10.0 / 3600.0) ** 2)
    100000
    """
    return 1e5 * 3600.0**2 / (WATER_KG_M3 * rho_kg_m3 * kv_m3_h**2)


def disconnect_resistance(cv_gpm: float, rho_kg_m3: float = WATER_KG_M3) -> float:
    """Resistance of one mated pair of quick disconnects by its Cv [US gpm at 1 psi] (OCP UQD v1.0), ``Kv = 0.865 Cv``, as Pa s2/kg2."""
    return kv_resistance(KV_PER_CV * cv_gpm, rho_kg_m3)


__all__ = ["LAWS", "Ladder", "LadderFlows", "disconnect_resistance", "kv_resistance", "ladder_of", "legs", "pipe_squares", "prepare",
           "solve", "solve_squares"]  # fmt: skip
