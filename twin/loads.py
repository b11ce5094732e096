"""From utilisation, measured power or nameplate to :class:`twin.state.Loads`.

Power of a part: ``P = idle + (max - idle) u^a``. Rack input: the stages in turn (:mod:`twin.staging`). Heat to liquid: each part's
and each stage's own share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from topology.axes import Bools, Floats
from topology.errors import UsageError, nearest
from topology.models import Part, Sku
from topology.plant import Plant
from topology.plates import paths_of
from twin.staging import stage_loss_w, stage_output_w
from twin.state import Loads

GROUPS = ("cpu", "gpu", "other")
"""Groups of parts that take a utilisation; ``fixed`` parts do not move."""


def from_utilisation(plant: Plant, utilisation: float | Mapping[str, float], racks: Bools | None = None) -> Loads:
    """Loads of one scenario at a utilisation.

    Args:
        plant: the plant.
        utilisation: one value for every group [1], or one a group; a group that is not named idles.
        racks: (R,) racks that draw; those in a drawing state where not given.

    Returns:
        Loads of one scenario.

    Raises:
        UsageError: an unknown group or a value outside 0..1.
    """
    by_group = dict.fromkeys(GROUPS, utilisation) if isinstance(utilisation, (int, float)) else dict(utilisation)
    for group, u in by_group.items():
        if group not in GROUPS:
            raise UsageError(f"no part is of group {group!r}; {nearest(group, GROUPS)}")
        if not 0.0 <= u <= 1.0:
            raise UsageError(f"utilisation {group}={u:g} is outside 0..1")
    on = plant.racks.drawing if racks is None else racks
    present = plant.racks.holding if racks is None else racks
    table = np.array([_sku_row(s, [_part_w(p, by_group.get(p.group, 0.0)) for p in s.parts]) for s in plant.racks.skus])
    per_rack = table.reshape(-1, 5)[plant.racks.sku] * plant.racks.draw_factor[:, None]
    drawn = np.where(on[:, None], per_rack, 0.0)[None]
    ahead = drawn[:, :, 4] if drawn[:, :, 4].any() else None
    return Loads(drawn[:, :, 0], drawn[:, :, 1], drawn[:, :, 2], drawn[:, :, 3], present[None, :].copy(), ahead, at_reference=True)


def from_nameplate(plant: Plant, racks: Bools | None = None) -> Loads:
    """Loads of one scenario with every rack at its allocated power.

    Args:
        plant: the plant.
        racks: (R,) racks that draw; every rack that holds headroom where not given.

    Returns:
        Loads of one scenario.
    """
    on = plant.racks.holding if racks is None else racks
    return from_power(plant, np.where(on, plant.racks.budget_w, 0.0)[None, :], on[None, :])


def from_power(plant: Plant, rack_w: Floats, present: Bools | None = None) -> Loads:
    """Loads from power at the rack's input, measured or forecast; never clamped to what the SKU allows.

    The input is taken back through the stages to the parts. Between idle and full load parts move together; below idle they
    shrink in proportion to their idle power, above full load they grow in proportion to their full power.

    Args:
        plant: the plant.
        rack_w: (S, R) input power [W].
        present: (S, R) or (1, R) racks connected to coolant; those that hold headroom where not given.

    Returns:
        Loads of S scenarios.

    Raises:
        UsageError: a value is negative or not finite, or the rack axis differs.
    """
    if rack_w.ndim != 2 or rack_w.shape[1] != plant.racks.n:
        raise UsageError(f"rack_w has shape {rack_w.shape}, not (scenarios, {plant.racks.n})")
    bad = ~(np.isfinite(rack_w) & (rack_w >= 0.0))
    if bad.any():
        s, r = np.argwhere(bad)[0]
        raise UsageError(f"rack {plant.racks.ids[r]} draws {rack_w[s, r]} W in scenario {s}; give finite power of at least 0")
    out = np.zeros((5, *rack_w.shape))
    for k, sku in enumerate(plant.racks.skus):
        cols = np.flatnonzero(plant.racks.sku == k)
        factor = plant.racks.draw_factor[cols]
        out[:, :, cols] = _sku_from_power(sku, rack_w[:, cols] / factor) * factor
    on = plant.racks.holding[None, :] if present is None else present
    ahead = out[4] if any(_ahead(s).any() for s in plant.racks.skus) else None
    return Loads(out[0], out[1], out[2], out[3], np.broadcast_to(on, rack_w.shape), ahead)


def with_chip_power(plant: Plant, loads: Loads, chip_w: Floats) -> Loads:
    """The same loads with another power of each accelerator: parts, conversion stages and liquid heat follow.

    Args:
        plant: the plant.
        loads: loads of S scenarios.
        chip_w: (S, R) power of one accelerator [W].
    """
    more = np.zeros((3, *loads.rack_w.shape))
    for k, sku in enumerate(plant.racks.skus):
        cols = np.flatnonzero(plant.racks.sku == k)
        own = [p for p in sku.parts if p.chip == sku.chip]
        count = sum(p.count for p in own)
        if count:
            change = count * (chip_w[:, cols] - loads.chip_w[:, cols])
            liquid = sum(p.count * p.liquid_frac for p in own) / count * change
            loss, wet = _more_loss(sku, loads.rack_w[:, cols], loads.it_w[:, cols], change)
            more[:, :, cols] = change + loss, change, liquid + wet
    return replace(loads, rack_w=loads.rack_w + more[0], it_w=loads.it_w + more[1], chip_w=chip_w, liquid_w=loads.liquid_w + more[2])


def parts_w(sku: Sku, rack_w: float, chip_w: float, utilisation: float | Mapping[str, float] | None = None) -> Floats:
    """(part,) power of each part of one rack [W].

    Args:
        sku: the rack.
        rack_w: power at its input; what the parts follow from where no utilisation is given, 0 for a rack that is off.
        chip_w: power of one accelerator, leakage included.
        utilisation: what its load was made from, as in :func:`from_utilisation`.
    """
    if rack_w <= 0.0:
        return np.zeros(len(sku.parts))
    idle, full = (np.array([_part_w(p, u) for p in sku.parts]) for u in (0.0, 1.0))
    if utilisation is None:
        converted = np.array([p.converted for p in sku.parts])
        knots_in = np.array([0.0, _sku_row(sku, list(idle))[0], _sku_row(sku, list(full))[0]])
        it = _it_from_input(sku, np.array([[rack_w]]), idle, full, converted, knots_in)
        parts: Floats = _spread(it, idle, full, np.array([0.0, idle.sum(), full.sum()]))[:, 0, 0]
    else:
        by_group = dict.fromkeys(GROUPS, utilisation) if isinstance(utilisation, (int, float)) else dict(utilisation)
        parts = np.array([_part_w(p, by_group.get(p.group, 0.0)) for p in sku.parts])
    own = np.array([p.chip == sku.chip for p in sku.parts])
    before = _chip_w(sku, list(parts))
    return np.where(own, parts * (chip_w / before), parts) if before > 0.0 else parts


def _more_loss(sku: Sku, rack_w: Floats, it_w: Floats, change_w: Floats) -> tuple[Floats, Floats]:
    """More loss of a rack's stages, and the part of it in liquid, when the parts that they feed take more."""
    level = it_w
    if not all(p.converted for p in sku.parts):  # what is fed beside the stages is not known: the level whose loss is the rack's
        low, high = np.zeros_like(it_w), it_w.copy()
        for _ in range(60):
            level = 0.5 * (low + high)
            under = _through(sku, level)[0] - level < rack_w - it_w
            low, high = np.where(under, level, low), np.where(under, high, level)
    before, after = _through(sku, level), _through(sku, level + change_w)
    return after[0] - before[0] - change_w, after[1] - before[1]


