"""Power that no meter of its own tells: what a parent reads less what its other children read, with its uncertainty.

A group is a set of parents and all that hangs on them. What is left of the parents' reading after the children that have readings
is what the racks without one draw together; it is split by nameplate. So a group's racks never sum to more than their parents read.

Uncertainties are standard ones, added as squares (JCGM 100:2008, GUM, 5.1.2); a limit of error that a datasheet names is a rectangular
distribution of half that width, divided by the square root of 3 (4.3.7). With load factors ``f_j = f + e_j`` of the n racks that share,
``e_j`` independent with standard deviation s, nameplates ``p_j`` and shares ``w_i = p_i / sum p_j``, the split adds to rack i

    s^2 (p_i^2 (1 - w_i)^2 + w_i^2 sum_{j != i} p_j^2)

and what is left of the parent adds ``(w_i sigma_left)^2``. The errors of the split cancel in the sum over the group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from telemetry.bins import Window
from telemetry.dense import Frames, frames
from telemetry.store import Store
from topology.errors import Finding
from topology.kinds import DRAWING, Meter
from topology.models import Sku
from topology.power_axes import power_axis
from topology.site import Site

INFERRED = "inferred"
ERROR_FRAC = MappingProxyType({"measured": 0.01, "reported": 0.05, INFERRED: 0.10})
"""Limit of error of a reading over its value by origin: a class 1 meter (IEC 62053-21); a value that a supply or board reports of
itself (NVML names 5 % for boards; estimate for the rest); a value that a mapping made of others (estimate)."""
SPREAD_UNKNOWN = 1.0 / np.sqrt(12.0)
"""Standard deviation of the load factor where too few racks are measured to tell: any load from none to nameplate is as likely."""
_ENOUGH = 3


def sigma_of(power_w: np.ndarray, origin: Sequence[str]) -> np.ndarray:
    """Standard uncertainty of readings [W] (T, E), NaN where there is none.

    Args:
        power_w: readings [W] (T, E).
        origin: origin of each element's readings, empty for none (E,).

    >>> sigma_of(np.array([[1000.0, 1000.0]]), ("measured", "reported")).round(2).tolist()
    [[5.77, 28.87]]
    """
    limit = np.array([ERROR_FRAC.get(o, np.nan) for o in origin])
    return np.asarray(np.abs(power_w) * limit / np.sqrt(3.0))


def split_variance(plate_w: np.ndarray, share: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Variance that a split by load factors adds to each member; see the module's docstring.

    Args:
        plate_w: what each draws at most [W] (n,).
        share: its share of the whole (n,).
        spread: standard deviation of the load factors, of each (n,) or of all (T, 1).

    Returns:
        Variance [W^2], (n,) or (T, n).
    """
    own = (spread * plate_w) ** 2
    return np.asarray(own * (1.0 - share) ** 2 + share**2 * (own.sum(axis=-1, keepdims=True) - own))


@dataclass(frozen=True, slots=True)
class Racks:
    """What is known of each rack so far; the arrays and lists are filled in as racks are inferred.

    Attributes:
        power_w: power, NaN where unknown [W] (T, R).
        sigma_w: its standard uncertainty [W] (T, R).
        basis: see :class:`telemetry.rackpower.RackPower` (R,).
        origin: ``measured``, ``reported``, ``inferred`` or empty (R,).
        plate_w: nameplate [W] (R,).
    """

    power_w: np.ndarray
    sigma_w: np.ndarray
    basis: list[str]
    origin: list[str]
    plate_w: np.ndarray

    def spread(self) -> np.ndarray:
        """Standard deviation of load over nameplate between racks with readings of their own, at each step (T,)."""
        own = [r for r, o in enumerate(self.origin) if o in ("measured", "reported")]
        factor = self.power_w[:, own] / self.plate_w[own]
        known = np.isfinite(factor)
        count = known.sum(axis=1)
        mean = np.where(known, factor, 0.0).sum(axis=1) / np.maximum(count, 1)
        square = np.where(known, (factor - mean[:, None]) ** 2, 0.0).sum(axis=1) / np.maximum(count - 1, 1)
        return np.asarray(np.where(count >= _ENOUGH, np.sqrt(square), SPREAD_UNKNOWN))

    def give(self, rest: Sequence[int], left_w: np.ndarray, left_sigma_w: np.ndarray, basis: str) -> int:
        """Split what is left among racks; returns the steps in which it is below zero, which stay gaps."""
        negative = left_w < 0.0
        left = np.where(negative, np.nan, left_w)
        plate = self.plate_w[rest]
        share = plate / plate.sum()
        variance = (left_sigma_w[:, None] * share) ** 2 + split_variance(plate, share, self.spread()[:, None])
        self.power_w[:, rest] = left[:, None] * share
        self.sigma_w[:, rest] = np.where(np.isnan(left)[:, None], np.nan, np.sqrt(variance))
        for r in rest:
            self.basis[r], self.origin[r] = basis, INFERRED
        return int(negative.sum())


def racks_known(site: Site, power_w: np.ndarray, basis: list[str], origin: list[str]) -> Racks:
    """What is known from the racks' own readings."""
    plate = np.array([site.model("sku", r.sku, Sku).nameplate_w for r in site.racks.values()])
    return Racks(power_w, sigma_of(power_w, origin), basis, origin, plate)


def racks_of(site: Site, meter: Meter) -> tuple[str, ...]:
    """Racks that a meter covers and that draw power in their present state, in the site's order."""
    named = set(meter.covers)
    found = []
    for rack in site.racks.values():
        position = site.positions.get(rack.position)
        places = {rack.id, rack.position, position.row if position is not None else ""}
        if places & named and rack.state in DRAWING:
            found.append(rack.id)
    return tuple(found)


