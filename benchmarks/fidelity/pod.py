"""A measured pod of air-cooled racks: heat out and temperatures from the servers' power and the coolers' commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.fidelity.beats import beat_findings, beat_table
from benchmarks.fidelity.draw import Plot
from benchmarks.fidelity.frame import Recording, Report, Row, Spans, Told, parameters, span
from benchmarks.fidelity.podfile import COLUMNS, PodFile, read_pod
from benchmarks.fidelity.sensed import quality_findings
from topology.axes import Bools, Floats
from twin.forecast.calibrate import Jump, constant_ratio, jumps, lagged_regression, score, split_step
from twin.forecast.pod import PodFit, fit_pod, rack_mean

STEP_S = 30.0
CV_GOAL_FRAC, BIAS_GOAL_FRAC, TEMP_GOAL_K = 0.05, 0.02, 1.0
OTHER_SPLITS = (0.4, 0.6)
"""Shares of the time that fit in the check of stability."""
COLD_BELOW = 0.5
"""Place between cold (0) and hot aisle (1) above which a sensor is not in the cold one."""

TEXT = (
    "Power of the servers, speed of their fans, signals of the coolers' fans and the room set-point drive a model of the pod: servers with "
    "thermal mass, hot aisle, structure, coolers with a set-point and a coil limit, cold aisle, and a heat meter with its lag "
    "(`twin/solvers/pod.py`, implicit steps). Its constants have priors that hold for any pod (`twin/forecast/pod.py`) and are fitted on "
    "the first half of the time. The run goes through to the end with those constants; what was measured after the split is only compared.",
    "Readings come at ragged times: a sensor that reads at least once a step gives the mean of each step, a slower one a straight line "
    "between its readings; gaps of more than three usual distances stay empty (power of a rack is then that of its other servers). A heat "
    "reading that jumps by more than the servers' power moved in the ten minutes before is quarantined with the ten minutes that follow; "
    "rows say what the errors are with and without it. Errors after ASHRAE Guideline 14, bias as prediction minus measurement.",
    "Limits: one hot and one cold aisle, so a sensor that hangs at one place follows only as far as the load stays where it was; air "
    "flow is proportional to fan speed and signal; chilled water is taken to suffice (the coil limit keeps its prior unless it was "
    "reached); a change of the coolers' own set-point that no signal shows is not known. A recording whose first part has hardly any "
    "change of load leaves most constants at their priors. Constants are fitted before the split only; which nodes and "
    "layers the model has was settled while looking at the whole of one recording and at excerpts of it.",
)


def run(path: Path, told: Told) -> Report:
    """Fit and test one file."""
    file = read_pod(path, STEP_S, told)
    split = split_step(file.grid.steps)
    bad, dropped = jumps(file.measured.heat_w, file.drive.rack_w.sum(axis=1), STEP_S)
    told("fitting")
    spans = Spans(path.stem, *_parts(file, split))
    fit = _fit(file, split, bad)
    rows = (*_rows(file, fit, split, bad, spans), *_stability(file, bad, spans, told))
    return Report(
        title=f"{path.name}: a pod of {len(file.racks)} air-cooled racks",
        rows=rows,
        text=TEXT,
        findings=(*_findings(file, fit, dropped), *quality_findings(path, STEP_S)),
        tables=(("Constants of the pod", parameters(fit.calibration)), ("Sensors by quantity", beat_table(file.beats))),
        plots=_plots(path.stem, file, fit, split, dropped),
    )


def _parts(file: PodFile, split: int) -> tuple[str, str]:
    at = file.grid.start_s + split * STEP_S
    return span(file.grid.start_s, at), span(at, file.grid.start_s + file.grid.steps * STEP_S)


def _fit(file: PodFile, split: int, bad: Bools) -> PodFit:
    measured = file.measured
    kept = type(measured)(
        np.where(bad, np.nan, measured.heat_w), measured.outlet_c, measured.inlet_c, measured.return_c, measured.supply_c, measured.local_c
    )
    return fit_pod(file.drive, kept, split)


def _rows(file: PodFile, fit: PodFit, split: int, bad: Bools, spans: Spans) -> Iterator[Row]:
    index = np.arange(file.grid.steps)
    test, seen = index >= split, (index < split) & ~bad
    heat, it = file.measured.heat_w, _driving(file)
    if _comparable(heat, test & ~bad):
        ours = score(fit.heat_w, heat, test & ~bad)
        yield spans.row("heat out, CV-RMSE", 100 * ours.cv_rmse_frac, "%", 100 * CV_GOAL_FRAC)
        yield spans.row("heat out, NMBE", 100 * ours.nmbe_frac, "%", 100 * BIAS_GOAL_FRAC)
        for name, other in (
            ("lagged regression of IT power", lagged_regression(it, heat, seen, STEP_S)),
            ("constant ratio to IT power", constant_ratio(it, heat, seen)),
        ):
            theirs = score(other, heat, test & ~bad)
            yield spans.row(f"heat out by {name}, CV-RMSE", 100 * theirs.cv_rmse_frac, "%")
            yield spans.row(f"heat out by {name}, NMBE", 100 * theirs.nmbe_frac, "%")
        yield spans.row("heat out with quarantined readings, CV-RMSE", 100 * score(fit.heat_w, heat, test).cv_rmse_frac, "%")
        yield spans.row("quarantined heat readings of the tested part", int((bad & test).sum()), "steps")
    servers = file.drive.servers
    outlet, model = rack_mean(file.measured.outlet_c, servers), rack_mean(fit.outlet_c, servers)
    pairs = [("outlet of the servers", model, outlet), ("cold aisle at the servers' inlets", fit.inlet_c, file.measured.inlet_c)]
    pairs += [(_place(n, fit.warmth[n]), fit.local_c[n], file.measured.local_c[n]) for n in fit.local_c if "rear" not in n]
    for name, predicted, measured in pairs:
        if _comparable(measured, test) and np.isfinite(predicted).any():
            yield spans.row(f"{name}, RMSE", score(predicted, measured, test).rmse, "K", TEMP_GOAL_K)
    yield from _other_temperatures(file, fit, test, spans)
    if np.isfinite(heat).any() and np.isfinite(file.fed_w).any():
        yield spans.whole("heat out over electrical power in", 100 * float(np.nanmean(heat) / np.nanmean(file.fed_w)), "%")


def _other_temperatures(file: PodFile, fit: PodFit, test: Bools, spans: Spans) -> Iterator[Row]:
    """Rows without a goal of their own."""
    errors = [
        score(fit.outlet_c[:, r], file.measured.outlet_c[:, r], test).rmse
        for r in range(len(file.racks))
        if _comparable(file.measured.outlet_c[:, r], test)
    ]
    if errors:
        yield spans.row("outlet of single racks, median of their RMSE", float(np.median(errors)), "K")
        yield spans.row("outlet of single racks, largest RMSE", float(np.max(errors)), "K")
    for name, predicted, measured in (
        ("return of the coolers", fit.return_c, file.measured.return_c),
        ("supply of the coolers", fit.supply_c, file.measured.supply_c),
        *((n, fit.local_c[n], file.measured.local_c[n]) for n in fit.local_c if "rear" in n),
    ):
        if _comparable(measured, test) and np.isfinite(predicted).any():
            yield spans.row(f"{name}, RMSE", score(predicted, measured, test).rmse, "K")


def _stability(file: PodFile, bad: Bools, spans: Spans, told: Told) -> Iterator[Row]:
    """The same with the split moved: a model with too many constants shows here."""
    for share in OTHER_SPLITS:
        split = split_step(file.grid.steps, share)
        test = np.arange(file.grid.steps) >= split
        if not _comparable(file.measured.heat_w, test & ~bad):
            continue
        told(f"fitting on the first {share:.0%}")
        moved = Spans(spans.recording, *_parts(file, split))
        found = score(_fit(file, split, bad).heat_w, file.measured.heat_w, test & ~bad)
        yield moved.row(f"heat out, split at {share:.0%} of the time, CV-RMSE", 100 * found.cv_rmse_frac, "%", 100 * CV_GOAL_FRAC)
        yield moved.row(f"heat out, split at {share:.0%} of the time, NMBE", 100 * found.nmbe_frac, "%", 100 * BIAS_GOAL_FRAC)


def _driving(file: PodFile) -> Floats:
    """IT power as metered; the servers' own reports where there is no meter."""
    return file.it_w if np.isfinite(file.it_w).all() else np.where(np.isfinite(file.it_w), file.it_w, file.drive.rack_w.sum(axis=1))


