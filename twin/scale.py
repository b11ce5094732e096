"""One piece of work in chunks: in this process, in several, or on a Dask cluster, with the same bits on each.

A chunk function is an ordinary function of a module, ``fn(shared, chunk) -> result``. ``shared`` is what every chunk needs (a plant, the
address of a store); it goes to each worker once. A chunk says which part of the work it is, and holds no more than that part's own
numbers. Results come back in the order of the chunks, whoever worked them out and when.

**Same bits.** A result may depend on its chunk alone: not on the number of workers, on their order, or on what a worker did before. Who
cuts the chunks must therefore cut them by the work and never by the engine. Random numbers come from a seed inside the chunk:
``zip(parts, numpy.random.SeedSequence(seed).spawn(len(parts)))``.

**Size.** To send a chunk and its result costs about a millisecond; one that computes for less than 100 ms gains nothing.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import threading
import uuid
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from topology.errors import ScaleError, UsageError
from twin.carried import Carried, call, packed
from twin.solvers.threads import cores

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)
C = TypeVar("C")
R = TypeVar("R")
Progress = Callable[[int, int], None]
"""Called with (chunks done, chunks); what it raises stops the work."""

ENGINES = ("serial", "processes", "dask")
DEATHS = 3
"""Processes that may die over one chunk, alone, before it is given up; Dask has its own number for this (``allowed-failures``)."""
WAIT_S = 60.0
"""Longest wait for the first worker of a cluster [s]."""
_ONE_EACH = MappingProxyType({"processes": True, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.CRITICAL})


class Workers(Protocol[S_co]):
    """Workers that are there, each with what every chunk needs."""

    def map(self, fn: Callable[[S_co, C], R], chunks: Sequence[C], progress: Progress | None = None) -> list[R]:
        """Work out every chunk.

        Args:
            fn: function of a module: (shared, chunk) to result.
            chunks: what is to be done.
            progress: told how many chunks are done, in this process and thread.

        Returns:
            One result a chunk, in order of the chunks.

        Raises:
            RacktwinError: what ``fn`` raised, as it raised it.
            ScaleError: a chunk was given up, or the cluster was lost.
        """
        ...


@dataclass(frozen=True, slots=True)
class Engine:
    """Where work is done.

    Attributes:
        kind: one of :data:`ENGINES`.
        count: number of processes of this machine; 0 where others decide.
        address: scheduler of a cluster that exists; empty otherwise.
    """

    kind: str
    count: int = 0
    address: str = ""


def engine_of(text: str) -> Engine:
    """Read the name of an engine: ``serial``, ``processes``, ``processes:4``, ``dask`` or ``dask:tcp://host:8786``.

    Raises:
        UsageError: there is no such engine.
        ScaleError: Dask is asked for and not installed.

    >>> engine_of("processes:4"), engine_of("dask:tcp://head:8786").address
    (Engine(kind='processes', count=4, address=''), 'tcp://head:8786')
    """
    kind, _, rest = text.partition(":")
    if kind == "serial" and not rest:
        return Engine(kind)
    if kind == "processes" and (not rest or (rest.isdecimal() and int(rest) > 0)):
        return Engine(kind, int(rest or cores()))
    if kind == "dask" and (not rest or "://" in rest):
        if find_spec("distributed") is None:
            raise ScaleError("the engine dask needs Dask: pip install 'racktwin[scale]'; the engine processes needs nothing more")
        return Engine(kind, 0 if rest else cores(), rest)
    raise UsageError(f"there is no engine {text!r}; write serial, processes, processes:4, dask or dask:tcp://HOST:8786")


def map_chunks(
    fn: Callable[[S, C], R], chunks: Sequence[C], engine: str = "serial", progress: Progress | None = None, *, shared: S
) -> list[R]:
    """Work out every chunk on an engine that lives for this one call; arguments and errors of :func:`workers` and :meth:`Workers.map`."""
    with workers(engine, shared) as crew:
        return crew.map(fn, chunks, progress)


@contextmanager
def workers(engine: str, shared: S) -> Iterator[Workers[S]]:
    """Workers of an engine, for several passes over the same thing.

    Args:
        engine: see :func:`engine_of`. Processes are started afresh (spawn) and end with the block; ``dask`` alone starts a cluster of as
            many processes as cores on this machine for the time of the block; with an address it uses the cluster that is there, with
            TLS and timeouts from Dask's own configuration.
        shared: what every chunk needs; it is sent to each worker once.

    Raises:
        UsageError: there is no such engine.
        ScaleError: Dask is not installed, or the scheduler does not answer.
    """
    asked = engine_of(engine)
    if asked.kind == "serial":
        yield _Serial(shared)
    elif asked.kind == "processes":
        with _processes(asked.count, shared) as crew:
            yield crew
    else:
        with _dask(asked, shared) as crew_afar:
            yield crew_afar


@dataclass(frozen=True, slots=True)
class _Serial(Generic[S]):
    shared: S

    def map(self, fn: Callable[[S, C], R], chunks: Sequence[C], progress: Progress | None = None) -> list[R]:
        done: list[R] = []
        for chunk in chunks:
            done.append(fn(self.shared, chunk))
            if progress:
                progress(len(done), len(chunks))
        return done


_CARRIED: ContextVar[Carried[Any]] = ContextVar("carried")


def _begin(carried: Carried[Any]) -> None:
    """First thing in a process of the pool: keep what every chunk needs, and end with the process that started this one."""
    _CARRIED.set(carried)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call_here(work: bytes) -> bytes:
    return call(_CARRIED.get(), work)


class _Crew(Generic[S]):
    """Workers that may die. Who was at work beside a death is suspected, and done again alone: so nobody is blamed for another."""

    tries = DEATHS

    def map(self, fn: Callable[[S, C], R], chunks: Sequence[C], progress: Progress | None = None) -> list[R]:
        done: dict[int, bytes] = {}

        def work(i: int) -> bytes:
            return packed((fn, chunks[i]))

        def keep(i: int, result: bytes) -> None:
            done[i] = result
            if progress:
                progress(len(done), len(chunks))

        left = list(range(len(chunks)))
        while left:
            for suspect in self.attempt(left, work, keep):
                if all(self.attempt([suspect], work, keep) for _ in range(self.tries)):
                    guard = "" if done else "; a program that starts processes needs `if __name__ == '__main__':` around what it does"
                    raise ScaleError(
                        f"chunk {suspect + 1} of {len(chunks)} was given up: every worker that took it was killed; most often "
                        f"memory ran out (use fewer workers, or a longer step){guard}",
                        chunk=suspect,
                    )
            left = [i for i in left if i not in done]
        return [pickle.loads(done[i]) for i in range(len(chunks))]

    @abstractmethod
    def attempt(self, left: Sequence[int], work: Callable[[int], bytes], keep: Callable[[int, bytes], None]) -> list[int]:
        """Do chunks; returns those that were under way where a worker died, and may leave others undone then."""


@contextmanager
def _processes(count: int, shared: S) -> Iterator[_Processes[S]]:
    crew: _Processes[S] = _Processes(count, Carried.of(shared))
    try:
        yield crew
    finally:
        crew.pool.shutdown(cancel_futures=True)


class _Processes(_Crew[S]):
    """A pool of processes, replaced where one of them dies."""

    def __init__(self, count: int, carried: Carried[S]) -> None:
        self.count, self.carried = count, carried
        self.pool = self._fresh()

    def _fresh(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.count, multiprocessing.get_context("spawn"), _begin, (self.carried,))

    def attempt(self, left: Sequence[int], work: Callable[[int], bytes], keep: Callable[[int, bytes], None]) -> list[int]:
        """See :meth:`_Crew.attempt`."""
        flying: dict[Future[bytes], int] = {}
        waiting = iter(left)
        while True:
            try:
                while len(flying) <= self.count and (i := next(waiting, None)) is not None:
                    flying[self.pool.submit(_call_here, work(i))] = i
            except BrokenProcessPool:  # those under way say so as well
                waiting = iter(())
            if not flying:
                return []
            lost = []
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                i = flying.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    lost.append(i)
                else:
                    keep(i, future.result())
            if lost:
                self.pool.shutdown(cancel_futures=True)
                self.pool = self._fresh()
                return sorted([*lost, *flying.values()])


@contextmanager
def _dask(engine: Engine, shared: S) -> Iterator[_Dask[S]]:
    """A cluster's workers.

    Raises:
        ScaleError: the scheduler does not answer.
        UsageError: an address that Dask does not know.
    """
    dask, carried = _distributed(), Carried.of(shared, checked=bool(engine.address))
    if not engine.address:
        with (
            dask.LocalCluster(n_workers=engine.count, **_ONE_EACH) as cluster,
            dask.Client(cluster, set_as_default=False) as client,
        ):
            yield _Dask(client, carried)
        return
    try:
        client = dask.Client(engine.address, set_as_default=False)
    except ValueError as fault:
        raise UsageError(f"the scheduler's address {engine.address} cannot be read: {fault}; write tcp://HOST:8786") from fault
    except OSError as fault:
        raise ScaleError(f"there is no Dask scheduler at {engine.address}: {fault}; start one with `dask scheduler`") from fault
    with client:
        yield _Dask(client, carried)


def _distributed() -> Any:
    """Dask's own module, imported when it is first asked for."""
    import distributed

    return distributed


