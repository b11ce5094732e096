"""The calibrated plant: constants of single elements as telemetry shows them, in one file that lies over the catalog.

``calibration.csv`` has one row a constant. A factor says what a constant of the catalog must be multiplied by; 1 leaves it. Factors
of a SKU change its catalog entry, so that racks which are not there yet get them as well; factors of an element change the arrays
of the plant. Rows of sensors (``gain``, ``bias``) do not change the plant: they say how its meters read,
``reading = gain * true value + bias``.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from topology.axes import Axis, ExchangerAxis, Floats
from topology.columns import col, columns_of
from topology.errors import Finding, SiteError, nearest
from topology.models import Catalog, Part, Sku
from topology.table import read_table

if TYPE_CHECKING:
    from topology.plant import Plant
    from topology.site import Site

BASES = ("data", "prior", "declared")
"""What a row rests on: telemetry told it; telemetry could not tell it, so that it keeps what was known before; somebody wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One calibrated constant, a row of ``calibration.csv``."""

    element: str = col("element of the site, or SKU of its catalog")
    parameter: str = col("name of the constant: one of the factors below, or gain or bias of a sensor")
    value: float = col("its value", type="number")
    low: float | None = col("lower end of its 90 % interval", type="number", default=None)
    high: float | None = col("upper end of its 90 % interval", type="number", default=None)
    basis: str = col("what it rests on", choices=BASES, default="declared")
    quantity: str = col("for gain and bias: what the sensor reads, such as supply_temp_c", default="")
    part: str = col("for gain and bias: part of the element that it sits on, such as Secondary", default="")
    since: dt.date | None = col("first day of the telemetry behind it", type="date", default=None)
    until: dt.date | None = col("last day of it", type="date", default=None)
    note: str = col("anything else for people", default="")

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What there may be only one of."""
        return self.element, self.parameter, self.quantity, self.part


@dataclass(frozen=True, slots=True)
class Factor:
    """A constant that an overlay may scale.

    Attributes:
        name: as in the file.
        doc: one line for people.
        axis: axis of the plant whose elements have it; ``sku`` for a catalog entry of racks.
        change: fields of the axis with factors laid on: (axis, (n,) factors) to changed fields.
    """

    name: str
    doc: str
    axis: str
    change: Callable[[Any, Floats], dict[str, Floats]]


def _scaled(*names: str) -> Callable[[Any, Floats], dict[str, Floats]]:
    return lambda axis, f: {n: getattr(axis, n) * f for n in names}


def _share(axis: Any, f: Floats) -> dict[str, Floats]:
    """Another split between cords, never beyond what the rack's spread allows."""
    return {"share_a_frac": np.clip(axis.share_a_frac * f, axis.share_low_frac, axis.share_high_frac)}


def _full_flow(axis: ExchangerAxis, f: Floats) -> dict[str, Floats]:
    """Another flow with the valve fully open, at the same conductance for every pair of flows.

    With ``1/UA = s/ua (hot_r/hot)^n + (1-s)/ua (cold_r/cold)^n`` a rated cold flow times ``f`` asks for the cold film's term over ``f^n``.
    """
    hot = axis.hot_share_frac / axis.ua_w_k
    cold = (1.0 - axis.hot_share_frac) / axis.ua_w_k * f**-axis.cold_exponent
    ua = 1.0 / (hot + cold)
    same = f == 1.0  # to the last bit
    return {
        "cold_kg_s": axis.cold_kg_s * f, "ua_w_k": np.where(same, axis.ua_w_k, ua),
        "hot_share_frac": np.where(same, axis.hot_share_frac, hot * ua),
    }  # fmt: skip


