"""One rack of a solved state in full: its parts, its conversion stages, the coolant along its plates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from topology.models import Sku
from topology.plant import Plant
from topology.plates import PlateLaw, paths_of, plate_of
from twin.loads import parts_w
from twin.staging import stage_loss_w
from twin.state import SteadyState


@dataclass(frozen=True)
class PartState:
    """A group of equal parts.

    Attributes:
        name: as in the catalog.
        chip: chip that it is, empty for none.
        count: how many.
        power_w: of all.
        liquid_w: heat to the coolant.
        air_w: heat to the air.
        plate_kg_s: coolant through one plate, 0 without.
        inlet_c: coolant at the last plate of its path; inlet air without a plate.
        outlet_c: coolant behind that plate.
        temp_c: hottest junction, infinite without a steady value; ``None`` for a part whose temperature is not modelled.
    """

    name: str
    chip: str
    count: int
    power_w: float
    liquid_w: float
    air_w: float
    plate_kg_s: float
    inlet_c: float
    outlet_c: float
    temp_c: float | None


@dataclass(frozen=True)
class StageState:
    """A conversion stage.

    Attributes:
        name: as in the catalog.
        out_w: power behind it.
        loss_w: what it loses.
        liquid_w: the part of the loss in the coolant.
    """

    name: str
    out_w: float
    loss_w: float
    liquid_w: float


@dataclass(frozen=True)
class RackState:
    """One rack of one scenario.

    Attributes:
        sku: what it is.
        plate: cold plate law of its accelerators.
        parts: parts from the catalog's list.
        stages: stages from the parts outward.
    """

    sku: Sku
    plate: PlateLaw
    parts: tuple[PartState, ...]
    stages: tuple[StageState, ...]


def rack_state(plant: Plant, state: SteadyState, rack: int, utilisation: float | Mapping[str, float] | None = None) -> RackState:
    """Take one rack of the first scenario apart.

    Args:
        plant: the plant.
        state: a solved state.
        rack: index on the rack axis.
        utilisation: what its load was made from; ``None`` for measured or allocated power.
    """
    sku = plant.racks.skus[plant.racks.sku[rack]]
    factor = float(plant.racks.draw_factor[rack])
    powers = factor * parts_w(sku, float(state.loads.rack_w[0, rack]) / factor, float(state.loads.chip_w[0, rack]) / factor, utilisation)
    return RackState(
        sku,
        _plate(plant, rack),
        _parts(plant, state, rack, sku, powers.tolist()),
        _stages(sku, powers.tolist()),
    )


def _plate(plant: Plant, r: int) -> PlateLaw:
    """Law of its plates with what telemetry showed of them."""
    racks = plant.racks
    law = plate_of(racks.chips[racks.sku[r]])
    return replace(law, r_base_k_w=float(racks.r_base_k_w[r]), factor=float(racks.r_flow[r]))


def _parts(plant: Plant, state: SteadyState, r: int, sku: Sku, powers: list[float]) -> tuple[PartState, ...]:
    racks, heat = plant.racks, state.heat
    m = float(state.flow.rack_kg_s[0, r])
    hung = racks.manifold[r] >= 0
    cp = float(plant.loops.cp_j_kg_k[plant.manifolds.loop[racks.manifold[r]]]) if hung else 1.0
    paths, found = paths_of(sku), []
    for k, (part, path) in enumerate(zip(sku.parts, paths, strict=True)):
        liquid = powers[k] * part.liquid_frac if sku.cooling == "liquid" else 0.0
        flow = m * path.path_frac * cp
        inlet, outlet = float(heat.inlet_c[0, r]), float(heat.inlet_c[0, r])
        if liquid > 0.0 and flow > 0.0:
            ahead = sum(powers[j] * sku.parts[j].liquid_frac for j in path.ahead) / path.paths
            last = liquid / path.paths / path.series
            inlet = float(heat.coolant_c[0, r]) + (ahead + last * (path.series - 1)) / flow
            outlet = inlet + last / flow
        elif liquid > 0.0:
            inlet, outlet = float(heat.coolant_c[0, r]), math.inf
        temp = float(heat.chip_c[0, r]) if part.chip == sku.chip and part.chip else None
        found.append(
            PartState(part.name, part.chip, part.count, powers[k], liquid, powers[k] - liquid, m * path.plate_frac, inlet, outlet, temp)
        )
    return tuple(found)


def _stages(sku: Sku, powers: list[float]) -> tuple[StageState, ...]:
    level = sum(w for w, p in zip(powers, sku.parts, strict=True) if p.converted)
    found = []
    for stage in sku.stages if sum(powers) > 0.0 else ():
        loss = float(stage_loss_w(stage, np.asarray(level)))
        found.append(StageState(stage.name, level, loss, loss * stage.liquid_frac if sku.cooling == "liquid" else 0.0))
        level += loss
    return tuple(found)
