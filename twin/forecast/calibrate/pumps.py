"""Pumps inside coolant distribution units: head, fall of head and efficiency from pressure, speed, flow and power.

``dp = s^2 H - (k / n^2 + R_unit) m^2`` at the header (affinity laws; the unit's own resistance lies between pump and header) and
``P = dp_pump m / (rho e)`` with the efficiency's parabola where its best flow is known, as :mod:`twin.solvers.hydraulic` has them. A pump
that always runs at one point tells one combination of head, fall and meters, which the fit gives to the least certain of them;
different speeds or flows tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from topology.axes import Floats, Ints
from topology.plant import Plant
from twin.forecast.calibrate.batch import Batch, calibrate_many
from twin.forecast.calibrate.cdu_seen import FEWEST, thinned
from twin.forecast.calibrate.constants import PRIORS, SENSORS
from twin.forecast.calibrate.fit import Block
from twin.forecast.calibrate.priors import Prior
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.tell import Means, tell
from twin.forecast.calibrate.told import Drift, Told
from twin.solvers.hydraulic import FLAT_FRAC

TURNING = 0.05
"""Speed from which a pump counts as running."""


def _named(name: str, quantity: str) -> Prior:
    p = SENSORS[quantity, "gain"]
    return Prior(name, p.value, p.interval, p.source, p.log, p.bounds)


PARAMETERS = (
    *(PRIORS[n] for n in ("shutoff_factor", "curve_factor", "efficiency_factor")),
    _named("flow", "flow_m3_s"), _named("dp", "dp_pa"), _named("power", "power_w"),
)  # fmt: skip
"""What is fitted for each pump entry: three constants and the gains of its meters."""
MEANS = {n: Means(n) for n in ("shutoff_factor", "curve_factor", "efficiency_factor")} | {
    "dp": Means("gain", "dp_pa", "Secondary"), "power": Means("gain", "power_w"),
}  # fmt: skip
"""What is told of: the gain of the flow meter is told with the unit's heat (:mod:`twin.forecast.calibrate.cdus`)."""


@dataclass(frozen=True)
class PumpModel:
    """Pumps of N units over T samples; :meth:`residuals` is a :data:`twin.forecast.calibrate.batch.Model`.

    Attributes:
        pump: (N,) numbers on the pump axis.
        shutoff_pa: (N, 1) head at rest and full speed.
        k: (N, 1) fall of head with flow squared, all pumps of the entry together.
        resistance: (N, 1) of the unit itself.
        best_kg_s: (N, 1) flow of best efficiency of all of them at full speed, NaN where the efficiency is one number.
        efficiency_frac: (N, 1) wire to water.
        rho_kg_m3: (N, 1) coolant.
        rest_w: (N, 1) power of the unit beside its pumps.
        flow_kg_s: (N, T) as read.
        dp_pa: (N, T) as read.
        speed_frac: (N, T) as read.
        power_w: (N, T) power of the unit as read.
    """

    pump: Ints
    shutoff_pa: Floats
    k: Floats
    resistance: Floats
    best_kg_s: Floats
    efficiency_frac: Floats
    rho_kg_m3: Floats
    rest_w: Floats
    flow_kg_s: Floats
    dp_pa: Floats
    speed_frac: Floats
    power_w: Floats

    def residuals(self, v: Mapping[str, Floats], own: Ints) -> Sequence[Block]:
        """Residuals of some units, (e, T) each: pressure over the head at rest, power over its mean."""
        flow, speed = self.flow_kg_s[own] / v["flow"], np.where(self.speed_frac[own] > TURNING, self.speed_frac[own], np.nan)
        at_rest, lost = self.shutoff_pa[own], self.resistance[own] * flow**2
        head = v["shutoff_factor"] * at_rest * speed**2 - v["curve_factor"] * self.k[own] * flow**2
        pressure = (v["dp"] * (head - lost) - self.dp_pa[own]) / at_rest
        through = np.where(np.isfinite(self.dp_pa[own]), self.dp_pa[own] / v["dp"] + lost, head)
        best = speed * self.best_kg_s[own]
        curved = np.where(np.isfinite(best), best / np.maximum(2.0 - flow / best, FLAT_FRAC), flow)
        drawn = v["power"] * (
            through / self.rho_kg_m3[own] * curved / (self.efficiency_frac[own] * v["efficiency_factor"]) + self.rest_w[own]
        )
        return [Block("pressure", pressure, 0.01), Block("power", (drawn - self.power_w[own]) / self._usual_w(own), 0.02)]

    def _usual_w(self, own: Ints) -> Floats:
        power = self.power_w[own]
        count = np.isfinite(power).sum(axis=1, keepdims=True)
        return np.asarray(np.maximum(np.nan_to_num(power).sum(axis=1, keepdims=True) / np.maximum(count, 1), 1.0))


