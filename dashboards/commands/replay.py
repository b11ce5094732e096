"""``racktwin replay``."""

from __future__ import annotations

import datetime as dt
import math
import sys
import time as clock
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dashboards.commands.options import Calibration, End, Engine, Json, Start, Step, Store, duration_s, open_session, time_of
from dashboards.commands.output import emit, note, note_doubts, steps
from topology.errors import UsageError

if TYPE_CHECKING:
    from dashboards.session import Session
    from twin.forecast.follow import Replay
    from twin.forecast.player import Player
    from twin.residuals import Summary

_Site = Annotated[Path | None, typer.Argument(metavar="SITE", help="Site folder.", show_default=False)]
_Seek = Annotated[str | None, typer.Option("--seek", metavar="TIME", help="Begin at the step that holds this time.", show_default=False)]
_Speed = Annotated[
    str | None,
    typer.Option("--speed", metavar="X", help="Play it: recorded seconds in one second, such as 600 or 600x.", show_default=False),
]
_Steps = Annotated[int | None, typer.Option("--steps", metavar="N", help="Stop after so many steps.", show_default=False)]
_Residuals = Annotated[bool, typer.Option("--residuals", help="Put what meters read beside what the twin predicts.")]
_Export = Annotated[
    Path | None,
    typer.Option(
        "--export", metavar="DIR", help="Write the window with all that it takes to reproduce it: site, readings, results.",
        show_default=False,
    ),
]  # fmt: skip
_Check = Annotated[
    Path | None,
    typer.Option("--check", metavar="DIR", help="Reproduce an exported window from its folder alone, and compare.", show_default=False),
]
STOPPED = 130
"""Exit code where the user stopped it."""


def replay(
    site: _Site = None, store: Store = None, start: Start = None, end: End = None, step: Step = "60s", seek: _Seek = None,
    speed: _Speed = None, count: _Steps = None, residuals: _Residuals = False, export: _Export = None, check: _Check = None,
    calibration: Calibration = None, engine: Engine = "serial",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Drive the twin through measured rack power, step by step: energy, PUE, temperatures, the lowest margins and the ramps of the window.

    Measured power is the load as it is; gaps are filled and said. A step has the same result to the last bit wherever the replay begins and
    however fast it plays.

    Examples: `racktwin replay mysite --store mystore --start 2026-11-20T00:00Z --end 2026-11-21T00:00Z --step 15min`;
    `racktwin replay mysite --store mystore --seek 2026-11-20T12:00Z --speed 600x --steps 60` shows an hour, a step every tenth of a second;
    `racktwin replay mysite --store mystore --residuals` says how far each meter is from what the twin predicts.

    `racktwin replay mysite --store mystore --export window` writes a folder with site, readings and results, and
    `racktwin replay --check window` reproduces it anywhere, bit for bit (exit 1 where it differs, and says what does).

    Ctrl-C ends a replay that plays with what was shown so far (exit 130). A long window goes faster in several processes:
    `--engine processes`, or `--engine dask:tcp://head:8786` for those of a cluster.

    Units: kWh, degC and % here; J, degC and fractions with --json.
    """
    began = clock.perf_counter()
    if check is not None:
        _check_export(check, as_json)
        return
    if site is None or store is None:
        raise UsageError("a replay needs a site folder and its telemetry: racktwin replay SITE --store DIR")
    first, last, step_s = time_of(start, "--start"), time_of(end, "--end"), duration_s(step, "--step")
    begin, pace = time_of(seek, "--seek"), _speed_of(speed)
    partly = begin is not None or pace is not None or count is not None
    if engine != "serial" and (partly or residuals or export):
        raise UsageError("--engine is for whole windows; leave it out with --seek, --speed, --steps, --residuals and --export")
    if export is not None and partly:
        raise UsageError("--export writes a whole window: give --start and --end instead of --seek, --speed and --steps")
    session = open_session(site, store, calibration)
    from dashboards import replay_answers
    from dashboards.commands import replay_text

    more: dict[str, Any] = {}
    stopped, found = False, None
    if export is not None:
        more, result, found = _write_export(session, first, last, step_s, export)
    elif partly or residuals:
        player = session.player(first, last, step_s, seek=begin, steps=count, residuals=residuals)
        stopped = not _play(session, player, pace)
        if stopped and not player.steps:
            note("racktwin: stopped before the first step")
            raise typer.Exit(STOPPED)
        result, found = player.replay, player.residuals
        more = {"first_step": player.first, "window_steps": player.window.steps, "stopped": stopped}
    else:
        with steps("solving") as told:
            result = session.replay(first, last, step_s, told, engine)
    answer = replay_answers.replayed(result, session.plant.racks.ids, clock.perf_counter() - began) | more
    if found is not None:
        answer["residuals"] = replay_answers.compared(found)
    emit(answer, as_json, lambda out: replay_text.show(out, session.site.settings.name, answer))
    if not as_json:
        note_doubts(result.findings)
        if export is not None:
            note(f"{export} holds the window; `racktwin replay --check {export}` reproduces it")
    if stopped:
        raise typer.Exit(STOPPED)


def _write_export(
    session: Session, first: dt.datetime | None, last: dt.datetime | None, step_s: float, folder: Path
) -> tuple[dict[str, Any], Replay, Summary]:
    """Write a window, and what the answer says of it."""
    from dashboards.exports.bundle import export_replay

    with steps("playing, and once more from what was taken along") as told:
        done, about = export_replay(session, first, last, step_s, folder, ["racktwin", *sys.argv[1:]], told)
    kept = ("readings", "same_bits_as_store", "site_digest", "versions")
    return {"export": {"folder": str(folder), "files": len(about["files"]), **{k: about[k] for k in kept}}}, done.replay, done.residuals


def _check_export(folder: Path, as_json: bool) -> None:
    """Reproduce an export and say what differs.

    Raises:
        typer.Exit: it differs.
    """
    from dashboards.commands import replay_text
    from dashboards.exports.bundle_check import check_replay

    with steps("playing") as told:
        answer = check_replay(folder, told)
    emit(answer, as_json, lambda out: replay_text.checked(out, answer))
    if not answer["same"]:
        raise typer.Exit(1)


def _play(session: Session, player: Player, pace: float | None) -> bool:
    """Play until the end, or until the user stops it; whether it came to the end."""
    from dashboards.commands.replay_text import live

    try:
        if pace is not None:
            with live(session.plant, player.limits) as show, closing(player.run(pace)) as run:
                for played, row in run:
                    show(played, row)
        else:
            with steps("solving") as told, closing(player.run()) as run:
                for played, _ in run:
                    told(played.piece.last - player.first, player.stop - player.first)
    except KeyboardInterrupt:
        return False
    return True


def _speed_of(text: str | None) -> float | None:
    """Read ``--speed``.

    >>> _speed_of("600x"), _speed_of("0.5")
    (600.0, 0.5)
    """
    if text is None:
        return None
    try:
        speed = float(text.strip().removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < math.inf:
        raise UsageError(f"--speed {text} is not a speed above zero; write 600 or 600x for ten recorded minutes a second")
    return speed
