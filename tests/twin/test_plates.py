"""Plates in series, memory, leakage, and the limits of what touches coolant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agreements import Agreements
from tests.twin.sites import catalog, small_site
from topology.errors import SiteError
from topology.models import Chip, Sku
from topology.plant import Plant, plant
from topology.plates import fit_plate, paths_of, plate_of
from topology.site import Site
from twin.limits import LOST_MARGIN, limits
from twin.loads import from_power, from_utilisation, with_chip_power
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages, SteadyState

OCP_LPM = np.array([0.4, 0.6, 0.8, 1.0, 1.4, 1.8, 2.2])
OCP_K_W = np.array([0.0389, 0.0300, 0.0265, 0.0245, 0.0220, 0.0209, 0.0200])
RUBIN_C = np.array([25.0, 30.0, 35.0, 40.0, 45.0])
RUBIN_LPM = np.array([150.0, 170.0, 200.0, 250.0, 320.0])


def changed(site: Site, kind: str, name: str, **changes: Any) -> Site:
    """A site whose catalog has one entry with other figures."""
    entries = {k: dict(v) for k, v in site.catalog.entries.items()}
    entries[kind][name] = replace(entries[kind][name], **changes)
    return site.with_(catalog=replace(site.catalog, entries=entries))


def at(p: Plant, utilisation: float = 1.0, wet_c: float = 15.0, lost: tuple[str, ...] = ()) -> SteadyState:
    return solve_steady(p, from_utilisation(p, utilisation), Ambient(np.array([wet_c])), Outages.of(p, [lost]))


@pytest.mark.agreement
def test_ocp_cold_plate_points(agreement: Agreements) -> None:
    law = fit_plate(OCP_LPM / 60e3 * 1012.0, OCP_K_W)
    assert law.points == 7
    agreement("heat", "cold plate law fitted to 7 points", "OCP OAI liquid cooling guidelines, figure 7", law.residual_frac, 0.015)


@pytest.mark.agreement
def test_vera_rubin_flow_table(agreement: Agreements) -> None:
    """Along the vendor's table of flow by supply temperature our accelerator stays at one temperature."""
    sku, chip = catalog().entries["sku"]["vera-rubin-nvl72"], catalog().entries["chip"]["vera-rubin"]
    assert isinstance(sku, Sku) and isinstance(chip, Chip)
    q = RUBIN_LPM * 1.010 / 60.0 * paths_of(sku)[0].plate_frac
    temps = RUBIN_C + chip.max_w * np.array([plate_of(chip).at_k_w(x) for x in q])
    apart = float(np.ptp(temps))
    agreement("heat", "accelerator along the flow table, 25 to 45 degC", "NVIDIA VR NVL72 thermal model v07", apart, 1.0, "K")
    ocp = fit_plate(OCP_LPM / 60e3 * 1012.0, OCP_K_W)
    assert plate_of(chip).exponent == pytest.approx(ocp.exponent, rel=0.06), "two vendors' tables fall with flow alike"


@pytest.mark.agreement
def test_gb200_splits_as_its_maker_says(agreement: Agreements) -> None:
    p = plant(small_site(racks=1, sku="gb200-nvl72"))
    state = at(p)
    scale = 132e3 / state.loads.rack_w[0, 0]
    liquid = state.loads.liquid_w[0, 0] * scale
    agreement("heat", "liquid heat of a GB200 NVL72 at 132 kW", "HPE QuickSpecs a50009224enw: 115 kW", abs(liquid / 115e3 - 1.0), 0.01)
    agreement("heat", "air heat of a GB200 NVL72 at 132 kW", "HPE QuickSpecs a50009224enw: 17 kW", abs((132e3 - liquid) / 17e3 - 1.0), 0.05)


@pytest.mark.parametrize(
    "bad", [([0.1, 0.2, 0.3], [1.0, 1.0, 1.0]), ([0.1, 0.2, 0.3, 0.4], [1.0, 1.0, 1.0]), ([0.0, 1, 2, 3], [1, 1, 1, 1])]
)
def test_a_table_that_cannot_be_fitted_is_refused(bad: tuple[list[float], list[float]]) -> None:
    with pytest.raises(SiteError, match="pairs above 0"):
        fit_plate(*bad)


def test_a_flat_table_has_no_flow_part() -> None:
    law = fit_plate([0.01, 0.02, 0.03, 0.04], [0.02, 0.02, 0.02, 0.02])
    assert law.at_k_w(0.015) == pytest.approx(0.02, rel=1e-6)


