"""Sizes, and what must not stand in a file: paths of one machine, addresses of registries, unfinished work, broad catches."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.contracts.source import HOUSES, ROOT, Source, snippet, sources, told

FILE_LINES = 400
FUNCTION_LINES = 60
TEXT = {".py", ".toml", ".md", ".csv", ".yml", ".yaml", ".json", ".txt", ".sh", ".js", ".css", ".html", ".svg", ""}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError|NotImplemented)\b")
MACHINE_PATH = re.compile(r"(^|[^A-Za-z0-9./_-])/(root|home|work|Users)/[A-Za-z]")
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.|index-url|https?://[^ ]+\.(whl|tgz|tar\.gz|deb)\b")


def long_functions(source: Source) -> Iterator[str]:
    """Functions whose body, docstring left out, is too long."""
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > FUNCTION_LINES:
                yield f"{source.path}:{node.lineno} {node.name} has {lines} lines"


def broad_catches(source: Source) -> Iterator[str]:
    """Handlers that catch everything."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type else {"Exception"}
            if caught & {"Exception", "BaseException"}:
                yield f"{source.path}:{node.lineno}"


def rebinding(source: Source) -> Iterator[str]:
    """Functions that change a name of their module."""
    yield from (f"{source.path}:{n.lineno}" for n in ast.walk(source.tree) if isinstance(n, ast.Global))


def hits(pattern: re.Pattern[str], path: str, text: str) -> Iterator[str]:
    """Lines in which a pattern occurs."""
    yield from (f"{path}:{n}: {line.strip()[:120]}" for n, line in enumerate(text.splitlines(), 1) if pattern.search(line))


def project_files() -> list[str]:
    """Text files that belong to the project: what git tracks, or all of the houses where there is no git."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.split("\0")
    else:
        names = [p.relative_to(ROOT).as_posix() for h in (*HOUSES, "tests") for p in (ROOT / h).rglob("*") if "__pycache__" not in p.parts]
    return [n for n in names if n and (ROOT / n).suffix in TEXT and (ROOT / n).is_file()]


def test_files_are_short() -> None:
    files = sources(*HOUSES, "tests", "benchmarks")
    assert told(f"{f.path}: {n} lines" for f in files if (n := f.text.count("\n")) > FILE_LINES) == ""


def test_functions_are_short() -> None:
    assert told(line for f in sources(*HOUSES, "benchmarks") for line in long_functions(f)) == ""


def test_nothing_is_unfinished() -> None:
    assert told(line for f in sources(*HOUSES, "benchmarks") for line in hits(UNFINISHED, f.path, f.text)) == ""


def test_no_handler_catches_everything() -> None:
    assert told(line for f in sources(*HOUSES, "benchmarks") for line in broad_catches(f)) == ""


def test_no_function_changes_its_module() -> None:
    assert told(line for f in sources(*HOUSES) for line in rebinding(f)) == ""


@pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY], ids=["machine path", "registry"])
def test_no_file_names_a_machine_or_a_registry(pattern: re.Pattern[str]) -> None:
    files = project_files()
    assert "pyproject.toml" in files
    here = "tests/contracts/test_files.py"
    assert told(line for n in files if n != here for line in hits(pattern, n, (ROOT / n).read_text(encoding="utf-8"))) == ""


def test_each_folder_of_a_house_with_code_is_a_package() -> None:
    folders = {f.path.rpartition("/")[0] for f in sources(*HOUSES)}
    assert told(d for d in sorted(folders) if not (ROOT / d / "__init__.py").is_file()) == ""


def test_the_rules_see_what_they_forbid() -> None:
    long = "def f():\n    '''Doc.'''\n" + "    x = 1\n" * (FUNCTION_LINES + 1)
    assert list(long_functions(snippet(long))) == [f"topology/sample.py:1 f has {FUNCTION_LINES + 1} lines"]
    assert list(long_functions(snippet(long.replace("    x = 1\n", "", 1)))) == []
    for handler in ("except:", "except Exception:", "except (ValueError, BaseException) as e:"):
        assert len(list(broad_catches(snippet(f"try:\n    pass\n{handler}\n    pass\n")))) == 1
    assert list(broad_catches(snippet("try:\n    pass\nexcept (ValueError, OSError):\n    pass\n"))) == []
    assert list(rebinding(snippet("def f():\n    global x\n    x = 1\n")))
    assert list(hits(UNFINISHED, "f", "x = 1  # TODO later"))
    assert list(hits(MACHINE_PATH, "f", 'open("/home/me/x")')) and not list(hits(MACHINE_PATH, "f", "a/home/me"))
    assert list(hits(REGISTRY, "f", "https://example.org/a.whl")) and not list(hits(REGISTRY, "f", "https://example.org/a.html"))
