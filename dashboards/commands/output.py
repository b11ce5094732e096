"""What a command prints: one JSON document or a readable answer on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from topology.errors import Finding, RacktwinError

SHOWN = 20
"""Findings that are printed before the rest is only counted."""
FEW = 5
"""Doubts that are printed below an answer."""
_PLAIN_COLUMNS = 160

Step = Callable[[int, int], None]


def console() -> Console:
    """Standard output: as wide as the terminal, and wide enough not to cut where it is a file or a pipe."""
    found = Console(highlight=False, emoji=False, markup=False)
    return found if found.is_terminal else Console(highlight=False, emoji=False, markup=False, width=_PLAIN_COLUMNS)


def emit(document: Mapping[str, Any], as_json: bool, show: Callable[[Console], None]) -> None:
    """Print an answer.

    Args:
        document: the answer as plain values, without infinities.
        as_json: print the document.
        show: prints the readable form instead.
    """
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
        sys.stdout.flush()
    else:
        show(console())


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> Table:
    """A readable table.

    Args:
        title: what it shows; empty for none.
        columns: heads of the columns.
        rows: texts.
        right: heads of the columns that hold numbers.
    """
    made = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def note(text: str) -> None:
    """A line for people on standard error."""
    sys.stderr.write(text + "\n")


def note_doubts(findings: Sequence[Finding]) -> None:
    """A few doubts about the telemetry behind an answer, and how many there are."""
    if findings:
        note(f"{len(findings)} doubt{'s' if len(findings) > 1 else ''} about the telemetry (--json lists all):")
        note_findings(findings, FEW)


def note_findings(findings: Sequence[Finding], most: int = SHOWN) -> None:
    """Findings on standard error, errors first, the first ``most`` of them."""
    ordered = sorted(findings, key=lambda f: f.severity != "error")
    for f in ordered[:most]:
        note(f"  {f.severity}: {f}" if f.severity != "error" else f"  {f}")
    if len(ordered) > most:
        note(f"  and {len(ordered) - most} more")


def complain(error: RacktwinError) -> None:
    """One line that says what is wrong and how to mend it, then the findings behind it."""
    findings = getattr(error, "findings", ())
    lines = str(error).splitlines() or [type(error).__name__]
    note(f"racktwin: {lines[0] if findings else ' '.join(line.strip() for line in lines)}")
    note_findings(findings)


@contextmanager
def steps(label: str) -> Iterator[Step]:
    """A progress bar on standard error while the block runs; silent where that is no terminal.

    Args:
        label: what is going on.

    Yields:
        A function that takes (done, total).
    """
    screen = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task(label, total=None)

        def told(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield told
