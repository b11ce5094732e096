"""The whole path on one site: folder, telemetry, replay, failures, headroom, exports. Knows no command line.

Each step leaves its result in the folder with a key of what it was made from, so that a second run only reads.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dashboards import answers, calibration_answers, exports, quality_answers, replay_answers
from dashboards.session import Session
from telemetry.ingest import ingest
from topology.generate import generate
from topology.overlay import write_overlay
from topology.read import read_site
from topology.write import write_site
from twin.headroom.room import Room
from twin.synthetic.faults import fault_of
from twin.synthetic.files import DETAIL_DAYS, plans

END = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
"""First moment after the synthetic telemetry; fixed, so that every run gives the same answer."""
BY = dt.date(2027, 6, 30)
SKUS = ("mtia-450", "gb300-nvl72")
FRONTIER_SKU = "gb300-nvl72"
FRONTIER_FILE = "frontier-cdu-day.parquet"
FRONTIER_STEP_S = 15.0
SEED = 0
FAULTS = ("fouled-cdu:cdu-b12@2026-10-24T00:00Z=0.15", "stuck-temperature:rack-b1-02@2026-11-21T09:00Z")
"""What is planted in the telemetry besides rows that no meter can have read, for calibration and quality to find."""

Steps = Callable[[str], Callable[[int, int], None]]
"""Begins a step with a label for people; what it returns is told (done, total)."""


@dataclass(frozen=True)
class Demo:
    """One run of the demonstration.

    Attributes:
        folder: everything is written here.
        recordings: folder with recordings of real plants; the step that needs one is left out where it is not there.
        begin: how progress is shown.
    """

    folder: Path
    recordings: Path | None
    begin: Steps

    def run(self) -> dict[str, Any]:
        """Do what is not done yet and return the whole answer as plain values."""
        began = time.perf_counter()
        self.folder.mkdir(parents=True, exist_ok=True)
        site, store = self.folder / "site", self.folder / "store"
        self._site("reference", site)
        self._telemetry(site, store)
        session = Session.open(site, store)
        document = self._answers(session)
        document["frontier"] = self._frontier()
        document["wall_s"] = round(time.perf_counter() - began, 1)
        return document

    def _site(self, template: str, folder: Path) -> None:
        told = self.begin(f"writing the {template} site")
        if not (folder / "site.toml").is_file():
            write_site(generate(template), folder)
        told(1, 1)

    def _telemetry(self, folder: Path, store: Path) -> None:
        """Vendor-shaped files and the store; made anew where the site has changed."""
        told = self.begin("writing telemetry")
        raw, site = self.folder / "telemetry", read_site(folder)
        key = _key(exports.site_digest(site), END.isoformat(), SEED, FAULTS, version("racktwin"))
        stamp = self.folder / "telemetry.key"
        if not stamp.is_file() or stamp.read_text() != key:
            for old in (raw, store):
                shutil.rmtree(old, ignore_errors=True)
            raw.mkdir(parents=True)
            from topology.plant import plant

            files = list(plans(plant(site), END, SEED, faults=[fault_of(f) for f in FAULTS]))
            for k, plan in enumerate(files):
                plan.write(raw / plan.name)
                told(k + 1, len(files))
            stamp.write_text(key)
        told = self.begin("ingesting telemetry")
        report = ingest(site, raw, store, progress=lambda _name, done: told(round(1000 * done), 1000), clock=lambda: END)
        if report.rows_in:
            self._save("ingest", key, answers.ingested(report, str(store)))

    def _answers(self, session: Session) -> dict[str, Any]:
        assert session.store is not None
        key = _key(exports.site_digest(session.site), session.store.rows(), version("racktwin"), str(BY))
        out: dict[str, Any] = {"folder": str(self.folder), "ingest": self._load("ingest")}

        def solved() -> dict[str, Any]:
            return answers.solved(session.solve())

        def cases() -> dict[str, Any]:
            return answers.cases(session.cases(progress=told), 10, "allocated power", session.site.settings.design_wet_bulb_c)

        def replayed() -> dict[str, Any]:
            began = time.perf_counter()
            result = session.replay(END - dt.timedelta(days=DETAIL_DAYS), END, 60.0, told)
            return replay_answers.replayed(result, session.plant.racks.ids, time.perf_counter() - began)

        overlay = self.folder / "calibration.csv"

        def judged() -> dict[str, Any]:
            return quality_answers.answer(quality_answers.judged(session, END - dt.timedelta(days=1), END, 60.0, told))

        def calibrated() -> dict[str, Any]:
            found = session.calibrate(progress=told)
            write_overlay(found.overlay(), overlay)
            return calibration_answers.calibration(session.plant, found)

        steps: tuple[tuple[str, str, Callable[[], dict[str, Any]], list[Path]], ...] = (
            ("solve", "solving the present moment", solved, []), ("cases", "failing every element in turn", cases, []),
            ("replay", f"replaying {DETAIL_DAYS} days", replayed, []), ("quality", "judging the sensors of a day", judged, []),
            ("calibration", "learning the constants of the site", calibrated, [overlay]),
        )  # fmt: skip
        for name, label, make, files in steps:
            told = self.begin(label)
            out[name] = self._kept(name, key, make, files)
            told(1, 1)
        out["headroom"] = [self._room(session, sku, key) for sku in SKUS]
        out["exports"] = self._exports(session, key)
        return out

    def _room(self, session: Session, sku: str, key: str) -> dict[str, Any]:
        told = self.begin(f"checking where {sku} racks fit")
        name = f"headroom-{sku}"

        def make() -> dict[str, Any]:
            room = session.headroom(sku, BY, 0.95, SEED, told)
            self._export_room(session, room)
            return answers.headroom(room)

        answer = self._kept(name, key, make, [self.folder / "exports" / f"{name}.xlsx"])
        told(1, 1)
        return answer

    def _export_room(self, session: Session, room: Room) -> None:
        about = exports.about(session, "headroom", {"sku": room.sku, "by": room.by, "probability": room.probability, "seed": room.seed})
        margins = exports.worst_margin_table(session.cases(), session.site)
        path = self.folder / "exports" / f"headroom-{room.sku}.xlsx"
        path.parent.mkdir(exist_ok=True)
        tables = (*exports.headroom_tables(room, session.site), margins)
        exports.write(path, tables, about, exports.tightest_elements(margins))
        exports.write(path.with_suffix(".parquet"), tables, about)

    def _exports(self, session: Session, key: str) -> list[str]:
        """Case table and margins beside the headroom workbooks."""
        told = self.begin("writing exports")
        folder = self.folder / "exports"
        files = [folder / "cases.csv", folder / "cases.parquet", folder / "margins.csv"]

        def make() -> dict[str, Any]:
            table = session.cases()
            about = exports.about(session, "cases", {"load": "allocated power"})
            for path in files[:2]:
                exports.write(path, (exports.case_table(table),), about)
            exports.write(files[2], (exports.worst_margin_table(table, session.site),), about)
            return {"written": len(files)}

        self._kept("exports", key, make, files)
        told(1, 1)
        return sorted(str(p) for p in folder.iterdir())

    def _frontier(self) -> dict[str, Any] | None:
        """A recorded day of a real machine, where the recording is there."""
        recording = self.recordings / FRONTIER_FILE if self.recordings else None
        if recording is None or not recording.is_file():
            return None
        folder, store = self.folder / "frontier", self.folder / "frontier-store"
        self._site("frontier", folder)
        told = self.begin("ingesting a recorded day of Frontier")
        report = ingest(read_site(folder), [recording], store)
        told(1, 1)
        session = Session.open(folder, store)
        assert session.store is not None
        key = _key(exports.site_digest(session.site), session.store.rows(), version("racktwin"), str(BY))
        if report.rows_in:
            self._save("frontier-ingest", key, answers.ingested(report, str(store)))

        def replayed() -> dict[str, Any]:
            began = time.perf_counter()
            result = session.replay(step_s=FRONTIER_STEP_S, progress=told)
            return replay_answers.replayed(result, session.plant.racks.ids, time.perf_counter() - began)

        told = self.begin("replaying the recorded day")
        day = self._kept("frontier-replay", key, replayed)
        told(1, 1)
        told = self.begin(f"checking where {FRONTIER_SKU} racks fit beside Frontier")
        room = self._kept("frontier-headroom", key, lambda: answers.headroom(session.headroom(FRONTIER_SKU, BY, 0.95, SEED, told)))
        told(1, 1)
        return {"replay": day, "headroom": room}

    def _kept(self, name: str, key: str, make: Callable[[], dict[str, Any]], files: list[Path] | None = None) -> dict[str, Any]:
        """The saved answer where it was made from the same things and its files are there, else a new one."""
        path = self.folder / "answers" / f"{name}.json"
        if path.is_file() and all(f.is_file() for f in files or []):
            saved: dict[str, Any] = json.loads(path.read_text())
            if saved["key"] == key:
                answer: dict[str, Any] = saved["answer"]
                return answer
        return self._save(name, key, make())

    def _save(self, name: str, key: str, answer: Mapping[str, Any]) -> dict[str, Any]:
        path = self.folder / "answers" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps({"key": key, "answer": answer}, indent=1))
        temporary.replace(path)
        return dict(answer)

    def _load(self, name: str) -> dict[str, Any] | None:
        path = self.folder / "answers" / f"{name}.json"
        found: dict[str, Any] | None = json.loads(path.read_text())["answer"] if path.is_file() else None
        return found


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps([str(p) for p in parts]).encode()).hexdigest()
