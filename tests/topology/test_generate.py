"""The templates: what they promise, held by a load flow of their own that knows nothing of how they were sized."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from topology.catalog import load_catalog
from topology.check import check_site
from topology.check_cooling import liquid_share
from topology.errors import UsageError
from topology.generate import TEMPLATES, generate
from topology.needs import SOURCES, needs_of
from topology.plant import plant
from topology.site import Site

CATALOG = load_catalog()
REFERENCE = generate("reference", catalog=CATALOG)
LOSS = 1.01
"""Rough loss of one element of the chain; five of them make the five per cent of a usual chain."""


NEEDS = needs_of(REFERENCE)
POWER = plant(REFERENCE).power
ORDER = [POWER.ids[i] for i in POWER.order]


def loads(failed: str = "") -> dict[str, float]:
    """Load of each power element [VA] at nameplate with one element lost: cords move over, elements take their first live parent."""
    site, lost = REFERENCE, NEEDS.lost((failed,)) if failed else frozenset()
    found = dict.fromkeys(site.power, 0.0)
    for rack in site.racks.values():
        position, sku = site.positions[rack.position], CATALOG.entries["sku"][rack.sku]
        feeds = [f for f in (position.feed_a, position.feed_b) if f and f not in lost]
        for feed in feeds:
            found[feed] += sku.nameplate_w / sku.power_factor / len(feeds)
    parents: dict[str, list[str]] = {}
    for role in ("normal", "transfer"):
        for link in site.power_links:
            if link.role == role:
                parents.setdefault(link.child, []).append(link.parent)
    for name in reversed(ORDER):
        live = [p for p in parents.get(name, []) if p not in lost]
        if live:
            found[live[0]] += found[name] * LOSS
    return found


def rating_va(site: Site, name: str) -> float:
    element = site.power[name]
    model = CATALOG.entries["power_model"][element.model]
    rating = element.rating_va or model.rating_va or math.inf
    if element.rating_va is None and model.rating_a is not None:
        rating = min(rating, math.sqrt(3.0) * model.rating_a * model.voltage_v)
    return rating * model.derate_frac


def test_the_reference_site_is_what_it_is_said_to_be() -> None:
    assert len(REFERENCE.halls) == 2
    assert len(REFERENCE.racks) == 70
    assert 95 <= len(REFERENCE.positions) <= 105
    assert Counter(r.state for r in REFERENCE.racks.values()) == {"live": 67, "reserved": 2, "committed": 1}
    [committed] = [r for r in REFERENCE.racks.values() if r.state == "committed"]
    assert committed.live_from is not None
    assert {r.scheme for r in REFERENCE.redundancy.values()} == {"2N", "catcher", "N+1"}
    assert len([loop for loop in REFERENCE.loops.values() if loop.kind == "fws"]) == 1
    assert len(REFERENCE.chillers) == 1
    assert REFERENCE.common_causes
    halls: dict[str, set[str]] = {}
    for rack in REFERENCE.racks.values():
        halls.setdefault(REFERENCE.rows[REFERENCE.positions[rack.position].row].hall, set()).add(rack.sku)
    assert halls["hall-a"] == {"mtia-300", "mtia-400", "hgx-h100", "mi300x", "mtia-2i"}
    assert halls["hall-b"] == {"gb200-nvl72", "gb300-nvl72", "mtia-450", "vera-rubin-nvl72"}


def test_every_single_power_failure_leaves_every_element_within_its_rating() -> None:
    for failed in ("", *REFERENCE.power):
        for name, va in loads(failed).items():
            assert va <= rating_va(REFERENCE, name), f"{name} carries {va / 1e3:.0f} kVA after the loss of {failed or 'nothing'}"


def test_the_reserve_is_there_and_it_is_not_vast() -> None:
    """The UPSs and busways of both halls keep between 10 and 30 % in the worst case: that is what limits the free positions."""
    worst = dict.fromkeys(REFERENCE.power, 0.0)
    for failed in ("", *REFERENCE.power):
        for name, va in loads(failed).items():
            worst[name] = max(worst[name], va)
    for kind, names in {"busway": "busway-a", "ups": "ups-b"}.items():
        most = max(worst[n] / rating_va(REFERENCE, n) for n, e in REFERENCE.power.items() if e.kind == kind and n.startswith(names))
        assert 1 / 1.30 < most < 1 / 1.10


def test_cooling_gear_bears_nameplate_with_one_of_each_lost() -> None:
    heat: dict[str, float] = {}
    for rack in REFERENCE.racks.values():
        sku, position = CATALOG.entries["sku"][rack.sku], REFERENCE.positions[rack.position]
        loop = REFERENCE.manifolds[position.manifold].loop
        heat[loop] = heat.get(loop, 0.0) + sku.nameplate_w * liquid_share(sku)
    for loop, watts in heat.items():
        duties = [CATALOG.entries["cdu_model"][u.model].duty_w for u in REFERENCE.cdus.values() if u.loop == loop]
        assert watts <= sum(duties) - max(duties)
    total = sum(CATALOG.entries["sku"][r.sku].nameplate_w for r in REFERENCE.racks.values())
    towers = [CATALOG.entries["tower_model"][t.model].duty_w for t in REFERENCE.towers.values()]
    assert total <= sum(towers) - max(towers)


@pytest.mark.parametrize("racks", [1, 7, 69, 70, 71, 140, 333])
def test_any_number_of_racks_is_a_clean_site(racks: int) -> None:
    site = generate("reference", racks, CATALOG)
    assert len(site.racks) == racks
    assert check_site(site) == ()
    assert needs_of(site).running >= set(site.elements) - {*site.halls, *site.rows, *site.positions, *site.redundancy, *site.common_causes}


def test_a_hundred_thousand_racks_are_made() -> None:
    assert len(generate("reference", 100_000, CATALOG).racks) == 100_000


def test_the_same_arguments_give_the_same_site() -> None:
    a, b = generate("reference", 75, CATALOG), generate("reference", 75, CATALOG)
    assert (a.racks, a.power, a.power_links) == (b.racks, b.power, b.power_links)


def test_frontier_has_its_groups_and_its_gap() -> None:
    site = generate("frontier", catalog=CATALOG)
    assert len(site.racks) == 74
    assert len(site.cdus) == len(site.meters) == len(site.loops) - 1 == 25
    assert "rack-041" not in site.racks
    assert "rack-075" in site.racks
    assert {m.id: len(m.covers) for m in site.meters.values() if len(m.covers) != 3} == {"group-14": 2}
    for meter in site.meters.values():
        number = meter.id.removeprefix("group-")
        racks = {r.id for r in site.racks.values() if site.positions[r.position].manifold == f"manifold-{number}"}
        assert set(meter.covers) == racks
        assert meter.point == "rack_input"
        assert "conversion losses" in meter.note
    assert len(site.free_positions) == 25


def test_frontier_at_the_feed_by_hand() -> None:
    """Published constants, ExaDigiT/RAPS config/frontier.yaml: 7.282, 22.930 and 28.203 MW at idle, HPL and peak."""
    site = generate("frontier", catalog=CATALOG)
    sku = CATALOG.entries["sku"]["cray-ex"]
    pumps = sum(CATALOG.entries["cdu_model"][u.model].pump_fixed_w for u in site.cdus.values())
    for (cpu, gpu), feed_mw in {(0.0, 0.0): 7.282, (0.33, 0.79): 22.930, (1.0, 1.0): 28.203}.items():
        share = {"cpu": cpu, "gpu": gpu, "other": gpu, "fixed": 1.0}
        watts = [p.count * (p.idle_w + (p.max_w - p.idle_w) * share[p.group]) for p in sku.parts if p.converted]
        power = sum(watts)
        for stage in sku.stages:
            one = power / stage.units
            power += stage.units * (stage.fixed_w + stage.loss_frac * one + stage.loss_quad_per_w * one**2)
        power += sum(p.count * (p.idle_w + (p.max_w - p.idle_w) * share[p.group]) for p in sku.parts if not p.converted)
        assert (power * len(site.racks) + pumps) / 1e6 == pytest.approx(feed_mw, rel=1e-3)
    chain = [CATALOG.entries["power_model"][e.model] for e in site.power.values()]
    assert all(m.loss_fixed_w == m.loss_frac == m.loss_quad_per_w == 0.0 for m in chain)


def test_wrong_arguments_are_said() -> None:
    with pytest.raises(UsageError, match="did you mean reference"):
        generate("referense")
    with pytest.raises(UsageError, match="8 positions"):
        generate("row", 9)
    with pytest.raises(UsageError, match="74 racks"):
        generate("frontier", 10)
    for racks in (0, -3):
        with pytest.raises(UsageError, match="racks"):
            generate("reference", racks)
    assert set(TEMPLATES) == {"reference", "row", "frontier"}
    assert all(e.kind in SOURCES for e in REFERENCE.power.values() if not any(k.child == e.id for k in REFERENCE.power_links))
