"""The built-in catalog holds together, and a wrong entry is told where it is wrong."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from topology import coolants
from topology.catalog import PLURALS, load_catalog
from topology.columns import Column, columns_of
from topology.errors import CatalogError, Finding
from topology.models import CONFIDENCE, MODEL_FILES, Catalog, CduModel, Chip, Coolant, Model, PowerModel, PumpModel, Sku
from topology.plates import fit_plate, plate_of

EXPECTED = {
    "chip": "mtia-2i mtia-300 mtia-400 mtia-450 mtia-500 h100 h200 gb200 gb300 vera-rubin mi300x mi355x mi455x tpu-ironwood "
    "trainium2 inferentia2 maia-200 mi250x",
    "sku": "mtia-300 mtia-400 mtia-450 mtia-500 hgx-h100 hgx-h200 gb200-nvl72 gb300-nvl72 vera-rubin-nvl72 mi300x mi355x helios "
    "tpu-ironwood trainium2 inferentia2 maia-200 mtia-2i cray-ex",
    "coolant": "water pg25",
    "cdu_model": "deschutes-2mw xdu1350 row-cdu-1000 aalc-l2a-120 cray-ex-cdu",
    "pump_model": "cdu-pump fws-pump",
    "air_unit_model": "fan-wall-400",
    "tower_model": "tower-2500 tower-10000",
    "chiller_model": "carrier-19xr-742 carrier-19xr-1635 mcquay-wsc-471 york-ys-1758",
    "dry_cooler_model": "dry-1000 adiabatic-1000",
    "power_model": "transformer-2500 transformer-10000 ups-1000 ups-1250 switchboard-4000a sts-1600a busway-800a busway-1250a pdu-450 "
    "generator-2500 utility-5000 utility-40mw ideal-10mw ideal-40mw",
}
BUILT_IN = load_catalog()
SKUS = [m for m in BUILT_IN.entries["sku"].values() if isinstance(m, Sku)]
CHIPS = {n: m for n, m in BUILT_IN.entries["chip"].items() if isinstance(m, Chip)}
CDUS = [m for m in BUILT_IN.entries["cdu_model"].values() if isinstance(m, CduModel)]
PROVENANCE = 'source = "test bench"\ndate = 2026-11-01\nconfidence = "measured"\n'


def everything(catalog: Catalog) -> list[Model]:
    return [m for models in catalog.entries.values() for m in models.values()]


def name_of(model: Model) -> str:
    return model.name


# what is in it


@pytest.mark.parametrize("kind", MODEL_FILES)
def test_every_expected_entry_is_there(kind: str) -> None:
    assert set(EXPECTED[kind].split()) <= set(BUILT_IN.names(kind))


@pytest.mark.parametrize("model", everything(BUILT_IN), ids=name_of)
def test_every_figure_has_a_source_and_every_estimate_says_how(model: Model) -> None:
    for figure in (f.name for f in dataclasses.fields(model)):
        provenance = model.source_of(figure)
        assert provenance.source and re.fullmatch(r"\d{4}(-\d\d){0,2}", provenance.date)
        assert provenance.confidence in CONFIDENCE
        assert provenance.confidence != "estimate" or len(provenance.note) > 10, figure


def test_a_default_is_not_told_as_the_vendors_figure() -> None:
    gb300 = BUILT_IN.entries["sku"]["gb300-nvl72"]
    assert gb300.source_of("nameplate_w").confidence == "vendor"
    default = gb300.source_of("power_factor")
    assert (default.confidence, "0.98" in default.note) == ("estimate", True)


def test_nothing_can_be_changed() -> None:
    with pytest.raises(TypeError):
        BUILT_IN.entries["chip"]["h100"] = CHIPS["h200"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        CHIPS["h100"].max_w = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        CHIPS["h100"].figures["max_w"] = CHIPS["h100"].provenance  # type: ignore[index]


# racks


def rack_power(sku: Sku, utilisation: float) -> tuple[float, float]:
    """Power at the rack's input and the part of it that goes to liquid [W], independent of the solver."""
    power, beside, liquid = 0.0, 0.0, 0.0
    for part in sku.parts:
        share = 1.0 if part.group == "fixed" else utilisation**part.exponent
        load = part.count * (part.idle_w + (part.max_w - part.idle_w) * share)
        liquid += part.liquid_frac * load
        if part.converted:
            power += load
        else:
            beside += load
    for stage in sku.stages:
        each = power / stage.units
        loss = stage.units * (stage.fixed_w + stage.loss_frac * each + stage.loss_quad_per_w * each**2)
        liquid += stage.liquid_frac * loss
        power += loss
    return power + beside, liquid


