"""A solved year as a plain dictionary, ready for JSON, and the tariff that it is priced with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboards.answers import findings, plain
from topology.units import UNITS, from_canonical
from twin.energy.hourly import constant_or_file
from twin.energy.ratios import Tariff, Totals, monthly, totals

if TYPE_CHECKING:
    from dashboards.session import Utilisation
    from topology.kinds import Settings
    from twin.energy.year import Year

PUE_CATEGORY = {1: "IT at the UPS outputs", 2: "IT at the outputs of PDUs and busways", 3: "IT at the racks' inputs"}
"""Categories of ISO/IEC 30134-2:2016, by where IT energy is metered."""
PUE_KIND = "designed (dPUE): computed by a model, not measured; months are interim (iPUE)"


def tariff(year: Year, site: Settings, price: str | None, demand_usd_kw: float | None, carbon: str | None) -> Tariff:
    """What energy costs and emits in the hours of a year: as given, else as the site says.

    Args:
        year: the year.
        site: settings of the site.
        price: USD/kWh, or a CSV file with a column such as ``price_usd_mwh``.
        demand_usd_kw: charge a month for its highest hour.
        carbon: g/kWh, or a CSV file with a column such as ``carbon_g_kwh``.
    """
    time = year.weather.time
    cost = np.full(time.size, site.price_usd_j) if price is None else constant_or_file(price, "energy_price", "usd_kwh", time, "--price")
    demand = site.demand_usd_w if demand_usd_kw is None else demand_usd_kw / 1e3
    known = None if site.carbon_kg_j is None else np.full(time.size, site.carbon_kg_j)
    return Tariff(cost, demand, known if carbon is None else constant_or_file(carbon, "mass_per_energy", "g_kwh", time, "--carbon"))


def best_pue(sums: Totals) -> tuple[float | None, int]:
    """PUE of the highest category that can be stated, and the category."""
    for category, value in ((3, sums.pue_3), (2, sums.pue_2), (1, sums.pue_1)):
        if value is not None:
            return value, category
    return None, 3


def _sums(sums: Totals) -> dict[str, Any]:
    pue, category = best_pue(sums)
    wue = None if sums.wue_kg_j is None else from_canonical(sums.wue_kg_j, UNITS["kg_kwh"])
    return {
        "hours": sums.duration_s / 3600.0, "site_energy_j": sums.site_energy_j, "it_energy_j": sums.it_energy_j,
        "it_parts_energy_j": sums.parts_energy_j, "cooling_energy_j": sums.cooling_energy_j, "chain_loss_energy_j": sums.loss_energy_j,
        "peak_power_w": sums.peak_w, "pue": pue, "pue_category": category, "pue_category_1": sums.pue_1, "pue_category_2": sums.pue_2,
        "pue_category_3": sums.pue_3, "ppue": dict(sums.ppue), "tue": sums.tue, "itue": sums.itue, "wue_l_kwh": wue, "ere": sums.ere,
        "reuse_energy_j": sums.reuse_energy_j, "water_l": sums.water_kg, "evaporation_l": sums.evaporation_kg,
        "merkel_hours": sums.merkel_steps, "chiller_hours": sums.chiller_steps, "free_cooling_hours": sums.free_steps,
        "shared_cooling_hours": sums.shared_steps, "limit_violated_hours": sums.violated_steps, "energy_cost_usd": sums.energy_cost_usd,
        "demand_cost_usd": sums.demand_cost_usd, "cost_usd": sums.energy_cost_usd + sums.demand_cost_usd, "carbon_kg": sums.carbon_kg,
    }  # fmt: skip


def solved_year(year: Year, site: Settings, bill: Tariff, utilisation: Utilisation) -> dict[str, Any]:
    """Answer of a year.

    Args:
        year: the year.
        site: settings of the site.
        bill: what energy costs and emits.
        utilisation: what it was asked for with.

    Returns:
        Energies in J, power in W, water in L (1 kg is 1 L), WUE in L/kWh, cost in USD, carbon in kg; ratios that cannot be stated
        are ``None``. ``months`` holds the same sums by month of local standard time.
    """
    weather, hours = year.weather, year.hours
    peak = int(hours.site_w.argmax())
    step = weather.step_s / 3600.0
    answer = {
        "site": site.name, "utilisation": utilisation,
        "weather": {
            "place": weather.place, "source": weather.source, "synthetic": weather.synthetic, "steps": weather.time.size,
            "left_out": weather.left_out, "step_s": weather.step_s, "zone_h": weather.zone_h,
            "wet_bulb_c": {"min": weather.wet_bulb_c.min(), "max": weather.wet_bulb_c.max()},
            "dry_bulb_c": {"min": weather.dry_bulb_c.min(), "max": weather.dry_bulb_c.max()},
        },
        **_in_hours(_sums(totals(year, bill)), step), "pue_kind": PUE_KIND, "pue_categories": {str(k): v for k, v in PUE_CATEGORY.items()},
        "peak": {
            "time": moment(weather.time[peak]), "site_power_w": hours.site_w[peak], "wet_bulb_c": weather.wet_bulb_c[peak],
            "dry_bulb_c": weather.dry_bulb_c[peak],
        },
        "hottest_chip_temp_c": hours.chip_c.max(), "limits_violated": [{"limit": name, "hours": n * step} for name, n in year.limit],
        "ledger_residual_frac": year.residual_frac,
        "months": [{"month": m, **_in_hours(_sums(s), step)} for m, s in monthly(year, bill)],
        "findings": findings(weather.findings),
    }  # fmt: skip
    return dict(plain(answer))


def _in_hours(sums: Mapping[str, Any], step: float) -> dict[str, Any]:
    """Counts of steps as hours."""
    return {k: v * step if k.endswith("_hours") else v for k, v in sums.items()}


def moment(time: np.datetime64) -> dt.datetime:
    """A UTC time as people and JSON know it."""
    found: dt.datetime = time.astype("datetime64[us]").item()
    return found.replace(tzinfo=dt.UTC)
