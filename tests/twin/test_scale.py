"""The same bits on every engine, also where a worker is killed in mid-run; faults come back as they were raised."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster

from telemetry.ingest import ingest
from telemetry.store import Store
from tests.twin.chunks import deadly, draws, faulty, killer, signalling
from tests.twin.sites import small_site
from topology.errors import Cancelled, ScaleError, SiteError, UsageError
from topology.generate import generate
from topology.plant import Plant, plant
from twin.carried import Carried, call, packed
from twin.forecast import follow as following
from twin.forecast.calibrate.seen import seen
from twin.forecast.calibrate.site import calibrate_site
from twin.forecast.follow import Replay, follow
from twin.scale import DEATHS, map_chunks, workers
from twin.synthetic.days import times, utilisation
from twin.synthetic.faults import fault
from twin.synthetic.files import plans
from twin.synthetic.observe import rack_power_w
from twin.synthetic.secret import hidden, real_plant
from twin.trust import trust

START = dt.datetime(2026, 10, 1, 7, 30, tzinfo=dt.UTC)
STEPS = 3000


@pytest.fixture(scope="module")
def built() -> Plant:
    return plant(small_site())


@pytest.fixture(scope="module")
def store(built: Plant, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two days of rack power by the minute: single readings missing, r2 for hours across a border of chunks, r3 from the start."""
    folder = tmp_path_factory.mktemp("scale")
    time_us = times(START, STEPS, 60.0)
    power = rack_power_w(real_plant(built, hidden(built, 4)), utilisation(built, time_us, 4))
    there = np.random.default_rng(1).random(power.shape) > 0.05
    there[following.READ_STEPS - 150 : following.READ_STEPS + 150, 1] = False
    there[: following.READ_STEPS + 10, 2] = False
    t, r = np.nonzero(there)
    columns = {
        "time": pa.array(time_us[t], pa.timestamp("us", tz="UTC")),
        "element": np.array(built.racks.ids)[r],
        "power_w": power[t, r],
    }
    pq.write_table(pa.table(columns), folder / "power.parquet")
    made = Store.create(folder / "store")
    ingest(built.site, [folder / "power.parquet"], made, clock=lambda: dt.datetime(2026, 11, 1, tzinfo=dt.UTC))
    return made


@pytest.fixture(scope="module")
def serial(built: Plant, store: Store) -> Replay:
    return follow(built, store)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50) as two:
        yield two


def same(a: Replay, b: Replay) -> None:
    """Every array to the last bit, everything else equal; the time that it took may differ."""
    arrays = [f.name for f in fields(Replay) if isinstance(getattr(a, f.name), np.ndarray)]
    assert len(arrays) == 18
    assert [n for n in arrays if getattr(a, n).tobytes() != getattr(b, n).tobytes()] == []
    assert a.power.sigma_w.tobytes() == b.power.sigma_w.tobytes()
    assert (a.findings, a.step_s, a.power.basis, a.power.origin) == (b.findings, b.step_s, b.power.basis, b.power.origin)


@pytest.mark.slow
def test_a_replay_is_the_same_in_processes(built: Plant, store: Store, serial: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(store.where).parent)
    same(serial, follow(built, Store("store"), engine="processes:2"))


@pytest.mark.slow
def test_a_replay_is_the_same_on_a_cluster(built: Plant, store: Store, serial: Replay, cluster: Any) -> None:
    told: list[tuple[int, int]] = []
    size = following.CHUNK_SOLVES * following.chunk_steps(built.racks.n)
    assert size < STEPS, "the window must need several chunks"
    same(serial, follow(built, store, progress=lambda *n: told.append(n), engine=f"dask:{cluster.scheduler_address}"))
    assert told == [(size, STEPS), (STEPS, STEPS)]


def test_a_replay_does_not_depend_on_how_its_solves_are_cut(
    built: Plant, store: Store, serial: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "CHUNK_SOLVES", 1)
    monkeypatch.setattr(following, "CHUNK_STEPS", (7, 97))
    same(serial, follow(built, store))


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plant, Store]:
    """Two days of everything that the meters of a row read, one of them stuck."""
    noon = dt.datetime(2026, 10, 30, 12, tzinfo=dt.UTC)
    site, folder, end = plant(generate("row")), tmp_path_factory.mktemp("metered"), dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    for plan in plans(site, end, seed=3, days=2, faults=[fault("stuck-temperature", site.cdus.ids[0], noon)]):
        plan.write(folder / plan.name)
    ingest(site.site, sorted(folder.glob("*.parquet")), folder / "store", clock=lambda: end)
    return site, Store.open(folder / "store")


@pytest.mark.slow
def test_quality_and_calibration_are_the_same_on_every_engine(metered: tuple[Plant, Store], cluster: Any) -> None:
    built, store = metered
    quality, what = trust(built, store, step_s=300.0), seen(built, store)
    constants = calibrate_site(what)
    assert [d.detector for d in quality.doubts] == ["stuck"]
    assert sum(t.fitted.identifiable for t in constants.told) > 5
    far = f"dask:{cluster.scheduler_address}"
    for engine, looked in (("processes:2", what), (far, seen(built, store, engine=far))):
        judged, fitted = trust(built, store, step_s=300.0, engine=engine), calibrate_site(looked, engine=engine)
        assert judged.verdicts == quality.verdicts and judged.doubts == quality.doubts
        assert judged.coverage.tobytes() == quality.coverage.tobytes()
        assert fitted.told == constants.told and fitted.findings == constants.findings


