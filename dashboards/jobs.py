"""Long work behind a page: one thread a job, with progress that a page can poll, and a way to stop it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from topology.errors import Cancelled, RacktwinError

Progress = Callable[[int, int], None]
"""Called with (done, total)."""
KEPT = 32
"""Finished jobs that a registry remembers."""


@dataclass
class Job:
    """One piece of work; its fields are written by its own thread only, except for ``stop``.

    Attributes:
        state: ``running``, ``done``, ``cancelled`` or ``failed``.
        done: steps of the present pass that are done.
        total: steps of the present pass.
        passes: passes begun; work that searches goes over its cases several times.
        result: what it returned.
        error: why it failed, for people.
        began_s: clock at its start.
        ended_s: clock at its end, 0 while it runs.
        stop: set to cancel it.
    """

    state: str = "running"
    done: int = 0
    total: int = 0
    passes: int = 1
    result: Any = None
    error: str = ""
    began_s: float = field(default_factory=time.monotonic)
    ended_s: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def elapsed_s(self) -> float:
        """Time that it has run."""
        return (self.ended_s or time.monotonic()) - self.began_s

    def _tell(self, done: int, total: int) -> None:
        if self.stop.is_set():
            raise Cancelled("stopped by the user")
        if done < self.done:
            self.passes += 1
        self.done, self.total = done, total

    def _run(self, work: Callable[[Progress], Any]) -> None:
        state, error = "failed", "it ended unexpectedly; the log of the server says why"
        try:
            self.result = work(self._tell)
            state, error = "done", ""
        except Cancelled:
            state, error = "cancelled", ""
        except RacktwinError as fault:
            error = str(fault)
        finally:
            self.error, self.ended_s = error, time.monotonic()
            self.state = state


class Jobs:
    """The jobs of one console, by what they work out; asking twice for the same attaches to the one that runs."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[Hashable, Job] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, key: Hashable, work: Callable[[Progress], Any]) -> Job:
        """Start work, or return the job that is at it or has done it.

        Args:
            key: what is worked out.
            work: called with the progress function in a thread of its own.

        Returns:
            The job; one that failed or was cancelled is started afresh.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.state in ("failed", "cancelled"):
                job = self._jobs[key] = Job()
                threading.Thread(target=job._run, args=(work,), name=f"job {key}", daemon=True).start()
            self._jobs.move_to_end(key)
            for old in [k for k, j in self._jobs.items() if j.state != "running"][:-KEPT]:
                del self._jobs[old]
            return job

    def get(self, key: Hashable) -> Job | None:
        """The job with a key, ``None`` where there is none."""
        with self._lock:
            return self._jobs.get(key)

    def cancel(self, key: Hashable) -> None:
        """Ask a job to stop; it does so at its next step."""
        job = self.get(key)
        if job is not None:
            job.stop.set()
