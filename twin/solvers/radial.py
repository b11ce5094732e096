"""Voltages of radial feeds: a tree is prepared once, then solved for many load scenarios side by side.

One law serves alternating and direct current. Three phases, balanced: P and Q are those of all phases and ``z = Z / V^2`` with Z
the impedance of one phase and V the nominal line-to-line voltage. One phase or direct current: Z is that of both conductors
together, V the voltage between them; direct current has no reactance and no reactive power. A transformer has
``z = (impedance in per unit) / rating``, so trees with several voltage levels need no conversion: :func:`per_w`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topology.axes import Bools, Floats, Ints
from topology.errors import NotConverged, UsageError
from twin.solvers.jit import plain
from twin.solvers.radial_kernel import POWER, Complexes, Tree, sweep_tree

TOLERANCE_FRAC = 1e-8
"""Error of any voltage at which a scenario is done."""
MOST_WALKS = 300
"""Walks after which a scenario counts as failed; 3 to 6 are usual, hundreds only within a percent of the largest load."""


@dataclass(frozen=True)
class Radial:
    """A prepared forest of N nodes; make one with :func:`radial`.

    Attributes:
        ids: (N,) names of the nodes, for messages.
        loads: number of loads K.
        sources: number of sources B.
        tree: the same in the order of the sweep, dead nodes left out.
    """

    ids: tuple[str, ...]
    loads: int
    sources: int
    tree: Tree


@dataclass(frozen=True)
class RadialState:
    """Answer of a batch of S scenarios; rows of scenarios that failed are 0, as dead nodes are.

    Attributes:
        voltage_frac: (S, N) voltage over nominal.
        angle_rad: (S, N) its angle, that of the sources being 0; (0, N) where it was not asked for.
        taken_va: (S, N) complex power that each node's branch takes from its parent; (0, N) where it was not asked for.
        walks: (S,) walks over the tree.
        converged: (S,) whether the scenario has an answer.
        weakest: (S,) node that comes nearest to what its voltage can carry, where a scenario failed; -1 elsewhere.
    """

    voltage_frac: Floats
    angle_rad: Floats
    taken_va: Complexes
    walks: Ints
    converged: Bools
    weakest: Ints


def per_w(ohm: float, voltage_v: float) -> float:
    """Impedance over the square of nominal voltage [1/W]: relative drop for each watt, relative loss for each watt.

    >>> per_w(0.01, 400.0)
    6.25e-08
    """
    return ohm / voltage_v**2


def radial(
    parent: Ints, r_per_w: Floats, x_per_w: Floats, at: Ints, *, ids: Sequence[str] = (), closed: Bools | None = None,
    law: Ints | None = None, source: Ints | None = None,
) -> Radial:  # fmt: skip
    """Prepare a forest.

    Args:
        parent: (N,) node that feeds each node, -1 for a root.
        r_per_w: (N,) resistance of the branch to the parent (of a root: to its source) over nominal voltage squared [1/W].
        x_per_w: (N,) reactance over the same.
        at: (K,) node of each load; several loads on one node add up.
        ids: (N,) names; numbers where not given.
        closed: (N,) whether the branch is connected; all where not given. What hangs on an open branch is dead and draws nothing.
        law: (N,) what of the loads on a node stays constant: POWER, CURRENT or IMPEDANCE of :mod:`twin.solvers.radial_kernel`.
        source: (N,) number of the source that a root hangs on; 0 where not given.

    Returns:
        The prepared forest.

    Raises:
        UsageError: arrays of different length, an unknown parent or node, a circle, or an impedance below 0 or not finite.
    """
    n = parent.size
    names = tuple(ids) if ids else tuple(str(k) for k in range(n))
    laws = np.full(n, POWER, np.int64) if law is None else law
    roots = np.zeros(n, np.int64) if source is None else source
    on = np.ones(n, bool) if closed is None else closed
    if any(a.shape != (n,) for a in (r_per_w, x_per_w, laws, roots, on)) or len(names) != n:
        raise UsageError(f"a forest of {n} nodes needs {n} impedances, laws, sources and names each")
    for what, values in (("r_per_w", r_per_w), ("x_per_w", x_per_w)):
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0.0)))
        if bad.size:
            raise UsageError(f"{what} of {names[bad[0]]} is {values[bad[0]]}; give a finite value of at least 0")
    if (parent >= n).any() or (parent < -1).any() or (at < 0).any() or (at >= n).any():
        raise UsageError(f"a parent or a load names a node that is not among the {n}")
    order, depth = _depth_first(parent, on, names)
    place = np.full(n, -1, np.int64)
    place[order] = np.arange(order.size)
    has_child = np.zeros(n, bool)
    has_child[parent[order][parent[order] >= 0]] = True
    leaf = ~has_child[order] & (laws[order] == POWER)
    after = np.append(depth[1:], 1)[: order.size]
    inner = np.where(leaf, depth - after, depth - after + 1)
    loaded = np.zeros(n, bool)
    loaded[at] = True
    own = np.where(loaded[order] & ~leaf, np.cumsum(loaded[order] & ~leaf) - 1, -1)
    tree = Tree(
        plain(order), plain(depth), plain(inner), plain(leaf), plain(own), plain(laws[order]), plain(r_per_w[order]), plain(x_per_w[order]),
        plain(np.where(parent[order] < 0, roots[order], 0)), plain(place[at]),
    )  # fmt: skip
    return Radial(names, at.size, int(roots[parent < 0].max(initial=0)) + 1, tree)


def _depth_first(parent: Ints, on: Bools, names: Sequence[str]) -> tuple[Ints, Ints]:
    """Live nodes, each right after its parent or the end of an elder sibling's family, and their depths from 1."""
    n = parent.size
    by_parent = np.argsort(parent, kind="stable")
    first = np.searchsorted(parent[by_parent], np.arange(-1, n + 1))
    order: list[int] = []
    depth: list[int] = []
    seen = 0
    todo = [(int(k), 1, bool(on[k])) for k in by_parent[first[0] : first[1]][::-1]]
    while todo:
        k, d, live = todo.pop()
        seen += 1
        if live:
            order.append(k)
            depth.append(d)
        todo.extend((int(c), d + 1, live and bool(on[c])) for c in by_parent[first[k + 1] : first[k + 2]][::-1])
    if seen < n:
        circle = sorted(set(range(n)) - _reached(parent))
        raise UsageError(f"{names[circle[0]]} has no way to a root: its parents go in a circle")
    return np.asarray(order, np.int64), np.asarray(depth, np.int64)


