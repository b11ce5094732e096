"""One browser for all tests of a module, and a watched page of it for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.dashboards.browsing import HEIGHT, WIDTH, Watch


@pytest.fixture(scope="module")
def browser(browser_path: str) -> Iterator[Browser]:
    with sync_playwright() as p:
        found = p.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One profile for all tests, so that scripts are fetched once."""
    found = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    found.set_default_timeout(20_000)
    yield found
    found.close()


@pytest.fixture
def watch(context: BrowserContext) -> Iterator[Watch]:
    page = context.new_page()
    yield Watch(page)
    page.close()
