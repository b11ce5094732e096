"""What the racks of a hall can be coloured by: one function a quantity, NaN where a rack has no value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from topology.axes import Bools, Floats

if TYPE_CHECKING:
    from dashboards.session import Solved


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity of a rack.

    Attributes:
        key: name in a URL.
        label: name for people.
        unit: symbol of its unit.
        digits: digits after the point.
        values: (R,) values of a solved moment in that unit, NaN where a rack has none.
        span: colour range where it is fixed, such as that of a fraction.
        diverging: zero is a border, not the bottom.
    """

    key: str
    label: str
    unit: str
    digits: int
    values: Callable[[Solved], Floats]
    span: tuple[float, float] | None = None
    diverging: bool = False

    def text(self, value: float) -> str:
        """A value with its unit."""
        return f"{value:,.{self.digits}f} {self.unit}" if np.isfinite(value) else "no value"


def _where(mask: Bools, values: Floats) -> Floats:
    out: Floats = np.where(mask & np.isfinite(values), values, np.nan)
    return out


def drawing(solved: Solved) -> Bools:
    """(R,) racks that draw power in this moment."""
    on: Bools = solved.state.loads.rack_w[0] > 0.0
    return on


def _power(s: Solved) -> Floats:
    return _where(drawing(s), s.state.loads.rack_w[0] / 1e3)


def _share(s: Solved) -> Floats:
    return _where(drawing(s), 100.0 * s.state.loads.rack_w[0] / np.maximum(s.plant.racks.budget_w, 1.0))


def _chip(s: Solved) -> Floats:
    return _where(drawing(s), s.state.heat.chip_c[0])


def _coolant(s: Solved) -> Floats:
    return _where((s.plant.racks.manifold >= 0) & (s.state.flow.rack_kg_s[0] > 0.0) & drawing(s), s.state.heat.rack_return_c[0])


def _inlet(s: Solved) -> Floats:
    return _where(s.state.loads.present[0], s.state.heat.inlet_c[0])


def worst_limits(solved: Solved) -> tuple[Floats, Mapping[str, int]]:
    """Smallest margin of each rack's own limits.

    Returns:
        (R,) margins, NaN for racks that are not connected; and rack id to the number of that limit.
    """
    racks = solved.plant.racks
    own = {name: k for k, name in enumerate(racks.ids)}
    margin, at = np.full(racks.n, np.inf), {}
    for k, element in enumerate(solved.limits.element):
        r = own.get(element.partition("/")[0])
        if r is not None and solved.margin_frac[k] < margin[r]:
            margin[r] = solved.margin_frac[k]
            at[racks.ids[r]] = k
    return _where(solved.state.loads.present[0], margin), at


def _margin(s: Solved) -> Floats:
    return _where(drawing(s) | s.plant.racks.drawing, 100.0 * worst_limits(s)[0])


_ALL = (
    Quantity("power", "Power", "kW", 0, _power),
    Quantity("allocated", "Share of allocated power", "%", 0, _share, span=(0.0, 100.0)),
    Quantity("chip", "Chip temperature", "°C", 1, _chip),
    Quantity("coolant", "Coolant return", "°C", 1, _coolant),
    Quantity("inlet", "Inlet air", "°C", 1, _inlet),
    Quantity("margin", "Worst margin of the rack", "%", 0, _margin, span=(-100.0, 100.0), diverging=True),
)
QUANTITIES: Mapping[str, Quantity] = MappingProxyType({q.key: q for q in _ALL})


def status(solved: Solved) -> tuple[str, ...]:
    """What each rack is at (R): ``on``, ``off``, ``no supply`` (its feeds are lost) or ``not cooled``."""
    racks, state, on = solved.plant.racks, solved.state, drawing(solved)
    lost = racks.drawing & ~state.power.powered[0]
    hot = on & ~state.heat.cooled[0]
    return tuple("no supply" if lost[r] else "not cooled" if hot[r] else "on" if on[r] else "off" for r in range(racks.n))
