"""Contingencies: normal operation, the loss of every single element, and each declared common cause."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from topology.axes import Floats, Ints
from topology.plant import Plant
from twin.limits import Limits, limits
from twin.solvers.power import supply
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Loads, Outages

Progress = Callable[[int, int], None]
"""Called with (done, total) as long work goes on; raise :class:`topology.errors.Cancelled` in it to stop."""
CHUNK_VALUES = 2_000_000
"""Rack values solved at a time: bounds memory, does not change results."""


@dataclass(frozen=True)
class Case:
    """A contingency.

    Attributes:
        name: ``normal``, the lost element, or the common cause.
        lost: ids that are lost.
        kind: ``normal``, the kind of the lost element, or ``common cause``.
        shed: racks that go down with it by declared design (redundancy scheme ``N``); they are taken off instead of failing.
    """

    name: str
    lost: tuple[str, ...]
    kind: str
    shed: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaseTable:
    """Every case against every limit (Z cases, K limits).

    Attributes:
        cases: what was lost.
        limits: the limits.
        value: (Z, K) value at the scenario with the smallest margin.
        margin_frac: (Z, K) smallest margin over the load scenarios.
        site_w: (Z,) largest site power over the load scenarios.
        unpowered: (Z,) largest number of racks without supply.
    """

    cases: tuple[Case, ...]
    limits: Limits
    value: Floats
    margin_frac: Floats
    site_w: Floats
    unpowered: Ints

    @property
    def violated(self) -> int:
        """Number of cases in which some limit is violated."""
        return int((self.margin_frac.min(axis=1) < 0.0).sum())

    @property
    def worst_limit(self) -> Ints:
        """(Z,) index of the limit with the smallest margin of each case."""
        worst: Ints = self.margin_frac.argmin(axis=1).astype(np.int64)
        return worst


def all_cases(plant: Plant) -> tuple[Case, ...]:
    """Normal operation, every element of the power chain and of the mechanical gear, every common cause."""
    bare = {m for g in plant.site.redundancy.values() if g.scheme == "N" for m in g.members}
    single = [
        Case(i, (i,), k, _down_with(plant, i) if i in bare else ())
        for axis in (plant.power, plant.gear)
        for i, k in zip(axis.ids, axis.kind, strict=True)
    ]
    common = [Case(c.id, c.members, "common cause") for c in plant.site.common_causes.values()]
    return (Case("normal", (), "normal"), *single, *common)


def _down_with(plant: Plant, element: str) -> tuple[str, ...]:
    """Racks that lose every cord, or every CDU of their loop, with one element."""
    chain = supply(plant, [(element,)])
    gear_on = chain.gear_share[0].sum(axis=1) > 0.0
    running = np.zeros(plant.loops.n, bool)
    running[plant.cdus.loop[gear_on[plant.cdus.gear]]] = True
    hung = plant.racks.manifold >= 0
    dry = hung & ~running[plant.manifolds.loop[plant.racks.manifold]] if plant.manifolds.n else hung
    down = dry | (chain.rack_share[0].sum(axis=1) <= 0.0)
    return tuple(plant.racks.ids[r] for r in np.flatnonzero(down))


def shed_loads(plant: Plant, loads: Loads, cases: Sequence[Case], rows: int) -> Loads:
    """Loads tiled over cases (``rows`` scenarios each) with the racks that each case sheds taken off."""
    tiled = loads.take(np.tile(np.arange(rows), len(cases)))
    if not any(c.shed for c in cases):
        return tiled
    number = {name: k for k, name in enumerate(plant.racks.ids)}
    keep = np.ones((len(cases), plant.racks.n), bool)
    for z, case in enumerate(cases):
        keep[z, [number[i] for i in case.shed]] = False
    on = np.repeat(keep, rows, axis=0)

    def cut(values: Floats) -> Floats:
        return np.where(on, values, 0.0)

    return replace(tiled.each(cut), present=tiled.present & on)


def sweep(plant: Plant, loads: Loads, ambient: Ambient, cases: Sequence[Case] | None = None, progress: Progress | None = None) -> CaseTable:
    """Solve every load scenario under every case.

    Args:
        plant: the plant.
        loads: C load scenarios.
        ambient: C rows, or one.
        cases: contingencies; :func:`all_cases` where not given.
        progress: told how many solves are done.

    Returns:
        Smallest margin of each limit in each case.

    Raises:
        NotConverged: a solve did not settle.
    """
    chosen = tuple(all_cases(plant) if cases is None else cases)
    table = limits(plant)
    shape = (len(chosen), len(table.element))
    margin, value = np.full(shape, np.inf), np.zeros(shape)
    site, unpowered = np.zeros(len(chosen)), np.zeros(len(chosen), np.int64)
    done, total = 0, loads.scenarios * len(chosen)
    for z0, z1 in _chunks(len(chosen), max(1, CHUNK_VALUES // max(1, loads.scenarios * plant.racks.n))):
        for c0, c1 in _chunks(loads.scenarios, max(1, CHUNK_VALUES // max(1, plant.racks.n))):
            rows, n = z1 - z0, c1 - c0
            batch = shed_loads(plant, loads.take(slice(c0, c1)), chosen[z0:z1], n)
            weather = ambient.wet_bulb_c if ambient.wet_bulb_c.size == 1 else np.tile(ambient.wet_bulb_c[c0:c1], rows)
            lost = Outages.of(plant, [c.lost for c in chosen[z0:z1]])
            state = solve_steady(plant, batch, Ambient(weather), Outages(lost.sets, np.repeat(lost.index, n)))
            values = table.values(state).reshape(rows, n, -1)
            margins = table.margins(values)
            at = margins.argmin(axis=1)[:, None, :]
            low = np.take_along_axis(margins, at, axis=1)[:, 0]
            better = low < margin[z0:z1]
            value[z0:z1] = np.where(better, np.take_along_axis(values, at, axis=1)[:, 0], value[z0:z1])
            margin[z0:z1] = np.minimum(margin[z0:z1], low)
            site[z0:z1] = np.maximum(site[z0:z1], state.ledger.site_w.reshape(rows, n).max(axis=1))
            dark = (state.loads.present & ~state.power.powered).sum(axis=1).reshape(rows, n).max(axis=1)
            unpowered[z0:z1] = np.maximum(unpowered[z0:z1], dark)
            done += rows * n
            if progress:
                progress(done, total)
    return CaseTable(chosen, table, value, margin, site, unpowered)


def _chunks(total: int, size: int) -> list[tuple[int, int]]:
    return [(a, min(a + size, total)) for a in range(0, total, size)]
