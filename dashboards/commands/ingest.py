"""``racktwin ingest``."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from dashboards.commands.options import Json, SiteArgument, duration_s, site_folder
from dashboards.commands.output import complain, emit, note, note_findings, steps, table
from topology.errors import TelemetryError, UsageError

if TYPE_CHECKING:
    from telemetry.ingest import IngestReport

_Files = Annotated[list[Path], typer.Argument(metavar="FILES...", help="Parquet or CSV files, or folders of them.", show_default=False)]
_Store = Annotated[
    str | None,
    typer.Option("--store", metavar="DIR", help="Folder or URL of the store to add to; made where there is none.", show_default=False),
]
_Vendor = Annotated[
    str | None,
    typer.Option("--vendor", metavar="NAME", help="Mapping to read the files with; recognised where not given.", show_default=False),
]
_Again = Annotated[bool, typer.Option("--again", help="Take files that are stored already out first, and map them anew.")]
_Explain = Annotated[bool, typer.Option("--explain", help="Store nothing: say how each column would be read, and why one is not.")]
_Zone = Annotated[
    str,
    typer.Option("--zone", metavar="NAME", show_default=False,
                 help="Zone of times that have none, such as Europe/Stockholm, where the mapping names none."),
]  # fmt: skip
_Watch = Annotated[bool, typer.Option("--watch", help="Go on: ingest what arrives in the folder FILES until Ctrl-C.")]
_Every = Annotated[str, typer.Option("--every", metavar="T", help="With --watch, time between two looks: 10s, 1min.")]


def ingest(
    site: SiteArgument, files: _Files, store: _Store = None, vendor: _Vendor = None, again: _Again = False, explain: _Explain = False,
    zone: _Zone = "", watch: _Watch = False, every: _Every = "10s", as_json: Json = False,
) -> None:  # fmt: skip
    """Read telemetry files into a store, each exactly once by its content; what cannot be true is quarantined with its reason.

    Files need no renaming: DCGM exporter, Redfish, OpenBMC and others are recognised by their columns. The plainest form is
    `time, element, power_kw`, times with a zone, elements as in the site folder.

    Examples: `racktwin ingest mysite day1.parquet day2.parquet --store mystore`,
    `racktwin ingest mysite logs/ --store mystore --vendor dcgm`, `racktwin ingest mysite day1.parquet --explain`,
    `racktwin ingest mysite arriving/ --store s3://bucket/telemetry --watch --every 30s`.

    A store at a URL takes its access from the environment: AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL, AWS_ALLOW_HTTP, ...

    A reading that another file brought before is counted and stored once. With --again files are taken out first, all of them, and in
    again in the order given.

    Exit 1 where readings were quarantined or a file could not be read, after a watch that Ctrl-C ended as well.
    """
    site_folder(site)
    if explain:
        _explain(site, files, vendor, zone, as_json)
        return
    if store is None:
        raise UsageError("name the store to add to with --store DIR, or ask how the files would be read with --explain")
    if watch:
        _watch(site, files, store, vendor, every, again, zone, as_json)
        return
    from telemetry.ingest import ingest as run
    from topology.read import read_site

    with steps("reading") as told:
        report = run(read_site(site), files, store, vendor, lambda _name, done: told(round(1000 * done), 1000), again=again, zone=zone)
    _answer(report, store, as_json)


def _watch(site: Path, files: list[Path], store: str, vendor: str | None, every: str, again: bool, zone: str, as_json: bool) -> None:
    """Watch a folder; Ctrl-C (or a polite kill) finishes the file at hand, a second one breaks off."""
    if len(files) != 1 or again:
        raise UsageError("--watch takes one folder and no --again: `racktwin ingest SITE FOLDER --store DIR --watch`")
    from telemetry.live import watch
    from topology.read import read_site

    over = threading.Event()

    def stop(number: int, _frame: object) -> None:
        over.set()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    note(f"watching {files[0]}; Ctrl-C ends")
    try:
        report = watch(
            read_site(site), files[0], store, vendor, every_s=duration_s(every, "--every"), stop=over.is_set, wait=over.wait, told=_heard,
            zone=zone,
        )  # fmt: skip
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    _answer(report, store, as_json)


def _heard(path: Path, what: IngestReport | TelemetryError) -> None:
    if isinstance(what, TelemetryError):
        complain(what)
    elif what.files_skipped:
        note(f"{path.name}: stored before")
    else:
        note(f"{path.name}: {what.rows_stored:,} of {what.rows_in:,} readings stored")


def _answer(report: IngestReport, store: str, as_json: bool) -> None:
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
    if answer["rows_doubled"]:
        out.print(f"  {answer['rows_doubled']:,} known already from other files, or from what this file held before")
    for reason, count in answer["reasons"].items():
        out.print(f"  {count:,} in quarantine: {reason}")


def _explain(site: Path, files: list[Path], vendor: str | None, zone: str, as_json: bool) -> None:
    from dashboards import answers
    from telemetry.explain import explain
    from telemetry.source import expand
    from topology.read import read_site

    read = read_site(site)
    told = [answers.explained(explain(read, file, vendor, zone)) for file in expand(files)]

    def show(out: Console) -> None:
        for one in told:
            layout = "long, each row names its metric" if one["long"] else "wide, one column a value"
            out.print(f"{one['file']}: {one['vendor']} ({layout})\n{one['doc']}\nMetered at: {one['point']}")
            for title, rows in (("Columns", one["columns"]), ("Metrics", one["metrics"])):
                if rows:
                    heads = ("name", "is", "quantity", "unit", "level", "part", "example", "why")
                    out.print(table(title, heads, [[str(r[h]) for h in ("name", "role", *heads[2:])] for r in rows]))

    emit({"files": told}, as_json, show)
