"""What telemetry told of a site, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboards.readable import people
from topology.models import Sku
from topology.overlay import FACTORS, sku_with
from topology.plant import Plant
from topology.units import split
from twin.forecast.calibrate.site import SiteCalibration
from twin.forecast.calibrate.told import Drift, Told
from twin.loads import sku_at


def calibration(plant: Plant, found: SiteCalibration) -> dict[str, Any]:
    """Constants and sensor errors that data told, those that kept what was known before, and drifts.

    Args:
        plant: the plant that was calibrated, for the figures that factors stand for.
        found: what telemetry told of it.
    """
    rows = sorted(found.told, key=_order)
    return {
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "steps": found.steps,
        "kinds": _kinds(rows),
        "told": [_told(plant, t) for t in rows if t.fitted.identifiable],
        "kept_prior": [_told(plant, t) for t in rows if not t.fitted.identifiable],
        "drifts": [_drift(d) for d in found.drifts],
        "constants_of": dict(found.by_family),
        "findings": [str(f) for f in found.findings],
    }


def _kinds(rows: Sequence[Told]) -> list[dict[str, Any]]:
    """One entry a parameter (and meter): how many were told, how sure they are, and why the others were kept."""
    out = []
    for parameter, quantity, part in dict.fromkeys((t.parameter, t.quantity, t.part) for t in rows):
        own = [t for t in rows if (t.parameter, t.quantity, t.part) == (parameter, quantity, part)]
        told = [t for t in own if t.fitted.identifiable]
        kept = [t for t in own if not t.fitted.identifiable]
        half = float(np.median([0.5 * (t.fitted.interval[1] - t.fitted.interval[0]) for t in told])) if told else None
        before = own[0].fitted.prior.interval
        out.append({
            "parameter": parameter, "quantity": quantity or None, "part": part or None, "told": len(told), "kept_prior": len(kept),
            "half_interval": half, "half_prior": 0.5 * (before[1] - before[0]),
            "why_kept": list(dict.fromkeys(t.note for t in kept if t.note)),
        })  # fmt: skip
    return out


def figures(plant: Plant, element: str, parameter: str, value: float) -> list[dict[str, Any]]:
    """What a factor makes of the figures that it scales; empty for errors of sensors and where the catalog says nothing.

    Args:
        plant: the plant before it.
        element: element, or SKU.
        parameter: factor of :data:`topology.overlay.FACTORS`.
        value: its value.
    """
    factor = FACTORS.get(parameter)
    if factor is None:
        return []
    if factor.axis == "sku":
        sku = plant.site.model("sku", element, Sku)
        ends = np.array([0.0, 1.0])
        before, after = sku_at(sku, ends)[0], sku_at(sku_with(sku, {parameter: value}), ends)[0]
        names = ("idle_input_w", "full_input_w")
        pairs = [(n, float(a), float(b)) for n, a, b in zip(names, before, after, strict=True) if a != b]
    else:
        axis = getattr(plant, factor.axis)
        if element not in axis.ids:
            return []
        own = axis.ids.index(element)
        changed = factor.change(axis, np.full(axis.n, value))
        pairs = [(n, float(getattr(axis, n)[own]), float(v[own])) for n, v in changed.items() if split(n)[1] is not None]
    return [
        {"name": n, "catalog": a, "value": b, "text_catalog": _text(a, n), "text_value": _text(b, n)}
        for n, a, b in pairs if np.isfinite(a) and a != b
    ]  # fmt: skip


def _text(value: float, name: str) -> str:
    unit = split(name)[1]
    number, symbol = people(value, unit.suffix) if unit is not None else (value, "")
    return f"{number:.4g} {symbol}".rstrip()


def _order(t: Told) -> tuple[bool, float]:
    """Constants of the plant before errors of sensors, those furthest from what was known before first."""
    return bool(t.quantity), -abs(t.fitted.prior.z(t.fitted.value))


def _told(plant: Plant, t: Told) -> dict[str, Any]:
    low, high = t.fitted.interval
    return {
        "element": t.element, "parameter": t.parameter, "quantity": t.quantity or None, "part": t.part or None, "value": t.fitted.value,
        "low": low, "high": high, "prior": t.fitted.prior.value, "prior_low": t.fitted.prior.interval[0],
        "prior_high": t.fitted.prior.interval[1], "prior_source": t.fitted.prior.source, "samples": t.samples, "note": t.note or None,
        "figures": figures(plant, t.element, t.parameter, t.fitted.value),
    }  # fmt: skip


def _drift(d: Drift) -> dict[str, Any]:
    return {
        "element": d.element, "parameter": d.parameter, "since": d.since.isoformat(), "until": d.until.isoformat(),
        "change_frac": d.change_frac, "low_frac": d.interval[0], "high_frac": d.interval[1], "moved": d.moved,
        "time": [f"{np.datetime_as_string(t, unit='s')}Z" for t in d.time], "value": [float(v) for v in d.value], "sentence": sentence(d),
    }  # fmt: skip


_MEANT = {"ua_factor": "UA", "draw_factor": "power at equal utilisation", "supply_load_factor": "supply losses"}


def sentence(d: Drift) -> str:
    """A drift in words, such as ``cdu-7 lost 9.0 % of its UA since 2026-05-01, 95 % interval 6.0 to 12.0 %``."""
    what = _MEANT.get(d.parameter, d.parameter.replace("_", " "))
    ends = [100.0 * x for x in d.interval]
    if not d.moved:
        return f"{d.element}: no sure change of its {what} since {d.since}, 95 % interval {ends[0]:+.1f} to {ends[1]:+.1f} %"
    verb, (low, high) = "lost" if d.change_frac < 0.0 else "gained", sorted(map(abs, ends))
    return f"{d.element} {verb} {100.0 * abs(d.change_frac):.1f} % of its {what} since {d.since}, 95 % interval {low:.1f} to {high:.1f} %"
