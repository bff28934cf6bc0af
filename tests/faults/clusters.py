"""Runs on a cluster whose workers, scheduler or client go away, or whose workers are not what they should be."""

import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.runs.manifest import read_manifest
from tests.faults import child
from tests.faults.processes import Cluster, cluster, kill_all, trainer_of, wait_until
from tests.faults.record import Record, family
from tests.faults.rows import NAME, Reference, one_line, same_as

EXPERIMENT = f"""
name = "{NAME}"
question = "What does a lost machine cost?"
task = "xor"
initializer = "glorot_normal"
[model]
name = "mlp"
widths = [16]
[optimizer]
learning_rate = 1.0
[training]
steps = 32_000_000    # never spent, but it makes the chunks small
solved_below = 0.05
[seeds]
init = 3000
"""
MOST_SECONDS = 1.5
"""Longest time between rows that came and the kill of a worker."""
SAME = "the same bytes as in one process"


def reference(scratch: Path, experiment: str = EXPERIMENT) -> Reference:
    """The run of many chunks, in one process."""
    scratch.mkdir(parents=True, exist_ok=True)
    file, whole = scratch / "cluster.toml", scratch / "whole"
    file.write_text(experiment, encoding="utf-8")
    run = child.train(scratch / "whole.txt", file, whole)
    if run.ended():
        raise RuntimeError(f"the run without faults failed: {run.printed[-2000:]}")
    return Reference(file, whole / NAME)


def rows_in(folder: Path) -> int:
    """Return the number of training runs that a run folder lists."""
    try:
        return sum(part.rows for part in read_manifest(folder).parts if part.kind == "lanes")
    except ValueError:
        return 0


def ended(record: Record, running: Cluster, client: subprocess.Popen[bytes], good: Reference, out: Path, tries: int) -> None:
    """Wait for the command, and count its faults if the rows are those of one process."""
    if client.wait():
        record.breaks(f"exit {client.returncode}", running.printed()[-400:])
        return
    for _ in range(tries):
        same_as(record, SAME, out / NAME, good)


def attempts(scratch: Path, tries: int, workers: int) -> Iterator[tuple[Cluster, Path]]:
    """Give a new cluster with so many workers, and a folder for its run, for each try."""
    for number in range(tries):
        with cluster(scratch / f"cluster-{number}", workers) as running:
            yield running, scratch / f"out-{number}"


@family(tries=3, quick=1)
def cluster_sizes(scratch: Path, tries: int) -> Record:
    """Clusters of 1, 2 and 4 workers, without any fault."""
    record = Record("no fault", "the same run on clusters of 1, 2 and 4 workers")
    good = reference(scratch)
    for workers in (1, 2, 4)[:tries]:
        with cluster(scratch / f"cluster-{workers}", workers) as running:
            out = scratch / f"out-{workers}"
            ended(record, running, running.run(good.file, out), good, out, 1)
    return record


@family(tries=20, quick=2)
def lost_workers(scratch: Path, tries: int) -> Record:
    """Workers are killed while they train."""
    record = Record(
        "worker lost",
        "`kill -9` of one of two workers at random moments, in one run after the other; every second time with its nanny; another joins",
    )
    good, rng = reference(scratch), random.Random(3)
    with cluster(scratch / "cluster", workers=2) as running:
        while record.tried < tries and not record.broken:
            out = scratch / f"out-{record.tried}"
            client = running.run(good.file, out)
            killed = _kill_workers(running, client, out, rng, tries - record.tried)
            if not killed:
                record.note("too few faults", f"a run had ended before a worker could be killed, after {record.tried} of {tries} kills")
                break
            ended(record, running, client, good, out, killed)
    return record


def _kill_workers(running: Cluster, client: subprocess.Popen[bytes], out: Path, rng: random.Random, tries: int) -> int:
    """Kill workers of a run, each time another one, until it has ended; return how many were killed, at most `tries`."""
    killed = 0
    while killed < tries and client.poll() is None:
        # Each time some chunks have come back since the last kill, and then at any moment of those under way.
        wait_for_rows(out, client)
        time.sleep(rng.uniform(0, MOST_SECONDS))
        victim = rng.choice([worker for worker in running.workers if worker.poll() is None])
        trainer = trainer_of(victim)
        if trainer is None or client.poll() is not None:
            continue
        if killed % 2:
            kill_all(victim)
            running.start_worker()
        else:
            trainer.kill()
        killed += 1
    return killed


