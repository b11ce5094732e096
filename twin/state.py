"""What goes into a solve and what comes out: frozen arrays shaped ``(scenario, element)``. The front door of this house.

One solve is a batch of one. An input with one row serves every scenario. Every solve closes its energy ledger
(:class:`Ledger`), asserted where it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from topology.axes import Bools, Floats, Ints
from topology.errors import UsageError
from topology.plant import Plant

V = TypeVar("V", bound=np.generic)


@dataclass(frozen=True)
class Loads:
    """What each rack draws and where its heat goes; make one with :mod:`twin.loads`.

    Attributes:
        rack_w: (S, R) power at the rack's input.
        it_w: (S, R) power of its parts, after the rack's own conversion stages.
        chip_w: (S, R) power of one accelerator.
        liquid_w: (S, R) heat that goes to liquid; the rest of ``rack_w`` goes to air.
        present: (S, R) the rack is connected to its manifold (a branch that is not there carries no flow).
        ahead_w: (S, R) liquid heat of other parts ahead of the accelerators on one coolant path; ``None`` where there is none.
        at_reference: accelerators are stated at the reference temperature of their chip, so that leakage comes on top; measured and
            allocated power holds it already.
    """

    rack_w: Floats
    it_w: Floats
    chip_w: Floats
    liquid_w: Floats
    present: Bools
    ahead_w: Floats | None = None
    at_reference: bool = False

    @property
    def scenarios(self) -> int:
        """Number of scenarios S."""
        return int(self.rack_w.shape[0])

    def take(self, rows: Ints | slice) -> Loads:
        """Some scenarios, in the order asked for."""
        return replace(self.each(lambda values: values[rows]), present=self.present[rows])

    def each(self, change: Callable[[Floats], Floats]) -> Loads:
        """The same loads with every power changed."""
        ahead = None if self.ahead_w is None else change(self.ahead_w)
        powers = (change(self.rack_w), change(self.it_w), change(self.chip_w), change(self.liquid_w))
        return Loads(*powers, self.present, ahead, self.at_reference)


@dataclass(frozen=True)
class Ambient:
    """Weather outside, one value a scenario.

    Attributes:
        wet_bulb_c: (S,) outdoor wet bulb.
        dry_bulb_c: (S,) outdoor dry bulb; empty where only the wet bulb is known (see :func:`twin.weather.settled`).
        pressure_pa: (S,) pressure of the air; empty for the standard atmosphere at the site's altitude.
    """

    wet_bulb_c: Floats
    dry_bulb_c: Floats = field(default_factory=lambda: np.zeros(0))
    pressure_pa: Floats = field(default_factory=lambda: np.zeros(0))

    def take(self, rows: Ints | slice) -> Ambient:
        """Some scenarios, in the order asked for."""
        return Ambient(*(v[rows] if v.size > 1 else v for v in (self.wet_bulb_c, self.dry_bulb_c, self.pressure_pa)))


@dataclass(frozen=True)
class Outages:
    """Which elements are lost in which scenario.

    Attributes:
        sets: distinct sets of lost elements, each sorted ids; ``()`` is normal operation.
        index: (S,) which set holds in each scenario.
    """

    sets: tuple[tuple[str, ...], ...]
    index: Ints

    @staticmethod
    def none(scenarios: int = 1) -> Outages:
        """Normal operation in every scenario."""
        return Outages(((),), np.zeros(scenarios, dtype=np.int64))

    @staticmethod
    def of(plant: Plant, lost: Sequence[Sequence[str]]) -> Outages:
        """One entry a scenario, each a list of element ids.

        Raises:
            UsageError: an id is not on the plant.
        """
        wanted = [tuple(sorted(set(x))) for x in lost]
        for name in {i for x in wanted for i in x}:
            plant.find(name)
        sets = tuple(dict.fromkeys(wanted))
        number = {s: k for k, s in enumerate(sets)}
        return Outages(sets, np.asarray([number[w] for w in wanted], dtype=np.int64))


@dataclass(frozen=True)
class PowerState:
    """The power chain.

    Attributes:
        out_w: (S, N) active power at each element's output.
        out_va: (S, N) apparent power there.
        current_a: (S, N) line current there, 0 where no voltage is known.
        loss_w: (S, N) loss of each element.
        alive: (S, N) the element has a path to a source.
        cord_w: (S, R, 2) active power of each rack's cords A and B.
        powered: (S, R) at least one cord is alive.
        gear_alive: (S, G) the gear runs (not lost, and at least one feed alive).
        source_w: (S,) power drawn from all sources.
        out_var: (S, N) reactive power at each element's output, positive where current lags.
        voltage_frac: (S, N) voltage there over nominal, 0 where there is none.
        drop_frac: (S, N) what each element's own impedance takes off the voltage, over nominal.
        collapsed: (S, N) the load is above what the voltage can carry here, or at all that feeds the element.
    """

    out_w: Floats
    out_va: Floats
    current_a: Floats
    loss_w: Floats
    alive: Bools
    cord_w: Floats
    powered: Bools
    gear_alive: Bools
    source_w: Floats
    out_var: Floats
    voltage_frac: Floats
    drop_frac: Floats
    collapsed: Bools

    @property
    def power_factor(self) -> Floats:
        """(S, N) active over apparent power at each element's output; 1 without load."""
        return np.divide(self.out_w, self.out_va, out=np.ones_like(self.out_w), where=self.out_va > 0.0)