class _Dask(_Crew[S]):
    """Workers of a Dask cluster. A worker that is lost is replaced by its nanny, and Dask has its chunks done again, so many times."""

    tries = 1

    def __init__(self, client: Any, carried: Carried[S]) -> None:
        self.client, self.name = client, f"racktwin-{uuid.uuid4().hex}"
        self.numbers = count()
        from dask import config

        with config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):  # it is one piece, and sent once a worker
            self.carried = client.submit(Carried, carried.content, carried.made_by, key=f"{self.name}-shared")

    def attempt(self, left: Sequence[int], work: Callable[[int], bytes], keep: Callable[[int, bytes], None]) -> list[int]:
        """See :meth:`_Crew.attempt`."""
        self._first_worker()
        flying: dict[Any, int] = {}
        waiting = iter(left)
        lost: list[int] = []
        try:
            while True:
                room = 2 * max(sum(self.client.nthreads().values()), 1)
                while len(flying) < room and (i := next(waiting, None)) is not None:
                    flying[self.client.submit(call, self.carried, work(i), key=f"{self.name}-{next(self.numbers)}")] = i
                if not flying:
                    return lost
                for future in self._finished(flying):
                    i = flying.pop(future)
                    try:
                        keep(i, future.result())
                    except _distributed().KilledWorker:
                        lost.append(i)
        finally:
            self.client.cancel(list(flying))

    def _first_worker(self) -> None:
        """Wait until one worker has what every chunk needs.

        Raises:
            ScaleError: none has in time, or none can read it.
        """
        where = self.client.scheduler.address
        try:
            with self.client.as_current():
                _distributed().wait([self.carried], timeout=WAIT_S)
        except TimeoutError as late:
            raise ScaleError(f"no worker of {where} took work within {WAIT_S:g} s; start some with `dask worker {where}`") from late
        fault = self.carried.exception()
        if isinstance(fault, ImportError):
            raise ScaleError(f"the workers of {where} cannot import racktwin ({fault}); install it on each of their machines") from fault

    def _finished(self, flying: dict[Any, int]) -> list[Any]:
        try:
            with self.client.as_current():
                return list(_distributed().wait(list(flying), return_when="FIRST_COMPLETED").done)
        except CancelledError as fault:
            raise ScaleError(f"the Dask scheduler was lost in mid-run ({fault}); run it again") from fault
