"""Accelerators on their cold plates: what is read of each rack, and temperature as a function of its constants.

``T = T_coolant + ahead / (m c) + (series / (m c) + f R(q)) P`` (:mod:`twin.solvers.plates`), or ``T = T_air + f R P`` without liquid. Over
power that moves, the slope tells resistance and the offset the bias of the rack's temperature sensors; at one power they are one
number. Noise of the accelerators' power meters would flatten that slope, so power goes in as far as another meter (that of the rack)
or its own neighbours in time say it: two-stage least squares (Fuller, Measurement Error Models, 1987, section 2.4). What flows in a
rack is as uncertain as the resistance of its branch, which a flow meter of the rack tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topology.axes import Bools, Floats, Ints
from twin.forecast.calibrate.batch import Batch, calibrate_many
from twin.forecast.calibrate.cdu_seen import FEWEST, thinned
from twin.forecast.calibrate.constants import PRIORS, SENSORS
from twin.forecast.calibrate.fit import Block
from twin.forecast.calibrate.priors import Z90, Prior
from twin.forecast.calibrate.seen import Seen
from twin.loads import from_power
from twin.state import Loads

ENOUGH = 336
"""Samples that are kept of a rack."""
GROUP = 8192
"""Racks that are looked at together, so that memory does not grow with a site."""
MOST = 20_000_000
"""Samples of all racks together from which fewer are kept of each, at least :data:`FEW`."""
FEW = 96
ASSUMED_K = 1.0
"""Half width (90 %) of coolant or air that is taken at its set-point because nothing measures it: estimate."""
SHARE = 0.10
"""Half width (90 %) of accelerator power that is worked out from rack power because nothing measures it, over itself: estimate."""


def _own(name: str, prior: Prior) -> Prior:
    return Prior(name, prior.value, prior.interval, prior.source, prior.log, prior.bounds)


_UNIT = Prior("", 0.0, (-Z90, Z90), "standard deviations of what is assumed")
PARAMETERS = (
    PRIORS["plate_factor"], PRIORS["branch_factor"],
    _own("bias", SENSORS["temp_c", "bias"]), _own("flow gain", SENSORS["flow_m3_s", "gain"]),
    _own("coolant", _UNIT), _own("power", _UNIT),
)  # fmt: skip
"""What is fitted for each rack; ``coolant`` and ``power`` carry what is not known of both for sure."""


@dataclass(frozen=True)
class PlateModel:
    """Accelerators of N racks over T samples; :meth:`residuals` is a :data:`twin.forecast.calibrate.batch.Model`.

    Attributes:
        rack: (N,) numbers on the rack axis.
        base_k_w: (N, 1) resistance that does not depend on flow.
        film_k_w: (N, T) part that does, at the flow of the catalog's branch.
        exponent: (N, 1) of that part.
        series_k_w: (N, T) warming by accelerators ahead for each watt of one, at that flow.
        ahead_k: (N, T) warming by other parts ahead, at that flow.
        flow_kg_s: (N, T) that flow; 0 without liquid.
        metered_kg_s: (N, T) flow as a meter of the rack reads it.
        coolant_c: (N, T) coolant or air at the inlet.
        coolant_k: (N, 1) deviation of its error.
        chip_w: (N, T) power of one accelerator.
        power_frac: (N, 1) deviation of its error over itself.
        chip_c: (N, T) temperature as read.
    """

    rack: Ints
    base_k_w: Floats
    film_k_w: Floats
    exponent: Floats
    series_k_w: Floats
    ahead_k: Floats
    flow_kg_s: Floats
    metered_kg_s: Floats
    coolant_c: Floats
    coolant_k: Floats
    chip_w: Floats
    power_frac: Floats
    chip_c: Floats

    def residuals(self, v: Mapping[str, Floats], own: Ints) -> Sequence[Block]:
        """Residuals of some racks, (e, T) each."""
        flow, rise, ahead = self._parts(v, own)
        power = self.chip_w[own] * (1.0 + self.power_frac[own] * v["power"])
        coolant = self.coolant_c[own] + self.coolant_k[own] * v["coolant"]
        warm = coolant + ahead + rise * power + v["bias"]
        rated = self._usual(own)
        return [
            Block("temperature", warm - self.chip_c[own], 1.0),
            Block("flow", (v["flow gain"] * flow - self.metered_kg_s[own]) / rated, 0.01),
        ]

    def _parts(self, v: Mapping[str, Floats], own: Ints) -> tuple[Floats, Floats, Floats]:
        """Flow, kelvin a watt of the accelerator, and warming by other parts, with a branch of another resistance at the same pressure."""
        less = v["branch_factor"] ** -0.5
        plate = v["plate_factor"] * (self.base_k_w[own] + self.film_k_w[own] * less ** -self.exponent[own])
        return self.flow_kg_s[own] * less, plate + self.series_k_w[own] / less, self.ahead_k[own] / less

    def _usual(self, own: Ints) -> Floats:
        return np.asarray(np.maximum(self.flow_kg_s[own].mean(axis=1, keepdims=True), 1e-9))

    def slopes(self, v: Mapping[str, Floats], own: Ints, blocks: Sequence[Block]) -> list[Floats]:
        """Derivatives in closed form, (e, P, T) of each channel."""
        flow, rise, ahead = self._parts(v, own)
        power = self.chip_w[own] * (1.0 + self.power_frac[own] * v["power"])
        film = v["plate_factor"] * self.film_k_w[own] * v["branch_factor"] ** (0.5 * self.exponent[own])
        behind = self.series_k_w[own] * v["branch_factor"] ** 0.5
        shape = power.shape
        branch = ((self.exponent[own] * film + behind) * power + ahead) / (2.0 * v["branch_factor"])
        warm = [
            (rise - behind) / v["plate_factor"] * power, branch, np.ones(shape), np.zeros(shape),
            np.broadcast_to(self.coolant_k[own], shape), rise * self.chip_w[own] * self.power_frac[own],
        ]  # fmt: skip
        per = flow / self._usual(own)
        zero = np.zeros(shape)
        moved = [zero, -0.5 * v["flow gain"] * per / v["branch_factor"], zero, per, zero, zero]
        masks = [np.isfinite(b.residual) for b in blocks]
        return [np.stack([np.where(good, c, 0.0) for c in columns], axis=1) for columns, good in zip((warm, moved), masks, strict=True)]


def metered_racks(what: Seen) -> Ints:
    """Racks with accelerators whose temperature, or flow, is read."""
    racks = what.plant.racks
    read = [v for v in (what.of("chip temperature"), what.of("rack flow")) if v is not None]
    count = sum((np.isfinite(v).sum(axis=0) for v in read), np.zeros(racks.n, np.int64))
    return np.flatnonzero((count >= FEWEST) & (racks.r_base_k_w + racks.r_air_k_w > 0.0)).astype(np.int64)


def plate_model(what: Seen, own: Ints, loads: Loads, enough: int = ENOUGH) -> PlateModel:
    """What is read of some racks' accelerators.

    Args:
        what: what was seen.
        own: (N,) numbers of the racks.
        loads: loads of all racks over the samples that are kept, see :func:`rack_loads`.
        enough: samples to keep.
    """
    plant, read = what.plant, what.read
    racks = plant.racks

    def of(channel: str, own: Ints) -> Floats:
        values = thinned(read[channel][:, own], enough).T if channel in read else np.full((own.size, steps), np.nan)
        return np.where((np.isfinite(values).sum(axis=1) >= FEWEST)[:, None], values, np.nan)

    steps = loads.rack_w.shape[0]
    hung = (racks.manifold[own] >= 0)[:, None]
    loop = plant.manifolds.loop[racks.manifold[own]] if plant.manifolds.n else np.zeros(own.size, np.int64)
    flow = np.where(hung, np.ascontiguousarray(thinned(what.rack_kg_s[:, own], enough).T), 0.0)
    cp, rho = plant.loops.cp_j_kg_k[loop][:, None], plant.loops.rho_kg_m3[loop][:, None]
    path = flow * racks.path_share_frac[own][:, None] * cp
    q = flow * racks.plate_share_frac[own][:, None]
    air = racks.r_air_k_w[own][:, None]
    on = (path > 0.0) & (air <= 0.0)
    ahead = np.zeros(path.shape) if loads.ahead_w is None else loads.ahead_w[:, own].T
    coolant, error = _coolant(what, own, loop, hung[:, 0] & (air[:, 0] <= 0.0), enough)
    power = of("chip power", own)
    told = np.isfinite(power).any(axis=1, keepdims=True)
    film = racks.r_flow[own][:, None] * np.where(on, np.where(q > 0.0, q, 1.0) ** -racks.r_exponent[own][:, None], np.nan)
    return PlateModel(
        own, np.where(air > 0.0, air, racks.r_base_k_w[own][:, None]), np.where(air > 0.0, 0.0, film), racks.r_exponent[own][:, None],
        np.divide(racks.series_frac[own][:, None], path, out=np.zeros(path.shape), where=on),
        np.divide(ahead, path, out=np.zeros(path.shape), where=on), flow, of("rack flow", own) * rho, coolant, error,
        np.where(told, without_noise(power, loads.chip_w[:, own].T), loads.chip_w[:, own].T),
        np.where(told, SENSORS["power_w", "gain"].deviation, SHARE / Z90), of("chip temperature", own),
    )  # fmt: skip


def without_noise(power_w: Floats, other_w: Floats) -> Floats:
    """The part of a metered power that something free of its noise says: another power, or its neighbours in time, whichever says more.

    Args:
        power_w: (N, T) as metered, NaN where not.
        other_w: (N, T) of another meter, in whatever proportion.
    """
    around = np.full((*power_w.shape, 4), np.nan)
    for k, d in enumerate((1, 2, -1, -2)):
        moved = np.roll(power_w, d, axis=1)
        moved[:, :d] = np.nan if d > 0 else moved[:, :d]
        moved[:, d:] = np.nan if d < 0 else moved[:, d:]
        around[..., k] = moved
    good = np.isfinite(around)
    near = np.divide(
        np.where(good, around, 0.0).sum(axis=-1), good.sum(axis=-1), out=np.full(power_w.shape, np.nan), where=good.any(axis=-1)
    )
    (by_other, left), (by_near, rest) = _line(other_w, power_w), _line(near, power_w)
    return np.where(np.isfinite(power_w), np.where(left <= rest, by_other, by_near), np.nan)


def _line(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """(N, T) least-squares line of y over x, and (N, 1) mean square of what it leaves."""
    good = np.isfinite(x) & np.isfinite(y)
    count = np.maximum(good.sum(axis=1, keepdims=True), 1)
    x0, y0 = (np.where(good, v, 0.0).sum(axis=1, keepdims=True) / count for v in (x, y))
    dx, dy = np.where(good, x - x0, 0.0), np.where(good, y - y0, 0.0)
    square = np.einsum("nt,nt->n", dx, dx)[:, None]
    slope = np.divide(np.einsum("nt,nt->n", dx, dy)[:, None], square, out=np.zeros(square.shape), where=square > 0.0)
    line = y0 + slope * np.where(np.isfinite(x), x - x0, 0.0)
    return line, np.einsum("nt,nt->n", *[np.where(good, y - line, 0.0)] * 2)[:, None] / count


def rack_loads(what: Seen, enough: int = ENOUGH) -> Loads:
    """Loads of all racks over the samples that are kept, from their measured power."""
    blocks = [thinned(what.load_w[:, a : a + GROUP], enough) for a in range(0, what.plant.racks.n, GROUP)]
    return from_power(what.plant, np.concatenate(blocks, axis=1))


def _coolant(what: Seen, own: Ints, loop: Ints, wet: Bools, enough: int) -> tuple[Floats, Floats]:
    """Coolant (or air) at each rack's inlet and the deviation of its error: measured where it is, else the set-point."""
    plant = what.plant
    sensor, assumed = SENSORS["supply_temp_c", "bias"].deviation, ASSUMED_K / Z90
    supply = np.full((plant.loops.n, thinned(what.load_w[:, :1], enough).shape[0]), np.nan)
    count = np.zeros(plant.loops.n)
    for channel, where in (("loop supply temperature", np.arange(plant.loops.n)), ("CDU supply temperature", plant.cdus.loop)):
        if channel not in what.read:
            continue
        values = thinned(what.read[channel], enough).T
        for x in np.unique(where):
            rows = values[(where == x) & np.isfinite(values).any(axis=1)]
            if rows.shape[0] and not count[x]:
                supply[x], count[x] = rows.mean(axis=0), rows.shape[0]
    held = np.broadcast_to(plant.loops.supply_c[:, None], supply.shape)
    known = (count > 0.0)[:, None]
    liquid = np.where(known, supply, held)[loop]
    error = np.where(known, sensor / np.sqrt(np.maximum(count, 1.0))[:, None], assumed)[loop]
    air = (
        thinned(what.read["rack inlet air"][:, own], enough).T
        if "rack inlet air" in what.read
        else np.full((own.size, supply.shape[1]), np.nan)
    )
    read = np.isfinite(air).any(axis=1, keepdims=True)
    still = np.broadcast_to(plant.halls.air_supply_c[plant.racks.hall[own]][:, None], air.shape)
    bias = SENSORS["inlet_temp_c", "bias"].deviation
    dry = ~wet[:, None]
    return np.where(dry, np.where(read, air, still), liquid), np.where(dry, np.where(read, bias, assumed), error)


def fit_plates(model: PlateModel) -> Batch:
    """Constants and sensor errors of each rack, :data:`PARAMETERS` in order."""
    return calibrate_many(model.residuals, PARAMETERS, model.rack.size, model.slopes)
