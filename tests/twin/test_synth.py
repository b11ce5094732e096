"""The synthetic plant: the same seed gives the same files, ingest refuses exactly what no meter can read, and its truth shows."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from telemetry.ingest import IngestReport, ingest
from telemetry.rackpower import rack_power
from telemetry.store import Store
from topology.errors import UsageError
from topology.generate import generate
from topology.overlay import FACTORS, calibrated, read_overlay
from topology.plant import Plant, plant
from twin.forecast.calibrate.constants import PRIORS, SENSORS
from twin.loads import from_utilisation
from twin.observe import CHANNELS
from twin.synthetic.days import step_s, times, utilisation, wet_bulb_c, within
from twin.synthetic.faults import UTILISATION
from twin.synthetic.files import DETAIL_DAYS, HISTORY_DAYS, plans, write_truth
from twin.synthetic.observe import LOST_FRAC, World, observe, rack_power_w, read, shown
from twin.synthetic.secret import having, hidden, meters, real_plant

END = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
DAY = END - dt.timedelta(days=1)
SEED = 4


@pytest.fixture(scope="module")
def row() -> Plant:
    return plant(generate("row"))


@pytest.fixture(scope="module")
def files(row: Plant, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    folder = tmp_path_factory.mktemp("synth")
    return folder, {p.name: p.write(folder / p.name) for p in plans(row, END, SEED)}


@pytest.fixture(scope="module")
def stored(row: Plant, files: tuple[Path, dict[str, int]], tmp_path_factory: pytest.TempPathFactory) -> tuple[IngestReport, Store]:
    where = tmp_path_factory.mktemp("synth-store") / "store"
    report = ingest(row.site, files[0], where, clock=lambda: END)
    return report, Store.open(where)


def test_same_seed_same_bytes(row: Plant, files: tuple[Path, dict[str, int]], tmp_path: Path) -> None:
    folder, rows = files
    for p in plans(row, END, SEED):
        assert p.write(tmp_path / p.name) == rows[p.name]
    names = sorted(x.name for x in folder.iterdir())
    assert names == sorted(x.name for x in tmp_path.iterdir())
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_another_seed_is_another_plant(row: Plant) -> None:
    time = times(DAY, 96, 900.0)
    one, other = (np.array([c.value for c in hidden(row, s)]) for s in (4, 5))
    assert (one != other).all()
    assert not np.array_equal(utilisation(row, time, 4), utilisation(row, time, 5))
    assert not np.array_equal(wet_bulb_c(time, 4), wet_bulb_c(time, 5))


def test_files_cover_four_weeks_and_two_days_of_each_vendor(files: tuple[Path, dict[str, int]]) -> None:
    folder, rows = files
    vendors = ("openbmc-psu", "rack-power", "dcgm", "mtia", "redfish-cdu", "redfish-pdu", "facility", "utilisation", "weather")
    assert {f"{v}-day-{d}.parquet" for v in vendors for d in (1, 2)} <= set(rows)
    weekly = ("rack-power", "shelf-output", "utilisation", "redfish-cdu", "weather")
    assert {f"{v}-week-{w}.parquet" for v in weekly for w in range(1, HISTORY_DAYS // 7 + 1)} <= set(rows)
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
    assert report.rows_doubled == 0
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


def test_every_channel_comes_back_from_the_store_as_the_plant_showed_it(row: Plant, stored: tuple[IngestReport, Store]) -> None:
    """The last day: quarter hours of the store against the truth through each meter's own gain and bias."""
    secret = hidden(row, SEED)
    world = World.of(row, secret, SEED)
    long = times(END - dt.timedelta(days=30), 30 * 96, 900.0)
    time = times(DAY, 1440, 60.0)
    wet = np.repeat(wet_bulb_c(long, SEED)[-96:], 15)
    exact = shown(world, time, within(row, long, utilisation(row, long, SEED), time, SEED), wet)
    for meter in world.meters:
        name, channel, there = meter.channel.name, meter.channel, meter.there
        got = channel.measured(row, stored[1], DAY, END, 900.0).values
        assert np.array_equal(np.isfinite(got).any(axis=0), there), name
        gain, bias = (meter.error(row, secret, p)[there] for p in ("gain", "bias"))
        want = gain * exact[name][:, there].reshape(96, 15, -1).mean(axis=1) + bias
        off = np.nanmean(got[:, there] - want, axis=0)
        size = np.abs(want).mean(axis=0) if channel.relative else np.ones(off.shape)
        assert (np.abs(off) <= 0.5 * channel.noise * size + 1e-9).all(), (name, off / size)


def test_utilisation_comes_back_rack_by_rack(row: Plant, stored: tuple[IngestReport, Store]) -> None:
    got = rack_power(row.site, stored[1], DAY, END, 900.0)
    assert got.unmetered == ()
    whole = rack_power(row.site, stored[1], END - dt.timedelta(days=30), END, 900.0)
    assert whole.known.mean() > 0.99


