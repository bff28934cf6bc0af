"""All contenders on all workloads, in turn, each in a process of its own."""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax

from bench import provenance
from bench.engine.devices import PLAIN, accelerated
from bench.engine.program import programs
from bench.throughput.contenders import MAP_LANES, contender, step_costs
from bench.throughput.workloads import WORKLOADS, Workload

REPEATS = 5
LADDER = (100, 1000, 10_000, 100_000, 1_000_000)
LADDER_STEPS = 200
ACCELERATOR_LANES = 16
"""An accelerator gets so many times the lanes of a workload."""
PEER_WIDTHS = (256, 1024, 4096, 16_384)
PEER_SECONDS = 4.0
"""A peer that is too slow for all lanes and steps is timed on as many as take about this long."""

Say = Callable[[str], None]
Row = dict[str, Any]


class Worker:
    """A contender that compiles, and then waits to be told to train."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @cached_property
    def compile_seconds(self) -> float:
        """Asking for it waits until all is compiled."""
        return self._line()["compile_seconds"]

    def train(self) -> dict[str, Any]:
        """One whole training."""
        assert self._process.stdin is not None and self.compile_seconds >= 0
        self._process.stdin.write("train\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a contender has died; its own message stands above")
        return json.loads(line)


@contextmanager
def working(wanted: Iterable[tuple[str, str, tuple[int, ...]]], devices: int | None = None) -> Iterator[list[Worker]]:
    """Contenders (name, workload, size) at their own default settings; what is compared is compiled, not found in a cache.

    They compile one after another on a CPU, where they would slow one another down, and all at once for an accelerator.
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
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
            stack.callback(process.communicate)
            stack.callback(process.kill)
            workers.append(Worker(process))
            if not accelerated():
                assert workers[-1].compile_seconds >= 0
        yield workers


def measure(peers: bool, say: Say, repeats: int = REPEATS, shrink: int = 1) -> dict[str, Any]:
    """Everything: the device's ceilings, all workloads, growth over lanes, steps, width and devices. `shrink` divides lanes and steps."""
    if peers and find_spec("torch") is None:
        raise ValueError("--peers: torch is not installed; pip install 'initbench[peers]', or leave --peers out")
    # Several processes share an accelerator's memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    environment = {**os.environ, PLAIN: "1"}
    command = [sys.executable, "-m", "bench.throughput.worker", "ceilings"]
    say("ceilings of the device")
    ceilings = json.loads(subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout)
    rows: list[Row] = []
    for workload in WORKLOADS.values():
        rows += list(
            _grid(workload, say, min(repeats, 3), shrink)
            if workload.name == "grid"
            else _side_by_side(workload, peers, say, repeats, shrink)
        )
    return {
        **provenance.environment(jax.devices()),
        "cpu": _cpu(),
        "measured": provenance.now(),
        "repeats": repeats,
        "ceilings": ceilings,
        "workloads": rows,
        "growth": list(_growth(say, shrink)),
    }


def _cpu() -> str:
    found = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return found[0] if found else platform.processor() or platform.machine()


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


