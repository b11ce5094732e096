"""Who has power from moment to moment: losses, batteries, generators that start, switches that transfer, gear that restarts.

The chain itself is that of the steady solver; a UPS with energy left and a dead input is a source in it, a generator that has not
started is lost. Racks without supply for longer than their hold-up go off and stay off: their job is gone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from topology.axes import Bools, Floats
from topology.plant import Plant
from twin.power.trips import curves, multiples
from twin.solvers.breakers import TripCurves, advance, settled, time_left
from twin.solvers.power import Supply, solve_power, supply
from twin.state import Loads, SteadyState

HOLD_UP_S = 0.02
"""Time that a rack's supplies carry it without input (20 ms is usual of server supplies at full load; estimate)."""
DIP_S = 0.2
"""Loss of supply that a drive rides through without a restart (estimate)."""
LOOK_S = 10.0
"""Longest stretch between two looks at batteries and breakers that are in use."""


@dataclass(frozen=True)
class Happening:
    """Something that followed from events by itself.

    Attributes:
        time_s: when.
        element: what it happened to.
        what: such as ``on battery``.
    """

    time_s: float
    element: str
    what: str


@dataclass
class Electric:
    """The power chain during a ride; a private, changing record of one run.

    Attributes:
        plant: the plant.
        gear_w: (G,) power of gear while it runs, as at the start.
        lost: elements that events took.
        battery_j: (N,) energy left.
        ready_s: (N,) when a generator takes load, infinite before it is asked.
        held_s: (N,) until when an element transfers.
        dead_s: (G,) since when a gear is without supply, NaN while it has one.
        start_s: (G,) when a gear starts again.
        gear_on: (G,) gear that runs.
        rack_on: (R,) racks that have not lost supply.
        rack_dead_s: (R,) since when a rack is without supply.
        memory: trip memory.
        trips: trip curves.
        standby: (N,) generators that only stand by.
        log: what happened.
    """

    plant: Plant
    gear_w: Floats
    lost: set[str] = field(default_factory=set)
    battery_j: Floats = field(default_factory=lambda: np.zeros(0))
    ready_s: Floats = field(default_factory=lambda: np.zeros(0))
    held_s: Floats = field(default_factory=lambda: np.zeros(0))
    dead_s: Floats = field(default_factory=lambda: np.zeros(0))
    start_s: Floats = field(default_factory=lambda: np.zeros(0))
    gear_on: Bools = field(default_factory=lambda: np.zeros(0, bool))
    rack_on: Bools = field(default_factory=lambda: np.zeros(0, bool))
    rack_dead_s: Floats = field(default_factory=lambda: np.zeros(0))
    memory: Floats = field(default_factory=lambda: np.zeros((1, 0)))
    trips: TripCurves = field(default_factory=lambda: TripCurves(*(np.zeros(0, np.int64),) * 2, *(np.zeros(0),) * 5))
    standby: Bools = field(default_factory=lambda: np.zeros(0, bool))
    log: list[Happening] = field(default_factory=list)
    _chosen: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    _on_battery: Bools = field(default_factory=lambda: np.zeros(0, bool))
    _multiple: Floats = field(default_factory=lambda: np.zeros((1, 0)))
    _ups_w: Floats = field(default_factory=lambda: np.zeros(0))

    def begin(self, start: SteadyState) -> None:
        """Start from a steady state in which nothing is lost beside what it says."""
        p, n = self.plant, self.plant.power.n
        self.lost = {i for s in start.outages.sets for i in s}
        self.battery_j = np.array(p.power.battery_j)
        self.ready_s, self.held_s = np.full(n, math.inf), np.full(n, -math.inf)
        self.dead_s, self.start_s = np.full(p.gear.n, math.nan), np.full(p.gear.n, -math.inf)
        self.gear_on = np.array(start.power.gear_alive[0])
        self.rack_on, self.rack_dead_s = np.array(start.power.powered[0]), np.full(p.racks.n, math.nan)
        self._on_battery = np.zeros(n, bool)
        self.standby = self._spare()
        self.trips = curves(p)
        self._multiple = multiples(p, start.power)[:1]
        self.memory = settled(self.trips, self._multiple)
        chain = self._chain()
        self._chosen = chain.weight[0].copy()
        idle = ~self.gear_on
        self.start_s[idle], self.dead_s[idle] = math.inf, 0.0

    def look(self, now_s: float, loads: Loads) -> float:
        """Work out who has power now; racks and gear that lost it go off.

        Args:
            now_s: time.
            loads: what racks ask for, one scenario.

        Returns:
            When to look again at the latest; infinite where nothing is due.
        """
        chain = self._chain(now_s)
        self._transfer(chain, now_s)
        chain = self._chain(now_s)
        self._generators(chain, now_s)
        chain = self._chain(now_s)
        self._gear(chain, now_s)
        self._racks(chain, now_s)
        self._draw(chain, loads, now_s)
        return self._due(now_s)

    def pass_time(self, now_s: float, later_s: float) -> None:
        """Batteries give what UPSs carry, and protections warm up, from now till later."""
        took = later_s - now_s
        use = np.where(self._on_battery, self._ups_w, 0.0) * took
        self.battery_j = np.where(self._on_battery, np.maximum(self.battery_j - use, 0.0), self.battery_j)
        for e in np.flatnonzero(self._on_battery & (self.battery_j <= 1e-6 * np.maximum(use, 1.0))):
            self.battery_j[e] = 0.0
            self.log.append(Happening(later_s, self.plant.power.ids[e], "battery empty"))
        if self.trips.element.size:
            self.memory = advance(self.trips, self.memory, self._multiple, took)
            for k in np.flatnonzero(self.memory[0] >= 1.0 - 1e-9):
                name = self.plant.power.ids[self.trips.element[k]]
                if name not in self.lost:
                    self.lost.add(name)
                    self.log.append(Happening(later_s, name, "tripped by overload"))

    def _chain(self, now: float = -math.inf) -> Supply:
        p = self.plant
        ups = np.asarray([kind == "ups" for kind in p.power.kind], dtype=bool)
        source = p.power.source | (ups & (self.battery_j > 0.0))
        standby = [i for e, i in enumerate(p.power.ids) if self.standby[e] and not self.ready_s[e] <= now + 1e-9]
        held = [p.power.ids[e] for e in np.flatnonzero(self.held_s > now + 1e-9)]
        changed = replace(p, power=replace(p.power, source=source))
        return supply(changed, [tuple({*self.lost, *standby, *held})])

    def _spare(self) -> Bools:
        """(N,) generators that only stand by: some element's transfer parent and no element's normal one."""
        power = self.plant.power
        normal, reserve = np.zeros(power.n, bool), np.zeros(power.n, bool)
        normal[power.parents[power.parents >= 0]] = True
        reserve[power.transfer[power.transfer >= 0]] = True
        return np.asarray([kind == "generator" for kind in power.kind], dtype=bool) & reserve & ~normal

    def _transfer(self, chain: Supply, now: float) -> None:
        """Elements that change to a transfer parent are dead while they switch; a UPS carries on by its battery."""
        power = self.plant.power
        q = power.parents.shape[1]
        to_reserve = (chain.weight[0][:, q:].sum(axis=1) > 0.0) & ~(self._chosen[:, q:].sum(axis=1) > 0.0)
        for e in np.flatnonzero(to_reserve & (power.transfer_s > 0.0)):
            if power.kind[e] != "ups" and self.held_s[e] < now:
                self.held_s[e] = now + power.transfer_s[e]
        self._chosen = chain.weight[0].copy()

    def _generators(self, chain: Supply, now: float) -> None:
        power = self.plant.power
        alive = chain.alive[0]
        for e in np.flatnonzero(self.standby):
            if self.ready_s[e] < math.inf or power.ids[e] in self.lost:
                continue
            backed = np.flatnonzero((power.transfer == e).any(axis=1))
            if any(not any(alive[j] for j in power.parents[b] if j >= 0) for b in backed):
                self.ready_s[e] = now + power.start_s[e]
                self.log.append(Happening(now, power.ids[e], f"starts, takes load at t={self.ready_s[e]:g} s"))

    def _gear(self, chain: Supply, now: float) -> None:
        gear = self.plant.gear
        fed = chain.gear_share[0].sum(axis=1) > 0.0
        for g in range(gear.n):
            if not fed[g]:
                if math.isnan(self.dead_s[g]):
                    self.dead_s[g] = now
                    if self.gear_on[g]:
                        self.log.append(Happening(now, gear.ids[g], "stops"))
                self.gear_on[g], self.start_s[g] = False, math.inf
            elif not math.isnan(self.dead_s[g]):
                short = now - self.dead_s[g] <= DIP_S
                self.start_s[g] = now + (0.0 if short else float(gear.restart_delay_s[g]))
                self.dead_s[g] = math.nan
            if fed[g] and not self.gear_on[g] and self.start_s[g] <= now + 1e-9:
                self.gear_on[g] = True
                self.log.append(Happening(now, gear.ids[g], "starts again"))

    def _racks(self, chain: Supply, now: float) -> None:
        fed = chain.rack_share[0].sum(axis=1) > 0.0
        for r in np.flatnonzero(~fed & self.rack_on & np.isnan(self.rack_dead_s)):
            self.rack_dead_s[r] = now
        self.rack_dead_s[fed & self.rack_on] = math.nan
        for r in np.flatnonzero(self.rack_on & (now - self.rack_dead_s >= HOLD_UP_S - 1e-9)):
            self.rack_on[r] = False
            self.log.append(Happening(float(self.rack_dead_s[r]), self.plant.racks.ids[r], "loses power"))

    def _draw(self, chain: Supply, loads: Loads, now: float) -> None:
        """What each UPS and protection carries until the next look."""
        p = self.plant
        on = loads.each(lambda v: np.where(self.rack_on, v, 0.0))
        gear_w = np.where(self.gear_on, self.gear_w, 0.0)[None, :]
        power = solve_power(p, chain, np.zeros(1, np.int64), on, gear_w)
        self._ups_w = power.out_w[0]
        parents = np.where(p.power.parents >= 0, chain.alive[0][p.power.parents], False).any(axis=1)
        reserve = np.where(p.power.transfer >= 0, chain.alive[0][p.power.transfer], False).any(axis=1)
        ups = np.asarray([kind == "ups" for kind in p.power.kind], dtype=bool)
        lost = np.asarray([i in self.lost for i in p.power.ids], dtype=bool)
        before = self._on_battery
        self._on_battery = ups & chain.alive[0] & ~parents & ~reserve & ~lost & (self.battery_j > 0.0)
        for e in np.flatnonzero(self._on_battery & ~before):
            left = self.battery_j[e] / self._ups_w[e] if self._ups_w[e] > 0.0 else math.inf
            told = f"on battery, {left:.0f} s at this load" if math.isfinite(left) else "on battery"
            self.log.append(Happening(now, p.power.ids[e], told))
        for e in np.flatnonzero(before & ~self._on_battery & (self.battery_j > 0.0)):
            self.log.append(Happening(now, p.power.ids[e], "back on its input"))
        self._multiple = multiples(p, power)[:1]

    def _due(self, now: float) -> float:
        """Next time at which something changes by itself."""
        times = [*self.ready_s, *self.held_s, *self.start_s, *(self.rack_dead_s[self.rack_on] + HOLD_UP_S)]
        with np.errstate(divide="ignore", invalid="ignore"):
            left = self.battery_j / self._ups_w
        times += [now + min(max(t, 1e-3), LOOK_S) for t in left[self._on_battery & (self._ups_w > 0.0)] if math.isfinite(t)]
        if self.trips.element.size:
            times += [now + t for t in time_left(self.trips, self.memory, self._multiple)[0] if math.isfinite(t) and t > 0.0]
        later = [t for t in times if math.isfinite(t) and t > now + 1e-9]
        return float(min(later, default=math.inf))

    def happenings(self) -> Iterator[Happening]:
        """What happened, in order of time."""
        yield from sorted(self.log, key=lambda h: h.time_s)
