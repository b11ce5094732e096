"""Hidden constants of a synthetic plant against the intervals that calibration gives them: how many of those hold the truth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.fidelity.frame import Report, Row, Told
from telemetry.bins import Window
from telemetry.dense import Frames
from topology.generate import generate
from topology.plant import Plant
from topology.plant import plant as built
from twin.forecast.calibrate.seen import Seen, looked_at
from twin.forecast.calibrate.site import calibrate_site
from twin.forecast.follow import filled
from twin.observe import CHANNELS
from twin.synthetic.days import step_s, times, utilisation, wet_bulb_c
from twin.synthetic.faults import UTILISATION, WET_BULB
from twin.synthetic.observe import observe
from twin.synthetic.secret import hidden

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
STEP_S = 900.0
LOW, HIGH = 0.86, 0.94
"""Bounds of the share of 90 % intervals that hold the truth."""
FEWEST = 2000
"""Constants told by data that the share is taken over at least."""
NAME, TEMPLATE = "synthetic-plant", "reference"
SEEDS, DAYS = 16, 14
"""Plants and days of each: seeds from 0 on, all of them counted."""


@dataclass(frozen=True)
class Held:
    """One hidden constant after calibration.

    Attributes:
        seed: of the plant.
        kind: parameter, with the quantity and level of a sensor.
        element: whose.
        told: whether data told it; else it kept its prior.
        inside: the 90 % interval holds the truth.
        z: distance of the estimate from the truth over the half interval of that side, times 1.645.
        shrink: half width of the interval over that of the prior.
    """

    seed: int
    kind: str
    element: str
    told: bool
    inside: bool
    z: float
    shrink: float


def seen_of(plant: Plant, shown: Mapping[str, Frames]) -> Seen:
    """What was observed of a synthetic plant as calibration takes it."""
    time = shown[UTILISATION].time
    step = np.timedelta64(int(step_s(time) * 1e6), "us")
    first, last = ((t - np.datetime64(0, "us")) / np.timedelta64(1, "s") for t in (time[0], time[-1] + step))
    cut = Window(dt.datetime.fromtimestamp(float(first), dt.UTC), dt.datetime.fromtimestamp(float(last), dt.UTC), step_s(time))
    read = {name: f.values for name, f in shown.items() if name in CHANNELS and np.isfinite(f.values).any()}
    load, assumed = filled(plant, shown["rack power"].values)
    return looked_at(plant, cut, read, load, ~assumed, shown[UTILISATION].values, shown[WET_BULB].values[:, 0])


def held(plant: Plant, seed: int, days: int, families: Sequence[str] = ()) -> Iterator[Held]:
    """Calibrate one synthetic plant and compare with what it hides.

    Args:
        plant: the plant as its catalog has it.
        seed: seed of constants, load, weather and noise.
        days: days of quarter hours.
        families: families of constants; all where empty.
    """
    secret = hidden(plant, seed)
    time = times(START, round(days * 86400.0 / STEP_S), STEP_S)
    shown = observe(plant, secret, time, utilisation(plant, time, seed), wet_bulb_c(time, seed), seed)
    found = calibrate_site(seen_of(plant, shown), families)
    truth = {row.key: row.value for row in secret}
    for told in found.told:
        key = (told.element, told.parameter, told.quantity, told.part)
        if key not in truth:
            continue
        f, value = told.fitted, truth[key]
        low, high = f.interval
        side = high - f.value if value > f.value else f.value - low
        kind = f"{told.parameter} of {' '.join(x for x in (told.part, told.quantity) if x)}" if told.quantity else told.parameter
        wide = (high - low) / (f.prior.interval[1] - f.prior.interval[0])
        yield Held(seed, kind, told.element, f.identifiable, low <= value <= high, 1.645 * (value - f.value) / max(side, 1e-300), wide)


@dataclass(frozen=True)
class Share:
    """How often intervals hold the truth.

    Attributes:
        kind: which constants.
        number: how many.
        inside: share of their intervals that hold the truth.
        shrink: median width of the intervals over that of the prior.
        middle: median of the distance from estimate to truth, in standard deviations: how far the kind is off to one side.
    """

    kind: str
    number: int
    inside: float
    shrink: float
    middle: float


def share(kind: str, rows: Iterable[Held]) -> Share:
    """Summary of some constants."""
    own = list(rows)
    if not own:
        return Share(kind, 0, float("nan"), float("nan"), float("nan"))
    return Share(
        kind,
        len(own),
        float(np.mean([r.inside for r in own])),
        float(np.median([r.shrink for r in own])),
        float(np.median([r.z for r in own])),
    )


def by_kind(rows: Sequence[Held]) -> list[Share]:
    """Summary of each kind."""
    return [share(kind, [r for r in rows if r.kind == kind]) for kind in sorted({r.kind for r in rows})]


def report(told: Told) -> Report:
    """Calibrate all plants and say how often intervals hold the truth."""
    plant = built(generate(TEMPLATE))
    rows: list[Held] = []
    for seed in range(SEEDS):
        rows += held(plant, seed, DAYS)
        told(f"{NAME}: calibrated {seed + 1} of {SEEDS} plants")
    known, kept = [r for r in rows if r.told], [r for r in rows if not r.told]
    whole, prior = share("all", known), share("all", kept)
    middle = 0.5 * (LOW + HIGH)
    off = 100.0 * (whole.inside - middle)
    outside = [k.kind for k in by_kind(known) if not LOW <= k.inside <= HIGH]
    figures = (
        _row("constants told by data", whole.number, "", None, whole.number >= FEWEST),
        _row("their 90 % intervals that hold the truth", 100.0 * whole.inside, "%", None, LOW <= whole.inside <= HIGH),
        _row("the same less 90 %", off, "points", 100.0 * (HIGH - middle), abs(off) <= 100.0 * (HIGH - middle)),
        _row("constants that kept their prior", 100.0 * prior.number / len(rows), "% of all", None, None),
        _row("their prior intervals that hold the truth", 100.0 * prior.inside, "%", None, None),
        _row("kinds of constants told by data whose own share is outside 86 to 94 %", len(outside), "kinds", None, None),
    )
    text = (
        f"Hidden constants of {SEEDS} plants on the site `{TEMPLATE}`: seeds 0 to {SEEDS - 1}, none left out, {DAYS} days of quarter hours "
        "each. Each constant is drawn on its own. `racktwin calibrate` gives each a 90 % interval; counted is how many hold the truth "
        f"([how](synthetic.md)): {whole.number:,} were told by data. A constant counts as told where data take away half of its prior "
        "variance; the others keep their prior.",
    )
    findings = (f"Outside 86 to 94 % by themselves: {', '.join(outside)}.",) if outside else ()
    tables = (("Told by data, by kind", _table(known)), ("Kept their prior, by kind", _table(kept)))
    return Report("Hidden constants of synthetic plants", figures, text, findings, tables)


def _row(metric: str, value: float, unit: str, goal: float | None, met: bool | None) -> Row:
    return Row(NAME, metric, float(value), unit, goal, met, "", "the truth")


def _table(rows: Sequence[Held]) -> tuple[str, ...]:
    lines = [
        "| constant | number | hold the truth | width over the prior's | median of truth less estimate |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for k in by_kind(rows):
        error = 100.0 * (k.inside * (1.0 - k.inside) / k.number) ** 0.5
        lines.append(f"| {k.kind} | {k.number} | {100.0 * k.inside:.1f} +- {error:.1f} % | {k.shrink:.2f} | {k.middle:+.2f} deviations |")
    return tuple(lines)