def test_a_store_that_is_pinned_stays_so_in_a_worker(built: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("r1", "r2"):
        columns = {"time": pa.array([START], pa.timestamp("us", tz="UTC")), "element": [name], "power_w": [5e4]}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    store = Store.create(tmp_path / "store")
    now = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    ingest(built.site, [tmp_path / "r1.parquet"], store, clock=lambda: now)
    monkeypatch.chdir(tmp_path)
    before = Carried.of((Store("store"), Store("store").pinned()))
    ingest(built.site, [tmp_path / "r2.parquet"], store, clock=lambda: now)
    monkeypatch.chdir("/")
    live, still = before.value
    assert (live.rows(), still.rows()) == (2, 1)


def test_random_chunks_are_the_same_on_every_engine(cluster: Any) -> None:
    chunks = list(enumerate(np.random.SeedSequence(7).spawn(9)))
    here, many, far = (map_chunks(draws, chunks, e, shared=0.5) for e in ("serial", "processes:2", f"dask:{cluster.scheduler_address}"))
    assert len({x.tobytes() for x in here}) == 9
    assert [x.tobytes() for x in here] == [x.tobytes() for x in many] == [x.tobytes() for x in far]


def with_a_kill(folder: Path, engine: str, pids: list[int]) -> list[tuple[int, float]]:
    """A run of six chunks in which a worker is killed while it is at one."""
    deed = multiprocessing.get_context("spawn").Process(target=killer, args=(str(folder), pids), daemon=True)
    deed.start()
    try:
        return map_chunks(signalling, range(6), engine, shared=str(folder))
    finally:
        deed.join(20.0)
        deed.kill()


@pytest.mark.parametrize("engine", ["dask", "processes:2"])
def test_a_worker_killed_in_mid_run_changes_nothing(engine: str, cluster: Any, tmp_path: Path) -> None:
    pids: list[int] = []
    if engine == "dask":
        with Client(cluster, set_as_default=False) as client:
            client.wait_for_workers(2)
            pids = list(client.run(os.getpid).values())
        engine = f"dask:{cluster.scheduler_address}"
    result = with_a_kill(tmp_path, engine, pids)
    killed = int((tmp_path / "killed").read_text())
    begun = [f.name.split("-") for f in tmp_path.iterdir() if "-" in f.name]
    lost = {int(c) for c, p in begun if int(p) == killed}
    assert lost, "a chunk must have been under way in the worker that was killed"
    assert lost & {int(c) for c, p in begun if int(p) != killed}, "another worker must have taken it"
    assert result == [(c, float(np.random.default_rng(c).normal())) for c in range(6)]


@pytest.mark.parametrize("engine", ["processes:2", "dask"])
def test_a_chunk_that_kills_every_worker_is_named(engine: str, cluster: Any, tmp_path: Path) -> None:
    name = f"dask:{cluster.scheduler_address}" if engine == "dask" else engine
    with pytest.raises(ScaleError, match="chunk 3 of 4 was given up") as caught:
        map_chunks(deadly, range(4), name, shared=str(tmp_path))
    assert caught.value.chunk == 2
    assert len(list(tmp_path.iterdir())) >= DEATHS


@pytest.mark.parametrize("engine", ["serial", "processes:2", "dask"])
def test_a_fault_in_a_chunk_comes_back_as_it_was_raised(engine: str, cluster: Any) -> None:
    name = f"dask:{cluster.scheduler_address}" if engine == "dask" else engine
    with pytest.raises(SiteError) as caught, workers(name, 2) as crew:
        assert crew.map(faulty, [0, 1]) == [0, 1]
        crew.map(faulty, [0, 1, 2, 3])
    assert type(caught.value) is SiteError
    assert [(f.file, f.row) for f in caught.value.findings] == [("racks.csv", 3)]
    assert str(caught.value).splitlines()[0] == "the site cannot be used"


def test_what_progress_raises_stops_the_work() -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise Cancelled("stopped by the user")

    for engine in ("serial", "processes:2"):
        with pytest.raises(Cancelled):
            map_chunks(faulty, range(50), engine, stop, shared=-1)


@pytest.mark.parametrize("text", ["threads", "processes:0", "processes:two", "dask:head", "serial:2", ""])
def test_an_engine_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write serial, processes"):
        map_chunks(faulty, [1], text, shared=0)


def test_an_address_where_nobody_is_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="write tcp://HOST:8786"):
        map_chunks(faulty, [1], "dask:gopher://head:1", shared=0)
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}), pytest.raises(ScaleError, match="no Dask scheduler at tcp://127"):
        map_chunks(faulty, [1], "dask:tcp://127.0.0.1:9", shared=0)


def test_without_dask_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ScaleError, match=r"pip install 'racktwin\[scale\]'"):
        map_chunks(faulty, [1], "dask", shared=0)


def test_workers_of_another_version_refuse(built: Plant) -> None:
    with pytest.raises(ScaleError, match="another version of racktwin"):
        call(Carried(packed(1), "digest of other files"), packed((faulty, 0)))
    assert call(Carried.of(1, checked=True), packed((faulty, 0))) == packed(0)


def test_a_plant_is_unpacked_as_it_was(built: Plant) -> None:
    again = Carried.of(built).value
    assert again.site == built.site and isinstance(again.site.elements, MappingProxyType)
    assert not again.racks.budget_w.flags.writeable
    assert again.racks.budget_w.tobytes() == built.racks.budget_w.tobytes()
