"""The sweep of :mod:`twin.solvers.radial`: one walk over the tree an iteration, a block of scenarios side by side.

Power summation (Cespedes, IEEE Trans. Power Delivery 5(1), 1990; branch equations of Baran and Wu, IEEE Trans. Power Delivery
4(2), 1989). With u the voltage over nominal, S = P + jQ what a branch takes from its parent, z = r + jx its impedance over the
square of nominal voltage [1/W], and l = |S|^2 / u_parent^2::

    u^2 = u_parent^2 - 2 (r P + x Q) + |z|^2 l          on the way down, with the S of the walk before
    S = S_below + z |S_below|^2 / u^2                   on the way up

Both are exact for complex voltages and currents of a tree; angles follow at the end. In depth-first order a node's way down and its way up
are met in one walk, so u^2 lives in a stack as high as the tree is deep, and only S is kept a node. The scenario axis is innermost.
What belongs to a node, or to a level of the stack, lies in one array each: the compiler then sees that lanes do not touch each other.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from topology.axes import Bools, Floats, Ints
from twin.solvers.jit import inner, kernel

LANES = 16
"""Scenarios side by side."""
POWER, CURRENT, IMPEDANCE = 0, 1, 2
"""What of a load stays constant: P and Q, or them in proportion to u, or to u^2."""
Complexes = NDArray[np.complex128]
P, Q, OVER = (k * LANES for k in range(3))
"""Offsets in a node's row. A leaf: its load, and l of its branch. Others: power taken from the parent; their load has a row of its own."""
SQUARE, INVERSE, SUM_P, SUM_Q, CHANGE, ROOM, VOLTS, ANGLE = (k * LANES for k in range(8))
"""Offsets in a level's row: u^2, 1 / u^2, power below, largest move of u below, least room below; u and its angle at the end."""
LEAST_SQUARE = 1e-6
"""Floor of u^2 on the way to a failure, so that nothing becomes infinite."""


class Tree(NamedTuple):
    """A forest in depth-first order (M nodes, dead ones left out).

    Attributes:
        node: (M,) index of each node outside.
        depth: (M,) 1 for a root.
        ends: (M,) how many inner nodes end with this one.
        leaf: (M,) no node below it, and no load that moves with the voltage.
        own: (M,) row of the load of a node that is no leaf, -1 for none.
        law: (M,) :data:`POWER`, :data:`CURRENT` or :data:`IMPEDANCE`.
        r_per_w: (M,) resistance of the branch to the parent over nominal voltage squared.
        x_per_w: (M,) reactance over the same.
        root: (M,) which source a root hangs on; 0 for other nodes.
        load: (K,) position in this order of each load, -1 where it hangs on a dead node.
    """

    node: Ints
    depth: Ints
    ends: Ints
    leaf: Bools
    own: Ints
    law: Ints
    r_per_w: Floats
    x_per_w: Floats
    root: Ints
    load: Ints


@kernel
def sweep_tree(
    tree: Tree, source: Floats, load_p: Floats, load_q: Floats, tolerance: float, most: int, volts: Floats, angles: Floats,
    taken: Complexes, rounds: Ints, worst: Ints,
) -> None:  # fmt: skip
    """Solve every scenario.

    Args:
        tree: the forest.
        source: (S or 1, B) voltage over nominal of each source; a root on a source without voltage is dead, with all below it.
        load_p: (S, K) active power of each load at nominal voltage [W].
        load_q: (S or 0, K) reactive power; none where there are no rows.
        tolerance: error of u at which a scenario is done.
        most: walks after which it counts as failed.
        volts: (S, N) voltage over nominal; written for scenarios that converge.
        angles: (S or 0, N) its angle, that of the sources being 0 [rad]; written where there are rows.
        taken: (S or 0, N) power that each branch takes from its parent [VA]; written where there are rows.
        rounds: (S,) walks that it took; written, negative where it failed.
        worst: (S,) node with the least room for more load; written where it failed.
    """
    n, deep = tree.node.size, (tree.depth.max() if tree.node.size else 0) + 1
    nodes, levels, stack = np.zeros((n, 3 * LANES)), np.ones((deep, 8 * LANES)), np.zeros(deep, np.int64)
    loads = np.zeros(((tree.own.max() if n else -1) + 1, 3 * LANES))
    on, before, feed = np.zeros(LANES), np.zeros(LANES), np.ones((source.shape[1], LANES))
    for first in range(0, load_p.shape[0], LANES):
        wide = min(LANES, load_p.shape[0] - first)
        for b in range(source.shape[1]):
            for w in range(wide):
                feed[b, w] = source[min(first + w, source.shape[0] - 1), b]
        _load(tree, first, wide, load_p, load_q, nodes, loads)
        for w in range(LANES):
            on[w] = 1.0 if w < wide else 0.0
        left = wide
        for turn in range(1, most + 1):
            for w in range(LANES):
                levels[0, CHANGE + w], levels[0, ROOM + w] = 0.0, 1.0
                levels[0, SUM_P + w], levels[0, SUM_Q + w] = 0.0, 0.0
            _walk(tree, feed, turn == 1, nodes, loads, levels, stack, on)
            for w in range(wide):
                if on[w] > 0.0:
                    if not (levels[0, ROOM + w] > 0.0 and math.isfinite(levels[0, SUM_P + w] + levels[0, SUM_Q + w])):
                        on[w], rounds[first + w], left = 0.0, -turn, left - 1
                    elif turn > 1 and _error(levels[0, CHANGE + w], before[w], 1.0 - levels[0, ROOM + w]) <= tolerance:
                        on[w], rounds[first + w], left = 0.0, turn, left - 1
                before[w] = levels[0, CHANGE + w]
            if left == 0:
                break
        for w in range(wide):
            if on[w] > 0.0:
                rounds[first + w] = -most
            if rounds[first + w] < 0:
                worst[first + w] = _least_room(tree, feed, w, nodes, levels)
        _write(tree, feed, first, wide, nodes, levels, volts, angles, taken, rounds)


