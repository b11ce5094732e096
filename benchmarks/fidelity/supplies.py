"""Nodes in training with power metered before and after their supplies: what of the loss curve shows, peaks, swing, coincidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.fidelity.draw import Plot
from benchmarks.fidelity.frame import Recording, Report, Row, Spans, Told, parameters, read_columns, seconds, span
from topology.axes import Bools, Floats
from topology.errors import TelemetryError
from twin.forecast.calibrate import Grid, grid, identical, resampled, score, split_step
from twin.forecast.calibrate.scores import Score
from twin.forecast.supply import BEST, SupplyFit, fit_supply, titanium_floor

COLUMNS = ("node", "time", "ac_power_w", "dc_power_w")
BLOCK_S = 60.0
"""Length of the blocks whose means are compared: long against the seconds by which two readings of a row miss each other."""
NAMEPLATE_W = 10_200.0
"""Largest input of a node with eight H100 (NVIDIA, DGX H100 user guide)."""
PLAUSIBLE_PCT = 0.1
"""Largest distance of the interval from a plausible supply that counts as none [points]."""
SWING = (1.0, 99.0)
"""Percentiles between which a swing is counted."""

TEXT = (
    "Each node's power is read before (AC) and after (DC) its supplies. The supplies lose `a + b P + c P^2`; the two meters are off by "
    "unknown factors, whose quotient is the meter gain. At one load, gain and loss cannot be told apart by any number of readings: the fit "
    "says so and keeps what was known beforehand, the 80 PLUS Titanium floors for the curve and the stated accuracy of supply telemetry "
    "for the gain (READ_PIN within 5 %, READ_IOUT within 2 %). Series that are equal to the last bit count once.",
    "The steadier of the two readings predicts the other, in means over one minute and over the independent nodes; the first half of the "
    "time fits, the second tests.",
)


@dataclass(frozen=True)
class Nodes:
    """A recording on two grids.

    Attributes:
        fine: grid of about the readings' own distance.
        blocks: grid of the blocks.
        groups: names of the nodes with one and the same series; the first of each stands for it.
        ac_w: (T, N) of the independent nodes on the fine grid.
        dc_w: (T, N) likewise.
        mean_ac_w: (T,) mean over the independent nodes on the fine grid.
        block_ac_w: (B,) mean over the independent nodes in blocks.
        block_dc_w: (B,) likewise.
        above_frac: share of rows in which DC exceeds AC.
        quotient: mean of DC over mean of AC.
        rows: rows of the file.
    """

    fine: Grid
    blocks: Grid
    groups: tuple[tuple[str, ...], ...]
    ac_w: Floats
    dc_w: Floats
    mean_ac_w: Floats
    block_ac_w: Floats
    block_dc_w: Floats
    above_frac: float
    quotient: float
    rows: int


def read_nodes(path: Path) -> Nodes:
    """Read a recording; nodes and their number as the file has them."""
    table = read_columns(path, COLUMNS)
    time = seconds(table["time"])
    ac, dc = (table[c].to_numpy(np.float64) for c in ("ac_power_w", "dc_power_w"))
    by_node = {str(n): np.asarray(i) for n, i in table.groupby("node", sort=False).indices.items()}
    where = {n: i[np.argsort(time[i], kind="stable")] for n, i in by_node.items()}
    groups = identical({n: np.stack([time[i], ac[i], dc[i]]) for n, i in where.items()})
    usual = [float(np.median(np.diff(time[where[g[0]]]))) for g in groups if len(where[g[0]]) > 2]
    if not usual or min(usual) <= 0.0:
        raise TelemetryError(f"{path.name} has no node with readings at different times")
    fine, blocks = grid(time, max(round(float(np.median(usual))), 1.0)), grid(time, BLOCK_S)

    def columns(to: Grid, values: Floats) -> Floats:
        return np.stack([resampled(to, time[where[g[0]]], values[where[g[0]]]) for g in groups], axis=1)

    block_ac, block_dc = _means(columns(blocks, ac), columns(blocks, dc))
    fine_ac, fine_dc = columns(fine, ac), columns(fine, dc)
    mean_ac, _ = _means(fine_ac, fine_dc)
    return Nodes(
        fine, blocks, groups, fine_ac, fine_dc, mean_ac, block_ac, block_dc, float((dc > ac).mean()),
        float(np.nanmean(dc) / np.nanmean(ac)), len(table),
    )  # fmt: skip


def _means(ac: Floats, dc: Floats) -> tuple[Floats, Floats]:
    """(T,) means over the nodes that give both readings in a step, so that a node that is missing is missing from both."""
    both = np.isfinite(ac) & np.isfinite(dc)
    count = both.sum(axis=1)
    return tuple(np.where(count > 0, np.where(both, v, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan) for v in (ac, dc))  # type: ignore[return-value]


def run(path: Path, told: Told) -> Report:
    """Fit and test one file."""
    told("reading")
    nodes = read_nodes(path)
    told(f"{nodes.rows:,} rows of {sum(len(g) for g in nodes.groups)} nodes, {len(nodes.groups)} independent; fitting")
    split = split_step(nodes.blocks.steps)
    before = np.arange(nodes.blocks.steps) < split
    unrest = (_unrest(nodes.ac_w), _unrest(nodes.dc_w))
    fit = fit_supply(nodes.block_ac_w, nodes.block_dc_w, unrest, before, NAMEPLATE_W)
    start, at = nodes.blocks.start_s, nodes.blocks.start_s + split * BLOCK_S
    spans = Spans(path.stem, span(start, at), span(at, start + nodes.blocks.steps * BLOCK_S))
    return Report(
        title=f"{path.name}: supplies of {sum(len(g) for g in nodes.groups)} nodes",
        rows=(*_supply_rows(fit, before, nodes, spans), *_peak_rows(nodes, spans)),
        text=TEXT,
        findings=tuple(_findings(nodes, fit)),
        tables=(("Constants of the supplies", parameters(fit.calibration)), ("Power of each independent node (AC)", _nodes_table(nodes))),
        plots=_plots(path.stem, nodes, fit, at),
    )


def _unrest(values: Floats) -> float:
    """Usual movement of a node between neighbouring steps, relative to its mean."""
    step = np.diff(values, axis=0)
    return float(np.sqrt(np.nanmean(step**2)) / np.nanmean(values))


def _supply_rows(fit: SupplyFit, before: Bools, nodes: Nodes, spans: Spans) -> Iterator[Row]:
    low, high = fit.efficiency_interval
    floor = titanium_floor(min(fit.load_w / NAMEPLATE_W, 1.0))
    apart = max(low - BEST, floor - high, 0.0)
    yield spans.row("supply efficiency at mean load", 100 * fit.efficiency_frac, "%")
    yield spans.row("supply efficiency, low end of its 90 % interval", 100 * low, "%")
    yield spans.row("supply efficiency, high end of its 90 % interval", 100 * high, "%")
    named = f"Titanium floor {100 * floor:.1f} to {100 * BEST:.0f} %"
    yield spans.row(f"distance of that interval from a plausible supply ({named})", 100 * apart, "%", PLAUSIBLE_PCT)
    yield spans.row("meter gain times efficiency at mean load", 100 * fit.product_frac, "%")
    half = 0.5 * (fit.product_interval[1] - fit.product_interval[0])
    yield spans.row("half width of its 90 % interval", 100 * half, "%")
    yield spans.row("DC over AC as read", 100 * nodes.quotient, "%")
    told = sum(f.identifiable for f in fit.calibration.fitted.values())
    yield spans.row(f"constants that data can tell, of {len(fit.calibration.fitted)}", told, "constants")
    found = score(fit.predicted_w, fit.measured_w, ~before)
    which = "DC from AC" if fit.from_ac else "AC from DC"
    yield from _score_rows(spans, f"{which} in the mean of all nodes, one-minute means", found)


def _score_rows(spans: Spans, name: str, found: Score) -> Iterator[Row]:
    yield spans.row(f"{name}, CV-RMSE", 100 * found.cv_rmse_frac, "%")
    yield spans.row(f"{name}, NMBE", 100 * found.nmbe_frac, "%")


def _swing(values: Floats) -> Floats:
    low, high = np.nanpercentile(values, SWING, axis=0)
    return np.asarray(high - low)


def _peak_rows(nodes: Nodes, spans: Spans) -> Iterator[Row]:
    ac = nodes.ac_w
    total = nodes.mean_ac_w * len(nodes.groups)
    peak, mean, swing = np.nanmax(ac, axis=0), np.nanmean(ac, axis=0), _swing(ac)
    step = f"{nodes.fine.step_s:g} s"
    yield spans.whole("independent nodes", len(nodes.groups), "nodes")
    yield spans.whole(f"largest peak of a node ({step})", float(peak.max()) / 1e3, "kW")
    yield spans.whole("mean of a node", float(mean.mean()) / 1e3, "kW")
    yield spans.whole("swing of a node (1 % to 99 %), mean", float(swing.mean()) / 1e3, "kW")
    yield spans.whole("swing of the sum over its mean", 100 * float(_swing(total) / np.nanmean(total)), "%")
    yield spans.whole("swing of a node over its mean", 100 * float((swing / mean).mean()), "%")
    yield spans.whole("coincidence: peak of the sum over sum of the peaks", 100 * float(np.nanmax(total) / peak.sum()), "%")
    yield spans.whole("largest peak over nameplate of 10.2 kW", 100 * float(peak.max()) / NAMEPLATE_W, "%")
    yield spans.whole("peak of the sum over sum of the nameplates", 100 * float(np.nanmax(total)) / (NAMEPLATE_W * len(nodes.groups)), "%")


def _findings(nodes: Nodes, fit: SupplyFit) -> Iterator[str]:
    copies = [g for g in nodes.groups if len(g) > 1]
    if copies:
        shown = ", ".join(" = ".join(g) for g in copies[:6]) + (", ..." if len(copies) > 6 else "")
        yield (
            f"{len(copies)} groups of nodes carry series that are equal to the last bit ({shown}): {len(nodes.groups)} of "
            f"{sum(len(g) for g in nodes.groups)} nodes are independent, and only those count here."
        )
    reach = "better than any supply: averaging does not remove a gain" if nodes.quotient > BEST else "within what supplies reach"
    yield (
        f"DC exceeds AC in {nodes.above_frac:.0%} of the rows: the two readings of a row are not simultaneous. The quotient of the means, "
        f"{nodes.quotient:.3f}, is {reach}."
    )
    unknown = [n for n, f in fit.calibration.fitted.items() if not f.identifiable]
    gain = fit.calibration.fitted["gain"]
    yield (
        f"Meter gain DC over AC: {gain.value:.3f}, 90 % interval {gain.interval[0]:.3f} to {gain.interval[1]:.3f} with the prior "
        f"{gain.prior.interval[0]:.3f} to {gain.prior.interval[1]:.3f} ({gain.prior.source})."
    )
    if unknown:
        yield f"Not told by these data, and left at what was known beforehand: {', '.join(unknown)}."


def _nodes_table(nodes: Nodes) -> tuple[str, ...]:
    peak, mean, swing = np.nanmax(nodes.ac_w, axis=0), np.nanmean(nodes.ac_w, axis=0), _swing(nodes.ac_w)
    lines = ["| nodes | mean kW | peak kW | swing kW (1 % to 99 %) | peak over nameplate |", "| --- | ---: | ---: | ---: | ---: |"]
    for k, g in enumerate(nodes.groups):
        cells = f"{mean[k] / 1e3:.2f} | {peak[k] / 1e3:.2f} | {swing[k] / 1e3:.2f} | {peak[k] / NAMEPLATE_W:.0%}"
        lines.append(f"| {', '.join(g)} | {cells} |")
    return tuple(lines)


def _plots(stem: str, nodes: Nodes, fit: SupplyFit, at: float) -> tuple[Plot, ...]:
    minutes = (nodes.blocks.middle_s - nodes.blocks.start_s) / 60.0
    split = (at - nodes.blocks.start_s) / 60.0
    which = ("DC", "AC") if fit.from_ac else ("AC", "DC")
    lines = ((f"{which[0]}, measured", fit.measured_w / 1e3), (f"{which[0]}, from {which[1]}", fit.predicted_w / 1e3))
    fine = (nodes.fine.middle_s - nodes.blocks.start_s) / 60.0
    count = len(nodes.groups)
    both = ((f"mean of {count} nodes", nodes.mean_ac_w / 1e3), (f"one node ({nodes.groups[0][0]})", nodes.ac_w[:, 0] / 1e3))
    label = "minutes since the begin"
    return (
        Plot(f"fidelity-{stem}-supplies", "Mean of all nodes after and before their supplies", "kW", minutes, label, lines, split),
        Plot(f"fidelity-{stem}-swing", "AC power: one node and the mean of all", "kW", fine, label, both),
    )


SUPPLIES = Recording("h100-training*.parquet", COLUMNS, run)
