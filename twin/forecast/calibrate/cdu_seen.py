"""What the meters around coolant distribution units say, unit by unit, ready for a fit: sources, samples that count, second opinions.

Several sensors look at one and the same water: facility supply of every unit of a facility loop, return of every unit of a TCS loop,
and the loop's own sensors. The mean of the others is a second opinion on each, better the more there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.plant import Plant
from twin.forecast.calibrate.constants import SENSORS
from twin.forecast.calibrate.priors import Z90
from twin.forecast.calibrate.series import MAD_TO_DEVIATION

FEWEST = 12
"""Readings below which a meter of a unit counts as not there."""
ALONG_K = 0.05
"""Half width (90 %) of what water warms or cools between units of one header: estimate."""
LIQUID_SHARE = 0.02
"""Half width (90 %) of the heat behind a loop as rack power gives it, over itself (share that goes to liquid): estimate."""
ENOUGH = 700
"""Samples that are kept of a unit: more of them are put together as means of neighbours, which says the same in less time."""
STEADY_SHARE = 0.05
"""Change of heat from sample to sample, over its level, up to which a unit counts as steady."""
OFF_SHARE = 0.02
"""Share of rated flow below which a side counts as off."""
VALVE_STOPS = (0.03, 0.98)
"""Openings beyond which a valve counts as at its stop: its position no longer says how much flows."""
CHANNELS: Mapping[str, str] = {
    "hot_kg_s": "CDU flow", "supply_c": "CDU supply temperature", "return_c": "CDU return temperature", "heat_w": "CDU heat",
    "cold_kg_s": "CDU facility flow", "cold_supply_c": "CDU facility supply temperature",
    "cold_return_c": "CDU facility return temperature", "valve_frac": "CDU valve",
}  # fmt: skip
"""Meters of a unit by the name of :data:`twin.observe.CHANNELS`."""


@dataclass(frozen=True)
class CduSeen:
    """Meters of N units over T samples, NaN where there is nothing; a meter with too few readings is NaN throughout.

    Attributes:
        cdu: (N,) numbers on the CDU axis.
        rated_w: (N,) rated heat.
        hot_kg_s: (N, T) flow of the IT side as read.
        supply_c: (N, T) supply of the IT side as read.
        return_c: (N, T) return of the IT side as read.
        heat_w: (N, T) heat as read.
        cold_kg_s: (N, T) flow of the facility side as read.
        cold_supply_c: (N, T) supply of the facility side as read.
        cold_return_c: (N, T) return of the facility side as read.
        valve_frac: (N, T) valve position as read.
        second_supply_c: (N, T) mean of the other sensors of the same facility supply.
        second_supply_k: (N, 1) standard deviation of its error.
        second_return_c: (N, T) mean of the other sensors of the same IT-side return.
        second_return_k: (N, 1) standard deviation of its error.
        behind_w: (N, T) heat that the racks (and pumps) behind the unit's loop give to it.
        beside_w_k: (N, T) flow times heat capacity of the other units of the loop, as their own meters say.
        beside_supply_c: (N, T) their mean supply, weighted by that: they take ``beside_w_k (return - beside_supply_c)``.
        beside: (N, 1) number of them.
        still: (N, T) samples in which the unit runs and is steady.
    """

    cdu: Ints
    rated_w: Floats
    hot_kg_s: Floats
    supply_c: Floats
    return_c: Floats
    heat_w: Floats
    cold_kg_s: Floats
    cold_supply_c: Floats
    cold_return_c: Floats
    valve_frac: Floats
    second_supply_c: Floats
    second_supply_k: Floats
    second_return_c: Floats
    second_return_k: Floats
    behind_w: Floats
    beside_w_k: Floats
    beside_supply_c: Floats
    beside: Floats
    still: Bools

    def take(self, own: Ints) -> CduSeen:
        """Some of the units."""
        return CduSeen(**{f.name: getattr(self, f.name)[own] for f in fields(self)})

    @cached_property
    def there(self) -> dict[str, Bools]:
        """(N, 1) units that have each meter."""
        return {name: np.isfinite(getattr(self, name)).any(axis=1, keepdims=True) for name in (*CHANNELS, "behind_w")}

    @cached_property
    def level_w(self) -> Floats:
        """(N, 1) usual heat of each unit's loop, or of its rating where no power behind it is known; what heat is compared over."""
        known = self.there["behind_w"][:, 0]
        level = self.rated_w[:, None].copy()
        level[known, 0] = np.nanmedian(np.abs(self.behind_w[known]), axis=1)
        return np.maximum(level, 1e-3 * self.rated_w[:, None])


