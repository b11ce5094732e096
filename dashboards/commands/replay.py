"""``racktwin replay``."""

from __future__ import annotations

import time as clock
from typing import Annotated, Any

import typer
from rich.console import Console

from dashboards.commands.options import Calibration, Engine, Json, SiteArgument, duration_s, open_session, time_of
from dashboards.commands.output import emit, note_doubts, steps, table

_Store = Annotated[str, typer.Option("--store", metavar="DIR", help="Telemetry store that `racktwin ingest` made.", show_default=False)]
_Start = Annotated[
    str | None,
    typer.Option("--start", metavar="TIME", help="First time, with a zone; the store's first where not given.", show_default=False),
]
_End = Annotated[
    str | None, typer.Option("--end", metavar="TIME", help="Last time, excluded; the store's last where not given.", show_default=False)
]
_Step = Annotated[str, typer.Option("--step", metavar="T", help="Length of a step: 60, 60s, 15min, 1h.")]


def replay(
    site: SiteArgument,
    store: _Store,
    start: _Start = None,
    end: _End = None,
    step: _Step = "60s",
    calibration: Calibration = None,
    engine: Engine = "serial",
    as_json: Json = False,
) -> None:
    """Drive the twin through measured rack power, step by step: energy, PUE, temperatures, the lowest margins and the ramps of the window.

    Measured power is the load as it is; gaps are filled and said.

    Example: `racktwin replay mysite --store mystore --start 2026-11-20T00:00Z --end 2026-11-21T00:00Z --step 15min`.

    A long window goes faster in several processes: `--engine processes`, or `--engine dask:tcp://head:8786` for those of a cluster.

    Units: kWh, degC and % here; J, degC and fractions with --json.
    """
    began = clock.perf_counter()
    first, last, step_s = time_of(start, "--start"), time_of(end, "--end"), duration_s(step, "--step")
    session = open_session(site, store, calibration)
    with steps("solving") as told:
        result = session.replay(first, last, step_s, told, engine)
    from dashboards import answers

    answer = answers.replayed(result, session.plant.racks.ids, clock.perf_counter() - began)
    emit(answer, as_json, lambda out: _show(out, session.site.settings.name, answer))
    if not as_json:
        note_doubts(result.findings)


def _show(out: Console, name: str, answer: dict[str, Any]) -> None:
    from dashboards.readable import percent, text
    from topology.units import UNITS, from_canonical

    out.print(f"{name}: {answer['start']} to {answer['end']}, {answer['frames']:,} steps of {answer['step_s']:g} s")
    for key in ("site", "it", "loss", "cooling"):
        kwh = from_canonical(float(answer[f"{key}_energy_j"]), UNITS["kwh"])
        out.print(f"  {_NAMES[key]:<18}{kwh:>14,.1f} kWh")
    out.print(f"  {'mean PUE':<18}{answer['pue_mean']:>14.3f}     IT at its parts" if answer["pue_mean"] else "  no IT load")
    by = {k: v["racks"] for k, v in answer["load_origin"].items() if v["racks"]}
    out.print(f"  {'racks':<18}{', '.join(f'{n} {k}' for k, n in by.items())}" + _spread(answer["inferred"]))
    site_w = answer["site_power_w"]
    out.print(f"  {'site power':<18}{text(site_w['min'], 'w')} to {text(site_w['max'], 'w')}, mean {text(site_w['mean'], 'w')}")
    hot = answer["hottest"]
    if hot["chip_temp_c"] is not None:
        out.print(f"  {'hottest chip':<18}{text(hot['chip_temp_c'], 'c')}  {hot['element']} at {hot['time']}")
    out.print(f"  solved in {answer['solve_s']:.2f} s, {answer['wall_s']:.2f} s with reading")
    out.print()
    rows = [(r["element"], r["limit"], percent(r["margin_frac"]), r["time"]) for r in answer["lowest_margins"]]
    out.print(table("Lowest margins", ("element", "limit", "margin", "at"), rows, ("margin",)))
    ramps = sorted(answer["ramps"], key=lambda r: -abs(r["change_w"]))[:_RAMPS]
    if ramps:
        out.print()
        moved = [(r["start"], r["end"], _signed(r["change_w"], "w"), _signed(60.0 * r["steepest_w_s"], "w") + "/min") for r in ramps]
        title = f"Ramps of site power: the largest {len(ramps)} of {len(answer['ramps'])}"
        out.print(table(title, ("from", "to", "change", "steepest"), moved, ("change", "steepest")))


def _spread(inferred: list[dict[str, Any]]) -> str:
    """Mean uncertainty of racks that are inferred, over their mean power."""
    mean_w, sigma_w = (sum(r[k] for r in inferred) for k in ("mean_w", "sigma_w"))
    return f"; inferred ones within {100.0 * sigma_w / mean_w:.0f} % each (standard uncertainty)" if mean_w else ""


def _signed(value: float, quantity: str) -> str:
    from dashboards.readable import text

    return ("+" if value > 0.0 else "-") + text(abs(value), quantity)


_RAMPS = 8
_NAMES = {"site": "site energy", "it": "IT energy", "loss": "conversion loss", "cooling": "cooling"}
