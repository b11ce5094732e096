"""``racktwin ride``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from dashboards.commands.options import AtText, Calibration, Json, SiteArgument, Store, UtilisationText, moment_of, open_session
from dashboards.commands.output import emit, note, note_doubts, steps, table
from topology.errors import UsageError

if TYPE_CHECKING:
    from dashboards.session import Ridden

_Events = Annotated[
    list[str],
    typer.Option("--event", metavar="E", help="Such as 't=60 lose cdu-1'; may be repeated. See the docs for all.", show_default=False),
]
_For = Annotated[str, typer.Option("--for", metavar="D", help="Length: 90s, 30m or 1h.")]
_Step = Annotated[str, typer.Option("--step", metavar="D", help="Time between records.")]
_Wet = Annotated[
    float | None,
    typer.Option("--wet-bulb-c", metavar="T", help="Outdoor wet bulb, degC; measured, else the design value.", show_default=False),
]
_CapAfter = Annotated[
    str | None, typer.Option("--cap-after", metavar="D", help="Cap the racks so long after the first event.", show_default=False)
]
_CapTo = Annotated[float, typer.Option("--cap-to", metavar="F", min=0.0, max=1.0, help="Share of their power that a cap leaves.")]
_KeepOn = Annotated[bool, typer.Option("--keep-on", help="Let accelerators run on beyond their shutdown temperature.")]
_Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw it into an HTML file that needs no network.", show_default=False)
]
_Out = Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Write limits, loops and racks as Parquet.", show_default=False)]
_Worst = Annotated[int, typer.Option("--worst", metavar="N", min=0, help="Racks to list, the first to reach a limit first; 0 for all.")]


def ride(
    site: SiteArgument, event: _Events, for_: _For = "30m", step: _Step = "1s", utilisation: UtilisationText = None, store: Store = None,
    at: AtText = None, wet_bulb_c: _Wet = None, cap_after: _CapAfter = None, cap_to: _CapTo = 0.5, keep_on: _KeepOn = False,
    plot: _Plot = None, out: _Out = None, worst: _Worst = 10, calibration: Calibration = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Let events happen and count the seconds: what reaches which limit when, and what saves it.

    Events: `t=60 lose ELEMENT`, `t=120 restore ELEMENT`, `t=0 utility` (all of them), `t=30 load 0.9 over 20s`, `t=10 cap 0.6`,
    `t=0 swing 1Hz 0.4`. ELEMENT is any id, a place or a declared group; `cdu-1/pumps` is one pump of that CDU. The ride begins at
    rest, loaded with --utilisation (1 where nothing is given), or with measured power: --store with --at TIME.

    Examples: `racktwin ride mysite --event "t=60 lose cdu-1" --event "t=120 restore cdu-1"`,
    `racktwin ride mysite --event "t=0 utility" --for 10m --plot ride.html`.

    Units: s, degC, kg/s, kW. Exit 1 where a limit is reached.
    """
    from twin.transient.events import seconds

    length, between = seconds(for_, "--for"), seconds(step, "--step")
    cap = None if cap_after is None else (seconds(cap_after, "--cap-after"), cap_to)
    if plot is not None and plot.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--plot {plot} must end in .html")
    session = open_session(site, store, calibration)
    load, time = moment_of(session, utilisation, at)
    with steps("riding") as told:
        result = session.ride(event, length, between, load, time, wet_bulb_c, cap, not keep_on, told)
    from dashboards import ride_answers

    answer = ride_answers.ridden(result.trip, result.outcome, result.swings, result.basis)
    if plot is not None:
        from dashboards.figures.ride import ride_figure

        plot.write_text(ride_figure(result.trip).to_html(include_plotlyjs=True, full_html=True), encoding="utf-8")
        note(f"drawn in {plot}")
    if out is not None:
        answer["files"] = _export(session, result, out, event)
    emit(answer, as_json, lambda console: _show(console, answer, worst))
    if not as_json:
        note_doubts(result.findings)
    if answer["limits_reached"]:
        raise typer.Exit(1)


