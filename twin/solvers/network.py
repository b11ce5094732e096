"""Any pipe network: meshed, several pumps and sources, check valves, regulators, heights; prepared once, solved for many cases.

:func:`prepare` fixes the topology and the order of elimination; :meth:`Network.cases` makes inputs, and :func:`solve_network`
solves them all. Closed links, zero flow, reversed flow and parts without a source are ordinary: what such a part is told apart by
stands in the result. A case without a state raises, and names the link that is the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from topology.axes import Bools, Floats, Ints
from topology.errors import LedgerError, NotConverged, SolveError, UsageError, nearest
from twin.solvers.jit import plain
from twin.solvers.network_kernel import AT_LIMIT, CUT_OFF, FREE, HUNTING, REGULATING, SHUT, SHUT_BY_CHECK, SOLVED, solve_cases
from twin.solvers.network_laws import Inputs
from twin.solvers.network_newton import Graph
from twin.solvers.network_parts import Columns, Fluid, Link, Node, columns, settings
from twin.solvers.sparse import pattern

MASS_TOLERANCE = 1e-9
"""Largest flow that may be missing at a node, over the largest flow of the network."""
LINK_STATES: Mapping[int, str] = {
    FREE: "open", SHUT_BY_CHECK: "shut by its check valve", AT_LIMIT: "at its limit", REGULATING: "regulating", SHUT: "shut",
}  # fmt: skip


@dataclass(frozen=True)
class Network:
    """A prepared network; make one with :func:`prepare`.

    Attributes:
        nodes: the nodes.
        links: the links.
        fluid: what flows where a case does not say otherwise.
        parts: the links as arrays.
        graph: places in the matrix.
        height_m: (N,) heights.
        regulators: numbers of links that hold a pressure.
    """

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    fluid: Fluid
    parts: Columns
    graph: Graph
    height_m: Floats
    regulators: Ints

    @cached_property
    def node(self) -> Mapping[str, int]:
        """Node id to its number."""
        return {x.id: k for k, x in enumerate(self.nodes)}

    @cached_property
    def link(self) -> Mapping[str, int]:
        """Link id to its number."""
        return {x.id: k for k, x in enumerate(self.links)}

    def cases(
        self, *, closed: Iterable[str] = (), opening_frac: Mapping[str, ArrayLike] | None = None,
        speed_frac: Mapping[str, ArrayLike] | None = None, count: Mapping[str, ArrayLike] | None = None,
        setting: Mapping[str, ArrayLike] | None = None, demand_kg_s: Mapping[str, ArrayLike] | None = None,
        pressure_pa: Mapping[str, ArrayLike] | None = None, rho_kg_m3: ArrayLike | None = None, mu_pa_s: ArrayLike | None = None,
    ) -> Inputs:  # fmt: skip
        """Inputs of S cases: what is not named is as the parts say, open, at full speed, one pump of each.

        Args:
            closed: links that are shut in every case.
            opening_frac: link to its opening, one number or (S,); 0 is shut.
            speed_frac: pump to its speed.
            count: pump link to the number that run.
            setting: regulator to what it holds [kg/s or Pa].
            demand_kg_s: node to the flow that leaves there.
            pressure_pa: node that holds a pressure to that pressure.
            rho_kg_m3: density of what is in each link, (L,) or (S, L).
            mu_pa_s: its viscosity.

        Raises:
            UsageError: an unknown name, a value that cannot be, or a pressure for a node that holds none.
        """
        for name in pressure_pa or {}:
            if name in self.node and self.nodes[self.node[name]].pressure_pa is None:
                raise UsageError(f"node {name!r} holds no pressure: give it one when the network is prepared")
        ones = np.ones(len(self.links))
        opening = _rows(ones, self.link, {**(opening_frac or {}), **dict.fromkeys(closed, 0.0)}, "link", 0.0, 1.0)
        demands = np.asarray([n.demand_kg_s for n in self.nodes])
        held = np.asarray([n.pressure_pa or 0.0 for n in self.nodes])
        return Inputs(
            opening, _rows(ones, self.link, speed_frac or {}, "link", 0.0), _rows(ones, self.link, count or {}, "link", 0.0),
            _rows(settings(self.links), self.link, setting or {}, "link", finite=False),
            _field(self.fluid.rho_kg_m3 if rho_kg_m3 is None else rho_kg_m3, ones, "rho_kg_m3"),
            _field(self.fluid.mu_pa_s if mu_pa_s is None else mu_pa_s, ones, "mu_pa_s"),
            _rows(demands, self.node, demand_kg_s or {}, "node"), _rows(held, self.node, pressure_pa or {}, "node"),
        )  # fmt: skip


@dataclass(frozen=True)
class NetworkState:
    """Answer of S cases.

    Attributes:
        network: the network.
        inputs: the cases.
        solved: (S,) whether the case has a state; all zeros where it has none.
        reasons: what stands against each case that has none, by its number.
        flow_kg_s: (S, L) from start to end.
        pressure_pa: (S, N) gauge pressure; relative to the first node of a part that floats.
        floating: (S, N) no held pressure reaches the node.
        dry: (S, N) its demand cannot be met, since no source reaches the node; it was left out.
        state: (S, L) a key of :data:`LINK_STATES`.
    """

    network: Network
    inputs: Inputs
    solved: Bools
    reasons: Mapping[int, SolveError]
    flow_kg_s: Floats
    pressure_pa: Floats
    floating: Bools
    dry: Bools
    state: Ints

    @property
    def scenarios(self) -> int:
        """Number of cases S."""
        return int(self.flow_kg_s.shape[0])

    @property
    def dp_pa(self) -> Floats:
        """(S, L) pressure at the start less pressure at the end."""
        parts = self.network.parts
        drop: Floats = self.pressure_pa[:, parts.start] - self.pressure_pa[:, parts.end]
        return drop

    @property
    def head_m(self) -> Floats:
        """(S, N) height to which the fluid would rise, by its density where a case says no other."""
        fluid = self.network.fluid
        return self.pressure_pa / (fluid.rho_kg_m3 * fluid.gravity_m_s2) + self.network.height_m

    @property
    def velocity_m_s(self) -> Floats:
        """(S, L) mean velocity, with the sign of the flow; 0 in a link without a bore."""
        bore = self.network.parts.diameter_m
        area = np.where(bore > 0.0, math.pi / 4.0 * bore * bore, math.inf)
        speed: Floats = self.flow_kg_s / (self.inputs.rho_kg_m3 * area)
        return speed

    @property
    def inflow_kg_s(self) -> Floats:
        """(S, N) what comes from outside at nodes that hold a pressure; less than 0 where it leaves there."""
        parts, total = self.network.parts, np.zeros_like(self.pressure_pa.T)
        np.add.at(total, parts.start, self.flow_kg_s.T)
        np.subtract.at(total, parts.end, self.flow_kg_s.T)
        held = self.network.graph.unknown < 0
        return np.where(held, total.T + self.inputs.demand_kg_s, 0.0)


def prepare(nodes: Sequence[Node], links: Sequence[Link], fluid: Fluid) -> Network:
    """Make a network of its parts.

    Args:
        nodes: its nodes, ids unique.
        links: its links, ids unique.
        fluid: what flows.

    Returns:
        The prepared network, to be solved as often as wanted.

    Raises:
        UsageError: ids that are not unique, an unknown end, a part that cannot be, or two things that hold one node's pressure.
    """
    for what, ids in (("node", [n.id for n in nodes]), ("link", [x.id for x in links])):
        if len(set(ids)) < len(ids):
            twice = next(i for k, i in enumerate(ids) if i in ids[:k])
            raise UsageError(f"{what} {twice!r} is there twice")
    parts = columns(links, {n.id: k for k, n in enumerate(nodes)})
    held = np.asarray([n.pressure_pa is not None for n in nodes], dtype=bool)
    regulators = np.flatnonzero(parts.regulator > 0).astype(np.int64)
    taken = {int(a) for a in np.flatnonzero(held)}
    for k in regulators.tolist():
        node = int(parts.end[k] if parts.regulator[k] == 1 else parts.start[k])
        if node in taken:
            raise UsageError(f"regulator {links[k].id!r} cannot hold the pressure of {nodes[node].id!r}: something else holds it")
        taken.add(node)
    number = np.cumsum(~held) - 1
    inner = ~held[parts.start] & ~held[parts.end]
    found = pattern(int((~held).sum()), number[parts.start[inner]], number[parts.end[inner]])
    slot, unknown = np.full(len(links), -1, np.int64), np.full(len(nodes), -1, np.int64)
    slot[inner] = found.slot
    unknown[~held] = found.place
    heights = np.asarray([n.height_m for n in nodes], float)
    return Network(
        tuple(nodes), tuple(links), fluid, parts, Graph(parts.start, parts.end, parts.regulator, unknown, slot, found), heights, regulators
    )


def solve_network(network: Network, cases: Inputs | None = None, *, partial: bool = False) -> NetworkState:
    """Flows and pressures of every case.

    Args:
        network: a prepared network.
        cases: inputs of :meth:`Network.cases`; one case as the parts say where not given.
        partial: whether cases without a state are reported instead of raised; the others stand either way.

    Returns:
        The states; mass closes at every node to :data:`MASS_TOLERANCE`.

    Raises:
        SolveError: a demand that a shut check valve or a flow limit cuts off; carries the link and the case.
        NotConverged: no state was found.
        LedgerError: mass does not close, which would be a fault of this code.
    """
    x = Inputs(*(plain(a) for a in (cases or network.cases())))
    count = max(a.shape[0] for a in x)
    if any(a.shape[0] not in (1, count) for a in x):
        raise UsageError(f"cases of different number: {', '.join(f'{n} {a.shape[0]}' for n, a in zip(x._fields, x, strict=True))}")
    flow, pressure, status, culprit, rest, state, floating, dry = solve_cases(
        count, network.parts, network.graph, x, network.height_m, network.fluid.gravity_m_s2, network.regulators
    )
    reasons = {int(s): _reason(network, int(s), int(status[s]), int(culprit[s])) for s in np.flatnonzero(status != SOLVED)}
    if reasons and not partial:
        raise next(iter(reasons.values()))
    if count and rest.max() > MASS_TOLERANCE:
        worst, most = int(rest.argmax()), float(rest.max())
        raise LedgerError(f"mass of case {worst} does not close: {most:.1e} of the largest flow", scenario=worst, residual=most)
    good = status == SOLVED
    floating, dry = floating & good[:, None], dry & good[:, None]
    return NetworkState(network, x, good, reasons, flow, pressure, floating, dry, np.where(good[:, None], state, FREE))


def _reason(network: Network, case: int, status: int, culprit: int) -> SolveError:
    name = network.links[culprit].id if culprit >= 0 else ""
    if status == CUT_OFF:
        text = f"case {case}: what is asked for behind {name!r} cannot pass it: open it, turn it round or lower the demand"
        return SolveError(text, element=name, scenario=case)
    why = "finds no state: it opens and shuts in turn" if status == HUNTING else "does not settle"
    return NotConverged(f"case {case}: {name!r} {why}", element=name, scenario=case)


def _rows(
    base: Floats, number: Mapping[str, int], given: Mapping[str, ArrayLike], what: str, low: float = -math.inf, high: float = math.inf,
    *, finite: bool = True,
) -> Floats:  # fmt: skip
    """(S, n) values: the base, and what is given by name."""
    columns = {name: np.atleast_1d(np.asarray(v, float)) for name, v in given.items()}
    count = max((v.size for v in columns.values()), default=1)
    out = np.tile(base, (count, 1))
    for name, values in columns.items():
        if name not in number:
            raise UsageError(f"no {what} {name!r} in this network: {nearest(name, number)}")
        if values.ndim > 1 or values.size not in (1, count):
            raise UsageError(f"{what} {name!r} has {values.size} values for {count} cases")
        if not ((values >= low) & (values <= high)).all() or (finite and not np.isfinite(values).all()):
            raise UsageError(f"{what} {name!r}: {values[~((values >= low) & (values <= high))][:1]} is out of bounds")
        out[:, number[name]] = values
    return out


def _field(values: ArrayLike, ones: Floats, name: str) -> Floats:
    found = np.atleast_2d(np.asarray(values, float) * ones)
    if not (np.isfinite(found) & (found > 0.0)).all():
        raise UsageError(f"{name} must be above 0 everywhere")
    return found
