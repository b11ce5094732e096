"""Contingencies: which there are, what is shed by design, and that a sweep is its single solves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.twin.sites import small_site
from topology.errors import Cancelled
from topology.generate import generate
from topology.kinds import CommonCause, Redundancy
from topology.plant import Plant, plant
from topology.site import Site
from twin.headroom import cases as module
from twin.headroom.cases import all_cases, shed_loads, sweep
from twin.limits import limits
from twin.loads import from_nameplate, from_power
from twin.power.trips import trip_after_s
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages

WEATHER = Ambient(np.array([18.0]))


def declared(site: Site, scheme: str, *members: str) -> Site:
    return site.with_(redundancy={"group": Redundancy(id="group", scheme=scheme, members=members, needed=len(members))})


def two_loads(p: Plant) -> np.ndarray:
    """(2, R) a part of allocated power and all of it."""
    loads: np.ndarray = p.racks.budget_w * np.array([[0.4], [1.0]])
    return loads


def test_normal_every_element_and_every_common_cause() -> None:
    site = small_site(racks=3).with_(common_causes={"fire": CommonCause(id="fire", members=("ups-a", "cdu-1"))})
    p = plant(site)
    found = all_cases(p)
    assert found[0].name == "normal"
    assert found[0].lost == ()
    assert {c.name for c in found[1:-1]} == {*site.power, *site.cdus, *site.pumps, *site.air_units, *site.towers, *site.chillers}
    assert (found[-1].name, found[-1].lost, found[-1].kind) == ("fire", ("ups-a", "cdu-1"), "common cause")
    assert {c.kind for c in found} >= {"utility", "ups", "busway", "cdu", "pump", "air_unit", "tower", "chiller"}


@pytest.mark.parametrize("template", ["reference", "row", "frontier"])
def test_templates_stand_every_case_as_they_are_built(template: str) -> None:
    p = plant(generate(template))
    table = sweep(p, from_nameplate(p), Ambient(np.array([p.site.settings.design_wet_bulb_c])))
    assert table.violated == 0
    assert (table.unpowered == 0).all()
    assert table.margin_frac.shape == (len(table.cases), len(table.limits.element))
    assert np.isfinite(table.margin_frac).all()


def test_a_case_says_what_trips_first_and_after_how_long() -> None:
    """Racks of 1.1 MW in all on UPSs of 1 MW each: without one the other is over 105 %, and gives up after a minute."""
    site = small_site(racks=5)
    power = {i: replace(e, model="ups-1000") if e.kind == "ups" else e for i, e in site.power.items()}
    p = plant(site.with_(power=power))
    loads = from_power(p, np.full((1, p.racks.n), 1.1e6 / p.racks.n))
    table = sweep(p, loads, WEATHER)
    named = {c.name: z for z, c in enumerate(table.cases)}
    assert table.trip_s[named["normal"]] == np.inf
    assert table.trip_first[named["normal"]] == ""
    lost = named["ups-a"]
    assert table.trip_first[lost] == "ups-b"
    assert table.trip_s[lost] == pytest.approx(60.0)
    own = trip_after_s(p, solve_steady(p, loads, WEATHER).power, solve_steady(p, loads, WEATHER, Outages.of(p, [("ups-a",)])).power)
    assert own.min() == table.trip_s[lost]


def test_a_sweep_is_its_single_solves() -> None:
    p = plant(small_site(racks=4))
    loads = from_power(p, two_loads(p))
    table = sweep(p, loads, WEATHER)
    rows = limits(p)
    for z, case in enumerate(table.cases):
        singles = [solve_steady(p, loads.take(slice(c, c + 1)), WEATHER, Outages.of(p, [case.lost])) for c in (0, 1)]
        each = np.concatenate([rows.margins(rows.values(s)) for s in singles])
        assert np.array_equal(table.margin_frac[z], each.min(axis=0)), case.name
        assert table.site_w[z] == max(s.ledger.site_w[0] for s in singles)
        assert np.array_equal(rows.margins(table.value)[z], table.margin_frac[z])


def test_size_of_chunks_does_not_change_results(monkeypatch: pytest.MonkeyPatch) -> None:
    p = plant(small_site(racks=4))
    loads = from_power(p, p.racks.budget_w * np.linspace(0.1, 1.0, 5)[:, None])
    whole = sweep(p, loads, Ambient(np.linspace(10.0, 20.0, 5)))
    monkeypatch.setattr(module, "CHUNK_VALUES", 9)
    parts = sweep(p, loads, Ambient(np.linspace(10.0, 20.0, 5)))
    for name in ("value", "margin_frac", "site_w", "unpowered"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name


def test_a_single_fed_rack_is_named_where_its_feed_fails() -> None:
    site = small_site(racks=2)
    single = site.with_(
        positions={
            k: v if k != "p1" else type(v)(id="p1", row="row-1", place=1, feed_a="busway-a", manifold="manifold-1")
            for k, v in site.positions.items()
        }
    )
    p = plant(single)
    table = sweep(p, from_nameplate(p), WEATHER)
    bad = {c.name for z, c in enumerate(table.cases) if table.margin_frac[z].min() < 0.0}
    assert bad == {"busway-a", "ups-a", "utility-a"}
    worst = {table.limits.element[table.worst_limit[z]] for z, c in enumerate(table.cases) if c.name in bad}
    assert worst == {"r1"}
    assert table.violated == 3
    assert sorted(set(table.unpowered.tolist())) == [0, 1]


def test_scheme_n_takes_its_racks_down_by_design() -> None:
    """A lone CDU is a single point of failure, unless the site declares that it has no spare: then its racks go down with it."""
    base = small_site(racks=3, cdus=1)
    plain, bare = plant(base), plant(declared(base, "N", "cdu-1"))
    lost = next(c for c in all_cases(bare) if c.name == "cdu-1")
    assert lost.shed == ("r1", "r2", "r3")
    assert all(c.shed == () for c in all_cases(plain))
    assert all(c.shed == () for c in all_cases(bare) if c.name != "cdu-1")
    before, after = (sweep(p, from_nameplate(p), WEATHER) for p in (plain, bare))
    names = [c.name for c in after.cases]
    z = names.index("cdu-1")
    assert before.margin_frac[z].min() < 0.0
    assert after.margin_frac[z].min() >= 0.0
    assert after.site_w[z] < 0.2 * after.site_w[0]
    others = np.arange(len(names)) != z
    assert np.array_equal(before.margin_frac[others], after.margin_frac[others])


def test_only_what_really_goes_down_is_shed() -> None:
    p = plant(declared(small_site(racks=3), "N", "cdu-1", "ups-a"))
    assert all(c.shed == () for c in all_cases(p))


def test_other_schemes_shed_nothing() -> None:
    p = plant(declared(small_site(racks=3, cdus=1), "N+1", "cdu-1"))
    assert all(c.shed == () for c in all_cases(p))


def test_shed_racks_draw_nothing_and_take_no_flow() -> None:
    p = plant(declared(small_site(racks=3, cdus=1), "N", "cdu-1"))
    found = all_cases(p)
    loads = from_power(p, two_loads(p))
    tiled = shed_loads(p, loads, found, 2)
    z = [c.name for c in found].index("cdu-1")
    assert tiled.scenarios == 2 * len(found)
    for part in (tiled.rack_w, tiled.it_w, tiled.liquid_w, tiled.chip_w, tiled.present):
        assert not part[2 * z : 2 * z + 2].any()
    assert np.array_equal(tiled.rack_w[:2], loads.rack_w)


def test_progress_counts_solves_and_can_stop() -> None:
    p = plant(small_site(racks=3))
    seen: list[tuple[int, int]] = []
    sweep(p, from_power(p, two_loads(p)), WEATHER, progress=lambda done, total: seen.append((done, total)))
    total = 2 * len(all_cases(p))
    assert seen[-1] == (total, total)

    def stop(done: int, total: int) -> None:
        raise Cancelled("asked to stop")

    with pytest.raises(Cancelled):
        sweep(p, from_nameplate(p), WEATHER, progress=stop)
