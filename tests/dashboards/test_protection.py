"""``racktwin protection``: text, JSON and exit codes; what solve and cases say about trips."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dashboards.cli import app
from topology.generate import generate
from topology.write import write_site

RUN = CliRunner()


def site(folder: Path, changes: dict[str, dict[str, dict[str, str]]] | None = None) -> Path:
    """The row template; ``changes`` is file -> id -> column -> cell."""
    write_site(generate("row"), folder)
    for file, rows in (changes or {}).items():
        path = folder / file
        table = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        heads = list(dict.fromkeys([*table[0], *(c for cells in rows.values() for c in cells)]))
        with path.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, heads, lineterminator="\n")
            writer.writeheader()
            writer.writerows({**row, **rows.get(row["id"], {})} for row in table)
    return folder


def asked(*arguments: object, code: int = 0) -> dict[str, Any]:
    found = RUN.invoke(app, [str(a) for a in arguments] + ["--json"])
    assert found.exit_code == code, found.output
    answer: dict[str, Any] = json.loads(found.stdout)
    return answer


def row_of(rows: Sequence[dict[str, Any]], **keys: object) -> dict[str, Any]:
    [found] = [r for r in rows if all(r[k] == v for k, v in keys.items())]
    return found


def test_a_site_that_holds_says_so_and_lists_everything(tmp_path: Path) -> None:
    answer = asked("protection", site(tmp_path / "s"), "--most", 0)
    assert answer["holds"] and answer["trips"] == []
    assert answer["counts"]["breakers"] == len(answer["breakers"]) == 10
    margins = [b["margin_frac"] for b in answer["breakers"]]
    assert margins == sorted(margins)
    assert row_of(answer["schemes"], group="feeds")["holds"]
    pump = row_of(answer["gear"], element="fws-pump-1")
    assert (pump["feed_a"], pump["ups_backed_a"], pump["restart_s"]) == ("board-a", False, 10.0)
    assert {g["element"] for g in answer["generators"]} == {"generator-a", "generator-b"}
    assert answer["counts"]["gear_without_backing"] == 8
    assert row_of(answer["windows"], limit="chip temperature")["longest_window_s"] == 5.0
    assert row_of(answer["windows"], limit="apparent power")["longest_window_s"] == 900.0
    few = asked("protection", tmp_path / "s", "--most", 2)
    assert len(few["breakers"]) == 2 and few["counts"]["breakers"] == 10


WEAK = {"power.csv": {"ups-a": {"rating_kva": "300", "rating_kw": "300"}, "ups-b": {"rating_kva": "300", "rating_kw": "300"}}}


def test_a_ups_that_cannot_bear_the_other_side_trips_after_its_overload_class(tmp_path: Path) -> None:
    """Two UPSs of 300 kW share some 500 kW: after the loss of one the other is above 150 % and gives up at once."""
    folder = site(tmp_path / "s", WEAK)
    answer = asked("protection", folder, "--most", 0, code=1)
    assert not answer["holds"]
    trip = row_of(answer["trips"], case="ups-a", element="ups-b")
    assert trip["load_frac"] > 1.5
    assert trip["trips_after_s"] == pytest.approx(0.2)
    group = row_of(answer["schemes"], group="feeds")
    assert any("after the loss of ups-b" in f for f in group["faults"])
    worst = row_of(asked("cases", folder, "--worst", 0, code=1)["worst"], case="ups-a")
    assert worst["trips_first"] == "ups-b"
    assert worst["trips_after_s"] == pytest.approx(0.2)
    moment = asked("solve", folder, "--outage", "ups-a", code=1)
    over = [r for r in moment["limits_violated"] if r["element"] == "ups-b"]
    assert over and all(r["trips_after_s"] == pytest.approx(0.2) and r["window_s"] == 1.0 for r in over)
    shown = RUN.invoke(app, ["protection", str(folder)])
    assert shown.exit_code == 1
    assert "What trips" in shown.stdout and "0.2 s" in shown.stdout


def test_phases_are_said_and_not_guessed(tmp_path: Path) -> None:
    known = site(tmp_path / "k", {"racks.csv": {f"rack-0{n}": {"phases": p} for n, p in enumerate(["L1", "L1", "L2", "L3", "L3"], 1)}})
    row = row_of(asked("protection", known, "--most", 0)["phases"], element="busway-a")
    assert row["attributed_frac"] == 1.0 and row["unbalance_frac"] > 0.1 and len(row["line_a"]) == 3
    assert "L1" in RUN.invoke(app, ["protection", str(known)]).stdout
    silent = site(tmp_path / "u", {"positions.csv": {f"row-1-0{n}": {"phases": ""} for n in range(1, 9)}})
    row = row_of(asked("protection", silent, "--most", 0)["phases"], element="busway-a")
    assert row["attributed_frac"] == 0.0 and row["line_a"] is None and row["unbalance_frac"] is None
    assert "Phases are not known" in RUN.invoke(app, ["protection", str(silent)]).stdout


def test_sharing_between_cords_widens_what_a_feed_may_carry(tmp_path: Path) -> None:
    folder = site(tmp_path / "s", {"racks.csv": {f"rack-0{n}": {"supply_mode": "cold"} for n in range(1, 6)}})
    row = row_of(asked("protection", folder, "--most", 0)["sharing"], element="ups-a")
    assert row["low_w"] == pytest.approx(0.0, abs=0.03 * row["load_w"])
    assert row["high_w"] == pytest.approx(2.0 * row["load_w"], rel=0.03)
    plain = row_of(asked("cases", folder, "--worst", 0)["worst"], case="normal")
    worst = row_of(asked("cases", folder, "--worst", 0, "--worst-share")["worst"], case="normal")
    assert worst["margin_frac"] <= plain["margin_frac"]


def test_deratings_are_shown_with_their_factors(tmp_path: Path) -> None:
    folder = site(tmp_path / "s")
    (folder / "site.toml").write_text(
        'name = "high"\naltitude_m = 2500\ndesign_dry_bulb_c = 45\ndesign_wet_bulb_c = 17\n', encoding="utf-8"
    )
    rows = asked("protection", folder, "--most", 0)["derating"]
    generator = row_of(rows, element="generator-a")
    assert (generator["altitude_frac"], generator["ambient_frac"]) == pytest.approx((0.91, 0.97))
    assert generator["usable"] == pytest.approx(generator["rating"] * 0.91 * 0.97)
    assert row_of(rows, element="ups-a")["altitude_frac"] == pytest.approx(0.85)
