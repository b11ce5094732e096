"""Headers drawn as a mesh: read, written, and checked with located findings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from topology.check import check_site
from topology.errors import UsageError
from topology.generate import generate
from topology.kinds import Pipe
from topology.plant import plant
from topology.read import read_site
from topology.site import Site
from topology.write import write_site


def drawn(*more: Pipe) -> Site:
    """The row template with its header drawn: two CDUs on a ring of two junctions, the manifold at one of them."""
    pipe = Pipe(id="p1", loop="tcs-1", start="cdu-1", end="east", length_m=8.0, diameter_m=0.15)
    pieces = [
        pipe, replace(pipe, id="p2", start="cdu-2", end="west"), replace(pipe, id="p3", start="east", end="west", length_m=20.0),
        replace(pipe, id="p4", start="east", end="west", length_m=30.0), replace(pipe, id="p5", start="west", end="manifold-1"), *more,
    ]  # fmt: skip
    return generate("row").with_(pipes={p.id: p for p in pieces})


def test_a_drawn_header_is_written_and_read_back(tmp_path: Path) -> None:
    site = drawn(Pipe(id="p6", loop="tcs-1", start="east", end="manifold-1", length_m=3.0, diameter_m=0.1, kv_m3_s=0.05, check=True))
    write_site(site, tmp_path / "s")
    again = read_site(tmp_path / "s")
    assert dict(again.pipes) == dict(site.pipes)
    assert check_site(again) == ()
    where = plant(again)
    assert where.find("p4") == ("pipes", 3)
    assert where.pipes.loop.tolist() == [where.find("tcs-1")[1]] * 6


@pytest.mark.parametrize(
    ("pipe", "column", "said", "hint"),
    [
        (
            Pipe(id="x", loop="fws", start="cdu-1", end="cdu-2", length_m=1.0, diameter_m=0.1),
            "loop",
            "pipes are drawn for TCS loops",
            "tcs-1",
        ),
        (Pipe(id="x", loop="tcs-1", start="east", end="wst", length_m=1.0, diameter_m=0.1), "end", "nothing else ends at 'wst'", "west"),
        (Pipe(id="x", loop="tcs-1", start="east", end="hall", length_m=1.0, diameter_m=0.1), "end", "is a hall and not a CDU", ""),
        (Pipe(id="x", loop="tcs-1", start="east", end="east", length_m=1.0, diameter_m=0.1), "end", "starts and ends at", "two ends"),
    ],
)
def test_ends_that_are_none_are_told(pipe: Pipe, column: str, said: str, hint: str) -> None:
    site = drawn(pipe)
    if pipe.end == "hall":
        site = drawn(replace(pipe, end=next(iter(site.halls))))
    found = [f for f in check_site(site) if f.element == "x" and f.column == column]
    assert found and said in found[0].message and hint in found[0].hint
    assert found[0].file == "pipes.csv"


def test_what_does_not_hang_together_is_told() -> None:
    site = drawn()
    alone = drawn(
        Pipe(id="x1", loop="tcs-1", start="far", end="away", length_m=1.0, diameter_m=0.1),
        Pipe(id="x2", loop="tcs-1", start="far", end="away", length_m=1.0, diameter_m=0.1),
    )
    assert {(f.element, f.message) for f in check_site(alone)} == {
        (x, f"{x!r} is joined to no CDU on the {side} side") for x in ("x1", "x2") for side in ("supply", "return")
    }
    half = site.with_(pipes={k: replace(p, side="supply") if k == "p5" else p for k, p in site.pipes.items()})
    assert [f.message for f in check_site(half)] == ["no pipe leads from a CDU to 'manifold-1' on the return side"]
    shut = site.with_(pipes={k: replace(p, state="closed") if k == "p5" else p for k, p in site.pipes.items()})
    assert {(f.severity, f.element) for f in check_site(shut)} == {("warning", "manifold-1")}
    bare = site.with_(pipes={k: p for k, p in site.pipes.items() if k != "p2"})
    assert "no pipe joins 'cdu-2' on the supply side" in [f.message for f in check_site(bare)]


def test_a_pipe_is_an_element_that_can_fail() -> None:
    where = plant(drawn())
    with pytest.raises(UsageError, match="p9"):
        where.find("p9")
