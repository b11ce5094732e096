"""Frontier: its published constants through the general solver, and a recorded day of it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from telemetry.ingest import IngestReport, ingest
from telemetry.replay import replay as chunks_of
from telemetry.store import Store
from topology.generate import generate
from topology.plant import Plant, plant
from topology.read import read_site
from topology.write import write_site
from twin.forecast.demand import History
from twin.forecast.follow import Replay, follow, joined
from twin.headroom.room import room
from twin.loads import from_utilisation
from twin.solvers.steady import solve_steady
from twin.state import Ambient, SteadyState

STEPS, GROUPS = 5761, 25
RACK_W = tuple(128 * ((node + 13.0) / 0.98 + 17.0 / 4.0) / 0.96 + 32 * 250.0 for node in (626.26, 2704.26))
"""Input of a rack at idle and at full load, by arithmetic on the published constants."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("frontier")
    write_site(generate("frontier"), where)
    return where


@pytest.fixture(scope="module")
def built(folder: Path) -> Plant:
    return plant(read_site(folder))


def solved(p: Plant, utilisation: float | Mapping[str, float]) -> SteadyState:
    return solve_steady(p, from_utilisation(p, utilisation), Ambient(np.array([15.0])))


@pytest.mark.parametrize(
    ("utilisation", "feed_mw", "loss_mw"),
    [(0.0, 7.282, 0.546), ({"cpu": 0.33, "gpu": 0.79}, 22.930, 1.47), (1.0, 28.203, 1.78)],
)
def test_published_constants_through_a_site_folder(
    built: Plant, utilisation: float | dict[str, float], feed_mw: float, loss_mw: float
) -> None:
    led = solved(built, utilisation).ledger
    assert led.feed_w[0] == pytest.approx(feed_mw * 1e6, rel=1e-3)
    assert led.loss_w[0] == pytest.approx(loss_mw * 1e6, rel=0.01)


def test_the_same_by_arithmetic(built: Plant) -> None:
    """9,472 nodes, a converter each and a rectifier for four, 2,368 switches and 25 pumps beside the conversion."""
    led = solved(built, 1.0).ledger
    node = 280.0 + 4 * 560.0 + 74.26 + 80.0 + 30.0
    nodes = 9472 * ((node + 13.0) / 0.98 + 17.0 / 4.0) / 0.96
    assert led.feed_w[0] == pytest.approx(nodes + 74 * 32 * 250.0 + 25 * 8473.47, rel=1e-9)
    assert led.it_w[0] == pytest.approx(9472 * node + 74 * 32 * 250.0, rel=1e-12)
    assert led.cdu_pump_w[0] == pytest.approx(25 * 8473.47, rel=1e-12)


def test_heat_of_racks_goes_to_liquid_as_published(built: Plant) -> None:
    state = solved(built, 0.6)
    assert state.loads.liquid_w.sum() == pytest.approx(0.945 * state.loads.rack_w.sum(), rel=1e-9)
    assert state.ledger.residual_frac[0] < 1e-9


@pytest.fixture(scope="module")
def recording(recordings: Path) -> Path:
    file = recordings / "frontier-cdu-day.parquet"
    if not file.is_file():
        pytest.skip("no recorded day of Frontier among the recordings")
    return file


