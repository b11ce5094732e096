"""The synthetic plant: the same seed gives the same files, its faults are exactly what ingest refuses, and its truth shows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from telemetry.ingest import IngestReport, ingest
from telemetry.rackpower import rack_power
from telemetry.store import Store
from topology.generate import generate
from topology.plant import Plant, plant
from twin.loads import from_utilisation
from twin.synth import FOULING, Hidden, hidden, rack_power_w, real_plant, times, truth, utilisation, wet_bulb_c
from twin.synth_files import DETAIL_DAYS, HISTORY_DAYS, LOST_FRAC, plans

END = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
DAY = END - dt.timedelta(days=1)


@pytest.fixture(scope="module")
def row() -> Plant:
    return plant(generate("row"))


@pytest.fixture(scope="module")
def files(row: Plant, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    folder = tmp_path_factory.mktemp("synth")
    return folder, {p.name: p.write(folder / p.name) for p in plans(row, END, seed=4)}


@pytest.fixture(scope="module")
def stored(row: Plant, files: tuple[Path, dict[str, int]], tmp_path_factory: pytest.TempPathFactory) -> tuple[IngestReport, Store]:
    where = tmp_path_factory.mktemp("synth-store") / "store"
    report = ingest(row.site, files[0], where, clock=lambda: END)
    return report, Store.open(where)


def test_same_seed_same_bytes(row: Plant, files: tuple[Path, dict[str, int]], tmp_path: Path) -> None:
    folder, rows = files
    for p in plans(row, END, seed=4):
        assert p.write(tmp_path / p.name) == rows[p.name]
    names = sorted(x.name for x in folder.iterdir())
    assert names == sorted(x.name for x in tmp_path.iterdir())
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_another_seed_is_another_plant(row: Plant) -> None:
    time = times(DAY, 96, 900.0)
    assert not np.array_equal(hidden(row, 4).power_factor, hidden(row, 5).power_factor)
    assert not np.array_equal(utilisation(row, time, 4), utilisation(row, time, 5))
    assert not np.array_equal(wet_bulb_c(time, 4), wet_bulb_c(time, 5))


def test_files_cover_four_weeks_and_two_days_of_each_vendor(files: tuple[Path, dict[str, int]]) -> None:
    folder, rows = files
    vendors = ("openbmc-psu", "rack-power", "dcgm", "mtia", "redfish-cdu", "redfish-pdu", "weather")
    assert {f"{v}-day-{d}.parquet" for v in vendors for d in (1, 2)} <= set(rows)
    assert sum(n.startswith("rack-power-week") for n in rows) == HISTORY_DAYS // 7
    assert not list(folder.glob("*.tmp"))
    first = pq.read_table(folder / "rack-power-week-1.parquet")["time"].to_numpy().min()
    last = pq.read_table(folder / "weather-day-2.parquet")["time"].to_numpy().max()
    start = END - dt.timedelta(days=HISTORY_DAYS + DETAIL_DAYS)
    assert first == np.datetime64(start.replace(tzinfo=None), "us")
    assert last == np.datetime64((END - dt.timedelta(minutes=1)).replace(tzinfo=None), "us")


def test_exactly_the_planted_rows_are_refused(stored: tuple[IngestReport, Store]) -> None:
    """A day has one spike of a thousand times, one negative power and one rack that nobody knows."""
    report, store = stored
    assert report.files_failed == 0
    assert report.reasons == {"value out of range": 2 * DETAIL_DAYS, "unknown element": DETAIL_DAYS}
    assert report.rows_quarantined == 3 * DETAIL_DAYS
    assert report.rows_in == report.rows_stored + report.rows_quarantined
    bad = store.quarantined().to_pylist()
    value = sorted(float(r["value"]) for r in bad if r["reason"] == "value out of range")
    assert [v < 0.0 for v in value] == [True] * DETAIL_DAYS + [False] * DETAIL_DAYS
    assert value[-1] > 1e6
    assert {r["element"] for r in bad if r["reason"] == "unknown element"} == {"rack-nobody-knows"}


def test_few_samples_are_lost(row: Plant, files: tuple[Path, dict[str, int]]) -> None:
    for week in range(1, 5):
        share = pq.read_metadata(files[0] / f"rack-power-week-{week}.parquet").num_rows / (7 * 96 * int(row.racks.drawing.sum()))
        assert 1.0 - 4.0 * LOST_FRAC < share < 1.0


def test_read_back_it_is_the_truth_within_its_meters(row: Plant, stored: tuple[IngestReport, Store]) -> None:
    """Quarter hours of the store against the plant that wrote them, supplies, shelves and racks added up."""
    start = END - dt.timedelta(days=HISTORY_DAYS + DETAIL_DAYS)
    long = times(start, (HISTORY_DAYS + DETAIL_DAYS) * 96, 900.0)
    real = rack_power_w(row, utilisation(row, long, 4), hidden(row, 4))[-96:]
    got = rack_power(row.site, stored[1], DAY, END, 900.0)
    assert got.unmetered == ()
    own = np.flatnonzero(row.racks.drawing)
    off = got.power_w[:, own] / real[:, own] - 1.0
    assert np.nanmax(np.abs(np.nanmean(off, axis=0))) < 0.002
    assert np.nanpercentile(np.abs(off), 99.0) < 0.02


def test_hidden_factors_are_near_what_the_catalog_says(row: Plant) -> None:
    secret = hidden(row, 4)
    assert np.abs(secret.power_factor - 1.0).max() <= 0.08
    assert ((secret.fouling_frac >= FOULING[0]) & (secret.fouling_frac <= FOULING[1])).all()
    fouled = real_plant(row, secret)
    assert np.array_equal(fouled.cdus.ua_w_k, row.cdus.ua_w_k * secret.fouling_frac)
    assert np.array_equal(row.cdus.ua_w_k, plant(row.site).cdus.ua_w_k)


def test_power_is_that_of_the_utilisation_times_the_hidden_factor(row: Plant) -> None:
    secret = hidden(row, 4)
    for u in (0.0, 0.5, 1.0):
        got = rack_power_w(row, np.full((1, row.racks.n), u), secret)[0]
        assert got == pytest.approx(from_utilisation(row, u).rack_w[0] * secret.power_factor, rel=1e-3)


def test_training_racks_of_a_row_move_together() -> None:
    p = plant(generate("reference"))
    u = utilisation(p, times(DAY - dt.timedelta(days=13), 14 * 96, 900.0), 1)
    assert ((u >= 0.0) & (u <= 1.0)).all()
    rows = np.array([p.site.positions[r.position].row for r in p.site.racks.values()])
    alike = [np.corrcoef(u[:, rows == r].T).min() for r in np.unique(rows) if (rows == r).sum() > 1]
    assert min(alike) > 0.5
    across = np.abs(np.corrcoef(np.stack([u[:, rows == r].mean(axis=1) for r in np.unique(rows)])))
    assert across[np.triu_indices_from(across, 1)].min() < 0.5


def test_truth_is_the_full_solver_on_the_fouled_plant(row: Plant) -> None:
    secret = hidden(row, 4)
    time = times(DAY, 8, 900.0)
    power = rack_power_w(row, utilisation(row, time, 4), secret)
    state = truth(row, secret, power, wet_bulb_c(time, 4))
    assert state.ledger.residual_frac.max() < 1e-9
    assert np.array_equal(state.loads.rack_w, power)
    clean = truth(row, Hidden(secret.power_factor, np.ones(row.cdus.n), 4), power, wet_bulb_c(time, 4))
    assert (state.heat.cdu_valve_frac > clean.heat.cdu_valve_frac).all()
