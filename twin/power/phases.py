"""Line currents on L1, L2 and L3: who hangs where, how far it is from balanced, and what nobody has said.

A load between a line and neutral draws ``I = conj(S / V)`` from that line; one between two lines (a bank of a delta PDU) draws
``conj(S / (Vx - Vy))`` from the one and gives it back to the other; on three phases each line takes a third. Currents of parts add
as complex numbers (Kirchhoff), so that three full 20 A banks in delta ask 34.6 A of each line. Up the chain they are carried on with
the loss of each element in equal parts on its lines; a transformer from star to delta (Dyn) turns ``(a, b, c)`` into
``n (a - b, b - c, c - a)`` with n = voltage of a secondary phase over primary line-to-line voltage; a double-conversion UPS draws
in balance whatever hangs on it. Mechanical gear is taken as three-phase motors and drives.

A load whose phases nobody said is **not** put anywhere: ``attributed_frac`` says how much of an element's load is known, and
figures by phase count only where that is all of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topology.axes import Bools, Floats, Ints
from topology.kinds import PHASES
from topology.plant import Plant
from twin.solvers.power import GEAR_POWER_FACTOR, supply
from twin.state import SteadyState

Complexes = NDArray[np.complex128]
TURN = np.exp(-2j * math.pi / 3.0 * np.arange(3))
"""Unit phasors of L1, L2, L3: positive sequence, L1 along the real axis."""
ALL_KNOWN = 1.0 - 1e-9


@dataclass(frozen=True)
class PhaseState:
    """Line currents of the power chain (S scenarios, N elements).

    Attributes:
        line_a: (S, N, 3) complex line currents at each element's output of the load that is attributed, L1 along the real axis.
        attributed_frac: (S, N) share of the apparent load whose phases are known; 1 where there is no load.
        voltage: (N,) a voltage is known, so that there are currents at all.
    """

    line_a: Complexes
    attributed_frac: Floats
    voltage: Bools

    @property
    def known(self) -> Bools:
        """(S, N) every load below is attributed, so that figures by phase mean what they say."""
        found: Bools = (self.attributed_frac >= ALL_KNOWN) & self.voltage
        return found

    @property
    def largest_a(self) -> Floats:
        """(S, N) current of the most loaded line; 0 where not known."""
        found: Floats = np.where(self.known, np.abs(self.line_a).max(axis=2), 0.0)
        return found

    @property
    def neutral_a(self) -> Floats:
        """(S, N) current of the neutral (the sum of the lines); 0 where not known."""
        found: Floats = np.where(self.known, np.abs(self.line_a.sum(axis=2)), 0.0)
        return found

    @property
    def unbalance_frac(self) -> Floats:
        """(S, N) largest departure of a line from the mean of the three, over that mean (NEMA MG 1, 14.36); 0 where not known."""
        size = np.abs(self.line_a)
        mean = size.mean(axis=2)
        off = np.abs(size - mean[:, :, None]).max(axis=2)
        found: Floats = np.divide(off, mean, out=np.zeros_like(mean), where=self.known & (mean > 1e-9))
        return found


def load_line_a(power_va: Complexes, phases: Ints, voltage_v: Floats) -> Complexes:
    """Line currents of loads.

    Args:
        power_va: (..., L) complex power of each load [VA].
        phases: (L,) index into :data:`topology.kinds.PHASES`, -1 where nobody said it.
        voltage_v: (L,) line-to-line voltage; no current where it is 0.

    Returns:
        (..., L, 3) complex currents [A], 0 for loads that are not attributed.

    >>> banks = load_line_a(np.full(3, 208.0 * 20.0 + 0j), np.array([3, 4, 5]), np.full(3, 208.0))
    >>> np.abs(banks.sum(axis=0)).round(1).tolist()
    [34.6, 34.6, 34.6]
    """
    volts = np.where(voltage_v > 0.0, voltage_v, np.inf)[:, None] / math.sqrt(3.0) * TURN
    out = np.zeros((*power_va.shape, 3), dtype=np.complex128)
    for code, name in enumerate(PHASES):
        own = np.flatnonzero(phases == code)
        if not own.size:
            continue
        lines = [int(name[k + 1]) - 1 for k in range(0, len(name), 2)]
        s = power_va[..., own]
        if len(lines) == 2:
            x, y = lines
            current = np.conj(s / (volts[own, x] - volts[own, y]))
            out[..., own, x] += current
            out[..., own, y] -= current
        else:
            for line in lines:
                out[..., own, line] = np.conj(s / len(lines) / volts[own, line])
    return out


def nominal_v(plant: Plant) -> Floats:
    """(N,) line-to-line voltage of each element: its own, else that of what feeds it unless it is a transformer.

    0 where it is unknown, and where there are no phases (direct current).
    """
    p = plant.power
    volts = p.voltage_v.copy()
    first = np.where(p.parents[:, 0] >= 0, p.parents[:, 0], p.transfer[:, 0])
    for e in p.order:
        if volts[e] <= 0.0 and first[e] >= 0 and p.kind[e] != "transformer":
            volts[e] = volts[first[e]]
    return np.where(p.direct, 0.0, volts)


def phases(plant: Plant, state: SteadyState) -> PhaseState:
    """Line currents of every element in every scenario.

    Args:
        plant: the plant.
        state: solved scenarios.

    Returns:
        Line currents with what share of the load they stand for, at nominal voltages.
    """
    chain, volts = supply(plant, state.outages.sets), nominal_v(plant)
    weight, gear_share = chain.weight[state.outages.index], chain.gear_share[state.outages.index]
    line, known, whole = _at_feeds(plant, state, gear_share, volts)
    p = plant.power
    both = np.concatenate([p.parents, p.transfer], axis=1)
    for e in p.order[::-1]:
        for j in np.flatnonzero(both[e] >= 0):
            share, parent = weight[:, e, j], int(both[e, j])
            if not share.any():
                continue
            up = _through(plant, volts, int(e), parent, line[:, e], state.power.out_w[:, e], state.power.loss_w[:, e])
            line[:, parent] += up * share[:, None]
            known[:, parent] += share * (whole[:, e] if p.input_power_factor[e] > 0.0 and volts[parent] > 0.0 else known[:, e])
            whole[:, parent] += share * whole[:, e]
    fraction = np.divide(known, whole, out=np.ones_like(whole), where=whole > 0.0)
    return PhaseState(np.where(state.power.alive[:, :, None], line, 0.0), np.minimum(fraction, 1.0), volts > 0.0)


def _at_feeds(plant: Plant, state: SteadyState, gear_share: Floats, volts: Floats) -> tuple[Complexes, Floats, Floats]:
    """Line currents, attributed and whole apparent load of what hangs directly on each element."""
    scenarios, n = state.power.out_w.shape
    racks, gear = plant.racks, plant.gear
    line = np.zeros((n, scenarios, 3), dtype=np.complex128)
    known, whole = np.zeros((n, scenarios)), np.zeros((n, scenarios))
    tan = np.tan(np.arccos(np.clip(racks.power_factor, 1e-6, 1.0)))
    three = np.full(gear.n, PHASES.index("L1L2L3"), dtype=np.int64)
    gear_tan = math.tan(math.acos(GEAR_POWER_FACTOR))
    for c in range(2):
        cord = (state.power.cord_w[:, :, c] * (1.0 + 1j * tan)).astype(np.complex128)
        drive = (state.heat.gear_w * gear_share[:, :, c] * complex(1.0, gear_tan)).astype(np.complex128)
        for power, feed, codes in ((cord, racks.feed[:, c], racks.phases), (drive, gear.feed[:, c], three)):
            on = np.flatnonzero(feed >= 0)
            at, size = feed[on], np.abs(power[:, on])
            said = (codes[on] >= 0) & (volts[at] > 0.0)
            np.add.at(line, at, load_line_a(power[:, on], codes[on], volts[at]).transpose(1, 0, 2))
            np.add.at(whole, at, size.T)
            np.add.at(known, at, np.where(said, size, 0.0).T)
    return line.transpose(1, 0, 2), known.T, whole.T


def uneven(plant: Plant) -> Bools:
    """(N,) elements below which, up to the next UPS, some rack is not on all three phases and every rack's phases are known."""
    p, racks = plant.power, plant.racks
    single, silent = np.zeros(p.n, bool), np.zeros(p.n, bool)
    for c in range(2):
        on = racks.feed[:, c] >= 0
        single[racks.feed[on & (racks.phases >= 0) & (racks.phases != PHASES.index("L1L2L3")), c]] = True
        silent[racks.feed[on & (racks.phases < 0), c]] = True
    if not single.any():
        return single
    both = np.concatenate([p.parents, p.transfer], axis=1)
    for e in p.order[::-1]:
        if p.input_power_factor[e] > 0.0:
            continue
        above = both[e][both[e] >= 0]
        single[above] |= single[e]
        silent[above] |= silent[e]
    return single & ~silent


def _through(plant: Plant, volts: Floats, child: int, parent: int, line: Complexes, out_w: Floats, loss_w: Floats) -> Complexes:
    """(S, 3) line currents that an element draws from its parent; behind a transformer in the frame of the primary."""
    p = plant.power
    low, high = volts[child], volts[parent]
    if high <= 0.0:
        return np.zeros_like(line)
    if p.input_power_factor[child] > 0.0:
        tan = math.tan(math.acos(p.input_power_factor[child]))
        balanced: Complexes = np.conj((out_w + loss_w) * (1.0 + 1j * tan))[:, None] / (math.sqrt(3.0) * high) * TURN
        return balanced
    own = loss_w[:, None] / (math.sqrt(3.0) * high) * TURN
    if p.kind[child] == "transformer" or (p.kind[child] == "pdu" and low != high):
        ratio = low / math.sqrt(3.0) / high * np.exp(-1j * math.pi / 6.0)
        delta: Complexes = ratio * (line - np.roll(line, -1, axis=1)) + own
        return delta
    plain: Complexes = line * (low / high if low > 0.0 else 1.0) + own
    return plain
