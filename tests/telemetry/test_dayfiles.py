"""Data files as a Delta table wants them, in memory that does not grow with what is written."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telemetry import dayfiles
from telemetry.dayfiles import DayFiles
from telemetry.ingest import ingest
from telemetry.readings import FACTS_CODED
from telemetry.store import Store
from tests.conftest import AskPeer
from tests.telemetry.small import NOW, START, START_US, flat, small_site, times, write

MEASURED = """
import pathlib, sys
from telemetry.ingest import ingest
from tests.conftest import AskPeer
from tests.telemetry.small import NOW, small_site

for file, store in zip(sys.argv[1::2], sys.argv[2::2]):
    report = ingest(small_site(), file, store, clock=lambda: NOW)
    peak = next(line for line in pathlib.Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(report.rows_in, report.rows_stored, int(peak.split()[1]) // 1024)
"""

KEEPS_LITTLE = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "65536",
                "MALLOC_TRIM_THRESHOLD_": "65536"}  # fmt: skip
"""Allocators give back what is free, so that the peak is what was in use."""


def readings(us: np.ndarray, element: str = "r1") -> pa.RecordBatch:
    """Accepted readings of one rack, value = number of the reading."""
    n = len(us)
    texts = {"element": element, "part": "", "quantity": "power_w", "source": "x/y#0", "implementation": "Reported", "level": "rack",
             "quality": "good"}  # fmt: skip
    columns: dict[str, pa.Array] = {c: pa.array([t] * n, pa.string()).dictionary_encode() for c, t in texts.items()}
    columns["time"] = pa.array(us).view(pa.timestamp("us", "UTC"))
    columns["value"] = pa.array(np.arange(n, dtype=float))
    columns["day"] = pa.array((us // 86_400_000_000).astype(np.int32)).view(pa.date32())
    return pa.RecordBatch.from_arrays([columns[f.name] for f in FACTS_CODED], schema=FACTS_CODED)


def test_each_day_is_a_file_and_the_log_may_say_what_it_holds(tmp_path: Path) -> None:
    files = DayFiles(str(tmp_path), {}, "x")
    us = START_US + np.array([86_400_000_001, 5, 86_399_999_999, 7], np.int64)
    files.add(readings(us))
    files.add(readings(us[:1] + 1, "r2"))
    made = sorted(files.close(), key=lambda a: a.path)
    assert [(a.path, a.partition_values, json.loads(a.stats)["numRecords"]) for a in made] == [
        ("day=2026-10-01/x-0.parquet", {"day": "2026-10-01"}, 3), ("day=2026-10-02/x-1.parquet", {"day": "2026-10-02"}, 2),
    ]  # fmt: skip
    first, second = (json.loads(a.stats) for a in made)
    assert first["minValues"] == {"time": "2026-10-01T00:00:00.000005Z", "element": "r1", "quantity": "power_w"}
    assert first["maxValues"]["time"] == "2026-10-01T23:59:59.999999Z"
    assert second["maxValues"]["element"] == "r2" and second["nullCount"] == {"time": 0, "element": 0, "quantity": 0}
    assert [a.size for a in made] == [(tmp_path / a.path).stat().st_size for a in made]
    assert pq.read_table(tmp_path / made[0].path)["value"].to_pylist() == [1.0, 2.0, 3.0]


def test_a_day_that_comes_again_gets_one_more_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dayfiles, "OPEN", 2)
    monkeypatch.setattr(dayfiles, "GROUP", 10)
    files = DayFiles(str(tmp_path), {}, "x")
    for day in (0, 1, 2, 0, 1, 2):
        files.add(readings(START_US + day * 86_400_000_000 + np.arange(10)))
    made = files.close()
    assert len(made) == 6 and sum(json.loads(a.stats)["numRecords"] for a in made) == 60


def test_little_waits_however_many_days_come_by_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dayfiles, "WAITING", 50)
    files = DayFiles(str(tmp_path), {}, "x")
    for turn in range(20):
        files.add(readings(START_US + np.arange(10) * 86_400_000_000 + turn))
        assert sum(files._rows.values()) <= 50
    assert sum(json.loads(a.stats)["numRecords"] for a in files.close()) == 200


def test_what_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    files = DayFiles(str(tmp_path), {}, "x")
    files.add(readings(START_US + np.arange(10)))
    files._flush(next(iter(files._rows)))
    files.discard()
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_file_that_is_refused_leaves_no_data_file(tmp_path: Path) -> None:
    whole = write(
        tmp_path / "a.parquet", {"time": times(5000), "element": ["r1"] * 5000, "power_w": np.full(5000, 9.0)}, row_group_size=500
    )
    cut = bytearray(whole.read_bytes())
    cut[len(cut) // 2 : len(cut) // 2 + 600] = bytes(600)
    whole.write_bytes(cut)
    with pytest.raises(Exception, match="truncated or no Parquet"):
        ingest(small_site(), whole, tmp_path / "s", clock=lambda: NOW)
    assert not list((tmp_path / "s" / "readings").rglob("*.parquet"))


def test_dictionaries_that_grow_stay_dictionaries_in_the_file(tmp_path: Path) -> None:
    """Racks come one after the other; a column whose dictionary changed in mid chunk would be written plain."""
    n = 400_000
    at = pa.array(START_US + np.arange(n) * 1000).view(pa.timestamp("us", "UTC"))
    names = np.array([f"r{k}" for k in range(1, 5)])[np.arange(n) * 4 // n]
    file = write(tmp_path / "a.parquet", {"time": at, "element": pa.array(names), "power_w": np.full(n, 9.0)})
    ingest(small_site(), file, tmp_path / "s", clock=lambda: NOW)
    made = next((tmp_path / "s" / "readings").rglob("*.parquet"))
    column = pq.ParquetFile(made).metadata.row_group(0).column(1)
    assert column.path_in_schema == "element" and "PLAIN" not in column.encodings[1:] and column.total_compressed_size < 2000


@pytest.mark.parametrize("order", ["by time", pytest.param("by rack", marks=pytest.mark.slow)])
def test_memory_of_four_times_the_readings_is_that_of_the_readings(root: Path, tmp_path: Path, order: str) -> None:
    sizes = (2_400_000, 9_600_000)  # 6 and 24 days, none of which fills a row group
    files = []
    for n in sizes:
        tick, rack = np.divmod(np.arange(n), 4) if order == "by time" else np.divmod(np.arange(n), n // 4)[::-1]
        at = pa.array(START_US + tick * 864_000).view(pa.timestamp("us", "UTC"))
        columns = {"time": at, "element": pa.DictionaryArray.from_arrays(pa.array(rack.astype(np.int8)), ["r1", "r2", "r3", "r4"]),
                   "power_w": np.random.default_rng(n).uniform(4e3, 6e3, n)}  # fmt: skip
        files.append(write(tmp_path / f"{n}.parquet", columns, row_group_size=200_000, compression="zstd"))
    asked = [str(x) for f in files for x in (f, tmp_path / f"store-{f.stem}")]
    done = subprocess.run([sys.executable, "-c", MEASURED, *asked], cwd=root, env={**os.environ, **KEEPS_LITTLE, "PYTHONPATH": str(root)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    (one, stored_one, peak_one), (four, stored_four, peak_four) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert (one, stored_one, four, stored_four) == (sizes[0], sizes[0], sizes[1], sizes[1])
    assert peak_four < peak_one + 45, "MB; 30 bytes for each reading more would be 216, 8 bytes 58"


def test_what_was_written_is_what_delta_reads(tmp_path: Path) -> None:
    us = START_US + np.arange(0, 40 * 3_600_000_000, 600_000_000)
    at = pa.array(us).view(pa.timestamp("us", "UTC"))
    ingest(small_site(), write(tmp_path / "a.parquet", {"time": at, "element": ["r1"] * len(us), "power_w": np.arange(len(us)) + 1.0}),
           tmp_path / "s", clock=lambda: NOW)  # fmt: skip
    table = Store.open(tmp_path / "s").table("readings")
    assert flat(pa.table(table.to_pyarrow_table()), "time")["value"].to_pylist() == (np.arange(len(us)) + 1.0).tolist()
    one = table.to_pyarrow_table(filters=[("time", ">=", START + dt.timedelta(hours=30))])
    assert one.num_rows == 60
    adds = pa.table(table.get_add_actions(flatten=True))
    assert adds["num_records"].to_pylist() and sum(adds["num_records"].to_pylist()) == len(us)


def test_others_read_the_data_files(tmp_path: Path, ask_peer: AskPeer) -> None:
    """DuckDB and Polars find the same readings in them, days by the names of their folders."""
    us = START_US + np.arange(0, 40 * 3_600_000_000, 600_000_000) + 1
    for element in ("r1", "r2"):
        columns = {
            "time": pa.array(us).view(pa.timestamp("us", "UTC")),
            "element": [element] * len(us),
            "power_w": np.arange(len(us)) + 1.0,
        }
        ingest(small_site(), write(tmp_path / f"{element}.parquet", columns), tmp_path / "s", clock=lambda: NOW)
    files = [str(f) for f in (tmp_path / "s" / "readings").rglob("*.parquet")]
    expected = [2 * len(us), float(len(us) * (len(us) + 1)), 2, int(us[0]), int(us[-1]), 2]
    assert ask_peer("read_parquet", files=files) == {"duckdb": expected, "polars": expected}
