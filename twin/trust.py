"""Which sensors can be trusted: every detector over a window, chunk by chunk, in memory that does not grow with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from telemetry.dense import window
from telemetry.quality.judge import Quality, judge
from telemetry.quality.scan import Chunk, Looked, chunks, look
from telemetry.store import Store
from topology.site import Site
from twin.scale import map_chunks

Progress = Callable[[int, int], None]
"""Called with chunks done and chunks in all; may raise ``Cancelled``."""


def _look(of: tuple[Site, Store], chunk: Chunk) -> Looked:
    """Look at one chunk; a pure function, so that any process may run it."""
    return look(*of, chunk)


def trust(
    site: Site, store: Store, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = 60.0,
    progress: Progress | None = None, engine: str = "serial",
) -> Quality:  # fmt: skip
    """Judge every sensor of a store over a window.

    Args:
        site: the site.
        store: where the readings are.
        start: first time, with a zone; the first in the store where ``None``.
        end: last time, excluded; the last in the store, included, where ``None``.
        step_s: length of a step [s].
        progress: told how many chunks are done.
        engine: where it is worked out, see :func:`twin.scale.workers`; the answer is the same on each.

    Raises:
        TelemetryError: the store is empty and the window open.
        UsageError: a window, step or engine that is not possible.
        ScaleError: the engine cannot be used, or lost its workers.
    """
    cut = window(store, start, end, step_s)
    return judge(map_chunks(_look, chunks(cut.start, cut.end, step_s), engine, progress, shared=(site, store.anywhere())))
