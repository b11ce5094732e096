"""Hidden constants: how each element of a synthetic plant differs from its catalog entry, and how each meter errs.

They are drawn from the priors that calibration starts from (:mod:`twin.forecast.calibrate.constants`), so that what calibration says of
them can be held against the truth. The real plant is the plant of the site with these constants laid over its catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from topology.axes import Bools, Floats
from topology.overlay import FACTORS, SENSOR, WHOLE_SITE, Constant, Factor, calibrated
from topology.plant import Plant
from topology.plant import plant as built
from twin.forecast.calibrate.batch import at
from twin.forecast.calibrate.constants import PRIORS, SENSORS
from twin.forecast.calibrate.priors import Prior
from twin.loads import from_utilisation
from twin.observe import CHANNELS, Channel
from twin.solvers.steady import solve_steady
from twin.state import Ambient
from twin.synthetic.streams import stream

WEATHER = "wet_bulb_c"


def hidden(plant: Plant, seed: int) -> tuple[Constant, ...]:
    """Draw every constant that an element or a meter of the plant has.

    Args:
        plant: the plant as its catalog has it.
        seed: seed; each kind of constant has a stream of its own.

    Returns:
        Rows of an overlay: factors of SKUs, racks, power elements, CDUs, fan walls, pumps, towers and dry coolers, then gain or bias of
        each meter.
    """
    rows = [row for factor in FACTORS.values() for row in _drawn(PRIORS[factor.name], factor.name, having(plant, factor), seed)]
    for meter in meters(plant):
        for name, element in zip(meter.parts, meter.channel.elements(plant), strict=True):
            rows += _sensor(element, meter.channel.quantity, name, seed) if name is not None else ()
    return tuple(rows) + tuple(_sensor(WHOLE_SITE, WEATHER, "", seed))


def real_plant(plant: Plant, secret: Sequence[Constant]) -> Plant:
    """The plant as it really is."""
    return built(calibrated(plant.site, [row for row in secret if row.parameter not in SENSOR]))


def having(plant: Plant, factor: Factor) -> tuple[str, ...]:
    """Elements (or SKUs) that a factor makes any difference to; racks that draw no power are left out."""
    if factor.axis == "sku":
        names = sorted({plant.racks.skus[k].name for k in plant.racks.sku[plant.racks.drawing]})
        was = plant.site.catalog.entries["sku"]
        now = calibrated(plant.site, [Constant(element=n, parameter=factor.name, value=1.1) for n in names]).catalog.entries["sku"]
        return tuple(n for n in names if was[n] != now[n])
    axis = getattr(plant, factor.axis)
    differs: Bools = np.zeros(axis.n, np.bool_)
    for field, values in factor.change(axis, np.full(axis.n, 1.1)).items():
        before = getattr(axis, field)
        differs |= np.isfinite(before) & (values != before)
    if factor.axis == "racks":
        differs &= plant.racks.drawing
    return tuple(name for name, has in zip(axis.ids, differs, strict=True) if has)


def _drawn(prior: Prior, parameter: str, elements: Sequence[str], seed: int) -> Iterator[Constant]:
    z = stream(seed, parameter).standard_normal(len(elements))
    for element, value in zip(elements, np.clip(at(prior, z), *prior.bounds), strict=True):
        yield Constant(element=element, parameter=parameter, value=float(value))


def _sensor(element: str, quantity: str, part: str, seed: int) -> Iterator[Constant]:
    """Gain or bias of one meter, where its quantity has a prior of that."""
    for parameter in SENSOR:
        prior = SENSORS.get((quantity, parameter))
        if prior is not None:
            z = float(stream(seed, parameter, quantity, element, part).standard_normal())
            yield Constant(element=element, parameter=parameter, value=prior.at(z), quantity=quantity, part=part)


@dataclass(frozen=True)
class Meter:
    """A channel of the plant and who carries it.

    Attributes:
        channel: what it reads.
        parts: part by which the sensor of each element is known in an overlay, ``None`` for an element without one (n,).
    """

    channel: Channel
    parts: tuple[str | None, ...]

    @property
    def there(self) -> Bools:
        """(n,) elements that carry it."""
        return np.array([p is not None for p in self.parts], np.bool_)

    def error(self, plant: Plant, secret: Sequence[Constant], parameter: str) -> Floats:
        """(n,) ``gain`` or ``bias`` of each; 1 or 0 where nothing is hidden."""
        known = {row.key: row.value for row in secret if row.parameter == parameter and row.quantity == self.channel.quantity}
        least = 1.0 if parameter == "gain" else 0.0
        keys = [(e, parameter, self.channel.quantity, p or "") for e, p in zip(self.channel.elements(plant), self.parts, strict=True)]
        return np.array([known.get(key, least) for key in keys])


def meters(plant: Plant) -> tuple[Meter, ...]:
    """What is metered of a synthetic plant: every channel, where an element has the quantity and such plants carry the meter.

    A second meter of one quantity on one element is known by its level in place of its part.
    """
    load = from_utilisation(plant, 0.5)
    state = solve_steady(plant, load, Ambient(np.array([plant.site.settings.design_wet_bulb_c])))
    taken: set[tuple[str, str, str]] = set()
    out = []
    for channel in CHANNELS.values():
        ids = channel.elements(plant)
        if not ids:
            continue
        there = np.isfinite(channel.predict(plant, state)).all(axis=0) & _CARRIED.get(channel.name, _all_of(channel.axis))(plant)
        parts: list[str | None] = []
        for element, has in zip(ids, there, strict=True):
            part = channel.part if (element, channel.quantity, channel.part) not in taken else channel.level
            parts.append(part if has else None)
        taken |= {(e, channel.quantity, p) for e, p in zip(ids, parts, strict=True) if p is not None}
        out.append(Meter(channel, tuple(parts)))
    return tuple(out)


def shelved(plant: Plant) -> Bools:
    """(R,) racks with a power shelf that tells input and output: the liquid-cooled ones."""
    return np.asarray(plant.racks.drawing & (plant.racks.manifold >= 0))


def _kinds(*kinds: str) -> Callable[[Plant], Bools]:
    return lambda plant: np.array([k in kinds for k in plant.power.kind], np.bool_)


def _all_of(axis: str) -> Callable[[Plant], Bools]:
    return lambda plant: plant.racks.drawing if axis == "racks" else np.ones(getattr(plant, axis).n, np.bool_)


_CARRIED: Mapping[str, Callable[[Plant], Bools]] = MappingProxyType({
    "rack output power": shelved,
    "feed power": _kinds("switchboard", "busway", "pdu"),
    "UPS input power": _kinds("ups"),
    "UPS output power": _kinds("ups"),
    "utility power": _kinds("utility"),
})  # fmt: skip
"""Meters that not every element of their axis carries."""