def cdu_seen(plant: Plant, read: Mapping[str, Floats], behind_w: Floats | None = None, enough: int = ENOUGH) -> CduSeen:
    """Put the meters of all CDUs together.

    Args:
        plant: the plant.
        read: (T, n) readings by channel of :data:`twin.observe.CHANNELS`; a channel that is not there was not read.
        behind_w: (T, L) heat that racks and pumps give to each loop, as a solved state has it; not used where not given.
        enough: samples to keep.
    """
    n, axis = plant.cdus.n, plant.cdus
    read = {name: thinned(values, enough) for name, values in read.items()}
    behind_w = None if behind_w is None else thinned(behind_w, enough)
    steps = next((v.shape[0] for v in (*read.values(), behind_w) if v is not None), 0)

    def of(channel: str) -> Floats:
        values = np.ascontiguousarray(read[channel].T) if channel in read else np.full((n, steps), np.nan)
        return np.where((np.isfinite(values).sum(axis=1) >= FEWEST)[:, None], values, np.nan)

    own = {name: of(channel) for name, channel in CHANNELS.items()}
    rho = plant.loops.rho_kg_m3
    own["hot_kg_s"] = own["hot_kg_s"] * rho[axis.loop][:, None]
    own["cold_kg_s"] = own["cold_kg_s"] * np.where(axis.fws >= 0, rho[axis.fws], math.nan)[:, None]
    loops = {k: read[k].T if k in read else np.full((plant.loops.n, steps), np.nan) for k in ("loop supply temperature",
                                                                                              "loop return temperature")}  # fmt: skip
    cold = _second(own["cold_supply_c"], axis.fws, loops["loop supply temperature"])
    back = _second(own["return_c"], axis.loop, loops["loop return temperature"])
    heat = own["hot_kg_s"] * axis.hot_cp_j_kg_k[:, None] * (own["return_c"] - own["supply_c"])
    behind = np.full((n, steps), np.nan) if behind_w is None else behind_w.T[axis.loop]
    capacity = own["hot_kg_s"] * axis.hot_cp_j_kg_k[:, None]
    beside = _beside(capacity, own["supply_c"], axis.loop)
    runs = ~(own["hot_kg_s"] < OFF_SHARE * axis.hot_kg_s[:, None]) & ~(own["cold_kg_s"] < OFF_SHARE * axis.cold_kg_s[:, None])
    return CduSeen(
        np.arange(n), axis.duty_w.copy(), **own, second_supply_c=cold[0], second_supply_k=cold[1],
        second_return_c=back[0], second_return_k=back[1],
        behind_w=behind, beside_w_k=beside[0], beside_supply_c=beside[1], beside=beside[2], still=runs & steady(heat),
    )  # fmt: skip


def _second(own: Floats, group: Ints, shared: Floats) -> tuple[Floats, Floats]:
    """Mean of the other sensors of the same water, and the deviation of its error.

    Args:
        own: (N, T) a sensor of each unit.
        group: (N,) water that it looks at, -1 for none.
        shared: (G, T) a sensor of the water itself.
    """
    bias = SENSORS["supply_temp_c", "bias"].deviation
    out, wide = np.full(own.shape, np.nan), np.full((own.shape[0], 1), np.nan)
    for g in np.unique(group[group >= 0]):
        members = np.flatnonzero(group == g)
        all_of = np.vstack([own[members], shared[g : g + 1]])
        good = np.isfinite(all_of)
        total, count = np.where(good, all_of, 0.0).sum(axis=0), good.sum(axis=0)
        rest, left = total - np.where(good[:-1], all_of[:-1], 0.0), count - good[:-1]
        out[members] = np.divide(rest, left, out=np.full(rest.shape, np.nan), where=left > 0)
        sensors = good.any(axis=1).sum() - good[:-1].any(axis=1)
        wide[members, 0] = np.hypot(bias / np.sqrt(np.maximum(sensors, 1)), ALONG_K / Z90)
    return out, np.nan_to_num(wide, nan=bias)


def _beside(capacity_w_k: Floats, supply_c: Floats, loop: Ints) -> tuple[Floats, Floats, Floats]:
    """What the other units of each unit's loop carry, see :class:`CduSeen`; their return is that of the unit itself."""
    total, mean, count = np.zeros(capacity_w_k.shape), np.zeros(capacity_w_k.shape), np.zeros((capacity_w_k.shape[0], 1))
    for x in np.unique(loop):
        members = np.flatnonzero(loop == x)
        if members.size < 2:
            continue
        own, warm = capacity_w_k[members], capacity_w_k[members] * supply_c[members]
        total[members], count[members] = own.sum(axis=0) - own, members.size - 1.0
        mean[members] = (warm.sum(axis=0) - warm) / np.maximum(total[members], 1e-9)
    return total, mean, count


def thinned(values: Floats, enough: int = ENOUGH) -> Floats:
    """Means of so many neighbouring samples that few enough are left; NaN where fewer than half of them are known.

    A rest at the end that is not a whole group is dropped.

    Args:
        values: (T, n).
        enough: samples to keep.

    >>> thinned(np.array([[1.0], [3.0], [4.0], [8.0], [9.0]]), 2).tolist()
    [[2.0], [6.0]]
    """
    each = max(values.shape[0] // enough, 1)
    groups = values[: values.shape[0] // each * each].reshape(-1, each, values.shape[1])
    good = np.isfinite(groups)
    count = good.sum(axis=1)
    return np.asarray(np.where(2 * count >= each, np.where(good, groups, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan))


def steady(heat_w: Floats) -> Bools:
    """Samples whose heat is close to that of the ones before and after that are known, as far as noise lets that be seen.

    Args:
        heat_w: (N, T) heat or anything in proportion to it, NaN where not known (that counts as steady).
    """
    out = np.ones(heat_w.shape, np.bool_)
    good = np.isfinite(heat_w)
    last = np.maximum.accumulate(np.where(good, np.arange(heat_w.shape[1]), -1), axis=1)
    before = np.roll(last, 1, axis=1)
    before[:, :1] = -1
    step = np.where(good & (before >= 0), np.abs(heat_w - np.take_along_axis(heat_w, np.maximum(before, 0), axis=1)), np.nan)
    some = np.isfinite(step).any(axis=1)
    usual, level = np.zeros((heat_w.shape[0], 1)), np.zeros((heat_w.shape[0], 1))
    usual[some, 0] = MAD_TO_DEVIATION * np.nanmedian(step[some], axis=1)
    level[some, 0] = np.nanmedian(np.abs(heat_w[some]), axis=1)
    unit, at = np.nonzero(step > np.maximum(STEADY_SHARE * level, 3.0 * usual))
    out[unit, at] = False
    out[unit, before[unit, at]] = False
    return out