def _export(session: Any, result: Ridden, folder: Path, events: list[str]) -> list[str]:
    from dashboards import exports, ride_answers

    folder.mkdir(parents=True, exist_ok=True)
    origin = exports.about(session, "ride", {"events": "; ".join(events), "basis": result.basis})
    files: list[Path] = []
    for part in ride_answers.tables(result.trip, result.outcome):
        files += exports.write(folder / f"{part.name}.parquet", (part,), origin)
    note(f"written to {folder}: {', '.join(f.name for f in files)}")
    return [str(f) for f in files]


def _show(out: Console, answer: dict[str, Any], worst: int) -> None:
    out.print(f"{answer['site']}: {answer['for_s']:g} s from {answer['basis']} at {answer['wet_bulb_c']:.1f} degC wet bulb")
    for e in answer["events"]:
        out.print(f"  {e['text']}")
    first = answer["first"]
    out.print()
    if first is None:
        out.print("No limit is reached.")
    else:
        after = f"{first['after_event_s']:.1f} s after the last event before it"
        out.print(f"First: {first['limit']} of {first['element']} beyond {first['bound_c']:.1f} degC at t={first['time_s']:.1f} s, {after}")
    for line in answer["saved_by"][:8]:
        out.print(f"  {line}")
    if answer["racks_off"]:
        names = answer["racks_off"]
        out.print(f"  {len(names)} racks are off at the end: {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}")
    out.print()
    shown = [r for r in answer["racks"] if min(_times(r)) < _NEVER] or answer["racks"][:3]
    shown = shown[: worst or len(shown)]
    rows = [(r["element"], *(_text(t) for t in _times(r)), f"{r['peak_chip_temp_c']:.1f}") for r in shown]
    heads = ("rack", "chip", "memory", "coolant in", "coolant out", "inlet air", "shutdown", "peak chip [degC]")
    out.print(table("Seconds from the start to each limit", heads, rows, heads[1:]))
    out.print()
    loops = [
        (x["element"], x["mode"], *(_text(x[k]) for k in ("flow_lost_s", "flow_back_s", "supply_limit_s")), f"{x['peak_supply_c']:.1f}")
        for x in answer["loops"]
    ]
    parts = ("loop", "mode", "stands at", "flows again at", "supply limit at", "peak supply [degC]")
    out.print(table("", parts, loops, parts[2:]))
    _followed(out, answer)


_NEVER = float("inf")
_KEYS = ("chip_s", "memory_s", "coolant_supply_s", "coolant_return_s", "inlet_air_s", "shutdown_s")


def _times(row: dict[str, Any]) -> list[float]:
    return [_NEVER if row[k] is None else float(row[k]) for k in _KEYS]


def _text(value: float | None) -> str:
    return "-" if value is None or value == _NEVER else f"{value:.1f}"


def _followed(out: Console, answer: dict[str, Any]) -> None:
    """What followed by itself, each kind and second once, and swings."""
    seen: dict[tuple[float, str], list[str]] = {}
    for h in answer["happenings"]:
        seen.setdefault((round(h["time_s"], 1), h["what"]), []).append(h["element"])
    if seen:
        out.print()
        rows = [
            (f"{t:g}", what, str(len(names)), ", ".join(names[:4]) + (", ..." if len(names) > 4 else ""))
            for (t, what), names in seen.items()
        ]
        out.print(table("What followed", ("t [s]", "what", "elements", "which"), rows[:20], ("t [s]", "elements")))
        if len(rows) > 20:
            out.print(f"  and {len(rows) - 20} more; --json lists all")
    for s in answer["swings"]:
        out.print(
            f"\nSwing at {s['swing_hz']:g} Hz: {s['chips_amplitude_w'] / 1e3:.0f} kW at the accelerators, "
            f"{s['racks_amplitude_w'] / 1e3:.0f} kW at the racks, {s['utility_amplitude_w'] / 1e3:.0f} kW at the sources "
            f"({100.0 * (s['utility_amplitude_frac'] or 0.0):.1f} % of what they give), from mean to peak"
        )
