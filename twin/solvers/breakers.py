"""Trip curves with memory: how far each protection is from acting, and what a stretch of current adds.

A stage (:class:`topology.trip.TripStage`) has a memory between 0 (cold) and 1 (acts). With m the current over the rating and p the
pickup, a thermal stage follows ``tau d(theta)/dt = (m/p)^2 - theta``, so that at constant current
``t = tau ln((m^2 - m0^2) / (m^2 - p^2))`` from a steady m0 (IEC 60255-149, the thermal image of a breaker). Every other stage adds
``dt / t(m)`` while m is above p (the integrating relay of IEEE C37.112, clause 5) and forgets linearly in ``reset`` below it. Both
steps are exact for a current that is constant over the step, whatever its length.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.solvers.jit import inner, kernel

LAWS = ("thermal", "definite", "inverse", "exponential")
"""Names of the laws; a stage holds the index."""
NEARLY = 1.0 - 1e-12
"""Largest memory of a thermal stage at its pickup or below: it comes as near as one likes and never acts."""


class TripCurves(NamedTuple):
    """Stages of every protected element (K stages), as the kernels want them; made by :func:`twin.power.trips.curves`.

    Attributes:
        element: (K,) index on the power axis.
        law: (K,) index into :data:`LAWS`.
        pickup: (K,) current over rating above which the stage works.
        a: (K,) time constant, delay, or scale of the time [s].
        b: (K,) exponent or decay.
        c: (K,) time that is added [s].
        reset: (K,) time in which the memory fades below the pickup [s], 0 at once; a thermal stage has its own way down.
    """

    element: Ints
    law: Ints
    pickup: Floats
    a: Floats
    b: Floats
    c: Floats
    reset: Floats


@kernel
def stage_time(law: int, pickup_frac: float, scale_s: float, exponent: float, offset_s: float, load_frac: float) -> float:
    """Time to act from an empty memory at constant current [s]; infinite at the pickup and below it."""
    if not load_frac > pickup_frac:
        return math.inf
    if law == 0:
        x = (load_frac / pickup_frac) ** 2
        return scale_s * math.log(x / (x - 1.0)) if x > 1.0 else math.inf
    if law == 1:
        return scale_s
    if law == 2:
        over = (load_frac / pickup_frac) ** exponent - 1.0
        return max(scale_s / over + offset_s, 0.0) if over > 0.0 else math.inf
    return max(scale_s * math.exp(-exponent * (load_frac - pickup_frac)) + offset_s, 0.0)


@kernel
def stage_left(
    law: int, pickup_frac: float, scale_s: float, exponent: float, offset_s: float, memory_frac: float, load_frac: float
) -> float:
    """Time to act from a memory at constant current [s]; 0 where it has acted."""
    if memory_frac >= 1.0:
        return 0.0
    if law == 0:
        x = (load_frac / pickup_frac) ** 2
        return scale_s * math.log((x - memory_frac) / (x - 1.0)) if x > 1.0 else math.inf
    return (1.0 - memory_frac) * stage_time(law, pickup_frac, scale_s, exponent, offset_s, load_frac)


@inner
def stage_after(
    law: int,
    pickup_frac: float,
    scale_s: float,
    exponent: float,
    offset_s: float,
    reset_s: float,
    memory_frac: float,
    load_frac: float,
    dt_s: float,
) -> float:
    """Memory after ``dt_s`` at constant current; it stays at 1 once it has acted."""
    if memory_frac >= 1.0:
        return 1.0
    if law == 0:
        x = (load_frac / pickup_frac) ** 2
        return min(x + (memory_frac - x) * math.exp(-dt_s / scale_s), 1.0 if x > 1.0 else NEARLY)
    if load_frac > pickup_frac:
        whole = stage_time(law, pickup_frac, scale_s, exponent, offset_s, load_frac)
        return min(memory_frac + dt_s / whole, 1.0) if whole > 0.0 else 1.0
    return max(memory_frac - dt_s / reset_s, 0.0) if reset_s > 0.0 else 0.0


@kernel
def advance(curves: TripCurves, memory: Floats, multiple: Floats, dt_s: float) -> Floats:
    """Memory of every stage after a stretch of constant current.

    Args:
        curves: K stages.
        memory: (S, K) memory before.
        multiple: (S, N) current of each element over its rating.
        dt_s: length of the stretch [s].

    Returns:
        (S, K) memory after.
    """
    after = np.empty_like(memory)
    for s in range(memory.shape[0]):
        for k in range(memory.shape[1]):
            after[s, k] = stage_after(
                curves.law[k], curves.pickup[k], curves.a[k], curves.b[k], curves.c[k], curves.reset[k], memory[s, k],
                multiple[s, curves.element[k]], dt_s,
            )  # fmt: skip
    return after


@kernel
def time_left(curves: TripCurves, memory: Floats, multiple: Floats) -> Floats:
    """Time until each element trips if its current stays.

    Args:
        curves: K stages.
        memory: (S, K) memory now.
        multiple: (S, N) current of each element over its rating.

    Returns:
        (S, N) seconds; infinite where it never trips or has no curve.
    """
    left = np.full(multiple.shape, math.inf)
    for s in range(memory.shape[0]):
        for k in range(memory.shape[1]):
            e = curves.element[k]
            t = stage_left(curves.law[k], curves.pickup[k], curves.a[k], curves.b[k], curves.c[k], memory[s, k], multiple[s, e])
            left[s, e] = min(left[s, e], t)
    return left


@kernel
def settled(curves: TripCurves, multiple: Floats) -> Floats:
    """Memory after a long time at a current that trips nothing: ``(m/p)^2`` of thermal stages, 0 of the others.

    Args:
        curves: K stages.
        multiple: (S, N) current of each element over its rating.

    Returns:
        (S, K) memory; 0 where the current is above the pickup, as such a state cannot have lasted.
    """
    memory = np.zeros((multiple.shape[0], curves.element.size))
    for s in range(memory.shape[0]):
        for k in range(memory.shape[1]):
            x = (multiple[s, curves.element[k]] / curves.pickup[k]) ** 2
            if curves.law[k] == 0 and x < 1.0:
                memory[s, k] = x
    return memory


def tripped(curves: TripCurves, memory: Floats, elements: int) -> Bools:
    """Elements of which some stage has acted.

    Args:
        curves: K stages.
        memory: (S, K) memory.
        elements: length N of the power axis.

    Returns:
        (S, N) flags.
    """
    out = np.zeros((memory.shape[0], elements), bool)
    np.logical_or.at(out.T, curves.element, (memory >= 1.0).T)
    return out
