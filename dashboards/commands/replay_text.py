"""A replay on the terminal: each step while it plays, the whole window, and predicted beside measured."""

from __future__ import annotations

import time as clock
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from dashboards.commands.output import table

if TYPE_CHECKING:
    from topology.plant import Plant
    from twin.forecast.player import Played
    from twin.limits import Limits

_RAMPS = 8
_NAMES = {"site": "site energy", "it": "IT energy", "loss": "conversion loss", "cooling": "cooling"}
REFRESH_S = 0.1
"""Shortest time between two steps that are shown on a terminal [s]."""
WORST = 12
"""Elements that are listed of those furthest off."""


class Show(Protocol):
    """Shows a step of what is played."""

    def __call__(self, played: Played, row: int) -> None:
        """Show one row of what was played."""


@contextmanager
def live(plant: Plant, limits: Limits) -> Iterator[Show]:
    """One line on standard error that follows the step at hand; a line a step where that is no terminal."""
    screen = Console(stderr=True, highlight=False, emoji=False, markup=False)
    if not screen.is_terminal:
        yield lambda played, row: screen.print(line(plant, limits, played, row), soft_wrap=True)
        return
    last = [-REFRESH_S]
    with Live(console=screen, auto_refresh=False) as shown:

        def show(played: Played, row: int) -> None:
            now = clock.monotonic()
            if now - last[0] >= REFRESH_S or row == played.piece.time.size - 1:
                last[0] = now
                shown.update(Text(line(plant, limits, played, row)), refresh=True)

        yield show


def line(plant: Plant, limits: Limits, played: Played, row: int) -> str:
    """One step: time, site power, PUE, hottest accelerator, smallest margin."""
    from dashboards.readable import moment, percent, text
    from dashboards.replay_answers import utc

    (hot, hot_c), (worst, margin) = played.hottest, played.worst
    limit = int(worst[row])
    return (
        f"{moment(utc(played.piece.time[row]))}  site {text(float(played.site_w[row]), 'w'):>9}  PUE {played.pue[row]:.3f}  "
        f"hottest {text(float(hot_c[row]), 'c')} {plant.racks.ids[int(hot[row])]}  "
        f"least margin {percent(float(margin[row]))} {limits.element[limit]} ({limits.limit[limit]})"
    )


def show(out: Console, name: str, answer: dict[str, Any]) -> None:
    """A window in words and tables."""
    from dashboards.readable import percent, text
    from topology.units import UNITS, from_canonical

    out.print(f"{name}: {answer['start']} to {answer['end']}, {answer['frames']:,} steps of {answer['step_s']:g} s")
    for key in ("site", "it", "loss", "cooling"):
        kwh = from_canonical(float(answer[f"{key}_energy_j"]), UNITS["kwh"])
        out.print(f"  {_NAMES[key]:<18}{kwh:>14,.1f} kWh")
    out.print(f"  {'mean PUE':<18}{answer['pue_mean']:>14.3f}     IT at its parts" if answer["pue_mean"] else "  no IT load")
    by = {k: v["racks"] for k, v in answer["load_origin"].items() if v["racks"]}
    out.print(f"  {'racks':<18}{', '.join(f'{n} {k}' for k, n in by.items())}" + _spread(answer["inferred"]))
    site_w = answer["site_power_w"]
    out.print(f"  {'site power':<18}{text(site_w['min'], 'w')} to {text(site_w['max'], 'w')}, mean {text(site_w['mean'], 'w')}")
    hot = answer["hottest"]
    if hot["chip_temp_c"] is not None:
        out.print(f"  {'hottest chip':<18}{text(hot['chip_temp_c'], 'c')}  {hot['element']} at {hot['time']}")
    out.print(f"  solved in {answer['solve_s']:.2f} s, {answer['wall_s']:.2f} s with reading")
    out.print()
    rows = [(r["element"], r["limit"], percent(r["margin_frac"]), r["time"]) for r in answer["lowest_margins"]]
    out.print(table("Lowest margins", ("element", "limit", "margin", "at"), rows, ("margin",)))
    ramps = sorted(answer["ramps"], key=lambda r: -abs(r["change_w"]))[:_RAMPS]
    if ramps:
        out.print()
        moved = [(r["start"], r["end"], signed(r["change_w"], "w"), signed(60.0 * r["steepest_w_s"], "w") + "/min") for r in ramps]
        title = f"Ramps of site power: the largest {len(ramps)} of {len(answer['ramps'])}"
        out.print(table(title, ("from", "to", "change", "steepest"), moved, ("change", "steepest")))
    if "residuals" in answer:
        residuals(out, answer["residuals"])


