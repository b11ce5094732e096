"""The axes of a :class:`topology.plant.Plant`: one frozen bundle of read-only arrays for each kind of element.

An index of -1 means "none". All quantities are SI, temperatures in degC. ``n`` of a bundle is the length of its axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from topology.models import Chip, PowerModel, Sku

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Axis:
    """What every axis has: the element ids in order."""

    ids: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of elements on the axis."""
        return len(self.ids)


@dataclass(frozen=True)
class PipeAxis(Axis):
    """Pieces of headers that are drawn as a mesh.

    Attributes:
        loop: (P,) loop that each is a piece of.
    """

    loop: Ints


@dataclass(frozen=True)
class RackAxis(Axis):
    """Racks (R), whatever their state.

    Attributes:
        sku: (R,) index into ``skus``.
        skus: rack SKUs in use.
        chips: accelerator of each SKU, same order as ``skus``.
        hall: (R,) index on the hall axis.
        feed: (R, 2) index on the power axis of cords A and B.
        share_a_frac: (R,) share of the load on cord A with both alive.
        share_low_frac: (R,) smallest that share may be.
        share_high_frac: (R,) largest that it may be.
        phases: (R,) index into :data:`topology.kinds.PHASES`, -1 where nobody said it.
        power_factor: (R,) at the rack's input.
        nameplate_w: (R,) nameplate input power.
        budget_w: (R,) allocated input power.
        manifold: (R,) index on the manifold axis.
        resistance: (R,) branch dp over flow squared [Pa s2/kg2]; infinite for a rack without liquid.
        flow_kg_s: (R,) rated coolant flow.
        plate_share_frac: (R,) share of the rack's flow that passes one accelerator's plate.
        path_share_frac: (R,) share of the rack's flow on the path that its plate sits on.
        series_frac: (R,) heat of accelerators ahead of the last on that path, over the power of one accelerator.
        r_base_k_w: (R,) cold plate resistance at very high flow.
        r_flow: (R,) flow-dependent part [K/W (kg/s)^n].
        r_exponent: (R,) n of that part.
        r_air_k_w: (R,) junction to inlet air, 0 for a liquid-cooled chip.
        r_memory_k_w: (R,) memory above the junction a watt of the chip, 0 where unknown.
        leakage_frac_k: (R,) growth of accelerator power a kelvin [1/K].
        leakage_ref_c: (R,) junction temperature at which its power is stated.
        chip_limit_c: (R,) junction limit.
        memory_limit_c: (R,) memory limit, infinite where its temperature or its limit is unknown.
        return_limit_c: (R,) highest coolant return, infinite where the SKU gives none.
        coolant_limit_c: (R,) highest coolant supply, infinite where the SKU gives none.
        inlet_limit_c: (R,) highest inlet air.
        drawing: (R,) in a state that draws power.
        holding: (R,) in a state that uses up headroom.
        draw_factor: (R,) power of each against its SKU at the same utilisation.
    """

    sku: Ints
    skus: tuple[Sku, ...]
    chips: tuple[Chip, ...]
    hall: Ints
    feed: Ints
    share_a_frac: Floats
    share_low_frac: Floats
    share_high_frac: Floats
    phases: Ints
    power_factor: Floats
    nameplate_w: Floats
    budget_w: Floats
    manifold: Ints
    resistance: Floats
    flow_kg_s: Floats
    plate_share_frac: Floats
    path_share_frac: Floats
    series_frac: Floats
    r_base_k_w: Floats
    r_flow: Floats
    r_exponent: Floats
    r_air_k_w: Floats
    r_memory_k_w: Floats
    leakage_frac_k: Floats
    leakage_ref_c: Floats
    chip_limit_c: Floats
    memory_limit_c: Floats
    return_limit_c: Floats
    coolant_limit_c: Floats
    inlet_limit_c: Floats
    drawing: Bools
    holding: Bools
    draw_factor: Floats


