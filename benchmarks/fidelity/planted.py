"""Faults planted in synthetic telemetry against what ``racktwin quality`` finds in it: which are found, and what else it says."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.fidelity.frame import Report, Row, Told
from telemetry.ingest import ingest
from telemetry.quality.doubt import Doubt
from telemetry.store import Store
from topology.generate import generate
from topology.plant import Plant
from topology.plant import plant as built
from twin.synthetic.faults import KINDS, Fault, fault
from twin.synthetic.files import DETAIL_DAYS, plans
from twin.synthetic.secret import hidden, real_plant
from twin.synthetic.streams import stream
from twin.trust import trust

END = dt.datetime(2026, 3, 4, tzinfo=dt.UTC)
NAME, TEMPLATE = "synthetic-faults", "reference"
SEEDS = 6
"""Plants: seeds from 0 on, all of them counted."""
SPARSE_RACKS, SPARSE_SEEDS = 24, 4
"""The same on a site that is mostly empty, whose units carry little: without a goal, to show where tests end."""
FIRST_H = 6.0
"""Hours from the start of two days from which on a fault may begin; it begins early enough to last as long as its kind needs to show."""
SLOW = tuple(name for name, kind in KINDS.items() if kind.needs_s > DETAIL_DAYS * 86400.0 - 3600.0 * FIRST_H)
"""Kinds that take longer than two days can show."""
MOST_FALSE = 1.0
"""Findings of nothing, a day and hall."""


@dataclass(frozen=True)
class Tried:
    """One planted fault and what was said of its element.

    Attributes:
        seed: of the plant.
        fault: what was planted.
        named: doubts about its element by a test that names it for what it is.
        off_s: how far from its first moment the nearest of them begins; infinite without one.
        others: tests that said something else of its element.
    """

    seed: int
    fault: Fault
    named: int
    off_s: float
    others: tuple[str, ...]

    @property
    def found(self) -> bool:
        """Right element, right reason, right time."""
        return self.off_s <= self.fault.within_s


@dataclass(frozen=True)
class Trial:
    """One plant with its planted faults.

    Attributes:
        tried: each fault.
        false: doubts about elements that have none.
        hall_days: days times halls that were looked at.
    """

    tried: tuple[Tried, ...]
    false: tuple[Doubt, ...]
    hall_days: float


def planted(plant: Plant, seed: int) -> tuple[Fault, ...]:
    """One fault of each quick kind, at an element and a time by chance; no element has two."""
    real, rng = real_plant(plant, hidden(plant, seed)), stream(seed, "planted")
    start = np.datetime64((END - dt.timedelta(days=DETAIL_DAYS)).replace(tzinfo=None), "us")
    out: list[Fault] = []
    for kind in (k for k in KINDS if k not in SLOW):
        free = [e for e in KINDS[kind].places(real) if e not in {f.element for f in out}]
        minute = round(60.0 * rng.uniform(FIRST_H, 24.0 * DETAIL_DAYS - KINDS[kind].needs_s / 3600.0))
        if free:
            out.append(fault(kind, free[int(rng.integers(len(free)))], start + np.timedelta64(minute, "m")))
    return tuple(out)


def trial(plant: Plant, seed: int, faults: Sequence[Fault]) -> Trial:
    """Write two days of a plant with faults, take them in, and hold what is said of them against what was planted."""
    with tempfile.TemporaryDirectory() as folder:
        raw, where = Path(folder) / "raw", Path(folder) / "store"
        raw.mkdir()
        for plan in plans(plant, END, seed, DETAIL_DAYS, faults, dirty=False):
            plan.write(raw / plan.name)
        ingest(plant.site, raw, where, clock=lambda: END)
        doubts = trust(plant, Store.open(where)).doubts
    return judged(plant, seed, faults, doubts)


def judged(plant: Plant, seed: int, faults: Sequence[Fault], doubts: Sequence[Doubt]) -> Trial:
    """Hold doubts against what was planted."""
    tried = []
    for f in faults:
        own = [d for d in doubts if d.element == f.element]
        named = [d for d in own if d.detector in f.shows]
        off = min((abs(_after_s(d, f)) for d in named), default=np.inf)
        tried.append(Tried(seed, f, len(named), off, tuple(sorted({d.detector for d in own} - set(f.shows)))))
    with_fault = {f.element for f in faults}
    false = tuple(d for d in doubts if d.element not in with_fault)
    return Trial(tuple(tried), false, float(DETAIL_DAYS * max(plant.halls.n, 1)))


def _after_s(doubt: Doubt, planted_fault: Fault) -> float:
    since = np.datetime64(doubt.since.astimezone(dt.UTC).replace(tzinfo=None), "us")
    return float((since - planted_fault.since) / np.timedelta64(1, "s"))


def report(told: Told) -> Report:
    """All plants: what was found and what was said of nothing."""
    whole = list(_trials(None, SEEDS, told))
    sparse = list(_trials(SPARSE_RACKS, SPARSE_SEEDS, told))
    tried, thin = ([t for x in of for t in x.tried] for of in (whole, sparse))
    false, rate = [d for x in whole for d in x.false], _rate(whole)
    found = sum(t.found for t in tried)
    figures = (
        _row("planted faults", len(tried), "", None),
        _row("found: right element, right reason, begin within the bound of its kind", found, "", found == len(tried)),
        _row("findings about elements without a fault, a day and hall", rate, "", rate <= MOST_FALSE),
        _row("further findings about elements with a fault, a day and hall", _rate(whole, beside=True), "", None),
        _row("days times halls", sum(x.hall_days for x in whole), "", None),
        _row(f"of {len(thin)} planted on a site of {SPARSE_RACKS} racks: found", sum(t.found for t in thin), "", None),
        _row("findings there about elements without a fault, a day and hall", _rate(sparse), "", None),
    )
    text = (
        f"One fault of each kind that shows within two days, at an element and a time by chance, in each of {SEEDS} plants on the site "
        f"`{TEMPLATE}`: seeds 0 to {SEEDS - 1}, none left out ([what is planted](synthetic.md)). Each is written as vendors' files, taken "
        "in, and looked at by `racktwin quality`. The same on a site that is mostly empty, whose units carry so little that their meters "
        f"say little: {SPARSE_SEEDS} plants of {SPARSE_RACKS} racks.",
    )
    tables = (("By kind", _table(tried)), (f"By kind, {SPARSE_RACKS} racks", _table(thin)), *_false(false))
    missed = (*_missed(tried), *(f"{SPARSE_RACKS} racks, {m[0].lower()}{m[1:]}" for m in _missed(thin)))
    return Report("Faults planted in synthetic telemetry", figures, text, missed, tables)


def _trials(racks: int | None, seeds: int, told: Told) -> Iterator[Trial]:
    plant = built(generate(TEMPLATE, racks))
    for seed in range(seeds):
        yield trial(plant, seed, planted(plant, seed))
        told(f"{NAME}: looked at {seed + 1} of {seeds} plants with {plant.racks.n} racks")


def _rate(trials: Sequence[Trial], beside: bool = False) -> float:
    """Findings about elements without a fault a day and hall; with ``beside`` those about elements with one that name something else."""
    number = sum(sum(len(t.others) for t in x.tried) if beside else len(x.false) for x in trials)
    return float(number / sum(x.hall_days for x in trials))


def _row(metric: str, value: float, unit: str, met: bool | None) -> Row:
    return Row(NAME, metric, float(value), unit, None, met, "", "the truth")


def _missed(tried: Sequence[Tried]) -> Iterator[str]:
    for t in tried:
        if not t.found:
            late = f"named {t.off_s / 3600.0:.1f} h off" if t.named else "not named"
            said = f"; said instead: {', '.join(t.others)}" if t.others else ""
            yield f"Seed {t.seed}: {t.fault.text} was {late}{said}."


def _table(tried: Sequence[Tried]) -> tuple[str, ...]:
    lines = ["| fault | planted | found | begin off by, median and worst | bound |", "| --- | ---: | ---: | --- | ---: |"]
    for kind in dict.fromkeys(t.fault.kind for t in tried):
        own = [t for t in tried if t.fault.kind == kind]
        off = [t.off_s / 3600.0 for t in own if t.found]
        spread = f"{np.median(off):.2f} h, {max(off):.2f} h" if off else ""
        lines.append(f"| {kind} | {len(own)} | {sum(t.found for t in own)} | {spread} | {own[0].fault.within_s / 3600.0:g} h |")
    return tuple(lines)


def _false(false: Sequence[Doubt]) -> Iterator[tuple[str, tuple[str, ...]]]:
    if false:
        lines = [f"| {d.element} {d.part} | {d.quantity} | {d.detector} | {d.reason} |" for d in false[:20]]
        yield "Findings of nothing", ("| element | quantity | test | what it says |", "| --- | --- | --- | --- |", *lines)
