"""What meters read beside what the twin says that they should read, over a window of the past.

A residual is reading minus prediction. The twin is driven as in :func:`twin.forecast.follow.follow`: by measured rack power with gaps
filled, in measured weather. A reading that the load itself was made of is no check on the twin, its residual is 0 by construction: such
elements are left out unless they are asked for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from telemetry.bins import Window
from telemetry.coding import combinations
from telemetry.dense import Frames, window
from telemetry.rackpower import RackPower
from telemetry.replay import spans
from telemetry.series import weakest
from telemetry.store import Store
from topology.axes import Bools, Floats
from topology.errors import UsageError, nearest
from topology.overlay import SENSOR, Constant
from topology.plant import Plant
from twin.forecast.follow import READ_STEPS, chunk_steps
from twin.forecast.pieces import Piece, cuts, pieces
from twin.headroom.cases import Progress
from twin.observe import CHANNELS, Channel
from twin.residual_tally import Residuals, Tally

EDGE_STEPS = 60
"""Steps that a stretch of readings is read beyond its ends: a part that is silent there but back within them is a gap, and not gone."""
FEEDING = ("feed power", "UPS input power", "UPS output power", "utility power")
"""Channels of power elements, whose readings fill racks without a meter."""
BASIS = MappingProxyType({"rack": "rack power", "device": "chip power"})
"""Channel that a rack's load is read from, by its basis in :class:`telemetry.rackpower.RackPower`."""


@dataclass(frozen=True)
class Compared:
    """Readings beside predictions over some steps.

    Attributes:
        plant: the plant.
        first: number of the first step in its window.
        time: (T,) start of each step, UTC.
        step_s: length of a step.
        measured: readings by channel; only channels with a reading and a prediction.
        predicted: (T, n) what each should have read, on the same axis; NaN where an element has no such quantity.
        inputs: elements by channel that the load was made of; their readings are left out, or in on demand.
        assumed: (T, R) drawing racks whose load was not measured in that step.
    """

    plant: Plant
    first: int
    time: np.ndarray
    step_s: float
    measured: Mapping[str, Frames]
    predicted: Mapping[str, Floats]
    inputs: Mapping[str, tuple[str, ...]]
    assumed: Bools

    def residual(self, channel: str) -> Floats:
        """(T, n) reading minus prediction of a channel, NaN where either is missing.

        Raises:
            UsageError: nothing of this channel was compared.
        """
        if channel not in self.measured:
            raise UsageError(f"nothing of the channel {channel!r} was compared; {nearest(channel, tuple(self.measured))}")
        return np.asarray(self.measured[channel].values - self.predicted[channel])

    @property
    def stats(self) -> dict[str, Residuals]:
        """Statistics of every channel, in the order of the channels."""
        tallies: dict[str, Tally] = {}
        for a, b in cuts(self.first, self.first + self.time.size, chunk_steps(self.plant.racks.n)):
            _count(tallies, self, slice(a - self.first, b - self.first))
        return {name: t.told for name, t in tallies.items()}

    def corrected(self, rows: Sequence[Constant] | None = None) -> Compared:
        """The same with readings as calibrated sensors would give them: ``true = (reading - bias) / gain``.

        A row whose part is not that of a channel is passed over: what several sensors of an element read together cannot be corrected
        by the error of one.

        Args:
            rows: constants of sensors; those of the plant's site where not given.
        """
        known = self.plant.site.calibration if rows is None else rows
        sensors = [r for r in known if r.parameter in SENSOR]
        return replace(self, measured={n: _corrected(f, CHANNELS[n], sensors) for n, f in self.measured.items()}) if sensors else self


def _corrected(read: Frames, channel: Channel, sensors: Sequence[Constant]) -> Frames:
    gain, bias = np.ones(len(read.elements)), np.zeros(len(read.elements))
    place = {name: k for k, name in enumerate(read.elements)}
    own = [r for r in sensors if (r.quantity, r.part) == (channel.quantity, channel.part) and r.element in place]
    for row in own:
        (gain if row.parameter == "gain" else bias)[place[row.element]] = row.value
    return replace(read, values=(read.values - bias) / gain) if own else read


@dataclass(frozen=True)
class Summary:
    """What a comparison comes to.

    Attributes:
        start: start of the first step, UTC.
        steps: number of steps.
        step_s: length of a step.
        residuals: statistics by channel.
        inputs: elements by channel that the load was made of.
        assumed_frac: share of the load's samples that no reading stands behind.
    """

    start: np.datetime64
    steps: int
    step_s: float
    residuals: Mapping[str, Residuals]
    inputs: Mapping[str, tuple[str, ...]]
    assumed_frac: float


