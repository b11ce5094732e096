"""Site folders of many racks: written, read and checked; one wrong cell in every row too."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Row, medians, row
from topology.catalog import load_catalog
from topology.check import check_site
from topology.generate import generate
from topology.read import read_site
from topology.write import write_site

RACKS, MANY = 10_000, 100_000


def folders() -> Iterator[Row]:
    """Seconds of each piece of work on a folder."""
    catalog = load_catalog()
    (made,) = medians(lambda: generate("reference", MANY, catalog), repeats=2)
    yield row(f"generate a site of {MANY:,} racks", made, 10.0, "goal", "s")
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        write_site(generate("reference", RACKS, catalog), site)
        read, checked = medians(lambda: read_site(site, catalog), lambda: check_site(site, catalog), repeats=3)
        yield row(f"read a site folder of {RACKS:,} racks", read, 3.0, "goal", "s")
        yield row(f"check a site folder of {RACKS:,} racks", checked, 5.0, "goal", "s")
        racks = site / "racks.csv"
        head, *lines = racks.read_text(encoding="utf-8").splitlines()
        broken = [head.replace("sku", "share_a_pct,sku"), *(",".join((*x.split(",", 2)[:2], "many", x.split(",", 2)[2])) for x in lines)]
        racks.write_text("\n".join(broken), encoding="utf-8")
        (faults,) = medians(lambda: check_site(site, catalog), repeats=3)
        yield row(f"tell {RACKS:,} faults of a site folder", faults, 8.0, "goal", "s")
