"""Power of each rack over time, from whatever meters there are, on the site's rack axis; wet bulb beside it.

Three kinds are told apart: *measured* by a sensor, *reported* by the equipment about itself, *inferred* from what others read
(:mod:`telemetry.infer`), each with a standard uncertainty.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from telemetry.bins import Window
from telemetry.dense import Frames, counter_power, frames, window
from telemetry.infer import by_feeds, by_meter, racks_known, sigma_of
from telemetry.schema import SITE
from telemetry.store import Store
from topology.errors import Finding
from topology.site import Site

_INSIDE = ("node", "device")


@dataclass(frozen=True, slots=True)
class RackPower:
    """Power of the racks of a site.

    Attributes:
        time: start of each step, datetime64[us] UTC (T,).
        racks: rack ids, all racks of the site in its order (R,).
        power_w: power into each rack, NaN for a gap or a rack without a meter [W] (T, R).
        known: True where ``power_w`` is a number (T, R).
        basis: how each rack is measured: a level (``rack``, ``pdu``, ``node``, ``device``), ``meter:ID`` for its nameplate share of
            a meter that covers several racks, ``feed:ID+ID`` for its share of what its feeds read, empty for none (R,).
        unmetered: racks without a meter, or without a reading in the window.
        wet_bulb_c: outdoor wet bulb of the site, NaN where unknown [degC] (T,).
        findings: doubts about the meters.
        step_s: length of a step [s].
        origin: ``measured``, ``reported`` or ``inferred``; empty for none (R,).
        sigma_w: standard uncertainty of each figure by itself; errors of racks that share a parent cancel in their sum, NaN for a
            gap [W] (T, R).
    """

    time: np.ndarray
    racks: tuple[str, ...]
    power_w: np.ndarray
    known: np.ndarray
    basis: tuple[str, ...]
    unmetered: tuple[str, ...]
    wet_bulb_c: np.ndarray
    findings: tuple[Finding, ...]
    step_s: float
    origin: tuple[str, ...]
    sigma_w: np.ndarray


def rack_power(
    site: Site,
    store: Store,
    start: dt.datetime | None,
    end: dt.datetime | None,
    step_s: float,
    levels: Mapping[str, str] | None = None,
) -> RackPower:
    """Power of every rack.

    A rack with a meter of its own is what that meter says: its rack meter, else the sum over the meters of its cords, else the
    sum of its nodes, else of its devices (one level for the whole window); where no power was recorded of it at all, the
    difference of its energy counters. A :class:`topology.kinds.Meter` covers the racks
    below what it names: racks without a meter of their own share what it reads, less what the others read, by nameplate. Racks
    that are still without are filled in the same way from the readings of their feeds.

    Args:
        site: whose racks.
        store: where the readings are.
        start: first time, with a zone; ``None`` for the first in the store.
        end: last time, excluded; ``None`` for the last in the store, included.
        step_s: length of a step [s].
        levels: level by rack or meter, to keep the choice of an earlier call; ``None`` to choose.

    Raises:
        TelemetryError: the store is empty and the window open.
        UsageError: a step or window that is not possible.
    """
    cut = window(store, start, end, step_s)
    racks, meters = tuple(site.racks), tuple(site.meters)
    read = frames(store, (*racks, *meters), "power_w", cut.start, cut.end, step_s, levels)
    wet = frames(store, (SITE,), "wet_bulb_c", cut.start, cut.end, step_s, part="mean")
    power, basis, origin = (read.values[:, : len(racks)].copy(), list(read.level[: len(racks)]), list(read.origin[: len(racks)]))
    findings = _cords(site, read, power, basis, origin)
    findings += _counted(store, read, power, basis, origin, racks, cut, levels)
    known, sigma = racks_known(site, power, basis, origin), sigma_of(read.values, read.origin)
    for m, meter in enumerate(site.meters.values(), len(racks)):
        findings += by_meter(site, meter, read.values[:, m], sigma[:, m], known)
    findings += by_feeds(site, store, cut, levels, known)
    findings += _doubts(racks, basis)
    unmetered = tuple(r for r, b in zip(racks, basis, strict=True) if not b)
    for array in (power, wet.values, known.sigma_w):
        array.flags.writeable = False
    return RackPower(
        cut.time, racks, power, np.isfinite(power), tuple(basis), unmetered, wet.values[:, 0], tuple(findings), step_s, tuple(origin),
        known.sigma_w,
    )  # fmt: skip


def _cords(site: Site, read: Frames, power: np.ndarray, basis: list[str], origin: list[str]) -> list[Finding]:
    """A rack with two cords of which one is measured is not measured."""
    found = []
    for r, rack in enumerate(site.racks.values()):
        position = site.positions.get(rack.position)
        sides = {p[:1].upper() for p in read.parts[r]}
        two = position is not None and position.feed_a and position.feed_b
        if basis[r] == "pdu" and two and sides & {"A", "B"} and not sides >= {"A", "B"}:
            power[:, r], basis[r], origin[r] = np.nan, "", ""
            found.append(
                Finding(f"only cord {min(sides)} of rack {rack.id} is metered, so its power is unknown",
                        "ingest the other cord's meter", element=rack.id, severity="warning")
            )  # fmt: skip
    return found


def _counted(
    store: Store, read: Frames, power: np.ndarray, basis: list[str], origin: list[str], racks: tuple[str, ...], cut: Window,
    levels: Mapping[str, str] | None,
) -> list[Finding]:  # fmt: skip
    """Racks of which no power was recorded at all: power by their energy counters, in place."""
    silent = [r for r in range(len(racks)) if not read.level[r]]
    found = counter_power(store, [racks[r] for r in silent], cut.start, cut.end, cut.step_s, levels) if silent else None
    counted = []
    for column, r in enumerate(silent):
        if found is not None and found.level[column]:
            power[:, r], basis[r], origin[r] = found.values[:, column], found.level[column], found.origin[column]
            counted.append(racks[r])
    if not counted:
        return []
    names = ", ".join(counted[:5]) + (", ..." if len(counted) > 5 else "")
    return [Finding(f"power of {len(counted)} racks ({names}) is the difference of their energy counters", severity="warning")]


def _doubts(racks: tuple[str, ...], basis: list[str]) -> list[Finding]:
    inside = [r for r, b in zip(racks, basis, strict=True) if b in _INSIDE]
    if not inside:
        return []
    names = ", ".join(inside[:5]) + (", ..." if len(inside) > 5 else "")
    text = f"{len(inside)} racks ({names}) are known from their nodes or devices only: supplies, switches and fans are not in these figures"
    return [Finding(text, "add a meter at the rack input", severity="warning")]
