"""What a pipe network is made of: nodes, and links with a law for the pressure that a flow costs.

A link runs from ``start`` to ``end``; its flow is positive that way. Every loss rises with the flow, so a network of these parts
has one state. Pressures are gauge; flows are mass flows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from topology.axes import Floats, Ints
from topology.errors import UsageError
from twin.solvers.friction import LAWS, ROUGH_ONLY, hazen_williams_k, law_number

GRAVITY_M_S2 = 9.80665
"""Standard gravity (NIST SP 330, 2019)."""
KV_OF_CV = 0.865
"""Kv [m3/h at 1 bar] of a Cv of one [US gpm at 1 psi] (IEC 60534-2-1:2011, equation 1)."""
RANGEABILITY = 50.0
"""Largest over smallest controlled Kv of an equal percentage valve: the usual catalog figure (IEC 60534-2-4; estimate)."""
SHAPES = ("linear", "equal_percentage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fluid:
    """What flows, at one temperature.

    Attributes:
        rho_kg_m3: density.
        mu_pa_s: viscosity.
        vapour_pa: vapour pressure, absolute.
        ambient_pa: air pressure around, which gauge pressures are counted from.
        gravity_m_s2: gravity.
    """

    rho_kg_m3: float
    mu_pa_s: float
    vapour_pa: float = 0.0
    ambient_pa: float = 101325.0
    gravity_m_s2: float = GRAVITY_M_S2


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A junction; with a pressure it is a reservoir, tank or expansion vessel that holds it.

    Attributes:
        id: its name.
        height_m: height above a common level.
        pressure_pa: gauge pressure that it holds, ``None`` for a plain junction.
        demand_kg_s: flow that leaves the network here; negative for one that enters.
    """

    id: str
    height_m: float = 0.0
    pressure_pa: float | None = None
    demand_kg_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What every link has: two ends, and a bore for its velocity where one is known.

    Attributes:
        id: its name.
        start: node that positive flow leaves.
        end: node that positive flow enters.
        diameter_m: inner diameter, 0 where it has none to speak of.
        minor_k: loss coefficient of fittings, of the velocity head in this bore.
        check: whether a check valve lets flow pass from start to end only.
    """

    code: ClassVar[int] = 0
    id: str
    start: str
    end: str
    diameter_m: float = 0.0
    minor_k: float = 0.0
    check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipe(Link):
    """A round pipe.

    Attributes:
        length_m: length.
        roughness_m: wall roughness; drawn steel 45 um, plastic and stainless tube 1.5 um (Moody, 1944).
        law: friction law, a name of :data:`twin.solvers.friction.LAWS`.
        hazen_williams_c: coefficient C, used with ``hazen_williams`` only.
    """

    length_m: float
    roughness_m: float = 0.0
    law: str = "colebrook"
    hazen_williams_c: float = 130.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Valve(Link):
    """A valve by its Kv: ``dp = (Q / Kv)^2`` bar of water, Q in m3/h; its opening comes with the case.

    Attributes:
        kv_m3_h: Kv fully open.
        shape: how Kv follows the opening: ``linear``, or ``equal_percentage``, ``Kv = Kvs 50^(opening - 1)``.
    """

    kv_m3_h: float
    shape: str = "linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupling(Link):
    """A quick disconnect by its Cv (US gpm at 1 psi), as their makers print it.

    Attributes:
        cv_gpm: flow coefficient.
    """

    cv_gpm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plate(Link):
    """A cold plate, coil, filter or rack: ``dp = a m + b m^2``.

    Attributes:
        a_pa_s_kg: linear part.
        b_pa_s2_kg2: quadratic part.
    """

    a_pa_s_kg: float = 0.0
    b_pa_s2_kg2: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowControl(Valve):
    """A valve that throttles itself so that no more than a set flow passes, from start to end only.

    Attributes:
        limit_kg_s: largest flow.
    """

    limit_kg_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PressureReducing(Valve):
    """A valve that holds the pressure of its end at or below a set value.

    Attributes:
        set_pa: gauge pressure.
    """

    code: ClassVar[int] = 1
    set_pa: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PressureSustaining(Valve):
    """A valve that holds the pressure of its start at or above a set value.

    Attributes:
        set_pa: gauge pressure.
    """

    code: ClassVar[int] = 2
    set_pa: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pump(Link):
    """Equal pumps in parallel, each with a check valve: ``dp = shutoff s^2 - k s^(2-n) m^n`` of one, s its speed.

    The affinity laws are in this form: flow scales with s, pressure with s^2. Running at the same speed, each pump takes the
    same share of the flow. An off pump is shut by its check valve; without one it stands in the flow as a resistance.

    Attributes:
        shutoff_pa: pressure at rest and full speed.
        k: fall of pressure with the flow to the power n [Pa / (kg/s)^n].
        exponent: n, at least 1.
        efficiency_frac: wire to water efficiency at the best flow.
        best_kg_s: flow of one at best efficiency and full speed; 0 keeps the efficiency constant. Beside it the efficiency
            follows a parabola through rest, ``1 - (1 - m / (s best))^2``.
        end_kg_s: end of the curve of one at full speed; ``None`` where the maker does not say.
        npsh_m: net positive suction head that one requires at the end of its curve, falling with the square of the flow
            from there; ``None`` where unknown.
        rating_w: motor rating of one; ``None`` where unknown.
    """

    check: bool = True
    shutoff_pa: float
    k: float = 0.0
    exponent: float = 2.0
    efficiency_frac: float = 1.0
    best_kg_s: float = 0.0
    end_kg_s: float | None = None
    npsh_m: float | None = None
    rating_w: float | None = None


class Columns(NamedTuple):
    """Links as arrays (L,): what the kernels read. ``law`` is 0 for no friction, ``regulator`` 1 reducing, 2 sustaining."""

    start: Ints
    end: Ints
    law: Ints
    length_m: Floats
    diameter_m: Floats
    rough: Floats
    minor_k: Floats
    linear: Floats
    quadratic: Floats
    kv_m3_h: Floats
    shape: Ints
    hazen: Floats
    pump: Ints
    shutoff_pa: Floats
    pump_k: Floats
    pump_n: Floats
    check: Ints
    regulator: Ints


def columns(links: Sequence[Link], number: dict[str, int]) -> Columns:
    """Links as arrays.

    Args:
        links: the links.
        number: node id to its number.

    Raises:
        UsageError: a link that cannot be, or an unknown end.
    """
    for link in links:
        _check(link, number)
    pumps = [isinstance(x, Pump) for x in links]
    darcy = [isinstance(x, Pipe) and x.law != "hazen_williams" for x in links]
    floats = {
        "length_m": [getattr(x, "length_m", 0.0) for x in links],
        "diameter_m": [x.diameter_m for x in links],
        "rough": [x.roughness_m / x.diameter_m if isinstance(x, Pipe) else 0.0 for x in links],
        "minor_k": [x.minor_k for x in links],
        "linear": [getattr(x, "a_pa_s_kg", 0.0) for x in links],
        "quadratic": [getattr(x, "b_pa_s2_kg2", 0.0) for x in links],
        "kv_m3_h": [KV_OF_CV * x.cv_gpm if isinstance(x, Coupling) else getattr(x, "kv_m3_h", 0.0) for x in links],
        "hazen": [_hazen(x) for x in links],
        "shutoff_pa": [getattr(x, "shutoff_pa", 0.0) for x in links],
        "pump_k": [x.k if isinstance(x, Pump) else 0.0 for x in links],
        "pump_n": [x.exponent if isinstance(x, Pump) else 2.0 for x in links],
    }
    ints = {
        "start": [number[x.start] for x in links],
        "end": [number[x.end] for x in links],
        "law": [law_number(x.law) if isinstance(x, Pipe) and d else 0 for x, d in zip(links, darcy, strict=True)],
        "shape": [SHAPES.index(x.shape) if isinstance(x, Valve) else 0 for x in links],
        "pump": [int(p) for p in pumps],
        "check": [int(x.check or isinstance(x, (FlowControl, PressureReducing, PressureSustaining))) for x in links],
        "regulator": [x.code for x in links],
    }
    values: dict[str, Any] = {k: np.asarray(v, np.int64) for k, v in ints.items()}
    values |= {k: np.asarray(v, float) for k, v in floats.items()}
    return Columns(**values)


def settings(links: Sequence[Link]) -> Floats:
    """(L,) what regulators hold: flow limit [kg/s] or gauge pressure [Pa]; infinite for every other link."""
    return np.asarray([getattr(x, "limit_kg_s", getattr(x, "set_pa", math.inf)) for x in links], float)


def _hazen(link: Link) -> float:
    if isinstance(link, Pipe) and link.law == "hazen_williams":
        return hazen_williams_k(link.length_m, link.diameter_m, link.hazen_williams_c)
    return 0.0


def _check(link: Link, number: dict[str, int]) -> None:
    for end in (link.start, link.end):
        if end not in number:
            raise UsageError(f"link {link.id!r} ends at {end!r}, which is no node")
    if link.start == link.end:
        raise UsageError(f"link {link.id!r} starts and ends at {link.start!r}")
    faults = [name for name, low in _BOUNDS.items() if hasattr(link, name) and not getattr(link, name) > low]
    faults += [name for name in _AT_LEAST_0 if hasattr(link, name) and not 0.0 <= getattr(link, name) < math.inf]
    if isinstance(link, Pipe):
        law_number(link.law)
        if not link.diameter_m > 0.0:
            faults.append("diameter_m")
        if link.law in ROUGH_ONLY and not link.roughness_m > 0.0:
            faults.append("roughness_m")
    if isinstance(link, Valve) and link.shape not in SHAPES:
        raise UsageError(f"link {link.id!r}: no valve shape {link.shape!r}; known: {', '.join(SHAPES)}")
    if isinstance(link, Pump) and not 1.0 <= link.exponent <= 10.0:
        faults.append("exponent")
    if link.minor_k > 0.0 and not link.diameter_m > 0.0:
        faults.append("diameter_m")
    if faults:
        shown = ", ".join(f"{name} = {getattr(link, name)}" for name in faults)
        raise UsageError(f"link {link.id!r} cannot be computed with {shown}")


_BOUNDS = {"length_m": 0.0, "kv_m3_h": 0.0, "cv_gpm": 0.0, "hazen_williams_c": 0.0, "efficiency_frac": 0.0}
_AT_LEAST_0 = ("diameter_m", "minor_k", "roughness_m", "a_pa_s_kg", "b_pa_s2_kg2", "shutoff_pa", "k", "best_kg_s", "limit_kg_s")
__all__ = [
    "LAWS", "Columns", "Coupling", "FlowControl", "Fluid", "Link", "Node", "Pipe", "Plate", "PressureReducing", "PressureSustaining",
    "Pump", "Valve",
]  # fmt: skip
