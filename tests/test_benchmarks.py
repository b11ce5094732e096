"""The benchmark harness writes what it says, and the plants are what their names say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.feeds import feed_row, rows, tree
from benchmarks.harness import medians, row, write
from benchmarks.loops import loop_rows
from benchmarks.peers import Peer, peers_python
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


def test_the_ladder_agrees_with_its_peer() -> None:
    if peers_python() is None:
        pytest.skip("the peers are not installed: make peers")
    found = list(loop_rows(20, 30, repeats=1))
    assert [r.goal for r in found] == [0.1, 1.0 / 15.0, 0.01]
    assert all(r.peer_name.startswith("EPANET") and r.ratio == r.ours / r.peer for r in found)


def test_the_radial_feed_is_a_tree_with_a_load_on_every_end() -> None:
    parent, ends = tree(40, 3)
    assert parent.tolist()[:5] == [-1, 0, 0, 0, 1]
    assert set(ends.tolist()) == set(range(40)) - set(parent.tolist())


def test_the_radial_feed_agrees_with_its_peer() -> None:
    if peers_python() is None:
        pytest.skip("the peers are not installed: make peers")
    found = feed_row("small", 40, 3, 3, repeats=1)
    assert found.peer_name.startswith("power-grid-model") and found.ours > 0.0


def test_a_peer_that_is_not_there_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RACKTWIN_PEERS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="make peers"), Peer("epanet_ladder"):
        pass
    assert list(rows()) == []
