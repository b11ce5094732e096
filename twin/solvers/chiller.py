"""Chillers by DOE-2 curves (EnergyPlus, Chiller:Electric:EIR): staged in their order, inside the bounds of their curves.

``P = Q_avail / COP * EIRFT * EIRFPLR(PLR) * CR`` with ``Q_avail = Q_ref * CapFT``; the curves are taken in leaving chilled and
entering condenser temperature, each held inside the bounds of its record. Below the lowest part load a chiller cycles
(``CR = PLR / PLR_min``), below its unloading limit it loads itself (the curve is read at that limit).
"""

from __future__ import annotations

from typing import NamedTuple

from topology.axes import Bools, Floats, Ints
from twin.solvers.jit import inner, kernel
from twin.solvers.laws import biquadratic

STAGE_BAND = 0.02
"""A chiller stops only where the others carry the load with this share to spare, so that stages do not hunt (our choice)."""


class Chillers(NamedTuple):
    """See :class:`topology.outdoor_axes.ChillerAxis`."""

    duty_w: Floats
    cop: Floats
    cap_f_t: Floats
    eir_f_t: Floats
    eir_f_plr: Floats
    leaving_c: Floats
    condenser_c: Floats
    part_load: Floats


@inner
def held(value: float, bounds: Floats) -> float:
    """A value held inside a low and a high bound."""
    inside: float = min(max(value, bounds[0]), bounds[1])
    return inside


@kernel
def available_w(k: Chillers, c: int, leaving_c: float, condenser_c: float) -> float:
    """Capacity of a chiller at leaving chilled and entering condenser temperature."""
    factor = biquadratic(k.cap_f_t[c], held(leaving_c, k.leaving_c[c]), held(condenser_c, k.condenser_c[c]))
    able: float = k.duty_w[c] * max(factor, 0.0)
    return able


@kernel
def power_w(k: Chillers, c: int, leaving_c: float, condenser_c: float, heat_w: float) -> float:
    """Electrical power of a chiller that takes some heat."""
    able = available_w(k, c, leaving_c, condenser_c)
    if heat_w <= 0.0 or able <= 0.0:
        return 0.0
    load = heat_w / able
    read = max(load, k.part_load[c, 1])
    part = k.eir_f_plr[c, 0] + k.eir_f_plr[c, 1] * read + k.eir_f_plr[c, 2] * read * read
    eir = biquadratic(k.eir_f_t[c], held(leaving_c, k.leaving_c[c]), held(condenser_c, k.condenser_c[c]))
    power: float = able / k.cop[c] * max(eir, 0.0) * part * min(load / k.part_load[c, 0], 1.0)
    return power


@kernel
def run_chillers(
    k: Chillers, members: Ints, alive: Bools, want_w: float, leaving_c: float, condenser_c: float, out_w: Floats, out_power: Floats,
    out_ok: Bools,
) -> float:  # fmt: skip
    """Share a load among the fewest chillers, in their order, that carry it; each at the same share of what it can.

    Args:
        k: ratings.
        members: chillers of the loop, in the order in which they start.
        alive: chillers that may run.
        want_w: heat to take.
        leaving_c: chilled water that they make.
        condenser_c: water that enters their condensers.
        out_w: heat of each; written for members.
        out_power: power of each; those above 0 ran before, which holds a stage; written for members.
        out_ok: the curves are inside their bounds; written for members.

    Returns:
        Heat taken, at most ``want_w``.
    """
    before, count, room, able = 0, 0, 0.0, 0.0
    for c in members:
        before += out_power[c] > 0.0
    staged = 0.0
    for c in members:
        out_w[c], out_power[c], out_ok[c] = 0.0, 0.0, True
        if not alive[c] or want_w <= 0.0:
            continue
        most = available_w(k, c, leaving_c, condenser_c) * k.part_load[c, 2]
        needed = room < want_w or (count < before and room < want_w * (1.0 + STAGE_BAND))
        if needed and most > 0.0:
            room += most
            count += 1
    if room <= 0.0:
        return 0.0
    share, left = min(want_w / room, 1.0), count
    for c in members:
        if not alive[c] or left == 0:
            continue
        able = available_w(k, c, leaving_c, condenser_c) * k.part_load[c, 2]
        if able <= 0.0:
            continue
        left -= 1
        out_w[c] = share * able
        out_power[c] = power_w(k, c, leaving_c, condenser_c, out_w[c])
        out_ok[c] = k.leaving_c[c, 0] <= leaving_c <= k.leaving_c[c, 1] and condenser_c <= k.condenser_c[c, 1]
        staged += out_w[c]
    return staged
