"""Temperatures of a closed coolant loop by pandapipes: one supply, racks as heat consumers on a ladder of adiabatic pipes.

A heat consumer takes heat out, so a rack is one of negative heat.

In: fluid constants, supply temperature, and racks with flow and heat from the entry on. Out: return of each rack and of the loop.
"""

import json
import sys

import pandapipes as pp

asked = json.load(sys.stdin)
net = pp.create_empty_network()
net.fluid = pp.create_constant_fluid(
    name="coolant",
    fluid_type="liquid",
    density=asked["rho_kg_m3"],
    viscosity=asked["mu_pa_s"],
    heat_capacity=asked["cp_j_kg_k"],
    compressibility=1.0,
    der_compressibility=0.0,
)
kelvin, racks = 273.15, asked["racks"]
supply = [pp.create_junction(net, pn_bar=5.0, tfluid_k=kelvin + asked["supply_c"]) for _ in range(len(racks) + 1)]
back = [pp.create_junction(net, pn_bar=5.0, tfluid_k=kelvin + asked["supply_c"]) for _ in range(len(racks) + 1)]
pipe = dict(length_km=0.001, inner_diameter_mm=1e3 * asked["diameter_m"], k_mm=0.015, u_w_per_m2k=0.0)
for n in range(len(racks)):
    pp.create_pipe_from_parameters(net, supply[n], supply[n + 1], **pipe)
    pp.create_pipe_from_parameters(net, back[n + 1], back[n], **pipe)
    pp.create_heat_consumer(
        net,
        supply[n + 1],
        back[n + 1],
        qext_w=-racks[n]["heat_w"],
        controlled_mdot_kg_per_s=racks[n]["flow_kg_s"],
    )
pp.create_circ_pump_const_pressure(net, back[0], supply[0], p_flow_bar=6.0, plift_bar=2.0, t_flow_k=kelvin + asked["supply_c"])
pp.pipeflow(net, mode="bidirectional", friction_model="colebrook", iter=200, tol_T=1e-8, tol_m=1e-10)
out = {
    "rack_return_c": [float(t) - kelvin for t in net.res_heat_consumer.t_outlet_k],
    "loop_return_c": float(net.res_junction.t_k[back[0]]) - kelvin,
}
json.dump(out, sys.stdout)
