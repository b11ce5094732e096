"""Three-phase short-circuit currents of a radial feed by pandapower (IEC 60909, maximum case)."""

import json
import sys

import pandapower as pp
import pandapower.shortcircuit as sc

ask = json.load(sys.stdin)
net = pp.create_empty_network(sn_mva=1.0)
high = pp.create_bus(net, ask["high_kv"])
pp.create_ext_grid(net, high, s_sc_max_mva=ask["fault_mva"], rx_max=0.1)
low = pp.create_bus(net, ask["low_kv"])
for _ in range(ask["transformers"]):
    pp.create_transformer_from_parameters(
        net, high, low, sn_mva=ask["rating_mva"], vn_hv_kv=ask["high_kv"], vn_lv_kv=ask["low_kv"], pfe_kw=0.0, i0_percent=0.0,
        vk_percent=100.0 * ask["impedance_frac"], vkr_percent=100.0 * ask["resistance_frac"], vector_group="Dyn",
        vk0_percent=100.0 * ask["impedance_frac"], vkr0_percent=100.0 * ask["resistance_frac"],
        mag0_percent=100.0, mag0_rx=0.0, si0_hv_partial=0.9,
    )  # fmt: skip
end = pp.create_bus(net, ask["low_kv"])
pp.create_line_from_parameters(
    net, low, end, length_km=ask["length_m"] / 1e3, r_ohm_per_km=1e3 * ask["r_ohm_m"], x_ohm_per_km=1e3 * ask["x_ohm_m"], c_nf_per_km=0.0,
    max_i_ka=10.0, endtemp_degree=20.0,
)  # fmt: skip
sc.calc_sc(net, fault="3ph", case="max", ip=False, ith=False, lv_tol_percent=6)
json.dump({"fault_a": [1e3 * float(net.res_bus_sc.ikss_ka[b]) for b in (high, low, end)]}, sys.stdout)
