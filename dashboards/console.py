"""The console: a Dash app on an open session, and the server that it runs in.

Nothing leaves the machine: scripts, styles and icons come from the app itself, and the content security policy of every answer
refuses anything else. Until there is a sign-in it answers on the loopback address only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dash_mantine_components as dmc
import flask
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, dcc, html

from dashboards.jobs import Jobs
from dashboards.pages import cases, floor, headroom, overview, parts, quality, replay
from dashboards.pages.page import Page, read_query
from dashboards.session import Session
from dashboards.theme import MANTINE
from topology.errors import RacktwinError, UsageError

PAGES: tuple[Page, ...] = (overview.PAGE, floor.PAGE, headroom.PAGE, cases.PAGE, replay.PAGE, quality.PAGE)
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
THREADS = 8


def make_app(session: Session, loopback_only: bool = True) -> Dash:
    """Build the console of a session.

    Args:
        session: an open site; it is solved once, so that the first page is quick.
        loopback_only: answer only requests that name this machine, which keeps other web pages from reading it by a name of
            their own (DNS rebinding).

    Returns:
        The app; ``app.server`` is its Flask server.
    """
    app = Dash(
        "dashboards.console",
        title=f"{session.site.settings.name} - racktwin",
        update_title="",
        suppress_callback_exceptions=True,
        assets_folder=str(Path(__file__).parent / "assets"),
        serve_locally=True,
    )
    app.index_string = app.index_string.replace("<html>", '<html lang="en">')
    jobs = Jobs()
    session.solve(1.0)
    app.layout = _shell(session)
    _navigate(app, session)
    for page in PAGES:
        page.register(app, session, jobs)
    _guard(app, session, loopback_only)
    return app


def serve(
    session: Session, host: str = "127.0.0.1", port: int = 8050, allow_remote: bool = False, ready: Callable[[str], None] | None = None
) -> None:
    """Serve the console until it is interrupted.

    Args:
        session: an open site.
        host: address to listen on.
        port: port; 0 takes a free one.
        allow_remote: listen beyond the loopback address although there is no sign-in: everyone who reaches it sees everything.
        ready: called with the URL once it listens.

    Raises:
        UsageError: an address beyond loopback without ``allow_remote``, or one that cannot be listened on.
    """
    from waitress import create_server

    local = is_loopback(host)
    if not local and not allow_remote:
        raise UsageError(
            f"{host} is reachable from other machines and the console has no sign-in yet; leave --host out, or add --allow-remote "
            "where the network itself is trusted"
        )
    app = make_app(session, loopback_only=local)
    try:
        server = create_server(app.server, host=host, port=port, threads=THREADS, ident="racktwin")
    except OSError as error:
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror or error}; choose another with --port") from error
    if ready:
        shown = f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{getattr(server, 'effective_port', port)}/")
    try:
        server.run()
    except KeyboardInterrupt:
        return
    finally:
        server.close()


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own.

    >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _shell(session: Session) -> Any:
    links = [
        dmc.NavLink(
            label=p.title, href=p.path, leftSection=parts.icon(p.icon), id={"type": "nav", "path": p.path}, active=False, variant="light"
        )
        for p in PAGES
    ]
    switch = dmc.ActionIcon(
        parts.icon("scheme"), id="scheme-switch", variant="subtle", color="gray", size="lg", **{"aria-label": "Switch light and dark"}
    )
    brand = dmc.Group(
        [parts.icon("mark"), dmc.Text("racktwin", fw=700, size="sm"), dmc.Text(session.site.settings.name, size="sm", c="dimmed")], gap=8
    )
    store = f"telemetry: {session.store.where}" if session.store else "no telemetry"
    tools = dmc.Group(
        [html.Div(dmc.Text(store, size="xs", c="dimmed", truncate="start", maw=420), title=store), html.Div(switch, id="scheme-tip")],
        gap="sm",
        wrap="nowrap",
    )
    footer = dmc.Text(
        f"{len(session.site.racks)} racks, {len(session.site.positions)} positions, version {version('racktwin')}",
        size="xs",
        c="dimmed",
        px="sm",
        py="xs",
    )
    return dmc.MantineProvider(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Store(id="scheme", storage_type="local"),
            dmc.AppShell(
                [
                    dmc.AppShellHeader(dmc.Group([brand, tools], h="100%", px="md", justify="space-between", wrap="nowrap")),
                    dmc.AppShellNavbar([dmc.AppShellSection(links, grow=True, p=8), dmc.AppShellSection(footer)]),
                    dmc.AppShellMain(html.Div(id="page")),
                ],
                header={"height": 46},
                navbar={"width": 176, "breakpoint": "sm", "collapsed": {"mobile": False}},
                padding="md",
            ),
        ],
        id="provider",
        theme=MANTINE,
        forceColorScheme="light",
    )


def _navigate(app: Any, session: Session) -> None:
    """Pages by path, the address bar by what a page shows, and the colour scheme."""

    @app.callback(Output("page", "children"), Input("url", "pathname"), State("url", "search"))
    def page(path: str | None, search: str | None) -> Any:
        found = next((p for p in PAGES if p.path == path), None)
        if found is None:
            return dmc.Stack([dmc.Title("There is no such page", order=1, size="h3"), dmc.Anchor("Overview", href="/")], gap="xs")
        try:
            return found.layout(session, read_query(search))
        except RacktwinError as error:
            return dmc.Stack(
                [dmc.Title(found.title, order=1, size="h3"), parts.fault(error), dmc.Anchor("Start afresh", href=found.path, refresh=True)],
                gap="sm",
            )

    for p in PAGES:
        app.clientside_callback(ClientsideFunction("console", "address"), Input(f"{p.icon}-query", "data"))
    app.clientside_callback(
        ClientsideFunction("console", "scheme"), Output("scheme", "data"), Input("scheme-switch", "n_clicks"), State("scheme", "data")
    )
    app.clientside_callback(
        ClientsideFunction("console", "dress"),
        Output("provider", "forceColorScheme"),
        Output("scheme-tip", "title"),
        Input("scheme", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("console", "active"),
        Output({"type": "nav", "path": ALL}, "active"),
        Input("url", "pathname"),
        State({"type": "nav", "path": ALL}, "id"),
    )


def _guard(app: Any, session: Session, loopback_only: bool) -> None:
    """Health route, names that are answered, and headers of every answer."""
    hashes = " ".join(f"{h}" for h in app.csp_hashes())
    policy = "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {hashes}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        )
    )
    server = app.server

    @server.before_request
    def named_here() -> Any:
        name = flask.request.host.rsplit(":", 1)[0] if not flask.request.host.endswith("]") else flask.request.host
        if loopback_only and name not in LOOPBACK_NAMES and not is_loopback(name):
            return flask.Response("this console answers to localhost only", 403, mimetype="text/plain")
        return None

    @server.route("/healthz")
    def health() -> Any:
        return flask.jsonify(
            status="ok",
            site=session.site.settings.name,
            racks=len(session.site.racks),
            store=session.store is not None,
            version=version("racktwin"),
        )

    @server.after_request
    def headers(response: flask.Response) -> flask.Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response
