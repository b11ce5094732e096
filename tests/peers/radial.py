"""power-grid-model on trees: constant power, current and impedance loads, voltages by Newton-Raphson to 1e-12."""

import json
import sys

import numpy as np
import power_grid_model as pgm

KINDS = pgm.ComponentType
LAWS = (pgm.LoadGenType.const_power, pgm.LoadGenType.const_current, pgm.LoadGenType.const_impedance)


def solve(case):
    """Voltages and angles of one tree."""
    parent, n = np.asarray(case["parent"]), len(case["parent"])
    node = pgm.initialize_array(pgm.DatasetType.input, KINDS.node, n)
    node["id"], node["u_rated"] = np.arange(n), case["volts"]
    child = np.flatnonzero(parent >= 0)
    line = pgm.initialize_array(pgm.DatasetType.input, KINDS.line, child.size)
    line["id"], line["from_node"], line["to_node"] = n + child, parent[child], child
    line["from_status"] = line["to_status"] = 1
    line["r1"], line["x1"] = np.asarray(case["r_ohm"])[child], np.asarray(case["x_ohm"])[child]
    line["c1"], line["tan1"], line["i_n"] = 0.0, 0.0, 1e6
    source = pgm.initialize_array(pgm.DatasetType.input, KINDS.source, 1)
    source["id"], source["node"], source["status"], source["u_ref"], source["sk"] = [2 * n], [0], [1], [case["source"]], [1e25]
    at = np.asarray(case["at"])
    loads = pgm.initialize_array(pgm.DatasetType.input, KINDS.sym_load, at.size)
    loads["id"], loads["node"], loads["status"] = 2 * n + 1 + np.arange(at.size), at, 1
    loads["type"] = [LAWS[k] for k in case["law"]]
    loads["p_specified"], loads["q_specified"] = case["load_w"], case["load_var"]
    model = pgm.PowerGridModel({KINDS.node: node, KINDS.line: line, KINDS.source: source, KINDS.sym_load: loads})
    out = model.calculate_power_flow(error_tolerance=1e-12, calculation_method=pgm.CalculationMethod.newton_raphson)
    found = out[KINDS.node]
    taken = np.zeros(n)
    taken[child] = out[KINDS.line]["p_from"]
    return {"voltage_frac": found["u_pu"].tolist(), "angle_rad": found["u_angle"].tolist(), "taken_w": taken.tolist()}


json.dump([solve(case) for case in json.load(sys.stdin)["cases"]], sys.stdout)