def by_meter(site: Site, meter: Meter, reading_w: np.ndarray, sigma_w: np.ndarray, racks: Racks) -> list[Finding]:
    """Give a meter's reading to the racks that it covers, in place."""
    if not np.isfinite(reading_w).any():
        return [Finding(f"meter {meter.id} has no reading in this window", "", element=meter.id, severity="warning")]
    index = {r: i for i, r in enumerate(site.racks)}
    covered = [index[r] for r in racks_of(site, meter)]
    own = [r for r in covered if racks.basis[r]]
    rest = [r for r in covered if not racks.basis[r]]
    if not rest:
        return []
    left_sigma = np.sqrt(sigma_w**2 + (racks.sigma_w[:, own] ** 2).sum(axis=1))
    negative = racks.give(rest, reading_w - racks.power_w[:, own].sum(axis=1), left_sigma, f"meter:{meter.id}")
    return _less(f"meter {meter.id}", meter.id, negative)


def by_feeds(site: Site, store: Store, cut: Window, levels: Mapping[str, str] | None, racks: Racks) -> list[Finding]:
    """Fill racks without any reading from the readings of the feeds that they hang on, less all else that hangs there, in place.

    A group is used only where each of its feeds and each other load on them has readings: a load that nobody reads would be
    taken for a rack's. A feed's own loss is taken off its input by the law of its model; output readings need none.
    """
    index = {r: i for i, r in enumerate(site.racks)}
    targets = [r for r, i in index.items() if not racks.basis[i] and site.racks[r].state in DRAWING]
    groups = _groups(site, targets)
    if not groups:
        return []
    names = tuple(dict.fromkeys(n for feeds, loads in groups for n in (*feeds, *loads) if n not in site.racks))
    read = frames(store, names, "power_w", cut.start, cut.end, cut.step_s, levels)
    out = frames(store, names, "output_power_w", cut.start, cut.end, cut.step_s, levels)
    found: list[Finding] = []
    for feeds, loads in groups:
        known = [f for f in feeds if _level(read, f) or _level(out, f)]
        if not known:
            continue
        drawing = [n for n in loads if n not in index or site.racks[n].state in DRAWING]
        silent = [f for f in feeds if f not in known] + [n for n in drawing if n not in index and not _level(read, n)]
        rest = [index[n] for n in drawing if n in index and not racks.basis[index[n]]]
        if silent:
            found.append(
                Finding(f"{', '.join(known[:3])} could tell what {len(rest)} racks without a meter draw, but nobody reads "
                        f"{', '.join(silent[:5])}", "ingest their readings", element=known[0], severity="warning")
            )  # fmt: skip
            continue
        total, variance = _into(site, feeds, read, out)
        for n in drawing:
            if n in index and index[n] not in rest:
                total, variance = total - racks.power_w[:, index[n]], variance + racks.sigma_w[:, index[n]] ** 2
            elif n not in index:
                total, variance = total - _column(read, n), variance + _sigma(read, n) ** 2
        negative = racks.give(rest, total, np.sqrt(variance), f"feed:{'+'.join(feeds)}")
        found += _less("+".join(feeds), feeds[0], negative)
    return found


def _groups(site: Site, targets: Sequence[str]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """For racks without readings: feeds that belong together because racks hang on both, and all that hangs on them."""
    graph = site.graph
    found: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    done: set[str] = set()
    for target in targets:
        feeds: dict[str, None] = {}
        loads: dict[str, None] = {}
        waiting = [f for f, _, how in graph.in_edges(target, data="medium") if how == "power" and f not in done]
        while waiting:
            feed = waiting.pop()
            if feed in feeds:
                continue
            feeds[feed] = None
            for _, load, how in graph.out_edges(feed, data="medium"):
                if how != "power":
                    continue
                loads[load] = None
                waiting += [f for f, _, kind in graph.in_edges(load, data="medium") if kind == "power"] if load in site.racks else []
        done |= feeds.keys()
        if feeds:
            found.append((tuple(sorted(feeds)), tuple(loads)))
    return found


def _into(site: Site, feeds: Sequence[str], read: Frames, out: Frames) -> tuple[np.ndarray, np.ndarray]:
    """Power that feeds give to what hangs on them, and its variance (T,): output readings, else input less loss."""
    axis = power_axis(site)
    total = variance = np.zeros(len(read.time))
    for feed in feeds:
        if _level(out, feed):
            total, variance = total + _column(out, feed), variance + _sigma(out, feed) ** 2
            continue
        at = axis.ids.index(feed)
        a, b, c = float(axis.loss_fixed_w[at]), float(axis.loss_frac[at]), float(axis.loss_quad_per_w[at])
        spare = np.maximum(_column(read, feed) - a, 0.0)  # input = output + a + b output + c output^2
        given = 2.0 * spare / (1.0 + b + np.sqrt((1.0 + b) ** 2 + 4.0 * c * spare))
        total, variance = total + given, variance + _sigma(read, feed) ** 2
    return total, variance


def _column(read: Frames, name: str) -> np.ndarray:
    return np.asarray(read.values[:, read.elements.index(name)])


def _sigma(read: Frames, name: str) -> np.ndarray:
    at = read.elements.index(name)
    return sigma_of(read.values[:, at : at + 1], read.origin[at : at + 1])[:, 0]


def _level(read: Frames, name: str) -> str:
    return read.level[read.elements.index(name)]


def _less(name: str, element: str, steps: int) -> list[Finding]:
    if not steps:
        return []
    return [
        Finding(f"{name} reads less than what hangs behind it in {steps} steps; those steps are gaps", "check which racks it covers",
                element=element, severity="warning")
    ]  # fmt: skip