@pytest.mark.parametrize("sku", SKUS, ids=name_of)
def test_parts_and_losses_add_up_to_the_nameplate(sku: Sku) -> None:
    full, liquid = rack_power(sku, 1.0)
    idle, _ = rack_power(sku, 0.0)
    assert full == pytest.approx(sku.nameplate_w, rel=0.03)
    assert 0.05 < idle / full < 0.45
    assert (liquid > 0) == (sku.cooling == "liquid")


@pytest.mark.parametrize("sku", SKUS, ids=name_of)
def test_a_rack_holds_its_chip_at_the_chips_own_power(sku: Sku) -> None:
    chip = CHIPS[sku.chip]
    assert sku.accelerators > 0
    assert {(p.max_w, p.idle_w, p.exponent) for p in sku.parts if p.chip == sku.chip} == {(chip.max_w, chip.idle_w, chip.exponent)}


def test_published_splits_between_liquid_and_air_hold() -> None:
    shares = {s.name: rack_power(s, 1.0)[1] / rack_power(s, 1.0)[0] for s in SKUS}
    assert shares["gb200-nvl72"] == pytest.approx(115 / 132, abs=0.005)
    assert shares["cray-ex"] == pytest.approx(0.945, abs=1e-9)


def test_frontier_rack_follows_its_published_constants() -> None:
    sku = next(s for s in SKUS if s.name == "cray-ex")
    node = sum(p.count * p.idle_w for p in sku.parts if p.converted) / 128
    assert node == pytest.approx(626.26)
    idle, _ = rack_power(sku, 0.0)
    peak, _ = rack_power(sku, 1.0)
    assert (idle - 32 * 250) / 128 == pytest.approx((4 * (626.26 + 13) / 0.98 + 17) / 0.96 / 4, rel=1e-9)
    assert (idle - 32 * 250) / 128 == pytest.approx(683.9, abs=0.05)
    pumps = 25 * 8473.47
    assert 74 * idle + pumps == pytest.approx(7.282e6, rel=1e-3)
    assert 74 * peak + pumps == pytest.approx(28.203e6, rel=1e-3)


# chips


def chip_flow(sku: Sku) -> float:
    """Coolant flow of one accelerator [kg/s]: the rack's flow shared in proportion to liquid heat."""
    _, liquid = rack_power(sku, 1.0)
    part = next(p for p in sku.parts if p.chip == sku.chip)
    return sku.flow_kg_s * part.max_w * part.liquid_frac / liquid


@pytest.mark.parametrize("sku", [s for s in SKUS if s.cooling == "liquid"], ids=name_of)
def test_liquid_cooled_chips_stay_below_their_limit_at_rating(sku: Sku) -> None:
    """With coolant of 32 degC; the flow table of Vera Rubin asks for more than its rated flow above 35 degC."""
    chip = CHIPS[sku.chip]
    temp_c = 32.0 + chip.max_w * plate_of(chip).at_k_w(chip_flow(sku))
    assert 45.0 < temp_c < chip.temp_limit_c


@pytest.mark.parametrize("sku", [s for s in SKUS if s.cooling == "liquid"], ids=name_of)
def test_liquid_racks_ask_for_a_plausible_flow(sku: Sku) -> None:
    coolant = BUILT_IN.entries["coolant"]["water" if sku.name == "cray-ex" else "pg25"]
    assert isinstance(coolant, Coolant)
    _, liquid = rack_power(sku, 1.0)
    lpm_per_kw = sku.flow_kg_s / coolants.rho_kg_m3(coolant, 40.0) * 60e3 / (liquid / 1e3)
    assert 0.9 < lpm_per_kw < 1.7


@pytest.mark.parametrize("sku", [s for s in SKUS if s.cooling == "air"], ids=name_of)
def test_air_cooled_chips_stay_below_their_limit(sku: Sku) -> None:
    chip = CHIPS[sku.chip]
    assert chip.r_air_k_w is not None
    assert 40.0 < sku.inlet_limit_c + chip.max_w * chip.r_air_k_w < chip.temp_limit_c


