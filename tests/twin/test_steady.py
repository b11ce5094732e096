"""The steady solve as a whole: energy closes whatever is lost, a batch is its single solves, and nothing is ever not a number."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.twin.sites import catalog, small_site
from topology.errors import UsageError
from topology.generate import generate
from topology.kinds import Rack
from topology.plant import Plant, plant
from topology.site import Site
from twin.limits import limits
from twin.loads import from_nameplate, from_power, from_utilisation
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Loads, Outages, SteadyState

PARTS = ("power", "flow", "heat", "ledger")


@pytest.fixture(scope="module")
def reference() -> Plant:
    return plant(generate("reference"))


def weather(*wet_c: float) -> Ambient:
    return Ambient(np.array(wet_c))


def arrays(state: SteadyState) -> dict[str, Any]:
    return {f"{part}.{f.name}": getattr(getattr(state, part), f.name) for part in PARTS for f in fields(getattr(state, part))}


def check_ledger(p: Plant, state: SteadyState) -> None:
    """Energy worked out again from the elements, beside the ledger's own residuals."""
    led, heat = state.ledger, state.heat
    assert led.residual_frac.max() < 1e-9
    assert led.site_w == pytest.approx(led.it_w + led.loss_w + led.cooling_w, rel=1e-9)
    own = state.loads.rack_w.sum(axis=1) + heat.gear_w.sum(axis=1) + state.power.loss_w.sum(axis=1)
    assert led.site_w == pytest.approx(own, rel=1e-9, abs=1e-6)
    assert led.site_w == pytest.approx(led.tower_out_w + led.ambient_w + led.stranded_w, rel=1e-9, abs=1e-6)
    tops = p.power.source
    taken = (state.power.out_w + state.power.loss_w)[:, tops].sum(axis=1)
    assert taken == pytest.approx(led.site_w, rel=1e-9, abs=1e-6)
    for name, values in arrays(state).items():
        assert not np.isnan(values).any(), name


@pytest.mark.parametrize("utilisation", [0.0, 0.5, 1.0])
def test_the_reference_site_closes(reference: Plant, utilisation: float) -> None:
    state = solve_steady(reference, from_utilisation(reference, utilisation), weather(5.0, 18.0, 24.0))
    check_ledger(reference, state)
    assert (state.ledger.stranded_w == 0.0).all()
    assert (state.ledger.pue > 1.0).all()


@pytest.mark.parametrize("template", ["reference", "row"])
def test_every_single_outage_closes(template: str) -> None:
    p = plant(generate(template))
    names = [*p.power.ids, *p.gear.ids, *p.loops.ids, *p.manifolds.ids, *p.racks.ids]
    for loads in (from_utilisation(p, 0.5), from_nameplate(p)):
        state = solve_steady(p, loads, weather(18.0), Outages.of(p, [(n,) for n in names]))
        check_ledger(p, state)
        assert (state.power.out_w >= 0.0).all()


def test_pairs_of_outages_close(reference: Plant) -> None:
    rng = np.random.default_rng(3)
    names = np.array([*reference.power.ids, *reference.gear.ids])
    lost = [tuple(rng.choice(names, rng.integers(2, 6), replace=False)) for _ in range(60)]
    check_ledger(reference, solve_steady(reference, from_utilisation(reference, 0.7), weather(20.0), Outages.of(reference, lost)))


def test_everything_lost_is_a_dark_site(reference: Plant) -> None:
    sources = tuple(np.array(reference.power.ids)[reference.power.source])
    state = solve_steady(reference, from_utilisation(reference, 1.0), weather(18.0), Outages.of(reference, [sources]))
    check_ledger(reference, state)
    assert state.ledger.site_w[0] == 0.0
    assert not state.power.powered.any()
    assert np.isinf(state.ledger.pue[0])


def test_a_batch_is_its_single_solves_bit_for_bit(reference: Plant) -> None:
    lost: list[tuple[str, ...]] = [(), ("cdu-b-1-1",), (), ("tower-1",), (reference.power.ids[0],), ("cdu-b-1-1",)]
    lost = [x if all(i in reference.index for i in x) else (reference.gear.ids[0],) for x in lost]
    rng = np.random.default_rng(1)
    rack_w = reference.racks.budget_w * rng.uniform(0.2, 1.0, (len(lost), 1)) * reference.racks.drawing
    wet = np.linspace(4.0, 24.0, len(lost))
    loads = from_power(reference, rack_w)
    together = arrays(solve_steady(reference, loads, Ambient(wet), Outages.of(reference, lost)))
    for s, names in enumerate(lost):
        alone = arrays(solve_steady(reference, loads.take(slice(s, s + 1)), Ambient(wet[s : s + 1]), Outages.of(reference, [names])))
        for name, values in alone.items():
            assert np.array_equal(values[0], together[name][s]), name


