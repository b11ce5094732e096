"""pandapipes on a given closed loop of pipes, valves and a circulation pump, its own nikuradse law; JSON in, JSON out."""

import json
import sys

import pandapipes as pp
from pandapipes.properties.fluids import create_constant_fluid


def main(asked):
    """Build the net, solve it tightly, and give pressures and flows."""
    net = pp.create_empty_network(fluid=None)
    net.fluid = create_constant_fluid(
        name="given", fluid_type="liquid", density=asked["rho_kg_m3"], viscosity=asked["mu_pa_s"], heat_capacity=4180.0,
    )  # fmt: skip
    number = {}
    for node in asked["nodes"]:
        number[node["id"]] = pp.create_junction(net, pn_bar=5.0, tfluid_k=293.15, height_m=node["height_m"], name=node["id"])
        if node.get("demand_kg_s"):
            pp.create_sink(net, number[node["id"]], node["demand_kg_s"])
    pipes, valves, pumps = [], [], []
    for link in asked["links"]:
        ends = (number[link["start"]], number[link["end"]])
        if link["type"] == "pipe":
            pp.create_pipe_from_parameters(
                net, *ends, length_km=link["length_m"] / 1e3, inner_diameter_mm=1e3 * link["diameter_m"], k_mm=1e3 * link["roughness_m"],
                loss_coefficient=link["minor_k"], name=link["id"],
            )  # fmt: skip
            pipes.append(link["id"])
        elif link["type"] == "valve":
            pp.create_valve(
                net, *ends, et="ju", inner_diameter_mm=1e3 * link["diameter_m"], opened=link["open"],
                loss_coefficient=link["minor_k"], name=link["id"],
            )  # fmt: skip
            valves.append(link["id"])
        else:
            pp.create_circ_pump_const_pressure(
                net, return_junction=ends[0], flow_junction=ends[1], p_flow_bar=link["flow_pa"] / 1e5, plift_bar=link["lift_pa"] / 1e5,
                t_flow_k=293.15, name=link["id"],
            )  # fmt: skip
            pumps.append(link["id"])
    pp.pipeflow(net, friction_model="nikuradse", mode="hydraulics", use_numba=False, iter=200, tol_p=1e-9, tol_m=1e-9, tol_res=1e-6)
    flow = dict(zip(pipes, net.res_pipe.mdot_from_kg_per_s, strict=True))
    flow |= dict(zip(valves, net.res_valve.mdot_from_kg_per_s.where(net.valve.opened, 0.0), strict=True)) if valves else {}
    flow |= dict(zip(pumps, net.res_circ_pump_pressure.mdot_from_kg_per_s.abs(), strict=True)) if pumps else {}
    pressure = {n: 1e5 * float(net.res_junction.p_bar[k]) for n, k in number.items()}
    return {"name": f"pandapipes {pp.__version__}", "flow_kg_s": flow, "pressure_pa": pressure, "gravity_m_s2": 9.81}


json.dump(main(json.load(sys.stdin)), sys.stdout, default=float)
