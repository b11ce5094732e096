"""Sweeps over the power chain, one scenario after the other: backward for powers, forward for voltages.

Power summation on a chain whose elements may have several parents (Cespedes, IEEE Trans. Power Delivery 5(1), 1990, for trees). u is an
element's output voltage over nominal, u0 that of its input times its tap, P + jQ what it gives out, ``z = r + jx`` its impedance over
nominal voltage squared [1/W]::

    loss = a + b P + r |S|^2 / u^2          and x |S|^2 / u^2 of reactive power
    u^2 = B + sqrt(B^2 - |z|^2 |S|^2),      B = u0^2 / 2 - (r P + x Q)

the second being Kirchhoff's law for one impedance, solved for the voltage behind it. Where r is given, it stands in place of the square
law ``c P^2``. What hangs along the whole length of a busway in equal parts makes a third of the loss and, at its far end, half of the drop
of the same load at the end (integrals of (1 - s)^2 and 1 - s). A UPS that regulates holds its output; parallel parents share equally,
and their child sees the mean of their voltages. A source holds nominal voltage.

Without a real root the load is above what the voltage can carry (a solution cannot exist: losses have so far been taken at voltages
that are too high). Such an element has collapsed: it and what hangs on it have no voltage, and its loss counts at half of u0, where the
largest power would be.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.solvers.jit import inner, kernel

SPREAD_LOSS, SPREAD_DROP = 1.0 / 3.0, 0.5
"""Loss, and drop at the far end, of a load spread evenly over a length, over those of the same load at its end."""
SETTLED_FRAC = 1e-12
"""Change of any voltage over nominal at which the sweeps end."""
MOST_SWEEPS = 200
"""Sweeps after which the chain counts as collapsed where it still moves: within a percent of the largest load it would need more."""


class Elements(NamedTuple):
    """The power axis for the sweep (N elements).

    Attributes:
        order: (N,) parents before children.
        parents: (N, P) normal, then transfer parents, -1 padded.
        ups_tan: (N,) tangent of the input power factor that an element presents, negative where reactive power passes through.
        fixed: (N,) no-load loss [W].
        frac: (N,) loss in proportion to output.
        quad: (N,) square-law loss [1/W], 0 where r stands in its place.
        r: (N,) resistance over nominal voltage squared [1/W].
        x: (N,) reactance over the same.
        loss_share: (N,) share of the loss of a load at the end.
        drop_share: (N,) share of its drop.
        regulates: (N,) holds its output voltage.
        tap: (N,) output over input voltage at no load, both over nominal.
        dropping: whether any element has an impedance or a tap.
    """

    order: Ints
    parents: Ints
    ups_tan: Floats
    fixed: Floats
    frac: Floats
    quad: Floats
    r: Floats
    x: Floats
    loss_share: Floats
    drop_share: Floats
    regulates: Bools
    tap: Floats
    dropping: bool


@kernel
def feeding(
    direct: Bools, index: Ints, rack_feed: Ints, tan: Floats, cord: Floats, gear_feed: Ints, gear_share: Floats, gear_w: Floats,
    gear_var: Floats,
) -> tuple[Floats, Floats]:  # fmt: skip
    """What racks and gear draw at each element of the chain, (S, N) active and reactive; no reactive power on direct current."""
    p, q = np.zeros((index.size, direct.size)), np.zeros((index.size, direct.size))
    for s in range(index.size):
        z = index[s]
        for r in range(rack_feed.shape[0]):
            for c in range(2):
                if rack_feed[r, c] >= 0:
                    p[s, rack_feed[r, c]] += cord[s, r, c]
                    q[s, rack_feed[r, c]] += 0.0 if direct[rack_feed[r, c]] else cord[s, r, c] * tan[r]
        for g in range(gear_feed.shape[0]):
            for c in range(2):
                if gear_share[z, g, c] > 0.0:
                    p[s, gear_feed[g, c]] += gear_w[s, g] * gear_share[z, g, c]
                    q[s, gear_feed[g, c]] += 0.0 if direct[gear_feed[g, c]] else gear_var[s, g] * gear_share[z, g, c]
    return p, q


@kernel
def chain_sweep(
    chain: Elements, alive: Bools, weight: Floats, index: Ints, own_p: Floats, own_q: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats, Bools]:
    """Solve every scenario.

    Args:
        chain: the elements.
        alive: (Z, N) from :func:`twin.solvers.power.supply`.
        weight: (Z, N, P) share of its input that an element draws from each parent.
        index: (S,) row of both for each scenario.
        own_p: (S, N) active power that racks and gear draw at each element.
        own_q: (S, N) reactive power.

    Returns:
        (S, N) active and reactive output, and loss; (S,) power of the sources; (S, N) output voltage over nominal, 0 where there is none,
        that before the impedance, and whether the element has collapsed.
    """
    scenarios, n = own_p.shape
    p, q, loss = own_p.copy(), own_q.copy(), np.zeros((scenarios, n))
    total, volts, before = np.zeros(scenarios), np.zeros((scenarios, n)), np.zeros((scenarios, n))
    collapsed = np.zeros((scenarios, n), np.bool_)
    for s in range(scenarios):
        z = index[s]
        for e in range(n):
            volts[s, e] = 1.0 if alive[z, e] else 0.0
            before[s, e] = volts[s, e]
        total[s] = _backward(chain, alive[z], weight[z], p[s], q[s], loss[s], volts[s])
        if not chain.dropping:
            continue
        for turn in range(MOST_SWEEPS):
            moved = _forward(chain, alive[z], weight[z], p[s], q[s], volts[s], before[s], collapsed[s], turn == MOST_SWEEPS - 2)
            for e in range(n):
                p[s, e], q[s, e] = own_p[s, e], own_q[s, e]
            total[s] = _backward(chain, alive[z], weight[z], p[s], q[s], loss[s], volts[s])
            if moved <= SETTLED_FRAC:
                break
        _darken(chain, weight[z], volts[s], before[s], collapsed[s])
    return p, q, loss, total, volts, before, collapsed


@inner
def _backward(chain: Elements, alive: Bools, weight: Floats, p: Floats, q: Floats, loss: Floats, volts: Floats) -> float:
    """From what racks and gear draw (in p and q) to the output of every element; power of the sources."""
    total = 0.0
    for k in range(chain.order.size - 1, -1, -1):
        e = chain.order[k]
        if not alive[e]:
            continue
        out, lagging = p[e], q[e]
        loss[e] = chain.fixed[e] + chain.frac[e] * out + chain.quad[e] * out * out
        if chain.r[e] > 0.0 or chain.x[e] > 0.0:
            over = (out * out + q[e] * q[e]) * chain.loss_share[e] / (volts[e] * volts[e])
            loss[e] += chain.r[e] * over
            lagging += chain.x[e] * over
        taken = out + loss[e]
        reactive = lagging if chain.ups_tan[e] < 0.0 else taken * chain.ups_tan[e]
        fed = 0.0
        for j in range(chain.parents.shape[1]):
            w = weight[e, j]
            if w > 0.0:
                p[chain.parents[e, j]] += taken * w
                q[chain.parents[e, j]] += reactive * w
                fed += w
        if fed == 0.0:
            total += taken
    return total


@inner
def _forward(
    chain: Elements, alive: Bools, weight: Floats, p: Floats, q: Floats, volts: Floats, before: Floats, collapsed: Bools, late: bool
) -> float:
    """Output voltages from the outputs; largest change. Where it is late, what still moves has collapsed."""
    moved = 0.0
    for e in chain.order:
        if not alive[e]:
            continue
        u0, fed = 0.0, 0.0
        for j in range(chain.parents.shape[1]):
            if weight[e, j] > 0.0:
                u0 += weight[e, j] * volts[chain.parents[e, j]]
                fed += weight[e, j]
        u0 = (u0 if fed > 0.0 else 1.0) * chain.tap[e]
        if chain.regulates[e]:
            u0 = chain.tap[e]
        u = u0
        if not chain.regulates[e] and (chain.r[e] > 0.0 or chain.x[e] > 0.0):
            r, x = chain.r[e] * chain.drop_share[e], chain.x[e] * chain.drop_share[e]
            half = 0.5 * u0 * u0 - (r * p[e] + x * q[e])
            root = half * half - (r * r + x * x) * (p[e] * p[e] + q[e] * q[e])
            if collapsed[e] or half < 0.0 or root < 0.0:
                collapsed[e], u = True, 0.5 * u0
            else:
                u = math.sqrt(half + math.sqrt(root))
        change = abs(u - volts[e])
        if late and change > SETTLED_FRAC and (chain.r[e] > 0.0 or chain.x[e] > 0.0):
            collapsed[e], u = True, 0.5 * u0
        volts[e], before[e] = u, u0
        moved = max(moved, change)
    return moved


@inner
def _darken(chain: Elements, weight: Floats, volts: Floats, before: Floats, collapsed: Bools) -> None:
    """No voltage at what has collapsed, nor at what hangs on nothing else; batteries do not last in a steady state."""
    for e in chain.order:
        fed, dark = 0.0, 0.0
        for j in range(chain.parents.shape[1]):
            if weight[e, j] > 0.0:
                fed += weight[e, j]
                dark += weight[e, j] if collapsed[chain.parents[e, j]] else 0.0
        if fed > 0.0 and dark == fed:
            collapsed[e] = True
        if collapsed[e]:
            volts[e], before[e] = 0.0, 0.0
