"""Faults that may be planted in a synthetic plant: each is one class here, and its name in the list at the end.

A fault either changes a constant of the real plant from a time on, so that everything downstream follows, or spoils what meters read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from topology.axes import Floats, Ints
from topology.errors import UsageError, nearest
from topology.plant import Plant
from twin.observe import CHANNELS
from twin.synthetic.secret import shelved
from twin.synthetic.streams import stream

Readings = dict[str, Floats]
"""(T, n) readings by channel of :data:`twin.observe.CHANNELS`, and those of :data:`BESIDE`."""
UTILISATION, WET_BULB = "utilisation", "wet bulb"
BESIDE: Mapping[str, str] = MappingProxyType({UTILISATION: "racks", WET_BULB: "site"})
"""What is read beside the channels, and the axis of its elements."""
LEAST_SPLIT = 0.02
"""How far from one half the split of a rack's cords must be for exchanged labels to make a difference that a meter can show."""
DRIFT_S = 1.5 * 86400.0
"""Time in which the gain of a flow meter walks off."""
FOULING_S = 21.0 * 86400.0
"""Time in which an exchanger fouls."""
SPIKES_WITHIN_S = 0.5 * 86400.0
"""Time in which all spikes of one fault happen."""
SPIKE_SHARE = 0.6
"""How far a spike is above its reading, over that."""
HOUR_S = 3600.0


@dataclass(frozen=True)
class Fault:
    """One fault of one element from a time on.

    Attributes:
        element: element that has it.
        since: first moment, UTC.
        size: how large it is; what that means, each kind says.
        kind: name of its kind.
        doc: one line for people, ``size`` explained.
        axes: axes of the plant whose elements may have it.
        usual: size where none is given.
        shows: tests of ``racktwin quality`` that name it for what it is.
        within_s: how far from its first moment they may put its begin.
        needs_s: how long it must last before it can be seen for what it is.
    """

    element: str
    since: np.datetime64
    size: float
    kind: ClassVar[str] = ""
    doc: ClassVar[str] = ""
    axes: ClassVar[tuple[str, ...]] = ()
    usual: ClassVar[float] = 0.0
    shows: ClassVar[tuple[str, ...]] = ()
    within_s: ClassVar[float] = 0.0
    needs_s: ClassVar[float] = 0.5 * 86400.0

    @classmethod
    def places(cls, real: Plant) -> tuple[str, ...]:
        """Elements of a real plant on which it can be seen."""
        return tuple(e for a in cls.axes for e in getattr(real, a).ids)

    def changes(self, time: np.ndarray) -> Mapping[str, Floats]:
        """Further factors (T,) of the element's constants by parameter; none where the fault is in what meters read."""
        return {}

    def spoil(self, plant: Plant, time: np.ndarray, readings: Readings, seed: int, before: Readings) -> None:
        """Change readings in place; a fault of the plant itself leaves them as they are.

        Args:
            plant: the plant.
            time: (T,) UTC.
            readings: what meters read without it.
            seed: seed of the plant.
            before: (n,) last readings before these by channel; empty at the start.
        """

    def own(self, plant: Plant) -> tuple[str, int]:
        """Axis and place of its element."""
        for axis in self.axes:
            ids = getattr(plant, axis).ids
            if self.element in ids:
                return axis, ids.index(self.element)
        known = self.places(plant)
        raise UsageError(f"{self.element} cannot have the fault {self.kind} ({self.doc}); {nearest(self.element, known)}")

    def rows(self, time: np.ndarray) -> Ints:
        """Steps from its first moment on."""
        return np.flatnonzero(time >= self.since)

    @property
    def text(self) -> str:
        """As :func:`fault_of` reads it."""
        amount = "" if self.size == self.usual else f"={self.size:g}"
        return f"{self.kind}:{self.element}@{np.datetime_as_string(self.since, unit='s')}Z{amount}"


def _since_s(fault: Fault, time: np.ndarray) -> Floats:
    """(T,) seconds since the fault began, by whole days of the plant's life, so that its constants stand still within a day."""
    day = np.maximum(time.astype("datetime64[D]").astype("datetime64[us]"), fault.since)
    return np.asarray((day - fault.since) / np.timedelta64(1, "s"), np.float64)


class FouledPlate(Fault):
    """A cold plate clogs."""

    kind, axes, usual = "fouled-plate", ("racks",), 1.3
    doc = "thermal resistance of a rack's cold plates times SIZE"
    shows, within_s = ("fouled_plate",), 3.0 * HOUR_S

    @classmethod
    def places(cls, real: Plant) -> tuple[str, ...]:
        """Racks with cold plates."""
        return tuple(e for e, wet in zip(real.racks.ids, shelved(real), strict=True) if wet)

    def changes(self, time: np.ndarray) -> Mapping[str, Floats]:
        """Thermal resistance of its plates."""
        return {"plate_factor": np.where(time >= self.since, self.size, 1.0)}


