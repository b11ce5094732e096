"""What must hold: every limit of a plant as one row of a table, and how far a state is from each.

A limit is one function under :func:`limit`. Margins are fractions: of the rating for powers, currents and flows; of the
permitted rise over the set-point for temperatures (1 at the set-point, 0 at the limit). Negative means violated. A lost
supply or a heat that nothing carries away has margin -1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from topology.axes import Axis, Floats, Ints
from topology.models import PowerModel
from topology.plant import Plant
from twin.loops import npsh_m
from twin.power.phases import phases, uneven
from twin.power.sharing import share_spread
from twin.state import SteadyState

HEADER_DP_FRAC = 0.9
"""Share of a loop's header set-point below which its pumps count as too small (control band of +-10 %, our choice)."""
LOST_MARGIN = -1.0
POWER_LIMITS = ("active power", "apparent power", "current", "phase current")
"""Limits whose value is a load of the power chain."""
POWER_WINDOW_S: Mapping[str, float] = MappingProxyType({
    "utility": 900.0, "generator": 10.0, "transformer": 600.0, "switchboard": 60.0, "ups": 1.0, "sts": 1.0, "pdu": 60.0, "busway": 60.0,
    "breaker": 60.0,
})  # fmt: skip
"""Time over which the load of an element counts where no thermal trip says it [s]: the quarter hour of a utility's meter, the
governor of a generator, the winding of a transformer (time constant of 5 to 10 min, IEC 60076-7), the inverter of a UPS (estimates)."""
WINDOW_S: Mapping[str, float] = MappingProxyType({
    "power supply": 0.02, "chip temperature": 5.0, "memory temperature": 5.0, "coolant supply": 30.0, "coolant return": 30.0,
    "heat removal": 30.0, "voltage drop": 1.0, "position power": 900.0, "header pressure": 10.0, "velocity": 3600.0, "suction head": 5.0,
})  # fmt: skip
"""Windows of the other limits [s]: the 20 ms that supplies ride through (ITI curve), seconds of a cold plate (estimates)."""
OTHER_WINDOW_S = 60.0
"""Window of limits that are not named above: frames of a minute [s]."""


@dataclass(frozen=True)
class Family:
    """One kind of limit over some elements.

    Attributes:
        name: such as ``current``.
        unit: unit suffix of ``bound`` and of the values.
        ids: elements.
        bound: (n,) limit.
        reference: (n,) value at which the margin is 1; 0 for ratings.
        value: (S, n) values of a state.
        window_s: (n,) time over which a value is averaged before it counts against the limit.
    """

    name: str
    unit: str
    ids: tuple[str, ...]
    bound: Floats
    reference: Floats
    value: Callable[[SteadyState], Floats]
    window_s: Floats


_REGISTRY: list[Callable[[Plant], Sequence[Family]]] = []


def limit(function: Callable[[Plant], Sequence[Family]]) -> Callable[[Plant], Sequence[Family]]:
    """Register a function that returns the limits of one part of a plant."""
    _REGISTRY.append(function)
    return function


@dataclass(frozen=True)
class Limits:
    """Every limit of a plant (K rows).

    Attributes:
        element: (K,) element ids.
        limit: (K,) names.
        unit: (K,) unit suffixes.
        bound: (K,) limits.
        reference: (K,) values of margin 1.
        window_s: (K,) averaging windows.
        families: what they were made from, in order.
    """

    element: tuple[str, ...]
    limit: tuple[str, ...]
    unit: tuple[str, ...]
    bound: Floats
    reference: Floats
    window_s: Floats
    families: tuple[Family, ...]

    def values(self, state: SteadyState) -> Floats:
        """(S, K) value of each limit's quantity."""
        return np.concatenate([f.value(state) for f in self.families], axis=1)

    def margins(self, values: Floats) -> Floats:
        """(S, K) margin fractions of values; :data:`LOST_MARGIN` where a value is infinite."""
        with np.errstate(invalid="ignore"):
            margin = (self.bound - values) / (self.bound - self.reference)
        result: Floats = np.where(np.isfinite(values), margin, LOST_MARGIN)
        return result


