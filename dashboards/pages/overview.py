"""Overview: is it alive, what is it doing, how near is it to a limit."""

from __future__ import annotations

import datetime as dt
from typing import Any

import dash_mantine_components as dmc
import numpy as np
from dash import Dash, Input, Output, State, dcc, html, no_update

from dashboards.exports import Table, margin_table
from dashboards.figures.energy import energy
from dashboards.figures.series import series
from dashboards.jobs import Jobs
from dashboards.pages import moment, parts
from dashboards.pages.page import Page, Query, write_query
from dashboards.readable import percent
from dashboards.session import Session, Solved
from dashboards.theme import blank
from topology.errors import RacktwinError

STEP_S = 300.0
"""Step of the replay of the last day."""
DAY = dt.timedelta(days=1)
_CONTROLS = ("mode", "share", "at", "wet")


def layout(session: Session, query: Query) -> Any:
    """The page for a query: ``u``, ``at``, ``wb`` as on the hall floor, ``all=1`` for every limit."""
    start = moment.from_query(query, session)
    every = dmc.SegmentedControl(
        id="overview-every",
        size="xs",
        value="all" if query.get("all") else "kinds",
        data=[{"value": "kinds", "label": "Tightest of each kind"}, {"value": "all", "label": "Every limit"}],
    )
    empty = Table("margins", "", margin_table(session.solve(1.0)).fields, ())
    right = dmc.Group([every, parts.export_button("overview-export")], gap="xs", wrap="nowrap")
    return dmc.Stack(
        [
            dcc.Store(id="overview-query"),
            dcc.Store(id="overview-out", data=list(start.outage)),
            dmc.Group([dmc.Title("Overview", order=1, size="h3"), dmc.Text(id="overview-told", size="sm", c="dimmed")], align="baseline"),
            html.Div(moment.controls("overview", start, session), className="bar"),
            html.Div(id="overview-fault"),
            html.Div(
                [html.Div(id="overview-merits", className="within"), html.Div(id="overview-slow", className="within")], className="merits"
            ),
            html.Div(
                [
                    parts.card(
                        "Where the power goes [kW]", parts.graph("overview-energy", 300, "power from the sources through racks and cooling")
                    ),
                    parts.card(
                        "Limits, smallest margin first", parts.grid("overview-limits", empty, 300, hide=("case",), fill=False), right=right
                    ),
                ],
                className="halves flow",
            ),
            parts.card("Last day: measured load, driven through the twin", _day(session)),
        ],
        gap="sm",
    )


def _day(session: Session) -> Any:
    if session.store is None:
        name = parts.site_name(session)
        return parts.empty(
            "No telemetry is open. Ingest some, then open the console with it:",
            f"racktwin ingest {name} FILES --store STORE",
            f"racktwin console {name} --store STORE",
        )
    return parts.graph("overview-day", 430, "power, PUE and coolant temperatures of the last day", wait="solving the last day ...")


def merits(session: Session, solved: Solved) -> list[Any]:
    """Figures of merit of a moment that cost nothing more than its solve."""
    ledger, racks = solved.state.ledger, solved.plant.racks
    it, rack_in = float(ledger.it_w[0]), float(ledger.it_w[0] + ledger.rack_loss_w[0])
    site = float(ledger.site_w[0])
    worst = int(solved.margin_frac.argmin()) if solved.margin_frac.size else -1
    hot = solved.hottest
    free, places = len(session.site.free_positions), len(session.site.positions)
    parts_note = f"IT at the racks' inputs; {ledger.pue[0]:.3f} with IT at its parts"
    margin = solved.margin_frac[worst] if worst >= 0 else np.inf
    return [
        parts.merit("IT load", f"{it / 1e3:,.0f}", "kW", f"at the parts; {rack_in / 1e3:,.0f} kW at the racks' inputs"),
        parts.merit("Site power", f"{site / 1e3:,.0f}", "kW", f"{int((solved.state.loads.rack_w[0] > 0).sum())} of {racks.n} racks draw"),
        parts.merit("PUE, category 3", f"{site / rack_in:.3f}" if it > 0 else parts.NOTHING, "", parts_note),
        parts.merit("Free positions", f"{free}", f"of {places}", "neither taken nor reserved"),
        parts.merit(
            "Worst margin",
            f"{100 * margin:.1f}" if worst >= 0 else parts.NOTHING,
            "%" if worst >= 0 else "",
            f"{solved.limits.limit[worst]} of {solved.limits.element[worst]}" if worst >= 0 else "no limit is known",
            bool(margin < 0),
        ),
        parts.merit(
            "Hottest accelerator",
            f"{solved.state.heat.chip_c[0, hot]:.1f}" if hot >= 0 else parts.NOTHING,
            "°C" if hot >= 0 else "",
            f"{racks.ids[hot]}, limit {racks.chip_limit_c[hot]:.0f} °C" if hot >= 0 else "no rack draws",
        ),
        _freshness(session),
    ]


