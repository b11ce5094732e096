"""What an exchanger lost over weeks: its conductance slice by slice, with the errors of its sensors shared by all slices.

The level of a conductance is known only as well as the biases of its temperature sensors, but those do not change from week to week. So
its logarithm is a level and steps from slice to slice, fitted in one problem with the sensors: an error common to all slices moves
the level and leaves the steps, whose interval is therefore far narrower. Steps are a random walk beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.plant import Plant
from twin.forecast.calibrate.batch import Batch, calibrate_many
from twin.forecast.calibrate.cdu_seen import CduSeen
from twin.forecast.calibrate.exchangers import PARAMETERS, CduModel, exchangers_of
from twin.forecast.calibrate.fit import Block
from twin.forecast.calibrate.normal import INFORMED
from twin.forecast.calibrate.priors import Z90, Fitted, Prior

CHANGE = 0.85
"""What is left of a conductance over a window, at the 5 % quantile beforehand, and its inverse at the 95 % quantile: estimate."""
Z95 = 1.959963984540054
"""Standard normal quantile at 97.5 %: half width of a 95 % interval in standard deviations."""
_H = 1e-4


@dataclass(frozen=True)
class Loss:
    """Change of a constant of N elements over K slices of time, as a ratio to the first slice in which each was seen.

    Attributes:
        ratio: (N, K) constant over that of the first slice seen.
        low: (N, K) lower end of its 95 % interval.
        high: (N, K) upper end.
        first: (N,) first slice in which the element was seen.
        last: (N,) last one.
        told: (N,) data tell the change from first to last: its deviation is at most a share
            :data:`twin.forecast.calibrate.normal.INFORMED` of what it was beforehand.
        batch: the fit behind it: :data:`twin.forecast.calibrate.exchangers.PARAMETERS`, then the steps.
        step_frac: half width (90 %) of a step beforehand, in the logarithm.
    """

    ratio: Floats
    low: Floats
    high: Floats
    first: Ints
    last: Ints
    told: Bools
    batch: Batch
    step_frac: float

    @property
    def moved(self) -> Bools:
        """(N,) the 95 % interval of the last slice against the first leaves out no change."""
        n = np.arange(self.last.size)
        return np.asarray(self.told & ((self.low[n, self.last] > 1.0) | (self.high[n, self.last] < 1.0)))

    def latest(self, element: int) -> Fitted:
        """The factor of an element in its last slice, with its 90 % interval."""
        prior = PARAMETERS[0]
        weight = np.zeros(len(self.batch.priors))
        weight[0] = prior.deviation
        weight[len(PARAMETERS) : len(PARAMETERS) + self.last[element]] = self.step_frac / Z90
        middle, wide = (float(v[element]) for v in self.batch.contrast(weight))
        ends = [min(max(math.exp(middle + sign * Z90 * wide), prior.bounds[0]), prior.bounds[1]) for sign in (-1.0, 1.0)]
        return Fitted(math.exp(middle), (ends[0], ends[1]), prior, True)


def cdu_loss(plant: Plant, seen: CduSeen, slices: Ints) -> Loss:
    """Change of each unit's conductance.

    Args:
        plant: the plant with its ratings as the catalog has them.
        seen: what the meters say.
        slices: (T,) slice of each sample, 0 .. K - 1, not falling.
    """
    number = int(slices.max(initial=0)) + 1
    half = -math.log(CHANGE) / math.sqrt(max(number - 1, 1))
    steps = tuple(Prior(f"step {k}", 0.0, (-half, half), "random walk of a conductance") for k in range(1, number))
    model = CduModel(exchangers_of(plant), seen)
    batch = calibrate_many(
        partial(_residuals, model, slices), (*PARAMETERS, *steps), seen.cdu.size, partial(_slopes, model, slices), beside=2
    )
    there = np.stack([(np.isfinite(seen.supply_c) & seen.still)[:, slices == k].any(axis=1) for k in range(number)], axis=1)
    first, last = there.argmax(axis=1), number - 1 - there[:, ::-1].argmax(axis=1)
    z = batch.value[:, len(PARAMETERS) :] * Z90 / half
    spread = batch.covariance[:, len(PARAMETERS) :, len(PARAMETERS) :]
    middle, wide, before = (np.zeros(there.shape) for _ in range(3))
    for k in range(number):
        between = np.arange(1, number)[None, :]
        sign = ((between > first[:, None]) & (between <= k)) * 1.0 - ((between <= first[:, None]) & (between > k)) * 1.0
        middle[:, k] = (sign * z).sum(axis=1)
        wide[:, k] = np.sqrt(np.einsum("np,npq,nq->n", sign, spread, sign))
        before[:, k] = np.sqrt(np.abs(sign).sum(axis=1))
    unit, n = half / Z90, np.arange(seen.cdu.size)
    told = batch.settled & batch.told[:, 0] & (last > first) & (wide[n, last] <= INFORMED * before[n, last])
    low, high = (np.exp(unit * (middle + sign * Z95 * wide)) for sign in (-1.0, 1.0))
    return Loss(np.exp(unit * middle), low, high, first, last, told, batch, half)


def _change(v: Mapping[str, Floats], slices: Ints) -> Floats:
    """(e, T) logarithm of conductance over that of the first slice."""
    steps = [v[n] for n in v if n.startswith("step ")]
    level = np.cumsum(np.concatenate([np.zeros_like(v["ua_factor"]), *steps], axis=1), axis=1)
    return np.asarray(level[:, slices])


def _residuals(model: CduModel, slices: Ints, v: Mapping[str, Floats], own: Ints) -> Sequence[Block]:
    return model.residuals(v, own, _change(v, slices))


def _slopes(model: CduModel, slices: Ints, v: Mapping[str, Floats], own: Ints, blocks: Sequence[Block]) -> list[Floats]:
    """Derivatives; those of all steps follow from that of the level, each where its slices are."""
    names = list(v)
    out = [np.zeros((own.size, len(names), b.residual.shape[1])) for b in blocks]
    change = _change(v, slices)
    for k, p in enumerate(PARAMETERS):
        step = _H * p.deviation * (v[p.name] if p.log else np.ones_like(v[p.name]))
        for row, now, was in zip(out, model.residuals({**v, p.name: v[p.name] + step}, own, change), blocks, strict=True):
            row[:, k] = (now.residual - was.residual) / step
    level = names.index("ua_factor")
    for row in out:
        for k in range(len(PARAMETERS), len(names)):
            row[:, k] = row[:, level] * v["ua_factor"] * (slices > k - len(PARAMETERS))
    return out
