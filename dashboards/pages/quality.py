"""Data quality: which sensors can be trusted, why not and since when, and one of them with its doubtful stretches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboards import quality_answers
from dashboards.exports import Table
from dashboards.figures.quality import coverage, sensor
from dashboards.jobs import Job, Jobs
from dashboards.pages import moment, parts
from dashboards.pages.page import Page, Query, write_query
from dashboards.quality_series import sensor_series
from dashboards.session import Session
from dashboards.theme import blank
from telemetry.quality.doubt import Doubt, Sensor
from telemetry.quality.judge import Quality
from topology.errors import RacktwinError, UsageError

POLL_MS, SERIES_PX, GRID_PX = 300, 360, 300
SPAN = dt.timedelta(days=2)
"""Window that is looked at where none is asked for: the last of the store."""
STEPS_S = (15, 60, 300, 900)
MOST_ROWS = 2000
"""Sensors that the table holds; those without a doubt and without a gap are left out."""
FINDINGS, SENSORS = "findings", "sensors"
_FORMAT = "%Y-%m-%d %H:%M:%S"
_WIDTHS = {
    "element": (110, 0.8), "part": (84, 0.5), "quantity": (128, 0.8), "level": (62, 0.3), "detector": (98, 0.5), "detectors": (98, 0.5),
    "since": (142, 0.3), "until": (142, 0.3), "score": (62, 0.3), "samples": (86, 0.3), "score_pct": (68, 0.3), "coverage_pct": (84, 0.3),
    "readings": (80, 0.3), "reason": (380, 6.0),
}  # fmt: skip
"""Least width of a column [pixels], and its share of the rest."""


def layout(session: Session, query: Query) -> Any:
    """The page for a query: ``start``, ``end``, ``step`` in s, ``show``, and the chosen sensor ``el``, ``part``, ``qty``, ``lev``."""
    title = dmc.Group([dmc.Title("Data quality", order=1, size="h3"), dmc.Text(id="quality-told", size="sm", c="dimmed")], align="baseline")
    if session.store is None:
        name = parts.site_name(session)
        hint = "There are no readings to judge: no telemetry is open. Ingest some, then open the console with it:"
        commands = (f"racktwin ingest {name} FILES --store STORE", f"racktwin console {name} --store STORE")
        return dmc.Stack([title, dcc.Store(id="quality-query"), parts.empty(hint, *commands)], gap="sm")
    start, end, step_s = _asked(session, query)
    show = SENSORS if query.get("show") == SENSORS else FINDINGS
    pick = [query.get(k, "") for k in ("el", "part", "qty", "lev")]
    return dmc.Stack(
        [
            dcc.Store(id="quality-query"),
            dcc.Store(id="quality-key", data=[start.isoformat(), end.isoformat(), step_s]),
            dcc.Store(id="quality-answer"),
            dcc.Store(id="quality-pick", data=pick if any(pick) else None),
            dcc.Interval(id="quality-poll", interval=POLL_MS, disabled=False),
            title,
            html.Div(_controls(session, start, end, step_s), className="bar"),
            html.Div(id="quality-fault", className="within"),
            html.Div(id="quality-progress", className="within"),
            html.Div(dmc.Stack(_shown(show), gap="sm"), id="quality-shown", style={"display": "none"}),
        ],
        gap="sm",
    )


def _shown(show: str) -> list[Any]:
    choice = dmc.SegmentedControl(
        id="quality-show", size="xs", value=show, data=[{"value": FINDINGS, "label": "Findings"}, {"value": SENSORS, "label": "Sensors"}]
    )
    right = dmc.Group([choice, parts.export_button("quality-export")], gap="xs", wrap="nowrap")
    table = html.Div(_grid(quality_answers.doubt_table(())), id="quality-table")
    chosen = html.Div(dmc.Text(id="quality-chosen", size="sm", c="dimmed"))
    return [
        html.Div(id="quality-merits", className="merits"),
        parts.card("What to look at; a click shows the readings", table, right=right),
        html.Div(
            [
                parts.card(
                    "The chosen sensor",
                    parts.graph("quality-series", SERIES_PX, "readings of the chosen sensor", "reading ..."),
                    html.Div(id="quality-why"),
                    right=chosen,
                ),
                parts.card("Readings that are there, hour by hour", parts.graph("quality-coverage", SERIES_PX, "share of readings there")),
            ],
            className="halves quality-split",
        ),
    ]


def _grid(table: Table) -> Any:
    found = parts.grid("quality-grid", table, GRID_PX)
    for column in found.columnDefs:
        width, share = _WIDTHS.get(column["field"], (80, 0.5))
        column |= {"minWidth": width, "flex": share}
        if column["field"] in ("since", "until"):
            column["valueFormatter"] = {"function": "(params.value || '').slice(0, 16).replace('T', ' ')"}
        if column["field"] == "score":
            column["valueFormatter"] = {"function": "d3.format('.2f')(params.value)"}
    return found


def _asked(session: Session, query: Query) -> tuple[dt.datetime, dt.datetime, float]:
    """The window of a URL; the last two days of the store where it says nothing.

    Raises:
        UsageError: a value that is no time or number, or a window that is not possible.
    """
    first, last = session.span
    end = moment.time_of(query.get("end")) or last.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
    start = moment.time_of(query.get("start")) or max(first.replace(second=0, microsecond=0), end - SPAN)
    step_s = moment.number(query, "step") or 60.0
    if not step_s >= 1.0:
        raise UsageError(f"step={step_s:g} in the address is not possible; write step=60, say")
    if end <= start:
        raise UsageError(f"the window ends ({end:%Y-%m-%d %H:%M}) before it begins ({start:%Y-%m-%d %H:%M})")
    return start, end, step_s


def _controls(session: Session, start: dt.datetime, end: dt.datetime, step_s: float) -> list[Any]:
    first, last = (t.strftime(_FORMAT) for t in session.span)
    picker = {"size": "xs", "w": 180, "valueFormat": "YYYY-MM-DD HH:mm", "minDate": first, "maxDate": last}
    steps = sorted({*STEPS_S, int(step_s)})
    return [
        dmc.DateTimePicker(id="quality-start", label="From [UTC]", value=start.strftime(_FORMAT), **picker),
        dmc.DateTimePicker(id="quality-end", label="To [UTC]", value=end.strftime(_FORMAT), **picker),
        dmc.Select(
            id="quality-step", label="Step", size="xs", w=100, allowDeselect=False, value=str(int(step_s)),
            data=[{"value": str(s), "label": f"{s // 60} min" if s % 60 == 0 else f"{s} s"} for s in steps],
        ),
        dmc.Button("Judge", id="quality-go", size="xs"),
        dmc.Button("Stop", id="quality-stop", size="xs", variant="default", disabled=True),
    ]  # fmt: skip


def merits(quality: Quality) -> list[Any]:
    """The answer as figures of merit."""
    told = quality_answers.answer(quality, 0)
    mean, low, count = told["mean_score_frac"], told["sensors_below_90_pct"], told["findings"]
    kinds = ", ".join(f"{n} {k}" for k, n in list(told["findings_by_reason"].items())[:4])
    return [
        parts.merit("Findings", f"{count}", "", kinds or "no doubt about any sensor", bad=count > 0, id="quality-count"),
        parts.merit("Mean score", f"{mean:.3f}" if mean is not None else parts.NOTHING, "", "1 is a sensor without a gap or doubt"),
        parts.merit("Sensors below 0.9", f"{low:,}", "", f"of {told['sensors']:,}"),
        parts.merit("Readings", f"{told['readings']:,}", "", f"in steps of {quality.step_s:g} s"),
    ]


def progress(job: Job) -> Any:
    """How far a window is, or why there is no answer."""
    if job.state == "running":
        share = 100.0 * job.done / job.total if job.total else 0.0
        note = f"day {job.done} of {job.total}, {job.elapsed_s:.0f} s" if job.total else f"reading, {job.elapsed_s:.0f} s"
        bar = dmc.Progress(value=max(share, 4.0), striped=True, animated=True, size="sm")
        return dmc.Stack([bar, dmc.Text(note, size="xs", c="dimmed")], gap=2)
    if job.state == "cancelled":
        return dmc.Alert("Stopped. Nothing was kept; judge the window again to get an answer.", color="gray", variant="light", py="xs")
    if job.state == "failed":
        return dmc.Alert(job.error, title="No answer", color="orange", variant="light", icon=parts.icon("alert"))
    return None


def why(doubts: Sequence[Doubt]) -> Any:
    """Reasons in full, the gravest first."""
    lines = [(f"{d.detector} since {d.since:%Y-%m-%d %H:%M}", parts.degrees(d.reason)) for d in doubts[:_REASONS]]
    if len(doubts) > _REASONS:
        lines.append((f"and {len(doubts) - _REASONS} more", ""))
    shown = [dmc.Text([dmc.Text(f"{head}: ", span=True, fw=600), text], size="xs") for head, text in lines]
    return dmc.Stack(shown or [dmc.Text("No doubt about this sensor.", size="xs", c="dimmed")], gap=4)


_REASONS = 5


def register(app: Dash, session: Session, jobs: Jobs) -> None:
    """Add the callbacks of the page."""
    _run(app, session, jobs)
    _show(app, session, jobs)
    _pick(app, session, jobs)


def _found(jobs: Jobs, key: list[Any] | None) -> Quality | None:
    job = jobs.get(("quality", *key)) if key else None
    return job.result if job is not None and job.state == "done" else None


def _run(app: Dash, session: Session, jobs: Jobs) -> None:
    """Ask for a window, watch and stop the work."""

    @app.callback(
        Output("quality-key", "data"), Output("quality-poll", "disabled", allow_duplicate=True), Output("quality-fault", "children"),
        Input("quality-go", "n_clicks"), State("quality-start", "value"), State("quality-end", "value"), State("quality-step", "value"),
        prevent_initial_call=True,
    )  # fmt: skip
    def ask(_: int, start: str | None, end: str | None, step: str) -> Any:
        try:
            first, last, step_s = _asked(session, {"start": start or "", "end": end or "", "step": step})
        except RacktwinError as error:
            return no_update, no_update, parts.fault(error)
        return [first.isoformat(), last.isoformat(), step_s], False, None

    @app.callback(
        Output("quality-progress", "children"), Output("quality-answer", "data"), Output("quality-poll", "disabled"),
        Output("quality-stop", "disabled"), Output("quality-shown", "style"), Output("quality-told", "children"),
        Input("quality-poll", "n_intervals"), Input("quality-key", "data"), Input("quality-stop", "n_clicks"),
        State("quality-answer", "data"),
    )  # fmt: skip
    def poll(_: int, key: list[Any], __: int, answered: list[Any] | None) -> Any:
        name = ("quality", *key)
        if ctx.triggered_id == "quality-stop":
            jobs.cancel(name)
        job = jobs.get(name)
        if job is None or ctx.triggered_id == "quality-key":
            start, end = (dt.datetime.fromisoformat(t) for t in key[:2])
            job = jobs.start(name, lambda tell: quality_answers.judged(session, start, end, float(key[2]), tell))
        done = job.state == "done"
        told = f"{job.result.start:%Y-%m-%d %H:%M} to {job.result.end:%Y-%m-%d %H:%M} UTC" if done else ""
        answer = no_update if done and answered == key else key if done else None
        return progress(job), answer, job.state != "running", job.state != "running", {} if done else {"display": "none"}, told


def _show(app: Dash, session: Session, jobs: Jobs) -> None:
    """The answer: figures of merit, the table, coverage, and the export."""

    @app.callback(Output("quality-merits", "children"), Output("quality-table", "children"), Input("quality-answer", "data"),
                  Input("quality-show", "value"))  # fmt: skip
    def answer(key: list[Any] | None, show: str) -> Any:
        quality = _found(jobs, key)
        if quality is None:
            return [], no_update
        if show == FINDINGS and not quality.doubts:
            return merits(quality), parts.empty("No doubt about any sensor in this window.")
        if show == SENSORS:
            table = quality_answers.sensor_table([v for v in quality.verdicts if v.score < 1.0 or v.doubts][:MOST_ROWS])
            return merits(quality), _grid(table) if table.rows else parts.empty("Every sensor has the score 1.")
        return merits(quality), _grid(quality_answers.doubt_table(quality.doubts))

    @app.callback(Output("quality-coverage", "figure"), Output("quality-coverage", "style"), Input("quality-answer", "data"),
                  Input("scheme", "data"))  # fmt: skip
    def there(key: list[Any] | None, scheme: str) -> Any:
        quality, dark = _found(jobs, key), scheme == "dark"
        if quality is None:
            return blank("", dark, SERIES_PX), {"height": f"{SERIES_PX}px"}
        figure = coverage(quality, dark, SERIES_PX)
        return figure, {"height": f"{figure.layout.height}px"}

    @app.callback(
        Output("quality-export-file", "data"), Input("quality-export", "n_clicks"), State("quality-answer", "data"),
        prevent_initial_call=True,
    )  # fmt: skip
    def export(_: int, key: list[Any] | None) -> Any:
        quality = _found(jobs, key)
        if quality is None:
            return no_update
        tables = (quality_answers.doubt_table(quality.doubts), quality_answers.sensor_table(quality.verdicts))
        return parts.workbook(session, "quality", tables, {"start": quality.start, "end": quality.end, "step [s]": quality.step_s})


def chosen(quality: Quality, pick: list[str] | None) -> Sensor | None:
    """The sensor that a row names; of a row about several of them the one with the lowest score, of none the lowest of all."""
    if pick is None:
        first = quality.doubts[0] if quality.doubts else None
        pick = [first.element, first.part, first.quantity, first.level] if first is not None else ["", "", "", ""]
    names = ("element", "part", "quantity", "level")
    asked = [(n, value) for n, value in zip(names, pick, strict=True) if value]
    fits = (v.sensor for v in quality.verdicts if all(getattr(v.sensor, n) == value for n, value in asked))
    return next(fits, None)


def _pick(app: Dash, session: Session, jobs: Jobs) -> None:
    """One sensor, and the address of what is shown."""

    @app.callback(Output("quality-pick", "data"), Input("quality-grid", "selectedRows"), prevent_initial_call=True)
    def pick(rows: list[dict[str, Any]] | None) -> Any:
        return [rows[0][k] or "" for k in ("element", "part", "quantity", "level")] if rows else no_update

    @app.callback(
        Output("quality-series", "figure"), Output("quality-chosen", "children"), Output("quality-why", "children"),
        Input("quality-answer", "data"), Input("quality-pick", "data"), Input("scheme", "data"),
    )  # fmt: skip
    def series(key: list[Any] | None, pick: list[str] | None, scheme: str) -> Any:
        quality, dark = _found(jobs, key), scheme == "dark"
        if quality is None:
            return blank("", dark, SERIES_PX), "", None
        wanted = chosen(quality, pick)
        if wanted is None:
            return blank("no such sensor in this window", dark, SERIES_PX), "", None
        try:
            shown = sensor_series(session, quality, wanted)
        except RacktwinError as error:
            return blank(str(error), dark, SERIES_PX), "", None
        score = next(v.score for v in quality.verdicts if v.sensor == wanted)
        name = f"{wanted.element} {wanted.part}".strip()
        told = f"{name}, {wanted.quantity}, {wanted.level}: score {score:.3f}"
        return sensor(shown, dark, SERIES_PX), told, why(shown.doubts)

    @app.callback(
        Output("quality-query", "data"), Input("quality-answer", "data"), Input("quality-show", "value"), Input("quality-pick", "data"),
    )  # fmt: skip
    def address(key: list[Any] | None, show: str, pick: list[str] | None) -> Any:
        if not key:
            return no_update
        times = {k: dt.datetime.fromisoformat(t).strftime("%Y-%m-%dT%H:%M:%SZ") for k, t in zip(("start", "end"), key[:2], strict=True)}
        el = dict(zip(("el", "part", "qty", "lev"), pick or ("", "", "", ""), strict=True))
        return write_query({**times, "step": f"{key[2]:g}", "show": show if show == SENSORS else None, **el})


PAGE = Page("/quality", "Data quality", "quality", layout, register)
