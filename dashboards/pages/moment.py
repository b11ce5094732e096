"""The moment that a page looks at: measured load or a utilisation, weather, and what is lost; and the controls for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dash_mantine_components as dmc

from dashboards.pages.page import Query
from dashboards.session import Session, Solved
from topology.errors import UsageError

MEASURED, UTILISATION = "measured", "utilisation"
_FORMAT = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment.

    Attributes:
        utilisation_pct: utilisation of every rack; ``None`` for measured load.
        at: time of measured load; ``None`` for the latest.
        wet_bulb_c: weather; ``None`` for what was measured, else the design value.
        outage: ids of lost elements.
    """

    utilisation_pct: float | None = None
    at: dt.datetime | None = None
    wet_bulb_c: float | None = None
    outage: tuple[str, ...] = ()

    def solve(self, session: Session) -> Solved:
        """Solve it.

        Raises:
            RacktwinError: nothing was measured then, an unknown element, a value outside its range.
        """
        share = None if self.utilisation_pct is None else self.utilisation_pct / 100.0
        return session.solve(share, self.at, self.wet_bulb_c, self.outage)

    @property
    def query(self) -> dict[str, object]:
        """Parameters of a URL that give this moment back."""
        at = self.at.strftime("%Y-%m-%dT%H:%M:%SZ") if self.at else None
        return {"u": _short(self.utilisation_pct), "at": at, "wb": _short(self.wet_bulb_c), "out": ",".join(self.outage)}


def _short(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"


def from_query(query: Query, session: Session) -> Moment:
    """The moment in a URL; measured load where there is a store and no utilisation is given, else full utilisation.

    Raises:
        UsageError: a value that is no number or no time.
    """
    share = number(query, "u")
    if share is None and session.store is None:
        share = 100.0
    outage = tuple(x for x in query.get("out", "").split(",") if x)
    return Moment(share, time_of(query.get("at")) if share is None else None, number(query, "wb"), outage)


def from_controls(
    session: Session,
    mode: str | None,
    share_pct: float | None,
    at: str | None,
    wet_bulb_c: float | str | None,
    outage: Sequence[str] | None,
) -> Moment:
    """The moment that the controls show.

    Raises:
        UsageError: a time that is none.
    """
    measured = mode == MEASURED and session.store is not None
    wet = float(wet_bulb_c) if isinstance(wet_bulb_c, (int, float)) else None
    share = None if measured else 100.0 if share_pct is None else float(share_pct)
    return Moment(share, time_of(at) if measured else None, wet, tuple(outage or ()))


def number(query: Query, name: str) -> float | None:
    """A number in a URL.

    Raises:
        UsageError: it is none.
    """
    text = query.get(name, "")
    try:
        return float(text) if text else None
    except ValueError:
        raise UsageError(f"{name}={text} in the address is no number; write {name}=80, say") from None


def time_of(text: str | None) -> dt.datetime | None:
    """A time, UTC where it names no zone.

    Raises:
        UsageError: it is none.
    """
    if not text:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no time; write 2026-11-20T12:00:00Z, say") from None
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)


def controls(prefix: str, moment: Moment, session: Session) -> Any:
    """Load, time or utilisation, and weather; ids are ``<prefix>-mode``, ``-share``, ``-at`` and ``-wet``."""
    stored, measured = session.store is not None, moment.utilisation_pct is None
    choices = [{"value": MEASURED, "label": "Measured"}, {"value": UTILISATION, "label": "Utilisation"}]
    mode = dmc.SegmentedControl(
        id=f"{prefix}-mode", size="xs", value=MEASURED if measured else UTILISATION, disabled=not stored, data=choices
    )
    share = dmc.Slider(
        id=f"{prefix}-share", min=0, max=100, step=1, value=100.0 if measured else moment.utilisation_pct, size="sm", w=200,
        updatemode="mouseup", marks=[{"value": v, "label": f"{v} %"} for v in (0, 50, 100)], label={"function": "percent"},
        thumbLabel="Utilisation of every rack [%]",
    )  # fmt: skip
    wet = dmc.NumberInput(
        id=f"{prefix}-wet", size="xs", w=130, label="Wet bulb [°C]", value=moment.wet_bulb_c, step=1, min=-40, max=40, debounce=300,
        placeholder=f"{session.site.settings.design_wet_bulb_c:g} (design)",
    )  # fmt: skip
    under = dmc.Text("Utilisation of every rack", size="xs", fw=500)
    return [
        dmc.Stack([dmc.Text("Load", size="xs", fw=500), mode], gap=2),
        dmc.Box(_time_picker(prefix, moment, session), id=f"{prefix}-at-box", display="block" if measured else "none"),
        dmc.Stack([under, share], gap=6, pb=14, px=4, id=f"{prefix}-share-box", display="none" if measured else "flex"),
        wet,
    ]


def _time_picker(prefix: str, moment: Moment, session: Session) -> Any:
    first, last = session.span if session.store is not None else (None, None)
    return dmc.DateTimePicker(
        id=f"{prefix}-at", size="xs", w=190, label="Measured at [UTC]", placeholder="latest", clearable=True, debounce=300,
        valueFormat="YYYY-MM-DD HH:mm", value=moment.at.strftime(_FORMAT) if moment.at else None, disabled=session.store is None,
        minDate=first.strftime(_FORMAT) if first else None, maxDate=last.strftime(_FORMAT) if last else None,
    )  # fmt: skip


def told(solved: Solved) -> str:
    """What a solved moment was loaded with, in words."""
    wet = f"wet bulb {solved.state.ambient.wet_bulb_c[0]:.1f} °C"
    lost = " ".join(i for s in solved.state.outages.sets for i in s)
    when = f" at {solved.at:%Y-%m-%d %H:%M} UTC" if solved.at else ", latest" if solved.basis == "measured" else ""
    load = "measured load" if solved.basis == "measured" else "load by utilisation"
    merkel = int((~solved.state.heat.tower_in_bounds[0]).sum())
    beyond = f", {merkel} of {solved.plant.towers.n} towers outside York's bounds: Merkel" if merkel else ""
    return f"{load}{when}, {wet}" + (f", lost: {lost}" if lost else "") + beyond
