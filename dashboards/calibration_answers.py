"""What telemetry told of a site, as plain values."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin.forecast.calibrate.site import SiteCalibration
from twin.forecast.calibrate.told import Drift, Told


def calibration(found: SiteCalibration) -> dict[str, Any]:
    """Constants and sensor errors that data told, those that kept what was known before, and drifts."""
    return {
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "steps": found.steps,
        "told": [_told(t) for t in sorted(found.told, key=_order) if t.fitted.identifiable],
        "kept_prior": [_told(t) for t in sorted(found.told, key=_order) if not t.fitted.identifiable],
        "drifts": [_drift(d) for d in found.drifts],
        "constants_of": dict(found.by_family),
        "findings": [str(f) for f in found.findings],
    }


def _order(t: Told) -> tuple[bool, float]:
    """Constants of the plant before errors of sensors, those furthest from what was known before first."""
    return bool(t.quantity), -abs(t.fitted.prior.z(t.fitted.value))


def _told(t: Told) -> dict[str, Any]:
    low, high = t.fitted.interval
    return {
        "element": t.element, "parameter": t.parameter, "quantity": t.quantity or None, "part": t.part or None, "value": t.fitted.value,
        "low": low, "high": high, "prior": t.fitted.prior.value, "prior_low": t.fitted.prior.interval[0],
        "prior_high": t.fitted.prior.interval[1], "prior_source": t.fitted.prior.source, "samples": t.samples, "note": t.note or None,
    }  # fmt: skip


def _drift(d: Drift) -> dict[str, Any]:
    return {
        "element": d.element, "parameter": d.parameter, "since": d.since.isoformat(), "until": d.until.isoformat(),
        "change_frac": d.change_frac, "low_frac": d.interval[0], "high_frac": d.interval[1], "moved": d.moved,
        "time": [f"{np.datetime_as_string(t, unit='s')}Z" for t in d.time], "value": [float(v) for v in d.value], "sentence": sentence(d),
    }  # fmt: skip


def sentence(d: Drift) -> str:
    """A drift in words, such as ``cdu-7 lost 9.0 % of its UA since 2026-05-01, 95 % interval 6.0 to 12.0 %``."""
    what = {"ua_factor": "UA"}.get(d.parameter, d.parameter.replace("_", " "))
    ends = [100.0 * x for x in d.interval]
    if not d.moved:
        return f"{d.element}: no sure change of its {what} since {d.since}, 95 % interval {ends[0]:+.1f} to {ends[1]:+.1f} %"
    verb, (low, high) = "lost" if d.change_frac < 0.0 else "gained", sorted(map(abs, ends))
    return f"{d.element} {verb} {100.0 * abs(d.change_frac):.1f} % of its {what} since {d.since}, 95 % interval {low:.1f} to {high:.1f} %"
