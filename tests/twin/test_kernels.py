"""How kernels are compiled: once for each, and what only kernels call says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from topology.generate import generate
from topology.plant import plant
from twin.headroom.cases import sweep
from twin.loads import from_nameplate, from_utilisation
from twin.solvers.chain import chain_sweep
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
