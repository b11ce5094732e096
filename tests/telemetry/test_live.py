"""A watched folder: what arrives is stored once, what is half there waits, what is broken is said once, and memory does not grow."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from telemetry.ingest import IngestReport
from telemetry.live import watch
from telemetry.store import Store
from tests.telemetry.small import NOW, doubtful_file, rack_file, small_site, times, write
from topology.errors import StoreError, TelemetryError, UsageError

Act = Callable[[], object]


class Days:
    """Things that happen between the looks, one a wait; it is time to stop when they are over."""

    def __init__(self, acts: Iterable[Act]) -> None:
        self.acts = list(acts)
        self.over = False
        self.heard: list[tuple[str, IngestReport | TelemetryError]] = []

    def wait(self, seconds: float) -> None:
        assert seconds == 7.0
        if self.acts:
            self.acts.pop(0)()
        else:
            self.over = True

    def watch(self, folder: Path, store: Path | Store) -> IngestReport:
        return watch(
            small_site(), folder, store, every_s=7.0, wait=self.wait, stop=lambda: self.over, clock=lambda: NOW,
            told=lambda path, what: self.heard.append((path.name, what)),
        )  # fmt: skip


def nothing() -> None:
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


def test_files_are_stored_once_as_they_arrive(folder: Path, tmp_path: Path) -> None:
    doubtful_file(folder / "a.parquet", 1, 1000)
    days = Days([nothing, nothing, lambda: doubtful_file(folder / "b.parquet", 2, 1000),
                 lambda: shutil.copy(folder / "a.parquet", folder / "same.parquet"), nothing, nothing])  # fmt: skip
    report = days.watch(folder, tmp_path / "s")
    store = Store.open(tmp_path / "s")
    assert (report.files, report.files_skipped, report.files_failed) == (3, 1, 0)
    assert (report.rows_in, report.rows_stored, report.rows_quarantined) == (2000, 1980, 20)
    assert report.reasons == {"no value": 20}
    assert (store.rows(), store.quarantined().num_rows) == (1980, 20)
    assert [name for name, _ in days.heard] == ["a.parquet", "b.parquet", "same.parquet"]
    again = Days([nothing, nothing]).watch(folder, tmp_path / "s")  # a watch that starts anew
    assert (again.files, again.files_skipped, again.rows_in, store.rows()) == (3, 3, 0, 1980)


def test_a_file_that_still_grows_waits(folder: Path, tmp_path: Path) -> None:
    whole = doubtful_file(tmp_path / "whole.parquet", 1, 4000).read_bytes()
    path = folder / "a.parquet"
    parts = [whole[: len(whole) * k // 4] for k in (1, 2, 3, 4)]
    days = Days([lambda p=p: path.write_bytes(p) for p in parts])  # type: ignore[misc]
    days.acts += [nothing]
    report = days.watch(folder, tmp_path / "s")
    assert (report.files, report.files_failed, report.rows_in, report.findings) == (1, 0, 4000, ())
    assert len(days.heard) == 1


def test_a_file_under_a_hidden_name_is_left_alone_until_it_is_renamed(folder: Path, tmp_path: Path) -> None:
    hidden = rack_file(folder / ".a.parquet")
    days = Days([nothing, nothing])
    assert days.watch(folder, tmp_path / "s").files == 0
    hidden.rename(folder / "a.parquet")
    assert Days([nothing]).watch(folder, tmp_path / "s").rows_stored == 60


def test_a_broken_file_is_said_once_and_tried_again_when_it_changes(folder: Path, tmp_path: Path) -> None:
    good = rack_file(tmp_path / "good.parquet")
    bad = folder / "bad.parquet"
    bad.write_bytes(good.read_bytes()[:-20])
    rack_file(folder / "fine.parquet", "r2")
    days = Days([nothing, nothing, nothing, nothing])
    report = days.watch(folder, tmp_path / "s")
    assert (report.files, report.files_failed, report.rows_stored) == (2, 1, 60)
    assert [f.file for f in report.findings] == [str(bad)] and "tried again" in report.findings[0].hint
    assert [n for n, what in days.heard if isinstance(what, TelemetryError)] == ["bad.parquet"]
    mended = Days([nothing, nothing, lambda: shutil.copy(good, bad), nothing, nothing]).watch(folder, tmp_path / "s")
    assert (mended.files_failed, mended.rows_stored, Store.open(tmp_path / "s").rows()) == (0, 60, 120)


def grown(folder: Path, tmp_path: Path, kind: str) -> tuple[Path, Act, Act]:
    """A log, and what makes it: ten minutes, and the same with fifteen more; minute 3 has no value, minute 6 is there twice."""
    path = folder / f"log.{kind}"

    def make(last: int) -> None:
        rows = [[f"2026-10-01T00:{i:02d}:00Z", "r1", "" if i == 3 else str(5000 + i)] for i in range(last)]
        rows.insert(7, rows[6])
        if kind == "csv":
            path.write_text("\n".join(["time,element,power_w", *(",".join(r) for r in rows)]) + "\n")
        else:
            time, element, value = zip(*rows, strict=True)
            write(path, {"time": list(time), "element": list(element), "power_w": [float(v) if v else None for v in value]})

    return path, lambda: make(10), lambda: make(25)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_log_that_grows_is_stored_once_whoever_saw_it_before(folder: Path, tmp_path: Path, kind: str, restarted: bool) -> None:
    _, short, long = grown(folder, tmp_path, kind)
    short()
    first = Days([nothing, nothing] if restarted else [nothing, nothing, long, nothing, nothing])
    report = first.watch(folder, tmp_path / "s")
    if restarted:  # it grew while no watch ran
        assert (report.rows_in, report.rows_stored, report.rows_quarantined) == (11, 9, 2)
        long()
        report = Days([nothing, nothing]).watch(folder, tmp_path / "s")
        assert (report.rows_in, report.rows_stored, report.rows_doubled, report.rows_quarantined) == (26, 15, 11, 0)
    else:
        assert (report.rows_in, report.rows_stored, report.rows_doubled, report.rows_quarantined) == (37, 24, 11, 2)
    store = Store.open(tmp_path / "s")
    stored = store.read(columns=["value"])["value"].to_pylist()
    assert sorted(stored) == [5000.0 + i for i in range(25) if i != 3]
    refused = [(r["row"], r["reason"]) for r in store.quarantined().to_pylist()]
    assert sorted(refused) == [(4, "no value"), (8, "duplicate in the file")]
    assert Days([nothing, nothing]).watch(folder, tmp_path / "s").files_skipped == 1


def test_rows_without_a_time_are_known_by_their_place(folder: Path, tmp_path: Path) -> None:
    """Two rows alike that lack their time are two, and are not counted again when the log grows by a third."""
    path = folder / "log.csv"

    def make(n: int) -> None:
        path.write_text("time,element,power_w\n" + ",r1,5\n" * n + "2026-10-01T00:00:00Z,r1,7\n")

    report = Days([lambda: make(2), nothing, nothing, lambda: make(3), nothing, nothing]).watch(folder, tmp_path / "s")
    assert (report.rows_in, report.rows_stored, report.rows_doubled, report.rows_quarantined) == (7, 1, 3, 3)
    assert sorted(r["row"] for r in Store.open(tmp_path / "s").quarantined().to_pylist()) == [1, 2, 3]


def test_a_log_that_loses_its_oldest_rows_is_stored_once(folder: Path, tmp_path: Path) -> None:
    """A file of the last hour, written anew again and again."""
    path = folder / "latest.parquet"

    def make(first: int) -> None:
        at = times(first + 30).slice(first)
        value = [None if i == 20 else 5000.0 + i for i in range(first, first + 30)]
        write(path, {"time": at, "element": ["r1"] * 30, "power_w": value})

    acts = [act for first in (0, 10, 20) for act in (lambda first=first: make(first), nothing, nothing)]  # type: ignore[misc]
    report = Days(acts).watch(folder, tmp_path / "s")
    store = Store.open(tmp_path / "s")
    assert (report.rows_in, report.rows_stored, report.rows_doubled, report.rows_quarantined) == (90, 49, 40, 1)
    assert store.rows() == 49 == len(set(store.read(columns=["time"])["time"].to_pylist()))
    assert store.quarantined().num_rows == 1


def test_a_name_used_again_for_other_readings_loses_nothing(folder: Path, tmp_path: Path) -> None:
    path = rack_file(folder / "latest.parquet", "r1")
    days = Days([nothing, nothing, lambda: rack_file(path, "r2", 90), nothing, nothing])
    report = days.watch(folder, tmp_path / "s")
    assert (report.files, report.rows_stored, Store.open(tmp_path / "s").rows()) == (2, 150, 150)


def test_memory_is_of_the_folder_not_of_its_history(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry.live.FINDINGS_KEPT", 2)
    from telemetry import live

    store = Store.create(tmp_path / "s")
    look = live._Watch(small_site(), folder, store, None, lambda: NOW, None)
    for n in range(4):
        path = folder / f"{n}.parquet"
        path.write_bytes(b"not parquet")
        look.once(lambda: False)
        look.once(lambda: False)
        assert set(look.known) == {path} == look.failed
        path.unlink()
    look.once(lambda: False)
    assert not look.known and not look.failed and len(look.findings) == 2


def test_a_store_that_cannot_be_written_is_said_once_and_tried_again(folder: Path, tmp_path: Path) -> None:
    rack_file(folder / "a.parquet")
    store = Store.create(tmp_path / "s")
    log = tmp_path / "s" / "readings"
    moved = tmp_path / "away"
    days = Days([lambda: block(log, moved), nothing, nothing, lambda: unblock(log, moved), nothing])
    report = days.watch(folder, store)
    faults = [what for _, what in days.heard if isinstance(what, TelemetryError)]
    assert len(faults) == 1 and isinstance(faults[0], StoreError)
    assert (report.files, report.files_failed, report.rows_stored, store.rows()) == (1, 0, 60, 60)


def block(log: Path, moved: Path) -> None:
    log.rename(moved)
    log.write_text("in the way")


def unblock(log: Path, moved: Path) -> None:
    log.unlink()
    moved.rename(log)


def test_what_still_waits_at_the_end_is_said(folder: Path, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "s")
    days = Days([lambda: rack_file(folder / "late.parquet")])
    late = days.watch(folder, store)
    assert (late.files, late.files_failed, late.rows_in) == (1, 0, 0)
    assert "1 files were left: they had not stood unchanged" in late.findings[0].message
    blocked = Days([lambda: block(tmp_path / "s" / "readings", tmp_path / "away"), nothing]).watch(folder, store)
    assert (blocked.files, blocked.files_failed) == (1, 1)
    assert "the store could not be written" in blocked.findings[-1].message


def test_stop_is_heard_between_two_files(folder: Path, tmp_path: Path) -> None:
    for n in range(3):
        rack_file(folder / f"{n}.parquet", f"r{n + 1}")
    heard: list[str] = []
    report = watch(
        small_site(), folder, tmp_path / "s", wait=lambda _s: None, stop=lambda: len(heard) == 2, clock=lambda: NOW,
        told=lambda path, _what: heard.append(path.name),
    )  # fmt: skip
    assert heard == ["0.parquet", "1.parquet"] and report.rows_stored == 120


def test_what_cannot_be_watched_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        watch(small_site(), folder / "nothing", tmp_path / "s")
    with pytest.raises(UsageError, match="give more than 0"):
        watch(small_site(), folder, tmp_path / "s", every_s=0.0)
