"""Power meters against each other: both cords of a rack, all meters of one rack, and a parent against what hangs on it.

Gains of meters, shares of cords and loss laws differ from element to element and stand still; what is looked for is a change of
``ln(reading / what the others say)``, beyond the class of a meter, found as everywhere here (:mod:`twin.balance.change`) with the load as
a nuisance: a loss or a share that depends on load is no change. A parent that reads far from the sum behind it from the first day on is
told as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from telemetry.quality.doubt import Doubt
from topology.axes import Bools, Floats, Ints
from topology.plant import Plant
from twin.balance.change import changes
from twin.balance.said import Said, told
from twin.balance.samples import Samples, of_window
from twin.forecast.calibrate.priors import Prior
from twin.forecast.calibrate.seen import Seen
from twin.forecast.follow import chunk_steps
from twin.loads import from_power
from twin.observe import CHANNELS
from twin.solvers.steady import solve_steady
from twin.state import Ambient

PARENTS = ("feed power", "UPS input power", "UPS output power", "utility power")
"""Channels of power elements, held against the racks and the gear behind them."""
INSIDE = ("rack power", "cords", "rack output power", "chip power")
"""Meters of one rack that follow the same load."""
MIDDLE = Prior("gain", 0.0, (-0.05, 0.05), "of a ratio of two readings: estimate")
WITH_LOAD = Prior("load", 0.0, (-0.3, 0.3), "change of a ratio with the logarithm of load: estimate")
PARAMETERS = (MIDDLE, WITH_LOAD)
LEAST = 0.02
"""Smallest change of a ratio that is news: twice the limit of error of a class 1 meter (IEC 62053-21)."""
FAR = 0.12
"""Ratio of a parent to what hangs on it, in the logarithm, from which it is told without a change: shares of cords and losses of a catalog
are known within some 4 % each (see the priors of calibration); three times that."""


@dataclass(frozen=True)
class Ratios:
    """Logarithms of readings over what others say, of n elements at T samples.

    Attributes:
        ratio: (n, T), NaN where either is missing.
        load: (n, T) logarithm of the load over its usual one.
    """

    ratio: Floats
    load: Floats


def power_doubts(what: Seen) -> Iterator[Doubt]:
    """Changes of power meters over a window, and parents that do not read what hangs on them.

    Args:
        what: what telemetry shows of the plant.
    """
    cut = of_window(what)
    yield from _inside(what, cut)
    yield from _parents(what, cut)


def ratios(reading: Floats, others: Floats) -> Ratios:
    """Ratios of readings (T, n) to what others say (T, n)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        both = (reading > 0.0) & (others > 0.0)
        ratio = np.where(both, np.log(np.where(both, reading, 1.0) / np.where(both, others, 1.0)), np.nan)
        load = np.log(np.where(both, others, np.nan))
    usual = np.array([np.nanmedian(c) if np.isfinite(c).any() else 0.0 for c in load.T])
    return Ratios(np.ascontiguousarray(ratio.T), np.ascontiguousarray(np.clip(load - usual, -2.0, 2.0).T))


def moved(found: Ratios, ids: tuple[str, ...], level: str, words: Said, samples: Samples) -> Iterator[Doubt]:
    """Elements whose ratio changed.

    Args:
        found: ratios of n elements.
        ids: their ids (n,).
        level: level of their sensors.
        words: what a change is called.
        samples: times of the samples.
    """
    steady = np.isfinite(found.ratio).sum(axis=1) >= _FEWEST
    own: Ints = np.flatnonzero(steady)
    if not own.size:
        return
    ratio = found.ratio[own] - np.nanmedian(found.ratio[own], axis=1, keepdims=True)
    slopes = -np.stack([np.full(ratio.shape, MIDDLE.deviation), WITH_LOAD.deviation * found.load[own]], axis=1)
    slopes = np.where(np.isfinite(ratio)[:, None, :], slopes, np.nan)
    best = changes([ratio], [slopes], [np.full(own.size, LEAST)], np.zeros((own.size, 2)))
    said = {"gain": words}
    for n, k in enumerate(own.tolist()):
        yield from told(ids[k], level, PARAMETERS, said, best, n, samples.time, own.size)


_FEWEST = 48


def _inside(what: Seen, cut: Samples) -> Iterator[Doubt]:
    """Each meter of a rack against the middle of its other ones."""
    names, read = [], []
    for name in INSIDE:
        values = _cords(what) if name == "cords" else what.of(name)
        if values is not None and np.isfinite(values).any():
            names.append(name)
            read.append(cut.mean(values))
    if len(read) < 2:
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.where(np.stack(read) > 0.0, np.stack(read), np.nan))
    logs = logs - _middle(logs, axis=1, keepdims=True)
    for k, name in enumerate(names):
        others = _middle(np.delete(logs, k, axis=0), axis=0)
        count = np.isfinite(np.delete(logs, k, axis=0)).sum(axis=0)
        alone = len(names) < 3
        sure = np.where(count >= (1 if alone else 2), others, np.nan)
        load = np.clip(_middle(logs, axis=0), -2.0, 2.0)
        yield from moved(Ratios((logs[k] - sure).T, load.T), what.plant.racks.ids, *_called(name, alone), cut)
        if alone:
            return


