"""``rack`` and ``cdu``, and what ``solve`` says about heat."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboards.rows import answer, refused, row_folder, run


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return row_folder(tmp_path_factory.mktemp("heat") / "row")


def test_a_rack_adds_up(site: Path) -> None:
    found = answer("rack", site, "rack-01")
    parts, stages = found["parts"], found["stages"]
    assert sum(p["power_w"] for p in parts) == pytest.approx(found["it_power_w"])
    assert sum(s["loss_w"] for s in stages) == pytest.approx(found["conversion_loss_w"])
    liquid = sum(p["liquid_heat_w"] for p in parts) + sum(s["liquid_heat_w"] for s in stages)
    assert liquid == pytest.approx(found["liquid_heat_w"])
    assert found["liquid_heat_w"] + found["air_heat_w"] == pytest.approx(found["rack_power_w"])
    assert found["cord_a_w"] + found["cord_b_w"] == pytest.approx(found["rack_power_w"])
    gpu = parts[0]
    law = found["plate"]
    resistance = law["r_base_k_w"] + law["r_flow"] * gpu["plate_flow_kg_s"] ** -law["r_exponent"]
    assert found["chip_temp_c"] == pytest.approx(found["plate_inlet_c"] + resistance * gpu["power_w"] / gpu["count"])
    assert gpu["temp_c"] == found["chip_temp_c"] and parts[1]["temp_c"] is None
    assert found["binds"] == found["limits"][0]
    assert {"chip temperature", "memory temperature", "inlet air"} <= {r["limit"] for r in found["limits"]}


def test_a_rack_by_measured_share_and_by_groups(site: Path) -> None:
    found = answer("rack", site, "rack-02", "--utilisation", "gpu=0.5")
    assert sum(p["power_w"] for p in found["parts"]) == pytest.approx(found["it_power_w"])
    assert found["utilisation"] == {"gpu": 0.5}


def test_a_rack_without_coolant_says_so(site: Path) -> None:
    lost = answer("rack", site, "rack-01", "--outage", "manifold-1", code=1)
    assert lost["chip_temp_c"] is None and lost["cooled"] is False
    assert lost["binds"]["margin_frac"] == -1.0
    assert "not cooled" in run("rack", site, "rack-01", "--outage", "manifold-1").stdout


def test_cdus_close_and_compare(site: Path) -> None:
    found = answer("cdu", site)
    assert [c["element"] for c in found["cdus"]] == ["cdu-1", "cdu-2"]
    one = found["cdus"][0]
    low = min(one["heat_w"] / (one["return_c"] - one["supply_c"]), one["heat_w"] / (one["cold_return_c"] - one["cold_supply_c"]))
    assert one["effectiveness"] == pytest.approx(one["heat_w"] / low / (one["return_c"] - one["cold_supply_c"]), rel=1e-6)
    assert one["ntu"] == pytest.approx(one["ua_w_k"] / low, rel=1e-6)
    assert one["approach_k"] == pytest.approx(one["supply_c"] - one["cold_supply_c"])
    by = {r["approach_k"]: r["duty_w"] for r in one["rating"]["duty_by_approach"]}
    assert by[5.0] == pytest.approx(1e6, rel=1e-9) and by[3.0] == pytest.approx(0.6e6, rel=1e-9)
    assert one["rating"]["ocp"]["duty_w"] == pytest.approx(1e6, rel=0.01)
    text = run("cdu", site).stdout
    assert "OCP: 5 K" in text and "cdu-2" in text


def test_fouling_what_if(site: Path) -> None:
    found = answer("cdu", site, "cdu-1", "--fouling-frac", 0.5)
    assert found["fouling"]["fouled"]["valve_frac"] > found["fouling"]["clean"]["valve_frac"]
    assert found["fouling"]["fouled"]["loop_supply_c"] == pytest.approx(found["fouling"]["clean"]["loop_supply_c"])
    assert "one CDU" in refused("cdu", site, "--fouling-frac", 0.2)
    assert "0 to 0.9" in refused("cdu", site, "cdu-1", "--fouling-frac", 1.2)


def test_unknown_names_are_answered_with_the_nearest(site: Path) -> None:
    assert "did you mean rack-0" in refused("rack", site, "rack-0")
    assert "did you mean cdu-" in refused("cdu", site, "cdu-7")


def test_solve_tells_of_memory_and_of_the_dew_point(tmp_path: Path) -> None:
    site = row_folder(tmp_path / "humid")
    halls = (site / "halls.csv").read_text().splitlines()
    head = [*halls[0].split(","), "dew_point_c"]
    (site / "halls.csv").write_text("\n".join([",".join(head), *(f"{row},30" for row in halls[1:])]) + "\n")
    found = answer("solve", site)["heat"]
    assert found["dew_point_interlocks"] == [{"element": "tcs-1", "asked_c": 30.0, "set_point_c": 32.0}]
    assert found["hottest_memory"]["limit_c"] == 95.0 and found["thermal_runaway"] == [] and found["leakage_w"] == 0.0
    text = run("solve", site).stdout
    assert "holds tcs-1 at 32.0 degC in place of 30.0 degC" in text and "hottest memory" in text
    warned = answer("site", "check", site)["findings"]
    assert any("dew point" in f["message"] and f["severity"] == "warning" for f in warned)
    assert "dew point holds tcs-1" in run("cdu", site, "cdu-1").stdout


def test_a_leaking_chip_shows_in_solve(tmp_path: Path) -> None:
    site = row_folder(tmp_path / "leaky")
    (site / "catalog").mkdir()
    own = ["[mtia-450]", 'base = "mtia-450"', "leakage_frac_k = 0.003", "leakage_ref_c = 50", 'source = "bench"', "date = 2026-11-01"]
    (site / "catalog" / "chips.toml").write_text("\n".join([*own, 'confidence = "measured"', ""]))
    before, after = answer("solve", row_folder(tmp_path / "tight")), answer("solve", site)
    assert after["heat"]["leakage_w"] > 1e3
    assert after["it_power_w"] > before["it_power_w"]
    assert after["ledger_residual_frac"] < 1e-9
    assert "leakage" in run("solve", site).stdout
