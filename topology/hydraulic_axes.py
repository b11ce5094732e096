"""What hydraulics needs of a site beside the other axes: control and staging of loops, properties on both sides, pumps, returns.

Properties are those at the local temperature: at the set-point on the supply side, and at set-point plus the rise that the loop is
laid out for on the return side. Taking the rise of each moment instead moves flows by far less than the friction laws differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from topology import coolants
from topology.arrays import floats, freeze, given, ints
from topology.axes import Axis, Bools, Floats, Ints, LoopAxis, RackAxis
from topology.errors import SolveError
from topology.kinds import FRICTIONS
from topology.models import CduModel, Coolant, PumpModel
from topology.site import Site


@dataclass(frozen=True)
class Hydraulics(Axis):
    """Loops (L, the ids), manifolds (M), pump entries (U) and racks (R) as the flow solve sees them.

    Attributes:
        return_c: (L,) return temperature that a loop is laid out for.
        rho_return_kg_m3: (L,) density there.
        mu_return_pa_s: (L,) viscosity there.
        hold_kg_s: (L,) flow that pumps hold, infinite where they hold the header pressure.
        on_demand: (L,) pumps start one after another.
        stage_dp_frac: (L,) share of what is held below which the next one starts.
        suction_pa: (L,) pressure at the pumps' suction over the atmosphere, NaN where it is not known.
        friction: (L,) index into :data:`topology.kinds.FRICTIONS`.
        reverse: (M,) return pipe leaves at the far end.
        velocity_limit_m_s: (M,) highest velocity, infinite where none is given.
        spread_limit_frac: (M,) largest spread of branch flows, infinite where none is given.
        floor_frac: (U,) lowest speed of a pump.
        best_kg_s: (U,) flow of best efficiency of one pump at full speed, NaN where the efficiency is one number.
        npsh_m: (U,) NPSH that it needs there, NaN where it is not known.
        laminar_frac: (R,) share of the rated drop of a branch that goes with flow.
    """

    return_c: Floats
    rho_return_kg_m3: Floats
    mu_return_pa_s: Floats
    hold_kg_s: Floats
    on_demand: Bools
    stage_dp_frac: Floats
    suction_pa: Floats
    friction: Ints
    reverse: Bools
    velocity_limit_m_s: Floats
    spread_limit_frac: Floats
    floor_frac: Floats
    best_kg_s: Floats
    npsh_m: Floats
    laminar_frac: Floats


def hydraulics(site: Site, racks: RackAxis, loops: LoopAxis) -> Hydraulics:
    """Lay out what the flow solve needs.

    Raises:
        SolveError: a loop's return is outside the range of its coolant's properties; names the loop.
    """
    known = tuple(site.loops.values())
    back = loops.supply_c + floats([x.rise_k for x in known])
    rho, mu = _at_return(site, loops, back)
    own = tuple(site.manifolds.values())
    pumps = _pump_models(site)
    return freeze(Hydraulics(
        ids=loops.ids, return_c=back, rho_return_kg_m3=rho, mu_return_pa_s=mu,
        hold_kg_s=floats([x.flow_kg_s if x.control == "flow" and x.flow_kg_s is not None else math.inf for x in known]),
        on_demand=np.asarray([x.pump_staging == "on_demand" for x in known], dtype=bool),
        stage_dp_frac=floats([x.stage_dp_frac for x in known]),
        suction_pa=floats([given(x.suction_pa, math.nan) for x in known]),
        friction=ints([FRICTIONS.index(x.friction) for x in known]),
        reverse=np.asarray([m.returns == "reverse" for m in own], dtype=bool),
        velocity_limit_m_s=floats([given(m.velocity_limit_m_s, math.inf) for m in own]),
        spread_limit_frac=floats([given(m.spread_limit_frac, math.inf) for m in own]),
        floor_frac=floats([m.speed_floor_frac for m in pumps]),
        best_kg_s=floats([given(m.best_flow_kg_s, math.nan) for m in pumps]),
        npsh_m=floats([given(m.npsh_m, math.nan) for m in pumps]),
        laminar_frac=floats([s.dp_laminar_frac for s in racks.skus])[racks.sku] if racks.n else floats([]),
    ))  # fmt: skip


def _at_return(site: Site, loops: LoopAxis, back: Floats) -> tuple[Floats, Floats]:
    """Density and viscosity of each loop's coolant at its return, each distinct pair of both computed once."""
    rho, mu = np.zeros(loops.n), np.zeros(loops.n)
    found: dict[tuple[str, float], tuple[float, float]] = {}
    for k, loop in enumerate(site.loops.values()):
        key = (loop.coolant, float(back[k]))
        if key not in found:
            coolant = site.model("coolant", loop.coolant, Coolant)
            try:
                found[key] = float(coolants.rho_kg_m3(coolant, key[1])), float(coolants.mu_pa_s(coolant, key[1]))
            except SolveError as error:
                raise SolveError(f"return of loop {loop.id}: {error}; set its rise_k or supply_c", element=loop.id) from error
        rho[k], mu[k] = found[key]
    return rho, mu


def _pump_models(site: Site) -> list[PumpModel]:
    """Model of each pump entry, in the order of the pump axis: integrated ones first."""
    inside = [site.model("cdu_model", c.model, CduModel) for c in site.cdus.values()]
    names = [*(m.pump for m in inside if m.pumps > 0), *(p.model for p in site.pumps.values())]
    known = {name: site.model("pump_model", name, PumpModel) for name in dict.fromkeys(names)}
    return [known[name] for name in names]
