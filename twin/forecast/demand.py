"""Demand: a fixed, seeded set of joint load scenarios from measured power, growth and what a SKU is known to draw.

From at least :data:`TAIL_DAYS` days of history: joint block bootstrap. Each scenario draws whole days, all racks at once, so
that what peaks together keeps peaking together (Kunsch, Ann. Statist. 17, 1989, for the block bootstrap), and one growth
factor. Of its days it keeps the moments that matter: the peaks of the site and of every group of racks that shares a parent.
A rack with less history than that counts as not measured. With less history of the whole site tails are not estimated: every
scenario is a stress envelope, each rack at its own peak at the same time.
A fully synchronous start, each rack at its own peak, is always the first scenario.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.plant import Plant
from twin.forecast.gaps import held

TAIL_DAYS = 14
"""Days of history below which tails are not estimated (two whole weeks, so that each weekday is seen twice)."""
BLOCK_DAYS = 7
"""Days that one scenario draws: the horizon of a week over which its peaks are taken."""
PEAK_WITHIN = 0.01
"""How near its peak a group must come at a chosen moment (class 1 of IEC 62053-21, the meters that history comes from)."""
SPREAD = (0.79, 1.0)
"""Peak over allocated power of a rack that nobody has measured: inference 0.79, training near 1 (POLCA, arXiv 2308.12908).

A SKU with a measured demand distribution (``demand_frac`` of its catalog entry) takes that instead."""


@dataclass(frozen=True)
class History:
    """Measured rack power.

    Attributes:
        time: (T,) UTC.
        rack_w: (T, R) on the plant's rack axis, NaN where nothing was measured.
        step_s: time step.
    """

    time: np.ndarray
    rack_w: Floats
    step_s: float

    @property
    def measured_days(self) -> Ints:
        """(D,) whole days, counted from the first step, in at least half of whose steps some rack was measured."""
        per_day = max(1, int(86400 // self.step_s))
        some: Bools = np.asarray(np.isfinite(self.rack_w).any(axis=1))
        some = some[: some.size // per_day * per_day].reshape(-1, per_day)
        return np.flatnonzero(some.mean(axis=1) >= 0.5).astype(np.int64)

    @property
    def rack_days(self) -> Ints:
        """(R,) whole days in at least half of whose steps each rack was measured."""
        per_day = max(1, int(86400 // self.step_s))
        good = np.isfinite(self.rack_w[: self.time.size // per_day * per_day])
        days: Ints = (good.reshape(-1, per_day, good.shape[1]).mean(axis=1) >= 0.5).sum(axis=0).astype(np.int64)
        return days

    @property
    def days(self) -> int:
        """Whole days with measurements; a gap of a week is not a week of history."""
        return int(self.measured_days.size)


@dataclass(frozen=True)
class Demand:
    """Load columns of all scenarios.

    Attributes:
        scenario: (C,) scenario of each column.
        rack_w: (C, R) input power of every rack on the plant's axis, candidates included.
        count: number of scenarios.
        basis: ``measured`` or ``nameplate``.
        note: what was assumed, for people.
        seed: that it was drawn with.
    """

    scenario: Ints
    rack_w: Floats
    count: int
    basis: str
    note: str
    seed: int

    def peaks(self) -> Demand:
        """Only the column with the largest sum of each scenario."""
        total = self.rack_w.sum(axis=1)
        rows = [np.flatnonzero(self.scenario == s) for s in range(self.count)]
        top = np.asarray([r[total[r].argmax()] for r in rows], np.int64)
        return replace(self, scenario=np.arange(self.count), rack_w=self.rack_w[top])


def nameplate_demand(plant: Plant, load: Bools) -> Demand:
    """One scenario with every rack of ``load`` (R,) at its allocated power."""
    note = "no telemetry: every rack at its allocated power, which needs no probability"
    return Demand(np.zeros(1, np.int64), np.where(load, plant.racks.budget_w, 0.0)[None, :], 1, "nameplate", note, 0)


def measured_demand(
    plant: Plant, history: History, load: Bools, by: dt.date, scenarios: int = 40, seed: int = 0,
) -> Demand:  # fmt: skip
    """Draw joint scenarios from history.

    Args:
        plant: the plant, candidate racks included.
        history: measured power; candidates and racks that do not draw yet are NaN.
        load: (R,) racks that exist at the date or are candidates; others draw nothing.
        by: date to which measured load grows.
        scenarios: number of scenarios.
        seed: seed of every draw; the same seed gives the same bits.

    Returns:
        Demand with the basis ``measured``.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    enough = history.days >= TAIL_DAYS
    measured = load & (history.rack_days >= TAIL_DAYS if enough else np.isfinite(history.rack_w).any(axis=0))
    rack_w = np.nan_to_num(held(history.rack_w), nan=0.0)
    growth = _growth(plant, history, by, rng, scenarios)
    unknown = _unmeasured(plant, rack_w, measured, load, rng, scenarios, enough)
    peak = np.where(measured, rack_w.max(axis=0), 0.0)
    cap = np.maximum(plant.racks.budget_w, peak)
    sums = np.stack([rack_w[:, g].sum(axis=1) for g in _groups(plant, measured)] or [rack_w.sum(axis=1)], axis=1)
    columns: list[Floats] = [np.minimum(peak * growth[0], cap)[None, :] + unknown.peak[0]]
    owner = [0]
    for s in range(1, scenarios):
        if enough:
            moments = _moments(sums, history, rng)
            rows = np.minimum(rack_w[moments][:, measured] * growth[s], cap[measured])
            column = unknown.at(s, moments)
            column[:, measured] = rows
        else:
            column = (np.minimum(peak * growth[s], cap) + unknown.peak[s])[None, :]
        columns.append(column)
        owner.extend([s] * column.shape[0])
    days = "1 day" if history.days == 1 else f"{history.days} days"
    note = (
        f"{days} of history in blocks of {BLOCK_DAYS} days"
        if enough
        else f"only {days} of history: tails are not estimated, every scenario has each rack at its own measured peak"
    )
    return Demand(np.asarray(owner, np.int64), np.concatenate(columns), scenarios, "measured", note, seed)


