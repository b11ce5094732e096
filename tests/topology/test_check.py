"""Each fault of a site is found at its place: the row template with one edit each."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import pytest

from topology.catalog import load_catalog
from topology.check import RULES, check_site
from topology.errors import Finding
from topology.generate import generate
from topology.kinds import PowerLink
from topology.schema import schema
from topology.write import write_site

CATALOG = load_catalog()


@dataclass(frozen=True)
class Fault:
    """One edit of the row template and what must be said about it."""

    file: str
    old: str
    new: str
    at: tuple[str, int, str]
    words: str
    severity: str = "error"


FAULTS = {
    # form
    "unknown column": Fault("racks.csv", "id,position", "id,positon", ("racks.csv", 1, "positon"), "unknown column"),
    "wrong quantity": Fault("power.csv", "model,feed", "model,rating_lpm", ("power.csv", 1, "rating_lpm"), "unit of another quantity"),
    "no unit": Fault("loops.csv", "dp_kpa", "dp", ("loops.csv", 1, "dp"), "does not say its unit"),
    "same column twice": Fault("loops.csv", "supply_c,dp_kpa", "supply_c,supply_f", ("loops.csv", 1, "supply_f"), "same column as"),
    "missing column": Fault("manifolds.csv", "id,loop,", "id,roughness_mm,", ("manifolds.csv", 1, "loop"), "is missing"),
    "not a number": Fault("loops.csv", "tcs-1,tcs,pg25,30", "tcs-1,tcs,pg25,warm", ("loops.csv", 3, "supply_c"), "not a number"),
    "unit in the cell": Fault("loops.csv", ",30,80", ",30,80 kPa", ("loops.csv", 3, "dp_kpa"), "stands in the column's name"),
    "decimal comma": Fault("loops.csv", ",30,80", ',30,"80,5"', ("loops.csv", 3, "dp_kpa"), "with a point"),
    "absent number": Fault("loops.csv", "pg25,30", "pg25,", ("loops.csv", 3, "supply_c"), "is empty"),
    "not finite": Fault("loops.csv", "pg25,30", "pg25,nan", ("loops.csv", 3, "supply_c"), "not a finite number"),
    "negative": Fault("loops.csv", ",30,80", ",30,-80", ("loops.csv", 3, "dp_kpa"), "is negative"),
    "zero": Fault("loops.csv", ",30,80", ",30,0", ("loops.csv", 3, "dp_kpa"), "above zero"),
    "half a place": Fault("positions.csv", "row-1,2,", "row-1,2.5,", ("positions.csv", 3, "place"), "not a whole number"),
    "unknown kind": Fault("power.csv", "ups-a,ups,", "ups-a,upss,", ("power.csv", 6, "kind"), "did you mean ups"),
    "too many cells": Fault("rows.csv", "row-1,hall-1", "row-1,hall-1,left", ("rows.csv", 2, ""), "has 3 cells"),
    "open quote": Fault("rows.csv", "row-1,hall-1", '"row-1,hall-1', ("rows.csv", 2, ""), "split into cells"),
    "no id": Fault("towers.csv", "tower-2,", ",", ("towers.csv", 3, "id"), "id is empty"),
    "repeat without count": Fault("towers.csv", "id,model", "repeat,model", ("towers.csv", 1, "id"), "is missing"),
    "unknown setting": Fault("site.toml", "altitude_m", "altitud_m", ("site.toml", 2, "altitud_m"), "unknown column"),
    "setting out of range": Fault("site.toml", "altitude_m = 50", "altitude_m = -900", ("site.toml", 2, "altitude_m"), "too small"),
    "setting as text": Fault("site.toml", "altitude_m = 50", 'altitude_m = "50"', ("site.toml", 2, "altitude_m"), "not a number"),
    "broken toml": Fault("site.toml", "altitude_m = 50", "altitude_m 50", ("site.toml", 2, ""), "not valid TOML"),
    "semicolons": Fault("rows.csv", "id,hall", "id;hall", ("rows.csv", 1, ""), "not separated by commas"),
    # names
    "id with blanks": Fault("towers.csv", "\ntower-2", "\ntower 2", ("towers.csv", 3, "id"), "characters"),
    "id twice": Fault("racks.csv", "rack-03", "rack-02", ("racks.csv", 4, "id"), "already taken in racks.csv:3"),
    "id of another kind": Fault("racks.csv", "rack-03", "cdu-1", ("cdus.csv", 2, "id"), "already taken in racks.csv:4"),
    "unknown sku": Fault("racks.csv", "mtia-450", "mtia-45", ("racks.csv", 2, "sku"), "did you mean mtia-450"),
    "unknown model": Fault("cdus.csv", "row-cdu-1000", "row-cdu-100", ("cdus.csv", 2, "model"), "did you mean row-cdu-1000"),
    "model of another kind": Fault("power.csv", "ups-a,ups,ups-1000", "ups-a,ups,pdu-450", ("power.csv", 6, "model"), "take a ups model"),
    "dangling position": Fault("racks.csv", "row-1-05", "row-1-50", ("racks.csv", 6, "position"), "did you mean"),
    "dangling feed": Fault("positions.csv", "busway-b", "busway-c", ("positions.csv", 2, "feed_b"), "no power element 'busway-c'"),
    "feed that is no feed": Fault("positions.csv", "busway-b", "cdu-1", ("positions.csv", 2, "feed_b"), "is a cdu, not a power element"),
    "dangling member": Fault("redundancy.csv", "ups-a ups-b", "ups-a ups-c", ("redundancy.csv", 2, "members"), "no 'ups-c'"),
    # power
    "circular feed": Fault("power_links.csv", "utility-a,transformer-a", "busway-a,transformer-a",
        ("power_links.csv", 2, "parent"), "circular"),
    "link twice": Fault("power_links.csv", "generator-a,board-a,transfer", "transformer-a,board-a,transfer",
        ("power_links.csv", 4, "child"), "twice"),
    "no source": Fault("power_links.csv", "ups-b,busway-b,normal\n", "", ("power.csv", 13, "id"), "no path to a utility"),
    "fed source": Fault("power_links.csv", "ups-b,busway-b", "ups-b,utility-b", ("power_links.csv", 11, "child"), "is a source"),
    "both cords on one feed": Fault("positions.csv", "busway-a,busway-b", "busway-a,busway-a",
        ("positions.csv", 2, "feed_b"), "both cords"),
    "gear on one feed": Fault("towers.csv", "board-a,board-b", "board-a,board-a", ("towers.csv", 2, "feed_b"), "both cords"),
    "shared parent": Fault("power_links.csv", "board-b,ups-b", "board-a,ups-b",
        ("positions.csv", 2, "feed_b"), "both lost with 'board-a'", "warning"),
    "overload": Fault("racks.csv", "id,position,sku\nrack-01,row-1-01,mtia-450",
        "id,position,sku,budget_kw\nrack-01,row-1-01,mtia-450,2000",
                      ("power.csv", 6, "rating_w"), "are allocated"),
    "rating below child": Fault("power.csv", "feed\nutility-a,utility,utility-5000,A",
        "feed,rating_kva\nutility-a,utility,utility-5000,A,1000",
                                ("power.csv", 2, "rating_kva"), "less than 'transformer-a'", "warning"),
    "reserve only": Fault("power_links.csv", "ups-b,busway-b,normal", "ups-b,busway-b,transfer",
        ("power.csv", 13, "id"), "no normal one", "warning"),
    # places
    "two racks in a position": Fault("racks.csv", "row-1-05", "row-1-04", ("racks.csv", 6, "position"), "held by 'rack-04'"),
    "same place": Fault("positions.csv", "row-1,2,", "row-1,1,", ("positions.csv", 3, "place"), "that of 'row-1-01'"),
    "too heavy": Fault("positions.csv", "manifold-1,2000", "manifold-1,800", ("racks.csv", 2, "position"), "weighs"),
    "too few members": Fault("redundancy.csv", "cdu-1 cdu-2,1", "cdu-1 cdu-2,2", ("redundancy.csv", 3, "members"), "asks for 3 members"),
    "one side of 2N": Fault("redundancy.csv", "ups-a ups-b,1", "ups-a,1", ("redundancy.csv", 2, "members"), "asks for 2 members"),
    # cooling
    "liquid rack on no loop": Fault("positions.csv", "busway-b,manifold-1", "busway-b,", ("racks.csv", 2, "position"), "on no loop"),
    "manifold on a facility loop": Fault("manifolds.csv", "tcs-1", "fws", ("manifolds.csv", 2, "loop"), "is a fws loop"),
    "coolant too warm": Fault("loops.csv", "pg25,30", "pg25,46", ("racks.csv", 2, "sku"), "bears coolant of 45"),
    "uphill": Fault("loops.csv", "pg25,30", "pg25,23", ("loops.csv", 3, "supply_c"), "cannot be cooled by fws"),
    "outside the coolant": Fault("loops.csv", "water,24", "water,2", ("loops.csv", 2, "supply_c"), "outside the range"),
    "liquid to air with a loop": Fault("cdus.csv", "cdu-2,row-cdu-1000", "cdu-2,aalc-l2a-120", ("cdus.csv", 3, "fws"), "leave fws empty"),
    "no sink": Fault("cdus.csv", "tcs-1,fws,", "tcs-1,,", ("cdus.csv", 2, "fws"), "needs a facility loop"),
    "hall air too cold": Fault("halls.csv", "hall-1,27", "hall-1,24", ("halls.csv", 2, "air_supply_c"), "cannot be cooled"),
    "inlet too warm": Fault("halls.csv", "hall-1,27", "hall-1,31", ("racks.csv", 5, "sku"), "bears inlet air of 30"),
}  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("row")
    write_site(generate("row", catalog=CATALOG), folder)
    return {p.name: p.read_text(encoding="utf-8") for p in folder.iterdir()}


def folder_of(tmp_path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def places(findings: tuple[Finding, ...], severity: str) -> list[tuple[str, int, str]]:
    return [(f.file, f.row, f.column) for f in findings if f.severity == severity]


@pytest.mark.parametrize("name", FAULTS)
def test_one_edit_gives_its_finding(tmp_path: Path, template: dict[str, str], name: str) -> None:
    fault = FAULTS[name]
    assert fault.old in template[fault.file]
    found = check_site(folder_of(tmp_path, {**template, fault.file: template[fault.file].replace(fault.old, fault.new, 1)}), CATALOG)
    hits = [f for f in found if (f.file, f.row, f.column) == fault.at and f.severity == fault.severity]
    assert any(fault.words in str(f) for f in hits), "\n".join(map(str, found))
    assert all(f.hint for f in hits)


CASCADES = {"missing column", "repeat without count", "id with blanks", "fed source", "overload", "coolant too warm", "inlet too warm"}
"""Edits that make more than one thing wrong."""


@pytest.mark.parametrize("name", sorted(set(FAULTS) - CASCADES))
def test_one_fault_gives_one_error_and_no_echo(tmp_path: Path, template: dict[str, str], name: str) -> None:
    fault = FAULTS[name]
    found = check_site(folder_of(tmp_path, {**template, fault.file: template[fault.file].replace(fault.old, fault.new, 1)}), CATALOG)
    assert places(found, "error") == ([fault.at] if fault.severity == "error" else []), "\n".join(map(str, found))


def test_faults_of_form_and_meaning_come_together_in_order(tmp_path: Path, template: dict[str, str]) -> None:
    edited = dict(template)
    for name in ("unknown sku", "not a number", "circular feed", "unknown setting", "too few members"):
        fault = FAULTS[name]
        edited[fault.file] = edited[fault.file].replace(fault.old, fault.new, 1)
    found = places(check_site(folder_of(tmp_path, edited)), "error")
    assert found == [
        ("site.toml", 2, "altitud_m"), ("racks.csv", 2, "sku"), ("power_links.csv", 2, "parent"),
        ("loops.csv", 3, "supply_c"), ("redundancy.csv", 3, "members"),
    ]  # fmt: skip


@pytest.mark.parametrize("template_name", ["row", "reference", "frontier"])
def test_a_template_has_no_finding(template_name: str) -> None:
    assert check_site(generate(template_name, catalog=CATALOG)) == ()


@pytest.mark.parametrize("stem", ["halls", "rows", "positions", "racks", "power", "power_links"])
def test_a_missing_file_is_one_error(tmp_path: Path, template: dict[str, str], stem: str) -> None:
    found = check_site(folder_of(tmp_path, {n: t for n, t in template.items() if n != f"{stem}.csv"}))
    assert (f"{stem}.csv", 0, "") in places(found, "error")
    assert not [f for f in found if f.file != f"{stem}.csv" and stem in ("halls", "rows", "positions", "racks")]


def test_a_folder_that_is_not_there_is_one_finding(tmp_path: Path) -> None:
    [finding] = check_site(tmp_path / "nowhere")
    assert "does not exist" in finding.message
    assert "site new" in finding.hint


def test_an_empty_folder_says_which_files_every_site_has(tmp_path: Path) -> None:
    files = {f.file for f in check_site(tmp_path) if f.severity == "error"}
    assert {"site.toml", "halls.csv", "rows.csv", "positions.csv", "racks.csv", "power.csv", "power_links.csv"} <= files


@pytest.mark.parametrize(
    ("raw", "row", "words"),
    [
        ("id,hall\nréihe,hall-1\n".encode("latin-1"), 2, "not UTF-8"),
        ("id,hall\nrow-1,hall-1\n".encode("utf-16"), 0, "UTF-16"),
        (b"", 0, "empty"),
        (b"\n\n# nothing\n", 0, "empty"),
    ],
)
def test_a_file_that_is_no_text_is_one_error(tmp_path: Path, template: dict[str, str], raw: bytes, row: int, words: str) -> None:
    folder = folder_of(tmp_path, template)
    (folder / "rows.csv").write_bytes(raw)
    [finding] = [f for f in check_site(folder) if f.severity == "error"]
    assert (finding.file, finding.row) == ("rows.csv", row)
    assert words in finding.message


def test_a_misspelt_file_is_doubted(tmp_path: Path, template: dict[str, str]) -> None:
    [finding] = check_site(folder_of(tmp_path, {**template, "meter.csv": "id\n"}))
    assert (finding.file, finding.severity) == ("meter.csv", "warning")
    assert "meters.csv" in finding.hint


def test_a_catalog_fault_is_among_the_findings(tmp_path: Path, template: dict[str, str]) -> None:
    folder = folder_of(tmp_path, template)
    (folder / "catalog").mkdir()
    (folder / "catalog" / "power_models.toml").write_text('[x]\nkind = "ups"\nrating_lpm = 3\n', encoding="utf-8")
    found = [f for f in check_site(folder) if "power_models.toml" in f.file]
    assert found
    assert any("rating_lpm" in (f.column + f.message) for f in found)


def test_dates_meters_and_overlaps(tmp_path: Path, template: dict[str, str]) -> None:
    racks = (
        "id,position,sku,state,live_from,live_until\n"
        "r1,row-1-01,mtia-450,live,2026-05-01,2026-04-01\n"
        "r2,row-1-02,mtia-450,committed,,\n"
        "r3,row-1-03,mtia-450,live,,2026-12-31\n"
        "r4,row-1-03,mtia-450,committed,2027-01-01,\n"
        "r5,row-1-04,mtia-450,live,2026-13-01,\n"
    )
    meters = "id,covers\nm1,row-1\nm2,r1 r2\nm3,row-1-08\n"
    found = check_site(folder_of(tmp_path, {**template, "racks.csv": racks, "meters.csv": meters}))
    assert places(found, "error") == [("racks.csv", 2, "live_until"), ("racks.csv", 6, "live_from"), ("meters.csv", 3, "covers")]
    assert places(found, "warning") == [("racks.csv", 3, "live_from"), ("meters.csv", 4, "covers")]


def test_a_site_in_memory_is_held_to_the_same_bounds() -> None:
    site = generate("row", catalog=CATALOG)
    rack = dataclasses.replace(site.racks["rack-01"], share_a_frac=1.5, state="lives")
    pump = dataclasses.replace(site.pumps["fws-pump-1"], id="rack-02")
    found = check_site(site.with_(racks={**site.racks, "rack-01": rack}, pumps={"rack-02": pump, "fws-pump-2": site.pumps["fws-pump-2"]}))
    assert ("racks.csv", 0, "share_a_frac") in places(found, "error")
    assert ("racks.csv", 0, "state") in places(found, "error")
    assert ("pumps.csv", 0, "id") in places(found, "error")


def test_parallel_parents_share_and_transfers_carry_nothing() -> None:
    site = generate("row", catalog=CATALOG)
    twin = dataclasses.replace(site.power["ups-a"], id="ups-a2")
    heavy = {r: dataclasses.replace(k, budget_w=500e3) for r, k in site.racks.items()}
    base = site.with_(racks=heavy, power={**site.power, "ups-a2": twin})
    links = (*site.power_links, PowerLink(parent="board-a", child="ups-a2"))
    overloaded = {f.element for f in check_site(base.with_(power_links=links)) if "allocated" in f.message}
    assert {"ups-a", "ups-b"} <= overloaded
    shared = (*links, PowerLink(parent="ups-a2", child="busway-a"))
    overloaded = {f.element for f in check_site(base.with_(power_links=shared)) if "allocated" in f.message}
    assert "ups-a" not in overloaded
    assert "ups-b" in overloaded
    reserve = (*links, PowerLink(parent="ups-a2", child="busway-a", role="transfer"))
    overloaded = {f.element for f in check_site(base.with_(power_links=reserve)) if "allocated" in f.message}
    assert {"ups-a", "ups-b"} <= overloaded
    assert "ups-a2" not in overloaded


def test_ten_thousand_racks_are_checked() -> None:
    site = generate("reference", 10_000, CATALOG)
    assert check_site(site) == ()


def test_ten_thousand_faults_are_told(tmp_path: Path) -> None:
    """One wrong prefix, one wrong cell in every row."""
    write_site(generate("reference", 10_000, CATALOG), tmp_path / "big")
    racks = (tmp_path / "big" / "racks.csv").read_text(encoding="utf-8").splitlines()
    cells = [r.split(",", 2) for r in racks[1:]]
    rows = [racks[0].replace("sku", "share_a_pct,sku"), *(f"{rack},hall-{place},many,{rest}" for rack, place, rest in cells)]
    (tmp_path / "big" / "racks.csv").write_text("\n".join(rows), encoding="utf-8")
    found = check_site(tmp_path / "big", CATALOG)
    assert len([f for f in found if f.column == "position"]) == len([f for f in found if f.column == "share_a_pct"]) == 10_000


def test_every_check_says_what_it_looks_for() -> None:
    assert len(RULES) > 20
    assert len({r.name for r in RULES}) == len(RULES)
    assert all(len(r.doc) > 20 for r in RULES)


def test_the_schema_names_every_way_of_writing_a_column() -> None:
    rows = {(r.file, r.column): r for r in schema()}
    rating = rows["power.csv", "rating_va"]
    assert rating.accepted == ("rating_va", "rating_kva", "rating_mva")
    assert (rating.unit, rating.required, rating.file_required) == ("VA", False, True)
    assert rows["racks.csv", "sku"].required
    assert rows["racks.csv", "sku"].refs == ("sku",)
    assert rows["racks.csv", "state"].default == "live"
    assert rows["halls.csv", "air_supply_c"].default == "24"
    assert not rows["meters.csv", "id"].file_required
    assert rows["site.toml", "name"].required
    assert rows["catalog/skus.toml parts", "max_w"].accepted == ("max_w", "max_kw", "max_mw")
    assert ("catalog/skus.toml", "source") in rows
    assert all(r.doc for r in rows.values())
