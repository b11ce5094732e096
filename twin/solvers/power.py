"""The power chain: who is alive, who feeds whom, what each element carries, and at what voltage.

Active power runs from the leaves to the sources with loss ``a + b P + c P^2`` an element (topology.models.PowerModel);
reactive power is carried along and replaced at a UPS, which presents its own input power factor. Voltages and the loss in
impedances: :mod:`twin.solvers.chain`. An element with several
alive normal parents (parallel UPSs on a board) draws equally from them; without any it draws from its first alive transfer
parent. A rack with both cords alive splits by its share, with one it hangs on that one alone. Mechanical gear runs on feed A
while that is alive, else on B.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from topology.axes import Axis, Bools, Floats, Ints
from topology.plant import Plant
from twin.solvers.chain import SPREAD_DROP, SPREAD_LOSS, Elements, chain_sweep, feeding
from twin.solvers.jit import kernel
from twin.state import Loads, PowerState

GEAR_POWER_FACTOR = 0.95
"""Power factor of mechanical gear: drives with a line reactor (estimate; displacement factor of a six-pulse drive, IEC 61800-3 class)."""


@dataclass(frozen=True)
class Supply:
    """The chain under each set of lost elements (Z sets).

    Attributes:
        alive: (Z, N) the element has a path to a source.
        weight: (Z, N, P + Q) share of its input that an element draws from each of its parents, normal ones first.
        rack_share: (Z, R, 2) share of a rack's load on cords A and B, both 0 without supply.
        gear_share: (Z, G, 2) the same for mechanical gear, 0 where it is lost itself.
    """

    alive: Bools
    weight: Floats
    rack_share: Floats
    gear_share: Floats


def supply(plant: Plant, sets: Sequence[Sequence[str]]) -> Supply:
    """Work out the chain under each set of lost elements.

    Args:
        plant: the plant.
        sets: Z sets of element ids; ids that are not on the power or gear axis (a loop, a manifold) do not matter here.

    Returns:
        Who is alive and who draws from whom.
    """
    power, gear, racks = plant.power, plant.gear, plant.racks
    axes: dict[str, Axis] = {"power": power, "gear": gear, "racks": racks}
    lost = {name: np.zeros((len(sets), axis.n), bool) for name, axis in axes.items()}
    for z, names in enumerate(sets):
        for name in names:
            axis, k = plant.find(name)
            if axis in lost:
                lost[axis][z, k] = True
    alive, weight = _alive(power.order, power.parents, power.transfer, power.source, lost["power"])
    cord = _feed_alive(alive, racks.feed) & ~lost["racks"][:, :, None]
    both = cord.all(axis=2, keepdims=True)
    split = np.stack([racks.share_a_frac, 1.0 - racks.share_a_frac], axis=1)
    gear_on = _feed_alive(alive, gear.feed) & ~lost["gear"][:, :, None]
    gear_share = gear_on.astype(np.float64)
    gear_share[:, :, 1] *= ~gear_on[:, :, 0]
    return Supply(alive, weight, np.where(both, split, cord.astype(np.float64)), gear_share)


def _feed_alive(alive: Bools, feed: Ints) -> Bools:
    out: Bools = alive[:, feed] & (feed >= 0)
    return out


@kernel
def _alive(order: Ints, parents: Ints, transfer: Ints, source: Bools, lost: Bools) -> tuple[Bools, Floats]:
    sets, n = lost.shape
    p, q = parents.shape[1], transfer.shape[1]
    alive = np.zeros((sets, n), np.bool_)
    weight = np.zeros((sets, n, p + q))
    for z in range(sets):
        for e in order:
            if lost[z, e]:
                continue
            count = 0
            for j in range(p):
                if parents[e, j] >= 0 and alive[z, parents[e, j]]:
                    count += 1
            if count > 0:
                for j in range(p):
                    if parents[e, j] >= 0 and alive[z, parents[e, j]]:
                        weight[z, e, j] = 1.0 / count
            else:
                for j in range(q):
                    if transfer[e, j] >= 0 and alive[z, transfer[e, j]]:
                        weight[z, e, p + j] = 1.0
                        count = 1
                        break
            alive[z, e] = source[e] or count > 0
    return alive, weight


def solve_power(plant: Plant, chain: Supply, index: Ints, loads: Loads, gear_w: Floats) -> PowerState:
    """Sweeps of every scenario, backward for powers and forward for voltages.

    Args:
        plant: the plant.
        chain: from :func:`supply`.
        index: (S,) set of lost elements of each scenario.
        loads: what racks ask for; racks without supply draw nothing.
        gear_w: (S, G) what mechanical gear draws.

    Returns:
        State of the chain; reactive power follows from each rack's power factor and from :data:`GEAR_POWER_FACTOR`.
    """
    power, racks = plant.power, plant.racks
    share = chain.rack_share[index]
    cord = loads.rack_w[:, :, None] * share
    tan = np.tan(np.arccos(np.clip(racks.power_factor, 0.0, 1.0)))
    gear_var = gear_w * math.tan(math.acos(GEAR_POWER_FACTOR))
    own_p, own_q = feeding(power.direct, index, racks.feed, tan, cord, plant.gear.feed, chain.gear_share, gear_w, gear_var)
    found = chain_sweep(_elements(plant), chain.alive, chain.weight, index, own_p, own_q)
    out_p, out_q, loss, source, volts, before, collapsed = found
    va = np.hypot(out_p, out_q)
    nominal = power.voltage_v * math.sqrt(3.0)
    amps = np.where(power.direct, power.voltage_v, nominal) * np.where(volts > 0.0, volts, 1.0)
    current = np.divide(va, amps, out=np.zeros_like(va), where=amps > 0.0)
    powered = share.sum(axis=2) > 0.0
    gear_alive = chain.gear_share[index].sum(axis=2) > 0.0
    return PowerState(
        out_p, va, current, loss, chain.alive[index], cord, powered, gear_alive, source, out_q, volts, before - volts, collapsed
    )


def _elements(plant: Plant) -> Elements:
    """The power axis as the sweep takes it."""
    p = plant.power
    ups_tan = np.where(p.input_power_factor > 0.0, np.tan(np.arccos(np.clip(p.input_power_factor, 1e-3, 1.0))), -1.0)
    series = (p.r_per_w > 0.0) | (p.x_per_w > 0.0)
    return Elements(
        p.order, np.concatenate([p.parents, p.transfer], axis=1), ups_tan, p.loss_fixed_w, p.loss_frac,
        np.where(p.r_per_w > 0.0, 0.0, p.loss_quad_per_w), p.r_per_w, p.x_per_w, np.where(p.spread, SPREAD_LOSS, 1.0),
        np.where(p.spread, SPREAD_DROP, 1.0), p.regulates, p.tap_frac, bool(series.any() or (p.tap_frac != 1.0).any()),
    )  # fmt: skip
