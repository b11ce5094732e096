"""Planted faults: each changes what it says, where and from when it says, and nothing else."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from topology.errors import UsageError
from topology.generate import generate
from topology.plant import Plant, plant
from twin.observe import CHANNELS
from twin.synthetic.days import times, utilisation, wet_bulb_c
from twin.synthetic.faults import BESIDE, DRIFT_S, KINDS, UTILISATION, Fault, Readings, fault, fault_of
from twin.synthetic.observe import World, last_of, read, shown
from twin.synthetic.secret import hidden, real_plant

START = dt.datetime(2026, 5, 31, tzinfo=dt.UTC)
NOON = np.datetime64("2026-05-31T12:00", "us")
TIME = times(START, 1440, 60.0)
RACK, CDU = "rack-01", "cdu-1"
PLACE = {"fouled-plate": RACK, "swapped-cords": "rack-03", "skewed-clock": RACK, "gap": RACK, "spikes": RACK, "fouled-cdu": CDU,
         "drifted-flow": CDU, "stuck-temperature": CDU}  # fmt: skip


@pytest.fixture(scope="module")
def row() -> Plant:
    return plant(generate("row"))


def readings(row: Plant, *faults: Fault, time: np.ndarray = TIME) -> Readings:
    world = World.of(row, hidden(row, 7), 7, faults)
    return read(world, time, shown(world, time, utilisation(row, time, 7), wet_bulb_c(time, 7)))


@pytest.fixture(scope="module")
def clean(row: Plant) -> Readings:
    return readings(row)


def moved(row: Plant, clean: Readings, spoilt: Readings) -> dict[str, set[str]]:
    """Elements whose readings differ, by channel."""
    out = {}
    for name, values in spoilt.items():
        differs = (np.nan_to_num(values) != np.nan_to_num(clean[name])).any(axis=0)
        if differs.any():
            ids = getattr(row, CHANNELS[name].axis).ids if name in CHANNELS else getattr(row, BESIDE[name]).ids
            out[name] = {ids[k] for k in np.flatnonzero(differs)}
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_happens_before_it_begins(row: Plant, clean: Readings, kind: str) -> None:
    planted = fault(kind, PLACE[kind], NOON, 0.5 if kind == "drifted-flow" else None)
    got = readings(row, planted)
    before = NOON > TIME
    for name, values in got.items():
        assert np.array_equal(values[before], clean[name][before], equal_nan=True), name
    if kind != "fouled-cdu":  # that takes weeks
        assert moved(row, clean, got)
    assert fault_of(planted.text) == planted
    assert PLACE[kind] in KINDS[kind].places(real_plant(row, hidden(row, 7)))


def test_a_drifted_meter_drifts_alone(row: Plant, clean: Readings) -> None:
    got = readings(row, fault("drifted-flow", CDU, NOON, 0.1))
    assert moved(row, clean, got) == {"CDU flow": {CDU}}
    ratio = got["CDU flow"][-1, 0] / clean["CDU flow"][-1, 0] - 1.0
    assert ratio == pytest.approx(0.1 * (12 * 3600.0 - 60.0) / DRIFT_S, rel=1e-6)


def test_swapped_cords_read_each_other(row: Plant, clean: Readings) -> None:
    got = readings(row, fault("swapped-cords", RACK, NOON))
    assert moved(row, clean, got) == {"cord A power": {RACK}, "cord B power": {RACK}}
    after = TIME >= NOON
    assert np.array_equal(got["cord A power"][after, 0], clean["cord B power"][after, 0], equal_nan=True)


def test_a_stuck_temperature_stays(row: Plant, clean: Readings) -> None:
    got = readings(row, fault("stuck-temperature", CDU, NOON))
    assert moved(row, clean, got) == {"CDU return temperature": {CDU}}
    held = got["CDU return temperature"][TIME >= NOON, 0]
    assert np.unique(held[np.isfinite(held)]).size == 1
    assert np.array_equal(np.isnan(held), np.isnan(clean["CDU return temperature"][TIME >= NOON, 0]))


def test_a_stuck_temperature_stays_from_one_stretch_to_the_next(row: Plant) -> None:
    world = World.of(row, hidden(row, 7), 7, (fault("stuck-temperature", CDU, NOON),))
    u, wet = utilisation(row, TIME, 7), wet_bulb_c(TIME, 7)
    first = read(world, TIME, shown(world, TIME, u, wet))
    later = TIME + np.timedelta64(1, "D")
    second = read(world, later, shown(world, later, u, wet), last_of(first))
    values = np.concatenate([x["CDU return temperature"][:, 0] for x in (first, second)])[800:]
    assert np.unique(values[np.isfinite(values)]).size == 1


def test_a_skewed_host_is_late_by_seven_minutes_and_its_shelf_is_not(row: Plant, clean: Readings) -> None:
    got = readings(row, fault("skewed-clock", RACK, NOON))
    assert moved(row, clean, got) == {UTILISATION: {RACK}, "chip power": {RACK}, "chip temperature": {RACK}}
    assert np.array_equal(got[UTILISATION][800:, 0], clean[UTILISATION][793:-7, 0], equal_nan=True)


def test_a_gap_takes_everything_of_its_rack_for_two_hours(row: Plant, clean: Readings) -> None:
    got = readings(row, fault("gap", RACK, NOON))
    during = (TIME >= NOON) & (NOON + np.timedelta64(2, "h") > TIME)
    for name in ("rack power", "chip temperature", UTILISATION, "cord A power"):
        assert np.isnan(got[name][during, 0]).all()
        assert np.array_equal(got[name][~during], clean[name][~during], equal_nan=True)


def test_spikes_are_as_many_as_asked_for(row: Plant, clean: Readings) -> None:
    got = readings(row, fault("spikes", RACK, np.datetime64("2026-05-31T00:00", "us"), 5.0))
    assert moved(row, clean, got) == {"rack power": {RACK}}
    assert 3 <= (np.nan_to_num(got["rack power"][:, 0]) != np.nan_to_num(clean["rack power"][:, 0])).sum() <= 5


def test_a_fouled_plate_makes_its_own_chips_hotter_and_nothing_else(row: Plant, clean: Readings) -> None:
    got = readings(row, fault("fouled-plate", RACK, NOON, 1.5))
    assert moved(row, clean, got) == {"chip temperature": {RACK}}
    after = TIME >= NOON
    rise = clean["chip temperature"][after, 0] - np.nanmean(clean["CDU supply temperature"][after])
    assert np.nanmean(got["chip temperature"][after, 0] - clean["chip temperature"][after, 0]) > 0.2 * np.nanmean(rise)


def test_a_fouled_cdu_loses_its_share_within_three_weeks(row: Plant) -> None:
    long = times(START, 30 * 24, 3600.0)
    planted = fault("fouled-cdu", CDU, np.datetime64("2026-05-31", "us"), 0.4)
    factor = planted.changes(long)["ua_factor"]
    assert factor[0] == 1.0 and factor[-1] == pytest.approx(0.6) and (np.diff(factor) <= 0.0).all()
    valve = readings(row, planted, time=long)["CDU valve"] - readings(row, time=long)["CDU valve"]
    assert np.nanmean(valve[-48:, 0]) > 0.01
    assert abs(np.nanmean(valve[-48:, 1])) < 1e-3


def test_a_fault_is_refused_where_it_cannot_be(row: Plant) -> None:
    with pytest.raises(UsageError, match="cdu-1 cannot have the fault swapped-cords"):
        World.of(row, (), 0, (fault("swapped-cords", CDU, NOON),))
    with pytest.raises(UsageError, match="there is no fault 'fouled'"):
        fault("fouled", CDU, NOON)
