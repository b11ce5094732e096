"""A window played once, with a digest of every array, so that two runs can be held against each other to the last bit."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dashboards.session import Session
from telemetry.appending import append
from telemetry.readings import FACTS_CODED
from telemetry.schema import CATEGORIES
from telemetry.store import Store
from topology.errors import UsageError
from twin.forecast.follow import Replay
from twin.residuals import Compared, Summary

if TYPE_CHECKING:
    from twin.headroom.cases import Progress

MARGIN_STEPS = 2
"""Steps before and after a window of which readings are taken along: energy counters are read across its ends."""


@dataclass(frozen=True)
class Rerun:
    """What a window gave.

    Attributes:
        replay: its steps.
        residuals: predicted beside measured.
        digests: SHA-256 of every array by name.
    """

    replay: Replay
    residuals: Summary
    digests: dict[str, str]


def rerun(
    session: Session, start: dt.datetime | None, end: dt.datetime | None, step_s: float, progress: Progress | None = None,
    each: Callable[[Compared], None] | None = None,
) -> Rerun:  # fmt: skip
    """Play a window of a session and take the digest of all that comes out of it.

    Args:
        session: an open site with a store.
        start: first time, with a zone.
        end: last time, excluded.
        step_s: length of a step.
        progress: told how many steps are done.
        each: given readings beside predictions, piece by piece.
    """
    player = session.player(start, end, step_s, residuals=True)
    beside: dict[str, Any] = {}
    for played in player.play():
        player.keep(played)
        assert played.beside is not None
        for name, read in played.beside.measured.items():
            for what, values in (("measured", read.values), ("predicted", played.beside.predicted[name])):
                own = beside.setdefault(f"{name}, {what}", hashlib.sha256())
                own.update(_bytes(played.piece.time))
                own.update(_bytes(values))
        if each:
            each(played.beside)
        if progress:
            progress(played.piece.last, player.window.steps)
    replay, residuals = player.replay, player.residuals
    assert residuals is not None
    arrays = {f.name: getattr(replay, f.name) for f in fields(Replay)}
    arrays |= {"measured_w": replay.power.power_w, "sigma_w": replay.power.sigma_w}
    found = {n: hashlib.sha256(_bytes(v)).hexdigest() for n, v in arrays.items() if isinstance(v, np.ndarray)}
    return Rerun(replay, residuals, found | {n: h.hexdigest() for n, h in sorted(beside.items())})


def _bytes(values: np.ndarray) -> bytes:
    """An array as bytes, its kind and shape before it; the same on machines of either byte order."""
    plain = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    return f"{plain.dtype.str}{plain.shape}".encode() + plain.tobytes()


def take_along(store: Store, start: dt.datetime, end: dt.datetime, step_s: float, file: Path) -> int:
    """Write the readings of a window, in the order in which the store gives them.

    Returns:
        How many there are.
    """
    around = dt.timedelta(seconds=MARGIN_STEPS * step_s)
    rows = 0
    with pq.ParquetWriter(file, FACTS_CODED, compression="zstd") as out:
        for batch in store.scan(None, None, start - around, end + around):
            out.write_batch(batch.cast(FACTS_CODED))
            rows += batch.num_rows
    return rows


def store_of(file: Path, where: Path) -> Store:
    """A store of its own from readings that were taken along, each as it was.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        source = pq.ParquetFile(file, read_dictionary=list(CATEGORIES))
        digest = file_digest(file)
        store = Store.create(where)
        append(store, digest, lambda attempt: (b.cast(FACTS_CODED) for b in source.iter_batches(1 << 17)))
    except (pa.ArrowException, OSError) as fault:
        raise UsageError(f"{file} cannot be read: {fault}; it is not what an export wrote") from fault
    return store


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
