"""Contingencies: normal operation, the loss of every single element, and each declared common cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from topology.axes import Floats, Ints
from topology.plant import Plant
from twin.limits import Limits, limits
from twin.power.trips import curves, multiples
from twin.solvers.breakers import TripCurves, settled, time_left
from twin.solvers.power import supply
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Loads, Outages, SteadyState

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
        trip_s: (Z,) time until the first breaker (or overloaded UPS) acts after normal operation, infinite where none does.
        trip_first: (Z,) id of that element, empty where none acts.
    """

    cases: tuple[Case, ...]
    limits: Limits
    value: Floats
    margin_frac: Floats
    site_w: Floats
    unpowered: Ints
    trip_s: Floats
    trip_first: tuple[str, ...]

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
    """Normal operation, every element of the power chain and of the mechanical gear, every drawn pipe, every common cause."""
    bare = {m for g in plant.site.redundancy.values() if g.scheme == "N" for m in g.members}
    single = [
        Case(i, (i,), k, _down_with(plant, i) if i in bare else ())
        for axis in (plant.power, plant.gear)
        for i, k in zip(axis.ids, axis.kind, strict=True)
    ]
    single += [Case(i, (i,), "pipe") for i in plant.pipes.ids]
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


@dataclass(frozen=True)
class Block:
    """Some cases under some load scenarios, solved.

    Attributes:
        first: index of its first case.
        cases: number of its cases.
        scenarios: load scenarios of each case; the scenarios of one case stand together.
        state: the answer, ``cases * scenarios`` rows.
        before: (scenarios, N) load of each element over its rating in normal operation under the same loads.
    """

    first: int
    cases: int
    scenarios: int
    state: SteadyState
    before: Floats


def blocks(plant: Plant, loads: Loads, ambient: Ambient, cases: Sequence[Case]) -> Iterator[Block]:
    """Solve every load scenario under every case, as many at a time as fit in memory.

    Args:
        plant: the plant.
        loads: C load scenarios.
        ambient: C rows, or one.
        cases: contingencies.

    Yields:
        Blocks that together hold every scenario of every case once.
    """
    spans = _chunks(loads.scenarios, max(1, CHUNK_VALUES // max(1, plant.racks.n)))
    weather = [_some(ambient, slice(c0, c1)) for c0, c1 in spans]
    normal = [multiples(plant, solve_steady(plant, loads.take(slice(*c)), w).power) for c, w in zip(spans, weather, strict=True)]
    for z0, z1 in _chunks(len(cases), max(1, CHUNK_VALUES // max(1, loads.scenarios * plant.racks.n))):
        lost = Outages.of(plant, [c.lost for c in cases[z0:z1]])
        for (c0, c1), own, before in zip(spans, weather, normal, strict=True):
            rows, n = z1 - z0, c1 - c0
            batch = shed_loads(plant, loads.take(slice(c0, c1)), cases[z0:z1], n)
            air = _some(own, np.tile(np.arange(n), rows))
            state = solve_steady(plant, batch, air, Outages(lost.sets, np.repeat(lost.index, n)))
            yield Block(z0, rows, n, state, before)


def sweep(
    plant: Plant, loads: Loads, ambient: Ambient, cases: Sequence[Case] | None = None, progress: Progress | None = None,
    worst_share: bool = False,
) -> CaseTable:  # fmt: skip
    """Solve every load scenario under every case.

    Args:
        plant: the plant.
        loads: C load scenarios.
        ambient: C rows, or one.
        cases: contingencies; :func:`all_cases` where not given.
        progress: told how many solves are done.
        worst_share: hold power ratings against the worst sharing between cords (:func:`twin.limits.limits`).

    Returns:
        Smallest margin of each limit in each case.

    Raises:
        NotConverged: a solve did not settle.
    """
    chosen = tuple(all_cases(plant) if cases is None else cases)
    table, trips = limits(plant, worst_share), curves(plant)
    shape = (len(chosen), len(table.element))
    margin, value = np.full(shape, np.inf), np.zeros(shape)
    site, unpowered = np.zeros(len(chosen)), np.zeros(len(chosen), np.int64)
    trip_s, trip_at = np.full(len(chosen), np.inf), np.full(len(chosen), -1, np.int64)
    done, total = 0, loads.scenarios * len(chosen)
    for block in blocks(plant, loads, ambient, chosen):
        rows, n, state = block.cases, block.scenarios, block.state
        own = slice(block.first, block.first + rows)
        values = table.values(state).reshape(rows, n, -1)
        margins = table.margins(values)
        at = margins.argmin(axis=1)[:, None, :]
        low = np.take_along_axis(margins, at, axis=1)[:, 0]
        better = low < margin[own]
        value[own] = np.where(better, np.take_along_axis(values, at, axis=1)[:, 0], value[own])
        margin[own] = np.minimum(margin[own], low)
        site[own] = np.maximum(site[own], state.ledger.site_w.reshape(rows, n).max(axis=1))
        dark = (state.loads.present & ~state.power.powered).sum(axis=1).reshape(rows, n).max(axis=1)
        unpowered[own] = np.maximum(unpowered[own], dark)
        soonest, which = _first_trip(trips, block, multiples(plant, state.power))
        trip_at[own] = np.where(soonest < trip_s[own], which, trip_at[own])
        trip_s[own] = np.minimum(trip_s[own], soonest)
        done += rows * n
        if progress:
            progress(done, total)
    return CaseTable(chosen, table, value, margin, site, unpowered, trip_s, tuple(plant.power.ids[e] if e >= 0 else "" for e in trip_at))


def _first_trip(trips: TripCurves, block: Block, after: Floats) -> tuple[Floats, Ints]:
    """(cases,) time until something acts in any of the block's scenarios, and which element."""
    left = time_left(trips, settled(trips, np.tile(block.before, (block.cases, 1))), after)
    each = left.reshape(block.cases, -1)
    at = each.argmin(axis=1)
    return np.take_along_axis(each, at[:, None], axis=1)[:, 0], (at % left.shape[1]).astype(np.int64)


def _some(ambient: Ambient, rows: Ints | slice) -> Ambient:
    """The weather of some scenarios; weather of one row serves all."""
    values = (getattr(ambient, f.name) for f in fields(ambient))
    return Ambient(*(v[rows] if v.size > 1 else v for v in values))


def _chunks(total: int, size: int) -> list[tuple[int, int]]:
    return [(a, min(a + size, total)) for a in range(0, total, size)]
