from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from telemetry.frames import RackPower, frames, rack_power, span
from telemetry.ingest import ingest
from telemetry.replay import replay
from telemetry.store import Store
from tests.telemetry.small import NOW, START, small_site, times, write
from topology.errors import TelemetryError, UsageError
from topology.kinds import Meter
from topology.site import Site

HOUR = dt.timedelta(hours=1)


def stored(site: Site, folder: Path, rows: list[tuple[float, str, str, str, float]], quantity: str = "power_w") -> Store:
    """A store with rows of (second, element, level, part, value)."""
    at = pa.array([int(START.timestamp() * 1e6) + round(r[0] * 1e6) for r in rows]).view(pa.timestamp("us", "UTC"))
    columns = {"time": at, "element": [r[1] for r in rows], "level": [r[2] for r in rows], "part": [r[3] for r in rows],
               "quantity": [quantity] * len(rows), "value": [r[4] for r in rows]}  # fmt: skip
    assert ingest(site, write(folder / f"{quantity}.parquet", columns), folder / "s", clock=lambda: NOW).rows_quarantined == 0
    return Store.open(folder / "s")


def test_a_step_holds_the_mean_of_its_readings_and_a_gap_is_nan(site: Site, tmp_path: Path) -> None:
    store = stored(
        site,
        tmp_path,
        [(0, "r1", "rack", "", 10.0), (59.9, "r1", "rack", "", 20.0), (60, "r1", "rack", "", 5.0), (200, "r2", "rack", "", 7.0)],
    )
    found = frames(store, ("r2", "r1", "r3"), "power_w", START, START + dt.timedelta(seconds=240), 60.0)
    assert found.time.tolist() == [(START + dt.timedelta(minutes=i)).replace(tzinfo=None) for i in range(4)]
    nan = np.nan
    np.testing.assert_array_equal(found.values, [[nan, 15, nan], [nan, 5, nan], [nan, nan, nan], [7, nan, nan]])
    assert found.count.tolist() == [[0, 2, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]]
    assert found.level == ("rack", "rack", "") and found.missing == ("r3",)


