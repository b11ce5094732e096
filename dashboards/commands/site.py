"""``racktwin site``: write, check, show and question a site folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dashboards.commands import site_text
from dashboards.commands.options import Json, SiteArgument, site_folder
from dashboards.commands.output import emit
from topology.errors import UsageError, nearest

app = typer.Typer(no_args_is_help=True, help="Write, check and show a site folder: site.toml, one CSV a kind, and an optional catalog/.")

_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write.", show_default=False)]
_Template = Annotated[str, typer.Option("--template", metavar="NAME", help="row (one row), reference (two halls) or frontier.")]
_Racks = Annotated[
    int | None, typer.Option("--racks", metavar="N", help="Number of racks; the template's own where not given.", show_default=False)
]
_Force = Annotated[bool, typer.Option("--force", help="Write into a folder that holds files; a site there is replaced.")]
_Element = Annotated[str, typer.Argument(metavar="ELEMENT", help="Id of an element, place or common cause.", show_default=False)]
_File = Annotated[str | None, typer.Argument(metavar="[FILE]", help="One file only, such as racks.csv.", show_default=False)]


@app.command()
def new(folder: _Folder, template: _Template = "row", racks: _Racks = None, force: _Force = False, as_json: Json = False) -> None:
    """Write a site folder from a template, to be edited in a spreadsheet and kept in git.

    Examples: `racktwin site new mysite --template row`, `racktwin site new big --template reference --racks 700`.
    """
    from topology.generate import TEMPLATES, generate
    from topology.write import write_site

    if str(folder) in TEMPLATES:
        raise UsageError(f"{folder} is the name of a template; name a folder: racktwin site new mysite --template {folder}")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a new folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder} is not empty; name a new folder, or write into it with --force")
    site = generate(template, racks)
    write_site(site, folder)
    answer = {"folder": str(folder), "template": template, "racks": len(site.racks), "positions": len(site.positions)}
    emit(answer, as_json, lambda out: out.print(
        f"{folder}: {len(site.racks)} racks on {len(site.positions)} positions. Edit it, then: racktwin site check {folder}", soft_wrap=True
    ))  # fmt: skip


@app.command()
def check(site: SiteArgument, as_json: Json = False) -> None:
    """Say all faults of a site at once, each with its file, row, column and the way out.

    Example: `racktwin site check mysite`. Exit 1 where there are errors; warnings alone are 0.
    """
    site_folder(site)
    from dashboards.answers import site_check
    from topology.check import check_site

    found = check_site(site)
    answer = site_check(found)
    emit(answer, as_json, lambda out: site_text.checked(out, site, found))
    if answer["errors"]:
        raise typer.Exit(1)


@app.command()
def show(site: SiteArgument, as_json: Json = False) -> None:
    """Show what a site holds: halls, racks by SKU and state, power chain, loops, redundancy, single points of failure.

    Example: `racktwin site show mysite`. Units: kW, kVA, A and degC here; W, VA, A and degC with --json.
    """
    site_folder(site)
    from dashboards.site_answers import shown
    from topology.read import read_site

    answer = shown(read_site(site))
    emit(answer, as_json, lambda out: site_text.shown(out, answer))


@app.command()
def impact(site: SiteArgument, element: _Element, as_json: Json = False) -> None:
    """Say what goes down with an element: racks without power or cooling, what hangs on one feed, what transfers.

    Examples: `racktwin site impact mysite ups-a`, `racktwin site impact mysite hall-1`.
    """
    site_folder(site)
    from dashboards import site_answers
    from topology.read import read_site

    answer = site_answers.impact(read_site(site), element)
    emit(answer, as_json, lambda out: site_text.impact(out, answer))


@app.command()
def schema(file: _File = None, as_json: Json = False) -> None:
    """List every file of a site folder and its columns: unit, whether required, what it means.

    A column may be in any unit of its quantity: `rating_kva`, `supply_f`, `flow_lpm`.

    Examples: `racktwin site schema`, `racktwin site schema racks.csv`, `racktwin site schema catalog/skus.toml`.
    """
    from dashboards.site_answers import columns

    answer = columns(file)
    if not answer["columns"]:
        known = {r["file"].split(" ")[0] for r in columns()["columns"]}
        raise UsageError(f"a site has no file {file}; {nearest(file or '', known)}")
    emit(answer, as_json, lambda out: site_text.schema(out, answer))
