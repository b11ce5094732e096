"""From trip stages of the catalog to times: how long an overload lasts before something opens.

The rating that a curve refers to is the element's own, with what altitude and air leave of it, before its continuous share: an
80 % derate is a rule for planning and does not make a breaker trip at 80 %.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from topology.axes import Bools, Floats
from topology.errors import SiteError
from topology.plant import Plant
from topology.trip import TripStage
from twin.solvers.breakers import LAWS, TripCurves, settled, time_left
from twin.state import PowerState

EARLY, LATE = "early", "late"
"""Ends of a tolerance band: the soonest that a protection may act, and the latest."""


def curves(plant: Plant, band: str = EARLY) -> TripCurves:
    """Trip curves of every element whose model has stages.

    Args:
        plant: the plant.
        band: :data:`EARLY` for what may happen, :data:`LATE` for what is sure to have happened.

    Returns:
        The stages, in the order of the power axis; element indices may repeat.

    Raises:
        SiteError: a stage lacks the figure that its law needs; names the model.
    """
    rows: list[tuple[int, tuple[float, ...]]] = []
    own = [() if m is None else tuple(_rows(m.name, m.trip, band)) for m in plant.power.models]
    for e, model in enumerate(plant.power.model):
        rows += [(e, row) for row in own[model]]
    table = np.asarray([row for _, row in rows], dtype=np.float64).reshape(-1, 6)
    law, pickup, a, b, c, reset = (np.ascontiguousarray(table[:, k]) for k in range(6))
    return TripCurves(np.asarray([e for e, _ in rows], dtype=np.int64), law.astype(np.int64), pickup, a, b, c, reset)


def _rows(model: str, stages: tuple[TripStage, ...], band: str) -> Iterator[tuple[float, ...]]:
    for stage in stages:
        yield stage_row(stage, band, model)


def stage_row(stage: TripStage, band: str = EARLY, model: str = "") -> tuple[float, ...]:
    """(law, pickup, a, b, c, reset) of a stage at one end of its band.

    Args:
        stage: the stage.
        band: :data:`EARLY` or :data:`LATE`.
        model: name of its model, for the error.

    Raises:
        SiteError: it lacks the figure that its law needs.
    """
    scale = 1.0 + stage.late_frac if band == LATE else 1.0 - stage.early_frac
    pickup = stage.pickup_late if band == LATE and stage.pickup_late is not None else stage.pickup
    a, b, c = {
        "thermal": (stage.tau_s, 0.0, 0.0), "definite": (stage.delay_s, 0.0, 0.0),
        "inverse": (stage.scale_s, stage.exponent, stage.offset_s), "exponential": (stage.scale_s, stage.decay, stage.offset_s),
    }[stage.law]  # fmt: skip
    if (stage.law == "definite" and a < 0.0) or (stage.law != "definite" and a <= 0.0) or (stage.law == "inverse" and b <= 0.0):
        need = {"thermal": "tau_s", "definite": "delay_s", "inverse": "scale_s and exponent", "exponential": "scale_s"}[stage.law]
        raise SiteError(f"a {stage.law} trip stage of power model {model!r} needs {need} above 0")
    return float(LAWS.index(stage.law)), pickup, a * scale, b, c * scale, stage.reset_s


def protected(plant: Plant) -> Bools:
    """(N,) elements with a trip curve."""
    has = np.asarray([m is not None and bool(m.trip) for m in plant.power.models], dtype=bool)
    found: Bools = has[plant.power.model]
    return found


def multiples(plant: Plant, state: PowerState) -> Floats:
    """Load of each element over its own rating, before its continuous share: the largest of amperes, VA and W.

    Args:
        plant: the plant.
        state: power state of S scenarios.

    Returns:
        (S, N) multiples; 0 for elements without a rating.
    """
    p = plant.power
    share = p.continuous_frac
    found = np.maximum(state.out_w / (p.rating_w / share), state.out_va / (p.rating_va / share))
    ampere = np.where(p.voltage_v > 0.0, p.rating_a / share, np.inf)
    out: Floats = np.ascontiguousarray(np.maximum(found, state.current_a / ampere))
    return out


def trip_after_s(plant: Plant, before: PowerState, after: PowerState, band: str = EARLY) -> Floats:
    """How long each element carries a state that begins when another one, settled, ends.

    Args:
        plant: the plant.
        before: power state that lasted, of S scenarios or one; an element above its pickup in it starts cold.
        after: power state that begins, of S scenarios.
        band: :data:`EARLY` or :data:`LATE`.

    Returns:
        (S, N) seconds until it trips, infinite where it never does.
    """
    table = curves(plant, band)
    then = multiples(plant, after)
    first = multiples(plant, before)
    memory = settled(table, first if first.shape[0] == then.shape[0] else np.broadcast_to(first, then.shape).copy())
    return time_left(table, memory, then)
