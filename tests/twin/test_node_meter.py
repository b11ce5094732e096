"""A metered node: shares, reactive power, peaks, and a catalog entry that a site can take."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.twin.sites import catalog, small_site
from topology.catalog import load_catalog
from topology.errors import UsageError
from topology.models import Sku
from topology.plant import plant
from twin.forecast.demand import SPREAD, History, measured_demand
from twin.forecast.node_meter import fit_reactive, fit_sharing, fitting_sku, nodes_of, overlay, peak_interval, workload


def sku(name: str) -> Sku:
    found = catalog().entries["sku"][name]
    assert isinstance(found, Sku)
    return found


def test_shares_and_offsets_come_back_from_the_first_part() -> None:
    power = np.linspace(1e3, 6e3, 100)
    supply = np.stack([0.6 * power + 30.0, 0.4 * power - 30.0], axis=1)
    fit = np.arange(100) < 40
    found = fit_sharing(power, supply, fit)
    assert found.share == pytest.approx([0.6, 0.4]) and found.offset_w == pytest.approx([30.0, -30.0])
    assert found.predicted_w == pytest.approx(supply)
    later = np.where(fit[:, None], supply, 0.0)
    assert fit_sharing(power, later, fit).share == pytest.approx([0.6, 0.4])


def test_a_node_that_does_not_move_shows_shares_only() -> None:
    power = np.full(50, 2e3)
    found = fit_sharing(power, np.stack([0.6 * power, 0.4 * power], axis=1), np.ones(50, np.bool_))
    assert found.share == pytest.approx([0.6, 0.4]) and found.offset_w == pytest.approx([0.0, 0.0], abs=1e-9)


def test_reactive_power_comes_back_and_never_turns_negative() -> None:
    power = np.linspace(1e3, 6e3, 100)
    factor = power / np.hypot(power, 250.0 + 0.1 * power)
    found = fit_reactive(power, factor, np.arange(100) < 50)
    assert found.fixed_va == pytest.approx(250.0) and found.frac == pytest.approx(0.1)
    assert found.power_factor == pytest.approx(factor)
    falling = power / np.hypot(power, 900.0 - 0.1 * power)
    assert fit_reactive(power, falling, np.ones(100, np.bool_)).frac == 0.0
    with pytest.raises(UsageError):
        fit_reactive(power, np.full(100, np.nan), np.ones(100, np.bool_))


def test_a_peak_is_a_minute_long_and_idle_is_where_nothing_runs() -> None:
    power = np.r_[np.full(100, 500.0), np.full(300, 3000.0)]
    power[50] = 9000.0
    found = workload("w", np.arange(400.0), power, np.full(400, 0.97))
    assert (found.idle_w, found.highest_w) == (500.0, 9000.0)
    assert found.peak_w == pytest.approx(3000.0)
    assert found.busy_frac == pytest.approx(301 / 400)
    short = workload("s", np.arange(10.0), np.full(10, 700.0), np.full(10, np.nan))
    assert short.peak_w == 700.0 and np.isnan(short.power_factor)


def test_the_interval_of_one_more_peak_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    draws = np.exp(rng.normal(8.0, 0.2, (2000, 7)))
    inside = [low <= d[6] <= high for d in draws for low, high in [peak_interval(d[:6].tolist())]]
    assert 0.87 < np.mean(inside) < 0.93
    with pytest.raises(UsageError):
        peak_interval([5.0])


def test_an_overlay_is_read_back_by_the_catalog(tmp_path: Path) -> None:
    rack = sku("hgx-h200")
    assert nodes_of(rack) == 4
    runs = [workload(f"w{k}", np.arange(100.0), np.full(100, 1000.0 * k), np.full(100, 0.95)) for k in (5, 4)]
    (tmp_path / "skus.toml").write_text(overlay(rack, runs, 'the meter "A"', "2031-03-04"), encoding="utf-8")
    found = load_catalog(tmp_path).entries["sku"]["hgx-h200"]
    assert isinstance(found, Sku)
    assert found.demand_frac == pytest.approx([16e3 / rack.nameplate_w, 20e3 / rack.nameplate_w], abs=1e-4)
    assert found.power_factor == 0.95 and found.parts == rack.parts
    told = found.figures["demand_frac"]
    assert (told.source, told.date, told.confidence) == ('the meter "A"', "2031-03-04", "measured")


def test_a_recording_finds_its_sku_by_its_accelerator() -> None:
    skus = {n: s for n, s in catalog().entries["sku"].items() if isinstance(s, Sku)}
    found = fitting_sku(skus, "h200-inference-meter")
    assert found is not None and found.chip == "h200"
    assert fitting_sku(skus, "h2-inference-meter") is None
    assert fitting_sku({"a": sku("hgx-h200"), "b": sku("hgx-h200")}, "h200-x") is None


def test_racks_without_telemetry_draw_their_peaks_from_what_their_kind_was_measured_at() -> None:
    site = small_site(racks=3)
    name = "gb300-nvl72"
    seen = replace(sku(name), demand_frac=(0.5, 0.3, 0.4))
    own = replace(site.catalog, entries={**site.catalog.entries, "sku": {**site.catalog.entries["sku"], name: seen}})
    time = np.datetime64("2026-05-01", "us") + (np.arange(24) * 3_600_000_000).astype("timedelta64[us]")
    rack_w = np.full((24, 3), np.nan)
    rack_w[:, 0] = 50e3

    def shares(with_distribution: bool) -> np.ndarray:
        p = plant(site.with_(catalog=own) if with_distribution else site)
        found = measured_demand(p, History(time, rack_w, 3600.0), np.ones(3, np.bool_), dt.date(2026, 5, 2), 200, 0)
        return np.asarray(found.rack_w[1:, 1:] / seen.nameplate_w)

    measured = shares(True)
    assert 0.3 <= measured.min() < 0.31 and 0.49 < measured.max() <= 0.5
    assert np.median(measured) == pytest.approx(0.4, abs=0.02)
    assert shares(False).min() >= SPREAD[0] * 0.9
