"""Runs on worker processes of this machine: the same files as in one process, whatever happened on the way."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

import bench.cluster.executor
import bench.runs.chunks
from bench import Experiment, run
from bench.cluster.connect import Tls, cluster
from bench.cluster.executor import OnCluster, _Copies, _Dealer, _Dealt
from bench.cluster.task import Order, Refused, Trained, _pool, train_chunk
from bench.runs.manifest import read_manifest
from bench.runs.progress import Progress
from tests.conftest import experiment
from tests.faults import processes
from tests.runs.small import SMALL, change, lost_curves, removed_lanes, sums

CHUNK_LANES = 16


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with cluster("local:2", Tls(), insecure=False) as started:
        yield started


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.runs.chunks, "MOST_LANES", CHUNK_LANES)


@pytest.fixture(scope="module")
def wanted() -> Experiment:
    # Workers read the text of an experiment, so this one is read from its text, too.
    return Experiment.parse(experiment(**SMALL).text)


@pytest.fixture(scope="module")
def here(wanted: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(wanted, tmp_path_factory.mktemp("here"))


def test_a_worker_that_is_lost_before_it_has_answered_holds_nothing_up(
    client: Client, wanted: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "nthreads", lambda: {"tcp://127.0.0.1:9": 1})
    monkeypatch.setattr(bench.cluster.executor, "PATIENCE_SECONDS", 60)
    notes: list[str] = []
    found = OnCluster(client).provenance(wanted, Progress(1, 0), lambda progress: notes.append(progress.note))
    assert found.device.platform == "cpu" and set(notes) == {"waiting for a worker"}


def test_a_scheduler_that_is_lost_before_there_is_a_worker_is_one_line(wanted: Experiment, tmp_path: Path) -> None:
    with processes.cluster(tmp_path, workers=0) as running, Client(running.address, set_as_default=False) as lonely:
        scheduler = running.scheduler
        assert scheduler is not None
        with pytest.raises(OSError, match="^the scheduler of the cluster is gone; "):
            OnCluster(lonely).provenance(wanted, Progress(1, 0), lambda progress: processes.kill_all(scheduler))


def test_a_cluster_leaves_the_files_that_one_process_leaves(client: Client, wanted: Experiment, here: Path, tmp_path: Path) -> None:
    notes: list[str] = []

    def watch(progress: Progress) -> None:
        notes.append(progress.note)

    folder = run(wanted, tmp_path, executor=OnCluster(client), watch=watch)
    assert sums(folder) == sums(here)
    there, ours = read_manifest(folder), read_manifest(here)
    assert there.complete and there.block_width == ours.block_width and not there.mixed
    assert there.seed_steps == ours.seed_steps and there.compilations > 0 and there.peak_memory_bytes > 0
    assert any(note.startswith("2 workers, ") for note in notes)
    # Whatever is damaged is trained anew on the cluster, curves too.
    for damage in (lost_curves, removed_lanes):
        damage(folder)
        change(folder, complete=False)
        run(wanted, tmp_path, executor=OnCluster(client))
        assert sums(folder) == sums(here)


def test_of_the_small_chunks_at_the_end_none_waits(
    client: Client, wanted: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way: list[tuple[int, int]] = []

    def deal(dealer: _Dealer, dealt: _Dealt) -> None:
        hand_out(dealer, dealt)
        small = [one.small for one in dealer._dealt.values()]
        under_way.append((len(small), sum(small)))

    hand_out = _Dealer._deal
    monkeypatch.setattr(_Dealer, "_deal", deal)
    run(wanted, tmp_path, executor=OnCluster(client))
    # Two workers: of the large chunks each has one that waits, of the small ones none.
    assert max(all_of_them for all_of_them, _ in under_way) == 4
    assert max(small for _, small in under_way) == 2


def test_a_run_of_one_process_goes_on_on_a_cluster(client: Client, wanted: Experiment, here: Path, tmp_path: Path) -> None:
    fewer = Experiment.parse(wanted.text, overrides={"seeds.init": 12})
    run(fewer, tmp_path)
    folder = run(wanted, tmp_path, executor=OnCluster(client))
    assert sums(folder) == sums(here)


def test_a_worker_that_would_compute_otherwise_is_sent_away(client: Client, wanted: Experiment, tmp_path: Path) -> None:
    """The folder's rows were made with another version of jax, so that here all workers are the wrong ones."""
    folder = run(Experiment.parse(wanted.text, overrides={"seeds.init": 12}), tmp_path)
    manifest = read_manifest(folder)
    made = manifest.latest.model_copy(update={"versions": {**manifest.latest.versions, "jax": "0.0.1"}})
    parts = [part.model_copy(update={"provenance": (made.id,)}) for part in manifest.parts]
    (folder / "run.json").write_text(manifest.changed(provenance={made.id: made}, parts=parts).text)
    with pytest.raises(ValueError, match=r"were made otherwise \(jax 0\.0\.1, now "):
        run(wanted, tmp_path, executor=OnCluster(client))
    mixed = run(wanted, tmp_path, executor=OnCluster(client, mixed=True), mixed=True)
    assert read_manifest(mixed).mixed and read_manifest(mixed).complete


