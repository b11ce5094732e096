"""Files to the store: recognise, map, refuse what cannot be true with its reason, store each file exactly once."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from telemetry.appending import Attempt, RefusedBefore, append
from telemetry.overlap import Overlap
from telemetry.plan import Plan, column_findings
from telemetry.readings import REASONS, STORED_BEFORE, UNKNOWN_ELEMENT, Block, Mapper
from telemetry.schema import QUARANTINE
from telemetry.source import Source, digest_of, expand, open_source, path_columns, plan_of
from telemetry.store import Store
from telemetry.vendor import Vendor, load_vendors
from topology.errors import Finding, StoreError, TelemetryError, nearest
from topology.site import Site

_REFUSED_AT_ONCE = 200_000
_JUDGED_AT_ONCE = 1_000_000
_EARLY = dt.timedelta(days=1)

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

    Returns:
        Counts, findings and reasons. A file that cannot be read among others that can is a finding of severity error.

    Raises:
        StoreError: the store cannot be written; files before that are stored, and the same call goes on from there.
        TelemetryError: no file could be read, or the store cannot be used.
        UsageError: ``vendor`` names no mapping.
    """
    files = expand([paths] if isinstance(paths, str | Path) else list(paths))
    vendors = load_vendors(site.folder)
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
        one = _File(self, path, digest, plan, source, state)
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


class _File:
    """One file on its way into the store; counts are those of the last attempt."""

    def __init__(self, run: _Run, path: Path, digest: str, plan: Plan, source: Source, state: tuple[int, int]) -> None:
        self.run, self.path, self.digest, self.plan, self.source, self.state = run, path, digest, plan, source, state
        self.mark = f"{plan.vendor.name}/{path.name}#{digest[:16]}"
        self.stored = self.doubled = 0
        self.reasons: Counter[str] = Counter()
        self._unknown: dict[str, str] = {}
        self._metrics: set[str] = set()

    def batches(self, attempt: Attempt) -> Iterator[pa.RecordBatch]:
        """Accepted rows of the file; refused rows go to the attempt, the last of them before this ends."""
        self.stored, self.doubled, self.reasons = 0, 0, Counter()
        latest_us = int((self.run.clock() + _EARLY).timestamp() * 1e6)
        mapper = Mapper(self.plan, self.run.site, str(self.path), latest_us)
        overlap = Overlap(attempt.table, attempt.files, mapper)
        refused = _Refused(attempt, str(self.path))
        waiting: list[_Piece] = []
        row = 1
        for batch, later_us in self.source.batches(self.plan):
            for block in mapper.blocks(batch, row):
                piece = _Piece(block, batch, row)
                if overlap.touches(block):
                    waiting.append(piece)
                else:
                    yield from self._settled(piece, mapper, refused)
            if sum(len(w.block.us) for w in waiting) >= _JUDGED_AT_ONCE:
                yield from self._judged(waiting, overlap, refused)
                waiting = []
            row += batch.num_rows
            if later_us is not None:
                mapper.duplicates.forget_before(later_us)
            self.run._tell(self.path, self.state[0] * (row - 1) / max(self.source.rows, 1))
        yield from self._judged(waiting, overlap, refused)
        self._metrics = mapper.metrics
        refused.close()
        self.reasons = refused.reasons
        if file_state(self.path) != self.state:
            raise TelemetryError(f"{self.path}: the file changed while it was read; ingest it again when it is complete")

    def _judged(self, waiting: list[_Piece], overlap: Overlap, refused: _Refused) -> Iterator[pa.RecordBatch]:
        """Readings that may be stored already, once enough of them wait to look them up together."""
        if waiting:
            for piece, block in zip(waiting, overlap.judge([w.block for w in waiting]), strict=True):
                yield from self._settled(replace(piece, block=block), overlap.mapper, refused)

    def _settled(self, piece: _Piece, mapper: Mapper, refused: _Refused) -> Iterator[pa.RecordBatch]:
        """Each reading of a block goes where it belongs: stored, refused or counted as stored before."""
        reason = piece.block.reason
        if reason.any():
            before = reason == STORED_BEFORE
            self.doubled += int(before.sum())
            bad = (reason != 0) & ~before
            if bad.any():
                rows = self._refused(piece.block.keep(bad), refused.attempt.number, piece.batch, piece.first_row)
                fresh = refused.add(rows)
                self.doubled += rows.num_rows - fresh.num_rows
                self._unknown |= self._strangers(fresh)
        good = mapper.accepted(piece.block, self.mark)
        self.stored += good.num_rows
        if good.num_rows:
            yield good

    def _refused(self, block: Block, attempt: int, batch: pa.RecordBatch, first_row: int) -> pa.Table:
        n = len(block.us)
        at = pa.array(block.row - first_row)
        key = self.plan.keys.get(self.plan.vendor.element_key, "")
        element = _text(batch.column(key).take(at)) if key else pa.array([block.column if isinstance(block.column, str) else ""] * n)
        reasons = pa.DictionaryArray.from_arrays(pa.array(block.reason, pa.int8()), pa.array(REASONS)).cast(pa.string())
        column = pa.array([block.column] * n, pa.string()) if isinstance(block.column, str) else _text(block.column)
        same = {"digest": self.digest, "attempt": attempt, "file": str(self.path), "seen_at": self.run.clock()}
        arrays = {
            **{k: pa.repeat(pa.scalar(v, QUARANTINE.field(k).type), n) for k, v in same.items()},
            "row": pa.array(block.row), "column": column, "reason": reasons, "value": _text(block.raw), "element": element,
            "time": _text(batch.column(self.plan.time).take(at)),
        }  # fmt: skip
        return pa.table([arrays[name] for name in QUARANTINE.names], schema=QUARANTINE)

    def _strangers(self, rows: pa.Table) -> dict[str, str]:
        """Names in refused rows that are no element of the site, with the column that holds them."""
        unknown = pc.unique(rows["element"].filter(pc.equal(rows["reason"], REASONS[UNKNOWN_ELEMENT]))).to_pylist()
        return {str(name): self.plan.keys.get(self.plan.vendor.element_key, "") for name in unknown[:50]}

    def findings(self) -> list[Finding]:
        """Warnings about names in the file that nobody knows."""
        known = [*self.run.site.elements]
        found = [
            Finding(f"the site has no element {name!r}; its readings are in quarantine",
                    f"{nearest(name, known)}; mend the site or the mapping and ingest the file again", str(self.path), column=column,
                    element=name, severity="warning")
            for name, column in sorted(self._unknown.items())[:20]
        ]  # fmt: skip
        names = {n for r in self.plan.vendor.rules for n in r.names}
        found += [
            Finding(f"metric {m!r} is not in the mapping {self.plan.vendor.name}; its readings are in quarantine", nearest(m, names),
                    str(self.path), column=self.plan.metric, value=m, severity="warning")
            for m in sorted(self._metrics)[:50]
        ]  # fmt: skip
        return found


