"""One file on its way into the store: each of its readings is stored, refused with its reason, or known already."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from telemetry.appending import Attempt, RefusedBefore
from telemetry.overlap import Overlap
from telemetry.plan import Plan
from telemetry.readings import FUTURE, REASONS, STORED_BEFORE, UNKNOWN_ELEMENT, Block, Mapper
from telemetry.schema import QUARANTINE
from telemetry.source import Source
from topology.errors import Finding, TelemetryError, nearest
from topology.site import Site

_REFUSED_AT_ONCE = 200_000
_JUDGED_AT_ONCE = 1_000_000
_EARLY = dt.timedelta(days=1)
_FAST = dt.timedelta(minutes=2)
"""How far a clock may be ahead of the one here before it is said; NTP holds them far closer (our choice)."""


class OneFile:
    """One file on its way into the store; counts are those of the last attempt.

    Attributes:
        stored: readings stored.
        doubled: readings that were known already.
        reasons: reason -> readings refused for it.
    """

    def __init__(
        self, site: Site, path: Path, digest: str, plan: Plan, source: Source, state: tuple[int, int], clock: Callable[[], dt.datetime],
        told: Callable[[float], None],
    ) -> None:  # fmt: skip
        self.site, self.path, self.digest, self.plan, self.source, self.state = site, path, digest, plan, source, state
        self.clock, self.told = clock, told
        self.mark = f"{plan.vendor.name}/{path.name}#{digest[:16]}"
        self.stored = self.doubled = self.ahead = self.ahead_us = self.late_us = 0
        self.reasons: Counter[str] = Counter()
        self._unknown: dict[str, str] = {}
        self._metrics: set[str] = set()

    def batches(self, attempt: Attempt) -> Iterator[pa.RecordBatch]:
        """Accepted rows of the file; refused rows go to the attempt, the last of them before this ends."""
        self.stored, self.doubled, self.reasons, self.ahead, self.ahead_us = 0, 0, Counter(), 0, 0
        now = self.clock()
        self.late_us, latest_us = (int((now + allowed).timestamp() * 1e6) for allowed in (_FAST, _EARLY))
        mapper = Mapper(self.plan, self.site, str(self.path), latest_us)
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
            self.told(self.state[0] * (row - 1) / max(self.source.rows, 1))
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
            if piece.block.us.max() > self.late_us:
                ahead = piece.block.us[reason == 0] - self.late_us
                self.ahead, self.ahead_us = self.ahead + int((ahead > 0).sum()), max(self.ahead_us, int(ahead.max()))
            yield good

    def _refused(self, block: Block, attempt: int, batch: pa.RecordBatch, first_row: int) -> pa.Table:
        n = len(block.us)
        at = pa.array(block.row - first_row)
        key = self.plan.keys.get(self.plan.vendor.element_key, "")
        element = _text(batch.column(key).take(at)) if key else pa.array([block.column if isinstance(block.column, str) else ""] * n)
        reasons = pa.DictionaryArray.from_arrays(pa.array(block.reason, pa.int8()), pa.array(REASONS)).cast(pa.string())
        column = pa.array([block.column] * n, pa.string()) if isinstance(block.column, str) else _text(block.column)
        same = {"digest": self.digest, "attempt": attempt, "file": str(self.path), "seen_at": self.clock()}
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

    def _skew(self) -> list[Finding]:
        """What is to be said of times that lie ahead of the clock here."""
        hint = "mend the meter's clock, or name the zone and the unit of its times in the mapping"
        future = self.reasons[REASONS[FUTURE]]
        found = [Finding(f"{future} readings lie more than a day in the future; they are in quarantine", hint, str(self.path),
                         column=self.plan.time, severity="warning")] if future else []  # fmt: skip
        if self.ahead:
            most_s = (self.ahead_us + _FAST // dt.timedelta(microseconds=1)) / 1e6
            found.append(
                Finding(f"{self.ahead} readings are ahead of the clock here, by up to {most_s:.0f} s; they are stored as they are", hint,
                        str(self.path), column=self.plan.time, severity="warning")
            )  # fmt: skip
        return found

    def findings(self) -> list[Finding]:
        """Warnings about names in the file that nobody knows."""
        known = [*self.site.elements]
        found = self._skew()
        found += [
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