def pump_model(plant: Plant, read: Mapping[str, Floats]) -> PumpModel:
    """Pumps of every unit whose count is known at all times: one entry of pumps with a curve, all of them running together.

    Args:
        plant: the plant.
        read: (T, n) readings by channel of :data:`twin.observe.CHANNELS`.
    """
    cdus, pumps, more = plant.cdus, plant.pumps, plant.hydraulics
    entries = np.bincount(pumps.cdu[pumps.cdu >= 0], minlength=cdus.n)
    own = np.flatnonzero((pumps.cdu >= 0) & np.isfinite(pumps.shutoff_pa) & ((pumps.count <= 1.0) | ~more.on_demand[pumps.loop]))
    own = own[entries[pumps.cdu[own]] == 1].astype(np.int64)
    c = pumps.cdu[own]
    steps = thinned(next(iter(read.values()))).shape[0] if read else 0

    def of(channel: str) -> Floats:
        values = thinned(read[channel]).T[c] if channel in read else np.full((own.size, steps), np.nan)
        return np.where((np.isfinite(values).sum(axis=1) >= FEWEST)[:, None], values, np.nan)

    def column(values: Floats) -> Floats:
        return np.asarray(values)[:, None]

    rho = plant.loops.rho_kg_m3[pumps.loop[own]]
    fans = cdus.fan_w[c] > 0.0  # power of their fans is not told apart from that of pumps
    power = np.where(fans[:, None], np.nan, of("CDU power"))
    return PumpModel(
        own, column(pumps.shutoff_pa[own]), column(pumps.k[own] / pumps.count[own] ** 2), column(cdus.resistance[c]),
        column(more.best_kg_s[own] * pumps.count[own]), column(pumps.efficiency_frac[own]), column(rho),
        column(cdus.aux_w[c] + cdus.pump_fixed_w[c]), of("CDU flow") * rho[:, None], of("CDU pressure"), of("CDU pump speed"), power,
    )  # fmt: skip


def fit_pumps(model: PumpModel) -> Batch:
    """Constants and gains of each entry, :data:`PARAMETERS` in order."""
    return calibrate_many(model.residuals, PARAMETERS, model.pump.size, beside=2)


def pumps(what: Seen) -> Iterator[Told | Drift]:
    """Constants of the pumps inside CDUs, by their entry on the pump axis, and gains of pressure and power meters of their units."""
    model = pump_model(what.plant, what.read)
    if not model.pump.size:
        return
    fits = fit_pumps(model)
    flow, dp, speed, power = (
        np.asarray(np.isfinite(v).any(axis=1)) for v in (model.flow_kg_s, model.dp_pa, model.speed_frac, model.power_w)
    )
    curve = flow & dp & speed
    there = {
        "shutoff_factor": curve,
        "curve_factor": curve,
        "efficiency_factor": power & flow & (dp | speed),
        "dp": curve,
        "power": power & flow,
    }
    units = {what.plant.pumps.ids[u]: what.plant.cdus.ids[what.plant.pumps.cdu[u]] for u in model.pump}
    for row in tell(fits, [what.plant.pumps.ids[u] for u in model.pump], MEANS, there):
        yield replace(row, element=units[row.element]) if row.parameter == "gain" else row
