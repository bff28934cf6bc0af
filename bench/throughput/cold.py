"""Seconds from the start of a process to its rows on disk: `initbench run`, and a script in plain JAX that a user would write.

Each starts with an empty compilation cache, and then once more with what it has left there.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.throughput import plain_script
from bench.throughput.workloads import WORKLOADS

SIZES = {"census-2-4-1": (16_384, 5000), "grid": (200, 1000), "digits-cnn": (128, 1050)}
"""Seeds of a cell and steps of each workload."""


def cold(say: Callable[[str], None], repeats: int, shrink: int = 1) -> Iterator[dict[str, Any]]:
    """Yield a row for each workload, contender and state of the cache, with the seconds of all repeats, in which the contenders take turns.

    ChildProcessError with what it printed if a process fails.
    """
    for workload, (seeds, steps) in SIZES.items():
        size = max(seeds // shrink, 2), max(steps // shrink, 1)
        seconds: dict[tuple[str, str], list[float]] = {}
        for repeat in range(repeats):
            for name in ("engine", "script")[:: -1 if repeat % 2 else 1]:
                with tempfile.TemporaryDirectory() as folder:
                    for cache in ("empty", "full"):
                        say(f"{workload}: {name}, {cache} cache, {repeat + 1} of {repeats}")
                        took = _process(_COMMANDS[name](workload, *size, Path(folder), cache), folder)
                        seconds.setdefault((name, cache), []).append(took)
        for (name, cache), found in seconds.items():
            row = {"workload": workload, "says": WORKLOADS[workload].says, "contender": name, "cache": cache}
            yield {**row, "lanes": size[0], "steps": size[1], "seconds": found}


def _of_the_engine(workload: str, seeds: int, steps: int, folder: Path, name: str) -> list[str]:
    file = folder / f"{name}.toml"
    file.write_text(WORKLOADS[workload].experiment(seeds, steps).text, encoding="utf-8")
    return [sys.executable, "-m", "initbench", "run", str(file), "--out", str(folder / name)]


def _of_the_script(workload: str, seeds: int, steps: int, folder: Path, name: str) -> list[str]:
    return [sys.executable, plain_script.__file__, workload, str(seeds), str(steps), str(folder / f"{name}.parquet")]


_COMMANDS = {"engine": _of_the_engine, "script": _of_the_script}


def _process(command: list[str], folder: str) -> float:
    """Return the seconds that a command takes which keeps all that it compiles in a folder."""
    kept = {"JAX_COMPILATION_CACHE_DIR": str(Path(folder) / "cache"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **kept})
    if done.returncode:
        raise ChildProcessError(f"{' '.join(command)}: {done.stderr.strip()}")
    return time.perf_counter() - started
