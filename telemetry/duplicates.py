"""Finds readings that repeat an earlier one of the same file: same time, element, part, quantity and level."""

from __future__ import annotations

import numpy as np

_SERIES_BITS = 26
_TIME_BITS = 63 - _SERIES_BITS


class Duplicates:
    """Remembers the readings of one file by sorted 8-byte keys.

    Keys of a batch are dropped once the caller says that no later batch reaches back to its times, so a file in order of time
    costs the keys of about one row group. A file that is not in order of time costs 8 bytes a reading while it is read.
    """

    def __init__(self) -> None:
        self._blocks: list[tuple[np.ndarray, int]] = []
        self._base: int | None = None
        self._step = 1000
        self._wide = False

    def repeated(self, us: np.ndarray, series: np.ndarray) -> np.ndarray:
        """Which readings of a batch repeat an earlier one, of this or of an earlier batch.

        Args:
            us: times [us] (n,).
            series: dense number of the element, part, quantity and level (n,).

        Returns:
            Mask (n,).
        """
        if not len(us):
            return np.zeros(0, bool)
        keys = self._keys(us, series)
        ordered = np.sort(keys)
        mask = np.zeros(len(us), bool)
        if (ordered[1:] == ordered[:-1]).any():
            order = np.argsort(keys, kind="stable")
            mask[order[1:]] = keys[order[1:]] == keys[order[:-1]]
        for block, _ in self._blocks:
            if block[-1] >= ordered[0] and ordered[-1] >= block[0]:
                at = np.minimum(np.searchsorted(block, keys), len(block) - 1)
                mask |= block[at] == keys
        self._blocks.append((ordered, int(us.max())))
        return mask

    def forget_before(self, us: int) -> None:
        """Drop what no later batch can repeat: every batch that ends before this time [us]."""
        self._blocks = [b for b in self._blocks if b[1] >= us]

    def _keys(self, us: np.ndarray, series: np.ndarray) -> np.ndarray:
        """Keys that sort and compare like (time, series): packed into 63 bits where they fit, complex numbers otherwise.

        A complex number compares by its real part first; times in microseconds are exact in a double until the year 2255.
        """
        if self._base is None:
            self._base = int(us.min())
        if not self._wide and not self._packs(us, series):
            self._widen()
        if self._wide:
            return us.astype(np.complex128) + 1j * series
        packed: np.ndarray = ((us - self._base) // self._step << _SERIES_BITS) | series
        return packed

    def _packs(self, us: np.ndarray, series: np.ndarray) -> bool:
        base = self._base or 0
        if ((us - base) % self._step).any():
            return False
        reach = max(abs(int(us.min()) - base), abs(int(us.max()) - base)) // self._step
        return reach < 1 << (_TIME_BITS - 1) and int(series.max()) < 1 << _SERIES_BITS

    def _widen(self) -> None:
        base = self._base or 0
        mask = (1 << _SERIES_BITS) - 1
        self._blocks = [(((k >> _SERIES_BITS) * self._step + base).astype(complex) + 1j * (k & mask), last) for k, last in self._blocks]
        self._wide = True
