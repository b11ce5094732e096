"""Made-up telemetry from the command line: files that ingest reads, a truth that is a calibration, faults that are told."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.dashboards.rows import answer, refused, row_folder, run
from topology.overlay import read_overlay
from topology.read import read_site

END = "2026-11-22T00:00Z"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return row_folder(tmp_path_factory.mktemp("synth-command") / "row")


def test_files_truth_and_faults_of_one_day(site: Path, tmp_path: Path) -> None:
    raw, truth = tmp_path / "raw", tmp_path / "truth.csv"
    fault = "stuck-temperature:cdu-1@2026-11-21T06:00:00Z"
    made = answer("synth", site, raw, "--days", "1", "--seed", "3", "--end", END, "--fault", fault, "--truth", truth, "--clean")
    assert made["start"] == "2026-11-21T00:00:00+00:00" and made["faults"] == [fault]
    assert {f["file"] for f in made["files"]} == {p.name for p in raw.iterdir()}
    found = answer("ingest", site, raw, "--store", tmp_path / "store")
    assert found["files_failed"] == 0 and found["rows_in"] == found["rows_stored"] > made["rows"]
    rows = read_overlay(truth)
    assert {"ua_factor", "plate_factor", "gain", "bias"} <= {r.parameter for r in rows}
    moment = answer("solve", site, "--calibration", truth)
    assert moment["site_power_w"] != answer("solve", site)["site_power_w"]
    told = list(csv.DictReader((tmp_path / "faults.csv").open()))
    assert [(f["kind"], f["element"], f["since"]) for f in told] == [("stuck-temperature", "cdu-1", "2026-11-21T06:00:00Z")]
    assert read_site(site).calibration == ()


def test_what_can_be_planted_is_listed(site: Path) -> None:
    kinds = {k["kind"]: k for k in answer("synth", site, "--faults")["faults"]}
    assert {"fouled-plate", "drifted-flow", "swapped-cords", "stuck-temperature", "skewed-clock"} <= set(kinds)
    assert "fouled-cdu" in run("synth", str(site), "--faults").stdout


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("melted-cdu:cdu-1@2026-11-21T06:00Z", "there is no fault 'melted-cdu'"),
        ("drifted-flow:cdu-9@2026-11-21T06:00Z", "cdu-9 cannot have the fault drifted-flow"),
        ("drifted-flow:cdu-1@2026-11-21T06:00", "no zone"),
        ("drifted-flow:cdu-1", "cannot be read; write KIND:ELEMENT@TIME"),
        ("drifted-flow:cdu-1@2026-11-21T06:00Z=much", "time or size"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_before_anything_is_written(site: Path, tmp_path: Path, fault: str, says: str) -> None:
    raw = tmp_path / "raw"
    assert says in refused("synth", site, raw, "--days", "1", "--end", END, "--fault", fault)
    assert not raw.exists()
