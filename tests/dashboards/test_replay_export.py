"""An exported window comes out the same anywhere, to the last bit; a reading, a constant or a result that was changed shows."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from dashboards.exports.rerun import file_digest
from tests.dashboards.rows import answer, refused, run
from tests.twin.played import READ, WARM, recorded
from tests.twin.sites import small_site
from topology.overlay import Constant, write_overlay
from topology.plant import plant
from topology.write import write_site

WINDOW = ("--start", "2026-06-01T00:10Z", "--end", "2026-06-01T03:00Z", "--step", "150s")
STEPS = 68


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with a calibration, a store of it, and a window exported from both."""
    folder = tmp_path_factory.mktemp("export")
    write_site(small_site(), folder / "small")
    recorded(plant(small_site()), np.random.default_rng(5)).to_parquet(folder / "readings.parquet")
    answer("ingest", folder / "small", folder / "readings.parquet", "--store", folder / "store", "--vendor", "racktwin")
    write_overlay([WARM, Constant(element="r2", parameter="plate_factor", value=1.1)], folder / "known.csv")
    return folder


@pytest.fixture(scope="module")
def exported(place: Path) -> tuple[Path, dict[str, Any]]:
    where = place / "window"
    found = answer(
        "replay", place / "small", "--store", place / "store", *WINDOW, "--calibration", place / "known.csv", "--export", where
    )  # fmt: skip
    return where, found


