"""Readings of a new file that stand in the store already, from another file: a late export, a window that reaches over, a log that grew.

Two readings are of one sensor where element, part, quantity and level are the same. At one time a sensor has one value:

- the same value again, to :data:`SAME`, is the same reading, whatever file or mapping it came by. It is counted and not stored again;
- another value by the same mapping is refused, and the first one stands: which of them is right nobody here can tell;
- another value by another mapping is a second instrument at the same place, and is stored.

Only files of the store whose times, elements and quantities reach into those of the readings at hand are looked into, by the
statistics in the table's log; they are read as a stream, so that memory holds no more than the readings at hand.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs
from deltalake import DeltaTable
from deltalake.transaction import AddAction

from telemetry.coding import UNKNOWN, combinations
from telemetry.readings import ANOTHER_VALUE, STORED_BEFORE, Block, Mapper
from telemetry.schema import FACTS, LEVELS, READINGS, TIME
from topology.errors import StoreError

SAME = 1e-6
"""Relative difference up to which two values are the same reading: an export in single precision, or in other units (our choice)."""

_WANTED = ("time", "element", "part", "quantity", "level", "source", "value")
_NAMES = ("element", "part", "quantity", "level", "source")
_CODED = pa.schema([pa.field(n, pa.dictionary(pa.int32(), pa.string())) if n in _NAMES else FACTS.field(n) for n in _WANTED])
_NEVER, _ALWAYS = np.iinfo(np.int64).min, np.iinfo(np.int64).max
_LAST = "\U0010ffff"
_MS = 999
_FEW = 32


@dataclass(frozen=True, slots=True)
class Extent:
    """What each of F data files reaches over, by the log.

    Attributes:
        path: path in the table (F,).
        low_us: first time or earlier [us] (F,).
        high_us: last time or later [us] (F,).
        low: least element and quantity or less, (2, F).
        high: greatest element and quantity or more, (2, F).
    """

    path: tuple[str, ...]
    low_us: np.ndarray
    high_us: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def touching(self, low_us: int, high_us: int, names: Sequence[Sequence[str]]) -> np.ndarray:
        """Which files may hold readings of these times, and of one of these elements and quantities; indices.

        Args:
            low_us: first time [us].
            high_us: last time [us].
            names: elements, and quantities.
        """
        near = np.flatnonzero((self.high_us >= low_us) & (self.low_us <= high_us))
        for which, wanted in enumerate(names):
            ordered = np.array(sorted(wanted))
            first = np.searchsorted(ordered, self.low[which][near], "left")
            near = near[first < np.searchsorted(ordered, self.high[which][near], "right")]
        return near

    def meets(self, others: Extent) -> bool:
        """Whether some file may hold a reading that one of the others holds too."""
        for k in range(len(others.path)):
            near = (self.high_us >= others.low_us[k]) & (self.low_us <= others.high_us[k])
            for which in range(2):
                near &= (self.high[which] >= others.low[which][k]) & (self.low[which] <= others.high[which][k])
            if near.any():
                return True
        return False

    def without(self, paths: Sequence[str]) -> Extent:
        """The files that are not among these."""
        known = set(paths)
        keep = np.array([p not in known for p in self.path], bool)
        return Extent(
            tuple(p for p in self.path if p not in known), self.low_us[keep], self.high_us[keep], self.low[:, keep], self.high[:, keep]
        )


def extent_of(table: DeltaTable) -> Extent:
    """What the files of a table reach over. What the log does not say counts as everything."""
    adds = pa.table(table.get_add_actions(flatten=True))
    n = adds.num_rows

    def said(name: str, otherwise: object) -> list[object]:
        return [otherwise if v is None else v for v in adds[name].to_pylist()] if name in adds.column_names else [otherwise] * n

    def micros(name: str, otherwise: int) -> np.ndarray:
        if name not in adds.column_names:
            return np.full(n, otherwise)
        return np.asarray(adds[name].cast(TIME).cast(pa.int64()).fill_null(otherwise).to_numpy())

    high_us = micros("max.time", _ALWAYS - _MS) + _MS  # other writers cut times to milliseconds
    low = np.array([said("min.element", ""), said("min.quantity", "")], str).reshape(2, n)
    high = np.array([said("max.element", _LAST), said("max.quantity", _LAST)], str).reshape(2, n)
    return Extent(tuple(adds["path"].to_pylist()) if n else (), micros("min.time", _NEVER), high_us, low, high)


def extent_of_new(files: Sequence[AddAction]) -> Extent:
    """What new files reach over, by the statistics on their way into the log."""
    least, most = ([json.loads(f.stats)[k] for f in files] for k in ("minValues", "maxValues"))
    low_us, high_us = (np.array([_us(s["time"]) for s in side], np.int64) for side in (least, most))
    low, high = (np.array([[s[c] for s in side] for c in ("element", "quantity")], str).reshape(2, len(files)) for side in (least, most))
    return Extent(tuple(f.path for f in files), low_us, high_us, low, high)


def _us(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "us").astype(np.int64))


class Overlap:
    """Judges readings of one file by what the store held when it was looked at.

    Args:
        table: the table of readings as it was looked at.
        files: where its data files are.
        mapper: gives the file's readings.
    """

    def __init__(self, table: DeltaTable, files: pa.fs.FileSystem, mapper: Mapper) -> None:
        self.mapper, self.files, self.where = mapper, files, table.table_uri
        self.extent = extent_of(table)

    def touches(self, block: Block) -> bool:
        """Whether some of its readings may be stored already."""
        return bool(self.extent.path) and bool(len(self._near(block.keep(block.reason == 0))))

    def judge(self, blocks: Sequence[Block]) -> list[Block]:
        """The same blocks with the reasons of readings that are stored already, as the module's docstring says."""
        good = [b.keep(b.reason == 0) for b in blocks]
        us, value = np.concatenate([b.us for b in good]), np.concatenate([b.value for b in good])
        if not len(us):
            return list(blocks)
        times, at_time = np.unique(us, return_inverse=True)
        sensors = self.mapper.series_of(len(self.mapper.ids.pairs), 0, 0)
        key = at_time * sensors + np.concatenate([self.mapper.series(b) for b in good])
        order = np.argsort(key, kind="stable")
        key = key[order]
        reason = np.zeros(len(us), np.int64)
        for stored_us, series, stored_value, own in self._stored(good):
            at = np.minimum(np.searchsorted(times, stored_us), len(times) - 1)
            wanted = at * sensors + series
            place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
            hit = (times[at] == stored_us) & (series != UNKNOWN) & (key[place] == wanted)
            found, stored_value, own = order[place[hit]], stored_value[hit], own[hit]
            equal = np.abs(value[found] - stored_value) <= SAME * np.abs(stored_value)
            reason[found[~equal & own & (reason[found] == 0)]] = ANOTHER_VALUE
            reason[found[equal]] = STORED_BEFORE
        return [_with(b, r) for b, r in zip(blocks, np.split(reason, np.cumsum([len(b.us) for b in good])[:-1]), strict=True)]

    def _near(self, block: Block) -> np.ndarray:
        """Files of the store that accepted readings may stand in; indices."""
        if not len(block.us):
            return np.zeros(0, int)
        low, high = int(block.us.min()), int(block.us.max())
        if not ((self.extent.high_us >= low) & (self.extent.low_us <= high)).any():
            return np.zeros(0, int)
        names = tuple(READINGS)
        quantities = sorted(names[q] for q in np.unique(block.quantity))
        return self.extent.touching(low, high, (sorted(self._elements(block)), quantities))

    def _elements(self, block: Block) -> set[str]:
        ids = self.mapper.ids
        return {ids.elements.texts[ids.pairs[p][0]] for p in np.unique(block.place)}

    def _stored(self, blocks: Sequence[Block]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Times [us], sensors (-1 for none of this file), values, and whether by the same mapping, of stored readings near some blocks."""
        paths = [self.extent.path[k] for k in sorted({int(k) for b in blocks for k in self._near(b)})]
        if not paths:
            return
        form = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(dictionary_columns=list(_NAMES)))
        data = ds.dataset([unquote(p) for p in paths], schema=_CODED, format=form, filesystem=self.files)
        there = [b.us for b in blocks if len(b.us)]
        low, high = (pa.scalar(us, pa.int64()).cast(TIME) for us in (min(int(u.min()) for u in there), max(int(u.max()) for u in there)))
        keep = (ds.field("time") >= low) & (ds.field("time") <= high)
        elements = {e for b in blocks for e in self._elements(b)}
        if len(elements) <= _FEW:
            keep &= ds.field("element").isin(sorted(elements))
        scanner = data.scanner(columns=list(_WANTED), filter=keep, batch_size=1 << 17, batch_readahead=4, fragment_readahead=1)
        for batch in self._read(scanner):
            if batch.num_rows:
                rows, found = combinations([batch.column(c) for c in _NAMES])
                series = np.array([self._series(*(t or "" for t in c[:4])) for c in found], np.int64)
                own = np.array([(c[4] or "").split("/", 1)[0] == self.mapper.plan.vendor.name for c in found], bool)
                us = batch.column("time").cast(pa.int64()).to_numpy()
                yield us, series[rows], batch.column("value").to_numpy(), own[rows]

    def _read(self, scanner: ds.Scanner) -> Iterator[pa.RecordBatch]:
        try:
            yield from scanner.to_batches()
        except (pa.ArrowException, OSError) as fault:
            what = str(fault).splitlines()[0]
            raise StoreError(
                f"a data file of the store {self.where} cannot be read, so that nobody can tell what is stored already: {what}; "
                "`racktwin store check` names it"
            ) from fault

    def _series(self, element: str, part: str, quantity: str, level: str) -> int:
        place = self.mapper.ids.find(element, part)
        if place == UNKNOWN or quantity not in READINGS or level not in LEVELS:
            return UNKNOWN
        return int(self.mapper.series_of(place, tuple(READINGS).index(quantity), LEVELS.index(level)))


def _with(block: Block, reason: np.ndarray) -> Block:
    """A block with reasons for those of its readings that were accepted so far."""
    if not reason.any():
        return block
    whole = block.reason.copy()
    whole[whole == 0] = reason
    return dataclasses.replace(block, reason=whole)
