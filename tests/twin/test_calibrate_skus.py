"""Power curves, supplies, draw and cords of racks out of readings."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fidelity.hidden import seen_of
from tests.twin.sites import catalog, small_site
from topology.models import Sku
from topology.overlay import sku_with
from topology.plant import Plant, plant
from twin.forecast.calibrate.classes import CLASSES, Classes, classes_of
from twin.forecast.calibrate.nested import Nested
from twin.forecast.calibrate.skus import fit_sku, skus
from twin.forecast.calibrate.told import Told
from twin.loads import sku_at
from twin.synthetic.days import times, utilisation, wet_bulb_c
from twin.synthetic.observe import observe
from twin.synthetic.secret import hidden

_START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
TRUE = {"idle_factor": 1.08, "swing_factor": 0.93, "exponent_factor": 1.1, "supply_fixed_factor": 1.2, "supply_load_factor": 0.9}


def gb300() -> Sku:
    found = catalog().entries["sku"]["gb300-nvl72"]
    assert isinstance(found, Sku)
    return found


def readings(racks: int, low: float = 0.05, high: float = 0.95, seed: int = 0, without: tuple[str, ...] = ()) -> Classes:
    """Class means of racks of one SKU with :data:`TRUE` factors and draws of their own, meters exact but for 0.5 % noise a sample."""
    rng = np.random.default_rng(seed)
    u = np.broadcast_to(np.linspace(low, high, CLASSES), (racks, CLASSES)).copy()
    d = np.exp(rng.normal(0.0, 0.03, (racks, 1)))
    d /= np.exp(np.log(d).mean())
    fed, it, chip, _ = sku_at(sku_with(gb300(), TRUE), u)
    count = np.full(u.shape, 40.0)

    def read(name: str, power: np.ndarray) -> np.ndarray:
        return np.full(u.shape, np.nan) if name in without else d * power * (1.0 + rng.normal(0.0, 0.005, u.shape) / np.sqrt(count))

    return Classes(
        np.arange(racks), u, read("input", fed), read("output", it), read("chip", chip), read("cord a", 0.52 * fed),
        read("cord b", 0.48 * fed), np.zeros(u.shape), count,
    )  # fmt: skip


def fitted(classes: Classes) -> Nested:
    return fit_sku(gb300(), classes, np.full(classes.racks.size, 0.5))


@pytest.fixture(scope="module")
def wide() -> Nested:
    return fitted(readings(40))


@pytest.mark.parametrize("name", list(TRUE))
def test_factors_of_a_sku_are_inside_their_intervals(wide: Nested, name: str) -> None:
    found = wide.shared[name]
    assert found.identifiable
    low, high = found.interval
    half = 0.5 * (high - low)
    assert low - half <= TRUE[name] <= high + half
    assert high - low < 0.6 * (found.prior.interval[1] - found.prior.interval[0])


def test_shares_of_cords_are_told_against_the_rack_meter(wide: Nested) -> None:
    share = wide.own[1]
    values = [share.at(z) for z in wide.z[:, 1]]
    assert np.median(values) == pytest.approx(1.04, abs=0.003)


def test_a_draw_factor_is_no_surer_than_the_meters_of_its_rack(wide: Nested) -> None:
    one = fitted(readings(40, without=("output", "chip", "cord a", "cord b")))
    for fit, meters in ((wide, 3), (one, 1)):
        wide_of_draw = fit.deviation[:, 0] * fit.own[0].deviation
        assert (wide_of_draw > 0.006 / np.sqrt(meters + 1)).all()
    assert (wide.deviation[:, 0] < one.deviation[:, 0]).all()


def test_racks_are_drawn_to_what_is_common_and_their_spread_is_estimated(wide: Nested) -> None:
    assert wide.own[0].deviation == pytest.approx(0.03, abs=0.006)
    apart = readings(40)
    names = ("input_w", "output_w", "chip_w", "cord_a_w", "cord_b_w")
    same = replace(apart, **{n: np.broadcast_to(getattr(apart, n).mean(axis=0), apart.u.shape) for n in names})
    assert fitted(same).own[0].deviation < 0.6 * wide.own[0].deviation


def test_idle_power_is_not_told_where_utilisation_hardly_moves() -> None:
    fit = fitted(readings(20, low=0.70, high=0.74, without=("output", "chip", "cord a", "cord b")))
    kept = [n for n in ("idle_factor", "swing_factor", "exponent_factor") if not fit.shared[n].identifiable]
    assert kept, "one level cannot tell three constants"
    for name in kept:
        assert fit.shared[name].value == 1.0 and fit.shared[name].interval == fit.shared[name].prior.interval


def test_what_one_rack_tells_is_less_than_what_forty_tell(wide: Nested) -> None:
    alone = fitted(readings(1))
    for name in ("swing_factor", "supply_load_factor"):
        few, many = (f.shared[name].interval[1] - f.shared[name].interval[0] for f in (alone, wide))
        assert few > 1.5 * many


@pytest.fixture(scope="module")
def row() -> tuple[Plant, list[Told], dict[tuple[str, str, str, str], float]]:
    where = plant(small_site(6, chiller=False))
    secret = hidden(where, 11)
    time = times(_START, 7 * 96, 900.0)
    shown = observe(where, secret, time, utilisation(where, time, 11), wet_bulb_c(time, 11), 11)
    told = [t for t in skus(seen_of(where, shown)) if isinstance(t, Told)]
    return where, told, {row.key: row.value for row in secret}


def test_every_metered_rack_gets_a_draw_factor_and_a_share(row: tuple[Plant, list[Told], dict[tuple[str, str, str, str], float]]) -> None:
    where, told, _ = row
    for parameter in ("draw_factor", "share_factor"):
        assert [t.element for t in told if t.parameter == parameter] == list(where.racks.ids)


def test_most_intervals_hold_the_hidden_constant(row: tuple[Plant, list[Told], dict[tuple[str, str, str, str], float]]) -> None:
    _, told, truth = row
    own = [t for t in told if t.fitted.identifiable]
    keys = [(t.element, t.parameter, t.quantity, t.part) for t in own]
    inside = [t.fitted.interval[0] <= truth[k] <= t.fitted.interval[1] for t, k in zip(own, keys, strict=True)]
    assert len(inside) > 20 and np.mean(inside) > 0.7


def test_noise_of_utilisation_does_not_flatten_the_curve() -> None:
    """Devices that are read with an error of 0.06 beside a spread of 0.2: least squares on single readings would lose 8 % of the slope."""
    where = plant(small_site(6, chiller=False))
    time, rng = times(_START, 14 * 96, 900.0), np.random.default_rng(5)
    slow = 0.5 + 0.2 * np.sin(2.0 * np.pi * np.arange(time.size) / 96.0)
    u = np.broadcast_to(slow[:, None], (time.size, where.racks.n))
    shown = observe(where, (), time, u, wet_bulb_c(time, 5), 5, names=("rack power",))
    read = seen_of(where, shown)
    noisy = read.utilisation + rng.normal(0.0, 0.06, u.shape)
    classes = classes_of(replace(read, utilisation=noisy), np.arange(where.racks.n))
    sku = where.racks.skus[0]
    fed = classes.input_w.ravel()
    good = np.isfinite(fed)
    slope = np.polyfit(classes.u.ravel()[good], fed[good], 1, w=np.sqrt(classes.count.ravel()[good]))[0]
    both = np.isfinite(noisy) & np.isfinite(read.load_w)
    plain = np.polyfit(noisy[both], read.load_w[both], 1)[0]
    ends = sku_at(sku, np.array([0.3, 0.7]))[0]
    true = (ends[1] - ends[0]) / 0.4
    assert plain / true < 0.93
    assert slope / true == pytest.approx(1.0, abs=0.02)
