"""Coolant distribution units: conductance, valve flow and the errors of their own sensors, from both sides of each unit at once.

True flows and inlets of a unit follow from what its meters read once their errors are taken off; the exchanger's law
(:func:`twin.solvers.bank.conductance_w_k`, the one that the solver uses) then says what both outlets must be. Compared are

====================  =================================================================================
outlets               both outlet temperatures against the law: ``T_supply = T_return - Q / C_hot`` and
                      ``T_back = T_cold + Q / C_cold``, ``Q = eps C_min (T_return - T_cold)``
valve                 its position against ``m_cold / (full flow * valve_flow_factor)``
heat                  the unit's heat meter against ``C_hot (T_return - T_supply)``
behind                power of the racks behind the loop, pump work in it, against the same
second supply/return  other sensors of the same water
====================  =================================================================================

Which of the constants and sensor errors that tells follows from the normal matrix, element by element: with a heat balance on both sides
and load that varies, most of it; with one side only, conductance and errors stay one sum and all but one keep their priors.
Where a meter is missing another one stands in for it: the valve (or the heat balance) for the facility flow, the heat meter for the
flow of the IT side, other sensors of the same water for a temperature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from topology.axes import Bools, Floats, Ints
from topology.plant import Plant
from twin.forecast.calibrate.batch import Batch, calibrate_many
from twin.forecast.calibrate.cdu_seen import LIQUID_SHARE, VALVE_STOPS, CduSeen
from twin.forecast.calibrate.constants import PRIORS, SENSORS
from twin.forecast.calibrate.fit import Block
from twin.forecast.calibrate.priors import Z90, Prior
from twin.solvers.bank import Exchangers, reaches_w_k
from twin.solvers.jit import plain

SENSOR_OF: Mapping[str, tuple[str, str, str]] = {
    "hot flow": ("hot_kg_s", "flow_m3_s", "Secondary"), "supply": ("supply_c", "supply_temp_c", "Secondary"),
    "return": ("return_c", "return_temp_c", "Secondary"), "heat": ("heat_w", "heat_w", "Secondary"),
    "cold flow": ("cold_kg_s", "flow_m3_s", "Primary"), "cold supply": ("cold_supply_c", "supply_temp_c", "Primary"),
    "cold return": ("cold_return_c", "return_temp_c", "Primary"), "valve": ("valve_frac", "valve_frac", ""),
}  # fmt: skip
"""Parameters that are sensor errors: meter, quantity and part."""
NUISANCES = ("second supply", "second return", "behind", "beside flow", "beside supply")
"""Parameters that only carry what is not known for sure, each in its own standard deviations."""

LEAST_RISE_K = 2.0
"""Rise of a side, as read, from which a flow can be had from heat over rise: some times the error of its sensors."""


def _priors() -> tuple[Prior, ...]:
    sensors = [next(SENSORS[quantity, p] for p in ("gain", "bias") if (quantity, p) in SENSORS) for _, quantity, _ in SENSOR_OF.values()]
    named = [Prior(n, p.value, p.interval, p.source, p.log, p.bounds) for n, p in zip(SENSOR_OF, sensors, strict=True)]
    unit = [Prior(n, 0.0, (-Z90, Z90), "standard deviations of a second opinion") for n in NUISANCES]
    return (PRIORS["ua_factor"], PRIORS["valve_flow_factor"], *named, *unit)


PARAMETERS = _priors()
"""What is fitted for each unit: two constants, its sensors, and what the comparison leans on."""


@dataclass(frozen=True)
class CduModel:
    """Residuals of units under given constants and sensor errors; :meth:`residuals` is a :data:`twin.forecast.calibrate.batch.Model`.

    Attributes:
        x: ratings of all CDUs of the plant.
        seen: what the meters of the units say.
    """

    x: Exchangers
    seen: CduSeen
    taken: dict[bytes, CduSeen] = field(default_factory=dict, repr=False, compare=False)

    def of(self, own: Ints) -> CduSeen:
        """Meters of some units, the last ones asked for kept."""
        key = own.tobytes()
        if key not in self.taken:
            self.taken.clear()
            self.taken[key] = self.seen.take(own)
        return self.taken[key]

    def residuals(self, v: Mapping[str, Floats], own: Ints, change: Floats | float = 0.0) -> Sequence[Block]:
        """Residuals of some units, (e, T) each; ``change`` (e, T) is the logarithm of a further factor of conductance."""
        s = self.of(own)
        hot, cold, back, into, at_stop = self._state(v, s)
        c_hot, c_cold = hot * self.x.hot_cp_j_kg_k[s.cdu][:, None], cold * self.x.cold_cp_j_kg_k[s.cdu][:, None]
        factor = np.ascontiguousarray(v["ua_factor"] * np.exp(change))
        reach = reaches_w_k(self.x, s.cdu, np.ascontiguousarray(hot), np.ascontiguousarray(cold), factor)
        heat = np.where(s.still & ~at_stop, reach * (back - into), np.nan)
        given = c_hot * (back - s.supply_c + v["supply"])
        stop = (s.valve_frac < VALVE_STOPS[0]) | (s.valve_frac > VALVE_STOPS[1])
        position = np.where(s.there["cold_kg_s"], cold / (self.x.cold_kg_s[s.cdu][:, None] * v["valve_flow_factor"]), np.nan)
        behind = self._behind_w(v, s, back)
        power_told = s.there["hot_kg_s"] | s.there["heat_w"]
        flow_told = s.there["cold_kg_s"] | s.there["valve_frac"]
        with np.errstate(divide="ignore", invalid="ignore"):
            return [
                Block("supply", back - heat / c_hot + v["supply"] - s.supply_c, 0.2),
                Block("facility return", np.where(flow_told, into + heat / c_cold + v["cold return"] - s.cold_return_c, np.nan), 0.2),
                Block("valve", np.where(stop, np.nan, position + v["valve"] - s.valve_frac), 0.02),
                Block("heat", np.where(s.there["hot_kg_s"], (v["heat"] * given - s.heat_w) / s.level_w, np.nan), 0.02),
                Block("behind", np.where(s.still & power_told, (given - behind) / s.level_w, np.nan), 0.02),
                Block(
                    "second supply", s.cold_supply_c - v["cold supply"] - s.second_supply_c + s.second_supply_k * v["second supply"], 0.1
                ),
                Block("second return", s.return_c - v["return"] - s.second_return_c + s.second_return_k * v["second return"], 0.1),
            ]

    def _behind_w(self, v: Mapping[str, Floats], s: CduSeen, back: Floats) -> Floats:
        """Heat that is left for each unit of what comes from behind its loop."""
        root = np.sqrt(np.maximum(s.beside, 1.0))
        flow, supply = SENSORS["flow_m3_s", "gain"].deviation / root, SENSORS["supply_temp_c", "bias"].deviation / root
        others = s.beside_w_k * (1.0 + flow * v["beside flow"]) * (back - s.beside_supply_c + supply * v["beside supply"])
        return np.asarray(s.behind_w * (1.0 + LIQUID_SHARE / Z90 * v["behind"]) - others)

    def _state(self, v: Mapping[str, Floats], s: CduSeen) -> tuple[Floats, Floats, Floats, Floats, Bools]:
        """True flows and inlets of both sides, and samples in which the facility flow rests on a valve at its stop."""
        into = np.where(
            s.there["cold_supply_c"], s.cold_supply_c - v["cold supply"], s.second_supply_c - s.second_supply_k * v["second supply"]
        )
        back = np.where(s.there["return_c"], s.return_c - v["return"], s.second_return_c - s.second_return_k * v["second return"])
        rise = (back - s.supply_c + v["supply"]) * self.x.hot_cp_j_kg_k[s.cdu][:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            metered = np.where(s.there["heat_w"], s.heat_w / v["heat"], self._behind_w(v, s, back))
            hot = np.where(s.there["hot_kg_s"], s.hot_kg_s / v["hot flow"], _slow(metered, rise, s.return_c - s.supply_c > LEAST_RISE_K))
            by_valve = (s.valve_frac - v["valve"]) * self.x.cold_kg_s[s.cdu][:, None] * v["valve_flow_factor"]
            warmer = (s.cold_return_c - v["cold return"] - into) * self.x.cold_cp_j_kg_k[s.cdu][:, None]
            by_heat = np.where(s.cold_return_c - s.cold_supply_c > LEAST_RISE_K, hot * rise / warmer, np.nan)
        cold = np.where(s.there["cold_kg_s"], s.cold_kg_s / v["cold flow"], np.where(s.there["valve_frac"], by_valve, by_heat))
        stop = (s.valve_frac < VALVE_STOPS[0]) | (s.valve_frac > VALVE_STOPS[1])
        return hot, cold, back, into, stop & ~s.there["cold_kg_s"] & s.there["valve_frac"]


def _slow(above: Floats, below: Floats, good: Bools, beside: int = 8) -> Floats:
    """(e, T) ratio of running means: a pumped flow holds for hours, the noise of heat over rise does not."""
    good = good & np.isfinite(above) & np.isfinite(below)
    sums = [np.cumsum(np.pad(np.where(good, v, 0.0), ((0, 0), (beside + 1, beside))), axis=1) for v in (above, below)]
    top, bottom = (s[:, 2 * beside + 1 :] - s[:, : -2 * beside - 1] for s in sums)
    return np.asarray(np.divide(top, bottom, out=np.full(good.shape, np.nan), where=good & (bottom > 0.0)))


def exchangers_of(plant: Plant) -> Exchangers:
    """Ratings of all CDUs of a plant, as kernels take them."""
    return Exchangers(*(plain(getattr(plant.cdus, name)) for name in Exchangers._fields))


def fit_cdus(plant: Plant, seen: CduSeen) -> Batch:
    """Constants and sensor errors of each unit, :data:`PARAMETERS` in order.

    Args:
        plant: the plant with its ratings as the catalog has them.
        seen: what the meters say.
    """
    return calibrate_many(CduModel(exchangers_of(plant), seen).residuals, PARAMETERS, seen.cdu.size, beside=2)
