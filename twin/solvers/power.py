"""The power chain: who is alive, who feeds whom, and what each element carries.

Active power runs from the leaves to the sources with loss ``a + b P + c P^2`` an element (topology.models.PowerModel);
reactive power is carried along and replaced at a UPS, which presents its own input power factor. An element with several
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
    """Backward sweep of every scenario.

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
    both = np.concatenate([power.parents, power.transfer], axis=1)
    ups_tan = np.where(power.input_power_factor > 0.0, np.tan(np.arccos(np.clip(power.input_power_factor, 1e-3, 1.0))), -1.0)
    out_p, out_q, loss, source = _sweep(
        power.order, both, power.source, ups_tan, power.loss_fixed_w, power.loss_frac, power.loss_quad_per_w, chain.alive, chain.weight,
        index, racks.feed, tan, cord, plant.gear.feed, chain.gear_share, gear_w, math.tan(math.acos(GEAR_POWER_FACTOR)),
    )  # fmt: skip
    va = np.hypot(out_p, out_q)
    volts = power.voltage_v * math.sqrt(3.0)
    current = np.divide(va, volts, out=np.zeros_like(va), where=volts > 0.0)
    powered = share.sum(axis=2) > 0.0
    gear_alive = chain.gear_share[index].sum(axis=2) > 0.0
    return PowerState(out_p, va, current, loss, chain.alive[index], cord, powered, gear_alive, source)


@kernel
def _sweep(
    order: Ints, parents: Ints, source: Bools, ups_tan: Floats, fixed: Floats, frac: Floats, quad: Floats, alive: Bools,
    weight: Floats, index: Ints, rack_feed: Ints, tan: Floats, cord: Floats, gear_feed: Ints, gear_share: Floats, gear_w: Floats,
    gear_tan: float,
) -> tuple[Floats, Floats, Floats, Floats]:  # fmt: skip
    scenarios, n = index.size, order.size
    p, q, loss = np.zeros((scenarios, n)), np.zeros((scenarios, n)), np.zeros((scenarios, n))
    total = np.zeros(scenarios)
    for s in range(scenarios):
        z = index[s]
        for r in range(rack_feed.shape[0]):
            for c in range(2):
                if rack_feed[r, c] >= 0:
                    p[s, rack_feed[r, c]] += cord[s, r, c]
                    q[s, rack_feed[r, c]] += cord[s, r, c] * tan[r]
        for g in range(gear_feed.shape[0]):
            for c in range(2):
                if gear_share[z, g, c] > 0.0:
                    p[s, gear_feed[g, c]] += gear_w[s, g] * gear_share[z, g, c]
                    q[s, gear_feed[g, c]] += gear_w[s, g] * gear_share[z, g, c] * gear_tan
        for k in range(n - 1, -1, -1):
            e = order[k]
            if not alive[z, e]:
                continue
            out = p[s, e]
            loss[s, e] = fixed[e] + frac[e] * out + quad[e] * out * out
            taken = out + loss[s, e]
            reactive = q[s, e] if ups_tan[e] < 0.0 else taken * ups_tan[e]
            fed = 0.0
            for j in range(parents.shape[1]):
                w = weight[z, e, j]
                if w > 0.0:
                    p[s, parents[e, j]] += taken * w
                    q[s, parents[e, j]] += reactive * w
                    fed += w
            if fed == 0.0:
                total[s] += taken
    return p, q, loss, total
