"""Devices of one rack at a measured moment: their own readings, or a share of the rack's by how busy they are."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboards.answers import plain
from telemetry.devices import device_power
from telemetry.infer import SPREAD_UNKNOWN, split_variance
from twin.racks import rack_state

if TYPE_CHECKING:
    from dashboards.session import Session, Solved

SHOWN = 12
"""Devices that the table for people lists: those that draw most."""


def devices(session: Session, result: Solved, name: str) -> dict[str, Any] | None:
    """Devices of a rack; ``None`` where its load is not from readings of its own.

    What its accelerators draw together is the rack's reading taken apart by the catalog. Its uncertainty is that of the reading, and of
    the split between accelerators and all else, whose load factors are taken to be anything from none to all.

    Args:
        session: the open site and its store.
        result: the moment, solved from measured power.
        name: id of the rack.
    """
    store = session.store
    if store is None or result.basis != "measured":
        return None
    read = session.measured(store, result.at)
    at = read.racks.index(name)
    seen = rack_state(result.plant, result.state, result.plant.find(name)[1])
    own = [p for p in seen.sku.parts if p.chip and p.chip == seen.sku.chip]
    if not own or not np.isfinite(read.power_w[0, at]) or not read.power_w[0, at] > 0.0:
        return None
    part = replace(own[0], count=sum(p.count for p in own))
    together = sum(p.power_w for p in seen.parts if p.chip == seen.sku.chip)
    whole = sum(p.power_w for p in seen.parts)
    most = np.array([p.max_w * p.count for p in seen.sku.parts if p.group != "fixed"])
    mine = part.max_w * part.count
    plate = np.array([mine, max(float(most.sum()) - mine, 0.0)])
    share = np.array([together, whole - together]) / whole
    meter = float(read.sigma_w[0, at]) * together / float(read.power_w[0, at])
    sigma = float(np.sqrt(meter**2 + split_variance(plate, share, np.full(2, SPREAD_UNKNOWN))[0]))
    start = dt.datetime.fromisoformat(str(read.time[0])).replace(tzinfo=dt.UTC)
    found = device_power(store, name, part, together, sigma, start, start + dt.timedelta(seconds=read.step_s))
    answer = {
        "basis": found.basis, "rack_basis": read.basis[at], "rack_origin": read.origin[at],
        "together_w": together, "together_sigma_w": sigma, "start": start, "step_s": read.step_s,
        "devices": [
            {"device": d, "power_w": found.power_w[k], "sigma_w": found.sigma_w[k], "origin": found.origin[k],
             "utilisation_frac": found.utilisation_frac[k] if np.isfinite(found.utilisation_frac[k]) else None}
            for k, d in enumerate(found.devices)
        ],
    }  # fmt: skip
    return dict(plain(answer))
