"""Faults and how they are told apart.

Faults of *input* are collected and returned as :class:`Finding`; faults of a *run* are raised from one tree::

    RacktwinError                    everything that this project raises on purpose; .exit_code
    +-- UsageError                   a wrong argument, an unknown name (exit 2)
    +-- InputError                   carries the findings that made going on impossible (exit 2)
    |   +-- SiteError                a site folder that cannot be used
    |   +-- CatalogError             a catalog entry that cannot be used
    |   +-- TelemetryError           a telemetry file, mapping or store that cannot be read
    |   |   +-- StoreError           a store that cannot be written or reached: disk full, no access, refused by its server
    |   +-- WeatherError             a weather, price or carbon file that cannot be read
    +-- SolveError                   a solve that has no answer; carries element, scenario and residual (exit 2)
    |   +-- NotConverged             iteration stopped before the tolerance
    |   +-- LedgerError              energy or mass does not close
    +-- ScaleError                   work that could not be spread over processes or machines (exit 2)
    +-- Cancelled                    the user stopped long work
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault or doubt about input, with its place and the way out.

    Attributes:
        message: what is wrong, in one sentence.
        hint: what to do about it; empty where nothing sensible can be said.
        file: file name inside the site folder, or path of a telemetry file; empty for a whole site.
        row: 1-based line in the file, header included, as a text editor shows it; 0 for the whole file.
        column: column or key; empty for the whole row.
        element: element id; empty where there is none.
        value: the value as written.
        severity: ``error`` stops the work, ``warning`` does not.
    """

    message: str
    hint: str = ""
    file: str = ""
    row: int = 0
    column: str = ""
    element: str = ""
    value: str = ""
    severity: str = "error"

    def __str__(self) -> str:
        place = ":".join(p for p in (self.file, str(self.row) if self.row else "", self.column) if p)
        text = f"{place}: " if place else ""
        text += self.message
        return f"{text} ({self.hint})" if self.hint else text


class RacktwinError(Exception):
    """Root of the tree; ``exit_code`` is what the command line returns."""

    exit_code = 2


class UsageError(RacktwinError):
    """A wrong argument or an unknown name."""


class InputError(RacktwinError):
    """Input that cannot be used; ``findings`` says why, each with its place."""

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join([message, *(f"  {f}" for f in self.findings)]))


class SiteError(InputError):
    """A site folder that cannot be used."""


class CatalogError(InputError):
    """A catalog entry that cannot be used."""


class TelemetryError(InputError):
    """A telemetry file, mapping or store that cannot be read."""


class StoreError(TelemetryError):
    """A telemetry store that cannot be written or reached; what it holds stays as it is, and the same call may be made again."""


class WeatherError(InputError):
    """A weather, price or carbon file that cannot be read."""


class SolveError(RacktwinError):
    """A solve that has no answer.

    Attributes:
        element: id of the element that cannot be solved; empty where it is the whole site.
        scenario: index of the scenario, -1 where it is all of them.
        residual: last residual, in the unit that the message names.
    """

    def __init__(self, message: str, *, element: str = "", scenario: int = -1, residual: float = float("nan")) -> None:
        self.element, self.scenario, self.residual = element, scenario, residual
        super().__init__(message)


class NotConverged(SolveError):
    """Iteration stopped before the tolerance was reached."""


class LedgerError(SolveError):
    """Energy or mass does not close."""


class ScaleError(RacktwinError):
    """Work that could not be spread over processes or machines.

    Attributes:
        chunk: number of the chunk that could not be done, from 0; -1 where it is none.
    """

    def __init__(self, message: str, *, chunk: int = -1) -> None:
        self.chunk = chunk
        super().__init__(message)


class Cancelled(RacktwinError):
    """The user stopped long work."""

    exit_code = 130


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """A hint that offers the nearest known names.

    >>> nearest("gb30-nvl72", ["gb300-nvl72", "mtia-450"])
    'did you mean gb300-nvl72?'
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=count, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"known: {shown}" if names else ""
