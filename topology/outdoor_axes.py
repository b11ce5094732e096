"""The axes of what stands outside the halls: cooling towers, dry coolers and chillers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from topology.arrays import floats, freeze, given, ints
from topology.axes import Axis, Floats, Ints
from topology.models import ChillerModel, DryCoolerModel, TowerModel
from topology.site import Site


@dataclass(frozen=True)
class TowerAxis(Axis):
    """Cooling tower cells (W).

    Attributes:
        fws: (W,) facility loop.
        duty_w: (W,) rated heat.
        water_kg_s: (W,) tower water flow.
        lg_ratio: (W,) water to air mass flow over design at full fan speed.
        exchanger_k: (W,) FWS supply minus tower water.
        fan_w: (W,) fan power at full speed.
        pump_w: (W,) tower water pump.
        rating_wet_bulb_c: (W,) wet bulb at the rating.
        water_air_ratio: (W,) water over air mass flow at the rating.
        merkel_exponent: (W,) n of Merkel number ~ (water over air)^n.
        drift_frac: (W,) droplets over circulating flow.
        cycles: (W,) cycles of concentration.
        gear: (W,) index on the gear axis.
    """

    fws: Ints
    duty_w: Floats
    water_kg_s: Floats
    lg_ratio: Floats
    exchanger_k: Floats
    fan_w: Floats
    pump_w: Floats
    rating_wet_bulb_c: Floats
    water_air_ratio: Floats
    merkel_exponent: Floats
    drift_frac: Floats
    cycles: Floats
    gear: Ints


@dataclass(frozen=True)
class DryCoolerAxis(Axis):
    """Dry coolers (D).

    Attributes:
        fws: (D,) facility loop.
        duty_w: (D,) rated heat.
        approach_k: (D,) leaving water minus entering air at the rating.
        water_kg_s: (D,) water flow.
        air_kg_s: (D,) air flow at full fan speed.
        exchanger_k: (D,) FWS supply minus cooler water.
        air_resistance_frac: (D,) share of the thermal resistance on the air side at the rating.
        fan_w: (D,) fan power at full speed.
        fan_floor_frac: (D,) lowest fan speed.
        pump_w: (D,) its water pump.
        assist_effectiveness: (D,) share of the way to the wet bulb that pads cool the air; 0 for a plain dry cooler.
        cycles: (D,) cycles of concentration of the pads' water.
        gear: (D,) index on the gear axis.
    """

    fws: Ints
    duty_w: Floats
    approach_k: Floats
    water_kg_s: Floats
    air_kg_s: Floats
    exchanger_k: Floats
    air_resistance_frac: Floats
    fan_w: Floats
    fan_floor_frac: Floats
    pump_w: Floats
    assist_effectiveness: Floats
    cycles: Floats
    gear: Ints


@dataclass(frozen=True)
class ChillerAxis(Axis):
    """Trim chillers (K); DOE-2 coefficient rows ``cap_f_t`` (K, 6), ``eir_f_t`` (K, 6), ``eir_f_plr`` (K, 3).

    Attributes:
        fws: (K,) facility loop.
        duty_w: (K,) reference capacity.
        cop: (K,) reference COP [W/W].
        cap_f_t: (K, 6) capacity as biquadratic of leaving chilled and entering condenser temperature.
        eir_f_t: (K, 6) EIR as the same.
        eir_f_plr: (K, 3) EIR as quadratic of part load.
        leaving_c: (K, 2) lowest and highest leaving chilled water of the curves; infinite where the record gives none.
        condenser_c: (K, 2) the same of entering condenser water.
        part_load: (K, 3) part load below which it cycles, below which it loads itself, and the largest.
        gear: (K,) index on the gear axis.
    """

    fws: Ints
    duty_w: Floats
    cop: Floats
    cap_f_t: Floats
    eir_f_t: Floats
    eir_f_plr: Floats
    leaving_c: Floats
    condenser_c: Floats
    part_load: Floats
    gear: Ints


def tower_axis(site: Site, loop: Callable[[str], int], gear: Callable[[str], int]) -> TowerAxis:
    """Cooling tower cells."""
    towers = tuple(site.towers.values())
    models = [site.model("tower_model", t.model, TowerModel) for t in towers]
    return freeze(TowerAxis(
        ids=tuple(t.id for t in towers), fws=ints([loop(t.fws) for t in towers]), duty_w=floats([m.duty_w for m in models]),
        water_kg_s=floats([m.water_flow_kg_s for m in models]), lg_ratio=floats([m.lg_ratio for m in models]),
        exchanger_k=floats([m.exchanger_approach_k for m in models]), fan_w=floats([m.fan_w for m in models]),
        pump_w=floats([m.pump_w for m in models]), rating_wet_bulb_c=floats([m.rating_wet_bulb_c for m in models]),
        water_air_ratio=floats([m.water_air_ratio for m in models]), merkel_exponent=floats([m.merkel_exponent for m in models]),
        drift_frac=floats([m.drift_frac for m in models]), cycles=floats([m.cycles for m in models]),
        gear=ints([gear(t.id) for t in towers]),
    ))  # fmt: skip


def dry_cooler_axis(site: Site, loop: Callable[[str], int], gear: Callable[[str], int]) -> DryCoolerAxis:
    """Dry coolers, adiabatic ones included."""
    coolers = tuple(site.dry_coolers.values())
    models = [site.model("dry_cooler_model", d.model, DryCoolerModel) for d in coolers]
    return freeze(DryCoolerAxis(
        ids=tuple(d.id for d in coolers), fws=ints([loop(d.fws) for d in coolers]), duty_w=floats([m.duty_w for m in models]),
        approach_k=floats([m.approach_k for m in models]), water_kg_s=floats([m.water_flow_kg_s for m in models]),
        air_kg_s=floats([m.air_flow_kg_s for m in models]), exchanger_k=floats([m.exchanger_approach_k for m in models]),
        air_resistance_frac=floats([m.air_resistance_frac for m in models]), fan_w=floats([m.fan_w for m in models]),
        fan_floor_frac=floats([m.fan_floor_frac for m in models]), pump_w=floats([m.pump_w for m in models]),
        assist_effectiveness=floats([m.assist_effectiveness for m in models]), cycles=floats([m.cycles for m in models]),
        gear=ints([gear(d.id) for d in coolers]),
    ))  # fmt: skip


def chiller_axis(site: Site, loop: Callable[[str], int], gear: Callable[[str], int]) -> ChillerAxis:
    """Chillers in file order, which is the order in which they start."""
    chillers = tuple(site.chillers.values())
    models = [site.model("chiller_model", c.model, ChillerModel) for c in chillers]
    leaving = floats([(given(m.leaving_low_c, -math.inf), given(m.leaving_high_c, math.inf)) for m in models]).reshape(-1, 2)
    condenser = floats([(given(m.condenser_low_c, -math.inf), given(m.condenser_high_c, math.inf)) for m in models]).reshape(-1, 2)
    part_load = floats([(m.part_load_low_frac, m.unload_frac, m.part_load_high_frac) for m in models]).reshape(-1, 3)
    return freeze(ChillerAxis(
        ids=tuple(c.id for c in chillers), fws=ints([loop(c.fws) for c in chillers]), duty_w=floats([m.duty_w for m in models]),
        cop=floats([m.cop for m in models]), cap_f_t=floats([m.cap_f_t for m in models]).reshape(-1, 6),
        eir_f_t=floats([m.eir_f_t for m in models]).reshape(-1, 6), eir_f_plr=floats([m.eir_f_plr for m in models]).reshape(-1, 3),
        leaving_c=leaving, condenser_c=condenser, part_load=part_load, gear=ints([gear(c.id) for c in chillers]),
    ))  # fmt: skip
