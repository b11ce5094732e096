"""Line plots as SVG, small and without a library: a page of results needs no more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from topology.axes import Floats

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 300, 64, 12, 44, 36
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#57606a")
POINTS = 1500
"""Points of a line; a longer series is drawn by its means."""


@dataclass(frozen=True)
class Plot:
    """Lines over one axis.

    Attributes:
        name: file name without its ending.
        title: what is seen.
        unit: unit of the lines.
        x: (T,) axis.
        x_label: its name and unit.
        lines: label and (T,) values of each line, NaN for gaps.
        split: position on the axis where testing begins, or ``None``.
        shaded: stretches of the axis that are quarantined.
    """

    name: str
    title: str
    unit: str
    x: Floats
    x_label: str
    lines: tuple[tuple[str, Floats], ...]
    split: float | None = None
    shaded: tuple[tuple[float, float], ...] = ()


def svg(plot: Plot) -> str:
    """The picture as an SVG document."""
    finite = np.concatenate([v[np.isfinite(v)] for _, v in plot.lines])
    if finite.size == 0:
        finite = np.zeros(1)
    y_ticks, x_ticks = ticks(float(finite.min()), float(finite.max())), ticks(float(plot.x.min()), float(plot.x.max()), 8)
    low, high = min(y_ticks[0], float(finite.min())), max(y_ticks[-1], float(finite.max()))
    x0, x1 = float(plot.x.min()), float(plot.x.max())

    def across(x: float) -> float:
        return LEFT + (x - x0) / max(x1 - x0, 1e-12) * (WIDTH - LEFT - RIGHT)

    def up(y: float) -> float:
        return HEIGHT - BOTTOM - (y - low) / max(high - low, 1e-12) * (HEIGHT - TOP - BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" '
        f'role="img" aria-label="{escape(plot.title)}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="16" font-size="14" font-weight="bold">{escape(plot.title)} [{escape(plot.unit)}]</text>',
    ]
    for a, b in plot.shaded:
        wide = max(across(b) - across(a), 1)
        out.append(f'<rect x="{across(a):.1f}" y="{TOP}" width="{wide:.1f}" height="{HEIGHT - TOP - BOTTOM}" fill="#ffe3c2"/>')
    for y in y_ticks:
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(y):.1f}" y2="{up(y):.1f}" stroke="#d8dee4"/>')
        out.append(f'<text x="{LEFT - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{number(y)}</text>')
    for x in x_ticks:
        if x0 <= x <= x1:
            out.append(f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{number(x)}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{escape(plot.x_label)}</text>')
    if plot.split is not None:
        at = across(plot.split)
        out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#57606a" stroke-dasharray="4 3"/>')
        out.append(
            f'<text x="{at - 4:.1f}" y="{TOP + 12}" text-anchor="end">fitted</text><text x="{at + 4:.1f}" y="{TOP + 12}">tested</text>'
        )
    at_x = LEFT
    for k, (label, values) in enumerate(plot.lines):
        colour = COLOURS[k % len(COLOURS)]
        out.append(f'<path d="{_path(plot.x, values, across, up)}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
        out.append(f'<rect x="{at_x}" y="25" width="14" height="3" fill="{colour}"/><text x="{at_x + 18}" y="31">{escape(label)}</text>')
        at_x += 30 + round(6.6 * len(label))
    return "\n".join([*out, "</svg>", ""])


def _path(x: Floats, y: Floats, across: object, up: object) -> str:
    assert callable(across) and callable(up)
    width = max(1, math.ceil(x.size / POINTS))
    pieces, pen = [], False
    for a in range(0, x.size, width):
        part = y[a : a + width]
        good = np.isfinite(part)
        if not good.any():
            pen = False
            continue
        pieces.append(f"{'L' if pen else 'M'}{across(float(x[a : a + width][good].mean())):.1f} {up(float(part[good].mean())):.1f}")
        pen = True
    return " ".join(pieces)


def ticks(low: float, high: float, count: int = 5) -> Sequence[float]:
    """Round numbers that cover a range.

    >>> ticks(0.0, 9.7)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    reach = max(high - low, 1e-9 * max(abs(high), 1.0))
    size = 10.0 ** math.floor(math.log10(reach / count))
    step = next(size * m for m in (1.0, 2.0, 5.0, 10.0) if reach / (size * m) <= count)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [k * step for k in range(first, last + 1)]


def number(value: float) -> str:
    """A tick as people write it.

    >>> number(0.1 + 0.2), number(20000.0)
    ('0.3', '20,000')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"
