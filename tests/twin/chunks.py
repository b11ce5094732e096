"""Chunk functions for tests of engines; a module that loads quickly, for every worker imports it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from topology.errors import Finding, SiteError


def draws(shared: float, chunk: tuple[int, np.random.SeedSequence]) -> np.ndarray:
    number, seed = chunk
    return shared + number + np.random.default_rng(seed).normal(size=3)


def signalling(folder: str, chunk: int) -> tuple[int, float]:
    """Say by a file that the chunk runs, and wait until the test has done its deed."""
    Path(folder, f"{chunk}-{os.getpid()}").touch()
    until = time.monotonic() + 30.0
    while not Path(folder, "go").exists() and time.monotonic() < until:
        time.sleep(0.01)
    return chunk, float(np.random.default_rng(chunk).normal())


def killer(folder: str, pids: list[int]) -> None:
    """Kill the first of these processes that is at a chunk, then let the chunks end."""
    while True:
        for file in Path(folder).iterdir():
            pid = int(file.name.partition("-")[2])
            if pid in pids or not pids:
                os.kill(pid, signal.SIGKILL)
                Path(folder, "killed").write_text(str(pid))
                Path(folder, "go").touch()
                return
        time.sleep(0.01)


def deadly(folder: str, chunk: int) -> int:
    """Ends the worker at chunk 2."""
    if chunk == 2:
        Path(folder, str(time.monotonic_ns())).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return chunk


def faulty(shared: int, chunk: int) -> int:
    if chunk == shared:
        raise SiteError("the site cannot be used", [Finding("no such rack", "did you mean r1?", file="racks.csv", row=3)])
    return chunk
