"""``racktwin year``: what it answers, what it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from dashboards.cli import app
from dashboards.figures.year import year_figure
from dashboards.session import Session
from tests.twin.sites import small_site
from tests.twin.test_epw import row, write
from topology.write import write_site

ROWS = [row(m, 1, h, dry=f"{4.0 * m + h / 4.0:.1f}", humid="70") for m in (1, 7) for h in range(1, 13)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("year") / "small"
    write_site(small_site(racks=5), folder)
    return folder


@pytest.fixture(scope="module")
def epw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("weather"), ROWS, zone="0")


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["year", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_the_answer_as_json_adds_up(site: Path, epw: Path) -> None:
    code, out, _ = run(site, "--weather", epw, "--utilisation", 0.6, "--price", 0.1, "--demand-charge", 10, "--carbon", 400, "--json")
    answer = json.loads(out)
    assert code == 0
    kwh = answer["site_energy_j"] / 3.6e6
    assert answer["hours"] == 24.0
    assert answer["pue"] == pytest.approx(answer["site_energy_j"] / answer["it_energy_j"])
    assert answer["pue_category"] == 3
    assert answer["pue_category_1"] < answer["pue_category_3"] <= answer["tue"]
    assert "designed" in answer["pue_kind"]
    assert answer["energy_cost_usd"] == pytest.approx(0.1 * kwh)
    assert answer["carbon_kg"] == pytest.approx(0.4 * kwh)
    assert answer["demand_cost_usd"] == pytest.approx(10.0 * sum(m["peak_power_w"] for m in answer["months"]) / 1e3)
    assert [m["month"] for m in answer["months"]] == [1, 7]
    assert sum(m["water_l"] for m in answer["months"]) == pytest.approx(answer["water_l"])
    assert answer["wue_l_kwh"] == pytest.approx(answer["water_l"] / (answer["it_energy_j"] / 3.6e6))
    assert answer["weather"]["synthetic"] is False
    assert answer["peak"]["time"].endswith("Z")
    assert answer["merkel_hours"] == 24.0


def test_people_read_the_category_and_where_merkel_was_used(site: Path, epw: Path) -> None:
    code, out, _ = run(site, "--weather", epw, "--utilisation", 0.6)
    assert code == 0
    assert "category 3, IT at the racks' inputs; designed, not measured" in out
    assert "Merkel in 24 hours outside York's bounds" in out
    assert "Sample Town" in out


def test_files_hold_the_same_year(site: Path, epw: Path, tmp_path: Path) -> None:
    code, out, _ = run(site, "--weather", epw, "--out", tmp_path / "out", "--json")
    answer = json.loads(out)
    assert code == 0
    assert [Path(f).name for f in answer["files"]] == ["year.xlsx", "hours.parquet", "months.csv", "year.html"]
    hours = pq.read_table(tmp_path / "out" / "hours.parquet")
    assert hours.num_rows == 24
    assert sum(hours["site_kw"].to_pylist()) * 3.6e6 == pytest.approx(answer["site_energy_j"])
    assert hours.schema.field("site_kw").metadata == {b"unit": b"kW"}
    assert b"town.epw" in hours.schema.metadata[b"racktwin.weather"]
    head, january, july = (tmp_path / "out" / "months.csv").read_text().splitlines()
    assert head.startswith("month,hours_h,site_mwh,it_mwh,")
    assert (january.split(",")[0], july.split(",")[0]) == ("1", "7")
    book = openpyxl.load_workbook(tmp_path / "out" / "year.xlsx")
    assert book.sheetnames == ["year", "months", "subsystems", "hours", "about"]
    page = (tmp_path / "out" / "year.html").read_text()
    assert "PUE (category 3, interim)" in page
    assert "<script src=" not in page


def test_hours_left_out_are_said_and_make_exit_1(site: Path, tmp_path: Path) -> None:
    spoiled = write(tmp_path, [row(1, 1, 1, dry="99.9"), *ROWS[1:]], zone="0")
    code, out, err = run(site, "--weather", spoiled, "--json")
    answer = json.loads(out)
    assert code == 1
    assert (answer["hours"], answer["weather"]["left_out"]) == (23.0, 1)
    assert answer["findings"][0]["row"] == 9
    code, _, err = run(site, "--weather", spoiled)
    assert code == 1
    assert "town.epw:9:dry bulb" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--weather", "absent.epw"), "absent.epw cannot be read"),
        (("--price", "dear"), "--price dear is neither a number (usd/kwh) nor a file"),
        (("--carbon", "-3"), "is not a number of at least 0"),
        (("--utilisation", "2"), "outside 0 to 1"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(site: Path, epw: Path, arguments: tuple[str, ...], message: str) -> None:
    weather = () if "--weather" in arguments else ("--weather", epw)
    code, out, err = run(site, *weather, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_a_moment_says_where_merkel_was_used(site: Path) -> None:
    done = CliRunner().invoke(app, ["solve", str(site), "--wet-bulb-c", "27", "--dry-bulb-c", "35", "--json"])
    answer = json.loads(done.stdout)
    towers = [r for r in answer["outside"] if r["kind"] == "tower"]
    assert (answer["wet_bulb_c"], answer["dry_bulb_c"]) == (27.0, 35.0)
    assert [r["model"] for r in towers] == ["Merkel", "Merkel"]
    assert sum(r["water_l_h"] for r in towers) > 0.0
    assert [r["in_bounds"] for r in answer["outside"] if r["kind"] == "chiller"] == [False]
    read = CliRunner().invoke(app, ["solve", str(site), "--wet-bulb-c", "27"]).stdout
    assert "Merkel, outside York's bounds: tower-1, tower-2" in read
    assert "(category 3)" in read
    mild = json.loads(CliRunner().invoke(app, ["solve", str(site), "--wet-bulb-c", "20", "--outage", "tower-2", "--json"]).stdout)
    assert [(r["runs"], r["model"]) for r in mild["outside"] if r["kind"] == "tower"] == [(True, "York"), (False, "York")]


def test_the_figure_shows_the_ratio_of_every_month(site: Path, epw: Path) -> None:
    solved = Session.open(site).year(0.6, epw)
    figure = year_figure(solved)
    lines = {t.name: t for t in figure.data}
    hours = solved.hours
    for k, month in enumerate((1, 7)):
        on = solved.weather.month == month
        assert lines["PUE (category 3, interim)"].y[k] == pytest.approx(hours.site_w[on].sum() / hours.rack_w[on].sum())
        assert lines["make-up water"].y[k] == pytest.approx(hours.water_kg_s[on].sum() * 3.6)
        assert sum(lines[n].y[k] for n in ("power chain", "CDUs", "air units", "facility pumps", "towers")) == pytest.approx(
            (hours.site_w - hours.rack_w - hours.chiller_w)[on].sum() / 1e6
        )
    low, high = figure.layout.yaxis2.range
    assert low == 1.0
    assert all(low < r < high for r in lines["PUE (category 3, interim)"].y)
