"""Rough going: a full disk, a kill at any moment, a corrupt file among good ones. Rows in are rows stored or refused, each once."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.housekeeping import check_store
from telemetry.ingest import ingest
from telemetry.source import digest_of
from telemetry.store import Store
from tests.telemetry.small import NOW, doubtful_file, rack_file, small_site
from topology.errors import StoreError, TelemetryError

IN_FOUR_MB = """
import json, pathlib, sys
from telemetry.ingest import ingest
from telemetry.source import digest_of
from telemetry.store import Store
from tests.telemetry.small import NOW, small_site
from topology.errors import StoreError

disk, files = pathlib.Path(sys.argv[1]), sys.argv[2:]
ballast = disk / "ballast"
ballast.write_bytes(bytes(2_500_000))
told = []
try:
    ingest(small_site(), files, disk / "s", clock=lambda: NOW)
except StoreError as fault:
    told.append(str(fault))
store = Store.open(disk / "s")
full = [store.rows(), store.quarantined().num_rows]
ballast.unlink()
done = ingest(small_site(), files, disk / "s", clock=lambda: NOW)
rest = Store.open(disk / "s")
print(json.dumps({
    "told": told, "full": full, "skipped": done.files_skipped, "in": done.rows_in, "stored": rest.rows(),
    "times": len(set(rest.read(columns=["time", "source"]).to_pandas().itertuples(index=False))),
    "refused": rest.quarantined().num_rows,
    "refused_once": len({(r["digest"], r["row"]) for r in rest.quarantined().to_pylist()}),
}))
"""


def test_a_disk_that_fills_up_stops_the_ingest_and_nothing_is_lost(root: Path, tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=4m none '{disk}'"
    if unshare is None or subprocess.run([unshare, "-rm", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here: unprivileged namespaces are not allowed")
    files = [doubtful_file(tmp_path / f"{i}.parquet", i, 40_000) for i in range(4)]
    command = f"""{mount} && exec "$@" """
    done = subprocess.run(
        [unshare, "-rm", "sh", "-c", command, "sh", sys.executable, "-c", IN_FOUR_MB, str(disk), *map(str, files)],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["told"]) == 1 and "the disk is full; free some space and do the same again" in found["told"][0]
    stored, refused = found["full"]
    whole = found["skipped"]
    assert 1 <= whole <= 3 and f"{whole} of 4 files were stored before it" in found["told"][0]
    assert (stored, refused) == (whole * 39_600, whole * 400)
    assert found["in"] == (4 - whole) * 40_000
    assert (found["stored"], found["times"]) == (4 * 39_600, 4 * 39_600)
    assert (found["refused"], found["refused_once"]) == (4 * 400, 4 * 400)


@pytest.mark.slow
def test_killed_at_random_moments_again_and_again(root: Path, tmp_path: Path) -> None:
    """Two writers of the same files, each killed after a random number of steps, until one is let through."""
    files = [doubtful_file(tmp_path / f"{i}.parquet", i, 12_000) for i in range(4)]
    where = tmp_path / "s"
    command = [sys.executable, "-m", "tests.telemetry.small", "run", str(where), *map(str, files)]
    dice = random.Random(5)
    for _ in range(3):
        pair = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for writer in pair:
            assert writer.stdout is not None
            for _ in range(dice.randint(2, 40)):
                writer.stdout.readline()
            writer.kill()
            writer.wait()
            writer.stdout.close()
        if (where / "readings" / "_delta_log").exists():
            half = Store.open(where)
            assert half.rows() % 11_880 == 0 and half.quarantined().num_rows == half.rows() // 99
    ingest(small_site(), files, where, clock=lambda: NOW)
    store = Store.open(where)
    assert store.rows() == 4 * 11_880 == len(set(store.read(columns=["time", "source"]).to_pandas().itertuples(index=False)))
    assert store.quarantined().num_rows == 4 * 120 == len({(r["digest"], r["row"]) for r in store.quarantined().to_pylist()})
    assert check_store(store, deep=True).findings == ()


def test_a_corrupt_file_among_good_ones(tmp_path: Path) -> None:
    """Cut short, bits turned in the values, nothing at all, no Parquet: each named with the way out, the good ones stored."""
    good = [doubtful_file(tmp_path / f"good{i}.parquet", i, 1000) for i in range(2)]
    whole = doubtful_file(tmp_path / "whole.parquet", 9, 20_000).read_bytes()
    turned = bytearray(whole)
    for at in range(len(whole) // 3, len(whole) // 2, 7):
        turned[at] ^= 0xFF
    bad = {"cut": whole[:-500], "turned": bytes(turned), "empty": b"", "text": b"PAR1 but not really PAR1"}
    for name, content in bad.items():
        (tmp_path / f"{name}.parquet").write_bytes(content)
    broken = [tmp_path / f"{name}.parquet" for name in bad]
    report = ingest(small_site(), [good[0], *broken, good[1]], tmp_path / "s", clock=lambda: NOW)
    store = Store.open(tmp_path / "s")
    assert (report.files, report.files_failed) == (6, 4)
    assert (report.rows_in, store.rows(), store.quarantined().num_rows) == (2000, 1980, 20)
    assert [f.file for f in report.findings if f.severity == "error"] == [str(p) for p in broken]
    assert not any(store.seen(digest_of(p)) for p in broken)


def test_a_file_that_changes_while_it_is_read_is_not_stored(tmp_path: Path) -> None:
    path = rack_file(tmp_path / "a.parquet", n=30)

    def writer(_name: str, done: float) -> None:
        if done > 0.0:
            with path.open("ab") as more:
                more.write(b"more")

    with pytest.raises(TelemetryError, match="changed while it was read"):
        ingest(small_site(), path, tmp_path / "s", progress=writer, clock=lambda: NOW)
    assert Store.open(tmp_path / "s").rows() == 0
    rack_file(path, n=30)
    assert ingest(small_site(), path, tmp_path / "s", clock=lambda: NOW).rows_stored == 30


def test_a_store_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    path = rack_file(tmp_path / "a.parquet")
    store = Store.create(tmp_path / "s")
    shutil.rmtree(tmp_path / "s" / "readings")
    (tmp_path / "s" / "readings").write_text("in the way")
    with pytest.raises(StoreError, match="the store"):
        ingest(small_site(), path, store, clock=lambda: NOW)
