"""Playing the past again: a window solved as it is looked at, from any time on, with what was seen so far at hand at every moment."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from telemetry.bins import Window
from telemetry.dense import window
from telemetry.rackpower import RackPower
from telemetry.replay import paced, step_of
from telemetry.store import Store
from topology.axes import Bools, Floats, Ints
from topology.errors import TelemetryError, UsageError
from topology.plant import Plant
from twin.forecast.follow import Replay, assembled, joined, stacked, summarised
from twin.forecast.pieces import Piece, pieces
from twin.limits import limits
from twin.residuals import Beside, Compared, Summary, Summing


@dataclass(frozen=True)
class Played:
    """Some steps as they come.

    Attributes:
        piece: the solved steps.
        summary: what :func:`twin.forecast.follow.summarised` gives of them.
        beside: readings beside predictions; ``None`` where not asked for.
    """

    piece: Piece
    summary: tuple[list[Floats], ...]
    beside: Compared | None

    @property
    def site_w(self) -> Floats:
        """(T,) drawn from all sources."""
        return self.summary[0][0]

    @property
    def pue(self) -> Floats:
        """(T,) site over IT power, infinite without IT load."""
        site, it = self.summary[0][0], self.summary[0][1]
        return np.divide(site, it, out=np.full_like(site, np.inf), where=it > 0.0)

    @property
    def hottest(self) -> tuple[Ints, Floats]:
        """(T,) rack with the hottest accelerator, and its temperature."""
        return self.summary[0][6].astype(np.int64), self.summary[0][7]

    @property
    def worst(self) -> tuple[Ints, Floats]:
        """(T,) limit with the smallest margin, and that margin."""
        return self.summary[0][8].astype(np.int64), self.summary[0][9]


class Player:
    """A window that is played; what is kept of it makes a :class:`twin.forecast.follow.Replay` at any moment.

    Each step has the same bits wherever playing begins, whatever the pace and however many steps are kept.
    """

    def __init__(
        self, plant: Plant, store: Store, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = 60.0, *,
        seek: dt.datetime | None = None, steps: int | None = None, residuals: bool = False, channels: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Arguments as in :func:`twin.forecast.pieces.pieces`; ``residuals`` compares ``channels``, all where empty, with readings.

        Raises:
            TelemetryError: the store is empty and the window open.
            UsageError: a window, step, seek or number of steps that is not possible.
        """
        if steps is not None and steps < 1:
            raise UsageError(f"{steps} steps are none; give 1 or more")
        self.plant, self.store = plant, store
        self.window: Window = window(store, start, end, step_s)
        self.first = step_of(self.window, seek) if seek is not None else 0
        self.stop = self.window.steps if steps is None else min(self.window.steps, self.first + steps)
        self.limits = limits(plant)
        self.solve_s = 0.0
        self._seek = seek
        self._beside = Beside(plant, store, self.window, channels) if residuals else None
        self._sums = Summing()
        self._power: list[RackPower] = []
        self._driven: list[tuple[Floats, Bools, Floats]] = []
        self._summary: list[tuple[list[Floats], ...]] = []

    def play(self) -> Iterator[Played]:
        """Solve the window from the seek on; nothing is kept unless it is given back to :meth:`keep`."""
        whole = self.window
        came = pieces(self.plant, self.store, whole.start, whole.end, whole.step_s, seek=self._seek, stop=self.stop)
        while True:
            began = time.perf_counter()
            piece = next(came, None)
            self.solve_s += time.perf_counter() - began
            if piece is None:
                return
            summary = summarised(self.plant, self.limits, piece.state)
            yield Played(piece, summary, self._beside.compare(piece).corrected() if self._beside is not None else None)

    def run(
        self, speed: float | None = None, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> Generator[tuple[Played, int], None, None]:  # fmt: skip
        """Play step by step and keep each step that is given out, also where it is closed in the middle.

        Args:
            speed: recorded seconds that pass in one second of the clock; ``None`` for as fast as it goes.
            clock: seconds that only rise [s].
            sleep: waits a number of seconds.

        Yields:
            What was played, and the row of the step in it.
        """
        at, seen = None, 0
        each = ((played, row) for played in self.play() for row in range(played.piece.time.size))
        try:
            for played, row in each if speed is None else paced(each, _second, speed, clock, sleep):
                if at is not None and played is not at:
                    self.keep(at)
                at, seen = played, row + 1
                yield played, row
        finally:
            if at is not None:
                self.keep(at, seen)

    def keep(self, played: Played, steps: int | None = None) -> None:
        """Count the first steps of what was played as seen, all of them where no number is given."""
        n = played.piece.time.size if steps is None else min(steps, played.piece.time.size)
        if n < 1:
            return
        piece, cut = played.piece, slice(0, n)
        if played.beside is not None:
            self._sums.add(played.beside, cut)
        self._power.append(_rows(piece.power, slice(piece.rows.start, piece.rows.start + n)))
        self._driven.append((piece.load_w[cut], piece.assumed[cut], piece.wet_bulb_c[cut]))
        self._summary.append(tuple([v[cut] for v in group] for group in played.summary))

    @property
    def steps(self) -> int:
        """Steps seen so far."""
        return sum(p.time.size for p in self._power)

    @property
    def replay(self) -> Replay:
        """What was seen so far.

        Raises:
            TelemetryError: nothing was.
        """
        if not self._power:
            raise TelemetryError("nothing was played yet")
        load, assumed, wet = (np.concatenate(column) for column in zip(*self._driven, strict=True))
        return assembled(self.plant, self.limits, joined(self._power), (load, assumed, wet), stacked(self._summary), self.solve_s)

    @property
    def residuals(self) -> Summary | None:
        """Statistics of what was seen so far; ``None`` where not asked for."""
        return self._sums.summary if self._beside is not None else None


def _second(step: tuple[Played, int]) -> float:
    """Time of a step [s]."""
    played, row = step
    return float(played.piece.time[row].astype(np.int64)) / 1e6


def _rows(power: RackPower, rows: slice) -> RackPower:
    """Some steps of rack power."""
    cut = {n: getattr(power, n)[rows] for n in ("time", "power_w", "known", "wet_bulb_c", "sigma_w")}
    return replace(power, **cut)
