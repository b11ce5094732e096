"""The houses stand on one slope: imports go up it only, and never in a circle inside a house."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
import pytest

from tests.contracts.source import HOUSES, Source, imports, snippet, sources, told


def wrong_way(source: Source) -> Iterator[str]:
    """Imports from a house below the file's own."""
    below = HOUSES[HOUSES.index(source.house) + 1 :]
    for i in imports(source):
        if i.target.partition(".")[0] in below:
            yield f"{source.path}:{i.line} imports {i.target}"


def circles(files: tuple[Source, ...]) -> list[list[str]]:
    """Groups of modules that import each other while they load."""
    names = {f.name for f in files}
    graph: nx.DiGraph[str] = nx.DiGraph()
    for f in files:
        graph.add_edges_from((f.name, i.target) for i in imports(f) if i.at_load and i.target in names and i.target != f.name)
    return [sorted(group) for group in nx.strongly_connected_components(graph) if len(group) > 1]


@pytest.mark.parametrize("house", HOUSES)
def test_a_house_imports_only_from_those_above_it(house: str) -> None:
    assert sources(house)
    assert told(line for f in sources(house) for line in wrong_way(f)) == ""


@pytest.mark.parametrize("house", HOUSES)
def test_no_modules_of_a_house_load_in_a_circle(house: str) -> None:
    assert circles(sources(house)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import twin.state",
        "from telemetry.store import Store",
        "def f():\n    from dashboards import session",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import twin",
        "import importlib\nimportlib.import_module('telemetry.store')",
    ],
)
def test_the_rule_sees_every_way_of_importing(text: str) -> None:
    assert len(list(wrong_way(snippet(text)))) >= 1


def test_the_rule_lets_a_house_use_itself_and_those_above() -> None:
    assert (
        list(wrong_way(snippet("from topology import plant\nfrom telemetry.store import Store\nfrom . import state", "twin.sample"))) == []
    )


def test_the_circle_rule_sees_a_circle_but_not_a_late_import() -> None:
    a = snippet("from topology.b import x", "topology.a")
    at_load = snippet("from topology import a", "topology.b")
    late = snippet("def f():\n    from topology import a", "topology.b")
    assert circles((a, at_load)) == [["topology.a", "topology.b"]]
    assert circles((a, late)) == []