def _comparable(measured: Floats, where: Bools) -> bool:
    return int(np.isfinite(measured[where]).sum()) >= 2


def _place(name: str, warmth: float) -> str:
    return f"{name} (reads {100 * warmth:.0f} % of the way from cold to hot aisle)"


def _findings(file: PodFile, fit: PodFit, dropped: tuple[Jump, ...]) -> Iterator[str]:
    for jump in dropped:
        when = span(file.grid.start_s + jump.first * STEP_S, file.grid.start_s + (jump.last + 1) * STEP_S)
        yield f"Heat readings quarantined, {when} ({jump.last - jump.first + 1} steps): {jump.reason}."
    if file.refused:
        yield f"{file.refused:,} readings have no time or no number and are left out."
    holed = [b for b in file.beats if b.holed and b.longest_s > STEP_S]
    if holed:
        worst = sorted(holed, key=lambda b: -b.longest_s / max(b.usual_s, 1e-9))
        named = "; ".join(f"{b.quantity} {b.sensor} up to {b.longest_s:,.0f} s instead of {b.usual_s:,.0f} s" for b in worst[:8])
        yield f"{len(holed)} sensors have gaps of more than three usual distances: {named}{'; ...' if len(worst) > 8 else ''}."
    yield from beat_findings(file.beats)
    if file.strangers:
        shown = ", ".join(file.strangers[:8]) + (", ..." if len(file.strangers) > 8 else "")
        yield f"{len(file.strangers)} temperature sensors belong to no server that reports power: {shown}. They count in their rack's mean."
    for name, warmth in fit.warmth.items():
        if "cold" in name and warmth > COLD_BELOW:
            yield (
                f"{name} is named after the cold aisle but follows the hot one: fitted, it moves {warmth:.0%} of the way from the model's "
                "cold to its hot aisle, and it is warmer than the servers' inlets. It hangs at one place, so which racks carry the load "
                "matters to it; the pod's one hot-aisle temperature does not know that."
            )


