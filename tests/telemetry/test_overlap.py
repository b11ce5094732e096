"""The same reading from two files is stored once: means, sums and counters are as if one file had brought it."""

from __future__ import annotations

import csv
import datetime as dt
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from telemetry import overlap
from telemetry.frames import counter_power, frames
from telemetry.ingest import IngestReport, ingest
from telemetry.source import digest_of
from telemetry.store import Store
from tests.telemetry.small import NOW, START, flat, rack_file, small_site, times, write
from topology.errors import StoreError
from topology.site import Site


def powers(path: Path, first: int, last: int, element: str = "r1", scale: float = 1.0, **extra: object) -> Path:
    """Power of a rack in minutes first to last of the window: 5000 + minute, times a scale."""
    at = pa.array(times(last).view(pa.int64()).to_numpy()[first:]).view(pa.timestamp("us", "UTC"))
    value = (5000.0 + np.arange(first, last)) * scale
    return write(path, {"time": at, "element": [element] * (last - first), "power_w": value, **extra})


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.rows_in, report.rows_stored, report.rows_doubled, report.rows_quarantined


def take(where: Path, *files: Path, site: Site | None = None, again: bool = False) -> IngestReport:
    return ingest(site or small_site(), list(files), where, clock=lambda: NOW, again=again)


def means(where: Path, step_s: float = 600.0, element: str = "r1") -> np.ndarray:
    return frames(Store.open(where), (element,), "power_w", START, START + dt.timedelta(hours=2), step_s).values[:, 0]


def test_windows_that_reach_over_each_other_store_each_reading_once(tmp_path: Path) -> None:
    """Whatever the order of arrival, the store holds the same readings and the same mean."""
    parts = [powers(tmp_path / f"{a}.parquet", a, b) for a, b in ((0, 70), (50, 100), (90, 120), (10, 60))]
    whole = powers(tmp_path / "whole.parquet", 0, 120)
    take(tmp_path / "one", whole)
    reports = [take(tmp_path / "s", p) for p in parts]
    assert [counts(r) for r in reports] == [(70, 70, 0, 0), (50, 30, 20, 0), (30, 20, 10, 0), (50, 0, 50, 0)]
    take(tmp_path / "back", *reversed(parts))
    for where in (tmp_path / "s", tmp_path / "back"):
        assert flat(Store.open(where).read(columns=["time", "value"]), "time").equals(
            flat(Store.open(tmp_path / "one").read(columns=["time", "value"]), "time")
        )
        assert means(where).tolist() == means(tmp_path / "one").tolist()
    assert take(tmp_path / "s", whole).rows_doubled == 120 and Store.open(tmp_path / "s").rows() == 120


