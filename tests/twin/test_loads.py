"""Loads against arithmetic by hand, and both directions against each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.sites import catalog, small_site
from topology.errors import UsageError
from topology.generate import generate
from topology.kinds import Rack
from topology.models import Sku
from topology.plant import Plant, plant
from twin.loads import from_nameplate, from_power, from_utilisation
from twin.staging import stage_loss_w, stage_output_w

SKUS = catalog().names("sku")


def one(sku: str) -> Plant:
    return plant(small_site(racks=1, sku=sku))


def test_frontier_rack_at_idle_by_hand() -> None:
    """A node: 90 + 4 x 88 + 74.26 + 4 x 20 + 30 W, two affine stages, then 32 switches of 250 W beside them."""
    node = 90.0 + 4 * 88.0 + 74.26 + 4 * 20.0 + 30.0
    assert node == pytest.approx(626.26)
    converter = (node + 13.0) / 0.98
    input_w = (converter + 17.0 / 4.0) / 0.96
    loads = from_utilisation(one("cray-ex"), 0.0)
    assert input_w == pytest.approx(683.91, abs=0.005)
    assert loads.rack_w[0, 0] == pytest.approx(128 * input_w + 32 * 250.0, rel=1e-9)
    assert loads.it_w[0, 0] == pytest.approx(128 * node + 8000.0, rel=1e-12)
    assert loads.chip_w[0, 0] == 88.0
    assert loads.liquid_w[0, 0] == pytest.approx(0.945 * loads.rack_w[0, 0], rel=1e-9)


def test_groups_move_apart() -> None:
    p = one("cray-ex")
    base = from_utilisation(p, 0.0)
    gpu, cpu = from_utilisation(p, {"gpu": 0.5}), from_utilisation(p, {"cpu": 0.5})
    assert gpu.it_w[0, 0] - base.it_w[0, 0] == pytest.approx(512 * 0.5 * (560.0 - 88.0))
    assert cpu.it_w[0, 0] - base.it_w[0, 0] == pytest.approx(128 * 0.5 * (280.0 - 90.0))
    assert (gpu.chip_w[0, 0], cpu.chip_w[0, 0]) == (324.0, 88.0)


@pytest.mark.parametrize(("given_", "says"), [({"gppu": 0.5}, "gpu"), (1.5, "outside 0..1"), ({"gpu": -0.1}, "outside 0..1")])
def test_impossible_utilisation_is_refused(given_: float | dict[str, float], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        from_utilisation(one("cray-ex"), given_)


@pytest.mark.parametrize("sku", SKUS)
def test_power_gives_back_the_loads_of_a_utilisation(sku: str) -> None:
    p = one(sku)
    alike = len({part.exponent for part in p.racks.skus[0].parts if part.group != "fixed"}) == 1
    for u in (0.0, 0.13, 0.5, 0.87, 1.0):
        there = from_utilisation(p, u)
        back = from_power(p, there.rack_w)
        assert back.rack_w[0, 0] == there.rack_w[0, 0]
        assert back.it_w[0, 0] == pytest.approx(there.it_w[0, 0], rel=1e-9)
        if alike or u in (0.0, 1.0):
            assert back.chip_w[0, 0] == pytest.approx(there.chip_w[0, 0], rel=1e-9)
            assert back.liquid_w[0, 0] == pytest.approx(there.liquid_w[0, 0], rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("sku", SKUS)
def test_full_load_is_within_nameplate(sku: str) -> None:
    p = one(sku)
    assert from_utilisation(p, 1.0).rack_w[0, 0] <= p.racks.nameplate_w[0] * 1.001
    assert from_utilisation(p, 0.0).rack_w[0, 0] < from_utilisation(p, 1.0).rack_w[0, 0]


@pytest.mark.parametrize("sku", SKUS)
@pytest.mark.parametrize("factor", [0.0, 0.02, 0.3, 0.9, 1.2, 3.0])
def test_measured_power_is_never_clamped(sku: str, factor: float) -> None:
    """Far below idle and far above full load the input stays what was measured, and its heat stays inside it."""
    p = one(sku)
    idle, full = from_utilisation(p, 0.0), from_utilisation(p, 1.0)
    w = (idle.rack_w if factor < 1.0 else full.rack_w) * factor
    loads = from_power(p, w)
    assert np.array_equal(loads.rack_w, w)
    for part in (loads.it_w, loads.liquid_w, loads.chip_w):
        assert (part >= 0.0).all()
        assert (part <= w * (1.0 + 1e-12)).all()
    if factor > 1.0:
        assert loads.chip_w[0, 0] > full.chip_w[0, 0]


@pytest.mark.parametrize("sku", SKUS)
def test_more_power_is_more_of_everything(sku: str) -> None:
    p = one(sku)
    w = np.linspace(0.0, 1.5 * p.racks.nameplate_w[0], 301)[:, None]
    loads = from_power(p, w)
    for part in (loads.it_w, loads.chip_w, loads.liquid_w):
        assert np.diff(part[:, 0]).min() >= -1e-6
    jump = np.abs(np.diff(loads.it_w[:, 0])).max()
    assert jump <= 3.0 * (w[1, 0] - w[0, 0])


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(SKUS), st.floats(0.0, 1.0))
def test_stages_turn_back(name: str, share: float) -> None:
    sku = catalog().entries["sku"][name]
    assert isinstance(sku, Sku)
    for stage in sku.stages:
        out = np.array([share * sku.nameplate_w])
        assert stage_output_w(stage, out + stage_loss_w(stage, out)) == pytest.approx(out, rel=1e-9, abs=1e-6)


def test_racks_that_do_not_draw_hold_their_branch_only() -> None:
    base = small_site(racks=2)
    p = plant(
        base.with_racks(
            [
                Rack(id="held", position="p4", sku="gb300-nvl72", state="reserved"),
                Rack(id="later", position="p5", sku="gb300-nvl72", state="planned"),
            ]
        )
    )
    loads, name = from_utilisation(p, 1.0), p.racks.ids.index
    assert (loads.rack_w[0, name("held")], loads.rack_w[0, name("later")]) == (0.0, 0.0)
    assert (loads.present[0, name("held")], loads.present[0, name("later")]) == (True, False)
    plate = from_nameplate(p)
    assert plate.rack_w[0, name("held")] == p.racks.budget_w[name("held")] > 0.0
    assert plate.rack_w[0, name("later")] == 0.0


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_impossible_power_names_the_rack(bad: float) -> None:
    p = plant(small_site(racks=3))
    w = np.ones((2, 3))
    w[1, 2] = bad
    with pytest.raises(UsageError, match=r"r3 draws .* scenario 1"):
        from_power(p, w)


def test_wrong_width_is_refused() -> None:
    with pytest.raises(UsageError, match="scenarios, 3"):
        from_power(plant(small_site(racks=3)), np.ones((2, 4)))


def test_a_scenario_has_the_same_bits_alone_and_among_others() -> None:
    p = plant(generate("reference"))
    power = np.random.default_rng(0).uniform(0.3, 1.0, (97, p.racks.n)) * p.racks.budget_w
    whole = from_power(p, power)
    for s in (0, 1, 48, 96):
        one = from_power(p, power[s : s + 1])
        for name in ("it_w", "chip_w", "liquid_w"):
            assert np.array_equal(getattr(one, name)[0], getattr(whole, name)[s]), name
