"""Racks without a meter: filled from what stands before them, with an uncertainty, and never a watt more than the parent reads."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from telemetry.frames import frames, rack_power
from telemetry.infer import ERROR_FRAC, SPREAD_UNKNOWN
from telemetry.ingest import ingest
from telemetry.rackpower import RackPower
from telemetry.replay import replay
from telemetry.store import Store
from tests.telemetry.small import NOW, START, small_site, times, write
from topology.kinds import Meter, PowerElement, PowerLink
from topology.site import Site

END = START + dt.timedelta(minutes=4)
ROOT3 = np.sqrt(3.0)
Row = tuple[str, str, str, float]
"""Element, level, Redfish's word for how it came about, value."""


def stored(site: Site, folder: Path, rows: list[Row], quantity: str = "power_w", steps: int = 4) -> Store:
    """A store with each row once a minute."""
    many = [r for r in rows for _ in range(steps)]
    columns = {"time": times(steps).take(list(range(steps)) * len(rows)), "element": [r[0] for r in many], "level": [r[1] for r in many],
               "part": [""] * len(many), "quantity": [quantity] * len(many), "value": [r[3] for r in many],
               "implementation": [r[2] for r in many]}  # fmt: skip
    report = ingest(site, write(folder / f"{quantity}.parquet", columns), folder / "s", clock=lambda: NOW)
    assert report.rows_quarantined == 0 and report.rows_stored == len(many)
    return Store.open(folder / "s")


def power_of(site: Site, store: Store) -> RackPower:
    return rack_power(site, store, START, END, 60.0)


def without_cdu(site: Site) -> Site:
    return dataclasses.replace(site, cdus={})


def test_measured_reported_and_inferred_are_told_apart(tmp_path: Path) -> None:
    site = small_site(4, (Meter(id="m", covers=("row",)),))
    store = stored(
        site, tmp_path, [("r1", "rack", "PhysicalSensor", 4e3), ("r2", "rack", "Reported", 8e3), ("m", "rack", "PhysicalSensor", 21e3)]
    )
    power = power_of(site, store)
    assert power.origin == ("measured", "reported", "inferred", "inferred")
    assert power.basis == ("rack", "rack", "meter:m", "meter:m")
    np.testing.assert_allclose(power.power_w[0], [4e3, 8e3, 3e3, 6e3])
    np.testing.assert_allclose(power.sigma_w[0, :2], [4e3 * 0.01 / ROOT3, 8e3 * 0.05 / ROOT3])
    assert frames(store, ("r1", "r2", "r3"), "power_w", START, END, 60.0).origin == ("measured", "reported", "")


def test_a_series_is_as_good_as_its_weakest_reading(tmp_path: Path) -> None:
    site = small_site(2)
    stored(site, tmp_path, [("r1", "rack", "PhysicalSensor", 1e3), ("r2", "rack", "Synthesized", 1e3)], steps=3)
    more = tmp_path / "more"
    more.mkdir()
    columns = {"time": times(4).slice(3).take([0, 0]), "element": ["r1", "r2"], "level": ["rack"] * 2, "part": [""] * 2,
               "quantity": ["power_w"] * 2, "value": [1e3] * 2, "implementation": ["Synthesized", "Reported"]}  # fmt: skip
    ingest(site, write(more / "x.parquet", columns), tmp_path / "s", clock=lambda: NOW)
    power = power_of(site, Store.open(tmp_path / "s"))
    assert power.origin == ("inferred", "inferred") and power.basis == ("rack", "rack")
    np.testing.assert_allclose(power.sigma_w, 1e3 * ERROR_FRAC["inferred"] / ROOT3)


def test_what_is_left_of_a_parent_has_the_errors_of_all_that_was_read(tmp_path: Path) -> None:
    """One rack without a meter: no split, so only the parent's and the siblings' errors."""
    site = small_site(3, (Meter(id="m", covers=("row",)),))
    store = stored(
        site, tmp_path, [("r1", "rack", "PhysicalSensor", 4e3), ("r2", "rack", "Reported", 8e3), ("m", "rack", "PhysicalSensor", 21e3)]
    )
    power = power_of(site, store)
    assert power.power_w[0, 2] == pytest.approx(9e3)
    expected = np.sqrt((21e3 * 0.01) ** 2 + (4e3 * 0.01) ** 2 + (8e3 * 0.05) ** 2) / ROOT3
    np.testing.assert_allclose(power.sigma_w[:, 2], expected)


