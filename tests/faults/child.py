"""The command line in processes of their own, forked from one that has imported what they need but not started JAX."""

import multiprocessing
import os
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Protocol

import bench.runs.chunks
import bench.runs.part_writer
from initbench.cli.app import app
from tests.faults import injection

Arguments = list[str]
Job = tuple[Callable[[], object], Arguments]
"""What is injected, and the command that meets it."""
_context = multiprocessing.get_context("forkserver")
# What takes longest to import, but nothing that starts JAX, which no fork survives.
_context.set_forkserver_preload(["jax", "flax.nnx", "optax", "pyarrow.parquet", "pandas", "scipy.stats", "rich.progress", "typer"])
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class Printed(Protocol):
    """Commands that run one after another, and the file that they print to."""

    output: Path

    def ended(self) -> int:
        """Wait for the end: 0, or the largest exit code of a command, or the negative number of the signal that ended them."""

    @property
    def printed(self) -> str:
        """Standard output and error together."""
        return self.output.read_text(errors="replace")

    def results(self) -> list[tuple[int, str]]:
        """Exit code of each command that came to its end, and what it printed."""
        self.ended()
        return [(int(code), text) for text, code in re.findall(r"(.*?)== exit (\d+)\n", self.printed, re.DOTALL)]


@dataclass
class Child(Printed):
    """Commands in a process of their own."""

    process: ForkServerProcess
    output: Path

    def ended(self) -> int:
        self.process.join()
        assert self.process.exitcode is not None
        return self.process.exitcode


@dataclass
class Here(Printed):
    """Commands that ran in this process, which is faster for a few of them."""

    output: Path
    code: int

    @classmethod
    def start(cls, output: Path, jobs: list[Job]) -> "Here":
        """As `start`, in this process."""
        with output.open("w", buffering=1) as file, redirect_stdout(file), redirect_stderr(file):
            return cls(output, _codes(jobs))

    def ended(self) -> int:
        return self.code


def start(output: Path, jobs: list[Job]) -> Child:
    """Run these commands in one fresh process, each under its fault; rows are written as soon as there are any."""
    process = _context.Process(target=_run, args=(output, jobs))
    process.start()
    return Child(process, output)


def train(output: Path, file: Path, *folders: Path, inject: Callable[[], object] = injection.relent) -> Child:
    """`initbench run FILE --out FOLDER` for each of the folders, without a fault or with the same one."""
    return start(output, [(inject, ["run", str(file), "--out", str(folder)]) for folder in folders])


def _run(output: Path, jobs: list[Job]) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.exit(_codes(jobs))


def _codes(jobs: list[Job]) -> int:
    """Run all jobs, and print their exit codes; the largest of them."""
    # Every batch of ended lanes becomes a part of its own, and shards of few lanes have several chunks.
    bench.runs.part_writer.FLUSH_SECONDS = 0.0
    bench.runs.chunks.MOST_LANES = 1 << 10
    codes = []
    for inject, arguments in jobs:
        inject()
        codes.append(_code(arguments))
        injection.relent()
        print(f"== exit {codes[-1]}", flush=True)
    return max(codes, default=0)


def _code(arguments: Arguments) -> int:
    """Exit code of a command in this process."""
    try:
        app(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0
