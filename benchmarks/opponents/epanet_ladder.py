"""EPANET on a ladder: supply and return header with a branch at every rung, Darcy-Weisbach, its hydraulics alone timed.

Each branch is a short pipe whose minor loss coefficient gives the branch's quadratic law. A reservoir at either end of the
headers holds the differential pressure.
"""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import Any

import wntr
from serve import serve
from wntr.epanet.toolkit import ENepanet

EN_FLOW, EN_LINKCOUNT, EN_ACCURACY = 8, 2, 1
GRAVITY = 9.80665
HEAD = """[TITLE]
ladder
[JUNCTIONS]
{junctions}
[RESERVOIRS]
supply {head:.9f}
return 0
[PIPES]
{pipes}
[OPTIONS]
UNITS LPS
HEADLOSS D-W
VISCOSITY {viscosity:.9f}
SPECIFIC GRAVITY {gravity:.6f}
TRIALS 200
ACCURACY {accuracy:g}
[TIMES]
DURATION 0
[REPORT]
STATUS NO
SUMMARY NO
[END]
"""


def set_up(
    dp_pa: float, k_branch: float, branches: int, segment_m: float, diameter_m: float, roughness_m: float, rho_kg_m3: float,
    mu_pa_s: float, accuracy: float, repeats: int,
) -> Any:  # fmt: skip
    """Write the network, open it, and return what solves it."""
    area = math.pi * diameter_m**2 / 4.0
    minor = k_branch * 2.0 * rho_kg_m3 * area**2  # dp = K rho v^2 / 2 with v = m / (rho A)
    pipe = f"{segment_m / 2.0:.9f} {1e3 * diameter_m:.6f} {1e3 * roughness_m:.6f} 0 OPEN"
    junctions, pipes = [], []
    for j in range(branches):
        above_s, above_r = (f"s{j - 1}", f"r{j - 1}") if j else ("supply", "return")
        junctions += [f"s{j} 0 0", f"r{j} 0 0"]
        pipes += [f"ps{j} {above_s} s{j} {pipe}", f"pr{j} r{j} {above_r} {pipe}"]
        pipes.append(f"b{j} s{j} r{j} 0.001 {1e3 * diameter_m:.6f} 0.000001 {minor:.9e} OPEN")
    folder = Path(tempfile.mkdtemp(prefix="racktwin-epanet-"))
    text = HEAD.format(
        junctions="\n".join(junctions), pipes="\n".join(pipes), head=dp_pa / (rho_kg_m3 * GRAVITY), accuracy=accuracy,
        gravity=rho_kg_m3 / 1000.0, viscosity=mu_pa_s / rho_kg_m3 / 1.1e-5 * 10.7639,
    )  # fmt: skip
    (folder / "net.inp").write_text(text)
    engine = ENepanet(str(folder / "net.inp"), str(folder / "net.rpt"), str(folder / "net.bin"))
    engine.ENopen(str(folder / "net.inp"), str(folder / "net.rpt"), str(folder / "net.bin"))
    engine.ENopenH()
    index = [engine.ENgetlinkindex(f"b{j}") for j in range(branches)]

    def work() -> dict[str, Any]:
        taken = 0.0
        for _ in range(repeats):
            engine.ENinitH(10)  # 10: flows are initialised anew, nothing is saved
            began = time.perf_counter()
            engine.ENrunH()
            taken += time.perf_counter() - began
        flow = [engine.ENgetlinkvalue(i, EN_FLOW) * rho_kg_m3 / 1000.0 for i in index]
        return {"seconds": taken / repeats, "flow_kg_s": flow}

    return f"EPANET 2.2 (WNTR {wntr.__version__})", work


serve(set_up)
