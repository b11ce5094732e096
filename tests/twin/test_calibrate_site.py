"""All families over one plant: carried to a worker and back, each constant once, doubts where nothing is metered."""

from __future__ import annotations

import datetime as dt
import pickle
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fidelity.hidden import seen_of
from tests.twin.sites import small_site
from topology.errors import UsageError
from topology.overlay import calibrated, overlay_text
from topology.plant import plant
from twin.carried import packed
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.site import FAMILIES, calibrate_site
from twin.synthetic.days import times, utilisation, wet_bulb_c
from twin.synthetic.observe import observe
from twin.synthetic.secret import hidden

POWER = ("skus", "feeds")


@pytest.fixture(scope="module")
def seen() -> Seen:
    where = plant(small_site(5, chiller=False))
    time = times(dt.datetime(2026, 3, 2, tzinfo=dt.UTC), 5 * 96, 900.0)
    shown = observe(where, hidden(where, 9), time, utilisation(where, time, 9), wet_bulb_c(time, 9), 9)
    return seen_of(where, shown)


def test_every_family_has_something_to_say_of_a_plant_with_all_meters(seen: Seen) -> None:
    told: list[tuple[int, int]] = []
    found = calibrate_site(seen, progress=lambda done, total: told.append((done, total)))
    assert list(found.by_family) == list(FAMILIES)
    silent = [name for name, count in found.by_family.items() if not count]
    assert silent in ([], ["outside"]), "two large towers over five racks may idle"
    assert told[-1] == (len(FAMILIES), len(FAMILIES))
    assert [f.hint for f in found.findings] == [FAMILIES[name].needs for name in silent]


def test_each_constant_is_told_once_and_fits_the_site(seen: Seen) -> None:
    rows = calibrate_site(seen).overlay(prior=True)
    assert len({r.key for r in rows}) == len(rows)
    assert calibrated(seen.plant.site, rows).calibration == rows


def test_what_is_carried_to_a_worker_gives_the_same_bits(seen: Seen) -> None:
    there = pickle.loads(packed(seen))
    here, back = calibrate_site(seen, POWER), pickle.loads(packed(calibrate_site(there, POWER)))
    assert overlay_text(here.overlay(prior=True)) == overlay_text(back.overlay(prior=True))
    assert [d.change_frac for d in here.drifts] == [d.change_frac for d in back.drifts]


def test_a_family_does_not_depend_on_the_others(seen: Seen) -> None:
    alone, among = (overlay_text(calibrate_site(seen, names).overlay()) for names in (("feeds",), POWER))
    assert set(alone.splitlines()) <= set(among.splitlines())


def test_nothing_metered_is_a_doubt_and_not_an_answer(seen: Seen) -> None:
    bare = replace(seen, read={}, utilisation=np.full_like(seen.utilisation, np.nan))
    found = calibrate_site(bare, POWER)
    assert found.told == () and found.drifts == ()
    assert len(found.findings) == 2 and "utilisation" in found.findings[0].hint


def test_an_unknown_family_offers_the_nearest(seen: Seen) -> None:
    with pytest.raises(UsageError, match="did you mean skus"):
        calibrate_site(seen, ("skuss",))