@pytest.mark.parametrize("chip", [c for c in CHIPS.values() if c.r_air_k_w is None and not c.plate_r_k_w], ids=name_of)
def test_cold_plates_come_from_the_ocp_table(chip: Chip) -> None:
    """OCP OAI System Liquid Cooling Guidelines (2023), figure 7: R [K/W] of a 1 kW OAM with PG25 at L/min."""
    flow_lpm = np.array([0.4, 0.6, 0.8, 1.0, 1.4, 1.8, 2.2])
    table = np.array([0.0389, 0.0300, 0.0265, 0.0245, 0.0220, 0.0209, 0.0200])
    fit = chip.r_base_k_w + chip.r_flow * (flow_lpm / 60e3 * 1012.0) ** -chip.r_exponent
    plate = fit / np.sqrt(1000.0 / chip.max_w) - 0.005  # scale with power and case to junction, as the entry's note says
    np.testing.assert_allclose(plate, table, rtol=0.02)
    law = fit_plate(flow_lpm / 60e3 * 1012.0, table)
    assert (law.r_base_k_w, law.factor, law.exponent) == pytest.approx((0.017624, 3.9768e-5, 1.2553), rel=1e-4)
    assert law.residual_frac == pytest.approx(0.0106, abs=1e-4)


# gear


@pytest.mark.parametrize("cdu", CDUS, ids=name_of)
def test_a_cdu_rating_is_physically_possible_and_its_pumps_reach_it(cdu: CduModel) -> None:
    hot = cdu.tcs_flow_kg_s * (4180.0 if cdu.name in ("deschutes-2mw", "cray-ex-cdu") else 3970.0)
    cold = cdu.cold_flow_kg_s * (1006.0 if cdu.sink == "air" else 4180.0)
    inlet_difference = cdu.duty_w / hot + cdu.approach_k
    assert 0.3 < cdu.duty_w / (min(hot, cold) * inlet_difference) < 0.95
    if cdu.pump:
        pump = BUILT_IN.entries["pump_model"][cdu.pump]
        assert isinstance(pump, PumpModel)
        running = max(cdu.pumps - 1, 1)
        head = pump.shutoff_pa - pump.k_pa_s2_kg2 * (cdu.tcs_flow_kg_s / running) ** 2
        assert head - cdu.tcs_dp_pa > 100e3
        assert pump.rating_w is not None
        assert head * cdu.tcs_flow_kg_s / running / 1000.0 / pump.efficiency_frac <= pump.rating_w


def test_ups_loss_is_the_published_curve() -> None:
    ups = BUILT_IN.entries["power_model"]["ups-1000"]
    assert isinstance(ups, PowerModel)
    for load, efficiency in ((0.25, 0.943), (0.5, 0.964), (0.75, 0.969), (1.0, 0.971)):
        power = load * 1e6
        loss = ups.loss_fixed_w + ups.loss_frac * power + ups.loss_quad_per_w * power**2
        assert power / (power + loss) == pytest.approx(efficiency, abs=6e-4)


# overlays


def write(folder: Path, file: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / file).write_text(text, encoding="utf-8")
    return folder


def test_an_overlay_replaces_an_entry_and_adds_one(tmp_path: Path) -> None:
    mine = "[{}]\nkind = 'ups'\nrating_kva = 500\nloss_pct = 4\n" + PROVENANCE
    folder = write(tmp_path, "power_models.toml", mine.format("ups-1000") + mine.format("ups-own"))
    power = load_catalog(folder).entries["power_model"]
    for name in ("ups-1000", "ups-own"):
        model = power[name]
        assert isinstance(model, PowerModel)
        assert (model.rating_va, model.loss_frac, model.loss_fixed_w) == (500e3, 0.04, 0.0)
    assert power["ups-1250"] == BUILT_IN.entries["power_model"]["ups-1250"]


def test_an_overlay_may_change_some_keys_only(tmp_path: Path) -> None:
    folder = write(tmp_path, "skus.toml", '[gb300-nvl72]\nbase = "gb300-nvl72"\nnameplate_kw = 135.5\nweight_lb = 3100\n' + PROVENANCE)
    old, new = BUILT_IN.entries["sku"]["gb300-nvl72"], load_catalog(folder).entries["sku"]["gb300-nvl72"]
    assert isinstance(old, Sku) and isinstance(new, Sku)
    assert new.nameplate_w == 135.5e3
    assert new.weight_kg == pytest.approx(1406.14, abs=0.01)
    assert (new.parts, new.stages, new.flow_kg_s, new.provenance) == (old.parts, old.stages, old.flow_kg_s, old.provenance)
    assert new.source_of("nameplate_w").source == new.source_of("weight_kg").source == "test bench"
    assert new.source_of("flow_kg_s") == old.source_of("flow_kg_s")


