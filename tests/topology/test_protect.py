"""Checks of derated ratings, phases and declared schemes; ratings that altitude and air lower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.twin.sites import catalog
from topology.check_protect import RULES
from topology.errors import Finding, SiteError
from topology.generate import generate
from topology.kinds import PowerElement, PowerLink, Redundancy
from topology.models import PowerModel
from topology.plant import plant
from topology.ratings import remaining_frac
from topology.rules import Context
from topology.site import Site

ROW = generate("row", catalog=catalog())


def found(site: Site) -> tuple[Finding, ...]:
    context = Context(site)
    return tuple(f for r in RULES for f in r.run(context))


def with_element(site: Site, element: PowerElement, parent: str) -> Site:
    links = (*site.power_links, PowerLink(parent=parent, child=element.id))
    return site.with_(power={**site.power, element.id: element}, power_links=links)


@pytest.mark.parametrize("template", ["row", "reference", "frontier"])
def test_templates_are_as_they_declare(template: str) -> None:
    assert found(generate(template, catalog=catalog())) == ()


@pytest.mark.parametrize(
    ("own", "size"),
    [
        ({"rating_a": 24.0}, "30 A"), ({"rating_a": 48.0}, "60 A"), ({"rating_va": 34_501.0}, "60 A"),
        ({"rating_w": 17_290.0, "voltage_v": 208.0}, "60 A"),
    ],
)  # fmt: skip
def test_a_rating_that_is_derated_already_is_flagged(own: dict[str, float], size: str) -> None:
    """24 and 48 A are 80 % of 30 and 60 A; 34.5 kW at 415 V and 17.3 kW at 208 V are the 80 % figures of a 60 A feed."""
    element = PowerElement(id="pdu", kind="pdu", derate_frac=0.8, **{"voltage_v": 415.0, **own})
    [finding] = found(with_element(ROW, element, "busway-a"))
    assert finding.severity == "warning" and size in finding.message and finding.column in own
    assert found(with_element(ROW, replace(element, derate_frac=1.0), "busway-a")) == ()


@pytest.mark.parametrize("ampere", [30.0, 60.0, 80.0, 400.0, 1250.0])
def test_the_size_of_a_breaker_may_be_derated(ampere: float) -> None:
    assert (
        found(with_element(ROW, PowerElement(id="k", kind="breaker", rating_a=ampere, voltage_v=415.0, derate_frac=0.8), "busway-a")) == ()
    )


def test_a_rack_on_a_line_that_its_taps_have_not_is_doubted() -> None:
    places = {i: replace(p, phases="L1L2") for i, p in ROW.positions.items()}
    racks = {**ROW.racks, "rack-01": replace(ROW.racks["rack-01"], phases="L2L3")}
    [finding] = found(ROW.with_(positions=places, racks=racks))
    assert finding.element == "rack-01" and "L3" in finding.message


def group(scheme: str, members: Sequence[str], needed: int) -> dict[str, Redundancy]:
    return {"g": Redundancy(id="g", scheme=scheme, members=tuple(members), needed=needed)}


def test_2n_asks_for_a_cord_on_each_side() -> None:
    lone = {**ROW.positions, "row-1-02": replace(ROW.positions["row-1-02"], feed_b="")}
    [finding] = found(ROW.with_(positions=lone))
    assert finding.element == "feeds" and "row-1-02" in finding.message
    assert found(ROW.with_(positions=lone, redundancy=group("N", ["ups-a", "ups-b"], 2))) == ()


def test_n_plus_one_asks_for_a_common_board() -> None:
    [finding] = found(ROW.with_(redundancy=group("N+1", ["ups-a", "ups-b"], 1)))
    assert "not in parallel" in finding.message
    joined = ROW.with_(
        power_links=(*ROW.power_links, PowerLink(parent="ups-b", child="busway-a")), redundancy=group("N+1", ["ups-a", "ups-b"], 1)
    )
    assert found(joined) == ()


def test_a_reserve_stands_behind_a_switch_below_each_primary() -> None:
    reference = generate("reference", catalog=catalog())
    cut = tuple(k for k in reference.power_links if k.parent != "output-b-catcher" or not k.child.startswith("sts-b1"))
    messages = [f.message for f in found(reference.with_(power_links=cut))]
    assert messages and all("busway-b1" in m and "no reserve" in m for m in messages)
    none = tuple(k for k in reference.power_links if k.parent != "output-b-catcher")
    [finding] = [f for f in found(reference.with_(power_links=none)) if f.element == "catcher-b"]
    assert "no member" in finding.message


def test_a_reserve_behind_the_primary_itself_is_no_isolated_redundancy() -> None:
    spare = with_element(ROW, PowerElement(id="ups-c", kind="ups", model="ups-1000"), "board-a")
    behind = (PowerLink(parent="ups-c", child="ups-a", role="transfer"), PowerLink(parent="ups-c", child="busway-b", role="transfer"))
    site = spare.with_(power_links=(*spare.power_links, *behind), redundancy=group("isolated", ["ups-a", "ups-b", "ups-c"], 2))
    messages = [f.message for f in found(site)]
    assert any("stands behind 'ups-a' itself" in m for m in messages)
    assert not any("'ups-b'" in m for m in messages)


def test_altitude_and_air_lower_ratings_once_each() -> None:
    high = plant(ROW.with_(settings=replace(ROW.settings, altitude_m=2500.0, design_dry_bulb_c=45.0)))
    low = plant(ROW)
    e = low.power.ids.index("generator-a")
    model = catalog().entries["power_model"]["generator-2500"]
    assert isinstance(model, PowerModel)
    left = (1.0 - model.altitude_per_m * 1500.0) * (1.0 - model.ambient_per_k * 5.0)
    assert high.power.rating_w[e] / low.power.rating_w[e] == pytest.approx(left)
    assert high.power.altitude_frac[e] * high.power.ambient_frac[e] == pytest.approx(left)
    assert np.array_equal(low.power.altitude_frac, np.ones(low.power.n))
    cool = replace(ROW.power["generator-a"], ambient_c=25.0)
    inside = plant(ROW.with_(settings=replace(ROW.settings, design_dry_bulb_c=45.0), power={**ROW.power, "generator-a": cool}))
    assert inside.power.ambient_frac[e] == 1.0
    with pytest.raises(SiteError, match="nothing is left of the rating of 'generator-a'"):
        plant(ROW.with_(settings=replace(ROW.settings, altitude_m=20_000.0)))


@pytest.mark.parametrize(
    ("at", "start", "fall", "want"),
    [
        (1500.0, 1000.0, 0.003 / 100, 0.985), (2500.0, 1000.0, 0.03 / 500, 0.91), (1500.0, 1000.0, 0.01 / 100, 0.95),
        (50.0, 40.0, 0.01, 0.90), (900.0, 1000.0, 1.0, 1.0),
    ],
)  # fmt: skip
def test_published_deratings(at: float, start: float, fall: float, want: float) -> None:
    """Dry transformer 0.3 %/100 m (Eaton), generator 0.91 at 2,500 m (Wacker Neuson), drive 0.95 at 1,500 m and 0.90 at 50 degC (ABB)."""
    assert float(remaining_frac(at, start, fall)) == pytest.approx(want)


def test_backing_restart_and_battery_come_to_the_axes() -> None:
    feeds = {"feed_a": "busway-a", "feed_b": "board-b", "restart_s": 42.0}
    pumps = {**ROW.pumps, "fws-pump-1": replace(ROW.pumps["fws-pump-1"], **feeds)}  # type: ignore[arg-type]
    power = {
        **ROW.power,
        "ups-a": replace(ROW.power["ups-a"], battery_s=120.0),
        "generator-a": replace(ROW.power["generator-a"], start_s=9.0),
    }
    p = plant(ROW.with_(pumps=pumps, power=power))
    g = p.gear.ids.index("fws-pump-1")
    assert p.gear.ups_backed[g].tolist() == [True, False]
    assert p.gear.restart_s[g] == 42.0
    at = {i: k for k, i in enumerate(p.power.ids)}
    assert p.power.battery_j[at["ups-a"]] == pytest.approx(120.0 * 1e6)
    assert p.power.battery_j[at["board-a"]] == 0.0
    assert p.power.start_s[[at["generator-a"], at["generator-b"], at["ups-a"]]].tolist() == [9.0, 17.0, 0.0]
    assert [bool(p.power.ups_backed[at[i]]) for i in ("utility-a", "board-a", "ups-a", "busway-a")] == [False, False, True, True]
