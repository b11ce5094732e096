"""Scenarios of one batch over the cores of a machine: kernels let go of the interpreter, so threads are enough."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TypeVar

THREADS_VARIABLE = "RACKTWIN_THREADS"
"""Environment variable that says how many threads a solve may use; every core where it is not set."""
T = TypeVar("T")
R = TypeVar("R")
_ONE_OF_SEVERAL = ContextVar("one_of_several", default=False)
"""Whether this thread works beside others of its kind, so that its solves take no further ones."""
PIECE = 8
"""Fewest scenarios that are worth a thread (our choice)."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Threads that a solve may use.

    >>> threads() >= 1
    True
    """
    if _ONE_OF_SEVERAL.get():
        return 1
    asked = os.environ.get(THREADS_VARIABLE, "")
    return int(asked) if asked.isdigit() and int(asked) > 0 else cores()


def shared(work: Callable[[int, int], None], scenarios: int) -> None:
    """Do work on ranges of scenarios that together are all of them; each scenario by itself, so the ranges do not change results.

    Args:
        work: takes the first scenario and one past the last.
        scenarios: how many there are.
    """
    number = min(threads(), scenarios // PIECE)
    if number < 2:
        work(0, scenarios)
        return
    size = max(PIECE, -(-scenarios // (4 * number)))  # several a thread, since some take longer than others
    with ThreadPoolExecutor(number, "solve") as pool:
        list(pool.map(lambda a: work(a, min(a + size, scenarios)), range(0, scenarios, size)))


def side_by_side(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Do whole solves, one a thread: what lies between kernels is shared out too.

    Args:
        work: takes one item; depends on nothing else.
        items: what is to be done.

    Returns:
        One result an item, in their order.
    """
    number = min(threads(), len(items))
    if number < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(number, "solves", initializer=_ONE_OF_SEVERAL.set, initargs=(True,)) as pool:
        return list(pool.map(work, items))
