from __future__ import annotations

import pytest

from telemetry.schema import FACTS, LEVELS, POWER_HIGH_W, READINGS, limits
from topology.units import QUANTITIES


@pytest.mark.parametrize("name", sorted(READINGS))
def test_every_quantity_ends_in_its_canonical_unit_and_has_bounds(name: str) -> None:
    reading = READINGS[name]
    assert reading.unit is QUANTITIES[reading.unit.quantity].canonical
    assert reading.low < reading.high and reading.doc


def test_table_has_the_canonical_columns() -> None:
    assert FACTS.names == ["time", "element", "part", "quantity", "value", "source", "implementation", "level", "quality", "day"]
    assert str(FACTS.field("time").type) == "timestamp[us, tz=UTC]"


def test_a_device_of_a_megawatt_is_refused_and_a_rack_of_a_megawatt_is_not() -> None:
    assert limits("power_w", "device")[1] < 1e6 < limits("power_w", "rack")[1]
    assert set(POWER_HIGH_W) == set(LEVELS)
