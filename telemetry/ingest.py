"""Files to the store: recognise, map, refuse what cannot be true with its reason, store each file exactly once."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from telemetry.appending import append
from telemetry.onefile import OneFile, file_state
from telemetry.plan import column_findings
from telemetry.source import digest_of, expand, open_source, path_columns, plan_of
from telemetry.store import Store
from telemetry.vendor import Vendor, load_vendors
from topology.errors import Finding, StoreError, TelemetryError
from topology.site import Site

Progress = Callable[[str, float], None]
"""Called with the name of the file at hand and the fraction of all bytes that is done; may raise ``Cancelled``."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did. ``rows_in = rows_stored + rows_quarantined + rows_doubled``, counted in readings.

    A reading is one value of one quantity at one time: a wide file with k value columns has k readings a row, a long file one a
    row. Columns that the mapping does not know hold no readings (each is a warning in ``findings``), nor do metrics that the
    mapping ignores, nor empty cells where the mapping is sparse.

    Attributes:
        files: files found, whatever became of them.
        files_skipped: files whose content was stored before.
        files_failed: files that could not be read; nothing of them is stored, ``findings`` says why.
        rows_in: readings in the files that were stored by this call.
        rows_stored: readings in the store.
        rows_quarantined: readings in quarantine.
        findings: errors and warnings about files and columns.
        reasons: reason -> number of readings refused for it.
        digests: what each file that is stored now is known by, those stored before included.
        rows_doubled: readings that another file had brought before, with the same value (:mod:`telemetry.overlap`), or that were refused of
            a file of the same name before.
    """

    files: int
    files_skipped: int
    files_failed: int
    rows_in: int
    rows_stored: int
    rows_quarantined: int
    findings: tuple[Finding, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    digests: tuple[str, ...] = ()
    rows_doubled: int = 0


def utc_now() -> dt.datetime:
    """The clock that ingest uses where it is given none."""
    return dt.datetime.now(dt.UTC)


def ingest(
    site: Site,
    paths: str | Path | Iterable[str | Path],
    store: Store | str | Path,
    vendor: str | None = None,
    progress: Progress | None = None,
    *,
    clock: Callable[[], dt.datetime] = utc_now,
    again: bool = False,
    zone: str = "",
) -> IngestReport:
    """Ingest files; a file that is stored already, by its content, is skipped.

    Args:
        site: whose elements the files speak of; its folder ``vendors/`` may add mappings.
        paths: Parquet or CSV files, or folders of them.
        store: an open store, or where to open or make one.
        vendor: name of the mapping for all files, ``None`` to recognise each by its columns.
        progress: told how far it is.
        clock: gives the time now: when readings were refused, and a reading more than a day ahead of it is.
        again: take files that are stored already out first, to map them anew (after mending a site or a mapping).
        zone: IANA name of the zone of times that have none, where the mapping names none either.

    Returns:
        Counts, findings and reasons. A file that cannot be read among others that can is a finding of severity error.

    Raises:
        StoreError: the store cannot be written; files before that are stored, and the same call goes on from there.
        TelemetryError: no file could be read, or the store cannot be used.
        UsageError: ``vendor`` names no mapping, or ``zone`` no zone.
    """
    files = expand([paths] if isinstance(paths, str | Path) else list(paths))
    vendors = load_vendors(site.folder, zone)
    opened = store if isinstance(store, Store) else Store.create(store)
    run = _Run(site, opened, vendors, vendor, clock, progress, sum(f.stat().st_size for f in files))
    if again:
        run.forget(files)
    skipped = 0
    faults: list[TelemetryError] = []
    for file in files:
        try:
            skipped += not run.file(file)
        except StoreError as fault:  # the next file would meet the same
            done = f"; {len(run.digests)} of {len(files)} files were stored before it" if len(files) > 1 else ""
            raise StoreError(f"{fault}{done}", run.findings) from fault
        except TelemetryError as fault:
            faults.append(fault)
            head = str(fault).splitlines()[0].removeprefix(str(file)).lstrip(": ")
            run.findings += [Finding(head, "mend the file or its mapping; nothing of it is stored", str(file)), *fault.findings]
    if len(faults) == len(files):
        raise faults[0] if len(faults) == 1 else TelemetryError(f"none of {len(faults)} files could be read", run.findings)
    failed = len(faults)
    stored, refused = run.stored, sum(run.reasons.values())
    reasons = dict(run.reasons.most_common())
    rows_in = stored + refused + run.doubled
    return IngestReport(
        len(files), skipped, failed, rows_in, stored, refused, tuple(run.findings), reasons, tuple(run.digests), run.doubled
    )  # fmt: skip


class _Run:
    """One call of :func:`ingest`: what is shared by its files, and the counts."""

    def __init__(
        self,
        site: Site,
        store: Store,
        vendors: Mapping[str, Vendor],
        vendor: str | None,
        clock: Callable[[], dt.datetime],
        progress: Progress | None,
        size: int,
    ) -> None:
        self.site, self.store, self.vendors, self.vendor, self.clock = site, store, vendors, vendor, clock
        self.progress, self.size, self.done = progress, max(size, 1), 0
        self.stored = self.doubled = 0
        self.findings: list[Finding] = []
        self.reasons: Counter[str] = Counter()
        self.digests: list[str] = []

    def forget(self, files: Iterable[Path]) -> None:
        """Take what is stored of some files out, of all of them before the first comes in again: each is judged by those before it."""
        digests = []
        for path in files:
            with contextlib.suppress(TelemetryError):  # a file that cannot be read: said when it is its turn
                digests.append(self._digest(path))
        for digest in digests:
            if self.store.seen(digest):
                self.store.forget(digest)

    def file(self, path: Path) -> bool:
        """Ingest one file; False where it is stored already."""
        state = file_state(path)
        size = state[0]
        self._tell(path, 0.0)
        digest = self._digest(path)
        if self.store.seen(digest):
            self.digests.append(digest)
            self.done += size
            self._tell(path, 0.0)
            return False
        source = open_source(path)
        plan = plan_of(str(path), source, self.vendors, self.site.elements, self.vendor)
        one = OneFile(self.site, path, digest, plan, source, state, self.clock, lambda done: self._tell(path, done))
        fresh = append(self.store, digest, one.batches)
        self.done += size
        self._tell(path, 0.0)
        self.digests.append(digest)
        if fresh:
            self.stored += one.stored
            self.doubled += one.doubled
            self.reasons += one.reasons
            self.findings += [*column_findings(str(path), plan), *one.findings()]
            self.findings += [
                Finding(f"column {c!r} is not read: {why}", "write its values one to a column", str(path), column=c, severity="warning")
                for c, why in source.unreadable.items()
                if not plan.vendor.ignores(c)
            ]
        return fresh

    def _digest(self, path: Path) -> str:
        """Content of a file, with what its folders say where the mapping reads that: two metrics may have the same bytes."""
        if not path_columns(path):
            return digest_of(path)
        source = open_source(path)
        plan = plan_of(str(path), source, self.vendors, self.site.elements, self.vendor)
        return digest_of(path, {k: v for k, v in source.path.items() if k in plan.columns})

    def _tell(self, path: Path, bytes_of_file: float) -> None:
        if self.progress is not None:
            self.progress(path.name, min((self.done + bytes_of_file) / self.size, 1.0))
