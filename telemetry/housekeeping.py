"""Care of a store: whether every file that its log names is there and whole, what lies about, and how long readings are kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

from telemetry.store import TABLES, Store
from topology.errors import Finding, UsageError

Progress = Callable[[int, int], None]
SMALL_ROWS = 100_000
"""Rows below which a data file counts as small: a tenth of a row group as Parquet writers commonly make it (our choice)."""


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """What a look at every file of a store found.

    Attributes:
        files: data files that the log names.
        rows: readings in them.
        sources: source files that readings came from.
        quarantined: refused rows that count.
        leftovers: files that no version in use names, such as a killed ingest leaves.
        small_files: data files that compacting would join.
        findings: one error for each file that is missing, cannot be read or has another number of rows than the log says.
    """

    files: int
    rows: int
    sources: int
    quarantined: int
    leftovers: int
    small_files: int
    findings: tuple[Finding, ...]


def check_store(store: Store, deep: bool = False, progress: Progress | None = None) -> StoreCheck:
    """Look at every data file of a store.

    Args:
        store: an open store.
        deep: decode every value, not only the footer of each file.
        progress: told files done and files in all.

    Returns:
        Counts and findings; it never raises for what it finds in the files.
    """
    findings: list[Finding] = []
    files = rows = leftovers = small = seen = 0
    counted = {name: store.table(name) for name in TABLES}
    total = sum(len(t.file_uris()) for t in counted.values())
    for name, table in counted.items():
        parts = {f.path.rpartition("/")[2]: f for f in table.to_pyarrow_dataset().get_fragments()}
        listed = _said(table)
        for path, said in listed:
            fault, found = _file(parts[path.rpartition("/")[2]], said, deep)
            if fault:
                hint = "restore it from a copy, or forget and ingest its sources again into a new store"
                findings.append(Finding(fault, hint, f"{store.where}/{name}/{path}"))
            files, seen = files + 1, seen + 1
            rows += found if name == "readings" else 0
            if progress is not None:
                progress(seen, total)
        leftovers += len({f.rpartition("/")[2] for f in store.present(name)} - parts.keys())
        small += sum(1 for _, n in listed if n is not None and n < SMALL_ROWS)
    whole = not findings
    sources = len(pc.unique(store.read(columns=["source"])["source"])) if whole and rows else 0
    refused = store.quarantined().num_rows if whole else 0
    return StoreCheck(files, rows, sources, refused, leftovers, small, tuple(findings))


def _said(table: DeltaTable) -> list[tuple[str, int | None]]:
    """Path of each data file and the number of rows that the log gives it."""
    adds = pa.table(table.get_add_actions(flatten=True))
    if not adds.num_rows:
        return []
    return list(zip(adds["path"].to_pylist(), adds["num_records"].to_pylist(), strict=True))


def _file(part: ds.Fragment, said: int | None, deep: bool) -> tuple[str, int]:
    """What is wrong with one file (empty for nothing), and its rows."""
    try:
        found = sum(b.num_rows for b in part.to_batches()) if deep else int(part.count_rows())
    except FileNotFoundError:
        return "the log names this file, and it is not there", 0
    except (pa.ArrowException, OSError) as why:
        return f"this file cannot be read: {str(why).splitlines()[0]}", 0
    if said is not None and found != said:
        return f"this file has {found:,} rows where the log says {said:,}", found
    return "", found


def retain(store: Store, before: dt.date) -> int:
    """Forget readings older than a UTC day; returns how many went. The files go with the next vacuum.

    A source file stays known, so that it is not taken in again.

    Raises:
        UsageError: the day lies in the future, which would empty a store that is in use.
    """
    if before > dt.datetime.now(dt.UTC).date():
        raise UsageError(f"{before.isoformat()} is not over yet; name a day of the past to keep readings from")
    old = store.rows()
    store.table("readings").delete(f"day < '{before.isoformat()}'")
    return old - store.rows()
