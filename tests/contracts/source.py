"""The project's source, parsed once, for the rules that read it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOUSES = ("topology", "telemetry", "twin", "dashboards")
"""The houses from the top of the slope down: each may import from those before it."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file.

    Attributes:
        name: dotted module name; a package's is that of its folder.
        path: path from the root of the checkout, with slashes.
        text: what is in it.
        package: whether it is an ``__init__.py``.
    """

    name: str
    path: str
    text: str
    package: bool = False

    @property
    def house(self) -> str:
        """First part of its name."""
        return self.name.partition(".")[0]

    @property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return _parse(self.text, self.path)


@cache
def _parse(text: str, path: str) -> ast.Module:
    return ast.parse(text, path)


def snippet(text: str, name: str = "topology.sample") -> Source:
    """A file made up for a test of a rule."""
    return Source(name, name.replace(".", "/") + ".py", text)


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Every Python file below the named folders, in order of path."""
    return tuple(_read(p) for folder in folders for p in sorted((ROOT / folder).rglob("*.py")))


def _read(path: Path) -> Source:
    relative = path.relative_to(ROOT)
    package = path.name == "__init__.py"
    parts = relative.parent.parts if package else relative.with_suffix("").parts
    return Source(".".join(parts), relative.as_posix(), path.read_text(encoding="utf-8"), package)


@dataclass(frozen=True)
class Import:
    """One imported module, with where it is imported; ``at_load`` is false inside functions and under TYPE_CHECKING."""

    target: str
    line: int
    at_load: bool


def imports(source: Source) -> Iterator[Import]:
    """Every module that a file may import: statements anywhere in it, and ``import_module`` with a literal name.

    ``from a import b`` gives both ``a`` and ``a.b``, as ``b`` may be a module.
    """
    yield from _imports(source, source.tree.body, at_load=True)


def _imports(source: Source, body: Iterable[ast.AST], *, at_load: bool) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (Import(a.name, node.lineno, at_load) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(source, node)
            yield Import(base, node.lineno, at_load)
            yield from (Import(f"{base}.{a.name}", node.lineno, at_load) for a in node.names)
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__") and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield Import(name.value, node.lineno, at_load)
        later = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or _type_checking(node)
        yield from _imports(source, ast.iter_child_nodes(node), at_load=at_load and not later)


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = source.name.split(".")
    base = parts[: len(parts) - node.level + int(source.package)]
    return ".".join([*base, node.module] if node.module else base)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def told(lines: Iterable[str]) -> str:
    """Faults one a line, so that a failed test shows all of them."""
    return "\n".join(lines)


def public(name: str) -> bool:
    """Whether a name is meant for others."""
    return not name.startswith("_")


def definitions(source: Source) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Public top-level functions, public classes and their public methods, each with its dotted name."""
    for node in source.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and public(node.name):
            yield f"{source.name}.{node.name}", node
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)) and public(inner.name):
                        yield f"{source.name}.{node.name}.{inner.name}", inner


def decorators(node: Function | ast.ClassDef) -> set[str]:
    """Last part of the name of each decorator."""
    names = set()
    for d in node.decorator_list:
        d = d.func if isinstance(d, ast.Call) else d
        names.add(d.attr if isinstance(d, ast.Attribute) else d.id if isinstance(d, ast.Name) else "")
    return names


def is_dataclass(node: ast.AST) -> bool:
    """Whether a class is declared with ``@dataclass``."""
    return isinstance(node, ast.ClassDef) and "dataclass" in decorators(node)


def parameters(node: Function) -> list[ast.arg]:
    """Every parameter of a function, ``self`` and ``cls`` left out."""
    a = node.args
    every = [*a.posonlyargs, *a.args, *([a.vararg] if a.vararg else []), *a.kwonlyargs, *([a.kwarg] if a.kwarg else [])]
    return [p for p in every if p.arg not in ("self", "cls")]
