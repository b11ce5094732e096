"""One size of the growth benchmark in a process of its own: prints seconds and peak memory as JSON."""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from benchmarks.memory import peak_gb
from topology.generate import generate
from topology.plant import plant
from twin.loads import from_utilisation
from twin.solvers.steady import solve_steady
from twin.state import Ambient


def main(racks: int) -> None:
    """Generate, lay out and solve a site of a size."""
    weather = Ambient(np.array([17.0]))
    small = plant(generate("reference"))
    solve_steady(small, from_utilisation(small, 0.8), weather)
    site = generate("reference", racks)
    began = time.perf_counter()
    where = plant(site)
    plant_s = time.perf_counter() - began
    load = from_utilisation(where, 0.8)
    began = time.perf_counter()
    state = solve_steady(where, load, weather)
    solve_s = time.perf_counter() - began
    print(json.dumps({"racks": where.racks.n, "plant_s": plant_s, "solve_s": solve_s, "peak_gb": peak_gb(),
                      "residual_frac": float(state.ledger.residual_frac.max())}))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]))
