"""``racktwin network`` as its users meet it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboards.rows import answer, row_folder, run

PIPES = """id,loop,start,end,length_m,diameter_mm
a,tcs-1,cdu-1,east,12,125
b,tcs-1,cdu-2,west,8,125
north,tcs-1,east,west,20,100
south,tcs-1,east,west,25,100
riser,tcs-1,west,manifold-1,6,125
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = row_folder(tmp_path_factory.mktemp("network") / "row")
    (folder / "pipes.csv").write_text(PIPES)
    return folder


def test_pipes_tell_flow_velocity_and_pressure(site: Path) -> None:
    net = answer("network", site, "tcs-1")["network"]
    assert net["decides"] == "set-point" and net["least"] == "manifold-1"
    flow = {(p["element"], p["side"]): p["flow_kg_s"] for p in net["pipes"]}
    assert flow["a", "supply"] == pytest.approx(flow["north", "supply"] + flow["south", "supply"], rel=1e-9)
    assert flow["riser", "supply"] == pytest.approx(net["flow_kg_s"], rel=1e-9)
    assert all(flow[e, "supply"] == pytest.approx(flow[e, "return"], rel=1e-2) for e in ("a", "b", "riser"))
    ends = {j["element"]: j for j in net["junctions"]}
    assert ends["manifold-1"]["supply_pa"] - ends["manifold-1"]["return_pa"] == pytest.approx(net["dp_pa"], rel=1e-6)
    assert ends["cdu-1"]["head_m"] > ends["west"]["head_m"] > ends["manifold-1"]["head_m"]
    assert ends["cdu-1"]["flow_kg_s"] + ends["cdu-2"]["flow_kg_s"] == pytest.approx(net["flow_kg_s"], rel=1e-9)
    loop = next(x for x in answer("loops", site)["loops"] if x["element"] == "tcs-1")
    assert loop["flow_kg_s"] == net["flow_kg_s"] and loop["pumps"] == net["pumps"]


def test_isolating_a_pipe_shuts_both_sides(site: Path) -> None:
    found = answer("network", site, "tcs-1", "--outage", "north")["network"]
    assert [(p["side"], p["flow_kg_s"]) for p in found["pipes"] if p["state"] == "shut"] == [("supply", 0.0), ("return", 0.0)]
    cut = run("network", site, "tcs-1", "--outage", "riser")
    assert cut.exit_code == 1 and "manifold-1 is cut off" in cut.stdout


def test_people_read_the_same_and_the_way_out(site: Path) -> None:
    result = run("network", site, "tcs-1")
    assert result.exit_code == 0
    for text in ("tcs-1:", "at manifold-1", "cdu-1 to east", "junction", "2 of 2"):
        assert text in result.stdout
    other = run("network", site, "fws")
    assert other.exit_code == 2 and "not drawn in pipes.csv" in other.stderr
    assert run("network", site, "tcs-9").exit_code == 2


def test_a_pipe_is_a_contingency(site: Path) -> None:
    found = run("cases", site, "--json")
    assert found.exit_code == 1
    assert '"riser"' in found.stdout
