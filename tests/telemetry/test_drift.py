"""Files as they come: columns that appear, vanish and change type, nested and encoded columns, late and repeated files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telemetry.explain import explain
from telemetry.frames import frames
from telemetry.ingest import IngestReport, ingest
from telemetry.source import digest_of
from telemetry.store import Store
from tests.telemetry.small import NOW, START, rack_file, times, write
from topology.errors import TelemetryError
from topology.site import Site

MINUTE = "2026-10-01T00:{:02d}:00Z"


def take(site: Site, files: object, store: Path, **more: object) -> IngestReport:
    return ingest(site, files, store, clock=lambda: NOW, **more)  # type: ignore[arg-type]


def power(store: Path, element: str = "r1") -> list[float]:
    table = Store.open(store).read([element], ["power_w"], columns=["time", "value"]).sort_by("time")
    return [float(v) for v in table["value"].to_pylist()]


def test_columns_come_go_and_change_type_from_file_to_file(site: Site, tmp_path: Path) -> None:
    at = times(12)
    kinds = [pa.int32(), pa.uint64(), pa.float32(), pa.float64(), pa.string(), pa.dictionary(pa.int8(), pa.string()), pa.decimal128(9, 2)]
    folder = tmp_path / "in"
    folder.mkdir()
    for i, kind in enumerate(kinds):
        value = pa.array([f"{100 * (i + 1)}"]).cast(pa.float64())
        column = value.cast(kind) if not pa.types.is_dictionary(kind) and kind != pa.string() else pa.array([f"{100 * (i + 1)}"]).cast(kind)
        columns = {"time": at[i : i + 1], "element": ["r1"], "power_w": column}
        if i % 2:
            columns["inlet_temp_c"] = pa.array([20 + i])
        write(folder / f"{i}.parquet", columns)
    report = take(site, folder, tmp_path / "s")
    assert (report.rows_in, report.rows_stored, report.findings) == (10, 10, ())
    assert power(tmp_path / "s") == [100.0 * (i + 1) for i in range(7)]


def test_a_csv_whose_first_megabyte_misleads_is_read_all_the_same(site: Site, tmp_path: Path) -> None:
    """Whole numbers, then halves, then a word; a column that is empty for the first 60,000 rows."""
    n = 60_000
    start = int(START.timestamp())
    rows = [f"{start + i},r1,{1000 + i % 7}," for i in range(n)]
    rows += [f"{start + n},r1,1000.5,21.5", f"{start + n + 1},r1,off,22", f"{start + n + 2},r1,,23"]
    file = tmp_path / "long.csv"
    file.write_text("time,element,power_w,inlet_temp_c\n" + "\n".join(rows) + "\n")
    assert file.stat().st_size > 1 << 20
    report = take(site, file, tmp_path / "s")
    assert report.rows_in == 2 * (n + 3) == report.rows_stored + report.rows_quarantined
    assert dict(report.reasons) == {"no value": n + 1, "value is not a number": 1}
    assert power(tmp_path / "s")[-1] == 1000.5
    bad = Store.open(tmp_path / "s").quarantined().to_pylist()
    assert [(r["row"], r["value"]) for r in bad if r["reason"] == "value is not a number"] == [(n + 2, "off")]


def test_a_csv_that_was_joined_from_two_refuses_the_second_header_alone(site: Site, tmp_path: Path) -> None:
    half = "time,element,power_w\n" + MINUTE
    (tmp_path / "a.csv").write_text(half.format(0) + ",r1,1\n" + half.format(1) + ",r1,2\n")
    report = take(site, tmp_path / "a.csv", tmp_path / "s")
    assert (report.rows_stored, dict(report.reasons)) == (2, {"time not readable": 1})


def test_a_csv_that_changes_its_columns_in_mid_file_is_refused_whole_with_the_row(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"time,element,power_w\n{MINUTE.format(0)},r1,1\n{MINUTE.format(1)},r1,2,extra\n")
    with pytest.raises(TelemetryError, match=r"a\.csv .*Expected 3 columns, got 4: .*r1,2,extra"):
        take(site, tmp_path / "a.csv", tmp_path / "s")
    assert Store.open(tmp_path / "s").rows() == 0


def test_a_column_that_is_empty_in_one_row_group_and_full_in_the_next(site: Site, tmp_path: Path) -> None:
    n = 40
    value = pa.array([None] * 20 + [float(i) for i in range(20, n)], pa.float64())
    file = write(tmp_path / "g.parquet", {"time": times(n), "element": ["r1"] * n, "power_w": value}, row_group_size=20)
    report = take(site, file, tmp_path / "s")
    assert (report.rows_stored, dict(report.reasons)) == (20, {"no value": 20})
    assert power(tmp_path / "s") == [float(i) for i in range(20, n)]


def test_a_dictionary_that_changes_between_row_groups(site: Site, tmp_path: Path) -> None:
    """Row groups with vocabularies of their own, then one too large for a dictionary page."""
    schema = pa.schema([("time", times(1).type), ("element", pa.dictionary(pa.int32(), pa.string())), ("power_w", pa.float64())])
    with pq.ParquetWriter(tmp_path / "d.parquet", schema) as writer:
        for i, names in enumerate((["r1", "r2"], ["r2", "r3"], ["r3", "r1"])):
            element = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), pa.array(names))
            writer.write_table(pa.table([times(6)[2 * i : 2 * i + 2], element, pa.array([1.0 + i, 2.0 + i])], schema=schema))
    assert take(site, tmp_path / "d.parquet", tmp_path / "s").rows_quarantined == 0
    assert [power(tmp_path / "s", r) for r in ("r1", "r2", "r3")] == [[1.0, 4.0], [2.0, 2.0], [3.0, 3.0]]


@pytest.mark.parametrize("text", [pa.large_string(), pa.string_view(), pa.binary(), pa.binary_view()])
def test_other_encodings_of_text(site: Site, tmp_path: Path, text: pa.DataType) -> None:
    file = write(tmp_path / "t.parquet", {"time": times(2), "element": pa.array(["r1", "r1"], text), "power_w": pa.array(["1", "x"], text)})
    report = take(site, file, tmp_path / "s")
    assert (report.rows_stored, dict(report.reasons)) == (1, {"value is not a number": 1})


def test_nested_columns_are_read_by_their_fields(site: Site, tmp_path: Path) -> None:
    health = pa.array([{"Health": "OK", "State": "Enabled"}, {"Health": "Warning", "State": None}, None])
    watts = pa.array([{"Reading": 1530.0, "DataSourceUri": "/a"}, {"Reading": 1490.0, "DataSourceUri": "/b"}, None])
    columns = {"Status": health, "Timestamp": times(3), "Chassis": ["r1-n1"] * 3, "PowerSupply": ["PSU0"] * 3, "InputPowerWatts": watts}
    file = write(tmp_path / "n.parquet", columns, row_group_size=1)
    told = {c.name: c.role for c in explain(site, file).columns}
    assert told == {
        "Status.Health": "ignored", "Status.State": "ignored", "Timestamp": "time", "Chassis": "key", "PowerSupply": "key",
        "InputPowerWatts.Reading": "value", "InputPowerWatts.DataSourceUri": "ignored",
    }  # fmt: skip
    report = take(site, file, tmp_path / "s")
    assert (report.rows_in, report.rows_stored, report.findings) == (2, 2, ())
    assert power(tmp_path / "s") == [1530.0, 1490.0]


def test_a_column_of_lists_is_a_finding_and_the_rest_is_read(site: Site, tmp_path: Path) -> None:
    file = rack_file(tmp_path / "l.parquet", n=2, inlet_temp_c=pa.array([[1.0, 2.0], [3.0]]))
    assert next(c for c in explain(site, file).columns if c.name == "inlet_temp_c").role == "not read"
    report = take(site, file, tmp_path / "s")
    assert report.rows_stored == 2
    assert [(f.column, f.severity) for f in report.findings] == [("inlet_temp_c", "warning")]
    assert "list<" in report.findings[0].message


def test_the_row_numbers_of_pandas_are_no_stranger(site: Site, tmp_path: Path) -> None:
    frame = pq.read_table(rack_file(tmp_path / "a.parquet", n=5)).to_pandas()
    frame[frame["power_w"].isin([5001, 5002, 5004])].to_parquet(tmp_path / "b.parquet")
    assert "__index_level_0__" in pq.read_schema(tmp_path / "b.parquet").names
    report = take(site, tmp_path / "b.parquet", tmp_path / "s")
    assert (report.rows_stored, report.findings) == (3, ())
    assert {c.name: c.role for c in explain(site, tmp_path / "b.parquet").columns}["__index_level_0__"] == "ignored"


def test_late_and_unordered_files_give_the_frames_of_ordered_ones(site: Site, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    at, value = times(120), 5e3 + rng.uniform(0, 100, 120)
    write(tmp_path / "whole.parquet", {"time": at, "element": ["r1"] * 120, "power_w": value})
    take(site, tmp_path / "whole.parquet", tmp_path / "ordered")
    mixed = rng.permutation(120)
    for i, part in enumerate(np.array_split(mixed, 5)):
        write(tmp_path / f"{i}.parquet", {"time": at.take(part), "element": ["r1"] * len(part), "power_w": value[part]}, row_group_size=7)
        assert take(site, tmp_path / f"{i}.parquet", tmp_path / "late").rows_stored == len(part)
    hours = dt.timedelta(hours=2)
    one, two = (frames(Store.open(tmp_path / s), ("r1",), "power_w", START, START + hours, 300.0) for s in ("ordered", "late"))
    np.testing.assert_allclose(one.values, two.values, rtol=1e-14)
    assert (one.count == two.count).all()


def test_a_reading_repeated_far_apart_in_an_unordered_file_is_refused_once(site: Site, tmp_path: Path) -> None:
    order = [3, 0, 1, 2, 0, 3]
    file = write(
        tmp_path / "u.parquet", {"time": times(4).take(order), "element": ["r1"] * 6, "power_w": [1.0, 2, 3, 4, 5, 6]}, row_group_size=2
    )
    report = take(site, file, tmp_path / "s")
    assert (report.rows_stored, dict(report.reasons)) == (4, {"duplicate in the file": 2})
    assert power(tmp_path / "s") == [2.0, 3.0, 4.0, 1.0]


def test_a_clock_that_is_set_back_shows_as_repeats_and_one_that_is_ahead_as_future(site: Site, tmp_path: Path) -> None:
    stamps = [MINUTE.format(m) for m in (0, 1, 2, 1, 2, 3)] + ["2026-11-03T00:00:00Z"]
    file = write(tmp_path / "c.parquet", {"time": stamps, "element": ["r1"] * 7, "power_w": [float(i) for i in range(7)]})
    report = take(site, file, tmp_path / "s")
    assert dict(report.reasons) == {"duplicate in the file": 2, "time in the future": 1} and report.rows_stored == 4


def test_the_hours_of_a_change_of_clocks_are_refused_and_no_others(site: Site, tmp_path: Path) -> None:
    """Stockholm 2026: 02:00 to 03:00 is absent on 29 March and comes twice on 25 October."""
    folder = tmp_path / "site" / "vendors"
    folder.mkdir(parents=True)
    (folder / "local.toml").write_text(
        'doc = "x"\npoint = "x"\nlevel = "rack"\nimplementation = "Reported"\n[time]\ncolumns = ["when"]\nzone = "Europe/Stockholm"\n'
        '[keys]\nrack = ["rack"]\n[element]\nkey = "rack"\n[[values]]\nnames = ["watts"]\nquantity = "power_w"\nunit = "w"\n'
    )
    from dataclasses import replace

    here = replace(site, folder=tmp_path / "site")
    local = ["2026-03-29T01:59:00", "2026-03-29T02:30:00", "2026-03-29T03:00:00", "2026-10-25T01:59:00", "2026-10-25T02:00:00",
             "2026-10-25T02:59:00", "2026-10-25T03:00:00"]  # fmt: skip
    for name, column in (("t", pa.array(local)), ("n", pa.array([dt.datetime.fromisoformat(t) for t in local], pa.timestamp("ms")))):
        file = write(tmp_path / f"{name}.parquet", {"when": column, "rack": ["r1"] * 7, "watts": [1.0] * 7})
        report = take(here, file, tmp_path / name)
        assert (report.rows_stored, dict(report.reasons)) == (4, {"time not unique in its zone": 2, "time that its zone skips": 1})
        utc = Store.open(tmp_path / name).read(columns=["time"]).sort_by("time")["time"].to_pylist()
        assert [t.strftime("%d %H:%M") for t in utc] == ["29 00:59", "29 01:00", "24 23:59", "25 02:00"]


def test_a_refusal_bears_the_time_of_the_run(site: Site, tmp_path: Path) -> None:
    take(site, rack_file(tmp_path / "a.parquet", element="nobody"), tmp_path / "s")
    assert set(Store.open(tmp_path / "s").quarantined()["seen_at"].to_pylist()) == {NOW}


def test_a_folder_can_name_what_a_file_does_not(site: Site, tmp_path: Path) -> None:
    """Two metrics with the same bytes are two files; the same metric under another root is the same file."""
    columns = {"timestamp": times(3), "value": pa.array([560, 580, 560]), "node": pa.array(["r1n05"] * 3).dictionary_encode()}
    for root in ("one", "two"):
        for metric in ("ps0_input_power", "ps1_input_power"):
            folder = tmp_path / root / "year_month=26-10" / "plugin=ipmi_pub" / f"metric={metric}"
            folder.mkdir(parents=True)
            write(folder / "a_0.parquet", columns)
    first = take(site, tmp_path / "one", tmp_path / "s")
    second = take(site, tmp_path / "two", tmp_path / "s")
    assert (first.rows_stored, first.files_skipped, second.rows_stored, second.files_skipped) == (6, 0, 0, 2)
    parts = Store.open(tmp_path / "s").read(columns=["part"])["part"].to_pylist()
    assert sorted(set(parts)) == ["n05-ps0", "n05-ps1"]
    told = {c.name: (c.role, c.example) for c in explain(site, min((tmp_path / "one").rglob("*.parquet"))).columns}
    assert told["metric"] == ("metric name", "ps0_input_power")


def test_a_folder_that_no_mapping_asks_for_changes_nothing(site: Site, tmp_path: Path) -> None:
    (tmp_path / "day=2026-10-01").mkdir()
    plain = rack_file(tmp_path / "a.parquet")
    inside = tmp_path / "day=2026-10-01" / "a.parquet"
    inside.write_bytes(plain.read_bytes())
    report = take(site, [plain, inside], tmp_path / "s")
    assert (report.rows_stored, report.files_skipped, report.findings) == (60, 1, ())
    assert Store.open(tmp_path / "s").seen(digest_of(plain))


def test_partitions_that_report_nothing_do_not_lower_the_mean(site: Site, tmp_path: Path) -> None:
    n = 8
    columns = {
        "timestamp": times(1).take([0] * n), "hostname": ["r1-n1"] * n, "gpu_id": [0] * n, "gpu_partition_id": [str(p) for p in range(n)],
        "GPU_PACKAGE_POWER": [720.0] + [0.0] * (n - 1), "GPU_GFX_ACTIVITY": [50.0] * n,
    }  # fmt: skip
    report = take(site, write(tmp_path / "a.parquet", columns), tmp_path / "s")
    assert (report.rows_in, report.rows_stored) == (1 + n, 1 + n)
    store = Store.open(tmp_path / "s")
    end = START + dt.timedelta(minutes=1)
    assert frames(store, ("r1",), "power_w", START, end, 60.0, part="mean").values.tolist() == [[720.0]]
    assert frames(store, ("r1",), "utilisation_frac", START, end, 60.0, part="mean").values.tolist() == [[0.5]]
