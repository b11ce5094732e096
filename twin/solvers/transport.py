"""Plug flow: what enters a pipe leaves it unchanged after the pipe's content has been pushed out, however the flow varies.

Each pipe is a queue of slugs with a mass, a mean temperature and a linear change along the slug, moved without exchange between them
(a Lagrangian scheme: no Courant limit, and a front stays a front). What leaves during a step is averaged into one new slug, mean and
slope by least squares over what it is made of, so energy is kept to rounding and a smooth profile to second order from pipe to pipe.
Walls take and lose no heat.
"""

from __future__ import annotations

from typing import NamedTuple

from topology.axes import Floats, Ints
from twin.solvers.jit import inner, kernel

SLUGS = 96
"""Slugs that a pipe can hold; at very low flow new ones join until each is 3/96 of the content."""


class Pipes(NamedTuple):
    """Pipes (P) and what is in them; slug ``first`` is next to leave.

    Attributes:
        content_kg: (P,) mass that each holds.
        slug_kg: (P, SLUGS) mass of each slug.
        slug_c: (P, SLUGS) mean temperature.
        slope_k: (P, SLUGS) temperature at the end that leaves last minus at the end that leaves first.
        first: (P,) index of the oldest slug.
        used: (P,) slugs in use.
    """

    content_kg: Floats
    slug_kg: Floats
    slug_c: Floats
    slope_k: Floats
    first: Ints
    used: Ints


@inner
def outlet_c(p: Pipes, i: int) -> float:
    """Temperature at the end that leaves next."""
    at = p.first[i]
    value: float = p.slug_c[i, at] - 0.5 * p.slope_k[i, at]
    return value


@kernel
def push(p: Pipes, i: int, mass_kg: float, temp_c: float, slope_k: float) -> tuple[float, float]:
    """Push a slug into a pipe.

    Args:
        p: the pipes; changed.
        i: which pipe.
        mass_kg: mass that enters, and leaves, during the step.
        temp_c: mean temperature of what enters.
        slope_k: last minus first of what enters.

    Returns:
        Mean temperature and slope of what leaves; those of the outlet where nothing moves.
    """
    if mass_kg <= 0.0:
        return outlet_c(p, i), 0.0
    enter(p, i, mass_kg, temp_c, slope_k)
    return leave(p, i, mass_kg)


@inner
def leave(p: Pipes, i: int, mass_kg: float) -> tuple[float, float]:
    """Take a mass out of a pipe that holds as much; :func:`enter` must put the same mass in before the next step.

    Args:
        p: the pipes; changed.
        i: which pipe.
        mass_kg: mass that leaves.

    Returns:
        Its mean temperature and slope.
    """
    if mass_kg <= 0.0:
        return outlet_c(p, i), 0.0
    left, energy, moment = mass_kg, 0.0, 0.0
    lowest, highest = 1e300, -1e300
    while left > 0.0:
        at = p.first[i]
        have = p.slug_kg[i, at]
        whole = have <= left or p.used[i] == 1
        take = min(have, left) if whole else left
        share = take / have if have > 0.0 else 1.0
        mean = p.slug_c[i, at] - 0.5 * p.slope_k[i, at] * (1.0 - share)
        bend = p.slope_k[i, at] * share
        energy += take * mean
        moment += take * (mean * (mass_kg - left + 0.5 * take) + bend * take / 12.0)
        lowest, highest = min(lowest, mean - 0.5 * abs(bend)), max(highest, mean + 0.5 * abs(bend))
        left -= take
        if not whole or share < 1.0:
            p.slug_kg[i, at] = have - take
            p.slug_c[i, at] += 0.5 * p.slope_k[i, at] * share
            p.slope_k[i, at] *= 1.0 - share
        else:
            p.first[i] = (at + 1) % p.slug_kg.shape[1]
            p.used[i] -= 1
            if p.used[i] == 0:
                break
    out = energy / mass_kg
    slope = 12.0 * (moment / (mass_kg * mass_kg) - 0.5 * out)
    most = 2.0 * max(min(highest - out, out - lowest), 0.0)
    return out, min(max(slope, -most), most)


@inner
def enter(p: Pipes, i: int, mass_kg: float, temp_c: float, slope_k: float) -> None:
    """Add a slug at the inlet; a tiny one joins the last.

    Args:
        p: the pipes; changed.
        i: which pipe.
        mass_kg: mass that enters.
        temp_c: its mean temperature.
        slope_k: last minus first of it.
    """
    if mass_kg <= 0.0:
        return
    room = p.slug_kg.shape[1]
    if p.used[i] > 1:
        last = (p.first[i] + p.used[i] - 1) % room
        if p.slug_kg[i, last] + mass_kg <= 3.0 * p.content_kg[i] / room:
            a, b = p.slug_kg[i, last], mass_kg
            mean = (a * p.slug_c[i, last] + b * temp_c) / (a + b)
            moment = a * (p.slug_c[i, last] * 0.5 * a + p.slope_k[i, last] * a / 12.0) + b * (temp_c * (a + 0.5 * b) + slope_k * b / 12.0)
            p.slope_k[i, last] = 12.0 * (moment / ((a + b) * (a + b)) - 0.5 * mean)
            p.slug_c[i, last] = mean
            p.slug_kg[i, last] = a + b
            return
    at = (p.first[i] + p.used[i]) % room
    p.slug_kg[i, at], p.slug_c[i, at], p.slope_k[i, at] = mass_kg, temp_c, slope_k
    p.used[i] += 1


@kernel
def heat_kg_k(p: Pipes, i: int) -> float:
    """Mass times temperature in a pipe [kg K above 0 degC]."""
    total = 0.0
    for k in range(p.used[i]):
        at = (p.first[i] + k) % p.slug_kg.shape[1]
        total += p.slug_kg[i, at] * p.slug_c[i, at]
    return total
