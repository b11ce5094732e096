"""Room: how many more racks of a SKU fit, where, with which probability, what binds, and what frees most.

*Fits* means that a scenario of demand holds every limit in normal operation and under every contingency, by the full solver.
The probability is the share of scenarios that hold all limits jointly. Cases that are far from every limit on a probe are
left out while searching, and the answer is verified against all of them; a case that fails there joins the search.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from topology.axes import Bools, Floats
from topology.errors import UsageError
from topology.kinds import HOLDING, Rack
from topology.models import Sku
from topology.plant import Plant, plant
from topology.site import Site
from twin.forecast.demand import Demand, History, measured_demand, nameplate_demand
from twin.headroom.cases import Case, Progress, all_cases, shed_loads
from twin.headroom.placement import classes, eligible, order
from twin.limits import Limits, limits
from twin.loads import from_power
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages

PROBE_MARGIN = 0.1
"""A case stays in the search when it leaves less than this margin on some limit near the answer."""
CHUNK_VALUES = 1_000_000
MOST_BINDING = 12
"""Bindings that an answer names."""


@dataclass(frozen=True)
class Binding:
    """What stops the next rack: a limit of an element under the case that does it most.

    ``share_frac`` is the share of free positions, times scenarios, that it blocks.
    """

    element: str
    limit: str
    case: str
    share_frac: float


@dataclass(frozen=True)
class Relief:
    """A change and the racks that would fit with it."""

    change: str
    racks: int


@dataclass(frozen=True)
class Room:
    """The answer.

    Attributes:
        sku: rack SKU.
        racks: how many more fit with the probability asked for.
        by: date.
        probability: asked for.
        reached_frac: share of scenarios in which that many fit.
        basis: ``measured`` or ``nameplate``.
        note: what was assumed about demand.
        positions: where they go, in order.
        free: suitable free positions.
        binding: what stops the next one, most frequent first.
        frees_most: changes, best first.
        cases: contingencies checked.
        scenarios: demand scenarios.
        seed: seed of the demand.
    """

    sku: str
    racks: int
    by: dt.date
    probability: float
    reached_frac: float
    basis: str
    note: str
    positions: tuple[str, ...]
    free: int
    binding: tuple[Binding, ...]
    frees_most: tuple[Relief, ...]
    cases: int
    scenarios: int
    seed: int


def standing_at(site: Site, by: dt.date) -> Site:
    """The site with the racks that hold headroom on a date: live by then, not gone by then."""
    keep = {
        i: r
        for i, r in site.racks.items()
        if r.state in HOLDING and (r.live_from is None or r.live_from <= by) and (r.live_until is None or r.live_until > by)
    }
    return site.with_(racks=keep)


def with_candidates(site: Site, sku: str, by: dt.date) -> tuple[Site, tuple[str, ...]]:
    """The site on a date with one candidate rack of the SKU on every position that is free then.

    Returns:
        The site, and ids of the candidates (``new-<position>``).
    """
    site.model("sku", sku, Sku)
    then = standing_at(site, by)
    taken = {r.position for r in site.racks.values() if r.state in HOLDING and (r.live_until is None or r.live_until > by)}
    new = [Rack(id=f"new-{p}", position=p, sku=sku, state="planned") for p in site.positions if p not in taken]
    clash = [r.id for r in new if r.id in then.racks]
    if clash:
        raise UsageError(f"the site has a rack named {clash[0]!r}, which is how candidates are named; rename it")
    return then.with_racks(new), tuple(r.id for r in new)


class _Check:
    """Evaluates placements on one prepared plant: which limits fail in which scenario under which case."""

    def __init__(
        self, where: Plant, demand: Demand, standing: Bools, cases: Sequence[Case], wet_bulb_c: float, progress: Progress | None
    ) -> None:
        self.progress = progress
        self.plant, self.demand, self.standing, self.cases = where, demand, standing, tuple(cases)
        self.table: Limits = limits(where)
        self.ambient = Ambient(np.array([wet_bulb_c]))
        self.active = tuple(cases)
        self._known: dict[tuple[tuple[int, ...], int], Bools] = {}

    def failures(self, placed: Sequence[int], cases: Sequence[Case]) -> tuple[Bools, Floats]:
        """(Z, S, K) limit fails in some moment of the scenario, and (Z, K) smallest margin."""
        on = self.standing.copy()
        on[list(placed)] = True
        columns, k = self.demand.scenario.size, len(self.table.element)
        failed = np.zeros((len(cases), self.demand.count, k), bool)
        margin = np.full((len(cases), k), np.inf)
        loads = from_power(self.plant, np.where(on, self.demand.rack_w, 0.0), on[None, :])
        step = max(1, CHUNK_VALUES // max(1, columns * max(self.plant.racks.n, k)))
        for z0 in range(0, len(cases), step):
            part = cases[z0 : z0 + step]
            lost = Outages.of(self.plant, [c.lost for c in part])
            batch = shed_loads(self.plant, loads, part, columns)
            state = solve_steady(self.plant, batch, self.ambient, Outages(lost.sets, np.repeat(lost.index, columns)))
            got = self.table.margins(self.table.values(state)).reshape(len(part), columns, k)
            margin[z0 : z0 + step] = got.min(axis=1)
            bad = got < 0.0
            for c in range(columns):
                failed[z0 : z0 + step, self.demand.scenario[c]] |= bad[:, c]
            if self.progress:
                self.progress(min(z0 + step, len(cases)), len(cases))
        return failed, margin

    def failed(self, placed: Sequence[int]) -> Bools:
        """(Z, S, K) failures in the active cases; what was solved for a placement is kept."""
        key = (tuple(sorted(placed)), len(self.active))
        if key not in self._known:
            self._known[key] = self.failures(placed, self.active)[0]
        return self._known[key]

    def share(self, placed: Sequence[int], lifted: Bools | None = None) -> float:
        """Share of scenarios in which every limit holds in every active case; ``lifted`` limits (K,) do not count."""
        failed = self.failed(placed)
        return float(1.0 - np.any(failed if lifted is None else failed & ~lifted, axis=(0, 2)).mean())


def room(
    site: Site, sku: str, by: dt.date, probability: float = 0.95, history: History | None = None, scenarios: int = 40, seed: int = 0,
    wet_bulb_c: float | None = None, progress: Progress | None = None,
) -> Room:  # fmt: skip
    """How many more racks of a SKU fit.

    Args:
        site: the site.
        sku: rack SKU.
        by: date.
        probability: share of demand scenarios in which everything must hold, 0..1.
        history: measured rack power on the rack axis of ``plant(site)``; nameplate is used where not given.
        scenarios: demand scenarios.
        seed: seed of the demand.
        wet_bulb_c: outdoor wet bulb; the site's design value where not given.
        progress: told how many cases of the placement at hand are solved; raise in it to stop.

    Returns:
        The answer, verified by the full solver under every case.

    Raises:
        SiteError: unknown SKU.
        UsageError: probability outside 0..1.
    """
    if not 0.0 < probability <= 1.0:
        raise UsageError(f"probability {probability:g} is outside 0..1; give something like 0.95")
    asked = _Question(site, sku, by, history, scenarios, seed, wet_bulb_c, progress)
    full, check, peaks, ranked = _prepared(asked)
    start = _prefix(peaks, ranked, probability, len(ranked) // 2)
    _screen(check, peaks, ranked, start)
    placed, reached = _verified(check, peaks, ranked, probability, start)
    blocks = _blocks(peaks, placed, ranked) or _blocks(check, placed, ranked)
    reliefs = _reliefs(peaks, ranked, start, probability, blocks) if blocks else _more_positions(asked, probability, len(placed))
    where, demand = check.plant, check.demand
    return Room(
        sku=sku, racks=len(placed), by=by, probability=probability, reached_frac=reached, basis=demand.basis, note=demand.note,
        positions=tuple(full.racks[where.racks.ids[r]].position for r in placed), free=len(ranked), binding=_binding(blocks),
        frees_most=reliefs, cases=len(check.cases), scenarios=demand.count, seed=seed,
    )  # fmt: skip


@dataclass(frozen=True)
class _Question:
    """What :func:`room` was asked, as it may be asked again of a changed site."""

    site: Site
    sku: str
    by: dt.date
    history: History | None
    scenarios: int
    seed: int
    wet_bulb_c: float | None
    progress: Progress | None


def _prepared(q: _Question) -> tuple[Site, _Check, _Check, list[int]]:
    """The site with its candidates, the checks over all moments and over peaks, and the candidates in order of placement."""
    full, new = with_candidates(q.site, q.sku, q.by)
    where = plant(full)
    number = {name: k for k, name in enumerate(where.racks.ids)}
    mine = np.asarray([number[i] for i in new], np.int64)
    mine = mine[eligible(where, mine)] if mine.size else mine
    standing = where.racks.holding.copy()
    load = standing.copy()
    load[mine] = True
    demand = _demand(q.site, where, q.history, load, q.by, q.scenarios, q.seed)
    wet = q.site.settings.design_wet_bulb_c if q.wet_bulb_c is None else q.wet_bulb_c
    cases = all_cases(where)
    check, peaks = (_Check(where, d, standing, cases, wet, q.progress) for d in (demand, demand.peaks()))
    return full, check, peaks, [int(r) for r in order(where, standing, mine)]


def _more_positions(q: _Question, probability: float, racks: int) -> tuple[Relief, ...]:
    """Racks on top with another position beside every free one, where positions are all that binds; judged at peaks."""
    taken = {r.position for r in q.site.racks.values()}
    beside = {f"{i}-beside": replace(p, id=f"{i}-beside") for i, p in q.site.positions.items() if i not in taken}
    if not beside or any(i in q.site.elements for i in beside):
        return ()
    _, _, peaks, ranked = _prepared(replace(q, site=q.site.with_(positions={**q.site.positions, **beside})))
    more = _prefix(peaks, ranked, probability, racks + 1) - racks
    return (Relief(f"another position beside each of the {len(beside)} free ones", more),)


def _demand(site: Site, where: Plant, history: History | None, load: Bools, by: dt.date, scenarios: int, seed: int) -> Demand:
    if history is None:
        return nameplate_demand(where, load)
    old = {name: k for k, name in enumerate(site.racks)}
    columns = np.full((history.time.size, where.racks.n), np.nan)
    for k, name in enumerate(where.racks.ids):
        if name in old:
            columns[:, k] = history.rack_w[:, old[name]]
    return measured_demand(where, replace(history, rack_w=columns), load, by, scenarios, seed)


def _screen(check: _Check, peaks: _Check, ranked: Sequence[int], start: int) -> None:
    """Keep the cases that come nearer to some limit than normal operation does, at and just above a first answer.

    A case that is left out still has to hold when the answer is verified.
    """
    near = np.zeros(len(check.cases), bool)
    for count in sorted({0, start, min(start + 2, len(ranked))}):
        _, margin = peaks.failures(ranked[:count], check.cases)
        near |= ((margin < PROBE_MARGIN) & (margin < margin[0] - 1e-6)).any(axis=1)
    near[0] = True
    check.active = tuple(c for c, keep in zip(check.cases, near, strict=True) if keep)


def _prefix(check: _Check, ranked: Sequence[int], probability: float, start: int, lifted: Bools | None = None) -> int:
    """Longest prefix of the ranking that fits: steps that double away from a first guess, then bisection."""

    def fits(n: int) -> bool:
        return check.share(ranked[:n], lifted) >= probability

    low, high, step = -1, len(ranked) + 1, 1
    n = min(max(start, 0), len(ranked))
    while high - low > 1:
        if fits(n):
            low = n
            n = min(n + step, len(ranked)) if high > len(ranked) else (low + high) // 2
        else:
            high = n
            n = max(n - step, 0) if low < 0 else (low + high) // 2
        step *= 2
        if low == len(ranked) or high == 0:
            break
    return max(low, 0)


def _search(check: _Check, peaks: _Check, ranked: Sequence[int], probability: float, start: int) -> list[int]:
    """Longest prefix that fits, then every further class of position that still takes a rack (the peaks alone say no first)."""
    low = _prefix(check, ranked, probability, start)
    placed: list[int] = list(ranked[:low])
    full: set[tuple[int, ...]] = set()
    if low == 0 and check.share([]) < probability:
        return placed
    kind = dict(zip(ranked, classes(check.plant, np.asarray(ranked)), strict=True))
    for r in ranked[low:]:
        if kind[r] in full:
            continue
        if peaks.share([*placed, r]) >= probability and check.share([*placed, r]) >= probability:
            placed.append(r)
        else:
            full.add(kind[r])
    return placed


def _verified(
    check: _Check, peaks: _Check, ranked: Sequence[int], probability: float, start: int
) -> tuple[list[int], float]:  # fmt: skip
    """Search, then verify under all cases; failing cases join the search until the answer stands."""
    while True:
        placed = _search(check, peaks, ranked, probability, start)
        failed, _ = check.failures(placed, check.cases)
        bad = np.asarray(failed.any(axis=2))
        reached = float(1.0 - bad.any(axis=0).mean())
        names = {c.name for c in check.active}
        known = np.array([c.name in names for c in check.cases])
        new = np.any(bad & ~bad[known].any(axis=0), axis=1)
        more = [c for c, f in zip(check.cases, new, strict=True) if f]
        if reached >= probability or not placed or not more:
            return placed, reached
        check.active = (*check.active, *more)


def _blocks(check: _Check, placed: Sequence[int], ranked: Sequence[int]) -> dict[tuple[str, str], tuple[float, str]]:
    """Why the next rack does not fit: (element, limit) -> (positions blocked times scenarios, case that does it most)."""
    rest = [r for r in ranked if r not in set(placed)]
    tried: dict[tuple[int, ...], list[int]] = {}
    for r, kind in zip(rest, classes(check.plant, np.asarray(rest)), strict=True):
        tried.setdefault(kind, []).append(r)
    weight: dict[tuple[str, str], float] = {}
    case: dict[tuple[str, str], Counter[str]] = {}
    for same in tried.values():
        share = check.failed([*placed, same[0]]).mean(axis=1)
        for k in np.flatnonzero(share.max(axis=0) > 0.0):
            key = (check.table.element[k], check.table.limit[k])
            weight[key] = weight.get(key, 0.0) + float(share[:, k].max()) * len(same) / len(rest)
            case.setdefault(key, Counter()).update({check.active[z].name: float(share[z, k]) for z in np.flatnonzero(share[:, k])})
    return {key: (weight[key], max(sorted(case[key]), key=lambda name: (case[key][name], name == "normal"))) for key in weight}


def _binding(blocks: Mapping[tuple[str, str], tuple[float, str]]) -> tuple[Binding, ...]:
    if not blocks:
        return (Binding("site", "free positions", "normal", 1.0),)
    ranked = sorted(blocks.items(), key=lambda item: (-item[1][0], item[0]))
    return tuple(Binding(element, name, case, share) for (element, name), (share, case) in ranked[:MOST_BINDING])


def _reliefs(
    peaks: _Check, ranked: Sequence[int], start: int, probability: float, blocks: Mapping[tuple[str, str], tuple[float, str]]
) -> tuple[Relief, ...]:
    """Racks that would fit on top with one kind of limit lifted, all others standing, at each scenario's highest moment.

    All ratings of one kind of power element are lifted together; the last entry lifts everything that binds.
    """
    kind_of = dict(zip(peaks.plant.power.ids, peaks.plant.power.kind, strict=True))

    def group(element: str, limit: str) -> str:
        return f"ratings of every {kind_of[element]}" if element in kind_of else limit

    rows = [group(e, name) for e, name in zip(peaks.table.element, peaks.table.limit, strict=True)]
    groups = sorted({group(e, name) for e, name in blocks})

    def more(lift: Sequence[str]) -> int:
        return _prefix(peaks, ranked, probability, start + 1, np.array([row in lift for row in rows])) - start

    found = sorted((Relief(f"lift the {g}" if g.startswith("ratings") else f"lift the limit on {g}", more([g])) for g in groups), key=_most)
    if len(groups) > 1:
        found.append(Relief("lift together: " + ", ".join(groups), more(groups)))
    return tuple(found)


def _most(relief: Relief) -> tuple[int, str]:
    return -relief.racks, relief.change
