"""Controllers, sampled once a second as digital controls are: valves, pumps, fans, heat rejection.

All are proportional-integral in velocity form, which has no wind-up: ``u += kp (e - e_before) + ki e``, held to 0..1, and what they
command moves at its own rate. Liquid-to-air units that say so follow the published firmware instead (:mod:`twin.solvers.rpu`).
"""

from __future__ import annotations

from twin.solvers.jit import inner, kernel
from twin.solvers.momentum import Branches, header
from twin.solvers.rpu import FAN_KP, fan_step
from twin.solvers.transient_flow import open_kg_s
from twin.solvers.transient_parts import Drive, ExchangerParts, HallParts, LoopParts, State, Work

SAMPLE_S = 1.0
"""Time between samples [s]; the published AALC controller has the same."""
VALVE_KP, VALVE_KI = 0.015, 0.0008
"""Control valves [1/K, 1/K a sample]: an outlet that is 1 K off moves the valve through its stroke in twenty minutes (estimate)."""
PUMP_KP, PUMP_KI = 0.05, 0.05
"""Pump drives [speed for the whole set-point, the same a sample] (estimate: settles in about ten seconds)."""
REJECT_KP, REJECT_KI = 0.1, 0.0002
"""Tower fans and bypass [share of full rejection for 1 K, the same a sample] (estimate)."""


@inner
def _pi(command: float, error: float, before: float, kp: float, ki: float) -> float:
    return min(max(command + kp * (error - before) + ki * error, 0.0), 1.0)


@inner
def control(
    loops: LoopParts, cdus: ExchangerParts, units: ExchangerParts, halls: HallParts, b: Branches, drive: Drive, state: State, work: Work,
    hall_c_now: bool,
) -> None:  # fmt: skip
    """One sample of every controller.

    Args:
        loops: loops.
        cdus: CDUs.
        units: air units.
        halls: halls.
        b: branches.
        drive: what runs.
        state: commands are changed.
        work: heat of halls and flows of the last step.
        hall_c_now: whether fans follow the heat of the last step; they keep their speed before the first one.
    """
    _loops(loops, cdus, units, b, drive, state)
    for c in range(cdus.fws.size):
        if not drive.cdu_on[c]:
            continue
        if cdus.firmware[c]:
            air = state.hall_c[cdus.hall[c], 0]
            duty, state.cdu_valve[c, 3], state.cdu_valve[c, 2] = fan_step(
                state.cdu_c[c, 0], air, cdus.set_c[c], state.cdu_valve[c, 3], state.cdu_valve[c, 2]
            )
            state.cdu_valve[c, 1] = duty / 100.0
        else:
            error = state.cdu_c[c, 0] - cdus.set_c[c]
            state.cdu_valve[c, 1] = _pi(state.cdu_valve[c, 1], error, state.cdu_valve[c, 2], VALVE_KP, VALVE_KI)
            state.cdu_valve[c, 2] = error
    for h in range(halls.set_c.size):
        rated = 0.0
        for k in range(halls.unit_first[h], halls.unit_first[h + 1]):
            rated += units.duty_w[halls.unit_order[k]] if drive.unit_on[halls.unit_order[k]] else 0.0
        for k in range(halls.unit_first[h], halls.unit_first[h + 1]):
            a = halls.unit_order[k]
            if drive.unit_on[a]:
                if hall_c_now:
                    state.unit_fan[a, 1] = min(max(work.hall_w[h] / rated, units.floor_frac[a]), 1.0)
                error = state.unit_valve[a, 3] - units.set_c[a]
                state.unit_valve[a, 1] = _pi(state.unit_valve[a, 1], error, state.unit_valve[a, 2], VALVE_KP, VALVE_KI)
                state.unit_valve[a, 2] = error


@inner
def _loops(loops: LoopParts, cdus: ExchangerParts, units: ExchangerParts, b: Branches, drive: Drive, state: State) -> None:
    """Pumps of every loop hold its header pressure, heat rejection its supply temperature."""
    for x in range(loops.fws.size):
        powered, total = False, 0.0
        for i in range(b.first[x], b.first[x + 1]):
            powered = powered or drive.powered[i]
            total += state.flow[i]
        if powered and loops.pumped[x]:
            asked = open_kg_s(x, cdus, units, state.cdu_valve[:, 0], state.unit_valve[:, 0]) if loops.fws[x] else 0.0
            dp, _ = header(b, x, total, asked)
            error = min(max((b.dp_set_pa[x] - dp) / b.dp_set_pa[x], -1.0), 1.0)
            if abs(error) > DEAD:
                state.pump[x, 0] = _pi(state.pump[x, 0], error, state.pump[x, 1], PUMP_KP, PUMP_KI)
            state.pump[x, 1] = error
        if loops.fws[x]:
            error = state.loop_c[x, 0] - loops.set_c[x]
            state.reject[x, 1] = _pi(state.reject[x, 1], error, state.reject[x, 2], REJECT_KP, REJECT_KI)
            state.reject[x, 2] = error


DEAD = 1e-9
"""Share of the set-point within which a pump's speed is left alone."""


@kernel
def firmware_integral(coolant_c: float, steps_pct: float, duty_pct: float, set_c: float) -> float:
    """Integral part of the published fan controller that keeps a duty.

    Args:
        coolant_c: coolant outlet.
        steps_pct: duty of both step tables [%].
        duty_pct: duty that is to stay [%].
        set_c: outlet that is held.
    """
    return min(max(duty_pct - steps_pct - FAN_KP * (set_c - coolant_c), 0.0), 90.0)