class FouledCdu(Fault):
    """An exchanger fouls slowly."""

    kind, axes, usual = "fouled-cdu", ("cdus",), 0.2
    doc = "a CDU's exchanger loses the share SIZE of its conductance within three weeks"
    shows, within_s, needs_s = ("fouling",), 7.0 * 86400.0, FOULING_S

    @classmethod
    def places(cls, real: Plant) -> tuple[str, ...]:
        """Units with water on both sides."""
        return tuple(e for e, fws in zip(real.cdus.ids, real.cdus.fws, strict=True) if fws >= 0)

    def changes(self, time: np.ndarray) -> Mapping[str, Floats]:
        """Conductance."""
        lost = self.size * np.clip(_since_s(self, time) / FOULING_S, 0.0, 1.0)
        return {"ua_factor": np.where(time >= self.since, 1.0 - lost, 1.0)}


class DriftedFlow(Fault):
    """A flow meter walks off."""

    kind, axes, usual = "drifted-flow", ("cdus",), 0.08
    doc = "a CDU's flow meter comes to read the share SIZE too much within a day and a half"
    shows, within_s, needs_s = ("flow_drift",), 12.0 * HOUR_S, 86400.0

    def spoil(self, plant: Plant, time: np.ndarray, readings: Readings, seed: int, before: Readings) -> None:
        """Gain of its meter on the IT side."""
        after = np.clip((time - self.since) / np.timedelta64(1, "s") / DRIFT_S, 0.0, 1.0)
        readings["CDU flow"][:, self.own(plant)[1]] *= 1.0 + self.size * after


class SwappedCords(Fault):
    """Meters of both cords of a rack are labelled the wrong way round."""

    kind, axes = "swapped-cords", ("racks",)
    doc = "readings of a rack's cords A and B are exchanged"
    shows, within_s = ("swapped_cords",), 6.0 * HOUR_S

    @classmethod
    def places(cls, real: Plant) -> tuple[str, ...]:
        """Racks with two cords that do not share alike."""
        r = real.racks
        seen = r.drawing & (r.feed >= 0).all(axis=1) & (np.abs(r.share_a_frac - 0.5) >= LEAST_SPLIT)
        return tuple(e for e, two in zip(r.ids, seen, strict=True) if two)

    def spoil(self, plant: Plant, time: np.ndarray, readings: Readings, seed: int, before: Readings) -> None:
        """Exchange them."""
        (_, n), rows = self.own(plant), self.rows(time)
        a, b = readings["cord A power"], readings["cord B power"]
        a[rows, n], b[rows, n] = b[rows, n].copy(), a[rows, n].copy()


_TEMPERATURE = {"racks": "chip temperature", "cdus": "CDU return temperature", "loops": "loop return temperature"}


class StuckTemperature(Fault):
    """A temperature stands still."""

    kind, axes = "stuck-temperature", tuple(_TEMPERATURE)
    doc = "a temperature (of a rack's accelerators, of the return of a CDU or loop) stays at one value"
    shows, within_s = ("stuck",), 0.5 * HOUR_S

    @classmethod
    def places(cls, real: Plant) -> tuple[str, ...]:
        """Racks that draw, and CDUs."""
        return (*FouledPlate.places(real), *real.cdus.ids)

    def spoil(self, plant: Plant, time: np.ndarray, readings: Readings, seed: int, before: Readings) -> None:
        """Hold the first value; what is lost stays lost."""
        axis, n = self.own(plant)
        rows, column = self.rows(time), readings[_TEMPERATURE[axis]][:, n]
        known = rows[np.isfinite(column[rows])]
        if known.size:
            was = before[_TEMPERATURE[axis]][n] if _TEMPERATURE[axis] in before else np.nan
            good = np.r_[was, column[: rows[0]]]
            good = good[np.isfinite(good)]
            column[known] = good[-1] if good.size else column[known[0]]


