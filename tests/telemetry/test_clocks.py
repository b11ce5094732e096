"""Clocks of meters: zones named by the user, jumps of daylight saving, and clocks that are ahead."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from telemetry.explain import explain
from telemetry.ingest import ingest
from telemetry.live import watch
from telemetry.store import Store
from tests.telemetry.small import NOW, START, START_US, small_site, write
from topology.errors import TelemetryError, UsageError


def local_file(path: Path, first: dt.datetime, n: int, zone: str, minutes: float = 15.0) -> Path:
    """Power of r1 from a time on, by a wall clock of a zone, the zone left away."""
    at = [(first + dt.timedelta(minutes=minutes * k)).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for k in range(n)]
    return write(path, {"time": pa.array(at, pa.timestamp("us")), "element": ["r1"] * n, "power_w": 100.0 + np.arange(n)})


def test_a_zone_is_named_for_times_that_have_none(tmp_path: Path) -> None:
    file = local_file(tmp_path / "a.parquet", START, 8, "America/New_York")
    with pytest.raises(TelemetryError, match="times have no zone"):
        ingest(small_site(), file, tmp_path / "s", clock=lambda: NOW)
    report = ingest(small_site(), file, tmp_path / "s", clock=lambda: NOW, zone="America/New_York")
    assert report.rows_stored == 8 and Store.open(tmp_path / "s").span() == (START, START + dt.timedelta(hours=1.75))
    assert "America/New_York" in explain(small_site(), file, zone="America/New_York").columns[0].why
    looks: list[float] = []
    (tmp_path / "in").mkdir()
    local_file(tmp_path / "in" / "b.parquet", START + dt.timedelta(days=1), 4, "Asia/Tokyo")
    watched = watch(
        small_site(), tmp_path / "in", tmp_path / "s", wait=looks.append, stop=lambda: len(looks) == 2, clock=lambda: NOW, zone="Asia/Tokyo"
    )
    assert watched.rows_stored == 4
    assert Store.open(tmp_path / "s").span() == (START, START + dt.timedelta(days=1, minutes=45))
    with pytest.raises(UsageError, match=r"no zone 'Mars/Base'.*Europe/Stockholm"):
        ingest(small_site(), file, tmp_path / "s", zone="Mars/Base")


def test_a_mappings_own_zone_and_times_with_a_zone_win(tmp_path: Path) -> None:
    utc = write(tmp_path / "u.parquet", {"time": pa.array([START]), "element": ["r1"], "power_w": [5.0]})
    ingest(small_site(), utc, tmp_path / "s", clock=lambda: NOW, zone="Asia/Tokyo")
    assert Store.open(tmp_path / "s").span() == (START, START)


@pytest.mark.parametrize(("first", "reason", "refused"), [
    (dt.datetime(2026, 3, 28, 22, tzinfo=dt.UTC), "", 0),
    (dt.datetime(2026, 10, 24, 22, tzinfo=dt.UTC), "time not unique in its zone", 8),
])  # fmt: skip
def test_a_day_of_a_jump_is_stored_but_for_the_hour_that_comes_twice(tmp_path: Path, first: dt.datetime, reason: str, refused: int) -> None:
    file = local_file(tmp_path / "a.parquet", first, 96, "Europe/Stockholm")
    report = ingest(small_site(), file, tmp_path / "s", clock=lambda: NOW, zone="Europe/Stockholm")
    assert report.reasons == ({reason: refused} if refused else {})
    at = Store.open(tmp_path / "s").read(columns=["time", "value"]).sort_by("time")
    assert at["time"].to_pylist() == [first + dt.timedelta(minutes=15 * (v - 100)) for v in at["value"].to_pylist()]
    assert report.rows_stored == 96 - refused


def test_a_wall_time_that_never_was_goes_to_quarantine(tmp_path: Path) -> None:
    """A meter that does not know of daylight saving, read as if it did."""
    at = [dt.datetime(2026, 3, 29, 1, 45) + dt.timedelta(minutes=15 * k) for k in range(6)]
    file = write(tmp_path / "a.parquet", {"time": pa.array(at, pa.timestamp("us")), "element": ["r1"] * 6, "power_w": [5.0] * 6})
    report = ingest(small_site(), file, tmp_path / "s", clock=lambda: NOW, zone="Europe/Stockholm")
    assert report.reasons == {"time that its zone skips": 4} and report.rows_stored == 2


@pytest.mark.parametrize("ahead_s", [60.0, 7200.0])
def test_a_clock_that_is_ahead_is_said_and_its_readings_are_stored(tmp_path: Path, ahead_s: float) -> None:
    us = START_US + np.arange(200) * 60_000_000
    at = pa.array(us).view(pa.timestamp("us", "UTC"))
    file = write(tmp_path / "a.parquet", {"time": at, "element": ["r1"] * 200, "power_w": [5.0] * 200})
    now = START + dt.timedelta(seconds=199 * 60.0 - ahead_s)
    report = ingest(small_site(), file, tmp_path / "s", clock=lambda: now)
    assert report.rows_stored == 200
    messages = [f.message for f in report.findings]
    if ahead_s == 60.0:
        assert messages == []
    else:
        assert messages == ["118 readings are ahead of the clock here, by up to 7200 s; they are stored as they are"]


def test_a_day_and_more_ahead_is_refused_and_said(tmp_path: Path) -> None:
    us = START_US + np.arange(4) * 86_400_000_000
    at = pa.array(us).view(pa.timestamp("us", "UTC"))
    file = write(tmp_path / "a.parquet", {"time": at, "element": ["r1"] * 4, "power_w": [5.0] * 4})
    report = ingest(small_site(), file, tmp_path / "s", clock=lambda: START + dt.timedelta(hours=1))
    assert report.reasons == {"time in the future": 2} and report.rows_stored == 2
    assert any("2 readings lie more than a day in the future" in f.message for f in report.findings)
