"""The one-line of the power chain, as its users meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboards.exports import Table
from dashboards.feed_answers import feed_table
from tests.dashboards.rows import answer, refused, row_folder, run

CABLES = "r_mohm_m,x_mohm_m,length_m"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The row template with 80 m of cable in each busway."""
    folder = row_folder(tmp_path_factory.mktemp("feeds") / "row")
    head, *rows = (folder / "power.csv").read_text().splitlines()
    given = [row + (",0.06,0.05,80" if row.startswith("busway-") else ",,,") for row in rows]
    (folder / "power.csv").write_text("\n".join([f"{head},{CABLES}", *given]) + "\n")
    return folder


def test_every_element_has_its_figures_and_they_agree_with_each_other(site: Path) -> None:
    found = answer("feeds", site)
    rows = {e["element"]: e for e in found["elements"]}
    busway = rows["busway-a"]
    assert busway["fed_by"] and busway["depth"] == rows[busway["fed_by"][0]]["depth"] + 1
    above = rows[busway["fed_by"][0]]
    assert busway["voltage_v"] == pytest.approx(415.0 * busway["voltage_frac"])
    assert 0.0 < busway["drop_frac"] < 0.05 and busway["voltage_frac"] == pytest.approx(above["voltage_frac"] - busway["drop_frac"])
    assert busway["apparent_power_va"] == pytest.approx(3**0.5 * busway["voltage_v"] * busway["current_a"])
    assert busway["power_factor"] == pytest.approx(busway["power_w"] / busway["apparent_power_va"])
    sources = [e for e in found["elements"] if not e["fed_by"] and e["state"] == "live"]
    assert found["source_power_w"] == pytest.approx(sum(e["power_w"] + e["loss_w"] for e in sources))
    assert json.loads(run("solve", site, "--json").stdout)["feeds"] == found["elements"]


def test_below_an_element_and_after_a_loss(site: Path) -> None:
    both, one = answer("feeds", site, "--under", "busway-a"), answer("feeds", site, "--under", "busway-a", "--outage", "busway-b")
    assert [e["element"] for e in one["elements"]] == ["busway-a"]
    assert one["elements"][0]["current_a"] > 1.9 * both["elements"][0]["current_a"]
    assert one["elements"][0]["drop_frac"] > 1.9 * both["elements"][0]["drop_frac"]
    cords = one["racks"][0]["cords"]
    assert [c["feed"] for c in cords] == ["busway-a", "busway-b"]
    assert cords[1]["power_w"] == cords[1]["voltage_frac"] == 0.0
    text = run("feeds", site, "--under", "busway-a", "--outage", "busway-b").stdout
    assert "without busway-b" in text and "V (9" in text and "kVA" in text and "rack-01" in text
    assert "dead" in run("feeds", site, "--outage", "busway-b").stdout
    assert "busway-a?" in refused("feeds", site, "--under", "busway-x")


def test_a_load_that_no_voltage_carries_is_told_and_is_exit_one(site: Path, tmp_path: Path) -> None:
    weak = row_folder(tmp_path / "weak")
    (weak / "power.csv").write_text((site / "power.csv").read_text().replace("0.06,0.05,80", "0.06,0.05,9000"))
    found = answer("feeds", weak, code=1)
    assert {e["element"] for e in found["elements"] if e["state"] == "no voltage carries its load"} == {"busway-a", "busway-b"}
    solved = answer("solve", weak, code=1)
    assert ("busway-a", "voltage drop") in {(r["element"], r["limit"]) for r in solved["limits_violated"]}
    assert "no voltage carries its load" in run("feeds", weak).stdout


def test_the_table_is_the_answer_in_kilowatts(site: Path) -> None:
    rows = answer("feeds", site)["elements"]
    table: Table = feed_table(rows)
    at = {f.name: k for k, f in enumerate(table.fields)}
    assert len(table.rows) == len(rows)
    assert table.rows[3][at["power_kw"]] == pytest.approx(rows[3]["power_w"] / 1e3)
    made = answer("export", site, "--what", "feeds", "--utilisation", "0.5", "--out", site.parent / "feeds.xlsx")
    assert made["tables"]["feeds"] == len(rows) and made["tables"]["margins"] > 0
