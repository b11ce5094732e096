"""What is read waits for what is written, and a writer that holds everything is not waited for."""

from __future__ import annotations

import threading
import time

import numpy as np
import pyarrow as pa

from telemetry.pace import Pace


def batch(n: int = 10) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"element": pa.array(["r1"] * n).dictionary_encode(), "value": np.arange(n, dtype=float)})


def test_a_batch_is_the_same_and_counts_until_its_last_holder_lets_go() -> None:
    pace, plain = Pace(), batch()
    held = pace.hold(plain)
    assert held.equals(plain) and held.schema.equals(plain.schema)
    stream = pa.RecordBatchReader.from_batches(held.schema, [held])
    taken = stream.read_all()
    del held, stream
    assert pace.held == 10
    del taken
    assert pace.held == 0


def test_a_reader_waits_until_the_writer_has_room() -> None:
    pace = Pace(ahead=15, patience_s=10.0)
    waiting = [pace.hold(batch()), pace.hold(batch())]
    began = time.monotonic()
    writer = threading.Timer(0.1, waiting.clear)
    writer.start()
    pace.wait()
    writer.join()
    assert 0.05 < time.monotonic() - began < 5.0 and pace.held == 0


def test_a_writer_that_lets_nothing_go_is_not_waited_for_long() -> None:
    pace = Pace(ahead=5, patience_s=0.05)
    held = pace.hold(batch())
    began = time.monotonic()
    pace.wait()
    assert 0.04 < time.monotonic() - began < 2.0 and pace.held == len(held)