@family(tries=3, quick=1)
def lost_schedulers(scratch: Path, tries: int) -> Record:
    """The scheduler is killed, and the same command goes on with another one."""
    record = Record(
        "scheduler lost", "`kill -9` of the scheduler of a run under way; then the same command with a new scheduler and new workers"
    )
    good, out = reference(scratch), scratch / "out"
    for number in range(tries):
        with cluster(scratch / f"cluster-{number}", workers=2) as running:
            client = _until_chunks_came(running, good, out)
            assert running.scheduler is not None
            kill_all(running.scheduler)
            code = client.wait()
            fault = one_line(running.printed())
            if code != 2 or fault:
                record.breaks(f"exit {code}", fault or running.printed()[-400:])
    with cluster(scratch / "cluster-again", workers=2) as running:
        ended(record, running, running.run(good.file, out), good, out, tries - record.tried)
    return record


@family(tries=3, quick=1)
def lost_clients(scratch: Path, tries: int) -> Record:
    """The command that runs an experiment is killed, and given again to the same cluster."""
    record = Record("client lost", "`kill -9` of the command under way; then the same command on the same scheduler and workers")
    good, out = reference(scratch), scratch / "out"
    with cluster(scratch / "cluster", workers=2) as running:
        for _ in range(tries):
            kill_all(_until_chunks_came(running, good, out))
        ended(record, running, running.run(good.file, out), good, out, tries)
    return record


@family(tries=3, quick=0)
def late_workers(scratch: Path, tries: int) -> Record:
    """A worker joins while another one trains."""
    record = Record("late worker", "a worker joins a run that another one has begun")
    good = reference(scratch)
    for running, out in attempts(scratch, tries, workers=1):
        client = _until_chunks_came(running, good, out)
        running.start_worker()
        ended(record, running, client, good, out, 1)
    return record


@family(tries=3, quick=0)
def leaving_workers(scratch: Path, tries: int) -> Record:
    """One of two workers is told to end."""
    record = Record("leaving worker", "SIGTERM to one of two workers while they train")
    good = reference(scratch)
    for running, out in attempts(scratch, tries, workers=2):
        client = _until_chunks_came(running, good, out)
        running.workers[0].send_signal(signal.SIGTERM)
        ended(record, running, client, good, out, 1)
    return record


@family(tries=3, quick=0)
def other_versions(scratch: Path, tries: int) -> Record:
    """A worker that differs from the run is refused by name, and the run goes on with the others."""
    record = Record("worker of another version", "a worker with another version of jax joins a run that another one has begun")
    good = reference(scratch)
    for running, out in attempts(scratch, tries, workers=1):
        client = _until_chunks_came(running, good, out)
        running.start_worker("-m", "tests.faults.odd_worker", "version")
        ended(record, running, client, good, out, 1)
        if not re.search(r"the worker tcp://\S+ on \S+ is not used: jax \S+, now 0\.0\.1; --mixed", running.printed()):
            record.note("not refused by name", running.printed()[-400:])
    return record


@family(tries=3, quick=0)
def other_bits(scratch: Path, tries: int) -> Record:
    """A worker trains a chunk with another bit, and goes away before its rows have come; the chunk's next copy shows it.

    The same command without that worker then does the rest.
    """
    record = Record(
        "worker that computes another bit", "the first copy of a chunk differs from the second in one bit; then again without that worker"
    )
    good = reference(scratch)
    for running, out in attempts(scratch, tries, workers=0):
        running.start_worker("-m", "tests.faults.odd_worker", "bit")
        client = running.run(good.file, out)
        # It goes away by itself.
        running.workers[0].wait()
        running.start_worker()
        code, said = client.wait(), running.printed()
        if code != 2 or not re.search(r"chunk \w+: its rows from (\S+) and from (\S+) differ", said) or one_line(said):
            record.breaks(f"exit {code}", said[-400:])
            continue
        client = running.run(good.file, out, "again")
        if client.wait():
            record.breaks(f"then exit {client.returncode}", running.printed("again")[-400:])
        else:
            same_as(record, "the run ends with one line that names both hosts; then the same bytes as in one process", out / NAME, good)
    return record


def _until_chunks_came(running: Cluster, good: Reference, out: Path) -> subprocess.Popen[bytes]:
    """Start the command and return it once more rows are there than before."""
    client = running.run(good.file, out)
    wait_for_rows(out, client)
    return client


def wait_for_rows(out: Path, client: subprocess.Popen[bytes]) -> None:
    """Wait until there are more rows than now, or the command has ended."""
    before = rows_in(out / NAME)
    wait_until(lambda: rows_in(out / NAME) > before or client.poll() is not None)
