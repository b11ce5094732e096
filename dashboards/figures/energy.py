"""Where the power of a site goes: from the sources through racks and cooling, as a Sankey diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from dashboards.theme import AMBER, BLUE, GREY, ORANGE, SKY, ink, template

if TYPE_CHECKING:
    from dashboards.session import Solved

MOST_HALLS = 6
"""Above this many halls the racks are one flow."""


def flows(solved: Solved) -> list[tuple[str, str, float]]:
    """Flows of power from the sources on [W]; what enters ``Racks`` and ``Cooling`` leaves them again.

    Args:
        solved: a solved moment.

    Returns:
        (from, to, W), flows of zero left out.
    """
    ledger, plant, loads = solved.state.ledger, solved.plant, solved.state.loads
    halls = plant.halls.ids if plant.halls.n <= MOST_HALLS else ()
    found = []
    for h, hall in enumerate(halls):
        own = plant.racks.hall == h
        taken, it = float(loads.rack_w[0][own].sum()), float(loads.it_w[0][own].sum())
        found += [("Site", f"Racks {hall}", taken), (f"Racks {hall}", "IT", it), (f"Racks {hall}", "Rack conversion", taken - it)]
    if not halls:
        it, loss = float(ledger.it_w[0]), float(ledger.rack_loss_w[0])
        found += [("Site", "Racks", it + loss), ("Racks", "IT", it), ("Racks", "Rack conversion", loss)]
    cdu = float(ledger.cdu_pump_w[0])
    found += [
        ("Site", "Power chain loss", float(ledger.chain_loss_w[0])),
        ("Site", "Cooling", float(ledger.cooling_w[0])),
        ("Cooling", "CDUs", cdu),
        ("Cooling", "Plant and air", float(ledger.cooling_w[0]) - cdu),
    ]
    return [f for f in found if f[2] > 0.0]


def energy(solved: Solved, dark: bool = False, height: int = 300) -> go.Figure:
    """Power of a solved moment as a Sankey diagram in kW.

    Args:
        solved: a solved moment.
        dark: whether the page is dark.
        height: pixels.
    """
    links = flows(solved)
    names = list(dict.fromkeys(n for a, b, _ in links for n in (a, b)))
    total = {n: max(sum(w for a, _, w in links if a == n), sum(w for _, b, w in links if b == n)) for n in names}
    number = {n: k for k, n in enumerate(names)}
    site = float(solved.state.ledger.site_w[0])
    labels = [f"{n}  {total[n] / 1e3:,.0f} kW" for n in names]
    return go.Figure(
        go.Sankey(
            arrangement="snap",
            valueformat=",.1f",
            valuesuffix=" kW",
            textfont={"color": ink(dark), "size": 12, "shadow": "none"},
            node={
                "label": labels,
                "color": [_colour(n) for n in names],
                "pad": 18,
                "thickness": 12,
                "line": {"width": 0},
                "customdata": [100.0 * total[n] / site for n in names],
                "hovertemplate": "%{label}<br>%{customdata:.1f} % of the site<extra></extra>",
            },
            link={
                "source": [number[a] for a, _, _ in links],
                "target": [number[b] for _, b, _ in links],
                "value": [w / 1e3 for *_, w in links],
                "color": [_fade(_colour(b), 0.35 if dark else 0.28) for _, b, _ in links],
                "customdata": np.array([[a, b, 100.0 * w / site] for a, b, w in links], dtype=object),
                "hovertemplate": "%{customdata[0]} to %{customdata[1]}<br>%{value} (%{customdata[2]:.1f} % of the site)<extra></extra>",
            },
        ),
        layout={"template": template(dark), "height": height, "margin": {"l": 8, "r": 8, "t": 8, "b": 8}},
    )


def _colour(name: str) -> str:
    if name in ("Rack conversion", "Power chain loss"):
        return ORANGE if name == "Rack conversion" else AMBER
    return SKY if name in ("Cooling", "CDUs", "Plant and air") else GREY if name == "Site" else BLUE


def _fade(colour: str, alpha: float) -> str:
    r, g, b = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({r},{g},{b},{alpha})"
