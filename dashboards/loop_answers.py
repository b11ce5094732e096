"""Coolant loops as a plain dictionary, ready for JSON: keys with units, no NaN and no infinity."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from dashboards.answers import plain
from twin.loops import LoopReport, loop_reports

if TYPE_CHECKING:
    from dashboards.session import Solved, Utilisation


def loops(result: Solved, only: str | None = None, utilisation: Utilisation | None = None) -> tuple[dict[str, Any], tuple[LoopReport, ...]]:
    """Answer of a question about loops, and the reports that it was made from.

    Args:
        result: a solved moment.
        only: id of one loop; all where not given.
        utilisation: what it was asked for with, repeated in the answer.

    Raises:
        UsageError: no loop has this id.
    """
    reports = loop_reports(result.plant, result.state, 0, only)
    shown = {r.element for r in reports} | {m.element for r in reports for m in r.manifolds}
    shown |= {p.element for r in reports for p in r.pumps}
    violated = [
        {"element": result.limits.element[k], "limit": result.limits.limit[k], "margin_frac": result.margin_frac[k]}
        for k in result.violated
        if result.limits.element[k] in shown
    ]
    answer = {
        "site": result.plant.site.settings.name,
        "basis": result.basis,
        "utilisation": utilisation,
        "at": result.at,
        "outage": result.state.outages.sets[int(result.state.outages.index[0])],
        "limits_violated": violated,
        "loops": [dataclasses.asdict(r) for r in reports],
    }
    return dict(plain(answer)), reports
