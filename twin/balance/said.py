"""How a change becomes a doubt: how large it must be, what it is called, and when it counts among all that was looked at."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from telemetry.quality.doubt import Doubt, stamp, utc
from twin.balance.change import Changes
from twin.forecast.calibrate.priors import Prior

FALSE_A_WINDOW = 0.05
"""Changes that noise alone may make in one window over all elements of a kind, parameters and begins together."""
LEAST_GAIN = 45.0
"""Fall of chi-squared below which no change is told, whatever the number of elements: the model is not exact."""
CLEAR, CLEAR_SHARE = 9.0, 0.05
"""Fall of chi-squared by which one explanation must beat another (3 standard deviations), and that over the fall itself (the model is not
exact); nearer ones are named beside the one that is first in the list of its kind: what happens most often."""
SURE = 4.0
"""Standard deviations by which a change must be larger than what is normal."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a change of a parameter means for people.

    Attributes:
        parameter: name of the parameter that changes.
        detector: name of the test.
        quantity: quantity of the sensor that it is about, or by which a fault of the plant shows.
        part: part of the element.
        least: smallest change that is news: beyond the class of the meter, or what a plant does by itself; a share, or in ``unit``.
        text: sentence with ``{size}`` and ``{more}``.
        other: name of it as another explanation.
        unit: unit of the change; empty for a share.
        falls: only a fall is a fault.
        rises: only a rise is one.
    """

    parameter: str
    detector: str
    quantity: str
    part: str
    least: float
    text: str
    other: str = ""
    unit: str = ""
    falls: bool = False
    rises: bool = False


def needed(looked_at: int, begins: int) -> float:
    """Fall of chi-squared from which a change counts, among so many (Bonferroni's bound on the largest of chi-squared deviates).

    >>> round(needed(1, 1), 1), needed(1000, 700) > 35.0
    (45.0, True)
    """
    return max(2.0 * math.log(max(looked_at * begins, 1) / FALSE_A_WINDOW), LEAST_GAIN)


def told(
    element: str, level: str, priors: Sequence[Prior], said: Mapping[str, Said], found: Changes, n: int,
    time: np.ndarray, looked_at: int,
) -> list[Doubt]:  # fmt: skip
    """The doubt about one element, if its best change counts.

    Args:
        element: id of the element.
        level: level of its sensors.
        priors: priors of the parameters, in order.
        said: what changes are called; one that is not named wins without being told.
        found: changes of all elements.
        n: place of the element.
        time: (S + 1,) begin of each sample and end of the last.
        looked_at: elements that were looked at.
    """
    gain = found.gain[n]
    best = int(gain.argmax())
    if gain[best] < needed(looked_at * len(priors), time.size):
        return []
    near = [k for k in np.flatnonzero(gain >= gain[best] - max(CLEAR, CLEAR_SHARE * gain[best])).tolist() if priors[k].name in said]
    best = min(near, key=lambda k: (list(said).index(priors[k].name), -gain[k]), default=best)
    name = priors[best].name
    if name not in said:
        return []
    words, base = said[name], float(found.base[n, best])
    size = _natural(priors[best], float(found.size[n, best]), base)
    error = abs(_natural(priors[best], float(found.error[n, best]), base))
    if abs(size) < words.least + SURE * error or (words.falls and size > 0.0) or (words.rises and size < 0.0):
        return []
    at = time[int(found.begin[n, best])]
    amount = f"{abs(size):.1f} {words.unit}" if words.unit else f"{abs(size):.1%}"
    end = min(int(found.begin[n, best] + found.lasts[n, best]), time.size - 1)
    how = f"little by little until {stamp(_utc(time[end]))}" if found.lasts[n, best] else "at once"
    text = words.text.format(size=amount, more="more" if size > 0.0 else "less")
    sure = f"{SURE:g} standard deviations are {_shown(SURE * error, words.unit)}, chi-squared falls by {gain[best]:.0f}"
    others = [said[priors[k].name].other for k in near if k != best]
    also = f"; {' or '.join(others)} would explain it as well" if others else ""
    reason = f"{text}, {how} ({sure}{also})"
    score = min(1.0, abs(size) / (4.0 * words.least))
    since, until = _utc(at), _utc(time[-1])
    samples = time.size - 1 - int(found.begin[n, best])
    return [Doubt(element, words.part, words.quantity, level, words.detector, score, reason, since, until, samples)]


def _utc(time: np.datetime64) -> dt.datetime:
    return utc(time.astype("datetime64[us]").astype(np.int64))


def _natural(prior: Prior, z: float, base: float) -> float:
    """A change in standard deviations as a share of what was before it, or in the parameter's unit; to first order, as it was found."""
    return prior.deviation * z / max(1.0 + prior.deviation * base, _SMALLEST) if prior.log else prior.deviation * z


_SMALLEST = 0.1


def _shown(value: float, unit: str) -> str:
    return f"{value:.2g} {unit}" if unit else f"{value:.1%}"
