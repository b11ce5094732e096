"""What meters should read follows the solved state: shapes, energy on both sides of a CDU, parents against children."""

from __future__ import annotations

import numpy as np
import pytest

from telemetry.schema import LEVELS, READINGS
from topology.generate import generate
from topology.plant import Plant, plant
from twin.loads import from_utilisation
from twin.observe import CHANNELS
from twin.solvers.steady import solve_steady
from twin.state import Ambient, SteadyState


@pytest.fixture(scope="module")
def solved() -> tuple[Plant, SteadyState]:
    p = plant(generate("reference"))
    return p, solve_steady(p, from_utilisation(p, 0.7), Ambient(np.array([12.0, 20.0])))


@pytest.mark.parametrize("name", CHANNELS)
def test_every_channel_predicts_a_stored_quantity_of_its_axis(solved: tuple[Plant, SteadyState], name: str) -> None:
    p, state = solved
    channel = CHANNELS[name]
    assert channel.quantity in READINGS and channel.level in LEVELS
    values = channel.predict(p, state)
    assert values.shape == (2, len(channel.elements(p)))
    known = values[np.isfinite(values)]
    assert known.size or not values.shape[1]  # a plant without such elements
    bounds = READINGS[channel.quantity]
    assert (known >= bounds.low - 1e-9).all() and (known <= bounds.high).all()


def test_heat_of_a_cdu_is_the_same_on_both_sides(solved: tuple[Plant, SteadyState]) -> None:
    p, state = solved

    def value(name: str) -> np.ndarray:
        return CHANNELS[name].predict(p, state)

    loop, fws = p.cdus.loop, p.cdus.fws
    hot = value("CDU flow") * (p.loops.rho_kg_m3 * p.loops.cp_j_kg_k)[loop]
    cold = value("CDU facility flow") * (p.loops.rho_kg_m3 * p.loops.cp_j_kg_k)[fws]
    warmer = value("CDU facility return temperature") - value("CDU facility supply temperature")
    wet = fws >= 0
    assert (cold * warmer)[:, wet] == pytest.approx(value("CDU heat")[:, wet], rel=1e-9)
    cooler = value("CDU return temperature") - value("CDU supply temperature")
    assert (hot * cooler)[:, wet] == pytest.approx(value("CDU heat")[:, wet], rel=5e-2)  # pump work enters behind the return sensor


def test_a_parent_reads_what_its_children_read(solved: tuple[Plant, SteadyState]) -> None:
    p, state = solved
    read = CHANNELS["feed power"].predict(p, state)
    assert read == pytest.approx(state.power.out_w + state.power.loss_w)
    assert (read >= state.power.out_w).all()
