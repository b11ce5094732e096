"""``racktwin ingest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from dashboards.commands.options import Json, SiteArgument, site_folder
from dashboards.commands.output import emit, note_findings, steps

_Files = Annotated[list[Path], typer.Argument(metavar="FILES...", help="Parquet or CSV files, or folders of them.", show_default=False)]
_Store = Annotated[str, typer.Option("--store", metavar="DIR", help="Store to add to; made where there is none.", show_default=False)]
_Vendor = Annotated[
    str | None,
    typer.Option("--vendor", metavar="NAME", help="Mapping to read the files with; recognised where not given.", show_default=False),
]
_Again = Annotated[bool, typer.Option("--again", help="Take files that are stored already out first, and map them anew.")]


def ingest(site: SiteArgument, files: _Files, store: _Store, vendor: _Vendor = None, again: _Again = False, as_json: Json = False) -> None:
    """Read telemetry files into a store, each exactly once by its content; what cannot be true is quarantined with its reason.

    Files need no renaming: DCGM exporter, Redfish, OpenBMC and others are recognised by their columns. The plainest form is
    `time, element, power_kw`, times with a zone, elements as in the site folder.

    Examples: `racktwin ingest mysite day1.parquet day2.parquet --store mystore`,
    `racktwin ingest mysite logs/ --store mystore --vendor dcgm`.

    Exit 1 where readings were quarantined or a file could not be read.
    """
    site_folder(site)
    from telemetry.ingest import ingest as run
    from topology.read import read_site

    with steps("reading") as told:
        report = run(read_site(site), files, store, vendor, lambda _name, done: told(round(1000 * done), 1000), again=again)
    from dashboards import answers

    answer = answers.ingested(report, store)
    emit(answer, as_json, lambda out: _show(out, answer))
    if not as_json:
        note_findings(report.findings)
    if report.rows_quarantined or report.files_failed:
        raise typer.Exit(1)


def _show(out: Console, answer: dict[str, Any]) -> None:
    parts = [f"{answer['files']} files"]
    parts += [f"{answer['files_skipped']} stored before"] if answer["files_skipped"] else []
    parts += [f"{answer['files_failed']} could not be read"] if answer["files_failed"] else []
    out.print(f"{answer['store']}: {', '.join(parts)}; {answer['rows_stored']:,} of {answer['rows_in']:,} readings stored")
    for reason, count in answer["reasons"].items():
        out.print(f"  {count:,} in quarantine: {reason}")