def _plots(stem: str, file: PodFile, fit: PodFit, split: int, dropped: tuple[Jump, ...]) -> tuple[Plot, ...]:
    hours = (file.grid.middle_s - file.grid.start_s) / 3600.0
    at, label = split * STEP_S / 3600.0, "hours since the begin"
    shaded = tuple((d.first * STEP_S / 3600.0, (d.last + 1) * STEP_S / 3600.0) for d in dropped)
    servers = file.drive.servers
    heat = (("measured", file.measured.heat_w / 1e3), ("twin", fit.heat_w / 1e3), ("servers' power", file.drive.rack_w.sum(axis=1) / 1e3))
    warm = (
        ("outlet, measured", rack_mean(file.measured.outlet_c, servers)), ("outlet, twin", rack_mean(fit.outlet_c, servers)),
        ("inlet, measured", file.measured.inlet_c), ("inlet, twin", fit.inlet_c),
        ("return, measured", file.measured.return_c), ("return, twin", fit.return_c),
    )  # fmt: skip
    plots = [Plot(f"fidelity-{stem}-heat", "Heat out", "kW", hours, label, heat, at, shaded)]
    plots.append(Plot(f"fidelity-{stem}-temperatures", "Air", "degC", hours, label, warm, at))
    named = [n for n in fit.local_c if n.startswith("`") and np.isfinite(fit.local_c[n]).any()]
    for n in named:
        lines = (("measured", file.measured.local_c[n]), ("twin", fit.local_c[n]))
        plots.append(Plot(f"fidelity-{stem}-{n.strip('`')}", n.strip("`"), "degC", hours, label, lines, at))
    return tuple(plots)


POD = Recording("ice-pod*.parquet", COLUMNS, run)
