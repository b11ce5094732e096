"""``racktwin console``."""

from __future__ import annotations

from typing import Annotated

import typer

from dashboards.commands.options import Calibration, Json, SiteArgument, Store, open_session
from dashboards.commands.output import emit, note

_Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")]
_Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
_Remote = Annotated[
    bool, typer.Option("--allow-remote", help="Listen beyond this machine although there is no sign-in: who reaches it sees everything.")
]


def console(
    site: SiteArgument, store: Store = None, host: _Host = "127.0.0.1", port: _Port = 8050, allow_remote: _Remote = False,
    calibration: Calibration = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Serve the console of a site: overview, hall floor and headroom, in a browser on this machine.

    Example: `racktwin console mysite --store mystore`, then open http://127.0.0.1:8050. Stop it with Ctrl+C.

    With --json the address is printed as one document once it listens.
    """
    session = open_session(site, store, calibration)
    from dashboards.console import serve

    name = session.site.settings.name

    def ready(url: str) -> None:
        if as_json:
            emit({"site": name, "url": url}, True, lambda out: out.print(url))
        else:
            note(f"{name}: {url} (stop with Ctrl+C)")

    serve(session, host, port, allow_remote, ready)
