"""Tables as an Excel workbook: native tables, frozen heads, units in the heads, data bars, a chart, and where it came from."""

from __future__ import annotations

import datetime as dt
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import xlsxwriter

from dashboards.exports.tables import Cell, Field, Table

_TOP = 2
_WIDEST = 60
_RECORD = 40
_LINE = 15.0
_STYLE = "Table Style Light 9"
_FORMATS = {"number": "#,##0.00", "integer": "#,##0", "date": "yyyy-mm-dd", "text": "General"}
_BAR, _BAR_NEGATIVE = "#7FB3D5", "#E67E73"


def workbook_bytes(tables: Sequence[Table], about: Mapping[str, str], chart: Table | None = None) -> bytes:
    """A workbook with a sheet for each table and a last one that says where it came from.

    Args:
        tables: the tables, the first one on the first sheet.
        about: key to text of the sheet ``about``.
        chart: elements with their margins, drawn as a bar chart on the first sheet; its figures stand on a sheet of their own.

    Returns:
        The file.
    """
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "nan_inf_to_errors": False})
    book.set_properties(
        {"title": f"{about['site']}: {about['result']}", "comments": f"site digest {about['site digest']}", "author": about["software"]}
    )
    style = _styles(book)
    for table in tables:
        sheet = book.add_worksheet(table.name)
        _record(sheet, table, style) if table.record else _table(sheet, table, style)
    if chart is not None and chart.rows:
        sheet = book.add_worksheet(chart.name)
        _table(sheet, chart, style)
        _chart(book, book.worksheets()[0], tables[0], chart)
    _about(book.add_worksheet("about"), about, style)
    book.close()
    return out.getvalue()


def _styles(book: Any) -> dict[str, Any]:
    styles: dict[str, Any] = {}
    styles["title"] = book.add_format({"bold": True, "font_size": 14})
    styles["key"] = book.add_format({"bold": True, "valign": "top"})
    styles["long"] = book.add_format({"text_wrap": True, "valign": "top", "align": "left"})
    styles["wrapped"] = book.add_format({"text_wrap": True, "valign": "top", "align": "left", "indent": 1})
    for kind, code in _FORMATS.items():
        left = kind in ("text", "date")
        styles[kind] = book.add_format({"num_format": code, "align": "left" if left else "right", "indent": int(left), "valign": "top"})
        styles[f"{kind} head"] = book.add_format({"bold": True, "bottom": 1, "align": "left" if left else "right", "indent": int(left)})
        styles[f"{kind} left"] = book.add_format({"num_format": code, "align": "left", "valign": "top"})
    return styles


def _cell(sheet: Any, row: int, column: int, value: Cell, style: Any) -> None:
    if value is None:
        sheet.write_blank(row, column, None, style)
    elif isinstance(value, str):
        sheet.write_string(row, column, value, style)
    elif isinstance(value, dt.date):
        sheet.write_datetime(row, column, dt.datetime(value.year, value.month, value.day), style)
    else:
        sheet.write_number(row, column, value, style)


def _record(sheet: Any, table: Table, style: dict[str, Any]) -> None:
    """One row turned on its side: head and value."""
    sheet.write_string(0, 0, table.title, style["title"])
    for n, (field, value) in enumerate(zip(table.fields, table.rows[0], strict=True)):
        sheet.write_string(_TOP + n, 0, field.head, style["key"])
        wrapped = isinstance(value, str) and len(value) > _RECORD
        _cell(sheet, _TOP + n, 1, value, style["long" if wrapped else f"{field.type} left"])
        if wrapped:
            sheet.set_row(_TOP + n, _LINE * _lines(value, _RECORD))
    sheet.set_column(0, 0, 2 + max(len(f.head) for f in table.fields))
    sheet.set_column(1, 1, _RECORD)
    _page(sheet)


def _table(sheet: Any, table: Table, style: dict[str, Any]) -> None:
    sheet.write_string(0, 0, table.title, style["title"])
    last = _TOP + max(len(table.rows), 1)
    columns = [{"header": f.head, "format": style[f.type], "header_format": style[f"{f.type} head"]} for f in table.fields]
    name = table.name.replace(" ", "_")
    sheet.add_table(_TOP, 0, last, len(table.fields) - 1, {"name": name, "style": _STYLE, "columns": columns})
    for n, row in enumerate(table.rows, _TOP + 1):
        lines = 1
        for k, (field, value) in enumerate(zip(table.fields, row, strict=True)):
            wrapped = isinstance(value, str) and len(value) > _WIDEST
            lines = max(lines, _lines(value, _WIDEST) if wrapped else 1)
            _cell(sheet, n, k, value, style["wrapped" if wrapped else field.type])
        if lines > 1:
            sheet.set_row(n, _LINE * lines)
    for k, field in enumerate(table.fields):
        sheet.set_column(k, k, _width(field, [row[k] for row in table.rows]))
        if field.bars and table.rows:
            bar = {"type": "data_bar", "data_bar_2010": True, "bar_solid": True, "bar_color": _BAR, "bar_negative_color": _BAR_NEGATIVE}
            sheet.conditional_format(_TOP + 1, k, last, k, bar)
    sheet.freeze_panes(_TOP + 1, 1)
    sheet.repeat_rows(_TOP)
    _page(sheet)


def _page(sheet: Any) -> None:
    """One page wide on paper."""
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def _lines(text: Cell, width: int) -> int:
    """Lines of a wrapped text, with a little spare for words that do not break evenly."""
    return math.ceil(1.1 * len(str(text)) / width)


def _width(field: Field, values: Sequence[Cell]) -> float:
    """Width in characters: the longest value or the head with its filter button."""
    texts = [f"{v:,.3f}" if isinstance(v, float) else "" if v is None else str(v) for v in values]
    return min(max(len(field.head) + 4, *(len(t) + 2 for t in texts)) if texts else len(field.head) + 4, _WIDEST)


def _chart(book: Any, sheet: Any, beside: Table, figures: Table) -> None:
    """Bars of the smallest margins to the right of the first table, tightest on top."""
    chart = book.add_chart({"type": "bar"})
    margin = len(figures.fields) - 1
    last = _TOP + len(figures.rows)
    chart.add_series({
        "name": figures.fields[margin].head, "categories": [figures.name, _TOP + 1, 0, last, 0],
        "values": [figures.name, _TOP + 1, margin, last, margin], "fill": {"color": _BAR}, "invert_if_negative": True,
        "invert_if_negative_color": _BAR_NEGATIVE, "gap": 40,
    })  # fmt: skip
    chart.set_title({"name": figures.title, "name_font": {"size": 12}})
    chart.set_legend({"none": True})
    lines = {"visible": True, "line": {"color": "#D9D9D9"}}
    chart.set_x_axis({"name": figures.fields[margin].head, "num_format": "0", "major_gridlines": lines})
    chart.set_y_axis({"reverse": True, "label_position": "low", "crossing": "max"})
    chart.set_size({"width": 760, "height": 140 + 26 * len(figures.rows)})
    sheet.insert_chart(_TOP, (2 if beside.record else len(beside.fields)) + 1, chart)


def _about(sheet: Any, about: Mapping[str, str], style: dict[str, Any]) -> None:
    sheet.write_string(0, 0, "Where this came from", style["title"])
    for n, (key, value) in enumerate(about.items(), _TOP):
        sheet.write_string(n, 0, key, style["key"])
        sheet.write_string(n, 1, value, style["long"])
    sheet.set_column(0, 0, 2 + max(len(k) for k in about))
    sheet.set_column(1, 1, 70)
