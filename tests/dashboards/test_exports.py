"""Exports read back by other tools: same figures, units in the heads, and where they came from."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest

from dashboards import exports
from dashboards.exports.tables import Field, Table, write_whole
from dashboards.session import Session
from tests.dashboards.rows import answer, power_file, refused, row_folder
from topology.errors import UsageError

pytestmark = pytest.mark.filterwarnings("ignore:.*xtension is not supported:UserWarning:openpyxl")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return row_folder(tmp_path_factory.mktemp("exports") / "row")


def heads(sheet: object) -> list[str]:
    return [c.value for c in sheet[3]]  # type: ignore[index]


def test_the_headroom_workbook_reads_back(site: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    answer("ingest", site, power_file(tmp_path / "power.parquet"), "--store", store)
    asked = ("--sku", "mtia-450", "--by", "2026-12-31", "--store", store)
    room = answer("headroom", site, *asked)
    out = tmp_path / "new" / "room.xlsx"
    done = answer("export", site, "--what", "headroom", *asked, "--out", out)
    assert done["files"] == [str(out)]
    book = openpyxl.load_workbook(out)
    assert book.sheetnames == ["summary", "placement", "binding", "frees most", "margins", "tightest", "about"]
    summary = {r[0].value: r[1].value for r in book["summary"].iter_rows(min_row=3, max_col=2)}
    assert (summary["rack SKU"], summary["racks that fit"], summary["basis of demand"]) == ("mtia-450", room["racks"], "measured")
    assert summary["probability asked for [%]"] == 95
    assert "allocated power [kW]" in heads(book["placement"]) and "margin [%]" in heads(book["margins"])
    placed = [r[1].value for r in book["placement"].iter_rows(min_row=4) if r[1].value]
    assert placed == room["positions"]
    assert len(book["summary"]._charts) == 1
    about = {r[0].value: r[1].value for r in book["about"].iter_rows(min_row=3, max_col=2)}
    assert about["site digest"] == exports.site_digest(Session.open(site).site)
    assert about["telemetry window"].startswith("2026-11-01T00:00:00Z to 2026-11-02T") and about["software"] == "racktwin 0.1.0"
    assert (about["sku"], about["seed"]) == ("mtia-450", "0")


def test_a_sheet_is_a_native_table_with_frozen_heads_and_bars(site: Path, tmp_path: Path) -> None:
    out = tmp_path / "cases.xlsx"
    answer("export", site, "--what", "cases", "--out", out)
    sheet = openpyxl.load_workbook(out)["cases"]
    assert sheet.tables["cases"].ref == "A3:L24"
    assert sheet.freeze_panes == "B4"
    bars = [r.type for rules in sheet.conditional_formatting for r in rules.rules]
    assert bars == ["dataBar"]
    column = heads(sheet).index("margin [%]") + 1
    margins = [sheet.cell(r, column).value for r in range(4, 25)]
    found = answer("cases", site, "--worst", 0)
    assert margins == pytest.approx([100.0 * w["margin_frac"] for w in found["worst"]])
    widths = [sheet.column_dimensions[c.column_letter].width for c in sheet[3]]
    assert all(w >= len(str(c.value)) for w, c in zip(widths, sheet[3], strict=True))


def test_parquet_carries_units_and_origin(site: Path, tmp_path: Path) -> None:
    out = tmp_path / "cases.parquet"
    done = answer("export", site, "--what", "cases", "--utilisation", "0.8", "--out", out)
    assert done["files"] == [str(out), str(tmp_path / "cases-margins.parquet")]
    table = pq.read_table(out)
    assert table.num_rows == 21
    assert table.schema.field("site_power_kw").metadata == {b"unit": b"kW"}
    meta = table.schema.metadata
    assert meta[b"racktwin.site_digest"].decode() == done["site digest"] and len(done["site digest"]) == 64
    assert meta[b"racktwin.utilisation"] == b"0.8" and meta[b"racktwin.basis"] == b"utilisation"


def test_csv_has_units_in_its_heads_and_full_precision(site: Path, tmp_path: Path) -> None:
    out = tmp_path / "margins.csv"
    answer("export", site, "--what", "margins", "--utilisation", "1", "--out", out)
    with out.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    tight = answer("solve", site)["tightest"][0]
    assert list(rows[0]) == ["element", "kind", "limit", "case", "value", "allowed", "unit", "margin_pct"]
    assert (rows[0]["element"], rows[0]["unit"]) == (tight["element"], "degC")
    assert float(rows[0]["margin_pct"]) == 100.0 * tight["margin_frac"]
    power = next(r for r in rows if r["limit"] == "active power" and r["element"] == "ups-a")
    assert (power["unit"], float(power["allowed"])) == ("kW", 1000.0)


def test_the_same_question_gives_the_same_bytes(site: Path, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "a.parquet", "b.parquet"):
        answer("export", site, "--what", "cases", "--out", tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_worst_margins_are_the_smallest_over_the_cases(site: Path) -> None:
    session = Session.open(site)
    swept = session.cases()
    table = exports.worst_margin_table(swept, session.site)
    assert len(table.rows) == len(swept.limits.element)
    number = {c.name: z for z, c in enumerate(swept.cases)}
    for row in table.rows:
        k = next(i for i, pair in enumerate(zip(swept.limits.element, swept.limits.limit, strict=True)) if pair == (row[0], row[2]))
        assert row[-1] == pytest.approx(100.0 * swept.margin_frac[:, k].min())
        assert row[-1] == pytest.approx(100.0 * swept.margin_frac[number[row[3]], k])


def test_an_empty_table_is_still_a_workbook(tmp_path: Path) -> None:
    empty = Table("placement", "Nothing fits", (Field("position", "position"), Field("a_kw", "a", "kW", "number")), ())
    origin = {"site": "s", "result": "headroom", "site digest": "0", "software": "racktwin"}
    exports.write(tmp_path / "e.xlsx", (empty,), origin)
    assert heads(openpyxl.load_workbook(tmp_path / "e.xlsx")["placement"]) == ["position", "a [kW]"]
    exports.write(tmp_path / "e.parquet", (empty,), origin)
    assert pq.read_table(tmp_path / "e.parquet").num_rows == 0


def test_the_digest_follows_the_content_and_not_the_spelling(site: Path, tmp_path: Path) -> None:
    before = exports.site_digest(Session.open(site).site)
    copy = row_folder(tmp_path / "copy")
    assert exports.site_digest(Session.open(copy).site) == before
    (copy / "site.toml").write_text((copy / "site.toml").read_text() + "\n# a remark\n")
    assert exports.site_digest(Session.open(copy).site) == before
    (copy / "racks.csv").write_text((copy / "racks.csv").read_text().replace("row-1-05", "row-1-06"))
    assert exports.site_digest(Session.open(copy).site) != before


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    old = tmp_path / "a.csv"
    old.write_bytes(b"old")
    write_whole(old, b"new")
    assert old.read_bytes() == b"new"
    with pytest.raises(UsageError, match="cannot be written"):
        write_whole(old / "below.csv", b"x")
    (tmp_path / "taken.csv").mkdir()
    with pytest.raises(UsageError, match="--out"):
        write_whole(tmp_path / "taken.csv", b"x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "taken.csv"]


def test_what_cannot_be_exported_says_the_way_out(site: Path, tmp_path: Path) -> None:
    assert ".parquet" in refused("export", site, "--what", "cases", "--out", tmp_path / "a.json")
    assert "--sku" in refused("export", site, "--what", "headroom", "--out", tmp_path / "a.csv")
    assert "--by" in refused("export", site, "--what", "headroom", "--sku", "mtia-450", "--utilisation", "1", "--out", tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_workbook_is_a_sound_archive(site: Path, tmp_path: Path) -> None:
    answer("export", site, "--what", "margins", "--out", tmp_path / "m.xlsx")
    with zipfile.ZipFile(tmp_path / "m.xlsx") as archive:
        assert archive.testzip() is None
        assert any("charts/chart1.xml" in n for n in archive.namelist())