def _called(name: str, alone: bool) -> tuple[str, Said]:
    part, level, quantity = ("", "pdu", "power_w") if name == "cords" else ("", CHANNELS[name].level, CHANNELS[name].quantity)
    whose = {"rack power": "its input meter reads", "cords": "the meters of its cords read", "rack output power": "its output meter reads",
             "chip power": "its accelerators report"}[name]  # fmt: skip
    tail = "than its other meters say, and either may be the one that is off" if alone else "than its other meters say"
    return level, Said(
        "gain", "power_drift", quantity, part, LEAST if name != "chip power" else 2.0 * LEAST, f"{whose} {{size}} {{more}} {tail}"
    )


def _cords(what: Seen) -> Floats | None:
    a, b = what.of("cord A power"), what.of("cord B power")
    if a is None or b is None:
        return None
    two = (what.plant.racks.feed >= 0).all(axis=1)
    return np.where(two, a + b, np.nan)


def _parents(what: Seen, cut: Samples) -> Iterator[Doubt]:
    """Power elements against the solved sum behind them."""
    there = [n for n in PARENTS if (v := what.of(n)) is not None and np.isfinite(v).any()]
    if not there:
        return
    should = predicted(what, there)
    ids = what.plant.power.ids
    for name in there:
        channel = CHANNELS[name]
        reading = what.of(name)
        assert reading is not None
        known: Bools = np.repeat(_measured_below(what)[None, :], reading.shape[0], axis=0)
        found = ratios(cut.mean(reading), cut.mean(np.where(known, should[name], np.nan)))
        words = Said(
            "gain", "power_balance", channel.quantity, channel.part, LEAST, "it reads {size} {more} than what hangs on it, against before"
        )
        yield from moved(found, ids, channel.level, words, cut)
        yield from _far(found, ids, channel.level, channel.quantity, cut)


def _far(found: Ratios, ids: tuple[str, ...], level: str, quantity: str, cut: Samples) -> Iterator[Doubt]:
    """Parents that read far from the sum behind them throughout."""
    for k in np.flatnonzero(np.isfinite(found.ratio).sum(axis=1) >= _FEWEST).tolist():
        own = found.ratio[k][np.isfinite(found.ratio[k])]
        low, middle, high = np.quantile(own, [0.1, 0.5, 0.9])
        if min(abs(low), abs(high)) > FAR and low * high > 0.0:
            reason = (
                f"it reads {abs(np.expm1(middle)):.1%} {'more' if middle > 0.0 else 'less'} than what hangs on it, throughout: a wrong "
                "transformer ratio, or something that hangs elsewhere than the site says"
            )
            yield cut.doubt(ids[k], "", quantity, level, "power_balance", min(1.0, abs(middle) / (4.0 * FAR)), reason, 0)


def predicted(what: Seen, channels: list[str]) -> Mapping[str, Floats]:
    """(T, n) what meters should read at the measured load, by channel."""
    plant = what.plant
    wet = np.where(np.isfinite(what.wet_bulb_c), what.wet_bulb_c, plant.site.settings.design_wet_bulb_c)
    out: dict[str, list[Floats]] = {n: [] for n in channels}
    size = chunk_steps(plant.racks.n)
    for a in range(0, what.load_w.shape[0], size):
        state = solve_steady(plant, from_power(plant, what.load_w[a : a + size]), Ambient(wet[a : a + size]))
        for name in channels:
            out[name].append(CHANNELS[name].predict(plant, state))
    return MappingProxyType({n: np.concatenate(v) for n, v in out.items()})


def _measured_below(what: Seen) -> Bools:
    """(N,) elements with racks below, all measured most of the time: neither gear alone nor what was assumed is held against a meter."""
    plant: Plant = what.plant
    below = racks_below(plant)
    share = what.known.mean(axis=0) if what.known.size else np.zeros(plant.racks.n)
    bad = plant.racks.drawing & (share < _MOST)
    return np.asarray(below.any(axis=1) & ~(below & bad[None, :]).any(axis=1))


_MOST = 0.5


def racks_below(plant: Plant) -> Bools:
    """(N, R) racks that hang on each power element by any normal way."""
    below = np.zeros((plant.power.n, plant.racks.n), np.bool_)
    for side in range(2):
        on = plant.racks.feed[:, side] >= 0
        below[plant.racks.feed[on, side], np.flatnonzero(on)] = True
    for n in plant.power.order[::-1]:
        for parent in plant.power.parents[n]:
            if parent >= 0:
                below[parent] |= below[n]
    return below


def _middle(values: Floats, axis: int, keepdims: bool = False) -> Floats:
    """Median along an axis, NaN left out; NaN where there is nothing."""
    good = np.isfinite(values).any(axis=axis, keepdims=True)
    filled = np.where(good, values, 0.0)
    found = np.nanmedian(filled, axis=axis, keepdims=True)
    found = np.where(good, found, np.nan)
    return np.asarray(found if keepdims else np.squeeze(found, axis=axis))
