"""More load does not always hurt, and an outage sometimes helps: staged gear and shed racks, which a proof must not forget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.twin.sites import catalog, small_site
from topology.kinds import Redundancy
from topology.models import Catalog, Sku, Stage
from topology.plant import plant
from topology.site import Site
from twin.headroom.cases import all_cases, shed_loads
from twin.limits import limits
from twin.loads import from_nameplate, from_utilisation
from twin.solvers.steady import solve_steady
from twin.state import Ambient, Outages

WEATHER = Ambient(np.array([18.0]))


def with_stage(stage: Stage) -> Site:
    """Three racks whose only conversion stage is the given one."""
    own = catalog().entries["sku"]["gb300-nvl72"]
    assert isinstance(own, Sku)
    skus = {**catalog().entries["sku"], own.name: replace(own, stages=(stage,))}
    return replace(small_site(racks=3), catalog=Catalog(entries={**catalog().entries, "sku": skus}))


def test_a_cold_redundant_supply_that_wakes_relieves_its_feed() -> None:
    """Two hot converters near their limit lose more by the square law than three: a little more load draws less."""
    stage = Stage(name="shelf", units=3, fixed_w=50.0, loss_quad_per_w=2e-6, unit_w=40e3, wake_frac=0.8, least_units=2, asleep_w=0.0)
    p = plant(with_stage(stage))
    loads = from_utilisation(p, 1.0)
    wake_w = 2 * 0.8 * 40e3
    assert loads.it_w[0, 0] > wake_w, "the rack must be able to wake the third"
    u = np.linspace(0.0, 1.0, 2001)
    it = np.concatenate([from_utilisation(p, float(x)).it_w for x in u])[:, 0]
    k = int(np.flatnonzero(it > wake_w)[0])
    below, above = (solve_steady(p, from_utilisation(p, float(u[j])), WEATHER) for j in (k - 1, k))
    assert above.loads.it_w[0, 0] > below.loads.it_w[0, 0]
    assert above.power.out_w[0, p.find("busway-a")[1]] < below.power.out_w[0, p.find("busway-a")[1]]
    table = limits(p)
    margin = [table.margins(table.values(s))[0] for s in (below, above)]
    row = [j for j, (e, n) in enumerate(zip(table.element, table.limit, strict=True)) if (e, n) == ("busway-a", "current")]
    assert margin[1][row[0]] > margin[0][row[0]]


def test_racks_that_are_shed_by_design_relieve_their_parents() -> None:
    """A CDU without spare takes its racks with it: the busway carries less in that outage than in normal operation."""
    site = small_site(racks=3, cdus=1)
    site = site.with_(redundancy={"g": Redundancy(id="g", scheme="N", members=("cdu-1",), needed=1)})
    p = plant(site)
    case = next(c for c in all_cases(p) if c.lost == ("cdu-1",))
    loads = from_nameplate(p)
    normal = solve_steady(p, loads, WEATHER)
    after = solve_steady(p, shed_loads(p, loads, [case], 1), WEATHER, Outages.of(p, [case.lost]))
    busway = p.find("busway-a")[1]
    assert after.power.out_w[0, busway] < 0.1 * normal.power.out_w[0, busway]
    assert after.heat.cooled[0].all()
