"""``racktwin cases``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from dashboards.commands.options import AtText, Calibration, Json, SiteArgument, Store, UtilisationText, moment_of, open_session
from dashboards.commands.output import emit, steps, table

_Worst = Annotated[int, typer.Option("--worst", metavar="N", min=0, help="Cases to list, worst first; 0 for all.")]

_Share = Annotated[
    bool, typer.Option("--worst-share", help="Hold feeds against the most that uneven sharing between cords may put on them.")
]


def cases(
    site: SiteArgument, utilisation: UtilisationText = None, store: Store = None, at: AtText = None, worst: _Worst = 10,
    worst_share: _Share = False, calibration: Calibration = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Solve every single failure and every declared common cause, and hold every limit against each.

    Racks draw their allocated power where nothing is given; else --utilisation, or measured power with --store (and --at).
    The weather is the site's design wet bulb.

    Examples: `racktwin cases mysite`, `racktwin cases mysite --utilisation 0.8 --worst 0 --json`.

    Units: margins in % of the rating, or of the permitted rise for temperatures; negative is violated. Exit 1 where a case
    violates a limit.
    """
    session = open_session(site, store, calibration)
    load, time = moment_of(session, utilisation, at)
    with steps("solving cases") as told:
        swept = session.cases(load, time, told, worst_share)
    from dashboards import answers

    basis = "utilisation" if load is not None else "measured" if time is not None else "nameplate"
    answer = answers.cases(swept, worst or len(swept.cases), basis, session.site.settings.design_wet_bulb_c)
    emit(answer, as_json, lambda out: _show(out, session.site.settings.name, answer))
    if swept.violated:
        raise typer.Exit(1)


_BASIS = {"nameplate": "allocated power", "utilisation": "the given utilisation", "measured": "measured power"}


def _show(out: Console, name: str, answer: dict[str, Any]) -> None:
    from dashboards.readable import percent, text

    count = answer["violated"]
    verdict = f"{count} of {answer['cases']} cases violate a limit" if count else f"all {answer['cases']} cases hold every limit"
    out.print(f"{name}: {verdict}, at {_BASIS[answer['basis']]} and {answer['wet_bulb_c']:.1f} degC wet bulb")
    out.print()
    rows = []
    for r in answer["worst"]:
        value = text(float("inf") if r["value"] is None else r["value"], r["unit"])
        rows.append((r["case"], r["kind"], r["element"], r["limit"], value, text(r["bound"], r["unit"]), percent(r["margin_frac"]),
                     str(r["limits_violated"]), _first(r)))  # fmt: skip
    heads = ("lost", "kind", "worst element", "limit", "value", "allowed", "margin", "violated", "trips first")
    out.print(table("", heads, rows, ("value", "allowed", "margin", "violated")))
    if len(rows) < answer["cases"]:
        out.print(f"\nThe {len(rows)} worst cases; --worst 0 lists all.")


def _first(row: dict[str, Any]) -> str:
    after = row["trips_after_s"]
    return "-" if after is None else f"{row['trips_first']} after {after:.3g} s"
