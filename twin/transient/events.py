"""What happens when: events as people write them, and what they change.

``t=60 lose cdu-1``, ``t=120 restore cdu-1``, ``t=0 utility`` (every utility at once), ``t=30 load 0.9 over 20s``, ``t=10 cap 0.6``,
``t=0 swing 1Hz 0.4``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from topology.errors import UsageError, nearest
from topology.paths import blast_radius
from topology.plant import Plant

VERBS = ("lose", "restore", "utility", "load", "cap", "swing")
SWING_HZ = (0.1, 20.0)
"""Range of training power swings (arXiv 2508.14318)."""
_TIME = re.compile(r"t\s*=\s*(\d+(?:\.\d+)?)\s*(s|min|m|h)?\s+(.*)", re.DOTALL)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h)?")
_UNIT_S = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_GROUPS = ("hall", "row", "position", "redundancy", "common_cause")
_HOW = "write `t=60 lose ELEMENT`, `restore ELEMENT`, `utility`, `load 0.9 over 20s`, `cap 0.6` or `swing 1Hz 0.4`"


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes:
        time_s: when.
        verb: one of :data:`VERBS`.
        elements: ids that are lost or restored.
        value: utilisation, cap (share of the power at the time), or swing (share of accelerator power, peak to peak).
        over_s: time that a load or a cap takes.
        swing_hz: frequency of a swing.
        text: as it was written.
    """

    time_s: float
    verb: str
    elements: tuple[str, ...] = ()
    value: float = 0.0
    over_s: float = 0.0
    swing_hz: float = 0.0
    text: str = ""


def seconds(text: str, what: str) -> float:
    """Read a duration in s, m (or min) or h; seconds where no unit is given.

    Args:
        text: as written.
        what: what it is for, for the complaint.

    Raises:
        UsageError: not a duration.

    >>> seconds("30m", "--for"), seconds("90", "--for")
    (1800.0, 90.0)
    """
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise UsageError(f"{what} {text!r} is not a duration; write 60, 60s, 30m or 1h")
    return float(found[1]) * _UNIT_S[found[2] or ""]


def parse(plant: Plant, texts: Sequence[str], for_s: float = math.inf) -> tuple[Event, ...]:
    """Read events in order of time.

    Args:
        plant: names are looked up on it.
        texts: as people write them.
        for_s: length of the ride.

    Raises:
        UsageError: an event cannot be read, names an element that is not there (the nearest are offered), or comes after the end.
    """
    events = [_one(plant, text.strip()) for text in texts]
    for event in events:
        if event.time_s >= for_s:
            raise UsageError(f"event {event.text!r} comes after the end of the ride at {for_s:g} s; give a longer --for")
    return tuple(sorted(events, key=lambda e: e.time_s))


def _one(plant: Plant, text: str) -> Event:
    found = _TIME.fullmatch(text)
    if not found:
        raise UsageError(f"event {text!r} has no time; {_HOW}")
    time = float(found[1]) * _UNIT_S[found[2] or ""]
    verb, *rest = found[3].split()
    if verb == "utility":
        return Event(time, "lose", _every_utility(plant), text=text)
    if verb in ("lose", "restore"):
        if not rest:
            raise UsageError(f"event {text!r} names no element; {_HOW}")
        return Event(time, verb, tuple(i for name in rest for i in _elements(plant, name)), text=text)
    if verb in ("load", "cap"):
        return _level(text, time, verb, rest)
    if verb == "swing":
        return _swing(text, time, rest)
    raise UsageError(f"event {text!r}: there is no event {verb!r}; {nearest(verb, VERBS)}; {_HOW}")


def _every_utility(plant: Plant) -> tuple[str, ...]:
    found = tuple(i for i, kind in zip(plant.power.ids, plant.power.kind, strict=True) if kind == "utility")
    if not found:
        raise UsageError("this site has no utility to lose; name an element, such as `t=0 lose ups-a`")
    return found


def _elements(plant: Plant, name: str) -> tuple[str, ...]:
    """An element by id; ``utility`` stands for all of them, a place or a declared group for what is in it."""
    if name == "utility" and name not in plant.index:
        return _every_utility(plant)
    if name in plant.index and plant.index[name][0] != "halls":
        return (name,)
    groups = {i for kind in ("halls", "rows", "positions", "redundancy", "common_causes") for i in getattr(plant.site, kind)}
    if name not in groups:
        known = [*(i for i, (axis, _) in plant.index.items() if axis != "halls"), *groups, "utility"]
        raise UsageError(f"there is no element {name!r}; {nearest(name, known)}")
    inside = tuple(i for i in blast_radius(plant.site, name).failed if i in plant.index)
    if not inside:
        raise UsageError(f"nothing stands in {name}, so nothing is lost with it; name an element")
    return inside


def _number(text: str, whole: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"event {whole!r}: {text!r} is not a number; {_HOW}") from None
    if not 0.0 <= value <= 1.0:
        raise UsageError(f"event {whole!r}: {value:g} is outside 0 to 1")
    return value


def _level(text: str, time: float, verb: str, rest: Sequence[str]) -> Event:
    if len(rest) == 1:
        return Event(time, verb, value=_number(rest[0], text), over_s=1.0, text=text)
    if len(rest) >= 3 and rest[1] == "over":
        return Event(time, verb, value=_number(rest[0], text), over_s=seconds("".join(rest[2:]), f"event {text!r}:"), text=text)
    raise UsageError(f"event {text!r} cannot be read; {_HOW}")


def _swing(text: str, time: float, rest: Sequence[str]) -> Event:
    if len(rest) != 2 or not rest[0].lower().endswith("hz"):
        raise UsageError(f"event {text!r} cannot be read; {_HOW}")
    try:
        rate = float(rest[0][:-2])
    except ValueError:
        raise UsageError(f"event {text!r}: {rest[0]!r} is not a frequency; {_HOW}") from None
    if not SWING_HZ[0] <= rate <= SWING_HZ[1]:
        raise UsageError(f"event {text!r}: swings are between {SWING_HZ[0]:g} and {SWING_HZ[1]:g} Hz; slower ones are `load` events")
    return Event(time, "swing", value=_number(rest[1], text), swing_hz=rate, text=text)
