"""Cooling towers and dry coolers: air against water of a cell, and approach of a cooler, from fan speed, supply, weather and heat.

A cell whose fan turns between its stops holds the supply of its loop. Its speed, the wet bulb and its range then say what its air can
do: ``T_supply = T_wet + york(T_wet, range, f (L/G) / speed) + T_exchanger`` (:mod:`twin.solvers.tower`). A dry cooler does the same
against dry bulb with the rise of its coil (:mod:`twin.solvers.drycooler`). Heat of the loop is what racks and pumps put into it, shared
out among what turns: cells by rating, coolers by what each is able to, so that of many coolers on a loop little more than their
mean is told. Left out: fans at a stop where others share the loop (only the mix of all is measured then), chillers
that may have trimmed, samples outside the bounds of York's correlation, and pads that may have been wet. A wet bulb sensor and
the constant of a cell show nearly as one: how much is told of the constant follows from how far weather and load move.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.plant import Plant
from twin.forecast.calibrate.batch import Batch, calibrate_many
from twin.forecast.calibrate.cdu_seen import FEWEST, thinned
from twin.forecast.calibrate.constants import PRIORS, SENSORS
from twin.forecast.calibrate.fit import Block
from twin.forecast.calibrate.priors import Z90, Prior
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.tell import Means, tell
from twin.forecast.calibrate.told import Drift, Told
from twin.solvers.drycooler import DryCoolers, crossflow_ua_w_k, rises_k_w
from twin.solvers.laws import YORK_APPROACH_K, YORK_LG_MAX, YORK_RANGE_K, YORK_WET_BULB_C, york_approaches_k
from twin.solvers.moistair import CP_AIR_J_KG_K
from twin.solvers.outdoor import side_of
from twin.solvers.plantside import SERIES, YORK

HEAT = 0.03
"""Half width (90 %) of the heat that a loop gives to outside and of its shares, over itself: estimate."""
TURNS, FULL = 0.02, 0.98
"""Fan speeds from which a fan counts as turning, and as at full speed."""
ENOUGH = 1000
"""Samples that are kept of a cell."""
_UNIT = (0.0, (-Z90, Z90), "standard deviations of what is assumed")
_WET = SENSORS["wet_bulb_c", "bias"]
_NUISANCES = (Prior("air", _WET.value, _WET.interval, _WET.source), Prior("supply", *_UNIT), Prior("heat", *_UNIT))
_GRID = np.exp(np.linspace(-6.0, 6.0, 49) * PRIORS["approach_factor"].deviation)


@dataclass(frozen=True)
class OutsideSeen:
    """Cells or coolers (N) over T samples, NaN where a sample does not count.

    Attributes:
        speed: (N, T) fan speed as read.
        supply_c: (N, T) supply of the loop as read.
        supply_k: (N, 1) deviation of the error of that.
        air_c: (N, T) wet bulb, or dry bulb for coolers, as read.
        heat_w: (N, T) heat of each, shared by rating.
        loop_w: (N, T) heat of its loop.
        turns: (N, T) its fan turns.
    """

    speed: Floats
    supply_c: Floats
    supply_k: Floats
    air_c: Floats
    heat_w: Floats
    loop_w: Floats
    turns: Bools


def outside_seen(what: Seen, channel: str, fws: Ints, duty_w: Floats, air_c: Floats) -> OutsideSeen:
    """What is read of cells or coolers while they hold the supply of their loop.

    Args:
        what: what was seen.
        channel: channel of their fans.
        fws: (N,) loop of each.
        duty_w: (N,) rating.
        air_c: (T,) outdoor air that they give to.
    """
    plant = what.plant
    fan = what.of(channel)
    steps = thinned(what.load_w[:, :1], ENOUGH).shape[0]
    speed = np.full((fws.size, steps), np.nan) if fan is None else thinned(fan, ENOUGH).T.copy()
    supply, error = _supply(what, steps)
    heat = thinned(what.outside_w, ENOUGH).T[fws] if fws.size else np.zeros((0, steps))
    share = np.zeros(speed.shape)
    alone = np.zeros(speed.shape, np.bool_)
    for x in np.unique(fws):
        own = np.flatnonzero(fws == x)
        turns = speed[own] > TURNS
        weight = np.where(turns, duty_w[own][:, None], 0.0)
        share[own] = weight / np.maximum(weight.sum(axis=0), 1e-9)
        free = turns & (turns.sum(axis=0) == 1)
        full, unknown = (speed[own] >= FULL).any(axis=0), ~np.isfinite(speed[own]).all(axis=0)
        alone[own] = turns & ~unknown & (free | ~full)
    trimmed = np.isin(fws, plant.chillers.fws) & (plant.loops.economiser[fws] != SERIES) if fws.size else np.zeros(0, np.bool_)
    chilled = np.isin(fws, plant.chillers.fws)[:, None] & (speed >= FULL)
    counts = alone & ~trimmed[:, None] & ~chilled & (share > 0.0)
    air = np.broadcast_to(thinned(air_c[:, None], ENOUGH)[:, 0], speed.shape)
    return OutsideSeen(np.where(counts, speed, np.nan), supply[fws], error[fws], air, heat * share, heat, speed > TURNS)


def _supply(what: Seen, steps: int) -> tuple[Floats, Floats]:
    """(L, T) supply of each facility loop: its own sensor, else the mean of those at its CDUs; (L, 1) deviation of its error."""
    plant, bias = what.plant, SENSORS["supply_temp_c", "bias"].deviation
    out, error = np.full((plant.loops.n, steps), np.nan), np.full((plant.loops.n, 1), bias)
    own, units = what.of("loop supply temperature"), what.of("CDU facility supply temperature")
    if units is not None:
        values = thinned(units, ENOUGH).T
        for x in np.unique(plant.cdus.fws[plant.cdus.fws >= 0]):
            rows = values[(plant.cdus.fws == x) & (np.isfinite(values).sum(axis=1) >= FEWEST)]
            if rows.size:
                out[x], error[x] = rows.mean(axis=0), bias / np.sqrt(rows.shape[0])
    if own is not None:
        values = thinned(own, ENOUGH).T
        lone = (np.isfinite(values).sum(axis=1) >= FEWEST) & ~np.isfinite(out).any(axis=1)
        out[lone] = values[lone]
    return out, error


@dataclass(frozen=True)
class TowerModel:
    """Tower cells; :meth:`residuals` is a :data:`twin.forecast.calibrate.batch.Model`.

    Attributes:
        seen: what was read.
        capacity_w_k: (N, 1) water flow times heat capacity.
        lg_ratio: (N, 1) water over air of the catalog at full speed.
        exchanger_k: (N, 1) loop supply above tower water.
    """

    seen: OutsideSeen
    capacity_w_k: Floats
    lg_ratio: Floats
    exchanger_k: Floats

    def counts(self) -> Bools:
        """(N, T) samples inside the bounds of York's correlation, fan above its lowest speed."""
        s = self.seen
        span, held = s.heat_w / self.capacity_w_k, s.supply_c - self.exchanger_k - s.air_c
        inside = (s.air_c >= YORK_WET_BULB_C[0]) & (s.air_c <= YORK_WET_BULB_C[1]) & (span >= YORK_RANGE_K[0]) & (span <= YORK_RANGE_K[1])
        lowest = 1.1 * self.lg_ratio / YORK_LG_MAX
        return np.asarray(inside & (held >= YORK_APPROACH_K[0]) & (s.speed > lowest))

    def residuals(self, v: Mapping[str, Floats], own: Ints) -> Sequence[Block]:
        """Residuals of some cells, (e, T)."""
        s = self.seen
        wet = s.air_c[own] - v["air"]
        span = s.heat_w[own] * (1.0 + HEAT / Z90 * v["heat"]) / self.capacity_w_k[own]
        lg = v["lg_factor"] * self.lg_ratio[own] / s.speed[own]
        held = (
            wet
            + york_approaches_k(np.ascontiguousarray(wet), np.ascontiguousarray(span), np.ascontiguousarray(lg), YORK)
            + self.exchanger_k[own]
        )
        off = held + s.supply_k[own] * v["supply"] - s.supply_c[own]
        return [Block("supply", np.where(self.counts()[own], off, np.nan), 0.2)]