def limits(plant: Plant, worst_share: bool = False) -> Limits:
    """Collect every limit of a plant; elements without a rating have no row.

    Args:
        plant: the plant.
        worst_share: hold the ratings of the power chain against the most that its supplies' sharing may put on each element
            (:mod:`twin.power.sharing`), not against the stated shares.
    """
    families = tuple(f for make in _REGISTRY for f in make(plant) if f.ids)
    families = tuple(_worst_share(plant, f) if worst_share and f.name in POWER_LIMITS else f for f in families)
    return Limits(
        element=tuple(i for f in families for i in f.ids), limit=tuple(f.name for f in families for _ in f.ids),
        unit=tuple(f.unit for f in families for _ in f.ids), bound=_join([f.bound for f in families]),
        reference=_join([f.reference for f in families]), window_s=_join([f.window_s for f in families]), families=families,
    )  # fmt: skip


def _join(parts: Sequence[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros(0)


def _worst_share(plant: Plant, family: Family) -> Family:
    """The family with every value raised as far as the sharing between cords may raise the element's load."""
    own = np.array([plant.power.ids.index(i) for i in family.ids], dtype=np.int64)

    def value(state: SteadyState) -> Floats:
        more, out = share_spread(plant, state).high_w[:, own], state.power.out_w[:, own]
        return family.value(state) * (1.0 + np.divide(more, out, out=np.zeros_like(out), where=out > 0.0))

    return replace(family, value=value)


def _family(
    name: str, unit: str, axis: Axis, bound: Floats, value: Callable[[SteadyState, Ints], Floats], reference: Floats | None = None,
    window_s: Floats | None = None,
) -> Family:  # fmt: skip
    """Rows for the elements of an axis whose bound is finite; the window of its name where none is given."""
    own = np.flatnonzero(np.isfinite(bound))
    base = np.zeros(own.size) if reference is None else reference[own]
    window = np.full(own.size, WINDOW_S.get(name, OTHER_WINDOW_S)) if window_s is None else window_s[own]
    return Family(name, unit, tuple(axis.ids[k] for k in own), bound[own], base, lambda state: value(state, own), window)


@limit
def power_ratings(plant: Plant) -> Sequence[Family]:
    """Continuous ratings of the power chain (derated, as the site or the catalog says)."""
    p, window = plant.power, power_window_s(plant)
    ampere = np.where(p.voltage_v > 0.0, p.rating_a, np.inf)

    def fullest(state: SteadyState, own: Ints) -> Floats:
        found, volts = phases(plant, state), state.power.voltage_frac
        real = found.largest_a / np.where(volts > 0.0, volts, 1.0)
        return np.where(found.known, real, state.power.current_a)[:, own]

    return (
        _family("active power", "w", p, p.rating_w, lambda s, k: s.power.out_w[:, k], window_s=window),
        _family("apparent power", "va", p, p.rating_va, lambda s, k: s.power.out_va[:, k], window_s=window),
        _family("current", "a", p, ampere, lambda s, k: s.power.current_a[:, k], window_s=window),
        _family("phase current", "a", p, np.where(uneven(plant), ampere, np.inf), fullest, window_s=window),
    )


@limit
def voltages(plant: Plant) -> Sequence[Family]:
    """Voltage at what feeds racks or gear, as its fall below nominal; elements that no impedance or tap stands above have no row."""
    p = plant.power
    moving = (p.r_per_w > 0.0) | (p.x_per_w > 0.0) | (p.tap_frac != 1.0)
    for e in p.order:
        above = np.concatenate([p.parents[e], p.transfer[e]])
        moving[e] |= bool(moving[above[above >= 0]].any()) and not p.regulates[e]
    feeds = np.zeros(p.n, bool)
    feeds[[k for k in {*plant.racks.feed.ravel().tolist(), *plant.gear.feed.ravel().tolist()} if k >= 0]] = True

    def fall(state: SteadyState, own: Ints) -> Floats:
        shown = np.where(state.power.alive[:, own], 1.0 - state.power.voltage_frac[:, own], 0.0)
        return np.where(state.power.collapsed[:, own], np.inf, shown)

    return (_family("voltage drop", "frac", p, np.where(moving & feeds, 1.0 - p.voltage_low_frac, np.inf), fall),)


def power_window_s(plant: Plant) -> Floats:
    """(N,) time over which the load of each element counts: that of its kind, or the time constant of its thermal trip."""
    p = plant.power
    window = np.array([POWER_WINDOW_S[kind] for kind in p.kind], dtype=np.float64)
    tau = np.array([_tau_s(m) for m in p.models], dtype=np.float64)[p.model] if p.n else window
    return np.where(tau > 0.0, tau, window)


def _tau_s(model: PowerModel | None) -> float:
    return min((s.tau_s * (1.0 - s.early_frac) for s in model.trip if s.law == "thermal"), default=0.0) if model else 0.0


@limit
def rack_supply(plant: Plant) -> Sequence[Family]:
    """Every connected rack has a live cord; value 1 is supplied, infinite is not."""
    racks = plant.racks

    def value(state: SteadyState, own: Ints) -> Floats:
        lost = state.loads.present[:, own] & ~state.power.powered[:, own] & ~_taken_out(plant, state)[:, own]
        return np.where(lost, np.inf, 0.0)

    return (_family("power supply", "frac", racks, np.ones(racks.n), value),)


def _taken_out(plant: Plant, state: SteadyState) -> np.ndarray:
    """(S, R) the rack itself is what is lost."""
    number = {name: k for k, name in enumerate(plant.racks.ids)}
    gone = np.zeros((len(state.outages.sets), plant.racks.n), bool)
    for z, names in enumerate(state.outages.sets):
        for name in names:
            if name in number:
                gone[z, number[name]] = True
    taken: np.ndarray = gone[state.outages.index]
    return taken


@limit
def rack_temperatures(plant: Plant) -> Sequence[Family]:
    """Chip, coolant and inlet limits of each rack's SKU, and that its heat is carried away at all."""
    racks, site_c = plant.racks, plant.halls.air_supply_c[plant.racks.hall]
    hung = racks.manifold >= 0
    loop = plant.manifolds.loop[racks.manifold] if plant.manifolds.n else racks.manifold
    coolant_set = np.where(hung, plant.loops.supply_c[loop], site_c) if plant.manifolds.n else site_c

    def supply(state: SteadyState, own: Ints) -> Floats:
        return np.where(state.loads.present[:, own], state.heat.loop_supply_c[:, loop[own]], coolant_set[own])

    def only_present(field: str, base: Floats) -> Callable[[SteadyState, Ints], Floats]:
        return lambda s, k: np.where(s.loads.present[:, k], getattr(s.heat, field)[:, k], base[k])

    def uncooled(state: SteadyState, own: Ints) -> Floats:
        hot = state.loads.present[:, own] & ~state.heat.cooled[:, own] & (state.loads.rack_w[:, own] > 0.0)
        return np.where(hot, np.inf, 0.0)

    return (
        _family(
            "chip temperature",
            "c",
            racks,
            racks.chip_limit_c,
            only_present("chip_c", coolant_set),
            np.minimum(coolant_set, racks.chip_limit_c - 1.0),
        ),
        _family(
            "coolant supply",
            "c",
            racks,
            np.where(hung, racks.coolant_limit_c, np.inf),
            supply,
            np.minimum(coolant_set, racks.coolant_limit_c - 1.0),
        ),
        _family(
            "inlet air", "c", racks, racks.inlet_limit_c, only_present("inlet_c", site_c), np.minimum(site_c, racks.inlet_limit_c - 1.0)
        ),
        _family("heat removal", "frac", racks, np.ones(racks.n), uncooled),
    )


@limit
def plate_temperatures(plant: Plant) -> Sequence[Family]:
    """Memory of each rack's accelerators, and its coolant return, where the catalog gives a limit."""
    racks = plant.racks
    air = plant.halls.air_supply_c[racks.hall]
    hung = racks.manifold >= 0
    base = np.where(hung, plant.loops.supply_c[plant.manifolds.loop[racks.manifold]], air) if plant.manifolds.n else air
    bounds = (
        ("memory temperature", "memory_c", racks.memory_limit_c),
        ("coolant return", "rack_return_c", np.where(hung, racks.return_limit_c, np.inf)),
    )

    def rows(name: str, field: str, bound: Floats) -> Family:
        return _family(
            name,
            "c",
            racks,
            bound,
            lambda s, k: np.where(s.loads.present[:, k], getattr(s.heat, field)[:, k], base[k]),
            _below(base, bound),
        )

    return tuple(rows(*each) for each in bounds)


@limit
def ashrae_classes(plant: Plant) -> Sequence[Family]:
    """Supplies of loops and halls against the ASHRAE class that the site declares for them."""
    loops, halls = plant.loops, plant.halls
    liquid, air = _below(loops.supply_c, loops.class_limit_c), _below(halls.air_supply_c, halls.class_limit_c)
    return (
        _family("liquid class", "c", loops, loops.class_limit_c, lambda s, k: s.heat.loop_supply_c[:, k], liquid),
        _family("air class", "c", halls, halls.class_limit_c, lambda s, k: s.heat.hall_supply_c[:, k], air),
    )


def _below(value: Floats, bound: Floats) -> Floats:
    """Reference of a temperature limit: the set-point, or 1 K below the limit where the set-point is not below it."""
    return np.where(value < bound, value, bound - 1.0)


@limit
def position_power(plant: Plant) -> Sequence[Family]:
    """Largest rack that a position may take, where the site says so."""
    site = plant.site
    most = [site.positions[r.position].max_power_w for r in site.racks.values()]
    bound = np.array([np.inf if m is None else m for m in most], dtype=np.float64)
    return (_family("position power", "w", plant.racks, bound, lambda s, k: s.loads.rack_w[:, k]),)


@limit
def manifold_limits(plant: Plant) -> Sequence[Family]:
    """Velocity and spread of branch flows where the site gives a limit, and suction head that CDU pumps need over what they have."""
    more, manifolds = plant.hydraulics, plant.manifolds
    known = np.isfinite(more.npsh_m * more.best_kg_s * more.suction_pa[plant.pumps.loop]) & (plant.pumps.cdu >= 0)

    def suction(state: SteadyState, own: Ints) -> Floats:
        has, needs = npsh_m(plant, state)
        short = np.where(has > 0.0, needs / np.where(has > 0.0, has, 1.0), np.inf)
        return np.where(state.flow.pump_kg_s > 0.0, short, 0.0)[:, own]

    return (
        _family("velocity", "m_s", manifolds, more.velocity_limit_m_s, lambda s, k: s.flow.manifold_m_s[:, k]),
        _family("branch spread", "frac", manifolds, more.spread_limit_frac, lambda s, k: s.flow.spread_frac[:, k]),
        _family("suction head", "frac", plant.pumps, np.where(known, 1.0, np.inf), suction),
    )


@limit
def cooling_ratings(plant: Plant) -> Sequence[Family]:
    """CDU heat, pump motors, loop supply, header pressure, flow of the mains, and supply air of each hall."""
    cdus, loops, halls, pumps = plant.cdus, plant.loops, plant.halls, plant.pumps
    tcs = np.where(~loops.fws, 1.0, np.inf)
    used = np.zeros(loops.n, bool)
    used[plant.cdus.loop] = True

    def dp_short(state: SteadyState, own: Ints) -> Floats:
        """Shortfall over what is allowed; a loop that stands still shows at its racks, as heat that is not removed."""
        dp, hold = state.flow.loop_dp_pa[:, own], plant.hydraulics.hold_kg_s[own]
        held = np.isfinite(hold)
        share = np.where(held, state.flow.loop_kg_s[:, own] / np.where(held, hold, 1.0), dp / loops.dp_pa[own])
        return np.where(dp > 0.0, (1.0 - share) / (1.0 - HEADER_DP_FRAC), 0.0)

    return (
        _family("CDU heat", "w", cdus, cdus.duty_w, lambda s, k: s.heat.cdu_w[:, k]),
        _family("pump power", "w", pumps, pumps.rating_w, lambda s, k: s.flow.pump_w[:, k]),
        _family(
            "loop supply",
            "c",
            loops,
            loops.supply_limit_c,
            lambda s, k: s.heat.loop_supply_c[:, k],
            _below(loops.supply_c, loops.supply_limit_c),
        ),
        _family("header pressure", "frac", loops, np.where(used, tcs, np.inf), dp_short),
        _family("loop flow", "kg_s", loops, loops.flow_limit_kg_s, lambda s, k: s.flow.loop_kg_s[:, k]),
        _family("hall supply air", "c", halls, halls.air_limit_c, lambda s, k: s.heat.hall_supply_c[:, k], halls.air_supply_c),
    )
