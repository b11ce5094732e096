"""Scenarios over threads: every one once, and the same bits however many there are."""

from __future__ import annotations

import numpy as np
import pytest

from topology.generate import generate
from topology.plant import plant
from twin.loads import from_power
from twin.solvers.steady import solve_steady
from twin.solvers.threads import THREADS_VARIABLE, shared, threads
from twin.state import Ambient


@pytest.mark.parametrize("scenarios", [0, 1, 7, 8, 16, 100, 1001])
def test_ranges_are_all_scenarios_once(monkeypatch: pytest.MonkeyPatch, scenarios: int) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "3")
    count = np.zeros(scenarios, int)

    def work(first: int, last: int) -> None:
        count[first:last] += 1

    shared(work, scenarios)
    assert threads() == 3 and (count == 1).all()


def test_threads_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    p = plant(generate("row"))
    power = np.random.default_rng(3).uniform(0.3, 1.0, (41, p.racks.n)) * p.racks.budget_w
    answers = []
    for number in ("1", "4"):
        monkeypatch.setenv(THREADS_VARIABLE, number)
        answers.append(solve_steady(p, from_power(p, power), Ambient(np.linspace(5.0, 25.0, 41))))
    one, four = answers
    assert np.array_equal(one.heat.chip_c, four.heat.chip_c) and np.array_equal(one.ledger.site_w, four.ledger.site_w)
    assert np.array_equal(one.heat.tower_fan_frac, four.heat.tower_fan_frac)


def test_a_fault_in_a_thread_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "2")

    def work(first: int, last: int) -> None:
        if first <= 40 < last:
            raise ValueError("scenario 40")

    with pytest.raises(ValueError, match="scenario 40"):
        shared(work, 100)
