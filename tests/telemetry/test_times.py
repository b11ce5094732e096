from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.times import AMBIGUOUS, NAIVE, NO_TIME, SKIPPED, UNREADABLE, read_times
from telemetry.vendor import TimeRule
from topology.errors import TelemetryError

AT = dt.datetime(2024, 4, 7, 12, 30, 15, 250_000, tzinfo=dt.UTC)
US = int(AT.timestamp() * 1e6)


@given(
    st.datetimes(dt.datetime(1980, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)).map(
        lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)
    )
)
def test_the_same_time_is_read_from_every_way_of_writing_it(at: dt.datetime) -> None:
    us = (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    rule = TimeRule(("t",))
    for column in (
        pa.array([at], pa.timestamp("us", "UTC")),
        pa.array([at], pa.timestamp("ms", "America/New_York")),
        pa.array([us // 1000], pa.int64()),
        pa.array([us], pa.int64()),
        pa.array([us * 1000], pa.int64()),
        pa.array([at.isoformat()]),
        pa.array([at.astimezone(dt.timezone(dt.timedelta(hours=2))).isoformat()]).dictionary_encode(),
    ):
        found = read_times(column, rule)
        assert found.us.tolist() == [us] and found.fault.tolist() == [0], column.type


def test_whole_and_broken_seconds_since_1970() -> None:
    assert read_times(pa.array([US // 1_000_000]), TimeRule(("t",))).us.tolist() == [US // 1_000_000 * 1_000_000]
    assert read_times(pa.array([US / 1e6]), TimeRule(("t",))).us.tolist() == [US]
    assert read_times(pa.array([5]), TimeRule(("t",), unit="ms")).us.tolist() == [5000]


def test_seconds_since_midnight_with_a_date_in_a_zone() -> None:
    column = pa.array([0.0, 15.0, None, 86400.0])
    found = read_times(column, TimeRule(("t",), "day_s", "America/New_York", "2024-04-07"))
    midnight = int(dt.datetime(2024, 4, 7, 4, tzinfo=dt.UTC).timestamp() * 1e6)
    assert found.us.tolist() == [midnight, midnight + 15_000_000, 0, midnight + 86_400_000_000]
    assert found.fault.tolist() == [0, 0, NO_TIME, 0]


def test_a_naive_column_is_refused_unless_the_mapping_names_its_zone() -> None:
    column = pa.array([AT.replace(tzinfo=None)], pa.timestamp("us"))
    with pytest.raises(TelemetryError, match=r"x\.parquet: times have no zone"):
        read_times(column, TimeRule(("t",)), "x.parquet")
    assert read_times(column, TimeRule(("t",), zone="UTC")).us.tolist() == [US]
    assert read_times(column, TimeRule(("t",), zone="Europe/Stockholm")).us.tolist() == [US - 7200 * 1_000_000]


def test_texts_are_judged_one_by_one() -> None:
    column = pa.array(["2024-04-07T12:30:15.250Z", "2024-04-07T12:30:15", "yesterday", None, ""])
    found = read_times(column, TimeRule(("t",)))
    assert found.fault.tolist() == [0, NAIVE, UNREADABLE, NO_TIME, NO_TIME] and found.us[0] == US


def test_an_hour_that_a_zone_has_twice_is_not_guessed() -> None:
    local = pa.array([dt.datetime(2026, 10, 25, 2, 30), dt.datetime(2026, 10, 25, 4, 30)], pa.timestamp("us"))
    assert read_times(local, TimeRule(("t",), zone="Europe/Stockholm")).fault.tolist() == [AMBIGUOUS, 0]


def test_an_hour_that_a_zone_skips_is_not_moved() -> None:
    local = pa.array([dt.datetime(2026, 3, 29, h, 30) for h in (1, 2, 3)], pa.timestamp("us"))
    found = read_times(local, TimeRule(("t",), zone="Europe/Stockholm"))
    assert found.fault.tolist() == [0, SKIPPED, 0]
    assert found.us[2] - found.us[0] == 3_600_000_000  # two hours on the wall


@pytest.mark.parametrize("how", ["column", "text", "seconds of the day"])
def test_a_day_on_which_the_clocks_go_back_keeps_its_order_and_its_length(how: str) -> None:
    """Every quarter of an hour of 25 hours on the wall; only the hour that comes twice is refused, 8 of 100."""
    utc = [dt.datetime(2026, 10, 24, 22, tzinfo=dt.UTC) + dt.timedelta(minutes=15 * k) for k in range(100)]
    wall = [t.astimezone(ZoneInfo("Europe/Stockholm")).replace(tzinfo=None) for t in utc]
    rule = TimeRule(("t",), zone="Europe/Stockholm")
    column = pa.array(wall, pa.timestamp("us"))
    if how == "text":
        column = pa.array([t.isoformat(" ") for t in wall])
    elif how == "seconds of the day":
        column = pa.array([(t - dt.datetime(2026, 10, 25)).total_seconds() for t in wall])
        rule = TimeRule(("t",), "day_s", "Europe/Stockholm", "2026-10-25")
    found = read_times(column, rule)
    good = found.fault == 0
    assert (found.fault == AMBIGUOUS).sum() == 8 == (~good).sum()
    expected = [int(t.timestamp() * 1e6) for t in utc]
    assert found.us[good].tolist() == [us for us, ok in zip(expected, good, strict=True) if ok]


def test_times_that_end_in_utc_have_a_zone() -> None:
    column = pa.array(["2024-04-07 12:30:15.250 UTC", "2024-04-07T12:30:15.25GMT", "2024-04-07 14:30:15.250+02:00"])
    assert read_times(column, TimeRule(("t",), zone="Europe/Stockholm")).us.tolist() == [US] * 3


def test_absent_times_are_named_so() -> None:
    assert read_times(pa.array([None, None]), TimeRule(("t",))).fault.tolist() == [NO_TIME, NO_TIME]
    assert read_times(pa.array([np.nan, 1.7e9]), TimeRule(("t",))).fault.tolist() == [NO_TIME, 0]
