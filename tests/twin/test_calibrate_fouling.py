"""What exchangers lost over weeks: a hidden loss is found with a narrow interval, and none is not."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.twin.cooled import Hidden, hidden, reread, seen_of
from topology.axes import Floats
from topology.generate import generate
from topology.plant import plant
from twin.forecast.calibrate.cdu_seen import CHANNELS, CduSeen, cdu_seen
from twin.forecast.calibrate.cdus import cdus
from twin.forecast.calibrate.constants import PRIORS
from twin.forecast.calibrate.fouling import Loss, cdu_loss
from twin.forecast.calibrate.told import Drift, Told

WEEKS, STEPS = 5, 56
STEP_S = 3.0 * 3600.0
LOST = 0.09


@cache
def of(lost: float, seed: int) -> Hidden:
    """A unit after the other of the small supercomputer, read every three hours for five weeks; even ones lose conductance."""
    p = plant(generate("frontier"))
    meters = (*CHANNELS.values(), "loop supply temperature", "loop return temperature")
    h = hidden(p, ("ua_factor", "valve_flow_factor"), meters, seed, WEEKS * STEPS, STEP_S)
    if not lost:
        return h
    left = (1.0 - lost * (np.arange(p.cdus.n) % 2 == 0)) ** (np.arange(WEEKS)[:, None] / (WEEKS - 1))
    read = {n: v.copy() for n, v in h.read.items()}
    for week in range(WEEKS):
        rows = slice(week * STEPS, (week + 1) * STEPS)
        now = replace(h, factor={**h.factor, "ua_factor": h.factor["ua_factor"] * left[week]})
        for name, values in reread(now, rows, seed * 100 + week).items():
            read[name][rows] = values
    return replace(h, read=read)


def loss_of(h: Hidden) -> Loss:
    return cdu_loss(h.plant, put_together(h), np.repeat(np.arange(WEEKS), STEPS))


def behind_w(h: Hidden) -> Floats:
    out = np.zeros((h.plant.loops.n, h.expected.heat.cdu_w.shape[0]))
    np.add.at(out, h.plant.cdus.loop, h.expected.heat.cdu_w.T)
    return out.T


def put_together(h: Hidden) -> CduSeen:
    return cdu_seen(h.plant, h.read, behind_w(h))


def test_a_hidden_loss_is_found_and_known_far_better_than_the_level() -> None:
    h = of(LOST, 1)
    found = loss_of(h)
    lost = np.arange(h.plant.cdus.n) % 2 == 0
    assert found.batch.settled.all() and found.told.all()
    assert found.ratio[lost, -1] == pytest.approx(1.0 - LOST, abs=0.035)
    assert found.moved[lost].all() and found.moved[~lost].sum() <= 2
    true = np.where(lost, 1.0 - LOST, 1.0)
    inside = (found.low[:, -1] <= true) & (true <= found.high[:, -1])
    assert inside.mean() >= 0.8
    level = found.batch.high[:, 0] - found.batch.low[:, 0]
    assert (found.high - found.low)[:, -1].mean() < 0.4 * level.mean()


def test_no_loss_is_claimed_where_there_is_none() -> None:
    claimed = np.concatenate([loss_of(of(0.0, seed)).moved for seed in (1, 2, 3)])
    assert claimed.mean() <= 0.05


def test_the_latest_conductance_is_level_times_change() -> None:
    h = of(LOST, 1)
    found = loss_of(h)
    now = [found.latest(n) for n in range(h.plant.cdus.n)]
    lost = 1.0 - LOST * (np.arange(h.plant.cdus.n) % 2 == 0)
    inside = [f.interval[0] <= v <= f.interval[1] for f, v in zip(now, h.factor["ua_factor"] * lost, strict=True)]
    assert np.mean(inside) >= 0.75
    assert now[0].value == pytest.approx(found.batch.value[0, 0] * found.ratio[0, -1])


def test_a_unit_that_was_metered_later_is_compared_with_its_own_first_slice() -> None:
    h = of(LOST, 1)
    read = {n: v.copy() for n, v in h.read.items()}
    for values in read.values():
        if values.shape[1] == h.plant.cdus.n:
            values[: 2 * STEPS, 0] = np.nan
    found = loss_of(replace(h, read=read))
    assert found.first[0] == 2 and found.last[0] == WEEKS - 1 and found.first[1] == 0
    assert found.ratio[0, 2] == found.low[0, 2] == found.high[0, 2] == 1.0
    assert found.ratio[0, -1] == pytest.approx((1.0 - LOST) ** 0.5, abs=0.035)


def test_the_family_says_what_was_lost_and_gives_the_conductance_of_today() -> None:
    h = of(LOST, 1)
    rows = list(cdus(seen_of(h, step_s=STEP_S)))
    drifts = {r.element: r for r in rows if isinstance(r, Drift)}
    assert len(drifts) == h.plant.cdus.n
    first = drifts[h.plant.cdus.ids[0]]
    assert first.moved and first.interval[0] < -LOST < first.interval[1] and first.interval[1] < -0.05
    assert (first.since, first.until) == (dt.date(2026, 3, 2), dt.date(2026, 4, 5)) and first.value.size == WEEKS == first.time.size
    factors = {r.element: r for r in rows if isinstance(r, Told) and r.parameter == "ua_factor"}
    assert factors[h.plant.cdus.ids[0]].note.startswith("it moved") and not factors[h.plant.cdus.ids[1]].note
    sensors = {(r.parameter, r.quantity, r.part) for r in rows if isinstance(r, Told) and r.element == h.plant.cdus.ids[0]}
    assert ("bias", "supply_temp_c", "Secondary") in sensors and ("gain", "flow_m3_s", "Primary") in sensors and len(sensors) == 10
    assert all(r.fitted.prior.interval == PRIORS["ua_factor"].interval for r in factors.values())


def test_a_short_window_tells_constants_but_no_change() -> None:
    rows = list(cdus(seen_of(of(0.0, 1), 24, STEP_S)))
    assert not [r for r in rows if isinstance(r, Drift)] and [r for r in rows if isinstance(r, Told)]
