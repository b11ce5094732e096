"""A chevron plate exchanger in cells, with local film coefficients by ht: built to a rating, then run away from it.

In: ``hot`` and ``cold`` fluids as tables of property against temperature, ``rating`` (heat, both inlets, both flows) and ``runs``
(both inlets, both flows). The plate length is found so that the rating is met. Out: heat and outlets of each run.
"""

import json
import sys

import numpy as np
from ht import Nu_plate_Kumar

CELLS = 40
CHEVRON, ENLARGEMENT = 60.0, 1.17
GAP, WIDTH, WALL, WALL_K = 2.5e-3, 0.35, 0.5e-3, 16.0


def film(fluid, kg_s, temp, channels):
    """Film coefficients of one side at local temperatures."""
    mu, k, cp = (np.interp(temp, fluid["temp_c"], fluid[name]) for name in ("mu_pa_s", "k_w_m_k", "cp_j_kg_k"))
    hydraulic = 2.0 * GAP / ENLARGEMENT
    reynolds = kg_s / channels / (GAP * WIDTH) * hydraulic / mu
    nusselt = [Nu_plate_Kumar(Re=re, Pr=pr, chevron_angle=CHEVRON) for re, pr in zip(reynolds, mu * cp / k, strict=True)]
    return np.array(nusselt) * k / hydraulic, cp


def run(length, channels, hot, cold, case):
    """Counterflow march by Gauss-Seidel on cell temperatures until both energy balances stand still."""
    area = length * WIDTH * ENLARGEMENT * (2.0 * channels - 1.0) / CELLS
    th = np.linspace(case["hot_in_c"], 0.5 * (case["hot_in_c"] + case["cold_in_c"]), CELLS)
    tc = np.linspace(0.5 * (case["hot_in_c"] + case["cold_in_c"]), case["cold_in_c"], CELLS)
    heat = 0.0
    for _ in range(400):
        hh, cph = film(hot, case["hot_kg_s"], th, channels)
        hc, cpc = film(cold, case["cold_kg_s"], tc, channels)
        u = 1.0 / (1.0 / hh + 1.0 / hc + WALL / WALL_K)
        n = CELLS
        matrix, right = np.zeros((2 * n, 2 * n)), np.zeros(2 * n)
        for j in range(n):  # unknowns are cell outlets; a cell exchanges at the mean of its inlets and outlets
            ch, cc, g = case["hot_kg_s"] * cph[j], case["cold_kg_s"] * cpc[j], 0.5 * u[j] * area
            h_in = j - 1 if j else None
            c_in = n + j + 1 if j < n - 1 else None
            for row, own, rate, sign in ((j, j, ch, 1.0), (n + j, n + j, cc, -1.0)):
                matrix[row, own] += rate
                inlet, given = (h_in, case["hot_in_c"]) if row < n else (c_in, case["cold_in_c"])
                if inlet is None:
                    right[row] += rate * given
                else:
                    matrix[row, inlet] -= rate
                for col, value, part in ((j, 0.0, 1.0), (h_in, case["hot_in_c"], 1.0), (n + j, 0.0, -1.0), (c_in, case["cold_in_c"], -1.0)):
                    if col is None:
                        right[row] -= sign * g * part * value
                    else:
                        matrix[row, col] += sign * g * part
        out = np.linalg.solve(matrix, right)
        h_out, c_out = out[:n], out[n:]
        th = 0.5 * (h_out + np.concatenate([[case["hot_in_c"]], h_out[:-1]]))
        tc = 0.5 * (c_out + np.concatenate([c_out[1:], [case["cold_in_c"]]]))
        new = case["hot_kg_s"] * float(np.sum(cph * (np.concatenate([[case["hot_in_c"]], h_out[:-1]]) - h_out)))
        if abs(new - heat) < 1e-9 * max(abs(new), 1.0):
            break
        heat = new
    return {"heat_w": new, "hot_out_c": float(h_out[-1]), "cold_out_c": float(c_out[0])}


asked = json.load(sys.stdin)
low, high = 0.05, 30.0
for _ in range(60):
    length = (low * high) ** 0.5
    got = run(length, asked["channels"], asked["hot"], asked["cold"], asked["rating"])["heat_w"]
    low, high = (length, high) if got < asked["rating"]["heat_w"] else (low, length)
runs = [run(length, asked["channels"], asked["hot"], asked["cold"], case) for case in asked["runs"]]
json.dump({"length_m": length, "runs": runs}, sys.stdout)
