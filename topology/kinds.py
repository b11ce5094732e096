"""The kinds of element that a site is made of: one frozen dataclass a kind, one CSV file a kind.

The field declarations (:func:`topology.columns.col`) are the single source for reading, checking, writing and ``site schema``.
Element ids are unique in the whole site and match ``[A-Za-z0-9._-]+``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from topology.ashrae import AIR, LIQUID_C
from topology.columns import col

STATES = ("planned", "reserved", "committed", "installed", "commissioning", "live", "draining", "retired")
"""Life of a rack in order; ``live``, ``commissioning`` and ``draining`` draw power, planned racks hold nothing."""
DRAWING = ("commissioning", "live", "draining")
HOLDING = ("reserved", "committed", "installed", *DRAWING)
CONTROLS = ("dp", "flow")
PUMP_STAGINGS = ("all", "on_demand")
RETURNS = ("direct", "reverse")
SIDES = ("both", "supply", "return")
FRICTIONS = ("colebrook", "haaland", "swamee_jain", "nikuradse")
"""Friction laws that a loop may name; see :mod:`twin.solvers.friction`."""
POWER_KINDS = ("utility", "generator", "transformer", "switchboard", "ups", "sts", "pdu", "busway", "breaker")
SCHEMES = ("N", "N+1", "2N", "catcher", "block", "isolated", "3N/2", "4N/3")
ECONOMISERS = ("series", "parallel", "none")
STAGINGS = ("all", "fewest")
_FEED_DOC = "power element that its cord {} hangs on"
PHASES = ("L1", "L2", "L3", "L1L2", "L2L3", "L3L1", "L1L2L3")
"""Where a load may hang: line to neutral, line to line (a bank of a delta PDU), or on all three."""
SUPPLY_MODES = ("shared", "cold")
SHARE_SPREAD_FRAC = 0.05
"""Error of the split between two cords: active current sharing of 10 % of a supply's load, so 0.05 of the rack (estimate; a droop
scheme reaches 10 % with its set-points within 0.35 %: Irving and Jovanovic, APEC 2000)."""
_RESTART = "time from running again to full duty"
_DELAY = "wait after power is back, so that not everything starts at once"
_TRANSFER = "time its own transfer switch takes from one feed to the other"
TRANSFER_S = 0.1
"""Transfer of a mechanical switch, open transition (100 ms in the power model of the simulator DC-OPS; estimate)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """A data hall with its air side."""

    id: str = col("name of the hall")
    air_supply_c: float = col("supply air set-point", unit="c", default=24.0)
    air_limit_c: float = col("highest allowed supply air temperature", unit="c", default=32.0)
    air_m3: float | None = col("air in the hall; 15 m3 for each position where empty", unit="m3", default=None)
    air_class: str = col("ASHRAE class whose allowable supply air must hold as well", choices=("", *AIR), default="")
    dew_point_c: float | None = col("dew point of its air, for the interlock of coolant supplies; none where empty", unit="c", default=None)
    dew_margin_k: float = col("coolant supply stays this much above the dew point", unit="k", default=2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of positions in a hall."""

    id: str = col("name of the row")
    hall: str = col("hall it stands in", refs=("hall",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place for one rack, with the taps and the coolant connection that come with it."""

    id: str = col("name of the position")
    row: str = col("row it is in", refs=("row",))
    place: int = col("number in the row, from the coolant entry on", type="integer", low=1)
    feed_a: str = col(_FEED_DOC.format("A"), refs=POWER_KINDS)
    feed_b: str = col(_FEED_DOC.format("B") + "; empty for a single cord", refs=POWER_KINDS, default="")
    manifold: str = col("row manifold it is connected to; empty for none", refs=("manifold",), default="")
    max_power_w: float | None = col("largest rack it may take", unit="w", default=None)
    max_weight_kg: float | None = col("floor load", unit="kg", default=None)
    phases: str = col("phases of its taps; unknown where empty", choices=("", *PHASES), default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rack:
    """A rack, planned or standing."""

    id: str = col("name of the rack")
    position: str = col("position it stands on", refs=("position",))
    sku: str = col("rack SKU", refs=("sku",))
    state: str = col("where it is in its life", choices=STATES, default="live")
    live_from: dt.date | None = col("first day of power", type="date", default=None)
    live_until: dt.date | None = col("last day of power", type="date", default=None)
    owner: str = col("who asked for it", default="")
    budget_w: float | None = col("power allocated to it, where it differs from its SKU's", unit="w", default=None)
    share_a_frac: float = col("share of its load on cord A with both cords alive", unit="frac", default=0.5, high=1.0)
    share_a_spread_frac: float = col("how far that share may be off, either way", unit="frac", default=SHARE_SPREAD_FRAC, high=1.0)
    supply_mode: str = col("shared: both cords carry; cold: the supplies of one may sleep", choices=SUPPLY_MODES, default="shared")
    phases: str = col("phases of its cords, where they differ from its position's", choices=("", *PHASES), default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerElement:
    """A node of the power chain; empty cells come from its model in the catalog."""

    id: str = col("name of the element")
    kind: str = col("what it is", choices=POWER_KINDS)
    model: str = col("catalog model", refs=("power_model",), default="")
    feed: str = col("feed side it belongs to, such as A or B", default="")
    rating_va: float | None = col("rating", unit="va", default=None, positive=True)
    rating_w: float | None = col("active power rating", unit="w", default=None, positive=True)
    rating_a: float | None = col("current rating", unit="a", default=None, positive=True)
    voltage_v: float | None = col("line-to-line voltage at its output", unit="v", default=None, positive=True)
    derate_frac: float | None = col("share of the rating that may be used continuously", unit="frac", default=None, positive=True, high=1.0)
    loss_fixed_w: float | None = col("no-load loss", unit="w", default=None)
    loss_frac: float | None = col("loss in proportion to output", unit="frac", default=None)
    loss_quad_per_w: float | None = col("square-law loss", unit="per_w", default=None)
    impedance_frac: float | None = col("series impedance over its rating, a transformer's or reactor's", unit="frac", default=None)
    x_over_r: float | None = col(
        "its reactance over resistance; from the square-law loss where empty", type="number", default=None, low=0.0
    )
    r_ohm_m: float | None = col("resistance of one phase (direct current: of both conductors) a metre", unit="ohm_m", default=None)
    x_ohm_m: float | None = col("reactance of one phase a metre", unit="ohm_m", default=None)
    length_m: float | None = col("length", unit="m", default=None)
    tap_frac: float | None = col("output voltage at no load over nominal", unit="frac", default=None, positive=True)
    voltage_low_frac: float | None = col("lowest voltage over nominal that what it feeds bears", unit="frac", default=None)
    breaking_a: float | None = col("largest fault current that it interrupts", unit="a", default=None, positive=True)
    fault_va: float | None = col("three-phase fault level at its output, a utility's", unit="va", default=None, positive=True)
    ambient_c: float | None = col("air it stands in, where that is not the site's design dry bulb", unit="c", default=None)
    battery_s: float | None = col("time its battery carries its rating", unit="s", default=None)
    start_s: float | None = col("time from loss of the utility to taking load, a generator's", unit="s", default=None)
    transfer_s: float | None = col("time it takes to change to a transfer parent", unit="s", default=None)
    restart_delay_s: float | None = col("wait after its input is back before it draws again", unit="s", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLink:
    """Parent feeds child; ``transfer`` is the parent that takes over when the normal one is lost."""

    parent: str = col("element that feeds", refs=POWER_KINDS)
    child: str = col("element that is fed", refs=POWER_KINDS)
    role: str = col("normal, or transfer for a reserve parent", choices=("normal", "transfer"), default="normal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A coolant loop: ``tcs`` between racks and CDUs, ``fws`` between CDUs and plant."""

    id: str = col("name of the loop")
    kind: str = col("tcs: technology cooling system, fws: facility water system", choices=("tcs", "fws"))
    coolant: str = col("what flows in it", refs=("coolant",), default="pg25")
    supply_c: float = col("supply temperature set-point", unit="c")
    supply_limit_c: float | None = col("highest allowed supply temperature; set-point + 3 K where empty", unit="c", default=None)
    dp_pa: float = col("differential pressure that its pumps hold at the header", unit="pa", default=100e3, positive=True)
    flow_limit_kg_s: float | None = col("largest flow its mains carry", unit="kg_s", default=None)
    economiser: str = col(
        "how towers and dry coolers serve a facility loop that has chillers: series (they cool first, chillers trim the rest), "
        "parallel (alone while they hold the set-point, else chillers carry everything), none (they only serve condensers)",
        choices=ECONOMISERS, default="series",
    )  # fmt: skip
    staging: str = col("tower cells of a facility loop that run: all, or the fewest that hold it", choices=STAGINGS, default="all")
    reuse_w: float = col("heat that a user outside the site takes from a facility loop while it has it", unit="w", default=0.0)
    control: str = col("what its pumps hold: dp at the header, or flow with that dp as the most", choices=CONTROLS, default="dp")
    flow_kg_s: float | None = col("flow that its pumps hold with control = flow", unit="kg_s", default=None, positive=True)
    pump_staging: str = col(
        "CDU pumps that run: all, or on_demand: one in each CDU, the next where the header falls below stage_dp_frac",
        choices=PUMP_STAGINGS, default="all",
    )  # fmt: skip
    stage_dp_frac: float = col("share of what is held below which the next pump starts", unit="frac", default=0.95, high=1.0)
    rise_k: float = col("return minus supply that pipes and properties are laid out for", unit="k", default=10.0)
    suction_pa: float | None = col("pressure at the pumps' suction over the atmosphere; none: no NPSH is computed", unit="pa", default=None)
    friction: str = col("friction law of its pipes", choices=FRICTIONS, default="haaland")
    mains_m: float | None = col("length of its mains, one way; 40 m for a TCS, 200 m for an FWS where empty", unit="m", default=None)
    mains_m3: float | None = col("coolant in its mains, both ways; 2 m/s at the rated flow where empty", unit="m3", default=None)
    liquid_class: str = col(
        "ASHRAE class whose highest supply must hold: W for facility loops, S for TCS", choices=("", *LIQUID_C), default=""
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cdu:
    """A coolant distribution unit between a TCS loop and a facility loop, or the hall's air (liquid-to-air unit)."""

    id: str = col("name of the CDU")
    model: str = col("catalog model", refs=("cdu_model",))
    loop: str = col("TCS loop it serves", refs=("loop",))
    fws: str = col("facility loop that takes its heat; empty for a liquid-to-air unit", refs=("loop",), default="")
    hall: str = col("hall it stands in; a liquid-to-air unit gives its heat to this hall's air", refs=("hall",))
    feed_a: str = col(_FEED_DOC.format("A"), refs=POWER_KINDS)
    feed_b: str = col(_FEED_DOC.format("B"), refs=POWER_KINDS, default="")
    fouling_k_w: float = col("thermal resistance that fouling adds to its exchanger", unit="k_w", default=0.0)
    transfer_s: float = col(_TRANSFER, unit="s", default=TRANSFER_S)
    restart_delay_s: float = col(_DELAY, unit="s", default=5.0)
    restart_s: float = col(_RESTART, unit="s", default=20.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifold:
    """A row manifold: a ladder of supply and return segments with a rack branch at each place."""

    id: str = col("name of the manifold")
    loop: str = col("TCS loop that feeds it", refs=("loop",))
    spacing_m: float = col("pipe length between places, one side", unit="m", default=0.75, positive=True)
    diameter_m: float = col("inner diameter", unit="m", default=0.1023, positive=True)
    roughness_m: float = col("wall roughness", unit="m", default=15e-6)
    lead_m: float = col("pipe length from the loop's header to the first place, one side", unit="m", default=6.0)
    returns: str = col("where its return pipe leaves: direct, at the entry; reverse, at the far end", choices=RETURNS, default="direct")
    velocity_limit_m_s: float | None = col("highest velocity in it", unit="m_s", default=None, positive=True)
    spread_limit_frac: float | None = col("largest spread of branch flow over its rating", unit="frac", default=None, positive=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipe:
    """A piece of a TCS loop's header between two junctions; a loop with pipes is solved as the mesh that they make.

    An end is the id of a CDU or a manifold of the loop, which joins there, or any other name, which is a junction.
    """

    id: str = col("name of the piece")
    loop: str = col("TCS loop that it is a piece of", refs=("loop",))
    start: str = col("CDU, manifold or junction at one end")
    end: str = col("CDU, manifold or junction at the other end")
    side: str = col("both: one pipe on the supply and one on the return side; supply; return", choices=SIDES, default="both")
    length_m: float = col("length", unit="m", positive=True)
    diameter_m: float = col("inner diameter", unit="m", positive=True)
    roughness_m: float = col("wall roughness", unit="m", default=45e-6)
    minor_k: float = col("loss coefficient of bends and tees", type="number", default=0.0, low=0.0)
    kv_m3_s: float | None = col("valve in it: its flow of water at 1 bar (Kv); none where empty", unit="m3_s", default=None, positive=True)
    check: bool = col("check valve: only from start to end on the supply side, only back on the return", type="flag", default=False)
    state: str = col("whether its valves are open", choices=("open", "closed"), default="open")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pump:
    """A pump of its own; a CDU's integrated pumps need no row here."""

    id: str = col("name of the pump")
    model: str = col("catalog model", refs=("pump_model",))
    host: str = col("CDU or loop that it drives", refs=("cdu", "loop"))
    feed_a: str = col(_FEED_DOC.format("A"), refs=POWER_KINDS)
    feed_b: str = col(_FEED_DOC.format("B"), refs=POWER_KINDS, default="")
    transfer_s: float = col(_TRANSFER, unit="s", default=TRANSFER_S)
    restart_delay_s: float = col(_DELAY, unit="s", default=5.0)
    restart_s: float = col(_RESTART, unit="s", default=10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AirUnit:
    """A fan wall or CRAH that cools a hall's air with facility water; with a position, a rear door that cools its rack's exhaust."""

    id: str = col("name of the unit")
    model: str = col("catalog model", refs=("air_unit_model",))
    hall: str = col("hall it cools", refs=("hall",))
    fws: str = col("facility loop that takes its heat", refs=("loop",))
    feed_a: str = col(_FEED_DOC.format("A"), refs=POWER_KINDS)
    feed_b: str = col(_FEED_DOC.format("B"), refs=POWER_KINDS, default="")
    position: str = col("position whose rack it stands behind, for a rear door; empty for a fan wall", refs=("position",), default="")
    transfer_s: float = col(_TRANSFER, unit="s", default=TRANSFER_S)
    restart_delay_s: float = col(_DELAY, unit="s", default=15.0)
    restart_s: float = col(_RESTART, unit="s", default=15.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tower:
    """A cooling tower cell on a facility loop."""

    id: str = col("name of the cell")
    model: str = col("catalog model", refs=("tower_model",))
    fws: str = col("facility loop it cools", refs=("loop",))
    feed_a: str = col(_FEED_DOC.format("A"), refs=POWER_KINDS)
    feed_b: str = col(_FEED_DOC.format("B"), refs=POWER_KINDS, default="")
    transfer_s: float = col(_TRANSFER, unit="s", default=TRANSFER_S)
    restart_delay_s: float = col(_DELAY, unit="s", default=20.0)
    restart_s: float = col(_RESTART, unit="s", default=30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DryCooler:
    """A dry cooler on a facility loop: heat to outdoor air through a finned coil, by its model also with wetted pads."""

    id: str = col("name of the dry cooler")
    model: str = col("catalog model", refs=("dry_cooler_model",))
    fws: str = col("facility loop it cools", refs=("loop",))
    feed_a: str = col(_FEED_DOC.format("A"), refs=POWER_KINDS)
    feed_b: str = col(_FEED_DOC.format("B"), refs=POWER_KINDS, default="")
    transfer_s: float = col(_TRANSFER, unit="s", default=TRANSFER_S)
    restart_delay_s: float = col(_DELAY, unit="s", default=20.0)
    restart_s: float = col(_RESTART, unit="s", default=30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chiller:
    """A chiller that trims a facility loop."""

    id: str = col("name of the chiller")
    model: str = col("catalog model", refs=("chiller_model",))
    fws: str = col("facility loop it trims", refs=("loop",))
    feed_a: str = col(_FEED_DOC.format("A"), refs=POWER_KINDS)
    feed_b: str = col(_FEED_DOC.format("B"), refs=POWER_KINDS, default="")
    transfer_s: float = col(_TRANSFER, unit="s", default=TRANSFER_S)
    restart_delay_s: float = col(_DELAY, unit="s", default=30.0)
    restart_s: float = col(_RESTART, unit="s", default=180.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redundancy:
    """A declared redundancy scheme over elements, checked by ``site check`` and shown by ``site show``.

    Scheme ``N`` declares that members have no spare: a lost member takes its racks down by design, which is no failure to fit.
    """

    id: str = col("name of the group")
    scheme: str = col("how it is meant", choices=SCHEMES)
    members: tuple[str, ...] = col("elements, separated by blanks", type="list", refs=("any",))
    needed: int = col("how many of them must run", type="integer", low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonCause:
    """Elements that one event takes out together: a contingency beside the single ones."""

    id: str = col("name of the event")
    members: tuple[str, ...] = col("elements that are lost, separated by blanks", type="list", refs=("any",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A power meter that covers several racks: every rack below the elements it names, split by nameplate.

    ``point`` says where in the chain it measures: ``rack_input`` before the rack's own conversion stages.
    """

    id: str = col("name of the meter")
    covers: tuple[str, ...] = col("rows, racks or positions, separated by blanks", type="list", refs=("row", "rack", "position"))
    point: str = col("where it measures", choices=("rack_input",), default="rack_input")
    note: str = col("why that point", default="")


SITE_FILES: Mapping[str, type] = {
    "halls": Hall, "rows": Row, "positions": Position, "racks": Rack, "power": PowerElement, "power_links": PowerLink,
    "loops": Loop, "cdus": Cdu, "manifolds": Manifold, "pipes": Pipe, "pumps": Pump, "air_units": AirUnit, "towers": Tower,
    "chillers": Chiller, "dry_coolers": DryCooler, "redundancy": Redundancy, "common_causes": CommonCause, "meters": Meter,
}  # fmt: skip
"""File stem in a site folder to the kind of its rows."""

KIND_NAMES: Mapping[type, str] = {
    Hall: "hall", Row: "row", Position: "position", Rack: "rack", PowerElement: "power", PowerLink: "power_link",
    Loop: "loop", Cdu: "cdu", Manifold: "manifold", Pipe: "pipe", Pump: "pump", AirUnit: "air_unit", Tower: "tower",
    Chiller: "chiller", DryCooler: "dry_cooler", Redundancy: "redundancy", CommonCause: "common_cause", Meter: "meter",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What ``site.toml`` says about the site as a whole; keys are these names, any unit of the same quantity."""

    name: str = col("name of the site")
    altitude_m: float = col("height above sea level", unit="m", default=0.0, low=-500.0)
    design_wet_bulb_c: float = col("outdoor wet bulb that the plant must stand", unit="c", default=24.0)
    design_dry_bulb_c: float = col("outdoor dry bulb that the plant must stand", unit="c", default=35.0)
    price_usd_j: float = col("price of energy", unit="usd_j", default=0.08 / 3.6e6)
    demand_usd_w: float = col("charge a month for the highest hour of it", unit="usd_w", default=0.0)
    carbon_kg_j: float | None = col("carbon intensity of the energy that it buys", unit="kg_j", default=None)
    growth_frac: float = col("growth of measured load a year, as a fraction", unit="frac", default=0.10, low=-0.9)
    growth_spread_frac: float = col("standard deviation of that growth", unit="frac", default=0.05)
    horizon: dt.date | None = col("date that plans look to where none is asked for", type="date", default=None)
    source: str = col("where the site's figures come from", default="")
