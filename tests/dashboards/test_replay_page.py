"""Playing the past in a real browser: seek, step, play, the meters, and an address that gives all of it back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from dashboards.figures.replay import beside, played
from dashboards.pages.replay import marks
from dashboards.pages.replay_parts import element_rows, meter_rows
from dashboards.replay_window import Asked, PlayedWindow
from dashboards.session import Session
from telemetry.ingest import ingest
from telemetry.store import Store
from tests.dashboards.browsing import Served, Watch, run
from tests.twin.played import END, READ, START, WARM, recorded
from tests.twin.sites import small_site
from topology.errors import UsageError
from topology.plant import plant

HOUR = "start=2026-06-01T00:00Z&end=2026-06-01T02:00Z"
ASKED = Asked(START, START + dt.timedelta(hours=2), 60.0)
READY = "#replay-elements .ag-row"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder: Path = tmp_path_factory.mktemp("replay-page")
    site = small_site()
    recorded(plant(site), np.random.default_rng(5)).to_parquet(folder / "readings.parquet")
    report = ingest(site, folder / "readings.parquet", folder / "store", vendor="racktwin", clock=lambda: END)
    assert report.rows_stored == report.rows_in
    return Session(site, Store.open(folder / "store"))


@pytest.fixture(scope="module")
def window(session: Session) -> PlayedWindow:
    return session.played(ASKED)


@pytest.fixture(scope="module")
def served(session: Session) -> Iterator[Served]:
    yield from run(session)


@pytest.fixture(scope="module")
def bare() -> Iterator[Served]:
    yield from run(Session(small_site()))


def now(page: Page, text: str) -> None:
    """Wait until the moment under the cursor says something."""
    page.wait_for_selector(f"#replay-now:has-text('{text}')")


def cursor_px(page: Page, figure: str) -> float:
    """Where the cursor stands in a figure."""
    return float(page.eval_on_selector(f"#{figure} .cursor", "e => e.getBoundingClientRect().x"))


@pytest.mark.browser
def test_an_address_opens_a_window_at_its_time_with_its_meter(served: Served, session: Session, watch: Watch) -> None:
    page = watch.page
    page.goto(f"{served.url}/replay?{HOUR}&at=2026-06-01T00:30Z&ch=CDU+flow&el=cdu-2")
    page.wait_for_selector(READY)
    now(page, "00:30:00")
    assert page.inner_text("#replay-chosen") == "CDU flow of cdu-2, residuals in L/min"
    at_30 = session.replay(START + dt.timedelta(minutes=30), START + dt.timedelta(minutes=31), 60.0)
    assert f"{at_30.site_w[0] / 1e3:,.0f} kW" in page.inner_text("#replay-merits") and f"{at_30.pue[0]:.3f}" in page.inner_text(
        "#replay-merits"
    )
    for figure, axis in (("replay-window", "power [kW]"), ("replay-beside", "flow [L/min]")):
        page.wait_for_selector(f"#{figure} .ytitle:has-text('{axis}')", state="attached")
        assert "time [UTC]" in page.inner_text(f"#{figure}")
    page.wait_for_selector("#replay-beside .cursor")
    assert cursor_px(page, "replay-window") == pytest.approx(cursor_px(page, "replay-beside"), abs=1.0)
    assert watch.faults == []


@pytest.mark.browser
def test_steps_move_the_cursor_and_the_address_gives_it_back(served: Served, watch: Watch) -> None:
    page = watch.page
    page.goto(f"{served.url}/replay?{HOUR}&at=2026-06-01T01:00Z")
    page.wait_for_selector(READY)
    now(page, "01:00:00")
    before = cursor_px(page, "replay-window")
    page.click("#replay-forward")
    now(page, "01:01:00")
    assert cursor_px(page, "replay-window") > before
    page.click("#replay-back")
    page.click("#replay-back")
    now(page, "00:59:00")
    page.focus("#replay-at [role=slider]")
    page.keyboard.press("Home")
    now(page, "00:00:00")
    page.keyboard.press("ArrowRight")
    now(page, "00:01:00")
    page.wait_for_function("location.search.includes('at=2026-06-01T00:01:00Z')")
    page.goto(page.url)
    now(page, "00:01:00")
    assert watch.faults == []


@pytest.mark.browser
def test_it_plays_at_its_pace_to_the_end_and_stops(served: Served, watch: Watch) -> None:
    page = watch.page
    page.goto(f"{served.url}/replay?{HOUR}&at=2026-06-01T01:30Z&speed=3600")
    page.wait_for_selector(READY)
    page.click("#replay-play")
    page.wait_for_selector("#replay-play-icon.icon-pause")
    now(page, "01:59:00")
    page.wait_for_selector("#replay-play-icon.icon-play")
    page.wait_for_function("location.search.includes('at=2026-06-01T01:59:00Z') && location.search.includes('speed=3600')")
    page.click("#replay-play")
    page.wait_for_selector("#replay-play-icon.icon-pause")
    page.click("#replay-play")
    page.wait_for_selector("#replay-play-icon.icon-play")
    assert "01:59:00" not in page.inner_text("#replay-now")
    assert watch.faults == []


@pytest.mark.browser
def test_a_meter_and_an_element_are_picked_from_the_tables(served: Served, watch: Watch) -> None:
    page = watch.page
    page.goto(f"{served.url}/replay?{HOUR}")
    page.wait_for_selector(READY)
    page.click("#replay-meters .ag-row:has-text('CDU supply temperature')")
    page.wait_for_selector("#replay-chosen:has-text('CDU supply temperature of cdu-1, residuals in K')")
    page.click("#replay-elements .ag-row:has-text('cdu-2')")
    page.wait_for_selector("#replay-chosen:has-text('cdu-2')")
    page.wait_for_function("location.search.includes('ch=CDU+supply+temperature&el=cdu-2')")
    assert watch.faults == []


@pytest.mark.browser
def test_a_click_into_the_window_seeks(served: Served, watch: Watch) -> None:
    page = watch.page
    page.goto(f"{served.url}/replay?{HOUR}")
    page.wait_for_selector(READY)
    box = page.locator("#replay-window .nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + box["height"] / 2)
    page.wait_for_selector("#replay-window .hoverlayer .legend", state="attached")
    page.mouse.down()
    page.mouse.up()
    now(page, "01:29:00")
    assert watch.faults == []


@pytest.mark.browser
def test_another_window_is_shown_and_one_that_is_none_is_refused(served: Served, watch: Watch) -> None:
    page = watch.page
    page.goto(f"{served.url}/replay?{HOUR}&at=2026-06-01T01:00Z&step=300")
    now(page, "step 13 of 24")
    page.click("#replay-step")
    page.click("[role=option]:has-text('15 min')")
    page.click("#replay-go")
    now(page, "step 1 of 8")
    page.wait_for_function("location.search.includes('step=900')")
    page.goto(f"{served.url}/replay?start=2026-06-01T02:00Z&end=2026-06-01T01:00Z")
    page.wait_for_selector("text=before it starts")
    page.goto(f"{served.url}/replay?start=2026-01-01T00:00Z&end=2026-01-02T00:00Z")
    page.wait_for_selector("text=no power of any rack was measured")
    assert "2026-06-01" in page.inner_text("#replay-progress")


@pytest.mark.browser
def test_without_telemetry_it_says_how_to_get_some(bare: Served, watch: Watch) -> None:
    watch.page.goto(bare.url + "/replay")
    watch.page.wait_for_selector("text=There is nothing to play")
    assert "racktwin ingest SITE FILES --store STORE" in watch.page.inner_text("#page")
    watch.page.wait_for_load_state("networkidle")
    assert watch.faults == []


def test_the_tables_tell_what_the_summary_tells(window: PlayedWindow) -> None:
    meters = {m["meter"]: m for m in meter_rows(window)}
    assert set(meters) == set(READ) - {"rack power"}
    assert meters["CDU flow"]["unit"] == "L/min" and meters["CDU supply temperature"]["mape_pct"] is None
    first = element_rows(window, "CDU supply temperature")[0]
    assert first["element"] == "cdu-1" and first["bias"] == pytest.approx(WARM.value, abs=0.1) and first["off"] > 3.0
    assert element_rows(window, "nothing") == []


def test_a_meter_is_the_same_kept_or_worked_out_alone(window: PlayedWindow) -> None:
    kept = window.series("CDU flow", "cdu-2")
    alone = PlayedWindow(window.asked, window.plant, window.store, window.replay, window.residuals, None).series("CDU flow", "cdu-2")
    for name in ("time", "measured", "predicted", "sigma"):
        assert np.array_equal(getattr(kept, name), getattr(alone, name)), name
    with pytest.raises(UsageError, match="did you mean CDU flow"):
        window.series("CDU flo", "cdu-2")
    with pytest.raises(UsageError, match="has no 'cdu-9'"):
        window.series("CDU flow", "cdu-9")


def test_figures_are_in_peoples_units_and_on_one_axis_of_time(window: PlayedWindow) -> None:
    whole, series = played(window), window.series("CDU supply temperature", "cdu-1")
    assert list(whole.data[0].y[:2]) == pytest.approx(window.replay.site_w[:2] / 1e3)
    shown = {t.name: t for t in beside(series).data}
    assert list(shown["residual"].y) == pytest.approx(list(np.array(shown["measured"].y) - np.array(shown["predicted"].y)))
    assert np.mean(shown["residual"].y) == pytest.approx(WARM.value, abs=0.1)
    assert beside(series).layout.xaxis.range == whole.layout.xaxis.range
    assert beside(series).layout.yaxis.title.text == "supply temperature [°C]" and beside(series).layout.yaxis2.title.text == "residual [K]"


def test_a_window_knows_its_steps_and_refuses_too_many() -> None:
    assert ASKED.steps == 120 and Asked(START, START + dt.timedelta(seconds=61), 60.0).steps == 2
    assert [m["value"] for m in marks(ASKED)] == [0, 20, 40, 60, 80, 100]
    assert [m["label"] for m in marks(ASKED)][:2] == ["00:00", "00:20"]
    assert [m["value"] for m in marks(Asked(START, START + dt.timedelta(minutes=2), 60.0))] == [0, 1]
    with pytest.raises(UsageError, match="more than a page can show"):
        Asked(START, START + dt.timedelta(days=60), 60.0)
