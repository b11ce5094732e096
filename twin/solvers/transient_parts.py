"""What the transient kernels work on: a plant's constants, its state, what drives a stretch of time, and what is written down.

Lengths: R racks, C CDUs, A air units, H halls, L loops, B pump branches, P places on manifolds. A branch is a CDU on a TCS loop and a
pump entry on a facility loop. Everything is SI, temperatures in degC.
"""

from __future__ import annotations

from typing import NamedTuple

from topology.axes import Bools, Floats, Ints


class RackParts(NamedTuple):
    """Racks (R).

    Attributes:
        loop: TCS loop, -1 for none.
        hall: hall.
        plates: accelerators.
        liquid_frac: share of their heat that goes to liquid.
        metal_j_k: all plates or heat sinks.
        water_j_k: coolant in the plates.
        rest_j_k: coolant in the rest of the rack.
        water_cp: heat capacity of its coolant [J/(kg K)].
        through_frac: share of the rack's flow that passes the plates.
        plate_share: share of the rack's flow that passes one plate.
        r_base_k_w: plate law, constant part.
        r_flow: plate law, flow-dependent part.
        r_exponent: plate law, exponent.
        r_anchor: factor on the law that makes the start a steady state.
        net_k_w: (R, 2) bounds of the resistance between metal and coolant in the plate, one accelerator.
        r_air_k_w: junction to inlet air, 0 for liquid.
        r_memory_k_w: memory above junction.
        limit_c: (R, 6) limits of junction, memory, coolant supply, coolant return, inlet air, and junction shutdown.
    """

    loop: Ints
    hall: Ints
    plates: Floats
    liquid_frac: Floats
    metal_j_k: Floats
    water_j_k: Floats
    rest_j_k: Floats
    water_cp: Floats
    through_frac: Floats
    plate_share: Floats
    r_base_k_w: Floats
    r_flow: Floats
    r_exponent: Floats
    r_anchor: Floats
    net_k_w: Floats
    r_air_k_w: Floats
    r_memory_k_w: Floats
    limit_c: Floats


class LoopParts(NamedTuple):
    """Loops (L) and the manifolds' places (P) in loop order.

    Attributes:
        fws: facility loop.
        cp_j_kg_k: heat capacity.
        rho_kg_m3: density.
        set_c: supply set-point.
        limit_c: highest supply.
        mains_kg: coolant in one direction; pipes ``2 l`` (supply) and ``2 l + 1`` (return).
        manifold_first: (L + 1,) manifolds of each loop.
        place_first: (manifolds + 1,) places of each manifold; pipes ``2 L + 2 p`` and ``2 L + 2 p + 1``.
        place_rack: (P,) rack at each place.
        cdu_order: CDUs grouped by TCS loop.
        cdu_first: (L + 1,) offsets into it.
        basin_j_k: what the heat rejection of a facility loop stores.
        pumped: the loop has pumps with curves or CDUs; others hold their set-point by themselves.
        efficiency: (B,) of each branch's pumps.
        fixed_w: (B,) pump power that does not depend on flow.
        chiller_lag_s: time constant of chillers on each loop.
        reject_slew_per_s: most change of the share of full heat rejection in a second.
    """

    fws: Bools
    cp_j_kg_k: Floats
    rho_kg_m3: Floats
    set_c: Floats
    limit_c: Floats
    mains_kg: Floats
    manifold_first: Ints
    place_first: Ints
    place_rack: Ints
    cdu_order: Ints
    cdu_first: Ints
    basin_j_k: Floats
    pumped: Bools
    efficiency: Floats
    fixed_w: Floats
    chiller_lag_s: Floats
    reject_slew_per_s: Floats