@dataclass(frozen=True, slots=True)
class _Piece:
    """Readings of one value column, with the batch of the file that they stand in and the number of its first row."""

    block: Block
    batch: pa.RecordBatch
    first_row: int


class _Refused:
    """Refused rows on their way to the quarantine, many at once."""

    def __init__(self, attempt: Attempt, file: str) -> None:
        self.attempt, self.file = attempt, file
        self.reasons: Counter[str] = Counter()
        self._waiting: list[pa.Table] = []
        self._before: RefusedBefore | None = None

    def add(self, rows: pa.Table) -> pa.Table:
        """Take rows; returns those that were not refused of an earlier content of the file."""
        if self._before is None:
            self._before = RefusedBefore(self.attempt.store, self.file)
        fresh = self._before.fresh(rows)
        if fresh.num_rows:
            self.reasons.update({c["values"]: c["counts"] for c in pc.value_counts(fresh["reason"]).to_pylist()})
            self._waiting.append(fresh)
        if sum(t.num_rows for t in self._waiting) >= _REFUSED_AT_ONCE:
            self.close()
        return fresh

    def close(self) -> None:
        """Write what waits."""
        if self._waiting:
            self.attempt.refuse(pa.concat_tables(self._waiting))
            self._waiting = []


def file_state(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in ns: a file that is being written has another a moment later.

    Raises:
        TelemetryError: the file is gone, or cannot be looked at.
    """
    try:
        found = path.stat()
    except OSError as fault:
        raise TelemetryError(f"{path}: {fault.strerror}; it was there a moment ago") from fault
    return found.st_size, found.st_mtime_ns


def _text(column: pa.Array) -> pa.Array:
    return column if pa.types.is_string(column.type) else column.cast(pa.string())
