"""The quality of telemetry as plain values and tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dashboards.exports.tables import Field, Table
from telemetry.quality.doubt import Doubt, stamp
from telemetry.quality.judge import Quality, Verdict
from topology.errors import TelemetryError
from twin.scale import Progress
from twin.trust import trust

if TYPE_CHECKING:
    from dashboards.session import Session

LOWEST = 20
"""Sensors that an answer lists."""


def judged(
    session: Session, start: dt.datetime | None = None, end: dt.datetime | None = None, step_s: float = 60.0,
    progress: Progress | None = None, engine: str = "serial",
) -> Quality:  # fmt: skip
    """Every sensor of a session's store over a window, on an engine of :mod:`twin.scale`.

    Raises:
        TelemetryError: there is no store, or it is empty.
        UsageError: a window, step or engine that is not possible.
    """
    if session.store is None:
        raise TelemetryError("quality needs telemetry: give --store DIR")
    return trust(session.plant, session.store, start, end, step_s, progress, engine)


def answer(quality: Quality, lowest: int = LOWEST) -> dict[str, Any]:
    """What ``racktwin quality --json`` prints."""
    scores = [v.score for v in quality.verdicts]
    return {
        "start": stamp(quality.start),
        "end": stamp(quality.end),
        "step_s": quality.step_s,
        "sensors": len(scores),
        "readings": sum(v.readings for v in quality.verdicts),
        "mean_score_frac": sum(scores) / len(scores) if scores else None,
        "sensors_below_90_pct": sum(s < 0.9 for s in scores),
        "findings": len(quality.doubts),
        "findings_by_reason": {k: len(v) for k, v in quality.reasons.items()},
        "doubts": [doubt(d) for d in quality.doubts],
        "lowest_scores": [verdict(v) for v in quality.verdicts[:lowest]],
    }


def doubt(d: Doubt) -> dict[str, Any]:
    """One doubt as plain values."""
    return {
        "element": d.element, "part": d.part, "quantity": d.quantity, "level": d.level, "detector": d.detector, "score_frac": d.score,
        "reason": d.reason, "since": stamp(d.since), "until": stamp(d.until), "samples": d.samples,
    }  # fmt: skip


def verdict(v: Verdict) -> dict[str, Any]:
    """One sensor as plain values."""
    worst = v.doubts[0] if v.doubts else None
    return {
        "element": v.sensor.element, "part": v.sensor.part, "quantity": v.sensor.quantity, "level": v.sensor.level,
        "score_frac": v.score, "coverage_frac": v.coverage, "readings": v.readings, "interval_s": v.interval_s,
        "detectors": sorted({d.detector for d in v.doubts}),
        "reason": worst.reason if worst else "", "since": stamp(worst.since) if worst else None,
    }  # fmt: skip


def doubt_table(doubts: Sequence[Doubt]) -> Table:
    """Doubtful stretches, for people to act on."""
    fields = (
        Field("element", "element"), Field("part", "part"), Field("quantity", "quantity"), Field("level", "level"),
        Field("detector", "test"), Field("since", "since"), Field("until", "until"), Field("score", "doubt", "", "number"),
        Field("samples", "readings", "", "integer"), Field("reason", "reason"),
    )  # fmt: skip
    rows = tuple(
        (d.element, d.part, d.quantity, d.level, d.detector, stamp(d.since), stamp(d.until), d.score, d.samples, d.reason) for d in doubts
    )
    return Table("doubts", "Doubtful stretches of readings", fields, rows)


def sensor_table(verdicts: Sequence[Verdict]) -> Table:
    """Sensors with their score, the lowest first."""
    fields = (
        Field("element", "element"), Field("part", "part"), Field("quantity", "quantity"), Field("level", "level"),
        Field("score_pct", "score", "%", "number"), Field("coverage_pct", "coverage", "%", "number"),
        Field("readings", "readings", "", "integer"), Field("detectors", "tests"), Field("since", "since"), Field("reason", "reason"),
    )  # fmt: skip
    rows = []
    for v in verdicts:
        r = verdict(v)
        rows.append((r["element"], r["part"], r["quantity"], r["level"], 100.0 * v.score, 100.0 * v.coverage, v.readings,
                     ", ".join(r["detectors"]), r["since"] or "", r["reason"]))  # fmt: skip
    return Table("sensors", "Every sensor, the lowest score first", fields, tuple(rows))
