"""Losses of UPSs, transformers and lines, and gains of their meters, from what goes in against what comes out.

Each element of the chain is a problem of its own. Its output ``P`` is what its output meter reads, or what its children take: readings of
elements below it, of cords of racks (or of racks, times the share of the cord), and gear as the solver has it. Compared are

=======  ===============================================================================
input    its input meter against ``gain_in (P + f_fixed a + f_load (b P + c P^2) + s P^2)``
output   its output meter against the sum of its children
=======  ===============================================================================

with the loss of :class:`topology.models.PowerModel` and ``s P^2`` in its impedance. One meter before and one after, each within its
class, tell the loss no better than both meters together: at one load a gain and a loss are the same thing. What load moves is told apart:
the no-load loss does not follow it. Gains are told of an element's meters against all meters below it, whose errors average out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.forecast.calibrate.batch import Batch, calibrate_many
from twin.forecast.calibrate.cdu_seen import FEWEST, thinned
from twin.forecast.calibrate.constants import PRIORS, SENSORS, named_gain
from twin.forecast.calibrate.fit import Block
from twin.forecast.calibrate.priors import Z90, Prior
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.tell import Means, tell
from twin.forecast.calibrate.told import Drift, Told
from twin.solvers.power import supply

GEAR = 0.15
"""Half width (90 %) of the power of gear as the solver has it, over itself: estimate."""
UNSURE_LOSS = 0.2
"""Half width (90 %) of a loss as the catalog has it, where an element without a meter is passed through: as its priors, estimate."""
INPUTS = ("feed power", "UPS input power", "utility power")
"""Channels of input meters of power elements."""
METER = SENSORS["power_w", "gain"].deviation
PARAMETERS = (
    PRIORS["loss_fixed_factor"], PRIORS["loss_load_factor"], named_gain("input", "power_w"), named_gain("output", "output_power_w"),
    Prior("below", 0.0, (-Z90, Z90), "standard deviations of the sum of what hangs below"),
)  # fmt: skip
MEANS = {
    "loss_fixed_factor": Means("loss_fixed_factor"), "loss_load_factor": Means("loss_load_factor"), "input": Means("gain", "power_w"),
    "output": Means("gain", "output_power_w"),
}  # fmt: skip
WHY = {
    "loss_load_factor": "it follows power as the gains of its meters do",
    "loss_fixed_factor": "its meters err by as much as this makes at the loads that were seen",
    "gain": "no surer than the meters that it can be held against",
}
"""Why a parameter mostly keeps its prior."""


@dataclass(frozen=True)
class FeedModel:
    """N power elements over T samples; :meth:`residuals` is a :data:`twin.forecast.calibrate.batch.Model`.

    Attributes:
        element: (N,) numbers on the power axis.
        fixed_w: (N, 1) no-load loss.
        frac: (N, 1) loss in proportion to output.
        quad_per_w: (N, 1) square-law loss that the load factor scales.
        series_per_w: (N, 1) loss in its impedance over output squared.
        input_w: (N, T) input meter as read.
        output_w: (N, T) output meter as read.
        below_w: (N, T) what hangs below as read.
        unsure: (N, 1) standard deviation of the error of that, over itself.
        level_w: (N, 1) usual power.
    """

    element: Ints
    fixed_w: Floats
    frac: Floats
    quad_per_w: Floats
    series_per_w: Floats
    input_w: Floats
    output_w: Floats
    below_w: Floats
    unsure: Floats
    level_w: Floats

    def residuals(self, v: Mapping[str, Floats], own: Ints) -> Sequence[Block]:
        """Residuals of some elements, (e, T) each, over their usual power."""
        below = self.below_w[own] * (1.0 + self.unsure[own] * v["below"])
        out = np.where(np.isfinite(self.output_w[own]).any(axis=1, keepdims=True), self.output_w[own] / v["output"], below)
        moving = self.frac[own] * out + self.quad_per_w[own] * out**2
        loss = v["loss_fixed_factor"] * self.fixed_w[own] + v["loss_load_factor"] * moving + self.series_per_w[own] * out**2
        told = np.isfinite(self.output_w[own])
        return [
            Block("input", (v["input"] * (out + loss) - self.input_w[own]) / self.level_w[own], 0.005),
            Block("below", np.where(told, out - below, np.nan) / self.level_w[own], 0.005),
        ]


def feed_model(what: Seen) -> FeedModel:
    """Power elements whose power is read in two places."""
    plant = what.plant
    p = plant.power
    steps = thinned(what.load_w).shape[0]
    fed, out = np.full((p.n, steps), np.nan), _read(what, "UPS output power", p.n, steps)
    for channel in INPUTS:
        found = _read(what, channel, p.n, steps)
        fed = np.where(np.isfinite(fed), fed, found)
    quad = np.where(p.r_per_w > 0.0, 0.0, p.loss_quad_per_w)
    below, unsure = _below(what, fed, out, quad, steps)
    counts = [np.isfinite(v).sum(axis=1) >= FEWEST for v in (fed, out, below)]
    own = np.flatnonzero(np.sum(counts, axis=0) - (~counts[0] & ~counts[1]) >= 2).astype(np.int64)
    level = np.maximum(np.nanmean(np.where(np.isfinite(fed[own]), fed[own], out[own]), axis=1), 1.0)

    def column(values: Floats) -> Floats:
        return np.asarray(values[own, None])

    return FeedModel(
        own, column(p.loss_fixed_w), column(p.loss_frac), column(quad), column(what.series_per_w), fed[own], out[own], below[own],
        column(unsure), level[:, None],
    )  # fmt: skip


def _read(what: Seen, channel: str, n: int, steps: int) -> Floats:
    values = what.of(channel)
    few = np.full((n, steps), np.nan) if values is None else thinned(values).T
    return np.where((np.isfinite(few).sum(axis=1) >= FEWEST)[:, None], few, np.nan)


def _below(what: Seen, fed: Floats, out: Floats, quad: Floats, steps: int) -> tuple[Floats, Floats]:
    """(N, T) sum of what each element feeds, NaN where any of it is not known, and (N,) standard deviation of its error over itself."""
    plant, p = what.plant, what.plant.power
    chain = supply(plant, [()])
    total, square = _leaves(what, chain.rack_share[0], chain.gear_share[0], steps)
    parents = np.concatenate([p.parents, p.transfer], axis=1)
    unsure = np.full(p.n, np.nan)
    for e in p.order[::-1]:
        usual = float(np.nanmean(total[e])) if np.isfinite(total[e]).any() else 0.0
        unsure[e] = np.sqrt(square[e]) / usual if usual > 0.0 else np.nan
        taken, wrong = fed[e], METER * float(np.nanmean(fed[e])) if np.isfinite(fed[e]).any() else np.nan
        if np.isnan(wrong):
            loss = p.loss_fixed_w[e] + p.loss_frac[e] * total[e] + (quad[e] + what.series_per_w[e]) * total[e] ** 2
            taken = total[e] + loss
            mean = float(np.nanmean(loss)) if usual > 0.0 else 0.0
            wrong = float(np.hypot(np.sqrt(square[e]), UNSURE_LOSS / Z90 * mean))
        for parent, w in zip(parents[e], chain.weight[0, e], strict=True):
            if w > 0.0:
                total[parent] += w * taken
                square[parent] += (w * wrong) ** 2
    return np.where(np.abs(total) > 0.0, total, np.nan), unsure


def _leaves(what: Seen, rack_share: Floats, gear_share: Floats, steps: int) -> tuple[Floats, Floats]:
    """(N, T) power of racks and gear at the element that they hang on, and (N,) variance of its error."""
    plant = what.plant
    total, square = np.zeros((plant.power.n, steps)), np.zeros(plant.power.n)
    whole = _read(what, "rack power", plant.racks.n, steps)
    for side, channel in enumerate(("cord A power", "cord B power")):
        cord = _read(what, channel, plant.racks.n, steps)
        told: Bools = np.asarray(np.isfinite(cord).any(axis=1))
        share = rack_share[:, side]
        power = np.where(told[:, None], cord, share[:, None] * whole)
        split = np.where(told | (share >= 1.0), 0.0, PRIORS["share_factor"].deviation)
        own = (plant.racks.feed[:, side] >= 0) & (share > 0.0) & plant.racks.drawing
        np.add.at(total, plant.racks.feed[own, side], power[own])
        np.add.at(square, plant.racks.feed[own, side], (_mean(power[own]) * np.hypot(METER, split[own])) ** 2)
    gear = thinned(what.gear_w).T
    metered = _read(what, "CDU power", plant.cdus.n, steps)
    sure = np.zeros(gear.shape[0], np.bool_)
    own_cdu = np.isfinite(metered).any(axis=1) & (plant.cdus.gear >= 0)
    gear[plant.cdus.gear[own_cdu]], sure[plant.cdus.gear[own_cdu]] = metered[own_cdu], True
    for side in (0, 1):
        own = (plant.gear.feed[:, side] >= 0) & (gear_share[:, side] > 0.0)
        power = gear_share[own, side, None] * gear[own]
        np.add.at(total, plant.gear.feed[own, side], power)
        np.add.at(square, plant.gear.feed[own, side], (_mean(power) * np.where(sure[own], METER, GEAR / Z90)) ** 2)
    return total, square


def _mean(values: Floats) -> Floats:
    count = np.isfinite(values).sum(axis=1)
    return np.asarray(np.nan_to_num(values).sum(axis=1) / np.maximum(count, 1))


def fit_feeds(model: FeedModel) -> Batch:
    """Loss factors and gains of each element, :data:`PARAMETERS` in order."""
    return calibrate_many(model.residuals, PARAMETERS, model.element.size, beside=2)


def feeds(what: Seen) -> Iterator[Told | Drift]:
    """Losses of power elements and gains of their meters."""
    model = feed_model(what)
    if not model.element.size:
        return
    fits = fit_feeds(model)
    fed, out, below = (np.asarray(np.isfinite(v).any(axis=1)) for v in (model.input_w, model.output_w, model.below_w))
    through: Bools = fed & (out | below)
    there = {
        "loss_fixed_factor": through & (model.fixed_w[:, 0] > 0.0),
        "loss_load_factor": through & ((model.frac > 0.0) | (model.quad_per_w > 0.0))[:, 0],
        "input": through, "output": out & (fed | below),
    }  # fmt: skip
    for row in tell(fits, [what.plant.power.ids[e] for e in model.element], MEANS, there):
        why = "" if row.fitted.identifiable or row.note else WHY.get(row.parameter, "")
        yield replace(row, note=why) if why else row
