"""All kinds of recordings, one file each; a new one is a file beside this and its name in the list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.fidelity.cluster import CLUSTER
from benchmarks.fidelity.fouled import report as fouled
from benchmarks.fidelity.frame import Report, Told
from benchmarks.fidelity.groups import GROUPS
from benchmarks.fidelity.hidden import report as hidden
from benchmarks.fidelity.node_meter import NODE_METER
from benchmarks.fidelity.planted import report as planted
from benchmarks.fidelity.pod import POD
from benchmarks.fidelity.supplies import SUPPLIES
from topology.errors import RacktwinError

RECORDINGS = (POD, SUPPLIES, CLUSTER, NODE_METER, GROUPS)
SYNTHETIC: tuple[Callable[[Told], Report], ...] = (hidden, fouled, planted)
"""What is held against synthetic plants, whose truth is known."""


def reports(folder: Path, told: Told) -> tuple[list[Report], list[str]]:
    """Run every recording of a folder.

    Args:
        folder: where the files are.
        told: told what is done.

    Returns:
        What was found, and one sentence for each kind that is absent and each file that cannot be used.
    """
    found: list[Report] = []
    absent: list[str] = []
    for kind in RECORDINGS:
        files = sorted(folder.glob(kind.pattern))
        if not files:
            absent.append(f"No file `{kind.pattern}`: left out.")
            told(absent[-1])
        for file in files:
            name = file.name
            try:
                found.append(kind.run(file, lambda text, name=name: told(f"{name}: {text}")))  # type: ignore[misc]
            except RacktwinError as fault:
                absent.append(f"`{name}` cannot be used: {fault}")
                told(absent[-1])
    return found, absent


def synthetic(told: Told) -> list[Report]:
    """Run everything on synthetic plants."""
    return [run(told) for run in SYNTHETIC]
