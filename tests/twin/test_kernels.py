"""How kernels are compiled: once for each, and what only kernels call says so."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np
import pytest

from topology.generate import generate
from topology.plant import plant
from twin.headroom.cases import sweep
from twin.loads import from_nameplate, from_utilisation
from twin.solvers.chain import chain_sweep
from twin.solvers.jit import kernel, lent
from twin.solvers.pumping import push, solve_cases
from twin.solvers.scatter import _sum_by
from twin.solvers.steady import solve_steady
from twin.solvers.thermal import fixed_point
from twin.state import Ambient

KERNELS: tuple[Any, ...] = (fixed_point, solve_cases, chain_sweep, _sum_by)


def test_solves_and_sweeps_of_any_size_share_one_compiled_kernel() -> None:
    before = [set(k.signatures) for k in KERNELS]
    for name in ("row", "reference"):
        where = plant(generate(name))
        one, two = Ambient(np.array([17.0])), Ambient(np.array([5.0, 30.0]))
        solve_steady(where, from_utilisation(where, 0.8), two)
        sweep(where, from_nameplate(where), one)
    assert max(len(set(k.signatures) - known) for k, known in zip(KERNELS, before, strict=True)) <= 1
    assert all(k.signatures for k in KERNELS)


def test_what_only_kernels_call_refuses_python() -> None:
    with pytest.raises(TypeError, match="only kernels call push"):
        push(1.0, 1.0, 0, None, None)  # type: ignore[arg-type]


class Inner(NamedTuple):
    values: Any


class Outer(NamedTuple):
    first: Any
    inner: Inner
    share: float


@kernel
def _doubled(out: Outer) -> float:
    own = lent(out)
    total = 0.0
    for k in range(own.first.size):
        own.inner.values[k] = 2.0 * own.first[k] * own.share
        total += own.inner.values[1:][k - 1] if k else own.inner.values[0]
    return total


def test_lent_arrays_are_the_same_arrays_and_nobody_keeps_them() -> None:
    first, values = np.arange(5.0), np.zeros(5)
    before = sys.getrefcount(first), sys.getrefcount(values)
    told = [_doubled(Outer(first, Inner(values), 0.5)) for _ in range(3)]
    after = sys.getrefcount(first), sys.getrefcount(values)
    assert told == [10.0] * 3 and values.tolist() == first.tolist() and after == before
