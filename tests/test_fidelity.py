"""The frame that holds the twin against recordings: on made-up ones with a known truth, and on the real ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.fidelity.__main__ import main
from benchmarks.fidelity.draw import Plot, svg
from benchmarks.fidelity.frame import Report, Row
from benchmarks.fidelity.pod import POD
from benchmarks.fidelity.registry import reports
from benchmarks.fidelity.supplies import SUPPLIES
from tests.agreements import Agreements
from tests.recorded import LAW, SUPPLY, write_nodes, write_pod
from topology.errors import TelemetryError
from twin.forecast.supply import efficiency

FIELDS = {"recording", "metric", "value", "unit", "goal", "met", "fitted_on", "tested_on"}


def quiet(text: str) -> None:
    """Nobody listens."""


def row(report: Report, start: str) -> Row:
    """The one row whose metric begins so."""
    found = [r for r in report.rows if r.metric.startswith(start)]
    assert len(found) == 1, [r.metric for r in report.rows]
    return found[0]


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return POD.run(write_pod(tmp_path_factory.mktemp("pod")), quiet)


@pytest.fixture(scope="module")
def supplies(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return SUPPLIES.run(write_nodes(tmp_path_factory.mktemp("nodes")), quiet)


def test_a_made_up_pod_is_predicted(pod: Report) -> None:
    heat = row(pod, "heat out, CV-RMSE")
    assert heat.value < 3.0 and heat.met and heat.goal == 5.0
    assert abs(row(pod, "heat out, NMBE").value) < 1.0
    assert heat.value < row(pod, "heat out by lagged regression of IT power, CV-RMSE").value
    assert heat.value < row(pod, "heat out by constant ratio to IT power, CV-RMSE").value
    assert row(pod, "outlet of the servers, RMSE").value < 0.5
    assert (heat.fitted_on, heat.tested_on) == ("2031-03-04 04:00:00 to 07:00:00", "2031-03-04 07:00:00 to 10:00:00")


def test_its_constants_are_within_their_intervals(pod: Report) -> None:
    title, lines = pod.tables[0]
    assert title == "Constants of the pod"
    found = {c[1].strip(): c for c in (line.split("|") for line in lines[2:])}
    for name in ("server_kg_s", "cooler_kg_s", "around", "wall_lag_s"):
        low, high = (float(v) for v in found[name][3].split(" to "))
        assert low <= getattr(LAW, name) <= high, (name, low, high)
    assert float(found["gain"][2]) == pytest.approx(LAW.gain, rel=0.05)
    assert "keeps its prior" in found["coil_ntu"][5]


def test_its_drop_out_hole_and_misnamed_sensor_are_found(pod: Report) -> None:
    text = "\n".join(pod.findings)
    assert "Heat readings quarantined, 2031-03-04 08:43" in text
    assert "power power_p07r01c01srv01 up to 3,720 s instead of 120 s" in text
    assert "`cold_aisle_sensor_strip` is named after the cold aisle but follows the hot one" in text
    assert row(pod, "quarantined heat readings").value > 0
    assert row(pod, "heat out with quarantined").value > row(pod, "heat out, CV-RMSE").value


def test_made_up_supplies_tell_only_gain_times_efficiency(supplies: Report) -> None:
    assert row(supplies, "independent nodes").value == 3
    assert "2 groups of nodes carry series that are equal" in "\n".join(supplies.findings)
    true = 100.0 * efficiency(SUPPLY, 6.3e3)
    low, high = row(supplies, "supply efficiency, low").value, row(supplies, "supply efficiency, high").value
    assert low < true < high and high - low > 2.0
    assert row(supplies, "meter gain times efficiency").value == pytest.approx(SUPPLY["gain"] * true, abs=1.0)
    assert row(supplies, "distance of that interval").met


def test_the_command_writes_rows_page_and_pictures_and_says_what_is_absent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    write_nodes(data)
    (data / "ice-pod2-broken.parquet").write_bytes(b"not Parquet")
    assert main(["--data", str(data), "--out", str(out)]) == 0
    rows = json.loads((out / "benchmarks" / "fidelity.json").read_text())
    assert rows and all(set(r) == FIELDS for r in rows)
    assert {r["recording"] for r in rows} == {"h100-training-made-up"}
    page = (out / "docs" / "fidelity.md").read_text()
    assert "ice-pod2-broken.parquet` cannot be used" in page and "| independent nodes | 3 nodes |" in page
    pictures = sorted((out / "docs" / "images").glob("*.svg"))
    assert pictures and all(f"images/{p.name}" in page for p in pictures)
    assert "cannot be used" in capsys.readouterr().err


def test_a_folder_without_recordings_is_an_answer(tmp_path: Path) -> None:
    assert main(["--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert main(["--data", str(tmp_path / "none"), "--out", str(tmp_path)]) == 2
    found, absent = reports(tmp_path, quiet)
    assert not found and any("ice-pod" in a for a in absent)
    assert not (tmp_path / "docs").exists()


def test_a_file_without_its_columns_or_power_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ice-pod2-x.parquet"
    pd.DataFrame({"time": ["2031-01-01T00:00:00+00:00"], "value": [1.0]}).to_parquet(path)
    with pytest.raises(TelemetryError, match="has no column quantity, sensor"):
        POD.run(path, quiet)
    table = pd.read_parquet(write_pod(tmp_path, "ice-pod2-y.parquet"))
    table[table["quantity"] != "power"].to_parquet(path)
    with pytest.raises(TelemetryError, match="no quantity named power"):
        POD.run(path, quiet)


def test_rows_in_any_order_give_the_same(tmp_path: Path, supplies: Report) -> None:
    table = pd.read_parquet(write_nodes(tmp_path))
    path = tmp_path / "h100-training-made-up.parquet"
    table.sort_values(["dc_power_w"]).to_parquet(path)
    values = {r.metric: r.value for r in SUPPLIES.run(path, quiet).rows}
    assert values == pytest.approx({r.metric: r.value for r in supplies.rows}, rel=1e-5)


def test_a_picture_shows_lines_gaps_split_and_shade() -> None:
    x, y = np.arange(10.0), np.array([1.0, 2.0, np.nan, 3.0, 4.0, 5.0, 5.0, 5.0, 2.0, 1.0])
    text = svg(Plot("n", "Heat & more", "kW", x, "hours", (("measured", y),), 5.0, ((2.0, 3.0),)))
    assert text.count("<path") == 1 and text.count("M") == 2 and "Heat &amp; more" in text and "tested" in text and "#ffe3c2" in text


@pytest.fixture(scope="module")
def recorded(recordings: Path) -> dict[str, Report]:
    """Reports of the real recordings that are there."""
    kinds = {"pod": POD, "supplies": SUPPLIES}
    files = {n: sorted(recordings.glob(k.pattern)) for n, k in kinds.items()}
    return {n: kinds[n].run(f[0], quiet) for n, f in files.items() if f}


def need(recorded: dict[str, Report], kind: str) -> Report:
    if kind not in recorded:
        pytest.skip(f"no recording of a {kind} among the measured data")
    return recorded[kind]


@pytest.mark.agreement
@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "what", "allowed", "unit"),
    [
        ("heat out, CV-RMSE", "heat of a pod, CV-RMSE on the second half", 5.0, "%"),
        ("heat out, NMBE", "heat of a pod, bias on the second half", 2.0, "%"),
        ("heat out, split at 40% of the time, CV-RMSE", "heat of a pod, CV-RMSE after the first 40 %", 5.0, "%"),
        ("heat out, split at 60% of the time, CV-RMSE", "heat of a pod, CV-RMSE after the first 60 %", 5.0, "%"),
        ("outlet of the servers, RMSE", "outlet of a pod's servers, RMSE on the second half", 1.0, "K"),
        ("cold aisle at the servers' inlets, RMSE", "cold aisle of a pod, RMSE on the second half", 1.0, "K"),
        ("front of the racks", "front of a pod's racks, RMSE on the second half", 1.0, "K"),
    ],
)
def test_the_measured_pod(recorded: dict[str, Report], agreement: Agreements, start: str, what: str, allowed: float, unit: str) -> None:
    agreement("time", what, "measured pod of air-cooled racks", abs(row(need(recorded, "pod"), start).value), allowed, unit)


@pytest.mark.agreement
def test_the_measured_pod_is_predicted_better_than_by_regression(recorded: dict[str, Report], agreement: Agreements) -> None:
    pod = need(recorded, "pod")
    ours, theirs = row(pod, "heat out, CV-RMSE").value, row(pod, "heat out by lagged regression of IT power, CV-RMSE").value
    agreement("time", "heat of a pod, CV-RMSE over that of a lagged regression", "measured pod of air-cooled racks", ours / theirs, 1.0)


@pytest.mark.agreement
def test_the_measured_supplies(recorded: dict[str, Report], agreement: Agreements) -> None:
    apart = row(need(recorded, "supplies"), "distance of that interval from a plausible supply").value
    agreement(
        "power", "90 % interval of supply efficiency, distance from a plausible supply", "measured supplies of H100 nodes", apart, 0.1, "%"
    )
