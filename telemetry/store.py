"""The telemetry store: two Delta Lake tables in a folder or at a URL, readable by any tool that reads Delta.

``readings`` holds the canonical table (:data:`telemetry.schema.FACTS`), partitioned by UTC day; ``quarantine`` holds what was
refused, with its reason. A source file is one batch, known by the digest of its content.

**Exactly once.** A batch has one commit point: the append to ``readings``, which carries the transaction ``(digest, attempt)``
with a fresh random attempt number. Refused rows are appended to ``quarantine`` *before* it, each marked with digest and
attempt. A refused row counts only while its attempt is the one that ``readings`` has committed for its digest. So

- a kill before the commit leaves rows in ``quarantine`` that count for nothing, and the next ingest starts afresh;
- a kill after the commit leaves nothing to do;
- of two writers of the same batch one commits; the other is refused (``CommitFailedError``), looks again and finds it stored;
- of two writers of batches that may hold the same readings one commits; the other is refused too, and judges its batch anew by what is
  stored now (:mod:`telemetry.overlap`);
- rows that count for nothing are removed by :meth:`Store.compact` once they are older than any write can be.

The same table object that was looked at is the one written to: Delta refuses a second transaction of one digest only
against the version that the writer has read. A digest whose transaction is 0 was forgotten on purpose and may be stored again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from telemetry.dayfiles import filesystem_of, unsorted_days
from telemetry.readings import FACTS_CODED
from telemetry.remote import unusable
from telemetry.rowgroups import Wanted, row_groups, span_us
from telemetry.schema import FACTS, QUARANTINE
from telemetry.sorting import sort_day
from topology.errors import StoreError, TelemetryError

TABLES = ("readings", "quarantine")
FORGOTTEN = 0
FORGOTTEN = 0
"""Attempt of a file that is not stored, or was taken out again."""
_LONGEST_WRITE_H = 24
_MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Store:
    """A store that exists; make one with :meth:`create`, use one with :meth:`open`.

    Attributes:
        where: folder or URL.
        options: access options of the object store, as deltalake takes them; empty for a folder.
    """

    where: str
    options: Mapping[str, str] = field(default_factory=dict)
    _readings: DeltaTable | None = field(default=None, repr=False, compare=False)

    @classmethod
    def open(cls, where: str | Path, options: Mapping[str, str] | None = None) -> Store:
        """Open a store, also one that a killed ingest left behind.

        Raises:
            TelemetryError: there is none, or its log cannot be read.
        """
        store = cls(str(where), dict(options or {}))
        if not store._exists("readings"):
            there = _is_local(store.where) and Path(store.where).exists()
            what = f"{store.where} is not a telemetry store" if there else f"there is no telemetry store at {store.where}"
            raise TelemetryError(f"{what}; 'racktwin ingest SITE FILES --store DIR' makes one")
        store.table("readings")
        if not store._exists("quarantine"):
            store._make("quarantine", QUARANTINE, [])
        store.table("quarantine")
        return store

    @classmethod
    def create(cls, where: str | Path, options: Mapping[str, str] | None = None) -> Store:
        """Make a store, or open the one that is there.

        Raises:
            TelemetryError: the folder holds other things.
            StoreError: a broken log, a full disk, no access, or a server without conditional puts.
        """
        store = cls(str(where), dict(options or {}))
        if not store._exists("readings"):
            path = Path(store.where)
            if _is_local(store.where) and path.exists():
                if not path.is_dir():
                    raise TelemetryError(f"{path} is a file; a store is a folder or a URL")
                others = sorted(p.name for p in path.iterdir() if p.name not in TABLES)
                if others:
                    raise TelemetryError(f"{path} is no telemetry store and holds other things ({others[0]}); name a new folder")
            store._make("quarantine", QUARANTINE, [])
            store._make("readings", FACTS, ["day"])
        return cls.open(where, options)

    def pinned(self) -> Store:
        """The same store for reading, with the readings as they are now: what is ingested later is not seen."""
        return self if self._readings is not None else replace(self, _readings=self.table("readings"))

    def __reduce__(self) -> tuple[Callable[..., Store], tuple[object, ...]]:
        """For another process: an address that holds in any folder, and the version of the readings where it is pinned."""
        where = str(Path(self.where).resolve()) if _is_local(self.where) else self.where
        return Store._arrived, (where, dict(self.options), None if self._readings is None else self._readings.version())

    @staticmethod
    def _arrived(where: str, options: Mapping[str, str], version: int | None) -> Store:
        store = Store(where, options)
        return store if version is None else replace(store, _readings=store.table("readings", version))

    def seen(self, digest: str) -> bool:
        """Whether the file with this content digest is stored."""
        return self.attempt(self.table("readings"), digest) != FORGOTTEN

    def forget(self, digest: str) -> None:
        """Take a stored file out again, so that it can be ingested under a mended site or mapping."""
        marker = CommitProperties(app_transactions=[Transaction(digest, FORGOTTEN)])
        try:
            self.table("readings").delete(f"source LIKE '%#{digest[:16]}'", commit_properties=marker)
            table = self.table("readings")
            if self.attempt(table, digest) != FORGOTTEN:  # nothing of it was stored, so nothing was committed
                write_deltalake(table, FACTS.empty_table(), mode="append", commit_properties=marker)
        except (DeltaError, OSError) as fault:
            raise unusable(self.where, "written", fault) from fault

    def read(
        self,
        elements: Sequence[str] | None = None,
        quantities: Sequence[str] | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Readings as a table; days, and files by their statistics, that cannot match are not opened.

        Args:
            elements: element ids, ``None`` for all.
            quantities: canonical quantities, ``None`` for all.
            start: first time, with a zone, included.
            end: last time, with a zone, excluded.
            columns: columns of the canonical table, ``None`` for all.

        Returns:
            Table with text columns as dictionaries, in no order.
        """
        batches = list(self.scan(elements, quantities, start, end, columns))
        schema = pa.schema([f for f in FACTS_CODED if columns is None or f.name in columns])
        schema = pa.schema([schema.field(c) for c in columns]) if columns is not None else schema
        return pa.Table.from_batches(batches, schema)

    def scan(
        self,
        elements: Sequence[str] | None = None,
        quantities: Sequence[str] | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The batches of :meth:`read`, one after the other."""
        wanted = Wanted(
            frozenset(elements) if elements is not None else None, frozenset(quantities) if quantities is not None else None,
            _us(start), _us(end), tuple(columns if columns is not None else FACTS.names),
        )  # fmt: skip
        try:
            yield from row_groups(self.table("readings"), self.url("readings"), self.options, wanted)
        except (DeltaError, OSError, pa.ArrowException) as fault:
            raise unusable(self.where, "read", fault) from fault

    def span(self) -> tuple[dt.datetime, dt.datetime] | None:
        """First and last time in the store, ``None`` where it is empty; from the footers of the files of its first and last day."""
        try:
            found = span_us(self.table("readings"), self.url("readings"), self.options)
        except (DeltaError, OSError, pa.ArrowException) as fault:
            raise unusable(self.where, "read", fault) from fault
        epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        return None if found is None else (epoch + found[0] * _MICROSECOND, epoch + found[1] * _MICROSECOND)

    def rows(self) -> int:
        """How many readings are stored."""
        return int(self.table("readings").count())

    def quarantined(self) -> pa.Table:
        """Refused rows that count, see the module's docstring; columns of :data:`telemetry.schema.QUARANTINE`."""
        table = self.table("readings")
        rows = self._dataset("quarantine", ()).to_table()
        return rows.filter(pa.array(self.counts(table, rows), pa.bool_()))

    def compact(self) -> None:
        """Join the files of a day, sort them by quantity and time, and clear refused rows of attempts that were cut off.

        Only days that something came to since the last time are written anew, each in a commit of its own. Safe beside a running
        ingest: files that others add meanwhile are left for the next time, and so is a day that others take files away from.

        Raises:
            StoreError: a file cannot be read, or the store cannot be written; no reading is lost.
        """
        try:
            for day in unsorted_days(self.table("readings")):
                sort_day(self.table("readings"), self.url("readings"), self.options, day)
        except (DeltaError, OSError, pa.ArrowException) as fault:
            raise unusable(self.where, "written", fault) from fault
        quarantine = self.table("quarantine")
        quarantine.optimize.compact()
        rows = self._dataset("quarantine", ()).to_table(columns=["digest", "attempt", "seen_at"])
        old = pc.less(rows["seen_at"], pa.scalar(dt.datetime.now(dt.UTC) - dt.timedelta(hours=_LONGEST_WRITE_H), rows["seen_at"].type))
        stale = pc.and_(old, pc.invert(pa.array(self.counts(self.table("readings"), rows), pa.bool_())))
        for attempt in pc.unique(rows["attempt"].filter(stale)).to_pylist():
            self.table("quarantine").delete(f"attempt = {attempt}")

    def vacuum(self, retention_h: float = _LONGEST_WRITE_H) -> int:
        """Delete files that no version in use names, also what a kill left behind; returns how many.

        Args:
            retention_h: files younger than this stay [h]; it must be longer than the longest write.
        """
        hours = max(int(retention_h), 0)
        before = sum(len(self.present(n)) for n in TABLES)
        for name in TABLES:  # its own list repeats what was deleted before: count what is there
            self.table(name).vacuum(hours, dry_run=False, enforce_retention_duration=False, full=True)
        return before - sum(len(self.present(n)) for n in TABLES)

    def present(self, name: str) -> frozenset[str]:
        """Paths in a table of the Parquet files that are there, whether a version names them or not."""
        self.table(name)  # says so where it is not there
        found = filesystem_of(self.url(name), self.options).get_file_info(pa.fs.FileSelector("", recursive=True))
        return frozenset(f.path for f in found if f.path.endswith(".parquet") and not f.path.startswith("_delta_log/"))

    def counts(self, table: DeltaTable, rows: pa.Table) -> list[bool]:
        """Whether each refused row counts: its attempt is the one that the readings have of its digest.

        Args:
            table: the readings.
            rows: columns ``digest`` and ``attempt`` of the quarantine.
        """
        digests = rows["digest"].to_pylist()
        committed = {d: self.attempt(table, d) for d in set(digests)}
        return [committed[d] == a for d, a in zip(digests, rows["attempt"].to_pylist(), strict=True)]

    @staticmethod
    def attempt(table: DeltaTable, digest: str) -> int:
        """Number of the attempt by which a file is stored, :data:`FORGOTTEN` where it is not."""
        return int(table.transaction_version(digest) or FORGOTTEN)

    def url(self, name: str) -> str:
        """Folder or URL of one of its two tables."""
        return f"{self.where.rstrip('/')}/{name}"

    def _exists(self, name: str) -> bool:
        try:
            return bool(DeltaTable.is_deltatable(self.url(name), dict(self.options) or None))
        except (DeltaError, OSError) as fault:
            raise unusable(self.where, "reached", fault) from fault

    def _make(self, name: str, schema: pa.Schema, by: list[str]) -> None:
        if _is_local(self.where):
            Path(self.url(name)).mkdir(parents=True, exist_ok=True)
        try:
            DeltaTable.create(self.url(name), schema, mode="ignore", partition_by=by or None, storage_options=dict(self.options) or None)
        except (DeltaError, OSError) as fault:
            if not self._exists(name):  # otherwise another process made it at the same moment
                raise unusable(self.where, "written", fault) from fault

    def table(self, name: str, version: int | None = None) -> DeltaTable:
        """One of its two tables, ``readings`` or ``quarantine``, as Delta Lake opens it; its last version where none is named.

        Raises:
            StoreError: it is not there, or its log cannot be read.
        """
        if self._readings is not None and name == "readings":
            return self._readings
        try:
            return DeltaTable(self.url(name), version, storage_options=dict(self.options) or None)
        except TableNotFoundError as fault:
            raise StoreError(f"{self.where} is not a telemetry store (no table {name}); name another folder") from fault
        except (DeltaError, OSError) as fault:
            raise StoreError(
                f"the log of the store {self.where} cannot be read ({name}/_delta_log): {fault}; "
                "restore that folder from a copy, or ingest the source files into a new store"
            ) from fault

    def _dataset(self, name: str, categories: Sequence[str]) -> ds.Dataset:
        options = ds.ParquetReadOptions(dictionary_columns=list(categories))
        try:
            return self.table(name).to_pyarrow_dataset(parquet_read_options=options)
        except (DeltaError, OSError) as fault:
            raise unusable(self.where, "read", fault) from fault


def _us(time: dt.datetime | None) -> int | None:
    """A time as microseconds since 1970 UTC."""
    return None if time is None else (_utc(time) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // _MICROSECOND


def _utc(time: dt.datetime) -> dt.datetime:
    if time.tzinfo is None:
        raise TelemetryError(f"the time {time.isoformat()} has no zone; write it as {time.isoformat()}Z or with an offset")
    return time.astimezone(dt.UTC)


def _is_local(where: str) -> bool:
    return "://" not in where
