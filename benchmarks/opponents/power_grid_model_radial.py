"""power-grid-model on a radial feed: a tree of lines with loads at its ends, a batch of load scenarios, one thread."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import power_grid_model as pgm
from serve import serve


def set_up(parent: list[int], r_ohm: float, x_ohm: float, volts: float, leaf: list[int], load: str, volts_file: str, repeats: int) -> Any:
    """Build the grid; ``load`` names a file with an array (scenario, leaf) in W, ``volts_file`` takes voltages of the first scenario."""
    n = len(parent)
    power = np.load(load)
    node = pgm.initialize_array(pgm.DatasetType.input, pgm.ComponentType.node, n)
    node["id"], node["u_rated"] = np.arange(n), volts
    child = np.arange(1, n)
    line = pgm.initialize_array(pgm.DatasetType.input, pgm.ComponentType.line, n - 1)
    line["id"], line["from_node"], line["to_node"] = n + child, np.asarray(parent)[1:], child
    line["from_status"] = line["to_status"] = 1
    line["r1"], line["x1"], line["c1"], line["tan1"], line["i_n"] = r_ohm, x_ohm, 0.0, 0.0, 1e6
    source = pgm.initialize_array(pgm.DatasetType.input, pgm.ComponentType.source, 1)
    source["id"], source["node"], source["status"], source["u_ref"], source["sk"] = [2 * n], [0], [1], [1.0], [1e20]
    loads = pgm.initialize_array(pgm.DatasetType.input, pgm.ComponentType.sym_load, len(leaf))
    loads["id"], loads["node"], loads["status"] = 2 * n + 1 + np.arange(len(leaf)), leaf, 1
    loads["type"], loads["p_specified"], loads["q_specified"] = pgm.LoadGenType.const_power, power[0], 0.0
    kinds = pgm.ComponentType
    wanted = {kinds.node: ["u_pu"]}
    model = pgm.PowerGridModel({kinds.node: node, kinds.line: line, kinds.source: source, kinds.sym_load: loads})
    update = pgm.initialize_array(pgm.DatasetType.update, kinds.sym_load, power.shape)
    update["id"], update["p_specified"], update["q_specified"] = loads["id"], power, 0.0

    def work() -> dict[str, Any]:
        taken = 0.0
        for _ in range(repeats):
            began = time.perf_counter()
            out = model.calculate_power_flow(
                update_data={kinds.sym_load: update}, threading=-1, output_component_types=wanted, symmetric=True,
                calculation_method=pgm.CalculationMethod.iterative_current,
            )  # fmt: skip
            taken += time.perf_counter() - began
        np.save(volts_file, out[kinds.node]["u_pu"][0])
        return {"seconds": taken / repeats / power.shape[0]}

    return f"power-grid-model {pgm.__version__ if hasattr(pgm, '__version__') else ''} iterative_current".replace("  ", " "), work


serve(set_up)
