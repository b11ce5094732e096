"""Headroom: how many more racks of a SKU fit by a date, where, what binds and what frees most; long work that can be stopped."""

from __future__ import annotations

import datetime as dt
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboards.exports import headroom_tables
from dashboards.figures.bars import reliefs
from dashboards.figures.floor import placement, plan
from dashboards.jobs import Job, Jobs
from dashboards.pages import parts
from dashboards.pages.moment import number
from dashboards.pages.page import Page, Query, write_query
from dashboards.readable import text
from dashboards.session import Session
from dashboards.theme import blank
from topology.errors import UsageError
from topology.models import Sku
from twin.headroom.room import Room

POLL_MS = 400
CHANCES = (50, 80, 90, 95, 99)


def layout(session: Session, query: Query) -> Any:
    """The page for a query: ``sku``, ``by``, ``p`` in per cent; with ``sku`` it starts at once."""
    sku, by, chance = _asked(session, query)
    asked = "sku" in query
    note = dmc.Text("how many more racks fit, under every single failure", size="sm", c="dimmed")
    return dmc.Stack(
        [
            dcc.Store(id="headroom-query"),
            dcc.Store(id="headroom-key", data=[sku, by, chance] if asked else None),
            dcc.Store(id="headroom-answer"),
            dcc.Interval(id="headroom-poll", interval=POLL_MS, disabled=not asked),
            dmc.Group([dmc.Title("Headroom", order=1, size="h3"), note], align="baseline"),
            html.Div(_controls(session, sku, by, chance), className="bar"),
            html.Div(id="headroom-progress"),
            html.Div(id="headroom-merits", className="merits"),
            html.Div(_found(session), className="head-split", id="headroom-found", style={"display": "none"}),
        ],
        gap="sm",
    )


def _controls(session: Session, sku: str, by: str, chance: float) -> list[Any]:
    choices = [{"value": n, "label": _title(session, n)} for n in session.site.catalog.names("sku")]
    chances = [{"value": f"{c:g}", "label": f"{c:g} %"} for c in sorted({*CHANCES, chance})]
    asked = dmc.SegmentedControl(id="headroom-chance", size="xs", value=f"{chance:g}", data=chances)
    return [
        dmc.Select(id="headroom-sku", label="Rack SKU", size="xs", w=330, searchable=True, allowDeselect=False, value=sku, data=choices),
        dmc.DatePickerInput(id="headroom-by", label="Live by", size="xs", w=140, value=by, valueFormat="YYYY-MM-DD"),
        dmc.Stack([dmc.Text("Probability that every limit holds", size="xs", fw=500), asked], gap=2),
        dmc.Button("Work it out", id="headroom-go", size="xs"),
        dmc.Button("Stop", id="headroom-stop", size="xs", variant="default", disabled=True),
    ]


def _found(session: Session) -> list[Any]:
    where = parts.graph("headroom-map", plan(session.site).height_px, "positions of the new racks")
    why = [
        parts.card("What stops the next rack", html.Div(id="headroom-binding")),
        parts.card("What frees most", parts.graph("headroom-frees", 0, "changes and the racks that they free")),
    ]
    return [
        parts.card("Where they go, in this order", where, right=parts.export_button("headroom-export")),
        dmc.Stack(why, gap="sm"),
    ]


def _asked(session: Session, query: Query) -> tuple[str, str, float]:
    """SKU, date and probability in per cent of a URL, defaults where it gives none."""
    names = session.site.catalog.names("sku")
    usual = next((n for n in ("gb300-nvl72", *names) if n in names), "")
    sku = query.get("sku", usual)
    if sku not in names:
        session.site.model("sku", sku, Sku)
    by = query.get("by") or (session.site.settings.horizon or dt.datetime.now(dt.UTC).date()).isoformat()
    _date(by)
    return sku, by, number(query, "p") or 95.0


def _date(value: str) -> dt.date:
    try:
        return dt.date.fromisoformat(value[:10])
    except ValueError:
        raise UsageError(f"{value!r} is no date; write 2027-06-30, say") from None


def _title(session: Session, name: str) -> str:
    sku = session.site.model("sku", name, Sku)
    return f"{name}  ({text(sku.allocated_w if sku.allocated_w is not None else sku.nameplate_w, 'w')}, {sku.cooling})"


def merits(room: Room) -> list[Any]:
    """The answer as figures of merit."""
    first = room.binding[0] if room.binding else None
    best = room.frees_most[0] if room.frees_most else None
    return [
        parts.merit(
            "Racks that fit",
            f"{room.racks}",
            f"more {room.sku}",
            f"by {room.by.isoformat()}, {room.free} suitable positions are free",
            id="headroom-racks",
        ),
        parts.merit(
            "Probability",
            f"{100 * room.reached_frac:.0f}",
            "%",
            f"asked for {100 * room.probability:g} %; scenarios of demand: {room.scenarios}, cases: {room.cases}",
        ),
        parts.merit("Basis of demand", room.basis, "", room.note),
        parts.merit(
            "Binds first", first.limit if first else parts.NOTHING, "", f"{first.element}, case: {first.case}" if first else "nothing binds"
        ),
        parts.merit(
            "Frees most",
            f"+{best.racks}" if best else parts.NOTHING,
            "racks" if best else "",
            best.change if best else "nothing that was tried frees more",
        ),
    ]


