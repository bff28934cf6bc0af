"""A census of ten million training runs on a cluster that loses all of its parts in turn."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from tests.faults.clusters import MOST_SECONDS, reference, rows_in, wait_for_rows
from tests.faults.processes import Cluster, cluster, kill_all, trainer_of
from tests.faults.record import Record, family
from tests.faults.rows import NAME, files_of, same_as

SEEDS = 10_000_000
EXPERIMENT = f"""
name = "{NAME}"
question = "From which share of starts is XOR found?"
task = "xor"
model = {{ name = "mlp", widths = [4], activation = "tanh" }}
initializer = "glorot_normal"
optimizer = {{ name = "sgd", learning_rate = 0.5 }}
training = {{ steps = 5000, solved_below = 0.05 }}
seeds = {{ init = {SEEDS} }}
"""
KILLS = ("worker", "command", "worker", "scheduler", "command")
WORKERS = 2
LOOK_SECONDS = 0.2


class Peaks(dict[str, int]):
    """The most memory that the command, and that any worker, was seen to have, in bytes."""

    def look(self, running: Cluster) -> None:
        """Look at all processes of a cluster now."""
        trainers = [trainer for worker in running.workers if worker.poll() is None and (trainer := trainer_of(worker))]
        for name, processes in (("command", running.clients[-1:]), ("worker", trainers)):
            for process in processes:
                try:
                    self[name] = max(self.get(name, 0), psutil.Process(process.pid).memory_info().rss)
                except psutil.Error:
                    continue

    @contextmanager
    def watched(self, running: Cluster) -> Iterator[None]:
        """Look at a cluster all the time, from another thread."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(LOOK_SECONDS):
                self.look(running)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def __str__(self) -> str:
        return f"at most {self['command'] / 2**30:.1f} GiB in the command and {self['worker'] / 2**30:.1f} GiB in a worker"


@family(tries=len(KILLS), quick=0)
def census(scratch: Path, tries: int) -> Record:
    """The census goes on after kills of each kind, and leaves the bytes of one process."""
    record = Record(
        f"a census of {SEEDS:,} seeds",
        f"`kill -9` of a {', a '.join(KILLS)}, in turn, at random moments of one run on {WORKERS} workers; the same command goes on",
    )
    if not tries:
        return record
    good, out, rng, peaks = reference(scratch, EXPERIMENT), scratch / "out", random.Random(5), Peaks()
    with ExitStack() as stack:

        def start(number: int) -> Cluster:
            started = stack.enter_context(cluster(scratch / f"cluster-{number}", WORKERS))
            started.run(good.file, out)
            stack.enter_context(peaks.watched(started))
            return started

        running = start(0)
        for number, kind in enumerate(KILLS[:tries], start=1):
            wait_for_rows(out, running.clients[-1])
            time.sleep(rng.uniform(0, MOST_SECONDS))
            if running.clients[-1].poll() is not None:
                record.note("too few faults", f"the run had ended with {rows_in(out / NAME):,} rows before kill {number}")
                return record
            if kind == "worker":
                trainer = trainer_of(rng.choice(running.workers))
                if trainer is not None:
                    trainer.kill()
            elif kind == "command":
                kill_all(running.clients[-1])
                running.run(good.file, out)
            else:
                assert running.scheduler is not None
                kill_all(running.scheduler)
                running.clients[-1].wait()
                running = start(number)
        code = running.clients[-1].wait()
    if code:
        record.breaks(f"exit {code}", running.printed()[-400:])
    elif files_of(out / NAME) == files_of(good.folder):
        for _ in range(tries):
            record.keeps(f"the same bytes as in one process; {peaks}")
    else:
        same_as(record, "", out / NAME, good)
    return record
