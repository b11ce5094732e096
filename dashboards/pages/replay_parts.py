"""What the replay page shows of a window: the moment under the cursor, and tables of meters and elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from dashboards.exports import Field, Table
from dashboards.pages import parts
from dashboards.readable import people
from dashboards.replay_answers import unit_of, utc
from dashboards.replay_window import PlayedWindow
from twin.residual_tally import Residuals

METERS = Table("meters", "", (
    Field("meter", "meter"), Field("steps", "steps", "", "integer"), Field("bias", "bias", "", "number"),
    Field("rmse", "RMSE", "", "number"), Field("unit", "unit"), Field("mape_pct", "MAPE", "%", "number"),
    Field("within_pct", "in noise", "%", "number"),
), ())  # fmt: skip
ELEMENTS = Table("elements", "", (
    Field("element", "element"), Field("steps", "steps", "", "integer"), Field("bias", "bias", "", "number"),
    Field("rms", "RMS", "", "number"), Field("off", "RMS / noise", "", "number"), Field("within_pct", "in noise", "%", "number"),
    Field("lag1", "lag 1", "", "number"),
), ())  # fmt: skip
WIDTHS = {
    "meter": 168,
    "element": 104,
    "steps": 66,
    "bias": 84,
    "rmse": 70,
    "rms": 70,
    "unit": 58,
    "mape_pct": 68,
    "within_pct": 74,
    "off": 68,
}
"""Least width of a column [pixels]."""
SIGNIFICANT = ("bias", "rmse", "rms", "off", "lag1", "mape_pct")
"""Columns that show three digits, wherever the point stands."""


def merits(window: PlayedWindow, step: int) -> list[Any]:
    """The moment under the cursor."""
    r, ids = window.replay, window.plant.racks.ids
    at = utc(r.time[step])
    hot, worst, margin = int(r.hottest[step]), int(r.worst[step]), float(r.worst_frac[step])
    filled = int(r.assumed[step].sum())
    pue = r.pue[step]
    return [
        parts.merit("Time", f"{at:%H:%M:%S}", "UTC", f"{at:%A %Y-%m-%d}, step {step + 1:,} of {r.frames:,}", id="replay-now"),
        parts.merit(
            "Site power", f"{r.site_w[step] / 1e3:,.0f}", "kW",
            f"cooling {r.cooling_w[step] / 1e3:,.0f} kW, losses {r.loss_w[step] / 1e3:,.0f} kW",
        ),
        parts.merit(
            "IT load", f"{r.it_w[step] / 1e3:,.0f}", "kW",
            f"{filled} rack{'s' * (filled > 1)} not measured then, filled in" if filled else "every rack was measured",
        ),
        parts.merit("PUE", f"{pue:.3f}" if np.isfinite(pue) else parts.NOTHING, "", "IT at its parts"),
        parts.merit(
            "Hottest accelerator", f"{r.hottest_c[step]:.1f}" if np.isfinite(r.hottest_c[step]) else parts.NOTHING, "°C", ids[hot]
        ),
        parts.merit(
            "Worst margin", f"{100 * margin:.1f}", "%", f"{r.limits.limit[worst]} of {r.limits.element[worst]}", margin < 0
        ),
        parts.merit("Wet bulb", f"{r.wet_bulb_c[step]:.1f}", "°C", "outside"),
    ]  # fmt: skip


def meter_rows(window: PlayedWindow) -> list[dict[str, Any]]:
    """Kinds of meters, in the order of the channels."""
    return [_meter(r) for r in window.residuals.residuals.values() if r.compared.size]


def _meter(r: Residuals) -> dict[str, Any]:
    own = r.compared
    weight = r.count[own] / r.count[own].sum()
    scale, unit = unit_for(r.channel)
    relative = bool(np.isfinite(r.relative_frac[own]).any())
    return {
        "meter": r.channel, "steps": r.score.count, "bias": scale * float((r.bias[own] * weight).sum()),
        "rmse": scale * r.score.rmse, "unit": unit, "mape_pct": 100.0 * r.score.mape_frac if relative else None,
        "within_pct": 100.0 * float((r.within_frac[own] * weight).sum()),
    }  # fmt: skip


def element_rows(window: PlayedWindow, channel: str | None) -> list[dict[str, Any]]:
    """Elements of one kind of meter, furthest off first."""
    r = window.residuals.residuals.get(channel or "")
    if r is None:
        return []
    scale, _ = unit_for(r.channel)
    return [
        {
            "element": r.elements[k], "steps": int(r.count[k]), "bias": scale * float(r.bias[k]), "rms": scale * float(r.rms[k]),
            "off": _plain(r.deviations[k]), "within_pct": 100.0 * float(r.within_frac[k]), "lag1": _plain(r.lag1[k]),
        }
        for k in r.compared
    ]  # fmt: skip


def unit_for(channel: str) -> tuple[float, str]:
    """Factor from the canonical unit of a channel's residuals to people's, and its symbol."""
    suffix = unit_of(channel)
    if suffix == "frac":
        return 100.0, "%"
    factor, symbol = people(1.0, suffix)
    return factor or 1.0, symbol


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
