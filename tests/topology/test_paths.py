"""Questions on the graph: by hand on the small sites, against another method on the large one."""

from __future__ import annotations

import dataclasses

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topology.catalog import load_catalog
from topology.errors import SiteError
from topology.generate import generate
from topology.kinds import CommonCause, PowerLink
from topology.needs import SOURCES, needs_of
from topology.paths import blast_radius, feed_paths, shared_parents, single_points_of_failure
from topology.site import Site

CATALOG = load_catalog()
ROW = generate("row", catalog=CATALOG)
REFERENCE = generate("reference", catalog=CATALOG)


def test_one_side_of_2n_leaves_every_rack_on_one_feed() -> None:
    blast = blast_radius(ROW, "ups-a")
    assert blast.stopped == ("busway-a",)
    assert blast.one_feed == tuple(ROW.racks)
    assert (blast.lost_power, blast.lost_cooling, blast.transferred) == ((), (), ())


def test_a_board_takes_one_feed_of_racks_and_gear() -> None:
    blast = blast_radius(ROW, "board-a")
    assert blast.stopped == ("ups-a", "busway-a")
    gear = {*ROW.cdus, *ROW.air_units, *ROW.pumps, *ROW.towers}
    assert set(blast.one_feed) == {*ROW.racks, *gear}


def test_a_generator_takes_over_for_the_utility() -> None:
    blast = blast_radius(ROW, "utility-a")
    assert blast.stopped == ("transformer-a",)
    assert blast.transferred == ("board-a",)
    assert blast.one_feed == ()


def test_losing_a_manifold_takes_only_the_liquid_racks() -> None:
    blast = blast_radius(ROW, "manifold-1")
    assert blast.lost_cooling == ("rack-01", "rack-02", "rack-03")
    assert blast.lost_power == ()


def test_one_of_two_takes_nothing_and_both_take_everything() -> None:
    for pair in (("cdu-1", "cdu-2"), ("tower-1", "tower-2"), ("fws-pump-1", "fws-pump-2")):
        assert blast_radius(ROW, pair[0]).lost_cooling == ()
        both = ROW.with_(common_causes={"both": CommonCause(id="both", members=pair)})
        wet = ("rack-01", "rack-02", "rack-03") if pair[0] == "cdu-1" else tuple(ROW.racks)
        assert blast_radius(both, "both").lost_cooling == wet
        assert blast_radius(both, "both").failed == pair


def test_a_place_stands_for_what_is_in_it() -> None:
    assert blast_radius(ROW, "row-1").failed == tuple(ROW.racks)
    assert set(blast_radius(ROW, "hall-1").failed) == {*ROW.racks, *ROW.cdus, *ROW.air_units}
    assert blast_radius(ROW, "row-1-02").lost_power == ("rack-02",)
    assert blast_radius(ROW, "row-1-08").failed == ()


def test_the_catcher_takes_over_and_nobody_loses_a_feed() -> None:
    blast = blast_radius(REFERENCE, "ups-b-a1")
    assert blast.transferred
    assert all(n.startswith("sts-") for n in blast.transferred)
    assert (blast.lost_power, blast.one_feed, blast.lost_cooling) == ((), (), ())


def test_two_elements_that_are_each_others_reserve_do_not_hold_each_other_up() -> None:
    links = [k for k in ROW.power_links if k.role == "normal"]
    cross = [PowerLink(parent="board-a", child="board-b", role="transfer"), PowerLink(parent="board-b", child="board-a", role="transfer")]
    site = ROW.with_(power_links=(*links, *cross))
    assert blast_radius(site, "transformer-a").transferred == ("board-a",)
    out = site.with_(common_causes={"storm": CommonCause(id="storm", members=("utility-a", "utility-b"))})
    assert blast_radius(out, "storm").lost_power == tuple(ROW.racks)


def test_unknown_elements_offer_the_nearest() -> None:
    for question in (blast_radius, feed_paths):
        with pytest.raises(SiteError, match=r"did you mean .*ups-a"):
            question(ROW, "upss-a")
    with pytest.raises(SiteError):
        shared_parents(ROW, "ups-a", "nothing")