def _side_by_side(workload: Workload, peers: bool, say: Say, repeats: int, shrink: int) -> Iterator[Row]:
    """All contenders of one workload, in turn: first each one once, then each one again."""
    lanes = max(workload.lanes * (ACCELERATOR_LANES if accelerated() else 1) // shrink, 16)
    steps = max(workload.steps // shrink, 1)
    experiment = workload.experiment(lanes, steps)
    [program] = programs(experiment.cells, experiment.probes, experiment.track)
    cost = step_costs(program, experiment.cells[0])
    names = ["engine", "jit_vmap", *(["lax_map"] if workload.solved_below is None else [])]
    sizes: dict[str, tuple[int, ...]] = {name: (lanes, steps) for name in names}
    if "lax_map" in names and accelerated():
        sizes["lax_map"] = min(lanes, MAP_LANES), steps  # All others would take their turns after these.
    if peers and workload.solved_below is None:
        for name in _peers(experiment.cells[0].settings.model.name):
            say(f"{workload.name}: size for {name}")
            sizes[name] = _peer_size(name, workload, lanes, steps)
    say(f"{workload.name}: {', '.join(sizes)} compile")
    with working((name, workload.name, size) for name, size in sizes.items()) as started:
        workers = dict(zip(sizes, started, strict=True))
        for worker in workers.values():
            worker.train()  # The first one pays for memory and libraries.
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
        for repeat in range(repeats):
            for name, worker in workers.items():
                say(f"{workload.name}: {name}, {repeat + 1} of {repeats}")
                found[name].append(worker.train())
    for name, runs in found.items():
        lanes, steps, *width = sizes[name]
        yield {
            "workload": workload.name,
            "says": workload.says,
            "contender": name,
            "lanes": lanes,
            "steps": steps,
            "width": width[0] if width else None,
            "seconds": [run["seconds"] for run in runs],
            "compile_seconds": workers[name].compile_seconds,
            "peak_memory_bytes": max(run["peak_memory_bytes"] for run in runs),
            "loss_median": runs[-1]["loss_median"],
            "host_share": statistics.median(run["host_seconds"] / run["seconds"] for run in runs) if "host_seconds" in runs[0] else None,
            **cost,
        }


def _peers(model: str) -> list[str]:
    """The contenders from other packages that can train this model."""
    peers = [name for name in contender if contender[name].traits.get("peer")]
    return [name for name in peers if model in contender[name].traits.get("models", (model,))]


def _peer_size(name: str, workload: Workload, lanes: int, steps: int) -> tuple[int, ...]:
    """Lanes, steps and width at which a peer is timed: its fastest width, and no more work than some seconds' worth."""
    tried = [(1, 50)] if name == "torch_loop" else [(width, 5, width) for width in sorted({min(width, lanes) for width in PEER_WIDTHS})]
    rates = {}
    with working((name, workload.name, size) for size in tried) as workers:
        for size, worker in zip(tried, workers, strict=True):
            worker.train()
            rates[size] = size[0] * size[1] / worker.train()["seconds"]
    (width, _, *given), rate = max(rates.items(), key=lambda item: item[1])
    possible = int(rate * PEER_SECONDS / width)
    epoch = 21 if workload.settings.get("training", {}).get("batch_size") else 1
    size = width, max(epoch, min(possible, steps) // epoch * epoch)
    return *size, *given


def _grid(workload: Workload, say: Say, repeats: int, shrink: int) -> Iterator[Row]:
    """The grid from a cold start: compilation counts, so every repeat is a new process."""
    lanes, steps = max(workload.lanes // shrink, 2), max(workload.steps // shrink, 1)
    found: dict[str, list[dict[str, Any]]] = {"engine": [], "jit_vmap": []}
    for repeat in range(repeats):
        for name, runs in found.items():
            say(f"{workload.name}: {name}, {repeat + 1} of {repeats}")
            with working([(name, workload.name, (lanes, steps))]) as [worker]:
                runs.append({"compile_seconds": worker.compile_seconds, **worker.train()})
    for name, runs in found.items():
        yield {
            "workload": workload.name,
            "says": workload.says,
            "contender": name,
            "lanes": 50 * lanes,
            "steps": steps,
            "seconds": [run["compile_seconds"] + run["seconds"] for run in runs],
            "compile_seconds": statistics.median(run["compile_seconds"] for run in runs),
            "peak_memory_bytes": max(run["peak_memory_bytes"] for run in runs),
            "loss_median": runs[-1]["loss_median"],
        }


def _growth(say: Say, shrink: int) -> Iterator[Row]:
    """Seconds and memory against lanes (engine, jit_vmap, lax_map), and against steps, width and devices (engine)."""

    def together(
        along: str, value: int, names: Iterable[str], workload: str, lanes: int, steps: int, devices: int | None = None
    ) -> Iterator[Row]:
        say(f"growth with {along}: {value:,}")
        size = max(lanes // shrink, 8), max(steps // shrink, 1)
        with working([(name, workload, size) for name in names], devices) as workers:
            for name, worker in zip(names, workers, strict=True):
                worker.train()
                found = worker.train()
                yield {
                    **{"along": along, "value": value, "contender": name, "workload": workload, "lanes": lanes, "steps": steps},
                    "seconds": found["seconds"],
                    "compile_seconds": worker.compile_seconds,
                    "peak_memory_bytes": found["peak_memory_bytes"],
                }

    # On an accelerator, batches of `lax.map` one after another: its time is known without waiting for it.
    names = ["engine", "jit_vmap", *([] if accelerated() else ["lax_map"])]
    for lanes in LADDER:
        yield from together("lanes", lanes, names, "xor-2-4-1", lanes, LADDER_STEPS)
    for steps in (500, 1000, 2000, 4000, 8000):
        yield from together("steps", steps, ["engine"], "xor-2-4-1", 16_384, steps)
    for width in (2, 4, 8):
        yield from together("width", width, ["engine"], f"census-2-{width}-1", 16_384, 5000)
    for devices in range(1, (1 if accelerated() else jax.device_count()) + 1):
        yield from together("devices", devices, ["engine"], "xor-2-4-1", 16_384, 2000, devices)
