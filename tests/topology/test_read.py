"""Reading and writing a site folder."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topology.catalog import load_catalog
from topology.check import check_site
from topology.errors import SiteError
from topology.generate import generate
from topology.kinds import STATES, PowerElement, Settings
from topology.read import read_site
from topology.site import Site
from topology.write import site_files, write_site

CATALOG = load_catalog()


def content(site: Site) -> dict[str, object]:
    """Everything of a site but where it was read from."""
    skipped = ("origin", "folder", "catalog")
    return {f.name: getattr(site, f.name) for f in dataclasses.fields(site) if f.name not in skipped}


@pytest.fixture
def row(tmp_path: Path) -> Path:
    write_site(generate("row", catalog=CATALOG), tmp_path / "row")
    return tmp_path / "row"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1, f"{old!r} is not in {path.name}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize("template", ["row", "frontier", "reference"])
def test_a_template_comes_back_as_it_was_written(tmp_path: Path, template: str) -> None:
    site = generate(template, catalog=CATALOG)
    write_site(site, tmp_path / "site")
    assert content(read_site(tmp_path / "site")) == content(site)


FINITE = st.floats(min_value=1e-3, max_value=1e9, allow_nan=False)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_numbers_and_words_come_back_to_the_last_bit(tmp_path: Path, data: st.DataObject) -> None:
    site = generate("reference", data.draw(st.integers(1, 12)), CATALOG)
    racks = {
        name: dataclasses.replace(
            rack,
            state=data.draw(st.sampled_from(STATES)),
            budget_w=data.draw(st.none() | FINITE),
            share_a_frac=data.draw(st.floats(0.0, 1.0)),
            live_from=data.draw(st.none() | st.dates(dt.date(2020, 1, 1), dt.date(2040, 1, 1))),
            owner=data.draw(TEXT | st.just('a, "b"; c') | st.just("")).strip(),
        )
        for name, rack in site.racks.items()
    }
    halls = {n: dataclasses.replace(h, air_supply_c=data.draw(st.floats(-20, 60))) for n, h in site.halls.items()}
    power = {
        n: dataclasses.replace(p, rating_va=data.draw(FINITE), loss_quad_per_w=data.draw(st.none() | st.floats(0, 1e-6)))
        for n, p in list(site.power.items())[:3]
    }
    named = Settings(name=data.draw(TEXT), price_usd_j=data.draw(st.floats(0, 1e-6)), horizon=data.draw(st.none() | st.dates()))
    changed = site.with_(racks=racks, halls=halls, power={**site.power, **power}, settings=named)
    folder = tmp_path / "any"
    write_site(changed, folder)
    assert content(read_site(folder, CATALOG)) == content(changed)


def test_people_see_their_own_units() -> None:
    files = dict(site_files(generate("reference", catalog=CATALOG)))
    assert "rating_kva" in files["power.csv"].splitlines()[0]
    assert "dp_kpa" in files["loops.csv"].splitlines()[0]
    assert ",150\n" in files["loops.csv"]
    assert "supply_c" in files["loops.csv"].splitlines()[0]
    assert "price_usd_kwh = 0.094" in dict(site_files(generate("frontier", catalog=CATALOG)))["site.toml"]


@pytest.mark.parametrize(
    ("column", "cell", "watts"),
    [("rating_kva", "750", 750e3), ("rating_va", "750000", 750e3), ("rating_mva", "0.75", 750e3), ("rating_mva", " 7.5e-1 ", 750e3)],
)
def test_a_column_takes_any_unit_of_its_quantity(row: Path, column: str, cell: str, watts: float) -> None:
    edit(row / "power.csv", "id,kind,model,feed", f"id,kind,model,feed,{column}")
    edit(row / "power.csv", "ups-a,ups,ups-1000,A", f"ups-a,ups,ups-1000,A,{cell}")
    site = read_site(row)
    assert site.power["ups-a"].rating_va == pytest.approx(watts, rel=1e-15)
    assert site.power["ups-b"].rating_va is None


def test_temperatures_in_fahrenheit(row: Path) -> None:
    edit(row / "loops.csv", "supply_c", "supply_f")
    edit(row / "loops.csv", ",24,", ",75.2,")
    edit(row / "loops.csv", ",30,", ",86,")
    loops = read_site(row).loops
    assert loops["fws"].supply_c == pytest.approx(24.0, abs=1e-9)
    assert loops["tcs-1"].supply_c == pytest.approx(30.0, abs=1e-9)


def test_settings_take_any_unit_and_toml_dates(row: Path) -> None:
    (row / "site.toml").write_text('name = "x"\naltitude_ft = 1000\nprice_usd_mwh = 80\nhorizon = 2028-01-01\n', encoding="utf-8")
    found = read_site(row).settings
    assert found.altitude_m == pytest.approx(304.8)
    assert found.price_usd_j == pytest.approx(0.08 / 3.6e6)
    assert found.horizon == dt.date(2028, 1, 1)


def test_a_row_of_racks_is_given_once(row: Path) -> None:
    head = "id,row,place,feed_a,feed_b,manifold,repeat,first\n"
    (row / "positions.csv").write_text(head + "row-1-{n:02},row-1,{n},busway-a,busway-b,manifold-1,8,\n", encoding="utf-8")
    (row / "racks.csv").write_text("id,position,sku,repeat,first\nrack-{n},row-1-{n:02},mtia-450,3,2\n", encoding="utf-8")
    site = read_site(row)
    assert list(site.positions) == [f"row-1-{n:02d}" for n in range(1, 9)]
    assert [p.place for p in site.positions.values()] == list(range(1, 9))
    assert {r.id: r.position for r in site.racks.values()} == {"rack-2": "row-1-02", "rack-3": "row-1-03", "rack-4": "row-1-04"}
    assert site.origin["rack-4"] == ("racks.csv", 2)


def test_a_star_row_gives_what_empty_cells_mean(row: Path) -> None:
    rows = "id,position,sku,state,owner\n*,,mtia-450,planned,anna\nr1,row-1-01,,,\nr2,row-1-02,hgx-h100,live,\n"
    (row / "racks.csv").write_text(rows, encoding="utf-8")
    racks = read_site(row).racks
    assert (racks["r1"].sku, racks["r1"].state, racks["r1"].owner) == ("mtia-450", "planned", "anna")
    assert (racks["r2"].sku, racks["r2"].state, racks["r2"].owner) == ("hgx-h100", "live", "anna")


def test_marks_comments_blank_lines_and_quotes_are_borne_and_lines_stay_right(row: Path) -> None:
    text = '\ufeff# racks, as delivered "yet\n\nid, position ,sku,owner\n"r1",row-1-01,mtia-450,"Anna, Bo\nand Cy"\n,,,\n'
    text += "r2,row-1-02,mtia-999,\n"
    (row / "racks.csv").write_text(text, encoding="utf-8")
    [finding] = [f for f in check_site(row) if f.severity == "error"]
    assert (finding.file, finding.row, finding.column, finding.element) == ("racks.csv", 7, "sku", "r2")
    edit(row / "racks.csv", "mtia-999", "mtia-400")
    site = read_site(row)
    assert site.racks["r1"].owner == "Anna, Bo\nand Cy"
    assert site.origin["r1"] == ("racks.csv", 4)


def test_reading_stops_on_errors_with_every_finding_and_not_on_doubts(row: Path) -> None:
    edit(row / "racks.csv", "mtia-450", "mtia-45")
    edit(row / "power.csv", "ups-b,ups", "ups-b,upss")
    with pytest.raises(SiteError) as caught:
        read_site(row)
    assert [(f.file, f.row, f.column) for f in caught.value.findings] == [("power.csv", 12, "kind")]
    edit(row / "power.csv", "ups-b,upss", "ups-b,ups")
    with pytest.raises(SiteError, match="did you mean mtia-450"):
        read_site(row)
    edit(row / "racks.csv", "mtia-45\n", "mtia-450\n")
    (row / "rakcs.csv").write_text("id\n", encoding="utf-8")
    assert len(read_site(row).racks) == 5


def test_the_overlay_of_a_site_wins_over_the_catalog(row: Path) -> None:
    (row / "catalog").mkdir()
    entry = '[ups-1000]\nkind = "ups"\nrating_kva = 777\nvoltage_v = 415\n'
    entry += 'source = "test report"\ndate = "2026-01-01"\nconfidence = "measured"\n'
    (row / "catalog" / "power_models.toml").write_text(entry, encoding="utf-8")
    site = read_site(row)
    assert site.catalog.entries["power_model"]["ups-1000"].rating_va == 777e3
    write_site(site, row.parent / "copy")
    assert read_site(row.parent / "copy").catalog.entries["power_model"]["ups-1000"].rating_va == 777e3


def test_writing_leaves_strangers_and_takes_away_kinds_that_are_gone(row: Path) -> None:
    (row / "notes.txt").write_text("mine", encoding="utf-8")
    site = read_site(row)
    write_site(site.with_(redundancy={}), row)
    assert not (row / "redundancy.csv").exists()
    assert (row / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert [p.name for p in row.parent.iterdir()] == ["row"]
    assert content(read_site(row)) == content(site.with_(redundancy={}))


def test_writing_where_a_file_stands_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(SiteError, match="cannot be written"):
        write_site(generate("row", catalog=CATALOG), tmp_path / "taken")


def test_ten_thousand_racks_are_read(tmp_path: Path) -> None:
    write_site(generate("reference", 10_000, CATALOG), tmp_path / "big")
    site = read_site(tmp_path / "big", CATALOG)
    assert len(site.racks) == 10_000


def test_a_power_element_keeps_a_zero_that_is_not_a_gap(tmp_path: Path) -> None:
    site = generate("row", catalog=CATALOG)
    ideal = PowerElement(id="ups-a", kind="ups", model="ups-1000", loss_fixed_w=0.0)
    write_site(site.with_(power={**site.power, "ups-a": ideal}), tmp_path / "row")
    found = read_site(tmp_path / "row").power
    assert found["ups-a"].loss_fixed_w == 0.0
    assert found["ups-b"].loss_fixed_w is None
