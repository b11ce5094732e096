"""CDUs that lose conductance over weeks in synthetic plants, against what calibration says of them and of those that stand still."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.fidelity.frame import Report, Row, Told
from benchmarks.fidelity.hidden import START, STEP_S, seen_of
from topology.axes import Floats
from topology.generate import generate
from topology.plant import Plant
from topology.plant import plant as built
from twin.forecast.calibrate.site import calibrate_site
from twin.forecast.calibrate.told import Drift
from twin.synthetic.days import times, utilisation, wet_bulb_c
from twin.synthetic.faults import KINDS, Fault, fault
from twin.synthetic.observe import observe
from twin.synthetic.secret import hidden, real_plant
from twin.synthetic.streams import stream

NAME, TEMPLATE, FAMILY = "synthetic-fouling", "reference", "cdus"
SEEDS, DAYS = 8, 42
"""Plants and days of each: seeds from 0 on, all of them counted."""
LOST = (0.06, 0.25)
"""Range of what a unit loses."""
FALSE_PCT = 5.0
"""Share of units that stand still which 95 % intervals may call moved."""
EACH = 3
"""Units of a plant that foul."""


@dataclass(frozen=True)
class Followed:
    """One unit, followed over a window.

    Attributes:
        seed: of the plant.
        cdu: unit.
        true_frac: change of its conductance from the first slice to the last.
        told: what calibration says.
    """

    seed: int
    cdu: str
    true_frac: float
    told: Drift

    @property
    def inside(self) -> bool:
        """The 95 % interval holds the truth."""
        return self.told.interval[0] <= self.true_frac <= self.told.interval[1]


def fouling(plant: Plant, seed: int) -> tuple[Fault, ...]:
    """Units by chance that begin to foul within the first two weeks."""
    rng = stream(seed, "fouling")
    places = KINDS["fouled-cdu"].places(real_plant(plant, hidden(plant, seed)))
    own = rng.choice(len(places), min(EACH, len(places)), replace=False)
    start = np.datetime64(START.astimezone(dt.UTC).replace(tzinfo=None), "us")
    hours = rng.integers(0, 14 * 24, own.size)
    size = rng.uniform(*LOST, own.size)
    return tuple(
        fault("fouled-cdu", places[n], start + np.timedelta64(int(h), "h"), float(x)) for n, h, x in zip(own, hours, size, strict=True)
    )


def followed(plant: Plant, seed: int, days: int = DAYS) -> Iterator[Followed]:
    """Every unit of one plant."""
    faults = fouling(plant, seed)
    time = times(START, round(days * 86400.0 / STEP_S), STEP_S)
    shown = observe(plant, hidden(plant, seed), time, utilisation(plant, time, seed), wet_bulb_c(time, seed), seed, faults)
    factor = {f.element: f.changes(time)["ua_factor"] for f in faults}
    for drift in calibrate_site(seen_of(plant, shown), (FAMILY,)).drifts:
        if drift.parameter == "ua_factor":
            yield Followed(seed, drift.element, _change(time, factor.get(drift.element, np.ones(time.size)), drift), drift)


def _change(time: np.ndarray, factor: Floats, drift: Drift) -> float:
    """Change of the mean factor from the first slice to the last."""
    half = (drift.time[1] - drift.time[0]) / 2
    first, last = (float(factor[(time >= t - half) & (time < t + half)].mean()) for t in (drift.time[0], drift.time[-1]))
    return last / first - 1.0


def report(told: Told) -> Report:
    """All plants: what was lost and what was said of it."""
    plant = built(generate(TEMPLATE))
    rows: list[Followed] = []
    for seed in range(SEEDS):
        rows += followed(plant, seed)
        told(f"{NAME}: followed the units of {seed + 1} of {SEEDS} plants")
    fouled, still = [r for r in rows if r.true_frac < 0.0], [r for r in rows if r.true_frac == 0.0]
    moved, wrong = (100.0 * float(np.mean([r.told.moved for r in of])) for of in (fouled, still))
    lost, whole = (100.0 * float(np.mean([r.inside for r in of])) for of in (fouled, rows))
    width = 100.0 * float(np.median([r.told.interval[1] - r.told.interval[0] for r in fouled]))
    figures = (
        _row("CDUs that lose conductance", len(fouled), "", None),
        _row("of these said to have moved", moved, "%", len(fouled) > 0 and moved == 100.0),
        _row("their 95 % intervals that hold the true loss", lost, "%", None),
        _row("median width of those intervals", width, "points", None),
        _row("CDUs that stand still", len(still), "", None),
        _row("of these said to have moved all the same", wrong, "%", wrong <= FALSE_PCT),
        _row("95 % intervals of all that hold the truth", whole, "%", None),
    )
    text = (
        f"{EACH} units by chance lose {100.0 * LOST[0]:.0f} to {100.0 * LOST[1]:.0f} % of their conductance within three weeks, in each of "
        f"{SEEDS} plants on the site `{TEMPLATE}`: seeds 0 to {SEEDS - 1}, none left out, {DAYS} days of quarter hours each. "
        "`racktwin calibrate` follows all units week by week.",
    )
    lines = ["| unit | lost | said | 95 % interval |", "| --- | ---: | ---: | --- |"]
    for r in fouled:
        low, high = (100.0 * x for x in r.told.interval)
        lines.append(
            f"| seed {r.seed}, {r.cdu} | {-100.0 * r.true_frac:.1f} % | {-100.0 * r.told.change_frac:.1f} % | {-high:.1f} to {-low:.1f} % |"
        )
    return Report("Exchangers of synthetic plants that foul", figures, text, (), (("What each lost", tuple(lines)),))


def _row(metric: str, value: float, unit: str, met: bool | None) -> Row:
    return Row(NAME, metric, float(value), unit, None, met, "", "the truth")
