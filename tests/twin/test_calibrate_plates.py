"""Cold plates, branches and temperature sensors of racks, found again where they are hidden, and what SKUs have in common."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.twin.cooled import Hidden, hidden, seen_of, share_inside
from topology.axes import Floats
from topology.generate import generate
from topology.plant import plant
from twin.forecast.calibrate.batch import Batch, calibrate_many
from twin.forecast.calibrate.plate_model import PARAMETERS, PlateModel, fit_plates, metered_racks, plate_model, rack_loads, without_noise
from twin.forecast.calibrate.plates import plates, population
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.told import Told

METERS = ("chip temperature", "chip power", "loop supply temperature", "rack flow", "rack inlet air")


@cache
def of(template: str, seed: int = 0) -> Hidden:
    return hidden(plant(generate(template)), ("plate_factor", "branch_factor"), METERS, seed)


def put_together(h: Hidden, *without: str) -> Seen:
    return seen_of(replace(h, read={n: v for n, v in h.read.items() if n not in without}))


def model_of(what: Seen) -> PlateModel:
    return plate_model(what, metered_racks(what), rack_loads(what))


def values(h: Hidden, model: PlateModel) -> dict[str, Floats]:
    found = {n: h.factor[n][model.rack] for n in ("plate_factor", "branch_factor")}
    return found | {"bias": h.bias["chip temperature"][model.rack], "flow gain": h.gain["rack flow"][model.rack]}


def inside(h: Hidden, model: PlateModel, batch: Batch) -> Floats:
    return np.stack([share_inside(batch.low[:, batch.number(n)], batch.high[:, batch.number(n)], v) for n, v in values(h, model).items()])


@pytest.mark.parametrize("template", ["frontier", "reference"])
def test_hidden_plates_branches_and_sensors_are_in_their_intervals(template: str) -> None:
    h = of(template)
    model = model_of(put_together(h))
    batch = fit_plates(model)
    assert batch.settled.all()
    hit = [inside(h, model, batch).mean()]
    for seed in (1, 2):
        more = model_of(put_together(of(template, seed)))
        hit.append(inside(of(template, seed), more, fit_plates(more)).mean())
    assert 0.86 <= np.mean(hit) <= 0.94
    warm = np.isfinite(model.chip_c).any(axis=1)
    assert batch.told[warm, 0].all() and batch.told[warm, batch.number("bias")].mean() > 0.9
    wet = (model.flow_kg_s > 0.0).all(axis=1)
    assert batch.told[wet, 1].all() and not batch.told[~wet, 1].any(), "a rack's flow meter tells its branch; there is none without liquid"
    width = (batch.high - batch.low)[warm, 0]
    assert width.mean() < 0.15 * (PARAMETERS[0].interval[1] - PARAMETERS[0].interval[0])


def test_without_a_flow_meter_no_branch_is_told_and_the_plate_owes_to_it() -> None:
    h = of("frontier")
    batch, metered = (fit_plates(model_of(put_together(h, *w))) for w in (("rack flow",), ()))
    assert not batch.told[:, 1].any() and batch.told[:, 0].all()
    assert (batch.high - batch.low)[:, 0].mean() > 1.02 * (metered.high - metered.low)[:, 0].mean()


def test_chips_in_air_are_told_against_inlet_air() -> None:
    h = of("reference")
    model = model_of(put_together(h))
    dry = h.plant.racks.r_air_k_w[model.rack] > 0.0
    batch = fit_plates(model)
    assert dry.any() and batch.told[dry, 0].all()
    assert share_inside(batch.low[dry, 0], batch.high[dry, 0], h.factor["plate_factor"][model.rack][dry]).mean() >= 0.7
    blind = fit_plates(model_of(put_together(h, "rack inlet air")))
    k = batch.number("bias")
    assert (blind.covariance[:, k, k][dry] > batch.covariance[:, k, k][dry]).mean() > 0.9


def test_one_power_tells_resistance_and_bias_as_one_number() -> None:
    """At one power only their sum is seen: the plate takes it, and its interval holds what the bias may be."""
    rng = np.random.default_rng(1)
    n, t = 300, 100
    true = np.exp(PARAMETERS[0].deviation * rng.standard_normal(n))[:, None]
    bias = PARAMETERS[2].deviation * rng.standard_normal((n, 1))
    one = np.ones((n, t))
    zero = np.zeros((n, 1))
    flat = PlateModel(
        np.arange(n), zero + 0.02, 0.0 * one, zero, 0.0 * one, 0.0 * one, one, np.nan * one, 30.0 * one, zero, 100.0 * one, zero,
        30.0 + bias + 2.0 * true + rng.normal(0.0, 0.05, (n, t)),
    )  # fmt: skip
    batch = fit_plates(flat)
    assert (batch.told[:, [0, 2]].sum(axis=1) == 1).all()
    for k, v in ((0, true), (2, bias)):
        assert 0.85 <= share_inside(batch.low[:, k], batch.high[:, k], v[:, 0]).mean() <= 0.95


def test_noise_of_the_power_meter_does_not_flatten_the_slope() -> None:
    rng = np.random.default_rng(2)
    power = 500.0 + 60.0 * np.sin(np.arange(400) / 30.0) + np.zeros((3, 1))
    read = power + rng.normal(0.0, 40.0, power.shape)
    clean = without_noise(read, 8.0 * power + rng.normal(0.0, 30.0, power.shape))
    assert (clean - power).std() < 8.0
    alone = without_noise(read, np.zeros_like(power))
    assert (alone - power).std() < 25.0 < 38.0 < (read - power).std()
    assert np.isnan(without_noise(np.full((1, 8), np.nan), np.ones((1, 8)))).all()


def test_derivatives_are_those_of_the_residuals() -> None:
    h = of("reference")
    model = model_of(put_together(h))
    given = fit_plates(model)
    numeric = calibrate_many(model.residuals, PARAMETERS, model.rack.size)
    assert given.value == pytest.approx(numeric.value, rel=2e-3, abs=2e-3) and np.array_equal(given.told, numeric.told)


def test_racks_are_drawn_to_the_middle_of_their_sku_as_far_as_their_own_data_are_weak() -> None:
    rng = np.random.default_rng(3)
    sku = np.repeat([0, 1], 100)
    true = np.where(sku == 0, 0.8, -0.5) + 0.3 * rng.standard_normal(200)
    error = np.where(np.arange(200) % 2, 0.1, 0.6)
    own = error**-2.0 - 1.0
    z = (own * (true + rng.standard_normal(200) * own**-0.5)) / (own + 1.0)
    of_sku, mean, deviation = population(z, error, sku, 3)
    assert of_sku.middle[:2] == pytest.approx([0.8, -0.5], abs=0.12) and of_sku.racks.tolist() == [100, 100, 0]
    assert of_sku.spread[:2] == pytest.approx(0.35, abs=0.1) and (of_sku.middle[2], of_sku.spread[2]) == (0.0, 1.0)
    weak = error > 0.5
    assert np.abs(mean - true)[weak].mean() < 0.75 * np.abs(z - true)[weak].mean()
    assert np.abs(mean - z)[~weak].max() < 0.1
    assert 0.84 <= (np.abs(mean - true) <= 1.645 * deviation).mean() <= 0.96


def test_a_rack_without_meters_gets_the_middle_of_its_sku() -> None:
    h = of("frontier")
    alike = hidden(h.plant, (), METERS, 0, steps=192)  # every plate as in the catalog
    read = {n: v.copy() for n, v in alike.read.items()}
    read["chip temperature"][:, 5] = np.nan
    read["rack flow"][:, 5] = np.nan
    rows = {(r.element, r.parameter): r for r in plates(seen_of(replace(alike, read=read))) if isinstance(r, Told)}
    ids = h.plant.racks.ids
    told = rows[ids[5], "plate_factor"]
    assert told.samples == 0 and "racks of cray-ex" in told.note
    assert (ids[5], "bias") not in rows and rows[ids[6], "bias"].quantity == "temp_c"
    low, high = told.fitted.interval
    assert 0.9 < low < 1.0 < high < 1.1 and told.fitted.value == pytest.approx(1.0, abs=0.03)
    spread = {r.element for r in plates(put_together(h)) if isinstance(r, Told) and r.samples == 0}
    assert not spread, "racks that differ as much as the prior says tell nothing of one another"


def test_very_many_racks_are_array_operations() -> None:
    rng = np.random.default_rng(4)
    n, t = 10_000, 96
    power = 500.0 + 200.0 * np.sin(np.arange(t) / 9.0) + np.zeros((n, 1))
    one, zero = np.ones((n, t)), np.zeros((n, 1))
    true = np.exp(PARAMETERS[0].deviation * rng.standard_normal((n, 1)))
    many = PlateModel(
        np.arange(n), zero + 0.02, 0.01 * one, zero + 0.5, 0.001 * one, zero * one, one, np.nan * one, 30.0 * one, zero + 0.24, power,
        zero + 0.006, 30.0 + power * (true * 0.03 + 0.001) + rng.normal(0.0, 0.3, (n, t)),
    )  # fmt: skip
    start = time.process_time()
    batch = fit_plates(many)
    assert time.process_time() - start < 20.0 and batch.settled.all() and batch.told[:, 0].all()
