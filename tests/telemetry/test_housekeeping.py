"""A store that is looked after: broken files are named, small ones joined, old readings forgotten and never taken in again."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from telemetry.housekeeping import check_store, retain
from telemetry.ingest import ingest
from telemetry.store import Store
from tests.telemetry.small import NOW, doubtful_file, small_site
from topology.errors import UsageError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    for n in range(3):
        ingest(small_site(), doubtful_file(tmp_path / f"{n}.parquet", n, 2000), tmp_path / "store", clock=lambda: NOW)
    return Store.open(tmp_path / "store")


def test_a_whole_store_has_no_findings_and_its_counts_are_those_of_the_ingest(store: Store) -> None:
    found = check_store(store, deep=True)
    assert not found.findings
    assert (found.rows, found.sources, found.quarantined) == (3 * 1980, 3, 3 * 20)
    assert found.small_files == found.files


def test_compacting_leaves_fewer_files_with_the_same_rows_and_vacuum_clears_the_rest(store: Store) -> None:
    before = check_store(store)
    store.compact()
    after = check_store(store, deep=True)
    assert after.rows == before.rows and after.quarantined == before.quarantined
    assert after.files < before.files and after.leftovers > 0
    store.vacuum(0)
    cleared = check_store(store, deep=True)
    assert cleared.leftovers == 0 and not cleared.findings and cleared.rows == before.rows


def test_a_missing_a_cut_and_a_foreign_file_are_named(store: Store) -> None:
    files = sorted((Path(store.where) / "readings").rglob("*.parquet"))
    assert len(files) >= 3
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:100])
    files[2].write_bytes(next((Path(store.where) / "quarantine").rglob("*.parquet")).read_bytes())
    found = {f.file.rpartition("/")[2]: f.message for f in check_store(store).findings}
    assert "not there" in found[files[0].name]
    assert "cannot be read" in found[files[1].name]
    assert "cannot be read" in found[files[2].name]
    assert len(found) == 3


def test_old_days_go_and_their_sources_stay_known(store: Store, tmp_path: Path) -> None:
    first, last = store.span() or (None, None)
    assert first is not None and last is not None
    gone = retain(store, last.date() + dt.timedelta(days=1))
    assert gone == 3 * 1980 and store.rows() == 0
    again = ingest(small_site(), tmp_path / "0.parquet", store, clock=lambda: NOW)
    assert again.files_skipped == 1 and store.rows() == 0
    with pytest.raises(UsageError, match="not over yet"):
        retain(store, dt.date(2999, 1, 1))
