"""Every built-in mapping on a sample in its vendor's own shape: recognised by itself, each reading in SI, none lost."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from telemetry.explain import explain
from telemetry.ingest import ingest
from telemetry.store import Store
from telemetry.vendor import load_vendors
from tests.telemetry.small import NOW, small_site
from topology.kinds import Meter
from topology.site import Site

SAMPLES = Path(__file__).parent / "samples"
VENDORS = sorted(p.name for p in SAMPLES.iterdir() if p.is_dir())
ANSWERS = ("expected.csv", "refused.csv")
FIELDS = ("time", "element", "part", "quantity", "value", "implementation", "level")


def inputs(vendor: str) -> list[Path]:
    return sorted(p for p in (SAMPLES / vendor).rglob("*.csv") if p.name not in ANSWERS)


def answers(vendor: str, name: str) -> list[dict[str, str]]:
    path = SAMPLES / vendor / name
    return list(csv.DictReader(path.open(encoding="utf-8"))) if path.is_file() else []


def sample_site() -> Site:
    return small_site(4, tuple(Meter(id=f"group-{i:02d}", covers=("row",)) for i in (1, 2)))


def as_csv(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())


def as_parquet(source: Path, target: Path) -> None:
    """Types as a vendor's writer has them: times as times, counts as integers, texts in dictionaries."""
    table = pa.csv.read_csv(source)
    for at, column in enumerate(table.schema):
        if pa.types.is_string(column.type):
            table = table.set_column(at, column.name, table[column.name].dictionary_encode())
    pq.write_table(table, target.with_suffix(".parquet"))


def as_plain_parquet(source: Path, target: Path) -> None:
    """The same with every column as plain text, as a careless export has it."""
    names = pa.csv.open_csv(source).schema.names
    table = pa.csv.read_csv(source, convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())))
    if table["time" if "time" in names else names[0]][0].as_py().isdigit():  # a count since an epoch stays a number
        table = table.set_column(0, names[0], table[names[0]].cast(pa.int64()))
    pq.write_table(table, target.with_suffix(".parquet"), use_dictionary=False)


def test_each_built_in_mapping_has_a_sample_with_its_source() -> None:
    assert len(VENDORS) == 20
    assert list(load_vendors()) == VENDORS
    for vendor in VENDORS:
        assert "Shape:" in (SAMPLES / vendor / "SOURCE.md").read_text(encoding="utf-8")
        assert answers(vendor, "expected.csv") and inputs(vendor)


@pytest.mark.parametrize("write", [as_csv, as_parquet, as_plain_parquet])
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_sample_is_recognised_and_every_reading_is_right(vendor: str, write: object, tmp_path: Path) -> None:
    site, folder = sample_site(), tmp_path / "in"
    for source in inputs(vendor):
        target = folder / source.relative_to(SAMPLES / vendor)
        target.parent.mkdir(parents=True, exist_ok=True)
        write(source, target)  # type: ignore[operator]
    for file in folder.rglob("*.*"):
        assert explain(site, file).vendor == vendor
    report = ingest(site, folder, tmp_path / "store", clock=lambda: NOW)
    expected, refused = answers(vendor, "expected.csv"), answers(vendor, "refused.csv")
    assert (report.files_skipped, report.findings) == (0, ())
    assert (report.rows_in, report.rows_stored, report.rows_quarantined) == (len(expected) + len(refused), len(expected), len(refused))

    store = Store.open(tmp_path / "store")
    stored = {
        key(row, row["time"].isoformat().replace("+00:00", "Z")): row["value"] for row in store.read(columns=list(FIELDS)).to_pylist()
    }
    assert stored == {key(row, row["time"]): pytest.approx(float(row["value"]), rel=1e-12) for row in expected}
    found = {(str(r["row"]), r["column"], r["reason"]) for r in store.quarantined().to_pylist()}
    assert found == {(r["row"], r["column"], r["reason"]) for r in refused}


def key(row: dict[str, str], time: str) -> tuple[str, ...]:
    return time, *(row[f] or "" for f in FIELDS[1:] if f != "value")
