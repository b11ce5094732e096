"""The calibrated plant: what a file of constants changes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from topology.errors import SiteError
from topology.generate import generate
from topology.overlay import FACTORS, Constant, calibrated, overlay_text, read_overlay, write_overlay
from topology.plant import plant
from topology.site import Site


@pytest.fixture(scope="module")
def site() -> Site:
    return generate("row")


def first(site: Site, axis: str) -> str:
    return str(getattr(plant(site), axis).ids[0])


@pytest.mark.parametrize("name", [n for n, f in FACTORS.items() if f.axis != "sku"])
def test_every_factor_of_an_element_changes_its_own_element_alone(name: str) -> None:
    site = generate("reference")
    factor, before = FACTORS[name], plant(site)
    ids = getattr(before, factor.axis).ids
    if not ids:
        pytest.skip(f"the template has no {factor.axis}")
    after = plant(calibrated(site, [Constant(element=ids[0], parameter=name, value=0.9)]))
    for field in factor.change(getattr(before, factor.axis), np.ones(len(ids))):
        was, now = (np.nan_to_num(getattr(getattr(p, factor.axis), field), posinf=1.0) for p in (before, after))
        assert np.array_equal(was[1:], now[1:])
    changed = [
        f for f in factor.change(getattr(before, factor.axis), np.ones(len(ids)))
        if not np.array_equal(getattr(getattr(before, factor.axis), f), getattr(getattr(after, factor.axis), f))
    ]  # fmt: skip
    assert changed or name in ("branch_factor", "loss_load_factor", "loss_fixed_factor")


def test_a_full_open_flow_leaves_the_conductance_of_equal_flows() -> None:
    site = generate("reference")
    before = plant(site).cdus
    after = plant(calibrated(site, [Constant(element=before.ids[0], parameter="valve_flow_factor", value=1.3)])).cdus

    def ua(axis: object, hot: float, cold: float) -> float:
        own = {
            n: float(getattr(axis, n)[0]) for n in ("ua_w_k", "hot_share_frac", "hot_kg_s", "cold_kg_s", "hot_exponent", "cold_exponent")
        }
        one = own["hot_share_frac"] / own["ua_w_k"] * (own["hot_kg_s"] / hot) ** own["hot_exponent"]
        two = (1.0 - own["hot_share_frac"]) / own["ua_w_k"] * (own["cold_kg_s"] / cold) ** own["cold_exponent"]
        return 1.0 / (one + two)

    assert after.cold_kg_s[0] == pytest.approx(1.3 * before.cold_kg_s[0])
    for hot, cold in ((10.0, 5.0), (3.0, 9.0)):
        assert ua(after, hot, cold) == pytest.approx(ua(before, hot, cold), rel=1e-12)


def test_a_factor_of_a_sku_reaches_racks_that_come_later(site: Site) -> None:
    name = next(iter(site.racks.values())).sku
    changed = calibrated(site, [Constant(element=name, parameter="idle_factor", value=1.1)])
    for was, now in zip(site.catalog.entries["sku"][name].parts, changed.catalog.entries["sku"][name].parts, strict=True):  # type: ignore[attr-defined]
        assert now.idle_w == pytest.approx(was.idle_w * (1.0 if was.group == "fixed" else 1.1))
        assert now.max_w - now.idle_w == pytest.approx(was.max_w - was.idle_w)


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    rows = (
        Constant(element="cdu-1", parameter="ua_factor", value=0.91, low=0.88, high=0.94, basis="data"),
        Constant(element="cdu-1", parameter="bias", value=-0.3, quantity="supply_temp_c", part="Secondary"),
    )
    write_overlay(rows, tmp_path / "calibration.csv")
    assert read_overlay(tmp_path / "calibration.csv") == rows


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("cdu-1,ua_facto,0.9", "did you mean ua_factor"),
        ("cdu-1,ua_factor,-1", "not above zero"),
        ("cdu-1,bias,0.2", "needs the quantity"),
        ("cdu-1,ua_factor,much", "not a number"),
    ],
)
def test_a_faulty_row_is_named(tmp_path: Path, row: str, says: str) -> None:
    (tmp_path / "c.csv").write_text(f"element,parameter,value\ncdu-2,ua_factor,1\n{row}\n")
    with pytest.raises(SiteError, match=r"c\.csv:3") as fault:
        read_overlay(tmp_path / "c.csv")
    assert says in str(fault.value)


def test_a_constant_of_another_site_is_refused(site: Site) -> None:
    with pytest.raises(SiteError, match="no element or SKU 'cdu-99'"):
        calibrated(site, [Constant(element="cdu-99", parameter="ua_factor", value=0.9)])
    with pytest.raises(SiteError, match="has no ua_factor"):
        plant(calibrated(site, [Constant(element=first(site, "racks"), parameter="ua_factor", value=0.9)]))


def test_the_text_has_a_row_a_constant() -> None:
    assert overlay_text([Constant(element="a", parameter="ua_factor", value=0.5)]).splitlines()[1].startswith("a,ua_factor,0.5,")
