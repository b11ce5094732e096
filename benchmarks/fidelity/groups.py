"""A day of a supercomputer's rack groups: stored, replayed through the twin, its ledger, and its ramps as events."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.fidelity.draw import Plot
from benchmarks.fidelity.frame import Recording, Report, Row, Spans, Told, read_columns
from telemetry.ingest import IngestReport, ingest
from telemetry.quality.judge import Quality
from telemetry.store import Store
from topology.axes import Floats
from topology.errors import TelemetryError
from topology.generate import generate
from topology.plant import Plant, plant
from twin.forecast.follow import Replay, follow
from twin.forecast.gaps import held
from twin.forecast.ramps import SHARE, WINDOW_S, Ramp, ramps
from twin.loads import from_utilisation
from twin.trust import trust

COLUMNS = ("time", "power[1]")
LEDGER_GOAL, POWER_GOAL = 1e-9, 1e-9
LISTED = 40
"""Ramps that the page lists, the largest first; the rows count all."""

TEXT = (
    "Power of groups of racks, each behind one CDU, and the outdoor wet bulb, ingested into a store through the mapping of such files and "
    "replayed step by step through the twin of that plant (`racktwin site new --template frontier`): a group's power is shared over its "
    "racks, losses, coolant, pumps and towers follow. Power is used as it was read, also below idle and above the published peak of "
    "its racks; how often is a finding. Nothing is fitted.",
    f"Ramps are events: power differs by {SHARE:.0%} or more of the highest of its series from what it was {WINDOW_S / 60:g} minutes "
    "before; windows that overlap and go the same way are one event, cut to where power turned (`twin/forecast/ramps.py`; "
    "`racktwin replay` lists those of any window). A group takes part if a ramp of its own goes the same way at the same time.",
    "Limits: no temperature, flow or pump power was recorded, so heat and cooling are the twin's alone and nothing here checks them.",
)


@dataclass(frozen=True)
class GroupsFile:
    """A recording.

    Attributes:
        time_s: (T,) times as in the file.
        step_s: usual distance.
        group_w: (T, G) power, NaN for gaps.
    """

    time_s: Floats
    step_s: float
    group_w: Floats


def read_groups(path: Path) -> GroupsFile:
    """Read the power of any number of groups."""
    table = read_columns(path, COLUMNS)
    names = sorted((c for c in table.columns if c.startswith("power[") and c[6:-1].isdigit()), key=lambda c: int(c[6:-1]))
    time = pd.to_numeric(table["time"], errors="coerce").to_numpy(np.float64)
    good = np.flatnonzero(np.isfinite(time))
    order = good[np.argsort(time[good], kind="stable")]
    apart = np.diff(time[order])
    if not (apart > 0.0).any():
        raise TelemetryError(f"{path.name} has no two readings at different times")
    return GroupsFile(time[order], float(np.median(apart[apart > 0.0])), table[names].to_numpy(np.float64)[order])


def run(path: Path, told: Told) -> Report:
    """Store, replay and describe one file."""
    told("reading")
    file = read_groups(path)
    built = plant(generate("frontier"))
    with tempfile.TemporaryDirectory() as folder:
        told("ingesting")
        stored = ingest(built.site, path, Path(folder) / "store")
        told("replaying")
        store = Store.open(Path(folder) / "store")
        replay = follow(built, store, step_s=file.step_s)
        told("judging the sensors")
        quality = trust(built, store, step_s=file.step_s)
    groups = held(file.group_w)
    total = groups.sum(axis=1)
    found = ramps(total, file.step_s)
    own = [ramps(groups[:, g], file.step_s) for g in range(groups.shape[1])]
    together = [sum(any(_meets(r, o) for o in each) for each in own) for r in found]
    spans = Spans(path.stem, "", "all")
    return Report(
        title=f"{path.name}: {groups.shape[1]} groups of racks over {(file.time_s[-1] - file.time_s[0]) / 3600:.1f} hours",
        rows=(
            *_replay_rows(file, stored, replay, built, spans),
            *_ramp_rows(file, total, found, own, together, spans),
            *_quality_rows(quality, spans),
        ),
        text=TEXT,
        findings=tuple(_findings(file, replay, built)),
        tables=((f"Ramps of the sum, the largest {min(len(found), LISTED)} in order of time", _ramp_table(file, found, together)),),
        plots=(_plot(path.stem, file, total, replay, found),),
    )


def _meets(one: Ramp, other: Ramp) -> bool:
    return one.change_w * other.change_w > 0.0 and one.first < other.last and other.first < one.last


def _quality_rows(quality: Quality, spans: Spans) -> Iterator[Row]:
    """What ``racktwin quality`` says of the recording."""
    yield spans.whole("findings about its sensors (racktwin quality)", len(quality.doubts), "")
    yield spans.whole("mean score of its sensors", float(np.mean([v.score for v in quality.verdicts])), "")


def _replay_rows(file: GroupsFile, stored: IngestReport, replay: Replay, built: Plant, spans: Spans) -> Iterator[Row]:
    rack_w = replay.rack_w.sum(axis=1)
    same = rack_w.size == file.time_s.size
    measured = float(np.nansum(file.group_w))
    yield spans.whole("readings stored", stored.rows_stored, "readings")
    yield spans.whole("readings quarantined", stored.rows_quarantined, "readings")
    yield spans.whole("steps replayed", replay.frames, "steps")
    yield spans.whole("rack powers that were not measured and filled", int(replay.assumed.sum()), "samples")
    yield spans.whole("largest residual of the ledger, relative", float(replay.residual_frac.max()), "", LEDGER_GOAL)
    if same and not replay.assumed.any():
        yield spans.whole("energy replayed against energy in the file, relative", abs(rack_w.sum() / measured - 1.0), "", POWER_GOAL)
    yield spans.whole("energy of the racks' input", float(rack_w.sum() * file.step_s) / 3.6e9, "MWh")
    yield spans.whole("conversion losses over the racks' input", 100 * float(replay.loss_w.sum() / rack_w.sum()), "%")
    at_input = float(replay.site_w.sum() / (replay.it_w + replay.loss_w).sum())
    yield spans.whole("PUE at the racks' input, of the twin", at_input, "")
    yield spans.whole("wet bulb, highest", float(replay.wet_bulb_c.max()), "degC")
    lowest = int(replay.lowest_frac.argmin())
    name = f"{replay.limits.element[lowest]} {replay.limits.limit[lowest]}"
    yield spans.whole(f"lowest margin of the day ({name})", 100 * float(replay.lowest_frac[lowest]), "%")


def _ramp_rows(
    file: GroupsFile, total: Floats, found: tuple[Ramp, ...], own: list[tuple[Ramp, ...]], together: list[int], spans: Spans
) -> Iterator[Row]:
    yield spans.whole("ramps of the sum", len(found), "events")
    yield spans.whole("ramps of single groups", sum(len(o) for o in own), "events")
    yield spans.whole("lowest power of the sum", float(total.min()) / 1e6, "MW")
    yield spans.whole("highest power of the sum", float(total.max()) / 1e6, "MW")
    if not found:
        return
    for name, kept in (("up", [r for r in found if r.change_w > 0.0]), ("down", [r for r in found if r.change_w < 0.0])):
        if kept:
            yield spans.whole(f"largest ramp {name}", max(abs(r.change_w) for r in kept) / 1e6, "MW")
            yield spans.whole(f"steepest ramp {name}", max(abs(r.steepest_w_s) for r in kept) * 60 / 1e6, "MW/min")
    lengths = [(r.last - r.first) * file.step_s for r in found]
    yield spans.whole("length of a ramp, median", float(np.median(lengths)) / 60.0, "min")
    yield spans.whole("groups that take part in a ramp, median", 100 * float(np.median(together)) / len(own), "%")


def _findings(file: GroupsFile, replay: Replay, built: Plant) -> Iterator[str]:
    odd = [f for f in replay.findings if "lie below idle" in f.message]
    others = [f for f in replay.findings if "lie below idle" not in f.message]
    idle, full = from_utilisation(built, 0.0).rack_w[0], from_utilisation(built, 1.0).rack_w[0]
    number = {name: k for k, name in enumerate(built.racks.ids)}
    below = above = count = 0
    for g, meter in zip(range(file.group_w.shape[1]), built.site.meters.values(), strict=False):
        own = [number[r] for r in meter.covers]
        known = file.group_w[:, g][np.isfinite(file.group_w[:, g])]
        below, above, count = below + int((known < idle[own].sum()).sum()), above + int((known > full[own].sum()).sum()), count + known.size
    if below or above:
        yield (
            f"{below / count:.1%} of the groups' samples lie below the idle power of their racks and {above / count:.1%} above their full "
            f"power, by the published constants, in {len(odd)} groups: the recording is not on these constants. It is used as it is."
        )
    for f in odd[:3]:
        yield f"{f.message}."
    if len(odd) > 3:
        yield f"... and {len(odd) - 3} groups more of the same kind."
    for f in others[:10]:
        yield f"{f.message}."
    gaps = np.diff(file.time_s)
    if (gaps > 3.0 * file.step_s).any():
        yield f"{int((gaps > 3.0 * file.step_s).sum())} gaps of more than three steps, the longest {gaps.max():,.0f} s."
    same = float(np.mean(np.diff(file.group_w, axis=0) == 0.0))
    if same > 0.2:
        yield f"{same:.0%} of the groups' readings equal the one before, to the last digit: power is told in steps of a coarser clock."


def _ramp_table(file: GroupsFile, found: tuple[Ramp, ...], together: list[int]) -> tuple[str, ...]:
    lines = ["| from h | minutes | change MW | steepest MW/min | groups |", "| ---: | ---: | ---: | ---: | ---: |"]
    kept = sorted(sorted(range(len(found)), key=lambda k: -abs(found[k].change_w))[:LISTED])
    for k in kept:
        r = found[k]
        start = (file.time_s[r.first] - file.time_s[0]) / 3600.0
        minutes = (file.time_s[r.last] - file.time_s[r.first]) / 60.0
        lines.append(f"| {start:.2f} | {minutes:.1f} | {r.change_w / 1e6:+.2f} | {r.steepest_w_s * 60 / 1e6:+.2f} | {together[k]} |")
    return tuple(lines)


def _plot(stem: str, file: GroupsFile, total: Floats, replay: Replay, found: tuple[Ramp, ...]) -> Plot:
    hours = (file.time_s - file.time_s[0]) / 3600.0
    shaded = tuple((float(hours[r.first]), float(hours[r.last])) for r in found)
    lines = [("groups as read", total / 1e6)]
    if replay.frames == hours.size:
        lines.append(("site, twin", replay.site_w / 1e6))
    return Plot(f"fidelity-{stem}-power", "Power, with its ramps", "MW", hours, "hours since the begin", tuple(lines), None, shaded)


GROUPS = Recording("frontier-cdu*.parquet", COLUMNS, run)