def _reached(parent: Ints) -> set[int]:
    found = set(np.flatnonzero(parent < 0).tolist())
    for _ in range(parent.size):
        more = {k for k in range(parent.size) if int(parent[k]) in found} - found
        if not more:
            break
        found |= more
    return found


def solve_radial(
    net: Radial, load_w: Floats, load_var: Floats | None = None, source_frac: Floats | float = 1.0, *, angles: bool = False,
    flows: bool = False, fail: bool = True, tolerance: float = TOLERANCE_FRAC,
) -> RadialState:  # fmt: skip
    """Solve a batch of load scenarios.

    Args:
        net: the prepared forest.
        load_w: (S, K) active power of each load at nominal voltage.
        load_var: (S, K) reactive power; 0 where not given.
        source_frac: voltage over nominal of every source, or (S or 1, B) one a scenario and source; 0 is a dead source.
        angles: whether the angle of each voltage is wanted as well.
        flows: whether the power of each branch is wanted as well.
        fail: raise where a scenario has no answer; else its ``converged`` is false.
        tolerance: error of any voltage at which a scenario is done.

    Returns:
        Voltages of every node; each scenario's answer is the same whatever stands beside it.

    Raises:
        UsageError: arrays of the wrong shape or not finite.
        NotConverged: a load is above what the voltage can carry; names the weakest node, the scenario and how many failed.
    """
    q = np.zeros((0, net.loads)) if load_var is None else load_var
    at = np.atleast_2d(np.asarray(source_frac, dtype=np.float64))
    if at.size == 1 and net.sources > 1:
        at = np.full((1, net.sources), at.item())
    scenarios = load_w.shape[0]
    if load_w.shape[1:] != (net.loads,) or (load_var is not None and q.shape != load_w.shape):
        raise UsageError(f"loads have shape {load_w.shape} and {q.shape}, not (scenarios, {net.loads})")
    if at.shape[0] not in (1, scenarios) or at.shape[1] != net.sources:
        raise UsageError(f"source_frac has shape {at.shape}, not (1 or {scenarios}, {net.sources})")
    if not np.isfinite(at).all():
        raise UsageError("source_frac is not finite")
    n = len(net.ids)
    volts, angle = np.zeros((scenarios, n)), np.zeros((scenarios if angles else 0, n))
    taken = np.zeros((scenarios if flows else 0, n), np.complex128)
    walks, weakest = np.zeros(scenarios, np.int64), np.full(scenarios, -1, np.int64)
    sweep_tree(net.tree, plain(at), plain(load_w), plain(q), tolerance, MOST_WALKS, volts, angle, taken, walks, weakest)
    done: NDArray[np.bool_] = walks > 0
    for s in np.flatnonzero(~done).tolist():
        if not (np.isfinite(load_w[s]).all() and (load_var is None or np.isfinite(q[s]).all())):
            raise UsageError(f"a load is not finite in scenario {s}")
    if fail and not done.all():
        s = int(np.flatnonzero(~done)[0])
        raise NotConverged(
            f"scenario {s}: the load below {net.ids[weakest[s]]} is at or above what its voltage can carry; "
            f"{int((~done).sum())} of {scenarios} scenarios have no answer",
            element=net.ids[weakest[s]], scenario=s,
        )  # fmt: skip
    return RadialState(volts, angle, taken, np.abs(walks), done, weakest)
