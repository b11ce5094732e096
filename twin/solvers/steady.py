"""The steady solve: one function in which the whole flow can be read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from topology.axes import Bools, Floats, Ints
from topology.errors import LedgerError
from topology.plant import Plant
from twin.solvers.heat import solve_heat
from twin.solvers.hydraulic import solve_flow
from twin.solvers.jit import plain
from twin.solvers.plates import settle_leakage
from twin.solvers.power import Supply, solve_power, supply
from twin.state import Ambient, FlowState, HeatState, Ledger, Loads, Outages, PowerState, SteadyState, V, rows_of
from twin.weather import settled

LEDGER_TOLERANCE = 1e-9
"""Largest share of the site's power by which energy may fail to close."""


def solve_steady(plant: Plant, loads: Loads, ambient: Ambient, outages: Outages | None = None) -> SteadyState:
    """Solve power, flow and heat of every scenario.

    Args:
        plant: the plant.
        loads: S scenarios, or one that serves all.
        ambient: S scenarios, or one.
        outages: S scenarios; normal operation where not given.

    Returns:
        Frozen arrays shaped (S, element), with a ledger that closes to :data:`LEDGER_TOLERANCE`.

    Raises:
        UsageError: inputs of different length.
        NotConverged: a loop or the heat balance did not settle.
        LedgerError: energy does not close, which would be a fault of this code.
    """
    scenarios = max(loads.scenarios, ambient.wet_bulb_c.shape[0], outages.index.size if outages else 1)
    out = outages or Outages.none(1)
    index = plain(rows_of(out.index, scenarios, "outages"))
    weather = settled(plant, ambient, scenarios)
    asked = _every(loads, scenarios)
    chain = supply(plant, out.sets)
    powered = chain.rack_share.sum(axis=2) > 0.0
    drawn = _only_powered(asked, powered[index])
    gear_on = chain.gear_share.sum(axis=2) > 0.0
    flow, row = _flows(plant, chain, gear_on, index, asked.present, out)
    (heat, fws_kg_s, stranded, vented), drawn = _heat(plant, drawn, flow, row, gear_on, index, weather)
    power = solve_power(plant, chain, index, drawn, heat.gear_w)
    ledger = _ledger(plant, drawn, power, heat, stranded, vented)
    state = FlowState(*(getattr(flow, name)[row] for name in FlowState.__dataclass_fields__))
    state = replace(state, loop_kg_s=np.where(plant.loops.fws, fws_kg_s, state.loop_kg_s))
    return SteadyState(drawn, weather, Outages(out.sets, index), power, _with_pumps(plant, state, heat), heat, ledger)


def _heat(
    plant: Plant, drawn: Loads, flow: FlowState, row: Ints, gear_on: Bools, index: Ints, weather: Ambient
) -> tuple[tuple[HeatState, Floats, Floats, Floats], Loads]:
    """The heat balance, with leakage where accelerators are stated at their reference temperature; and the loads it holds for."""

    def balance(loads: Loads) -> tuple[HeatState, Floats, Floats, Floats]:
        return solve_heat(plant, loads, flow, row, gear_on, index, weather)

    if not drawn.at_reference or not (plant.racks.leakage_frac_k > 0.0).any():
        return balance(drawn), drawn
    balanced, loads, away = settle_leakage(plant, drawn, flow.rack_kg_s[row], balance, lambda answer: answer[0])
    heat = balanced[0]
    chip, memory = (np.where(away, np.inf, values) for values in (heat.chip_c, heat.memory_c))
    heat = replace(heat, chip_c=chip, memory_c=memory, runaway=away, leakage_w=loads.rack_w - drawn.rack_w)
    return (heat, *balanced[1:]), loads


def _every(loads: Loads, scenarios: int) -> Loads:
    def row(values: NDArray[V]) -> NDArray[V]:
        return plain(rows_of(values, scenarios, "loads"))

    return replace(loads.each(row), present=row(loads.present))


def _only_powered(loads: Loads, powered: Bools) -> Loads:
    def cut(values: Floats) -> Floats:
        return np.where(powered, values, 0.0)

    return loads.each(cut)