@pytest.mark.parametrize("sku", ["gb200-nvl72", "gb300-nvl72", "vera-rubin-nvl72", "cray-ex"])
def test_paths_share_out_the_whole_flow_of_parts_with_plates(sku: str) -> None:
    entry = catalog().entries["sku"][sku]
    assert isinstance(entry, Sku)
    paths = paths_of(entry)
    seen: dict[tuple[int, ...], float] = {}
    for part, path in zip(entry.parts, paths, strict=True):
        key = (-1,) if part.plate_order else (id(part),)
        seen[key] = path.path_frac * path.paths if path.plate_frac else seen.get(key, 0.0)
    assert sum(seen.values()) == pytest.approx(1.0)


def test_plates_that_cannot_be_shared_out_evenly_are_refused() -> None:
    entry = catalog().entries["sku"]["gb200-nvl72"]
    assert isinstance(entry, Sku)
    gpu, *rest = entry.parts
    with pytest.raises(SiteError, match="72 plates of 'accelerators', 5 in series"):
        paths_of(replace(entry, parts=(replace(gpu, plates_in_series=5), *rest)))


def series(order: tuple[int, int], in_series: int) -> Site:
    """GB200 racks whose processors and accelerators share paths in a given order."""
    base = small_site(racks=2, sku="gb200-nvl72")
    entry = base.catalog.entries["sku"]["gb200-nvl72"]
    assert isinstance(entry, Sku)
    gpu, cpu, *rest = entry.parts
    parts = (replace(gpu, plate_order=order[0], plates_in_series=in_series), replace(cpu, plate_order=order[1]), *rest)
    return changed(base, "sku", "gb200-nvl72", parts=parts)


def test_the_last_plate_of_a_series_by_hand() -> None:
    """One processor, then two accelerators after each other, on each of 36 paths."""
    p = plant(series((2, 1), 2))
    state = at(p)
    m, cp = state.flow.rack_kg_s[0, 0], p.loops.cp_j_kg_k[0]
    gpu, cpu = 1200.0, 300.0
    liquid = sum(part.count * part.max_w * part.liquid_frac for part in p.racks.skus[0].parts)
    path = m * (72 * gpu * 0.99 + 36 * cpu * 0.98) / liquid / 36
    law = plate_of(p.racks.chips[0])
    inlet = state.heat.loop_supply_c[0, 0] + (cpu * 0.98 + gpu * 0.99) / (path * cp)
    assert state.heat.plate_inlet_c[0, 0] == pytest.approx(inlet, rel=1e-12)
    assert state.heat.chip_c[0, 0] == pytest.approx(inlet + gpu * law.at_k_w(path), rel=1e-12)


def test_who_comes_first_matters_and_measured_power_gives_the_same() -> None:
    first, last, apart = (at(plant(series(order, 1))).heat for order in ((1, 2), (2, 1), (0, 0)))
    assert first.plate_inlet_c[0, 0] == first.loop_supply_c[0, 0]
    assert last.chip_c[0, 0] > first.chip_c[0, 0] + 0.5
    assert first.chip_c[0, 0] < apart.chip_c[0, 0], "on a shared path the processor's coolant passes the accelerators too"
    p = plant(series((2, 1), 1))
    asked = from_utilisation(p, 0.6)
    back = from_power(p, asked.rack_w)
    assert asked.ahead_w is not None and back.ahead_w is not None
    assert back.ahead_w == pytest.approx(asked.ahead_w, rel=1e-9)


def test_memory_sits_above_the_junction_and_has_its_own_limit() -> None:
    p = plant(small_site(racks=2, sku="mtia-450"))
    state = at(p)
    heat = state.heat
    assert heat.memory_c[0, 0] - heat.chip_c[0, 0] == pytest.approx(8.0, rel=1e-2)
    table = limits(p)
    k = [pair for pair in zip(table.element, table.limit, strict=True)].index(("r1", "memory temperature"))
    assert table.bound[k] == 95.0
    assert table.values(state)[0, k] == heat.memory_c[0, 0]


def test_return_limit_and_classes_are_limits() -> None:
    base = small_site(racks=1, sku="vera-rubin-nvl72")
    loops = {
        **base.loops,
        "tcs-1": replace(base.loops["tcs-1"], liquid_class="S30"),
        "fws-1": replace(base.loops["fws-1"], liquid_class="W32"),
    }
    halls = {"hall-1": replace(base.halls["hall-1"], air_class="A1")}
    settings_ = replace(base.settings, altitude_m=1500.0)
    p = plant(base.with_(loops=loops, halls=halls, settings=settings_))
    table = limits(p)
    rows = dict(zip(zip(table.element, table.limit, strict=True), table.bound.tolist(), strict=True))
    assert rows[("r1", "coolant return")] == 65.0
    assert rows[("tcs-1", "liquid class")] == 30.0 and rows[("fws-1", "liquid class")] == 32.0
    assert rows[("hall-1", "air class")] == 30.0
    margin = dict(zip(zip(table.element, table.limit, strict=True), table.margins(table.values(at(p)))[0].tolist(), strict=True))
    assert margin[("tcs-1", "liquid class")] == pytest.approx(-2.0), "a set-point of 32 degC is above S30"
    assert margin[("fws-1", "liquid class")] == pytest.approx(1.0)


