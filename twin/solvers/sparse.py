"""Symmetric sparse systems whose pattern is fixed and whose numbers change: ordered and analysed once, factored often.

``L D L^T`` by rows, after Davis, "Algorithm 849: A concise sparse Cholesky factorization package", ACM Trans. Math. Softw. 31
(2005), p. 587. Matrices of pipe networks are weighted Laplacians, for which it needs no pivoting.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csc_array, identity
from scipy.sparse.linalg import splu

from topology.axes import Floats, Ints
from twin.solvers.jit import kernel


class Pattern(NamedTuple):
    """Where the numbers of a symmetric matrix of order n stand, in the order of elimination.

    Attributes:
        place: (n,) place of each unknown in the order of elimination.
        first: (n + 1,) offsets of the columns of the strict upper part.
        row: (nnz,) rows of its entries.
        parent: (n,) parent of each column in the elimination tree, -1 for a root.
        l_first: (n + 1,) offsets of the columns of the factor.
        slot: (E,) entry of each pair that was asked for; -1 where both ends are one.
    """

    place: Ints
    first: Ints
    row: Ints
    parent: Ints
    l_first: Ints
    slot: Ints


def pattern(n: int, a: Ints, b: Ints) -> Pattern:
    """Order and analyse the matrix with a diagonal and an entry for each pair.

    Args:
        n: order.
        a: (E,) one unknown of each pair.
        b: (E,) the other; pairs may repeat.
    """
    place = _order(n, a, b)
    low, high = np.minimum(place[a], place[b]), np.maximum(place[a], place[b])
    apart = low != high
    keys, slot_apart = np.unique(high[apart] * max(n, 1) + low[apart], return_inverse=True)
    slot = np.full(a.size, -1, np.int64)
    slot[apart] = slot_apart.reshape(-1)
    first = np.searchsorted(keys, np.arange(n + 1) * max(n, 1)).astype(np.int64)
    row = (keys % max(n, 1)).astype(np.int64)
    parent, count = _analyse(first, row)
    return Pattern(place, first, row, parent, np.concatenate([[0], np.cumsum(count)]).astype(np.int64), slot)


def _order(n: int, a: Ints, b: Ints) -> Ints:
    """Minimum degree order (SuperLU's, on the pattern): the place of each unknown."""
    if n < 3:
        return np.arange(n, dtype=np.int64)
    pairs = coo_array((np.ones(2 * a.size), (np.concatenate([a, b]), np.concatenate([b, a]))), shape=(n, n))
    matrix = csc_array(pairs)
    matrix.data[:] = -1.0
    loaded = csc_array(matrix + identity(n, format="csc") * (2.0 + np.bincount(matrix.indices, minlength=n).max()))
    factor = splu(loaded, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return np.asarray(factor.perm_c, dtype=np.int64)


@kernel
def _analyse(first: Ints, row: Ints) -> tuple[Ints, Ints]:
    """Elimination tree, and the number of entries of each column of the factor."""
    n = first.size - 1
    parent, count, flag = np.full(n, -1), np.zeros(n, np.int64), np.full(n, -1)
    for k in range(n):
        flag[k] = k
        for p in range(first[k], first[k + 1]):
            i = row[p]
            while flag[i] != k:
                if parent[i] < 0:
                    parent[i] = k
                count[i] += 1
                flag[i] = k
                i = parent[i]
    return parent, count


class Work(NamedTuple):
    """What a factorisation writes: the factor by columns, the pivots, and scratch."""

    l_row: Ints
    l_value: Floats
    pivot: Floats
    filled: Ints
    path: Ints
    flag: Ints
    line: Floats


@kernel
def workspace(n: int, entries: int) -> Work:
    """Room for the factor of a matrix of order n."""
    return Work(
        np.zeros(entries, np.int64), np.zeros(entries), np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64),
        np.zeros(n, np.int64), np.zeros(n),
    )  # fmt: skip


@kernel
def factor(p: Pattern, diagonal: Floats, upper: Floats, w: Work) -> bool:
    """Factor the matrix; False where a pivot vanishes (the matrix is singular): that unknown is then held at 0.

    Args:
        p: pattern.
        diagonal: (n,) diagonal, in the order of elimination.
        upper: (nnz,) entries of the strict upper part.
        w: workspace; written.
    """
    n = diagonal.size
    sound = True
    for k in range(n):
        w.flag[k] = k
        w.filled[k] = 0
        top = n
        for q in range(p.first[k], p.first[k + 1]):
            i = p.row[q]
            w.line[i] += upper[q]
            length = 0
            while w.flag[i] != k:
                w.path[length] = i
                length += 1
                w.flag[i] = k
                i = p.parent[i]
            while length > 0:
                top -= 1
                length -= 1
                w.path[top] = w.path[length]
        pivot = diagonal[k]
        for t in range(top, n):
            i = w.path[t]
            value = w.line[i]
            w.line[i] = 0.0
            start = p.l_first[i]
            for q in range(start, start + w.filled[i]):
                w.line[w.l_row[q]] -= w.l_value[q] * value
            share = value / w.pivot[i]
            pivot -= share * value
            w.l_row[start + w.filled[i]] = k
            w.l_value[start + w.filled[i]] = share
            w.filled[i] += 1
        if not pivot > 1e-15 * diagonal[k]:
            sound = False
            pivot = 1e30 * max(diagonal[k], 1.0)
        w.pivot[k] = pivot
    return sound


@kernel
def substitute(p: Pattern, w: Work, x: Floats) -> None:
    """Solve with the factor, in place.

    Args:
        p: pattern.
        w: workspace with the factor.
        x: (n,) right side in the order of elimination; becomes the solution.
    """
    n = x.size
    for k in range(n):
        for q in range(p.l_first[k], p.l_first[k] + w.filled[k]):
            x[w.l_row[q]] -= w.l_value[q] * x[k]
    for k in range(n - 1, -1, -1):
        total = x[k] / w.pivot[k]
        for q in range(p.l_first[k], p.l_first[k] + w.filled[k]):
            total -= w.l_value[q] * x[w.l_row[q]]
        x[k] = total
