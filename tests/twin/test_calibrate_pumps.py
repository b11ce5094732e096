"""Head, fall of head and efficiency of pumps inside CDUs, found again where they are hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.twin.cooled import Hidden, hidden, seen_of, share_inside
from topology.axes import Floats
from topology.generate import generate
from topology.plant import plant
from twin.forecast.calibrate.batch import Batch
from twin.forecast.calibrate.pumps import PARAMETERS, PumpModel, fit_pumps, pump_model, pumps
from twin.forecast.calibrate.told import Told

CONSTANTS = ("shutoff_factor", "curve_factor", "efficiency_factor")
METERS = ("CDU flow", "CDU pressure", "CDU pump speed", "CDU power")


@pytest.fixture(scope="module")
def reference() -> Hidden:
    return hidden(plant(generate("reference")), CONSTANTS, METERS, 3, steps=192)


def values(h: Hidden, model: PumpModel) -> dict[str, Floats]:
    unit = h.plant.pumps.cdu[model.pump]
    of = {n: h.factor[n][model.pump] for n in CONSTANTS}
    return of | {n: h.gain[c][unit] for n, c in (("flow", "CDU flow"), ("dp", "CDU pressure"), ("power", "CDU power"))}


def share(h: Hidden, model: PumpModel, batch: Batch) -> float:
    return float(
        np.mean([share_inside(batch.low[:, batch.number(n)], batch.high[:, batch.number(n)], v) for n, v in values(h, model).items()])
    )


def test_hidden_constants_are_in_their_intervals_and_one_point_tells_one_combination(reference: Hidden) -> None:
    model = pump_model(reference.plant, reference.read)
    batch = fit_pumps(model)
    assert model.pump.size == 21 and batch.settled.all() and 0.84 <= share(reference, model, batch) <= 0.96
    assert (batch.told[:, :2].sum(axis=1) == 1).all(), "pumps that hold a pressure run at one point: head or its fall, not both"
    fans = (reference.plant.cdus.fan_w > 0.0)[reference.plant.pumps.cdu[model.pump]]
    assert not batch.told[fans, 2].any() and batch.told[~fans, 2].all(), "power of fans and pumps is one meter"


def ranging(spread: float) -> tuple[PumpModel, Floats]:
    """Pumps at many speeds and flows, or at hardly more than one."""
    rng = np.random.default_rng(8)
    n, t = 40, 300
    true = np.stack([p.value * np.exp(p.deviation * rng.standard_normal(n)) if p.log else p.value + p.deviation * rng.standard_normal(n)
                     for p in PARAMETERS], axis=1)  # fmt: skip
    speed = 0.8 + spread * np.sin(np.arange(t) / 40.0) + np.zeros((n, 1))
    flow = 20.0 * (0.8 + spread * np.cos(np.arange(t) / 23.0)) + np.zeros((n, 1))

    def column(v: float) -> Floats:
        return np.full((n, 1), v)

    empty = np.full((n, t), 0.0)
    ideal = PumpModel(
        np.arange(n), column(400e3), column(150.0), column(50.0), column(np.nan), column(0.6), column(1000.0), column(200.0),
        flow, empty, speed, empty,
    )  # fmt: skip
    head = true[:, :1] * 400e3 * speed**2 - true[:, 1:2] * 150.0 * flow**2
    power = head / 1000.0 * flow / (0.6 * true[:, 2:3]) + 200.0
    noise = 1.0 + 0.003 * rng.standard_normal((3, n, t))
    read = replace(
        ideal, flow_kg_s=flow * true[:, 3:4] * noise[0], dp_pa=(head - 50.0 * flow**2) * true[:, 4:5] * noise[1],
        power_w=power * true[:, 5:6] * noise[2],
    )  # fmt: skip
    return read, true


def test_a_pump_that_ranges_tells_head_and_fall_apart_and_one_that_does_not_does_not() -> None:
    model, true = ranging(0.15)
    batch = fit_pumps(model)
    assert batch.told[:, :3].all()
    assert 0.84 <= np.mean([share_inside(batch.low[:, k], batch.high[:, k], true[:, k]) for k in range(6)]) <= 0.96
    still, true = ranging(1e-4)
    batch = fit_pumps(still)
    assert (batch.told[:, :2].sum(axis=1) <= 1).all()
    assert 0.84 <= np.mean([share_inside(batch.low[:, k], batch.high[:, k], true[:, k]) for k in range(6)]) <= 0.96


def test_without_a_pressure_meter_the_curve_keeps_its_prior(reference: Hidden) -> None:
    model = pump_model(reference.plant, {n: v for n, v in reference.read.items() if n != "CDU pressure"})
    batch = fit_pumps(model)
    assert not batch.told[:, batch.number("dp")].any()
    told = {r.parameter for r in pumps(seen_of(replace(reference, read={"CDU flow": reference.read["CDU flow"]}))) if isinstance(r, Told)}
    assert not told, "a flow alone says nothing of a pump"


def test_rows_name_pumps_and_meters_of_their_unit(reference: Hidden) -> None:
    rows = [r for r in pumps(seen_of(reference)) if isinstance(r, Told)]
    by = {(r.element, r.parameter, r.quantity, r.part) for r in rows}
    unit = reference.plant.cdus.ids[-1]
    assert {(f"{unit}/pumps", n, "", "") for n in CONSTANTS} <= by
    assert (unit, "gain", "dp_pa", "Secondary") in by and (unit, "gain", "power_w", "") in by and len(by) == len(rows)


def test_pumps_that_start_one_after_another_are_left_out(reference: Hidden) -> None:
    p = reference.plant
    staged = replace(p, hydraulics=replace(p.hydraulics, on_demand=np.ones(p.loops.n, bool)))
    model = pump_model(staged, reference.read)
    assert (p.pumps.count[model.pump] == 1.0).all() and model.pump.size < 21