class ExchangerParts(NamedTuple):
    """CDUs (C) or air units (A).

    Attributes:
        fws: facility loop, -1 for the hall's air.
        hall: hall.
        cold_kg_s: cold flow with the valve open.
        hot_kg_s: rated hot flow.
        hot_cp_j_kg_k: hot side.
        cold_cp_j_kg_k: cold side.
        hot_j_k: what the hot side stores.
        wall_j_k: metal.
        cold_j_k: what the cold side stores.
        anchor: factor on the law that makes the start a steady state.
        set_c: outlet that the valve holds.
        valve_per_s: most travel of the valve in a second.
        fan_w: fans at full speed.
        aux_w: controls.
        duty_w: rated heat.
        floor_frac: lowest fan speed.
        rundown_s: fans without power, to half speed.
        firmware: the published controller of liquid-to-air units drives the fans.
    """

    fws: Ints
    hall: Ints
    cold_kg_s: Floats
    hot_kg_s: Floats
    hot_cp_j_kg_k: Floats
    cold_cp_j_kg_k: Floats
    hot_j_k: Floats
    wall_j_k: Floats
    cold_j_k: Floats
    anchor: Floats
    set_c: Floats
    valve_per_s: Floats
    fan_w: Floats
    aux_w: Floats
    duty_w: Floats
    floor_frac: Floats
    rundown_s: Floats
    firmware: Bools


class HallParts(NamedTuple):
    """Halls (H).

    Attributes:
        cold_j_k: air on the supply side.
        hot_j_k: air on the exhaust side with what it passes in the racks.
        set_c: supply set-point.
        limit_c: highest supply.
        unit_order: air units grouped by hall.
        unit_first: (H + 1,) offsets into it.
        fans_kg_s: (H,) air flow below which the racks' own fans draw exhaust back in.
    """

    cold_j_k: Floats
    hot_j_k: Floats
    set_c: Floats
    limit_c: Floats
    unit_order: Ints
    unit_first: Ints
    fans_kg_s: Floats


class State(NamedTuple):
    """Everything that changes; the kernels write it in place.

    Attributes:
        metal_c: (R,) plates, which is the junction.
        water_c: (R,) coolant in the plates.
        rest_c: (R,) coolant in the rest of the rack, which is its outlet.
        entry_c: (R,) coolant at the rack's inlet.
        rack_kg_s: (R,) flow.
        on: (R,) 1 while the rack draws power, 0 once it has shut itself down.
        cdu_c: (C, 3) hot outlet, wall, cold outlet.
        cdu_valve: (C, 4) position, command, error of the last sample, integral (firmware).
        unit_c: (A, 2) wall, cold outlet.
        unit_valve: (A, 4) position, command, error of the last sample, air outlet.
        unit_fan: (A, 2) speed, command.
        hall_c: (H, 3) supply, exhaust, supply of the step before.
        loop_c: (L, 5) heat rejection's outlet, that of the step before, supply at the CDUs or manifolds, return, mixed CDU outlet.
        reject: (L, 3) share of full rejection, command, error of the last sample.
        chiller_w: (L,) heat that chillers take.
        pump: (L, 2) speed command, error of the last sample.
        speed: (B,) pump speeds.
        flow: (B,) flow of each branch.
        clock: (3,) time [s], time of the next sample [s], step before [s].
        book_j: (3,) heat put in, heat that left, and the largest of both by size since the start.
        first_s: (R, 6) first time beyond each limit of :attr:`RackParts.limit_c`, infinite for never.
        loop_s: (L,) first time that a loop's supply is beyond its limit.
        hall_s: (H,) the same of a hall's supply air.
        peak_c: (R,) highest junction so far.
        last_c: (R, 6) what each limit was held against at the end of the step before.
    """

    metal_c: Floats
    water_c: Floats
    rest_c: Floats
    entry_c: Floats
    rack_kg_s: Floats
    on: Floats
    cdu_c: Floats
    cdu_valve: Floats
    unit_c: Floats
    unit_valve: Floats
    unit_fan: Floats
    hall_c: Floats
    loop_c: Floats
    reject: Floats
    chiller_w: Floats
    pump: Floats
    speed: Floats
    flow: Floats
    clock: Floats
    book_j: Floats
    first_s: Floats
    loop_s: Floats
    hall_s: Floats
    peak_c: Floats
    last_c: Floats


