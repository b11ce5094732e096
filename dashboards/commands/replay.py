"""``racktwin replay``."""

from __future__ import annotations

import math
import time as clock
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashboards.commands.options import Calibration, Engine, Json, duration_s, open_session, time_of
from dashboards.commands.output import emit, note, note_doubts, steps
from topology.errors import UsageError

if TYPE_CHECKING:
    from dashboards.session import Session
    from twin.forecast.player import Player

_Site = Annotated[Path | None, typer.Argument(metavar="SITE", help="Site folder.", show_default=False)]
_Store = Annotated[
    str | None, typer.Option("--store", metavar="DIR", help="Telemetry store that `racktwin ingest` made.", show_default=False)
]
_Start = Annotated[
    str | None,
    typer.Option("--start", metavar="TIME", help="First time, with a zone; the store's first where not given.", show_default=False),
]
_End = Annotated[
    str | None, typer.Option("--end", metavar="TIME", help="Last time, excluded; the store's last where not given.", show_default=False)
]
_Step = Annotated[str, typer.Option("--step", metavar="T", help="Length of a step: 60, 60s, 15min, 1h.")]
_Seek = Annotated[str | None, typer.Option("--seek", metavar="TIME", help="Begin at the step that holds this time.", show_default=False)]
_Speed = Annotated[
    str | None,
    typer.Option("--speed", metavar="X", help="Play it: recorded seconds in one second, such as 600 or 600x.", show_default=False),
]
_Steps = Annotated[int | None, typer.Option("--steps", metavar="N", help="Stop after so many steps.", show_default=False)]
_Residuals = Annotated[bool, typer.Option("--residuals", help="Put what meters read beside what the twin predicts.")]
STOPPED = 130
"""Exit code where the user stopped it."""


def replay(
    site: _Site = None, store: _Store = None, start: _Start = None, end: _End = None, step: _Step = "60s", seek: _Seek = None,
    speed: _Speed = None, count: _Steps = None, residuals: _Residuals = False, calibration: Calibration = None, engine: Engine = "serial",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Drive the twin through measured rack power, step by step: energy, PUE, temperatures, the lowest margins and the ramps of the window.

    Measured power is the load as it is; gaps are filled and said. A step has the same result to the last bit wherever the replay begins and
    however fast it plays.

    Examples: `racktwin replay mysite --store mystore --start 2026-11-20T00:00Z --end 2026-11-21T00:00Z --step 15min`;
    `racktwin replay mysite --store mystore --seek 2026-11-20T12:00Z --speed 600x --steps 60` shows an hour, a step every tenth of a second;
    `racktwin replay mysite --store mystore --residuals` says how far each meter is from what the twin predicts.

    Ctrl-C ends a replay that plays with what was shown so far (exit 130). A long window goes faster in several processes:
    `--engine processes`, or `--engine dask:tcp://head:8786` for those of a cluster.

    Units: kWh, degC and % here; J, degC and fractions with --json.
    """
    began = clock.perf_counter()
    if site is None or store is None:
        raise UsageError("a replay needs a site folder and its telemetry: racktwin replay SITE --store DIR")
    first, last, step_s = time_of(start, "--start"), time_of(end, "--end"), duration_s(step, "--step")
    begin, pace = time_of(seek, "--seek"), _speed_of(speed)
    session = open_session(site, store, calibration)
    plays = begin is not None or pace is not None or count is not None or residuals
    if not plays:
        with steps("solving") as told:
            result = session.replay(first, last, step_s, told, engine)
    elif engine != "serial":
        raise UsageError("--engine is for whole windows; leave it out with --seek, --speed, --steps and --residuals")
    from dashboards import replay_answers
    from dashboards.commands import replay_text

    stopped, found = False, None
    if plays:
        player = session.player(first, last, step_s, seek=begin, steps=count, residuals=residuals)
        stopped = not _play(session, player, pace)
        if stopped and not player.steps:
            note("racktwin: stopped before the first step")
            raise typer.Exit(STOPPED)
        result, found = player.replay, player.residuals
    answer = replay_answers.replayed(result, session.plant.racks.ids, clock.perf_counter() - began)
    if found is not None:
        answer["residuals"] = replay_answers.compared(found)
    if plays:
        answer |= {"first_step": player.first, "window_steps": player.window.steps, "stopped": stopped}
    emit(answer, as_json, lambda out: replay_text.show(out, session.site.settings.name, answer))
    if not as_json:
        note_doubts(result.findings)
    if stopped:
        raise typer.Exit(STOPPED)


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
