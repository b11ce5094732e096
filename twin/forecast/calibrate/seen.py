"""What telemetry shows of a plant over a window, channel by channel, with the plant solved under the load that was measured."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from telemetry.bins import Window
from telemetry.dense import frames, window
from telemetry.replay import replay as chunks_of
from telemetry.schema import SITE
from telemetry.store import Store
from topology.axes import Bools, Floats
from topology.plant import Plant
from twin.forecast.follow import chunk_steps, filled, joined
from twin.headroom.cases import Progress
from twin.loads import from_power
from twin.observe import present
from twin.scale import map_chunks
from twin.solvers.scatter import sum_by
from twin.solvers.steady import solve_steady
from twin.state import Ambient

STEP_S = 900.0
"""Step that telemetry is averaged over: long against what coolant and metal store (estimate: minutes), short against a day."""
_UTILISED = ("node", "device")


@dataclass(frozen=True)
class Seen:
    """What telemetry shows of a plant over T steps.

    Attributes:
        plant: the plant as known so far.
        time: (T,) start of each step, UTC.
        step_s: length of a step.
        read: (T, n) what was read by channel of :data:`twin.observe.CHANNELS`, on its axis, NaN for a gap; only channels with readings.
        load_w: (T, R) rack power with gaps filled.
        known: (T, R) where it was measured.
        utilisation: (T, R) mean utilisation of each rack's devices, NaN where not read.
        wet_bulb_c: (T,) outdoor wet bulb, NaN where not read.
        rack_kg_s: (T, R) coolant of each rack as the solver has it at that load.
        behind_w: (T, L) heat that the units of each TCS loop take, which is what racks and pumps give to it, as the solver has it.
        outside_w: (T, L) heat that towers and dry coolers of each facility loop reject, as the solver has it.
        dry_bulb_c: (T,) outdoor dry bulb, NaN where not read.
        gear_w: (T, G) power of mechanical gear as the solver has it.
        series_per_w: (N,) loss of each power element in its impedance over the square of its output [1/W], as the solver has it.
    """

    plant: Plant
    time: np.ndarray
    step_s: float
    read: Mapping[str, Floats]
    load_w: Floats
    known: Bools
    utilisation: Floats
    wet_bulb_c: Floats
    rack_kg_s: Floats
    behind_w: Floats
    outside_w: Floats
    dry_bulb_c: Floats
    gear_w: Floats
    series_per_w: Floats

    @property
    def since(self) -> dt.date:
        """First day."""
        return _day(self.time[0])

    @property
    def until(self) -> dt.date:
        """Last day."""
        return _day(self.time[-1])

    def of(self, channel: str) -> Floats | None:
        """Readings of a channel, ``None`` where there are none."""
        return self.read.get(channel)


def seen(
    plant: Plant, store: Store, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = STEP_S,
    progress: Progress | None = None, engine: str = "serial",
) -> Seen:  # fmt: skip
    """Read what the store holds of a plant and solve the plant under it.

    Args:
        plant: the plant as known so far.
        store: where the readings are.
        start: first time, with a zone; the first in the store where ``None``.
        end: last time, excluded; the last in the store, included, where ``None``.
        step_s: length of a step.
        progress: told how much of the solving is done.
        engine: where it is solved, see :func:`twin.scale.workers`; the answer is the same on each.

    Raises:
        TelemetryError: the store is empty, or holds no power of any rack in the window.
        UsageError: a window or step that is not possible.
    """
    store = store.pinned()
    cut = window(store, start, end, step_s)
    power = joined(list(chunks_of(plant.site, store, cut.start, cut.end, step_s, 1440)))
    load, assumed = filled(plant, power.power_w)
    read = {name: f.values for name, f in present(plant, store, cut.start, cut.end, step_s).items()}
    dry = frames(store, (SITE,), "dry_bulb_c", cut.start, cut.end, step_s).values[:, 0]
    return looked_at(plant, cut, read, load, ~assumed, _utilisation(plant, store, cut), power.wet_bulb_c, dry, progress, engine)


def looked_at(
    plant: Plant, cut: Window, read: Mapping[str, Floats], load_w: Floats, known: Bools, utilisation: Floats, wet_bulb_c: Floats,
    dry_bulb_c: Floats | None = None, progress: Progress | None = None, engine: str = "serial",
) -> Seen:  # fmt: skip
    """Solve a plant under measured load; arguments as in :class:`Seen` and :func:`seen`."""
    design = plant.site.settings.design_wet_bulb_c
    wet = np.where(np.isfinite(wet_bulb_c), wet_bulb_c, design)
    dry = np.full(wet.shape, np.nan) if dry_bulb_c is None else dry_bulb_c
    size = chunk_steps(plant.racks.n)
    cuts = [slice(a, a + size) for a in range(0, load_w.shape[0], size)]
    warm = np.maximum(dry, wet)
    done = map_chunks(_solved, [(load_w[c], wet[c], warm[c]) for c in cuts], engine, progress, shared=plant)
    flows, behind, outside, gear, series = (np.concatenate([d[k] for d in done]) for k in range(5))
    return Seen(
        plant, cut.time, cut.step_s, MappingProxyType(dict(read)), load_w, known, utilisation, wet_bulb_c, flows, behind, outside, dry,
        gear, series.mean(axis=0),
    )  # fmt: skip


def _solved(plant: Plant, chunk: tuple[Floats, Floats, Floats]) -> tuple[Floats, ...]:
    """A few steps solved: coolant of racks, heat of loops taken and rejected, power of gear, loss in impedances over output squared."""
    load_w, wet_c, dry_c = chunk
    air = Ambient(wet_c, dry_c) if np.isfinite(dry_c).all() else Ambient(wet_c)
    state = solve_steady(plant, from_power(plant, load_w), air)
    taken = sum_by(state.heat.cdu_w, plant.cdus.loop, plant.loops.n)
    gone = sum_by(state.heat.tower_w, plant.towers.fws, plant.loops.n) + sum_by(state.heat.dry_w, plant.dry_coolers.fws, plant.loops.n)
    p, out = plant.power, state.power.out_w
    own = p.loss_fixed_w + p.loss_frac * out + np.where(p.r_per_w > 0.0, 0.0, p.loss_quad_per_w) * out**2
    series = np.divide(state.power.loss_w - own, out**2, out=np.zeros_like(out), where=(p.r_per_w > 0.0) & (out > 0.0))
    return state.flow.rack_kg_s, taken, gone, state.heat.gear_w, series


def _utilisation(plant: Plant, store: Store, cut: Window) -> Floats:
    """(T, R) mean over the devices of each rack, of its nodes where no device is read."""
    out = np.full((cut.steps, plant.racks.n), np.nan)
    for level in _UTILISED:
        read = frames(store, plant.racks.ids, "utilisation_frac", cut.start, cut.end, cut.step_s, level, "mean").values
        out = np.where(np.isfinite(read), read, out)
    return out


def _day(time: np.datetime64) -> dt.date:
    day: dt.date = time.astype("datetime64[D]").astype(object)
    return day
