"""Figures: the data of the answer is really in them, and what has no value is never coloured."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pytest

from dashboards.figures.bars import margins, reliefs
from dashboards.figures.energy import energy, flows
from dashboards.figures.floor import floor, placement, plan
from dashboards.figures.quantities import QUANTITIES, status, worst_limits
from dashboards.figures.series import series
from dashboards.session import Session
from dashboards.theme import ORANGE
from telemetry.rackpower import RackPower
from tests.twin.sites import small_site
from topology.site import Site
from twin.forecast.follow import Replay


@pytest.fixture(scope="module")
def site() -> Site:
    """Five racks on eight positions, one of them only reserved."""
    made = small_site()
    reserved = dataclasses.replace(made.racks["r5"], state="reserved")
    return made.with_(racks={**made.racks, "r5": reserved})


@pytest.fixture(scope="module")
def session(site: Site) -> Session:
    return Session(site)


def drawn(figure: object, name: str) -> list[str]:
    """Racks (customdata) of the trace with a name."""
    return [c for t in figure.data if t.name == name for c in t.customdata]  # type: ignore[attr-defined]


def test_the_plan_has_every_position_once_and_halls_apart(site: Site) -> None:
    where = plan(site)
    assert [c.position for c in where.cells] == list(site.positions)
    assert [c.rack for c in where.cells] == ["r1", "r2", "r3", "r4", "r5", "", "", ""]
    assert where.halls["hall-1"] < where.rows["row-1"]


def test_a_rack_is_coloured_by_its_power_and_one_without_value_is_not(session: Session) -> None:
    solved, power = session.solve(0.5), QUANTITIES["power"]
    figure = floor(session.plant, power, power.values(solved), status(solved))
    assert drawn(figure, "Power") == ["r1", "r2", "r3", "r4"]
    coloured = next(t for t in figure.data if t.name == "Power")
    assert list(coloured.marker.color) == pytest.approx(list(solved.state.loads.rack_w[0][:4] / 1e3))
    assert drawn(figure, "no value") == ["r5"]
    hatched = next(t for t in figure.data if t.name == "no value")
    assert hatched.marker.pattern.shape == "/" and hatched.marker.coloraxis is None
    assert drawn(figure, "free position") == ["", "", ""]
    assert "[kW]" in figure.layout.coloraxis.colorbar.title.text


def test_the_loss_of_both_feeds_is_told_apart_from_a_value(session: Session) -> None:
    solved, chip = session.solve(1.0, outage=("busway-a", "busway-b")), QUANTITIES["chip"]
    figure = floor(session.plant, chip, chip.values(solved), status(solved))
    assert drawn(figure, "no supply") == ["r1", "r2", "r3", "r4"]
    assert drawn(figure, "Chip temperature") == []


def test_a_rack_that_nothing_cools_says_so(session: Session) -> None:
    solved = session.solve(1.0, outage=("cdu-1", "cdu-2"))
    assert status(solved)[:4] == ("not cooled",) * 4
    assert np.isnan(QUANTITIES["chip"].values(solved)[:4]).all()


@pytest.mark.parametrize("key", list(QUANTITIES))
def test_each_quantity_has_values_for_drawing_racks(session: Session, key: str) -> None:
    values = QUANTITIES[key].values(session.solve(0.7))
    assert np.isfinite(values[:4]).all()


def test_the_worst_margin_of_a_rack_is_that_of_the_limits(session: Session) -> None:
    solved = session.solve(1.0)
    margin, at = worst_limits(solved)
    own = [m for e, m in zip(solved.limits.element, solved.margin_frac, strict=True) if e.partition("/")[0] == "r1"]
    assert margin[0] == min(own) == solved.margin_frac[at["r1"]]


def test_a_chosen_rack_is_marked(session: Session) -> None:
    solved, power = session.solve(0.5), QUANTITIES["power"]
    assert len(floor(session.plant, power, power.values(solved), status(solved), selected="r2").layout.shapes) == 1
    assert len(floor(session.plant, power, power.values(solved), status(solved), selected="nobody").layout.shapes) == 0


def test_new_racks_stand_in_their_order(session: Session) -> None:
    figure = placement(session.plant, ["p8", "p6"], "gb300-nvl72")
    new = next(t for t in figure.data if t.name == "new gb300-nvl72")
    assert list(new.customdata) == ["p8", "p6"] and list(new.text) == ["1", "2"]
    assert len(drawn(figure, "free position")) == 1


def test_power_that_enters_the_sankey_leaves_it(session: Session) -> None:
    solved = session.solve(0.8)
    links = flows(solved)
    ledger = solved.state.ledger
    assert sum(w for a, _, w in links if a == "Site") == pytest.approx(ledger.site_w[0])
    assert sum(w for _, b, w in links if b == "IT") == pytest.approx(ledger.it_w[0])
    for middle in ("Racks hall-1", "Cooling"):
        assert sum(w for _, b, w in links if b == middle) == pytest.approx(sum(w for a, _, w in links if a == middle))
    shown = energy(solved).data[0]
    assert sum(shown.link.value) == pytest.approx(sum(w for *_, w in links) / 1e3)


def replayed(session: Session, steps: int = 4) -> Replay:
    """A window made by hand, rising power."""
    plant, ramp = session.plant, np.linspace(1.0, 2.0, steps)
    loops = np.full((steps, plant.loops.n), 30.0)
    time = np.datetime64("2026-11-20T00:00", "us") + np.arange(steps) * np.timedelta64(300, "s")
    none = np.zeros(steps, np.int64)
    zero = np.zeros(len(session.limits.element))
    load = np.outer(ramp, np.full(plant.racks.n, 1e5))
    names = plant.racks.ids
    power = RackPower(
        time, names, load, load > 0.0, ("rack",) * len(names), (), np.full(steps, 17.0), (), 300.0, ("measured",) * len(names), 0.01 * load
    )
    return Replay(
        time, 300.0, load, np.zeros((steps, plant.racks.n), bool), np.full(steps, 17.0),
        ramp * 1.2e6, ramp * 1e6, ramp * 1e5, ramp * 1e5, ramp * 1.1e6, zero[:1].repeat(steps), loops, loops + ramp[:, None] * 10,
        none, ramp * 30, none, ramp * 0, lowest_frac=zero, lowest_at=zero.astype(np.int64), limits=session.limits, findings=(),
        solve_s=0.0, power=power,
    )  # fmt: skip


def test_the_last_day_shows_power_pue_and_coolant_with_units(session: Session) -> None:
    window = replayed(session)
    figure = series(window, session.plant)
    lines = {t.name: t for t in figure.data}
    assert list(lines["site"].y) == pytest.approx([1200.0, 1600.0, 2000.0, 2400.0])
    assert list(lines["PUE"].y) == pytest.approx([1.2] * 4)
    assert list(lines["tcs-1"].y) == pytest.approx([40.0, 43.333333, 46.666667, 50.0])
    assert list(lines["tcs-1 supply"].y) == [30.0] * 4
    axes = [figure.layout[a].title.text for a in ("yaxis", "yaxis2", "yaxis3", "xaxis3")]
    assert axes == ["power [kW]", "PUE [-]", "TCS [°C]", "time [UTC]"]
    assert np.asarray(lines["site"].x)[0] == np.datetime64(dt.datetime(2026, 11, 20))


def test_a_violated_margin_is_orange_and_says_so() -> None:
    bar = margins(["normal", "ups-a"], ["a", "b"], [-0.05, 0.2]).data[0]
    assert list(bar.text) == ["-5.0 % violated", "20.0 %"]
    assert bar.marker.color[0] == ORANGE != bar.marker.color[1]


def test_reliefs_count_racks() -> None:
    assert list(reliefs(["lift the limit on current"], [3]).data[0].x) == [3]
    assert "nothing" in reliefs([], []).layout.annotations[0].text