def progress(job: Job) -> Any:
    """How far a job is, or why there is no answer."""
    if job.state == "running" and job.stop.is_set():
        return dmc.Text("Stopping at the end of this step ...", size="xs", c="dimmed")
    if job.state == "running":
        share = 100.0 * job.done / job.total if job.total else 0.0
        note = (
            f"pass {job.passes}: {job.done} of {job.total} cases, {job.elapsed_s:.0f} s"
            if job.total
            else f"drawing demand, {job.elapsed_s:.0f} s"
        )
        return dmc.Stack(
            [dmc.Progress(value=max(share, 4.0), striped=True, animated=True, size="sm"), dmc.Text(note, size="xs", c="dimmed")], gap=2
        )
    if job.state == "cancelled":
        return dmc.Alert("Stopped. Nothing was kept; work it out again to get an answer.", color="gray", variant="light", py="xs")
    if job.state == "failed":
        return dmc.Alert(job.error, title="No answer", color="orange", variant="light")
    return dmc.Text(f"Worked out in {job.elapsed_s:.1f} s.", size="xs", c="dimmed")


def register(app: Dash, session: Session, jobs: Jobs) -> None:
    """Add the callbacks of the page."""
    _run(app, session, jobs)
    _show(app, session, jobs)


def _run(app: Dash, session: Session, jobs: Jobs) -> None:
    """Start, watch and stop the work."""

    @app.callback(
        Output("headroom-key", "data"),
        Output("headroom-poll", "disabled", allow_duplicate=True),
        Output("headroom-query", "data"),
        Input("headroom-go", "n_clicks"),
        State("headroom-sku", "value"),
        State("headroom-by", "value"),
        State("headroom-chance", "value"),
        prevent_initial_call=True,
    )
    def ask(_: int, sku: str, by: str, chance: str) -> Any:
        return [sku, by, float(chance)], False, write_query({"sku": sku, "by": by, "p": chance})

    @app.callback(
        Output("headroom-progress", "children"),
        Output("headroom-answer", "data"),
        Output("headroom-poll", "disabled"),
        Output("headroom-stop", "disabled"),
        Output("headroom-go", "disabled"),
        Input("headroom-poll", "n_intervals"),
        Input("headroom-key", "data"),
        Input("headroom-stop", "n_clicks"),
    )
    def poll(_: int, key: list[Any] | None, __: int) -> Any:
        if not key:
            hint = "Choose a SKU, a date and a probability; every answer is verified by the full solver under every single failure."
            command = f"racktwin headroom {parts.site_name(session)} --sku SKU --by DATE"
            return parts.empty(hint, command), None, True, True, False
        name = tuple(key)
        if ctx.triggered_id == "headroom-stop":
            jobs.cancel(name)
        job = jobs.get(name)
        if job is None or (ctx.triggered_id != "headroom-stop" and ctx.triggered_id == "headroom-key"):
            sku, by, chance = key
            job = jobs.start(name, lambda tell: session.headroom(sku, _date(by), chance / 100.0, progress=tell))
        ended = job.state != "running"
        return progress(job), key if job.state == "done" else None, ended, ended, not ended


def _show(app: Dash, session: Session, jobs: Jobs) -> None:
    """The answer and its export."""

    @app.callback(
        Output("headroom-merits", "children"),
        Output("headroom-map", "figure"),
        Output("headroom-binding", "children"),
        Output("headroom-frees", "figure"),
        Output("headroom-frees", "style"),
        Output("headroom-found", "style"),
        Input("headroom-answer", "data"),
        Input("scheme", "data"),
    )
    def answer(key: list[Any] | None, scheme: str) -> Any:
        job = jobs.get(tuple(key)) if key else None
        dark = scheme == "dark"
        if job is None or job.state != "done":
            return [], blank("", dark), None, blank("", dark), {}, {"display": "none"}
        room: Room = job.result
        binding = parts.grid("headroom-binding-grid", headroom_tables(room, session.site)[2], 240, hide=("kind",))
        frees = reliefs([r.change for r in room.frees_most], [r.racks for r in room.frees_most], dark)
        return (
            merits(room),
            placement(session.plant, room.positions, room.sku, dark),
            binding,
            frees,
            {"height": f"{frees.layout.height}px"},
            {},
        )

    @app.callback(
        Output("headroom-export-file", "data"),
        Input("headroom-export", "n_clicks"),
        State("headroom-answer", "data"),
        prevent_initial_call=True,
    )
    def export(_: int, key: list[Any] | None) -> Any:
        job = jobs.get(tuple(key)) if key else None
        if job is None or job.state != "done":
            return no_update
        sku, by, chance = key or ("", "", 0)
        return parts.workbook(
            session, "headroom", headroom_tables(job.result, session.site), {"sku": sku, "by": by, "probability [%]": chance}
        )


PAGE = Page("/headroom", "Headroom", "headroom", layout, register)