@inner
def _error(change: float, before: float, drop: float) -> float:
    """Changes still to come, as a geometric series: each is to the one before as the last two, or as the largest drop of u^2."""
    if change == 0.0:
        return 0.0
    ratio = max(change / before if before > 0.0 else 1.0, drop)
    return change * ratio / (1.0 - ratio) if ratio < 1.0 else math.inf


@inner
def _load(tree: Tree, first: int, wide: int, load_p: Floats, load_q: Floats, nodes: Floats, loads: Floats) -> None:
    """Bring the loads of a block into place; they are also the first guess of the power that a branch takes."""
    nodes[:] = 0.0
    loads[:] = 0.0
    for k in range(tree.load.size):
        at = tree.load[k]
        if at >= 0:
            me = nodes[at] if tree.leaf[at] else loads[tree.own[at]]
            for w in range(wide):
                me[P + w] += load_p[first + w, k]
            if load_q.shape[0] > 0:
                for w in range(wide):
                    me[Q + w] += load_q[first + w, k]


@inner
def _walk(tree: Tree, feed: Floats, flat: bool, nodes: Floats, loads: Floats, levels: Floats, stack: Ints, on: Floats) -> None:
    """One walk: voltages on the way down, powers on the way up; at level 0, CHANGE bounds how far any voltage will move in the next."""
    for k in range(tree.node.size):
        d, r, x = tree.depth[k], tree.r_per_w[k], tree.x_per_w[k]
        up, me = levels[d - 1], nodes[k]
        if d == 1:
            for w in range(LANES):
                behind = feed[tree.root[k], w] if feed[tree.root[k], w] > 0.0 else 1.0
                up[SQUARE + w], up[INVERSE + w] = behind * behind, 1.0 / (behind * behind)
        if tree.leaf[k]:
            _leaf(r, x, me, up, on)
        else:
            stack[d] = k
            here = levels[d]
            if flat:
                for w in range(LANES):
                    here[SQUARE + w], here[INVERSE + w], here[ROOM + w] = up[SQUARE + w], up[INVERSE + w], 1.0
            else:
                _down(r, x, me, up, here)
            for w in range(LANES):
                here[SUM_P + w], here[SUM_Q + w], here[CHANGE + w] = 0.0, 0.0, 0.0
            if tree.own[k] >= 0:
                _own(tree.law[k], loads[tree.own[k]], here)
        at = d - 1 if tree.leaf[k] else d
        for _ in range(tree.ends[k]):
            done = stack[at]
            _up(tree.r_per_w[done], tree.x_per_w[done], nodes[done], levels[at - 1], levels[at], on)
            at -= 1


@inner
def _leaf(r: float, x: float, me: Floats, up: Floats, on: Floats) -> None:
    """Down and up at once; u^2 of the leaf is not needed, its own line being one of many on the way."""
    for w in range(LANES):
        old = me[OVER + w]
        p, q = me[P + w] + r * old, me[Q + w] + x * old
        gain = ((p * p + q * q) * up[INVERSE + w] - old) * on[w]
        room = up[SQUARE + w] - 2.0 * (r * p + x * q)
        move = (r * r + x * x) * abs(gain)
        me[OVER + w] = old + gain
        up[SUM_P + w] += p + r * gain
        up[SUM_Q + w] += q + x * gain
        up[CHANGE + w] = move if move > up[CHANGE + w] else up[CHANGE + w]
        up[ROOM + w] = room if room < up[ROOM + w] else up[ROOM + w]


@inner
def _down(r: float, x: float, me: Floats, up: Floats, here: Floats) -> None:
    for w in range(LANES):
        p, q = me[P + w], me[Q + w]
        room = up[SQUARE + w] - 2.0 * (r * p + x * q)
        square = room + (r * r + x * x) * (p * p + q * q) * up[INVERSE + w]
        square = square if square > LEAST_SQUARE else LEAST_SQUARE
        here[SQUARE + w] = square
        here[INVERSE + w] = 1.0 / square
        here[ROOM + w] = room


