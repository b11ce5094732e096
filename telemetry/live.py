"""A watched folder: files are ingested as they arrive, each exactly once, for as long as nobody says stop.

A file is complete when its size and time of change are the same at two looks in a row; before that it waits. A file whose name
begins with a dot is one that is still being copied and is left alone. A file that cannot be read is said once and tried again
when it changes. A file that was written anew, such as a log that has grown, is read anew: what is stored or refused of it already is
counted, and the rest comes in. So it does not matter whether a watch saw it before.

Between looks only the size and the time of each file that is in the folder are kept, and the last findings.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from telemetry.ingest import IngestReport, ingest, utc_now
from telemetry.onefile import file_state
from telemetry.source import expand
from telemetry.store import Store
from topology.errors import Finding, StoreError, TelemetryError, UsageError
from topology.site import Site

FINDINGS_KEPT = 1000
"""Findings that are remembered for the summary, the newest of them; the memory of a watch must not grow with time."""

State = tuple[int, int]
Told = Callable[[Path, IngestReport | TelemetryError], None]
"""Called for each file that was stored, skipped or found unreadable."""


@dataclass(slots=True)
class _Known:
    """What is remembered of a file in the folder."""

    state: State
    done: bool = False


def watch(
    site: Site,
    folder: str | Path,
    store: Store | str | Path,
    vendor: str | None = None,
    *,
    every_s: float = 10.0,
    stop: Callable[[], bool] = lambda: False,
    wait: Callable[[float], object] = time.sleep,
    clock: Callable[[], dt.datetime] = utc_now,
    told: Told | None = None,
    zone: str = "",
) -> IngestReport:
    """Ingest what arrives in a folder until told to stop; the file at hand is finished first.

    Args:
        site: whose elements the files speak of.
        folder: folder to look into, with all folders below it; Parquet and CSV files count.
        store: an open store, or where to open or make one.
        vendor: name of the mapping for all files, ``None`` to recognise each by its columns.
        every_s: time between two looks [s]; a file is ingested at the second look that finds it unchanged.
        stop: asked before each look and each file.
        wait: waits a number of seconds; may return earlier where it is time to stop.
        clock: gives the time now.
        told: hears of each file.
        zone: zone of times that have none, where the mapping names none.

    Returns:
        Counts over the whole watch; a file that was written anew counts each time it is taken. ``files_failed`` counts files that
        are unreadable as they stand at the end, and those that wait for a store that cannot be written; files that wait because they
        are not complete are a finding.

    Raises:
        UsageError: no folder, or a time between looks that is not possible.
        TelemetryError: the store cannot be opened.
    """
    where = Path(folder)
    if not where.is_dir():
        raise UsageError(f"{where} is no folder; name the folder that the files arrive in")
    if not every_s > 0.0:
        raise UsageError(f"looking every {every_s} s is not possible; give more than 0")
    opened = store if isinstance(store, Store) else Store.create(store)
    look = _Watch(site, where, opened, vendor, clock, told, zone)
    while not stop():
        look.once(stop)
        if stop():
            break
        wait(every_s)
    return look.report()


class _Watch:
    """The memory of one watch."""

    def __init__(
        self,
        site: Site,
        folder: Path,
        store: Store,
        vendor: str | None,
        clock: Callable[[], dt.datetime],
        told: Told | None,
        zone: str = "",
    ) -> None:
        self.site, self.folder, self.store, self.vendor, self.clock, self.told = site, folder, store, vendor, clock, told
        self.zone = zone
        self.known: dict[Path, _Known] = {}
        self.failed: set[Path] = set()
        self.findings: deque[Finding] = deque(maxlen=FINDINGS_KEPT)
        self.reasons: Counter[str] = Counter()
        self.files = self.skipped = self.stored = self.doubled = 0
        self.refused_by_store = ""

    def once(self, stop: Callable[[], bool]) -> None:
        """Look at the folder once."""
        there = self._there()
        for path in self.known.keys() - there.keys():
            del self.known[path]
            self.failed.discard(path)
        for path, state in there.items():
            if stop():
                return
            known = self.known.get(path)
            if known is None or known.state != state:
                self.known[path] = _Known(state)
            elif not known.done and not self._take(path, known):
                return

    def report(self) -> IngestReport:
        """Counts so far."""
        refused = sum(self.reasons.values())
        waiting = sum(not k.done for k in self.known.values())
        failed = len(self.failed) + (waiting if self.refused_by_store else 0)
        if waiting:
            why = "the store could not be written" if self.refused_by_store else "they had not stood unchanged for one look"
            hint = "ingest the folder again; what is stored is skipped"
            self.findings.append(Finding(f"{waiting} files were left: {why}", hint, str(self.folder), severity="warning"))
        return IngestReport(
            self.files + len(self.failed) + waiting, self.skipped, failed, self.stored + self.doubled + refused,
            self.stored, refused, tuple(self.findings), dict(self.reasons.most_common()), (), self.doubled,
        )  # fmt: skip

    def _there(self) -> dict[Path, State]:
        try:
            files = expand([self.folder])
        except TelemetryError:  # an empty folder, or one that is away for a moment
            return {}
        found = {}
        for path in files:
            if any(p.startswith(".") for p in path.relative_to(self.folder).parts):
                continue
            try:
                found[path] = file_state(path)
            except TelemetryError:  # gone between the list and the look
                continue
        return found

    def _take(self, path: Path, known: _Known) -> bool:
        """Ingest a file that is complete; False where the store cannot be written now."""
        try:
            report = ingest(self.site, [path], self.store, self.vendor, clock=self.clock, zone=self.zone)
        except StoreError as fault:
            self._store_says(path, fault)
            return False
        except (TelemetryError, OSError) as fault:
            self._unreadable(path, known, fault)
            return True
        self.refused_by_store = ""
        known.done = True
        self.failed.discard(path)
        self.files += 1
        self.skipped += report.files_skipped
        self.stored += report.rows_stored
        self.doubled += report.rows_doubled
        self.reasons += Counter(report.reasons)
        self.findings += report.findings
        if self.told is not None:
            self.told(path, report)
        return True

    def _unreadable(self, path: Path, known: _Known, fault: TelemetryError | OSError) -> None:
        known.done = True
        self.failed.add(path)
        head = str(fault).splitlines()[0].removeprefix(str(path)).lstrip(": ")
        self.findings.append(Finding(head, "it is tried again when it changes; nothing of it is stored", str(path)))
        if self.told is not None:
            self.told(path, fault if isinstance(fault, TelemetryError) else TelemetryError(f"{path}: {fault.strerror}"))

    def _store_says(self, path: Path, fault: StoreError) -> None:
        if str(fault) != self.refused_by_store:  # once, not at every look
            self.refused_by_store = str(fault)
            self.findings.append(Finding(str(fault), "its files are tried again at every look", str(path), severity="warning"))
            if self.told is not None:
                self.told(path, fault)
