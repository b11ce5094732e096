from __future__ import annotations

from pathlib import Path

import pytest

from telemetry.plan import bind, column_findings, recognise
from telemetry.schema import READINGS
from telemetry.vendor import load_vendors, parse_vendor
from topology.errors import TelemetryError, UsageError

GOOD = """
doc = "x"
level = "rack"
implementation = "Reported"
[time]
columns = ["t"]
unit = "s"
[keys]
rack = ["rack"]
[element]
key = "rack"
[[values]]
names = ["load"]
quantity = "power_w"
unit = "kw"
"""


def test_every_built_in_mapping_says_what_it_measures_and_where() -> None:
    vendors = load_vendors()
    assert {"dcgm", "amd", "redfish-cdu", "redfish-pdu", "openbmc-psu", "mtia", "racktwin", "rack-power", "frontier-cdu"} <= set(vendors)
    for vendor in vendors.values():
        assert vendor.doc and vendor.point
        assert all(r.quantity in READINGS for r in vendor.rules)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('quantity = "power_w"', 'quantity = "powr_w"', "did you mean power_w"),
        ('unit = "kw"', 'unit = "kpa"', "no unit of power_w"),
        ('level = "rack"', 'level = "rak"', "did you mean rack"),
        ('key = "rack"', 'key = "rac"', "no name under [keys]"),
        ('unit = "s"', 'unit = "day_s"', "need a date"),
        ('doc = "x"', 'docs = "x"', "unknown key 'docs'"),
        ('key = "rack"', "key = \"rack\"\npatterns = ['(']", "no regular expression"),
        ('doc = "x"', "doc = \"x\"\nignore_patterns = ['(']", "no regular expression"),
        ('key = "rack"', 'key = "rack"\notherwise = ["rak"]', "did you mean rack"),
        ('unit = "s"', 'unit = "s"\nzone = "Mars/Base"', "unknown zone"),
        ('unit = "kw"', 'unit = "kw"\ntexts = { off = "none" }', "'off' stands for 'none', which is no number"),
        ('unit = "kw"', 'unit = "kw"\nonly = { racks = ["r1"] }', "did you mean rack"),
    ],
)  # fmt: skip
def test_a_faulty_mapping_says_what_is_wrong_with_it(old: str, new: str, message: str) -> None:
    assert parse_vendor("good", GOOD).rules[0].quantity == "power_w"
    with pytest.raises(TelemetryError, match=r"cannot be used") as caught:
        parse_vendor("bad", GOOD.replace(old, new))
    assert message in str(caught.value)


def test_all_faults_of_a_mapping_come_at_once() -> None:
    with pytest.raises(TelemetryError) as caught:
        parse_vendor("bad", GOOD.replace('level = "rack"', 'level = "rak"').replace('"kw"', '"kpa"').replace('"s"', '"fortnights"'))
    assert len(caught.value.findings) == 3


def test_a_sites_own_mapping_adds_to_the_built_in_ones_and_wins_over_them(tmp_path: Path) -> None:
    (tmp_path / "vendors").mkdir()
    (tmp_path / "vendors" / "house.toml").write_text(GOOD)
    (tmp_path / "vendors" / "dcgm.toml").write_text(GOOD)
    vendors = load_vendors(tmp_path)
    assert vendors["dcgm"].doc == "x" and vendors["house"].file == "vendors/house.toml" and "mtia" in vendors


def test_a_file_is_recognised_by_its_columns_and_unmapped_columns_are_named() -> None:
    columns = ["timestamp", "Hostname", "gpu", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_TEMPERATURE", "UUID"]
    plan = recognise("f.parquet", columns, load_vendors(), ())
    assert plan.vendor.name == "dcgm" and plan.unmapped == ("DCGM_FI_DEV_GPU_TEMPERATURE",)
    finding = column_findings("f.parquet", plan)[0]
    assert finding.column == "DCGM_FI_DEV_GPU_TEMPERATURE" and "DCGM_FI_DEV_GPU_TEMP" in finding.hint and finding.severity == "warning"


def test_a_file_that_nobody_knows_is_refused_with_its_columns_and_the_nearest_vendors() -> None:
    with pytest.raises(TelemetryError) as caught:
        recognise("odd.parquet", ["time", "watts", "name"], load_vendors(), ())
    text = str(caught.value)
    assert "odd.parquet" in text and "time, watts, name" in text and "nearest is" in text and len(caught.value.findings) == 3


def test_a_named_vendor_that_does_not_fit_says_what_is_lacking() -> None:
    with pytest.raises(TelemetryError, match=r"lacks the time .*gpu"):
        recognise("f.parquet", ["Hostname"], load_vendors(), (), "dcgm")
    with pytest.raises(UsageError, match="did you mean dcgm"):
        recognise("f.parquet", ["Hostname"], load_vendors(), (), "dcgmm")


def test_two_spellings_in_one_file_are_read_once() -> None:
    columns = ["time", "Hostname", "gpu", "DCGM_FI_DEV_POWER_USAGE_WATTS", "DCGM_FI_DEV_POWER_USAGE"]
    plan = bind(load_vendors()["dcgm"], columns, ())
    assert plan is not None
    assert [c for c, _ in plan.values] == ["DCGM_FI_DEV_POWER_USAGE"] and plan.aliases == ("DCGM_FI_DEV_POWER_USAGE_WATTS",)