@dataclass(frozen=True)
class FlowState:
    """Hydraulics of the TCS loops.

    Attributes:
        rack_kg_s: (S, R) coolant flow of each rack.
        loop_kg_s: (S, L) flow of each loop (FWS loops: flow that the valves ask for, as delivered).
        loop_dp_pa: (S, L) header differential pressure.
        cdu_kg_s: (S, C) hot-side flow of each CDU.
        pump_w: (S, U) electrical power of each pump entry.
        pump_speed_frac: (S, U) speed.
        spread_frac: (S, M) (largest - smallest branch flow over its rating) / mean, present branches of each manifold.
        manifold_m_s: (S, M) velocity in the first segment of each manifold.
        pump_kg_s: (S, U) flow through each pump entry of a CDU.
        pump_head_pa: (S, U) head of its pumps.
        pump_count: (S, U) pumps of it that run.
        loop_limit: (S, L) what decides a TCS loop's flow, an index into :data:`twin.solvers.pumping.LIMITS`.
    """

    rack_kg_s: Floats
    loop_kg_s: Floats
    loop_dp_pa: Floats
    cdu_kg_s: Floats
    pump_w: Floats
    pump_speed_frac: Floats
    spread_frac: Floats
    manifold_m_s: Floats
    pump_kg_s: Floats
    pump_head_pa: Floats
    pump_count: Floats
    loop_limit: Ints


@dataclass(frozen=True)
class HeatState:
    """Temperatures and heat. An element that nothing cools has no steady temperature: it is infinite there.

    Attributes:
        loop_supply_c: (S, L) supply temperature.
        loop_return_c: (S, L) return temperature.
        cdu_w: (S, C) heat through each CDU.
        cdu_supply_c: (S, C) hot-side outlet.
        cdu_valve_frac: (S, C) cold-side flow over its full flow.
        air_unit_w: (S, A) heat through each fan wall.
        hall_supply_c: (S, H) supply air.
        hall_return_c: (S, H) return air.
        hall_w: (S, H) air heat of the hall, fans included.
        tower_w: (S, W) heat rejected by each cell.
        tower_fan_frac: (S, W) fan speed.
        tower_in_bounds: (S, W) York is inside its bounds; where it is not, Merkel was used.
        tower_on: (S, W) the cell runs (staging may leave it off).
        tower_evaporation_kg_s: (S, W) water that each cell evaporates.
        tower_water_kg_s: (S, W) its make-up: evaporation, drift and blowdown.
        dry_w: (S, D) heat rejected by each dry cooler.
        dry_fan_frac: (S, D) fan speed.
        dry_water_kg_s: (S, D) make-up of its pads.
        chiller_w: (S, K) heat taken by each chiller.
        chiller_in_bounds: (S, K) its curves are inside the bounds of their record; outside they are held at the edge.
        reuse_w: (S, L) heat of each facility loop that a user outside takes.
        gear_w: (S, G) electrical power of all mechanical gear, 0 where it does not run.
        coolant_c: (S, R) coolant at each rack's inlet, or its inlet air where it has no liquid.
        plate_inlet_c: (S, R) the same at the inlet of its hottest accelerator's plate.
        chip_c: (S, R) hottest accelerator (inlet air or coolant temperature where the rack is off).
        memory_c: (S, R) its memory; the chip's temperature where no resistance is known.
        runaway: (S, R) leakage has no steady temperature at that load.
        leakage_w: (S, R) rack power that leakage adds to power at the reference temperature; negative for a cooler chip.
        rack_return_c: (S, R) coolant outlet of each rack; supply temperature where there is no flow.
        inlet_c: (S, R) air at the rack's inlet.
        cooled: (S, R) the rack's liquid and air heat are carried away.
    """

    loop_supply_c: Floats
    loop_return_c: Floats
    cdu_w: Floats
    cdu_supply_c: Floats
    cdu_valve_frac: Floats
    air_unit_w: Floats
    hall_supply_c: Floats
    hall_return_c: Floats
    hall_w: Floats
    tower_w: Floats
    tower_fan_frac: Floats
    tower_in_bounds: Bools
    tower_on: Bools
    tower_evaporation_kg_s: Floats
    tower_water_kg_s: Floats
    dry_w: Floats
    dry_fan_frac: Floats
    dry_water_kg_s: Floats
    chiller_w: Floats
    chiller_in_bounds: Bools
    reuse_w: Floats
    gear_w: Floats
    coolant_c: Floats
    plate_inlet_c: Floats
    chip_c: Floats
    memory_c: Floats
    runaway: Bools
    leakage_w: Floats
    rack_return_c: Floats
    inlet_c: Floats
    cooled: Bools


