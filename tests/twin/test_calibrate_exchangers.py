"""Conductance, valve flow and sensor errors of CDUs, found again on a plant that hides them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.twin.cooled import Hidden, hidden, share_inside
from topology.axes import Floats
from topology.generate import generate
from topology.plant import plant
from twin.forecast.calibrate.batch import Batch
from twin.forecast.calibrate.cdu_seen import CHANNELS, CduSeen, cdu_seen, steady, thinned
from twin.forecast.calibrate.constants import SENSORS
from twin.forecast.calibrate.exchangers import PARAMETERS, SENSOR_OF, fit_cdus
from twin.solvers.bank import Exchangers, reach_w_k, reaches_w_k
from twin.solvers.jit import plain

METERS = (*CHANNELS.values(), "loop supply temperature", "loop return temperature")


@cache
def of(template: str, seed: int = 0) -> Hidden:
    return hidden(plant(generate(template)), ("ua_factor", "valve_flow_factor"), METERS, seed)


def put_together(h: Hidden, without: tuple[str, ...] = (), power: bool = True) -> CduSeen:
    behind = np.zeros((h.expected.heat.cdu_w.shape[0], h.plant.loops.n))
    np.add.at(behind.T, h.plant.cdus.loop, h.expected.heat.cdu_w.T)
    return cdu_seen(h.plant, {n: v for n, v in h.read.items() if n not in without}, behind if power else None)


def hidden_values(h: Hidden) -> dict[str, Floats]:
    values = {n: h.factor[n] for n in ("ua_factor", "valve_flow_factor")}
    for name, (meter, quantity, _) in SENSOR_OF.items():
        values[name] = (h.gain if (quantity, "gain") in SENSORS else h.bias)[CHANNELS[meter]]
    return values


def told(batch: Batch, name: str) -> np.ndarray:
    return batch.told[:, batch.number(name)]


def test_the_law_over_time_is_the_solvers_own() -> None:
    p = plant(generate("reference"))
    p = replace(p, cdus=replace(p.cdus, fouling_k_w=np.full(p.cdus.n, 1e-6)))
    x = Exchangers(*(plain(getattr(p.cdus, name)) for name in Exchangers._fields))
    own, hot = np.array([12, 3]), np.array([[10.0, 5.0, 0.0], [2.0, np.nan, 1.0]])
    found = reaches_w_k(x, own, hot, hot, np.ones((2, 1)))
    assert found[0, 0] == pytest.approx(reach_w_k(x, 12, 10.0, 10.0), rel=1e-12) and found[0, 2] == 0.0 and np.isnan(found[1, 1])
    scaled = reaches_w_k(x._replace(ua_w_k=x.ua_w_k * 0.8), own, hot, hot, np.ones((2, 1)))
    assert reaches_w_k(x, own, hot, hot, np.full((2, 3), 0.8)) == pytest.approx(scaled, rel=1e-12, nan_ok=True)


def test_hidden_constants_and_sensor_errors_are_in_their_intervals() -> None:
    inside, tells, sure = [], [], []
    for seed in range(3):
        h = of("frontier", seed)
        batch = fit_cdus(h.plant, put_together(h))
        assert batch.settled.all()
        for name, true in hidden_values(h).items():
            k = batch.number(name)
            inside.append(share_inside(batch.low[:, k], batch.high[:, k], true))
            tells.append(batch.told[:, k])
        k = batch.number("ua_factor")
        sure.append((batch.high - batch.low)[:, k])
    hit, known = np.stack(inside), np.stack(tells)
    assert 0.86 <= hit.mean() <= 0.95 and 0.86 <= hit[known].mean() <= 0.95
    assert known[0].all() and known[1].all(), "conductance and valve are told where both sides are metered"
    assert np.mean(sure) < 0.2 * (PARAMETERS[0].interval[1] - PARAMETERS[0].interval[0])


def test_units_that_share_a_loop_are_told_too_and_liquid_to_air_units_keep_their_conductance() -> None:
    h = of("reference")
    batch = fit_cdus(h.plant, put_together(h))
    wet = h.plant.cdus.fws >= 0
    assert (
        told(batch, "ua_factor")[wet].all()
        and not told(batch, "ua_factor")[~wet].any()
        and not told(batch, "valve_flow_factor")[~wet].any()
    )
    inside = [share_inside(batch.low[wet, k], batch.high[wet, k], true[wet]) for k, true in enumerate(hidden_values(h).values())]
    assert np.mean(inside) >= 0.8


@pytest.mark.parametrize("without", list(CHANNELS.values()))
def test_a_meter_that_is_missing_leaves_its_own_errors_open_and_the_rest_standing(without: str) -> None:
    h = of("frontier")
    batch = fit_cdus(h.plant, put_together(h, (without,)))
    gone = next(n for n, (meter, _, _) in SENSOR_OF.items() if CHANNELS[meter] == without)
    assert not told(batch, gone).any()
    for name, true in hidden_values(h).items():
        k = batch.number(name)
        assert share_inside(batch.low[:, k], batch.high[:, k], true).mean() >= 0.6, name
    assert told(batch, "ua_factor").mean() > 0.9, "others stand in for it"


def test_without_a_facility_side_neither_conductance_nor_valve_is_told() -> None:
    h = of("frontier")
    primary = tuple(v for k, v in CHANNELS.items() if k.startswith("cold") or k == "valve_frac")
    batch = fit_cdus(h.plant, put_together(h, (*primary, "loop supply temperature")))
    assert not told(batch, "ua_factor").any() and not told(batch, "valve_flow_factor").any()
    assert told(batch, "return").any() and told(batch, "supply").any(), "the power behind it still tells its own sensors"
    blind = fit_cdus(h.plant, put_together(h, tuple(METERS), power=False))
    assert not blind.told.any() and (blind.value == [p.value for p in PARAMETERS]).all()


def test_power_behind_a_unit_tells_its_flow_meter_and_nothing_does_without() -> None:
    h = of("frontier")
    lone = ("CDU heat", "CDU facility flow", "CDU facility return temperature")
    with_power, without = (fit_cdus(h.plant, put_together(h, lone, power)) for power in (True, False))
    for name in ("supply", "return"):
        assert told(with_power, name).mean() > 0.9 > told(without, name).mean()


def test_gaps_are_passed_over() -> None:
    h = of("frontier")
    rng = np.random.default_rng(5)
    holes = {n: np.where(rng.random(v.shape) < 0.3, np.nan, v) for n, v in h.read.items()}
    batch = fit_cdus(h.plant, put_together(replace(h, read=holes)))
    assert batch.settled.all() and told(batch, "ua_factor").all()
    k = batch.number("ua_factor")
    assert share_inside(batch.low[:, k], batch.high[:, k], h.factor["ua_factor"]).mean() >= 0.75


def test_a_step_between_gaps_is_seen() -> None:
    heat = np.array([[100.0, 100.5, np.nan, np.nan, 160.0, 160.5, 160.2, 160.4, 160.1, 160.3]])
    assert np.flatnonzero(~steady(heat)[0]).tolist() == [1, 4]


def test_a_step_of_heat_and_its_neighbours_do_not_count_as_steady() -> None:
    heat = np.concatenate([np.full(10, 100.0), np.full(10, 160.0)])[None] + np.random.default_rng(1).normal(0.0, 0.5, (1, 20))
    assert np.flatnonzero(~steady(heat)[0]).tolist() == [9, 10]
    assert steady(np.full((1, 5), np.nan)).all()


def test_long_series_become_means_of_neighbours() -> None:
    values = np.arange(2100.0)[:, None]
    assert thinned(values).shape == (700, 1) and thinned(values)[0, 0] == 1.0 and thinned(values[:1300]) is not None
    assert thinned(values[:1300]).shape == (1300, 1)
