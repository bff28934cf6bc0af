"""Contenders in processes of their own, which compile and then train whenever they are asked to."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from bench.hardware import Hardware
from bench.startup import PLAIN


class Worker:
    """A contender in its own process: it compiles, then waits for requests. Every answer is None once the process has died."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.compile_seconds: float | None = None

    def ready(self) -> None:
        """Wait until everything is compiled."""
        self.compile_seconds = self._line().get("compile_seconds")

    def train(self) -> dict[str, Any] | None:
        """Train all training runs once; return seconds, median loss and peak memory, or None."""
        return self._answer("train") or None

    def idle_share(self) -> float | None:
        """Train once more under a profiler; return the share of the time, 0 to 1, in which no device works."""
        return self._answer("profile").get("idle_share")

    def stop(self) -> None:
        """Kill the process, which frees the memory that it holds."""
        self._process.kill()
        self._process.communicate()

    def _answer(self, request: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return {}
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line.endswith("\n") else {}


@contextmanager
def working(wanted: Iterable[tuple[str, str, tuple[int, ...]]], hardware: Hardware, devices: int | None = None) -> Iterator[list[Worker]]:
    """Context with a worker for each contender (name, workload, size), at its own default settings and without a compilation cache.

    On a CPU the workers compile one after another, because they would slow one another down; for an accelerator all at once.
    """
    with ExitStack() as stack:
        workers = []
        for name, workload, size in wanted:
            environment = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "0"}
            if name != "engine":
                environment[PLAIN] = "1"
            if devices is not None:
                environment["JAX_NUM_CPU_DEVICES"] = str(devices)
            command = [sys.executable, "-m", "bench.throughput.worker", name, workload, *map(str, size)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=environment)
            workers.append(Worker(process))
            stack.callback(workers[-1].stop)
            if hardware.is_host:
                workers[-1].ready()
        if not hardware.is_host:
            for worker in workers:
                worker.ready()
        yield workers