def fit_towers(what: Seen) -> tuple[Batch, Bools]:
    """Fits of all cells, and which of them have samples."""
    t = what.plant.towers
    seen = outside_seen(what, "tower fan speed", t.fws, t.duty_w, what.wet_bulb_c)
    cp = what.plant.loops.cp_j_kg_k[t.fws] if t.n else np.zeros(0)
    model = TowerModel(seen, (t.water_kg_s * cp)[:, None], t.lg_ratio[:, None], t.exchanger_k[:, None])
    return calibrate_many(model.residuals, (PRIORS["lg_factor"], *_NUISANCES), t.n, beside=2), model.counts().sum(axis=1) >= FEWEST


@dataclass(frozen=True)
class CoolerModel:
    """Dry coolers; :meth:`residuals` is a :data:`twin.forecast.calibrate.batch.Model`.

    Attributes:
        seen: what was read.
        coolers: ratings as kernels take them.
        cp_j_kg_k: (N,) heat capacity of the water.
        exchanger_k: (N, 1) loop supply above cooler water.
        ua_w_k: (N, G) conductance at factors :data:`_GRID` of the approach.
        beside_w_k: (N, T) heat for each kelvin of the other coolers of the loop that turn, at full speed, by their ratings.
        beside: (N, 1) most of them that turn.
    """

    seen: OutsideSeen
    coolers: DryCoolers
    cp_j_kg_k: Floats
    exchanger_k: Floats
    ua_w_k: Floats
    beside_w_k: Floats
    beside: Floats

    def residuals(self, v: Mapping[str, Floats], own: Ints) -> Sequence[Block]:
        """Residuals of some coolers, (e, T): a cooler takes a share as what it is able to at full speed, over what all are."""
        s = self.seen
        ua = self.coolers.ua_w_k.copy()
        for n, factor in zip(own, v["approach_factor"][:, 0], strict=True):
            ua[n] = np.exp(np.interp(np.log(factor), np.log(_GRID), np.log(self.ua_w_k[n])))
        mine, cp, speed = self.coolers._replace(ua_w_k=ua), self.cp_j_kg_k[own], np.ascontiguousarray(s.speed[own])
        able = 1.0 / rises_k_w(mine, own, cp, np.ones((own.size, 1)))
        unlike = PRIORS["approach_factor"].deviation / np.sqrt(np.maximum(self.beside[own], 1.0))
        share = able / (able + self.beside_w_k[own] * np.exp(unlike * v["others"]))
        above = rises_k_w(mine, own, cp, speed) * share * s.loop_w[own] * (1.0 + HEAT / Z90 * v["heat"])
        held = s.air_c[own] - v["air"] + above + self.exchanger_k[own] + s.supply_k[own] * v["supply"]
        counts = (s.speed[own] > 1.02 * self.coolers.fan_floor[own][:, None]) & (self.coolers.assist[own][:, None] <= 0.0)
        return [Block("supply", np.where(counts, held - s.supply_c[own], np.nan), 0.2)]


