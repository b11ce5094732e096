"""Which sensors can be trusted: every detector over a window, chunk by chunk, in memory that does not grow with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

from telemetry.dense import window
from telemetry.quality.judge import Quality, judge
from telemetry.quality.scan import Chunk, Looked, chunks, look
from telemetry.store import Store
from topology.read import read_site
from topology.site import Site

Progress = Callable[[int, int], None]
"""Called with chunks done and chunks in all; may raise ``Cancelled``."""


def examine(folder: str, where: str, options: Mapping[str, str], chunk: Chunk) -> Looked:
    """Look at one chunk: a pure function of names, so that any process may run it.

    Args:
        folder: site folder.
        where: folder or URL of the store.
        options: access options of an object store.
        chunk: stretch of time.
    """
    return look(read_site(folder), Store.open(where, options), chunk)


def trust(
    site: Site, store: Store, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = 60.0,
    progress: Progress | None = None,
) -> Quality:  # fmt: skip
    """Judge every sensor of a store over a window.

    Args:
        site: the site.
        store: where the readings are.
        start: first time, with a zone; the first in the store where ``None``.
        end: last time, excluded; the last in the store, included, where ``None``.
        step_s: length of a step [s].
        progress: told how many chunks are done.

    Raises:
        TelemetryError: the store is empty and the window open.
        UsageError: a window or step that is not possible.
    """
    cut = window(store, start, end, step_s)
    parts = []
    wanted = chunks(cut.start, cut.end, step_s)
    for n, chunk in enumerate(wanted, 1):
        parts.append(look(site, store, chunk))
        if progress:
            progress(n, len(wanted))
    return judge(parts)
