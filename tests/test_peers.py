"""The programs that results are held against are there, in the versions that were pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agreements import Agreements, page
from tests.conftest import AskPeer


def test_peers_are_the_pinned_versions(ask_peer: AskPeer, root: Path) -> None:
    lines = (root / "benchmarks" / "peers-constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    assert ask_peer("echo", packages=list(pinned)) == pinned


def test_an_agreement_out_of_bounds_fails_and_is_still_written() -> None:
    ours = Agreements()
    ours("heat", "a duty", "a table", 0.001, 0.01)
    with pytest.raises(AssertionError, match=r"a loss against a paper: 0\.5 W apart, 0\.1 allowed"):
        ours("power", "a loss", "a paper", 0.5, 0.1, "W")
    with pytest.raises(AssertionError):
        ours("power", "a volt", "a paper", float("nan"), 0.1, "V")
    text = page(ours.rows)
    assert "| a duty | a table | 0.001 | 0.01 | relative |" in text
    assert text.index("## Heat") < text.index("## Power")