def fit_coolers(what: Seen) -> tuple[Batch, Bools]:
    """Fits of all dry coolers, and which of them have samples."""
    d, every = what.plant.dry_coolers, np.arange(what.plant.dry_coolers.n)
    seen = outside_seen(what, "dry cooler fan speed", d.fws, d.duty_w, what.dry_bulb_c)
    coolers, cp = side_of(what.plant).dry, np.asarray(what.plant.loops.cp_j_kg_k[d.fws])
    able = np.where(seen.turns, 1.0 / rises_k_w(coolers, every, cp, np.ones((d.n, 1))), 0.0)
    same = (d.fws[:, None] == d.fws[None, :]) & ~np.eye(d.n, dtype=bool)
    number = (same.astype(np.float64) @ seen.turns).max(axis=1, initial=0.0)[:, None]
    model = CoolerModel(seen, coolers, cp, d.exchanger_k[:, None], _conductances(what.plant), same.astype(np.float64) @ able, number)
    priors = (PRIORS["approach_factor"], *_NUISANCES, Prior("others", *_UNIT))
    fits = calibrate_many(model.residuals, priors, d.n, beside=2)
    return fits, fits.samples >= FEWEST


def _conductances(plant: Plant) -> Floats:
    """(D, G) conductance of each cooler if its approach were another; held where no coil reaches it."""
    d = plant.dry_coolers
    out = np.zeros((d.n, _GRID.size))
    for n in range(d.n):
        water, air = d.water_kg_s[n] * plant.loops.cp_j_kg_k[d.fws[n]], d.air_kg_s[n] * CP_AIR_J_KG_K
        row = np.asarray([crossflow_ua_w_k(d.duty_w[n], f * d.approach_k[n] + d.duty_w[n] / water, water, air) for f in _GRID])
        out[n] = np.where(row > 0.0, row, row.max())
    return out


def outside(what: Seen) -> Iterator[Told | Drift]:
    """Constants of tower cells and dry coolers that have samples."""
    for axis, name, fit in ((what.plant.towers, "lg_factor", fit_towers), (what.plant.dry_coolers, "approach_factor", fit_coolers)):
        if axis.n:
            fits, there = fit(what)
            yield from tell(fits, axis.ids, {name: Means(name)}, {name: there})