def compare(
    plant: Plant, store: Store, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = 60.0,
    channels: Sequence[str] = (), progress: Progress | None = None, *, inputs: bool = False,
) -> Compared:  # fmt: skip
    """Readings beside predictions over a window, with every array of it; for long windows see :func:`summary`.

    Args:
        plant: the plant.
        store: where the readings are.
        start: first time, with a zone; the first in the store where not given.
        end: last time, excluded; the last in the store, included, where not given.
        step_s: length of a step.
        channels: names in :data:`twin.observe.CHANNELS`; all where empty.
        progress: told how many steps are done.
        inputs: also readings that the load was made of.

    Raises:
        TelemetryError: the store is empty and the window open.
        UsageError: a window, step or channel that is not possible.
    """
    return joined(list(chunks_of_comparison(plant, store, start, end, step_s, channels, progress, inputs=inputs)))


def summary(
    plant: Plant, store: Store, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = 60.0,
    channels: Sequence[str] = (), progress: Progress | None = None, *, inputs: bool = False, corrected: bool = True,
) -> Summary:  # fmt: skip
    """Statistics of a window of any length, in memory that does not grow with it; arguments and errors as in :func:`compare`.

    Readings are corrected by the sensors of the site's calibration where ``corrected``.
    """
    sums = Summing()
    for part in chunks_of_comparison(plant, store, start, end, step_s, channels, progress, inputs=inputs):
        sums.add(part.corrected() if corrected else part)
    return sums.summary


class Summing:
    """Statistics of pieces that come one after the other; each may be forgotten once it is added."""

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}
        self.steps, self.assumed, self.samples = 0, 0, 0
        self.start, self.step_s = np.datetime64("NaT", "us"), 0.0
        self.inputs: dict[str, tuple[str, ...]] = {}

    def add(self, part: Compared, rows: slice = slice(None)) -> None:
        """Count some steps of a piece, all where not said."""
        self.start, self.step_s = (part.time[0] if np.isnat(self.start) else self.start), part.step_s
        _count(self.tallies, part, rows)
        assumed = part.assumed[rows]
        self.steps += assumed.shape[0]
        self.assumed += int(assumed.sum())
        self.samples += assumed.shape[0] * int(part.plant.racks.drawing.sum())
        self.inputs = _merged(self.inputs, part.inputs)

    @property
    def summary(self) -> Summary:
        """What was added so far."""
        told = {n: t.told for n, t in self.tallies.items()}
        share = self.assumed / self.samples if self.samples else 0.0
        return Summary(self.start, self.steps, self.step_s, {n: told[n] for n in CHANNELS if n in told}, self.inputs, share)


def _count(tallies: dict[str, Tally], part: Compared, rows: slice) -> None:
    """Add some steps of every channel."""
    for name, read in part.measured.items():
        if name not in tallies:
            tallies[name] = Tally(name, read.elements, CHANNELS[name].noise, CHANNELS[name].relative)
        tallies[name].add(part.time[rows], read.values[rows], part.predicted[name][rows])


def chunks_of_comparison(
    plant: Plant, store: Store, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = 60.0,
    channels: Sequence[str] = (), progress: Progress | None = None, *, inputs: bool = False, seek: dt.datetime | None = None,
) -> Iterator[Compared]:  # fmt: skip
    """Readings beside predictions piece by piece; arguments and errors as in :func:`compare`, ``seek`` as in :func:`pieces`."""
    for name in channels:
        if name not in CHANNELS:
            raise UsageError(f"there is no channel {name!r}; {nearest(name, CHANNELS)}")
    whole = window(store, start, end, step_s)
    beside = Beside(plant, store, whole, channels, inputs)
    for piece in pieces(plant, store, whole.start, whole.end, step_s, seek=seek):
        yield beside.compare(piece)
        if progress:
            progress(piece.last, whole.steps)