def test_a_base_may_be_another_entry_of_the_overlay(tmp_path: Path) -> None:
    text = f'[a]\nbase = "h100"\nmax_w = 600\n{PROVENANCE}[b]\nbase = "a"\nidle_w = 80\n{PROVENANCE}'
    b = load_catalog(write(tmp_path, "chips.toml", text)).entries["chip"]["b"]
    assert isinstance(b, Chip)
    assert (b.name, b.max_w, b.idle_w, b.vendor) == ("b", 600.0, 80.0, "NVIDIA")


def test_a_chip_measured_on_site_changes_its_racks(tmp_path: Path) -> None:
    folder = write(tmp_path, "chips.toml", f'[mtia-450]\nbase = "mtia-450"\nmax_w = 1310\nidle_w = 201\nexponent = 0.9\n{PROVENANCE}')
    sku = load_catalog(folder).entries["sku"]["mtia-450"]
    assert isinstance(sku, Sku)
    assert [(p.max_w, p.idle_w, p.exponent) for p in sku.parts if p.chip] == [(1310.0, 201.0, 0.9)]


def test_a_part_may_run_its_chip_at_another_power(tmp_path: Path) -> None:
    sku = load_catalog(write(tmp_path, "skus.toml", RACK + "chip = 'h100'\n")).entries["sku"]["r"]
    assert isinstance(sku, Sku)
    assert (sku.parts[0].max_w, sku.parts[0].idle_w) == (1000.0, 100.0)


# faults

CHIP = "\n[x]\nvendor = 'X'\nmax_w = 100\nidle_w = 10\n" + PROVENANCE
PARTS = "[[r.parts]]\nname = 'a'\ngroup = 'gpu'\ncount = 1\nmax_w = 1000\nidle_w = 100\n"
RACK = "[r]\ntitle = 'R'\nchip = 'h100'\ncooling = 'air'\nnameplate_kw = 1\n" + PROVENANCE + PARTS
CURVE = "[carrier-19xr-742]\nbase='carrier-19xr-742'\ncap_f_t = [1.0]\n" + PROVENANCE
FAULTS = {
    "unknown key": ("chips.toml", CHIP + "max_watts = 3\n", 9, "max_watts", "not a key of a Chip"),
    "wrong quantity": ("chips.toml", CHIP + "typical_kg = 3\n", 9, "typical_kg", "is in kg (mass), but typical_w is a power"),
    "given twice": ("chips.toml", CHIP + "max_kw = 3\n", 9, "max_kw", "given twice"),
    "bad confidence": ("chips.toml", CHIP.replace("measured", "meassured"), 8, "confidence", "must be one of vendor"),
    "bad date": ("chips.toml", CHIP.replace("2026-11-01", "'Nov 1'"), 7, "date", "YYYY-MM-DD"),
    "no source": ("chips.toml", CHIP.replace('source = "test bench"\n', ""), 2, "source", "missing"),
    "estimate without a note": ("chips.toml", CHIP.replace("measured", "estimate"), 2, "note", "how it was made"),
    "missing": ("chips.toml", CHIP.replace("max_w = 100\n", ""), 2, "max_w", "missing"),
    "not a number": ("chips.toml", CHIP.replace("100", "'100'"), 4, "max_w", "finite number"),
    "infinite": ("chips.toml", CHIP.replace("100", "inf"), 4, "max_w", "finite number"),
    "zero": ("chips.toml", CHIP.replace("100", "0"), 4, "max_w", "more than 0"),
    "negative": ("chips.toml", CHIP.replace("= 10\n", "= -1\n"), 5, "idle_w", "at least 0"),
    "too large": ("skus.toml", RACK + "liquid_pct = 120\n", 15, "liquid_pct", "must be at most 100 %"),
    "not a choice": ("skus.toml", RACK.replace("'air'", "'aire'"), 4, "cooling", "must be one of air, liquid"),
    "unknown chip": ("skus.toml", RACK.replace("h100", "h10"), 3, "chip", "no chip 'h10'"),
    "unknown chip of a part": ("skus.toml", RACK + "chip = 'gb30'\n", 15, "chip", "no chip 'gb30'"),
    "part without a key": ("skus.toml", RACK.replace("count = 1\n", ""), 9, "count", "missing in parts[1]"),
    "parts not a list": ("skus.toml", RACK.partition("[[")[0] + "parts = 3\n", 9, "parts", "list of tables"),
    "no parts": ("skus.toml", RACK.partition("[[")[0], 1, "parts", "missing"),
    "figure of nothing": ("chips.toml", CHIP + "[x.figures.max_kg]\n" + PROVENANCE, 9, "max_kg", "not a figure of a Chip"),
    "figure without a date": ("chips.toml", CHIP + "[x.figures.max_w]\nsource='a'\nconfidence='vendor'\n", 9, "date", "missing"),
    "figure with a value": ("chips.toml", CHIP + "[x.figures.max_w]\nvalue = 3\n" + PROVENANCE, 10, "value", "not part of a provenance"),
    "unknown base": ("chips.toml", "[x]\nbase = 'h10'\n" + PROVENANCE, 2, "base", "no chip 'h10' to start from"),
    "base of itself": ("chips.toml", "[x]\nbase = 'x'\n" + PROVENANCE, 2, "base", "cannot start from itself"),
    "unknown pump": ("cdu_models.toml", "[xdu1350]\nbase='xdu1350'\npump = 'cdupump'\n" + PROVENANCE, 3, "pump", "no pump_model 'cdupump'"),
    "short curve": ("chiller_models.toml", CURVE, 3, "cap_f_t", "6 numbers"),
    "not TOML": ("chips.toml", "[x]\nmax_w = \n", 2, "", "not valid TOML"),
    "outside any entry": ("chips.toml", "max_w = 3\n" + CHIP, 1, "max_w", "outside any entry"),
    "not closed": ("chips.toml", "[x]\nvendor = 'X\n", 2, "", "not valid TOML"),
    "list of entries": ("chips.toml", CHIP.replace("[x]", "[[x]]"), 2, "x", "outside any entry"),
    "unknown file": ("chip.toml", CHIP, 0, "", "no kind of the catalog has this file name"),
}  # fmt: skip