class Drive(NamedTuple):
    """What holds during a stretch of time.

    Attributes:
        span_s: (2,) start and end.
        heat_w: (2, R, 3) accelerator power (all of a rack), liquid heat and input power at both ends, linear between.
        cdu_on: (C,) runs.
        unit_on: (A,) runs.
        shut: (L,) a valve has closed the loop.
        powered: (B,) the branch's pumps have power.
        running: (B,) equal pumps that run, or ran before they coast.
        ramp_per_s: (B,) most change of speed in a second.
        sinks_c: (L, 2, N) supply temperatures of the rejection curves before and after a change of what runs.
        sinks_w: (L, 2, N) heat that everything at full speed rejects there.
        blend: (L, 2) time at which the change began and how long it takes [s].
        chiller_most_w: (L,) heat that running chillers can take.
        chiller_ratio: (L,) their power for each watt taken.
        share: (N, R) flow of each rack over the root of its loop's header pressure, at the knots of that loop's curve.
    """

    span_s: Floats
    heat_w: Floats
    cdu_on: Bools
    unit_on: Bools
    shut: Bools
    powered: Bools
    running: Floats
    ramp_per_s: Floats
    sinks_c: Floats
    sinks_w: Floats
    blend: Floats
    chiller_most_w: Floats
    chiller_ratio: Floats
    share: Floats


class Work(NamedTuple):
    """Scratch of one step: flows, parcels and heats, written anew each time.

    Attributes:
        mean: (B,) branch flows, mean of the step.
        loop_kg_s: (L,) loop flows, mean.
        phi: (L,) flow of facility loops over what their valves ask for.
        valve: (C,) CDU valves, mean.
        coil: (A,) air unit valves, mean.
        fan: (A,) fan speeds, mean.
        supply_c: (L, 2) facility supply at the consumers, mean and slope.
        back: (L, 3) what consumers give back: mass, mass times temperature, mass times slope.
        hall_w: (H,) heat into the hall's air without that of its units' fans, mean.
        pump_w: (B,) hydraulic power of pumps, mean, wire side.
        rejected_w: (L,) heat rejected, mean.
    """

    mean: Floats
    loop_kg_s: Floats
    phi: Floats
    valve: Floats
    coil: Floats
    fan: Floats
    supply_c: Floats
    back: Floats
    hall_w: Floats
    pump_w: Floats
    rejected_w: Floats


class Written(NamedTuple):
    """What is kept at each recorded time (T rows).

    Attributes:
        time_s: (T,) times to record at, rising.
        chip_c: (T, R) junction.
        entry_c: (T, R) coolant inlet.
        outlet_c: (T, R) coolant outlet.
        rack_kg_s: (T, R) flow.
        rack_w: (T, R) input power.
        loop_supply_c: (T, L) supply at the header.
        loop_return_c: (T, L) return at the CDUs or the heat rejection.
        loop_kg_s: (T, L) flow.
        loop_dp_pa: (T, L) header pressure.
        cdu_w: (T, C) heat from the coolant into each CDU.
        cdu_valve_frac: (T, C) valve.
        hall_supply_c: (T, H) supply air.
        hall_exhaust_c: (T, H) exhaust air.
        reject_w: (T, L) heat rejected.
        reject_frac: (T, L) share of full rejection in use.
        chiller_w: (T, L) heat taken by chillers.
        gear_w: (T,) power of pumps, fans and chillers.
    """

    time_s: Floats
    chip_c: Floats
    entry_c: Floats
    outlet_c: Floats
    rack_kg_s: Floats
    rack_w: Floats
    loop_supply_c: Floats
    loop_return_c: Floats
    loop_kg_s: Floats
    loop_dp_pa: Floats
    cdu_w: Floats
    cdu_valve_frac: Floats
    hall_supply_c: Floats
    hall_exhaust_c: Floats
    reject_w: Floats
    reject_frac: Floats
    chiller_w: Floats
    gear_w: Floats
