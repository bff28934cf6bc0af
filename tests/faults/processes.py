"""A cluster of processes on this machine: scheduler, workers, and the command that runs an experiment on it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PATIENCE_SECONDS = 900.0
SCHEDULER = {
    "DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING": "False",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "None",
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1000",
}
"""Settings of a scheduler for long chunks, as in `docs/clusters.md`."""


@dataclass
class Cluster:
    """Processes of a cluster, whose scheduler writes its address to a file."""

    folder: Path
    file: Path
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    clients: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_scheduler(self) -> None:
        """Start a scheduler, at a new address."""
        self.file.unlink(missing_ok=True)
        command = ["-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        self.scheduler = self._start("scheduler", *command, "--scheduler-file", str(self.file))
        wait_until(self.file.exists)
        self.address = str(json.loads(self.file.read_text(encoding="utf-8"))["address"])

    def start_worker(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a worker: `initbench worker`, or another command that takes the scheduler's address."""
        worker = self._start(f"worker-{len(self.workers)}", *(command or ("-m", "initbench", "worker")), self.address)
        self.workers.append(worker)
        return worker

    def run(self, file: Path, out: Path, name: str = "client") -> subprocess.Popen[bytes]:
        """Start `initbench run FILE --on` this cluster; each chunk is written as it comes."""
        client = self._start(name, "-m", "tests.faults.often", "run", str(file), "--out", str(out), "--on", str(self.file))
        self.clients.append(client)
        return client

    def _start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **SCHEDULER}
        with (self.folder / f"{name}.txt").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *command], stdout=output, stderr=subprocess.STDOUT, start_new_session=True, env=environment
            )

    def printed(self, name: str = "client") -> str:
        """Return what a process has printed."""
        return (self.folder / f"{name}.txt").read_text(encoding="utf-8", errors="replace")


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    """Give a cluster with so many workers; all of its processes end with the context."""
    folder.mkdir(parents=True, exist_ok=True)
    started = Cluster(folder, folder / "scheduler.json")
    try:
        started.start_scheduler()
        for _ in range(workers):
            started.start_worker()
        yield started
    finally:
        for process in (*started.workers, started.scheduler):
            if process is not None:
                kill_all(process)


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """`kill -9` of a process and all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def trainer_of(worker: subprocess.Popen[bytes]) -> psutil.Process | None:
    """Return the process of a worker that trains, which the worker starts anew when it is lost; None if it has not started."""
    try:
        found = [one for one in psutil.Process(worker.pid).children() if "spawn_main" in " ".join(one.cmdline())]
    except psutil.Error:
        return None
    return found[0] if found else None


def wait_until(true: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a function returns something true; TimeoutError if it does not."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("what was waited for did not come")
        time.sleep(0.05)
