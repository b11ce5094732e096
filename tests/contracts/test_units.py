"""A number carries its unit in its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.contracts.source import Function, Source, definitions, is_dataclass, parameters, snippet, sources, told
from topology.units import UNITS, split

HOUSES = ("topology", "telemetry", "twin")
FLOATS = {"float", "float | None"}
COMPOUND = (
    "kg_m3",
    "j_kg_k",
    "j_kg",
    "pa_s",
    "w_m_k",
    "w_m2_k",
    "m2_s",
    "pa_s_kg",
    "pa_s2_kg2",
    "m_s",
    "m_s2",
    "kg_m_s",
    "m2",
    "per_s",
    "rad_s",
    "rad",
    "ohm",
    "usd_w",
    "kg_kg",
    "s_m3",
)
"""Units of laws that no people's file uses, and that need no conversion therefore."""
DIMENSIONLESS = {
    "cop", "correlation", "effectiveness", "ere", "exponent", "factor", "friction", "itue", "lg", "lg_ratio", "ln_mu", "ntu",
    "power_factor", "probability", "prandtl", "pue", "pue_1", "pue_2", "pue_3", "quantile", "relative_roughness", "relaxation",
    "coverage", "residual", "reynolds", "score", "share", "speed", "tolerance", "tue", "utilisation", "weight",
}  # fmt: skip
"""Names that say by themselves that they have no unit."""
BESIDE_ITS_UNIT = {"high", "least", "low", "noise", "offset", "rmse", "scale", "size", "value", "x", "y", "z"}
"""Names of numbers whose unit stands in a field beside them, or in the law that they are arguments of."""


def has_unit(name: str) -> bool:
    """Whether a name ends in a unit, or needs none."""
    return (
        split(name)[1] is not None
        or name in UNITS
        or name.endswith(tuple(f"_{u}" for u in COMPOUND))
        or name in DIMENSIONLESS | BESIDE_ITS_UNIT
    )


def faults(source: Source) -> Iterator[str]:
    """Floats of public dataclasses and functions without a unit."""
    for name, node in definitions(source):
        if isinstance(node, ast.ClassDef):
            if is_dataclass(node):
                yield from (f"{source.path}:{node.lineno} {name}.{field}" for field in _plain_fields(node) if not has_unit(field))
        else:
            yield from (f"{source.path}:{node.lineno} {name}({p})" for p in _plain_parameters(node) if not has_unit(p))


def _plain_fields(node: ast.ClassDef) -> Iterator[str]:
    for n in node.body:
        if (
            isinstance(n, ast.AnnAssign)
            and isinstance(n.target, ast.Name)
            and ast.unparse(n.annotation) in FLOATS
            and not _declared(n.value)
        ):
            yield n.target.id


def _declared(value: ast.expr | None) -> bool:
    """Whether a field is a column that is declared to be a plain number."""
    return isinstance(value, ast.Call) and any(k.arg == "type" and ast.unparse(k.value) == "'number'" for k in value.keywords)


def _plain_parameters(node: Function) -> Iterator[str]:
    yield from (p.arg for p in parameters(node) if p.annotation is not None and ast.unparse(p.annotation) in FLOATS)


@pytest.mark.parametrize("house", HOUSES)
def test_every_public_float_names_its_unit(house: str) -> None:
    assert told(line for f in sources(house) for line in faults(f)) == "", "end the name in a unit of topology.units"


def test_the_rule_sees_fields_and_parameters() -> None:
    fields = "power: float; supply_c: float | None = None; n: float = col('n', type='number')"
    assert list(faults(snippet(f"@dataclass\nclass A:\n    {fields}\n"))) == ["topology/sample.py:2 topology.sample.A.power"]
    assert list(faults(snippet("def f(pressure: float, flow_lpm: float) -> None: ..."))) == [
        "topology/sample.py:1 topology.sample.f(pressure)"
    ]


def test_dimensionless_names_carry_no_unit() -> None:
    assert sorted(n for n in DIMENSIONLESS if split(n)[1] is not None) == []