def test_the_split_is_as_uncertain_as_racks_differ(tmp_path: Path) -> None:
    """Against a draw of 200,000 rooms: unknown racks of 10 kW and 20 kW, load factors spread as those of the measured ones."""
    site = small_site(6, (Meter(id="m", covers=("r5", "r6")),))
    factor = [0.4, 0.5, 0.6, 0.7]
    known: list[Row] = [(f"r{i + 1}", "rack", "PhysicalSensor", f * (20e3 if i % 2 else 10e3)) for i, f in enumerate(factor)]
    power = power_of(site, stored(site, tmp_path, [*known, ("m", "rack", "PhysicalSensor", 15e3)]))
    rng = np.random.default_rng(1)
    spread = np.std(factor, ddof=1)
    drawn = np.array([10e3, 20e3]) * (0.5 + rng.normal(0.0, spread, (200_000, 2)))
    off = drawn - drawn.sum(axis=1, keepdims=True) * np.array([1, 2]) / 3
    parent = 15e3 * 0.01 / ROOT3 * np.array([1, 2]) / 3
    np.testing.assert_allclose(power.sigma_w[0, 4:], np.sqrt(off.std(axis=0) ** 2 + parent**2), rtol=0.01)
    few = tmp_path / "few"
    few.mkdir()
    blind = power_of(site, stored(site, few, [("m", "rack", "PhysicalSensor", 15e3)]))
    plain = SPREAD_UNKNOWN * np.sqrt(10e3**2 * (2 / 3) ** 2 + (1 / 3) ** 2 * 20e3**2)
    assert blind.sigma_w[0, 4] == pytest.approx(np.hypot(plain, parent[0]))


def test_racks_are_filled_from_their_feeds_less_their_siblings(tmp_path: Path) -> None:
    site = without_cdu(small_site(4))
    rows: list[Row] = [("pdu-a", "pdu", "PhysicalSensor", 12e3), ("pdu-b", "pdu", "PhysicalSensor", 10e3)]
    rows += [("r1", "rack", "PhysicalSensor", 2e3), ("r2", "node", "Reported", 5e3)]
    power = power_of(site, stored(site, tmp_path, rows))
    assert power.basis == ("rack", "node", "feed:pdu-a+pdu-b", "feed:pdu-a+pdu-b") and power.unmetered == ()
    np.testing.assert_allclose(power.power_w[0], [2e3, 5e3, 5e3, 10e3])
    np.testing.assert_allclose(power.power_w.sum(axis=1), 22e3)


def test_what_is_left_of_feeds_has_the_errors_of_feeds_racks_and_gear(tmp_path: Path) -> None:
    site = small_site(2)
    rows: list[Row] = [("pdu-a", "pdu", "PhysicalSensor", 9e3), ("pdu-b", "pdu", "PhysicalSensor", 5e3), ("r1", "rack", "Reported", 6e3)]
    power = power_of(site, stored(site, tmp_path, [*rows, ("cdu-1", "cdu", "Reported", 1e3)]))
    expected = np.sqrt((9e3 * 0.01) ** 2 + (5e3 * 0.01) ** 2 + (6e3 * 0.05) ** 2 + (1e3 * 0.05) ** 2) / ROOT3
    np.testing.assert_allclose(power.sigma_w[:, 1], expected)


def test_a_feed_loses_what_its_model_says_and_output_readings_lose_nothing(tmp_path: Path) -> None:
    lossy = PowerElement(id="pdu-a", kind="pdu", rating_w=1e6, loss_fixed_w=200.0, loss_frac=0.01, loss_quad_per_w=1e-6)
    site = without_cdu(small_site(1))
    site = dataclasses.replace(site, power={**site.power, "pdu-a": lossy})
    into = 3000.0 + 200.0 + 0.01 * 3000.0 + 1e-6 * 3000.0**2
    store = stored(site, tmp_path, [("pdu-a", "pdu", "PhysicalSensor", into)])
    store = stored(site, tmp_path, [("pdu-b", "pdu", "PhysicalSensor", 2500.0)], "output_power_w")
    assert power_of(site, store).power_w[0, 0] == pytest.approx(5500.0, rel=1e-12)


