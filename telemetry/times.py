"""Time columns of any kind to UTC microseconds, and why a time was refused."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from telemetry.schema import TIME
from telemetry.vendor import TimeRule
from topology.errors import TelemetryError

OK, NO_TIME, NAIVE, UNREADABLE, AMBIGUOUS, SKIPPED = range(6)
TIME_REASONS = ("", "no time", "naive time", "time not readable", "time not unique in its zone", "time that its zone skips")
"""Why a time was refused, by code."""

_UTC = re.compile(r" ?(?:UTC|GMT)$")
_PER_S = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


@dataclass(frozen=True, slots=True)
class Times:
    """Times of a batch.

    Attributes:
        us: microseconds since 1970 UTC, 0 where refused (n,).
        fault: index into :data:`TIME_REASONS` (n,).
    """

    us: np.ndarray
    fault: np.ndarray


def read_times(column: pa.Array, rule: TimeRule, file: str = "") -> Times:
    """Convert a time column.

    Integers and floats are counts since 1970 in ``rule.unit``; ``epoch`` tells seconds, milli-, micro- and nanoseconds apart by
    their size (no overlap between 1973 and 5000). Text is ISO 8601, or ends in UTC. A naive time takes the zone that the mapping names.

    Args:
        column: as read from the file.
        rule: how the mapping says it is written.
        file: shown in errors.

    Raises:
        TelemetryError: a naive timestamp column and no zone, or a type that holds no times.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _stamps(column, rule, file)
    if pa.types.is_date(kind):
        return _stamps(column.cast(pa.timestamp("us")), rule, file)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _counts(column, rule)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _texts(column, rule)
    if pa.types.is_null(kind):
        return Times(np.zeros(len(column), np.int64), np.full(len(column), NO_TIME, np.uint8))
    raise TelemetryError(f"{file}: the time column is of type {kind}, which holds no times")


def _stamps(column: pa.Array, rule: TimeRule, file: str) -> Times:
    absent = _nulls(column)
    if column.type.tz is not None:
        us = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        return _times(us.cast(pa.int64()), absent, NO_TIME)
    if not rule.zone:
        raise TelemetryError(f"{file}: times have no zone and the mapping names none; set zone under [time], such as zone = 'UTC'")
    local = column.cast(pa.timestamp("us"), safe=False)
    if rule.zone == "UTC":
        return _times(local.cast(pa.int64()), absent, NO_TIME)
    early, late = (
        pc.assume_timezone(local, rule.zone, ambiguous=w, nonexistent=w).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        for w in ("earliest", "latest")
    )
    fault = np.where(absent, NO_TIME, OK).astype(np.uint8)
    jumps = np.flatnonzero((early != late) & ~absent)
    if len(jumps):  # a wall clock shows such a time twice where it goes back, and never where it goes on
        back = pc.local_timestamp(pa.array(early[jumps]).view(pa.timestamp("us", rule.zone)))
        there = pc.equal(back, local.take(pa.array(jumps))).to_numpy(zero_copy_only=False)
        fault[jumps] = np.where(there, AMBIGUOUS, SKIPPED)
    return Times(np.where(fault == OK, early, 0), fault)


def _counts(column: pa.Array, rule: TimeRule) -> Times:
    absent = _nulls(column)
    if rule.unit == "day_s":
        seconds = column.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
        midnight = dt.datetime.fromisoformat(rule.date)
        local = pa.array(np.datetime64(midnight, "us") + _round(seconds * 1e6).astype("timedelta64[us]"))
        inner = _stamps(local, rule, "")
        return Times(np.where(absent | np.isnan(seconds), 0, inner.us), np.where(absent | np.isnan(seconds), NO_TIME, inner.fault))
    if pa.types.is_integer(column.type) and rule.unit in ("s", "ms", "us"):  # exact beyond 2^53
        counts = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        return Times(counts * int(1e6 / _PER_S[rule.unit]), np.where(absent, NO_TIME, OK).astype(np.uint8))
    whole = pa.types.is_integer(column.type)
    numbers = column.cast(pa.int64() if whole else pa.float64()).fill_null(0).to_numpy(zero_copy_only=False)
    if rule.unit == "epoch":
        size = np.abs(numbers)
        steps = [size < 1e11, size < 1e14, size < 1e17]
        us = np.select(steps, [numbers * 1_000_000, numbers * 1_000, numbers], numbers // 1_000)
    else:
        us = numbers // 1_000 if rule.unit == "ns" else numbers * (1e6 / _PER_S[rule.unit])
    bad = absent | ~np.isfinite(us) if not whole else absent
    return Times(np.where(bad, 0, us if whole else _round(us)).astype(np.int64), np.where(bad, NO_TIME, OK).astype(np.uint8))


def _texts(column: pa.Array, rule: TimeRule) -> Times:
    try:
        us = pc.cast(column, TIME)  # ISO 8601 with a zone in every row: quick
    except pa.ArrowInvalid:
        return _texts_one_by_one(column, rule)
    return _times(us.cast(pa.int64()), _nulls(column), NO_TIME)


def _texts_one_by_one(column: pa.Array, rule: TimeRule) -> Times:
    coded = column.dictionary_encode()
    parsed = [_text(t, rule) for t in coded.dictionary.to_pylist()]
    us = np.array([p[0] for p in parsed] + [0], np.int64)
    fault = np.array([p[1] for p in parsed] + [NO_TIME], np.uint8)
    codes = coded.indices.fill_null(len(parsed)).to_numpy(zero_copy_only=False)
    return Times(us[codes], fault[codes])


def _text(text: str | None, rule: TimeRule) -> tuple[int, int]:
    if text is None or not text.strip():
        return 0, NO_TIME
    try:
        stamp = dt.datetime.fromisoformat(_UTC.sub("+00:00", text.strip()))
    except ValueError:
        return 0, UNREADABLE
    if stamp.tzinfo is None:
        if not rule.zone:
            return 0, NAIVE
        one = _stamps(pa.array([stamp], pa.timestamp("us")), rule, "")
        return int(one.us[0]), int(one.fault[0])
    return (stamp - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1), OK


def _nulls(column: pa.Array) -> np.ndarray:
    return np.asarray(column.is_null().to_numpy(zero_copy_only=False), bool)


def _round(us: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(np.nan_to_num(us)).astype(np.int64))


def _times(us: pa.Array, absent: np.ndarray, code: int) -> Times:
    return Times(us.fill_null(0).to_numpy(zero_copy_only=False), np.where(absent, code, OK).astype(np.uint8))
