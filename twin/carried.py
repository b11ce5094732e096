"""What goes to a worker and comes back: packed once, unpacked once in each worker, and only by the same code."""

from __future__ import annotations

import copyreg
import hashlib
import io
import os
import pickle
import platform
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from topology.errors import ScaleError
from twin.solvers.threads import THREADS_VARIABLE

S = TypeVar("S")
_HOUSES = ("topology", "telemetry", "twin")
_ARITHMETIC = ("numpy", "scipy", "numba", "pandas", "pyarrow")


def packed(value: object) -> bytes:
    """A value as bytes, as :mod:`pickle` does it, read-only mappings included; ``pickle.loads`` unpacks it.

    >>> pickle.loads(packed(MappingProxyType({"r1": 4.0})))
    mappingproxy({'r1': 4.0})
    """
    out = io.BytesIO()
    pickler = pickle.Pickler(out, 5)  # from 5 on, a read-only array stays one
    pickler.dispatch_table = {**copyreg.dispatch_table, MappingProxyType: lambda m: (_proxy, (dict(m),))}
    pickler.dump(value)
    return out.getvalue()


def _proxy(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(values)


def sources() -> str:
    """Digest of all that a chunk computes with: source files, Python, and the packages that do the arithmetic."""
    digest = hashlib.sha256(" ".join([platform.python_version(), *map(version, _ARITHMETIC)]).encode())
    root = Path(__file__).parents[1]
    for file in sorted(f for house in _HOUSES for f in (root / house).rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Carried(Generic[S]):
    """What every chunk needs, on its way: unpacked in a worker when the first chunk asks for it.

    Attributes:
        content: it, packed.
        made_by: :func:`sources` of who packed it, for other code on a worker would give other bits; empty where it is the same by nature.
    """

    content: bytes
    made_by: str

    @staticmethod
    def of(value: S, checked: bool = False) -> Carried[S]:
        """Pack it; ``checked`` for workers that somebody else has started."""
        return Carried(packed(value), sources() if checked else "")

    @cached_property
    def value(self) -> S:
        """It, unpacked once in this process.

        Raises:
            ScaleError: this process runs other code than who packed it.
        """
        if self.made_by and sources() != self.made_by:
            raise ScaleError(
                "a worker has another version of racktwin, Python or numpy; install the same ones on every machine of the cluster"
            )
        return cast(S, pickle.loads(self.content))

    def __reduce__(self) -> tuple[Any, ...]:
        return Carried, (self.content, self.made_by)


def call(carried: Carried[S], work: bytes) -> bytes:
    """One chunk in a worker: ``work`` is a packed (function, chunk), the answer its packed result."""
    os.environ.setdefault(THREADS_VARIABLE, "1")  # the other cores have workers of their own
    fn, chunk = pickle.loads(work)
    return packed(fn(carried.value, chunk))
