"""How much gear a block of the reference site needs, from the nameplate of its racks and the catalog.

Every choice leaves :data:`RESERVE` above what the worst single failure asks for, so that the present racks pass every case and
what is still free is limited by gear and not by places alone. Losses above an element are taken as the shares below; the
solver has the real ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from topology.check_cooling import liquid_share
from topology.errors import SiteError, nearest
from topology.models import AirUnitModel, Catalog, CduModel, Model, PowerModel, PumpModel, Sku, TowerModel

M = TypeVar("M", bound=Model)
RESERVE = 1.15
"""Gear over the worst case at nameplate."""
BELOW_UPS = 1.02
"""Power at a UPS's output over that at the racks' cords: busway and transfer switch."""
BELOW_BOARD = 1.07
"""Power at a main board over that at the racks' cords: the same and the UPS."""
BOARD_VA = 2500e3
"""What feeds a main board: one transformer or one generator."""
MECHANICAL_FRAC = 0.13
"""Plant power over rack power, upper estimate."""
PLANT_HEAT = 1.03
"""Heat to the towers over rack power: pumps and fans come on top."""
APPROACH_K = 4.0
"""Hall air above facility water."""
FWS_DP_PA = 150e3


@dataclass(frozen=True, slots=True)
class Plan:
    """What a block is made of.

    Attributes:
        busway_a: busway model of hall A.
        ups_a: UPS model of hall A.
        ups_b: UPS model of hall B, catcher included.
        primaries: for each busway pair of hall B, the index of its primary on side A and on side B.
        primary_boards: for each primary of a side, the index of its own board and of the other side's board behind it.
        boards_b: main boards of hall B on each side.
        cdus_a: liquid-to-air units of each row pair of hall A.
        cdus_b: CDUs of each row pair of hall B.
        air_units: fan walls of halls A and B.
        pumps: facility pumps.
        towers: tower cells.
        utility_va: rating of each utility feed [VA].
    """

    busway_a: str
    ups_a: str
    ups_b: str
    primaries: tuple[tuple[int, int], ...]
    primary_boards: tuple[tuple[int, int], ...]
    boards_b: int
    cdus_a: tuple[int, ...]
    cdus_b: tuple[int, ...]
    air_units: tuple[int, int]
    pumps: int
    towers: int
    utility_va: float


def size(catalog: Catalog, rows_a: Sequence[Sequence[str]], pairs_b: Sequence[Sequence[str]]) -> Plan:
    """Choose the gear of a block.

    Args:
        catalog: models to choose from.
        rows_a: SKUs of each row of hall A.
        pairs_b: SKUs of each busway pair of hall B.

    Returns:
        The plan.

    Raises:
        SiteError: the catalog has no model that carries a row or pair.
    """
    row_va = [_va(catalog, row) for row in rows_a]
    pair_va = [_va(catalog, pair) for pair in pairs_b]
    ups_a = _smallest(catalog, ("ups-1000", "ups-1250"), max(_by_two(row_va)) * BELOW_UPS * RESERVE)
    ups_b, primaries = _primaries(catalog, pair_va)
    per_side = 1 + max(max(p) for p in primaries)
    boards_b, boards = _boards(pair_va, primaries, per_side)
    liquid_a, liquid_b = [[_liquid(catalog, s) for s in t] for t in (rows_a, pairs_b)]
    total = sum(_watts(catalog, s) for s in (*rows_a, *pairs_b))
    air_a = sum(_watts(catalog, s) for s in rows_a)
    air_b = sum(_watts(catalog, s) for s in pairs_b) - sum(liquid_b)
    cdus_a = tuple(_spared(heat, _find(catalog, "cdu_model", "aalc-l2a-120", CduModel).duty_w) for heat in _by_two(liquid_a))
    cdus_b = tuple(_spared(heat, _find(catalog, "cdu_model", "row-cdu-1000", CduModel).duty_w) for heat in _by_two(_by_two(liquid_b)))
    board_va = sum(pair_va) / 2 * BELOW_BOARD / boards_b
    side_va = (sum(row_va) + sum(pair_va) / 2 + board_va) * BELOW_BOARD + total * MECHANICAL_FRAC
    return Plan(
        busway_a=_smallest(catalog, ("busway-800a", "busway-1250a"), max(row_va) * RESERVE),
        ups_a=ups_a,
        ups_b=ups_b,
        primaries=primaries,
        primary_boards=boards,
        boards_b=boards_b,
        cdus_a=cdus_a,
        cdus_b=cdus_b,
        air_units=(_fan_walls(catalog, air_a), _fan_walls(catalog, air_b)),
        pumps=_pumps(catalog, cdus_b, liquid_b, air_a + air_b),
        towers=_spared(total * PLANT_HEAT, _find(catalog, "tower_model", "tower-2500", TowerModel).duty_w),
        utility_va=max(5e6, math.ceil(side_va * RESERVE / 0.5e6) * 0.5e6),
    )


