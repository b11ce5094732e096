"""The figures as JSON and as a page for people."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.fidelity.draw import svg
from benchmarks.fidelity.frame import Report, Row

WHOLE = "all"
"""What a row of :meth:`benchmarks.fidelity.frame.Spans.whole` is tested on."""
INTRODUCTION = (
    "# How far is it from what was measured?",
    "",
    "Written by `make fidelity DATA=folder`, which reads every recording of known name and columns in a folder. Each is split in time: the "
    "first part fits, the rest tests. No constant of a recording is in the code; what was known beforehand (the priors) holds for any "
    "plant of the kind and stands beside what the fit made of it. A constant that the data cannot tell keeps its "
    "prior, and the table says so. Synthetic plants come last: there the truth is known.",
    "",
)


def write(found: Sequence[Report], absent: Sequence[str], out: Path) -> None:
    """Write ``benchmarks/fidelity.json``, ``docs/fidelity.md`` and its pictures below a folder."""
    results, page, images = out / "benchmarks" / "fidelity.json", out / "docs" / "fidelity.md", out / "docs" / "images"
    for folder in (results.parent, images):
        folder.mkdir(parents=True, exist_ok=True)
    rows = [{k: _plain(v) for k, v in asdict(r).items()} for report in found for r in report.rows]
    results.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for report in found:
        for plot in report.plots:
            (images / f"{plot.name}.svg").write_text(svg(plot), encoding="utf-8")
        for name, text in report.files:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_text(text, encoding="utf-8")
    lines = [*INTRODUCTION, *(line for report in found for line in _part(report))]
    if absent:
        lines += ["## Left out", "", *(f"- {a}" for a in absent), ""]
    page.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    """JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _part(report: Report) -> Iterator[str]:
    yield from (f"## {report.title}", "")
    for paragraph in report.text:
        yield from (paragraph, "")
    tested = [r for r in report.rows if r.fitted_on]
    for fitted_on, tested_on in dict.fromkeys((r.fitted_on, r.tested_on) for r in tested):
        yield from (f"Fitted on {fitted_on}, tested on {tested_on} (UTC):", "")
        yield from _table([r for r in tested if (r.fitted_on, r.tested_on) == (fitted_on, tested_on)])
    described = [r for r in report.rows if not r.fitted_on]
    for tested_on in dict.fromkeys(r.tested_on for r in described):
        yield from ("The whole recording, nothing fitted:" if tested_on == WHOLE else f"Held against {tested_on}:", "")
        yield from _table([r for r in described if r.tested_on == tested_on])
    for plot in report.plots:
        yield from (f"![{plot.title}](images/{plot.name}.svg)", "")
    if report.files:
        yield from ("Written beside it: " + ", ".join(f"[{name}](../{name})" for name, _ in report.files) + ".", "")
    if report.findings:
        yield from ("**What is odd in the data**", "", *(f"- {f}" for f in report.findings), "")
    for title, lines in report.tables:
        yield from (f"**{title}**", "", *lines, "")


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield from ("| figure | value | goal | met |", "| --- | ---: | ---: | --- |")
    for r in rows:
        goal = "" if r.goal is None else f"{r.goal:.3g} {r.unit}"
        met = "" if r.met is None else "yes" if r.met else "no"
        yield f"| {r.metric} | {r.value:.3g} {r.unit} | {goal} | {met} |"
    yield ""
