"""A replayed window in one folder with all that it takes to reproduce it elsewhere, and the check that it does."""

from __future__ import annotations

import datetime as dt
import json
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dashboards.exports.about import site_digest
from dashboards.exports.bundle_text import readme
from dashboards.exports.replay_tables import replay_tables
from dashboards.exports.rerun import Rerun, file_digest, rerun, store_of, take_along
from dashboards.exports.tables import csv_bytes, parquet_bytes
from dashboards.readable import moment
from dashboards.session import Session
from topology.errors import TelemetryError, UsageError
from topology.overlay import write_overlay
from topology.write import write_site

if TYPE_CHECKING:
    from twin.headroom.cases import Progress
    from twin.residuals import Compared

FORMAT = 1
"""Layout of the folder; a reader refuses another."""
ABOUT, READINGS, SITE, CALIBRATION, RESULTS = "about.json", "readings/readings.parquet", "site", "calibration.csv", "results"
PACKAGES = ("racktwin", "numpy", "scipy", "numba", "pyarrow", "deltalake", "pandas")
"""Packages whose version may move a bit."""
ALIKE = 1e-9
"""Largest relative difference between the store and what was taken along of it: the order in which readings are summed."""
_BESIDE = pa.schema([
    ("time", pa.timestamp("us", "UTC")), ("channel", pa.dictionary(pa.int8(), pa.string())),
    ("element", pa.dictionary(pa.int32(), pa.string())), ("reading", pa.float64()), ("predicted", pa.float64()),
])  # fmt: skip


def export_replay(
    session: Session, start: dt.datetime | None, end: dt.datetime | None, step_s: float, folder: Path, command: Sequence[str],
    progress: Progress | None = None,
) -> tuple[Rerun, dict[str, Any]]:  # fmt: skip
    """Write a window, its site, its readings and its results; all of the folder or none of it.

    Results are made from what was taken along, and held against what the store gives.

    Args:
        session: an open site with a store.
        start: first time, with a zone; the first in the store where not given.
        end: last time, excluded; the last in the store, included, where not given.
        step_s: length of a step.
        folder: where to; must not exist, or be empty.
        command: command line, for people.
        progress: told how many steps are done, in two passes.

    Returns:
        What the window gave, and what ``about.json`` says.

    Raises:
        UsageError: the folder holds things.
        TelemetryError: there is no store, or what was taken along does not give what the store gives.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} holds things already; name a new folder for the export")
    if session.store is None:
        raise TelemetryError("an export of a replay needs telemetry: give --store DIR")
    own = session.player(start, end, step_s).window
    there = rerun(session, own.start, own.end, step_s, progress)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.resolve().parent) as beside:
        made = Path(beside) / "bundle"
        (made / RESULTS).mkdir(parents=True)
        (made / READINGS).parent.mkdir()
        _copy_site(session, made)
        rows = take_along(session.store, own.start, own.end, step_s, made / READINGS)
        here = _results(made, own.start, own.end, step_s, progress)
        _hold(there, here)
        about = {
            "format": FORMAT, "result": "replay", "site": session.site.settings.name, "site_digest": site_digest(session.site),
            "start": moment(own.start), "end": moment(own.end), "step_s": step_s, "steps": here.replay.frames, "readings": rows,
            "same_bits_as_store": there.digests == here.digests, "command": list(command), "versions": versions(),
            "arrays": here.digests,
            "files": {str(f.relative_to(made)): file_digest(f) for f in sorted(made.rglob("*")) if f.is_file()},
        }  # fmt: skip
        (made / "README.md").write_text(readme(about, (made / CALIBRATION).exists()), encoding="utf-8")
        (made / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        shutil.move(made, folder)
    return here, about


def _copy_site(session: Session, made: Path) -> None:
    """The folder as it was read: site, catalog overlay, vendor mappings; calibration beside it."""
    source = session.site.folder
    if source is None:
        write_site(session.site, made / SITE)
    else:
        wanted = [source / "site.toml", *source.glob("*.csv"), *source.glob("catalog/*.toml"), *source.glob("vendors/*.toml")]
        for file in wanted:
            target = made / SITE / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    if session.site.calibration:
        write_overlay(session.site.calibration, made / CALIBRATION)


def open_bundle(folder: Path, store: Path) -> Session:
    """The site of an export with a store made of its readings."""
    store_of(folder / READINGS, store)
    calibration = folder / CALIBRATION
    return Session.open(folder / SITE, store, calibration if calibration.exists() else None)


def _results(made: Path, start: dt.datetime, end: dt.datetime, step_s: float, progress: Progress | None) -> Rerun:
    """Play the window from what was taken along, and write what it gives."""
    out = made / RESULTS
    with tempfile.TemporaryDirectory(prefix="racktwin-") as place, pq.ParquetWriter(out / "beside.parquet", _BESIDE) as beside:
        session = open_bundle(made, Path(place) / "store")
        found = rerun(session, start, end, step_s, progress, lambda part: _write_beside(beside, part))
        for table in replay_tables(session.plant, found.replay, found.residuals):
            (out / f"{table.name}.parquet").write_bytes(parquet_bytes(table, {"site": session.site.settings.name}))
            (out / f"{table.name}.csv").write_bytes(csv_bytes(table, units=True))
        pq.write_table(_racks(session, found), out / "racks.parquet", compression="zstd")
    return found


def _racks(session: Session, found: Rerun) -> pa.Table:
    """Power that each rack was solved with, a column a rack."""
    r, watt = found.replay, {"unit": "W"}
    schema = pa.schema([_BESIDE.field("time"), *(pa.field(n, pa.float64(), metadata=watt) for n in session.plant.racks.ids)])
    columns = [pa.array(r.time).cast(schema.field("time").type), *(pa.array(np.ascontiguousarray(c)) for c in r.rack_w.T)]
    return pa.Table.from_arrays(columns, schema=schema)


def _write_beside(out: pq.ParquetWriter, part: Compared) -> None:
    """Every reading of some steps beside what the twin predicts for it."""
    for name, read in part.measured.items():
        t, e = np.nonzero(np.isfinite(read.values))
        should = part.predicted[name][t, e]
        columns = [
            pa.array(part.time[t]).cast(_BESIDE.field("time").type), pa.array([name]).take(pa.array(np.zeros(t.size, np.int64))),
            pa.array(read.elements).take(pa.array(e)), pa.array(read.values[t, e]), pa.array(should, mask=~np.isfinite(should)),
        ]  # fmt: skip
        out.write_table(pa.Table.from_arrays([c.cast(f.type) for c, f in zip(columns, _BESIDE, strict=True)], schema=_BESIDE))


def _hold(there: Rerun, here: Rerun) -> None:
    """What was taken along must give what the store gives.

    Raises:
        TelemetryError: it does not.
    """
    a, b = there.replay.site_w, here.replay.site_w
    if a.shape != b.shape or not np.allclose(a, b, rtol=ALIKE, atol=0.0):
        raise TelemetryError("the readings of the window alone do not give what the store gives; nothing was written")


def versions() -> Mapping[str, str]:
    """Versions of Python, of the machine and of packages that results rest on."""
    return {"python": platform.python_version(), "machine": platform.machine(), **{p: version(p) for p in PACKAGES}}
