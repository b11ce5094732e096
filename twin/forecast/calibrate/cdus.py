"""The family of coolant distribution units: constants, sensor errors and what exchangers lost, out of what was seen of a plant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from topology.axes import Bools, Floats
from twin.forecast.calibrate.cdu_seen import ENOUGH, CduSeen, cdu_seen, thinned
from twin.forecast.calibrate.constants import SENSORS
from twin.forecast.calibrate.exchangers import SENSOR_OF, fit_cdus
from twin.forecast.calibrate.fouling import Loss, cdu_loss
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.slices import Slices, cut, days_of
from twin.forecast.calibrate.tell import Means, tell
from twin.forecast.calibrate.told import Drift, Told

OF_SLICE = 48
"""Samples of a slice that are kept at least."""
MEANS = {"ua_factor": Means("ua_factor"), "valve_flow_factor": Means("valve_flow_factor")} | {
    name: Means("gain" if (quantity, "gain") in SENSORS else "bias", quantity, part) for name, (_, quantity, part) in SENSOR_OF.items()
}


def cdus(what: Seen) -> Iterator[Told | Drift]:
    """Constants and sensor errors of each CDU that has meters, and the change of its conductance where the window is long enough.

    A unit whose conductance has moved for certain gets that of its last slice: the plant as it is now.
    """
    plant = what.plant
    read = cdu_seen(plant, what.read, what.behind_w)
    fits, loss = fit_cdus(plant, read), _followed(what)
    metered = np.any([read.there[meter][:, 0] for meter, _, _ in SENSOR_OF.values()], axis=0)
    wet = metered & (plant.cdus.fws >= 0)
    there = {"ua_factor": wet, "valve_flow_factor": wet} | {n: read.there[meter][:, 0] for n, (meter, _, _) in SENSOR_OF.items()}
    number = {name: n for n, name in enumerate(plant.cdus.ids)}
    moved: Bools = np.zeros(plant.cdus.n, np.bool_) if loss is None else loss[0].moved
    for row in tell(fits, plant.cdus.ids, MEANS, there):
        n = number[row.element]
        if loss is not None and row.parameter == "ua_factor" and moved[n]:
            yield Told(row.element, row.parameter, loss[0].latest(n), row.samples, note="it moved; as in the last slice of the window")
        else:
            yield row
    if loss is not None:
        yield from _drifts(what, *loss)


def _followed(what: Seen) -> tuple[Loss, Slices, Floats] | None:
    """Change of conductance, the slice of each sample, and the time of each from the start [s]; ``None`` for too short a window."""
    step_s: Floats = what.step_s * np.arange(what.time.size, dtype=np.float64)
    whole = cut(step_s, what.time.size * what.step_s)
    if whole is None:
        return None
    enough = max(ENOUGH, whole.number * OF_SLICE)
    since_s = thinned(step_s[:, None], enough)[:, 0]
    slices = replace(whole, of=np.minimum(since_s // whole.length_s, whole.number - 1).astype(np.int64))
    read: CduSeen = cdu_seen(what.plant, what.read, what.behind_w, enough)
    return cdu_loss(what.plant, read, slices.of), slices, since_s


def _drifts(what: Seen, loss: Loss, slices: Slices, since_s: Floats) -> Iterator[Drift]:
    first, last, middle = days_of(what, since_s, slices)
    for n in np.flatnonzero(loss.told):
        a, b = int(loss.first[n]), int(loss.last[n])
        yield Drift(
            what.plant.cdus.ids[n], "ua_factor", first[a], last[b], float(loss.ratio[n, b]) - 1.0,
            (float(loss.low[n, b]) - 1.0, float(loss.high[n, b]) - 1.0), middle[a : b + 1],
            loss.batch.value[n, 0] * loss.ratio[n, a : b + 1],
        )  # fmt: skip