def test_a_load_that_nobody_reads_is_not_taken_for_a_rack(tmp_path: Path) -> None:
    site = small_site(2)  # its CDU hangs on pdu-a
    rows: list[Row] = [
        ("pdu-a", "pdu", "PhysicalSensor", 9e3),
        ("pdu-b", "pdu", "PhysicalSensor", 5e3),
        ("r1", "rack", "PhysicalSensor", 6e3),
    ]
    blind = power_of(site, stored(site, tmp_path, rows))
    assert blind.basis == ("rack", "") and blind.unmetered == ("r2",) and np.isnan(blind.power_w[:, 1]).all()
    assert any("nobody reads cdu-1" in f.message for f in blind.findings)
    told = tmp_path / "told"
    told.mkdir()
    power = power_of(site, stored(site, told, [*rows, ("cdu-1", "cdu", "Reported", 1e3)]))
    assert power.basis == ("rack", "feed:pdu-a+pdu-b") and power.power_w[0, 1] == pytest.approx(7e3)
    half = tmp_path / "half"
    half.mkdir()
    one = power_of(site, stored(site, half, [rows[0], rows[2], ("cdu-1", "cdu", "Reported", 1e3)]))
    assert one.unmetered == ("r2",) and any("nobody reads pdu-b" in f.message for f in one.findings)


def test_an_element_that_feeds_another_needs_the_others_reading(tmp_path: Path) -> None:
    site = without_cdu(small_site(1))
    tap = PowerElement(id="tap", kind="pdu", rating_w=1e5)
    site = dataclasses.replace(site, power={**site.power, "tap": tap}, power_links=(PowerLink(parent="pdu-a", child="tap"),))
    rows: list[Row] = [("pdu-a", "pdu", "PhysicalSensor", 9e3), ("pdu-b", "pdu", "PhysicalSensor", 5e3)]
    assert power_of(site, stored(site, tmp_path, rows)).unmetered == ("r1",)
    told = tmp_path / "told"
    told.mkdir()
    assert power_of(site, stored(site, told, [*rows, ("tap", "pdu", "PhysicalSensor", 8e3)])).power_w[0, 0] == pytest.approx(6e3)


def test_a_parent_below_its_children_is_a_gap_and_said(tmp_path: Path) -> None:
    site = without_cdu(small_site(2))
    rows: list[Row] = [
        ("pdu-a", "pdu", "PhysicalSensor", 1e3),
        ("pdu-b", "pdu", "PhysicalSensor", 1e3),
        ("r1", "rack", "PhysicalSensor", 6e3),
    ]
    power = power_of(site, stored(site, tmp_path, rows))
    assert np.isnan(power.power_w[:, 1]).all() and np.isnan(power.sigma_w[:, 1]).all() and not power.known[:, 1].any()
    assert any("reads less than what hangs behind it in 4 steps" in f.message for f in power.findings)


def test_chunks_of_a_window_tell_the_same_as_the_whole(tmp_path: Path) -> None:
    site = without_cdu(small_site(4))
    rows: list[Row] = [
        ("pdu-a", "pdu", "PhysicalSensor", 12e3),
        ("pdu-b", "pdu", "PhysicalSensor", 10e3),
        ("r1", "rack", "PhysicalSensor", 2e3),
    ]
    store = stored(site, tmp_path, rows)
    whole = power_of(site, store)
    parts = list(replay(site, store, START, END, 60.0, 1))
    np.testing.assert_array_equal(np.concatenate([p.power_w for p in parts]), whole.power_w)
    np.testing.assert_array_equal(np.concatenate([p.sigma_w for p in parts]), whole.sigma_w)
    assert {p.basis for p in parts} == {whole.basis}
