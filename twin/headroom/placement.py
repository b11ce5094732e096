"""In which order free positions are filled: the rack goes where it leaves most room on what feeds and cools it."""

from __future__ import annotations

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.plant import Plant


def eligible(plant: Plant, candidates: Ints) -> Bools:
    """Candidates whose position can take their SKU: weight, power, and coolant for a liquid-cooled rack.

    Args:
        plant: the plant, candidates included.
        candidates: (N,) rack indices.

    Returns:
        (N,) whether the position is suitable.
    """
    site = plant.site
    good = np.ones(candidates.size, bool)
    for k, r in enumerate(candidates):
        rack = site.racks[plant.racks.ids[r]]
        position, sku = site.positions[rack.position], plant.racks.skus[plant.racks.sku[r]]
        if sku.cooling == "liquid" and plant.racks.manifold[r] < 0:
            good[k] = False
        if position.max_weight_kg is not None and sku.weight_kg > position.max_weight_kg:
            good[k] = False
        if position.max_power_w is not None and (sku.allocated_w or sku.nameplate_w) > position.max_power_w:
            good[k] = False
    return good


def parents_of(plant: Plant) -> tuple[Ints, Floats, Floats]:
    """Direct parents of each rack and their room: both feeds and the CDUs of its loop.

    Returns:
        (R, 3) parent numbers (-1 none), (R, 3) power of the rack on each at its allocated power when the other cord is lost, and
        capacity of every parent.
    """
    racks, power, loops = plant.racks, plant.power, plant.loops
    volts = np.where(power.voltage_v > 0.0, power.voltage_v, np.inf) * np.sqrt(3.0)
    feed_w = np.minimum(np.minimum(power.rating_w, power.rating_va), np.where(np.isfinite(volts), power.rating_a * volts, np.inf))
    loop_w = np.zeros(loops.n)
    np.add.at(loop_w, plant.cdus.loop, plant.cdus.duty_w)
    largest = np.zeros(loops.n)
    np.maximum.at(largest, plant.cdus.loop, plant.cdus.duty_w)
    capacity = np.concatenate([np.where(np.isfinite(feed_w), feed_w, 1e12), np.maximum(loop_w - largest, 1.0)])
    hung = racks.manifold >= 0
    loop = plant.manifolds.loop[racks.manifold] if plant.manifolds.n else racks.manifold
    parents = np.stack([racks.feed[:, 0], racks.feed[:, 1], np.where(hung, power.n + loop, -1)], axis=1)
    load = np.stack([racks.budget_w, racks.budget_w, racks.budget_w], axis=1)
    return parents, load, capacity


def order(plant: Plant, standing: Bools, candidates: Ints) -> Ints:
    """Candidates in the order in which they should be placed.

    Greedy: each next rack goes to the position whose tightest parent has most room left, as a share of that parent's capacity.

    Args:
        plant: the plant, candidates included.
        standing: (R,) racks that are there already.
        candidates: (N,) rack indices.

    Returns:
        The same indices in order.
    """
    parents, load, capacity = parents_of(plant)
    used = np.zeros(capacity.size)
    rows = np.flatnonzero(standing)
    for j in range(parents.shape[1]):
        own = parents[rows, j]
        np.add.at(used, own[own >= 0], load[rows[own >= 0], j])
    left, chosen = list(candidates), []
    while left:
        mine = np.asarray(left)
        p = parents[mine]
        after = 1.0 - (used[p] + load[mine]) / capacity[p]
        room = np.where(p >= 0, after, np.inf).min(axis=1)
        best = int(mine[int(room.argmax())])
        chosen.append(best)
        left.remove(best)
        own = parents[best]
        used[own[own >= 0]] += load[best, own >= 0]
    return np.asarray(chosen, np.int64)


def classes(plant: Plant, candidates: Ints) -> tuple[tuple[int, ...], ...]:
    """What tells one candidate from another: its parents and its hall; equal classes behave alike but for pipe length."""
    parents, _, _ = parents_of(plant)
    return tuple((*(int(v) for v in parents[r]), int(plant.racks.hall[r])) for r in candidates)
