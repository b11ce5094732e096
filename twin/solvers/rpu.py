"""The published fan and pump controller of a liquid-to-air unit (AALC), step by step and where it settles.

Figures and rules: facebook/OpenBIC, meta-facebook/aalc-rpu, src/platform/plat_fsc.c and plat_fsc_table.c (Apache-2.0), in the
revision whose fan gains are kp -15, ki -0.1, kd -0.01; another revision has ki -0.12 and outlet steps from 33 to 42 degC. Once a
second the fans get a base duty from the air at the exchanger's inlet, plus a step from the coolant's outlet, plus a PID on the
coolant's outlet; pumps run at full duty, or follow a flow set-point by a PID every five seconds. Duties are whole per cent: the
firmware cuts decimals off, and a negative sum of the PID is zero.

Nothing here knows a plant: a transient solver calls :func:`fan_step` and :func:`pump_step`, the steady solve
:func:`floor_share`.
"""

from __future__ import annotations

import math

import numpy as np

from topology.axes import Floats
from twin.solvers.jit import kernel

FAN_SET_C = 40.0
"""Coolant outlet that the fans hold [degC]; the firmware lets another be set."""
FAN_KP, FAN_KI, FAN_KD = -15.0, -0.1, -0.01
"""Gains of the fans [% of duty per K, a step of one second]."""
FAN_INTEGRAL = (0.0, 90.0)
FAN_DUTY = (10.0, 100.0)
PUMP_KP, PUMP_KI, PUMP_KD = 0.5, 0.03, 0.01
"""Gains of the pumps [% of duty per L/min, a step of five seconds]."""
PUMP_INTEGRAL = (-5.0, 90.0)
PUMP_DUTY = (20.0, 100.0)
PUMP_BASE = 10.0
"""Step duty beneath the pumps' PID when they follow a flow [%]."""
AIR_STEPS = np.array([[30.0, 5.0], [31.0, 7.0], [32.0, 9.0], [33.0, 11.0], [34.0, 13.0], [35.0, 15.0], [36.0, 17.0], [40.0, 19.0]])
"""Base duty [%] by air inlet [degC]: the first row that is not exceeded counts, the last one above all."""
COOLANT_STEPS = np.array([
    [34.0, 5.0], [35.0, 8.0], [36.0, 11.0], [37.0, 14.0], [38.0, 17.0], [41.0, 20.0], [41.2, 25.0], [41.5, 35.0], [42.0, 45.0],
])  # fmt: skip
"""Further duty [%] by coolant outlet [degC], read the same way."""


@kernel
def step_duty(table: Floats, temp_c: float) -> float:
    """Duty of the first row whose temperature is not exceeded, that of the last row above all [%].

    Args:
        table: (n, 2) temperature [degC] and duty [%], rising.
        temp_c: what the sensor says.
    """
    for j in range(table.shape[0]):
        if temp_c <= table[j, 0]:
            duty: float = table[j, 1]
            return duty
    last: float = table[table.shape[0] - 1, 1]
    return last


@kernel
def fan_step(coolant_c: float, air_c: float, set_c: float, integral_pct: float, error_k: float) -> tuple[float, float, float]:
    """One second of the fan controller.

    Args:
        coolant_c: coolant outlet.
        air_c: air at the exchanger's inlet.
        set_c: outlet that is held, :data:`FAN_SET_C`.
        integral_pct: integral part of the step before, 0 at the start [%].
        error_k: error of the step before, 0 at the start.

    Returns:
        Fan duty [%], and integral and error for the next step.
    """
    error = set_c - coolant_c
    integral_pct = min(max(integral_pct + FAN_KI * error, FAN_INTEGRAL[0]), FAN_INTEGRAL[1])
    pid = math.floor(max(FAN_KP * error + integral_pct + FAN_KD * (error - error_k), 0.0))
    duty = step_duty(AIR_STEPS, air_c) + step_duty(COOLANT_STEPS, coolant_c) + min(pid, 255.0)
    return min(max(duty, FAN_DUTY[0]), FAN_DUTY[1]), integral_pct, error


@kernel
def pump_step(flow_lpm: float, set_lpm: float, integral_pct: float, error_lpm: float) -> tuple[float, float, float]:
    """Five seconds of the pump controller when it follows a flow; the firmware adds 1 L/min to what the operator sets.

    The firmware's dead band of 1 L/min does not reach its PID, so there is none here.

    Args:
        flow_lpm: measured coolant flow.
        set_lpm: flow that is held, the operator's plus 1 L/min.
        integral_pct: integral part of the step before, 0 at the start [%].
        error_lpm: error of the step before, 0 at the start.

    Returns:
        Pump duty [%], and integral and error for the next step.
    """
    error = set_lpm - math.floor(flow_lpm)
    integral_pct = min(max(integral_pct + PUMP_KI * error, PUMP_INTEGRAL[0]), PUMP_INTEGRAL[1])
    pid = math.floor(max(PUMP_KP * error + integral_pct + PUMP_KD * (error - error_lpm), 0.0))
    return min(max(PUMP_BASE + min(pid, 255.0), PUMP_DUTY[0]), PUMP_DUTY[1]), integral_pct, error


@kernel
def floor_share(coolant_c: float, air_c: float) -> float:
    """Least share of full fan speed at given temperatures: both steps together, within the limits of the duty.

    Where this cools to below the set-point the PID is at rest, and the unit settles where this share and the outlet agree.

    Args:
        coolant_c: coolant outlet.
        air_c: air at the exchanger's inlet.
    """
    duty = step_duty(AIR_STEPS, air_c) + step_duty(COOLANT_STEPS, coolant_c)
    return min(max(duty, FAN_DUTY[0]), FAN_DUTY[1]) / 100.0
