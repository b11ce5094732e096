"""Fits of many elements as rows for people: which parameter of a batch is which constant or sensor error of which element."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from topology.axes import Bools
from twin.forecast.calibrate.batch import Batch
from twin.forecast.calibrate.told import Told


@dataclass(frozen=True)
class Means:
    """What a parameter of a batch stands for.

    Attributes:
        parameter: factor of :data:`topology.overlay.FACTORS`, or ``gain`` or ``bias``.
        quantity: of a sensor.
        part: of a sensor.
    """

    parameter: str
    quantity: str = ""
    part: str = ""


def tell(batch: Batch, ids: Sequence[str], means: Mapping[str, Means], there: Mapping[str, Bools]) -> Iterator[Told]:
    """Rows of a batch.

    Args:
        batch: the fits.
        ids: (N,) elements.
        means: parameters that are told of, by name in the batch.
        there: (N,) elements that have each of those.
    """
    for n, element in enumerate(ids):
        own = [name for name in means if there[name][n]]
        fitted = batch.fitted(n) if own else {}
        note = "" if batch.settled[n] else "its fit did not come to rest"
        for name in own:
            m = means[name]
            yield Told(element, m.parameter, fitted[name], int(batch.samples[n]), m.quantity, m.part, note)
