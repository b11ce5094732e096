"""One open site with its store: the only file that knows all houses. Opens, runs, remembers; knows no Dash.

Command line, exports and console ask a :class:`Session`; each answer is a frozen result of the twin.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from dashboards.replay_window import Asked, PlayedWindow, play_window
from telemetry.rackpower import RackPower, rack_power
from telemetry.replay import replay as chunks_of
from telemetry.store import Store
from topology.axes import Floats
from topology.errors import Finding, TelemetryError, UsageError
from topology.overlay import calibrated, read_overlay
from topology.plant import Plant, plant
from topology.read import read_site
from topology.site import Site
from twin.energy.epw import read_epw
from twin.energy.typical import synthetic_year
from twin.energy.year import Year, solve_year
from twin.forecast.calibrate.seen import STEP_S, seen
from twin.forecast.calibrate.site import SiteCalibration, calibrate_site
from twin.forecast.demand import History
from twin.forecast.follow import Replay, filled, follow, joined, outside
from twin.forecast.player import Player
from twin.headroom.cases import CaseTable, Progress, sweep
from twin.headroom.room import Room, room
from twin.limits import Limits, limits
from twin.loads import from_nameplate, from_power, from_utilisation
from twin.power.protection import Protection, protection
from twin.power.trips import trip_after_s
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Loads, Outages, SteadyState
from twin.transient.events import parse
from twin.transient.outcome import Outcome, outcome
from twin.transient.ride import Plan, Trajectory, ride
from twin.transient.swing import Swing, swing

MOMENT_STEP_S = 60.0
"""Width of the window that ``--at`` averages over; where nothing was measured in it, the quarter hour before counts as well."""
KEPT_MOST = 16
"""Answers that a session remembers; the one that was not asked for the longest goes first."""
HISTORY_STEP_S = 900.0
"""Step of the history that demand is drawn from: the averaging window of a utility meter (15 min)."""

Utilisation = float | Mapping[str, float]
T = TypeVar("T")


@dataclass(frozen=True)
class Solved:
    """One solved moment.

    Attributes:
        plant: what was solved.
        state: its answer, one scenario.
        limits: limits of the plant.
        values: (K,) value of each limit's quantity.
        margin_frac: (K,) margins.
        trip_s: (N,) time until each power element trips after normal operation, infinite where it does not.
        basis: ``utilisation``, ``nameplate`` or ``measured``.
        at: time of measured load, ``None`` otherwise.
        findings: doubts about measured load.
    """

    plant: Plant
    state: SteadyState
    limits: Limits
    values: Floats
    margin_frac: Floats
    trip_s: Floats
    basis: str
    at: dt.datetime | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def violated(self) -> tuple[int, ...]:
        """Limits with a negative margin, tightest first."""
        order = np.argsort(self.margin_frac, kind="stable")
        return tuple(int(k) for k in order if self.margin_frac[k] < 0.0)

    @property
    def hottest(self) -> int:
        """Rack with the hottest accelerator among those that draw; -1 where none draws."""
        drawing = self.state.loads.rack_w[0] > 0.0
        return int(np.where(drawing, self.state.heat.chip_c[0], -np.inf).argmax()) if drawing.any() else -1


@dataclass(frozen=True)
class Ridden:
    """A ride with what it comes to.

    Attributes:
        trip: the ride.
        outcome: seconds to each limit, what goes first, what saves it.
        swings: power swings that were asked for.
        basis: what the racks draw at the start.
        findings: doubts about the telemetry behind it.
    """

    trip: Trajectory
    outcome: Outcome
    swings: tuple[Swing, ...]
    basis: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Session:
    """An open site; build one with :meth:`open`.

    Attributes:
        site: the site.
        store: its telemetry, ``None`` without.
    """

    site: Site
    store: Store | None = None
    _kept: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)
    _making: dict[Hashable, threading.RLock] = field(default_factory=dict, repr=False, compare=False)

    @staticmethod
    def open(folder: Path | str, store: Path | str | None = None, calibration: Path | str | None = None) -> Session:
        """Read a site folder, lay its calibration over it, and open its store.

        Raises:
            SiteError: the site or its calibration has errors; carries every finding.
            TelemetryError: the store cannot be opened.
        """
        site = read_site(folder)
        if calibration is not None:
            site = calibrated(site, read_overlay(calibration))
        return Session(site, Store.open(store) if store is not None else None)

    @cached_property
    def plant(self) -> Plant:
        """The site as arrays."""
        return plant(self.site)

    @cached_property
    def limits(self) -> Limits:
        """Limits of the plant."""
        return limits(self.plant)

    def _keep(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            mine = self._making.setdefault(key, threading.RLock())
        with mine:  # long work holds up only those who ask for the same
            with self._lock:
                if key in self._kept:
                    self._making.pop(key, None)
                    self._kept[key] = self._kept.pop(key)  # asked for last, forgotten last
                    return cast(T, self._kept[key])
            made = make()
            with self._lock:
                self._kept[key] = made
                self._making.pop(key, None)
                for oldest in list(self._kept)[:-KEPT_MOST]:
                    del self._kept[oldest]
            return made

    def loads(
        self, utilisation: Utilisation | None = None, at: dt.datetime | None = None
    ) -> tuple[Loads, str, tuple[Finding, ...], float | None]:
        """Loads of one moment: a utilisation, or measured power at a time, or the latest measured power.

        Returns:
            Loads, basis, findings, and the wet bulb measured with it (``None`` where there is none).

        Raises:
            TelemetryError: nothing was measured at that time; says which times the store holds.
            UsageError: both a utilisation and a time.
        """
        if utilisation is not None and at is not None:
            raise UsageError("give either a utilisation or a time of the store, not both")
        if utilisation is not None or self.store is None:
            return from_utilisation(self.plant, 1.0 if utilisation is None else utilisation), "utilisation", (), None
        power = self.measured(self.store, at)
        load, _ = filled(self.plant, power.power_w)
        wet = float(power.wet_bulb_c[0])
        return from_power(self.plant, load), "measured", (*power.findings, *outside(self.plant, power)), wet if np.isfinite(wet) else None

    def measured(self, store: Store, at: dt.datetime | None = None) -> RackPower:
        """Rack power of one moment, or of the latest one: of its minute, else of the quarter hour before it.

        Raises:
            TelemetryError: nothing was measured then; says which times the store holds.
        """
        when = at or self.span[1].replace(second=0, microsecond=0)
        power = rack_power(self.site, store, when, when + dt.timedelta(seconds=MOMENT_STEP_S), MOMENT_STEP_S)
        if not np.isfinite(power.power_w).any():  # meters that report by the quarter hour: the window that ends with this moment
            begin, step_s = when - dt.timedelta(seconds=HISTORY_STEP_S), HISTORY_STEP_S + MOMENT_STEP_S
            power = rack_power(self.site, store, begin, begin + dt.timedelta(seconds=step_s), step_s)
        if not np.isfinite(power.power_w).any():
            first, last = self.span
            raise TelemetryError(
                f"no rack power was measured at {when.isoformat()}; the store holds {first.isoformat()} to {last.isoformat()}"
            )
        return power

    @property
    def span(self) -> tuple[dt.datetime, dt.datetime]:
        """First and last time in the store.

        Raises:
            TelemetryError: there is no store, or it is empty.
        """
        found = self.store.span() if self.store is not None else None
        if found is None:
            raise TelemetryError("there is no telemetry: ingest some with `racktwin ingest SITE FILES --store DIR`")
        return found

    def solve(
        self, utilisation: Utilisation | None = None, at: dt.datetime | None = None, wet_bulb_c: float | None = None,
        outage: Sequence[str] = (), dry_bulb_c: float | None = None,
    ) -> Solved:  # fmt: skip
        """Solve one moment; see :meth:`loads` for what it is loaded with. Weather: given, else measured, else the design value.

        A dry bulb that is not given is as far above the wet bulb as at the design point.
        """
        loads, basis, findings, measured_c = self.loads(utilisation, at)
        wet = wet_bulb_c if wet_bulb_c is not None else measured_c
        wet = self.site.settings.design_wet_bulb_c if wet is None else wet
        ambient = Ambient(np.array([wet]), np.array([] if dry_bulb_c is None else [dry_bulb_c]))
        state = solve_steady(self.plant, loads, ambient, Outages.of(self.plant, [tuple(outage)]))
        values = self.limits.values(state)
        before = solve_steady(self.plant, loads, ambient) if outage else state
        trip_s = trip_after_s(self.plant, before.power, state.power)[0]
        return Solved(self.plant, state, self.limits, values[0], self.limits.margins(values)[0], trip_s, basis, at, findings)

    def ride(
        self, events: Sequence[str], for_s: float, step_s: float = 1.0, utilisation: Utilisation | None = None,
        at: dt.datetime | None = None, wet_bulb_c: float | None = None, cap: tuple[float, float] | None = None, shutdown: bool = True,
        progress: Progress | None = None,
    ) -> Ridden:  # fmt: skip
        """Let events happen to the site at rest; loads and weather as in :meth:`solve`.

        ``cap`` is a time after the first event and the share of power that a cap then leaves.
        """
        loads, basis, findings, measured_c = self.loads(utilisation, at)
        wet = wet_bulb_c if wet_bulb_c is not None else measured_c
        ambient = Ambient(np.array([self.site.settings.design_wet_bulb_c if wet is None else wet]))
        asked = parse(self.plant, events, for_s)
        if cap is not None and asked:
            capped = f"t={asked[0].time_s + cap[0]:g} cap {cap[1]:g}"
            asked = parse(self.plant, [*(e.text for e in asked), capped], for_s)
        plan = Plan(for_s, step_s, levels=lambda u: from_utilisation(self.plant, u), shutdown=shutdown)
        trip = ride(self.plant, loads, ambient, asked, plan, progress)
        swings = tuple(swing(self.plant, trip.start, e.swing_hz, e.value) for e in asked if e.verb == "swing")
        return Ridden(trip, outcome(trip), swings, basis, findings)

    def cases(
        self, utilisation: Utilisation | None = None, at: dt.datetime | None = None, progress: Progress | None = None,
        worst_share: bool = False,
    ) -> CaseTable:  # fmt: skip
        """Every single failure at a utilisation, at a measured moment, or (by default) at allocated power and design weather.

        With ``worst_share`` feeds are held against the most that the sharing between cords may put on them.
        """

        def swept(loads: Loads) -> CaseTable:
            return sweep(self.plant, loads, self._design, progress=progress, worst_share=worst_share)

        if utilisation is None and at is None:
            return self._keep(("cases", worst_share), lambda: swept(from_nameplate(self.plant)))
        return swept(self.loads(utilisation, at)[0])

    def year(self, utilisation: Utilisation = 1.0, epw: Path | None = None, progress: Progress | None = None) -> Year:
        """Every hour of a year at a utilisation, in the weather of an EPW file, or of the synthetic design year without one."""
        weather = read_epw(epw) if epw is not None else synthetic_year(self.site.settings)
        return solve_year(self.plant, from_utilisation(self.plant, utilisation), weather, progress)

    def protection(
        self, utilisation: Utilisation | None = None, at: dt.datetime | None = None, progress: Progress | None = None
    ) -> Protection:
        """Trips, selectivity, fault levels, phases, schemes and generators, loaded as :meth:`cases`."""
        loads = from_nameplate(self.plant) if utilisation is None and at is None else self.loads(utilisation, at)[0]
        return protection(self.plant, loads, self._design, progress)

    @property
    def _design(self) -> Ambient:
        return Ambient(np.array([self.site.settings.design_wet_bulb_c]))

    def replay(
        self, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = 60.0, progress: Progress | None = None,
        engine: str = "serial",
    ) -> Replay:  # fmt: skip
        """Drive the twin through a window of the store, on an engine of :mod:`twin.scale`; the result is the same on each."""
        if self.store is None:
            raise TelemetryError("a replay needs telemetry: give --store DIR")
        store = self.store
        return self._keep(("replay", start, end, step_s), lambda: follow(self.plant, store, start, end, step_s, progress, engine))

    def player(
        self, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = 60.0, *, seek: dt.datetime | None = None,
        steps: int | None = None, residuals: bool = False,
    ) -> Player:  # fmt: skip
        """A window of the store to be played from any time on; its steps are those of :meth:`replay`."""
        if self.store is None:
            raise TelemetryError("a replay needs telemetry: give --store DIR")
        return Player(self.plant, self.store, start, end, step_s, seek=seek, steps=steps, residuals=residuals)

    def played(self, asked: Asked, progress: Progress | None = None) -> PlayedWindow:
        """A window with every meter's residuals, remembered."""
        return self._keep(("played", asked), lambda: play_window(self, asked, progress))

    def calibrate(
        self, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = STEP_S, families: Sequence[str] = (),
        progress: Progress | None = None, engine: str = "serial",
    ) -> SiteCalibration:  # fmt: skip
        """Learn the site's own constants from a window of the store, on an engine of :mod:`twin.scale`."""
        if self.store is None:
            raise TelemetryError("a calibration needs telemetry: give --store DIR")
        return calibrate_site(seen(self.plant, self.store, start, end, step_s, progress, engine), families, progress, engine)

    def history(self) -> History | None:
        """Quarter-hour rack power of the whole store; ``None`` without a store."""
        if self.store is None:
            return None
        store = self.store
        first, last = self.span

        def read() -> History:
            power = joined(list(chunks_of(self.site, store, first, last, HISTORY_STEP_S, 1440)))
            return History(power.time, power.power_w, HISTORY_STEP_S)

        return self._keep(("history",), read)

    def headroom(
        self, sku: str, by: dt.date | None = None, probability: float = 0.95, seed: int = 0, progress: Progress | None = None
    ) -> Room:
        """How many more racks of a SKU fit by a date (the site's horizon, else today, where not given)."""
        date = by or self.site.settings.horizon or dt.datetime.now(dt.UTC).date()
        return self._keep(
            ("room", sku, date, probability, seed),
            lambda: room(self.site, sku, date, probability, self.history(), seed=seed, progress=progress),
        )
