"""``racktwin demo``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from dashboards.commands.options import Json
from dashboards.commands.output import emit, note

_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder to work in; made where there is none.")]
_Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Folder with recordings of real plants; $RACKTWIN_DATA or ../shared/data where not given."),
]


def demo(folder: _Folder = Path("demo"), data: _Data = None, as_json: Json = False) -> None:
    """Everything once, on a made-up site of two halls: telemetry, replay, quality, calibration, failures, headroom, exports.

    Writes the reference site, two days of vendor-shaped telemetry and four weeks of rack power, ingests them, replays them through
    the twin, judges the sensors, learns the constants of the site, takes every element out in turn, and says how many MTIA 450 and
    GB300 NVL72 racks still fit. A second run
    does not repeat finished work and gives the same answer.

    Example: `racktwin demo demo`
    """
    from dashboards.demo import Demo

    recordings = data or Path(os.environ.get("RACKTWIN_DATA", "../shared/data"))
    with _steps() as progress:
        task: list[Any] = []

        def begin(label: str) -> Any:
            if task:
                progress.update(task[-1], completed=1, total=1)
            elif not progress.console.is_terminal:
                note("racktwin demo: this takes two or three minutes")
            if not progress.console.is_terminal:
                note(f"  {label}")
            task.append(progress.add_task(label, total=None))
            return lambda done, total: progress.update(task[-1], completed=done, total=total)

        answer = Demo(folder, recordings if recordings.is_dir() else None, begin).run()
        progress.update(task[-1], completed=1, total=1)
    emit(answer, as_json, lambda out: _show(out, answer))


def _steps() -> Progress:
    screen = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=screen, transient=False, disable=not screen.is_terminal)


def _show(out: Console, answer: dict[str, Any]) -> None:
    from dashboards.readable import percent

    solved, cases, replay, folder = answer["solve"], answer["cases"], answer["replay"], answer["folder"]
    out.print()
    out.print(
        f"Now: IT {solved['it_power_w'] / 1e6:.2f} MW of {solved['site_power_w'] / 1e6:.2f} MW at the site, "
        f"PUE {solved['pue_rack_input']:.3f} (category 3), "
        f"hottest accelerator {solved['hottest']['chip_temp_c']:.1f} degC in {solved['hottest']['element']}"
    )
    out.print(
        f"Replay: {replay['frames']} minutes of {replay['rack_samples'] // replay['frames']} racks, solved in {replay['solve_s']:.1f} s"
    )
    quality, learned = answer["quality"], answer["calibration"]
    out.print(
        f"Quality: {quality['sensors']:,} sensors of the last day with a mean score of {quality['mean_score_frac']:.3f}, "
        f"{quality['findings']} finding{'s' if quality['findings'] != 1 else ''}"
    )
    moved = [d["sentence"] for d in learned["drifts"] if d["moved"]]
    out.print(f"Calibration: {len(learned['told'])} constants told by data" + (f"; {moved[0]}" if moved else ""), soft_wrap=True)
    out.print(f"Failures: {cases['violated']} of {cases['cases']} cases violate a limit, every rack at its allocated power")
    for room in answer["headroom"]:
        out.print()
        _room(out, room, percent)
    if answer["frontier"]:
        day = answer["frontier"]["replay"]
        out.print()
        pue = f"PUE {day['pue_mean']:.3f} with IT at its parts"
        out.print(f"Frontier, a recorded day: {day['frames']} steps solved in {day['solve_s']:.1f} s, {pue}")
        _room(out, answer["frontier"]["headroom"], percent)
    out.print()
    out.print(f"Files: {folder}/exports ({len(answer['exports'])} files), site in {folder}/site, store in {folder}/store")
    out.print(f"Look at it: racktwin console {folder}/site --store {folder}/store   (.venv/bin/racktwin after make install)")
    out.print(f"Done in {answer['wall_s']:.0f} s")


def _room(out: Console, room: dict[str, Any], percent: Any) -> None:
    fit = "rack fits" if room["racks"] == 1 else "racks fit"
    out.print(
        f"{room['racks']} more {room['sku']} {fit} by {room['by']}, in {percent(room['reached_probability'])} of {room['scenarios']} "
        f"demand scenarios and under {room['cases_checked']} cases"
    )
    out.print(f"  basis:  {room['basis']}; {room['note']}", soft_wrap=True)
    if room["positions"]:
        out.print(f"  where:  {' '.join(room['positions'])}", soft_wrap=True)
    for b in room["binding"][:3]:
        lost = f" when {b['case']} is lost" if b["case"] != "normal" else ""
        out.print(f"  binds:  {b['limit']} of {b['element']}{lost}")
    helps = [r for r in room["frees_most"] if r["racks"] > 0]
    for r in helps[:2]:
        out.print(f"  frees:  {r['change']}: {r['racks']:+d} rack{'' if r['racks'] == 1 else 's'}", soft_wrap=True)
    if not helps and room["frees_most"]:
        out.print("  frees:  no limit that binds gives a rack by itself")
