"""Laws of one link in the kernels: the terms of a case, and the pressure that a flow costs with its slope.

The drop from start to end is ``c f(Re) Re m + a m + b m |m| + p |m|^n sign(m) - lift``: friction, linear, quadratic and power
terms, less what a pump and the fall in height give. Each term rises with the flow.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from topology.axes import Floats
from twin.solvers.friction import HAZEN_EXPONENT, friction
from twin.solvers.jit import inner
from twin.solvers.network_parts import RANGEABILITY, Columns

KV_PA = 1e5 * 3600.0**2 / 1000.0
"""``dp = KV_PA m^2 / (Kv^2 rho)`` [Pa]: Kv is the flow in m3/h of water of 1,000 kg/m3 at 1 bar (IEC 60534-1)."""


FRICTION, REYNOLDS, LAW, ROUGH, LINEAR, QUADRATIC, POWER, EXPONENT, LIFT, LOW, HIGH, IS_SHUT = range(12)
"""Columns of the terms of a case (L, 12): friction per ``f Re m``, Reynolds number per flow, number of the friction law, relative
roughness; coefficients; pressure that is given; bounds of the flow; whether the link is shut. One array, so that a call is cheap."""


class Inputs(NamedTuple):
    """Inputs of S cases; an array with one row serves every case.

    Attributes:
        opening_frac: (S, L) 0 is shut; a valve's shape makes a Kv of it.
        speed_frac: (S, L) pump speed.
        pumps: (S, L) pumps that run in parallel.
        setting: (S, L) what regulators hold.
        rho_kg_m3: (S, L) density.
        mu_pa_s: (S, L) viscosity.
        demand_kg_s: (S, N) flow that leaves at each node.
        pressure_pa: (S, N) pressure of nodes that hold one.
    """

    opening_frac: Floats
    speed_frac: Floats
    pumps: Floats
    setting: Floats
    rho_kg_m3: Floats
    mu_pa_s: Floats
    demand_kg_s: Floats
    pressure_pa: Floats


@inner
def row(values: Floats, s: int) -> Floats:
    """Row of case s; an array with one row serves every case."""
    own: Floats = values[s if values.shape[0] > 1 else 0]
    return own


@inner
def kv_open(kv_m3_h: float, shape: int, opening_frac: float) -> float:
    """Kv of a valve at an opening above 0."""
    if shape == 1:
        return kv_m3_h * math.exp(math.log(RANGEABILITY) * (opening_frac - 1.0))
    return kv_m3_h * opening_frac


@inner
def terms(s: int, c: Columns, x: Inputs, height_m: Floats, gravity_m_s2: float, t: Floats) -> None:
    """Write the terms of case s."""
    opening, speed, count = row(x.opening_frac, s), row(x.speed_frac, s), row(x.pumps, s)
    rhos, mus, setting = row(x.rho_kg_m3, s), row(x.mu_pa_s, s), row(x.setting, s)
    for k in range(c.start.size):
        rho, bore = rhos[k], c.diameter_m[k]
        t[k, IS_SHUT] = 1.0 if opening[k] <= 0.0 else 0.0
        t[k, FRICTION], t[k, REYNOLDS], t[k, POWER], t[k, EXPONENT] = 0.0, 0.0, 0.0, 2.0
        t[k, LINEAR], t[k, QUADRATIC] = c.linear[k], c.quadratic[k]
        t[k, LIFT] = rho * gravity_m_s2 * (height_m[c.start[k]] - height_m[c.end[k]])
        t[k, LOW] = 0.0 if c.check[k] == 1 else -math.inf
        t[k, HIGH] = math.inf
        if bore > 0.0:
            area = math.pi * bore * bore / 4.0
            t[k, QUADRATIC] += c.minor_k[k] / (2.0 * rho * area * area)
            t[k, LAW], t[k, ROUGH] = c.law[k], c.rough[k]
            if c.law[k] > 0:
                t[k, FRICTION] = c.length_m[k] * mus[k] / (2.0 * bore * bore * rho * area)
                t[k, REYNOLDS] = bore / (area * mus[k])
        if c.kv_m3_h[k] > 0.0 and t[k, IS_SHUT] == 0.0:
            kv = kv_open(c.kv_m3_h[k], c.shape[k], opening[k])
            t[k, QUADRATIC] += KV_PA / (kv * kv * rho)
        if c.hazen[k] > 0.0:
            t[k, POWER] = rho * gravity_m_s2 * c.hazen[k] / rho**HAZEN_EXPONENT
            t[k, EXPONENT] = HAZEN_EXPONENT
        if c.pump[k] == 1:
            _pump(k, c, speed[k], count[k], t)
        elif c.regulator[k] == 0:
            t[k, HIGH] = setting[k]


@inner
def _pump(k: int, c: Columns, speed: float, count: float, t: Floats) -> None:
    if count <= 0.0 or (speed <= 0.0 and c.check[k] == 1):
        t[k, IS_SHUT] = 1.0
        return
    n = c.pump_n[k]
    turned = 1.0 if speed <= 0.0 else speed ** (2.0 - n)
    t[k, LIFT] += c.shutoff_pa[k] * speed * speed
    t[k, POWER] = c.pump_k[k] * turned / count**n
    t[k, EXPONENT] = n


@inner
def drop(k: int, flow_kg_s: float, t: Floats) -> tuple[float, float]:
    """Pressure drop of link k from start to end [Pa], and its slope [Pa s/kg], at a flow."""
    m = abs(flow_kg_s)
    loss = m * (t[k, LINEAR] + t[k, QUADRATIC] * m)
    slope = t[k, LINEAR] + 2.0 * t[k, QUADRATIC] * m
    if t[k, FRICTION] > 0.0:
        re = t[k, REYNOLDS] * m
        f, f_slope = friction(int(t[k, LAW]), re, t[k, ROUGH])
        loss += t[k, FRICTION] * f * m
        slope += t[k, FRICTION] * (f + f_slope * re)
    if t[k, POWER] > 0.0 and m > 0.0:
        unit = t[k, POWER] * m ** (t[k, EXPONENT] - 1.0)
        loss += unit * m
        slope += t[k, EXPONENT] * unit
    return (loss if flow_kg_s >= 0.0 else -loss) - t[k, LIFT], slope


@inner
def first_guess(k: int, c: Columns, t: Floats) -> float:
    """A usual flow of link k [kg/s], to start from: 1 m/s in a pipe, half the shut-off of a pump, 10 kPa elsewhere."""
    usual_pa, bore = 1e4, c.diameter_m[k]
    if t[k, REYNOLDS] > 0.0:
        return 250.0 * math.pi * float(bore * bore)
    if c.pump[k] == 1:
        usual_pa = max(0.5 * c.shutoff_pa[k], 1.0)
    if t[k, POWER] > 0.0:
        return math.exp(math.log(usual_pa / t[k, POWER]) / t[k, EXPONENT])
    a, b = t[k, LINEAR], t[k, QUADRATIC]
    if a + b <= 0.0:
        return 1.0
    flow: float = 2.0 * usual_pa / (a + math.sqrt(a * a + 4.0 * b * usual_pa))
    return flow