def faults(folder: Path) -> tuple[Finding, ...]:
    with pytest.raises(CatalogError) as caught:
        load_catalog(folder)
    return caught.value.findings


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_told_with_its_place(case: str, tmp_path: Path) -> None:
    file, text, row, column, message = FAULTS[case]
    found = faults(write(tmp_path / "catalog", file, text))
    assert [(f.file, f.row, f.column) for f in found] == [(f"catalog/{file}", row, column)], found
    assert message in found[0].message


def test_a_hint_offers_the_nearest_name(tmp_path: Path) -> None:
    text = RACK.replace("h100", "gb30")
    assert "did you mean gb300" in faults(write(tmp_path, "skus.toml", text))[0].hint


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    write(tmp_path, "chips.toml", CHIP.replace("100", "0").replace("measured", "guess") + "max_watts = 3\n")
    found = faults(write(tmp_path, "skus.toml", RACK.replace("'h100'", "'h10'")))
    assert {(f.file.rpartition("/")[2], f.column) for f in found} == {
        ("chips.toml", "max_w"), ("chips.toml", "confidence"), ("chips.toml", "max_watts"), ("skus.toml", "chip"),
    }  # fmt: skip


def test_bases_in_a_circle_are_told(tmp_path: Path) -> None:
    text = f'[a]\nbase = "b"\n{PROVENANCE}[b]\nbase = "a"\n{PROVENANCE}'
    assert any("circle: a -> b -> a" in f.message for f in faults(write(tmp_path, "chips.toml", text)))


def test_a_missing_overlay_folder_is_told(tmp_path: Path) -> None:
    assert faults(tmp_path / "nowhere")[0].message == "no such folder"


def columns(model: Model) -> tuple[Column, ...]:
    kind: type = type(model)
    return columns_of(kind)


def test_every_column_of_every_kind_can_be_written_in_an_overlay(tmp_path: Path) -> None:
    """A column added to a dataclass needs no code in the loader."""
    for stem, kind in PLURALS.items():
        name, model = next(iter(BUILT_IN.entries[kind].items()))
        lines = [f'[{name}]\nbase = "{name}"\n{PROVENANCE}']
        for column in columns(model):
            value = getattr(model, column.name)
            if value is not None:
                lines.append(f"{column.name} = " + (f'"{value}"' if column.type == "text" else str(value).lower()))
        write(tmp_path, f"{stem}.toml", "\n".join(lines))
    again = load_catalog(tmp_path)
    for kind in MODEL_FILES:
        name, model = next(iter(BUILT_IN.entries[kind].items()))
        for column in columns(model):
            assert getattr(again.entries[kind][name], column.name) == getattr(model, column.name)
