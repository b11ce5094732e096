"""The pod: laws in the limits where the answer is known, and a fit that finds a hidden pod."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from topology.axes import Floats
from topology.errors import UsageError
from twin.forecast.calibrate import score
from twin.forecast.pod import PodInput, PodMeasured, fit_pod, rack_mean
from twin.solvers.pod import AIR_J_KG_K, PodDrive, PodLaw, PodRun, run_pod

LAW = PodLaw(
    gain=1.05, other_w=2e3, server_kg_s=1.2, cooler_kg_s=1.5, server_lag_s=240.0, air_lag_s=50.0, wall_w_k=500.0, wall_lag_s=1500.0,
    supply_c=17.0, meter_lag_s=90.0, leak_w_k=40.0, around=0.08, coil_ntu=3.0, water_c=10.0, start_w=0.0, wall_start_k=0.0,
)  # fmt: skip
STEP_S = 30.0


def drive(power: Floats, racks: int = 3) -> PodDrive:
    share = np.arange(1.0, racks + 1.0) / np.arange(1.0, racks + 1.0).sum()
    ones = np.ones((power.size, racks))
    return PodDrive(power[:, None] * share, share, ones, np.ones(power.size), np.full(power.size, 22.0))


def test_settled_heat_is_what_goes_in_less_what_leaks() -> None:
    run = run_pod(LAW, drive(np.full(2000, 12e3)), STEP_S)
    assert run.heat_w[-1] == pytest.approx(1.05 * 12e3 + 2e3 - 40.0 * (run.hot_c[-1] - 22.0), rel=1e-6)
    assert run.heat_w[0] == pytest.approx(run.heat_w[-1], rel=1e-5), "it starts settled"
    rise = run.outlet_c[-1] - run.inlet_c[-1]
    assert rise == pytest.approx(1.05 * 12e3 / (1.2 * AIR_J_KG_K), rel=1e-5)


def test_heat_taken_and_kept_is_heat_given() -> None:
    """Over a step of load and back, what came late is what was kept: nothing is made or lost."""
    power = np.full(40_000, 8e3)
    power[100:500] = 20e3
    law = LAW._replace(leak_w_k=0.0)
    run = run_pod(law, drive(power), STEP_S)
    given = (law.gain * power + law.other_w).sum()
    assert run.heat_w.sum() == pytest.approx(given, rel=2e-4)
    assert run.heat_w[120] < 0.9 * (law.gain * 20e3 + law.other_w)


def test_air_that_servers_draw_beyond_the_coolers_comes_round() -> None:
    run = run_pod(LAW._replace(cooler_kg_s=0.9, around=0.0), drive(np.full(500, 12e3)), STEP_S)
    share = (run.inlet_c[-1] - run.cold_c[-1]) / (run.hot_c[-1] - run.cold_c[-1])
    assert share == pytest.approx(1.0 - 0.9 / 1.2, rel=1e-6)


def test_a_coil_that_is_too_small_lets_its_supply_rise() -> None:
    run = run_pod(LAW._replace(coil_ntu=0.8), drive(np.full(500, 20e3)), STEP_S)
    eps = 1.0 - np.exp(-0.8)
    assert run.supply_c[-1] > LAW.supply_c
    assert run.supply_c[-1] == pytest.approx(10.0 + (1.0 - eps) * (run.hot_c[-1] - 10.0), abs=1e-6)
    assert run_pod(LAW, drive(np.full(5, 20e3)), STEP_S).supply_c[-1] == LAW.supply_c


def test_half_the_step_gives_half_the_error() -> None:
    power = np.where(np.arange(960) < 100, 8e3, 18e3)
    ends = [run_pod(LAW, drive(np.repeat(power[::8], n)), 240.0 / n).heat_w[20 * n - 1] for n in (1, 2, 4, 64)]
    errors = [abs(e - ends[-1]) for e in ends[:3]]
    assert 1.6 < errors[0] / errors[1] < 2.6 and 1.6 < errors[1] / errors[2] < 2.6


def test_a_pod_may_begin_away_from_what_its_power_says() -> None:
    run = run_pod(LAW._replace(start_w=9e3), drive(np.full(3000, 20e3)), STEP_S)
    assert run.heat_w[0] < 11e3 and run.heat_w[-1] > 20e3


def recording(steps: int = 960, seed: int = 0) -> tuple[PodInput, PodMeasured, PodRun]:
    """A hidden pod with loads that step, sensors with bias and noise."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.uniform(6e3, 20e3, steps // 80), 80)
    signal = 40.0 + 5.0 * np.sin(np.arange(steps) / 50.0)
    inputs = PodInput(
        STEP_S, level[:, None] * np.full(3, 1 / 3), np.full(3, 10.0), np.full((steps, 3), 2000.0), signal, np.full(steps, 22.0)
    )
    half = steps // 2
    hidden = PodDrive(inputs.rack_w, np.full(3, 1 / 3), np.ones((steps, 3)), signal / signal[:half].mean(), inputs.room_c)
    run = run_pod(LAW._replace(water_c=11.0), hidden, STEP_S)
    noise = rng.normal(size=(steps, 8))
    measured = PodMeasured(
        run.heat_w + 200.0 * noise[:, 0], run.outlet_c + 2.0 + 0.2 * noise[:, 1:4], run.inlet_c + 1.0 + 0.1 * noise[:, 4],
        run.hot_c + 0.1 * noise[:, 5], run.supply_c + 0.1 * noise[:, 6], {"shelf": 0.7 * run.cold_c + 0.3 * run.hot_c + 0.1 * noise[:, 7]},
    )  # fmt: skip
    return inputs, measured, run