def test_a_late_export_in_other_units_and_precision_is_the_same_reading(tmp_path: Path) -> None:
    take(tmp_path / "s", powers(tmp_path / "a.parquet", 0, 60))
    kilo = write(tmp_path / "b.parquet", {
        "time": times(60), "element": ["r1"] * 60, "power_kw": ((5000.0 + np.arange(60)) / 1e3).astype(np.float32),
    })  # fmt: skip
    with (tmp_path / "c.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["time", "element", "metric", "value"])
        writer.writerows([(START + dt.timedelta(minutes=k)).isoformat(), "r1", "power_kw", f"{5.0 + k / 1e3:.3f}"] for k in range(60))
    assert counts(take(tmp_path / "s", kilo)) == (60, 0, 60, 0)
    assert counts(take(tmp_path / "s", tmp_path / "c.csv")) == (60, 0, 60, 0)
    assert Store.open(tmp_path / "s").rows() == 60


def test_another_value_of_the_same_mapping_is_refused_and_the_first_one_stands(tmp_path: Path) -> None:
    take(tmp_path / "s", powers(tmp_path / "a.parquet", 0, 60))
    second = take(tmp_path / "s", powers(tmp_path / "b.parquet", 50, 80, scale=1.1))
    assert counts(second) == (30, 20, 0, 10)
    assert second.reasons == {"another value is stored for its time": 10}
    refused = Store.open(tmp_path / "s").quarantined().to_pylist()
    assert [r["row"] for r in refused] == list(range(1, 11)) and float(refused[0]["value"]) == pytest.approx(5050 * 1.1)
    assert means(tmp_path / "s")[5] == pytest.approx(np.mean(5050.0 + np.arange(10)))
    assert take(tmp_path / "s", tmp_path / "b.parquet", tmp_path / "a.parquet", again=True).reasons == second.reasons
    assert means(tmp_path / "s")[5] == pytest.approx(np.mean(5050.0 + np.arange(10)) * 1.1)  # the other one first
    take(tmp_path / "s", tmp_path / "a.parquet", tmp_path / "b.parquet", again=True)
    again = take(tmp_path / "s", tmp_path / "b.parquet", again=True)
    assert counts(again) == (30, 20, 0, 10) and Store.open(tmp_path / "s").quarantined().num_rows == 10


def test_another_value_of_another_mapping_is_a_second_instrument(tmp_path: Path) -> None:
    take(tmp_path / "s", powers(tmp_path / "a.parquet", 0, 60))
    other = write(
        tmp_path / "b.parquet", {"time": times(60), "element": ["r1"] * 60, "metric": ["power_w"] * 60, "value": np.full(60, 5.5e3)}
    )
    assert counts(take(tmp_path / "s", other)) == (60, 60, 0, 0)


@pytest.mark.parametrize("column", ["element", "quantity", "time"])
def test_readings_that_differ_in_one_of_their_keys_are_all_stored(tmp_path: Path, column: str) -> None:
    at = times(60)
    take(tmp_path / "s", write(tmp_path / "a.parquet", {"time": at, "element": ["r1"] * 60, "power_w": np.full(60, 20.0)}))
    if column == "time":  # a microsecond later
        at = pa.array(at.view(pa.int64()).to_numpy() + 1).view(pa.timestamp("us", "UTC"))
    name = "current_a" if column == "quantity" else "power_w"
    other = write(tmp_path / "b.parquet", {"time": at, "element": ["r2" if column == "element" else "r1"] * 60, name: np.full(60, 20.0)})
    assert counts(take(tmp_path / "s", other)) == (60, 60, 0, 0)


def test_an_energy_counter_from_two_files_gives_its_power_once(tmp_path: Path) -> None:
    energy = 5e9 + 90e3 * 60 * np.arange(61)
    for k, (a, b) in enumerate(((0, 40), (30, 61))):
        at = pa.array(times(61)[a:b])
        write(tmp_path / f"{k}.parquet", {"Timestamp": at, "PDU": ["pdu-a"] * (b - a), "EnergyJoules": energy[a:b]})
    report = take(tmp_path / "s", tmp_path / "0.parquet", tmp_path / "1.parquet")
    assert counts(report) == (71, 61, 10, 0)
    power = counter_power(Store.open(tmp_path / "s"), ("pdu-a",), START, START + dt.timedelta(hours=1), 600.0).values[:, 0]
    assert power == pytest.approx(90e3)


def test_compacted_files_are_looked_into_as_well(tmp_path: Path) -> None:
    for element in ("r1", "r2", "r3"):
        take(tmp_path / "s", powers(tmp_path / f"{element}.parquet", 0, 60, element))
    store = Store.open(tmp_path / "s")
    store.compact()
    report = take(tmp_path / "s", powers(tmp_path / "late.parquet", 30, 90, "r2"))
    assert counts(report) == (60, 30, 30, 0) and Store.open(tmp_path / "s").rows() == 3 * 60 + 30


def test_only_files_that_reach_into_the_new_one_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day before, another rack, and another quantity are known from the log alone."""
    site = small_site()
    take(tmp_path / "s", powers(tmp_path / "a.parquet", 0, 60), powers(tmp_path / "b.parquet", 100, 160, "r2"))
    opened: list[str] = []
    real = overlap.ds.dataset

    def spy(paths: list[str], **rest: object) -> object:
        opened.extend(paths)
        return real(paths, **rest)

    monkeypatch.setattr(overlap.ds, "dataset", spy)
    for k, file in enumerate((
        powers(tmp_path / "c.parquet", 60, 120), powers(tmp_path / "d.parquet", 0, 60, "r3"),
        write(tmp_path / "e.parquet", {"time": times(60), "element": ["r1"] * 60, "current_a": np.full(60, 9.0)}),
    )):  # fmt: skip
        assert take(tmp_path / "s", file, site=site).rows_stored == 60 and opened == [], k
    assert take(tmp_path / "s", powers(tmp_path / "f.parquet", 59, 61), site=site).rows_doubled == 2
    assert len(opened) == 2


def test_two_processes_with_windows_that_reach_over_each_other(root: Path, tmp_path: Path) -> None:
    """Each reading once, whoever is quicker: the later commit is refused and judged anew."""
    files = [rack_file(tmp_path / f"{k}.parquet", "r1", 4000 + k, step_s=1.0) for k in range(4)]
    command = [sys.executable, "-m", "tests.telemetry.small", "wait", str(tmp_path / "s")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    orders = (files, [*reversed(files)])
    writers = [subprocess.Popen([*command, *map(str, o)], cwd=root, text=True, **pipes) for o in orders]  # type: ignore[call-overload]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    store = Store.open(tmp_path / "s")
    assert all(store.seen(digest_of(f)) for f in files)
    assert store.rows() == 4003 == len(set(store.read(columns=["time"])["time"].to_pylist()))
    assert store.quarantined().num_rows == 0


@pytest.mark.parametrize(("first", "once"), [(30, False), (200, True)])
def test_another_file_that_comes_in_between_is_judged_by(tmp_path: Path, first: int, once: bool) -> None:
    """It commits while the outer one is read: the outer one is read again only where both may hold the same readings."""
    outer, inner = powers(tmp_path / "outer.parquet", 0, 60), powers(tmp_path / "inner.parquet", first, first + 60)
    Store.create(tmp_path / "s")
    begun: list[float] = []

    def in_between(_name: str, done: float) -> None:
        if done > 0.0:
            begun.append(done)
            if len(begun) == 1:
                assert take(tmp_path / "s", inner).rows_stored == 60

    report = ingest(small_site(), outer, tmp_path / "s", progress=in_between, clock=lambda: NOW)
    assert counts(report) == ((60, 60, 0, 0) if once else (60, 30, 30, 0))
    assert len(begun) == (2 if once else 3)  # each reading of the file, and its end
    store = Store.open(tmp_path / "s")
    assert store.rows() == len(set(store.read(columns=["time"])["time"].to_pylist())) == (120 if once else 90)
    named = {a["path"] for a in pa.table(store.table("readings").get_add_actions(flatten=True)).to_pylist()}
    assert store.present("readings") == named  # what the first try wrote is gone


def test_a_broken_data_file_stops_what_may_overlap_it_and_says_so(tmp_path: Path) -> None:
    take(tmp_path / "s", powers(tmp_path / "a.parquet", 0, 60))
    broken = next((tmp_path / "s" / "readings").rglob("*.parquet"))
    broken.write_bytes(bytes(broken.stat().st_size))
    with pytest.raises(StoreError, match=r"cannot be read, so that nobody can tell what is stored already.*racktwin store check"):
        take(tmp_path / "s", powers(tmp_path / "b.parquet", 30, 90))
    assert take(tmp_path / "s", powers(tmp_path / "c.parquet", 60, 90)).rows_stored == 30
