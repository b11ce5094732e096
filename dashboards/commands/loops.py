"""``racktwin loops``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

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
from dashboards.commands.output import emit, table

if TYPE_CHECKING:
    from rich.table import Table

    from twin.loops import LoopReport, PumpReport

_Loop = Annotated[str | None, typer.Option("--loop", metavar="L", help="One loop, with every branch.", show_default=False)]
_Outage = Annotated[
    list[str] | None,
    typer.Option(
        "--outage", metavar="ID", help="Element that is lost; cdu-1/pumps is one pump of that CDU. May be repeated.", show_default=False
    ),
]


def loops(
    site: SiteArgument, loop: _Loop = None, utilisation: UtilisationText = None, store: Store = None, at: AtText = None,
    outage: _Outage = None, calibration: Calibration = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Coolant loops: flow, pressure, velocity, spread of branch flows, pumps with what limits them.

    Loaded with --utilisation (1 where nothing is given), or with measured power: --store with --at TIME, or the store's last
    minute.

    Examples: `racktwin loops mysite`, `racktwin loops mysite --loop tcs-1 --outage cdu-1/pumps`.

    Units: kg/s, kPa, m/s, kW and m here; kg/s, Pa, m/s, W and m with --json. Exit 1 where a limit of a loop, a manifold or a pump
    is violated.
    """
    session = open_session(site, store, calibration)
    load, time = moment_of(session, utilisation, at)
    result = session.solve(load, time, None, elements_of(session, outage))
    from dashboards import loop_answers

    answer, reports = loop_answers.loops(result, loop, load)
    emit(answer, as_json, lambda out: _show(out, answer, reports, loop is not None))
    if answer["limits_violated"]:
        raise typer.Exit(1)


def _show(out: Console, answer: dict[str, Any], reports: tuple[LoopReport, ...], branches: bool) -> None:
    lost = f", without {', '.join(answer['outage'])}" if answer["outage"] else ""
    out.print(f"{answer['site']}: {len(reports)} coolant loop{'s' if len(reports) != 1 else ''}{lost}")
    for report in reports:
        out.print()
        _loop(out, report, branches)
    if answer["limits_violated"]:
        out.print()
        out.print(f"Violated: {', '.join(sorted({r['limit'] + ' of ' + r['element'] for r in answer['limits_violated']}))}")


def _loop(out: Console, r: LoopReport, branches: bool) -> None:
    from dashboards.readable import percent, text

    held = f"holds {text(r.set_flow_kg_s, 'kg_s')}" if r.set_flow_kg_s is not None else f"holds {text(r.set_dp_pa, 'pa')}"
    header = f", {text(r.dp_pa, 'pa')} at the header ({held}: {r.decides})" if r.dp_pa is not None else ""
    temps = f"{text(r.supply_c, 'c')} to {text(r.return_c, 'c')}"
    out.print(f"{r.element} ({r.kind}, {r.coolant}): {text(r.flow_kg_s, 'kg_s')}, {temps}{header}")
    for note in r.notes:
        out.print(f"  ! {note}")
    if r.manifolds:
        rows = [(m.element, m.returns, text(m.flow_kg_s, "kg_s"), text(m.velocity_m_s, "m_s"), percent(m.spread_frac)) for m in r.manifolds]
        out.print(table("", ("manifold", "return", "flow", "velocity", "spread"), rows, ("flow", "velocity", "spread")))
    if branches:
        for m in r.manifolds:
            rows = [(b.element, str(b.place), text(b.flow_kg_s, "kg_s"), text(b.rated_kg_s, "kg_s"), text(b.dp_pa, "pa"))
                    for b in m.branches]  # fmt: skip
            out.print(table(m.element, ("rack", "place", "flow", "rated", "dp"), rows, ("place", "flow", "rated", "dp")))
    if r.pumps:
        out.print(pump_table(r.pumps))


def pump_table(reports: tuple[PumpReport, ...]) -> Table:
    """Pumps with their operating point and what limits them."""
    from dashboards.readable import percent, text

    pumps = [
        (
            p.element, f"{p.running} of {p.pumps}" if p.running is not None else str(p.pumps), _or(p.flow_kg_s, "kg_s"),
            _or(p.head_pa, "pa"), percent(p.speed_frac) if p.speed_frac is not None else "-", text(p.power_w, "w"),
            percent(p.efficiency_frac) if p.efficiency_frac is not None else "-", _suction(p.npsh_available_m, p.npsh_required_m),
            p.limits,
        )
        for p in reports
    ]  # fmt: skip
    heads = ("pump", "run", "flow", "head", "speed", "power", "efficiency", "NPSH margin", "limited by")
    return table("", heads, pumps, heads[2:8])


def _or(value: float | None, unit: str) -> str:
    from dashboards.readable import text

    return "-" if value is None else text(value, unit)


def _suction(has: float | None, needs: float | None) -> str:
    return "-" if has is None or needs is None else _or(has - needs, "m")