class SkewedClock(Fault):
    """A source stamps its readings with a clock that is off."""

    kind, axes, usual = "skewed-clock", ("racks", "cdus"), 420.0
    doc = "times of a rack's hosts, or of a CDU, are SIZE seconds ahead"
    shows, within_s = ("clock",), 12.0 * HOUR_S

    def spoil(self, plant: Plant, time: np.ndarray, readings: Readings, seed: int, before: Readings) -> None:
        """Readings of ``size`` seconds ago; those of hosts alone for a rack, whose shelf and cords have clocks of their own."""
        axis, n = self.own(plant)
        rows = self.rows(time)
        seconds = (time - time[0]) / np.timedelta64(1, "s")
        for name, values in readings.items():
            if _by_host(name) if axis == "racks" else name in CHANNELS and CHANNELS[name].axis == axis:
                values[rows, n] = np.interp(seconds[rows] - self.size, seconds, values[:, n])


def _by_host(name: str) -> bool:
    return name == UTILISATION or (name in CHANNELS and CHANNELS[name].level == "device")


class Gap(Fault):
    """A source is silent."""

    kind, axes, usual = "gap", ("racks", "cdus"), 2.0
    doc = "everything that is read of a rack or CDU is lost for SIZE hours"
    shows, within_s = ("gap",), 0.5 * HOUR_S

    def spoil(self, plant: Plant, time: np.ndarray, readings: Readings, seed: int, before: Readings) -> None:
        """Nothing arrives."""
        axis, n = self.own(plant)
        rows = np.flatnonzero((time >= self.since) & (time < self.since + np.timedelta64(round(3.6e9 * self.size), "us")))
        for name, values in readings.items():
            if (CHANNELS[name].axis if name in CHANNELS else BESIDE[name]) == axis:
                values[rows, n] = np.nan


class Spikes(Fault):
    """Single readings are far off."""

    kind, axes, usual = "spikes", ("racks", "cdus"), 3.0
    doc = "SIZE single readings (of a rack's power, of a CDU's supply temperature) within half a day are too high by half and more"
    shows, within_s = ("spike",), SPIKES_WITHIN_S

    def spoil(self, plant: Plant, time: np.ndarray, readings: Readings, seed: int, before: Readings) -> None:
        """Raise some readings."""
        axis, n = self.own(plant)
        column = readings["rack power" if axis == "racks" else "CDU supply temperature"][:, n]
        rng = stream(seed, self.kind, self.element)
        at = self.since + np.sort(rng.uniform(0.0, 1e6 * SPIKES_WITHIN_S, round(self.size))).astype("timedelta64[us]")
        rows = np.searchsorted(time, at)
        column[rows[rows < time.size]] *= 1.0 + SPIKE_SHARE


_ALL: Sequence[type[Fault]] = (FouledPlate, FouledCdu, DriftedFlow, SwappedCords, StuckTemperature, SkewedClock, Gap, Spikes)
KINDS: Mapping[str, type[Fault]] = MappingProxyType({k.kind: k for k in _ALL})
"""Every kind of fault by name: the one place that lists them."""


def fault(kind: str, element: str, since: np.datetime64 | dt.datetime, size: float | None = None) -> Fault:
    """A fault of some kind.

    Args:
        kind: one of :data:`KINDS`.
        element: element that has it.
        since: first moment, UTC or with a zone.
        size: how large; the usual size of its kind where not given.

    Raises:
        UsageError: no such kind.
    """
    if kind not in KINDS:
        raise UsageError(f"there is no fault {kind!r}; {nearest(kind, KINDS)}")
    at = np.datetime64(since.astimezone(dt.UTC).replace(tzinfo=None), "us") if isinstance(since, dt.datetime) else since
    made = KINDS[kind]
    return made(element, at.astype("datetime64[us]"), made.usual if size is None else size)


def fault_of(text: str) -> Fault:
    """Read ``KIND:ELEMENT@TIME`` or ``KIND:ELEMENT@TIME=SIZE``.

    Raises:
        UsageError: another form, no such kind, or a time without a zone.

    >>> fault_of("drifted-flow:cdu-1@2026-11-20T12:00Z=0.1").text
    'drifted-flow:cdu-1@2026-11-20T12:00:00Z=0.1'
    """
    kind, colon, rest = text.partition(":")
    element, _, when = rest.rpartition("@")
    time, equals, size = when.partition("=")
    how = "write KIND:ELEMENT@TIME, such as stuck-temperature:cdu-1@2026-11-20T12:00Z, and perhaps =SIZE after it"
    if not (colon and element and time):
        raise UsageError(f"the fault {text!r} cannot be read; {how}")
    try:
        at, amount = dt.datetime.fromisoformat(time), float(size) if equals else None
    except ValueError:
        raise UsageError(f"time or size of the fault {text!r} cannot be read; {how}") from None
    if at.tzinfo is None:
        raise UsageError(f"the time of the fault {text!r} has no zone; write {time}Z for UTC")
    return fault(kind, element, at, amount)
