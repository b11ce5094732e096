"""A console that runs, and what went wrong in a page of it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Page, Request
from waitress import create_server

if TYPE_CHECKING:
    from dashboards.session import Session


WIDTH, HEIGHT = 1440, 900


@dataclass
class Served:
    """A running console."""

    url: str
    port: int


def run(session: Session) -> Iterator[Served]:
    """Serve a session in a thread."""
    from dashboards.console import make_app

    server: Any = create_server(make_app(session).server, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield Served(f"http://127.0.0.1:{server.effective_port}", server.effective_port)
    server.close()


@dataclass
class Watch:
    """What went wrong in a page."""

    page: Page
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda e: self.faults.append(f"error: {e}"))
        self.page.on("console", lambda m: self.faults.append(f"console: {m.text}") if m.type == "error" else None)
        self.page.on("response", lambda r: self.faults.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
        self.page.on("request", self._asked)

    def _asked(self, request: Request) -> None:
        if not re.match(r"(http://127\.0\.0\.1:\d+/|data:|blob:)", request.url):
            self.faults.append(f"left the machine: {request.url}")
