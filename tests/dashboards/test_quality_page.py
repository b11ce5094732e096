"""The quality of telemetry as its users meet it: the command, its export, and the page in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe

from dashboards.figures.quality import coverage, sensor
from dashboards.pages.quality import chosen
from dashboards.quality_answers import judged
from dashboards.quality_series import sensor_series
from dashboards.session import Session
from telemetry.quality.doubt import Sensor
from tests.dashboards.browsing import Served, Watch, run
from tests.dashboards.rows import refused, row_folder
from tests.dashboards.rows import run as call
from tests.twin.sites import small_site

START = pd.Timestamp("2026-11-01T00:00Z")
N = 1440


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return row_folder(tmp_path_factory.mktemp("quality") / "row")


@pytest.fixture(scope="module")
def store(site: Path) -> Path:
    """A day of five racks: one meter stuck from 06:00 to 12:00, one silent from 20:00 on."""
    session, rng = Session.open(site), np.random.default_rng(4)
    rows = []
    for k, rack in enumerate(session.site.racks):
        wander = np.cumsum(rng.normal(0.0, 200.0, N))
        power = session.plant.racks.nameplate_w[k] * 0.6 + wander - np.linspace(0.0, wander[-1], N) + rng.normal(0.0, 300.0, N)
        if k == 1:
            power[360:720] = power[360]
        time = START + pd.to_timedelta(np.arange(N if k != 3 else 1200), unit="min")
        rows.append(pd.DataFrame({"time": time, "element": rack, "power_w": power[: time.size]}))
    pd.concat(rows, ignore_index=True).to_parquet(site.parent / "power.parquet")
    done = call("ingest", site, site.parent / "power.parquet", "--store", site.parent / "store")
    assert done.exit_code == 0
    return site.parent / "store"


def names(site: Path) -> list[str]:
    return list(Session.open(site).site.racks)


def test_the_command_names_sensor_reason_and_time_and_exits_1(site: Path, store: Path, tmp_path: Path) -> None:
    racks = names(site)
    told = call("quality", site, "--store", store, "--json", "--csv", tmp_path / "d.csv", "--readings", tmp_path / "r.parquet")
    assert told.exit_code == 1
    found = json.loads(told.stdout)
    assert found["findings_by_reason"] == {"stuck": 1, "gap": 1} and found["sensors"] == 5
    by = {d["detector"]: d for d in found["doubts"]}
    assert (by["stuck"]["element"], by["stuck"]["since"], by["stuck"]["until"]) == (
        racks[1],
        "2026-11-01T06:00:00Z",
        "2026-11-01T12:00:00Z",
    )
    assert (by["gap"]["element"], by["gap"]["since"]) == (racks[3], "2026-11-01T20:00:00Z")
    lowest = found["lowest_scores"][0]
    assert lowest["element"] == racks[1] and lowest["score_frac"] == pytest.approx(0.75, abs=0.01)
    assert found["lowest_scores"][1]["coverage_frac"] == pytest.approx(1200 / 1440, abs=0.01)
    table = pd.read_csv(tmp_path / "d.csv")
    assert list(table["element"]) == [racks[1], racks[3]] and len(pd.read_csv(tmp_path / "d-sensors.csv")) == 5
    readings = pd.read_parquet(tmp_path / "r.parquet")
    assert len(readings) == found["readings_written"] == 360 and set(readings["element"]) == {racks[1]}
    assert readings["value"].nunique() == 1 and readings["time"].min() == pd.Timestamp("2026-11-01T06:00Z")
    assert call("quality", site, "--store", store, "--readings", tmp_path / "r.csv").exit_code == 1
    assert (
        (tmp_path / "r.csv").read_text().splitlines()[0].replace('"', "").startswith("time,element,part,quantity,level,value,source,test")
    )
    shown = call("quality", site, "--store", store)
    assert shown.exit_code == 1 and "stuck: 1 finding" in shown.stdout and racks[1] in shown.stdout


def test_a_window_without_faults_exits_0_and_says_so(site: Path, store: Path) -> None:
    told = call("quality", site, "--store", store, "--start", "2026-11-01T14:00Z", "--end", "2026-11-01T19:00Z")
    assert told.exit_code == 0 and "No doubt about any sensor" in told.stdout
    assert "ends in" not in told.stderr and "end the name in" in refused("quality", site, "--store", store, "--csv", "x.txt")


def test_a_sensor_is_drawn_beside_what_the_twin_says_with_its_doubts_shaded(site: Path, store: Path) -> None:
    session = Session.open(site, store)
    quality = judged(session, step_s=60.0)
    stuck = chosen(quality, [names(site)[1], "", "power_w", ""])
    assert stuck == Sensor(names(site)[1], "", "power_w", "rack") and chosen(quality, ["nobody", "", "", ""]) is None
    shown = sensor_series(session, quality, stuck)
    np.testing.assert_allclose(shown.predicted, shown.measured, rtol=1e-9)
    assert shown.beside.shape[1] == 3 and [d.detector for d in shown.doubts] == ["stuck"]
    drawn = sensor(shown)
    assert [s.x0 for s in drawn.layout.shapes] == [np.datetime64("2026-11-01T06:00:00")]
    heat = coverage(quality)
    assert list(heat.data[0].y) == ["rack: power_w"] and heat.data[0].z[0, 21] == pytest.approx(80.0, abs=1.0)


@pytest.fixture(scope="module")
def served(site: Path, store: Path) -> Iterator[Served]:
    yield from run(Session.open(site, store))


@pytest.fixture(scope="module")
def bare() -> Iterator[Served]:
    yield from run(Session(small_site()))


@pytest.mark.browser
def test_the_page_shows_findings_a_click_shows_the_readings_and_the_address_gives_it_back(site: Path, served: Served, watch: Watch) -> None:
    page, racks = watch.page, names(site)
    page.goto(served.url + "/quality")
    page.wait_for_selector("#quality-grid .ag-row >> nth=1")
    assert "2" in page.inner_text("#quality-count")
    page.click(f"#quality-grid .ag-row:has-text('{racks[3]}')")
    page.wait_for_selector(f"#quality-chosen:has-text('{racks[3]}')")
    page.wait_for_selector("#quality-why:has-text('no reading from 2026-11-01T20:00:00Z')")
    page.wait_for_function(f"location.search.includes('el={racks[3]}')")
    page.click("#quality-show >> text=Sensors")
    page.wait_for_selector("#quality-grid .ag-header >> text=Coverage")
    page.wait_for_function("location.search.includes('show=sensors')")
    page.goto(page.url)
    page.wait_for_selector(f"#quality-chosen:has-text('{racks[3]}')")
    page.wait_for_selector("#quality-grid .ag-header >> text=Coverage")
    assert watch.faults == []


@pytest.mark.browser
def test_the_page_says_what_to_do_without_telemetry_and_about_a_wrong_window(served: Served, bare: Served, watch: Watch) -> None:
    page = watch.page
    page.goto(bare.url + "/quality")
    page.wait_for_selector("text=There are no readings to judge")
    page.goto(served.url + "/quality?start=2026-11-02T00:00Z&end=2026-11-01T00:00Z")
    page.wait_for_selector("text=before it begins")
    assert watch.faults == []


@pytest.mark.browser
def test_the_page_can_be_used_by_everyone(served: Served, watch: Watch) -> None:
    watch.page.goto(served.url + "/quality")
    watch.page.wait_for_selector("#quality-grid .ag-row >> nth=1")
    watch.page.wait_for_load_state("networkidle")
    found = Axe().run(watch.page, options={"runOnly": ["wcag2a", "wcag2aa"]})
    assert found.violations_count == 0, found.generate_report()
