"""Manifolds against EPANET and pandapipes, each with its own friction law."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.agreements import Agreements
from tests.conftest import AskPeer
from tests.twin.sites import catalog
from topology import coolants
from topology.models import Coolant
from twin.solvers.manifold import prepare, solve

Floats = NDArray[np.float64]
BORE_M, ROUGH_M, ALLOWED = 0.1, 4.5e-5, 1e-3
pytestmark = pytest.mark.agreement


def figures(n: int, shut: bool = True) -> tuple[Floats, Floats]:
    """Segment lengths of one side, and loss coefficients of the branches on the header's bore; some of them closed."""
    rng = np.random.default_rng(n)
    minor = rng.uniform(400.0, 4000.0, n)
    if shut:
        minor[[2, n - 1]] = np.inf
    return rng.uniform(0.6, 3.0, n), minor


def resistance(minor: Floats, rho: float) -> Floats:
    """``dp = K rho v^2 / 2`` as Pa s2/kg2."""
    area = math.pi / 4.0 * BORE_M**2
    out: Floats = minor / (2.0 * rho * area * area)
    return out


def links(length: Floats, returns: str) -> list[tuple[str, str, str, float]]:
    """Header pipes: name, start, end, length; the return leaves at the entry or at the far end."""
    n = length.size
    found = []
    for j in range(n):
        found.append((f"s{j}-", f"s{j - 1}" if j else "supply", f"s{j}", float(length[j])))
        if returns == "direct":
            found.append((f"r{j}-", f"r{j}", f"r{j - 1}" if j else "return", float(length[j])))
        else:
            found.append((f"r{j}-", f"r{j}", f"r{j + 1}" if j < n - 1 else "return", float(length[(j + 1) % n])))
    return found


def apart(ours: Floats, theirs: Floats) -> float:
    """Largest difference of a branch flow over the mean flow of an open branch."""
    return float(np.abs(ours - theirs).max() / ours[ours > 0.0].mean())


@pytest.mark.parametrize("returns", ["direct", "reverse"])
def test_epanet(ask_peer: AskPeer, agreement: Agreements, returns: str) -> None:
    length, minor = figures(30)
    head = 12.0
    pipe = f"{1e3 * BORE_M} {1e3 * ROUGH_M} 0 OPEN"
    lines = [
        "[JUNCTIONS]",
        *(f"{side}{j} 0 0" for j in range(30) for side in "sr"),
        "[RESERVOIRS]",
        f"supply {head}",
        "return 0",
        "[PIPES]",
    ]
    lines += [f"{name} {a} {b} {x} {pipe}" for name, a, b, x in links(length, returns)]
    for j, k in enumerate(minor):
        law = f"{k} OPEN" if math.isfinite(k) else "1 CLOSED"
        lines.append(f"b{j} s{j} r{j} 0.0001 {1e3 * BORE_M} 0.000001 {law}")
    lines += ["[OPTIONS]", "UNITS LPS", "HEADLOSS D-W", "VISCOSITY 1.4", "[TIMES]", "DURATION 0", "[END]"]
    theirs = ask_peer("epanet_network", runs=[{"text": "\n".join(lines) + "\n", "snapshots": [0]}])["runs"][0]
    rho, mu = theirs["rho_kg_m3"], theirs["viscosity_m2_s"] * theirs["rho_kg_m3"]
    ladder = prepare(length, BORE_M, ROUGH_M, rho, mu, "epanet", returns)
    ours = solve(ladder, [rho * theirs["gravity_m_s2"] * head], 0.0, resistance(minor, rho)).flow_kg_s[0]
    found = np.array([rho * theirs["snapshots"][0]["flow_m3_s"][f"b{j}"] for j in range(30)])
    agreement("hydraulics", f"branch flows of a {returns}-return manifold of 30", theirs["name"], apart(ours, found), ALLOWED)


@pytest.mark.parametrize("returns", ["direct", "reverse"])
def test_pandapipes(ask_peer: AskPeer, agreement: Agreements, returns: str) -> None:
    length, minor = figures(12, shut=False)
    rho, mu, dp = 1010.0, 1.35e-3, 120e3
    nodes = [{"id": i, "height_m": 0.0} for i in ("supply", "return", *(f"{side}{j}" for j in range(12) for side in "sr"))]
    made: list[dict[str, Any]] = [
        {"id": name, "start": a, "end": b, "type": "pipe", "length_m": x, "diameter_m": BORE_M, "roughness_m": ROUGH_M, "minor_k": 0.0}
        for name, a, b, x in links(length, returns)
    ]
    made += [
        {"id": f"b{j}", "start": f"s{j}", "end": f"r{j}", "type": "valve", "diameter_m": BORE_M, "open": True, "minor_k": float(k)}
        for j, k in enumerate(minor)
    ]
    made.append({"id": "pump", "start": "return", "end": "supply", "type": "pump", "flow_pa": 6e5, "lift_pa": dp})
    theirs = ask_peer("pandapipes_loop", nodes=nodes, links=made, rho_kg_m3=rho, mu_pa_s=mu)
    ladder = prepare(length, BORE_M, ROUGH_M, rho, mu, "pandapipes", returns)
    ours = solve(ladder, [dp], 0.0, resistance(minor, rho)).flow_kg_s[0]
    found = np.array([theirs["flow_kg_s"][f"b{j}"] for j in range(12)])
    agreement("hydraulics", f"branch flows of a {returns}-return manifold of 12", theirs["name"], apart(ours, found), ALLOWED)
    whole = theirs["flow_kg_s"]["pump"]
    agreement("hydraulics", f"whole flow of a {returns}-return manifold of 12", theirs["name"], abs(ours.sum() / whole - 1.0), ALLOWED)


@pytest.mark.parametrize(
    ("size", "bore_m", "low_w", "high_w"),
    [("DN25", 0.02786, 55e3, 60e3), ("DN50", 0.05479, 215e3, 220e3), ("DN100", 0.1082, 840e3, 840e3), ("DN150", 0.1615, 1872e3, 1872e3)],
)
def test_pipe_bands(agreement: Agreements, size: str, bore_m: float, low_w: float, high_w: float) -> None:
    """Heat that stainless pipe of schedule 10S (ASME B36.19) carries with PG25 over 10 K at the velocity of the bands."""
    pg25 = catalog().entries["coolant"]["pg25"]
    assert isinstance(pg25, Coolant)
    mid = 40.0
    heat = 2.3 * math.pi / 4.0 * bore_m**2 * coolants.rho_kg_m3(pg25, mid) * coolants.cp_j_kg_k(pg25, mid) * 10.0
    off = max(low_w / heat - 1.0, heat / high_w - 1.0, 0.0)
    agreement("hydraulics", f"heat of a {size} pipe at 2.3 m/s", "OCP Modular TCS white paper, pipe bands", off, 0.02)