def residuals(out: Console, found: dict[str, Any]) -> None:
    """Predicted beside measured: channels, then the elements furthest off."""
    out.print()
    if not found["channels"]:
        out.print("Predicted beside measured: no meter in this window besides those that the load was made of")
        return
    rows = [
        (
            c["channel"], f"{len(c['elements']):,}", f"{c['samples']:,}", signed(c["bias"], c["unit"]), amount(c["rmse"], c["unit"]),
            _percent(c["mape_frac"]), _percent(c["nmbe_frac"]), _percent(c["within_frac"]),
        )
        for c in found["channels"]
    ]  # fmt: skip
    heads = ("meter", "elements", "readings", "bias", "RMSE", "MAPE", "NMBE", "within noise")
    out.print(table("Predicted beside measured (reading less prediction)", heads, rows, heads[1:]))
    worst = sorted(
        ((e["rms"] / e["noise"], c, e) for c in found["channels"] for e in c["elements"] if e["noise"]), key=lambda found: -found[0]
    )[:WORST]
    out.print()
    each = [
        (
            e["element"], c["channel"], signed(e["bias"], c["unit"]), amount(e["rms"], c["unit"]), f"{off:.1f}", _percent(e["within_frac"]),
            "-" if e["autocorrelation"] is None else f"{e['autocorrelation']:.2f}", signed(e["largest"], c["unit"]), e["largest_at"],
        )
        for off, c, e in worst
    ]  # fmt: skip
    columns = ("element", "meter", "bias", "RMS", "RMS/noise", "within noise", "lag 1", "largest", "at")
    out.print(table(f"Furthest off: the first {len(each)}", columns, each, columns[2:8]))
    for made_of in found["inputs"]:
        out.print(f"  {made_of['channel']} of {len(made_of['elements'])} elements is what the load was made of: no check")
    if found["assumed_frac"]:
        out.print(f"  {_percent(found['assumed_frac'])} of the load's samples were filled in")


def checked(out: Console, answer: dict[str, Any]) -> None:
    """Whether an exported window came out the same."""
    verdict = "reproduced to the last bit" if answer["same"] else "NOT reproduced"
    out.print(f"{answer['folder']}: {verdict}: {answer['site']}, {answer['start']} to {answer['end']}, {answer['steps']:,} steps")
    out.print(f"  {answer['arrays'] - len(answer['arrays_different'])} of {answer['arrays']} arrays and "
              f"{answer['files'] - len(answer['files_different'])} of {answer['files']} files are what they were")  # fmt: skip
    for f in answer["files_different"]:
        out.print(f"  {f['file']}: {f['state']}")
    if not answer["site_same"]:
        out.print("  the site or its calibration is another one")
    if answer["arrays_different"]:
        out.print(f"  other bits: {', '.join(answer['arrays_different'])}")
    for s in answer["steps_different"]:
        size = f"{s['largest']:.3g} {s['unit']}".rstrip()
        out.print(f"  {s['quantity']}: {s['steps']:,} steps differ, by {size} at most, from {s['first']} on")
    for v in answer["versions_different"]:
        out.print(f"  {v['name']}: {v['then']} then, {v['now']} now")


def _percent(fraction: float | None) -> str:
    from dashboards.readable import percent

    return "-" if fraction is None else percent(fraction)


def _spread(inferred: list[dict[str, Any]]) -> str:
    """Mean uncertainty of racks that are inferred, over their mean power."""
    mean_w, sigma_w = (sum(r[k] for r in inferred) for k in ("mean_w", "sigma_w"))
    return f"; inferred ones within {100.0 * sigma_w / mean_w:.0f} % each (standard uncertainty)" if mean_w else ""


def signed(value: float, quantity: str) -> str:
    """A difference with its sign and unit."""
    return ("-" if value < 0.0 else "+") + amount(abs(value), quantity)


def amount(value: float, quantity: str) -> str:
    """A size with its unit, small ones with as many digits as they need."""
    from dashboards.readable import people, text

    number, symbol = people(value, quantity)
    if number is None or abs(number) >= 1.0 or not number:
        return text(value, quantity)
    return f"{number:.2g} {symbol}".rstrip() if symbol else f"{100.0 * number:.2g} %"
