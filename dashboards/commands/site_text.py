"""The readable form of the answers about a site."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from dashboards.commands.output import table
from topology.errors import Finding


def checked(out: Console, site: Path, found: Sequence[Finding]) -> None:
    """Every finding, errors first, then the verdict."""
    errors = [f for f in found if f.severity == "error"]
    warnings = [f for f in found if f.severity != "error"]
    for f in errors:
        out.print(f"error    {f}", soft_wrap=True)
    for f in warnings:
        out.print(f"{f.severity:<8} {f}", soft_wrap=True)
    verdict = f"{_count(len(errors), 'error')}, {_count(len(warnings), 'warning')}" if found else "no faults"
    out.print(f"{site}: {verdict}", soft_wrap=True)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def shown(out: Console, answer: dict[str, Any]) -> None:
    """Contents of a site as tables."""
    from dashboards.readable import text

    out.print(
        f"{answer['site']}: {answer['racks']} racks on {answer['positions']} positions, {answer['free_positions']} free; "
        f"allocated {text(answer['allocated_w'], 'w')}; design wet bulb {answer['design_wet_bulb_c']:.1f} degC"
    )
    halls = [(h["element"], str(h["rows"]), str(h["positions"]), str(h["racks"]), str(h["free_positions"]), text(h["allocated_w"], "w"))
             for h in answer["halls"]]  # fmt: skip
    counts = ("rows", "positions", "racks", "free", "allocated")
    _section(out, "Halls", ("hall", *counts), halls, counts)
    racks = [(r["sku"], r["state"], str(r["racks"]), text(r["allocated_w"], "w")) for r in answer["racks_by_sku"]]
    _section(out, "Racks", ("SKU", "state", "racks", "allocated"), racks, ("racks", "allocated"))
    power = [(p["kind"], p["model"] or "-", p["feed"] or "-", str(p["count"]), _rating(p), _names(p["elements"])) for p in answer["power"]]
    _section(out, "Power chain", ("kind", "model", "feed", "count", "rating of each", "elements"), power, ("count", "rating of each"))
    loops = [
        (x["element"], x["kind"], x["coolant"], text(x["supply_c"], "c"), *(_names(x[k]) for k in ("cdus", "manifolds", "plant")))
        for x in answer["loops"]
    ]
    _section(out, "Loops", ("loop", "kind", "coolant", "supply", "CDUs", "manifolds", "plant"), loops, ("supply",))
    groups = [(g["id"], g["scheme"], f"{g['needed']} of {len(g['members'])}", _names(g["members"])) for g in answer["redundancy"]]
    _section(out, "Redundancy", ("group", "scheme", "needed", "members"), groups)
    causes = [(c["id"], _names(c["members"])) for c in answer["common_causes"]]
    _section(out, "Common causes", ("event", "members"), causes)
    single = [(s["element"], s["kind"], str(len(s["lost_power"])), str(len(s["lost_cooling"]))) for s in answer["single_points_of_failure"]]
    lost = ("racks without power", "racks without cooling")
    _section(out, "Single points of failure", ("element", "kind", *lost), single[:_MOST], lost)
    if len(single) > _MOST:
        out.print(f"and {len(single) - _MOST} more")


_MOST = 12


def _section(out: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    if rows:
        out.print()
        out.print(table(title, columns, rows, right))


def _names(names: Sequence[str], most: int = 6) -> str:
    if not names:
        return "-"
    return " ".join(names) if len(names) <= most else f"{names[0]} ... {names[-1]} ({len(names)})"


def _rating(row: dict[str, Any]) -> str:
    from dashboards.readable import text

    found = [text(row[k], u) for k, u in (("rating_w", "w"), ("rating_va", "va"), ("rating_a", "a")) if row[k] is not None]
    return ", ".join(found) or "-"


def impact(out: Console, answer: dict[str, Any]) -> None:
    """What goes down with an element."""
    from dashboards.readable import text

    out.print(
        f"Without {answer['element']} ({answer['kind']}): {_count(answer['racks_down'], 'rack')} down, "
        f"{text(answer['allocated_down_w'], 'w')} of allocated power"
    )
    for key, title in _IMPACT:
        if answer[key]:
            out.print(f"  {title:<22}{len(answer[key]):>5}  {' '.join(answer[key])}", soft_wrap=True)
    if answer["feed_paths"]:
        out.print("Power reaches it by:")
        for path in answer["feed_paths"]:
            out.print(f"  {' > '.join(path['elements'])}{'' if path['normal'] else '  (after transfer)'}", soft_wrap=True)


_IMPACT = (
    ("lost_power", "racks without power"), ("lost_cooling", "racks without cooling"), ("one_feed", "on one feed"),
    ("transferred", "on a reserve parent"), ("stopped", "other that stops"),
)  # fmt: skip


def schema(out: Console, answer: dict[str, Any]) -> None:
    """Columns of every file."""
    files: dict[str, list[dict[str, Any]]] = {}
    for row in answer["columns"]:
        files.setdefault(row["file"], []).append(row)
    for number, (file, rows) in enumerate(files.items()):
        if number:
            out.print()
        needed = "" if rows[0]["file_required"] else " (optional)"
        out.print(table(f"{file}{needed}", ("column", "unit", "required", "default", "meaning"), [_column(r) for r in rows]))


def _column(row: dict[str, Any]) -> tuple[str, ...]:
    meaning = row["doc"] + (f": {', '.join(row['choices'])}" if row["choices"] else "")
    return (
        row["column"],
        row["unit"] or ("-" if row["type"] == "text" else row["type"]),
        "yes" if row["required"] else "",
        row["default"],
        meaning,
    )
