"""Batches of a file to readings: accepted ones as canonical record batches, refused ones with their reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from telemetry.coding import UNKNOWN, texts_of
from telemetry.duplicates import Duplicates
from telemetry.identity import Identities, coded, level_of
from telemetry.plan import Plan, rule_for
from telemetry.schema import CATEGORIES, FACTS, IMPLEMENTATIONS, LEVELS, QUALITIES, READINGS, TIME, limits
from telemetry.times import TIME_REASONS, Times, read_times
from telemetry.vendor import Rule
from topology.site import Site

REASONS = (
    *TIME_REASONS, "time in the future", "time before 2000", "unknown element", "unknown quantity", "unknown level or quality",
    "value is not a number", "no value", "value out of range", "value where its mapping expects none", "duplicate in the file",
    "another value is stored for its time", "stored before",
)  # fmt: skip
"""Why a reading was refused, by code; 0 is accepted, and the last one is counted alone. Where several apply the first is named."""

FUTURE, _OLD, UNKNOWN_ELEMENT, _QUANTITY, _CATEGORY, _TEXT, _EMPTY, _RANGE, _ELSEWHERE, _DOUBLE, ANOTHER_VALUE, STORED_BEFORE = range(
    len(TIME_REASONS), len(REASONS)
)
Codes = np.ndarray
_US_2000 = 946_684_800_000_000
_DAY_US = 86_400_000_000

_QUANTITY_NAMES = tuple(READINGS)
_LIMITS = np.array([[limits(q, v) for v in LEVELS] for q in _QUANTITY_NAMES])


@dataclass(frozen=True, slots=True)
class Block:
    """Readings of one value column of a batch; arrays are (n,).

    Attributes:
        us: time [us since 1970 UTC].
        place: number of the element and part in the file's identities, -1 unknown.
        quantity: code in the order of READINGS, -1 unknown.
        level: code in the order of LEVELS, -1 unknown.
        implementation: code in the order of IMPLEMENTATIONS, -1 unknown.
        quality: code in the order of QUALITIES, -1 unknown.
        value: canonical unit, NaN for none.
        row: data row in the file, from 1.
        reason: index into REASONS, 0 accepted.
        raw: values as written.
        column: value column; for a long file the metric names as a column.
    """

    us: np.ndarray
    place: np.ndarray
    quantity: np.ndarray
    level: np.ndarray
    implementation: np.ndarray
    quality: np.ndarray
    value: np.ndarray
    row: np.ndarray
    reason: np.ndarray
    raw: pa.Array
    column: str | pa.Array

    def keep(self, mask: np.ndarray) -> Block:
        """Only the readings of a mask (n,)."""
        if mask.all():
            return self
        cut = {f: getattr(self, f)[mask] for f in self.__slots__ if f not in ("raw", "column")}
        at = pa.array(mask)
        column = self.column if isinstance(self.column, str) else self.column.filter(at)
        return replace(self, **cut, raw=self.raw.filter(at), column=column)


class Mapper:
    """Reads the batches of one file in order; keeps the file's vocabularies and what it has seen.

    Attributes:
        metrics: metric names of a long file that the mapping does not know.
    """

    def __init__(self, plan: Plan, site: Site, file: str, latest_us: int) -> None:
        self.plan, self.site, self.file, self.latest_us = plan, site, file, latest_us
        self.ids = Identities(plan.vendor, site)
        self.metrics: set[str] = set()
        self.duplicates = Duplicates()

    def blocks(self, batch: pa.RecordBatch, first_row: int) -> list[Block]:
        """Readings of a batch, one block a value column (one block for a long file).

        Args:
            batch: rows of the file.
            first_row: number of its first data row, from 1.
        """
        times = read_times(batch.column(self.plan.time), self.plan.vendor.time, self.file)
        rows = np.arange(first_row, first_row + batch.num_rows)
        keyed = self.plan.vendor.element_key in self.plan.keys
        place = self.ids.resolve(batch, self.plan.keys) if keyed else _fill(batch.num_rows, UNKNOWN)
        if self.plan.long:
            return [self._long(batch, times, rows, place)]
        return [self._wide(batch, c, r, times, rows, place) for c, r in self.plan.values]

    def _wide(self, batch: pa.RecordBatch, column: str, rule: Rule, times: Times, rows: np.ndarray, place: np.ndarray) -> Block:
        place = self._own_place(rule, place)
        raw = batch.column(column)
        value, unreadable = numbers(raw, rule.texts)
        block = Block(
            times.us, place, _fill(batch.num_rows, _QUANTITY_NAMES.index(rule.quantity)),
            self._levels(batch, rule.level, place), self._carried(batch, "implementation", IMPLEMENTATIONS, rule.implementation),
            self._carried(batch, "quality", QUALITIES, "good"), value * rule.unit.factor + rule.unit.offset, rows,
            times.fault, raw, column,
        )  # fmt: skip
        return self._judge(block, unreadable, self._elsewhere(batch, rule))

    def _elsewhere(self, batch: pa.RecordBatch, rule: Rule) -> np.ndarray | None:
        """Rows that do not have a column, by the word of its mapping (n,); ``None`` where all may."""
        found = None
        for key, wanted in rule.only.items():
            if key in self.plan.keys:
                codes, texts = texts_of(batch.column(self.plan.keys[key]))
                other = np.array([("" if t in self.plan.vendor.absent else t) not in wanted for t in texts] + ["" not in wanted])[codes]
                found = other if found is None else found | other
        return found

    def _long(self, batch: pa.RecordBatch, times: Times, rows: np.ndarray, place: np.ndarray) -> Block:
        codes, names = texts_of(batch.column(self.plan.metric))
        rules = [rule_for(self.plan.vendor, n, self.site.elements) for n in names]
        unwanted = [self.plan.vendor.ignores(n) for n in names]
        ignored = np.array([*unwanted, False])
        self.metrics |= {n for n, r, u in zip(names, rules, unwanted, strict=True) if r is None and not u}
        quantity = np.array([UNKNOWN if r is None else _QUANTITY_NAMES.index(r.quantity) for r in rules] + [UNKNOWN])[codes]
        factor = np.array([1.0 if r is None else r.unit.factor for r in rules] + [1.0])[codes]
        offset = np.array([0.0 if r is None else r.unit.offset for r in rules] + [0.0])[codes]
        raw = batch.column(self.plan.value)
        value, unreadable = numbers(raw)
        elsewhere = np.zeros(batch.num_rows, bool)
        for code, rule in enumerate(rules):
            if rule is not None and rule.texts:
                own = np.flatnonzero(codes == code)
                value[own], unreadable[own] = numbers(raw.take(pa.array(own)), rule.texts)
            other = self._elsewhere(batch, rule) if rule is not None else None
            if other is not None:
                elsewhere |= (codes == code) & other
            if rule is not None and (rule.element or rule.part):
                place = np.where(codes == code, self._own_place(rule, place), place)
        level = self._levels(batch, "", place)
        how = self._carried(batch, "implementation", IMPLEMENTATIONS, "")
        for code, rule in enumerate(rules):
            if rule is not None and rule.level:
                level = np.where(codes == code, LEVELS.index(rule.level), level)
            if rule is not None and rule.implementation:
                how = np.where(codes == code, IMPLEMENTATIONS.index(rule.implementation), how)
        block = Block(
            times.us, place, quantity, level, how, self._carried(batch, "quality", QUALITIES, "good"),
            value * factor + offset, rows, times.fault, raw, batch.column(self.plan.metric),
        )  # fmt: skip
        wanted = ~ignored[codes]
        return self._judge(block.keep(wanted), unreadable[wanted], elsewhere[wanted])

    def _own_place(self, rule: Rule, place: np.ndarray) -> Codes:
        """Place of a column that names its element, or a part of the row's element."""
        if rule.element:
            return _fill(len(place), self.ids.place(rule.element, rule.part))
        if rule.part:
            texts = [(self.ids.elements.texts[e], self.ids.parts.texts[p]) for e, p in self.ids.pairs]
            return _pick([self.ids.place(e, f"{p}-{rule.part}".strip("-")) for e, p in texts], place)
        return place

    def _levels(self, batch: pa.RecordBatch, level: str, place: np.ndarray) -> Codes:
        if "level" in self.plan.vendor.carry and self.plan.vendor.carry["level"] in self.plan.keys:
            return self._carried(batch, "level", LEVELS, "")
        fixed = level or self.plan.vendor.level
        if fixed != "auto":
            return _fill(len(place), LEVELS.index(fixed))
        by_place = [LEVELS.index(level_of(self.site, self.ids.elements.texts[e])) for e, _ in self.ids.pairs]
        return _pick(by_place, place)

    def _carried(self, batch: pa.RecordBatch, what: str, allowed: tuple[str, ...], default: str) -> Codes:
        key = self.plan.vendor.carry.get(what)
        if key is not None and key in self.plan.keys:
            codes, texts = texts_of(batch.column(self.plan.keys[key]))
            return _pick([allowed.index(t) if t in allowed else UNKNOWN for t in texts], codes)
        return _fill(batch.num_rows, allowed.index(default or self.plan.vendor.implementation))

    def _judge(self, block: Block, unreadable: np.ndarray, elsewhere: np.ndarray | None) -> Block:
        """Set the reason of each reading; empty cells of a sparse mapping, and of rows that lack the column, are taken out first."""
        elsewhere = np.zeros(len(block.us), bool) if elsewhere is None else elsewhere
        if self.plan.vendor.sparse or elsewhere.any():
            empty = np.isnan(block.value) & ~unreadable
            present = ~(empty & (self.plan.vendor.sparse | elsewhere)) & ~(elsewhere & (block.value == 0))
            block, unreadable, elsewhere = block.keep(present), unreadable[present], elsewhere[present]
        bound = _LIMITS[block.quantity[:1], block.level[:1]] if _constant(block) else _LIMITS[block.quantity, block.level]
        low, high = bound[:, 0], bound[:, 1]
        checks = (
            (block.us > self.latest_us, FUTURE), (block.us < _US_2000, _OLD), (block.place == UNKNOWN, UNKNOWN_ELEMENT),
            (block.quantity == UNKNOWN, _QUANTITY),
            ((block.level == UNKNOWN) | (block.implementation == UNKNOWN) | (block.quality == UNKNOWN), _CATEGORY),
            (unreadable, _TEXT), (np.isnan(block.value), _EMPTY), ((block.value < low) | (block.value > high), _RANGE),
            (elsewhere, _ELSEWHERE),
        )  # fmt: skip
        reason = block.reason.copy()
        for wrong, code in checks:
            if wrong.any():
                reason[wrong & (reason == 0)] = code
        good = reason == 0
        cut = block.keep(good)
        doubled = self.duplicates.repeated(cut.us, self.series(cut))
        if doubled.any():
            reason[np.flatnonzero(good)[doubled]] = _DOUBLE
        return replace(block, reason=reason)

    def series(self, block: Block) -> np.ndarray:
        """Number of the sensor of each reading of a block: element, part, quantity and level (n,)."""
        return np.asarray(self.series_of(block.place, block.quantity, block.level))

    @staticmethod
    def series_of(place: Any, quantity: Any, level: Any) -> Any:
        """Number of a sensor by the numbers of its place, quantity and level; works on arrays too."""
        return (place * len(_QUANTITY_NAMES) + quantity) * len(LEVELS) + level

    def accepted(self, block: Block, source: str) -> pa.RecordBatch:
        """The accepted readings of a block as a record batch of :data:`FACTS_CODED`."""
        good = block.keep(block.reason == 0)
        n = len(good.us)
        element, part = self.ids.codes(good.place)
        arrays = {
            "time": pa.array(good.us).view(TIME),
            "element": self.ids.elements.arrow(element),
            "part": self.ids.parts.arrow(part),
            "quantity": coded(good.quantity, _QUANTITY_NAMES),
            "value": pa.array(good.value, pa.float64()),
            "source": coded(np.zeros(n, np.int32), (source,)),
            "implementation": coded(good.implementation, IMPLEMENTATIONS),
            "level": coded(good.level, LEVELS),
            "quality": coded(good.quality, QUALITIES),
            "day": pa.array((good.us // _DAY_US).astype(np.int32)).view(pa.date32()),
        }
        return pa.RecordBatch.from_arrays(list(arrays.values()), schema=FACTS_CODED)


FACTS_CODED: pa.Schema = pa.schema(
    [f if f.name not in CATEGORIES else pa.field(f.name, pa.dictionary(pa.int32(), pa.string())) for f in FACTS]
)
"""The canonical table with its text columns as dictionaries: what ingest writes and reads are decoded to."""


def numbers(column: pa.Array, words: Mapping[str, float] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Values of a column as float64 (NaN for null) and a mask of texts that are no number, (n,) each.

    Args:
        column: as read from the file.
        words: texts that stand for a number.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        value = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return np.asarray(value, float), np.zeros(len(column), bool)
    if not words:
        try:
            return np.array(column.cast(pa.float64()).to_numpy(zero_copy_only=False), float), np.zeros(len(column), bool)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass  # some text is no plain number: judged one by one
    codes, texts = texts_of(column)
    parsed = [(words[t], False) if words and t in words else _number(t) for t in texts] + [(np.nan, False)]
    return np.array([p[0] for p in parsed])[codes], np.array([p[1] for p in parsed])[codes]


def _number(text: str) -> tuple[float, bool]:
    plain = text.strip().lower()
    if plain in ("", "true", "false"):
        return {"": np.nan, "true": 1.0, "false": 0.0}[plain], False
    try:
        return float(text), False
    except ValueError:
        return np.nan, True


def _constant(block: Block) -> bool:
    """Whether all readings are of one quantity at one level (strides of 0, see :func:`_fill`)."""
    return bool(len(block.us)) and block.quantity.strides[0] == 0 and block.level.strides[0] == 0


def _pick(values: Sequence[int], codes: Codes) -> Codes:
    """Values by code (n,), -1 for the code -1."""
    found: Codes = np.array([*values, UNKNOWN], np.int64)[codes]
    return found


def _fill(n: int, code: int) -> Codes:
    return np.broadcast_to(np.int64(code), (n,))
