"""``racktwin export``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashboards.commands.headroom import By, Probability, Seed, ask
from dashboards.commands.options import AtText, Calibration, Json, SiteArgument, Store, UtilisationText, moment_of, open_session
from dashboards.commands.output import emit, steps
from topology.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboards.exports import Table
    from dashboards.session import Session


class What(StrEnum):
    """Results that can be exported."""

    headroom = "headroom"
    margins = "margins"
    cases = "cases"
    feeds = "feeds"


_What = Annotated[What, typer.Option("--what", help="Result to export.", show_default=False)]
_Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="File ending in .xlsx, .parquet or .csv.", show_default=False)]
_Sku = Annotated[str | None, typer.Option("--sku", metavar="NAME", help="Rack SKU; for headroom.", show_default=False)]


def export(
    site: SiteArgument, what: _What, out: _Out, sku: _Sku = None, by: By = None, probability: Probability = 0.95, seed: Seed = 0,
    store: Store = None, utilisation: UtilisationText = None, at: AtText = None, calibration: Calibration = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Write a result to Excel, Parquet or CSV, with units in the heads and where it came from.

    headroom (needs --sku; takes --by, --probability, --seed, --store): summary, placement, what binds, what frees most, margins.
    margins: every limit; of one moment with --utilisation or --store (and --at), else the smallest over all cases.
    cases: every single failure with its worst limit; at allocated power, --utilisation, or --store (and --at).
    feeds: voltage, drop, current, kVA, power factor and loss of each power element at one moment, and its margins.

    A workbook holds all tables; Parquet and CSV take a file for each, named beside the first.

    Examples: `racktwin export mysite --what headroom --sku gb300-nvl72 --out room.xlsx`,
    `racktwin export mysite --what cases --out cases.parquet`.
    """
    from dashboards import exports

    exports.format_of(out)
    if what is What.headroom and sku is None:
        raise UsageError("--what headroom needs a rack SKU: give --sku NAME, such as gb300-nvl72")
    if what is What.headroom and (utilisation or at):
        raise UsageError("--utilisation and --at belong to margins and cases; headroom takes --by and --store")
    session = open_session(site, store, calibration)
    if what is What.headroom:
        tables, parameters = _headroom(session, str(sku), by, probability, seed)
    else:
        tables, parameters = _moment(session, what, utilisation, at)
    margins = next(t for t in tables if t.name == "margins")
    origin = exports.about(session, what.value, parameters)
    files = exports.write(out, tables, origin, exports.tightest_elements(margins))
    answer = {"files": [str(f) for f in files], "tables": {t.name: len(t.rows) for t in tables}, **dict(origin)}
    emit(answer, as_json, lambda console: console.print(*map(str, files), sep="\n", soft_wrap=True))


def _headroom(
    session: Session, sku: str, by: str | None, probability: float, seed: int
) -> tuple[tuple[Table, ...], Mapping[str, object]]:  # fmt: skip
    from dashboards import exports

    room = ask(session, sku, by, probability, seed)
    margins = exports.worst_margin_table(session.cases(), session.site)
    used = {"sku": sku, "by": room.by, "probability": probability, "seed": seed, "basis": room.basis, "margins": _MARGINS}
    return (*exports.headroom_tables(room, session.site), margins), used


_MARGINS = "of the site as it stands, at allocated power and design wet bulb, the smallest over all cases"


def _moment(session: Session, what: What, utilisation: str | None, at: str | None) -> tuple[tuple[Table, ...], Mapping[str, object]]:
    from dashboards import exports
    from dashboards.feed_answers import elements, feed_table

    load, time = moment_of(session, utilisation, at)
    if what is What.feeds or (what is What.margins and (load is not None or time is not None)):
        result = session.solve(load, time)
        wet = float(result.state.ambient.wet_bulb_c[0])
        margins = exports.margin_table(result)
        chosen = (feed_table(elements(result)), margins) if what is What.feeds else (margins,)
        return chosen, {
            "basis": result.basis,
            "utilisation": utilisation,
            "at": time,
            "wet bulb [degC]": wet,
        }
    with steps("solving cases") as told:
        swept = session.cases(load, time, told)
    basis = "utilisation" if load is not None else "measured" if time is not None else "nameplate"
    wet = session.site.settings.design_wet_bulb_c
    margins = exports.worst_margin_table(swept, session.site)
    tables = (exports.case_table(swept), margins) if what is What.cases else (margins,)
    return tables, {"basis": basis, "utilisation": utilisation, "at": time, "wet bulb [degC]": wet}
