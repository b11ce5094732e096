"""First part of a step: valves and fans move, then every loop's coolant."""

from __future__ import annotations

import math

from topology.axes import Bools, Floats
from twin.solvers.jit import inner, kernel
from twin.solvers.momentum import Branches, advance_loop, header, split
from twin.solvers.transient_parts import Drive, ExchangerParts, LoopParts, State, Work

FAN_PER_S = 0.1
"""Most change of a fan's speed on its drive in a second: ten seconds from rest to full speed (estimate)."""


@inner
def ramp(position_frac: float, command_frac: float, per_s: float, step_s: float) -> tuple[float, float]:
    """Where something that moves at a limited rate ends, and its mean on the way.

    Args:
        position_frac: start.
        command_frac: where it goes.
        per_s: travel in a second.
        step_s: length of the step.
    """
    way = command_frac - position_frac
    most = per_s * step_s
    if abs(way) > most:
        end = position_frac + math.copysign(most, way)
        return end, 0.5 * (position_frac + end)
    need = abs(way) / per_s if per_s > 0.0 else 0.0
    return command_frac, command_frac - 0.5 * way * need / step_s


@inner
def coast(speed: float, rundown_s: float, step_s: float) -> tuple[float, float]:
    """Speed of a fan without power after a step, and its mean: ``s / (1 + s t / tau)``.

    Args:
        speed: start.
        rundown_s: time to half speed from full speed.
        step_s: length of the step.
    """
    x = speed * step_s / rundown_s
    if x < 1e-9:
        return speed, speed
    return speed / (1.0 + x), math.log(1.0 + x) * rundown_s / step_s


@inner
def move_valves(x: ExchangerParts, on: Bools, valve: Floats, step_s: float, mean: Floats) -> None:
    """Valves go to their command, those of units without power close.

    Args:
        x: CDUs or air units.
        on: which run.
        valve: position and command of each; positions are changed.
        step_s: length of the step.
        mean: mean position; written.
    """
    for i in range(on.size):
        valve[i, 0], mean[i] = ramp(valve[i, 0], valve[i, 1] if on[i] else 0.0, x.valve_per_s[i], step_s)


@inner
def move_fans(x: ExchangerParts, on: Bools, fan: Floats, step_s: float, mean: Floats) -> None:
    """Fans of air units go to their command or coast.

    Args:
        x: air units.
        on: which run.
        fan: speed and command of each; speeds are changed.
        step_s: length of the step.
        mean: mean speed; written.
    """
    for i in range(on.size):
        if on[i]:
            fan[i, 0], mean[i] = ramp(fan[i, 0], fan[i, 1], FAN_PER_S, step_s)
        else:
            fan[i, 0], mean[i] = coast(fan[i, 0], x.rundown_s[i], step_s)


@inner
def open_kg_s(loop: int, cdus: ExchangerParts, units: ExchangerParts, valve: Floats, coil: Floats) -> float:
    """Flow that the valves of a facility loop take at its set-point.

    Args:
        loop: which loop.
        cdus: CDUs.
        units: air units.
        valve: positions of the CDUs' valves.
        coil: positions of the air units' valves.
    """
    total = 0.0
    for c in range(valve.size):
        if cdus.fws[c] == loop:
            total += valve[c] * cdus.cold_kg_s[c]
    for a in range(coil.size):
        if units.fws[a] == loop:
            total += coil[a] * units.cold_kg_s[a]
    return total


@inner
def move_coolant(
    loops: LoopParts, cdus: ExchangerParts, units: ExchangerParts, b: Branches, state: State, drive: Drive, step_s: float, work: Work,
) -> None:  # fmt: skip
    """Advance the flow of every loop; mean flows of branches, loops and racks are written."""
    move_valves(cdus, drive.cdu_on, state.cdu_valve, step_s, work.valve)
    move_valves(units, drive.unit_on, state.unit_valve, step_s, work.coil)
    move_fans(units, drive.unit_on, state.unit_fan, step_s, work.fan)
    for x in range(loops.fws.size):
        b0, b1 = b.first[x], b.first[x + 1]
        asked = open_kg_s(x, cdus, units, work.valve, work.coil) if loops.fws[x] else 0.0
        if drive.shut[x] or (loops.fws[x] and not loops.pumped[x]):
            _without_pumps(loops, b, x, state, drive.shut[x], asked, work)
            continue
        advance_loop(
            b, x, step_s, drive.running, drive.powered, state.pump[x, 0], drive.ramp_per_s, state.speed, state.flow, asked, work.mean
        )
        total = 0.0
        for i in range(b0, b1):
            total += work.mean[i]
        work.loop_kg_s[x] = total
        work.phi[x] = total / asked if asked > 0.0 else 0.0
        if loops.fws[x] and asked <= 0.0:
            work.loop_kg_s[x] = 0.0
        _pump_power(loops, b, x, drive, total, asked, work)
        if not loops.fws[x]:
            hand_out(loops, b, x, drive.share, total, state.rack_kg_s)


@inner
def _without_pumps(loops: LoopParts, b: Branches, x: int, state: State, shut: bool, asked: float, work: Work) -> None:
    """A loop that a valve has closed stands still at once; one without pumps gives what its valves ask for."""
    for i in range(b.first[x], b.first[x + 1]):
        state.flow[i], work.mean[i], work.pump_w[i] = 0.0, 0.0, 0.0
    work.loop_kg_s[x], work.phi[x] = (0.0, 0.0) if shut else (asked, 1.0)
    if not loops.fws[x]:
        for p in range(loops.place_first[loops.manifold_first[x]], loops.place_first[loops.manifold_first[x + 1]]):
            state.rack_kg_s[loops.place_rack[p]] = 0.0


@inner
def _pump_power(loops: LoopParts, b: Branches, x: int, drive: Drive, total: float, asked: float, work: Work) -> None:
    """Power of each branch's pumps: head times volume flow over efficiency, none while they coast."""
    dp, _ = header(b, x, total, asked)
    for i in range(b.first[x], b.first[x + 1]):
        work.pump_w[i] = 0.0
        if drive.powered[i] and work.loop_kg_s[x] > 0.0:
            head = dp + b.inner[i] * work.mean[i] * work.mean[i]
            work.pump_w[i] = work.mean[i] / loops.rho_kg_m3[x] * head / loops.efficiency[i] + loops.fixed_w[i]


@kernel
def hand_out(loops: LoopParts, b: Branches, x: int, share: Floats, total_kg_s: float, rack_kg_s: Floats) -> None:
    """Share the flow of a TCS loop among its racks as the steady solver does at the same header pressure.

    Args:
        loops: loops.
        b: branches.
        x: which loop.
        share: (N, R) flow of each rack over the root of header pressure.
        total_kg_s: flow of the loop [kg/s].
        rack_kg_s: (R,) flows; written.
    """
    p0, p1 = loops.place_first[loops.manifold_first[x]], loops.place_first[loops.manifold_first[x + 1]]
    root, _ = split(b, x, total_kg_s)
    k = 1
    while k < b.root.shape[1] - 1 and b.root[x, k] < root:
        k += 1
    gap = b.root[x, k] - b.root[x, k - 1]
    w = min(max((root - b.root[x, k - 1]) / gap, 0.0), 1.0) if gap > 0.0 else 1.0
    found = 0.0
    for p in range(p0, p1):
        r = loops.place_rack[p]
        rack_kg_s[r] = root * ((1.0 - w) * share[k - 1, r] + w * share[k, r])
        found += rack_kg_s[r]
    if found > 0.0:
        for p in range(p0, p1):
            rack_kg_s[loops.place_rack[p]] *= total_kg_s / found
