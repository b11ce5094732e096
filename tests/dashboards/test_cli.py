"""The command line as its users meet it: answers, exit codes, complaints."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from dashboards import cli
from dashboards.commands import site as site_command
from dashboards.commands import store as store_command
from tests.dashboards.rows import START, answer, power_file, refused, row_folder, run

GROUPS = {"site": site_command.app, "store": store_command.app}
COMMANDS = [
    *(c.__name__.rstrip("_") for c in cli.COMMANDS),
    *(f"{group} {c.name or getattr(c.callback, '__name__', '')!s}" for group, app in GROUPS.items() for c in app.registered_commands),
]
"""Every command there is."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return row_folder(tmp_path_factory.mktemp("cli") / "row")


@pytest.fixture(scope="module")
def store(site: Path) -> Path:
    where = site.parent / "store"
    found = answer("ingest", site, power_file(site.parent / "power.parquet"), "--store", where)
    assert found["rows_stored"] == found["rows_in"] == 5 * 192
    return where


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_with_an_example(command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"racktwin {command}" in " ".join(result.stdout.split())


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").stdout == "racktwin 0.1.0\n"


def test_a_new_site_is_free_of_faults(tmp_path: Path) -> None:
    made = answer("site", "new", tmp_path / "mine", "--template", "row")
    assert (made["racks"], made["positions"]) == (5, 8)
    found = answer("site", "check", tmp_path / "mine")
    assert found == {"errors": 0, "warnings": 0, "findings": []}


def test_a_folder_with_files_is_only_written_on_demand(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    assert "--force" in refused("site", "new", tmp_path / "mine")
    assert not (tmp_path / "mine" / "site.toml").exists()
    answer("site", "new", tmp_path / "mine", "--force")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


def test_a_template_is_never_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "racktwin site new mysite --template reference" in refused("site", "new", "reference")
    assert "--template row" in refused("solve", "row")
    assert list(tmp_path.iterdir()) == []
    assert "did you mean reference" in refused("site", "new", "x", "--template", "referense")


def test_check_lists_every_fault_with_its_place(site: Path, tmp_path: Path) -> None:
    broken = row_folder(tmp_path / "broken")
    racks = (broken / "racks.csv").read_text().replace("hgx-h100", "hgx-h10").replace("row-1-01", "row-1-99")
    (broken / "racks.csv").write_text(racks)
    found = answer("site", "check", broken, code=1)
    assert found["errors"] >= 3 and found["errors"] == sum(f["severity"] == "error" for f in found["findings"])
    wrong = next(f for f in found["findings"] if f["value"] == "hgx-h10")
    assert (wrong["file"], wrong["column"], wrong["severity"]) == ("racks.csv", "sku", "error")
    assert wrong["row"] > 1 and "hgx-h100" in wrong["hint"]
    complaint = refused("solve", broken, "--json").splitlines()
    assert complaint[0].startswith("racktwin: ") and "racktwin site check" in complaint[0]
    assert len(complaint) == 1 + found["errors"]


def test_many_faults_are_counted_after_twenty(tmp_path: Path) -> None:
    broken = row_folder(tmp_path / "broken")
    head, first, *_ = (broken / "racks.csv").read_text().splitlines()
    (broken / "racks.csv").write_text("\n".join([head, *(first.replace("mtia-450", f"nothing-{n}") for n in range(30))]) + "\n")
    lines = refused("solve", broken).splitlines()
    assert len(lines) == 22
    assert lines[-1].split()[0] == "and" and lines[-1].endswith("more")


def test_show_counts_what_stands_in_the_folder(site: Path) -> None:
    found = answer("site", "show", site)
    racks = pd.read_csv(site / "racks.csv")
    assert sum(r["racks"] for r in found["racks_by_sku"]) == len(racks) == found["racks"]
    assert found["allocated_w"] == pytest.approx(sum(h["allocated_w"] for h in found["halls"]))
    assert {s["element"] for s in found["single_points_of_failure"]} == {"fws", "tcs-1", "manifold-1"}
    text = run("site", "show", site).stdout
    assert "Redundancy" in text and "mtia-450" in text and "kW" in text


def test_impact_tells_one_feed_from_no_feed(site: Path) -> None:
    found = answer("site", "impact", site, "busway-a")
    assert found["racks_down"] == 0 and len([i for i in found["one_feed"] if i.startswith("rack-")]) == 5
    manifold = answer("site", "impact", site, "manifold-1")
    assert manifold["racks_down"] == len(manifold["lost_cooling"]) == 3 and manifold["allocated_down_w"] > 0.0
    assert "did you mean busway-a" in refused("site", "impact", site, "buswy-a")


def test_schema_names_every_file(site: Path) -> None:
    files = {r["file"] for r in answer("site", "schema")["columns"]}
    assert {p.name for p in site.iterdir()} <= files
    assert {r["file"] for r in answer("site", "schema", "racks.csv")["columns"]} == {"racks.csv"}
    assert "did you mean racks.csv" in refused("site", "schema", "rack.csv")


def test_solve_closes_its_books(site: Path) -> None:
    found = answer("solve", site, "--utilisation", "cpu=0.3,gpu=0.8")
    assert found["site_power_w"] == pytest.approx(found["it_power_w"] + found["loss_w"] + found["cooling_power_w"], rel=1e-9)
    assert found["feed_power_w"] == pytest.approx(found["it_power_w"] + found["loss_w"] + found["cdu_power_w"], rel=1e-9)
    assert found["pue"] == pytest.approx(found["site_power_w"] / found["it_power_w"])
    assert found["ledger_residual_frac"] < 1e-9 and found["limits_violated"] == []
    assert found["it_power_w"] < answer("solve", site)["it_power_w"]
    assert found["it_power_w"] > answer("solve", site, "--utilisation", 0)["it_power_w"]


def test_a_violated_limit_is_exit_1_and_a_lost_supply_is_null(site: Path) -> None:
    found = answer("solve", site, "--outage", "busway-a", "--outage", "busway-b", code=1)
    supply = [v for v in found["limits_violated"] if v["limit"] == "power supply"]
    assert len(supply) == 5
    assert all(v["value"] is None and v["margin_frac"] == -1.0 for v in supply)
    assert found["pue"] is None and found["hottest"] is None
    text = run("solve", site, "--outage", "busway-a", "--outage", "busway-b")
    assert text.exit_code == 1 and "lost" in text.stdout


def test_a_lost_place_takes_what_stands_in_it(site: Path) -> None:
    whole = answer("solve", site)
    row = answer("solve", site, "--outage", "row-1")
    assert row["outage"] == [f"rack-0{k}" for k in range(1, 6)] and row["it_power_w"] == 0.0
    one = answer("solve", site, "--outage", "row-1-01")
    assert one["outage"] == ["rack-01"] and 0.0 < one["it_power_w"] < whole["it_power_w"]
    hall = run("solve", site, "--outage", "hall-1", "--json")
    assert json.loads(hall.stdout)["it_power_w"] == 0.0
    assert "nothing stands in" in refused("solve", site, "--outage", "row-1-08")


@pytest.mark.parametrize(
    ("arguments", "way_out"),
    [
        (("--utilisation", "2"), "0 to 1"), (("--utilisation", "cpu=0.3,gpu=much"), "cpu=0.33,gpu=0.79"),
        (("--utilisation", "tpu=0.3"), "gpu"), (("--outage", "ups-c"), "did you mean ups-"), (("--at", "2026-11-01T00:00Z"), "--store"),
        (("--store", "nowhere"), "racktwin ingest"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_with_the_way_out(site: Path, arguments: tuple[str, ...], way_out: str) -> None:
    complaint = refused("solve", site, *arguments, "--json")
    assert complaint.startswith("racktwin: ") and complaint.count("\n") == 1
    assert way_out in complaint


@pytest.mark.parametrize("command", ["replay", "quality", "calibrate"])
def test_an_engine_that_is_none_is_refused_before_any_work(site: Path, command: str) -> None:
    complaint = refused(command, site, "--store", "nowhere", "--engine", "threads", "--json")
    assert complaint.count("\n") == 1 and "write serial, processes" in complaint


def test_a_time_needs_a_zone(site: Path, store: Path) -> None:
    assert "2026-11-01T06:00Z" in refused("solve", site, "--store", store, "--at", "2026-11-01T06:00")
    assert "is not a time" in refused("replay", site, "--store", store, "--start", "noon")
    outside = refused("solve", site, "--store", store, "--at", "2027-01-01T00:00Z")
    assert "2026-11-01T00:00:00" in outside


def test_solve_takes_the_measured_load_of_a_time(site: Path, store: Path) -> None:
    found = answer("solve", site, "--store", store, "--at", "2026-11-01T00:00Z")
    assert (found["basis"], found["at"]) == ("measured", "2026-11-01T00:00:00Z")
    assert found["it_power_w"] + found["rack_loss_w"] == pytest.approx((3 * 141e3 + 2 * 40.8e3) * 0.7, rel=1e-6)
    assert answer("solve", site, "--store", store)["at"] == "2026-11-02T23:45:00Z"


def test_cases_lists_the_worst_first(site: Path) -> None:
    found = answer("cases", site, "--worst", 0)
    margins = [w["margin_frac"] for w in found["worst"]]
    assert len(margins) == found["cases"] == 21 and margins == sorted(margins)
    assert found["violated"] == 0 and found["basis"] == "nameplate"
    assert len(answer("cases", site, "--worst", 3)["worst"]) == 3


def test_cases_with_a_violation_is_exit_1(site: Path, tmp_path: Path) -> None:
    weak = row_folder(tmp_path / "weak")
    path = weak / "cdus.csv"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("cdu-2")) + "\n")
    for name in ("redundancy.csv", "power_links.csv"):
        path = weak / name
        path.write_text("\n".join(line for line in path.read_text().splitlines() if "cdu-2" not in line) + "\n")
    found = answer("cases", weak, code=1)
    assert found["violated"] > 0 and found["worst"][0]["margin_frac"] < 0.0
    assert found["worst"][0]["case"] == "cdu-1"


def test_replay_says_how_each_watt_is_known(site: Path, tmp_path: Path) -> None:
    """Of five racks one is metered, one reports of itself, two share what a meter leaves of them, one is not told of."""
    mine = tmp_path / "site"
    shutil.copytree(site, mine)
    racks = pd.read_csv(mine / "racks.csv")["id"].tolist()
    pd.DataFrame({"id": ["m"], "covers": [" ".join(racks[:4])], "point": ["rack_input"]}).to_csv(mine / "meters.csv", index=False)
    at = pd.date_range("2026-11-01", periods=8, freq="15min", tz="UTC")
    rows = [(t, e, "power_w", w, how) for t in at for e, w, how in (
        (racks[0], 9e4, "PhysicalSensor"), (racks[1], 8e4, "Reported"), ("m", 3.3e5, "PhysicalSensor"))]  # fmt: skip
    table = pd.DataFrame(rows, columns=["time", "element", "quantity", "value", "implementation"])
    table.assign(level="rack", part="").to_parquet(tmp_path / "p.parquet")
    answer("ingest", mine, tmp_path / "p.parquet", "--store", tmp_path / "s")
    found = answer("replay", mine, "--store", tmp_path / "s", "--step", "15min")
    by = found["load_origin"]
    assert {k: v["racks"] for k, v in by.items()} == {"measured": 1, "reported": 1, "inferred": 2, "assumed": 1}
    assert by["measured"]["energy_j"] == pytest.approx(9e4 * 7200) and by["reported"]["energy_j"] == pytest.approx(8e4 * 7200)
    assert by["inferred"]["energy_j"] == pytest.approx(1.6e5 * 7200) and by["assumed"]["energy_j"] > 0.0
    assert {r["element"] for r in found["inferred"]} == set(racks[2:4])
    assert all(r["basis"] == "meter:m" and r["sigma_w"] > 0.0 for r in found["inferred"])
    shown = run("replay", mine, "--store", tmp_path / "s", "--step", "15min").stdout
    assert "1 measured, 1 reported, 2 inferred, 1 assumed; inferred ones within" in shown


def test_replay_adds_up_the_energy(site: Path, store: Path) -> None:
    found = answer("replay", site, "--store", store, "--step", "15min", "--start", "2026-11-01T00:00Z", "--end", "2026-11-02T00:00Z")
    assert (found["frames"], found["rack_samples"]) == (96, 96 * 5)
    assert (found["start"], found["end"]) == ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")
    parts = found["it_energy_j"] + found["loss_energy_j"] + found["cooling_energy_j"]
    assert found["site_energy_j"] == pytest.approx(parts, rel=1e-9)
    assert found["site_energy_j"] == pytest.approx(found["site_power_w"]["mean"] * 86400, rel=1e-9)
    assert found["wall_s"] >= found["solve_s"] > 0.0
    moved = [r["change_w"] for r in found["ramps"]]
    assert all(abs(w) >= 0.1 * found["site_power_w"]["max"] for w in moved)
    assert all(r["start"] < r["end"] and r["change_w"] * r["steepest_w_s"] > 0.0 for r in found["ramps"])
    assert "above zero" in refused("replay", site, "--store", store, "--step", "0")


def test_headroom_says_how_many_and_what_binds(site: Path, store: Path) -> None:
    found = answer("headroom", site, "--sku", "mtia-450", "--by", "2026-12-31")
    assert found["racks"] == len(found["positions"]) <= found["free_positions"] == 3
    assert (found["by"], found["basis"], found["sku"]) == ("2026-12-31", "nameplate", "mtia-450")
    assert found["binding"] and {"element", "limit", "case"} <= set(found["binding"][0])
    measured = answer("headroom", site, "--sku", "mtia-450", "--by", "2026-12-31", "--store", store)
    assert measured["basis"] == "measured" and measured["scenarios"] > 1
    assert measured == answer("headroom", site, "--sku", "mtia-450", "--by", "2026-12-31", "--store", store)
    assert "did you mean mtia-450" in refused("headroom", site, "--sku", "mtia-45")
    assert "2027-06-30" in refused("headroom", site, "--sku", "mtia-450", "--by", "summer")
    assert "0.95" in refused("headroom", site, "--sku", "mtia-450", "--probability", "95")


def test_a_watch_ends_on_ctrl_c_with_its_counts(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "arriving"
    folder.mkdir()
    power_file(folder / "a.parquet")
    command = [
        sys.executable,
        "-c",
        "from dashboards.cli import app; app()",
        "ingest",
        site,
        folder,
        "--store",
        tmp_path / "s",
        "--watch",
        "--every",
        "0.1s",
    ]
    with subprocess.Popen([*map(str, command), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None and process.stdout is not None
        heard = [process.stderr.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert heard == [f"watching {folder}; Ctrl-C ends\n", "a.parquet: 960 of 960 readings stored\n"]
    assert process.returncode == 0
    found = json.loads(out)
    assert (found["files"], found["rows_in"], found["rows_stored"], found["files_failed"]) == (1, 960, 960, 0)
    assert "takes one folder" in refused("ingest", site, folder, folder, "--store", tmp_path / "s", "--watch")
    assert "is no folder" in refused("ingest", site, folder / "a.parquet", "--store", tmp_path / "s", "--watch")


def test_times_without_a_zone_take_the_one_that_is_named(site: Path, tmp_path: Path) -> None:
    time = [(START + dt.timedelta(hours=k)).replace(tzinfo=None) for k in range(3)]
    file = tmp_path / "naive.parquet"
    pd.DataFrame({"time": time, "element": "rack-01", "power_kw": [1.0, 2.0, 3.0]}).to_parquet(file, index=False)
    assert "no zone" in refused("ingest", site, file, "--store", tmp_path / "s")
    assert "IANA name" in refused("ingest", site, file, "--store", tmp_path / "s", "--zone", "Mars/Base")
    assert answer("ingest", site, file, "--store", tmp_path / "s", "--zone", "Asia/Tokyo")["rows_stored"] == 3
    told = answer("ingest", site, file, "--explain", "--zone", "Asia/Tokyo")["files"][0]["columns"][0]
    assert "Asia/Tokyo" in told["why"]


def test_readings_that_another_file_brought_are_counted_and_not_stored_again(site: Path, store: Path, tmp_path: Path) -> None:
    late = pd.read_parquet(power_file(tmp_path / "late.parquet")).tail(10)
    late.to_parquet(tmp_path / "tail.parquet", index=False)
    found = answer("ingest", site, tmp_path / "tail.parquet", "--store", store)
    assert (found["rows_in"], found["rows_stored"], found["rows_doubled"]) == (10, 0, 10)
    (tmp_path / "tail.csv").write_text(late.to_csv(index=False))
    assert "10 known already from other files" in run("ingest", site, tmp_path / "tail.csv", "--store", store).stdout


def test_ingest_skips_what_it_has_and_says_what_it_refused(site: Path, store: Path, tmp_path: Path) -> None:
    again = answer("ingest", site, site.parent / "power.parquet", "--store", store)
    assert (again["files_skipped"], again["rows_in"]) == (1, 0)
    bad = tmp_path / "bad.csv"
    bad.write_text("time,element,power_kw\n2026-11-01T00:00Z,rack-01,50\n2026-11-01T00:15Z,rack-77,50\n")
    found = answer("ingest", site, bad, "--store", tmp_path / "other", code=1)
    assert (found["rows_in"], found["rows_stored"], found["rows_quarantined"]) == (2, 1, 1)
    assert found["reasons"] == {"unknown element": 1}
    (tmp_path / "cut.parquet").write_bytes((site.parent / "power.parquet").read_bytes()[:200])
    assert "cut.parquet" in refused("ingest", site, tmp_path / "cut.parquet", "--store", tmp_path / "other")


def test_a_folder_that_cannot_be_read_is_one_line(site: Path, tmp_path: Path) -> None:
    assert "is a file" in refused("solve", site / "site.toml")
    assert "--template row" in refused("solve", tmp_path / "nothing")


def test_usage_errors_are_exit_2() -> None:
    assert "SITE" in refused("solve")
    assert "No such command" in refused("slove")


def run_apart(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from dashboards.cli import app; app()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "80"})


def test_the_command_in_a_process_of_its_own(site: Path) -> None:
    done = run_apart("solve", site, "--utilisation", "0.5", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["basis"] == "utilisation"
    wrong = run_apart("solve", site, "--outage", "nothing-like-it")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("racktwin: there is no element 'nothing-like-it'")


def test_the_console_says_where_it_listens(site: Path) -> None:
    command = [sys.executable, "-c", "from dashboards.cli import app; app()", "console", str(site), "--port", "0", "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        found = json.loads("".join(iter(server.stdout.readline, "}\n")) + "}")
        with urllib.request.urlopen(f"{found['url'].rstrip('/')}/healthz", timeout=10) as reply:
            assert json.load(reply)["racks"] == 5
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=10) == 0
    assert "--allow-remote" in refused("console", site, "--host", "0.0.0.0")


def test_a_user_who_stops_it_gets_130(site: Path) -> None:
    code = "import os, signal; from dashboards import session; from dashboards.cli import app;"
    code += " session.Session.open = staticmethod(lambda *a: os.kill(os.getpid(), signal.SIGINT)); app()"
    done = subprocess.run([sys.executable, "-c", code, "solve", str(site)], capture_output=True, text=True, check=False)
    assert done.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in done.stderr
