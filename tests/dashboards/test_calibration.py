"""A calibration file reaches every command that opens a site."""

from __future__ import annotations

import datetime as dt
import inspect
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboards import cli
from dashboards.calibration_answers import sentence
from tests.dashboards.rows import answer, power_file, refused, row_folder, run
from topology.columns import columns_of
from topology.overlay import Constant, read_overlay, write_overlay
from topology.read import read_site
from twin.forecast.calibrate.site import FAMILIES
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
    assert without == ["ingest", "synth"], "one asks no plant, the other makes up constants of its own"


def test_racks_that_swing_less_leave_room_for_more(site: Path, tmp_path: Path) -> None:
    file = overlay(tmp_path, element="vera-rubin-nvl72", parameter="swing_factor", value=0.8)
    before, after = (answer("headroom", site, "--sku", "vera-rubin-nvl72", *more)["racks"] for more in ((), ("--calibration", file)))
    assert after > before


def test_racks_that_swing_more_leave_less_room(site: Path, tmp_path: Path) -> None:
    file = overlay(tmp_path, element="mtia-450", parameter="swing_factor", value=1.3)
    before, after = (answer("headroom", site, "--sku", "mtia-450", *more)["racks"] for more in ((), ("--calibration", file)))
    assert after < before


@pytest.fixture(scope="module")
def fouled(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fouled")
    write_overlay([Constant(element=c, parameter="ua_factor", value=0.15) for c in read_site(site).cdus], folder / "fouled.csv")
    return folder / "fouled.csv"


def test_fouled_cdus_have_less_margin_in_a_moment_and_in_every_case(site: Path, fouled: Path) -> None:
    before, after = (
        answer("solve", site, "--utilisation", 1.0),
        answer("solve", site, "--utilisation", 1.0, "--calibration", fouled, code=1),
    )
    assert not before["limits_violated"] and after["limits_violated"]
    assert after["tightest"][0]["margin_frac"] < before["tightest"][0]["margin_frac"]
    lowest = [
        min(x["margin_frac"] for x in answer("cases", site, *more, code=code)["worst"])
        for more, code in (((), 0), (("--calibration", fouled), 1))
    ]
    assert lowest[1] < 0.0 < lowest[0]


def test_fouled_cdus_leave_no_room(site: Path, fouled: Path) -> None:
    before, after = (answer("headroom", site, "--sku", "mtia-450", *more)["racks"] for more in ((), ("--calibration", fouled)))
    assert after < before


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A row with a week of made-up telemetry in a store, and the file of its true constants."""
    folder = tmp_path_factory.mktemp("learned")
    site, store, truth = row_folder(folder / "row"), folder / "store", folder / "truth.csv"
    answer("synth", site, folder / "raw", "--days", 5, "--seed", 3, "--end", "2026-11-22T00:00Z", "--truth", truth)
    run("ingest", site, folder / "raw", "--store", store)
    return site, store, truth


def test_constants_are_learned_from_files_and_taken_by_other_commands(learned: tuple[Path, Path, Path], tmp_path: Path) -> None:
    site, store, truth = learned
    file = tmp_path / "calibration.csv"
    found = answer("calibrate", site, "--store", store, "--family", "skus", "--family", "feeds", "--out", file)
    assert {k["parameter"] for k in found["kinds"]} >= {"idle_factor", "swing_factor", "draw_factor", "share_factor", "loss_fixed_factor"}
    assert found["constants_of"].keys() == {"skus", "feeds"}
    rows = read_overlay(file)
    assert len(rows) == len(found["told"]) > 20 and {r.basis for r in rows} == {"data"}
    true, inside = {r.key: r.value for r in read_overlay(truth)}, []
    for r in rows:
        assert r.low is not None and r.high is not None
        inside.append(r.low <= true[r.key] <= r.high)
    assert np.mean(inside) > 0.7
    full = [answer("solve", site, "--utilisation", 0.8, "--calibration", f)["it_power_w"] for f in (file, truth)]
    plain = answer("solve", site, "--utilisation", 0.8)["it_power_w"]
    assert abs(full[0] - full[1]) < 0.3 * abs(plain - full[1])


def test_what_kept_its_prior_says_why_and_is_not_in_the_file(learned: tuple[Path, Path, Path], tmp_path: Path) -> None:
    site, store, _ = learned
    found = answer("calibrate", site, "--store", store, "--family", "feeds", "--out", tmp_path / "c.csv")
    kept = [k for k in found["kinds"] if k["parameter"] == "loss_load_factor"]
    assert kept[0]["told"] == 0 and kept[0]["kept_prior"] > 0 and "as the gains of its meters" in kept[0]["why_kept"][0]
    assert "loss_load_factor" not in {r.parameter for r in read_overlay(tmp_path / "c.csv")}
    everything = answer("calibrate", site, "--store", store, "--family", "feeds", "--all", "--out", tmp_path / "all.csv")
    assert {r.basis for r in read_overlay(tmp_path / "all.csv")} == {"data", "prior"}
    assert len(read_overlay(tmp_path / "all.csv")) == len(everything["told"]) + len(everything["kept_prior"])


def test_a_second_calibration_lies_on_top_of_the_first(learned: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """With the truth laid on, nothing is left to find; the file of both is the truth again."""
    site, store, truth = learned
    file = tmp_path / "both.csv"
    found = answer("calibrate", site, "--store", store, "--family", "skus", "--calibration", truth, "--out", file)
    for told in found["told"]:
        if told["parameter"] in ("idle_factor", "swing_factor", "exponent_factor"):
            assert told["value"] == pytest.approx(1.0, abs=0.09)
        if told["parameter"] in ("draw_factor", "share_factor"):
            assert told["value"] == pytest.approx(1.0, abs=0.05)
    true = {r.key: r.value for r in read_overlay(truth)}
    for row in read_overlay(file):
        if row.parameter in ("swing_factor", "draw_factor", "share_factor"):
            assert row.value == pytest.approx(true[row.key], rel=0.09 if row.parameter == "swing_factor" else 0.05)


def test_the_table_names_kinds_and_what_the_catalog_says(learned: tuple[Path, Path, Path]) -> None:
    site, store, _ = learned
    shown = run("calibrate", site, "--store", store, "--family", "skus")
    assert shown.exit_code == 0, shown.stderr
    for text in ("constants were told by data", "By kind", "swing_factor", "kW to", "90 % interval"):
        assert text in shown.stdout


def test_the_help_names_every_family() -> None:
    shown = " ".join(run("calibrate", "--help").stdout.replace("│", " ").split())
    assert ", ".join(FAMILIES) in shown


def test_a_worse_plate_is_hotter_and_a_lossy_ups_takes_more(site: Path, tmp_path: Path) -> None:
    plant_of = read_site(site)
    rack = next(r.id for r in plant_of.racks.values() if r.sku == "mtia-450")
    file = overlay(tmp_path, element=rack, parameter="plate_factor", value=1.3)
    hot = [answer("rack", site, rack, "--utilisation", 0.9, *more)["chip_temp_c"] for more in ((), ("--calibration", file))]
    assert hot[1] > hot[0] + 2.0
    ups = next(e.id for e in plant_of.power.values() if e.kind == "ups")
    file = overlay(tmp_path, element=ups, parameter="loss_fixed_factor", value=2.0)
    for command, key in ((("solve", site), "chain_loss_w"), (("year", site), "chain_loss_energy_j")):
        before, after = (answer(*command, *more)[key] for more in ((), ("--calibration", file)))
        assert after > 1.05 * before


def test_a_ride_warms_more_with_racks_that_draw_more(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    write_overlay([Constant(element=k, parameter="swing_factor", value=1.15) for k in ("mtia-450", "hgx-h100")], file)
    asked = ("ride", site, "--event", "t=5 lose cdu-1", "--event", "t=6 lose cdu-2", "--for", "3m", "--utilisation", 0.8, "--json")
    before, after = (json.loads(run(*asked, *more).stdout)["first"] for more in ((), ("--calibration", file)))
    assert after["time_s"] < before["time_s"]


def test_an_export_says_which_calibration_it_was_made_with(site: Path, tmp_path: Path) -> None:
    file = overlay(tmp_path, element="mtia-450", parameter="swing_factor", value=0.9)
    run("export", site, "--what", "margins", "--out", tmp_path / "with.xlsx", "--calibration", file)
    run("export", site, "--what", "margins", "--out", tmp_path / "without.xlsx")
    told = [pd.read_excel(tmp_path / f"{n}.xlsx", sheet_name=None, header=None) for n in ("with", "without")]
    lines = [" ".join(map(str, next(t for n, t in sheets.items() if "about" in n.lower()).to_numpy().ravel())) for sheets in told]
    assert "1 constants" in lines[0] and "1 constants" not in lines[1]


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