class Beside:
    """Puts readings beside solved pieces of one window; keeps the readings of one stretch of it at a time."""

    def __init__(self, plant: Plant, store: Store, whole: Window, channels: Sequence[str] = (), inputs: bool = False) -> None:
        self.plant, self.store, self.whole, self.inputs = plant, store, whole, inputs
        wanted = [CHANNELS[n] for n in CHANNELS if n in (channels or CHANNELS)]
        held = _held(store, whole, sorted({c.quantity for c in wanted}))
        self.channels = [c for c in wanted if c.elements(plant) and (c.quantity, c.level) in held]
        self._places = list(spans(whole, READ_STEPS))
        self._stretch = -1
        self._read: dict[str, Frames] = {}

    def compare(self, piece: Piece) -> Compared:
        """Readings beside one solved piece."""
        stretch = piece.first // READ_STEPS
        if stretch != self._stretch:
            self._read, self._stretch = {c.name: self._frames(c, stretch) for c in self.channels}, stretch
        made_of = _made_of(self.plant, piece.power)
        measured, predicted = {}, {}
        for channel in self.channels:
            read = _rows(self._read[channel.name], piece.rows)
            if not self.inputs and made_of.get(channel.name):
                own = np.isin(np.asarray(read.elements), made_of[channel.name])
                read = replace(read, values=np.where(own[None, :], np.nan, read.values))
            should = channel.predict(self.plant, piece.state)
            if (np.isfinite(read.values) & np.isfinite(should)).any():
                measured[channel.name], predicted[channel.name] = read, should
        return Compared(self.plant, piece.first, piece.time, piece.window.step_s, measured, predicted, made_of, piece.assumed)

    def _frames(self, channel: Channel, stretch: int) -> Frames:
        """Readings of a stretch, with a margin of time around it while parts are put together."""
        begin, stop = self._places[stretch]
        edge = dt.timedelta(seconds=EDGE_STEPS * self.whole.step_s)
        first, last = max(begin - edge, self.whole.start), min(stop + edge, self.whole.end)
        found = channel.measured(self.plant, self.store, first, last, self.whole.step_s)
        ahead = min(EDGE_STEPS, stretch * READ_STEPS)
        return _rows(found, slice(ahead, ahead + Window(begin, stop, self.whole.step_s).steps))


def _rows(read: Frames, rows: slice) -> Frames:
    return replace(read, time=read.time[rows], values=read.values[rows], count=read.count[rows])


def _held(store: Store, whole: Window, quantities: list[str]) -> frozenset[tuple[str, str]]:
    """Quantities and levels of which the store has a reading in a window."""
    found: set[tuple[str, str]] = set()
    for batch in store.scan(None, quantities, whole.start, whole.end, ["quantity", "level"]):
        found.update((q or "", v or "") for q, v in combinations([batch.column("quantity"), batch.column("level")])[1])
    return frozenset(found)


def _made_of(plant: Plant, power: RackPower) -> dict[str, tuple[str, ...]]:
    """Elements by channel whose readings the load was made of."""
    found: dict[str, list[str]] = {}
    for rack, basis in zip(power.racks, power.basis, strict=True):
        if basis in BASIS:
            found.setdefault(BASIS[basis], []).append(rack)
        elif basis.startswith("feed:"):
            for name in FEEDING:
                found.setdefault(name, []).extend(basis.removeprefix("feed:").split("+"))
    return {name: tuple(dict.fromkeys(own)) for name, own in found.items()}


def _merged(a: Mapping[str, tuple[str, ...]], b: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {n: tuple(dict.fromkeys((*a.get(n, ()), *b.get(n, ())))) for n in CHANNELS if n in a or n in b}


def joined(parts: Sequence[Compared]) -> Compared:
    """Pieces of one window as one; a channel that is silent in some of them is a gap there."""
    names = [n for n in CHANNELS if any(n in p.measured for p in parts)]
    inputs: dict[str, tuple[str, ...]] = {}
    for p in parts:
        inputs = _merged(inputs, p.inputs)
    return Compared(
        parts[0].plant, parts[0].first, np.concatenate([p.time for p in parts]), parts[0].step_s,
        {n: _one([p.measured.get(n) or _silent(p, n, parts) for p in parts]) for n in names},
        {n: np.concatenate([p.predicted[n] if n in p.predicted else _nothing(p, n) for p in parts]) for n in names},
        inputs, np.concatenate([p.assumed for p in parts]),
    )  # fmt: skip


def _nothing(part: Compared, name: str) -> Floats:
    return np.full((part.time.size, len(CHANNELS[name].elements(part.plant))), np.nan)


def _silent(part: Compared, name: str, parts: Sequence[Compared]) -> Frames:
    shape = next(p.measured[name] for p in parts if name in p.measured)
    empty = _nothing(part, name)
    return replace(shape, time=part.time, values=empty, count=np.zeros(empty.shape, np.int64))


def _one(reads: Sequence[Frames]) -> Frames:
    """Frames of several stretches; an element has the same level in each, or none."""
    return replace(
        reads[0], time=np.concatenate([r.time for r in reads]), values=np.concatenate([r.values for r in reads]),
        count=np.concatenate([r.count for r in reads]), level=tuple(map(max, zip(*(r.level for r in reads), strict=True))),
        parts=tuple(max(own, key=len) for own in zip(*(r.parts for r in reads), strict=True)),
        origin=tuple(map(weakest, zip(*(r.origin for r in reads), strict=True))),
    )  # fmt: skip
