"""How planted faults are counted: right element, right reason, right time; and what counts as said of nothing."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from benchmarks.fidelity.planted import DETAIL_DAYS, END, MOST_FALSE, SLOW, Trial, judged, planted, trial
from telemetry.quality.doubt import Doubt
from topology.generate import generate
from topology.plant import Plant, plant
from twin.synthetic.faults import KINDS, fault

AT = dt.datetime(2026, 3, 3, 6, tzinfo=dt.UTC)
STUCK = fault("stuck-temperature", "cdu-1", AT)


@pytest.fixture(scope="module")
def row() -> Plant:
    return plant(generate("row"))


def doubt(element: str, detector: str, hours: float = 0.0) -> Doubt:
    since = AT + dt.timedelta(hours=hours)
    return Doubt(element, "Secondary", "return_temp_c", "cdu", detector, 1.0, "reads the same", since, END, 10)


def one(row: Plant, *doubts: Doubt) -> Trial:
    return judged(row, 0, (STUCK,), doubts)


def test_a_fault_is_found_by_its_own_test_near_its_begin(row: Plant) -> None:
    found = one(row, doubt("cdu-1", "stuck", 0.2))
    assert found.tried[0].found and found.tried[0].off_s == pytest.approx(720.0) and not found.false
    assert found.hall_days == DETAIL_DAYS * row.halls.n
    assert not one(row, doubt("cdu-1", "stuck", 5.0)).tried[0].found
    assert not one(row).tried[0].found


def test_another_reason_or_another_element_does_not_count(row: Plant) -> None:
    wrong = one(row, doubt("cdu-1", "spike"))
    assert not wrong.tried[0].found and wrong.tried[0].others == ("spike",) and not wrong.false
    elsewhere = one(row, doubt("cdu-2", "stuck"))
    assert not elsewhere.tried[0].found and [d.element for d in elsewhere.false] == ["cdu-2"]


def test_faults_are_planted_by_chance_where_they_can_be(row: Plant) -> None:
    of = [planted(row, seed) for seed in range(6)]
    assert of[0] == planted(row, 0)
    start = np.datetime64(END.replace(tzinfo=None), "us") - np.timedelta64(DETAIL_DAYS, "D")
    for faults in of:
        assert len({f.element for f in faults}) == len(faults) >= 5
        assert all(start < f.since < start + np.timedelta64(DETAIL_DAYS, "D") for f in faults)
        assert not {f.kind for f in faults} & set(SLOW)
    assert {f.kind for faults in of for f in faults} == set(KINDS) - set(SLOW)
    assert len({f.since for faults in of for f in faults}) > 30


def test_every_planted_fault_is_found_and_nothing_else() -> None:
    """One plant of 70 racks; ``make fidelity`` looks at more of them."""
    big = plant(generate("reference"))
    found = trial(big, 0, planted(big, 0))
    assert len(found.tried) == len(set(KINDS) - set(SLOW))
    assert [t.fault.text for t in found.tried if not t.found] == []
    assert len(found.false) <= MOST_FALSE * found.hall_days
