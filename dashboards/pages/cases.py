"""Failures: what every single loss, and each declared common cause, does to the tightest limit."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
import numpy as np
from dash import Dash, Input, Output, State, dcc, html

from dashboards.exports import Table, case_table, worst_margin_table
from dashboards.figures.bars import margins
from dashboards.jobs import Jobs
from dashboards.pages import parts
from dashboards.pages.page import Page, Query, write_query
from dashboards.readable import percent
from dashboards.session import Session
from twin.headroom.cases import CaseTable

MOST = 14
"""Cases drawn as bars."""


def layout(session: Session, query: Query) -> Any:
    """The page for a query: ``kind``, ``find`` a text, ``bad=1`` for violated cases only."""
    table = session.cases()
    kinds = list(dict.fromkeys(c.kind for c in table.cases))
    kind = query.get("kind", "")
    return dmc.Stack(
        [
            dcc.Store(id="cases-query"),
            dmc.Group(
                [
                    dmc.Title("Failures", order=1, size="h3"),
                    dmc.Text(
                        "every single loss and each common cause, every rack at its allocated power, design weather", size="sm", c="dimmed"
                    ),
                ],
                align="baseline",
            ),
            html.Div(_merits(table), className="merits"),
            html.Div(
                [
                    dmc.Select(
                        id="cases-kind",
                        label="Kind",
                        size="xs",
                        w=180,
                        clearable=True,
                        placeholder="every kind",
                        value=kind if kind in kinds else None,
                        data=[{"value": k, "label": k.replace("_", " ")} for k in kinds],
                    ),
                    dmc.TextInput(
                        id="cases-find",
                        label="Find",
                        size="xs",
                        w=220,
                        placeholder="element or limit",
                        value=query.get("find", ""),
                        debounce=250,
                    ),
                    dmc.Switch(id="cases-bad", label="violated only", size="sm", checked=bool(query.get("bad")), pb=6),
                ],
                className="bar",
            ),
            html.Div(
                [
                    parts.card("Smallest margins", parts.graph("cases-bars", 64 + 26 * MOST, "cases with the smallest margin")),
                    parts.card("Chosen case", html.Div(id="cases-chosen")),
                ],
                className="halves",
            ),
            parts.card(
                "Every case, smallest margin first",
                parts.grid("cases-grid", Table("cases", "", case_table(table).fields, ()), 420, hide=("members",), fill=False),
                right=parts.export_button("cases-export"),
            ),
        ],
        gap="sm",
    )


def _merits(table: CaseTable) -> list[Any]:
    margin = table.margin_frac.min(axis=1)
    z = int(margin.argmin())
    k = int(table.worst_limit[z])
    dark = int((table.unpowered > 0).sum())
    return [
        parts.merit("Cases", f"{len(table.cases)}", "", "normal operation included"),
        parts.merit("Cases that violate a limit", f"{table.violated}", f"of {len(table.cases)}", "", table.violated > 0),
        parts.merit(
            "Worst margin",
            f"{100 * margin[z]:.1f}",
            "%",
            f"{table.limits.limit[k]} of {table.limits.element[k]} with {table.cases[z].name} lost",
            bool(margin[z] < 0),
        ),
        parts.merit("Cases that leave racks without supply", f"{dark}", "", f"at most {int(table.unpowered.max())} racks", dark > 0),
        parts.merit(
            "Largest site power", f"{table.site_w.max() / 1e3:,.0f}", "kW", f"with {table.cases[int(table.site_w.argmax())].name} lost"
        ),
    ]


def chosen(table: CaseTable, rows: list[dict[str, Any]], picked: list[dict[str, Any]] | None) -> Any:
    """What the picked case does, the worst one where none is picked."""
    row = next(iter(picked or rows), None)
    if row is None:
        return dmc.Text("No case passes the filter.", size="sm", c="dimmed")
    members = row["members"].split() if row["members"] else []
    facts = [
        ("lost", row["case"]),
        ("kind", row["kind"].replace("_", " ")),
        ("elements lost", str(len(members))),
        ("worst limit", f"{row['limit']} of {row['element']}"),
        ("margin", "-" if row["margin_pct"] is None else f"{row['margin_pct']:.1f} %"),
        ("limits violated", str(row["violated"])),
        ("racks without supply", str(row["racks_unpowered"])),
        ("site power", f"{row['site_power_kw']:,.0f} kW"),
    ]
    z = next(k for k, case in enumerate(table.cases) if case.name == row["case"])
    near = [(f"{limit} of {element}", percent(margin)) for element, limit, margin in nearest_limits(table, z)]
    link = dmc.Anchor(
        "Show it on the hall floor, at full utilisation",
        href="/floor" + write_query({"q": "margin", "u": 100, "out": ",".join(members)}),
        size="sm",
    )
    hint = dmc.Text("Click a row of the table to choose another case.", size="xs", c="dimmed")
    head = dmc.Divider(label="tightest element of each limit", labelPosition="left")
    return dmc.Stack([parts.facts(facts), head, parts.facts(near), link, hint], gap="xs")


def nearest_limits(table: CaseTable, z: int, most: int = 4) -> list[tuple[str, str, float]]:
    """The tightest element of each limit in one case.

    Args:
        table: the sweep.
        z: number of the case.
        most: how many limits.

    Returns:
        (element, limit, margin), smallest margin first.
    """
    first: dict[str, tuple[str, str, float]] = {}
    for k in np.argsort(table.margin_frac[z], kind="stable"):
        first.setdefault(table.limits.limit[k], (table.limits.element[k], table.limits.limit[k], float(table.margin_frac[z, k])))
    return list(first.values())[:most]


def passing(rows: list[dict[str, Any]], kind: str | None, find: str | None, bad: bool) -> list[dict[str, Any]]:
    """Rows of the table of cases that pass a filter."""
    word = (find or "").strip().lower()
    return [
        r
        for r in rows
        if (not kind or r["kind"] == kind)
        and (not bad or r["violated"])
        and (not word or word in f"{r['case']} {r['members']} {r['element']} {r['limit']}".lower())
    ]


def register(app: Dash, session: Session, jobs: Jobs) -> None:
    """Add the callbacks of the page."""

    @app.callback(
        Output("cases-grid", "rowData"),
        Output("cases-bars", "figure"),
        Output("cases-query", "data"),
        Input("cases-kind", "value"),
        Input("cases-find", "value"),
        Input("cases-bad", "checked"),
        Input("scheme", "data"),
    )
    def show(kind: str | None, find: str | None, bad: bool, scheme: str) -> Any:
        rows = passing(parts.rows(case_table(session.cases())), kind, find, bad)
        top = [r for r in rows if r["margin_pct"] is not None][:MOST]
        figure = margins(
            [r["case"] for r in top],
            [f"{r['limit']} of {r['element']}" for r in top],
            [r["margin_pct"] / 100 for r in top],
            scheme == "dark",
        )
        figure.update_layout(height=64 + 26 * MOST)
        return rows, figure, write_query({"kind": kind, "find": find, "bad": 1 if bad else None})

    @app.callback(Output("cases-chosen", "children"), Input("cases-grid", "rowData"), Input("cases-grid", "selectedRows"))
    def detail(rows: list[dict[str, Any]] | None, picked: list[dict[str, Any]] | None) -> Any:
        return chosen(session.cases(), rows or [], picked)

    @app.callback(
        Output("cases-export-file", "data"), Input("cases-export", "n_clicks"), State("cases-grid", "id"), prevent_initial_call=True
    )
    def export(_: int, __: str) -> Any:
        table = session.cases()
        return parts.workbook(session, "cases", [case_table(table), worst_margin_table(table, session.site)], {})


PAGE = Page("/cases", "Failures", "cases", layout, register)
