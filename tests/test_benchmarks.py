"""The benchmark harness writes what it says, and the large plant is what its name says."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.harness import medians, row, write
from benchmarks.solving import CDUS, NODES, large


def test_rows_are_written_with_their_ratio(tmp_path: Path) -> None:
    rows = [row("quick", 1.0, 4.0, "slow", "s"), row("late", 3.0, 2.0, "goal", "s")]
    write(rows, tmp_path / "r.json", tmp_path / "p.md", ["a note"])
    found = json.loads((tmp_path / "r.json").read_text())
    assert [set(r) for r in found] == [{"name", "ours", "peer", "peer_name", "unit", "ratio", "goal", "met"}] * 2
    assert [(r["ratio"], r["met"]) for r in found] == [(0.25, True), (1.5, False)]
    page = (tmp_path / "p.md").read_text()
    assert "| late | 3 s | 2 s | goal | 1.5 | 1 | no |" in page and "a note" in page


def test_pieces_of_work_take_turns() -> None:
    order: list[str] = []
    assert len(medians(lambda: order.append("a"), lambda: order.append("b"), repeats=2)) == 2
    assert order == ["a", "b"] * 3


def test_the_large_plant_has_its_counts() -> None:
    where = large()
    assert (where.cdus.n, where.racks.n) == (CDUS, NODES)
