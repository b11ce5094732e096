"""A cluster's power from its jobs: known curves come back, what is not told keeps its prior, and nothing looks ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from topology.axes import Floats
from topology.errors import UsageError
from twin.forecast.cluster import Cluster, fit_cluster, follow_cluster, local_level, means

CORE_W, EXPONENT, BASE_W = 8.0, 0.6, 5000.0
STEPS = 30 * 60
SPLIT = 15 * 60


def cluster(seed: int = 0, wander_w: float = 0.0, scale: float = 1.0) -> Cluster:
    """Thirty hours in steps of a minute; jobs change every 25 minutes; 2,000 demand a core draws ``CORE_W``."""
    rng = np.random.default_rng(seed)
    spell = np.arange(STEPS) // 25
    cores = rng.integers(300, 900, spell[-1] + 1)[spell].astype(float)
    each = rng.uniform(800.0, 2600.0, spell[-1] + 1)[spell]
    base = BASE_W + np.cumsum(rng.normal(0.0, wander_w, STEPS))
    power = base + CORE_W * cores * (each / 2000.0) ** EXPONENT + rng.normal(0.0, 30.0, STEPS)
    return Cluster(scale * power, each * cores, cores, 60.0)


def test_a_known_curve_and_base_come_back() -> None:
    c = cluster()
    fit = fit_cluster(c, SPLIT)
    exponent = fit.calibration.fitted["exponent"]
    assert exponent.identifiable and exponent.interval[0] <= EXPONENT <= exponent.interval[1]
    usual = c.per_core(SPLIT)
    assert fit.calibration.values["core_w"] == pytest.approx(CORE_W * (usual / 2000.0) ** EXPONENT, rel=0.05)
    assert fit.base_w == pytest.approx(BASE_W, rel=0.06)
    assert np.abs(fit.predicted_w[SPLIT:] / c.power_w[SPLIT:] - 1.0).mean() < 0.02


def test_a_base_that_stepped_early_is_taken_where_it_was_last() -> None:
    c = cluster()
    stepped = replace(c, power_w=c.power_w + np.where(np.arange(STEPS) < 300, 3000.0, 0.0))
    later = fit_cluster(stepped, SPLIT).predicted_w[SPLIT:]
    assert later.mean() == pytest.approx(c.power_w[SPLIT:].mean(), rel=0.03)


def test_jobs_that_never_change_leave_the_priors() -> None:
    c = cluster()
    steady = replace(c, cores=np.full(STEPS, 500.0), demand=np.full(STEPS, 8e5), power_w=np.full(STEPS, 9000.0))
    fit = fit_cluster(steady, SPLIT)
    assert not any(f.identifiable for f in fit.calibration.fitted.values())
    assert fit.predicted_w == pytest.approx(np.full(STEPS, 9000.0), rel=1e-6)


def test_any_unit_of_power_and_demand_gives_the_same_shape() -> None:
    one, other = fit_cluster(cluster(), SPLIT), fit_cluster(cluster(scale=1e-3), SPLIT)
    assert other.predicted_w == pytest.approx(1e-3 * one.predicted_w, rel=1e-6)


@pytest.mark.parametrize("wander_w", [0.0, 20.0])
def test_nothing_looks_ahead(wander_w: float) -> None:
    """Power after a moment changes no prediction made before it."""
    c = cluster(wander_w=wander_w)
    later = replace(c, power_w=np.where(np.arange(STEPS) < SPLIT, c.power_w, 3.0 * c.power_w + 777.0))
    assert np.array_equal(fit_cluster(c, SPLIT).predicted_w, fit_cluster(later, SPLIT).predicted_w)
    one, two = follow_cluster(c).predicted_w, follow_cluster(later).predicted_w
    ahead = SPLIT + 60
    assert np.array_equal(one[60:ahead], two[60:ahead])
    assert not np.array_equal(one[ahead:], two[ahead:])


def test_following_keeps_up_with_a_base_that_wanders() -> None:
    c = cluster(wander_w=25.0)
    followed = follow_cluster(c)
    apart = np.abs(followed.predicted_w / c.power_w - 1.0)[SPLIT:]
    held = np.abs(fit_cluster(c, SPLIT).predicted_w / c.power_w - 1.0)[SPLIT:]
    assert np.isnan(followed.predicted_w[:60]).all() and np.isfinite(followed.predicted_w[60:]).all()
    assert apart.mean() < held.mean()
    assert apart.mean() < 0.05
    assert np.isnan(followed.memory_h[0]) and followed.memory_h[-1] < 1000.0


def test_gaps_and_idle_hours_are_borne() -> None:
    c = cluster()
    power: Floats = c.power_w.copy()
    power[200:420] = np.nan
    idle = np.arange(STEPS) >= STEPS - 100
    holed = replace(c, power_w=power, cores=np.where(idle, 0.0, c.cores), demand=np.where(idle, 0.0, c.demand))
    followed, fit = follow_cluster(holed), fit_cluster(holed, SPLIT)
    assert np.isfinite(followed.predicted_w[60:]).all()
    assert fit.predicted_w[-1] == pytest.approx(fit.base_w)


def test_a_cluster_that_is_too_short_or_never_busy_is_refused() -> None:
    c = cluster()
    with pytest.raises(UsageError, match="too short"):
        fit_cluster(c, 60)
    with pytest.raises(UsageError, match="no core is busy"):
        fit_cluster(replace(c, cores=np.zeros(STEPS)), SPLIT)
    assert np.isnan(follow_cluster(replace(c, cores=np.zeros(STEPS))).predicted_w).all()


def test_a_local_level_trusts_a_walk_more_than_noise() -> None:
    rng = np.random.default_rng(4)
    noise = 100.0 + rng.normal(0.0, 5.0, 200)
    walk = 100.0 + np.cumsum(rng.normal(0.0, 5.0, 200))
    assert local_level(noise)[0] == pytest.approx(100.0, abs=3.0)
    assert local_level(walk)[0] == pytest.approx(walk[-1], abs=3.0)
    assert local_level(np.r_[walk, np.nan])[0] == pytest.approx(local_level(walk)[0])
    with pytest.raises(UsageError, match="1 readings"):
        local_level(np.array([np.nan, 1.0]))


def test_means_leave_out_what_was_not_read() -> None:
    assert means(np.array([1.0, np.nan, np.nan, np.nan, 3.0, 5.0]), 2) == pytest.approx([1.0, np.nan, 4.0], nan_ok=True)
