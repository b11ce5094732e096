"""A cluster of servers: power from what its jobs ask for, fitted once on the first day and followed an hour at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.fidelity.draw import Plot
from benchmarks.fidelity.frame import Recording, Report, Row, Spans, Told, parameters, read_columns, seconds, span
from topology.axes import Bools, Floats
from topology.errors import TelemetryError
from twin.forecast.calibrate import Grid, grid, resampled, score, split_step
from twin.forecast.cluster import Cluster, ClusterFit, Followed, fit_cluster, follow_cluster, means

COLUMNS = ("time", "power_w", "cpu_demand_mhz", "busy_cores")
STATIC_GOAL, FOLLOWED_GOAL = 4.4, 3.4
HOUR_S, DAY_S = 3600.0, 86400.0
LEAST_DAYS = 1.25
"""Length from which the first day fits; of a shorter recording the first half does."""
OTHER_SPLITS = (0.375, 0.625)
OTHER_BLOCKS_S = (600.0, 3600.0)
WINDOWS_H = (1, 2, 3, 4, 6, 8, 12, 16, 24, 48)
"""Past that a refitted line may see, for the one that hindsight would choose [h]."""
NEAR = 0.1
"""Relative error under which a step counts as near."""

TEXT = (
    "Power of a cluster from the demand of its jobs and the cores that they hold, both of which a scheduler knows: "
    "`P = base + w C (D / (C f))^a`, a curve of busy nodes over a base that wanders (`twin/forecast/cluster.py`). Static: the curve is "
    "fitted on changes between half-hour means of the first day, the base is where a local-level filter leaves it at the end of "
    "that day, and nothing measured later is used. Followed: every hour curve and memory are chosen and fitted anew from the past alone, "
    "and the hour ahead is predicted from its demand and cores without its power.",
    "Beside it, on the same steps and with the same rights: straight lines fitted on the same day; a line refitted "
    "every hour on the last 24 hours; the power of an hour before; the last power before the hour, held. Errors are mean absolute errors "
    "relative to each measurement (MAPE). A live-calibrated twin of such a cluster is published with 4.39 % (OpenDT).",
    "Limits: one curve for all nodes; what else draws power shows only as base, and a static prediction misses what the base does after "
    "its day, so that error grows with time. Which form the model has, and the length of its means, were settled while "
    "looking at the whole of one recording; rows with other means and the split moved say how much hangs on that. Following gains "
    "by choosing its memory from its own past; a row says what a line reaches whose window is chosen in hindsight.",
)


@dataclass(frozen=True)
class ClusterFile:
    """A recording on its grid.

    Attributes:
        grid: steps of about the readings' own distance.
        cluster: power, demand and cores.
        per_job: cores of a job where all jobs hold equally many at all times, else ``None``.
        still_frac: share of readings equal to the one before.
        refused: rows without a time or a number.
    """

    grid: Grid
    cluster: Cluster
    per_job: float | None
    still_frac: float
    refused: int


def read_cluster(path: Path) -> ClusterFile:
    """Read a recording of any length and distance of readings."""
    table = read_columns(path, COLUMNS)
    time = seconds(table["time"])
    values = [table[c].to_numpy(np.float64) for c in COLUMNS[1:]]
    good = np.isfinite(time) & np.isfinite(values).all(axis=0)
    order = np.flatnonzero(good)[np.argsort(time[good], kind="stable")]
    time, values = time[order], [v[order] for v in values]
    apart = np.diff(time)
    if not (apart > 0.0).any():
        raise TelemetryError(f"{path.name} has no two readings at different times")
    where = grid(time, float(np.median(apart[apart > 0.0])))
    power, demand, cores = (resampled(where, time, v) for v in values)
    per_job = None
    if "running_tasks" in table.columns:
        jobs = table["running_tasks"].to_numpy(np.float64)[order]
        some = jobs > 0.0
        each = values[2][some] / jobs[some]
        per_job = float(each[0]) if some.any() and (each == each[0]).all() else None
    return ClusterFile(
        where, Cluster(power, demand, cores, where.step_s), per_job, float((np.diff(values[0]) == 0.0).mean()), len(table) - order.size
    )


def run(path: Path, told: Told) -> Report:
    """Fit, follow and test one file."""
    told("reading")
    file = read_cluster(path)
    split = _split(file.grid)
    told("fitting on the first part")
    fit = fit_cluster(file.cluster, split)
    told("following")
    followed = follow_cluster(file.cluster, HOUR_S)
    start, end = file.grid.start_s, file.grid.start_s + file.grid.steps * file.grid.step_s
    at = start + split * file.grid.step_s
    static = Spans(path.stem, span(start, at), span(at, end))
    live = Spans(path.stem, "the past of each hour", span(at, end))
    test = np.arange(file.grid.steps) >= split
    rows = (
        *_static_rows(file, fit, split, static),
        *_followed_rows(file, followed, test, live),
        *_stability(file, split, static),
    )
    return Report(
        title=f"{path.name}: a cluster's power from its jobs",
        rows=rows,
        text=TEXT,
        findings=tuple(_findings(file, fit, split)),
        tables=(("Constants of the cluster", parameters(fit.calibration)),),
        plots=(_plot(path.stem, file, fit, followed, split),),
    )


def _split(where: Grid) -> int:
    day = round(DAY_S / where.step_s)
    return day if where.steps >= LEAST_DAYS * day else split_step(where.steps)


def _mape(predicted: Floats, file: ClusterFile, test: Bools) -> float:
    return 100.0 * score(predicted, file.cluster.power_w, test).mape_frac


def _near(predicted: Floats, file: ClusterFile, test: Bools) -> float:
    apart = np.abs(predicted / file.cluster.power_w - 1.0)[test]
    return 100.0 * float((apart[np.isfinite(apart)] < NEAR).mean())


def _static_rows(file: ClusterFile, fit: ClusterFit, split: int, spans: Spans) -> Iterator[Row]:
    test = np.arange(file.grid.steps) >= split
    yield spans.row("static: power from demand and cores, MAPE", _mape(fit.predicted_w, file, test), "%", STATIC_GOAL)
    yield spans.row("static: NMBE", 100 * score(fit.predicted_w, file.cluster.power_w, test).nmbe_frac, "%")
    yield spans.row(f"static: share of time under {NEAR:.0%}", _near(fit.predicted_w, file, test), "%")
    yield spans.row("static: line of demand and cores, MAPE", _mape(_line(file, 0, split, True), file, test), "%")
    yield spans.row("static: line of demand alone, MAPE", _mape(_line(file, 0, split, False), file, test), "%")


def _followed_rows(file: ClusterFile, followed: Followed, test: Bools, spans: Spans) -> Iterator[Row]:
    yield spans.row("followed: power of the hour ahead, MAPE", _mape(followed.predicted_w, file, test), "%", FOLLOWED_GOAL)
    yield spans.row(f"followed: share of time under {NEAR:.0%}", _near(followed.predicted_w, file, test), "%")
    for name, both in (("demand", False), ("demand and cores", True)):
        yield spans.row(f"followed: line of {name} refitted on the last 24 h, MAPE", _mape(refitted(file, both, 24), file, test), "%")
    best, hours = min((_mape(refitted(file, False, w), file, test), w) for w in WINDOWS_H)
    yield spans.row(f"followed: the same of demand with the window that hindsight chooses ({hours} h), MAPE", best, "%")
    before, last = _persistence(file)
    yield spans.row("followed: power of an hour before, MAPE", _mape(before, file, test), "%")
    yield spans.row("followed: last power before the hour, held, MAPE", _mape(last, file, test), "%")
    early = Spans(spans.recording, spans.fitted_on, "everything after the first hour")
    everything = np.isfinite(followed.predicted_w)
    yield early.row("followed: from the second hour on, MAPE", _mape(followed.predicted_w, file, everything), "%")


def _stability(file: ClusterFile, day: int, spans: Spans) -> Iterator[Row]:
    start, step = file.grid.start_s, file.grid.step_s
    tested = np.arange(file.grid.steps) >= day
    for block_s in OTHER_BLOCKS_S:
        found = fit_cluster(file.cluster, day, block_s).predicted_w
        yield spans.row(f"static, fitted on changes of means over {block_s / 60:g} min, MAPE", _mape(found, file, tested), "%")
    for share in OTHER_SPLITS:
        split = split_step(file.grid.steps, share)
        test = np.arange(file.grid.steps) >= split
        at = start + split * step
        moved = Spans(spans.recording, span(start, at), span(at, start + file.grid.steps * step))
        fit = fit_cluster(file.cluster, split)
        yield moved.row(f"static, split at {share:.1%} of the time, MAPE", _mape(fit.predicted_w, file, test), "%")
        yield moved.row(f"line of demand and cores, split at {share:.1%}, MAPE", _mape(_line(file, 0, split, True), file, test), "%")


def _columns(file: ClusterFile, both: bool) -> Floats:
    causes = [file.cluster.demand, *([file.cluster.cores] if both else [])]
    return np.stack([np.ones(file.grid.steps), *causes], axis=1)


def _line(file: ClusterFile, first: int, end: int, both: bool) -> Floats:
    """(T,) least squares of power on demand (and cores) over the steps from first to end."""
    columns, power = _columns(file, both), file.cluster.power_w
    seen = np.isfinite(columns).all(axis=1) & np.isfinite(power)
    seen[:first], seen[end:] = False, False
    return np.asarray(columns @ np.linalg.lstsq(columns[seen], power[seen], rcond=None)[0])


def refitted(file: ClusterFile, both: bool, window_h: float) -> Floats:
    """(T,) a line fitted anew every hour on the last hours; NaN in the first hour."""
    hour, past = round(HOUR_S / file.grid.step_s), round(window_h * HOUR_S / file.grid.step_s)
    out = np.full(file.grid.steps, np.nan)
    for now in range(hour, file.grid.steps, hour):
        out[now : now + hour] = _line(file, max(now - past, 0), now, both)[now : now + hour]
    return out


def _persistence(file: ClusterFile) -> tuple[Floats, Floats]:
    """(T,) the power of an hour before, and the last power before each hour."""
    hour, power = round(HOUR_S / file.grid.step_s), file.cluster.power_w
    before, last = np.full(power.size, np.nan), np.full(power.size, np.nan)
    before[hour:] = power[:-hour]
    for now in range(hour, power.size, hour):
        known = power[:now][np.isfinite(power[:now])]
        last[now : now + hour] = known[-1] if known.size else np.nan
    return before, last


def _findings(file: ClusterFile, fit: ClusterFit, split: int) -> Iterator[str]:
    if file.refused:
        yield f"{file.refused:,} rows have no time or no number and are left out."
    if file.per_job is not None:
        yield f"Every job holds {file.per_job:g} cores at all times: the count of jobs says nothing that the cores do not."
    if file.still_frac > 0.5:
        yield f"{file.still_frac:.0%} of the power readings equal the one before: the meter speaks less often than the file."
    whole = max(round(HOUR_S / file.grid.step_s), 1)
    hours = means(fit.residual_w, whole)
    hours = hours[np.isfinite(hours)]
    now = hours[max(split // whole - 1, 0)] if hours.size else fit.base_w
    yield (
        f"Power that the jobs do not explain moves: {hours[0] / 1e3:.1f} kW in the first hour, {now / 1e3:.1f} kW in the last hour that "
        f"fits, {hours[-1] / 1e3:.1f} kW in the last (base of the prediction: {fit.base_w / 1e3:.1f} kW, standard deviation "
        f"{fit.base_deviation_w / 1e3:.2f} kW at the split)."
    )


def _plot(stem: str, file: ClusterFile, fit: ClusterFit, followed: Followed, split: int) -> Plot:
    hours = (file.grid.middle_s - file.grid.start_s) / HOUR_S
    static = np.where(np.arange(file.grid.steps) >= split, fit.predicted_w, np.nan)
    lines = (("measured", file.cluster.power_w / 1e3), ("static", static / 1e3), ("followed", followed.predicted_w / 1e3))
    return Plot(
        f"fidelity-{stem}-power", "Power of the cluster", "kW", hours, "hours since the begin", lines, split * file.grid.step_s / HOUR_S
    )


CLUSTER = Recording("surf-cluster*.parquet", COLUMNS, run)
