"""A calibration file reaches every command that opens a site."""

from __future__ import annotations

import datetime as dt
import inspect
from pathlib import Path

import numpy as np
import pytest

from dashboards import cli
from dashboards.calibration_answers import sentence
from tests.dashboards.rows import answer, power_file, refused, row_folder
from topology.columns import columns_of
from topology.overlay import Constant, write_overlay
from topology.read import read_site
from twin.forecast.calibrate.told import Drift


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return row_folder(tmp_path_factory.mktemp("calibrated") / "row")


def overlay(folder: Path, **change: object) -> Path:
    write_overlay([Constant(**change)], folder / "calibration.csv")  # type: ignore[arg-type]
    return folder / "calibration.csv"


def first_cdu(site: Path) -> str:
    return next(iter(read_site(site).cdus))


def test_a_fouled_cdu_has_smaller_conductance_and_a_wider_valve(site: Path, tmp_path: Path) -> None:
    name = first_cdu(site)
    file = overlay(tmp_path, element=name, parameter="ua_factor", value=0.7)
    before, after = (answer("cdu", site, name, *more)["cdus"][0] for more in ((), ("--calibration", file)))
    assert after["valve_frac"] > before["valve_frac"]
    assert after["ntu"] < before["ntu"]


def test_racks_that_swing_less_draw_less(site: Path, tmp_path: Path) -> None:
    sku = next(iter(read_site(site).racks.values())).sku
    file = overlay(tmp_path, element=sku, parameter="swing_factor", value=0.8)
    before, after = (answer("solve", site, "--utilisation", 0.9, *more) for more in ((), ("--calibration", file)))
    assert after["it_power_w"] < before["it_power_w"]


def test_a_calibration_of_another_site_is_refused(site: Path, tmp_path: Path) -> None:
    file = overlay(tmp_path, element="cdu-of-nowhere", parameter="ua_factor", value=0.7)
    assert "cdu-of-nowhere" in refused("solve", site, "--calibration", file)


def test_every_command_with_a_site_takes_a_calibration() -> None:
    without = [
        c.__name__
        for c in cli.COMMANDS
        if "site" in inspect.signature(c).parameters and "calibration" not in inspect.signature(c).parameters
    ]
    assert without == ["ingest"]


def test_a_store_without_what_a_fit_needs_says_what_is_missing(site: Path, tmp_path: Path) -> None:
    answer("ingest", site, power_file(tmp_path / "power.parquet"), "--store", tmp_path / "store")
    found = answer("calibrate", site, "--store", tmp_path / "store", "--family", "cdus", "--out", tmp_path / "c.csv")
    assert found["told"] == [] and "ingest" not in found["drifts"]
    assert "says nothing of conductance" in found["findings"][0] and "flow, supply and return" in found["findings"][0]
    assert (tmp_path / "c.csv").read_text().splitlines() == [",".join(c.name for c in columns_of(Constant))]
    assert "did you mean cdus" in refused("calibrate", site, "--store", tmp_path / "store", "--family", "cdu")


def test_a_drift_reads_as_a_sentence() -> None:
    drift = Drift("cdu-7", "ua_factor", dt.date(2026, 5, 1), dt.date(2026, 11, 1), -0.09, (-0.12, -0.06), np.zeros(0), np.zeros(0))
    assert sentence(drift) == "cdu-7 lost 9.0 % of its UA since 2026-05-01, 95 % interval 6.0 to 12.0 %"