def _flows(plant: Plant, chain: Supply, gear_on: Bools, index: Ints, present: Bools, outages: Outages) -> tuple[FlowState, Ints]:
    """Solve each distinct pair of lost elements and connected racks once; row of each scenario in the result."""
    cut = isolated(plant, outages.sets)
    pattern = np.ascontiguousarray(present & ~cut[index])
    lost, shut = _pumps_lost(plant, outages.sets), pipes_lost(plant, outages.sets)
    keys = np.concatenate([np.packbits(x, axis=1) for x in (gear_on[index], pattern, lost[index] > 0, shut[index])], axis=1)
    if keys.shape[1]:
        keys = np.ascontiguousarray(keys).view(np.dtype((np.void, keys.shape[1])))  # one value a row: compared as bytes, not by column
    _, first, row = np.unique(keys.reshape(-1) if keys.size else np.zeros(index.size), return_index=True, return_inverse=True)
    flow = solve_flow(plant, gear_on[index[first]], pattern[first], lost[index[first]], shut[index[first]])
    return flow, row.reshape(-1).astype(np.int64)


def _pumps_lost(plant: Plant, sets: tuple[tuple[str, ...], ...]) -> Ints:
    """(Z, U) one pump of each integrated set that is named."""
    lost = np.zeros((len(sets), plant.pumps.n), np.int64)
    for z, names in enumerate(sets):
        for name in names:
            axis, k = plant.find(name)
            if axis == "pumps":
                lost[z, k] = 1
    return lost


def pipes_lost(plant: Plant, sets: tuple[tuple[str, ...], ...]) -> Bools:
    """(Z, P) drawn pipes that are shut because they are named."""
    lost = np.zeros((len(sets), plant.pipes.n), bool)
    for z, names in enumerate(sets):
        for axis, k in map(plant.find, names):
            if axis == "pipes":
                lost[z, k] = True
    return lost


def isolated(plant: Plant, sets: tuple[tuple[str, ...], ...]) -> Bools:
    """(Z, R) racks whose manifold or loop is lost."""
    cut = np.zeros((len(sets), plant.racks.n), bool)
    for z, names in enumerate(sets):
        for name in names:
            axis, k = plant.find(name)
            hung = plant.racks.manifold
            if axis == "manifolds":
                cut[z] |= hung == k
            elif axis == "loops" and plant.manifolds.n:
                cut[z] |= (hung >= 0) & (plant.manifolds.loop[hung] == k)
            elif axis == "racks":
                cut[z, k] = True
    return cut


def _with_pumps(plant: Plant, flow: FlowState, heat: HeatState) -> FlowState:
    """Facility pumps get the power that the thermal solve found."""
    own = plant.pumps.cdu < 0
    return replace(flow, pump_w=np.where(own, heat.gear_w[:, plant.pumps.gear], flow.pump_w))


def _ledger(plant: Plant, loads: Loads, power: PowerState, heat: HeatState, stranded: Floats, vented: Floats) -> Ledger:
    site, it, racks = power.source_w, loads.it_w.sum(axis=1), loads.rack_w.sum(axis=1)
    chain, cooling = power.loss_w.sum(axis=1), heat.gear_w.sum(axis=1)
    tower_own = _gear_sum(heat, np.concatenate([plant.towers.gear, plant.dry_coolers.gear]))
    inside = np.unique(np.concatenate([plant.cdus.gear, plant.pumps.gear[plant.pumps.cdu >= 0]]))
    rejected, dry, reused = (v.sum(axis=1) for v in (heat.tower_w, heat.dry_w, heat.reuse_w))
    ambient = chain + tower_own + vented
    scale = np.maximum(site, 1.0)
    electric = np.abs(site - (racks + chain + cooling)) / scale
    thermal = np.abs(site - (rejected + dry + reused + ambient + stranded)) / scale
    worst = int(np.argmax(np.maximum(electric, thermal))) if site.size else 0
    if site.size and max(electric[worst], thermal[worst]) > LEDGER_TOLERANCE:
        raise LedgerError(
            f"energy of scenario {worst} does not close: electric {electric[worst]:.1e}, heat {thermal[worst]:.1e} of site power",
            scenario=worst, residual=float(max(electric[worst], thermal[worst])),
        )  # fmt: skip
    cdus = _gear_sum(heat, inside)
    return Ledger(site, it, racks - it, chain, cooling, cdus, rejected, dry, reused, ambient, stranded, electric, thermal)


def _gear_sum(heat: HeatState, gear: Ints) -> Floats:
    """(S,) power of some gear, added up in the same order whatever the number of scenarios (picked columns lie across memory)."""
    total: Floats = np.ascontiguousarray(heat.gear_w[:, gear]).sum(axis=1)
    return total
