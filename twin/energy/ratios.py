"""What a solved year adds up to: energy, PUE by category, pPUE, TUE, WUE, ERE, cost and carbon, for any set of its hours.

A computed year gives *designed* ratios (dPUE), a part of it *interim* ones (iPUE); neither is the measured annual PUE of ISO/IEC
30134-2, and both are named so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from topology.axes import Bools, Floats
from twin.energy.year import Year

SUBSYSTEMS = (
    ("power chain", "chain_loss_w"), ("CDUs", "cdu_w"), ("air units", "air_w"), ("facility pumps", "pump_w"), ("towers", "tower_w"),
    ("dry coolers", "dry_w"), ("chillers", "chiller_w"),
)  # fmt: skip
"""Subsystems of a site and their field in :class:`twin.energy.year.Hours`; with the IT load they add up to the site."""


@dataclass(frozen=True)
class Tariff:
    """What energy costs and emits (T steps).

    Attributes:
        price_usd_j: (T,) price of energy.
        demand_usd_w: charge for the highest step of each month.
        carbon_kg_j: (T,) carbon intensity; ``None`` where it is not known.
    """

    price_usd_j: Floats
    demand_usd_w: float
    carbon_kg_j: Floats | None


@dataclass(frozen=True)
class Totals:
    """Sums and ratios over some steps of a year; a ratio that cannot be stated is ``None``.

    Attributes:
        steps: how many.
        duration_s: how long.
        site_energy_j: drawn from all sources.
        it_energy_j: at the input of the racks.
        parts_energy_j: at the parts.
        cooling_energy_j: pumps, fans and compressors.
        loss_energy_j: of the power chain.
        peak_w: highest step.
        pue_1: ratio with IT at the UPS outputs.
        pue_2: with IT at the outputs of PDUs and busways.
        pue_3: with IT at the racks' inputs.
        ppue: subsystem to its partial PUE, ``1 + E / E_IT`` (IT at the racks' inputs).
        tue: site energy over compute energy: the parts without fans and pumps inside racks.
        itue: rack input over compute energy; ``tue = itue * pue_3``.
        wue_kg_j: water over IT energy [kg/J]; 1 kg is 1 L.
        ere: (site - reused) / IT.
        reuse_energy_j: heat that users outside take.
        water_kg: make-up.
        evaporation_kg: the part that towers evaporate.
        merkel_steps: steps in which some cell was outside York's bounds.
        chiller_steps: steps in which a chiller ran.
        free_steps: steps in which a loop with chillers was cooled without them.
        shared_steps: steps in which the economiser and chillers cooled together.
        violated_steps: steps in which a limit was violated.
        energy_cost_usd: cost of energy.
        demand_cost_usd: demand charges.
        carbon_kg: emissions; ``None`` where no intensity is known.
    """

    steps: int
    duration_s: float
    site_energy_j: float
    it_energy_j: float
    parts_energy_j: float
    cooling_energy_j: float
    loss_energy_j: float
    peak_w: float
    pue_1: float | None
    pue_2: float | None
    pue_3: float | None
    ppue: Mapping[str, float]
    tue: float | None
    itue: float | None
    wue_kg_j: float | None
    ere: float | None
    reuse_energy_j: float
    water_kg: float
    evaporation_kg: float
    merkel_steps: int
    chiller_steps: int
    free_steps: int
    shared_steps: int
    violated_steps: int
    energy_cost_usd: float
    demand_cost_usd: float
    carbon_kg: float | None


def totals(year: Year, tariff: Tariff, steps: Bools | None = None) -> Totals:
    """Add up some steps of a year.

    Args:
        year: the year.
        tariff: what energy costs and emits.
        steps: (T,) which; all of them where not given.
    """
    h, dt_s = year.hours, year.weather.step_s
    on = np.ones(h.site_w.size, bool) if steps is None else steps

    def energy(power_w: Floats) -> float:
        return float(power_w[on].sum() * dt_s)

    site, rack = energy(h.site_w), energy(h.rack_w)
    work = energy(h.it_w) - energy(h.support_w)
    water = energy(h.water_kg_s)
    cost, demand, carbon = _bill(year, tariff, on)
    return Totals(
        steps=int(on.sum()), duration_s=float(on.sum() * dt_s), site_energy_j=site, it_energy_j=rack, parts_energy_j=energy(h.it_w),
        cooling_energy_j=energy(h.cooling_w), loss_energy_j=energy(h.chain_loss_w), peak_w=float(h.site_w[on].max(initial=0.0)),
        pue_1=_over(site, energy(h.ups_w)), pue_2=_over(site, energy(h.pdu_w)), pue_3=_over(site, rack),
        ppue=MappingProxyType({name: 1.0 + energy(getattr(h, field)) / rack for name, field in SUBSYSTEMS} if rack > 0.0 else {}),
        tue=_over(site, work), itue=_over(rack, work), wue_kg_j=_over(water, rack), ere=_over(site - energy(h.reuse_w), rack),
        reuse_energy_j=energy(h.reuse_w), water_kg=water, evaporation_kg=energy(h.evaporation_kg_s), merkel_steps=int(h.merkel[on].sum()),
        chiller_steps=int(h.chilling[on].sum()), free_steps=int((h.economising & ~h.chilling)[on].sum()),
        shared_steps=int((h.economising & h.chilling)[on].sum()), violated_steps=int(h.violated[on].sum()),
        energy_cost_usd=cost, demand_cost_usd=demand, carbon_kg=carbon,
    )  # fmt: skip


def _over(above: float, below: float) -> float | None:
    return above / below if np.isfinite(below) and below > 0.0 else None


def _bill(year: Year, tariff: Tariff, on: Bools) -> tuple[float, float, float | None]:
    drawn = year.hours.site_w * year.weather.step_s
    peaks = [year.hours.site_w[on & (year.weather.month == m)].max(initial=0.0) for m in range(1, 13)]
    carbon = None if tariff.carbon_kg_j is None else float((drawn * tariff.carbon_kg_j)[on].sum())
    return float((drawn * tariff.price_usd_j)[on].sum()), tariff.demand_usd_w * float(sum(peaks)), carbon


def monthly(year: Year, tariff: Tariff) -> tuple[tuple[int, Totals], ...]:
    """Totals of each month (local standard time) that has steps; their PUE is an interim one (iPUE)."""
    months = sorted(set(year.weather.month.tolist()))
    return tuple((m, totals(year, tariff, year.weather.month == m)) for m in months)