def leaking(k: float, ref_c: float = 65.0, racks: int = 3) -> Plant:
    return plant(changed(small_site(racks=racks), "chip", "gb300", leakage_frac_k=k, leakage_ref_c=ref_c))


def test_leakage_closed_form_and_power_chain() -> None:
    """``P = P_ref (1 + k (T - T_ref))`` at the temperature that it makes, seen by coolant, shelves and feeds."""
    cold, p = plant(small_site(racks=3)), leaking(0.004)
    before, after = at(cold), at(p)
    chip, temp = after.loads.chip_w[0], after.heat.chip_c[0]
    assert chip == pytest.approx(before.loads.chip_w[0] * (1.0 + 0.004 * (temp - 65.0)), rel=1e-9)
    assert after.heat.leakage_w[0] == pytest.approx(after.loads.rack_w[0] - before.loads.rack_w[0], rel=1e-9)
    assert np.sign(after.heat.leakage_w[0, 0]) == np.sign(temp[0] - 65.0)
    assert after.ledger.residual_frac[0] < 1e-9
    assert after.power.source_w[0] - before.power.source_w[0] == pytest.approx(after.heat.leakage_w.sum(), rel=0.2)
    assert not after.heat.runaway.any() and not after.loads.at_reference


def test_more_power_of_a_chip_goes_through_every_stage() -> None:
    for sku in ("gb300-nvl72", "cray-ex"):
        p = plant(small_site(racks=1, sku=sku))
        half, full = from_utilisation(p, {"gpu": 0.5, "cpu": 0.3}), from_utilisation(p, {"gpu": 0.8, "cpu": 0.3})
        moved = with_chip_power(p, half, full.chip_w)
        assert moved.rack_w == pytest.approx(full.rack_w, rel=1e-9)
        assert moved.it_w == pytest.approx(full.it_w, rel=1e-12)
        assert moved.liquid_w == pytest.approx(full.liquid_w, rel=1e-9)


def test_measured_power_holds_its_leakage_already() -> None:
    p = leaking(0.004)
    load = from_power(p, np.full((1, 3), 90e3))
    state = solve_steady(p, load, Ambient(np.array([15.0])))
    assert (state.loads.rack_w == 90e3).all() and (state.heat.leakage_w == 0.0).all()


def test_thermal_runaway_is_reported_and_nothing_is_not_a_number() -> None:
    p = leaking(0.05, ref_c=30.0)
    state = at(p)
    assert state.heat.runaway.all()
    assert np.isinf(state.heat.chip_c).all() and np.isinf(state.heat.memory_c).all()
    assert np.isfinite(state.loads.rack_w).all()
    table = limits(p)
    margin = table.margins(table.values(state))[0]
    chips = [k for k, name in enumerate(table.limit) if name == "chip temperature"]
    assert (margin[chips] == LOST_MARGIN).all() and not np.isnan(margin).any()
    assert state.ledger.residual_frac[0] < 1e-9
    idle = at(p, 0.0)
    assert not idle.heat.runaway.any() and np.isfinite(idle.heat.chip_c).all()


def test_chips_without_coolant_leak_no_more_than_at_their_limit() -> None:
    p = leaking(0.004)
    state = at(p, lost=("cdu-1", "cdu-2"))
    assert state.loads.chip_w[0] == pytest.approx(1400.0 * (1.0 + 0.004 * (87.0 - 65.0)))
    assert state.ledger.residual_frac[0] < 1e-9


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 0.02), st.floats(0.05, 0.9), st.floats(1.01, 1.1), st.floats(0.0, 26.0))
def test_margins_fall_with_load_and_leakage_and_energy_closes(k: float, low: float, factor: float, wet_c: float) -> None:
    p = leaking(k, racks=4)
    states = [at(p, u, wet_c) for u in (low, low * factor)]
    table = limits(p)
    less, more = (table.margins(table.values(s))[0] for s in states)
    assert (more <= less + 1e-7).all(), [(table.element[i], table.limit[i]) for i in np.flatnonzero(more > less + 1e-7)]
    assert max(float(s.ledger.residual_frac[0]) for s in states) < 1e-9