def test_inputs_of_one_row_serve_all_and_others_must_agree(reference: Plant) -> None:
    one = from_utilisation(reference, 0.5)
    assert solve_steady(reference, one, weather(10.0, 12.0, 14.0)).scenarios == 3
    with pytest.raises(UsageError, match="2 rows for 3 scenarios"):
        solve_steady(reference, one.take(np.array([0, 0])), weather(10.0, 12.0, 14.0))


def test_inputs_are_not_written_to(reference: Plant) -> None:
    loads, wet = from_utilisation(reference, 0.9), weather(18.0)
    before = {f.name: deepcopy(getattr(loads, f.name)) for f in fields(Loads)}
    solve_steady(reference, loads, wet, Outages.of(reference, [(reference.power.ids[0],)]))
    for name, old in before.items():
        assert np.array_equal(getattr(loads, name), old)


def shuffled(site: Site, seed: int) -> Site:
    rng = np.random.default_rng(seed)
    tables = ("positions", "racks", "power", "loops", "cdus", "manifolds", "pumps", "air_units", "towers", "chillers", "halls", "rows")
    changes: dict[str, Any] = {}
    for name in tables:
        items = list(getattr(site, name).items())
        changes[name] = {items[k][0]: items[k][1] for k in rng.permutation(len(items))}
    changes["power_links"] = tuple(site.power_links[k] for k in rng.permutation(len(site.power_links)))
    return site.with_(**changes)


def by_name(p: Plant, state: SteadyState) -> dict[str, float]:
    table = limits(p)
    values = dict(zip(zip(table.element, table.limit, strict=True), table.values(state)[0], strict=True))
    extra = {("site", "w"): state.ledger.site_w[0], ("cooling", "w"): state.ledger.cooling_w[0]}
    return {" ".join(k): float(v) for k, v in {**values, **extra}.items()}


@pytest.mark.parametrize("template", ["reference", "row"])
def test_row_order_of_the_files_does_not_matter(template: str) -> None:
    """Transfers have one reserve parent each here, so no order of preference is in the files."""
    site = generate(template)
    one, two = plant(site), plant(shuffled(site, 7))
    assert one.racks.ids != two.racks.ids
    for lost in ((), (one.power.ids[3],), (one.gear.ids[0],)):
        a, b = (by_name(p, solve_steady(p, from_utilisation(p, 0.8), weather(20.0), Outages.of(p, [lost]))) for p in (one, two))
        assert a.keys() == b.keys()
        assert list(a.values()) == pytest.approx([b[k] for k in a], rel=1e-8, abs=1e-8)


def test_an_outage_never_relieves_what_takes_over(reference: Plant) -> None:
    """Loss of a side of a rack's feed: its other parent carries at least what it carried before."""
    p = reference
    loads = from_nameplate(p)
    normal = solve_steady(p, loads, weather(18.0)).power
    for side, other in ((0, 1), (1, 0)):
        for feed in np.unique(p.racks.feed[:, side]):
            after = solve_steady(p, loads, weather(18.0), Outages.of(p, [(p.power.ids[feed],)])).power
            own = p.racks.feed[:, side] == feed
            takers = np.unique(p.racks.feed[own, other])
            takers = takers[takers >= 0]
            moved = normal.cord_w[0, own, side].sum()
            gained = after.out_w[0, takers].sum() - normal.out_w[0, takers].sum()
            kept = loads.rack_w[0, own & (p.racks.feed[:, other] >= 0)].sum()
            assert (after.out_w[0, takers] >= normal.out_w[0, takers] * (1.0 - 1e-12)).all()
            if takers.size and kept:
                assert gained == pytest.approx(moved, rel=1e-9)


def test_loss_of_one_cdu_puts_its_heat_on_the_others() -> None:
    p = plant(small_site(racks=5))
    loads = from_utilisation(p, 0.7)
    before, after = (solve_steady(p, loads, weather(18.0), Outages.of(p, [x])).heat.cdu_w[0] for x in ((), ("cdu-1",)))
    assert after[0] == 0.0
    assert after[1] > before[1] * 1.8


