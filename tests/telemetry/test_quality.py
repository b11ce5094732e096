"""Faults planted in made-up readings are found with the right reason and begin, and nothing else is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from telemetry.ingest import ingest
from telemetry.quality.doubt import Doubt, joined, rolled_up, runs, utc
from telemetry.quality.judge import Quality, judge
from telemetry.quality.scan import chunks, look
from telemetry.store import Store
from tests.telemetry.small import START, small_site, write
from topology.site import Site

DAY = 1440
RACKS = 6
NOW = START + dt.timedelta(days=30)


def plain(days: int = 1, seed: int = 0) -> np.ndarray:
    """(T, R) power of a row of racks: one job that stops for half an hour, noise of each rack's own, meters of class 0.5."""
    rng = np.random.default_rng(seed)
    t = np.arange(days * DAY)
    job = np.where((t % DAY > 800) & (t % DAY < 830), 0.3, 0.75)
    wander = np.cumsum(rng.normal(0.0, 0.002, (t.size, RACKS)), axis=0)
    wander -= np.linspace(0.0, 1.0, t.size)[:, None] * wander[-1]
    plate = np.where(np.arange(RACKS) % 2, 20e3, 10e3)
    return plate * (job[:, None] + wander) * (1.0 + rng.normal(0.0, 0.005, wander.shape))


def quality(folder: Path, values: np.ndarray, quantity: str = "power_w", level: str = "rack", step_s: float = 60.0) -> Quality:
    """Readings of r1, r2, ... (NaN is none) through files and store."""
    site = small_site(RACKS)
    _stored(site, folder, values, quantity, level, step_s)
    store = Store.open(folder / "s")
    end = START + dt.timedelta(seconds=step_s * len(values))
    return judge([look(site, store, c) for c in chunks(START, end, step_s)])


def _stored(site: Site, folder: Path, values: np.ndarray, quantity: str, level: str, step_s: float) -> None:
    t, e = np.nonzero(np.isfinite(values))
    at = pa.array(int(START.timestamp() * 1e6) + (t * step_s * 1e6).astype(np.int64)).view(pa.timestamp("us", "UTC"))
    columns = {"time": at, "element": [f"r{k + 1}" for k in e], "level": [level] * t.size, "quantity": [quantity] * t.size,
               "value": values[t, e]}  # fmt: skip
    report = ingest(site, write(folder / "f.parquet", columns), folder / "s", clock=lambda: NOW)
    assert report.rows_quarantined == 0 and report.rows_stored == t.size


def told(found: Quality) -> list[tuple[str, str]]:
    return [(d.element, d.detector) for d in found.doubts]


def minute(n: int) -> dt.datetime:
    return START + dt.timedelta(minutes=n)


def test_an_ordinary_day_raises_no_doubt(tmp_path: Path) -> None:
    values = plain(2)
    values[np.random.default_rng(1).random(values.shape) < 0.002] = np.nan  # readings get lost now and then
    found = quality(tmp_path, values)
    assert told(found) == []
    assert all(0.99 < v.score <= 1.0 for v in found.verdicts) and len(found.verdicts) == RACKS


def test_gaps_inside_at_the_end_and_over_midnight(tmp_path: Path) -> None:
    values = plain(2)
    values[100:150, 0] = np.nan
    values[DAY - 30 : DAY + 30, 1] = np.nan
    values[2 * DAY - 600 :, 2] = np.nan
    found = quality(tmp_path, values)
    assert [(d.element, d.since, d.until, d.samples) for d in found.doubts] == [
        ("r1", minute(100), minute(150), 50), ("r2", minute(DAY - 30), minute(DAY + 30), 60),
        ("r3", minute(2 * DAY - 600), minute(2 * DAY), 600),
    ]  # fmt: skip
    assert found.verdicts[0].sensor.element == "r3" and found.verdicts[0].score == pytest.approx(1.0 - 600 / (2 * DAY), abs=1e-3)
    assert "50 min instead of one every 60 s" in found.doubts[0].reason
    at = found.rows.index(("rack", "power_w"))
    assert found.coverage[at, 2] == pytest.approx(1.0 - 30 / 60 / RACKS, abs=0.02) and found.coverage[at, 10] == 1.0


def test_a_rack_that_comes_later_has_no_gap_before(tmp_path: Path) -> None:
    values = plain()
    values[:700, 4] = np.nan
    assert told(quality(tmp_path, values)) == []


def test_a_stuck_meter_is_found_and_a_steady_zero_or_a_coarse_one_is_not(tmp_path: Path) -> None:
    values = plain(2)
    values[300:1700, 0] = values[300, 0]
    values[:, 1] = 0.0
    values[:, 3] = np.round(values[:, 3], -3)  # reads whole kW
    found = quality(tmp_path, values)
    assert told(found) == [("r1", "stuck")]
    stuck = found.doubts[0]
    assert stuck.since == minute(300) and stuck.until == minute(1700) and "throughout" in stuck.reason
    assert found.verdicts[0].score == pytest.approx(1.0 - 1400 / (2 * DAY), abs=1e-3)


