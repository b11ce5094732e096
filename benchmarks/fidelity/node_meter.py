"""A node in inference, metered at each of its supplies: sharing, power factor, idle and peak of each workload, a demand distribution."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.fidelity.draw import Plot
from benchmarks.fidelity.frame import Recording, Report, Row, Spans, Told, read_columns, seconds, span
from topology.axes import Bools, Floats
from topology.catalog import load_catalog
from topology.errors import TelemetryError
from topology.models import Sku
from twin.forecast.calibrate import score
from twin.forecast.node_meter import (
    Reactive,
    Sharing,
    Workload,
    fit_reactive,
    fit_sharing,
    fitting_sku,
    nodes_of,
    overlay,
    peak_interval,
    workload,
)  # fmt: skip

COLUMNS = ("workload", "time", "power_w", "power_factor", "supply1_power_w")
SUPPLY = re.compile(r"supply(\d+)_power_w")
LEAST_WORKLOADS = 4
"""Workloads below which their peaks are described but not predicted."""

TEXT = (
    "One node, its power at its supplies' inputs through one workload after another. Where the node's power is the sum of its supplies, or "
    "its power factor that power over volts times amperes, neither checks the other; the findings say whether it is so.",
    "Workloads stand in order of time; the first half of them fits, the later ones test: each supply's share and offset, and reactive "
    "power of the supplies' filters, constant and in proportion (`twin/forecast/node_meter.py`). Peaks are means over one minute. The 90 % "
    "interval in which one more workload should peak is from the first half alone.",
    "The demand distribution of the whole recording is written as a catalog overlay: a site that puts it into `catalog/` "
    "draws the peaks of racks that nobody measured from it (`demand_frac`), and not from the general 79 to 100 % of the allocated power.",
)


@dataclass(frozen=True)
class NodeFile:
    """A recording in order of time.

    Attributes:
        run: (N,) index of each reading's workload, in order of their first readings.
        names: workloads in that order.
        time_s: (N,) seconds since 1970.
        power_w: (N,) node.
        power_factor: (N,) node.
        supply_w: (N, S) supplies.
        apparent_va: (N,) sum of volts times amperes, NaN where they are not given.
        refused: rows without a time or a number.
    """

    run: np.ndarray
    names: tuple[str, ...]
    time_s: Floats
    power_w: Floats
    power_factor: Floats
    supply_w: Floats
    apparent_va: Floats
    refused: int


def read_node(path: Path) -> NodeFile:
    """Read a recording with any number of supplies and workloads."""
    table = read_columns(path, COLUMNS)
    numbers = sorted(int(m[1]) for c in table.columns if (m := SUPPLY.fullmatch(str(c))))
    time = seconds(table["time"])
    power, factor = (table[c].to_numpy(np.float64) for c in ("power_w", "power_factor"))
    supplies = np.stack([table[f"supply{k}_power_w"].to_numpy(np.float64) for k in numbers], axis=1)
    pairs = [(f"supply{k}_voltage_v", f"supply{k}_current_a") for k in numbers]
    apparent = np.full(len(table), np.nan)
    if all(c in table.columns for pair in pairs for c in pair):
        apparent = np.asarray(sum(table[v].to_numpy(np.float64) * table[a].to_numpy(np.float64) for v, a in pairs), np.float64)
    good = np.isfinite(time) & np.isfinite(power) & np.isfinite(supplies).all(axis=1) & table["workload"].notna().to_numpy()
    order = np.flatnonzero(good)[np.argsort(time[good], kind="stable")]
    if order.size == 0:
        raise TelemetryError(f"{path.name} has no row with a time, a workload and power")
    label = table["workload"].astype(str).to_numpy()[order]
    names = tuple(dict.fromkeys(label.tolist()))
    run = np.asarray([names.index(n) for n in label.tolist()], np.int64)
    return NodeFile(run, names, time[order], power[order], factor[order], supplies[order], apparent[order], len(table) - order.size)


def run(path: Path, told: Told) -> Report:
    """Fit and test one file."""
    told("reading")
    file = read_node(path)
    runs = [workload(n, *(v[file.run == k] for v in (file.time_s, file.power_w, file.power_factor))) for k, n in enumerate(file.names)]
    told(f"{file.power_w.size:,} readings of {len(runs)} workloads; fitting")
    fit, spans = _parts(file, path.stem)
    sharing, reactive = fit_sharing(file.power_w, file.supply_w, fit), fit_reactive(file.power_w, file.power_factor, fit)
    sku = fitting_sku({n: s for n, s in load_catalog().entries["sku"].items() if isinstance(s, Sku)}, path.stem)
    rows = (*_rows(file, sharing, reactive, fit, spans), *_peak_rows(runs, sku, spans))
    last = dt.datetime.fromtimestamp(file.time_s[-1], dt.UTC).date().isoformat()
    files: tuple[tuple[str, str], ...] = ()
    if sku is not None:
        files = ((f"benchmarks/overlays/{path.stem}/skus.toml", overlay(sku, runs, f"power meter of one node, {path.stem}", last)),)
    return Report(
        title=f"{path.name}: one node through {len(runs)} workloads",
        rows=rows,
        text=TEXT,
        findings=tuple(_findings(file, sku)),
        tables=(("Supplies", _supply_table(file, sharing)), ("Workloads, in order of time", _workload_table(runs))),
        plots=(_plot(path.stem, file),),
        files=files,
    )


def _parts(file: NodeFile, stem: str) -> tuple[Bools, Spans]:
    """Readings that fit: the first half of the workloads; of a single one, the first half of its time."""
    count = len(file.names)
    fit = file.run < (count + 1) // 2 if count > 1 else np.arange(file.run.size) < file.run.size // 2
    if fit.all() or not fit.any():
        raise TelemetryError(f"{stem} is too short to be split in time")
    start, at, end = (float(t) for t in (file.time_s[0], file.time_s[~fit][0], file.time_s[-1]))
    return fit, Spans(stem, span(start, at), span(at, end))


def _rows(file: NodeFile, sharing: Sharing, reactive: Reactive, fit: Bools, spans: Spans) -> Iterator[Row]:
    test = ~fit
    errors = [score(sharing.predicted_w[:, s], file.supply_w[:, s], test).cv_rmse_frac for s in range(file.supply_w.shape[1])]
    equal = [score(file.power_w / file.supply_w.shape[1], file.supply_w[:, s], test).cv_rmse_frac for s in range(len(errors))]
    yield spans.row("power of a supply from the node's, largest CV-RMSE", 100 * max(errors), "%")
    yield spans.row("the same with equal shares", 100 * max(equal), "%")
    good = test & np.isfinite(file.power_factor)
    usual = np.full(file.power_w.size, float(np.nanmedian(file.power_factor[fit])))
    yield spans.row("power factor from power, RMSE", 100 * score(reactive.power_factor, file.power_factor, good).rmse, "%")
    yield spans.row("the same with one power factor", 100 * score(usual, file.power_factor, good).rmse, "%")
    yield spans.row("reactive power at no load", reactive.fixed_va, "var")


def _peak_rows(runs: list[Workload], sku: Sku | None, spans: Spans) -> Iterator[Row]:
    half = (len(runs) + 1) // 2
    if len(runs) >= LEAST_WORKLOADS:
        low, high = peak_interval([r.peak_w for r in runs[:half]])
        inside = [low <= r.peak_w <= high for r in runs[half:]]
        yield spans.row("peak of one more workload, low end of its 90 % interval", low / 1e3, "kW")
        yield spans.row("peak of one more workload, high end of its 90 % interval", high / 1e3, "kW")
        yield spans.row(f"later workloads inside, of {len(inside)}", sum(inside), "workloads")
    yield spans.whole("workloads", len(runs), "workloads")
    yield spans.whole("idle, median of the workloads", float(np.median([r.idle_w for r in runs])) / 1e3, "kW")
    yield spans.whole("highest one-minute mean", max(r.peak_w for r in runs) / 1e3, "kW")
    yield spans.whole("lowest peak of a workload", min(r.peak_w for r in runs) / 1e3, "kW")
    yield spans.whole("power factor at load, median of the workloads", 100 * float(np.median([r.power_factor for r in runs])), "%")
    if sku is not None:
        node_w = sku.nameplate_w / nodes_of(sku)
        yield spans.whole(f"highest peak over nameplate of a node of {sku.name}", 100 * max(r.peak_w for r in runs) / node_w, "%")


def _findings(file: NodeFile, sku: Sku | None) -> Iterator[str]:
    if file.refused:
        yield f"{file.refused:,} rows have no time, workload or number and are left out."
    apart = float(np.abs(file.supply_w.sum(axis=1) - file.power_w).max())
    if apart < 1e-6 * float(file.power_w.max()):
        yield "The node's power is the sum of its supplies to the last digit in every row: it is no second meter."
    else:
        yield f"The node's power and the sum of its supplies are up to {apart:,.1f} W apart."
    ratio = np.abs(file.power_w / file.apparent_va - file.power_factor)
    if np.isfinite(ratio).any() and float(np.nanmedian(ratio)) < 1e-4:
        yield "The power factor is power over volts times amperes: it says nothing about their errors."
    on = file.power_w > 0.0
    share = file.supply_w[on] / file.power_w[on, None]
    yield "Shares of the supplies: " + "; ".join(f"{s.min():.1%} to {s.max():.1%}" for s in share.T) + "."
    if sku is None:
        yield "No single SKU of the catalog has an accelerator with which the file's name begins: no overlay is written."


def _supply_table(file: NodeFile, sharing: Sharing) -> tuple[str, ...]:
    lines = ["| supply | mean W | share of the node's change | offset W |", "| --- | ---: | ---: | ---: |"]
    for s, mean in enumerate(file.supply_w.mean(axis=0)):
        lines.append(f"| {s + 1} | {mean:,.0f} | {sharing.share[s]:.2%} | {sharing.offset_w[s]:+.1f} |")
    return tuple(lines)


def _workload_table(runs: list[Workload]) -> tuple[str, ...]:
    lines = [
        "| workload | minutes | idle kW | mean kW | peak kW (1 min) | highest reading kW | busy | power factor |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in runs:
        lines.append(
            f"| {r.name} | {r.length_s / 60:.1f} | {r.idle_w / 1e3:.2f} | {r.mean_w / 1e3:.2f} | {r.peak_w / 1e3:.2f} "
            f"| {r.highest_w / 1e3:.2f} | {r.busy_frac:.0%} | {r.power_factor:.3f} |"
        )
    return tuple(lines)


def _plot(stem: str, file: NodeFile) -> Plot:
    """Readings one after the other, without the days between workloads."""
    step = np.diff(file.time_s, prepend=file.time_s[0])
    usual = float(np.median(step[1:])) if step.size > 1 else 1.0
    hours = np.cumsum(np.where(np.diff(file.run, prepend=file.run[0]) != 0, usual, step)) / 3600.0
    return Plot(f"fidelity-{stem}-power", "Power of the node", "kW", hours, "hours of metering", (("node", file.power_w / 1e3),))


NODE_METER = Recording("*-inference-meter*.parquet", COLUMNS, run)
