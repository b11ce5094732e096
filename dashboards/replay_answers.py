"""A replayed window, and predicted beside measured, as plain values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboards.answers import PUE_CATEGORY, TIGHTEST, findings, plain
from dashboards.readable import moment
from telemetry.schema import READINGS
from twin.observe import CHANNELS
from twin.residual_tally import WITHIN, Residuals

if TYPE_CHECKING:
    from twin.forecast.follow import Replay
    from twin.residuals import Summary


def replayed(result: Replay, racks: Sequence[str], wall_s: float) -> dict[str, Any]:
    """Answer of a replay: size, time taken, energy by category, how the load is known, hottest accelerator, lowest margins and ramps.

    Args:
        result: the replay.
        racks: ids of the rack axis.
        wall_s: time it took, reading included.
    """
    from twin.forecast.ramps import ramps

    table, hot = result.limits, int(result.hottest_c.argmax())
    order = np.argsort(result.lowest_frac, kind="stable")[:TIGHTEST]
    times = [utc(t) for t in result.time]
    energy = {
        f"{name}_energy_j": power.sum() * result.step_s
        for name, power in (("site", result.site_w), ("it", result.it_w), ("loss", result.loss_w), ("cooling", result.cooling_w),
                            ("feed", result.feed_w))
    }  # fmt: skip
    answer = {
        "frames": result.frames, "rack_samples": result.rack_samples, "assumed_samples": result.assumed.sum(), "wall_s": wall_s,
        "solve_s": result.solve_s, "start": times[0], "end": times[-1] + dt.timedelta(seconds=result.step_s), "step_s": result.step_s,
        **energy,
        "pue_mean": energy["site_energy_j"] / energy["it_energy_j"] if energy["it_energy_j"] > 0.0 else None,
        "pue_category": PUE_CATEGORY,
        "load_origin": _origins(result), "inferred": _inferred(result),
        "site_power_w": {"mean": result.site_w.mean(), "min": result.site_w.min(), "max": result.site_w.max()},
        "ledger_residual_frac": result.residual_frac.max(),
        "hottest": {"element": racks[result.hottest[hot]], "chip_temp_c": result.hottest_c[hot], "time": times[hot]},
        "limits_violated": (result.lowest_frac < 0.0).sum(),
        "lowest_margins": [
            {"element": table.element[k], "limit": table.limit[k], "margin_frac": result.lowest_frac[k], "bound": table.bound[k],
             "unit": table.unit[k], "time": times[result.lowest_at[k]]}
            for k in order
        ],
        "ramps": [
            {"start": times[r.first], "end": times[r.last], "change_w": r.change_w, "steepest_w_s": r.steepest_w_s}
            for r in ramps(result.site_w, result.step_s)
        ],
        "findings": findings(result.findings),
    }  # fmt: skip
    return dict(plain(answer))


def _origins(result: Replay) -> dict[str, Any]:
    """Racks and energy of the load by how it is known; their energies sum to that of all racks.

    ``assumed`` is what no reading stands behind: gaps that were filled, and racks that nothing tells of.
    """
    origin = np.array(result.power.origin)
    never = np.asarray(result.assumed.all(axis=0))
    found: dict[str, Any] = {}
    for name in ("measured", "reported", "inferred"):
        own = (origin == name) & ~never
        energy = np.where(result.assumed, 0.0, result.rack_w)[:, own].sum() * result.step_s
        found[name] = {"racks": own.sum(), "energy_j": energy}
    found["assumed"] = {"racks": never.sum(), "energy_j": np.where(result.assumed, result.rack_w, 0.0).sum() * result.step_s}
    return found


def _inferred(result: Replay) -> list[dict[str, Any]]:
    """Racks whose power is inferred from what others read: where from, mean over the steps that tell, and its uncertainty there."""
    power, known = result.power, result.power.known
    return [
        {"element": power.racks[r], "basis": power.basis[r], "mean_w": power.power_w[known[:, r], r].mean(),
         "sigma_w": power.sigma_w[known[:, r], r].mean()}
        for r, origin in enumerate(power.origin)
        if origin == "inferred" and known[:, r].any()
    ]  # fmt: skip


def utc(time: np.datetime64) -> dt.datetime:
    """A time of an array as a time with a zone."""
    found: dt.datetime = time.astype("datetime64[us]").astype(dt.datetime)
    return found.replace(tzinfo=dt.UTC)


def unit_of(channel: str) -> str:
    """Suffix of the unit of a channel's residuals: differences of temperatures are in K.

    >>> unit_of("CDU supply temperature"), unit_of("CDU flow")
    ('k', 'm3_s')
    """
    suffix = READINGS[CHANNELS[channel].quantity].unit.suffix
    return "k" if suffix == "c" else suffix


def compared(found: Summary) -> dict[str, Any]:
    """Predicted beside measured: errors of every channel, and of each element, furthest off first.

    Args:
        found: the comparison.

    Returns:
        Residuals are reading less prediction, in the unit that stands beside them; ``within_frac`` is the share of steps within
        ``noise_deviations`` standard deviations of one reading's noise; ``inputs`` are meters that the load was made of: no check.
    """
    answer = {
        "steps": found.steps, "step_s": found.step_s, "noise_deviations": WITHIN, "assumed_frac": found.assumed_frac,
        "inputs": [{"channel": n, "elements": own} for n, own in found.inputs.items()],
        "channels": [_channel(r) for r in found.residuals.values() if r.compared.size],
    }  # fmt: skip
    return dict(plain(answer))


def _channel(r: Residuals) -> dict[str, Any]:
    channel, own = CHANNELS[r.channel], r.compared
    share = channel.relative
    within = float((r.within_frac[own] * r.count[own]).sum() / r.count[own].sum())
    return {
        "channel": r.channel, "quantity": channel.quantity, "level": channel.level, "unit": unit_of(r.channel), "samples": r.score.count,
        "bias": (r.bias[own] * r.count[own]).sum() / r.count[own].sum(), "rmse": r.score.rmse,
        "mape_frac": r.score.mape_frac if share else None, "cv_rmse_frac": r.score.cv_rmse_frac if share else None,
        "nmbe_frac": -r.score.nmbe_frac if share else None, "within_frac": within,
        "elements": [
            {
                "element": r.elements[k], "samples": r.count[k], "mean": r.mean[k], "bias": r.bias[k], "rms": r.rms[k],
                "noise": r.sigma[k], "relative_frac": r.relative_frac[k], "within_frac": r.within_frac[k],
                "autocorrelation": r.lag1[k], "largest": r.largest[k], "largest_at": moment(utc(r.largest_at[k])),
            }
            for k in own
        ],
    }  # fmt: skip