def test_frames_equal_a_plain_loop_over_the_rows(site: Site, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    n = 4000
    second, rack = random.permutation(np.arange(n)) * 43.2, random.integers(1, 4, n)
    number, value = random.integers(0, 3, n), random.uniform(0, 900, n)
    rows = [(float(second[i]), f"r{rack[i]}", "device", f"n{number[i]}", float(value[i])) for i in range(n)]
    store = stored(site, tmp_path, rows)
    found = frames(store, ("r1", "r2", "r3"), "power_w", START, START + 48 * HOUR, 7200.0)
    expected = np.zeros((24, 3))
    for step in range(24):
        for e in range(3):
            for part in range(3):
                inside = [r[4] for r in rows if r[1] == f"r{e + 1}" and r[3] == f"n{part}" and int(r[0] // 7200) == step]
                expected[step, e] += np.mean(inside)
    np.testing.assert_allclose(found.values, expected, rtol=1e-12)
    assert found.count.sum() == n and found.parts[0] == ("n0", "n1", "n2")
    largest = frames(store, ("r1",), "power_w", START, START + 48 * HOUR, 7200.0, part="max").values
    mean = frames(store, ("r1",), "power_w", START, START + 48 * HOUR, 7200.0, part="mean").values
    np.testing.assert_allclose(mean, expected[:, :1] / 3, rtol=1e-12)
    assert (largest > mean).all()


def test_a_sum_without_one_of_its_parts_is_a_gap_and_not_a_smaller_sum(site: Site, tmp_path: Path) -> None:
    rows = [(60.0 * m, "r1", "device", f"gpu{g}", 100.0) for m in range(4) for g in range(2) if (m, g) != (2, 1)]
    store = stored(site, tmp_path, rows)
    found = frames(store, ("r1",), "power_w", START, START + dt.timedelta(minutes=4), 60.0)
    np.testing.assert_array_equal(found.values[:, 0], [200, 200, np.nan, 200])
    loose = frames(store, ("r1",), "power_w", START, START + dt.timedelta(minutes=4), 60.0, part="mean")
    np.testing.assert_array_equal(loose.values[:, 0], [100, 100, 100, 100])


def test_no_watt_is_counted_at_two_levels(site: Site, tmp_path: Path) -> None:
    rows: list[tuple[float, str, str, str, float]] = []
    for m in range(10):
        rows += [(60.0 * m, "r1", "rack", "", 1000.0), (60.0 * m, "r1", "rack", "supply-1", 400.0), (60.0 * m, "r1", "device", "g", 300.0)]
        rows += [(60.0 * m, "r2", "pdu", "A", 510.0), (60.0 * m, "r2", "pdu", "B", 490.0), (60.0 * m, "r2", "node", "n1", 900.0)]
        rows += [(60.0 * m, "r3", "node", "n1", 450.0), (60.0 * m, "r3", "node", "n2", 450.0), (60.0 * m, "r3", "device", "g", 300.0)]
        rows += [(60.0 * m, "r4", "device", "g", 300.0)]
    rows += [(0.0, "r4", "rack", "", 5000.0)]  # a rack meter that spoke once covers too little
    store = stored(site, tmp_path, rows)
    found = frames(store, tuple(site.racks), "power_w", START, START + dt.timedelta(minutes=10), 60.0)
    assert found.level == ("rack", "pdu", "node", "device")
    assert found.values[5].tolist() == [1000.0, 1000.0, 900.0, 300.0]
    device = frames(store, ("r1", "r2"), "power_w", START, START + dt.timedelta(minutes=10), 60.0, level="device")
    assert device.level == ("device", "") and device.values[0, 0] == 300.0


def test_long_windows_are_cut_into_stretches_without_a_seam(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(30.0 * i, f"r{i % 2 + 1}", "device", f"g{i % 6}", float(i % 97)) for i in range(12_000)]
    store = stored(site, tmp_path, rows)
    whole = frames(store, ("r1", "r2"), "power_w", START, START + 101 * HOUR, 300.0)
    monkeypatch.setattr("telemetry.bins._CELLS", 500)
    cut = frames(store, ("r1", "r2"), "power_w", START, START + 101 * HOUR, 300.0)
    np.testing.assert_array_equal(whole.values, cut.values)
    np.testing.assert_array_equal(whole.count, cut.count)
    assert whole.parts == cut.parts and np.isfinite(whole.values).any()


def test_open_windows_and_wrong_arguments(site: Site, tmp_path: Path) -> None:
    with pytest.raises(TelemetryError, match="holds no readings"):
        span(Store.create(tmp_path / "s"))
    store = stored(site, tmp_path, [(0, "r1", "rack", "", 1.0), (120, "r1", "rack", "", 3.0)])
    assert span(store) == (START, START + dt.timedelta(minutes=2))
    assert frames(store, ("r1",), "power_w", None, None, 60.0).values[:, 0].tolist()[::2] == [1.0, 3.0]
    for wrong in (
        {"quantity": "powr_w"}, {"step_s": 0.0}, {"end": START}, {"part": "median"}, {"level": "rak"},
        {"start": START.replace(tzinfo=None)},
    ):  # fmt: skip
        arguments = {"quantity": "power_w", "start": START, "end": START + HOUR, "step_s": 60.0, **wrong}
        with pytest.raises(UsageError):
            frames(store, ("r1",), **arguments)  # type: ignore[arg-type]


def test_rack_power_by_own_meters_by_cords_and_by_shared_meters(tmp_path: Path) -> None:
    site = small_site(6, (Meter(id="m", covers=("row",)),))
    rows: list[tuple[float, str, str, str, float]] = []
    for m in range(3):
        rows += [(60.0 * m, "r1", "rack", "", 1000.0), (60.0 * m, "r2", "pdu", "A", 900.0), (60.0 * m, "r2", "pdu", "B", 1100.0)]
        rows += [(60.0 * m, "m", "rack", "", 10_000.0)]
    store = stored(site, tmp_path, rows)
    stored(site, tmp_path, [(60.0 * m, "site", "utility", "", 12.5 + m) for m in range(3)], "wet_bulb_c")
    power = rack_power(site, store, START, START + dt.timedelta(minutes=4), 60.0)
    assert power.racks == tuple(site.racks)
    # 7,000 W are left for r3 and r5 (10 kW each) and r4 and r6 (20 kW each)
    np.testing.assert_allclose(power.power_w[1], [1000, 2000, 7000 / 6, 7000 / 3, 7000 / 6, 7000 / 3])
    assert np.isnan(power.power_w[3]).all() and not power.known[3].any() and power.known[:3].all()
    assert power.basis == ("rack", "pdu", "meter:m", "meter:m", "meter:m", "meter:m") and power.unmetered == ()
    np.testing.assert_array_equal(power.wet_bulb_c, [12.5, 13.5, 14.5, np.nan])
    with pytest.raises(ValueError, match="read-only"):
        power.power_w[0, 0] = 1.0


def test_a_rack_with_one_cord_metered_is_not_measured(site: Site, tmp_path: Path) -> None:
    store = stored(site, tmp_path, [(0, "r1", "pdu", "A", 900.0), (0, "r2", "rack", "", 1.0)])
    power = rack_power(site, store, START, START + dt.timedelta(minutes=1), 60.0)
    assert power.unmetered == ("r1", "r3", "r4") and np.isnan(power.power_w[0, 0])
    assert "only cord A of rack r1" in power.findings[0].message


def test_a_meter_that_reads_less_than_the_racks_behind_it_is_a_finding(tmp_path: Path) -> None:
    site = small_site(2, (Meter(id="m", covers=("row",)), Meter(id="quiet", covers=("r1",))))
    store = stored(
        site,
        tmp_path,
        [(0, "r1", "rack", "", 500.0), (0, "m", "rack", "", 400.0), (60, "r1", "rack", "", 300.0), (60, "m", "rack", "", 400.0)],
    )
    power = rack_power(site, store, START, START + dt.timedelta(minutes=2), 60.0)
    np.testing.assert_array_equal(power.power_w, [[500, np.nan], [300, 100]])
    assert [f.element for f in power.findings] == ["m", "quiet"]


def test_planned_racks_take_no_share_of_a_meter(tmp_path: Path) -> None:
    import dataclasses

    site = small_site(3, (Meter(id="m", covers=("row",)),))
    site = site.with_racks([dataclasses.replace(site.racks["r3"], state="planned")])
    store = stored(site, tmp_path, [(0, "m", "rack", "", 300.0)])
    power = rack_power(site, store, START, START + dt.timedelta(minutes=1), 60.0)
    np.testing.assert_allclose(power.power_w[0], [100, 200, np.nan])
    assert power.unmetered == ("r3",)


def test_energy_counters_stand_in_where_no_power_was_recorded(site: Site, tmp_path: Path) -> None:
    rows = [(60.0 * m, "r1", "device", f"g{g}", 6000.0 * m * (g + 1)) for m in range(6) for g in range(2)]
    rows += [(60.0 * m, "r2", "rack", "", v) for m, v in enumerate([0.0, 600.0, 1800.0, 50.0, 1250.0, 2450.0])]  # restarts once
    store = stored(site, tmp_path, rows, "energy_j")
    stored(site, tmp_path, [(60.0 * m, "r3", "rack", "", 7.0) for m in range(6)])
    power = rack_power(site, store, START, START + dt.timedelta(minutes=6), 60.0)
    nan = np.nan
    np.testing.assert_allclose(power.power_w[:, 0], [300, 300, 300, 300, 300, nan])
    np.testing.assert_allclose(power.power_w[:, 1], [10, 20, nan, 20, 20, nan])
    assert power.basis == ("device", "rack", "rack", "") and power.unmetered == ("r4",)
    assert "2 racks (r1, r2) is the difference of their energy counters" in power.findings[0].message


def joined(chunks: list[RackPower]) -> np.ndarray:
    return np.concatenate([c.power_w for c in chunks])


def test_replay_gives_the_window_in_chunks_on_one_choice_of_meters(site: Site, tmp_path: Path) -> None:
    rows = [(60.0 * m, "r1", "rack", "", float(m)) for m in range(100) if m < 30 or m > 60]
    rows += [(60.0 * m, "r1", "device", "g", 5.0) for m in range(100)]
    store = stored(site, tmp_path, rows)
    end = START + dt.timedelta(minutes=100)
    chunks = list(replay(site, store, START, end, 60.0, 30))
    assert [len(c.time) for c in chunks] == [30, 30, 30, 10]
    whole = rack_power(site, store, START, end, 60.0)
    np.testing.assert_array_equal(joined(chunks), whole.power_w)
    assert np.isnan(chunks[1].power_w[:, 0]).all()  # the rack's meter is silent; its device is not put in its place
    late = list(replay(site, store, START, end, 60.0, 30, seek=START + dt.timedelta(minutes=75.5)))
    np.testing.assert_array_equal(joined(late), whole.power_w[75:])
    with pytest.raises(UsageError, match="outside the window"):
        next(replay(site, store, START, end, 60.0, 30, seek=end))


def test_replay_keeps_the_pace_that_is_asked_for(site: Site, tmp_path: Path) -> None:
    store = stored(site, tmp_path, [(60.0 * m, "r1", "rack", "", 1.0) for m in range(60)])
    now = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    for _ in replay(site, store, START, START + HOUR, 60.0, 15, speed=600.0, clock=lambda: now[0], sleep=sleep):
        now[0] += 0.5  # work on the chunk
    assert slept == pytest.approx([1.0, 1.0, 1.0])


def test_frontier_day_as_frames(recordings: Path, tmp_path: Path) -> None:
    file = recordings / "frontier-cdu-day.parquet"
    if not file.is_file():
        pytest.skip("no measured data: frontier-cdu-day.parquet is absent")
    site = small_site(3, tuple(Meter(id=f"group-{i:02d}", covers=("row",) if i == 3 else ()) for i in range(1, 26)))
    ingest(site, file, tmp_path / "s", clock=lambda: NOW)
    store = Store.open(tmp_path / "s")
    groups = frames(store, tuple(site.meters), "power_w", None, None, 15.0)
    assert groups.values.shape == (5761, 25) and np.isfinite(groups.values).all()
    assert groups.values[:, 2].mean() == pytest.approx(640029.367, abs=0.01)
    power = rack_power(site, store, None, None, 15.0)
    np.testing.assert_allclose(power.power_w.sum(axis=1), groups.values[:, 2], rtol=1e-12)
    assert power.wet_bulb_c[0] == pytest.approx(4.8333333)


def test_times_of_day_are_utc(site: Site, tmp_path: Path) -> None:
    write(tmp_path / "f.parquet", {"time": times(1), "element": ["r1"], "power_w": [1.0]})
    ingest(site, tmp_path / "f.parquet", tmp_path / "s", clock=lambda: NOW)
    zone = dt.timezone(dt.timedelta(hours=-7))
    found = frames(Store.open(tmp_path / "s"), ("r1",), "power_w", START.astimezone(zone), (START + HOUR).astimezone(zone), 3600.0)
    assert found.time[0] == np.datetime64("2026-10-01T00:00") and found.values.tolist() == [[1.0]]
