"""Power of the devices of one rack: their own readings, or a share of the rack's where they say how busy they are and nothing of power.

TPU plugins and neuron-monitor report utilisation alone. What all accelerators of a rack draw together is then shared out by the law of the
catalog, ``idle + (max - idle) u^a`` of each, and labelled *inferred*, with the uncertainty of the split
(:func:`telemetry.infer.split_variance`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from telemetry.infer import INFERRED, SPREAD_UNKNOWN, sigma_of, split_variance
from telemetry.series import ORIGINS, weakest
from telemetry.store import Store
from topology.models import Part

SPREAD_KNOWN = 0.15
"""Standard deviation of power over that of a busy device, once its utilisation is known (estimate: utilisation says how long a device
worked, not how hard)."""

_COLUMNS = ["part", "quantity", "level", "value", "implementation"]


@dataclass(frozen=True, slots=True)
class DevicePower:
    """Devices of one rack over one window.

    Attributes:
        devices: parts of the rack, in order of name (D,).
        power_w: mean power of each [W] (D,).
        sigma_w: standard uncertainty of each by itself [W] (D,); errors of a split cancel in the sum.
        utilisation_frac: mean utilisation, NaN where not reported (D,).
        origin: ``measured``, ``reported`` or ``inferred`` (D,).
        basis: ``device`` for readings of their own, ``utilisation`` or ``equal`` for a share of what all draw together.
    """

    devices: tuple[str, ...]
    power_w: np.ndarray
    sigma_w: np.ndarray
    utilisation_frac: np.ndarray
    origin: tuple[str, ...]
    basis: str


def device_power(
    store: Store, rack: str, part: Part, together_w: float, together_sigma_w: float, start: dt.datetime, end: dt.datetime
) -> DevicePower:
    """Power of each device of a rack in a window.

    Args:
        store: where the readings are.
        rack: id of the rack.
        part: its accelerators: how many, their idle and their greatest power.
        together_w: what all of them draw together in this window [W].
        together_sigma_w: its standard uncertainty [W].
        start: first time, with a zone.
        end: last time, excluded.
    """
    power, ways = _means(store, rack, "power_w", start, end)
    busy, _ = _means(store, rack, "utilisation_frac", start, end)
    if power:
        names = tuple(sorted(power))
        origin = tuple(ways[n] for n in names)
        found = np.array([power[n] for n in names])
        used = np.array([busy.get(n, np.nan) for n in names])
        return DevicePower(names, found, sigma_of(found[None, :], origin)[0], used, origin, "device")
    names = tuple(sorted(busy)) or tuple(f"{part.name}{k + 1}" for k in range(part.count))
    used = np.array([busy.get(n, np.nan) for n in names])
    share_w, sigma_w = share_out(together_w, together_sigma_w, used, part)
    return DevicePower(names, share_w, sigma_w, used, (INFERRED,) * len(names), "utilisation" if busy else "equal")


def share_out(together_w: float, together_sigma_w: float, utilisation_frac: np.ndarray, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Share power out to devices that are alike.

    Devices beyond the catalog's number are taken for equal pieces of it (cores of a chip); where fewer report, the others are taken to be
    as busy as they on average, and keep their share.

    Args:
        together_w: what all draw together [W].
        together_sigma_w: its standard uncertainty [W].
        utilisation_frac: utilisation of each device that is known of, NaN where it is not reported (D,).
        part: how many there are, their idle and their greatest power.

    Returns:
        Power of each [W] (D,) and its standard uncertainty [W] (D,).

    >>> gpu = Part(name="gpu", group="gpu", count=2, max_w=1000.0, idle_w=200.0)
    >>> share_out(1600.0, 0.0, np.array([1.0, 0.25]), gpu)[0].round(1).tolist()
    [1142.9, 457.1]
    """
    known = np.isfinite(utilisation_frac)
    mean = float(utilisation_frac[known].mean()) if known.any() else 0.0
    silent = max(part.count - len(utilisation_frac), 0)
    used = np.r_[np.where(known, utilisation_frac, mean), np.full(silent, mean)]
    plate = np.full(len(used), part.max_w * part.count / len(used))
    law = part.idle_w + (part.max_w - part.idle_w) * used**part.exponent
    share = law / law.sum()
    spread = np.where(np.r_[known, np.zeros(silent, bool)], SPREAD_KNOWN, SPREAD_UNKNOWN)
    variance = (share * together_sigma_w) ** 2 + split_variance(plate, share, spread)
    told = len(utilisation_frac)
    return share[:told] * together_w, np.sqrt(variance[:told])


def _means(store: Store, rack: str, quantity: str, start: dt.datetime, end: dt.datetime) -> tuple[Mapping[str, float], Mapping[str, str]]:
    """Mean of one quantity of each device of a rack, and how it came about."""
    total: dict[str, list[float]] = {}
    ways: dict[str, str] = {}
    for row in _rows(store, rack, quantity, start, end):
        part, value, how = str(row["part"]), float(row["value"]), str(row["implementation"])  # type: ignore[arg-type]
        total.setdefault(part, []).append(value)
        ways[part] = weakest((ways.get(part, ""), ORIGINS.get(how, "")))
    return {p: float(np.mean(v)) for p, v in total.items()}, ways


def _rows(store: Store, rack: str, quantity: str, start: dt.datetime, end: dt.datetime) -> Sequence[Mapping[str, object]]:
    table = store.read([rack], [quantity], start, end, _COLUMNS)
    return [r for r in table.to_pylist() if r["level"] == "device" and r["part"]]
