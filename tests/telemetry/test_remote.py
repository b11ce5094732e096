"""A store at a URL of an S3 server: everything that a folder does, two writers included, and faults that say the way out."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.peers import peers_python
from telemetry.housekeeping import check_store
from telemetry.ingest import ingest
from telemetry.live import watch
from telemetry.source import digest_of
from telemetry.store import Store
from tests.conftest import NO_PEERS
from tests.telemetry.small import NOW, doubtful_file, flat, rack_file, small_site
from topology.errors import StoreError, TelemetryError

KEYS = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}


@contextmanager
def s3_server(root: Path, *how: str) -> Iterator[dict[str, str]]:
    """Access options of an S3 server with the bucket ``plant``."""
    python = peers_python()
    absent = NO_PEERS
    if python is not None:
        command = [str(python), str(root / "tests" / "peers" / "s3_server.py"), *how]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            try:
                assert server.stdout is not None
                port = server.stdout.readline().strip()
                if port:
                    url = f"http://127.0.0.1:{port}"
                    urllib.request.urlopen(urllib.request.Request(f"{url}/plant", method="PUT"), timeout=20).close()
                    yield {**KEYS, "AWS_ENDPOINT_URL": url}
                    return
            finally:
                server.kill()
        absent = "the peers' environment has no moto; run `make peers` again"
    if os.environ.get("RACKTWIN_NEED_PEERS"):
        pytest.fail(absent)
    pytest.skip(absent)


@pytest.fixture(scope="module")
def s3(root: Path) -> Iterator[dict[str, str]]:
    with s3_server(root) as options:
        yield options


@pytest.fixture
def access(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)


def test_a_bucket_does_what_a_folder_does(access: None, tmp_path: Path) -> None:
    files = [doubtful_file(tmp_path / f"{i}.parquet", i, 1000) for i in range(3)]
    report = ingest(small_site(), files, "s3://plant/all/telemetry", clock=lambda: NOW)
    assert (report.files, report.rows_stored, report.rows_quarantined) == (3, 2970, 30)
    assert ingest(small_site(), files, "s3://plant/all/telemetry", clock=lambda: NOW).files_skipped == 3
    ingest(small_site(), files, tmp_path / "folder", clock=lambda: NOW)
    far, near = Store.open("s3://plant/all/telemetry"), Store.open(tmp_path / "folder")
    order = ("time", "source")
    assert flat(far.read(), *order).equals(flat(near.read(), *order))
    assert far.span() == near.span() and far.quarantined().num_rows == near.quarantined().num_rows == 30
    far.compact()
    before = check_store(far, deep=True)
    assert (before.rows, before.quarantined, before.findings) == (2970, 30, ()) and before.leftovers > 0
    assert far.vacuum(0) == before.leftovers
    assert check_store(Store.open("s3://plant/all/telemetry"), deep=True).leftovers == 0
    far.forget(digest_of(files[0]))
    assert far.rows() == 1980


def test_two_processes_with_the_same_files_store_each_once(root: Path, s3: dict[str, str], tmp_path: Path) -> None:
    files = [doubtful_file(tmp_path / f"{i}.parquet", i, 2000) for i in range(3)]
    command = [sys.executable, "-m", "tests.telemetry.small", "wait", "s3://plant/two", *map(str, files)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    writers = [subprocess.Popen(command, cwd=root, text=True, env={**os.environ, **s3}, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    store = Store.open("s3://plant/two", s3)
    assert (store.rows(), store.quarantined().num_rows) == (3 * 1980, 3 * 20)


def test_of_two_writers_of_one_batch_at_the_same_moment_one_commits(s3: dict[str, str], tmp_path: Path) -> None:
    """The first one looks, the second looks and commits, then the first would commit what it has seen as absent."""
    file = rack_file(tmp_path / "a.parquet")
    store = Store.create("s3://plant/race", s3)
    other = Store.open("s3://plant/race", s3)
    inner: list[int] = []

    def in_between(_name: str, done: float) -> None:
        if done > 0.0 and not inner:
            inner.append(1)
            with ThreadPoolExecutor(1) as apart:  # the writer waits inside its own stream meanwhile
                inner.append(apart.submit(ingest, small_site(), file, other, clock=lambda: NOW).result().rows_stored)

    outer = ingest(small_site(), file, store, progress=in_between, clock=lambda: NOW)
    assert inner == [1, 60] and outer.rows_stored == 0
    assert Store.open("s3://plant/race", s3).rows() == 60


def test_a_watched_folder_into_a_bucket(access: None, tmp_path: Path) -> None:
    rack_file(tmp_path / "a.parquet")
    looks: list[float] = []
    report = watch(
        small_site(), tmp_path, "s3://plant/live", wait=looks.append, stop=lambda: len(looks) == 2, clock=lambda: NOW
    )  # fmt: skip
    assert report.rows_stored == 60 == Store.open("s3://plant/live").rows()


def test_what_is_not_there_is_said(s3: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(TelemetryError, match="there is no telemetry store at s3://plant/nothing"):
        Store.open("s3://plant/nothing", s3)
    with pytest.raises(StoreError, match="there is no such bucket; make it first"):
        Store.create("s3://nowhere/telemetry", s3)
    with pytest.raises(StoreError, match="set AWS_ALLOW_HTTP=true"):
        Store.create("s3://plant/x", {**s3, "AWS_ALLOW_HTTP": "false"})
    with pytest.raises(StoreError, match="check AWS_ENDPOINT_URL"):
        Store.create("s3://plant/x", {**s3, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "max_retries": "0"})


def test_a_server_without_conditional_puts_is_refused_with_the_way_out(root: Path) -> None:
    with s3_server(root, "refuses") as options, pytest.raises(StoreError, match=r"refuses conditional puts.*use a server that has them"):
        Store.create("s3://plant/x", {**options, "max_retries": "0"})
