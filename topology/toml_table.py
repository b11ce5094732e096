"""A catalog file as TOML tables that know on which line each key stands, since the parser of the standard library does not say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from topology.errors import Finding

_HEADER = re.compile(r"^\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*(\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+)\s*[.=]")


@dataclass(frozen=True, slots=True)
class Table:
    """A TOML table with its place.

    Attributes:
        name: name of the entry that the table belongs to.
        values: keys and values as written.
        file: file name for findings.
        lines: line of each key of this table [1-based]; the empty key is the header itself.
        children: tables and arrays of tables below it, by dotted path and index.
    """

    name: str
    values: Mapping[str, Any]
    file: str
    lines: Mapping[str, int]
    children: Mapping[tuple[str, int], Mapping[str, int]] = field(default_factory=dict)

    def at(self, key: str = "") -> dict[str, Any]:
        """Place of a key (or of the header), as keyword arguments of a Finding."""
        return {"file": self.file, "row": self.lines.get(key, self.lines.get("", 0)), "column": key, "element": self.name}

    def without(self, key: str) -> dict[str, Any]:
        """Place of a key that is not there: the header."""
        return {**self.at(), "column": key}

    def child(self, key: str, index: int = 0) -> Table:
        """A table below this one; without a header of its own (written inline) it stands where its key stands."""
        lines = self.children.get((key, index)) or {"": self.at(key.partition(".")[0])["row"]}
        return Table(self.name, {}, self.file, lines)


def read_tables(text: str, file: str, findings: list[Finding]) -> tuple[Table, ...]:
    """Parse a TOML file into its entries, each with the lines of its keys."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        line = re.search(r"at line (\d+)", str(exc))
        row = int(line[1]) if line else len(text.splitlines())
        findings.append(Finding(f"not valid TOML: {exc}", "mend the syntax at that place", file=file, row=row))
        return ()
    lines = _lines(text)
    tables = []
    for name, values in data.items():
        own = {k[1:]: v for k, v in lines.items() if k[0] == name}
        header = own.get(("", 0), {"": min((v[""] for v in own.values()), default=0)})
        if not isinstance(values, dict):
            row = lines.get(("", "", 0), {}).get(name) or header[""]
            findings.append(
                Finding(f"{name} stands outside any entry", f"write it below a header such as [{name}]", file=file, row=row, column=name)
            )
            continue
        tables.append(Table(name, values, file, header, own))
    return tuple(tables)


def _lines(text: str) -> dict[tuple[str, str, int], dict[str, int]]:
    """Lines of headers and keys: (entry, path below it, index in its array of tables) -> key -> line."""
    found: dict[tuple[str, str, int], dict[str, int]] = {}
    current: dict[str, int] = found.setdefault(("", "", 0), {})
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            path = [part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", header[1])]
            name, below = path[0], ".".join(path[1:])
            index = sum(1 for k in found if k[:2] == (name, below))
            current = found.setdefault((name, below, index), {"": number})
        elif key := _KEY.match(line):
            current.setdefault(key[1].strip("\"'"), number)
    return found