def _through(sku: Sku, level_w: Floats) -> tuple[Floats, Floats]:
    """Power at the input of all stages, and their loss in liquid, for a power of the parts behind them."""
    liquid = np.zeros_like(level_w)
    for stage in sku.stages:
        loss = stage_loss_w(stage, level_w)
        liquid, level_w = liquid + loss * stage.liquid_frac, level_w + loss
    return level_w, liquid


def _ahead(sku: Sku) -> Floats:
    """(part,) share of each part's power that warms the coolant of one path ahead of its accelerators."""
    share = np.zeros(len(sku.parts))
    for part, path in zip(sku.parts, paths_of(sku), strict=True):
        if part.chip == sku.chip:
            share[list(path.ahead)] = [sku.parts[j].liquid_frac / path.paths for j in path.ahead]
    return share


def _part_w(part: Part, utilisation: float) -> float:
    return float(_part_at(part, np.asarray(utilisation)))


def _part_at(part: Part, utilisation: Floats) -> Floats:
    """Power of a part at utilisations of any shape."""
    if part.group == "fixed":
        return np.full(utilisation.shape, part.count * part.max_w)
    return np.asarray(part.count * (part.idle_w + (part.max_w - part.idle_w) * utilisation**part.exponent))


def sku_at(sku: Sku, utilisation: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Power of one rack with all its parts at one utilisation, any shape.

    Args:
        sku: the rack.
        utilisation: of every part [1].

    Returns:
        Power at its input, of its parts, of one accelerator, and of parts that are fed beside its conversion stages [W].
    """
    parts = [_part_at(p, utilisation) for p in sku.parts]
    beside = sum((w for w, p in zip(parts, sku.parts, strict=True) if not p.converted), np.zeros(utilisation.shape))
    it: Floats = np.sum(parts, axis=0)
    count = sum(p.count for p in sku.parts if p.chip == sku.chip)
    chips = sum((w for w, p in zip(parts, sku.parts, strict=True) if p.chip == sku.chip), np.zeros(utilisation.shape))
    return stages_input_w(sku, it - beside) + beside, it, chips / max(count, 1), beside


def stages_input_w(sku: Sku, output_w: Floats) -> Floats:
    """Power into a rack's conversion stages at a power out of them, any shape [W]."""
    return _through(sku, output_w)[0]


def _sku_row(sku: Sku, parts_w: list[float]) -> tuple[float, float, float, float, float]:
    """(input, IT, one accelerator, liquid, ahead of an accelerator) of one rack [W]."""
    through = sum(w for w, p in zip(parts_w, sku.parts, strict=True) if p.converted)
    beside = sum(parts_w) - through
    liquid = sum(w * p.liquid_frac for w, p in zip(parts_w, sku.parts, strict=True))
    level = through
    for stage in sku.stages:
        loss = float(stage_loss_w(stage, np.asarray(level)))
        liquid += loss * stage.liquid_frac
        level += loss
    return level + beside, through + beside, _chip_w(sku, parts_w), liquid, float(_ahead(sku) @ np.array(parts_w))


def _chip_w(sku: Sku, parts_w: list[float]) -> float:
    count = sum(p.count for p in sku.parts if p.chip == sku.chip)
    total = sum(w for w, p in zip(parts_w, sku.parts, strict=True) if p.chip == sku.chip)
    return total / count if count else 0.0


def _sku_from_power(sku: Sku, rack_w: Floats) -> Floats:
    """(5, S, r): input, IT, one accelerator, liquid, ahead of an accelerator [W] from input power of racks of one SKU."""
    idle = np.array([_part_w(p, 0.0) for p in sku.parts])
    full = np.array([_part_w(p, 1.0) for p in sku.parts])
    converted = np.array([p.converted for p in sku.parts])
    knots_it = np.array([0.0, idle.sum(), full.sum()])
    knots_in = np.array([0.0, _sku_row(sku, list(idle))[0], _sku_row(sku, list(full))[0]])
    it = _it_from_input(sku, rack_w, idle, full, converted, knots_in)
    share = _spread(it, idle, full, knots_it)
    liquid = _weighed(share, [p.liquid_frac for p in sku.parts])
    level = share[converted].sum(axis=0)
    beside = share[~converted].sum(axis=0)
    floor = rack_w - beside
    for stage in sku.stages[:-1]:
        loss = np.minimum(stage_loss_w(stage, level), floor - level)
        liquid += loss * stage.liquid_frac
        level = level + loss
    if sku.stages:
        liquid += (floor - level) * sku.stages[-1].liquid_frac
    chips = np.array([p.chip == sku.chip for p in sku.parts])
    count = sum(p.count for p in sku.parts if p.chip == sku.chip)
    chip = share[chips].sum(axis=0) / max(count, 1)
    return np.stack([rack_w, it, chip, liquid, _weighed(share, _ahead(sku).tolist())])


def _weighed(share: Floats, weight: Sequence[float]) -> Floats:
    """(S, r) weighted sum over parts (part, S, r), part by part: a matrix product would sum rows at its rim in another order."""
    total = np.zeros(share.shape[1:])
    for part, w in zip(share, weight, strict=True):
        total += part * w
    return total


def _spread(it: Floats, idle: Floats, full: Floats, knots: Floats) -> Floats:
    """Split IT power over parts, (part, S, r): in proportion below idle and above full load, together in between."""
    span = max(knots[2] - knots[1], 1e-9)
    x = np.clip((it - knots[1]) / span, 0.0, 1.0)
    low = np.minimum(it / max(knots[1], 1e-9), 1.0)
    high = np.maximum(it / max(knots[2], 1e-9), 1.0)
    shape = (-1, *([1] * it.ndim))
    base: Floats = (idle.reshape(shape) * (1.0 - x) + full.reshape(shape) * x) * np.where(x <= 0.0, low, high)
    return base


def _it_from_input(sku: Sku, rack_w: Floats, idle: Floats, full: Floats, converted: Bools, knots_in: Floats) -> Floats:
    """IT power whose losses add up to the measured input; parts beside the stages keep their own law."""
    if not sku.stages:
        return rack_w.copy()
    if converted.all():
        level = rack_w
        for stage in reversed(sku.stages):
            level = stage_output_w(stage, level)
        whole: Floats = np.minimum(level, rack_w)
        return whole
    knots_it = np.array([0.0, idle.sum(), full.sum()])
    it: Floats = np.interp(rack_w, knots_in, knots_it)
    for _ in range(60):
        share = _spread(it, idle, full, knots_it)
        beside = share[~converted].sum(axis=0)
        level = np.maximum(rack_w - beside, 0.0)
        for stage in reversed(sku.stages):
            level = stage_output_w(stage, level)
        new: Floats = np.minimum(level + beside, rack_w)
        if np.all(np.abs(new - it) <= 1e-13 * np.maximum(rack_w, 1.0)):
            return new
        it = new
    return it
