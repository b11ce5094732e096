"""A pod of air-cooled racks in time: racks heat the hot aisle, coolers take it from there and feed the cold aisle.

Nodes and their laws (``c`` = specific heat of air, flows in kg/s, temperatures in degC)::

    rack r        tau dT_r/dt = q_r / G_r - (T_r - T_in)             heat to the air: G_r (T_r - T_in)
    servers' air  T_in = (1 - r) T_cold + r T_hot                    r: share of hot air that comes round to the inlets
    hot aisle     C dT_hot/dt = heat of racks and other gear + air in - air out - U (T_hot - T_wall) - L (T_hot - T_room)
    structure     layers w = 0, 1, ... of conductance U / 2^w and time constant tau_w 4^w, each on the one before it
    coolers       T_supply = max(set-point, T_water + (1 - eps) (T_hot - T_water)),  eps = 1 - exp(-NTU (m / m_0)^-0.2)
    cold aisle    C dT_cold/dt = m_coolers c (T_supply - T_cold)
    heat meter    tau_m dq/dt = m_coolers c (T_hot - T_supply) - q

A lumped server of mass and conductance: Erden, Khalifa, Schmidt, J. Electronic Packaging 136 (2014) 031005. A coil with a large water
flow is an exchanger with one constant side (Incropera, Fundamentals of Heat and Mass Transfer, 7th ed., eq. 11.35a); its conductance
grows with air flow to the power 0.8 (turbulent flow, Dittus-Boelter exponent). Floor, walls and racks are thick, so heat creeps into them
for hours: layers that double from one to the next are a semi-infinite solid (Incropera, section 5.7) on a widening grid, two constants.
What coolers move beyond the servers goes straight to the hot aisle; what servers draw beyond the coolers comes round from it. Each step
is implicit (backward Euler): racks and layers are eliminated one by one, then two equations remain, so it is stable for any step and
costs O(racks).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from topology.axes import Floats
from twin.solvers.jit import kernel, plain

AIR_J_KG_K = 1006.0
"""Specific heat of air at 20 degC (Incropera, table A.4)."""
FOREVER_S = 1e12
"""A step in which everything settles."""


class PodLaw(NamedTuple):
    """Constants of a pod.

    Attributes:
        gain: heat of the racks over their reported power.
        other_w: heat of gear that is not in the racks' reports.
        server_kg_s: air through all servers at speed 1.
        cooler_kg_s: air through all coolers at signal 1.
        server_lag_s: time constant of the servers.
        air_lag_s: air content of each aisle over the coolers' flow at signal 1.
        wall_w_k: conductance to the structure (its first layer).
        wall_lag_s: time constant of its first layer.
        supply_c: set-point of the air that leaves the coolers.
        meter_lag_s: time constant of coil and heat meter.
        leak_w_k: conductance to the room.
        around: share of hot air at the inlets.
        coil_ntu: transfer units of the coolers' coils at signal 1.
        water_c: water that enters the coils.
        start_w: heat in whose steady state the pod begins; the first step's heat where not positive.
        wall_start_k: structure above the hot aisle at the begin.
    """

    gain: float
    other_w: float
    server_kg_s: float
    cooler_kg_s: float
    server_lag_s: float
    air_lag_s: float
    wall_w_k: float
    wall_lag_s: float
    supply_c: float
    meter_lag_s: float
    leak_w_k: float
    around: float
    coil_ntu: float
    water_c: float
    start_w: float
    wall_start_k: float


class PodDrive(NamedTuple):
    """What drives a pod (T steps, R racks).

    Attributes:
        rack_w: (T, R) reported power.
        rack_share: (R,) share of each rack in the servers' air, sums to 1.
        speed: (T, R) speed of the servers' fans, 1 as a mean of the part that fits.
        signal: (T,) signal of the coolers' fans, 1 as a mean of the part that fits.
        room_c: (T,) room around.
    """

    rack_w: Floats
    rack_share: Floats
    speed: Floats
    signal: Floats
    room_c: Floats


class PodRun(NamedTuple):
    """A pod in time.

    Attributes:
        heat_w: (T,) heat that the meter sees.
        outlet_c: (T, R) air that leaves the servers of each rack.
        inlet_c: (T,) air that enters the servers.
        hot_c: (T,) hot aisle, the coolers' return.
        cold_c: (T,) cold aisle.
        supply_c: (T,) air that leaves the coolers.
    """

    heat_w: Floats
    outlet_c: Floats
    inlet_c: Floats
    hot_c: Floats
    cold_c: Floats
    supply_c: Floats


LAYERS = 4
"""Layers of the structure: each twice as thick as the one before it, so they answer from ``tau_w`` to ``64 tau_w``."""
EFFECTIVENESS = 0.5
"""Effectiveness of a server at speed 1, an assumption: with outlets measured but no metal, only its time constant shows."""


def run_pod(law: PodLaw, drive: PodDrive, step_s: float) -> PodRun:
    """Run a pod from the steady state of its first step.

    Args:
        law: constants.
        drive: what drives it.
        step_s: length of a step.

    Returns:
        Its course, the mean over each step (of its two ends), as meters give it.
    """
    steps, racks = drive.rack_w.shape
    aisle, outlet = np.empty((steps, 5)), np.empty((steps, racks))
    _run(PodLaw(*(float(v) for v in law)), PodDrive(*(plain(d) for d in drive)), step_s, aisle, outlet)
    for course in (aisle, outlet):
        course[1:] = 0.5 * (course[1:] + course[:-1])
    return PodRun(aisle[:, 0], outlet, *(aisle[:, k] for k in range(1, 5)))


@kernel
def _run(law: PodLaw, drive: PodDrive, step_s: float, aisle: Floats, outlet: Floats) -> None:
    """Fill the course step by step; the step before the first one is endless."""
    gain, other, m_s, m_c, tau_s, tau_a, u_w, tau_w, setpoint, tau_m, leak, around, ntu, water, start, wall_start = law
    rack_w, rack_share, speed, signal, room_c = drive
    steps, racks = rack_w.shape
    conductance = EFFECTIVENESS * m_s * AIR_J_KG_K
    content = tau_a * m_c * AIR_J_KG_K
    metal, layer = np.zeros(racks), np.full(LAYERS, setpoint)
    base, follow = np.zeros(LAYERS + 1), np.zeros(LAYERS + 1)
    hot, cold, meter = setpoint, setpoint, 0.0
    for t in range(-1, steps):
        dt = step_s if t >= 0 else FOREVER_S
        now = t if t >= 0 else 0
        part = gain * (max(start - other, 0.0) / (gain * rack_w[0].sum()) if t < 0 and start > 0.0 else 1.0)
        c_c = m_c * signal[now] * AIR_J_KG_K
        c_s, heat, slope = 0.0, 0.0, 0.0
        for r in range(racks):
            c_s += m_s * rack_share[r] * speed[now, r] * AIR_J_KG_K
            g = conductance * rack_share[r]
            rest = tau_s / dt / (1.0 + tau_s / dt)
            heat += g * rest * metal[r] + part * rack_w[now, r] / (1.0 + tau_s / dt)
            slope += g * rest
        share = min(max(around, 1.0 - c_c / c_s), 1.0)
        straight = c_c - (1.0 - share) * c_s
        for w in range(LAYERS - 1, -1, -1):
            # Each layer follows the one before it: T_w = base + follow T_(w-1), in units of the first conductance
            g, keep, deeper = 0.5**w, 2.0**w * tau_w / dt, 0.5 ** (w + 1) if w + 1 < LAYERS else 0.0
            total = keep + g + deeper * (1.0 - follow[w + 1])
            base[w], follow[w] = (keep * layer[w] + deeper * base[w + 1]) / total, g / total
        effectiveness = 1.0 - np.exp(-ntu * signal[now] ** -0.2)
        # Hot aisle: a hot + b cold = e, cold aisle: f hot + h cold = k; supply = s0 + s1 hot
        a = content / dt + c_c + share * c_s + u_w * (1.0 - follow[0]) + leak - share * (c_s - slope)
        b = -straight - (1.0 - share) * (c_s - slope)
        e = content / dt * hot + heat + other + u_w * base[0] + leak * room_c[now]
        h = content / dt + c_c
        s0, s1 = setpoint, 0.0
        for _ in range(2):
            f, k = -c_c * s1, content / dt * cold + c_c * s0
            det = a * h - b * f
            new_hot, new_cold = (e * h - b * k) / det, (a * k - e * f) / det
            least = water + (1.0 - effectiveness) * (new_hot - water)
            if s1 > 0.0 or least <= setpoint:
                break
            s0, s1 = water * effectiveness, 1.0 - effectiveness
        hot, cold = new_hot, new_cold
        supply = s0 + s1 * hot
        inlet = (1.0 - share) * cold + share * hot
        for w in range(LAYERS):
            layer[w] = base[w] + follow[w] * (hot if w == 0 else layer[w - 1])
        gone = c_c * (hot - supply)
        meter = (meter * tau_m / dt + gone) / (1.0 + tau_m / dt)
        for r in range(racks):
            g = conductance * rack_share[r]
            lag = tau_s / dt
            metal[r] = (lag * metal[r] + part * rack_w[now, r] / g + inlet) / (1.0 + lag)
            if t >= 0:
                outlet[t, r] = inlet + g * (metal[r] - inlet) / (m_s * rack_share[r] * speed[now, r] * AIR_J_KG_K)
        if t < 0:
            layer += wall_start
        else:
            aisle[t, 0], aisle[t, 1], aisle[t, 2], aisle[t, 3], aisle[t, 4] = meter, inlet, hot, cold, supply
