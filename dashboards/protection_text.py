"""The readable form of a protection study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from dashboards.commands.output import table
from dashboards.readable import percent, text

_BASIS = {"nameplate": "allocated power", "utilisation": "the given utilisation", "measured": "measured power"}


def shown(out: Console, answer: dict[str, Any]) -> None:
    """A study as tables; a list that is empty is left out."""
    counts = answer["counts"]
    verdict = "holds in" if answer["holds"] else "does not hold in all of"
    out.print(f"{answer['site']}: the protection {verdict} {answer['cases']} cases, at {_BASIS[answer['basis']]}")
    _section(out, "What trips", ("lost", "element", "load", "may trip after", "surely after"), [
        (t["case"], t["element"], percent(t["load_frac"]), _time(t["trips_after_s"]), _time(t["trips_surely_after_s"]))
        for t in answer["trips"]
    ], counts["trips"])  # fmt: skip
    heads = ("element", "kind", "pickup", "normal", "worst", "after loss of", "margin")
    _section(out, "Breakers and overload classes, least margin first", heads, [
        (b["element"], b["kind"], percent(b["pickup_frac"]), percent(b["normal_frac"]), percent(b["worst_frac"]), b["worst_case"],
         percent(b["margin_frac"]))
        for b in answer["breakers"]
    ], counts["breakers"])  # fmt: skip
    _selectivity(out, answer)
    _section(out, "Fault levels", ("element", "kind", "behind it", "at its input", "interrupts"), [
        (f["element"], f["kind"], _amps(f["fault_a"]), _amps(f["at_input_a"]), _interrupts(f)) for f in answer["fault_levels"]
        if f["fault_a"] or f["breaking_a"]
    ])  # fmt: skip
    _phases(out, answer)
    _section(out, "Load of feeds over all sharing between cords", ("element", "kind", "as stated", "least", "most"), [
        (s["element"], s["kind"], text(s["load_w"], "w"), text(s["low_w"], "w"), text(s["high_w"], "w")) for s in answer["sharing"]
    ], counts["sharing"])  # fmt: skip
    _section(out, "What is left of ratings", ("element", "kind", "rating", "continuous", "altitude", "air", "usable"), [
        (d["element"], d["kind"], text(d["rating"], d["unit"]), percent(d["continuous_frac"]), percent(d["altitude_frac"]),
         percent(d["ambient_frac"]), text(d["usable"], d["unit"]))
        for d in answer["derating"]
    ], counts["derating"])  # fmt: skip
    _schemes(out, answer)
    _generators(out, answer)
    _gear(out, answer)


def _section(out: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], whole: int | None = None) -> None:
    if not rows:
        return
    out.print()
    out.print(table(title, columns, rows, [c for c in columns if c not in _LEFT]))
    if whole is not None and whole > len(rows):
        out.print(f"{len(rows)} of {whole}; --most 0 lists all.")


_LEFT = ("element", "kind", "lost", "after loss of", "parent", "child", "group", "scheme", "member", "verdict", "generator")


def _time(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:.3g} s" if value < 600.0 else f"{value / 60.0:.0f} min"


def _amps(value: float | None) -> str:
    return "unknown" if value is None else f"{value / 1e3:.1f} kA"


def _interrupts(row: dict[str, Any]) -> str:
    if row["breaking_a"] is None:
        return "-"
    return _amps(row["breaking_a"]) + ("" if row["interrupts"] is not False else ", too little")


def _selectivity(out: Console, answer: dict[str, Any]) -> None:
    pairs = [p for p in answer["selectivity"] if not p["selective"]]
    whole = answer["counts"]["not_selective"]
    _section(out, "Pairs that are not selective at every fault current", ("parent", "child", "selective up to", "fault current"), [
        (p["parent"], p["child"], _amps(p["selective_to_a"]), _amps(p["fault_a"])) for p in pairs
    ], whole)  # fmt: skip
    out.print()
    out.print(f"{answer['counts']['selectivity'] - whole} of {answer['counts']['selectivity']} pairs of breakers are selective.")


def _phases(out: Console, answer: dict[str, Any]) -> None:
    known = [p for p in answer["phases"] if p["line_a"] is not None and p["unbalance_frac"] > 1e-6]
    _section(out, "Lines that are not balanced", ("element", "kind", "L1", "L2", "L3", "unbalance", "neutral"), [
        (p["element"], p["kind"], *(f"{a:.1f} A" for a in p["line_a"]), percent(p["unbalance_frac"]), f"{p['neutral_a']:.1f} A")
        for p in known
    ])  # fmt: skip
    unknown = [p for p in answer["phases"] if p["line_a"] is None]
    if unknown:
        out.print()
        least = min(unknown, key=lambda p: float(p["attributed_frac"]))
        share = f"of the load of {least['element']} {percent(least['attributed_frac'])} is attributed to lines"
        out.print(f"Phases are not known everywhere: {share}. Give positions or racks their phases.", soft_wrap=True)


def _schemes(out: Console, answer: dict[str, Any]) -> None:
    rows = []
    for s in answer["schemes"]:
        full = max(s["members"], key=lambda m: float(m["worst_frac"]))
        normal, verdict = max(m["normal_frac"] for m in s["members"]), "holds" if s["holds"] else "; ".join(s["faults"])
        rows.append((s["group"], s["scheme"], f"{s['needed']} of {len(s['members'])}", percent(normal), percent(full["worst_frac"]),
                     full["element"], full["worst_after"] or "-", verdict))  # fmt: skip
    heads = ("group", "scheme", "needed", "normal", "worst", "member", "after loss of", "verdict")
    _section(out, "Redundancy as declared, load of the fullest member", heads, rows)


def _generators(out: Console, answer: dict[str, Any]) -> None:
    rows = []
    for g in answer["generators"]:
        rating = g["rating_w"]
        allowed = "-" if rating is None else text(rating * g["allowed_step_frac"], "w")
        last = g["steps"][-1]
        rows.append((g["element"], str(len(g["steps"])), text(g["largest_step_w"], "w"), allowed, text(last["total_w"], "w"),
                     _time(last["after_s"]), "holds" if g["holds"] else "too large"))  # fmt: skip
    heads = ("generator", "steps", "largest step", "allowed", "in all", "complete after", "verdict")
    _section(out, "Steps of load on generators after the loss of every utility", heads, rows)


def _gear(out: Console, answer: dict[str, Any]) -> None:
    bare: dict[str, list[dict[str, Any]]] = {}
    for g in answer["gear"]:
        if not (g["ups_backed_a"] or g["ups_backed_b"]):
            bare.setdefault(g["kind"], []).append(g)
    rows = [
        (kind, str(len(own)), f"{own[0]['element']} ..." if len(own) > 1 else own[0]["element"],
         _time(max(g["transfer_s"] for g in own)), _time(max(g["restart_delay_s"] for g in own)), _time(max(g["restart_s"] for g in own)))
        for kind, own in bare.items()
    ]  # fmt: skip
    heads = ("kind", "listed", "element", "transfer", "waits", "restart takes")
    _section(out, "Cooling gear without a UPS behind it", heads, rows)
    if rows:
        out.print(f"{answer['counts']['gear_without_backing']} of {answer['counts']['gear']} pieces of gear stop when power is lost.")