def test_spikes_are_found_and_load_steps_and_shared_dips_are_not(tmp_path: Path) -> None:
    values = plain()
    values[400, 2] *= 1.35
    values[1000:1002, 3] *= 0.4
    values[600, :] *= 0.3  # all racks at once: the plant
    values[1200:, 5] *= 0.8
    found = quality(tmp_path, values)
    assert sorted((d.element, d.detector, d.since) for d in found.doubts) == [("r3", "spike", minute(400)), ("r4", "spike", minute(1000))]
    assert found.doubts[1].samples == 2


def test_readings_beyond_nameplate_and_below_idle_are_told(tmp_path: Path) -> None:
    values = plain()
    values[:, 0] *= 1.6  # 12 kW of 10
    values[:, 1] *= 0.02
    found = quality(tmp_path, values)
    assert told(found) == [("r1", "outside"), ("r2", "outside")]
    assert "above 11,000 W" in found.doubts[0].reason and "below" in found.doubts[1].reason


def test_a_copied_series_is_told(tmp_path: Path) -> None:
    values = plain()
    values[:, 4] = values[:, 2]
    assert told(quality(tmp_path, values)) == [("r5", "copied")]


def test_a_counter_may_start_again_and_run_over_but_not_run_back(tmp_path: Path) -> None:
    energy = 60.0 * np.cumsum(plain(), axis=0) + 1e9
    energy[700:, 0] -= energy[699, 0]  # restart
    wrap = 2.0**32
    energy[:, 1] = (energy[:, 1] + wrap - energy[500, 1]) % wrap
    energy[900:, 2] -= 5e6
    found = quality(tmp_path, energy, "energy_j")
    assert told(found) == [("r3", "counter")]
    assert found.doubts[0].since == minute(900) and "backwards 1 time" in found.doubts[0].reason


def test_ragged_reporting_is_told_and_is_not_a_gap(tmp_path: Path) -> None:
    values = plain(1)
    rng = np.random.default_rng(5)
    keep = np.zeros(DAY, bool)
    keep[np.cumsum(rng.choice([1, 2, 3, 5, 8], 400))[:350].clip(0, DAY - 1)] = True
    values[~keep, 1] = np.nan
    found = [d for d in quality(tmp_path, values).doubts if d.element == "r2"]
    assert "ragged" in [d.detector for d in found]
    assert all(d.detector != "gap" or d.until == minute(DAY) for d in found)


def doubt(part: str, since: int, until: int, reason: str = "x") -> Doubt:
    return Doubt("e", part, "temp_c", "device", "stuck", 1.0, reason, utc(since * 1_000_000), utc(until * 1_000_000), until - since)


def test_touching_stretches_become_one_and_overlaps_count_once() -> None:
    one, other, apart = doubt("a", 0, 100), doubt("a", 50, 200), doubt("a", 300, 400)
    found = joined([apart, other, one])
    assert [(d.since, d.until, d.samples) for d in found] == [(utc(0), utc(200_000_000), 200), (apart.since, apart.until, 100)]


def test_most_parts_alike_are_one_doubt_of_the_element() -> None:
    alike = [doubt(str(k), 10, 100 + k) for k in range(4)]
    lone = doubt("9", 500, 600)
    found = rolled_up([*alike, lone], {("e", "temp_c", "device"): 6}, 10.0)
    assert [(d.part, d.samples) for d in found] == [("", sum(d.samples for d in alike)), ("9", 100)]
    assert found[0].reason.startswith("4 of 6 parts alike")


def test_runs() -> None:
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.zeros(3, bool)) == []


def stored(folder: Path, rows: list[tuple[np.ndarray, str, str, str, np.ndarray]], step_s: float = 60.0, days: int = 1) -> Quality:
    """A store with series of (steps, element, part, quantity and level, values), judged."""
    site = small_site(RACKS)
    columns: dict[str, list[object]] = {k: [] for k in ("at", "element", "part", "quantity", "level", "value")}
    for steps, element, part, what, values in rows:
        quantity, _, level = what.partition("@")
        columns["at"] += [int(START.timestamp() * 1e6) + int(t * step_s * 1e6) for t in steps]
        for name, value in (("element", element), ("part", part), ("quantity", quantity), ("level", level)):
            columns[name] += [value] * len(steps)
        columns["value"] += list(values)
    at = pa.array(columns.pop("at")).view(pa.timestamp("us", "UTC"))
    report = ingest(site, write(folder / "rows.parquet", {"time": at, **columns}), folder / "s", clock=lambda: NOW)
    assert report.rows_quarantined == 0
    store, end = Store.open(folder / "s"), START + dt.timedelta(days=days)
    return judge([look(site, store, c) for c in chunks(START, end, step_s)])


