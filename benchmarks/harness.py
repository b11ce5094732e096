"""Rows of a benchmark run, and how they are timed: interleaved repeats, medians."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        name: what was measured, on what.
        ours: our figure.
        peer: the peer's figure, or the goal where there is no peer.
        peer_name: who the peer is.
        unit: unit of both.
        ratio: ours over peer.
        goal: largest ratio that counts as met.
        met: whether it is.
    """

    name: str
    ours: float
    peer: float
    peer_name: str
    unit: str
    ratio: float
    goal: float
    met: bool


def row(name: str, ours: float, peer: float, peer_name: str, unit: str, goal: float = 1.0) -> Row:
    """A row whose ratio must not exceed the goal."""
    ratio = ours / peer
    return Row(name, ours, peer, peer_name, unit, ratio, goal, ratio <= goal)


def medians(*works: Callable[[], object], repeats: int = 5) -> list[float]:
    """Median seconds of each piece of work, run in turn after one run that does not count."""
    return medians_told(*(partial(seconds, w) for w in works), repeats=repeats)


def medians_told(*works: Callable[[], float], repeats: int = 5) -> list[float]:
    """Median of what each piece of work says that it took, run in turn after one run that does not count."""
    spent: list[list[float]] = [[] for _ in works]
    for n in range(repeats + 1):
        for k, work in enumerate(works):
            taken = work()
            if n:
                spent[k].append(taken)
    return [statistics.median(s) for s in spent]


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Wall seconds of one of so many calls."""
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times


def write(rows: Sequence[Row], results: Path, page: Path, notes: Sequence[str]) -> None:
    """Write the rows as JSON and as a page for people."""
    results.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")
    packages = ", ".join(f"{n} {version(n)}" for n in ("numpy", "scipy", "numba", "pandas", "pyarrow", "deltalake"))
    hardware = f"{os.cpu_count()} cores of {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    machine = f"{hardware}, {platform.system()}, Python {platform.python_version()}, {packages}"
    lines = [
        "# How fast is it?",
        "",
        f"Written by `make bench` on {dt.datetime.now(dt.UTC):%Y-%m-%d}: {machine}.",
        "Medians of interleaved repeats in one run; one thread each unless the name says more. Machines are noisy: read the ratios.",
        "",
        "| work | ours | peer | | ratio | goal | met |",
        "| --- | ---: | ---: | --- | ---: | ---: | --- |",
        *(_line(r) for r in rows),
        "",
        *notes,
    ]
    page.write_text("\n".join(lines).rstrip() + "\n")


def _line(r: Row) -> str:
    cells = (
        r.name,
        f"{r.ours:.4g} {r.unit}",
        f"{r.peer:.4g} {r.unit}",
        r.peer_name,
        f"{r.ratio:.3g}",
        f"{r.goal:g}",
        "yes" if r.met else "no",
    )
    return "| " + " | ".join(cells) + " |"
