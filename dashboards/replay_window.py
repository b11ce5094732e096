"""A window of the past as the console shows it: solved once, with every meter's residuals, and the series of any meter at hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from topology.axes import Floats
from topology.errors import TelemetryError, UsageError, nearest
from twin.observe import CHANNELS
from twin.residuals import Compared, Summary, compare, joined

if TYPE_CHECKING:
    from dashboards.session import Session
    from telemetry.store import Store
    from topology.plant import Plant
    from twin.forecast.follow import Replay

KEPT_VALUES = 1 << 24
"""Readings and predictions of a window that are kept (128 MB); beyond that a meter is worked out when it is looked at."""
MOST_STEPS = 20_000
"""Steps of a window that a page can be asked for."""


@dataclass(frozen=True)
class Asked:
    """A window that is asked for.

    Attributes:
        start: first time, UTC.
        end: last time, excluded.
        step_s: length of a step.
    """

    start: dt.datetime
    end: dt.datetime
    step_s: float

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise UsageError(f"the window ends ({self.end.isoformat()}) before it starts ({self.start.isoformat()})")
        if self.steps > MOST_STEPS:
            raise UsageError(
                f"{self.steps:,} steps are more than a page can show ({MOST_STEPS:,}); choose a longer step or a shorter window"
            )

    @property
    def steps(self) -> int:
        """Number of steps."""
        return -(-(self.end - self.start) // dt.timedelta(seconds=self.step_s))


@dataclass(frozen=True)
class PlayedWindow:
    """A solved window.

    Attributes:
        asked: what was asked for.
        plant: the plant.
        store: its telemetry.
        replay: its steps.
        residuals: how far each meter is from the twin.
        compared: series of all meters; ``None`` where they are too many to keep.
    """

    asked: Asked
    plant: Plant
    store: Store
    replay: Replay
    residuals: Summary
    compared: Compared | None

    def series(self, channel: str, element: str) -> Series:
        """One meter beside the twin.

        Raises:
            UsageError: nothing of this meter was compared.
        """
        if channel not in self.residuals.residuals:
            raise UsageError(f"nothing of the meter {channel!r} was compared; {nearest(channel, tuple(self.residuals.residuals))}")
        told = self.residuals.residuals[channel]
        if element not in told.elements:
            raise UsageError(f"{channel} has no {element!r}; {nearest(element, [told.elements[k] for k in told.compared])}")
        k = told.elements.index(element)
        found = self.compared if self.compared is not None else self._alone(channel)
        measured, predicted = found.measured[channel].values[:, k], found.predicted[channel][:, k]
        c = CHANNELS[channel]
        sigma = c.noise * np.abs(predicted) if c.relative else np.full(predicted.shape, c.noise)
        return Series(channel, element, c.quantity, found.time, measured, predicted, sigma)

    def _alone(self, channel: str) -> Compared:
        return compare(self.plant, self.store, self.asked.start, self.asked.end, self.asked.step_s, (channel,)).corrected()


@dataclass(frozen=True)
class Series:
    """One meter over a window.

    Attributes:
        channel: kind of meter.
        element: what carries it.
        quantity: what it reads, canonical.
        time: (T,) start of each step.
        measured: (T,) readings, NaN for gaps.
        predicted: (T,) what the twin says.
        sigma: (T,) standard deviation of the noise of one reading.
    """

    channel: str
    element: str
    quantity: str
    time: np.ndarray
    measured: Floats
    predicted: Floats
    sigma: Floats


def play_window(session: Session, asked: Asked, progress: Callable[[int, int], None] | None = None) -> PlayedWindow:
    """Solve a window and compare every meter.

    Raises:
        TelemetryError: there is no store, or no rack power in the window.
        UsageError: a window that is not possible.
    """
    if session.store is None:
        raise TelemetryError("a replay needs telemetry: open the console with --store DIR")
    player = session.player(asked.start, asked.end, asked.step_s, residuals=True)
    parts: list[Compared] = []
    kept = 0
    for played in player.play():
        player.keep(played)
        beside = played.beside
        assert beside is not None
        kept += 2 * sum(v.size for v in beside.predicted.values())
        parts = [*parts, beside] if kept <= KEPT_VALUES else []
        if progress:
            progress(played.piece.last, player.window.steps)
    residuals = player.residuals
    assert residuals is not None
    whole = joined(parts) if parts else None
    return PlayedWindow(asked, session.plant, session.store, player.replay, residuals, whole)
