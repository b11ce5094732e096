"""What ``ingest --explain`` says is what ingest does."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telemetry.explain import explain
from telemetry.ingest import ingest
from telemetry.store import Store
from tests.telemetry.small import NOW, START
from topology.errors import TelemetryError
from topology.site import Site


def write(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_every_column_is_told_and_a_stranger_gets_a_reason(site: Site, tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", time=[START], element=["r1"], power_kw=[9.0], colour=["red"])
    told = explain(site, file)
    by_name = {c.name: c for c in told.columns}
    assert told.vendor == "rack-power" and not told.long
    assert [by_name[n].role for n in ("time", "element", "power_kw", "colour")] == ["time", "key", "value", "not read"]
    power = by_name["power_kw"]
    assert (power.quantity, power.unit, power.factor, power.example) == ("power_w", "kw", 1000.0, "9.0")
    assert "[[values]]" in by_name["colour"].why
    ingest(site, file, tmp_path / "store", clock=lambda: NOW)
    stored = Store.open(tmp_path / "store").read(columns=["quantity", "value"]).to_pylist()
    assert stored == [{"quantity": power.quantity, "value": 9.0 * power.factor}]


def test_metrics_of_a_long_file_are_told_one_by_one(site: Site, tmp_path: Path) -> None:
    names = ["DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_DRIVER_VERSION", "DCGM_FI_NEW"]
    file = write(
        tmp_path / "d.parquet", timestamp=[START] * 4, Hostname=["r1-n01"] * 4, gpu=["0"] * 4, metric=names, value=[700.0, 1e6, 1.0, 2.0]
    )
    told = explain(site, file)
    assert told.vendor == "dcgm" and told.long
    by_name = {m.name: m for m in told.metrics}
    assert by_name["DCGM_FI_DEV_POWER_USAGE"].quantity == "power_w"
    assert by_name["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"].factor == pytest.approx(1e-3)
    assert by_name["DCGM_FI_DRIVER_VERSION"].role == "ignored"
    assert by_name["DCGM_FI_NEW"].role == "not read"
    assert by_name["DCGM_FI_DEV_POWER_USAGE"].part == "{node}-gpu{gpu}"


def test_a_file_that_nothing_fits_says_what_the_nearest_mapping_lacks(site: Site, tmp_path: Path) -> None:
    file = write(tmp_path / "x.parquet", Hostname=["r1"], DCGM_FI_DEV_POWER_USAGE=[1.0])
    with pytest.raises(TelemetryError) as fault:
        explain(site, file)
    assert any("dcgm" in f.message and "time" in f.message for f in fault.value.findings)
