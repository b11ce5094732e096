"""``racktwin network``."""

from __future__ import annotations

import dataclasses
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
    elements_of,
    moment_of,
    open_session,
)
from dashboards.commands.output import emit, table

if TYPE_CHECKING:
    from twin.pipes import NetworkReport

_Loop = Annotated[str, typer.Argument(metavar="LOOP", help="A loop whose header is drawn in pipes.csv.", show_default=False)]


def network(
    site: SiteArgument, loop: _Loop, utilisation: UtilisationText = None, store: Store = None, at: AtText = None,
    outage: OutageIds = None, calibration: Calibration = None, as_json: Json = False,
) -> None:  # fmt: skip
    """A loop with drawn pipes: flow, velocity and pressure drop of each pipe, pressures, pumps, and what limits.

    Loaded with --utilisation (1 where nothing is given), or with measured power: --store with --at TIME, or the store's last
    minute. The id of a pipe as --outage shuts it on both sides.

    Examples: `racktwin network mysite tcs-1`, `racktwin network mysite tcs-1 --outage pipe-3`.

    Units: kg/s, m/s, kPa, m and kW here; kg/s, m/s, Pa, m and W with --json. Exit 1 where a manifold or a CDU is cut off, or
    the pumps cannot hold what they are asked.
    """
    session = open_session(site, store, calibration)
    load, time = moment_of(session, utilisation, at)
    result = session.solve(load, time, None, elements_of(session, outage))
    from dashboards.answers import plain
    from twin.pipes import network_report

    report = network_report(result.plant, result.state, loop)
    lost = result.state.outages.sets[int(result.state.outages.index[0])]
    answer = {"site": result.plant.site.settings.name, "basis": result.basis, "utilisation": load, "at": result.at, "outage": lost}
    answer = dict(plain({**answer, "network": dataclasses.asdict(report)}))
    emit(answer, as_json, lambda out: _show(out, answer, report))
    if report.decides in ("full speed", "off") or any(note.endswith("is cut off") for note in report.notes):
        raise typer.Exit(1)


def _show(out: Console, answer: dict[str, Any], r: NetworkReport) -> None:
    from dashboards.commands.loops import pump_table
    from dashboards.readable import text

    lost = f", without {', '.join(answer['outage'])}" if answer["outage"] else ""
    out.print(f"{answer['site']}{lost}")
    where = f" at {r.least}" if r.least else ""
    held = f"(holds {text(r.set_dp_pa, 'pa')}: {r.decides})"
    out.print(f"{r.element}: {text(r.flow_kg_s, 'kg_s')}, least {text(r.dp_pa, 'pa')}{where} {held}")
    for note in r.notes:
        out.print(f"  ! {note}")

    def shown(value: float | None, unit: str) -> str:
        return "-" if value is None else text(value, unit)

    rows = []
    for p in r.pipes:
        figures = (shown(p.flow_kg_s, "kg_s"), shown(p.velocity_m_s, "m_s"), shown(p.dp_pa, "pa"))
        rows.append((p.element, p.side, f"{p.start} to {p.end}", *figures, p.state))
    out.print(table("", ("pipe", "side", "way", "flow", "velocity", "dp", "state"), rows, ("flow", "velocity", "dp")))
    ends = []
    for j in r.junctions:
        pressures = (shown(j.supply_pa, "pa"), shown(j.return_pa, "pa"), shown(j.head_m, "m"))
        ends.append((j.element, j.kind, *pressures, shown(j.flow_kg_s, "kg_s")))
    out.print(table("", ("end", "kind", "supply", "return", "head", "flow"), ends, ("supply", "return", "head", "flow")))
    if r.pumps:
        out.print(pump_table(r.pumps))
