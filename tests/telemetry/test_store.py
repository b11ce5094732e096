from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.ingest import digest_of, ingest
from telemetry.store import Store
from tests.telemetry.small import NOW, START, doubtful_file, flat, rack_file, small_site, write
from topology.errors import TelemetryError


def worker(root: Path, mode: str, store: Path, *files: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.telemetry.small", mode, str(store), *map(str, files)]
    return subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_killed_in_mid_ingest_then_finished_each_row_is_there_once(root: Path, tmp_path: Path) -> None:
    files = [doubtful_file(tmp_path / f"{i}.parquet", i) for i in range(2)]
    store = tmp_path / "store"
    for lines in (8, 45):  # in the first file, in the second
        process = worker(root, "run", store, *files)
        assert process.stdout is not None
        for _ in range(lines):
            assert process.stdout.readline()
        process.kill()
        process.wait()
        process.stdout.close()
        if (store / "readings" / "_delta_log").exists():
            assert Store.open(store).rows() % 29_700 == 0
    report = ingest(small_site(), files, store, clock=lambda: NOW)
    done = Store.open(store)
    assert report.files == 2 and done.rows() == 2 * 29_700
    refused = done.quarantined()
    assert refused.num_rows == 2 * 300 == len({(r["digest"], r["row"]) for r in refused.to_pylist()})
    assert ingest(small_site(), files, store, clock=lambda: NOW).files_skipped == 2


def test_killed_between_the_two_commits_refused_rows_do_not_count_twice(root: Path, tmp_path: Path) -> None:
    file = doubtful_file(tmp_path / "a.parquet", 1, 1000)
    process = worker(root, "die-between", tmp_path / "store", digest_of(file))
    assert process.wait() == -9
    store = Store.open(tmp_path / "store")
    assert store.rows() == 0 and store.quarantined().num_rows == 0
    assert store._dataset("quarantine", ()).count_rows() == 1
    report = ingest(small_site(), file, store, clock=lambda: NOW)
    assert (report.rows_stored, store.rows(), store.quarantined().num_rows) == (990, 990, 10)


def test_two_processes_with_the_same_and_with_different_files(root: Path, tmp_path: Path) -> None:
    same = [doubtful_file(tmp_path / f"same{i}.parquet", i, 4000) for i in range(3)]
    own = [doubtful_file(tmp_path / f"own{i}.parquet", 10 + i, 2000) for i in range(2)]
    workers = [worker(root, "wait", tmp_path / "store", *same, mine) for mine in own]
    for process in workers:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in workers:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.close()
    for process in workers:
        assert process.stdout is not None
        process.stdout.read()
        assert process.wait() == 0
    store = Store.open(tmp_path / "store")
    assert store.rows() == 3 * 3960 + 2 * 1980
    assert store.quarantined().num_rows == 3 * 40 + 2 * 20
    assert {digest_of(f) for f in (*same, *own)} == set(store.quarantined()["digest"].to_pylist())


def test_a_window_is_read_and_nothing_else(tmp_path: Path) -> None:
    site = small_site()
    for element in ("r1", "r2"):
        ingest(site, rack_file(tmp_path / f"{element}.parquet", element, 2000, step_s=120.0), tmp_path / "s", clock=lambda: NOW)
    store = Store.open(tmp_path / "s")
    start = START + dt.timedelta(hours=30)
    table = store.read(["r2"], ["power_w"], start, start + dt.timedelta(minutes=10), ["time", "element", "value"])
    assert table.column_names == ["time", "element", "value"] and table.num_rows == 5
    assert set(table["element"].to_pylist()) == {"r2"} and min(table["time"].to_pylist()) == start
    assert store.read(quantities=["temp_c"]).num_rows == 0
    with pytest.raises(TelemetryError, match="no zone"):
        store.read(start=dt.datetime(2026, 10, 1))


def test_compacting_and_vacuuming_change_no_reading(tmp_path: Path) -> None:
    site = small_site()
    for i in range(6):
        ingest(site, rack_file(tmp_path / f"{i}.parquet", f"r{i % 4 + 1}", 50 + i), tmp_path / "s", clock=lambda: NOW)
    store = Store.open(tmp_path / "s")
    before = flat(store.read(), "element", "time", "source")
    store.compact()
    (tmp_path / "s" / "readings" / "orphan.parquet").write_bytes(b"left by a kill")
    assert store.vacuum(retention_h=0) >= 7
    assert not (tmp_path / "s" / "readings" / "orphan.parquet").exists()
    after = Store.open(tmp_path / "s").read()
    assert flat(after, "element", "time", "source").to_pylist() == before.to_pylist()
    assert all(store.seen(digest_of(tmp_path / f"{i}.parquet")) for i in range(6))


def test_rows_of_attempts_that_were_cut_off_are_cleared_once_old(root: Path, tmp_path: Path) -> None:
    process = worker(root, "die-between", tmp_path / "store", "d" * 64)
    assert process.wait() == -9
    store = Store.open(tmp_path / "store")  # its row says that it was written in 2001
    store.compact()
    assert store._dataset("quarantine", ()).count_rows() == 0


def test_a_folder_that_is_no_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(TelemetryError, match="there is no telemetry store"):
        Store.open(tmp_path / "nothing")
    with pytest.raises(TelemetryError, match="is not a telemetry store"):
        Store.open(tmp_path)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    with pytest.raises(TelemetryError, match=r"holds other things \(dear\.txt\)"):
        Store.create(tmp_path / "letters")
    with pytest.raises(TelemetryError, match="is a file"):
        Store.create(tmp_path / "letters" / "dear.txt")


def test_a_store_with_a_broken_log_says_how_to_go_on(tmp_path: Path) -> None:
    ingest(small_site(), rack_file(tmp_path / "a.parquet"), tmp_path / "s", clock=lambda: NOW)
    log = tmp_path / "s" / "readings" / "_delta_log" / "00000000000000000001.json"
    log.write_text('{"add": broken')
    with pytest.raises(TelemetryError, match="ingest the source files into a new store"):
        Store.open(tmp_path / "s")


def test_an_unfinished_store_is_finished(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "s")
    assert store.span() is None and store.rows() == 0
    for path in sorted((tmp_path / "s" / "quarantine").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert Store.open(tmp_path / "s").quarantined().num_rows == 0


def test_forgetting_and_storing_again(tmp_path: Path) -> None:
    file = rack_file(tmp_path / "a.parquet")
    other = rack_file(tmp_path / "b.parquet", "r2")
    ingest(small_site(), [file, other], tmp_path / "s", clock=lambda: NOW)
    store = Store.open(tmp_path / "s")
    store.forget(digest_of(file))
    assert not store.seen(digest_of(file)) and store.seen(digest_of(other)) and store.rows() == 60


def test_compacting_leaves_days_alone_that_nothing_came_to(tmp_path: Path) -> None:
    site = small_site()
    for element in ("r1", "r2"):
        ingest(site, rack_file(tmp_path / f"{element}.parquet", element, 30 * 60), tmp_path / "s", clock=lambda: NOW)
    store = Store.open(tmp_path / "s")
    store.compact()
    sorted_once = store.table("readings")
    store.compact()
    assert store.table("readings").version() == sorted_once.version()
    late = write(tmp_path / "late.parquet", {"time": [START + dt.timedelta(hours=25)], "element": ["r3"], "power_w": [5.0]})
    ingest(site, late, store, clock=lambda: NOW)
    store.compact()
    before, after = (set(t.file_uris()) for t in (sorted_once, store.table("readings")))
    assert len(before & after) == 1 == len(after - before) and store.rows() == 2 * 30 * 60 + 1
