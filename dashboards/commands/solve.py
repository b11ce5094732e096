"""``racktwin solve``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from dashboards.commands.options import (
    AtText,
    Calibration,
    Json,
    OutageIds,
    SiteArgument,
    Store,
    UtilisationText,
    WetBulb,
    elements_of,
    moment_of,
    open_session,
)
from dashboards.commands.output import emit, note_doubts, table

if TYPE_CHECKING:
    from dashboards.session import Solved

_Dry = Annotated[
    float | None,
    typer.Option(
        "--dry-bulb-c", metavar="T", help="Outdoor dry bulb, degC; as far above the wet bulb as at the design point.", show_default=False
    ),
]


def solve(
    site: SiteArgument, utilisation: UtilisationText = None, store: Store = None, at: AtText = None, wet_bulb_c: WetBulb = None,
    dry_bulb_c: _Dry = None, outage: OutageIds = None, calibration: Calibration = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Solve one moment: power, flow, heat and every limit of the site.

    Loaded with --utilisation (1 where nothing is given), or with measured power: --store with --at TIME, or the store's last
    minute.

    Examples: `racktwin solve mysite --utilisation cpu=0.33,gpu=0.79`, `racktwin solve mysite --outage ups-a --wet-bulb-c 26`.

    Units: kW, degC, kg/s and % here; W, degC, kg/s and fractions with --json. Exit 1 where a limit is violated.
    """
    session = open_session(site, store, calibration)
    load, time = moment_of(session, utilisation, at)
    result = session.solve(load, time, wet_bulb_c, elements_of(session, outage), dry_bulb_c)
    from dashboards import answers, feed_answers, heat_answers

    powered = {"feeds": answers.plain(feed_answers.elements(result))}
    answer = {**answers.solved(result, load), "heat": heat_answers.notable(result), **powered}
    emit(answer, as_json, lambda out: _show(out, answer, result))
    if not as_json:
        note_doubts(result.findings)
    if result.violated:
        raise typer.Exit(1)


def _show(out: Console, answer: dict[str, Any], result: Solved) -> None:
    from dashboards.readable import percent, text

    load = f"measured at {answer['at']}" if answer["basis"] == "measured" else f"utilisation {_load(answer['utilisation'])}"
    lost = f", without {', '.join(answer['outage'])}" if answer["outage"] else ""
    out.print(f"{answer['site']}: {load}, wet bulb {answer['wet_bulb_c']:.1f} degC{lost}")
    led = result.state.ledger
    rows = [("site power", led.site_w), ("IT power", led.it_w), ("conversion loss", led.loss_w), ("cooling power", led.cooling_w),
            ("IT feeds", led.feed_w)]  # fmt: skip
    for name, watts in rows:
        out.print(f"  {name:<18}{text(float(watts[0]), 'w'):>12}")
    out.print(f"  {'PUE':<18}{_ratio(answer['pue']):>9}     {_ratio(answer['pue_rack_input'])} at the racks' inputs (category 3)")
    hot = answer["hottest"]
    if hot:
        out.print(
            f"  {'hottest chip':<18}{'not cooled' if hot['chip_temp_c'] is None else text(hot['chip_temp_c'], 'c'):>12}  {hot['element']}"
        )
    _show_heat(out, answer["heat"])
    low = min((f for f in answer["feeds"] if f["state"] == "live"), key=lambda f: f["voltage_frac"], default=None)
    if low is not None and low["voltage_frac"] < 1.0:
        out.print(f"  {'lowest voltage':<18}{percent(low['voltage_frac']):>12}  {low['element']}")
    out.print()
    loops = [(w["element"], w["kind"], *(text(_nan(w[k]), u) for k, u in _LOOP)) for w in answer["loops"]]
    if loops:
        out.print(table("", ("loop", "kind", "supply", "return", "flow"), loops, ("supply", "return", "flow")))
        out.print()
    _outside(out, answer["outside"])
    worst = answer["limits_violated"][:10] or answer["tightest"][:5]
    count = len(answer["limits_violated"])
    out.print(
        f"{count} of {answer['limits_checked']} limits violated" if count else f"All {answer['limits_checked']} limits hold; the tightest:"
    )
    out.print(table("", ("element", "limit", "value", "allowed", "margin"), [
        (r["element"], r["limit"], text(_inf(r["value"]), r["unit"]), text(r["bound"], r["unit"]), percent(r["margin_frac"])) for r in worst
    ], ("value", "allowed", "margin")))  # fmt: skip


def _outside(out: Console, rows: list[dict[str, Any]]) -> None:
    """What rejects the heat: one line a kind, and what is outside the bounds of its model."""
    from dashboards.readable import percent, text

    for kind, name in (("tower", "towers"), ("dry_cooler", "dry coolers"), ("chiller", "chillers")):
        own = [r for r in rows if r["kind"] == kind and r["heat_w"] > 0.0]
        if not own:
            continue
        line = f"  {name:<18}{text(sum(r['heat_w'] for r in own), 'w'):>12}  {len(own)} run"
        if kind != "chiller":
            line += f", fans {percent(max(r['fan_frac'] for r in own))}, water {sum(r['water_l_h'] for r in own):,.0f} L/h"
            merkel = [r["element"] for r in own if r.get("model") == "Merkel"]
            line += f"; Merkel, outside York's bounds: {', '.join(merkel)}" if merkel else ""
        else:
            edge = [r["element"] for r in own if not r["in_bounds"]]
            line += f" at {text(sum(r['power_w'] for r in own), 'w')}"
            line += f"; curves held at the edge of their record: {', '.join(edge)}" if edge else ""
        out.print(line, soft_wrap=True)
    out.print()


def _show_heat(out: Console, heat: dict[str, Any]) -> None:
    """Memory, leakage and interlocks, where there is something to say."""
    from dashboards.readable import text

    memory = heat["hottest_memory"]
    if memory:
        shown = "not cooled" if memory["memory_temp_c"] is None else text(memory["memory_temp_c"], "c")
        out.print(f"  {'hottest memory':<18}{shown:>12}  {memory['element']}")
    if heat["leakage_w"]:
        out.print(f"  {'leakage':<18}{text(heat['leakage_w'], 'w'):>12}  beside power at the chips' reference temperature")
    for lock in heat["dew_point_interlocks"]:
        raised = f"{text(lock['set_point_c'], 'c')} in place of {text(lock['asked_c'], 'c')}"
        out.print(f"  {'dew point':<18}holds {lock['element']} at {raised}")
    for what, racks in (("thermal runaway", heat["thermal_runaway"]), ("not cooled", heat["not_cooled"])):
        if racks:
            more = f" and {len(racks) - 5} more" if len(racks) > 5 else ""
            out.print(f"  {what:<18}{', '.join(racks[:5])}{more}")


_LOOP = (("supply_c", "c"), ("return_c", "c"), ("flow_kg_s", "kg_s"))


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _inf(value: float | None) -> float:
    return float("inf") if value is None else value


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _load(value: Any) -> str:
    return " ".join(f"{k}={v:g}" for k, v in value.items()) if isinstance(value, dict) else f"{value:g}"
