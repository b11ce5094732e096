"""``racktwin rack`` and ``racktwin cdu``: one element of a solved moment in full."""

from __future__ import annotations

import math
from typing import Annotated, Any

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
from topology.errors import UsageError, nearest

_Rack = Annotated[str, typer.Argument(metavar="RACK", help="Id of a rack.", show_default=False)]
_Cdu = Annotated[str, typer.Argument(metavar="[CDU]", help="Id of a CDU; every CDU where not given.", show_default=False)]
_Fouling = Annotated[
    float | None,
    typer.Option(
        "--fouling-frac", metavar="F", show_default=False,
        help="Solve once more with this share of the conductance of the CDU taken by fouling, 0 to 0.9.",
    ),
]  # fmt: skip
MOST_FOULING = 0.9


def rack(
    site: SiteArgument, name: _Rack, utilisation: UtilisationText = None, store: Store = None, at: AtText = None,
    wet_bulb_c: WetBulb = None, outage: OutageIds = None, calibration: Calibration = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """One rack in full: parts, conversion stages, liquid and air heat, coolant along its plates, limits and margins.

    Loaded as `racktwin solve` is. The hottest accelerator is the last on its coolant path. With --store each accelerator is listed:
    by its own reading, or, where it reports no power, by a share of the rack's reading after its utilisation, labelled inferred.

    Examples: `racktwin rack mysite rack-01`, `racktwin rack mysite rack-01 --store mystore --at 2026-11-04T12:00Z`,
    `racktwin rack mysite rack-01 --outage cdu-1 --json`.

    Units: kW, degC, kg/s and % here; W, degC, kg/s and fractions with --json. Exit 1 where one of its limits is violated.
    """
    session = open_session(site, store, calibration)
    _known(name, session.plant.racks.ids, "rack")
    load, time = moment_of(session, utilisation, at)
    result = session.solve(load, time, wet_bulb_c, elements_of(session, outage))
    from dashboards import device_answers, heat_answers

    answer = heat_answers.rack(result, name, None if result.basis == "measured" else 1.0 if load is None else load)
    answer["devices"] = device_answers.devices(session, result, name)
    emit(answer, as_json, lambda out: _show_rack(out, answer))
    if not as_json:
        note_doubts(result.findings)
    if answer["binds"] is not None and answer["binds"]["margin_frac"] < 0.0:
        raise typer.Exit(1)


def cdu(
    site: SiteArgument, name: _Cdu = "", utilisation: UtilisationText = None, store: Store = None, at: AtText = None,
    wet_bulb_c: WetBulb = None, outage: OutageIds = None, fouling_frac: _Fouling = None, calibration: Calibration = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """CDUs in full: heat, approach, conductance, NTU, effectiveness, valve, reserve, and ratings that compare.

    Ratings in print stand at approaches of 3, 4 and 5 K and at flows of their own; here each unit is also given at OCP's
    convention, 5 K at 1.5 L/min a kW on both sides. Loaded as `racktwin solve` is.

    Examples: `racktwin cdu mysite`, `racktwin cdu mysite cdu-1 --fouling-frac 0.2`.

    Units: kW, degC, K, kg/s and % here; W, W/K, kg/s and fractions with --json. Exit 1 where a CDU carries more than its rating.
    """
    session = open_session(site, store, calibration)
    ids = session.plant.cdus.ids
    if name:
        _known(name, ids, "CDU")
    if fouling_frac is not None and not name:
        raise UsageError("--fouling-frac is about one CDU: name it, as in `racktwin cdu mysite cdu-1 --fouling-frac 0.2`")
    if fouling_frac is not None and not 0.0 <= fouling_frac <= MOST_FOULING:
        raise UsageError(f"--fouling-frac {fouling_frac:g} is outside 0 to {MOST_FOULING:g}")
    load, time = moment_of(session, utilisation, at)
    result = session.solve(load, time, wet_bulb_c, elements_of(session, outage))
    from dashboards import heat_answers

    answer = heat_answers.cdus(result, (name,) if name else ids, fouling_frac)
    emit(answer, as_json, lambda out: _show_cdus(out, answer))
    if not as_json:
        note_doubts(result.findings)
    if any(c["heat_w"] > c["rated_duty_w"] for c in answer["cdus"]):
        raise typer.Exit(1)


def _known(name: str, ids: tuple[str, ...], what: str) -> None:
    if name not in ids:
        raise UsageError(f"there is no {what} {name!r}; {nearest(name, ids)}")


def _text(value: float | None, suffix: str, missing: float = math.nan) -> str:
    from dashboards.readable import text

    return text(missing if value is None else value, suffix)


def _hot(value: float | None) -> str:
    return "not cooled" if value is None else _text(value, "c")


def _show_rack(out: Console, answer: dict[str, Any]) -> None:
    from dashboards.readable import percent, text

    out.print(f"{answer['element']}: {answer['title']}, {answer['state']}, {answer['position']} in {answer['hall']}")
    split = answer["liquid_heat_w"] / answer["rack_power_w"] if answer["rack_power_w"] > 0.0 else 0.0
    whole, parts, loss = (text(answer[k], "w") for k in ("rack_power_w", "it_power_w", "conversion_loss_w"))
    rows = (
        ("power", f"{whole} = {parts} of parts and {loss} of conversion"),
        ("cords", f"A {text(answer['cord_a_w'], 'w')}, B {text(answer['cord_b_w'], 'w')}"),
        ("heat", f"{text(answer['liquid_heat_w'], 'w')} to liquid ({percent(split)}), {text(answer['air_heat_w'], 'w')} to air"),
    )  # fmt: skip
    for name, line in rows:
        out.print(f"  {name:<18}{line}")
    if answer["leakage_w"]:
        out.print(f"  {'leakage':<18}{text(answer['leakage_w'], 'w')} beside power at the chips' reference temperature")
    if answer["loop"]:
        flow = f"{text(answer['coolant_flow_kg_s'], 'kg_s')}, {_hot(answer['coolant_supply_c'])} in, {_hot(answer['coolant_return_c'])} out"
        out.print(f"  {'coolant':<18}{flow} ({answer['loop']})")
    out.print(f"  {'inlet air':<18}{_hot(answer['inlet_air_c'])}")
    runaway = ", thermal runaway" if answer["thermal_runaway"] else ""
    memory = "" if answer["memory_temp_c"] is None else f", memory {_hot(answer['memory_temp_c'])}"
    out.print(f"  {'hottest chip':<18}{_hot(answer['chip_temp_c'])}{memory}{runaway}")
    out.print()
    out.print(table("", ("part", "count", "power", "to liquid", "a plate", "coolant in", "out", "chip"), [
        (p["part"], str(p["count"]), text(p["power_w"], "w"), text(p["liquid_heat_w"], "w"), _text(p["plate_flow_m3_s"] or None, "m3_s"),
         _hot(p["coolant_in_c"]), _hot(p["coolant_out_c"]), "" if p["temp_c"] is None else _text(p["temp_c"], "c"))
        for p in answer["parts"]
    ], ("count", "power", "to liquid", "a plate", "coolant in", "out", "chip")))  # fmt: skip
    if answer["devices"] is not None:
        out.print()
        _show_devices(out, answer["devices"])
    if answer["stages"]:
        out.print()
        stages = [(s["stage"], text(s["out_w"], "w"), text(s["loss_w"], "w"), text(s["liquid_heat_w"], "w")) for s in answer["stages"]]
        out.print(table("", ("stage", "output", "loss", "of it to liquid"), stages, ("output", "loss", "of it to liquid")))
    out.print()
    out.print(table("", ("limit", "value", "allowed", "margin"), [
        (r["limit"], _text(r["value"], r["unit"], math.inf), text(r["bound"], r["unit"]), percent(r["margin_frac"]))
        for r in answer["limits"]
    ], ("value", "allowed", "margin")))  # fmt: skip


_HOW = {
    "device": "by their own readings", "equal": "inferred: equal shares of the rack's reading, for none says how busy it is",
    "utilisation": "inferred: shares of the rack's reading by utilisation",
}  # fmt: skip


def _show_devices(out: Console, answer: dict[str, Any]) -> None:
    from dashboards.device_answers import SHOWN
    from dashboards.readable import percent, text

    found = sorted(answer["devices"], key=lambda d: -d["power_w"])
    title = f"Accelerators {_HOW[answer['basis']]}" + (f"; the {SHOWN} of {len(found)} that draw most" if len(found) > SHOWN else "")
    heads = ("device", "power", "uncertainty", "busy", "origin")
    out.print(table(title, heads, [
        (d["device"], text(d["power_w"], "w"), text(d["sigma_w"], "w"),
         "" if d["utilisation_frac"] is None else percent(d["utilisation_frac"]), d["origin"])
        for d in found[:SHOWN]
    ], ("power", "uncertainty", "busy")))  # fmt: skip


def _show_cdus(out: Console, answer: dict[str, Any]) -> None:
    from dashboards.readable import percent, text

    if not answer["cdus"]:
        out.print(f"{answer['site']} has no CDU")
        return
    out.print(table("", ("CDU", "heat", "of", "supply", "approach", "valve", "NTU", "eff.", "reserve"), [
        (c["element"], text(c["heat_w"], "w"), text(c["rated_duty_w"], "w"), _hot(c["supply_c"]), _text(c["approach_k"], "k"),
         percent(c["valve_frac"]), f"{c['ntu']:.2f}", f"{c['effectiveness']:.3f}", _text(c["reserve_w"], "w"))
        for c in answer["cdus"]
    ], ("heat", "of", "supply", "approach", "valve", "NTU", "eff.", "reserve")))  # fmt: skip
    out.print()
    models = {c["model"]: c["rating"] for c in answer["cdus"]}
    rows = []
    for model, rating in models.items():
        by = [text(r["duty_w"], "w") for r in rating["duty_by_approach"]]
        ocp = rating["ocp"]
        rows.append(
            (model, text(rating["approach_k"], "k"), *by, f"{text(ocp['duty_w'], 'w')} ({ocp['limit']}, {ocp['approach_k']:.1f} K)")
        )
    heads = ("model", "rated at", "at 3 K", "at 4 K", "at 5 K", "OCP: 5 K, 1.5 L/min a kW")
    out.print(table("", heads, rows, heads[1:]))
    for c in answer["cdus"]:
        if c["set_point_c"] > c["asked_c"]:
            out.print(f"The dew point holds {c['loop']} at {text(c['set_point_c'], 'c')}; the site asks for {text(c['asked_c'], 'c')}.")
    if "fouling" in answer:
        dirty = answer["fouling"]
        out.print()
        columns = (f"{dirty['element']}, fouling takes {percent(dirty['fouling_frac'])}", "valve", "supply", "loop supply", "hottest chip")
        out.print(table("", columns, [
            (name, percent(d["valve_frac"]), _hot(d["supply_c"]), _hot(d["loop_supply_c"]), _hot(d["hottest_chip_c"]))
            for name, d in (("clean", dirty["clean"]), ("fouled", dirty["fouled"]))
        ], columns[1:]))  # fmt: skip
