"""A ride: from a steady state through events, second by second, in one function that can be read from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from topology.axes import Bools, Floats
from topology.errors import LedgerError, UsageError
from topology.plant import Plant
from twin.solvers.laws import biquadratic
from twin.solvers.steady import solve_steady
from twin.solvers.transient import run, stored_j
from twin.solvers.transient_parts import Drive, Written
from twin.solvers.transient_plant import along
from twin.state import Ambient, Loads, SteadyState
from twin.transient.curves import SINKS, SinkCurve, folded, sink_curve
from twin.transient.electric import Electric, Happening
from twin.transient.events import Event
from twin.transient.prepare import Parts, prepare
from twin.transient.rest import branch_gear, running
from twin.transient.start import Start, begin

STEP_S = 1.0
"""Longest step of the solver [s]; a longer step between records is divided."""
FINE_S, FINE_FOR_S = 0.25, 15.0
"""Step after an event, and for how long: pumps coast down within seconds."""
CLOSURE = 1e-6
"""Share of the heat put in by which energy may fail to close over a ride."""
FAN_DOWN_S = 10.0
"""Time in which the rejection of a tower or cooler that stops fades away (estimate)."""
MOST_VALUES = 60_000_000
"""Recorded values above which a longer step between records is asked for."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Trajectory:
    """A ride in time; T recorded times.

    Attributes:
        plant: the plant.
        start: the steady state that it began in.
        events: what was asked for.
        happenings: what followed by itself, in order of time.
        written: recorded arrays, see :class:`twin.solvers.transient_parts.Written`.
        limit_s: (R, 6) first time beyond the limits of junction, memory, coolant supply, coolant return, inlet air and junction
            shutdown; infinite for never.
        loop_limit_s: (L,) first time that a loop's supply is beyond its limit.
        hall_limit_s: (H,) first time that a hall's supply air is beyond its limit.
        peak_c: (R,) highest junction.
        rack_on: (R,) racks that still draw power at the end.
        closure_frac: energy that does not close over what was put in.
    """

    plant: Plant
    start: SteadyState
    events: tuple[Event, ...]
    happenings: tuple[Happening, ...]
    written: Written
    limit_s: Floats
    loop_limit_s: Floats
    hall_limit_s: Floats
    peak_c: Floats
    rack_on: Bools
    closure_frac: float

    @property
    def time_s(self) -> Floats:
        """(T,) recorded times."""
        return self.written.time_s


@dataclass(frozen=True)
class Plan:
    """How a ride goes.

    Attributes:
        for_s: length.
        step_s: time between records.
        solver_step_s: longest step of the solver.
        fine_step_s: longest step after an event.
        levels: loads by utilisation, for ``load`` events.
        shutdown: racks whose accelerators reach their shutdown temperature go off.
    """

    for_s: float
    step_s: float = 1.0
    solver_step_s: float = STEP_S
    fine_step_s: float = FINE_S
    levels: Callable[[float], Loads] | None = None
    shutdown: bool = True


def ride(plant: Plant, loads: Loads, ambient: Ambient, events: Sequence[Event], plan: Plan, progress: Progress | None = None) -> Trajectory:
    """Let events happen to a plant that was at rest.

    Args:
        plant: the plant.
        loads: one scenario.
        ambient: its weather.
        events: in order of time.
        plan: how long, how fine.
        progress: told (whole seconds done, all).

    Returns:
        What happened.

    Raises:
        UsageError: a step that is not above zero, or records that would not fit.
        SolveError: the start is no steady state.
        LedgerError: energy does not close to :data:`CLOSURE`, which would be a fault of this code.
    """
    times = _times(plant, plan)
    start = solve_steady(plant, loads, ambient)
    parts = prepare(plant, start)
    if not plan.shutdown:
        parts.racks.limit_c[:, 5] = math.inf
    gear_on = np.array(start.power.gear_alive[0])
    state = begin(parts, start, gear_on)
    electric = Electric(plant, np.array(start.heat.gear_w[0]))
    electric.begin(start)
    trip = _Trip(parts, state, electric, start, plan, tuple(events))
    written = _written(parts, times)
    before, row, now, fine_until = stored(parts, state), 0, 0.0, 0.0
    while now < plan.for_s - 1e-9:
        changed, until = trip.look(now)
        if changed:
            fine_until = now + FINE_FOR_S
        drive = trip.drive(now, until)
        row = run(
            parts.racks, parts.loops, parts.cx, parts.cdus, parts.ax, parts.units, parts.halls, parts.branches, state.pipes, state.state,
            drive, state.work, written, row, plan.solver_step_s, min(plan.fine_step_s, plan.solver_step_s), fine_until,
        )  # fmt: skip
        electric.pass_time(now, until)
        now = until
        if progress is not None:
            progress(int(now), int(plan.for_s))
    closure = _closure(parts, state, before)
    for means in (written.cdu_w, written.reject_w, written.gear_w):  # means up to a record: before the first there is none
        means[0] = means[min(1, times.size - 1)]
    s = state.state
    on = (s.on > 0.0) & electric.rack_on & (start.loads.rack_w[0] > 0.0)
    return Trajectory(
        plant, start, tuple(events), tuple(electric.happenings()), written, s.first_s, s.loop_s, s.hall_s, s.peak_c, on, closure
    )


