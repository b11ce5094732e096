"""The console in a real browser: every page, no error, nothing from outside, and what a user does on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page

from dashboards.console import PAGES, is_loopback, make_app, serve
from dashboards.session import Session
from telemetry.ingest import ingest
from telemetry.store import Store
from tests.dashboards.browsing import HEIGHT, WIDTH, Served, Watch, run
from tests.twin.sites import small_site
from topology.errors import UsageError

READY = {
    "/": "#overview-merits .card >> nth=6",
    "/floor": "#floor-map .barlayer .point >> nth=3",
    "/headroom": "#headroom-progress .empty",
    "/cases": "#cases-grid .ag-row >> nth=2",
    "/replay": "#replay-now",
    "/quality": "#quality-merits .card >> nth=3",
}
"""What is there once a page has its answer."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A small site with six hours of measured power."""
    folder, site = tmp_path_factory.mktemp("console"), small_site()
    time = pd.date_range("2026-11-20", periods=24, freq="15min", tz="UTC")
    rows = [pd.DataFrame({"time": time, "element": r, "power_w": 90e3 + 100.0 * k}) for k, r in enumerate(site.racks)]
    pd.concat(rows, ignore_index=True).to_parquet(folder / "power.parquet")
    report = ingest(site, folder / "power.parquet", folder / "store", vendor="rack-power")
    assert report.rows_stored == 24 * len(site.racks)
    return Session(site, Store.open(folder / "store"))


@pytest.fixture(scope="module")
def served(session: Session) -> Iterator[Served]:
    yield from run(session)


@pytest.fixture(scope="module")
def bare() -> Iterator[Served]:
    """A console without telemetry."""
    yield from run(Session(small_site()))


def fills(page: Page) -> list[str]:
    """Fill of every drawn cell of the hall floor."""
    found: list[str] = page.eval_on_selector_all("#floor-map .barlayer .point path", "all => all.map(p => p.style.fill + p.style.stroke)")
    return found


@pytest.mark.browser
@pytest.mark.parametrize("path", [p.path for p in PAGES])
def test_each_page_loads_without_an_error_and_asks_nobody_else(served: Served, watch: Watch, path: str) -> None:
    watch.page.goto(served.url + path)
    watch.page.wait_for_selector(READY[path])
    watch.page.wait_for_load_state("networkidle")
    assert watch.faults == []
    wide = watch.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= WIDTH


@pytest.mark.browser
def test_the_pages_work_without_telemetry_and_say_how_to_get_it(bare: Served, watch: Watch) -> None:
    watch.page.goto(bare.url)
    watch.page.wait_for_selector(READY["/"])
    assert "racktwin ingest SITE FILES --store STORE" in watch.page.inner_text("#page")
    watch.page.click("text=Hall floor")
    watch.page.wait_for_selector(READY["/floor"])
    assert watch.faults == []


@pytest.mark.browser
def test_the_overview_shows_the_solved_figures(served: Served, session: Session, watch: Watch) -> None:
    watch.page.goto(served.url + "/?u=60")
    watch.page.wait_for_selector(READY["/"])
    ledger = session.solve(0.6).state.ledger
    told = watch.page.inner_text("#overview-merits")
    assert f"{ledger.it_w[0] / 1e3:,.0f} kW" in told and f"{ledger.pue[0]:.3f}" in told and "with IT at its parts" in told
    assert "PUE, category 3" in told and f"{ledger.site_w[0] / (ledger.it_w[0] + ledger.rack_loss_w[0]):.3f}" in told
    watch.page.wait_for_selector("#overview-day .scatterlayer .trace >> nth=4", state="attached")
    assert "time [UTC]" in watch.page.inner_text("#overview-day")


@pytest.mark.browser
def test_losing_feeds_recolours_the_floor_and_the_address_gives_it_back(served: Served, watch: Watch) -> None:
    page = watch.page
    page.goto(served.url + "/floor?u=100")
    page.wait_for_selector(READY["/floor"])
    page.wait_for_selector("text=0 without supply")
    before = fills(page)
    page.click("#floor-out")
    page.click("[role=option]:has-text('busway-a')")
    page.click("[role=option]:has-text('busway-b')")
    page.wait_for_selector("text=5 without supply")
    after = fills(page)
    assert before != after
    page.wait_for_function("location.search.includes('busway-a,busway-b')")
    page.goto(page.url)
    page.wait_for_selector("text=5 without supply")
    assert page.inner_text("#floor-summary").startswith("With busway-a, busway-b lost")
    assert watch.faults == []


@pytest.mark.browser
def test_a_click_on_a_rack_opens_its_figures(served: Served, watch: Watch) -> None:
    page = watch.page
    page.goto(served.url + "/floor?q=chip")
    page.wait_for_selector(READY["/floor"])
    page.wait_for_selector("text=5 racks draw")
    box = page.locator("#floor-map .barlayer .trace:nth-child(2) .point").nth(1).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#floor-panel >> text=r2")
    text = page.inner_text("#floor-panel")
    assert "90.1 kW" in text and "tcs-1" in text and "busway-a" in text
    page.wait_for_function("location.search.includes('rack=r2')")