@pytest.mark.parametrize("name", ["no-such", "row-1"])
def test_unknown_outage_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        Outages.of(plant(small_site()), [(name,)])


LIQUID = [n for n in catalog().names("sku") if getattr(catalog().entries["sku"][n], "cooling", "") == "liquid"]
QUICK = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Small sites of one to nine racks of any SKU in any state, with or without chiller, one to three CDUs."""
    racks = draw(st.integers(1, 6))
    base = small_site(racks=racks, sku=draw(st.sampled_from(LIQUID)), chiller=draw(st.booleans()), cdus=draw(st.integers(1, 3)))
    states = st.sampled_from(["live", "reserved", "planned", "draining"])
    more = [
        Rack(
            id=f"x{k}",
            position=f"p{racks + 1 + k}",
            sku=draw(st.sampled_from(catalog().names("sku"))),
            state=draw(states),
            share_a_frac=0.3,
        )
        for k in range(draw(st.integers(0, 3)))
    ]
    return base.with_racks(more)


@QUICK
@given(sites(), st.data())
def test_any_site_under_any_outage_closes(site: Site, data: st.DataObject) -> None:
    p = plant(site)
    names = st.sampled_from([*p.power.ids, *p.gear.ids, *p.racks.ids, *p.loops.ids])
    lost = [tuple(data.draw(st.lists(names, max_size=4))) for _ in range(4)]
    factor = np.array(data.draw(st.lists(st.floats(0.0, 1.6), min_size=4 * p.racks.n, max_size=4 * p.racks.n))).reshape(4, -1)
    wet = np.array(data.draw(st.lists(st.floats(-20.0, 30.0), min_size=4, max_size=4)))
    state = solve_steady(p, from_power(p, factor * p.racks.budget_w), Ambient(wet), Outages.of(p, lost))
    check_ledger(p, state)
    margins = limits(p)
    assert not np.isnan(margins.margins(margins.values(state))).any()


@QUICK
@given(sites(), st.floats(0.05, 0.9), st.floats(1.01, 1.5), st.floats(0.0, 26.0))
def test_margins_fall_as_load_rises(site: Site, share: float, factor: float, wet_c: float) -> None:
    """The same elements in service, all racks more loaded: no margin of power, temperature or cooling gets better."""
    p = plant(site)
    low = np.where(p.racks.drawing, p.racks.budget_w * share, 0.0)[None, :]
    table = limits(p)
    more = from_power(p, np.concatenate([low, low * factor]))
    margin = table.margins(table.values(solve_steady(p, more, weather(wet_c))))
    worse = margin[1] <= margin[0] + 1e-7
    assert worse.all(), [(table.element[k], table.limit[k], margin[:, k]) for k in np.flatnonzero(~worse)]


def test_facility_water_follows_the_weather_once_towers_run_full() -> None:
    p = plant(small_site(racks=5, chiller=False))
    state = solve_steady(p, from_utilisation(p, 1.0), weather(*np.linspace(22.0, 26.0, 9)))
    water = state.heat.loop_supply_c[:, 1]
    assert (state.heat.tower_fan_frac == 1.0).all()
    assert (np.diff(water) > 0.3).all()
    assert (np.diff(state.heat.cdu_valve_frac, axis=0) > 0.0).all()
    worse = replace(p, towers=replace(p.towers, exchanger_k=p.towers.exchanger_k + 1.0))
    assert solve_steady(worse, from_utilisation(p, 1.0), weather(26.0)).heat.loop_supply_c[0, 1] == pytest.approx(water[-1] + 1.0, abs=0.01)


def test_a_site_of_power_alone_is_solved_and_its_heat_has_nowhere_to_go() -> None:
    base = small_site(racks=3, sku="hgx-h100")
    bare = {k: {} for k in ("loops", "cdus", "manifolds", "pumps", "air_units", "towers", "chillers")}
    site = base.with_(positions={k: replace(p, manifold="") for k, p in base.positions.items()}, **bare)
    p = plant(site)
    state = solve_steady(p, from_utilisation(p, 0.5), weather(17.0))
    check_ledger(p, state)
    assert state.ledger.site_w[0] > 3 * 3e3
    assert state.ledger.tower_out_w[0] == 0.0
