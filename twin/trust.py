"""Which sensors can be trusted: every detector and every balance over a window, chunk by chunk, in memory that hardly grows with it.

A chunk is looked at twice: step by step by the detectors of single sensors (:mod:`telemetry.quality.scan`), and as means of a quarter hour,
channel by channel (:mod:`twin.observe`). Only those means are kept of it: changes over weeks need the whole window at once, and with the
plant solved under it the balances (:mod:`twin.balance`) say what changed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from telemetry.bins import Window
from telemetry.dense import window
from telemetry.quality.doubt import Doubt, joined
from telemetry.quality.judge import Quality, judge
from telemetry.quality.scan import Chunk, Looked, chunks, look
from telemetry.rackpower import rack_power
from telemetry.store import Store
from topology.axes import Floats
from topology.plant import Plant
from twin.balance.cdus import cdu_doubts
from twin.balance.cords import cord_doubts
from twin.balance.plates import plate_doubts
from twin.balance.power import power_doubts
from twin.forecast.calibrate.seen import STEP_S, Seen, looked_at
from twin.forecast.follow import filled
from twin.observe import CHANNELS, present
from twin.scale import Progress, map_chunks

BALANCES: Sequence[Callable[[Seen], Iterable[Doubt]]] = (cdu_doubts, plate_doubts, cord_doubts, power_doubts)
"""Every balance: what telemetry shows of a plant to doubts. The one place that lists them."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One chunk.

    Attributes:
        looked: what the detectors of single sensors say.
        time: (T,) start of each step of the means, UTC.
        power_w: (T, R) rack power, NaN for gaps.
        wet_bulb_c: (T,) outdoor wet bulb, NaN where not read.
        read: (T, n) readings by channel of :data:`twin.observe.CHANNELS`.
    """

    looked: Looked
    time: np.ndarray
    power_w: Floats
    wet_bulb_c: Floats
    read: Mapping[str, Floats]


def examine(shared: tuple[Plant, Store], chunk: Chunk) -> Examined:
    """Look at one chunk.

    Args:
        shared: plant and store.
        chunk: stretch of time.
    """
    plant, store = shared
    step_s = max(STEP_S, chunk.step_s)
    power = rack_power(plant.site, store, chunk.start, chunk.end, step_s)
    read = {name: f.values for name, f in present(plant, store, chunk.start, chunk.end, step_s).items()}
    return Examined(look(plant.site, store, chunk), power.time, power.power_w, power.wet_bulb_c, read)


def trust(
    plant: Plant, store: Store, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = 60.0,
    progress: Progress | None = None, engine: str = "serial",
) -> Quality:  # fmt: skip
    """Judge every sensor of a store over a window.

    Args:
        plant: the plant.
        store: where the readings are.
        start: first time, with a zone; the first in the store where ``None``.
        end: last time, excluded; the last in the store, included, where ``None``.
        step_s: length of a step [s].
        progress: told how many chunks are done.
        engine: where chunks are looked at, see :func:`twin.scale.workers`; the answer is the same on each.

    Raises:
        TelemetryError: the store is empty and the window open.
        UsageError: a window, step or engine that is not possible.
        ScaleError: the engine cannot be used, or lost its workers.
    """
    store = store.pinned()
    cut = window(store, start, end, step_s)
    parts = map_chunks(examine, chunks(cut.start, cut.end, step_s), engine, progress, shared=(plant, store))
    looked = [p.looked for p in parts]
    whole = whole_window(plant, parts, max(STEP_S, step_s), joined(d for p in looked for d in p.doubts))
    return judge(looked, [] if whole is None else balance_doubts(whole))


def balance_doubts(what: Seen) -> list[Doubt]:
    """Doubts of every balance of :data:`BALANCES`."""
    return [d for balance in BALANCES for d in balance(what)]


def whole_window(plant: Plant, parts: Sequence[Examined], step_s: float, doubts: Iterable[Doubt] = ()) -> Seen | None:
    """Means of all chunks as one, with the plant solved under them; ``None`` where no rack power was read.

    Args:
        plant: the plant.
        parts: chunks in order of time.
        step_s: length of a step of the means [s].
        doubts: doubts about single sensors: what is stuck is left out, see :func:`without`.
    """
    time, power = np.concatenate([p.time for p in parts]), np.concatenate([p.power_w for p in parts])
    if not np.isfinite(power).any():
        return None
    read = without(plant, time, step_s, {n: _channel(parts, n) for n in CHANNELS if any(n in p.read for p in parts)}, doubts)
    load, assumed = filled(plant, power)
    cut = Window(parts[0].looked.chunk.start, parts[-1].looked.chunk.end, step_s)
    wet = np.concatenate([p.wet_bulb_c for p in parts])
    return replace(looked_at(plant, cut, read, load, ~assumed, np.full(load.shape, np.nan), wet), time=time)


def _channel(parts: Sequence[Examined], name: str) -> Floats:
    """(T, n) of all chunks; a channel that is silent in one of them is a gap there."""
    width = next(p.read[name].shape[1] for p in parts if name in p.read)
    return np.concatenate([p.read[name] if name in p.read else np.full((p.time.size, width), np.nan) for p in parts])


def without(plant: Plant, time: np.ndarray, step_s: float, read: Mapping[str, Floats], doubts: Iterable[Doubt]) -> dict[str, Floats]:
    """Readings without those that stand still: what is stuck says nothing of the plant, and is told already.

    Args:
        plant: the plant.
        time: (T,) start of each step.
        step_s: length of a step [s].
        read: (T, n) readings by channel.
        doubts: doubts about single sensors.
    """
    out = {n: v.copy() for n, v in read.items()}
    for d in doubts:
        if d.detector != "stuck":
            continue
        for name, values in out.items():
            channel = CHANNELS[name]
            ids = channel.elements(plant)
            if (channel.quantity, channel.level) == (d.quantity, d.level) and channel.part in ("", d.part) and d.element in ids:
                since, until = (np.datetime64(t.replace(tzinfo=None), "us") for t in (d.since, d.until))
                values[(time + np.timedelta64(int(1e6 * step_s), "us") > since) & (time < until), ids.index(d.element)] = np.nan
    return out
