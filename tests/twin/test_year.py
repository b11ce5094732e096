"""A year: sums worked by hand, PUE categories by meters that are not there to be asked, and what must hold of any year."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.agreements import Agreements
from tests.twin.sites import catalog, small_site
from tests.twin.test_epw import row, write
from topology.errors import UsageError
from topology.models import Part, Sku
from topology.plant import Plant, plant
from twin.energy.epw import read_epw
from twin.energy.meters import DISTRIBUTION, UPS, it_at_w, support_w
from twin.energy.ratios import SUBSYSTEMS, Tariff, monthly, totals
from twin.energy.typical import synthetic_year
from twin.energy.weather_year import WeatherYear
from twin.energy.year import Year, solve_year
from twin.loads import from_power, from_utilisation
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages

DAY = [row(1, 31, h, dry=f"{t:.1f}", humid="100", pressure="101325") for h, t in zip(range(1, 13), [6.0] * 6 + [8.0] * 6, strict=True)]
DAY += [row(2, 1, h, dry="10.0", humid="100", pressure="101325") for h in range(13, 25)]
"""Twelve hours of January at 6 and 8 degC, twelve of February at 10 degC, saturated: dry bulb and wet bulb are one."""


def flat(year: WeatherYear, **changes: float) -> WeatherYear:
    """The same weather in every hour."""
    return replace(year, **{k: np.full(year.time.size, v) for k, v in changes.items()})


@pytest.fixture(scope="module")
def p() -> Plant:
    return plant(small_site(racks=2, chiller=False))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> WeatherYear:
    return read_epw(write(tmp_path_factory.mktemp("weather"), DAY, zone="0"))


@pytest.mark.agreement
def test_a_year_worked_by_hand(p: Plant, day: WeatherYear, agreement: Agreements) -> None:
    """24 rows, two loads: each of four kinds of hour solved once by itself, everything else by arithmetic."""
    low, high = 60e3, 100e3
    rack_w = np.repeat([low, high, low, high], [3, 3, 6, 12])[:, None] * np.ones((1, 2))
    year = solve_year(p, from_power(p, rack_w), day)

    def alone(watts: float, wet: float) -> float:
        one = solve_steady(p, from_power(p, np.full((1, 2), watts)), Ambient(np.array([wet]), np.array([wet]), np.array([101325.0])))
        return float(one.ledger.site_w[0])

    a, b, c, d = alone(low, 6.0), alone(high, 6.0), alone(low, 8.0), alone(high, 10.0)
    price, carbon, demand = np.where(np.arange(24) < 12, 0.10, 0.05) / 3.6e6, np.where(np.arange(24) % 2 == 0, 200.0, 400.0) / 3.6e9, 10e-3
    sums = totals(year, Tariff(price, demand, carbon))
    january_kwh, february_kwh = (3 * a + 3 * b + 6 * c) / 1e3, 12 * d / 1e3
    it_kwh = (3 * 120 + 3 * 200 + 6 * 120 + 12 * 200) * 1.0
    even_kwh = (2 * a + 1 * b + 3 * c + 6 * d) / 1e3
    odd_kwh = (1 * a + 2 * b + 3 * c + 6 * d) / 1e3
    worked = {
        "site energy [kWh]": (sums.site_energy_j / 3.6e6, january_kwh + february_kwh),
        "IT energy [kWh]": (sums.it_energy_j / 3.6e6, it_kwh),
        "PUE": (sums.pue_3, (january_kwh + february_kwh) / it_kwh),
        "cost of energy": (sums.energy_cost_usd, 0.10 * january_kwh + 0.05 * february_kwh),
        "demand charges": (sums.demand_cost_usd, 10.0 * (max(b, a, c) + d) / 1e3),
        "carbon [g]": (sums.carbon_kg * 1e3 if sums.carbon_kg is not None else 0.0, 200.0 * even_kwh + 400.0 * odd_kwh),
        "peak [W]": (sums.peak_w, max(a, b, c, d)),
    }
    for what, (ours, by_hand) in worked.items():
        assert ours is not None
        agreement("plant", f"{what} of a day with four kinds of hour", "arithmetic by hand", abs(ours / by_hand - 1.0), 1e-9)
    months = dict(monthly(year, Tariff(price, demand, carbon)))
    assert months[1].site_energy_j / 3.6e6 == pytest.approx(january_kwh)
    assert months[2].pue_3 == pytest.approx(february_kwh / (12 * 200.0))
    assert sum(m.energy_cost_usd for m in months.values()) == pytest.approx(sums.energy_cost_usd)


def test_parts_of_the_site_add_up_to_it(p: Plant, day: WeatherYear) -> None:
    year = solve_year(p, from_utilisation(p, 0.9), day)
    h = year.hours
    assert h.rack_w + h.chain_loss_w + h.cooling_w == pytest.approx(h.site_w, rel=1e-9)
    sums = totals(year, Tariff(np.zeros(24), 0.0, None))
    assert sums.pue_3 is not None
    assert sum(sums.ppue[name] - 1.0 for name, _ in SUBSYSTEMS) == pytest.approx(sums.pue_3 - 1.0, rel=1e-9)
    assert sums.tue == pytest.approx(sums.itue * sums.pue_3 if sums.itue else 0.0)
    assert sums.ere == pytest.approx(sums.pue_3)
    assert sums.wue_kg_j == pytest.approx(h.water_kg_s.sum() / h.rack_w.sum())
    assert sums.carbon_kg is None
    assert year.residual_frac < 1e-9
    assert sums.merkel_steps == 24
    assert sums.water_kg > sums.evaporation_kg > 0.0


def test_chunks_do_not_change_a_year(p: Plant, day: WeatherYear, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = solve_year(p, from_utilisation(p, 0.5), day)
    told: list[tuple[int, int]] = []
    monkeypatch.setattr("twin.energy.year.CHUNK_VALUES", 1)
    split = solve_year(p, from_utilisation(p, 0.5), day, lambda a, b: told.append((a, b)))
    assert (split.hours.site_w == whole.hours.site_w).all()
    assert (split.hours.water_kg_s == whole.hours.water_kg_s).all()
    assert told[0] == (1, 24)
    assert told[-1] == (24, 24)
    with pytest.raises(UsageError, match="24 steps"):
        solve_year(p, from_power(p, np.ones((5, 2))), day)


def test_hours_of_free_cooling_trim_and_merkel_by_the_weather() -> None:
    p = plant(small_site(racks=5))
    base = synthetic_year(p.site.settings)
    some = replace(base, **{f: getattr(base, f)[:6] for f in ("time", "month", "pressure_pa")})
    cold, mild, hot = (
        solve_year(p, from_utilisation(p, 1.0), flat(some, wet_bulb_c=wet, dry_bulb_c=wet + 5.0)) for wet in (8.0, 23.0, 28.0)
    )
    tariff = Tariff(np.zeros(6), 0.0, None)
    seen = [(t.free_steps, t.shared_steps, t.chiller_steps) for t in (totals(y, tariff) for y in (cold, mild, hot))]
    assert seen == [(6, 0, 0), (0, 6, 6), (0, 0, 6)]
    assert hot.hours.merkel.all()
    assert not cold.limit
    assert hot.hours.chilled_w[0] > mild.hours.chilled_w[0]


def test_meters_by_the_losses_below_them() -> None:
    """IT at the UPS output is what the racks take and the losses of everything between them; gear below a UPS is not IT."""
    p = plant(small_site(racks=3))
    state = solve_steady(p, from_utilisation(p, 0.8), Ambient(np.array([15.0])))
    number = {name: k for k, name in enumerate(p.power.ids)}
    racks = state.loads.rack_w.sum()
    busways = sum(state.power.loss_w[0, number[f"busway-{s}"]] for s in "ab")
    assert it_at_w(p, state, DISTRIBUTION)[0] == pytest.approx(racks)
    assert it_at_w(p, state, UPS)[0] == pytest.approx(racks + busways)
    assert np.isnan(it_at_w(p, state, ("sts",))[0])
    one_side = solve_steady(p, from_utilisation(p, 0.8), Ambient(np.array([15.0])), Outages.of(p, [("ups-a",)]))
    assert it_at_w(p, one_side, UPS)[0] == pytest.approx(racks + one_side.power.loss_w[0, number["busway-b"]])
    site = small_site(racks=3)
    mixed = plant(
        site.with_(
            power_links=tuple(k if not k.child.startswith("mech") else replace(k, parent=f"ups-{k.child[-1]}") for k in site.power_links)
        )
    )
    shared = solve_steady(mixed, from_utilisation(mixed, 0.8), Ambient(np.array([15.0])))
    ups = sum(shared.power.out_w[0, number[f"ups-{s}"]] for s in "ab")
    assert ups > racks + busways + 0.9 * shared.ledger.cooling_w[0]
    assert it_at_w(mixed, shared, UPS)[0] == pytest.approx(racks + busways, rel=1e-6)


def test_fans_inside_racks_are_no_compute() -> None:
    sku = catalog().entries["sku"]["hgx-h100"]
    assert isinstance(sku, Sku)
    fans = next(x for x in sku.parts if x.support)
    assert isinstance(fans, Part)
    p = plant(small_site(racks=2, sku="hgx-h100"))
    assert support_w(p, from_utilisation(p, 1.0))[0] == pytest.approx(2 * fans.count * fans.max_w)
    assert support_w(p, from_utilisation(p, 0.3))[0] == pytest.approx(2 * fans.count * fans.max_w)
    assert support_w(p, from_power(p, np.zeros((1, 2))))[0] == 0.0


def test_a_year_without_load_has_no_ratio(p: Plant, day: WeatherYear) -> None:
    idle: Year = solve_year(p, from_power(p, np.zeros((1, 2))), day)
    sums = totals(idle, Tariff(np.ones(24), 0.0, np.ones(24)))
    assert (sums.pue_1, sums.pue_3, sums.tue, sums.wue_kg_j, sums.ere) == (None,) * 5
    assert sums.site_energy_j > 0.0
    assert dict(sums.ppue) == {}
