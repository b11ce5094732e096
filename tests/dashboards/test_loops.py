"""``racktwin loops`` as its users meet it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboards.rows import answer, row_folder, run


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return row_folder(tmp_path_factory.mktemp("loops") / "row")


def test_loops_tell_flow_pumps_and_branches(site: Path) -> None:
    found = answer("loops", site)
    assert {x["element"]: x["kind"] for x in found["loops"]} == {"fws": "fws", "tcs-1": "tcs"}
    tcs = next(x for x in found["loops"] if x["kind"] == "tcs")
    assert tcs["decides"] == "set-point" and tcs["dp_pa"] == tcs["set_dp_pa"]
    branches = tcs["manifolds"][0]["branches"]
    assert sum(b["flow_kg_s"] for b in branches) == pytest.approx(tcs["flow_kg_s"])
    assert found["limits_violated"] == []


def test_one_pump_of_a_cdu_may_be_lost(site: Path) -> None:
    found = answer("loops", site, "--loop", "tcs-1", "--outage", "cdu-1/pumps")
    assert found["outage"] == ["cdu-1/pumps"]
    assert [(p["element"], p["running"]) for p in found["loops"][0]["pumps"]] == [("cdu-1/pumps", 1), ("cdu-2/pumps", 2)]


def test_people_read_the_same(site: Path) -> None:
    result = run("loops", site, "--loop", "tcs-1")
    assert result.exit_code == 0
    for text in ("tcs-1 (tcs, pg25)", "holds 80.0 kPa: set-point", "manifold-1", "rack-01", "2 of 2", "60.0 %"):
        assert text in result.stdout


def test_a_limit_of_a_manifold_that_does_not_hold_is_exit_1(site: Path, tmp_path: Path) -> None:
    folder = row_folder(tmp_path / "row")
    file = folder / "manifolds.csv"
    head, *rows = file.read_text().splitlines()
    file.write_text("\n".join([f"{head},velocity_limit_m_s", *(f"{r},0.2" for r in rows)]) + "\n")
    result = run("loops", folder)
    assert result.exit_code == 1
    assert "velocity of manifold-1" in result.stdout


def test_a_loop_that_is_not_there_offers_those_that_are(site: Path) -> None:
    result = run("loops", site, "--loop", "tcs-9")
    assert result.exit_code == 2
    assert "tcs-1" in result.stderr
