"""A site's own constants from its telemetry: families of constants, and the overlay that comes out.

A family is one entry of :data:`FAMILIES`: a function that takes what was seen and yields what that tells of one kind of element. Families
do not depend on each other: each takes the rest of the plant as its catalog (or the calibration so far) has it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from topology.errors import Finding, UsageError, nearest
from topology.overlay import Constant
from twin.forecast.calibrate.cdus import cdus
from twin.forecast.calibrate.feeds import feeds
from twin.forecast.calibrate.plates import plates
from twin.forecast.calibrate.pumps import pumps
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.skus import skus
from twin.forecast.calibrate.told import Drift, Told
from twin.forecast.calibrate.towers import outside
from twin.headroom.cases import Progress
from twin.scale import map_chunks


@dataclass(frozen=True)
class Family:
    """One kind of constants.

    Attributes:
        name: what people choose it by.
        doc: what it fits, in a few words.
        needs: what must be metered for it.
        fit: what was seen to constants, sensor errors and drifts.
    """

    name: str
    doc: str
    needs: str
    fit: Callable[[Seen], Iterator[Told | Drift]]


_ALL: tuple[Family, ...] = (
    Family(
        "skus",
        "power curves and supplies of SKUs, draw and cords of racks",
        "rack power beside utilisation, or in two places of a rack: input, output of its supplies, cords",
        skus,
    ),
    Family(
        "feeds",
        "losses of UPSs, transformers and lines, and gains of their meters",
        "power before and after an element: its own meters, or those of all that hangs below it",
        feeds,
    ),
    Family("cdus", "conductance, valve flow and sensors of CDUs", "flow, supply and return of CDUs, both sides where there are two", cdus),
    Family(
        "pumps",
        "head, fall of head and efficiency of pumps in CDUs",
        "flow, pressure and pump speed of CDUs; their power for efficiency",
        pumps,
    ),
    Family(
        "plates", "cold plates and flow of racks", "temperature and power of accelerators; flow meters of racks for their branches", plates
    ),
    Family("outside", "tower cells and dry coolers", "speed of their fans, supply of their loop, outdoor wet (or dry) bulb", outside),
)
FAMILIES: Mapping[str, Family] = MappingProxyType({f.name: f for f in _ALL})
"""Every family by name, in the order in which they are fitted: the one place that lists them."""


@dataclass(frozen=True)
class SiteCalibration:
    """What telemetry tells of a site.

    Attributes:
        told: constants and sensor errors, those that kept their prior included.
        drifts: constants that were followed over time.
        since: first day of the telemetry.
        until: last day.
        findings: doubts.
        steps: steps that were looked at.
        by_family: constants that each family had something to say of.
    """

    told: tuple[Told, ...]
    drifts: tuple[Drift, ...]
    since: dt.date
    until: dt.date
    findings: tuple[Finding, ...] = ()
    steps: int = 0
    by_family: Mapping[str, int] = field(default_factory=dict)

    def overlay(self, prior: bool = False) -> tuple[Constant, ...]:
        """Rows of a calibration file: what data told, and with ``prior`` also what kept its prior."""
        return tuple(t.constant(self.since, self.until) for t in self.told if prior or t.fitted.identifiable)


def calibrate_site(
    what: Seen, chosen: Sequence[str] = (), progress: Progress | None = None, engine: str = "serial"
) -> SiteCalibration:  # fmt: skip
    """Fit every family that telemetry can say something about.

    Args:
        what: what was seen.
        chosen: names of families; all where empty.
        progress: told how many families are done.
        engine: where they are fitted, see :func:`twin.scale.workers`; the answer is the same on each.

    Raises:
        UsageError: an unknown family.
        ScaleError: the engine cannot be used, or lost its workers.
    """
    for name in chosen:
        if name not in FAMILIES:
            raise UsageError(f"there is no family {name!r} of constants; {nearest(name, FAMILIES)}")
    names = tuple(dict.fromkeys(chosen)) or tuple(FAMILIES)
    found = dict(zip(names, map_chunks(_fit, names, engine, progress, shared=what), strict=True))
    told = _once(t for items in found.values() for t in items if isinstance(t, Told))
    drifts = tuple(t for items in found.values() for t in items if isinstance(t, Drift))
    count = {name: sum(isinstance(t, Told) for t in items) for name, items in found.items()}
    return SiteCalibration(told, drifts, what.since, what.until, tuple(_nothing(count)), what.time.size, count)


def _fit(what: Seen, name: str) -> tuple[Told | Drift, ...]:
    """One family."""
    return tuple(FAMILIES[name].fit(what))


def _once(told: Iterable[Told]) -> tuple[Told, ...]:
    """Each constant once; where two families tell of one (a meter that stands in both), the surer word counts."""
    best: dict[tuple[str, ...], Told] = {}
    for t in told:
        key = t.element, t.parameter, t.quantity, t.part
        if key not in best or _width(t) < _width(best[key]):
            best[key] = t
    return tuple(best.values())


def _width(t: Told) -> float:
    return t.fitted.interval[1] - t.fitted.interval[0]


def _nothing(count: Mapping[str, int]) -> Iterable[Finding]:
    for name, found in count.items():
        if not found:
            yield Finding(f"telemetry says nothing of {FAMILIES[name].doc}", FAMILIES[name].needs, severity="warning")
