"""Answers hold what was computed, in values that JSON knows."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest

from dashboards import answers
from dashboards.readable import text
from dashboards.session import Session
from topology.errors import Finding
from topology.generate import generate


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(generate("row"))


def test_what_is_not_finite_is_null() -> None:
    raw = {"a": np.array([1.0, np.nan, np.inf]), "b": np.int64(3), "c": np.bool_(True), "d": dt.date(2026, 1, 2)}
    assert answers.plain(raw) == {"a": [1.0, None, None], "b": 3, "c": True, "d": "2026-01-02"}
    assert answers.plain(dt.datetime(2026, 1, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=1)))) == "2026-01-02T02:00:00Z"


def test_solved_agrees_with_the_state(session: Session) -> None:
    result = session.solve(0.7, wet_bulb_c=21.0, outage=("cdu-1",))
    found = answers.solved(result, 0.7)
    json.dumps(found, allow_nan=False)
    assert (found["outage"], found["wet_bulb_c"], found["utilisation"]) == (["cdu-1"], 21.0, 0.7)
    hot = found["hottest"]
    assert hot["chip_temp_c"] == result.state.heat.chip_c[0].max()
    assert hot["element"] == result.plant.racks.ids[int(result.state.heat.chip_c[0].argmax())]
    tight = found["tightest"][0]
    row = [
        k
        for k in range(len(result.limits.element))
        if (result.limits.element[k], result.limits.limit[k]) == (tight["element"], tight["limit"])
    ]
    assert tight["margin_frac"] == result.margin_frac.min() == result.margin_frac[row[0]]
    assert sum(h["racks_w"] for h in found["halls"]) == pytest.approx(result.state.loads.rack_w.sum())
    assert {x["element"] for x in found["loops"]} == set(result.plant.loops.ids)


def test_cases_are_sorted_and_cut(session: Session) -> None:
    table = session.cases(1.0)
    found = answers.cases(table, 4, "utilisation", 17.0)
    lowest = np.sort(table.margin_frac.min(axis=1))[:4]
    assert [w["margin_frac"] for w in found["worst"]] == list(lowest)
    assert found["cases"] == len(table.cases)


def test_findings_put_errors_first() -> None:
    found = answers.site_check((Finding("doubt", severity="warning"), Finding("fault", "mend it", "racks.csv", 3, "sku")))
    assert (found["errors"], found["warnings"]) == (1, 1)
    assert [f["message"] for f in found["findings"]] == ["fault", "doubt"]
    assert found["findings"][0]["row"] == 3


@pytest.mark.parametrize(
    ("value", "suffix", "shown"),
    [(1234.0, "w", "1.2 kW"), (25e6, "va", "25.00 MVA"), (150e3, "pa", "150.0 kPa"), (0.5, "frac", "0.50"), (float("nan"), "c", "-"),
     (float("inf"), "frac", "lost"), (640.0, "a", "640.0 A")],
)  # fmt: skip
def test_people_read_their_own_units(value: float, suffix: str, shown: str) -> None:
    assert text(value, suffix) == shown
