"""Which elements stand above a feed in one state of the chain, and how much of a watt each of them sees."""

from __future__ import annotations

from collections.abc import Mapping

from topology.axes import Floats, Ints


def shares_above(parents: Ints, weight: Floats, rank: Ints, start: int) -> Mapping[int, float]:
    """Share of a load at one element that passes each element above it, itself included; losses are left out.

    Args:
        parents: (N, P) parents, -1 padded.
        weight: (N, P) share of its input that an element draws from each.
        rank: (N,) place of each element in the order from sources to leaves.
        start: element that the load hangs on.

    Returns:
        Element index to share, the deepest first.
    """
    share: dict[int, float] = {start: 1.0}
    waiting = {start}
    done: dict[int, float] = {}
    while waiting:
        e = max(waiting, key=lambda k: rank[k])
        waiting.discard(e)
        done[e] = share[e]
        for j in range(parents.shape[1]):
            if weight[e, j] > 0.0:
                parent = int(parents[e, j])
                share[parent] = share.get(parent, 0.0) + share[e] * float(weight[e, j])
                waiting.add(parent)
    return done