def test_feed_paths_go_from_source_to_cord() -> None:
    paths = feed_paths(ROW, "rack-01")
    assert [p.elements for p in paths if p.normal] == [
        ("utility-a", "transformer-a", "board-a", "ups-a", "busway-a", "rack-01"),
        ("utility-b", "transformer-b", "board-b", "ups-b", "busway-b", "rack-01"),
    ]
    assert [p.transfers for p in paths if not p.normal] == [(("generator-a", "board-a"),), (("generator-b", "board-b"),)]
    assert [p.elements[-2:] for p in feed_paths(ROW, "row-1-08") if p.normal] == [("busway-a", "row-1-08"), ("busway-b", "row-1-08")]
    assert feed_paths(ROW, "utility-a")[0].elements == ("utility-a",)


def test_shared_parents_are_nearest_first() -> None:
    assert shared_parents(ROW, "rack-01", "rack-02")[:2] == ("busway-a", "busway-b")
    assert shared_parents(ROW, "ups-a", "ups-b") == ()
    assert shared_parents(REFERENCE, "busway-a1-a", "busway-a3-a") == ("board-a-a", "transformer-a-a", "utility-a")


def test_single_points_of_the_row_are_its_loops_and_its_manifold() -> None:
    found = {s.element: (len(s.lost_power), len(s.lost_cooling)) for s in single_points_of_failure(ROW)}
    assert found == {"fws": (0, 5), "tcs-1": (0, 3), "manifold-1": (0, 3)}


def test_no_single_point_takes_the_power_of_the_reference_site() -> None:
    points = single_points_of_failure(REFERENCE)
    assert not [s for s in points if s.lost_power]
    assert {s.kind for s in points} == {"loop", "manifold"}


def single_corded(site: Site, racks: set[str]) -> Site:
    alone = {site.racks[r].position for r in racks}
    return site.with_(positions={n: dataclasses.replace(p, feed_b="") if n in alone else p for n, p in site.positions.items()})


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_single_points_of_power_are_the_dominators_of_the_cords(data: st.DataObject) -> None:
    """A second method: on the power graph below one root, what every path from the root passes through."""
    chosen = data.draw(st.sets(st.sampled_from(sorted(REFERENCE.racks)), min_size=1, max_size=8))
    site = single_corded(REFERENCE, chosen)
    cut = set(data.draw(st.lists(st.sampled_from([k for k in site.power_links if k.role == "transfer"]), max_size=20)))
    site = site.with_(power_links=tuple(k for k in site.power_links if k not in cut))
    graph = nx.DiGraph((k.parent, k.child) for k in site.power_links)
    graph.add_edges_from(("root", n) for n, e in site.power.items() if e.kind in SOURCES)
    for rack in site.racks.values():
        position = site.positions[rack.position]
        graph.add_edges_from((f, rack.id) for f in (position.feed_a, position.feed_b) if f)
    above = nx.immediate_dominators(graph, "root")
    want: dict[str, set[str]] = {}
    for rack in site.racks:
        node = above[rack]
        while node is not None and node != "root":
            want.setdefault(node, set()).add(rack)
            node = above.get(node)
    found = {s.element: set(s.lost_power) for s in single_points_of_failure(site) if s.lost_power}
    assert found == want


def test_losses_by_recheck_are_those_of_a_fresh_start() -> None:
    """What is lost with an element equals what does not run where the element is missing from the outset."""
    needs = needs_of(REFERENCE)
    for gone in (*REFERENCE.power, *REFERENCE.loops, *REFERENCE.towers):
        groups = {n: (() if n != gone else ((),)) if not g or n == gone else g for n, g in needs.groups.items()}
        fresh = dataclasses.replace(needs, groups=groups, running=frozenset(_running(groups)))
        assert needs.lost((gone,)) == needs.running - fresh.running


def _running(groups: dict[str, tuple[tuple[str, ...], ...]]) -> set[str]:
    running: set[str] = set()
    while True:
        more = {n for n, g in groups.items() if n not in running and all(any(m in running for m in one) for one in g)}
        if not more:
            return running
        running |= more
