from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.duplicates import Duplicates

readings = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=60)


@given(st.lists(readings, max_size=4), st.sampled_from([1_000_000, 1, 86_400_000_000 * 30]), st.sampled_from([1, 1 << 24]))
def test_exactly_the_later_of_two_equal_readings_are_found(batches: list[list[tuple[int, int]]], step_us: int, stride: int) -> None:
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
