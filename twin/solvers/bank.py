"""Heat exchangers in parallel on one stream that hold its supply set-point: CDUs on a TCS loop, fan walls in a hall.

Every exchanger sees the same return temperature. One that has capacity to spare cools to the set-point, one that has not
gives what full cold flow can: ``Q = min(C_hot (T_ret - T_set), eps C_min (T_ret - T_cold))``. The sum is concave, increasing
and piecewise linear in the return temperature, so Newton from the unsaturated answer ends exactly after a few steps.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from topology.axes import Floats, Ints
from twin.solvers.jit import kernel
from twin.solvers.laws import exchanger_w_k

VALVE_TOLERANCE = 1e-10
"""Relative error of heat per kelvin at which a valve position counts as found."""
NEAR = 1e-4
"""First step beside a guess, in the logarithm of the share: from pass to pass a valve hardly moves."""


class Exchangers(NamedTuple):
    """Rating of each exchanger; see :class:`topology.axes.ExchangerAxis`."""

    hot_kg_s: Floats
    cold_kg_s: Floats
    hot_cp_j_kg_k: Floats
    cold_cp_j_kg_k: Floats
    ua_w_k: Floats
    hot_exponent: Floats
    cold_exponent: Floats


@kernel
def conductance_w_k(x: Exchangers, i: int, hot_kg_s: float, cold_kg_s: float) -> float:
    """UA at given flows: half the resistance on each side at the rating, each falling with its flow to the power n.

    Dittus-Boelter gives n = 0.8 for turbulent flow (Incropera and DeWitt, equation 8.60).
    """
    if hot_kg_s <= 0.0 or cold_kg_s <= 0.0:
        return 0.0
    hot = (x.hot_kg_s[i] / hot_kg_s) ** x.hot_exponent[i]
    cold = (x.cold_kg_s[i] / cold_kg_s) ** x.cold_exponent[i]
    ua: float = 2.0 * x.ua_w_k[i] / (hot + cold)
    return ua


@kernel
def _reach_w_k(x: Exchangers, i: int, hot_kg_s: float, cold_kg_s: float) -> float:
    ua = conductance_w_k(x, i, hot_kg_s, cold_kg_s)
    return exchanger_w_k(ua, hot_kg_s * x.hot_cp_j_kg_k[i], cold_kg_s * x.cold_cp_j_kg_k[i])


@kernel
def _valve(x: Exchangers, i: int, hot_kg_s: float, full_kg_s: float, want_w_k: float, reach_w_k: float, guess: float) -> float:
    """Share of full cold flow that gives ``want_w_k``: regula falsi (Illinois) on the logarithm of the share, near a guess first."""
    if want_w_k <= 0.0:
        return 0.0
    if want_w_k >= reach_w_k:
        return 1.0
    hot_w_k, cold_w_k = hot_kg_s * x.hot_cp_j_kg_k[i], full_kg_s * x.cold_cp_j_kg_k[i]
    hot = (x.hot_kg_s[i] / hot_kg_s) ** x.hot_exponent[i]
    cold = (x.cold_kg_s[i] / full_kg_s) ** x.cold_exponent[i]
    a, fa, b, fb = math.log(1e-6), -want_w_k, 0.0, reach_w_k - want_w_k
    c = math.log(min(max(guess if guess > 0.0 else (want_w_k / reach_w_k) ** 1.6, 1e-5), 0.999))
    side = 0
    for n in range(100):
        ua = 2.0 * x.ua_w_k[i] / (hot + cold * math.exp(-x.cold_exponent[i] * c))
        fc = exchanger_w_k(ua, hot_w_k, math.exp(c) * cold_w_k) - want_w_k
        if abs(fc) <= VALVE_TOLERANCE * want_w_k or b - a < 1e-12:
            break
        if fc > 0.0:
            b, fb = c, fc
            if side == 1:
                fa *= 0.5
            side = 1
        else:
            a, fa = c, fc
            if side == -1:
                fb *= 0.5
            side = -1
        step = (NEAR if guess > 0.0 else 0.1) if n == 0 else 0.0
        c = min(max(c - step if fc > 0.0 else c + step, a), b) if step > 0.0 and b - a > 4.0 * step else (fa * b - fb * a) / (fa - fb)
    return math.exp(c)


@kernel
def solve_bank(
    x: Exchangers, members: Ints, hot_kg_s: Floats, full_kg_s: Floats, cold_c: Floats, duty_w: float, set_c: float,
    out_w: Floats, out_c: Floats, out_valve: Floats,
) -> tuple[float, float, bool]:  # fmt: skip
    """Share a duty among exchangers in parallel.

    Args:
        x: ratings.
        members: exchangers of this bank.
        hot_kg_s: hot-side flow of every exchanger, 0 where it does not run.
        full_kg_s: cold-side flow with the valve open, 0 where there is none.
        cold_c: cold-side inlet of every exchanger.
        duty_w: heat to carry, at least 0.
        set_c: supply set-point.
        out_w: heat of every exchanger; written for members.
        out_c: hot outlet of every exchanger; written for members.
        out_valve: share of full cold flow; read as a first guess and written for members.

    Returns:
        Return temperature, mixed supply temperature, and whether the duty is carried (false: nothing runs).
    """
    capacity, total = 0.0, 0.0
    guess, reach = np.zeros(members.size), np.zeros(members.size)
    for k, i in enumerate(members):
        guess[k] = out_valve[i]
        out_w[i], out_c[i], out_valve[i] = 0.0, set_c, 0.0
        capacity += hot_kg_s[i] * x.hot_cp_j_kg_k[i]
        if hot_kg_s[i] > 0.0:
            reach[k] = _reach_w_k(x, i, hot_kg_s[i], full_kg_s[i])
        total += reach[k]
    if duty_w <= 0.0:
        return set_c, set_c, True
    if capacity <= 0.0 or total <= 0.0:
        return set_c, set_c, False
    back = set_c + duty_w / capacity
    for _ in range(2 * members.size + 4):
        got, slope = 0.0, 0.0
        for k, i in enumerate(members):
            c, e = hot_kg_s[i] * x.hot_cp_j_kg_k[i], reach[k]
            free, most = c * (back - set_c), e * (back - cold_c[i])
            got += min(free, most)
            slope += c if free <= most else e
        if slope <= 0.0:
            return set_c, set_c, False
        step = (duty_w - got) / slope
        back += step
        if abs(step) <= 1e-13 * (1.0 + abs(back)):
            break
    supply = 0.0
    for k, i in enumerate(members):
        c, e = hot_kg_s[i] * x.hot_cp_j_kg_k[i], reach[k]
        if c <= 0.0:
            continue
        free, most = c * (back - set_c), e * (back - cold_c[i])
        out_w[i] = min(free, most)
        out_c[i] = back - out_w[i] / c
        supply += c * out_c[i] / capacity
        span = back - cold_c[i]
        out_valve[i] = 1.0 if free > most or span <= 0.0 else _valve(x, i, hot_kg_s[i], full_kg_s[i], free / span, e, guess[k])
    return back, supply, True