def load(seed: int, n: int = DAY) -> np.ndarray:
    """Minute by minute load of a rack over its usual one."""
    rng = np.random.default_rng(seed)
    wander = np.zeros(n)
    for t in range(1, n):
        wander[t] = 0.94 * wander[t - 1] + rng.normal(0.0, 0.008)
    return 1.0 + wander


@pytest.mark.parametrize(("late", "told_min"), [(7, "7 min ahead"), (-4, "4 min behind")])
def test_a_host_whose_clock_is_off_is_found_to_the_step(tmp_path: Path, late: int, told_min: str) -> None:
    rng, every, hosts = np.random.default_rng(7), np.arange(0, DAY, 10), np.arange(20, DAY - 20, 10)
    rows = []
    for k in range(RACKS):
        x = load(k)
        rows.append((np.arange(DAY), f"r{k + 1}", "", "power_w@rack", 7e3 * x * (1.0 + rng.normal(0.0, 0.005, DAY))))
        at = hosts if k == 2 else every
        seen = x[at - late] if k == 2 else x[at]
        for d in range(4):
            rows.append((at, f"r{k + 1}", f"gpu{d}", "power_w@device", 800.0 * seen * (1.0 + rng.normal(0.0, 0.01, at.size))))
    found = stored(tmp_path, rows)
    assert [(d.element, d.detector) for d in found.doubts] == [("r3", "clock")]
    assert told_min in found.doubts[0].reason and (found.doubts[0].since - START).total_seconds() <= 4 * 3600


def test_a_source_that_freezes_as_a_whole_is_told_once_while_the_rack_is_at_work(tmp_path: Path) -> None:
    rng, every = np.random.default_rng(8), np.arange(0, DAY, 5)
    rows = []
    for k in range(RACKS):
        x = load(10 + k)
        x[900:] = x[900:] if k != 4 else 1.0  # r5 stands still because it does nothing
        rows.append((np.arange(DAY), f"r{k + 1}", "", "power_w@rack", 7e3 * x * (1.0 + rng.normal(0.0, 0.002, DAY))))
        for d in range(4):
            warm = np.round(40.0 + 30.0 * (x[every] - 0.5) + rng.normal(0.0, 0.3, every.size), 1)
            if k in (1, 4):
                warm[every >= 600] = warm[every >= 600][0]
            rows.append((every, f"r{k + 1}", f"gpu{d}", "temp_c@device", warm))
    rows[[r[1] for r in rows].index("r5")][4][600:] = 4200.0
    found = [d for d in stored(tmp_path, rows).doubts if d.quantity == "temp_c"]
    assert [(d.element, d.detector, d.part, d.since) for d in found] == [("r2", "stuck", "", minute(600))]
    assert found[0].reason.startswith("4 of 4 parts alike")


def test_a_spike_of_all_supplies_counts_where_the_output_does_not_show_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    rows = []
    for k in range(2):
        x = load(20 + k)
        x[1000] *= 0.5  # the rack itself
        shown = x.copy()
        shown[400] *= 1.6 if k == 0 else 1.0  # what its input meters read
        for s in range(4):
            noise = 1.0 + rng.normal(0.0, 0.005, DAY)
            rows.append((np.arange(DAY), f"r{k + 1}", f"supply-{s}", "power_w@rack", 1.5e3 * shown * noise))
            rows.append((np.arange(DAY), f"r{k + 1}", f"supply-{s}", "output_power_w@rack", 1.4e3 * x * noise))
    found = stored(tmp_path, rows)
    assert [(d.element, d.detector, d.quantity, d.since) for d in found.doubts] == [("r1", "spike", "power_w", minute(400))]


def test_another_interval_from_midnight_on_is_no_gap(tmp_path: Path) -> None:
    x = load(3, 2 * DAY)
    slow, fast = np.arange(0, DAY, 15), np.arange(DAY, 2 * DAY)
    slow = np.delete(slow, -1)
    found = stored(tmp_path, [(np.r_[slow, fast], "r1", "", "power_w@rack", 7e3 * x[np.r_[slow, fast]])], days=2)
    assert told(found) == []


def test_a_dip_that_input_and_output_of_a_feed_show_is_the_load(tmp_path: Path) -> None:
    rng, rows = np.random.default_rng(11), []
    for k, feed in enumerate(("pdu-a", "pdu-b")):
        x = load(40 + k)
        x[600] *= 0.6 if k == 0 else 1.0
        for quantity, size in (("power_w@pdu", 1.02), ("output_power_w@pdu", 1.0)):
            seen = 5e4 * size * x * (1.0 + rng.normal(0.0, 0.003, DAY))
            seen[900] *= 0.6 if (k, size) == (1, 1.0) else 1.0  # one meter alone
            rows.append((np.arange(DAY), feed, "", quantity, seen))
    found = stored(tmp_path, rows)
    assert [(d.element, d.detector, d.quantity, d.since) for d in found.doubts] == [("pdu-b", "spike", "output_power_w", minute(900))]
