"""``racktwin headroom``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from dashboards.commands.options import Calibration, Json, SiteArgument, Store, date_of, open_session
from dashboards.commands.output import emit, steps, table

if TYPE_CHECKING:
    from dashboards.session import Session
    from twin.headroom.room import Room

Sku = Annotated[str, typer.Option("--sku", metavar="NAME", help="Rack SKU of the catalog, such as gb300-nvl72.", show_default=False)]
By = Annotated[
    str | None,
    typer.Option("--by", metavar="DATE", help="Date, YYYY-MM-DD; the site's horizon, else today, where not given.", show_default=False),
]
Probability = Annotated[
    float, typer.Option("--probability", metavar="P", help="Share of the demand scenarios in which every limit must hold, 0 to 1.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the demand scenarios; the same seed gives the same answer.")]


def headroom(
    site: SiteArgument, sku: Sku, by: By = None, probability: Probability = 0.95, store: Store = None, seed: Seed = 0,
    calibration: Calibration = None, as_json: Json = False,
) -> None:  # fmt: skip
    """How many more racks of a SKU fit by a date, where, what binds, and what frees most.

    A rack fits where every limit holds in normal operation and under every single failure, with the probability asked for.
    With --store, demand is drawn from measured rack power and the site's growth; without, racks draw their allocated power.

    Examples: `racktwin headroom mysite --sku gb300-nvl72`,
    `racktwin headroom mysite --sku mtia-450 --by 2027-06-30 --probability 0.95 --store mystore`.

    Exit 0 also where no rack fits: that is an answer.
    """
    room = ask(open_session(site, store, calibration), sku, by, probability, seed)
    from dashboards import answers

    answer = answers.headroom(room)
    emit(answer, as_json, lambda out: _show(out, answer))


def ask(session: Session, sku: str, by: str | None, probability: float, seed: int) -> Room:
    """The answer of a session, with a progress bar.

    Raises:
        UsageError: a date that cannot be read, or a probability outside 0 to 1.
        SiteError: unknown SKU; the message offers the nearest.
    """
    date = date_of(by, "--by")
    with steps("checking placements") as told:
        return session.headroom(sku, date, probability, seed, told)


def _show(out: Console, answer: dict[str, Any]) -> None:
    from dashboards.readable import percent

    one = answer["racks"] == 1
    out.print(
        f"{answer['racks']} more {answer['sku']} rack{'' if one else 's'} fit{'s' if one else ''} by {answer['by']}"
        f" on {answer['free_positions']} suitable free positions"
    )
    subject = "every limit holds" if answer["racks"] else "as the site stands, every limit holds"
    out.print(
        f"  {subject} in {percent(answer['reached_probability'])} of {answer['scenarios']} demand scenarios"
        f" (asked: {percent(answer['probability'])}), under {answer['cases_checked']} cases"
    )
    out.print(f"  basis: {answer['basis']}; {answer['note']}")
    if answer["positions"]:
        out.print(f"  where: {' '.join(answer['positions'])}", soft_wrap=True)
    out.print()
    rows = [(b["element"], b["limit"], b["case"], percent(b["share_frac"])) for b in answer["binding"]]
    out.print(table("What stops the next rack", ("element", "limit", "when lost", "share"), rows, ("share",)))
    freed = [(r["change"], f"{r['racks']:+d}") for r in answer["frees_most"]]
    if freed:
        out.print()
        out.print(table("What frees most", ("change", "racks"), freed, ("racks",)))