@dataclass(frozen=True)
class Ledger:
    """Energy of the site, in and out, W. ``site = it + loss + cooling``, and everything that enters leaves as heat.

    Attributes:
        site_w: (S,) drawn from all sources.
        it_w: (S,) parts of powered racks.
        rack_loss_w: (S,) conversion inside powered racks.
        chain_loss_w: (S,) conversion in the power chain.
        cooling_w: (S,) pumps, fans, chillers, controls.
        cdu_pump_w: (S,) the part of it in CDUs (pumps, fans and controls).
        tower_out_w: (S,) heat rejected by towers, that of the vapour included.
        dry_out_w: (S,) heat rejected by dry coolers.
        reuse_w: (S,) heat that users outside take.
        ambient_w: (S,) heat that leaves beside these: power chain, fans and pumps of towers and dry coolers, halls without air units.
        stranded_w: (S,) heat of racks and halls that nothing carries away (their temperature has no steady value).
        electric_residual_frac: (S,) |site - it - loss - cooling| / site.
        heat_residual_frac: (S,) |site - tower_out - dry_out - reuse - ambient - stranded| / site.
    """

    site_w: Floats
    it_w: Floats
    rack_loss_w: Floats
    chain_loss_w: Floats
    cooling_w: Floats
    cdu_pump_w: Floats
    tower_out_w: Floats
    dry_out_w: Floats
    reuse_w: Floats
    ambient_w: Floats
    stranded_w: Floats
    electric_residual_frac: Floats
    heat_residual_frac: Floats

    @property
    def loss_w(self) -> Floats:
        """(S,) every conversion, inside the racks and in the chain."""
        return self.rack_loss_w + self.chain_loss_w

    @property
    def residual_frac(self) -> Floats:
        """(S,) the larger of both residuals."""
        return np.maximum(self.electric_residual_frac, self.heat_residual_frac)

    @property
    def feed_w(self) -> Floats:
        """(S,) IT, every conversion loss and the CDUs: what the IT feeds carry."""
        return self.it_w + self.loss_w + self.cdu_pump_w

    @property
    def pue(self) -> Floats:
        """(S,) site power over IT power; IT is metered at the parts, after the rack's conversion stages.

        ISO/IEC 30134-2 category 3 meters at the input of IT equipment: divide by ``it + rack_loss`` for that.
        Infinite where there is no IT load.
        """
        return np.divide(self.site_w, self.it_w, out=np.full_like(self.site_w, np.inf), where=self.it_w > 0.0)


@dataclass(frozen=True)
class SteadyState:
    """Answer of a steady solve over S scenarios.

    Attributes:
        loads: what was asked for, with the racks that lost both feeds drawing nothing.
        ambient: weather.
        outages: what was lost.
        power: power chain.
        flow: hydraulics.
        heat: temperatures and heat.
        ledger: energy in and out.
    """

    loads: Loads
    ambient: Ambient
    outages: Outages
    power: PowerState
    flow: FlowState
    heat: HeatState
    ledger: Ledger

    @property
    def scenarios(self) -> int:
        """Number of scenarios S."""
        return int(self.power.source_w.shape[0])


def rows_of(values: NDArray[V], scenarios: int, name: str) -> NDArray[V]:
    """Repeat a one-row input for every scenario.

    Raises:
        UsageError: neither one row nor one a scenario.
    """
    if values.shape[0] == scenarios:
        return values
    if values.shape[0] != 1:
        raise UsageError(f"{name} has {values.shape[0]} rows for {scenarios} scenarios; give 1 or {scenarios}")
    return np.broadcast_to(values, (scenarios, *values.shape[1:]))
