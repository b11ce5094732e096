"""Readings of racks put together in classes of utilisation: a few means a rack, whatever the length of the window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.forecast.calibrate.cdu_seen import FEWEST, steady, thinned
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.series import MAD_TO_DEVIATION

CLASSES = 25
"""Classes of utilisation, of equal width."""
TOP = 1.1
"""Utilisation (or power over the largest seen) at the end of the last class."""
ENOUGH = 1400
"""Samples of a rack that are kept before they are put in classes."""
OFF_SHARE = 0.02
"""Share of a rack's nameplate below which it counts as off."""
FAR = 6.0
"""Usual deviations from the curve beyond which a sample is left out, and ..."""
FAR_SHARE = 0.02
"""... least distance from it, over it, at which one is."""
AT_ONCE = 2048
"""Racks whose samples are in memory at once."""
METERS: Mapping[str, str] = MappingProxyType({
    "u": "", "input_w": "rack power", "output_w": "rack output power", "chip_w": "chip power", "cord_a_w": "cord A power",
    "cord_b_w": "cord B power",
})  # fmt: skip
"""What is put in classes, by channel of :data:`twin.observe.CHANNELS`; ``u`` is the utilisation."""


@dataclass(frozen=True)
class Classes:
    """Means of N racks over B classes, NaN where a class has no samples or a rack no such meter.

    Powers are over the draw factor that each rack is known to have, so that what is left to find is on top of it.

    Attributes:
        racks: (N,) numbers on the rack axis.
        u: (N, B) utilisation.
        input_w: (N, B) rack input as read.
        output_w: (N, B) output of the rack's supplies as read.
        chip_w: (N, B) one accelerator as read.
        cord_a_w: (N, B) cord A as read.
        cord_b_w: (N, B) cord B as read.
        scatter: (N, B) standard deviation of true utilisation inside a class, 0 where it is not read.
        count: (N, B) samples.
    """

    racks: Ints
    u: Floats
    input_w: Floats
    output_w: Floats
    chip_w: Floats
    cord_a_w: Floats
    cord_b_w: Floats
    scatter: Floats
    count: Floats

    def take(self, who: Ints) -> Classes:
        """Some of the racks."""
        return Classes(**{f.name: getattr(self, f.name)[who] for f in fields(self)})


def classes_of(what: Seen, racks: Ints, keep: Bools | None = None) -> Classes:
    """Put readings of some racks in classes.

    Args:
        what: what was seen.
        racks: numbers on the rack axis.
        keep: (T,) steps that count; all where not given.

    Returns:
        Classes of the racks whose power is read in two places, or in one beside utilisation.
    """
    found = [_some(what, racks[k : k + AT_ONCE], keep) for k in range(0, racks.size, AT_ONCE)]
    return Classes(**{f.name: np.concatenate([getattr(c, f.name) for c in found]) for f in fields(Classes)}) if found else _none()


def _none() -> Classes:
    table = np.zeros((0, CLASSES))
    return Classes(np.zeros(0, np.int64), *[table] * (len(fields(Classes)) - 1))