def _growth(plant: Plant, history: History, by: dt.date, rng: np.random.Generator, scenarios: int) -> Floats:
    """Growth factor of each scenario: ``(1 + g)^years`` with g normal around the site's growth, not below -90 %."""
    last = history.time[-1].astype("datetime64[D]").astype(dt.date)
    years = max((by - last).days / 365.25, 0.0)
    settings = plant.site.settings
    rate = np.maximum(rng.normal(settings.growth_frac, settings.growth_spread_frac, scenarios), -0.9)
    rate[0] = settings.growth_frac + 2.0 * settings.growth_spread_frac
    factor: Floats = (1.0 + rate) ** years
    return factor


@dataclass(frozen=True)
class _Unmeasured:
    """Racks that nobody measured: a peer's series where the SKU is known, allocated power with spread elsewhere."""

    peak: Floats
    peers: Ints
    rack_w: Floats
    flat: Floats

    def at(self, scenario: int, moments: Ints) -> Floats:
        """(moments, R) power; 0 for measured racks."""
        peer = self.peers[scenario]
        power: Floats = np.where(peer >= 0, self.rack_w[np.ix_(moments, np.maximum(peer, 0))], self.flat[scenario])
        return power


def _unmeasured(
    plant: Plant, rack_w: Floats, measured: Bools, load: Bools, rng: np.random.Generator, scenarios: int, enough: bool
) -> _Unmeasured:
    racks = plant.racks
    peers = np.full((scenarios, racks.n), -1, np.int64)
    flat = np.zeros((scenarios, racks.n))
    high = np.zeros(racks.n)
    for k in range(len(racks.skus)):
        same = racks.sku == k
        known = np.flatnonzero(measured & same)
        new = np.flatnonzero(load & ~measured & same)
        use_peers = racks.drawing | ~racks.holding
        peaks = np.sort(np.asarray(racks.skus[k].demand_frac)) * racks.skus[k].nameplate_w
        draw = rng.uniform(*SPREAD, scenarios)
        for r in new:
            if known.size and enough and use_peers[r]:
                peers[:, r] = rng.choice(known, scenarios)
                high[r] = rack_w[:, known].max()
            else:
                flat[:, r] = racks.budget_w[r] * (draw if use_peers[r] else 1.0)
                if peaks.size and use_peers[r]:
                    flat[:, r] = np.clip(np.quantile(peaks, np.interp(draw, SPREAD, (0.0, 1.0))), 0.0, racks.budget_w[r])
                high[r] = racks.budget_w[r]
    peak = np.where(peers >= 0, high, flat)
    peak[0] = np.where(load & ~measured, high, 0.0)
    return _Unmeasured(peak, peers, rack_w, flat)


def _moments(sums: Floats, history: History, rng: np.random.Generator) -> Ints:
    """Time steps of a block of whole days, drawn with replacement, at which every group is at or near its peak.

    Groups come from the site downward: a moment that already shows a group within :data:`PEAK_WITHIN` of its peak serves it too.
    """
    per_day = max(1, int(86400 // history.step_s))
    days = history.measured_days[rng.integers(0, history.days, BLOCK_DAYS)]
    steps = (days[:, None] * per_day + np.arange(per_day)).ravel()
    block = sums[steps]
    top, at = block.max(axis=0), block.argmax(axis=0)
    chosen: list[int] = []
    for g in range(block.shape[1]):
        if not chosen or block[chosen, g].max() < (1.0 - PEAK_WITHIN) * top[g]:
            chosen.append(int(at[g]))
    return np.unique(steps[chosen]).astype(np.int64)


def _groups(plant: Plant, measured: Bools) -> Sequence[Ints]:
    """Racks of the site, of each hall, of each feed and of each manifold's loop."""
    racks = plant.racks
    owners = [np.zeros(racks.n, np.int64), racks.hall, racks.feed[:, 0], racks.feed[:, 1]]
    if plant.manifolds.n:
        owners.append(np.where(racks.manifold >= 0, plant.manifolds.loop[racks.manifold], -1))
    groups = [np.flatnonzero(measured & (o == k)) for o in owners for k in np.unique(o[o >= 0])]
    return [g for g in groups if g.size]
