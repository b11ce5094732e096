"""Checks of places, dates, declared schemes and meters."""

from __future__ import annotations

import math
from collections.abc import Iterator

from topology.errors import Finding
from topology.kinds import HOLDING, Meter
from topology.rules import Context, allocated_w, rule, rules_of


@rule
def there_is_a_site(c: Context) -> Iterator[Finding]:
    """A site has positions and a source of power, and most sites have racks."""
    if not c.site.positions and "position" not in c.unsure:
        yield Finding("the site has no positions", "give each place for a rack a row", "positions.csv")
    if not any(e.kind in ("utility", "generator") for e in c.site.power.values()) and "power" not in c.unsure:
        yield Finding("the site has no source of power", "add an element of kind utility", "power.csv")
    if not c.site.racks and "rack" not in c.unsure:
        yield Finding("the site has no racks", "an empty hall is allowed: everything is headroom", "racks.csv", severity="warning")


@rule
def one_rack_to_a_position(c: Context) -> Iterator[Finding]:
    """Two racks that are not retired do not share a position, unless the dates of one end before the other begins."""
    held: dict[str, list[str]] = {}
    for rack in c.site.racks.values():
        if rack.state == "retired" or rack.position not in c.site.positions:
            continue
        for other_id in held.get(rack.position, ()):
            other = c.site.racks[other_id]
            apart = (other.live_until and rack.live_from and other.live_until < rack.live_from) or (
                rack.live_until and other.live_from and rack.live_until < other.live_from
            )
            if not apart:
                yield c.at(rack, "position", f"position {rack.position!r} is held by {other_id!r} already", _free_hint(c, rack.position))
                break
        held.setdefault(rack.position, []).append(rack.id)


def _free_hint(c: Context, position: str) -> str:
    row = getattr(c.site.positions.get(position), "row", "")
    free = c.free_of_row.get(row) or next(iter(c.free_of_row.values()), ())
    return f"free: {', '.join(free[:4])}" if free else "no position is free"


@rule
def places_are_unique(c: Context) -> Iterator[Finding]:
    """Two positions of a row have different places."""
    seen: dict[tuple[str, int], str] = {}
    for position in c.site.positions.values():
        key = (position.row, position.place)
        if key in seen:
            message = f"place {position.place} of row {position.row!r} is that of {seen[key]!r}"
            yield c.at(position, "place", message, "number the places of a row from the coolant entry on")
        seen.setdefault(key, position.id)


@rule
def racks_fit_their_positions(c: Context) -> Iterator[Finding]:
    """A rack is neither heavier nor larger than its position allows."""
    for rack in c.site.racks.values():
        position, sku = c.site.positions.get(rack.position), c.sku(rack)
        if position is None or sku is None or rack.state == "retired":
            continue
        if position.max_weight_kg is not None and sku.weight_kg > position.max_weight_kg:
            message = f"{sku.name} weighs {sku.weight_kg:.0f} kg, {position.id!r} bears {position.max_weight_kg:.0f} kg"
            yield c.at(rack, "position", message, "move it to a stronger floor")
        power = allocated_w(rack, sku)
        if position.max_power_w is not None and power > position.max_power_w:
            message = f"{rack.id!r} takes {power / 1e3:.1f} kW, {position.id!r} allows {position.max_power_w / 1e3:.1f} kW"
            yield c.at(rack, "position", message, "move it, or lower its budget")


@rule
def dates_are_in_order(c: Context) -> Iterator[Finding]:
    """A rack's first day comes before its last, and one that is committed says when it comes."""
    for rack in c.site.racks.values():
        if rack.live_from and rack.live_until and rack.live_until < rack.live_from:
            yield c.at(rack, "live_until", f"{rack.live_until} is before live_from {rack.live_from}", "swap the dates")
        if rack.state == "committed" and rack.live_from is None:
            yield c.doubt(rack, "live_from", f"{rack.id!r} is committed without a date", "write the first day of power")


@rule
def schemes_have_their_members(c: Context) -> Iterator[Finding]:
    """A redundancy group has as many members as its scheme asks for."""
    spare = {
        "N": lambda n: n,
        "2N": lambda n: 2 * n, "N+1": lambda n: n + 1, "catcher": lambda n: n + 1, "block": lambda n: n + 1,
        "isolated": lambda n: n + 1, "3N/2": lambda n: math.ceil(1.5 * n), "4N/3": lambda n: math.ceil(4 * n / 3),
    }  # fmt: skip
    for group in c.site.redundancy.values():
        want = spare[group.scheme](group.needed) if group.scheme in spare else 0
        have = len(set(group.members))
        if have < want:
            message = f"{group.scheme} with {group.needed} needed asks for {want} members and has {have}"
            yield c.at(group, "members", message, "add members or lower needed")
        if have < len(group.members):
            yield c.at(group, "members", f"{group.id!r} names a member twice", "name each once")


@rule
def meters_do_not_overlap(c: Context) -> Iterator[Finding]:
    """A rack is counted by one meter at most, and a meter counts something."""
    counted: dict[str, str] = {}
    under: dict[str, list[str]] = {}
    if c.site.meters:
        for rack in c.site.racks.values():
            position = c.site.positions.get(rack.position)
            for name in (rack.id, rack.position, position.row if position else ""):
                under.setdefault(name, []).append(rack.id)
    for meter in c.site.meters.values():
        racks = [r for name in meter.covers for r in under.get(name, ())]
        yield from _meter(c, meter, racks, counted)
        counted.update(dict.fromkeys(racks, meter.id))


def _meter(c: Context, meter: Meter, racks: list[str], counted: dict[str, str]) -> Iterator[Finding]:
    twice = sorted({r for r in racks if counted.get(r, meter.id) != meter.id} | {r for r in racks if racks.count(r) > 1})
    if twice:
        message = f"{meter.id!r} counts {', '.join(twice[:3])} that {counted.get(twice[0], meter.id)!r} counts as well"
        yield c.at(meter, "covers", message, "a watt is counted once: take it out of one of them")
    if not any(c.site.racks[r].state in HOLDING for r in racks):
        yield c.doubt(meter, "covers", f"{meter.id!r} covers no rack", "name rows, racks or positions that hold racks")


RULES = rules_of(globals())
