"""A window of the past, chunk by chunk, at any speed and from any point."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from telemetry.bins import Window
from telemetry.dense import levels_of, window
from telemetry.rackpower import RackPower, rack_power
from telemetry.store import Store
from topology.errors import UsageError
from topology.site import Site

T = TypeVar("T")
_LOOKS = 200


def replay(
    site: Site,
    store: Store,
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    step_s: float = 60.0,
    chunk: int = 1440,
    *,
    seek: dt.datetime | None = None,
    speed: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[RackPower]:
    """Rack power of a window in chunks, on one choice of meters for the whole window.

    Args:
        site: whose racks.
        store: where the readings are.
        start: first time, with a zone; ``None`` for the first in the store.
        end: last time, excluded; ``None`` for the last in the store, included.
        step_s: length of a step [s].
        chunk: steps a chunk.
        seek: begin at the step that holds this time instead of at the start.
        speed: recorded seconds that pass in one second of the clock; ``None`` for as fast as it goes.
        clock: seconds that only rise [s].
        sleep: waits a number of seconds.

    Yields:
        Chunks in order of time; the last one may be shorter. A chunk is yielded when the clock reaches its start.

    Raises:
        UsageError: a chunk, speed or seek that is not possible.
        TelemetryError: the store is empty.
    """
    if chunk < 1:
        raise UsageError(f"a chunk of {chunk} steps is not possible; give 1 or more")
    store = store.pinned()
    whole = window(store, start, end, step_s)
    first = step_of(whole, seek) if seek is not None else 0
    levels = choose_levels(site, store, whole)
    stretches = spans(whole, chunk, first)
    for begin, stop in stretches if speed is None else paced(stretches, lambda s: s[0].timestamp(), speed, clock, sleep):
        yield rack_power(site, store, begin, stop, step_s, levels)


def paced(
    items: Iterable[T],
    at: Callable[[T], float],
    speed: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[T]:
    """Items of a recording in its own rhythm.

    Args:
        items: in order of time.
        at: recorded time of an item [s].
        speed: recorded seconds that pass in one second of the clock.
        clock: seconds that only rise [s].
        sleep: waits a number of seconds.

    Yields:
        Each item when the clock reaches its time, the first one at once; one that is late is not waited for.

    Raises:
        UsageError: a speed that is not above zero.
    """
    if not speed > 0:
        raise UsageError(f"a speed of {speed} is not possible; give more than 0")
    began: tuple[float, float] | None = None
    for item in items:
        began = began or (at(item), clock())
        wait = (at(item) - began[0]) / speed - (clock() - began[1])
        if wait > 0:
            sleep(wait)
        yield item


def spans(whole: Window, chunk: int, first: int = 0) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    """First and last time of each chunk of so many steps, from a step on."""
    for step in range(first, whole.steps, chunk):
        yield whole.at(step), min(whole.at(step + chunk), whole.end)


def choose_levels(site: Site, store: Store, whole: Window) -> dict[str, str]:
    """Level that each rack, meter and power element is read at over a whole window, from one coarse look at it."""
    coarse = max(whole.step_s, (whole.end - whole.start).total_seconds() / _LOOKS)
    names = (*site.racks, *site.meters, *site.power)
    return levels_of(store, names, "power_w", Window(whole.start, whole.end, coarse))


def step_of(whole: Window, time: dt.datetime) -> int:
    """Number of the step that holds a time.

    Raises:
        UsageError: the time has no zone, or lies outside the window.
    """
    if time.tzinfo is None:
        raise UsageError(f"the time {time.isoformat()} has no zone; write {time.isoformat()}Z")
    step = (time - whole.start) // dt.timedelta(seconds=whole.step_s)
    if not 0 <= step < whole.steps:
        raise UsageError(f"{time.isoformat()} lies outside the window from {whole.start.isoformat()} to {whole.end.isoformat()}")
    return step
