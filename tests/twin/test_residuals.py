"""Predicted beside measured: what the twin knows shows as noise, what it does not as an offset; chunks and seeks change no bit."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.special import erf

from telemetry.ingest import ingest
from telemetry.store import Store
from tests.twin.played import END, READ, START, STEP_S, STEPS, WARM, recorded
from tests.twin.sites import small_site
from topology.errors import TelemetryError, UsageError
from topology.plant import Plant, plant
from twin.forecast.calibrate.scores import score
from twin.forecast.follow import Replay, follow
from twin.forecast.pieces import pieces
from twin.forecast.player import Player
from twin.observe import CHANNELS
from twin.residual_tally import Tally
from twin.residuals import Summary, compare, summary


@pytest.fixture(scope="module")
def p() -> Plant:
    return plant(small_site())


@pytest.fixture(scope="module")
def store(p: Plant, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("residuals")
    recorded(p, np.random.default_rng(5)).to_parquet(folder / "readings.parquet")
    report = ingest(p.site, folder / "readings.parquet", folder / "store", vendor="racktwin", clock=lambda: END)
    assert report.rows_stored == report.rows_in
    return Store.open(folder / "store")


@pytest.fixture(scope="module")
def told(p: Plant, store: Store) -> Summary:
    return summary(p, store, START, END, STEP_S)


def test_pieces_are_what_follow_solves_gaps_across_stretches_included(p: Plant, store: Store) -> None:
    whole = follow(p, store, START, END, STEP_S)
    got = list(pieces(p, store, START, END, STEP_S))
    assert [x.first for x in got] == [0, 512, 1024, 1440, 1952]
    for ours, theirs in (("load_w", "rack_w"), ("assumed", "assumed"), ("wet_bulb_c", "wet_bulb_c"), ("time", "time")):
        assert np.array_equal(np.concatenate([getattr(x, ours) for x in got]), getattr(whole, theirs))
    assert np.array_equal(np.concatenate([x.state.ledger.site_w for x in got]), whole.site_w)
    assert whole.assumed[1430:1450, 0].all()


@pytest.mark.parametrize("minutes", [1, 700, 1435, 1440, 1445, 1999])
def test_a_seek_changes_no_bit_of_what_follows(p: Plant, store: Store, minutes: int) -> None:
    whole = follow(p, store, START, END, STEP_S)
    got = list(pieces(p, store, START, END, STEP_S, seek=START + dt.timedelta(minutes=minutes, seconds=59)))
    assert got[0].first == minutes
    assert np.array_equal(np.concatenate([x.load_w for x in got]), whole.rack_w[minutes:])
    assert np.array_equal(np.concatenate([x.state.ledger.site_w for x in got]), whole.site_w[minutes:])


def test_a_seek_beside_the_window_is_refused(p: Plant, store: Store) -> None:
    with pytest.raises(UsageError, match="outside the window"):
        list(pieces(p, store, START, END, STEP_S, seek=END))
    with pytest.raises(UsageError, match="has no zone"):
        list(pieces(p, store, START, END, STEP_S, seek=START.replace(tzinfo=None)))


def test_a_window_without_power_is_refused_and_says_what_there_is(p: Plant, store: Store) -> None:
    late = END + dt.timedelta(days=3)
    for run in (lambda: follow(p, store, END, late, 3600.0), lambda: list(pieces(p, store, END, late, 3600.0))):
        with pytest.raises(
            TelemetryError, match=r"no power of any rack was measured from 2026-06-02T09:20.*the store holds from 2026-06-01"
        ):
            run()


def test_the_load_is_no_check_on_itself(p: Plant, store: Store, told: Summary) -> None:
    assert told.inputs["rack power"] == p.racks.ids
    assert set(told.residuals) == set(READ) - {"rack power"}
    asked = compare(p, store, START, START + dt.timedelta(hours=2), STEP_S, ("rack power",), inputs=True)
    assert np.nanmax(np.abs(asked.residual("rack power"))) == 0.0


def test_a_meter_that_the_twin_is_right_about_shows_its_noise(told: Summary) -> None:
    behind = np.hypot(1.0, 1.0 / np.sqrt(5.0))  # the load under a feed is the sum of five meters as good as its own
    for name, spread in (("CDU flow", 1.0), ("feed power", behind)):
        r = told.residuals[name]
        own = [r.elements.index(e) for e in ("cdu-1", "cdu-2", "busway-a", "busway-b") if e in r.elements]
        assert (r.count[own] == STEPS).all()
        assert np.abs(r.within_frac[own] - erf(2.0 / spread / np.sqrt(2.0))).max() < 0.02
        assert np.abs(r.lag1[own]).max() < 4.0 / np.sqrt(STEPS)
        assert np.abs(r.relative_frac[own]).max() < 4.0 * spread * CHANNELS[name].noise / np.sqrt(STEPS)
        assert r.score.mape_frac == pytest.approx(spread * CHANNELS[name].noise * np.sqrt(2.0 / np.pi), rel=0.08)


def test_a_sensor_that_is_off_shows_by_how_much_and_is_corrected(p: Plant, store: Store, told: Summary) -> None:
    temps = told.residuals["CDU supply temperature"]
    assert temps.elements[temps.compared[0]] == "cdu-1"
    assert temps.bias[0] == pytest.approx(WARM.value, abs=0.02)
    assert temps.within_frac[0] < 0.05
    known = compare(p, store, START, END, STEP_S, ("CDU supply temperature",)).corrected((WARM,))
    assert known.stats["CDU supply temperature"].bias[0] == pytest.approx(0.0, abs=0.02)
    calibrated = replace(p, site=p.site.with_(calibration=(WARM,)))
    of_site = summary(calibrated, store, START, END, STEP_S, ("CDU supply temperature",)).residuals["CDU supply temperature"]
    assert np.array_equal(of_site.bias, known.stats["CDU supply temperature"].bias, equal_nan=True)


def test_a_summary_has_the_bits_of_the_whole(p: Plant, store: Store, told: Summary) -> None:
    whole = compare(p, store, START, END, STEP_S)
    assert whole.time.size == told.steps == STEPS
    for name, r in whole.stats.items():
        for field in ("count", "bias", "rms", "relative_frac", "within_frac", "lag1", "largest"):
            assert np.array_equal(getattr(r, field), getattr(told.residuals[name], field), equal_nan=True), (name, field)
        assert r.score == told.residuals[name].score
    assert told.assumed_frac == pytest.approx(20 / (STEPS * p.racks.n))


def test_an_unknown_channel_names_the_nearest(p: Plant, store: Store) -> None:
    with pytest.raises(UsageError, match="CDU flow"):
        compare(p, store, START, END, STEP_S, ("CDU flows",))
    with pytest.raises(UsageError, match="nothing of the channel"):
        compare(p, store, START, END, STEP_S, ("CDU flow",)).residual("chip temperature")


def test_a_tally_in_pieces_is_the_textbook() -> None:
    rng = np.random.default_rng(2)
    y = 100.0 + rng.normal(0.0, 1.0, (300, 1))
    f = y - np.convolve(rng.normal(0.5, 1.0, 302), np.ones(3), "valid")[:, None]
    y[40:50] = np.nan
    time = np.datetime64("2026-06-01", "us") + np.arange(300).astype("timedelta64[m]")
    tally = Tally("CDU flow", ("a",), 0.01, True)
    for a, b in ((0, 45), (45, 46), (46, 300)):
        tally.add(time[a:b], y[a:b], f[a:b])
    e = (y - f)[np.isfinite(y)]
    got = tally.told
    assert (got.count[0], got.bias[0], got.rms[0]) == pytest.approx((290, e.mean(), np.sqrt((e**2).mean())))
    around = e - e.mean()
    assert got.lag1[0] == pytest.approx((around[1:] * around[:-1]).mean() / (around**2).mean())
    assert got.largest[0] == e[np.abs(e).argmax()]
    assert got.largest_at[0] == time[np.nanargmax(np.abs(y - f))]
    assert got.score.cv_rmse_frac == pytest.approx(score(f[:, 0], y[:, 0]).cv_rmse_frac)


def test_what_was_played_is_the_replay_of_these_steps(p: Plant, store: Store, told: Summary) -> None:
    whole = follow(p, store, START, END, STEP_S)
    player = Player(p, store, START, END, STEP_S, residuals=True)
    for played in player.play():
        player.keep(played)
    assert same(player.replay, whole) == []
    assert player.residuals is not None and player.residuals.residuals["CDU flow"].score == told.residuals["CDU flow"].score


@pytest.mark.parametrize(("minutes", "steps"), [(0, 3), (1300, 400), (1439, 1)])
def test_playing_from_a_seek_for_some_steps_changes_no_bit(p: Plant, store: Store, minutes: int, steps: int) -> None:
    whole = follow(p, store, START, END, STEP_S)
    player = Player(p, store, START, END, STEP_S, seek=START + dt.timedelta(minutes=minutes), steps=steps)
    for played in player.play():
        player.keep(played, 500)
    cut = slice(minutes, minutes + steps)
    got = player.replay
    assert player.steps == steps and np.array_equal(got.time, whole.time[cut])
    for name in ("rack_w", "site_w", "hottest_c", "worst_frac", "loop_return_c", "assumed"):
        assert np.array_equal(getattr(got, name), getattr(whole, name)[cut]), name


def test_stopping_in_the_middle_of_a_piece_keeps_what_was_seen(p: Plant, store: Store) -> None:
    player = Player(p, store, START, END, STEP_S, residuals=True, channels=("CDU flow",))
    with pytest.raises(TelemetryError, match="nothing was played"):
        _ = player.replay
    player.keep(next(player.play()), 10)
    assert player.replay.frames == 10
    short = summary(p, store, START, START + dt.timedelta(minutes=10), STEP_S, ("CDU flow",))
    assert player.residuals is not None and np.array_equal(player.residuals.residuals["CDU flow"].bias, short.residuals["CDU flow"].bias)
    with pytest.raises(UsageError, match="0 steps are none"):
        Player(p, store, START, END, STEP_S, steps=0)


def same(a: Replay, b: Replay) -> list[str]:
    """Fields in which two replays differ, apart from the time that they took."""
    arrays = [f.name for f in fields(Replay) if isinstance(getattr(a, f.name), np.ndarray)]
    return [n for n in arrays if not np.array_equal(getattr(a, n), getattr(b, n), equal_nan=n not in ("time", "assumed"))]
