"""How far this project is from what others wrote: every comparison asserts its bound and leaves a row for docs/verification.md."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PAGE = "RACKTWIN_VERIFICATION"
"""Environment variable with the page to write at the end of a run."""


@dataclass(frozen=True)
class Agreement:
    """One comparison.

    Attributes:
        area: heading that it stands under: power, hydraulics, heat, plant, time.
        what: what was compared.
        against: whom or what it was held against.
        apart: largest disagreement found.
        allowed: largest that passes.
        unit: unit of both.
    """

    area: str
    what: str
    against: str
    apart: float
    allowed: float
    unit: str


@dataclass
class Agreements:
    """All comparisons of a run; call it to compare."""

    rows: list[Agreement] = field(default_factory=list)

    def __call__(self, area: str, what: str, against: str, apart: float, allowed: float, unit: str = "relative") -> None:
        """Record a comparison, then fail the test if the disagreement (NaN too) is above what is allowed."""
        self.rows.append(Agreement(area, what, against, float(apart), float(allowed), unit))
        assert apart <= allowed, f"{what} against {against}: {apart:.3g} {unit} apart, {allowed:g} allowed"


def page(rows: Sequence[Agreement]) -> str:
    """The rows as a page for people, in a fixed order."""
    lines = ["# How far is it from what others wrote?", ""]
    lines += ["Written by `make verification`: the disagreement that the tests found, and the largest that they let pass.", ""]
    for area in sorted({r.area for r in rows}):
        lines += [f"## {area.capitalize()}", "", "| what | held against | apart | allowed | |", "| --- | --- | ---: | ---: | --- |"]
        own = sorted((r for r in rows if r.area == area), key=lambda r: (r.against, r.what))
        lines += [f"| {r.what} | {r.against} | {r.apart:.2g} | {r.allowed:g} | {r.unit} |" for r in own]
        lines.append("")
    return "\n".join(lines)


def write(rows: Sequence[Agreement]) -> None:
    """Write the page where the environment asks for it."""
    path = os.environ.get(PAGE, "")
    if path and rows:
        Path(path).write_text(page(rows), encoding="utf-8")
