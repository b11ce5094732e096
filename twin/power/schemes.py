"""Redundancy as declared against redundancy as built: what each member carries normally and after the loss of each other one.

The chain itself decides what a load does (:mod:`twin.solvers.power`): 2N, 3N/2 and 4N/3 are racks with cords on two members, N+1 are
members in parallel on one board, a catcher (also called block redundant) stands behind a transfer switch of every primary's load, and
an isolated-redundant reserve feeds the bypass of each primary: a switch at its output whose transfer parent is the reserve. So nothing
is solved anew here: the group is read off the solved states, each pair of members by itself, because pairs are rarely loaded alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, Floats
from topology.kinds import Redundancy
from topology.plant import Plant
from twin.headroom.cases import Case, blocks
from twin.power.paths import shares_above
from twin.solvers.power import supply
from twin.state import Ambient, Loads, PowerState

TWO_CORDS = ("2N", "3N/2", "4N/3")
RESERVED = ("catcher", "block", "isolated")


@dataclass(frozen=True)
class Member:
    """One member of a group.

    Attributes:
        id: element.
        normal_w: active power it carries with nothing lost.
        normal_frac: that load over its continuous rating, the largest of W, VA and A; 0 where it has none.
        worst_w: most it carries after the loss of one other member.
        worst_frac: the same over its rating.
        worst_after: member whose loss that is; empty where no loss raises it.
        reserve: it carries nothing normally and something after a loss.
    """

    id: str
    normal_w: float
    normal_frac: float
    worst_w: float
    worst_frac: float
    worst_after: str
    reserve: bool


@dataclass(frozen=True)
class Scheme:
    """A declared group as it behaves.

    Attributes:
        id: group.
        scheme: as declared.
        needed: members that must run, as declared.
        members: as built.
        pair_w: load of racks whose two cords hang on a pair of members, by pair in the order of the members.
        faults: where declaration and chain differ, or a rating does not bear a loss; empty where it holds.
    """

    id: str
    scheme: str
    needed: int
    members: tuple[Member, ...]
    pair_w: Mapping[tuple[str, str], float]
    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """As declared, and within every rating after every single loss."""
        return not self.faults


def schemes(plant: Plant, loads: Loads, ambient: Ambient) -> tuple[Scheme, ...]:
    """Hold every declared group of power elements against the chain.

    Args:
        plant: the plant.
        loads: one scenario of loads.
        ambient: its weather.

    Returns:
        One entry a group, in the order of the site; groups of cooling gear are none of it.
    """
    groups = [g for g in plant.site.redundancy.values() if g.members and all(m in plant.site.power for m in g.members)]
    names = tuple(dict.fromkeys(m for g in groups for m in g.members))
    if not names:
        return ()
    lost = tuple(Case(name, (name,), "") for name in names)
    own = np.asarray([plant.power.ids.index(name) for name in names], dtype=np.int64)
    parts = [(b.state.power.out_w[:, own], load_frac(plant, b.state.power)[:, own], b.state.power.powered)
             for b in blocks(plant, loads, ambient, (Case("normal", (), "normal"), *lost))]  # fmt: skip
    out_w, load, powered = (np.concatenate(p) for p in zip(*parts, strict=True))
    solved = _Solved({name: k for k, name in enumerate(names)}, out_w, load, powered)
    feeds, draws = _carriers(plant, names), loads.rack_w[0]
    return tuple(_scheme(plant, g, solved, feeds, draws) for g in groups)


@dataclass(frozen=True)
class _Solved:
    """Members of all groups (M) with nothing lost (row 0) and without each one of them (its column + 1)."""

    column: Mapping[str, int]
    out_w: Floats
    load: Floats
    powered: Bools

    def row(self, lost: str) -> int:
        return self.column[lost] + 1


def load_frac(plant: Plant, state: PowerState) -> Floats:
    """(S, N) load of each element over its continuous rating: the largest of W, VA and A; 0 without a rating."""
    p = plant.power
    ampere = np.where(p.voltage_v > 0.0, p.rating_a, np.inf)
    found: Floats = np.maximum(np.maximum(state.out_w / p.rating_w, state.out_va / p.rating_va), state.current_a / ampere)
    return found


def _carriers(plant: Plant, names: tuple[str, ...]) -> Mapping[int, Mapping[str, float]]:
    """Feed to the members above it and their shares, with nothing lost."""
    p = plant.power
    weight = supply(plant, [()]).weight[0]
    parents = np.concatenate([p.parents, p.transfer], axis=1)
    rank = np.empty(p.n, np.int64)
    rank[p.order] = np.arange(p.n)
    index = {p.ids.index(name): name for name in names}
    feeds = np.unique(plant.racks.feed[plant.racks.feed >= 0])
    return {
        int(f): {index[e]: share for e, share in shares_above(parents, weight, rank, int(f)).items() if e in index} for f in feeds
    }  # fmt: skip


def _scheme(plant: Plant, group: Redundancy, solved: _Solved, feeds: Mapping[int, Mapping[str, float]], rack_w: Floats) -> Scheme:
    names = tuple(dict.fromkeys(group.members))
    members = tuple(_member(m, names, solved) for m in names)
    main = {f: max((m for m in shares if m in names), key=shares.__getitem__, default="") for f, shares in feeds.items()}
    cords = [tuple(main.get(int(f), "") for f in pair) for pair in plant.racks.feed]
    below = np.asarray([bool(a or b) for a, b in cords], dtype=bool) & (rack_w > 0.0)
    pairs: dict[tuple[str, str], float] = {}
    for r in np.flatnonzero(below):
        a, b = sorted(cords[r], key=names.index) if all(cords[r]) else ("", "")
        if a != b:
            pairs[a, b] = pairs.get((a, b), 0.0) + float(rack_w[r])
    order = sorted(pairs, key=lambda k: (names.index(k[0]), names.index(k[1])))
    faults = (
        *_overloads(group, members),
        *_dark(plant, group, members, solved, below),
        *_shape(plant, group, members, solved, cords, below),
    )
    return Scheme(group.id, group.scheme, group.needed, members, {k: pairs[k] for k in order}, faults)


def _member(name: str, names: tuple[str, ...], solved: _Solved) -> Member:
    e = solved.column[name]
    normal_w, normal = float(solved.out_w[0, e]), float(solved.load[0, e])
    worst = max((m for m in names if m != name), key=lambda m: float(solved.out_w[solved.row(m), e]), default="")
    after_w = float(solved.out_w[solved.row(worst), e]) if worst else 0.0
    if after_w <= normal_w * (1.0 + 1e-9) + 1e-6:
        return Member(name, normal_w, normal, normal_w, normal, "", False)
    return Member(name, normal_w, normal, after_w, float(solved.load[solved.row(worst), e]), worst, normal_w <= 0.0)


def _dark(plant: Plant, group: Redundancy, members: tuple[Member, ...], solved: _Solved, below: Bools) -> Iterator[str]:
    for m in members if group.scheme != "N" else ():
        dark = np.flatnonzero(below & ~solved.powered[solved.row(m.id)])
        if dark.size:
            yield f"without {m.id}, {_some([plant.racks.ids[r] for r in dark])} below the group has no supply"


def _overloads(group: Redundancy, members: tuple[Member, ...]) -> Iterator[str]:
    for m in members:
        if m.normal_frac > 1.0 + 1e-9:
            yield f"{m.id} carries {100.0 * m.normal_frac:.0f} % of its rating with nothing lost"
        elif m.worst_frac > 1.0 + 1e-9 and group.scheme != "N":
            yield f"{m.id} carries {100.0 * m.worst_frac:.0f} % of its rating after the loss of {m.worst_after}"


def _shape(
    plant: Plant, group: Redundancy, members: tuple[Member, ...], solved: _Solved, cords: list[tuple[str, ...]], below: Bools
) -> Iterator[str]:
    if group.scheme in TWO_CORDS:
        lone = [plant.racks.ids[r] for r in np.flatnonzero(below) if not all(cords[r]) or cords[r][0] == cords[r][1]]
        if lone:
            yield f"{_some(lone)} does not hang on two members, as {group.scheme} means"
    reserves = [solved.column[m.id] for m in members if m.reserve]
    if group.scheme in RESERVED and not reserves:
        yield f"no member stands by: {group.scheme} means a reserve that carries nothing until a primary is lost"
    for m in members if group.scheme in RESERVED and reserves else ():
        caught = float(solved.out_w[solved.row(m.id), reserves].max())
        if not m.reserve and m.normal_w > 0.0 and caught <= 0.0:
            yield f"no reserve takes over when {m.id} is lost"
    if group.scheme == "N+1" and not any(m.worst_after for m in members) and any(m.normal_w > 0.0 for m in members):
        yield "no member takes over from another: they are not in parallel"


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
