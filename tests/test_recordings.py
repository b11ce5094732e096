"""Recordings of a cluster, of a node's supplies, of a day of groups and of a pod: made-up ones with a known truth, and the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.fidelity.beats import beat, beat_findings, beat_table
from benchmarks.fidelity.cluster import CLUSTER, read_cluster
from benchmarks.fidelity.frame import Recording, Report
from benchmarks.fidelity.groups import GROUPS
from benchmarks.fidelity.node_meter import NODE_METER
from benchmarks.fidelity.page import write
from benchmarks.fidelity.pod import POD
from benchmarks.fidelity.podfile import read_pod
from tests.agreements import Agreements
from tests.recorded import CLUSTER_TRUTH, METER, write_cluster, write_groups, write_meter
from tests.test_fidelity import quiet, row
from topology.catalog import load_catalog
from topology.errors import TelemetryError
from topology.models import Sku

SUPPLIES_OF_A_NODE = "measured supplies of an H200 node"


def measured(folder: Path, kind: Recording) -> Path:
    """The first real recording of a kind."""
    files = sorted(folder.glob(kind.pattern))
    if not files:
        pytest.skip(f"no {kind.pattern} among the measured data")
    return files[0]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return CLUSTER.run(write_cluster(tmp_path_factory.mktemp("cluster")), quiet)


def test_a_made_up_cluster_is_predicted_and_followed(cluster: Report) -> None:
    static, followed = row(cluster, "static: power from demand and cores"), row(cluster, "followed: power of the hour ahead")
    assert static.met and static.value < row(cluster, "static: line of demand alone").value
    assert followed.met and followed.value < static.value
    assert followed.value < row(cluster, "followed: line of demand refitted").value
    assert (static.fitted_on, static.tested_on) == (
        "2031-03-04 04:00:00 to 2031-03-05 04:00:00", "2031-03-05 04:00:00 to 20:00:00",
    )  # fmt: skip
    assert followed.fitted_on == "the past of each hour"


def test_its_curve_is_within_the_interval_and_its_wandering_base_is_told(cluster: Report) -> None:
    found = {c[1].strip(): c for c in (line.split("|") for line in cluster.tables[0][1][2:])}
    low, high = (float(v) for v in found["exponent"][3].split(" to "))
    assert low <= CLUSTER_TRUTH["exponent"] <= high
    text = "\n".join(cluster.findings)
    assert "Every job holds 8 cores at all times" in text and "jobs do not explain moves" in text


def test_a_short_cluster_at_other_steps_is_split_in_half(tmp_path: Path) -> None:
    report = CLUSTER.run(write_cluster(tmp_path, hours=10.0, step_s=120.0), quiet)
    assert row(report, "static: power from demand and cores").tested_on == "2031-03-04 09:00:00 to 14:00:00"


def test_rows_without_a_number_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write_cluster(tmp_path)
    table = pd.read_parquet(path)
    table.loc[table.index[:7], "power_w"] = np.nan
    table.drop(columns="running_tasks").to_parquet(path)
    file = read_cluster(path)
    assert file.refused == 7 and file.per_job is None
    assert "7 rows have no time or no number" in "\n".join(CLUSTER.run(path, quiet).findings)
    table.iloc[:1].drop(columns="running_tasks").assign(power_w=1.0).to_parquet(path)
    with pytest.raises(TelemetryError, match="no two readings"):
        read_cluster(path)


@pytest.fixture(scope="module")
def measured_cluster(recordings: Path) -> Report:
    return CLUSTER.run(measured(recordings, CLUSTER), quiet)


@pytest.mark.agreement
@pytest.mark.parametrize(
    ("start", "what", "allowed"),
    [
        ("static: power from demand and cores", "power of a cluster from its jobs after one day, MAPE", 4.4),
        ("followed: power of the hour ahead", "power of a cluster an hour ahead, followed, MAPE", 3.4),
    ],
)
def test_the_measured_cluster(measured_cluster: Report, agreement: Agreements, start: str, what: str, allowed: float) -> None:
    agreement("time", what, "measured cluster of 277 nodes", row(measured_cluster, start).value, allowed, "%")


@pytest.mark.agreement
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("static: power from demand and cores", "static: line of demand and cores"),
        ("followed: power of the hour ahead", "followed: line of demand refitted on the last 24 h"),
        ("followed: power of the hour ahead", "followed: last power before the hour, held"),
    ],
)
def test_the_measured_cluster_is_predicted_better_than_by(measured_cluster: Report, agreement: Agreements, ours: str, theirs: str) -> None:
    ratio = row(measured_cluster, ours).value / row(measured_cluster, theirs).value
    agreement("time", f"{ours}: MAPE over that of {theirs.split(': ')[1]}", "measured cluster of 277 nodes", ratio, 1.0)


@pytest.fixture(scope="module")
def meter(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return NODE_METER.run(write_meter(tmp_path_factory.mktemp("meter")), quiet)


def test_a_made_up_node_gives_shares_and_power_factor_of_later_workloads(meter: Report) -> None:
    assert row(meter, "power of a supply from the node's").value < 0.1 < row(meter, "the same with equal shares").value
    assert row(meter, "power factor from power").value < 0.01
    assert row(meter, "reactive power at no load").value == pytest.approx(METER["fixed_va"], rel=0.01)
    assert row(meter, "idle, median").value == pytest.approx(METER["idle_w"] / 1e3, rel=0.01)
    assert row(meter, "highest one-minute mean").value == pytest.approx(6.0, rel=0.01)
    assert row(meter, "later workloads inside, of 2").value == 2
    shares = [line.split("|")[3].strip() for line in meter.tables[0][1][2:]]
    assert shares == ["50.00%", "30.00%", "20.00%"]
    assert "is the sum of its supplies to the last digit" in "\n".join(meter.findings)
    assert [line.split("|")[1].strip() for line in meter.tables[1][1][2:]] == ["w0", "w1", "w2", "w3", "w4"]


def test_its_overlay_is_written_and_read_by_the_catalog(meter: Report, tmp_path: Path) -> None:
    write([meter], [], tmp_path)
    name = meter.files[0][0]
    assert f"[{name}](../{name})" in (tmp_path / "docs" / "fidelity.md").read_text()
    found = load_catalog((tmp_path / name).parent).entries["sku"]["hgx-h200"]
    assert isinstance(found, Sku)
    assert found.demand_frac == pytest.approx([4 * kw * 1e3 / found.nameplate_w for kw in (4, 4.5, 5, 5, 6)], rel=0.01)


def test_a_node_of_no_known_rack_has_no_overlay(tmp_path: Path) -> None:
    report = NODE_METER.run(write_meter(tmp_path, "x9-inference-meter.parquet", (3, 4)), quiet)
    assert not report.files and "no overlay is written" in "\n".join(report.findings)
    assert not [r for r in report.rows if r.metric.startswith("later workloads")]


@pytest.mark.agreement
def test_the_measured_node(recordings: Path, agreement: Agreements) -> None:
    report = NODE_METER.run(measured(recordings, NODE_METER), quiet)
    error = row(report, "power of a supply from the node's").value
    agreement("power", "power of a supply from its node's, CV-RMSE on later workloads", SUPPLIES_OF_A_NODE, error, 0.5, "%")
    apart = row(report, "power factor from power").value
    agreement("power", "power factor of a node from its power, RMSE on later workloads", SUPPLIES_OF_A_NODE, apart, 0.25, "%")


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return GROUPS.run(write_groups(tmp_path_factory.mktemp("groups")), quiet)


def test_made_up_groups_are_replayed_and_their_ramp_is_one_event(groups: Report) -> None:
    assert row(groups, "readings stored").value == 60 * 26 and row(groups, "readings quarantined").value == 0
    assert row(groups, "largest residual of the ledger").met and row(groups, "energy replayed against").met
    assert row(groups, "ramps of the sum").value == 1 and row(groups, "ramps of single groups").value == 24
    assert row(groups, "largest ramp up").value == pytest.approx(24 * 0.3)
    assert row(groups, "steepest ramp up").value == pytest.approx(24 * 0.075)
    assert row(groups, "length of a ramp").value == pytest.approx(4.0)
    assert row(groups, "groups that take part").value == pytest.approx(96.0)
    assert not [r for r in groups.rows if r.metric.startswith("largest ramp down")]


def test_groups_below_idle_are_told_and_not_clipped(groups: Report) -> None:
    """The first group idles too low; group 14 has a rack less than the others and goes above its full power."""
    text = "\n".join(groups.findings)
    assert "4.0% of the groups' samples lie below the idle power" in text and "in 2 groups" in text
    assert row(groups, "lowest power of the sum").value == pytest.approx(0.15 + 24 * 0.6)


def test_fewer_groups_at_another_step_are_a_recording_too(tmp_path: Path) -> None:
    path = write_groups(tmp_path, step_s=120.0)
    table = pd.read_parquet(path)
    table.drop(columns=[f"power[{g}]" for g in range(20, 26)]).drop(index=[3, 4, 5, 6, 7]).to_parquet(path)
    report = GROUPS.run(path, quiet)
    assert "19 groups" in report.title
    assert row(report, "rack powers that were not measured and filled").value > 0
    assert "1 gaps of more than three steps, the longest 720 s" in "\n".join(report.findings)
    assert row(report, "largest residual of the ledger").met


@pytest.mark.agreement
@pytest.mark.slow
def test_the_measured_groups(recordings: Path, agreement: Agreements) -> None:
    report = GROUPS.run(measured(recordings, GROUPS), quiet)
    against = "recorded day of a supercomputer"
    agreement("power", "ledger of a day replayed, largest residual", against, row(report, "largest residual of the ledger").value, 1e-9)
    agreement("power", "energy of a day replayed against its file", against, row(report, "energy replayed against").value, 1e-9)
    assert row(report, "readings quarantined").value == 0
    assert row(report, "ramps of the sum").value > 0


def test_sensors_that_are_ragged_still_doubled_or_many_are_told() -> None:
    rng = np.random.default_rng(0)
    even = np.arange(0.0, 1200.0, 60.0)
    beats = [
        beat("power", "power_p1r01c01srv1", even, np.arange(20.0)),
        beat("power", "power_p1r01c01srv2", even, np.full(20, 7.0)),
        beat("power", "power_p1r02c01srv1", np.r_[even[:5], even[9:]], np.arange(16.0)),
        beat("strip", "s1", np.cumsum(rng.uniform(3.0, 9.0, 50)), np.arange(50.0)),
        beat("strip", "s2", np.r_[0.0, 0.0, 5.0, 10.0], np.arange(4.0)),
    ]
    assert [b.holed for b in beats] == [False, False, True, False, False]
    text = "\n".join(beat_findings(beats))
    assert "Ragged times" in text and "strip" in text.split("Ragged times")[1].splitlines()[0]
    assert "Several sensors for one rack (power 1 to 2)" in text and "Not every rack has as many as the others: power" in text
    assert "1 readings stand at a time" in text
    assert "1 sensors read one value from begin to end" in text and "power_p1r01c01srv2" in text
    cells = [c.strip() for c in beat_table(beats)[2].split("|")]
    assert cells[1:4] == ["power", "3", "1 to 2"] and cells[-3:-1] == ["1", "1"]
    assert list(beat_findings([beat("power", "p", even, np.arange(20.0))])) == []


def test_the_measured_pod_lists_what_its_sensors_do(recordings: Path) -> None:
    file = read_pod(measured(recordings, POD), 60.0, quiet)
    text = "\n".join(beat_findings(file.beats))
    assert "Ragged times" in text and "Several sensors for one rack" in text
    ratio = float(np.nanmean(file.measured.heat_w) / np.nanmean(file.fed_w))
    assert 0.9 < ratio < 1.0