def test_two_copies_of_a_chunk_are_a_check() -> None:
    copies = _Copies()
    for key, digest, host in (("a", "1", "one"), ("b", "2", "one"), ("a", "1", "two")):
        copies.hear((0.0, tuple(Trained(key, digest, host, "made", 4))))
    copies.check()
    assert copies.again == 1
    # Copies that may differ: of a worker of another provenance, as --mixed allows, and in blocks of another width.
    copies.hear((0.0, ("b", "4", "three", "otherwise", 4)))
    copies.hear((0.0, ("b", "5", "four", "made", 8)))
    copies.check()
    assert copies.again == 1
    copies.hear((0.0, ("b", "3", "two", "made", 4)))
    with pytest.raises(ValueError, match="chunk b: its rows from one and from two differ"):
        copies.check()


def test_a_chunk_in_blocks_of_another_width_is_trained_again(
    client: Client, wanted: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unlike workers choose unlike widths for the first chunks of a program; the first that comes back decides."""

    def chosen(order: Order) -> Any:
        width = order.width or 1 + int(order.key, 16) % 2
        done = train_chunk(order._replace(width=width))
        assert not isinstance(done, Refused) and done.width == width
        return done

    monkeypatch.setattr(bench.cluster.executor, "train_chunk", chosen)
    monkeypatch.setattr(bench.cluster.executor, "AHEAD", 20)
    notes: list[str] = []
    folder = run(wanted, tmp_path, executor=OnCluster(client, mixed=True), mixed=True, watch=lambda progress: notes.append(progress.note))
    manifest = read_manifest(folder)
    assert manifest.complete and set(manifest.block_width) <= {1, 2}
    assert any("handed out again" in note for note in notes)


def test_a_worker_chooses_its_own_width_also_after_it_was_told_another(wanted: Experiment) -> None:
    own = _pool(wanted.text, 0, 0)
    told = _pool(wanted.text, 0, own.width + 1)
    assert told.width == own.width + 1 and _pool(wanted.text, 0, told.width) is told
    again = _pool(wanted.text, 0, 0)
    assert again.width == own.width and _pool(wanted.text, 0, own.width) is again


def test_chunks_of_a_lost_worker_are_counted(
    client: Client, wanted: Experiment, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(order: Order) -> Any:
        time.sleep(0.5)
        return train_chunk(order)

    monkeypatch.setattr(bench.cluster.executor, "train_chunk", slow)
    killed: list[int] = []
    notes: list[str] = []

    def watch(progress: Progress) -> None:
        notes.append(progress.note)
        if progress.done and not killed:
            address = next(worker for worker, keys in client.processing().items() if keys)
            killed.append(client.run(os.getpid, workers=[address])[address])
            os.kill(killed[0], signal.SIGKILL)

    folder = run(wanted, tmp_path, executor=OnCluster(client), watch=watch)
    assert sums(folder) == sums(here)
    assert re.search(r", [1-3] handed out again$", notes[-1])


def test_an_error_of_a_worker_is_one_line(client: Client, wanted: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import bench.cluster.executor

    def spoiled(order: Any) -> Any:
        raise RuntimeError(f"nothing\nworks for {order.program}")

    monkeypatch.setattr(bench.cluster.executor, "train_chunk", spoiled)
    with pytest.raises(ValueError, match="^a worker could not train a chunk: RuntimeError: nothing works for 0$"):
        run(wanted, tmp_path, executor=OnCluster(client))
