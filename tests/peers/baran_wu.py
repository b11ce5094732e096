"""The 33-bus feeder of Baran and Wu as pandapower has it: its branches, loads and own solution."""

import json
import sys

import pandapower as pp
import pandapower.networks as pn

net = pn.case33bw()
closed = net.line[net.line.in_service]
pp.runpp(net, algorithm="nr", tolerance_mva=1e-12, numba=False)
json.dump(
    {
        "from": closed.from_bus.tolist(), "to": closed.to_bus.tolist(), "voltage_v": float(net.bus.vn_kv.iloc[0] * 1e3),
        "r_ohm": (closed.r_ohm_per_km * closed.length_km).tolist(), "x_ohm": (closed.x_ohm_per_km * closed.length_km).tolist(),
        "bus": net.load.bus.tolist(), "load_w": (net.load.p_mw * 1e6).tolist(), "load_var": (net.load.q_mvar * 1e6).tolist(),
        "voltage_frac": net.res_bus.vm_pu.tolist(), "angle_rad": (net.res_bus.va_degree * 3.141592653589793 / 180).tolist(),
        "loss_w": float(net.res_line.pl_mw.sum() * 1e6),
    },
    sys.stdout,
)  # fmt: skip
