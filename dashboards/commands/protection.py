"""``racktwin protection``."""

from __future__ import annotations

from typing import Annotated

import typer

from dashboards.commands.options import AtText, Calibration, Json, SiteArgument, Store, UtilisationText, moment_of, open_session
from dashboards.commands.output import emit, steps

_Most = Annotated[int, typer.Option("--most", metavar="N", min=0, help="Entries of each list, most interesting first; 0 for all.")]


def protection(
    site: SiteArgument, utilisation: UtilisationText = None, store: Store = None, at: AtText = None, most: _Most = 10,
    calibration: Calibration = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Say what protects the power chain: trip times under every outage, selectivity, fault levels, phases, schemes, gear without backing.

    Racks draw their allocated power where nothing is given; else --utilisation, or measured power with --store (and --at).

    Examples: `racktwin protection mysite`, `racktwin protection mysite --utilisation 0.8 --most 0 --json`.

    Units: A, kW, s and % of a rating here; A, W, s and fractions with --json. Exit 1 where a breaker trips in a case, does not
    interrupt its fault current, a scheme does not hold or a generator's step is too large.
    """
    session = open_session(site, store, calibration)
    load, time = moment_of(session, utilisation, at)
    with steps("solving cases") as told:
        found = session.protection(load, time, told)
    from dashboards import protection_answers, protection_text

    basis = "utilisation" if load is not None else "measured" if time is not None else "nameplate"
    wet = session.site.settings.design_wet_bulb_c
    answer = protection_answers.protected(session.plant, found, session.limits, basis, wet, most)
    emit(answer, as_json, lambda out: protection_text.shown(out, answer))
    if not found.holds:
        raise typer.Exit(1)
