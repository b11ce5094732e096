"""Run every benchmark: ``python -m benchmarks [--data DIR]``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks import solving, storing
from benchmarks.harness import Row, write

NOTES = (
    "`large plant`: 257 CDUs with 18 racks each hung on the power chain of the Frontier template. Growth: the reference template scaled.",
)


def main() -> int:
    """Measure, print and write; exit 0 also where a goal is missed, which the table says."""
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description="Measure racktwin beside peers; writes benchmarks/results.json and docs/benchmarks.md.")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("RACKTWIN_DATA", root.parent / "shared" / "data")))
    data = parser.parse_args().data
    rows: list[Row] = []
    for part in (solving.one_solve(), solving.recorded_day(data), solving.batch(), solving.growth(), storing.storing()):
        for row in part:
            rows.append(row)
            sys.stderr.write(f"{row.name}: {row.ours:.4g} {row.unit} ({row.ratio:.3g} of {row.peer_name})\n")
    write(rows, root / "benchmarks" / "results.json", root / "docs" / "benchmarks.md", NOTES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
