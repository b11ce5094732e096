"""The docstring is the reference: everything public has one, and its Args and Attributes are the real ones."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.contracts.source import HOUSES, Source, decorators, definitions, is_dataclass, parameters, snippet, sources, told

ENTRY = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: \([^)]*\))?:(\s|$)")
INHERITED = {"overload", "override", "setter"}


def section(doc: str, title: str) -> set[str] | None:
    """Names in a section of a Google docstring, ``None`` where there is no such section."""
    lines = doc.splitlines()
    if f"{title}:" not in [line.strip() for line in lines]:
        return None
    start = next(n for n, line in enumerate(lines) if line.strip() == f"{title}:")
    outer = len(lines[start]) - len(lines[start].lstrip())
    names: set[str] = set()
    inner: int | None = None
    for line in lines[start + 1 :]:
        depth = len(line) - len(line.lstrip())
        if not line.strip():
            continue
        if depth <= outer:
            break
        inner = depth if inner is None else inner
        entry = ENTRY.match(line.strip()) if depth == inner else None
        if entry:
            names |= {n.strip().lstrip("*") for n in entry.group(1).split(",")}
    return names


def faults(source: Source) -> Iterator[str]:
    """What is missing from, or wrong in, the docstrings of one file."""
    if ast.get_docstring(source.tree) is None:
        yield f"{source.path} has no docstring"
    for name, node in definitions(source):
        doc = ast.get_docstring(node)
        if doc is None:
            if not decorators(node) & INHERITED:
                yield f"{source.path}:{node.lineno} {name} has no docstring"
        elif isinstance(node, ast.ClassDef):
            yield from _attribute_faults(source, name, node, doc)
        else:
            listed, real = section(doc, "Args"), {p.arg for p in parameters(node)}
            if listed is not None and listed != real:
                yield f"{source.path}:{node.lineno} {name}: Args and signature differ in {sorted(listed ^ real)}"


def _attribute_faults(source: Source, name: str, node: ast.ClassDef, doc: str) -> Iterator[str]:
    listed = section(doc, "Attributes")
    if listed is None or not is_dataclass(node):
        return
    real = {n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}
    real |= {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
    if not node.bases and listed - real:
        yield f"{source.path}:{node.lineno} {name}: Attributes that it has not: {sorted(listed - real)}"


def test_everything_public_is_documented_as_it_is() -> None:
    assert told(line for f in sources(*HOUSES) for line in faults(f)) == ""


def test_the_rule_sees_a_missing_docstring() -> None:
    assert list(faults(snippet('"""M."""\ndef f():\n    pass\n'))) == ["topology/sample.py:2 topology.sample.f has no docstring"]
    assert list(faults(snippet('"""M."""\nclass A:\n    """A."""\n    def f(self):\n        pass\n')))
    assert list(faults(snippet('"""M."""\ndef _f():\n    pass\n'))) == []


FUNCTION = '''"""M."""
def f(a, *rest, b=1):
    """F.

    Args:
        a: one,
            over: two lines.
        {}: two.
        *rest: more.
    """
'''
RECORD = '''"""M."""
from dataclasses import dataclass
@dataclass(frozen=True)
class A:
    """A.

    Attributes:
        {}: x.
    """

    a: int
'''


def test_the_rule_compares_args_with_the_signature() -> None:
    assert list(faults(snippet(FUNCTION.format("b")))) == []
    assert "['b', 'c']" in next(faults(snippet(FUNCTION.format("c"))))


def test_the_rule_compares_attributes_with_the_fields() -> None:
    assert list(faults(snippet(RECORD.format("a")))) == []
    assert "['z']" in next(faults(snippet(RECORD.format("z"))))