def _some(what: Seen, racks: Ints, keep: Bools | None) -> Classes:
    plant, steps = what.plant, what.time.size
    rows = np.ones(steps, np.bool_) if keep is None else keep

    def of(values: Floats | None) -> Floats:
        table = np.full((steps, racks.size), np.nan) if values is None else values[:, racks]
        few = thinned(table[rows], ENOUGH).T
        return np.where((np.isfinite(few).sum(axis=1) >= FEWEST)[:, None], few, np.nan)

    drawn = plant.racks.draw_factor[racks][:, None]
    read = {name: of(what.utilisation) if name == "u" else of(what.of(channel)) / drawn for name, channel in METERS.items()}
    there: dict[str, Bools] = {name: np.asarray(np.isfinite(v).any(axis=1)) for name, v in read.items()}
    u, power = read["u"], read["cord_a_w"]
    for name in ("cord_b_w", "output_w", "input_w"):
        power = np.where(there[name][:, None], read[name], power)
    off = OFF_SHARE * plant.racks.nameplate_w[racks][:, None]
    good = np.isfinite(power) & ~(power < off) & steady(power)
    good &= np.all([np.isfinite(v) | ~there[name][:, None] for name, v in read.items()], axis=0)
    meters = np.sum([there[name] for name in METERS if name not in ("u", "chip_w")], axis=0)
    usable = (meters + there["u"] > 1) & (meters > 0) & (good.sum(axis=1) >= FEWEST)
    known = there["u"][:, None]
    place = np.where(known, u, power / np.maximum(np.nanmax(np.where(good, power, 0.0), axis=1, keepdims=True), 1.0))
    line, slope = _line(u, power, good)
    good &= _close(power / np.maximum(np.where(known, line, power), 1.0), good)
    index = np.clip(_beside(place, good) * (CLASSES / TOP), 0, CLASSES - 1).astype(np.int64) + CLASSES * np.arange(racks.size)[:, None]

    def mean(values: Floats) -> Floats:
        total = np.bincount(index[good], values[good], minlength=racks.size * CLASSES).reshape(racks.size, CLASSES)
        return np.asarray(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0.0))

    count = np.bincount(index[good], minlength=racks.size * CLASSES).reshape(racks.size, CLASSES).astype(np.float64)
    means = {name: mean(v) for name, v in read.items()}
    together = mean(u * power) - means["u"] * mean(power)
    scatter = np.sqrt(np.maximum(np.divide(together, slope, out=np.zeros(count.shape), where=np.isfinite(together) & (slope > 0.0)), 0.0))
    return Classes(racks, **means, scatter=scatter, count=count).take(np.flatnonzero(usable))


def _line(u: Floats, power: Floats, good: Bools) -> tuple[Floats, Floats]:
    """(N, T) straight line through each rack's readings, and its slope (N, 1).

    Power and utilisation have noise of their own, so that their product inside a class over the slope is the variance of true utilisation.
    """
    weight = np.where(good, 1.0, 0.0)
    count = np.maximum(weight.sum(axis=1, keepdims=True), 1.0)
    x, y = (np.where(good, v, 0.0) for v in (u, power))
    mean_x, mean_y = x.sum(axis=1, keepdims=True) / count, y.sum(axis=1, keepdims=True) / count
    dx, dy = (x - mean_x) * weight, (y - mean_y) * weight
    slope = (dx * dy).sum(axis=1, keepdims=True) / np.maximum((dx * dx).sum(axis=1, keepdims=True), 1e-12)
    return np.asarray(mean_y + slope * (u - mean_x)), slope


def _close(ratio: Floats, good: Bools) -> Bools:
    """(N, T) readings that are not far off what is usual for their rack."""
    some = good.any(axis=1)
    out = np.zeros(good.shape, np.bool_)
    known = np.where(good, ratio, np.nan)[some]
    middle = np.nanmedian(known, axis=1, keepdims=True)
    usual = MAD_TO_DEVIATION * np.nanmedian(np.abs(known - middle), axis=1, keepdims=True)
    out[some] = np.abs(ratio[some] - middle) <= np.maximum(FAR * usual, FAR_SHARE)
    return out


def _beside(values: Floats, good: Bools) -> Floats:
    """(N, T) mean of the sample before and the one after, as far as they are good; a sample without either stands for itself."""
    known = np.where(good, values, 0.0)
    total, count = np.zeros(values.shape), np.zeros(values.shape)
    total[:, 1:] += known[:, :-1]
    total[:, :-1] += known[:, 1:]
    count[:, 1:] += good[:, :-1]
    count[:, :-1] += good[:, 1:]
    return np.where(count > 0, total / np.maximum(count, 1.0), np.where(np.isfinite(values), values, 0.0))
