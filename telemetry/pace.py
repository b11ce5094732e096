"""Keeps what is read no further ahead of what is written than memory allows."""

from __future__ import annotations

import threading
import time
import weakref

import pyarrow as pa

AHEAD = 2_000_000
"""Readings that may wait for the writer: about 100 MB at 48 bytes each (our choice)."""
PATIENCE_S = 1.0
"""Longest wait for a writer that lets nothing go: it may be holding batches on purpose, such as for days not yet full [s]."""


class Pace:
    """Counts the readings of the batches that a writer still holds.

    A writer that takes batches from a stream may read on while it has not written the earlier ones. Each batch is given a value
    column whose memory tells when the last holder lets it go.

    Args:
        ahead: readings that may wait.
        patience_s: longest wait while nothing is let go [s].
    """

    def __init__(self, ahead: int = AHEAD, patience_s: float = PATIENCE_S) -> None:
        self.ahead, self.patience_s = ahead, patience_s
        self.held = 0
        self._changed = threading.Condition()

    def hold(self, batch: pa.RecordBatch, column: str = "value") -> pa.RecordBatch:
        """The same batch, counted until nobody holds it any more; its memory is not copied."""
        at = batch.schema.get_field_index(column)
        values = batch.column(at).to_numpy(zero_copy_only=False)
        with self._changed:
            self.held += len(values)
        weakref.finalize(values, self._let_go, len(values)).atexit = False
        return batch.set_column(at, batch.schema.field(at), pa.array(values, batch.schema.field(at).type))

    def wait(self) -> None:
        """Wait while too many readings are held, but no longer than the patience once nothing is let go."""
        with self._changed:
            before, since = self.held, time.monotonic()
            while self.held > self.ahead and time.monotonic() - since < self.patience_s:
                self._changed.wait(self.patience_s / 10)
                if self.held < before:
                    before, since = self.held, time.monotonic()

    def _let_go(self, readings: int) -> None:
        with self._changed:
            self.held -= readings
            self._changed.notify_all()
