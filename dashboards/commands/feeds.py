"""``racktwin feeds``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from dashboards.commands.options import (
    AtText,
    Calibration,
    Json,
    SiteArgument,
    Store,
    UtilisationText,
    elements_of,
    moment_of,
    open_session,
)
from dashboards.commands.output import emit, note_doubts, table

_Under = Annotated[
    str | None,
    typer.Option("--under", metavar="ID", help="Only this power element and what hangs on it, racks included.", show_default=False),
]
_Outage = Annotated[
    list[str] | None,
    typer.Option("--outage", metavar="ID", help="Element, place or common cause that is lost; may be repeated.", show_default=False),
]


def feeds(
    site: SiteArgument, under: _Under = None, outage: _Outage = None, utilisation: UtilisationText = None, store: Store = None,
    at: AtText = None, calibration: Calibration = None, as_json: Json = False,
) -> None:  # fmt: skip
    """List the power chain of one moment: voltage, drop, current, kVA, power factor and loss of each element.

    Loaded as `racktwin solve` is. With --under, racks below that element follow, with the voltage at their taps.

    Examples: `racktwin feeds mysite`, `racktwin feeds mysite --under busway-a --outage busway-b`.

    Units: V, A, kW, kVA and % here; V, A, W, VA and fractions with --json. Exit 1 where no voltage carries a load.
    """
    session = open_session(site, store, calibration)
    load, time = moment_of(session, utilisation, at)
    result = session.solve(load, time, None, elements_of(session, outage))
    from dashboards import feed_answers

    answer = feed_answers.feeds(result, under)
    emit(answer, as_json, lambda out: _show(out, answer))
    if not as_json:
        note_doubts(result.findings)
    if result.state.power.collapsed.any():
        raise typer.Exit(1)


_NUMBERS = ("voltage", "drop", "current", "power", "apparent", "pf", "loss", "used")


def _show(out: Console, answer: dict[str, Any]) -> None:
    from dashboards.readable import percent, text

    lost = f", without {', '.join(answer['outage'])}" if answer["outage"] else ""
    out.print(f"{answer['site']}: power chain{lost}, {text(answer['source_power_w'], 'w')} from all sources")
    rows = [
        (
            "  " * e["depth"] + e["element"], e["kind"], _volts(e["voltage_v"], e["voltage_frac"], e["state"]),
            f"{100.0 * e['drop_frac']:.2f} %", "-" if e["current_a"] is None else text(e["current_a"], "a"), text(e["power_w"], "w"),
            text(e["apparent_power_va"], "va"), f"{e['power_factor']:.3f}", text(e["loss_w"], "w"),
            "-" if e["used_frac"] is None else percent(e["used_frac"]),
        )
        for e in answer["elements"]
    ]  # fmt: skip
    out.print(table("", ("element", "kind", *_NUMBERS), rows, _NUMBERS))
    if answer["under"] is None:
        return
    racks = [
        (r["element"], r["sku"], c["feed"], text(c["power_w"], "w"), _volts(c["voltage_v"], c["voltage_frac"], "live"), _bars(r["bars"]))
        for r in answer["racks"]
        for c in r["cords"]
    ]
    if racks:
        out.print()
        out.print(table("Racks", ("rack", "sku", "cord on", "power", "voltage", "bar"), racks, ("power", "voltage", "bar")))


def _volts(volts: float | None, of_nominal: float, state: str) -> str:
    if state != "live":
        return state
    if of_nominal == 0.0:
        return "dead"
    return f"{100.0 * of_nominal:.1f} %" if volts is None else f"{volts:.1f} V ({100.0 * of_nominal:.1f} %)"


def _bars(bars: list[dict[str, Any]]) -> str:
    return ", ".join(f"{b['current_a']:.0f} A at {b['voltage_v']:g} V" for b in bars) or "-"
