"""Reading a store row group by row group gives what a scan of all its rows gives, whatever is asked for."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry.frames import frames
from telemetry.ingest import ingest
from telemetry.store import Store
from tests.telemetry.test_dayfiles import KEEPS_LITTLE
from topology.generate import generate

START = dt.datetime(2026, 11, 1, 22, tzinfo=dt.UTC)
NOW = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
STEPS, STEP_S = 2000, 7


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two files over a change of day, with parts, two quantities and an outdoor reading."""
    folder = tmp_path_factory.mktemp("rowgroups")
    site = generate("row")
    racks = list(site.racks)
    rng = np.random.default_rng(5)
    for k in range(2):
        first = np.datetime64(START.replace(tzinfo=None), "us")
        time = first + (np.arange(k * STEPS, (k + 1) * STEPS) * STEP_S * 1_000_000).astype("timedelta64[us]")
        rows = {
            "time": pa.array(np.repeat(time, len(racks)), pa.timestamp("us", tz="UTC")),
            "element": pa.array(racks * STEPS),
            "power_w": rng.uniform(1e3, 9e4, STEPS * len(racks)),
            "inlet_temp_c": rng.uniform(18.0, 30.0, STEPS * len(racks)),
        }
        pq.write_table(pa.table(rows), folder / f"f{k}.parquet")
    ingest(site, [folder / "f0.parquet", folder / "f1.parquet"], folder / "store", clock=lambda: NOW)
    return Store.open(folder / "store")


RACKS = tuple(generate("row").racks)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    racks=st.one_of(st.none(), st.lists(st.sampled_from((*RACKS, "nobody")), max_size=4, unique=True)),
    quantities=st.one_of(st.none(), st.lists(st.sampled_from(("power_w", "inlet_temp_c", "flow_m3_s")), max_size=2, unique=True)),
    start=st.one_of(st.none(), st.integers(-100, 2 * STEPS * STEP_S + 100)),
    length=st.one_of(st.none(), st.integers(0, 6000)),
)
def test_what_is_read_is_what_a_filter_of_everything_leaves(
    store: Store, racks: list[str] | None, quantities: list[str] | None, start: int | None, length: int | None
) -> None:
    first = None if start is None else START + dt.timedelta(seconds=start)
    last = None if length is None else (first or START) + dt.timedelta(seconds=length)
    found = store.read(racks, quantities, first, last)
    whole = store.table("readings").to_pyarrow_table()
    if racks is not None:
        whole = whole.filter(pc.is_in(whole["element"], pa.array(racks, pa.string())))
    if quantities is not None:
        whole = whole.filter(pc.is_in(whole["quantity"], pa.array(quantities, pa.string())))
    if first is not None:
        whole = whole.filter(pc.greater_equal(whole["time"], pa.scalar(first)))
    if last is not None:
        whole = whole.filter(pc.less(whole["time"], pa.scalar(last)))
    assert found.num_rows == whole.num_rows
    keys = ["quantity", "element", "time"]

    def plain(table: pa.Table) -> pa.Table:
        columns = {n: table[n].cast(pa.string()) if pa.types.is_dictionary(table[n].type) else table[n] for n in (*keys, "day", "value")}
        return pa.table(columns).sort_by([(k, "ascending") for k in keys])

    assert plain(found).equals(plain(whole))


def test_the_span_of_a_store_is_exact(store: Store) -> None:
    times = store.read(columns=["time"])["time"]
    assert store.span() == (pc.min(times).as_py(), pc.max(times).as_py())


def test_a_pinned_store_does_not_see_what_comes_later(store: Store, tmp_path: Path) -> None:
    site = generate("row")
    mine = Store.create(tmp_path / "s")
    before = mine.pinned()
    pq.write_table(
        pa.table({"time": pa.array([START], pa.timestamp("us", tz="UTC")), "element": [RACKS[0]], "power_w": [5.0]}), tmp_path / "a.parquet"
    )
    ingest(site, [tmp_path / "a.parquet"], mine, clock=lambda: NOW)
    assert before.read().num_rows == 0 and mine.read().num_rows == 1 and mine.pinned().read().num_rows == 1


def test_frames_are_the_same_bits_however_a_window_is_cut(store: Store) -> None:
    end = START + dt.timedelta(seconds=2 * STEPS * STEP_S)
    whole = frames(store, RACKS, "power_w", START, end, 60.0)
    cuts = [START + dt.timedelta(seconds=60 * n) for n in (0, 17, 130, 131, 300)]
    pieces = [frames(store, RACKS, "power_w", a, b, 60.0) for a, b in zip(cuts, [*cuts[1:], end], strict=True)]
    np.testing.assert_array_equal(whole.values, np.concatenate([p.values for p in pieces]))
    np.testing.assert_array_equal(whole.count, np.concatenate([p.count for p in pieces]))


_PEAK = """
import datetime as dt, sys
from benchmarks.memory import peak_gb
from telemetry.store import Store
from telemetry.replay import replay
from topology.generate import generate
site, store, days = generate("row"), Store.open(sys.argv[1]), int(sys.argv[2])
start = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
seen = sum(int(p.known.sum()) for p in replay(site, store, start, start + dt.timedelta(days=days), 5.0, 17280))
print(round(1e9 * peak_gb()), seen)
"""


def test_memory_of_a_replay_does_not_grow_with_its_window(tmp_path: Path) -> None:
    site, days = generate("row"), 24
    racks = list(site.racks)
    for day in range(days):
        at = np.datetime64("2026-10-01", "us") + (np.arange(day * 17280, (day + 1) * 17280) * 5_000_000).astype("timedelta64[us]")
        rows = {
            "time": pa.array(np.repeat(at, len(racks)), pa.timestamp("us", tz="UTC")),
            "element": pa.array(racks * at.size).dictionary_encode(),
            "power_w": np.random.default_rng(day).uniform(1e3, 9e4, at.size * len(racks)),
        }
        pq.write_table(pa.table(rows), tmp_path / f"{day}.parquet")
    ingest(site, [tmp_path / f"{day}.parquet" for day in range(days)], tmp_path / "store", clock=lambda: NOW)

    def peak(length: int) -> int:
        command = [sys.executable, "-c", _PEAK, str(tmp_path / "store"), str(length)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **KEEPS_LITTLE})
        size, seen = map(int, done.stdout.split())
        assert seen == length * 17280 * len(racks)
        return size

    grown = peak(days) - peak(days // 4)
    power_and_uncertainty = days * 3 // 4 * 17280 * len(racks) * 16  # what a window of frames would hold more
    assert grown < power_and_uncertainty // 2
