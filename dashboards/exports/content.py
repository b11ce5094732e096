"""Results as tables: the headroom answer, margins by element, and the table of cases. Values are in people's units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dashboards.exports.tables import Cell, Field, Table
from dashboards.readable import people
from topology.models import Sku

if TYPE_CHECKING:
    from dashboards.session import Solved
    from topology.site import Site
    from twin.headroom.cases import CaseTable
    from twin.headroom.room import Room
    from twin.limits import Limits

_MARGIN = Field("margin_pct", "margin", "%", "number", bars=True)
_VALUE = (Field("value", "value", "", "number"), Field("allowed", "allowed", "", "number"), Field("unit", "unit"))


def headroom_tables(room: Room, site: Site) -> tuple[Table, ...]:
    """The headroom answer: summary, placement, what binds, what frees most.

    Args:
        room: the answer.
        site: the site that was asked about.
    """
    return (_summary(room), _placement(room, site), _binding(room, site), _frees(room))


def _summary(room: Room) -> Table:
    fields = (
        Field("sku", "rack SKU"), Field("racks", "racks that fit", "", "integer"), Field("by", "by", "", "date"),
        Field("probability_pct", "probability asked for", "%", "number"), Field("reached_pct", "probability reached", "%", "number"),
        Field("free_positions", "suitable free positions", "", "integer"), Field("basis", "basis of demand"), Field("note", "note"),
        Field("cases", "cases checked", "", "integer"), Field("scenarios", "demand scenarios", "", "integer"),
        Field("seed", "seed", "", "integer"),
    )  # fmt: skip
    row = (room.sku, room.racks, room.by, 100.0 * room.probability, 100.0 * room.reached_frac, room.free, room.basis, room.note, room.cases,
           room.scenarios, room.seed)  # fmt: skip
    return Table("summary", "How many more racks fit", fields, (row,), record=True)


def _placement(room: Room, site: Site) -> Table:
    fields = (
        Field("order", "order", "", "integer"), Field("position", "position"), Field("hall", "hall"), Field("row", "row"),
        Field("place", "place", "", "integer"), Field("feed_a", "feed A"), Field("feed_b", "feed B"), Field("manifold", "manifold"),
        Field("sku", "rack SKU"), Field("allocated_kw", "allocated power", "kW", "number"),
    )  # fmt: skip
    sku = site.model("sku", room.sku, Sku)
    kw, _ = people(sku.allocated_w if sku.allocated_w is not None else sku.nameplate_w, "w")
    rows = []
    for n, name in enumerate(room.positions, 1):
        p = site.positions[name]
        rows.append((n, name, site.rows[p.row].hall, p.row, p.place, p.feed_a, p.feed_b, p.manifold, room.sku, kw))
    return Table("placement", "Where they go, in this order", fields, tuple(rows))


def _binding(room: Room, site: Site) -> Table:
    fields = (Field("element", "element"), Field("kind", "kind"), Field("limit", "limit"), Field("case", "when lost"),
              Field("share_pct", "share", "%", "number", bars=True))  # fmt: skip
    rows = tuple((b.element, _kind(site, b.element), b.limit, b.case, 100.0 * b.share_frac) for b in room.binding)
    return Table("binding", "What stops the next rack", fields, rows)


def _frees(room: Room) -> Table:
    fields = (Field("change", "change"), Field("racks", "further racks", "", "integer", bars=True))
    return Table("frees most", "What frees most", fields, tuple((r.change, r.racks) for r in room.frees_most))


def _kind(site: Site, element: str) -> str:
    return site.kind_of(element) if element in site.elements else ""


def margin_table(result: Solved) -> Table:
    """Every limit of one solved moment, smallest margin first."""
    lost = " ".join(i for s in result.state.outages.sets for i in s)
    order = np.argsort(result.margin_frac, kind="stable")
    rows = [_margin_row(result.plant.site, result.limits, int(k), lost or "normal", result.values[k], result.margin_frac[k]) for k in order]
    return Table("margins", "Every limit of one moment, smallest margin first", _margin_fields("case"), tuple(rows))


def worst_margin_table(table: CaseTable, site: Site) -> Table:
    """The smallest margin of every limit over all cases, smallest first, with the case that makes it.

    Args:
        table: the sweep.
        site: the site.
    """
    worst = table.margin_frac.argmin(axis=0)
    lowest = table.margin_frac.min(axis=0)
    rows = [
        _margin_row(site, table.limits, int(k), table.cases[worst[k]].name, table.value[worst[k], k], lowest[k])
        for k in np.argsort(lowest, kind="stable")
    ]
    title = "The smallest margin of every limit over normal operation and every case, smallest first"
    return Table("margins", title, _margin_fields("when lost"), tuple(rows))


def _margin_fields(case: str) -> tuple[Field, ...]:
    return (Field("element", "element"), Field("kind", "kind"), Field("limit", "limit"), Field("case", case), *_VALUE, _MARGIN)


def _margin_row(site: Site, limits: Limits, k: int, case: str, value: float, margin_frac: float) -> tuple[Cell, ...]:
    element = limits.element[k]
    return (element, _kind(site, element.partition("/")[0]), limits.limit[k], case, *_valued(value, limits, k), _percent(margin_frac))


def _valued(value: float, limits: Limits, k: int) -> tuple[Cell, ...]:
    number, symbol = people(value, limits.unit[k])
    return number, people(limits.bound[k], limits.unit[k])[0], symbol or "1"


def _percent(fraction: float) -> float | None:
    return 100.0 * float(fraction) if math.isfinite(fraction) else None


def case_table(table: CaseTable) -> Table:
    """Every case with its worst limit, smallest margin first."""
    fields = (
        Field("case", "lost"), Field("kind", "kind"), Field("members", "elements lost"), Field("element", "worst element"),
        Field("limit", "limit"), *_VALUE, _MARGIN, Field("violated", "limits violated", "", "integer"),
        Field("racks_unpowered", "racks without supply", "", "integer"), Field("site_power_kw", "site power", "kW", "number"),
    )  # fmt: skip
    at, margin = table.worst_limit, table.margin_frac.min(axis=1)
    rows = [
        (
            table.cases[z].name, table.cases[z].kind, " ".join(table.cases[z].lost), table.limits.element[at[z]],
            table.limits.limit[at[z]], *_valued(table.value[z, at[z]], table.limits, int(at[z])), _percent(margin[z]),
            int((table.margin_frac[z] < 0.0).sum()), int(table.unpowered[z]), people(table.site_w[z], "w")[0],
        )
        for z in np.argsort(margin, kind="stable")
    ]  # fmt: skip
    return Table("cases", "Normal operation and every case with its worst limit, smallest margin first", fields, tuple(rows))


def tightest_elements(margins: Table, most: int = 20) -> Table:
    """The smallest margin of each element, for a chart.

    Args:
        margins: a table of margins, smallest first.
        most: how many elements.
    """
    names = [f.name for f in margins.fields]
    element, limit, margin = (names.index(n) for n in ("element", "limit", "margin_pct"))
    first: dict[Cell, tuple[Cell, ...]] = {}
    for row in margins.rows:
        first.setdefault(row[element], (f"{row[element]}: {row[limit]}", row[element], row[limit], row[margin]))
    fields = (Field("what", "what"), Field("element", "element"), Field("limit", "limit"), _MARGIN)
    rows = tuple(first.values())[:most]
    return Table("tightest", f"The {len(rows)} elements with the smallest margin", fields, rows)