@pytest.fixture
def mine(exported: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A copy of the export, far from the store that it was made from."""
    shutil.copytree(exported[0], tmp_path / "mine")
    return tmp_path / "mine"


def changed(path: Path, change: Any) -> None:
    """Rewrite the readings of an export."""
    pq.write_table(change(pq.read_table(path)), path)


def test_an_export_is_reproduced_from_its_folder_alone(exported: tuple[Path, dict[str, Any]], mine: Path) -> None:
    _, told = exported
    assert told["export"]["same_bits_as_store"] is True and told["frames"] == STEPS
    found = answer("replay", "--check", mine)
    assert found["same"] is True and found["arrays_different"] == found["files_different"] == found["steps_different"] == []
    assert found["steps"] == STEPS and found["arrays"] > 20
    assert "reproduced to the last bit" in run("replay", "--check", mine).stdout


def nudged(folder: Path, by: Any) -> dict[str, Any]:
    """Check an export with one reading of a rack's power changed."""

    def nudge(t: pa.Table) -> pa.Table:
        own = pc.and_(pc.equal(t["element"], "r3"), pc.equal(t["quantity"], "power_w"))
        at = int(np.flatnonzero(own.to_numpy())[40])
        value = t["value"].to_numpy().copy()
        value[at] = by(value[at])
        return t.set_column(t.schema.get_field_index("value"), "value", pa.array(value))

    changed(folder / "readings" / "readings.parquet", nudge)
    return answer("replay", "--check", folder, code=1)


def test_one_changed_reading_is_found_to_its_last_bit(mine: Path) -> None:
    found = nudged(mine, lambda w: np.nextafter(w, np.inf))
    assert found["same"] is False
    assert found["files_different"] == [{"file": "readings/readings.parquet", "state": "changed"}]
    assert {"rack_w", "measured_w"} <= set(found["arrays_different"]) and "wet_bulb_c" not in found["arrays_different"]


def test_what_a_changed_reading_does_is_told_step_by_step(mine: Path) -> None:
    found = nudged(mine, lambda w: w + 5.0)
    site = next(s for s in found["steps_different"] if s["quantity"] == "site_power_w")
    assert site["steps"] == 1 and 1.0 < site["largest"] < 5.0 and site["first"].startswith("2026-06-01T00:")
    shown = run("replay", "--check", mine)
    assert shown.exit_code == 1 and "NOT reproduced" in shown.stdout and "site_power_w: 1 steps differ" in shown.stdout


def test_a_lost_reading_and_another_constant_are_found(mine: Path) -> None:
    changed(mine / "readings" / "readings.parquet", lambda t: t.slice(0, t.num_rows - 1))
    text = (mine / "calibration.csv").read_text()
    (mine / "calibration.csv").write_text(text.replace("1.1", "1.2"))
    found = answer("replay", "--check", mine, code=1)
    assert {f["file"] for f in found["files_different"]} == {"readings/readings.parquet", "calibration.csv"}
    assert found["site_same"] is False and "hottest_c" in found["arrays_different"]


def test_a_result_that_was_touched_is_named_though_all_arrays_are_what_they_were(mine: Path) -> None:
    file = mine / "results" / "steps.csv"
    file.write_text(file.read_text().replace("2026-06-01T00:10", "2026-06-01T00:11", 1))
    (mine / "results" / "margins.csv").unlink()
    found = answer("replay", "--check", mine, code=1)
    assert found["arrays_different"] == []
    assert {(f["file"], f["state"]) for f in found["files_different"]} == {
        ("results/steps.csv", "changed"),
        ("results/margins.csv", "missing"),
    }


def test_the_folder_says_what_it_is_made_of(exported: tuple[Path, dict[str, Any]], place: Path) -> None:
    where, told = exported
    about = json.loads((where / "about.json").read_text())
    assert (about["start"], about["end"], about["step_s"]) == ("2026-06-01T00:10:00Z", "2026-06-01T03:00:00Z", 150.0)
    assert about["site_digest"] == told["export"]["site_digest"] and {"python", "numpy", "racktwin"} <= set(about["versions"])
    assert all(file_digest(where / n) == d for n, d in about["files"].items())
    assert (where / "site" / "site.toml").read_bytes() == (place / "small" / "site.toml").read_bytes()
    assert pq.read_metadata(where / "readings" / "readings.parquet").num_rows == about["readings"]
    assert "racktwin replay --check ." in (where / "README.md").read_text()


def test_results_have_units_and_add_up(exported: tuple[Path, dict[str, Any]]) -> None:
    where, told = exported
    with (where / "results" / "steps.csv").open() as file:
        names, units, *rows = list(csv.reader(file))
    assert len(rows) == STEPS and units[names.index("site_power_w")] == "W" and units[names.index("chip_temp_c")] == "degC"
    site = np.array([float(r[names.index("site_power_w")]) for r in rows])
    assert site.sum() * 150.0 == pytest.approx(told["site_energy_j"], rel=1e-12)
    racks = pq.read_table(where / "results" / "racks.parquet")
    assert racks.num_rows == STEPS and racks.schema.field("r1").metadata == {b"unit": b"W"}
    beside = pq.read_table(where / "results" / "beside.parquet").to_pandas()
    assert set(beside["channel"].unique()) == set(READ) - {"rack power"}
    flow = beside[beside.channel == "CDU flow"]
    told_flow = next(c for c in told["residuals"]["channels"] if c["channel"] == "CDU flow")
    assert np.sqrt(((flow.reading - flow.predicted) ** 2).mean()) == pytest.approx(told_flow["rmse"])


def test_the_readings_of_an_export_can_be_ingested(exported: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    where, told = exported
    taken = answer("ingest", where / "site", where / "readings", "--store", tmp_path / "s", "--vendor", "racktwin")
    assert taken["rows_stored"] == taken["rows_in"] == told["export"]["readings"]
    again = answer("replay", where / "site", "--store", tmp_path / "s", *WINDOW, "--calibration", where / "calibration.csv")
    assert again["site_energy_j"] == pytest.approx(told["site_energy_j"], rel=1e-12)


def test_an_export_goes_into_a_new_folder_and_a_check_needs_one(place: Path, exported: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    asked = ("replay", place / "small", "--store", place / "store", *WINDOW)
    assert "name a new folder" in refused(*asked, "--export", exported[0])
    assert "whole window" in refused(*asked, "--export", tmp_path / "x", "--steps", 3)
    assert not (tmp_path / "x").exists()
    assert "is no exported replay" in refused("replay", "--check", tmp_path)
    (tmp_path / "about.json").write_text('{"result": "replay", "format": 99}')
    assert "format 1" in refused("replay", "--check", tmp_path)
    (tmp_path / "about.json").write_text('{"result": "replay", "format": 1, "start": "x"}')
    assert "lacks end" in refused("replay", "--check", tmp_path)


def test_a_broken_readings_file_is_a_usage_error(mine: Path) -> None:
    (mine / "readings" / "readings.parquet").write_bytes(b"PAR1 nothing")
    assert "it is not what an export wrote" in refused("replay", "--check", mine)
