"""A solved year as tables: the year, its months, its subsystems, and every hour. Values are in people's units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dashboards.exports.tables import Cell, Field, Table
from dashboards.year_answers import moment
from topology.units import UNITS, from_canonical

if TYPE_CHECKING:
    from twin.energy.ratios import Tariff
    from twin.energy.year import Year

_SUMS = (
    ("hours", "hours", "h", 1.0), ("site_energy_j", "site energy", "MWh", 3.6e9), ("it_energy_j", "IT energy, racks' inputs", "MWh", 3.6e9),
    ("cooling_energy_j", "cooling energy", "MWh", 3.6e9), ("chain_loss_energy_j", "power chain loss", "MWh", 3.6e9),
    ("peak_power_w", "peak power", "kW", 1e3), ("pue", "PUE", "", 1.0), ("pue_category", "PUE category", "", 1.0),
    ("pue_category_1", "PUE category 1", "", 1.0), ("pue_category_2", "PUE category 2", "", 1.0),
    ("pue_category_3", "PUE category 3", "", 1.0), ("tue", "TUE", "", 1.0), ("itue", "ITUE", "", 1.0), ("ere", "ERE", "", 1.0),
    ("wue_l_kwh", "WUE", "L/kWh", 1.0), ("water_l", "make-up water", "m3", 1e3), ("evaporation_l", "evaporation", "m3", 1e3),
    ("merkel_hours", "hours out of York's bounds (Merkel)", "h", 1.0), ("chiller_hours", "hours with a chiller", "h", 1.0),
    ("free_cooling_hours", "hours of free cooling", "h", 1.0), ("shared_cooling_hours", "hours of economiser with chillers", "h", 1.0),
    ("limit_violated_hours", "hours with a limit violated", "h", 1.0), ("energy_cost_usd", "cost of energy", "USD", 1.0),
    ("demand_cost_usd", "demand charges", "USD", 1.0), ("carbon_kg", "carbon", "t", 1e3),
)  # fmt: skip
"""Key of the answer, head, unit, and how much of the key's unit one of it is."""
_SUFFIX = {"MWh": "mwh", "kW": "kw", "L/kWh": "l_kwh", "m3": "m3", "h": "h", "USD": "usd", "t": "t", "": ""}
_HOURS = (
    ("site_w", "site power", "kw"), ("it_w", "IT parts", "kw"), ("rack_w", "racks' inputs", "kw"),
    ("chain_loss_w", "power chain loss", "kw"),
    ("cdu_w", "CDUs", "kw"), ("air_w", "air units", "kw"), ("pump_w", "facility pumps", "kw"), ("tower_w", "towers", "kw"),
    ("dry_w", "dry coolers", "kw"), ("chiller_w", "chillers", "kw"), ("chilled_w", "heat taken by chillers", "kw"),
    ("rejected_w", "heat rejected", "kw"), ("reuse_w", "heat reused", "kw"),
)  # fmt: skip


def _name(key: str, unit: str) -> str:
    stem = next((key[: -len(s)] for s in ("_energy_j", "_power_w", "_l_kwh", "_l", "_usd", "_kg", "_hours") if key.endswith(s)), key)
    return "_".join(x for x in (stem, _SUFFIX[unit]) if x) if stem != _SUFFIX[unit] and key != "hours" else key


def _fields() -> tuple[Field, ...]:
    return tuple(Field(_name(k, u) if k != "hours" else "hours_h", head, u, "number") for k, head, u, _ in _SUMS)


def _row(sums: Mapping[str, Any]) -> tuple[Cell, ...]:
    return tuple(None if sums[k] is None else float(sums[k]) / factor for k, _, _, factor in _SUMS)


def year_tables(year: Year, answer: Mapping[str, Any], bill: Tariff) -> tuple[Table, ...]:
    """Year, months, subsystems and hours.

    Args:
        year: the solved year.
        answer: what :func:`dashboards.year_answers.solved_year` made of it.
        bill: what energy costs and emits.
    """
    title = f"{answer['site']}: a year in the weather of {answer['weather']['source']}"
    rows = [(m["month"], *_row(m)) for m in answer["months"]]
    parts = tuple((name, value) for name, value in answer["ppue"].items())
    return (
        Table("year", title, _fields(), (_row(answer),), record=True),
        Table(
            "months",
            "Months of local standard time; their PUE is an interim one",
            (Field("month", "month", "", "integer"), *_fields()),
            tuple(rows),
        ),
        Table(
            "subsystems",
            "Partial PUE by subsystem, IT at the racks' inputs",
            (Field("subsystem", "subsystem"), Field("ppue", "pPUE", "", "number")),
            parts,
        ),
        _hours(year, bill),
    )


def _hours(year: Year, bill: Tariff) -> Table:
    w, h = year.weather, year.hours
    fields = (
        Field("time", "time (UTC)"), Field("dry_bulb_c", "dry bulb", "degC", "number"), Field("wet_bulb_c", "wet bulb", "degC", "number"),
        *(Field(f"{key[:-2]}_{unit}", head, UNITS[unit].symbol, "number") for key, head, unit in _HOURS),
        Field("water_l_h", "make-up water", "L/h", "number"), Field("cost_usd", "cost of energy", "USD", "number"),
        Field("carbon_kg", "carbon", "kg", "number"), Field("model", "tower model"), Field("violated", "limits violated", "", "integer"),
    )  # fmt: skip
    energy = h.site_w * w.step_s
    carbon = [None] * energy.size if bill.carbon_kg_j is None else (energy * bill.carbon_kg_j).tolist()
    columns = [
        [moment(t).isoformat().replace("+00:00", "Z") for t in w.time], w.dry_bulb_c.tolist(), w.wet_bulb_c.tolist(),
        *(from_canonical(getattr(h, key), UNITS[unit]).tolist() for key, _, unit in _HOURS),
        (h.water_kg_s * 3600.0).tolist(), (energy * bill.price_usd_j).tolist(), carbon,
        ["Merkel" if m else "York" for m in h.merkel.tolist()], [int(v) for v in h.violated.tolist()],
    ]  # fmt: skip
    return Table("hours", "Every hour of the year", fields, tuple(zip(*columns, strict=True)))
