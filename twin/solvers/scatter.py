"""Members and sums of owners: how rack, pump and branch values become loop, hall and gear values."""

from __future__ import annotations

import numpy as np

from topology.axes import Floats, Ints
from twin.solvers.jit import kernel, plain


def grouped(owner: Ints, groups: int) -> tuple[Ints, Ints]:
    """Members of each group: indices in order of their group, and the (groups + 1,) offsets into them."""
    order = np.argsort(owner, kind="stable").astype(np.int64)
    return order, np.searchsorted(owner[order], np.arange(groups + 1)).astype(np.int64)


def sum_by(values: Floats, owner: Ints, groups: int) -> Floats:
    """Sum columns by owner.

    Args:
        values: (S, n) values.
        owner: (n,) group of each column; -1 belongs to nobody.
        groups: number of groups.

    Returns:
        (S, groups) sums, in the order of the columns.
    """
    return _sum_by(plain(values), plain(owner), groups)


@kernel
def _sum_by(values: Floats, owner: Ints, groups: int) -> Floats:
    out = np.zeros((values.shape[0], groups))
    for s in range(values.shape[0]):
        for k in range(owner.size):
            if owner[k] >= 0:
                out[s, owner[k]] += values[s, k]
    return out
