"""What the tests of single sensors say of a recording in long form: the same detectors as `racktwin quality`, on a file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.fidelity.frame import read_columns, seconds
from telemetry.bins import Window
from telemetry.quality.doubt import Doubt
from telemetry.quality.scan import DETECTORS
from telemetry.quality.series import bundle_of
from topology.axes import Floats

COLUMNS = ("time", "quantity", "sensor", "value")
SHOWN = 4
"""Doubts of each test and quantity that are told in full."""


def doubts(path: Path, step_s: float) -> dict[tuple[str, str], list[Doubt]]:
    """Doubts about the sensors of a file, by test and quantity as the file names it.

    Args:
        path: a file with :data:`COLUMNS`.
        step_s: length of a step [s].
    """
    table = read_columns(path, COLUMNS)
    time, value = seconds(table["time"]), table["value"].to_numpy(np.float64)
    usable = np.isfinite(time) & np.isfinite(value)
    first, last = (float(f(time[usable])) for f in (np.min, np.max))
    begin = dt.datetime.fromtimestamp(np.floor(first / step_s) * step_s, dt.UTC)
    window = Window(begin, dt.datetime.fromtimestamp(last + step_s, dt.UTC), step_s)
    of: dict[str, dict[tuple[str, str], tuple[np.ndarray, Floats]]] = {}
    for key, index in table.groupby(["quantity", "sensor"], observed=True, sort=True).indices.items():
        quantity, sensor = (str(k) for k in key)  # type: ignore[attr-defined]
        good = index[usable[index]]
        if good.size:
            of.setdefault(quantity, {})[sensor, ""] = ((1e6 * time[good]).astype(np.int64), value[good])
    out: dict[tuple[str, str], list[Doubt]] = {}
    for quantity, series in of.items():
        bundle = bundle_of(_canonical(quantity), "node", series, window)
        for check in DETECTORS:
            for doubt in check.run(bundle):
                if check.name == "stuck" and "setpoint" in doubt.element.lower():
                    continue  # it stands still by nature
                out.setdefault((check.name, quantity), []).append(doubt)
    return out


def _canonical(quantity: str) -> str:
    """The nearest canonical quantity of a name in the file, by which readings are tested."""
    name = quantity.lower()
    known = {"temp": "temp_c", "strip": "temp_c", "fan": "fan_speed_frac", "pressure": "dp_pa"}
    return next((q for word, q in known.items() if word in name), "power_w")


def quality_findings(path: Path, step_s: float) -> Iterator[str]:
    """What people should look at, one sentence a test and quantity."""
    for (test, quantity), found in sorted(doubts(path, step_s).items(), key=lambda x: (x[0][0], -len(x[1]))):
        sensors = len({d.element for d in found})
        told = "; ".join(f"{d.element}: {d.reason}" for d in sorted(found, key=lambda d: -d.score * d.lasts_s)[:SHOWN])
        more = "; ..." if len(found) > SHOWN else ""
        yield f"Quality, {test}, {quantity}: {len(found)} findings at {sensors} sensors. {told}{more}."
