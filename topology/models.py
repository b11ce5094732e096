"""Catalog entries: what a chip, a rack SKU, a CDU or a UPS *is*, apart from where it stands.

Every figure has a source, a date and a confidence (:class:`Provenance`); an estimate says how it was made. A new chip or CDU
is a TOML entry in ``catalog/`` (built in) or in the ``catalog/`` folder of a site, never code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from topology.columns import col
from topology.kinds import POWER_KINDS
from topology.trip import TripStage

CONFIDENCE = ("vendor", "measured", "press", "estimate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a figure comes from.

    Attributes:
        source: paper, standard, datasheet or page.
        date: when it was published or read, ISO.
        confidence: one of :data:`CONFIDENCE`.
        note: how an estimate was made, or which other values are in print.
    """

    source: str
    date: str
    confidence: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What every catalog entry has: a name, a provenance for the entry, and one for each figure that has its own."""

    name: str
    provenance: Provenance
    figures: Mapping[str, Provenance] = field(default_factory=dict)

    def source_of(self, figure: str) -> Provenance:
        """Provenance of one figure, that of the entry where the figure has none of its own."""
        return self.figures.get(figure, self.provenance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip(Model):
    """An accelerator or host processor.

    The cold plate (or heat sink) is ``R = r_base + r_flow * q^-r_exponent`` with q the coolant flow of one chip [kg/s]; an
    air-cooled chip has ``r_air_k_w`` instead. Where a table is published, ``plate_flow_kg_s`` and ``plate_r_k_w`` hold its points and
    win over the three coefficients: the same law is fitted to them (:mod:`topology.plates`).
    """

    vendor: str = col("who makes it")
    max_w: float = col("largest sustained power (TDP)", unit="w", positive=True)
    idle_w: float = col("power at zero utilisation", unit="w")
    typical_w: float | None = col("typical power in service", unit="w", default=None)
    exponent: float = col("a in P = idle + (max - idle) u^a", type="number", default=1.0, low=0.1, high=3.0)
    temp_limit_c: float = col("junction temperature at which it throttles", unit="c", default=87.0)
    memory_temp_limit_c: float | None = col("memory temperature at which it throttles", unit="c", default=None)
    coolant_limit_c: float | None = col("highest allowed coolant temperature at the plate's inlet", unit="c", default=None)
    r_base_k_w: float = col("cold plate resistance at very high flow, junction to coolant inlet", unit="k_w", default=0.0)
    r_flow: float = col("flow-dependent part of the resistance [K/W (kg/s)^n]", type="number", default=0.0, low=0.0)
    r_exponent: float = col("n of the flow-dependent part", type="number", default=0.8, low=0.0, high=2.0)
    r_air_k_w: float | None = col("junction to inlet air resistance of an air-cooled package", unit="k_w", default=None)
    plate_flow_kg_s: tuple[float, ...] = field(default=())
    plate_r_k_w: tuple[float, ...] = field(default=())
    r_memory_k_w: float | None = col("memory above the junction, for each watt of the chip", unit="k_w", default=None)
    leakage_frac_k: float = col(
        "growth of its power for each kelvin above leakage_ref_c [1/K]", type="number", default=0.0, low=0.0, high=0.05
    )
    leakage_ref_c: float = col("junction temperature at which max_w and idle_w hold, for its leakage", unit="c", default=65.0)
    plate_kg: float = col("copper (or aluminium of a heat sink) of one, with what it is clamped to", unit="kg", default=1.0)
    plate_m3: float = col("coolant inside one cold plate", unit="m3", default=1e-4)
    memory_bytes: float | None = col("memory", unit="bytes", default=None)
    memory_bytes_s: float | None = col("memory bandwidth", unit="bytes_s", default=None)
    dense_fp8_flops: float | None = col("dense FP8 rate", unit="flops", default=None)
    price_usd: float | None = col("price of one", unit="usd", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A group of equal consumers inside a rack; ``count`` of them, each at ``idle + (max - idle) u^a`` [W].

    ``group`` is what a utilisation is given for (``cpu``, ``gpu``, ``other``); a part of group ``fixed`` does not move.
    ``converted`` is false where the part is fed beside the rack's conversion stages. ``liquid_frac`` is the share of its
    heat that the liquid takes.
    """

    name: str = col("name of the part")
    group: str = col("what its utilisation is called: gpu, cpu, other; fixed: constant", choices=("gpu", "cpu", "other", "fixed"))
    count: int = col("how many", type="integer", low=1)
    max_w: float = col("power of one at full utilisation", unit="w")
    idle_w: float = col("power of one at zero utilisation", unit="w")
    exponent: float = col("a in P = idle + (max - idle) u^a", type="number", default=1.0, low=0.1, high=3.0)
    liquid_frac: float = col("share of its heat that goes to liquid", unit="frac", default=0.0, high=1.0)
    converted: bool = col("whether it is fed through the conversion stages", type="flag", default=True)
    chip: str = col("chip that this part is, for its temperature", refs=("chip",), default="")
    support: bool = col("a fan or pump inside the rack: part of its IT input, and no IT for TUE", type="flag", default=False)
    plate_order: int = col(
        "place of its plates on the coolant path that they share with other parts: 1 first; 0 for a path of their own",
        type="integer", default=0, low=0,
    )  # fmt: skip
    plates_in_series: int = col("how many of its plates one path passes one after the other", type="integer", default=1, low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """``units`` equal converters in parallel, each with loss ``fixed + frac P + quad P^2`` [W] of its own output P.

    Affine constants in the form ``P_in = (P_out + c) / eta`` become ``fixed = c / eta`` and ``frac = 1/eta - 1``. With ``unit_w``
    and ``wake_frac`` only as many are awake as the load asks for; with ``dc_voltage_v`` and ``busbar_ohm`` its bar loses ``I^2 R``.
    """

    name: str = col("name of the stage")
    units: float = col("converters that share the load", type="number", positive=True, low=0.0)
    fixed_w: float = col("no-load loss of one", unit="w", default=0.0)
    loss_frac: float = col("loss in proportion to output", unit="frac", default=0.0)
    loss_quad_per_w: float = col("square-law loss", unit="per_w", default=0.0)
    liquid_frac: float = col("share of its loss that goes to liquid", unit="frac", default=0.0, high=1.0)
    unit_w: float | None = col("rated output of one", unit="w", default=None, positive=True)
    wake_frac: float | None = col(
        "load over rating of those awake at which one more wakes; all share where empty", unit="frac", default=None, positive=True
    )
    least_units: float = col("how many are always awake", type="number", default=1.0, positive=True, low=0.0)
    asleep_w: float = col("loss of one that is asleep", unit="w", default=0.0)
    dc_voltage_v: float | None = col("voltage of the direct-current bar at its output", unit="v", default=None, positive=True)
    busbar_ohm: float | None = col("resistance of that bar, both ways; a third of it where trays hang along it", unit="ohm", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sku(Model):
    """A rack as it is ordered: parts, conversion stages (from the parts outward), cooling needs and limits.

    ``demand_frac`` holds measured peaks over nameplate, one for each workload that it was seen under: its demand distribution, which
    scenarios draw from where a rack of its kind has no telemetry of its own.
    """

    parts: tuple[Part, ...] = field()
    stages: tuple[Stage, ...] = field(default=())
    demand_frac: tuple[float, ...] = field(default=())
    title: str = col("name for people")
    chip: str = col("its accelerator", refs=("chip",))
    cooling: str = col("what it needs: air, or liquid (the rest of its heat still goes to air)", choices=("air", "liquid"))
    nameplate_w: float = col("nameplate power at the rack's input", unit="w", positive=True)
    allocated_w: float | None = col("power that planners budget for it, where it differs from nameplate", unit="w", default=None)
    power_factor: float = col("power factor at the input", unit="frac", default=0.98, positive=True, high=1.0)
    flow_kg_s: float = col("coolant flow at its rating", unit="kg_s", default=0.0)
    dp_pa: float = col("pressure drop at that flow, quick disconnects included", unit="pa", default=0.0)
    dp_laminar_frac: float = col("share of that drop that goes with flow, not with its square", unit="frac", default=0.0, high=1.0)
    coolant_limit_c: float | None = col("highest allowed coolant supply temperature", unit="c", default=None)
    inlet_limit_c: float = col("highest allowed inlet air temperature", unit="c", default=35.0)
    return_limit_c: float | None = col("highest allowed coolant return temperature", unit="c", default=None)
    weight_kg: float = col("loaded weight", unit="kg", default=1000.0)
    coolant_m3: float | None = col("coolant inside it, plates included; 0.6 L for each kW where empty", unit="m3", default=None)
    air_side_j_k: float = col("heat capacity of what its air passes", unit="j_k", default=222e3)
    price_usd: float | None = col("price of one rack", unit="usd", default=None)

    @property
    def accelerators(self) -> int:
        """How many of its accelerator one rack holds."""
        return sum(p.count for p in self.parts if p.chip == self.chip)


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerModel(Model):
    """A transformer, UPS, PDU or busway: rating and loss ``fixed + frac P + quad P^2`` [W] of output P.

    Instead of the loss it may give published efficiencies: ``efficiency_frac`` at ``efficiency_load_frac`` of its rating.
    """

    kind: str = col("kind of power element", choices=POWER_KINDS)
    rating_va: float | None = col("rating", unit="va", default=None)
    rating_w: float | None = col("active power rating", unit="w", default=None)
    rating_a: float | None = col("current rating", unit="a", default=None)
    voltage_v: float | None = col("nominal line-to-line voltage at its output", unit="v", default=None)
    loss_fixed_w: float = col("no-load loss", unit="w", default=0.0)
    loss_frac: float = col("loss in proportion to output", unit="frac", default=0.0)
    loss_quad_per_w: float = col("square-law loss", unit="per_w", default=0.0)
    efficiency_load_frac: tuple[float, ...] = field(default=())
    efficiency_frac: tuple[float, ...] = field(default=())
    derate_frac: float = col("share of the rating that may be used continuously", unit="frac", default=1.0, positive=True, high=1.0)
    battery_s: float | None = col("time its battery carries its rating", unit="s", default=None)
    start_s: float | None = col("time from loss of the utility to taking load, a generator's", unit="s", default=None)
    transfer_s: float | None = col("time it takes to change to a transfer parent", unit="s", default=None)
    restart_delay_s: float | None = col("wait after its input is back before it draws again", unit="s", default=None)
    trip: tuple[TripStage, ...] = field(default=())
    breaking_a: float | None = col("largest fault current that it interrupts", unit="a", default=None)
    fault_va: float | None = col("three-phase fault level at its output, a utility's", unit="va", default=None)
    impedance_frac: float | None = col("series impedance over its rating, a transformer's or reactor's", unit="frac", default=None)
    x_over_r: float | None = col(
        "its reactance over resistance; from the square-law loss where empty", type="number", default=None, low=0.0
    )
    r_ohm_m: float | None = col("resistance of one phase (direct current: of both conductors) a metre", unit="ohm_m", default=None)
    x_ohm_m: float | None = col("reactance of one phase a metre", unit="ohm_m", default=None)
    length_m: float | None = col("length", unit="m", default=None)
    direct: bool = col("whether its output is direct current", type="flag", default=False)
    loads_spread: bool = col("whether what it feeds hangs along its whole length and not at its end", type="flag", default=False)
    regulates: bool = col("whether a UPS holds its output voltage; false in eco mode", type="flag", default=True)
    tap_frac: float | None = col("output voltage at no load over nominal", unit="frac", default=None, positive=True)
    voltage_low_frac: float | None = col("lowest voltage over nominal that what it feeds bears", unit="frac", default=None)
    step_frac: float | None = col("largest load step it takes, over its rating, a generator's", unit="frac", default=None)
    altitude_from_m: float = col("height from which its rating falls", unit="m", default=0.0)
    altitude_per_m: float = col("fall of its rating for each metre above that [1/m]", type="number", default=0.0, low=0.0)
    ambient_from_c: float = col("air temperature from which its rating falls", unit="c", default=40.0)
    ambient_per_k: float = col("fall of its rating for each kelvin above that [1/K]", type="number", default=0.0, low=0.0)
    price_usd: float | None = col("price of one", unit="usd", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CduModel(Model):
    """A coolant distribution unit, described by its rating point; ``sink`` is ``fws`` (liquid to liquid) or ``air``.

    The heat exchanger's UA follows from the rating: duty, approach (TCS supply - cold supply) and both flows. Off it, films follow
    ``flow^0.7``, that of corrugated plates above Re 400 (Kumar 1984, chevron angle of 60 degrees: Nu ~ Re^0.703).
    """

    duty_w: float = col("rated heat", unit="w", positive=True)
    approach_k: float = col("TCS supply minus cold-side supply at the rating", unit="k", positive=True)
    tcs_flow_kg_s: float = col("rated flow on the IT side", unit="kg_s", positive=True)
    cold_flow_kg_s: float = col("rated flow of the cold side (water or air)", unit="kg_s", positive=True)
    tcs_dp_pa: float = col("internal pressure drop on the IT side at rated flow", unit="pa", default=0.0)
    sink: str = col("what takes the heat", choices=("fws", "air"), default="fws")
    ua_exponent_tcs: float = col("n of UA ~ flow^n, IT side", type="number", default=0.7, low=0.0, high=1.0)
    ua_exponent_cold: float = col("n of UA ~ flow^n, cold side", type="number", default=0.7, low=0.0, high=1.0)
    ua_share_tcs_frac: float = col("share of the resistance at the rating that the IT side has", unit="frac", default=0.5, high=1.0)
    controller: str = col(
        "what drives the fans of a liquid-to-air unit: nothing, or the published AALC firmware", choices=("", "aalc"), default=""
    )
    fan_w: float = col("fan power at rated air flow (liquid-to-air units)", unit="w", default=0.0)
    aux_w: float = col("controls and everything that always runs", unit="w", default=0.0)
    pumps: int = col("integrated pumps", type="integer", default=0, low=0)
    pump: str = col("model of the integrated pumps", refs=("pump_model",), default="")
    pump_fixed_w: float = col("constant pump power where no curve is known", unit="w", default=0.0)
    tcs_m3: float | None = col("coolant on the IT side of the unit; 50 L for each MW where empty", unit="m3", default=None)
    cold_m3: float | None = col("water on the cold side; 50 L for each MW where empty", unit="m3", default=None)
    exchanger_kg: float | None = col("steel of its exchanger; 250 kg for each MW where empty", unit="kg", default=None)
    valve_s: float = col("stroke of its control valve (or ramp of its fans), closed to open", unit="s", default=60.0, positive=True)
    price_usd: float | None = col("price of one", unit="usd", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpModel(Model):
    """A centrifugal pump: head ``dp0 s^2 - k m^2`` [Pa], m mass flow [kg/s], s speed; power = head * volume flow / efficiency.

    With a best flow the efficiency is ``efficiency_frac x (2 - x)`` with ``x = m / (s best_flow)``.
    """

    shutoff_pa: float = col("head at zero flow and full speed", unit="pa", positive=True)
    k_pa_s2_kg2: float = col("fall of head with the square of mass flow [Pa/(kg/s)^2]", type="number", low=0.0)
    efficiency_frac: float = col("wire to water efficiency", unit="frac", positive=True, high=1.0)
    speed_floor_frac: float = col("lowest speed", unit="frac", default=0.2, high=1.0)
    best_flow_kg_s: float | None = col("flow of best efficiency at full speed; none: one efficiency everywhere", unit="kg_s", default=None)
    npsh_m: float | None = col("NPSH that it needs at that flow", unit="m", default=None)
    rating_w: float | None = col("motor rating", unit="w", default=None)
    rundown_s: float = col("time in which it coasts to half its speed without power", unit="s", default=1.5, positive=True)
    ramp_s: float = col("time in which its drive takes it from rest to full speed", unit="s", default=10.0, positive=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AirUnitModel(Model):
    """A fan wall or CRAH: chilled-water coil, eps-NTU from its rating point, fan power by the cubic law."""

    duty_w: float = col("rated heat", unit="w", positive=True)
    approach_k: float = col("air supply minus water supply at the rating", unit="k", positive=True)
    air_flow_kg_s: float = col("rated air flow", unit="kg_s", positive=True)
    water_flow_kg_s: float = col("rated water flow", unit="kg_s", positive=True)
    fan_w: float = col("fan power at rated air flow", unit="w")
    fan_floor_frac: float = col("lowest fan speed", unit="frac", default=0.3, high=1.0)
    coil_kg: float | None = col("copper and aluminium of its coil; 400 kg for each MW where empty", unit="kg", default=None)
    water_m3: float | None = col("water in its coil; 100 L for each MW where empty", unit="m3", default=None)
    valve_s: float = col("stroke of its control valve, closed to open", unit="s", default=60.0, positive=True)
    rundown_s: float = col("time in which its fans coast to half their speed without power", unit="s", default=8.0, positive=True)
    price_usd: float | None = col("price of one", unit="usd", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TowerModel(Model):
    """An open cooling tower cell by the York correlation, fan power by the cubic law, with a plate exchanger to the FWS."""

    duty_w: float = col("rated heat", unit="w", positive=True)
    water_flow_kg_s: float = col("tower water flow at the rating", unit="kg_s", positive=True)
    lg_ratio: float = col("water to air mass flow over its design value, full speed", type="number", default=1.0, positive=True, low=0.0)
    exchanger_approach_k: float = col("FWS supply minus tower water, plate heat exchanger", unit="k", default=1.5)
    fan_w: float = col("fan power at full speed", unit="w")
    pump_w: float = col("tower water pump", unit="w")
    basin_m3: float | None = col("water in its basin, pipes and exchanger; two minutes of its flow where empty", unit="m3", default=None)
    fan_ramp_s: float = col(
        "time in which its fan goes from rest to full speed, or from full speed to rest", unit="s", default=30.0, positive=True
    )
    rating_wet_bulb_c: float = col("wet bulb at the rating, where Merkel is set to meet York", unit="c", default=24.0)
    water_air_ratio: float = col("water over air mass flow at the rating", type="number", default=1.2, positive=True, low=0.0)
    merkel_exponent: float = col("n of Merkel number ~ (water over air)^n", type="number", default=-0.6, low=-2.0, high=0.0)
    drift_frac: float = col("water carried off as droplets, share of the circulating flow", unit="frac", default=8e-5, high=0.1)
    cycles: float = col("cycles of concentration at which water is blown down", type="number", default=3.0, low=1.01)
    price_usd: float | None = col("price of one", unit="usd", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DryCoolerModel(Model):
    """A finned coil in outdoor air: cross-flow eps-NTU from its rating point, fan power by the cubic law.

    ``assist_effectiveness`` above 0 makes it adiabatic: pads wet the entering air towards its wet bulb where dry air cannot hold
    the set-point.
    """

    duty_w: float = col("rated heat", unit="w", positive=True)
    approach_k: float = col("leaving water minus entering air at the rating", unit="k", positive=True)
    water_flow_kg_s: float = col("water flow at the rating, held by its own pump", unit="kg_s", positive=True)
    air_flow_kg_s: float = col("air flow at the rating and full fan speed", unit="kg_s", positive=True)
    exchanger_approach_k: float = col("FWS supply minus cooler water, where an exchanger keeps glycol apart", unit="k", default=0.0)
    air_resistance_frac: float = col("share of the thermal resistance on the air side at the rating", unit="frac", default=0.8, high=1.0)
    fan_w: float = col("fan power at full speed", unit="w")
    fan_floor_frac: float = col("lowest fan speed", unit="frac", default=0.1, positive=True, high=1.0)
    pump_w: float = col("its water pump", unit="w", default=0.0)
    assist_effectiveness: float = col(
        "share of the way to the wet bulb that wetted pads cool the air", type="number", default=0.0, low=0.0, high=0.99
    )
    cycles: float = col("cycles of concentration of the pads' water", type="number", default=3.0, low=1.01)
    price_usd: float | None = col("price of one", unit="usd", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChillerModel(Model):
    """A water-cooled chiller by DOE-2 curves: capacity and EIR biquadratic in leaving chilled and entering condenser water."""

    duty_w: float = col("reference capacity", unit="w", positive=True)
    cop: float = col("reference COP", type="number", positive=True, low=0.0)
    cap_f_t: tuple[float, ...] = field()
    eir_f_t: tuple[float, ...] = field()
    eir_f_plr: tuple[float, ...] = field()
    leaving_low_c: float | None = col("lowest leaving chilled water of the curves", unit="c", default=None)
    leaving_high_c: float | None = col("highest leaving chilled water of the curves", unit="c", default=None)
    condenser_low_c: float | None = col("lowest entering condenser water of the curves", unit="c", default=None)
    condenser_high_c: float | None = col("highest entering condenser water of the curves", unit="c", default=None)
    part_load_low_frac: float = col("part load below which it cycles", unit="frac", default=0.1, positive=True, high=1.0)
    unload_frac: float = col("part load below which it loads itself", unit="frac", default=0.1, positive=True, high=1.0)
    part_load_high_frac: float = col("largest part load", unit="frac", default=1.0, positive=True, high=1.5)
    price_usd: float | None = col("price of one", unit="usd", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coolant(Model):
    """A coolant: density, heat capacity, viscosity and conductivity as polynomials in temperature [degC], lowest order first."""

    low_c: float = col("lowest temperature of the fit", unit="c")
    high_c: float = col("highest temperature of the fit", unit="c")
    freeze_c: float = col("freezing point", unit="c")
    rho_kg_m3: tuple[float, ...] = field()
    cp_j_kg_k: tuple[float, ...] = field()
    ln_mu_pa_s: tuple[float, ...] = field()
    k_w_m_k: tuple[float, ...] = field()


MODEL_FILES: Mapping[str, type[Model]] = {
    "chip": Chip, "sku": Sku, "power_model": PowerModel, "cdu_model": CduModel, "pump_model": PumpModel,
    "air_unit_model": AirUnitModel, "tower_model": TowerModel, "chiller_model": ChillerModel,
    "dry_cooler_model": DryCoolerModel, "coolant": Coolant,
}  # fmt: skip
"""Catalog kind (also the TOML file's stem, in the plural: ``chips.toml``, ``skus.toml``, ...) to its dataclass."""

NESTED: Mapping[str, type] = MappingProxyType({"parts": Part, "stages": Stage, "trip": TripStage})
"""Fields of a model that are lists of tables, and what each table is."""

CURVE_LENGTHS: Mapping[str, int] = MappingProxyType({"cap_f_t": 6, "eir_f_t": 6, "eir_f_plr": 3})
"""Fields of coefficients whose number the formula fixes: two biquadratics and a quadratic of the DOE-2 chiller model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Every known model by kind and name; a site's own entries win over the built-in ones."""

    entries: Mapping[str, Mapping[str, Model]]

    def names(self, kind: str) -> tuple[str, ...]:
        """Names of one kind, sorted."""
        return tuple(sorted(self.entries.get(kind, {})))
