"""The one way kernels are compiled: cached on disk, without the interpreter lock, IEEE division.

numba looks only at a kernel's own file when it decides whether a compiled copy is still good, not at the kernels it calls. So
the cache lies in a folder named after the digest of every source file here: a change to any of them compiles anew.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import types
from numba.core.extending import intrinsic
from numba.core.registry import CPUDispatcher
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
V = TypeVar("V", bound=np.generic)
L = TypeVar("L")


def cache_folder(sources: Path) -> Path:
    """Where compiled kernels of the source files under a folder are kept: beside them, or in the temporary folder if that is read-only."""
    digest = hashlib.sha256()
    for file in sorted(sources.rglob("*.py")):
        digest.update(file.read_bytes())
    name = f"kernels-{digest.hexdigest()[:16]}"
    beside = sources / "__pycache__"
    if os.access(beside if beside.exists() else sources, os.W_OK):
        return beside / name
    return Path(tempfile.gettempdir()) / f"racktwin-{os.getuid()}" / name


if not os.environ.get("NUMBA_CACHE_DIR"):
    numba.config.CACHE_DIR = str(cache_folder(Path(__file__).parent))  # type: ignore[attr-defined]


def _options(**more: bool) -> dict[str, Any]:
    return {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, **more}


def kernel(function: F) -> F:
    """Compile a function of scalars and arrays with numba at its first call."""
    return cast(F, numba.njit(cache=True, **_options())(function))


class _Inner(CPUDispatcher):
    """A kernel without a way in from Python: to go in all the same would end the interpreter."""

    def __call__(self, *args: Any, **named: Any) -> Any:
        raise TypeError(f"only kernels call {self.py_func.__name__}; make it a kernel to call it from Python")


def inner(function: F) -> F:
    """Compile a function that only kernels call, without the wrapper that takes Python objects apart: half as long to compile."""
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return function
    made = _Inner(function, targetoptions=_options(nopython=True, no_cpython_wrapper=True))
    made.enable_caching()
    return cast(F, made)


def inlined(function: F) -> F:
    """Compile a small law that is put into the loops of its callers, so that a loop over cases side by side stays one of vectors."""
    return cast(F, numba.njit(cache=True, **_options(forceinline=True))(function))


def _unowned(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """A value in compiled code, its arrays (also those inside of tuples) without the owner whose references are counted."""
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value=value)
        array.meminfo, array.parent = array.meminfo.type(None), array.parent.type(None)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        kinds: list[Any] = [*kind]  # type: ignore[misc]
        for k, each in enumerate(kinds):
            value = builder.insert_value(value, _unowned(context, builder, each, builder.extract_value(value, k)), k)
    return value


def _lent(context: Any, values: Any) -> Any:
    """How :data:`lent` is compiled."""

    def made(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _unowned(context, builder, signature.return_type, args[0])

    return values(values), made


lent = cast(Callable[[L], L], (lambda values: values) if numba.config.DISABLE_JIT else intrinsic(_lent))  # type: ignore[attr-defined]
"""Arrays, or tuples of arrays, that a kernel only borrows, so that nobody counts who uses them; for use inside of kernels.

Else every function that takes a tuple of arrays adds one to the count of each of them and takes it off again, locked against other
threads: most of the time of a kernel of many small functions. Only for what the caller holds until the kernel ends, never for what a
kernel gives back."""


def plain(values: NDArray[V]) -> NDArray[V]:
    """The same values, contiguous and writeable: kernels are compiled once for this layout, not once for every view."""
    return np.require(values, requirements=["C", "W"])
