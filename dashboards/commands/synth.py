"""``racktwin synth``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from dashboards.commands.options import Json, SiteArgument, site_folder, time_of
from dashboards.commands.output import emit, note, steps, table
from topology.errors import UsageError

_Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="Folder to write the files into; made where there is none.", show_default=False)
]
_Days = Annotated[int, typer.Option("--days", metavar="N", help="Days of telemetry; the last two are minute by minute.")]
_Seed = Annotated[int, typer.Option("--seed", metavar="S", help="Seed of everything random; the same seed writes the same bytes.")]
_End = Annotated[
    str | None,
    typer.Option(
        "--end", metavar="TIME", help="First moment after the telemetry, with a zone; last midnight UTC else.", show_default=False
    ),
]
_Fault = Annotated[
    list[str] | None,
    typer.Option("--fault", metavar="KIND:ELEMENT@TIME[=SIZE]", help="Plant a fault; may be repeated.", show_default=False),
]
_Truth = Annotated[
    Path | None,
    typer.Option("--truth", metavar="FILE", help="Write the hidden constants there, and faults.csv beside it.", show_default=False),
]
_Clean = Annotated[bool, typer.Option("--clean", help="Leave out the rows that no meter can have read, which ingest refuses.")]
_Faults = Annotated[bool, typer.Option("--faults", help="Only list the kinds of faults and what their sizes mean.")]


def synth(
    site: SiteArgument, folder: _Folder = Path("telemetry"), days: _Days = 30, seed: _Seed = 0, end: _End = None, fault: _Fault = None,
    truth: _Truth = None, clean: _Clean = False, faults: _Faults = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Write made-up telemetry of a site as vendors write it, with hidden constants and planted faults, to test a pipeline with.

    Racks, supplies, cold plates, CDUs, pumps, feeds, UPSs, towers and every meter differ from the catalog as calibration takes them to;
    what they really are is in the file of --truth, which is a calibration file. Files hold three rows a day that ingest must refuse.

    Examples: `racktwin synth mysite raw/ --days 14 --seed 3 --truth truth.csv`,
    `racktwin synth mysite raw/ --end 2026-11-22T00:00Z --fault drifted-flow:cdu-1@2026-11-20T06:00Z=0.1`,
    then `racktwin ingest mysite raw/ --store mystore`. `racktwin synth mysite --faults` lists what can be planted.
    """
    from twin.synthetic.faults import KINDS, fault_of

    if faults:
        kinds = [{"kind": k.kind, "what": k.doc, "usual_size": k.usual or None, "axes": list(k.axes)} for k in KINDS.values()]
        emit({"faults": kinds}, as_json, lambda out: _kinds(out, kinds))
        return
    site_folder(site)
    if folder.is_file():
        raise UsageError(f"{folder} is a file; name a folder for the telemetry")
    from topology.plant import plant
    from topology.read import read_site
    from twin.synthetic.files import plans, write_truth

    until = time_of(end, "--end") or dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    planted = [fault_of(f) for f in fault or ()]
    built = plant(read_site(site))
    written: list[dict[str, Any]] = []
    with steps("writing") as told:
        for n, plan in enumerate(plans(built, until, seed, days, planted, not clean)):
            folder.mkdir(parents=True, exist_ok=True)
            written.append({"file": plan.name, "rows": plan.write(folder / plan.name)})
            told(n + 1, n + 2)
    answer: dict[str, Any] = {
        "folder": str(folder), "start": (until - dt.timedelta(days=days)).isoformat(), "end": until.isoformat(), "seed": seed,
        "files": written, "rows": sum(w["rows"] for w in written), "faults": [f.text for f in planted], "truth": None, "faults_file": None,
    }  # fmt: skip
    if truth is not None:
        answer["faults_file"] = str(write_truth(built, seed, planted, truth))
        answer["truth"] = str(truth)
    emit(answer, as_json, lambda out: _show(out, site, answer))
    if not as_json and truth is None:
        note("what is hidden in it was not written; --truth FILE writes it")


def _show(out: Console, site: Path, answer: dict[str, Any]) -> None:
    out.print(f"{len(answer['files'])} files with {answer['rows']:,} rows in {answer['folder']}, {answer['start']} to {answer['end']}")
    for text in answer["faults"]:
        out.print(f"  planted {text}")
    if answer["truth"]:
        out.print(f"  hidden constants in {answer['truth']}, faults in {answer['faults_file']}")
    out.print(f"Next: racktwin ingest {site} {answer['folder']} --store mystore", soft_wrap=True)


def _kinds(out: Console, kinds: list[dict[str, Any]]) -> None:
    rows = [(k["kind"], k["what"], "" if k["usual_size"] is None else f"{k['usual_size']:g}") for k in kinds]
    out.print(table("Faults that can be planted, as KIND:ELEMENT@TIME[=SIZE]", ("kind", "what", "usual SIZE"), rows, ("usual SIZE",)))
