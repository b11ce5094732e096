"""Finds readings that repeat an earlier one of the same file: same time, element, part, quantity and level."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from topology.errors import TelemetryError

_SERIES_BITS = 26
_TIME_BITS = 63 - _SERIES_BITS
KEPT = 4_000_000
"""Readings whose keys are kept in memory: 32 MB (our choice); those of older batches wait in a temporary file."""


@dataclass(slots=True)
class _Batch:
    """The sorted keys of one batch, in memory or in the temporary file, and what they reach over."""

    keys: np.ndarray | None
    count: int
    first: Any
    last: Any
    last_us: int
    series: tuple[int, int]
    offset: int = 0


class Duplicates:
    """Remembers the readings of one file by sorted 8-byte keys.

    Keys of a batch are dropped once the caller says that no later batch reaches back to its times, so a file in order of time
    costs the keys of about one row group. Those of other files cost 8 bytes a reading, in a temporary file beyond :data:`KEPT`; they are
    read again only for a batch that reaches into their times and their series.
    """

    def __init__(self) -> None:
        self._batches: list[_Batch] = []
        self._base: int | None = None
        self._step = 1000
        self._wide = False
        self._file: IO[bytes] | None = None

    def repeated(self, us: np.ndarray, series: np.ndarray) -> np.ndarray:
        """Which readings of a batch repeat an earlier one, of this or of an earlier batch.

        Args:
            us: times [us] (n,).
            series: dense number of the element, part, quantity and level (n,).

        Returns:
            Mask (n,).

        Raises:
            TelemetryError: no room for the temporary file.
        """
        if not len(us):
            return np.zeros(0, bool)
        keys = self._keys(us, series)
        ordered = np.sort(keys)
        mask = np.zeros(len(us), bool)
        if (ordered[1:] == ordered[:-1]).any():
            order = np.argsort(keys, kind="stable")
            mask[order[1:]] = keys[order[1:]] == keys[order[:-1]]
        one = _Batch(ordered, len(ordered), ordered[0], ordered[-1], int(us.max()), (int(series.min()), int(series.max())))
        for other in self._batches:
            if other.last >= one.first and one.last >= other.first and _meet(other.series, one.series):
                block = self._read(other)
                at = np.minimum(np.searchsorted(block, keys), len(block) - 1)
                mask |= block[at] == keys
        self._batches.append(one)
        self._spill()
        return mask

    def forget_before(self, us: int) -> None:
        """Drop what no later batch can repeat: every batch that ends before this time [us]."""
        self._batches = [b for b in self._batches if b.last_us >= us]

    def _keys(self, us: np.ndarray, series: np.ndarray) -> np.ndarray:
        """Keys that sort and compare like (time, series): packed into 63 bits where they fit, complex numbers otherwise.

        A complex number compares by its real part first; times in microseconds are exact in a double until the year 2255.
        """
        if self._base is None:
            self._base = int(us.min())
        if not self._wide:
            since = us - self._base
            steps = since // self._step
            if self._packs(since, steps, series):
                packed: np.ndarray = (steps << _SERIES_BITS) | series
                return packed
            self._widen()
        return us.astype(np.complex128) + 1j * series

    def _packs(self, since: np.ndarray, steps: np.ndarray, series: np.ndarray) -> bool:
        reach = max(abs(int(steps.min())), abs(int(steps.max())))
        whole = bool((steps * self._step == since).all())
        return whole and reach < 1 << (_TIME_BITS - 1) and int(series.max()) < 1 << _SERIES_BITS

    def _widen(self) -> None:
        base = self._base or 0
        mask = (1 << _SERIES_BITS) - 1
        for one in self._batches:
            packed = self._read(one)
            wide = ((packed >> _SERIES_BITS) * self._step + base).astype(complex) + 1j * (packed & mask)
            one.first, one.last = wide[0], wide[-1]
            if one.keys is None:
                one.offset = self._write(wide)
            else:
                one.keys = wide
        self._wide = True

    def _spill(self) -> None:
        """Write the oldest keys to the temporary file while too many are kept."""
        kept = [b for b in self._batches if b.keys is not None]
        waiting = sum(b.count for b in kept)
        for one in kept[:-1]:
            if waiting <= KEPT or one.keys is None:
                return
            one.offset, one.keys = self._write(one.keys), None
            waiting -= one.count

    def _write(self, keys: np.ndarray) -> int:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the object
            offset = self._file.seek(0, 2)
            self._file.write(keys.tobytes())
            self._file.flush()
        except OSError as fault:
            raise TelemetryError(
                f"the folder {tempfile.gettempdir()} has no room for temporary files of 8 bytes a reading ({fault.strerror}); "
                "set TMPDIR to one that has"
            ) from fault
        return offset

    def _read(self, one: _Batch) -> np.ndarray:
        if one.keys is not None or self._file is None:
            return np.zeros(0, np.int64) if one.keys is None else one.keys
        kind = np.dtype(type(one.first))
        self._file.seek(one.offset)
        return np.frombuffer(self._file.read(one.count * kind.itemsize), kind)


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
