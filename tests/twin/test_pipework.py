"""Loops whose header is drawn: the same answer as the lumped loop where pipes are short, and what pipes change where they are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.agreements import Agreements
from tests.twin.sites import small_site
from topology.errors import UsageError
from topology.kinds import Pipe
from topology.plant import Plant, plant
from topology.site import Site
from twin.headroom.cases import all_cases
from twin.loads import from_utilisation
from twin.solvers.hydraulic import solve_flow
from twin.solvers.pumping import LIMITS
from twin.solvers.steady import solve_steady
from twin.state import Ambient, FlowState, Outages


def ring(site: Site, length_m: float, diameter_m: float, **more: object) -> Plant:
    """The site with its header as a ring: a CDU at either junction, the manifold at the west one."""
    pipe = Pipe(id="a", loop="tcs-1", start="cdu-1", end="east", length_m=length_m, diameter_m=diameter_m)
    pieces = [
        pipe, replace(pipe, id="b", start="cdu-2", end="west"), replace(pipe, id="north", start="east", end="west"),
        replace(pipe, id="south", start="east", end="west", **more), replace(pipe, id="riser", start="west", end="manifold-1"),
    ]  # fmt: skip
    return plant(site.with_(pipes={p.id: p for p in pieces}))


def flows(p: Plant, lost: tuple[str, ...] = (), off: tuple[str, ...] = ()) -> FlowState:
    """Flows with everything connected; one case for each lost pipe, one where none is given."""
    cases = max(len(lost), 1)
    shut = np.zeros((cases, p.pipes.n), bool)
    for k, name in enumerate(lost):
        shut[k, p.pipes.ids.index(name)] = True
    alive = np.ones((cases, p.gear.n), bool)
    for name in off:
        alive[:, p.gear.ids.index(name)] = False
    return solve_flow(p, alive, np.ones((cases, p.racks.n), bool), None, shut)


@pytest.mark.agreement
@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("pressure held", {}),
        ("reverse return", {"returns": "reverse"}),
        ("flow held", {"control": "flow", "flow_kg_s": 9.0}),
        ("full speed", {"dp_pa": 900e3}),
    ],
)
def test_short_wide_pipes_give_the_lumped_loop(what: str, change: dict[str, object], agreement: Agreements) -> None:
    """Two codes that share no solver: Newton on the whole network, and shooting along ladders with one header pressure."""
    site = small_site(8)
    kinds = {"loops": "tcs-1", "manifolds": "manifold-1"}
    for table, name in kinds.items():
        own = getattr(site, table)
        some = {k: v for k, v in change.items() if hasattr(own[name], k)}
        site = site.with_(**{table: {**own, name: replace(own[name], **some)}})
    lumped, drawn = plant(site), ring(site, 0.01, 3.0)
    one, other = flows(lumped), flows(drawn)
    assert other.loop_limit.tolist() == one.loop_limit.tolist()
    apart = float(np.abs(other.rack_kg_s / one.rack_kg_s - 1.0).max())
    agreement("hydraulics", f"drawn header of wide pipes, {what}", "ladders with one header pressure", apart, 1e-6)
    for name in ("loop_kg_s", "cdu_kg_s", "pump_w", "pump_speed_frac", "pump_head_pa", "manifold_m_s"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-5), name


def test_long_pipes_cost_speed_and_share_flow_unevenly() -> None:
    p = ring(small_site(8), 30.0, 0.12)
    near, wide = flows(p), flows(ring(small_site(8), 0.01, 3.0))
    assert near.rack_kg_s == pytest.approx(wide.rack_kg_s, rel=1e-6)
    own = p.pumps.cdu >= 0
    assert (near.pump_w[:, own] > 1.05 * wide.pump_w[:, own]).all()
    assert near.cdu_kg_s[0, 1] > near.cdu_kg_s[0, 0] + 0.1
    assert near.cdu_kg_s.sum() == pytest.approx(near.rack_kg_s.sum(), rel=1e-9)


def test_isolating_a_pipe() -> None:
    """One side of a ring leaves all flow; the way of a CDU leaves the other one; the riser takes the loop down."""
    p = ring(small_site(8), 20.0, 0.12)
    state, whole = flows(p, ("north", "a", "riser")), flows(p)
    assert state.rack_kg_s[0] == pytest.approx(whole.rack_kg_s[0], rel=1e-6)
    assert state.cdu_kg_s[0, 0] < whole.cdu_kg_s[0, 0]
    assert state.cdu_kg_s[1, 0] == 0.0 and state.cdu_kg_s[1, 1] > whole.cdu_kg_s[0, 1]
    assert not state.rack_kg_s[2].any()
    assert [LIMITS[k] for k in state.loop_limit[:, p.loops.ids.index("tcs-1")]] == ["set-point", "set-point", "off"]
    assert np.isfinite(state.pump_w).all()


def test_a_closed_valve_a_check_valve_and_a_lost_cdu() -> None:
    closed = flows(ring(small_site(8), 20.0, 0.12, state="closed"))
    assert closed.cdu_kg_s == pytest.approx(flows(ring(small_site(8), 20.0, 0.12), ("south",)).cdu_kg_s, rel=1e-9)
    throttled = flows(ring(small_site(8), 20.0, 0.12, kv_m3_s=20.0 / 3600.0))
    free = flows(ring(small_site(8), 20.0, 0.12))
    assert closed.cdu_kg_s[0, 0] < throttled.cdu_kg_s[0, 0] < free.cdu_kg_s[0, 0]
    alone = flows(ring(small_site(8), 20.0, 0.12), off=("cdu-1",))
    assert alone.cdu_kg_s[0, 0] == 0.0
    assert alone.cdu_kg_s[0, 1] == pytest.approx(alone.rack_kg_s.sum(), rel=1e-9)
    dark = flows(ring(small_site(8), 20.0, 0.12), off=("cdu-1", "cdu-2"))
    assert not dark.rack_kg_s.any() and not dark.pump_w[:, : dark.cdu_kg_s.shape[1]].any()


def test_a_steady_solve_uses_the_network_and_isolates_by_outage() -> None:
    p = ring(small_site(8), 20.0, 0.12)
    loads = from_utilisation(p, 1.0)
    lost = Outages.of(p, [[], ["north"], ["riser"], ["b"]])
    state = solve_steady(p, loads, Ambient(np.array([18.0])), lost)
    assert state.ledger.residual_frac.max() < 1e-9
    assert state.flow.rack_kg_s[1] == pytest.approx(state.flow.rack_kg_s[0], rel=1e-6)
    assert not state.flow.rack_kg_s[2].any()
    assert not state.heat.cooled[2].any()
    assert state.flow.cdu_kg_s[3, 1] == 0.0
    names = {c.name: c.kind for c in all_cases(p)}
    assert names["north"] == "pipe"


def test_a_cdu_that_no_pipe_joins_is_told() -> None:
    site = small_site(3)
    pipe = Pipe(id="a", loop="tcs-1", start="cdu-1", end="manifold-1", length_m=1.0, diameter_m=0.1)
    with pytest.raises(UsageError, match="joins 'cdu-2'"):
        flows(plant(site.with_(pipes={"a": pipe})))
