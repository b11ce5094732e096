"""Checks of headers that are drawn as a mesh: every end is known, and every CDU and manifold of the loop hangs together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import networkx as nx

from topology.errors import Finding
from topology.kinds import Loop, Pipe
from topology.rules import Context, rule, rules_of

SIDES = ("supply", "return")


@rule
def pipes_are_of_tcs_loops(c: Context) -> Iterator[Finding]:
    """Only headers of TCS loops are drawn."""
    for pipe in c.site.pipes.values():
        loop = c.site.loops.get(pipe.loop)
        if loop is not None and loop.kind != "tcs":
            tcs = ", ".join(n for n, other in c.site.loops.items() if other.kind == "tcs") or "none"
            yield c.at(pipe, "loop", f"{loop.id!r} is a {loop.kind} loop; pipes are drawn for TCS loops", f"tcs loops: {tcs}")


@rule
def pipe_ends_are_known(c: Context) -> Iterator[Finding]:
    """An end is a CDU or a manifold of the loop, or a junction at which something else ends too."""
    for loop_id, pipes in _by_loop(c).items():
        own = _joined(c, loop_id)
        ends = Counter((side, end) for pipe in pipes for side in _sides(pipe) for end in (pipe.start, pipe.end))
        for pipe in pipes:
            if pipe.start == pipe.end:
                yield c.at(pipe, "end", f"{pipe.id!r} starts and ends at {pipe.end!r}", "give it two ends")
            for column in ("start", "end"):
                end = getattr(pipe, column)
                if end in own:
                    continue
                if end in c.site.elements:
                    message = f"{end!r} is a {c.site.kind_of(end).replace('_', ' ')} and not a CDU or manifold of {loop_id!r}"
                    yield c.at(pipe, column, message, c.near(end, f"ends of {loop_id}", own))
                elif any(ends[side, end] < 2 for side in _sides(pipe)):
                    known = own | {e for _, e in ends if e != end}
                    yield c.at(pipe, column, f"nothing else ends at {end!r}", c.near(end, f"ends of {pipe.id}", known))


@rule
def drawn_loops_hang_together(c: Context) -> Iterator[Finding]:
    """On both sides open pipes lead from a CDU to every manifold, every CDU is joined, and no piece stands alone."""
    for loop_id, pipes in _by_loop(c).items():
        loop = c.site.loops.get(loop_id)
        if loop is None or not c.unsure.isdisjoint(("cdu", "manifold", "pipe")):
            continue
        for side in SIDES:
            yield from _side(c, loop, [p for p in pipes if side in _sides(p)], side)


def _side(c: Context, loop: Loop, pipes: list[Pipe], side: str) -> Iterator[Finding]:
    drawn: nx.Graph[str] = nx.Graph()
    drawn.add_edges_from((p.start, p.end) for p in pipes)
    way = nx.Graph()
    way.add_edges_from((p.start, p.end) for p in pipes if p.state == "open")
    cdus = [u.id for u in c.cdus_of.get(loop.id, ())]
    fed = {n for u in cdus if u in way for n in nx.node_connected_component(way, u)}
    joined = {n for u in cdus if u in drawn for n in nx.node_connected_component(drawn, u)}
    for cdu in cdus:
        if cdu not in drawn:
            message = f"no pipe joins {cdu!r} on the {side} side"
            yield c.at(c.site.cdus[cdu], "id", message, f"draw one in pipes.csv for {loop.id}", value=cdu)
    for manifold in c.site.manifolds.values():
        if manifold.loop != loop.id or manifold.id in fed:
            continue
        if manifold.id not in joined:
            message = f"no pipe leads from a CDU to {manifold.id!r} on the {side} side"
            yield c.at(manifold, "id", message, f"draw one in pipes.csv for {loop.id}", value=manifold.id)
        else:
            message = f"closed valves cut {manifold.id!r} off from every CDU on the {side} side"
            yield c.doubt(manifold, "id", message, "set the state of a pipe on its way to open", value=manifold.id)
    for pipe in pipes:
        if pipe.start not in joined:
            yield c.at(pipe, "start", f"{pipe.id!r} is joined to no CDU on the {side} side", "join one of its ends to the rest of the loop")


def _by_loop(c: Context) -> dict[str, list[Pipe]]:
    found: dict[str, list[Pipe]] = {}
    for pipe in c.site.pipes.values():
        found.setdefault(pipe.loop, []).append(pipe)
    return found


def _joined(c: Context, loop: str) -> set[str]:
    return {u.id for u in c.cdus_of.get(loop, ())} | {m.id for m in c.site.manifolds.values() if m.loop == loop}


def _sides(pipe: Pipe) -> tuple[str, ...]:
    return SIDES if pipe.side == "both" else (pipe.side,)


RULES = rules_of(globals())
