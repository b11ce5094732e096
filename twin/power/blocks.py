"""Block load: in which steps a generator takes its load after the utility is lost, and the largest of them.

A UPS draws again ``restart_delay_s`` after the generator has taken over, with what its battery asks for on top; mechanical gear after
its own delay; a rack without a UPS at once. A generator takes a step only up to a share of its rating (frequency and voltage dip,
ISO 8528-5), so that gear that starts at the same second is one step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from topology.plant import Plant
from twin.power.paths import shares_above
from twin.solvers.power import Supply, supply
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Loads, Outages, SteadyState

RECHARGE_FRAC = 0.1
"""Power that a UPS takes for its battery after an outage, over its rating: recharge in some ten times the discharge (estimate)."""


@dataclass(frozen=True)
class Step:
    """One step of load.

    Attributes:
        after_s: time after the loss of the utility.
        power_w: what is added.
        total_w: what the generator carries then.
        elements: what starts.
    """

    after_s: float
    power_w: float
    total_w: float
    elements: tuple[str, ...]


@dataclass(frozen=True)
class BlockLoad:
    """The steps of one generator.

    Attributes:
        generator: its id.
        rating_w: active power rating, infinite where it has none.
        allowed_frac: largest step over its rating.
        steps: in time.
    """

    generator: str
    rating_w: float
    allowed_frac: float
    steps: tuple[Step, ...]

    @property
    def largest_w(self) -> float:
        """Largest step."""
        return max((s.power_w for s in self.steps), default=0.0)

    @property
    def holds(self) -> bool:
        """No step is above what it takes, and the sum is within its rating."""
        total = self.steps[-1].total_w if self.steps else 0.0
        return self.largest_w <= self.allowed_frac * self.rating_w * (1.0 + 1e-9) and total <= self.rating_w * (1.0 + 1e-9)


def block_loads(plant: Plant, loads: Loads, ambient: Ambient) -> tuple[BlockLoad, ...]:
    """Steps of every generator after all utilities are lost at once.

    Args:
        plant: the plant.
        loads: one scenario of loads.
        ambient: its weather.

    Returns:
        One entry a generator that carries something, in the order of the power axis.
    """
    p = plant.power
    generators = [k for k, kind in enumerate(p.kind) if kind == "generator"]
    if not generators:
        return ()
    lost = tuple(i for i, kind in zip(p.ids, p.kind, strict=True) if kind == "utility")
    state = solve_steady(plant, loads, ambient, Outages.of(plant, [lost]))
    chain = supply(plant, [lost])
    parents = np.concatenate([p.parents, p.transfer], axis=1)
    rank = np.empty(p.n, np.int64)
    rank[p.order] = np.arange(p.n)
    switched = np.where((chain.weight[0][:, p.parents.shape[1] :] > 0.0).any(axis=1), p.transfer_s, 0.0)
    parts: dict[int, list[tuple[float, float, float, str]]] = {g: [] for g in generators}
    for start, power_w, extra_w, delay_s, name in _consumers(plant, state, chain):
        path = shares_above(parents, chain.weight[0], rank, start)
        if any(p.kind[e] == "ups" for e in path):
            continue
        for g in (g for g in generators if path.get(g, 0.0) > 0.0):
            after_s = float(p.start_s[g]) + float(max(switched[e] for e in path)) + delay_s
            parts[g].append((after_s, power_w * path[g], extra_w * path[g], name))
    return tuple(_block(plant, g, parts[g], float(state.power.out_w[0, g])) for g in generators if state.power.out_w[0, g] > 0.0)


def _consumers(plant: Plant, state: SteadyState, chain: Supply) -> Iterator[tuple[int, float, float, float, str]]:
    """(where it hangs, power, what its battery asks for, delay, id) of every UPS, of mechanical gear and of racks."""
    p, gear = plant.power, plant.gear
    rating = np.where(np.isfinite(p.rating_w), p.rating_w, 0.0)
    both = np.concatenate([p.parents, p.transfer], axis=1)
    for e, kind in enumerate(p.kind):
        if kind == "ups" and chain.alive[0, e]:
            taken = float(state.power.out_w[0, e] + state.power.loss_w[0, e])
            extra = RECHARGE_FRAC * float(rating[e]) if p.battery_j[e] > 0.0 else 0.0
            for j in np.flatnonzero(chain.weight[0, e] > 0.0):
                share = float(chain.weight[0, e, j])
                yield int(both[e, j]), taken * share, extra * share, float(p.restart_delay_s[e]), p.ids[e]
    for g, name in enumerate(gear.ids):
        for c in np.flatnonzero(chain.gear_share[0, g] > 0.0):
            power_w = float(state.heat.gear_w[0, g] * chain.gear_share[0, g, c])
            yield int(gear.feed[g, c]), power_w, 0.0, float(gear.restart_delay_s[g]), name
    for r, name in enumerate(plant.racks.ids):
        for c in np.flatnonzero(state.power.cord_w[0, r] > 0.0):
            yield int(plant.racks.feed[r, c]), float(state.power.cord_w[0, r, c]), 0.0, 0.0, name


def _block(plant: Plant, g: int, parts: list[tuple[float, float, float, str]], out_w: float) -> BlockLoad:
    """Steps of one generator; losses of the chain on the way are in its first one."""
    p = plant.power
    losses = max(out_w - sum(w for _, w, _, _ in parts), 0.0)
    steps: list[Step] = []
    for t in sorted({round(t, 3) for t, *_ in parts}):
        own = [(w + extra, name) for at, w, extra, name in parts if round(at, 3) == t and w + extra > 0.0]
        if own:
            added = sum(w for w, _ in own) + (0.0 if steps else losses)
            total = added + (steps[-1].total_w if steps else 0.0)
            steps.append(Step(t, added, total, tuple(dict.fromkeys(name for _, name in own))))
    return BlockLoad(p.ids[g], float(p.rating_w[g]), float(p.step_frac[g]), tuple(steps))
