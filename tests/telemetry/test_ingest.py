from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry.ingest import IngestReport, ingest
from telemetry.store import Store
from tests.telemetry.small import NOW, START, doubtful_file, flat, rack_file, small_site, times, write
from topology.errors import Cancelled, TelemetryError
from topology.site import Site


def take(site: Site, files: object, store: object, **more: object) -> IngestReport:
    return ingest(site, files, store, clock=lambda: NOW, **more)  # type: ignore[arg-type]


def values(store: Path, element: str, quantity: str) -> list[float]:
    table = Store.open(store).read([element], [quantity], columns=["time", "part", "value"])
    return [float(v) for v in flat(table, "time", "part")["value"].to_pylist()]


def test_a_file_is_stored_once_whatever_its_name(site: Site, tmp_path: Path) -> None:
    first = rack_file(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(first.read_bytes())
    one = take(site, first, tmp_path / "store")
    two = take(site, [tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "store")
    assert (one.files, one.files_skipped, one.rows_in, one.rows_stored, one.rows_quarantined) == (1, 0, 60, 60, 0)
    assert (two.files, two.files_skipped, two.rows_in, two.rows_stored) == (2, 2, 0, 0)
    assert Store.open(tmp_path / "store").rows() == 60
    assert values(tmp_path / "store", "r1", "power_w") == [5e3 + i for i in range(60)]


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("spelling", ["", "suffixed"])
def test_dcgm_in_both_spellings_and_both_layouts(site: Site, tmp_path: Path, spelling: str, long: bool) -> None:
    names = {"": ("", ""), "suffixed": ("_WATTS", "_MILLIJOULES")}[spelling]
    power, energy = f"DCGM_FI_DEV_POWER_USAGE{names[0]}", f"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{names[1]}"
    key = {"timestamp": times(2), "Hostname": ["r1-n2.example", "r1-n2.example"], "gpu": pa.array([5, 5])}
    if long:
        both = {k: pa.concat_arrays([pa.array(v), pa.array(v)]) for k, v in key.items()}
        columns = {**both, "metric": [power, power, energy, energy], "value": [700.0, 701.0, 7e6, 8e6]}
    else:
        columns = {**key, power: [700.0, 701.0], energy: pa.array([7_000_000, 8_000_000])}
    report = take(site, write(tmp_path / "d.parquet", columns), tmp_path / "s")
    assert (report.rows_in, report.rows_stored, report.findings) == (4, 4, ())
    assert values(tmp_path / "s", "r1", "power_w") == [700.0, 701.0]
    assert values(tmp_path / "s", "r1", "energy_j") == [7000.0, 8000.0]
    row = Store.open(tmp_path / "s").read(quantities=["power_w"]).to_pylist()[0]
    assert (row["part"], row["level"], row["implementation"]) == ("n2-gpu5", "device", "PhysicalSensor")
    assert row["source"].startswith("dcgm/d.parquet#")


def test_three_units_of_energy_from_three_vendors(site: Site, tmp_path: Path) -> None:
    one = {"time": times(1)}
    write(tmp_path / "mj.parquet", {**one, "Hostname": ["r1-n1"], "gpu": [0], "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": [5_000_000]})
    write(tmp_path / "uj.parquet", {**one, "hostname": ["r2-n1"], "gpu_id": [0], "GPU_ENERGY_CONSUMED": [5_000_000_000]})
    write(tmp_path / "j.parquet", {**one, "host": ["r3-n1"], "device": [0], "MTIA_ENERGY_J": [5_000.0]})
    write(tmp_path / "kwh.parquet", {**one, "PDU": ["pdu-a"], "EnergykWh": [5_000 / 3.6e6]})
    report = take(site, tmp_path, tmp_path / "s")
    assert report.rows_quarantined == 0
    for element in ("r1", "r2", "r3", "pdu-a"):
        assert values(tmp_path / "s", element, "energy_j") == pytest.approx([5_000.0], rel=1e-12)


def test_redfish_cdu_and_openbmc_supplies_in_si(site: Site, tmp_path: Path) -> None:
    write(tmp_path / "cdu.parquet", {
        "Timestamp": times(2).take([0, 0]), "CDU": ["/redfish/v1/ThermalEquipment/CDUs/cdu-1", "cdu-1"], "Resource": ["Secondary", "Pump1"],
        "FlowLitersPerMinute": [1200.0, None], "SupplyTemperatureCelsius": [30.0, None], "DeltaPressurekPa": [150.0, None],
        "HeatRemovedkW": [800.0, None], "PumpSpeedPercent": [None, 62.5],
    })  # fmt: skip
    write(
        tmp_path / "psu.parquet", {"time": times(1).take([0, 0]), "rack": ["r1", "r1"], "psu": [1, 2], "PSU_Input_Power": [2000.0, 2100.0]}
    )
    report = take(site, tmp_path, tmp_path / "s")
    assert (report.rows_in, report.rows_quarantined) == (7, 0)
    read = {r["quantity"]: (r["value"], r["part"]) for r in Store.open(tmp_path / "s").read(["cdu-1"]).to_pylist()}
    assert read["flow_m3_s"] == (pytest.approx(0.02), "Secondary") and read["pump_speed_frac"] == (0.625, "Pump1")
    assert read["dp_pa"][0] == 150e3 and read["heat_w"][0] == 800e3 and read["supply_temp_c"][0] == 30.0
    assert values(tmp_path / "s", "r1", "power_w") == [2000.0, 2100.0]


def test_wide_rack_power_with_a_column_a_rack_and_a_csv(site: Site, tmp_path: Path) -> None:
    write(tmp_path / "wide.parquet", {"time": times(2), "r1": [1e3, 2e3], "r2_kw": [3.0, 4.0]})
    (tmp_path / "late.csv").write_text("time,element,power_kw\n2026-10-02T00:00:00Z,r1,5\n2026-10-02T00:15:00+00:00,r1,6\n")
    report = take(site, tmp_path, tmp_path / "s")
    assert (report.rows_in, report.rows_stored) == (6, 6)
    assert values(tmp_path / "s", "r1", "power_w") == [1e3, 2e3, 5e3, 6e3] and values(tmp_path / "s", "r2", "power_w") == [3e3, 4e3]


def test_what_was_read_from_the_store_can_be_ingested_again(site: Site, tmp_path: Path) -> None:
    take(site, rack_file(tmp_path / "a.parquet"), tmp_path / "s")
    table = Store.open(tmp_path / "s").read()
    take(site, write(tmp_path / "again.parquet", {n: table[n] for n in table.column_names}), tmp_path / "s2")
    again = Store.open(tmp_path / "s2").read()
    same = ["time", "element", "part", "quantity", "value", "implementation", "level", "quality"]
    assert flat(again.select(same), "time").to_pylist() == flat(table.select(same), "time").to_pylist()


def test_each_reason_is_named_with_row_value_and_place(site: Site, tmp_path: Path) -> None:
    good = START.isoformat()
    rows = [
        (good, "r1", "1000", None), (None, "r1", "1000", "no time"), ("2026-10-01T00:00:00", "r1", "1000", "naive time"),
        ("soon", "r1", "1", "time not readable"), ("2030-01-01T00:00:00Z", "r1", "1", "time in the future"),
        ("1970-01-20T00:00:00Z", "r1", "1", "time before 2000"), (good, "r9", "1", "unknown element"), (good, "r2", None, "no value"),
        (good, "r2", "much", "value is not a number"), (good, "r2", "-5", "value out of range"), (good, "r2", "3e7", "value out of range"),
        (good, "r1", "1000", "duplicate in the file"),
    ]  # fmt: skip
    file = write(tmp_path / "bad.parquet", {"time": [r[0] for r in rows], "element": [r[1] for r in rows], "power_w": [r[2] for r in rows]})
    report = take(site, file, tmp_path / "s")
    assert (report.rows_in, report.rows_stored, report.rows_quarantined) == (12, 1, 11)
    table = Store.open(tmp_path / "s").quarantined().sort_by("row").to_pylist()
    assert [(r["row"], r["reason"], r["value"], r["element"], r["time"]) for r in table] == [
        (i + 1, r[3], r[2], r[1], r[0]) for i, r in enumerate(rows) if r[3]
    ]
    assert report.reasons["value out of range"] == 2 and sum(report.reasons.values()) == 11
    unknown = next(f for f in report.findings if f.element == "r9")
    assert "did you mean" in unknown.hint and unknown.column == "element"


def test_an_unknown_metric_is_refused_by_name(site: Site, tmp_path: Path) -> None:
    columns = {"time": times(2), "host": ["r1-n1"] * 2, "device": [0, 0], "metric": ["MTIA_POWR_W", "MTIA_POWER_W"], "value": [1.0, 2.0]}
    report = take(site, write(tmp_path / "m.parquet", columns), tmp_path / "s")
    assert (report.rows_in, report.rows_stored, dict(report.reasons)) == (2, 1, {"unknown quantity": 1})
    assert "MTIA_POWER_W" in report.findings[0].hint and report.findings[0].value == "MTIA_POWR_W"


def test_a_mended_site_takes_the_refused_rows_of_a_stored_file(tmp_path: Path) -> None:
    file = rack_file(tmp_path / "a.parquet", element="r5")
    assert take(small_site(4), file, tmp_path / "s").rows_quarantined == 60
    assert take(small_site(5), file, tmp_path / "s").files_skipped == 1
    report = take(small_site(5), file, tmp_path / "s", again=True)
    store = Store.open(tmp_path / "s")
    assert (report.rows_stored, store.rows(), store.quarantined().num_rows) == (60, 60, 0)
    assert take(small_site(5), file, tmp_path / "s", again=True).rows_stored == 60 and store.rows() == 60


def test_truncated_and_foreign_files_among_good_ones_lose_nothing(site: Site, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    good = [rack_file(tmp_path / "in" / f"{e}.parquet", element=e) for e in ("r1", "r3")]
    whole = doubtful_file(tmp_path / "in" / "r2.parquet", 1, 5000)
    whole.write_bytes(whole.read_bytes()[:-200])
    (tmp_path / "in" / "text.parquet").write_text("not parquet at all")
    write(tmp_path / "in" / "odd.parquet", {"a": [1], "b": [2]})
    report = take(site, tmp_path / "in", tmp_path / "s")
    assert (report.files, report.files_failed, report.rows_stored) == (5, 3, 120)
    errors = [f for f in report.findings if f.severity == "error"]
    assert sorted(Path(f.file).name for f in errors) == ["odd.parquet", "r2.parquet", "text.parquet"]
    assert Store.open(tmp_path / "s").rows() == 120 and len(good) == 2


def test_damage_in_the_middle_of_a_file_stores_nothing_of_it(site: Site, tmp_path: Path) -> None:
    file = doubtful_file(tmp_path / "hurt.parquet", 2, 20_000)
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 4000] = bytes(4000)
    file.write_bytes(raw)
    with pytest.raises(TelemetryError, match=r"hurt\.parquet is truncated or no Parquet file"):
        take(site, file, tmp_path / "s")
    store = Store.open(tmp_path / "s")
    assert store.rows() == 0 and store.quarantined().num_rows == 0


def test_nothing_readable_is_an_error_and_so_is_a_missing_file(site: Site, tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(TelemetryError, match=r"x\.parquet"):
        take(site, tmp_path / "x.parquet", tmp_path / "s")
    with pytest.raises(TelemetryError, match=r"did you mean x\.parquet"):
        take(site, tmp_path / "y.parquet", tmp_path / "s")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TelemetryError, match="holds no"):
        take(site, tmp_path / "empty", tmp_path / "s")


def test_a_naive_file_is_refused_as_a_whole(site: Site, tmp_path: Path) -> None:
    naive = times(2).cast(pa.timestamp("us"))
    file = write(tmp_path / "n.parquet", {"time": naive, "element": ["r1", "r1"], "power_w": [1.0, 2.0]})
    with pytest.raises(TelemetryError, match="times have no zone"):
        take(site, file, tmp_path / "s")
    assert Store.open(tmp_path / "s").rows() == 0


def test_an_unmapped_column_is_reported(site: Site, tmp_path: Path) -> None:
    report = take(site, rack_file(tmp_path / "a.parquet", colour=["red"] * 60), tmp_path / "s")
    assert report.rows_stored == 60 and [f.column for f in report.findings] == ["colour"]


def test_progress_rises_to_one_and_may_stop_the_work(site: Site, tmp_path: Path) -> None:
    told: list[float] = []
    files = [doubtful_file(tmp_path / f"{i}.parquet", i, 3000) for i in range(2)]
    take(site, files, tmp_path / "s", progress=lambda name, done: told.append(done))
    assert told == sorted(told) and told[-1] == 1.0 and len(told) > 4

    def stop(name: str, done: float) -> None:
        if done > 0.4:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        take(site, files, tmp_path / "s2", progress=stop)
    assert Store.open(tmp_path / "s2").rows() == 0
    assert take(site, files, tmp_path / "s2").rows_in == 6000


cells = st.sampled_from([1000.0, 2500.5, -1.0, 1e9, float("nan"), None])
rows = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["r1", "r2", "nobody", None]), cells, st.sampled_from([20.0, None, 1e4])),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows)
def test_readings_in_are_readings_stored_plus_readings_refused(
    tmp_path_factory: pytest.TempPathFactory, data: list[tuple[int, str | None, float | None, float | None]]
) -> None:
    folder = tmp_path_factory.mktemp("property")
    at = times(6).take([r[0] for r in data])
    columns = {"time": at, "element": pa.array([r[1] for r in data], pa.string()), "power_w": pa.array([r[2] for r in data], pa.float64()),
               "inlet_temp_c": pa.array([r[3] for r in data], pa.float64())}  # fmt: skip
    report = take(small_site(), write(folder / "f.parquet", columns), folder / "s")
    expected = set()
    for t, element, power, temp in data:
        expected |= {(t, element, "power_w")} if element in ("r1", "r2") and power is not None and 0 <= power < 1e8 else set()
        expected |= {(t, element, "inlet_temp_c")} if element in ("r1", "r2") and temp is not None and temp < 100 else set()
    store = Store.open(folder / "s")
    assert report.rows_in == 2 * len(data) == report.rows_stored + report.rows_quarantined
    assert report.rows_stored == store.rows() == len(expected)
    assert report.rows_quarantined == store.quarantined().num_rows == sum(report.reasons.values())
    assert np.isfinite(store.read()["value"].to_numpy()).all()


def test_frontier_day(recordings: Path, tmp_path: Path) -> None:
    from topology.kinds import Meter

    file = recordings / "frontier-cdu-day.parquet"
    if not file.is_file():
        pytest.skip("no measured data: frontier-cdu-day.parquet is absent")
    site = small_site(4, tuple(Meter(id=f"group-{i:02d}", covers=("row",)) for i in range(1, 26)))
    report = take(site, file, tmp_path / "s")
    assert (report.rows_in, report.rows_stored, report.findings) == (5761 * 26, 5761 * 26, ())
    store = Store.open(tmp_path / "s")
    assert store.span() == (dt.datetime(2024, 4, 7, tzinfo=dt.UTC), dt.datetime(2024, 4, 8, tzinfo=dt.UTC))
    wet = store.read(["site"], ["wet_bulb_c"])["value"].to_numpy()
    group = store.read(["group-14"], ["power_w"])["value"].to_numpy()
    assert wet.mean() == pytest.approx(7.751191, abs=1e-5) and group.mean() == pytest.approx(420447.259, abs=0.01)