@inner
def _own(law: int, load: Floats, here: Floats) -> None:
    for w in range(LANES):
        square = here[SQUARE + w]
        share = 1.0 if law == POWER else (math.sqrt(square) if law == CURRENT else square)
        here[SUM_P + w] = load[P + w] * share
        here[SUM_Q + w] = load[Q + w] * share


@inner
def _up(r: float, x: float, me: Floats, up: Floats, here: Floats, on: Floats) -> None:
    for w in range(LANES):
        p, q = here[SUM_P + w], here[SUM_Q + w]
        over = (p * p + q * q) * here[INVERSE + w]
        d_p, d_q = (p + r * over - me[P + w]) * on[w], (q + x * over - me[Q + w]) * on[w]
        p, q = me[P + w] + d_p, me[Q + w] + d_q
        move = here[CHANGE + w] + abs(r * d_p) + abs(x * d_q)
        me[P + w] = p
        me[Q + w] = q
        up[SUM_P + w] += p
        up[SUM_Q + w] += q
        up[CHANGE + w] = move if move > up[CHANGE + w] else up[CHANGE + w]
        up[ROOM + w] = here[ROOM + w] if here[ROOM + w] < up[ROOM + w] else up[ROOM + w]


@inner
def _least_room(tree: Tree, feed: Floats, w: int, nodes: Floats, levels: Floats) -> int:
    """Node outside whose branch comes nearest to what its voltage can carry."""
    best, found = 2.0, -1
    for k in range(tree.node.size):
        d, r, x = tree.depth[k], tree.r_per_w[k], tree.x_per_w[k]
        above = feed[tree.root[k], w] ** 2 if d == 1 else levels[d - 1, SQUARE + w]
        above = above if above > 0.0 else 1.0
        over = nodes[k, OVER + w] if tree.leaf[k] else 0.0
        p, q = nodes[k, P + w] + r * over, nodes[k, Q + w] + x * over
        room = above - 2.0 * (r * p + x * q)
        levels[d, SQUARE + w] = max(room + (r * r + x * x) * (p * p + q * q) / above, LEAST_SQUARE)
        if room / above < best:
            best, found = room / above, tree.node[k]
    return found


@inner
def _write(
    tree: Tree, feed: Floats, first: int, wide: int, nodes: Floats, levels: Floats, volts: Floats, angles: Floats, taken: Complexes,
    rounds: Ints,
) -> None:  # fmt: skip
    """Voltages from the last powers; angles by ``V / V_parent = 1 - z conj(S) / u_parent^2``."""
    for k in range(tree.node.size):
        d, at = tree.depth[k], tree.node[k]
        up, here, me = levels[d - 1], levels[d], nodes[k]
        if d == 1:
            for w in range(LANES):
                behind = feed[tree.root[k], w]
                up[SQUARE + w], up[INVERSE + w] = behind * behind, (1.0 / (behind * behind) if behind > 0.0 else 0.0)
                up[ANGLE + w] = 0.0
        r, x, leaf = tree.r_per_w[k], tree.x_per_w[k], 1.0 if tree.leaf[k] else 0.0
        for w in range(LANES):
            own = me[OVER + w] * leaf
            p, q = me[P + w] + r * own, me[Q + w] + x * own
            square = up[SQUARE + w] - 2.0 * (r * p + x * q) + (r * r + x * x) * (p * p + q * q) * up[INVERSE + w]
            here[SQUARE + w] = square
            here[VOLTS + w] = math.sqrt(square if square > 0.0 else 0.0)
        if not tree.leaf[k]:
            for w in range(LANES):
                here[INVERSE + w] = 1.0 / (here[SQUARE + w] if here[SQUARE + w] > LEAST_SQUARE else LEAST_SQUARE)
        for w in range(wide):
            if rounds[first + w] > 0:
                volts[first + w, at] = here[VOLTS + w] if up[SQUARE + w] > 0.0 else 0.0
        if angles.shape[0] > 0:
            for w in range(wide):
                own = me[OVER + w] * leaf
                p, q = me[P + w] + r * own, me[Q + w] + x * own
                here[ANGLE + w] = up[ANGLE + w] + math.atan2(r * q - x * p, up[SQUARE + w] - r * p - x * q)
                if rounds[first + w] > 0:
                    angles[first + w, at] = here[ANGLE + w] if up[SQUARE + w] > 0.0 else 0.0
        if taken.shape[0] > 0:
            for w in range(wide):
                if rounds[first + w] > 0:
                    own = me[OVER + w] * leaf
                    taken[first + w, at] = complex(me[P + w] + r * own, me[Q + w] + x * own) if up[SQUARE + w] > 0.0 else 0.0j