_FACTORS = (
    Factor("idle_factor", "power of its parts at zero utilisation", "sku", lambda s, f: {}),
    Factor("swing_factor", "power of its parts from zero to full utilisation", "sku", lambda s, f: {}),
    Factor("exponent_factor", "exponent of its power curve", "sku", lambda s, f: {}),
    Factor("supply_fixed_factor", "no-load loss of its conversion stages", "sku", lambda s, f: {}),
    Factor("supply_load_factor", "load losses of its conversion stages", "sku", lambda s, f: {}),
    Factor("draw_factor", "power of one rack against its SKU at the same utilisation", "racks", _scaled("draw_factor")),
    Factor("share_factor", "share of one rack's load on cord A with both cords alive", "racks", _share),
    Factor("plate_factor", "thermal resistance of its accelerators' cold plates", "racks", _scaled("r_base_k_w", "r_flow", "r_air_k_w")),
    Factor("branch_factor", "flow resistance of one rack's branch", "racks", _scaled("resistance")),
    Factor("loss_fixed_factor", "no-load loss of a power element", "power", _scaled("loss_fixed_w")),
    Factor("loss_load_factor", "load losses of a power element", "power", _scaled("loss_frac", "loss_quad_per_w")),
    Factor("ua_factor", "conductance of a CDU's exchanger", "cdus", _scaled("ua_w_k")),
    Factor("valve_flow_factor", "cold flow of a CDU with its valve fully open", "cdus", _full_flow),
    Factor("coil_factor", "conductance of a fan wall's coil", "air_units", _scaled("ua_w_k")),
    Factor("shutoff_factor", "head of a pump at rest", "pumps", _scaled("shutoff_pa")),
    Factor("curve_factor", "fall of a pump's head with flow squared", "pumps", _scaled("k")),
    Factor("efficiency_factor", "wire to water efficiency of a pump", "pumps", _scaled("efficiency_frac")),
    Factor("lg_factor", "water over air flow of a tower cell, which sets its approach", "towers", _scaled("lg_ratio")),
    Factor("approach_factor", "approach of a dry cooler at its rating", "dry_coolers", _scaled("approach_k")),
)
FACTORS: Mapping[str, Factor] = MappingProxyType({f.name: f for f in _FACTORS})
"""Every factor that an overlay may hold, by name: the one place that lists them."""
WHOLE_SITE = "site"
"""What stands for the site itself, where its weather station is the sensor."""
SENSOR = ("gain", "bias")
"""Parameters of a sensor: ``reading = gain * true + bias``, bias in the canonical unit of its quantity."""


def read_overlay(path: Path | str) -> tuple[Constant, ...]:
    """Read a calibration file.

    Raises:
        SiteError: it cannot be read; carries every fault with its row.
    """
    file = Path(path)
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise SiteError(f"the calibration {file} cannot be read: {fault}; `racktwin calibrate` writes one") from fault
    table = read_table(text, file.name, Constant)
    findings = list(table.findings)
    seen: dict[tuple[str, ...], int] = {}
    for line, row in table.elements:
        place = {"file": file.name, "row": line, "element": row.element}
        findings += [Finding(message, hint, column=column, **place) for column, message, hint in _faults(row)]
        if row.key in seen:
            findings.append(Finding(f"{row.element} {row.parameter} stands in row {seen[row.key]} as well", "keep one of them", **place))
        seen[row.key] = line
    if findings:
        raise SiteError(f"the calibration {file} has {len(findings)} fault{'s' if len(findings) > 1 else ''}", findings)
    return tuple(row for _, row in table.elements)


def _faults(row: Constant) -> Iterable[tuple[str, str, str]]:
    """Column, message and way out of each fault of one row."""
    if row.parameter not in (*FACTORS, *SENSOR):
        yield "parameter", f"there is no parameter {row.parameter!r}", nearest(row.parameter, (*FACTORS, *SENSOR))
    elif row.parameter != "bias" and not row.value > 0.0:
        yield "value", f"{row.parameter} {row.value:g} is not above zero", "a factor of 1 leaves what the catalog says"
    if row.parameter in SENSOR and not row.quantity:
        yield "quantity", f"the {row.parameter} of a sensor needs the quantity that it reads", "such as supply_temp_c"
    if row.low is not None and row.high is not None and not row.low <= row.value <= row.high:
        yield "value", f"{row.value:g} lies outside its own interval {row.low:g} to {row.high:g}", "give low <= value <= high"


def overlay_text(rows: Iterable[Constant]) -> str:
    """Constants as the text of a calibration file."""
    columns = [c.name for c in columns_of(Constant)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if (v := getattr(row, c)) is None else v for c in columns] for row in rows)
    return out.getvalue()


def write_overlay(rows: Iterable[Constant], path: Path | str) -> None:
    """Write a calibration file, whole or not at all.

    Raises:
        SiteError: it cannot be written.
    """
    target = Path(path)
    beside = target.with_name(f".{target.name}.new")
    try:
        beside.write_text(overlay_text(rows), encoding="utf-8", newline="")
        beside.replace(target)
    except OSError as fault:
        raise SiteError(f"the calibration cannot be written to {target}: {fault.strerror or fault}") from fault


