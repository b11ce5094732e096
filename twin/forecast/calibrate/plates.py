"""Cold plates: resistance of each rack's accelerators, and what its SKU's have in common.

Racks of one SKU have plates of one make. Their factors are drawn around a middle of the SKU, with a spread of its own, both estimated
from those that are told (empirical Bayes: Gelman et al., Bayesian Data Analysis, 3rd ed., section 5.4); each rack is drawn towards that
middle as far as its own data are weak, and a rack without meters gets the middle with the spread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.plant import Plant
from twin.forecast.calibrate.batch import at
from twin.forecast.calibrate.normal import INFORMED
from twin.forecast.calibrate.plate_model import ENOUGH, FEW, GROUP, MOST, PARAMETERS, fit_plates, metered_racks, plate_model, rack_loads
from twin.forecast.calibrate.priors import Z90, Fitted
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.tell import Means, tell
from twin.forecast.calibrate.told import Drift, Told

SPREAD_WEIGHT = 3.0
"""Racks that the prior counts for in the spread of a SKU: estimate."""
MEANS = {
    "plate_factor": Means("plate_factor"), "branch_factor": Means("branch_factor"), "bias": Means("bias", "temp_c"),
    "flow gain": Means("gain", "flow_m3_s"),
}  # fmt: skip
"""What is told of each rack, by parameter of the fit."""


@dataclass(frozen=True)
class Population:
    """Factor of plates of each SKU (K), in deviations of the prior.

    Attributes:
        middle: (K,) middle of its racks.
        error: (K,) deviation of that.
        spread: (K,) deviation of racks around it.
        racks: (K,) racks that tell it.
    """

    middle: Floats
    error: Floats
    spread: Floats
    racks: Ints


def population(z: Floats, deviation: Floats, sku: Ints, skus: int, rounds: int = 30) -> tuple[Population, Floats, Floats]:
    """Middle and spread of racks of a SKU, and each rack drawn towards it.

    Args:
        z: (N,) estimate of each rack under the prior, in deviations of that.
        deviation: (N,) its deviation.
        sku: (N,) SKU of each.
        skus: number of SKUs.
        rounds: rounds of expectation and maximisation.

    Returns:
        The populations, and (N,) estimate and deviation of each rack within its own.
    """
    own = np.maximum(deviation**-2.0 - 1.0, 1e-9)  # what its data alone say
    alone = z * deviation**-2.0 / own
    counts = deviation <= INFORMED
    number = np.bincount(sku[counts], minlength=skus)
    middle, spread, error = (np.asarray(v, np.float64) for v in (np.zeros(skus), np.ones(skus), np.ones(skus)))
    for _ in range(rounds):
        weight = np.where(counts, 1.0 / (1.0 / own + spread[sku] ** 2), 0.0)
        error = np.asarray((1.0 + np.bincount(sku, weight, skus)) ** -0.5)
        middle = error**2 * np.bincount(sku, weight * alone, skus)
        precision = own + spread[sku] ** -2.0
        mean = (own * alone + middle[sku] * spread[sku] ** -2.0) / precision
        square = np.where(counts, (mean - middle[sku]) ** 2 + 1.0 / precision, 0.0)
        spread = np.sqrt((SPREAD_WEIGHT + np.bincount(sku, square, skus)) / (SPREAD_WEIGHT + number))
    pull = spread[sku] ** -2.0 / precision
    return Population(middle, error, spread, number), mean, np.sqrt(1.0 / precision + (pull * error[sku]) ** 2)


def plates(what: Seen) -> Iterator[Told | Drift]:
    """Plates, branches and sensors of each metered rack; a rack without meters gets the middle of its SKU where that is told."""
    racks, own = what.plant.racks, metered_racks(what)
    if not own.size:
        return
    enough = min(ENOUGH, max(MOST // racks.n, FEW))
    loads = rack_loads(what, enough)
    rows: list[Told] = []
    parts: list[tuple[Floats, Floats, Bools]] = []
    for a in range(0, own.size, GROUP):
        model = plate_model(what, own[a : a + GROUP], loads, enough)
        fits = fit_plates(model)
        warm, flow = (np.asarray(np.isfinite(v).any(axis=1)) for v in (model.chip_c, model.metered_kg_s))
        there = {"plate_factor": warm, "branch_factor": flow, "bias": warm, "flow gain": flow}
        rows += tell(fits, [racks.ids[r] for r in model.rack], MEANS, there)
        z = np.log(fits.value[:, 0]) / PARAMETERS[0].deviation
        parts.append((z, np.where(fits.told[:, 0], np.sqrt(fits.covariance[:, 0, 0]), 1.0), warm))
    z, wide, warm = (np.concatenate(v) for v in zip(*parts, strict=True))
    of_sku, mean, error = population(z, wide, racks.sku[own], len(racks.skus))
    low, middle, high = _factor(mean, error)
    number = {racks.ids[r]: n for n, r in enumerate(own)}
    for row in rows:
        n = number[row.element]
        if row.parameter == "plate_factor" and error[n] <= INFORMED:
            fitted = Fitted(float(middle[n]), (float(low[n]), float(high[n])), PARAMETERS[0], True)
            yield replace(row, fitted=fitted)
        else:
            yield row
    yield from _unmetered(what.plant, of_sku, np.setdiff1d(np.flatnonzero(racks.r_base_k_w + racks.r_air_k_w > 0.0), own[warm]))


def _factor(mean: Floats, error: Floats) -> tuple[Floats, Floats, Floats]:
    low, middle, high = (at(PARAMETERS[0], mean + side * Z90 * error) for side in (-1.0, 0.0, 1.0))
    return low, middle, high


def _unmetered(plant: Plant, of_sku: Population, racks: Ints) -> Iterator[Told]:
    """Racks that take the middle of their SKU."""
    error = np.hypot(of_sku.error, of_sku.spread)
    low, middle, high = _factor(of_sku.middle, error)

    for r in racks:
        k = int(plant.racks.sku[r])
        if error[k] <= INFORMED:
            note = f"from {of_sku.racks[k]} racks of {plant.racks.skus[k].name}"
            yield Told(
                plant.racks.ids[r],
                "plate_factor",
                Fitted(float(middle[k]), (float(low[k]), float(high[k])), PARAMETERS[0], True),
                0,
                note=note,
            )