def _primaries(catalog: Catalog, pair_va: Sequence[float]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Primaries of hall B: the least installed rating with which each bears the loss of a partner busway or of another primary."""
    best: tuple[float, str, tuple[tuple[int, int], ...]] | None = None
    for model in ("ups-1000", "ups-1250"):
        rating = _rating(catalog, model)
        for side in range(2, len(pair_va) + 1):
            pairs = tuple((i % side, (i + i // side) % side) for i in range(len(pair_va)))
            if _worst(pair_va, pairs, side) * BELOW_UPS * RESERVE > rating:
                continue
            if best is None or rating * side < best[0]:
                best = (rating * side, model, pairs)
            break
    if best is None:
        raise SiteError(f"no UPS of the catalog carries a busway pair of {max(pair_va) / 1e3:.0f} kVA with its reserve")
    return best[1], best[2]


def _worst(pair_va: Sequence[float], pairs: Sequence[tuple[int, int]], side: int) -> float:
    """Largest load of a primary: half of each of its pairs, and the other half of one whose partner busway is lost."""
    worst = 0.0
    for cord in (0, 1):
        for primary in range(side):
            own = [va / 2 for va, pair in zip(pair_va, pairs, strict=True) if pair[cord] == primary]
            worst = max(worst, sum(own) + max(own, default=0.0))
    return worst


def _boards(pair_va: Sequence[float], pairs: Sequence[tuple[int, int]], side: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Main boards of a side: as few as bear, on top of their own, the primaries of a lost board of the other side or the catcher."""
    load = [max(sum(va / 2 for va, pair in zip(pair_va, pairs, strict=True) if pair[cord] == p) for cord in (0, 1)) for p in range(side)]
    boards: tuple[tuple[int, int], ...] = ()
    for count in range(1, side + 1):
        boards = tuple((i % count, (i // count + i) % count) for i in range(side))
        worst = 0.0
        for board in range(count):
            own = sum(load[i] for i, (mine, _) in enumerate(boards) if mine == board)
            lost = [sum(load[i] for i, (mine, behind) in enumerate(boards) if mine == gone and behind == board) for gone in range(count)]
            worst = max(worst, own + max(*lost, *load))
        if worst * BELOW_BOARD * RESERVE <= BOARD_VA:
            return count, boards
    return side, boards


def _pumps(catalog: Catalog, cdus_b: Sequence[int], liquid_b: Iterable[float], air_w: float) -> int:
    cdu = _find(catalog, "cdu_model", "row-cdu-1000", CduModel)
    unit = _find(catalog, "air_unit_model", "fan-wall-400", AirUnitModel)
    pump = _find(catalog, "pump_model", "fws-pump", PumpModel)
    need = sum(liquid_b) / cdu.duty_w * cdu.cold_flow_kg_s + air_w / unit.duty_w * unit.water_flow_kg_s * unit.approach_k / APPROACH_K
    return _spared(need, math.sqrt((pump.shutoff_pa - FWS_DP_PA) / pump.k_pa_s2_kg2))


def _fan_walls(catalog: Catalog, heat_w: float) -> int:
    """Fan walls at the hall's approach: at full flows the heat of a coil goes with the approach."""
    unit = _find(catalog, "air_unit_model", "fan-wall-400", AirUnitModel)
    return _spared(heat_w, unit.duty_w * min(1.0, APPROACH_K / unit.approach_k))


def _spared(need: float, one: float) -> int:
    return max(1, math.ceil(need * RESERVE / one)) + 1


def _by_two(values: Sequence[float]) -> list[float]:
    return [sum(values[i : i + 2]) for i in range(0, len(values), 2)]


def _smallest(catalog: Catalog, models: Sequence[str], need_va: float) -> str:
    for model in models:
        if _rating(catalog, model) >= need_va:
            return model
    raise SiteError(f"none of {', '.join(models)} carries {need_va / 1e3:.0f} kVA")


def _rating(catalog: Catalog, name: str) -> float:
    """Continuous rating of a power model [VA]."""
    model = _find(catalog, "power_model", name, PowerModel)
    found = [v for v in (model.rating_va, model.rating_w) if v is not None]
    if model.rating_a is not None and model.voltage_v is not None:
        found.append(math.sqrt(3.0) * model.rating_a * model.voltage_v)
    return min(found) * model.derate_frac


def _watts(catalog: Catalog, skus: Iterable[str]) -> float:
    return sum(_find(catalog, "sku", s, Sku).nameplate_w for s in skus)


def _va(catalog: Catalog, skus: Iterable[str]) -> float:
    return sum(sku.nameplate_w / sku.power_factor for sku in (_find(catalog, "sku", s, Sku) for s in skus))


def _liquid(catalog: Catalog, skus: Iterable[str]) -> float:
    return sum(sku.nameplate_w * liquid_share(sku) for sku in (_find(catalog, "sku", s, Sku) for s in skus))


def _find(catalog: Catalog, kind: str, name: str, expect: type[M]) -> M:
    model = catalog.entries.get(kind, {}).get(name)
    if not isinstance(model, expect):
        raise SiteError(f"the catalog has no {kind} {name!r}; {nearest(name, catalog.names(kind))}")
    return model