@pytest.fixture(scope="module")
def day(built: Plant, recording: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[IngestReport, Store]:
    where = tmp_path_factory.mktemp("day") / "store"
    report = ingest(built.site, recording, where)
    return report, Store.open(where)


@pytest.fixture(scope="module")
def replayed(built: Plant, day: tuple[IngestReport, Store]) -> Replay:
    return follow(built, day[1], step_s=15.0)


@pytest.fixture(scope="module")
def file_w(recording: Path) -> np.ndarray:
    """(steps, groups) power as the file has it."""
    table = pq.read_table(recording)
    names = sorted((c for c in table.column_names if c.startswith("power[")), key=lambda c: int(re.findall(r"\d+", c)[0]))
    assert len(names) == GROUPS
    return np.column_stack([table[c].to_numpy() for c in names])


def groups_w(built: Plant, rack_w: np.ndarray) -> np.ndarray:
    """(T, groups) sums of racks by the meter that covers them."""
    number = {name: k for k, name in enumerate(built.racks.ids)}
    return np.column_stack([rack_w[:, [number[i] for i in m.covers]].sum(axis=1) for m in built.site.meters.values()])


def test_every_reading_of_the_day_is_stored(day: tuple[IngestReport, Store]) -> None:
    report, _ = day
    assert (report.rows_stored, report.rows_quarantined, report.files_failed) == (STEPS * (GROUPS + 1), 0, 0)


def test_the_day_is_solved_step_by_step_and_closes(built: Plant, replayed: Replay) -> None:
    assert replayed.frames == STEPS
    assert replayed.rack_samples == STEPS * 74
    assert replayed.residual_frac.max() < 1e-9
    assert not replayed.assumed.any()
    assert 0.0 < replayed.solve_s < 60.0
    for values in (
        replayed.site_w,
        replayed.feed_w,
        replayed.loop_supply_c,
        replayed.loop_return_c,
        replayed.hottest_c,
        replayed.lowest_frac,
    ):
        assert np.isfinite(values).all()
    assert np.array_equal(replayed.time[1:] - replayed.time[:-1], np.full(STEPS - 1, np.timedelta64(15, "s")))


def test_measured_power_is_the_load_as_it_is(built: Plant, replayed: Replay, file_w: np.ndarray) -> None:
    assert groups_w(built, replayed.rack_w) == pytest.approx(file_w, rel=1e-9)
    assert replayed.rack_w.sum() == pytest.approx(file_w.sum(), rel=1e-9)


def test_samples_outside_the_constants_are_findings(replayed: Replay, file_w: np.ndarray) -> None:
    """As many below the floor of its racks as the file has, group by group, and some above full load."""
    found = {f.element: f.message for f in replayed.findings}
    counted = 0
    for g in range(GROUPS):
        idle, full = ((2 if g == 13 else 3) * w for w in RACK_W)
        expected = (int((file_w[:, g] < idle).sum()), int((file_w[:, g] > full).sum()))
        text = found.get(f"group-{g + 1:02d}", "0 of 0 samples lie below idle (0 kW), 0 above")
        numbers = re.findall(r"(\d+) of \d+ samples lie below idle \([^)]*\), (\d+) above", text)[0]
        assert tuple(int(v) for v in numbers) == pytest.approx(expected, abs=2), text
        counted += int(numbers[0])
    assert 0.14 < counted / file_w.size < 0.18


def test_supply_is_held_and_weather_is_measured(built: Plant, replayed: Replay, recording: Path) -> None:
    tcs = ~built.loops.fws
    assert replayed.loop_supply_c[:, tcs] == pytest.approx(32.0, abs=1e-6)
    assert (replayed.loop_return_c[:, tcs] > 32.0).all()
    wet = pq.read_table(recording)["OA Wetbulb Temp"].to_numpy()
    assert replayed.wet_bulb_c == pytest.approx(wet, abs=1e-9)


def test_energy_of_the_day_is_plausible(replayed: Replay) -> None:
    """Against what is printed of this plant: 7 to 28 MW, losses of 5 to 8 %, a PUE below 1.1 at the racks' input."""
    led = replayed
    assert 5e6 < led.feed_w.min() < led.feed_w.max() < 32e6
    share = led.loss_w.sum() / (led.it_w + led.loss_w).sum()
    assert 0.05 < share < 0.09
    at_input = led.site_w / (led.it_w + led.loss_w)
    assert 1.01 < at_input.mean() < 1.10
    assert (led.pue > at_input).all()
    assert led.site_w == pytest.approx(led.it_w + led.loss_w + led.cooling_w, rel=1e-9)
    assert led.hottest_c.max() < 90.0


def test_a_window_is_the_same_as_the_day_there(built: Plant, day: tuple[IngestReport, Store], replayed: Replay) -> None:
    first = dt.datetime(2024, 4, 7, 6, tzinfo=dt.UTC)
    part = follow(built, day[1], first, first + dt.timedelta(minutes=10), 15.0)
    at = int(np.searchsorted(replayed.time, part.time[0]))
    assert part.frames == 40
    assert np.array_equal(part.site_w, replayed.site_w[at : at + 40])


def test_headroom_answers_on_that_day(built: Plant, day: tuple[IngestReport, Store]) -> None:
    power = joined(list(chunks_of(built.site, day[1], None, None, 900.0, 1440)))
    history = History(power.time, power.power_w, 900.0)
    answer = room(built.site, "gb300-nvl72", dt.date(2025, 4, 7), 0.95, history, scenarios=10)
    assert answer.basis == "measured"
    assert "tails are not estimated" in answer.note
    assert 0 <= answer.racks <= answer.free
    assert answer.binding
    assert answer.racks == 0 or answer.reached_frac >= 0.95
