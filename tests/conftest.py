"""What every test may use, and the one line that says why browser tests were skipped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import ONE_THREAD, peers_python
from tests import agreements

NO_RECORDINGS = "no measured data: set RACKTWIN_DATA to the folder of the recordings"
NO_BROWSER = "no Chromium: set RACKTWIN_BROWSER, or put chromium on PATH"
NO_PEERS = "the programs to compare with are not installed: make peers"
AskPeer = Callable[..., dict[str, Any]]
AGREEMENTS = agreements.Agreements()
collect_ignore = ["peers"]


def find_browser() -> str | None:
    """Path of the Chromium for browser tests, ``None`` where there is none.

    A RACKTWIN_BROWSER that names nothing is an error and not a skip.
    """
    named = os.environ.get("RACKTWIN_BROWSER", "")
    if named:
        if shutil.which(named) is None:
            raise pytest.UsageError(f"RACKTWIN_BROWSER names no program: {named}")
        return named
    return shutil.which("chromium")


@pytest.fixture(scope="session")
def root() -> Path:
    """Folder of the checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def recordings(root: Path) -> Path:
    """Folder of measured data: RACKTWIN_DATA, else ``shared/data`` beside the checkout; tests that need it skip where it is absent."""
    named = os.environ.get("RACKTWIN_DATA", "")
    folder = Path(named) if named else root.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(NO_RECORDINGS)
    return folder


@pytest.fixture(scope="session")
def ask_peer(root: Path) -> AskPeer:
    """``ask_peer("name", key=value, ...)`` runs ``tests/peers/name.py`` with the peers' interpreter: JSON in, one JSON document out.

    Where the peers are not installed the test skips, and fails under RACKTWIN_NEED_PEERS (which ``make test`` sets).
    """
    python = peers_python()
    if python is None:
        if os.environ.get("RACKTWIN_NEED_PEERS"):
            pytest.fail(NO_PEERS)
        pytest.skip(NO_PEERS)

    def ask(script: str, **arguments: Any) -> dict[str, Any]:
        command = [str(python), str(root / "tests" / "peers" / f"{script}.py")]
        environment = {**os.environ, **ONE_THREAD}
        done = subprocess.run(
            command, input=json.dumps(arguments), capture_output=True, text=True, env=environment, timeout=300, check=False
        )
        if done.returncode != 0:
            raise AssertionError(f"the peer {script} failed:\n{done.stderr}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return ask


@pytest.fixture(scope="session")
def agreement() -> agreements.Agreements:
    """``agreement(area, what, against, apart, allowed, unit)``: hold a result against another's, and keep the number."""
    return AGREEMENTS


@pytest.fixture(scope="session")
def browser_path() -> str:
    """Path of the Chromium to launch: ``launch(executable_path=browser_path, args=["--no-sandbox"])``."""
    found = find_browser()
    if found is None:
        pytest.skip(NO_BROWSER)
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked ``browser`` where there is none, so that nothing starts a server for it."""
    marked = [i for i in items if i.get_closest_marker("browser")]
    if marked and find_browser() is None:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=NO_BROWSER))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for all skipped browser tests; the page of comparisons where it is asked for."""
    agreements.write(AGREEMENTS.rows)
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if isinstance(r.longrepr, tuple) and NO_BROWSER in r.longrepr[2]]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} browser tests skipped: {NO_BROWSER}", yellow=True)
