"""Sharing out the power of a rack to devices that report none: sums, order, and an uncertainty that means what it says."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.devices import SPREAD_KNOWN, device_power, share_out
from telemetry.ingest import ingest
from telemetry.store import Store
from tests.telemetry.small import NOW, START, small_site, times, write
from topology.models import Part

GPU = Part(name="gpu", group="gpu", count=8, max_w=1000.0, idle_w=150.0)


@given(st.lists(st.floats(0.0, 1.0), min_size=8, max_size=64), st.floats(1e2, 1e5))
def test_shares_sum_to_what_all_draw_and_rise_with_utilisation(busy: list[float], together_w: float) -> None:
    used = np.array(busy)
    power, sigma = share_out(together_w, 0.02 * together_w, used, GPU)
    assert power.sum() == pytest.approx(together_w)
    assert (np.diff(power[np.argsort(used)]) >= -1e-9).all() and (sigma > 0.0).all()


def test_devices_that_say_nothing_keep_their_share() -> None:
    power, sigma = share_out(4000.0, 0.0, np.array([1.0, 1.0]), GPU)
    assert power.tolist() == pytest.approx([500.0, 500.0])
    known, all_known = sigma[0], share_out(4000.0, 0.0, np.ones(8), GPU)[1][0]
    assert known > all_known
    equal, wide = share_out(4000.0, 0.0, np.full(8, np.nan), GPU)
    assert equal.tolist() == pytest.approx([500.0] * 8) and (wide > all_known).all()


def test_the_uncertainty_is_that_of_many_draws() -> None:
    """Devices whose load factors differ from the law at random: the errors of a split have the standard deviation that is said."""
    dice = np.random.default_rng(3)
    used = np.linspace(0.2, 0.9, 8)
    law = GPU.idle_w + (GPU.max_w - GPU.idle_w) * used
    errors = []
    for _ in range(4000):
        true = law + dice.normal(0.0, SPREAD_KNOWN, 8) * GPU.max_w
        errors.append(share_out(float(true.sum()), 0.0, used, GPU)[0] - true)
    said = share_out(float(law.sum()), 0.0, used, GPU)[1]
    assert np.std(errors, axis=0) == pytest.approx(said, rel=0.05)


def test_cores_of_a_chip_and_their_own_power(tmp_path: Path) -> None:
    columns = {
        "timestamp": times(1).take([0] * 16), "instance_name": ["r1-n1"] * 16, "neuroncore": [str(k) for k in range(16)],
        "neuroncore_utilization_ratio": np.linspace(0.0, 1.0, 16),
    }  # fmt: skip
    ingest(small_site(), write(tmp_path / "n.parquet", columns), tmp_path / "s", clock=lambda: NOW)
    store = Store.open(tmp_path / "s")
    found = device_power(store, "r1", GPU, 6000.0, 60.0, START, START + dt.timedelta(minutes=1))
    assert (found.basis, set(found.origin), len(found.devices)) == ("utilisation", {"inferred"}, 16)
    assert found.power_w.sum() == pytest.approx(6000.0)
    assert found.devices[int(found.power_w.argmax())] == "n1-nc15"
    assert device_power(store, "r2", GPU, 800.0, 0.0, START, START + dt.timedelta(minutes=1)).basis == "equal"
    reported = {"timestamp": times(1), "Hostname": ["r2-n1"], "gpu": [0], "DCGM_FI_DEV_POWER_USAGE": [431.5]}
    ingest(small_site(), write(tmp_path / "d.parquet", reported), tmp_path / "s", clock=lambda: NOW)
    own = device_power(Store.open(tmp_path / "s"), "r2", GPU, 6000.0, 60.0, START, START + dt.timedelta(minutes=1))
    assert (own.basis, own.origin, own.power_w.tolist()) == ("device", ("measured",), [431.5])
    assert own.sigma_w[0] == pytest.approx(431.5 * 0.01 / np.sqrt(3.0))
