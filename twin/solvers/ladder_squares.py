"""A ladder whose every law is a square, with the heat of its branches: the exact reduction, sixteen cases side by side.

Conductances ``1 / sqrt(k)`` of parallel branches add, resistances of what lies in series add; from the far end on this gives the
whole ladder, and from the near end every branch's flow, without iteration. It holds for direct return.
"""

from __future__ import annotations

import math

import numpy as np

from topology.axes import Floats
from twin.solvers.jit import inner, kernel

LANES = 16
OWN, WHOLE, UP, THROUGH, ROWS = range(5)


@inner
def _reduce(pipe: Floats, branch: Floats, first: int, work: Floats, root: Floats) -> None:
    """Conductances of a block from the far end; the flow at the entry into the top row."""
    n, cases, lanes = pipe.size, root.size, work.shape[2]
    for c in range(LANES):
        work[n + 1, UP, c] = 0.0
    for j in range(n, 0, -1):
        u, far, series = work[j], work[j + 1], pipe[j - 1]
        if branch.shape[0] > 1:
            for c in range(LANES):
                u[OWN, c] = branch[min(first + c, cases - 1), j - 1]
        else:
            for c in range(LANES):
                u[OWN, c] = branch[0, j - 1]
        for c in range(lanes):
            own = 1.0 / math.sqrt(u[OWN, c])
            total = far[UP, c] + own
            u[OWN, c], u[WHOLE, c] = own, total
            u[UP, c] = total / math.sqrt(1.0 + series * total * total)
    for c in range(LANES):
        work[0, THROUGH, c] = work[1, UP, c] * root[min(first + c, cases - 1)]


@kernel
def squares(
    dp_pa: Floats, pipe: Floats, branch: Floats, heat_w: Floats, supply_c: Floats, cp_j_kg_k: float, flow: Floats, outlet_c: Floats
) -> None:
    """Flows and outlet temperatures of many cases.

    Args:
        dp_pa: (S,) pressure difference at the entry, at least 0.
        pipe: (N,) resistance of the segment ahead of each branch, both sides [Pa s2/kg2].
        branch: (S, N) or (1, N) resistance of the branches [Pa s2/kg2]; infinite for a closed one.
        heat_w: (S, N) or (1, N) heat into each branch.
        supply_c: (S,) supply temperature.
        cp_j_kg_k: heat capacity.
        flow: (S, N) result [kg/s]; written.
        outlet_c: (S, N) result; the supply temperature where nothing flows and nothing heats, infinite where heat has no flow;
            written.
    """
    cases, n = flow.shape
    root = np.sqrt(dp_pa)
    work = np.empty((n + 2, ROWS, LANES))
    for first in range(0, cases, LANES):
        _reduce(pipe, branch, first, work, root)
        many = min(LANES, cases - first)
        for j in range(1, n + 1):
            u, near = work[j], work[j - 1]
            for c in range(work.shape[2]):
                whole, through = u[WHOLE, c], near[THROUGH, c]
                part = through * u[OWN, c] / (whole if whole > 0.0 else 1.0)
                u[THROUGH, c] = through - part
                u[OWN, c] = part
                u[UP, c] = 1.0 / (part * cp_j_kg_k)
            for c in range(many):
                s = first + c
                heat = heat_w[s if heat_w.shape[0] > 1 else 0, j - 1]
                flow[s, j - 1] = u[OWN, c]
                outlet_c[s, j - 1] = supply_c[s] + (heat * u[UP, c] if heat != 0.0 else 0.0)
