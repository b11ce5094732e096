"""EPANET on its own networks or on given ones: each network as data, and its heads and flows at snapshots; JSON in and out."""

import json
import sys
import tempfile
from pathlib import Path

import wntr

FOLDER = Path(wntr.__file__).parent / "library" / "networks"
GRAVITY_M_S2, RHO_KG_M3, NU_M2_S = 32.2 * 0.3048, 1000.0, 1.1e-5 * 0.3048**2
"""What EPANET counts with: 32.2 ft/s2, and a viscosity of 1.1e-5 ft2/s (times the option's ratio)."""


def pump(link, network):
    """Points of a pump's curve, in SI."""
    points = network.get_curve(link.pump_curve_name).points
    return {"points": [[float(q), float(h)] for q, h in points]}


def described(network):
    """Nodes and links in SI."""
    nodes = [{"id": n, "height_m": node.elevation} for n, node in network.junctions()]
    nodes += [{"id": n, "height_m": 0.0, "held": True} for n, _ in network.reservoirs()]
    nodes += [{"id": n, "height_m": node.elevation, "held": True} for n, node in network.tanks()]
    links = []
    for name, link in network.links():
        entry = {"id": name, "start": link.start_node_name, "end": link.end_node_name, "type": link.link_type}
        if link.link_type == "Pipe":
            entry |= {"length_m": link.length, "diameter_m": link.diameter, "roughness": link.roughness, "minor_k": link.minor_loss}
            entry |= {"check": bool(link.check_valve)}
        elif link.link_type == "Pump":
            entry |= pump(link, network)
        else:
            entry |= {"type": link.valve_type, "diameter_m": link.diameter, "minor_k": link.minor_loss, "setting": link.initial_setting}
        links.append(entry)
    return nodes, links


def main(asked):
    """Run the network, and give the snapshots that are asked for."""
    with tempfile.TemporaryDirectory() as folder:
        file = FOLDER / f"{asked['network']}.inp" if "network" in asked else Path(folder) / "given.inp"
        if "text" in asked:
            file.write_text(asked["text"])
        network = wntr.network.WaterNetworkModel(str(file))
        hydraulic = network.options.hydraulic
        hydraulic.accuracy, hydraulic.trials = 1e-5, 500
        hydraulic.headerror, hydraulic.flowchange = 1e-6, 1e-9
        result = wntr.sim.EpanetSimulator(network).run_sim(file_prefix=str(Path(folder) / "run"))
    nodes, links = described(network)
    times = [int(t) for t in result.node["head"].index]
    rows = [times[k] for k in asked.get("snapshots", range(len(times))) if k < len(times)]
    snapshots = []
    for t in rows:
        at = {"time_s": t}
        at |= {"head_m": result.node["head"].loc[t].to_dict(), "demand_m3_s": result.node["demand"].loc[t].to_dict()}
        at |= {"flow_m3_s": result.link["flowrate"].loc[t].to_dict(), "status": result.link["status"].loc[t].to_dict()}
        at |= {"setting": result.link["setting"].loc[t].to_dict()}
        snapshots.append(at)
    answer = {"name": f"EPANET 2.2 (WNTR {wntr.__version__})", "nodes": nodes, "links": links, "snapshots": snapshots}
    answer |= {"headloss": hydraulic.headloss, "viscosity_m2_s": NU_M2_S * hydraulic.viscosity, "rho_kg_m3": RHO_KG_M3}
    answer |= {"gravity_m_s2": GRAVITY_M_S2}
    return answer


json.dump({"runs": [main(run) for run in json.load(sys.stdin)["runs"]]}, sys.stdout, default=float)
