"""The one way kernels are compiled: cached on disk, without the interpreter lock, IEEE division."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile a function of scalars and arrays with numba at its first call."""
    return cast(F, njit(cache=True, nogil=True, error_model="numpy")(function))