@pytest.mark.browser
def test_headroom_runs_from_its_address_and_exports(bare: Served, watch: Watch, tmp_path: Path) -> None:
    page = watch.page
    page.goto(bare.url + "/headroom?sku=mtia-300&by=2027-01-01&p=90")
    page.wait_for_selector("#headroom-racks", timeout=60_000)
    assert "mtia-300" in page.inner_text("#headroom-racks")
    assert "2027-01-01" in page.inner_text("#headroom-racks")
    with page.expect_download() as given:
        page.click("#headroom-export")
    given.value.save_as(tmp_path / "room.xlsx")
    assert load_workbook(tmp_path / "room.xlsx").sheetnames[0] == "summary"
    assert watch.faults == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_can_be_read_by_everyone(served: Served, browser: Browser, scheme: str) -> None:
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    found = []
    for path in ("/", "/floor?u=100&rack=r1&out=busway-a,busway-b", "/cases", "/replay"):
        page.goto(served.url + path)
        page.wait_for_selector(READY[path.partition("?")[0]] if "out" not in path else "text=5 without supply")
        page.wait_for_selector(f"html[data-mantine-color-scheme={scheme}]")
        page.wait_for_load_state("networkidle")
        for v in Axe().run(page).response["violations"]:
            if v["impact"] in ("serious", "critical"):
                found.append(f"{path} {v['id']}: {v['nodes'][0]['html'][:120]}")
    context.close()
    assert "\n".join(found) == ""


@pytest.mark.browser
def test_an_address_with_a_fault_says_what_is_wrong(served: Served, watch: Watch) -> None:
    watch.page.goto(served.url + "/floor?out=busway-x")
    watch.page.wait_for_selector("text=there is no element 'busway-x'")
    watch.page.goto(served.url + "/floor?u=many")
    watch.page.wait_for_selector("text=u=many in the address is no number")


@pytest.mark.browser
def test_light_and_dark_reach_page_figures_and_tables(served: Served, watch: Watch, tmp_path: Path) -> None:
    page = watch.page
    page.goto(served.url + "/")
    page.wait_for_selector(READY["/"])
    page.wait_for_selector("#overview-energy .node-label")
    page.wait_for_selector("#overview-limits .ag-row >> nth=1")
    page.screenshot(path=tmp_path / "light.png")

    def grounds() -> list[str]:
        chosen = ["body", "#overview-limits .ag-header"]
        return [page.eval_on_selector(s, "e => getComputedStyle(e).backgroundColor") for s in chosen]

    light = grounds()
    ink = page.eval_on_selector("#overview-energy .node-label", "e => getComputedStyle(e).fill")
    page.click("#scheme-switch")
    page.wait_for_selector("html[data-mantine-color-scheme=dark]")
    page.wait_for_function("ink => getComputedStyle(document.querySelector('#overview-energy .node-label')).fill !== ink", arg=ink)
    dark = grounds()
    page.screenshot(path=tmp_path / "dark.png")
    assert all(a != b for a, b in zip(light, dark, strict=True))
    page.reload()
    page.wait_for_selector("html[data-mantine-color-scheme=dark]")
    page.evaluate("localStorage.clear()")
    assert watch.faults == []


def test_health_has_a_body_and_every_answer_a_policy(session: Session) -> None:
    client = make_app(session).server.test_client()
    answer = client.get("/healthz", headers={"Host": "localhost:8050"})
    assert answer.status_code == 200
    assert {"status": "ok", "site": "small", "racks": 5, "store": True}.items() <= json.loads(answer.data).items()
    policy = client.get("/", headers={"Host": "localhost:8050"}).headers["Content-Security-Policy"]
    script = next(p for p in policy.split("; ") if p.startswith("script-src"))
    assert "'self'" in script and "sha256-" in script and "unsafe" not in script


def test_a_name_that_is_not_this_machine_is_refused(session: Session) -> None:
    client = make_app(session).server.test_client()
    assert client.get("/healthz", headers={"Host": "evil.example:8050"}).status_code == 403
    assert make_app(session, loopback_only=False).server.test_client().get("/healthz", headers={"Host": "rack.example"}).status_code == 200


def test_it_listens_beyond_this_machine_only_when_told(session: Session) -> None:
    with pytest.raises(UsageError, match="--allow-remote"):
        serve(session, host="0.0.0.0")
    assert [is_loopback(h) for h in ("127.0.0.5", "::1", "10.0.0.1", "rack.example")] == [True, True, False, False]


def test_a_port_in_use_is_a_usage_error(session: Session, served: Served) -> None:
    with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{served.port}"):
        serve(session, port=served.port)
