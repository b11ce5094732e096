"""What a recording's file gives: rows, findings, plots and a text for the page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.fidelity.draw import Plot
from topology.axes import Floats
from topology.errors import TelemetryError
from twin.forecast.calibrate import Calibration


@dataclass(frozen=True)
class Row:
    """One figure of a recording.

    Attributes:
        recording: file name without its ending.
        metric: what was measured.
        value: the figure.
        unit: its unit.
        goal: bound of its absolute value, or ``None``.
        met: whether it is kept; ``None`` without a goal.
        fitted_on: span of time that fitted.
        tested_on: span of time that tested.
    """

    recording: str
    metric: str
    value: float
    unit: str
    goal: float | None
    met: bool | None
    fitted_on: str
    tested_on: str


@dataclass(frozen=True)
class Spans:
    """The two parts of a recording, and rows about them.

    Attributes:
        recording: file name without its ending.
        fitted_on: span of time that fits.
        tested_on: span of time that tests.
    """

    recording: str
    fitted_on: str
    tested_on: str

    def row(self, metric: str, value: float, unit: str, goal: float | None = None, met: bool | None = None) -> Row:
        """A row; met if the absolute value is below the goal, where not told otherwise."""
        kept = met if goal is None or met is not None else bool(abs(value) < goal)
        return Row(self.recording, metric, float(value), unit, goal, kept, self.fitted_on, self.tested_on)

    def whole(self, metric: str, value: float, unit: str, goal: float | None = None) -> Row:
        """A row about all of the recording, with nothing fitted; met if the absolute value is below a goal, where there is one."""
        met = None if goal is None else bool(abs(value) < goal)
        return Row(self.recording, metric, float(value), unit, goal, met, "", "all")


@dataclass(frozen=True)
class Report:
    """What is found in one recording.

    Attributes:
        title: heading of its part of the page.
        rows: figures.
        text: paragraphs before the figures.
        findings: what is odd in the data, one sentence each.
        tables: further tables, heading and Markdown lines each.
        plots: pictures.
        files: further files to write, path below the output folder and text each.
    """

    title: str
    rows: tuple[Row, ...]
    text: tuple[str, ...]
    findings: tuple[str, ...]
    tables: tuple[tuple[str, tuple[str, ...]], ...] = ()
    plots: tuple[Plot, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


Told = Callable[[str], None]


@dataclass(frozen=True)
class Recording:
    """One kind of recording.

    Attributes:
        pattern: its file names.
        columns: columns that it must have.
        run: reads a file and reports; told what it is doing.
    """

    pattern: str
    columns: tuple[str, ...]
    run: Callable[[Path, Told], Report] = field(compare=False)


def read_columns(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """A Parquet file with at least these columns.

    Raises:
        TelemetryError: it cannot be read, a column is missing, or it has no rows.
    """
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as fault:
        raise TelemetryError(f"{path.name} cannot be read as Parquet: {fault}") from fault
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise TelemetryError(f"{path.name} has no column {', '.join(missing)} (it has {', '.join(map(str, table.columns))})")
    if table.empty:
        raise TelemetryError(f"{path.name} has no rows")
    return table


def seconds(time: pd.Series) -> Floats:
    """(N,) seconds since 1970 of times as text, timestamps (UTC without a zone) or numbers (seconds); NaN for what is no time."""
    if pd.api.types.is_numeric_dtype(time):
        return time.to_numpy(np.float64)
    written = None if pd.api.types.is_datetime64_any_dtype(time) else "ISO8601"
    stamps = pd.to_datetime(time, utc=True, errors="coerce", format=written)
    micro = stamps.astype("datetime64[us, UTC]").astype("int64").to_numpy(np.float64) / 1e6
    return np.where(stamps.isna().to_numpy(), np.nan, micro)


def span(start_s: float, end_s: float) -> str:
    """A span of time for people, UTC."""
    first, last = (dt.datetime.fromtimestamp(s, dt.UTC) for s in (start_s, end_s))
    same = first.date() == last.date()
    return f"{first:%Y-%m-%d %H:%M:%S} to {last:%H:%M:%S}" if same else f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S}"


def parameters(calibration: Calibration) -> tuple[str, ...]:
    """The constants of a fit as a Markdown table."""
    lines = [
        "| constant | value | 90 % interval | known beforehand | from the data? | prior from |",
        "| --- | ---: | --- | --- | --- | --- |",
    ]
    for name, f in calibration.fitted.items():
        told = "yes" if f.identifiable else "no: keeps its prior"
        lines.append(
            f"| {name} | {f.value:.4g} | {f.interval[0]:.4g} to {f.interval[1]:.4g} "
            f"| {f.prior.value:.4g} ({f.prior.interval[0]:.4g} to {f.prior.interval[1]:.4g}) | {told} | {f.prior.source} |"
        )
    return tuple(lines)
