"""Whether an exported replay can be reproduced from its folder alone, to the last bit; where not, what differs."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dashboards.exports.about import site_digest
from dashboards.exports.bundle import ABOUT, FORMAT, RESULTS, open_bundle, versions
from dashboards.exports.replay_tables import steps_table
from dashboards.exports.rerun import file_digest, rerun
from dashboards.exports.tables import Table
from topology.errors import UsageError

if TYPE_CHECKING:
    from twin.headroom.cases import Progress

_KEYS = {"start": str, "end": str, "step_s": (int, float), "site": str, "site_digest": str, "arrays": dict, "files": dict, "versions": dict}


def check_replay(folder: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Reproduce an exported replay in a store of its own and compare.

    Args:
        folder: what an export wrote.
        progress: told how many steps are done.

    Returns:
        ``same`` where every file and every array is what it was; else which are not, and where the steps differ by how much.

    Raises:
        UsageError: it is no such folder, or one of another format.
        SiteError: its site cannot be read.
        TelemetryError: its readings do not fill the window.
    """
    about = _about(folder)
    files = {n: _state(folder / n, digest) for n, digest in about["files"].items()}
    start, end = (dt.datetime.fromisoformat(about[k]) for k in ("start", "end"))
    with tempfile.TemporaryDirectory(prefix="racktwin-") as place:
        session = open_bundle(folder, Path(place) / "store")
        found = rerun(session, start, end, float(about["step_s"]), progress)
        digest = site_digest(session.site)
        steps = steps_table(session.plant, found.replay)
    names = sorted({*about["arrays"], *found.digests})
    other = [n for n in names if about["arrays"].get(n) != found.digests.get(n)]
    wrong = {n: s for n, s in files.items() if s != "same"}
    now = versions()
    return {
        "folder": str(folder), "site": about["site"], "start": about["start"], "end": about["end"], "step_s": about["step_s"],
        "steps": found.replay.frames, "same": not other and not wrong and digest == about["site_digest"],
        "files": len(files), "files_different": [{"file": n, "state": s} for n, s in wrong.items()],
        "site_same": digest == about["site_digest"], "arrays": len(names), "arrays_different": other,
        "steps_different": _steps(folder, steps) if other else [],
        "versions_different": [
            {"name": n, "then": about["versions"].get(n), "now": now.get(n)}
            for n in sorted({*about["versions"], *now}) if about["versions"].get(n) != now.get(n)
        ],
    }  # fmt: skip


def _about(folder: Path) -> dict[str, Any]:
    place = folder / ABOUT
    try:
        about = json.loads(place.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise UsageError(
            f"{folder} is no exported replay: {place.name} cannot be read; `racktwin replay --export DIR` writes one"
        ) from fault
    if not isinstance(about, dict) or about.get("result") != "replay" or about.get("format") != FORMAT:
        raise UsageError(f"{place} is not of an exported replay that this version reads (format {FORMAT})")
    for key, kind in _KEYS.items():
        if not isinstance(about.get(key), kind):  # type: ignore[arg-type]
            raise UsageError(f"{place} lacks {key}, or it is of another kind; take the folder as it was exported")
    return about


def _state(file: Path, digest: str) -> str:
    if not file.is_file():
        return "missing"
    return "same" if file_digest(file) == digest else "changed"


def _steps(folder: Path, now: Table) -> list[dict[str, Any]]:
    """Columns of the steps that are not what they were: how many, by how much at most, first when; none where they cannot be read."""
    try:
        then = pq.read_table(folder / RESULTS / "steps.parquet")
    except (pa.ArrowException, OSError):
        return []
    found = []
    for k, field in enumerate(now.fields):
        if field.type != "number" or field.name not in then.column_names or then.num_rows != len(now.rows):
            continue
        a = then[field.name].to_numpy(zero_copy_only=False).astype(np.float64)
        b = np.array([row[k] for row in now.rows], dtype=np.float64)
        off = ~((a == b) | (np.isnan(a) & np.isnan(b)))
        if off.any():
            size = np.abs(np.where(off, b - a, 0.0))
            found.append({
                "quantity": field.name, "unit": field.unit, "steps": int(off.sum()), "largest": float(np.nanmax(size)),
                "first": now.rows[int(off.argmax())][0],
            })  # fmt: skip
    return found
