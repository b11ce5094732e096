"""``racktwin calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from dashboards.commands.options import Calibration, End, Engine, Json, NeededStore, SiteArgument, Start, duration_s, open_session, time_of
from dashboards.commands.output import emit, note, note_findings, steps, table

_Step = Annotated[str, typer.Option("--step", metavar="T", help="Step that telemetry is averaged over: 5min, 15min, 1h.")]
_Family = Annotated[
    list[str] | None,
    typer.Option(
        "--family", metavar="NAME", show_default=False,
        help="Only this family of constants: skus, feeds, cdus, pumps, plates, outside; may be repeated.",
    ),
]  # fmt: skip
_Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write what was told as a calibration file, for --calibration.", show_default=False),
]
_All = Annotated[bool, typer.Option("--all", help="Also list, and write, constants that kept what was known before.")]
SHOWN = 30
"""Rows of a table of constants that are printed; --json lists all."""


def calibrate(
    site: SiteArgument, store: NeededStore, start: Start = None, end: End = None, step: _Step = "15min", family: _Family = None,
    out: _Out = None, everything: _All = False, calibration: Calibration = None, engine: Engine = "serial", as_json: Json = False,
) -> None:  # fmt: skip
    """Learn a site's own constants from its telemetry: power curves, losses, exchangers, plates, pumps, errors of sensors.

    Each comes with a 90 % interval. A constant that the data cannot tell keeps what was known before, and why is said. What was told goes
    into a file that every other command takes with --calibration. With --calibration here, the file that is written holds both: what
    was known from before, and what was found on top of it.

    Example: `racktwin calibrate mysite --store mystore --out calibration.csv`, then
    `racktwin headroom mysite --sku gb300-nvl72 --calibration calibration.csv`.
    """
    first, last, step_s = time_of(start, "--start"), time_of(end, "--end"), duration_s(step, "--step")
    session = open_session(site, store, calibration)
    with steps("solving, then fitting") as told:
        found = session.calibrate(first, last, step_s, tuple(family or ()), told, engine)
    from dashboards import calibration_answers
    from topology.overlay import composed, write_overlay

    answer = calibration_answers.calibration(session.plant, found)
    rows = composed(session.site.calibration, found.overlay(prior=everything))
    if out is not None:
        write_overlay(rows, out)
        answer["file"] = str(out)
    emit(answer, as_json, lambda screen: _show(screen, session.site.settings.name, answer, everything))
    if not as_json:
        note_findings(found.findings)
        if out is not None:
            note(f"{len(rows)} constants in {out}")


def _show(screen: Console, name: str, answer: dict[str, Any], everything: bool) -> None:
    screen.print(f"{name}: {answer['since']} to {answer['until']}, {answer['steps']:,} steps")
    screen.print(f"  {len(answer['told'])} constants were told by data, {len(answer['kept_prior'])} keep what was known before")
    if answer["kinds"]:
        screen.print()
        screen.print(table("By kind", _KINDS, [_kind(k) for k in answer["kinds"]], _KINDS[1:-1]))
    for title, key in (("Told by data, those furthest from the catalog first", "told"), ("Kept what was known before", "kept_prior")):
        rows = answer[key]
        if rows and (key == "told" or everything):
            screen.print()
            more = f", {SHOWN} of {len(rows)}" if len(rows) > SHOWN else ""
            screen.print(table(title + more, _HEADS, [_row(r) for r in rows[:SHOWN]], _HEADS[2:5]))
    moved = [d for d in answer["drifts"] if d["moved"]]
    if answer["drifts"]:
        screen.print()
        screen.print(f"Followed over time: {len(answer['drifts'])}, of which {len(moved)} moved for certain")
        for d in sorted(moved, key=lambda d: -abs(d["change_frac"]))[:SHOWN]:
            screen.print(f"  {d['sentence']}")


_KINDS = ("constant", "told", "kept", "half interval", "before", "why the rest was kept")


def _kind(k: dict[str, Any]) -> tuple[str, ...]:
    half = f"{k['half_interval']:.3f}" if k["told"] else "-"
    why = "; ".join(k["why_kept"][:2]) + (f"; and {len(k['why_kept']) - 2} more" if len(k["why_kept"]) > 2 else "")
    return _named(k), f"{k['told']:,}", f"{k['kept_prior']:,}", half, f"{k['half_prior']:.3f}", why


_HEADS = ("element", "constant", "value", "90 % interval", "known before", "catalog to this site")


def _row(r: dict[str, Any]) -> tuple[str, ...]:
    then = ", ".join(f"{f['text_catalog']} to {f['text_value']}" for f in r["figures"])
    own, before = (f"{r[low]:.3f} to {r[high]:.3f}" for low, high in (("low", "high"), ("prior_low", "prior_high")))
    return r["element"], _named(r), f"{r['value']:.3f}", own, before, then or (r["note"] or "")


def _named(r: dict[str, Any]) -> str:
    return r["parameter"] if not r["quantity"] else f"{r['parameter']} of {' '.join(x for x in (r['part'], r['quantity']) if x)}"
