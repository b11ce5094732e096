"""Hall floor: every rack where it stands, by any quantity, with anything lost."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboards.exports import Table, margin_table
from dashboards.figures.floor import floor, plan
from dashboards.figures.quantities import QUANTITIES, status
from dashboards.jobs import Jobs
from dashboards.pages import moment, parts, rack
from dashboards.pages.overview import tightest
from dashboards.pages.page import Page, Query, write_query
from dashboards.session import Session, Solved
from dashboards.theme import STRONG, blank
from topology.errors import RacktwinError
from twin.headroom.cases import all_cases

_CONTROLS = ("mode", "share", "at", "wet")


def layout(session: Session, query: Query) -> Any:
    """The page for a query: ``q`` quantity, ``out`` lost elements, ``rack``, and the load as ``u``, ``at``, ``wb``."""
    start = moment.from_query(query, session)
    show = query.get("q", "power")
    quantity = dmc.Select(
        id="floor-quantity",
        label="Colour by",
        size="xs",
        w=240,
        allowDeselect=False,
        value=show if show in QUANTITIES else "power",
        data=[{"value": q.key, "label": f"{q.label} [{q.unit}]"} for q in QUANTITIES.values()],
    )
    outage = dmc.MultiSelect(
        id="floor-out",
        label="What if these are lost",
        placeholder="nothing is lost",
        size="xs",
        w=320,
        searchable=True,
        clearable=True,
        value=list(start.outage),
        data=losable(session),
        maxDropdownHeight=360,
        limit=400,
        nothingFoundMessage="no such element",
    )
    table = Table("margins", "", margin_table(session.solve(1.0)).fields, ())
    return dmc.Stack(
        [
            dcc.Store(id="floor-query"),
            dcc.Store(id="floor-rack", data=query.get("rack", "")),
            dmc.Group([dmc.Title("Hall floor", order=1, size="h3"), dmc.Text(id="floor-told", size="sm", c="dimmed")], align="baseline"),
            html.Div([quantity, outage, *moment.controls("floor", start, session)], className="bar"),
            html.Div(id="floor-fault"),
            html.Div(
                [
                    dmc.Stack(
                        [
                            dmc.Paper(
                                [
                                    html.Div(id="floor-summary"),
                                    parts.graph("floor-map", plan(session.site).height_px, "racks of each hall by row and place"),
                                ],
                                withBorder=True,
                                p="sm",
                            ),
                            parts.card(
                                "Tightest limit of each kind",
                                parts.grid("floor-limits", table, 260, hide=("case",), fill=False),
                                right=parts.export_button("floor-export"),
                            ),
                        ],
                        gap="sm",
                    ),
                    dmc.Paper(id="floor-panel", withBorder=True, p="sm"),
                ],
                className="floor-split",
            ),
        ],
        gap="sm",
    )


def losable(session: Session) -> list[dict[str, Any]]:
    """Everything that can be lost, by kind, common causes first."""
    groups: dict[str, list[str]] = {}
    for case in all_cases(session.plant)[1:]:
        if case.kind != "common cause":
            groups.setdefault(case.kind.replace("_", " "), []).append(case.name)
    return [{"group": kind, "items": [{"value": i, "label": i} for i in ids]} for kind, ids in groups.items()]


def summary(solved: Solved) -> Any:
    """One line that says what the outage does."""
    now = status(solved)
    lost, hot = now.count("no supply"), now.count("not cooled")
    out = [i for s in solved.state.outages.sets for i in s]
    bad = len(solved.violated)
    badges = [
        dmc.Badge(f"{now.count('on')} racks draw", color="gray", variant="default", tt="none"),
        dmc.Badge(f"{lost} without supply", color=STRONG if lost else "gray", variant="filled" if lost else "default", tt="none"),
        dmc.Badge(f"{hot} not cooled", color=STRONG if hot else "gray", variant="filled" if hot else "default", tt="none"),
        dmc.Badge(f"{bad} limits violated", color=STRONG if bad else "gray", variant="filled" if bad else "default", tt="none"),
    ]
    text = f"With {', '.join(out)} lost" if out else "Normal operation"
    return dmc.Group([dmc.Text(text, size="sm", fw=600), *badges], gap="xs", mb=4)


def register(app: Dash, session: Session, jobs: Jobs) -> None:
    """Add the callbacks of the page."""
    controls = [Input(f"floor-{c}", "value") for c in _CONTROLS]

    @app.callback(
        Output("floor-map", "figure"),
        Output("floor-panel", "children"),
        Output("floor-limits", "rowData"),
        Output("floor-summary", "children"),
        Output("floor-told", "children"),
        Output("floor-fault", "children"),
        Output("floor-query", "data"),
        Output("floor-rack", "data"),
        Output("floor-at-box", "display"),
        Output("floor-share-box", "display"),
        Input("floor-quantity", "value"),
        Input("floor-out", "value"),
        *controls,
        Input("floor-map", "clickData"),
        Input("scheme", "data"),
        State("floor-rack", "data"),
    )
    def show(
        key: str, out: list[str], mode: str, share_pct: float, at: str | None, wet: float | str | None, click: Any, scheme: str, chosen: str
    ) -> Any:
        dark, quantity = scheme == "dark", QUANTITIES[key]
        boxes = ("block", "none") if mode == moment.MEASURED else ("none", "flex")
        if ctx.triggered_id == "floor-map" and click:
            found = click["points"][0].get("customdata") or ""
            chosen = "" if found == chosen else found
        try:
            now = moment.from_controls(session, mode, share_pct, at, wet, out)
            solved = now.solve(session)
        except RacktwinError as error:
            return blank("no answer", dark), rack.nothing(), [], None, "", parts.fault(error), no_update, chosen, *boxes
        figure = floor(session.plant, quantity, quantity.values(solved), status(solved), dark, chosen, rack.lines(session.plant))
        query = write_query({"q": key if key != "power" else None, **now.query, "rack": chosen})
        limits = parts.rows(tightest(margin_table(solved), False))
        return figure, rack.panel(solved, chosen), limits, summary(solved), moment.told(solved), None, query, chosen, *boxes

    @app.callback(
        Output("floor-export-file", "data"),
        Input("floor-export", "n_clicks"),
        State("floor-out", "value"),
        *(State(i.component_id, "value") for i in controls),
        prevent_initial_call=True,
    )
    def export(_: int, out: list[str], mode: str, share_pct: float, at: str | None, wet: float | str | None) -> Any:
        now = moment.from_controls(session, mode, share_pct, at, wet, out)
        solved = now.solve(session)
        return parts.workbook(session, "floor", [rack.table(solved), margin_table(solved)], now.query)


PAGE = Page("/floor", "Hall floor", "floor", layout, register)