def test_hidden_constants_are_what_an_overlay_takes(row: Plant, tmp_path: Path) -> None:
    beside = write_truth(row, SEED, (), tmp_path / "truth.csv")
    rows = read_overlay(tmp_path / "truth.csv")
    assert rows == hidden(row, SEED)
    assert len({r.key for r in rows}) == len(rows)
    real = plant(calibrated(row.site, rows))
    same = real_plant(row, rows)
    assert np.array_equal(real.cdus.ua_w_k, same.cdus.ua_w_k) and not np.array_equal(real.cdus.ua_w_k, row.cdus.ua_w_k)
    assert list(csv.reader(beside.open())) == [["kind", "element", "since", "size", "what"]]


def test_hidden_constants_are_drawn_from_their_priors() -> None:
    """Of many elements: mean 0 and deviation 1 in deviations of the prior; each factor that an element has is drawn."""
    big = plant(generate("reference"))
    rows = [r for seed in range(12) for r in hidden(big, seed)]
    for name, factor in FACTORS.items():
        z = np.array([PRIORS[name].z(r.value) for r in rows if r.parameter == name])
        assert z.size == 12 * len(having(big, factor))
        if z.size:
            assert abs(z.mean()) < 4.0 / np.sqrt(z.size) and abs(z.std() - 1.0) < 4.0 / np.sqrt(2 * z.size), name
    for (quantity, parameter), prior in SENSORS.items():
        z = np.array([prior.z(r.value) for r in rows if (r.quantity, r.parameter) == (quantity, parameter)])
        assert z.size and abs(z.mean()) < 4.0 / np.sqrt(z.size), quantity


def test_power_is_that_of_the_utilisation_on_the_real_plant(row: Plant) -> None:
    real = real_plant(row, hidden(row, SEED))
    for u in (0.0, 0.31, 1.0):
        got = rack_power_w(real, np.full((1, row.racks.n), u))[0]
        assert got == pytest.approx(from_utilisation(real, u).rack_w[0], rel=1e-4)
    assert not np.allclose(got, from_utilisation(row, 1.0).rack_w[0], rtol=0.01)


def test_training_racks_of_a_row_move_together() -> None:
    p = plant(generate("reference"))
    u = utilisation(p, times(DAY - dt.timedelta(days=13), 14 * 96, 900.0), 1)
    assert ((u >= 0.0) & (u <= 1.0)).all()
    rows = np.array([p.site.positions[r.position].row for r in p.site.racks.values()])
    alike = [np.corrcoef(u[:, rows == r].T).min() for r in np.unique(rows) if (rows == r).sum() > 1]
    assert min(alike) > 0.5
    across = np.abs(np.corrcoef(np.stack([u[:, rows == r].mean(axis=1) for r in np.unique(rows)])))
    assert across[np.triu_indices_from(across, 1)].min() < 0.5


def test_a_meter_reads_gain_times_true_plus_bias_with_its_noise(row: Plant) -> None:
    secret = hidden(row, SEED)
    time = times(DAY, 1440, 60.0)
    u, wet = utilisation(row, time, SEED), wet_bulb_c(time, SEED)
    world = World.of(row, secret, SEED)
    exact = shown(world, time, u, wet)
    got = read(world, time, exact)
    for name in ("rack power", "CDU supply temperature", "CDU facility flow", "CDU power"):
        meter = next(m for m in world.meters if m.channel.name == name)
        gain, bias = (meter.error(row, secret, p) for p in ("gain", "bias"))
        off = got[name] - gain * exact[name] - bias
        scale = meter.channel.noise * (exact[name] if meter.channel.relative else 1.0)
        z = off / scale
        assert abs(np.nanstd(z) - 1.0) < 0.05 and abs(np.nanmean(z)) < 0.1, name
        assert (gain != 1.0).any() or (bias != 0.0).any()


def test_arrays_and_files_tell_the_same(row: Plant, stored: tuple[IngestReport, Store]) -> None:
    time = times(DAY, 1440, 60.0)
    long = times(END - dt.timedelta(days=30), 30 * 96, 900.0)
    u = within(row, long, utilisation(row, long, SEED), time, SEED)
    wet = np.repeat(wet_bulb_c(long, SEED)[-96:], 15)
    seen = observe(row, hidden(row, SEED), time, u, wet, SEED)
    assert step_s(time) == 60.0
    for name in ("CDU return temperature", "CDU facility flow"):
        in_store = CHANNELS[name].measured(row, stored[1], DAY, END, 60.0)
        assert np.allclose(seen[name].values, in_store.values, rtol=1e-3, equal_nan=True), name
    assert set(seen) - set(CHANNELS) == {UTILISATION, "wet bulb"}
    few = observe(row, hidden(row, SEED), time[:10], u[:10], wet[:10], SEED, names=("CDU flow",))
    assert set(few) == {"CDU flow", UTILISATION, "wet bulb"}
    with pytest.raises(UsageError, match="10 times need"):
        observe(row, (), time[:10], u, wet, SEED)


def test_without_secrets_meters_are_right_on_average(row: Plant) -> None:
    time = times(DAY, 96, 900.0)
    u = np.full((time.size, row.racks.n), 0.5)
    seen = observe(row, (), time, u, np.full(96, 12.0), 0, names=("rack power",))
    assert np.nanmean(seen["rack power"].values, axis=0) == pytest.approx(from_utilisation(row, 0.5).rack_w[0], rel=2e-3)
    assert {m.channel.name for m in meters(row)} >= {"cord A power", "utility power", "CDU valve"}
