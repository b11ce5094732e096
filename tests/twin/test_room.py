"""Headroom on sites where a person can say how many racks fit, and that the answer is true of the built site."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

import numpy as np
import pytest

from tests.twin.sites import small_site
from tests.twin.test_demand import LAST, history, measured, still
from topology.errors import Cancelled, SiteError, UsageError
from topology.generate import generate
from topology.kinds import Rack, Redundancy
from topology.plant import plant
from topology.site import Site
from twin.headroom.cases import sweep
from twin.headroom.placement import eligible
from twin.headroom.room import Room, room, standing_at, with_candidates
from twin.loads import from_nameplate
from twin.state import Ambient

BY = dt.date(2026, 6, 1)
SKU = "gb300-nvl72"
RACK_W, POWER_FACTOR = 142e3, 0.98
BUSWAY_W = 0.8 * 1250.0 * math.sqrt(3.0) * 415.0 * POWER_FACTOR


def first(answer: Room) -> tuple[str, str]:
    return answer.binding[0].element, answer.binding[0].limit


def violated(site: Site) -> int:
    """Cases that fail with every rack of the site at its allocated power in design weather."""
    p = plant(site)
    return sweep(p, from_nameplate(p), Ambient(np.array([site.settings.design_wet_bulb_c]))).violated


def built(site: Site, answer: Room, *more: str) -> Site:
    """The site with what the answer places, and further racks, standing on it."""
    return site.with_racks([Rack(id=f"add-{p}", position=p, sku=answer.sku) for p in (*answer.positions, *more)])


@pytest.mark.parametrize("standing", [0, 1, 3, 4])
def test_amperes_of_a_busway_say_how_many(standing: int) -> None:
    fits = int(BUSWAY_W // RACK_W)
    assert fits == 4
    answer = room(small_site(racks=standing, places=10), SKU, BY)
    assert answer.racks == fits - standing
    assert {b.element for b in answer.binding} == {"busway-a", "busway-b"}
    assert {(b.limit, b.case) for b in answer.binding if b.element == "busway-a"} == {("current", "busway-b")}
    assert (answer.basis, answer.scenarios, answer.reached_frac) == ("nameplate", 1, 1.0)


def test_what_was_found_passes_every_case_and_any_further_rack_fails() -> None:
    site = small_site(racks=1, places=9)
    answer = room(site, SKU, BY)
    assert len(answer.positions) == answer.racks == 3
    assert violated(built(site, answer)) == 0
    free = [p for p in site.free_positions if p not in answer.positions]
    assert len(free) == 5
    for p in free:
        assert violated(built(site, answer, p)) > 0


def test_the_same_on_the_reference_site() -> None:
    now = generate("reference")
    site = standing_at(now, BY)
    answer = room(now, "mtia-450", BY)
    assert answer.racks > 0
    assert violated(built(site, answer)) == 0
    full, new = with_candidates(now, "mtia-450", BY)
    p = plant(full)
    index = np.array([p.racks.ids.index(i) for i in new])
    suitable = [full.racks[p.racks.ids[r]].position for r in index[eligible(p, index)]]
    rest = [position for position in suitable if position not in answer.positions]
    assert len(rest) == answer.free - answer.racks > 0
    for position in rest:
        assert violated(built(site, answer, position)) > 0, position


def big(site: Site) -> Site:
    """The site with busways that never bind."""
    return site.with_(power={k: replace(e, rating_a=9e3, rating_va=9e6) if k.startswith("busway") else e for k, e in site.power.items()})


def test_what_binds_next_is_what_lifting_the_first_gives() -> None:
    site = small_site(racks=0, places=12)
    answer, lifted = room(site, SKU, BY), room(big(site), SKU, BY)
    relief = {r.change: r.racks for r in answer.frees_most}
    assert relief["lift the ratings of every busway"] == lifted.racks - answer.racks > 0
    assert "busway" not in first(lifted)[0]
    assert answer.frees_most[0].racks == max(r.racks for r in answer.frees_most)


def test_heat_of_the_remaining_cdu_binds() -> None:
    """Two row CDUs of 1 MW, one lost: liquid heat of racks and pump work of the other stay below its duty."""
    site = big(small_site(racks=0, places=12))
    site = site.with_(
        power={k: replace(e, rating_va=9e6, rating_w=9e6) if k.startswith(("ups", "util", "mech")) else e for k, e in site.power.items()}
    )
    answer = room(site, SKU, BY, wet_bulb_c=10.0)
    assert ("cdu-1", "CDU heat") in {(b.element, b.limit) for b in answer.binding}
    p = plant(built(site, answer))
    loads = from_nameplate(p)
    duty, liquid = float(p.cdus.duty_w[0]), float(loads.liquid_w[0, 0])
    assert answer.racks == int((duty - 15e3) // liquid)
    assert 0.0 < duty - answer.racks * liquid < liquid + 15e3


def test_free_positions_bind_where_nothing_else_does() -> None:
    answer = room(small_site(racks=1, places=3), SKU, BY)
    assert (answer.racks, answer.free) == (2, 2)
    assert first(answer) == ("site", "free positions")
    (relief,) = answer.frees_most
    assert relief.change == "another position beside each of the 2 free ones"
    assert relief.racks == room(small_site(racks=1, places=5), SKU, BY).racks - answer.racks


def test_no_rack_fits_on_a_site_that_fails_already() -> None:
    site = small_site(racks=5)
    assert violated(site) > 0
    answer = room(site, SKU, BY)
    assert (answer.racks, answer.positions, answer.reached_frac) == (0, (), 0.0)
    assert first(answer) == ("busway-a", "current")


@pytest.mark.parametrize(
    ("state", "counts"),
    [("reserved", True), ("committed", True), ("installed", True), ("live", True), ("planned", False), ("retired", False)],
)
def test_racks_that_hold_headroom_use_it_before_they_draw(state: str, counts: bool) -> None:
    base = small_site(racks=1, places=10)
    site = base.with_racks([Rack(id=f"x{k}", position=f"p{k}", sku=SKU, state=state) for k in (2, 3)])
    assert room(site, SKU, BY).racks == (1 if counts else 3)


def test_dates_of_racks_decide_who_stands() -> None:
    base = small_site(racks=1, places=10)
    day = dt.timedelta(days=1)
    later = Rack(id="later", position="p2", sku=SKU, state="committed", live_from=BY + day)
    today = Rack(id="today", position="p3", sku=SKU, state="committed", live_from=BY)
    leaving = Rack(id="leaving", position="p4", sku=SKU, live_until=BY)
    staying = Rack(id="staying", position="p5", sku=SKU, live_until=BY + day)
    site = base.with_racks([later, today, leaving, staying])
    assert set(standing_at(site, BY).racks) == {"r1", "today", "staying"}
    full, new = with_candidates(site, SKU, BY)
    assert "new-p4" in new
    assert not {"new-p2", "new-p3", "new-p5"} & set(new)
    assert set(full.racks) == {"r1", "today", "staying", *new}
    assert room(site, SKU, BY).racks == 1
    assert room(site, SKU, BY + day).racks == 1
    assert room(site, SKU, BY - day).racks == 1


def test_unsuitable_positions_are_no_candidates() -> None:
    base = small_site(racks=0, places=6)
    odd = {"p1": {"max_weight_kg": 100.0}, "p2": {"max_power_w": 50e3}, "p3": {"manifold": ""}}
    site = base.with_(positions={k: replace(v, **odd.get(k, {})) for k, v in base.positions.items()})  # type: ignore[arg-type]
    answer = room(site, SKU, BY)
    assert answer.free == 3
    assert set(answer.positions) == {"p4", "p5", "p6"}
    assert "p3" in room(site, "hgx-h100", BY).positions


def test_bad_questions_are_refused() -> None:
    site = small_site(racks=1)
    with pytest.raises(SiteError, match="gb300-nvl72"):
        room(site, "gb300-nvl27", BY)
    for p in (0.0, 1.5):
        with pytest.raises(UsageError, match=r"outside 0\.\.1"):
            room(site, SKU, BY, probability=p)
    with pytest.raises(UsageError, match="rename"):
        room(site.with_racks([Rack(id="new-p4", position="p2", sku=SKU)]), SKU, BY)


def on_history(site: Site, probability: float = 0.95, seed: int = 0, days: int = 28, by: dt.date = LAST) -> Room:
    w = np.minimum(measured(plant(site), days), RACK_W)
    return room(site, SKU, by, probability, history(w), scenarios=20, seed=seed)


def test_measured_load_leaves_more_room_and_the_same_seed_the_same_answer() -> None:
    site = still(small_site(racks=3, places=12))
    one, two = on_history(site), on_history(site)
    assert one == two
    assert one.basis == "measured"
    assert one.racks > room(site, SKU, BY).racks
    assert one.reached_frac >= 0.95


def test_more_certainty_never_fits_more() -> None:
    site = still(small_site(racks=3, places=12))
    racks = [on_history(site, p).racks for p in (0.1, 0.5, 0.9, 0.95, 1.0)]
    assert racks == sorted(racks, reverse=True)


def test_growth_takes_room() -> None:
    base = small_site(racks=3, places=12)
    site = base.with_(settings=replace(base.settings, growth_frac=0.25, growth_spread_frac=0.0))
    now, later = on_history(site), on_history(site, by=LAST + dt.timedelta(days=730))
    assert later.racks < now.racks


def test_short_history_says_so() -> None:
    answer = on_history(still(small_site(racks=3, places=12)), days=5)
    assert "tails are not estimated" in answer.note
    assert answer.basis == "measured"


def test_declared_lack_of_a_spare_is_no_failure() -> None:
    base = small_site(racks=0, cdus=1, places=10)
    bare = base.with_(redundancy={"g": Redundancy(id="g", scheme="N", members=("cdu-1",), needed=1)})
    assert room(base, SKU, BY).racks == 0
    assert room(bare, SKU, BY).racks == 4


def test_progress_can_stop_the_search() -> None:
    def stop(done: int, total: int) -> None:
        raise Cancelled("asked to stop")

    with pytest.raises(Cancelled):
        room(small_site(racks=1, places=8), SKU, BY, progress=stop)
