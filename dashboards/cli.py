"""The ``racktwin`` command: every command is a function in :mod:`dashboards.commands`, listed here and nowhere else.

Exit codes: 0 answered; 1 answered, and a limit is violated, a finding is an error or rows were quarantined; 2 bad input or
usage, with one line on standard error that says where and how to mend it; 130 stopped by the user.
"""

from __future__ import annotations

import errno
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dashboards.commands import (
    calibrate,
    cases,
    console,
    demo,
    export,
    feeds,
    headroom,
    heat,
    ingest,
    loops,
    network,
    protection,
    quality,
    replay,
    ride,
    site,
    solve,
    store,
    synth,
    year,
)
from dashboards.commands.output import complain
from topology.errors import RacktwinError, UsageError

COMMANDS = (
    ingest.ingest,
    solve.solve,
    feeds.feeds,
    loops.loops,
    network.network,
    heat.rack,
    heat.cdu,
    cases.cases,
    protection.protection,
    replay.replay,
    quality.quality,
    calibrate.calibrate,
    ride.ride,
    year.year,
    headroom.headroom,
    export.export,
    console.console,
    synth.synth,
    demo.demo,
)
"""Commands in the order in which ``--help`` lists them; the name of the function is the name of the command."""


class Commands(TyperGroup):
    """Turns what is raised on purpose, and files that cannot be reached, into one line and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order in which they are used: ``site`` first."""
        return sorted(super().list_commands(ctx), key=lambda name: name != "site")

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except RacktwinError as error:
            complain(error)
            raise typer.Exit(error.exit_code) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            where = f"{error.filename}: " if error.filename else ""
            complain(UsageError(f"{where}{error.strerror or error}"))
            raise typer.Exit(UsageError.exit_code) from error


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"racktwin {version('racktwin')}")
        raise typer.Exit


app = typer.Typer(cls=Commands, name="racktwin", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(site.app, name="site")
app.add_typer(store.app, name="store")
for _command in COMMANDS:
    app.command()(_command)


@app.callback()
def racktwin(
    _show_version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Rack-level power and cooling digital twin: a site and its telemetry in, expansion headroom out.

    Start: `racktwin site new mysite --template row`, then `racktwin solve mysite` and `racktwin headroom mysite --sku gb300-nvl72`.

    The site folder is the first argument of every command. `--json` prints one JSON document on standard output;
    progress and logs go to standard error.

    Exit: 0 answered; 1 answered, and a limit is violated, the site has errors or rows were quarantined; 2 bad input or usage.
    """
