"""What a solved state says that each meter should read: the one list of what can be predicted and measured.

A channel joins a quantity of the store (:mod:`telemetry.schema`) with an array of :class:`twin.state.SteadyState`. Replay, calibration and
the energy balance of sensors all go through it, so that a new kind of meter is one entry here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from telemetry.dense import Frames, frames
from telemetry.store import Store
from topology.axes import Axis, Floats
from topology.plant import Plant
from twin.state import SteadyState

SECONDARY, PRIMARY = "Secondary", "Primary"
"""Coolant connectors of a CDU: IT side and facility side (Redfish CoolantConnector, as the vendor mapping of CDUs names them)."""
Predict = Callable[[Plant, SteadyState], Floats]


@dataclass(frozen=True, slots=True)
class Channel:
    """One kind of meter.

    Attributes:
        name: for people and in answers.
        quantity: canonical quantity that it reads.
        axis: axis of the plant whose elements carry the meter.
        level: level at which its readings are stored.
        predict: (S, n) what it should read, NaN where an element has no such quantity.
        noise: standard deviation of one reading where nothing better is known, in the quantity's unit; over the reading where
            ``relative``.
        relative: noise is a share of the reading.
        part: part of the element that carries it; empty for all parts.
        combine: how readings of parts are combined: ``sum``, ``mean`` or ``max``.
    """

    name: str
    quantity: str
    axis: str
    level: str
    predict: Predict
    noise: float
    relative: bool = False
    part: str = ""
    combine: str = "mean"

    def elements(self, plant: Plant) -> tuple[str, ...]:
        """Elements of its axis in order."""
        axis: Axis = getattr(plant, self.axis)
        return axis.ids

    def measured(self, plant: Plant, store: Store, start: dt.datetime | None, end: dt.datetime | None, step_s: float) -> Frames:
        """What the store holds of it, on its axis.

        Raises:
            TelemetryError: the store is empty and the window open.
            UsageError: a step or window that is not possible.
        """
        return frames(
            store, self.elements(plant), self.quantity, start, end, step_s, self.level, self.combine, of=self.part or None
        )  # fmt: skip


def _secondary_flow(p: Plant, s: SteadyState) -> Floats:
    return s.flow.cdu_kg_s / p.loops.rho_kg_m3[p.cdus.loop]


def _primary_flow(p: Plant, s: SteadyState) -> Floats:
    return _wet(p, s.heat.cdu_valve_frac * p.cdus.cold_kg_s / p.loops.rho_kg_m3[p.cdus.fws])


def _primary_supply(p: Plant, s: SteadyState) -> Floats:
    return _wet(p, s.heat.loop_supply_c[:, p.cdus.fws])


def _primary_return(p: Plant, s: SteadyState) -> Floats:
    cold_w_k = s.heat.cdu_valve_frac * p.cdus.cold_kg_s * p.cdus.cold_cp_j_kg_k
    rise = np.divide(s.heat.cdu_w, cold_w_k, out=np.full_like(cold_w_k, np.nan), where=cold_w_k > 0.0)
    return _primary_supply(p, s) + rise


def _wet(p: Plant, values: Floats) -> Floats:
    """Facility side of CDUs that have one; NaN for those that give their heat to air."""
    return np.where(p.cdus.fws >= 0, values, np.nan)


def _pump_speed(p: Plant, s: SteadyState) -> Floats:
    """Speed of the pumps inside each CDU, NaN for one without a pump curve."""
    speed = np.full(s.flow.cdu_kg_s.shape, np.nan)
    inside = np.flatnonzero(p.pumps.cdu >= 0)
    speed[:, p.pumps.cdu[inside]] = s.flow.pump_speed_frac[:, inside]
    return speed


def _rack_flow(p: Plant, s: SteadyState) -> Floats:
    """Coolant of each rack, NaN for one without liquid."""
    if not p.manifolds.n:
        return np.full(s.flow.rack_kg_s.shape, np.nan)
    loop = p.manifolds.loop[p.racks.manifold]
    return np.where(p.racks.manifold >= 0, s.flow.rack_kg_s / p.loops.rho_kg_m3[loop], np.nan)


def _cord(side: int) -> Predict:
    """Power of a cord of each rack, NaN where there is none."""
    return lambda p, s: np.where(p.racks.feed[:, side] >= 0, s.power.cord_w[:, :, side], np.nan)


def _chip(p: Plant, s: SteadyState) -> Floats:
    return np.where((s.loads.rack_w > 0.0) & np.isfinite(s.heat.chip_c), s.heat.chip_c, np.nan)


_ALL = (
    Channel("rack power", "power_w", "racks", "rack", lambda p, s: s.loads.rack_w, 0.005, True, combine="sum"),
    Channel("rack output power", "output_power_w", "racks", "rack", lambda p, s: s.loads.it_w, 0.005, True, combine="sum"),
    Channel("chip power", "power_w", "racks", "device", lambda p, s: s.loads.chip_w, 0.05, True),
    Channel("chip temperature", "temp_c", "racks", "device", _chip, 1.0),
    Channel("cord A power", "power_w", "racks", "pdu", _cord(0), 0.005, True, "A", "sum"),
    Channel("cord B power", "power_w", "racks", "pdu", _cord(1), 0.005, True, "B", "sum"),
    Channel("feed power", "power_w", "power", "pdu", lambda p, s: s.power.out_w + s.power.loss_w, 0.005, True, combine="sum"),
    Channel("UPS input power", "power_w", "power", "ups", lambda p, s: s.power.out_w + s.power.loss_w, 0.005, True, combine="sum"),
    Channel("UPS output power", "output_power_w", "power", "ups", lambda p, s: s.power.out_w, 0.005, True, combine="sum"),
    Channel("utility power", "power_w", "power", "utility", lambda p, s: s.power.out_w + s.power.loss_w, 0.005, True, combine="sum"),
    Channel("CDU flow", "flow_m3_s", "cdus", "cdu", _secondary_flow, 0.01, True, SECONDARY),
    Channel("CDU supply temperature", "supply_temp_c", "cdus", "cdu", lambda p, s: s.heat.cdu_supply_c, 0.2, False, SECONDARY),
    Channel(
        "CDU return temperature", "return_temp_c", "cdus", "cdu", lambda p, s: s.heat.loop_return_c[:, p.cdus.loop], 0.2, False, SECONDARY
    ),
    Channel("CDU heat", "heat_w", "cdus", "cdu", lambda p, s: s.heat.cdu_w, 0.02, True, SECONDARY),
    Channel("CDU pressure", "dp_pa", "cdus", "cdu", lambda p, s: s.flow.loop_dp_pa[:, p.cdus.loop], 0.01, True, SECONDARY),
    Channel("CDU facility flow", "flow_m3_s", "cdus", "cdu", _primary_flow, 0.01, True, PRIMARY),
    Channel("CDU facility supply temperature", "supply_temp_c", "cdus", "cdu", _primary_supply, 0.2, False, PRIMARY),
    Channel("CDU facility return temperature", "return_temp_c", "cdus", "cdu", _primary_return, 0.2, False, PRIMARY),
    Channel("CDU valve", "valve_frac", "cdus", "cdu", lambda p, s: _wet(p, s.heat.cdu_valve_frac), 0.01),
    Channel("CDU pump speed", "pump_speed_frac", "cdus", "cdu", _pump_speed, 0.005),
    Channel("CDU power", "power_w", "cdus", "cdu", lambda p, s: s.heat.gear_w[:, p.cdus.gear], 0.005, True),
    Channel("rack flow", "flow_m3_s", "racks", "rack", _rack_flow, 0.01, True),
    Channel("rack inlet air", "inlet_temp_c", "racks", "rack", lambda p, s: s.heat.inlet_c, 0.3),
    Channel("loop supply temperature", "supply_temp_c", "loops", "loop", lambda p, s: s.heat.loop_supply_c, 0.2),
    Channel("loop return temperature", "return_temp_c", "loops", "loop", lambda p, s: s.heat.loop_return_c, 0.2),
    Channel("tower fan speed", "fan_speed_frac", "towers", "loop", lambda p, s: s.heat.tower_fan_frac, 0.01),
    Channel("dry cooler fan speed", "fan_speed_frac", "dry_coolers", "loop", lambda p, s: s.heat.dry_fan_frac, 0.01),
)
CHANNELS: Mapping[str, Channel] = MappingProxyType({c.name: c for c in _ALL})
"""Every channel by name."""


def present(
    plant: Plant, store: Store, start: dt.datetime, end: dt.datetime, step_s: float, names: Iterable[str] = ()
) -> dict[str, Frames]:
    """Channels of which the store holds something in a window, with what was measured.

    Args:
        plant: the plant.
        store: where the readings are.
        start: first time, with a zone.
        end: last time, excluded.
        step_s: length of a step [s].
        names: only these channels; all where empty.
    """
    wanted = [c for c in ([CHANNELS[n] for n in names] or CHANNELS.values()) if c.elements(plant)]
    read = {c.name: c.measured(plant, store, start, end, step_s) for c in wanted}
    return {name: f for name, f in read.items() if np.isfinite(f.values).any()}
