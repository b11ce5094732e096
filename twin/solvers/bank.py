"""Heat exchangers in parallel on one stream that hold its supply set-point: CDUs on a TCS loop, fan walls in a hall.

Every exchanger sees the same return temperature. One that has capacity to spare cools to the set-point, one that has not
gives what full cold flow can: ``Q = min(C_hot (T_ret - T_set), eps C_min (T_ret - T_cold))``. The sum is concave, increasing
and piecewise linear in the return temperature, so Newton from the unsaturated answer ends exactly after a few steps. A
liquid-to-air unit under its published controller (:mod:`twin.solvers.rpu`) does not slow its fans below a share that its
temperatures give: there it cools to below the set-point, and Newton is held in a bracket.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.solvers.jit import inlined, inner, kernel
from twin.solvers.laws import exchanger_w_k, narrowed
from twin.solvers.rpu import COOLANT_STEPS, floor_share

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
    hot_share_frac: Floats
    fouling_k_w: Floats
    firmware: Bools


@kernel
def conductance_w_k(x: Exchangers, i: int, hot_kg_s: float, cold_kg_s: float) -> float:
    """UA at given flows: each side has a share of the resistance at the rating and rises as its flow falls to the power n.

    ``1 / UA = (s (m_hot0 / m_hot)^n + (1 - s) (m_cold0 / m_cold)^n) / UA0 + R_fouling``; both films in series, the wall counted
    with them (Incropera and DeWitt, section 11.2). Dittus-Boelter gives n = 0.8 for turbulent flow in tubes (equation 8.60),
    corrugated plates 0.6 to 0.75 (Kumar 1984, Martin 1996).
    """
    if hot_kg_s <= 0.0 or cold_kg_s <= 0.0:
        return 0.0
    hot, cold = _films_k_w(x, i, hot_kg_s, cold_kg_s)
    ua: float = 1.0 / (hot + cold)
    return ua


@inner
def _films_k_w(x: Exchangers, i: int, hot_kg_s: float, cold_kg_s: float) -> tuple[float, float]:
    """Resistance of the hot side with fouling, and of the cold side, at given flows."""
    share = x.hot_share_frac[i]
    hot = share * (x.hot_kg_s[i] / hot_kg_s) ** x.hot_exponent[i] / x.ua_w_k[i] + x.fouling_k_w[i]
    cold = (1.0 - share) * (x.cold_kg_s[i] / cold_kg_s) ** x.cold_exponent[i] / x.ua_w_k[i]
    return hot, cold


@kernel
def reach_w_k(x: Exchangers, i: int, hot_kg_s: float, cold_kg_s: float) -> float:
    """Heat per kelvin between both inlets at given flows [W/K]."""
    ua = conductance_w_k(x, i, hot_kg_s, cold_kg_s)
    return exchanger_w_k(ua, hot_kg_s * x.hot_cp_j_kg_k[i], cold_kg_s * x.cold_cp_j_kg_k[i])


@kernel
def reaches_w_k(x: Exchangers, own: Ints, hot_kg_s: Floats, cold_kg_s: Floats, factor: Floats) -> Floats:
    """Heat per kelvin of some exchangers over time, their conductance without fouling times a factor [W/K].

    Args:
        x: ratings.
        own: (N,) numbers of the exchangers.
        hot_kg_s: (N, T) hot-side flow, NaN where it is not known.
        cold_kg_s: (N, T) cold-side flow.
        factor: (N, T) or (N, 1) factor of the conductance.

    Returns:
        (N, T), NaN where a flow is not known.
    """
    out = np.full(hot_kg_s.shape, np.nan)
    for n in range(own.size):
        i, dirt = own[n], x.fouling_k_w[own[n]]
        for t in range(hot_kg_s.shape[1]):
            hot, cold = hot_kg_s[n, t], cold_kg_s[n, t]
            if hot > 0.0 and cold > 0.0:
                clean = (1.0 / conductance_w_k(x, i, hot, cold) - dirt) / factor[n, min(t, factor.shape[1] - 1)]
                out[n, t] = exchanger_w_k(1.0 / (clean + dirt), hot * x.hot_cp_j_kg_k[i], cold * x.cold_cp_j_kg_k[i])
            elif hot <= 0.0 or cold <= 0.0:
                out[n, t] = 0.0
    return out


@inner
def valve_share(x: Exchangers, i: int, hot_kg_s: float, full_kg_s: float, want_w_k: float, most_w_k: float, share: float) -> float:
    """Share of full cold flow that gives ``want_w_k``: regula falsi (Illinois) on the logarithm of the share, near a guess first."""
    if want_w_k <= 0.0:
        return 0.0
    if want_w_k >= most_w_k:
        return 1.0
    hot_w_k, cold_w_k = hot_kg_s * x.hot_cp_j_kg_k[i], full_kg_s * x.cold_cp_j_kg_k[i]
    hot, cold = _films_k_w(x, i, hot_kg_s, full_kg_s)
    a, fa, b, fb = math.log(1e-6), -want_w_k, 0.0, most_w_k - want_w_k
    c = math.log(min(max(share if share > 0.0 else (want_w_k / most_w_k) ** 1.6, 1e-5), 0.999))
    side = 0
    for n in range(100):
        ua = 1.0 / (hot + cold * math.exp(-x.cold_exponent[i] * c))
        fc = exchanger_w_k(ua, hot_w_k, math.exp(c) * cold_w_k) - want_w_k
        if abs(fc) <= VALVE_TOLERANCE * want_w_k or b - a < 1e-12:
            break
        a, fa, b, fb, side = narrowed((a, fa, b, fb, side), c, fc)
        step = (NEAR if share > 0.0 else 0.1) if n == 0 else 0.0
        c = min(max(c - step if fc > 0.0 else c + step, a), b) if step > 0.0 and b - a > 4.0 * step else (fa * b - fb * a) / (fa - fb)
    return math.exp(c)


@inner
def _steps(x: Exchangers, i: int, hot_kg_s: float, full_kg_s: float, cold_c: float, set_c: float, rows: Floats) -> None:
    """Least share of full fan speed at the coolant of each row of the table, last at the set-point, and the heat per kelvin there.

    Neither depends on the return; ``rows`` (2, rows + 1) is written, so that the search for the return needs no exchanger.
    """
    for row in range(COOLANT_STEPS.shape[0] + 1):
        share = floor_share(COOLANT_STEPS[row, 0] if row < COOLANT_STEPS.shape[0] else set_c, cold_c)
        known = row > 0 and share == rows[0, row - 1]
        rows[0, row], rows[1, row] = share, rows[1, row - 1] if known else reach_w_k(x, i, hot_kg_s, share * full_kg_s)


@inlined
def _floor(rows: Floats, capacity_w_k: float, back_c: float, cold_c: float, set_c: float) -> tuple[int, float, float]:
    """Where a unit under its controller settles below the set-point: row of the table, heat, and its slope with the return.

    The share asked for falls in steps with the outlet and the outlet falls with the share, so the two meet once: in a row of the
    table, found by halving, or at the temperature between two rows, where the firmware dithers and the heat is the mean of both
    duties, less than the row's own. Row -1: it holds the set-point.
    """
    span, last = back_c - cold_c, COOLANT_STEPS.shape[0]
    if span <= 0.0 or rows[1, last] * span <= capacity_w_k * (back_c - set_c):
        return -1, 0.0, 0.0
    low, high = -1, last - 1  # the outlet at the duty of row `high` is not above that row
    while high - low > 1:
        mid = (low + high) // 2
        if back_c - rows[1, mid] * span / capacity_w_k <= COOLANT_STEPS[mid, 0]:
            high = mid
        else:
            low = mid
    edge = COOLANT_STEPS[low, 0] if low >= 0 else -math.inf
    if back_c - rows[1, high] * span / capacity_w_k > edge:
        return high, rows[1, high] * span, rows[1, high]
    return high, capacity_w_k * (back_c - edge), capacity_w_k


@inner
def _as_before(x: Exchangers, members: Ints, k: int, hot_kg_s: Floats, full_kg_s: Floats, cold_c: Floats) -> bool:
    """Whether a member of a bank is of the same make, and in the same state, as the one before it."""
    if k == 0:
        return False
    i, j = members[k], members[k - 1]
    state = hot_kg_s[i] == hot_kg_s[j] and full_kg_s[i] == full_kg_s[j] and cold_c[i] == cold_c[j] and x.firmware[i] == x.firmware[j]
    films = x.ua_w_k[i] == x.ua_w_k[j] and x.hot_share_frac[i] == x.hot_share_frac[j] and x.fouling_k_w[i] == x.fouling_k_w[j]
    flows = x.hot_kg_s[i] == x.hot_kg_s[j] and x.cold_kg_s[i] == x.cold_kg_s[j]
    powers = x.hot_exponent[i] == x.hot_exponent[j] and x.cold_exponent[i] == x.cold_exponent[j]
    media = x.hot_cp_j_kg_k[i] == x.hot_cp_j_kg_k[j] and x.cold_cp_j_kg_k[i] == x.cold_cp_j_kg_k[j]
    return bool(state and films and flows and powers and media)


@inner
def _free_return(capacity_w_k: Floats, reach_w_k: Floats, cold_c: Floats, duty_w: float, set_c: float, back_c: float) -> float:
    """Return temperature of a bank by its running members (N,): Newton on a sum that is concave, from where no unit is at its limit."""
    back = back_c
    for _ in range(2 * capacity_w_k.size + 4):
        got, slope = 0.0, 0.0
        for k in range(capacity_w_k.size):
            free, most = capacity_w_k[k] * (back - set_c), reach_w_k[k] * (back - cold_c[k])
            got += min(free, most)
            slope += capacity_w_k[k] if free <= most else reach_w_k[k]
        step = (duty_w - got) / slope
        back += step
        if abs(step) <= 1e-13 * (1.0 + abs(back)):
            break
    return back


@inner
def _settled_return(
    capacity_w_k: Floats, reach_w_k: Floats, cold_c: Floats, rows: Floats, again: Bools, duty_w: float, set_c: float, back_c: float
) -> float:
    """Return temperature of a bank with units under their controller, by its running members (N,).

    Duties rise with the return in straight pieces, so Newton ends exactly once it is in the right one; where it would leave the
    bracket of what is known, regula falsi, and bisection after a while. ``rows`` (N, 2, rows + 1) is NaN for units that hold the
    set-point whatever the return.
    """
    low, high, below, above, back = min(set_c, cold_c.min()) - 1.0, math.inf, -math.inf, math.inf, back_c
    for n in range(200):
        got, slope, row, heat, own = 0.0, 0.0, -1, 0.0, 0.0
        for k in range(capacity_w_k.size):
            c, e = capacity_w_k[k], reach_w_k[k]
            if not again[k]:
                row = -1
                if not np.isnan(rows[k, 0, 0]):
                    row, heat, own = _floor(rows[k], c, back, cold_c[k], set_c)
            if row >= 0:
                got += heat
                slope += own
                continue
            free, most = c * (back - set_c), e * (back - cold_c[k])
            got += min(free, most)
            slope += c if free <= most else e
        step = (duty_w - got) / slope
        if abs(step) <= 1e-13 * (1.0 + abs(back)):
            back += step
            break
        if got >= duty_w:
            high, above = back, got - duty_w
        else:
            low, below = back, got - duty_w
        back += step
        if not low < back < high:
            falsi = (below * high - above * low) / (below - above)
            back = falsi if n < 20 and below > -math.inf and above < math.inf else 0.5 * (low + high)
    return back


@inner
def solve_bank(
    x: Exchangers, members: Ints, hot_kg_s: Floats, full_kg_s: Floats, cold_c: Floats, duty_w: float, set_c: float, near_c: float,
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
        near_c: return temperature of the pass before, a first guess where it is above the set-point.
        out_w: heat of every exchanger; written for members.
        out_c: hot outlet of every exchanger; written for members.
        out_valve: share of full cold flow; read as a first guess and written for members.

    Returns:
        Return temperature, mixed supply temperature, and whether the duty is carried (false: nothing runs).
    """
    capacity, total, any_firmware = 0.0, 0.0, False
    guess, reach, again = np.zeros(members.size), np.zeros(members.size), np.zeros(members.size, np.bool_)
    for k, i in enumerate(members):
        again[k] = _as_before(x, members, k, hot_kg_s, full_kg_s, cold_c)
        guess[k] = out_valve[i]
        out_w[i], out_c[i], out_valve[i] = 0.0, set_c, 0.0
        capacity += hot_kg_s[i] * x.hot_cp_j_kg_k[i]
        if hot_kg_s[i] > 0.0:
            reach[k] = reach[k - 1] if again[k] else reach_w_k(x, i, hot_kg_s[i], full_kg_s[i])
            any_firmware = any_firmware or x.firmware[i]
        total += reach[k]
    if duty_w <= 0.0:
        return set_c, set_c, True
    if capacity <= 0.0 or total <= 0.0:
        return set_c, set_c, False
    back = set_c + duty_w / capacity
    rows = np.full((members.size if any_firmware else 0, 2, COOLANT_STEPS.shape[0] + 1), np.nan)
    running = np.zeros(members.size)
    for k, i in enumerate(members):
        if reach[k] > 0.0:
            running[k] = hot_kg_s[i] * x.hot_cp_j_kg_k[i]
            if x.firmware[i] and again[k]:
                rows[k] = rows[k - 1]
            elif x.firmware[i]:
                _steps(x, i, hot_kg_s[i], full_kg_s[i], cold_c[i], set_c, rows[k])
    if any_firmware:
        start = near_c if near_c > set_c else back
        back = _settled_return(running, reach, cold_c[members], rows, again, duty_w, set_c, start)
    else:
        back = _free_return(running, reach, cold_c[members], duty_w, set_c, back)
    supply = 0.0
    for k, i in enumerate(members):
        c, e = hot_kg_s[i] * x.hot_cp_j_kg_k[i], reach[k]
        if c <= 0.0:
            continue
        if again[k] and guess[k] == guess[k - 1]:
            j = members[k - 1]
            out_w[i], out_c[i], out_valve[i] = out_w[j], out_c[j], out_valve[j]
            supply += c * out_c[i] / capacity
            continue
        free, most = c * (back - set_c), e * (back - cold_c[i])
        row, heat, span = -1, min(free, most), back - cold_c[i]
        if x.firmware[i] and reach[k] > 0.0:
            row, settled, _ = _floor(rows[k], c, back, cold_c[i], set_c)
            heat = settled if row >= 0 else heat
        out_w[i], out_c[i] = heat, back - heat / c
        supply += c * out_c[i] / capacity
        if row >= 0:
            share, asked = rows[k, 0, row], rows[k, 1, row]
            dithers = heat < asked * span  # between two rows: the mean of both duties
            out_valve[i] = share * (valve_share(x, i, hot_kg_s[i], share * full_kg_s[i], heat / span, asked, 0.0) if dithers else 1.0)
        elif free > most or span <= 0.0:
            out_valve[i] = 1.0
        else:
            out_valve[i] = valve_share(x, i, hot_kg_s[i], full_kg_s[i], free / span, e, guess[k])
    return back, supply, True