@dataclass(frozen=True)
class PowerAxis(Axis):
    """Elements of the power chain (N).

    Attributes:
        kind: kind of each element.
        order: (N,) indices from sources to leaves, every parent before its children.
        parents: (N, P) indices of normal parents, -1 padded.
        transfer: (N, Q) indices of transfer parents in order of preference, -1 padded.
        source: (N,) a utility or generator: alive by itself.
        rating_w: (N,) continuous active power rating, infinite where none is given.
        rating_va: (N,) continuous apparent power rating.
        rating_a: (N,) continuous current rating; the derate is applied to all three.
        voltage_v: (N,) line-to-line output voltage, 0 where unknown (no current is computed).
        loss_fixed_w: (N,) no-load loss.
        loss_frac: (N,) loss in proportion to output.
        loss_quad_per_w: (N,) square-law loss.
        input_power_factor: (N,) 0 where reactive power passes through; a UPS or rectifier presents its own.
        battery_j: (N,) energy that a UPS's battery gives at its output, infinite for one without a rating, 0 for other kinds.
        start_s: (N,) from loss of the utility to taking load, a generator's; 0 for other kinds.
        transfer_s: (N,) time to change to a transfer parent.
        restart_delay_s: (N,) wait after the input is back before it draws again.
        ups_backed: (N,) a UPS with a battery stands on every normal way from a source to its output, itself included.
        model: (N,) index into ``models``.
        models: catalog models in use, ``None`` for elements without one.
        continuous_frac: (N,) share of the rating that may be used continuously; ratings above have it in them.
        altitude_frac: (N,) what the site's altitude leaves of the rating; in the ratings above.
        ambient_frac: (N,) what the air around it leaves of the rating; in the ratings above.
        fault_va: (N,) three-phase fault level that a source brings, 0 where unknown.
        breaking_a: (N,) largest fault current that it interrupts, 0 where unknown.
        step_frac: (N,) largest load step over its rating, a generator's; infinite for other kinds.
        impedance_frac: (N,) series impedance over its rating, 0 where none is given.
        x_over_r: (N,) reactance over resistance of that.
        r_ohm_m: (N,) resistance a metre, 0 where none is given.
        x_ohm_m: (N,) reactance a metre.
        length_m: (N,) length.
        r_per_w: (N,) its whole resistance over nominal voltage squared [1/W], 0 where it drops no voltage.
        x_per_w: (N,) its whole reactance over the same.
        spread: (N,) what it feeds hangs along its whole length.
        regulates: (N,) it holds its output voltage: a UPS that is not in eco mode, or a rectifier.
        direct: (N,) its output is direct current.
        tap_frac: (N,) output voltage at no load over nominal.
        voltage_low_frac: (N,) lowest voltage over nominal that what it feeds bears.
    """

    kind: tuple[str, ...]
    order: Ints
    parents: Ints
    transfer: Ints
    source: Bools
    rating_w: Floats
    rating_va: Floats
    rating_a: Floats
    voltage_v: Floats
    loss_fixed_w: Floats
    loss_frac: Floats
    loss_quad_per_w: Floats
    input_power_factor: Floats
    battery_j: Floats
    start_s: Floats
    transfer_s: Floats
    restart_delay_s: Floats
    ups_backed: Bools
    model: Ints
    models: tuple[PowerModel | None, ...]
    continuous_frac: Floats
    altitude_frac: Floats
    ambient_frac: Floats
    fault_va: Floats
    breaking_a: Floats
    step_frac: Floats
    impedance_frac: Floats
    x_over_r: Floats
    r_ohm_m: Floats
    x_ohm_m: Floats
    length_m: Floats
    r_per_w: Floats
    x_per_w: Floats
    spread: Bools
    regulates: Bools
    direct: Bools
    tap_frac: Floats
    voltage_low_frac: Floats


@dataclass(frozen=True)
class LoopAxis(Axis):
    """Coolant loops (L), TCS and FWS.

    Attributes:
        fws: (L,) a facility loop.
        supply_c: (L,) set-point, raised by the dew-point interlock where the air of a hall asks for it.
        asked_c: (L,) set-point that the site asks for.
        dew_floor_c: (L,) lowest supply that the interlock lets through, minus infinity where no dew point is known.
        supply_limit_c: (L,) highest allowed supply.
        class_limit_c: (L,) highest supply of its ASHRAE class, infinite without one.
        dp_pa: (L,) header differential pressure held.
        flow_limit_kg_s: (L,) largest flow of the mains, infinite where none is given.
        rho_kg_m3: (L,) coolant density at the set-point.
        cp_j_kg_k: (L,) heat capacity there.
        mu_pa_s: (L,) viscosity there.
        economiser: (L,) index into :data:`topology.kinds.ECONOMISERS`.
        fewest: (L,) only as many tower cells run as hold the set-point.
        reuse_w: (L,) heat that a user outside takes.
    """

    fws: Bools
    supply_c: Floats
    asked_c: Floats
    dew_floor_c: Floats
    supply_limit_c: Floats
    class_limit_c: Floats
    dp_pa: Floats
    flow_limit_kg_s: Floats
    rho_kg_m3: Floats
    cp_j_kg_k: Floats
    mu_pa_s: Floats
    economiser: Ints
    fewest: Bools
    reuse_w: Floats


