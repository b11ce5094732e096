"""Power from energy counters: wraps go on, restarts are gaps, and no step is ever negative or enormous."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.counters import WRAPS_J, step_power_w
from telemetry.frames import counter_power
from telemetry.ingest import ingest
from telemetry.store import Store
from tests.telemetry.small import NOW, START, times, write
from topology.site import Site

EDGES = np.arange(0.0, 601.0, 60.0)


def counter(power_w: np.ndarray, start_j: float, step_s: float = 10.0) -> np.ndarray:
    return np.asarray(start_j + np.r_[0.0, np.cumsum(power_w * step_s)])


@pytest.mark.parametrize("wrap_j", [w for w in WRAPS_J if w < 2.0**50])  # a double holds the rest to kilojoules
def test_a_counter_that_runs_over_goes_on(wrap_j: float) -> None:
    power = np.linspace(500.0, 700.0, 60)
    plain = counter(power, 0.0)
    start = wrap_j - (plain[31] + plain[30]) / 2  # between two readings, in mid window
    wrapped = (plain + start) % wrap_j
    assert (np.diff(wrapped) < 0).sum() == max(1, round(plain[-1] / wrap_j))
    time_s = np.arange(61) * 10.0
    assert step_power_w(time_s, wrapped, EDGES) == pytest.approx(step_power_w(time_s, plain, EDGES), rel=1e-6)


def test_sixty_four_bits_of_millijoules_keep_their_watts_to_a_double() -> None:
    wrap_j = 2.0**64 * 1e-3
    plain = counter(np.full(60, 700.0), 0.0)
    wrapped = (plain + (wrap_j - 105_000.0)) % wrap_j
    found = step_power_w(np.arange(61) * 10.0, wrapped, EDGES)
    assert found == pytest.approx(700.0, abs=2 * np.spacing(wrap_j) / 60)


@pytest.mark.parametrize("before_j", [1e5, 2.0**31 * 1e-3, 9e12])
def test_a_restart_is_a_gap_of_its_own_step_alone(before_j: float) -> None:
    power = np.full(60, 650.0)
    energy = counter(power, before_j)
    energy[33:] -= energy[33] - 120.0  # at 330 s: counts from boot
    found = step_power_w(np.arange(61) * 10.0, energy, EDGES)
    assert np.flatnonzero(np.isnan(found)).tolist() == [5]
    assert found[~np.isnan(found)] == pytest.approx(650.0, rel=1e-3)


def test_two_falls_side_by_side_are_restarts() -> None:
    energy = np.array([4e6, 3e6, 1e3, 7e3, 13e3])
    found = step_power_w(np.arange(5) * 10.0, energy, np.array([0.0, 20.0, 40.0]))
    assert np.isnan(found[0]) and found[1] == pytest.approx(600.0)


@given(st.lists(st.floats(0.0, 5e6), min_size=3, max_size=30), st.integers(0, 29))
def test_whatever_a_counter_does_no_step_is_negative(energy: list[float], restart: int) -> None:
    found = step_power_w(np.arange(len(energy)) * 10.0, np.array(energy), np.arange(0.0, 10.0 * len(energy), 20.0))
    assert not (found < 0).any()


@pytest.mark.parametrize(
    ("column", "counts_j"),
    [("EnergykWh", 3.6e6), ("EnergyJoules", 1.0)],
)
def test_a_restart_in_a_recorded_file_costs_one_step(site: Site, tmp_path: Path, column: str, counts_j: float) -> None:
    energy = counter(np.full(60, 90e3), 5e9, 60.0)
    energy[30:] -= energy[30]
    at = times(61)
    file = write(tmp_path / "e.parquet", {"Timestamp": at, "PDU": ["pdu-a"] * 61, column: energy / counts_j})
    ingest(site, file, tmp_path / "s", clock=lambda: NOW)
    found = counter_power(Store.open(tmp_path / "s"), ("pdu-a",), START, START + dt.timedelta(hours=1), 300.0)
    power = found.values[:, 0]
    assert np.flatnonzero(np.isnan(power)).tolist() == [5]
    assert power[~np.isnan(power)] == pytest.approx(90e3, rel=1e-6)


def test_an_unsigned_counter_of_64_bits_is_read_whole(site: Site, tmp_path: Path) -> None:
    top = np.array([2**64 - 3, 2**63 + 1], np.uint64)
    file = write(
        tmp_path / "d.parquet",
        {"timestamp": times(2), "Hostname": ["r1-n1"] * 2, "gpu": [0, 0], "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": pa.array(top)},
    )
    report = ingest(site, file, tmp_path / "s", clock=lambda: NOW)
    assert report.rows_quarantined == 0
    table = Store.open(tmp_path / "s").read(quantities=["energy_j"], columns=["time", "value"]).sort_by("time")
    assert table["value"].to_pylist() == pytest.approx([2.0**64 * 1e-3, 2.0**63 * 1e-3], rel=1e-15)
