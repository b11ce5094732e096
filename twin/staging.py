"""Conversion stages inside a rack: how many converters are awake, what they lose, and the direct-current bar behind them.

A stage of ``units`` converters shares its load equally. Where ``unit_w`` and ``wake_frac`` are given, only as many are awake as keep each
at or below ``wake_frac unit_w``, at least ``least_units`` (cold redundancy, phase shedding of shelves); one more wakes when the load
passes that, and the loss jumps: up by its no-load loss, down by what the square law saves. The state is that of rising load; control
hysteresis is left out. The bar at ``dc_voltage_v`` and ``busbar_ohm`` carries ``I = P_in / V`` and loses ``I^2 R`` before the converters.
"""

from __future__ import annotations

import numpy as np

from topology.axes import Floats
from topology.errors import NotConverged
from topology.models import Stage


def awake_units(stage: Stage, out_w: Floats) -> Floats:
    """Converters that are awake at an output of the converters [W], any shape; all of them where the stage has no staging data."""
    if stage.unit_w is None or stage.wake_frac is None:
        return np.full_like(out_w, stage.units)
    wanted = np.ceil(np.round(out_w / (stage.wake_frac * stage.unit_w), 12))
    found: Floats = np.clip(wanted, min(stage.least_units, stage.units), stage.units)
    return found


def stage_loss_w(stage: Stage, out_w: Floats) -> Floats:
    """Loss of a stage at an output [W], any shape: ``n (a + b P/n + c (P/n)^2)`` of n converters awake, those asleep, and the bar.

    Raises:
        NotConverged: the bar cannot carry the output at its voltage.
    """
    bar = _bar_loss_w(stage, out_w)
    behind = out_w + bar
    n = awake_units(stage, behind)
    each = behind / n
    loss: Floats = bar + n * (stage.fixed_w + stage.loss_frac * each + stage.loss_quad_per_w * each * each)
    return loss + (stage.units - n) * stage.asleep_w


def stage_output_w(stage: Stage, in_w: Floats) -> Floats:
    """Output of a stage from its input [W], any shape; 0 below no-load loss.

    An input that lies in the jump between n and n + 1 converters awake gives the output at which the next one wakes; where two
    outputs would do, the smaller.
    """
    behind = _converters_output_w(stage, in_w)
    if not stage.dc_voltage_v or not stage.busbar_ohm:
        return behind
    found: Floats = np.maximum(behind - stage.busbar_ohm * (behind / stage.dc_voltage_v) ** 2, 0.0)
    return found


def stage_current_a(stage: Stage, out_w: Floats) -> Floats:
    """Current of the bar at an output [W], any shape; 0 where the stage names no voltage."""
    if not stage.dc_voltage_v:
        return np.zeros_like(out_w)
    found: Floats = (out_w + _bar_loss_w(stage, out_w)) / stage.dc_voltage_v
    return found


def _bar_loss_w(stage: Stage, out_w: Floats) -> Floats:
    """``I^2 R`` with ``V I - R I^2 = P``: the smaller current of the two."""
    if not stage.dc_voltage_v or not stage.busbar_ohm:
        return np.zeros_like(out_w)
    v, r = stage.dc_voltage_v, stage.busbar_ohm
    root = v * v - 4.0 * r * out_w
    if np.any(root < 0.0):
        most, asked = v * v / 4.0 / r, float(np.max(out_w))
        raise NotConverged(
            f"the bar of stage {stage.name!r} cannot carry {asked:.0f} W at {v:g} V over {r:g} ohm; at most {most:.0f} W",
            element=stage.name,
        )
    current = 2.0 * out_w / (v + np.sqrt(root))
    loss: Floats = r * current * current
    return loss


def _converters_output_w(stage: Stage, in_w: Floats) -> Floats:
    if stage.unit_w is None or stage.wake_frac is None:
        return _shared_output_w(stage, in_w, stage.units)
    step = stage.wake_frac * stage.unit_w
    first = min(stage.least_units, stage.units)
    counts = np.unique(np.append(np.arange(np.ceil(first), np.floor(stage.units) + 1.0), [first, stage.units]))
    found, done = np.zeros_like(in_w), np.zeros(in_w.shape, bool)
    for n in counts:
        most = np.inf if n >= stage.units else n * step
        out = _shared_output_w(stage, in_w, float(n))
        fits = ~done & (out <= most)
        found, done = np.where(fits, np.maximum(out, found), found), done | fits
        found = np.where(done, found, most)
    return found


def _shared_output_w(stage: Stage, in_w: Floats, n: float) -> Floats:
    """The positive root of ``c P^2 + (1 + b) P + a = P_in`` a converter, n of them awake."""
    spare = np.maximum((in_w - (stage.units - n) * stage.asleep_w) / n - stage.fixed_w, 0.0)
    b = 1.0 + stage.loss_frac
    found: Floats = n * (2.0 * spare / (b + np.sqrt(b * b + 4.0 * stage.loss_quad_per_w * spare)))
    return found
