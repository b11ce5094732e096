"""Long work of a page: progress, cancel, faults, and one job for one question."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from dashboards.jobs import KEPT, Job, Jobs, Progress
from topology.errors import UsageError


def ended(job: Job) -> Job:
    """Wait for a job."""
    for _ in range(500):
        if job.state != "running":
            return job
        time.sleep(0.01)
    raise AssertionError("the job goes on")


def blocked(gate: threading.Event) -> Callable[[Progress], Any]:
    """Work that tells its progress until a gate opens."""

    def work(tell: Progress) -> str:
        step = 0
        while not gate.wait(0.005):
            step += 1
            tell(step, 1000)
        return "answer"

    return work


def test_the_answer_and_the_progress_are_kept() -> None:
    gate = threading.Event()
    jobs = Jobs()
    job = jobs.start("a", blocked(gate))
    assert jobs.start("a", blocked(gate)) is job
    gate.set()
    assert ended(job).result == "answer" and job.state == "done" and jobs.get("a") is job
    assert jobs.start("a", blocked(gate)) is job


def test_a_cancelled_job_stops_and_can_be_started_again() -> None:
    gate = threading.Event()
    jobs = Jobs()
    job = jobs.start("a", blocked(gate))
    jobs.cancel("a")
    assert ended(job).state == "cancelled" and job.result is None
    gate.set()
    assert ended(jobs.start("a", blocked(gate))).state == "done"


def test_a_fault_is_told_in_its_own_words() -> None:
    def work(tell: Progress) -> None:
        raise UsageError("no such SKU")

    job = ended(Jobs().start("a", work))
    assert (job.state, job.error) == ("failed", "no such SKU")


def test_a_second_pass_is_counted() -> None:
    def work(tell: Progress) -> None:
        for done in (1, 2, 1, 2):
            tell(done, 2)

    assert ended(Jobs().start("a", work)).passes == 2


def test_old_answers_are_forgotten() -> None:
    jobs = Jobs()
    for k in range(KEPT + 5):
        ended(jobs.start(k, lambda tell: None))
    jobs.start("last", lambda tell: None)
    assert jobs.get(0) is None and jobs.get(KEPT + 4) is not None
