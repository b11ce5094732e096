"""Kirchhoff's laws on generated sites: what leaves an element is what its children take, what enters a loop leaves it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.twin.test_steady import sites
from topology.axes import Floats
from topology.plant import Plant, plant
from topology.site import Site
from twin.loads import from_power
from twin.solvers.power import supply
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages, SteadyState

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def taken_by_children(p: Plant, state: SteadyState) -> Floats:
    """(S, N) active power that racks, gear and lower elements draw from each element, put together one by one."""
    chain = supply(p, state.outages.sets)
    both = np.concatenate([p.power.parents, p.power.transfer], axis=1)
    total = np.zeros_like(state.power.out_w)
    for s, z in enumerate(state.outages.index):
        for r, cords in enumerate(p.racks.feed):
            for c, feed in enumerate(cords):
                if feed >= 0:
                    total[s, feed] += state.power.cord_w[s, r, c]
        for g, feeds in enumerate(p.gear.feed):
            for c, feed in enumerate(feeds):
                if feed >= 0:
                    total[s, feed] += state.heat.gear_w[s, g] * chain.gear_share[z, g, c]
        for e in range(p.power.n):
            for j, parent in enumerate(both[e]):
                if parent >= 0:
                    total[s, parent] += (state.power.out_w[s, e] + state.power.loss_w[s, e]) * chain.weight[z, e, j]
    return total


@FEW
@given(sites(), st.data())
def test_kirchhoff_holds_at_every_element_and_mass_at_every_loop(site: Site, data: st.DataObject) -> None:
    p = plant(site)
    names = st.sampled_from([*p.power.ids, *p.gear.ids, *p.racks.ids, *p.manifolds.ids])
    lost = [(), *(tuple(data.draw(st.lists(names, max_size=3))) for _ in range(2))]
    share = data.draw(st.floats(0.0, 1.3))
    state = solve_steady(p, from_power(p, (share * p.racks.budget_w)[None, :]), Ambient(np.array([18.0])), Outages.of(p, lost))
    assert state.power.out_w == pytest.approx(taken_by_children(p, state), rel=1e-9, abs=1e-6)
    loop = p.manifolds.loop[p.racks.manifold]
    for k in np.flatnonzero(~p.loops.fws):
        hung = (p.racks.manifold >= 0) & (loop == k)
        through = state.flow.loop_kg_s[:, k]
        assert state.flow.rack_kg_s[:, hung].sum(axis=1) == pytest.approx(through, rel=1e-9, abs=1e-9)
        assert state.flow.cdu_kg_s[:, p.cdus.loop == k].sum(axis=1) == pytest.approx(through, rel=1e-9, abs=1e-9)


@FEW
@given(sites(), st.permutations(range(3)))
def test_scenarios_do_not_know_of_each_other(site: Site, order: list[int]) -> None:
    """Any order of the batch gives the same bits."""
    p = plant(site)
    loads = from_power(p, np.outer([0.2, 0.9, 1.4], p.racks.budget_w))
    wet = Ambient(np.array([5.0, 18.0, 26.0]))
    rows = np.array(order)
    one, two = solve_steady(p, loads, wet), solve_steady(p, loads.take(rows), Ambient(wet.wet_bulb_c[rows]))
    assert np.array_equal(one.power.out_w[rows], two.power.out_w)
    assert np.array_equal(one.heat.chip_c[rows], two.heat.chip_c)
    assert np.array_equal(one.flow.rack_kg_s[rows], two.flow.rack_kg_s)
