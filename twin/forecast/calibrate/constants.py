"""What is known of a plant's constants and of its sensors before telemetry is looked at: the one place with these priors.

A prior of a factor is around 1, so that a constant which the data cannot tell leaves the catalog as it is. The synthetic plant draws its
hidden constants from the same priors. Widths that no standard or datasheet gives are estimates and say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from twin.forecast.calibrate.priors import Prior


def _factor(name: str, low: float, source: str) -> Prior:
    """A factor known to a ratio: as likely a share too high as too low."""
    return Prior(name, 1.0, (low, 1.0 / low), source, log=True, bounds=(0.05, 20.0))


_ALL = (
    _factor("idle_factor", 0.85, "nameplate sheets rarely give idle power: estimate"),
    _factor("swing_factor", 0.90, "8-accelerator nodes reach 76 to 82 % of their rating (arXiv 2412.08602); spread: estimate"),
    _factor("exponent_factor", 0.85, "estimate"),
    _factor("supply_fixed_factor", 0.70, "between certified efficiency classes of supplies (80 PLUS titanium to platinum): estimate"),
    _factor("supply_load_factor", 0.80, "as the no-load loss: estimate"),
    _factor("draw_factor", 0.95, "spread of equal servers under equal load, 3 %: estimate"),
    _factor("share_factor", 0.94, "supplies share within 0.05 of the rack (topology.kinds.SHARE_SPREAD_FRAC), mostly closer: estimate"),
    _factor("plate_factor", 0.80, "spread of mounting and paste between plates of one kind: estimate"),
    _factor("branch_factor", 0.85, "estimate"),
    _factor("loss_fixed_factor", 0.75, "tolerance of no-load loss +15 % (IEC 60076-1, table 1), with ageing: estimate"),
    _factor("loss_load_factor", 0.80, "tolerance of load loss +15 % (IEC 60076-1, table 1), with temperature: estimate"),
    _factor("ua_factor", 0.75, "a rating without fouling margin, and fouling in service: estimate"),
    _factor("valve_flow_factor", 0.85, "flow tolerance of a control valve and its piping: estimate"),
    _factor("coil_factor", 0.75, "as a CDU's exchanger: estimate"),
    _factor("shutoff_factor", 0.95, "head within 5 % (ISO 9906, grade 2)"),
    _factor("curve_factor", 0.90, "head and flow within 5 and 8 % (ISO 9906, grade 2)"),
    _factor("efficiency_factor", 0.93, "efficiency within -5 % (ISO 9906, grade 2), drive included: estimate"),
    _factor("lg_factor", 0.90, "tower within 10 % of its capability (CTI ATC-105): estimate"),
    _factor("approach_factor", 0.85, "estimate"),
)
PRIORS: Mapping[str, Prior] = MappingProxyType({p.name: p for p in _ALL})
"""Prior of each factor of :data:`topology.overlay.FACTORS`."""


def _gain(quantity: str, half: float, source: str) -> Prior:
    return Prior(f"gain of {quantity}", 1.0, (1.0 - half, 1.0 + half), source, bounds=(0.5, 2.0))


def _bias(quantity: str, half: float, source: str) -> Prior:
    return Prior(f"bias of {quantity}", 0.0, (-half, half), source)


_SENSORS = {
    ("power_w", "gain"): _gain("power_w", 0.01, "class 1 meter (IEC 62053-21)"),
    ("output_power_w", "gain"): _gain("output_power_w", 0.01, "as power_w"),
    ("flow_m3_s", "gain"): _gain("flow_m3_s", 0.02, "electromagnetic or ultrasonic meter in a CDU, 2 % of reading: estimate"),
    ("heat_w", "gain"): _gain("heat_w", 0.04, "flow and temperature difference of the unit's own sensors: estimate"),
    ("dp_pa", "gain"): _gain("dp_pa", 0.01, "pressure transmitter, 1 %: estimate"),
    ("supply_temp_c", "bias"): _bias("supply_temp_c", 0.4, "Pt100 class B at 20 to 45 degC: 0.3 + 0.005 t (IEC 60751)"),
    ("return_temp_c", "bias"): _bias("return_temp_c", 0.4, "as supply_temp_c"),
    ("temp_c", "bias"): _bias("temp_c", 1.0, "on-die sensor: estimate"),
    ("inlet_temp_c", "bias"): _bias("inlet_temp_c", 0.5, "air sensor at a rack or door: estimate"),
    ("valve_frac", "bias"): _bias("valve_frac", 0.02, "position feedback of an actuator: estimate"),
    ("wet_bulb_c", "bias"): _bias("wet_bulb_c", 0.5, "estimate"),
}
SENSORS: Mapping[tuple[str, str], Prior] = MappingProxyType(_SENSORS)
"""Prior of a sensor's ``gain`` or ``bias`` by (quantity, parameter); what is not here is taken as exact."""


def named_gain(name: str, quantity: str) -> Prior:
    """Prior of the gain of a meter under another name, for fits with several meters of one quantity."""
    return replace(SENSORS[quantity, "gain"], name=name)
