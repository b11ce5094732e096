"""The kernel of :mod:`twin.power.sharing`: what one pair of feeds puts on every element above it."""

from __future__ import annotations

import numpy as np

from topology.axes import Floats, Ints
from twin.solvers.jit import kernel


@kernel
def spread_by_pair(
    order: Ints, parents: Ints, weight: Floats, index: Ints, pairs: Ints, up: Floats, down: Floats, gain: Floats
) -> tuple[Floats, Floats]:
    """Add up what the shares of all racks may move to and from each element.

    Args:
        order: (N,) parents before children.
        parents: (N, P) parents, -1 padded.
        weight: (Z, N, P) share of its input that an element draws from each parent.
        index: (S,) set of each scenario.
        pairs: (K, 2) feeds A and B of racks that are alike.
        up: (S, K) power that may move from B to A.
        down: (S, K) power that may move from A to B.
        gain: (S, N) input over output of each element, at the margin.

    Returns:
        (S, N) how much more, and how much less, each element may carry.
    """
    n = order.size
    more, less = np.zeros((index.size, n)), np.zeros((index.size, n))
    rank = np.empty(n, np.int64)
    for k in range(n):
        rank[order[k]] = k
    side, queued = np.zeros((2, n)), np.zeros(n, np.bool_)
    stack = np.empty(n, np.int64)
    for s in range(index.size):
        z = index[s]
        for k in range(pairs.shape[0]):
            if up[s, k] == 0.0 and down[s, k] == 0.0:
                continue
            count = 0
            for c in range(2):
                f = pairs[k, c]
                if f >= 0:
                    side[c, f] += 1.0
                    if not queued[f]:
                        queued[f] = True
                        stack[count] = f
                        count += 1
            while count > 0:  # the deepest of those that wait has got all that comes from below
                best = 0
                for i in range(1, count):
                    if rank[stack[i]] > rank[stack[best]]:
                        best = i
                e = stack[best]
                count -= 1
                stack[best] = stack[count]
                queued[e] = False
                a, b = side[0, e], side[1, e]
                side[0, e] = side[1, e] = 0.0
                move = a - b
                more[s, e] += up[s, k] * move if move > 0.0 else -down[s, k] * move
                less[s, e] += down[s, k] * move if move > 0.0 else -up[s, k] * move
                for j in range(parents.shape[1]):
                    w = weight[z, e, j]
                    if w > 0.0:
                        parent = parents[e, j]
                        side[0, parent] += a * w * gain[s, e]
                        side[1, parent] += b * w * gain[s, e]
                        if not queued[parent]:
                            queued[parent] = True
                            stack[count] = parent
                            count += 1
    return more, less
