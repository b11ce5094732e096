"""The plant outside the halls: cooling towers and trim chillers on a facility loop."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.solvers.jit import kernel
from twin.solvers.laws import YORK_APPROACH_K, YORK_LG_MAX, YORK_RANGE_K, YORK_WET_BULB_C, biquadratic, york_approach_k

YORK = np.array([
    -0.359741205, -0.055053608, 0.0023850432, 0.173926877, -0.0248473764, 0.00048430224, -0.005589849456, 0.0005770079712,
    -0.00001342427256, 2.84765801111111, -0.121765149, 0.0014599242, 1.680428651, -0.0166920786, -0.0007190532, -0.025485194448,
    0.0000487491696, 0.00002719234152, -0.0653766255555556, -0.002278167, 0.0002500254, -0.0910565458, 0.00318176316,
    0.000038621772, -0.0034285382352, 0.00000856589904, -0.000001516821552,
])  # fmt: skip
"""YorkCalc coefficients (EnergyPlus Engineering Reference; Modelica Buildings, Correlations.yorkCalc)."""


class Towers(NamedTuple):
    """See :class:`topology.axes.TowerAxis`."""

    fws: Ints
    duty_w: Floats
    water_kg_s: Floats
    lg_ratio: Floats
    exchanger_k: Floats
    fan_w: Floats
    pump_w: Floats


class Chillers(NamedTuple):
    """See :class:`topology.axes.ChillerAxis`."""

    fws: Ints
    duty_w: Floats
    cop: Floats
    cap_f_t: Floats
    eir_f_t: Floats
    eir_f_plr: Floats


@kernel
def _approach(t: Towers, w: int, york: Floats, wet_bulb_c: float, range_k: float, fan: float) -> float:
    r = min(max(range_k, YORK_RANGE_K[0]), YORK_RANGE_K[1])
    a = york_approach_k(wet_bulb_c, r, t.lg_ratio[w] / fan, york)
    return min(max(a, YORK_APPROACH_K[0]), YORK_APPROACH_K[1])


@kernel
def solve_towers(
    t: Towers, york: Floats, alive: Bools, heat_w: Floats, cp_j_kg_k: Floats, wet_bulb_c: float, set_c: Floats,
    out_w: Floats, out_fan: Floats, out_ok: Bools,
) -> tuple[Floats, Bools]:  # fmt: skip
    """Reject the heat of every loop in its running cells, in proportion to their rating.

    Fans slow down while the loop's set-point is held, down to the L/G bound of the correlation; below that a bypass holds it.
    The range is held inside the correlation's bounds from below, which is on the safe side (a smaller range has a smaller
    approach); a wet bulb or range above them is reported in ``out_ok``.

    Args:
        t: ratings.
        york: :data:`YORK`.
        alive: cells that run.
        heat_w: heat of each loop.
        cp_j_kg_k: heat capacity of each loop's water.
        wet_bulb_c: outdoor wet bulb.
        set_c: supply set-point of each loop.
        out_w: heat of each cell; written.
        out_fan: fan speed of each cell; written.
        out_ok: whether the correlation is inside its bounds; written.

    Returns:
        Supply temperature that the towers of each loop reach, and whether any of its cells runs.
    """
    total, supply = np.zeros(set_c.size), np.zeros(set_c.size)
    for w in range(t.fws.size):
        out_w[w], out_fan[w], out_ok[w] = 0.0, 0.0, True
        if alive[w]:
            total[t.fws[w]] += t.duty_w[w]
    for w in range(t.fws.size):
        if not alive[w]:
            continue
        f = t.fws[w]
        share = t.duty_w[w] / total[f]
        range_k = heat_w[f] * share / (t.water_kg_s[w] * cp_j_kg_k[f])
        target = set_c[f] - t.exchanger_k[w] - wet_bulb_c
        fan, reach, best = _fan(t, w, york, wet_bulb_c, range_k, target)
        out_w[w], out_fan[w] = heat_w[f] * share, fan
        inside = YORK_WET_BULB_C[0] <= wet_bulb_c <= YORK_WET_BULB_C[1] and range_k <= YORK_RANGE_K[1]
        out_ok[w] = inside and best > YORK_APPROACH_K[0]
        supply[f] += (wet_bulb_c + reach + t.exchanger_k[w]) * share
    running = total > 0.0
    for f in range(set_c.size):
        if not running[f]:
            supply[f] = set_c[f]
    return supply, running


@kernel
def _fan(t: Towers, w: int, york: Floats, wet_bulb_c: float, range_k: float, target_k: float) -> tuple[float, float, float]:
    """Fan speed that holds an approach, the approach reached, and the one at full speed."""
    low, high = t.lg_ratio[w] / YORK_LG_MAX, 1.0
    best = _approach(t, w, york, wet_bulb_c, range_k, 1.0)
    if best > target_k:
        return 1.0, best, best
    f_low = _approach(t, w, york, wet_bulb_c, range_k, low) - target_k
    if f_low <= 0.0:
        return low, target_k, best
    f_high, fan, side = best - target_k, 1.0, 0
    for _ in range(60):
        fan = (f_low * high - f_high * low) / (f_low - f_high)
        f = _approach(t, w, york, wet_bulb_c, range_k, fan) - target_k
        if abs(f) <= 1e-10 or high - low < 1e-13:
            break
        if f > 0.0:
            low, f_low = fan, f
            if side == 1:
                f_high *= 0.5
            side = 1
        else:
            high, f_high = fan, f
            if side == -1:
                f_low *= 0.5
            side = -1
    return fan, target_k, best


@kernel
def solve_chillers(
    k: Chillers, alive: Bools, supply_c: Floats, set_c: Floats, capacity_w_k: Floats, out_w: Floats, out_power: Floats
) -> None:
    """Trim every loop from the towers' supply to its set-point (DOE-2 chiller, EnergyPlus Chiller:Electric:EIR).

    ``P = Q_avail / COP * EIRFT * EIRFPLR(PLR)`` with ``Q_avail = Q_ref * CapFT``, curves in leaving chilled and entering
    condenser temperature; the condenser sees the water that the towers reach.

    Args:
        k: ratings.
        alive: chillers that run.
        supply_c: supply of each loop as the towers leave it; overwritten with what the chillers make of it.
        set_c: supply set-point of each loop.
        capacity_w_k: flow times heat capacity of each loop.
        out_w: heat taken by each chiller; written.
        out_power: electrical power of each chiller; written.
    """
    room, condenser = np.zeros(set_c.size), supply_c.copy()
    for c in range(k.fws.size):
        out_w[c], out_power[c] = 0.0, 0.0
        if alive[c]:
            f = k.fws[c]
            room[f] += k.duty_w[c] * max(biquadratic(k.cap_f_t[c], set_c[f], condenser[f]), 0.0)
    for c in range(k.fws.size):
        f = k.fws[c]
        want = capacity_w_k[f] * (condenser[f] - set_c[f])
        if not alive[c] or want <= 1e-6 or room[f] <= 0.0:
            continue
        load = min(want / room[f], 1.0)
        able = k.duty_w[c] * max(biquadratic(k.cap_f_t[c], set_c[f], condenser[f]), 0.0)
        part = k.eir_f_plr[c, 0] + k.eir_f_plr[c, 1] * load + k.eir_f_plr[c, 2] * load * load
        out_w[c] = load * able
        out_power[c] = able / k.cop[c] * biquadratic(k.eir_f_t[c], set_c[f], condenser[f]) * part
        supply_c[f] -= out_w[c] / capacity_w_k[f]