def calibrated(site: Site, rows: Sequence[Constant]) -> Site:
    """Lay constants over a site: SKUs are changed in its catalog, everything else when its plant is made.

    Args:
        site: the site.
        rows: constants, later ones win over what the site holds already.

    Raises:
        SiteError: a row names what the site does not have.
    """
    findings = []
    for row in rows:
        whole = row.element == WHOLE_SITE and row.parameter in SENSOR
        known = row.element in site.elements or row.element in site.catalog.entries.get("sku", {}) or _inside(site, row.element)
        if not known and not whole:
            names = (*site.elements, *site.catalog.names("sku"))
            findings.append(Finding(f"there is no element or SKU {row.element!r}", nearest(row.element, names), element=row.element))
    if findings:
        raise SiteError("the calibration does not belong to this site", findings)
    merged = {r.key: r for r in (*site.calibration, *rows)}
    of_sku: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.parameter in FACTORS and FACTORS[row.parameter].axis == "sku":
            of_sku.setdefault(row.element, {})[row.parameter] = row.value
    skus = {name: sku_with(site.model("sku", name, Sku), factors) for name, factors in of_sku.items()}
    entries = {**site.catalog.entries, "sku": MappingProxyType({**site.catalog.entries.get("sku", {}), **skus})}
    return site.with_(catalog=Catalog(entries=MappingProxyType(entries)), calibration=tuple(merged.values()))


def composed(before: Iterable[Constant], rows: Iterable[Constant]) -> tuple[Constant, ...]:
    """One overlay that does what two do, one after the other: factors are multiplied, errors of sensors are those told last.

    Args:
        before: constants that lay over the site already.
        rows: constants that were found on top of them.
    """
    found = {row.key: row for row in before}
    for row in rows:
        was = found.get(row.key)
        if was is not None and row.parameter not in SENSOR:
            low, high = (None if end is None else end * was.value for end in (row.low, row.high))
            row = replace(row, value=row.value * was.value, low=low, high=high)
        found[row.key] = row
    return tuple(found.values())


def _inside(site: Site, element: str) -> bool:
    """Whether an id names the pumps inside a CDU, which have no row of their own."""
    return element.rpartition("/")[0] in site.cdus


def sku_with(sku: Sku, factor: Mapping[str, float]) -> Sku:
    """A SKU with its power curve and supplies scaled; parts that do not move keep theirs.

    What planners allocate for it follows the power of its parts at full utilisation, up or down; its nameplate stays.

    Args:
        sku: the SKU.
        factor: factors of :data:`FACTORS` by name; one that is not named is 1.
    """
    idle, swing, bend = (factor.get(n, 1.0) for n in ("idle_factor", "swing_factor", "exponent_factor"))

    def part(p: Part) -> Part:
        if p.group == "fixed":
            return p
        return replace(p, idle_w=idle * p.idle_w, max_w=idle * p.idle_w + swing * (p.max_w - p.idle_w), exponent=bend * p.exponent)

    fixed, load = factor.get("supply_fixed_factor", 1.0), factor.get("supply_load_factor", 1.0)
    stages = tuple(
        replace(s, fixed_w=fixed * s.fixed_w, loss_frac=load * s.loss_frac, loss_quad_per_w=load * s.loss_quad_per_w) for s in sku.stages
    )
    parts = tuple(map(part, sku.parts))
    full, was = (sum(p.count * p.max_w for p in own) for own in (parts, sku.parts))
    allocated = sku.allocated_w if full == was else (sku.allocated_w or sku.nameplate_w) * full / was
    return replace(sku, parts=parts, stages=stages, allocated_w=allocated)


def laid_over(plant: Plant, rows: Sequence[Constant]) -> Plant:
    """A plant with the factors of its elements; sensors and SKUs are passed over.

    Args:
        plant: the plant; it stays as it is.
        rows: constants; a ``plate_factor`` or ``draw_factor`` of a SKU goes to each of its racks, on top of a rack's own.

    Raises:
        SiteError: an element that has no such constant.
    """
    changed: dict[str, Any] = {}
    of: dict[str, list[Constant]] = {}
    for row in rows:
        of.setdefault(row.parameter, []).append(row)
    for name, own in of.items():
        factor = FACTORS.get(name)
        if factor is None or factor.axis == "sku":
            continue
        axis: Any = changed.get(factor.axis, getattr(plant, factor.axis))
        moved = factor.change(axis, _factors(plant, axis, factor, own))
        for values in moved.values():
            values.flags.writeable = False
        changed[factor.axis] = replace(axis, **moved)
    return replace(plant, **changed) if changed else plant


def _factors(plant: Plant, axis: Axis, factor: Factor, rows: Sequence[Constant]) -> Floats:
    value = np.ones(axis.n)
    index = {name: k for k, name in enumerate(axis.ids)}
    skus = [s.name for s in plant.racks.skus]
    for row in rows:
        if row.element in index:
            value[index[row.element]] *= row.value
        elif factor.axis == "racks" and row.element in skus:
            value[plant.racks.sku == skus.index(row.element)] *= row.value
        elif not (factor.axis == "racks" and row.element in plant.site.catalog.entries.get("sku", {})):
            hint = nearest(row.element, axis.ids)
            raise SiteError(f"{row.element} has no {factor.name} ({factor.doc}); {hint}")
    return value
