"""What is built from the checkout works without it: the wheel holds every data file, and its catalog loads from elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.contracts.source import HOUSES, ROOT

LOAD = """
import topology
from topology.catalog import load_catalog
print(topology.__file__)
print(len(load_catalog().names("chip")))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a copy of the source, so that the checkout gets no build folder."""
    folder = tmp_path_factory.mktemp("package")
    copy = folder / "source"
    for house in HOUSES:
        shutil.copytree(ROOT / house, copy / house, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    built = subprocess.run([*command, "--wheel-dir", str(folder), str(copy)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder into which the wheel is unpacked, which for a pure wheel is what installing it does."""
    target = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(target)
    return target


def run_outside(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder of its own with the installed package first on the path."""
    env = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_wheel_holds_every_file_of_the_houses(wheel: Path) -> None:
    files = [p.relative_to(ROOT).as_posix() for h in HOUSES for p in (ROOT / h).rglob("*") if p.is_file()]
    expected = {f for f in files if "__pycache__" not in f}
    assert {"topology/py.typed", "topology/catalog/chips.toml"} <= expected
    assert sorted(expected - set(zipfile.ZipFile(wheel).namelist())) == []


def test_the_wheel_holds_nothing_but_the_houses(wheel: Path) -> None:
    tops = {n.partition("/")[0] for n in zipfile.ZipFile(wheel).namelist()}
    assert tops == {*HOUSES, "racktwin-0.1.0.dist-info"}


def test_the_catalog_loads_from_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    done = run_outside(installed, tmp_path, "-c", LOAD)
    assert done.returncode == 0, done.stderr
    place, chips = done.stdout.split("\n")[:2]
    assert Path(place).is_relative_to(installed)
    assert int(chips) >= 18


def test_the_command_answers_from_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    module, _, attribute = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["racktwin"].partition(":")
    call = (
        f"from {module} import {attribute}; import sys; sys.argv = ['racktwin', 'site', 'new', 'mine', '--template', 'row']; {attribute}()"
    )
    done = run_outside(installed, tmp_path, "-c", call)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine" / "site.toml").is_file()


def test_every_pin_is_exact_and_every_dependency_is_pinned() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    pins = dict(line.split("==") for line in lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {d.partition(">=")[0].partition("[")[0].lower() for d in needed}
    assert names <= set(pins), sorted(names - set(pins))
