"""Everything that protects a power chain, held against every single failure: what trips, what is selective, what is too weak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from topology.axes import Floats, Ints
from topology.plant import Plant
from twin.headroom.cases import Block, Case, all_cases, blocks
from twin.power.blocks import BlockLoad, block_loads
from twin.power.faults import FaultLevels, fault_levels
from twin.power.phases import PhaseState, phases
from twin.power.schemes import Scheme, schemes
from twin.power.selectivity import Pair, selectivity
from twin.power.sharing import ShareSpread, share_spread
from twin.power.trips import LATE, curves, multiples
from twin.solvers.breakers import TripCurves, settled, time_left
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Loads, SteadyState

Progress = Callable[[int, int], None]
"""Called with (done, total) as long work goes on; raise :class:`topology.errors.Cancelled` in it to stop."""


@dataclass(frozen=True)
class Guards:
    """Every element with a trip curve (G), over all cases.

    Attributes:
        element: (G,) index on the power axis.
        pickup: (G,) current over rating above which its most sensitive stage may act.
        normal: (G,) load over rating with nothing lost.
        worst: (G,) largest load over rating in any case.
        worst_case: (G,) index of that case.
    """

    element: Ints
    pickup: Floats
    normal: Floats
    worst: Floats
    worst_case: Ints

    @property
    def margin_frac(self) -> Floats:
        """(G,) share of the pickup that is left in the worst case; negative where it acts."""
        found: Floats = 1.0 - self.worst / self.pickup
        return found


@dataclass(frozen=True)
class Trip:
    """An element that acts in a case.

    Attributes:
        case: what is lost.
        kind: kind of that.
        element: what acts.
        load_frac: load over its rating.
        early_s: soonest that it may act after the case begins.
        late_s: time by which it surely has, infinite where it need not.
    """

    case: str
    kind: str
    element: str
    load_frac: float
    early_s: float
    late_s: float


@dataclass(frozen=True)
class Protection:
    """Answer of :func:`protection`.

    Attributes:
        cases: what was lost.
        normal: the state with nothing lost.
        guards: elements with a curve.
        trips: what acts, soonest first.
        pairs: selectivity of every child with its parent.
        faults: prospective fault currents.
        phases: line currents with nothing lost.
        spread: how far loads may be off for the sharing between cords, with nothing lost.
        schemes: declared groups of power elements.
        generators: steps of load after the loss of every utility.
    """

    cases: tuple[Case, ...]
    normal: SteadyState
    guards: Guards
    trips: tuple[Trip, ...]
    pairs: tuple[Pair, ...]
    faults: FaultLevels
    phases: PhaseState
    spread: ShareSpread
    schemes: tuple[Scheme, ...]
    generators: tuple[BlockLoad, ...]

    @property
    def holds(self) -> bool:
        """Nothing acts in any case, every breaker interrupts its fault, schemes and generators are as they should be."""
        rest = all(s.holds for s in self.schemes) and all(g.holds for g in self.generators)
        return not self.trips and not self.faults.too_weak.any() and rest


def protection(plant: Plant, loads: Loads, ambient: Ambient, progress: Progress | None = None) -> Protection:
    """Hold the protection of a plant against every single failure and every declared common cause.

    Args:
        plant: the plant.
        loads: one scenario of loads.
        ambient: its weather.
        progress: told how many cases are done.

    Returns:
        Everything that there is to say.

    Raises:
        SiteError: a trip stage of the catalog lacks a figure.
        NotConverged: a solve did not settle.
    """
    cases = all_cases(plant)
    table, late = curves(plant), curves(plant, LATE)
    guarded, slot = np.unique(table.element, return_inverse=True)
    pickup = np.full(guarded.size, np.inf)
    np.minimum.at(pickup, slot.reshape(-1), table.pickup)
    normal_state = solve_steady(plant, loads, ambient)
    normal = multiples(plant, normal_state.power)[0, guarded]
    worst, worst_case = np.full(guarded.size, -1.0), np.zeros(guarded.size, np.int64)
    trips: list[Trip] = []
    for block in blocks(plant, loads, ambient, cases):
        now = multiples(plant, block.state.power)
        own = now[:, guarded]
        at = own.argmax(axis=0)
        high = own[at, np.arange(guarded.size)] if guarded.size else worst
        worst_case = np.where(high > worst, block.first + at, worst_case)
        worst = np.maximum(worst, high)
        trips += _trips(plant, cases, block, now, table, late)
        if progress:
            progress(block.first + block.cases, len(cases))
    levels = fault_levels(plant)
    return Protection(
        cases=cases, normal=normal_state, guards=Guards(guarded, pickup, normal, worst, worst_case),
        trips=tuple(sorted(trips, key=lambda t: (t.early_s, t.case, t.element))), pairs=selectivity(plant, levels.fault_a), faults=levels,
        phases=phases(plant, normal_state), spread=share_spread(plant, normal_state), schemes=schemes(plant, loads, ambient),
        generators=block_loads(plant, loads, ambient),
    )  # fmt: skip


def _trips(plant: Plant, cases: tuple[Case, ...], block: Block, now: Floats, early: TripCurves, late: TripCurves) -> list[Trip]:
    before = np.tile(block.before, (block.cases, 1))
    soonest = time_left(early, settled(early, before), now)
    rows, elements = np.nonzero(np.isfinite(soonest))
    if not rows.size:
        return []
    surely = time_left(late, settled(late, before), now)
    found = []
    for z, e in zip(rows.tolist(), elements.tolist(), strict=True):
        case = cases[block.first + z]
        found.append(Trip(case.name, case.kind, plant.power.ids[e], float(now[z, e]), float(soonest[z, e]), float(surely[z, e])))
    return found
