"""Hold the twin against measured plants: ``python -m benchmarks.fidelity --data DIR``.

Writes ``benchmarks/fidelity.json`` and ``docs/fidelity.md`` with its pictures.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.fidelity.page import write
from benchmarks.fidelity.registry import reports, synthetic


def main(arguments: list[str] | None = None) -> int:
    """Read what is there, fit, test and write; exit 0 also where a goal is missed, which the table says; 2 without any recording."""
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fidelity", description="Hold the twin against measured plants.")
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data", help="folder of the recordings")
    parser.add_argument("--out", type=Path, default=root, help="folder with benchmarks/ and docs/ to write into")
    parser.add_argument("--synthetic", action="store_true", help="also hold it against synthetic plants, whose truth is known (minutes)")
    asked = parser.parse_args(arguments)
    began = time.perf_counter()

    def told(text: str) -> None:
        sys.stderr.write(f"{time.perf_counter() - began:6.1f} s  {text}\n")

    if not asked.data.is_dir():
        told(f"{asked.data} is no folder: name one with --data, or make fidelity DATA=...")
        return 2
    found, absent = reports(asked.data, told)
    if not found:
        told(f"{asked.data} has no recording that is known here; nothing is written")
        return 2
    found += synthetic(told) if asked.synthetic else []
    write(found, absent, asked.out)
    for row in (r for report in found for r in report.rows):
        goal = "" if row.goal is None else f"  goal {row.goal:g}: {'met' if row.met else 'NOT met'}"
        told(f"{row.recording}: {row.metric} {row.value:.4g} {row.unit}{goal}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
