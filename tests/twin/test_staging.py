"""Converters that sleep and wake, and the bar behind them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.twin.sites import catalog, small_site
from topology.errors import NotConverged
from topology.models import Stage
from topology.plant import plant
from twin.loads import from_power, from_utilisation
from twin.staging import awake_units, stage_current_a, stage_loss_w, stage_output_w

SHELF = Stage(
    name="shelf", units=6, fixed_w=60.0, loss_frac=0.01, loss_quad_per_w=2e-6, unit_w=5500.0, wake_frac=0.8, least_units=2, asleep_w=3.0
)
BAR = Stage(name="bar", units=1, dc_voltage_v=50.0, busbar_ohm=1e-4)


def one(value: float) -> np.ndarray:
    return np.array([value])


@pytest.mark.parametrize(
    ("out_w", "awake"), [(0.0, 2), (8800.0, 2), (8801.0, 3), (13200.0, 3), (13201.0, 4), (26400.0, 6), (33000.0, 6), (50e3, 6)]
)
def test_as_many_are_awake_as_the_load_asks_for(out_w: float, awake: int) -> None:
    assert awake_units(SHELF, one(out_w))[0] == awake
    each = out_w / awake
    by_hand = awake * (60.0 + 0.01 * each + 2e-6 * each**2) + (6 - awake) * 3.0
    assert stage_loss_w(SHELF, one(out_w))[0] == pytest.approx(by_hand, rel=1e-14)


def test_the_loss_jumps_where_one_wakes() -> None:
    """Two at 4,400 W become three at 2,933 W: 57 W more without load, 25.8 W less by the square law."""
    before, after = stage_loss_w(SHELF, np.array([8800.0, 8800.0 + 1e-6]))
    assert after - before == pytest.approx(57.0 - 2e-6 * 8800.0**2 * (1 / 2 - 1 / 3), abs=1e-6)


@given(st.floats(0.0, 60e3))
def test_the_way_back_gives_the_output_that_was_put_in(out_w: float) -> None:
    """A step up of the loss: every output has an input of its own."""
    assert stage_output_w(SHELF, one(out_w) + stage_loss_w(SHELF, one(out_w)))[0] == pytest.approx(out_w, rel=1e-9, abs=1e-6)


def test_an_input_in_the_jump_is_the_output_at_which_the_next_wakes() -> None:
    before, after = 8800.0 + stage_loss_w(SHELF, np.array([8800.0, 8800.0 + 1e-9]))
    assert stage_output_w(SHELF, np.linspace(before, after, 5)) == pytest.approx(8800.0, abs=1e-6)


def test_without_staging_data_all_share_as_before() -> None:
    plain = replace(SHELF, unit_w=None, wake_frac=None)
    assert stage_loss_w(plain, one(9e3))[0] == pytest.approx(6 * (60.0 + 0.01 * 1500.0 + 2e-6 * 1500.0**2))


def test_a_bar_by_hand_and_what_it_cannot_carry() -> None:
    """50 V at the shelf, 0.1 mOhm: V I - R I^2 = P."""
    amps = stage_current_a(BAR, one(100e3))[0]
    assert 50.0 * amps - 1e-4 * amps**2 == pytest.approx(100e3, rel=1e-12)
    assert stage_loss_w(BAR, one(100e3))[0] == pytest.approx(1e-4 * amps**2, rel=1e-12)
    assert stage_output_w(BAR, one(50.0 * amps))[0] == pytest.approx(100e3, rel=1e-12)
    assert stage_current_a(replace(BAR, dc_voltage_v=800.0), one(100e3))[0] < 126.0
    with pytest.raises(NotConverged, match="bar of stage 'bar' cannot carry 7000000 W at 50 V"):
        stage_loss_w(BAR, one(7e6))


def test_a_rack_with_staged_rectifiers_loses_less_at_idle_and_keeps_its_books() -> None:
    base = catalog().entries["sku"]["gb300-nvl72"]
    all_on = replace(base.stages[-1], units=24, fixed_w=60.0, loss_frac=0.01, loss_quad_per_w=2e-6)  # type: ignore[attr-defined]
    staged = replace(all_on, unit_w=6500.0, wake_frac=0.8, least_units=2, dc_voltage_v=51.0, busbar_ohm=2e-5)

    def racks(stage: Stage) -> object:
        sku = replace(base, stages=(*base.stages[:-1], stage))  # type: ignore[attr-defined]
        book = replace(catalog(), entries={**catalog().entries, "sku": {**catalog().entries["sku"], "gb300-nvl72": sku}})
        return plant(small_site(racks=2).with_(catalog=book))

    shared, asleep = racks(all_on), racks(staged)
    idle, less = from_utilisation(shared, 0.0).rack_w[0, 0], from_utilisation(asleep, 0.0).rack_w[0, 0]  # type: ignore[arg-type]
    assert less < idle - 500.0
    asked = from_utilisation(asleep, 0.6)  # type: ignore[arg-type]
    back = from_power(asleep, asked.rack_w)  # type: ignore[arg-type]
    assert back.it_w == pytest.approx(asked.it_w, rel=1e-9)
    assert back.liquid_w == pytest.approx(asked.liquid_w, rel=1e-9)
