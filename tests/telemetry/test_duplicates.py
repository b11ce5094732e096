from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry import duplicates
from telemetry.duplicates import Duplicates
from topology.errors import TelemetryError

readings = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=60)


@pytest.mark.parametrize("kept", [duplicates.KEPT, 0])  # in memory, in a file
@given(
    batches=st.lists(readings, max_size=4),
    step_us=st.sampled_from([1_000_000, 1, 86_400_000_000 * 30]),
    stride=st.sampled_from([1, 1 << 24]),
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_exactly_the_later_of_two_equal_readings_are_found(
    batches: list[list[tuple[int, int]]], step_us: int, stride: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "KEPT", kept)
    finder = Duplicates()
    seen: set[tuple[int, int]] = set()
    for batch in batches:
        expected = []
        for reading in batch:
            expected.append(reading in seen)
            seen.add(reading)
        us = np.array([r[0] for r in batch], np.int64) * step_us + 1_700_000_000_000_000
        series = np.array([r[1] for r in batch], np.int64) * stride
        assert finder.repeated(us, series).tolist() == expected


def test_keys_are_dropped_when_no_later_batch_reaches_back() -> None:
    finder = Duplicates()
    us = np.arange(10, dtype=np.int64) * 1_000_000
    finder.repeated(us, np.zeros(10, np.int64))
    finder.forget_before(5_000_000)
    assert finder.repeated(us[5:], np.zeros(5, np.int64)).all()
    finder.forget_before(20_000_000)
    assert not finder.repeated(us[5:], np.zeros(5, np.int64)).any()


@pytest.mark.parametrize("gap_us", [0, 1])
def test_times_a_microsecond_apart_are_not_the_same(gap_us: int) -> None:
    us = np.array([1_700_000_000_000_000, 1_700_000_000_000_000 + gap_us], np.int64)
    assert Duplicates().repeated(us, np.zeros(2, np.int64)).tolist() == [False, gap_us == 0]


def test_a_file_that_comes_series_by_series_keeps_few_keys_and_reads_none_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "KEPT", 100)
    finder, us = Duplicates(), np.arange(50, dtype=np.int64) * 1_000_000
    read: list[int] = []
    monkeypatch.setattr(Duplicates, "_read", lambda self, one: read.append(one.offset) or np.zeros(1, np.int64))
    for series in range(20):
        assert not finder.repeated(us, np.full(50, series)).any()
        assert sum(b.count for b in finder._batches if b.keys is not None) <= 100
    assert not read


def test_no_room_for_the_temporary_file_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "KEPT", 0)
    monkeypatch.setattr(duplicates.tempfile, "tempdir", "/nowhere")
    finder, us = Duplicates(), np.arange(5, dtype=np.int64) * 1000
    finder.repeated(us, np.zeros(5, np.int64))
    with pytest.raises(TelemetryError, match="set TMPDIR to one that has"):
        finder.repeated(us, np.ones(5, np.int64))