def test_a_hidden_pod_is_found_and_its_second_half_predicted() -> None:
    inputs, measured, truth = recording()
    fit = fit_pod(inputs, measured, 480)
    later = np.arange(960) >= 480
    heat = score(fit.heat_w, truth.heat_w, later)
    assert heat.cv_rmse_frac < 0.01 and abs(heat.nmbe_frac) < 0.005
    assert score(rack_mean(fit.outlet_c, inputs.servers), truth.outlet_c.mean(axis=1) + 2.0, later).rmse < 0.1
    assert fit.warmth["shelf"] == pytest.approx(0.3, abs=0.02)
    fitted = fit.calibration.fitted
    told = {n: f for n, f in fitted.items() if f.identifiable}
    inside = [n for n, f in told.items() if n != "start_w" and f.interval[0] <= getattr(LAW, n) <= f.interval[1]]
    assert len(told) >= 8 and len(inside) >= len(told) - 3, (sorted(told), sorted(inside))
    assert not fitted["coil_ntu"].identifiable and fitted["coil_ntu"].value == fitted["coil_ntu"].prior.value


def test_the_part_that_tests_is_not_looked_at() -> None:
    inputs, measured, _ = recording()
    other = replace(
        measured,
        **{
            n: np.where(np.arange(960) < 480, getattr(measured, n).T, -1e3).T
            for n in ("heat_w", "outlet_c", "inlet_c", "return_c", "supply_c")
        },
        local_c={n: np.where(np.arange(960) < 480, v, 99.0) for n, v in measured.local_c.items()},
    )
    one, two = fit_pod(inputs, measured, 480), fit_pod(inputs, other, 480)
    assert one.calibration.values == two.calibration.values
    assert (
        (one.heat_w == two.heat_w).all() and (one.outlet_c == two.outlet_c).all() and (one.local_c["shelf"] == two.local_c["shelf"]).all()
    )


def test_a_load_that_never_moves_leaves_the_masses_at_their_priors() -> None:
    inputs, _, _ = recording()
    flat = replace(inputs, rack_w=np.full((960, 3), 4e3), signal=np.full(960, 40.0))
    hidden = PodDrive(flat.rack_w, np.full(3, 1 / 3), np.ones((960, 3)), np.ones(960), flat.room_c)
    run = run_pod(LAW, hidden, STEP_S)
    rng = np.random.default_rng(0)
    nothing = np.full(960, np.nan)
    fit = fit_pod(flat, PodMeasured(run.heat_w + rng.normal(0, 200.0, 960), np.full((960, 3), np.nan), nothing, nothing, nothing), 480)
    for name in ("server_lag_s", "air_lag_s", "wall_lag_s", "meter_lag_s", "leak_w_k"):
        f = fit.calibration.fitted[name]
        assert not f.identifiable and f.value == f.prior.value, name
    assert score(fit.heat_w, run.heat_w, np.arange(960) >= 480).cv_rmse_frac < 0.01


def test_racks_without_power_are_refused() -> None:
    inputs, measured, _ = recording()
    with pytest.raises(UsageError, match="no power"):
        fit_pod(replace(inputs, rack_w=np.zeros((960, 3))), measured, 480)
