"""Selectivity: whether the child opens before its parent, over every current and with both tolerance bands.

A pair is selective at a current where the *latest* that the child acts is before the *earliest* that the parent may. Both see the
same fault, the parent's current turned by the voltages; other load on the parent is left out, as a fault swamps it. The search
begins where the child is sure to act (below that nothing is wrong at the child, and a parent that opens protects itself) and runs
on a grid of 1 % steps and on every pickup, up to the prospective fault current behind the child or, where that is unknown, to
:data:`FAR` times the parent's rating. UPSs and static switches between the two carry a fault through (bypass), and are passed over.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from topology.axes import Floats
from topology.plant import Plant
from topology.trip import TripStage
from twin.power.phases import nominal_v
from twin.power.trips import EARLY, LATE, stage_row
from twin.solvers.breakers import stage_time

KINDS = ("transformer", "switchboard", "pdu", "busway", "breaker")
"""Kinds whose curve is that of a breaker or relay, and not an overload class of electronics."""
FAR = 20.0
"""How far a search goes over the parent's rating where the fault level is unknown."""
GRID = 1.01
GRID_GAP = 0.02
"""How far above the child's sure pickup the search begins: at the pickup itself every inverse time is infinite."""


@dataclass(frozen=True)
class Pair:
    """A child with a curve and the nearest element above it that has one.

    Attributes:
        parent: its id.
        child: its id.
        selective_to_a: current at the child up to which the child opens first; infinite where it does at every current looked at.
        overlap_a: (n, 2) ranges of the child's current in which the parent may open first.
        searched_a: largest current looked at.
        fault_a: prospective fault current behind the child, 0 where unknown.
    """

    parent: str
    child: str
    selective_to_a: float
    overlap_a: tuple[tuple[float, float], ...]
    searched_a: float
    fault_a: float

    @property
    def selective(self) -> bool:
        """The child opens first at every current that was looked at."""
        return not self.overlap_a


def acts_s(stages: tuple[TripStage, ...], multiple: Floats, band: str = EARLY) -> Floats:
    """Time until the quickest stage acts from cold.

    Args:
        stages: of one element.
        multiple: any shape, current over rating.
        band: ``early`` or ``late`` end of the tolerance.

    Returns:
        Seconds, same shape; infinite where nothing acts.
    """
    out = np.full(multiple.shape, math.inf)
    for stage in stages:
        law, pickup, a, b, c, _ = stage_row(stage, band)
        times = [stage_time(int(law), pickup, a, b, c, float(m)) for m in multiple.ravel()]
        out = np.minimum(out, np.asarray(times).reshape(multiple.shape))
    return out


def overlaps(
    parent: tuple[TripStage, ...], parent_a: float, child: tuple[TripStage, ...], child_a: float, to_a: float
) -> tuple[tuple[float, float], ...]:
    """Ranges of current in which the parent may open before the child has.

    Args:
        parent: stages of the parent.
        parent_a: its rating, as a current at the child's voltage [A].
        child: stages of the child.
        child_a: its rating [A].
        to_a: largest current [A].

    Returns:
        Ranges [A], lowest first.
    """
    corners = [(s.pickup, s.pickup_late or s.pickup, r) for stages, r in ((parent, parent_a), (child, child_a)) for s in stages]
    low = child_a * min(s.pickup_late or s.pickup for s in child)
    if to_a <= low:
        return ()
    count = math.ceil(math.log(to_a / low) / math.log(GRID)) + 1
    points = [x * r * near for e, late, r in corners for x in (e, late) for near in (1.0 - 1e-9, 1.0 + 1e-9)]
    grid = np.unique(np.concatenate([np.geomspace(low * (1.0 + GRID_GAP), to_a, count), [x for x in points if low < x < to_a]]))
    first, last = acts_s(parent, grid / parent_a, EARLY), acts_s(child, grid / child_a, LATE)
    bad = np.isfinite(first) & (first <= last)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8)))
    return tuple((float(grid[a]), float(grid[b - 1])) for a, b in edges.reshape(-1, 2))


def selectivity(plant: Plant, fault_a: Floats | None = None) -> tuple[Pair, ...]:
    """Every child with a curve beside the nearest curve above it.

    Args:
        plant: the plant.
        fault_a: (N,) prospective fault current at each element's output, 0 where unknown.

    Returns:
        Pairs in the order of the power axis; one a parent where a child has several in parallel.
    """
    p, volts, rated = plant.power, nominal_v(plant), rated_a(plant)
    known = np.zeros(p.n) if fault_a is None else fault_a
    found: dict[tuple[object, ...], tuple[tuple[float, float], ...]] = {}
    pairs = []
    for child in range(p.n):
        own = _stages(plant, child)
        if not own or not np.isfinite(rated[child]) or volts[child] <= 0.0:
            continue
        for parent in _above(plant, child):
            if not np.isfinite(rated[parent]) or volts[parent] <= 0.0:
                continue
            at_child = rated[parent] * volts[parent] / volts[child]
            to_a = float(known[child]) if known[child] > 0.0 else FAR * at_child
            key = (p.model[parent], p.model[child], at_child, rated[child], to_a)
            if key not in found:
                found[key] = overlaps(_stages(plant, parent), at_child, own, rated[child], to_a)
            ranges = found[key]
            limit = ranges[0][0] if ranges else math.inf
            pairs.append(Pair(p.ids[parent], p.ids[child], limit, ranges, to_a, float(known[child])))
    return tuple(pairs)


def rated_a(plant: Plant) -> Floats:
    """(N,) rating of each element as a current [A], before its continuous share; infinite where it has none or no voltage."""
    p, volts = plant.power, nominal_v(plant)
    root = math.sqrt(3.0) * np.where(volts > 0.0, volts, np.nan)
    found = np.fmin(np.fmin(p.rating_a, p.rating_va / root), p.rating_w / root)
    out: Floats = np.where(volts > 0.0, found / p.continuous_frac, np.inf)
    return out


def _stages(plant: Plant, e: int) -> tuple[TripStage, ...]:
    model = plant.power.models[plant.power.model[e]]
    return model.trip if model is not None and plant.power.kind[e] in KINDS else ()


def _above(plant: Plant, e: int) -> Iterator[int]:
    """Nearest elements with a breaker's curve on every normal way up."""
    stack, seen = [int(k) for k in plant.power.parents[e] if k >= 0], set()
    while stack:
        k = stack.pop(0)
        if k in seen:
            continue
        seen.add(k)
        if _stages(plant, k):
            yield k
        else:
            stack += [int(j) for j in plant.power.parents[k] if j >= 0]
