"""``racktwin store``: look after a telemetry store."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import typer
from rich.console import Console

from dashboards.commands.options import Json
from dashboards.commands.output import emit, note_findings, steps
from topology.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Check, compact and clear a telemetry store, and forget old readings.")

_Where = Annotated[str, typer.Argument(metavar="STORE", help="Folder or URL of a store.", show_default=False)]
_Deep = Annotated[bool, typer.Option("--deep", help="Decode every value, not only the footer of each file.")]
_Hours = Annotated[float, typer.Option("--older-than", metavar="H", help="Hours that a file must be old; longer than any ingest runs.")]
_Before = Annotated[str, typer.Option("--before", metavar="DAY", help="First UTC day to keep, such as 2026-01-31.", show_default=False)]


@app.command()
def check(store: _Where, deep: _Deep = False, as_json: Json = False) -> None:
    """Say whether every file of a store is there and whole, and what compacting and vacuuming would clear.

    Example: `racktwin store check mystore --deep`. Exit 1 where a file is missing or broken.
    """
    from dashboards.answers import store_check
    from telemetry.housekeeping import check_store
    from telemetry.store import Store

    with steps("files") as told:
        found = check_store(Store.open(store), deep, told)
    answer = store_check(found, store)

    def show(out: Console) -> None:
        out.print(
            f"{store}: {found.rows:,} readings from {found.sources:,} sources in {found.files:,} files, {found.quarantined:,} refused"
        )
        if found.small_files > 1:
            out.print(f"  {found.small_files:,} small files: racktwin store compact {store}", soft_wrap=True)
        if found.leftovers:
            out.print(f"  {found.leftovers:,} files that nothing names: racktwin store vacuum {store}", soft_wrap=True)

    emit(answer, as_json, show)
    if not as_json:
        note_findings(found.findings)
    if found.findings:
        raise typer.Exit(1)


@app.command()
def compact(store: _Where, as_json: Json = False) -> None:
    """Join the files of each day and sort readings by quantity and time, for quicker windows. Safe beside a running ingest.

    Example: `racktwin store compact mystore`.
    """
    from telemetry.store import Store

    opened = Store.open(store)
    before = len(opened.table("readings").file_uris())
    opened.compact()
    after = len(opened.table("readings").file_uris())
    answer: dict[str, Any] = {"store": store, "files_before": before, "files_after": after}
    emit(answer, as_json, lambda out: out.print(f"{store}: {before:,} files are now {after:,}; vacuum clears the old ones"))


@app.command()
def vacuum(store: _Where, older_than: _Hours = 24.0, as_json: Json = False) -> None:
    """Delete files that no version in use names: what was compacted or forgotten, and what a kill left behind.

    Example: `racktwin store vacuum mystore`.
    """
    from telemetry.store import Store

    gone = Store.open(store).vacuum(older_than)
    emit({"store": store, "files_deleted": gone}, as_json, lambda out: out.print(f"{store}: {gone:,} files deleted"))


@app.command()
def retain(store: _Where, before: _Before, as_json: Json = False) -> None:
    """Forget readings of days before a UTC day; their source files stay known and are not taken in again.

    Example: `racktwin store retain mystore --before 2026-01-01`, then `racktwin store vacuum mystore`.
    """
    from telemetry.housekeeping import retain as forget
    from telemetry.store import Store

    try:
        day = dt.date.fromisoformat(before)
    except ValueError as fault:
        raise UsageError(f"{before!r} is no day; write it as 2026-01-31") from fault
    gone = forget(Store.open(store), day)
    emit(
        {"store": store, "before": before, "readings_forgotten": gone},
        as_json,
        lambda out: out.print(f"{store}: {gone:,} readings forgotten"),
    )