@dataclass(frozen=True)
class ManifoldAxis(Axis):
    """Row manifolds (M); the branches of manifold i are ``racks[first[i]:first[i + 1]]`` from the coolant entry on.

    Attributes:
        loop: (M,) index on the loop axis.
        first: (M + 1,) offsets into ``racks``.
        racks: rack indices in order of place.
        place: place number of each of ``racks``.
        spacing_m: (M,) pipe between places, one side.
        lead_m: (M,) pipe from the header to the first place, one side.
        diameter_m: (M,) inner diameter.
        roughness_m: (M,) wall roughness.
    """

    loop: Ints
    first: Ints
    racks: Ints
    place: Ints
    spacing_m: Floats
    lead_m: Floats
    diameter_m: Floats
    roughness_m: Floats


@dataclass(frozen=True)
class ExchangerAxis(Axis):
    """Heat exchangers that hold a set-point on their hot side: CDUs, and air units with air as the hot side (C).

    Attributes:
        loop: (C,) for a CDU the TCS loop on its hot side; for an air unit -1.
        hall: (C,) hall it stands in.
        fws: (C,) facility loop on its cold side, -1 for a CDU that gives its heat to the hall's air.
        duty_w: (C,) rated heat.
        hot_kg_s: (C,) rated hot-side flow.
        cold_kg_s: (C,) rated cold-side flow, which is also the flow with the valve (or fan) fully open.
        hot_cp_j_kg_k: (C,) heat capacity of the hot side.
        cold_cp_j_kg_k: (C,) heat capacity of the cold side.
        ua_w_k: (C,) conductance at rated flows.
        hot_exponent: (C,) n of UA ~ flow^n, hot side.
        cold_exponent: (C,) the same, cold side.
        hot_share_frac: (C,) share of the resistance at the rating that the hot side has.
        fouling_k_w: (C,) resistance that fouling adds.
        firmware: (C,) fans follow the published controller of liquid-to-air units.
        rack: (C,) rack whose exhaust a rear door cools, -2 for a door behind an empty position, -1 for everything else.
        fan_w: (C,) fan power at rated air flow (air units, liquid-to-air CDUs).
        fan_floor_frac: (C,) lowest fan speed.
        aux_w: (C,) controls that always run.
        resistance: (C,) internal dp over hot flow squared [Pa s2/kg2].
        pump_fixed_w: (C,) constant pump power where no curve is known.
        gear: (C,) index on the gear axis.
    """

    loop: Ints
    hall: Ints
    fws: Ints
    duty_w: Floats
    hot_kg_s: Floats
    cold_kg_s: Floats
    hot_cp_j_kg_k: Floats
    cold_cp_j_kg_k: Floats
    ua_w_k: Floats
    hot_exponent: Floats
    cold_exponent: Floats
    hot_share_frac: Floats
    fouling_k_w: Floats
    firmware: Bools
    rack: Ints
    fan_w: Floats
    fan_floor_frac: Floats
    aux_w: Floats
    resistance: Floats
    pump_fixed_w: Floats
    gear: Ints


@dataclass(frozen=True)
class PumpAxis(Axis):
    """Pumps (U): those with a row of their own and, one entry a CDU, integrated ones.

    Attributes:
        cdu: (U,) CDU that it sits in, -1 for a pump of a loop.
        loop: (U,) loop that it drives.
        count: (U,) equal pumps that this entry stands for.
        shutoff_pa: (U,) head at zero flow and full speed.
        k: (U,) fall of head with flow squared [Pa s2/kg2], one pump.
        efficiency_frac: (U,) wire to water.
        rating_w: (U,) motor rating of the entry, infinite where unknown.
        gear: (U,) index on the gear axis; that of the CDU for integrated pumps.
    """

    cdu: Ints
    loop: Ints
    count: Floats
    shutoff_pa: Floats
    k: Floats
    efficiency_frac: Floats
    rating_w: Floats
    gear: Ints


@dataclass(frozen=True)
class HallAxis(Axis):
    """Halls (H): air set-point, limit, and highest supply of the hall's ASHRAE class at the site's height [degC]."""

    air_supply_c: Floats
    air_limit_c: Floats
    class_limit_c: Floats


@dataclass(frozen=True)
class GearAxis(Axis):
    """Mechanical gear (G) on the power chain: CDUs, pumps, air units, towers, chillers, in this order.

    Attributes:
        kind: kind of each.
        feed: (G, 2) index on the power axis of feeds A and B.
        transfer_s: (G,) time its own switch takes from one feed to the other.
        restart_delay_s: (G,) wait after power is back before it starts.
        restart_s: (G,) from its start to full duty.
        ups_backed: (G, 2) a UPS with a battery stands on every normal way to that feed; false without the feed.
    """

    kind: tuple[str, ...]
    feed: Ints
    transfer_s: Floats
    restart_delay_s: Floats
    restart_s: Floats
    ups_backed: Bools
