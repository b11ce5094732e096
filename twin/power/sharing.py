"""How much more a feed may carry because nobody knows how the supplies of a dual-corded load share it.

A rack on two live cords draws a share ``a`` on cord A and ``1 - a`` on cord B. The share is known to within a spread (current sharing
of supplies), or not at all where the supplies of one cord may sleep (``cold``): then either cord may carry everything. For an element
e the load is linear in the shares, so that the interval follows from the paths:

    out(e) +- sum over racks of P_r * spread_r * |w(A_r, e) - w(B_r, e)|

with w(f, e) what e delivers for one watt at feed f, marginal losses on the way included (``1 + b + 2 c P`` for a loss of
``a + b P + c P^2``). Both cords of a rack below the same element cancel there: a shared parent knows its load. On one live cord there is
nothing to share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.plant import Plant
from twin.solvers.power import supply
from twin.solvers.sharing import spread_by_pair
from twin.state import SteadyState


@dataclass(frozen=True)
class ShareSpread:
    """How far the load of each element may be from what the stated shares give (S scenarios, N elements).

    Attributes:
        low_w: (S, N) how much less active power it may carry.
        high_w: (S, N) how much more.
    """

    low_w: Floats
    high_w: Floats


def share_spread(plant: Plant, state: SteadyState) -> ShareSpread:
    """Interval of every element's load over all shares that the supplies may take.

    Args:
        plant: the plant.
        state: solved scenarios.

    Returns:
        Distance to both ends of the interval, first order in the losses.
    """
    p, racks = plant.power, plant.racks
    chain = supply(plant, state.outages.sets)
    live: Bools = np.logical_and.reduce(chain.alive[:, racks.feed] & (racks.feed >= 0), axis=2)
    draws = np.where(live[state.outages.index], state.loads.rack_w, 0.0)
    pairs, own = _pairs(racks.feed)
    up = np.ascontiguousarray(_by_pair(draws * (racks.share_high_frac - racks.share_a_frac), own, len(pairs)))
    down = np.ascontiguousarray(_by_pair(draws * (racks.share_a_frac - racks.share_low_frac), own, len(pairs)))
    out, over = state.power.out_w, state.power.loss_w - p.loss_fixed_w
    gain = 1.0 - p.loss_frac + 2.0 * np.divide(over, out, out=np.broadcast_to(p.loss_frac, out.shape).copy(), where=out > 0.0)
    parents = np.concatenate([p.parents, p.transfer], axis=1)
    more, less = spread_by_pair(p.order, parents, chain.weight, state.outages.index, pairs, up, down, np.ascontiguousarray(gain))
    return ShareSpread(less, more)


def _pairs(feed: Ints) -> tuple[Ints, Ints]:
    """Distinct pairs of feeds, and which one each rack hangs on."""
    pairs, own = np.unique(feed, axis=0, return_inverse=True)
    return np.ascontiguousarray(pairs), own.reshape(-1)


def _by_pair(values: Floats, own: Ints, pairs: int) -> Floats:
    out = np.zeros((pairs, values.shape[0]))
    np.add.at(out, own, values.T)
    return out.T
