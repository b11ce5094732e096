"""Replay: a window of the past played again, and every meter beside what the twin says that it should read."""

from __future__ import annotations

import datetime as dt
from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboards.figures.replay import beside, played
from dashboards.jobs import Job, Jobs
from dashboards.pages import moment, parts
from dashboards.pages.page import Page, Query, write_query
from dashboards.pages.replay_parts import ELEMENTS, METERS, SIGNIFICANT, WIDTHS, element_rows, merits, meter_rows, unit_for
from dashboards.replay_window import Asked, PlayedWindow
from dashboards.session import Session
from dashboards.theme import blank
from topology.errors import RacktwinError, UsageError

POLL_MS, WINDOW_PX, BESIDE_PX = 250, 330, 340
DAY = dt.timedelta(days=1)
STEPS_S = (60, 300, 900, 3600)
FEW_STEPS = 2000
"""Steps of a window that is not asked for otherwise."""
SPEEDS = (("60", "1 min/s"), ("600", "10 min/s"), ("3600", "1 h/s"), ("21600", "6 h/s"))
_FORMAT = "%Y-%m-%d %H:%M:%S"
_HIDDEN: Any = {"aria-hidden": "true"}
_SIGNIFICANT = "params.value == null ? '' : d3.format(Math.abs(params.value) < 0.001 ? '.1~e' : ',.3~r')(params.value)"


