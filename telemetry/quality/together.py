"""What several series of one element, and of what hangs on it, say together: how busy it is, by every meter that shows it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from telemetry.quality.series import Sensors, place
from topology.kinds import DRAWING
from topology.site import Site

BUSY = ("power_w", "output_power_w", "heat_w", "utilisation_frac")
"""Quantities that follow the load at once."""
Key = tuple[str, str, str]
"""Element, level and quantity."""


@dataclass(frozen=True, slots=True)
class Busy:
    """How busy each element is by each of its meters.

    Attributes:
        site: the site.
        time: start of each step, datetime64[us] UTC (T,).
        step_s: length of a step [s].
        end: end of the stretch, UTC.
        series: mean over the parts of each part's reading over its own usual one, NaN where nothing is read (T,), by element, level and
            quantity; 1 is usual.
        stride: steps between two readings.
        parts: sensors behind each.
        usual: usual reading of all parts together.
        behind: elements whose load is that of an element: racks of a CDU's loop, racks of a feed, other racks of a rack's row.
    """

    site: Site
    time: np.ndarray
    step_s: float
    end: dt.datetime
    series: Mapping[Key, np.ndarray]
    stride: Mapping[Key, int]
    parts: Mapping[Key, tuple[str, ...]]
    usual: Mapping[Key, float]
    behind: Mapping[str, tuple[str, ...]]

    def of(self, element: str) -> list[Key]:
        """Series of one element."""
        return [k for k in self.series if k[0] == element]


def busy_by(bundle: Sensors) -> dict[Key, tuple[np.ndarray, int, tuple[str, ...], float]]:
    """Series, stride, parts and usual reading of each element of one bundle."""
    out: dict[Key, tuple[np.ndarray, int, tuple[str, ...], float]] = {}
    known = np.isfinite(bundle.value)
    usual = np.array([float(np.median(np.abs(bundle.value[known[:, i], i]))) if known[:, i].any() else 0.0 for i in range(bundle.n)])
    own: dict[str, list[int]] = {}
    for i, e in enumerate(bundle.element):
        if usual[i] > 0.0:
            own.setdefault(e, []).append(i)
    for element, at in own.items():
        share = bundle.value[:, at] / usual[at]
        count = known[:, at].sum(axis=1)
        mean = np.where(count > 0, np.where(known[:, at], share, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
        key = (element, bundle.level, bundle.quantity)
        out[key] = (mean, min(bundle.stride(i) for i in at), tuple(bundle.part[i] for i in at), float(usual[at].sum()))
    return out


def together(site: Site, bundles: Iterable[dict[Key, tuple[np.ndarray, int, tuple[str, ...], float]]], like: Sensors) -> Busy:
    """Put what bundles say of the load together.

    Args:
        site: the site.
        bundles: from :func:`busy_by`.
        like: any bundle of the same stretch, for its times.
    """
    found = {k: v for b in bundles for k, v in b.items()}
    return Busy(
        site, like.time, like.step_s, like.end, {k: v[0] for k, v in found.items()}, {k: v[1] for k, v in found.items()},
        {k: v[2] for k, v in found.items()}, {k: v[3] for k, v in found.items()}, _behind(site),
    )  # fmt: skip


def _behind(site: Site) -> dict[str, tuple[str, ...]]:
    loops: dict[str, list[str]] = {}
    rows: dict[tuple[str, str], list[str]] = {}
    feeds: dict[str, list[str]] = {}
    for rack in site.racks.values():
        position = site.positions.get(rack.position)
        if rack.state not in DRAWING or position is None:
            continue
        rows.setdefault(place(site, rack.id), []).append(rack.id)
        manifold = site.manifolds.get(position.manifold)
        if manifold is not None:
            loops.setdefault(manifold.loop, []).append(rack.id)
        for feed in {position.feed_a, position.feed_b}:
            feeds.setdefault(feed, []).append(rack.id)
    out = {c.id: tuple(loops.get(c.loop, ())) for c in site.cdus.values()}
    out |= {f: tuple(r) for f, r in feeds.items() if f}
    out |= {r: tuple(x for x in row if x != r) for row in rows.values() for r in row}
    return out
