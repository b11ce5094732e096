"""Power curves of SKUs and what single racks draw, from utilisation, rack meters and supplies' own meters.

With ``u`` the utilisation of a rack's devices, ``S(u)`` the power of the SKU's parts there and ``In(S)`` what its conversion stages take
in (:mod:`twin.loads`, the law that the solver uses), meters should read

==========  =======================================================================
input       ``gain d In(S(u))``, or ``gain d In(output / (gain_out d))`` where the output of the supplies is read as well
output      ``gain_out d S(u)``
chip        ``gain_chip d (power of one accelerator where S is what the rack's other meters say)``
cords       ``gain_A s P`` and ``gain_B (1 - s) P``, ``P`` the power at the rack's input as the surest of its other meters has it
==========  =======================================================================

``d`` is the draw factor of the rack and ``s`` the share of its cord A. Factors of the SKU are shared by all its racks; draw factors, shares
and gains are a rack's own, and the spread of draw factors is estimated (:mod:`twin.forecast.calibrate.nested`). A draw factor and the gain
of the rack's only meter just show as a product, so that a draw factor is never surer than its meters. Gains of several meters of one
rack are told against each other: what they have in common stays as unsure as their priors leave it. Utilisation counts for all
parts of a rack alike, hosts and network too.

Noise of utilisation (devices report whole per cent) must not flatten the curve. Samples are put together in classes of utilisation,
and the class of a sample is chosen by its neighbours in time and not by itself, so that errors average out inside each class (grouping by
an instrument: Wald, Annals of Mathematical Statistics 11 (1940) 284; Fuller, Measurement Error Models, 1987, section 1.6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.models import Sku
from topology.overlay import sku_with
from twin.forecast.calibrate.classes import Classes, classes_of
from twin.forecast.calibrate.constants import PRIORS, SENSORS, named_gain
from twin.forecast.calibrate.curve import Curve
from twin.forecast.calibrate.drawn import drifts
from twin.forecast.calibrate.fit import Block
from twin.forecast.calibrate.nested import Nested, calibrate_nested
from twin.forecast.calibrate.priors import Prior
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.told import Drift, Told
from twin.loads import sku_at

CURVE = ("idle_factor", "swing_factor", "exponent_factor")
SUPPLY = ("supply_fixed_factor", "supply_load_factor")
CHIP_SHARE = 0.05
"""Half width (90 %) of what accelerators have of a rack's power in truth, over what its SKU says: accuracy of board meters, estimate."""
SHAPE = 3e-4
"""What the mean of a class may be off by however many samples it has, over the rack's power: no curve is exact (estimate)."""
NOISE = 0.005
"""Noise of one reading over the rack's power, against which that counts."""


SHARED = (
    *(PRIORS[n] for n in (*CURVE, *SUPPLY)),
    Prior("chip share", 1.0, (1.0 - CHIP_SHARE, 1.0 / (1.0 - CHIP_SHARE)), "estimate", log=True),
)
METERS: Mapping[str, tuple[str, str]] = MappingProxyType({
    "input": ("power_w", ""), "output": ("output_power_w", ""), "cord a": ("power_w", "A"), "cord b": ("power_w", "B"),
    "chip": ("power_w", ""),
})  # fmt: skip
"""Meters of a rack that have a gain: quantity and part."""
OWN = (PRIORS["draw_factor"], PRIORS["share_factor"], *(named_gain(name, quantity) for name, (quantity, _) in METERS.items()))
TOLD = ("input", "output", "cord a", "cord b")
"""Gains that are told; that of accelerators stands for many sensors."""


