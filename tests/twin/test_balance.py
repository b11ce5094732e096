"""The energy balance finds what was planted in a synthetic plant, with its size and begin, and nothing in one without faults."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from telemetry.bins import Window
from telemetry.quality.doubt import Doubt, utc
from topology.generate import generate
from topology.plant import Plant, plant
from twin.balance.change import changes
from twin.balance.cords import cord_doubts, exchanged, mirrored
from twin.balance.power import MIDDLE, Ratios, moved
from twin.balance.said import Said, needed
from twin.balance.samples import Samples, sample_times
from twin.forecast.calibrate.seen import Seen, looked_at
from twin.forecast.follow import filled
from twin.observe import CHANNELS
from twin.synthetic.days import times, utilisation, wet_bulb_c
from twin.synthetic.faults import KINDS, fault_of
from twin.synthetic.observe import UTILISATION, WET_BULB, observe
from twin.synthetic.secret import hidden, real_plant
from twin.trust import balance_doubts, without

START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
STEP_S = 900.0


@pytest.fixture(scope="module")
def reference() -> Plant:
    return plant(generate("reference"))


def shown(of: Plant, seed: int, days: int, faults: Sequence[str] = ()) -> Seen:
    """What telemetry of a synthetic plant shows, by quarter hours."""
    time = times(START, days * 96, STEP_S)
    found = observe(of, hidden(of, seed), time, utilisation(of, time, seed), wet_bulb_c(time, seed), seed, [fault_of(f) for f in faults])
    read = {n: f.values for n, f in found.items() if n in CHANNELS and np.isfinite(f.values).any()}
    load, assumed = filled(of, read["rack power"])
    cut = Window(START, START + dt.timedelta(days=days), STEP_S)
    return looked_at(of, cut, read, load, ~assumed, found[UTILISATION].values, found[WET_BULB].values[:, 0])


def late_h(doubt: Doubt, since: str) -> float:
    return (doubt.since - dt.datetime.fromisoformat(since)).total_seconds() / 3600.0


@pytest.mark.parametrize("seed", [11, 12])
def test_a_plant_whose_constants_and_meters_differ_from_the_catalog_raises_no_doubt(reference: Plant, seed: int) -> None:
    assert balance_doubts(shown(reference, seed, 10)) == []


def test_meters_cords_and_plates_are_told_with_size_and_begin(reference: Plant) -> None:
    swapped = KINDS["swapped-cords"].places(real_plant(reference, hidden(reference, 7)))[3]
    faults = [
        "drifted-flow:cdu-b12@2026-11-05T03:00Z", "drifted-flow:l2a-22@2026-11-04T09:00Z", "fouled-plate:rack-b1-03@2026-11-03T07:20Z",
        "fouled-plate:rack-a1-01@2026-11-06T13:00Z=1.15", f"swapped-cords:{swapped}@2026-11-07T11:00Z",
    ]  # fmt: skip
    found = {(d.element, d.detector): d for d in balance_doubts(shown(reference, 7, 10, faults))}
    assert sorted(found) == sorted([
        ("cdu-b12", "flow_drift"), ("l2a-22", "flow_drift"), ("rack-b1-03", "fouled_plate"), ("rack-a1-01", "fouled_plate"),
        (swapped, "swapped_cords"),
    ])  # fmt: skip
    assert abs(late_h(found["cdu-b12", "flow_drift"], "2026-11-05T03:00Z")) <= 24.0
    assert abs(late_h(found["l2a-22", "flow_drift"], "2026-11-04T09:00Z")) <= 24.0
    assert abs(late_h(found["rack-b1-03", "fouled_plate"], "2026-11-03T07:20Z")) <= 1.0
    assert abs(late_h(found["rack-a1-01", "fouled_plate"], "2026-11-06T13:00Z")) <= 1.0
    assert abs(late_h(found[swapped, "swapped_cords"], "2026-11-07T11:00Z")) <= 0.5
    for key, size in ((("cdu-b12", "flow_drift"), 8.0), (("rack-b1-03", "fouled_plate"), 30.0), (("rack-a1-01", "fouled_plate"), 15.0)):
        assert percent(found[key].reason) == pytest.approx(size, abs=0.15 * size)
    assert "meters of both feeds did not move" in found[swapped, "swapped_cords"].reason


def percent(reason: str) -> float:
    """The first share in a sentence."""
    return float(next(w for w in reason.split() if w.endswith("%")).rstrip("%"))


def test_an_exchanger_that_fouls_over_weeks_is_told_from_a_meter_that_drifts(reference: Plant) -> None:
    found = balance_doubts(shown(reference, 8, 28, ["fouled-cdu:cdu-b31@2026-11-05T00:00Z"]))
    assert [(d.element, d.detector) for d in found] == [("cdu-b31", "fouling")]
    assert percent(found[0].reason) == pytest.approx(20.0, abs=5.0) and abs(late_h(found[0], "2026-11-05T00:00Z")) <= 96.0


def test_load_that_really_moves_from_one_cord_to_the_other_is_no_exchanged_label(reference: Plant) -> None:
    what = shown(reference, 9, 4)
    r = reference.racks
    k = int(np.flatnonzero(r.drawing & (r.feed >= 0).all(axis=1))[0])
    read = {n: v.copy() for n, v in what.read.items()}
    a, b, fed = read["cord A power"], read["cord B power"], read["feed power"]
    late, total = slice(200, None), (a[:, k] + b[:, k])
    for share, rows in ((0.55, slice(0, 200)), (0.45, late)):
        new_a = share * total[rows]
        fed[rows, r.feed[k, 0]] += new_a - a[rows, k]
        fed[rows, r.feed[k, 1]] -= new_a - a[rows, k]
        a[rows, k], b[rows, k] = new_a, total[rows] - new_a
    assert list(cord_doubts(replace(what, read=read))) == []
    fed[late, r.feed[k, 0]] += 0.1 * total[late]  # the feeds as they were before: only the labels have moved
    fed[late, r.feed[k, 1]] -= 0.1 * total[late]
    assert [d.element for d in cord_doubts(replace(what, read=read))] == [r.ids[k]]


def test_what_is_stuck_is_left_out_of_the_balance(reference: Plant) -> None:
    what = shown(reference, 10, 4)
    n = reference.cdus.ids.index("cdu-b21")
    channel = CHANNELS["CDU return temperature"]
    stuck = Doubt("cdu-b21", channel.part, channel.quantity, channel.level, "stuck", 1.0, "", START, START + dt.timedelta(days=2), 1)
    left = without(reference, what.time, STEP_S, what.read, [stuck])["CDU return temperature"]
    assert np.isnan(left[:192, n]).all() and np.isfinite(left[192:, n]).any()
    assert np.isfinite(what.read["CDU return temperature"][:192, n]).any()


def test_a_change_is_found_where_it_begins_and_noise_alone_makes_none() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 1.0, (40, 600))
    slopes = np.ones((40, 1, 600))
    quiet = changes([noise], [slopes], [np.ones(40)], np.zeros((40, 1)))
    assert (quiet.gain[:, 0] < needed(40, 600)).all()
    step = noise + np.where(np.arange(600) >= 250, -2.0, 0.0)
    found = changes([step], [slopes], [np.ones(40)], np.zeros((40, 1)))
    assert (found.gain[:, 0] > needed(40, 600)).all()
    assert np.abs(found.begin[:, 0] - 250).max() <= 12 and found.size[:, 0] == pytest.approx(2.0, abs=0.5)
    slow = noise - 3.0 * np.clip((np.arange(600) - 200) / 300.0, 0.0, 1.0)
    found = changes([slow], [slopes], [np.ones(40)], np.zeros((40, 1)))
    assert np.median(found.lasts[:, 0]) == 299 or np.median(found.lasts[:, 0]) == 300
    assert np.median(np.abs(found.begin[:, 0] - 200)) <= 30


def test_a_ratio_that_follows_the_load_has_not_changed() -> None:
    rng = np.random.default_rng(1)
    load = np.repeat(rng.normal(0.0, 0.3, (5, 20)), 30, axis=1)
    wander = 0.1 * load + rng.normal(0.0, 0.005, load.shape)
    cut = Samples(np.datetime64("2026-11-01T00:00", "us") + np.arange(601) * np.timedelta64(900, "s"))
    words = Said(MIDDLE.name, "power_drift", "power_w", "", 0.02, "reads {size} {more}")
    names = tuple("abcde")
    assert list(moved(Ratios(wander, load), names, "rack", words, cut)) == []
    wander[2, 400:] += 0.05
    found = list(moved(Ratios(wander, load), names, "rack", words, cut))
    assert [d.element for d in found] == ["c"] and percent(found[0].reason) == pytest.approx(5.0, abs=0.5)
    assert abs((found[0].since - utc(cut.time[400].astype(np.int64))).total_seconds()) <= 2 * 900


def test_shares_and_their_mirror_images() -> None:
    rng = np.random.default_rng(2)
    share = np.where(np.arange(200) < 120, 0.53, 0.47) + rng.normal(0.0, 0.002, 200)
    jump = mirrored(share)
    assert jump is not None and jump.at == 120 and jump.before_frac == pytest.approx(0.53, abs=0.001)
    assert mirrored(np.full(200, 0.53) + rng.normal(0.0, 0.002, 200)) is None
    assert mirrored(np.where(np.arange(200) < 120, 0.53, 0.60) + rng.normal(0.0, 0.002, 200)) is None
    assert exchanged(0.6, 0.4) and not exchanged(0.6, 0.57) and not exchanged(0.5, 0.45)


def test_times_of_samples() -> None:
    time = np.datetime64("2026-11-01T00:00", "us") + np.arange(10) * np.timedelta64(900, "s")
    assert sample_times(time, 900.0, 5).astype("datetime64[m]").astype(str).tolist()[::2] == [
        "2026-11-01T00:00", "2026-11-01T01:00", "2026-11-01T02:00",
    ]  # fmt: skip
