"""Playing the past from the command line: the same figures wherever it begins and however fast, and what meters say of the twin."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.dashboards.rows import answer, refused, run
from tests.twin.played import END, READ, WARM, recorded
from tests.twin.sites import small_site
from topology.overlay import write_overlay
from topology.plant import plant
from topology.write import write_site

HOUR = ("--start", "2026-06-01T00:00Z", "--end", "2026-06-01T01:00Z")
TIMES = ("wall_s", "solve_s")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay") / "small"
    write_site(small_site(), folder)
    return folder


@pytest.fixture(scope="module")
def store(site: Path) -> Path:
    file, where = site.parent / "readings.parquet", site.parent / "store"
    recorded(plant(small_site()), np.random.default_rng(5)).to_parquet(file)
    found = answer("ingest", site, file, "--store", where, "--vendor", "racktwin")
    assert found["rows_stored"] == found["rows_in"]
    return where


def test_a_played_window_has_the_figures_of_a_replayed_one(site: Path, store: Path) -> None:
    whole = answer("replay", site, "--store", store, *HOUR)
    played = answer("replay", site, "--store", store, *HOUR, "--speed", "1e6x")
    assert played.pop("stopped") is False and (played.pop("first_step"), played.pop("window_steps")) == (0, 60)
    for key in TIMES:
        assert whole.pop(key) > 0.0 and played.pop(key) > 0.0
    assert played == whole


def test_seek_and_steps_give_these_steps_of_the_window(site: Path, store: Path) -> None:
    asked = ("replay", site, "--store", store, *HOUR, "--seek", "2026-06-01T00:20:30Z", "--steps", 15)
    found = answer(*asked)
    assert (found["start"], found["end"], found["frames"]) == ("2026-06-01T00:20:00Z", "2026-06-01T00:35:00Z", 15)
    assert (found["first_step"], found["window_steps"]) == (20, 60)
    same = answer("replay", site, "--store", store, "--start", "2026-06-01T00:20Z", "--end", "2026-06-01T00:35Z")
    assert found["site_energy_j"] == same["site_energy_j"] and found["lowest_margins"] == same["lowest_margins"]
    assert "outside the window" in refused("replay", site, "--store", store, *HOUR, "--seek", "2026-06-02T00:00Z")
    assert "1 or more" in refused("replay", site, "--store", store, *HOUR, "--steps", 0)
    assert "--engine is for whole windows" in refused(*asked, "--engine", "processes")


def test_each_step_shows_while_it_plays(site: Path, store: Path) -> None:
    result = run("replay", site, "--store", store, *HOUR, "--speed", "6000x", "--steps", 5)
    lines = [x for x in result.stderr.splitlines() if "PUE" in x]
    assert [x[:20] for x in lines] == [f"2026-06-01T00:0{k}:00Z" for k in range(5)]
    assert all(" kW " in x and "degC r" in x and "least margin" in x for x in lines)
    assert "5 steps of 60 s" in result.stdout
    assert "write 600 or 600x" in refused("replay", site, "--store", store, "--speed", "fast")
    assert "--store DIR" in refused("replay", site)


def test_a_stop_gives_what_was_shown_so_far(site: Path, store: Path) -> None:
    command = [sys.executable, "-c", "from dashboards.cli import app; app()", "replay", site, "--store", store, "--speed", "120x"]
    with subprocess.Popen([*map(str, command), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        heard = [process.stderr.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        out, more = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in more
    found = json.loads(out)
    shown = len(heard) + sum("PUE" in x for x in more.splitlines())
    assert found["stopped"] is True and found["frames"] == shown < found["window_steps"]


def test_residuals_name_the_sensor_that_is_off(site: Path, store: Path, tmp_path: Path) -> None:
    found = answer("replay", site, "--store", store, "--residuals")["residuals"]
    assert {c["channel"] for c in found["channels"]} == set(READ) - {"rack power"}
    assert [(i["channel"], i["elements"]) for i in found["inputs"]] == [("rack power", ["r1", "r2", "r3", "r4", "r5"])]
    temps = next(c for c in found["channels"] if c["channel"] == "CDU supply temperature")
    first = temps["elements"][0]
    assert (temps["unit"], temps["mape_frac"], first["element"]) == ("k", None, "cdu-1")
    assert first["bias"] == pytest.approx(WARM.value, abs=0.02) and first["within_frac"] < 0.05
    feeds = next(c for c in found["channels"] if c["channel"] == "feed power")
    assert abs(feeds["nmbe_frac"]) < 0.001 < feeds["mape_frac"] < 0.005
    write_overlay([WARM], tmp_path / "calibration.csv")
    known = answer("replay", site, "--store", store, "--residuals", "--calibration", tmp_path / "calibration.csv")["residuals"]
    temps = next(c for c in known["channels"] if c["channel"] == "CDU supply temperature")
    assert max(abs(e["bias"]) for e in temps["elements"]) < 0.02


def test_the_tables_say_what_is_furthest_off(site: Path, store: Path) -> None:
    shown = run("replay", site, "--store", store, "--residuals").stdout
    worst = shown[shown.index("Furthest off") :].splitlines()[2]
    assert worst.startswith("cdu-1") and "CDU supply temperature" in worst and "+0.8 K" in worst
    assert "rack power of 5 elements is what the load was made of: no check" in shown
    assert END.isoformat()[:10] in shown