def stored(parts: Parts, state: Start) -> float:
    """Heat in everything, above 0 degC [J]."""
    return float(stored_j(parts.racks, parts.loops, parts.cdus, parts.units, parts.halls, state.pipes, state.state))


def _closure(parts: Parts, state: Start, before_j: float) -> float:
    into, out = (float(v) for v in state.state.book_j[:2])
    apart = abs(into - out - (stored(parts, state) - before_j)) / max(into, 1.0)
    if not apart <= CLOSURE:
        raise LedgerError(f"energy of the ride does not close: {apart:.1e} of the heat put in", residual=apart)
    return apart


def _times(plant: Plant, plan: Plan) -> Floats:
    if not (plan.step_s > 0.0 and plan.for_s > 0.0 and plan.solver_step_s > 0.0):
        raise UsageError("a ride needs a length and a step above zero")
    count = math.floor(plan.for_s / plan.step_s + 1e-9) + 1
    if count * (5 * plant.racks.n + 1) > MOST_VALUES:
        need = plan.step_s * count * (5 * plant.racks.n + 1) / MOST_VALUES
        raise UsageError(f"{count} records of {plant.racks.n} racks are too many; take a --step of {math.ceil(need)} s or more")
    return np.arange(count, dtype=np.float64) * plan.step_s


def _written(parts: Parts, times: Floats) -> Written:
    p, t = parts.plant, times.size

    def table(n: int) -> Floats:
        return np.zeros((t, n))

    r, x, c, h = p.racks.n, p.loops.n, p.cdus.n, p.halls.n
    return Written(
        times, table(r), table(r), table(r), table(r), table(r), table(x), table(x), table(x), table(x), table(c), table(c), table(h),
        table(h), table(x), table(x), table(x), np.zeros(t),
    )  # fmt: skip


