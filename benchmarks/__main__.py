"""Run every benchmark: ``python -m benchmarks [--data DIR]``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks import calibrating, feeds, folders, loops, meshes, reading, rides, solving, storing, years
from benchmarks.harness import Row, write

NOTES = (
    "- The plant of 257 CDUs: 18 racks on each, hung on the power chain of the Frontier template. Growth: the reference template scaled.",
    "- Loops: one manifold with equal branches and 1.2 m of 600 mm pipe between them, from a cold start. Friction is Haaland's here and "
    "Swamee and Jain's in EPANET, so flows are checked to 2 %; the tests hold them to 0.1 % with EPANET's own law. "
    "EPANET stops at its own default accuracy of 1e-3 of the flow. Its time is that of "
    "`ENrunH` alone.",
    "- Meshes: the same ladder, solved by the general network solver.",
    "- Radial feeds: a tree with 10 (shallow) or 2 (deep) lines below each node and a constant load on every end; both solve for complex "
    "voltages, which are checked against each other.",
    "- A ride: one hall of 100 racks for an hour at 1 s: a CDU goes for nine minutes, the utility for ten, and a job ends.",
    "- Calibration: a week of quarter hours of power, supply output and utilisation of every rack to power curves and supplies of SKUs, "
    "draw factors and changes of racks, readings in memory; CPU seconds.",
    "- A year: 8,760 hours of weather, power and cooling of the whole site.",
    "- Frames: DuckDB and Polars read the Parquet files of the same store and give a long table; ours is the dense array. All three find "
    "the same cells and the same sum, which is checked.",
    "- Ingest: pandas keeps three columns and no record of what it dropped; ours stores ten, with quarantine and a commit.",
    "- Rows beside other programs need `make peers` (`benchmarks/peers-constraints.txt`) and are left out without it.",
)


def main() -> int:
    """Measure, print and write; exit 0 also where a goal is missed, which the table says."""
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description="Measure racktwin beside peers; writes benchmarks/results.json and docs/benchmarks.md.")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("RACKTWIN_DATA", root.parent / "shared" / "data")))
    data = parser.parse_args().data
    rows: list[Row] = []
    for part in (
        solving.one_solve(),
        solving.steps_of_a_day(),
        solving.recorded_day(data),
        solving.batch(),
        solving.growth(),
        folders.folders(),
        storing.storing(),
        feeds.rows(),
        loops.rows(),
        meshes.rows(),
        reading.reading(),
        rides.rows(),
        years.years(),
        calibrating.rows(),
    ):
        for row in part:
            rows.append(row)
            sys.stderr.write(f"{row.name}: {row.ours:.4g} {row.unit} ({row.ratio:.3g} of {row.peer_name})\n")
    write(rows, root / "benchmarks" / "results.json", root / "docs" / "benchmarks.md", NOTES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
