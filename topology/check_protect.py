"""Checks of what protects the power chain: ratings derated twice, phases that no feed has, schemes that the links do not bear out."""

from __future__ import annotations

import math
from collections.abc import Iterator

from topology.errors import Finding
from topology.kinds import PowerElement, Redundancy
from topology.rules import Context, rule, rules_of

STANDARD_A = (
    15, 20, 25, 30, 32, 35, 40, 45, 50, 60, 63, 70, 80, 90, 100, 110, 125, 150, 160, 175, 200, 225, 250, 300, 350, 400, 450, 500, 600, 630,
    700, 800, 1000, 1200, 1250, 1600, 2000, 2500, 3000, 3200, 4000, 5000, 6000, 6300,
)  # fmt: skip
"""Sizes of breakers [A]: NEC 240.6(A), and the preferred ones of IEC 60059."""
SAME = 0.01
TWO_CORDS = ("2N", "3N/2", "4N/3")
RESERVED = ("catcher", "block", "isolated")


@rule
def ratings_are_derated_once(c: Context) -> Iterator[Finding]:
    """A rating with a continuous share is not itself that share of a breaker's size: 24 A is 80 % of 30 A already."""
    for element in c.site.power.values():
        share = c.of_power(element, "derate_frac") or 1.0
        if share >= 1.0:
            continue
        for figure, ampere in _as_current(c, element):
            size = _size(ampere / share)
            if _size(ampere) is None and size is not None:
                message = (
                    f"{element.id!r} is rated {ampere:.4g} A, which is {100.0 * share:.0f} % of {size} A already, and is derated again"
                )
                hint = f"write the rating of the breaker ({size} A), or derate_frac 1"
                yield c.doubt(element, figure, message, hint, value=f"{c.of_power(element, figure):g}")
                break


def _as_current(c: Context, element: PowerElement) -> Iterator[tuple[str, float]]:
    """Each rating of an element as a line current [A]."""
    ampere, volts = c.of_power(element, "rating_a"), c.of_power(element, "voltage_v")
    if ampere is not None:
        yield "rating_a", ampere
    for figure in ("rating_va", "rating_w"):
        value = c.of_power(element, figure)
        if value is not None and volts:
            yield figure, value / (math.sqrt(3.0) * volts)


def _size(ampere: float) -> int | None:
    return next((s for s in STANDARD_A if abs(ampere / s - 1.0) < SAME), None)


@rule
def racks_and_positions_agree_on_phases(c: Context) -> Iterator[Finding]:
    """A rack does not ask for a line that its position's taps have not."""
    for rack in c.site.racks.values():
        position = c.site.positions.get(rack.position)
        if position is None or not rack.phases or not position.phases:
            continue
        missing = sorted(_lines(rack.phases) - _lines(position.phases))
        if missing:
            message = f"{rack.id!r} hangs on {', '.join(missing)}, and the taps of {position.id!r} have {position.phases}"
            yield c.doubt(rack, "phases", message, "correct one of them; leave the rack's empty to take its position's")


def _lines(phases: str) -> set[str]:
    return {phases[k : k + 2] for k in range(0, len(phases), 2)}


@rule
def schemes_are_borne_out_by_links(c: Context) -> Iterator[Finding]:
    """What a redundancy group of power elements declares is how its links and cords are laid."""
    for group in c.site.redundancy.values():
        names = tuple(dict.fromkeys(group.members))
        if not names or any(n not in c.site.power for n in names):
            continue
        if group.scheme in TWO_CORDS:
            yield from _two_cords(c, group, names)
        elif group.scheme in RESERVED:
            yield from _reserve(c, group, names)
        elif group.scheme == "N+1" and len(names) > 1 and not _share_a_child(c, names):
            message = f"the members of {group.id!r} feed no common element: they are not in parallel, and none takes over from another"
            yield c.doubt(group, "members", message, "link them to one board, or declare what it is (2N, catcher, N)")


def _feeds_below(c: Context, member: str) -> frozenset[str]:
    """Elements that a member feeds by normal links, itself included."""
    found, stack = {member}, [member]
    while stack:
        for child in c.children.get(stack.pop(), ()):
            if child not in found:
                found.add(child)
                stack.append(child)
    return frozenset(found)


def _two_cords(c: Context, group: Redundancy, names: tuple[str, ...]) -> Iterator[Finding]:
    side = {feed: name for name in names for feed in _feeds_below(c, name)}
    for feed, member in side.items():
        for position in c.hung.get(feed, ()):
            sides = {side.get(f, "") for f in c.feeds(position)}
            if len(sides) < 2 or "" in sides:
                message = f"{group.id!r} is {group.scheme}, and the rack on {position.id!r} has its only cord in it below {member!r}"
                yield c.doubt(group, "members", message, "give it a second feed below another member, or leave the member out of the group")
                return


def _reserve(c: Context, group: Redundancy, names: tuple[str, ...]) -> Iterator[Finding]:
    """A reserve reaches something below each primary by a transfer link."""
    below = {name: _feeds_below(c, name) for name in names}
    caught = {name: {child for feed in below[name] for child in c.caught.get(feed, ())} for name in names}
    reserves = [n for n in names if caught[n] & set().union(*(below[m] for m in names if m != n))]
    if not reserves:
        message = f"no member of {group.id!r} is a transfer parent of what another one feeds"
        yield c.doubt(group, "members", message, "add links with role transfer from the reserve to a switch below each primary")
        return
    switched = frozenset().union(*(caught[r] for r in reserves))
    for name in names:
        bare = None if name in reserves else _uncaught(c, name, switched)
        if bare is not None:
            message = f"{bare!r} hangs on {name!r} and has no reserve of {group.id!r} behind it"
            yield c.doubt(group, "members", message, f"add a transfer link from {reserves[0]!r} to a switch above {bare!r}")
        if name not in reserves and any(name in caught[r] for r in reserves):
            message = f"the reserve of {group.id!r} stands behind {name!r} itself: it does not help when {name!r} is lost"
            yield c.doubt(group, "members", message, f"put a switch below {name!r} and link the reserve to that")


def _uncaught(c: Context, member: str, switched: frozenset[str]) -> str | None:
    """A feed with racks below a member that is reached without passing an element with the reserve behind it."""
    stack = [member]
    while stack:
        name = stack.pop()
        if name in c.hung:
            return name
        stack += [child for child in c.children.get(name, ()) if child not in switched]
    return None


def _share_a_child(c: Context, names: tuple[str, ...]) -> bool:
    common = set(c.children.get(names[0], ()))
    for name in names[1:]:
        common &= set(c.children.get(name, ()))
    return bool(common)


RULES = rules_of(globals())
