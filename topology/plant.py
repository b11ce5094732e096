"""The plant: a site as read-only arrays on fixed axes, with names both ways. The front door of this house for solvers.

``plant(site)`` costs time in proportion to the site; everything that follows works on its arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from topology.arrays import lookup
from topology.axes import (
    Axis,
    Bools,
    ExchangerAxis,
    Floats,
    GearAxis,
    HallAxis,
    Ints,
    LoopAxis,
    ManifoldAxis,
    PipeAxis,
    PowerAxis,
    PumpAxis,
    RackAxis,
)
from topology.errors import UsageError, nearest
from topology.hydraulic_axes import Hydraulics, hydraulics
from topology.outdoor_axes import ChillerAxis, DryCoolerAxis, TowerAxis, chiller_axis, dry_cooler_axis, tower_axis
from topology.overlay import laid_over
from topology.plant_axes import (
    air_unit_axis,
    cdu_axis,
    hall_axis,
    loop_axis,
    manifold_axis,
    pipe_axis,
    pump_axis,
    rack_axis,
)
from topology.power_axes import gear_axis, power_axis
from topology.site import Site


@dataclass(frozen=True)
class Plant:
    """A site as arrays; build it with :func:`plant`.

    Attributes:
        site: what it was built from.
        racks: racks.
        power: elements of the power chain.
        loops: coolant loops.
        manifolds: row manifolds.
        cdus: coolant distribution units.
        air_units: fan walls and CRAHs.
        pipes: pieces of headers that are drawn as a mesh.
        pumps: pumps, integrated ones included.
        towers: cooling tower cells.
        chillers: trim chillers.
        dry_coolers: dry coolers.
        halls: data halls.
        gear: mechanical gear on the power chain.
        hydraulics: what the flow solve needs beside these axes.
    """

    site: Site
    racks: RackAxis
    power: PowerAxis
    loops: LoopAxis
    manifolds: ManifoldAxis
    cdus: ExchangerAxis
    air_units: ExchangerAxis
    pipes: PipeAxis
    pumps: PumpAxis
    towers: TowerAxis
    chillers: ChillerAxis
    dry_coolers: DryCoolerAxis
    halls: HallAxis
    gear: GearAxis
    hydraulics: Hydraulics

    @cached_property
    def index(self) -> Mapping[str, tuple[str, int]]:
        """Element id -> (axis name, index); gear is found on the gear axis, the pumps inside a CDU on the pump axis."""
        axes: tuple[tuple[str, Axis], ...] = (
            ("halls", self.halls), ("loops", self.loops), ("manifolds", self.manifolds), ("pipes", self.pipes),
            ("power", self.power), ("pumps", self.pumps), ("gear", self.gear), ("racks", self.racks),
        )  # fmt: skip
        return {i: (name, k) for name, axis in axes for k, i in enumerate(axis.ids)}

    def find(self, element: str) -> tuple[str, int]:
        """Axis and index of an element.

        Raises:
            UsageError: no such element, or one that has no axis (a row); the message offers the nearest names.
        """
        found = self.index.get(element)
        if found is None:
            raise UsageError(f"there is no element {element!r} that can fail or carry load; {nearest(element, self.index)}")
        return found


def plant(site: Site) -> Plant:
    """Turn a checked site into arrays.

    Args:
        site: a site without errors, such as :func:`topology.read.read_site` returns.

    Returns:
        The plant; its arrays are read-only.

    Raises:
        SiteError: a model is missing, its rating point is impossible, or a calibrated constant names what has none.
        SolveError: a loop's coolant is outside the range of its properties.
    """
    hall = lookup(tuple(site.halls))
    power = power_axis(site)
    feed = lookup(power.ids)
    loops = loop_axis(site)
    loop = lookup(loops.ids)
    gear = gear_axis(site, power)
    gears = lookup(gear.ids)
    manifold = lookup(tuple(site.manifolds))
    racks = rack_axis(site, hall, feed, manifold)
    cdus = cdu_axis(site, loops, loop, hall, gears)
    built = Plant(
        site=site,
        racks=racks,
        power=power,
        loops=loops,
        manifolds=manifold_axis(site, racks, loop),
        cdus=cdus,
        air_units=air_unit_axis(site, loops, loop, hall, gears),
        pipes=pipe_axis(site, loop),
        pumps=pump_axis(site, cdus, loop, gears),
        towers=tower_axis(site, loop, gears),
        chillers=chiller_axis(site, loop, gears),
        dry_coolers=dry_cooler_axis(site, loop, gears),
        halls=hall_axis(site),
        gear=gear,
        hydraulics=hydraulics(site, racks, loops),
    )  # fmt: skip
    return laid_over(built, site.calibration)


__all__ = ["Bools", "Floats", "Ints", "Plant", "plant"]
