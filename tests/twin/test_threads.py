"""Scenarios over threads: every one once, and the same bits however many there are."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from topology.generate import generate
from topology.plant import plant
from twin.loads import from_power
from twin.solvers.steady import solve_steady
from twin.solvers.threads import THREADS_VARIABLE, shared, side_by_side, threads
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


def test_whole_solves_side_by_side_keep_their_order_and_take_no_further_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "3")
    names: list[str] = []

    def work(n: int) -> tuple[int, int]:
        names.append(threading.current_thread().name)
        return n * n, threads()

    assert side_by_side(work, range(20)) == [(n * n, 1) for n in range(20)]
    assert all(n.startswith("solves") for n in names) and threads() == 3
    assert side_by_side(work, [4]) == [(16, 3)]  # one alone keeps every thread for itself
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda n: 1 // n, [1, 0, 2])