def _freshness(session: Session) -> Any:
    if session.store is None:
        return parts.merit("Telemetry", "none", "", "the load is a utilisation, not a measurement")
    last = session.span[1]
    age = dt.datetime.now(dt.UTC) - last
    hours = age.total_seconds() / 3600
    shown, unit = (
        (f"{hours * 60:.0f}", "min old") if hours < 2 else (f"{hours:.0f}", "h old") if hours < 48 else (f"{hours / 24:.0f}", "days old")
    )
    if hours < 0:
        shown, unit = "0", "min old"
    return parts.merit("Telemetry", shown, unit, f"last reading {last:%Y-%m-%d %H:%M} UTC")


def case_merit(session: Session) -> Any:
    """How many single failures violate a limit, at allocated power and design weather."""
    table = session.cases()
    margin = table.margin_frac.min(axis=1)
    z = int(margin.argmin())
    k = int(table.worst_limit[z])
    worst = f"{table.limits.limit[k]} of {table.limits.element[k]} with {table.cases[z].name} lost"
    note = f"at allocated power; nearest {percent(margin[z])}: {worst}"
    return parts.merit("Violated cases", f"{table.violated}", f"of {len(table.cases)}", note, table.violated > 0, id="overview-cases")


def tightest(table: Table, every: bool) -> Table:
    """A table of margins, or of the tightest of each limit and kind only."""
    if every:
        return table
    kind, limit = ([f.name for f in table.fields].index(n) for n in ("kind", "limit"))
    first: dict[Any, Any] = {}
    for row in table.rows:
        first.setdefault((row[kind], row[limit]), row)
    return Table(table.name, table.title, table.fields, tuple(first.values()))


def register(app: Dash, session: Session, jobs: Jobs) -> None:
    """Add the callbacks of the page."""
    controls = [Input(f"overview-{c}", "value") for c in _CONTROLS]

    @app.callback(
        Output("overview-merits", "children"),
        Output("overview-energy", "figure"),
        Output("overview-limits", "rowData"),
        Output("overview-told", "children"),
        Output("overview-fault", "children"),
        Output("overview-query", "data"),
        Output("overview-at-box", "display"),
        Output("overview-share-box", "display"),
        *controls,
        Input("overview-every", "value"),
        Input("scheme", "data"),
        State("overview-out", "data"),
    )
    def show(mode: str, share_pct: float, at: str | None, wet: float | str | None, every: str, scheme: str, out: list[str]) -> Any:
        boxes = ("block", "none") if mode == moment.MEASURED else ("none", "flex")
        try:
            now = moment.from_controls(session, mode, share_pct, at, wet, out)
            solved = now.solve(session)
        except RacktwinError as error:
            return [], blank("no answer", scheme == "dark"), [], "", parts.fault(error), no_update, *boxes
        found = parts.rows(tightest(margin_table(solved), every == "all"))
        query = write_query({**now.query, "all": 1 if every == "all" else None})
        return merits(session, solved), energy(solved, scheme == "dark"), found, moment.told(solved), None, query, *boxes

    @app.callback(Output("overview-slow", "children"), Input("overview-every", "id"))
    def cases(_: str) -> Any:
        return case_merit(session)

    @app.callback(
        Output("overview-export-file", "data"),
        Input("overview-export", "n_clicks"),
        *(State(i.component_id, "value") for i in controls),
        State("overview-out", "data"),
        prevent_initial_call=True,
    )
    def export(_: int, mode: str, share_pct: float, at: str | None, wet: float | str | None, out: list[str]) -> Any:
        now = moment.from_controls(session, mode, share_pct, at, wet, out)
        return parts.workbook(session, "margins", [margin_table(now.solve(session))], now.query)

    @app.callback(Output("overview-day", "figure"), Input("scheme", "data"))
    def day(scheme: str) -> Any:
        try:
            first, last = session.span
            window = session.replay(max(first, last - DAY), last, STEP_S)
        except RacktwinError as error:
            return blank(str(error), scheme == "dark", 430)
        return series(window, session.plant, scheme == "dark")


PAGE = Page("/", "Overview", "overview", layout, register)
