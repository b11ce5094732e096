"""Voltage at each tap of a busway."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.twin.sites import catalog, small_site
from topology.models import PowerModel
from topology.plant import Plant, plant
from twin.loads import from_nameplate
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages
from twin.taps import tap_voltages


def along(racks: int = 5) -> Plant:
    """The small site with busways that have resistance and are loaded along their length."""
    models = catalog().entries["power_model"]
    busway = models["busway-1250a"]
    assert isinstance(busway, PowerModel)
    long = replace(busway, r_ohm_m=6e-5, x_ohm_m=5e-5, length_m=40.0, loads_spread=True)
    book = replace(catalog(), entries={**catalog().entries, "power_model": {**models, "busway-1250a": long}})
    return plant(small_site(racks=racks).with_(catalog=book))


def test_voltage_falls_along_the_busway_and_ends_near_that_of_the_element() -> None:
    p = along()
    state = solve_steady(p, from_nameplate(p), Ambient(np.array([18.0])), Outages.of(p, [(), ("busway-b",)]))
    taps = tap_voltages(p, state)
    assert (np.diff(taps[0, :, 0]) < 0.0).all()
    assert taps[0, :, 0] == pytest.approx(taps[0, :, 1], abs=1e-9)
    assert (taps[1, :, 1] == 0.0).all()
    k = p.power.ids.index("busway-a")
    for s in (0, 1):
        entry = state.power.voltage_frac[s, k] + state.power.drop_frac[s, k]
        first, last = entry - taps[s, 0, 0], entry - taps[s, -1, 0]
        assert 0.0 < first < last / 2.0
        assert last == pytest.approx(state.power.drop_frac[s, k] * (1.0 + 1.0 / 5.0), rel=0.02), "n taps drop (n + 1) / n of an even load"


def test_where_nothing_hangs_along_a_length_the_tap_is_the_element() -> None:
    p = along(racks=3)
    p = replace(p, power=replace(p.power, spread=np.zeros(p.power.n, bool)))
    state = solve_steady(p, from_nameplate(p), Ambient(np.array([18.0])), Outages.of(p, [("busway-a",)]))
    at_end = state.power.voltage_frac[0, p.power.ids.index("busway-b")]
    assert tap_voltages(p, state)[0].tolist() == [[0.0, at_end]] * 3
