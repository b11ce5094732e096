"""How a source file comes into the store: all of it or nothing, once, and judged by all that is stored when it comes to count.

The module's docstring of :mod:`telemetry.store` says why each reading is there once.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from telemetry.dayfiles import DayFiles, filesystem_of
from telemetry.overlap import extent_of, extent_of_new
from telemetry.remote import unusable
from telemetry.schema import FACTS, QUARANTINE
from telemetry.store import FORGOTTEN, Store
from topology.errors import StoreError

_TRIES = 50
_TURNS = 30
_PAUSE_S = 0.02
_GUARD = "readings"

_REFUSAL = ("column", "reason", "value", "element", "time")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at storing a file.

    Attributes:
        store: where it goes.
        number: marks what it refuses.
        table: the readings as they were looked at, to judge the file by.
        files: where the data files of that table are.
    """

    store: Store
    number: int
    table: DeltaTable
    files: pyarrow.fs.FileSystem

    def refuse(self, rows: pa.Table) -> None:
        """Write refused rows (:data:`telemetry.schema.QUARANTINE`), which count once the file does.

        Raises:
            StoreError: they cannot be written.
        """
        try:
            write_deltalake(self.store.table("quarantine"), rows, mode="append")
        except (DeltaError, OSError) as fault:
            raise unusable(self.store.where, "written", fault) from fault


def append(store: Store, digest: str, batches: Callable[[Attempt], Iterator[pa.RecordBatch]]) -> bool:
    """Store one source file.

    Args:
        store: an open store.
        digest: digest of the file's content.
        batches: called with the attempt; yields accepted rows as :data:`telemetry.readings.FACTS_CODED`. Called again after a lost race
            against a file that may hold the same readings.

    Returns:
        False where the file is stored already.

    Raises:
        StoreError: the store cannot be written; nothing of the file counts.
        TelemetryError: what ``batches`` raised.
    """
    where = store.url("readings")
    for _ in range(_TRIES):
        table = store.table("readings")
        if store.attempt(table, digest) != FORGOTTEN:
            return False
        attempt = Attempt(store, (uuid.uuid4().int >> 66) | 1, table, filesystem_of(where, store.options))
        files = DayFiles(where, store.options, f"{digest[:16]}-{attempt.number:x}")
        actions = None
        try:
            for batch in batches(attempt):
                files.add(batch)
            actions = files.close()
        except (DeltaError, OSError) as fault:
            raise unusable(store.where, "written", fault) from fault
        finally:
            if actions is None:
                files.discard()
        try:
            if _commit(attempt, actions, digest):
                return True
        except (DeltaError, OSError) as fault:  # the log may name the files: a vacuum finds them where it does not
            raise unusable(store.where, "written", fault) from fault
        files.discard()
    raise StoreError(f"the store {store.where} is written by too many at once; run the ingest again")


def _commit(attempt: Attempt, actions: list[AddAction], digest: str) -> bool:
    """Name new files in the log, in one commit that marks their digest as stored.

    Every file's commit carries the same guard, so that of two at a moment one is refused. It goes on where what the other one stored
    cannot hold the same readings.

    Returns:
        False where another writer was quicker, with the same file or with one that may hold the same readings.
    """
    store, table = attempt.store, attempt.table
    for turn in range(_TURNS):
        marks = CommitProperties(app_transactions=[Transaction(digest, attempt.number), Transaction(_GUARD, table.version() + 1)])
        try:
            table.create_write_transaction([*actions], "append", FACTS, ["day"], commit_properties=marks)
            return True
        except CommitFailedError:
            time.sleep(random.uniform(0.0, _PAUSE_S * turn))
            table = store.table("readings")
            stored = store.attempt(table, digest)
            if stored == attempt.number:  # it was refused a second time, after it had been taken
                return True
            later = extent_of(table).without(extent_of(attempt.table).path)
            if stored != FORGOTTEN or later.meets(extent_of_new(actions)):
                return False
    return False


class RefusedBefore:
    """Refused rows of earlier contents of one file, so that a file that is written anew with more rows has each in quarantine once.

    Args:
        store: an open store.
        file: the file's path, as it was given.
    """

    def __init__(self, store: Store, file: str) -> None:
        self._keys = _keys_of(_rows_of(store, file))

    def fresh(self, rows: pa.Table) -> pa.Table:
        """Those of some refused rows that no earlier content had."""
        return rows.filter(pc.invert(pc.is_in(_keys_of(rows), value_set=self._keys))) if len(self._keys) else rows


def _rows_of(store: Store, file: str) -> pa.Table:
    """Refused rows that count of one file; only files of the table that may hold some are opened."""
    table = store.table("quarantine")
    adds = pa.table(table.get_add_actions(flatten=True))
    wanted = [*_REFUSAL, "row", "digest", "attempt"]
    empty = pa.table({c: pa.array([], QUARANTINE.field(c).type) for c in wanted})
    if not adds.num_rows:
        return empty
    paths = adds["path"]
    if {"min.file", "max.file"} <= set(adds.column_names):
        may = pc.and_(pc.less_equal(adds["min.file"], file), pc.greater_equal(adds["max.file"], file[:_CUT]))
        paths = paths.filter(pc.fill_null(may, True))
    if not len(paths):
        return empty
    try:
        data = ds.dataset(paths.to_pylist(), format="parquet", filesystem=filesystem_of(store.url("quarantine"), store.options))
        rows = data.to_table(columns=wanted, filter=ds.field("file") == file)
    except (pa.ArrowException, OSError) as fault:
        raise unusable(store.where, "read", fault) from fault
    return rows.filter(pa.array(store.counts(store.table("readings"), rows), pa.bool_()))


_CUT = 32
"""Characters that a writer keeps of the greatest text at least, when it cuts statistics."""


def _keys_of(rows: pa.Table) -> pa.ChunkedArray:
    at = pc.fill_null(rows["time"], "")
    place = pc.binary_join_element_wise("row", rows["row"].cast(pa.string()), " ")  # a row without a time is known by its place
    time = pc.if_else(pc.equal(at, ""), place, at)
    columns = [*(rows[c].cast(pa.string()) for c in _REFUSAL if c != "time"), time]
    return pc.binary_join_element_wise(*columns, "\x1f", null_handling="replace", null_replacement="\x00")