def layout(session: Session, query: Query) -> Any:
    """The page for a query: ``start``, ``end``, ``step`` in s, ``at`` the cursor, ``ch`` and ``el`` the meter, ``speed``."""
    title = dmc.Group([dmc.Title("Replay", order=1, size="h3"), dmc.Text(id="replay-told", size="sm", c="dimmed")], align="baseline")
    if session.store is None:
        name = parts.site_name(session)
        hint = "There is nothing to play: no telemetry is open. Ingest some, then open the console with it:"
        commands = (f"racktwin ingest {name} FILES --store STORE", f"racktwin console {name} --store STORE")
        return dmc.Stack([title, dcc.Store(id="replay-query"), parts.empty(hint, *commands)], gap="sm")
    asked = _asked(session, query)
    at = moment.time_of(query.get("at"))
    step = 0 if at is None else min(max((at - asked.start) // dt.timedelta(seconds=asked.step_s), 0), asked.steps - 1)
    speed = query.get("speed", "600")
    shown = [
        _tape(asked, step, speed if speed in dict(SPEEDS) else "600"),
        html.Div(id="replay-merits", className="merits"),
        parts.card("The window; a click sets the cursor", parts.graph("replay-window", WINDOW_PX, "power, PUE, hottest accelerator")),
        html.Div(
            [
                parts.card("Meters, predicted beside measured", _grid("replay-meters", METERS)),
                parts.card("Elements of the chosen meter, furthest off first", _grid("replay-elements", ELEMENTS)),
            ],
            className="halves replay-split",
        ),
        parts.card(
            "The chosen meter",
            parts.graph("replay-beside", BESIDE_PX, "readings, predictions and residuals"),
            right=html.Div(dmc.Text(id="replay-chosen", size="sm", c="dimmed")),
        ),
    ]
    return dmc.Stack(
        [
            dcc.Store(id="replay-query"),
            dcc.Store(id="replay-key", data=_key(asked)),
            dcc.Store(id="replay-answer"),
            dcc.Store(id="replay-pick", data=[query.get("ch", ""), query.get("el", "")]),
            dcc.Interval(id="replay-poll", interval=POLL_MS, disabled=False),
            dcc.Interval(id="replay-tick", interval=1000, disabled=True),
            title,
            html.Div(_controls(session, asked), className="bar"),
            html.Div(id="replay-fault", className="within"),
            html.Div(id="replay-progress", className="within"),
            html.Div(dmc.Stack(shown, gap="sm"), id="replay-shown", style={"display": "none"}),
        ],
        gap="sm",
    )


def _asked(session: Session, query: Query) -> Asked:
    """The window of a URL; the last day of the store, and a step that gives few enough steps, where it says nothing.

    Raises:
        UsageError: a value that is no time or number, or a window that is not possible.
    """
    first, last = session.span
    whole = last.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
    end = moment.time_of(query.get("end")) or whole
    start = moment.time_of(query.get("start")) or max(first.replace(second=0, microsecond=0), end - DAY)
    step = moment.number(query, "step")
    if step is not None and not step >= 1.0:
        raise UsageError(f"step={step:g} in the address is not possible; write step=60, say")
    fits = (s for s in STEPS_S if (end - start).total_seconds() <= FEW_STEPS * s)
    return Asked(start, end, step or float(next(fits, STEPS_S[-1])))


def _key(asked: Asked) -> list[Any]:
    return [asked.start.isoformat(), asked.end.isoformat(), asked.step_s]


def _of(key: list[Any]) -> Asked:
    return Asked(dt.datetime.fromisoformat(key[0]), dt.datetime.fromisoformat(key[1]), float(key[2]))


def _controls(session: Session, asked: Asked) -> list[Any]:
    first, last = (t.strftime(_FORMAT) for t in session.span)
    picker = {"size": "xs", "w": 180, "valueFormat": "YYYY-MM-DD HH:mm", "minDate": first, "maxDate": last}
    steps = sorted({*STEPS_S, int(asked.step_s)})
    return [
        dmc.DateTimePicker(id="replay-start", label="From [UTC]", value=asked.start.strftime(_FORMAT), **picker),
        dmc.DateTimePicker(id="replay-end", label="To [UTC]", value=asked.end.strftime(_FORMAT), **picker),
        dmc.Select(
            id="replay-step", label="Step", size="xs", w=100, allowDeselect=False, value=str(int(asked.step_s)),
            data=[{"value": str(s), "label": f"{s // 60} min" if s % 60 == 0 else f"{s} s"} for s in steps],
        ),
        dmc.Button("Show window", id="replay-go", size="xs"),
        dmc.Button("Stop", id="replay-stop", size="xs", variant="default", disabled=True),
    ]  # fmt: skip


def _tape(asked: Asked, step: int, speed: str) -> Any:
    def button(name: str, icon: str, label: str) -> Any:
        shape = html.Span(id=f"replay-{name}-icon", className=f"icon icon-{icon}", **_HIDDEN)
        return dmc.ActionIcon(shape, id=f"replay-{name}", variant="default", size="lg", **{"aria-label": label})

    bar = dmc.Slider(
        id="replay-at", min=0, max=asked.steps - 1, step=1, value=step, size="sm", updatemode="drag", label=None, marks=marks(asked),
        thumbLabel="Step of the window", style={"flex": 1}, mb=18, mt=6, ml=14,
    )  # fmt: skip
    buttons = [
        button("back", "back", "One step back"),
        button("play", "play", "Play or pause"),
        button("forward", "forward", "One step on"),
    ]
    pace = dmc.Select(
        id="replay-speed", size="xs", w=104, value=speed, allowDeselect=False, data=[{"value": v, "label": t} for v, t in SPEEDS],
        **{"aria-label": "Recorded time in a second"},
    )  # fmt: skip
    return dmc.Paper(dmc.Group([*buttons, pace, bar], gap="sm", wrap="nowrap"), withBorder=True, p="sm", px="md")


def marks(asked: Asked) -> list[dict[str, Any]]:
    """Times below the time bar, at equal distances."""
    steps = sorted({k * asked.steps // 6 for k in range(6)})
    long = asked.end - asked.start > DAY
    times = [asked.start + dt.timedelta(seconds=s * asked.step_s) for s in steps]
    return [{"value": s, "label": f"{t:%m-%d %H:%M}" if long else f"{t:%H:%M}"} for s, t in zip(steps, times, strict=True)]


def _grid(id: str, table: Any) -> Any:
    found = parts.grid(id, table, 250, fill=False)
    for column in found.columnDefs:
        name = column["field"]
        column |= {"minWidth": WIDTHS.get(name, 60), "flex": 0} if name == "unit" else {"minWidth": WIDTHS.get(name, 60)}
        if name in SIGNIFICANT:
            column["valueFormatter"] = {"function": _SIGNIFICANT}
    return found


def progress(job: Job) -> Any:
    """How far a window is, or why there is none."""
    if job.state == "running":
        share = 100.0 * job.done / job.total if job.total else 0.0
        note = f"step {job.done:,} of {job.total:,}, {job.elapsed_s:.1f} s" if job.total else f"reading, {job.elapsed_s:.1f} s"
        bar = dmc.Progress(value=max(share, 4.0), striped=True, animated=True, size="sm")
        return dmc.Stack([bar, dmc.Text(note, size="xs", c="dimmed")], gap=2)
    if job.state == "cancelled":
        return dmc.Alert("Stopped. Nothing was kept; show the window again to get it.", color="gray", variant="light", py="xs")
    if job.state == "failed":
        return dmc.Alert(job.error, title="Nothing to play", color="orange", variant="light", icon=parts.icon("alert"))
    return None


def register(app: Dash, session: Session, jobs: Jobs) -> None:
    """Add the callbacks of the page."""
    _run(app, session, jobs)
    _show(app, jobs)
    _pick(app, jobs)
    _play(app)


def _window(jobs: Jobs, key: list[Any] | None) -> PlayedWindow | None:
    job = jobs.get(("replay", *key)) if key else None
    return job.result if job is not None and job.state == "done" else None


def _run(app: Dash, session: Session, jobs: Jobs) -> None:
    """Ask for a window, watch and stop the work."""

    @app.callback(
        Output("replay-key", "data"), Output("replay-at", "max"), Output("replay-at", "marks"),
        Output("replay-poll", "disabled", allow_duplicate=True), Output("replay-fault", "children"),
        Input("replay-go", "n_clicks"), State("replay-start", "value"), State("replay-end", "value"), State("replay-step", "value"),
        prevent_initial_call=True,
    )  # fmt: skip
    def ask(_: int, start: str | None, end: str | None, step: str) -> Any:
        try:
            given = {"start": start or "", "end": end or "", "step": step}
            asked = _asked(session, given)
        except RacktwinError as error:
            return no_update, no_update, no_update, no_update, parts.fault(error)
        return _key(asked), asked.steps - 1, marks(asked), False, None

    @app.callback(
        Output("replay-progress", "children"), Output("replay-answer", "data"), Output("replay-poll", "disabled"),
        Output("replay-stop", "disabled"), Output("replay-shown", "style"), Output("replay-told", "children"),
        Input("replay-poll", "n_intervals"), Input("replay-key", "data"), Input("replay-stop", "n_clicks"), State("replay-answer", "data"),
    )  # fmt: skip
    def poll(_: int, key: list[Any], __: int, answered: list[Any] | None) -> Any:
        name = ("replay", *key)
        if ctx.triggered_id == "replay-stop":
            jobs.cancel(name)
        job = jobs.get(name)
        if job is None or ctx.triggered_id == "replay-key":
            job = jobs.start(name, lambda tell: session.played(_of(key), progress=tell))
        done = job.state == "done"
        told = _told(job.result) if done else ""
        style = {} if done else {"display": "none"}
        answer = no_update if done and answered == key else key if done else None
        return progress(job), answer, job.state != "running", job.state != "running", style, told


def _told(window: PlayedWindow) -> str:
    asked, share = window.asked, window.residuals.assumed_frac
    span = f"{asked.start:%Y-%m-%d %H:%M} to {asked.end:%Y-%m-%d %H:%M} UTC, {window.replay.frames:,} steps of {asked.step_s:g} s"
    return span + (f", {100 * share:.1f} % of the load filled in" if share else "")


def _show(app: Dash, jobs: Jobs) -> None:
    """The window and the moment under the cursor."""

    @app.callback(Output("replay-merits", "children"), Input("replay-answer", "data"), Input("replay-at", "value"))
    def now(key: list[Any] | None, step: int) -> Any:
        window = _window(jobs, key)
        return merits(window, min(step, window.replay.frames - 1)) if window is not None else []

    @app.callback(Output("replay-window", "figure"), Input("replay-answer", "data"), Input("scheme", "data"))
    def whole(key: list[Any] | None, scheme: str) -> Any:
        window, dark = _window(jobs, key), scheme == "dark"
        if window is None:
            return blank("", dark, WINDOW_PX)
        return played(window, dark, WINDOW_PX)

    @app.callback(
        Output("replay-query", "data"),
        Input("replay-answer", "data"), Input("replay-at", "value"), Input("replay-pick", "data"), Input("replay-speed", "value"),
        Input("replay-tick", "disabled"),
    )  # fmt: skip
    def address(key: list[Any] | None, step: int, pick: list[str], speed: str, paused: bool) -> Any:
        if not key or not paused:
            return no_update
        asked = _of(key)
        times = {"start": asked.start, "end": asked.end, "at": asked.start + dt.timedelta(seconds=step * asked.step_s)}
        shown = {k: t.strftime("%Y-%m-%dT%H:%M:%SZ") for k, t in times.items()}
        usual = None if speed == "600" else speed
        return write_query({**shown, "step": f"{asked.step_s:g}", "ch": pick[0], "el": pick[1], "speed": usual})


def _pick(app: Dash, jobs: Jobs) -> None:
    """Meters, their elements, and one of them beside the twin."""

    @app.callback(
        Output("replay-pick", "data"), Output("replay-meters", "rowData"), Output("replay-elements", "rowData"),
        Input("replay-answer", "data"), Input("replay-meters", "selectedRows"), Input("replay-elements", "selectedRows"),
        State("replay-pick", "data"),
    )  # fmt: skip
    def pick(key: list[Any] | None, meter: list[Any] | None, element: list[Any] | None, now: list[str]) -> Any:
        window = _window(jobs, key)
        if window is None:
            return no_update, [], []
        channel, name = now
        if ctx.triggered_id == "replay-meters" and meter and meter[0]["meter"] != channel:
            channel, name = meter[0]["meter"], ""
        elif ctx.triggered_id == "replay-elements" and element:
            return [channel, element[0]["element"]], no_update, no_update
        elif ctx.triggered_id in ("replay-meters", "replay-elements"):
            return no_update, no_update, no_update
        meters = meter_rows(window)
        channel = channel if channel in {m["meter"] for m in meters} else next((m["meter"] for m in meters), "")
        elements = element_rows(window, channel)
        name = name if name in {e["element"] for e in elements} else next((e["element"] for e in elements), "")
        return [channel, name], meters if ctx.triggered_id != "replay-meters" else no_update, elements

    @app.callback(
        Output("replay-beside", "figure"), Output("replay-chosen", "children"),
        Input("replay-pick", "data"), Input("replay-answer", "data"), Input("scheme", "data"),
    )  # fmt: skip
    def side(pick: list[str], key: list[Any] | None, scheme: str) -> Any:
        window, dark = _window(jobs, key), scheme == "dark"
        if window is None or not all(pick):
            hint = "no meter besides those that the load was made of" if window is not None else ""
            return blank(hint, dark, BESIDE_PX), ""
        try:
            series = window.series(*pick)
        except RacktwinError as error:
            return blank(str(error), dark, BESIDE_PX), ""
        told = f"{pick[0]} of {pick[1]}, residuals in {unit_for(pick[0])[1] or '1'}"
        return beside(series, dark, BESIDE_PX), told


def _play(app: Any) -> None:
    """The time bar, in the browser itself."""
    app.clientside_callback(
        ClientsideFunction("console", "tape"),
        Output("replay-at", "value"), Output("replay-tick", "disabled"), Output("replay-tick", "interval"),
        Output("replay-play-icon", "className"),
        Input("replay-tick", "n_intervals"), Input("replay-play", "n_clicks"), Input("replay-back", "n_clicks"),
        Input("replay-forward", "n_clicks"), Input("replay-window", "clickData"), Input("replay-key", "data"),
        Input("replay-speed", "value"),
        State("replay-at", "value"), State("replay-at", "max"), State("replay-tick", "disabled"), State("replay-key", "data"),
        prevent_initial_call=True,
    )  # fmt: skip
    figures = (Input("replay-window", "figure"), Input("replay-beside", "figure"))
    app.clientside_callback(ClientsideFunction("console", "cursor"), Input("replay-at", "value"), *figures)


PAGE = Page("/replay", "Replay", "replay", layout, register)
