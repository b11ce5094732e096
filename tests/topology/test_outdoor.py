"""Dry coolers and economiser modes as people write them: read back as written, on the power chain, checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.twin.sites import by_id, small_site
from topology.check import check_site
from topology.kinds import DryCooler, Loop
from topology.paths import blast_radius
from topology.plant import plant
from topology.read import read_site
from topology.site import Site
from topology.write import write_site


def dry(model: str = "dry-1000", supply_c: float = 40.0, **loop: object) -> Site:
    base = small_site(racks=2, chiller=False)
    fws: Loop = replace(base.loops["fws-1"], supply_c=supply_c, **loop)  # type: ignore[arg-type]
    tcs = replace(base.loops["tcs-1"], supply_c=supply_c + 8.0)
    hall = replace(base.halls["hall-1"], air_supply_c=supply_c + 8.0, air_limit_c=supply_c + 20.0)
    coolers = by_id(*(DryCooler(id=f"dry-{k}", model=model, fws="fws-1", feed_a="mech-a", feed_b="mech-b") for k in (1, 2)))
    return base.with_(loops={"tcs-1": tcs, "fws-1": fws}, halls={"hall-1": hall}, towers={}, dry_coolers=coolers)


def found(site: Site, column: str) -> list[tuple[str, str, str]]:
    return [(f.severity, f.element, f.message) for f in check_site(site) if f.column == column]


def test_a_folder_reads_back_as_written(tmp_path: Path) -> None:
    site = dry(economiser="parallel", staging="fewest", reuse_w=5e4)
    write_site(site, tmp_path / "site")
    assert (tmp_path / "site" / "dry_coolers.csv").is_file()
    again = read_site(tmp_path / "site")
    assert again.dry_coolers == site.dry_coolers
    assert again.loops == site.loops


def test_dry_coolers_are_gear_and_the_sink_of_their_loop() -> None:
    site = dry()
    p = plant(site)
    assert [p.gear.kind[k] for k in p.dry_coolers.gear] == ["dry_cooler"] * 2
    assert p.power.ids[p.gear.feed[p.dry_coolers.gear[0], 0]] == "mech-a"
    assert not [f for f in check_site(site) if f.severity == "error" and f.column != "sku"]
    bare = site.with_(dry_coolers={})
    assert any("has no tower or dry cooler" in f.message for f in check_site(bare))
    assert "dry-1" in site.graph["mech-a"]
    assert site.graph["dry-1"]["fws-1"]["medium"] == "coolant"
    assert blast_radius(site, "dry-1").lost_cooling == ()
    both = site.with_(dry_coolers={"dry-1": site.dry_coolers["dry-1"]})
    assert set(blast_radius(both, "dry-1").lost_cooling) == {"r1", "r2"}


@pytest.mark.parametrize(
    ("model", "supply_c", "told"),
    [("dry-1000", 40.0, False), ("dry-1000", 35.0, True), ("adiabatic-1000", 35.0, False), ("adiabatic-1000", 26.0, True)],
)
def test_a_set_point_below_the_design_air_is_doubted(model: str, supply_c: float, told: bool) -> None:
    doubts = [d for d in found(dry(model, supply_c), "supply_c") if "dry coolers take in" in d[2]]
    assert bool(doubts) is told
    assert all(d[:2] == ("warning", "fws-1") for d in doubts)


def test_modes_without_chillers_are_doubted() -> None:
    assert found(dry(), "economiser") == []
    ((severity, element, message),) = found(dry(economiser="none"), "economiser")
    assert (severity, element) == ("warning", "fws-1")
    assert "no chiller" in message
    base = small_site()
    wrong = base.with_(loops={**base.loops, "tcs-1": replace(base.loops["tcs-1"], economiser="none")})
    assert [f[:2] for f in found(wrong, "economiser")] == [("error", "tcs-1")]