@dataclass
class _Trip:
    """What changes from stretch to stretch; a private record of one run."""

    parts: Parts
    began: Start
    electric: Electric
    start: SteadyState
    plan: Plan
    events: tuple[Event, ...]
    done: int = 0
    knots: list[tuple[float, Loads]] = field(default_factory=list)
    _known: dict[bytes, SinkCurve] = field(default_factory=dict)
    _sinks: SinkCurve | None = None
    _fading: SinkCurve | None = None
    _blend: tuple[float, float] = (0.0, 0.0)
    _pattern: bytes = b""
    _restarted: dict[int, float] = field(default_factory=dict)
    _folded: Bools | None = None
    _cut: Bools | None = None

    def look(self, now: float) -> tuple[bool, float]:
        """Apply what is due now; whether something changed, and when to look again."""
        if not self.knots:
            self.knots = [(0.0, self.start.loads)]
        changed = False
        while self.done < len(self.events) and self.events[self.done].time_s <= now + 1e-9:
            self._apply(self.events[self.done], now)
            self.done += 1
            changed = True
        was_on, was_rack = self.electric.gear_on.copy(), self.electric.rack_on.copy()
        due = self.electric.look(now, self._loads_at(now))
        changed |= bool((was_on != self.electric.gear_on).any() or (was_rack != self.electric.rack_on).any())
        for g in np.flatnonzero(self.electric.gear_on & ~was_on):
            self._restarted[int(g)] = now + float(self.parts.plant.gear.restart_s[g])
        self._sink(now)
        times = [self.plan.for_s, due, *(e.time_s for e in self.events[self.done :]), *(t for t, _ in self.knots)]
        times += list(self._restarted.values())
        return changed, min(t for t in times if t > now + 1e-9)

    def _apply(self, event: Event, now: float) -> None:
        electric, p = self.electric, self.parts.plant
        if event.verb == "lose":
            electric.lost |= set(event.elements)
        elif event.verb == "restore":
            electric.lost -= set(event.elements)
            for name in event.elements:
                axis, k = p.index[name]
                if axis == "power":
                    electric.battery_j[k] = p.power.battery_j[k]
                    own = np.flatnonzero(electric.trips.element == k)
                    electric.memory[:, own] = 0.0
        elif event.verb in ("load", "cap"):
            here = self._loads_at(now)
            if event.verb == "cap":
                there = here.each(lambda v: v * event.value)
            elif self.plan.levels is None:
                raise UsageError(f"event {event.text!r}: this ride has no loads by utilisation")
            else:
                there = self._leaking(self.plan.levels(event.value))
            self.knots = [(now, here), (now + max(event.over_s, 1e-3), there)]
        if event.verb in ("lose", "restore"):
            self._isolate()

    def _leaking(self, loads: Loads) -> Loads:
        """Loads at another utilisation with the leakage of the start, in proportion."""
        leak = self.start.heat.leakage_w[0]
        base = self.start.loads.rack_w[0] - leak
        grown = np.divide(self.start.loads.rack_w[0], base, out=np.ones_like(base), where=base > 0.0)
        return loads.each(lambda v: v * grown)

    def _isolate(self) -> None:
        """Racks whose branch, manifold or loop is lost take no coolant: the flow curves are made anew."""
        from twin.solvers.steady import isolated

        cut = isolated(self.parts.plant, (tuple(sorted(self.electric.lost)),))[0]
        if self._cut is None:
            self._cut = np.zeros_like(cut)
        if (cut == self._cut).all():
            return
        from twin.transient.curves import flow_curves

        curves = flow_curves(self.parts.plant, self.start.loads.present[0] & ~cut)
        self._cut = cut
        self.parts.branches.root[:], self.parts.branches.taken[:] = curves.root, curves.taken
        self.parts.curves.share[:] = curves.share

    def _loads_at(self, now: float) -> Loads:
        """Loads now, between the knots."""
        if len(self.knots) == 1 or now <= self.knots[0][0]:
            return self.knots[0][1]
        (t0, a), (t1, b) = self.knots
        if now >= t1 - 1e-12:
            return b
        w = (now - t0) / (t1 - t0)
        mixed = iter([(1.0 - w) * x + w * y for x, y in zip(_powers(a), _powers(b), strict=True)])
        return Loads(next(mixed), next(mixed), next(mixed), next(mixed), a.present)

    def _sink(self, now: float) -> None:
        """Rejection curves for what runs now; a change fades in or out."""
        p = self.parts.plant
        sinks = np.asarray([kind in SINKS for kind in p.gear.kind], dtype=bool)
        if self._folded is None:
            self._folded = folded(p, self.start)
        counted = sinks | (np.asarray([kind == "chiller" for kind in p.gear.kind], dtype=bool) & bool(self._folded.any()))
        pattern = (self.electric.gear_on & counted).tobytes()
        if pattern == self._pattern:
            return
        if pattern not in self._known:
            self._known[pattern] = sink_curve(p, self.start, self.electric.gear_on)
        new = self._known[pattern]
        if self._sinks is None:
            self._sinks = self._fading = new
            self._anchor(new)
        else:
            more = self.electric.gear_on[counted].sum() > np.frombuffer(self._pattern, bool)[counted].sum()
            takes = float(p.gear.restart_s[counted].max()) if more else FAN_DOWN_S
            self._fading, self._sinks, self._blend = self._sinks, new, (now, takes)
        self._pattern = pattern

    def _anchor(self, curve: SinkCurve) -> None:
        """Share of full rejection with which the start is at rest."""
        parts, state, work = self.parts, self.began.state, self.began.work
        p = parts.plant
        for x in np.flatnonzero(p.loops.fws):
            flow = work.loop_kg_s[x] * p.loops.cp_j_kg_k[x]
            heat = flow * (state.loop_c[x, 3] - state.loop_c[x, 0]) + state.chiller_w[x] * (1.0 + self._ratio[x])
            full, _ = along(np.ascontiguousarray(curve.supply_c[x]), np.ascontiguousarray(curve.heat_w[x]), float(state.loop_c[x, 0]))
            share = heat / full if full > 0.0 else 0.0
            if share > 1.0:
                for known in self._known.values():
                    known.heat_w[x] *= share
                share = 1.0
            state.reject[x, 0] = state.reject[x, 1] = max(share, 0.0)

    @property
    def _ratio(self) -> Floats:
        """(L,) power of a loop's chillers for each watt that they take, at the start; that of their rating where none runs."""
        k, p = self.parts.plant.chillers, self.parts.plant
        taken, power, rated = np.zeros(p.loops.n), np.zeros(p.loops.n), np.zeros(p.loops.n)
        np.add.at(taken, k.fws, self.start.heat.chiller_w[0])
        np.add.at(power, k.fws, self.start.heat.gear_w[0, k.gear])
        np.maximum.at(rated, k.fws, 1.0 / k.cop)
        found: Floats = np.where(taken > 0.0, power / np.maximum(taken, 1e-9), rated)
        return found

    def drive(self, now: float, until: float) -> Drive:
        """What holds from now till then."""
        parts, electric, p = self.parts, self.electric, self.parts.plant
        on = electric.gear_on
        gear = branch_gear(p)
        count = running(p, on, electric.lost)
        kept = np.where(count > 0.0, count, running(p, np.ones(p.gear.n, bool)))
        powered = (count > 0.0) & on[gear]
        self._restarted = {g: t for g, t in self._restarted.items() if t > now + 1e-9}
        ramp = parts.ramp_per_s.copy()
        for i, g in enumerate(gear):
            if int(g) in self._restarted:
                ramp[i] = min(ramp[i], 1.0 / max(float(p.gear.restart_s[g]), 1.0))
        assert self._sinks is not None and self._fading is not None
        return Drive(
            np.array([now, until]), self._heat(now, until), on[p.cdus.gear], on[p.air_units.gear],
            np.asarray([i in electric.lost for i in p.loops.ids], dtype=bool), powered, kept, ramp,
            np.stack([self._fading.supply_c, self._sinks.supply_c], axis=1), np.stack([self._fading.heat_w, self._sinks.heat_w], axis=1),
            np.tile(np.asarray(self._blend), (p.loops.n, 1)), self._chillers(now), self._ratio, parts.curves.share,
        )  # fmt: skip

    def _heat(self, now: float, until: float) -> Floats:
        """(2, R, 3) accelerator power of a rack, liquid heat and input at both ends."""
        plates = self.parts.racks.plates
        rows = []
        for t in (now, until):
            loads = self._loads_at(t)
            rows.append(np.stack([loads.chip_w[0] * plates, loads.liquid_w[0], loads.rack_w[0]], axis=1))
        heat: Floats = np.stack(rows) * self.electric.rack_on[None, :, None]
        return np.ascontiguousarray(heat)

    def _chillers(self, now: float) -> Floats:
        """(L,) heat that running chillers can take at the set-point and the water that reaches them now."""
        p, k = self.parts.plant, self.parts.plant.chillers
        most = np.zeros(p.loops.n)
        assert self._folded is not None
        for c in range(k.n):
            f = k.fws[c]
            ready = self._restarted.get(int(k.gear[c]), -math.inf) <= now + 1e-9
            if self.electric.gear_on[k.gear[c]] and ready and not self._folded[f]:
                low, high = k.leaving_c[c]
                chilled = float(np.clip(p.loops.supply_c[f], low, high))
                condenser = float(np.clip(self.began.state.loop_c[f, 0], *k.condenser_c[c]))
                most[f] += k.duty_w[c] * max(biquadratic(np.ascontiguousarray(k.cap_f_t[c]), chilled, condenser), 0.0)
        return most


def _powers(loads: Loads) -> tuple[Floats, Floats, Floats, Floats]:
    return loads.rack_w, loads.it_w, loads.chip_w, loads.liquid_w


__all__ = ["CLOSURE", "Plan", "Trajectory", "ride"]
