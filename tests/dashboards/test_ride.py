"""The ride as its users meet it: the answer, the plot, the export, the complaints."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dashboards.figures.ride import ride_figure
from dashboards.session import Session
from tests.dashboards.rows import answer, refused, row_folder, run


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return row_folder(tmp_path_factory.mktemp("ride") / "row")


def test_a_lost_loop_reaches_limits_and_says_which_first(site: Path, tmp_path: Path) -> None:
    arguments = ("--event", "t=10 lose fws", "--for", "10m", "--step", "5s", "--utilisation", "0.8", "--out", tmp_path / "out")
    found = answer("ride", site, *arguments, "--plot", tmp_path / "ride.html", code=1)
    assert found["first"] == found["limits_reached"][0]
    times = [r["time_s"] for r in found["limits_reached"]]
    assert times == sorted(times) and times[0] > 10.0
    assert found["first"]["after_event_s"] == pytest.approx(times[0] - 10.0)
    racks = [min(v for k, v in r.items() if k.endswith("_s") and v is not None) for r in found["racks"] if r["chip_s"] is not None]
    assert racks == sorted(racks) and racks
    modes = {x["element"]: x["mode"] for x in found["loops"]}
    assert modes["tcs-1"] == "loss of heat rejection" and "loss of flow" in modes["fws"]
    assert found["energy_closure_frac"] < 1e-6
    limits, loops = (pd.read_parquet(tmp_path / "out" / f"{name}.parquet") for name in ("limits", "loops"))
    assert len(limits) == len(times) and set(loops["loop"]) == {"fws", "tcs-1"} and len(loops) == 2 * 121
    assert "plotly" in (tmp_path / "ride.html").read_text(encoding="utf-8")


def test_a_harmless_event_says_so_in_words(site: Path) -> None:
    result = run("ride", site, "--event", "t=5 lose tower-1", "--for", "60s", "--utilisation", "0.5")
    assert result.exit_code == 0
    assert "No limit is reached" in result.stdout and "tower-1" in result.stdout


def test_a_cap_and_a_swing_are_part_of_the_answer(site: Path) -> None:
    found = answer(
        "ride", site, "--event", "t=0 swing 2Hz 0.5", "--for", "30s", "--utilisation", "0.5", "--cap-after", "5s", "--cap-to", "0.4"
    )
    assert [e["event"] for e in found["events"]] == ["swing", "cap"]
    assert 0.0 < found["swings"][0]["utility_amplitude_w"] < found["swings"][0]["racks_amplitude_w"]


def test_wrong_events_are_refused_with_the_way_out(site: Path) -> None:
    assert "did you mean cdu-1" in refused("ride", site, "--event", "t=1 lose cd-1")
    assert "after the end" in refused("ride", site, "--event", "t=2h lose cdu-1", "--for", "30m")
    assert "not a duration" in refused("ride", site, "--event", "t=1 lose cdu-1", "--for", "long")
    assert "end in .html" in refused("ride", site, "--event", "t=1 lose cdu-1", "--plot", "ride.png")


def test_the_figure_has_units_on_every_axis(site: Path) -> None:
    result = Session.open(site).ride(["t=5 lose cdu-1"], 30.0, utilisation=0.5)
    figure = ride_figure(result.trip)
    titles = [figure.layout[f"yaxis{n}"].title.text for n in ("", 2, 3, 4)]
    assert all("[" in t for t in titles) and "[s]" in figure.layout.xaxis4.title.text
    assert len(figure.data) > 6
