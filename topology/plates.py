"""Cold plates: the law ``R(q) = R0 + b q^-n`` fitted to a published table, and how the plates of a rack share its coolant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from topology.axes import Floats
from topology.errors import SiteError
from topology.models import Chip, Part, Sku

EXPONENTS = (0.2, 2.0)
"""Range in which the exponent is looked for: 1/3 is developing laminar flow, 1 a plate limited by the warming of its coolant."""
LEAST_POINTS = 4
"""Fewest points that three coefficients are fitted to."""


@dataclass(frozen=True)
class PlateLaw:
    """``R(q) = base + factor * q^-exponent``, junction (or case) to coolant inlet.

    Attributes:
        r_base_k_w: resistance at very high flow [K/W].
        factor: flow-dependent part [K/W (kg/s)^n].
        exponent: n.
        residual_frac: largest relative distance to a point of the table, 0 where no table stands behind it.
        points: points that it was fitted to.
    """

    r_base_k_w: float
    factor: float
    exponent: float
    residual_frac: float = 0.0
    points: int = 0

    def at_k_w(self, flow_kg_s: float) -> float:
        """Resistance at a flow through one plate [K/W].

        >>> PlateLaw(0.02, 1e-4, 1.0).at_k_w(0.02)
        0.025
        """
        return float(self.r_base_k_w + self.factor * flow_kg_s**-self.exponent)


def fit_plate(flow_kg_s: Sequence[float] | Floats, r_k_w: Sequence[float] | Floats) -> PlateLaw:
    """Fit the plate law to a table by least squares of relative error.

    For a given exponent the law is linear in both other coefficients; the exponent is found by golden section on what is left.

    Args:
        flow_kg_s: flows of one plate [kg/s], above 0.
        r_k_w: resistances [K/W].

    Returns:
        The law with its largest relative distance to a point.

    Raises:
        SiteError: lists of different length, fewer than four points, or values that are not positive.

    >>> law = fit_plate([0.01, 0.02, 0.03, 0.05], [0.03, 0.025, 0.0233333, 0.022])
    >>> round(law.r_base_k_w, 4), round(law.exponent, 3)
    (0.02, 1.0)
    """
    q, r = np.asarray(flow_kg_s, dtype=np.float64), np.asarray(r_k_w, dtype=np.float64)
    if q.shape != r.shape or q.size < LEAST_POINTS or not ((q > 0.0).all() and (r > 0.0).all()):
        raise SiteError(f"a cold plate's table needs {LEAST_POINTS} or more pairs above 0, not {q.size} flows and {r.size} resistances")
    low, high = EXPONENTS
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    while high - low > 1e-9:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if _fit(q, r, a)[1] <= _fit(q, r, b)[1] else (a, high)
    exponent = 0.5 * (low + high)
    (base, flow), _ = _fit(q, r, exponent)
    law = base + flow * q**-exponent
    return PlateLaw(float(base), float(flow), float(exponent), float(np.abs(law / r - 1.0).max()), int(q.size))


def _fit(q: Floats, r: Floats, exponent: float) -> tuple[Floats, float]:
    """Base and flow part, at least 0 each, and the sum of squares of relative errors."""
    columns = np.stack([1.0 / r, q**-exponent / r], axis=1)
    best = np.asarray(np.linalg.lstsq(columns, np.ones(q.size), rcond=None)[0], dtype=np.float64)
    if best[0] < 0.0:
        best = np.array([0.0, columns[:, 1].sum() / (columns[:, 1] ** 2).sum()])
    if best[1] < 0.0:
        best = np.array([columns[:, 0].sum() / (columns[:, 0] ** 2).sum(), 0.0])
    return best, float(((columns @ best - 1.0) ** 2).sum())


def plate_of(chip: Chip) -> PlateLaw:
    """Plate of a chip: fitted to its table where it has one, else its coefficients.

    Raises:
        SiteError: its table cannot be fitted; names the chip.
    """
    if not chip.plate_flow_kg_s and not chip.plate_r_k_w:
        return PlateLaw(chip.r_base_k_w, chip.r_flow, chip.r_exponent)
    try:
        return fit_plate(chip.plate_flow_kg_s, chip.plate_r_k_w)
    except SiteError as error:
        raise SiteError(f"chip {chip.name}: {error}") from error


@dataclass(frozen=True)
class Path:
    """How one part's plates sit in the coolant: the share of the rack's flow, and which heat is ahead of the last of them.

    Attributes:
        plate_frac: share of the rack's coolant flow through one plate.
        path_frac: share of the rack's coolant flow through one path.
        paths: paths in parallel.
        abreast: plates of this part in parallel on one path.
        ahead: parts whose plates come before its own on the path (indices into the SKU's parts).
        series: plates of this part one after the other on a path.
    """

    plate_frac: float
    path_frac: float
    paths: int
    abreast: int
    ahead: tuple[int, ...]
    series: int


def paths_of(sku: Sku) -> tuple[Path, ...]:
    """Lay out the coolant of a rack: one path a part, or one that parts with a ``plate_order`` share.

    Flow is laid out in proportion to liquid heat at full load, as orifices in a tray's manifold do.

    Args:
        sku: the rack.

    Returns:
        One path for each of its parts; parts without liquid heat have no flow.

    Raises:
        SiteError: plates that cannot be shared out evenly over the paths; names the part.
    """
    heat = [p.count * p.max_w * p.liquid_frac for p in sku.parts]
    shared = [k for k, p in enumerate(sku.parts) if p.plate_order > 0 and heat[k] > 0.0]
    fewest = min((_even(sku, k, 1) for k in shared), default=1)
    total, together = sum(heat), sum(heat[k] for k in shared)

    def path(k: int, part: Part) -> Path:
        if heat[k] <= 0.0:
            return Path(0.0, 0.0, part.count, 1, (), 1)
        joint = k in shared
        paths = fewest if joint else _even(sku, k, 1)
        abreast = _even(sku, k, paths)
        share = (together if joint else heat[k]) / total / paths
        ahead = tuple(j for j in shared if joint and sku.parts[j].plate_order < part.plate_order)
        return Path(share / abreast, share, paths, abreast, ahead, part.plates_in_series)

    return tuple(path(k, p) for k, p in enumerate(sku.parts))


def _even(sku: Sku, k: int, paths: int) -> int:
    """Plates of a part abreast on each of some paths."""
    part = sku.parts[k]
    each, rest = divmod(part.count, part.plates_in_series * paths)
    if rest:
        where = f" over {paths} paths" if paths > 1 else ""
        raise SiteError(
            f"{sku.name}: {part.count} plates of {part.name!r}, {part.plates_in_series} in series, cannot be shared out evenly{where}; "
            "mend plates_in_series or plate_order"
        )
    return each
