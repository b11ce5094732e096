"""``racktwin rack --store``: accelerators that report no power get an inferred share of the rack's reading."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.dashboards.rows import START, answer, power_file, row_folder, run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("devices")
    site, store = row_folder(folder / "row"), folder / "store"
    busy = [{"timestamp": START, "node": "rack-01-n1", "accelerator_id": k, "duty_cycle": 10.0 * k} for k in range(9)]
    pd.DataFrame(busy).to_parquet(folder / "tpu.parquet", index=False)
    answer("ingest", site, power_file(folder / "power.parquet"), folder / "tpu.parquet", "--store", store)
    return site, store


def test_the_accelerators_of_a_rack_share_its_reading_by_utilisation(place: tuple[Path, Path]) -> None:
    site, store = place
    found = answer("rack", site, "rack-01", "--store", store, "--at", START.isoformat())
    devices = found["devices"]
    assert (devices["basis"], devices["rack_basis"], devices["rack_origin"]) == ("utilisation", "rack", "reported")
    listed = devices["devices"]
    assert [d["device"] for d in listed] == [f"n1-tpu{k}" for k in range(9)] and {d["origin"] for d in listed} == {"inferred"}
    gpu = next(p for p in found["parts"] if p["chip"])
    assert devices["together_w"] == pytest.approx(gpu["power_w"])
    count = max(gpu["count"], 9)
    mean_w = devices["together_w"] / count
    assert sum(d["power_w"] for d in listed) == pytest.approx(9 * mean_w, rel=1e-6)
    power = [d["power_w"] for d in listed]
    assert power == sorted(power) and power[0] < mean_w < power[-1]
    assert all(d["sigma_w"] > 0.0 for d in listed) and devices["together_sigma_w"] > 0.0
    text = " ".join(run("rack", site, "rack-01", "--store", store, "--at", START.isoformat()).stdout.split())
    assert "inferred: shares of the rack's reading by utilisation" in text


def test_a_rack_whose_devices_are_silent_shares_equally_and_a_planned_one_not_at_all(place: tuple[Path, Path]) -> None:
    site, store = place
    found = answer("rack", site, "rack-02", "--store", store, "--at", START.isoformat())["devices"]
    assert found["basis"] == "equal" and len({round(d["power_w"], 6) for d in found["devices"]}) == 1
    assert answer("rack", site, "rack-02")["devices"] is None
