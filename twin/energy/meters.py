"""Where IT energy is metered: at the output of the UPSs, of the distribution units, at the input of the racks, at the parts.

ISO/IEC 30134-2:2016 tells three categories of PUE apart by that (withdrawn early in 2026 and replaced by a new edition; the
categories are those that people report): 1 at the UPS output, 2 at the PDU output, 3 at the input of the IT equipment. Loads of
other kinds on the same UPS are not IT and are taken off in proportion to what they draw below it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from topology.axes import Bools, Floats
from topology.plant import Plant
from twin.solvers.scatter import sum_by
from twin.state import Loads, SteadyState

UPS, DISTRIBUTION = ("ups",), ("pdu", "busway")
UNMETERED = 1e-9
"""Share of IT power that may pass no meter of a kind before the category counts as not metered."""


def it_at_w(plant: Plant, state: SteadyState, kinds: Sequence[str]) -> Floats:
    """IT power at the output of the first elements of some kinds on its way to the sources.

    Args:
        plant: the plant.
        state: S scenarios.
        kinds: kinds of power element that carry the meters.

    Returns:
        (S,) power [W]; NaN where some IT power passes no such element.
    """
    power, alive = plant.power, state.power.alive
    shape = (state.scenarios, power.n)
    fresh, seen = np.zeros(shape), np.zeros(shape)
    for side in (0, 1):
        fresh += sum_by(np.ascontiguousarray(state.power.cord_w[:, :, side]), np.ascontiguousarray(plant.racks.feed[:, side]), power.n)
    other = _gear(plant, state)
    metered = np.zeros(state.scenarios)
    for n in power.order[::-1]:
        total = fresh[:, n] + seen[:, n] + other[:, n]
        share = np.divide(fresh[:, n], total, out=np.zeros_like(total), where=total > 0.0)
        up = np.divide(state.power.out_w[:, n] + state.power.loss_w[:, n], total, out=np.zeros_like(total), where=total > 0.0)
        if power.kind[n] in kinds:
            metered += share * state.power.out_w[:, n]
            seen[:, n] += fresh[:, n]
            fresh[:, n] = 0.0
        for parent, part in _parents(plant, alive, int(n)):
            for flow in (fresh, seen, other):
                flow[:, parent] += flow[:, n] * up * part
    passed = fresh[:, power.source].sum(axis=1)
    it = state.loads.rack_w.sum(axis=1)
    found: Floats = np.where(passed <= UNMETERED * np.maximum(it, 1.0), metered, np.nan)
    return found


def _gear(plant: Plant, state: SteadyState) -> Floats:
    """(S, N) mechanical gear on the elements that feed it, in equal parts on its living feeds."""
    feed = plant.gear.feed
    live = (feed >= 0)[None] & state.power.alive[:, np.maximum(feed, 0)]
    each = state.heat.gear_w / np.maximum(live.sum(axis=2), 1)
    parts = (sum_by(np.where(live[:, :, k], each, 0.0), np.ascontiguousarray(feed[:, k]), plant.power.n) for k in (0, 1))
    total: Floats = sum(parts, np.zeros((state.scenarios, plant.power.n)))
    return total


def _parents(plant: Plant, alive: Bools, n: int) -> list[tuple[int, Floats]]:
    """Parents of an element with the share (S,) that each carries: living normal ones equally, else the first living transfer."""
    normal = [int(p) for p in plant.power.parents[n] if p >= 0]
    live = np.stack([alive[:, p] for p in normal], axis=1) if normal else np.zeros((alive.shape[0], 0), bool)
    count = live.sum(axis=1)
    found = [(p, np.where(live[:, k], 1.0 / np.maximum(count, 1), 0.0)) for k, p in enumerate(normal)]
    taken = count > 0
    for p in plant.power.transfer[n]:
        if p >= 0:
            found.append((int(p), np.where(~taken & alive[:, p], 1.0, 0.0)))
            taken = taken | alive[:, p]
    return found


def support_w(plant: Plant, loads: Loads) -> Floats:
    """(S,) power of fans and pumps inside racks, which is part of the IT input and no IT work (TUE, Patterson and others, ISC 2013).

    Parts of a rack move together between idle and full power, as they do where power is measured.
    """
    total = np.zeros(loads.scenarios)
    for k, sku in enumerate(plant.racks.skus):
        idle = np.array([p.count * (p.max_w if p.group == "fixed" else p.idle_w) for p in sku.parts])
        full = np.array([p.count * p.max_w for p in sku.parts])
        own = np.array([p.support for p in sku.parts])
        if not own.any():
            continue
        it = loads.it_w[:, plant.racks.sku == k]
        span = full.sum() - idle.sum()
        x = np.clip((it - idle.sum()) / span, 0.0, 1.0) if span > 0.0 else np.ones_like(it)
        part = idle[own].sum() * (1.0 - x) + full[own].sum() * x
        total += np.where(it < idle.sum(), part * it / idle.sum(), part).sum(axis=1)
    return total
