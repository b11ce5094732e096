"""``racktwin quality``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from dashboards.commands.options import (
    Calibration,
    End,
    Engine,
    Json,
    NeededStore,
    SiteArgument,
    Start,
    Step,
    duration_s,
    open_session,
    time_of,
)
from dashboards.commands.output import emit, steps, table

_Csv = Annotated[
    Path | None,
    typer.Option("--csv", metavar="FILE", help="Write doubtful stretches, and all sensors beside, to .csv, .parquet or .xlsx.",
                 show_default=False),
]  # fmt: skip
_Readings = Annotated[
    Path | None,
    typer.Option(
        "--readings", metavar="FILE", help="Write every reading in doubt, with the reason, to .csv or .parquet.", show_default=False
    ),
]
SENSORS, EACH = 12, 6
"""Sensors, and doubts of each test, that are shown."""


def quality(
    site: SiteArgument, store: NeededStore, start: Start = None, end: End = None, step: Step = "60s", csv: _Csv = None,
    readings: _Readings = None, calibration: Calibration = None, engine: Engine = "serial", as_json: Json = False,
) -> None:  # fmt: skip
    """Say which sensors can be trusted: per sensor a score, the reason and since when.

    Looked for: gaps and ragged reporting, values that are stuck, copied or impossible, spikes, counters that run back, drift, clocks that
    are off, and meters that contradict the energy balance. A score is coverage, less what each doubt spoils; 1 is best.

    Example: `racktwin quality mysite --store mystore --start 2026-11-20T00:00Z --csv doubts.csv`. Exit 1 where there are findings.
    """
    first, last, step_s = time_of(start, "--start"), time_of(end, "--end"), duration_s(step, "--step")
    session = open_session(site, store, calibration)
    from dashboards import exports, quality_answers
    from dashboards.exports import suspects

    if csv is not None:
        exports.format_of(csv)
    if readings is not None:
        suspects.check(readings)
    with steps("looking") as told:
        found = quality_answers.judged(session, first, last, step_s, told, engine)
    answer = quality_answers.answer(found)
    origin = exports.about(session, "quality", {"start": found.start, "end": found.end, "step_s": step_s})
    answer["files"] = []
    if csv is not None:
        tables = (quality_answers.doubt_table(found.doubts), quality_answers.sensor_table(found.verdicts))
        answer["files"] += [str(f) for f in exports.write(csv, tables, origin)]
    if readings is not None and session.store is not None:
        answer["readings_written"] = suspects.write_suspects(readings, session.store, found, origin)
        answer["files"].append(str(readings))
    emit(answer, as_json, lambda out: _show(out, session.site.settings.name, answer))
    if found.doubts:
        raise typer.Exit(1)


def _show(out: Console, name: str, answer: dict[str, Any]) -> None:
    out.print(f"{name}: {answer['start']} to {answer['end']}, {answer['sensors']:,} sensors, {answer['readings']:,} readings")
    if answer["mean_score_frac"] is not None:
        out.print(f"  mean score {answer['mean_score_frac']:.3f}, {answer['sensors_below_90_pct']:,} sensors below 0.9")
    out.print()
    lowest = [r for r in answer["lowest_scores"] if r["score_frac"] < 1.0][:SENSORS]
    if lowest:
        heads = ("sensor", "quantity", "score", "coverage", "since", "reason")
        rows = [
            (_name(r), r["quantity"], f"{r['score_frac']:.3f}", f"{r['coverage_frac']:.3f}", r["since"] or "", r["reason"]) for r in lowest
        ]
        out.print(table("Lowest scores", heads, rows, ("score", "coverage")))
        out.print()
    if not answer["doubts"]:
        out.print("No doubt about any sensor.")
    for detector, count in answer["findings_by_reason"].items():
        own = [d for d in answer["doubts"] if d["detector"] == detector]
        each = [(_name(d), d["quantity"], d["since"], d["until"], d["reason"]) for d in own[:EACH]]
        title = f"{detector}: {count} finding{'s' if count > 1 else ''}" + (f", the first {EACH}" if count > EACH else "")
        out.print(table(title, ("sensor", "quantity", "since", "until", "reason"), each))
        out.print()
    for file in answer.get("files", ()):
        out.print(file, soft_wrap=True)


def _name(row: dict[str, Any]) -> str:
    return f"{row['element']} {row['part']}".strip()
