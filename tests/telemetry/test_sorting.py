"""Sorting a day changes where readings stand, never which there are."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telemetry import sorting
from telemetry.ingest import ingest
from telemetry.rowgroups import row_groups
from telemetry.source import digest_of
from telemetry.store import Store
from tests.telemetry.small import NOW, START, small_site, times, write
from topology.errors import StoreError

ROWS = 50_000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One day of four racks in two files, out of order in time, with two quantities."""
    site = small_site()
    order = np.random.default_rng(1).permutation(ROWS)
    for k, half in enumerate((order[::2], order[1::2])):
        at = (START.timestamp() + half * 1.5) * 1e6
        columns = {
            "time": pa.array(at.astype(np.int64)).view(pa.timestamp("us", "UTC")),
            "element": [f"r{i % 4 + 1}" for i in half],
            "power_w": 100.0 + half,
            "inlet_temp_c": 20.0 + half / ROWS,
        }
        write(tmp_path / f"{k}.parquet", columns)
    assert ingest(site, [tmp_path / "0.parquet", tmp_path / "1.parquet"], tmp_path / "s", clock=lambda: NOW).rows_stored == 2 * ROWS
    return Store.open(tmp_path / "s")


def told(store: Store) -> list[dict[str, object]]:
    rows = store.read(columns=["time", "element", "quantity", "value", "source", "level"]).to_pandas()
    rows = rows.astype({c: str for c in ("element", "quantity", "source", "level")}).sort_values(["quantity", "time", "element"])
    found: list[dict[str, object]] = rows.to_dict("records")
    return found


def day_of(store: Store) -> tuple[dt.date, list[str]]:
    return START.date(), [f.removeprefix("file://") for f in store.table("readings").file_uris()]


@pytest.mark.parametrize("at_a_time", [1 << 22, 7_000])
def test_a_day_is_one_file_in_order_with_the_same_readings(store: Store, monkeypatch: pytest.MonkeyPatch, at_a_time: int) -> None:
    monkeypatch.setattr(sorting, "ROWS", at_a_time)
    monkeypatch.setattr(sorting, "GROUP", 2_000)
    before = told(store)
    store.compact()
    (path,) = day_of(store)[1]
    data = pq.ParquetFile(path)
    assert data.metadata.num_rows == 2 * ROWS
    quantity, time = (data.read()[c].to_numpy(zero_copy_only=False) for c in ("quantity", "time"))
    lengths = -(-2 * ROWS // at_a_time)
    pieces = -(-lengths * int(ROWS * 1.5) // 86_400)  # readings begin at midnight and end before the next
    assert (quantity[1:] != quantity[:-1]).sum() == 2 * pieces - 1  # both quantities in each piece, one after the other
    assert (np.diff(time.astype(np.int64))[quantity[1:] == quantity[:-1]] >= 0).all()
    assert told(store) == before
    version = store.table("readings").version()
    store.compact()
    assert store.table("readings").version() == version


def test_a_file_that_is_forgotten_meanwhile_stays_forgotten(store: Store, tmp_path: Path) -> None:
    seen = store.table("readings")
    store.forget(digest_of(tmp_path / "0.parquet"))
    left = told(store)
    assert len(left) == ROWS
    assert not sorting.sort_day(seen, store.url("readings"), {}, START.date())
    assert told(store) == left and not [p for p in store.present("readings") if "sorted" in p]


def test_a_file_that_comes_meanwhile_is_kept_beside_the_sorted_one(store: Store, tmp_path: Path) -> None:
    seen = store.table("readings")
    late = write(tmp_path / "late.parquet", {"time": times(3), "element": ["r3"] * 3, "flow_m3_s": [0.1] * 3})
    assert ingest(small_site(), late, store, clock=lambda: NOW).rows_stored == 3
    assert sorting.sort_day(seen, store.url("readings"), {}, START.date())
    assert store.rows() == 2 * ROWS + 3 == len(told(store)) and len(day_of(store)[1]) == 2
    store.compact()
    assert store.rows() == 2 * ROWS + 3 == len(told(store)) and len(day_of(store)[1]) == 1


def test_a_log_that_counts_more_than_there_is_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = told(store)
    monkeypatch.setattr(sorting, "row_groups", lambda *args: list(row_groups(*args))[:-1])  # as if a file had lost its last row group
    with pytest.raises(StoreError, match="100,000 readings of 2026-10-01"):
        store.compact()
    monkeypatch.undo()
    assert told(store) == before and not [p for p in store.present("readings") if "sorted" in p]


def test_a_kill_while_sorting_leaves_the_day_as_it_was(store: Store) -> None:
    code = """
import datetime as dt, os, sys
from telemetry import sorting
from telemetry.store import Store
sorting._swapped = lambda *rest: os.kill(os.getpid(), 9)
Store.open(sys.argv[1]).compact()
"""
    before = told(store)
    assert subprocess.run([sys.executable, "-c", code, store.where], check=False).returncode == -9
    assert told(store) == before and len([p for p in store.present("readings") if "sorted" in p]) == 1
    store.vacuum(retention_h=0)
    assert not [p for p in store.present("readings") if "sorted" in p] and told(store) == before


def test_an_hour_is_read_from_few_row_groups(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "GROUP", 2_000)
    store.compact()
    decoded: list[int] = []
    real = pq.ParquetFile.read_row_group

    def spy(file: pq.ParquetFile, number: int, **rest: object) -> pa.Table:
        decoded.append(number)
        return real(file, number, **rest)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", spy)
    hour = store.read(["r2"], ["power_w"], START + dt.timedelta(hours=5), START + dt.timedelta(hours=6))
    assert hour.num_rows == 600 and len(decoded) <= 3  # 2,400 readings of all racks, of 100,000