@dataclass(frozen=True)
class SkuModel:
    """Racks of one SKU over classes of utilisation; :meth:`residuals` is a :data:`twin.forecast.calibrate.nested.Model`.

    Attributes:
        sku: as the catalog has it.
        seen: (N, B) means of each class.
        share_a: (N,) share of cord A as the site has it, 1 for a rack with one cord.
        level_w: power of a rack at full utilisation as the catalog has it, which residuals are compared over.
        chip_level_w: the same of one accelerator.
    """

    sku: Sku
    seen: Classes
    share_a: Floats
    level_w: float
    chip_level_w: float

    def residuals(self, shared: Mapping[str, Floats], own: Mapping[str, Floats], who: Ints) -> Sequence[Block]:
        """Residuals of some racks, (e, B) each, times the root of the samples that each class counts for."""
        s = self.seen.take(who)
        curve = Curve(sku_with(self.sku, {n: float(shared[n]) for n in (*CURVE, *SUPPLY)}))
        d, weight = own["draw_factor"], np.sqrt(s.count / (1.0 + s.count * (SHAPE / NOISE) ** 2)) / self.level_w
        it, away = curve.parts_w(s.u, s.scatter)
        behind = np.isfinite(s.output_w)
        level = np.where(behind, s.output_w / (own["output"] * d), it)
        taken = d * curve.input_w(level, away)
        gap = own["input"] * taken - s.input_w
        power = np.where(np.isfinite(s.input_w), s.input_w / own["input"], taken)
        a = np.minimum(self.share_a[who][:, None] * own["share_factor"], 1.0)
        known = np.where(behind, level, np.where(np.isfinite(s.input_w), curve.it_of_input_w(s.input_w / (own["input"] * d)), it))
        chip = own["chip"] * d * shared["chip share"] * curve.chip_w(known, away) - s.chip_w
        return [
            Block("supplies", np.where(behind, gap, np.nan) * weight, 0.005),
            Block("input", np.where(behind, np.nan, gap) * weight, 0.01),
            Block("output", (own["output"] * d * it - s.output_w) * weight, 0.01),
            Block("cord a", (own["cord a"] * a * power - s.cord_a_w) * weight, 0.005),
            Block("cord b", (own["cord b"] * (1.0 - a) * power - s.cord_b_w) * weight, 0.005),
            Block("chip", chip * (self.level_w / self.chip_level_w) * weight, 0.02),
        ]


def fit_sku(sku: Sku, classes: Classes, share_a: Floats) -> Nested:
    """Factors of one SKU and of its racks.

    Args:
        sku: as the catalog has it.
        classes: (N, B) what its racks read.
        share_a: (N,) share of cord A as the site has it, 1 for a rack with one cord.
    """
    full = [max(float(w[0]), 1.0) for w in sku_at(sku, np.ones(1))]
    return calibrate_nested(SkuModel(sku, classes, share_a, full[0], full[2]).residuals, SHARED, OWN, classes.racks.size, ("draw_factor",))


def skus(what: Seen) -> Iterator[Told | Drift]:
    """Power curve and supply losses of each SKU, and the draw factor of each of its racks that are metered."""
    racks = what.plant.racks
    for k, sku in enumerate(racks.skus):
        classes = classes_of(what, np.flatnonzero(racks.sku == k))
        if classes.racks.size:
            two = np.asarray((racks.feed[classes.racks] >= 0).all(axis=1))
            share = np.where(two, racks.share_a_frac[classes.racks], 1.0)
            fit = fit_sku(sku, classes, share)
            yield from _told(what, sku, classes, fit, two)
            yield from drifts(what, sku, classes.racks, fit)


def _told(what: Seen, sku: Sku, classes: Classes, fit: Nested, two: Bools) -> Iterator[Told]:
    samples, with_u = classes.count.sum(axis=1).astype(np.int64), np.isfinite(classes.u).any(axis=1)
    there = {name: np.isfinite(getattr(classes, f"{name.replace(' ', '_')}_w")).any(axis=1) for name in METERS}
    for name in (*CURVE, *SUPPLY):
        if with_u.any() if name in CURVE else bool(sku.stages) and (there["output"] & there["input"]).any():
            yield Told(sku.name, name, fit.shared[name], int(samples.sum()), note=_why(fit, name, classes))
    own = {"draw_factor": with_u, "share_factor": two & there["cord a"] & there["cord b"]}
    for n, rack in enumerate(classes.racks):
        element = what.plant.racks.ids[rack]
        for name in own:
            if own[name][n]:
                yield Told(element, name, fit.fitted(name, n, PRIORS[name]), int(samples[n]))
        for name in TOLD:
            quantity, part = METERS[name]
            if there[name][n] and (found := fit.fitted(name, n, SENSORS[quantity, "gain"])).identifiable:
                yield Told(element, "gain", found, int(samples[n]), quantity, part, "against the other meters of the rack")


def _why(fit: Nested, name: str, classes: Classes) -> str:
    """Why a constant of a SKU kept its prior; empty where it did not."""
    if fit.shared[name].identifiable:
        return ""
    if not fit.settled:
        return "its fit did not come to rest"
    if name in SUPPLY:
        return "meters before and after the supplies err by as much as this makes"
    low, high = float(np.nanmin(classes.u)), float(np.nanmax(classes.u))
    return f"utilisation was between {low:.2f} and {high:.2f} only"
