"""Coolant distribution units: flow, temperatures and heat of both sides against the power behind them, and what of it changed.

The model and its fit are those of calibration (:mod:`twin.forecast.calibrate.exchangers`): heat from flow and rise on both sides, the
exchanger's law, the valve, other sensors of the same water, and the power of the racks behind. Each sensor error and each constant of the
unit is a candidate for a change (:mod:`twin.balance.change`); the one that explains most wins, so that a flow meter that walks off is told
from a fouled exchanger and from a temperature that drifts by what the other meters say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np

from telemetry.quality.doubt import Doubt
from twin.balance.change import changes_of
from twin.balance.said import Said, told
from twin.balance.samples import sample_times
from twin.forecast.calibrate.cdu_seen import cdu_seen
from twin.forecast.calibrate.exchangers import PARAMETERS, CduModel, exchangers_of, fit_cdus
from twin.forecast.calibrate.seen import Seen

CANDIDATES: Mapping[str, Said] = MappingProxyType({s.parameter: s for s in (
    Said("ua_factor", "fouling", "heat_w", "Secondary", 0.05, "its exchanger has lost {size} of its conductance", "a fouled exchanger",
         falls=True),
    Said("hot flow", "flow_drift", "flow_m3_s", "Secondary", 0.025,
         "its flow meter reads {size} {more} than heat over rise says, while temperatures and power agree", "its flow meter"),
    Said("cold flow", "flow_drift", "flow_m3_s", "Primary", 0.03, "its facility flow meter reads {size} {more} than the heat balance says",
         "its facility flow meter"),
    Said("heat", "drift", "heat_w", "Secondary", 0.04, "its heat meter reads {size} {more} than flow times rise", "its heat meter"),
    Said("supply", "drift", "supply_temp_c", "Secondary", 0.5, "its supply temperature reads {size} {more} than the heat balance says",
         "its supply temperature", "K"),
    Said("return", "drift", "return_temp_c", "Secondary", 0.5,
         "its return temperature reads {size} {more} than other sensors of the same water and the heat balance say",
         "its return temperature", "K"),
    Said("cold supply", "drift", "supply_temp_c", "Primary", 0.5,
         "its facility supply temperature reads {size} {more} than others of the same water", "its facility supply temperature", "K"),
    Said("cold return", "drift", "return_temp_c", "Primary", 0.5,
         "its facility return temperature reads {size} {more} than the heat balance says", "its facility return temperature", "K"),
    Said("valve", "drift", "valve_frac", "", 0.05, "its valve position reads {size} {more} than its flow says", "its valve position"),
    Said("valve_flow_factor", "drift", "valve_frac", "", 0.06, "its valve passes {size} {more} than it did at the same position",
         "its valve"),
)})  # fmt: skip
"""What a change of each parameter of :data:`PARAMETERS` is called; those that are not here compete and are not told."""


def cdu_doubts(what: Seen) -> Iterator[Doubt]:
    """Changes of CDUs and of their meters over a window.

    Args:
        what: what telemetry shows of the plant.
    """
    plant = what.plant
    if not plant.cdus.n or not what.read:
        return
    seen = cdu_seen(plant, what.read, what.behind_w)
    batch = fit_cdus(plant, seen)
    found = changes_of(CduModel(exchangers_of(plant), seen).residuals, batch)
    time = sample_times(what.time, what.step_s, seen.supply_c.shape[1])
    for n in np.flatnonzero(batch.settled).tolist():
        yield from told(plant.cdus.ids[n], "cdu", PARAMETERS, CANDIDATES, found, n, time, plant.cdus.n)
