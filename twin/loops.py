"""Coolant loops as a person reads them: flow, pressure, velocity, who gets how much, pumps with what limits them, suction margin."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from topology.axes import Floats
from topology.errors import UsageError, nearest
from topology.models import Coolant
from topology.plant import Plant
from twin.solvers.moistair import saturation_pa
from twin.solvers.network_parts import GRAVITY_M_S2
from twin.solvers.pumping import LIMITS
from twin.state import SteadyState

SPREAD_FLAG_FRAC = 0.05
"""Spread of branch flows over which a manifold is flagged (OCP ORV3 blind-mate manifold, recommended)."""
VELOCITY_FLAG_M_S = 1.5
"""Velocity over which a manifold is flagged (OCP rack manifold white paper, 2023)."""


@dataclass(frozen=True)
class Branch:
    """A rack on a manifold.

    Attributes:
        element: the rack.
        place: its place from the coolant entry on.
        flow_kg_s: its flow.
        rated_kg_s: flow at its SKU's rating.
        dp_pa: pressure difference between supply and return at its place.
        connected: its branch is open.
    """

    element: str
    place: int
    flow_kg_s: float
    rated_kg_s: float
    dp_pa: float
    connected: bool


@dataclass(frozen=True)
class ManifoldReport:
    """A row manifold.

    Attributes:
        element: the manifold.
        returns: ``direct`` or ``reverse``.
        flow_kg_s: flow of all its branches.
        velocity_m_s: velocity in its first segment.
        spread_frac: (largest - smallest branch flow over its rating) / mean.
        uneven: the spread is over 5 %.
        fast: the velocity is over 1.5 m/s.
        branches: its racks.
    """

    element: str
    returns: str
    flow_kg_s: float
    velocity_m_s: float
    spread_frac: float
    uneven: bool
    fast: bool
    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class PumpReport:
    """A pump, or the equal pumps inside a CDU.

    Attributes:
        element: the entry, such as ``cdu-1/pumps``.
        pumps: how many it stands for.
        running: how many run; ``None`` for a facility pump.
        flow_kg_s: flow through all of them; ``None`` for a facility pump.
        head_pa: their head; ``None`` for a facility pump.
        speed_frac: over full speed; ``None`` for a facility pump.
        power_w: electrical power.
        rating_w: of the motors; ``None`` where unknown.
        efficiency_frac: wire to water at this point; ``None`` where nothing flows.
        npsh_available_m: head over vapour pressure at the suction; ``None`` where the loop's suction pressure is not known.
        npsh_required_m: what a pump needs; ``None`` where unknown.
        limits: what keeps it from giving more.
    """

    element: str
    pumps: int
    running: int | None
    flow_kg_s: float | None
    head_pa: float | None
    speed_frac: float | None
    power_w: float
    rating_w: float | None
    efficiency_frac: float | None
    npsh_available_m: float | None
    npsh_required_m: float | None
    limits: str


@dataclass(frozen=True)
class LoopReport:
    """A coolant loop.

    Attributes:
        element: the loop.
        kind: ``tcs`` or ``fws``.
        coolant: what flows in it.
        flow_kg_s: its flow.
        dp_pa: header differential pressure; ``None`` for a facility loop.
        set_dp_pa: what is held, or the most where a flow is held.
        set_flow_kg_s: flow that is held; ``None`` where the pressure is.
        supply_c: supply temperature, infinite where nothing cools it.
        return_c: return temperature.
        design_return_c: return that properties are taken at.
        decides: what decides its flow, one of :data:`twin.solvers.pumping.LIMITS`; ``valves`` for a facility loop.
        manifolds: its manifolds.
        pumps: its pumps.
        notes: what to look at, in words.
    """

    element: str
    kind: str
    coolant: str
    flow_kg_s: float
    dp_pa: float | None
    set_dp_pa: float
    set_flow_kg_s: float | None
    supply_c: float
    return_c: float
    design_return_c: float
    decides: str
    manifolds: tuple[ManifoldReport, ...]
    pumps: tuple[PumpReport, ...]
    notes: tuple[str, ...]


def npsh_m(plant: Plant, state: SteadyState) -> tuple[Floats, Floats]:
    """Net positive suction head that each pump has and needs.

    What it has is ``(p_suction + p_air - p_vapour) / (rho g)`` with water's vapour pressure at the loop's return temperature
    (a glycol mixture's is lower, so this is on the safe side); what it needs goes with the square of its flow from the figure at
    its best flow (Gulich, Centrifugal Pumps, 2020, chapter 6).

    Args:
        plant: the plant.
        state: S scenarios.

    Returns:
        (S, U) available and required [m]; NaN where a figure is not known.
    """
    pumps, more = plant.pumps, plant.hydraulics
    back = np.minimum(state.heat.loop_return_c, 150.0)
    vapour = np.array([saturation_pa(t) for t in back.ravel()]).reshape(back.shape)
    over = more.suction_pa + state.ambient.pressure_pa[:, None] - vapour
    has = (over / (more.rho_return_kg_m3 * GRAVITY_M_S2))[:, pumps.loop]
    count = state.flow.pump_count
    one = np.divide(state.flow.pump_kg_s, count, out=np.zeros_like(count), where=count > 0.0)
    return has, more.npsh_m * (one / more.best_kg_s) ** 2


def loop_reports(plant: Plant, state: SteadyState, scenario: int = 0, only: str | None = None) -> tuple[LoopReport, ...]:
    """Every loop of one scenario.

    Args:
        plant: the plant.
        state: its solved state.
        scenario: which scenario.
        only: id of one loop; all where not given.

    Raises:
        UsageError: no loop has this id.
    """
    ids = plant.loops.ids
    if only is not None and only not in ids:
        raise UsageError(f"there is no loop {only!r}; {nearest(only, ids)}")
    npsh = npsh_m(plant, state)
    return tuple(_loop(plant, state, scenario, x, npsh) for x, name in enumerate(ids) if only in (None, name))


def _loop(plant: Plant, state: SteadyState, s: int, x: int, npsh: tuple[Floats, Floats]) -> LoopReport:
    loops, more, flow, heat = plant.loops, plant.hydraulics, state.flow, state.heat
    own = plant.site.loops[loops.ids[x]]
    tcs = not loops.fws[x]
    decides = LIMITS[int(flow.loop_limit[s, x])] if tcs else "valves"
    manifolds = tuple(_manifold(plant, state, s, int(m)) for m in np.flatnonzero(plant.manifolds.loop == x))
    pumps = tuple(_pump(plant, state, s, int(u), decides, npsh) for u in np.flatnonzero(plant.pumps.loop == x))
    held = float(more.hold_kg_s[x])
    report = LoopReport(
        loops.ids[x], own.kind, own.coolant, float(flow.loop_kg_s[s, x]), float(flow.loop_dp_pa[s, x]) if tcs else None,
        float(loops.dp_pa[x]), held if math.isfinite(held) else None, float(heat.loop_supply_c[s, x]), float(heat.loop_return_c[s, x]),
        float(more.return_c[x]), decides, manifolds, pumps, (),
    )  # fmt: skip
    return LoopReport(**{**report.__dict__, "notes": _notes(plant, report)})


def _manifold(plant: Plant, state: SteadyState, s: int, m: int) -> ManifoldReport:
    manifolds, flow = plant.manifolds, state.flow
    a, b = manifolds.first[m], manifolds.first[m + 1]
    racks = manifolds.racks[a:b]
    part, k = plant.hydraulics.laminar_frac[racks], plant.racks.resistance[racks]
    rated, q = plant.racks.flow_kg_s[racks], flow.rack_kg_s[s, racks]
    dp = np.where(np.isfinite(k), k, 0.0) * (part * rated * q + (1.0 - part) * q * q)
    branches = tuple(
        Branch(plant.racks.ids[r], int(manifolds.place[a + j]), float(q[j]), float(rated[j]), float(dp[j]), bool(state.loads.present[s, r]))
        for j, r in enumerate(racks)
    )
    spread, velocity = float(flow.spread_frac[s, m]), float(flow.manifold_m_s[s, m])
    returns = "reverse" if plant.hydraulics.reverse[m] else "direct"
    return ManifoldReport(
        manifolds.ids[m], returns, float(q.sum()), velocity, spread, spread > SPREAD_FLAG_FRAC, velocity > VELOCITY_FLAG_M_S, branches
    )


def _pump(plant: Plant, state: SteadyState, s: int, u: int, decides: str, npsh: tuple[Floats, Floats]) -> PumpReport:
    pumps, flow = plant.pumps, state.flow
    power, rating = float(flow.pump_w[s, u]), float(pumps.rating_w[u])
    name, limit = pumps.ids[u], rating if math.isfinite(rating) else None
    if pumps.cdu[u] < 0:
        on = bool(state.power.gear_alive[s, pumps.gear[u]])
        why = "off" if not on else "motor" if power > rating else "valves"
        return PumpReport(name, int(pumps.count[u]), None, None, None, None, power, limit, None, None, None, why)
    running, m, head = int(flow.pump_count[s, u]), float(flow.pump_kg_s[s, u]), float(flow.pump_head_pa[s, u])
    has, needs = (float(v[s, u]) for v in npsh)
    rho = plant.loops.rho_kg_m3[pumps.loop[u]]
    if running == 0:
        why = "off"
    elif m <= 0.0:
        why = "non-return valve is shut"
    elif power > rating:
        why = "motor"
    elif needs > has:
        why = "NPSH"
    else:
        why = decides
    return PumpReport(
        name, int(pumps.count[u]), running, m, head, float(flow.pump_speed_frac[s, u]), power, limit,
        float(head * m / rho / power) if m > 0.0 and power > 0.0 else None, has if math.isfinite(has) else None,
        needs if math.isfinite(needs) else None, why,
    )  # fmt: skip


def _notes(plant: Plant, report: LoopReport) -> tuple[str, ...]:
    coolant = plant.site.model("coolant", report.coolant, Coolant)
    said = []
    for what, temp in (("supply", report.supply_c), ("return", report.return_c)):
        if math.isfinite(temp) and not coolant.low_c <= temp <= coolant.high_c:
            said.append(f"{what} {temp:.1f} degC is outside the range of {coolant.name}'s properties")
        elif math.isinf(temp):
            said.append(f"nothing carries its heat away: its {what} has no steady temperature")
    if report.decides == "full speed":
        said.append("its pumps turn at full speed and cannot hold what they are asked")
    if report.decides == "lowest speed":
        said.append("its pumps turn at their lowest speed and give more than they are asked")
    if report.decides == "highest pressure":
        said.append("the flow that it should hold needs more than its highest header pressure")
    for m in report.manifolds:
        if m.uneven:
            said.append(f"branch flows of {m.element} spread by {100.0 * m.spread_frac:.1f} %, over {100.0 * SPREAD_FLAG_FRAC:g} %")
        if m.fast:
            said.append(f"{m.velocity_m_s:.2f} m/s in {m.element}, over {VELOCITY_FLAG_M_S:g} m/s")
    said += [f"{p.element}: {p.limits}" for p in report.pumps if p.limits in ("motor", "NPSH", "non-return valve is shut")]
    return tuple(said)
