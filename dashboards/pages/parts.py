"""Pieces that every page is made of: cards, figures of merit, tables, empty states and faults."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import dcc, html

from dashboards.exports import Table, about, workbook_bytes
from dashboards.session import Session
from dashboards.theme import blank
from topology.errors import RacktwinError

_NUMBER = "params.value == null ? '' : d3.format(',.{digits}f')(params.value)"
NOTHING = "-"


def degrees(text: str) -> str:
    """A text with the sign of degrees Celsius that people read."""
    return text.replace("degC", "°C")


def card(title: str, *children: Any, right: Any = None, id: str = "", grow: bool = False) -> Any:
    """A titled box."""
    head = dmc.Group([dmc.Title(title, order=2, size="sm"), right or ""], justify="space-between", wrap="nowrap", mb=6, mih=28)
    extra = {"id": id} if id else {}
    return dmc.Paper([head, *children], withBorder=True, p="sm", className="card grow" if grow else "card", **extra)


def merit(label: str, value: str, unit: str = "", note: str = "", bad: bool = False, id: str = "") -> Any:
    """A figure of merit with its unit and a line of context; a bad one says so by its mark as well as its colour."""
    extra = {"id": id} if id else {}
    number = [
        html.Span("▲ ", className="mark") if bad else "",
        html.Span(value, className="number"),
        html.Span(f" {unit}", className="unit") if unit else "",
    ]
    return dmc.Paper(
        [
            dmc.Text(label, size="xs", c="dimmed", tt="none"),
            html.Div(number, className="merit bad" if bad else "merit"),
            html.Div(dmc.Text(note, size="xs", c="dimmed", lineClamp=3), title=note),
        ],
        withBorder=True,
        p="xs",
        px="sm",
        className="card",
        **extra,
    )


def facts(pairs: Sequence[tuple[str, str]]) -> Any:
    """Names and their values, one pair a line."""
    return html.Table(html.Tbody([html.Tr([html.Td(k), html.Td(v)]) for k, v in pairs]), className="facts", style={"width": "100%"})


def graph(id: str, height: int, label: str, wait: str = "") -> Any:
    """A figure that a callback fills; it stands at its height from the start, so that nothing jumps."""
    config: Any = {
        "displaylogo": False,
        "displayModeBar": False,
        "responsive": True,
    }
    style = {"height": f"{height}px"} if height else {}
    return html.Div(
        dcc.Graph(id=id, config=config, style=style, figure=blank(wait, False, height or 240)), role="img", **_aria("label", label)
    )


def columns(table: Table, hide: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Column definitions of a table, units in the heads, numbers to the right."""
    return [_column(f.name, f.head, f.type, f.name == table.fields[0].name) for f in table.fields if f.name not in hide]


def _column(name: str, head: str, kind: str, first: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "field": name,
        "headerName": degrees(head[:1].upper() + head[1:]),
        "headerTooltip": degrees(head),
        "tooltipField": name,
    }
    if kind in ("number", "integer"):
        found |= {
            "type": "rightAligned",
            "filter": "agNumberColumnFilter",
            "minWidth": 72,
            "flex": 0.8,
            "valueFormatter": {"function": _NUMBER.format(digits=1 if kind == "number" else 0)},
        }
    else:
        found |= {"filter": "agTextColumnFilter", "minWidth": 118 if first else 84, "flex": 1.6}
    if name in ("kind", "limit"):
        found |= {"flex": 1.0, "minWidth": 98} if name == "kind" else {"flex": 2.0, "minWidth": 124}
    if name == "unit":
        found |= {"flex": 0, "width": 52, "minWidth": 48}
    if name == "margin_pct":
        found |= {"cellClassRules": {"violated": "params.value != null && params.value < 0"}}
    return found


def rows(table: Table) -> list[dict[str, Any]]:
    """Rows of a table as a grid takes them."""
    names = [f.name for f in table.fields]
    return [{n: degrees(v) if isinstance(v, str) else v for n, v in zip(names, row, strict=True)} for row in table.rows]


def grid(id: str, table: Table, height: int = 300, hide: Sequence[str] = (), fill: bool = True) -> Any:
    """A table of a result.

    Args:
        id: its id.
        table: what it shows; its fields give the columns.
        height: pixels.
        hide: names of fields that are left out.
        fill: whether the rows are filled in now, or by a callback later.
    """
    return dag.AgGrid(
        id=id,
        columnDefs=columns(table, hide),
        rowData=rows(table) if fill else [],
        style={"height": f"{height}px"},
        className="grid",
        columnSize="responsiveSizeToFit",
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "suppressHeaderMenuButton": True,
            "suppressHeaderFilterButton": True,
            "wrapHeaderText": True,
            "autoHeaderHeight": True,
        },
        dashGridOptions={
            "rowHeight": 28,
            "headerHeight": 32,
            "animateRows": False,
            "tooltipShowDelay": 600,
            "suppressCellFocus": False,
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
        },
    )


def export_button(id: str, label: str = "Export xlsx") -> Any:
    """A button and the download behind it; its callback sends :func:`workbook` to ``<id>-file``."""
    button = dmc.Button(label, id=id, size="compact-xs", variant="default", leftSection=icon("download"))
    return html.Div([button, dcc.Download(id=f"{id}-file")])


def workbook(session: Session, name: str, tables: Sequence[Table], parameters: Mapping[str, object]) -> Any:
    """A workbook of tables as a download, with what it was made from."""
    content = workbook_bytes(tables, about(session, name, parameters))
    return {
        "content": base64.b64encode(content).decode(),
        "base64": True,
        "filename": f"{session.site.settings.name}-{name}.xlsx",
        "type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }


def icon(name: str) -> Any:
    """An icon of the assets in the colour of the text around it."""
    return html.Span(className=f"icon icon-{name}", **_aria("hidden", "true"))


def empty(message: str, *commands: str) -> Any:
    """What to say, and which commands fill it, where there is nothing to show."""
    lines = [dmc.Code(c) for c in commands]
    return dmc.Stack([dmc.Text(message, size="sm", c="dimmed", ta="center"), *lines], align="center", gap="xs", py="lg", className="empty")


def fault(error: RacktwinError) -> Any:
    """A fault of input or of a run, in its own words."""
    return dmc.Alert(str(error), title="No answer", color="orange", variant="light", icon=icon("alert"))


def site_name(session: Session) -> str:
    """The site as a command line names it."""
    folder = session.site.folder
    return str(folder) if folder is not None else "SITE"


def _aria(name: str, value: str) -> Any:
    return {f"aria-{name}": value}
