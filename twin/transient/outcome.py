"""What a ride comes to: seconds to each limit by rack, loop and hall, what goes first, what saves it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.transient.ride import Trajectory

RACK_LIMITS = ("chip temperature", "memory temperature", "coolant supply", "coolant return", "inlet air", "chip shutdown")
"""Limits of a rack in the order of :attr:`twin.transient.ride.Trajectory.limit_s`."""
STOOD = 0.02
"""Share of its flow at the start below which a loop counts as standing."""


@dataclass(frozen=True)
class Reached:
    """A limit that was reached.

    Attributes:
        time_s: when, from the start of the ride.
        after_s: the same from the last event before.
        element: rack, loop or hall.
        limit: which limit.
        bound_c: the limit.
    """

    time_s: float
    after_s: float
    element: str
    limit: str
    bound_c: float


@dataclass(frozen=True)
class LoopLoss:
    """What a loop lost, and how warm its racks became.

    Attributes:
        loop: loop.
        mode: ``loss of flow``, ``loss of heat rejection``, both, or ``held``.
        flow_lost_s: first recorded time at which its coolant stood, infinite for never.
        rejection_lost_s: first recorded time at which its supply left the set-point by more than its limit, infinite for never.
        back_s: recorded time from which flow was there again after it had stood, infinite for never.
        peak_supply_c: highest supply.
        first_limit_s: first limit of any of its racks, infinite for none.
    """

    loop: str
    mode: str
    flow_lost_s: float
    rejection_lost_s: float
    back_s: float
    peak_supply_c: float
    first_limit_s: float


@dataclass(frozen=True)
class Outcome:
    """The answer of a ride.

    Attributes:
        reached: every limit that was reached, in order of time.
        loops: what each loop lost.
        racks_off: racks that lost power or shut themselves down.
        saved: what came back in time, as a sentence each.
        peak_c: highest junction, and its rack.
        peak_rack: that rack.
    """

    reached: tuple[Reached, ...]
    loops: tuple[LoopLoss, ...]
    racks_off: tuple[str, ...]
    saved: tuple[str, ...]
    peak_c: float
    peak_rack: str

    @property
    def first(self) -> Reached | None:
        """What goes first."""
        return self.reached[0] if self.reached else None


def outcome(trip: Trajectory) -> Outcome:
    """Sum a ride up.

    Args:
        trip: the ride.
    """
    plant, start = trip.plant, trip.start
    on = start.loads.rack_w[0] > 0.0
    reached = sorted(_reached(trip), key=lambda r: (r.time_s, r.element, r.limit))
    off = tuple(plant.racks.ids[r] for r in np.flatnonzero(on & ~trip.rack_on))
    peak = np.where(on, trip.peak_c, -math.inf)
    hottest = int(np.argmax(peak)) if on.any() else -1
    return Outcome(
        tuple(reached), tuple(_loop(trip, x) for x in range(plant.loops.n)), off, _saved(trip, reached),
        float(peak[hottest]) if hottest >= 0 else math.nan, plant.racks.ids[hottest] if hottest >= 0 else "",
    )  # fmt: skip


def bounds_c(trip: Trajectory) -> Floats:
    """(R, 6) limits of the racks, in the order of :data:`RACK_LIMITS`."""
    racks = trip.plant.racks
    from twin.transient.prepare import SHUTDOWN_K

    return np.stack([
        racks.chip_limit_c, racks.memory_limit_c, racks.coolant_limit_c, racks.return_limit_c, racks.inlet_limit_c,
        racks.chip_limit_c + SHUTDOWN_K,
    ], axis=1)  # fmt: skip


def _reached(trip: Trajectory) -> list[Reached]:
    plant, found = trip.plant, []
    begun = sorted({e.time_s for e in trip.events})

    def add(time: float, element: str, limit: str, bound: float) -> None:
        before = [t for t in begun if t <= time]
        found.append(Reached(time, time - (before[-1] if before else 0.0), element, limit, bound))

    bound = bounds_c(trip)
    for r, k in np.argwhere(np.isfinite(trip.limit_s)):
        add(float(trip.limit_s[r, k]), plant.racks.ids[r], RACK_LIMITS[k], float(bound[r, k]))
    for x in np.flatnonzero(np.isfinite(trip.loop_limit_s)):
        add(float(trip.loop_limit_s[x]), plant.loops.ids[x], "loop supply", float(plant.loops.supply_limit_c[x]))
    for h in np.flatnonzero(np.isfinite(trip.hall_limit_s)):
        add(float(trip.hall_limit_s[h]), plant.halls.ids[h], "hall supply air", float(plant.halls.air_limit_c[h]))
    return found


def _loop(trip: Trajectory, x: int) -> LoopLoss:
    plant, w = trip.plant, trip.written
    flow, supply = w.loop_kg_s[:, x], w.loop_supply_c[:, x]
    usual = float(trip.start.flow.loop_kg_s[0, x])
    stood = (flow < STOOD * usual) & (usual > 0.0)
    lost = _first(w.time_s, stood)
    again = _first(w.time_s, ~stood & (w.time_s > lost)) if math.isfinite(lost) else math.inf
    warm = float(trip.loop_limit_s[x])
    own = _racks_of(trip, x)
    first = float(trip.limit_s[own].min(initial=math.inf)) if own.size else math.inf
    mode = " and ".join(m for m, t in (("loss of flow", lost), ("loss of heat rejection", warm)) if math.isfinite(t)) or "held"
    return LoopLoss(plant.loops.ids[x], mode, lost, warm, again, float(supply.max()), first)


def _racks_of(trip: Trajectory, x: int) -> Ints:
    plant = trip.plant
    if not plant.manifolds.n or plant.loops.fws[x]:
        return np.zeros(0, np.int64)
    hung = plant.racks.manifold >= 0
    return np.flatnonzero(hung & (plant.manifolds.loop[plant.racks.manifold] == x) & (trip.start.loads.rack_w[0] > 0.0))


def _first(times: Floats, flags: Bools) -> float:
    at = np.flatnonzero(flags)
    return float(times[at[0]]) if at.size else math.inf


def _saved(trip: Trajectory, reached: Sequence[Reached]) -> tuple[str, ...]:
    """Batteries, generators and caps that acted, and pumps that came back before any limit of their loop."""
    told = []
    for x, name in enumerate(trip.plant.loops.ids):
        loss = _loop(trip, x)
        if math.isfinite(loss.back_s) and not any(r.time_s < loss.back_s for r in reached):
            told.append(f"flow of {name} stood at t={loss.flow_lost_s:g} s and was back at t={loss.back_s:g} s, before any limit")
    for h in trip.happenings:
        if h.what.startswith("on battery") or "takes load" in h.what:
            told.append(f"{h.element} {h.what}")
    for e in trip.events:
        if e.verb == "cap" and not any(r.time_s < e.time_s for r in reached):
            told.append(f"racks cut to {100.0 * e.value:.0f} % at t={e.time_s:g} s, before any limit")
    return tuple(dict.fromkeys(told))
